//! What a question about places says, by rules: richer ones than the vehicle's planner has, and without its care. It knows no map: names are
//! what is left over. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde::Deserialize;
use troika_dialogue::{Words, town::Kind, words::Phrase};

/// Somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One of a kind: the first, or another of what is found.
    Kind { kind: Kind, near: Option<Box<Target>>, nth: usize },
    /// By its name, as it was said.
    Named(String),
    /// What the last answer named: the first, or another.
    Back(usize),
    /// The last that it named.
    LastNamed,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wants {
    pub(crate) find: bool,
    pub(crate) route: bool,
    pub(crate) long: bool,
    pub(crate) when: bool,
    pub(crate) far: bool,
}

impl Wants {
    pub(crate) fn any(self) -> bool {
        self.find || self.moves()
    }

    /// Something of the way there.
    pub(crate) fn moves(self) -> bool {
        self.route || self.arrival()
    }

    /// Something that a time of arrival answers.
    pub(crate) fn arrival(self) -> bool {
        self.long || self.when || self.far
    }
}

/// A limit that is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    Minutes(f64),
    Km(f64),
    /// Minutes since midnight.
    Clock(u32),
}

/// A question.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Asked {
    pub(crate) wants: Wants,
    pub(crate) targets: Vec<Target>,
    /// One of them is better.
    pub(crate) compare: bool,
    /// One after the other.
    pub(crate) trip: bool,
    /// The targets are on the way.
    pub(crate) on_the_way: bool,
    /// Where the way leads, that they are on.
    pub(crate) destination: Option<Target>,
    pub(crate) limit: Option<Limit>,
    /// Leaves so many minutes later.
    pub(crate) later: u32,
    /// Something that no tool knows: prices, opening times, ratings.
    pub(crate) unknowable: Option<String>,
    /// All of them are wanted.
    pub(crate) all: bool,
    /// What is not wanted.
    pub(crate) except: Option<String>,
    /// "The next one": after what the last answer named.
    pub(crate) another: bool,
    /// It goes back to what was said before.
    pub(crate) also: bool,
    /// The target is what something of the kind before is near to: "which of them is closer to the museum".
    pub(crate) near_it: bool,
}

/// The words of the rules (`language.toml`, which says of each what it is).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    compare: Vec<String>,
    after: Vec<String>,
    stop_at: Vec<String>,
    on_the_way: Vec<String>,
    within: Vec<String>,
    by: Vec<String>,
    not: Vec<String>,
    all: Vec<String>,
    last: Vec<String>,
    ordinals: Vec<Vec<String>>,
    back_ordinals: Vec<Vec<String>>,
    known: BTreeSet<String>,
    unknowable: BTreeMap<String, Vec<String>>,
}

impl Rules {
    /// Those that ship.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub(crate) fn shipped() -> Rules {
        match toml::from_str(include_str!("../language.toml")) {
            Ok(rules) => rules,
            Err(error) => unreachable!("language.toml, {error}"),
        }
    }
}

struct Reader<'a> {
    words: &'a Words,
    rules: &'a Rules,
    tokens: Vec<String>,
    taken: Vec<bool>,
}

fn split(phrase: &str) -> Vec<String> {
    phrase.split(' ').map(str::to_owned).collect()
}

/// Reads a question.
pub(crate) fn read(words: &Words, rules: &Rules, question: &str) -> Asked {
    let tokens = words.heard(question);
    let taken = vec![false; tokens.len()];
    let mut reader = Reader { words, rules, tokens, taken };
    let mut asked = Asked::default();
    let understand = &words.understand;
    let has = |reader: &Reader<'_>, phrases: &[Phrase]| {
        phrases.iter().any(|phrase| reader.phrase(phrase.words()).is_some())
    };
    asked.wants = Wants {
        find: has(&reader, &understand.find),
        route: has(&reader, &understand.route)
            || reader.any(&[
                "drive there",
                "go there",
                "quickest way",
                "fastest way",
                "shortest way",
                "directions",
                "guide me",
                "start driving",
            ]),
        long: has(&reader, &understand.how_long),
        when: has(&reader, &understand.when) || reader.any(&["make it", "in time", "on time"]),
        far: has(&reader, &understand.how_far) || reader.any(&["distance", "is it far", "is that far"]),
    };
    asked.compare = reader.any(&rules.compare) && reader.any(&["or", "than"]);
    asked.compare |= reader.any(&["or"])
        && reader.any(&[
            "which is nearest",
            "which is nearer",
            "which is the nearest",
            "whats nearer",
            "should i rather",
        ]);
    asked.all = reader.any(&rules.all);
    asked.also = has(&reader, &understand.also);
    let near = reader.any(&["close to", "close by", "free of"]);
    let unknowable = rules.unknowable.iter().find(|(_, words)| !near && reader.any(words));
    asked.unknowable = unknowable.map(|(what, _)| what.clone());
    asked.limit = reader.limit();
    if let Some(Limit::Clock(_)) = asked.limit {
        // "Can I be there by three?" asks for a time, whatever else it says.
        (asked.wants.when, asked.wants.find) = (true, false);
    }
    asked.later = reader.later();
    let along = reader.take(&rules.on_the_way);
    asked.on_the_way = along.is_some() || reader.any(&["on the way", "on my way", "along the way"]);
    let after = reader.take(&rules.after);
    let via = reader.take(&rules.stop_at);
    asked.trip = after.is_some() || via.is_some();
    let not = reader.take(&rules.not);
    let nth = rules.ordinals.iter().position(|phrases| reader.take(phrases).is_some()).map_or(0, |at| at + 1);
    let back = rules.back_ordinals.iter().position(|phrases| reader.take(phrases).is_some());
    let last = reader.take(&rules.last).is_some();
    let next = understand
        .next_one
        .iter()
        .any(|phrase| reader.phrase(phrase.words()).is_some_and(|at| reader.free(&at)));
    let mut mentions = reader.mentions();
    if let Some(not) = &not {
        let at = mentions.iter().position(|(at, _)| at.start >= not.end);
        asked.except = at.map(|at| {
            let (range, _) = mentions.remove(at);
            reader.tokens[range].join(" ")
        });
    }
    if let Some(at) = along.and_then(|along| mentions.iter().position(|(at, _)| at.start >= along.end)) {
        asked.destination = Some(mentions.remove(at).1);
    }
    asked.targets = reader.near(mentions, nth);
    asked.near_it = reader.any(&["of them", "of those", "something else near", "something near", "one near"]);
    if asked.compare && asked.targets.len() == 1 {
        // "Is that closer than Forest Lodge?"
        asked.targets.insert(0, Target::Back(0));
    }
    if asked.wants.arrival() && asked.targets.is_empty() {
        // "When do we arrive?"
        asked.targets.push(Target::Back(0));
    }
    if via.is_some() && asked.targets.len() == 2 {
        // "To the airport with a stop at a cafe": the stop comes first.
        asked.targets.reverse();
    }
    let one_kind = matches!(asked.targets.as_slice(), [Target::Kind { .. }]);
    asked.another = next && (asked.targets.is_empty() || one_kind) && nth == 0;
    if let Some(nth) = back {
        asked.targets.push(Target::Back(nth));
    } else if last {
        asked.targets.push(Target::LastNamed);
    } else if asked.targets.is_empty()
        && !asked.another
        && reader.any(&["there", "that", "it", "this place", "that place", "that one"])
    {
        asked.targets.push(Target::Back(0));
    }
    asked
}

impl Reader<'_> {
    fn stands(&self, at: usize, phrase: &[String]) -> bool {
        self.tokens.get(at..at + phrase.len()).is_some_and(|there| there == phrase)
    }

    fn phrase(&self, phrase: &[String]) -> Option<Range<usize>> {
        (0..self.tokens.len()).find(|at| self.stands(*at, phrase)).map(|at| at..at + phrase.len())
    }

    fn free(&self, at: &Range<usize>) -> bool {
        !self.taken[at.clone()].iter().any(|taken| *taken)
    }

    fn find(&self, phrases: &[impl AsRef<str>]) -> Option<Range<usize>> {
        let found = phrases.iter().filter_map(|phrase| self.phrase(&split(phrase.as_ref())));
        found.filter(|at| self.free(at)).max_by_key(Range::len)
    }

    fn any(&self, phrases: &[impl AsRef<str>]) -> bool {
        self.find(phrases).is_some()
    }

    fn take(&mut self, phrases: &[impl AsRef<str>]) -> Option<Range<usize>> {
        let at = self.find(phrases)?;
        self.taken[at.clone()].fill(true);
        Some(at)
    }

    fn number(&self, at: usize) -> Option<f64> {
        const WORDS: &[(&str, f64)] = &[
            ("one", 1.0),
            ("two", 2.0),
            ("three", 3.0),
            ("four", 4.0),
            ("five", 5.0),
            ("six", 6.0),
            ("seven", 7.0),
            ("eight", 8.0),
            ("nine", 9.0),
            ("ten", 10.0),
            ("eleven", 11.0),
            ("twelve", 12.0),
            ("fifteen", 15.0),
            ("twenty", 20.0),
            ("thirty", 30.0),
            ("a", 1.0),
        ];
        let word = self.tokens.get(at)?;
        word.parse().ok().or_else(|| WORDS.iter().find(|(name, _)| name == word).map(|(_, value)| *value))
    }

    /// "Within five minutes", "before three", "by quarter to three".
    fn limit(&mut self) -> Option<Limit> {
        for (phrases, clock) in [(&self.rules.within, false), (&self.rules.by, true)] {
            let found: Vec<Range<usize>> = phrases
                .iter()
                .flat_map(|phrase| {
                    let phrase = split(phrase);
                    (0..self.tokens.len())
                        .filter(|at| self.stands(*at, &phrase))
                        .map(|at| at..at + phrase.len())
                        .collect::<Vec<_>>()
                })
                .collect();
            for at in found {
                let value = self.number(at.end);
                let unit = self.tokens.get(at.end + 1).map(String::as_str).unwrap_or_default();
                let (limit, len) = match (value, unit, clock) {
                    (Some(value), "minutes" | "minute", false) => (Limit::Minutes(value), 2),
                    (Some(value), "kilometres" | "kilometers" | "km" | "kilometre", false) => {
                        (Limit::Km(value), 2)
                    }
                    (_, _, true) => match self.clock(at.end) {
                        Some((minute, len)) => (Limit::Clock(minute), len),
                        None => continue,
                    },
                    _ => continue,
                };
                self.taken[at.start..(at.end + len).min(self.tokens.len())].fill(true);
                return Some(limit);
            }
        }
        None
    }

    /// "Three", "quarter to three", "half past two", "1440" (14:40): in the afternoon, where the hour is small.
    fn clock(&self, at: usize) -> Option<(u32, usize)> {
        let hour =
            |at: usize| self.number(at).filter(|hour| (1.0..=23.0).contains(hour)).map(|hour| hour as u32);
        let afternoon = |hour: u32| if hour <= 11 { hour + 12 } else { hour };
        let word = self.tokens.get(at)?;
        let next = self.tokens.get(at + 1).map(String::as_str).unwrap_or_default();
        if word.len() == 4
            && let Ok(digits) = word.parse::<u32>()
            && digits / 100 < 24
            && digits % 100 < 60
        {
            return Some((digits / 100 * 60 + digits % 100, 1));
        }
        let minutes = if word == "quarter" { Some(15) } else { self.number(at).map(|value| value as u32) };
        if word == "half" && next == "past" {
            return Some((afternoon(hour(at + 2)?) * 60 + 30, 3));
        }
        match (minutes, next) {
            (Some(minutes), "to") if hour(at + 2).is_some() => {
                Some(((afternoon(hour(at + 2)?) * 60).checked_sub(minutes)?, 3))
            }
            (Some(minutes), "past") => Some((afternoon(hour(at + 2)?) * 60 + minutes, 3)),
            // "By car" and "by five minutes" are no times.
            (_, "minutes" | "minute" | "km" | "kilometres" | "kilometers") => None,
            _ => {
                let minute = self.number(at + 1).filter(|minute| *minute >= 10.0).map(|minute| minute as u32);
                Some((afternoon(hour(at)?) * 60 + minute.unwrap_or(0), 1 + usize::from(minute.is_some())))
            }
        }
    }

    /// "If I leave in ten minutes".
    fn later(&mut self) -> u32 {
        const LEAVE: &[&str] = &["leave in", "leaving in", "start in", "go in", "set off in", "drive off in"];
        let Some(at) = self.find(LEAVE) else { return 0 };
        let half_hour = self.stands(at.end, &["half", "an", "hour"].map(str::to_owned));
        let minutes = if half_hour { Some(30.0) } else { self.number(at.end) };
        let Some(minutes) = minutes else { return 0 };
        self.taken[at.start..(at.end + if half_hour { 3 } else { 2 }).min(self.tokens.len())].fill(true);
        minutes as u32
    }

    /// Whether a word is the language's, not a name's.
    fn known(&self, at: usize) -> bool {
        let word = &self.tokens[at];
        let understand = &self.words.understand;
        let lists = [
            &understand.filler,
            &understand.find,
            &understand.route,
            &understand.how_long,
            &understand.how_far,
            &understand.when,
            &understand.near,
            &understand.near_too,
            &understand.back,
            &understand.also,
            &understand.any_one,
            &understand.to,
        ];
        self.taken[at]
            || self.rules.known.contains(word)
            || lists.iter().any(|phrases| phrases.iter().any(|phrase| phrase.words().contains(word)))
    }

    /// Kinds and names, in order: a kind beside unknown words is a part of a name ("cafe anker").
    fn mentions(&mut self) -> Vec<(Range<usize>, Target)> {
        let mut kinds: Vec<(Range<usize>, Kind)> = Vec::new();
        let mut phrases: Vec<(Kind, &Phrase)> = self
            .words
            .kinds
            .iter()
            .flat_map(|(kind, words)| words.words.iter().map(|phrase| (*kind, phrase)))
            .collect();
        phrases.sort_by_key(|(_, phrase)| std::cmp::Reverse(phrase.words().len()));
        let mut of_kind = vec![false; self.tokens.len()];
        for (kind, phrase) in phrases {
            let words = phrase.words();
            for at in 0..self.tokens.len() {
                let range = at..at + words.len();
                if self.stands(at, words)
                    && self.free(&range)
                    && !of_kind[range.clone()].iter().any(|taken| *taken)
                {
                    of_kind[range.clone()].fill(true);
                    kinds.push((range, kind));
                }
            }
        }
        kinds.sort_by_key(|(range, _)| range.start);
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let mut end = at;
            let mut unknown = false;
            let mut last = at;
            while end < self.tokens.len() {
                // "Museum of salt", "hotel at queens bridge": a small word within a name.
                let joins = self.tokens[end] == "of"
                    && end > at
                    && end + 1 < self.tokens.len()
                    && !self.known(end + 1)
                    && !of_kind[end + 1];
                if of_kind[end] {
                    end += 1;
                } else if !self.known(end) || joins {
                    unknown |= !joins;
                    end += 1;
                } else {
                    break;
                }
                last = end;
            }
            if last == at {
                at += 1;
                continue;
            }
            if unknown {
                found.push((at..last, Target::Named(self.tokens[at..last].join(" "))));
            } else {
                let within: Vec<&(Range<usize>, Kind)> =
                    kinds.iter().filter(|(range, _)| range.start >= at && range.end <= last).collect();
                // Two kinds in a row are a name too: "station chargers".
                if within.len() > 1 {
                    found.push((at..last, Target::Named(self.tokens[at..last].join(" "))));
                } else if let Some((range, kind)) = within.first() {
                    found.push((range.clone(), Target::Kind { kind: *kind, near: None, nth: 0 }));
                }
            }
            at = last;
        }
        found
    }

    /// "A cafe near the museum" is one target.
    fn near(&self, mentions: Vec<(Range<usize>, Target)>, nth: usize) -> Vec<Target> {
        let near: Vec<Range<usize>> = self
            .words
            .understand
            .near
            .iter()
            .chain(&self.words.understand.near_too)
            .map(|phrase| phrase.words().to_vec())
            .chain(["nearer to", "closer to"].map(|phrase| phrase.split(' ').map(str::to_owned).collect()))
            .flat_map(|words| {
                let words = &words;
                (0..self.tokens.len())
                    .filter(|at| self.stands(*at, words))
                    .map(|at| at..at + words.len())
                    .collect::<Vec<_>>()
            })
            .collect();
        let between = |from: usize, to: usize| near.iter().any(|near| near.start >= from && near.end <= to);
        let mut targets: Vec<Target> = Vec::new();
        let mut last_end = 0;
        let mut nth = Some(nth);
        let count = mentions.len();
        for (index, (range, target)) in mentions.into_iter().enumerate() {
            let target = match target {
                Target::Kind { kind, near, .. } => Target::Kind { kind, near, nth: nth.take().unwrap_or(0) },
                other => other,
            };
            match targets.last_mut() {
                Some(Target::Kind { near: near @ None, .. })
                    if index > 0 && between(last_end, range.start) =>
                {
                    *near = Some(Box::new(target));
                }
                _ => targets.push(target),
            }
            last_end = range.end;
        }
        // "A cafe near there".
        if count == 1
            && let Some(Target::Kind { near: near @ None, .. }) = targets.first_mut()
            && (self.any(&[
                "near there",
                "close to there",
                "near it",
                "near that",
                "around there",
                "next to it",
                "nearby there",
            ]) || self
                .phrase(&["there".to_owned()])
                .is_some_and(|at| at.end == self.tokens.len() && at.start > 2))
        {
            *near = Some(Box::new(Target::Back(0)));
        }
        targets
    }
}

#[cfg(test)]
mod tests;
