//! One request's account: whatever becomes of it, it is written down, counted and charged once, when this is dropped.

use std::sync::Arc;

use troika_dialogue::otlp::{Kind, Span};
use troika_kit::Time;

use crate::{
    audit::Entry,
    clock,
    gate::Permit,
    gateway::Gateway,
    identity::VehicleId,
    metrics,
    quota::Held,
    request::Refusal,
    spans::Steps,
    trace::{self, Trace},
};

/// A request from its arrival to its end.
pub struct Job {
    /// The whole.
    pub gateway: Arc<Gateway>,
    /// Who asks.
    pub vehicle: VehicleId,
    /// Where it stands in its trace.
    pub trace: Trace,
    /// When it came.
    pub began: Time,
    /// Room at the upstream that answers, until it has.
    pub permit: Option<Permit>,
    /// That upstream, for its price.
    pub upstream: Option<usize>,
    /// What is promised of the quotas.
    pub held: Option<Held>,
    /// The line that is written down.
    pub entry: Entry,
    /// Tokens are to be paid: an upstream has begun to answer.
    pub payable: bool,
    /// What it went through, where its trace is recorded.
    steps: Option<Steps>,
}

impl Job {
    /// It has come.
    pub fn new(gateway: &Arc<Gateway>, vehicle: &VehicleId, trace: Trace) -> Job {
        let entry = Entry {
            at: clock::text(clock::seconds(clock::wall())),
            vehicle: vehicle.as_str().into(),
            model: "unknown".into(),
            upstream: None,
            // Until it is told otherwise: the vehicle went. 499 as nginx has it.
            status: 499,
            end: "left",
            streamed: false,
            cached: false,
            tries: 0,
            bytes_in: 0,
            bytes_out: 0,
            tokens_in: 0,
            tokens_out: 0,
            estimated: true,
            queue_ms: 0,
            first_byte_ms: None,
            total_ms: 0,
            cost_micro_euro: 0,
            trace: trace.id(),
        };
        let steps = gateway.tracer.records(&trace).then(Steps::default);
        // Who is asked next hears that it is recorded.
        let trace = Trace { flags: trace.flags | u8::from(steps.is_some()), ..trace };
        Job {
            steps,
            gateway: gateway.clone(),
            vehicle: vehicle.clone(),
            trace,
            began: clock::now(),
            permit: None,
            upstream: None,
            held: None,
            entry,
            payable: false,
        }
    }

    /// It is refused.
    pub fn refused(&mut self, refusal: &Refusal) {
        self.entry.status = refusal.status;
        self.entry.end = refusal.code;
    }

    /// It waited for room at an upstream since then; whether it got any.
    pub fn waited(&mut self, since: Time, entered: bool) {
        let now = clock::now();
        self.entry.queue_ms += millis(now.since(since));
        if let Some(steps) = &mut self.steps {
            let mut wait =
                Span::new(self.trace.child(trace::random()).at(), Kind::Internal, "queue".into(), since);
            (wait.ended, wait.error) = (now, (!entered).then_some("no room"));
            steps.ended.push(wait);
        }
    }

    /// An upstream is asked; where the request stands for it.
    pub fn calls(&mut self, upstream: &str) -> Trace {
        let Some(steps) = &mut self.steps else { return self.trace };
        let at = self.trace.child(trace::random());
        let name = format!("chat {}", self.entry.model);
        let mut call = Span::new(at.at(), Kind::Client, name, clock::now());
        call.about = vec![
            ("troika.upstream", upstream.into()),
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.request.model", self.entry.model.as_str().into()),
        ];
        steps.calls(call);
        at
    }

    /// It has answered, or not.
    pub fn called(&mut self, error: Option<&'static str>) {
        if let Some(steps) = &mut self.steps {
            steps.called(clock::now(), error);
        }
    }

    /// The answer's first byte is there.
    pub fn first_byte(&mut self) {
        if let Some(steps) = &mut self.steps {
            steps.first_byte(clock::now());
        }
        if self.entry.first_byte_ms.is_none() {
            let took = clock::now().since(self.began);
            self.entry.first_byte_ms = Some(millis(took));
            if let Some(histogram) = &self.gateway.metrics.first_byte {
                histogram.observe(took.as_secs_f64());
            }
        }
    }
}

/// Whole ms.
pub fn millis(time: troika_kit::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Job {
    fn drop(&mut self) {
        let (now, gateway) = (clock::now(), &self.gateway);
        let upstream = self.upstream.and_then(|at| gateway.upstreams.get(at));
        let entry = &mut self.entry;
        if !self.payable {
            (entry.tokens_in, entry.tokens_out, entry.estimated) = (0, 0, false);
        }
        let tokens = entry.tokens_in.saturating_add(entry.tokens_out);
        entry.cost_micro_euro = upstream.map_or(0, |one| one.cost(tokens));
        entry.total_ms = millis(now.since(self.began));
        if let Some(held) = self.held.take() {
            gateway.book().settle(now, held, tokens, entry.cost_micro_euro);
        }
        gateway.audit.write(entry);
        gateway
            .metrics
            .requests
            .get_or_create(&metrics::Request {
                model: entry.model.clone(),
                upstream: entry.upstream.clone().unwrap_or_else(|| "none".into()),
                status: entry.status,
                end: entry.end,
            })
            .inc();
        gateway.metrics.tokens.inc_by(tokens);
        gateway.metrics.micro_euro.inc_by(entry.cost_micro_euro);
        if let Some(histogram) = &gateway.metrics.total {
            histogram.observe(now.since(self.began).as_secs_f64());
        }
        let fine = matches!(entry.end, "done" | "left");
        gateway.board().request(now, &self.vehicle, fine, entry.first_byte_ms, entry.cost_micro_euro);
        if let Some(mut steps) = self.steps.take() {
            // A stream that the vehicle left, or a time that was over, in mid-call.
            steps.called(now, (!fine).then_some(entry.end));
            let mut whole =
                Span::new(self.trace.at(), Kind::Server, "POST /v1/chat/completions".into(), self.began);
            whole.ended = now;
            // What the vehicle did wrong is no error of ours: the semantic conventions for HTTP servers.
            whole.error = (!fine && !(400..500).contains(&entry.status)).then_some(entry.end);
            whole.about = vec![
                ("http.request.method", "POST".into()),
                ("url.path", "/v1/chat/completions".into()),
                ("http.response.status_code", entry.status.into()),
                ("gen_ai.operation.name", "chat".into()),
                ("gen_ai.request.model", entry.model.as_str().into()),
                ("gen_ai.usage.input_tokens", entry.tokens_in.into()),
                ("gen_ai.usage.output_tokens", entry.tokens_out.into()),
                ("troika.vehicle", entry.vehicle.as_str().into()),
                ("troika.end", entry.end.into()),
                ("troika.cached", entry.cached.into()),
                ("troika.tries", entry.tries.into()),
                ("troika.cost_micro_euro", entry.cost_micro_euro.into()),
            ];
            steps.ended.push(whole);
            gateway.tracer.send(steps.ended);
        }
    }
}
