//! Who is connected, what they subscribed to, and what waits for them. Pure. Each client has a queue of its own with a bound in messages and
//! bytes: when it is full, the oldest message of the subscription that has the most waiting goes, so that pictures do not push everything
//! else out; what went is counted and told.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use serde_json::Value;
use troika_kit::Time;
use troika_msgs::dynamic;
use troika_transport::Endpoint;

use super::protocol::{self, Asked, Level};

/// A topic and its type.
pub(crate) type Key = (String, String);

/// Connections at once.
pub(crate) const MOST_CLIENTS: usize = 16;
/// Subscriptions of one of them.
const MOST_SUBSCRIPTIONS: usize = 1024;
/// What waits for one of them.
const WAITING: usize = 1024;
const WAITING_BYTES: usize = 16 << 20;
/// Texts that wait for one of them; one that takes none of them is closed.
const WAITING_TEXTS: usize = 256;
/// Between two words on what was dropped.
const TELL: Duration = Duration::from_secs(1);

/// What goes out next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// JSON.
    Text(String),
    /// A message's data.
    Binary(Vec<u8>),
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    channels: BTreeMap<Key, u32>,
    unknown: BTreeSet<Key>,
    clients: BTreeMap<u64, Client>,
    last_channel: u32,
    last_client: u64,
}

#[derive(Debug, Default)]
struct Client {
    texts: VecDeque<String>,
    /// Subscription and bytes.
    data: VecDeque<(u32, Vec<u8>)>,
    bytes: usize,
    /// Channels by the client's own numbers.
    subscriptions: BTreeMap<u32, u32>,
    dropped: u64,
    told: u64,
    told_at: Time,
    overrun: bool,
}

impl Hub {
    /// A new client, if there is room for one: it is told who this is and what there is.
    pub(crate) fn join(&mut self, session: &str) -> Option<u64> {
        if self.clients.len() >= MOST_CLIENTS {
            return None;
        }
        self.last_client += 1;
        let mut client = Client::default();
        client.text(protocol::server_info(session));
        let channels: Vec<Value> = self.channels.iter().filter_map(|(key, id)| channel(*id, key)).collect();
        if !channels.is_empty() {
            client.text(protocol::advertise(&channels));
        }
        self.unknown.iter().for_each(|key| client.text(left_out(key)));
        self.clients.insert(self.last_client, client);
        Some(self.last_client)
    }

    /// It went.
    pub(crate) fn leave(&mut self, client: u64) {
        self.clients.remove(&client);
    }

    /// What it says.
    pub(crate) fn asked(&mut self, client: u64, text: &str) {
        let Some(client) = self.clients.get_mut(&client) else { return };
        match protocol::read(text) {
            Ok(Asked::Subscribe { subscriptions }) => {
                for one in subscriptions {
                    let why = if !self.channels.values().any(|id| *id == one.channel_id) {
                        format!("there is no channel {}", one.channel_id)
                    } else if client.subscriptions.contains_key(&one.id) {
                        format!("there is a subscription {} already", one.id)
                    } else if client.subscriptions.len() >= MOST_SUBSCRIPTIONS {
                        format!("{MOST_SUBSCRIPTIONS} subscriptions are the most")
                    } else {
                        client.subscriptions.insert(one.id, one.channel_id);
                        continue;
                    };
                    client.text(protocol::status(Level::Error, &why, None));
                }
            }
            Ok(Asked::Unsubscribe { subscription_ids }) => {
                for id in subscription_ids {
                    client.subscriptions.remove(&id);
                    client.forget(id);
                }
            }
            Err(why) => client.text(protocol::status(Level::Error, &why, None)),
        }
    }

    /// Who is there now. Channels come and go with their publishers; `leaves_out` says of a type that it is not shown.
    pub(crate) fn graph(&mut self, endpoints: &[Endpoint], leaves_out: impl Fn(&str) -> bool) {
        let now: BTreeSet<Key> = endpoints
            .iter()
            .filter(|end| end.publishes && !leaves_out(&end.type_name))
            .map(|end| (end.topic.clone(), end.type_name.clone()))
            .collect();
        let gone: Vec<u32> =
            self.channels.iter().filter(|(key, _)| !now.contains(*key)).map(|(_, id)| *id).collect();
        self.channels.retain(|key, _| now.contains(key));
        self.unknown.retain(|key| now.contains(key));
        let mut fresh = Vec::new();
        for key in now {
            if self.channels.contains_key(&key) || self.unknown.contains(&key) {
                continue;
            }
            if let Some(told) = channel(self.last_channel + 1, &key) {
                self.last_channel += 1;
                self.channels.insert(key, self.last_channel);
                fresh.push(told);
            } else {
                self.clients.values_mut().for_each(|client| client.text(left_out(&key)));
                self.unknown.insert(key);
            }
        }
        for client in self.clients.values_mut() {
            if !gone.is_empty() {
                let over: Vec<u32> = client
                    .subscriptions
                    .iter()
                    .filter(|(_, channel)| gone.contains(channel))
                    .map(|(id, _)| *id)
                    .collect();
                for id in over {
                    client.subscriptions.remove(&id);
                    client.forget(id);
                }
                client.text(protocol::unadvertise(&gone));
            }
            if !fresh.is_empty() {
                client.text(protocol::advertise(&fresh));
            }
        }
    }

    /// What somebody is subscribed to.
    pub(crate) fn wanted(&self) -> BTreeSet<Key> {
        let wanted: BTreeSet<u32> =
            self.clients.values().flat_map(|client| client.subscriptions.values().copied()).collect();
        self.channels.iter().filter(|(_, id)| wanted.contains(id)).map(|(key, _)| key.clone()).collect()
    }

    /// A message; true when somebody gets it.
    pub(crate) fn message(&mut self, key: &Key, cdr: &[u8], now: Time) -> bool {
        let Some(channel) = self.channels.get(key) else { return false };
        let mut any = false;
        for client in self.clients.values_mut() {
            let ids: Vec<u32> =
                client.subscriptions.iter().filter(|(_, one)| *one == channel).map(|(id, _)| *id).collect();
            for id in ids {
                client.put(id, protocol::message(id, now, cdr));
                any = true;
            }
        }
        any
    }

    /// What goes out to a client next; none: nothing now. An error: this client is to be closed, and why.
    pub(crate) fn next(&mut self, client: u64, now: Time) -> Result<Option<Frame>, &'static str> {
        let Some(client) = self.clients.get_mut(&client) else { return Err("it has left") };
        if client.overrun {
            return Err("it takes nothing");
        }
        if let Some(text) = client.texts.pop_front() {
            return Ok(Some(Frame::Text(text)));
        }
        if client.dropped > client.told && now.since(client.told_at) >= TELL {
            (client.told, client.told_at) = (client.dropped, now);
            let told = format!(
                "{} messages were dropped: this connection is slower than what it is subscribed to",
                client.dropped
            );
            return Ok(Some(Frame::Text(protocol::status(Level::Warning, &told, Some("dropped")))));
        }
        let next = client.data.pop_front().map(|(_, bytes)| bytes);
        client.bytes -= next.as_ref().map_or(0, Vec::len);
        Ok(next.map(Frame::Binary))
    }

    /// Who is connected.
    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }
}

/// A channel for clients, of a type that this build knows.
fn channel(id: u32, (topic, type_name): &Key) -> Option<Value> {
    dynamic::lookup(type_name).map(|entry| protocol::channel(id, topic, entry))
}

fn left_out((topic, type_name): &Key) -> String {
    let told = format!("{topic} is left out: this build does not know {type_name}");
    protocol::status(Level::Warning, &told, Some(&format!("unknown {topic}")))
}

impl Client {
    fn text(&mut self, text: String) {
        if self.texts.len() >= WAITING_TEXTS {
            self.overrun = true;
            return;
        }
        self.texts.push_back(text);
    }

    fn put(&mut self, id: u32, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.data.push_back((id, bytes));
        while self.data.len() > WAITING || self.bytes > WAITING_BYTES {
            let mut each: BTreeMap<u32, usize> = BTreeMap::new();
            self.data.iter().for_each(|(id, bytes)| *each.entry(*id).or_default() += bytes.len());
            let most = each.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(id, _)| id);
            let Some(at) = self.data.iter().position(|(id, _)| Some(*id) == most) else { return };
            if let Some((_, bytes)) = self.data.remove(at) {
                self.bytes -= bytes.len();
                self.dropped += 1;
            }
        }
    }

    /// What waits for a subscription that is over.
    fn forget(&mut self, id: u32) {
        self.data.retain(|(one, _)| *one != id);
        self.bytes = self.data.iter().map(|(_, bytes)| bytes.len()).sum();
    }
}

#[cfg(test)]
mod tests;
