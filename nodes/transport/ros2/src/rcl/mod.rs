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

use std::{
    ffi::c_int,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

pub(crate) use context::{Context, Node, rmw};
pub(crate) use error::{Code, RclError};
pub(crate) use serialized::Serialized;
pub(crate) use service::{Client, RequestId, Server};
pub(crate) use topic::{Publisher, Subscription, default_qos};
pub(crate) use types::{MessageType, ServiceType};
pub(crate) use wait::{Guard, Ready, WaitSet, Waited};

/// Held while anything of rcl is made or ended: rcl and the RMWs keep tables of a process that are not locked. True once the process
/// ends: then nothing is finalised any more, for the RMW's own tables may be gone.
static LIFE: Mutex<bool> = Mutex::new(false);

fn life() -> MutexGuard<'static, bool> {
    LIFE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the end of the process seen before the RMW's libraries end, which comes first for what is called last: so after the RMW is in
/// use. A thread that still holds a session when `main` returns would otherwise end it among their ruins.
pub(crate) fn mind_the_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: of the C library; the function takes a lock, sets a flag and returns.
        if unsafe { atexit(at_exit) } != 0 {
            tracing::warn!("the end of the process will not be seen");
        }
    });
}

unsafe extern "C" {
    fn atexit(call: extern "C" fn()) -> c_int;
}

extern "C" fn at_exit() {
    *life() = true;
}
