//! Another process's recording of the same run: its camera makes again the pictures that were left out of this one.

use std::{collections::BTreeSet, time::Duration};

use troika_kit::Time;
use troika_msgs::troika::RecordedSample;

use super::{MakesNodes, Replay, time};
use crate::{BagReader, Record};

/// How much further than a picture's arrival a recording is read for it: the recorder takes what one node did up to a chunk (a second)
/// after what another made of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A recording that stands beside the one that is replayed.
pub struct Beside<'a> {
    /// How notices call it.
    pub name: String,
    /// It.
    pub bag: &'a mut BagReader,
    /// Makes its nodes, by its own system file.
    pub makes: &'a mut dyn MakesNodes,
}

/// It, as far as it is read.
pub(super) struct Helper<'a> {
    pub(super) name: String,
    bag: &'a mut BagReader,
    replay: Replay<'a>,
    read_to: Time,
    over: bool,
    /// It has helped once.
    pub(super) told: bool,
}

/// The name that no node has: nothing of it is asked for by itself.
const NOBODY: &str = "";

impl<'a> Helper<'a> {
    pub(super) fn new(beside: Beside<'a>) -> Helper<'a> {
        Helper {
            name: beside.name,
            bag: beside.bag,
            replay: Replay::new(Some(NOBODY), beside.makes),
            read_to: Time::ZERO,
            over: false,
            told: false,
        }
    }

    /// A message that was left out, if a node of this recording makes it again. `wanted`: the topics of all that may be asked for;
    /// `system`: the system file of the recording that lacks it, since another run's pictures are other ones.
    pub(super) fn make(
        &mut self,
        topic: &str,
        sample: &RecordedSample,
        wanted: &BTreeSet<String>,
        system: Option<&[u8]>,
    ) -> Option<&[u8]> {
        self.replay.wanted.extend(wanted.iter().cloned());
        let latest = time(sample.time_ns) + PATIENCE;
        while !self.over && self.read_to <= latest && self.replay.bodies.made(sample).is_none() {
            match self.bag.next() {
                Some(record) => self.take(record, topic, system),
                None => {
                    self.replay.go_on(0);
                    self.over = true;
                }
            }
        }
        self.replay.bodies.made(sample)
    }

    fn take(&mut self, record: Record, topic: &str, system: Option<&[u8]>) {
        if let Record::Message { log_time, .. } = &record {
            self.read_to = *log_time;
            // All of its nodes are known before the first message.
            if !self.replay.nodes.values().any(|node| node.makes(topic)) {
                self.over = true;
                return;
            }
        }
        self.replay.take(record);
        self.over |= self.replay.system.is_some() && self.replay.system.as_deref() != system;
    }
}
