//! What ails a program that has no step (the ears, the bridge, a language model), as heartbeats of its own node: whoever watches sees a dead
//! microphone, and that it is there at all.

use troika_kit::{Qos, Time};
use troika_msgs::{protect::Seal, std_msgs::Header, troika::Heartbeat};
use troika_transport::{TransportError, name::full_node_name};

use crate::{
    edge::{Edge, PublishError, TypedPublisher},
    heartbeat::{BEAT, TOPIC},
};

/// The troubles there are. Pure.
#[derive(Debug)]
pub struct Health {
    node: String,
    seal: Seal<Heartbeat>,
    next: Time,
    /// Comes and goes: a device.
    passing: Option<String>,
    /// What is missing for good.
    lasting: Option<String>,
}

impl Health {
    /// Nothing ails; `node` is its full name.
    pub fn new(node: String, now: Time) -> Health {
        Health { seal: Seal::new(&node), node, next: now, passing: None, lasting: None }
    }

    /// Something ails it that may pass, or nothing any more.
    pub fn passing(&mut self, trouble: Option<String>) {
        self.passing = trouble;
        // At once, not with the next beat.
        self.next = Time::ZERO;
    }

    /// Something is missing, and stays so.
    pub fn lasting(&mut self, trouble: String) {
        self.lasting = Some(trouble);
    }

    /// The heartbeat that is due, if one is.
    pub fn beat(&mut self, now: Time) -> Option<Heartbeat> {
        troika_safety::fulfils![SR_VOI_013];
        if now < self.next {
            return None;
        }
        self.next = now + BEAT;
        let reason = self.passing.clone().or_else(|| self.lasting.clone());
        let status = if reason.is_some() { Heartbeat::UNAVAILABLE } else { Heartbeat::OK };
        let mut beat = Heartbeat {
            header: Header::at(now),
            node: self.node.clone(),
            status,
            reason: reason.unwrap_or_default(),
            ..Heartbeat::default()
        };
        self.seal.seal(&mut beat).ok()?;
        Some(beat)
    }
}

/// The same with where it is published: what a program beats in each round of its loop.
pub struct Heart {
    /// What ails it.
    pub health: Health,
    beats: TypedPublisher<Heartbeat>,
}

impl Heart {
    /// Of the program's own node, in this namespace and of that name.
    ///
    /// # Errors
    /// The transport has no publisher for it.
    pub fn new(edge: &Edge, namespace: &str, name: &str) -> Result<Heart, TransportError> {
        let node = full_node_name(namespace, name);
        Ok(Heart { health: Health::new(node, edge.now()), beats: edge.publisher(TOPIC, Qos::DEFAULT)? })
    }

    /// Publishes the heartbeat that is due, if one is.
    ///
    /// # Errors
    /// The transport does not take it.
    pub fn beat(&mut self, now: Time) -> Result<(), PublishError> {
        self.health.beat(now).map_or(Ok(()), |beat| self.beats.send(&beat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_at_once_and_with_every_beat_until_it_is_over() {
        troika_safety::verifies![SR_VOI_013];
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let mut health = Health::new("/voice".to_owned(), at(1_000));
        assert_eq!(health.beat(at(1_000)).map(|beat| beat.status), Some(Heartbeat::OK));
        assert!(health.beat(at(1_500)).is_none());
        health.passing(Some("unplugged".to_owned()));
        let beat = health.beat(at(1_510)).expect("at once");
        assert_eq!(
            (beat.status, beat.reason.as_str(), beat.sequence),
            (Heartbeat::UNAVAILABLE, "unplugged", 1)
        );
        assert_eq!(health.beat(at(2_500)).map(|beat| beat.status), Some(Heartbeat::UNAVAILABLE));
        health.passing(None);
        assert_eq!(health.beat(at(2_510)).map(|beat| beat.status), Some(Heartbeat::OK));
        health.lasting("no model".to_owned());
        assert_eq!(health.beat(at(4_000)).map(|beat| beat.reason), Some("no model".to_owned()));
    }
}
