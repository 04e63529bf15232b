//! What belongs here: everything impure that a node needs to run and must not know: threads, clocks, scheduling, memory
//! locking, the slots between threads, lateness statistics, signals. Nodes are pure [`troika_kit::Step`]s; this crate runs
//! them on a machine ([`Host`]) or under a virtual clock ([`simulate::Simulation`]).
#![allow(clippy::disallowed_methods, reason = "the host is the room that reads clocks and waits")]

mod bind;
mod body;
pub mod clock;
pub mod doctor;
pub mod edge;
pub mod floor;
mod governor;
pub mod health;
pub mod heartbeat;
mod host;
mod inject;
pub mod lifecycle;
mod options;
mod outbox;
mod own_parameters;
pub mod panics;
pub mod parameters;
pub mod qos;
pub mod replay;
pub mod rosout;
mod runner;
pub mod sched;
mod schedule;
pub mod service;
pub mod signal;
pub mod simulate;
mod stand_in;
pub mod stats;
pub mod sync;
pub mod tape;
pub mod watch;

pub use clock::{Clock, HostClock, RosTime};
pub use edge::Edge;
pub use governor::LevelPlan;
pub use host::{Host, HostHandle, RunReport};
pub use inject::{InjectedFault, Injection, InjectionLog};
pub use options::{HostOptions, NODE_STACK, NodeOptions, OUT_BUFFER, SpawnError};
pub use sched::{Notice, Policy};
pub use stand_in::StandIn;
pub use stats::{NodeEvent, NodeStats, Status};
pub use sync::StopToken;
pub use troika_arena::{ArenaAllocator, Usage as ArenaUsage};
