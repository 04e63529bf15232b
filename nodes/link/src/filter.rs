//! One positive quantity (a round-trip time, a rate) as a belief that ages: a Kalman filter over its logarithm with a level and a slope
//! that fades (a damped local linear trend; Gardner and McKenzie, "Forecasting trends in time series", 1985). In the logarithm, because
//! both halve and double rather than rise and fall by so much.

use troika_kit::Time;

/// What the quantity does between samples and what a sample is worth, in natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    /// How far it wanders in a second (standard deviation).
    pub(crate) wander: f64,
    /// How far one sample is off.
    pub(crate) sample: f64,
    /// How steep its slope commonly is, a second.
    pub(crate) slope: f64,
    /// For how long a slope goes on, s.
    pub(crate) slope_lasts_s: f64,
    /// What is possible at all, in the quantity's own unit; a sample outside is taken for the nearest.
    pub(crate) bounds: (f64, f64),
}

/// A jump is one that the belief gives less than 3 in 1,000.
const JUMP: f64 = 3.0;
/// Nothing is learnt from how long a pause was beyond this: by then nothing is known.
const LONGEST_S: f64 = 3600.0;
/// A first sample that is but a lower bound: the truth may be three times as much as well as the same.
const BOUND_SD: f64 = 1.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Filter {
    noise: Noise,
    belief: Option<Belief>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Belief {
    at: Time,
    level: f64,
    slope: f64,
    /// Variances of level and slope, and what they have in common.
    level_var: f64,
    both: f64,
    slope_var: f64,
}

impl Filter {
    pub(crate) const fn new(noise: Noise) -> Filter {
        Filter { noise, belief: None }
    }

    /// Takes a sample in. Not a number, or not over zero: left out. `bound`: the true value may be larger.
    pub(crate) fn update(&mut self, now: Time, value: f64, bound: bool) {
        if !(value.is_finite() && value > 0.0) {
            return;
        }
        let (lowest, highest) = self.noise.bounds;
        let y = value.clamp(lowest, highest).ln();
        let r = self.noise.sample * self.noise.sample;
        let Some(belief) = &self.belief else {
            let level_var = if bound { BOUND_SD * BOUND_SD } else { r };
            let slope_var = self.noise.slope * self.noise.slope;
            let belief = Belief { at: now, level: y, slope: 0.0, level_var, both: 0.0, slope_var };
            self.belief = Some(belief);
            return;
        };
        let mut next = belief.at(&self.noise, now);
        let off = y - next.level;
        if bound && off <= 0.0 {
            return;
        }
        let mut s = next.level_var + r;
        if off * off > JUMP * JUMP * s {
            // The link has become another one: what was believed of the level counts for little.
            s = off * off / (JUMP * JUMP);
            next.level_var = s - r;
        }
        let (gain, slope_gain) = (next.level_var / s, next.both / s);
        next.level += gain * off;
        next.slope = (next.slope + slope_gain * off).clamp(-1.0, 1.0);
        next.slope_var = (next.slope_var - slope_gain * next.both).max(0.0);
        next.level_var *= 1.0 - gain;
        next.both *= 1.0 - gain;
        self.belief = Some(next);
    }

    /// Mean and standard deviation of the logarithm at `now`, and the slope a second; none before the first sample.
    pub(crate) fn believed(&self, now: Time) -> Option<(f64, f64, f64)> {
        let belief = self.belief.as_ref()?.at(&self.noise, now);
        let (lowest, highest) = self.noise.bounds;
        Some((belief.level.clamp(lowest.ln(), highest.ln()), belief.level_var.sqrt(), belief.slope))
    }

    /// What a sample now would tell, in nats: half the logarithm of how much it narrows the variance. `prior_sd` stands for the belief
    /// where there is none.
    pub(crate) fn gain(&self, now: Time, prior_sd: f64) -> f64 {
        let sd = self.believed(now).map_or(prior_sd, |(_, sd, _)| sd.min(prior_sd));
        0.5 * (sd * sd / (self.noise.sample * self.noise.sample)).ln_1p()
    }
}

impl Belief {
    /// What it becomes without a sample. A clock that went back is no time passed.
    fn at(&self, noise: &Noise, now: Time) -> Belief {
        let dt = now.since(self.at).as_secs_f64().min(LONGEST_S);
        let left = (-dt / noise.slope_lasts_s).exp();
        let reach = noise.slope_lasts_s * (1.0 - left);
        let from_slope = 2.0 * reach * self.both + reach * reach * self.slope_var;
        let steepest = noise.slope * noise.slope;
        Belief {
            at: self.at.max(now),
            level: self.level + reach * self.slope,
            slope: self.slope * left,
            // Never less than it was: an older sample is never a surer one.
            level_var: self.level_var + from_slope.max(0.0) + noise.wander * noise.wander * dt,
            both: left * (self.both + reach * self.slope_var),
            slope_var: left * left * self.slope_var + steepest * (1.0 - left * left),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use troika_kit::Duration;

    use super::*;

    const RATE: Noise =
        Noise { wander: 0.2, sample: 0.2, slope: 0.1, slope_lasts_s: 5.0, bounds: (1.0, 1e6) };

    fn at(seconds: f64) -> Time {
        Time::from_stamp(1_000, 0) + Duration::from_secs_f64(seconds)
    }

    fn fed(samples: impl IntoIterator<Item = (f64, f64)>) -> Filter {
        let mut filter = Filter::new(RATE);
        samples.into_iter().for_each(|(then, value)| filter.update(at(then), value, false));
        filter
    }

    #[test]
    fn a_steady_rate_is_believed_and_the_range_narrows() {
        let filter = fed((0..20).map(|n| (f64::from(n), 2_000.0)));
        let (level, sd, slope) = filter.believed(at(19.0)).unwrap();
        assert!((level.exp() - 2_000.0).abs() < 20.0, "{}", level.exp());
        assert!(sd < 0.2 && slope.abs() < 0.01, "{sd} {slope}");
    }

    #[test]
    fn a_rate_that_falls_to_a_twentieth_is_believed_at_the_second_sample() {
        let mut filter = fed((0..20).map(|n| (f64::from(n), 2_000.0)));
        filter.update(at(20.0), 100.0, false);
        filter.update(at(21.0), 100.0, false);
        let (level, ..) = filter.believed(at(21.0)).unwrap();
        assert!(level.exp() < 150.0, "{}", level.exp());
    }

    #[test]
    fn a_rate_that_rises_by_a_tenth_a_second_has_a_trend() {
        let filter = fed((0..30).map(|n| (f64::from(n), 100.0 * 1.1_f64.powi(n))));
        let (_, _, slope) = filter.believed(at(29.0)).unwrap();
        assert!(slope > 0.03, "{slope}");
    }

    #[test]
    fn a_lower_bound_raises_a_belief_and_never_lowers_it() {
        let mut filter = fed((0..5).map(|n| (f64::from(n), 500.0)));
        let before = filter.believed(at(5.0));
        filter.update(at(5.0), 20.0, true);
        assert_eq!(filter.believed(at(5.0)), before);
        filter.update(at(5.0), 5_000.0, true);
        assert!(filter.believed(at(5.0)).unwrap().0.exp() > 600.0);
    }

    proptest! {
        #[test]
        fn an_older_sample_is_never_a_surer_one(
            samples in prop::collection::vec((0.0..100.0_f64, any::<f64>(), any::<bool>()), 1..60),
            pauses in prop::collection::vec(0.0..1e5_f64, 2..20),
        ) {
            let mut filter = Filter::new(RATE);
            for (then, value, bound) in samples {
                filter.update(at(then), value, bound);
            }
            let mut pauses = pauses;
            pauses.sort_by(f64::total_cmp);
            let sds: Vec<_> =
                pauses.iter().filter_map(|pause| filter.believed(at(100.0 + pause))).map(|(_, sd, _)| sd).collect();
            prop_assert!(sds.windows(2).all(|two| two[0] <= two[1]), "{sds:?}");
        }

        #[test]
        fn whatever_comes_at_whatever_time_the_belief_is_a_number_within_bounds(
            samples in prop::collection::vec((any::<u64>(), any::<f64>(), any::<bool>()), 0..80),
            now in any::<u64>(),
        ) {
            let mut filter = Filter::new(RATE);
            for (then, value, bound) in samples {
                filter.update(Time::from_nanos(then), value, bound);
            }
            if let Some((level, sd, slope)) = filter.believed(Time::from_nanos(now)) {
                prop_assert!((1.0_f64.ln()..=1e6_f64.ln()).contains(&level), "{level}");
                prop_assert!(sd.is_finite() && sd >= 0.0 && slope.is_finite(), "{sd} {slope}");
            }
            let gain = filter.gain(Time::from_nanos(now), 1.5);
            prop_assert!(gain.is_finite() && gain >= 0.0);
        }
    }
}
