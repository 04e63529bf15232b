//! What ails the ears, published as heartbeats of the process's own node, so that whoever watches sees a dead microphone.

use troika_kit::{Duration, Time};
use troika_msgs::{protect::Seal, std_msgs::Header, troika::Heartbeat};

/// As the host's own heartbeats: at least once a second.
const BEAT: Duration = Duration::from_millis(900);

/// The troubles there are. Pure.
#[derive(Debug)]
pub struct Health {
    node: String,
    seal: Seal<Heartbeat>,
    next: Time,
    /// Of the audio: it comes and goes.
    audio: Option<String>,
    /// What is missing for good.
    lasting: Option<String>,
}

impl Health {
    /// Nothing ails; `node` is its full name.
    pub fn new(node: String, now: Time) -> Health {
        Health { seal: Seal::new(&node), node, next: now, audio: None, lasting: None }
    }

    /// Something ails the audio, or nothing any more.
    pub fn audio(&mut self, trouble: Option<String>) {
        self.audio = trouble;
        // At once, not with the next beat.
        self.next = Time::ZERO;
    }

    /// Something is missing, and stays so.
    pub fn lasting(&mut self, trouble: String) {
        self.lasting = Some(trouble);
    }

    /// The heartbeat that is due, if one is.
    pub fn beat(&mut self, now: Time) -> Option<Heartbeat> {
        if now < self.next {
            return None;
        }
        self.next = now + BEAT;
        let reason = self.audio.clone().or_else(|| self.lasting.clone());
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
        health.audio(Some("unplugged".to_owned()));
        let beat = health.beat(at(1_510)).expect("at once");
        assert_eq!(
            (beat.status, beat.reason.as_str(), beat.sequence),
            (Heartbeat::UNAVAILABLE, "unplugged", 1)
        );
        assert_eq!(health.beat(at(2_500)).map(|beat| beat.status), Some(Heartbeat::UNAVAILABLE));
        health.audio(None);
        assert_eq!(health.beat(at(2_510)).map(|beat| beat.status), Some(Heartbeat::OK));
        health.lasting("no model".to_owned());
        assert_eq!(health.beat(at(4_000)).map(|beat| beat.reason), Some("no model".to_owned()));
    }
}
