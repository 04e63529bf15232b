//! What belongs here: a rendered driver with ground truth, and the scenarios that he acts.
//!
//! - [`Renderer`]: a software rasteriser of a CC0 head: a [`Pose`] in, a [`Frame`] and its truth out.

mod camera;
mod eye;
mod head;
mod light;
mod look;
mod math;
mod raster;
mod render;
mod sensor;

pub use camera::Camera;
pub use head::{AssetError, Head, Landmark};
pub use light::Light;
pub use math::{bearing, direction};
pub use render::{EyeTruth, Frame, FrameTruth, Pose, Quality, Renderer};
