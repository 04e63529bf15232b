//! A stream on its way from an upstream to a vehicle: event by event, nothing gathered. It ends with an error event where it breaks, and takes the
//! upstream's connection with it where the vehicle goes.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use troika_dialogue::Fault;
use troika_kit::Duration;

use crate::{
    clock,
    job::Job,
    sse::{Events, Means, error_event, means},
    upstream::body_fault,
};

/// An upstream has said its last and its connection may be used again when the rest, a few bytes, is read.
const REST: Duration = Duration::from_secs(1);
const REST_BYTES: usize = 4096;

/// The body of an answer.
pub struct Relay {
    job: Job,
    body: Option<Incoming>,
    events: Events,
    out: VecDeque<Bytes>,
    stall: Pin<Box<Sleep>>,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    wants_usage: bool,
    most: usize,
    taken: usize,
    said: bool,
    over: bool,
    keep: Option<(Bytes, BytesMut, usize)>,
}

/// What a stream is held to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// No further byte for so long.
    pub stall: Duration,
    /// The whole ends then.
    pub deadline: Instant,
    /// Bytes.
    pub most: usize,
    /// The vehicle asked for the count of tokens.
    pub wants_usage: bool,
}

impl Relay {
    /// Reads on until the first event is there, so that an upstream that fails before it can still be replaced. The job comes back where it does.
    ///
    /// # Errors
    /// What the upstream failed at. The caller has set the time for it.
    pub async fn begin(
        job: &mut Option<Job>,
        mut body: Incoming,
        bounds: Bounds,
        keep: Option<(Bytes, usize)>,
    ) -> Result<Relay, Fault> {
        let mut events = Events::new();
        let mut taken = 0;
        let first = loop {
            let Some(frame) = body.frame().await else { return Err(Fault::Truncated) };
            let Ok(data) = frame.map_err(|error| body_fault(&error))?.into_data() else { continue };
            taken += data.len();
            let too_large = |_| Fault::TooLarge { what: "one event", limit: crate::sse::MOST_EVENT };
            let found = events.push(&data).map_err(too_large)?;
            // Comments keep a connection open and are no answer.
            if let Some(first) = found.iter().map(|event| means(event)).find(|means| *means != Means::Other) {
                if first == Means::Error {
                    return Err(Fault::Server { status: 500, retry_after: None });
                }
                break found;
            }
        };
        let Some(mut job) = job.take() else { return Err(Fault::Cancelled) };
        job.first_byte();
        if let Some(permit) = &job.permit {
            permit.begun();
        }
        job.payable = true;
        job.entry.status = 200;
        let mut relay = Relay {
            job,
            body: Some(body),
            events,
            out: VecDeque::new(),
            stall: Box::pin(sleep_until(Instant::now() + bounds.stall)),
            patience: bounds.stall,
            deadline: Box::pin(sleep_until(bounds.deadline)),
            wants_usage: bounds.wants_usage,
            most: bounds.most,
            taken,
            said: false,
            over: false,
            keep: keep.map(|(request, most)| (request, BytesMut::new(), most)),
        };
        relay.take(first);
        Ok(relay)
    }

    fn take(&mut self, found: Vec<Bytes>) {
        for event in found {
            if self.over || self.said {
                return;
            }
            let entry = &mut self.job.entry;
            match means(&event) {
                Means::Done => {
                    self.said = true;
                    self.well();
                }
                Means::Error => {
                    return self.fail(
                        502,
                        "upstream_error",
                        Some(Fault::Server { status: 500, retry_after: None }),
                    );
                }
                Means::Usage { prompt, answer, alone } => {
                    (entry.tokens_in, entry.tokens_out, entry.estimated) = (prompt, answer, false);
                    if alone && !self.wants_usage {
                        continue;
                    }
                }
                Means::Piece { .. } if entry.estimated => entry.tokens_out += 1,
                Means::Piece { .. } | Means::Other => {}
            }
            if let Some((_, kept, most)) = &mut self.keep {
                kept.extend_from_slice(&event);
                if kept.len() > *most {
                    self.keep = None;
                }
            }
            self.out.push_back(event);
        }
    }

    /// It was answered to the end.
    fn well(&mut self) {
        self.job.entry.end = "done";
        self.job.called(None);
        // The vehicle's part of the way is not the upstream's room: it comes back now.
        if let Some(mut permit) = self.job.permit.take() {
            permit.answered();
            self.job.gateway.was(permit.upstream, Ok(()));
        }
    }

    fn fail(&mut self, status: u16, code: &'static str, fault: Option<Fault>) {
        self.over = true;
        self.body = None;
        self.keep = None;
        self.job.entry.end = code;
        self.job.called(Some(code));
        if let (Some(mut permit), Some(fault)) = (self.job.permit.take(), fault) {
            self.job.gateway.was(permit.upstream, Err(&fault));
            permit.failed(fault);
        }
        self.out.push_back(error_event(status, code, "the answer could not be finished"));
    }

    fn finish(&mut self) {
        self.over = true;
        if let Some((request, mut kept, _)) = self.keep.take() {
            // The last event is put when it is sent: it is in `kept` already.
            let body = kept.split().freeze();
            self.job.gateway.cache().put(clock::now(), &self.job.vehicle, request, body);
        }
        if let Some(rest) = self.body.take() {
            tokio::spawn(timeout(REST, Limited::new(rest, REST_BYTES).collect()));
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.out.pop_front() {
                this.job.entry.bytes_out += event.len();
                return Poll::Ready(Some(Ok(Frame::data(event))));
            }
            if this.over {
                return Poll::Ready(None);
            }
            let Some(body) = &mut this.body else {
                this.over = true;
                continue;
            };
            match Pin::new(body).poll_frame(cx) {
                // The end was said; what may follow is of no interest to the vehicle.
                _ if this.said => this.finish(),
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    this.taken += data.len();
                    this.stall.as_mut().reset(Instant::now() + this.patience);
                    let too_large = Fault::TooLarge { what: "one answer", limit: this.most };
                    match this.events.push(&data) {
                        Ok(_) | Err(_) if this.taken > this.most => {
                            this.fail(502, "too_large", Some(too_large))
                        }
                        Ok(found) => this.take(found),
                        Err(_) => this.fail(502, "too_large", Some(too_large)),
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let fault = body_fault(&error);
                    this.fail(502, fault.name(), Some(fault));
                }
                Poll::Ready(None) => this.fail(502, "truncated", Some(Fault::Truncated)),
                Poll::Pending => {
                    if this.deadline.as_mut().poll(cx).is_ready() {
                        // Its tokens came; that the answer is long is not the upstream's fault.
                        this.fail(504, "total", None);
                    } else if this.stall.as_mut().poll(cx).is_ready() {
                        this.fail(504, "stall", Some(Fault::Timeout("a token")));
                    } else {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}
