//! What belongs here: a rendered driver and a rendered hand with ground truth, and the scenarios that they act.
//!
//! - [`Renderer`]: a software rasteriser of a CC0 head: a [`Pose`] in, a [`Frame`] and its truth out.
//! - [`Scenario`] (TOML) and [`Script`]: what the driver does, and pose and truth of each frame.
//! - [`SimDriver`]: both as a node.
//! - [`hand`]: the same for a hand and its gestures.
//!
//! Everything is deterministic, bit for bit: the same scenario gives the same frames on every machine.

mod asset;
mod camera;
mod eye;
mod frame;
pub mod hand;
mod head;
mod light;
mod look;
mod math;
mod node;
mod play;
mod pose;
mod raster;
mod render;
mod scenario;
mod script;
mod sensor;
pub mod slip;
mod worn;

pub use asset::AssetError;
pub use camera::Camera;
pub use frame::{EyeTruth, Frame, FrameTruth, Quality};
pub use head::{Head, Landmark};
pub use light::Light;
pub use math::{bearing, direction};
pub use node::{Config, Inputs, Outputs, SimDriver};
pub use play::{PERIOD, Play};
pub use pose::Pose;
pub use render::Renderer;
pub use scenario::{Act, ActKind, Mark, Scenario, ScenarioError, Segment, SegmentText, Wear};
pub use script::{FORWARD_DEG, RATE, Script, Shot, Truth, zone};
