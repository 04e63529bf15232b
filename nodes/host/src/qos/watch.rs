//! Ports under watch, and the thread that looks at them when a time has passed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use troika_kit::{Liveliness, Qos, Time};
use troika_transport::{Publisher, Subscription, Transport, TransportError};

use super::{
    QosStats,
    policy::{Deadline, Lease, is_expired},
};
use crate::{
    clock::HostClock,
    sync::{Counter, Flag, StopToken, Wake},
};

/// One port with a timed policy.
#[derive(Debug)]
pub(crate) struct PortWatch {
    port: String,
    topic: String,
    publishes: bool,
    clock: HostClock,
    lifespan: Option<Duration>,
    times: Mutex<Times>,
    /// Its publishers are alive while the graph has them.
    automatic: bool,
    deadline_missed: Counter,
    expired: Counter,
    alive: Counter,
    lost: Counter,
    /// Told on the graph or by a message for the first time: the thread has to look again when to look.
    wake: Wake,
}

#[derive(Debug)]
struct Times {
    deadline: Option<Deadline>,
    lease: Option<Lease>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PortWatch {
    /// A message came, or was sent. False when it is too old to be delivered.
    pub(crate) fn message(&self, gid: [u8; 16], sent: Time) -> bool {
        // Peers stamp with the machine's time, also in a simulation.
        let now = self.clock.now();
        if self.lifespan.is_some_and(|lifespan| is_expired(lifespan, sent, now)) {
            self.expired.add(1);
            return false;
        }
        let mut times = lock(&self.times);
        let first = times.deadline.as_mut().is_some_and(|deadline| deadline.heard(now));
        let new = times.lease.as_mut().is_some_and(|lease| lease.heard(gid, now));
        if let Some(lease) = times.lease.as_ref().filter(|_| new) {
            self.alive.set(lease.alive());
        }
        drop(times);
        if first || new {
            self.wake.announce();
        }
        true
    }

    /// Looks; when to look again.
    fn look(&self, now: Time) -> Option<Time> {
        let mut times = lock(&self.times);
        let Times { deadline, lease } = &mut *times;
        if let Some(deadline) = deadline {
            self.deadline_missed.add(deadline.missed(now));
        }
        if let Some(lease) = lease {
            self.lost.add(lease.lost(now));
            self.alive.set(lease.alive());
        }
        let dues = [deadline.as_ref().and_then(Deadline::due), lease.as_ref().and_then(Lease::due)];
        dues.into_iter().flatten().min()
    }

    /// It does not work now: nothing is expected.
    pub(crate) fn rest(&self) {
        if let Some(deadline) = &mut lock(&self.times).deadline {
            deadline.rest();
        }
    }

    /// So many publishers of its topic are on the graph.
    fn on_graph(&self, publishers: u64) {
        let before = self.alive.get();
        self.alive.set(publishers);
        self.lost.add(before.saturating_sub(publishers));
    }

    pub(crate) fn stats(&self) -> QosStats {
        QosStats {
            port: self.port.clone(),
            topic: self.topic.clone(),
            publishes: self.publishes,
            deadline_missed: self.deadline_missed.get(),
            expired: self.expired.get(),
            alive: self.alive.get(),
            liveliness_lost: self.lost.get(),
        }
    }
}

/// A publisher whose messages are watched.
struct Watched {
    publisher: Box<dyn Publisher>,
    watch: Arc<PortWatch>,
}

impl Publisher for Watched {
    fn put(&mut self, cdr: &[u8], stamp: Time) -> Result<(), TransportError> {
        self.publisher.put(cdr, stamp)?;
        self.watch.message([0; 16], Time::ZERO);
        Ok(())
    }
}

/// Looks after ports, in a thread that is there once there is one with a deadline or a lease.
pub(crate) struct Watcher {
    transport: Arc<dyn Transport>,
    clock: HostClock,
    wake: Wake,
    graph_changed: Arc<Flag>,
    stop: StopToken,
    inner: Mutex<Inner>,
    ports: Arc<Mutex<Vec<Arc<PortWatch>>>>,
}

#[derive(Default)]
struct Inner {
    thread: Option<JoinHandle<()>>,
    graph: Option<Box<dyn Subscription>>,
}

impl Watcher {
    pub(crate) fn new(transport: Arc<dyn Transport>, clock: HostClock) -> Watcher {
        Watcher {
            transport,
            clock,
            wake: Wake::default(),
            graph_changed: Arc::default(),
            stop: StopToken::new(),
            inner: Mutex::default(),
            ports: Arc::default(),
        }
    }

    /// Watches a port with these policies; nothing of one that has none with a time.
    pub(crate) fn port(
        &self,
        port: &str,
        topic: &str,
        publishes: bool,
        qos: Qos,
    ) -> Result<Option<Arc<PortWatch>>, TransportError> {
        // How old a message is, is its receiver's to judge.
        let lifespan = qos.lifespan.filter(|_| !publishes);
        let manual = qos.liveliness == Liveliness::ManualByTopic;
        let automatic = qos.lease.is_some() && !manual && !publishes;
        if qos.deadline.is_none() && qos.lease.is_none() && lifespan.is_none() {
            return Ok(None);
        }
        let times = Times {
            deadline: qos.deadline.map(Deadline::new),
            lease: qos.lease.filter(|_| manual).map(Lease::new),
        };
        let watch = Arc::new(PortWatch {
            port: port.to_owned(),
            topic: topic.to_owned(),
            publishes,
            clock: self.clock,
            lifespan,
            times: Mutex::new(times),
            automatic,
            deadline_missed: Counter::default(),
            expired: Counter::default(),
            alive: Counter::default(),
            lost: Counter::default(),
            wake: self.wake.clone(),
        });
        lock(&self.ports).push(watch.clone());
        if qos.deadline.is_some() || qos.lease.is_some() {
            self.start(automatic)?;
        }
        Ok(Some(watch))
    }

    /// The publisher, watched.
    pub(crate) fn watched(&self, publisher: Box<dyn Publisher>, watch: Arc<PortWatch>) -> Box<dyn Publisher> {
        Box::new(Watched { publisher, watch })
    }

    /// These ports are gone.
    pub(crate) fn forget(&self, gone: &[Arc<PortWatch>]) {
        lock(&self.ports).retain(|port| gone.iter().all(|one| !Arc::ptr_eq(one, port)));
    }

    fn start(&self, by_graph: bool) -> Result<(), TransportError> {
        let mut inner = lock(&self.inner);
        if by_graph && inner.graph.is_none() {
            let (wake, changed) = (self.wake.clone(), self.graph_changed.clone());
            let told = move || {
                changed.set(true);
                wake.announce();
            };
            inner.graph = Some(self.transport.watch_graph(Box::new(told))?);
            self.graph_changed.set(true); // it may hold somebody already
        }
        if inner.thread.is_none() {
            let rounds = Rounds {
                transport: self.transport.clone(),
                clock: self.clock,
                wake: self.wake.clone(),
                graph_changed: self.graph_changed.clone(),
                stop: self.stop.clone(),
                ports: self.ports.clone(),
            };
            let made = thread::Builder::new().name("troika-qos".into()).spawn(move || rounds.run());
            let refused = |why: std::io::Error| TransportError::Declare {
                what: "a QoS watch".into(),
                reason: why.to_string(),
            };
            inner.thread = Some(made.map_err(refused)?);
        }
        self.wake.announce();
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.stop();
        self.wake.announce();
        let mut inner = lock(&self.inner);
        drop(inner.graph.take());
        if let Some(thread) = inner.thread.take() {
            // It panics only by a defect of ours; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

struct Rounds {
    transport: Arc<dyn Transport>,
    clock: HostClock,
    wake: Wake,
    graph_changed: Arc<Flag>,
    stop: StopToken,
    ports: Arc<Mutex<Vec<Arc<PortWatch>>>>,
}

impl Rounds {
    fn run(self) {
        while !self.stop.is_stopped() {
            let seen = self.wake.seen();
            let ports = lock(&self.ports).clone();
            if self.graph_changed.get() {
                self.graph_changed.set(false);
                self.ask_the_graph(&ports);
            }
            let now = self.clock.now();
            let due = ports.iter().filter_map(|port| port.look(now)).min();
            self.wake.wait(seen, due.map(|due| self.clock.to_monotonic(due)));
        }
    }

    fn ask_the_graph(&self, ports: &[Arc<PortWatch>]) {
        // A transport that closes has no graph, and this thread ends soon.
        let Ok(graph) = self.transport.graph() else { return };
        for port in ports.iter().filter(|port| port.automatic) {
            let here = graph.endpoints.iter().filter(|end| end.publishes && end.topic == port.topic);
            port.on_graph(here.count() as u64);
        }
    }
}
