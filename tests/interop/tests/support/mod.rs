//! What is sent to and fro: every field set, no value that a wrong field could have too.
#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::{Value, json};
use troika_msgs::{builtin_interfaces::Time, sensor_msgs::Image, std_msgs, troika::DriverState};

pub(crate) fn string() -> std_msgs::String {
    std_msgs::String { data: "grüß dich \u{2713}".into() }
}

fn header(frame: &str) -> std_msgs::Header {
    std_msgs::Header { stamp: Time { sec: 1_700_000_001, nanosec: 999_999_999 }, frame_id: frame.into() }
}

pub(crate) fn driver_state() -> DriverState {
    DriverState {
        header: header("driver_camera"),
        sequence: 7,
        e2e: vec![1, 2, 3],
        fall_back: true,
        state: DriverState::LOOKING_AWAY,
        confidence: 0.75,
        face_detected: true,
        face_box: [0.125, 0.25, 0.375, 0.5],
        head_yaw_deg: -12.5,
        head_pitch_deg: 3.25,
        head_roll_deg: 1.5,
        gaze_yaw_deg: -30.1,
        gaze_pitch_deg: -7.75,
        gaze_zone: 3,
        eye_openness_left: 0.9375,
        eye_openness_right: 0.8125,
        mouth_opening: 0.0625,
        perclos: 0.03125,
        landmarks: (0..956).map(|i| i as f32 / 1024.0).collect(),
        model: "face-mesh 0.10.14".into(),
    }
}

/// A mebibyte, as a camera would send.
pub(crate) fn image() -> Image {
    Image {
        header: header("driver_camera"),
        height: 1024,
        width: 1024,
        encoding: "mono8".into(),
        is_bigendian: 0,
        step: 1024,
        data: (0..1_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
    }
}

/// The driver's state as plain values, for a peer to send. Written by hand: a second source for names and order.
pub(crate) fn driver_state_data() -> Value {
    json!({
        "header": { "stamp": { "sec": 1_700_000_001, "nanosec": 999_999_999 }, "frame_id": "driver_camera" },
        "sequence": 7, "e2e": [1, 2, 3], "fall_back": true, "state": 2, "confidence": 0.75, "face_detected": true, "face_box": [0.125, 0.25, 0.375, 0.5],
        "head_yaw_deg": -12.5, "head_pitch_deg": 3.25, "head_roll_deg": 1.5,
        "gaze_yaw_deg": -30.1, "gaze_pitch_deg": -7.75, "gaze_zone": 3,
        "eye_openness_left": 0.9375, "eye_openness_right": 0.8125, "mouth_opening": 0.0625, "perclos": 0.03125,
        "landmarks": (0..956).map(|i| f64::from(i) / 1024.0).collect::<Vec<_>>(),
        "model": "face-mesh 0.10.14",
    })
}
