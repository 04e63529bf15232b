//! What belongs here: rcl behind safe types, the only `unsafe` of this crate besides the mend of the wheels. Each type owns one rcl
//! object, keeps alive what that object needs and finalises it in its drop.
//!
//! What rcl says of threads, and what is made of it: initialising and finalising is not thread-safe, so all of it holds [`LIFE`];
//! publishing, taking, sending and waiting are, on an object that stays alive, which the owner's `Arc` sees to.

mod context;
mod error;
mod graph;
mod serialized;
mod service;
mod topic;
mod types;
mod wait;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use context::{Context, Node, rmw};
pub(crate) use error::{Code, RclError};
pub(crate) use serialized::Serialized;
pub(crate) use service::{Client, RequestId, Server};
pub(crate) use topic::{Publisher, Subscription, default_qos};
pub(crate) use types::{MessageType, ServiceType};
pub(crate) use wait::{Guard, Ready, WaitSet, Waited};

/// Held while anything of rcl is made or ended: rcl and the RMWs keep tables of a process that are not locked.
static LIFE: Mutex<()> = Mutex::new(());

fn life() -> MutexGuard<'static, ()> {
    LIFE.lock().unwrap_or_else(PoisonError::into_inner)
}
