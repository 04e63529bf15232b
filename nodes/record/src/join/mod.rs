//! Puts in order what comes from a tape: each message once, however many nodes saw it, and each step when everything that it had is
//! there. Pure: entries of the tape in, entries of a recording out.

mod node;
mod topics;

use std::collections::BTreeMap;

use troika_host::tape::{NodeOnTape, TapeItem, What};

use crate::{
    Entry,
    privacy::Privacy,
    replay::about::{self, AboutNode},
};

use node::Node;
use topics::{Stream, Topics};

/// Metadata of something that is missing.
pub const HOLE: &str = "troika.hole";
/// Metadata at the end: what was lost in all. A recording without it was cut.
pub const END: &str = "troika.end";

/// Settlings that a step waits for what belongs to it; the tape is read every few milliseconds.
const PATIENCE: u64 = 100;

/// One process's entries.
pub struct Joiner {
    topics: Topics,
    nodes: BTreeMap<u32, Node>,
    /// How often a node of a name was made.
    lives: BTreeMap<String, u32>,
    lost: u64,
    round: u64,
}

impl Joiner {
    /// With nothing yet.
    pub fn new(privacy: Privacy) -> Joiner {
        Joiner {
            topics: Topics::new(privacy),
            nodes: BTreeMap::new(),
            lives: BTreeMap::new(),
            lost: 0,
            round: 0,
        }
    }

    /// Takes an item; what it gives goes to `out`.
    pub fn take(&mut self, item: TapeItem, out: &mut Vec<Entry>) {
        match item {
            TapeItem::Made(made) => {
                let lives = self.lives.entry(made.name.clone()).or_default();
                let life = *lives;
                *lives += 1;
                let fields = AboutNode::of(&made, life).fields();
                out.push(Entry::Metadata { name: about::NODE.to_owned(), fields });
                self.nodes.insert(made.id, Node::new(*made, life));
            }
            TapeItem::Arrived { node, port, count, received, source_time, cdr } => {
                let Some(node) = self.nodes.get_mut(&node) else { return };
                let Some(input) = node.on_tape.inputs.get(usize::from(port)) else { return };
                let stream = Stream { node: node.on_tape.id, port, input: true };
                let sample = self.topics.message(input, stream, [received, source_time], cdr, out);
                node.arrived(port, count, sample);
            }
            TapeItem::Left { node, port, seq, stamp, cdr } => {
                let Some(node) = self.nodes.get_mut(&node) else { return };
                let Some(output) = node.on_tape.outputs.get(usize::from(port)) else { return };
                let stream = Stream { node: node.on_tape.id, port, input: false };
                let sample = self.topics.message(output, stream, [stamp, stamp], cdr, out);
                node.left(port, seq, sample);
            }
            TapeItem::Step { node, entry } => {
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.step(entry, self.round);
                }
            }
            TapeItem::Lost { node, what, number } => {
                self.lost += number;
                if let Some(node) = self.nodes.get(&node) {
                    out.push(hole(&node.on_tape, what, number));
                }
            }
            TapeItem::Gone { node } => {
                if let Some(mut node) = self.nodes.remove(&node) {
                    give(&mut self.topics, &mut node, None, out);
                }
            }
        }
    }

    /// Gives the steps that are whole by now, and those that waited too long; called after each reading of the tape.
    pub fn settle(&mut self, out: &mut Vec<Entry>) {
        self.round += 1;
        let before = self.round.saturating_sub(PATIENCE);
        for node in self.nodes.values_mut() {
            give(&mut self.topics, node, Some(before), out);
        }
    }

    /// Gives what is left, and the account.
    pub fn finish(&mut self, out: &mut Vec<Entry>) {
        for mut node in std::mem::take(&mut self.nodes).into_values() {
            give(&mut self.topics, &mut node, None, out);
        }
        let fields = BTreeMap::from([("lost".to_owned(), self.lost.to_string())]);
        out.push(Entry::Metadata { name: END.to_owned(), fields });
    }
}

/// A node's steps that are whole, or that were begun before this round; of one that is gone all.
fn give(topics: &mut Topics, node: &mut Node, before: Option<u64>, out: &mut Vec<Entry>) {
    while let Some(step) = node.next(before) {
        topics.step(&node.topic, &step, out);
    }
}

fn hole(node: &NodeOnTape, what: What, number: u64) -> Entry {
    let what = match what {
        What::Arrivals(port) => {
            let topic = node.inputs.get(usize::from(port)).map_or("", |port| port.topic.as_str());
            format!("messages that came on {topic}")
        }
        What::Steps => "steps".to_owned(),
        What::Departures => "messages that left".to_owned(),
    };
    let fields = [("node", node.name.clone()), ("what", what), ("number", number.to_string())];
    let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Entry::Metadata { name: HOLE.to_owned(), fields }
}

#[cfg(test)]
mod tests;
