//! One answer on its way: at the script's pace, or as the model says it; with the fault that it is to have.

use std::{io, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use http_body::Frame;
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{Connection, Inner, Settings};
use crate::{
    chat::{self, Answer, Envelope},
    embedded::{Answering, Heard},
    fault::Fault,
};

/// What is sent has left the machine's buffers after so long.
const SENT: Duration = Duration::from_millis(50);

/// Events as they come; an error breaks the connection off.
pub(super) struct Events(pub(super) mpsc::Receiver<Result<Bytes, io::Error>>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|next| next.map(|next| next.map(Frame::data)))
    }
}

/// Who says it.
pub(super) enum Source {
    /// All of it is known; with the counts, where they are wanted.
    Script { answer: Answer, usage: Option<String> },
    /// It comes; whether counts are wanted.
    Model { answering: Answering, envelope: Envelope, usage: bool },
}

/// One answer, on its way.
pub(super) struct Stream {
    pub(super) number: u64,
    pub(super) fault: Option<Fault>,
    pub(super) connection: Connection,
    pub(super) send: mpsc::Sender<Result<Bytes, io::Error>>,
}

impl Stream {
    pub(super) async fn run(self, source: Source, inner: Arc<Inner>, mut stop: watch::Receiver<bool>) {
        let sending = async {
            match source {
                Source::Script { answer, usage } => self.script(&inner.settings, &answer, usage).await,
                Source::Model { answering, envelope, usage } => self.model(answering, &envelope, usage).await,
            }
        };
        let ended = tokio::select! {
            ended = sending => ended,
            () = self.send.closed() => "client_closed",
            _ = stop.wait_for(|stop| *stop) => "stopped",
        };
        inner.write(&json!({"request": self.number, "ended": ended}));
    }

    async fn script(&self, settings: &Settings, answer: &Answer, usage: Option<String>) -> &'static str {
        let mut random = fastrand::Rng::with_seed(settings.seed ^ self.number.rotate_left(32));
        let mut wait =
            |long: Duration| long.mul_f64(1.0 + settings.jitter.clamp(0.0, 1.0) * (2.0 * random.f64() - 1.0));
        let pause = if settings.tokens_per_second > 0.0 {
            Duration::from_secs_f64(1.0 / settings.tokens_per_second)
        } else {
            Duration::ZERO
        };
        sleep(wait(settings.first_token)).await;
        let mut pieces = answer.pieces().into_iter();
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
        self.last(waiting, &answer.last(), usage).await
    }

    async fn model(&self, mut answering: Answering, envelope: &Envelope, usage: bool) -> &'static str {
        // The role comes with the first token.
        let mut waiting = event(&envelope.role());
        let mut sent = 0;
        loop {
            match answering.next().await {
                Some(Heard::Begun) => {}
                Some(Heard::Text(text)) => {
                    if let Some(ended) = self.fails(sent).await {
                        return ended;
                    }
                    sent += 1;
                    if text.is_empty() {
                        // The letter ends with a later token.
                        continue;
                    }
                    waiting.push_str(&event(&envelope.text(&text)));
                    if !self.send(std::mem::take(&mut waiting)).await {
                        return "client_closed";
                    }
                }
                Some(Heard::End { finish, prompt_tokens, completion_tokens }) => {
                    let last = envelope.chunk(json!({}), Some(finish));
                    let usage = usage.then(|| envelope.usage(chat::usage(prompt_tokens, completion_tokens)));
                    return self.last(waiting, &last, usage).await;
                }
                Some(Heard::Refused(why) | Heard::Failed(why)) => return self.breaks(&why).await,
                None => return self.breaks("the service is stopped").await,
            }
        }
    }

    /// Ends with an error, after whole events.
    async fn breaks(&self, why: &str) -> &'static str {
        let error = json!({"error": {"message": why, "type": "stand_in", "code": 502}});
        self.send(format!("event: error\n{}", event(&error.to_string()))).await;
        "failed"
    }

    async fn last(&self, waiting: String, last: &str, usage: Option<String>) -> &'static str {
        // An answer that is shorter than the fault is late fails at its end.
        if self.fault.is_some()
            && let Some(ended) = self.fails(usize::MAX).await
        {
            return ended;
        }
        let mut all = waiting + &event(last);
        if let Some(usage) = &usage {
            all.push_str(&event(usage));
        }
        all.push_str(&event("[DONE]"));
        if self.send(all).await { "whole" } else { "client_closed" }
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
