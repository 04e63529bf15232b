//! Scores what the driver-monitoring nodes said against what the simulated driver did. Pure.
//!
//! Accuracy is the mean of the per-state recalls; frames within 200 ms of a change of state are left out. A true frame
//! without an answer counts as wrong. Alerts are scored against those that the same rules raise on the truth itself.

use std::collections::BTreeMap;

use troika_kit::{Duration, Time};
use troika_msgs::troika::{DriverAlert, DriverState, DriverTruth};

/// The states, as numbered in `DriverState.msg`.
pub(super) const STATES: [&str; 4] = ["unknown", "attentive", "looking_away", "eyes_closed"];

/// How far an alert may be from the truth's and still be the same alert. Perception adds its latency and smoothing; more
/// than a second would be another event.
pub(super) const ALERT_TOLERANCE: Duration = Duration::from_millis(1_000);

/// One raised alert, reduced to what is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raised {
    /// When its limit passed.
    pub at: Time,
    /// The profile.
    pub profile: String,
    /// `DriverAlert.kind`.
    pub kind: u8,
}

impl Raised {
    /// The raised alerts among `alerts`.
    pub(super) fn of(alerts: &[DriverAlert]) -> Vec<Raised> {
        alerts
            .iter()
            .filter(|alert| alert.phase == DriverAlert::RAISED)
            .map(|alert| Raised {
                at: Time::from_stamp(alert.header.stamp.sec, alert.header.stamp.nanosec),
                profile: alert.profile.clone(),
                kind: alert.kind,
            })
            .collect()
    }
}

/// What was seen of one run.
#[derive(Debug, Default)]
pub(super) struct Record {
    truth: BTreeMap<u64, DriverTruth>,
    answers: BTreeMap<u64, u8>,
    /// Alerts in the order of their arrival.
    pub alerts: Vec<DriverAlert>,
}

fn key(stamp: &troika_msgs::builtin_interfaces::Time) -> u64 {
    Time::from_stamp(stamp.sec, stamp.nanosec).as_nanos()
}

impl Record {
    /// Takes the truth of one frame.
    pub(super) fn truth(&mut self, truth: &DriverTruth) {
        self.truth.insert(key(&truth.header.stamp), truth.clone());
    }

    /// Takes an answer, which carries the stamp of its frame.
    pub(super) fn answer(&mut self, state: &DriverState) {
        self.answers.insert(key(&state.header.stamp), state.state);
    }

    /// The truth of every frame, in time's order.
    pub(super) fn truths(&self) -> impl Iterator<Item = &DriverTruth> {
        self.truth.values()
    }

    /// The stamp of the newest true frame.
    pub(super) fn last_truth(&self) -> Option<Time> {
        self.truth.last_key_value().map(|(nanos, _)| Time::from_nanos(*nanos))
    }

    /// The scores, given the alerts that the rules raise on the truth.
    pub(super) fn score(&self, expected: &[Raised]) -> Scores {
        let mut confusion = [[0_u64; 5]; 4];
        let mut skipped = 0;
        // Frames that are still on their way at the end have no answer yet.
        let end = self.answers.last_key_value().map_or(0, |(nanos, _)| *nanos);
        for (nanos, truth) in self.truth.range(..=end) {
            if truth.in_transition {
                skipped += 1;
                continue;
            }
            let answer = self.answers.get(nanos).map_or(4, |state| usize::from(*state).min(4));
            confusion[usize::from(truth.state).min(3)][answer] += 1;
        }
        let (matched, missed, others) = match_alerts(expected, &Raised::of(&self.alerts));
        // Of the system and not of the driver where nothing in the truth calls for it, and it is not false for that.
        let (unavailable, false_alerts): (Vec<Raised>, Vec<Raised>) =
            others.into_iter().partition(|one| one.kind == DriverAlert::MONITORING_UNAVAILABLE);
        Scores { confusion, skipped, matched, missed, false_alerts, unavailable: unavailable.len() }
    }
}

/// Matches each expected alert to the nearest raised one of its profile and kind.
fn match_alerts(
    expected: &[Raised],
    raised: &[Raised],
) -> (Vec<(Raised, Duration)>, Vec<Raised>, Vec<Raised>) {
    let mut free: Vec<Option<&Raised>> = raised.iter().map(Some).collect();
    let mut matched = Vec::new();
    let mut missed = Vec::new();
    for want in expected {
        let apart = |got: &Raised| want.at.since(got.at).max(got.at.since(want.at));
        let best = free
            .iter_mut()
            .filter(|slot| slot.is_some_and(|got| got.profile == want.profile && got.kind == want.kind))
            .min_by_key(|slot| slot.map(apart));
        match best {
            Some(slot) if slot.map(apart) <= Some(ALERT_TOLERANCE) => {
                if let Some(got) = slot.take() {
                    matched.push((want.clone(), apart(got)));
                }
            }
            _ => missed.push(want.clone()),
        }
    }
    (matched, missed, free.into_iter().flatten().cloned().collect())
}

/// The scores of one run.
#[derive(Debug, Clone)]
pub(super) struct Scores {
    /// Frames by true state and answered state; the last column holds frames without an answer.
    pub confusion: [[u64; 5]; 4],
    /// Frames left out because they are in a transition.
    pub skipped: u64,
    /// Alerts that monitoring was unavailable, which the truth does not call for.
    pub unavailable: usize,
    /// Expected alerts that were raised, with how far from their time.
    pub matched: Vec<(Raised, Duration)>,
    /// Expected alerts that were not raised.
    pub missed: Vec<Raised>,
    /// Raised alerts that the truth does not call for.
    pub false_alerts: Vec<Raised>,
}

impl Scores {
    /// Recall of each state that occurred, with its share of the scored frames.
    pub(super) fn recalls(&self) -> Vec<(&'static str, f64, f64)> {
        let total: u64 = self.confusion.iter().flatten().sum();
        STATES
            .iter()
            .zip(&self.confusion)
            .enumerate()
            .filter(|(_, (_, row))| row.iter().sum::<u64>() > 0)
            .map(|(index, (name, row))| {
                let frames: u64 = row.iter().sum();
                (*name, row[index] as f64 / frames as f64, frames as f64 / total as f64)
            })
            .collect()
    }

    /// Mean of the recalls; `None` without a scored frame.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let recalls = self.recalls();
        (!recalls.is_empty())
            .then(|| recalls.iter().map(|(_, recall, _)| recall).sum::<f64>() / recalls.len() as f64)
    }

    /// The accuracy of the best constant answer.
    pub(super) fn constant_accuracy(&self) -> Option<f64> {
        let states = self.recalls().len();
        (states > 0).then(|| 1.0 / states as f64)
    }

    /// Expected sleep alerts (microsleep, sleep, unresponsive) that were not raised.
    pub(super) fn missed_sleep(&self) -> usize {
        let sleep = [DriverAlert::MICROSLEEP, DriverAlert::SLEEP, DriverAlert::UNRESPONSIVE];
        self.missed.iter().filter(|alert| sleep.contains(&alert.kind)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(seconds: f64, kind: u8) -> Raised {
        Raised { at: Time::from_nanos((seconds * 1e9) as u64), profile: "euro_ncap".to_owned(), kind }
    }

    fn truth(frame: u64, state: u8, in_transition: bool) -> DriverTruth {
        let (sec, nanosec) = Time::from_nanos(frame * 33_000_000).to_stamp();
        let mut truth = DriverTruth { state, in_transition, ..DriverTruth::default() };
        truth.header.stamp.sec = sec;
        truth.header.stamp.nanosec = nanosec;
        truth
    }

    fn answer(frame: u64, state: u8) -> DriverState {
        let mut answer = DriverState { state, ..DriverState::default() };
        answer.header = truth(frame, 0, false).header;
        answer
    }

    #[test]
    fn a_constant_answer_scores_one_over_the_number_of_states() {
        let mut record = Record::default();
        for frame in 0..90 {
            record.truth(&truth(frame, if frame < 80 { 1 } else { 3 }, false));
            record.answer(&answer(frame, 1));
        }
        let scores = record.score(&[]);
        assert_eq!(scores.accuracy(), Some(0.5));
        assert_eq!(scores.constant_accuracy(), Some(0.5));
    }

    #[test]
    fn a_frame_without_an_answer_is_wrong_and_a_transition_is_left_out() {
        let mut record = Record::default();
        for frame in 0..10 {
            record.truth(&truth(frame, 1, frame == 4));
            if frame != 5 {
                record.answer(&answer(frame, if frame == 4 { 3 } else { 1 }));
            }
        }
        let scores = record.score(&[]);
        assert_eq!(scores.skipped, 1);
        assert_eq!(scores.accuracy(), Some(8.0 / 9.0));
    }

    #[test]
    fn an_alert_too_far_from_its_time_is_both_missed_and_false() {
        let (matched, missed, extra) =
            match_alerts(&[alert(10.0, 5), alert(20.0, 5)], &[alert(10.4, 5), alert(22.0, 5)]);
        assert_eq!((matched.len(), missed.len(), extra.len()), (1, 1, 1));
    }

    #[test]
    fn an_alert_of_another_kind_does_not_stand_in() {
        let (matched, missed, extra) = match_alerts(&[alert(10.0, 5)], &[alert(10.0, 4)]);
        assert_eq!((matched.len(), missed.len(), extra.len()), (0, 1, 1));
    }
}
