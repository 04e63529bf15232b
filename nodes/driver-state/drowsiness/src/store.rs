//! The head from the model store: bytes whose hash, licence and shapes were found to be those of its passport.

use troika_kit::Fault;
use troika_models::{Network, Store, StoreError};

use crate::watch::{FEATURES, Head, WINDOW};

/// The passport's name, and what `Drowsiness.model` says while the head is at work.
pub const MODEL: &str = "blink_drowsiness";

/// Why the head is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store refused it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Passport and bytes agree, but it is not the network that this node is written for.
    #[error("{MODEL}: {what} has {found} numbers, this node is written for {expected}")]
    Other {
        /// Which tensor.
        what: &'static str,
        /// Numbers in the passport.
        found: usize,
        /// Numbers that the node reads or writes.
        expected: usize,
    },
}

struct Stored(Network);

impl Head for Stored {
    fn log_odds(&mut self, blinks: &[[f32; FEATURES]; WINDOW]) -> Result<f32, Fault> {
        let made = self.0.run(&[blinks.as_flattened()]).map_err(|_| Fault::Model(MODEL))?;
        match made.get(0) {
            [one] if one.is_finite() => Ok(*one),
            _ => Err(Fault::Model(MODEL)),
        }
    }
}

/// The head.
///
/// # Errors
/// When the store refuses it or its sizes are not those that [`Head`] has.
pub fn open(store: &Store) -> Result<Box<dyn Head>, OpenError> {
    let network = store.network(MODEL)?;
    let sizes = [("the input", network.inputs(), WINDOW * FEATURES), ("the output", network.outputs(), 1)];
    for (what, tensors, expected) in sizes {
        let found = tensors.iter().map(troika_models::TensorSpec::len).sum();
        if tensors.len() != 1 || found != expected {
            return Err(OpenError::Other { what, found, expected });
        }
    }
    Ok(Box::new(Stored(network)))
}
