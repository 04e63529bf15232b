//! The vehicle as a step: 50 signals a second out, commands in, their results out.
//!
//! Silence is its fall-back: no old speed is sent as a new one, so that whoever needs the speed sees it go stale and takes the
//! restrictive branch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Latest, Out, Sample, Step, Tick, Time,
    Wake, ports, requirements as sr,
};
use troika_msgs::{
    protect::{self, Seal, sender},
    safety::SafetyReader,
    speed::SpeedReader,
    std_msgs::Header,
    troika::{CommandResult, SafetyState, VehicleCommand, VehicleSignals},
};

use crate::{
    Body, SimulatedBody,
    catalogue::{Call, Catalogue, Source},
    door::{ANSWER_WITHIN, Command, Door, Outcome, Report},
    simulated::{Drive, Waypoint},
};

/// Signals older than this are not believed: 25 messages of a 50 Hz signal.
const SIGNALS_STALE: Duration = Duration::from_millis(500);

/// Parameters: a `[nodes.<name>.params]` table in a system file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who publishes `/vehicle/signals`.
    pub signals: SignalsFrom,
    /// The simulated body's speed over time.
    pub speed: Vec<Waypoint>,
    /// When the simulated driver acts on a control, in order; seconds since the first step.
    pub driver_acts_s: Vec<f64>,
    /// Commands without end-to-end protection are refused: for a vehicle that voice and gesture alone order about. Without it one that has none
    /// is taken for another node's (a test bench, a remote control), and its gates hold all the same.
    pub protected_only: bool,
}

/// Who publishes `/vehicle/signals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalsFrom {
    /// This node, from its body.
    #[default]
    Body,
    /// Somebody else (a simulator, a gateway): this node reads them for its gates.
    External,
}

/// Parameters that make no vehicle.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The profile goes back in time, or is no number.
    #[error("speed: waypoint {0} is no later than the one before, or no number")]
    Waypoint(usize),
    /// The acts go back in time, or are no number.
    #[error("driver_acts_s: {0} is before the one before, or no number of 0 or more")]
    DriverActs(f64),
    /// A drive for a body whose signals are not used.
    #[error("speed and driver_acts_s are the body's; with signals = \"external\" they would not be used")]
    NotUsed,
}

impl Config {
    /// The drive of the simulated body.
    ///
    /// # Errors
    /// The first parameter that makes no vehicle.
    pub fn drive(&self) -> Result<Drive, ConfigError> {
        if self.signals == SignalsFrom::External && !(self.speed.is_empty() && self.driver_acts_s.is_empty())
        {
            return Err(ConfigError::NotUsed);
        }
        let mut before = f64::NEG_INFINITY;
        for (index, point) in self.speed.iter().enumerate() {
            let sound = point.at_s.is_finite() && point.kmh.is_finite() && point.at_s > before;
            if !sound {
                return Err(ConfigError::Waypoint(index));
            }
            before = point.at_s;
        }
        let mut before = 0.0;
        for at in &self.driver_acts_s {
            // A year is no drive, and bounds what becomes a duration.
            if !(before..=3.2e7).contains(at) {
                return Err(ConfigError::DriverActs(*at));
            }
            before = *at;
        }
        Ok(Drive { speed: self.speed.clone(), driver_acts_s: self.driver_acts_s.clone() })
    }
}

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// Functions to carry out.
        command: Events<VehicleCommand, 16> = "/voice/command",
        /// Somebody else's signals; read with `signals = "external"` only.
        signals: Latest<VehicleSignals> = "/vehicle/signals",
        /// What the whole is worth. In the safe state what is behind a gate stays shut.
        safety: Latest<SafetyState> = "/safety/state",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// The body's signals; silent with `signals = "external"`.
        signals: Out<VehicleSignals> = "/vehicle/signals",
        /// What became of each command. 64: two for each of 16 new ones, one for each of 32 under way.
        result: Out<CommandResult, 64> = "/vehicle/command_result",
    }
}

/// A vehicle with a body.
pub struct VehicleNode<B = SimulatedBody> {
    body: B,
    signals: SignalsFrom,
    protected_only: bool,
    door: Door,
    reports: Vec<Report>,
    safety: SafetyReader,
    seal: Seal<VehicleSignals>,
    /// Of somebody else's signals.
    speed: SpeedReader,
}

impl VehicleNode<SimulatedBody> {
    /// A vehicle with a simulated body.
    ///
    /// # Errors
    /// See [`Config::drive`].
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let node = VehicleNode::with_body(SimulatedBody::new(config.drive()?), config.signals);
        Ok(VehicleNode { protected_only: config.protected_only, ..node })
    }
}

impl<B: Body> VehicleNode<B> {
    /// A vehicle with this body.
    pub fn with_body(body: B, signals: SignalsFrom) -> Self {
        VehicleNode {
            body,
            signals,
            protected_only: false,
            door: Door::default(),
            reports: Vec::with_capacity(64),
            safety: SafetyReader::default(),
            seal: Seal::new(sender::SIGNALS),
            speed: SpeedReader::default(),
        }
    }

    /// The same that refuses commands without protection ([`Config::protected_only`]).
    #[must_use]
    pub fn protected_only(self) -> Self {
        VehicleNode { protected_only: true, ..self }
    }

    /// The body.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// The speed that the gates believe: `None` when there is none, it is stale or no number.
    fn speed(&mut self, now: Time, inputs: &Inputs, outputs: &mut Outputs) -> Option<f32> {
        if self.signals == SignalsFrom::External {
            return self.speed.kmh(now, &inputs.signals, SIGNALS_STALE);
        }
        let read = self.body.readings(now);
        let signals = VehicleSignals {
            header: Header::at(now),
            speed_kmh: read.speed_kmh,
            steering_angle_deg: read.steering_angle_deg,
            gear: read.gear,
            ignition_on: read.ignition_on,
            driver_acted: read.driver_acted,
            ..VehicleSignals::default()
        };
        if let Some(signals) = self.seal.sealed(signals) {
            outputs.signals.send(signals);
        }
        Some(read.speed_kmh).filter(|speed| speed.is_finite())
    }
}

impl<B: Body> Step for VehicleNode<B> {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "vehicle",
        wake: Wake::Period,
        period: Duration::from_millis(20),
        deadline: Duration::from_millis(20),
        budget: Duration::from_millis(2),
        class: Class::Firm,
        requirements: &[
            sr::SR_VOI_001,
            sr::SR_VOI_002,
            sr::SR_VOI_003,
            sr::SR_VOI_004,
            sr::SR_VOI_020,
            sr::SR_SUP_006,
            sr::SR_SUP_009,
            sr::SR_DAT_009,
            sr::SR_DAT_010,
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let speed = self.speed(tick.now, inputs, outputs);
        let limited = self.safety.limited(tick.now, &inputs.safety);
        let catalogue = Catalogue::built_in();
        self.reports.clear();
        self.door.follow(tick.now, speed, catalogue, &mut self.body, &mut self.reports);
        for sample in inputs.command.iter() {
            let bare = self.protected_only && sample.value.e2e.is_empty();
            let command = Command { limited, bare, ..command(sample, tick.now) };
            self.door.knock(tick.now, speed, &command, catalogue, &mut self.body, &mut self.reports);
        }
        for report in self.reports.drain(..) {
            outputs.result.send(message(tick.now, report));
        }
        let worked = self.signals == SignalsFrom::Body || !outputs.result.sent().is_empty();
        Ok(if worked { Done::Worked } else { Done::Idle })
    }

    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}

fn command(sample: &Sample<VehicleCommand>, now: Time) -> Command {
    let value = &sample.value;
    let stamp = value.header.time();
    // No function has as many slots; a flood is cut before it is looked at, and still refused.
    let slots = value.slots.iter().take(16).map(|slot| (slot.name.clone(), slot.value.clone())).collect();
    Command {
        id: value.id.clone(),
        call: Call { function: value.function.clone(), slots },
        source: Source::from_message(value.source),
        confirmed: value.confirmed,
        received: sample.received,
        limited: false,
        bare: false,
        // What waited here counts as well. A stamp that was never set tells no more than that.
        late: now.since(if stamp == Time::ZERO { sample.received } else { stamp }) > ANSWER_WITHIN,
        // One without any protection is another's, who has none: a ROS 2 node, a test bench. One that has it says whose it is, too.
        damaged: protect::intact(value, owner(value.source)) == Some(false),
    }
}

/// Who protects commands of this source. Nobody protects those of a control or an API.
fn owner(source: u8) -> &'static [&'static str] {
    match source {
        VehicleCommand::VOICE => &[sender::VOICE],
        VehicleCommand::GESTURE => &[sender::GESTURE],
        _ => &[],
    }
}

fn message(now: Time, report: Report) -> CommandResult {
    let (status, reason) = match report.outcome {
        Outcome::Accepted => (CommandResult::ACCEPTED, String::new()),
        Outcome::Refused(reason) => (CommandResult::REFUSED, reason),
        Outcome::Done(answer) => (CommandResult::DONE, answer),
        Outcome::Failed(reason) => (CommandResult::FAILED, reason),
    };
    CommandResult {
        header: Header::at(now),
        command_id: report.id,
        function: report.function,
        status,
        reason,
    }
}

#[cfg(test)]
mod tests;
