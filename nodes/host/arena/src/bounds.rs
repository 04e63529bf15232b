//! Which region an address lies in: a list of ranges that only grows, read by every free of every thread.

use super::atomic::{AtomicUsize, Ordering, const_fn};

/// Up to `MOST` ranges of addresses that do not overlap.
#[derive(Debug)]
pub(crate) struct Bounds<const MOST: usize> {
    ranges: [Range; MOST],
    /// Ranges that are there; they come first.
    known: AtomicUsize,
}

/// From the first address to the one behind the last.
#[derive(Debug)]
pub(crate) struct Range {
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Range {
    const_fn! {
        /// A range with nothing in it.
        pub(crate) fn empty() -> Range {
            Range { start: AtomicUsize::new(0), end: AtomicUsize::new(0) }
        }
    }
}

impl<const MOST: usize> Bounds<MOST> {
    const_fn! {
        /// No range is known yet; `ranges` are empty ones.
        pub(crate) fn new(ranges: [Range; MOST]) -> Bounds<MOST> {
            Bounds { ranges, known: AtomicUsize::new(0) }
        }
    }

    /// How many ranges there are.
    pub(crate) fn known(&self) -> usize {
        self.known.load(Ordering::Relaxed)
    }

    /// Adds the range from `start` to `end` as number `known()`. One thread at a time: the caller holds a lock.
    pub(crate) fn add(&self, start: usize, end: usize) {
        let next = self.known();
        self.ranges[next].start.store(start, Ordering::Relaxed);
        self.ranges[next].end.store(end, Ordering::Relaxed);
        // Release: a range's bounds are there once it is counted. An end without its start would take in addresses of others.
        self.known.store(next + 1, Ordering::Release);
    }

    /// The range of this number: its start, and its length.
    pub(crate) fn range(&self, number: usize) -> (usize, usize) {
        let Range { start, end } = &self.ranges[number];
        let start = start.load(Ordering::Relaxed);
        (start, end.load(Ordering::Relaxed) - start)
    }

    /// The number of the range that an address lies in.
    pub(crate) fn find(&self, at: usize) -> Option<usize> {
        let known = self.known.load(Ordering::Acquire);
        self.ranges[..known].iter().position(|Range { start, end }| {
            (start.load(Ordering::Relaxed)..end.load(Ordering::Relaxed)).contains(&at)
        })
    }
}
