//! Frame to driver state: face, mesh, iris, head pose, gaze, eyes, mouth.
pub mod canonical;
pub mod detect;
pub mod image;
pub mod math;
pub mod mesh;
pub mod pose;
pub mod roi;
