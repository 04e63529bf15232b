//! The vehicle's side: one streamed answer at a time from the fleet's gateways, through whichever router takes us. An impure edge.
//!
//! The session is opened once and kept; zenoh finds a router again where one was lost. zenoh says of a failed connection only that it failed, so
//! the steps are then gone once more by hand (name, TCP, TLS), and the fault is told apart as it is over HTTPS. A question that ends at once and
//! without an answer was let through by no router: where a gateway is there, it is our certificate that is no longer on the list.

#![expect(clippy::disallowed_methods, reason = "the client measures what the link carries: this is the edge")]

mod files;
mod reading;

use std::{
    collections::BTreeSet,
    io::Read as _,
    net::{TcpStream, ToSocketAddrs as _},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Instant,
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use troika_dialogue::{
    CloudConfig, CloudConfigError, Fault, FromCloud, Meter, Traffic, Upstream, chat::ChatRequest, cloud::Sink,
};
use troika_kit::Duration;
use zenoh::{
    Session, Wait as _,
    cancellation::CancellationToken,
    liveliness::LivelinessToken,
    qos::CongestionControl,
    query::{ConsolidationMode, Reply},
    sample::SampleKind,
};

use crate::{
    config::{self, Credentials, Scheme},
    wire::{self, Asked, Cancelled, VERSION},
};
use files::{tls, vehicle};
use reading::Reading;

/// How often it is looked whether a lost router is back.
const LOOK: Duration = Duration::from_millis(20);
/// The router tells so soon that a gateway has gone: one that says nothing and is there still was not let be asked.
const GOES: Duration = Duration::from_millis(500);
/// Gateways that are asked the same question, when one after another goes before its first word.
const ATTEMPTS: usize = 3;
/// Where questions go.
const PATH: &str = "v1/chat/completions";

/// Parameters that make no client.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// As over HTTPS.
    #[error(transparent)]
    Cloud(#[from] CloudConfigError),
    /// No address of a router.
    #[error("cloud.url is {url:?}: {why}")]
    Url {
        /// As it stands.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// Routers take nobody without a certificate.
    #[error(
        "cloud.{0} is missing: over zenoh it is one of the three files that `troika-gateway fleet enrol` makes"
    )]
    Missing(&'static str),
    /// A file that cannot be read, or holds something else.
    #[error("cloud.{key}: {}: {why}", path.display())]
    File {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// zenoh does not take the settings.
    #[error("zenoh does not take {0}")]
    Zenoh(String),
}

/// What comes to the thread of an answer.
enum Came {
    Reply(Box<Reply>),
    /// No more replies.
    Over,
    Stop,
}

/// Tells the thread that zenoh has forgotten the question, however that came.
struct Over(Sender<Came>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(Came::Over);
    }
}

#[derive(Clone)]
struct Open {
    session: Session,
    /// The gateways that are there, as the router tells.
    gateways: Gateways,
    _alive: Arc<LivelinessToken>,
}

type Gateways = Arc<Mutex<BTreeSet<String>>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the threads of all answers share.
struct Link {
    vehicle: String,
    address: String,
    scheme: Scheme,
    credentials: Credentials,
    zenoh: zenoh::Config,
    connect: Duration,
    head: Duration,
    answer: Duration,
    open: Mutex<Option<Open>>,
}

/// The scheme and the `host:port` of the router, whatever the files hold.
///
/// # Errors
/// An address that is none of a router.
pub fn router(cloud: &CloudConfig) -> Result<(Scheme, &str), MeshError> {
    let url = |why: String| MeshError::Url { url: cloud.url.clone(), why };
    let of_zenoh = cloud.url.strip_prefix("zenoh+").and_then(|rest| rest.split_once("://"));
    let (scheme, address) =
        of_zenoh.ok_or_else(|| url("it begins with zenoh+tls:// or zenoh+quic://".into()))?;
    let address = address.trim_end_matches('/');
    let (scheme, _) = config::locator(&format!("{scheme}/{address}")).map_err(&url)?;
    Ok((scheme, address))
}

impl Link {
    fn new(cloud: &CloudConfig) -> Result<Link, MeshError> {
        cloud.check()?;
        let (scheme, address) = router(cloud)?;
        let file = |key, path: &Option<PathBuf>| path.clone().ok_or(MeshError::Missing(key));
        let credentials = Credentials {
            authority: file("ca_file", &cloud.ca_file)?,
            certificate: file("certificate_file", &cloud.certificate_file)?,
            key: file("private_key_file", &cloud.private_key_file)?,
        };
        let within = Duration::from_millis;
        let vehicle = vehicle(&credentials.certificate)?;
        tls(&credentials)?;
        let locator = format!("{}/{address}", scheme.name());
        let zenoh =
            config::client(&[locator], &credentials, within(cloud.connect_ms)).map_err(MeshError::Zenoh)?;
        Ok(Link {
            vehicle,
            address: address.into(),
            scheme,
            credentials,
            zenoh,
            connect: within(cloud.connect_ms),
            head: within(cloud.head_ms),
            answer: within(cloud.answer_ms),
            open: Mutex::new(None),
        })
    }
}

/// The fleet's gateways, over zenoh.
pub struct MeshUpstream {
    link: Arc<Link>,
    model: String,
    asked: u64,
    trace: Option<String>,
    running: Option<(u64, Sender<Came>)>,
    sink: Sink,
    meter: Option<Meter>,
}

impl MeshUpstream {
    /// Reads the files that the parameters name, and begins to connect in the background.
    ///
    /// # Errors
    /// What is wrong with the parameters or the files.
    pub fn new(cloud: &CloudConfig, sink: Sink) -> Result<MeshUpstream, MeshError> {
        let link = Arc::new(Link::new(cloud)?);
        // The first question finds the way made; why it is not is told when it is asked.
        let early = link.clone();
        let _ = thread::Builder::new().name("cloud-open".into()).spawn(move || drop(early.session()));
        Ok(MeshUpstream {
            link,
            model: cloud.model.clone(),
            asked: 0,
            trace: None,
            running: None,
            sink,
            meter: None,
        })
    }

    /// Whether [`MeshUpstream::new`] would take them.
    ///
    /// # Errors
    /// What is wrong with the parameters or the files.
    pub fn check(cloud: &CloudConfig) -> Result<(), MeshError> {
        Link::new(cloud).map(drop)
    }

    /// The same, that tells what each stream carried.
    pub fn metered(mut self, meter: Meter) -> MeshUpstream {
        self.meter = Some(meter);
        self
    }
}

impl Upstream for MeshUpstream {
    fn start(&mut self, stream: u64, mut request: ChatRequest) {
        request.model.clone_from(&self.model);
        self.asked += 1;
        let turn = self.asked;
        let (sender, inbox) = channel();
        self.running = Some((stream, sender.clone()));
        let (link, sink, meter) = (self.link.clone(), self.sink.clone(), self.meter.clone());
        let question = Question { turn, body: request.body().to_string(), trace: self.trace.take() };
        let spawned = thread::Builder::new().name(format!("cloud-{stream}")).spawn(move || {
            let mut traffic = Traffic {
                sent: u32::try_from(question.body.len()).unwrap_or(u32::MAX),
                ..Traffic::default()
            };
            let tell = |traffic: &Traffic| meter.iter().for_each(|meter| meter(stream, *traffic));
            tell(&traffic);
            // Before the word: who hears that the answer is whole knows what it took.
            let mut say = |said: FromCloud, traffic: &Traffic| {
                tell(traffic);
                sink(stream, said);
            };
            if let Err(fault) = link.ask(&question, &sender, &inbox, &mut traffic, &mut say) {
                say(FromCloud::Failed(fault), &traffic);
            }
        });
        if let Err(error) = spawned {
            (self.sink)(stream, FromCloud::Failed(Fault::Connect(format!("no thread: {error}"))));
        }
    }

    fn stop(&mut self, stream: u64) {
        if let Some((_, inbox)) = self.running.take_if(|running| running.0 == stream) {
            // It has ended by itself where nobody hears this.
            let _ = inbox.send(Came::Stop);
        }
    }

    fn trace(&mut self, traceparent: Option<String>) {
        self.trace = traceparent;
    }
}

impl Drop for MeshUpstream {
    fn drop(&mut self) {
        if let Some((_, inbox)) = self.running.take() {
            let _ = inbox.send(Came::Stop);
        }
        let link = self.link.clone();
        // Closing waits for the router, and before it for who opens just now, or looks for why that fails; nobody else does.
        let close = move || {
            let open = locked(&link.open).take();
            if let Some(open) = open {
                drop(open.session.close().wait());
            }
        };
        let _ = thread::Builder::new().name("cloud-close".into()).spawn(close);
    }
}

/// What is asked.
struct Question {
    /// Its number on this link.
    turn: u64,
    body: String,
    trace: Option<String>,
}

impl Link {
    /// The session, opened where it is not.
    fn session(&self) -> Result<Open, Fault> {
        let mut held = locked(&self.open);
        if let Some(open) = held.as_ref().filter(|open| !open.session.is_closed()) {
            return Ok(open.clone());
        }
        let session = match zenoh::open(self.zenoh.clone()).wait() {
            Ok(session) => session,
            Err(error) => return Err(self.why_not().unwrap_or_else(|| Fault::Connect(error.to_string()))),
        };
        let told = |error: zenoh::Error| Fault::Connect(format!("zenoh: {error}"));
        let alive = wire::alive(&self.vehicle, &session.zid().to_string());
        let alive = Arc::new(session.liveliness().declare_token(alive).wait().map_err(told)?);
        let gateways = Gateways::default();
        let seen = gateways.clone();
        session
            .liveliness()
            .declare_subscriber(wire::GATEWAYS)
            .history(true)
            .callback(move |sample| {
                if let Some(id) = wire::gateway_of(sample.key_expr().as_str()) {
                    match sample.kind() {
                        SampleKind::Put => locked(&seen).insert(id.to_owned()),
                        SampleKind::Delete => locked(&seen).remove(id),
                    };
                }
            })
            .background()
            .wait()
            .map_err(told)?;
        let open = Open { session, gateways, _alive: alive };
        *held = Some(open.clone());
        Ok(open)
    }

    /// Waits for a router, as long as a connection may take.
    fn connected(&self, session: &Session, inbox: &Receiver<Came>) -> Result<(), Fault> {
        let until = Instant::now() + self.connect;
        loop {
            if linked(session) {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(self.why_not().unwrap_or(Fault::ConnectTimeout("router")));
            }
            if let Ok(Came::Stop) = inbox.recv_timeout(LOOK) {
                return Err(Fault::Cancelled);
            }
        }
    }

    fn ask(
        &self,
        question: &Question,
        sender: &Sender<Came>,
        inbox: &Receiver<Came>,
        traffic: &mut Traffic,
        say: &mut dyn FnMut(FromCloud, &Traffic),
    ) -> Result<(), Fault> {
        let Open { session, gateways, .. } = self.session()?;
        if let Ok(Came::Stop) = inbox.try_recv() {
            return Err(Fault::Cancelled);
        }
        let mut tried = BTreeSet::new();
        // Since when a gateway that is there is not reached.
        let mut unreached = None;
        for attempt in 0_u64.. {
            if tried.len() >= ATTEMPTS {
                break;
            }
            self.connected(&session, inbox)?;
            let turn = question.turn + tried.len() as u64;
            let gateway = self.choose(&session, &gateways, &tried, turn, inbox)?;
            let asked = Asked {
                version: VERSION,
                // To a gateway that has seen it before it is another one.
                request: format!("{:014x}{attempt:02x}", question.turn),
                session: session.zid().to_string(),
                method: "POST".into(),
                content_type: Some("application/json".into()),
                traceparent: question.trace.clone(),
            };
            let token = CancellationToken::default();
            let (replies, over) = (sender.clone(), Over(sender.clone()));
            let hear = move |reply| {
                // Held, so that its end is the end of the question. Without a bound of its own: the reader hands on faster than a link brings,
                // and ends where more than its bounds came, which ends this.
                let _end = &over;
                let _ = replies.send(Came::Reply(Box::new(reply)));
            };
            let get = session
                .get(wire::question(&self.vehicle, &gateway, PATH))
                .payload(question.body.as_str())
                .attachment(asked.to_bytes())
                .consolidation(ConsolidationMode::None)
                .congestion_control(CongestionControl::Block)
                .timeout(self.head.saturating_add(self.answer))
                .cancellation_token(token.clone())
                .callback(hear);
            get.wait().map_err(|error| Fault::Connect(format!("zenoh: {error}")))?;
            let mut reading = Reading::default();
            let fault = match self.read(inbox, &mut reading, traffic, say) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            let silent = fault == Fault::Truncated && !reading.begun();
            if !silent {
                // What a gateway still does is of no use to anybody.
                self.take_back(&session, &asked);
                drop(token.cancel().wait());
                let gone = fault == Fault::Truncated && !linked(&session);
                return Err(if gone { Fault::Reset("the router went".into()) } else { fault });
            }
            // Over without a word: the router has gone, or the gateway has, or the router does not let us. Or it has just been linked to
            // another, and knows that a gateway is there before it knows the way: it is asked again.
            let since: Instant = *unreached.get_or_insert_with(Instant::now);
            if let Ok(Came::Stop) = inbox.recv_timeout(LOOK) {
                return Err(Fault::Cancelled);
            }
            if !linked(&session) || !locked(&gateways).contains(&gateway) {
                tried.insert(gateway);
                unreached = None;
            } else if since.elapsed() >= GOES {
                return Err(Fault::Unauthorized(403));
            }
        }
        Err(Fault::Reset("the router went, and the one after it".into()))
    }

    /// A gateway to ask: each in turn, beginning anywhere, so that all vehicles together ask all of them alike.
    fn choose(
        &self,
        session: &Session,
        gateways: &Gateways,
        tried: &BTreeSet<String>,
        turn: u64,
        inbox: &Receiver<Came>,
    ) -> Result<String, Fault> {
        let begin = u64::from(session.zid().to_le_bytes()[0]);
        // A router tells which there are as soon as it has us: none by then is none.
        let until = Instant::now() + self.connect;
        loop {
            let known: Vec<String> = locked(gateways).iter().cloned().collect();
            if let Some(gateway) = pick(&known, tried, begin + turn) {
                return Ok(gateway.clone());
            }
            if Instant::now() >= until {
                let none = || Fault::Connect("no gateway is at the fleet's routers".into());
                // A router may have had us for a moment alone: one whose list or whose clock was about to end us.
                let gone = if linked(session) { None } else { self.why_not() };
                return Err(gone.unwrap_or_else(none));
            }
            if let Ok(Came::Stop) = inbox.recv_timeout(LOOK) {
                return Err(Fault::Cancelled);
            }
        }
    }

    fn take_back(&self, session: &Session, asked: &Asked) {
        let taken =
            Cancelled { version: VERSION, session: asked.session.clone(), request: asked.request.clone() };
        let _ = session.put(wire::cancel(&self.vehicle), taken.to_bytes()).wait();
    }

    /// One answer, from the question to its end.
    fn read(
        &self,
        inbox: &Receiver<Came>,
        reading: &mut Reading,
        traffic: &mut Traffic,
        say: &mut dyn FnMut(FromCloud, &Traffic),
    ) -> Result<(), Fault> {
        let asked = Instant::now();
        let (mut last, mut began) = (asked, None);
        loop {
            let now = Instant::now();
            let (until, what) = match began {
                None => (asked + self.head, "the answer's head"),
                Some(began) => (began + self.answer, "the whole answer"),
            };
            let reply = match inbox.recv_timeout(until.saturating_duration_since(now)) {
                Ok(Came::Reply(reply)) => reply,
                Ok(Came::Stop) => return Err(Fault::Cancelled),
                Ok(Came::Over) | Err(RecvTimeoutError::Disconnected) => return Err(Fault::Truncated),
                Err(RecvTimeoutError::Timeout) => return Err(Fault::Timeout(what)),
            };
            // zenoh's own: its time for the question is over.
            let sample = reply.into_result().map_err(|_| Fault::Timeout("zenoh's own"))?;
            let now = Instant::now();
            match began {
                None => {
                    began = Some(now);
                    traffic.head = Some(now - asked);
                }
                Some(began) => {
                    traffic.longest_wait = traffic.longest_wait.max(now - last);
                    traffic.took = now - began;
                }
            }
            last = now;
            let payload = sample.payload().to_bytes();
            let count = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            traffic.received = traffic.received.saturating_add(count);
            let attachment = sample.attachment().map(|bytes| bytes.to_bytes()).unwrap_or_default();
            let said = reading.part(&attachment, &payload)?;
            let over = said.iter().any(|one| !matches!(one, FromCloud::Text(_)));
            said.into_iter().for_each(|one| say(one, traffic));
            if over {
                return Ok(());
            }
        }
    }

    /// Where on the way a connection fails; none: nothing on it does.
    fn why_not(&self) -> Option<Fault> {
        let addresses = match self.address.to_socket_addrs() {
            Ok(addresses) => addresses,
            Err(_) => return Some(Fault::Dns),
        };
        if self.scheme == Scheme::Quic {
            return Some(Fault::Connect(
                "no router answers over QUIC, or our certificate is not taken".into(),
            ));
        }
        let mut fault = Fault::Connect("no address answered".into());
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.connect) {
                Ok(stream) => return self.handshake(stream).err(),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                    fault = Fault::ConnectTimeout("connection");
                }
                Err(error) => fault = Fault::Connect(error.to_string()),
            }
        }
        Some(fault)
    }

    fn handshake(&self, stream: TcpStream) -> Result<(), Fault> {
        let told = |error: &dyn std::fmt::Display| Fault::Tls(error.to_string().into());
        let (host, _) = self.address.rsplit_once(':').unwrap_or((&self.address, ""));
        let name =
            ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|error| told(&error))?;
        let config = tls(&self.credentials).map_err(|error| told(&error))?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| told(&error))?;
        let _ = stream.set_read_timeout(Some(self.connect));
        let mut tls = StreamOwned::new(connection, stream);
        // With TLS 1.3 the other side's judgement of our certificate comes after the handshake; a router says nothing by itself.
        match tls.read(&mut [0; 1]) {
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(Fault::Tls((&error).into())),
            Err(error) if tls.conn.is_handshaking() => {
                Err(Fault::Tls(format!("no handshake: {error}").into()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a router is there now.
fn linked(session: &Session) -> bool {
    session.info().routers_zid().wait().next().is_some()
}

/// The one whose turn it is, of those that were not tried; of all where all were. Pure.
fn pick<'a>(known: &'a [String], tried: &BTreeSet<String>, turn: u64) -> Option<&'a String> {
    let fresh: Vec<&String> = known.iter().filter(|one| !tried.contains(*one)).collect();
    let all: Vec<&String> = if fresh.is_empty() { known.iter().collect() } else { fresh };
    let at = usize::try_from(turn).unwrap_or_default().checked_rem(all.len())?;
    all.get(at).copied()
}

#[cfg(test)]
mod tests;
