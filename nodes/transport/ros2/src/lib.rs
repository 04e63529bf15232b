//! What belongs here: the transport over ROS 2's own client library. Our nodes are then nodes of a real ROS 2, over whatever RMW it is
//! set up with; what must be there, and what was seen, is in this room's README.
//!
//! * [`Ros2Transport`] is a session: a context of rcl, one thread that waits and takes, the graph.
//! * `rcl` is rcl behind safe types: all `unsafe` is there, and in `wheels`, which mends ROS 2 from Python wheels.
//!
//! Bytes go in and out as they are: rcl publishes and takes serialized messages. Requests and answers it knows only as C messages:
//! there each is read and written once more.
//!
//! Bounds: a callback holds up every other of its session. What is not taken in time is lost by the rules of its [`troika_kit::Qos`]:
//! a subscription keeps its last `depth` messages. Never call it from a real-time thread: rcl and the RMWs allocate and lock.
#![allow(clippy::doc_markdown)]

mod endpoints;
mod raw;
mod rcl;
mod session;
mod transport;
#[cfg(wheels)]
mod wheels;

pub use raw::OnRawMessage;
pub use transport::{Ros2Options, Ros2Transport};
