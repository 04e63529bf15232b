//! Which rule a clause's concepts fit, and the calls that it makes.

use troika_vehicle::catalogue::Call;

use super::{
    Matcher, slots,
    tag::{Tagged, is},
    templates::{Mood, Rule},
};

/// What a clause came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    Calls(Vec<Call>),
    Ask(String),
}

/// The best rule's meaning, if any rule explains all concepts and all but `strays` words.
pub(super) fn meaning(matcher: &Matcher, tagged: &Tagged, mood: Mood, strays: usize) -> Option<Meaning> {
    let rule = matcher
        .templates
        .rules
        .iter()
        .filter(|rule| rule.mood.contains(&mood) && fits(rule, tagged, strays))
        // The first of the most demanding.
        .reduce(|best, rule| if rule.need.len() > best.need.len() { rule } else { best })?;
    Some(calls(rule, matcher, tagged))
}

/// Classes whose words no rule has to explain: they matter only where a rule needs them.
const EMPTY: &[&str] = &["fluff", "to"];

fn fits(rule: &Rule, tagged: &Tagged, strays: usize) -> bool {
    let needed = |name: &String| tagged.has(name);
    let takes_number = rule.may.iter().any(|name| name == "number")
        || rule.need.iter().flatten().any(|name| name == "number");
    rule.need.iter().all(|choice| choice.iter().any(needed))
        && tagged.concepts.iter().all(|readings| {
            let explained = |concept| rule.need.iter().flatten().chain(&rule.may).any(|name| is(concept, name));
            readings.iter().any(|concept| EMPTY.contains(&concept.0.as_str()) || explained(concept))
        })
        && (takes_number || tagged.numbers.is_empty())
        // Two numbers are two commands.
        && tagged.numbers.len() <= 1
        // A stray word is forgiven only where two concepts agree on what was meant.
        && (tagged.stray.is_empty() || tagged.stray.len() <= strays && rule.need.len() >= 2)
}

fn calls(rule: &Rule, matcher: &Matcher, tagged: &Tagged) -> Meaning {
    let mut calls = vec![Call { function: rule.function.clone(), slots: rule.slots.clone() }];
    for (slot, resolver) in &rule.from {
        let values = match slots::resolve(resolver, tagged) {
            Ok(values) => values,
            Err(slots::NoSide) => return Meaning::Ask(matcher.replies.which_side.clone()),
        };
        if values.is_empty() {
            continue;
        }
        calls = calls
            .into_iter()
            .flat_map(|call| {
                values.iter().map(move |value| {
                    let mut call = call.clone();
                    call.slots.push((slot.clone(), value.clone()));
                    call
                })
            })
            .collect();
    }
    checked(matcher, calls)
}

/// The calls in canonical form, or the question for what they lack.
pub(super) fn checked(matcher: &Matcher, calls: Vec<Call>) -> Meaning {
    let Matcher { catalogue, replies, .. } = matcher;
    let good: Result<Vec<Call>, _> = calls.iter().map(|call| catalogue.validate(call)).collect();
    match good {
        Ok(good) => Meaning::Calls(good),
        Err(error) => Meaning::Ask(replies.wrong(&error, catalogue)),
    }
}
