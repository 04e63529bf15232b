//! What the heartbeats of one node say of it: protected end to end, and missed when they stay away.

use troika_e2e::{Machine as Channel, Status, Trust, Window, Windows};
use troika_kit::{Duration, Time};
use troika_msgs::{protect::Opener, troika::Heartbeat};

use crate::machine::Health;

/// Checks of a channel: the first message of a sender that began before we did is out of sequence once, and so is one that was started again.
/// Of the last four, one may be wrong.
const WINDOWS: Windows = Windows {
    init: Window { size: 2, least_ok: 1, most_errors: 0 },
    valid: Window { size: 4, least_ok: 1, most_errors: 1 },
    invalid: Window { size: 4, least_ok: 3, most_errors: 0 },
    clear_to_invalid: true,
};

/// A process is started again three times a minute at most: 20 s apart, and this is 4.
const SETTLES: u8 = 4;

/// A node's pulse.
#[derive(Debug)]
pub struct Pulse {
    node: String,
    opener: Opener<Heartbeat>,
    channel: Channel,
    /// A message or its absence is noted once in such a time.
    period: Duration,
    silent_after: Duration,
    /// When something was last noted of the channel.
    noted: Time,
    heard: Option<Time>,
    /// So many messages in their sequence are wanted until one that is out of it is taken for a new beginning again.
    settles: u8,
    /// The last one that was right was stamped so far from its arrival that it says nothing of now.
    off: bool,
    /// It was out of its sequence again before that: whoever sends repeats what was said before.
    doubted: bool,
    status: u8,
    reason: String,
}

impl Pulse {
    /// Of the node of that full name, which sends a heartbeat each `period` and is silent after `silent_after`.
    pub fn new(node: &str, period: Duration, silent_after: Duration, now: Time) -> Pulse {
        Pulse {
            node: node.to_owned(),
            opener: Opener::new(node),
            channel: Channel::new(WINDOWS).expect("windows that can be filled"),
            period,
            silent_after,
            noted: now,
            heard: None,
            settles: 0,
            off: false,
            doubted: false,
            status: Heartbeat::OK,
            reason: String::new(),
        }
    }

    /// The node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// A heartbeat that says that it is this node's. One that is not right is not believed, and not taken for a sign of life either; nor is one
    /// that was stamped longer ago, or further ahead, than a node may be silent: it is of another time (a recording), or of a machine whose
    /// clock is not ours.
    pub fn hear(&mut self, now: Time, beat: &Heartbeat) {
        let status = self.opener.open(Some(beat));
        self.channel.add(status);
        self.noted = now;
        // A sender that began again is out of sequence once; old messages in turn are so again and again, with some between that are not.
        let alive = match status {
            Status::Ok | Status::OkSomeLost => {
                self.settles = self.settles.saturating_sub(1);
                self.doubted &= self.settles > 0;
                !self.doubted
            }
            Status::WrongSequence => {
                self.doubted = self.settles > 0;
                self.settles = SETTLES;
                !self.doubted
            }
            Status::Error(_) | Status::Repeated | Status::NoNewData => false,
        };
        troika_safety::fulfils![SR_SUP_010];
        let stamp = beat.header.time();
        self.off = alive && now.since(stamp).max(stamp.since(now)) > self.silent_after;
        if alive && !self.off {
            self.heard = Some(now);
            self.status = beat.status;
            self.reason.clone_from(&beat.reason);
        }
    }

    /// Time has passed; what the node is worth.
    pub fn look(&mut self, now: Time) -> Health {
        // Half a period of room: a heartbeat on a loaded machine is late and not missing.
        if now.since(self.noted) > self.period + self.period / 2 {
            self.channel.add(self.opener.open(None));
            self.noted = now;
        }
        self.health(now)
    }

    fn health(&self, now: Time) -> Health {
        if self.heard.is_none() && self.trusted() {
            return Health::Unheard;
        }
        if self.silent(now) {
            return Health::Bad;
        }
        match self.status {
            Heartbeat::OK => Health::Well,
            Heartbeat::DEGRADED => Health::Degraded,
            _ => Health::Bad,
        }
    }

    /// The end-to-end checks do not speak against it.
    fn trusted(&self) -> bool {
        self.channel.trust() != Trust::Invalid
    }

    /// It cannot speak for itself: nothing that can be believed has come for too long.
    pub fn silent(&self, now: Time) -> bool {
        !self.trusted() || self.age(now).is_none_or(|age| age > self.silent_after)
    }

    /// How long ago something that can be believed came.
    pub fn age(&self, now: Time) -> Option<Duration> {
        self.heard.map(|heard| now.since(heard))
    }

    /// Why it is worth no more, for a person.
    pub fn why(&self, now: Time) -> String {
        if !self.trusted() {
            return "its heartbeats are not right end to end".to_owned();
        }
        match self.age(now) {
            _ if self.off => {
                "its heartbeats are of another time: a recording, or a machine whose clock is not in step"
                    .to_owned()
            }
            None => "no heartbeat yet".to_owned(),
            Some(age) if age > self.silent_after => format!("silent for {:.1} s", age.as_secs_f32()),
            Some(_) => self.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use troika_msgs::{protect::Seal, std_msgs::Header};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(900);
    const SILENT: Duration = Duration::from_millis(2_500);

    fn at(ms: u64) -> Time {
        Time::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    fn beat(seal: &mut Seal<Heartbeat>, status: u8, ms: u64) -> Heartbeat {
        let mut beat =
            Heartbeat { header: Header::at(at(ms)), node: "/a".into(), status, ..Heartbeat::default() };
        seal.seal(&mut beat).expect("it fits");
        beat
    }

    #[test]
    fn a_node_is_what_it_says_until_it_is_silent() {
        troika_safety::verifies![SR_SUP_002];
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        assert_eq!(pulse.look(at(500)), Health::Unheard);
        pulse.hear(at(900), &beat(&mut seal, Heartbeat::OK, 900));
        assert_eq!(pulse.look(at(900)), Health::Well);
        pulse.hear(at(1_800), &beat(&mut seal, Heartbeat::DEGRADED, 1_800));
        assert_eq!(pulse.look(at(1_900)), Health::Degraded);
        pulse.hear(at(2_700), &beat(&mut seal, Heartbeat::UNAVAILABLE, 2_700));
        assert_eq!((pulse.look(at(2_800)), pulse.silent(at(2_800))), (Health::Bad, false));
        pulse.hear(at(3_600), &beat(&mut seal, Heartbeat::OK, 3_600));
        assert_eq!((pulse.look(at(6_100)), pulse.look(at(6_101))), (Health::Well, Health::Bad));
        assert!(pulse.silent(at(6_101)) && pulse.why(at(6_200)).contains("silent for 2.6 s"));
    }

    #[test]
    fn heartbeats_that_are_not_right_are_no_sign_of_life_and_one_among_many_does_no_harm() {
        troika_safety::verifies![SR_SUP_004];
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        for round in 0..4 {
            pulse.hear(at(900 * round), &beat(&mut seal, Heartbeat::OK, 900 * round));
        }
        let wrong = || Heartbeat { node: "/a".into(), e2e: vec![1; 20], ..Heartbeat::default() };
        pulse.hear(at(3_600), &wrong());
        assert_eq!(pulse.look(at(3_600)), Health::Well, "one");
        pulse.hear(at(4_500), &wrong());
        assert_eq!(pulse.look(at(4_500)), Health::Bad, "two of the last four");
        for round in 6..10 {
            pulse.hear(at(900 * round), &beat(&mut seal, Heartbeat::OK, 900 * round));
        }
        assert_eq!(pulse.look(at(8_200)), Health::Well, "it is right again");
        let plain = Heartbeat { node: "/a".into(), ..Heartbeat::default() };
        (0..6).for_each(|round| pulse.hear(at(9_000 + 900 * round), &plain));
        assert_eq!(pulse.look(at(13_600)), Health::Bad, "without protection nothing is believed");
    }

    #[test]
    fn old_heartbeats_in_turn_are_no_sign_of_life() {
        troika_safety::verifies![SR_SUP_004];
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        let beats: Vec<Heartbeat> = (0..4).map(|round| beat(&mut seal, Heartbeat::OK, 900 * round)).collect();
        for (round, beat) in beats.iter().enumerate() {
            pulse.hear(at(900 * round as u64), beat);
        }
        // The node is gone from 2.7 s on; the first two of these may be one that began again.
        for round in 4..12 {
            pulse.hear(at(900 * round), &beats[if round % 2 == 0 { 0 } else { 3 }]);
            assert!(900 * round <= 4_500 + 2_500 || pulse.look(at(900 * round)) == Health::Bad, "{round}");
        }
    }

    #[test]
    fn one_that_was_started_again_is_heard_with_its_first_heartbeat() {
        troika_safety::verifies![SR_SUP_002];
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        for round in 0..6 {
            pulse.hear(at(900 * round), &beat(&mut seal, Heartbeat::OK, 900 * round));
        }
        assert_eq!(pulse.look(at(9_000)), Health::Bad);
        let mut again = Seal::new("/a");
        pulse.hear(at(9_100), &beat(&mut again, Heartbeat::OK, 9_100));
        pulse.hear(at(10_000), &beat(&mut again, Heartbeat::OK, 10_000));
        assert_eq!(pulse.look(at(10_000)), Health::Well);
    }

    #[test]
    fn heartbeats_of_another_time_are_no_sign_of_life() {
        troika_safety::verifies![SR_SUP_010];
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        let recorded: Vec<Heartbeat> =
            (0..20).map(|round| beat(&mut seal, Heartbeat::OK, 900 * round)).collect();
        for (round, beat) in recorded.iter().enumerate() {
            pulse.hear(at(900 * round as u64), beat);
        }
        assert_eq!(pulse.look(at(17_100)), Health::Well);
        // From the first one on, in order, as they were.
        for (round, beat) in recorded.iter().enumerate() {
            let now = 18_000 + 900 * round as u64;
            pulse.hear(at(now), beat);
            assert!(now <= 17_100 + 2_500 || pulse.look(at(now)) == Health::Bad, "{round}");
        }
        assert!(pulse.why(at(36_000)).contains("of another time"), "{}", pulse.why(at(36_000)));
        let mut ahead = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        for round in 0..6 {
            ahead.0.hear(at(900 * round), &beat(&mut ahead.1, Heartbeat::OK, 900 * round + 2_501));
        }
        assert_eq!(ahead.0.look(at(4_500)), Health::Unheard, "nothing was heard that counts");
    }

    #[test]
    fn what_is_missing_is_noted_once_in_a_period_and_a_half_and_four_of_it_are_no_channel() {
        troika_safety::verifies![SR_SUP_004];
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        for round in 0..6 {
            pulse.hear(at(900 * round), &beat(&mut seal, Heartbeat::OK, 900 * round));
        }
        // The last one was at 4.5 s. 1.35 s are not passed in the round of that moment, so that there are 1.4 s from one to the next.
        let broken = (1..200).map(|round| 4_500 + 50 * round).find(|ms| {
            pulse.look(at(*ms));
            pulse.why(at(*ms)).contains("not right end to end")
        });
        assert_eq!(broken, Some(4_500 + 4 * 1_400));
    }

    #[test]
    fn a_sender_that_was_doubted_is_believed_when_enough_has_come_in_its_order() {
        troika_safety::verifies![SR_SUP_004];
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        let mut now = 0;
        let mut hear = |pulse: &mut Pulse, seal: &mut Seal<Heartbeat>| {
            now += 900;
            let before = pulse.age(at(now));
            pulse.hear(at(now), &beat(seal, Heartbeat::OK, now));
            pulse.age(at(now)) != before
        };
        assert!((0..20).all(|_| hear(&mut pulse, &mut seal)));
        // It begins anew, which is believed; and the old one goes on, which is not, until it has for four.
        let mut again = Seal::new("/a");
        assert!(hear(&mut pulse, &mut again));
        let believed: Vec<bool> = (0..6).map(|_| hear(&mut pulse, &mut seal)).collect();
        assert_eq!(believed, [false, false, false, false, true, true]);
    }

    #[test]
    fn a_stamp_may_be_as_old_as_a_node_may_be_silent() {
        troika_safety::verifies![SR_SUP_010];
        for (age, heard) in [(2_500, true), (2_501, false)] {
            let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
            for round in 0..3 {
                let now = 5_000 + 900 * round;
                pulse.hear(at(now), &beat(&mut seal, Heartbeat::OK, now - age));
            }
            assert_eq!(pulse.age(at(7_000)).is_some(), heard, "{age} ms");
        }
    }

    #[test]
    fn why_it_is_worth_no_more_is_told_for_each_case() {
        let (mut pulse, mut seal) = (Pulse::new("/a", PERIOD, SILENT, at(0)), Seal::new("/a"));
        assert_eq!(pulse.why(at(100)), "no heartbeat yet");
        for round in 0..3 {
            let now = 900 * round;
            let mut beat =
                Heartbeat { reason: "two levels down".into(), ..beat(&mut seal, Heartbeat::DEGRADED, now) };
            Seal::new("/a").seal(&mut beat).expect("it fits");
            let mut told = Heartbeat { e2e: Vec::new(), ..beat };
            seal = Seal::new("/a");
            for _ in 0..=round {
                seal.seal(&mut told).expect("it fits");
            }
            pulse.hear(at(now), &told);
        }
        assert_eq!(pulse.why(at(1_900)), "two levels down");
        assert_eq!(pulse.why(at(1_800 + 2_500)), "two levels down", "not longer than it may be silent");
        assert_eq!(pulse.why(at(1_800 + 2_600)), "silent for 2.6 s");
    }
}
