//! The monitor as a step: driver states and vehicle signals in, alerts out on change.
//!
//! Hard, and nothing is allocated but the two strings of an alert that leaves. It never faults by itself: a driver that is
//! not seen is its subject, not its failure. When the host replaces a step by the fall-back, the time is unknown time, so a
//! monitor that cannot run says *monitoring unavailable* after the same 5 s.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Lateness, Latest, Out, Sample, Step, Tick,
    Time, Wake, ports, requirements as sr,
};
use troika_msgs::{
    protect::{Seal, Trust, sender},
    std_msgs::Header,
    troika::{DriverAlert, DriverState, VehicleSignals},
};

use crate::{Alert, Monitor, Observation, Profile, ProfileError, Signals, State, VehicleView, Zone};

/// Parameters: a `[nodes.<name>.params]` table in a system file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The rule sets that are active: built-in names, or files that end in `.toml`.
    pub profiles: Vec<String>,
    /// `DriverState` has no field for sensing that is not nominal (eyewear, light, occlusion): a known state with less
    /// confidence than this is taken for it. 0 switches it off.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub nominal_confidence: f32,
}

impl Default for Config {
    fn default() -> Self {
        // A face that is surely one, at the border between two states, has 0.5.
        Config { profiles: Profile::names().map(str::to_owned).collect(), nominal_confidence: 0.35 }
    }
}

/// Parameters that make no monitor.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A profile that is neither built in nor a file's name.
    #[error("there is no profile '{name}'; built in are {built_in}; a file's name ends in .toml", built_in = built_in())]
    Unknown {
        /// As given.
        name: String,
    },
    /// Two profiles of one name: their alerts could not be told apart.
    #[error("the profile '{0}' is there twice")]
    Twice(String),
    /// A profile file that cannot be read.
    #[error("cannot read the profile {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A profile file with a fault in it.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// No number from 0 to 1.
    #[error("nominal_confidence is {0}; it is 0 to 1")]
    Confidence(f32),
}

fn built_in() -> String {
    Profile::names().collect::<Vec<_>>().join(", ")
}

impl Config {
    /// Reads the profiles. `read` gives the text of a file.
    ///
    /// # Errors
    /// The first parameter that makes no monitor.
    pub fn profiles(&self, read: impl Fn(&Path) -> io::Result<String>) -> Result<Vec<Profile>, ConfigError> {
        if !(0.0..=1.0).contains(&self.nominal_confidence) {
            return Err(ConfigError::Confidence(self.nominal_confidence));
        }
        let mut profiles: Vec<Profile> = Vec::new();
        for name in &self.profiles {
            let profile = if name.ends_with(".toml") {
                let path = PathBuf::from(name);
                let text = read(&path).map_err(|reason| ConfigError::Read { path, reason })?;
                Profile::parse(name, &text)?
            } else {
                Profile::built_in(name).ok_or_else(|| ConfigError::Unknown { name: name.clone() })?
            };
            if profiles.iter().any(|other| other.name() == profile.name()) {
                return Err(ConfigError::Twice(profile.name().to_owned()));
            }
            profiles.push(profile);
        }
        Ok(profiles)
    }
}

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// The driver, a message a frame.
        state: Latest<DriverState> = "/cabin/driver_state",
        /// The vehicle; each message, since an act of the driver is told in one only. 32: 0.6 s at 50 Hz.
        signals: Events<VehicleSignals, 32> = "/vehicle/signals",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Alerts raised and cleared. What is over the bound leaves with the next step.
        alert: Out<DriverAlert, 8> = "/cabin/driver_alert",
    }
}

/// A frame that is late may still come for so long: the 0.3 s that are bridged, and the 0.2 s that one may be old.
const MAY_COME: Duration = Duration::from_millis(500);
/// Alerts that leave with one step.
const A_STEP: usize = 8;

/// Driver states to alerts.
pub struct MonitorNode {
    monitor: Monitor,
    vehicle: VehicleView,
    nominal_confidence: f32,
    /// Whom to believe (SR-DAT-009).
    states: Trust<DriverState>,
    speeds: Trust<VehicleSignals>,
    /// A state that comes late says nothing of now (SR-DMS-024).
    lateness: Lateness,
    /// Stamp and arrival of the newest frame: what relates the host's time to the stamps' when frames stay away.
    last: Option<(Time, Time)>,
    waiting: VecDeque<Alert>,
    seal: Seal<DriverAlert>,
}

impl MonitorNode {
    /// A monitor. `read` gives the text of a profile file ([`std::fs::read_to_string`] on a real machine).
    ///
    /// # Errors
    /// See [`Config::profiles`].
    pub fn new(config: &Config, read: impl Fn(&Path) -> io::Result<String>) -> Result<Self, ConfigError> {
        Ok(MonitorNode {
            monitor: Monitor::new(config.profiles(read)?),
            vehicle: VehicleView::default(),
            nominal_confidence: config.nominal_confidence,
            states: Trust::new(sender::DRIVER_STATE),
            speeds: Trust::new(sender::SIGNALS),
            lateness: Lateness::default(),
            last: None,
            waiting: VecDeque::with_capacity(256),
            seal: Seal::new(sender::MONITOR),
        })
    }

    /// The same for who speaks in its place: its alerts are another sender's.
    #[must_use]
    pub fn standing_in(mut self) -> Self {
        self.seal = Seal::new(sender::STAND_IN);
        self
    }

    /// The timers, for a look at what is raised.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    fn silent(&mut self, now: Time) {
        // On a busy machine a frame comes up to 0.2 s late (SR-TIM-007); how long the gap before it was, its own stamp tells. A silence that was
        // told meanwhile would make a gap of what is none, and begin a closure anew.
        if self.last.is_some_and(|(_, received)| now.since(received) <= MAY_COME) {
            return;
        }
        // On the stamps' own time line, which another machine's camera may keep apart from ours.
        let line = self.last.map_or(now, |(stamp, received)| stamp + now.since(received));
        let vehicle = self.vehicle.at(now);
        self.waiting.extend(self.monitor.silent(line, &vehicle).iter().cloned());
    }

    fn send(&mut self, outputs: &mut Outputs) -> bool {
        troika_safety::fulfils![SR_DMS_022];
        let count = self.waiting.len().min(A_STEP);
        for alert in self.waiting.drain(..count) {
            let mut alert = message(&alert);
            // An alert that cannot be protected is no message of any transport either: it has been bounded long before.
            let _protected = self.seal.seal(&mut alert);
            outputs.alert.send(alert);
        }
        count > 0
    }
}

impl Step for MonitorNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "driver_monitor",
        wake: Wake::Input("state"),
        period: Duration::from_millis(33),
        deadline: Duration::from_millis(10),
        budget: Duration::from_millis(2),
        class: Class::Hard,
        requirements: &[
            sr::SR_DMS_001,
            sr::SR_DMS_002,
            sr::SR_DMS_003,
            sr::SR_DMS_004,
            sr::SR_DMS_005,
            sr::SR_DMS_006,
            sr::SR_DMS_007,
            sr::SR_DMS_008,
            sr::SR_DMS_009,
            sr::SR_DMS_010,
            sr::SR_DMS_011,
            sr::SR_DMS_024,
            sr::SR_DAT_009,
        ],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        for sample in
            inputs.signals.iter().filter(|sample| self.speeds.believes(sample.received, &sample.value))
        {
            self.vehicle.take(signals(sample));
        }
        let fresh = inputs.state.fresh();
        // A camera without a clock leaves the stamp zero.
        let stamp = |sample: &Sample<DriverState>| match sample.value.header.time() {
            Time::ZERO => sample.received,
            stamped => stamped,
        };
        let believed = fresh
            .filter(|sample| self.states.believes(sample.received, &sample.value))
            // Nothing was looked at: no frame, whenever that was said.
            .filter(|sample| !sample.value.fall_back)
            .filter(|sample| !self.lateness.late(stamp(sample), sample.received));
        match believed {
            Some(sample) => {
                let stamp = stamp(sample);
                self.last = Some((stamp, sample.received));
                let seen = Observation {
                    stamp,
                    vehicle: self.vehicle.at(tick.now),
                    ..observation(&sample.value, self.nominal_confidence)
                };
                self.waiting.extend(self.monitor.observe(&seen).iter().cloned());
            }
            None => self.silent(tick.now),
        }
        let sent = self.send(outputs);
        Ok(if sent || fresh.is_some() { Done::Worked } else { Done::Idle })
    }

    fn fall_back(&mut self, tick: &Tick, _why: &Fault, outputs: &mut Outputs) {
        troika_safety::fulfils![SR_DMS_015];
        self.silent(tick.now);
        self.send(outputs);
    }

    /// An alert stands until it is cleared, and the node that is back does not know of this one's: it begins with none, and says
    /// after the same 5 s if it is blind.
    fn give_way(&mut self, tick: &Tick, outputs: &mut Outputs) {
        troika_safety::fulfils![SR_TIM_010];
        self.waiting.extend(self.monitor.end(tick.now, &self.vehicle.at(tick.now)).iter().cloned());
        self.last = None;
        self.send(outputs);
    }
}

fn signals(sample: &Sample<VehicleSignals>) -> Signals {
    Signals {
        received: sample.received,
        stamp: sample.value.header.time(),
        speed_kmh: sample.value.speed_kmh,
        ignition_on: sample.value.ignition_on,
        driver_acted: sample.value.driver_acted,
    }
}

fn observation(state: &DriverState, nominal_confidence: f32) -> Observation {
    let seen = |openness: f32| openness.is_finite().then_some(openness);
    let openness = match (seen(state.eye_openness_left), seen(state.eye_openness_right)) {
        (Some(left), Some(right)) => Some((left + right) / 2.0),
        (one, other) => one.or(other),
    };
    Observation {
        stamp: Time::ZERO,
        state: State::from_message(state.state),
        zone: Zone::from_message(state.gaze_zone),
        openness,
        // A confidence that is no number says nothing good.
        nominal: state.confidence >= nominal_confidence,
        vehicle: crate::Vehicle::default(),
    }
}

fn message(alert: &Alert) -> DriverAlert {
    DriverAlert {
        header: Header::at(alert.at),
        profile: alert.profile.as_ref().to_owned(),
        kind: alert.kind as u8,
        phase: alert.phase as u8,
        gaze_zone: alert.zone as u8,
        elapsed_s: alert.elapsed.as_secs_f32(),
        limit_s: alert.limit.as_secs_f32(),
        speed_kmh: alert.speed_kmh.unwrap_or(f32::NAN),
        requirement: alert.requirement.id().to_owned(),
        ..DriverAlert::default()
    }
}

#[cfg(test)]
mod tests;
