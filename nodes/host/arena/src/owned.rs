//! Something that threads own in turn, each until it gives it back.

use super::atomic::{AtomicBool, Ordering, UnsafeCell, const_fn};

/// The thing, and whether it has an owner.
#[derive(Debug)]
pub(crate) struct Owned<T> {
    taken: AtomicBool,
    thing: UnsafeCell<T>,
}

// SAFETY: the thing is reached through `with` alone, whose callers are its one owner; ownership passes from thread to thread
// through `taken` (acquire, release).
unsafe impl<T: Send> Sync for Owned<T> {}

impl<T> Owned<T> {
    const_fn! {
        /// A thing that nobody owns.
        pub(crate) fn new(thing: T) -> Owned<T> {
            Owned { taken: AtomicBool::new(false), thing: UnsafeCell::new(thing) }
        }
    }

    /// Makes the caller the owner; false when there is one.
    pub(crate) fn claim(&self) -> bool {
        self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives it back: the caller was its owner.
    pub(crate) fn release(&self) {
        self.taken.store(false, Ordering::Release);
    }

    /// Hands the thing to `f`.
    ///
    /// # Safety
    /// The caller is the owner, and `f` does not come here again.
    pub(crate) unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller is the only one here.
        self.thing.with_mut(|thing| f(unsafe { &mut *thing }))
    }
}
