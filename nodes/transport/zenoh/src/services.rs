//! Services, as rmw_zenoh has them: a server is a complete queryable on the service's key, a request a query to all complete ones,
//! and each carries the client's sequence and id, which the answer gives back.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use troika_kit::Time;
use troika_transport::{CallError, Client, Meta, OnReply, OnRequest, Respond, Server, TransportError};
use zenoh::{
    Session, Wait,
    bytes::Encoding,
    liveliness::LivelinessToken,
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
            refuse(&query, "a request carries its CDR and a ROS attachment");
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
    ) -> ZenohClient {
        ZenohClient { _token: token, querier, sequence: 0, gid, _shared: shared }
    }
}

impl Client for ZenohClient {
    fn call(&mut self, cdr: &[u8], stamp: Time, on_reply: OnReply) -> Result<(), TransportError> {
        self.sequence += 1;
        let source_time_ns = i64::try_from(stamp.as_nanos()).unwrap_or(i64::MAX);
        let attachment = Attachment { sequence: self.sequence, source_time_ns, gid: self.gid };
        let waiting = Waiting(Mutex::new(Some(on_reply)));
        self.querier
            .get()
            .payload(cdr)
            .encoding(Encoding::APPLICATION_CDR)
            .attachment(attachment.encode())
            .callback(move |reply| waiting.take(&reply))
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

/// Who waits for an answer. zenoh drops it when no more can come.
struct Waiting(Mutex<Option<OnReply>>);

impl Waiting {
    fn give(&self, answer: Result<&[u8], CallError>) {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(on_reply) = first {
            on_reply(answer);
        }
    }

    fn take(&self, reply: &Reply) {
        match reply.result() {
            Ok(sample) => self.give(Ok(&sample.payload().to_bytes())),
            Err(error) => {
                let why = error.payload().try_to_string().map_or_else(|_| "no reason".to_owned(), Into::into);
                self.give(Err(CallError::Refused(why)));
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.give(Err(CallError::Nobody));
    }
}
