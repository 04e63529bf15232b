//! Which facts of the results a text has told, whoever wrote it: names, streets, lengths, times and clock times, each put to the place that
//! it is said of.

use std::ops::Range;

use crate::{
    grounded::number_word,
    navigation::WayStep,
    sentences::bare,
    told::Told,
    words::{Finish, Phrase, Slot, Words},
};

/// A place of the results, with all that they hold of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) street: Option<String>,
    pub(super) km: f64,
    pub(super) minutes: u32,
    pub(super) arrival: Option<String>,
    /// It is among what was found.
    pub(super) found: bool,
    /// In which look-up, from 0.
    pub(super) list: Option<usize>,
    /// Its way, or its time of arrival, was asked for.
    pub(super) asked: bool,
    /// Lengths and times are from this place, which it was looked for near to; none: from the vehicle.
    pub(super) from: Option<String>,
}

/// What was told of a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ToldOf {
    pub(super) name: bool,
    pub(super) street: bool,
    pub(super) km: bool,
    pub(super) minutes: bool,
    pub(super) arrival: bool,
}

/// All that the results hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Results {
    pub(super) subjects: Vec<Subject>,
    pub(super) legs: Vec<WayStep>,
}

impl Results {
    pub(super) fn of(told: &[Told]) -> Results {
        let mut results = Results::default();
        for (number, told) in told.iter().enumerate() {
            match told {
                Told::Found { asked, found } => {
                    let from = asked.as_ref().and_then(|asked| asked.near.clone());
                    for place in &found.places {
                        results.add(Subject {
                            name: place.name.clone(),
                            street: Some(place.street.clone()),
                            km: place.distance_km,
                            minutes: place.minutes,
                            arrival: None,
                            found: true,
                            list: Some(number),
                            asked: false,
                            from: from.clone(),
                        });
                    }
                }
                Told::Way(way) => {
                    results.legs.clone_from(&way.steps);
                    results.add(asked_for(&way.to, way.distance_km, way.minutes, None));
                }
                Told::Arrival(arrival) => {
                    let at = Some(arrival.arrival.clone());
                    results.add(asked_for(&arrival.to, arrival.distance_km, arrival.minutes, at));
                }
                Told::Refused => {}
            }
        }
        // The last street of a way is the place's own.
        if !results.legs.is_empty() {
            let legs = &results.legs;
            for subject in &mut results.subjects {
                subject.street =
                    subject.street.take().filter(|street| legs.iter().all(|leg| leg.street != *street));
            }
        }
        results
    }

    fn add(&mut self, new: Subject) {
        match self.subjects.iter_mut().find(|subject| subject.name == new.name) {
            // From the vehicle is what was asked last.
            Some(known) => {
                known.asked |= new.asked;
                known.arrival = new.arrival.or(known.arrival.take());
                known.street = known.street.take().or(new.street);
                if new.from.is_none() {
                    (known.km, known.minutes, known.from) = (new.km, new.minutes, None);
                }
            }
            None => self.subjects.push(new),
        }
    }
}

fn asked_for(name: &str, km: f64, minutes: u32, arrival: Option<String>) -> Subject {
    Subject {
        name: name.into(),
        street: None,
        km,
        minutes,
        arrival,
        found: false,
        list: None,
        asked: true,
        from: None,
    }
}

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As it is compared.
    pub(super) plain: String,
    /// As it stands, with its signs.
    pub(super) raw: String,
}

/// Something of the results, in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// The name of this place.
    Name(usize),
    /// The street of the place.
    Street,
    /// A street of the way.
    Leg,
    /// A length, or a time, that is a fact: of this place, where that is known.
    Measure(Option<usize>),
    /// A number that nothing is said of yet.
    Number(f64),
    /// A time of arrival.
    Clock,
}

/// What a text tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scan {
    pub(super) words: Vec<Word>,
    pub(super) told: Vec<ToldOf>,
    /// Streets of the way that were told, or left behind.
    pub(super) legs: usize,
    /// The place that was named last.
    pub(super) current: Option<usize>,
    /// In order, with the words that they take.
    pub(super) items: Vec<(Range<usize>, Item)>,
}

pub(super) fn split(text: &str) -> Vec<Word> {
    let apart = |sign: char| sign.is_whitespace() || matches!(sign, '-' | '–' | '—' | '/');
    let words = text.split(apart).flat_map(|raw| {
        // "5km" is two words.
        let number = raw.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(raw.len());
        let unit = raw[number..].chars().all(char::is_alphabetic) && number > 0 && number < raw.len();
        if unit { vec![&raw[..number], &raw[number..]] } else { vec![raw] }
    });
    let words =
        words.map(|raw| Word { plain: crate::sentences::plain_words(raw).concat(), raw: raw.to_owned() });
    words.filter(|word| !word.plain.is_empty()).collect()
}

pub(super) fn plain(name: &str) -> Vec<String> {
    split(name).into_iter().map(|word| word.plain).collect()
}

/// Reads a text.
pub(super) fn scan(words: &Words, results: &Results, text: &str) -> Scan {
    let mut scan =
        Scan { words: split(text), told: vec![ToldOf::default(); results.subjects.len()], ..Scan::default() };
    let names: Vec<Vec<String>> = results.subjects.iter().map(|subject| plain(&subject.name)).collect();
    let streets = results.subjects.iter().filter_map(|subject| subject.street.as_deref());
    let streets: Vec<(&str, Vec<String>)> = streets
        .chain(results.legs.iter().map(|leg| leg.street.as_str()))
        .map(|street| (street, plain(street)))
        .collect();
    let mut waiting = Vec::new();
    let mut at = 0;
    while at < scan.words.len() {
        let stands = |name: &[String]| {
            let there = scan.words.get(at..at + name.len());
            there.is_some_and(|there| there.iter().map(|word| &word.plain).eq(name))
        };
        let name =
            names.iter().enumerate().filter(|(_, name)| stands(name)).max_by_key(|(_, name)| name.len());
        // The beginning of a name stands for it, where it is two words or more.
        let short = names.iter().enumerate().find_map(|(subject, name)| {
            let len = (2..name.len()).rev().find(|len| stands(&name[..*len]))?;
            (at + len < scan.words.len()).then_some((subject, len))
        });
        let street =
            streets.iter().filter(|(_, street)| stands(street)).max_by_key(|(_, street)| street.len());
        let name_len = name.map_or(0, |(_, name)| name.len());
        let street_len = street.map_or(0, |(_, street)| street.len());
        // "Church Hill", where the text ends, may be half of "Church Hill Park".
        let half = at + street_len == scan.words.len()
            && names.iter().any(|name| name.len() > street_len && stands(&name[..street_len]))
            && !is_street_next(words, &scan.words[..at]);
        if street_len > name_len && half {
            at += street_len;
        } else if let Some((street, _)) = street.filter(|_| street_len > name_len) {
            let street = (*street).to_owned();
            scan.street(results, &street, at..at + street_len);
            at += street_len;
        } else if let Some((subject, len)) = name.map(|(subject, name)| (subject, name.len())).or(short) {
            scan.name(results, subject, at..at + len, &mut waiting);
            at += len;
        } else {
            at += scan.number(words, results, at, &mut waiting).max(1);
        }
    }
    // Numbers before any name: of the only place, or the first that they fit.
    for (measure, _) in waiting {
        if let Some(subject) =
            (0..results.subjects.len()).find(|subject| scan.fits(results, *subject, &measure))
        {
            scan.mark(subject, &measure);
        }
    }
    scan
}

/// Whether a street is what follows these words.
pub(super) fn is_street_next(words: &Words, before: &[Word]) -> bool {
    let of_streets =
        |finish: &&Finish| finish.say.get_ref().slots().any(|slot| matches!(slot, Slot::Street | Slot::Leg));
    let ends = |after: &Phrase| {
        let after = after.words();
        before.len() >= after.len()
            && before[before.len() - after.len()..].iter().map(|word| &word.plain).eq(after)
    };
    words.go_on.finish.iter().filter(of_streets).flat_map(|finish| &finish.after).any(ends)
}

#[derive(Debug, Clone, PartialEq)]
enum Measure {
    Km(f64),
    Minutes(f64),
    Clock(u32, u32),
}

impl Scan {
    fn name(
        &mut self,
        results: &Results,
        subject: usize,
        at: Range<usize>,
        waiting: &mut Vec<(Measure, usize)>,
    ) {
        self.told[subject].name = true;
        self.current = Some(subject);
        self.items.push((at, Item::Name(subject)));
        waiting.retain(|(measure, _)| {
            let fits = self.fits(results, subject, measure);
            if fits {
                self.mark(subject, measure);
            }
            !fits
        });
    }

    fn street(&mut self, results: &Results, street: &str, at: Range<usize>) {
        if let Some(leg) = (self.legs..results.legs.len()).find(|leg| results.legs[*leg].street == street) {
            self.legs = leg + 1;
            self.items.push((at, Item::Leg));
            return;
        }
        let has = |subject: &usize| {
            results.subjects[*subject].street.as_deref() == Some(street) && !self.told[*subject].street
        };
        let subject = self.current.filter(has).or_else(|| (0..results.subjects.len()).find(has));
        if let Some(subject) = subject {
            self.told[subject].street = true;
            self.items.push((at, Item::Street));
        }
    }

    /// Reads a number with its unit, and tells how many words it takes.
    fn number(
        &mut self,
        words: &Words,
        results: &Results,
        at: usize,
        waiting: &mut Vec<(Measure, usize)>,
    ) -> usize {
        let raw = self.words[at].raw.trim_matches(|sign: char| !sign.is_ascii_digit());
        if let Some((hour, minute)) = raw.split_once(':')
            && let (Ok(hour), Ok(minute)) = (hour.parse(), minute.parse())
        {
            let clock = Measure::Clock(hour, minute);
            if let Some(subject) = self.whose(results, &clock) {
                self.mark(subject, &clock);
                self.items.push((at..at + 1, Item::Clock));
            }
            return 1;
        }
        let Some((value, len)) = self.value(at) else { return 1 };
        let unit = self.words.get(at + len).map(|word| word.plain.as_str()).unwrap_or_default();
        let is = |units: &[String]| units.iter().any(|known| known == unit);
        let measure = if is(&words.go_on.kilometre_words) {
            Measure::Km(value)
        } else if is(&words.go_on.metre_words) {
            Measure::Km(value / 1000.0)
        } else if is(&words.go_on.minute_words) {
            Measure::Minutes(value)
        } else {
            // "One" alone is the language's: "the closest one".
            if at + len == self.words.len() && self.words[at].plain != "one" {
                self.items.push((at..at + len, Item::Number(value)));
            }
            return len;
        };
        let whose = self.whose(results, &measure);
        match whose {
            Some(subject) => self.mark(subject, &measure),
            None => waiting.push((measure, at)),
        }
        self.items.push((at..at + len + 1, Item::Measure(whose)));
        len + 1
    }

    /// A number in digits or in words, and how many words it takes.
    fn value(&self, at: usize) -> Option<(f64, usize)> {
        let raw = self.words[at].raw.trim_matches(|sign: char| !sign.is_ascii_digit());
        if !raw.is_empty() {
            return raw.replace(',', ".").parse().ok().map(|value| (value, 1));
        }
        let of = |word: &Word| if word.plain == "one" { Some(1.0) } else { number_word(&bare(&word.raw)) };
        let first = of(&self.words[at])?;
        let second = self.words.get(at + 1).and_then(of).filter(|second| *second < 10.0 && *second >= 1.0);
        match second {
            Some(second) if first >= 20.0 && first % 10.0 == 0.0 => Some((first + second, 2)),
            _ => Some((first, 1)),
        }
    }

    /// Of which place this is said: the one that was named last, where it fits; else the only one that it fits.
    fn whose(&self, results: &Results, measure: &Measure) -> Option<usize> {
        if let Some(current) = self.current
            && self.fits(results, current, measure)
        {
            return Some(current);
        }
        let mut fitting = (0..results.subjects.len()).filter(|subject| self.fits(results, *subject, measure));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    fn fits(&self, results: &Results, subject: usize, measure: &Measure) -> bool {
        let subject = &results.subjects[subject];
        match measure {
            Measure::Km(km) => (subject.km - km).abs() < 0.001,
            Measure::Minutes(minutes) => f64::from(subject.minutes) == *minutes,
            Measure::Clock(hour, minute) => subject.arrival.as_deref().is_some_and(|arrival| {
                let clock = arrival
                    .split_once(':')
                    .and_then(|(h, m)| Some((h.parse::<u32>().ok()?, m.parse::<u32>().ok()?)));
                // "2:35" in the afternoon is 14:35.
                clock.is_some_and(|(h, m)| {
                    m == *minute && (h == *hour || (*hour <= 12 && h % 12 == hour % 12))
                })
            }),
        }
    }

    fn mark(&mut self, subject: usize, measure: &Measure) {
        let told = &mut self.told[subject];
        match measure {
            Measure::Km(_) => told.km = true,
            Measure::Minutes(_) => told.minutes = true,
            Measure::Clock(..) => told.arrival = true,
        }
    }
}
