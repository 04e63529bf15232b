//! What belongs here: speech recognition by whisper.cpp, and the process around it. It is a crate of its own because its C++ is
//! built once and for long, and a process of its own because it must never hold up what runs at deadlines.
//!
//! - [`whisper`]: one utterance to words, bounded in time and length.
//! - [`worker`]: a thread for it.
//! - [`source`]: where audio comes from: files at the speed of life, or a microphone.
//! - [`health`]: what ails the ears, for whoever watches.
//! - [`listen`]: audio to utterances to words.
//! - [`stages`]: what understands the words.
//! - `live`: all of it in one process, told on the terminal.
//! - `process`: all of it on a transport, with the step that makes commands of words.
#![allow(clippy::disallowed_methods, reason = "an edge: devices and files are read at the speed of life")]

pub mod listen;
#[cfg(feature = "process")]
pub mod live;
#[cfg(feature = "process")]
pub mod process;
pub mod source;
pub mod stages;
pub mod whisper;
pub mod worker;
