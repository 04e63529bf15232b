//! What belongs here: the messages. The folder is a ROS 2 interface package (`msg/`, `package.xml`, `CMakeLists.txt`) and
//! this crate: Rust types made from the same files at build, one module a ROS package ([`troika`] for `troika_msgs`,
//! [`std_msgs`], [`sensor_msgs`], …), each a [`troika_kit::Message`] with its RIHS01 hash and its CDR.
//!
//! - [`cdr`]: the CDR codec; any bytes give a value or a typed error, with bounded allocation.
//! - [`dynamic`]: every type by its name, for tools.
//! - [`long`]: arrays of more than 32 elements.
//! - [`names`]: what their numbers are called.
//! - [`protect`]: end-to-end protection, and the canonical byte form that it covers.
//! - [`safety`]: how the safety state is read.

pub mod cdr;
pub mod dynamic;
pub mod long;
pub mod names;
pub mod protect;
pub mod safety;
pub mod speed;
mod stamp;

#[allow(clippy::all, rustdoc::all, reason = "made at build; the comments in the .msg files are plain text")]
mod types {
    include!(concat!(env!("OUT_DIR"), "/types.rs"));
}

pub use types::*;

#[cfg(test)]
#[allow(clippy::all, dead_code, unreachable_pub, reason = "made at build, for the tests")]
mod fixtures {
    include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));
}
#[cfg(test)]
use fixtures::fixture_msgs;
#[cfg(test)]
mod tests;
