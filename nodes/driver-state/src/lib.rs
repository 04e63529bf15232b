//! Frame to driver state: face, mesh, iris, head pose, gaze, eyes, mouth.
pub mod another;
pub mod calibration;
pub mod canonical;
pub mod config;
pub mod detect;
pub mod eyes;
pub mod gaze;
pub mod iris;
pub mod math;
pub mod mesh;
pub mod node;
pub mod perception;
pub mod perclos;
pub mod pose;
pub mod store;
pub mod temporal;

pub use troika_frame::{image, roi, warp};
