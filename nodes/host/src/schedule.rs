//! When the next step is due: pure, so that the executor and the simulation cannot differ. Releases lie on a fixed grid (or
//! at arrivals); nothing that runs late moves them.

use std::time::Duration;

use troika_kit::{Contract, Time, Wake};

/// Periods without a message after which an input-woken step runs anyway.
pub(crate) const SILENT_PERIODS: u32 = 3;

/// A node's next release by the clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    every: Duration,
    due: Time,
}

/// Releases by the clock that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// The newest.
    pub(crate) release: Time,
    /// Older ones that nobody looked at in time: the next release had come by then.
    pub(crate) passed: u64,
    /// The newest of those.
    pub(crate) before: Time,
}

impl Schedule {
    pub(crate) fn new(contract: &Contract, start: Time) -> Self {
        let spec = contract.spec();
        match spec.wake {
            Wake::Period => Schedule { every: spec.period, due: start + spec.period },
            Wake::Input(_) => {
                troika_safety::fulfils![SR_TIM_014];
                let every = spec.period * SILENT_PERIODS;
                Schedule { every, due: start + every }
            }
        }
    }

    /// When the clock releases next.
    pub(crate) fn due(&self) -> Time {
        self.due
    }

    /// The releases that are due at `now`, if any; moves on to the first one after `now`.
    pub(crate) fn take(&mut self, now: Time) -> Option<Due> {
        if now < self.due {
            return None;
        }
        let every = self.every.as_nanos() as u64;
        let passed = now.since(self.due).as_nanos() as u64 / every;
        let release = self.due + Duration::from_nanos(passed * every);
        self.due = release + self.every;
        Some(Due { release, passed, before: release - self.every })
    }

    /// A message came: silence counts from there.
    pub(crate) fn heard(&mut self, at: Time) {
        self.due = at + self.every;
    }
}

#[cfg(test)]
mod tests {
    use troika_kit::{Class, ContractSpec};

    use super::*;

    const fn contract(wake: Wake) -> Contract {
        Contract::new(ContractSpec {
            node: "test",
            wake,
            period: Duration::from_millis(10),
            deadline: Duration::from_millis(10),
            budget: Duration::from_millis(1),
            class: Class::Firm,
            requirements: &[],
        })
    }

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn releases_stay_on_their_grid_however_late_the_node_looks() {
        let mut schedule = Schedule::new(&contract(Wake::Period), at(0));
        assert_eq!(schedule.take(at(9)), None);
        assert_eq!(schedule.take(at(14)), Some(Due { release: at(10), passed: 0, before: at(0) }));
        assert_eq!(schedule.due(), at(20));
        assert_eq!(schedule.take(at(57)), Some(Due { release: at(50), passed: 3, before: at(40) }));
        assert_eq!(schedule.due(), at(60));
    }

    #[test]
    fn silence_is_due_three_periods_after_the_last_message() {
        troika_safety::verifies![SR_TIM_014];
        let mut schedule = Schedule::new(&contract(Wake::Input("image")), at(0));
        assert_eq!(schedule.due(), at(30));
        schedule.heard(at(7));
        assert_eq!(schedule.due(), at(37));
        assert_eq!(schedule.take(at(38)), Some(Due { release: at(37), passed: 0, before: at(7) }));
    }
}
