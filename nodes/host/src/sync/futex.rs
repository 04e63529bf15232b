//! The futex itself: a word that a thread sleeps on in the kernel. tests/loom has a model of it in this one's place.

use std::{num::NonZeroU32, ops::Deref};

use rustix::{thread::futex, time::Timespec};

pub(super) use crate::clock::monotonic_nanos;

use super::atomic::AtomicU32;

/// Any bit: every waiter answers to every waker.
const EVERY: NonZeroU32 = NonZeroU32::MAX;

/// A word to wait on.
#[derive(Debug, Default)]
pub(super) struct Word(AtomicU32);

impl Word {
    /// Wakes every thread that waits on the word.
    pub(super) fn wake_all(&self) {
        // The word is alive and private to the process, so this cannot fail; a failure would only cost a time-out.
        let _ = futex::wake(&self.0, futex::Flags::PRIVATE, i32::MAX as u32);
    }

    /// Sleeps while the word is `seen`, until a wake or the absolute `CLOCK_MONOTONIC` time `until` (nanoseconds). The kernel
    /// looks at the word and queues the thread as one act. May return early.
    pub(super) fn wait_while(&self, seen: u32, until: Option<u64>) {
        let until = until.map(|nanos| Timespec {
            tv_sec: (nanos / 1_000_000_000) as i64,
            tv_nsec: (nanos % 1_000_000_000) as i64,
        });
        // EAGAIN (the word is another by now), ETIMEDOUT and EINTR all mean: look again.
        let _ = futex::wait_bitset(&self.0, futex::Flags::PRIVATE, seen, until.as_ref(), EVERY);
    }
}

impl Deref for Word {
    type Target = AtomicU32;

    fn deref(&self) -> &AtomicU32 {
        &self.0
    }
}
