//! What belongs here: what a transport is to the host, and nothing of any one transport. Transports carry bytes (CDR with
//! its encapsulation header); node logic never names one.

pub mod name;
mod watch;

use troika_kit::{Qos, Time, TypeInfo};

pub use watch::Watchers;

/// Why a transport call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The transport cannot be opened, with its reason and the way out.
    #[error("cannot open the {transport} transport: {reason}")]
    Open {
        /// Which transport.
        transport: &'static str,
        /// Why, for a person.
        reason: String,
    },
    /// The name is no valid ROS 2 topic or node name.
    #[error("'{0}' is no valid ROS 2 name")]
    Name(String),
    /// A publisher, subscription or token could not be declared.
    #[error("cannot declare {what}: {reason}")]
    Declare {
        /// The topic or node.
        what: String,
        /// Why, for a person.
        reason: String,
    },
    /// The session is closed.
    #[error("the transport is closed")]
    Closed,
}

/// Where a received message, or a request, came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The sender's stamp of the message, on its own clock.
    pub source_time: Time,
    /// The sender's count of messages on this topic, or of requests.
    pub sequence: i64,
    /// The publisher's or client's global id.
    pub gid: [u8; 16],
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no server of this name and type, or it went before it answered.
    #[error("nobody answers")]
    Nobody,
    /// The server could not make an answer.
    #[error("refused: {0}")]
    Refused(String),
}

/// Called on a transport's own thread with each message; it must not block for long.
pub type OnMessage = Box<dyn FnMut(&[u8], &Meta) + Send>;

/// Called on a transport's own thread with each request, one at a time. It must not block for long, and must not call its own
/// service; an answer that takes long is given later, from another thread. A request that the transport itself cannot read comes as no
/// bytes, so that it is counted where all are that are none.
pub type OnRequest = Box<dyn FnMut(&[u8], &Meta, Respond) + Send>;

/// What becomes of an answer.
type Give = Box<dyn FnOnce(Result<Vec<u8>, String>) + Send>;

/// Takes the answer to one request: its CDR, or why there is none. Dropped without one, the request is refused.
pub struct Respond(Option<Give>);

impl Respond {
    /// For a request that the transport could not read: nobody gets its answer.
    pub fn to_nobody() -> Respond {
        Respond(None)
    }

    /// For a transport: `give` is called once.
    pub fn new(give: impl FnOnce(Result<Vec<u8>, String>) + Send + 'static) -> Respond {
        Respond(Some(Box::new(give)))
    }

    /// Gives the answer.
    pub fn answer(mut self, answer: Result<Vec<u8>, String>) {
        if let Some(give) = self.0.take() {
            give(answer);
        }
    }
}

impl Drop for Respond {
    fn drop(&mut self) {
        if let Some(give) = self.0.take() {
            give(Err("the request was dropped".to_owned()));
        }
    }
}

/// Called after the graph has changed, on any thread; it must not block for long. One call may stand for several changes: look with
/// [`Transport::graph`], from another thread where that takes a transport's answer.
pub type OnGraph = Box<dyn FnMut() + Send>;

/// Called once, on a transport's own thread, with the answer's CDR.
pub type OnReply = Box<dyn FnOnce(Result<&[u8], CallError>) + Send>;

/// A transport session: one for each process and transport.
pub trait Transport: Send + Sync {
    /// `mem`, `zenoh`, …
    fn kind(&self) -> &'static str;

    /// Makes a node known to the graph. `namespace` is `/` or `/car/front`; `name` has no slash.
    fn node(&self, namespace: &str, name: &str) -> Result<Box<dyn NodeHandle>, TransportError>;

    /// How the names of its own threads begin, those on which messages come and go, so that a host may give them a priority.
    fn threads(&self) -> &'static [&'static str] {
        &[]
    }

    /// Who is there now, as far as this session knows.
    fn graph(&self) -> Result<Graph, TransportError>;

    /// Calls `on_change` when somebody comes or goes, until what is returned is dropped (not inside its own call).
    fn watch_graph(&self, on_change: OnGraph) -> Result<Box<dyn Subscription>, TransportError>;
}

/// One node's presence on a transport. Dropping it takes the node off the graph.
pub trait NodeHandle: Send + Sync {
    /// A publisher on an absolute topic name.
    fn publisher(&self, topic: &str, ty: TypeInfo, qos: Qos) -> Result<Box<dyn Publisher>, TransportError>;

    /// A subscription on an absolute topic name; it lasts until what is returned is dropped.
    fn subscribe(
        &self,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        on_message: OnMessage,
    ) -> Result<Box<dyn Subscription>, TransportError>;

    /// Serves a service of an absolute name; it lasts until what is returned is dropped. `ty` is the service's own type and hash.
    fn serve(
        &self,
        service: &str,
        ty: TypeInfo,
        on_request: OnRequest,
    ) -> Result<Box<dyn Server>, TransportError>;

    /// A client of a service of an absolute name.
    fn client(&self, service: &str, ty: TypeInfo) -> Result<Box<dyn Client>, TransportError>;
}

/// Sends messages on one topic. Never called from a real-time thread: the host hands bytes to a thread of its own.
pub trait Publisher: Send {
    /// Sends one message. `stamp` is the source time that peers see.
    fn put(&mut self, cdr: &[u8], stamp: Time) -> Result<(), TransportError>;
}

/// A living subscription; dropping it ends it, and no call comes after the drop returns.
pub trait Subscription: Send {}

/// A service that is served; dropping it ends it, and no call comes after the drop returns.
pub trait Server: Send {}

/// Asks one service.
pub trait Client: Send {
    /// Sends a request. `on_reply` is called with the first answer, however late that comes; a request that nobody can answer any
    /// more is told so.
    fn call(&mut self, cdr: &[u8], stamp: Time, on_reply: OnReply) -> Result<(), TransportError>;

    /// Whether a server is there now.
    fn is_served(&self) -> Result<bool, TransportError>;
}

/// A server or client seen on the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceEnd {
    /// The node's full name, `/ns/name`.
    pub node: String,
    /// The service's absolute name.
    pub service: String,
    /// `package/srv/Name`.
    pub type_name: String,
    /// `RIHS01_…`, or empty when the peer gave none.
    pub type_hash: String,
    /// True for a server.
    pub serves: bool,
}

/// A publisher or subscription seen on the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The node's full name, `/ns/name`.
    pub node: String,
    /// The topic's absolute name.
    pub topic: String,
    /// `package/msg/Name`.
    pub type_name: String,
    /// `RIHS01_…`, or empty when the peer gave none.
    pub type_hash: String,
    /// True for a publisher.
    pub publishes: bool,
}

/// Who is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Full names, sorted.
    pub nodes: Vec<String>,
    /// Publishers and subscriptions, sorted.
    pub endpoints: Vec<Endpoint>,
    /// Servers and clients, sorted.
    pub services: Vec<ServiceEnd>,
}
