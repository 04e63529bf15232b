//! The camera as a step: the newest frame of the capture thread becomes a message.

use std::{io, path::Path};

use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Out, Step, Tick, Time, Wake, ports,
    requirements as sr,
};
use troika_msgs::{sensor_msgs::Image, std_msgs::Header};

use crate::{
    Clock, Config, ConfigError, Status,
    capture::Capture,
    source::{self, Camera},
};

ports! {
    /// What the node reads: nothing; its input is the device.
    pub struct Inputs {}
}

ports! {
    /// What the node says.
    pub struct Outputs {
        /// Frames, stamped as they came from the device.
        image: Out<Image> = "/cabin/camera/image_raw",
    }
}

/// A camera that is away faults this often, so that each heartbeat shows it.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Why a camera node was not made. A device that is not there is no reason: it may be plugged in later.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// A parameter cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The capture thread was not started.
    #[error("cannot start the capture thread: {0}")]
    Thread(#[from] io::Error),
}

/// A camera.
pub struct CameraNode {
    capture: Capture,
    frame_id: String,
    told: Option<Time>,
    reasons: Reasons,
}

/// Why the camera was down, as texts that a fault can carry. They stay for good, so there is a bound.
#[derive(Default)]
struct Reasons(Vec<&'static str>);

impl Reasons {
    /// The most reasons that are kept; what differs from all of them is only told as "the camera".
    const MOST: usize = 16;

    fn of(&mut self, reason: &str) -> &'static str {
        let text = format!("the camera ({reason})");
        if let Some(same) = self.0.iter().find(|known| **known == text) {
            return same;
        }
        if self.0.len() == Self::MOST {
            return "the camera";
        }
        let kept: &'static str = text.leak();
        self.0.push(kept);
        kept
    }
}

impl CameraNode {
    /// A camera whose paths start from `base` and whose frames are stamped by `clock`, the host's. Its capture thread runs
    /// from here on; a file begins with the first step.
    ///
    /// # Errors
    /// See [`CameraError`].
    pub fn new(config: &Config, base: &Path, clock: Clock) -> Result<Self, CameraError> {
        config.check()?;
        CameraNode::with_camera(source::camera(&config.source, base), &config.frame_id, clock)
    }

    /// A node with this camera.
    ///
    /// # Errors
    /// See [`CameraError`].
    pub fn with_camera(camera: Box<dyn Camera>, frame_id: &str, clock: Clock) -> Result<Self, CameraError> {
        let capture = Capture::start(camera, clock)?;
        Ok(CameraNode { capture, frame_id: frame_id.to_owned(), told: None, reasons: Reasons::default() })
    }

    /// How the camera is.
    pub fn status(&self) -> Status {
        self.capture.status()
    }

    /// Frames that were replaced by a newer one before they were taken.
    pub fn overwritten(&self) -> u64 {
        self.capture.overwritten()
    }
}

impl Step for CameraNode {
    type Inputs = Inputs;
    type Outputs = Outputs;

    /// The slot is looked at every 4 ms: that is what a frame waits at most, and half of it on average.
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "camera",
        wake: Wake::Period,
        period: Duration::from_millis(4),
        deadline: Duration::from_millis(4),
        budget: Duration::from_millis(2),
        class: Class::Best,
        requirements: &[sr::SR_TIM_004],
    });

    fn step(&mut self, tick: &Tick, _: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        if let Some((taken, frame)) = self.capture.take() {
            self.told = None;
            outputs.image.send(Image {
                header: Header::new(taken, self.frame_id.as_str()),
                height: frame.height,
                width: frame.width,
                encoding: frame.encoding.to_owned(),
                // Every sample is one byte.
                is_bigendian: 0,
                step: frame.step,
                data: frame.data,
            });
            return Ok(Done::Worked);
        }
        let due = self.told.is_none_or(|told| tick.now.since(told) >= TOLD_EVERY);
        if due && let Some(reason) = self.capture.if_down(|reason| self.reasons.of(reason)) {
            self.told = Some(tick.now);
            return Err(Fault::Unavailable(reason));
        }
        Ok(Done::Idle)
    }

    /// Nothing: an old frame is no new one.
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}
