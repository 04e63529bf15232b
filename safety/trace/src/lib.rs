//! What belongs here: the trace from a hazard to the test that passed. Pure but for the program beside it and what reads the repository for
//! it ([`tree`]): texts in, a matrix and what is wrong with it out.
//!
//! A requirement that is verified by tests wants one at least that says so ([`troika_safety::verifies`]), ran, and passed; none that says so may
//! have failed, been left out or not run. And it wants code of the product that names it: a node's contract, or the lines that fulfil it
//! ([`troika_safety::fulfils`]). An analysis may name only goals and requirements that there are, and each goal is some hazard's.

pub mod analysis;
pub mod declared;
pub mod matrix;
pub mod page;
mod product;
pub mod ran;
pub mod source;
pub mod threats;
pub mod tree;
