//! A session: the context, its one thread, and what that thread serves.
//!
//! The thread waits for everything that is in the registry, takes what came and calls. Who ends an endpoint takes it out of the
//! registry, closes its callback (which waits for a call that is under way) and wakes the thread, which then lets go of it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use troika_kit::Time;
use troika_transport::{CallError, Meta, OnGraph, OnMessage, OnReply, OnRequest, Respond};

use crate::rcl::{
    Client, Context, Guard, Node, RclError, Ready, RequestId, Serialized, Server, Subscription, WaitSet,
    Waited,
};

/// The session's thread, as the system shows it.
pub(crate) const THREAD: &str = "ros2-spin";

/// So many messages are taken from one endpoint before the others are looked at.
const AT_ONCE: usize = 64;

/// A request whose server went is given up after this time: an answer that left before may come after the word that it went.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// What endpoints hold on to.
#[derive(Debug)]
pub(crate) struct Session {
    /// Sees the graph when the session has no other node.
    pub(crate) observer: Arc<Node>,
    pub(crate) context: Arc<Context>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Of the thread and of who calls.
struct Shared {
    registry: Mutex<Registry>,
    guard: Guard,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Shared")
    }
}

#[derive(Default)]
struct Registry {
    next: u64,
    subscriptions: BTreeMap<u64, Arc<Subscribed>>,
    servers: BTreeMap<u64, Arc<Served>>,
    clients: BTreeMap<u64, Arc<Asking>>,
    watchers: BTreeMap<u64, Arc<Watching>>,
    /// Who is told why there is no answer, on the thread.
    to_tell: Vec<(OnReply, CallError)>,
    stop: bool,
    /// The thread has ended, by itself or as it was told.
    ended: bool,
}

/// A subscription and whom it calls; none once it is closed.
pub(crate) struct Subscribed {
    pub(crate) subscription: Subscription,
    pub(crate) on_message: Mutex<Option<OnMessage>>,
}

/// A server and whom it calls; none once it is closed.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) on_request: Mutex<Option<OnRequest>>,
    /// For a person.
    pub(crate) name: String,
}

/// A client and who waits for its answers.
pub(crate) struct Asking {
    pub(crate) client: Client,
    pub(crate) waiting: Mutex<Waiting>,
}

/// Who waits for answers, by the request's number.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) replies: BTreeMap<i64, OnReply>,
    /// Since when no server is seen although somebody waits.
    alone_since: Option<Instant>,
}

/// Who wants to know of changes of the graph; none once it is closed.
pub(crate) struct Watching {
    pub(crate) on_change: Mutex<Option<OnGraph>>,
}

/// What the thread serves, as an endpoint holds it.
pub(crate) enum Entry {
    Subscription(Arc<Subscribed>),
    Server(Arc<Served>),
    Client(Arc<Asking>),
    Watch(Arc<Watching>),
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Starts the thread.
    pub(crate) fn start(context: Arc<Context>, observer: Arc<Node>) -> Result<Session, RclError> {
        let guard = Guard::new(&context)?;
        let shared = Arc::new(Shared { registry: Mutex::default(), guard });
        let set = WaitSet::new(&context)?;
        let (of_thread, node) = (shared.clone(), observer.clone());
        let thread = thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || of_thread.spin(set, &node))
            .map_err(|error| RclError::new(format!("no thread: {error}")))?;
        Ok(Session { observer, context, shared, thread: Mutex::new(Some(thread)) })
    }

    /// Has the thread serve it from now on.
    pub(crate) fn add(&self, entry: Entry) -> u64 {
        let mut registry = lock(&self.shared.registry);
        let id = registry.next;
        registry.next += 1;
        match entry {
            Entry::Subscription(one) => drop(registry.subscriptions.insert(id, one)),
            Entry::Server(one) => drop(registry.servers.insert(id, one)),
            Entry::Client(one) => drop(registry.clients.insert(id, one)),
            Entry::Watch(one) => drop(registry.watchers.insert(id, one)),
        }
        drop(registry);
        self.shared.guard.trigger();
        id
    }

    /// Has the thread let go of it.
    pub(crate) fn remove(&self, id: u64) {
        let mut registry = lock(&self.shared.registry);
        let gone =
            (registry.subscriptions.remove(&id), registry.servers.remove(&id), registry.clients.remove(&id));
        drop(registry);
        drop(gone);
        self.shared.guard.trigger();
    }

    /// Tells who waits, soon and on the thread. Gives them back when there is no thread any more.
    pub(crate) fn tell(&self, whom: impl IntoIterator<Item = OnReply>, why: &CallError) -> Vec<OnReply> {
        let mut registry = lock(&self.shared.registry);
        if registry.ended {
            return whom.into_iter().collect();
        }
        registry.to_tell.extend(whom.into_iter().map(|one| (one, why.clone())));
        drop(registry);
        self.shared.guard.trigger();
        Vec::new()
    }

    /// Whether the thread still serves.
    pub(crate) fn is_open(&self) -> bool {
        !lock(&self.shared.registry).ended
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        lock(&self.shared.registry).stop = true;
        self.shared.guard.trigger();
        if let Some(thread) = lock(&self.thread).take()
            // The last endpoint may go inside a call; then the thread ends after it.
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the session's thread panicked");
        }
    }
}

/// What is served in one round.
#[derive(Default)]
struct Round {
    subscriptions: Vec<Arc<Subscribed>>,
    servers: Vec<Arc<Served>>,
    clients: Vec<Arc<Asking>>,
    watchers: Vec<Arc<Watching>>,
}

impl Shared {
    fn spin(&self, mut set: WaitSet, node: &Node) {
        let mut buffer = Serialized::new();
        while self.round(&mut set, node, &mut buffer) {}
        let mut registry = lock(&self.registry);
        registry.ended = true;
        let (told, clients) = (mem::take(&mut registry.to_tell), mem::take(&mut registry.clients));
        drop(registry);
        tell(told);
        for client in clients.values() {
            let waiting = mem::take(&mut lock(&client.waiting).replies);
            waiting.into_values().for_each(|on_reply| on_reply(Err(CallError::Nobody)));
        }
    }

    /// One wait and what comes of it. False when it was the last.
    fn round(&self, set: &mut WaitSet, node: &Node, buffer: &mut Serialized) -> bool {
        let mut registry = lock(&self.registry);
        if registry.stop {
            return false;
        }
        let told = mem::take(&mut registry.to_tell);
        let round = Round {
            subscriptions: registry.subscriptions.values().cloned().collect(),
            servers: registry.servers.values().cloned().collect(),
            clients: registry.clients.values().cloned().collect(),
            watchers: registry.watchers.values().cloned().collect(),
        };
        drop(registry);
        if !told.is_empty() {
            tell(told);
            return true;
        }
        let waited = Waited {
            guard: &self.guard,
            graph_of: node,
            subscriptions: round.subscriptions.iter().map(|one| &one.subscription).collect(),
            servers: round.servers.iter().map(|one| &one.server).collect(),
            clients: round.clients.iter().map(|one| &one.client).collect(),
        };
        let alone = round.clients.iter().any(|client| lock(&client.waiting).alone_since.is_some());
        match set.wait(&waited, alone.then_some(LAST_WORDS)) {
            Ok(ready) => {
                round.serve(&ready, buffer);
                if ready.graph || alone {
                    round.give_up_on_the_gone();
                }
                if ready.graph {
                    round.tell_of_changes();
                }
                true
            }
            Err(error) => {
                // Nothing can be taken any more; who calls hears that the session is closed.
                tracing::error!(%error, "the session's thread cannot wait");
                false
            }
        }
    }
}

fn tell(whom: Vec<(OnReply, CallError)>) {
    whom.into_iter().for_each(|(on_reply, why)| on_reply(Err(why)));
}

impl Round {
    fn serve(&self, ready: &Ready, buffer: &mut Serialized) {
        for &place in &ready.subscriptions {
            self.subscriptions[place].serve(buffer);
        }
        for &place in &ready.servers {
            self.servers[place].serve(buffer);
        }
        for &place in &ready.clients {
            self.clients[place].serve(buffer);
        }
    }

    fn tell_of_changes(&self) {
        for watcher in &self.watchers {
            if let Some(on_change) = &mut *lock(&watcher.on_change) {
                on_change();
            }
        }
    }

    fn give_up_on_the_gone(&self) {
        for client in &self.clients {
            for on_reply in client.given_up() {
                on_reply(Err(CallError::Nobody));
            }
        }
    }
}

/// Takes until there is nothing, or often enough; `take` says whether there was something.
fn take_some(what: &str, mut take: impl FnMut() -> Result<bool, RclError>) {
    for _ in 0..AT_ONCE {
        match take() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // One that cannot be read is gone; the next may be sound.
                tracing::warn!(%error, "{what} cannot be taken");
            }
        }
    }
}

impl Subscribed {
    fn serve(&self, buffer: &mut Serialized) {
        take_some("a message", || {
            // For each message anew, so that who drops it does not wait for all of them.
            let mut on_message = lock(&self.on_message);
            let Some(on_message) = on_message.as_mut() else { return Ok(false) };
            let Some(origin) = self.subscription.take(buffer)? else { return Ok(false) };
            on_message(buffer.bytes(), &meta(origin.source_ns, origin.sequence, origin.gid));
            Ok(true)
        });
    }
}

impl Served {
    fn serve(self: &Arc<Self>, buffer: &mut Serialized) {
        let mut first = true;
        take_some("a request", || {
            let mut on_request = lock(&self.on_request);
            let Some(on_request) = on_request.as_mut() else { return Ok(false) };
            let taken = self.server.take(buffer);
            let first = mem::take(&mut first);
            let (id, origin) = match taken {
                Ok(Some(taken)) => taken,
                Ok(None) if !first => return Ok(false),
                // Fast DDS says that one is there, and then of one that its type support cannot read that there is none.
                none => {
                    // It is gone, and with it who asked; the next may be sound.
                    let error =
                        none.err().map_or_else(|| "the RMW cannot read it".to_owned(), |error| error.text);
                    tracing::warn!(error, service = self.name, "a request cannot be read");
                    on_request(&[], &meta(0, 0, [0; 16]), Respond::to_nobody());
                    return Ok(true);
                }
            };
            // An answer that comes later must not keep a server that was dropped.
            let served = Arc::downgrade(self);
            let respond = Respond::new(move |answer| match served.upgrade() {
                Some(served) => served.answer(id, answer),
                None => tracing::debug!("an answer after its server's end"),
            });
            on_request(buffer.bytes(), &meta(origin.source_ns, origin.sequence, origin.gid), respond);
            Ok(true)
        });
    }

    fn answer(&self, id: RequestId, answer: Result<Vec<u8>, String>) {
        let sent = match answer {
            Ok(cdr) => self.server.answer(id, &cdr).map_err(|error| error.text),
            // ROS 2 has no way to say it to who asks.
            Err(why) => Err(why),
        };
        if let Err(why) = sent {
            tracing::warn!(service = self.name, why, "a request stays without an answer");
        }
    }
}

impl Asking {
    fn serve(&self, buffer: &mut Serialized) {
        take_some("an answer", || {
            // Under the lock: who asks puts its request's number in under it.
            let mut waiting = lock(&self.waiting);
            let Some(number) = self.client.take(buffer)? else { return Ok(false) };
            let on_reply = waiting.replies.remove(&number);
            drop(waiting);
            if let Some(on_reply) = on_reply {
                on_reply(Ok(buffer.bytes()));
            }
            Ok(true)
        });
    }

    /// Those who wait although no server has been there for [`LAST_WORDS`].
    #[expect(clippy::disallowed_methods, reason = "an edge: how long an answer is still waited for")]
    fn given_up(&self) -> Vec<OnReply> {
        let mut waiting = lock(&self.waiting);
        // An error is told to who looks; here it is no sign that the server went.
        let alone = !waiting.replies.is_empty() && matches!(self.client.is_served(), Ok(false));
        if !alone {
            waiting.alone_since = None;
            return Vec::new();
        }
        let now = Instant::now();
        if now.duration_since(*waiting.alone_since.get_or_insert(now)) < LAST_WORDS {
            return Vec::new();
        }
        waiting.alone_since = None;
        mem::take(&mut waiting.replies).into_values().collect()
    }
}

/// An RMW that knows no time or count gives 0 and the largest number: the epoch then, and -1.
fn meta(source_ns: i64, sequence: u64, gid: [u8; 16]) -> Meta {
    Meta {
        source_time: Time::from_nanos(u64::try_from(source_ns).unwrap_or(0)),
        sequence: sequence.cast_signed(),
        gid,
    }
}
