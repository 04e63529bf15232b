//! What belongs here: everything that two threads share with a real-time thread, and the only raw atomics of the
//! workspace. On the real-time side every call is wait-free, takes no lock and allocates nothing; what it may cost
//! instead is written at each type (a value overwritten, a value dropped and counted).
#![allow(clippy::disallowed_types, reason = "this is the room where raw atomics live")]

mod cells;
mod events;
mod histogram;
mod latest;
mod vitals;
mod wake;

pub use cells::{Counter, Flag, TimeCell};
pub use events::{EventReader, EventWriter, events};
pub use histogram::{Histogram, HistogramWriter, Snapshot, histogram};
pub use latest::{LatestReader, LatestWriter, latest};
pub use vitals::{Reading, Vital, VitalsPage};
pub use wake::{StopToken, Wake};
