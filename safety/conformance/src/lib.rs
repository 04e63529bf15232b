//! What belongs here: what a driver-monitoring system (DMS) must, must not and may say, worked out from a recorded
//! trace alone, and the judgement of what one did say.
//!
//! The library knows the rule table and the messages, never a DMS: it shares no code and no shape with an
//! implementation, so that it cannot share a mistake with one. It is pure: no clock, no files, no threads. Times are
//! nanoseconds ([`Ns`]) on the time line of the trace.

#[cfg(test)]
mod drive;
pub mod generate;
pub mod interval;
pub mod judge;
pub mod oracle;
pub mod time;
pub mod trace;
mod words;

pub use generate::generate;
pub use judge::{Tally, Verdicts, judge};
pub use oracle::{Expectation, Reading, expectations};
pub use time::Ns;
pub use trace::{Alert, Frame, Kind, Phase, Profile, Signal, State, Trace, Zone};
