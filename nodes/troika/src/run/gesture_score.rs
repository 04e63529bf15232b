//! Scores what the gesture node said against what the simulated hand did. Pure.
//!
//! A gesture is *shown* from the first to the last frame in a row that the truth gives it, and *told* by the frame with the
//! phase STARTED. A shown one that is never told as itself is *missed*. What is told while another gesture is shown, or none,
//! is *false*; both are counted, apart.

use std::collections::BTreeMap;

use troika_gesture::gesture::Gesture;
use troika_kit::{Duration, Time};
use troika_msgs::troika::{Gesture as Said, GestureTruth};

/// So long after a gesture's last frame it may still be told: a swipe is known when it is over, a track of half a second tells
/// a turn, and then some frames vote. A second later it would be an answer to something else.
pub(super) const LATE: Duration = Duration::from_millis(500);
/// So long before its first frame it may be told: within this of a change the truth scores no frame either.
const EARLY: Duration = Duration::from_millis(200);

/// A gesture that was shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shown {
    /// Which.
    pub gesture: Gesture,
    /// Its first frame.
    pub from: Time,
    /// Its last frame.
    pub to: Time,
}

/// A gesture that was told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// Which.
    pub gesture: Gesture,
    /// The frame that it started in.
    pub at: Time,
}

/// What came of one that was shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// What was shown.
    pub shown: Shown,
    /// From its first frame to its being told; none: missed. Negative is zero.
    pub delay: Option<Duration>,
    /// Times that it was told once more: it was released meanwhile.
    pub again: usize,
    /// What else was told while it was shown.
    pub others: Vec<Told>,
}

/// The scores of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scores {
    /// In the order of their showing.
    pub shown: Vec<Outcome>,
    /// Told while nothing was shown.
    pub unasked: Vec<Told>,
    /// Frames that show a hand, outside transitions; of them those with a hand followed; of those the ones told right from
    /// left as they are.
    pub hands: [u64; 3],
    /// Frames in which no hand is visible; of them those with a hand followed all the same.
    pub empty: [u64; 2],
}

impl Scores {
    /// All that was told and not shown.
    pub(super) fn false_gestures(&self) -> usize {
        self.unasked.len() + self.shown.iter().map(|outcome| outcome.others.len()).sum::<usize>()
    }
}

/// The gesture as the person sees it. The truth's is the picture's, and a camera that faces the person, as the simulated one
/// does, has their left on its right.
fn of_person(truth: u8) -> Option<Gesture> {
    Some(match truth {
        GestureTruth::OPEN_PALM => Gesture::OpenPalm,
        GestureTruth::FIST => Gesture::Fist,
        GestureTruth::POINT => Gesture::Point,
        GestureTruth::THUMB_UP => Gesture::ThumbUp,
        GestureTruth::THUMB_DOWN => Gesture::ThumbDown,
        GestureTruth::OK => Gesture::Ok,
        GestureTruth::SWIPE_LEFT => Gesture::SwipeRight,
        GestureTruth::SWIPE_RIGHT => Gesture::SwipeLeft,
        GestureTruth::ROTATE_CLOCKWISE => Gesture::RotateCounterClockwise,
        GestureTruth::ROTATE_COUNTER_CLOCKWISE => Gesture::RotateClockwise,
        _ => return None,
    })
}

fn at(stamp: &troika_msgs::builtin_interfaces::Time) -> Time {
    Time::from_stamp(stamp.sec, stamp.nanosec)
}

/// What was shown, from the truth of every frame in time's order.
pub(super) fn shown(truths: &[GestureTruth]) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let mut before = GestureTruth::NONE;
    for truth in truths {
        let stamp = at(&truth.header.stamp);
        match (of_person(truth.gesture), all.last_mut()) {
            (Some(_), Some(last)) if truth.gesture == before => last.to = stamp,
            (Some(gesture), _) => all.push(Shown { gesture, from: stamp, to: stamp }),
            (None, _) => {}
        }
        before = truth.gesture;
    }
    all
}

/// What was told.
fn told(said: &[Said]) -> Vec<Told> {
    said.iter()
        .filter(|said| said.phase == Said::STARTED)
        .filter_map(|said| {
            let gesture = Gesture::ALL.into_iter().find(|gesture| gesture.number() == said.kind)?;
            Some(Told { gesture, at: at(&said.header.stamp) })
        })
        .collect()
}

/// The scores: the truth of every frame and all that was said, both in time's order.
pub(super) fn score(truths: &[GestureTruth], said: &[Said]) -> Scores {
    let outcome = |shown| Outcome { shown, delay: None, again: 0, others: Vec::new() };
    let mut scores = Scores { shown: shown(truths).into_iter().map(outcome).collect(), ..Scores::default() };
    for told in told(said) {
        let is_its = |one: &&mut Outcome| {
            let shown = one.shown;
            let within = shown.from <= told.at + EARLY && told.at <= shown.to + LATE;
            shown.gesture == told.gesture && within
        };
        if let Some(one) = scores.shown.iter_mut().rev().find(is_its) {
            match one.delay {
                None => one.delay = Some(told.at.since(one.shown.from)),
                Some(_) => one.again += 1,
            }
            continue;
        }
        let shown_then = |one: &&mut Outcome| (one.shown.from..=one.shown.to).contains(&told.at);
        match scores.shown.iter_mut().find(shown_then) {
            Some(one) => one.others.push(told),
            None => scores.unasked.push(told),
        }
    }
    count_hands(truths, said, &mut scores);
    scores
}

fn count_hands(truths: &[GestureTruth], said: &[Said], scores: &mut Scores) {
    let said: BTreeMap<Time, &Said> = said.iter().map(|said| (at(&said.header.stamp), said)).collect();
    for truth in truths.iter().filter(|truth| !truth.in_transition) {
        let Some(said) = said.get(&at(&truth.header.stamp)) else { continue };
        if truth.hand_visible {
            let side = if truth.right_hand { Said::RIGHT } else { Said::LEFT };
            let counts = [true, said.hand_detected, said.hand_detected && said.handedness == side];
            scores.hands.iter_mut().zip(counts).for_each(|(sum, one)| *sum += u64::from(one));
        } else {
            scores.empty[0] += 1;
            scores.empty[1] += u64::from(said.hand_detected);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a tenth of a second.
    fn stamp(frame: u64) -> troika_msgs::std_msgs::Header {
        troika_msgs::std_msgs::Header::at(Time::from_nanos(1_000_000_000 + frame * 100_000_000))
    }

    fn truths(frames: &[u8]) -> Vec<GestureTruth> {
        let truth = |(n, gesture): (usize, &u8)| GestureTruth {
            header: stamp(n as u64),
            gesture: *gesture,
            hand_visible: true,
            ..GestureTruth::default()
        };
        frames.iter().enumerate().map(truth).collect()
    }

    fn started(frame: u64, kind: u8) -> Said {
        Said { header: stamp(frame), kind, phase: Said::STARTED, hand_detected: true, ..Said::default() }
    }

    /// Three frames of nothing, ten of a fist, ten of nothing.
    fn a_fist() -> Vec<GestureTruth> {
        let mut frames = [GestureTruth::NONE; 23];
        frames[3..13].fill(GestureTruth::FIST);
        truths(&frames)
    }

    #[test]
    fn a_gesture_told_while_it_is_shown_or_soon_after_is_told() {
        for (frame, delay) in [(2, 0), (6, 300), (17, 1400)] {
            let scores = score(&a_fist(), &[started(frame, Said::FIST)]);
            assert_eq!(scores.shown[0].delay, Some(Duration::from_millis(delay)), "{frame}");
            assert_eq!(scores.false_gestures(), 0, "{frame}");
        }
    }

    #[test]
    fn one_that_is_told_much_later_is_missed_and_false() {
        let scores = score(&a_fist(), &[started(18, Said::FIST)]);
        assert_eq!((scores.shown[0].delay, scores.unasked.len()), (None, 1));
    }

    #[test]
    fn another_gesture_does_not_stand_in_and_is_false() {
        let scores = score(&a_fist(), &[started(6, Said::OK), started(14, Said::OK)]);
        assert_eq!(scores.shown[0].delay, None);
        assert_eq!((scores.shown[0].others.len(), scores.unasked.len()), (1, 1));
        assert_eq!(scores.false_gestures(), 2);
    }

    #[test]
    fn one_that_is_told_twice_is_told_again() {
        let scores = score(&a_fist(), &[started(5, Said::FIST), started(11, Said::FIST)]);
        assert_eq!((scores.shown[0].again, scores.false_gestures()), (1, 0));
    }

    #[test]
    fn the_pictures_left_and_clockwise_are_the_persons_right_and_counter_clockwise() {
        let swipe = truths(&[GestureTruth::SWIPE_LEFT, GestureTruth::NONE, GestureTruth::ROTATE_CLOCKWISE]);
        let said = [started(1, Said::SWIPE_RIGHT), started(2, Said::ROTATE_COUNTER_CLOCKWISE)];
        let scores = score(&swipe, &said);
        assert!(scores.shown.iter().all(|one| one.delay.is_some()), "{scores:?}");
    }

    #[test]
    fn a_gesture_shown_twice_must_be_told_twice() {
        let mut frames = [GestureTruth::NONE; 40];
        frames[3..13].fill(GestureTruth::FIST);
        frames[25..35].fill(GestureTruth::FIST);
        let scores = score(&truths(&frames), &[started(6, Said::FIST)]);
        assert_eq!(scores.shown.iter().filter(|one| one.delay.is_none()).count(), 1);
    }

    #[test]
    fn frames_without_a_hand_are_counted_apart() {
        let mut truth = truths(&[GestureTruth::NONE; 3]);
        truth[2].hand_visible = false;
        let said = [started(0, Said::NONE), Said { header: stamp(1), ..Said::default() }, started(2, 0)];
        let scores = score(&truth, &said);
        assert_eq!((scores.hands, scores.empty), ([2, 1, 0], [1, 1]));
    }
}
