//! The head from the model store: bytes whose hash, licence and shapes were found to be those of its passport.

use troika_kit::Fault;
use troika_models::{Fit, FitError, Fitted, Store};

use crate::watch::{FEATURES, Head, WINDOW};

/// The passport's name, and what `Drowsiness.model` says while the head is at work.
pub const MODEL: &str = "blink_drowsiness";

const FIT: Fit = Fit { model: MODEL, pieces: 1, input: WINDOW * FEATURES, outputs: &[1] };

struct Stored(Fitted);

impl Head for Stored {
    fn log_odds(&mut self, blinks: &[[f32; FEATURES]; WINDOW]) -> Result<f32, Fault> {
        let mut odds = [f32::NAN];
        self.0.run(blinks.as_flattened(), &mut [&mut odds]).map_err(|_| Fault::Model(MODEL))?;
        let [odds] = odds;
        if odds.is_finite() { Ok(odds) } else { Err(Fault::Model(MODEL)) }
    }
}

/// The head.
///
/// # Errors
/// When the store refuses it or its sizes are not those that [`Head`] has.
pub fn open(store: &Store) -> Result<Box<dyn Head>, FitError> {
    Ok(Box::new(Stored(Fitted::open(store, FIT)?)))
}
