//! What belongs here: the transport over DDS that ROS 2 peers on any DDS understand, with no ROS installed. CycloneDDS (C) is built
//! and linked in.
//!
//! * [`wire`] is what ROS 2 says on DDS, as pure functions.
//! * [`DdsOptions`] says which domain and who is looked for; [`DdsOptions::from_env`] honours the variables that rmw_cyclonedds honours.
//! * [`DdsTransport`] is a session: one participant. Its own thread, `dds-in`, calls the callbacks, one at a time.
//!
//! Bounds: a put never waits: what a reliable reader has not acknowledged is kept up to the writer's depth, and then the oldest is
//! lost, as on rmw_cyclonedds. A subscription holds its depth, a reliable and volatile one more while that is under 4 MiB, for a
//! callback that is late; then the oldest goes. CycloneDDS allocates and runs threads of its own: never call it from a real-time
//! thread.
#![allow(clippy::doc_markdown)]

mod endpoints;
mod ffi;
mod graph;
mod inbox;
mod options;
mod raw;
mod services;
mod transport;
pub mod wire;

pub use options::{DdsOptions, DiscoveryRange, OptionsError};
pub use raw::OnRawMessage;
pub use transport::DdsTransport;
