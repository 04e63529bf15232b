//! The words of a question, each put to what it says: a place, a kind of place, what is wanted, what it goes back to.

use std::{collections::BTreeSet, ops::Range};

use strsim::damerau_levenshtein;

use crate::{
    town::{Kind, Town},
    words::{Phrase, Words},
};

use super::Want;

/// Words of a question at most; more is no question about the way.
const MOST_WORDS: usize = 40;
/// Letters from which on one may be wrong, added, lacking or exchanged; and two.
const ONE_WRONG: usize = 5;
const TWO_WRONG: usize = 9;

/// A place or a kind, and where in the question it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention<T> {
    pub(super) at: Range<usize>,
    pub(super) what: T,
}

/// What a search is near to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Near {
    /// The vehicle.
    Here,
    /// What was named before.
    Back,
    /// The place of this number.
    Place(usize),
    /// The place of this kind.
    Kind(Kind),
    /// Something that is not on the map.
    Unknown(String),
}

/// What of the places before is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Earlier {
    /// The one that was named.
    Named,
    /// The one after it.
    Next,
    /// The one at this place of the list, from 0.
    Nth(usize),
    /// The last.
    Last,
}

/// A question, understood word for word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) want: Option<Want>,
    /// Places by their numbers in the map.
    pub(super) places: Vec<usize>,
    pub(super) kinds: Vec<Kind>,
    /// One of the kind will do.
    pub(super) any_one: bool,
    /// The kind is where somebody goes to: "and to the airport?"
    pub(super) to_it: bool,
    pub(super) near: Option<Near>,
    pub(super) earlier: Option<Earlier>,
    /// "and …", "what about …".
    pub(super) also: bool,
    /// Somewhere to go that is not on the map.
    pub(super) unknown: Option<String>,
}

/// The names of a map's places, as they are compared: made once.
#[derive(Debug, Clone)]
pub(super) struct Names {
    places: Vec<PlaceNames>,
    /// Words that say nothing of their own.
    filler: BTreeSet<String>,
    town: Vec<String>,
}

#[derive(Debug, Clone)]
struct PlaceNames {
    /// Its name and what else it is called.
    whole: Vec<Vec<String>>,
    /// The words of its name that say something.
    content: Vec<String>,
    /// Those that are no kind of place ("cafe").
    own: Vec<OwnWord>,
    /// Its own words are a street's name too.
    street: bool,
}

#[derive(Debug, Clone)]
struct OwnWord {
    word: String,
    /// No other place and no street has it.
    single: bool,
    /// People say it without meaning the place.
    common: bool,
}

impl Names {
    pub(super) fn new(words: &Words, town: &Town) -> Names {
        let one = |phrase: &Phrase| if let [word] = phrase.words() { Some(word.clone()) } else { None };
        let filler: BTreeSet<String> = words.understand.filler.iter().filter_map(one).collect();
        let kinds: BTreeSet<String> =
            words.kinds.values().flat_map(|kind| &kind.words).filter_map(one).collect();
        let streets: Vec<Vec<String>> = town.streets().iter().map(|street| words.heard(street)).collect();
        let whole: Vec<Vec<Vec<String>>> = town
            .places()
            .iter()
            .map(|place| {
                std::iter::once(&place.name).chain(&place.spoken).map(|name| words.heard(name)).collect()
            })
            .collect();
        let single = |at: usize, word: &String| {
            let others =
                whole.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(_, names)| names);
            !others.chain(&streets).any(|name| name.contains(word))
        };
        let places = whole.iter().enumerate().map(|(at, names)| {
            let name = names.first().cloned().unwrap_or_default();
            let content: Vec<String> = name.into_iter().filter(|word| !filler.contains(word)).collect();
            let own: Vec<String> = content.iter().filter(|word| !kinds.contains(*word)).cloned().collect();
            let street = streets.contains(&own);
            let own = own.into_iter().map(|word| OwnWord {
                single: single(at, &word),
                common: words.understand.common.contains(&word),
                word,
            });
            PlaceNames { whole: names.clone(), content, own: own.collect(), street }
        });
        Names { places: places.collect(), town: words.heard(town.name()), filler }
    }
}

struct Reader<'a> {
    words: &'a Words,
    names: &'a Names,
    tokens: Vec<String>,
    used: Vec<bool>,
}

impl Heard {
    /// Reads a question. None where a word of it is not understood, and is not the name of a place to go to either.
    pub(super) fn read(words: &Words, names: &Names, question: &str) -> Option<Heard> {
        let tokens = words.heard(question);
        if tokens.is_empty() || tokens.len() > MOST_WORDS {
            return None;
        }
        let used = vec![false; tokens.len()];
        let mut reader = Reader { words, names, tokens, used };
        let understand = &words.understand;
        if reader.anywhere(&understand.beyond).is_some() {
            return None;
        }
        let named = reader.places();
        let kinds = reader.kinds();
        let mut near = reader.near(&named, &kinds);
        let far = reader.take_all(&understand.how_far);
        let long = reader.take_all(&understand.how_long);
        let when = reader.take_all(&understand.when);
        let route = reader.take_all(&understand.route);
        let next = reader.take_all(&understand.next_one);
        let last = reader.take_all(&understand.last_one);
        let nth = understand.nth.iter().position(|phrases| reader.take_all(phrases));
        let find = reader.take_all(&understand.find);
        let also = reader.take_all(&understand.also);
        if near.is_none() && !kinds.is_empty() && reader.take_all(&understand.near_back) {
            near = Some((0..0, Near::Back));
        }
        let back = reader.take_all(&understand.back);
        let want = [
            (far, Want::HowFar),
            (long, Want::HowLong),
            (when, Want::When),
            (route, Want::Route),
            (find, Want::Find),
        ]
        .into_iter()
        .find_map(|(there, want)| there.then_some(want));
        let is_near = |at: &Range<usize>| near.as_ref().is_some_and(|(range, _)| *range == *at);
        let any_one = kinds.iter().any(|kind| !is_near(&kind.at) && reader.any_one(kind.at.start));
        let to_it =
            kinds.iter().any(|kind| !is_near(&kind.at) && reader.is_behind(&understand.to, kind.at.start));
        let places: Vec<usize> =
            named.iter().filter(|place| !is_near(&place.at)).map(|place| place.what).collect();
        let mut of_kinds: Vec<Kind> =
            kinds.iter().filter(|kind| !is_near(&kind.at)).map(|kind| kind.what).collect();
        of_kinds.sort_unstable();
        of_kinds.dedup();
        reader.filler();
        let unknown = match reader.rest()? {
            Rest::Nothing => None,
            Rest::Run(run) if reader.follows_near(&run) && !of_kinds.is_empty() && near.is_none() => {
                near = Some((run.clone(), Near::Unknown(reader.tokens[run].join(" "))));
                None
            }
            Rest::Run(run) if places.is_empty() && of_kinds.is_empty() && reader.goes_to(&run, want) => {
                Some(reader.tokens[run].join(" "))
            }
            Rest::Run(_) => return None,
        };
        let earlier = if next {
            Some(Earlier::Next)
        } else if last {
            Some(Earlier::Last)
        } else if let Some(nth) = nth {
            Some(Earlier::Nth(nth))
        } else {
            back.then_some(Earlier::Named)
        };
        let near = near.map(|(_, near)| near);
        Some(Heard { want, places, kinds: of_kinds, any_one, to_it, near, earlier, also, unknown })
    }
}

/// The place, and the kind of place, that stand first in a question, whatever else is in it.
pub(super) fn named(words: &Words, names: &Names, question: &str) -> (Option<usize>, Option<Kind>) {
    let mut tokens = words.heard(question);
    tokens.truncate(MOST_WORDS);
    let used = vec![false; tokens.len()];
    let mut reader = Reader { words, names, tokens, used };
    let place = reader.places().into_iter().min_by_key(|place| place.at.start);
    let kind = reader.kinds().into_iter().min_by_key(|kind| kind.at.start);
    (place.map(|place| place.what), kind.map(|kind| kind.what))
}

enum Rest {
    Nothing,
    Run(Range<usize>),
}

impl Reader<'_> {
    fn stands(&self, at: usize, phrase: &[String]) -> bool {
        self.tokens.get(at..at + phrase.len()).is_some_and(|there| there == phrase)
    }

    fn free(&self, range: Range<usize>) -> bool {
        self.used[range].iter().all(|used| !used)
    }

    fn mark(&mut self, range: Range<usize>) {
        self.used[range].fill(true);
    }

    /// The longest of these phrases that stands anywhere, in words of no other meaning yet.
    fn anywhere(&self, phrases: &[Phrase]) -> Option<Range<usize>> {
        let all = phrases.iter().flat_map(|phrase| {
            let words = phrase.words();
            (0..self.tokens.len()).filter(|at| self.stands(*at, words)).map(|at| at..at + words.len())
        });
        all.filter(|range| self.free(range.clone()))
            .max_by_key(|range| (range.len(), usize::MAX - range.start))
    }

    fn take_all(&mut self, phrases: &[Phrase]) -> bool {
        let mut there = false;
        while let Some(range) = self.anywhere(phrases) {
            self.mark(range);
            there = true;
        }
        there
    }

    fn kinds(&mut self) -> Vec<Mention<Kind>> {
        let mut found = Vec::new();
        loop {
            let ranges = self
                .words
                .kinds
                .iter()
                .filter_map(|(kind, words)| Some((*kind, self.anywhere(&words.words)?)));
            let Some((what, at)) = ranges.max_by_key(|(_, range)| range.len()) else { break };
            self.mark(at.clone());
            found.push(Mention { at, what });
        }
        found
    }

    /// Whether one of the kind that stands here will do.
    fn any_one(&self, start: usize) -> bool {
        let phrases = self.words.understand.any_one.iter().map(Phrase::words);
        phrases.into_iter().any(|phrase| start >= phrase.len() && self.stands(start - phrase.len(), phrase))
    }

    /// Where the next word stands behind articles.
    fn behind_articles(&self, mut at: usize) -> usize {
        const ARTICLE: usize = 3;
        let article = |word: &String| word.len() <= ARTICLE && self.names.filler.contains(word);
        while self.tokens.get(at).is_some_and(article) {
            at += 1;
        }
        at
    }

    fn near(&mut self, places: &[Mention<usize>], kinds: &[Mention<Kind>]) -> Option<(Range<usize>, Near)> {
        let understand = &self.words.understand;
        for (phrases, strong) in [(&understand.near, true), (&understand.near_too, false)] {
            let Some(word) = self.anywhere(phrases) else { continue };
            // "When would I be at the museum?" looks for nothing.
            if !strong && !kinds.iter().any(|kind| kind.at.start < word.start) {
                continue;
            }
            let next = self.behind_articles(word.end);
            let place = places.iter().find(|place| place.at.start == next);
            let kind = kinds.iter().find(|kind| kind.at.start == next);
            let at = |phrases: &[Phrase]| {
                let longest = phrases.iter().filter(|phrase| self.stands(word.end, phrase.words()));
                longest.map(|phrase| word.end..word.end + phrase.words().len()).max_by_key(Range::len)
            };
            let near = if let Some(place) = place {
                Some((place.at.clone(), Near::Place(place.what)))
            } else if let Some(kind) = kind {
                Some((kind.at.clone(), Near::Kind(kind.what)))
            } else if let (true, Some(here)) = (strong, at(&understand.here)) {
                Some((here, Near::Here))
            } else if let (true, Some(back)) = (strong, at(&understand.back)) {
                Some((back, Near::Back))
            } else {
                None
            };
            if let Some((at, near)) = near {
                self.mark(word.start..at.end);
                return Some((at, near));
            }
        }
        None
    }

    /// Whether these words stand behind "near".
    fn follows_near(&self, run: &Range<usize>) -> bool {
        let near = self.anywhere_used(&self.words.understand.near);
        near.is_some_and(|near| self.behind_articles(near.end) == run.start)
    }

    /// As [`Reader::anywhere`], whatever the words mean.
    fn anywhere_used(&self, phrases: &[Phrase]) -> Option<Range<usize>> {
        let all = phrases.iter().flat_map(|phrase| {
            let words = phrase.words();
            (0..self.tokens.len()).filter(|at| self.stands(*at, words)).map(|at| at..at + words.len())
        });
        all.max_by_key(Range::len)
    }

    /// Whether one of these phrases stands before this word, with articles between.
    fn is_behind(&self, phrases: &[Phrase], start: usize) -> bool {
        phrases.iter().any(|phrase| {
            let words = phrase.words();
            (0..start).any(|at| self.stands(at, words) && self.behind_articles(at + words.len()) == start)
        })
    }

    /// Whether these words are where somebody wants to go: they stand behind "to", or a way is asked for.
    fn goes_to(&self, run: &Range<usize>, want: Option<Want>) -> bool {
        let words = &self.words.understand;
        let to = self.is_behind(&words.to, run.start);
        match want {
            Some(Want::Route) => to || self.is_behind(&words.route, run.start),
            Some(Want::HowFar) => to,
            // "To boil an egg" is no place; "to get to" is said of one.
            Some(Want::HowLong | Want::When) => words
                .to
                .iter()
                .any(|to| to.words().len() > 1 && self.is_behind(std::slice::from_ref(to), run.start)),
            Some(Want::Find) | None => false,
        }
    }

    fn filler(&mut self) {
        let (words, names) = (self.words, self.names);
        for name in &names.town {
            let inside = |at: &usize| self.tokens[*at] == *name && *at > 0 && self.tokens[at - 1] == "in";
            if let Some(at) = (0..self.tokens.len()).find(inside) {
                self.mark(at..at + 1);
            }
        }
        self.take_all(&words.understand.filler);
        for phrase in words.understand.near.iter().chain(&words.understand.to) {
            while let Some(range) = self.anywhere(std::slice::from_ref(phrase)) {
                self.mark(range);
            }
        }
    }

    /// What is not understood: nothing, words that stand together, or, in two places, None.
    fn rest(&self) -> Option<Rest> {
        const LONGEST_NAME: usize = 4;
        let open: Vec<usize> = (0..self.used.len()).filter(|at| !self.used[*at]).collect();
        let (Some(first), Some(last)) = (open.first(), open.last()) else { return Some(Rest::Nothing) };
        let together = last - first + 1 == open.len() && open.len() <= LONGEST_NAME;
        together.then(|| Rest::Run(*first..last + 1))
    }

    /// Every place that is named, the longest names first.
    fn places(&mut self) -> Vec<Mention<usize>> {
        let mut found = Vec::new();
        while let Some(mention) = self.whole_name().or_else(|| self.part_of_a_name()) {
            self.mark(mention.at.clone());
            found.push(mention);
        }
        found
    }

    fn whole_name(&self) -> Option<Mention<usize>> {
        let mut best: Option<(usize, usize, Mention<usize>)> = None;
        for (what, place) in self.names.places.iter().enumerate() {
            for name in &place.whole {
                for start in 0..(self.tokens.len() + 1).saturating_sub(name.len()) {
                    let at = start..start + name.len();
                    let pairs = || self.tokens[at.clone()].iter().zip(name);
                    let wrong = pairs().filter(|(said, word)| said != word).count();
                    // One word may be misspelt where another is not.
                    let fits = wrong == 0
                        || (wrong == 1 && name.len() > 1 && pairs().all(|(said, word)| alike(said, word)));
                    let better =
                        best.as_ref().is_none_or(|(len, errors, _)| (name.len(), *errors) > (*len, wrong));
                    if fits && better && self.free(at.clone()) {
                        best = Some((name.len(), wrong, Mention { at, what }));
                    }
                }
            }
        }
        best.map(|(_, _, mention)| mention)
    }

    /// A part of a name that no other place and no street has, and at least half of its words: "the Lucia", "Greenfield".
    fn part_of_a_name(&self) -> Option<Mention<usize>> {
        let mut best: Option<(usize, Mention<usize>)> = None;
        for (what, place) in self.names.places.iter().enumerate() {
            for start in 0..self.tokens.len() {
                for end in start + 1..=self.tokens.len().min(start + place.content.len() + 1) {
                    let enough = self.free(start..end) && self.names_it(place, &self.tokens[start..end]);
                    if enough && best.as_ref().is_none_or(|(len, _)| end - start > *len) {
                        best = Some((end - start, Mention { at: start..end, what }));
                    }
                }
            }
        }
        best.map(|(_, mention)| mention)
    }

    fn names_it(&self, place: &PlaceNames, said: &[String]) -> bool {
        let known = |word: &String| place.content.iter().any(|of| alike(word, of));
        let bounded = said.first().is_some_and(known) && said.last().is_some_and(known);
        if !bounded || !said.iter().all(|word| known(word) || self.names.filler.contains(word)) {
            return false;
        }
        let is_said = |of: &String| said.iter().any(|word| alike(word, of));
        let own: Vec<&OwnWord> = place.own.iter().filter(|own| is_said(&own.word)).collect();
        let half = !own.is_empty() && own.len() * 2 >= place.own.len();
        let telling = own.iter().any(|own| own.single && !own.common);
        // Words that are each common are a name together: "the old mill".
        let all = own.len() == place.own.len() && !place.street;
        let together = own.len() >= 2 && (all || own.iter().any(|own| own.single));
        let whole = place.content.len() > 1 && place.content.iter().all(is_said);
        whole || (half && (telling || together))
    }
}

/// Whether a recogniser may have written the one for the other; the first sound is heard.
pub(super) fn alike(said: &str, word: &str) -> bool {
    if said == word {
        return true;
    }
    let wrong = match word.len() {
        TWO_WRONG.. => 2,
        ONE_WRONG.. => 1,
        _ => return false,
    };
    said.chars().next() == word.chars().next()
        && said.len().abs_diff(word.len()) <= wrong
        && damerau_levenshtein(said, word) <= wrong
}
