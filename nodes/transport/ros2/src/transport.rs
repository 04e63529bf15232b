//! The session behind [`troika_transport::Transport`].

use std::{
    collections::BTreeSet,
    process,
    sync::{Arc, Mutex, PoisonError},
};

use troika_kit::{Qos, TypeInfo};
use troika_transport::{
    Client, Endpoint, Graph, NodeHandle, OnGraph, OnMessage, OnRequest, Publisher, Server, ServiceEnd,
    Subscription, Transport, TransportError,
};

use crate::{
    endpoints::{Ros2Client, Ros2Publisher, Ros2Server, Ros2Subscription, Ros2Watch, profile},
    raw::{self, OnRawMessage},
    rcl::{self, Code, Context, MessageType, RclError, ServiceType},
    session::{Asking, Entry, Served, Session, Subscribed, THREAD, Watching},
};

/// What a session is opened with, beside what rcl reads from the environment itself: `ROS_DOMAIN_ID`, `RMW_IMPLEMENTATION`,
/// `ROS_AUTOMATIC_DISCOVERY_RANGE`, `ROS_STATIC_PEERS`, and what the RMW reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ros2Options {
    /// ROS's domain; by default that of `ROS_DOMAIN_ID`, or 0.
    pub domain: Option<u32>,
}

/// A session of rcl as a transport. Dropping it, and all nodes and endpoints made from it, ends the session.
#[derive(Debug)]
pub struct Ros2Transport {
    session: Arc<Session>,
}

/// How the names of the sessions' own nodes begin, which look at the graph. They are hidden, as ROS 2 calls it (an underscore), and
/// no session's graph has one.
const OBSERVER: &str = "_troika_observer_";

impl Ros2Transport {
    /// Opens a session: a participant of its RMW and a node that looks at the graph.
    ///
    /// # Errors
    /// The RMW that the environment names is not there, or cannot start.
    pub fn open(options: Ros2Options) -> Result<Ros2Transport, TransportError> {
        let open = |error: RclError| TransportError::Open {
            transport: "ros2",
            reason: format!(
                "{error}; source your ROS 2's setup.sh, and look at RMW_IMPLEMENTATION and ROS_DOMAIN_ID (RMW: {})",
                rcl::rmw()
            ),
        };
        let context = Arc::new(Context::new(options.domain.map(|id| id as usize)).map_err(open)?);
        let name = format!("{OBSERVER}{}_{}", process::id(), next());
        let observer = Arc::new(rcl::Node::new(&context, "/", &name).map_err(open)?);
        rcl::mind_the_exit();
        let session = Session::start(context, observer).map_err(open)?;
        Ok(Ros2Transport { session: Arc::new(session) })
    }

    /// The RMW below: `rmw_fastrtps_cpp`, …
    pub fn rmw(&self) -> String {
        rcl::rmw()
    }

    /// The ROS domain that it sees.
    pub fn domain(&self) -> u32 {
        // rcl takes it from a number of this size, and knows it as long as the context is there.
        self.session.context.domain().ok().and_then(|domain| u32::try_from(domain).ok()).unwrap_or_default()
    }

    /// Subscribes to a topic whatever its type is, for tools that look; a type whose package is not installed is not heard.
    ///
    /// # Errors
    /// The topic's name is none.
    pub fn subscribe_raw(
        &self,
        topic: &str,
        on_message: OnRawMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        absolute(topic)?;
        Ok(raw::subscribe(&self.session, topic, on_message))
    }
}

/// Tells the sessions of a process apart.
fn next() -> u64 {
    static NEXT: Mutex<u64> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    *next += 1;
    *next
}

impl Transport for Ros2Transport {
    fn kind(&self) -> &'static str {
        "ros2"
    }

    /// Its own, and those of Fast DDS.
    fn threads(&self) -> &'static [&'static str] {
        &[THREAD, "dds."]
    }

    fn node(&self, namespace: &str, name: &str) -> Result<Box<dyn NodeHandle>, TransportError> {
        // rcl would take a relative one, and put a slash before it.
        if !namespace.starts_with('/') {
            return Err(TransportError::Name(namespace.to_owned()));
        }
        let node = rcl::Node::new(&self.session.context, namespace, name).map_err(|error| {
            let wrong = if error.code == Code::Namespace { namespace } else { name };
            failed(wrong, &error)
        })?;
        Ok(Box::new(Node { node: Arc::new(node), session: self.session.clone() }))
    }

    /// As the RMW has heard of it by now. A service's hash is empty: ROS 2 Jazzy's graph has none.
    fn graph(&self) -> Result<Graph, TransportError> {
        if !self.session.is_open() {
            return Err(TransportError::Closed);
        }
        self.look().map_err(|error| {
            tracing::warn!(%error, "cannot look at the graph");
            TransportError::Closed
        })
    }

    fn watch_graph(&self, on_change: OnGraph) -> Result<Box<dyn Subscription>, TransportError> {
        let watching = Arc::new(Watching { on_change: Mutex::new(Some(on_change)) });
        let id = self.session.add(Entry::Watch(watching.clone()));
        Ok(Box::new(Ros2Watch { id, watching, session: self.session.clone() }))
    }
}

impl Ros2Transport {
    fn look(&self) -> Result<Graph, RclError> {
        let eye = &*self.session.observer;
        let nodes: BTreeSet<(String, String)> =
            eye.nodes()?.into_iter().filter(|(_, name)| !name.starts_with(OBSERVER)).collect();
        let mut endpoints = BTreeSet::new();
        for (topic, _) in eye.topics()? {
            for publishes in [true, false] {
                for end in eye.endpoints(&topic, publishes)? {
                    // Not yet told whose it is: it comes with its node's name or not at all.
                    let Some((namespace, name)) = end.node else { continue };
                    let node = full_name(&namespace, &name);
                    let (topic, type_name, type_hash) = (topic.clone(), end.type_name, end.type_hash);
                    endpoints.insert(Endpoint { node, topic, type_name, type_hash, publishes });
                }
            }
        }
        let mut services = BTreeSet::new();
        for (namespace, name) in &nodes {
            for serves in [true, false] {
                for (service, types) in eye.services_of(namespace, name, serves)? {
                    for type_name in types {
                        let (node, service) = (full_name(namespace, name), service.clone());
                        let type_hash = String::new();
                        services.insert(ServiceEnd { node, service, type_name, type_hash, serves });
                    }
                }
            }
        }
        let nodes: BTreeSet<String> =
            nodes.iter().map(|(namespace, name)| full_name(namespace, name)).collect();
        Ok(Graph {
            nodes: nodes.into_iter().collect(),
            endpoints: endpoints.into_iter().collect(),
            services: services.into_iter().collect(),
        })
    }
}

fn full_name(namespace: &str, name: &str) -> String {
    format!("{}/{name}", namespace.trim_end_matches('/'))
}

fn failed(what: &str, error: &RclError) -> TransportError {
    match error.code {
        Code::Name | Code::Namespace => TransportError::Name(what.to_owned()),
        Code::Shutdown => TransportError::Closed,
        Code::Nothing | Code::Other => {
            TransportError::Declare { what: what.to_owned(), reason: error.to_string() }
        }
    }
}

/// A node. Its endpoints keep it on the graph: drop them first.
struct Node {
    node: Arc<rcl::Node>,
    session: Arc<Session>,
}

/// rcl would take a relative name, and fill in `~` and `{node}`.
fn absolute(name: &str) -> Result<(), TransportError> {
    match name.starts_with('/') && !name.contains(['{', '~']) {
        true => Ok(()),
        false => Err(TransportError::Name(name.to_owned())),
    }
}

impl NodeHandle for Node {
    fn publisher(&self, topic: &str, ty: TypeInfo, qos: Qos) -> Result<Box<dyn Publisher>, TransportError> {
        absolute(topic)?;
        let made = MessageType::find(ty.name, Some(ty.hash))
            .and_then(|ty| rcl::Publisher::new(&self.node, topic, ty, profile(qos)));
        let publisher = made.map_err(|error| failed(topic, &error))?;
        Ok(Box::new(Ros2Publisher { publisher, session: self.session.clone() }))
    }

    fn subscribe(
        &self,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        on_message: OnMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        absolute(topic)?;
        let made = MessageType::find(ty.name, Some(ty.hash))
            .and_then(|ty| rcl::Subscription::new(&self.node, topic, ty, profile(qos)));
        let subscription = made.map_err(|error| failed(topic, &error))?;
        let subscribed = Arc::new(Subscribed { subscription, on_message: Mutex::new(Some(on_message)) });
        let id = self.session.add(Entry::Subscription(subscribed.clone()));
        Ok(Box::new(Ros2Subscription { id, subscribed, session: self.session.clone() }))
    }

    fn serve(
        &self,
        service: &str,
        ty: TypeInfo,
        on_request: OnRequest,
    ) -> Result<Box<dyn Server>, TransportError> {
        absolute(service)?;
        let made =
            ServiceType::find(ty.name, ty.hash).and_then(|ty| rcl::Server::new(&self.node, service, ty));
        let server = made.map_err(|error| failed(service, &error))?;
        let served =
            Arc::new(Served { server, on_request: Mutex::new(Some(on_request)), name: service.to_owned() });
        let id = self.session.add(Entry::Server(served.clone()));
        Ok(Box::new(Ros2Server { id, served, session: self.session.clone() }))
    }

    fn client(&self, service: &str, ty: TypeInfo) -> Result<Box<dyn Client>, TransportError> {
        absolute(service)?;
        let made =
            ServiceType::find(ty.name, ty.hash).and_then(|ty| rcl::Client::new(&self.node, service, ty));
        let client = made.map_err(|error| failed(service, &error))?;
        let asking = Arc::new(Asking { client, waiting: Mutex::default() });
        let id = self.session.add(Entry::Client(asking.clone()));
        Ok(Box::new(Ros2Client { id, asking, session: self.session.clone() }))
    }
}
