//! The node: a camera frame in, a `DriverState` out, on every frame, whatever happens.
//!
//! A frame that cannot be used, a network that fails and a camera that is silent are faults; the fall-back then says
//! UNKNOWN. So does a node whose models could not be had, with the reason in `model` (SR-DAT-002).

use troika_frame::still::Still;
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Latest, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_msgs::{
    protect::{Seal, sender},
    sensor_msgs::Image,
    std_msgs::Header,
    troika::DriverState,
};

use crate::{
    another::Another,
    config::{Config, ConfigError, Zone},
    image::ImageView,
    perception::{Look, Networks, Perception, Stage},
    store,
    temporal::{Seen, State, Temporal, Verdict},
};

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// Frames of the driver's face, about 30 a second.
        image: Latest<Image> = "/cabin/camera/image_raw",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// One for each frame.
        state: Out<DriverState> = "/cabin/driver_state",
    }
}

enum Mind {
    Ready(Box<Perception>),
    Unavailable,
}

/// Frame to driver state.
pub struct DriverStateNode {
    mind: Mind,
    temporal: Temporal,
    another: Another,
    landmarks: bool,
    max_frame_age: Duration,
    still: Still,
    seal: Seal<DriverState>,
    model: String,
}

impl DriverStateNode {
    /// A node with its networks; `model` names them in each message.
    ///
    /// # Errors
    /// A setting that is out of its bounds.
    pub fn new(config: &Config, networks: Networks, model: &str) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(DriverStateNode {
            mind: Mind::Ready(Box::new(Perception::new(config, networks))),
            temporal: Temporal::new(config),
            another: Another::default(),
            landmarks: config.landmarks,
            max_frame_age: Duration::from_secs_f32(config.max_frame_age_s),
            still: Still::new(Duration::from_secs_f32(config.frozen_after_s)),
            seal: Seal::new(sender::DRIVER_STATE),
            model: model.to_owned(),
        })
    }

    /// A node with the networks of the model store. A network that cannot be had makes a node that says so on every frame
    /// (SR-DAT-002), not an error; ask [`DriverStateNode::model`].
    ///
    /// # Errors
    /// A setting that is out of its bounds.
    pub fn open(config: &Config, models: &troika_models::Store) -> Result<Self, ConfigError> {
        match store::open_all(models) {
            Ok(networks) => DriverStateNode::new(config, networks, store::MODEL),
            Err(why) => DriverStateNode::unavailable(config, &why.to_string()),
        }
    }

    /// The networks in use, or `unavailable: ` and the reason.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// A node that has no networks and says so on every frame.
    ///
    /// # Errors
    /// A setting that is out of its bounds.
    pub fn unavailable(config: &Config, reason: &str) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(DriverStateNode {
            mind: Mind::Unavailable,
            temporal: Temporal::new(config),
            another: Another::default(),
            landmarks: false,
            max_frame_age: Duration::ZERO,
            still: Still::new(Duration::ZERO),
            seal: Seal::new(sender::DRIVER_STATE),
            model: format!("unavailable: {reason}"),
        })
    }

    fn send(&mut self, state: DriverState, outputs: &mut Outputs) {
        if let Some(state) = self.seal.sealed(state) {
            outputs.state.send(state);
        }
    }

    /// Looks at one frame and says what it shows. `done` is told as each stage of the perception ends.
    ///
    /// # Errors
    /// [`Fault::BadInput`] for a frame that cannot be used, [`Fault::Model`] for a failed network, [`Fault::Unavailable`]
    /// without networks.
    pub fn look(
        &mut self,
        image: &Image,
        received: Time,
        done: &mut dyn FnMut(Stage),
    ) -> Result<DriverState, Fault> {
        self.look_at(image, received, 0, done)
    }

    /// The same at a level of [`Step::LEVELS`].
    fn look_at(
        &mut self,
        image: &Image,
        received: Time,
        level: usize,
        done: &mut dyn FnMut(Stage),
    ) -> Result<DriverState, Fault> {
        let Mind::Ready(perception) = &mut self.mind else {
            return Err(Fault::Unavailable("the driver-state models"));
        };
        let view = ImageView::new(&image.encoding, image.width, image.height, image.step, &image.data)?;
        let mut look = perception.look_with(&view, level == 0, done)?;
        // A camera without a clock leaves the stamp zero.
        let stamped = Time::from(image.header.stamp.clone());
        let taken = if stamped == Time::ZERO { received } else { stamped };
        if look.is_none() {
            self.another.lost();
        } else if self.another.is_there(taken, perception.traits()) {
            perception.reset();
            self.temporal.another();
            look = None;
        }
        let seen =
            look.map(|look| Seen { gaze: look.gaze, openness: look.openness, presence: look.presence });
        let verdict = self.temporal.observe(taken, seen.as_ref());
        let header = Header { stamp: taken.into(), frame_id: image.header.frame_id.clone() };
        let mut state = message(header, &self.model, look.as_ref(), &verdict, &view);
        if self.landmarks && look.is_some() {
            let (w, h) = (view.width() as f32, view.height() as f32);
            state.landmarks = perception.points().flat_map(|[x, y]| [x / w, y / h]).collect();
        }
        Ok(state)
    }
}

/// What the verdict alone says, whoever saw the face: no box, no head, no mouth.
pub fn of_verdict(header: Header, model: &str, verdict: &Verdict) -> DriverState {
    let mut out = DriverState {
        header,
        state: state_number(verdict.state),
        confidence: verdict.confidence,
        gaze_zone: zone_number(verdict.zone),
        perclos: verdict.perclos.unwrap_or(f32::NAN),
        ..unknown(model)
    };
    let Some(gaze) = verdict.gaze else { return out };
    out.face_detected = true;
    out.gaze_yaw_deg = gaze.yaw;
    out.gaze_pitch_deg = gaze.pitch;
    out.eye_openness_right = verdict.openness[0].unwrap_or(f32::NAN);
    out.eye_openness_left = verdict.openness[1].unwrap_or(f32::NAN);
    out
}

fn message(
    header: Header,
    model: &str,
    look: Option<&Look>,
    verdict: &Verdict,
    view: &ImageView<'_>,
) -> DriverState {
    let mut out = of_verdict(header, model, verdict);
    let Some(look) = look else { return out };
    let (w, h) = (view.width() as f32, view.height() as f32);
    out.face_box = [look.rect[0] / w, look.rect[1] / h, look.rect[2] / w, look.rect[3] / h];
    out.head_yaw_deg = look.head.yaw;
    out.head_pitch_deg = look.head.pitch;
    out.head_roll_deg = look.roll;
    out.mouth_opening = look.mouth;
    out
}

/// Nothing is known: angles that are not measured are no numbers, so that none is taken for "straight ahead".
fn unknown(model: &str) -> DriverState {
    DriverState {
        state: DriverState::UNKNOWN,
        head_yaw_deg: f32::NAN,
        head_pitch_deg: f32::NAN,
        head_roll_deg: f32::NAN,
        gaze_yaw_deg: f32::NAN,
        gaze_pitch_deg: f32::NAN,
        gaze_zone: DriverState::ZONE_UNKNOWN,
        eye_openness_left: f32::NAN,
        eye_openness_right: f32::NAN,
        mouth_opening: f32::NAN,
        perclos: f32::NAN,
        model: model.to_owned(),
        ..DriverState::default()
    }
}

fn state_number(state: State) -> u8 {
    match state {
        State::Unknown => DriverState::UNKNOWN,
        State::Attentive => DriverState::ATTENTIVE,
        State::LookingAway => DriverState::LOOKING_AWAY,
        State::EyesClosed => DriverState::EYES_CLOSED,
    }
}

fn zone_number(zone: Option<Zone>) -> u8 {
    match zone {
        None => DriverState::ZONE_UNKNOWN,
        Some(Zone::Forward) => DriverState::ZONE_FORWARD,
        Some(Zone::LeftMirror) => DriverState::ZONE_LEFT_MIRROR,
        Some(Zone::RightMirror) => DriverState::ZONE_RIGHT_MIRROR,
        Some(Zone::RearMirror) => DriverState::ZONE_REAR_MIRROR,
        Some(Zone::Cluster) => DriverState::ZONE_CLUSTER,
        Some(Zone::Area3) => DriverState::ZONE_AREA_3,
        Some(Zone::Area1) => DriverState::ZONE_AREA_1,
        Some(Zone::Other) => DriverState::ZONE_OTHER,
    }
}

impl Step for DriverStateNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "driver_state",
        wake: Wake::Input("image"),
        period: Duration::from_millis(33),
        deadline: Duration::from_millis(33),
        budget: Duration::from_millis(28),
        class: Class::Hard,
        requirements: &[
            requirements::SR_TIM_001,
            requirements::SR_TIM_002,
            requirements::SR_TIM_003,
            requirements::SR_TIM_006,
            requirements::SR_TIM_007,
            requirements::SR_DMS_007,
            requirements::SR_DMS_025,
            requirements::SR_DMS_026,
            requirements::SR_DAT_002,
            requirements::SR_DAT_009,
        ],
    });

    /// `lite` leaves out the iris network: gaze then comes from the head and from the eye network alone.
    const LEVELS: &'static [&'static str] = &["full", "lite"];

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        if matches!(self.mind, Mind::Unavailable) {
            return Err(Fault::Unavailable("the driver-state models"));
        }
        let sample = inputs.image.fresh().ok_or(Fault::StaleInput { port: "image" })?;
        let stamped = Time::from(sample.value.header.stamp.clone());
        let off = tick.now.since(stamped).max(stamped.since(tick.now));
        if stamped != Time::ZERO && !self.max_frame_age.is_zero() && off > self.max_frame_age {
            return Err(Fault::StaleInput { port: "image" });
        }
        if self.still.stands(sample.received, &sample.value.data) {
            return Err(Fault::BadInput("the camera gives the same picture again and again"));
        }
        let state = self.look_at(&sample.value, sample.received, tick.level, &mut |_| {})?;
        self.send(state, outputs);
        Ok(Done::Worked)
    }

    fn fall_back(&mut self, tick: &Tick, _: &Fault, outputs: &mut Outputs) {
        troika_safety::fulfils![SR_DMS_023];
        let header = Header { stamp: tick.release.into(), frame_id: String::new() };
        self.send(DriverState { header, fall_back: true, ..unknown(&self.model) }, outputs);
    }
}

#[cfg(test)]
mod tests {
    use troika_msgs::protect::Trust;

    use super::*;
    use crate::perception::Network;

    /// Networks that see no face, or fail.
    struct Blind {
        fails: bool,
    }
    impl Network for Blind {
        fn run(&mut self, _: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
            if self.fails {
                return Err(Fault::Model("a test"));
            }
            outputs.iter_mut().for_each(|output| output.fill(-100.0));
            Ok(())
        }
    }

    fn node(fails: bool) -> DriverStateNode {
        let blind = || Box::new(Blind { fails });
        let networks = Networks { detector: blind(), mesh: blind(), iris: blind(), eyes: blind() };
        DriverStateNode::new(&Config::default(), networks, "blind").expect("a sound configuration")
    }

    fn frame() -> Image {
        Image {
            width: 64,
            height: 48,
            step: 64,
            encoding: "mono8".into(),
            data: vec![9; 64 * 48],
            ..Image::default()
        }
    }

    fn run(node: &mut DriverStateNode, image: Option<Image>) -> (Result<Done, Fault>, DriverState) {
        let now = Time::from_nanos(5_000_000_000);
        let tick = Tick { seq: 0, release: now, now, level: 0 };
        let image = image.map_or_else(Latest::default, |image| Latest::holding(image, now));
        let mut outputs = Outputs::default();
        let done = node.step(&tick, &Inputs { image }, &mut outputs);
        if let Err(fault) = done {
            outputs.state.clear();
            node.fall_back(&tick, &fault, &mut outputs);
        }
        assert_eq!(outputs.state.sent().len(), 1, "one message a tick");
        (done, outputs.state.sent()[0].clone())
    }

    #[test]
    fn a_frame_without_a_face_is_unknown_on_its_own_stamp() {
        let mut image = frame();
        image.header.stamp = Time::from_nanos(4_900_000_000).into();
        let (done, state) = run(&mut node(false), Some(image));
        assert_eq!((done, state.state, state.face_detected), (Ok(Done::Worked), DriverState::UNKNOWN, false));
        assert_eq!(Time::from(state.header.stamp), Time::from_nanos(4_900_000_000));
        assert!(state.eye_openness_left.is_nan() && state.gaze_yaw_deg.is_nan());
    }

    #[test]
    fn a_frame_without_a_stamp_takes_its_arrival() {
        let (_, state) = run(&mut node(false), Some(frame()));
        assert_eq!(Time::from(state.header.stamp), Time::from_nanos(5_000_000_000));
    }

    #[test]
    fn a_frame_of_the_past_is_a_stale_input_that_says_unknown_now() {
        troika_safety::verifies![SR_TIM_007];
        let taken = |millis_ago: u64| {
            let mut image = frame();
            image.header.stamp = Time::from_nanos(5_000_000_000 - millis_ago * 1_000_000).into();
            image
        };
        let mut node = node(false);
        for millis_ago in 201..1201 {
            let (done, state) = run(&mut node, Some(taken(millis_ago)));
            assert_eq!(done, Err(Fault::StaleInput { port: "image" }));
            assert_eq!(state.state, DriverState::UNKNOWN);
            assert_eq!(
                Time::from(state.header.stamp),
                Time::from_nanos(5_000_000_000),
                "not the frame's time"
            );
        }
        assert_eq!(run(&mut node, Some(taken(200))).0, Ok(Done::Worked));
        for millis_ahead in [201, 1_000, 90_000] {
            let mut image = frame();
            image.header.stamp = Time::from_nanos(5_000_000_000 + millis_ahead * 1_000_000).into();
            let (done, state) = run(&mut node, Some(image));
            assert_eq!((done, state.state), (Err(Fault::StaleInput { port: "image" }), DriverState::UNKNOWN));
        }
    }

    #[test]
    fn a_camera_that_stands_still_is_a_fault_that_says_unknown_until_it_moves() {
        troika_safety::verifies![SR_DMS_025, SR_DAT_009];
        let mut node = node(false);
        let mut trust = Trust::new(sender::DRIVER_STATE);
        let mut faults = Vec::new();
        for number in 0..90_u64 {
            let now = Time::from_nanos(5_000_000_000 + number * 33_333_333);
            let mut image = frame();
            image.header.stamp = now.into();
            if number >= 60 {
                image.data[0] = number as u8;
            }
            let tick = Tick { seq: number, release: now, now, level: 0 };
            let mut outputs = Outputs::default();
            if let Err(fault) = node.step(&tick, &Inputs { image: Latest::holding(image, now) }, &mut outputs)
            {
                faults.push((number, fault));
                node.fall_back(&tick, &fault, &mut outputs);
            }
            assert!(trust.believes(now, &outputs.state.sent()[0]), "each is protected, the fall-back's too");
        }
        assert_eq!(faults.first().map(|(number, _)| *number), Some(31));
        assert_eq!(faults.last().map(|(number, _)| *number), Some(59));
        assert!(faults.iter().all(|(_, fault)| matches!(fault, Fault::BadInput(_))));
    }

    #[test]
    fn a_malformed_frame_a_failed_network_and_a_silent_camera_are_faults_that_say_unknown() {
        troika_safety::verifies![SR_DMS_023];
        let mut cut = frame();
        cut.data.truncate(10);
        for (fails, image) in [(false, Some(cut)), (true, Some(frame())), (false, None)] {
            let (done, state) = run(&mut node(fails), image);
            assert!(done.is_err());
            assert_eq!((state.state, state.model.as_str()), (DriverState::UNKNOWN, "blind"));
        }
    }

    #[test]
    fn a_node_without_models_says_so_on_every_frame_sr_dat_002() {
        troika_safety::verifies![SR_DAT_002];
        let mut node = DriverStateNode::unavailable(&Config::default(), "wrong sha256").expect("sound");
        for _ in 0..2 {
            let (done, state) = run(&mut node, Some(frame()));
            assert!(matches!(done, Err(Fault::Unavailable(_))));
            assert_eq!(
                (state.state, state.model.as_str()),
                (DriverState::UNKNOWN, "unavailable: wrong sha256")
            );
        }
    }
}
