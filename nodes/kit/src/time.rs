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

    /// The two fields (`sec`, `nanosec`) of a `builtin_interfaces/Time`. What is later than the type holds (January 2038) becomes the last
    /// that it does: a second that wrapped would read as no stamp, and pass for one without an age.
    pub const fn to_stamp(self) -> (i32, u32) {
        if self.0 / 1_000_000_000 > i32::MAX as u64 {
            return (i32::MAX, 999_999_999);
        }
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
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_a_stamp_cannot_hold_is_its_last_and_not_none() {
        const SECOND: u64 = 1_000_000_000;
        let last = Time::from_nanos((i32::MAX as u64 + 1) * SECOND - 1);
        assert_eq!(last.to_stamp(), (i32::MAX, 999_999_999));
        for later in [1, SECOND, 1 << 31, u64::MAX - last.as_nanos()] {
            let (sec, nanosec) = Time::from_nanos(last.as_nanos() + later).to_stamp();
            assert_eq!(Time::from_stamp(sec, nanosec), last);
        }
        assert_eq!(Time::from_nanos(3_000_000_000 * SECOND + 7).to_string(), "3000000000.000000007");
        assert_eq!(Time::from_nanos(5 * SECOND + 7).to_stamp(), (5, 7));
    }
}
