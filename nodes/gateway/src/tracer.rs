//! Spans on their way to a collector: OTLP over HTTP, as JSON. A task of its own sends them in batches; no request waits for it. What finds no
//! room, or no collector, is counted and gone.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    header::{self, HeaderValue},
};
use prometheus_client::metrics::{counter::Counter, family::Family};
use tokio::{
    sync::{
        mpsc::{Receiver, Sender, channel, error::TrySendError},
        oneshot,
    },
    time::{Instant, sleep, timeout, timeout_at},
};
use troika_dialogue::otlp::{self, Span};
use troika_kit::Duration;

use crate::{
    config::{TraceConfig, ms},
    metrics::{Metrics, Why},
    spans,
    trace::Trace,
    upstream::{self, Client, UpstreamError},
};

/// A batch is sent so often before it is given up; what waits meanwhile has its bound.
const TRIES: u32 = 3;
/// The pause after the first failure; twice as long after the second. A collector that names a time is asked again then.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(30);
/// Bytes of a collector's answer that are read.
const MOST_ANSWER: usize = 64 << 10;

/// Whoever ends the gateway waits for the last spans so long.
pub const LAST: Duration = Duration::from_secs(2);

enum Order {
    Spans(Vec<Span>),
    Flush(oneshot::Sender<()>),
}

/// Where spans go.
pub struct Tracer {
    on: Option<(Sender<Order>, f64)>,
    lost: Family<Why, Counter>,
}

impl Tracer {
    /// Begins; without a collector nothing is recorded. Within a tokio runtime.
    ///
    /// # Errors
    /// An authority that cannot be read.
    pub fn start(config: Option<&TraceConfig>, metrics: &Metrics) -> Result<Tracer, UpstreamError> {
        let lost = metrics.trace_lost.clone();
        let Some(config) = config else { return Ok(Tracer { on: None, lost }) };
        let (orders, waiting) = channel(config.waiting);
        let sender = Exporter {
            address: address(config)?,
            client: client(config)?,
            config: config.clone(),
            orders: waiting,
            sent: metrics.trace_sent.clone(),
            lost: lost.clone(),
            failing: false,
        };
        tokio::spawn(sender.run());
        Ok(Tracer { on: Some((orders, config.ratio)), lost })
    }

    /// Whether anything would begin with this file.
    ///
    /// # Errors
    /// An authority that cannot be read.
    pub fn check(config: &TraceConfig) -> Result<(), UpstreamError> {
        address(config)?;
        client(config).map(drop)
    }

    /// Whether this request is recorded: its caller says so, or it is of the share.
    pub fn records(&self, trace: &Trace) -> bool {
        self.on
            .as_ref()
            .is_some_and(|(_, ratio)| trace.flags & 1 == 1 || spans::of_share(&trace.trace, *ratio))
    }

    /// A request's spans, to be sent some time soon.
    pub fn send(&self, spans: Vec<Span>) {
        let Some((orders, _)) = &self.on else { return };
        if let Err(TrySendError::Full(Order::Spans(spans)) | TrySendError::Closed(Order::Spans(spans))) =
            orders.try_send(Order::Spans(spans))
        {
            self.lost.get_or_create(&Why { why: "full" }).inc_by(spans.len() as u64);
        }
    }

    /// What waits is sent now, or the time is over.
    pub async fn flush(&self, within: Duration) {
        let Some((orders, _)) = &self.on else { return };
        let (done, flushed) = oneshot::channel();
        let flushing = async {
            if orders.send(Order::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        let _ = timeout(within, flushing).await;
    }
}

fn address(config: &TraceConfig) -> Result<Uri, UpstreamError> {
    let url = format!("{}/v1/traces", config.endpoint.trim_end_matches('/'));
    url.parse().map_err(|_| UpstreamError::Url(url))
}

fn client(config: &TraceConfig) -> Result<Client, UpstreamError> {
    upstream::client(config.ca_file.as_deref(), true, ms(config.timeout_ms), 1)
}

struct Exporter {
    config: TraceConfig,
    address: Uri,
    client: Client,
    orders: Receiver<Order>,
    sent: Counter,
    lost: Family<Why, Counter>,
    failing: bool,
}

/// Why a batch was not taken.
enum Not {
    /// It may be next time.
    Now(String, Option<Duration>),
    /// It never will be.
    Ever(String),
}

impl Exporter {
    async fn run(mut self) {
        while let Some(first) = self.orders.recv().await {
            let (mut spans, mut flushed) = (Vec::new(), Vec::new());
            let mut take = |order, spans: &mut Vec<Span>| match order {
                Order::Spans(more) => {
                    spans.extend(more);
                    true
                }
                Order::Flush(done) => {
                    flushed.push(done);
                    false
                }
            };
            let mut more = take(first, &mut spans);
            let until = Instant::now() + ms(self.config.every_ms);
            while more && spans.len() < self.config.batch {
                let Ok(Some(order)) = timeout_at(until, self.orders.recv()).await else { break };
                more = take(order, &mut spans);
            }
            if !spans.is_empty() {
                self.bring(&spans).await;
            }
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    async fn bring(&mut self, spans: &[Span]) {
        let body = Bytes::from(otlp::export(&self.config.service, env!("CARGO_PKG_NAME"), spans));
        let mut pause = PAUSE;
        let mut tries = 0;
        let (why, counted) = loop {
            tries += 1;
            let within = ms(self.config.timeout_ms);
            let outcome = timeout(within, self.post(body.clone()))
                .await
                .unwrap_or_else(|_| Err(Not::Now("no answer in time".into(), None)));
            match outcome {
                Ok(rejected) => {
                    let rejected = rejected.min(spans.len() as u64);
                    self.sent.inc_by(spans.len() as u64 - rejected);
                    self.lost.get_or_create(&Why { why: "rejected" }).inc_by(rejected);
                    if std::mem::take(&mut self.failing) {
                        eprintln!("notice: the collector {} takes spans again", self.address);
                    }
                    return;
                }
                Err(Not::Now(_, after)) if tries < TRIES => {
                    sleep(after.unwrap_or(pause).min(PAUSE_MOST)).await;
                    pause *= 2;
                }
                Err(Not::Now(why, _)) => break (why, "collector"),
                Err(Not::Ever(why)) => break (why, "rejected"),
            }
        };
        self.lost.get_or_create(&Why { why: counted }).inc_by(spans.len() as u64);
        if !std::mem::replace(&mut self.failing, true) {
            eprintln!(
                "error: the collector {} takes no spans: {why}; requests go on and what is not sent is counted \
                 (gateway_trace_lost_total)",
                self.address
            );
        }
    }

    /// How many of the batch were not kept.
    async fn post(&self, body: Bytes) -> Result<u64, Not> {
        let request = Request::post(&self.address)
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::USER_AGENT,
                HeaderValue::from_static(concat!("troika-gateway/", env!("CARGO_PKG_VERSION"))),
            )
            .body(Full::new(body))
            .map_err(|error| Not::Ever(error.to_string()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| Not::Now(upstream::fault(&error).to_string(), None))?;
        let (head, body) = response.into_parts();
        let wait = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let wait = wait.map(Duration::from_secs);
        let said = Limited::new(body, MOST_ANSWER).collect().await.map(|said| said.to_bytes());
        match head.status {
            status if status.is_success() => Ok(otlp::rejected(&said.unwrap_or_default())),
            // OTLP/HTTP, "Retryable Response Codes".
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Err(Not::Now(status.to_string(), wait)),
            status => Err(Not::Ever(status.to_string())),
        }
    }
}
