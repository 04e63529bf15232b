//! The template file: read once, checked against the catalogue, so that a template cannot name what is not there.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use troika_vehicle::catalogue::Catalogue;

use super::{pattern::Pattern, words::Words};

/// A template file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplatesError {
    /// Not the TOML that it should be.
    #[error("{0}")]
    Toml(String),
    /// A template names what is not there, or cannot be read.
    #[error("{place}: {reason}")]
    Template {
        /// Which template.
        place: String,
        /// Why.
        reason: String,
    },
}

/// How a clause speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mood {
    /// "Open the window", "the window, please".
    Command,
    /// "The kids are cold".
    Statement,
    /// "How far can we go".
    Question,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    filler: Vec<String>,
    yes: Vec<String>,
    no: Vec<String>,
    address: Vec<String>,
    reported: Vec<String>,
    correction: Vec<String>,
    dialogue: Vec<String>,
    /// Words of everyday speech that lie near a word of the lexicon.
    #[serde(default)]
    never_mended: Vec<String>,
    follow: FollowFile,
    lexicon: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    rule: Vec<RuleFile>,
    free: Vec<FreeFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowFile {
    more: Vec<String>,
    less: Vec<String>,
    again: Vec<String>,
    other: Vec<String>,
    undo: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    function: String,
    need: Vec<String>,
    #[serde(default)]
    may: Vec<String>,
    #[serde(default)]
    slots: BTreeMap<String, String>,
    #[serde(default)]
    from: BTreeMap<String, String>,
    #[serde(default = "commands")]
    mood: Vec<Mood>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreeFile {
    function: String,
    patterns: Vec<String>,
    #[serde(default)]
    slots: BTreeMap<String, String>,
}

fn commands() -> Vec<Mood> {
    vec![Mood::Command]
}

/// A word's meaning: `class.value`.
pub(super) type Concept = (String, String);

/// A set of concepts that means a function.
pub(super) struct Rule {
    pub(super) function: String,
    /// Each is a choice of `class.value` or `class`.
    pub(super) need: Vec<Vec<String>>,
    /// Classes or concepts that may be there too.
    pub(super) may: Vec<String>,
    /// Slots with a fixed value.
    pub(super) slots: Vec<(String, String)>,
    /// Slots made from concepts: slot, resolver.
    pub(super) from: Vec<(String, String)>,
    pub(super) mood: Vec<Mood>,
}

/// Patterns with free text.
pub(super) struct Free {
    pub(super) function: String,
    pub(super) pattern: Pattern,
    pub(super) slots: Vec<(String, String)>,
}

/// A phrase's words and what they may mean.
type Phrase = (Vec<String>, Vec<Concept>);

/// How a whole utterance speaks of what was done last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// Further the same way.
    More,
    /// The other way.
    Less,
    /// The same once more.
    Again,
    /// The other side's.
    Other,
    /// As it was before.
    Undo,
}

/// All templates of a language.
pub(super) struct Templates {
    pub(super) filler: Vec<String>,
    pub(super) yes: Vec<String>,
    pub(super) no: Vec<String>,
    pub(super) address: Vec<Vec<String>>,
    pub(super) reported: Vec<Vec<String>>,
    pub(super) correction: Vec<Vec<String>>,
    pub(super) dialogue: Vec<String>,
    /// Utterances about what was done last.
    pub(super) follow: HashMap<Vec<String>, Follow>,
    /// Phrases by their first word, longest first.
    pub(super) phrases: HashMap<String, Vec<Phrase>>,
    /// Single words that a slip may be mended to.
    pub(super) mendable: Vec<String>,
    /// Every word that some template knows: never mended.
    pub(super) known: Vec<String>,
    pub(super) rules: Vec<Rule>,
    pub(super) free: Vec<Free>,
}

/// The shortest word that is mended by one edit.
const MENDABLE_FROM: usize = 5;

/// A phrase's words as an utterance's are compared: "two thirds" is "2 thirds".
fn split(words: &Words, phrase: &str) -> Vec<String> {
    words.split(phrase).into_iter().map(|word| word.norm).collect()
}

impl Templates {
    pub(super) fn parse(
        text: &str,
        words: &Words,
        catalogue: &Catalogue,
    ) -> Result<Templates, TemplatesError> {
        let split = |phrase: &String| split(words, phrase);
        let file: File =
            toml::from_str(&words.folded(text)).map_err(|error| TemplatesError::Toml(error.to_string()))?;
        let mut meanings: BTreeMap<Vec<String>, Vec<Concept>> = BTreeMap::new();
        for (class, values) in &file.lexicon {
            for (value, phrases) in values {
                for phrase in phrases {
                    let concepts = meanings.entry(split(phrase)).or_default();
                    let concept = (class.clone(), value.clone());
                    if !concepts.contains(&concept) {
                        concepts.push(concept);
                    }
                }
            }
        }
        let mut phrases: HashMap<String, Vec<Phrase>> = HashMap::new();
        let (mut mendable, mut known) = (Vec::new(), file.filler.clone());
        for (words, concepts) in meanings {
            let Some(first) = words.first().cloned() else { continue };
            mendable.extend(words.iter().filter(|w| w.chars().count() >= MENDABLE_FROM).cloned());
            known.extend(words.iter().cloned());
            phrases.entry(first).or_default().push((words, concepts));
        }
        phrases.values_mut().for_each(|list| list.sort_by_key(|(words, _)| std::cmp::Reverse(words.len())));
        mendable.sort_unstable();
        mendable.dedup();
        let rules = file
            .rule
            .into_iter()
            .map(|rule| checked_rule(rule, &file.lexicon, catalogue))
            .collect::<Result<Vec<_>, _>>()?;
        let mut free = Vec::new();
        for entry in file.free {
            let captures: Vec<String> = entry.slots.keys().cloned().collect();
            for text in &entry.patterns {
                let place = format!("free '{text}'");
                let pattern = Pattern::parse(text)
                    .map_err(|reason| TemplatesError::Template { place: place.clone(), reason })?;
                let slots = pattern.captures().into_iter().chain(captures.iter().cloned());
                check_slots(&place, &entry.function, slots, catalogue)?;
                known.extend(pattern.words());
                free.push(Free {
                    function: entry.function.clone(),
                    pattern,
                    slots: entry.slots.clone().into_iter().collect(),
                });
            }
        }
        let lists = |list: &[String]| list.iter().map(split).collect::<Vec<_>>();
        let (address, reported, correction) =
            (lists(&file.address), lists(&file.reported), lists(&file.correction));
        known.extend(address.iter().chain(&reported).chain(&correction).flatten().cloned());
        known.extend(file.dialogue.iter().chain(&file.never_mended).cloned());
        let mut follow = HashMap::new();
        for (phrases, means) in [
            (&file.follow.more, Follow::More),
            (&file.follow.less, Follow::Less),
            (&file.follow.again, Follow::Again),
            (&file.follow.other, Follow::Other),
            (&file.follow.undo, Follow::Undo),
        ] {
            follow.extend(phrases.iter().map(|phrase| (split(phrase), means)));
        }
        known.extend(follow.keys().flatten().cloned());
        known.sort_unstable();
        known.dedup();
        Ok(Templates {
            filler: file.filler,
            yes: file.yes,
            no: file.no,
            address,
            reported,
            correction,
            dialogue: file.dialogue,
            follow,
            phrases,
            mendable,
            known,
            rules,
            free,
        })
    }
}

impl Templates {
    /// What a word means on its own.
    pub(super) fn single(&self, word: &str) -> Option<&[Concept]> {
        let phrases = self.phrases.get(word)?;
        phrases.iter().find(|(phrase, _)| phrase.len() == 1).map(|(_, concepts)| concepts.as_slice())
    }
}

fn check_slots(
    place: &str,
    function: &str,
    slots: impl Iterator<Item = String>,
    catalogue: &Catalogue,
) -> Result<(), TemplatesError> {
    let wrong = |reason: String| TemplatesError::Template { place: place.to_owned(), reason };
    let spec = catalogue.function(function).ok_or_else(|| wrong(format!("no function '{function}'")))?;
    for slot in slots {
        spec.slot(&slot).ok_or_else(|| wrong(format!("{function} has no slot '{slot}'")))?;
    }
    Ok(())
}

fn checked_rule(
    rule: RuleFile,
    lexicon: &BTreeMap<String, BTreeMap<String, Vec<String>>>,
    catalogue: &Catalogue,
) -> Result<Rule, TemplatesError> {
    let place = format!("rule {} {:?}", rule.function, rule.need);
    let wrong = |reason: String| TemplatesError::Template { place: place.clone(), reason };
    check_slots(&place, &rule.function, rule.slots.keys().chain(rule.from.keys()).cloned(), catalogue)?;
    let need: Vec<Vec<String>> =
        rule.need.iter().map(|choice| choice.split('|').map(str::to_owned).collect()).collect();
    for name in need.iter().flatten().chain(&rule.may) {
        let there = match name.split_once('.') {
            Some((class, value)) => lexicon.get(class).is_some_and(|values| values.contains_key(value)),
            None => name == "number" || lexicon.contains_key(name),
        };
        if !there {
            return Err(wrong(format!("no concept '{name}' in the lexicon")));
        }
    }
    for (slot, value) in &rule.slots {
        let spec = catalogue.function(&rule.function).and_then(|function| function.slot(slot));
        if let Some(Err(why)) = spec.map(|spec| spec.ty.canonical(value)) {
            return Err(wrong(format!("'{slot}' {why}")));
        }
    }
    for resolver in rule.from.values() {
        if !super::slots::RESOLVERS.contains(&resolver.as_str()) {
            return Err(wrong(format!("no resolver '{resolver}'")));
        }
    }
    Ok(Rule {
        function: rule.function,
        need,
        may: rule.may,
        slots: rule.slots.into_iter().collect(),
        from: rule.from.into_iter().collect(),
        mood: rule.mood,
    })
}
