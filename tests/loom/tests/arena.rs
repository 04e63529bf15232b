//! The arena's lock-free files in every order of events that the memory model allows. Each test can fail: `can_fail.py`.

use std::ptr::NonNull;

use loom::{cell::UnsafeCell as Watched, sync::Arc, thread};

/// In place of `nodes/host/arena/src/atomic.rs`.
mod atomic {
    pub(crate) use loom::{
        cell::UnsafeCell,
        sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering},
    };

    macro_rules! const_fn {
        ($($function:tt)*) => { $($function)* };
    }
    pub(crate) use const_fn;
}
#[path = "../../../nodes/host/arena/src/bounds.rs"]
mod bounds;
#[path = "../../../nodes/host/arena/src/owned.rs"]
mod owned;
#[path = "../../../nodes/host/arena/src/remote.rs"]
mod remote;

use bounds::{Bounds, Range};
use owned::Owned;
use remote::{Chain, Freed, Remote};

/// Memory that is as long and as aligned as a freed block is.
#[repr(C, align(16))]
struct Block([u8; size_of::<Freed>()]);

fn block() -> NonNull<u8> {
    NonNull::from(Box::leak(Box::new(Block([0; size_of::<Freed>()])))).cast()
}

/// What the blocks' last users wrote on them, as loom sees it; a block's size is its place here.
type Written = Arc<Vec<Watched<u32>>>;

fn written(blocks: u32) -> Written {
    Arc::new((0..blocks).map(Watched::new).collect())
}

/// The last use of block `n` by the thread that frees it.
fn use_and_push(remote: &Remote, written: &Written, n: u32) {
    // SAFETY: loom has checked that nobody else uses it.
    written[n as usize].with_mut(|word| unsafe { *word = 100 + n });
    // SAFETY: a block is as long as a `Freed`, and given up.
    unsafe { remote.push(block(), n, 16) };
}

/// The owner's use of what it took.
fn reuse(mut chain: Chain, written: &Written) -> Vec<u32> {
    let mut taken = Vec::new();
    while let Some((block, freed)) = chain.next() {
        assert_eq!(freed.align, 16);
        // SAFETY: loom has checked that its last user has finished.
        let last = written[freed.size as usize].with_mut(|word| unsafe { std::mem::take(&mut *word) });
        assert_eq!(last, 100 + freed.size);
        taken.push(freed.size);
        // SAFETY: it was leaked as a box of this type, and is taken once.
        drop(unsafe { Box::from_raw(block.cast::<Block>().as_ptr()) });
    }
    taken
}

#[test]
fn blocks_that_two_threads_free_come_home_once_each_and_after_their_last_use() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let remote = Arc::new(Remote::new());
        let written = written(4);
        // Whoever reads before it writes goes first (README.md): this thread, then the second freer, then the owner.
        let freer = thread::spawn({
            let (remote, written) = (remote.clone(), written.clone());
            move || [2, 3].into_iter().for_each(|n| use_and_push(&remote, &written, n))
        });
        let owner = thread::spawn({
            let (remote, written) = (remote.clone(), written.clone());
            move || {
                let mut home = reuse(remote.take(), &written);
                home.extend(reuse(remote.take(), &written));
                home
            }
        });
        [0, 1].into_iter().for_each(|n| use_and_push(&remote, &written, n));
        freer.join().expect("it ends");
        let mut home = owner.join().expect("it ends");
        home.extend(reuse(remote.take(), &written));
        home.sort_unstable();
        assert_eq!(home, [0, 1, 2, 3]);
        assert!(remote.take().is_empty());
    });
}

#[test]
fn a_slot_has_one_owner_at_a_time_who_sees_what_the_one_before_did() {
    loom::model(|| {
        let slot = Arc::new(Owned::new((0, Chain::EMPTY)));
        let claimers: Vec<_> = (0..2)
            .map(|_| {
                let slot = slot.clone();
                thread::spawn(move || {
                    let claimed = slot.claim();
                    if claimed {
                        // SAFETY: this thread is the owner.
                        unsafe { slot.with(|(count, _)| *count += 1) };
                        slot.release();
                    }
                    u32::from(claimed)
                })
            })
            .collect();
        let claimed: u32 = claimers.into_iter().map(|one| one.join().expect("it ends")).sum();
        assert!(claimed >= 1);
        assert!(slot.claim());
        // SAFETY: this thread is the owner.
        assert_eq!(unsafe { slot.with(|(count, _)| *count) }, claimed);
    });
}

#[test]
fn an_address_of_the_systems_lies_in_no_region_while_regions_are_added() {
    // Under each region: what a region whose end came before its start would take in.
    const FOREIGN: usize = 50;
    loom::model(|| {
        let bounds = Arc::new(Bounds::new([Range::empty(), Range::empty()]));
        // Whoever reads before it writes goes first (README.md): this thread.
        let freeing = thread::spawn({
            let bounds = bounds.clone();
            move || {
                for _ in 0..2 {
                    assert_eq!(bounds.find(FOREIGN), None);
                }
            }
        });
        bounds.add(100, 200);
        bounds.add(300, 400);
        freeing.join().expect("it ends");
        assert_eq!((bounds.known(), bounds.range(1)), (2, (300, 100)));
        assert_eq!(
            [100, 199, 200, 299, 350].map(|at| bounds.find(at)),
            [Some(0), Some(0), None, None, Some(1)]
        );
    });
}
