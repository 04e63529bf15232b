//! Servers and clients. rcl knows requests and answers as C messages only, so bytes are read into one and written from one here.

use std::{cell::UnsafeCell, sync::Arc};

use r2r_rcl as rcl;

use super::{
    context::{Node, text},
    error::{Code, RclError, check, ended},
    life,
    serialized::Serialized,
    topic::Origin,
    types::{CMessage, ServiceType},
};

/// Which request an answer belongs to.
#[derive(Clone, Copy)]
pub(crate) struct RequestId(rcl::rmw_request_id_t);

/// A server.
pub(crate) struct Server {
    inner: Box<UnsafeCell<rcl::rcl_service_t>>,
    ty: ServiceType,
    node: Arc<Node>,
}

// SAFETY: one thread takes and waits (the session's), and rcl allows answering beside that; it is made and ended under `LIFE`.
unsafe impl Send for Server {}
// SAFETY: as above.
unsafe impl Sync for Server {}

/// How many requests or answers wait for us. Services have no flow control, and ROS 2's own 10 loses requests when a few clients ask
/// at once; the depth is no part of what peers must agree on.
const DEPTH: usize = 1000;

impl Server {
    /// Makes one on an absolute name.
    pub(crate) fn new(node: &Arc<Node>, service: &str, ty: ServiceType) -> Result<Server, RclError> {
        let name = text(service)?;
        let held = life();
        // SAFETY: takes nothing.
        let inner = unsafe { rcl::rcl_get_zero_initialized_service() };
        let server = Server { inner: Box::new(UnsafeCell::new(inner)), ty, node: node.clone() };
        // SAFETY: the server is zero-initialised and boxed; node and type support outlive it; the name ends with a NUL.
        let made = unsafe {
            let mut options = rcl::rcl_service_get_default_options();
            options.qos.depth = DEPTH;
            check(rcl::rcl_service_init(
                server.inner.get(),
                node.raw(),
                ty.raw(),
                name.as_ptr(),
                &raw const options,
            ))
        };
        drop(held);
        made.map(|()| server)
    }

    /// The next request, as bytes; none when there is none.
    pub(crate) fn take(&self, into: &mut Serialized) -> Result<Option<(RequestId, Origin)>, RclError> {
        let request = CMessage::new(self.ty.request)?;
        let mut info = no_info();
        // SAFETY: the server is there; the message is of its request's type.
        let taken =
            check(unsafe { rcl::rcl_take_request_with_info(self.inner.get(), &raw mut info, request.raw()) });
        match taken {
            Ok(()) => {
                request.write(into)?;
                Ok(Some((RequestId(info.request_id), origin(&info))))
            }
            Err(error) if error.code == Code::Nothing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&self, request: RequestId, cdr: &[u8]) -> Result<(), RclError> {
        let answer = CMessage::read(self.ty.response, cdr)?;
        let mut id = request.0;
        // SAFETY: the server is there; the message is of its response's type.
        check(unsafe { rcl::rcl_send_response(self.inner.get(), &raw mut id, answer.raw()) })
    }

    pub(super) fn raw(&self) -> *const rcl::rcl_service_t {
        self.inner.get()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        // SAFETY: nobody else has it, for who waits for it holds an `Arc`; the node is still there. One whose start failed has no
        // implementation.
        unsafe {
            if !(*self.inner.get()).impl_.is_null() {
                ended("a server", rcl::rcl_service_fini(self.inner.get(), self.node.raw()));
            }
        }
    }
}

/// A client.
pub(crate) struct Client {
    inner: Box<UnsafeCell<rcl::rcl_client_t>>,
    ty: ServiceType,
    node: Arc<Node>,
}

// SAFETY: rcl allows sending beside taking; one thread takes and waits (the session's); it is made and ended under `LIFE`.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Makes one on an absolute name.
    pub(crate) fn new(node: &Arc<Node>, service: &str, ty: ServiceType) -> Result<Client, RclError> {
        let name = text(service)?;
        let held = life();
        // SAFETY: takes nothing.
        let inner = unsafe { rcl::rcl_get_zero_initialized_client() };
        let client = Client { inner: Box::new(UnsafeCell::new(inner)), ty, node: node.clone() };
        // SAFETY: as for a server.
        let made = unsafe {
            let mut options = rcl::rcl_client_get_default_options();
            options.qos.depth = DEPTH;
            check(rcl::rcl_client_init(
                client.inner.get(),
                node.raw(),
                ty.raw(),
                name.as_ptr(),
                &raw const options,
            ))
        };
        drop(held);
        made.map(|()| client)
    }

    /// Reads a request; an error is bytes that are none.
    pub(crate) fn request(&self, cdr: &[u8]) -> Result<Request, RclError> {
        CMessage::read(self.ty.request, cdr).map(Request)
    }

    /// Sends it; gives its number, which the answer has too.
    pub(crate) fn send(&self, request: &Request) -> Result<i64, RclError> {
        let mut number = 0;
        // SAFETY: the client is there; the message is of its request's type.
        check(unsafe { rcl::rcl_send_request(self.inner.get(), request.0.raw(), &raw mut number) })?;
        Ok(number)
    }

    /// The next answer, as bytes, and the number of its request; none when there is none.
    pub(crate) fn take(&self, into: &mut Serialized) -> Result<Option<i64>, RclError> {
        let answer = CMessage::new(self.ty.response)?;
        let mut info = no_info();
        // SAFETY: the client is there; the message is of its response's type.
        let taken =
            check(unsafe { rcl::rcl_take_response_with_info(self.inner.get(), &raw mut info, answer.raw()) });
        match taken {
            Ok(()) => {
                answer.write(into)?;
                Ok(Some(info.request_id.sequence_number))
            }
            Err(error) if error.code == Code::Nothing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a server is there that would get a request.
    pub(crate) fn is_served(&self) -> Result<bool, RclError> {
        let mut there = false;
        // SAFETY: node and client are there; the flag is written in the call.
        check(unsafe {
            rcl::rcl_service_server_is_available(self.node.raw(), self.inner.get(), &raw mut there)
        })?;
        Ok(there)
    }

    pub(super) fn raw(&self) -> *const rcl::rcl_client_t {
        self.inner.get()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let held = life();
        if *held {
            return;
        }
        // SAFETY: as for a server.
        unsafe {
            if !(*self.inner.get()).impl_.is_null() {
                ended("a client", rcl::rcl_client_fini(self.inner.get(), self.node.raw()));
            }
        }
    }
}

/// A request that can be sent.
pub(crate) struct Request(CMessage);

fn no_info() -> rcl::rmw_service_info_t {
    rcl::rmw_service_info_t {
        source_timestamp: 0,
        received_timestamp: 0,
        request_id: rcl::rmw_request_id_t { writer_guid: [0; 16], sequence_number: 0 },
    }
}

fn origin(info: &rcl::rmw_service_info_t) -> Origin {
    Origin {
        source_ns: info.source_timestamp,
        sequence: info.request_id.sequence_number.cast_unsigned(),
        gid: super::topic::sixteen(&info.request_id.writer_guid),
    }
}
