//! A model of the kernel's futex: it looks at the word and queues the thread as one act, under a lock that the waker takes too
//! (in the kernel, the lock of the hash bucket). loom's mutex and condition variable stand for both. What the lock orders is
//! ordered in the kernel as well, but the code must not need it: breaking the orderings in `wake.rs` is still seen.

use std::ops::Deref;

use loom::sync::{Condvar, Mutex, atomic::AtomicU32, atomic::Ordering::Relaxed};

#[derive(Debug, Default)]
pub(super) struct Word {
    word: AtomicU32,
    bucket: Mutex<()>,
    queue: Condvar,
}

impl Word {
    pub(super) fn wake_all(&self) {
        let _bucket = self.bucket.lock().expect("no panic inside");
        self.queue.notify_all();
    }

    pub(super) fn wait_while(&self, seen: u32, until: Option<u64>) {
        if until.is_some() {
            // A time-out may pass at any time, so at once is one of the cases; without one is the harder case.
            return loom::thread::yield_now();
        }
        let bucket = self.bucket.lock().expect("no panic inside");
        if self.word.load(Relaxed) == seen {
            drop(self.queue.wait(bucket));
        }
    }
}

impl Deref for Word {
    type Target = AtomicU32;

    fn deref(&self) -> &AtomicU32 {
        &self.word
    }
}

/// There is no clock in a model.
pub(super) fn monotonic_nanos() -> u64 {
    0
}
