//! The supervisor as a step: ten rounds a second.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Out, Step, Tick, Time, Wake, ports,
    requirements as sr,
};
use troika_msgs::{
    diagnostic_msgs::{DiagnosticArray, DiagnosticStatus, KeyValue},
    protect::{Seal, sender},
    std_msgs::{self, Header},
    troika::{DriverAlert, Heartbeat, SafetyState},
};

use crate::{
    keepalive::Keepalive,
    machine::{Capability, Health, Limits, Machine, Whole},
    pulse::Pulse,
};

/// A round.
const ROUND: Duration = Duration::from_millis(100);
/// As the host sends heartbeats.
const BEAT: Duration = Duration::from_millis(900);
/// Diagnostics are for people: once a second.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// The capability whose loss the driver is told of by the monitor's own alert.
const MONITORING: &str = "driver_monitoring";
/// SR-DMS-007's, which the supervisor keeps in the monitor's place.
const UNAVAILABLE_WITHIN: Duration = Duration::from_secs(5);
/// What `/diagnostics` says of a capability that is latched.
const LATCHED: &str = "lost too often: until a reset";
/// Before a capability's name there.
const CAPABILITY: &str = "troika: ";
/// The profile in the alerts that the supervisor raises.
pub const PROFILE: &str = "troika_supervisor";

/// Parameters: a `[nodes.<name>.params]` table in a system file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the system can do, each with the nodes that it stands on. `driver_monitoring` is spoken for by the supervisor when its nodes cannot.
    pub capabilities: BTreeMap<String, CapabilityConfig>,
    /// A node is silent after so long without a heartbeat, ms. Heartbeats come each 900 ms.
    pub silent_after_ms: u64,
    /// Nodes may take so long to be heard of after the supervisor's start, s: models are loaded meanwhile.
    pub start_within_s: u64,
    /// A lost capability is trusted again after so long without a fault, s.
    pub recover_s: u64,
    /// So many losses latch a capability: it stays lost until a message on `/safety/reset`.
    pub latch_after: u8,
    /// A loss is forgotten after so long, s.
    pub forget_s: u64,
    /// The machine's own watchdog, for example /dev/watchdog; none where empty. systemd's is found by itself.
    pub hardware_watchdog: String,
}

/// A capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapabilityConfig {
    /// Full names of the nodes that it stands on: "/driver_state".
    pub nodes: Vec<String>,
    /// Without it the whole is in its safe state.
    #[serde(default)]
    pub critical: bool,
}

impl Default for Config {
    fn default() -> Self {
        let monitoring = CapabilityConfig {
            nodes: vec!["/driver_state".to_owned(), "/driver_monitor".to_owned()],
            critical: true,
        };
        Config {
            capabilities: BTreeMap::from([(MONITORING.to_owned(), monitoring)]),
            silent_after_ms: 2_500,
            start_within_s: 30,
            recover_s: 5,
            latch_after: 3,
            forget_s: 600,
            hardware_watchdog: String::new(),
        }
    }
}

/// Parameters that make no supervisor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing to look after.
    #[error("capabilities: there is none")]
    Nothing,
    /// A capability that stands on nothing.
    #[error("capabilities.{0}: nodes: there is none")]
    NoNodes(String),
    /// A name that is none.
    #[error("capabilities.{capability}: nodes: {node:?} is no full name: \"/driver_state\"")]
    Node {
        /// Of which.
        capability: String,
        /// It.
        node: String,
    },
    /// A node would be silent between two heartbeats, or long after its limit.
    #[error(
        "silent_after_ms is {0}; it is 1900 to 4000: two heartbeats of 900 ms, and within the 5 s of the alert"
    )]
    Silent(u64),
    /// Out of its range.
    #[error("{key} is {given}; it is {least} to {most}")]
    Range {
        /// Which.
        key: &'static str,
        /// It.
        given: u64,
        /// From.
        least: u64,
        /// To.
        most: u64,
    },
}

impl Config {
    /// # Errors
    /// The first parameter that makes no supervisor.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.capabilities.is_empty() {
            return Err(ConfigError::Nothing);
        }
        for (capability, config) in &self.capabilities {
            if config.nodes.is_empty() {
                return Err(ConfigError::NoNodes(capability.clone()));
            }
            let wrong = config.nodes.iter().find(|node| !node.starts_with('/') || node.len() < 2);
            if let Some(node) = wrong {
                return Err(ConfigError::Node { capability: capability.clone(), node: node.clone() });
            }
        }
        if !(1_900..=4_000).contains(&self.silent_after_ms) {
            return Err(ConfigError::Silent(self.silent_after_ms));
        }
        let range = |key, given, least, most| {
            if (least..=most).contains(&given) {
                Ok(())
            } else {
                Err(ConfigError::Range { key, given, least, most })
            }
        };
        range("start_within_s", self.start_within_s, 1, 600)?;
        range("recover_s", self.recover_s, 1, 600)?;
        range("latch_after", self.latch_after.into(), 1, 100)?;
        range("forget_s", self.forget_s, 1, 6_000)
    }

    /// Every node that a capability stands on, once and in order.
    fn nodes(&self) -> Vec<&String> {
        let nodes: BTreeSet<&String> = self.capabilities.values().flat_map(|one| &one.nodes).collect();
        nodes.into_iter().collect()
    }

    pub(crate) fn limits(&self) -> Limits {
        // Checked: 6000 s are 60,000 rounds.
        let rounds = |seconds: u64| u16::try_from(seconds * 10).unwrap_or(u16::MAX);
        Limits {
            start: rounds(self.start_within_s),
            recover: rounds(self.recover_s),
            losses: self.latch_after,
            forget: rounds(self.forget_s),
        }
    }
}

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// Signs of life.
        heartbeat: Events<Heartbeat, 128> = "/troika/heartbeat",
        /// `true` resets what is latched.
        reset: Events<std_msgs::Bool, 4> = "/safety/reset",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// What the whole is worth. Silence of 0.5 s is the safe state.
        state: Out<SafetyState> = "/safety/state",
        /// That monitoring is unavailable, where the monitor cannot say so.
        alert: Out<DriverAlert, 4> = "/cabin/driver_alert",
        /// The same for people and their tools, once a second.
        diagnostics: Out<DiagnosticArray> = "/diagnostics",
    }
}

struct Watched {
    name: String,
    critical: bool,
    /// Places of its nodes among the pulses.
    nodes: Vec<usize>,
    machine: Machine,
}

/// The supervisor.
pub struct SupervisorNode<K = ()> {
    config: Config,
    capabilities: Vec<Watched>,
    /// Made with the first round, from whose time on nodes are waited for.
    pulses: Vec<Pulse>,
    state_seal: Seal<SafetyState>,
    alert_seal: Seal<DriverAlert>,
    /// Its first round.
    begun: Time,
    /// It has said that monitoring is unavailable.
    raised: bool,
    /// Another one of its kind ended before it, and what that raised may still stand.
    again: bool,
    told: Option<Time>,
    keepalive: K,
}

impl<K: Keepalive> SupervisorNode<K> {
    /// A supervisor that feeds these watchdogs.
    ///
    /// # Errors
    /// See [`Config::check`].
    pub fn new(config: Config, keepalive: K) -> Result<Self, ConfigError> {
        config.check()?;
        let limits = config.limits();
        let names = config.nodes();
        let place = |node: &String| names.binary_search(&node).ok();
        let capabilities = config.capabilities.iter().map(|(name, one)| Watched {
            name: name.clone(),
            critical: one.critical,
            nodes: one.nodes.iter().filter_map(place).collect(),
            machine: Machine::new(limits),
        });
        Ok(SupervisorNode {
            capabilities: capabilities.collect(),
            pulses: Vec::new(),
            state_seal: Seal::new(sender::SUPERVISOR),
            alert_seal: Seal::new(sender::SUPERVISOR),
            begun: Time::ZERO,
            raised: false,
            again: false,
            told: None,
            keepalive,
            config,
        })
    }

    /// The same for who takes the place of one that ended while the system ran: it does not know what was lost, and says SAFE until it has seen
    /// for itself that nothing critical is (SR-SUP-011).
    #[must_use]
    pub fn again(mut self) -> Self {
        let limits = self.config.limits();
        self.capabilities.iter_mut().for_each(|one| one.machine = Machine::again(limits));
        self.again = true;
        self
    }

    fn begin(&mut self, now: Time) {
        self.begun = now;
        let silent_after = Duration::from_millis(self.config.silent_after_ms);
        self.pulses =
            self.config.nodes().into_iter().map(|name| Pulse::new(name, BEAT, silent_after, now)).collect();
    }

    /// What the whole is worth.
    pub fn whole(&self) -> Whole {
        Whole::of(self.capabilities.iter().map(|one| (one.critical, one.machine.state())))
    }

    fn state(&self, now: Time) -> SafetyState {
        let lost = self.capabilities.iter().filter(|one| one.machine.state().missing());
        SafetyState {
            header: Header::at(now),
            state: match self.whole() {
                Whole::Nominal => SafetyState::NOMINAL,
                Whole::Degraded => SafetyState::DEGRADED,
                Whole::Safe => SafetyState::SAFE,
            },
            lost: lost.map(|one| one.name.clone()).collect(),
            ..SafetyState::default()
        }
    }

    /// The alert that is due: raised when who should raise it has not been heard for too long, cleared when it is trusted again.
    fn alert(&mut self, now: Time) -> Option<DriverAlert> {
        let monitoring = self.capabilities.iter().find(|one| one.name == MONITORING)?;
        let usable = monitoring.machine.state().usable();
        troika_safety::fulfils![SR_SUP_011];
        // One that has never been heard of is waited for as long as the system starts.
        let young = now.since(self.begun) <= Duration::from_millis(self.config.silent_after_ms);
        let starting = matches!(monitoring.machine.state(), Capability::Starting(_)) || self.again && young;
        let silent =
            monitoring.nodes.iter().filter_map(|at| self.pulses.get(*at)).filter(|pulse| pulse.silent(now));
        let since = silent.map(|pulse| pulse.age(now).unwrap_or_else(|| now.since(self.begun))).max();
        let phase = match since {
            Some(_) if !self.raised && !starting => DriverAlert::RAISED,
            None if (self.raised || self.again) && usable => DriverAlert::CLEARED,
            _ => return None,
        };
        self.again = false;
        self.raised = phase == DriverAlert::RAISED;
        Some(DriverAlert {
            header: Header::at(now),
            profile: PROFILE.to_owned(),
            kind: DriverAlert::MONITORING_UNAVAILABLE,
            phase,
            elapsed_s: since.unwrap_or_default().as_secs_f32(),
            limit_s: UNAVAILABLE_WITHIN.as_secs_f32(),
            speed_kmh: f32::NAN,
            requirement: sr::SR_SUP_005.id().to_owned(),
            ..DriverAlert::default()
        })
    }

    fn diagnostics(&self, now: Time) -> DiagnosticArray {
        let capabilities = self.capabilities.iter().map(|one| {
            let (level, message) = match one.machine.state() {
                Capability::Available => (DiagnosticStatus::OK, "available"),
                Capability::Degraded => (DiagnosticStatus::WARN, "degraded"),
                Capability::Starting(_) => (DiagnosticStatus::WARN, "starting"),
                Capability::Recovering(_) => (DiagnosticStatus::ERROR, "well again, and not trusted yet"),
                Capability::Lost => (DiagnosticStatus::ERROR, "lost"),
                Capability::Latched => (DiagnosticStatus::ERROR, LATCHED),
            };
            let losses = KeyValue { key: "losses".to_owned(), value: one.machine.losses().to_string() };
            status(level, format!("{CAPABILITY}{}", one.name), message.to_owned(), vec![losses])
        });
        let nodes = self.pulses.iter().map(|pulse| {
            let age = pulse.age(now).map_or_else(String::new, |age| format!("{:.1}", age.as_secs_f32()));
            let age = KeyValue { key: "heartbeat_age_s".to_owned(), value: age };
            let why = pulse.why(now);
            let level = match (pulse.silent(now), why.is_empty()) {
                (true, _) => DiagnosticStatus::STALE,
                (false, true) => DiagnosticStatus::OK,
                (false, false) => DiagnosticStatus::WARN,
            };
            status(level, format!("troika: node {}", pulse.node()), why, vec![age])
        });
        DiagnosticArray { header: Header::at(now), status: capabilities.chain(nodes).collect() }
    }
}

/// The capabilities that stay lost until a reset, by the supervisor's own diagnostics; none where these are somebody else's.
pub fn latched(told: &DiagnosticArray) -> Option<Vec<String>> {
    let own =
        || told.status.iter().filter_map(|one| Some((one.name.strip_prefix(CAPABILITY)?, &one.message)));
    let held = own().filter(|(_, message)| message.as_str() == LATCHED).map(|(name, _)| name.to_owned());
    own().next().is_some().then(|| held.collect())
}

fn status(level: u8, name: String, message: String, values: Vec<KeyValue>) -> DiagnosticStatus {
    let message = if message.is_empty() { "OK".to_owned() } else { message };
    DiagnosticStatus { level, name, message, values, ..DiagnosticStatus::default() }
}

impl<K: Keepalive + 'static> Step for SupervisorNode<K> {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "supervisor",
        wake: Wake::Period,
        period: ROUND,
        deadline: Duration::from_millis(50),
        budget: Duration::from_millis(1),
        class: Class::Firm,
        requirements: &[
            sr::SR_SUP_001,
            sr::SR_SUP_002,
            sr::SR_SUP_003,
            sr::SR_SUP_004,
            sr::SR_SUP_005,
            sr::SR_SUP_007,
            sr::SR_SUP_008,
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        if self.pulses.is_empty() {
            self.begin(tick.now);
        }
        for beat in inputs.heartbeat.iter() {
            if let Some(pulse) = self.pulses.iter_mut().find(|pulse| pulse.node() == beat.value.node) {
                // Its arrival counts, not the round that looks at it.
                pulse.hear(beat.received, &beat.value);
            }
        }
        let health: Vec<Health> = self.pulses.iter_mut().map(|pulse| pulse.look(tick.now)).collect();
        let reset = inputs.reset.iter().any(|reset| reset.value.data);
        for capability in &mut self.capabilities {
            let worst = capability.nodes.iter().filter_map(|at| health.get(*at)).max();
            capability.machine.round(*worst.unwrap_or(&Health::Bad), reset);
        }
        // Where it cannot be protected its silence is the safe state.
        let state = self.state(tick.now);
        if let Some(state) = self.state_seal.sealed(state) {
            outputs.state.send(state);
        }
        if let Some(mut alert) = self.alert(tick.now) {
            let _protected = self.alert_seal.seal(&mut alert);
            outputs.alert.send(alert);
        }
        if self.told.is_none_or(|told| tick.now.since(told) >= TOLD_EVERY) {
            self.told = Some(tick.now);
            outputs.diagnostics.send(self.diagnostics(tick.now));
        }
        self.keepalive.round(tick.now);
        Ok(Done::Worked)
    }

    /// Silence: whoever reads the state takes that for the safe one.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}

#[cfg(test)]
mod tests;
