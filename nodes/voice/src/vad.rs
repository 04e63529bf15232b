//! Where an utterance begins and ends: a probability of speech for each frame (Silero, in tract) and a pure state machine.

mod endpoint;
mod silero;

pub use endpoint::{EndpointSettings, Endpointer, Utterance};
pub use silero::{FRAME, Silero, VadError};
