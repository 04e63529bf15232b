//! Gazebo's messages, as far as they are converted. The numbers are those of gz-msgs' .proto files, the same in every family from Fortress
//! (`ignition.msgs`) to Harmonic (`gz.msgs`); what is left out is skipped by the reader.
//!
//! Written down here, not taken from the crate that has them all: that one builds only where Gazebo's library is.

use std::collections::BTreeMap;

use prost::{Enumeration, Message, Oneof};

/// `Time`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Time {
    /// Seconds.
    #[prost(int64, tag = "1")]
    pub sec: i64,
    /// Nanoseconds.
    #[prost(int32, tag = "2")]
    pub nsec: i32,
}

/// `Header`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Header {
    /// When the data was taken.
    #[prost(message, optional, tag = "1")]
    pub stamp: Option<Time>,
    /// `frame_id` and others by their names.
    #[prost(message, repeated, tag = "2")]
    pub data: Vec<Entry>,
}

/// `Header.Map`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Entry {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its values; of a frame there is one.
    #[prost(string, repeated, tag = "2")]
    pub value: Vec<String>,
}

/// `PixelFormatType`, those that ROS has names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
#[allow(missing_docs, reason = "Gazebo's names")]
pub enum Pixel {
    Unknown = 0,
    LInt8 = 1,
    LInt16 = 2,
    RgbInt8 = 3,
    RgbaInt8 = 4,
    BgraInt8 = 5,
    RgbInt16 = 6,
    BgrInt8 = 8,
    BgrInt16 = 9,
    RFloat32 = 13,
    BayerRggb8 = 15,
    BayerBggr8 = 16,
    BayerGbrg8 = 17,
    BayerGrbg8 = 18,
}

/// `Image`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Image {
    /// When it was taken, and the frame.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// Pixels.
    #[prost(uint32, tag = "2")]
    pub width: u32,
    /// Pixels.
    #[prost(uint32, tag = "3")]
    pub height: u32,
    /// Bytes in a row.
    #[prost(uint32, tag = "4")]
    pub step: u32,
    /// Row after row.
    #[prost(bytes = "vec", tag = "5")]
    pub data: Vec<u8>,
    /// What a pixel is; kept as a number, since there are more than [`Pixel`] has.
    #[prost(int32, tag = "6")]
    pub pixel_format_type: i32,
}

/// `CameraInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct CameraInfo {
    /// As the picture's.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// Pixels.
    #[prost(uint32, tag = "2")]
    pub width: u32,
    /// Pixels.
    #[prost(uint32, tag = "3")]
    pub height: u32,
    /// How the lens bends.
    #[prost(message, optional, tag = "4")]
    pub distortion: Option<Distortion>,
    /// 3 by 3, row-major.
    #[prost(message, optional, tag = "5")]
    pub intrinsics: Option<Matrix>,
    /// 3 by 4, row-major.
    #[prost(message, optional, tag = "6")]
    pub projection: Option<Matrix>,
    /// 3 by 3, row-major.
    #[prost(double, repeated, tag = "7")]
    pub rectification_matrix: Vec<f64>,
}

/// `CameraInfo.Distortion`.
#[derive(Clone, PartialEq, Message)]
pub struct Distortion {
    /// 0 plumb bob, 1 rational polynomial, 2 equidistant.
    #[prost(int32, tag = "1")]
    pub model: i32,
    /// Its parameters.
    #[prost(double, repeated, tag = "2")]
    pub k: Vec<f64>,
}

/// `CameraInfo.Intrinsics` and `CameraInfo.Projection`, which are alike on the wire.
#[derive(Clone, PartialEq, Message)]
pub struct Matrix {
    /// Row-major.
    #[prost(double, repeated, tag = "1")]
    pub values: Vec<f64>,
}

/// `Vector3d`.
#[derive(Clone, PartialEq, Message)]
pub struct Vector3d {
    /// x.
    #[prost(double, tag = "2")]
    pub x: f64,
    /// y.
    #[prost(double, tag = "3")]
    pub y: f64,
    /// z.
    #[prost(double, tag = "4")]
    pub z: f64,
}

/// `Quaternion`.
#[derive(Clone, PartialEq, Message)]
pub struct Quaternion {
    /// x.
    #[prost(double, tag = "2")]
    pub x: f64,
    /// y.
    #[prost(double, tag = "3")]
    pub y: f64,
    /// z.
    #[prost(double, tag = "4")]
    pub z: f64,
    /// w.
    #[prost(double, tag = "5")]
    pub w: f64,
}

/// `IMU`.
#[derive(Clone, PartialEq, Message)]
pub struct Imu {
    /// When it was measured.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The sensor's name in the world.
    #[prost(string, tag = "2")]
    pub entity_name: String,
    /// Not there when the sensor has none.
    #[prost(message, optional, tag = "3")]
    pub orientation: Option<Quaternion>,
    /// rad/s.
    #[prost(message, optional, tag = "4")]
    pub angular_velocity: Option<Vector3d>,
    /// m/s^2.
    #[prost(message, optional, tag = "5")]
    pub linear_acceleration: Option<Vector3d>,
}

/// `Twist`.
#[derive(Clone, PartialEq, Message)]
pub struct Twist {
    /// When it held.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// m/s.
    #[prost(message, optional, tag = "2")]
    pub linear: Option<Vector3d>,
    /// rad/s.
    #[prost(message, optional, tag = "3")]
    pub angular: Option<Vector3d>,
}

/// `Pose`.
#[derive(Clone, PartialEq, Message)]
pub struct Pose {
    /// m.
    #[prost(message, optional, tag = "4")]
    pub position: Option<Vector3d>,
    /// A unit quaternion.
    #[prost(message, optional, tag = "5")]
    pub orientation: Option<Quaternion>,
}

/// `Odometry`.
#[derive(Clone, PartialEq, Message)]
pub struct Odometry {
    /// When it held; both frames.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// Where.
    #[prost(message, optional, tag = "2")]
    pub pose: Option<Pose>,
    /// How it moves.
    #[prost(message, optional, tag = "3")]
    pub twist: Option<Twist>,
}

/// `Axis`.
#[derive(Clone, PartialEq, Message)]
pub struct Axis {
    /// rad or m.
    #[prost(double, tag = "10")]
    pub position: f64,
    /// rad/s or m/s.
    #[prost(double, tag = "11")]
    pub velocity: f64,
    /// Nm or N.
    #[prost(double, tag = "12")]
    pub force: f64,
}

/// `Joint`.
#[derive(Clone, PartialEq, Message)]
pub struct Joint {
    /// Its name in the model.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Not there of a fixed joint.
    #[prost(message, optional, tag = "10")]
    pub axis1: Option<Axis>,
}

/// `Model`, as the joint state publisher fills it.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// When it held.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The model's.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its joints.
    #[prost(message, repeated, tag = "6")]
    pub joint: Vec<Joint>,
}

/// `Clock`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Clock {
    /// Simulated time.
    #[prost(message, optional, tag = "4")]
    pub sim: Option<Time>,
}

/// `Boolean`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Boolean {
    /// The value.
    #[prost(bool, tag = "2")]
    pub data: bool,
}

/// `StringMsg`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StringMsg {
    /// The value.
    #[prost(string, tag = "2")]
    pub data: String,
}

/// `Double`.
#[derive(Clone, PartialEq, Message)]
pub struct Double {
    /// The value.
    #[prost(double, tag = "2")]
    pub data: f64,
}

/// `Float`.
#[derive(Clone, PartialEq, Message)]
pub struct Float {
    /// The value.
    #[prost(float, tag = "2")]
    pub data: f32,
}

/// `Int32`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Int32 {
    /// The value.
    #[prost(int32, tag = "2")]
    pub data: i32,
}

/// `Bytes`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Bytes {
    /// What they are is told by name.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// The value.
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
}

/// `Param`.
#[derive(Clone, PartialEq, Message)]
pub struct Param {
    /// When it held.
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    /// Values by name.
    #[prost(btree_map = "string, message", tag = "2")]
    pub params: BTreeMap<String, Any>,
}

/// `Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// Which it is: 1 double, 2 int32, 3 string, 4 boolean.
    #[prost(int32, tag = "2")]
    pub r#type: i32,
    /// The value.
    #[prost(oneof = "Value", tags = "3, 4, 5, 6")]
    pub value: Option<Value>,
}

/// The value of an [`Any`].
#[derive(Clone, PartialEq, Oneof)]
pub enum Value {
    /// A number.
    #[prost(double, tag = "3")]
    Double(f64),
    /// A whole number.
    #[prost(int32, tag = "4")]
    Int(i32),
    /// A text.
    #[prost(string, tag = "5")]
    Text(String),
    /// Yes or no.
    #[prost(bool, tag = "6")]
    Bool(bool),
}
