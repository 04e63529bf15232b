//! The words that the reading itself stands on, as data (`templates/*/words.toml`): how words are written, numbers, and the small
//! words that tell a command from talk.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::number::Numbers;

/// The words of a language. What stands in its lists is as compared ([`Words::split`]).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub(super) polite: Polite,
    pub(super) articles: Vec<String>,
    /// Words that join commands.
    pub(super) joins: Vec<String>,
    /// Of those, what sets one command against the other.
    pub(super) against: Vec<String>,
    pub(super) questions: Vec<String>,
    pub(super) subjects: Vec<String>,
    pub(super) copulas: Vec<String>,
    /// What may be wanted otherwise.
    pub(super) wanted: Vec<String>,
    /// What begins so is forbidden.
    pub(super) forbids: Vec<Vec<String>>,
    pub(super) not: String,
    /// The answer; where a word begins a clause, it must be set off by a pause to be one.
    pub(super) no: String,
    /// Not somebody who can be called or written to.
    pub(super) nobody: Vec<String>,
    /// Somebody, but who?
    pub(super) who: Vec<String>,
    /// A name that begins with one of these has a second word.
    pub(super) titles: Vec<String>,
    /// Nothing ends in these.
    pub(crate) unending: Vec<String>,
    /// Before a number these say what it is set to, whatever else they mean.
    #[serde(default)]
    pub(super) before_numbers: Vec<String>,
    /// Signs, and what they are read as.
    pub(super) signs: Vec<[String; 2]>,
    /// Several words that are one, or another.
    pub(super) spellings: Vec<[String; 2]>,
    /// Letters that are compared as others ("ß" as "ss").
    #[serde(default)]
    letters: Vec<[String; 2]>,
    /// Units stuck to a number.
    pub(super) units: BTreeMap<String, String>,
    pub(super) contractions: BTreeMap<String, String>,
    pub(super) suffix: Vec<Suffix>,
    pub(super) number: Numbers,
    /// What talk is about.
    pub(crate) topics: Topics,
}

/// Phrases that tell what talk is about, each a few words in order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topics {
    /// Places, routes, times of arrival.
    pub(crate) navigation: Vec<String>,
    /// Who the driver knows.
    pub(crate) contacts: Vec<String>,
    /// What they write to each other.
    pub(crate) messages: Vec<String>,
    /// How the driver is.
    pub(crate) driver_state: Vec<String>,
}

/// Words that change nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Polite {
    /// Behind a name.
    pub(super) end: Vec<String>,
    /// Around a yes or a no.
    pub(super) answer: Vec<String>,
    /// Around what speaks of the last command.
    pub(super) follow: Vec<String>,
}

/// The end of a word that is a word of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suffix {
    pub(super) end: String,
    pub(super) full: String,
    /// Behind these alone; without it, behind any word.
    #[serde(default)]
    pub(super) after: Option<Vec<String>>,
}

impl Words {
    /// From a file.
    pub(super) fn parse(text: &str) -> Result<Words, String> {
        let read = |text: &str| toml::from_str::<Words>(text).map_err(|error| error.to_string());
        let first = read(text)?;
        // The lists are compared with words whose letters are folded, so they are too; the folding itself is not.
        let words = Words { letters: first.letters.clone(), ..read(&first.folded(text))? };
        words.number.check()?;
        Ok(words)
    }

    /// A text with the letters that it is compared by.
    pub(super) fn folded(&self, text: &str) -> String {
        self.letters.iter().fold(text.to_owned(), |text, [from, to]| text.replace(from, to))
    }
}
