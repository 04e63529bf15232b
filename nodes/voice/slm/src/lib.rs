//! What belongs here: the language model on the vehicle, by llama.cpp, and the process around it. It is a process of its own because
//! its C++ (ggml) and whisper.cpp's cannot live in one program, and because it must never hold up what runs at deadlines.
//!
//! - [`desk`]: which request is worked on, until when, and what is told of it. Pure; time is an argument.
//! - [`prompt`]: a request to the model's words and the grammar of its answer.
//! - [`engine`]: the seam between the two and the model; [`llama`] is the model.
//! - `kept`: what it made of the tasks' beginnings, from one start to the next.
//! - [`measure`]: how right and how fast it is, on files of utterances.
//! - [`process`]: all of it on a transport.
//! - [`chat`], [`talk`], [`speaker`]: a dialogue as another program asks for it, by lines: what is said, which is worked on, the model.
#![allow(clippy::disallowed_methods, reason = "an edge: it measures real time")]

pub mod chat;
pub mod desk;
pub mod engine;
mod kept;
pub mod llama;
pub mod measure;
pub mod process;
pub mod prompt;
pub mod speaker;
pub mod talk;
