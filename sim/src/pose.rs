//! What the driver does in one instant: what a renderer is given.

use crate::{
    eye,
    light::Light,
    math::{apply, bearing, direction, rotation, transpose},
    scenario::Wear,
};

/// The driver in one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Pose {
    /// Which face: 0 .. [`Renderer::identities`](crate::Renderer::identities).
    pub identity: usize,
    /// The light.
    pub light: Light,
    /// What the driver has on.
    pub wears: Wear,
    /// Head turned to the driver's left, degrees; 0 is straight to the road.
    pub head_yaw_deg: f32,
    /// Head raised, degrees.
    pub head_pitch_deg: f32,
    /// Head's top leaning to the driver's right, degrees.
    pub head_roll_deg: f32,
    /// Head and shoulders moved from the nominal place: left, up, forward, metres.
    pub offset_m: [f32; 3],
    /// Eyes turned to the driver's left within the head, degrees.
    pub eye_yaw_deg: f32,
    /// Eyes raised within the head, degrees.
    pub eye_pitch_deg: f32,
    /// Lids of the left eye: 0 closed .. 1 open as at rest.
    pub openness_left: f32,
    /// Lids of the right eye.
    pub openness_right: f32,
    /// Mouth: 0 closed .. 1 wide open.
    pub jaw_open: f32,
    /// -1 (drawn down) .. 1 (raised).
    pub brows: f32,
    /// 0 .. 1.
    pub smile: f32,
    /// Lips forward, as in speech: 0 .. 1.
    pub funnel: f32,
    /// A hand before the face: 0 away .. 1 all of it covered.
    pub cover: f32,
    /// Seed of the sensor's noise in this frame.
    pub noise_seed: u64,
}

impl Default for Pose {
    fn default() -> Self {
        Pose {
            identity: 0,
            light: Light::Day,
            wears: Wear::Nothing,
            head_yaw_deg: 0.0,
            head_pitch_deg: 0.0,
            head_roll_deg: 0.0,
            offset_m: [0.0; 3],
            eye_yaw_deg: 0.0,
            eye_pitch_deg: 0.0,
            openness_left: 1.0,
            openness_right: 1.0,
            jaw_open: 0.0,
            brows: 0.0,
            smile: 0.0,
            funnel: 0.0,
            cover: 0.0,
            noise_seed: 0,
        }
    }
}

impl Pose {
    /// Turns the eyes so that head and eyes together look at this yaw and pitch, as far as eyes go.
    pub fn look_at(&mut self, gaze_yaw_deg: f32, gaze_pitch_deg: f32) {
        let head = rotation(self.head_yaw_deg, self.head_pitch_deg, self.head_roll_deg);
        let in_head = apply(&transpose(&head), direction(gaze_yaw_deg, gaze_pitch_deg));
        let (yaw, pitch) = bearing(in_head);
        self.eye_yaw_deg = yaw.clamp(-eye::REACH_YAW, eye::REACH_YAW);
        self.eye_pitch_deg = pitch.clamp(-eye::REACH_DOWN, eye::REACH_UP);
    }

    /// Where head and eyes together look: yaw (left) and pitch (up) from the forward view, degrees.
    pub fn gaze_deg(&self) -> (f32, f32) {
        let head = rotation(self.head_yaw_deg, self.head_pitch_deg, self.head_roll_deg);
        bearing(apply(&head, direction(self.eye_yaw_deg, self.eye_pitch_deg)))
    }
}
