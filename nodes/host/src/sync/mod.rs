//! What belongs here: everything that two threads share with a real-time thread, and the only raw atomics of the
//! workspace. On the real-time side every call is wait-free, takes no lock and allocates nothing; what it may cost
//! instead is written at each type (a value overwritten, a value dropped and counted). Every file but the two that touch the system
//! (`futex`, `vitals`) is also compiled and checked under loom: `tests/loom`.
#![allow(clippy::disallowed_types, reason = "this is the room where raw atomics live")]

mod atomic;
mod cells;
mod events;
mod futex;
mod histogram;
mod latest;
mod post;
mod vital_cell;
mod vitals;
mod wake;

pub use cells::{Counter, Flag, TimeCell};
pub use events::{EventReader, EventWriter, events};
pub use histogram::{Histogram, HistogramWriter, Snapshot, histogram};
pub use latest::{LatestReader, LatestWriter, latest};
pub use post::{PostReader, PostWriter, post};
pub use vitals::{Reading, Vital, VitalsPage};
pub use wake::{StopToken, Wake};
