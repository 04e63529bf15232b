use proptest::prelude::*;

use super::*;

const FRAME_MS: u64 = 33;

fn limits() -> Limits {
    Limits {
        pose_votes: 6,
        pose_of: 8,
        motion_votes: 3,
        motion_of: 5,
        release: Duration::from_millis(200),
        after_pose: Duration::from_millis(300),
        after_swipe: Duration::from_millis(1000),
    }
}

fn at(ms: u64) -> Time {
    Time::from_nanos(1_000_000_000 + ms * 1_000_000)
}

fn told(gesture: Gesture) -> Option<Told> {
    Some(Told { gesture, probability: 0.9 })
}

/// A driver before the camera, 30 frames a second.
struct Driver {
    debounce: Debounce,
    ms: u64,
}

impl Driver {
    fn new() -> Driver {
        Driver { debounce: Debounce::new(limits()), ms: 0 }
    }

    /// Shows something for a number of frames; what came out, without the idle frames.
    fn shows(&mut self, what: Option<Gesture>, frames: usize) -> Vec<(Gesture, Phase)> {
        let mut out = Vec::new();
        for _ in 0..frames {
            self.ms += FRAME_MS;
            let verdict = self.debounce.observe(at(self.ms), what.and_then(told));
            out.extend(verdict.gesture.map(|gesture| (gesture, verdict.phase)));
        }
        out
    }

    fn starts(&mut self, what: Option<Gesture>, frames: usize) -> Vec<Gesture> {
        let out = self.shows(what, frames);
        out.into_iter().filter(|(_, phase)| *phase == Phase::Started).map(|(gesture, _)| gesture).collect()
    }
}

#[test]
fn a_pose_that_is_held_starts_once_is_held_and_ends_once() {
    let mut driver = Driver::new();
    let shown = driver.shows(Some(Gesture::ThumbUp), 30);
    assert_eq!(shown[0], (Gesture::ThumbUp, Phase::Started));
    assert!(shown[1..].iter().all(|what| *what == (Gesture::ThumbUp, Phase::Held)));
    assert_eq!(shown.len(), 30 - 5, "it starts with the sixth frame");
    let after = driver.shows(None, 30);
    assert_eq!(after.last(), Some(&(Gesture::ThumbUp, Phase::Ended)));
    assert_eq!(after.len(), 7, "six frames are 198 ms: still held; the seventh ends it");
}

#[test]
fn a_pose_that_flashes_by_is_no_gesture() {
    let mut driver = Driver::new();
    for _ in 0..20 {
        assert_eq!(driver.shows(Some(Gesture::Fist), 5), []);
        assert_eq!(driver.shows(None, 4), []);
    }
}

#[test]
fn a_frame_or_two_that_the_head_misreads_do_not_break_a_held_gesture() {
    let mut driver = Driver::new();
    driver.shows(Some(Gesture::Ok), 10);
    for other in [None, Some(Gesture::OpenPalm), None] {
        let out = driver.shows(other, 3);
        assert!(out.iter().all(|what| *what == (Gesture::Ok, Phase::Held)), "{out:?}");
        driver.shows(Some(Gesture::Ok), 3);
    }
}

#[test]
fn a_swipe_is_told_once_and_the_hand_that_goes_back_is_no_swipe() {
    let mut driver = Driver::new();
    assert_eq!(driver.starts(Some(Gesture::SwipeRight), 12), [Gesture::SwipeRight]);
    assert_eq!(driver.starts(Some(Gesture::SwipeLeft), 12), []);
    driver.shows(None, 30);
    assert_eq!(driver.starts(Some(Gesture::SwipeLeft), 12), [Gesture::SwipeLeft]);
}

#[test]
fn a_hand_that_waves_is_one_swipe_at_most_and_one_that_pauses_swipes_again() {
    let mut driver = Driver::new();
    let mut starts = Vec::new();
    for _ in 0..6 {
        starts.extend(driver.starts(Some(Gesture::SwipeRight), 8));
        starts.extend(driver.starts(Some(Gesture::SwipeLeft), 8));
    }
    assert_eq!(starts, [Gesture::SwipeRight]);
    driver.shows(None, 32);
    assert_eq!(driver.starts(Some(Gesture::SwipeLeft), 8), [Gesture::SwipeLeft]);
}

#[test]
fn a_finger_that_points_and_then_turns_ends_one_and_starts_the_other() {
    let mut driver = Driver::new();
    driver.shows(Some(Gesture::Point), 10);
    let out = driver.shows(Some(Gesture::RotateClockwise), 6);
    let held = (Gesture::Point, Phase::Held);
    let turning = (Gesture::RotateClockwise, Phase::Held);
    assert_eq!(out[..3], [held, held, (Gesture::Point, Phase::Ended)]);
    assert_eq!(out[3..], [(Gesture::RotateClockwise, Phase::Started), turning, turning]);
}

#[test]
fn a_camera_that_was_away_ends_the_gesture_and_voids_the_votes() {
    let mut driver = Driver::new();
    driver.shows(Some(Gesture::ThumbUp), 10);
    driver.ms += 2000;
    assert_eq!(driver.shows(Some(Gesture::ThumbUp), 1), [(Gesture::ThumbUp, Phase::Ended)]);
    driver.shows(None, 20);
    driver.shows(Some(Gesture::Fist), 5);
    driver.ms += 2000;
    assert_eq!(driver.shows(Some(Gesture::Fist), 5), [], "votes of before count no more");
}

#[test]
fn a_recording_that_begins_anew_is_followed_from_its_start() {
    let mut driver = Driver::new();
    driver.shows(Some(Gesture::SwipeRight), 4);
    driver.ms = 0;
    assert_eq!(driver.starts(Some(Gesture::SwipeRight), 4), [Gesture::SwipeRight]);
}

#[test]
fn nothing_shown_is_surely_nothing() {
    let mut debounce = Debounce::new(limits());
    let verdict = debounce.observe(at(0), None);
    assert_eq!((verdict.gesture, verdict.phase, verdict.confidence), (None, Phase::Idle, 1.0));
}

fn any_told() -> impl Strategy<Value = Option<Told>> {
    let gesture = prop::sample::select(Gesture::ALL.to_vec());
    prop::option::of((gesture, 0.0f32..=1.0).prop_map(|(gesture, probability)| Told { gesture, probability }))
}

proptest! {
    /// Whatever is shown whenever: starts, holds and ends follow each other, and no start comes without its votes or too soon.
    #[test]
    fn the_life_of_a_gesture_is_in_order(
        frames in prop::collection::vec((any_told(), 0i64..120, 1usize..12), 1..60)
    ) {
        let limits = limits();
        let mut debounce = Debounce::new(limits);
        let (mut ms, mut open) = (10_000_i64, None);
        let mut history: Vec<Option<Gesture>> = Vec::new();
        let mut quiet_until = Time::ZERO;
        for (told, step, repeat) in frames {
            for _ in 0..repeat {
                ms += step;
                let now = at(ms as u64);
                let verdict = debounce.observe(now, told);
                history.push(told.map(|told| told.gesture));
                prop_assert!((0.0..=1.0).contains(&verdict.confidence));
                match (verdict.phase, verdict.gesture) {
                    (Phase::Idle, gesture) => {
                        prop_assert_eq!(gesture, None);
                        prop_assert_eq!(open, None);
                    }
                    (Phase::Started, gesture) => {
                        prop_assert_eq!(open, None);
                        let started = gesture.expect("a start has a gesture");
                        let (votes, of) = if started.is_motion() {
                            (limits.motion_votes, limits.motion_of)
                        } else {
                            (limits.pose_votes, limits.pose_of)
                        };
                        let told = history.iter().rev().take(of).filter(|told| **told == gesture).count();
                        prop_assert!(told >= votes, "{} of {}", told, of);
                        prop_assert!(now >= quiet_until);
                        if started.is_swipe() {
                            quiet_until = now + limits.after_swipe;
                        } else {
                            open = gesture;
                        }
                    }
                    (Phase::Held, gesture) => prop_assert_eq!(open, gesture),
                    (Phase::Ended, gesture) => {
                        prop_assert_eq!(open, gesture);
                        open = None;
                    }
                }
            }
        }
    }

    /// Times that jump anywhere, also back, and odd limits: no panic, and every start is ended before the next.
    #[test]
    fn any_clock_and_any_limits_are_survived(
        frames in prop::collection::vec((any_told(), 0u64..1_000_000_000_000), 1..100),
        votes in 0usize..40, of in 0usize..40,
    ) {
        let odd = Limits { pose_votes: votes, pose_of: of, motion_votes: of, motion_of: votes, ..limits() };
        let mut debounce = Debounce::new(odd);
        let mut open = false;
        for (told, nanos) in frames {
            let verdict = debounce.observe(Time::from_nanos(nanos), told);
            match verdict.phase {
                Phase::Started => {
                    prop_assert!(!open);
                    open = !verdict.gesture.is_some_and(Gesture::is_swipe);
                }
                Phase::Ended => open = false,
                Phase::Held => prop_assert!(open),
                Phase::Idle => prop_assert!(!open),
            }
        }
    }
}
