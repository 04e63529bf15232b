//! Publishers and subscriptions, of bytes.

use std::{cell::UnsafeCell, ptr, sync::Arc};

use r2r_rcl as rcl;

use super::{
    context::{Node, text},
    error::{Code, RclError, check, ended},
    life,
    serialized::{Serialized, lend},
    types::MessageType,
};

/// Where a message came from, as the RMW tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The sender's clock when it published, ns since the epoch.
    pub(crate) source_ns: i64,
    /// Its count of messages, where the RMW has one.
    pub(crate) sequence: u64,
    /// Its id.
    pub(crate) gid: [u8; 16],
}

/// ROS 2's default profile.
pub(crate) fn default_qos() -> rcl::rmw_qos_profile_t {
    // SAFETY: takes nothing.
    unsafe { rcl::rcl_publisher_get_default_options() }.qos
}

/// A publisher.
pub(crate) struct Publisher {
    inner: Box<UnsafeCell<rcl::rcl_publisher_t>>,
    node: Arc<Node>,
}

// SAFETY: rcl allows publishing in all threads; it is made and ended under `LIFE`.
unsafe impl Send for Publisher {}

impl Publisher {
    /// Makes one on an absolute name.
    pub(crate) fn new(
        node: &Arc<Node>,
        topic: &str,
        ty: MessageType,
        qos: rcl::rmw_qos_profile_t,
    ) -> Result<Publisher, RclError> {
        let name = text(topic)?;
        let held = life();
        // SAFETY: takes nothing.
        let inner = unsafe { rcl::rcl_get_zero_initialized_publisher() };
        let publisher = Publisher { inner: Box::new(UnsafeCell::new(inner)), node: node.clone() };
        // SAFETY: the publisher is zero-initialised and boxed; node and type support outlive it; the name ends with a NUL.
        let made = unsafe {
            let mut options = rcl::rcl_publisher_get_default_options();
            options.qos = qos;
            check(rcl::rcl_publisher_init(
                publisher.inner.get(),
                node.raw(),
                ty.raw(),
                name.as_ptr(),
                &raw const options,
            ))
        };
        drop(held);
        made.map(|()| publisher)
    }

    /// Sends bytes as they are.
    pub(crate) fn publish(&self, cdr: &[u8]) -> Result<(), RclError> {
        lend(cdr, |bytes| {
            // SAFETY: the publisher is there; the bytes are read in the call alone.
            check(unsafe { rcl::rcl_publish_serialized_message(self.inner.get(), bytes, ptr::null_mut()) })
        })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        // SAFETY: nobody else has it; the node is still there. One whose start failed has no implementation.
        unsafe {
            if !(*self.inner.get()).impl_.is_null() {
                ended("a publisher", rcl::rcl_publisher_fini(self.inner.get(), self.node.raw()));
            }
        }
    }
}

/// A subscription.
pub(crate) struct Subscription {
    inner: Box<UnsafeCell<rcl::rcl_subscription_t>>,
    node: Arc<Node>,
}

// SAFETY: one thread takes and waits (the session's), others only hold it; it is made and ended under `LIFE`.
unsafe impl Send for Subscription {}
// SAFETY: as above.
unsafe impl Sync for Subscription {}

impl Subscription {
    /// Makes one on an absolute name.
    pub(crate) fn new(
        node: &Arc<Node>,
        topic: &str,
        ty: MessageType,
        qos: rcl::rmw_qos_profile_t,
    ) -> Result<Subscription, RclError> {
        let name = text(topic)?;
        let held = life();
        // SAFETY: takes nothing.
        let inner = unsafe { rcl::rcl_get_zero_initialized_subscription() };
        let subscription = Subscription { inner: Box::new(UnsafeCell::new(inner)), node: node.clone() };
        // SAFETY: as for a publisher.
        let made = unsafe {
            let mut options = rcl::rcl_subscription_get_default_options();
            options.qos = qos;
            let made = check(rcl::rcl_subscription_init(
                subscription.inner.get(),
                node.raw(),
                ty.raw(),
                name.as_ptr(),
                &raw const options,
            ));
            ended("the options of a subscription", rcl::rcl_subscription_options_fini(&raw mut options));
            made
        };
        drop(held);
        made.map(|()| subscription)
    }

    /// The next message, as bytes; none when there is none.
    pub(crate) fn take(&self, into: &mut Serialized) -> Result<Option<Origin>, RclError> {
        let mut info = rcl::rmw_message_info_t::default();
        // SAFETY: the subscription is there; buffer and information are written in the call alone.
        let taken = check(unsafe {
            rcl::rcl_take_serialized_message(self.inner.get(), into.raw(), &raw mut info, ptr::null_mut())
        });
        match taken {
            Ok(()) => Ok(Some(Origin {
                source_ns: info.source_timestamp,
                sequence: info.publication_sequence_number,
                gid: sixteen(&info.publisher_gid.data),
            })),
            Err(error) if error.code == Code::Nothing => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn raw(&self) -> *const rcl::rcl_subscription_t {
        self.inner.get()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        // SAFETY: as for a publisher; who waits for it holds an `Arc` of it.
        unsafe {
            if !(*self.inner.get()).impl_.is_null() {
                ended("a subscription", rcl::rcl_subscription_fini(self.inner.get(), self.node.raw()));
            }
        }
    }
}

/// The first 16 bytes of an id: an RMW's may be longer, of which the rest tells no two apart.
pub(super) fn sixteen(id: &[u8]) -> [u8; 16] {
    let mut first = [0; 16];
    let count = id.len().min(16);
    first[..count].copy_from_slice(&id[..count]);
    first
}
