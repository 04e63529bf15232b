//! `nodes/host/src/sync` as it is, but for the two files that touch the system: atomics and futex.

mod atomic;
mod futex;

#[path = "../../../../nodes/host/src/sync/cells.rs"]
mod cells;
#[path = "../../../../nodes/host/src/sync/events.rs"]
mod events;
#[path = "../../../../nodes/host/src/sync/histogram.rs"]
mod histogram;
#[path = "../../../../nodes/host/src/sync/latest.rs"]
mod latest;
#[path = "../../../../nodes/host/src/sync/post.rs"]
mod post;
#[path = "../../../../nodes/host/src/sync/vital_cell.rs"]
#[allow(dead_code, reason = "what only the page itself needs")]
mod vital_cell;
#[path = "../../../../nodes/host/src/sync/wake.rs"]
mod wake;

pub use cells::{Counter, Flag, TimeCell};
pub use events::{EventReader, EventWriter, events};
pub use histogram::{Histogram, HistogramWriter, Snapshot, histogram};
pub use latest::{LatestReader, LatestWriter, latest};
pub use post::{PostReader, PostWriter, post};
pub use vital_cell::Reading;
pub use wake::{StopToken, Wake};

/// A node's place on a page of vitals, without the page.
#[derive(Debug, Default)]
pub struct Vital(vital_cell::Cell);

impl Vital {
    /// A step begins.
    pub fn begin(&self, monotonic: std::time::Duration) {
        self.0.begin(monotonic);
    }

    /// It ends.
    pub fn end(&self) {
        self.0.end();
    }

    /// What was last written.
    pub fn read(&self) -> Reading {
        self.0.read()
    }
}
