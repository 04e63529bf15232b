//! Headers, vectors and the other parts that many messages have.

use troika_msgs::{builtin_interfaces, geometry_msgs as ours, std_msgs};

use super::Unconvertible;
use crate::wire;

/// The names under which ROS's frames go in Gazebo's header, as ros_gz_bridge has them.
const FRAME: &str = "frame_id";
pub(super) const CHILD_FRAME: &str = "child_frame_id";

pub(super) fn wrong(field: &'static str, reason: impl Into<String>) -> Unconvertible {
    Unconvertible::Field { field, reason: reason.into() }
}

pub(super) fn time(stamp: wire::Time) -> Result<builtin_interfaces::Time, Unconvertible> {
    let sec = i32::try_from(stamp.sec)
        .map_err(|_| wrong("header.stamp", format!("ROS has no second {}", stamp.sec)))?;
    match u32::try_from(stamp.nsec) {
        Ok(nanosec @ 0..=999_999_999) => Ok(builtin_interfaces::Time { sec, nanosec }),
        _ => Err(wrong("header.stamp", format!("{} are no nanoseconds of a second", stamp.nsec))),
    }
}

pub(super) fn stamp(time: builtin_interfaces::Time) -> Result<wire::Time, Unconvertible> {
    match i32::try_from(time.nanosec) {
        Ok(nsec @ 0..=999_999_999) => Ok(wire::Time { sec: time.sec.into(), nsec }),
        _ => Err(wrong("header.stamp", format!("{} are no nanoseconds of a second", time.nanosec))),
    }
}

/// A value of a header by its name.
pub(super) fn named<'a>(header: Option<&'a wire::Header>, key: &str) -> Option<&'a str> {
    let entry = header?.data.iter().find(|entry| entry.key == key)?;
    entry.value.first().map(String::as_str)
}

/// A frame: Gazebo's scopes (`vehicle::cabin::camera`) are slashes in ROS.
fn frame(header: Option<&wire::Header>, key: &str) -> String {
    named(header, key).unwrap_or_default().replace("::", "/")
}

pub(super) fn child_frame(header: Option<&wire::Header>) -> String {
    frame(header, CHILD_FRAME)
}

pub(super) fn header(theirs: Option<&wire::Header>) -> Result<std_msgs::Header, Unconvertible> {
    let stamp = theirs.and_then(|header| header.stamp).map(time).transpose()?;
    Ok(std_msgs::Header { stamp: stamp.unwrap_or_default(), frame_id: frame(theirs, FRAME) })
}

pub(super) fn their_header(ours: &std_msgs::Header) -> Result<wire::Header, Unconvertible> {
    let mut header = wire::Header { stamp: Some(stamp(ours.stamp.clone())?), data: Vec::new() };
    name(&mut header, FRAME, &ours.frame_id);
    Ok(header)
}

/// Puts a value into a header, if there is one.
pub(super) fn name(header: &mut wire::Header, key: &str, value: &str) {
    if !value.is_empty() {
        header.data.push(wire::Entry { key: key.to_owned(), value: vec![value.to_owned()] });
    }
}

pub(super) fn vector(theirs: Option<wire::Vector3d>) -> ours::Vector3 {
    let wire::Vector3d { x, y, z } = theirs.unwrap_or_default();
    ours::Vector3 { x, y, z }
}

pub(super) fn their_vector(ours: ours::Vector3) -> Option<wire::Vector3d> {
    let ours::Vector3 { x, y, z } = ours;
    Some(wire::Vector3d { x, y, z })
}

/// None is no turn.
pub(super) fn quaternion(theirs: Option<wire::Quaternion>) -> ours::Quaternion {
    theirs.map_or_else(ours::Quaternion::default, |wire::Quaternion { x, y, z, w }| ours::Quaternion {
        x,
        y,
        z,
        w,
    })
}

pub(super) fn their_quaternion(ours: ours::Quaternion) -> Option<wire::Quaternion> {
    let ours::Quaternion { x, y, z, w } = ours;
    Some(wire::Quaternion { x, y, z, w })
}

/// Exactly so many numbers.
pub(super) fn exactly<const N: usize>(field: &'static str, all: &[f64]) -> Result<[f64; N], Unconvertible> {
    all.try_into().map_err(|_| wrong(field, format!("{} numbers, not {N}", all.len())))
}
