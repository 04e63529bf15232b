//! How many exchanges fail: a Beta belief whose evidence fades.

use troika_kit::{Duration, Time};

/// Half of what was seen counts no more after this.
const HALF_LIFE_S: f64 = 30.0;
/// Less evidence than this (exchanges) says nothing.
const LEAST: f64 = 0.25;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Loss {
    at: Time,
    lost: f64,
    passed: f64,
}

impl Loss {
    pub(crate) fn saw(&mut self, now: Time, lost: bool) {
        *self = self.faded(now);
        *(if lost { &mut self.lost } else { &mut self.passed }) += 1.0;
    }

    /// Mean, and one standard deviation of the belief above it (at most 1); none without evidence. The prior is Jeffreys'.
    pub(crate) fn believed(&self, now: Time) -> Option<(f64, f64)> {
        let Loss { lost, passed, .. } = self.faded(now);
        if lost + passed < LEAST {
            return None;
        }
        let (a, b) = (lost + 0.5, passed + 0.5);
        let mean = a / (a + b);
        let sd = (a * b / ((a + b + 1.0) * (a + b) * (a + b))).sqrt();
        Some((mean, (mean + sd).min(1.0)))
    }

    fn faded(&self, now: Time) -> Loss {
        let passed: Duration = now.since(self.at);
        let left = (-passed.as_secs_f64() / HALF_LIFE_S).exp2();
        Loss { at: self.at.max(now), lost: self.lost * left, passed: self.passed * left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lost_of_ten_is_about_a_tenth_and_is_forgotten() {
        let start = Time::from_stamp(10, 0);
        let mut loss = Loss::default();
        assert_eq!(loss.believed(start), None);
        (0..10).for_each(|n| loss.saw(start + Duration::from_millis(100 * n), n == 4));
        let (mean, high) = loss.believed(start + Duration::from_secs(1)).unwrap();
        assert!((0.08..0.2).contains(&mean) && high > mean, "{mean} {high}");
        assert_eq!(loss.believed(start + Duration::from_secs(300)), None);
    }
}
