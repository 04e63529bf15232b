//! Services, as rmw_zenoh has them: a server is a complete queryable on the service's key, a request a query to all complete ones,
//! and each carries the client's sequence and id, which the answer gives back.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use troika_kit::Time;
use troika_transport::{CallError, Client, Meta, OnReply, OnRequest, Respond, Server, TransportError};
use zenoh::{
    Session, Wait,
    bytes::Encoding,
    liveliness::LivelinessToken,
    matching::{MatchingListener, MatchingStatus},
    query::{ConsolidationMode, Querier, Query, QueryTarget, Queryable, Reply},
};

use crate::{
    endpoints::{Joined, meta_of},
    transport::Shared,
    wire::{Attachment, Gid},
};

/// A request is answered when it is: who waits says for how long. A server that goes ends it.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A declared server.
pub(crate) struct ZenohServer {
    token: Option<LivelinessToken>,
    queryable: Option<Queryable<()>>,
    _shared: Arc<Shared>,
}

impl ZenohServer {
    pub(crate) fn declare(
        session: &Session,
        key: &str,
        on_request: OnRequest,
    ) -> zenoh::Result<Queryable<()>> {
        let state = Mutex::new(Answering { on_request, joined: Joined::default(), session: session.clone() });
        session
            .declare_queryable(key.to_owned())
            .complete(true)
            .callback(move |query| state.lock().unwrap_or_else(PoisonError::into_inner).answer(query))
            .wait()
    }

    pub(crate) fn announced(
        queryable: Queryable<()>,
        token: LivelinessToken,
        shared: Arc<Shared>,
    ) -> ZenohServer {
        ZenohServer { token: Some(token), queryable: Some(queryable), _shared: shared }
    }
}

struct Answering {
    on_request: OnRequest,
    joined: Joined,
    session: Session,
}

impl Answering {
    fn answer(&mut self, query: Query) {
        let (Some(meta), Some(request)) = (query.attachment().and_then(meta_of), query.payload()) else {
            // ROS clients always attach; without it, an answer could not be told apart from another.
            tracing::warn!(key = %query.key_expr(), "a request that is none of ROS");
            let nobody = Meta { source_time: Time::ZERO, sequence: 0, gid: [0; 16] };
            let respond =
                Respond::new(move |_| refuse(&query, "a request carries its CDR and a ROS attachment"));
            (self.on_request)(&[], &nobody, respond);
            return;
        };
        let (asked, session) = (query.clone(), self.session.clone());
        let respond = Respond::new(move |answer| match answer {
            Ok(answer) => give(&asked, answer, &meta, &session),
            Err(why) => refuse(&asked, &why),
        });
        (self.on_request)(self.joined.whole(request), &meta, respond);
    }
}

fn give(query: &Query, answer: Vec<u8>, meta: &Meta, session: &Session) {
    let now = session.new_timestamp().get_time().to_duration();
    let attachment = Attachment {
        sequence: meta.sequence,
        source_time_ns: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
        gid: meta.gid,
    };
    let reply = query
        .reply(query.key_expr().clone(), answer)
        .encoding(Encoding::APPLICATION_CDR)
        .attachment(attachment.encode())
        .wait();
    if let Err(error) = reply {
        tracing::debug!(%error, key = %query.key_expr(), "an answer did not leave");
    }
}

fn refuse(query: &Query, why: &str) {
    if let Err(error) = query.reply_err(why).wait() {
        tracing::debug!(%error, key = %query.key_expr(), "a refusal did not leave");
    }
}

impl Server for ZenohServer {}

impl Drop for ZenohServer {
    /// Waits for a call that is under way; so never drop a server inside its own call.
    fn drop(&mut self) {
        drop(self.token.take());
        if let Some(queryable) = self.queryable.take()
            && let Err(error) = queryable.undeclare().wait_callbacks().wait()
        {
            tracing::debug!(%error, "undeclaring a service");
        }
    }
}

/// A declared client. Fields are dropped in their order: the token first.
pub(crate) struct ZenohClient {
    _token: LivelinessToken,
    waiting: Arc<Waiting>,
    _listener: MatchingListener<()>,
    querier: Querier<'static>,
    sequence: i64,
    gid: Gid,
    _shared: Arc<Shared>,
}

impl ZenohClient {
    pub(crate) fn declare(session: &Session, key: String) -> zenoh::Result<Querier<'static>> {
        session
            .declare_querier(key)
            .target(QueryTarget::AllComplete)
            .consolidation(ConsolidationMode::None)
            .timeout(FOREVER)
            .wait()
    }

    pub(crate) fn announced(
        querier: Querier<'static>,
        gid: Gid,
        token: LivelinessToken,
        shared: Arc<Shared>,
    ) -> zenoh::Result<ZenohClient> {
        let waiting = Arc::new(Waiting::default());
        let told = waiting.clone();
        // A request that meets its server on the way out is lost, and zenoh does not tell.
        let gone = move |status: MatchingStatus| {
            if !status.matching() {
                told.give_up();
            }
        };
        let listener = querier.matching_listener().callback(gone).wait()?;
        Ok(ZenohClient {
            _token: token,
            waiting,
            _listener: listener,
            querier,
            sequence: 0,
            gid,
            _shared: shared,
        })
    }
}

impl Client for ZenohClient {
    fn call(&mut self, cdr: &[u8], stamp: Time, on_reply: OnReply) -> Result<(), TransportError> {
        self.sequence += 1;
        let source_time_ns = i64::try_from(stamp.as_nanos()).unwrap_or(i64::MAX);
        let attachment = Attachment { sequence: self.sequence, source_time_ns, gid: self.gid };
        self.waiting.enter(self.sequence, on_reply);
        let one = One { waiting: self.waiting.clone(), sequence: self.sequence };
        self.querier
            .get()
            .payload(cdr)
            .encoding(Encoding::APPLICATION_CDR)
            .attachment(attachment.encode())
            .callback(move |reply| one.take(&reply))
            .wait()
            .map_err(|_| TransportError::Closed)
    }

    fn is_served(&self) -> Result<bool, TransportError> {
        self.querier
            .matching_status()
            .wait()
            .map(|status| status.matching())
            .map_err(|_| TransportError::Closed)
    }
}

/// Who waits for answers, by the sequence of the request.
#[derive(Default)]
struct Waiting(Mutex<HashMap<i64, OnReply>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, OnReply>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, sequence: i64, on_reply: OnReply) {
        self.lock().insert(sequence, on_reply);
    }

    fn give(&self, sequence: i64, answer: Result<&[u8], CallError>) {
        let first = self.lock().remove(&sequence);
        if let Some(on_reply) = first {
            on_reply(answer);
        }
    }

    /// Nobody is there any more.
    fn give_up(&self) {
        let all = mem::take(&mut *self.lock());
        for on_reply in all.into_values() {
            on_reply(Err(CallError::Nobody));
        }
    }
}

/// One request. zenoh drops it when no more answers can come.
struct One {
    waiting: Arc<Waiting>,
    sequence: i64,
}

impl One {
    fn take(&self, reply: &Reply) {
        match reply.result() {
            Ok(sample) => self.waiting.give(self.sequence, Ok(&sample.payload().to_bytes())),
            Err(error) => {
                let why = error.payload().try_to_string().map_or_else(|_| "no reason".to_owned(), Into::into);
                self.waiting.give(self.sequence, Err(CallError::Refused(why)));
            }
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.waiting.give(self.sequence, Err(CallError::Nobody));
    }
}
