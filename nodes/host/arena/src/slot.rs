//! One region and its TLSF heap. Slots are statics: a block may outlive its arena, so a region is never unmapped; it is given
//! to the next arena that fits.

use std::{
    alloc::Layout,
    io,
    ptr::{NonNull, null_mut},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use rlsf::Tlsf;
use rustix::mm::{MapFlags, ProtFlags, mlock, mmap_anonymous};

use crate::{
    allocator::Breach,
    bounds::{Bounds, Range},
    owned::Owned,
    remote::{Chain, Freed, Remote},
};

/// Arenas of a process: one for each hard node, and some to spare.
pub(crate) const MOST: usize = 16;
/// Blocks that came home which are freed beside each allocation: a bound, so that the call stays O(1).
const HOME_AT_ONCE: usize = 4;
/// Every block can hold the link that brings it home.
const SMALLEST: usize = size_of::<Freed>();

/// First level of 2^(5+22) = 128 MiB at most, second level of 1/32: a block is at most 3 % larger than asked for.
type Heap = Tlsf<'static, u32, u32, 22, 32>;
/// The largest region that the heap can have in one block.
const LARGEST: usize = (rlsf::GRANULARITY << 22) - rlsf::GRANULARITY;

/// Bytes that every page size of Linux divides (arm64 has 4, 16 and 64 KiB). Not asked of the machine: rustix would read it where
/// valgrind shows nothing.
const PAGE: usize = 64 << 10;

/// What was used of an arena.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of the region.
    pub capacity: usize,
    /// Bytes that are allocated now, as they were asked for.
    pub used: usize,
    /// The most that were allocated at once.
    pub peak: usize,
    /// Allocations and growths so far.
    pub allocations: u64,
    /// Of these, served by the system because the region had no room.
    pub overflows: u64,
    /// Blocks of another allocator that were freed or grown inside.
    pub strays: u64,
}

pub(crate) struct Slot {
    capacity: AtomicUsize,
    remote: Remote,
    /// Owned by the arena that has the slot, touched by the thread inside alone.
    inner: Owned<Inner>,
    used: AtomicUsize,
    peak: AtomicUsize,
    allocations: AtomicU64,
    overflows: AtomicU64,
    strays: AtomicU64,
}

struct Inner {
    heap: Heap,
    home: Chain,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.usage()).finish()
    }
}

static SLOTS: [Slot; MOST] = [const { Slot::new() }; MOST];
/// Where the slots' regions are; the slots that have one come first.
static BOUNDS: Bounds<MOST> = Bounds::new([const { Range::empty() }; MOST]);
static GROWING: Mutex<()> = Mutex::new(());

/// The slot that an address lies in.
pub(crate) fn slot_at(at: *mut u8) -> Option<&'static Slot> {
    BOUNDS.find(at.addr()).map(|number| &SLOTS[number])
}

/// A slot of at least `bytes`, and whether it is locked.
pub(crate) fn acquire(bytes: usize) -> io::Result<(&'static Slot, bool)> {
    if bytes == 0 || bytes > LARGEST {
        let why = format!("an arena of {bytes} bytes: it has 1 to {LARGEST}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let _growing = GROWING.lock().unwrap_or_else(PoisonError::into_inner);
    let mapped = BOUNDS.known();
    for (number, slot) in SLOTS[..mapped].iter().enumerate() {
        // A far larger one is left for whoever needs it.
        let fits = (bytes..=2 * bytes).contains(&slot.usage().capacity);
        if fits && slot.inner.claim() {
            // SAFETY: the slot is ours since now, and no thread is inside.
            unsafe { slot.begin_anew() };
            return Ok((slot, lock(number).is_ok()));
        }
    }
    let Some(slot) = SLOTS.get(mapped) else {
        return Err(io::Error::other(format!("all {MOST} arenas of the process are in use")));
    };
    let length = bytes.next_multiple_of(PAGE);
    // SAFETY: a new mapping at a place of the kernel's choice touches nobody's memory. POPULATE touches every page.
    let region = unsafe {
        mmap_anonymous(
            null_mut(),
            length,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::POPULATE,
        )?
    };
    let start = NonNull::new(region.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
    let region = NonNull::slice_from_raw_parts(start, length);
    // SAFETY: the slot is nobody else's yet: it is not counted, and `GROWING` is held. The region is ours, readable and
    // writable, and never unmapped.
    unsafe { slot.inner.with(|inner| inner.heap.insert_free_block_ptr(region)) }
        .ok_or(io::ErrorKind::OutOfMemory)?;
    slot.capacity.store(length, Ordering::Relaxed);
    let claimed = slot.inner.claim();
    debug_assert!(claimed, "a slot without a region has no owner");
    BOUNDS.add(start.addr().get(), start.addr().get() + length);
    Ok((slot, lock(mapped).is_ok()))
}

/// Gives a slot back.
pub(crate) fn release(slot: &'static Slot) {
    slot.inner.release();
}

/// Locks the region of this number in memory.
fn lock(number: usize) -> rustix::io::Result<()> {
    let (start, length) = BOUNDS.range(number);
    // SAFETY: the range is the slot's own mapping; locking changes no content.
    unsafe { mlock(std::ptr::with_exposed_provenance_mut(start), length) }
}

impl Slot {
    const fn new() -> Slot {
        Slot {
            capacity: AtomicUsize::new(0),
            remote: Remote::new(),
            inner: Owned::new(Inner { heap: Heap::new(), home: Chain::EMPTY }),
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            allocations: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            strays: AtomicU64::new(0),
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            capacity: self.capacity.load(Ordering::Relaxed),
            used: self.used.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            allocations: self.allocations.load(Ordering::Relaxed),
            overflows: self.overflows.load(Ordering::Relaxed),
            strays: self.strays.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_breach(&self, kind: Breach) {
        match kind {
            Breach::Overflow => self.overflows.fetch_add(1, Ordering::Relaxed),
            Breach::Stray => self.strays.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// A block; `None` when there is no room.
    ///
    /// # Safety
    /// The calling thread is inside this slot.
    pub(crate) unsafe fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.allocations.fetch_add(1, Ordering::Relaxed);
        let take = |inner: &mut Inner| {
            self.take_home(inner);
            inner.heap.allocate(roomy(layout))
        };
        // SAFETY: the calling thread is the only one here, and nothing in `take` calls back.
        let block = unsafe { self.inner.with(take) }?;
        self.grew(layout.size());
        Some(block)
    }

    /// Frees a block of this slot.
    ///
    /// # Safety
    /// The calling thread is inside this slot; the block is one of its, allocated with this layout, and given up.
    pub(crate) unsafe fn free(&self, block: NonNull<u8>, layout: Layout) {
        let give = |inner: &mut Inner| {
            self.take_home(inner);
            // SAFETY: as the caller promises.
            unsafe { inner.heap.deallocate(block, roomy(layout).align()) };
        };
        // SAFETY: as in `allocate`.
        unsafe { self.inner.with(give) };
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
    }

    /// Changes a block's size, moving it if need be; `None` (and the block as it was) when there is no room.
    ///
    /// # Safety
    /// As for [`Slot::free`]; `size` is not zero.
    pub(crate) unsafe fn resize(
        &self,
        block: NonNull<u8>,
        layout: Layout,
        size: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: the caller promises a size that is valid with the layout's alignment.
        let wanted = roomy(unsafe { Layout::from_size_align_unchecked(size, layout.align()) });
        // SAFETY: as in `allocate`, and as the caller promises.
        let block = unsafe { self.inner.with(|inner| inner.heap.reallocate(block, wanted)) }?;
        self.allocations.fetch_add(1, Ordering::Relaxed);
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        self.grew(size);
        Some(block)
    }

    /// Frees a block from outside: it is freed by the thread that is inside next.
    ///
    /// # Safety
    /// The block is one of this slot's, allocated with this layout, and given up.
    pub(crate) unsafe fn send_home(&self, block: NonNull<u8>, layout: Layout) {
        // Both fit: a region is under 4 GiB.
        let (size, align) = (layout.size() as u32, roomy(layout).align() as u32);
        // SAFETY: `roomy` gave every block the size and alignment of a `Freed`.
        unsafe { self.remote.push(block, size, align) };
    }

    /// Takes in what came home since the last owner, and counts from zero.
    ///
    /// # Safety
    /// The caller has just become the owner, and no thread is inside.
    unsafe fn begin_anew(&self) {
        let take_all = |inner: &mut Inner| {
            loop {
                self.take_home(inner);
                if inner.home.is_empty() {
                    // What was on its way in when the last owner left is taken in now; more may have come home since.
                    inner.home = self.remote.take();
                    if inner.home.is_empty() {
                        break;
                    }
                }
            }
        };
        // SAFETY: as the caller promises.
        unsafe { self.inner.with(take_all) };
        self.peak.store(self.used.load(Ordering::Relaxed), Ordering::Relaxed);
        for count in [&self.allocations, &self.overflows, &self.strays] {
            count.store(0, Ordering::Relaxed);
        }
    }

    fn take_home(&self, inner: &mut Inner) {
        if inner.home.is_empty() {
            inner.home = self.remote.take();
        }
        for _ in 0..HOME_AT_ONCE {
            let Some((block, freed)) = inner.home.next() else { return };
            // SAFETY: the block was allocated here and given up by whoever sent it.
            unsafe { inner.heap.deallocate(block, freed.align as usize) };
            self.used.fetch_sub(freed.size as usize, Ordering::Relaxed);
        }
    }

    fn grew(&self, by: usize) {
        // One thread writes both at a time.
        let used = self.used.fetch_add(by, Ordering::Relaxed) + by;
        if used > self.peak.load(Ordering::Relaxed) {
            self.peak.store(used, Ordering::Relaxed);
        }
    }
}

/// The layout that a block really has: room for the link home.
fn roomy(layout: Layout) -> Layout {
    let size = layout.size().max(SMALLEST);
    let align = layout.align().max(align_of::<Freed>());
    // SAFETY: both are at most a word or two over a valid layout's, and the alignment is a power of two.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}
