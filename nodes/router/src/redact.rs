//! What is personal in text that leaves is replaced by placeholders, and put back in what returns.
//!
//! Found are e-mail addresses and phone numbers, written or spelt out; names that the vehicle knows, that follow a title or an
//! introduction; and, by policy, street addresses with a house number. Rather too much is replaced than too little: a date of eight
//! digits is taken for a phone number. Not found is a name that nobody told the vehicle and that nothing announces.

use std::{collections::BTreeMap, ops::Range};

use regex::Regex;

use crate::privacy::{Permit, whole_words};

/// What was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Personal {
    /// An e-mail address.
    Email,
    /// A phone number, or any other long run of digits.
    Phone,
    /// A street with a house number.
    Address,
    /// A name.
    Name,
    /// Words that look like a placeholder: replaced, so that they are not taken for one when they come back.
    Lookalike,
}

impl Personal {
    const fn label(self) -> &'static str {
        match self {
            Personal::Email => "EMAIL",
            Personal::Phone => "PHONE",
            Personal::Address => "ADDRESS",
            Personal::Name => "NAME",
            Personal::Lookalike => "TEXT",
        }
    }
}

/// Runs of fewer digits than this are times, distances, house numbers.
const PHONE_DIGITS: usize = 6;
/// A conversation that names more than this is replaced without a way back.
const MOST_ENTRIES: usize = 256;
/// A part of a name that is shorter is too common to be replaced by itself.
const SHORTEST_PART: usize = 3;

const EMAIL: &str = r"[\p{L}0-9._%+\-]+@[\p{L}0-9\-]+(?:\.[\p{L}0-9\-]+)*";
const SPELT_EMAIL: &str = r"(?i)\b[\p{L}0-9]+(?:\s+(?:dot|punkt|underscore|unterstrich|dash|hyphen|minus)\s+[\p{L}0-9]+)*\s+(?:at|ät)\s+[\p{L}0-9\-]+(?:\s+(?:dot|punkt)\s+[\p{L}]{2,})+\b";
const DIGITS: &str = r"(?i)(?:\+\s*|\bplus\s+)?(?:\(?\b(?:\d+|zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|null|eins|zwo|zwei|drei|vier|fünf|sechs|sieben|acht|neun)\b\)?[\s.,/()\-]*)+";
/// Of words that mean a street and little else, in any case; and of words that mean other things too ("a two hour drive") as a name.
const STREET_AFTER: &str = r"(?i)\b[0-9]+\s?[a-z]?,?\s+(?:[\p{L}'.\-]+\s+){1,3}(?:street|st|road|rd|avenue|ave|lane|ln|boulevard|blvd)\b\.?";
const NAMED_STREET_AFTER: &str = r"\b[0-9]+\s?[a-zA-Z]?,?\s+(?:\p{Lu}[\p{L}'.\-]*\s+){1,3}(?:Drive|Square|Way|Court|Close|Terrace|Crescent|Place)\b";
const STREET_BEFORE: &str = r"(?i)\b(?:(?:[\p{L}'.\-]+\s+){1,3}(?:street|road|avenue|lane|drive|boulevard|square|way|court)|[\p{L}\-]*(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|ufer|damm|gata|vej|gade))\s+(?:number\s+|nummer\s+)?[0-9]+\s?[a-z]?\b";
/// A number before one of these is how far or how long, and no house.
const MEASURE: &str = r"(?i)^\s*(?:km|m|mi|kilomet(?:er|re)s?|met(?:er|re)s?|miles?|min|minutes?|minuten?|hours?|stunden?|h|euros?|percent|prozent|%|°|degrees?)(?:\b|$)";
const TITLED: &str = r"\b(?i:mr|mrs|ms|miss|mister|dr|doctor|prof|professor|herr|herrn|frau)\b\.?\s+[\p{L}][\p{L}'\-]+(?:\s+\p{Lu}[\p{L}'\-]+)*";
const INTRODUCED: &str = r"\b(?i:my name is|i am called|call me|ich heiße|ich heisse|mein name ist)\s+([\p{L}][\p{L}'\-]+(?:\s+\p{Lu}[\p{L}'\-]+)*)";
const LOOKALIKE: &str = r"(?i)\[(?:EMAIL|PHONE|ADDRESS|NAME|TEXT)_[0-9]+\]";

/// Finds what is personal.
#[derive(Debug, Clone)]
pub struct Redactor {
    names: Option<Regex>,
    patterns: Vec<(Personal, Regex)>,
    digits: Regex,
    introduced: Regex,
    measure: Regex,
}

/// Names that cannot be looked for: too many of them (some 100,000).
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "the names cannot be looked for: {0}; hand over fewer, for example those of the driver's own contacts"
)]
pub struct TooManyNames(#[from] regex::Error);

impl Redactor {
    /// That knows these names, whole and by their parts. `addresses`: street addresses are replaced too.
    ///
    /// # Errors
    /// More names than make a pattern.
    pub fn new<S: AsRef<str>>(names: &[S], addresses: bool) -> Result<Redactor, TooManyNames> {
        let mut all: Vec<&str> = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            all.push(name);
            all.extend(name.split_whitespace().filter(|part| part.chars().count() >= SHORTEST_PART));
        }
        let mut patterns = vec![
            (Personal::Email, EMAIL),
            (Personal::Email, SPELT_EMAIL),
            (Personal::Name, TITLED),
            (Personal::Lookalike, LOOKALIKE),
        ];
        if addresses {
            let streets = [STREET_AFTER, NAMED_STREET_AFTER, STREET_BEFORE];
            patterns.extend(streets.map(|street| (Personal::Address, street)));
        }
        let compiled: Result<Vec<_>, regex::Error> =
            patterns.into_iter().map(|(kind, pattern)| Ok((kind, Regex::new(pattern)?))).collect();
        let all: Vec<String> = all.into_iter().flat_map(spellings).collect();
        Ok(Redactor {
            names: whole_words(&all)?,
            patterns: compiled?,
            digits: Regex::new(DIGITS)?,
            introduced: Regex::new(INTRODUCED)?,
            measure: Regex::new(MEASURE)?,
        })
    }

    /// The text with placeholders. The vault learns what they stand for; the same words have the same placeholder in a conversation.
    pub fn redact(&self, vault: &mut Vault, text: &str) -> String {
        troika_safety::fulfils![SR_RTE_002];
        let mut redacted = String::with_capacity(text.len());
        let mut from = 0;
        for (range, kind) in self.find(text) {
            redacted.push_str(&text[from..range.start]);
            redacted.push_str(&vault.placeholder(kind, &text[range.clone()], text));
            from = range.end;
        }
        redacted.push_str(&text[from..]);
        redacted
    }

    /// What is personal in a text, in order and apart. Where two things overlap, all of both is taken, as the longer one.
    pub fn find(&self, text: &str) -> Vec<(Range<usize>, Personal)> {
        let mut found: Vec<(Range<usize>, Personal)> = Vec::new();
        for (kind, pattern) in &self.patterns {
            let hits = pattern.find_iter(text).map(|hit| (hit.range(), *kind));
            found.extend(
                hits.filter(|(range, kind)| *kind != Personal::Address || !self.measures(text, range)),
            );
        }
        found.extend(
            self.names
                .iter()
                .flat_map(|names| names.find_iter(text))
                .map(|hit| (hit.range(), Personal::Name)),
        );
        let introduced = self.introduced.captures_iter(text).filter_map(|hit| hit.get(1));
        found.extend(introduced.map(|name| (name.range(), Personal::Name)));
        for run in self.digits.find_iter(text) {
            if digits_in(run.as_str()) >= PHONE_DIGITS {
                let end = run.as_str().trim_end_matches(|c: char| !c.is_alphanumeric()).len();
                found.push((run.start()..run.start() + end, Personal::Phone));
            }
        }
        found.retain(|(range, _)| !range.is_empty());
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut apart: Vec<(Range<usize>, Personal)> = Vec::new();
        for (range, kind) in found {
            match apart.last_mut() {
                Some((last, last_kind)) if range.start < last.end => {
                    if range.len() > last.len() {
                        *last_kind = kind;
                    }
                    last.end = last.end.max(range.end);
                }
                _ => apart.push((range, kind)),
            }
        }
        apart
    }
}

impl Redactor {
    /// Whether the number of what looks like an address is one of kilometres, minutes or the like.
    fn measures(&self, text: &str, range: &Range<usize>) -> bool {
        let found = &text[range.clone()];
        let after_number = found.trim_start_matches(|c: char| c.is_ascii_digit());
        let leads = after_number.len() < found.len();
        self.measure.is_match(if leads { after_number } else { &text[range.end..] })
    }
}

/// A name as it may be written: as it is, with its genitive, and without the signs that not every recogniser writes.
fn spellings(name: &str) -> Vec<String> {
    let without = |name: &str, of: fn(char) -> Option<&'static str>| {
        name.chars().fold(String::new(), |mut made, c| {
            match of(c) {
                Some(plain) => made.push_str(plain),
                None => made.push(c),
            }
            made
        })
    };
    // What is found is found in any case: the sign of a capital is the one of its small letter.
    let written_out = |c| match small(c) {
        'ä' => Some("ae"),
        'ö' => Some("oe"),
        'ü' => Some("ue"),
        'ß' => Some("ss"),
        _ => None,
    };
    let bare = |c| match small(c) {
        'ä' | 'á' | 'à' | 'â' | 'ã' | 'å' => Some("a"),
        'ö' | 'ó' | 'ò' | 'ô' | 'õ' | 'ø' => Some("o"),
        'ü' | 'ú' | 'ù' | 'û' => Some("u"),
        'é' | 'è' | 'ê' | 'ë' => Some("e"),
        'í' | 'ì' | 'î' | 'ï' | 'ı' => Some("i"),
        'ç' | 'č' | 'ć' => Some("c"),
        'ğ' => Some("g"),
        'ñ' => Some("n"),
        'ş' | 'š' => Some("s"),
        'ß' => Some("ss"),
        'ž' | 'ż' | 'ź' => Some("z"),
        _ => None,
    };
    let mut all = vec![name.to_owned(), without(name, written_out), without(name, bare)];
    all.dedup();
    let genitives: Vec<String> = all.iter().map(|one| format!("{one}s")).collect();
    all.extend(genitives);
    all
}

/// A letter in lower case; of what is two letters there (`İ` is an i and a dot) the plain one with a sign.
fn small(c: char) -> char {
    if c == 'İ' { 'ı' } else { c.to_lowercase().next().unwrap_or(c) }
}

/// Of a run of figures and of words for them.
fn digits_in(run: &str) -> usize {
    let parts = run
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty() && !part.eq_ignore_ascii_case("plus"));
    parts.map(|part| if part.chars().all(char::is_numeric) { part.chars().count() } else { 1 }).sum()
}

/// What the placeholders of a conversation stand for. It stays in the vehicle.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    /// Words in lower case, to their placeholder.
    known: BTreeMap<(Personal, String), usize>,
    /// Placeholder and what it stands for.
    entries: Vec<(String, String)>,
}

impl Vault {
    /// Empty: the begin of a conversation.
    pub fn new() -> Vault {
        Vault::default()
    }

    /// Things that were replaced.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn placeholder(&mut self, kind: Personal, words: &str, text: &str) -> String {
        // As they were said: what comes back is to read as it was.
        let key = (kind, words.to_owned());
        if let Some(at) = self.known.get(&key) {
            return self.entries[*at].0.clone();
        }
        if self.entries.len() >= MOST_ENTRIES {
            return format!("[{}]", kind.label());
        }
        let taken = |name: &str| self.entries.iter().any(|(other, _)| other == name) || text.contains(name);
        let made = (1..).map(|n| format!("[{}_{n}]", kind.label())).find(|name| !taken(name));
        // An endless sequence has one that is free.
        let made = made.unwrap_or_else(|| format!("[{}]", kind.label()));
        self.known.insert(key, self.entries.len());
        self.entries.push((made.clone(), words.to_owned()));
        made
    }
}

/// What may be sent: words that were permitted to leave, redacted. There is no other way to make one, and no image in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound(String);

impl Outbound {
    /// Of words that may leave.
    pub fn of(permit: Permit<'_>, redactor: &Redactor, vault: &mut Vault) -> Outbound {
        Outbound(redactor.redact(vault, permit.words()))
    }

    /// What is sent.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Puts back what placeholders stand for, in text that comes in pieces. Held back is only what may yet become a placeholder that there
/// is: a few bytes, and none of ordinary text.
#[derive(Debug, Clone)]
pub struct Restorer {
    entries: Vec<(String, String)>,
    held: String,
}

impl Restorer {
    /// For the answer to what was redacted with this vault.
    pub fn new(vault: &Vault) -> Restorer {
        Restorer { entries: vault.entries.clone(), held: String::new() }
    }

    /// One more piece; gives what can be said.
    pub fn push(&mut self, piece: &str) -> String {
        troika_safety::fulfils![SR_RTE_002];
        let text = std::mem::take(&mut self.held) + piece;
        let mut said = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find('[') {
            said.push_str(&rest[..at]);
            rest = &rest[at..];
            let whole = self.entries.iter().find(|(name, _)| starts_with(rest, name));
            if let Some((name, words)) = whole {
                said.push_str(words);
                rest = &rest[name.len()..];
            } else if self.entries.iter().any(|(name, _)| starts_with(name, rest)) {
                self.held = rest.to_owned();
                return said;
            } else {
                said.push('[');
                rest = &rest[1..];
            }
        }
        said.push_str(rest);
        said
    }

    /// The answer is over: what was still held, which is the begin of a placeholder or text that looks like one.
    pub fn finish(self) -> String {
        self.held
    }
}

/// Models change the case of what they copy.
fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests;
