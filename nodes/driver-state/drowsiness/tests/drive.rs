//! Drives in virtual time: a synthetic driver over the mem transport, and what is said of the drowsiness, with the head that
//! is shipped.
#![allow(clippy::unwrap_used, reason = "a test")]

use troika_drowsiness::{Config, DrowsinessNode};
use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::{Duration, Fault, Sample, Time};
use troika_models::Store;
use troika_msgs::{
    std_msgs::Header,
    troika::{DriverState, Drowsiness, DrowsinessInput, Ppg, Pulse, VehicleSignals},
};

const FRAME: Duration = Duration::from_nanos(33_333_333);

/// A generator of numbers in 0..1: the same each time.
struct Random(u64);
impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// How a driver blinks; each number varies by a fifth or so.
#[derive(Clone, Copy)]
struct Persona {
    every_s: f32,
    fall_s: f32,
    closed_s: f32,
    rise_s: f32,
    /// How far the lids are up between blinks.
    open: f32,
}

/// Anna after a night's sleep: 17 brisk blinks a minute.
const AWAKE: Persona = Persona { every_s: 3.5, fall_s: 0.09, closed_s: 0.06, rise_s: 0.15, open: 0.95 };
/// Anna after five hours on the road: lids that stay down and rise slowly.
const TIRED: Persona = Persona { every_s: 3.0, fall_s: 0.15, closed_s: 0.25, rise_s: 0.4, open: 0.8 };

/// Frames of the driver, made part by part.
struct Film {
    random: Random,
    frames: Vec<Option<f32>>,
}

impl Film {
    fn new(seed: u64) -> Film {
        Film { random: Random(seed), frames: Vec::new() }
    }

    fn lost(mut self, seconds: usize) -> Film {
        self.frames.extend(vec![None; seconds * 30]);
        self
    }

    fn of(mut self, persona: Persona, seconds: usize) -> Film {
        let end = self.frames.len() + seconds * 30;
        while self.frames.len() < end {
            let mut varied = |value: f32| value * (0.8 + 0.4 * self.random.unit());
            let [every, fall, closed, rise] =
                [persona.every_s, persona.fall_s, persona.closed_s, persona.rise_s].map(&mut varied);
            let frames = (every * 30.0) as usize;
            for frame in 0..frames {
                // The blink ends the stretch.
                let t = frame as f32 / 30.0 - (every - fall - closed - rise);
                let share = if t < 0.0 {
                    1.0
                } else if t < fall {
                    1.0 - t / fall
                } else if t < fall + closed {
                    0.0
                } else {
                    (t - fall - closed) / rise
                };
                let noise = 0.01 * (self.random.unit() - 0.5);
                self.frames.push(Some(0.03 + (persona.open - 0.03) * share.min(1.0) + noise));
            }
        }
        self.frames.truncate(end);
        self
    }
}

fn start() -> Time {
    Simulation::new().unwrap().now()
}

/// A film as messages.
fn states(film: Film) -> impl Iterator<Item = (Duration, DriverState)> {
    let start = start();
    film.frames.into_iter().zip(1..).map(move |(openness, n)| {
        let at = FRAME * n;
        let (eye, state) = match openness {
            Some(openness) => (openness, DriverState::ATTENTIVE),
            None => (f32::NAN, DriverState::UNKNOWN),
        };
        let message = DriverState {
            header: Header::at(start + at),
            state,
            face_detected: openness.is_some(),
            eye_openness_left: eye,
            eye_openness_right: eye,
            gaze_pitch_deg: if openness.is_some() { 0.0 } else { f32::NAN },
            ..DriverState::default()
        };
        (at, message)
    })
}

/// The vehicle at 50 Hz.
fn signals(
    seconds: u32,
    of: impl Fn(f32) -> (f32, f32) + 'static,
) -> impl Iterator<Item = (Duration, VehicleSignals)> {
    let start = start();
    (1..=seconds * 50).map(move |n| {
        let at = Duration::from_millis(20) * n;
        let (speed_kmh, steering_angle_deg) = of(at.as_secs_f32());
        let header = Header::at(start + at);
        (
            at,
            VehicleSignals {
                header,
                speed_kmh,
                steering_angle_deg,
                ignition_on: true,
                ..VehicleSignals::default()
            },
        )
    })
}

/// A drive; what was said at the end of each second.
struct Drive {
    simulation: Simulation,
    said: troika_host::simulate::Collected<Drowsiness>,
}

impl Drive {
    fn new(config: &str) -> Drive {
        let models = store_without_a_folder();
        let node = DrowsinessNode::open(toml::from_str::<Config>(config).unwrap(), &models);
        assert_eq!(node.model(), "blink_drowsiness");
        let mut simulation = Simulation::new().unwrap();
        let said = simulation.collect::<Drowsiness>("/cabin/drowsiness").unwrap();
        simulation.spawn(node, NodeOptions::new("drowsiness")).unwrap();
        Drive { simulation, said }
    }

    fn run(&mut self, seconds: usize) -> Vec<Drowsiness> {
        self.simulation.run_for(Duration::from_secs(seconds as u64));
        self.said.take().into_iter().map(|sample: Sample<Drowsiness>| sample.value).collect()
    }
}

/// The head lies in the binary: the store's folder may be empty.
fn store_without_a_folder() -> Store {
    Store::open("/nonexistent").unwrap()
}

fn first(said: &[Drowsiness], level: u8) -> Option<usize> {
    said.iter().position(|one| one.level == level)
}

#[test]
fn anna_is_unknown_then_alert_then_drowsy_then_unknown_when_her_face_is_lost() {
    troika_safety::verifies![SR_DMS_012];
    for seed in [1, 2, 3] {
        let mut drive = Drive::new("");
        let film = Film::new(seed).of(AWAKE, 600).of(TIRED, 300).lost(60);
        drive.simulation.feed("/cabin/driver_state", states(film)).unwrap();
        let said = drive.run(960);
        let alert = first(&said, Drowsiness::ALERT).expect("she is alert");
        // 80 blinks at one in 3.5 s.
        assert!((240..330).contains(&alert), "alert after {alert} s");
        assert!(said[..alert].iter().all(|one| one.level == Drowsiness::UNKNOWN && one.confidence == 0.0));
        assert_eq!(said[100].blinks.state, DrowsinessInput::CALIBRATING);
        assert!(said[alert..600].iter().all(|one| one.level == Drowsiness::ALERT), "seed {seed}");
        let drowsy = first(&said, Drowsiness::DROWSY).expect("she is drowsy");
        // Less than a window of 30 blinks at one in 3 s, and 10 s.
        assert!((610..700).contains(&drowsy), "drowsy after {drowsy} s");
        assert!(said[drowsy..905].iter().all(|one| one.level == Drowsiness::DROWSY));
        assert!(said[899].blink_duration_s > 0.5 && said[599].blink_duration_s < 0.4);
        assert!(said[899].blinks.used && !said[899].steering.used && !said[899].pulse.used);
        // Eyes that are not seen for 10 s are unknown, never closed.
        assert!(said[912..].iter().all(|one| one.level == Drowsiness::UNKNOWN && one.log_odds.is_nan()));
    }
}

#[test]
fn an_alert_driver_stays_alert_for_an_hour() {
    let mut drive = Drive::new("");
    drive.simulation.feed("/cabin/driver_state", states(Film::new(9).of(AWAKE, 3600))).unwrap();
    let said = drive.run(3600);
    assert_eq!(first(&said, Drowsiness::DROWSY), None);
    assert!(said[400..].iter().all(|one| one.level == Drowsiness::ALERT));
}

#[test]
fn a_driver_who_is_drowsy_from_the_first_minute_is_unknown_and_never_alert() {
    let mut drive = Drive::new("");
    drive.simulation.feed("/cabin/driver_state", states(Film::new(4).of(TIRED, 900))).unwrap();
    assert!(drive.run(900).iter().all(|one| one.level == Drowsiness::UNKNOWN));
}

#[test]
fn a_driver_who_turns_away_while_the_vehicle_moves_is_known_again_and_one_who_gets_out_is_not() {
    let film = || Film::new(5).of(AWAKE, 400).lost(30).of(AWAKE, 60);
    let moving = |_: f32| (90.0, 0.0);
    let parked = |t: f32| if (400.0..430.0).contains(&t) { (0.0, 0.0) } else { (90.0, 0.0) };
    let mut drive = Drive::new("");
    drive.simulation.feed("/cabin/driver_state", states(film())).unwrap();
    drive.simulation.feed("/vehicle/signals", signals(490, moving)).unwrap();
    let said = drive.run(490);
    assert_eq!((said[425].level, said[440].level), (Drowsiness::UNKNOWN, Drowsiness::ALERT));
    let mut drive = Drive::new("");
    drive.simulation.feed("/cabin/driver_state", states(film())).unwrap();
    drive.simulation.feed("/vehicle/signals", signals(490, parked)).unwrap();
    let said = drive.run(490);
    assert_eq!(said[440].blinks.state, DrowsinessInput::CALIBRATING);
    assert!(said[412..].iter().all(|one| one.level == Drowsiness::UNKNOWN));
}

#[test]
fn steering_takes_part_when_there_is_some_and_says_nothing_when_the_vehicle_stands() {
    let wave = |hz: f32, degrees: f32, t: f32| degrees * (core::f32::consts::TAU * hz * t).sin();
    let road = move |t: f32| match t {
        t if t < 500.0 => (110.0, wave(0.4, 0.5, t) + wave(0.05, 1.0, t)),
        t if t < 700.0 => (110.0, wave(0.1, 5.0, t)),
        _ => (0.0, 0.0),
    };
    let mut drive = Drive::new("");
    drive.simulation.feed("/cabin/driver_state", states(Film::new(6).of(AWAKE, 760))).unwrap();
    drive.simulation.feed("/vehicle/signals", signals(760, road)).unwrap();
    let said = drive.run(760);
    assert_eq!(said[200].steering.state, DrowsinessInput::CALIBRATING);
    let (fine, coarse, stood) = (&said[490], &said[690], &said[720]);
    assert!(fine.steering.used && fine.steering.log_odds.abs() < 0.4, "{:?}", fine.steering);
    assert!(coarse.steering.log_odds > 1.0 && coarse.log_odds > fine.log_odds, "{:?}", coarse.steering);
    // Coarse steering alone calls nobody drowsy.
    assert_eq!(coarse.level, Drowsiness::ALERT);
    assert!(!stood.steering.used && stood.steering.age_s > 15.0 && stood.level == Drowsiness::ALERT);
}

#[test]
fn a_pulse_is_read_and_published_when_there_is_one() {
    let start = start();
    // 60 a minute: a half sine of 0.3 s in each second, at 50 Hz.
    let beat = |n: u32| {
        let t = n as f32 / 50.0;
        if t < 0.3 { (core::f32::consts::PI * t / 0.3).sin() } else { 0.0 }
    };
    let ppg = (1..=100_u32).map(move |second| {
        let at = Duration::from_secs(u64::from(second)) - Duration::from_millis(5);
        let samples = (0..50).map(beat).collect();
        let stamp = start + Duration::from_secs(u64::from(second) - 1);
        (at, Ppg { header: Header::at(stamp), sample_rate: 50.0, samples })
    });
    let mut drive = Drive::new("pulse = true");
    let pulses = drive.simulation.collect::<Pulse>("/cabin/pulse").unwrap();
    drive.simulation.feed("/cabin/ppg", ppg).unwrap();
    let said = drive.run(120);
    assert!((said[95].heart_rate_bpm - 60.0).abs() < 1.0, "{}", said[95].heart_rate_bpm);
    assert!(said[115].heart_rate_bpm.is_nan(), "the samples stopped at 100 s");
    assert!(pulses.take().iter().any(|one| (one.value.rate_bpm - 60.0).abs() < 1.0));
    assert!(said.iter().all(|one| one.level == Drowsiness::UNKNOWN), "a pulse alone makes nobody alert");
}

#[test]
fn without_inputs_and_without_a_head_the_node_says_unknown_and_why() {
    troika_safety::verifies![SR_DMS_012, SR_DAT_002];
    let mut simulation = Simulation::new().unwrap();
    let said = simulation.collect::<Drowsiness>("/cabin/drowsiness").unwrap();
    let node = DrowsinessNode::without_head(Config::default(), "wrong sha256");
    simulation.spawn(node, NodeOptions::new("drowsiness")).unwrap();
    simulation.feed("/cabin/driver_state", states(Film::new(1).of(AWAKE, 400))).unwrap();
    simulation.run_for(Duration::from_secs(400));
    let said = said.take();
    assert_eq!(said.len(), 400);
    for one in said {
        assert_eq!((one.value.level, one.value.blinks.state), (Drowsiness::UNKNOWN, DrowsinessInput::ABSENT));
        assert_eq!(one.value.model, "unavailable: wrong sha256");
    }
}

#[test]
fn a_head_that_fails_is_a_fault_that_says_unknown_in_the_same_tick() {
    troika_safety::verifies![SR_TIM_003];
    struct Failing;
    impl troika_drowsiness::Head for Failing {
        fn log_odds(&mut self, _: &[[f32; 2]; 30]) -> Result<f32, Fault> {
            Err(Fault::Model("a test"))
        }
    }
    let mut simulation = Simulation::new().unwrap();
    let said = simulation.collect::<Drowsiness>("/cabin/drowsiness").unwrap();
    let node = DrowsinessNode::new(Config::default(), Box::new(Failing), "failing");
    simulation.spawn(node, NodeOptions::new("drowsiness")).unwrap();
    simulation.feed("/cabin/driver_state", states(Film::new(1).of(AWAKE, 400))).unwrap();
    simulation.run_for(Duration::from_secs(400));
    let stats = &simulation.stats()[0];
    assert!(stats.faults > 5 && stats.fall_backs == stats.faults, "{stats:?}");
    let said = said.take();
    assert!(said.len() == 400 && said.iter().all(|one| one.value.level == Drowsiness::UNKNOWN));
}
