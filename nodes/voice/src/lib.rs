//! What belongs here: from sound and words to vehicle commands, and nothing that runs a recogniser (that is `asr/`, in a
//! process of its own). Pure but for reading files.
//!
//! - [`audio`], [`vad`]: samples to utterances.
//! - [`wake`]: who is spoken to: a wake word, a button, or always.
//! - [`turn`]: when an utterance is decoded; [`words`]: what the decoder's answer is worth.
//! - [`matcher`]: words to vehicle functions, from `templates`; [`tongue`]: the languages there are; [`intent`]: the network for what
//!   no template knows; [`cascade`]: which of them holds; [`eval`] measures it.
//! - [`command`]: the step that puts them behind the catalogue's gates.
//! - [`topic`]: what talk is about that is no vehicle function, before it goes to the dialogue.
//! - [`language`]: what the language model is asked (it runs in `slm/`), and the grammar of its answers.
//! - [`whisper_ggml`]: the recogniser's weights in the form that it reads.
//! - [`config`]: what the process is started with; [`ears`]: its own ports.

pub mod audio;
pub mod cascade;
pub mod command;
pub mod config;
pub mod ears;
pub mod eval;
pub mod intent;
pub mod language;
pub mod matcher;
pub mod prompt;
mod replies;
pub mod tongue;
pub mod topic;
pub mod turn;
pub mod vad;
pub mod wake;
pub mod whisper_ggml;
pub mod words;
