//! What belongs here: what is outside the nodes when they run in virtual time, with no thread, no I/O and no clock of its own.
//!
//! - [`perception`]: what a good camera and its networks would see of a driver, with their noise: driver states without a picture.
//! - [`road`]: a lane and who steers in it: the steering angle.
//! - [`absence`]: what a node's clock counts while its process is gone.
//! - [`air`]: the link's edge; [`cloud`]: the service behind it; [`model`]: what stands for the vehicle's language model.
//!
//! Deterministic, bit for bit: the same seed gives the same world on every machine.

pub mod absence;
pub mod air;
pub mod chance;
pub mod cloud;
pub mod model;
pub mod perception;
pub mod road;
