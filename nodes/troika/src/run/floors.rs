//! The machine's own lateness beside a process's nodes, one thread on each core, and which of the nodes' misses it explains: a miss
//! is *explained* when a thread above every node was itself kept from running, within that frame's time, for at least as long
//! as the frame was over its limit.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use troika_host::{
    HostClock, HostHandle, NodeEvent, NodeStats,
    floor::{Floor, Stall, explains},
    sync::{Snapshot, StopToken},
};
use troika_kit::{Contract, Fault};

use super::{
    process::percentiles,
    report::{FloorCounts, Percentiles},
};

/// Between two takings of the nodes' events; their ring holds 64.
const TAKE: Duration = Duration::from_millis(250);
/// Events that are kept; later ones count as not explained.
const KEPT: usize = 1 << 17;

type Events = Arc<Mutex<Vec<(String, NodeEvent)>>>;

/// Running measurements.
pub(super) struct Floors {
    floors: Vec<Floor>,
    host: HostHandle,
    events: Events,
    stop: StopToken,
    thread: Option<JoinHandle<()>>,
}

/// What they found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Lateness of the wake-ups, microseconds.
    pub us: Percentiles,
    /// The same, counted.
    pub counts: FloorCounts,
    /// Misses of each node that no stall explains.
    pub unexplained: BTreeMap<String, u64>,
    /// What the machine did not allow.
    pub notices: Vec<String>,
}

impl Floors {
    /// One on each core, and a thread that takes down the nodes' misses.
    ///
    /// # Errors
    /// When there is no thread for one.
    pub(super) fn start(host: HostHandle) -> std::io::Result<Floors> {
        let floors = Floor::on_each_core()?;
        let (events, stop) = (Events::default(), StopToken::new());
        let (taken, handle, stopped) = (events.clone(), host.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("troika-misses".into()).spawn(move || {
            while !stopped.wait_for(TAKE) {
                take(&handle, &taken);
            }
        })?;
        Ok(Floors { floors, host, events, stop, thread: Some(thread) })
    }

    /// Ends the measurement.
    pub(super) fn finish(mut self, clock: HostClock) -> Found {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        take(&self.host, &self.events);
        let mut lateness: Option<Snapshot> = None;
        let (mut stalls, mut notices) = (Vec::new(), Vec::new());
        for floor in self.floors {
            let recorded = floor.finish();
            lateness =
                Some(lateness.map_or_else(|| recorded.lateness.clone(), |sum| sum.plus(&recorded.lateness)));
            stalls.extend(recorded.stalls);
            let line = |one: &troika_host::Notice| format!("{}: {}; {}", one.who, one.what, one.mend);
            notices.extend(recorded.notices.iter().map(line));
        }
        notices.dedup();
        let Some(lateness) = lateness else { return Found::default() };
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = self.host.stats();
        let unexplained =
            nodes.iter().map(|node| (node.node.clone(), unexplained(node, &events, &stalls, clock)));
        let ranges = lateness.ranges(&[FloorCounts::LATE, FloorCounts::TOO_LATE]);
        Found {
            us: percentiles(&lateness, 1e6),
            counts: FloorCounts {
                wake_ups: lateness.count(),
                late: ranges[1] + ranges[2],
                too_late: ranges[2],
            },
            unexplained: unexplained.collect(),
            notices,
        }
    }
}

fn take(host: &HostHandle, events: &Events) {
    let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
    let room = KEPT.saturating_sub(events.len());
    events.extend(host.events().into_iter().take(room));
}

/// The node's steps that were too late or missed their deadline, less those that a stall explains.
fn unexplained(node: &NodeStats, events: &[(String, NodeEvent)], stalls: &[Stall], clock: HostClock) -> u64 {
    let explained = events
        .iter()
        .filter(|(name, _)| *name == node.node)
        .filter(|(_, event)| {
            let Some([from, to, excess]) = window(&node.contract, event, clock) else { return false };
            explains(stalls, from, to, excess)
        })
        .count() as u64;
    node.missed.max(node.too_late).saturating_sub(explained)
}

/// From the release to the end of a step that missed, and by how much it was over its limit; `CLOCK_MONOTONIC`.
fn window(contract: &Contract, event: &NodeEvent, clock: HostClock) -> Option<[Duration; 3]> {
    let at = Duration::from_nanos(clock.to_monotonic(event.at));
    match event.fault {
        Fault::TooLate { by } => {
            Some([at.saturating_sub(by), at, by.saturating_sub(contract.too_late_after())])
        }
        // It started by then, at most too-late-after behind its release, and ended this long after its deadline.
        Fault::Missed { by } => {
            Some([at.saturating_sub(contract.too_late_after()), at + contract.spec().deadline + by, by])
        }
        _ => None,
    }
}
