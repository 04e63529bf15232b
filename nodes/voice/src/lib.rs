//! Utterance to vehicle command: voice activity, matcher, gates. Pure but for its shells.

pub mod command;
pub mod eval;
pub mod matcher;
pub mod whisper_ggml;
