//! What belongs here: frames in. A V4L2 camera, a video file or an image folder becomes `sensor_msgs/Image`.
//!
//! An edge: a capture thread owns the device and blocks on it; the [`CameraNode`] takes the newest frame from it. Pixels are
//! published as the source gives them (`mono8`, `rgb8`, `bgr8`, `yuv422`, `yuv422_yuy2`, `nv12`), with their row step;
//! compressed ones are decoded to `rgb8` or `mono8`.
//!
//! - A camera that is unplugged, stalls or was never there: nothing is published, it is tried again with a growing pause
//!   (0.25 s to 4 s) until it is back, and the node faults once a second, which its heartbeat shows.
//! - A file or folder begins with the node's first step, and not while others of the system still load; one that ends is begun again or
//!   left, as configured.
//! - Frames that come faster than they are taken: the newest stays, the others are counted.

mod capture;
pub mod config;
mod node;
pub mod source;

pub use capture::{Clock, Status};
pub use config::{Config, ConfigError, Source};
pub use node::{CameraError, CameraNode, Inputs, Outputs};
