//! The router as a step: a request in, a decision out, in the same step.

use std::{io, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Latest, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_link::{LinkStatus, Metered, node::from_message};
use troika_msgs::{
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, DriverState, LinkState, RoutingDecision},
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
    /// Whether a model answers on the vehicle. Without one, easy questions go to the cloud too and private ones get a fixed sentence.
    pub local_model: bool,
    /// A link state or driver state older than this is not known, ms: five missed states of 5 Hz.
    #[schemars(range(min = 1, max = 60000))]
    pub max_age_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config { policy: PathBuf::new(), local_model: true, max_age_ms: 1_000 }
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
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Who answers, and why.
        decision: Out<RoutingDecision, 8> = "/dialogue/decision",
    }
}

/// The cloud is left alone after so many failed answers in a row, for so long.
const CLOUD_FAILURES: u32 = 3;
const CLOUD_REST: Duration = Duration::from_secs(30);
/// A connection that has carried nothing for so long is taken for closed.
const CONNECTION_OPEN: Duration = Duration::from_secs(30);
/// An answer that was begun on the vehicle and of which nothing has come for so long does not keep its model busy any more.
const LOCAL_SILENT: Duration = Duration::from_secs(10);
/// What is left of an answer under way, when it is not known.
const LOCAL_REST: Duration = Duration::from_secs(2);

/// The node.
pub struct RouterNode {
    router: Router,
    local_model: bool,
    max_age: Duration,
    /// The answer that the model on the vehicle works on, and when it last said something.
    local: Option<(String, Time)>,
    cloud_seen: Option<Time>,
    cloud_failures: u32,
    cloud_rests: Option<Time>,
}

impl RouterNode {
    /// With this policy.
    pub fn new(config: &Config, policy: Policy) -> RouterNode {
        RouterNode {
            router: Router::new(policy),
            local_model: config.local_model,
            max_age: Duration::from_millis(config.max_age_ms),
            local: None,
            cloud_seen: None,
            cloud_failures: 0,
            cloud_rests: None,
        }
    }

    /// How often each reason was given.
    pub fn counts(&self) -> &Counts {
        self.router.counts()
    }

    fn hear(&mut self, now: Time, reply: &DialogueReply) {
        match reply.tier {
            DialogueReply::ON_VEHICLE => {
                self.local = (!reply.done).then(|| (reply.request_id.clone(), now));
            }
            DialogueReply::CLOUD if reply.done && reply.outcome == DialogueReply::FAILED => {
                self.cloud_failures = self.cloud_failures.saturating_add(1);
                if self.cloud_failures >= CLOUD_FAILURES {
                    self.cloud_rests = Some(now);
                }
            }
            DialogueReply::CLOUD => {
                self.cloud_seen = Some(now);
                (self.cloud_failures, self.cloud_rests) = (0, None);
            }
            _ => {}
        }
        if reply.done {
            let took = Cost {
                bytes: f64::from(reply.bytes_sent) + f64::from(reply.bytes_received),
                microeuro: f64::from(reply.cost_microeuro),
            };
            self.router.settle(&reply.request_id, took);
            self.local.take_if(|(id, _)| *id == reply.request_id);
        }
    }

    fn world(&self, now: Time, inputs: &Inputs) -> World {
        let link = inputs.link.within(now, self.max_age);
        let driver =
            inputs.driver.within(now, self.max_age).map_or(Driver::Unknown, |driver| match driver.state {
                DriverState::ATTENTIVE => Driver::Attentive,
                DriverState::LOOKING_AWAY => Driver::LookingAway,
                DriverState::EYES_CLOSED => Driver::EyesClosed,
                _ => Driver::Unknown,
            });
        let recent = |then: Option<Time>, span| then.is_some_and(|then| now.since(then) < span);
        let busy = self.local.as_ref().is_some_and(|(_, then)| now.since(*then) < LOCAL_SILENT);
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
            cloud_available: !recent(self.cloud_rests, CLOUD_REST),
            local_available: self.local_model,
            local_free_in: if busy { LOCAL_REST } else { Duration::ZERO },
            local_speed: 1.0,
            driver,
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
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let now = tick.now;
        inputs.reply.iter().for_each(|reply| self.hear(now, &reply.value));
        let mut done = Done::Idle;
        for asked in inputs.request.iter() {
            let request = Request::from_message(&asked.value, asked.received);
            let world = self.world(now, inputs);
            let decision = self.router.decide(now, &request, &world);
            if decision.tier == Tier::OnVehicle {
                self.local = Some((request.id.clone(), now));
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
