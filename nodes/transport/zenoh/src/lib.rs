//! What belongs here: the transport over [zenoh](https://zenoh.io) that ROS 2 peers on rmw_zenoh understand, with no ROS
//! installed.
//!
//! * [`wire`] is rmw_zenoh's wire form as pure functions.
//! * [`ZenohOptions`] says which domain, which router, which configuration; [`ZenohOptions::from_env`] honours the
//!   variables that rmw_zenoh honours.
//! * [`RouterGuard::ensure`] joins the router at the endpoint, or starts one inside this process when there is none.
//! * [`ZenohTransport`] is the session: a peer that connects to the router, finds others by gossip (no multicast) and
//!   comes back when the router does.
//! * `closed`: with `TROIKA_ZENOH_SOCKETS` a vehicle's processes speak over sockets in a folder of their own, and who comes by TCP
//!   may look and no more.
//!
//! Bounds: a put may wait for a free buffer (see `session_config`) and then drops the message, as rmw_zenoh does; only
//! reliable keep-all would block. zenoh allocates and runs threads of its own: never call it from a real-time thread.
//! Transient-local durability is announced but late joiners do not get old messages yet.
#![allow(clippy::doc_markdown)]

mod closed;
mod endpoints;
mod options;
mod router;
mod services;
mod told;
mod transport;
pub mod wire;

pub use options::{DEFAULT_ENDPOINT, OptionsError, ZenohOptions, may_share_memory};
pub use router::{RouterError, RouterGuard};
pub use transport::{OnRawMessage, ZenohTransport};
