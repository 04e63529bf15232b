//! A context (one participant of the network) and its nodes.

use std::{
    cell::UnsafeCell,
    ffi::{CStr, CString},
    fmt, ptr,
    sync::Arc,
};

use r2r_rcl as rcl;

use super::{
    error::{RclError, check, ended},
    life,
};

/// An initialised context. Dropping it shuts it down.
pub(crate) struct Context {
    /// Boxed: nodes and wait sets keep its address.
    inner: Box<UnsafeCell<rcl::rcl_context_t>>,
}

// SAFETY: after its start a context is only read, by calls that rcl allows in all threads, until its drop, which has it alone.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl fmt::Debug for Context {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Context")
    }
}

impl Context {
    /// Initialises one. rcl itself reads `ROS_DOMAIN_ID` (when `domain` is none), `ROS_AUTOMATIC_DISCOVERY_RANGE`,
    /// `ROS_STATIC_PEERS` and `RMW_IMPLEMENTATION`. It gets no arguments: ROS's remaps are the caller's, who has followed them.
    pub(crate) fn new(domain: Option<usize>) -> Result<Context, RclError> {
        let held = life();
        // SAFETY: takes nothing.
        let context = unsafe { rcl::rcl_get_zero_initialized_context() };
        let context = Context { inner: Box::new(UnsafeCell::new(context)) };
        // SAFETY: the options are initialised before they are used and finalised after; the context is zero-initialised and boxed.
        let made = unsafe {
            let mut options = rcl::rcl_get_zero_initialized_init_options();
            check(rcl::rcl_init_options_init(&raw mut options, rcl::rcutils_get_default_allocator()))
                .and_then(|()| {
                    let set = match domain {
                        Some(id) => check(rcl::rcl_init_options_set_domain_id(&raw mut options, id)),
                        None => Ok(()),
                    };
                    let made = set.and_then(|()| {
                        check(rcl::rcl_init(0, ptr::null(), &raw const options, context.inner.get()))
                    });
                    ended("the options of a context", rcl::rcl_init_options_fini(&raw mut options));
                    made
                })
        };
        drop(held);
        made.map(|()| context)
    }

    /// The ROS domain that it is in.
    pub(crate) fn domain(&self) -> Result<usize, RclError> {
        let mut domain = 0;
        // SAFETY: the context is initialised; the number is written in the call.
        check(unsafe { rcl::rcl_context_get_domain_id(self.raw(), &raw mut domain) })?;
        Ok(domain)
    }

    pub(super) fn raw(&self) -> *mut rcl::rcl_context_t {
        self.inner.get()
    }
}

/// The RMW that this process was linked with or has loaded: `rmw_fastrtps_cpp`, …
pub(crate) fn rmw() -> String {
    // SAFETY: a static NUL-ended text.
    unsafe { CStr::from_ptr(rcl::rmw_get_implementation_identifier()) }.to_string_lossy().into_owned()
}

impl Drop for Context {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        let context = self.inner.get();
        // SAFETY: everything made in it held an `Arc` of it and is gone. A context whose start failed has no implementation, and
        // rcl wants none finalised.
        unsafe {
            if (*context).impl_.is_null() {
                return;
            }
            if rcl::rcl_context_is_valid(context) {
                ended("a context", rcl::rcl_shutdown(context));
            }
            ended("a context", rcl::rcl_context_fini(context));
        }
    }
}

/// A node. Dropping it takes it off the graph.
pub(crate) struct Node {
    /// Boxed: endpoints keep its address.
    inner: Box<UnsafeCell<rcl::rcl_node_t>>,
    context: Arc<Context>,
}

// SAFETY: making and ending endpoints of it holds `LIFE`; what else is called on a node rcl allows in all threads.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

impl fmt::Debug for Node {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Node")
    }
}

impl Node {
    /// Makes one. It logs to no topic and serves nothing by itself.
    pub(crate) fn new(context: &Arc<Context>, namespace: &str, name: &str) -> Result<Node, RclError> {
        let (c_name, c_namespace) = (text(name)?, text(namespace)?);
        let held = life();
        // SAFETY: takes nothing.
        let node = unsafe { rcl::rcl_get_zero_initialized_node() };
        let node = Node { inner: Box::new(UnsafeCell::new(node)), context: context.clone() };
        // SAFETY: the node is zero-initialised and boxed, the texts end with a NUL, the context outlives the node.
        let made = unsafe {
            let mut options = rcl::rcl_node_get_default_options();
            // The host has a /rosout of its own, the same over every transport.
            options.enable_rosout = false;
            let made = check(rcl::rcl_node_init(
                node.raw(),
                c_name.as_ptr(),
                c_namespace.as_ptr(),
                context.raw(),
                &raw const options,
            ));
            ended("the options of a node", rcl::rcl_node_options_fini(&raw mut options));
            made
        };
        drop(held);
        made.map(|()| node)
    }

    pub(super) fn raw(&self) -> *mut rcl::rcl_node_t {
        self.inner.get()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        let node = self.inner.get();
        // SAFETY: all endpoints of it held an `Arc` of it and are gone; the context is still there. One whose start failed has no
        // implementation.
        unsafe {
            if !(*node).impl_.is_null() {
                ended("a node", rcl::rcl_node_fini(node));
            }
        }
        let _outlives = &self.context;
    }
}

/// A text for C. None of ROS's names has a NUL in it.
pub(super) fn text(name: &str) -> Result<CString, RclError> {
    CString::new(name).map_err(|_| RclError { code: super::Code::Name, text: "a NUL in a name".to_owned() })
}
