//! Words to concepts: the longest phrase of the lexicon at each place, slips mended where no template knows the word.

use super::{
    Matcher,
    templates::{Concept, Templates},
    text::{Word, distance},
};

/// What a clause's words mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tagged {
    /// What each phrase may mean, in the order said: one of several readings ("lower": open, or down), or several at once
    /// ("rear window": a place and an object).
    pub(super) concepts: Vec<Vec<Concept>>,
    /// Numbers in the order said.
    pub(super) numbers: Vec<f64>,
    /// Words that are neither concept, number nor filler.
    pub(super) stray: Vec<String>,
}

impl Tagged {
    pub(super) fn has(&self, name: &str) -> bool {
        if name == "number" {
            return !self.numbers.is_empty();
        }
        self.concepts.iter().flatten().any(|concept| is(concept, name))
    }

    pub(super) fn value(&self, class: &str) -> Option<&str> {
        self.concepts.iter().flatten().rev().find(|(c, _)| c == class).map(|(_, value)| value.as_str())
    }

    pub(super) fn values<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a str> {
        self.concepts.iter().flatten().filter(move |(c, _)| c == class).map(|(_, value)| value.as_str())
    }

    /// The later part corrects the earlier: what both speak of is the later's.
    pub(super) fn corrected_by(mut self, later: Tagged) -> Tagged {
        self.concepts.retain(|group| !group.iter().any(|(class, _)| later.value(class).is_some()));
        if !later.numbers.is_empty() {
            self.numbers.clear();
        }
        self.concepts.extend(later.concepts);
        self.numbers.extend(later.numbers);
        self.stray.extend(later.stray);
        self
    }
}

/// Whether a concept is `class.value`, or of the class `name`.
pub(super) fn is((class, value): &Concept, name: &str) -> bool {
    match name.split_once('.') {
        Some((c, v)) => c == class && v == value,
        None => name == class,
    }
}

/// The words of the lexicon that a misheard word most likely is; none when it is a word that some template knows.
fn mended<'t>(templates: &'t Templates, word: &str) -> Vec<&'t str> {
    let length = word.chars().count();
    if length < 5 || templates.known.binary_search_by(|known| known.as_str().cmp(word)).is_ok() {
        return Vec::new();
    }
    let limit = if length >= 8 { 2 } else { 1 };
    let near = |known: &'t String| distance(word, known, limit).map(|edits| (edits, known.as_str()));
    let all: Vec<(usize, &str)> = templates.mendable.iter().filter_map(near).collect();
    let least = all.iter().map(|(edits, _)| *edits).min();
    all.into_iter().filter(|(edits, _)| Some(*edits) == least).map(|(_, known)| known).collect()
}

/// The longest phrase that begins here.
fn phrase<'t>(templates: &'t Templates, norms: &[&str]) -> Option<&'t (Vec<String>, Vec<Concept>)> {
    templates
        .phrases
        .get(*norms.first()?)?
        .iter()
        .find(|(phrase, _)| norms.len() >= phrase.len() && phrase.iter().zip(norms).all(|(a, b)| a == b))
}

/// Tags the words of a clause.
pub(super) fn tag(matcher: &Matcher, words: &[Word]) -> Tagged {
    let Matcher { templates, words: language, .. } = matcher;
    let mends: Vec<Vec<&str>> = words.iter().map(|word| mended(templates, &word.norm)).collect();
    let norms: Vec<&str> =
        words.iter().zip(&mends).map(|(word, mends)| mends.first().copied().unwrap_or(&word.norm)).collect();
    let mut tagged = Tagged::default();
    let mut at = 0;
    while at < words.len() {
        // "Auf drei": what is set, not what is opened.
        if language.before_numbers.iter().any(|word| word == norms[at])
            && words.get(at + 1).is_some_and(|next| next.number.is_some() && !next.after_break)
        {
            tagged.concepts.push(vec![("to".to_owned(), "value".to_owned())]);
            at += 1;
            continue;
        }
        let here = phrase(templates, &norms[at..]);
        // "The back window" is not "the back" and a window: an article gives way to a phrase that goes further.
        let article = language.is_article(norms[at]);
        let further = phrase(templates, norms.get(at + 1..).unwrap_or_default()).is_some_and(|(next, _)| {
            article && here.is_some_and(|(phrase, _)| next.len() + 1 > phrase.len())
        });
        match here {
            Some((phrase, concepts)) if !further => {
                let mut readings = concepts.clone();
                if phrase.len() == 1 {
                    // A slip may be of several words: each is a reading.
                    let others = mends[at].iter().skip(1).filter_map(|other| templates.single(other));
                    readings.extend(others.flatten().cloned());
                }
                tagged.concepts.push(readings);
                at += phrase.len();
            }
            _ => {
                if let Some(number) = words[at].number {
                    tagged.numbers.push(number);
                } else if let Some(concepts) = mends[at].iter().find_map(|mend| templates.single(mend)) {
                    tagged.concepts.push(concepts.to_vec());
                } else if !templates.filler.iter().any(|filler| filler == norms[at]) {
                    tagged.stray.push(norms[at].to_owned());
                }
                at += 1;
            }
        }
    }
    tagged
}
