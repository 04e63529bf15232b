//! The reader's end: everything that is on the tape, ring by ring, in the order in which each was written.

use std::sync::{Arc, PoisonError};

use troika_kit::Time;

use super::{End, New, NodeOnTape, Shared, StepEntry, Stream};

/// What is on the tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapeItem {
    /// A node was made; before anything of it.
    Made(Box<NodeOnTape>),
    /// A message came to it.
    Arrived {
        /// The node.
        node: u32,
        /// The input's index.
        port: u16,
        /// Which of all that came to the port it is, from 1; 0 is one that its queue had no room for.
        count: u64,
        /// When.
        received: Time,
        /// The sender's stamp.
        source_time: Time,
        /// Its bytes.
        cdr: Box<[u8]>,
    },
    /// Of its steps.
    Step {
        /// The node.
        node: u32,
        /// What.
        entry: StepEntry,
    },
    /// A message left it.
    Left {
        /// The node.
        node: u32,
        /// The output's index.
        port: u16,
        /// The step that sent it.
        seq: u64,
        /// The stamp that it has.
        stamp: Time,
        /// Its bytes.
        cdr: Box<[u8]>,
    },
    /// Something found no room.
    Lost {
        /// The node.
        node: u32,
        /// What.
        what: What,
        /// How many since this was said last.
        number: u64,
    },
    /// The node ended; after everything of it.
    Gone {
        /// The node.
        node: u32,
    },
}

/// What can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Messages that came, on the input with this index.
    Arrivals(u16),
    /// Steps.
    Steps,
    /// Messages that left.
    Departures,
}

/// Takes everything from a tape.
#[derive(Debug)]
pub struct TapeReader {
    shared: Arc<Shared>,
    /// With what was told lost.
    streams: Vec<(Stream, u64)>,
}

impl TapeReader {
    pub(super) fn new(shared: Arc<Shared>) -> TapeReader {
        TapeReader { shared, streams: Vec::new() }
    }

    /// Takes what is there now; never waits. Called every few milliseconds, or every hundred at the least.
    pub fn take(&mut self, mut each: impl FnMut(TapeItem)) {
        let new = std::mem::take(&mut *self.shared.new.lock().unwrap_or_else(PoisonError::into_inner));
        for one in new {
            match one {
                New::Node(node) => each(TapeItem::Made(Box::new(node))),
                New::Stream(stream) => self.streams.push((stream, 0)),
            }
        }
        let mut ended = Vec::new();
        for (stream, told) in &mut self.streams {
            let over = drain(stream, &self.shared, &mut each);
            let lost = stream.lost.get();
            if lost > *told {
                let what = match stream.end {
                    End::Arrivals(port, _) => What::Arrivals(port),
                    End::Steps(_) => What::Steps,
                    End::Departures(_) => What::Departures,
                };
                each(TapeItem::Lost { node: stream.node, what, number: lost - *told });
                *told = lost;
            }
            if over {
                ended.push(stream.node);
            }
        }
        if ended.is_empty() {
            return;
        }
        self.streams.retain(|(stream, _)| !stream.is_over());
        ended.sort_unstable();
        ended.dedup();
        for node in ended {
            if self.streams.iter().all(|(stream, _)| stream.node != node) {
                each(TapeItem::Gone { node });
            }
        }
    }
}

impl Drop for TapeReader {
    fn drop(&mut self) {
        self.shared.over.set(true);
    }
}

impl Stream {
    /// Its writer is gone and nothing is left.
    fn is_over(&self) -> bool {
        match &self.end {
            End::Arrivals(_, ring) => ring.is_abandoned() && ring.is_empty(),
            End::Steps(ring) => ring.is_abandoned() && ring.is_empty(),
            End::Departures(ring) => ring.is_abandoned() && ring.is_empty(),
        }
    }
}

/// Takes what is there; true when nothing more will come.
fn drain(stream: &mut Stream, shared: &Shared, each: &mut impl FnMut(TapeItem)) -> bool {
    let node = stream.node;
    match &mut stream.end {
        End::Arrivals(port, ring) => {
            // No more than are there now: a busy writer must not keep the others waiting.
            for _ in 0..ring.slots() {
                let Ok(one) = ring.pop() else { break };
                shared.taken.add(one.cdr.len() as u64);
                let (count, received, source_time) = (one.count, one.received, one.source_time);
                let port = *port;
                each(TapeItem::Arrived { node, port, count, received, source_time, cdr: one.cdr });
            }
        }
        End::Steps(ring) => {
            for _ in 0..ring.slots() {
                let Ok(entry) = ring.pop() else { break };
                each(TapeItem::Step { node, entry });
            }
        }
        End::Departures(ring) => {
            for _ in 0..ring.slots() {
                let Ok(one) = ring.pop() else { break };
                shared.taken.add(one.cdr.len() as u64);
                let (port, seq, stamp) = (one.port, one.seq, one.stamp);
                each(TapeItem::Left { node, port, seq, stamp, cdr: one.cdr });
            }
        }
    }
    stream.is_over()
}
