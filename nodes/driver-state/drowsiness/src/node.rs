//! The node as a step: what came in since the last second, then one `Drowsiness`.
//!
//! Firm, once a second. It never faults for an input that stays away: that is its subject. Only a head that fails is a fault,
//! and then nothing is said to be known.

use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Events, Fault, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_msgs::{
    protect::{Trust, sender},
    std_msgs::Header,
    troika::{DriverState, Drowsiness, DrowsinessInput, Ppg, Pulse as PulseMessage, VehicleSignals},
};

use crate::{
    Config, Evidence, Fuser, Head, Says, Verdict, pulse::Pulse, steering::Steering, store, watch::BlinkWatch,
};

ports! {
    /// What the node reads; each may stay away.
    pub struct Inputs {
        /// The driver, 30 messages a second; twice as many are held.
        state: Events<DriverState, 64> = "/cabin/driver_state",
        /// The vehicle, 50 a second.
        signals: Events<VehicleSignals, 128> = "/vehicle/signals",
        /// The blood volume in the skin.
        ppg: Events<Ppg, 32> = "/cabin/ppg",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Once a second.
        drowsiness: Out<Drowsiness> = "/cabin/drowsiness",
        /// Once a second while there are samples.
        pulse: Out<PulseMessage> = "/cabin/pulse",
    }
}

/// A driver who is not seen for longer than this while the vehicle may stand may be another one afterwards.
const CHANGE: Duration = Duration::from_secs(10);
/// Faster than this (km/h) nobody changes seats.
const MOVING_KMH: f32 = 5.0;
/// A speed older than this is not known.
const SPEED_STALE: Duration = Duration::from_millis(500);

/// Blinks, steering and pulse to drowsiness.
pub struct DrowsinessNode {
    config: Config,
    blinks: BlinkWatch,
    steering: Steering,
    pulse: Pulse,
    fuser: Fuser,
    model: String,
    speed: Option<(Time, f32)>,
    /// Whom to believe (SR-DAT-009).
    states: Trust<DriverState>,
    speeds: Trust<VehicleSignals>,
    /// Since the eyes were last seen, the vehicle was not known to move at some time.
    stood_unseen: bool,
}

impl DrowsinessNode {
    /// A node with its head; `model` names it in each message.
    pub fn new(config: Config, head: Box<dyn Head>, model: &str) -> DrowsinessNode {
        DrowsinessNode::with(config, Some(head), model.to_owned())
    }

    /// A node that has no head and says so in each message; steering and pulse count all the same.
    pub fn without_head(config: Config, reason: &str) -> DrowsinessNode {
        DrowsinessNode::with(config, None, format!("unavailable: {reason}"))
    }

    /// A node with the head of the model store, or without one and with the reason why (SR-DAT-002).
    pub fn open(config: Config, models: &troika_models::Store) -> DrowsinessNode {
        match store::open(models) {
            Ok(head) => DrowsinessNode::new(config, head, store::MODEL),
            Err(why) => DrowsinessNode::without_head(config, &why.to_string()),
        }
    }

    fn with(config: Config, head: Option<Box<dyn Head>>, model: String) -> DrowsinessNode {
        DrowsinessNode {
            blinks: BlinkWatch::new(head),
            steering: Steering::new(config.steering_above_kmh),
            pulse: Pulse::new(),
            fuser: Fuser::new(config.limits),
            config,
            model,
            speed: None,
            states: Trust::new(sender::DRIVER_STATE),
            speeds: Trust::new(sender::SIGNALS),
            stood_unseen: false,
        }
    }

    /// The head in use, or `unavailable: ` and the reason.
    pub fn model(&self) -> &str {
        &self.model
    }

    fn take_signals(&mut self, inputs: &Inputs) {
        for sample in inputs.signals.iter() {
            if !self.speeds.believes(sample.received, &sample.value) {
                continue;
            }
            let VehicleSignals { speed_kmh, steering_angle_deg, ignition_on, .. } = sample.value;
            if !ignition_on && speed_kmh == 0.0 {
                self.forget();
            }
            let stamp = stamp(sample.value.header.time(), sample.received);
            self.steering.take(stamp, sample.received, speed_kmh, steering_angle_deg);
            self.speed = Some((sample.received, speed_kmh));
        }
    }

    fn take_states(&mut self, now: Time, inputs: &Inputs) -> Result<(), Fault> {
        for sample in inputs.state.iter() {
            if !self.states.believes(sample.received, &sample.value) {
                continue;
            }
            let openness = openness(&sample.value, self.config.gaze_down_deg);
            if openness.is_some() {
                self.see_driver(sample.received);
            }
            let stamp = stamp(sample.value.header.time(), sample.received);
            self.blinks.take(stamp, sample.received, openness)?;
        }
        let moves = self.speed.is_some_and(|(at, kmh)| {
            now.since(at) <= SPEED_STALE && kmh.is_finite() && kmh.abs() > MOVING_KMH
        });
        let unseen = self.blinks.last_seen().is_none_or(|seen| now.since(seen) > Duration::from_secs(1));
        self.stood_unseen |= unseen && !moves;
        Ok(())
    }

    /// The eyes are seen again: by another driver's face, if there was time to change.
    fn see_driver(&mut self, at: Time) {
        let away = self.blinks.last_seen().is_some_and(|seen| at.since(seen) > CHANGE);
        if away && self.stood_unseen {
            self.forget();
        }
        self.stood_unseen = false;
    }

    fn forget(&mut self) {
        self.blinks.forget();
        self.steering.forget();
        self.pulse.forget();
        self.stood_unseen = false;
    }

    fn message(&self, now: Time, says: &[Says; 3], verdict: &Verdict) -> Drowsiness {
        let input = |n: usize| said(now, &says[n], verdict.used[n]);
        let (blinks_per_minute, blink_duration_s) = self.blinks.figures().unwrap_or((f32::NAN, f32::NAN));
        let steering = self.steering.rates();
        Drowsiness {
            header: Header::at(now),
            level: verdict.level as u8,
            confidence: verdict.confidence,
            log_odds: verdict.log_odds.unwrap_or(f32::NAN),
            blinks: input(0),
            steering: input(1),
            pulse: input(2),
            blinks_per_minute,
            blink_duration_s,
            steering_reversals_per_minute: steering.map_or(f32::NAN, |rates| rates.reversals),
            steering_corrections_per_minute: steering.map_or(f32::NAN, |rates| rates.corrections),
            heart_rate_bpm: self.pulse.rhythm().rate_bpm.unwrap_or(f32::NAN),
            model: self.model.clone(),
        }
    }
}

impl Step for DrowsinessNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "drowsiness",
        wake: Wake::Period,
        period: Duration::from_secs(1),
        deadline: Duration::from_millis(100),
        // A minute of samples at 256 Hz is looked at in 2 ms; one run of the head a blink.
        budget: Duration::from_millis(20),
        class: Class::Firm,
        requirements: &[requirements::SR_DMS_012, requirements::SR_DAT_002, requirements::SR_TIM_003],
    });

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        self.take_signals(inputs);
        self.take_states(tick.now, inputs)?;
        if self.config.pulse {
            for sample in inputs.ppg.iter() {
                let Ppg { header, sample_rate, samples } = &sample.value;
                let stamp = stamp(header.time(), sample.received);
                self.pulse.take(stamp, sample.received, *sample_rate, samples);
            }
            let rhythm = self.pulse.look(tick.now);
            if let Some(at) = self.pulse.at() {
                outputs.pulse.send(PulseMessage {
                    header: Header::at(at),
                    rate_bpm: rhythm.rate_bpm.unwrap_or(f32::NAN),
                    rmssd_ms: rhythm.rmssd_ms.unwrap_or(f32::NAN),
                    coverage: rhythm.coverage,
                    beats: rhythm.beats,
                    irregular: rhythm.irregular,
                });
            }
        }
        let says = [self.blinks.says(), self.steering.says(), self.pulse.says()];
        let verdict = self.fuser.step(tick.now, &says.map(|says| says.evidence()));
        outputs.drowsiness.send(self.message(tick.now, &says, &verdict));
        Ok(Done::Worked)
    }

    fn fall_back(&mut self, tick: &Tick, _: &Fault, outputs: &mut Outputs) {
        let nothing = [Says::Nothing; 3];
        let verdict = self.fuser.step(tick.now, &[None; 3]);
        outputs.drowsiness.send(self.message(tick.now, &nothing, &verdict));
    }
}

/// The stamp, or the arrival when a sender has no clock and leaves it zero.
fn stamp(stamped: Time, received: Time) -> Time {
    if stamped == Time::ZERO { received } else { stamped }
}

/// The mean openness of the eyes that are seen and do not look down.
fn openness(state: &DriverState, gaze_down_deg: f32) -> Option<f32> {
    // With closed eyes the gaze is not known, and they are looked at all the same.
    if state.state == DriverState::UNKNOWN || state.gaze_pitch_deg < gaze_down_deg {
        return None;
    }
    let seen = |openness: f32| openness.is_finite().then_some(openness);
    match (seen(state.eye_openness_left), seen(state.eye_openness_right)) {
        (Some(left), Some(right)) => Some((left + right) / 2.0),
        (one, other) => one.or(other),
    }
}

fn said(now: Time, says: &Says, used: bool) -> DrowsinessInput {
    let nothing = DrowsinessInput { log_odds: f32::NAN, age_s: f32::NAN, ..DrowsinessInput::default() };
    match says {
        Says::Nothing => nothing,
        Says::Calibrating(done) => {
            DrowsinessInput { state: DrowsinessInput::CALIBRATING, calibration: *done, ..nothing }
        }
        Says::Evidence(evidence) => valid(now, evidence, used),
    }
}

fn valid(now: Time, evidence: &Evidence, used: bool) -> DrowsinessInput {
    DrowsinessInput {
        state: DrowsinessInput::VALID,
        used,
        calibration: 1.0,
        log_odds: evidence.log_odds(),
        confidence: evidence.confidence(),
        age_s: now.since(evidence.at()).as_secs_f32(),
    }
}
