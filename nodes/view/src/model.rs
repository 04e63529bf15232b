//! What the page shows: messages in, one JSON state out. Pure, and bounded whatever comes: each kind of thing has its most, the oldest go
//! first, and no text is longer than it can be read.

mod cabin;
mod events;
mod nodes;
mod talk;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use troika_kit::{Message, Time};
use troika_msgs::{rcl_interfaces, sensor_msgs, troika};

use cabin::Cabin;
use events::Events;
use nodes::Nodes;
use talk::Talk;

/// Topics that are counted.
const MOST_TOPICS: usize = 128;
/// Characters of a name, a reason or a line.
const SHORT: usize = 200;

/// Types that are read, the picture's aside.
pub(crate) const TYPES: [&str; 15] = [
    troika::DriverState::TYPE.name,
    troika::Drowsiness::TYPE.name,
    troika::Gesture::TYPE.name,
    troika::VehicleSignals::TYPE.name,
    troika::LinkState::TYPE.name,
    troika::DriverAlert::TYPE.name,
    troika::Heartbeat::TYPE.name,
    troika::VehicleCommand::TYPE.name,
    troika::CommandResult::TYPE.name,
    troika::Transcript::TYPE.name,
    troika::VoiceReply::TYPE.name,
    troika::DialogueRequest::TYPE.name,
    troika::DialogueReply::TYPE.name,
    troika::RoutingDecision::TYPE.name,
    rcl_interfaces::Log::TYPE.name,
];

/// The camera's.
pub(crate) const PICTURE: &str = sensor_msgs::Image::TYPE.name;

/// Everything that the page shows, the picture aside.
#[derive(Debug, Default)]
pub struct Model {
    topics: BTreeMap<String, Topic>,
    cabin: Cabin,
    events: Events,
    nodes: Nodes,
    talk: Talk,
    raising: BTreeSet<String>,
}

/// What was heard on one topic.
#[derive(Debug)]
struct Topic {
    type_name: String,
    messages: u64,
    undecodable: u64,
    last: Time,
}

impl Model {
    /// Takes a message that came at `now`. Those of other types, and bytes that are none of their type, are counted alone.
    pub fn heard(&mut self, topic: &str, type_name: &str, cdr: &[u8], now: Time) {
        let read = match type_name {
            name if name == troika::DriverState::TYPE.name => {
                take(cdr, |message| self.cabin.driver(message, now))
            }
            name if name == troika::Drowsiness::TYPE.name => {
                take(cdr, |message| self.cabin.drowsiness(&message, now))
            }
            name if name == troika::Gesture::TYPE.name => {
                take(cdr, |message| self.cabin.gesture(&message, now))
            }
            name if name == troika::VehicleSignals::TYPE.name => {
                take(cdr, |message| self.cabin.vehicle(&message, now))
            }
            name if name == troika::LinkState::TYPE.name => {
                take(cdr, |message| self.cabin.link(&message, now))
            }
            name if name == troika::DriverAlert::TYPE.name => {
                take(cdr, |message| self.events.alert(&message, now))
            }
            name if name == troika::VehicleCommand::TYPE.name => {
                take(cdr, |message| self.events.command(message, now))
            }
            name if name == troika::CommandResult::TYPE.name => {
                take(cdr, |message| self.events.result(&message, now))
            }
            name if name == rcl_interfaces::Log::TYPE.name => {
                take(cdr, |message| self.events.log(&message, now))
            }
            name if name == troika::Heartbeat::TYPE.name => take(cdr, |message: troika::Heartbeat| {
                let node = message.node.clone();
                let anew = self.nodes.beat(message, now);
                if anew && self.raising.contains(&node) {
                    self.events.nothing_stands();
                }
            }),
            name if name == troika::Transcript::TYPE.name => {
                take(cdr, |message| self.talk.heard(&message, now))
            }
            name if name == troika::VoiceReply::TYPE.name => {
                take(cdr, |message| self.talk.replied(&message, now))
            }
            name if name == troika::DialogueRequest::TYPE.name => {
                take(cdr, |message| self.talk.asked(&message, now))
            }
            name if name == troika::DialogueReply::TYPE.name => {
                take(cdr, |message| self.talk.answered(&message, now))
            }
            name if name == troika::RoutingDecision::TYPE.name => {
                take(cdr, |message| self.talk.decided(&message, now))
            }
            _ => true,
        };
        self.count(topic, type_name, read, now);
    }

    /// Tells which nodes raise alerts now. What was raised by those that have gone, or begun anew, stands no longer.
    pub fn raising(&mut self, nodes: BTreeSet<String>) {
        troika_safety::fulfils![SR_OBS_007];
        if nodes.is_empty() && !self.raising.is_empty() {
            self.events.nothing_stands();
        }
        self.raising = nodes;
    }

    /// Counts a message that is looked at elsewhere.
    pub fn count(&mut self, topic: &str, type_name: &str, read: bool, now: Time) {
        if !self.topics.contains_key(topic) {
            if self.topics.len() >= MOST_TOPICS || topic.len() > SHORT {
                return;
            }
            let fresh = Topic { type_name: clip(type_name, SHORT), messages: 0, undecodable: 0, last: now };
            self.topics.insert(topic.to_owned(), fresh);
        }
        if let Some(counted) = self.topics.get_mut(topic) {
            counted.messages += 1;
            counted.undecodable += u64::from(!read);
            counted.last = now;
        }
    }

    /// Everything as it is at `now`: times in seconds, ages in seconds before `now`; what is not known is null.
    pub fn state(&self, now: Time) -> Value {
        let topics: Vec<Value> = self
            .topics
            .iter()
            .map(|(name, topic)| {
                json!({"topic": name, "type": topic.type_name, "messages": topic.messages,
                       "undecodable": topic.undecodable, "age_s": age(topic.last, now)})
            })
            .collect();
        let mut state =
            json!({"now_ms": milliseconds(now), "topics": topics, "nodes": self.nodes.state(now)});
        self.cabin.state(now, &mut state);
        self.events.state(&mut state);
        self.talk.state(&mut state);
        state
    }
}

/// Whether the bytes are one.
fn take<T: Message>(cdr: &[u8], read: impl FnOnce(T)) -> bool {
    T::decode(cdr).map(read).is_ok()
}

/// A text's first characters.
fn clip(text: &str, most: usize) -> String {
    troika_safety::fulfils![SR_OBS_006];
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Seconds, to the millisecond, since `then`.
fn age(then: Time, now: Time) -> Value {
    round(now.since(then).as_secs_f64(), 3)
}

/// A time as JavaScript has it: milliseconds since 1970.
fn milliseconds(time: Time) -> u64 {
    time.as_nanos() / 1_000_000
}

/// With so many digits behind the point; null when it is no finite number.
fn round(value: f64, digits: i32) -> Value {
    let scale = 10_f64.powi(digits);
    json!((value * scale).round() / scale)
}

/// The same of a message's field.
fn number(value: f32, digits: i32) -> Value {
    round(f64::from(value), digits)
}

#[cfg(test)]
mod tests;
