//! The track of a fingertip or a palm over the last seconds, and what the motion head sees of it. Pure: time is an argument.
//!
//! A track is of one point of one pose: an index finger's tip while the hand points, the index finger's base while it is open.
//! It begins anew when the pose changes, the hand is lost or time jumps.

use troika_kit::{Duration, Time};

use crate::{
    gesture::{Gesture, Told},
    pose::best,
};

/// Points of a window.
pub const POINTS: usize = 16;
/// Numbers that go into the motion head: the points' x, y, then 1 for a finger and 0 for a palm.
pub const FEATURES: usize = POINTS * 2 + 1;
/// Probabilities that come out, in the order none, then [`MOTIONS`].
pub const CLASSES: usize = MOTIONS.len() + 1;
/// The motions in the head's order, after "none".
pub const MOTIONS: [Gesture; 4] =
    [Gesture::SwipeLeft, Gesture::SwipeRight, Gesture::RotateClockwise, Gesture::RotateCounterClockwise];

/// What is looked at for swipes and quick turns: the recordings' 16 frames at 30 a second.
pub const SHORT: Duration = Duration::from_millis(500);
/// What is looked at for slow turns.
pub const LONG: Duration = Duration::from_millis(1500);
/// A pause over this breaks the track. A quick stroke outruns the region in which the hand is looked for: it is found again, the
/// stroke done, about 0.3 s later.
const GAP: Duration = Duration::from_millis(350);
/// Samples held: 1.5 s at 60 frames a second, and room.
const SAMPLES: usize = 128;

/// Which point is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The index finger's base of an open hand.
    Palm,
    /// The index finger's tip of a pointing hand.
    Finger,
}

/// See the module.
#[derive(Debug)]
pub struct Track {
    followed: Option<Followed>,
    /// Ring of times and positions; the newest is at `newest`.
    samples: Box<[(Time, [f32; 2]); SAMPLES]>,
    newest: usize,
    count: usize,
}

impl Default for Track {
    fn default() -> Self {
        Track { followed: None, samples: Box::new([(Time::ZERO, [0.0; 2]); SAMPLES]), newest: 0, count: 0 }
    }
}

impl Track {
    /// Adds a position (any unit, y down, in a mirrored picture).
    pub fn push(&mut self, at: Time, followed: Followed, position: [f32; 2]) {
        let last = self.samples[self.newest].0;
        let broken = self.followed != Some(followed) || at <= last || at.since(last) > GAP;
        if broken {
            self.clear();
        }
        self.followed = Some(followed);
        self.newest = (self.newest + 1) % SAMPLES;
        self.count = (self.count + 1).min(SAMPLES);
        self.samples[self.newest] = (at, position);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.followed = None;
        self.count = 0;
    }

    /// Which point is followed now.
    pub fn followed(&self) -> Option<Followed> {
        self.followed
    }

    /// The last `span` of the track as evenly timed points, oldest first; none while the track is shorter.
    pub fn window(&self, span: Duration) -> Option<[[f32; 2]; POINTS]> {
        let (end, _) = self.sample(0)?;
        let mut out = [[0.0; 2]; POINTS];
        let mut back = 0;
        for (i, point) in out.iter_mut().rev().enumerate() {
            let due = span.mul_f64(i as f64 / (POINTS - 1) as f64);
            // The two samples around the time that is due.
            let (mut later, mut earlier) = (self.sample(back)?, self.sample(back)?);
            while end.since(earlier.0) < due {
                back += 1;
                (later, earlier) = (earlier, self.sample(back)?);
            }
            let step = later.0.since(earlier.0).as_secs_f32();
            let share = if step > 0.0 { (end.since(earlier.0) - due).as_secs_f32() / step } else { 0.0 };
            *point = [0, 1].map(|axis| earlier.1[axis] + share * (later.1[axis] - earlier.1[axis]));
            // The earlier of the two may be needed again as the later one.
            back = back.saturating_sub(1);
        }
        Some(out)
    }

    /// The sample that is `back` before the newest.
    fn sample(&self, back: usize) -> Option<(Time, [f32; 2])> {
        (back < self.count).then(|| self.samples[(self.newest + SAMPLES - back) % SAMPLES])
    }
}

/// The features of a window: as `features` of the head's `train.py`. About the mean, in units of the largest coordinate.
/// None for a window without extent.
pub fn features(window: &[[f32; 2]; POINTS], followed: Followed) -> Option<[f32; FEATURES]> {
    let mean = [0, 1].map(|axis| window.iter().map(|point| point[axis]).sum::<f32>() / POINTS as f32);
    let mut out = [0.0; FEATURES];
    let mut largest = 0.0_f32;
    for (pair, point) in out.chunks_exact_mut(2).zip(window) {
        for axis in [0, 1] {
            pair[axis] = point[axis] - mean[axis];
            largest = largest.max(pair[axis].abs());
        }
    }
    out[..POINTS * 2].iter_mut().for_each(|n| *n /= largest);
    out[POINTS * 2] = if followed == Followed::Finger { 1.0 } else { 0.0 };
    (largest.is_normal() && out.iter().all(|n| n.is_finite())).then_some(out)
}

/// How far the hand travels, in the window's unit: its larger side.
pub fn extent(window: &[[f32; 2]; POINTS]) -> f32 {
    let side = |axis: usize| {
        let values = window.iter().map(|point| point[axis]);
        values.clone().fold(f32::NEG_INFINITY, f32::max) - values.fold(f32::INFINITY, f32::min)
    };
    side(0).max(side(1))
}

/// The furthest that the hand goes sideways within a tenth of a second of a [`SHORT`] window, in the window's unit.
pub fn dash(window: &[[f32; 2]; POINTS]) -> f32 {
    // Three of the fifteen steps of half a second.
    window.windows(4).map(|part| (part[3][0] - part[0][0]).abs()).fold(0.0, f32::max)
}

/// The motion that the head tells: the likeliest, when it is at least `min_probability` likely and belongs to the point that is
/// followed (a swipe is an open hand's, a turn a pointing finger's).
pub fn told(probabilities: &[f32; CLASSES], followed: Followed, min_probability: f32) -> Option<Told> {
    let (index, probability) = best(probabilities)?;
    let gesture = *MOTIONS.get(index.checked_sub(1)?)?;
    let fits = gesture.is_swipe() == (followed == Followed::Palm);
    (fits && probability >= min_probability).then_some(Told { gesture, probability })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    fn straight(step_ms: u64, count: u64) -> Track {
        let mut track = Track::default();
        for i in 0..count {
            track.push(at(i * step_ms), Followed::Finger, [(i * step_ms) as f32, 0.0]);
        }
        track
    }

    #[test]
    fn a_window_is_evenly_timed_whatever_the_frame_rate() {
        for step in [15, 33, 40, 66] {
            let track = straight(step, 60);
            let window = track.window(SHORT).expect("long enough");
            let end = (59 * step) as f32;
            for (i, [x, y]) in window.iter().enumerate() {
                let expected = end - 500.0 + 500.0 * i as f32 / 15.0;
                assert!(
                    (x - expected).abs() < 0.1 && *y == 0.0,
                    "every {step} ms, point {i}: {x}, {expected}"
                );
            }
        }
    }

    #[test]
    fn a_short_track_has_no_window() {
        assert!(straight(33, 10).window(SHORT).is_none());
        assert!(straight(33, 20).window(SHORT).is_some() && straight(33, 20).window(LONG).is_none());
        assert!(Track::default().window(SHORT).is_none());
    }

    #[test]
    fn a_lost_hand_another_pose_and_a_clock_that_goes_back_begin_a_new_track() {
        for (ms, followed) in
            [(1000 + 400, Followed::Finger), (1000, Followed::Palm), (900, Followed::Finger)]
        {
            let mut track = straight(33, 31);
            assert!(track.window(SHORT).is_some());
            track.push(at(ms), followed, [0.0; 2]);
            assert!(track.window(SHORT).is_none(), "{ms} {followed:?}");
        }
    }

    #[test]
    fn a_stroke_that_outran_the_camera_is_followed_over_the_gap() {
        let mut track = straight(33, 10);
        track.push(at(297 + 330), Followed::Finger, [627.0, 0.0]);
        let window = track.window(SHORT).expect("goes on");
        assert!(window.windows(2).all(|two| two[1][0] > two[0][0]), "{window:?}");
    }

    #[test]
    fn the_dash_of_a_stroke_is_its_quickest_tenth_sideways() {
        let mut window = straight(33, 40).window(SHORT).expect("long enough");
        assert!((dash(&window) - 100.0).abs() < 0.1, "a hundred in a tenth of a second");
        window[8][1] += 500.0;
        assert!((dash(&window) - 100.0).abs() < 0.1, "up and down does not count");
        window[15][0] += 40.0;
        assert!((dash(&window) - 140.0).abs() < 0.1);
    }

    #[test]
    fn place_and_size_of_a_motion_do_not_change_its_features() {
        let window = straight(33, 40).window(SHORT).expect("long enough");
        let moved = window.map(|[x, y]| [3.0 * x - 100.0, 3.0 * y + 50.0]);
        let (a, b) = (features(&window, Followed::Finger), features(&moved, Followed::Finger));
        let (a, b) = (a.expect("moves"), b.expect("moves"));
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4));
        assert_eq!((a[0], a[30], a[32]), (-1.0, 1.0, 1.0));
    }

    #[test]
    fn a_hand_at_rest_has_no_features() {
        assert_eq!(features(&[[4.0, 2.0]; POINTS], Followed::Palm), None);
        assert_eq!(features(&[[f32::NAN; 2]; POINTS], Followed::Palm), None);
    }

    #[test]
    fn a_swipe_is_an_open_hands_and_a_turn_a_fingers() {
        let swipe = [0.0, 1.0, 0.0, 0.0, 0.0];
        let turn = [0.0, 0.0, 0.0, 0.9, 0.1];
        assert_eq!(told(&swipe, Followed::Palm, 0.7).map(|told| told.gesture), Some(Gesture::SwipeLeft));
        assert_eq!(told(&swipe, Followed::Finger, 0.7), None);
        assert_eq!(
            told(&turn, Followed::Finger, 0.7).map(|told| told.gesture),
            Some(Gesture::RotateClockwise)
        );
        assert_eq!(told(&turn, Followed::Palm, 0.7), None);
        assert_eq!(told(&[1.0, 0.0, 0.0, 0.0, 0.0], Followed::Palm, 0.7), None);
    }

    proptest! {
        #[test]
        fn a_window_lies_within_what_was_pushed(steps in prop::collection::vec((1u64..160, -5.0f32..5.0), 1..200)) {
            let mut track = Track::default();
            let (mut ms, mut low, mut high) = (0, f32::INFINITY, f32::NEG_INFINITY);
            for (step, x) in steps {
                ms += step;
                (low, high) = (low.min(x), high.max(x));
                track.push(at(ms), Followed::Palm, [x, -x]);
                for span in [SHORT, LONG] {
                    if let Some(window) = track.window(span) {
                        prop_assert!(window.iter().all(|[x, y]| *x >= low - 1e-3 && *x <= high + 1e-3 && (x + y).abs() < 1e-3));
                        prop_assert!((window[POINTS - 1][0] - x).abs() < 1e-3);
                    }
                }
            }
        }
    }
}
