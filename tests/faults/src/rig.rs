//! What every bench stands on: the host's own simulation, and messages that are put into it as bytes, so that they can be damaged.

use std::{cell::RefCell, collections::BTreeMap};

use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::{Duration, Message, Qos, Step, Time};
use troika_transport::{NodeHandle, Publisher, Transport};

use crate::damage::cdr;

/// How far the simulation runs between two looks at it.
pub const SLICE: Duration = Duration::from_millis(10);

/// A simulation with an outside sender.
pub struct Rig {
    /// The real steps.
    pub simulation: Simulation,
    outside: Box<dyn NodeHandle>,
    publishers: RefCell<BTreeMap<String, Box<dyn Publisher>>>,
    start: Time,
}

impl Rig {
    /// With no node yet.
    ///
    /// # Errors
    /// What the transport says.
    pub fn new() -> anyhow::Result<Rig> {
        let simulation = Simulation::new()?;
        let outside = simulation.transport().node("/", "outside")?;
        let start = simulation.now();
        Ok(Rig { simulation, outside, publishers: RefCell::default(), start })
    }

    /// Adds a real step.
    ///
    /// # Errors
    /// As the simulation.
    pub fn spawn<S: Step>(&mut self, step: S, options: NodeOptions) -> anyhow::Result<()> {
        Ok(self.simulation.spawn(step, options)?)
    }

    /// Virtual time.
    pub fn now(&self) -> Time {
        self.simulation.now()
    }

    /// Since the beginning.
    pub fn since_start(&self) -> Duration {
        self.now().since(self.start)
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.simulation.run_for(time);
    }

    /// A message, as it is.
    ///
    /// # Errors
    /// What the transport says.
    pub fn send<T: Message>(&self, topic: &str, message: &T) -> anyhow::Result<()> {
        self.put::<T>(topic, &cdr(message))
    }

    /// Bytes in a message's place.
    ///
    /// # Errors
    /// What the transport says.
    pub fn put<T: Message>(&self, topic: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut publishers = self.publishers.borrow_mut();
        if !publishers.contains_key(topic) {
            let publisher = self.outside.publisher(topic, T::TYPE, Qos::DEFAULT)?;
            publishers.insert(topic.to_owned(), publisher);
        }
        if let Some(publisher) = publishers.get_mut(topic) {
            publisher.put(bytes, self.now())?;
        }
        Ok(())
    }
}

/// Whether something that comes each `period` is due in the slice that begins at `now`, `since` the beginning.
pub fn due(since: Duration, period: Duration) -> bool {
    let (now, period) = (since.as_nanos(), period.as_nanos().max(1));
    now % period < SLICE.as_nanos()
}
