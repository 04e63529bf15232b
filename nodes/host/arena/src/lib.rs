//! What belongs here: the memory that a real-time thread allocates from while it steps. Our own nodes allocate nothing after
//! `new`, but tract allocates at every run; within [`Arena::within`], whatever the thread
//! allocates comes from a region that was mapped, touched and locked beforehand, in constant time (TLSF, the crate `rlsf`).
//!
//! [`ArenaAllocator`] must be the program's `#[global_allocator]`; it hands all other threads, and all other times, to the
//! system's allocator. Memory may be freed anywhere: a block that leaves its thread comes home over a lock-free stack.
//!
//! What the arena cannot serve is never an error for the caller: when it is full, the system's allocator serves and the
//! `overflow` is counted; when a block of the system's is freed or grown inside, that is counted as `stray`. Both are zero
//! in a node that keeps SR-TIM-005, and tests make the program abort on the first ([`abort_on_breach`]).
//!
//! Checked: what threads share (`bounds`, `owned`, `remote`) under loom (`tests/loom`); all of it by threads that do nothing else
//! (`tests/stress.rs`), also under valgrind, which sees the region as one block and so no misuse within it. Not checked by Miri,
//! which needs a nightly compiler.
#![allow(
    clippy::disallowed_types,
    reason = "an allocator cannot use anything above raw atomics: this is their second room"
)]

mod allocator;
mod atomic;
mod bounds;
mod owned;
mod remote;
mod slot;

use std::{cell::Cell, io, marker::PhantomData};

pub use allocator::{ArenaAllocator, Breach, abort_on_breach};
pub use slot::Usage;

use slot::Slot;

/// A region of memory of one thread at a time. Dropping it gives the region back for the next arena of the process; what
/// was allocated from it stays valid.
#[derive(Debug)]
pub struct Arena {
    slot: &'static Slot,
    locked: bool,
    /// It may move to another thread, but two must not be within it.
    _one_thread: PhantomData<Cell<()>>,
}

impl Arena {
    /// A region of at least `bytes`, every page of it touched, and locked if the machine allows.
    ///
    /// # Errors
    /// The system gives no such region, or the process has [`Arena::MOST`] of them in use already.
    pub fn new(bytes: usize) -> io::Result<Arena> {
        let (slot, locked) = slot::acquire(bytes)?;
        Ok(Arena { slot, locked, _one_thread: PhantomData })
    }

    /// Arenas that a process can have.
    pub const MOST: usize = slot::MOST;

    /// Whether the region is locked in memory. When it is not, a page of it may be swapped out.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Calls `f`; what this thread allocates meanwhile comes from the arena. Within another arena the inner one serves.
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        let _left_at_the_end = Inside(allocator::enter(self.slot));
        f()
    }

    /// What was used of it so far.
    pub fn usage(&self) -> Usage {
        self.slot.usage()
    }

    /// A reader of the usage for other threads.
    pub fn meter(&self) -> Meter {
        Meter(self.slot)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        slot::release(self.slot);
    }
}

/// Reads an arena's usage from any thread.
#[derive(Debug, Clone, Copy)]
pub struct Meter(&'static Slot);

impl Meter {
    /// What was used of it so far.
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

/// A closure and not a value of the caller's: one that was forgotten would let two threads into one arena.
struct Inside(allocator::Place);

impl Drop for Inside {
    fn drop(&mut self) {
        allocator::leave(self.0);
    }
}
