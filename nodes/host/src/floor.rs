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

/// A running measurement. Dropping it ends it.
pub struct Floor {
    stop: StopToken,
    lateness: Histogram,
    thread: Option<JoinHandle<Vec<Notice>>>,
}

impl Floor {
    /// Starts a measurement with the usual options.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn start() -> io::Result<Floor> {
        Floor::start_with(FloorOptions::default())
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
                    writer.record(Duration::from_nanos(late));
                    // Points that passed meanwhile belong to the same stall and are not counted again.
                    due += period * (1 + late / period);
                }
                notices
            })?;
        Ok(Floor { stop, lateness, thread: Some(thread) })
    }

    /// What was recorded so far.
    pub fn snapshot(&self) -> Snapshot {
        self.lateness.snapshot()
    }

    /// Ends the measurement.
    pub fn stop(self) -> Snapshot {
        self.stop_with_notices().0
    }

    /// Ends the measurement; with what the machine did not allow it (without a real-time priority it measures the ordinary
    /// scheduler).
    pub fn stop_with_notices(mut self) -> (Snapshot, Vec<Notice>) {
        let notices = self.join();
        (self.lateness.snapshot(), notices)
    }

    fn join(&mut self) -> Vec<Notice> {
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
