//! A real photograph through the real networks: a check that nothing is tuned to renderings alone. The picture is a part of
//! NASA's portrait of Eileen Collins (public domain; `astronaut.png` of the Python package scikit-image), grey.
//!
//! Needs the models of the store (`troika models pull`); without them these tests fail.

use troika_driver_state::{config::Config, node::DriverStateNode};
use troika_kit::Time;
use troika_models::Store;
use troika_msgs::{sensor_msgs::Image, troika::DriverState};

const PORTRAIT: &[u8] = include_bytes!("fixtures/astronaut.pgm");
const WIDTH: usize = 230;
const HEIGHT: usize = 220;

fn node(config: &Config) -> DriverStateNode {
    let models = Store::open_default().expect("a model store");
    let node = DriverStateNode::open(config, &models).expect("a sound configuration");
    assert!(!node.model().starts_with("unavailable"), "{}", node.model());
    node
}

fn portrait(scale: impl Fn(u8) -> u8) -> Image {
    let pixels = &PORTRAIT[PORTRAIT.len() - WIDTH * HEIGHT..];
    Image {
        width: WIDTH as u32,
        height: HEIGHT as u32,
        step: WIDTH as u32,
        encoding: "mono8".into(),
        data: pixels.iter().map(|pixel| scale(*pixel)).collect(),
        ..Image::default()
    }
}

fn watch(node: &mut DriverStateNode, image: &Image, frames: u64) -> DriverState {
    let mut last = None;
    for frame in 1..=frames {
        let received = Time::from_nanos(1_000_000_000 + frame * 33_333_333);
        last = Some(node.look(image, received, &mut |_| {}).expect("a sound frame"));
    }
    last.expect("a frame")
}

#[test]
fn a_real_face_is_found_where_mediapipe_finds_it() {
    // From the Python package mediapipe 0.10.14 on the colour picture: nose tip, eye corners, mouth corners, chin.
    const REFERENCE: [(usize, [f32; 2]); 8] = [
        (1, [114.1, 121.2]),
        (33, [84.6, 90.9]),
        (133, [103.8, 93.6]),
        (362, [127.4, 94.8]),
        (263, [146.7, 94.1]),
        (61, [91.8, 129.5]),
        (291, [135.9, 132.2]),
        (152, [111.3, 165.5]),
    ];
    let mut node = node(&Config { landmarks: true, ..Config::default() });
    let state = watch(&mut node, &portrait(|pixel| pixel), 5);
    assert!(state.face_detected);
    assert_eq!(state.landmarks.len(), 2 * (468 + 10));
    for (index, [x, y]) in REFERENCE {
        let read =
            [state.landmarks[2 * index] * WIDTH as f32, state.landmarks[2 * index + 1] * HEIGHT as f32];
        let off = (read[0] - x).hypot(read[1] - y);
        assert!(off < 4.0, "point {index} at {read:?}, {off:.1} px from {:?}", [x, y]);
    }
}

/// What a light does to a pixel.
type Light = fn(u8) -> u8;

#[test]
fn real_open_eyes_are_open_in_any_light() {
    let lights: [(&str, Light); 3] = [("as it is", |p| p), ("dark", |p| p / 3), ("bright", |p| 128 + p / 2)];
    for (name, light) in lights {
        let state = watch(&mut node(&Config::default()), &portrait(light), 5);
        assert!(
            state.eye_openness_left > 0.5 && state.eye_openness_right > 0.5,
            "{name}: {} {}",
            state.eye_openness_left,
            state.eye_openness_right
        );
        assert_ne!(state.state, DriverState::EYES_CLOSED, "{name}");
    }
}

#[test]
fn a_real_smile_is_no_yawn_and_the_head_is_nearly_upright() {
    let state = watch(&mut node(&Config::default()), &portrait(|pixel| pixel), 5);
    assert!(state.mouth_opening < 0.5, "{}", state.mouth_opening);
    assert!(state.head_yaw_deg.abs() < 35.0 && state.head_roll_deg.abs() < 20.0, "{state:?}");
}

#[test]
fn a_picture_without_a_face_is_unknown() {
    troika_safety::verifies![SR_DMS_007];
    let mut image = portrait(|pixel| pixel);
    image.data.iter_mut().enumerate().for_each(|(i, pixel)| *pixel = (i % 251) as u8);
    let state = watch(&mut node(&Config::default()), &image, 30);
    assert_eq!((state.state, state.face_detected), (DriverState::UNKNOWN, false));
    assert!(state.eye_openness_left.is_nan());
}
