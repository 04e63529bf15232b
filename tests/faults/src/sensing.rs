//! The camera and the networks before the real detectors: rendered drivers, the real networks of the model store, and what a sensor, a cable, a disk
//! or a memory makes of them.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use troika_driver_state::{
    config::Config,
    node::DriverStateNode,
    perception::{Network, Networks},
    store,
};
use troika_gesture::{
    node::GestureNode,
    store::{Network as HandNetwork, Networks as HandNetworks},
};
use troika_host::{NodeOptions, simulate::Collected};
use troika_kit::{Duration, Fault, Time};
use troika_models::{Sha256, Store};
use troika_monitor::MonitorNode;
use troika_msgs::{
    sensor_msgs::Image,
    std_msgs::Header,
    troika::{DriverAlert, DriverState, Gesture, VehicleCommand},
};
use troika_sim::{Quality, Renderer, Scenario, Script};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::cut,
    driver::BLIND_WITHIN,
    rig::Rig,
};

const IMAGE: &str = "/cabin/camera/image_raw";
const FRAME: Duration = Duration::from_nanos(33_333_333);
/// SR-TIM-014: three periods without a message.
pub const MISSED_WITHIN: Duration = Duration::from_millis(110);
/// A face that is lost is unknown with the next frames.
pub const UNKNOWN_WITHIN: Duration = Duration::from_millis(334);
/// SR-DMS-025: 1 s, and two frames.
pub const FROZEN_WITHIN: Duration = Duration::from_millis(1_067);
/// In the tick of the frame itself.
pub const AT_ONCE: Duration = Duration::from_millis(1);
/// Frames of each driver.
const PICTURES: usize = 16;

type Shared = Arc<Mutex<Box<dyn Network>>>;

/// Pictures of two drivers, and the networks: made once, since both take a second.
pub struct Eyes {
    models: Store,
    networks: [Shared; 4],
    drivers: [Vec<Image>; 2],
}

impl Eyes {
    /// Renders the pictures and opens the models.
    ///
    /// # Errors
    /// A model that is not in the store.
    pub fn open() -> anyhow::Result<Eyes> {
        let models = Store::open_default()?;
        let all = store::open_all(&models).context("the models are fetched by `cargo xtask setup`")?;
        let shared = |network| Arc::new(Mutex::new(network));
        let networks = [shared(all.detector), shared(all.mesh), shared(all.iris), shared(all.eyes)];
        Ok(Eyes { models, networks, drivers: [pictures("ada")?, pictures("ben")?] })
    }

    fn networks(&self, broken: Option<&Broken>) -> Networks {
        let of = |part: usize| {
            let broken = broken.filter(|broken| broken.part == part).cloned();
            Box::new(Borrowed { network: self.networks[part].clone(), broken })
        };
        Networks { detector: of(0), mesh: of(1), iris: of(2), eyes: of(3) }
    }

    fn picture(&self, driver: usize, number: usize, stamp: Time) -> Image {
        let picture = &self.drivers[driver][number % PICTURES];
        Image { header: Header::at(stamp), ..picture.clone() }
    }
}

/// An attentive driver, half a second into the scene.
fn pictures(face: &str) -> anyhow::Result<Vec<Image>> {
    let text = format!(
        "name = \"faults\"\nseed = 3\n[[segment]]\nface = \"{face}\"\nlight = \"day\"\nspeed_kmh = 60.0\nacts = [{{ act = \"attentive\", s = 2.0 }}]\n"
    );
    let scenario = Scenario::parse(&text)?;
    let script = Script::new(&scenario);
    let mut renderer = Renderer::new(scenario.camera, Quality::Fast);
    let picture = |shot: &troika_sim::Shot| {
        let frame = renderer.render(&shot.pose);
        Image {
            height: frame.height as u32,
            width: frame.width as u32,
            encoding: if frame.channels == 1 { "mono8" } else { "rgb8" }.into(),
            step: (frame.width * frame.channels) as u32,
            data: frame.data,
            ..Image::default()
        }
    };
    Ok(script.shots.iter().skip(15).take(PICTURES).map(picture).collect())
}

/// How a network fails.
#[derive(Clone, Copy, PartialEq)]
enum Fails {
    NoNumbers,
    Error,
}

/// A network that fails once it is told to.
#[derive(Clone)]
struct Broken {
    part: usize,
    fails: Fails,
    on: Arc<Mutex<bool>>,
}

struct Borrowed {
    network: Shared,
    broken: Option<Broken>,
}

impl Network for Borrowed {
    fn run(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner).run(input, outputs)?;
        let Some(broken) = &self.broken else { return Ok(()) };
        if !*broken.on.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(());
        }
        match broken.fails {
            Fails::Error => Err(Fault::Model("on purpose")),
            Fails::NoNumbers => {
                outputs.iter_mut().for_each(|output| output.fill(f32::NAN));
                Ok(())
            }
        }
    }
}

/// Hands' networks whose memory is gone.
struct NoNumbers;

impl HandNetwork for NoNumbers {
    fn run(&mut self, _: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
        outputs.iter_mut().for_each(|output| output.fill(f32::NAN));
        Ok(())
    }
}

/// The driver's seat: camera frames in, what the detectors and the monitor say out.
struct Seat {
    rig: Rig,
    states: Collected<DriverState>,
    gestures: Collected<Gesture>,
    commands: Collected<VehicleCommand>,
    alerts: Collected<DriverAlert>,
    said: Vec<(Time, DriverState)>,
    blind: Option<Time>,
    number: usize,
    mute: bool,
}

impl Seat {
    fn new(ground: &Ground<'_>, node: DriverStateNode) -> anyhow::Result<Seat> {
        let mut rig = Rig::new()?;
        rig.spawn(node, NodeOptions::new("driver_state"))?;
        let config = troika_gesture::config::Config::default();
        let mapping = config.mapping(|path| fs::read_to_string(path))?;
        let none = || Box::new(NoNumbers);
        let networks = HandNetworks { palm: none(), hand: none(), pose: none(), motion: none() };
        rig.spawn(GestureNode::new(&config, mapping, networks, "faults")?, NodeOptions::new("gesture"))?;
        let monitor = MonitorNode::new(&troika_monitor::Config::default(), |path| fs::read_to_string(path))?;
        rig.spawn(monitor, NodeOptions::new("driver_monitor"))?;
        Ok(Seat {
            states: rig.simulation.collect("/cabin/driver_state")?,
            gestures: rig.simulation.collect("/cabin/gesture")?,
            commands: rig.simulation.collect("/voice/command")?,
            alerts: rig.simulation.collect("/cabin/driver_alert")?,
            rig,
            said: Vec::new(),
            blind: None,
            number: 0,
            mute: ground.without(Off::FallBacks),
        })
    }

    fn usual(ground: &Ground<'_>, broken: Option<&Broken>) -> anyhow::Result<Seat> {
        let mut config = Config::default();
        if ground.without(Off::FrameAge) {
            (config.max_frame_age_s, config.frozen_after_s) = (0.0, 0.0);
        }
        Seat::new(ground, DriverStateNode::new(&config, ground.eyes.networks(broken), "faults")?)
    }

    fn now(&self) -> Time {
        self.rig.now()
    }

    fn pass(&mut self, time: Duration) {
        self.rig.pass(time);
        for state in self.states.take() {
            if !(self.mute && state.value.state == DriverState::UNKNOWN) {
                self.said.push((state.received, state.value));
            }
        }
        let blind = |alert: &DriverAlert| {
            alert.kind == DriverAlert::MONITORING_UNAVAILABLE && alert.phase == DriverAlert::RAISED
        };
        let first = self.alerts.take().into_iter().find(|alert| blind(&alert.value));
        self.blind = self.blind.or(first.map(|alert| alert.received));
    }

    /// A frame, whatever it is, and its period.
    fn show(&mut self, image: &Image) -> anyhow::Result<()> {
        self.rig.send(IMAGE, image)?;
        self.pass(FRAME);
        Ok(())
    }

    /// The driver is seen, attentive, for some frames.
    fn seen(&mut self, ground: &Ground<'_>) -> anyhow::Result<()> {
        for _ in 0..6 {
            let image = ground.eyes.picture(0, self.number, self.now());
            self.number += 1;
            self.show(&image)?;
        }
        let last = self.said.last().map(|(_, state)| state.state);
        anyhow::ensure!(last == Some(DriverState::ATTENTIVE), "the driver is not seen: {last:?}");
        Ok(())
    }

    fn unknown_since(&self, from: Time) -> Option<Duration> {
        let unknown = |(at, state): &&(Time, DriverState)| *at >= from && state.state == DriverState::UNKNOWN;
        self.said.iter().find(unknown).map(|(at, _)| at.since(from))
    }

    /// A driver that is known after the limit, when nothing can be.
    fn known_after(&self, from: Time) -> Option<String> {
        let known = |(at, state): &&(Time, DriverState)| *at > from && state.state != DriverState::UNKNOWN;
        let (at, state) = self.said.iter().find(known)?;
        Some(format!(
            "state {} {:.2} s after nothing could be seen",
            state.state,
            at.since(from).as_secs_f32()
        ))
    }

    fn commanded(&self) -> Option<String> {
        let first = self.commands.take().into_iter().next()?;
        Some(format!("{} by a gesture that was none", first.value.function))
    }
}

/// What the camera gives.
#[derive(Clone, Copy, PartialEq)]
enum Gives {
    Nothing,
    Garbage,
    Black,
    White,
    Noise,
    Frozen,
    Another,
    Old,
    Future,
    Malformed,
}

fn camera(gives: Gives, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut seat = Seat::usual(ground, None)?;
    seat.seen(ground)?;
    let onset = seat.now();
    let frozen = ground.eyes.picture(0, seat.number, onset);
    let even = |value: u8| Image { data: vec![value; frozen.data.len()], ..frozen.clone() };
    let (frames, each) = match gives {
        Gives::Nothing | Gives::Garbage => (180, false),
        Gives::Frozen => (90, false),
        Gives::Another | Gives::Black | Gives::White | Gives::Noise => (14, false),
        Gives::Old | Gives::Malformed => (40, true),
        Gives::Future => (8, true),
    };
    let mut verdicts = Vec::new();
    for _ in 0..frames {
        let now = seat.now();
        let stamped = |image: Image| Image { header: Header::at(now), ..image };
        let image = match gives {
            Gives::Nothing => {
                seat.pass(FRAME);
                continue;
            }
            Gives::Garbage => {
                seat.rig.put::<Image>(IMAGE, &cut(&frozen, dice))?;
                seat.pass(FRAME);
                continue;
            }
            Gives::Black => stamped(even(dice.byte() % 4)),
            Gives::White => stamped(even(252 + dice.byte() % 4)),
            Gives::Noise => {
                let mut noise = even(0);
                noise.data.iter_mut().for_each(|pixel| *pixel = dice.byte());
                stamped(noise)
            }
            Gives::Frozen => stamped(frozen.clone()),
            Gives::Another => ground.eyes.picture(1, seat.number, now),
            Gives::Old => ground.eyes.picture(0, seat.number, now - dice.ms(201, 5_000)),
            Gives::Future => ground.eyes.picture(0, seat.number, now + dice.ms(500, 100_000)),
            Gives::Malformed => stamped(malformed(&frozen, dice)),
        };
        seat.number += 1;
        seat.gestures.take();
        seat.show(&image)?;
        if each {
            let gestured = seat.gestures.take().iter().any(|one| one.value.kind != Gesture::UNKNOWN);
            let noticed = seat.unknown_since(now).filter(|_| !gestured);
            let harm = seat.known_after(onset).or_else(|| seat.commanded());
            verdicts.push(Verdict::of(noticed, harm));
        }
    }
    if each {
        return Ok(verdicts);
    }
    let noticed = seat.unknown_since(onset);
    let sees_nothing = matches!(gives, Gives::Nothing | Gives::Garbage);
    let told = seat.blind.is_some_and(|at| at.since(onset) <= BLIND_WITHIN);
    let harm = match gives {
        Gives::Another => None,
        Gives::Frozen => seat.known_after(onset + FROZEN_WITHIN),
        _ => seat
            .known_after(onset + UNKNOWN_WITHIN)
            .or((sees_nothing && !told).then(|| "nobody was told that monitoring is unavailable".to_owned())),
    };
    Ok(vec![Verdict::of(noticed, harm.or_else(|| seat.commanded()))])
}

fn malformed(frame: &Image, dice: &mut Dice) -> Image {
    let mut image = frame.clone();
    match dice.below(8) {
        0 => image.width *= 2,
        1 => image.height = u32::MAX - u32::from(dice.byte()),
        2 => image.step = image.step.saturating_sub(1 + u32::from(dice.byte())),
        3 => image.data.truncate(dice.below(frame.data.len())),
        4 => image.encoding = (*dice.one_of(&["", "yuv420p", "32FC1", "bayer_rggb8", "rgb8 "])).to_owned(),
        5 => image.width = 0,
        6 => image.data.clear(),
        _ => (image.width, image.step) = (u32::MAX, u32::MAX),
    }
    image
}

macro_rules! cameras {
    ($($name:ident: $gives:ident),+ $(,)?) => {
        $(#[doc = concat!("The camera gives: ", stringify!($gives), ".")]
        /// # Errors
        /// What the bench itself cannot do.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            camera(Gives::$gives, ground, dice)
        })+
    };
}

cameras! {
    camera_dead: Nothing,
    camera_garbage: Garbage,
    camera_black: Black,
    camera_white: White,
    camera_noise: Noise,
    camera_frozen: Frozen,
    camera_another: Another,
    camera_old: Old,
    camera_future: Future,
    camera_malformed: Malformed,
}

/// A network says that it failed.
///
/// # Errors
/// What the bench itself cannot do.
pub fn network_fails(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    network(Fails::Error, ground, dice)
}

/// A network gives what is no number.
///
/// # Errors
/// What the bench itself cannot do.
pub fn network_no_numbers(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    network(Fails::NoNumbers, ground, dice)
}

fn network(fails: Fails, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    // The detector runs only while no face is followed, and the gaze goes on without the irises: see below.
    let part = *dice.one_of(&[1, 3]);
    let broken = Broken { part, fails, on: Arc::default() };
    let mut seat = Seat::usual(ground, Some(&broken))?;
    seat.seen(ground)?;
    *broken.on.lock().unwrap_or_else(PoisonError::into_inner) = true;
    let onset = seat.now();
    let mut noticed = None;
    for _ in 0..90 {
        let image = ground.eyes.picture(0, seat.number, seat.now());
        seat.number += 1;
        seat.show(&image)?;
        // Half of the frames are enough for a face that is followed, and cost half.
        seat.pass(FRAME);
        let blind = seat.blind.map(|at| at.since(onset));
        noticed = seat.unknown_since(onset).or(blind);
        if noticed.is_some() {
            break;
        }
    }
    let numbers = |state: &DriverState| {
        [state.gaze_yaw_deg, state.gaze_pitch_deg, state.eye_openness_left]
            .iter()
            .all(|number| number.is_finite())
    };
    // Half of what is known may still be: the turn of the head without the eyes.
    let lied = |(at, state): &&(Time, DriverState)| {
        *at > onset && state.state == DriverState::EYES_CLOSED && !numbers(state)
    };
    let harm = seat
        .said
        .iter()
        .find(lied)
        .map(|_| format!("closed eyes by a network that gives no numbers ({part})"));
    Ok(vec![Verdict::of(noticed, harm.or_else(|| seat.commanded()))])
}

/// The irises' network gives what is no number. Nothing has to be unknown for that: the eyes' own network and the head tell the gaze, and no
/// number of the irises is in it.
///
/// # Errors
/// What the bench itself cannot do.
pub fn irises_no_numbers(ground: &Ground<'_>, _: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let broken = Broken { part: 2, fails: Fails::NoNumbers, on: Arc::default() };
    let mut seat = Seat::usual(ground, Some(&broken))?;
    seat.seen(ground)?;
    *broken.on.lock().unwrap_or_else(PoisonError::into_inner) = true;
    let onset = seat.now();
    for _ in 0..10 {
        let image = ground.eyes.picture(0, seat.number, seat.now());
        seat.number += 1;
        seat.show(&image)?;
    }
    let after: Vec<_> = seat.said.iter().filter(|(at, _)| *at >= onset).collect();
    let sound = |state: &DriverState| {
        state.state == DriverState::UNKNOWN
            || state.gaze_yaw_deg.is_finite() && state.gaze_pitch_deg.is_finite()
    };
    let all = !after.is_empty() && after.iter().all(|(_, state)| sound(state));
    let harm = after.iter().any(|(_, state)| state.state == DriverState::EYES_CLOSED);
    let harm = harm.then(|| "open eyes were told closed".to_owned());
    Ok(vec![Verdict::of(all.then_some(Duration::ZERO), harm)])
}

/// Hands' networks give what is no number.
///
/// # Errors
/// What the bench itself cannot do.
pub fn hands_no_numbers(ground: &Ground<'_>, _: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut seat = Seat::new(ground, DriverStateNode::unavailable(&Config::default(), "not looked at")?)?;
    let mut verdicts = Vec::new();
    for number in 0..20 {
        let from = seat.now();
        let image = ground.eyes.picture(0, number, from);
        seat.show(&image)?;
        let said = seat.gestures.take();
        let nothing = |kind: u8| kind == Gesture::NONE || kind == Gesture::UNKNOWN;
        let all = !said.is_empty() && said.iter().all(|one| nothing(one.value.kind));
        let noticed = said.first().filter(|_| all && !seat.mute).map(|one| one.received.since(from));
        verdicts.push(Verdict::of(noticed, seat.commanded()));
    }
    Ok(verdicts)
}

/// A model of the store is damaged, cut short or gone when the node starts.
///
/// # Errors
/// What the bench itself cannot do.
pub fn model_damaged(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let whole = &ground.eyes.models;
    let folder = tempfile::tempdir()?;
    let blobs = folder.path().join("sha256");
    fs::create_dir_all(&blobs)?;
    let victim = *dice.one_of(&["face_detection_short_range", "face_landmark", "iris_landmark"]);
    let mut passports = whole.passports().to_vec();
    for passport in &mut passports {
        let from = whole.blob(passport);
        if passport.name != victim {
            if from.is_file() {
                symlink(&from, blobs.join(passport.sha256.to_string()))?;
            }
            continue;
        }
        let mut bytes = fs::read(&from).with_context(|| format!("{}", from.display()))?;
        if ground.without(Off::Passport) {
            // A weight, deep in the file: the network still loads.
            let at = bytes.len() / 2 + dice.below(1_000);
            bytes[at] ^= 1;
            passport.sha256 = Sha256::of(&bytes);
        } else {
            match dice.below(3) {
                0 => continue,
                1 => bytes.truncate(dice.below(bytes.len())),
                _ => {
                    let at = dice.below(bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                }
            }
        }
        fs::write(blobs.join(passport.sha256.to_string()), bytes)?;
    }
    let models = Store::with_passports(folder.path(), passports);
    let mut seat = Seat::new(ground, DriverStateNode::open(&Config::default(), &models)?)?;
    let onset = seat.now();
    let mut noticed = None;
    for number in 0..4 {
        let image = ground.eyes.picture(0, number, seat.now());
        seat.show(&image)?;
        let says = |(_, state): &&(Time, DriverState)| {
            state.state == DriverState::UNKNOWN && state.model.starts_with("unavailable")
        };
        noticed = seat.said.iter().find(says).map(|(at, _)| at.since(onset));
    }
    let harm = seat.said.iter().any(|(_, state)| state.state != DriverState::UNKNOWN);
    let harm = harm.then(|| format!("a driver was seen with a damaged {victim}"));
    Ok(vec![Verdict::of(noticed, harm)])
}
