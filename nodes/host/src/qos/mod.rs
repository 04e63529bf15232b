//! ROS 2's timed QoS policies, honoured here for every transport (rmw_zenoh, and so our zenoh, has them on the graph alone): deadline,
//! lifespan and liveliness of a node's ports. What each means is pure ([`policy`]); [`watch`] has the thread that looks when a time has
//! passed.

mod policy;
mod watch;

pub use policy::{Deadline, Lease, is_expired};
pub(crate) use watch::{PortWatch, Watcher};

/// What became of a port's policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QosStats {
    /// The port.
    pub port: String,
    /// Its topic.
    pub topic: String,
    /// It is an output.
    pub publishes: bool,
    /// How often the deadline passed without a message.
    pub deadline_missed: u64,
    /// Messages that were too old when they came.
    pub expired: u64,
    /// Publishers alive, of an input with a lease; of an output 1 while it gives its signs of life.
    pub alive: u64,
    /// How often a publisher was alive and then was not.
    pub liveliness_lost: u64,
}

impl QosStats {
    /// What went wrong since `before`, in words.
    pub(crate) fn news(&self, before: Option<&QosStats>) -> Vec<String> {
        let since = |count: fn(&QosStats) -> u64| count(self) - before.map_or(0, count).min(count(self));
        let [missed, expired, lost] = [
            since(|stats| stats.deadline_missed),
            since(|stats| stats.expired),
            since(|stats| stats.liveliness_lost),
        ];
        let mut news = Vec::new();
        let (port, topic) = (&self.port, &self.topic);
        if missed > 0 {
            news.push(format!("`{port}` ({topic}): no message within the deadline, {missed} times"));
        }
        if expired > 0 {
            news.push(format!("`{port}` ({topic}): {expired} messages were too old"));
        }
        if lost > 0 {
            news.push(format!(
                "`{port}` ({topic}): {lost} publishers are not alive any more, {} are",
                self.alive
            ));
        }
        news
    }
}
