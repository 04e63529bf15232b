//! Messages of one side to those of the other: bytes in, bytes out, one [`Conversion`] for each pair of types. Pure.
//!
//! Where both sides mean the same the conversion is ros_gz_bridge's, so that a world made for that one works with this one. A message that
//! cannot be converted is an error, never a guess.

mod body;
mod camera;
mod common;
mod plain;
mod signals;
#[cfg(test)]
mod tests;

use troika_kit::{Message, TypeInfo};

/// Why a message has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unconvertible {
    /// The bytes are no message of the type.
    #[error("the bytes are no {type_name}: {reason}")]
    Bytes {
        /// Which.
        type_name: &'static str,
        /// What the reader says.
        reason: String,
    },
    /// A field that the other side cannot say.
    #[error("{field}: {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// Why.
        reason: String,
    },
}

/// What a pair says about the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The frame of all messages to ROS, whatever Gazebo calls it.
    pub frame_id: Option<String>,
}

/// A ROS type and Gazebo's message for it.
trait Both: Message {
    /// Gazebo's.
    type Theirs: prost::Message + Default;

    /// To ours.
    fn from_gazebo(theirs: Self::Theirs) -> Result<Self, Unconvertible>;

    /// To Gazebo's.
    fn into_gazebo(self) -> Result<Self::Theirs, Unconvertible>;

    /// Puts another frame into the header, where there is one.
    fn set_frame(&mut self, _frame: &str) {}
}

/// How one type goes each way.
#[derive(Debug, Clone, Copy)]
pub struct Conversion {
    /// Ours.
    pub ros: TypeInfo,
    /// Gazebo's, without its family's prefix: `Image`.
    pub gz: &'static str,
    to_ros: ToRos,
    to_gz: fn(&[u8], &mut Vec<u8>) -> Result<(), Unconvertible>,
}

/// Replaces the CDR by that of a message of Gazebo's.
type ToRos = fn(&[u8], &Terms, &mut Vec<u8>) -> Result<(), Unconvertible>;

impl Conversion {
    const fn of<T: Both>(gz: &'static str) -> Conversion {
        Conversion { ros: T::TYPE, gz, to_ros: to_ros::<T>, to_gz: to_gz::<T> }
    }

    /// Replaces `cdr` with our CDR of a message of Gazebo's.
    ///
    /// # Errors
    /// See [`Unconvertible`].
    pub fn to_ros(&self, protobuf: &[u8], terms: &Terms, cdr: &mut Vec<u8>) -> Result<(), Unconvertible> {
        (self.to_ros)(protobuf, terms, cdr)
    }

    /// Replaces `protobuf` with Gazebo's message of our CDR.
    ///
    /// # Errors
    /// See [`Unconvertible`].
    pub fn to_gz(&self, cdr: &[u8], protobuf: &mut Vec<u8>) -> Result<(), Unconvertible> {
        (self.to_gz)(cdr, protobuf)
    }
}

fn to_ros<T: Both>(protobuf: &[u8], terms: &Terms, cdr: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let theirs = <T::Theirs as prost::Message>::decode(protobuf)
        .map_err(|why| Unconvertible::Bytes { type_name: "message of Gazebo's", reason: why.to_string() })?;
    let mut ours = T::from_gazebo(theirs)?;
    if let Some(frame) = &terms.frame_id {
        ours.set_frame(frame);
    }
    ours.encode(cdr).map_err(|why| Unconvertible::Bytes { type_name: T::TYPE.name, reason: why.to_string() })
}

fn to_gz<T: Both>(cdr: &[u8], protobuf: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let ours = T::decode(cdr)
        .map_err(|why| Unconvertible::Bytes { type_name: T::TYPE.name, reason: why.to_string() })?;
    protobuf.clear();
    let theirs = ours.into_gazebo()?;
    prost::Message::encode(&theirs, protobuf)
        .map_err(|why| Unconvertible::Bytes { type_name: "message of Gazebo's", reason: why.to_string() })
}

/// All that there are.
pub const ALL: &[Conversion] = &[
    Conversion::of::<troika_msgs::sensor_msgs::Image>("Image"),
    Conversion::of::<troika_msgs::sensor_msgs::CameraInfo>("CameraInfo"),
    Conversion::of::<troika_msgs::sensor_msgs::Imu>("IMU"),
    Conversion::of::<troika_msgs::sensor_msgs::JointState>("Model"),
    Conversion::of::<troika_msgs::nav_msgs::Odometry>("Odometry"),
    Conversion::of::<troika_msgs::geometry_msgs::Twist>("Twist"),
    Conversion::of::<troika_msgs::rosgraph_msgs::Clock>("Clock"),
    Conversion::of::<troika_msgs::std_msgs::Bool>("Boolean"),
    Conversion::of::<troika_msgs::std_msgs::String>("StringMsg"),
    Conversion::of::<troika_msgs::std_msgs::Float64>("Double"),
    Conversion::of::<troika_msgs::std_msgs::Float32>("Float"),
    Conversion::of::<troika_msgs::std_msgs::Int32>("Int32"),
    Conversion::of::<troika_msgs::troika::VehicleSignals>("Param"),
    Conversion::of::<troika_msgs::troika::AudioChunk>("Bytes"),
];

/// The conversion between a ROS type (`sensor_msgs/msg/Image`) and Gazebo's, with either family's prefix or none.
pub fn lookup(ros: &str, gz: &str) -> Option<&'static Conversion> {
    let bare = gz.strip_prefix("gz.msgs.").or_else(|| gz.strip_prefix("ignition.msgs.")).unwrap_or(gz);
    ALL.iter().find(|one| one.ros.name == ros && one.gz == bare)
}
