//! From the camera's angles to the vehicle's, and from a gaze to its zone.

use crate::{
    config::{Camera, Config, Zone},
    math::{self, Mat3, Vec3},
    pose,
};

/// A gaze or head direction against the forward view: degrees, yaw positive to the driver's left, pitch positive up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Direction {
    /// Degrees to the driver's left.
    pub yaw: f32,
    /// Degrees up.
    pub pitch: f32,
}

/// A gaze keeps the forward zone until it is this far (degrees) outside, so that noise at the border does not flicker.
const STICKY_DEG: f32 = 1.5;

/// The rotation from the camera frame to that of a camera which the driver would look into when looking ahead.
pub fn mounting(camera: &Camera) -> Mat3 {
    let yaw = math::rotation([0.0, -camera.yaw_deg.to_radians(), 0.0]);
    let pitch = math::rotation([-camera.pitch_deg.to_radians(), 0.0, 0.0]);
    let roll = math::rotation([0.0, 0.0, camera.roll_deg.to_radians()]);
    math::mat_mul(&yaw, &math::mat_mul(&pitch, &roll))
}

/// A direction of the camera frame, against the forward view.
pub fn in_vehicle(mounting: &Mat3, direction: Vec3) -> Direction {
    let (yaw, pitch) = pose::yaw_pitch(math::mul(mounting, direction));
    Direction { yaw, pitch }
}

/// What is read of a gaze that goes down far is too little: the lids that follow the eye and a chin near the chest hide what there
/// is to see. Fitted on two rendered faces that look into the lap and at the console (38 and 42 degrees down were read 25 and 28 below
/// the forward view; 12 and 16 were read right).
pub fn downward(pitch: f32) -> f32 {
    /// From here down (degrees) too little is read.
    const FROM_DEG: f32 = -12.0;
    /// And by so much.
    const GAIN: f32 = 1.85;
    if pitch < FROM_DEG { FROM_DEG + (pitch - FROM_DEG) * GAIN } else { pitch }
}

/// The zone that a gaze is in; `was` is the one before, none at first.
pub fn zone(config: &Config, gaze: Direction, was: Option<Zone>) -> Zone {
    let margin = if was == Some(Zone::Forward) { STICKY_DEG } else { 0.0 };
    let [half_yaw, half_pitch] = config.forward_half_deg;
    if gaze.yaw.abs() <= half_yaw + margin && gaze.pitch.abs() <= half_pitch + margin {
        return Zone::Forward;
    }
    let holds = |range: [f32; 2], value: f32| value >= range[0] && value < range[1];
    let named = config.zones.iter().find(|z| holds(z.yaw_deg, gaze.yaw) && holds(z.pitch_deg, gaze.pitch));
    if let Some(named) = named {
        named.zone
    } else if gaze.pitch < config.area_3_below_deg {
        Zone::Area3
    } else if gaze.yaw.abs() > config.area_1_beyond_deg || gaze.pitch > config.roof_above_deg {
        Zone::Area1
    } else {
        Zone::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A camera straight ahead of the driver.
    const AHEAD: Camera = Camera { fov_deg: 60.0, yaw_deg: 0.0, pitch_deg: 0.0, roll_deg: 0.0 };

    fn at(yaw: f32, pitch: f32) -> Zone {
        zone(&Config::default(), Direction { yaw, pitch }, None)
    }

    #[test]
    fn a_driver_who_looks_around_is_seen_to_do_so() {
        assert_eq!(at(0.0, 0.0), Zone::Forward);
        assert_eq!(at(10.0, -6.0), Zone::Forward);
        assert_eq!(at(40.0, -10.0), Zone::LeftMirror);
        assert_eq!(at(-50.0, -10.0), Zone::RightMirror);
        assert_eq!(at(-30.0, 10.0), Zone::RearMirror);
        assert_eq!(at(0.0, -20.0), Zone::Cluster);
        assert_eq!(at(-20.0, -45.0), Zone::Area3);
        assert_eq!(at(80.0, 0.0), Zone::Area1);
        assert_eq!(at(0.0, 50.0), Zone::Area1);
        assert_eq!(at(20.0, -10.0), Zone::Other);
    }

    #[test]
    fn only_a_gaze_far_down_is_read_as_farther_down() {
        assert_eq!((downward(20.0), downward(-12.0)), (20.0, -12.0));
        assert!((downward(-28.0) + 41.6).abs() < 0.1);
    }

    #[test]
    fn noise_at_the_border_does_not_flicker() {
        let border = Direction { yaw: 11.8, pitch: 0.0 };
        let config = Config::default();
        assert_eq!(zone(&config, border, Some(Zone::Forward)), Zone::Forward);
        assert_eq!(zone(&config, border, Some(Zone::Other)), Zone::Other);
    }

    #[test]
    fn a_driver_who_looks_into_a_low_camera_looks_down() {
        let camera = Camera { pitch_deg: -20.0, ..AHEAD };
        let into_lens = in_vehicle(&mounting(&camera), [0.0, 0.0, -1.0]);
        assert!((into_lens.pitch + 20.0).abs() < 1e-3 && into_lens.yaw.abs() < 1e-3, "{into_lens:?}");
    }

    #[test]
    fn a_driver_who_looks_into_a_camera_at_the_right_looks_right() {
        let camera = Camera { yaw_deg: -25.0, pitch_deg: 5.0, ..AHEAD };
        let into_lens = in_vehicle(&mounting(&camera), [0.0, 0.0, -1.0]);
        assert!((into_lens.yaw + 25.0).abs() < 1e-3 && (into_lens.pitch - 5.0).abs() < 1e-3, "{into_lens:?}");
    }

    #[test]
    fn a_leaning_camera_is_put_upright() {
        // The picture's right is 10 degrees below the vehicle's: a gaze along it is level all the same.
        let camera = Camera { roll_deg: -10.0, ..AHEAD };
        let (s, c) = 10_f32.to_radians().sin_cos();
        let level = in_vehicle(&mounting(&camera), [0.5 * c, 0.5 * s, -0.866]);
        assert!((level.yaw - 30.0).abs() < 0.1 && level.pitch.abs() < 0.1, "{level:?}");
    }
}
