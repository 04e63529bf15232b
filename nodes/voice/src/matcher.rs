//! What was said, as vehicle functions: deterministic, from templates that are data (`templates/en.toml`).
//!
//! An utterance is normalised ([`text`]), cut into clauses, and each clause is tried as a pattern with free text (names,
//! places, songs) and as a set of concepts (an object, an act, a place, a number) in any order. Every word must be
//! explained by a concept or be a filler; one stray word is forgiven. Negated and reported clauses are never commands.
//! What the catalogue does not accept is asked back for; what is no vehicle function goes to the dialogue or is rejected.

mod clause;
mod follow;
mod pattern;
mod rules;
mod slots;
mod tag;
mod templates;
pub mod text;

use std::sync::OnceLock;

use troika_vehicle::catalogue::{Call, Catalogue};

use templates::Templates;
pub use templates::TemplatesError;

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

/// The matcher: templates and the catalogue that they speak of.
pub struct Matcher {
    templates: Templates,
    catalogue: &'static Catalogue,
}

impl Matcher {
    /// The built-in English one.
    pub fn english() -> &'static Matcher {
        static ENGLISH: OnceLock<Matcher> = OnceLock::new();
        ENGLISH.get_or_init(|| {
            match Matcher::new(include_str!("../templates/en.toml"), Catalogue::built_in()) {
                Ok(matcher) => matcher,
                // The file is compiled in and a test reads it: this cannot be met at run time.
                Err(error) => unreachable!("templates/en.toml: {error}"),
            }
        })
    }

    /// A matcher from a template file.
    ///
    /// # Errors
    /// A template file that cannot be used, with the reason.
    pub fn new(templates: &str, catalogue: &'static Catalogue) -> Result<Matcher, TemplatesError> {
        Ok(Matcher { templates: Templates::parse(templates, catalogue)?, catalogue })
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
        let words = text::words(utterance);
        let said: Vec<&str> = words
            .iter()
            .map(|word| word.norm.as_str())
            .filter(|word| !matches!(*word, "please" | "thanks" | "thank" | "you" | "uh" | "um"))
            .collect();
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
}

/// Calls in the catalogue's canonical form, or the question for what they lack.
pub(crate) fn checked(calls: Vec<Call>, catalogue: &Catalogue) -> Understood {
    match rules::checked(calls, catalogue) {
        rules::Meaning::Calls(calls) => Understood::Commands(calls),
        rules::Meaning::Ask(question) => Understood::Ask(question),
    }
}

/// What is asked when a slot has no value.
pub(crate) fn question(slot: &str) -> String {
    rules::question(slot)
}

#[cfg(test)]
mod tests;
