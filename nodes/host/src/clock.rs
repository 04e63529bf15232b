//! The only clock. A host's time line is the epoch read once plus `CLOCK_MONOTONIC` since, so it never jumps; a
//! simulation's is a cell that the simulation moves; ROS time is what `/clock` last said, and may jump. Nothing else in the workspace
//! tells them apart.

use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use troika_kit::Time;

use crate::sync::{TimeCell, Wake};

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

/// What `CLOCK_MONOTONIC` 0 is on the time line, ns, for the processes of one system: a clock that is set between two starts would give them
/// two time lines, and what one of them stamps would be of another time to the other.
pub const EPOCH: &str = "TROIKA_EPOCH_NS";

impl HostClock {
    /// Reads the epoch once; in a process of a system, takes the system's ([`EPOCH`]).
    pub fn start() -> Self {
        troika_safety::fulfils![SR_SUP_010];
        std::env::var(EPOCH)
            .ok()
            .and_then(|zero| zero.parse().ok())
            .map_or_else(HostClock::read, |zero| HostClock { zero })
    }

    /// The variable's value for the processes that are started by this one.
    pub fn epoch(self) -> String {
        self.zero.to_string()
    }

    fn read() -> Self {
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
    /// A node's with `use_sim_time`.
    Ros(Arc<RosTime>),
}

/// The time of a simulation elsewhere, as one node has it from `/clock`. Zero before the first message, as in ROS.
#[derive(Debug, Default)]
pub struct RosTime {
    time: TimeCell,
    moved: Wake,
}

impl RosTime {
    /// A node's; `moved` is announced with each message.
    pub fn new(moved: Wake) -> RosTime {
        RosTime { time: TimeCell::default(), moved }
    }

    /// `/clock` said so. True when that is before what it said last.
    pub fn set(&self, time: Time) -> bool {
        let back = time < self.time.get();
        self.time.set(time);
        self.moved.announce();
        back
    }

    /// What it said last.
    pub fn get(&self) -> Time {
        self.time.get()
    }
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Time {
        match self {
            Clock::Host(clock) => clock.now(),
            Clock::Virtual(cell) => cell.get(),
            Clock::Ros(time) => time.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ros_time_is_what_was_said_last_and_may_go_back() {
        let moved = Wake::default();
        let time = RosTime::new(moved.clone());
        assert_eq!(time.get(), Time::ZERO);
        assert!(!time.set(Time::from_nanos(5)));
        assert!(!time.set(Time::from_nanos(5)), "paused");
        assert!(time.set(Time::from_nanos(4)));
        assert_eq!((time.get(), moved.seen()), (Time::from_nanos(4), 3));
    }

    #[test]
    fn a_process_of_a_system_has_the_systems_time_line_whatever_the_clock_says() {
        troika_safety::verifies![SR_SUP_010];
        if std::env::var(EPOCH).as_deref() == Ok("5000") {
            assert_eq!(HostClock::start().epoch(), "5000");
            return;
        }
        let name = "clock::tests::a_process_of_a_system_has_the_systems_time_line_whatever_the_clock_says";
        let own = std::env::current_exe().expect("this program has a file");
        let child = std::process::Command::new(own).args([name, "--exact"]).env(EPOCH, "5000").output();
        let child = child.expect("it starts");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
    }

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
