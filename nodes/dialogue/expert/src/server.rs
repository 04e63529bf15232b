//! The edge: the service on a socket, with its pace and its faults. What it answers is [`crate::agent`]'s, or [`crate::embedded`]'s.

mod stream;

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, State, connect_info::Connected, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
    serve::{IncomingStream, Listener},
};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::sleep,
};

use self::stream::{Events, Source, Stream};
use crate::{
    agent::Expert,
    chat::{self, Answer, Envelope, MODEL, Request, tokens},
    embedded::{self, Answering, Embedded, Heard, Program, wire},
    fault::{Fault, Faults, HEADER},
    vehicle::{self, Counts, Inbox},
};

/// The header in which every answer says what it is.
pub const WHAT_IT_IS: &str = "x-troika-expert";
/// What it says there.
const A_SCRIPT: &str = "scripted stand-in, no language model";
const A_MODEL: &str = "small language model beside this service, no cloud's; it calls no tools";

/// How it behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Who answers: none, the script; else a language model, which has a pace of its own.
    pub language_model: Option<Program>,
    /// Tokens a second; 0: at once.
    pub tokens_per_second: f64,
    /// Until the first token.
    pub first_token: Duration,
    /// By so much of itself each wait is longer or shorter, 0 to 1.
    pub jitter: f64,
    /// Of the jitter.
    pub seed: u64,
    /// Which requests fail.
    pub faults: Faults,
    /// Where what it receives goes, as JSON lines.
    pub record: Option<PathBuf>,
}

impl Default for Settings {
    /// What a large model in a cloud does: some 40 tokens a second, the first after a third of a second.
    fn default() -> Self {
        Settings {
            language_model: None,
            tokens_per_second: 40.0,
            first_token: Duration::from_millis(300),
            jitter: 0.0,
            seed: 1,
            faults: Faults::default(),
            record: None,
        }
    }
}

/// A service that is ready.
#[derive(Debug, Clone)]
pub struct Service(Arc<Inner>);

/// Who answers.
#[derive(Debug)]
enum Who {
    Script(Box<Expert>),
    Model(Embedded),
}

#[derive(Debug)]
struct Inner {
    who: Who,
    settings: Settings,
    book: Mutex<Book>,
    /// True from when it is to end.
    stop: watch::Sender<bool>,
}

/// Requests so far, and where they are written down.
#[derive(Debug)]
struct Book {
    requests: u64,
    inbox: Inbox,
    record: Option<File>,
}

impl Inner {
    fn next(&self) -> u64 {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.requests += 1;
        book.requests
    }

    fn write(&self, line: &Value) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut book.record
            // In one piece: who reads it meanwhile finds whole lines.
            && let Err(error) = file.write_all(format!("{line}\n").as_bytes())
        {
            // A record with holes would let a test pass that must not.
            eprintln!("troika-expert: the record cannot be written: {error}");
            book.record = None;
        }
    }
}

/// The listener: small events go out at once.
struct Ports(TcpListener);

impl Listener for Ports {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((stream, from)) => {
                    // Without it events only come together: slower, and no error.
                    let _ = stream.set_nodelay(true);
                    return (stream, from);
                }
                // No descriptor free, or the other side is gone already.
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The connection that a request came on, to reset it.
#[derive(Clone)]
struct Connection(Option<Arc<OwnedFd>>);

impl Connected<IncomingStream<'_, Ports>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Ports>) -> Connection {
        Connection(stream.io().as_fd().try_clone_to_owned().ok().map(Arc::new))
    }
}

impl Connection {
    /// Resets it, now: closing it would say a proper end first. (Linux: `connect` to no address, see connect(2).)
    fn reset(&self) {
        if let Some(socket) = &self.0 {
            // Where it is closed already there is nothing to reset.
            let _ = rustix::net::connect_unspec(socket);
        }
    }
}

impl Service {
    /// Gets ready: the record is open, the language model is there.
    ///
    /// # Errors
    /// The record cannot be written; the language model does not start (with its own words, which say how it is fetched).
    pub async fn new(settings: Settings) -> io::Result<Service> {
        let record = match &settings.record {
            Some(path) => Some(File::options().create(true).append(true).open(path).map_err(|error| {
                io::Error::new(error.kind(), format!("the record {}: {error}", path.display()))
            })?),
            None => None,
        };
        let who = match &settings.language_model {
            None => Who::Script(Box::default()),
            Some(program) => Who::Model(Embedded::start(program.clone()).await.map_err(io::Error::other)?),
        };
        let book = Mutex::new(Book { requests: 0, inbox: Inbox::default(), record });
        let (stop, _) = watch::channel(false);
        Ok(Service(Arc::new(Inner { who, settings, book, stop })))
    }

    /// What it is called, and in which words it says what it is.
    pub fn name(&self) -> (&str, &'static str) {
        match &self.0.who {
            Who::Script(_) => (MODEL, A_SCRIPT),
            Who::Model(model) => (&model.name, A_MODEL),
        }
    }

    /// What a vehicle's uplink sent.
    pub fn counts(&self) -> Counts {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner).inbox.counts()
    }

    /// The id of the language model's process, while there is one.
    pub fn process(&self) -> Option<u32> {
        match &self.0.who {
            Who::Script(_) => None,
            Who::Model(model) => *model.process().borrow(),
        }
    }

    /// Ends [`serve`](Self::serve), streams that run too.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/models", get(models))
            .route("/v1/vehicle/report", post(report))
            .route("/v1/outbox", post(outbox))
            .fallback(elsewhere)
            .with_state(self.clone());
        let mut stop = self.0.stop.subscribe();
        let stopped = async move {
            // The sender is in what is served: it does not go before.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let served = axum::serve(Ports(listener), router.into_make_service_with_connect_info::<Connection>())
            .with_graceful_shutdown(stopped)
            .await;
        if let Who::Model(model) = &self.0.who {
            model.end().await;
        }
        served
    }

    fn named(&self, mut response: Response) -> Response {
        let (_, what) = self.name();
        response.headers_mut().insert(WHAT_IT_IS, HeaderValue::from_static(what));
        response
    }

    fn refused(&self, status: StatusCode, message: &str) -> Response {
        let body = json!({"error": {"message": message, "type": "stand_in", "code": status.as_u16()}});
        self.named((status, Json(body)).into_response())
    }

    fn refused_for(&self, status: StatusCode, message: &str, retry_after_s: u32) -> Response {
        let mut response = self.refused(status, message);
        response.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
        response
    }
}

/// A service in a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    service: Service,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts one, and waits until it is ready; port 0 is a free one.
    ///
    /// # Errors
    /// The address cannot be listened at, the language model does not start, or no thread can be had.
    pub fn start(listen: SocketAddr, settings: Settings) -> io::Result<Running> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(listen))?;
        let address = listener.local_addr()?;
        let service = runtime.block_on(Service::new(settings))?;
        let serves = service.clone();
        let thread = std::thread::Builder::new()
            .name("expert".into())
            .spawn(move || runtime.block_on(serves.serve(listener)))?;
        Ok(Running { address, service, thread: Some(thread) })
    }

    /// Where it is, up to `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What serves.
    pub fn service(&self) -> &Service {
        &self.service
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.service.stop();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; how is nobody's matter any more.
            let _ = thread.join();
        }
    }
}

async fn models(State(service): State<Service>) -> Response {
    let (name, _) = service.name();
    let model = json!({"id": name, "object": "model", "created": 0, "owned_by": "troika"});
    service.named(Json(json!({"object": "list", "data": [model]})).into_response())
}

async fn elsewhere(State(service): State<Service>, uri: Uri) -> Response {
    let there = "POST /v1/chat/completions, GET /v1/models, POST /v1/vehicle/report and POST /v1/outbox";
    service.refused(StatusCode::NOT_FOUND, &format!("there is nothing at {}; there are {there}", uri.path()))
}

async fn report(State(service): State<Service>, body: Result<Bytes, BytesRejection>) -> Response {
    let counts = |inbox: &mut Inbox, body: &[u8]| inbox.report(body);
    match taken(&service, "/v1/vehicle/report", body, counts) {
        Ok(()) => service.named(StatusCode::NO_CONTENT.into_response()),
        Err(refused) => *refused,
    }
}

async fn outbox(State(service): State<Service>, body: Result<Bytes, BytesRejection>) -> Response {
    match taken(&service, "/v1/outbox", body, Inbox::outbox) {
        Ok(said) => service.named(Json(said).into_response()),
        Err(refused) => *refused,
    }
}

/// What an uplink sent, written down and taken.
fn taken<T>(
    service: &Service,
    path: &str,
    body: Result<Bytes, BytesRejection>,
    take: impl FnOnce(&mut Inbox, &[u8]) -> Result<T, vehicle::Refused>,
) -> Result<T, Box<Response>> {
    let took = match body {
        Ok(body) => {
            service.0.write(&json!({"path": path, "body": String::from_utf8_lossy(&body)}));
            take(&mut service.0.book.lock().unwrap_or_else(PoisonError::into_inner).inbox, &body)
        }
        Err(rejection) => {
            let code =
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "bad_request" };
            Err(vehicle::Refused { status: rejection.status().as_u16(), code, why: rejection.body_text() })
        }
    };
    // A sender goes by the gateway's names, so they stand where the gateway has them.
    took.map_err(|refused| {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
        let error = json!({"message": refused.why, "type": "stand_in", "code": refused.code});
        Box::new(service.named((status, Json(json!({ "error": error }))).into_response()))
    })
}

async fn complete(
    State(service): State<Service>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let inner = &service.0;
    let number = inner.next();
    let secret = |name: &header::HeaderName| *name == header::AUTHORIZATION || *name == header::COOKIE;
    let shown: serde_json::Map<String, Value> = headers
        .iter()
        .map(|(name, value)| {
            let value = if secret(name) {
                "(not recorded)".into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (name.to_string(), value.into())
        })
        .collect();
    inner.write(&json!({"request": number, "headers": shown, "body": String::from_utf8_lossy(&body)}));
    let fault = match headers.get(HEADER).map(|value| Fault::read(&String::from_utf8_lossy(value.as_bytes())))
    {
        Some(Ok(fault)) => Some(fault),
        Some(Err(error)) => {
            return service.refused(StatusCode::BAD_REQUEST, &format!("the header {HEADER}: {error}"));
        }
        None => inner.settings.faults.of(number),
    };
    if let Some(Fault::Status { code, retry_after_s }) = fault {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let told = "a fault that was asked for";
        inner.write(&json!({"request": number, "ended": "refused", "status": code}));
        return match retry_after_s {
            Some(seconds) => service.refused_for(status, told, seconds),
            None => service.refused(status, told),
        };
    }
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            return service.refused(StatusCode::BAD_REQUEST, &format!("no chat completion request: {error}"));
        }
    };
    let usage = request.stream_options.include_usage;
    let source = match &inner.who {
        Who::Script(expert) => {
            let prompt = tokens(&String::from_utf8_lossy(&body)).len();
            let answer = Answer::new(number, expert.step(&request), request.max_tokens);
            if !request.stream {
                sleep(inner.settings.first_token).await;
                inner.write(&json!({"request": number, "ended": "whole"}));
                return service.named(Json(answer.whole(prompt)).into_response());
            }
            let usage = usage.then(|| answer.usage_chunk(prompt));
            Source::Script { answer, usage }
        }
        Who::Model(model) => match asked(&service, model, number, &request).await {
            Ok(answering) => {
                let envelope = Envelope::new(number, &model.name);
                if !request.stream {
                    return whole(&service, number, answering, envelope).await;
                }
                Source::Model { answering, envelope, usage }
            }
            Err(refused) => {
                inner.write(
                    &json!({"request": number, "ended": "refused", "status": refused.status().as_u16()}),
                );
                return refused;
            }
        },
    };
    let (send, receive) = mpsc::channel(4);
    let stream = Stream { number, fault, connection, send };
    tokio::spawn(stream.run(source, inner.clone(), inner.stop.subscribe()));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    service.named((headers, Body::new(Events(receive))).into_response())
}

/// A question to the model, from when it is worked on: what is wrong with it is told as a status until then.
async fn asked(
    service: &Service,
    model: &Embedded,
    number: u64,
    request: &Request,
) -> Result<Answering, Response> {
    let bad = |why: &str| service.refused(StatusCode::BAD_REQUEST, why);
    let ask = wire::ask(request).map_err(|why| bad(&why))?;
    let mut answering = model.ask(ask).map_err(|embedded::Full| {
        let told = "one question is answered, and as many wait as may; ask again later";
        service.refused_for(StatusCode::SERVICE_UNAVAILABLE, told, embedded::RETRY_AFTER_S)
    })?;
    // Who goes while it waits is known by this being dropped.
    let left = Left { inner: service.0.clone(), number: Some(number) };
    let mut stop = service.0.stop.subscribe();
    let heard = tokio::select! {
        heard = answering.next() => heard,
        _ = stop.wait_for(|stop| *stop) => None,
    };
    left.stays();
    match heard {
        Some(Heard::Refused(why)) => Err(bad(&why)),
        Some(Heard::Failed(why)) => Err(service.refused(StatusCode::BAD_GATEWAY, &why)),
        Some(_) => Ok(answering),
        None => Err(service.refused(StatusCode::SERVICE_UNAVAILABLE, "the service is stopped")),
    }
}

/// Writes down that a client went, when it is dropped before it stays.
struct Left {
    inner: Arc<Inner>,
    number: Option<u64>,
}

impl Left {
    fn stays(mut self) {
        self.number = None;
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.inner.write(&json!({"request": number, "ended": "client_closed"}));
        }
    }
}

/// An answer of the model's, in one piece.
async fn whole(service: &Service, number: u64, mut answering: Answering, envelope: Envelope) -> Response {
    let left = Left { inner: service.0.clone(), number: Some(number) };
    let mut stop = service.0.stop.subscribe();
    let mut text = String::new();
    let (ended, response) = loop {
        let heard = tokio::select! {
            heard = answering.next() => heard,
            _ = stop.wait_for(|stop| *stop) => None,
        };
        match heard {
            Some(Heard::Begun) => {}
            Some(Heard::Text(more)) => text.push_str(&more),
            Some(Heard::End { finish, prompt_tokens, completion_tokens }) => {
                let message = json!({"role": "assistant", "content": text});
                let usage = chat::usage(prompt_tokens, completion_tokens);
                let all = envelope.whole(message, finish, usage);
                break ("whole", service.named(Json(all).into_response()));
            }
            Some(Heard::Refused(why) | Heard::Failed(why)) => {
                break ("failed", service.refused(StatusCode::BAD_GATEWAY, &why));
            }
            None => {
                let told = "the service is stopped";
                break ("stopped", service.refused(StatusCode::SERVICE_UNAVAILABLE, told));
            }
        }
    };
    left.stays();
    service.0.write(&json!({"request": number, "ended": ended}));
    response
}
