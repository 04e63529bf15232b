//! The networks from the model store: bytes whose hash, licence and shapes were found to be those of their passports.

use troika_kit::Fault;
use troika_models::{Fit, FitError, Fitted, Store};

use crate::{hand, palm, pose, track};

/// A network with one input and fixed shapes.
pub trait Network: Send {
    /// Runs it. `outputs` are in the order of [`Part`]'s description, each of exactly its size.
    ///
    /// # Errors
    /// [`Fault::Model`] when the run failed.
    fn run(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault>;

    /// Runs the next of the parts that it was opened in; true when that was the last, and the outputs are written. The input is
    /// read by the first. A network that is in one piece runs whole.
    ///
    /// # Errors
    /// [`Fault::Model`] when the run failed; the next call then begins anew.
    fn run_part(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<bool, Fault> {
        self.run(input, outputs).map(|()| true)
    }

    /// Gives up a run that was begun.
    fn restart(&mut self) {}
}

/// The networks, each with what goes in and comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// 192 x 192 x 3 in 0..1 to 2016 x 18 regressors and 2016 score logits.
    Palm,
    /// 224 x 224 x 3 in 0..1 to 21 x 3 points, presence, handedness (and points in metres, which nobody reads).
    Hand,
    /// [`pose::FEATURES`] numbers to [`pose::CLASSES`] probabilities.
    Pose,
    /// [`track::FEATURES`] numbers to [`track::CLASSES`] probabilities.
    Motion,
}

/// The networks.
pub struct Networks {
    /// See [`Part::Palm`].
    pub palm: Box<dyn Network>,
    /// See [`Part::Hand`].
    pub hand: Box<dyn Network>,
    /// See [`Part::Pose`].
    pub pose: Box<dyn Network>,
    /// See [`Part::Motion`].
    pub motion: Box<dyn Network>,
}

impl Part {
    /// The passport's name in the model store.
    pub const fn model(self) -> &'static str {
        match self {
            Part::Palm => "palm_detection_lite",
            Part::Hand => "hand_landmark_lite",
            Part::Pose => "gesture_static",
            Part::Motion => "gesture_motion",
        }
    }

    /// In how many pieces it runs, one a frame. The palm detector whole takes tract 26 to 32 ms on the machines that it was
    /// measured on, nearly a frame's time; a third of it is well under what the hand network takes.
    const fn pieces(self) -> usize {
        match self {
            Part::Palm => 3,
            // All in one frame, unless the node's level says otherwise.
            Part::Hand => 2,
            Part::Pose | Part::Motion => 1,
        }
    }

    const fn fit(self) -> Fit {
        let (input, outputs): (usize, &'static [usize]) = match self {
            Part::Palm => (palm::SIDE * palm::SIDE * 3, &[palm::ANCHORS * palm::COORDINATES, palm::ANCHORS]),
            Part::Hand => (hand::SIDE * hand::SIDE * 3, &[hand::POINTS * 3, 1, 1]),
            Part::Pose => (pose::FEATURES, &[pose::CLASSES]),
            Part::Motion => (track::FEATURES, &[track::CLASSES]),
        };
        Fit { model: self.model(), pieces: self.pieces(), input, outputs }
    }
}

/// What [`Fault::Model`] names.
const WHOSE: &str = "a network of the gestures";

struct Stored(Fitted);

impl Network for Stored {
    fn run(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
        self.0.run(input, outputs).map_err(|_| Fault::Model(WHOSE))
    }

    fn run_part(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<bool, Fault> {
        self.0.run_part(input, outputs).map_err(|_| Fault::Model(WHOSE))
    }

    fn restart(&mut self) {
        self.0.restart();
    }
}

/// One network.
///
/// # Errors
/// When the store refuses it or its sizes are not those of [`Part`].
pub fn open(store: &Store, part: Part) -> Result<Box<dyn Network>, FitError> {
    Ok(Box::new(Stored(Fitted::open(store, part.fit())?)))
}

/// All four.
///
/// # Errors
/// The first that cannot be had.
pub fn open_all(store: &Store) -> Result<Networks, FitError> {
    Ok(Networks {
        palm: open(store, Part::Palm)?,
        hand: open(store, Part::Hand)?,
        pose: open(store, Part::Pose)?,
        motion: open(store, Part::Motion)?,
    })
}

/// What `Gesture.model` says while all four are at work.
pub const MODEL: &str = "palm_detection_lite+hand_landmark_lite+gesture_static+gesture_motion";
