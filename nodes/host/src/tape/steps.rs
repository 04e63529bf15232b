//! A node's steps as they go: entries of a fixed size from the node's thread, which allocates nothing and waits for nobody here.

use troika_kit::{Events, Fault, Latest, Message, Out, PortSpec, PortVisitor, Ports, Tick};

use super::Track;

/// An entry of a node's steps. Of each step: its begin, what was frozen, its outcome, the fall-back if it was called, and in the end
/// what left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEntry {
    /// A release is handled.
    Begin {
        /// What the step is given.
        tick: Tick,
        /// Steps before it that found no room.
        lost: u64,
    },
    /// What an input holds: a latest-value input that has a message, or a queue that is not empty.
    Frozen {
        /// The input's index.
        port: u8,
        /// Which of all that came the newest is, from 1.
        newest: u64,
        /// Of a queue: how many it holds, the newest among them.
        held: u32,
        /// Of a latest-value input: it came since the step before.
        fresh: bool,
    },
    /// What came of the step.
    Ended(Outcome),
    /// The fall-back was called.
    FellBack(Fault),
    /// The outputs were handed on.
    Left {
        /// How many there were.
        messages: u32,
        /// How many of them went nowhere.
        unsent: u32,
    },
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was not called.
    NotCalled,
    /// As the step said.
    Worked,
    /// As the step said.
    Idle,
    /// As the step said.
    Skipped,
    /// It gave a fault, or panicked.
    Fault,
}

/// Begin, outcome, fall-back, and what left.
const BESIDE_THE_INPUTS: usize = 4;

/// The node thread's end.
pub(crate) struct Steps {
    track: Track<StepEntry>,
    /// Entries that a step may have.
    most: usize,
    /// The step that runs found no room.
    skips: bool,
    lost: u64,
}

impl Steps {
    pub(super) fn new(track: Track<StepEntry>, inputs: usize) -> Steps {
        Steps { track, most: inputs + BESIDE_THE_INPUTS, skips: false, lost: 0 }
    }

    /// A release is handled. A step is on the tape whole or not at all.
    pub(crate) fn begin(&mut self, tick: &Tick) {
        self.skips = !self.track.room(self.most, 0);
        if self.skips {
            self.lost += 1;
            self.track.lost.add(1);
            return;
        }
        let lost = std::mem::take(&mut self.lost);
        self.put(StepEntry::Begin { tick: *tick, lost });
    }

    /// What the step will see.
    pub(crate) fn frozen(&mut self, inputs: &mut impl Ports) {
        inputs.visit(&mut Look { steps: self, port: 0 });
    }

    pub(crate) fn put(&mut self, entry: StepEntry) {
        if !self.skips {
            // There is room: that of the whole step was looked for when it began.
            let _full = self.track.ring.push(entry);
        }
    }
}

struct Look<'a> {
    steps: &'a mut Steps,
    port: u8,
}

impl PortVisitor for Look<'_> {
    fn latest<T: Message>(&mut self, _: &PortSpec, port: &mut Latest<T>) {
        let newest = port.count();
        if newest > 0 {
            let fresh = port.fresh().is_some();
            self.steps.put(StepEntry::Frozen { port: self.port, newest, held: 0, fresh });
        }
        self.port += 1;
    }

    fn events<T: Message, const N: usize>(&mut self, _: &PortSpec, port: &mut Events<T, N>) {
        let held = port.iter().len() as u32;
        if held > 0 {
            let entry = StepEntry::Frozen { port: self.port, newest: port.taken(), held, fresh: true };
            self.steps.put(entry);
        }
        self.port += 1;
    }

    fn out<T: Message, const N: usize>(&mut self, _: &PortSpec, _: &mut Out<T, N>) {}
}
