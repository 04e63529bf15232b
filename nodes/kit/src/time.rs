//! The host's time line. One type, so that wall clocks and virtual clocks cannot be told apart by a node.

use core::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// A point on the host's time line, in nanoseconds since the UNIX epoch.
///
/// On a real host: the epoch time read once at start plus `CLOCK_MONOTONIC` since, so it never jumps; in simulation, the
/// virtual clock. Message stamps (`builtin_interfaces/Time`) are on the same line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The epoch itself; what an unset stamp reads as.
    pub const ZERO: Time = Time(0);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// From the two fields of a `builtin_interfaces/Time`; a negative second reads as zero.
    pub const fn from_stamp(sec: i32, nanosec: u32) -> Time {
        let sec = if sec < 0 { 0 } else { sec as u64 };
        Time(sec * 1_000_000_000 + nanosec as u64)
    }

    /// The two fields (`sec`, `nanosec`) of a `builtin_interfaces/Time`.
    pub const fn to_stamp(self) -> (i32, u32) {
        ((self.0 / 1_000_000_000) as i32, (self.0 % 1_000_000_000) as u32)
    }

    /// Time passed since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(d.as_nanos() as u64))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(d.as_nanos() as u64))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sec, nanosec) = self.to_stamp();
        write!(f, "{sec}.{nanosec:09}")
    }
}
