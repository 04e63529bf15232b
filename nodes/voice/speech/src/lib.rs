//! What belongs here: what the assistant says becomes sound, and falls silent when somebody speaks.
//!
//! ```text
//! /voice/reply ──► turns ──► text ── espeak-ng ──► phonemes ── Piper (VITS, in tract) ──► track ──► loudspeaker
//! /voice/activity ─┘            sentences, clauses                                            └──► /voice/playback
//! ```
//!
//! - [`node`]: the step, over a [`node::Mouth`]; [`turns`]: what is said, what waits, what is broken off. Pure.
//! - [`speaker`]: the mouth: a thread that synthesises and one that keeps the loudspeaker; [`track`]: what lies between them. Pure.
//! - [`phonemes`]: text to phonemes; espeak-ng in a process of its own.
//! - [`vits`]: phonemes to audio; [`voices`]: the network, or espeak-ng where it is missing or too slow.
//! - [`loudspeaker`]: sound card, WAV file, nowhere.

pub mod config;
pub mod loudspeaker;
pub mod node;
pub mod phonemes;
pub mod speaker;
pub mod track;
pub mod turns;
pub mod vits;
pub mod voices;

pub use config::Config;
pub use node::SpeechNode;
