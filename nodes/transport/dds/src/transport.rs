//! The session behind [`troika_transport::Transport`].

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc::channel},
    time::Duration,
};

use troika_kit::{Qos, TypeInfo};
use troika_transport::{
    Client, Graph, NodeHandle, OnGraph, OnMessage, OnRequest, Publisher, Server, Subscription, Transport,
    TransportError, Watchers,
};

use crate::{
    endpoints::{DdsPublisher, DdsSubscription, quality},
    ffi::{
        Beside, Builtin, Deaf, Discovery, Domain, Error, Guid, Listen, Participant, Quality, Reader, Writer,
    },
    graph::{End, Known},
    inbox::{self, Bound, Dispatcher, Event, Inbox, Queue},
    options::{DdsOptions, DiscoveryRange},
    raw::{self, OnRawMessage},
    services::{DdsClient, DdsServer},
    wire::{self, ParticipantEntities},
};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A DDS participant as a transport. Dropping it, and all nodes and endpoints made from it, takes it off the network.
pub struct DdsTransport {
    session: Arc<Session>,
}

/// The numbers by which CycloneDDS tells the domains of this process apart, those in use. The first session of a ROS domain has
/// that domain's number, so that a `<Domain Id="…">` in the user's configuration finds it; others have one beyond the domains, and so
/// are strangers that speak over the network, as if each were a process.
static NUMBERS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Beyond every ROS domain.
const FIRST_SPARE: u32 = 1000;

/// A number in use; free again when it is dropped.
struct Number(u32);

impl Number {
    fn take(domain: u32) -> Number {
        let mut numbers = lock(&NUMBERS);
        let mut number = domain;
        let mut spare = FIRST_SPARE..;
        while !numbers.insert(number) {
            number = spare.next().unwrap_or(FIRST_SPARE);
        }
        Number(number)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        lock(&NUMBERS).remove(&self.0);
    }
}

/// What nodes and endpoints hold on to. Fields are dropped in their order: readers and writers, then the participant, then its
/// domain, then the thread that they told.
pub(crate) struct Session {
    told: OnceLock<Told>,
    pub(crate) participant: Participant,
    _domain: Domain,
    dispatcher: Dispatcher,
    _number: Number,
    known: Arc<Mutex<Known>>,
    pub(crate) watchers: Watchers,
    domain: u32,
}

/// How a participant tells of its nodes (rmw_cyclonedds's `init` of its context).
const TOLD: Qos = Qos { transient_local: true, depth: 1, ..Qos::DEFAULT };

/// Who looks for others and tells of this session's nodes.
struct Told {
    entities: Mutex<Writer>,
    _heard: Reader,
    _discovery: [Arc<Discovery>; 3],
    inboxes: [Arc<Inbox>; 2],
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(told) = self.told.get() {
            told.inboxes.iter().for_each(|inbox| inbox.close());
        }
    }
}

/// When nobody has shown for so long, those that are there are known.
const QUIET: Duration = Duration::from_millis(250);
/// Looks at most, each as long as [`QUIET`] or shorter.
const LOOKS: usize = 8;

impl DdsTransport {
    /// Opens a session, and waits a moment for those that are there: a quarter of a second after the last one showed, two seconds at
    /// most. Who finds our publisher or service before we have found who asks for it loses what is said first: DDS has no handshake.
    /// Others are found while it lives.
    ///
    /// # Errors
    /// What CycloneDDS says, for example of a configuration that it cannot read, or that a machine has no more places for participants.
    pub fn open(options: DdsOptions) -> Result<DdsTransport, TransportError> {
        let session = Session::open(&options).map_err(|error| TransportError::Open {
            transport: "dds",
            reason: format!(
                "{error} (domain {}; CYCLONEDDS_URI='{}'; CycloneDDS may have said more above)",
                options.domain, options.uri
            ),
        })?;
        let transport = DdsTransport { session };
        if options.range != DiscoveryRange::Off {
            transport.settle()?;
        }
        Ok(transport)
    }

    fn settle(&self) -> Result<(), TransportError> {
        let (sender, changes) = channel();
        let _watch = self.watch_graph(Box::new(move || {
            // Nobody waits any more.
            let _ = sender.send(());
        }))?;
        for _ in 0..LOOKS {
            if changes.recv_timeout(QUIET).is_err() {
                break;
            }
            while changes.try_recv().is_ok() {}
        }
        Ok(())
    }

    /// Subscribes to a topic whatever its type and hash are, without showing as a node's: for tools that look.
    ///
    /// # Errors
    /// The name is none.
    pub fn subscribe_raw(
        &self,
        topic: &str,
        on_message: OnRawMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        raw::subscribe(&self.session, topic, on_message)
    }

    /// The ROS domain that it is in.
    pub fn domain(&self) -> u32 {
        self.session.domain
    }
}

impl Session {
    fn open(options: &DdsOptions) -> Result<Arc<Session>, Error> {
        let dispatcher = Dispatcher::start().map_err(|error| Error::of(&error))?;
        let number = Number::take(options.domain);
        let domain = Domain::open(number.0, &options.config(number.0))?;
        let participant = Participant::new(number.0, &wire::participant_user_data())?;
        let known = Arc::new(Mutex::new(Known::of(participant.guid()?)));
        let session = Session {
            told: OnceLock::new(),
            participant,
            _domain: domain,
            dispatcher,
            _number: number,
            known,
            watchers: Watchers::default(),
            domain: options.domain,
        };
        let told = session.listen()?;
        drop(session.told.set(told));
        Ok(Arc::new(session))
    }

    /// Reads what discovery and other participants tell, and makes the writer that tells of this one.
    fn listen(&self) -> Result<Told, Error> {
        let (known, watchers) = (self.known.clone(), self.watchers.clone());
        let readers: Arc<OnceLock<[Arc<Discovery>; 3]>> = Arc::default();
        let seen = readers.clone();
        let discovered = Inbox::new(
            self.queue(),
            Bound { depth: 0, slack: false },
            Box::new(move |_| {
                for reader in seen.get().into_iter().flatten() {
                    let taken = reader.take(|one| lock(&known).see(reader.which, &one));
                    if let Err(error) = taken {
                        tracing::debug!(%error, "reading what DDS discovered");
                    }
                }
                watchers.tell();
            }),
        );
        let make = |which| -> Result<Arc<Discovery>, Error> {
            let look = Arc::new(Look(discovered.clone()));
            Ok(Arc::new(self.participant.discovery(which, look)?))
        };
        let discovery = [make(Builtin::Participants)?, make(Builtin::Writers)?, make(Builtin::Readers)?];
        drop(readers.set(discovery.clone()));
        discovered.poke();

        let (known, watchers) = (self.known.clone(), self.watchers.clone());
        let heard = Inbox::new(
            self.queue(),
            Bound { depth: usize::MAX, slack: true },
            Box::new(move |event| {
                let Event::Message(sample) = event else { return };
                match ParticipantEntities::decode(sample.bytes()) {
                    Ok(told) => {
                        lock(&known).hear(told);
                        watchers.tell();
                    }
                    Err(error) => tracing::debug!(%error, "a participant's word on its nodes"),
                }
            }),
        );
        let quality = Quality { depth: 0, ignore_own: true, ..quality(TOLD, &[]) };
        let reader =
            self.participant.reader(wire::ENTITIES_TOPIC, wire::ENTITIES_TYPE, &quality, heard.clone())?;
        let quality = Quality { depth: 1, ..quality };
        let writer =
            self.participant.writer(wire::ENTITIES_TOPIC, wire::ENTITIES_TYPE, &quality, Arc::new(Deaf))?;
        Ok(Told {
            entities: Mutex::new(writer),
            _heard: reader,
            _discovery: discovery,
            inboxes: [discovered, heard],
        })
    }

    /// DDS's names of the types that are written on a DDS topic, by others or here.
    pub(crate) fn types_on(&self, topic: &str) -> BTreeSet<String> {
        lock(&self.known).types_on(topic)
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.dispatcher.queue
    }

    /// Changes what this session has, and tells the others.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        // The writer is locked first: what is told last is the last.
        let mut entities = self.told.get().map(|told| lock(&told.entities));
        let mut known = lock(&self.known);
        let changed = change(&mut known);
        let told = known.own_entities().encode();
        drop(known);
        if let Some(writer) = &mut entities
            && let Err(error) = writer.write(&told, None, Beside::default())
        {
            tracing::warn!(%error, "the others are not told of this session's nodes");
        }
        drop(entities);
        self.watchers.tell();
        changed
    }
}

/// Wakes the inbox that reads discovery.
struct Look(Arc<Inbox>);

impl Listen for Look {
    fn on_data(&self, _: crate::ffi::Reading) {
        self.0.poke();
    }
}

impl Transport for DdsTransport {
    fn kind(&self) -> &'static str {
        "dds"
    }

    /// Ours, and those of CycloneDDS that messages come and go on.
    fn threads(&self) -> &'static [&'static str] {
        &[inbox::THREAD, "recv", "dq.user", "tev"]
    }

    fn node(&self, namespace: &str, name: &str) -> Result<Box<dyn NodeHandle>, TransportError> {
        wire::check_namespace(namespace).map_err(|_| TransportError::Name(namespace.to_owned()))?;
        wire::check_node_name(name).map_err(|_| TransportError::Name(name.to_owned()))?;
        let id = self.session.change(|known| known.add_node(namespace, name));
        Ok(Box::new(Node { presence: Arc::new(Presence { id, session: self.session.clone() }) }))
    }

    fn graph(&self) -> Result<Graph, TransportError> {
        Ok(lock(&self.session.known).graph())
    }

    fn watch_graph(&self, on_change: OnGraph) -> Result<Box<dyn Subscription>, TransportError> {
        Ok(self.session.watchers.add(on_change))
    }
}

/// A node on the graph; off it when the last that holds it is dropped.
pub(crate) struct Presence {
    id: u64,
    pub(crate) session: Arc<Session>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.session.change(|known| known.remove_node(self.id));
    }
}

impl Presence {
    /// Shows an endpoint on the graph, for as long as what is returned lives.
    pub(crate) fn show(self: &Arc<Self>, ends: Vec<(Guid, End)>) -> Shown {
        let guids = ends.iter().map(|(guid, _)| *guid).collect();
        self.session.change(|known| {
            for (guid, end) in ends {
                known.add_end(self.id, guid, end);
            }
        });
        Shown { guids, presence: self.clone() }
    }
}

/// Endpoints on the graph.
pub(crate) struct Shown {
    guids: Vec<Guid>,
    presence: Arc<Presence>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        let presence = &self.presence;
        presence.session.change(|known| {
            for guid in &self.guids {
                known.remove_end(presence.id, *guid);
            }
        });
    }
}

struct Node {
    presence: Arc<Presence>,
}

pub(crate) fn declare_error(what: &str, reason: impl ToString) -> TransportError {
    TransportError::Declare { what: what.to_owned(), reason: reason.to_string() }
}

/// Checks a topic's or service's name.
fn checked(name: &str) -> Result<(), TransportError> {
    wire::check_topic(name).map_err(|_| TransportError::Name(name.to_owned()))
}

impl NodeHandle for Node {
    fn publisher(&self, topic: &str, ty: TypeInfo, qos: Qos) -> Result<Box<dyn Publisher>, TransportError> {
        checked(topic)?;
        Ok(Box::new(DdsPublisher::new(&self.presence, topic, ty, qos)?))
    }

    fn subscribe(
        &self,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        on_message: OnMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        checked(topic)?;
        Ok(Box::new(DdsSubscription::new(&self.presence, topic, ty, qos, on_message)?))
    }

    fn serve(
        &self,
        service: &str,
        ty: TypeInfo,
        on_request: OnRequest,
    ) -> Result<Box<dyn Server>, TransportError> {
        checked(service)?;
        Ok(Box::new(DdsServer::new(&self.presence, service, ty, on_request)?))
    }

    fn client(&self, service: &str, ty: TypeInfo) -> Result<Box<dyn Client>, TransportError> {
        checked(service)?;
        Ok(Box::new(DdsClient::new(&self.presence, service, ty)?))
    }
}
