//! The gateway's file. An unknown key, a missing one and a value that makes no sense are told with their line.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use troika_dialogue::cloud::port_fits;
use troika_kit::Duration;

/// Upstreams, at most: they are told apart by a bit each.
pub const MOST_UPSTREAMS: usize = 64;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where vehicles come in.
    pub listen: SocketAddr,
    /// The folder with `ca.pem`, `crl.pem`, `server.pem` and `server.key`: `gateway/` of the fleet's.
    pub tls: PathBuf,
    /// The file with what quotas were used and what was delivered.
    pub store: PathBuf,
    /// The file for the record of who asked when; none where it is not wanted.
    pub audit: Option<PathBuf>,
    /// Services, in the order in which they are preferred.
    pub upstreams: Vec<UpstreamConfig>,
    /// What a vehicle may use.
    #[serde(default)]
    pub quota: QuotaConfig,
    /// Who waits, and how long.
    #[serde(default)]
    pub queue: QueueConfig,
    /// What is too much.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// What is too long.
    #[serde(default)]
    pub times: TimesConfig,
    /// Answers that are given twice.
    #[serde(default)]
    pub cache: CacheConfig,
    /// The page, the metrics, the state of health.
    #[serde(default)]
    pub admin: AdminConfig,
    /// Where spans go; none where nobody collects them.
    pub trace: Option<TraceConfig>,
    /// Vehicles over zenoh too; none where only HTTPS is served.
    pub mesh: Option<MeshConfig>,
}

/// `[mesh]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshConfig {
    /// The fleet's routers, `tls/HOST:PORT` or `quic/HOST:PORT`: the first that takes us, and another where that one goes.
    pub routers: Vec<String>,
    /// Requests of all vehicles that are under way, at most: the next is told to come again.
    #[serde(default = "requests")]
    pub requests: usize,
    /// A router is connected within, ms.
    #[serde(default = "mesh_connect_ms")]
    pub connect_ms: u64,
}

fn requests() -> usize {
    2048
}
fn mesh_connect_ms() -> u64 {
    5_000
}

/// `[trace]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// An OpenTelemetry collector's address for OTLP over HTTP, without `/v1/traces`: `http://collector:4318`.
    pub endpoint: String,
    /// PEM: authorities that are trusted instead of the public ones, where it is `https://`.
    pub ca_file: Option<PathBuf>,
    /// What this gateway is called there.
    #[serde(default = "service")]
    pub service: String,
    /// The share of requests that are recorded, 0 to 1, by their trace's number. What the caller says is recorded is, whatever stands here.
    #[serde(default = "ratio")]
    pub ratio: f64,
    /// Requests whose spans wait to be sent, at most. What finds no room is counted and gone.
    #[serde(default = "waiting")]
    pub waiting: usize,
    /// Spans that are sent at once.
    #[serde(default = "batch")]
    pub batch: usize,
    /// They are sent so often, or when there are so many, ms.
    #[serde(default = "every_ms")]
    pub every_ms: u64,
    /// The collector answers within, ms.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

fn service() -> String {
    "troika-gateway".into()
}
fn ratio() -> f64 {
    1.0
}
fn waiting() -> usize {
    2048
}
fn batch() -> usize {
    512
}
fn every_ms() -> u64 {
    1_000
}
fn timeout_ms() -> u64 {
    5_000
}

/// `[[upstreams]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Ours for it: in the record and in the metrics.
    pub name: String,
    /// Up to and with `/v1`.
    pub url: String,
    /// A file with its key alone in it.
    pub key_file: Option<PathBuf>,
    /// PEM: authorities that are trusted instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The models that it has.
    pub models: Vec<String>,
    /// Plain HTTP: for this machine alone.
    #[serde(default)]
    pub plain_http: bool,
    /// Requests at once, at most.
    #[serde(default = "concurrent")]
    pub concurrent: u32,
    /// What 1,000 tokens cost, in millionths of a euro, asked and answered alike.
    #[serde(default)]
    pub price: u64,
}

fn concurrent() -> u32 {
    16
}

macro_rules! table {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $key:ident : $kind:ty = $usual:expr,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$doc])* pub $key: $kind,)* }
        impl Default for $name {
            fn default() -> Self { $name { $($key: $usual,)* } }
        }
    };
}

table! {
    /// `[quota]`, each for one vehicle.
    QuotaConfig {
        /// Requests a minute; so many at once after a minute's rest.
        requests_a_minute: u32 = 60,
        /// Tokens a day (UTC), asked and answered.
        tokens_a_day: u64 = 500_000,
        /// Millionths of a euro a day (UTC).
        micro_euro_a_day: u64 = 1_000_000,
        /// What was used is brought to the store and what another gateway brought there is read, each so many ms.
        share_ms: u64 = 500,
    }
}
table! {
    /// `[queue]`.
    QueueConfig {
        /// Requests of one vehicle that wait, at most.
        a_vehicle: usize = 4,
        /// Requests of one vehicle that are answered at once, at most.
        running_a_vehicle: u32 = 2,
        /// Requests that wait, at most.
        total: usize = 1000,
        /// The longest that one waits, ms.
        wait_ms: u64 = 10_000,
    }
}
table! {
    /// `[limits]`.
    LimitsConfig {
        /// Bytes of a request's body.
        body_bytes: usize = 256 << 10,
        /// Messages in it.
        messages: usize = 64,
        /// Tokens of an answer that may be asked for; also what is asked for where a request says nothing.
        max_tokens: u64 = 1024,
        /// Bytes of an answer.
        answer_bytes: usize = 2 << 20,
        /// Connections in all.
        connections: usize = 4096,
        /// Connections of one vehicle.
        connections_a_vehicle: usize = 4,
        /// Handshakes at once.
        handshakes: usize = 256,
        /// Vehicles that the page remembers.
        vehicles: usize = 10_000,
        /// Deliveries that wait to be fetched, at most.
        inbox: u64 = 100_000,
        /// Delivered ids that are remembered of each vehicle. The outbox holds 10,000 and remembers as many.
        delivered: u64 = 20_000,
    }
}
table! {
    /// `[times]`, all in ms.
    TimesConfig {
        /// The handshake of a vehicle.
        handshake_ms: u64 = 5_000,
        /// The head of a request, and the wait for the next on a connection that is kept.
        head_ms: u64 = 30_000,
        /// The body of a request.
        body_ms: u64 = 10_000,
        /// A vehicle takes nothing of what it is sent.
        write_ms: u64 = 20_000,
        /// A connection to an upstream.
        connect_ms: u64 = 3_000,
        /// The first event of a stream, or the whole of an answer that is none.
        first_byte_ms: u64 = 30_000,
        /// No further byte of a stream.
        stall_ms: u64 = 15_000,
        /// A request from its arrival to its end.
        total_ms: u64 = 120_000,
        /// What runs may end when the gateway is told to go.
        drain_ms: u64 = 10_000,
        /// The folder with the certificates is looked at again.
        reload_ms: u64 = 1_000,
    }
}
table! {
    /// `[cache]`. Off by default.
    CacheConfig {
        /// Bytes of answers that are kept in memory; 0 keeps none.
        bytes: usize = 0,
        /// They are given so long, s.
        keep_s: u64 = 600,
        /// A request that says no temperature counts as one that says 0.
        without_temperature: bool = false,
    }
}
table! {
    /// `[admin]`.
    AdminConfig {
        /// Where. It asks nobody who they are: loopback, or a network of its own.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 9443)),
    }
}

/// A file that makes no gateway.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}: {reason}; the gateway's README has a file to begin with", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A line that makes no sense.
    #[error("{}:{line}: {what}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
}

/// A key's place in the file, and what is wrong with it.
type Wrong = (Vec<Step>, String);

enum Step {
    Key(&'static str),
    At(usize),
}

impl Config {
    /// Reads a file. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|reason| ConfigError::Read { path: path.into(), reason })?;
        let mut config = Config::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let from = |file: &mut PathBuf| *file = folder.join(&*file);
        from(&mut config.tls);
        from(&mut config.store);
        config.audit.iter_mut().for_each(from);
        config.trace.iter_mut().filter_map(|trace| trace.ca_file.as_mut()).for_each(from);
        for one in &mut config.upstreams {
            one.key_file.iter_mut().chain(&mut one.ca_file).for_each(from);
        }
        Ok(config)
    }

    /// From text; `path` is for the messages.
    ///
    /// # Errors
    /// The first line that makes no sense.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let told =
            |at: usize, what: String| ConfigError::Line { path: path.into(), line: line(text, at), what };
        let config: Config = toml::from_str(text)
            .map_err(|error| told(error.span().map_or(0, |span| span.start), in_words(error.message())))?;
        config.check().map_err(|(steps, what)| told(place(text, &steps), what))?;
        Ok(config)
    }

    /// What is unusual and may be meant, each with its line. `text` is the file's, `path` for the messages.
    pub fn unusual(&self, text: &str, path: &Path) -> Vec<String> {
        let of = |(at, one): (usize, &UpstreamConfig)| {
            let base = one.url.trim_end_matches('/');
            let steps = [Step::Key("upstreams"), Step::At(at), Step::Key("url")];
            (!base.ends_with("/v1")).then(|| {
                format!(
                    "{}:{}: {:?} does not end with /v1; what is asked is {base}/chat/completions",
                    path.display(),
                    line(text, place(text, &steps)),
                    one.url
                )
            })
        };
        self.upstreams.iter().enumerate().filter_map(of).collect()
    }

    fn check(&self) -> Result<(), Wrong> {
        use Step::{At, Key};
        if self.upstreams.is_empty() || self.upstreams.len() > MOST_UPSTREAMS {
            return Err((vec![Key("upstreams")], format!("1 to {MOST_UPSTREAMS} of [[upstreams]]")));
        }
        for (at, one) in self.upstreams.iter().enumerate() {
            let wrong = |key, what: String| Err((vec![Key("upstreams"), At(at), Key(key)], what));
            if one.name.is_empty() || self.upstreams[..at].iter().any(|before| before.name == one.name) {
                return wrong("name", format!("{:?}: each upstream has a name of its own", one.name));
            }
            if let Err(what) = address(&one.url, one.plain_http) {
                return wrong("url", what);
            }
            if one.models.is_empty() || one.models.iter().any(String::is_empty) {
                return wrong("models", "the models that this upstream has, for example [\"large\"]".into());
            }
            if !(1..=100_000).contains(&one.concurrent) {
                return wrong("concurrent", format!("{} requests at once; 1 to 100000", one.concurrent));
            }
        }
        let (quota, queue, limits, times) = (&self.quota, &self.queue, &self.limits, &self.times);
        let ranges: [(&'static str, &'static str, u64, u64, u64); 30] = [
            ("quota", "requests_a_minute", quota.requests_a_minute.into(), 1, 1_000_000),
            ("quota", "tokens_a_day", quota.tokens_a_day, 1, 1 << 50),
            ("quota", "micro_euro_a_day", quota.micro_euro_a_day, 0, 1 << 50),
            ("quota", "share_ms", quota.share_ms, 50, 60_000),
            ("queue", "a_vehicle", queue.a_vehicle as u64, 1, 1_000),
            ("queue", "running_a_vehicle", queue.running_a_vehicle.into(), 1, 1_000),
            ("queue", "total", queue.total as u64, 1, 100_000),
            ("queue", "wait_ms", queue.wait_ms, 1, 600_000),
            ("limits", "body_bytes", limits.body_bytes as u64, 1024, 16 << 20),
            ("limits", "messages", limits.messages as u64, 1, 10_000),
            ("limits", "max_tokens", limits.max_tokens, 1, 1 << 20),
            ("limits", "answer_bytes", limits.answer_bytes as u64, 1024, 64 << 20),
            ("limits", "connections", limits.connections as u64, 1, 1 << 20),
            ("limits", "connections_a_vehicle", limits.connections_a_vehicle as u64, 1, 1000),
            ("limits", "handshakes", limits.handshakes as u64, 1, 1 << 16),
            ("limits", "vehicles", limits.vehicles as u64, 1, 1 << 20),
            ("limits", "inbox", limits.inbox, 1, 1 << 30),
            ("limits", "delivered", limits.delivered, 1, 1 << 20),
            ("times", "handshake_ms", times.handshake_ms, 10, 60_000),
            ("times", "head_ms", times.head_ms, 10, 600_000),
            ("times", "body_ms", times.body_ms, 10, 600_000),
            ("times", "write_ms", times.write_ms, 10, 600_000),
            ("times", "connect_ms", times.connect_ms, 10, 60_000),
            ("times", "first_byte_ms", times.first_byte_ms, 10, 600_000),
            ("times", "stall_ms", times.stall_ms, 10, 600_000),
            ("times", "total_ms", times.total_ms, 10, 3_600_000),
            ("times", "drain_ms", times.drain_ms, 0, 600_000),
            ("times", "reload_ms", times.reload_ms, 50, 600_000),
            ("cache", "bytes", self.cache.bytes as u64, 0, 1 << 32),
            ("cache", "keep_s", self.cache.keep_s, 1, 86_400),
        ];
        for (table, key, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err((
                    vec![Key(table), Key(key)],
                    format!("{table}.{key} is {value}; it is from {least} to {most}"),
                ));
            }
        }
        if let Some(mesh) = &self.mesh {
            let wrong = |key, what| Err((vec![Key("mesh"), Key(key)], what));
            if mesh.routers.is_empty() {
                return wrong(
                    "routers",
                    "at least one router, for example [\"tls/router.example:7447\"]".into(),
                );
            }
            for (at, router) in mesh.routers.iter().enumerate() {
                if let Err(what) = troika_dialogue_mesh::config::locator(router) {
                    return Err((vec![Key("mesh"), Key("routers"), At(at)], what));
                }
            }
            if !(1..=100_000).contains(&mesh.requests) {
                return wrong(
                    "requests",
                    format!("mesh.requests is {}; it is from 1 to 100000", mesh.requests),
                );
            }
            if !(10..=60_000).contains(&mesh.connect_ms) {
                return wrong(
                    "connect_ms",
                    format!("mesh.connect_ms is {}; it is from 10 to 60000", mesh.connect_ms),
                );
            }
        }
        if let Some(trace) = &self.trace {
            let wrong = |key, what| Err((vec![Key("trace"), Key(key)], what));
            if let Err(what) = collector(&trace.endpoint) {
                return wrong("endpoint", what);
            }
            if !(0.0..=1.0).contains(&trace.ratio) {
                return wrong("ratio", format!("trace.ratio is {}; it is from 0 to 1", trace.ratio));
            }
            let ranges = [
                ("waiting", trace.waiting as u64, 1, 1_000_000),
                ("batch", trace.batch as u64, 1, 10_000),
                ("every_ms", trace.every_ms, 10, 60_000),
                ("timeout_ms", trace.timeout_ms, 10, 60_000),
            ];
            for (key, value, least, most) in ranges {
                if !(least..=most).contains(&value) {
                    return wrong(key, format!("trace.{key} is {value}; it is from {least} to {most}"));
                }
            }
        }
        if self.admin.listen == self.listen && self.listen.port() != 0 {
            return Err((vec![Key("admin"), Key("listen")], "the page has an address of its own".into()));
        }
        Ok(())
    }

    /// Every model, with the bits of the upstreams that have it.
    pub fn models(&self) -> std::collections::BTreeMap<String, u64> {
        let mut models = std::collections::BTreeMap::new();
        for (at, one) in self.upstreams.iter().enumerate() {
            for model in &one.models {
                *models.entry(model.clone()).or_insert(0) |= 1 << at;
            }
        }
        models
    }
}

/// From ms, as the file has them.
pub fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn address(url: &str, plain: bool) -> Result<(), String> {
    let uri: hyper::Uri = url.parse().map_err(|_| format!("{url:?} is no address"))?;
    let host = uri.host().unwrap_or("");
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let example = "for example \"https://api.example/v1\"";
    match uri.scheme_str() {
        _ if host.is_empty() || uri.query().is_some() => Err(format!("{url:?} is no address; {example}")),
        _ if !port_fits(&uri) => Err(format!("{url:?}: a port is from 1 to 65535")),
        Some("https") => Ok(()),
        Some("http") if plain && local => Ok(()),
        Some("http") => Err(format!(
            "{url:?} without TLS; that is for this machine alone (localhost), with plain_http = true"
        )),
        _ => Err(format!("{url:?} begins with neither https:// nor http://; {example}")),
    }
}

fn collector(url: &str) -> Result<(), String> {
    let uri: hyper::Uri = url.parse().map_err(|_| format!("{url:?} is no address"))?;
    if !port_fits(&uri) {
        return Err(format!("{url:?}: a port is from 1 to 65535"));
    }
    let plain = uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none();
    match uri.scheme_str() {
        Some("http" | "https") if plain && !url.trim_end_matches('/').ends_with("/v1/traces") => Ok(()),
        _ => Err(format!(
            "{url:?} is no collector's address; for example \"http://collector:4318\", without /v1/traces"
        )),
    }
}

fn line(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count() + 1
}

/// What the reader of TOML says, without the names that our own code has for it.
fn in_words(told: &str) -> String {
    if let Some(name) = told.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    if told.starts_with("invalid socket address") {
        return "no address of this machine and a port from 0 to 65535, for example \"0.0.0.0:8443\"".into();
    }
    match told.rsplit_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a table"),
        None => told.to_owned(),
    }
}

/// Where a key stands, or else the table that it is missing from.
fn place(text: &str, steps: &[Step]) -> usize {
    let Ok(root) = DeTable::parse(text) else { return 0 };
    let mut at = 0;
    let mut value: Option<&DeValue<'_>> = None;
    for step in steps {
        let next = match (step, value) {
            (Step::Key(key), None) => root.get_ref().get(*key),
            (Step::Key(key), Some(DeValue::Table(table))) => table.get(*key),
            (Step::At(index), Some(DeValue::Array(all))) => all.get(*index),
            _ => None,
        };
        let Some(next) = next else { return at };
        at = next.span().start;
        value = Some(next.get_ref());
    }
    at
}

#[cfg(test)]
mod tests;
