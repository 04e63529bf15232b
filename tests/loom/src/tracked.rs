//! A value whose every use loom sees: made on one thread, read on another, freed on a third, each must come after the one before by
//! something that orders them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use loom::cell::UnsafeCell;

/// A number that loom watches.
#[derive(Debug)]
pub struct Tracked {
    number: UnsafeCell<u64>,
    /// How many were freed: outside the model, since it orders nothing there.
    freed: Arc<AtomicUsize>,
}

impl Tracked {
    /// A number; `freed` counts it when it goes.
    pub fn new(number: u64, freed: &Arc<AtomicUsize>) -> Tracked {
        Tracked { number: UnsafeCell::new(number), freed: freed.clone() }
    }

    /// The number: loom objects when writing or freeing it may happen at the same time.
    pub fn read(&self) -> u64 {
        // SAFETY: loom has checked that nobody writes it.
        self.number.with(|number| unsafe { *number })
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // the model has failed already
        }
        // SAFETY: loom has checked that nobody reads it. Freed twice, it would not be its number any more.
        self.number.with_mut(|number| unsafe { *number = u64::MAX });
        self.freed.fetch_add(1, SeqCst);
    }
}
