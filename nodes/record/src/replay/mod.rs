//! A recording's steps done again, node by node, and what they send held against what was sent. Who makes the nodes says which of
//! them there are; here is what is compared and what is told.

pub mod about;
mod beside;
mod bodies;
mod one;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use troika_host::replay::Replays;
use troika_kit::{Message as _, Time};
use troika_msgs::troika::{RecordedSample, RecordedStep};

use crate::{
    BagReader, Record,
    compare::FieldDifference,
    join::{END, HOLE},
    privacy::is_raw,
    step,
};

use about::{AboutNode, AboutRecording};
use beside::Helper;
use bodies::Bodies;
use one::OneNode;

pub use beside::Beside;

/// What can be had of a recorded node.
pub enum Made {
    /// It can be done again.
    Node(Box<dyn Replays>),
    /// It cannot, for this reason; that is no fault of the recording.
    Not(String),
}

/// Makes nodes as they were.
pub trait MakesNodes {
    /// What was recorded is known from here on: the recording, and the system file as it was run. What is to be told beside is given.
    fn begin(&mut self, about: &AboutRecording, system: Option<&str>) -> Vec<String>;

    /// The models of the process, with their sha256. What is to be told is given.
    fn models(&mut self, models: &BTreeMap<String, String>) -> Vec<String>;

    /// A node as it was made then. One that is not asked for is made as it was recorded, whatever else is wanted: it makes again what
    /// was left out of the recording, for those that are.
    ///
    /// # Errors
    /// It cannot be made, and should.
    fn make(&mut self, node: &AboutNode, asked_for: bool) -> Result<Made, String>;

    /// Whether floats may differ in their last digits: it was another machine.
    fn floats_may_differ(&self) -> bool;

    /// So many bytes of the recording are read, of so many.
    fn progress(&mut self, _read: u64, _of: u64) {}
}

/// What came of a replay.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Each node that was recorded and asked for.
    pub nodes: Vec<NodeReport>,
    /// What is to be known of the recording: models that changed, holes, a cut.
    pub notices: Vec<String>,
    /// The recording has its end (a black box's file needs no account there), and all before it could be read.
    pub whole: bool,
}

/// What came of a node.
#[derive(Debug, Clone, Serialize)]
pub struct NodeReport {
    /// `/ns/name`.
    pub node: String,
    /// Its kind.
    pub kind: String,
    /// Whether it was done again, and how far.
    pub verdict: Verdict,
    /// Steps that were done again.
    pub steps: u64,
    /// Messages that were compared.
    pub messages: u64,
    /// Of these, with other bytes; messages too many or too few, and steps with another outcome.
    pub differing: u64,
    /// Of the messages, with floats that differ in their last digits, on another machine.
    pub nearly_equal: u64,
    /// Messages that the recording does not have, because they were never sent (the transport had not taken those before), or found no room
    /// in the recorder's queue.
    pub not_recorded: u64,
    /// On which topics these would have been, as far as the steps make them again.
    pub unsent_on: BTreeMap<String, u64>,
    /// The first difference.
    pub first: Option<Difference>,
    /// What differs, by topic; under the empty name steps with another outcome.
    pub topics: BTreeMap<String, OfTopic>,
}

impl NodeReport {
    /// Of a node of which nothing has been replayed yet.
    pub fn new(node: &str, kind: &str, verdict: Verdict) -> NodeReport {
        NodeReport {
            node: node.to_owned(),
            kind: kind.to_owned(),
            verdict,
            steps: 0,
            messages: 0,
            differing: 0,
            nearly_equal: 0,
            not_recorded: 0,
            unsent_on: BTreeMap::new(),
            first: None,
            topics: BTreeMap::new(),
        }
    }
}

/// What differs on a topic.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OfTopic {
    /// Messages with other bytes; steps with another outcome.
    pub changed: u64,
    /// Messages that there are now, and were not then.
    pub added: u64,
    /// Messages that were there then, and are not now.
    pub gone: u64,
    /// The first difference.
    pub first: Option<Difference>,
}

/// Whether a node was done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// All of its steps, and all was the same.
    Identical,
    /// Something was not.
    Different,
    /// As far as the recording goes without a hole; all was the same until there.
    UpToAHole(String),
    /// Not at all, and for a good reason: its steps are no function of what is recorded, or the recording has none of it.
    NotReplayed(String),
    /// Not, or not to the end: it would be, had the recording all that it saw.
    LeftOut(String),
    /// It could not be made, or not be done again.
    Failed(String),
}

/// Where a replay came out otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Which step of the node.
    pub step: u64,
    /// When that ran, nanoseconds of the host's time line.
    pub time_ns: u64,
    /// The same in seconds from the recording's first message.
    pub since_start_s: f64,
    /// The topic; empty where the step's outcome differs.
    pub topic: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What differs, in words.
    pub what: String,
    /// The fields in which they differ; all of them where one message alone is there.
    pub fields: Vec<FieldDifference>,
}

impl Difference {
    /// Once the recording's start is known.
    fn starting(&mut self, start: Time) {
        let at = time(self.time_ns);
        self.since_start_s = at.since(start).as_secs_f64() - start.since(at).as_secs_f64();
        self.fields.iter_mut().for_each(|field| field.in_words(&self.type_name, start));
    }
}

impl Report {
    /// Nothing differs, nothing is missing, and something was compared.
    pub fn is_good(&self) -> bool {
        let fine = |node: &NodeReport| {
            matches!(node.verdict, Verdict::Identical | Verdict::NotReplayed(_) | Verdict::LeftOut(_))
        };
        self.nodes.iter().all(fine) && self.nodes.iter().any(|node| node.verdict == Verdict::Identical)
    }
}

/// Replays a recording; `only`: this node, by its full name or the last part of it.
pub fn replay(bag: &mut BagReader, only: Option<&str>, makes: &mut dyn MakesNodes) -> Report {
    replay_beside(bag, Vec::new(), only, makes)
}

/// As [`replay`]; what was left out of the recording and no node of it makes again is looked for in others of the same run.
pub fn replay_beside<'a>(
    bag: &mut BagReader,
    beside: Vec<Beside<'a>>,
    only: Option<&'a str>,
    makes: &'a mut dyn MakesNodes,
) -> Report {
    let mut replay = Replay::new(only, makes);
    replay.helpers = beside.into_iter().map(Helper::new).collect();
    while let Some(record) = bag.next() {
        let (read, of) = bag.progress();
        replay.makes.progress(read, of);
        replay.take(record);
    }
    replay.go_on(0);
    let Replay { mut nodes, order, mut notices, about, system, ended, start, .. } = replay;
    let begun = system.is_some();
    if !begun {
        notices.push(format!(
            "it has no {}: it was made by a recorder of topics, and holds no steps",
            about::SYSTEM
        ));
    }
    if let Some(cut) = bag.cut() {
        notices.push(format!("it ends before its end ({cut}): what was written until then is compared"));
    }
    let cut = bag.cut().is_some();
    // A black box's file ends where it was written: nothing is missing behind that.
    let ended = ended || about.in_the_middle;
    if begun && !cut && !ended {
        let told = "it has no account at its end: its process ended before it could write one (killed, or out of disk); steps may have \
                    been done after the last that is in it";
        notices.push(told.to_owned());
    }
    let mut nodes: Vec<NodeReport> =
        order.iter().filter_map(|name| nodes.remove(name)).map(OneNode::report).collect();
    for node in &mut nodes {
        let firsts = node.first.iter_mut().chain(node.topics.values_mut().filter_map(|of| of.first.as_mut()));
        firsts.for_each(|first| first.starting(start.unwrap_or_default()));
    }
    Report { whole: ended && !cut, nodes, notices }
}

/// Steps of a node that wait for what another one makes again, at most: of pictures at 30 Hz half a minute.
const WAITING: usize = 1000;

struct Replay<'a> {
    makes: &'a mut dyn MakesNodes,
    only: Option<&'a str>,
    nodes: BTreeMap<String, OneNode>,
    /// Their names, as they came.
    order: Vec<String>,
    /// Nodes that nobody asked for and that would make again what was left out: none is made before somebody wants that.
    spare: Vec<AboutNode>,
    /// Topics of what was left out and is wanted.
    wanted: BTreeSet<String>,
    bodies: Bodies,
    notices: Vec<String>,
    about: AboutRecording,
    /// The system file as it was run, once it is read.
    system: Option<Vec<u8>>,
    /// The account at the end is read.
    ended: bool,
    /// The first message's time.
    start: Option<Time>,
    /// Other recordings of the run.
    helpers: Vec<Helper<'a>>,
}

impl<'a> Replay<'a> {
    fn new(only: Option<&'a str>, makes: &'a mut dyn MakesNodes) -> Replay<'a> {
        Replay {
            makes,
            only,
            nodes: BTreeMap::new(),
            order: Vec::new(),
            spare: Vec::new(),
            wanted: BTreeSet::new(),
            bodies: Bodies::default(),
            notices: Vec::new(),
            about: AboutRecording::default(),
            system: None,
            ended: false,
            start: None,
            helpers: Vec::new(),
        }
    }

    /// The next of the recording.
    fn take(&mut self, record: Record) {
        match record {
            Record::Attachment { name, bytes } if name == about::SYSTEM && self.system.is_none() => {
                let told = self.makes.begin(&self.about, std::str::from_utf8(&bytes).ok());
                self.notices.extend(told);
                self.system = Some(bytes);
            }
            Record::Attachment { .. } => {}
            Record::Metadata { name, fields } if name == about::RECORDING => {
                self.about = AboutRecording::of(&fields);
                if self.about.in_the_middle {
                    let told = "it begins in the middle of a run: what the nodes knew by then is not in it";
                    self.notices.push(told.to_owned());
                }
            }
            Record::Metadata { name, .. } if name == END => self.ended = true,
            Record::Metadata { name, fields } => self.metadata(&name, &fields),
            Record::Message { channel, sequence, log_time, cdr, .. } => {
                self.start.get_or_insert(log_time);
                if channel.type_name == step::TYPE.name {
                    if let Some(node) = step::node_of(&channel.topic) {
                        self.step(node, &cdr);
                    }
                } else {
                    self.bodies.keep(&channel.topic, &channel.type_name, sequence, cdr);
                }
            }
        }
    }

    fn metadata(&mut self, name: &str, fields: &BTreeMap<String, String>) {
        let (raw, in_the_middle) = (self.about.raw, self.about.in_the_middle);
        let text = |key: &str| fields.get(key).map_or("", String::as_str);
        match name {
            about::NODE => match AboutNode::read(fields) {
                Some(node) if self.is_wanted(&node.name) => self.made(node, in_the_middle, true),
                Some(node) if !raw && node.outputs.iter().any(|port| is_raw(&port.type_name)) => {
                    match self.nodes.contains_key(&node.name) || self.is_of_use(&node) {
                        true => self.made(node, in_the_middle, false),
                        false => self.spare.push(node),
                    }
                }
                Some(_) => {}
                None => self.notices.push("a node of it is described in another version's way".to_owned()),
            },
            HOLE => {
                let told = format!("{}: {} {} found no room", text("node"), text("number"), text("what"));
                self.notices.push(told);
            }
            about::MODELS => {
                let told = self.makes.models(fields);
                self.notices.extend(told);
            }
            about::MODEL_CHANGE => {
                let model = text("model");
                self.notices.push(format!(
                    "another {model} was put in the place of the first while it was recorded: steps from then on may differ"
                ));
            }
            _ => {}
        }
    }

    fn is_wanted(&self, node: &str) -> bool {
        self.only.is_none_or(|only| node == only || node.rsplit('/').next() == Some(only))
    }

    /// It makes again what was left out and is wanted.
    fn is_of_use(&self, node: &AboutNode) -> bool {
        node.outputs.iter().any(|port| self.wanted.contains(&port.topic))
    }

    fn made(&mut self, node: AboutNode, in_the_middle: bool, asked_for: bool) {
        // What the life before it left is done first.
        if self.nodes.contains_key(&node.name) {
            self.go_on(0);
        }
        let raw = node.inputs.iter().filter(|port| is_raw(&port.type_name));
        self.wanted.extend(raw.map(|port| port.topic.clone()));
        let made = match in_the_middle {
            true => Ok(Made::Not("the recording begins in the middle".to_owned())),
            false => self.makes.make(&node, asked_for),
        };
        match self.nodes.get_mut(&node.name) {
            Some(one) => one.again(node, made),
            None => {
                if asked_for {
                    self.order.push(node.name.clone());
                }
                let name = node.name.clone();
                if matches!(made, Ok(Made::Node(_))) {
                    self.bodies.wanted_by(&node);
                }
                self.nodes.insert(name, OneNode::new(node, made));
            }
        }
        // Of one that is behind it in the file already; its steps are not, since all nodes are made before the first step.
        let spare = std::mem::take(&mut self.spare);
        let (useful, spare): (Vec<_>, Vec<_>) = spare.into_iter().partition(|node| self.is_of_use(node));
        self.spare.extend(spare);
        useful.into_iter().for_each(|node| self.made(node, in_the_middle, false));
    }

    fn step(&mut self, node: &str, cdr: &[u8]) {
        let Some(one) = self.nodes.get_mut(node) else { return };
        match RecordedStep::decode(cdr) {
            Ok(step) if one.is_over() => return self.bodies.used(&one.about, &step),
            Ok(step) => one.wait(step),
            Err(why) => return one.fail(format!("a step of it cannot be read: {why}")),
        }
        self.go_on(WAITING);
    }

    /// Does the steps that can be. The recorder takes each node's entries from a ring of its own, so that a step may stand in the file before
    /// the one that made its picture: it waits for that, unless more than so many of its node do.
    fn go_on(&mut self, patience: usize) {
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        loop {
            let mut any = false;
            for name in &names {
                while self.is_ready(name, patience) {
                    let Some(one) = self.nodes.get_mut(name) else { break };
                    any |= one.go_on(&mut self.bodies, self.makes.floats_may_differ());
                }
            }
            if !any {
                return;
            }
        }
    }

    fn is_ready(&mut self, name: &str, patience: usize) -> bool {
        let Some(one) = self.nodes.get(name).filter(|one| one.waiting() > 0) else { return false };
        let lacks = one.lacks(&self.bodies);
        let makes = |topic: &String| self.nodes.values().any(|other| other.makes(topic));
        if lacks.iter().any(|(topic, _)| makes(topic)) {
            return one.waiting() > patience;
        }
        for (topic, sample) in lacks {
            self.fetch(&topic, &sample);
        }
        true
    }

    /// Has another recording of the run make what was left out of this one; where none can, it stays out.
    fn fetch(&mut self, topic: &str, sample: &RecordedSample) {
        for helper in &mut self.helpers {
            if let Some(cdr) = helper.make(topic, sample, &self.wanted, self.system.as_deref()) {
                self.bodies.made_again(sample.hash, cdr);
                if !std::mem::replace(&mut helper.told, true) {
                    let told =
                        format!("what was left out of it on {topic} is made again from {}", helper.name);
                    self.notices.push(told);
                }
                return;
            }
        }
    }
}

/// The time of a sample.
fn time(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

#[cfg(test)]
mod tests;
