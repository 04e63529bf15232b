//! The worlds, read by the real SDF parser (Debian's libsdformat12), and the camera in them held against the embedded simulator's.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use troika_gazebo::config::BridgeConfig;
use troika_sim::Camera;

/// `sdf check`, which Debian ships as a function without its command: it says "Valid." or what is wrong.
const CHECK: &str = "
import ctypes, sys
check = ctypes.CDLL('libsdformat12.so.12').cmdCheck
check.argtypes, check.restype = [ctypes.c_char_p], ctypes.c_int
sys.exit(0 if check(sys.argv[1].encode()) == 0 else 1)
";

fn worlds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../worlds")
}

/// What the parser says, and whether it is content.
fn parsed(file: &Path, models: &Path) -> (bool, String) {
    let mut command = Command::new("python3");
    let output = command.args(["-c", CHECK]).arg(file).env("SDF_PATH", models).output().expect("python3");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        !said.contains("Traceback"),
        "the parser is to be installed (libsdformat12-12, sdformat-sdf): {said}"
    );
    (output.status.success(), said)
}

fn read(name: &str) -> String {
    fs::read_to_string(worlds().join(name)).expect(name)
}

#[test]
fn the_parser_takes_the_world_with_all_that_it_includes() {
    for name in ["cabin.sdf", "vehicle/model.sdf", "driver/model.sdf", "road/model.sdf"] {
        let (fine, said) = parsed(&worlds().join(name), &worlds());
        assert!(fine && said.contains("Valid.") && !said.contains("Warning"), "{name}: {said}");
    }
}

/// A copy of the worlds in which `from` is `to` in one file.
fn with(name: &str, from: &str, to: &str) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["", "vehicle", "driver", "road"] {
        fs::create_dir_all(folder.path().join(part)).expect("a folder");
    }
    for part in ["vehicle", "driver", "road"] {
        for file in ["model.sdf", "model.config"] {
            let path = format!("{part}/{file}");
            fs::write(folder.path().join(&path), read(&path)).expect("a file");
        }
    }
    fs::write(folder.path().join("cabin.sdf"), read("cabin.sdf")).expect("a file");
    let text = read(name);
    assert!(text.contains(from), "{name} has no {from}");
    fs::write(folder.path().join(name), text.replacen(from, to, 1)).expect("a file");
    parsed(&folder.path().join("cabin.sdf"), folder.path())
}

#[test]
fn a_broken_world_is_refused() {
    let broken = [
        ("cabin.sdf", "</world>", "", "a tag that is not closed"),
        ("cabin.sdf", "model://vehicle", "model://lorry", "a model that is not there"),
        ("vehicle/model.sdf", "driver::torso", "driver::tail", "a joint to a link that is not there"),
        ("driver/model.sdf", "<child>head</child>", "<child>neck</child>", "a joint of a link with itself"),
        ("vehicle/model.sdf", "name=\"right_door\"", "name=\"left_door\"", "two visuals of one name"),
    ];
    for (name, from, to, what) in broken {
        let (fine, said) = with(name, from, to);
        assert!(!fine, "{what}: {said}");
    }
}

/// The text of the first element of this name after `from`.
fn element<'a>(text: &'a str, from: &str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    let (_, rest) = rest.split_once(&format!("<{name}")).unwrap_or_else(|| panic!("no {name} in {from}"));
    let (_, rest) = rest.split_once('>').expect("the tag ends");
    rest.split_once(&format!("</{name}>")).expect("it is closed").0
}

fn numbers(text: &str) -> Vec<f32> {
    text.split_whitespace().map(|one| one.parse().expect("a number")).collect()
}

#[test]
fn the_worlds_camera_is_where_the_embedded_simulators_is() {
    let vehicle = read("vehicle/model.sdf");
    let camera = Camera::default();
    let eye = numbers(element(&vehicle, "model://driver", "pose"));
    let pose = numbers(element(&vehicle, "\"driver_camera\"", "pose"));
    // The driver frame has x to the left, y up, z forward; the vehicle's has x forward, y to the left, z up.
    let turned = |[left, up, forward]: [f32; 3]| [forward, left, up];
    let near =
        |is: f32, wanted: f32, what: &str| assert!((is - wanted).abs() < 1e-3, "{what}: {is}, not {wanted}");
    let (at, aim) = (turned(camera.position_m), turned(camera.aim_m));
    for axis in 0..3 {
        near(pose[axis] - eye[axis], at[axis], "place");
    }
    let to: Vec<f32> = (0..3).map(|axis| aim[axis] - at[axis]).collect();
    near(pose[3], 0.0, "roll");
    near(pose[4], -to[2].atan2(to[0].hypot(to[1])), "pitch, positive downwards");
    near(pose[5], to[1].atan2(to[0]), "yaw");
    let width: f32 = element(&vehicle, "\"driver_camera\"", "width").parse().expect("a width");
    let height: f32 = element(&vehicle, "\"driver_camera\"", "height").parse().expect("a height");
    assert_eq!((width as usize, height as usize), (camera.width, camera.height));
    let across: f32 = element(&vehicle, "\"driver_camera\"", "horizontal_fov").parse().expect("an angle");
    near(across, 2.0 * (width / 2.0 / camera.focal_px).atan(), "field of view");
}

#[test]
fn every_topic_of_the_worlds_sensors_and_joints_is_bridged() {
    let bridge = concat!(env!("CARGO_MANIFEST_DIR"), "/../../launch/gazebo/cabin-bridge.toml");
    let config = BridgeConfig::load(bridge).expect("the shipped file");
    let paired = |topic: &str| config.pairs.iter().any(|pair| pair.gz_topic_name == topic);
    let (vehicle, driver) = (read("vehicle/model.sdf"), read("driver/model.sdf"));
    let mut seen = 0;
    for text in [&vehicle, &driver] {
        for name in ["topic", "camera_info_topic", "odom_topic"] {
            for rest in text.split(&format!("<{name}>")).skip(1) {
                let topic = rest.split('<').next().expect("it is closed");
                assert!(paired(topic), "{topic} is in no pair of cabin-bridge.toml");
                seen += 1;
            }
        }
    }
    assert!(seen >= 11, "only {seen} topics seen");
}
