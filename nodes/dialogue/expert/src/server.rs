//! The edge: the service on a socket, with its pace and its faults. What it answers is [`crate::agent`]'s.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, State, connect_info::Connected},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
    serve::{IncomingStream, Listener},
};
use bytes::Bytes;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{
    agent::Expert,
    chat::{Answer, MODEL, Request, tokens},
    fault::{Fault, Faults, HEADER},
};

/// The header in which every answer says what it is.
pub const WHAT_IT_IS: &str = "x-troika-expert";

/// What is sent has left the machine's buffers after so long.
const SENT: Duration = Duration::from_millis(50);

/// How it behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
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
            tokens_per_second: 40.0,
            first_token: Duration::from_millis(300),
            jitter: 0.0,
            seed: 1,
            faults: Faults::default(),
            record: None,
        }
    }
}

#[derive(Clone)]
struct Service {
    inner: Arc<Inner>,
    stop: watch::Receiver<bool>,
}

struct Inner {
    expert: Expert,
    settings: Settings,
    book: Mutex<Book>,
}

/// Requests so far, and where they are written down.
struct Book {
    requests: u64,
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
            && let Err(error) = writeln!(file, "{line}")
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

/// Serves until `stop` is true.
///
/// # Errors
/// The record cannot be written; the listener fails.
pub async fn serve(listener: TcpListener, settings: Settings, stop: watch::Receiver<bool>) -> io::Result<()> {
    let record = match &settings.record {
        Some(path) => Some(File::options().create(true).append(true).open(path).map_err(|error| {
            io::Error::new(error.kind(), format!("the record {}: {error}", path.display()))
        })?),
        None => None,
    };
    let book = Mutex::new(Book { requests: 0, record });
    let inner = Arc::new(Inner { expert: Expert::default(), settings, book });
    let service = Service { inner, stop: stop.clone() };
    let router = Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .fallback(elsewhere)
        .with_state(service);
    let stopped = async move {
        let mut stop = stop;
        // Whoever would say stop is gone: that is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(Ports(listener), router.into_make_service_with_connect_info::<Connection>())
        .with_graceful_shutdown(stopped)
        .await
}

/// A service in a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts one; port 0 is a free one.
    ///
    /// # Errors
    /// The address cannot be listened at, or no thread can be had.
    pub fn start(listen: SocketAddr, settings: Settings) -> io::Result<Running> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(listen))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("expert".into())
            .spawn(move || runtime.block_on(serve(listener, settings, stopped)))?;
        Ok(Running { address, stop, thread: Some(thread) })
    }

    /// Where it is, up to `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It ends by itself; how is nobody's matter any more.
            let _ = thread.join();
        }
    }
}

async fn models() -> Response {
    let model = json!({"id": MODEL, "object": "model", "created": 0, "owned_by": "troika"});
    named(Json(json!({"object": "list", "data": [model]})).into_response())
}

async fn elsewhere(uri: Uri) -> Response {
    refused(
        StatusCode::NOT_FOUND,
        &format!(
            "there is nothing at {}; there are POST /v1/chat/completions and GET /v1/models",
            uri.path()
        ),
    )
}

fn named(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(WHAT_IT_IS, HeaderValue::from_static("scripted stand-in, no language model"));
    response
}

fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": "stand_in", "code": status.as_u16()}});
    named((status, Json(body)).into_response())
}

async fn complete(
    State(service): State<Service>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let inner = &service.inner;
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
            return refused(StatusCode::BAD_REQUEST, &format!("the header {HEADER}: {error}"));
        }
        None => inner.settings.faults.of(number),
    };
    if let Some(Fault::Status { code, retry_after_s }) = fault {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = refused(status, "a fault that was asked for");
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        inner.write(&json!({"request": number, "ended": "refused", "status": code}));
        return response;
    }
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            return refused(StatusCode::BAD_REQUEST, &format!("no chat completion request: {error}"));
        }
    };
    let prompt = tokens(&String::from_utf8_lossy(&body)).len();
    let answer = Answer::new(number, inner.expert.step(&request), request.max_tokens);
    if !request.stream {
        sleep(inner.settings.first_token).await;
        inner.write(&json!({"request": number, "ended": "whole"}));
        return named(Json(answer.whole(prompt)).into_response());
    }
    let (send, receive) = mpsc::channel(4);
    let usage = request.stream_options.include_usage.then(|| answer.usage_chunk(prompt));
    let stream = Stream { number, answer, usage, fault, connection, send };
    tokio::spawn(stream.run(service.clone()));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    named((headers, Body::new(Events(receive))).into_response())
}

/// Events as they come; an error breaks the connection off.
struct Events(mpsc::Receiver<Result<Bytes, io::Error>>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|next| next.map(|next| next.map(Frame::data)))
    }
}

/// One answer, on its way.
struct Stream {
    number: u64,
    answer: Answer,
    usage: Option<String>,
    fault: Option<Fault>,
    connection: Connection,
    send: mpsc::Sender<Result<Bytes, io::Error>>,
}

impl Stream {
    async fn run(self, service: Service) {
        let mut stop = service.stop.clone();
        let number = self.number;
        let inner = service.inner.clone();
        let gone = self.send.clone();
        let ended = tokio::select! {
            ended = self.send_all(&inner) => ended,
            () = gone.closed() => "client_closed",
            _ = stop.wait_for(|stop| *stop) => "stopped",
        };
        inner.write(&json!({"request": number, "ended": ended}));
    }

    async fn send_all(self, inner: &Inner) -> &'static str {
        let settings = &inner.settings;
        let mut random = fastrand::Rng::with_seed(settings.seed ^ self.number.rotate_left(32));
        let mut wait =
            |long: Duration| long.mul_f64(1.0 + settings.jitter.clamp(0.0, 1.0) * (2.0 * random.f64() - 1.0));
        let pause = if settings.tokens_per_second > 0.0 {
            Duration::from_secs_f64(1.0 / settings.tokens_per_second)
        } else {
            Duration::ZERO
        };
        sleep(wait(settings.first_token)).await;
        let mut pieces = self.answer.pieces().into_iter();
        // The role comes with the first token.
        let mut waiting = pieces.next().map(|role| event(&role)).unwrap_or_default();
        for (sent, piece) in pieces.enumerate() {
            if let Some(ended) = self.fails(sent).await {
                return ended;
            }
            if sent > 0 {
                sleep(wait(pause)).await;
            }
            waiting.push_str(&event(&piece));
            if !self.send(std::mem::take(&mut waiting)).await {
                return "client_closed";
            }
        }
        // An answer that is shorter than the fault is late fails at its end.
        if self.fault.is_some()
            && let Some(ended) = self.fails(usize::MAX).await
        {
            return ended;
        }
        let mut last = waiting + &event(&self.answer.last());
        if let Some(usage) = &self.usage {
            last.push_str(&event(usage));
        }
        last.push_str(&event("[DONE]"));
        if self.send(last).await { "whole" } else { "client_closed" }
    }

    async fn send(&self, text: String) -> bool {
        self.send.send(Ok(Bytes::from(text))).await.is_ok()
    }

    /// The fault, when so many tokens are out.
    async fn fails(&self, sent: usize) -> Option<&'static str> {
        let due = |after: u32| sent >= after as usize;
        match self.fault? {
            Fault::Reset(after) if due(after) => {
                // What was sent is to be on its way: a reset throws away what waits.
                sleep(SENT).await;
                self.connection.reset();
                let _ = self.send.send(Err(io::Error::other("a reset that was asked for"))).await;
                Some("reset")
            }
            // Until the client has enough, or the service is stopped.
            Fault::Stall(after) if due(after) => std::future::pending().await,
            Fault::Garbage(after) if due(after) => {
                self.send("data: {\"choices\": [{\"delta\": \u{fffd}\n\n".into()).await;
                Some("garbage")
            }
            Fault::Truncate(after) if due(after) => Some("truncated"),
            _ => None,
        }
    }
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}
