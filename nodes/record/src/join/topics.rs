//! The messages of each topic, each once: a message that another node of the process saw too, or sent, is the same one.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use troika_host::tape::PortOnTape;
use troika_kit::{Message as _, Time};
use troika_msgs::troika::{RecordedSample, RecordedStep};

use crate::{Entry, Message, Topic, privacy::Privacy, step};

/// Messages of a topic in which the same one is looked for: at 100 Hz, those of two seconds.
const RECENT: usize = 256;

/// A port of a node: a message is there once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) node: u32,
    pub(super) port: u16,
    pub(super) input: bool,
}

/// All topics of a process.
pub(super) struct Topics {
    privacy: Privacy,
    topics: HashMap<(String, &'static str), Kept>,
    /// Recorded times do not go back, so that a file without an index can be played in order.
    last: Time,
    buffer: Vec<u8>,
}

struct Kept {
    topic: Arc<Topic>,
    next: u32,
    recent: VecDeque<Recent>,
}

struct Recent {
    hash: u64,
    size: u32,
    index: u32,
    had_by: Vec<Stream>,
}

impl Topics {
    pub(super) fn new(privacy: Privacy) -> Topics {
        Topics { privacy, topics: HashMap::new(), last: Time::ZERO, buffer: Vec::new() }
    }

    /// A message that a port had, with its time there and its sender's stamp.
    pub(super) fn message(
        &mut self,
        port: &PortOnTape,
        stream: Stream,
        [at, stamp]: [Time; 2],
        cdr: Box<[u8]>,
        out: &mut Vec<Entry>,
    ) -> RecordedSample {
        let (hash, size) = (step::hash(&cdr), u32::try_from(cdr.len()).unwrap_or(u32::MAX));
        let log_time = self.time(at);
        let leave_out = self.privacy.leaves_out(port.ty.name);
        let kept = self.topics.entry((port.topic.clone(), port.ty.name)).or_insert_with(|| Kept {
            topic: Arc::new(Topic { name: port.topic.clone(), ty: port.ty, qos: port.qos }),
            next: 0,
            recent: VecDeque::new(),
        });
        let sample = |index| RecordedSample { time_ns: at.as_nanos(), index, size, hash };
        // Twice by one port are two messages, however alike.
        let same = |one: &&mut Recent| one.hash == hash && one.size == size && !one.had_by.contains(&stream);
        if let Some(one) = kept.recent.iter_mut().find(same) {
            one.had_by.push(stream);
            return sample(one.index);
        }
        troika_safety::fulfils![SR_OBS_003];
        let index = if leave_out { RecordedSample::NOT_KEPT } else { kept.next };
        if !leave_out {
            kept.next = kept.next.wrapping_add(1);
            let message =
                Message { topic: kept.topic.clone(), index, log_time, publish_time: stamp, cdr: cdr.into() };
            out.push(Entry::Message(message));
        }
        if kept.recent.len() == RECENT {
            kept.recent.pop_front();
        }
        kept.recent.push_back(Recent { hash, size, index, had_by: vec![stream] });
        sample(index)
    }

    /// A step of a node.
    pub(super) fn step(&mut self, topic: &str, recorded: &RecordedStep, out: &mut Vec<Entry>) {
        let now = Time::from_nanos(recorded.now_ns);
        let log_time = self.time(now);
        let kept = self.topics.entry((topic.to_owned(), step::TYPE.name)).or_insert_with(|| Kept {
            topic: Arc::new(Topic { name: topic.to_owned(), ty: step::TYPE, qos: step::QOS }),
            next: 0,
            recent: VecDeque::new(),
        });
        // It has no bounded fields, so it has a CDR form.
        if recorded.encode(&mut self.buffer).is_err() {
            return;
        }
        out.push(Entry::Message(Message {
            topic: kept.topic.clone(),
            index: kept.next,
            log_time,
            publish_time: now,
            cdr: self.buffer.as_slice().into(),
        }));
        kept.next = kept.next.wrapping_add(1);
    }

    fn time(&mut self, at: Time) -> Time {
        self.last = self.last.max(at);
        self.last
    }
}
