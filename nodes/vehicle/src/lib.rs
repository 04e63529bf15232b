//! What belongs here: the vehicle's end of the stack. Signals out, commands carried out, behind a trait for the body.
//!
//! - [`catalogue`]: the vehicle functions, their slots and their gates, read from `nodes/voice/vehicle-functions.toml`.
//!   The one source for the grammar, the matcher, the policy and the door of the body.

pub mod catalogue;
