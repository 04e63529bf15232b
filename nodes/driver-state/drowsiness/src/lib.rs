//! What belongs here: how drowsy the driver is, beyond the eyes' closure (which is the monitor's), from what is there of
//! blinks, steering and pulse. Pure.
//!
//! Each input learns what is normal for this driver, then gives [`Evidence`]; [`fuse`] adds up what is fresh. An input that is
//! not there, not calibrated or too old is left out and never counts for or against drowsiness; with none left the level is
//! unknown.
//!
//! - [`blink`]: openness to blinks; [`baseline`]: the driver's own mean and deviation; [`watch`]: thirty blinks to a score by
//!   the head `models/blink_drowsiness`, which was trained on real people.
//! - [`steering`]: reversals and corrections of the steering wheel. [`pulse`]: heart rate from a photoplethysmogram. How far
//!   these two speak for drowsiness is not trained on anything: they count little.
//! - [`node`]: the step.

pub mod baseline;
pub mod blink;
pub mod config;
mod filter;
pub mod fuse;
pub mod node;
pub mod pulse;
pub mod steering;
pub mod store;
pub mod watch;

pub use config::{Config, ConfigError};
pub use fuse::{Evidence, Fuser, Level, Source, Verdict};
pub use node::{DrowsinessNode, Inputs, Outputs};
pub use watch::Head;

use troika_kit::Time;

/// What an input has to say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Says {
    /// No data, or too little of it.
    #[default]
    Nothing,
    /// It learns what is normal; 0..1 of that is done.
    Calibrating(f32),
    /// Something.
    Evidence(Evidence),
}

impl Says {
    /// The evidence, if it says something.
    pub fn evidence(&self) -> Option<Evidence> {
        match self {
            Says::Evidence(evidence) => Some(*evidence),
            Says::Nothing | Says::Calibrating(_) => None,
        }
    }
}

/// Seconds from one time to a later one, negative never.
fn seconds(from: Time, to: Time) -> f32 {
    to.since(from).as_secs_f32()
}
