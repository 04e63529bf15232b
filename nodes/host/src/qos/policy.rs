//! What the policies mean. Pure: time is an argument.

use std::collections::BTreeMap;

use troika_kit::{Duration, Time};

/// A deadline between two messages of a topic, from the first one on (DDS 1.4, 2.2.3.7).
#[derive(Debug, Clone)]
pub struct Deadline {
    period: Duration,
    due: Option<Time>,
}

impl Deadline {
    /// At most `period` from one message to the next; not zero.
    pub fn new(period: Duration) -> Deadline {
        Deadline { period: period.max(Duration::from_nanos(1)), due: None }
    }

    /// A message came. True if it is the first.
    pub fn heard(&mut self, now: Time) -> bool {
        self.due.replace(now + self.period).is_none()
    }

    /// When it is missed next.
    pub fn due(&self) -> Option<Time> {
        self.due
    }

    /// How many periods have passed without a message since it was last asked.
    pub fn missed(&mut self, now: Time) -> u64 {
        let Some(due) = self.due.filter(|due| now >= *due) else { return 0 };
        let more = now.since(due).as_nanos() / self.period.as_nanos();
        let more = u32::try_from(more).unwrap_or(u32::MAX - 1);
        self.due = Some(due + self.period * (more + 1));
        u64::from(more) + 1
    }

    /// Nothing more is expected.
    pub fn rest(&mut self) {
        self.due = None;
    }
}

/// Who gave a sign of life within the lease (DDS 1.4, 2.2.3.11, manual by topic), by global id.
#[derive(Debug, Clone)]
pub struct Lease {
    lease: Duration,
    alive: BTreeMap<[u8; 16], Time>,
}

impl Lease {
    /// A sign of life lasts so long.
    pub fn new(lease: Duration) -> Lease {
        Lease { lease, alive: BTreeMap::new() }
    }

    /// A sign of life of `gid`. True if it was not alive before.
    pub fn heard(&mut self, gid: [u8; 16], now: Time) -> bool {
        self.alive.insert(gid, now + self.lease).is_none()
    }

    /// When the next one is lost, if nothing more is heard of it.
    pub fn due(&self) -> Option<Time> {
        self.alive.values().copied().min()
    }

    /// How many are alive.
    pub fn alive(&self) -> u64 {
        self.alive.len() as u64
    }

    /// How many were lost since it was last asked.
    pub fn lost(&mut self, now: Time) -> u64 {
        let before = self.alive.len();
        self.alive.retain(|_, until| now < *until);
        (before - self.alive.len()) as u64
    }
}

/// Whether a message is too old to be delivered (DDS 1.4, 2.2.3.16). One without a time is not.
pub fn is_expired(lifespan: Duration, sent: Time, now: Time) -> bool {
    sent != Time::ZERO && now.since(sent) > lifespan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_nanos(1_000_000_000_000 + millis * 1_000_000)
    }
    const TEN: Duration = Duration::from_millis(10);

    #[test]
    fn a_deadline_counts_from_the_first_message_and_once_for_each_period() {
        let mut deadline = Deadline::new(TEN);
        assert_eq!((deadline.missed(at(1000)), deadline.due()), (0, None));
        assert!(deadline.heard(at(1000)));
        assert_eq!(deadline.missed(at(1009)), 0);
        assert!(!deadline.heard(at(1009)));
        assert_eq!((deadline.missed(at(1018)), deadline.due()), (0, Some(at(1019))));
        assert_eq!((deadline.missed(at(1019)), deadline.due()), (1, Some(at(1029))));
        assert_eq!(deadline.missed(at(1020)), 0);
        assert_eq!((deadline.missed(at(1055)), deadline.due()), (3, Some(at(1059))));
        deadline.heard(at(1056));
        assert_eq!(deadline.missed(at(1065)), 0);
        deadline.rest();
        assert_eq!(deadline.missed(at(9999)), 0);
    }

    #[test]
    fn a_clock_that_jumps_neither_counts_for_ever_nor_panics() {
        let mut deadline = Deadline::new(Duration::ZERO);
        deadline.heard(Time::ZERO);
        assert!(deadline.missed(Time::from_nanos(u64::MAX / 2)) > 0);
        let mut lease = Lease::new(TEN);
        lease.heard([1; 16], at(1000));
        assert_eq!(lease.lost(at(1)), 0);
    }

    #[test]
    fn each_publisher_has_its_own_lease() {
        let mut lease = Lease::new(TEN);
        assert!(lease.heard([1; 16], at(0)));
        assert!(lease.heard([2; 16], at(5)));
        assert!(!lease.heard([1; 16], at(6)));
        assert_eq!((lease.alive(), lease.due()), (2, Some(at(15))));
        assert_eq!((lease.lost(at(15)), lease.alive()), (1, 1));
        assert_eq!((lease.lost(at(16)), lease.lost(at(17)), lease.due()), (1, 0, None));
        assert!(lease.heard([2; 16], at(30)), "it is back");
    }

    #[test]
    fn a_message_expires_by_its_own_time() {
        assert!(!is_expired(TEN, at(0), at(10)));
        assert!(is_expired(TEN, at(0), at(11)));
        assert!(!is_expired(TEN, at(9), at(0)), "a clock that is ahead");
        assert!(!is_expired(TEN, Time::ZERO, at(0)), "no time");
    }
}
