//! Steering: reversals and corrections of the wheel, against this driver's own.
//!
//! A *reversal* is a turn of the wheel by more than a gap between two points at which its angle stands still, in either
//! sense, after a low-pass: Markkula and Engstroem, "A steering wheel reversal rate metric for assessing effects of visual
//! and cognitive secondary task load", ITS World Congress 2006, and SAE J2944 (2015). Large reversals are theirs, a gap of
//! 3 degrees under 0.6 Hz. They filter forwards and backwards over a recording; here the section of second order runs twice
//! forwards: the same attenuation, and a delay that a rate does not show. *Corrections* are counted in the same way with a gap
//! of 0.5 degrees under 2 Hz (their small reversals have 0.1 degrees, which the quantised angle of many vehicles does not have).
//!
//! A tired driver corrects less often and more coarsely (Thiffault and Bergeron, Accident Analysis and Prevention 35, 2003):
//! the score is how many times more large reversals there are than usual, over how many times as many corrections, as
//! logarithms. It is trained on nothing and confounded with curves and wind: its confidence is low.

use std::collections::VecDeque;

use troika_kit::Time;

use crate::{Evidence, Says, filter::Section, seconds};

/// The grid that the angle is brought to, Hz: ten times the higher cut-off.
const GRID_HZ: f64 = 25.0;
/// Signals further apart than this (seconds) leave something unseen.
const GAP_S: f32 = 0.25;
/// After a gap the filters settle for this long (seconds) before reversals count: two periods of 0.6 Hz.
const SETTLE_S: f32 = 3.0;
/// Angles beyond this (degrees) turn a corner; they do not hold a lane.
const CORNER_DEG: f32 = 45.0;
/// Large reversals: gap in degrees, cut-off in Hz.
const LARGE: (f64, f64) = (3.0, 0.6);
/// Corrections.
const SMALL: (f64, f64) = (0.5, 2.0);
/// Seconds of driving in the window.
const WINDOW_S: f64 = 60.0;
/// Seconds of driving that the baseline is learnt from.
const BASELINE_S: f64 = 300.0;
/// Added to each rate (a minute) before the logarithm: a rate of zero is little, not infinitely little.
const LITTLE: f32 = 2.0;
/// Reversals held of each kind: ten a second for a minute.
const HELD: usize = 600;
/// The confidence at best.
const MOST_SURE: f32 = 0.4;

/// Counts reversals in samples, one after another.
#[derive(Debug, Clone)]
struct Reversals {
    gap: f64,
    sections: [Section; 2],
    last: Option<f64>,
    slope: f64,
    /// The stationary points from which a turn up and a turn down are measured.
    low: Option<f64>,
    high: Option<f64>,
}

impl Reversals {
    fn new((gap, cut_hz): (f64, f64)) -> Option<Reversals> {
        let section = Section::low_pass(GRID_HZ, cut_hz)?;
        let sections = [section.clone(), section];
        Some(Reversals { gap, sections, last: None, slope: 0.0, low: None, high: None })
    }

    fn reset(&mut self) {
        self.sections.iter_mut().for_each(Section::reset);
        (self.last, self.slope, self.low, self.high) = (None, 0.0, None, None);
    }

    /// True when the sample ends a reversal.
    fn take(&mut self, angle: f64) -> bool {
        let [first, second] = &mut self.sections;
        let angle = second.run(first.run(angle));
        let Some(last) = self.last.replace(angle) else {
            (self.low, self.high) = (Some(angle), Some(angle));
            return false;
        };
        // What a settled filter's rounding leaves is no movement.
        const STILL_DEG: f64 = 1e-6;
        let slope = if (angle - last).abs() < STILL_DEG { 0.0 } else { (angle - last).signum() };
        let before = core::mem::replace(&mut self.slope, slope);
        if before == 0.0 || before == slope {
            return false;
        }
        self.stands(last)
    }

    /// The wheel stood still at this angle.
    fn stands(&mut self, angle: f64) -> bool {
        let (low, high) = (self.low.unwrap_or(angle), self.high.unwrap_or(angle));
        let up = angle - low > self.gap;
        let down = high - angle > self.gap;
        if up || angle <= low {
            self.low = Some(angle);
        }
        if down || angle >= high {
            self.high = Some(angle);
        }
        up || down
    }
}

/// Rates a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Large reversals.
    pub reversals: f32,
    /// Corrections.
    pub corrections: f32,
}

/// The steering of one driver.
#[derive(Debug)]
pub struct Steering {
    above_kmh: f32,
    large: Reversals,
    small: Reversals,
    last: Option<(Time, f32)>,
    /// Grid time since `last` that is not filled yet, seconds.
    left_s: f64,
    settled_s: f32,
    /// Driving time so far, seconds: the line that reversals lie on.
    driven_s: f64,
    events: [VecDeque<f64>; 2],
    learnt: [u32; 2],
    base: Option<Rates>,
    /// When the wheel of a moving vehicle was last seen, on the host's time line.
    at: Option<Time>,
}

impl Steering {
    /// For speeds over `above_kmh`: at less, the wheel follows streets and not the lane.
    ///
    /// # Panics
    /// Never: the filters' constants are sound.
    pub fn new(above_kmh: f32) -> Steering {
        let reversals = |of| Reversals::new(of).expect("cut-offs are under half the grid's rate");
        Steering {
            above_kmh,
            large: reversals(LARGE),
            small: reversals(SMALL),
            last: None,
            left_s: 0.0,
            settled_s: 0.0,
            driven_s: 0.0,
            events: [VecDeque::with_capacity(HELD), VecDeque::with_capacity(HELD)],
            learnt: [0; 2],
            base: None,
            at: None,
        }
    }

    /// Takes one message of the vehicle: its stamp, when it reached this host, the speed, the wheel's angle in degrees.
    pub fn take(&mut self, stamp: Time, received: Time, speed_kmh: f32, angle_deg: f32) {
        let driving = speed_kmh.is_finite() && speed_kmh.abs() > self.above_kmh;
        if !(driving && angle_deg.is_finite() && angle_deg.abs() <= CORNER_DEG) {
            self.gap();
            return;
        }
        match self.last {
            Some((last, _)) if stamp <= last => return,
            Some((last, from)) if seconds(last, stamp) <= GAP_S => {
                self.fill(seconds(last, stamp), from, angle_deg);
            }
            _ => {
                self.gap();
                self.sample(f64::from(angle_deg));
            }
        }
        self.last = Some((stamp, angle_deg));
        self.at = Some(received);
    }

    /// Lays grid points between two messages, in a straight line.
    fn fill(&mut self, step_s: f32, from: f32, to: f32) {
        let (step, grid) = (f64::from(step_s), 1.0 / GRID_HZ);
        let mut at = grid - self.left_s;
        while at <= step {
            self.sample(f64::from(from) + f64::from(to - from) * at / step);
            at += grid;
        }
        self.left_s = step - (at - grid);
        self.settled_s += step_s;
        if self.settled_s > SETTLE_S {
            self.driven_s += step;
        }
        if self.base.is_none() && self.driven_s >= BASELINE_S {
            let minutes = self.driven_s / 60.0;
            let [reversals, corrections] = self.learnt.map(|count| (f64::from(count) / minutes) as f32);
            self.base = Some(Rates { reversals, corrections });
        }
    }

    fn sample(&mut self, angle: f64) {
        let found = [self.large.take(angle), self.small.take(angle)];
        if self.settled_s <= SETTLE_S {
            return;
        }
        for ((found, events), learnt) in found.into_iter().zip(&mut self.events).zip(&mut self.learnt) {
            while events.front().is_some_and(|at| *at < self.driven_s - WINDOW_S) {
                events.pop_front();
            }
            if found {
                if events.len() == HELD {
                    events.pop_front();
                }
                events.push_back(self.driven_s);
                *learnt += 1;
            }
        }
    }

    fn gap(&mut self) {
        self.large.reset();
        self.small.reset();
        (self.last, self.left_s, self.settled_s) = (None, 0.0, 0.0);
    }

    /// Rates over the last minute of driving; `None` until there was one.
    pub fn rates(&self) -> Option<Rates> {
        // The window is a minute, so a count is a rate.
        let [reversals, corrections] = [0, 1].map(|kind: usize| {
            self.events[kind].iter().filter(|at| **at >= self.driven_s - WINDOW_S).count() as f32
        });
        (self.driven_s >= WINDOW_S).then_some(Rates { reversals, corrections })
    }

    /// What the steering says. Its age is that of the last message of a vehicle that drove.
    pub fn says(&self) -> Says {
        let (Some(base), Some(now), Some(at)) = (self.base, self.rates(), self.at) else {
            return match self.driven_s / BASELINE_S {
                done if done > 0.0 => Says::Calibrating(done.min(1.0) as f32),
                _ => Says::Nothing,
            };
        };
        let times = |now: f32, base: f32| ((now + LITTLE) / (base + LITTLE)).ln();
        let score = times(now.reversals, base.reversals) - times(now.corrections, base.corrections);
        Evidence::new(score, MOST_SURE, at).map_or(Says::Nothing, Says::Evidence)
    }

    /// Another driver may be there.
    pub fn forget(&mut self) {
        *self = Steering::new(self.above_kmh);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Drives for `seconds` at 50 Hz; the angle is a function of the time.
    fn drive(steering: &mut Steering, from_s: u32, seconds: u32, speed: f32, angle: impl Fn(f32) -> f32) {
        for n in from_s * 50..(from_s + seconds) * 50 {
            let at = Time::from_nanos(1_700_000_000_000_000_000 + u64::from(n) * 20_000_000);
            steering.take(at, at, speed, angle(n as f32 / 50.0));
        }
    }

    fn sine(hz: f32, degrees: f32) -> impl Fn(f32) -> f32 {
        move |t| degrees * (core::f32::consts::TAU * hz * t).sin()
    }

    fn rates(angle: impl Fn(f32) -> f32) -> Rates {
        let mut steering = Steering::new(60.0);
        drive(&mut steering, 0, 90, 100.0, angle);
        steering.rates().expect("a minute of driving")
    }

    #[test]
    fn a_swing_is_two_reversals() {
        // 0.2 Hz and 4 degrees peak to peak: 12 swings a minute, well under both cut-offs.
        let rates = rates(sine(0.2, 2.0));
        assert!(
            (rates.reversals - 24.0).abs() <= 1.0 && (rates.corrections - 24.0).abs() <= 1.0,
            "{rates:?}"
        );
    }

    #[test]
    fn the_gap_is_three_degrees_and_half_a_degree() {
        assert_eq!(rates(sine(0.1, 1.4)).reversals, 0.0);
        assert!(rates(sine(0.1, 1.6)).reversals >= 11.0);
        assert_eq!(rates(sine(0.1, 0.24)).corrections, 0.0);
        assert!(rates(sine(0.1, 0.26)).corrections >= 11.0);
    }

    #[test]
    fn what_is_over_the_cut_off_is_no_reversal() {
        // 4 degrees at 1.5 Hz: a sixth of it passes 0.6 Hz twice, all but a fifth 2 Hz.
        let shaken = rates(sine(1.5, 2.0));
        assert_eq!(shaken.reversals, 0.0);
        assert!((shaken.corrections - 180.0).abs() <= 3.0, "{shaken:?}");
        assert_eq!(rates(|_| 12.0), Rates { reversals: 0.0, corrections: 0.0 });
    }

    #[test]
    fn a_turn_that_goes_on_is_no_reversal_yet() {
        assert_eq!(rates(|t| t * 0.3).reversals, 0.0);
    }

    #[test]
    fn standing_slow_cornering_and_silent_vehicles_say_nothing() {
        for (speed, angle) in [(0.0, 0.0), (50.0, 0.0), (f32::NAN, 0.0), (100.0, f32::NAN), (100.0, 90.0)] {
            let mut steering = Steering::new(60.0);
            drive(&mut steering, 0, 400, speed, |_| angle);
            assert_eq!((steering.says(), steering.rates()), (Says::Nothing, None));
        }
        assert_eq!(Steering::new(60.0).says(), Says::Nothing);
    }

    #[test]
    fn coarse_steering_after_five_minutes_of_fine_steering_speaks_for_drowsiness() {
        let fine = |t: f32| sine(0.4, 0.5)(t) + sine(0.05, 1.0)(t);
        let mut steering = Steering::new(60.0);
        drive(&mut steering, 0, 200, 100.0, fine);
        assert!(matches!(steering.says(), Says::Calibrating(done) if (0.6..0.7).contains(&done)));
        drive(&mut steering, 200, 200, 100.0, fine);
        let usual = steering.says().evidence().expect("calibrated");
        assert!(usual.log_odds().abs() < 0.3, "{usual:?}");
        drive(&mut steering, 400, 90, 100.0, sine(0.1, 5.0));
        let coarse = steering.says().evidence().expect("calibrated");
        assert!(coarse.log_odds() > 1.0, "{coarse:?}");
        // It stands at a light: what was said grows old, and is not said anew.
        drive(&mut steering, 490, 30, 0.0, |_| 0.0);
        assert_eq!(steering.says().evidence().expect("said before").at(), coarse.at());
    }

    #[test]
    fn a_gap_is_no_steering() {
        let mut steering = Steering::new(60.0);
        for minute in 0..20 {
            // From left to right while nobody looked.
            drive(&mut steering, minute * 10, 5, 100.0, |_| if minute % 2 == 0 { 20.0 } else { -20.0 });
        }
        drive(&mut steering, 200, 70, 100.0, |_| 20.0);
        assert_eq!(steering.rates(), Some(Rates { reversals: 0.0, corrections: 0.0 }));
    }

    proptest! {
        #[test]
        fn whatever_comes_the_rates_are_sound(
            messages in proptest::collection::vec((0_u64..400, -200.0_f32..200.0, -100.0_f32..100.0), 1..600)
        ) {
            let mut steering = Steering::new(60.0);
            let mut ms = 1_000;
            for (step, speed, angle) in messages {
                ms += step;
                let at = Time::from_nanos(ms * 1_000_000);
                steering.take(at, at, speed, angle);
                if let Some(rates) = steering.rates() {
                    prop_assert!(rates.reversals <= 600.0 && rates.corrections >= 0.0);
                }
            }
        }
    }
}
