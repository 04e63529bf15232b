//! The stand-in for a cloud behind a link that is simulated: what it answers is real, when it is there follows from the trace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use troika_dialogue::{
    Fault, FromCloud, Traffic, Upstream,
    chat::{ChatRequest, ToolCall},
};
use troika_expert::{
    Expert,
    chat::{self, Request, Step},
};
use troika_kit::Duration;
use troika_router::simulate::{Air, Pace};

/// Headers and TLS of a request, and of an event of the stream, bytes.
const A_REQUEST: usize = 600;
const AN_EVENT: usize = 250;
/// The other side closes a connection that carried nothing for so long, s.
const IDLE_S: f64 = 30.0;
/// The client's own patience for a connection, and for an answer's head, s (the time-outs of the HTTPS client are longer than the turn's).
const GIVES_UP_S: f64 = 30.0;

/// Something that the service says, when it is there.
#[derive(Debug, Clone)]
pub struct Due {
    /// When, s.
    pub at: f64,
    /// In which stream.
    pub stream: u64,
    /// What.
    pub what: FromCloud,
    /// What the stream carried until then; with its last word.
    pub traffic: Option<Traffic>,
}

#[derive(Default)]
struct Inner {
    now: f64,
    due: Vec<Due>,
    /// When the connection carried something last.
    connected: Option<f64>,
    sent: u64,
    asked: u64,
    bytes: u64,
    /// Every word that left.
    left: String,
}

/// What the service and who runs it share.
#[derive(Clone, Default)]
pub struct Sky(Arc<Mutex<Inner>>);

impl Sky {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is so late.
    pub fn set(&self, now: f64) {
        self.inner().now = now;
    }

    /// When something comes next.
    pub fn next(&self) -> Option<f64> {
        self.inner().due.iter().map(|due| due.at).reduce(f64::min)
    }

    /// What is there by now, in its order.
    pub fn take(&self, now: f64) -> Vec<Due> {
        let mut inner = self.inner();
        let (mut there, later): (Vec<Due>, Vec<Due>) =
            std::mem::take(&mut inner.due).into_iter().partition(|due| due.at <= now);
        inner.due = later;
        there.sort_by(|a, b| a.at.total_cmp(&b.at));
        for due in &there {
            inner.connected = (!matches!(due.what, FromCloud::Failed(_))).then_some(due.at);
            inner.bytes += match &due.what {
                FromCloud::Text(_) => AN_EVENT as u64,
                FromCloud::Tools(calls) => (AN_EVENT * (1 + calls.len())) as u64,
                _ => 0,
            };
        }
        there
    }

    /// Every request's body so far: what the service was told.
    pub fn left(&self) -> String {
        self.inner().left.clone()
    }

    /// Requests so far, and bytes both ways.
    pub fn counts(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.asked, inner.sent + inner.bytes)
    }
}

/// The service, as the session sees it.
pub struct Service {
    /// Where it leaves what it says.
    pub sky: Sky,
    /// The link between.
    pub air: Air,
    /// How fast it is.
    pub pace: Pace,
    /// Where its pace varies from.
    pub chance: fastrand::Rng,
    /// Who answers.
    pub expert: Expert,
}

impl Service {
    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.chance.f64(), self.chance.f64());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

impl Upstream for Service {
    fn start(&mut self, stream: u64, request: ChatRequest) {
        let body = request.body();
        let text = body.to_string();
        let size = text.len() + A_REQUEST;
        let step = serde_json::from_value::<Request>(body).map(|request| self.expert.step(&request));
        let first = self.pace.first_token_s * (self.pace.spread * self.normal()).exp();
        let mut inner = self.sky.inner();
        let now = inner.now;
        inner.asked += 1;
        inner.sent += size as u64;
        inner.left.push_str(&text);
        inner.left.push('\n');
        let open = inner.connected.is_some_and(|then| now - then < IDLE_S);
        let (air, tokens_per_s) = (&self.air, self.pace.tokens_per_s);
        // One round trip on a connection that is open; TCP's and TLS 1.3's before it else.
        let round_trips = if open { 1 } else { 3 };
        let connected = air.through(now, round_trips, |time| air.rtt(time))[round_trips - 1];
        let uploaded =
            air.through(connected, 1, |time| size as f64 * 8.0 / 1000.0 / air.up_kbps(time).max(1.0))[0];
        let event = |time: f64| {
            (AN_EVENT as f64 * 8.0 / 1000.0 / air.down_kbps(time).max(1.0)).max(1.0 / tokens_per_s)
        };
        let said: Vec<FromCloud> = match step {
            Err(_) => vec![FromCloud::Failed(Fault::Refused { status: 400, said: "not understood".into() })],
            Ok(Step::Say(text)) => {
                let words = chat::tokens(&text).into_iter().map(FromCloud::Text);
                words.chain([FromCloud::Done]).collect()
            }
            Ok(Step::Calls(calls)) => {
                let calls = calls.iter().enumerate().map(|(at, call)| ToolCall {
                    id: format!("{stream}-{at}"),
                    name: call.name.clone(),
                    arguments: json!(call.arguments).to_string(),
                });
                vec![FromCloud::Tools(calls.collect())]
            }
        };
        let times = air.through(uploaded + first, said.len(), event);
        let (head, last) = (times[0], times[times.len() - 1]);
        let longest = times.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
        let span = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
        let traffic = Traffic {
            sent: size as u32,
            received: (said.len() * AN_EVENT) as u32,
            head: Some(span(head - now)),
            took: span(last - head),
            longest_wait: span(longest),
        };
        let count = said.len();
        for (n, (at, what)) in times.into_iter().zip(said).enumerate() {
            if at > now + GIVES_UP_S {
                let what = FromCloud::Failed(Fault::Timeout("an answer"));
                inner.due.push(Due { at: now + GIVES_UP_S, stream, what, traffic: None });
                break;
            }
            let traffic = (n + 1 == count).then_some(traffic);
            inner.due.push(Due { at, stream, what, traffic });
        }
    }

    fn stop(&mut self, stream: u64) {
        let mut inner = self.sky.inner();
        // The end of a stream that was listened to takes the connection along.
        let before = inner.due.len();
        inner.due.retain(|due| due.stream != stream);
        if inner.due.len() < before {
            inner.connected = None;
        }
    }
}
