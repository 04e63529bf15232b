//! Blocks on their way home: a stack that any thread may push on and one may empty, without a lock. The link lies in the
//! freed block itself, so nothing is allocated for it.

use std::ptr::{NonNull, null_mut};

use super::atomic::{AtomicPtr, Ordering, const_fn};

/// What is written over a freed block: two words, which every block of a slot has room for.
#[derive(Debug)]
pub(crate) struct Freed {
    next: *mut Freed,
    /// Bytes that the block was asked for.
    pub(crate) size: u32,
    /// Its alignment.
    pub(crate) align: u32,
}

/// The stack. What is pushed is taken all at once, so that no block can come back under another's feet (ABA).
#[derive(Debug)]
pub(crate) struct Remote(AtomicPtr<Freed>);

/// What was taken: its owner frees it block by block.
#[derive(Debug)]
pub(crate) struct Chain(*mut Freed);

// SAFETY: a chain is blocks that whoever holds it owns; they are bound to no thread.
unsafe impl Send for Chain {}

impl Remote {
    const_fn! {
        /// An empty one.
        pub(crate) fn new() -> Remote {
            Remote(AtomicPtr::new(null_mut()))
        }
    }

    /// Puts a block on the stack.
    ///
    /// # Safety
    /// The block is at least as long as a [`Freed`] and as aligned, and the caller gives it up.
    pub(crate) unsafe fn push(&self, block: NonNull<u8>, size: u32, align: u32) {
        let freed = block.cast::<Freed>().as_ptr();
        let mut next = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: the block is ours until the exchange succeeds, and long enough.
            unsafe { freed.write(Freed { next, size, align }) };
            // Release: whoever takes the block sees what was written on it.
            match self.0.compare_exchange_weak(next, freed, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => next = now,
            }
        }
    }

    /// Takes all that is there; one relaxed read when there is nothing.
    pub(crate) fn take(&self) -> Chain {
        if self.0.load(Ordering::Relaxed).is_null() {
            return Chain(null_mut());
        }
        Chain(self.0.swap(null_mut(), Ordering::Acquire))
    }
}

impl Chain {
    pub(crate) const EMPTY: Chain = Chain(null_mut());

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// The next block, with its size and alignment.
    pub(crate) fn next(&mut self) -> Option<(NonNull<u8>, Freed)> {
        let block = NonNull::new(self.0)?;
        // SAFETY: it was pushed, which wrote it, and taken by us alone.
        let freed = unsafe { block.as_ptr().read() };
        self.0 = freed.next;
        Some((block.cast(), freed))
    }
}
