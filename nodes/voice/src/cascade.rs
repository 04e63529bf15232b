//! Words to meaning, stage by stage, each with its reason: templates first, the trained network beside them, and where both leave it
//! open, the language model. Pure: what the language model says comes in from outside ([`Answer::with_language`]).
//!
//! A command is taken only where the stages do not contradict one another. Templates know what they know and nothing else; the
//! network has seen more phrasings and knows how sure it is. Where they disagree and neither is sure, the driver is asked.

use std::fmt;

use troika_vehicle::catalogue::{Call, Catalogue, Situation, SlotType, Source, Verdict};

use crate::{
    eval::{self, Expected},
    intent::{IntentModel, Meant},
    matcher::{Matcher, Understood},
};

/// Who understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Deterministic templates.
    Templates,
    /// The trained intent-and-slot network.
    IntentModel,
    /// The language model on the vehicle.
    LanguageModel,
    /// What was asked or done before.
    Context,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Templates => "templates",
            Stage::IntentModel => "intent_model",
            Stage::LanguageModel => "language_model",
            Stage::Context => "context",
        })
    }
}

/// What an utterance means, and why that is thought.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What it means.
    pub understood: Understood,
    /// 0..1: how sure that is.
    pub confidence: f32,
    /// Who said so.
    pub stage: Stage,
    /// Why, for a person.
    pub reason: String,
    /// What the templates said.
    pub templates: Understood,
    /// What the network said, where there is one and it could look.
    pub network: Option<Meant>,
    /// What the language model said, where it was asked.
    pub language: Option<Understood>,
}

impl Answer {
    /// Whether it may be acted upon without asking back.
    pub fn sure(&self) -> bool {
        self.confidence >= SURE
    }

    /// What an utterance means in the talk that it is part of; `alone`: what the templates made of it by itself.
    pub(crate) fn context(understood: Understood, alone: Understood, reason: String) -> Answer {
        Answer {
            understood,
            confidence: 1.0,
            stage: Stage::Context,
            reason,
            templates: alone,
            network: None,
            language: None,
        }
    }

    /// The same, for another reason.
    pub(crate) fn because(self, stage: Stage, reason: String) -> Answer {
        Answer { stage, reason, ..self }
    }

    /// The likeliest functions, best first.
    pub fn candidates(&self) -> Vec<&str> {
        self.network.iter().flat_map(|meant| meant.candidates.iter().map(|(name, _)| name.as_str())).collect()
    }

    /// Each stage that looked: its meaning as in vehicle-functions.toml, and how sure it was.
    pub fn stages(&self) -> Vec<(Stage, String, f32)> {
        let mut stages = vec![(Stage::Templates, eval::told(&self.templates), 1.0)];
        stages.extend(
            self.network
                .iter()
                .map(|meant| (Stage::IntentModel, eval::told(&meant.understood), meant.confidence)),
        );
        stages.extend(self.language.iter().map(|said| (Stage::LanguageModel, eval::told(said), 1.0)));
        stages
    }

    /// With the language model's word. It decides between readings that others have, and has none of its own: what only it
    /// thinks is not done.
    #[must_use]
    pub fn with_language(mut self, said: Option<&Expected>) -> Answer {
        troika_safety::fulfils![SR_VOI_009];
        let Some(said) = said else { return self };
        let said = Understood::from(said.clone());
        let network = self.network.as_ref().map(|meant| &meant.understood);
        if let Some(reading) =
            [Some(&self.templates), network].into_iter().flatten().find(|reading| eval::alike(reading, &said))
        {
            self.understood = reading.clone();
            self.confidence = self.confidence.max(SURE);
            self.stage = Stage::LanguageModel;
            "the language model agrees with another stage".clone_into(&mut self.reason);
        } else {
            self.reason.push_str("; the language model thinks otherwise");
        }
        self.language = Some(said);
        self
    }
}

/// From here on the network's word counts by itself.
pub const SURE: f32 = 0.8;
/// What two stages say alike is surer than that.
const AGREED: f32 = 0.95;
/// From here on the network's word holds against a template's command.
const CERTAIN: f32 = 0.95;
/// From here on it is what is proposed when it is asked back.
const LIKELY: f32 = 0.7;
/// What they say differently is less sure, whatever the network thinks: it is asked back.
const DIFFER: f32 = 0.75;
/// A command that the network sees with less than this is none, where the templates see none either.
const DOUBT: f32 = 0.4;

/// The stages that are here.
pub struct Cascade {
    matcher: &'static Matcher,
    network: Option<IntentModel>,
}

impl Cascade {
    /// With or without the network.
    pub fn new(matcher: &'static Matcher, network: Option<IntentModel>) -> Cascade {
        Cascade { matcher, network }
    }

    /// The templates.
    pub fn matcher(&self) -> &'static Matcher {
        self.matcher
    }

    /// Understands one utterance by templates and network.
    pub fn understand(&self, utterance: &str) -> Answer {
        self.beside(self.matcher.understand(utterance), utterance)
    }

    /// The same, where it is known what the templates make of it.
    pub(crate) fn beside(&self, templates: Understood, utterance: &str) -> Answer {
        let (network, fault) = match self.network.as_ref().map(|network| network.understand(utterance)) {
            Some(Ok(meant)) => (meant, None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        let (understood, confidence, stage, reason) = match &network {
            None => {
                let reason = fault.unwrap_or_else(|| "templates alone".to_owned());
                (templates.clone(), 1.0, Stage::Templates, reason)
            }
            Some(meant) => weigh(&templates, meant),
        };
        Answer { understood, confidence, stage, reason, templates, network, language: None }
    }
}

/// Which of two opinions holds, measured on lines that neither was made for (`models/intent_slots_en/README.md`): where they differ
/// and the network is sure, it is right nine times of ten; where it is not, templates that see a command are right as often.
fn weigh(templates: &Understood, meant: &Meant) -> (Understood, f32, Stage, String) {
    let (network, sure) = (&meant.understood, meant.confidence);
    let told = |what: &str| format!("{what} ({sure:.2})");
    if eval::alike(templates, network) {
        return (templates.clone(), sure.max(AGREED), Stage::Templates, told("the network agrees"));
    }
    match (templates, network) {
        // The same function with another value ("cooler", not "warmer"): one of them has it backwards, so it is asked.
        (Understood::Commands(a), Understood::Commands(b))
            if sure >= CERTAIN && same_functions(a, b) && !alike(a, b) =>
        {
            (network.clone(), sure.min(DIFFER), Stage::IntentModel, told("the network reads other values"))
        }
        // A command that a template was written for is given up only for a word that is all but certain.
        (Understood::Commands(_), _) if sure >= CERTAIN => {
            (network.clone(), sure, Stage::IntentModel, told("the network is certain"))
        }
        // What is gated, and no template knows it: the radio's "open the trunk" amid a story.
        (_, Understood::Commands(calls)) if (SURE..CERTAIN).contains(&sure) && gated(calls) => (
            network.clone(),
            sure.min(DIFFER),
            Stage::IntentModel,
            told("the network is sure, but not certain"),
        ),
        (Understood::Reject | Understood::Dialogue | Understood::Ask(_), _) if sure >= SURE => {
            (network.clone(), sure, Stage::IntentModel, told("the network is sure"))
        }
        // Where names begin and end the network sees better than a pattern, even when it is not sure.
        (Understood::Commands(a), Understood::Commands(b)) if alike(a, b) => {
            (network.clone(), sure.min(DIFFER), Stage::IntentModel, told("the network reads other values"))
        }
        // Asked back in any case: which of them is proposed? Of eleven such lines (dev-d.tsv and the templates' own) the network
        // was right on both above this, and on two of nine below. Where it sees no command it was wrong on both.
        (Understood::Commands(_), Understood::Commands(_) | Understood::Ask(_)) if sure >= LIKELY => (
            network.clone(),
            sure.min(DIFFER),
            Stage::IntentModel,
            told("the network reads it otherwise, unsurely"),
        ),
        (Understood::Commands(_), _) => {
            (templates.clone(), DIFFER, Stage::Templates, told("the network reads it otherwise, unsurely"))
        }
        (_, Understood::Commands(_)) if sure < DOUBT => {
            (templates.clone(), 1.0 - sure, Stage::Templates, told("the network sees a command, but hardly"))
        }
        _ => (network.clone(), sure, Stage::IntentModel, told("the network is not sure")),
    }
}

/// Whether a gate stands before any of them in some situation: less than certainty is not enough then.
fn gated(calls: &[Call]) -> bool {
    let least = Situation { speed_kmh: None, source: Source::Voice, confirmed: false };
    calls.iter().any(|call| Catalogue::built_in().gate(call, &least) != Verdict::Execute)
}

fn same_functions(a: &[Call], b: &[Call]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.function == b.function)
}

/// Free text alone differs: the same functions with the same other slots.
fn alike(a: &[Call], b: &[Call]) -> bool {
    let without_text = |call: &Call| {
        let function = Catalogue::built_in().function(&call.function)?;
        let text =
            |name: &str| function.slots.iter().any(|slot| slot.name == name && slot.ty == SlotType::Text);
        let slots: Vec<_> = call.slots.iter().filter(|(name, _)| !text(name)).cloned().collect();
        (slots.len() < call.slots.len()).then(|| Call { function: call.function.clone(), slots })
    };
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| match (without_text(a), without_text(b)) {
            (Some(a), Some(b)) => eval::same(&a, &b),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str, confidence: f32) -> Meant {
        let understood = Understood::from(eval::meaning(text).expect("reads"));
        Meant { understood, confidence, candidates: Vec::new() }
    }

    fn weighed(templates: &str, network: &str, confidence: f32) -> (String, bool) {
        let (understood, sure, _, _) = weigh(&meant(templates, 1.0).understood, &meant(network, confidence));
        (eval::told(&understood), sure >= SURE)
    }

    #[test]
    fn what_both_say_is_done_though_the_network_is_unsure() {
        assert_eq!(
            weighed("sunroof.move action=open", "sunroof.move action=open", 0.5),
            ("sunroof.move action=open".to_owned(), true)
        );
    }

    #[test]
    fn a_sure_network_holds_against_the_templates() {
        assert_eq!(weighed("sunroof.move action=open", "reject", 0.96), ("reject".to_owned(), true));
        assert_eq!(
            weighed("reject", "sunroof.move action=open", 0.9),
            ("sunroof.move action=open".to_owned(), true)
        );
    }

    #[test]
    fn where_they_differ_and_nobody_is_sure_it_is_asked_back() {
        for (templates, network) in [
            ("sunroof.move action=close", "sunroof.move action=open"),
            ("sunroof.move action=open", "reject"),
            ("sunroof.move action=open", "dialogue"),
            ("reject", "sunroof.move action=open"),
        ] {
            let (said, sure) = weighed(templates, network, 0.75);
            assert_eq!((said.as_str(), sure), ("sunroof.move action=open", false), "{templates} | {network}");
            let (_, sure) = weighed(templates, network, 0.6);
            assert!(!sure, "{templates} | {network}");
        }
    }

    #[test]
    fn a_value_that_is_read_in_two_ways_is_asked_back_however_sure_the_network_is() {
        let (warmer, cooler) = (
            "climate.adjust_temperature zone=passenger direction=warmer",
            "climate.adjust_temperature zone=passenger direction=cooler",
        );
        assert_eq!(weighed(cooler, warmer, 0.98), (warmer.to_owned(), false));
    }

    #[test]
    fn what_is_gated_wants_certainty_where_no_template_knows_it() {
        assert_eq!(
            weighed("reject", "trunk.move action=open", 0.9),
            ("trunk.move action=open".to_owned(), false)
        );
        assert_eq!(
            weighed("reject", "trunk.move action=open", 0.97),
            ("trunk.move action=open".to_owned(), true)
        );
    }

    #[test]
    fn a_command_that_is_hardly_seen_is_none() {
        assert_eq!(weighed("reject", "trunk.move action=open", 0.3).0, "reject");
    }

    #[test]
    fn names_end_where_the_network_says() {
        let (said, sure) =
            weighed("phone.call contact=\"margaret for me\"", "phone.call contact=margaret", 0.6);
        assert_eq!((said.as_str(), sure), ("phone.call contact=margaret", false));
    }
}
