//! Waking a waiting thread: a counter on a Linux futex. Waking and waiting are one system call each and take no user-space
//! lock; a wake that comes before the wait is not lost, since the wait names the count that it has seen.

use std::{sync::Arc, time::Duration};

use super::{
    atomic::Ordering,
    futex::{Word, monotonic_nanos},
};

/// Something that threads wait for and others announce. Cloning gives another end of the same.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Word>);

impl Wake {
    /// The count of announcements so far; hand it to [`Wake::wait`] after looking for work.
    pub fn seen(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Announces, and wakes every waiter.
    pub fn announce(&self) {
        self.0.fetch_add(1, Ordering::Release);
        self.0.wake_all();
    }

    /// Waits until the count is no longer `seen`, or until the absolute `CLOCK_MONOTONIC` time `until` (nanoseconds). May
    /// return early; the caller looks again.
    pub fn wait(&self, seen: u32, until: Option<u64>) {
        self.0.wait_while(seen, until);
    }
}

/// A request to stop that is made once and seen by all. Cloning gives another end of the same.
#[derive(Debug, Clone, Default)]
pub struct StopToken(Wake);

impl StopToken {
    /// A token that nobody has stopped yet.
    pub fn new() -> Self {
        StopToken::default()
    }

    /// Asks everybody to stop.
    pub fn stop(&self) {
        self.0.announce();
    }

    /// True once [`StopToken::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.0.seen() != 0
    }

    /// Waits for the stop.
    pub fn wait(&self) {
        while !self.is_stopped() {
            self.0.wait(0, None);
        }
    }

    /// Waits for the stop, `limit` at most; true if it came.
    pub fn wait_for(&self, limit: Duration) -> bool {
        self.wait_until(monotonic_nanos() + limit.as_nanos() as u64)
    }

    /// Waits for the stop, until the absolute `CLOCK_MONOTONIC` time `until` (nanoseconds) at most; true if it came.
    pub fn wait_until(&self, until: u64) -> bool {
        loop {
            if self.is_stopped() {
                return true;
            }
            if monotonic_nanos() >= until {
                return false;
            }
            self.0.wait(0, Some(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_before_the_wait_is_not_lost() {
        let wake = Wake::default();
        let seen = wake.seen();
        wake.announce();
        wake.wait(seen, None); // would never return if the announcement were lost
        assert_ne!(wake.seen(), seen);
    }

    #[test]
    fn a_waiter_on_another_thread_is_woken() {
        let stop = StopToken::new();
        let waiter = std::thread::spawn({
            let stop = stop.clone();
            move || stop.wait()
        });
        stop.stop();
        assert!(waiter.join().is_ok());
    }

    #[test]
    fn a_wait_with_a_time_in_the_past_returns() {
        assert!(!StopToken::new().wait_until(1));
    }
}
