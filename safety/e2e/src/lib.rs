//! What belongs here: end-to-end protection of messages as AUTOSAR has it (E2E Protocol Specification, PRS_E2EProtocol R23-11): profiles 4, 5,
//! 6 and 7, and the state machine that says whether a channel can be trusted. Pure: bytes in, bytes out; no clock, no allocation after making.
//!
//! - [`profile`]: where header and checksum lie, [`Protector`] and [`Checker`].
//! - [`machine`]: what the last checks together say of the channel.
//!
//! A checker is asked once in each period, whether something came or not: what does not come is [`Status::NoNewData`].

pub mod machine;
pub mod profile;

pub use machine::{Machine, Trust, Window, WindowError, Windows};
pub use profile::{Checker, Profile, Protection, ProtectionError, Protector, Status, Wrong};
