//! Stamps to and from the host's time line.

use core::time::Duration;

use troika_kit::Time;

use crate::{builtin_interfaces, std_msgs::Header};

impl From<Time> for builtin_interfaces::Time {
    fn from(time: Time) -> Self {
        let (sec, nanosec) = time.to_stamp();
        Self { sec, nanosec }
    }
}

/// A stamp before the epoch reads as [`Time::ZERO`].
impl From<builtin_interfaces::Time> for Time {
    fn from(stamp: builtin_interfaces::Time) -> Self {
        Time::from_stamp(stamp.sec, stamp.nanosec)
    }
}

/// What is longer than the type holds (68 years) becomes the longest that it does.
impl From<Duration> for builtin_interfaces::Duration {
    fn from(d: Duration) -> Self {
        match i32::try_from(d.as_secs()) {
            Ok(sec) => Self { sec, nanosec: d.subsec_nanos() },
            Err(_) => Self { sec: i32::MAX, nanosec: 999_999_999 },
        }
    }
}

/// A negative span reads as zero.
impl From<builtin_interfaces::Duration> for Duration {
    fn from(d: builtin_interfaces::Duration) -> Self {
        match u64::try_from(d.sec) {
            Ok(sec) => Duration::from_secs(sec) + Duration::from_nanos(d.nanosec.into()),
            Err(_) => Duration::ZERO,
        }
    }
}

impl Header {
    /// A header with this stamp and coordinate frame.
    pub fn new(stamp: Time, frame_id: impl Into<String>) -> Header {
        Header { stamp: stamp.into(), frame_id: frame_id.into() }
    }

    /// A header with this stamp and no coordinate frame.
    pub fn at(stamp: Time) -> Header {
        Header::new(stamp, "")
    }

    /// The stamp on the host's time line.
    pub fn time(&self) -> Time {
        Time::from_stamp(self.stamp.sec, self.stamp.nanosec)
    }
}
