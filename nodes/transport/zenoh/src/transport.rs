//! The session behind [`troika_transport::Transport`].

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use troika_kit::{Qos, TypeInfo};
use troika_transport::{
    Client, Endpoint, Graph, Meta, NodeHandle, OnGraph, OnMessage, OnRequest, Publisher, Server, ServiceEnd,
    Subscription, Transport, TransportError,
};
use zenoh::{Session, Wait, liveliness::LivelinessToken, qos::Priority};

use crate::{
    endpoints::{Callback, Receives, ZenohPublisher, ZenohSubscription},
    options::ZenohOptions,
    router::RouterError,
    services::{ZenohClient, ZenohServer},
    told,
    wire::{self, EndpointKind, Entity, QosProfile, Token, TopicKey},
};

/// How long a look at the graph waits for answers; a router answers within milliseconds.
const GRAPH_TIMEOUT: Duration = Duration::from_secs(2);

/// Called with each message of a topic whatever its type: the type's name (`package/msg/Name`) and the bytes. The same rules
/// as for [`OnMessage`].
pub type OnRawMessage = Box<dyn FnMut(&str, &[u8]) + Send>;

/// A zenoh session as a transport. Dropping it, and all nodes and endpoints made from it, closes the session.
#[derive(Debug)]
pub struct ZenohTransport {
    shared: Arc<Shared>,
}

/// What nodes and endpoints hold on to.
#[derive(Debug)]
pub(crate) struct Shared {
    session: Session,
    options: ZenohOptions,
    zid: String,
    next_entity: Mutex<u64>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = self.session.close().wait() {
            tracing::warn!(%error, "the zenoh session did not close cleanly");
        }
    }
}

impl Shared {
    /// Numbers for nodes and endpoints, unique in the session.
    fn next_entity(&self) -> u64 {
        let mut next = self.next_entity.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        *next - 1
    }
}

impl ZenohTransport {
    /// Opens a session and joins the router when it is there. Returns within some seconds whether it is or not; a router
    /// that comes later is joined then.
    pub fn open(options: ZenohOptions) -> Result<ZenohTransport, TransportError> {
        let open_error = |reason: String| TransportError::Open { transport: "zenoh", reason };
        if options.session_config.is_none()
            && let Err(error) = options.router.parse::<zenoh::config::EndPoint>()
        {
            let reason = told::reason(&error);
            return Err(open_error(RouterError::Endpoint { endpoint: options.router, reason }.to_string()));
        }
        let config = options.session_config().map_err(|error| open_error(told::reason(&error)))?;
        let session = zenoh::open(config).wait().map_err(|error| open_error(told::reason(&error)))?;
        Ok(ZenohTransport::on(session, options))
    }

    /// On a session that is open already, such as one of a router's own runtime. Of the options the domain and the priorities count.
    pub fn on(session: Session, options: ZenohOptions) -> ZenohTransport {
        let zid = session.zid().to_string();
        ZenohTransport { shared: Arc::new(Shared { session, options, zid, next_entity: Mutex::new(0) }) }
    }

    /// The ROS domain that it sees.
    pub fn domain(&self) -> u32 {
        self.shared.options.domain
    }

    /// Whether the session is connected to a router now.
    pub fn has_router(&self) -> bool {
        self.shared.session.info().routers_zid().wait().next().is_some()
    }

    /// Subscribes to a topic whatever its type and hash are, without showing on the graph: for tools that look.
    pub fn subscribe_raw(
        &self,
        topic: &str,
        mut on_message: OnRawMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        let key = wire::any_type_key(self.shared.options.domain, topic)
            .map_err(|_| TransportError::Name(topic.to_owned()))?;
        let callback = Callback::new(move |cdr: &[u8], _: &Meta, key: &str| match TopicKey::parse(key) {
            Ok(key) => on_message(&key.type_name, cdr),
            Err(error) => tracing::debug!(%error, key, "not a ROS topic's key"),
        });
        let subscriber =
            Receives::declare(&self.shared.session, key, &QosProfile::from(Qos::DEFAULT), move |sample| {
                callback.call(&sample);
            })
            .map_err(|error| declare_error(topic, &error))?;
        Ok(Box::new(ZenohSubscription::new(subscriber, None, self.shared.clone())))
    }
}

impl Transport for ZenohTransport {
    fn kind(&self) -> &'static str {
        "zenoh"
    }

    /// Those of zenoh's runtimes (`zenoh-runtime`, `ZRuntime`), each followed by a number.
    fn threads(&self) -> &'static [&'static str] {
        &["app-", "acc-", "tx-", "rx-", "net-"]
    }

    fn node(&self, namespace: &str, name: &str) -> Result<Box<dyn NodeHandle>, TransportError> {
        wire::check_namespace(namespace).map_err(|_| TransportError::Name(namespace.to_owned()))?;
        wire::check_node_name(name).map_err(|_| TransportError::Name(name.to_owned()))?;
        let id = self.shared.next_entity();
        let token = Token {
            domain: self.shared.options.domain,
            zid: self.shared.zid.clone(),
            node_id: id,
            entity_id: id,
            enclave: "/".to_owned(),
            namespace: namespace.to_owned(),
            node: name.to_owned(),
            entity: Entity::Node,
        };
        let declared = declare_token(&self.shared, &token, name)?;
        Ok(Box::new(Node { shared: self.shared.clone(), token, _declared: declared }))
    }

    fn graph(&self) -> Result<Graph, TransportError> {
        // Not zenoh's own queue: what a session already knows is handed over within `wait`, and a queue of 256 that nobody reads yet would
        // hold this thread for ever.
        let (sender, replies) = mpsc::channel();
        self.shared
            .session
            .liveliness()
            .get(wire::graph_key(self.shared.options.domain))
            .timeout(GRAPH_TIMEOUT)
            .callback(move |reply| drop(sender.send(reply)))
            .wait()
            .map_err(|_| TransportError::Closed)?;
        let mut nodes = BTreeSet::new();
        let mut endpoints = BTreeSet::new();
        let mut services = BTreeSet::new();
        while let Ok(reply) = replies.recv() {
            let Ok(sample) = reply.result() else { continue };
            let token = match Token::parse(sample.key_expr().as_str()) {
                Ok(token) => token,
                Err(error) => {
                    tracing::debug!(%error, key = %sample.key_expr(), "a token that is none");
                    continue;
                }
            };
            let node = token.full_node_name();
            match token.entity {
                Entity::Node => drop(nodes.insert(node)),
                Entity::Endpoint(endpoint) => {
                    let (name, type_name, type_hash) =
                        (endpoint.name.clone(), endpoint.type_name(), endpoint.type_hash);
                    match endpoint.kind {
                        EndpointKind::Publisher | EndpointKind::Subscription => {
                            let publishes = endpoint.kind == EndpointKind::Publisher;
                            let topic = name;
                            endpoints.insert(Endpoint { node, topic, type_name, type_hash, publishes });
                        }
                        EndpointKind::Service | EndpointKind::Client => {
                            let serves = endpoint.kind == EndpointKind::Service;
                            let service = name;
                            services.insert(ServiceEnd { node, service, type_name, type_hash, serves });
                        }
                    }
                }
            }
        }
        Ok(Graph {
            nodes: nodes.into_iter().collect(),
            endpoints: endpoints.into_iter().collect(),
            services: services.into_iter().collect(),
        })
    }

    fn watch_graph(&self, on_change: OnGraph) -> Result<Box<dyn Subscription>, TransportError> {
        let on_change = Mutex::new(on_change);
        let watching = self
            .shared
            .session
            .liveliness()
            .declare_subscriber(wire::graph_key(self.shared.options.domain))
            .callback(move |_| on_change.lock().unwrap_or_else(PoisonError::into_inner)())
            .wait()
            .map_err(|error| declare_error("a watch on the graph", &error))?;
        Ok(Box::new(Watching(Some(watching))))
    }
}

/// Dropping it ends the watch.
struct Watching(Option<zenoh::pubsub::Subscriber<()>>);

impl Subscription for Watching {}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|watching| watching.undeclare().wait_callbacks().wait()) {
            tracing::debug!(%error, "ending a watch on the graph");
        }
    }
}

/// A node: its token, and what its endpoints' tokens have in common with it.
struct Node {
    shared: Arc<Shared>,
    token: Token,
    _declared: LivelinessToken,
}

impl Node {
    /// The data key of a topic or service and the token of an endpoint on it.
    fn endpoint(
        &self,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        kind: EndpointKind,
    ) -> Result<(String, Token), TransportError> {
        wire::check_topic(topic).map_err(|_| TransportError::Name(topic.to_owned()))?;
        let key = TopicKey {
            domain: self.token.domain,
            topic: topic.to_owned(),
            type_name: ty.name.to_owned(),
            type_hash: ty.hash.to_owned(),
        };
        let declare = |reason: String| TransportError::Declare { what: topic.to_owned(), reason };
        let dds_type =
            wire::type_to_dds(ty.name).map_err(|error| declare(format!("'{}': {error}", ty.name)))?;
        let token = Token {
            entity_id: self.shared.next_entity(),
            entity: Entity::Endpoint(wire::Endpoint {
                kind,
                name: topic.to_owned(),
                dds_type,
                type_hash: ty.hash.to_owned(),
                qos: QosProfile::from(qos),
            }),
            ..self.token.clone()
        };
        Ok((key.encode().map_err(|error| declare(error.to_string()))?, token))
    }
}

// In all: the token comes after what it announces, on the same link, so who sees the token can count on the rest.
impl NodeHandle for Node {
    fn publisher(&self, topic: &str, ty: TypeInfo, qos: Qos) -> Result<Box<dyn Publisher>, TransportError> {
        let (key, token) = self.endpoint(topic, ty, qos, EndpointKind::Publisher)?;
        let high = self.shared.options.high_priority.iter().any(|name| name == topic);
        let priority = if high { Priority::DataHigh } else { Priority::Data };
        let publisher =
            ZenohPublisher::declare(&self.shared.session, key, &QosProfile::from(qos), priority, token.gid())
                .map_err(|error| declare_error(topic, &error))?;
        let declared = declare_token(&self.shared, &token, topic)?;
        Ok(Box::new(publisher.announced(declared, self.shared.clone())))
    }

    fn subscribe(
        &self,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        mut on_message: OnMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        let (key, token) = self.endpoint(topic, ty, qos, EndpointKind::Subscription)?;
        let callback = Callback::new(move |cdr: &[u8], meta: &Meta, _: &str| on_message(cdr, meta));
        let subscriber =
            Receives::declare(&self.shared.session, key, &QosProfile::from(qos), move |sample| {
                callback.call(&sample)
            })
            .map_err(|error| declare_error(topic, &error))?;
        let declared = declare_token(&self.shared, &token, topic)?;
        Ok(Box::new(ZenohSubscription::new(subscriber, Some(declared), self.shared.clone())))
    }

    fn serve(
        &self,
        service: &str,
        ty: TypeInfo,
        on_request: OnRequest,
    ) -> Result<Box<dyn Server>, TransportError> {
        let (key, token) = self.endpoint(service, ty, Qos::DEFAULT, EndpointKind::Service)?;
        let queryable = ZenohServer::declare(&self.shared.session, &key, on_request)
            .map_err(|error| declare_error(service, &error))?;
        let declared = declare_token(&self.shared, &token, service)?;
        Ok(Box::new(ZenohServer::announced(queryable, declared, self.shared.clone())))
    }

    fn client(&self, service: &str, ty: TypeInfo) -> Result<Box<dyn Client>, TransportError> {
        let (key, token) = self.endpoint(service, ty, Qos::DEFAULT, EndpointKind::Client)?;
        let querier = ZenohClient::declare(&self.shared.session, key)
            .map_err(|error| declare_error(service, &error))?;
        let declared = declare_token(&self.shared, &token, service)?;
        let client = ZenohClient::announced(querier, token.gid(), declared, self.shared.clone());
        Ok(Box::new(client.map_err(|error| declare_error(service, &error))?))
    }
}

fn declare_token(shared: &Shared, token: &Token, what: &str) -> Result<LivelinessToken, TransportError> {
    shared
        .session
        .liveliness()
        .declare_token(token.encode())
        .wait()
        .map_err(|error| declare_error(what, &error))
}

fn declare_error(what: &str, error: &zenoh::Error) -> TransportError {
    TransportError::Declare { what: what.to_owned(), reason: told::reason(error) }
}
