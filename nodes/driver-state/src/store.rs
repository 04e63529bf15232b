//! The networks from the model store: bytes whose hash, licence and shapes were found to be those of their passports.

use troika_kit::Fault;
use troika_models::{Fit, FitError, Fitted, Store};

use crate::perception::{Network, Networks, Part};

impl Part {
    /// The passport's name in the model store.
    pub const fn model(self) -> &'static str {
        match self {
            Part::Detector => "face_detection_short_range",
            Part::Mesh => "face_landmark",
            Part::Iris => "iris_landmark",
            Part::Eyes => "eye_state",
        }
    }

    const fn fit(self) -> Fit {
        let (input, outputs): (usize, &'static [usize]) = match self {
            Part::Detector => (128 * 128 * 3, &[896 * 16, 896]),
            Part::Mesh => (192 * 192 * 3, &[468 * 3, 1]),
            Part::Iris => (64 * 64 * 3, &[71 * 3, 5 * 3]),
            Part::Eyes => (32 * 48, &[1, 2]),
        };
        Fit { model: self.model(), pieces: 1, input, outputs }
    }
}

struct Stored(Fitted);

impl Network for Stored {
    fn run(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
        self.0.run(input, outputs).map_err(|_| Fault::Model("a network of the driver state"))
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
        detector: open(store, Part::Detector)?,
        mesh: open(store, Part::Mesh)?,
        iris: open(store, Part::Iris)?,
        eyes: open(store, Part::Eyes)?,
    })
}

/// What `DriverState.model` says while all four are at work.
pub const MODEL: &str = "face_detection_short_range+face_landmark+iris_landmark+eye_state";
