//! The simulated hand as a node: camera frames and their truth at 30 Hz.
//!
//! The scenario's time is that of the releases since the first one, so a late step skips frames as a camera would. After the
//! last frame the scenario starts anew, or with `repeat = false` the camera falls silent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Out, Step, Tick, Wake, ports, requirements,
};
use troika_msgs::{sensor_msgs::Image, std_msgs::Header, troika::GestureTruth};

use crate::{
    frame::Quality,
    hand::{
        scenario::HandScenario,
        scene::{HandFrame, HandScene, HandTruth},
        script::{GestureLabel, HandScript},
    },
    play::{PERIOD, Play},
};

/// Parameters of the node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The scenario's file.
    pub scenario: std::path::PathBuf,
    /// Start anew at the end.
    #[serde(default = "yes")]
    pub repeat: bool,
    /// Four samples a pixel; false is one, at half the cost.
    #[serde(default = "yes")]
    pub smooth: bool,
    /// Render every frame at the start and keep it (1 MB each at 640 x 480), so that rendering takes no time from what is measured.
    #[serde(default)]
    pub prerender: bool,
}

fn yes() -> bool {
    true
}

ports! {
    /// Nothing.
    pub struct Inputs {}
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// rgb8, or mono8 by infrared light.
        image: Out<Image> = "/cabin/camera/image_raw",
        /// What is true of the image, on its stamp.
        truth: Out<GestureTruth> = "/sim/gesture_truth",
    }
}

/// The simulated hand.
pub struct SimHand {
    script: HandScript,
    scene: HandScene,
    frame: HandFrame,
    /// With `prerender`, every frame of the script.
    kept: Vec<HandFrame>,
    play: Play,
}

/// A hand is visible when this share of its landmarks is in the picture: a palm with some of its fingers.
const VISIBLE: f32 = 0.6;

impl SimHand {
    /// Plays the scenario out and paints its people, so that no step has to: a second or so.
    pub fn new(scenario: &HandScenario, config: &Config) -> SimHand {
        let quality = if config.smooth { Quality::Smooth } else { Quality::Fast };
        let mut scene = HandScene::new(scenario.camera, quality);
        for segment in &scenario.segments {
            scene.warm(segment.identity, segment.light, segment.driver);
        }
        let script = HandScript::new(scenario);
        let mut kept = Vec::new();
        if config.prerender {
            for timed in &script.shots {
                let mut frame = HandFrame::default();
                scene.render_into(&timed.shot, &mut frame);
                kept.push(frame);
            }
        }
        SimHand { script, scene, frame: HandFrame::default(), kept, play: Play::new(config.repeat) }
    }

    /// Every frame's shot and truth.
    pub fn script(&self) -> &HandScript {
        &self.script
    }
}

/// The truth as it is published.
pub(crate) fn message(header: Header, label: GestureLabel, right: bool, truth: &HandTruth) -> GestureTruth {
    let hand_visible = truth.in_frame >= VISIBLE;
    let axis = |n: usize| if hand_visible { truth.landmarks.map(|p| p[n]) } else { [0.0; 21] };
    GestureTruth {
        header,
        gesture: label.gesture,
        hand_visible,
        right_hand: right,
        in_transition: label.in_transition,
        landmarks_x: axis(0),
        landmarks_y: axis(1),
    }
}

impl Step for SimHand {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "sim_hand",
        wake: Wake::Period,
        period: PERIOD,
        deadline: PERIOD,
        budget: Duration::from_millis(25),
        class: Class::Best,
        requirements: &[requirements::SR_TIM_001],
    });

    fn step(&mut self, tick: &Tick, _: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let Some(due) = self.play.due(tick.release, self.script.shots.len()) else { return Ok(Done::Idle) };
        let Some(timed) = self.script.shots.get(due) else { return Ok(Done::Idle) };
        match self.kept.get(due) {
            Some(kept) => self.frame.clone_from(kept),
            None => self.scene.render_into(&timed.shot, &mut self.frame),
        }
        let frame = &mut self.frame;
        let header = Header { stamp: tick.release.into(), frame_id: "driver_camera_optical_frame".into() };
        outputs.truth.send(message(header.clone(), timed.label, timed.shot.right, &frame.truth));
        outputs.image.send(Image {
            header,
            height: frame.height as u32,
            width: frame.width as u32,
            encoding: if frame.channels == 1 { "mono8" } else { "rgb8" }.into(),
            is_bigendian: 0,
            step: (frame.width * frame.channels) as u32,
            data: core::mem::take(&mut frame.data),
        });
        Ok(Done::Worked)
    }

    /// Silence: a camera that has no frame sends none.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}
