//! When anything was known of the driver at all, and when the system said that it knew nothing.

use serde::Serialize;
use troika_kit::{Duration, Time};
use troika_monitor::GAP;
use troika_msgs::troika::{DriverAlert, DriverState};

use super::{ALERT_TOLERANCE, Raised, Record};

/// A time in which the alert stood that monitoring was unavailable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::run) struct Standing {
    /// Its profile.
    pub profile: String,
    /// Raised: seconds from the first true frame.
    pub from_s: f64,
    /// Cleared; none: it stood at the end.
    pub to_s: Option<f64>,
}

/// Times in which no state of the driver came but unknown ones, each longer than the rules bridge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(in crate::run) struct Unknown {
    /// How many.
    pub count: u64,
    /// Together, seconds.
    pub seconds: f64,
    /// The longest, seconds.
    pub longest_s: f64,
    /// By the truth he was not to be seen for so long, seconds.
    pub by_the_truth_s: f64,
}

impl Record {
    /// When the alert stood that monitoring was unavailable.
    pub(in crate::run) fn unavailable(&self) -> Vec<Standing> {
        self.standing()
            .map(|(raised, until)| Standing {
                from_s: self.seconds(raised.at),
                to_s: until.map(|until| self.seconds(until)),
                profile: raised.profile,
            })
            .collect()
    }

    /// It stood already when it became due.
    pub(super) fn stood(&self, due: &Raised) -> bool {
        due.kind == DriverAlert::MONITORING_UNAVAILABLE
            && self.standing().any(|(raised, until)| {
                raised.profile == due.profile
                    && raised.at <= due.at
                    && until.is_none_or(|until| due.at <= until + ALERT_TOLERANCE)
            })
    }

    fn standing(&self) -> impl Iterator<Item = (Raised, Option<Time>)> {
        let stamp =
            |alert: &DriverAlert| Time::from_stamp(alert.header.stamp.sec, alert.header.stamp.nanosec);
        let of_it = |alert: &&DriverAlert| alert.kind == DriverAlert::MONITORING_UNAVAILABLE;
        self.alerts
            .iter()
            .enumerate()
            .filter(move |(_, alert)| of_it(alert) && alert.phase == DriverAlert::RAISED)
            .map(move |(place, raised)| {
                let rest = self.alerts[place + 1..].iter().filter(of_it);
                let until = rest
                    .filter(|alert| alert.profile == raised.profile && alert.phase == DriverAlert::CLEARED)
                    .map(stamp)
                    .next();
                (Raised { at: stamp(raised), profile: raised.profile.clone(), kind: raised.kind }, until)
            })
    }

    /// When nothing was known of the driver, from the first true frame to the last.
    pub(in crate::run) fn unknown(&self) -> Unknown {
        let (Some(first), Some(last)) = (self.truth.keys().next(), self.truth.keys().next_back()) else {
            return Unknown::default();
        };
        let known = self.answers.range(first..=last).filter(|(_, state)| **state != DriverState::UNKNOWN);
        let by_answers = stretches(*first, known.map(|(at, _)| *at), *last);
        let seen = self.truth.iter().filter(|(_, truth)| truth.state != DriverState::UNKNOWN);
        let by_the_truth = stretches(*first, seen.map(|(at, _)| *at), *last);
        Unknown { by_the_truth_s: by_the_truth.seconds, ..by_answers }
    }
}

/// Of what is known at these times, what lies too far apart.
fn stretches(first: u64, known: impl Iterator<Item = u64>, last: u64) -> Unknown {
    let mut unknown = Unknown::default();
    let mut before = first;
    for at in known.chain([last]) {
        let length = Duration::from_nanos(at.saturating_sub(before));
        before = at;
        if length > GAP {
            unknown.count += 1;
            unknown.seconds += length.as_secs_f64();
            unknown.longest_s = unknown.longest_s.max(length.as_secs_f64());
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use troika_msgs::troika::DriverTruth;

    use super::{super::Due, *};

    /// 30 s, of which the driver is out of sight from 20 to 26; `known` says whether the state of a second is.
    fn run(known: impl Fn(u64) -> bool) -> Record {
        let mut record = Record::default();
        for frame in 0..900_u64 {
            let (sec, nanosec) = Time::from_nanos(frame * 1_000_000_000 / 30).to_stamp();
            let second = frame / 30;
            let state =
                if (20..26).contains(&second) { DriverState::UNKNOWN } else { DriverState::ATTENTIVE };
            let mut truth = DriverTruth { state, ..DriverTruth::default() };
            (truth.header.stamp.sec, truth.header.stamp.nanosec) = (sec, nanosec);
            record.truth(&truth);
            let state = if known(second) { DriverState::ATTENTIVE } else { DriverState::UNKNOWN };
            record.answer(&DriverState { state, header: truth.header, ..DriverState::default() });
        }
        record
    }

    fn alert(at: i32, phase: u8) -> DriverAlert {
        let mut alert = DriverAlert {
            kind: DriverAlert::MONITORING_UNAVAILABLE,
            profile: "troika".into(),
            phase,
            ..DriverAlert::default()
        };
        alert.header.stamp.sec = at;
        alert
    }

    #[test]
    fn times_without_a_known_state_are_told_beside_those_that_the_truth_has() {
        let unknown = run(|second| !(5..8).contains(&second) && !(20..26).contains(&second)).unknown();
        assert_eq!(unknown.count, 2);
        assert!((unknown.seconds - 9.0).abs() < 0.2 && (unknown.longest_s - 6.0).abs() < 0.1, "{unknown:?}");
        assert!((unknown.by_the_truth_s - 6.0).abs() < 0.1, "{unknown:?}");
        assert_eq!(run(|_| true).unknown().count, 0);
        assert_eq!(Record::default().unknown(), Unknown::default());
    }

    #[test]
    fn an_alert_that_stands_already_when_it_is_due_is_not_missed() {
        let due = Raised {
            at: Time::from_stamp(25, 0),
            profile: "troika".into(),
            kind: DriverAlert::MONITORING_UNAVAILABLE,
        };
        let missed = |alerts: &[DriverAlert]| {
            let mut record = run(|_| true);
            alerts.iter().for_each(|one| record.alert(one.clone()));
            let scores = record.score(&Due::known(std::slice::from_ref(&due)));
            (scores.missed.len(), scores.matched.len(), record.unavailable())
        };
        let (raised, cleared) = (DriverAlert::RAISED, DriverAlert::CLEARED);
        let standing = Standing { profile: "troika".into(), from_s: 12.0, to_s: Some(28.0) };
        assert_eq!(missed(&[alert(12, raised), alert(28, cleared)]), (0, 1, vec![standing.clone()]));
        let to_the_end = Standing { to_s: None, ..standing };
        assert_eq!(missed(&[alert(12, raised)]), (0, 1, vec![to_the_end]));
        assert_eq!(missed(&[alert(12, raised), alert(18, cleared)]).0, 1);
        assert_eq!(missed(&[]), (1, 0, Vec::new()));
    }
}
