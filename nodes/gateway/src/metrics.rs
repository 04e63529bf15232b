//! What is counted, for Prometheus. No vehicle is a label: their number has no bound.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// The model, or `unknown`.
    pub model: String,
    /// Who answered, or `none`.
    pub upstream: String,
    /// HTTP status.
    pub status: u16,
    /// How it ended.
    pub end: &'static str,
}

/// Of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Upstream {
    /// Its name.
    pub upstream: String,
}

/// Of a failure of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Failure {
    /// Its name.
    pub upstream: String,
    /// What failed.
    pub fault: &'static str,
}

/// Of something refused, or lost.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Why {
    /// Why.
    pub why: &'static str,
}

/// Everything that is counted.
#[derive(Default)]
pub struct Metrics {
    registry: Registry,
    /// Requests that have ended.
    pub requests: Family<Request, Counter>,
    /// Tokens asked and answered.
    pub tokens: Counter,
    /// Millionths of a euro.
    pub micro_euro: Counter,
    /// From arrival to the first byte, s.
    pub first_byte: Option<Histogram>,
    /// From arrival to the end, s.
    pub total: Option<Histogram>,
    /// What upstreams failed at.
    pub failures: Family<Failure, Counter>,
    /// At an upstream now.
    pub running: Family<Upstream, Gauge>,
    /// 1: asked; 0: left alone, its breaker is open.
    pub asked: Family<Upstream, Gauge>,
    /// In the queue now.
    pub waiting: Gauge,
    /// Vehicles' connections now.
    pub connections: Gauge,
    /// 1: a router of the fleet's has us; 0: none, or zenoh is not asked for.
    pub router: Gauge,
    /// Requests over zenoh now.
    pub mesh_running: Gauge,
    /// Requests over zenoh that were taken back, or whose vehicle went.
    pub mesh_left: Family<Why, Counter>,
    /// Requests over zenoh that were not taken.
    pub mesh_refused: Family<Why, Counter>,
    /// Connections that came to nothing.
    pub refused: Family<Why, Counter>,
    /// Connections that were closed for their certificate.
    pub closed: Family<Why, Counter>,
    /// Lines of the record that were not written.
    pub audit_lost: Counter,
    /// Writes of the store that failed.
    pub store_failed: Counter,
    /// The certificates were read again and were no good.
    pub reload_failed: Counter,
    /// Answers from memory.
    pub cached: Counter,
    /// Deliveries that were kept.
    pub delivered: Counter,
    /// Spans that a collector took.
    pub trace_sent: Counter,
    /// Spans that none took.
    pub trace_lost: Family<Why, Counter>,
}

impl Metrics {
    /// All at nothing.
    pub fn new() -> Metrics {
        // From 1 ms to 131 s: a first token may take long.
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 18));
        let mut metrics =
            Metrics { first_byte: Some(seconds()), total: Some(seconds()), ..Metrics::default() };
        let mut registry = Registry::with_prefix("gateway");
        let m = &metrics;
        registry.register("requests", "Requests that have ended", m.requests.clone());
        registry.register("tokens", "Tokens asked and answered", m.tokens.clone());
        registry.register("cost_micro_euro", "Millionths of a euro", m.micro_euro.clone());
        for (name, help, one) in [
            ("first_byte_seconds", "From a request's arrival to the answer's first byte", &m.first_byte),
            ("total_seconds", "From a request's arrival to its end", &m.total),
        ] {
            if let Some(one) = one {
                registry.register(name, help, one.clone());
            }
        }
        registry.register("upstream_failures", "What upstreams failed at", m.failures.clone());
        registry.register("upstream_running", "Requests at an upstream now", m.running.clone());
        registry.register("upstream_asked", "1: asked; 0: left alone after failures", m.asked.clone());
        registry.register("waiting", "Requests in the queue now", m.waiting.clone());
        registry.register("connections", "Connections of vehicles now", m.connections.clone());
        registry.register("router", "1: a zenoh router has us", m.router.clone());
        registry.register("mesh_running", "Requests over zenoh now", m.mesh_running.clone());
        registry.register(
            "mesh_left",
            "Requests over zenoh whose vehicle took them back or went",
            m.mesh_left.clone(),
        );
        registry.register("mesh_refused", "Requests over zenoh that were not taken", m.mesh_refused.clone());
        registry.register("connections_refused", "Connections that came to nothing", m.refused.clone());
        registry.register("connections_closed", "Connections closed for their certificate", m.closed.clone());
        registry.register("audit_lost", "Lines of the record that were not written", m.audit_lost.clone());
        registry.register("store_failed", "Writes of the store that failed", m.store_failed.clone());
        registry.register(
            "reload_failed",
            "Certificates read again that were no good",
            m.reload_failed.clone(),
        );
        registry.register("cached", "Answers from memory", m.cached.clone());
        registry.register("delivered", "Deliveries that were kept", m.delivered.clone());
        registry.register("trace_sent", "Spans that the collector took", m.trace_sent.clone());
        registry.register("trace_lost", "Spans that no collector took", m.trace_lost.clone());
        metrics.registry = registry;
        metrics
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
