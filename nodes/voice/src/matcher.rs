//! What was said, as vehicle functions: deterministic, from a language that is data (`templates/en`, `templates/de`).
//!
//! An utterance is normalised ([`text`], [`words`]), cut into clauses, and each clause is tried as a pattern with free text (names,
//! places, songs) and as a set of concepts (an object, an act, a place, a number) in any order. Every word must be
//! explained by a concept or be a filler; one stray word is forgiven. Negated and reported clauses are never commands.
//! What the catalogue does not accept is asked back for; what is no vehicle function goes to the dialogue or is rejected.

mod clause;
mod follow;
mod number;
mod pattern;
mod rules;
mod slots;
mod tag;
mod templates;
pub mod text;
mod words;

use std::sync::OnceLock;

use troika_vehicle::catalogue::{Call, Catalogue};

use crate::{replies::Replies, tongue::Tongue};
use templates::Templates;
pub use templates::TemplatesError;
pub(crate) use words::Topics;
pub use words::Words;

/// What an utterance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Understood {
    /// Vehicle functions to carry out, in the order said, in the catalogue's canonical form. Gates are not looked at.
    Commands(Vec<Call>),
    /// No vehicle function: for the dialogue.
    Dialogue,
    /// Not said to us, or nothing that can be answered.
    Reject,
    /// A vehicle function with something missing; the text asks for it.
    Ask(String),
}

/// The text of the files that a language is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources<'a> {
    /// How words and numbers are read: `words.toml`.
    pub words: &'a str,
    /// What is said for the vehicle functions: `templates.toml`.
    pub templates: &'a str,
    /// What the assistant says: `replies.toml`.
    pub replies: &'a str,
}

/// A language that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LanguageError {
    /// Its words.
    #[error("words.toml: {0}")]
    Words(String),
    /// Its templates.
    #[error("templates.toml: {0}")]
    Templates(#[from] TemplatesError),
    /// Its replies.
    #[error("replies.toml: {0}")]
    Replies(String),
}

/// The matcher: a language, and the catalogue that it speaks of.
pub struct Matcher {
    words: Words,
    templates: Templates,
    replies: Replies,
    catalogue: &'static Catalogue,
}

impl Matcher {
    /// The built-in one of a language.
    pub fn of(tongue: Tongue) -> &'static Matcher {
        static ALL: [OnceLock<Matcher>; Tongue::ALL.len()] = [const { OnceLock::new() }; Tongue::ALL.len()];
        ALL[tongue as usize].get_or_init(|| {
            match Matcher::new(&tongue.sources(), Catalogue::built_in()) {
                Ok(matcher) => matcher,
                // The files are compiled in and a test reads them: this cannot be met at run time.
                Err(error) => unreachable!("templates/{tongue}/{error}"),
            }
        })
    }

    /// The built-in English one.
    pub fn english() -> &'static Matcher {
        Matcher::of(Tongue::English)
    }

    /// A matcher from a language's files.
    ///
    /// # Errors
    /// A file that cannot be used, with the reason.
    pub fn new(sources: &Sources<'_>, catalogue: &'static Catalogue) -> Result<Matcher, LanguageError> {
        let words = Words::parse(sources.words).map_err(LanguageError::Words)?;
        let templates = Templates::parse(sources.templates, &words, catalogue)?;
        let replies = Replies::parse(sources.replies, catalogue).map_err(LanguageError::Replies)?;
        Ok(Matcher { words, templates, replies, catalogue })
    }

    /// How the language's words are read.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// What the assistant says in it.
    pub(crate) fn replies(&self) -> &Replies {
        &self.replies
    }

    /// Understands one utterance. Pure: the same words give the same answer.
    pub fn understand(&self, utterance: &str) -> Understood {
        clause::utterance(self, utterance)
    }

    /// What an utterance means that speaks of what was done last ("and the passenger's too", "a bit more", "the other one",
    /// "make it three"); nothing when it does not. Pure.
    pub fn follow_up(&self, utterance: &str, last: &Call) -> Option<Vec<Call>> {
        follow::up(self, utterance, last)
    }

    /// Whether an utterance speaks of what was done last and of nothing else ("a bit more", "undo that"), when there is such a thing.
    pub fn speaks_of_last(&self, utterance: &str) -> bool {
        follow::is_phrase(self, utterance)
    }

    /// `Some(true)` for a yes, `Some(false)` for a no, `None` for anything else.
    pub fn yes_or_no(&self, utterance: &str) -> Option<bool> {
        let words = self.words.split(utterance);
        let polite = &self.words.polite.answer;
        let said: Vec<&str> =
            words.iter().filter(|word| !polite.contains(&word.norm)).map(|word| word.norm.as_str()).collect();
        let is = |phrases: &[String]| phrases.iter().any(|phrase| *phrase == said.join(" "));
        // A sentence that holds a no is never a yes.
        if is(&self.templates.no) {
            Some(false)
        } else if is(&self.templates.yes) {
            Some(true)
        } else {
            None
        }
    }

    /// Calls in the catalogue's canonical form, or the question for what they lack.
    pub(crate) fn checked(&self, calls: Vec<Call>) -> Understood {
        match rules::checked(self, calls) {
            rules::Meaning::Calls(calls) => Understood::Commands(calls),
            rules::Meaning::Ask(question) => Understood::Ask(question),
        }
    }
}

#[cfg(test)]
mod tests;
