//! Does recorded steps again: the same code of a node, given what it was given, in the order in which it was. No clock, no transport,
//! no thread. What the host did on its own (a fall-back in a late step's place) is told and done again too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use troika_kit::{
    Done, Events, Fault, Latest, Message, Out, PortSpec, PortVisitor, Ports as _, Step, Tick, Time,
};

use crate::{
    bind::decode,
    panics::within_node,
    runner::{Clear, ClearStates},
    sync,
    tape::Outcome,
};

/// What a recorded step was given.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// When it ran.
    pub tick: Tick,
    /// Inputs that held something: each once.
    pub inputs: Vec<Frozen<'a>>,
    /// What the host did.
    pub host: HostsPart,
}

/// What an input held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen<'a> {
    /// The input's index.
    pub port: usize,
    /// Of a latest-value input: it had come since the step before.
    pub fresh: bool,
    /// Messages with their arrivals: of a latest-value input the newest, if it is another one than in the step before; of a queue
    /// all that it held.
    pub samples: Vec<(Time, &'a [u8])>,
}

/// What the host did in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostsPart {
    /// It called the step, and the fall-back where that gave a fault.
    CalledStep,
    /// It called the step, and the fall-back because the result of a hard node came too late.
    ReplacedResult(Fault),
    /// It called the fall-back alone.
    CalledFallBack(Fault),
    /// It made a fault in the step's place on purpose, and called the fall-back.
    MadeFault(Fault),
}

/// What came of a step that was done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// As the step said.
    pub outcome: Outcome,
    /// Why the fall-back was called, if it was.
    pub fault: Option<Fault>,
    /// What it sent: the output's index and the CDR, in order. None for a value that has no CDR form.
    pub messages: Vec<(usize, Option<Vec<u8>>)>,
}

/// Why a step cannot be done again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The node has no such input.
    #[error("the node has no input {0}: it is of another version")]
    NoInput(usize),
    /// A message of the input is no value of its type.
    #[error("a recorded message of input {0} is no value of its type: the type is of another version")]
    Undecodable(usize),
}

/// A node whose steps are done again.
pub trait Replays: Send {
    /// Does one; in order, each once.
    ///
    /// # Errors
    /// See [`ReplayError`]; the node is of no use after one.
    fn play(&mut self, given: &Given<'_>) -> Result<Played, ReplayError>;
}

/// A [`Step`] of which that is done.
pub struct Replayer<S: Step> {
    step: S,
    inputs: S::Inputs,
    outputs: S::Outputs,
    feeds: Vec<Feed>,
}

/// Puts a message into an input's slot; false for bytes that are none.
type Feed = Box<dyn FnMut(&[u8], Time) -> bool + Send>;

impl<S: Step> Replayer<S> {
    /// Of a step as it was when it was made.
    pub fn new(step: S) -> Replayer<S> {
        let mut bind = Bind { feeds: Vec::new() };
        let mut inputs = S::Inputs::default();
        inputs.visit(&mut bind);
        Replayer { step, inputs, outputs: S::Outputs::default(), feeds: bind.feeds }
    }

    fn freeze(&mut self, given: &Given<'_>) -> Result<(), ReplayError> {
        for input in &given.inputs {
            let feed = self.feeds.get_mut(input.port).ok_or(ReplayError::NoInput(input.port))?;
            for (received, cdr) in &input.samples {
                if !feed(cdr, *received) {
                    return Err(ReplayError::Undecodable(input.port));
                }
            }
        }
        self.inputs.visit(&mut Freeze { given, port: 0 });
        Ok(())
    }

    fn fall_back(&mut self, tick: &Tick, why: Fault) {
        let fall_back = || self.step.fall_back(tick, &why, &mut self.outputs);
        if within_node(|| catch_unwind(AssertUnwindSafe(fall_back))).is_err() {
            self.outputs.visit(&mut Clear);
        }
    }
}

impl<S: Step> Replays for Replayer<S> {
    fn play(&mut self, given: &Given<'_>) -> Result<Played, ReplayError> {
        let tick = &given.tick;
        let (outcome, fault) = match given.host {
            HostsPart::CalledFallBack(why) => (Outcome::NotCalled, Some(why)),
            HostsPart::MadeFault(why) => {
                self.freeze(given)?;
                (Outcome::Fault, Some(why))
            }
            HostsPart::CalledStep | HostsPart::ReplacedResult(_) => {
                self.freeze(given)?;
                let step = || self.step.step(tick, &self.inputs, &mut self.outputs);
                let done = within_node(|| catch_unwind(AssertUnwindSafe(step)));
                match (done.unwrap_or(Err(Fault::Panicked)), given.host) {
                    (Ok(Done::Worked), HostsPart::ReplacedResult(why)) => {
                        self.outputs.visit(&mut ClearStates);
                        self.fall_back(tick, why);
                        (Outcome::Worked, None)
                    }
                    (Ok(Done::Worked), _) => (Outcome::Worked, None),
                    (Ok(Done::Idle), _) => (Outcome::Idle, None),
                    (Ok(Done::Skipped), _) => (Outcome::Skipped, None),
                    (Err(why), _) => (Outcome::Fault, Some(why)),
                }
            }
        };
        if let Some(why) = fault {
            self.outputs.visit(&mut Clear);
            self.fall_back(tick, why);
        }
        let mut gather = Gather { port: 0, messages: Vec::new() };
        self.outputs.visit(&mut gather);
        let fault = match given.host {
            HostsPart::ReplacedResult(why) if outcome == Outcome::Worked => Some(why),
            _ => fault,
        };
        Ok(Played { outcome, fault, messages: gather.messages })
    }
}

struct Bind {
    feeds: Vec<Feed>,
}

impl PortVisitor for Bind {
    fn latest<T: Message>(&mut self, _: &PortSpec, port: &mut Latest<T>) {
        let (mut writer, reader) = sync::latest();
        port.bind(Box::new(reader));
        self.feeds.push(Box::new(move |cdr, received| match decode::<T>(cdr) {
            Some(value) => {
                writer.put(value, received);
                true
            }
            None => false,
        }));
    }

    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Events<T, N>) {
        let (mut writer, reader) = sync::events(N);
        port.bind(Box::new(reader));
        self.feeds.push(Box::new(move |cdr, received| match decode::<T>(cdr) {
            Some(value) => writer.put(value, received),
            None => false,
        }));
    }

    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Out<T, N>) {}
}

struct Freeze<'a> {
    given: &'a Given<'a>,
    port: usize,
}

impl PortVisitor for Freeze<'_> {
    fn latest<T: Message>(&mut self, _: &PortSpec, port: &mut Latest<T>) {
        let fresh = self.given.inputs.iter().any(|input| input.port == self.port && input.fresh);
        // What came for a step that was passed over is there, and is not new.
        if port.freeze() && !fresh {
            port.freeze();
        }
        self.port += 1;
    }

    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Events<T, N>) {
        port.freeze();
        self.port += 1;
    }

    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Out<T, N>) {}
}

struct Gather {
    port: usize,
    messages: Vec<(usize, Option<Vec<u8>>)>,
}

impl PortVisitor for Gather {
    fn latest<T: Message>(&mut self, _: &PortSpec, _: &mut Latest<T>) {}
    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Events<T, N>) {}
    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Out<T, N>) {
        for message in port.sent() {
            let mut cdr = Vec::new();
            let encoded = message.encode(&mut cdr).is_ok();
            self.messages.push((self.port, encoded.then_some(cdr)));
        }
        port.clear();
        self.port += 1;
    }
}
