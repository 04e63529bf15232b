//! Scores what the driver-monitoring nodes said against what the simulated driver did. Pure.
//!
//! Accuracy is the mean of the per-state recalls; frames within 200 ms of a change of state are left out. A true frame
//! without an answer counts as wrong. Alerts are scored against those that the same rules raise on the truth itself, as far as the
//! truth came: what may have been due in a time of which none did is counted apart, and never taken for right ([`Due`]).

mod known;

use std::collections::BTreeMap;

pub(super) use known::{Standing, Unknown};
use troika_kit::{Duration, Time};
use troika_monitor::GAP;
use troika_msgs::{
    protect::{intact, sender},
    troika::{DriverAlert, DriverState, DriverTruth},
};

/// The states, as numbered in `DriverState.msg`.
pub(super) const STATES: [&str; 4] = ["unknown", "attentive", "looking_away", "eyes_closed"];

/// How far an alert may be from the truth's and still be the same alert. Perception adds its latency and smoothing; more
/// than a second would be another event.
pub(super) const ALERT_TOLERANCE: Duration = Duration::from_millis(1_000);

/// Frames so near the truth's end that their answers may be on their way: the system is stopped part by part.
const ON_THE_WAY: Duration = Duration::from_secs(1);
/// Between two frames of a truth that is filled in: 30 a second.
const FRAME: Duration = Duration::from_nanos(33_333_333);

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
    fn is_alike(&self, other: &Raised) -> bool {
        self.profile == other.profile && self.kind == other.kind
    }

    fn apart(&self, other: &Raised) -> Duration {
        self.at.since(other.at).max(other.at.since(self.at))
    }

    fn is_near(&self, other: &Raised) -> bool {
        self.is_alike(other) && self.apart(other) <= ALERT_TOLERANCE
    }

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

/// The alerts that the truth calls for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Due {
    /// By the truth as it came: these are due.
    heard: Vec<Raised>,
    /// Due only when the driver went on as he was while no truth came, and so not known to be.
    guessed: Vec<Raised>,
}

impl Due {
    /// `heard`: what the rules raise on the truth as it came; `filled`: on [`Record::filled`].
    pub(super) fn new(mut heard: Vec<Raised>, filled: Vec<Raised>) -> Due {
        let near = |one: &Raised, all: &[Raised]| all.iter().any(|other| one.is_near(other));
        // That a gap in the truth blinds the rules says nothing of the driver.
        heard.retain(|one| one.kind != DriverAlert::MONITORING_UNAVAILABLE || near(one, &filled));
        let guessed = filled.into_iter().filter(|one| !near(one, &heard)).collect();
        Due { heard, guessed }
    }

    #[cfg(test)]
    fn known(heard: &[Raised]) -> Due {
        Due { heard: heard.to_vec(), guessed: Vec::new() }
    }
}

/// A time in which the driver did one thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// One of [`STATES`].
    pub state: &'static str,
    /// From the run's first true frame, seconds.
    pub from_s: f64,
    /// The same, its last frame.
    pub to_s: f64,
}

/// Times of which no truth came.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Gaps {
    /// How many.
    pub count: u64,
    /// How long together.
    pub length: Duration,
}

/// Counts the alerts that never came here, by the numbers that each sender gives them. What is lost behind the last that came shows
/// in no number.
#[derive(Debug, Default)]
struct Numbers {
    next: BTreeMap<&'static str, u32>,
    lost: u64,
}

impl Numbers {
    fn take(&mut self, alert: &DriverAlert) {
        let mut senders = [sender::MONITOR, sender::STAND_IN, sender::SUPERVISOR].into_iter();
        let Some(sender) = senders.find(|sender| intact(alert, &[sender]) == Some(true)) else { return };
        let next = self.next.entry(sender).or_default();
        // A sender that begins anew begins with 0.
        let lost = alert.sequence.checked_sub(*next).unwrap_or(alert.sequence);
        self.lost += u64::from(lost);
        *next = alert.sequence.wrapping_add(1);
    }
}

/// So many answers and alerts are kept while no truth has come: it may be on its way. A system without one runs for weeks.
const BEFORE_TRUTH: usize = 300;

/// What was seen of one run.
#[derive(Debug, Default)]
pub(super) struct Record {
    truth: BTreeMap<u64, DriverTruth>,
    answers: BTreeMap<u64, u8>,
    /// Alerts in the order of their arrival.
    alerts: Vec<DriverAlert>,
    numbers: Numbers,
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
        if self.truth.is_empty() && self.answers.len() > BEFORE_TRUTH {
            self.answers.pop_first();
        }
    }

    /// Takes an alert.
    pub(super) fn alert(&mut self, alert: DriverAlert) {
        self.numbers.take(&alert);
        if self.truth.is_empty() && self.alerts.len() >= BEFORE_TRUTH {
            self.alerts.remove(0);
        }
        self.alerts.push(alert);
    }

    /// Alerts that were sent and never came here, at the least.
    pub(super) fn alerts_lost(&self) -> u64 {
        self.numbers.lost
    }

    /// Frames whose truth came.
    pub(super) fn truths_heard(&self) -> u64 {
        self.truth.len() as u64
    }

    /// Times of which no truth came, between the first that did and the last: so long that the rules take the driver for unknown.
    pub(super) fn gaps(&self) -> Gaps {
        let mut gaps = Gaps::default();
        for (before, after) in self.truth.keys().zip(self.truth.keys().skip(1)) {
            let length = Duration::from_nanos(after - before);
            if length > GAP {
                gaps.count += 1;
                gaps.length += length;
            }
        }
        gaps
    }

    /// The truth as it would be had the driver gone on as he was while none came: what may have been due then is found by it.
    pub(super) fn filled(&self) -> Vec<DriverTruth> {
        let mut filled = Vec::with_capacity(self.truth.len());
        for ((at, truth), next) in self.truth.iter().zip(self.truth.keys().skip(1).map(Some).chain([None])) {
            filled.push(truth.clone());
            let (mut at, end) = (Time::from_nanos(*at), Time::from_nanos(*next.unwrap_or(at)));
            while end.since(at) > GAP {
                at = at + FRAME;
                let mut between = DriverTruth { driver_acted: false, ..truth.clone() };
                (between.header.stamp.sec, between.header.stamp.nanosec) = at.to_stamp();
                filled.push(between);
            }
        }
        filled
    }

    /// The truth of every frame, in time's order.
    pub(super) fn truths(&self) -> impl Iterator<Item = &DriverTruth> {
        self.truth.values()
    }

    /// What the driver did then by the truth, and from when to when without a break, seconds of the run; none before the first frame.
    pub(super) fn stretch(&self, at: Time) -> Option<Stretch> {
        let at = at.as_nanos();
        let (_, then) = self.truth.range(..=at).next_back()?;
        let same = |one: &(&u64, &DriverTruth)| one.1.state == then.state;
        let from = self.truth.range(..=at).rev().take_while(same).last()?.0;
        let to = self.truth.range(at..).take_while(same).last().map_or(at, |(at, _)| *at);
        let since = |nanos: u64| self.seconds(Time::from_nanos(nanos));
        let state = STATES.get(usize::from(then.state)).copied().unwrap_or("?");
        Some(Stretch { state, from_s: since(*from), to_s: since(to) })
    }

    /// Seconds since the first true frame; before it 0.
    pub(super) fn seconds(&self, at: Time) -> f64 {
        self.seconds_signed(at).max(0.0)
    }

    /// The same, and before it below zero.
    pub(super) fn seconds_signed(&self, at: Time) -> f64 {
        let first = Time::from_nanos(self.truth.first_key_value().map_or(0, |(nanos, _)| *nanos));
        at.since(first).as_secs_f64() - first.since(at).as_secs_f64()
    }

    /// The stamp of the newest true frame.
    pub(super) fn last_truth(&self) -> Option<Time> {
        self.truth.last_key_value().map(|(nanos, _)| Time::from_nanos(*nanos))
    }

    /// The scores, given the alerts that the rules raise on the truth.
    pub(super) fn score(&self, due: &Due) -> Scores {
        let mut confusion = [[0_u64; 5]; 4];
        let mut skipped = 0;
        // The last frames may have no answer yet; who fell silent before has none, and that is no excuse.
        let last = |key: Option<u64>| Time::from_nanos(key.unwrap_or_default());
        let answered = last(self.answers.keys().next_back().copied());
        let end = last(self.truth.keys().next_back().copied());
        let end =
            answered.max(Time::from_nanos(end.since(Time::ZERO + ON_THE_WAY).as_nanos() as u64)).as_nanos();
        for (nanos, truth) in self.truth.range(..=end) {
            if truth.in_transition {
                skipped += 1;
                continue;
            }
            let answer = self.answers.get(nanos).map_or(4, |state| usize::from(*state).min(4));
            confusion[usize::from(truth.state).min(3)][answer] += 1;
        }
        let raised = Raised::of(&self.alerts);
        let is_unavailable = |one: &Raised| one.kind == DriverAlert::MONITORING_UNAVAILABLE;
        let unavailable = raised.iter().filter(|one| is_unavailable(one)).count();
        let (mut matched, mut missed, others) = match_alerts(&due.heard, &raised);
        matched.extend(missed.extract_if(.., |one| self.stood(one)).map(|one| (one, Duration::ZERO)));
        // What fell due so shortly before the end may still have come in its time.
        let until = self.last_truth().unwrap_or(Time::ZERO);
        let at_the_end: Vec<Raised> = missed.extract_if(.., |one| one.at + ALERT_TOLERANCE > until).collect();
        let (guessed_raised, guessed_silent, mut false_alerts) = match_alerts(&due.guessed, &others);
        // Of the system and not of the driver where nothing in the truth calls for it, and it is not false for that.
        false_alerts.retain(|one| !is_unavailable(one));
        let raised = guessed_raised.into_iter().map(|(one, _)| one).collect();
        let unjudged = Unjudged { raised, silent: guessed_silent, at_the_end };
        Scores { confusion, skipped, matched, missed, false_alerts, unavailable, unjudged }
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
        let apart = |got: &Raised| want.apart(got);
        let best = free
            .iter_mut()
            .filter(|slot| slot.is_some_and(|got| got.is_alike(want)))
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

/// Alerts of which nobody knows whether they are right or missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Unjudged {
    /// Raised in a gap of the truth: counted neither as right nor as false.
    pub raised: Vec<Raised>,
    /// Not raised, and perhaps due in a gap of the truth: counted neither as right nor as missed.
    pub silent: Vec<Raised>,
    /// Due, and not raised before the run ended: less than [`ALERT_TOLERANCE`] before its end.
    pub at_the_end: Vec<Raised>,
}

/// The scores of one run.
#[derive(Debug, Clone)]
pub(super) struct Scores {
    /// Frames by true state and answered state; the last column holds frames without an answer.
    pub confusion: [[u64; 5]; 4],
    /// Frames left out because they are in a transition.
    pub skipped: u64,
    /// Raised alerts that monitoring was unavailable, whether the truth calls for them or not.
    pub unavailable: usize,
    /// Alerts that may have been due while no truth came, or that had no time to come.
    pub unjudged: Unjudged,
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

    /// Scored frames that nobody answered: wrong, all of them.
    pub(super) fn unanswered(&self) -> u64 {
        self.confusion.iter().map(|row| row[4]).sum()
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
    use troika_msgs::protect::Seal;

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
    fn without_a_truth_the_record_does_not_grow_and_the_first_truth_finds_its_answer() {
        let mut record = Record::default();
        for frame in 0..10_000 {
            record.answer(&answer(frame, 1));
            record.alert(DriverAlert::default());
        }
        assert_eq!((record.answers.len(), record.alerts.len()), (BEFORE_TRUTH, BEFORE_TRUTH));
        (9_990..10_000).for_each(|frame| record.truth(&truth(frame, 1, false)));
        assert_eq!(record.score(&Due::default()).confusion[1], [0, 10, 0, 0, 0]);
    }

    #[test]
    fn a_constant_answer_scores_one_over_the_number_of_states() {
        let mut record = Record::default();
        for frame in 0..90 {
            record.truth(&truth(frame, if frame < 80 { 1 } else { 3 }, false));
            record.answer(&answer(frame, 1));
        }
        let scores = record.score(&Due::default());
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
        let scores = record.score(&Due::default());
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

    #[test]
    fn who_falls_silent_before_the_end_is_wrong_from_then_on() {
        let mut record = Record::default();
        for frame in 0..300 {
            record.truth(&truth(frame, 1, false));
            if frame < 100 {
                record.answer(&answer(frame, 1));
            }
        }
        let scores = record.score(&Due::default());
        // The last second's answers may be on their way: 31 frames.
        assert_eq!((scores.confusion[1][1], scores.unanswered()), (100, 169));
    }

    /// Eyes that close at 2 s and stay so to 12 s, of which nothing came from 3 s to `heard_again`.
    fn asleep(heard_again: u64) -> Record {
        let mut record = Record::default();
        let second = |frame: u64| frame * 33 / 1000;
        for frame in (0..360).filter(|frame| !(3..heard_again).contains(&second(*frame))) {
            let state = if second(frame) < 2 { 1 } else { 3 };
            let eye_openness = if state == 3 { 0.0 } else { 1.0 };
            let heard = truth(frame, state, false);
            record.truth(&DriverTruth { eye_openness, speed_kmh: 80.0, gaze_zone: 1, ..heard });
        }
        record
    }

    #[test]
    fn what_the_driver_did_when_an_alert_was_due_is_found_with_its_time() {
        let whole = asleep(3);
        let at = |ms: u64| Time::from_nanos(ms * 1_000_000);
        let stretch = whole.stretch(at(5_000)).expect("there is truth");
        assert_eq!(stretch.state, "eyes_closed");
        assert!((stretch.from_s - 2.0).abs() < 0.1 && stretch.to_s > 11.0, "{stretch:?}");
        assert_eq!(whole.stretch(at(1_000)).map(|one| (one.state, one.from_s)), Some(("attentive", 0.0)));
        assert_eq!(Record::default().stretch(at(1_000)), None);
    }

    fn due(record: &Record) -> Due {
        let monitor = || {
            let read = |_: &std::path::Path| unreachable!("built-in profiles alone");
            troika_monitor::Monitor::new(troika_monitor::Config::default().profiles(read).expect("built in"))
        };
        let heard = super::super::virtual_time::raised_on(monitor(), record.truths());
        Due::new(heard, super::super::virtual_time::raised_on(monitor(), record.filled().iter()))
    }

    #[test]
    fn what_may_have_been_due_while_no_truth_came_is_neither_right_nor_missed_and_is_counted() {
        let whole = asleep(3);
        assert_eq!((whole.gaps(), due(&whole).guessed), (Gaps::default(), Vec::new()));
        let sleep = |due: &[Raised]| due.iter().filter(|one| one.kind == DriverAlert::SLEEP).count();
        assert!(sleep(&due(&whole).heard) > 0);
        // From 3 s to the end but for its last moment: no alert of sleep is due by what was heard.
        let mut lost = asleep(11);
        assert_eq!((lost.gaps().count, lost.gaps().length.as_secs()), (1, 8));
        let called = due(&lost);
        assert!(sleep(&called.heard) == 0 && sleep(&called.guessed) > 0, "{called:?}");
        let is_blind = |one: &&Raised| one.kind == DriverAlert::MONITORING_UNAVAILABLE;
        assert_eq!(called.heard.iter().find(is_blind), None, "the scorer was blind, not the monitor");
        let scores = lost.score(&called);
        assert_eq!((scores.missed.len(), scores.unjudged.raised.len()), (called.heard.len(), 0));
        assert_eq!(scores.unjudged.silent, called.guessed);
        // One of them that was raised after all is not false either.
        let guessed = &called.guessed[0];
        let (sec, nanosec) = guessed.at.to_stamp();
        let mut alert =
            DriverAlert { kind: guessed.kind, phase: DriverAlert::RAISED, ..DriverAlert::default() };
        alert.profile.clone_from(&guessed.profile);
        (alert.header.stamp.sec, alert.header.stamp.nanosec) = (sec, nanosec);
        lost.alert(alert);
        let scores = lost.score(&called);
        assert_eq!((scores.unjudged.raised.len(), scores.false_alerts.len()), (1, 0));
    }

    #[test]
    fn what_falls_due_as_the_run_ends_is_not_missed_and_not_right_but_what_came_is() {
        let sleep = |at: Time| Raised { at, profile: "euro_ncap".into(), kind: DriverAlert::SLEEP };
        let record = asleep(3);
        let end = record.last_truth().expect("truth");
        let just = Due::known(&[sleep(Time::from_nanos(end.as_nanos() - 900_000_000))]);
        let scores = record.score(&just);
        assert_eq!((scores.missed.len(), scores.unjudged.at_the_end.len()), (0, 1));
        let before = Due::known(&[sleep(Time::from_nanos(end.as_nanos() - 1_100_000_000))]);
        let scores = record.score(&before);
        assert_eq!((scores.missed.len(), scores.unjudged.at_the_end.len()), (1, 0));
    }

    #[test]
    fn every_alert_of_monitoring_unavailable_counts_whether_it_is_due_or_not() {
        let blind = DriverAlert::MONITORING_UNAVAILABLE;
        let mut record = Record::default();
        for sec in [10, 20, 30] {
            let mut alert = DriverAlert { kind: blind, phase: DriverAlert::RAISED, ..DriverAlert::default() };
            alert.profile = "euro_ncap".into();
            alert.header.stamp.sec = sec;
            record.alert(alert);
        }
        let scores = record.score(&Due::known(&[alert(10.0, blind)]));
        assert_eq!((scores.unavailable, scores.matched.len(), scores.false_alerts.len()), (3, 1, 0));
    }

    #[test]
    fn alerts_that_never_came_are_counted_by_their_senders_numbers() {
        let mut record = Record::default();
        let mut sends = |seal: &mut Seal<DriverAlert>, heard: bool| {
            let mut alert = DriverAlert::default();
            seal.seal(&mut alert).expect("it fits");
            if heard {
                record.alert(alert);
            }
        };
        let (mut monitor, mut stand_in) = (Seal::new(sender::MONITOR), Seal::new(sender::STAND_IN));
        [true, false, false, true].into_iter().for_each(|heard| sends(&mut monitor, heard));
        [false, true].into_iter().for_each(|heard| sends(&mut stand_in, heard));
        // The monitor's process begins anew.
        [true, true].into_iter().for_each(|heard| sends(&mut Seal::new(sender::MONITOR), heard));
        assert_eq!((record.alerts_lost(), record.alerts.len()), (3, 5));
    }
}
