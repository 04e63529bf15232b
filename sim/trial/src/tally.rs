//! Many hours of driving, counted: alerts that were due and came, that were missed, that nothing called for, and how far from their time.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    judge::meeting::{How, Meeting},
    names,
};

/// Of one kind of alert.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Kind {
    /// Due by the rules on the truth.
    pub due: u64,
    /// Of those, not raised near their time.
    pub missed: u64,
    /// Raised, and nothing calls for them.
    pub raised_falsely: u64,
    /// Of the missed, those around a glare that blinded the camera.
    pub missed_in_glare: u64,
    /// Of the false, those around one.
    pub false_in_glare: u64,
    /// How long after their time they came, frames: p1, p50, p99, the furthest; negative is before.
    pub frames_late: Option<[f64; 4]>,
    #[serde(skip)]
    late: Vec<f64>,
}

/// An alert that was missed or false, as it can be looked for: the drive of this seed again, at this time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Odd {
    /// The drive's seed.
    pub seed: u64,
    /// When it was due, or raised, s.
    pub at_s: f64,
    /// The kind of alert.
    pub alert: String,
    /// Its profile.
    pub profile: String,
    /// It was due; else it was raised and nothing calls for it.
    pub missed: bool,
    /// Around a glare that blinded the camera.
    pub in_glare: bool,
}

/// Of many drives.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Virtual time, hours.
    pub hours: f64,
    /// Drives.
    pub drives: u64,
    /// Glares that blinded the camera.
    pub glares: u64,
    /// By kind of alert.
    pub kinds: BTreeMap<String, Kind>,
    /// Which were missed or false.
    pub odd: Vec<Odd>,
}

impl Tally {
    /// Counts the drive of this seed, of so many seconds.
    pub fn add(&mut self, seed: u64, seconds: f64, glares: usize, meetings: &[Meeting]) {
        self.hours += seconds / 3600.0;
        self.drives += 1;
        self.glares += glares as u64;
        for one in meetings {
            let alert = names::name(names::ALERTS, one.alert.kind).to_string();
            if !matches!(one.how, How::Met { .. }) {
                self.odd.push(Odd {
                    seed,
                    at_s: one.at,
                    alert: alert.clone(),
                    profile: one.alert.profile.clone(),
                    missed: one.how != How::False,
                    in_glare: one.blinded,
                });
            }
            let kind = self.kinds.entry(alert).or_default();
            match one.how {
                How::Met { late_s } => {
                    kind.due += 1;
                    kind.late.push(late_s);
                }
                How::Missed { .. } => {
                    kind.due += 1;
                    kind.missed += 1;
                    kind.missed_in_glare += u64::from(one.blinded);
                }
                How::False => {
                    kind.raised_falsely += 1;
                    kind.false_in_glare += u64::from(one.blinded);
                }
            }
        }
    }

    /// Sums up, with so many frames a second.
    pub fn finish(mut self, frames_a_second: f64) -> Tally {
        for kind in self.kinds.values_mut() {
            kind.late.sort_by(f64::total_cmp);
            let last = kind.late.len().saturating_sub(1);
            let at = |share: f64| kind.late.get((share * last as f64).round() as usize);
            let furthest = kind.late.iter().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            kind.frames_late = match (at(0.01), at(0.5), at(0.99), furthest) {
                (Some(low), Some(middle), Some(high), Some(furthest)) => {
                    Some([low, middle, high, furthest].map(|s| (s * frames_a_second * 10.0).round() / 10.0))
                }
                _ => None,
            };
        }
        self
    }

    /// False alerts of all kinds in an hour.
    pub fn false_an_hour(&self) -> f64 {
        let all: u64 = self.kinds.values().map(|kind| kind.raised_falsely).sum();
        all as f64 / self.hours.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use troika_msgs::troika::DriverAlert;

    use super::*;

    fn meeting(kind: u8, how: How, blinded: bool) -> Meeting {
        Meeting { at: 1.0, alert: DriverAlert { kind, ..DriverAlert::default() }, how, blinded }
    }

    #[test]
    fn what_is_met_missed_and_false_is_counted_apart() {
        let mut tally = Tally::default();
        let met = |frames: f64| meeting(DriverAlert::SLEEP, How::Met { late_s: frames / 30.0 }, false);
        tally.add(7, 1800.0, 2, &[met(1.0), met(-3.0), met(2.0)]);
        let missed = meeting(DriverAlert::SLEEP, How::Missed { nearest_s: None }, true);
        let falsely = meeting(DriverAlert::DROWSINESS, How::False, false);
        tally.add(7, 5400.0, 0, &[missed, falsely]);
        let tally = tally.finish(30.0);
        assert_eq!((tally.hours, tally.drives, tally.glares), (2.0, 2, 2));
        let sleep = &tally.kinds["sleep"];
        assert_eq!((sleep.due, sleep.missed, sleep.missed_in_glare, sleep.raised_falsely), (4, 1, 1, 0));
        assert_eq!(sleep.frames_late, Some([-3.0, 1.0, 2.0, -3.0]));
        let drowsy = &tally.kinds["drowsiness"];
        assert_eq!((drowsy.due, drowsy.raised_falsely, drowsy.frames_late), (0, 1, None));
        assert_eq!(tally.false_an_hour(), 0.5);
    }
}
