//! The end of an answer that broke off.

use crate::{
    sentences::Sentences,
    told::Told,
    town::Turn,
    words::{Phrase, Slot, Words},
};

mod anew;

use super::{
    Voice, phrase,
    scan::{Item, Results, Scan, ToldOf, is_street_next, plain, scan},
    usual, whole_words,
};

/// What finishes an answer that broke off after `so_far`: its open sentence, where there is a way to end it, then what the results hold and
/// was not said yet. It goes behind [`whole_words`] of `so_far`, and is empty where all was said. No fact is said again that was said, by
/// whoever.
///
/// Due are: of places, the first one's name, street and distance, and the others' names; of a way, its length and the streets from the
/// last that was named on; of an arrival, how long and when. `brief`: less of it. Without results, an open sentence is left with
/// a word that the connection was lost.
pub fn continue_from(words: &Words, so_far: &str, told: &[Told], brief: bool) -> String {
    let stands = whole_words(so_far);
    if stands.trim().is_empty() {
        return phrase(words, usual(told), told, brief);
    }
    let results = Results::of(told);
    let scan = scan(words, &results, stands);
    let mut end = Ending { voice: Voice { words, brief }, results, scan, out: String::new(), counted: 0 };
    end.counted = end.results.subjects.len();
    let open = open_sentence(stands);
    if !open.trim().is_empty() {
        end.finish(&open);
    }
    end.rest();
    end.out
}

/// Whether a text has begun to tell what the results hold: it names a place of them, or a street.
pub fn tells_of(words: &Words, text: &str, told: &[Told]) -> bool {
    let scan = scan(words, &Results::of(told), whole_words(text));
    scan.items.iter().any(|(_, item)| matches!(item, Item::Name(_) | Item::Street | Item::Leg))
}

/// The last sentence, where it has no end.
fn open_sentence(text: &str) -> String {
    let mut sentences = Sentences::default();
    sentences.push(text);
    while sentences.whole().is_some() {}
    let open = sentences.rest();
    // A number with a full stop behind it waits for its next sentence there; here none comes.
    if open.trim_end().ends_with(['.', '!', '?', '…']) { String::new() } else { open }
}

struct Ending<'a> {
    voice: Voice<'a>,
    results: Results,
    scan: Scan,
    out: String,
    counted: usize,
}

/// What of a place is due and not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Due {
    street: bool,
    km: bool,
    minutes: bool,
    arrival: bool,
}

impl Due {
    fn any(self) -> bool {
        self.street || self.km || self.minutes
    }

    fn tell(self, told: &mut ToldOf) {
        told.street |= self.street;
        told.km |= self.km;
        told.minutes |= self.minutes;
    }
}

/// How a place is named that lengths and times are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whence {
    /// "there": within the sentence that it was named in.
    There,
    /// By its name: other places may have been named since.
    Name,
}

impl Ending<'_> {
    fn words(&self) -> &Words {
        self.voice.words
    }

    /// What can still be said of a place.
    fn unsaid(&self, subject: usize) -> Due {
        let (of, told) = (&self.results.subjects[subject], self.scan.told[subject]);
        let somewhere = of.minutes > 0;
        Due {
            street: of.street.is_some() && !told.street,
            km: somewhere && !told.km,
            minutes: somewhere && !told.minutes,
            arrival: of.arrival.is_some() && !told.arrival,
        }
    }

    /// Whether it is one that is asked for: by its name, or as the first of what was found. Who asks for the way to one that was found asks
    /// for that one.
    fn wanted(&self, subject: usize) -> bool {
        let all = &self.results.subjects;
        let list = all[subject].list;
        let asked_of = |list| all.iter().any(|one| one.asked && one.list == list);
        let first = list.is_some() && all.iter().position(|one| one.list == list) == Some(subject);
        all[subject].asked || (first && !asked_of(list))
    }

    /// What must be said of it.
    fn due(&self, subject: usize) -> Due {
        let unsaid = self.unsaid(subject);
        let of = &self.results.subjects[subject];
        let brief = self.voice.brief;
        if !self.wanted(subject) {
            return Due::default();
        }
        // An arrival is asked for as a time: its length is not due where its minutes were said.
        let km = unsaid.km && !brief && (of.arrival.is_none() || unsaid.minutes);
        Due { street: unsaid.street && !brief, km, ..unsaid }
    }

    /// "on Mill Lane, 1.5 kilometres away, about 4 minutes by car".
    fn facts_of(&self, subject: usize, due: Due, from: Whence) -> String {
        let go_on = &self.voice.words.go_on;
        let of = &self.results.subjects[subject];
        let mut parts = Vec::new();
        if due.street {
            parts.push(
                self.voice.fill(&go_on.street, &[(Slot::Street, of.street.as_deref().unwrap_or_default())]),
            );
        }
        if due.km {
            let (template, place) = match (&of.from, from) {
                (None, _) => (&go_on.km, ""),
                (Some(_), Whence::There) => (&go_on.km_there, ""),
                (Some(place), Whence::Name) => (&go_on.km_from, place.as_str()),
            };
            parts.push(self.voice.fill(template, &[(Slot::Km, &self.voice.km(of.km)), (Slot::Name, place)]));
        }
        if due.minutes {
            // Behind the length it is from where that is from.
            let (template, place) = match (&of.from, from) {
                (Some(_), Whence::There) if !due.km => (&go_on.minutes_there, ""),
                (Some(place), Whence::Name) if !due.km => (&go_on.minutes_from, place.as_str()),
                _ => (&go_on.minutes, ""),
            };
            let minutes = self.voice.minutes(of.minutes);
            parts.push(self.voice.fill(template, &[(Slot::Minutes, &minutes), (Slot::Name, place)]));
        }
        parts.join(&self.voice.words.say.comma)
    }

    /// The same, and it is said.
    fn facts(&mut self, subject: usize, due: Due, from: Whence) -> String {
        due.tell(&mut self.scan.told[subject]);
        self.facts_of(subject, due, from)
    }

    fn arrival(&mut self, subject: usize) -> String {
        self.scan.told[subject].arrival = true;
        self.results.subjects[subject].arrival.clone().unwrap_or_default()
    }

    /// The names of found places that were not named.
    fn unnamed(&self) -> Vec<usize> {
        let all = 0..self.results.subjects.len();
        all.filter(|at| self.results.subjects[*at].found && !self.scan.told[*at].name).collect()
    }

    /// The place that the open sentence is of.
    fn subject(&self) -> Option<usize> {
        self.scan.current.or((self.counted == 1).then_some(0))
    }

    fn add(&mut self, sentence: &str) {
        if sentence.is_empty() {
            return;
        }
        if !self.out.is_empty() && !self.out.ends_with(' ') {
            self.out.push(' ');
        }
        self.out.push_str(sentence);
    }

    /// Ends the open sentence.
    fn finish(&mut self, open: &str) {
        let all = self.scan.words.len();
        let begin = all - super::scan::split(open).len().min(all);
        let tail: Vec<String> = self.scan.words[begin..].iter().map(|word| word.plain.clone()).collect();
        let end = self
            .half_a_name(begin, &tail)
            .or_else(|| self.number_alone())
            .or_else(|| self.by_its_last_words(begin, &tail))
            .or_else(|| self.behind_a_fact(begin, open))
            .or_else(|| self.usual(&tail));
        match end {
            Some(end) => self.out.push_str(&end),
            None if self.counted == 0 && self.results.legs.is_empty() => {
                self.out.push_str(&self.voice.words.go_on.lost);
            }
            None => self.out.push_str(&self.voice.words.go_on.broken_off),
        }
    }

    /// "The nearest is Old Mill" is finished with "Cafe", and what is to be said of it.
    fn half_a_name(&mut self, begin: usize, tail: &[String]) -> Option<String> {
        // The end of a name that is whole is half of no other: "Brellin Airport" of no "Airport Road".
        let whole = self.scan.items.last().filter(|(at, item)| {
            at.end == self.scan.words.len() && matches!(item, Item::Name(_) | Item::Street | Item::Leg)
        });
        let whole = whole.map_or(0, |(at, _)| at.len());
        let after_street =
            |len: usize| is_street_next(self.words(), &self.scan.words[..begin + tail.len() - len]);
        let mut best: Option<(usize, bool, String, Option<usize>)> = None;
        let unnamed = self.results.subjects.iter().enumerate().filter(|(at, _)| !self.scan.told[*at].name);
        let names = unnamed.map(|(at, subject)| (subject.name.as_str(), Some(at)));
        let leg = self.results.legs.get(self.scan.legs).map(|leg| leg.street.as_str());
        let street = self.subject().filter(|at| !self.scan.told[*at].street);
        let street = street.and_then(|at| self.results.subjects[at].street.as_deref());
        for (name, subject) in names.chain(leg.into_iter().chain(street).map(|name| (name, None))) {
            let words = plain(name);
            let raw: Vec<&str> = name.split(' ').collect();
            for len in whole + 1..words.len().min(tail.len() + 1) {
                let capital = self.scan.words[begin + tail.len() - len].raw.starts_with(char::is_uppercase);
                if !tail.ends_with(&words[..len]) || !capital || raw.len() != words.len() {
                    continue;
                }
                let likely = subject.is_none() == after_street(len);
                let better = best.as_ref().is_none_or(|(most, is, ..)| (len, likely) > (*most, *is));
                if better {
                    best = Some((len, likely, raw[len..].join(" "), subject));
                }
            }
        }
        let (len, _, rest, subject) = best?;
        let Some(subject) = subject else {
            if let Some(leg) = self.results.legs.get(self.scan.legs)
                && leg.street.ends_with(&rest)
                && leg.street.len() > rest.len()
                && plain(&leg.street)[..len] == tail[tail.len() - len..]
            {
                self.scan.legs += 1;
                return Some(format!("{rest}{}", self.legs_on(&self.voice.words.say.then.clone())));
            }
            let of = self.subject()?;
            self.scan.told[of].street = true;
            return Some(format!("{rest}{}", self.more_of(of, true)));
        };
        self.scan.told[subject].name = true;
        self.scan.current = Some(subject);
        let first = tail.len() == len;
        Some(format!("{rest}{}", self.behind_a_name(subject, first)))
    }

    /// What follows a name. `first`: the name begins the sentence.
    fn behind_a_name(&mut self, subject: usize, first: bool) -> String {
        let due = Due { arrival: false, ..self.unsaid(subject) };
        let go_on = &self.voice.words.go_on;
        match (first, due.any() && self.results.subjects[subject].found) {
            (true, _) if due.any() => format!(" {}{}.", go_on.is, self.facts(subject, due, Whence::There)),
            (true, _) => format!(" {}", go_on.is_the_one),
            (false, true) => format!(" {}.", self.facts(subject, due, Whence::There)),
            (false, false) => ".".into(),
        }
    }

    /// What follows a fact of a place. `near`: it stands right behind.
    fn more_of(&mut self, subject: usize, near: bool) -> String {
        let due = Due { arrival: false, ..self.unsaid(subject) };
        let comma = if near { self.voice.words.say.comma.clone() } else { String::new() };
        if due.any() { format!("{comma}{}.", self.facts(subject, due, Whence::There)) } else { ".".into() }
    }

    /// The rest of the way's streets, and the end of the sentence.
    fn legs_on(&mut self, joint: &str) -> String {
        let legs: Vec<String> =
            self.results.legs[self.scan.legs..].iter().map(|leg| self.voice.turn(leg)).collect();
        self.scan.legs = self.results.legs.len();
        if legs.is_empty() {
            ".".into()
        } else {
            format!("{joint}{}.", legs.join(&self.voice.words.say.then))
        }
    }

    /// What ends a sentence behind a length or a time. `there`: it is from the place that was looked for near to.
    fn behind_measure(&self, there: bool) -> String {
        let go_on = &self.voice.words.go_on;
        if there { go_on.from_there.clone() } else { go_on.by_road.clone() }
    }

    /// "It's about 4" is finished with "minutes by road."
    fn number_alone(&mut self) -> Option<String> {
        let value = match self.scan.items.last() {
            Some((at, Item::Number(value))) if at.end == self.scan.words.len() => *value,
            _ => return None,
        };
        // A number that is none of the place that is spoken of is not made one of a place that nobody spoke of.
        let all = (0..self.results.subjects.len())
            .filter(|at| Some(*at) != self.scan.current && (self.scan.told[*at].name || self.wanted(*at)));
        let order: Vec<usize> = self.scan.current.into_iter().chain(all).collect();
        for subject in order {
            let (of, unsaid) = (&self.results.subjects[subject], self.unsaid(subject));
            let there = of.from.is_some();
            let (unit, end) = if unsaid.minutes && f64::from(of.minutes) == value {
                self.scan.told[subject].minutes = true;
                (self.voice.minutes(self.results.subjects[subject].minutes), self.behind_measure(there))
            } else if unsaid.km && (of.km - value).abs() < 0.001 {
                self.scan.told[subject].km = true;
                (self.voice.km(self.results.subjects[subject].km), self.behind_measure(there))
            } else {
                continue;
            };
            let unit: Vec<&str> = unit.split(' ').skip(1).collect();
            return Some(format!("{} {end}", unit.join(" ")));
        }
        None
    }

    /// By the table: what the sentence ends with, and what may follow.
    fn by_its_last_words(&mut self, begin: usize, tail: &[String]) -> Option<String> {
        let last_named =
            self.scan.items.iter().rfind(|(at, item)| at.start >= begin && matches!(item, Item::Name(_)));
        let named_here = last_named.is_some();
        // "The one near the airport is": said of another than was named last. "The nearest is the airport, about": of that.
        let is = self.words().go_on.is.trim();
        let of_the_named = last_named.is_some_and(|(at, _)| {
            let apart = at.start <= begin + 1 || self.scan.words[at.end - 1].raw.ends_with(',');
            apart || self.scan.words[at.end..].iter().all(|word| word.plain != is)
        });
        let pronoun = tail.iter().any(|word| self.words().go_on.pronouns.contains(word));
        let named = named_here || pronoun;
        let rules = &self.voice.words.go_on.finish;
        let ends = |after: &Phrase| tail.ends_with(after.words());
        let fitting: Vec<_> = rules
            .iter()
            .filter(|rule| rule.named.is_none_or(|wanted| wanted == named))
            .filter(|rule| !rule.named.unwrap_or_default() || pronoun || of_the_named)
            .filter(|rule| {
                let mut after = rule.after.iter().filter(|after| ends(after));
                after.any(|after| {
                    rule.begins.is_none_or(|begins| begins == (after.words().len() == tail.len()))
                })
            })
            .collect();
        fitting.into_iter().find_map(|rule| {
            let slots: Vec<Slot> = rule.say.get_ref().slots().collect();
            let mut given = Vec::new();
            let mut legs = self.scan.legs;
            let mut told = self.scan.told.clone();
            let mut current = self.scan.current;
            let mut subject = self.subject();
            let alone = slots.len() == 1;
            for slot in slots {
                let value = match slot {
                    Slot::Leg | Slot::Turn => {
                        let leg = self.results.legs.get(legs)?;
                        if slot == Slot::Leg && !agrees(self.words(), tail, leg.turn) {
                            return None;
                        }
                        // The first street has no turn into it.
                        if slot == Slot::Turn && leg.turn.is_none() {
                            return None;
                        }
                        legs += 1;
                        if slot == Slot::Leg { leg.street.clone() } else { self.voice.turn(leg) }
                    }
                    Slot::Direction => self.direction(self.results.legs.get(legs)?.turn?)?,
                    Slot::Name => {
                        let next = self.unnamed().into_iter().next().or_else(|| {
                            (0..self.results.subjects.len()).find(|at| !self.scan.told[*at].name)
                        })?;
                        told[next].name = true;
                        current = Some(next);
                        self.results.subjects[next].name.clone()
                    }
                    Slot::To => {
                        let to = self.destination()?;
                        // A sentence that says no more than where to says it once.
                        if alone && told[to].name {
                            return None;
                        }
                        told[to].name = true;
                        (current, subject) = (Some(to), Some(to));
                        self.results.subjects[to].name.clone()
                    }
                    Slot::Facts => {
                        let of = current?;
                        let due = Due { arrival: false, ..self.unsaid(of) };
                        due.tell(&mut told[of]);
                        let facts = self.facts_of(of, due, Whence::There);
                        (!facts.is_empty()).then_some(facts)?
                    }
                    Slot::Names => {
                        let names = self.unnamed();
                        names.iter().for_each(|at| told[*at].name = true);
                        current = names.last().copied().or(current);
                        let names: Vec<&str> =
                            names.iter().map(|at| self.results.subjects[*at].name.as_str()).collect();
                        let names = self.words().list(&names, &self.words().say.and);
                        (!names.is_empty()).then_some(names)?
                    }
                    Slot::Street => {
                        let of = subject.filter(|of| self.unsaid(*of).street)?;
                        told[of].street = true;
                        self.results.subjects[of].street.clone()?
                    }
                    Slot::Km => {
                        let of = subject.filter(|of| self.unsaid(*of).km)?;
                        told[of].km = true;
                        self.voice.km(self.results.subjects[of].km)
                    }
                    Slot::Minutes => {
                        let of = subject.filter(|of| self.unsaid(*of).minutes)?;
                        told[of].minutes = true;
                        self.voice.minutes(self.results.subjects[of].minutes)
                    }
                    Slot::Arrival => {
                        let of = subject.filter(|of| self.unsaid(*of).arrival)?;
                        told[of].arrival = true;
                        self.results.subjects[of].arrival.clone()?
                    }
                    _ => return None,
                };
                given.push((slot, value));
            }
            let given: Vec<(Slot, &str)> =
                given.iter().map(|(slot, value)| (*slot, value.as_str())).collect();
            let mut say = rule.say.get_ref().say(&given);
            let measures = given.iter().any(|(slot, _)| matches!(slot, Slot::Km | Slot::Minutes));
            let from = subject.is_some_and(|of| self.results.subjects[of].from.is_some());
            if let Some(open) = say.strip_suffix('.').filter(|_| measures && from) {
                say = format!("{open} {}", self.words().go_on.from_there);
            }
            let on = legs > self.scan.legs;
            (self.scan.legs, self.scan.told, self.scan.current) = (legs, told, current);
            let more = if on { self.legs_on(&self.voice.words.say.then.clone()) } else { String::new() };
            Some(format!("{say}{more}"))
        })
    }

    /// Where somebody wants to go: what the way or the time was asked of; else the first that was found.
    fn destination(&self) -> Option<usize> {
        let all = &self.results.subjects;
        let mut asked = (0..all.len()).filter(|at| all[*at].asked);
        match (asked.next(), asked.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => None,
            (None, _) => (!all.is_empty()).then_some(0),
        }
    }

    fn direction(&self, turn: Turn) -> Option<String> {
        let go_on = &self.words().go_on;
        match turn {
            Turn::Left => go_on.left_words.first().cloned(),
            Turn::Right => go_on.right_words.first().cloned(),
            Turn::Straight => None,
        }
    }

    /// The sentence ends with a whole fact, or goes on behind one with a comma or an "and".
    fn behind_a_fact(&mut self, begin: usize, open: &str) -> Option<String> {
        let all = self.scan.words.len();
        let (at, item) = self.scan.items.last().filter(|(at, _)| at.start >= begin).cloned()?;
        let behind: Vec<String> = self.scan.words[at.end..].iter().map(|word| word.plain.clone()).collect();
        let comma = open.trim_end().ends_with([',', ';']);
        let and = behind.last().is_some_and(|word| self.words().go_on.and_words.contains(word));
        let ended = behind.iter().all(|word| self.words().go_on.ends.contains(word));
        let go_on = self.voice.words.go_on.clone();
        if comma || (and && all - at.end <= 2) {
            if item == Item::Leg || (self.scan.legs > 0 && self.scan.legs < self.results.legs.len()) {
                return (self.scan.legs < self.results.legs.len()).then(|| self.legs_on(&go_on.then_on));
            }
            let subject = self.subject()?;
            let due = Due { arrival: false, ..self.unsaid(subject) };
            if due.any() {
                return Some(format!("{}.", self.facts(subject, due, Whence::There)));
            }
            if self.unsaid(subject).arrival {
                let arrival = self.arrival(subject);
                return Some(self.voice.fill(&go_on.arrival_on, &[(Slot::Arrival, &arrival)]));
            }
            return None;
        }
        match item {
            Item::Name(subject) if behind.is_empty() => {
                let first = at.start == begin;
                // "The drive to the airport" has nothing said of it yet.
                let of_the_way = self.scan.words[begin..at.start].iter().map(|word| word.plain.as_str());
                let of_the_way = of_the_way.collect::<Vec<_>>().join(" ");
                if go_on.ways_to.contains(&of_the_way) && self.unsaid(subject).minutes {
                    self.scan.told[subject].minutes = true;
                    let minutes = self.voice.minutes(self.results.subjects[subject].minutes);
                    return Some(self.voice.fill(&go_on.takes, &[(Slot::Minutes, &minutes)]));
                }
                if go_on.ways_to.iter().any(|way| of_the_way.ends_with(way.as_str())) {
                    return None;
                }
                Some(self.behind_a_name(subject, first).trim_start().to_owned())
            }
            Item::Street if behind.is_empty() => {
                let subject = self.subject()?;
                Some(self.more_of(subject, false))
            }
            Item::Leg if behind.is_empty() => Some(self.legs_on(&go_on.then_on)),
            Item::Measure(of) if behind.is_empty() => {
                let of = of.or_else(|| self.subject());
                Some(self.behind_measure(of.is_some_and(|of| self.results.subjects[of].from.is_some())))
            }
            // Whose length it is, is whose "here" it is.
            Item::Measure(of) if self.words().go_on.from.contains(&behind.join(" ")) => {
                let from = &self.results.subjects[of?].from;
                let go_on = &self.words().go_on;
                Some(if from.is_some() { go_on.there.clone() } else { go_on.here.clone() })
            }
            Item::Measure(_) | Item::Clock if ended => Some(".".into()),
            _ => None,
        }
    }

    fn usual(&self, tail: &[String]) -> Option<String> {
        let ends = |after: &&Phrase| tail.ends_with(after.words());
        let usual = self.words().go_on.usual.iter();
        let longest = |usual: &&crate::words::Usual| {
            usual.after.iter().filter(ends).map(|after| after.words().len()).max()
        };
        let best = usual.filter(|usual| longest(usual).is_some()).max_by_key(|usual| longest(usual))?;
        Some(best.say.clone())
    }
}

/// Whether a turn that was begun ("turn right into") is the next one.
fn agrees(words: &Words, tail: &[String], turn: Option<Turn>) -> bool {
    let said = |known: &[String]| tail.iter().rev().take(3).any(|word| known.contains(word));
    let (left, right) = (said(&words.go_on.left_words), said(&words.go_on.right_words));
    match turn {
        Some(Turn::Left) => !right,
        Some(Turn::Right) => !left,
        Some(Turn::Straight) | None => !left && !right,
    }
}
