//! What a camera and its networks would see of the driver, as numbers: no picture is rendered and no network runs. What follows on the
//! networks is real ([`Temporal`]): smoothing, closures, zones, the unknown.
//!
//! The noise is a model: white and slow error of the gaze, error of the openness, frames without a face, glare. Its default size is near that
//! of the real networks on rendered frames (`troika score sim/scenarios/demo-30s.toml`, 742 frames with a face: gaze off by 1.6 degrees in
//! yaw and 1.7 in pitch, one standard deviation, 0.95 of it new in each frame; openness by 0.1, the lids' own movement in it; no face lost);
//! eyewear and light enlarge it by factors that are assumptions.

use serde::Deserialize;
use troika_driver_state::{
    config::Config,
    gaze::Direction,
    node::of_verdict,
    temporal::{Seen, Temporal},
};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Out, Step, Tick, Time, Wake, ports, requirements,
};
use troika_msgs::{
    protect::{Seal, sender},
    std_msgs::Header,
    troika::{DriverState, DriverTruth, VehicleSignals},
};
use troika_sim::{Light, PERIOD, Play, RATE, Scenario, Script, Truth, Wear};

use crate::{absence::Absence, chance::Chance, road::Road};

/// How well the driver is seen.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sensing {
    /// Error of the gaze, degrees: one standard deviation, two thirds of it slow (2 s), the rest new in each frame.
    pub gaze_deg: f32,
    /// Error of the eyes' openness, 0..1.
    pub openness: f32,
    /// That a face is one, 0..1.
    pub presence: f32,
    /// Times a minute that a face is not found, for one to six frames.
    pub dropouts_a_minute: f32,
    /// Times a minute that the sun or a lamp blinds the camera, for one to four seconds: the eyes are not seen, and it is told as such.
    pub glare_a_minute: f32,
}

impl Default for Sensing {
    fn default() -> Self {
        Sensing { gaze_deg: 1.5, openness: 0.05, presence: 0.95, dropouts_a_minute: 0.5, glare_a_minute: 0.0 }
    }
}

impl Sensing {
    /// As it is in this light and through what the driver wears.
    fn under(self, light: Light, wear: Wear) -> Sensing {
        let light = match light {
            Light::Day | Light::Overcast | Light::SideLeft | Light::SideRight => 1.0,
            Light::NightIr => 1.2,
            Light::Dim => 1.4,
        };
        let (wear, presence) = match wear {
            Wear::Nothing | Wear::Hat | Wear::Beard => (1.0, 1.0),
            Wear::Glasses => (1.3, 0.95),
            Wear::Mask => (1.2, 0.8),
            Wear::Sunglasses => (2.0, 0.32),
        };
        Sensing {
            gaze_deg: self.gaze_deg * light * wear,
            openness: self.openness * light * wear,
            presence: self.presence * presence,
            ..self
        }
    }
}

ports! {
    /// Nothing.
    pub struct Inputs {}
}

ports! {
    /// What the node says: in the place of camera, driver-state node and vehicle.
    pub struct Outputs {
        /// One for each frame.
        state: Out<DriverState> = "/cabin/driver_state",
        /// What is true of it, on its stamp.
        truth: Out<DriverTruth> = "/sim/driver_truth",
        /// Speed and steering wheel.
        signals: Out<VehicleSignals> = "/vehicle/signals",
    }
}

/// From the death of the node's process to the first words of its stand-in, s.
const NOTICED_S: f32 = 0.1;

/// What `DriverState.model` says.
const MODEL: &str = "simulated perception";

/// Perception without pictures.
pub struct Perception {
    scenario: Scenario,
    script: Script,
    play: Play,
    config: Config,
    temporal: Temporal,
    sensing: Sensing,
    /// When the camera gives nothing, and when the node is gone, seconds: from and to.
    away: Vec<(f32, f32)>,
    gone: Vec<(f32, f32)>,
    absence: Absence,
    chance: Chance,
    slow: [f32; 2],
    lost: usize,
    blinded: Vec<(f32, f32)>,
    road: Road,
    states: Seal<DriverState>,
    speeds: Seal<VehicleSignals>,
}

impl Perception {
    /// Of a scenario; `config` is the driver-state node's.
    pub fn new(scenario: &Scenario, config: &Config, sensing: Sensing) -> Perception {
        let script = Script::new(scenario);
        let blinded = blinded(sensing.glare_a_minute, script.shots.len(), &mut Chance::new(scenario.seed, 4));
        Perception {
            scenario: scenario.clone(),
            script,
            play: Play::new(false),
            config: config.clone(),
            temporal: Temporal::new(config),
            sensing,
            away: Vec::new(),
            gone: Vec::new(),
            absence: Absence::default(),
            chance: Chance::new(scenario.seed, 1),
            slow: [0.0; 2],
            lost: 0,
            blinded,
            road: Road::new(scenario.seed),
            states: Seal::new(sender::DRIVER_STATE),
            speeds: Seal::new(sender::SIGNALS),
        }
    }

    /// The same with a camera that gives nothing at these times (from and to, seconds).
    pub fn without_camera(mut self, away: Vec<(f32, f32)>) -> Perception {
        self.away.extend(away);
        self
    }

    /// The same with a process that is gone from then to then, and begins anew. Its stand-in speaks a tenth of a second later.
    pub fn killed(mut self, from: f32, to: f32) -> Perception {
        self.gone.push((from, to));
        self
    }

    /// What it counts while its process is gone.
    pub fn absence(&self) -> Absence {
        self.absence.clone()
    }

    /// When glare blinds the camera: from and to, seconds.
    pub fn blinded(&self) -> &[(f32, f32)] {
        &self.blinded
    }

    fn say(&mut self, state: DriverState, outputs: &mut Outputs) {
        if let Some(state) = self.states.sealed(state) {
            outputs.state.send(state);
        }
    }

    fn seen(&mut self, at_s: f32, truth: &Truth) -> Option<Seen> {
        let step = 1.0 / RATE;
        let segment = self.scenario.segment_at(at_s);
        let sensing = self.sensing.under(segment.light, segment.wears);
        let kept = libm::expf(-step / 2.0);
        let fresh = libm::sqrtf(1.0 - kept * kept);
        let (slow_deg, fast_deg) = (sensing.gaze_deg * 0.816, sensing.gaze_deg * 0.577);
        let mut error = [0.0; 2];
        for (error, slow) in error.iter_mut().zip(&mut self.slow) {
            *slow = *slow * kept + fresh * self.chance.normal();
            *error = slow_deg * *slow + fast_deg * self.chance.normal();
        }
        let openness = [0; 2].map(|_| truth.eye_openness + sensing.openness * self.chance.normal());
        if self.lost == 0 && self.chance.happens(sensing.dropouts_a_minute / 60.0, step) {
            self.lost = 1 + self.chance.below(6);
        }
        let lost = self.lost > 0;
        self.lost = self.lost.saturating_sub(1);
        let blinded = Self::since(&self.blinded, at_s).is_some();
        if lost || !truth.face_visible {
            return None;
        }
        // Behind dark glass, and in glare, no eye is seen; the gaze is then the head's.
        let hidden = blinded || segment.wears == Wear::Sunglasses;
        let more = if blinded { 2.0 } else { 1.0 };
        Some(Seen {
            gaze: Direction {
                yaw: truth.gaze_yaw_deg + more * error[0],
                pitch: truth.gaze_pitch_deg + more * error[1],
            },
            openness: openness.map(|open| (!hidden).then_some(open.clamp(0.0, 1.0))),
            presence: if blinded { sensing.presence.min(0.3) } else { sensing.presence },
        })
    }

    /// Says what is true and what the vehicle does; the header of the frame.
    fn drive(&mut self, tick: &Tick, truth: &Truth, outputs: &mut Outputs) -> Header {
        let header = Header { stamp: tick.release.into(), frame_id: "driver_camera_optical_frame".into() };
        outputs.truth.send(truth.message(header.clone()));
        let attends = truth.face_visible && truth.state == DriverState::ATTENTIVE;
        let steering_angle_deg = self.road.pass(1.0 / RATE, truth.speed_kmh / 3.6, attends);
        let signals = VehicleSignals {
            header: Header { stamp: tick.release.into(), frame_id: String::new() },
            speed_kmh: truth.speed_kmh,
            steering_angle_deg,
            gear: if truth.speed_kmh > 0.5 { 127 } else { 0 },
            ignition_on: true,
            driver_acted: truth.driver_acted,
            ..VehicleSignals::default()
        };
        if let Some(signals) = self.speeds.sealed(signals) {
            outputs.signals.send(signals);
        }
        header
    }

    /// Since when, of the spans that hold now.
    fn since(spans: &[(f32, f32)], at_s: f32) -> Option<f32> {
        spans.iter().find(|(from, to)| (*from..*to).contains(&at_s)).map(|(from, _)| *from)
    }
}

/// Spans of one to four seconds, so often a minute, in so many frames.
fn blinded(a_minute: f32, frames: usize, chance: &mut Chance) -> Vec<(f32, f32)> {
    let mut spans: Vec<(f32, f32)> = Vec::new();
    for frame in 0..frames {
        let at_s = frame as f32 / RATE;
        let over = spans.last().is_none_or(|(_, to)| *to <= at_s);
        if over && chance.happens(a_minute / 60.0, 1.0 / RATE) {
            spans.push((at_s, at_s + chance.between(1.0, 4.0)));
        }
    }
    spans
}

impl Step for Perception {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "sim_perception",
        wake: Wake::Period,
        period: PERIOD,
        deadline: PERIOD,
        budget: Duration::from_millis(1),
        class: Class::Best,
        requirements: &[requirements::SR_TIM_001],
    });

    fn step(&mut self, tick: &Tick, _: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let Some(frame) = self.play.due(tick.release, self.script.shots.len()) else { return Ok(Done::Idle) };
        let truth = self.script.shots[frame].truth;
        let at_s = frame as f32 / RATE;
        let seen = self.seen(at_s, &truth);
        if let Some(since) = Self::since(&self.gone, at_s) {
            self.temporal = Temporal::new(&self.config);
            let stands_in = at_s - since >= NOTICED_S;
            self.absence.count(stands_in);
            if !stands_in {
                self.drive(tick, &truth, outputs);
                return Ok(Done::Worked);
            }
            return Err(Fault::Unavailable("its process"));
        }
        if Self::since(&self.away, at_s).is_some() {
            return Err(Fault::StaleInput { port: "image" });
        }
        let header = self.drive(tick, &truth, outputs);
        let verdict = self.temporal.observe(tick.release, seen.as_ref());
        self.say(of_verdict(header, MODEL, &verdict), outputs);
        Ok(Done::Worked)
    }

    /// What the driver-state node says when its camera is silent; the vehicle drives on, and the driver does what he does.
    fn fall_back(&mut self, tick: &Tick, _: &Fault, outputs: &mut Outputs) {
        let now: Time = tick.release;
        if let Some(frame) = self.play.due(tick.release, self.script.shots.len()) {
            let truth = self.script.shots[frame].truth;
            self.drive(tick, &truth, outputs);
        }
        let mut unknown = Temporal::new(&self.config);
        let header = Header { stamp: now.into(), frame_id: String::new() };
        let verdict = unknown.observe(now, None);
        self.say(DriverState { fall_back: true, ..of_verdict(header, MODEL, &verdict) }, outputs);
    }
}
