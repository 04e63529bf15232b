//! The alerts that were raised, held against those that the rules raise on the truth: which met, which were missed, which nothing calls for.

use troika_msgs::troika::DriverAlert;

use crate::{
    expect::Span,
    seen::{Event, Seen},
};

/// The longest limit that counts one stretch of a driver's behaviour, s: what glare hid so long ago can still change an alert.
const LOOKS_BACK_S: f64 = 6.5;
/// Drowsiness is a share of a minute's frames: one in a hundred of them is read otherwise, and it comes so much sooner or later, s.
const SLOW_S: f64 = 0.7;

/// What became of an alert that was due, or what one is that was raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// It was due, and raised; after its time, or before it (negative), s.
    Met {
        /// After its time, s.
        late_s: f64,
    },
    /// It was due, and is raised by no one near its time.
    Missed {
        /// How far from it one like it was raised, s; none: never.
        nearest_s: Option<f64>,
    },
    /// Nothing calls for it.
    False,
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Meeting {
    /// When it was due; of a false one when it was raised, s.
    pub at: f64,
    /// Kind and profile.
    pub alert: DriverAlert,
    /// What became of it.
    pub how: How,
    /// Glare blinded the camera while what it tells of happened.
    pub blinded: bool,
}

/// All that were due or raised within the span: first those due, then the false ones. That monitoring is unavailable is of the system:
/// nothing in the truth calls for it.
pub fn all(seen: &Seen, span: Span, tolerance_s: f64) -> Vec<Meeting> {
    let of_driver = |one: &&Event<DriverAlert>| {
        one.value.phase == DriverAlert::RAISED
            && one.value.kind != DriverAlert::MONITORING_UNAVAILABLE
            && span.holds(one.at)
    };
    let mut raised: Vec<_> = seen.alerts.iter().filter(of_driver).collect();
    let meeting = |one: &Event<DriverAlert>, how| Meeting {
        at: one.at,
        alert: one.value.clone(),
        how,
        blinded: seen.blinded.iter().any(|(from, to)| *from <= one.at && one.at <= to + LOOKS_BACK_S),
    };
    let mut found: Vec<Meeting> = Vec::new();
    for want in seen.due.iter().filter(of_driver) {
        let slow = want.value.kind == DriverAlert::DROWSINESS;
        let tolerance_s = if slow { tolerance_s + SLOW_S } else { tolerance_s };
        let alike = raised
            .iter()
            .enumerate()
            .filter(|(_, one)| one.value.kind == want.value.kind && one.value.profile == want.value.profile);
        let nearest =
            alike.map(|(n, one)| (n, one.at - want.at)).min_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let how = match nearest {
            Some((n, late_s)) if late_s.abs() <= tolerance_s => {
                raised.remove(n);
                How::Met { late_s }
            }
            other => How::Missed { nearest_s: other.map(|(_, late_s)| late_s.abs()) },
        };
        found.push(meeting(want, how));
    }
    found.extend(raised.into_iter().map(|one| meeting(one, How::False)));
    found
}
