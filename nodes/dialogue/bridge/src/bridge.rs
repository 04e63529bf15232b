//! What the dialogue's process does, without a clock, a thread or a socket: a question waits for the router's decision, is asked of who
//! may and can, and what is answered goes out word by word as messages and sentence by sentence to be spoken.
//!
//! A question that no router decided on within [`DECISION_WITHIN`] is answered in the vehicle: nothing leaves undecided. Whether a
//! question may leave is asked once more here, of the same rule that the router asks (SR-RTE-001).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use troika_dialogue::{
    Audience, Fault, FromCloud, FromLocal, Navigation, Reason, Said, Session, Situation, Tier, Trace,
    Traffic, otlp::Span,
};
use troika_kit::{Duration, Time};
use troika_link::{Sample, Source};
use troika_msgs::{
    std_msgs::Header,
    troika::{
        DialogueReply, DialogueRequest, LanguageReply, LanguageRequest, LinkSample, LinkState,
        RoutingDecision, VoiceReply,
    },
};
use troika_router::{
    Policy, Request,
    privacy::{self, Stays},
};

use crate::{
    guard::Guard,
    local::OnVehicle,
    steps::{Steps, name_of},
};

mod current;
mod sentences;

use current::{Current, Missing, closes, of_private_things};
pub use sentences::Sentences;

/// How long a question waits for the router: it decides within 20 ms; the rest is for a machine on which everything is late. First words may
/// take 4 s and more.
pub const DECISION_WITHIN: Duration = Duration::from_millis(1_000);
/// Bytes of a question, at most: some five minutes of speech. A longer one is refused and not cut short.
pub const MOST_QUESTION: usize = 4096;
/// The reason of a reply to nobody: the files that lead to the cloud are others, so whoever leaves it alone may ask it again.
pub const FILES_CHANGED: &str = troika_router::node::FILES_CHANGED;
/// Nobody listens longer to one answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Questions that wait at once; the oldest is told that it was not answered.
const WAITING: usize = 4;
/// Decisions that came before their questions.
const DECISIONS: usize = 8;
/// A stream that says nothing for so long is told to be stalled, and again every so long.
const STALLED: Duration = Duration::from_secs(1);

/// What is to be published.
#[derive(Debug, Clone, PartialEq)]
pub enum Out {
    /// On /dialogue/reply.
    Reply(DialogueReply),
    /// On /voice/reply.
    Speech(VoiceReply),
    /// On /voice/language_request.
    Language(LanguageRequest),
    /// On /link/sample.
    Sample(LinkSample),
    /// What an operator should know, said once until it changes.
    Told(String),
    /// A question's steps, for a collector.
    Steps(Vec<Span>),
}

/// What the process knows besides its session.
pub struct Parts {
    /// What stands between it and the cloud.
    pub guard: Guard,
    /// The vehicle's model.
    pub local: OnVehicle,
    /// The policy: which words are private.
    pub policy: Arc<Policy>,
    /// The tools' view of where the vehicle is.
    pub navigation: Navigation,
    /// Where the service is.
    pub service: String,
    /// The service's name of its model.
    pub cloud_model: String,
    /// The name of the vehicle's.
    pub local_model: String,
    /// Fixed sentences.
    pub sentences: Sentences,
    /// Millionths of a euro for a token that is sent, and for one that comes.
    pub price: (f64, f64),
    /// Whether a collector wants the steps of each question.
    pub traced: bool,
}

/// The dialogue's process.
pub struct Bridge {
    session: Session,
    parts: Parts,
    waiting: VecDeque<Waiting>,
    decisions: VecDeque<RoutingDecision>,
    conversation: String,
    current: Option<Current>,
    /// What can be asked for without the cloud has been told.
    helped: bool,
    /// What was told of the service last; empty: it answers.
    trouble: String,
    out: Vec<Out>,
    /// The process is to end.
    stopping: bool,
}

struct Waiting {
    request: Request,
    trace: Trace,
    since: Time,
}

impl Bridge {
    /// With nothing asked.
    pub fn new(session: Session, parts: Parts) -> Bridge {
        Bridge {
            session,
            parts,
            waiting: VecDeque::new(),
            decisions: VecDeque::new(),
            conversation: String::new(),
            current: None,
            helped: false,
            trouble: String::new(),
            out: Vec::new(),
            stopping: false,
        }
    }

    /// Whether an answer is under way.
    pub fn answers(&self) -> bool {
        self.current.is_some()
    }

    /// A question came, and where and when the vehicle is.
    pub fn request(&mut self, now: Time, message: &DialogueRequest, here: Situation) -> Vec<Out> {
        self.parts.navigation.update(here);
        let request = Request::from_message(message, now);
        let trace =
            Trace::of(&message.request_id, message.header.time().as_nanos()).recorded(self.parts.traced);
        if message.text.trim().is_empty() {
            self.fixed(now, &request.id, DialogueReply::FAILED, "", "the request has no text");
            return std::mem::take(&mut self.out);
        }
        if message.text.len() > MOST_QUESTION {
            let why = too_long(message.text.len());
            self.fixed(now, &request.id, DialogueReply::FAILED, "", &why);
            return std::mem::take(&mut self.out);
        }
        if self.waiting.len() >= WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.fixed(now, &oldest.request.id, DialogueReply::CANCELLED, "", "newer questions came");
        }
        match self.decisions.iter().position(|one| one.request_id == request.id) {
            Some(at) => {
                let decision = self.decisions.remove(at);
                self.answer(now, &request, trace, decision.as_ref());
            }
            None => self.waiting.push_back(Waiting { request, trace, since: now }),
        }
        self.outputs(now)
    }

    /// The router decided.
    pub fn decision(&mut self, now: Time, decision: &RoutingDecision) -> Vec<Out> {
        match self.waiting.iter().position(|waiting| waiting.request.id == decision.request_id) {
            Some(at) => {
                if let Some(waiting) = self.waiting.remove(at) {
                    self.answer(now, &waiting.request, waiting.trace, Some(decision));
                }
            }
            None => {
                self.decisions.push_back(decision.clone());
                if self.decisions.len() > DECISIONS {
                    self.decisions.pop_front();
                }
            }
        }
        self.outputs(now)
    }

    /// The service's stream says something.
    pub fn cloud(&mut self, now: Time, stream: u64, what: FromCloud) -> Vec<Out> {
        // One that we ended ourselves says that it broke off: that is no fault of the link's, nor of the service's.
        let heard = self.session.hears_cloud(stream);
        if heard {
            if let Some(current) = &mut self.current {
                current.cloud = Some(now);
                current.stalled = None;
            }
            self.told(&what);
        }
        let sample = match &what {
            _ if !heard => None,
            FromCloud::Text(_) => None,
            FromCloud::Failed(fault) => fault.of_link().then(|| Sample::failed(Source::Passive)),
            FromCloud::Done | FromCloud::Length | FromCloud::Tools(_) => {
                self.current.as_ref().map(Current::measured)
            }
        };
        self.out.extend(sample.map(|sample| Out::Sample(stamped(now, &sample))));
        if let Some(steps) = self.steps(now) {
            match &what {
                FromCloud::Text(_) => steps.hears(now, stream),
                FromCloud::Tools(_) => {
                    steps.hears(now, stream);
                    steps.stream_ended(now, stream, None);
                }
                FromCloud::Done | FromCloud::Length => steps.stream_ended(now, stream, None),
                FromCloud::Failed(fault) => steps.stream_ended(now, stream, Some(fault.name())),
            }
        }
        for what in self.parts.guard.incoming(stream, what) {
            let said = self.session.cloud(now, stream, what);
            self.take(now, said);
        }
        self.outputs(now)
    }

    /// The steps of the question under way, with the requests that left since.
    fn steps(&mut self, now: Time) -> Option<&mut Steps> {
        let left = self.parts.guard.left();
        let steps = self.current.as_mut()?.steps.as_mut()?;
        for stream in left {
            steps.stream(now, stream, &self.parts.cloud_model);
        }
        Some(steps)
    }

    fn told(&mut self, what: &FromCloud) {
        let service = &self.parts.service;
        let told = match what {
            FromCloud::Failed(Fault::Cancelled) => return,
            FromCloud::Failed(fault) => format!("the cloud at {service}: {fault}"),
            FromCloud::Text(_) | FromCloud::Tools(_) if self.trouble.is_empty() => return,
            FromCloud::Text(_) | FromCloud::Tools(_) => {
                self.trouble.clear();
                return self.out.push(Out::Told(format!("the cloud at {service} answers again")));
            }
            FromCloud::Done | FromCloud::Length => return,
        };
        if told != self.trouble {
            self.trouble.clone_from(&told);
            self.out.push(Out::Told(told));
        }
    }

    /// What a stream has carried so far; it comes before each of the stream's words.
    pub fn traffic(&mut self, stream: u64, traffic: Traffic) {
        // One that was stopped may still say so: it is no part of the answer under way.
        if let Some(current) = self.current.as_mut().filter(|current| stream >= current.first_stream) {
            current.carried.insert(stream, traffic);
        }
    }

    /// The model's process gave a sign of life.
    pub fn language_beats(&mut self, now: Time) {
        self.parts.local.alive(now);
    }

    /// The model on the vehicle says something.
    pub fn language(&mut self, now: Time, reply: &LanguageReply) -> Vec<Out> {
        if let Some((stream, words)) = self.parts.local.hear(now, reply) {
            for what in words {
                self.local(now, stream, what);
            }
        }
        self.outputs(now)
    }

    /// What is known of the link.
    pub fn link(&mut self, now: Time, state: &LinkState) -> Vec<Out> {
        let said = self.session.link(now, state.state != LinkState::DOWN);
        self.take(now, said);
        self.outputs(now)
    }

    /// Somebody speaks.
    pub fn speaking(&mut self, now: Time) -> Vec<Out> {
        let said = self.session.barge_in(now);
        self.take(now, said);
        self.outputs(now)
    }

    /// The process ends: so does the answer under way, which nobody has interrupted.
    pub fn stopping(&mut self, now: Time) -> Vec<Out> {
        self.stopping = true;
        self.speaking(now)
    }

    /// The files that lead to the cloud are others than before, and fit: it is asked again at once, whatever it was left alone for. Told
    /// to the router by a reply that belongs to no question.
    pub fn renewed(&mut self, now: Time) -> Vec<Out> {
        self.session.mended(now);
        self.out.push(Out::Reply(DialogueReply {
            header: Header::at(now),
            done: true,
            tier: DialogueReply::CLOUD,
            outcome: DialogueReply::COMPLETE,
            reason: FILES_CHANGED.to_owned(),
            ..DialogueReply::default()
        }));
        self.outputs(now)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) -> Vec<Out> {
        troika_safety::fulfils![SR_RTE_009];
        let overdue = |waiting: &Waiting| now.since(waiting.since) >= DECISION_WITHIN;
        while self.waiting.front().is_some_and(overdue)
            && let Some(waiting) = self.waiting.pop_front()
        {
            self.answer(now, &waiting.request, waiting.trace, None);
        }
        if let Some((stream, what)) = self.parts.local.tick(now) {
            self.local(now, stream, what);
        }
        let said = self.session.tick(now);
        self.take(now, said);
        self.watch(now);
        self.outputs(now)
    }

    /// When [`Bridge::tick`] is wanted next.
    pub fn due(&self, now: Time) -> Option<Time> {
        let decision = self.waiting.front().map(|waiting| waiting.since + DECISION_WITHIN);
        decision.into_iter().chain(self.session.due(now)).chain(self.parts.local.due(now)).min()
    }

    fn answer(&mut self, now: Time, request: &Request, trace: Trace, decision: Option<&RoutingDecision>) {
        // Who asked before hears how that ended first, whoever answers now; and it belongs to that conversation.
        let said = self.session.barge_in(now);
        self.take(now, said);
        if request.conversation != self.conversation {
            self.conversation.clone_from(&request.conversation);
            self.session.memory().clear();
            self.parts.guard.begin();
        }
        let tier = decision.map_or(DialogueReply::ON_VEHICLE, |decision| decision.tier);
        let reason = decision.map_or("no decision of a router came", |decision| decision.reason.as_str());
        match tier {
            DialogueReply::VEHICLE => {
                let text = self.parts.sentences.command.clone();
                return self.fixed(now, &request.id, DialogueReply::COMPLETE, &text, reason);
            }
            DialogueReply::CANNED => {
                let private = self.permit(request).is_err_and(of_private_things);
                let text = self.nobody(&request.text, private);
                return self.fixed(now, &request.id, DialogueReply::FAILED, &text, reason);
            }
            _ => {}
        }
        let permit = self.permit(request);
        let audience = if permit.is_ok() { Audience::Cloud } else { Audience::Vehicle };
        let private = permit.is_err_and(of_private_things);
        let cloud = tier == DialogueReply::CLOUD;
        match permit {
            Ok(permit) if cloud => self.parts.guard.permit(request, permit),
            _ => self.parts.guard.forbid(),
        }
        self.parts.local.begin(decision.is_some_and(|decision| decision.brief));
        self.current = Some(Current {
            request: request.id.clone(),
            question: request.text.clone(),
            private,
            sequence: 0,
            tier: DialogueReply::NONE,
            by_cloud: false,
            first_stream: self.session.next_stream(),
            carried: BTreeMap::new(),
            cloud: cloud.then_some(now),
            stalled: None,
            steps: self.parts.traced.then(|| {
                let mut steps = Steps::new(trace, request.asked);
                steps.decided(now, name_of(tier), reason);
                steps
            }),
        });
        self.session.trace(trace);
        let said = self.session.ask(now, &request.text, now + ANSWER_WITHIN, cloud, audience);
        self.take(now, said);
    }

    /// Whether it may leave, by the rule that the router asks.
    fn permit<'a>(&self, request: &'a Request) -> Result<privacy::Permit<'a>, Stays> {
        privacy::may_leave(request, self.parts.policy.words_say(&request.text))
    }

    /// What the vehicle's model said without its process, and streams that the guard refused.
    fn inner(&mut self, now: Time) {
        loop {
            let refused = self.parts.guard.refused();
            let said = self.parts.local.said();
            if refused.is_empty() && said.is_empty() {
                return;
            }
            for (stream, what) in refused {
                let said = self.session.cloud(now, stream, what);
                self.take(now, said);
            }
            for (stream, what) in said {
                self.local(now, stream, what);
            }
        }
    }

    fn local(&mut self, now: Time, stream: u64, what: FromLocal) {
        let said = self.session.local(now, stream, what);
        self.take(now, said);
    }

    /// A stream from which nothing comes is told to the link.
    fn watch(&mut self, now: Time) {
        let Some(current) = &mut self.current else { return };
        if !self.session.waits_for_cloud() {
            current.cloud = None;
        }
        let Some(last) = current.cloud else { return };
        let told = current.stalled.unwrap_or(last);
        if now.since(told) >= STALLED {
            current.stalled = Some(now);
            self.out.push(Out::Sample(stamped(now, &Sample::stalled(now.since(last)))));
        }
    }

    fn take(&mut self, now: Time, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Text { text, tier } => self.say(now, &text, tier),
                Said::End(end) => self.end(now, &end),
            }
        }
    }

    fn say(&mut self, now: Time, text: &str, tier: Tier) {
        let Some(current) = &mut self.current else { return };
        let (code, model) = match tier {
            Tier::Cloud => (DialogueReply::CLOUD, &self.parts.cloud_model),
            Tier::Local => (DialogueReply::ON_VEHICLE, &self.parts.local_model),
        };
        let changed = current.tier == DialogueReply::CLOUD && code != current.tier;
        current.tier = code;
        current.by_cloud |= code == DialogueReply::CLOUD;
        self.helped &= code != DialogueReply::CLOUD;
        if let Some(steps) = &mut current.steps {
            steps.says(now, name_of(code));
        }
        self.out.push(Out::Reply(DialogueReply {
            header: Header::at(now),
            request_id: current.request.clone(),
            sequence: current.sequence,
            text: text.to_owned(),
            tier: code,
            reason: if changed { "the vehicle's model goes on".into() } else { String::new() },
            model: model.clone(),
            ..DialogueReply::default()
        }));
        current.sequence += 1;
        self.out.push(Out::Speech(speech(now, &current.request, text)));
    }

    fn end(&mut self, now: Time, end: &troika_dialogue::End) {
        self.steps(now);
        let Some(mut current) = self.current.take() else { return };
        let given_up = |why: &Reason| matches!(why, Reason::FirstTokenLate | Reason::Stalled);
        if end.handed_over.iter().chain(&end.cut).any(given_up) {
            self.out.push(Out::Sample(stamped(now, &Sample::failed(Source::Passive))));
        }
        let why: Vec<&str> = end.handed_over.iter().chain(&end.cut).map(Reason::name).collect();
        let (outcome, missing) = current.outcome(end);
        let text = missing.map_or_else(String::new, |missing| self.missing(&current, missing, &end.said));
        if !text.is_empty() {
            self.out.push(Out::Speech(speech(now, &current.request, &text)));
        }
        let tier = match (current.tier, end.tier) {
            (DialogueReply::NONE, Tier::Cloud) => DialogueReply::CLOUD,
            (DialogueReply::NONE, Tier::Local) => DialogueReply::ON_VEHICLE,
            (tier, _) => tier,
        };
        let tokens = |bytes: usize| bytes as f64 / 4.0;
        let (sent, received) = self.parts.price;
        let traffic = current.traffic();
        let cost = tokens(traffic.sent as usize) * sent + tokens(end.said.len()) * received;
        let asked = traffic.sent > 0;
        // That it stays is why nobody answers, however sure the vehicle's model would have to be.
        let private = current.private && outcome == DialogueReply::FAILED;
        let why = match &end.cut {
            _ if private => Reason::PRIVATE.to_owned(),
            Some(Reason::Cancelled) if self.stopping => Reason::STOPPED.to_owned(),
            _ => why.join(", "),
        };
        if let Some(steps) = current.steps.take() {
            let error =
                (outcome == DialogueReply::FAILED).then(|| end.cut.as_ref().map_or("no_words", Reason::name));
            self.out.push(Out::Steps(steps.end(now, name_of(tier), &why, error)));
        }
        self.out.push(Out::Reply(DialogueReply {
            header: Header::at(now),
            request_id: current.request,
            sequence: current.sequence,
            text,
            done: true,
            tier,
            outcome,
            reason: why,
            model: String::new(),
            bytes_sent: traffic.sent,
            bytes_received: traffic.received,
            cost_microeuro: if asked { cost as u32 } else { 0 },
        }));
    }

    /// What is said in the place of what is missing.
    fn missing(&mut self, current: &Current, missing: Missing, said: &str) -> String {
        let rest = match missing {
            Missing::All => return self.nobody(&current.question, current.private),
            // What is known of it is more than that nobody goes on.
            Missing::Rest => {
                let part = self.parts.local.part(&current.question);
                part.unwrap_or_else(|| self.parts.sentences.broken.clone())
            }
            Missing::OfOurs => self.parts.sentences.unfinished.clone(),
        };
        // The sentence that hangs is heard to hang.
        if closes(said) { rest } else { format!("… {rest}") }
    }

    /// What is said of a question that nobody answers. What can be asked for is told once, until the cloud has answered again.
    fn nobody(&mut self, question: &str, private: bool) -> String {
        troika_safety::fulfils![SR_RTE_011];
        if private {
            return self.parts.sentences.private.clone();
        }
        if let Some(part) = self.parts.local.part(question) {
            return part;
        }
        let help = if self.helped { None } else { self.parts.local.help() };
        self.helped |= help.is_some();
        help.unwrap_or_else(|| self.parts.sentences.nobody.clone())
    }

    /// An answer that no model makes.
    fn fixed(&mut self, now: Time, request: &str, outcome: u8, text: &str, reason: &str) {
        if !text.is_empty() {
            self.out.push(Out::Speech(speech(now, request, text)));
        }
        self.out.push(Out::Reply(DialogueReply {
            header: Header::at(now),
            request_id: request.to_owned(),
            text: text.to_owned(),
            done: true,
            tier: DialogueReply::CANNED,
            outcome,
            reason: reason.to_owned(),
            ..DialogueReply::default()
        }));
    }

    fn outputs(&mut self, now: Time) -> Vec<Out> {
        self.inner(now);
        self.steps(now);
        let asked = self.parts.local.requests();
        self.out.extend(
            asked.into_iter().map(|one| Out::Language(LanguageRequest { header: Header::at(now), ..one })),
        );
        std::mem::take(&mut self.out)
    }
}

/// What is said of a question of so many bytes, where that is too many.
pub fn too_long(bytes: usize) -> String {
    format!("the question has {bytes} bytes, and at most {MOST_QUESTION} are taken: ask in fewer words")
}

fn stamped(now: Time, sample: &Sample) -> LinkSample {
    LinkSample { header: Header::at(now), ..sample.to_message() }
}

fn speech(now: Time, request: &str, text: &str) -> VoiceReply {
    VoiceReply {
        header: Header::at(now),
        utterance_id: request.to_owned(),
        text: text.trim().to_owned(),
        kind: VoiceReply::DIALOGUE,
        command_id: String::new(),
    }
}

#[cfg(test)]
mod tests;
