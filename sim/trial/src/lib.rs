//! What belongs here: scenarios that judge. A file says what happens and what is expected of it ([`Case`]); what was seen while it ran
//! ([`Seen`]) is held against that ([`judge`]), and each expectation gets a [`Verdict`] with the time, the topic and the reason.
//!
//! - [`case`]: the file; [`expect`]: an expectation; [`mod@judge`]: pure, events in, verdicts out.
//! - [`draft`]: scenarios from a seed, and the smallest one that still fails.
//! - [`report`]: JSON and JUnit; [`tally`]: many hours, counted.
//!
//! Nothing here runs a node: who runs them (`troika sim run`) hands in what it saw.

pub mod case;
pub mod draft;
pub mod expect;
pub mod judge;
pub mod names;
pub mod report;
pub mod seen;
pub mod tally;

pub use case::{Case, CaseError, Examined, Level, LinkPlan, Spoken, Trouble, What};
pub use draft::Draft;
pub use expect::{Expectation, Expected, Span};
pub use judge::{Verdict, judge};
pub use report::{Outcome, Report};
pub use seen::{Event, NodeSeen, Seen, Swap};
