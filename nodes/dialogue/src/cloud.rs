//! One streamed answer at a time from an OpenAI-compatible service, over the [`Client`]. The impure edge of this crate.
//!
//! Each stream is a thread, and `Client::cut` ends whatever it is doing (handshake, waiting, reading) from another one at once, which is what
//! a barge-in needs. Between turns the connection is kept, so that the next question costs no handshake.

#![expect(clippy::disallowed_methods, reason = "the client measures what the link carries: this is the edge")]

use std::{
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Instant,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::Duration;
use ureq::http::Uri;

use crate::{
    chat::{ChatRequest, Reader},
    client::{self, Client, fault_of},
    fault::Fault,
    turn::FromCloud,
};

/// Bytes read at once. A token's event is some 300.
const READ: usize = 8192;

/// Where streams go and what they say: events with the number of their stream.
pub type Sink = Arc<dyn Fn(u64, FromCloud) + Send + Sync>;

/// What one stream has carried so far: told when it begins and before each of its words, so that it is known also of one that is stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of the request's body.
    pub sent: u32,
    /// Bytes of the answer's body.
    pub received: u32,
    /// From the request to the answer's head; none: it did not come.
    pub head: Option<Duration>,
    /// From the head to the last byte.
    pub took: Duration,
    /// The longest wait for more of it.
    pub longest_wait: Duration,
}

/// Where [`Traffic`] goes, with the number of its stream.
pub type Meter = Arc<dyn Fn(u64, Traffic) + Send + Sync>;

/// The service, as the dialogue sees it.
pub trait Upstream: Send {
    /// Begins an answer; what it says goes to the sink that this was made with, ending with one `Done`, `Length`, `Tools` or `Failed`.
    fn start(&mut self, stream: u64, request: ChatRequest);
    /// Ends it and its socket. What it says after that may still come and means nothing.
    fn stop(&mut self, stream: u64);
    /// What is started next belongs to this trace (a `traceparent`), or to none.
    fn trace(&mut self, traceparent: Option<String>) {
        let _ = traceparent;
    }
}

impl<U: Upstream + ?Sized> Upstream for Box<U> {
    fn start(&mut self, stream: u64, request: ChatRequest) {
        (**self).start(stream, request);
    }

    fn stop(&mut self, stream: u64) {
        (**self).stop(stream);
    }

    fn trace(&mut self, traceparent: Option<String>) {
        (**self).trace(traceparent);
    }
}

/// Parameters: the table `[nodes.<name>.params.cloud]` in a system file. An unknown key is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudConfig {
    /// Up to and with `/v1`, as such services name it: `https://host/v1`. Or one of the fleet's routers, where the gateways are behind zenoh:
    /// `zenoh+tls://host:7447`, `zenoh+quic://host:7447`.
    pub url: String,
    /// The service's name of the model.
    pub model: String,
    /// A file with the key alone in it; none where the certificate says who we are. Keys do not belong into system files.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// PEM: the authorities that are trusted instead of the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// PEM: our certificate and those above it, where the service asks for one.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// PEM: its key.
    #[serde(default)]
    pub private_key_file: Option<PathBuf>,
    /// Plain HTTP. For a service on the same machine only.
    #[serde(default)]
    pub plain_http: bool,
    /// The host's name is found within, ms.
    #[serde(default = "resolve_ms")]
    #[schemars(range(min = 1, max = 60_000))]
    pub resolve_ms: u64,
    /// The connection stands (TCP and TLS) within, ms.
    #[serde(default = "connect_ms")]
    #[schemars(range(min = 1, max = 60_000))]
    pub connect_ms: u64,
    /// The answer's head comes within, ms: a net below the turn's own times.
    #[serde(default = "head_ms")]
    #[schemars(range(min = 1, max = 600_000))]
    pub head_ms: u64,
    /// The answer ends within, ms: likewise.
    #[serde(default = "answer_ms")]
    #[schemars(range(min = 1, max = 3_600_000))]
    pub answer_ms: u64,
}

fn resolve_ms() -> u64 {
    2_000
}
fn connect_ms() -> u64 {
    3_000
}
fn head_ms() -> u64 {
    20_000
}
fn answer_ms() -> u64 {
    120_000
}

/// Parameters that make no client.
#[derive(Debug, thiserror::Error)]
pub enum CloudConfigError {
    /// No address.
    #[error(
        "cloud.url is {0:?}; it begins with https:// and ends with /v1, for example \"https://gateway.example/v1\", or is a router's: \"zenoh+tls://router.example:7447\"; a service on this machine may be http://localhost:PORT/v1 with plain_http = true"
    )]
    Url(String),
    /// A port that is none.
    #[error("cloud.url is {0:?}: a port is from 1 to 65535, for example \"https://gateway.example:8443/v1\"")]
    Port(String),
    /// Plain HTTP to another machine, or without being told.
    #[error(
        "cloud.url is {0:?} without TLS; that is for this machine alone (localhost), with plain_http = true"
    )]
    Plain(String),
    /// A number out of its range.
    #[error("cloud.{key} is {value}; it is from 1 to {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The most that it may be.
        most: u64,
    },
    /// No model is named.
    #[error("cloud.model is empty: it names one that the service has")]
    Model,
    /// One of two that go together.
    #[error("cloud.certificate_file and cloud.private_key_file go together: one of them is missing")]
    Half,
    /// A file that cannot be read.
    #[error("cloud.{key}: cannot read {}: {reason}", path.display())]
    Read {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A file with something else in it.
    #[error("cloud.{key}: {} holds no {what}", path.display())]
    Content {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
}

impl CloudConfig {
    /// A service with everything else as it is usual.
    pub fn new(url: &str, model: &str) -> CloudConfig {
        CloudConfig {
            url: url.into(),
            model: model.into(),
            key_file: None,
            ca_file: None,
            certificate_file: None,
            private_key_file: None,
            plain_http: false,
            resolve_ms: resolve_ms(),
            connect_ms: connect_ms(),
            head_ms: head_ms(),
            answer_ms: answer_ms(),
        }
    }

    /// Whether a router of the fleet's is asked, over zenoh, and no service over HTTPS.
    pub fn over_zenoh(&self) -> bool {
        self.url.starts_with("zenoh+")
    }

    /// What is unusual about the address and may be meant: what it comes to, so that one can see. None: it is as such services have it.
    pub fn unusual(&self) -> Option<String> {
        let ends = self.url.trim_end_matches('/').ends_with("/v1");
        (!ends && !self.over_zenoh()).then(|| {
            format!(
                "cloud.url is {:?} and does not end with /v1; what is asked is {}/chat/completions and the like",
                self.url,
                self.url.trim_end_matches('/')
            )
        })
    }

    /// Whether the numbers and the address are usable; the files are looked at by [`Client::new`].
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), CloudConfigError> {
        let uri: Uri = self.url.parse().map_err(|_| CloudConfigError::Url(self.url.clone()))?;
        let host = uri.host().unwrap_or("");
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if host.is_empty() || self.url.contains(['?', '#']) {
            return Err(CloudConfigError::Url(self.url.clone()));
        }
        if !port_fits(&uri) {
            return Err(CloudConfigError::Port(self.url.clone()));
        }
        match uri.scheme_str() {
            Some("https") => {}
            // The three files and the port are for whoever opens the session to miss.
            Some("zenoh+tls" | "zenoh+quic") => {}
            Some("http") if self.plain_http && local => {}
            Some("http") => return Err(CloudConfigError::Plain(self.url.clone())),
            _ => return Err(CloudConfigError::Url(self.url.clone())),
        }
        let ranges = [
            ("resolve_ms", self.resolve_ms, 60_000),
            ("connect_ms", self.connect_ms, 60_000),
            ("head_ms", self.head_ms, 600_000),
            ("answer_ms", self.answer_ms, 3_600_000),
        ];
        for (key, value, most) in ranges {
            if !(1..=most).contains(&value) {
                return Err(CloudConfigError::Range { key, value, most });
            }
        }
        if self.certificate_file.is_some() != self.private_key_file.is_some() {
            return Err(CloudConfigError::Half);
        }
        Ok(())
    }
}

/// Whether the port of an address is one, or there is none: what the address's own reader takes for none where it is too large.
pub fn port_fits(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return true };
    let after = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
    match after.get(authority.host().len()..).and_then(|rest| rest.strip_prefix(':')) {
        None => true,
        Some(port) => port.parse::<u16>().is_ok_and(|port| port != 0),
    }
}

/// The service, over HTTPS.
pub struct HttpUpstream {
    client: Client,
    model: String,
    running: Option<u64>,
    trace: Option<String>,
    sink: Sink,
    meter: Option<Meter>,
}

impl HttpUpstream {
    /// Reads the files that the parameters name; connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with the parameters or the files.
    pub fn new(config: &CloudConfig, sink: Sink) -> Result<HttpUpstream, CloudConfigError> {
        Ok(HttpUpstream::over(Client::new(config)?, config, sink))
    }

    /// The same, whatever the files hold: an answer fails with what is wrong with them, until they are there.
    ///
    /// # Errors
    /// What is wrong with the parameters.
    pub fn when_there(config: &CloudConfig, sink: Sink) -> Result<HttpUpstream, CloudConfigError> {
        Ok(HttpUpstream::over(Client::when_there(config)?, config, sink))
    }

    fn over(client: Client, config: &CloudConfig, sink: Sink) -> HttpUpstream {
        HttpUpstream { client, model: config.model.clone(), running: None, trace: None, sink, meter: None }
    }

    /// The same, that tells what each stream carried.
    pub fn metered(mut self, meter: Meter) -> HttpUpstream {
        self.meter = Some(meter);
        self
    }
}

impl Upstream for HttpUpstream {
    fn start(&mut self, stream: u64, mut request: ChatRequest) {
        self.running = Some(stream);
        request.model.clone_from(&self.model);
        let (client, sink, cuts) = (self.client.clone(), self.sink.clone(), self.client.cuts());
        let (meter, trace) = (self.meter.clone(), self.trace.take());
        let body = request.body().to_string();
        let spawned = thread::Builder::new().name(format!("cloud-{stream}")).spawn({
            let mut last = LastWord { sink: sink.clone(), stream, due: true };
            move || {
                let mut traffic =
                    Traffic { sent: u32::try_from(body.len()).unwrap_or(u32::MAX), ..Traffic::default() };
                let tell = |traffic: &Traffic| meter.iter().for_each(|meter| meter(stream, *traffic));
                tell(&traffic);
                // Before the word: who hears that the answer is whole knows what it took.
                let mut say = |said: FromCloud, traffic: &Traffic| {
                    tell(traffic);
                    last.say(said);
                };
                let answered = answer(&client, cuts, &body, trace.as_deref(), &mut traffic, &mut say);
                if let Err(fault) = answered {
                    // Cancelled: before it had begun (what is cut later is a socket that broke).
                    if fault.before_sending() || fault == Fault::Cancelled {
                        traffic.sent = 0;
                    }
                    say(FromCloud::Failed(fault), &traffic);
                }
            }
        });
        if let Err(error) = spawned {
            sink(stream, FromCloud::Failed(Fault::Connect(format!("no thread: {error}"))));
        }
    }

    fn stop(&mut self, stream: u64) {
        if self.running == Some(stream) {
            self.running = None;
            self.client.cut();
        }
    }

    fn trace(&mut self, traceparent: Option<String>) {
        self.trace = traceparent;
    }
}

impl Drop for HttpUpstream {
    fn drop(&mut self) {
        self.client.cut();
    }
}

/// Sees to it that every stream says its last, even one whose thread panics: ureq does where TLS does not take what it was given.
struct LastWord {
    sink: Sink,
    stream: u64,
    due: bool,
}

impl LastWord {
    fn say(&mut self, said: FromCloud) {
        self.due &= matches!(said, FromCloud::Text(_));
        (self.sink)(self.stream, said);
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        if self.due {
            self.say(FromCloud::Failed(client::panicked()));
        }
    }
}

/// One answer, from the question to its end; `cuts` as they were when it was asked.
fn answer(
    client: &Client,
    cuts: u64,
    body: &str,
    trace: Option<&str>,
    traffic: &mut Traffic,
    say: &mut dyn FnMut(FromCloud, &Traffic),
) -> Result<(), Fault> {
    let asked = Instant::now();
    let post = client.request("/chat/completions", cuts)?.header("Accept", "text/event-stream");
    let post = trace.into_iter().fold(post, |post, trace| post.header("traceparent", trace));
    let mut response = post.send(body).map_err(fault_of)?;
    let began = Instant::now();
    traffic.head = Some(began - asked);
    if response.status().as_u16() != 200 {
        return Err(client::refusal(&mut response));
    }
    let kind = client::header(&response, "content-type").unwrap_or_default();
    troika_safety::fulfils![SR_RTE_010];
    if !kind.starts_with("text/event-stream") {
        return Err(Fault::Malformed(format!(
            "its type is {kind:?}: a sign-in page of the network, perhaps"
        )));
    }
    let mut reader = Reader::default();
    let mut bytes = response.body_mut().as_reader();
    let mut buffer = vec![0; READ];
    let mut last = began;
    while !reader.over() {
        let read = bytes.read(&mut buffer);
        let now = Instant::now();
        traffic.longest_wait = traffic.longest_wait.max(now - last);
        last = now;
        let said = match read {
            Ok(0) => reader.ended(),
            Ok(count) => {
                traffic.received = traffic.received.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                traffic.took = now - began;
                reader.feed(&buffer[..count])
            }
            Err(error) => return Err(fault_of(error.into())),
        };
        said.into_iter().for_each(|one| say(one, traffic));
    }
    // A body that is read to its end leaves the connection for the next question; a little more may follow the last event.
    if matches!(bytes.read(&mut buffer), Ok(count) if count > 0) {
        let _ = bytes.read(&mut buffer);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_or_is_told() {
        let told = |url: &str| CloudConfig::new(url, "m").check().map_err(|error| error.to_string());
        for fine in [
            "https://a/v1",
            "https://a:8443/v1",
            "https://[::1]:1/v1",
            "https://u@a:65535/v1",
            "zenoh+quic://a:7447",
        ] {
            assert_eq!(told(fine), Ok(()), "{fine}");
        }
        for wrong in [
            "https://a:65536/v1",
            "https://a:99999/v1",
            "https://a:0/v1",
            "https://[::1]:70000/v1",
            "zenoh+tls://a:70000",
        ] {
            let told = told(wrong).unwrap_err();
            assert!(told.contains("65535") && told.contains(wrong), "{told}");
        }
    }

    #[test]
    fn an_address_without_v1_is_told_with_what_it_comes_to() {
        let unusual = |url: &str| CloudConfig::new(url, "m").unusual();
        assert_eq!(unusual("https://a/v1"), None);
        assert_eq!(unusual("https://a/v1/"), None);
        assert_eq!(unusual("zenoh+tls://a:7447"), None);
        let told = unusual("https://a:8443").unwrap();
        assert!(told.contains("asked is https://a:8443/chat/completions"), "{told}");
    }
}
