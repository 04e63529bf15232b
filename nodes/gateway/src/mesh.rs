//! Vehicles over zenoh: their questions come as queries through the fleet's routers and go the same way as those over HTTPS; only the carriage
//! differs ([`wire`]). Who asks is what the key says: the router lets a vehicle ask below its own key alone.
//!
//! A question is taken while fewer than `mesh.requests` are under way; the next is answered 503. A vehicle that takes its question back, or whose
//! session ends (at once where its connection closes, after zenoh's lease of 10 s where it just falls silent), ends its stream and the upstream's
//! socket. Replies are droppable where the router marks queries so, which ours do: a vehicle that does not read loses its own.

mod streams;

use std::{path::Path, sync::Arc};

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{Request, Response, StatusCode, header};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use troika_dialogue_mesh::{
    config::{self, Credentials},
    wire::{self, Asked, Cancelled, Head, Part, Then, VERSION},
};
use troika_kit::Duration;
use zenoh::{Session, liveliness::LivelinessToken, query::Query, sample::SampleKind};

use crate::{
    api, clock,
    config::{MeshConfig, ms},
    gateway::Gateway,
    identity::VehicleId,
    metrics::Why,
    request::Refusal,
    tls::TlsError,
};
use streams::{Stream, Streams};

/// How often it is looked whether a router has us.
const LOOK: Duration = Duration::from_millis(250);
/// A router that does not take us is asked again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// Bytes of a part: more of a body than this goes in several, so that what is lost on a thin link is little.
const PART: usize = 16 << 10;

/// The gateway's certificate as a client of the routers.
///
/// # Errors
/// A file that is not there: a fleet made before there was zenoh has none.
pub fn credentials(tls: &Path) -> Result<Credentials, TlsError> {
    let file = |name: &str| {
        let path = tls.join(name);
        match path.metadata() {
            Ok(_) => Ok(path),
            Err(reason) => Err(TlsError::Mesh { path, reason }),
        }
    };
    Ok(Credentials { authority: file("ca.pem")?, certificate: file("mesh.pem")?, key: file("mesh.key")? })
}

/// What the callbacks share.
struct Mesh {
    gateway: Arc<Gateway>,
    streams: Streams,
    room: Arc<Semaphore>,
    runtime: Handle,
}

/// Serves until the gateway is told to go, and what runs then until it has ended or its time is over. Where there is no router it goes on asking.
pub async fn serve(gateway: Arc<Gateway>, mesh: MeshConfig) {
    let shared = Arc::new(Mesh {
        gateway: gateway.clone(),
        streams: Streams::default(),
        room: Arc::new(Semaphore::new(mesh.requests)),
        runtime: Handle::current(),
    });
    let mut ending = gateway.ending();
    let mut told = String::new();
    loop {
        let opened = tokio::select! {
            opened = open(&shared, &mesh) => opened,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        match opened {
            Ok((session, _here)) => {
                told.clear();
                let ended = watch(&gateway, &session, &mut ending).await;
                if ended {
                    let all = u32::try_from(mesh.requests).unwrap_or(u32::MAX);
                    let _ = timeout(ms(gateway.config.times.drain_ms), shared.room.acquire_many(all)).await;
                    let _ = session.close().await;
                    return;
                }
                let _ = session.close().await;
            }
            Err(why) => {
                if told != why {
                    eprintln!(
                        "error: no router of the fleet's takes us: {why}; they are asked again and again"
                    );
                    told = why;
                }
                tokio::select! {
                    () = sleep(AGAIN) => {}
                    _ = ending.wait_for(|ending| *ending) => return,
                }
            }
        }
    }
}

/// Opens a session and declares on it what we answer and hear.
async fn open(shared: &Arc<Mesh>, mesh: &MeshConfig) -> Result<(Session, LivelinessToken), String> {
    let told = |error: zenoh::Error| error.to_string();
    let credentials = credentials(&shared.gateway.config.tls).map_err(|error| error.to_string())?;
    let session =
        zenoh::open(config::client(&mesh.routers, &credentials, ms(mesh.connect_ms))?).await.map_err(told)?;
    // Before the queryable, so that no question comes whose end would go unheard.
    let hears = shared.clone();
    session
        .declare_subscriber(wire::CANCELLED)
        .callback(move |sample| hears.cancelled(sample.key_expr().as_str(), &sample.payload().to_bytes()))
        .background()
        .await
        .map_err(told)?;
    let sees = shared.clone();
    session
        .liveliness()
        .declare_subscriber(wire::ALIVE)
        .history(true)
        .callback(move |sample| sees.alive(sample.key_expr().as_str(), sample.kind() == SampleKind::Put))
        .background()
        .await
        .map_err(told)?;
    let (answers, here) = (shared.clone(), session.zid().to_string());
    session
        .declare_queryable(wire::asked(&here))
        .complete(true)
        .callback(move |query| answers.asked(query))
        .background()
        .await
        .map_err(told)?;
    let here = wire::gateway(&here);
    let here = session.liveliness().declare_token(here).await.map_err(told)?;
    Ok((session, here))
}

/// Keeps `/ready` and the metrics up to date; true when the gateway is told to go, false when the session has closed.
async fn watch(
    gateway: &Gateway,
    session: &Session,
    ending: &mut tokio::sync::watch::Receiver<bool>,
) -> bool {
    loop {
        let linked = session.info().routers_zid().await.next().is_some();
        if gateway.router().send_replace(linked) != linked {
            gateway.metrics.router.set(linked.into());
            eprintln!(
                "{}",
                if linked {
                    "notice: a router has us"
                } else {
                    "error: the router has gone; it is asked again and again"
                }
            );
        }
        if session.is_closed() {
            return false;
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            _ = ending.wait_for(|ending| *ending) => return true,
        }
    }
}

impl Mesh {
    fn refused(&self, why: &'static str) {
        self.gateway.metrics.mesh_refused.get_or_create(&Why { why }).inc();
    }

    /// On zenoh's thread: nothing here waits.
    fn asked(self: &Arc<Mesh>, query: Query) {
        let key = query.key_expr().as_str().to_owned();
        // The router lets nobody ask for several vehicles at once; a reply would go to whoever did.
        let whose = wire::whose(&key).and_then(|(id, rest)| {
            // `at/` and ours: we hear at no other.
            let (_, path) = rest.strip_prefix("at/")?.split_once('/')?;
            Some((VehicleId::new(id).ok()?, path.to_owned()))
        });
        let Some((vehicle, path)) = whose else {
            return self.refused("key");
        };
        let attachment = query.attachment().map(|bytes| bytes.to_bytes().into_owned()).unwrap_or_default();
        let asked = match Asked::read(&attachment) {
            Ok(asked) => asked,
            Err(error) => {
                return self.refuse(
                    query,
                    key,
                    "attachment",
                    Refusal::new(400, "bad_request", error.to_string()),
                );
            }
        };
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            let wait = Duration::from_secs(1);
            return self.refuse(
                query,
                key,
                "full",
                Refusal::later(503, "full", "too many requests at once", wait),
            );
        };
        let Some(stream) = self.streams.begin(&vehicle, &asked.session, &asked.request) else {
            let told = "a request of this number is under way";
            return self.refuse(query, key, "doubled", Refusal::new(409, "doubled", told));
        };
        self.gateway.metrics.mesh_running.inc();
        self.runtime.spawn(self.clone().answer(query, key, vehicle, path, asked, stream, permit));
    }

    fn refuse(self: &Arc<Mesh>, query: Query, key: String, why: &'static str, refusal: Refusal) {
        self.refused(why);
        let head = Head {
            status: refusal.status,
            content_type: Some("application/json".into()),
            retry_after: refusal.retry_after_s.map(|after| after.to_string()),
        };
        let part = Part { version: VERSION, part: 0, then: Then::End, head: Some(head) };
        self.runtime.spawn(async move {
            // Whoever asked may have gone.
            let _ = query.reply(key, refusal.body()).attachment(part.to_bytes()).await;
        });
    }

    fn cancelled(&self, key: &str, payload: &[u8]) {
        let Some((Ok(vehicle), "cancel")) = wire::whose(key).map(|(id, rest)| (VehicleId::new(id), rest))
        else {
            return self.refused("key");
        };
        match Cancelled::read(payload) {
            Ok(one) => self.streams.cancel(&vehicle, &one.session, &one.request),
            Err(_) => self.refused("cancel"),
        }
    }

    fn alive(&self, key: &str, alive: bool) {
        let Some((Ok(vehicle), rest)) = wire::whose(key).map(|(id, rest)| (VehicleId::new(id), rest)) else {
            return;
        };
        let Some(session) = rest.strip_prefix("alive/") else { return };
        if alive {
            self.gateway.board().connected(clock::now(), &vehicle);
        } else {
            self.gateway.board().disconnected(clock::now(), &vehicle);
            self.streams.gone(&vehicle, session);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one question, each its own")]
    async fn answer(
        self: Arc<Mesh>,
        query: Query,
        key: String,
        vehicle: VehicleId,
        path: String,
        asked: Asked,
        stream: Stream,
        _permit: OwnedSemaphorePermit,
    ) {
        let left = tokio::select! {
            () = self.reply(&query, &key, &vehicle, &path, &asked) => None,
            why = stream.ended() => Some(why),
        };
        if let Some(why) = left {
            self.gateway.metrics.mesh_left.get_or_create(&Why { why }).inc();
        }
        self.streams.end(&vehicle, &asked.session, &asked.request);
        self.gateway.metrics.mesh_running.dec();
    }

    async fn reply(&self, query: &Query, key: &str, vehicle: &VehicleId, path: &str, asked: &Asked) {
        let response = match request(query, path, asked) {
            Ok(request) => api::answer(self.gateway.clone(), vehicle.clone(), request).await,
            Err(told) => {
                let refusal = Refusal::new(400, "bad_request", told);
                let mut response = Response::new(Body::from(refusal.body()));
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        };
        let (response, mut body) = response.into_parts();
        let text = |name| response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut head = Some(Head {
            status: response.status.as_u16(),
            content_type: text(header::CONTENT_TYPE),
            retry_after: text(header::RETRY_AFTER),
        });
        let mut number = 0;
        loop {
            let (bytes, then) = match body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => (data, Then::More),
                    Err(_) => continue,
                },
                Some(Err(_)) => (Default::default(), Then::Broken),
                None => (Default::default(), Then::End),
            };
            let mut pieces: Vec<_> = bytes.chunks(PART).map(|piece| bytes.slice_ref(piece)).collect();
            if pieces.is_empty() {
                pieces.push(bytes);
            }
            for piece in pieces {
                let part = Part { version: VERSION, part: number, then, head: head.take() };
                number += 1;
                // It fails where the router has gone: so has the question.
                if query.reply(key, piece).attachment(part.to_bytes()).await.is_err() {
                    return;
                }
            }
            if then != Then::More {
                return;
            }
        }
    }
}

/// As it would come over HTTPS.
fn request(query: &Query, path: &str, asked: &Asked) -> Result<Request<Body>, String> {
    let body = query.payload().map(|payload| payload.to_bytes().into_owned()).unwrap_or_default();
    let mut request = Request::builder().method(asked.method.as_str()).uri(format!("/{path}"));
    request = request.header(header::CONTENT_LENGTH, body.len());
    let headers = [("content-type", &asked.content_type), ("traceparent", &asked.traceparent)];
    for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        request = request.header(name, value);
    }
    request.body(Body::from(body)).map_err(|error| error.to_string())
}
