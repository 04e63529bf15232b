//! Services: a topic of requests and one of answers, as every ROS 2 on DDS has them. What tells requests apart goes beside the
//! message, as DDS-RPC 1.0 (7.8.2) and rmw_fastrtps have it; of and to rmw_cyclonedds before its body ([`wire::prefixed`]).
//!
//! A refusal reaches our own clients alone: ROS 2 has no word for it on DDS, so a stock client waits as it would at a stock server.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use troika_kit::{Qos, Time, TypeInfo};
use troika_transport::{CallError, Client, Meta, OnReply, OnRequest, Respond, Server, TransportError};

use crate::{
    endpoints::{Place, SameType, quality},
    ffi::{Beside, Guid, Reader, Sample, Seen, Writer},
    graph::End,
    inbox::{Bound, Event, Inbox, Queue},
    transport::{Presence, Shown, declare_error, lock},
    wire::{self, RequestId},
};

/// Reliable and volatile (rmw_qos_profile_services_default), but deeper: no request of a burst is to be lost.
const QOS: Qos = Qos { depth: 1000, ..Qos::DEFAULT };
const BOUND: Bound = Bound { depth: 1000, slack: true };
/// Answers to clients that are not wholly known yet, at most; then the oldest goes.
const ANSWERS_KEPT: usize = 100;
/// Who reads the answer, in a request: there is no count (DDSI-RTPS 2.5, SEQUENCENUMBER_UNKNOWN).
const NO_COUNT: i64 = -1 << 32;
/// What is sent where there is no body.
const EMPTY: &[u8] = &[0, 1, 0, 0];

/// A participant's part of a GUID: 12 bytes.
fn participant_of(guid: Guid) -> [u8; 12] {
    let mut prefix = [0; 12];
    prefix.copy_from_slice(&guid[..12]);
    prefix
}

/// The reader and writer of a server or a client.
struct Ends {
    reader: Place<Reader>,
    writer: Place<Writer>,
}

impl Ends {
    fn new() -> Ends {
        Ends { reader: Arc::default(), writer: Arc::default() }
    }

    /// Makes both, and shows them. The writer comes first: who finds the reader can count on it.
    fn make(
        &self,
        presence: &Arc<Presence>,
        service: &str,
        ty: TypeInfo,
        serves: bool,
        inbox: &Arc<Inbox>,
    ) -> Result<(Shown, Guid, Guid), TransportError> {
        let [request_type, reply_type] = wire::service_types(ty.name)
            .map_err(|error| declare_error(service, format!("'{}': {error}", ty.name)))?;
        let requests = (wire::request_topic(service), request_type);
        let replies = (wire::reply_topic(service), reply_type);
        let (read, written) = if serves { (requests, replies) } else { (replies, requests) };
        let user_data = wire::service_user_data(ty.hash);
        let quality = quality(QOS, &user_data);
        let participant = &presence.session.participant;
        let failed = |error| declare_error(service, error);
        let writer = participant.writer(&written.0, &written.1, &quality, inbox.clone()).map_err(failed)?;
        let (writer_guid, to) = (writer.guid, lock(&self.writer).insert(writer).guid);
        debug_assert_eq!(writer_guid, to);
        let reader = participant.reader(&read.0, &read.1, &quality, inbox.clone()).map_err(failed)?;
        let reader_guid = lock(&self.reader).insert(reader).guid;
        let hash = || ty.hash.to_owned();
        let shown = presence.show(vec![
            (writer_guid, End { topic: written.0, type_name: written.1, type_hash: hash(), writes: true }),
            (reader_guid, End { topic: read.0, type_name: read.1, type_hash: hash(), writes: false }),
        ]);
        Ok((shown, reader_guid, writer_guid))
    }

    /// Takes them off the network; waits for CycloneDDS's calls.
    fn remove(&self) {
        let (reader, writer) = (lock(&self.reader).take(), lock(&self.writer).take());
        drop((reader, writer));
    }

    fn handles(&self) -> Ends {
        Ends { reader: self.reader.clone(), writer: self.writer.clone() }
    }
}

/// A service that is served.
pub(crate) struct DdsServer {
    shown: Option<Shown>,
    ends: Ends,
    inbox: Arc<Inbox>,
}

impl DdsServer {
    pub(crate) fn new(
        presence: &Arc<Presence>,
        service: &str,
        ty: TypeInfo,
        on_request: OnRequest,
    ) -> Result<DdsServer, TransportError> {
        let ends = Ends::new();
        let same = SameType::new(ty.hash, wire::service_hash_of, ends.reader.clone());
        let answers = Arc::new(Answers { writer: ends.writer.clone(), waiting: Mutex::default() });
        let mut serving = Serving { on_request, same, answers };
        let handler = move |event: Event<'_>| match event {
            Event::Message(request) => serving.answer(request),
            Event::Matched => serving.answers.send_waiting(),
        };
        let inbox = Inbox::new(presence.session.queue(), BOUND, Box::new(handler));
        let (shown, ..) = ends.make(presence, service, ty, true, &inbox)?;
        Ok(DdsServer { shown: Some(shown), ends, inbox })
    }
}

impl Server for DdsServer {}

impl Drop for DdsServer {
    /// Waits for a call that is under way, unless it is made in one.
    fn drop(&mut self) {
        drop(self.shown.take());
        // First nobody asks any more, then the answer of a call that is under way leaves.
        let reader = lock(&self.ends.reader).take();
        drop(reader);
        self.inbox.close();
        self.ends.remove();
    }
}

/// An answer on its way.
struct Answer {
    to: Asker,
    cdr: Vec<u8>,
    refusal: Option<String>,
}

/// Who asked, and what.
#[derive(Debug, Clone, Copy)]
struct Asker {
    /// Its request's writer.
    client: Guid,
    /// Who reads the answer, when the request said so.
    reader: Option<Guid>,
    request: Request,
}

#[derive(Debug, Clone, Copy)]
enum Request {
    /// Told beside the message.
    Beside { sequence: i64, takes_refusals: bool },
    /// Told before its body, as rmw_cyclonedds does.
    Before(RequestId),
}

struct Serving {
    on_request: OnRequest,
    same: SameType,
    answers: Arc<Answers>,
}

impl Serving {
    fn answer(&mut self, request: &Sample) {
        let client = request.writer();
        if !self.same.of(client) {
            return;
        }
        let unprefixed;
        let (to, cdr, sequence) = if let Some((reader, _)) = request.related() {
            let reader = Some(reader).filter(|reader| *reader != [0; 16]);
            let (sequence, takes_refusals) = (request.sequence(), request.refusal().is_some());
            let request_id = Request::Beside { sequence, takes_refusals };
            (Asker { client, reader, request: request_id }, request.bytes(), sequence)
        } else if let Some((id, cdr)) = wire::unprefixed(request.bytes()) {
            unprefixed = cdr;
            (Asker { client, reader: None, request: Request::Before(id) }, &unprefixed[..], id.sequence)
        } else {
            tracing::warn!("a request that says in no known way which it is");
            let meta = Meta { source_time: request.source_time(), sequence: request.sequence(), gid: client };
            (self.on_request)(&[], &meta, Respond::to_nobody());
            return;
        };
        let answers = self.answers.clone();
        let respond = Respond::new(move |answer| answers.give(to, answer));
        let meta = Meta { source_time: request.source_time(), sequence, gid: client };
        (self.on_request)(cdr, &meta, respond);
    }
}

/// Where answers leave, from any thread.
struct Answers {
    writer: Place<Writer>,
    /// Those whose reader is not found yet: a client finds a server, and asks, sooner than the server finds all of the client.
    waiting: Mutex<VecDeque<Answer>>,
}

impl Answers {
    fn give(&self, to: Asker, answer: Result<Vec<u8>, String>) {
        let answer = match (answer, to.request) {
            (Ok(cdr), Request::Beside { .. }) => Answer { to, cdr, refusal: None },
            (Ok(cdr), Request::Before(id)) => Answer { to, cdr: wire::prefixed(&cdr, id), refusal: None },
            (Err(why), Request::Beside { takes_refusals: true, .. }) => {
                Answer { to, cdr: EMPTY.to_vec(), refusal: Some(why) }
            }
            (Err(why), _) => {
                tracing::warn!(
                    why,
                    "a request has no answer, and ROS 2 has no word to tell its client on DDS"
                );
                return;
            }
        };
        let mut waiting = lock(&self.waiting);
        waiting.push_back(answer);
        while waiting.len() > ANSWERS_KEPT {
            waiting.pop_front();
            tracing::warn!("an answer is given up: its client was never found");
        }
        drop(waiting);
        self.send_waiting();
    }

    /// Sends those whose reader is found; CycloneDDS then keeps them until it has them.
    fn send_waiting(&self) {
        let mut waiting = lock(&self.waiting);
        if waiting.is_empty() {
            return;
        }
        let mut writer = lock(&self.writer);
        let Some(writer) = writer.as_mut() else { return };
        let mut readers = BTreeSet::new();
        let looked = writer.matched(|seen| {
            readers.insert(seen.guid);
        });
        if let Err(error) = looked {
            tracing::debug!(%error, "who reads answers");
            return;
        }
        let found = |to: &Asker| match &to.reader {
            Some(reader) => readers.contains(reader),
            // rmw_cyclonedds does not name its reader: one of its participant is taken for it.
            None => readers.iter().any(|reader| participant_of(*reader) == participant_of(to.client)),
        };
        waiting.retain(|answer| {
            if !found(&answer.to) {
                return true;
            }
            let related = match answer.to.request {
                Request::Beside { sequence, .. } => Some((answer.to.client, sequence)),
                Request::Before(_) => None,
            };
            let beside = Beside { related, refusal: answer.refusal.as_deref() };
            if let Err(error) = writer.write(&answer.cdr, None, beside) {
                tracing::debug!(%error, "an answer did not leave");
            }
            false
        });
    }
}

/// A server as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// The writer of its answers: a server that comes back in the same participant has another.
    answers: Guid,
    /// It tells requests apart as rmw_cyclonedds does.
    prefixes: bool,
}

/// The servers of this type of which both ends are matched.
fn servers(hash: &str, ends: &Ends) -> Vec<Found> {
    let fits = |seen: &Seen<'_>| {
        let theirs = wire::service_hash_of(seen.user_data);
        hash.is_empty() || theirs.is_empty() || theirs == hash
    };
    // By participant, and whether it tells requests apart as rmw_cyclonedds does.
    let mut asked: BTreeMap<[u8; 12], bool> = BTreeMap::new();
    if let Some(writer) = &*lock(&ends.writer) {
        let looked = writer.matched(|seen| {
            if fits(&seen) {
                asked.insert(participant_of(seen.guid), wire::is_of_rmw_cyclonedds(seen.user_data));
            }
        });
        drop(looked);
    }
    let mut found = Vec::new();
    if let Some(reader) = &*lock(&ends.reader) {
        let looked = reader.matched(|seen| {
            if fits(&seen)
                && let Some(prefixes) = asked.get(&participant_of(seen.guid))
            {
                found.push(Found { answers: seen.guid, prefixes: *prefixes });
            }
        });
        drop(looked);
    }
    found
}

/// Who waits for an answer.
struct Call {
    on_reply: OnReply,
    /// Those that were asked and are still there, by the writers of their answers.
    servers: Vec<Guid>,
}

type Calls = Arc<Mutex<BTreeMap<i64, Call>>>;

/// A client of a service.
pub(crate) struct DdsClient {
    shown: Option<Shown>,
    ends: Ends,
    inbox: Arc<Inbox>,
    calls: Calls,
    queue: Arc<Queue>,
    hash: &'static str,
    reader: Guid,
}

impl DdsClient {
    pub(crate) fn new(
        presence: &Arc<Presence>,
        service: &str,
        ty: TypeInfo,
    ) -> Result<DdsClient, TransportError> {
        let (ends, calls) = (Ends::new(), Calls::default());
        let mut asking = Asking { ends: ends.handles(), calls: calls.clone(), hash: ty.hash, ids: None };
        let handler = move |event: Event<'_>| match event {
            Event::Message(reply) => asking.take(reply),
            Event::Matched => asking.look(),
        };
        let inbox = Inbox::new(presence.session.queue(), BOUND, Box::new(handler));
        let (shown, reader, _) = ends.make(presence, service, ty, false, &inbox)?;
        let queue = presence.session.queue().clone();
        Ok(DdsClient { shown: Some(shown), ends, inbox, calls, queue, hash: ty.hash, reader })
    }
}

impl Client for DdsClient {
    fn call(&mut self, cdr: &[u8], stamp: Time, on_reply: OnReply) -> Result<(), TransportError> {
        let servers = servers(self.hash, &self.ends);
        if servers.is_empty() {
            self.queue.once(|| on_reply(Err(CallError::Nobody)));
            return Ok(());
        }
        let prefixes = servers.iter().all(|server| server.prefixes);
        let asked = servers.iter().filter(|server| server.prefixes == prefixes);
        let call = Call { on_reply, servers: asked.map(|server| server.answers).collect() };
        let mut writer = lock(&self.ends.writer);
        let writer = writer.as_mut().ok_or(TransportError::Closed)?;
        let sequence = writer.next_sequence();
        // Before it leaves: the answer may be there before `write` returns.
        lock(&self.calls).insert(sequence, call);
        let sent = if prefixes {
            let id = RequestId { client: writer.handle, sequence };
            writer.write(&wire::prefixed(cdr, id), Some(stamp), Beside::default())
        } else {
            let beside = Beside { related: Some((self.reader, NO_COUNT)), refusal: Some("") };
            writer.write(cdr, Some(stamp), beside)
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a request did not leave");
            lock(&self.calls).remove(&sequence);
            return Err(TransportError::Closed);
        }
        // A server that went meanwhile.
        self.inbox.poke();
        Ok(())
    }

    fn is_served(&self) -> Result<bool, TransportError> {
        Ok(!servers(self.hash, &self.ends).is_empty())
    }
}

impl Drop for DdsClient {
    fn drop(&mut self) {
        drop(self.shown.take());
        self.ends.remove();
        self.inbox.close();
        for call in std::mem::take(&mut *lock(&self.calls)).into_values() {
            self.queue.once(|| (call.on_reply)(Err(CallError::Nobody)));
        }
    }
}

struct Asking {
    ends: Ends,
    calls: Calls,
    hash: &'static str,
    /// The client's own ids, known once it is made: its writer's and its reader's GUID, and CycloneDDS's number of the writer.
    ids: Option<(Guid, Guid, u64)>,
}

impl Asking {
    fn ids(&mut self) -> Option<(Guid, Guid, u64)> {
        if self.ids.is_none() {
            let (writer, reader) = (lock(&self.ends.writer), lock(&self.ends.reader));
            self.ids = writer.as_ref().zip(reader.as_ref()).map(|(w, r)| (w.guid, r.guid, w.handle));
        }
        self.ids
    }

    fn take(&mut self, reply: &Sample) {
        let Some((writer, reader, handle)) = self.ids() else { return };
        let whole;
        let (sequence, cdr) = if let Some((to, sequence)) = reply.related() {
            if to != writer && to != reader {
                return;
            }
            (sequence, reply.bytes())
        } else {
            let Some((id, cdr)) = wire::unprefixed(reply.bytes()) else { return };
            if id.client != handle {
                return;
            }
            whole = cdr;
            (id.sequence, whole.as_slice())
        };
        // The first answer alone; a call inside it may come back here.
        let Some(call) = lock(&self.calls).remove(&sequence) else { return };
        match reply.refusal() {
            Some(why) => (call.on_reply)(Err(CallError::Refused(why))),
            None => (call.on_reply)(Ok(cdr)),
        }
    }

    /// Tells those whose servers are all gone.
    fn look(&mut self) {
        if lock(&self.calls).is_empty() {
            return;
        }
        let there = servers(self.hash, &self.ends);
        let mut calls = lock(&self.calls);
        calls.values_mut().for_each(|call| {
            call.servers.retain(|one| there.iter().any(|server| server.answers == *one));
        });
        let lost: Vec<Call> =
            calls.extract_if(.., |_, call| call.servers.is_empty()).map(|(_, call)| call).collect();
        drop(calls);
        for call in lost {
            (call.on_reply)(Err(CallError::Nobody));
        }
    }
}
