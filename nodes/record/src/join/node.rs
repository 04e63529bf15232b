//! One node's steps, each held until the messages that it had and those that it sent are there.

use std::collections::VecDeque;

use troika_host::tape::{NodeOnTape, StepEntry};
use troika_kit::Time;
use troika_msgs::troika::{RecordedPort, RecordedSample, RecordedStep};

use crate::step;

/// Messages of an input that wait for a step; of a node that does not step the oldest go.
const WAITING: usize = 4096;

pub(super) struct Node {
    pub(super) on_tape: NodeOnTape,
    /// Of its steps.
    pub(super) topic: String,
    life: u32,
    /// What came on each input, by its count.
    arrivals: Vec<VecDeque<(u64, RecordedSample)>>,
    /// The newest that a step held of each input.
    newest: Vec<u64>,
    departures: VecDeque<(u64, u16, RecordedSample)>,
    steps: VecDeque<Pending>,
}

struct Pending {
    step: RecordedStep,
    frozen: Vec<Frozen>,
    /// Messages that left, once the step is over.
    left: Option<usize>,
    round: u64,
}

struct Frozen {
    port: u8,
    newest: u64,
    held: u32,
    fresh: bool,
}

/// Where the search for a message ended.
enum Found {
    Here(RecordedSample),
    NotYet,
    Lost,
}

impl Node {
    pub(super) fn new(on_tape: NodeOnTape, life: u32) -> Node {
        let inputs = on_tape.inputs.len();
        Node {
            topic: step::topic(&on_tape.name),
            life,
            arrivals: (0..inputs).map(|_| VecDeque::new()).collect(),
            newest: vec![0; inputs],
            departures: VecDeque::new(),
            steps: VecDeque::new(),
            on_tape,
        }
    }

    pub(super) fn arrived(&mut self, port: u16, count: u64, sample: RecordedSample) {
        // One that found no room in the queue is in the recording; the node never had it.
        let Some(arrivals) = self.arrivals.get_mut(usize::from(port)).filter(|_| count > 0) else { return };
        if arrivals.len() == WAITING {
            arrivals.pop_front();
        }
        arrivals.push_back((count, sample));
    }

    pub(super) fn left(&mut self, port: u16, seq: u64, sample: RecordedSample) {
        if self.departures.len() == WAITING {
            self.departures.pop_front();
        }
        self.departures.push_back((seq, port, sample));
    }

    pub(super) fn step(&mut self, entry: StepEntry, round: u64) {
        if let StepEntry::Begin { tick, lost } = entry {
            let step = step::begun(self.life, &tick, lost);
            self.steps.push_back(Pending { step, frozen: Vec::new(), left: None, round });
            return;
        }
        let Some(pending) = self.steps.back_mut() else { return };
        match entry {
            StepEntry::Begin { .. } => {}
            StepEntry::Frozen { port, newest, held, fresh } => {
                pending.frozen.push(Frozen { port, newest, held, fresh });
            }
            StepEntry::Ended(outcome) => pending.step.outcome = step::outcome(outcome),
            StepEntry::FellBack(why) => step::set_fault(&mut pending.step, &why),
            StepEntry::Left { messages, unsent } => {
                pending.step.unsent = unsent;
                pending.left = Some(messages.saturating_sub(unsent) as usize);
            }
        }
    }

    /// The oldest step, if it is whole or was begun before this round; of a node that is gone (none) in any case.
    pub(super) fn next(&mut self, before: Option<u64>) -> Option<RecordedStep> {
        let pending = self.steps.front()?;
        let waits = before.is_some_and(|before| pending.round >= before);
        if waits && !self.is_whole(pending) {
            return None;
        }
        // A step that is under way has its time, however long.
        if before.is_some() && pending.left.is_none() && self.steps.len() == 1 {
            return None;
        }
        let pending = self.steps.pop_front()?;
        let Pending { mut step, frozen, left, .. } = pending;
        for frozen in frozen {
            let samples = self.freeze(&frozen);
            step.inputs.push(RecordedPort { port: frozen.port, fresh: frozen.fresh, samples });
        }
        self.gather(&mut step, left.unwrap_or(0));
        Some(step)
    }

    fn is_whole(&self, pending: &Pending) -> bool {
        let Some(left) = pending.left else { return false };
        let seq = pending.step.seq;
        let gone = self.departures.iter().filter(|(of, ..)| *of == seq).count();
        gone >= left
            && pending.frozen.iter().all(|frozen| {
                wanted(frozen, self.newest.get(usize::from(frozen.port)).copied().unwrap_or(0))
                    .all(|count| !matches!(self.find(frozen.port, count), Found::NotYet))
            })
    }

    fn find(&self, port: u8, count: u64) -> Found {
        let Some(arrivals) = self.arrivals.get(usize::from(port)) else { return Found::Lost };
        match arrivals.iter().find(|(of, _)| *of >= count) {
            Some((of, sample)) if *of == count => Found::Here(sample.clone()),
            // They come in order: one after it is here.
            Some(_) => Found::Lost,
            None => Found::NotYet,
        }
    }

    /// The messages that an input held, and were not told of it before.
    fn freeze(&mut self, frozen: &Frozen) -> Vec<RecordedSample> {
        let port = usize::from(frozen.port);
        let Some(newest) = self.newest.get(port).copied() else { return Vec::new() };
        let samples = wanted(frozen, newest)
            .map(|count| match self.find(frozen.port, count) {
                Found::Here(sample) => sample,
                Found::NotYet | Found::Lost => step::not_kept(Time::ZERO),
            })
            .collect();
        self.newest[port] = frozen.newest;
        let arrivals = &mut self.arrivals[port];
        while arrivals.front().is_some_and(|(count, _)| *count <= frozen.newest) {
            arrivals.pop_front();
        }
        samples
    }

    /// What left in this step, in the order of leaving.
    fn gather(&mut self, step: &mut RecordedStep, left: usize) {
        let mut gone = 0;
        while self.departures.front().is_some_and(|(seq, ..)| *seq <= step.seq) {
            let Some((seq, port, sample)) = self.departures.pop_front() else { break };
            if seq < step.seq {
                continue; // of a step that found no room
            }
            gone += 1;
            let port = u8::try_from(port).unwrap_or(u8::MAX);
            match step.outputs.last_mut() {
                Some(last) if last.port == port => last.samples.push(sample),
                _ => step.outputs.push(RecordedPort { port, fresh: false, samples: vec![sample] }),
            }
        }
        // Not lost to the transport, but to the recording: it is not known what they were.
        step.unsent += u32::try_from(left.saturating_sub(gone)).unwrap_or(u32::MAX);
    }
}

/// The counts of the messages that a step's input held, of which the step before had `known`.
fn wanted(frozen: &Frozen, known: u64) -> std::ops::Range<u64> {
    match frozen.held {
        // A latest-value input: the newest, if it is another one.
        0 if frozen.newest == known => 0..0,
        0 => frozen.newest..frozen.newest + 1,
        held => frozen.newest.saturating_sub(u64::from(held) - 1)..frozen.newest + 1,
    }
}
