//! The networks from the model store: bytes whose hash, licence and shapes were found to be those of their passports.

use troika_kit::Fault;
use troika_models::{Store, StoreError};

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

    /// Numbers that go in, and those of each output that comes out.
    const fn sizes(self) -> (usize, &'static [usize]) {
        match self {
            Part::Detector => (128 * 128 * 3, &[896 * 16, 896]),
            Part::Mesh => (192 * 192 * 3, &[468 * 3, 1]),
            Part::Iris => (64 * 64 * 3, &[71 * 3, 5 * 3]),
            Part::Eyes => (32 * 48, &[1, 2]),
        }
    }
}

/// Why a network is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store refused it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its passport and its bytes agree, but it is not the network that this node is written for.
    #[error("{model}: {what} has {found} numbers, this node is written for {expected}")]
    Other {
        /// The model.
        model: &'static str,
        /// Which tensor.
        what: &'static str,
        /// Numbers in the passport.
        found: usize,
        /// Numbers that the node reads or writes.
        expected: usize,
    },
}

struct Stored {
    network: troika_models::Network,
}

impl Network for Stored {
    fn run(&mut self, input: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
        let made = self.network.run(&[input]).map_err(|_| Fault::Model("a network of the driver state"))?;
        for (index, output) in outputs.iter_mut().enumerate() {
            let values = made.get(index);
            if values.len() != output.len() {
                return Err(Fault::Model("an output of another size"));
            }
            output.copy_from_slice(values);
        }
        Ok(())
    }
}

/// One network.
///
/// # Errors
/// When the store refuses it or its sizes are not those of [`Part`].
pub fn open(store: &Store, part: Part) -> Result<Box<dyn Network>, OpenError> {
    let network = store.network(part.model())?;
    let (input, outputs) = part.sizes();
    let mismatch = |what, found, expected| OpenError::Other { model: part.model(), what, found, expected };
    let [one] = network.inputs() else {
        return Err(mismatch("the list of inputs", network.inputs().len(), 1));
    };
    if one.len() != input {
        return Err(mismatch("the input", one.len(), input));
    }
    if network.outputs().len() != outputs.len() {
        return Err(mismatch("the list of outputs", network.outputs().len(), outputs.len()));
    }
    for (spec, expected) in network.outputs().iter().zip(outputs) {
        if spec.len() != *expected {
            return Err(mismatch("an output", spec.len(), *expected));
        }
    }
    Ok(Box::new(Stored { network }))
}

/// All four.
///
/// # Errors
/// The first that cannot be had.
pub fn open_all(store: &Store) -> Result<Networks, OpenError> {
    Ok(Networks {
        detector: open(store, Part::Detector)?,
        mesh: open(store, Part::Mesh)?,
        iris: open(store, Part::Iris)?,
        eyes: open(store, Part::Eyes)?,
    })
}

/// What `DriverState.model` says while all four are at work.
pub const MODEL: &str = "face_detection_short_range+face_landmark+iris_landmark+eye_state";
