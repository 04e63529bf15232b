//! No more messages than a rate allows. Time is an argument.

use troika_kit::{Duration, Time};

/// Lets messages by at a rate, evenly.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    period: Duration,
    next: Time,
}

impl Pace {
    /// At most so many a second; 0: any number.
    pub fn new(most_hz: f64) -> Pace {
        let period = if most_hz > 0.0 { Duration::from_secs_f64(1.0 / most_hz) } else { Duration::ZERO };
        Pace { period, next: Time::ZERO }
    }

    /// Whether a message may go now. After a pause none is made up for.
    pub fn allows(&mut self, now: Time) -> bool {
        if self.period.is_zero() {
            return true;
        }
        // A clock that was set back must not stop the pair until it has caught up.
        if now < self.next && self.next.since(now) <= self.period {
            return false;
        }
        let on_grid = self.next + self.period;
        self.next = if on_grid > now && self.next <= now { on_grid } else { now + self.period };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn passed(pace: &mut Pace, times: impl Iterator<Item = u64>) -> usize {
        times.filter(|&ms| pace.allows(at(ms))).count()
    }

    #[test]
    fn a_faster_stream_is_thinned_to_the_rate_and_a_slower_one_passes() {
        assert_eq!(passed(&mut Pace::new(30.0), (1..=10_000).step_by(5)), 300);
        assert_eq!(passed(&mut Pace::new(30.0), (1..=10_000).step_by(50)), 200);
        assert_eq!(passed(&mut Pace::new(0.0), (1..=100).map(|_| 7)), 100);
    }

    #[test]
    fn after_a_pause_nothing_is_made_up_for_and_a_clock_set_back_stops_nothing() {
        let mut pace = Pace::new(10.0);
        assert!(pace.allows(at(1_000)));
        assert!(pace.allows(at(60_000)));
        assert!(!pace.allows(at(60_050)));
        assert!(pace.allows(at(60_100)));
        assert!(pace.allows(at(5)), "the clock was set back by a minute");
        assert!(!pace.allows(at(50)));
    }
}
