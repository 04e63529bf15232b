//! Speaks for a node that cannot: the same ports on the same topics, from another process, and of the node's code the fall-back
//! alone.

use troika_kit::{EncodeError, Fault, Message, Out, PortSpec, PortVisitor, Ports as _, Step, Tick, Time};
use troika_transport::{NodeHandle, Publisher, TransportError};

use crate::options::NodeOptions;

/// A node's stand-in.
pub struct StandIn<S: Step> {
    step: S,
    outputs: S::Outputs,
    publishers: Vec<Box<dyn Publisher>>,
    buffer: Vec<u8>,
    seq: u64,
}

impl<S: Step> StandIn<S> {
    /// Declares the node's outputs on `handle`, with the node's own names. `step` may be one without its models: only its
    /// fall-back is called.
    ///
    /// # Errors
    /// What the transport says.
    pub fn new(step: S, options: &NodeOptions, handle: &dyn NodeHandle) -> Result<Self, TransportError> {
        let mut declare = Declare { options, handle, publishers: Vec::new(), failed: None };
        let mut outputs = S::Outputs::default();
        outputs.visit(&mut declare);
        match declare.failed {
            Some(why) => Err(why),
            None => Ok(StandIn {
                step,
                outputs,
                publishers: declare.publishers,
                buffer: Vec::with_capacity(options.buffer),
                seq: 0,
            }),
        }
    }

    /// Publishes the node's fall-back. What the transport refuses is given up: the next one follows within a period.
    pub fn speak(&mut self, now: Time, why: &Fault) {
        let tick = self.tick(now);
        self.step.fall_back(&tick, why, &mut self.outputs);
        self.send(now);
    }

    /// The node speaks for itself again: ends what was raised in its place ([`Step::give_way`]).
    pub fn give_way(&mut self, now: Time) {
        troika_safety::fulfils![SR_TIM_010];
        let tick = self.tick(now);
        self.step.give_way(&tick, &mut self.outputs);
        self.send(now);
    }

    fn tick(&mut self, now: Time) -> Tick {
        let tick = Tick { seq: self.seq, release: now, now, level: 0 };
        self.seq += 1;
        tick
    }

    fn send(&mut self, now: Time) {
        let mut send =
            Send { publishers: &mut self.publishers, buffer: &mut self.buffer, port: 0, stamp: now };
        self.outputs.visit(&mut send);
    }
}

struct Declare<'a> {
    options: &'a NodeOptions,
    handle: &'a dyn NodeHandle,
    publishers: Vec<Box<dyn Publisher>>,
    failed: Option<TransportError>,
}

impl PortVisitor for Declare<'_> {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut troika_kit::Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut troika_kit::Events<T, N>) {}
    fn out<T: Message, const N: usize>(&mut self, spec: &PortSpec, _: &mut Out<T, N>) {
        let topic = self.options.topic(spec.name, spec.topic);
        match self.handle.publisher(&topic, spec.ty, spec.qos) {
            Ok(publisher) => self.publishers.push(publisher),
            Err(why) => self.failed = self.failed.take().or(Some(why)),
        }
    }
}

struct Send<'a> {
    publishers: &'a mut [Box<dyn Publisher>],
    buffer: &'a mut Vec<u8>,
    port: usize,
    stamp: Time,
}

impl PortVisitor for Send<'_> {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut troika_kit::Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut troika_kit::Events<T, N>) {}
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Out<T, N>) {
        for message in port.sent() {
            let encoded: Result<(), EncodeError> = message.encode(self.buffer);
            if encoded.is_ok()
                && let Some(publisher) = self.publishers.get_mut(self.port)
            {
                let _refused = publisher.put(self.buffer, self.stamp);
            }
        }
        port.clear();
        self.port += 1;
    }
}
