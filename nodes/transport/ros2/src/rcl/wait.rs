//! Waiting for what may be taken.

use std::{cell::UnsafeCell, ptr, sync::Arc, time::Duration};

use r2r_rcl as rcl;

use super::{
    context::{Context, Node},
    error::{Code, RclError, check, ended},
    life,
    service::{Client, Server},
    topic::Subscription,
};

/// Wakes who waits.
pub(crate) struct Guard {
    inner: Box<UnsafeCell<rcl::rcl_guard_condition_t>>,
    _context: Arc<Context>,
}

// SAFETY: rcl allows triggering in all threads while another waits.
unsafe impl Send for Guard {}
// SAFETY: as above.
unsafe impl Sync for Guard {}

impl Guard {
    pub(crate) fn new(context: &Arc<Context>) -> Result<Guard, RclError> {
        let held = life();
        // SAFETY: takes nothing.
        let inner = unsafe { rcl::rcl_get_zero_initialized_guard_condition() };
        let guard = Guard { inner: Box::new(UnsafeCell::new(inner)), _context: context.clone() };
        // SAFETY: zero-initialised and boxed; the context outlives it.
        let made = check(unsafe {
            rcl::rcl_guard_condition_init(
                guard.inner.get(),
                context.raw(),
                rcl::rcl_guard_condition_get_default_options(),
            )
        });
        drop(held);
        made.map(|()| guard)
    }

    pub(crate) fn trigger(&self) {
        // SAFETY: it is there.
        if let Err(error) = check(unsafe { rcl::rcl_trigger_guard_condition(self.inner.get()) }) {
            tracing::warn!(%error, "cannot wake the thread that waits");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        // SAFETY: nobody waits for it any more: who does holds an `Arc`. One whose start failed has no implementation.
        unsafe {
            if !(*self.inner.get()).impl_.is_null() {
                ended("a guard condition", rcl::rcl_guard_condition_fini(self.inner.get()));
            }
        }
    }
}

/// What is waited for; kept alive as long as it is in the set.
pub(crate) struct Waited<'a> {
    pub(crate) guard: &'a Guard,
    /// Whose graph is watched.
    pub(crate) graph_of: &'a Node,
    pub(crate) subscriptions: Vec<&'a Subscription>,
    pub(crate) servers: Vec<&'a Server>,
    pub(crate) clients: Vec<&'a Client>,
}

/// What may be taken, by its place in [`Waited`]; nothing when the time was over.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    /// Somebody came or went.
    pub(crate) graph: bool,
    pub(crate) subscriptions: Vec<usize>,
    pub(crate) servers: Vec<usize>,
    pub(crate) clients: Vec<usize>,
}

/// rcl's wait set: one thread's.
pub(crate) struct WaitSet {
    inner: Box<UnsafeCell<rcl::rcl_wait_set_t>>,
    _context: Arc<Context>,
}

// SAFETY: it is handed to its thread once; nobody shares it.
unsafe impl Send for WaitSet {}

impl WaitSet {
    pub(crate) fn new(context: &Arc<Context>) -> Result<WaitSet, RclError> {
        let held = life();
        // SAFETY: takes nothing.
        let inner = unsafe { rcl::rcl_get_zero_initialized_wait_set() };
        let set = WaitSet { inner: Box::new(UnsafeCell::new(inner)), _context: context.clone() };
        // SAFETY: zero-initialised and boxed; the context outlives it.
        let made = check(unsafe {
            rcl::rcl_wait_set_init(
                set.inner.get(),
                0,
                2,
                0,
                0,
                0,
                0,
                context.raw(),
                rcl::rcutils_get_default_allocator(),
            )
        });
        drop(held);
        made.map(|()| set)
    }

    /// Waits until something is ready, or for `limit`.
    pub(crate) fn wait(&mut self, all: &Waited<'_>, limit: Option<Duration>) -> Result<Ready, RclError> {
        // rcl: below 0 is without a limit.
        let nanos = limit.map_or(-1, |limit| i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX));
        let set = self.inner.get();
        // SAFETY: everything in `all` is borrowed until the call ends, and after it only the set's own arrays are read, each as long
        // as it was just made.
        unsafe {
            check(rcl::rcl_wait_set_resize(
                set,
                all.subscriptions.len(),
                2,
                0,
                all.clients.len(),
                all.servers.len(),
                0,
            ))?;
            check(rcl::rcl_wait_set_clear(set))?;
            check(rcl::rcl_wait_set_add_guard_condition(set, all.guard.inner.get(), ptr::null_mut()))?;
            let graph = rcl::rcl_node_get_graph_guard_condition(all.graph_of.raw());
            check(rcl::rcl_wait_set_add_guard_condition(set, graph, ptr::null_mut()))?;
            for subscription in &all.subscriptions {
                check(rcl::rcl_wait_set_add_subscription(set, subscription.raw(), ptr::null_mut()))?;
            }
            for client in &all.clients {
                check(rcl::rcl_wait_set_add_client(set, client.raw(), ptr::null_mut()))?;
            }
            for server in &all.servers {
                check(rcl::rcl_wait_set_add_service(set, server.raw(), ptr::null_mut()))?;
            }
            match check(rcl::rcl_wait(set, nanos)) {
                Ok(()) => {}
                Err(error) if error.code == Code::Nothing => {
                    return Ok(Ready::default());
                }
                Err(error) => return Err(error),
            }
            // What is not ready is null now.
            let set = &*set;
            Ok(Ready {
                graph: !(*set.guard_conditions.add(1)).is_null(),
                subscriptions: ready(set.subscriptions, set.size_of_subscriptions),
                servers: ready(set.services, set.size_of_services),
                clients: ready(set.clients, set.size_of_clients),
            })
        }
    }
}

/// The places that are not null.
///
/// # Safety
/// `from` points to `count` pointers, or `count` is 0.
unsafe fn ready<T>(from: *mut *const T, count: usize) -> Vec<usize> {
    // SAFETY: as the caller says.
    (0..count).filter(|place| unsafe { !(*from.add(*place)).is_null() }).collect()
}

impl Drop for WaitSet {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        // SAFETY: nobody waits with it. One whose start failed has no implementation.
        unsafe {
            if !(*self.inner.get()).impl_.is_null() {
                ended("a wait set", rcl::rcl_wait_set_fini(self.inner.get()));
            }
        }
    }
}
