//! The arena as a program's allocator. Each test uses slots of its own: tests run beside one another.
#![allow(clippy::unwrap_used, clippy::disallowed_types, reason = "a test")]

use std::{
    hint::black_box,
    sync::{Arc, Barrier, mpsc::channel},
    thread,
};

use troika_arena::{Arena, ArenaAllocator};

#[global_allocator]
static ALLOCATOR: ArenaAllocator = ArenaAllocator;

const MIB: usize = 1 << 20;

#[test]
fn what_is_allocated_inside_comes_from_the_arena_and_nothing_else_does() {
    let arena = Arena::new(MIB).unwrap();
    let outside = black_box(vec![1_u8; 1000]);
    assert_eq!(arena.usage().allocations, 0);
    let inside = arena.within(|| black_box(vec![2_u8; 5000]));
    let usage = arena.usage();
    assert_eq!((usage.allocations, usage.used, usage.peak), (1, 5000, 5000));
    arena.within(|| drop(inside));
    let usage = arena.usage();
    assert_eq!((usage.used, usage.peak, usage.overflows, usage.strays), (0, 5000, 0, 0));
    assert_eq!(usage.capacity, MIB);
    drop(outside);
}

#[test]
fn a_full_arena_is_served_by_the_system_and_counted() {
    let arena = Arena::new(MIB).unwrap();
    let big = arena.within(|| black_box(vec![7_u8; 2 * MIB]));
    assert_eq!(arena.usage().overflows, 1);
    assert!(big.iter().all(|byte| *byte == 7));
    drop(big); // outside: the system's own, nothing to count
    assert_eq!((arena.usage().strays, arena.usage().used), (0, 0));
}

#[test]
fn memory_of_the_system_that_is_freed_or_grown_inside_is_counted() {
    let arena = Arena::new(MIB).unwrap();
    let freed = black_box(vec![1_u8; 100]);
    let mut grown: Vec<u8> = black_box(Vec::with_capacity(4));
    grown.extend([1, 2, 3, 4]);
    arena.within(|| {
        drop(freed);
        grown.reserve_exact(1000);
    });
    assert_eq!(arena.usage().strays, 2);
    assert_eq!(grown, [1, 2, 3, 4]);
    grown.reserve_exact(5000); // and back to the system
    assert_eq!(grown, [1, 2, 3, 4]);
}

#[test]
fn zeroed_memory_is_zero_also_where_something_lay_before() {
    let arena = Arena::new(MIB).unwrap();
    arena.within(|| {
        drop(black_box(vec![0xff_u8; 4096]));
        assert!(black_box(vec![0_u8; 4096]).iter().all(|byte| *byte == 0));
    });
}

#[test]
fn alignments_are_kept() {
    #[repr(align(256))]
    struct Wide([u8; 3]);
    let arena = Arena::new(MIB).unwrap();
    arena.within(|| {
        let all: Vec<_> = (0..50).map(|n| (Box::new(n), Box::new(Wide([n; 3])))).collect();
        for (n, (one, wide)) in (0..50).zip(&black_box(all)) {
            assert_eq!((&raw const **wide).addr() % 256, 0);
            assert_eq!((**one, wide.0), (n, [n; 3]));
        }
    });
}

#[test]
fn growing_inside_keeps_what_was_there() {
    let arena = Arena::new(4 * MIB).unwrap();
    let numbers = arena.within(|| {
        let mut numbers = Vec::new();
        for n in 0..100_000_u32 {
            numbers.push(n);
        }
        numbers
    });
    assert!(numbers.iter().copied().eq(0..100_000));
    assert_eq!(arena.usage().overflows, 0);
}

#[test]
fn blocks_freed_by_other_threads_come_home() {
    const ROUNDS: usize = 20_000;
    let (to_others, others) = channel::<Vec<u8>>();
    let others = Arc::new(std::sync::Mutex::new(others));
    let start = Arc::new(Barrier::new(3));
    let freers: Vec<_> = (0..2)
        .map(|_| {
            let (others, start) = (others.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                loop {
                    let next = others.lock().unwrap().recv();
                    match next {
                        Ok(block) => {
                            assert!(block.iter().all(|byte| usize::from(*byte) == block.len() % 251))
                        }
                        Err(_) => return,
                    }
                }
            })
        })
        .collect();
    let arena = Arena::new(8 * MIB).unwrap();
    start.wait();
    for round in 0..ROUNDS {
        let size = 1 + round * 7919 % 3000;
        let block = arena.within(|| vec![(size % 251) as u8; size]);
        to_others.send(block).unwrap();
        // The freers may be starved; what is out must not fill the region.
        while arena.usage().used > 6 * MIB {
            thread::yield_now();
            arena.within(|| drop(black_box(Box::new(1))));
        }
    }
    drop(to_others);
    for freer in freers {
        freer.join().unwrap();
    }
    arena.within(|| {
        for _ in 0..ROUNDS {
            drop(black_box(Box::new(1_u64)));
        }
    });
    let usage = arena.usage();
    assert_eq!((usage.used, usage.overflows, usage.strays), (0, 0, 0), "all came home");
}

#[test]
fn a_region_is_used_again_by_the_next_arena_and_what_lives_in_it_stays() {
    // A size that no other test asks for, so that this region is not another test's.
    let kept = thread::spawn(|| {
        let arena = Arena::new(24 * MIB).unwrap();
        arena.within(|| black_box(vec![3_u8; 1000]))
    })
    .join()
    .unwrap();
    let next = Arena::new(24 * MIB).unwrap();
    assert_eq!(next.usage().used, 1000);
    let other = next.within(|| black_box(vec![4_u8; 20 * MIB]));
    assert!(kept.iter().all(|byte| *byte == 3));
    drop(kept);
    next.within(|| drop(other));
    assert_eq!((next.usage().used, next.usage().overflows), (0, 0));
}

#[test]
fn an_arena_without_end_is_refused() {
    assert!(Arena::new(0).is_err());
    assert!(Arena::new(1 << 40).is_err());
}
