//! The words of one language: what is understood of a question about the way, and the sentences that answer it. A file
//! (`words/en.toml`); a fault in it is told with its line.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::{sentences::plain_words, town::Kind};

mod template;

pub use template::{Slot, Template};

/// English.
const ENGLISH: &str = include_str!("../words/en.toml");

/// Words that stand together, as they are compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Phrase(Vec<String>);

impl Phrase {
    /// Its words.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<String> for Phrase {
    type Error = String;

    fn try_from(text: String) -> Result<Phrase, String> {
        let words = plain_words(&text);
        if words.is_empty() || words.join(" ") != text {
            let like = words.join(" ");
            return Err(format!(
                "{text:?} is compared with words in lower case, without apostrophes, accents and hyphens: write {like:?}"
            ));
        }
        Ok(Phrase(words))
    }
}

/// A file that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Not the format.
    #[error("{0}")]
    Toml(String),
    /// A kind of place without words.
    #[error("[kinds] has no {0}: every kind of place needs its words")]
    NoKind(String),
    /// A sentence that would have a hole.
    #[error("line {line}: {key} has a slot {{{slot}}}, and it can have {}", braced(allowed))]
    Slot {
        /// Line, from 1.
        line: usize,
        /// The sentence.
        key: String,
        /// The slot.
        slot: Slot,
        /// Those that would be filled.
        allowed: Vec<Slot>,
    },
}

fn braced(slots: &[Slot]) -> String {
    let names: Vec<String> = slots.iter().map(|slot| format!("{{{slot}}}")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The words of one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Its tag, as in BCP 47.
    pub language: String,
    /// What is understood.
    pub understand: Understand,
    /// The kinds of places.
    pub kinds: BTreeMap<Kind, KindWords>,
    /// What is said of results.
    pub say: Say,
    /// What is asked back.
    pub ask_back: AskBack,
    /// How an answer that broke off is finished.
    pub go_on: GoOn,
}

/// What is understood of a question. The lists are explained in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Understand {
    pub how_far: Vec<Phrase>,
    pub how_long: Vec<Phrase>,
    pub when: Vec<Phrase>,
    pub route: Vec<Phrase>,
    pub find: Vec<Phrase>,
    pub any_one: Vec<Phrase>,
    pub near: Vec<Phrase>,
    pub near_too: Vec<Phrase>,
    pub near_back: Vec<Phrase>,
    pub here: Vec<Phrase>,
    pub back: Vec<Phrase>,
    pub next_one: Vec<Phrase>,
    pub nth: Vec<Vec<Phrase>>,
    pub last_one: Vec<Phrase>,
    pub also: Vec<Phrase>,
    pub beyond: Vec<Phrase>,
    pub to: Vec<Phrase>,
    pub filler: Vec<Phrase>,
    pub common: Vec<String>,
    pub spellings: Vec<Vec<String>>,
}

/// A kind of place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindWords {
    /// What one is called.
    pub one: String,
    /// What several are called.
    pub many: String,
    /// What is understood.
    pub words: Vec<Phrase>,
}

/// What is said of results. The slots are in braces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is its own example")]
pub struct Say {
    pub nearest: Spanned<Template>,
    pub nearest_of_any: Spanned<Template>,
    pub near_there: Spanned<Template>,
    pub another: Spanned<Template>,
    pub place_brief: Spanned<Template>,
    pub also_one: Spanned<Template>,
    pub also_many: Spanned<Template>,
    pub none: Spanned<Template>,
    pub none_of_any: Spanned<Template>,
    pub away: Spanned<Template>,
    pub away_there: Spanned<Template>,
    pub away_brief: Spanned<Template>,
    pub away_there_brief: Spanned<Template>,
    pub right_here: Spanned<Template>,
    pub right_there: Spanned<Template>,
    pub way: Spanned<Template>,
    pub way_to_first: Spanned<Template>,
    pub way_brief: Spanned<Template>,
    pub first_street: Spanned<Template>,
    pub turn_left: Spanned<Template>,
    pub turn_right: Spanned<Template>,
    pub go_straight: Spanned<Template>,
    pub then: String,
    pub after_that: String,
    pub start_brief: Spanned<Template>,
    pub how_long: Spanned<Template>,
    pub when: Spanned<Template>,
    pub how_far: Spanned<Template>,
    pub how_long_brief: Spanned<Template>,
    pub when_brief: Spanned<Template>,
    pub how_far_brief: Spanned<Template>,
    pub there_already: Spanned<Template>,
    pub refused: String,
    pub kilometre: Spanned<Template>,
    pub kilometres: Spanned<Template>,
    pub minute: Spanned<Template>,
    pub minutes: Spanned<Template>,
    pub comma: String,
    pub and: String,
    pub or: String,
}

/// What is asked back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is its own example")]
pub struct AskBack {
    pub unknown: Spanned<Template>,
    pub did_you_mean: Spanned<Template>,
    pub street: Spanned<Template>,
    pub which: Spanned<Template>,
    pub only: Spanned<Template>,
    pub part: Spanned<Template>,
    pub help: Spanned<Template>,
}

/// How an answer that broke off is finished.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct GoOn {
    pub street: Spanned<Template>,
    pub km: Spanned<Template>,
    pub km_there: Spanned<Template>,
    pub km_from: Spanned<Template>,
    pub minutes: Spanned<Template>,
    pub minutes_there: Spanned<Template>,
    pub minutes_from: Spanned<Template>,
    pub there_is: Spanned<Template>,
    pub it_is: Spanned<Template>,
    pub first_is: Spanned<Template>,
    pub other_is: Spanned<Template>,
    pub arrival: Spanned<Template>,
    pub arrival_on: Spanned<Template>,
    pub then_turn: String,
    pub then_on: String,
    pub finish: Vec<Finish>,
    pub usual: Vec<Usual>,
    pub by_road: String,
    pub from_there: String,
    pub from: Vec<String>,
    pub here: String,
    pub there: String,
    pub takes: Spanned<Template>,
    pub ways_to: Vec<String>,
    pub is: String,
    pub is_the_one: String,
    pub ends: Vec<String>,
    pub and_words: Vec<String>,
    pub broken_off: String,
    pub lost: String,
    pub kilometre_words: Vec<String>,
    pub metre_words: Vec<String>,
    pub minute_words: Vec<String>,
    pub left_words: Vec<String>,
    pub right_words: Vec<String>,
    pub pronouns: Vec<String>,
}

/// How an open sentence is finished with a fact.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// It ends with one of these.
    pub after: Vec<Phrase>,
    /// What follows.
    pub say: Spanned<Template>,
    /// Only where it has its place already; only where it has none.
    pub named: Option<bool>,
    /// Only where it has no other words; only where it has some.
    pub begins: Option<bool>,
}

/// How an open sentence without a fact is finished.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usual {
    /// It ends with one of these.
    pub after: Vec<Phrase>,
    /// What follows.
    pub say: String,
}

impl Words {
    /// English.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn english() -> Words {
        match Words::read(ENGLISH) {
            Ok(words) => words,
            Err(error) => unreachable!("words/en.toml, {error}"),
        }
    }

    /// Reads a language.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(text: &str) -> Result<Words, WordsError> {
        let words: Words = toml::from_str(text).map_err(|error| WordsError::Toml(error.to_string()))?;
        if let Some(kind) = Kind::ALL.iter().find(|kind| !words.kinds.contains_key(*kind)) {
            return Err(WordsError::NoKind(format!("{kind:?}").to_lowercase()));
        }
        for (key, sentence, allowed) in words.sentences() {
            if let Some(slot) = sentence.get_ref().slots().find(|slot| !allowed.contains(slot)) {
                let line = text[..sentence.span().start].matches('\n').count() + 1;
                return Err(WordsError::Slot { line, key: key.into(), slot, allowed: allowed.to_vec() });
            }
        }
        Ok(words)
    }

    /// What a kind of place is called.
    pub fn kind(&self, kind: Kind) -> Option<&KindWords> {
        self.kinds.get(&kind)
    }

    /// "A, B and C"; `last`: what stands before the last of them.
    pub fn list(&self, names: &[&str], last: &str) -> String {
        match names {
            [] => String::new(),
            [only] => (*only).to_owned(),
            [first @ .., end] => format!("{}{last}{end}", first.join(&self.say.comma)),
        }
    }

    /// A spoken text, in the spelling that is compared.
    pub fn heard(&self, text: &str) -> Vec<String> {
        plain_words(text).into_iter().map(|word| self.spelt(word)).collect()
    }

    fn spelt(&self, word: String) -> String {
        let known = self.understand.spellings.iter().find(|all| all.contains(&word));
        known.and_then(|all| all.first()).cloned().unwrap_or(word)
    }

    /// Every sentence with the slots that can be filled where it is said.
    fn sentences(&self) -> Vec<(&'static str, &Spanned<Template>, &'static [Slot])> {
        use Slot::{
            Arrival, Away, Direction, Facts, Kind, Km, Leg, Minutes, N, Name, Names, Street, To, Town, Turn,
            What,
        };
        let (say, ask, go) = (&self.say, &self.ask_back, &self.go_on);
        let mut all: Vec<(&'static str, &Spanned<Template>, &'static [Slot])> = vec![
            ("say.nearest", &say.nearest, &[Kind, Name, Street, Away]),
            ("say.nearest_of_any", &say.nearest_of_any, &[Name, Street, Away]),
            ("say.near_there", &say.near_there, &[Kind, Name, Street, Away]),
            ("say.another", &say.another, &[Name, Street, Away]),
            ("say.place_brief", &say.place_brief, &[Name, Street, Away]),
            ("say.also_one", &say.also_one, &[Names]),
            ("say.also_many", &say.also_many, &[Names]),
            ("say.none", &say.none, &[Kind]),
            ("say.none_of_any", &say.none_of_any, &[]),
            ("say.away", &say.away, &[Km, Minutes]),
            ("say.away_there", &say.away_there, &[Km, Minutes]),
            ("say.away_brief", &say.away_brief, &[Km, Minutes]),
            ("say.away_there_brief", &say.away_there_brief, &[Km, Minutes]),
            ("say.right_here", &say.right_here, &[]),
            ("say.right_there", &say.right_there, &[]),
            ("say.way", &say.way, &[Km, Minutes, To]),
            ("say.way_to_first", &say.way_to_first, &[Kind, Km, Minutes, To]),
            ("say.way_brief", &say.way_brief, &[Km, Minutes, To]),
            ("say.first_street", &say.first_street, &[Street]),
            ("say.turn_left", &say.turn_left, &[Street]),
            ("say.turn_right", &say.turn_right, &[Street]),
            ("say.go_straight", &say.go_straight, &[Street]),
            ("say.start_brief", &say.start_brief, &[Street]),
            ("say.there_already", &say.there_already, &[To]),
            ("say.kilometre", &say.kilometre, &[N]),
            ("say.kilometres", &say.kilometres, &[N]),
            ("say.minute", &say.minute, &[N]),
            ("say.minutes", &say.minutes, &[N]),
            ("ask_back.unknown", &ask.unknown, &[What, Town, Names]),
            ("ask_back.did_you_mean", &ask.did_you_mean, &[What, Town, Names]),
            ("ask_back.street", &ask.street, &[What, Town, Names]),
            ("ask_back.which", &ask.which, &[Kind, Names]),
            ("ask_back.only", &ask.only, &[Names]),
            ("ask_back.part", &ask.part, &[What]),
            ("ask_back.help", &ask.help, &[Names]),
            ("go_on.it_is", &go.it_is, &[Facts]),
            ("go_on.first_is", &go.first_is, &[Facts]),
            ("go_on.other_is", &go.other_is, &[Name, Facts]),
            ("go_on.street", &go.street, &[Street]),
            ("go_on.km", &go.km, &[Km]),
            ("go_on.km_there", &go.km_there, &[Km]),
            ("go_on.km_from", &go.km_from, &[Km, Name]),
            ("go_on.there_is", &go.there_is, &[Facts]),
            ("go_on.arrival_on", &go.arrival_on, &[Arrival]),
            ("go_on.minutes", &go.minutes, &[Minutes]),
            ("go_on.minutes_there", &go.minutes_there, &[Minutes]),
            ("go_on.minutes_from", &go.minutes_from, &[Minutes, Name]),
            ("go_on.arrival", &go.arrival, &[Arrival]),
            ("go_on.takes", &go.takes, &[Minutes]),
        ];
        let arrivals = [
            ("say.how_long", &say.how_long),
            ("say.when", &say.when),
            ("say.how_far", &say.how_far),
            ("say.how_long_brief", &say.how_long_brief),
            ("say.when_brief", &say.when_brief),
            ("say.how_far_brief", &say.how_far_brief),
        ];
        const OF_AN_ARRIVAL: &[Slot] = &[Km, Minutes, To, Arrival];
        all.extend(arrivals.map(|(key, sentence)| (key, sentence, OF_AN_ARRIVAL)));
        const OPEN: &[Slot] = &[Name, Names, To, Facts, Street, Km, Minutes, Arrival, Leg, Direction, Turn];
        all.extend(go.finish.iter().map(|finish| ("go_on.finish", &finish.say, OPEN)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_place_of_the_shipped_language_has_words_that_no_other_has() {
        let words = Words::english();
        let mut seen = BTreeMap::new();
        for (kind, called) in &words.kinds {
            assert!(
                !called.words.is_empty() && !called.one.is_empty() && !called.many.is_empty(),
                "{kind:?}"
            );
            for phrase in &called.words {
                assert_eq!(seen.insert(phrase.words().to_vec(), kind), None, "{phrase:?}");
            }
        }
    }

    #[test]
    fn a_fault_in_a_language_says_where_and_what_would_do() {
        let refused = |from: &str, to: &str| {
            assert!(ENGLISH.contains(from), "{from}");
            Words::read(&ENGLISH.replacen(from, to, 1)).expect_err("refused").to_string()
        };
        let line = ENGLISH.lines().position(|line| line.starts_with("away_brief")).expect("there") + 1;
        let said = refused("away_brief = \"about {minutes}", "away_brief = \"about {arrival}");
        assert_eq!(
            said,
            format!(
                "line {line}: say.away_brief has a slot {{arrival}}, and it can have {{km}}, {{minutes}}"
            )
        );
        let said = refused("away_brief = \"about {minutes}", "away_brief = \"about {minuets}");
        assert!(said.contains(&format!("line {line}")) && said.contains("minuets"), "{said}");
        let said = refused("away_brief = \"about {minutes}", "away_brief = \"about {minutes");
        assert!(said.contains("is not closed"), "{said}");
        let said = refused("\"how far\"", "\"How far's\"");
        assert!(said.contains("write \"how fars\""), "{said}");
        assert!(refused("[kinds]\n", "[kinds]\ncasino = 1\n").contains("casino"));
        assert!(refused("museum = {", "# museum = {").contains("[kinds] has no museum"));
        assert!(refused("[say]\n", "[say]\nfarewell = \"bye\"\n").contains("farewell"));
    }

    #[test]
    fn what_a_recogniser_spells_in_two_ways_is_one_word() {
        let words = Words::english();
        assert_eq!(words.heard("St. Anne's, the Café"), ["saint", "annes", "the", "cafe"]);
        assert_eq!(words.heard("platform 9"), words.heard("Platform Nine"));
    }
}
