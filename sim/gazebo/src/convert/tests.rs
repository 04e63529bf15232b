//! Each type there and back, and what has no counterpart. That Gazebo itself reads the bytes so is for `tests/gazebo.rs`.

use proptest::prelude::*;
use troika_kit::Message as _;
use troika_msgs::{
    builtin_interfaces::Time,
    geometry_msgs::{Quaternion, Twist, Vector3},
    nav_msgs::Odometry,
    sensor_msgs::{CameraInfo, Image, Imu, JointState, RegionOfInterest},
    std_msgs::{self, Header},
    troika::{AudioChunk, VehicleSignals},
};

use super::*;
use crate::wire;

fn header() -> Header {
    Header { stamp: Time { sec: 12, nanosec: 345_678_901 }, frame_id: "cabin/camera".to_owned() }
}

/// To Gazebo and back, by bytes, as the bridge does it.
fn back<T: Both>(ours: &T) -> Result<T, Unconvertible> {
    let conversion = ALL.iter().find(|one| one.ros == T::TYPE).expect("it is converted");
    let (mut cdr, mut protobuf, mut again) = (Vec::new(), Vec::new(), Vec::new());
    ours.encode(&mut cdr).expect("a CDR form");
    conversion.to_gz(&cdr, &mut protobuf)?;
    conversion.to_ros(&protobuf, &Terms::default(), &mut again)?;
    Ok(T::decode(&again).expect("our own CDR"))
}

fn stays<T: Both>(ours: T) {
    assert_eq!(back(&ours).as_ref(), Ok(&ours));
}

fn refused<T: Both>(ours: &T, what: &str) {
    let error = back(ours).expect_err(what).to_string();
    assert!(error.contains(what), "{error}");
}

fn image(encoding: &str, step: u32) -> Image {
    let data = (0..step * 3).map(|n| n as u8).collect();
    Image {
        header: header(),
        height: 3,
        width: 4,
        encoding: encoding.to_owned(),
        is_bigendian: 0,
        step,
        data,
    }
}

fn vector(x: f64) -> Vector3 {
    Vector3 { x, y: -x, z: x * 2.0 }
}

#[test]
fn pictures_go_there_and_back_with_padding_in_every_format_that_both_know() {
    for (encoding, step) in [
        ("mono8", 4),
        ("mono8", 16),
        ("rgb8", 12),
        ("bgra8", 16),
        ("mono16", 8),
        ("32FC1", 16),
        ("bayer_grbg8", 4),
    ] {
        stays(image(encoding, step));
    }
    stays(Image { height: 0, width: 0, step: 0, data: Vec::new(), ..image("mono8", 4) });
}

#[test]
fn a_picture_that_the_other_side_would_misread_is_refused() {
    refused(&image("nv12", 8), "no format for 'nv12'");
    refused(&image("rgb8", 8), "8 bytes hold no 4 pixels");
    refused(&Image { is_bigendian: 1, ..image("mono16", 8) }, "little endian");
    refused(&Image { data: vec![0; 11], ..image("mono8", 4) }, "11 bytes, not 3 rows of 4");
    let theirs = wire::Image { pixel_format_type: 11, ..wire::Image::default() };
    assert!(Image::from_gazebo(theirs).unwrap_err().to_string().contains("format 11"));
}

#[test]
fn a_cameras_figures_go_there_and_back() {
    let info = CameraInfo {
        header: header(),
        height: 480,
        width: 640,
        distortion_model: "plumb_bob".to_owned(),
        d: vec![0.1, -0.2, 0.0, 0.0, 0.05],
        k: [620.0, 0.0, 320.0, 0.0, 620.0, 240.0, 0.0, 0.0, 1.0],
        r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p: [620.0, 0.0, 320.0, 0.0, 0.0, 620.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        ..CameraInfo::default()
    };
    stays(info.clone());
    refused(&CameraInfo { distortion_model: "fisheye".to_owned(), ..info.clone() }, "no 'fisheye'");
    refused(&CameraInfo { binning_x: 2, ..info.clone() }, "binning");
    let roi = RegionOfInterest { width: 10, height: 10, ..RegionOfInterest::default() };
    refused(&CameraInfo { roi, ..info.clone() }, "roi");
    let mut theirs = info.into_gazebo().unwrap();
    theirs.intrinsics = Some(wire::Matrix { values: vec![1.0; 8] });
    assert!(CameraInfo::from_gazebo(theirs).unwrap_err().to_string().contains("8 numbers, not 9"));
}

#[test]
fn an_imu_without_orientation_says_so_in_ross_way() {
    let imu = Imu {
        header: header(),
        orientation: Quaternion { x: 0.0, y: 0.6, z: 0.0, w: 0.8 },
        angular_velocity: vector(0.1),
        linear_acceleration: vector(9.81),
        ..Imu::default()
    };
    stays(imu.clone());
    let mut none = Imu { orientation: Quaternion::default(), ..imu };
    none.orientation_covariance[0] = -1.0;
    stays(none);
}

#[test]
fn motion_joints_signals_and_sound_go_there_and_back() {
    let twist = Twist { linear: vector(1.5), angular: vector(0.25) };
    stays(twist.clone());
    let mut odometry =
        Odometry { header: header(), child_frame_id: "vehicle/base".to_owned(), ..Odometry::default() };
    odometry.pose.pose.position.x = 40.0;
    odometry.twist.twist = twist;
    stays(odometry);
    let joints = JointState {
        header: header(),
        name: vec!["head_yaw".to_owned(), "left_eyelid".to_owned()],
        position: vec![0.5, -0.1],
        velocity: vec![0.0, 2.0],
        effort: vec![1.0, 0.0],
    };
    stays(joints.clone());
    refused(&JointState { velocity: vec![1.0], ..joints }, "1 values for 2 joints");
    stays(VehicleSignals {
        header: header(),
        speed_kmh: 87.5,
        steering_angle_deg: -12.25,
        gear: -1,
        ignition_on: true,
        driver_acted: true,
        ..VehicleSignals::default()
    });
    stays(AudioChunk {
        header: header(),
        sample_rate: 16_000,
        channels: 2,
        samples: vec![1, -2, i16::MIN, 7],
    });
    refused(&AudioChunk { channels: 2, samples: vec![1, 2, 3], ..AudioChunk::default() }, "2 channels");
    for data in [true, false] {
        stays(std_msgs::Bool { data });
    }
    stays(std_msgs::String { data: "grün".to_owned() });
    stays(std_msgs::Float64 { data: 1e300 });
    stays(std_msgs::Float32 { data: -0.5 });
    stays(std_msgs::Int32 { data: i32::MIN });
    stays(troika_msgs::rosgraph_msgs::Clock { clock: header().stamp });
}

#[test]
fn a_fixed_joint_is_left_out_and_missing_parts_are_no_values() {
    let fixed = wire::Joint { name: "seat".to_owned(), axis1: None };
    let model = wire::Model { joint: vec![fixed], ..wire::Model::default() };
    assert_eq!(JointState::from_gazebo(model), Ok(JointState::default()));
    for error in [
        Odometry::from_gazebo(wire::Odometry::default()).unwrap_err(),
        CameraInfo::from_gazebo(wire::CameraInfo::default()).unwrap_err(),
        VehicleSignals::from_gazebo(wire::Param::default()).unwrap_err(),
        AudioChunk::from_gazebo(wire::Bytes::default()).unwrap_err(),
        troika_msgs::rosgraph_msgs::Clock::from_gazebo(wire::Clock::default()).unwrap_err(),
    ] {
        assert!(matches!(error, Unconvertible::Field { .. }), "{error}");
    }
}

#[test]
fn scopes_are_slashes_and_a_pairs_frame_goes_before() {
    let entry = wire::Entry { key: "frame_id".to_owned(), value: vec!["vehicle::cabin::camera".to_owned()] };
    let theirs =
        wire::Imu { header: Some(wire::Header { stamp: None, data: vec![entry] }), ..wire::Imu::default() };
    let protobuf = prost::Message::encode_to_vec(&theirs);
    let conversion = lookup("sensor_msgs/msg/Imu", "ignition.msgs.IMU").unwrap();
    for (frame_id, expected) in [(None, "vehicle/cabin/camera"), (Some("imu".to_owned()), "imu")] {
        let mut cdr = Vec::new();
        conversion.to_ros(&protobuf, &Terms { frame_id }, &mut cdr).unwrap();
        assert_eq!(Imu::decode(&cdr).unwrap().header.frame_id, expected);
    }
}

#[test]
fn a_stamp_that_the_other_side_has_no_number_for_is_refused() {
    for (sec, nsec) in [(1 << 40, 0), (0, -1), (0, 1_000_000_000)] {
        let header = wire::Header { stamp: Some(wire::Time { sec, nsec }), data: Vec::new() };
        let theirs = wire::Imu { header: Some(header), ..wire::Imu::default() };
        assert!(Imu::from_gazebo(theirs).is_err(), "{sec} {nsec}");
    }
    let late = Header { stamp: Time { sec: 0, nanosec: 1_000_000_000 }, ..header() };
    refused(&Imu { header: late, ..Imu::default() }, "no nanoseconds");
}

proptest! {
    #[test]
    fn any_bytes_give_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut out = Vec::new();
        for conversion in ALL {
            if conversion.to_ros(&bytes, &Terms::default(), &mut out).is_ok() {
                let cdr = out.clone();
                // What has come from Gazebo can go back.
                prop_assert!(conversion.to_gz(&cdr, &mut out).is_ok(), "{}", conversion.gz);
            }
            let _ = conversion.to_gz(&bytes, &mut out);
        }
    }
}
