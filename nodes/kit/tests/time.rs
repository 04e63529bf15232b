//! The time line, and lateness by comparison, at their edges.

use std::time::Duration;

use troika_kit::{Lateness, Time};

fn at(ms: u64) -> Time {
    Time::from_nanos((100_000 + ms) * 1_000_000)
}

#[test]
fn a_time_is_its_stamp_and_back_to_the_nanosecond() {
    for (nanos, stamp) in [
        (0, (0, 0)),
        (1, (0, 1)),
        (999_999_999, (0, 999_999_999)),
        (1_000_000_000, (1, 0)),
        (1_795_977_600_123_456_789, (1_795_977_600, 123_456_789)),
    ] {
        let time = Time::from_nanos(nanos);
        assert_eq!((time.as_nanos(), time.to_stamp()), (nanos, stamp));
        assert_eq!(Time::from_stamp(stamp.0, stamp.1), time);
    }
    assert_eq!(Time::from_stamp(-5, 7), Time::from_nanos(7), "before the epoch there is nothing");
}

#[test]
fn times_end_at_the_epoch_and_at_the_last_nanosecond() {
    let (time, last) = (Time::from_nanos(5), Time::from_nanos(u64::MAX));
    assert_eq!(
        (time + Duration::from_nanos(3), time - Duration::from_nanos(3)),
        (Time::from_nanos(8), Time::from_nanos(2))
    );
    assert_eq!((time - Duration::from_secs(1), last + Duration::from_secs(1)), (Time::ZERO, last));
    assert_eq!((last.since(time).as_nanos(), time.since(last)), (u128::from(u64::MAX) - 5, Duration::ZERO));
}

#[test]
fn a_person_reads_seconds_and_nine_places() {
    assert_eq!(Time::from_nanos(12_000_000_034).to_string(), "12.000000034");
}

#[test]
fn a_second_by_comparison_is_not_late_yet() {
    let mut lateness = Lateness::default();
    let ahead = |ns: u64| Time::from_nanos(at(1_000).as_nanos() + ns);
    assert!(!lateness.late(at(0), at(5)));
    assert!(!lateness.late(at(0), ahead(5_000_000)), "to the nanosecond");
    let mut lateness = Lateness::default();
    assert!(!lateness.late(at(0), at(5)));
    assert!(lateness.late(at(0), ahead(5_000_001)));
}

#[test]
fn a_stamp_that_lies_back_by_a_second_is_of_the_same_time_line_and_one_by_more_begins_another() {
    let told = |back: u64| {
        let mut lateness = Lateness::default();
        assert!(!lateness.late(at(10_000), at(10_000)));
        lateness.late(Time::from_nanos(at(9_000).as_nanos() - back), at(10_001))
    };
    assert_eq!([told(0), told(1)], [true, false]);
}

#[test]
fn a_queue_that_grows_faster_than_clocks_drift_is_late_when_it_has_grown_by_a_second() {
    let mut lateness = Lateness::default();
    // By a hundredth, of which a thousandth may be the clocks': a second after 111 s.
    let late = (0..200_000_u64).step_by(33).find(|ms| lateness.late(at(*ms), at(ms + ms / 100)));
    let late = late.expect("it is late");
    assert!((110_000..113_000).contains(&late), "{late}");
}
