//! What the assistant says, in the words of a language (`templates/*/replies.toml`): answers, refusals, what is asked back.

use std::collections::BTreeMap;

use serde::Deserialize;
use troika_vehicle::catalogue::{Call, CallError, Catalogue, Refusal, SlotType};

/// The words of a language, `{…}` to be filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replies {
    /// What was said was hardly heard.
    pub(crate) again: String,
    /// What was asked back for is let go.
    pub(crate) let_go: String,
    /// A question of the world without an answer.
    pub(crate) unknown: String,
    /// More commands than anybody says.
    pub(crate) too_many: String,
    done: String,
    done_brief: String,
    ask_back: String,
    and: String,
    failed: String,
    no_reason: String,
    /// Why a command failed that nobody answered.
    pub(crate) no_answer: String,
    refused: String,
    wrong: String,
    out_of_range: String,
    /// An object, and nothing to do with it.
    pub(crate) which_act: String,
    /// A row, and neither of its sides.
    pub(crate) which_side: String,
    which: String,
    what: String,
    refusal: Refusals,
    question: BTreeMap<String, String>,
    /// Words for slots' values, by slot.
    #[serde(default)]
    value: BTreeMap<String, BTreeMap<String, String>>,
    act: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusals {
    moving: String,
    speed_unknown: String,
    not_by_voice: String,
    unknown: String,
}

/// The act without a sentence of its own.
const OTHER: &str = "other";

impl Replies {
    /// From a file; all that it fills in and speaks of must be there.
    pub(crate) fn parse(text: &str, catalogue: &Catalogue) -> Result<Replies, String> {
        let replies: Replies = toml::from_str(text).map_err(|error| error.to_string())?;
        for (key, text, known) in [
            ("done", &replies.done, &["acts"][..]),
            ("ask_back", &replies.ask_back, &["acts"]),
            ("failed", &replies.failed, &["function", "reason"]),
            ("refused", &replies.refused, &["why"]),
            ("wrong", &replies.wrong, &["error"]),
            ("out_of_range", &replies.out_of_range, &["error", "least", "most"]),
            ("which", &replies.which, &["slot"]),
        ] {
            check(key, text, known)?;
        }
        for slot in replies.question.keys().chain(replies.value.keys()) {
            if !catalogue.functions().iter().any(|function| function.slot(slot).is_some()) {
                return Err(format!("no function has a slot '{slot}'"));
            }
        }
        for (key, text) in &replies.act {
            let place = format!("act.\"{key}\"");
            if key == OTHER {
                check(&place, text, &["function", "values"])?;
                continue;
            }
            let (name, with) = key.split_once(' ').unwrap_or((key, ""));
            let function =
                catalogue.function(name).ok_or_else(|| format!("{place}: no function '{name}'"))?;
            let slots: Vec<&str> = function.slots.iter().map(|slot| slot.name.as_str()).collect();
            if !with.is_empty() && !with.split_once('=').is_some_and(|(slot, _)| slots.contains(&slot)) {
                return Err(format!("{place}: '{with}' is no slot=value of {name}"));
            }
            check(&place, text, &slots)?;
        }
        if !replies.act.contains_key(OTHER) {
            return Err(format!("act.{OTHER} is not there"));
        }
        Ok(replies)
    }

    /// A refusal, with its explanation.
    pub(crate) fn refused(&self, why: &Refusal) -> String {
        let why = match why {
            Refusal::Moving => &self.refusal.moving,
            Refusal::SpeedUnknown => &self.refusal.speed_unknown,
            Refusal::NotByVoice => &self.refusal.not_by_voice,
            Refusal::Unknown => &self.refusal.unknown,
        };
        filled(&self.refused, |_| why.clone())
    }

    /// What the catalogue does not accept: asked for, or said to be wrong.
    pub(crate) fn wrong(&self, error: &CallError, catalogue: &Catalogue) -> String {
        let slot = match error {
            CallError::MissingSlot { slot, .. } => return self.question(slot),
            CallError::WrongValue { function, slot, .. } => {
                catalogue.function(function).and_then(|function| function.slot(slot))
            }
            _ => None,
        };
        match slot.map(|slot| &slot.ty) {
            Some(SlotType::Number { min, max, .. }) => filled(&self.out_of_range, |name| match name {
                "least" => min.to_string(),
                "most" => max.to_string(),
                _ => error.to_string(),
            }),
            _ => filled(&self.wrong, |_| error.to_string()),
        }
    }

    /// The question for a slot without a value; for none in particular when it is empty.
    pub(crate) fn question(&self, slot: &str) -> String {
        match (self.question.get(slot), slot) {
            (Some(question), _) => question.clone(),
            (None, "") => self.what.clone(),
            (None, slot) => filled(&self.which, |_| slot.replace('_', " ")),
        }
    }

    /// "Shall I call Anna?"
    pub(crate) fn ask_back(&self, calls: &[Call]) -> String {
        filled(&self.ask_back, |_| self.acts(calls))
    }

    /// "OK: open the front left window." To a drowsy driver just "OK."
    pub(crate) fn carried_out(&self, calls: &[Call], brief: bool) -> String {
        troika_safety::fulfils![SR_ATT_001];
        if brief { self.done_brief.clone() } else { filled(&self.done, |_| self.acts(calls)) }
    }

    /// "That did not work (trunk.move): …"
    pub(crate) fn failed(&self, function: &str, reason: &str) -> String {
        let reason = if reason.is_empty() { &self.no_reason } else { reason };
        filled(&self.failed, |name| if name == "reason" { reason } else { function }.to_owned())
    }

    fn acts(&self, calls: &[Call]) -> String {
        calls.iter().map(|call| self.act(call)).collect::<Vec<_>>().join(&self.and)
    }

    /// An act in words; what has no sentence of its own is told by its name and values.
    fn act(&self, call: &Call) -> String {
        let told = |slot: &str, value: &str| match self.value.get(slot).and_then(|words| words.get(value)) {
            Some(word) => word.clone(),
            None => value.replace('_', " "),
        };
        let own = call
            .slots
            .iter()
            .find_map(|(slot, value)| self.act.get(&format!("{} {slot}={value}", call.function)))
            .or_else(|| self.act.get(&call.function));
        if let Some(own) = own {
            return filled(own, |slot| told(slot, call.slot(slot).unwrap_or_default()));
        }
        let values =
            || call.slots.iter().map(|(slot, value)| told(slot, value)).collect::<Vec<_>>().join(" ");
        let other = self.act.get(OTHER).map_or("", String::as_str);
        let text = filled(other, |name| match name {
            "values" => values(),
            _ => call.function.replace(['.', '_'], " "),
        });
        text.trim_end().to_owned()
    }
}

/// Each `{name}` of a text; what follows an open brace without a close is none.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

fn check(key: &str, text: &str, known: &[&str]) -> Result<(), String> {
    match names(text).find(|name| !known.contains(name)) {
        Some(name) => Err(format!("{key}: nothing is known of {{{name}}}, only of {}", known.join(", "))),
        None => Ok(()),
    }
}

/// The text with its names filled in, once: what is filled in is not looked at again.
fn filled(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut pieces = text.split('{');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}') {
            Some((name, rest)) => {
                out.push_str(&value(name));
                out.push_str(rest);
            }
            None => out.push_str(piece),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use troika_vehicle::catalogue::SlotSpec;

    use super::*;
    use crate::{matcher::Matcher, tongue::Tongue};

    fn replies(tongue: Tongue) -> &'static Replies {
        Matcher::of(tongue).replies()
    }

    #[test]
    fn english_refusals_are_the_catalogues_own_words() {
        for why in [Refusal::Moving, Refusal::SpeedUnknown, Refusal::NotByVoice, Refusal::Unknown] {
            assert_eq!(replies(Tongue::English).refused(&why), format!("I cannot do that: {why}."));
        }
    }

    #[test]
    fn an_act_is_told_in_a_sentence() {
        let english = replies(Tongue::English);
        for (call, told) in [
            (
                Call::new("window.move", &[("position", "rear_left"), ("action", "open"), ("percent", "50")]),
                "OK: open the rear left window to 50 percent.",
            ),
            (Call::new("climate.set_fan", &[("level", "3")]), "OK: set the fan to 3."),
            (
                Call::new("window.move", &[("position", "all"), ("action", "close"), ("percent", "100")]),
                "OK: close all windows.",
            ),
            (Call::new("some.thing", &[("level", "3")]), "OK: some thing 3."),
            (Call::new("phone.call", &[("contact", "{contact}")]), "OK: call {contact}."),
        ] {
            assert_eq!(english.carried_out(&[call], false), told);
        }
        let german = replies(Tongue::German);
        let call = Call::new("media.volume", &[("action", "set"), ("percent", "40")]);
        assert_eq!(german.ask_back(&[call]), "Soll ich die Lautstärke auf 40 Prozent stellen?");
    }

    #[test]
    fn every_act_and_every_slot_has_words_of_its_own() {
        for tongue in [Tongue::English, Tongue::German] {
            let replies = replies(tongue);
            for function in Catalogue::built_in().functions() {
                let words = |key: &str| replies.act.contains_key(&format!("{}{key}", function.name));
                // By itself, or for each value of one of its slots.
                let of_values = |slot: &SlotSpec| match &slot.ty {
                    SlotType::OneOf(values) => {
                        values.iter().all(|value| words(&format!(" {}={value}", slot.name)))
                    }
                    _ => false,
                };
                assert!(
                    words("") || function.slots.iter().any(of_values),
                    "{tongue:?}: {} has no words",
                    function.name
                );
                for slot in &function.slots {
                    let asked = slot.unsaid.is_some() || replies.question.contains_key(&slot.name);
                    let fixed = slot.with.is_some() || matches!(&slot.ty, SlotType::OneOf(_));
                    assert!(asked || fixed, "{tongue:?}: {} {}", function.name, slot.name);
                }
            }
        }
    }

    #[test]
    fn a_reply_that_speaks_of_what_is_not_there_is_refused_with_its_key() {
        let good = Tongue::English.sources().replies;
        for (from, to, says) in [
            ("{acts}?", "{act}?", "ask_back: nothing is known of {act}"),
            ("call {contact}", "call {who}", "act.\"phone.call\""),
            ("\"trunk.move\" =", "\"truck.move\" =", "no function 'truck.move'"),
            ("celsius =", "kelvin =", "'kelvin'"),
            ("again =", "agian =", "agian"),
            ("other =", "another =", "another"),
        ] {
            assert!(good.contains(from), "{from}");
            let error = Replies::parse(&good.replacen(from, to, 1), Catalogue::built_in()).err();
            assert!(error.as_ref().is_some_and(|error| error.contains(says)), "{to}: {error:?}");
        }
    }
}
