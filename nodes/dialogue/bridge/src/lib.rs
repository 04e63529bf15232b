//! What belongs here: the dialogue's process. [`bridge`] is what it does, pure: requests, decisions, words of the cloud and of the
//! vehicle's model in, messages out. [`guard`] is what stands between it and the cloud, [`local`] the vehicle's model as messages,
//! [`offline`] what needs none, [`process`] the threads and the transport, [`step`] the same on a virtual clock.

pub mod bridge;
pub mod config;
pub mod guard;
pub mod local;
pub mod offline;
pub mod ports;
pub mod process;
pub mod step;
mod steps;

pub use bridge::{Bridge, Out};
pub use config::BridgeConfig;
