//! Messages of a recording that a step may still refer to: as many as need be, and no more. A message that was left out of the
//! recording, and comes out of a node that is done again with the very hash, stands in for it.

use std::collections::{BTreeMap, VecDeque};

use troika_msgs::troika::{RecordedPort, RecordedSample, RecordedStep};

use super::about::{AboutNode, AboutPort};

/// What is held at most, over all topics.
const MOST_BYTES: usize = 1 << 30;
/// Of that which was made again.
const MOST_MADE: usize = 256 << 20;

/// Messages by topic and number.
#[derive(Default)]
pub(super) struct Bodies {
    topics: BTreeMap<(String, String), Kept>,
    bytes: usize,
    made: VecDeque<(u64, Vec<u8>)>,
    made_bytes: usize,
}

#[derive(Default)]
struct Kept {
    messages: VecDeque<(u32, Vec<u8>)>,
    /// The newest that each port referred to: none refers to an older one than it did before.
    used: BTreeMap<(String, bool, u8), u32>,
}

impl Bodies {
    /// A node of these ports will refer to messages.
    pub(super) fn wanted_by(&mut self, node: &AboutNode) {
        for (input, ports) in [(true, &node.inputs), (false, &node.outputs)] {
            for (index, port) in ports.iter().enumerate() {
                let kept = self.topics.entry(key(port)).or_default();
                kept.used.insert((node.name.clone(), input, index as u8), 0);
            }
        }
    }

    /// A message of the recording; forgotten at once where no node wants its topic.
    pub(super) fn keep(&mut self, topic: &str, type_name: &str, index: u32, cdr: Vec<u8>) {
        let Some(kept) = self.topics.get_mut(&(topic.to_owned(), type_name.to_owned())) else { return };
        self.bytes += cdr.len();
        kept.messages.push_back((index, cdr));
        while self.bytes > MOST_BYTES {
            let Some((_, gone)) = kept.messages.pop_front() else { return };
            self.bytes -= gone.len();
        }
    }

    /// A message that a node made again, and that the recording does not have.
    pub(super) fn made_again(&mut self, hash: u64, cdr: &[u8]) {
        self.made_bytes += cdr.len();
        self.made.push_back((hash, cdr.to_vec()));
        while self.made_bytes > MOST_MADE {
            self.made_bytes -= self.made.pop_front().map_or(0, |(_, gone)| gone.len());
        }
    }

    /// One that was made again, if it is there still.
    pub(super) fn made(&self, sample: &RecordedSample) -> Option<&[u8]> {
        let same = |(hash, cdr): &&(u64, Vec<u8>)| *hash == sample.hash && cdr.len() == sample.size as usize;
        self.made.iter().rev().find(same).map(|(_, cdr)| cdr.as_slice())
    }

    /// A message, if it is there still.
    pub(super) fn get(&self, port: &AboutPort, sample: &RecordedSample) -> Option<&[u8]> {
        if sample.index == RecordedSample::NOT_KEPT {
            return self.made(sample);
        }
        let kept = self.topics.get(&key(port))?;
        let at = kept.messages.binary_search_by_key(&sample.index, |(index, _)| *index).ok()?;
        Some(&kept.messages[at].1)
    }

    /// What a step referred to, and everything before it, is not wanted again by its ports.
    pub(super) fn used(&mut self, node: &AboutNode, step: &RecordedStep) {
        let newest = |port: &RecordedPort| {
            let kept = port.samples.iter().filter(|sample| sample.index != RecordedSample::NOT_KEPT);
            kept.map(|sample| sample.index).max()
        };
        for (input, held, ports) in
            [(true, &step.inputs, &node.inputs), (false, &step.outputs, &node.outputs)]
        {
            for one in held {
                let (Some(newest), Some(port)) = (newest(one), ports.get(usize::from(one.port))) else {
                    continue;
                };
                let Some(kept) = self.topics.get_mut(&key(port)) else { continue };
                kept.used.insert((node.name.clone(), input, one.port), newest);
                let oldest = kept.used.values().copied().min().unwrap_or(0);
                while kept.messages.front().is_some_and(|(index, _)| *index < oldest) {
                    self.bytes -= kept.messages.pop_front().map_or(0, |(_, gone)| gone.len());
                }
            }
        }
    }
}

fn key(port: &AboutPort) -> (String, String) {
    (port.topic.clone(), port.type_name.clone())
}
