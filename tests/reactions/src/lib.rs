//! What belongs here: a real system and the outside peer that hears it. `cargo xtask bench reactions` measures with them how soon a fault is answered;
//! the campaign of faults injects into them what takes a process, a machine or a network.
//!
//! - [`system`]: `troika run` in a folder of its own; [`peer`]: the session that hears it and drives the vehicle; [`load`]: what else the machine does.

pub mod load;
pub mod peer;
pub mod system;
