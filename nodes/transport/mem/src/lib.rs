//! What belongs here: the transport inside one process, for tests, simulation and nodes that share a process. When `put`
//! returns, every matching subscription has been called, in the order of subscribing: so a simulation on it is
//! deterministic. A `put` from inside a subscription's callback is delivered after that callback, before the outer `put`
//! returns. Nothing is lost and nothing is queued: reliable, whatever the QoS says; `transient_local` is honoured.
//!
//! Services are answered on the caller's thread, before the call returns.
//!
//! Endpoints match when topic, type name and type hash are equal; others stay apart, and the graph shows both.

mod names;
mod services;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

use troika_kit::{Qos, Time, TypeInfo};
use troika_transport::{
    Client, Endpoint, Graph, Meta, NodeHandle, OnGraph, OnMessage, OnRequest, Publisher, Server, ServiceEnd,
    Subscription, Transport, TransportError, Watchers,
};

use services::{Declared, End, Served};

/// A transport inside this process. Clones share it.
#[derive(Clone, Default)]
pub struct MemTransport(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    watchers: Watchers,
    /// Held while callbacks run, so that messages reach every subscription in one order. Taken before `state`.
    delivery: Mutex<()>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    nodes: Vec<(u64, String)>,
    publishers: Vec<Offer>,
    subscriptions: Vec<Arc<Sub>>,
    services: Vec<End>,
    /// Messages put from inside a callback, waiting for its end.
    nested: VecDeque<Delivery>,
    /// The thread that delivers now.
    delivering: Option<ThreadId>,
}

struct Offer {
    id: u64,
    node: String,
    topic: String,
    ty: TypeInfo,
    /// The last messages, for late joiners; empty unless `transient_local`.
    history: VecDeque<(Arc<[u8]>, Meta)>,
}

struct Sub {
    id: u64,
    node: String,
    topic: String,
    ty: TypeInfo,
    callback: Mutex<OnMessage>,
}

struct Delivery {
    to: Vec<Arc<Sub>>,
    cdr: Arc<[u8]>,
    meta: Meta,
}

impl MemTransport {
    /// A transport of its own, with nobody on it.
    pub fn new() -> Self {
        MemTransport::default()
    }
}

impl Transport for MemTransport {
    fn kind(&self) -> &'static str {
        "mem"
    }

    fn node(&self, namespace: &str, name: &str) -> Result<Box<dyn NodeHandle>, TransportError> {
        let full = names::node(namespace, name)?;
        let mut state = self.0.state();
        let id = state.id();
        state.nodes.push((id, full.clone()));
        drop(state);
        self.0.watchers.tell();
        Ok(Box::new(Node { id, name: full, shared: self.0.clone() }))
    }

    fn graph(&self) -> Result<Graph, TransportError> {
        let state = self.0.state();
        let mut nodes: Vec<String> = state.nodes.iter().map(|(_, name)| name.clone()).collect();
        nodes.sort();
        let endpoint = |node: &str, topic: &str, ty: TypeInfo, publishes| Endpoint {
            node: node.into(),
            topic: topic.into(),
            type_name: ty.name.into(),
            type_hash: ty.hash.into(),
            publishes,
        };
        let publishers =
            state.publishers.iter().map(|offer| endpoint(&offer.node, &offer.topic, offer.ty, true));
        let subscriptions =
            state.subscriptions.iter().map(|sub| endpoint(&sub.node, &sub.topic, sub.ty, false));
        let mut endpoints: Vec<Endpoint> = publishers.chain(subscriptions).collect();
        endpoints.sort();
        let ends = state.services.iter().map(|end| ServiceEnd {
            node: end.node.clone(),
            service: end.service.clone(),
            type_name: end.ty.name.into(),
            type_hash: end.ty.hash.into(),
            serves: end.served.is_some(),
        });
        let mut services: Vec<ServiceEnd> = ends.collect();
        services.sort();
        Ok(Graph { nodes, endpoints, services })
    }

    fn watch_graph(&self, on_change: OnGraph) -> Result<Box<dyn Subscription>, TransportError> {
        Ok(self.0.watchers.add(on_change))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_delivering_here(&self) -> bool {
        self.state().delivering == Some(thread::current().id())
    }

    /// Delivers what `choose` gives, and what callbacks put in turn. Called without any lock held, and never from inside a
    /// callback.
    fn deliver(&self, choose: impl FnOnce(&mut State) -> Vec<Delivery>) {
        let _turn = self.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        let first = choose(&mut state);
        state.nested.extend(first);
        state.delivering = Some(thread::current().id());
        // Also on a panic in a callback: the next `put` must not take itself for a nested one.
        let _done = Done(self);
        while let Some(next) = state.nested.pop_front() {
            for sub in next.to {
                // Dropped since? Then no call comes any more.
                if !state.subscriptions.iter().any(|living| living.id == sub.id) {
                    continue;
                }
                drop(state);
                (sub.callback.lock().unwrap_or_else(PoisonError::into_inner))(&next.cdr, &next.meta);
                drop(sub); // may free the callback: not under the lock
                state = self.state();
            }
        }
        drop(state);
    }
}

/// Ends a delivery. The state is not locked when it is dropped.
struct Done<'a>(&'a Shared);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.delivering = None;
        state.nested.clear();
    }
}

impl State {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

struct Node {
    id: u64,
    name: String,
    shared: Arc<Shared>,
}

impl NodeHandle for Node {
    fn publisher(&self, topic: &str, ty: TypeInfo, qos: Qos) -> Result<Box<dyn Publisher>, TransportError> {
        names::topic(topic)?;
        let mut state = self.shared.state();
        let id = state.id();
        state.publishers.push(Offer {
            id,
            node: self.name.clone(),
            topic: topic.into(),
            ty,
            history: VecDeque::new(),
        });
        drop(state);
        self.shared.watchers.tell();
        let keep = if qos.transient_local { qos.depth.max(1) as usize } else { 0 };
        Ok(Box::new(MemPublisher {
            id,
            topic: topic.into(),
            ty,
            keep,
            sequence: 0,
            shared: self.shared.clone(),
        }))
    }

    fn subscribe(
        &self,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        on_message: OnMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        names::topic(topic)?;
        let enter = |state: &mut State| {
            let id = state.id();
            let sub = Arc::new(Sub {
                id,
                node: self.name.clone(),
                topic: topic.into(),
                ty,
                callback: Mutex::new(on_message),
            });
            state.subscriptions.push(sub.clone());
            let mut missed: Vec<Delivery> = Vec::new();
            if qos.transient_local {
                for offer in state.publishers.iter().filter(|offer| offer.topic == topic && offer.ty == ty) {
                    let skip = offer.history.len().saturating_sub(qos.depth.max(1) as usize);
                    missed.extend(offer.history.iter().skip(skip).map(|(cdr, meta)| Delivery {
                        to: vec![sub.clone()],
                        cdr: cdr.clone(),
                        meta: *meta,
                    }));
                }
            }
            (id, missed)
        };
        let mut id = 0;
        if self.shared.is_delivering_here() {
            let mut state = self.shared.state();
            let (new, missed) = enter(&mut state);
            state.nested.extend(missed);
            id = new;
        } else {
            self.shared.deliver(|state| {
                let (new, missed) = enter(state);
                id = new;
                missed
            });
        }
        self.shared.watchers.tell();
        Ok(Box::new(MemSubscription { id, shared: self.shared.clone() }))
    }

    fn serve(
        &self,
        service: &str,
        ty: TypeInfo,
        on_request: OnRequest,
    ) -> Result<Box<dyn Server>, TransportError> {
        Ok(Box::new(self.declare(service, ty, Some(Served::new(on_request)))?))
    }

    fn client(&self, service: &str, ty: TypeInfo) -> Result<Box<dyn Client>, TransportError> {
        Ok(Box::new(self.declare(service, ty, None)?))
    }
}

impl Node {
    fn declare(
        &self,
        service: &str,
        ty: TypeInfo,
        served: Option<Arc<Served>>,
    ) -> Result<Declared, TransportError> {
        names::topic(service)?;
        let mut state = self.shared.state();
        let id = state.id();
        state.services.push(End { id, node: self.name.clone(), service: service.into(), ty, served });
        drop(state);
        self.shared.watchers.tell();
        Ok(Declared { id, service: service.into(), ty, sequence: 0, shared: self.shared.clone() })
    }
}

/// A global id, of an endpoint's number.
fn gid(id: u64) -> [u8; 16] {
    let mut gid = [0; 16];
    gid[..8].copy_from_slice(&id.to_le_bytes());
    gid
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shared.state().nodes.retain(|(id, _)| *id != self.id);
        self.shared.watchers.tell();
    }
}

struct MemPublisher {
    id: u64,
    topic: String,
    ty: TypeInfo,
    keep: usize,
    sequence: i64,
    shared: Arc<Shared>,
}

impl Publisher for MemPublisher {
    fn put(&mut self, cdr: &[u8], stamp: Time) -> Result<(), TransportError> {
        self.sequence += 1;
        let meta = Meta { source_time: stamp, sequence: self.sequence, gid: gid(self.id) };
        let cdr: Arc<[u8]> = cdr.into();
        let send = |state: &mut State| {
            if self.keep > 0
                && let Some(offer) = state.publishers.iter_mut().find(|offer| offer.id == self.id)
            {
                if offer.history.len() == self.keep {
                    offer.history.pop_front();
                }
                offer.history.push_back((cdr.clone(), meta));
            }
            let matches = |sub: &&Arc<Sub>| sub.topic == self.topic && sub.ty == self.ty;
            let to: Vec<_> = state.subscriptions.iter().filter(matches).cloned().collect();
            vec![Delivery { to, cdr: cdr.clone(), meta }]
        };
        if self.shared.is_delivering_here() {
            let mut state = self.shared.state();
            let nested = send(&mut state);
            state.nested.extend(nested);
        } else {
            self.shared.deliver(send);
        }
        Ok(())
    }
}

impl Drop for MemPublisher {
    fn drop(&mut self) {
        self.shared.state().publishers.retain(|offer| offer.id != self.id);
        self.shared.watchers.tell();
    }
}

struct MemSubscription {
    id: u64,
    shared: Arc<Shared>,
}

impl Subscription for MemSubscription {}

impl Drop for MemSubscription {
    fn drop(&mut self) {
        let gone: Vec<Arc<Sub>> = {
            let mut state = self.shared.state();
            let id = self.id;
            state.subscriptions.extract_if(.., |sub| sub.id == id).collect()
        };
        // A call may be under way on another thread: wait for its end. On this thread it is our own caller.
        if !self.shared.is_delivering_here() {
            drop(self.shared.delivery.lock().unwrap_or_else(PoisonError::into_inner));
        }
        drop(gone); // frees the callback outside the lock
        self.shared.watchers.tell();
    }
}

#[cfg(test)]
mod tests;
