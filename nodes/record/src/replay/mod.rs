//! A recording's steps done again, node by node, and what they send held against what was sent. Who makes the nodes says which of
//! them there are; here is what is compared and what is told.

pub mod about;
mod bodies;
mod one;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use troika_host::replay::Replays;
use troika_kit::{Message as _, Time};
use troika_msgs::troika::RecordedStep;

use crate::{
    BagReader, Record,
    compare::FieldDifference,
    join::{END, HOLE},
    privacy::is_raw,
    step,
};

use about::{AboutNode, AboutRecording};
use bodies::Bodies;
use one::OneNode;

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
    /// Not at all, and for a good reason.
    NotReplayed(String),
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
        let fine = |node: &NodeReport| matches!(node.verdict, Verdict::Identical | Verdict::NotReplayed(_));
        self.nodes.iter().all(fine) && self.nodes.iter().any(|node| node.verdict == Verdict::Identical)
    }
}

/// Replays a recording; `only`: this node, by its full name or the last part of it.
pub fn replay(bag: &mut BagReader, only: Option<&str>, makes: &mut dyn MakesNodes) -> Report {
    let mut replay = Replay {
        makes,
        only,
        nodes: BTreeMap::new(),
        order: Vec::new(),
        spare: Vec::new(),
        wanted: BTreeSet::new(),
        bodies: Bodies::default(),
        notices: Vec::new(),
    };
    let mut about = AboutRecording::default();
    let (mut begun, mut ended) = (false, false);
    let mut start = None;
    while let Some(record) = bag.next() {
        let (read, of) = bag.progress();
        replay.makes.progress(read, of);
        match record {
            Record::Attachment { name, bytes } if name == about::SYSTEM && !begun => {
                begun = true;
                let told = replay.makes.begin(&about, std::str::from_utf8(&bytes).ok());
                replay.notices.extend(told);
            }
            Record::Attachment { .. } => {}
            Record::Metadata { name, fields } if name == about::RECORDING => {
                about = AboutRecording::of(&fields);
                if about.in_the_middle {
                    let told = "it begins in the middle of a run: what the nodes knew by then is not in it";
                    replay.notices.push(told.to_owned());
                }
            }
            Record::Metadata { name, .. } if name == END => ended = true,
            Record::Metadata { name, fields } => replay.metadata(&name, &fields, &about),
            Record::Message { channel, sequence, log_time, cdr, .. } => {
                start.get_or_insert(log_time);
                if channel.type_name == step::TYPE.name {
                    if let Some(node) = step::node_of(&channel.topic) {
                        replay.step(node, &cdr);
                    }
                } else {
                    replay.bodies.keep(&channel.topic, &channel.type_name, sequence, cdr);
                }
            }
        }
    }
    replay.go_on(0);
    let Replay { mut nodes, order, mut notices, .. } = replay;
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
    for first in nodes.iter_mut().filter_map(|node| node.first.as_mut()) {
        first.starting(start.unwrap_or_default());
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
}

impl Replay<'_> {
    fn metadata(&mut self, name: &str, fields: &BTreeMap<String, String>, about: &AboutRecording) {
        let text = |key: &str| fields.get(key).map_or("", String::as_str);
        match name {
            about::NODE => match AboutNode::read(fields) {
                Some(node) if self.is_wanted(&node.name) => self.made(node, about.in_the_middle, true),
                Some(node) if !about.raw && node.outputs.iter().any(|port| is_raw(&port.type_name)) => {
                    match self.nodes.contains_key(&node.name) || self.is_of_use(&node) {
                        true => self.made(node, about.in_the_middle, false),
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

    fn is_ready(&self, name: &str, patience: usize) -> bool {
        let Some(one) = self.nodes.get(name).filter(|one| one.waiting() > 0) else { return false };
        let makes = |topic: &String| self.nodes.values().any(|other| other.makes(topic));
        one.waiting() > patience || !one.lacks(&self.bodies).iter().any(makes)
    }
}

/// The time of a sample.
fn time(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

#[cfg(test)]
mod tests;
