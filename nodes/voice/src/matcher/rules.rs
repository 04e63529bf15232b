//! Which rule a clause's concepts fit, and the calls that it makes.

use troika_vehicle::catalogue::{Call, CallError, Catalogue};

use super::{
    slots,
    tag::{Tagged, is},
    templates::{Mood, Rule, Templates},
};

/// What a clause came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    Calls(Vec<Call>),
    Ask(String),
}

/// The best rule's meaning, if any rule explains all concepts and all but `strays` words.
pub(super) fn meaning(
    templates: &Templates,
    catalogue: &Catalogue,
    tagged: &Tagged,
    mood: Mood,
    strays: usize,
) -> Option<Meaning> {
    let rule = templates
        .rules
        .iter()
        .filter(|rule| rule.mood.contains(&mood) && fits(rule, tagged, strays))
        // The first of the most demanding.
        .reduce(|best, rule| if rule.need.len() > best.need.len() { rule } else { best })?;
    Some(calls(rule, catalogue, tagged))
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

fn calls(rule: &Rule, catalogue: &Catalogue, tagged: &Tagged) -> Meaning {
    let mut calls = vec![Call { function: rule.function.clone(), slots: rule.slots.clone() }];
    for (slot, resolver) in &rule.from {
        let values = match slots::resolve(resolver, tagged) {
            Ok(values) => values,
            Err(slots::Unclear(question)) => return Meaning::Ask(question.to_owned()),
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
    checked(calls, catalogue)
}

/// The calls in canonical form, or the question for what they lack.
pub(super) fn checked(calls: Vec<Call>, catalogue: &Catalogue) -> Meaning {
    let mut good = Vec::with_capacity(calls.len());
    for call in &calls {
        match catalogue.validate(call) {
            Ok(call) => good.push(call),
            Err(CallError::MissingSlot { slot, .. }) => return Meaning::Ask(question(&slot)),
            Err(error) => return Meaning::Ask(format!("I cannot do that: {error}.")),
        }
    }
    Meaning::Calls(good)
}

pub(super) fn question(slot: &str) -> String {
    match slot {
        "celsius" => "To how many degrees?".to_owned(),
        "level" => "To which level?".to_owned(),
        "window" => "Front or rear?".to_owned(),
        "state" => "On or off?".to_owned(),
        "which" => "Which light?".to_owned(),
        "contact" => "Whom?".to_owned(),
        "text" => "What shall the message say?".to_owned(),
        "destination" => "Where to?".to_owned(),
        "query" => "What shall I play?".to_owned(),
        "kmh" => "How fast?".to_owned(),
        "mode" => "Which mode?".to_owned(),
        "percent" => "How many percent?".to_owned(),
        "" => "What exactly shall I do?".to_owned(),
        other => format!("Which {}?", other.replace('_', " ")),
    }
}
