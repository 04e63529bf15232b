//! What follows on what was done last: "and the passenger's too", "make it three", "close it again", "a bit more", "the other one".
//!
//! The last call lends its object; what is said now replaces what it speaks of (a place, a number, an act) and leaves the rest
//! as it was. Nothing is made up: an utterance that says nothing new of the last call's slots is no follow-up.

use troika_vehicle::catalogue::{Call, Catalogue, SlotType};

use super::{
    Matcher,
    clause::Reader,
    rules::{self, Meaning},
    tag::Tagged,
    templates::{Follow, Mood, Rule},
    text::Word,
};

/// How much a number goes up by "more", as a share of its range: a level of ten by one, a window by a quarter.
const SHARE: f64 = 0.1;
const WINDOW_STEP: f64 = 25.0;
/// Pairs of values of which one is the other's opposite.
const OPPOSITES: &[(&str, &str)] = &[
    ("open", "close"),
    ("on", "off"),
    ("up", "down"),
    ("mute", "unmute"),
    ("lock", "unlock"),
    ("warmer", "cooler"),
    ("play", "pause"),
    ("next", "previous"),
];
/// Sides.
const SIDES: &[(&str, &str)] =
    &[("driver", "passenger"), ("front_left", "front_right"), ("rear_left", "rear_right")];

pub(super) fn up(matcher: &Matcher, utterance: &str, last: &Call) -> Option<Vec<Call>> {
    let words = matcher.words.split(utterance);
    let reader = Reader::new(matcher, utterance);
    let (rest, mood) = reader.stripped(&words);
    if let Some(follow) = phrase(matcher, &words).or_else(|| phrase(matcher, rest)) {
        return relative(follow, last, matcher.catalogue).map(|call| vec![call]);
    }
    if mood != Mood::Command {
        return None;
    }
    let own = reader.tags(rest);
    if !own.stray.is_empty()
        || own.has("neg")
        || own.numbers.len() > 1
        || own.has("obj") && !own.has("obj.voice")
    {
        return None;
    }
    lent(matcher, &own, last)
}

/// Whether an utterance is one of the phrases that speak of what was last, whatever else it may mean by itself.
pub(super) fn is_phrase(matcher: &Matcher, utterance: &str) -> bool {
    let words = matcher.words.split(utterance);
    let reader = Reader::new(matcher, utterance);
    phrase(matcher, &words).or_else(|| phrase(matcher, reader.stripped(&words).0)).is_some()
}

/// The whole of the words, "please" and the like aside, is a phrase about what was last.
fn phrase(matcher: &Matcher, words: &[Word]) -> Option<Follow> {
    let polite = |word: &String| matcher.words.polite.follow.contains(word);
    let norms: Vec<String> = words.iter().map(|word| word.norm.clone()).collect();
    let first = norms.iter().position(|word| !polite(word))?;
    let end = norms.iter().rposition(|word| !polite(word))? + 1;
    let follow = &matcher.templates.follow;
    follow.get(&norms[first..end]).or_else(|| follow.get(&norms)).copied()
}

/// The last call, further, back, again, or on the other side.
fn relative(follow: Follow, last: &Call, catalogue: &Catalogue) -> Option<Call> {
    let call = match follow {
        // What goes one way goes on that way when it is said again.
        Follow::Again => last.clone(),
        Follow::More => stepped(last, catalogue, 1.0).or_else(|| moves(last).then(|| last.clone()))?,
        Follow::Less => stepped(last, catalogue, -1.0)
            .or_else(|| moves(last).then(|| replaced(last, OPPOSITES)).flatten())?,
        Follow::Other => replaced(last, SIDES)?,
        Follow::Undo => replaced(last, OPPOSITES)?,
    };
    catalogue.validate(&call).ok()
}

/// Whether saying it again does it again.
fn moves(call: &Call) -> bool {
    let step = |value: &str| matches!(value, "up" | "down" | "warmer" | "cooler" | "next" | "previous");
    call.slots.iter().any(|(_, value)| step(value))
}

/// The call with its number a step on, kept within its range; a window goes further the way it was moved.
fn stepped(last: &Call, catalogue: &Catalogue, sign: f64) -> Option<Call> {
    let function = catalogue.function(&last.function)?;
    let (spec, min, max, step) = function.slots.iter().find_map(|slot| match slot.ty {
        SlotType::Number { min, max, step } => Some((slot, min, max, step)),
        _ => None,
    })?;
    let now: f64 = last.slot(&spec.name)?.parse().ok()?;
    let by =
        if last.function == "window.move" { WINDOW_STEP } else { ((max - min) * SHARE).round().max(1.0) };
    // "More" after "eighteen degrees" is a degree.
    let by = if step < 1.0 { 1.0 } else { by };
    let new = (now + sign * by).clamp(min, max);
    let mut call = last.clone();
    call.slots.iter_mut().find(|(name, _)| *name == spec.name)?.1 = new.to_string();
    (new != now).then_some(call)
}

/// The call with each value that has a partner replaced by it.
fn replaced(last: &Call, pairs: &[(&str, &str)]) -> Option<Call> {
    let mut call = last.clone();
    let mut any = false;
    for (_, value) in &mut call.slots {
        let partner = pairs.iter().find_map(|(a, b)| match value.as_str() {
            v if v == *a => Some(*b),
            v if v == *b => Some(*a),
            _ => None,
        });
        if let Some(partner) = partner {
            *value = partner.to_owned();
            any = true;
        }
    }
    any.then_some(call)
}

/// The last call with what is said now in the place of what it said.
fn lent(matcher: &Matcher, own: &Tagged, last: &Call) -> Option<Vec<Call>> {
    let side_alone = own.has("loc") && own.values("loc").all(|value| matches!(value, "left" | "right"));
    let of_last = matcher.templates.rules.iter().filter(|rule| rule.function == last.function);
    // The rules that could have made the last call, those that ask for least first.
    let mut bases: Vec<&Rule> = of_last
        .filter(|rule| rule.slots.iter().all(|(slot, value)| last.slot(slot) == Some(value)))
        .collect();
    bases.sort_by_key(|rule| rule.need.len());
    bases.into_iter().find_map(|rule| {
        let base = concepts(rule, last, matcher.catalogue);
        let before = single(matcher, &base)?;
        let merged = base.corrected_by(own.clone());
        let Meaning::Calls(calls) = rules::meaning(matcher, &merged, Mood::Command, 0)? else {
            return None;
        };
        let mut new = Vec::new();
        for call in calls {
            if call.function != last.function {
                return None;
            }
            let mut whole = last.clone();
            for (slot, value) in &call.slots {
                if before.slot(slot) != Some(value) {
                    let row = last.slot(slot).filter(|_| side_alone);
                    let value = row.and_then(|row| beside(row, value)).unwrap_or(value).to_owned();
                    whole.slots.retain(|(name, _)| name != slot);
                    whole.slots.push((slot.clone(), value));
                }
            }
            let whole = matcher.catalogue.validate(&whole).ok()?;
            if whole != *last {
                new.push(whole);
            }
        }
        (!new.is_empty()).then_some(new)
    })
}

/// "The right one" after something in the rear: the rear right one, where by itself it is the front's.
fn beside(last: &str, front: &str) -> Option<&'static str> {
    match front {
        _ if !last.starts_with("rear_") => None,
        "front_left" | "driver" => Some("rear_left"),
        "front_right" | "passenger" => Some("rear_right"),
        _ => None,
    }
}

/// The concepts that a rule asks for, with the last call's number where it takes one.
fn concepts(rule: &Rule, last: &Call, catalogue: &Catalogue) -> Tagged {
    let mut tagged = Tagged::default();
    for choice in rule.need.iter().filter(|choice| !choice.iter().any(|name| name == "number")) {
        let concept = choice.iter().find_map(|name| match name.split_once('.') {
            Some((class, value)) => Some((class.to_owned(), value.to_owned())),
            // A class whose values are a slot's own.
            None => {
                let (slot, _) = rule.from.iter().find(|(_, resolver)| resolver == name)?;
                Some((name.clone(), last.slot(slot)?.to_owned()))
            }
        });
        tagged.concepts.extend(concept.filter(|(class, _)| class != "loc").map(|concept| vec![concept]));
    }
    let takes = |slot: &&(String, String)| {
        matches!(slot.1.as_str(), "celsius" | "level10" | "level3" | "percent" | "kmh")
    };
    let number = rule
        .from
        .iter()
        .find(takes)
        .and_then(|(slot, _)| last.slot(slot))
        .and_then(|value| value.parse().ok());
    let asks = rule.need.iter().flatten().chain(&rule.may).any(|name| name == "number");
    if let Some(number) = number.filter(|_| asks && catalogue.function(&rule.function).is_some()) {
        tagged.numbers.push(number);
    }
    tagged
}

fn single(matcher: &Matcher, tagged: &Tagged) -> Option<Call> {
    match rules::meaning(matcher, tagged, Mood::Command, 0)? {
        Meaning::Calls(mut calls) if calls.len() == 1 => calls.pop(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use troika_vehicle::catalogue::Catalogue;

    use super::*;
    use crate::{eval, matcher::Understood};

    fn after(first: &str, then: &str) -> String {
        let matcher = Matcher::english();
        let Understood::Commands(calls) = matcher.understand(first) else { panic!("{first}") };
        let call = calls.last().expect("a call");
        assert!(Catalogue::built_in().validate(call).is_ok());
        match matcher.follow_up(then, call) {
            Some(calls) => eval::told(&Understood::Commands(calls)),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn another_place_takes_the_rest_over() {
        assert_eq!(
            after("turn on my seat heating to level two", "and the passenger's too"),
            "seat.heating seat=passenger level=2"
        );
        assert_eq!(
            after("open the driver's window halfway", "the rear left as well"),
            "window.move position=rear_left action=open percent=50"
        );
        assert_eq!(
            after("set the driver side to 21 degrees", "same for the passenger"),
            "climate.set_temperature zone=passenger celsius=21"
        );
    }

    #[test]
    fn another_number_or_act_takes_the_place_over() {
        assert_eq!(after("set the fan to three", "make it five"), "climate.set_fan level=5");
        assert_eq!(
            after("open the rear right window", "close it again"),
            "window.move position=rear_right action=close percent=100"
        );
        assert_eq!(after("turn on the fog lights", "turn them off again"), "light.set which=fog state=off");
    }

    #[test]
    fn more_and_less_go_on_and_back() {
        assert_eq!(
            after("make it warmer", "a bit more"),
            "climate.adjust_temperature zone=driver direction=warmer"
        );
        assert_eq!(
            after("make it warmer", "that is too much"),
            "climate.adjust_temperature zone=driver direction=cooler"
        );
        assert_eq!(after("set the fan to three", "a bit more please"), "climate.set_fan level=4");
        assert_eq!(after("set the fan to ten", "more"), "none", "it is at its most");
        assert_eq!(after("turn the volume down", "more"), "media.volume action=down");
    }

    #[test]
    fn the_other_one_is_the_other_side() {
        assert_eq!(
            after("open the rear left window", "the other one"),
            "window.move position=rear_right action=open percent=100"
        );
        for (last, then) in [("rear left", "and the right one"), ("front left", "and the right one")] {
            let row = last.split(' ').next().expect("a row");
            assert_eq!(
                after(&format!("open the {last} window"), then),
                format!("window.move position={row}_right action=open percent=100")
            );
        }
        assert_eq!(after("open the sunroof", "the other one"), "none");
        assert_eq!(after("open the sunroof", "undo that"), "sunroof.move action=close");
    }

    #[test]
    fn what_speaks_of_something_else_is_no_follow_up() {
        for said in [
            "tell me a joke",
            "the trunk",
            "what is the capital of France",
            "he told me to close it",
            "don't close it",
            "nice",
        ] {
            assert_eq!(after("open the rear left window", said), "none", "{said}");
        }
    }
}
