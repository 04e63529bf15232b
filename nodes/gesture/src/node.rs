//! The node: a camera frame in, a `Gesture` out, on every frame, whatever happens; and a `VehicleCommand` for a gesture that the
//! mapping gives a function.
//!
//! A frame that cannot be used, a network that fails and a camera that is silent are faults; the fall-back then says
//! UNKNOWN. So does a node whose models could not be had, with the reason in `model` (SR-DAT-002).

use troika_frame::image::ImageView;
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Latest, Out, Step, Tick, Time, Wake, ports,
    requirements,
};
use troika_msgs::{
    protect::{Seal, sender},
    sensor_msgs::Image,
    std_msgs::Header,
    troika::{Gesture, VehicleCommand},
};

use crate::{
    config::{Config, ConfigError},
    debounce::{Debounce, Phase, Verdict},
    hand::Hand,
    mapping::{Mapping, What},
    perception::{Perception, Sight},
    reading::{Reading, Side},
    store,
    store::Networks,
};

ports! {
    /// What the node reads.
    pub struct Inputs {
        /// Frames of the driver's hands, about 30 a second.
        image: Latest<Image> = "/cabin/camera/image_raw",
    }
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// One for each frame.
        gesture: Out<Gesture> = "/cabin/gesture",
        /// What the mapping makes of a gesture, one at most; silent with `commands = false`. Room for more makes it an event, which a step
        /// that ends late sends all the same: the gesture counts as done, and nobody would say it again (SR-TIM-006).
        command: Out<VehicleCommand, 2> = "/voice/command",
    }
}

enum Mind {
    Ready(Box<(Perception, Reading)>),
    Unavailable,
}

/// Frame to gesture.
pub struct GestureNode {
    mind: Mind,
    debounce: Debounce,
    mapping: Mapping,
    commands: bool,
    landmarks: bool,
    max_frame_age: Duration,
    model: String,
    seal: Seal<VehicleCommand>,
    /// The last frame was passed over.
    skipped: bool,
    /// Of the frame that the hand's network is halfway through.
    halfway: Option<Header>,
}

/// [`Step::LEVELS`]: every frame; every second; the hand's network in halves, one a frame.
const EVERY_SECOND: usize = 1;
const HALVES: usize = 2;

impl GestureNode {
    /// A node with its networks; `model` names them in each message.
    ///
    /// # Errors
    /// See [`Config::check`].
    pub fn new(
        config: &Config,
        mapping: Mapping,
        networks: Networks,
        model: &str,
    ) -> Result<Self, ConfigError> {
        let perception = Perception::new(config, networks.palm, networks.hand);
        let reading = Reading::new(config, networks.pose, networks.motion);
        let mind = Mind::Ready(Box::new((perception, reading)));
        GestureNode::with(config, mapping, mind, model.to_owned())
    }

    /// A node with the networks of the model store. A network that cannot be had makes a node that says so on every frame
    /// (SR-DAT-002), not an error; ask [`GestureNode::model`].
    ///
    /// # Errors
    /// See [`Config::check`].
    pub fn open(
        config: &Config,
        mapping: Mapping,
        models: &troika_models::Store,
    ) -> Result<Self, ConfigError> {
        match store::open_all(models) {
            Ok(networks) => GestureNode::new(config, mapping, networks, store::MODEL),
            Err(why) => GestureNode::unavailable(config, mapping, &why.to_string()),
        }
    }

    /// A node that has no networks and says so on every frame.
    ///
    /// # Errors
    /// See [`Config::check`].
    pub fn unavailable(config: &Config, mapping: Mapping, reason: &str) -> Result<Self, ConfigError> {
        GestureNode::with(config, mapping, Mind::Unavailable, format!("unavailable: {reason}"))
    }

    fn with(config: &Config, mapping: Mapping, mind: Mind, model: String) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(GestureNode {
            mind,
            debounce: Debounce::new(config.limits()),
            mapping,
            commands: config.commands,
            landmarks: config.landmarks,
            max_frame_age: Duration::from_secs_f32(config.max_frame_age_s),
            model,
            seal: Seal::new(sender::GESTURE),
            skipped: false,
            halfway: None,
        })
    }

    /// The networks in use, or `unavailable: ` and the reason.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Looks at one frame: what it shows, and what is to be done.
    ///
    /// # Errors
    /// [`Fault::BadInput`] for a frame that cannot be used, [`Fault::Model`] for a failed network, [`Fault::Unavailable`]
    /// without networks.
    pub fn look(
        &mut self,
        image: &Image,
        received: Time,
    ) -> Result<(Gesture, Option<VehicleCommand>), Fault> {
        // What was begun in halves ends here, too.
        self.look_with(image, received, received, false)?.ok_or(Fault::Model("the hand network did not end"))
    }

    /// The same with the hand's network in halves or not; none when the first of them was run. A command is given `now`.
    fn look_with(
        &mut self,
        image: &Image,
        received: Time,
        now: Time,
        halves: bool,
    ) -> Result<Option<(Gesture, Option<VehicleCommand>)>, Fault> {
        let begun = self.halfway.take();
        let Mind::Ready(mind) = &mut self.mind else {
            return Err(Fault::Unavailable("the gesture models"));
        };
        let (perception, reading) = &mut **mind;
        let view = ImageView::new(&image.encoding, image.width, image.height, image.step, &image.data)?;
        // A camera without a clock leaves the stamp zero.
        let stamped = Time::from(image.header.stamp.clone());
        let taken = if stamped == Time::ZERO { received } else { stamped };
        let header = Header { stamp: taken.into(), frame_id: image.header.frame_id.clone() };
        let sight = perception.look_with(&view, halves)?;
        if sight == Sight::Halfway {
            self.halfway = Some(header);
            return Ok(None);
        }
        // What a second half tells is of the frame that the first was given.
        let header = begun.unwrap_or(header);
        let taken = Time::from(header.stamp.clone());
        let hand = match sight {
            Sight::Followed(hand) => Some(hand),
            Sight::NotLooked | Sight::Nothing | Sight::Found(_) | Sight::Lost | Sight::Halfway => None,
        };
        let told = match &hand {
            Some(hand) => reading.read(taken, hand)?,
            None => None,
        };
        let side = hand.as_ref().map(|hand| reading.side(hand));
        let verdict = self.debounce.observe(taken, told);
        let mut message = message(header, &self.model, &verdict);
        if let Some(hand) = &hand {
            show(&mut message, hand, side, &view, self.landmarks);
        }
        let what = self.mapping.act(taken, &verdict);
        if let Some(what) = what {
            what.name().clone_into(&mut message.action);
        }
        let command = match what {
            Some(What::Function { name, slots }) if self.commands => {
                let mut command = VehicleCommand {
                    // Who takes it judges its age by its own clock, which is not every camera's.
                    header: Header::at(now),
                    // Unique without a random number: two gestures never start in one nanosecond of one camera.
                    id: format!("gesture/{}", taken.as_nanos()),
                    function: name.clone(),
                    slots: slots.clone(),
                    source: VehicleCommand::GESTURE,
                    confidence: verdict.confidence,
                    ..VehicleCommand::default()
                };
                let _protected = self.seal.seal(&mut command);
                Some(command)
            }
            _ => None,
        };
        Ok(Some((message, command)))
    }
}

fn message(header: Header, model: &str, verdict: &Verdict) -> Gesture {
    Gesture {
        header,
        kind: verdict.gesture.map_or(Gesture::NONE, |gesture| gesture.number()),
        phase: match verdict.phase {
            Phase::Idle => Gesture::IDLE,
            Phase::Started => Gesture::STARTED,
            Phase::Held => Gesture::HELD,
            Phase::Ended => Gesture::ENDED,
        },
        confidence: verdict.confidence,
        held_s: verdict.held.as_secs_f32(),
        ..unknown(model)
    }
}

fn show(out: &mut Gesture, hand: &Hand, side: Option<Side>, view: &ImageView<'_>, landmarks: bool) {
    let (w, h) = (view.width() as f32, view.height() as f32);
    let rect = hand.rect();
    out.hand_detected = true;
    out.hand_presence = hand.presence;
    out.hand_box = [rect[0] / w, rect[1] / h, rect[2] / w, rect[3] / h];
    out.handedness = match side {
        Some(Side::Left) => Gesture::LEFT,
        Some(Side::Right) => Gesture::RIGHT,
        None => Gesture::SIDE_UNKNOWN,
    };
    if landmarks {
        out.landmarks = hand.points.iter().flat_map(|[x, y]| [x / w, y / h]).collect();
    }
}

fn unknown(model: &str) -> Gesture {
    Gesture {
        kind: Gesture::UNKNOWN,
        phase: Gesture::IDLE,
        hand_presence: f32::NAN,
        model: model.to_owned(),
        ..Gesture::default()
    }
}

impl Step for GestureNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    /// One large network a step, never two: see [`crate::perception`].
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "gesture",
        wake: Wake::Input("image"),
        period: Duration::from_millis(33),
        deadline: Duration::from_millis(33),
        budget: Duration::from_millis(20),
        class: Class::Hard,
        requirements: &[
            requirements::SR_TIM_001,
            requirements::SR_TIM_002,
            requirements::SR_TIM_003,
            requirements::SR_TIM_006,
            requirements::SR_TIM_007,
            requirements::SR_DAT_002,
        ],
    });

    /// Every frame; every second one; or the hand's network in halves, one a frame, so that each step takes half the time and tells of the
    /// frame before. Ten answers a second are enough for every gesture, thirty tell it sooner.
    const LEVELS: &'static [&'static str] = &["every_frame", "every_second", "in_halves"];

    fn step(&mut self, tick: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        if matches!(self.mind, Mind::Unavailable) {
            return Err(Fault::Unavailable("the gesture models"));
        }
        let sample = inputs.image.fresh().ok_or(Fault::StaleInput { port: "image" })?;
        let stamped = sample.value.header.time();
        let off = tick.now.since(stamped).max(stamped.since(tick.now));
        let old = stamped != Time::ZERO && off > self.max_frame_age;
        if old && !self.max_frame_age.is_zero() {
            return Err(Fault::StaleInput { port: "image" });
        }
        self.skipped = tick.level == EVERY_SECOND && !self.skipped;
        if self.skipped {
            return Ok(Done::Skipped);
        }
        let said = self.look_with(&sample.value, sample.received, tick.now, tick.level == HALVES)?;
        let Some((gesture, command)) = said else { return Ok(Done::Worked) };
        outputs.gesture.send(gesture);
        if let Some(command) = command {
            outputs.command.send(command);
        }
        Ok(Done::Worked)
    }

    fn fall_back(&mut self, tick: &Tick, _: &Fault, outputs: &mut Outputs) {
        troika_safety::fulfils![SR_DMS_023];
        let header = Header { stamp: tick.release.into(), frame_id: String::new() };
        outputs.gesture.send(Gesture { header, ..unknown(&self.model) });
    }
}

#[cfg(test)]
mod tests;
