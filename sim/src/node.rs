//! The simulated driver as a node: camera frames and their truth at 30 Hz, and the vehicle's speed when the scenario leads.
//!
//! The scenario's time is that of the releases since the first one, so a late step skips frames as a camera would. After the
//! last frame the scenario starts anew, or with `repeat = false` the camera falls silent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Out, Step, Tick, Wake, ports, requirements,
};
use troika_msgs::{
    protect::{Seal, sender},
    sensor_msgs::Image,
    std_msgs::Header,
    troika::{DriverTruth, VehicleSignals},
};

use crate::{
    frame::{Frame, Quality},
    play::{PERIOD, Play},
    render::Renderer,
    scenario::Scenario,
    script::{RATE, Script, Shot},
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
    /// Publish VehicleSignals from the scenario's speed. The vehicle node then runs with `signals = "external"`.
    #[serde(default)]
    pub drives_vehicle: bool,
    /// Four samples a pixel; false is one, at half the cost.
    #[serde(default = "yes")]
    pub smooth: bool,
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
        truth: Out<DriverTruth> = "/sim/driver_truth",
        /// Only with `drives_vehicle`.
        signals: Out<VehicleSignals> = "/vehicle/signals",
    }
}

/// The simulated driver.
pub struct SimDriver {
    script: Script,
    renderer: Renderer,
    frame: Frame,
    play: Play,
    drives_vehicle: bool,
    seal: Seal<VehicleSignals>,
    /// When the camera gives nothing, seconds: from and to.
    away: Vec<(f32, f32)>,
}

impl SimDriver {
    /// Plays the scenario out and paints its faces, so that no step has to: a second or so.
    pub fn new(scenario: &Scenario, config: &Config) -> SimDriver {
        let quality = if config.smooth { Quality::Smooth } else { Quality::Fast };
        let mut renderer = Renderer::new(scenario.camera, quality);
        for segment in &scenario.segments {
            renderer.warm(segment.identity, segment.light, segment.wears);
        }
        SimDriver {
            script: Script::new(scenario),
            renderer,
            frame: Frame::default(),
            play: Play::new(config.repeat),
            drives_vehicle: config.drives_vehicle,
            seal: Seal::new(sender::SIGNALS),
            away: Vec::new(),
        }
    }

    /// The same with a camera that gives nothing at these times (from and to, seconds). The vehicle drives on.
    pub fn away(mut self, away: Vec<(f32, f32)>) -> SimDriver {
        self.away = away;
        self
    }

    /// Every frame's pose and truth: for an oracle.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

impl Step for SimDriver {
    type Inputs = Inputs;
    type Outputs = Outputs;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "sim_driver",
        wake: Wake::Period,
        period: PERIOD,
        deadline: PERIOD,
        budget: Duration::from_millis(25),
        class: Class::Best,
        requirements: &[requirements::SR_TIM_001],
    });

    fn step(&mut self, tick: &Tick, _: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        let Some(number) = self.play.due(tick.release, self.script.shots.len()) else {
            return Ok(Done::Idle);
        };
        let Shot { pose, truth } = &self.script.shots[number];
        let header = Header { stamp: tick.release.into(), frame_id: "driver_camera_optical_frame".into() };
        outputs.truth.send(truth.message(header.clone()));
        if self.drives_vehicle {
            let signals = VehicleSignals {
                header: Header { stamp: tick.release.into(), frame_id: String::new() },
                speed_kmh: truth.speed_kmh,
                gear: if truth.speed_kmh > 0.5 { 127 } else { 0 },
                ignition_on: true,
                driver_acted: truth.driver_acted,
                ..VehicleSignals::default()
            };
            if let Some(signals) = self.seal.sealed(signals) {
                outputs.signals.send(signals);
            }
        }
        let at_s = number as f32 / RATE;
        if self.away.iter().any(|(from, to)| (*from..*to).contains(&at_s)) {
            return Ok(Done::Worked);
        }
        self.renderer.render_into(pose, &mut self.frame);
        let frame = &mut self.frame;
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
