//! What nodes saw and did, for who records it: the messages as they came, each step with what it held frozen, and the bytes that
//! left. The host's threads put it into rings of their own, wait-free, and one ordinary thread takes it from there
//! ([`TapeReader`]). Where nothing is recorded there is no tape, and nothing here runs.
//!
//! What does not fit is lost and counted, and the reader is told, so that a recording knows its holes. On a virtual clock, where
//! nobody is late, the tape waits for its reader instead ([`WhenFull`]).

mod reader;
mod steps;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rtrb::{Consumer, Producer, PushError, RingBuffer};
use troika_kit::{Direction, PortSpec, Ports, Qos, Time, TypeInfo};

pub use reader::{TapeItem, TapeReader, What};
pub(crate) use steps::Steps;
pub use steps::{Outcome, StepEntry};

use crate::{
    options::NodeOptions,
    sync::{Counter, Flag},
};

/// Messages of one port that wait for the reader: 5 s of a topic at 100 Hz.
const MESSAGES: usize = 512;
/// Entries of a node's steps that wait for it: over a second of a node at 1 kHz.
const ENTRIES: usize = 8192;
/// Between two tries where the tape waits for its reader.
const AGAIN: Duration = Duration::from_micros(200);

/// What becomes of what does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It is lost, and counted: no thread of a node or a transport waits.
    Lose,
    /// Who writes waits for the reader: for a virtual clock alone.
    Wait,
}

/// Where nodes write to. Clones share it.
#[derive(Debug, Clone)]
pub struct Tape(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    new: Mutex<Vec<New>>,
    nodes: Counter,
    /// Bytes of messages that were put, and taken.
    put: Counter,
    taken: Counter,
    most_bytes: u64,
    when_full: WhenFull,
    /// Nobody reads any more.
    over: Flag,
}

#[derive(Debug)]
enum New {
    Node(NodeOnTape),
    Stream(Stream),
}

/// A node that is recorded, as it was made. One that is configured again is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOnTape {
    /// What its entries name.
    pub id: u32,
    /// `/ns/name`.
    pub name: String,
    /// The contract's name.
    pub kind: &'static str,
    /// In the order of declaration.
    pub inputs: Vec<PortOnTape>,
    /// In the order of declaration.
    pub outputs: Vec<PortOnTape>,
    /// Faults are made in it on purpose.
    pub injected: bool,
}

/// A port of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOnTape {
    /// Its name in the node.
    pub name: &'static str,
    /// Its topic, absolute.
    pub topic: String,
    /// The message type.
    pub ty: TypeInfo,
    /// What is offered or asked for.
    pub qos: Qos,
    /// It holds the newest message only.
    pub latest: bool,
}

#[derive(Debug)]
struct Stream {
    node: u32,
    end: End,
    lost: Arc<Counter>,
}

#[derive(Debug)]
enum End {
    Arrivals(u16, Consumer<Arrival>),
    Steps(Consumer<StepEntry>),
    Departures(Consumer<Departure>),
}

#[derive(Debug)]
struct Arrival {
    count: u64,
    received: Time,
    source_time: Time,
    cdr: Box<[u8]>,
}

#[derive(Debug)]
struct Departure {
    port: u16,
    seq: u64,
    stamp: Time,
    cdr: Box<[u8]>,
}

impl Tape {
    /// A tape on which messages of so many bytes may wait, and its reader.
    pub fn new(most_bytes: u64, when_full: WhenFull) -> (Tape, TapeReader) {
        let tape = Tape(Arc::new(Shared {
            new: Mutex::default(),
            nodes: Counter::default(),
            put: Counter::default(),
            taken: Counter::default(),
            most_bytes,
            when_full,
            over: Flag::default(),
        }));
        (tape.clone(), TapeReader::new(tape.0))
    }

    fn enter(&self, new: New) {
        self.0.new.lock().unwrap_or_else(PoisonError::into_inner).push(new);
    }

    /// A node of these ports; called once each time that it is made.
    pub(crate) fn node<I: Ports, O: Ports>(&self, kind: &'static str, options: &NodeOptions) -> OnTape {
        let mut new = self.0.new.lock().unwrap_or_else(PoisonError::into_inner);
        let id = self.0.nodes.get() as u32;
        self.0.nodes.add(1);
        let port = |spec: &PortSpec| PortOnTape {
            name: spec.name,
            topic: options.topic(spec.name, spec.topic),
            ty: spec.ty,
            qos: options.qos.get(spec.name).copied().unwrap_or(spec.qos),
            latest: spec.direction == Direction::LatestIn,
        };
        new.push(New::Node(NodeOnTape {
            id,
            name: options.full_name(),
            kind,
            inputs: I::SPECS.iter().map(port).collect(),
            outputs: O::SPECS.iter().map(port).collect(),
            injected: options.inject.is_some(),
        }));
        drop(new);
        OnTape { tape: self.clone(), id, inputs: I::SPECS.len() }
    }
}

/// One node on the tape, while it is made.
pub(crate) struct OnTape {
    tape: Tape,
    id: u32,
    inputs: usize,
}

impl OnTape {
    fn ring<T>(&self, size: usize, end: impl FnOnce(Consumer<T>) -> End) -> Track<T> {
        let (ring, read) = RingBuffer::new(size);
        let lost = Arc::new(Counter::default());
        self.tape.enter(New::Stream(Stream { node: self.id, end: end(read), lost: lost.clone() }));
        Track { ring, lost, shared: self.tape.0.clone() }
    }

    /// For the subscription of the input with this index.
    pub(crate) fn arrivals(&self, port: u16) -> Arrivals {
        Arrivals(self.ring(MESSAGES, |read| End::Arrivals(port, read)))
    }

    /// For the node's thread.
    pub(crate) fn steps(&self) -> Steps {
        Steps::new(self.ring(ENTRIES, End::Steps), self.inputs)
    }

    /// For who puts its outputs on the transport.
    pub(crate) fn departures(&self) -> Departures {
        Departures(self.ring(MESSAGES, End::Departures))
    }
}

/// The writer's end of one ring.
struct Track<T> {
    ring: Producer<T>,
    lost: Arc<Counter>,
    shared: Arc<Shared>,
}

impl<T> Track<T> {
    /// Waits for room, where that is allowed; false where there is none.
    fn room(&mut self, entries: usize, bytes: usize) -> bool {
        troika_safety::fulfils![SR_OBS_001];
        loop {
            let waiting = self.shared.put.get().saturating_sub(self.shared.taken.get());
            // A message over the bound passes alone.
            let fits = waiting == 0 || waiting + bytes as u64 <= self.shared.most_bytes;
            if fits && self.ring.slots() >= entries {
                return true;
            }
            if self.shared.when_full == WhenFull::Lose || self.shared.over.get() {
                return false;
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn put_message(&mut self, cdr: &[u8], entry: impl FnOnce(Box<[u8]>) -> T) {
        if !self.room(1, cdr.len()) {
            self.lost.add(1);
            return;
        }
        self.shared.put.add(cdr.len() as u64);
        if let Err(PushError::Full(_)) = self.ring.push(entry(cdr.into())) {
            // Never: there was room, and nobody else writes.
            self.shared.taken.add(cdr.len() as u64);
            self.lost.add(1);
        }
    }
}

/// Messages as they come, from a transport's thread.
pub(crate) struct Arrivals(Track<Arrival>);

impl Arrivals {
    /// The one that the port's slot counts as `count`.
    pub(crate) fn came(&mut self, count: u64, received: Time, source_time: Time, cdr: &[u8]) {
        self.0.put_message(cdr, |cdr| Arrival { count, received, source_time, cdr });
    }
}

/// Messages as they leave, from an ordinary thread.
pub(crate) struct Departures(Track<Departure>);

impl Departures {
    /// A message of the step `seq`.
    pub(crate) fn left(&mut self, port: usize, seq: u64, stamp: Time, cdr: &[u8]) {
        self.0.put_message(cdr, |cdr| Departure { port: port as u16, seq, stamp, cdr });
    }
}

#[cfg(test)]
mod tests;
