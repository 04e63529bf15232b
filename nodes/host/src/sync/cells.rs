//! Single words that one thread writes and others read: counts, flags, a time. Relaxed: they order nothing else.

use troika_kit::Time;

use super::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A count that only grows (or is set by its one writer).
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Replaces the count: for a total that is kept elsewhere.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A fact that becomes true or false.
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// States the fact.
    pub fn set(&self, value: bool) {
        self.0.store(value, Relaxed);
    }

    /// The fact.
    pub fn get(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A point in time that one thread moves: the virtual clock.
#[derive(Debug, Default)]
pub struct TimeCell(AtomicU64);

impl TimeCell {
    /// A cell that holds `time`.
    pub fn new(time: Time) -> Self {
        TimeCell(AtomicU64::new(time.as_nanos()))
    }

    /// Moves it.
    pub fn set(&self, time: Time) {
        self.0.store(time.as_nanos(), Relaxed);
    }

    /// Where it is.
    pub fn get(&self) -> Time {
        Time::from_nanos(self.0.load(Relaxed))
    }
}
