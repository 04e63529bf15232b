//! What is normal for this driver: mean and deviation of the blinks at the beginning of a drive.
//!
//! The head was trained on features that were normalised by the person's own alert blinks, so there is no verdict before
//! there are enough of them. How many is [`BLINKS`]; the model's card has the curve. A driver who is drowsy from the first minute would make drowsiness
//! normal: a calibration with too many long blinks is thrown away, and the driver stays unknown.

use crate::blink::Blink;

/// Blinks that make a baseline. With 30 of them 11 % of an alert person's later windows are over the level that warns, with 40 8 %,
/// with 50 and more 1 to 2 % (`models/blink_drowsiness/README.md`).
pub const BLINKS: usize = 50;
/// They are seen in at least this long, seconds: blinks come in bursts, and some people blink 40 times a minute.
pub const LEAST_S: f32 = 120.0;
/// A blink over this is long (seconds), as in the drowsiness rules.
const LONG_S: f32 = 0.5;
/// With more long blinks than this share, the driver is not taken to be alert.
const LONG_SHARE: f32 = 0.1;
/// Closures over this (seconds) are counted as long and left out of mean and deviation, which one of them would spoil.
const OUTLIER_S: f32 = 1.0;
/// The least deviation of the duration, seconds: what a camera of 30 frames a second leaves of two equal blinks.
const LEAST_DURATION: f32 = 0.02;
/// The least deviation of the velocity, as a share of its mean.
const LEAST_VELOCITY: f32 = 0.1;
/// Beyond this a feature says no more; the head clips there too.
const CLIP: f32 = 6.0;

/// A running mean and deviation (Welford 1962).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Running {
    count: f32,
    mean: f32,
    squares: f32,
}

impl Running {
    fn take(&mut self, value: f32) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    fn deviation(&self) -> f32 {
        (self.squares / self.count.max(1.0)).sqrt()
    }
}

/// The calibration of one driver.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    duration: Running,
    velocity: Running,
    taken: usize,
    long: usize,
    seen_s: f32,
    ready: bool,
}

impl Baseline {
    /// Takes a blink; `seen_s` is how long the eyes were seen since the calibration began.
    pub fn take(&mut self, blink: &Blink, seen_s: f32) {
        self.taken += 1;
        self.seen_s = seen_s;
        self.long += usize::from(blink.duration_s > LONG_S);
        if blink.duration_s <= OUTLIER_S {
            self.duration.take(blink.duration_s);
            self.velocity.take(blink.velocity);
        }
        if self.taken >= BLINKS && self.seen_s >= LEAST_S {
            if self.long as f32 > LONG_SHARE * self.taken as f32 {
                *self = Baseline::default();
            } else {
                self.ready = true;
            }
        }
    }

    /// Whether there is a baseline.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether nothing was taken since the start, or since a calibration was thrown away.
    pub fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// 0..1 of the calibration.
    pub fn progress(&self) -> f32 {
        let blinks = self.taken as f32 / BLINKS as f32;
        if self.ready { 1.0 } else { blinks.min(self.seen_s / LEAST_S).clamp(0.0, 1.0) }
    }

    /// Duration and velocity of a blink against the baseline, as the head takes them; `None` before there is one.
    pub fn normalise(&self, blink: &Blink) -> Option<[f32; 2]> {
        if !self.ready {
            return None;
        }
        let against = |value: f32, of: &Running, least: f32| {
            ((value - of.mean) / of.deviation().max(least)).clamp(-CLIP, CLIP)
        };
        let least = (LEAST_VELOCITY * self.velocity.mean.abs()).max(f32::MIN_POSITIVE);
        let made = [
            against(blink.duration_s, &self.duration, LEAST_DURATION),
            against(blink.velocity, &self.velocity, least),
        ];
        made.iter().all(|value| value.is_finite()).then_some(made)
    }
}

#[cfg(test)]
mod tests {
    use troika_kit::Time;

    use super::*;

    fn blink(duration_s: f32, velocity: f32) -> Blink {
        Blink { start: Time::ZERO, end: Time::ZERO, amplitude: 0.9, duration_s, velocity }
    }

    /// A driver who blinks once in three seconds; durations and velocities in turn.
    fn after(count: usize, durations: [f32; 2]) -> Baseline {
        let mut baseline = Baseline::default();
        for n in 0..count {
            baseline.take(&blink(durations[n % 2], [6.0, 8.0][n % 2]), 3.0 * (n + 1) as f32);
        }
        baseline
    }

    #[test]
    fn there_is_no_baseline_before_enough_blinks_and_enough_time() {
        assert!(!after(BLINKS - 1, [0.25, 0.35]).is_ready());
        assert!(after(BLINKS, [0.25, 0.35]).is_ready());
        let mut hasty = Baseline::default();
        (0..80).for_each(|_| hasty.take(&blink(0.3, 7.0), 100.0));
        assert!(!hasty.is_ready() && hasty.progress() < 1.0);
        assert_eq!(hasty.normalise(&blink(0.3, 7.0)), None);
        hasty.take(&blink(0.3, 7.0), 120.0);
        assert!(hasty.is_ready());
    }

    #[test]
    fn a_blink_is_told_in_the_drivers_own_deviations() {
        let baseline = after(BLINKS, [0.25, 0.35]);
        let [duration, velocity] = baseline.normalise(&blink(0.45, 5.0)).expect("a baseline");
        assert!((duration - 3.0).abs() < 1e-3 && (velocity + 2.0).abs() < 1e-3, "{duration} {velocity}");
    }

    #[test]
    fn a_driver_who_starts_drowsy_is_not_taken_for_normal() {
        let drowsy = after(BLINKS, [0.3, 0.7]);
        assert!(!drowsy.is_ready() && drowsy.is_empty());
    }

    #[test]
    fn a_very_even_blinker_has_no_huge_numbers() {
        let baseline = after(BLINKS, [0.3, 0.3]);
        let [duration, _] = baseline.normalise(&blink(0.333, 7.0)).expect("a baseline");
        assert!(duration < 2.0, "{duration}");
        assert_eq!(baseline.normalise(&blink(9.0, 7.0)).expect("a baseline")[0], CLIP);
    }
}
