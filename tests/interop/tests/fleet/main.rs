//! Vehicles over zenoh, with stock zenohd routers, our gateways as processes of their own, and vehicles that are not what they should be.
//!
//! Wants `TROIKA_ZENOHD` and `TROIKA_GATEWAY`, the two programs: `cargo xtask test interop` builds them and says where they are.

#![expect(clippy::disallowed_methods, reason = "what other processes do takes time, and some of it is told")]

mod carriage;
mod crowd;
mod hostile;
mod roll;
mod service;
mod world;
