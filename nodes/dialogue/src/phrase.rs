//! What the navigation's tools told, in one to three sentences, and the end of an answer that broke off: without a language model, from a
//! language's sentences ([`crate::words`]). Pure. It names nothing that the results do not hold.

use crate::{
    navigation::{Arrival, Found, FoundPlace, Way, WayStep},
    plan::Say,
    sentences::Sentences,
    told::Told,
    town::Turn,
    words::{Slot, Template, Words},
};

mod go_on;
mod scan;

pub use go_on::{continue_from, tells_of};

/// Streets of a way in one sentence that can be remembered.
const MOST_STREETS: usize = 3;

/// What a text leaves standing when it is cut anywhere: its whole words. What finishes it goes behind them. A word with nothing behind it may
/// be half of one.
pub fn whole_words(text: &str) -> &str {
    let mut sentences = Sentences::default();
    sentences.push(text);
    &text[..sentences.word_boundary()]
}

/// What the tools told, in words. `brief`: for a driver who has little to spare. Empty where nothing was told.
pub fn phrase(words: &Words, say: Say, told: &[Told], brief: bool) -> String {
    let voice = Voice { words, brief };
    let found = told.iter().find_map(|told| match told {
        Told::Found { asked, found } => Some((asked.as_ref(), found)),
        _ => None,
    });
    let near = found.is_some_and(|(asked, _)| asked.is_some_and(|asked| asked.near.is_some()));
    match told.last() {
        None => String::new(),
        Some(Told::Refused) => match found {
            Some((_, found)) if !found.places.is_empty() => voice.found(found, told, say),
            _ => words.say.refused.clone(),
        },
        Some(Told::Found { found, .. }) => voice.found(found, told, say),
        Some(Told::Way(way)) => voice.way(way, (!near).then(|| voice.kind(told)).flatten()),
        // How long it takes to one that is near somewhere else says little without where it is.
        Some(Told::Arrival(arrival)) => match found {
            Some((_, found)) if near && !brief => {
                format!("{} {}", voice.first(found, told), voice.arrival(arrival, say))
            }
            _ => voice.arrival(arrival, say),
        },
    }
}

/// How results are said that nobody planned.
pub fn usual(told: &[Told]) -> Say {
    match told.last() {
        Some(Told::Way(_)) => Say::Way,
        Some(Told::Arrival(_)) => Say::HowLong,
        _ => Say::Nearest,
    }
}

struct Voice<'a> {
    words: &'a Words,
    brief: bool,
}

impl Voice<'_> {
    fn fill(&self, template: &toml::Spanned<Template>, given: &[(Slot, &str)]) -> String {
        template.get_ref().say(given)
    }

    fn km(&self, km: f64) -> String {
        let say = &self.words.say;
        let one = if km == 1.0 { &say.kilometre } else { &say.kilometres };
        self.fill(one, &[(Slot::N, &km.to_string())])
    }

    fn minutes(&self, minutes: u32) -> String {
        let say = &self.words.say;
        let one = if minutes == 1 { &say.minute } else { &say.minutes };
        self.fill(one, &[(Slot::N, &minutes.to_string())])
    }

    /// What the kind is called that was looked for.
    fn kind(&self, told: &[Told]) -> Option<&str> {
        let asked = told
            .iter()
            .find_map(|told| if let Told::Found { asked, .. } = told { asked.as_ref() } else { None });
        self.words.kind(asked?.kind).map(|kind| kind.one.as_str())
    }

    fn away(&self, place: &FoundPlace, there: bool) -> String {
        let say = &self.words.say;
        let template = match (place.minutes, there, self.brief) {
            (0, false, _) => &say.right_here,
            (0, true, _) => &say.right_there,
            (_, false, false) => &say.away,
            (_, true, false) => &say.away_there,
            (_, false, true) => &say.away_brief,
            (_, true, true) => &say.away_there_brief,
        };
        self.fill(
            template,
            &[(Slot::Km, &self.km(place.distance_km)), (Slot::Minutes, &self.minutes(place.minutes))],
        )
    }

    fn found(&self, found: &Found, told: &[Told], say: Say) -> String {
        let sentences = &self.words.say;
        let near = told
            .iter()
            .any(|told| matches!(told, Told::Found { asked: Some(asked), .. } if asked.near.is_some()));
        let kind = self.kind(told);
        let at = if let Say::Another(at) = say { at } else { 0 };
        let Some(place) = found.places.get(at) else {
            return match kind {
                Some(kind) => self.fill(&sentences.none, &[(Slot::Kind, kind)]),
                None => self.fill(&sentences.none_of_any, &[]),
            };
        };
        let away = self.away(place, near);
        let given = [
            (Slot::Kind, kind.unwrap_or_default()),
            (Slot::Name, place.name.as_str()),
            (Slot::Street, place.street.as_str()),
            (Slot::Away, away.as_str()),
        ];
        if self.brief {
            return self.fill(&sentences.place_brief, &given);
        }
        let template = match (at, kind, near) {
            (1.., _, _) => &sentences.another,
            (_, None, _) => &sentences.nearest_of_any,
            (_, Some(_), false) => &sentences.nearest,
            (_, Some(_), true) => &sentences.near_there,
        };
        let first = self.fill(template, &given);
        let others: Vec<&str> = found.places.iter().skip(at + 1).map(|place| place.name.as_str()).collect();
        match self.also(&others) {
            Some(also) => format!("{first} {also}"),
            None => first,
        }
    }

    /// The first of what was found, without the others.
    fn first(&self, found: &Found, told: &[Told]) -> String {
        let first = Found { places: found.places.iter().take(1).cloned().collect() };
        self.found(&first, told, Say::Nearest)
    }

    fn also(&self, others: &[&str]) -> Option<String> {
        let say = &self.words.say;
        let template = if others.len() == 1 { &say.also_one } else { &say.also_many };
        let names = self.words.list(others, &say.and);
        (!others.is_empty()).then(|| self.fill(template, &[(Slot::Names, &names)]))
    }

    fn way(&self, way: &Way, kind: Option<&str>) -> String {
        let say = &self.words.say;
        let Some(first) = way.steps.first() else {
            return self.fill(&say.there_already, &[(Slot::To, &way.to)]);
        };
        let (km, minutes) = (self.km(way.distance_km), self.minutes(way.minutes));
        let given = [
            (Slot::To, way.to.as_str()),
            (Slot::Km, &km),
            (Slot::Minutes, &minutes),
            (Slot::Kind, kind.unwrap_or_default()),
        ];
        if self.brief {
            let start = self.fill(&say.start_brief, &[(Slot::Street, &first.street)]);
            return format!("{} {start}", self.fill(&say.way_brief, &given));
        }
        let whole = if kind.is_some() { &say.way_to_first } else { &say.way };
        format!("{} {}", self.fill(whole, &given), self.steps(&way.steps))
    }

    /// A way from its first street on.
    fn steps(&self, steps: &[WayStep]) -> String {
        let groups = steps.chunks(MOST_STREETS).enumerate().map(|(at, steps)| {
            let turns: Vec<String> = steps.iter().map(|step| self.turn(step)).collect();
            let after = if at > 0 { self.words.say.after_that.as_str() } else { "" };
            format!("{after}{}.", turns.join(&self.words.say.then))
        });
        groups.collect::<Vec<_>>().join(" ")
    }

    fn turn(&self, step: &WayStep) -> String {
        let say = &self.words.say;
        let template = match step.turn {
            None => &say.first_street,
            Some(Turn::Left) => &say.turn_left,
            Some(Turn::Right) => &say.turn_right,
            Some(Turn::Straight) => &say.go_straight,
        };
        self.fill(template, &[(Slot::Street, &step.street)])
    }

    fn arrival(&self, arrival: &Arrival, say: Say) -> String {
        let sentences = &self.words.say;
        if arrival.minutes == 0 {
            return self.fill(&sentences.there_already, &[(Slot::To, &arrival.to)]);
        }
        let template = match (say, self.brief) {
            (Say::When, false) => &sentences.when,
            (Say::When, true) => &sentences.when_brief,
            (Say::HowFar, false) => &sentences.how_far,
            (Say::HowFar, true) => &sentences.how_far_brief,
            (_, false) => &sentences.how_long,
            (_, true) => &sentences.how_long_brief,
        };
        let (km, minutes) = (self.km(arrival.distance_km), self.minutes(arrival.minutes));
        let given = [
            (Slot::To, arrival.to.as_str()),
            (Slot::Km, &km),
            (Slot::Minutes, &minutes),
            (Slot::Arrival, &arrival.arrival),
        ];
        self.fill(template, &given)
    }
}

#[cfg(test)]
mod tests;
