//! The router as a step: a request in, a decision out, in the same step.

use std::{collections::VecDeque, io, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_dialogue::{Before, Plan, Planner, Reason as Why, Town, Words};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Latest, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_link::{LinkStatus, Metered, node::from_message};
use troika_msgs::{
    safety::SafetyReader,
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, DriverState, LinkState, RoutingDecision, SafetyState},
};

use crate::{
    budget::Cost,
    decide::{Decision, Router, World},
    policy::{Driver, Policy, PolicyError, Tier},
    reason::{Counts, Reason},
    request::Request,
};

/// Parameters: a `[nodes.<name>.params]` table in a system file. An unknown key is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A policy file; empty: the policy that ships.
    pub policy: PathBuf,
    /// A map of places and roads (TOML): what the vehicle answers from it needs nobody else. Empty: the town of the demo.
    pub map: PathBuf,
    /// Whether a model answers on the vehicle. Without one, easy questions go to the cloud too and private ones get a fixed sentence.
    pub local_model: bool,
    /// A link state or driver state older than this is not known, ms: five missed states of 5 Hz.
    #[schemars(range(min = 1, max = 60000))]
    pub max_age_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { policy: PathBuf::new(), map: PathBuf::new(), local_model: true, max_age_ms: 1_000 }
    }
}

/// Parameters that make no router.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The policy file cannot be read.
    #[error("cannot read the policy {}: {reason}; leave `policy` out for the one that ships", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A fault in it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The map cannot be used.
    #[error("map: {}: {reason}", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// Out of its range.
    #[error("max_age_ms is {0}; it is 1 to 60000")]
    MaxAge(u64),
}

impl Config {
    /// The policy. `read` gives the text of a file.
    ///
    /// # Errors
    /// A parameter, or the policy, that cannot be used.
    pub fn policy(
        &self,
        read: impl FnOnce(&std::path::Path) -> io::Result<String>,
    ) -> Result<Policy, ConfigError> {
        if !(1..=60_000).contains(&self.max_age_ms) {
            return Err(ConfigError::MaxAge(self.max_age_ms));
        }
        if self.policy.as_os_str().is_empty() {
            return Ok(Policy::built_in());
        }
        let text =
            read(&self.policy).map_err(|reason| ConfigError::Read { path: self.policy.clone(), reason })?;
        Ok(Policy::parse(&self.policy.display().to_string(), &text)?)
    }

    /// What the vehicle understands of the way by itself. `read` gives the text of a file.
    ///
    /// # Errors
    /// A map that cannot be used.
    pub fn planner(
        &self,
        read: impl FnOnce(&std::path::Path) -> io::Result<String>,
    ) -> Result<Planner, ConfigError> {
        let told = |reason| ConfigError::Map { path: self.map.clone(), reason };
        let town = if self.map.as_os_str().is_empty() {
            Town::brellin()
        } else {
            let text = read(&self.map).map_err(|error| told(error.to_string()))?;
            Town::read(&text).map_err(|error| told(error.to_string()))?
        };
        Ok(Planner::new(Words::english(), town))
    }
}

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// What is asked.
        request: Events<DialogueRequest, 8> = "/dialogue/request",
        /// What is answered: who is busy, what it cost, whether the cloud fails.
        reply: Events<DialogueReply, 256> = "/dialogue/reply",
        /// The link.
        link: Latest<LinkState> = "/link/state",
        /// The driver. It is looked at and goes nowhere.
        driver: Latest<DriverState> = "/cabin/driver_state",
        /// What the whole is worth. In the safe state nothing leaves.
        safety: Latest<SafetyState> = "/safety/state",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Who answers, and why.
        decision: Out<RoutingDecision, 8> = "/dialogue/decision",
    }
}

/// Who fails so many answers in a row is left alone for so long.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(30);
/// A cloud that does not take us (its breaker is open, a certificate, a key, no credit) is left alone at once: so long, and twice as long each
/// time that it is so again.
const UNTAKEN: Duration = Duration::from_secs(15);
/// One that fails (its upstream behind a gateway went, it is asked too much) is begun with less: it passes without anybody's doing.
const FAILS: Duration = Duration::from_secs(4);
const UNTAKEN_MOST: Duration = Duration::from_secs(120);
/// Requests to the cloud whose end has not come.
const ASKED: usize = 8;
/// A connection that has carried nothing for so long is taken for closed.
const CONNECTION_OPEN: Duration = Duration::from_secs(30);
/// An answer that was begun on the vehicle and of which nothing has come for so long does not keep its model busy any more.
const LOCAL_SILENT: Duration = Duration::from_secs(10);
/// What is left of an answer under way, when it is not known.
const LOCAL_REST: Duration = Duration::from_secs(2);

/// How fast the model on the vehicle was in its last answer says how fast it is for so long.
const SPEED_HOLDS: Duration = Duration::from_secs(60);
/// An answer of fewer tokens is no measure.
const LEAST_TOKENS: f64 = 8.0;

/// The reason of a reply to nobody (no request's id), from the dialogue's process: the files that lead to the cloud are others.
pub const FILES_CHANGED: &str = "files_changed";

/// Why a cloud does not take a question, as the dialogue's process names it: nothing of these is the link's.
const UNTAKEN_FOR: [&str; 8] = [
    "breaker_open",
    "files",
    "tls",
    "unauthorized",
    "payment_required",
    "rate_limited",
    "server",
    "malformed",
];
/// Those of them that pass by themselves.
const PASSES: [&str; 3] = ["breaker_open", "rate_limited", "server"];

/// Who fails again and again is not asked for a while.
#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    untaken: u32,
    /// Until then.
    rests: Option<Time>,
}

impl Circuit {
    fn hear(&mut self, now: Time, reply: &DialogueReply) {
        // A model that is not sure enough has answered after all.
        // Neither is one that is busy with another question gone.
        // Nor has anybody failed who was not to be asked.
        let there = [Why::Unsure.name(), Why::ModelBusy.name(), Why::PRIVATE];
        let there = reply.reason.split(", ").any(|why| there.contains(&why));
        if reply.done && reply.outcome == DialogueReply::FAILED && !there {
            self.failures = self.failures.saturating_add(1);
            self.rests = (self.failures >= FAILURES).then_some(now + REST);
        } else if !reply.text.is_empty() {
            *self = Circuit::default();
        }
    }

    /// It was asked, and did not take the question; whoever answered in its place. `passes`: for a reason that nobody needs to mend.
    fn not_taken(&mut self, now: Time, passes: bool) {
        let first = if passes { FAILS } else { UNTAKEN };
        let rest = first.saturating_mul(1 << self.untaken.min(8)).min(UNTAKEN_MOST);
        self.untaken = self.untaken.saturating_add(1);
        self.rests = Some(now + rest);
    }

    /// After its rest, one answer is tried; if that fails, it rests again.
    fn closed(&self, now: Time) -> bool {
        self.rests.is_none_or(|until| now >= until)
    }
}

/// An answer that the model on the vehicle works on.
#[derive(Debug)]
struct UnderWay {
    request: String,
    /// When its first words came.
    first: Option<Time>,
    /// When it last said something, or was asked.
    last: Time,
    /// What came after the first words.
    tokens: f64,
}

impl UnderWay {
    fn asked(request: &str, now: Time) -> UnderWay {
        UnderWay { request: request.to_owned(), first: None, last: now, tokens: 0.0 }
    }
}

/// The node.
pub struct RouterNode {
    router: Router,
    planner: Planner,
    /// The conversation, and what was planned of it. What the tools told is not known here: what goes back to that is not planned.
    conversation: (String, Before),
    local_model: bool,
    max_age: Duration,
    safety: SafetyReader,
    /// As of this step.
    limited: bool,
    local: Option<UnderWay>,
    local_circuit: Circuit,
    /// Of what its rates say, and when that was seen.
    local_speed: Option<(f64, Time)>,
    cloud_seen: Option<Time>,
    cloud_circuit: Circuit,
    /// Requests that were given to the cloud.
    asked: VecDeque<String>,
}

impl RouterNode {
    /// With this policy, and what the vehicle understands by itself.
    pub fn new(config: &Config, policy: Policy, planner: Planner) -> RouterNode {
        RouterNode {
            router: Router::new(policy),
            planner,
            conversation: (String::new(), Before::default()),
            local_model: config.local_model,
            max_age: Duration::from_millis(config.max_age_ms),
            safety: SafetyReader::default(),
            limited: false,
            local: None,
            local_circuit: Circuit::default(),
            local_speed: None,
            cloud_seen: None,
            cloud_circuit: Circuit::default(),
            asked: VecDeque::with_capacity(ASKED),
        }
    }

    /// How often each reason was given.
    pub fn counts(&self) -> &Counts {
        self.router.counts()
    }

    /// Whether the map answers this.
    fn planned(&mut self, request: &Request) -> bool {
        let goes_on = !request.conversation.is_empty() && request.conversation == self.conversation.0;
        if !goes_on {
            self.conversation = (request.conversation.clone(), Before::default());
        }
        let before = &mut self.conversation.1;
        let plan = self.planner.plan(before, &request.text);
        match &plan {
            Some(plan) => before.planned(plan),
            None => before.not_planned(),
        }
        match plan {
            Some(Plan::Call { .. }) => true,
            // What is asked back for may be what was told before.
            Some(Plan::AskBack { .. }) => !goes_on,
            None => false,
        }
    }

    fn hear(&mut self, now: Time, reply: &DialogueReply) {
        if reply.request_id.is_empty() && reply.reason == FILES_CHANGED {
            self.cloud_circuit = Circuit::default();
            // What was asked with the old ones may still be told to have failed.
            self.asked.clear();
            return;
        }
        match reply.tier {
            DialogueReply::ON_VEHICLE => {
                self.local_circuit.hear(now, reply);
                self.hear_local(now, reply);
            }
            DialogueReply::CLOUD => {
                self.cloud_circuit.hear(now, reply);
                if !(reply.done && reply.outcome == DialogueReply::FAILED) {
                    self.cloud_seen = Some(now);
                }
            }
            _ => {}
        }
        if reply.done {
            if let Some(at) = self.asked.iter().position(|asked| *asked == reply.request_id) {
                self.asked.remove(at);
                let untaken = reply.reason.split(", ").find(|why| UNTAKEN_FOR.contains(why));
                if let Some(why) = untaken {
                    self.cloud_circuit.not_taken(now, PASSES.contains(&why));
                }
            }
            let took = Cost {
                bytes: f64::from(reply.bytes_sent) + f64::from(reply.bytes_received),
                microeuro: f64::from(reply.cost_microeuro),
            };
            self.router.settle(&reply.request_id, took);
            self.local.take_if(|local| local.request == reply.request_id);
        }
    }

    fn hear_local(&mut self, now: Time, reply: &DialogueReply) {
        let local = match &mut self.local {
            Some(local) if local.request == reply.request_id => local,
            other => other.insert(UnderWay::asked(&reply.request_id, now)),
        };
        local.last = now;
        match local.first {
            None if reply.text.is_empty() => {}
            None => local.first = Some(now),
            Some(_) => local.tokens += reply.text.len() as f64 / 4.0,
        }
        let took = local.first.map_or(0.0, |first| now.since(first).as_secs_f64());
        if reply.done && local.tokens >= LEAST_TOKENS && took > 0.0 {
            let speed = local.tokens / took / self.router.local_rate().max(0.1);
            self.local_speed = Some((speed.min(1.0), now));
        }
    }

    fn world(&mut self, now: Time, inputs: &Inputs, planned: bool) -> World {
        let link = inputs.link.within(now, self.max_age);
        let driver =
            inputs.driver.within(now, self.max_age).map_or(Driver::Unknown, |driver| match driver.state {
                DriverState::ATTENTIVE => Driver::Attentive,
                DriverState::LOOKING_AWAY => Driver::LookingAway,
                DriverState::EYES_CLOSED => Driver::EyesClosed,
                _ => Driver::Unknown,
            });
        let recent = |then: Option<Time>, span| then.is_some_and(|then| now.since(then) < span);
        let busy = self.local.as_ref().is_some_and(|local| now.since(local.last) < LOCAL_SILENT);
        let speed = self.local_speed.filter(|(_, then)| now.since(*then) < SPEED_HOLDS);
        World {
            link: link.map(from_message).unwrap_or_default(),
            here: link
                .filter(|link| (0.0..=1.0).contains(&link.here_up))
                .map(|link| (f64::from(link.here_up), link.here_visits)),
            metered: match link.map(|link| link.metered) {
                Some(LinkState::METERED_NO) => Metered::No,
                Some(LinkState::METERED_YES) => Metered::Yes,
                _ => Metered::Unknown,
            },
            cloud_open: recent(self.cloud_seen, CONNECTION_OPEN),
            cloud_available: self.cloud_circuit.closed(now),
            local_available: self.local_model && self.local_circuit.closed(now),
            local_free_in: if busy { LOCAL_REST } else { Duration::ZERO },
            local_speed: speed.map_or(1.0, |(speed, _)| speed),
            driver,
            planned,
            limited: self.limited,
        }
    }
}

impl Step for RouterNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "router",
        wake: Wake::Input("request"),
        // Without a request for three periods it hears the replies all the same.
        period: Duration::from_millis(100),
        deadline: Duration::from_millis(20),
        budget: Duration::from_millis(5),
        class: Class::Firm,
        requirements: &[
            requirements::SR_TIM_002,
            requirements::SR_TIM_003,
            requirements::SR_DAT_001,
            requirements::SR_RTE_001,
            requirements::SR_SUP_006,
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let now = tick.now;
        // In each step, also where nothing is asked: a state that is not looked at is one that was lost.
        self.limited = self.safety.limited(now, &inputs.safety);
        inputs.reply.iter().for_each(|reply| self.hear(now, &reply.value));
        let mut done = Done::Idle;
        for asked in inputs.request.iter() {
            let request = Request::from_message(&asked.value, asked.received);
            let planned = self.planned(&request);
            let world = self.world(now, inputs, planned);
            let decision = self.router.decide(now, &request, &world);
            if decision.tier == Tier::OnVehicle {
                self.local = Some(UnderWay::asked(&request.id, now));
            }
            if decision.tier == Tier::Cloud {
                if self.asked.len() == ASKED {
                    self.asked.pop_front();
                }
                self.asked.push_back(request.id.clone());
            }
            outputs.decision.send(to_message(now, &request, &world, &decision));
            done = Done::Worked;
        }
        Ok(done)
    }

    /// Nothing is sent away by a router that could not think: who asked is answered by nobody, and hears so from the dialogue, which
    /// waits for a decision no longer than the deadline.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}

/// `DialogueReply.tier`.
fn tier_code(tier: Tier) -> u8 {
    match tier {
        Tier::Vehicle => DialogueReply::VEHICLE,
        Tier::OnVehicle => DialogueReply::ON_VEHICLE,
        Tier::Cloud => DialogueReply::CLOUD,
        Tier::Canned => DialogueReply::CANNED,
    }
}

fn to_message(now: Time, request: &Request, world: &World, decision: &Decision) -> RoutingDecision {
    let narrow = |value: Option<f64>| value.map_or(f32::NAN, |value| value as f32);
    let weighed = &decision.weighed;
    RoutingDecision {
        header: Header { stamp: now.into(), ..Header::default() },
        request_id: request.id.clone(),
        tier: tier_code(decision.tier),
        model: decision.model.clone(),
        reason: decision.reason.name().to_owned(),
        task: request.task.code(),
        privacy: decision.privacy.code(),
        complexity: decision.complexity as f32,
        deadline: decision.deadline.into(),
        brief: decision.brief,
        link_state: match world.link.status {
            LinkStatus::Unknown => LinkState::UNKNOWN,
            LinkStatus::Down => LinkState::DOWN,
            LinkStatus::Up => LinkState::UP,
        },
        rtt_high_ms: narrow(world.link.rtt_ms.map(|rtt| rtt.high)),
        down_low_kbps: narrow(world.link.down_kbps.map(|down| down.low)),
        link_age_s: narrow(world.link.age.map(|age| age.as_secs_f64())),
        tiers: weighed.iter().map(|one| tier_code(one.tier)).collect(),
        models: weighed.iter().map(|one| one.model.clone()).collect(),
        chances: weighed.iter().map(|one| one.chance as f32).collect(),
        first_words_s: weighed.iter().map(|one| narrow(one.first.map(|first| first.as_secs_f64()))).collect(),
        cost_microeuro: weighed.iter().map(|one| one.cost.microeuro as f32).collect(),
        reasons: weighed.iter().map(|one| one.barred.map_or("", Reason::name).to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests;
