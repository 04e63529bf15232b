//! A dialogue: turn after turn, with what was said before, the tools, the service and the vehicle's model. It has no clock and no thread;
//! time and what the streams say come in, sentences go out.

use troika_kit::Time;

use crate::{
    breaker::{Breaker, Limits},
    chat::{ChatRequest, Message, ToolCall, ToolSpec},
    cloud::Upstream,
    fault::Fault,
    grounded::Facts,
    memory::{Audience, Memory},
    trace::Trace,
    turn::{Action, Ask, End, FromCloud, FromLocal, Pace, Reason, Turn},
};

/// The vehicle's model, as the dialogue sees it. Where its process is, and how it reads along, is its own matter.
pub trait LocalModel: Send {
    /// Reads this more of the answer that the cloud gives to `messages`, so that its context is warm; says nothing.
    fn shadow(&mut self, messages: &[Message], text: &str);
    /// Goes on from `so_far`, the beginning of the answer to `messages`. What it says comes back with the stream's number.
    fn go_on(&mut self, stream: u64, messages: &[Message], so_far: &str);
    /// Stops.
    fn stop(&mut self, stream: u64);
}

/// What the models may call. None of it moves anything: there is no door to the vehicle here.
pub trait Tools: Send {
    /// What there is.
    fn specs(&self) -> Vec<ToolSpec>;
    /// Carries one out. The result is JSON; of a call that is refused, `{"error": …}` with the way out, for the model to read.
    ///
    /// # Errors
    /// Why it is refused.
    fn call(&self, call: &ToolCall) -> Result<String, String>;
}

/// How a dialogue is held.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How the models are to answer.
    pub system: String,
    /// When what is waited for no longer.
    pub pace: Pace,
    /// When the service is left alone.
    pub limits: Limits,
    /// Tokens of memory that are sent along.
    pub memory_tokens: usize,
    /// Tokens of an answer.
    pub answer_tokens: u32,
}

impl Default for Manner {
    fn default() -> Self {
        Manner {
            system: "You are the assistant of a car. Answer in one to three short sentences that can be spoken. Use the tools for \
                     places, routes and times, and name only what they tell."
                .into(),
            pace: Pace::default(),
            limits: Limits::default(),
            memory_tokens: 600,
            answer_tokens: 300,
        }
    }
}

/// What is said, and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A sentence, or a part of one.
    Text {
        /// It.
        text: String,
        /// Whose.
        tier: crate::Tier,
    },
    /// The turn is over.
    End(End),
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Turns begun.
    pub turns: u64,
    /// Requests to the service.
    pub requests: u64,
    /// Turns that the vehicle's model took over from the cloud, after it was asked.
    pub handed_over: u64,
    /// Calls of tools that were carried out.
    pub calls: u64,
    /// Calls that were refused: no such tool, or arguments that it does not take.
    pub calls_refused: u64,
}

/// A dialogue.
pub struct Session {
    manner: Manner,
    upstream: Box<dyn Upstream>,
    local: Option<Box<dyn LocalModel>>,
    tools: Box<dyn Tools>,
    breaker: Breaker,
    memory: Memory,
    link: bool,
    turn: Option<Turn>,
    asked: String,
    trace: Option<Trace>,
    audience: Audience,
    /// Calls and results of this turn.
    told: Vec<Message>,
    next_stream: u64,
    requests_before: u64,
    counts: Counts,
}

impl Session {
    /// Nothing said yet; the link is taken to be there until it is told gone.
    pub fn new(
        manner: Manner,
        upstream: Box<dyn Upstream>,
        local: Option<Box<dyn LocalModel>>,
        tools: Box<dyn Tools>,
    ) -> Session {
        let (breaker, memory) = (Breaker::new(manner.limits), Memory::new(manner.memory_tokens));
        Session {
            manner,
            upstream,
            local,
            tools,
            breaker,
            memory,
            link: true,
            turn: None,
            asked: String::new(),
            trace: None,
            audience: Audience::Vehicle,
            told: Vec::new(),
            next_stream: 1,
            requests_before: 0,
            counts: Counts::default(),
        }
    }

    /// Counts since the start.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The service's breaker.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// What is remembered.
    pub fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// A question. One that is still being answered is ended first. `cloud`: what the router decided; `audience`: who may read the
    /// question, now and in later turns. What is for the vehicle alone is not asked of the cloud whatever was decided.
    pub fn ask(
        &mut self,
        now: Time,
        text: &str,
        deadline: Time,
        cloud: bool,
        audience: Audience,
    ) -> Vec<Said> {
        let mut said = self.barge_in(now);
        text.clone_into(&mut self.asked);
        self.audience = audience;
        self.told.clear();
        self.counts.turns += 1;
        self.requests_before = self.counts.requests;
        troika_safety::fulfils![SR_RTE_013];
        let not_cloud = if !cloud || audience == Audience::Vehicle {
            Some(Reason::Routed)
        } else if !self.link {
            Some(Reason::LinkGone)
        } else if !self.breaker.ask(now) {
            Some(Reason::BreakerOpen)
        } else {
            None
        };
        let ask = Ask { deadline, not_cloud, local: self.local.is_some() };
        let (turn, acts) = Turn::begin(now, self.manner.pace, ask, self.next_stream);
        self.turn = Some(turn);
        self.act(now, acts, &mut said);
        said
    }

    /// The questions from here on belong to this trace, until another is told.
    pub fn trace(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    /// The number of the next question's first stream, where none is under way.
    pub fn next_stream(&self) -> u64 {
        self.next_stream
    }

    /// Whether this is the service's stream that is listened to: one that was stopped is not.
    pub fn hears_cloud(&self, stream: u64) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.hears_cloud(stream))
    }

    /// Whether a word of the cloud is waited for.
    pub fn waits_for_cloud(&self) -> bool {
        self.turn.as_ref().is_some_and(Turn::waits_for_cloud)
    }

    /// The driver speaks, or says stop.
    pub fn barge_in(&mut self, now: Time) -> Vec<Said> {
        self.with(now, |turn| turn.cancel(now))
    }

    /// The service's stream says something.
    pub fn cloud(&mut self, now: Time, stream: u64, what: FromCloud) -> Vec<Said> {
        let known = self.hears_cloud(stream);
        if known {
            match &what {
                FromCloud::Failed(fault) => self.breaker.failed(now, fault),
                FromCloud::Done | FromCloud::Length | FromCloud::Tools(_) => self.breaker.succeeded(),
                // An answer that began may still break off.
                FromCloud::Text(_) => {}
            }
        }
        self.with(now, |turn| turn.cloud(now, stream, what))
    }

    /// The vehicle's model says something.
    pub fn local(&mut self, now: Time, stream: u64, what: FromLocal) -> Vec<Said> {
        self.with(now, |turn| turn.local(now, stream, what))
    }

    /// The link is there, or gone.
    pub fn link(&mut self, now: Time, there: bool) -> Vec<Said> {
        self.link = there;
        if there { Vec::new() } else { self.with(now, |turn| turn.link_gone(now)) }
    }

    /// The files that lead to the service are others: it is tried again, whatever it was left alone for.
    pub fn mended(&mut self, now: Time) {
        self.breaker.mended(now);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) -> Vec<Said> {
        self.with(now, |turn| turn.tick(now))
    }

    /// When [`Session::tick`] is wanted next.
    pub fn due(&self, now: Time) -> Option<Time> {
        self.turn.as_ref().and_then(|turn| turn.due(now))
    }

    fn with(&mut self, now: Time, event: impl FnOnce(&mut Turn) -> Vec<Action>) -> Vec<Said> {
        let mut said = Vec::new();
        if let Some(turn) = &mut self.turn {
            let acts = event(turn);
            self.act(now, acts, &mut said);
        }
        said
    }

    fn act(&mut self, now: Time, acts: Vec<Action>, said: &mut Vec<Said>) {
        for act in acts {
            match act {
                Action::StartCloud { stream } => {
                    self.counts.requests += 1;
                    let request = ChatRequest {
                        model: String::new(),
                        messages: self.messages(Audience::Cloud),
                        tools: self.tools.specs(),
                        most_tokens: self.manner.answer_tokens,
                    };
                    self.upstream.trace(self.trace.map(|trace| trace.parent(stream)));
                    self.upstream.start(stream, request);
                }
                Action::StopCloud { stream } => self.upstream.stop(stream),
                Action::Shadow { text } => {
                    let messages = self.messages(Audience::Vehicle);
                    self.model(|model| model.shadow(&messages, &text));
                }
                Action::ContinueLocal { stream, so_far } => {
                    troika_safety::fulfils![SR_RTE_008];
                    // Whoever is told of what is private may say it again: the answer is the vehicle's as well then.
                    if self.memory.is_private() {
                        self.audience = Audience::Vehicle;
                    }
                    let messages = self.messages(Audience::Vehicle);
                    self.model(|model| model.go_on(stream, &messages, &so_far));
                }
                Action::StopLocal { stream } => self.model(|model| model.stop(stream)),
                Action::CallTools(calls) => {
                    let facts = self.call(calls);
                    let acts = self.turn.as_mut().map(|turn| turn.tools_done(now, facts)).unwrap_or_default();
                    self.act(now, acts, said);
                }
                Action::Say { text, tier } => said.push(Said::Text { text, tier }),
                Action::End(end) => {
                    self.ended(now, &end);
                    said.push(Said::End(end));
                }
            }
        }
    }

    fn model(&mut self, order: impl FnOnce(&mut dyn LocalModel)) {
        if let Some(model) = &mut self.local {
            order(model.as_mut());
        }
    }

    fn messages(&self, audience: Audience) -> Vec<Message> {
        let mut messages = vec![Message::System(self.manner.system.clone())];
        messages.extend(self.memory.messages(audience));
        messages.push(Message::User(self.asked.clone()));
        messages.extend(self.told.iter().cloned());
        messages
    }

    /// Carries calls out; what was asked and what they told may be named afterwards.
    fn call(&mut self, calls: Vec<ToolCall>) -> Facts {
        let mut facts = Facts::from_text(&self.asked);
        self.told.push(Message::Calls(calls.clone()));
        for call in calls {
            let result = match self.tools.call(&call) {
                Ok(result) => {
                    self.counts.calls += 1;
                    facts.extend(Facts::from_text(&result));
                    result
                }
                Err(why) => {
                    troika_safety::fulfils![SR_RTE_005];
                    self.counts.calls_refused += 1;
                    serde_json::json!({ "error": why }).to_string()
                }
            };
            self.told.push(Message::Tool { id: call.id, result });
        }
        facts
    }

    fn ended(&mut self, now: Time, end: &End) {
        if let Some(turn) = &self.turn {
            self.next_stream = turn.next_stream();
        }
        let asked = self.counts.requests > self.requests_before;
        self.counts.handed_over += u64::from(asked && end.handed_over.is_some());
        // A stream that we gave up failed as much as one that was reset.
        let given_up = |why: &Reason| matches!(why, Reason::FirstTokenLate | Reason::Stalled);
        if end.handed_over.iter().chain(&end.cut).any(given_up) {
            self.breaker.failed(now, &Fault::Timeout("a token"));
        }
        // However it ended: a trial that came to nothing is made again.
        self.breaker.left(now);
        if !end.said.trim().is_empty() {
            self.memory.add(&self.asked, end.said.trim(), self.audience);
        }
    }
}

#[cfg(test)]
mod tests;
