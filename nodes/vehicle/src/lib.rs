//! What belongs here: the vehicle's end of the stack. Signals out, commands carried out, behind a trait for the body.
//!
//! - [`catalogue`]: the vehicle functions, their slots and their gates, read from `nodes/voice/vehicle-functions.toml`.
//!   The one source for the grammar, the matcher, the policy and the door of the body.
//! - [`body`]: what a vehicle's body is to the node; [`simulated`]: one that is simulated.
//! - [`VehicleNode`]: the step. It checks each command against the catalogue and its gates once more, whoever sent it:
//!   the last line before something moves.

pub mod body;
pub mod catalogue;
mod door;
mod node;
pub mod simulated;

pub use body::Body;
pub use node::{Config, ConfigError, Inputs, Outputs, SignalsFrom, VehicleNode};
pub use simulated::SimulatedBody;
