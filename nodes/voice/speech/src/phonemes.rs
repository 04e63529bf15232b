//! From text to what the voice's network reads: sentences and clauses, their phonemes (IPA, by espeak-ng in a process of its
//! own), the numbers of those.

mod clauses;
mod espeak;
mod ids;

pub use clauses::{Clause, Sentence, sentences};
pub use espeak::{Espeak, EspeakError};
pub use ids::PhonemeIds;
