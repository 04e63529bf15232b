//! What belongs here: the supervisor. It hears the heartbeats of nodes in other processes, waits for none of them, and says ten times a second
//! what the whole is worth: nominal, degraded, or safe. Who reads that takes silence for safe.
//!
//! - [`machine`]: the state of a capability and of the whole; pure and finite; its tests explore all of it, with the limits that ship.
//! - [`pulse`]: what the heartbeats of one node say of it.
//! - [`node`]: both as a step, with its topics.
//! - [`keepalive`]: the watchdogs of the system and of the machine, which end or reset a supervisor that stands still.

pub mod keepalive;
pub mod machine;
pub mod node;
pub mod pulse;

pub use node::{CapabilityConfig, Config, ConfigError, PROFILE, SupervisorNode, latched};
