//! The cloud's side of a question: the real router, bridge and reader of streams, with a service that misbehaves by script behind them.

mod private;
mod tools;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::json;
use troika_bridge::{BridgeConfig, process::with_service, step::BridgeStep};
use troika_dialogue::{
    Fault, FromCloud, Situation, Upstream,
    chat::{ChatRequest, Reader, status_fault},
};
use troika_host::{NodeOptions, simulate::Collected};
use troika_kit::{Duration, Sample, Time};
use troika_msgs::{
    protect::{Seal, sender},
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, LinkState, RoutingDecision, SafetyState, VehicleCommand},
};
use troika_router::{Policy, node::Config, node::RouterNode, simulate::Pace};
use troika_world::model::ModelStandIn;

pub use private::{forged_decision, no_decision, safe_state};
pub use tools::{injection, unknown_tool, wrong_call};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    rig::{Rig, due},
};

/// What is left of what the cloud said is spoken first; then the vehicle's model, which the stall has begun to draft with.
pub const GOES_ON_WITHIN: Duration = Duration::from_millis(4_000);
/// A stream that says something now and then is given up after 8 s at the latest, and then as above.
pub const GIVEN_UP_WITHIN: Duration = Duration::from_millis(10_000);
/// Bytes are counted as they come.
pub const COUNTED_WITHIN: Duration = Duration::from_millis(2_000);
/// SR-RTE-009, and the vehicle's model's first words.
pub const UNDECIDED_WITHIN: Duration = Duration::from_millis(2_000);
/// A question ends within 60 s.
const ENDS_WITHIN: Duration = Duration::from_secs(62);
/// What the vehicle's model says; the cloud never does.
const OWN_WORDS: &str = "The lighthouse was built long ago. It still shines.";
const QUESTION: &str = "Tell me the long history of the old lighthouse and who built it";
/// The most that a turn may say, characters: the reader's bound, and what the vehicle adds.
const MOST_SAID: usize = 40 << 10;

/// What the service does.
#[derive(Debug, Clone)]
enum Piece {
    Bytes(Vec<u8>),
    Ends,
    Resets,
    Status(u16),
}

type Plan = Box<dyn FnMut(usize) -> Vec<(Duration, Piece)> + Send>;

struct Inner {
    now: Time,
    plan: Plan,
    asked: Vec<String>,
    due: Vec<(Time, u64, Piece)>,
    readers: BTreeMap<u64, Reader>,
    /// When the first stream was begun, and when the reader first gave one up.
    begun: Option<Time>,
    given_up: Option<Time>,
    unbounded: bool,
}

/// The service, shared by its two ends.
#[derive(Clone)]
struct Service(Arc<Mutex<Inner>>);

impl Service {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it has said by now, as the real reader reads it.
    fn said(&self, now: Time) -> Vec<(u64, FromCloud, Option<troika_dialogue::Traffic>)> {
        let mut inner = self.inner();
        inner.now = now;
        let (there, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.due).into_iter().partition(|(at, ..)| *at <= now);
        inner.due = later;
        let unbounded = inner.unbounded;
        let mut out = Vec::new();
        for (_, stream, piece) in there {
            let reader = inner.readers.entry(stream).or_default();
            let said = match piece {
                Piece::Bytes(bytes) if unbounded => {
                    vec![FromCloud::Text(String::from_utf8_lossy(&bytes).into_owned())]
                }
                Piece::Bytes(bytes) => reader.feed(&bytes),
                Piece::Ends => reader.ended(),
                Piece::Resets => vec![FromCloud::Failed(Fault::Reset("by the peer".into()))],
                Piece::Status(status) => vec![FromCloud::Failed(status_fault(status, None, "no"))],
            };
            if said.iter().any(|said| matches!(said, FromCloud::Failed(_))) {
                inner.given_up = inner.given_up.or(Some(now));
            }
            out.extend(said.into_iter().map(|said| (stream, said, None)));
        }
        out
    }
}

impl Upstream for Service {
    fn start(&mut self, stream: u64, request: ChatRequest) {
        let mut inner = self.inner();
        let (now, nth) = (inner.now, inner.asked.len());
        inner.asked.push(request.body().to_string());
        inner.begun = inner.begun.or(Some(now));
        let pieces = (inner.plan)(nth);
        inner.due.extend(pieces.into_iter().map(|(after, piece)| (now + after, stream, piece)));
    }

    fn stop(&mut self, stream: u64) {
        self.inner().due.retain(|(_, of, _)| *of != stream);
    }
}

fn event(text: &str) -> Piece {
    Piece::Bytes(
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]})).into(),
    )
}

fn call(name: &str, arguments: &str) -> Piece {
    let call = json!({"index": 0, "id": "a", "type": "function", "function": {"name": name, "arguments": arguments}});
    Piece::Bytes(format!("data: {}\n\n", json!({"choices": [{"delta": {"tool_calls": [call]}}]})).into())
}

fn done() -> Piece {
    Piece::Bytes(
        b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n".to_vec(),
    )
}

/// The beginning of an answer: some words of a sentence that is not at its end.
fn beginning(dice: &mut Dice) -> (Vec<(Duration, Piece)>, Duration) {
    let words = ["The ", "old ", "lighthouse ", "by ", "the ", "harbour ", "was ", "first "];
    let mut at = dice.ms(200, 800);
    let mut pieces = Vec::new();
    for word in words.iter().take(dice.below(words.len() + 1)) {
        pieces.push((at, event(word)));
        at += dice.ms(10, 120);
    }
    (pieces, at)
}

/// A vehicle with a dialogue.
struct Car {
    rig: Rig,
    service: Service,
    replies: Collected<DialogueReply>,
    commands: Collected<VehicleCommand>,
    seal: Seal<SafetyState>,
    state: u8,
    off: Option<Off>,
}

/// What came of a question.
struct Answer {
    asked: Time,
    replies: Vec<Sample<DialogueReply>>,
    commands: usize,
}

impl Car {
    fn new(ground: &Ground<'_>, routed: bool, plan: Plan) -> anyhow::Result<Car> {
        Car::with_map(ground, routed, plan, None)
    }

    fn with_map(ground: &Ground<'_>, routed: bool, plan: Plan, map: Option<&Path>) -> anyhow::Result<Car> {
        let mut rig = Rig::new()?;
        let pace = Pace { first_token_s: 0.4, spread: 0.0, prompt_tokens_per_s: None, tokens_per_s: 20.0 };
        rig.spawn(ModelStandIn::new(pace, OWN_WORDS, OWN_WORDS), NodeOptions::new("model"))?;
        // With one on the vehicle the policy weighs; here the cloud is to be asked.
        let router_config = Config { local_model: false, ..Config::default() };
        let planner = router_config.planner(|path| std::fs::read_to_string(path))?;
        let options = NodeOptions::new("router");
        let options = if routed { options } else { options.remap("decision", "/lost") };
        rig.spawn(RouterNode::new(&router_config, Policy::built_in(), planner), options)?;
        let mut settings = json!({
            "dialogue": {"cloud": {"url": "http://127.0.0.1:9/v1", "model": "scripted", "plain_http": true}},
        });
        if ground.without(Off::Patience) {
            for key in [
                "first_token_soft_ms",
                "first_token_hard_ms",
                "stall_soft_ms",
                "stall_hard_ms",
                "stall_most_ms",
            ] {
                settings["dialogue"][key] = 600_000.into();
            }
        }
        if let Some(map) = map {
            settings["map"] = map.display().to_string().into();
        }
        let config: BridgeConfig = serde_json::from_value(settings)?;
        let service = Service(Arc::new(Mutex::new(Inner {
            now: rig.now(),
            plan,
            asked: Vec::new(),
            due: Vec::new(),
            readers: BTreeMap::new(),
            begun: None,
            given_up: None,
            unbounded: ground.without(Off::StreamBounds),
        })));
        let here = Situation { east_m: 0.0, north_m: 0.0, minute_of_day: 900 };
        let bridge = with_service(&config, service.clone(), here, "scripted", 0)?;
        let heard = service.clone();
        rig.spawn(BridgeStep::new(bridge, here, move |now| heard.said(now)), NodeOptions::new("bridge"))?;
        let replies = rig.simulation.collect("/dialogue/reply")?;
        let commands = rig.simulation.collect("/voice/command")?;
        let seal = Seal::new(sender::SUPERVISOR);
        let mut car =
            Car { rig, service, replies, commands, seal, state: SafetyState::NOMINAL, off: ground.off };
        car.pass(Duration::from_secs(1))?;
        Ok(car)
    }

    fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = self.rig.now() + time;
        while self.rig.now() < until {
            let (now, since) = (self.rig.now(), self.rig.since_start());
            if due(since, Duration::from_millis(200)) {
                self.rig.send("/link/state", &good_link(now))?;
            }
            if due(since, Duration::from_millis(100)) && self.off != Some(Off::SafeState) {
                let mut said =
                    SafetyState { header: Header::at(now), state: self.state, ..SafetyState::default() };
                self.seal.seal(&mut said)?;
                self.rig.send("/safety/state", &said)?;
            }
            self.rig.pass(Duration::from_millis(10));
        }
        Ok(())
    }

    fn request(&self, text: &str, privacy: u8) -> DialogueRequest {
        DialogueRequest {
            header: Header::at(self.rig.now()),
            request_id: "q1".into(),
            conversation_id: "c1".into(),
            text: text.to_owned(),
            language: "en".into(),
            task: DialogueRequest::DIALOGUE,
            privacy,
            complexity: 0.9,
            ..DialogueRequest::default()
        }
    }

    /// Asks, and waits for the end, and a little longer for a second one.
    fn ask(&mut self, request: &DialogueRequest, forged: Option<&RoutingDecision>) -> anyhow::Result<Answer> {
        let asked = self.rig.now();
        self.rig.send("/dialogue/request", request)?;
        if let Some(decision) = forged {
            self.rig.send("/dialogue/decision", decision)?;
        }
        let mut replies: Vec<Sample<DialogueReply>> = Vec::new();
        let mut commands = 0;
        let mut ended = None;
        while self.rig.now() < asked + ENDS_WITHIN
            && ended.is_none_or(|ended| self.rig.now() < ended + Duration::from_secs(2))
        {
            self.pass(Duration::from_millis(50))?;
            let said = self.replies.take();
            // A dialogue that waits for its router for ever says nothing.
            replies.extend(said.into_iter().filter(|_| self.off != Some(Off::Undecided)));
            if self.off == Some(Off::Tools) && self.service.inner().asked.len() == 2 {
                // What a door from the cloud's tools to the vehicle would do.
                self.rig.send("/voice/command", &VehicleCommand::default())?;
            }
            commands += self.commands.take().len();
            if ended.is_none() && replies.iter().any(|reply| reply.value.done) {
                ended = Some(self.rig.now());
            }
        }
        Ok(Answer { asked, replies, commands })
    }
}

impl Answer {
    /// What must not be, whatever the cloud does.
    fn harm(&self) -> Option<String> {
        let ends = self
            .replies
            .iter()
            .filter(|reply| reply.value.done && !reply.value.request_id.is_empty())
            .count();
        let said: usize = self.replies.iter().map(|reply| reply.value.text.len()).sum();
        if self.commands > 0 {
            return Some("a vehicle command was sent".into());
        }
        match ends {
            0 => Some("the question never ended".into()),
            1 if said > MOST_SAID => Some(format!("{said} bytes were said")),
            1 => None,
            more => Some(format!("the question ended {more} times")),
        }
    }

    /// The vehicle's own words, or an end that says why, since then.
    fn goes_on(&self, from: Time) -> Option<Duration> {
        let own = |reply: &&Sample<DialogueReply>| {
            let value = &reply.value;
            let vehicle = !value.text.is_empty() && value.tier != DialogueReply::CLOUD;
            reply.received >= from && (vehicle || value.done && value.outcome != DialogueReply::COMPLETE)
        };
        self.replies.iter().find(own).map(|reply| reply.received.since(from))
    }

    fn tiers(&self, tier: u8) -> bool {
        self.replies.iter().any(|reply| reply.value.tier == tier && !reply.value.text.is_empty())
    }
}

fn good_link(now: Time) -> LinkState {
    LinkState {
        header: Header::at(now),
        state: LinkState::UP,
        metered: LinkState::METERED_NO,
        rtt_ms: 40.0,
        rtt_low_ms: 35.0,
        rtt_high_ms: 50.0,
        down_kbps: 20_000.0,
        down_low_kbps: 15_000.0,
        down_high_kbps: 30_000.0,
        up_kbps: 5_000.0,
        up_low_kbps: 4_000.0,
        up_high_kbps: 6_000.0,
        loss: 0.0,
        loss_high: 0.01,
        age_s: 0.2,
        here_up: f32::NAN,
        ..LinkState::default()
    }
}

/// What the service does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Malformed,
    Truncated,
    Resets,
    Stalls,
    Drips,
    Floods,
    Status,
}

fn wrong(wrong: Wrong, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let (mut pieces, at) = beginning(dice);
    let onset = match wrong {
        // A status comes in an answer's place.
        Wrong::Status => {
            pieces = vec![(at, Piece::Status(*dice.one_of(&[401, 402, 403, 429, 500, 502, 503])))];
            at
        }
        Wrong::Malformed => {
            let garbage = match dice.below(4) {
                0 => b"data: {\"choices\": [{\"del\n\n".to_vec(),
                1 => b"data: 17\n\n".to_vec(),
                2 => b"data: {\"choices\": \"none\"}\n\n".to_vec(),
                _ => (0..400).map(|_| dice.byte()).chain(*b"\n\ndata: \xff\xfe\n\n").collect(),
            };
            pieces.push((at, Piece::Bytes(garbage)));
            pieces.push((at + Duration::from_millis(30), Piece::Ends));
            at
        }
        Wrong::Truncated => {
            if let Piece::Bytes(mut bytes) = event("a word that is cut") {
                bytes.truncate(dice.below(bytes.len()));
                pieces.push((at, Piece::Bytes(bytes)));
            }
            pieces.push((at, Piece::Ends));
            at
        }
        Wrong::Resets => {
            pieces.push((at, Piece::Resets));
            at
        }
        // Nothing more comes.
        Wrong::Stalls => at,
        Wrong::Drips => {
            let mut next = at;
            for _ in 0..40 {
                next += dice.ms(1_800, 6_000);
                pieces.push((next, event("and ")));
            }
            at
        }
        Wrong::Floods => {
            let valid = dice.coin();
            for n in 0..160_u64 {
                let bytes = vec![b'x'; 64 << 10];
                let piece = if valid {
                    event(&String::from_utf8_lossy(&bytes[..16 << 10]))
                } else {
                    Piece::Bytes(bytes)
                };
                pieces.push((at + Duration::from_millis(5 * n), piece));
            }
            at
        }
    };
    let mut once = Some(pieces);
    let plan: Plan = Box::new(move |_| once.take().unwrap_or_default());
    let mut car = Car::new(ground, true, plan)?;
    let request = car.request(QUESTION, DialogueRequest::PUBLIC);
    let answer = car.ask(&request, None)?;
    let (begun, given_up) = {
        let inner = car.service.inner();
        (inner.begun, inner.given_up)
    };
    let Some(begun) = begun else { anyhow::bail!("the cloud was not asked: {:?}", answer.replies.first()) };
    let from = begun + onset;
    let noticed =
        if wrong == Wrong::Floods { given_up.map(|at| at.since(from)) } else { answer.goes_on(from) };
    Ok(vec![Verdict::of(noticed, answer.harm())])
}

macro_rules! wrongs {
    ($($name:ident: $wrong:ident),+ $(,)?) => {
        $(#[doc = concat!("The cloud's stream: ", stringify!($wrong), ".")]
        /// # Errors
        /// What the bench itself cannot do.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            wrong(Wrong::$wrong, ground, dice)
        })+
    };
}

wrongs! {
    malformed: Malformed,
    truncated: Truncated,
    resets: Resets,
    stalls: Stalls,
    drips: Drips,
    floods: Floods,
    status: Status,
}
