//! Waking a waiting thread: a counter on a Linux futex. Waking and waiting are one system call each and take no user-space
//! lock; a wake that comes before the wait is not lost, since the wait names the count that it has seen.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::{
    thread::futex,
    time::{ClockId, Timespec, clock_gettime},
};

/// Any bit: every waiter answers to every waker.
const EVERY: NonZeroU32 = NonZeroU32::MAX;

/// Something that threads wait for and others announce. Cloning gives another end of the same.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<AtomicU32>);

impl Wake {
    /// The count of announcements so far; hand it to [`Wake::wait`] after looking for work.
    pub fn seen(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Announces, and wakes every waiter.
    pub fn announce(&self) {
        self.0.fetch_add(1, Ordering::Release);
        // The word is alive and private to the process, so this cannot fail; a failure would only cost a time-out.
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, i32::MAX as u32);
    }

    /// Waits until the count is no longer `seen`, or until the absolute `CLOCK_MONOTONIC` time `until` (nanoseconds). May
    /// return early; the caller looks again.
    pub fn wait(&self, seen: u32, until: Option<u64>) {
        let until = until.map(|nanos| Timespec {
            tv_sec: (nanos / 1_000_000_000) as i64,
            tv_nsec: (nanos % 1_000_000_000) as i64,
        });
        // EAGAIN (the count moved on), ETIMEDOUT and EINTR all mean: look again.
        let _ = futex::wait_bitset(&self.0, futex::Flags::PRIVATE, seen, until.as_ref(), EVERY);
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
        let now = clock_gettime(ClockId::Monotonic);
        let until = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64 + limit.as_nanos() as u64;
        self.wait_until(until)
    }

    /// Waits for the stop, until the absolute `CLOCK_MONOTONIC` time `until` (nanoseconds) at most; true if it came.
    pub fn wait_until(&self, until: u64) -> bool {
        loop {
            if self.is_stopped() {
                return true;
            }
            let now = clock_gettime(ClockId::Monotonic);
            if now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64 >= until {
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
