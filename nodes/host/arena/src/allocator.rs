//! Which memory a call is served from: by where the thread is when it allocates, by the address when it frees.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr::{NonNull, copy_nonoverlapping, null_mut},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::slot::{Slot, slot_at};

/// The program's allocator: `#[global_allocator] static ALLOCATOR: ArenaAllocator = ArenaAllocator;`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArenaAllocator;

/// Where a thread allocates.
pub(crate) type Place = Option<&'static Slot>;

thread_local! {
    // Without a destructor, so that it costs no allocation and is there to the thread's very end.
    static HERE: Cell<Place> = const { Cell::new(None) };
}

static ABORT: AtomicBool = AtomicBool::new(false);

/// How a thread inside its arena reached the system's allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// The arena had no block of that size.
    Overflow,
    /// Memory of the system's (or of another thread's arena) was freed or grown.
    Stray,
}

/// With `true` the first breach of any arena prints where it happened and aborts the program: for tests. By default breaches
/// are counted ([`crate::Usage`]).
pub fn abort_on_breach(abort: bool) {
    ABORT.store(abort, Relaxed);
}

pub(crate) fn enter(slot: &'static Slot) -> Place {
    HERE.replace(Some(slot))
}

pub(crate) fn leave(before: Place) {
    HERE.set(before);
}

#[cold]
fn breach(slot: &'static Slot, kind: Breach, layout: Layout) {
    slot.count_breach(kind);
    if ABORT.load(Relaxed) {
        // What follows allocates: from the system.
        HERE.set(None);
        eprintln!(
            "{kind:?} of {} bytes inside an arena ({:?})\n{}",
            layout.size(),
            slot.usage(),
            std::backtrace::Backtrace::force_capture()
        );
        std::process::abort();
    }
}

fn same(one: &'static Slot, other: Place) -> bool {
    other.is_some_and(|other| std::ptr::eq(one, other))
}

// SAFETY: every block comes from the slot that its address lies in, or from the system's allocator, and goes back to the
// same, with the layout that the caller gives; a slot is used by the thread that is inside it alone (`Arena` cannot be shared
// between threads, and cannot be sent away while `within` borrows it).
unsafe impl GlobalAlloc for ArenaAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(slot) = HERE.get() else {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: this thread is inside the slot.
        if let Some(block) = unsafe { slot.allocate(layout) } {
            return block.as_ptr();
        }
        breach(slot, Breach::Overflow, layout);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if HERE.get().is_none() {
            // SAFETY: as the caller promises. The system may have zeroed pages at hand.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as the caller promises.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block is `layout.size()` long, and nobody else has it.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let here = HERE.get();
        match (slot_at(at), NonNull::new(at)) {
            (Some(home), Some(block)) if same(home, here) => {
                // SAFETY: this thread is inside the slot, and the block is one of its.
                unsafe { home.free(block, layout) };
            }
            (Some(home), Some(block)) => {
                if let Some(slot) = here {
                    breach(slot, Breach::Stray, layout);
                }
                // SAFETY: the block is one of this slot's and the caller gives it up.
                unsafe { home.send_home(block, layout) };
            }
            _ => {
                if let Some(slot) = here {
                    breach(slot, Breach::Stray, layout);
                }
                // SAFETY: it lies in no slot, so the system gave it.
                unsafe { System.dealloc(at, layout) };
            }
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let here = HERE.get();
        let home = slot_at(at);
        match (home, here, NonNull::new(at)) {
            (None, None, _) => {
                // SAFETY: as the caller promises; it lies in no slot.
                return unsafe { System.realloc(at, layout, size) };
            }
            (Some(home), _, Some(block)) if same(home, here) => {
                // SAFETY: this thread is inside the slot, the block is one of its.
                if let Some(block) = unsafe { home.resize(block, layout, size) } {
                    return block.as_ptr();
                }
            }
            _ => {}
        }
        // It moves from one allocator to another.
        // SAFETY: the caller promises that `size`, rounded up to the alignment, is a size; the alignment is a layout's.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: as the caller promises, `size` is not zero.
        let new = unsafe { self.alloc(wanted) };
        if new.is_null() {
            return null_mut();
        }
        // SAFETY: both blocks are at least this long, and the new one is nobody else's.
        unsafe { copy_nonoverlapping(at, new, layout.size().min(size)) };
        // SAFETY: the caller gives the old block up.
        unsafe { self.dealloc(at, layout) };
        new
    }
}
