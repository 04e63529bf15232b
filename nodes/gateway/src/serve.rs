//! Vehicles' connections: TCP, TLS, HTTP/1.1; each within its bounds, each as long as its certificate holds.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use axum::body::Body;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use troika_kit::Duration;

use crate::{
    api,
    audit::Event,
    clock,
    config::{Config, ms},
    door::{self, Scarce, Shown},
    gateway::Gateway,
    identity::{Identity, VehicleId},
    io::Patient,
    metrics::Why,
};

/// Headers of a request: ours has six, a client library some more.
const HEADERS: usize = 64;
/// Bytes of a request's head, and of what is read ahead of a connection.
const HEAD_BYTES: usize = 16 << 10;
/// A certificate's end is looked at by the wall clock at least so often: that clock may be put right meanwhile.
const LOOK: Duration = Duration::from_secs(30);
/// A system without a free descriptor is asked again after so long.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Each vehicle's connections, the oldest first.
#[derive(Default)]
struct Connections(Mutex<HashMap<VehicleId, VecDeque<Arc<Notify>>>>);

impl Connections {
    /// Another one. Over the bound the oldest goes: a vehicle that comes back through a tunnel has left it open and does not know.
    fn add(&self, vehicle: &VehicleId, most: usize) -> Arc<Notify> {
        let mine = Arc::new(Notify::new());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = all.entry(vehicle.clone()).or_default();
        while theirs.len() >= most {
            if let Some(oldest) = theirs.pop_front() {
                oldest.notify_one();
            }
        }
        theirs.push_back(mine.clone());
        mine
    }

    fn remove(&self, vehicle: &VehicleId, one: &Arc<Notify>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = all.get_mut(vehicle) {
            theirs.retain(|other| !Arc::ptr_eq(other, one));
            if theirs.is_empty() {
                all.remove(vehicle);
            }
        }
    }
}

/// Serves until the gateway is told to go, and what runs then until it has ended or its time is over.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener) {
    let limits = &gateway.config.limits;
    let room = Arc::new(Semaphore::new(limits.connections));
    let handshakes = Arc::new(Semaphore::new(limits.handshakes));
    let connections = Arc::new(Connections::default());
    let scarce = Arc::new(Mutex::new(Scarce::default()));
    let mut ending = gateway.ending();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(_) => {
                // No descriptor left, or one that was reset in the queue.
                refused(&gateway, "accept");
                sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let (place, handshake) =
            match (room.clone().try_acquire_owned(), handshakes.clone().try_acquire_owned()) {
                (Ok(place), Ok(handshake)) => (place, handshake),
                (Err(TryAcquireError::NoPermits), _) => {
                    refused(&gateway, "full");
                    continue;
                }
                _ => {
                    refused(&gateway, "handshakes");
                    continue;
                }
            };
        let within = (connections.clone(), scarce.clone());
        tokio::spawn(connection(gateway.clone(), within, stream, place, handshake));
    }
    drop(listener);
    let all = u32::try_from(gateway.config.limits.connections).unwrap_or(u32::MAX);
    let _ = timeout(ms(gateway.config.times.drain_ms), room.acquire_many(all)).await;
}

fn refused(gateway: &Gateway, why: &'static str) {
    gateway.metrics.refused.get_or_create(&Why { why }).inc();
}

async fn connection(
    gateway: Arc<Gateway>,
    (connections, scarce): (Arc<Connections>, Arc<Mutex<Scarce>>),
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    handshake: OwnedSemaphorePermit,
) {
    // A token is a few bytes and is to go at once.
    let _ = stream.set_nodelay(true);
    let times = &gateway.config.times;
    let from = stream.peer_addr().ok().map(|from| from.to_string());
    let acceptor = TlsAcceptor::from(gateway.tls().borrow().config.clone());
    let shaken = timeout(ms(times.handshake_ms), async {
        // Who goes without a word only looked whether the port is open, as balancers and monitors do.
        match stream.peek(&mut [0; 1]).await {
            Ok(0) | Err(_) => Err("probe"),
            Ok(_) => Ok(door::watched(acceptor.accept(stream)).await),
        }
    });
    let record = |why: &'static str, shown: Option<Shown>| {
        refused(&gateway, why);
        if !door::IDENTITIES.contains(&why) {
            return;
        }
        let Some(left_out) = scarce.lock().unwrap_or_else(PoisonError::into_inner).line(clock::now()) else {
            return;
        };
        let Shown { claims, serial } = shown.unwrap_or_default();
        let event = Event { claims, serial, from: from.clone(), left_out, ..event("refused", why) };
        gateway.audit.event(&event);
    };
    let (accepted, shown) = match shaken.await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(why)) => return refused(&gateway, why),
        Err(_) => return refused(&gateway, "handshake_time"),
    };
    let stream = match accepted {
        Ok(stream) => stream,
        Err(error) => return record(why(&error), shown),
    };
    drop(handshake);
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let identity = match certificate.map(|certificate| Identity::of(certificate)) {
        Some(Ok(identity)) => Arc::new(identity),
        _ => return record("no_vehicle", shown),
    };
    let vehicle = identity.vehicle.clone();
    let replaced = connections.add(&vehicle, gateway.config.limits.connections_a_vehicle);
    gateway.board().connected(clock::now(), &vehicle);
    gateway.metrics.connections.inc();
    http(&gateway, identity, &replaced, Patient::new(stream, ms(times.write_ms))).await;
    gateway.metrics.connections.dec();
    gateway.board().disconnected(clock::now(), &vehicle);
    connections.remove(&vehicle, &replaced);
}

type Stream = Patient<tokio_rustls::server::TlsStream<TcpStream>>;

/// How a connection is read: HTTP/1.1, whose heads are bounded and come in time.
pub fn reader(config: &Config) -> http1::Builder {
    troika_safety::fulfils![SR_FLT_007];
    let mut reader = http1::Builder::new();
    reader.timer(TokioTimer::new()).header_read_timeout(ms(config.times.head_ms));
    reader.max_headers(HEADERS).max_buf_size(HEAD_BYTES);
    reader
}

async fn http(gateway: &Arc<Gateway>, identity: Arc<Identity>, replaced: &Notify, stream: Stream) {
    let service = service_fn({
        let (gateway, vehicle) = (gateway.clone(), identity.vehicle.clone());
        move |request: Request<Incoming>| {
            let answer = api::answer(gateway.clone(), vehicle.clone(), request.map(Body::new));
            async { Ok::<_, Infallible>(answer.await) }
        }
    });
    let connection = reader(&gateway.config).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let (mut tls, mut ending) = (gateway.tls(), gateway.ending());
    let mut told = false;
    let why = loop {
        let now = clock::wall();
        troika_safety::fulfils![SR_FLT_003];
        if now >= identity.expires {
            break "expired";
        }
        troika_safety::fulfils![SR_FLT_002];
        if tls.borrow_and_update().revoked.contains(&identity.serial) {
            break "revoked";
        }
        tokio::select! {
            // What happened on it is the vehicle's affair; it is over.
            _ = connection.as_mut() => return,
            () = sleep(identity.expires.since(now).min(LOOK)) => {}
            changed = tls.changed() => if changed.is_err() { return },
            () = replaced.notified() => break "replaced",
            _ = ending.wait_for(|ending| *ending), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    gateway.metrics.closed.get_or_create(&Why { why }).inc();
    gateway.audit.event(&Event {
        vehicle: Some(identity.vehicle.as_str().into()),
        serial: Some(door::hexadecimal(&identity.serial)),
        ..event("closed", why)
    });
}

fn event(event: &'static str, why: &'static str) -> Event {
    Event {
        at: clock::text(clock::seconds(clock::wall())),
        event,
        why,
        vehicle: None,
        claims: None,
        serial: None,
        from: None,
        left_out: 0,
    }
}

/// Why a handshake failed, as a name that can be counted.
fn why(error: &std::io::Error) -> &'static str {
    use rustls::{CertificateError, Error};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::NoCertificatesPresented) => "no_certificate",
        Some(Error::InvalidCertificate(CertificateError::Revoked)) => "revoked",
        Some(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "expired",
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "foreign"
        }
        Some(Error::InvalidCertificate(_)) => "certificate",
        Some(_) => "tls",
        None => "gone",
    }
}
