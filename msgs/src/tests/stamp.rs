//! Stamps and the host's time line.

use core::time::Duration;

use troika_kit::Time;

use crate::{builtin_interfaces as ros, std_msgs::Header};

#[test]
fn a_stamp_keeps_its_nanoseconds() {
    let time = Time::from_nanos(1_763_726_400_123_456_789);
    let header = Header::new(time, "camera");
    assert_eq!((header.stamp.sec, header.stamp.nanosec), (1_763_726_400, 123_456_789));
    assert_eq!((header.time(), header.frame_id.as_str()), (time, "camera"));
    assert_eq!(Time::from(ros::Time::from(time)), time);
}

#[test]
fn what_is_before_the_epoch_or_negative_reads_as_zero() {
    assert_eq!(Time::from(ros::Time { sec: -1, nanosec: 0 }), Time::ZERO);
    assert_eq!(Duration::from(ros::Duration { sec: -1, nanosec: 5 }), Duration::ZERO);
}

#[test]
fn spans_go_both_ways_and_stop_at_the_longest() {
    let span = Duration::new(3, 999_999_999);
    assert_eq!(Duration::from(ros::Duration::from(span)), span);
    assert_eq!(ros::Duration::from(Duration::MAX), ros::Duration { sec: i32::MAX, nanosec: 999_999_999 });
    // A nanosecond field over 1e9 is no panic.
    assert_eq!(
        Duration::from(ros::Duration { sec: 1, nanosec: u32::MAX }),
        Duration::from_nanos(1_000_000_000 + u64::from(u32::MAX))
    );
}
