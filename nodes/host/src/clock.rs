//! The only clock. A host's time line is the epoch read once plus `CLOCK_MONOTONIC` since, so it never jumps; a
//! simulation's is a cell that the simulation moves. Nothing else in the workspace tells them apart.

use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use troika_kit::Time;

use crate::sync::TimeCell;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn monotonic_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The wall-clock time line of this process: `Copy`, a system call-free read.
#[derive(Debug, Clone, Copy)]
pub struct HostClock {
    /// What `CLOCK_MONOTONIC` 0 is on the time line.
    zero: u64,
}

impl HostClock {
    /// Reads the epoch once.
    pub fn start() -> Self {
        let epoch = clock_gettime(ClockId::Realtime);
        let epoch = epoch.tv_sec as u64 * 1_000_000_000 + epoch.tv_nsec as u64;
        HostClock { zero: epoch.saturating_sub(monotonic_nanos()) }
    }

    /// Now.
    pub fn now(self) -> Time {
        Time::from_nanos(self.zero + monotonic_nanos())
    }

    /// The same point on `CLOCK_MONOTONIC`, in nanoseconds: for absolute waits.
    pub fn to_monotonic(self, time: Time) -> u64 {
        time.as_nanos().saturating_sub(self.zero)
    }
}

/// A time line: real or virtual.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The host's.
    Host(HostClock),
    /// A simulation's.
    Virtual(Arc<TimeCell>),
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Time {
        match self {
            Clock::Host(clock) => clock.now(),
            Clock::Virtual(cell) => cell.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_line_is_the_epoch_and_does_not_go_back() {
        let clock = HostClock::start();
        let first = clock.now();
        let second = clock.now();
        assert!(first > Time::from_stamp(1_700_000_000, 0), "after 2023: {first}");
        assert!(second >= first);
        assert!(clock.to_monotonic(second) >= clock.to_monotonic(first));
    }
}
