//! A node with its name on the transport, and what each transition does to it.

use std::{
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use troika_kit::{Message as _, Qos};
use troika_msgs::lifecycle_msgs::{Transition as Wanted, TransitionEvent};
use troika_transport::{NodeHandle, Publisher, Subscription, TransportError};

use super::machine::{Outcome, State, Transition, asked, available, ended};
use crate::{
    body::{Life, ON_REQUEST, Stuck},
    clock::Clock,
    options::SpawnError,
    qos::QosStats,
    rosout::Rosout,
    stats::Record,
};

/// As the host, its lifecycle thread and its services share it.
pub(crate) type Shared = Arc<Mutex<Managed>>;

/// The node, for one who changes it. A change takes as long as its node's code takes.
pub(crate) fn lock(managed: &Mutex<Managed>) -> MutexGuard<'_, Managed> {
    managed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A node of the host.
pub(crate) struct Managed {
    pub(crate) life: Box<dyn Life>,
    pub(crate) record: Arc<Record>,
    /// None of a node that has no life cycle: it is active while its host runs.
    events: Option<Box<dyn Publisher>>,
    rosout: Rosout,
    clock: Clock,
    buffer: Vec<u8>,
    /// What was told of its ports' QoS.
    told: Vec<QosStats>,
    /// Messages and requests that were none, as far as they were told.
    told_garbage: [u64; 2],
    /// Its subscription of /clock, with `use_sim_time`.
    pub(crate) time: Option<Box<dyn Subscription>>,
    pub(crate) handle: Box<dyn NodeHandle>,
}

impl Managed {
    /// A node that is always there.
    pub(crate) fn plain(
        life: Box<dyn Life>,
        handle: Box<dyn NodeHandle>,
        record: Arc<Record>,
        rosout: Rosout,
        clock: Clock,
    ) -> Managed {
        Managed {
            life,
            record,
            events: None,
            rosout,
            clock,
            buffer: Vec::new(),
            told: Vec::new(),
            told_garbage: [0; 2],
            time: None,
            handle,
        }
    }

    /// Gives it a life cycle: it is unconfigured, and its transitions are told on `~/transition_event`.
    pub(crate) fn with_life_cycle(mut self) -> Result<Managed, TransportError> {
        let topic = format!("{}/transition_event", self.record.node);
        self.events = Some(self.handle.publisher(&topic, TransitionEvent::TYPE, Qos::DEFAULT)?);
        self.record.state.set(State::Unconfigured as u64);
        Ok(self)
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(crate) fn has_life_cycle(&self) -> bool {
        self.events.is_some()
    }

    pub(crate) fn state(&self) -> State {
        self.record.state()
    }

    /// Makes it.
    pub(crate) fn configure(&mut self) -> Result<(), SpawnError> {
        self.life.configure(&*self.handle)
    }

    /// Takes the transition from here to `to`, of which nothing is left to do.
    pub(crate) fn went(&mut self, to: State) {
        if let Some(transition) = available(self.state()).find(|one| one.to == to) {
            self.enter(transition);
            self.end(Outcome::Success);
        }
    }

    /// Carries a request out; whether it succeeded.
    pub(crate) fn change(&mut self, wanted: &Wanted) -> bool {
        let from = self.state();
        let Some(transition) = asked(from, wanted) else {
            let named =
                if wanted.label.is_empty() { wanted.id.to_string() } else { format!("'{}'", wanted.label) };
            self.rosout
                .warn(self.clock.now(), &format!("there is no transition {named} from {}", from.label()));
            return false;
        };
        self.enter(transition);
        let outcome =
            catch_unwind(AssertUnwindSafe(|| self.carry_out(transition))).unwrap_or_else(|_panic| {
                self.rosout.error(self.clock.now(), &format!("{} panicked", transition.label));
                Outcome::Error
            });
        self.end(outcome);
        if self.state() == State::ErrorProcessing {
            // Nothing of it is to be left. In this order: the end of one whose thread does not come back would wait for it.
            let clean = self.life.deactivate(ON_REQUEST).is_ok() && self.life.clean_up();
            self.end(if clean { Outcome::Success } else { Outcome::Failure });
        }
        outcome == Outcome::Success
    }

    /// Its time went back: made anew, so that nothing that it remembers lies in its future. Only one that is active.
    pub(crate) fn begin_anew(&mut self) {
        if self.state() != State::Active {
            return;
        }
        self.rosout.warn(self.clock.now(), "time went back: it begins anew");
        for label in ["deactivate", "cleanup", "configure", "activate"] {
            let wanted = Wanted { id: 0, label: label.to_owned() };
            if !self.change(&wanted) {
                return; // told by the change
            }
        }
    }

    fn carry_out(&mut self, transition: &Transition) -> Outcome {
        match transition.to {
            State::Configuring => {
                self.record.cells.deaf.set(true);
                match self.life.configure(&*self.handle) {
                    Ok(()) => Outcome::Success,
                    Err(why) => self.failed(transition, &why.to_string(), Outcome::Failure),
                }
            }
            State::Activating => match self.life.activate(true) {
                Ok(()) => Outcome::Success,
                Err(why) => self.failed(transition, &why.to_string(), Outcome::Error),
            },
            State::Deactivating => self.rest(transition),
            State::CleaningUp => self.clean(transition),
            State::ShuttingDown => match self.rest(transition) {
                Outcome::Success => self.clean(transition),
                other => other,
            },
            _ => Outcome::Error,
        }
    }

    fn rest(&mut self, transition: &Transition) -> Outcome {
        match self.life.deactivate(ON_REQUEST) {
            Ok(()) => Outcome::Success,
            Err(Stuck::Hangs) => self.failed(transition, "its step does not return", Outcome::Error),
            Err(Stuck::Died) => self.failed(transition, "its thread died", Outcome::Error),
        }
    }

    fn clean(&mut self, transition: &Transition) -> Outcome {
        match self.life.clean_up() {
            true => Outcome::Success,
            false => self.failed(transition, "a thread of it died", Outcome::Error),
        }
    }

    fn failed(&mut self, transition: &Transition, why: &str, how: Outcome) -> Outcome {
        // `eprintln!` panics when its reader is gone.
        let _nobody_reads =
            writeln!(io::stderr(), "notice: {}: {}: {why}", self.record.node, transition.label);
        self.rosout.error(self.clock.now(), &format!("{}: {why}", transition.label));
        how
    }

    fn end(&mut self, how: Outcome) {
        if let Some(end) = ended(self.state(), how) {
            self.enter(end);
            self.rosout.info(self.clock.now(), self.state().label());
        }
    }

    fn enter(&mut self, transition: &Transition) {
        self.record.state.set(transition.to as u64);
        let now = self.clock.now();
        let told = transition.description();
        let event = TransitionEvent {
            timestamp: now.as_nanos(),
            transition: told.transition,
            start_state: told.start_state,
            goal_state: told.goal_state,
        };
        if let Some(events) = &mut self.events
            && event.encode(&mut self.buffer).is_ok()
        {
            // Who listens has asked for news, not for the state: a put that fails is not made up for.
            let _closing = events.put(&self.buffer, now);
        }
    }

    /// What happened to it since it was last asked, on /rosout.
    pub(crate) fn report(&mut self) {
        let now = self.clock.now();
        if let Some((status, text)) = self.record.news() {
            self.rosout.status(now, status, &text);
        }
        let qos: Vec<QosStats> = self.record.watches().iter().map(|watch| watch.stats()).collect();
        for port in &qos {
            let before = self.told.iter().find(|told| told.port == port.port);
            for line in port.news(before) {
                self.rosout.warn(now, &line);
            }
        }
        self.told = qos;
        let garbage = [self.record.cells.undecodable.get(), self.record.cells.unreadable.get()];
        let before = std::mem::replace(&mut self.told_garbage, garbage);
        for (what, all, before) in [("messages", garbage[0], before[0]), ("requests", garbage[1], before[1])]
        {
            if all > before {
                self.rosout.warn(now, &format!("{} {what} could not be read, {all} in all", all - before));
            }
        }
    }
}
