//! Openness of the eyes to blinks, each measured as in the data that the head was trained on (`blink_video.py` of
//! rezaghoddoosian/Early-Drowsiness-Detection): from the last moment before the lids fall, over the lowest point, to the end of
//! their rise.
//!
//! A frame that does not show the eyes, and frames further apart than 0.1 s, are a gap: a blink with a gap in it is no blink, and
//! a gap alone never is one.

use troika_kit::Time;

use crate::seconds;

/// One blink.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blink {
    /// The last frame before the lids fell.
    pub start: Time,
    /// The frame at which they stopped rising.
    pub end: Time,
    /// How far the lids fell, the mean of both ways, in openness (0..1).
    pub amplitude: f32,
    /// From start to end, seconds.
    pub duration_s: f32,
    /// Mean velocity of the reopening, openness a second.
    pub velocity: f32,
}

/// Frames further apart than this (seconds) leave something unseen: three at 30 Hz.
const GAP_S: f32 = 0.1;
/// Under this share of the open eye's openness the lids are down.
const DOWN: f32 = 0.5;
/// Over this share they are up again; between the two, what was before holds.
const UP: f32 = 0.6;
/// A step of openness between two frames that is less than this is no movement: half the eye network's noise between frames.
const STILL: f32 = 0.02;
/// Openness above the lowest point that is still the lowest point: where the reopening begins.
const FLOOR: f32 = 0.05;
/// Lids that rise for longer than this (seconds) do not reopen from a blink, they open.
const RISE_S: f32 = 0.7;
/// The fall and the rise of a blink differ by less than this factor (the same rule as in the data).
const BALANCE: f32 = 4.0;
/// A longer closure (seconds) is sleep, not a blink: the monitor's alert has been there for long.
const LONGEST_S: f32 = 10.0;
/// Frames looked back for the beginning of the fall: 0.5 s at 30 Hz.
const LOOK_BACK: usize = 16;
/// The open eye's openness is followed up at once and down with this time constant, seconds.
const OPEN_S: f32 = 10.0;
/// The least openness that is taken for an open eye.
const LEAST_OPEN: f32 = 0.4;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Frame {
    at: Time,
    openness: f32,
}

#[derive(Debug, Clone, Copy)]
enum Lids {
    Up,
    Down { start: Frame, low: f32, low_until: Frame },
    Rising { start: Frame, low: f32, low_until: Frame, top: Frame },
}

/// Finds blinks.
#[derive(Debug)]
pub struct Blinks {
    past: [Frame; LOOK_BACK],
    held: usize,
    open: f32,
    lids: Lids,
    seen_s: f32,
}

impl Default for Blinks {
    fn default() -> Self {
        let none = Frame { at: Time::ZERO, openness: 0.0 };
        Blinks { past: [none; LOOK_BACK], held: 0, open: LEAST_OPEN, lids: Lids::Up, seen_s: 0.0 }
    }
}

impl Blinks {
    /// Takes the frame of `at`: the mean openness of the eyes that are seen, 0 closed to 1 open. A blink, when the lids have
    /// just finished rising. Frames that are not newer than the last are left out.
    pub fn take(&mut self, at: Time, openness: Option<f32>) -> Option<Blink> {
        let Some(openness) = openness.filter(|open| open.is_finite()).map(|open| open.clamp(0.0, 1.0)) else {
            self.gap();
            return None;
        };
        let frame = Frame { at, openness };
        let step_s = match self.newest() {
            Some(last) if at <= last.at => return None,
            Some(last) => seconds(last.at, at),
            None => 0.0,
        };
        if step_s > GAP_S {
            self.gap();
        } else {
            self.seen_s += step_s;
        }
        if matches!(self.lids, Lids::Up) {
            let fall = (self.open - openness) * (step_s / OPEN_S).min(1.0);
            self.open = openness.max(self.open - fall).max(LEAST_OPEN);
        }
        let blink = self.follow(frame);
        self.past.rotate_right(1);
        self.past[0] = frame;
        self.held = (self.held + 1).min(LOOK_BACK);
        blink
    }

    /// Seconds in which the eyes were seen, since the start.
    pub fn seen_s(&self) -> f32 {
        self.seen_s
    }

    /// Forgets the driver.
    pub fn reset(&mut self) {
        *self = Blinks::default();
    }

    fn newest(&self) -> Option<Frame> {
        (self.held > 0).then(|| self.past[0])
    }

    fn gap(&mut self) {
        self.held = 0;
        self.lids = Lids::Up;
    }

    fn follow(&mut self, frame: Frame) -> Option<Blink> {
        let (down, up) = (DOWN * self.open, UP * self.open);
        self.lids = match self.lids {
            Lids::Up if frame.openness < down => match self.fall() {
                Some(start) => Lids::Down { start, low: frame.openness, low_until: frame },
                // The eyes were closed when they came into view: nobody saw the beginning.
                None => Lids::Up,
            },
            Lids::Up => Lids::Up,
            Lids::Down { start, .. } if seconds(start.at, frame.at) > LONGEST_S => {
                self.held = 0;
                Lids::Up
            }
            Lids::Down { start, low, low_until } => {
                let low = low.min(frame.openness);
                let low_until = if frame.openness <= low + FLOOR { frame } else { low_until };
                if frame.openness > up {
                    Lids::Rising { start, low, low_until, top: frame }
                } else {
                    Lids::Down { start, low, low_until }
                }
            }
            // Down again before they were all up: one closure.
            Lids::Rising { start, low, low_until, .. } if frame.openness < down => {
                Lids::Down { start, low, low_until }
            }
            Lids::Rising { start, low, low_until, top } => {
                let rises = frame.openness > top.openness + STILL;
                if rises && seconds(low_until.at, frame.at) <= RISE_S {
                    Lids::Rising { start, low, low_until, top: frame }
                } else {
                    self.lids = Lids::Up;
                    return measured(start, low, low_until, top);
                }
            }
        };
        None
    }

    /// The last frame before the fall that the newest frames are in; `None` when the fall began before what was seen.
    fn fall(&self) -> Option<Frame> {
        let past = &self.past[..self.held];
        let mut start = *past.first()?;
        for earlier in &past[1..] {
            if earlier.openness <= start.openness + STILL {
                break;
            }
            start = *earlier;
        }
        (start.openness >= UP * self.open).then_some(start)
    }
}

fn measured(start: Frame, low: f32, low_until: Frame, top: Frame) -> Option<Blink> {
    let (fell, rose) = (start.openness - low, top.openness - low);
    let balanced = fell > 0.0 && rose > 0.0 && fell < BALANCE * rose && rose < BALANCE * fell;
    let rise_s = seconds(low_until.at, top.at);
    (balanced && rise_s > 0.0).then(|| Blink {
        start: start.at,
        end: top.at,
        amplitude: (fell + rose) / 2.0,
        duration_s: seconds(start.at, top.at),
        velocity: (top.openness - low_until.openness) / rise_s,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(frame: u64) -> Time {
        Time::from_nanos(1_700_000_000_000_000_000 + frame * 1_000_000_000 / 30)
    }

    fn blinks(openness: impl IntoIterator<Item = Option<f32>>) -> Vec<Blink> {
        let mut blinks = Blinks::default();
        (0..).zip(openness).filter_map(|(n, open)| blinks.take(at(n), open)).collect()
    }

    fn seen(openness: &[f32]) -> Vec<Option<f32>> {
        openness.iter().copied().map(Some).collect()
    }

    /// Open for a second, down in 3 frames, closed for `closed`, up in `rise`, open for a second.
    fn one(closed: usize, rise: usize) -> Vec<Option<f32>> {
        let mut frames = vec![0.95; 30];
        frames.extend([0.65, 0.35, 0.05]);
        frames.extend(vec![0.05; closed]);
        frames.extend((1..=rise).map(|n| 0.05 + 0.9 * n as f32 / rise as f32));
        frames.extend(vec![0.95; 30]);
        seen(&frames)
    }

    #[test]
    fn a_blink_is_measured_from_the_lids_fall_to_their_full_rise() {
        let [blink] = blinks(one(2, 4))[..] else { panic!("one blink") };
        assert_eq!((blink.start, blink.end), (at(29), at(38)));
        assert!((blink.amplitude - 0.9).abs() < 1e-3 && (blink.duration_s - 0.3).abs() < 1e-3);
        // 0.9 in 4 frames.
        assert!((blink.velocity - 6.75).abs() < 0.01, "{blink:?}");
    }

    #[test]
    fn a_drowsy_blink_is_longer_and_reopens_more_slowly() {
        let (brisk, slow) = (blinks(one(1, 3))[0], blinks(one(8, 9))[0]);
        assert!(slow.duration_s > brisk.duration_s + 0.4 && slow.velocity < brisk.velocity / 2.0);
    }

    #[test]
    fn a_lost_face_is_a_gap_and_never_a_blink() {
        let mut frames = seen(&[0.95; 30]);
        frames.extend([None; 10]);
        frames.extend(seen(&[0.95; 30]));
        assert_eq!(blinks(frames), []);
        // Lost in mid-blink, and closed when found again.
        for lost in 31..39 {
            let mut frames = one(3, 4);
            frames[lost] = None;
            assert_eq!(blinks(frames), [], "lost in frame {lost}");
        }
    }

    #[test]
    fn frames_that_stay_away_are_a_gap() {
        let mut blinks = Blinks::default();
        let found = one(2, 4).into_iter().zip(0..).filter(|(_, n)| !(31..36).contains(n));
        assert_eq!(found.filter_map(|(open, n)| blinks.take(at(n), open)).count(), 0);
    }

    #[test]
    fn narrow_eyes_blink_too_and_a_glance_down_is_no_blink() {
        let narrow: Vec<_> = one(2, 4).into_iter().map(|open| open.map(|open| 0.6 * open)).collect();
        // The half of what is open follows within seconds.
        let mut frames = seen(&[0.57; 300]);
        frames.extend(narrow);
        assert_eq!(blinks(frames).len(), 1);
        let mut down = seen(&[0.95; 30]);
        down.extend(seen(&[0.6; 20]));
        down.extend(seen(&[0.95; 30]));
        assert_eq!(blinks(down), []);
    }

    #[test]
    fn noise_of_the_eye_network_makes_no_blinks_and_hides_none() {
        let mut state = 7_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            0.1 * ((state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5)
        };
        let frames = (0..50).flat_map(|_| one(2, 4)).map(|open| open.map(|open| open + noise()));
        let found = blinks(frames.collect::<Vec<_>>());
        assert_eq!(found.len(), 50);
        let mean = found.iter().map(|blink| blink.duration_s).sum::<f32>() / 50.0;
        assert!((mean - 0.3).abs() < 0.05, "{mean}");
    }

    #[test]
    fn sleep_is_no_blink_and_the_next_blink_is_one() {
        let mut frames = one(330, 4);
        frames.extend(one(2, 4));
        let found = blinks(frames);
        assert_eq!(found.len(), 1);
        assert!(found[0].duration_s < 0.4);
    }

    #[test]
    fn stamps_that_stand_or_go_back_are_left_out() {
        let mut blinks = Blinks::default();
        assert_eq!(blinks.take(at(5), Some(0.9)), None);
        let seen_s = blinks.seen_s();
        for n in [5, 4, 0] {
            assert_eq!(blinks.take(at(n), Some(0.0)), None);
        }
        assert_eq!(blinks.seen_s(), seen_s);
    }

    proptest! {
        #[test]
        fn whatever_comes_a_blink_has_sound_numbers(
            frames in proptest::collection::vec((0_u64..200, proptest::option::of(-0.5_f32..1.5)), 1..400)
        ) {
            let mut blinks = Blinks::default();
            let mut ms = 1_000_000;
            for (step, open) in frames {
                ms += step;
                if let Some(blink) = blinks.take(Time::from_nanos(ms * 1_000_000), open) {
                    prop_assert!(blink.end > blink.start && blink.duration_s > 0.0 && blink.duration_s < 11.0);
                    prop_assert!(blink.amplitude > 0.0 && blink.amplitude <= 1.0);
                    prop_assert!(blink.velocity.is_finite());
                }
            }
        }
    }
}
