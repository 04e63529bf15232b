//! How many exchanges fail: a Beta belief whose evidence fades.

use troika_kit::{Duration, Time};

/// Half of what was seen counts no more after this.
const HALF_LIFE_S: f64 = 30.0;
/// Less evidence than this (exchanges) says nothing.
const LEAST: f64 = 0.25;
/// What is believed before anything is seen: one exchange's worth, a tenth of it lost. An even prior would have a link that was
/// perfect a minute ago be believed ever worse, only because nobody used it.
const PRIOR: (f64, f64) = (0.1, 0.9);

/// An outage that is over counts as so much of a lost exchange: with the first answer after it the link is one that loses less than the policy
/// that ships bears (0.3), and one that goes again and again is not.
const OUTAGE: f64 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Loss {
    at: Time,
    lost: f64,
    passed: f64,
    /// What `lost` was before the failures in a row that go on.
    before: f64,
}

impl Loss {
    pub(crate) fn saw(&mut self, now: Time, lost: bool) {
        *self = self.faded(now);
        if lost {
            self.lost += 1.0;
        } else {
            self.passed += 1.0;
            self.before = self.lost;
        }
    }

    /// There was no link, and there is one again: what failed meanwhile says that, once, and little of how the link is now.
    pub(crate) fn outage_ended(&mut self, now: Time) {
        *self = self.faded(now);
        self.lost = self.lost.min(self.before + OUTAGE);
    }

    /// Mean, and one standard deviation of the belief above it (at most 1); none without evidence.
    pub(crate) fn believed(&self, now: Time) -> Option<(f64, f64)> {
        let Loss { lost, passed, .. } = self.faded(now);
        if lost + passed < LEAST {
            return None;
        }
        let (a, b) = (lost + PRIOR.0, passed + PRIOR.1);
        let mean = a / (a + b);
        let sd = (a * b / ((a + b + 1.0) * (a + b) * (a + b))).sqrt();
        Some((mean, (mean + sd).min(1.0)))
    }

    fn faded(&self, now: Time) -> Loss {
        let passed: Duration = now.since(self.at);
        let left = (-passed.as_secs_f64() / HALF_LIFE_S).exp2();
        Loss {
            at: self.at.max(now),
            lost: self.lost * left,
            passed: self.passed * left,
            before: self.before * left,
        }
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

    #[test]
    fn a_link_that_nobody_uses_is_not_believed_worse() {
        let start = Time::from_stamp(10, 0);
        let mut loss = Loss::default();
        (0..3).for_each(|_| loss.saw(start, false));
        let mean = |seconds| loss.believed(start + Duration::from_secs(seconds)).unwrap().0;
        assert!(mean(0) < 0.05 && mean(60) < 0.1 && mean(100) < 0.1, "{} {}", mean(60), mean(100));
    }

    #[test]
    fn an_outage_is_one_loss_once_it_is_over() {
        let start = Time::from_stamp(10, 0);
        let mut loss = Loss::default();
        loss.saw(start, false);
        (0..12).for_each(|_| loss.saw(start, true));
        assert!(loss.believed(start).unwrap().0 > 0.8);
        loss.outage_ended(start);
        (0..2).for_each(|_| loss.saw(start, false));
        let (mean, _) = loss.believed(start).unwrap();
        assert!((0.05..0.2).contains(&mean), "{mean}");
        // And where nothing was ever answered before.
        let mut loss = Loss::default();
        (0..12).for_each(|_| loss.saw(start, true));
        loss.outage_ended(start);
        loss.saw(start, false);
        assert!(loss.believed(start).unwrap().0 < 0.3);
    }
}
