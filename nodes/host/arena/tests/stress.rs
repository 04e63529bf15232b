//! The arena under threads that do nothing but allocate, grow, hand over and free: each with its own arena, each freeing what the
//! others gave it. Every block says what must lie in it, so a block that two have at once shows.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    hint::black_box,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use troika_arena::{Arena, ArenaAllocator};

#[global_allocator]
static ALLOCATOR: ArenaAllocator = ArenaAllocator;

const THREADS: usize = 4;
const MIB: usize = 1 << 20;

/// Steps of each thread; `TROIKA_STRESS` sets another number (valgrind is 50 times slower).
fn steps() -> usize {
    std::env::var("TROIKA_STRESS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(200_000)
}

/// What lies in a block is made of its length.
fn block(length: usize) -> Vec<u8> {
    vec![(length % 251) as u8; length]
}

fn check(block: &[u8], original: usize) {
    assert!(block[..original].iter().all(|byte| usize::from(*byte) == original % 251), "overwritten");
}

/// xorshift: a length from 1 to 4000, small ones more often.
fn length(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    1 + ((*seed % 4000) >> (*seed >> 60)) as usize
}

/// One thread: keeps some blocks, hands some to its neighbour, frees what comes from the other.
fn work(number: usize, next: &SyncSender<(Vec<u8>, usize)>, mine: &Receiver<(Vec<u8>, usize)>) {
    let mut arena = Arena::new(4 * MIB).unwrap();
    let mut kept: Vec<(Vec<u8>, usize)> = Vec::with_capacity(64);
    let mut seed = 0x9E37_79B9_7F4A_7C15 ^ number as u64;
    for step in 0..steps() {
        let original = length(&mut seed);
        let mut made = arena.within(|| black_box(block(original)));
        let moved = step % 7 == 0 && step % 5 != 0;
        if step % 5 == 0 {
            arena.within(|| made.reserve_exact(original)); // in place, or moved within the arena
        } else if moved {
            made.reserve_exact(2 * original); // from outside: it moves to the system's
        }
        check(&made, original);
        match step % 3 {
            0 => match next.try_send((made, original)) {
                Ok(()) => {}
                // The neighbour is behind: freed here, outside, so it comes home by the stack.
                Err(full) => drop(full),
            },
            1 if kept.len() < 64 => kept.push((made, original)),
            // What is the system's by now is freed outside: inside it would be a stray.
            _ if moved => drop(made),
            _ => arena.within(|| drop(made)),
        }
        if kept.len() == 64 {
            kept.drain(..).for_each(|(block, original)| check(&block, original));
        }
        // Another thread's block, or one that had moved: freed outside the arena, as a courier does.
        while let Ok((block, original)) = mine.try_recv() {
            check(&block, original);
        }
        if step % 5000 == 4999 {
            // The region goes to whoever asks next, with blocks of it still out in the world.
            assert_eq!((arena.usage().overflows, arena.usage().strays), (0, 0), "{:?}", arena.usage());
            arena = Arena::new(4 * MIB).unwrap();
        }
    }
}

#[test]
fn blocks_are_one_threads_at_a_time_however_they_travel() {
    let (ends, others): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| sync_channel(64)).unzip();
    thread::scope(|scope| {
        for (number, mine) in others.into_iter().enumerate() {
            let next = ends[(number + 1) % THREADS].clone();
            scope.spawn(move || work(number, &next, &mine));
        }
        drop(ends);
    });
    // All is freed by now; a last owner of each region takes in what came home.
    let arenas: Vec<Arena> = (0..Arena::MOST).map_while(|_| Arena::new(4 * MIB).ok()).collect();
    assert!(arenas.len() >= THREADS);
    for arena in &arenas {
        assert_eq!(arena.usage().used, 0, "all came home");
    }
}
