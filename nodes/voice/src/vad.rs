//! Where an utterance begins and ends: a probability of speech for each frame (Silero, in tract) and pure state machines over it.

mod activity;
mod echo;
mod endpoint;
mod silero;

pub use activity::{Activity, Change};
pub use echo::EchoGate;
pub use endpoint::{EndpointSettings, Endpointer, Utterance};
pub use silero::{FRAME, Silero, VadError};
