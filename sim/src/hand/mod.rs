//! What belongs here: a rendered hand with ground truth: the mesh, its skeleton, the gestures that it makes, and the node.
//!
//! - [`HandScene`]: a [`HandShot`] (joint angles, placement, light) in, a [`HandFrame`] and its 21 landmarks out.
//! - [`HandScenario`] (TOML) and [`HandScript`]: what the hand does, and shot and truth of each frame.
//! - [`SimHand`]: both as a node.

mod mesh;
mod node;
mod pose;
mod rig;
mod scenario;
mod scene;
mod script;
mod shade;
mod skin;

pub use node::{Config, Inputs, Outputs, SimHand};
pub use pose::{HandPose, HandShapeName};
pub use rig::LANDMARKS;
pub use scenario::{HandAct, HandActKind, HandScenario, HandSegment};
pub use scene::{HandFrame, HandScene, HandShot, HandTruth, Placement};
pub use script::{GestureLabel, HandScript, TimedShot};
