//! The machine's own lateness: a thread above every node that only sleeps to the next point of a grid and records how late
//! it woke, as `cyclictest` does. What a node's figures are read against: no node can be better than this.

use std::{
    io,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    thread::clock_nanosleep_absolute,
    time::{ClockId, Timespec},
};

use crate::{
    clock::monotonic_nanos,
    sched::{Notice, Policy, ready_thread},
    sync::{Histogram, Snapshot, StopToken, histogram},
};

/// Priority above every node.
pub const PRIORITY: u8 = 90;

/// How the floor is measured.
#[derive(Debug, Clone)]
pub struct FloorOptions {
    /// Time between two wake-ups.
    pub period: Duration,
    /// The thread's policy.
    pub sched: Policy,
    /// The cores that it may run on; `None` is any.
    pub cores: Option<Vec<usize>>,
}

impl Default for FloorOptions {
    fn default() -> Self {
        // 1 ms: fine enough to meet the stalls that a 33 ms frame meets, and under 1 % of a core.
        FloorOptions { period: Duration::from_millis(1), sched: Policy::Fifo(PRIORITY), cores: None }
    }
}

/// The shortest lateness of the floor that is kept as a [`Stall`].
const STALL: Duration = Duration::from_millis(1);
/// Stalls that are kept; later ones are only counted.
const STALLS: usize = 1 << 16;

/// A time in which the floor should have run and did not: the machine stood still, or something above every node ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// When it should have run, `CLOCK_MONOTONIC`.
    pub due: Duration,
    /// How much later it ran.
    pub late: Duration,
}

/// Whether a stall at least as long as `excess` lies within `from` to `to` (`CLOCK_MONOTONIC`), at least in part: then nobody
/// could have been in time. `stalls` in the order of their time.
pub fn explains(stalls: &[Stall], from: Duration, to: Duration, excess: Duration) -> bool {
    stalls.iter().any(|stall| stall.late >= excess && stall.due <= to && stall.due + stall.late >= from)
}

/// A running measurement. Dropping it ends it.
pub struct Floor {
    stop: StopToken,
    lateness: Histogram,
    thread: Option<JoinHandle<(Vec<Notice>, Vec<Stall>)>>,
}

/// What one recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// How late it woke.
    pub lateness: Snapshot,
    /// The longest of them, in the order of their time.
    pub stalls: Vec<Stall>,
    /// What the machine did not allow it: without a real-time priority it measures the ordinary scheduler.
    pub notices: Vec<Notice>,
}

impl Floor {
    /// Starts a measurement with the usual options.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start() -> io::Result<Floor> {
        Floor::start_with(FloorOptions::default())
    }

    /// One for each core.
    ///
    /// # Errors
    /// When there is no thread for one.
    pub fn on_each_core() -> io::Result<Vec<Floor>> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let on = |core| FloorOptions { cores: Some(vec![core]), ..FloorOptions::default() };
        (0..cores).map(|core| Floor::start_with(on(core))).collect()
    }

    /// Starts a measurement.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start_with(options: FloorOptions) -> io::Result<Floor> {
        let stop = StopToken::new();
        let (mut writer, lateness) = histogram();
        let stopped = stop.clone();
        let thread =
            thread::Builder::new().name("troika-floor".into()).stack_size(1 << 20).spawn(move || {
                let mut notices = Vec::new();
                let mut stalls = Vec::with_capacity(STALLS);
                ready_thread("floor", options.sched, options.cores.as_deref(), &mut notices);
                let period = (options.period.as_nanos() as u64).max(1);
                let mut due = monotonic_nanos() + period;
                while !stopped.is_stopped() {
                    let until = Timespec {
                        tv_sec: (due / 1_000_000_000) as i64,
                        tv_nsec: (due % 1_000_000_000) as i64,
                    };
                    if clock_nanosleep_absolute(ClockId::Monotonic, &until).is_err() {
                        continue; // a signal: sleep on to the same point
                    }
                    let late = monotonic_nanos().saturating_sub(due);
                    let stall = Stall { due: Duration::from_nanos(due), late: Duration::from_nanos(late) };
                    writer.record(stall.late);
                    if stall.late >= STALL && stalls.len() < STALLS {
                        stalls.push(stall);
                    }
                    // Points that passed meanwhile belong to the same stall and are not counted again.
                    due += period * (1 + late / period);
                }
                (notices, stalls)
            })?;
        Ok(Floor { stop, lateness, thread: Some(thread) })
    }

    /// What was recorded so far.
    pub fn snapshot(&self) -> Snapshot {
        self.lateness.snapshot()
    }

    /// Ends the measurement.
    pub fn stop(self) -> Snapshot {
        self.finish().lateness
    }

    /// Ends the measurement; with all that it recorded.
    pub fn finish(mut self) -> Recorded {
        let (notices, stalls) = self.join();
        Recorded { lateness: self.lateness.snapshot(), stalls, notices }
    }

    fn join(&mut self) -> (Vec<Notice>, Vec<Stall>) {
        self.stop.stop();
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_explains_what_it_overlaps_and_is_long_enough_for() {
        let ms = Duration::from_millis;
        let stalls = [Stall { due: ms(100), late: ms(20) }, Stall { due: ms(500), late: ms(2) }];
        assert!(explains(&stalls, ms(110), ms(150), ms(20)));
        assert!(!explains(&stalls, ms(110), ms(150), ms(21)), "shorter than the excess");
        assert!(!explains(&stalls, ms(121), ms(150), ms(1)), "over before the frame came");
        assert!(!explains(&stalls, ms(0), ms(99), ms(1)), "begun after the frame was done");
    }

    #[test]
    fn a_measurement_records_wake_ups_and_ends() {
        let floor = Floor::start().expect("a thread");
        while floor.snapshot().count() < 5 {
            thread::yield_now();
        }
        let figures = floor.stop();
        assert!(figures.count() >= 5);
        assert!(figures.quantile(0.5) <= figures.max());
    }
}
