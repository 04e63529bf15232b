//! One node's signs of life: two words that the node writes and a watchdog reads, in the order that makes them agree.

use std::time::Duration;

use super::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// A cache line of its own, in memory that two processes share; any content is sound.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// When the step that runs began; 0 when none runs.
    began: AtomicU64,
    /// When the node last looked at its inputs; 0 before it ever did, and when it has stopped.
    awake: AtomicU64,
}

/// What a node last wrote. Times are on `CLOCK_MONOTONIC`, which all processes of a machine share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Since when its step runs, if one runs.
    pub began: Option<Duration>,
    /// When it last looked at its inputs, if it runs. Never before the begin of a step that this or an earlier reading told of.
    pub awake: Option<Duration>,
}

impl Cell {
    /// The node looks at its inputs, and its step begins.
    pub(super) fn begin(&self, monotonic: Duration) {
        self.awake.store(nanos(monotonic), Relaxed);
        // Release: whoever has read `began` reads no older `awake`, then or later. Else a long step that has just ended could look
        // like a node that has been asleep since the step before.
        self.began.store(nanos(monotonic), Release);
    }

    /// The node's step has ended.
    pub(super) fn end(&self) {
        self.began.store(0, Relaxed);
    }

    /// Nothing was ever written.
    pub(super) fn clear(&self) {
        self.began.store(0, Relaxed);
        self.awake.store(0, Relaxed);
    }

    /// What was last written.
    pub(super) fn read(&self) -> Reading {
        let time = |nanos: u64| (nanos != 0).then(|| Duration::from_nanos(nanos));
        let began = time(self.began.load(Acquire)); // before `awake`
        Reading { began, awake: time(self.awake.load(Relaxed)) }
    }

    /// Makes a cell the page's mark.
    pub(super) fn mark(&self, magic: u64) {
        self.began.store(magic, Relaxed);
    }

    /// The mark.
    pub(super) fn marked(&self) -> u64 {
        self.began.load(Relaxed)
    }
}

/// Zero is "never", so the machine's first nanosecond counts as its second.
fn nanos(time: Duration) -> u64 {
    (time.as_nanos() as u64).max(1)
}
