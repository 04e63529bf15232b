//! What a renderer gives: a picture, and what is true of it.

use crate::head::{LANDMARKS, Landmark};

/// Where the parts of one eye are in the picture. Pixels; the middle of the first pixel is 0.0, 0.0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EyeTruth {
    /// The corner towards the ear.
    pub outer: [f32; 2],
    /// The corner towards the nose.
    pub inner: [f32; 2],
    /// The middle of the upper lid's edge.
    pub upper: [f32; 2],
    /// The middle of the lower lid's edge.
    pub lower: [f32; 2],
    /// The middle of the iris (also when it is hidden).
    pub iris: [f32; 2],
    /// Its radius.
    pub iris_radius: f32,
}

/// What is true of a frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameTruth {
    /// The driver's left eye (right in the picture), then the right one.
    pub eyes: [EyeTruth; 2],
    /// All landmarks, in the order of [`Landmark`].
    pub landmarks: [[f32; 2]; LANDMARKS],
    /// Share of the landmarks within the picture.
    pub in_frame: f32,
    /// Head and eyes together, degrees from the forward view: yaw to the driver's left.
    pub gaze_yaw_deg: f32,
    /// Upwards.
    pub gaze_pitch_deg: f32,
    /// Gap between the lids over the eye's width in the mesh, left and right: 0 when closed.
    pub lid_gap: [f32; 2],
}

impl FrameTruth {
    /// A landmark's place in the picture, pixels.
    pub fn landmark(&self, landmark: Landmark) -> [f32; 2] {
        self.landmarks[landmark as usize]
    }
}

/// A picture. Grey when the light is infrared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// 1 (mono8) or 3 (rgb8) bytes a pixel.
    pub channels: usize,
    /// Row by row.
    pub data: Vec<u8>,
    /// What is true of it.
    pub truth: FrameTruth,
}

/// How good a picture is, against its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quality {
    /// One sample a pixel.
    Fast,
    /// Four samples a pixel.
    #[default]
    Smooth,
}
