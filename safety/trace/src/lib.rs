//! What belongs here: the trace from a hazard to the test that passed. Pure but for the program beside it: texts in, a matrix and what is
//! wrong with it out.
//!
//! A requirement that is verified by tests wants one at least that says so ([`troika_safety::verifies`]), ran, and passed; none that says so may
//! have failed, been left out or not run. An analysis may name only goals and requirements that there are, and each goal is some hazard's.

pub mod analysis;
pub mod declared;
pub mod matrix;
pub mod page;
pub mod ran;
pub mod source;
pub mod threats;
