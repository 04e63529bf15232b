//! Words to meaning, stage by stage, each with its reason: templates first, the trained network beside them, and where both leave it
//! open, the language model. Pure: what the language model says comes in from outside ([`Answer::with_language`]).
//!
//! A command is taken only where the stages do not contradict one another. Templates know what they know and nothing else; the
//! network has seen more phrasings and knows how sure it is. Where they disagree and neither is sure, the driver is asked.

use std::fmt;

use crate::{
    eval::Expected,
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
        let told = crate::eval::told;
        let mut stages = vec![(Stage::Templates, told(&self.templates), 1.0)];
        stages.extend(self.network.iter().map(|meant| (Stage::IntentModel, told(&meant.understood), meant.confidence)));
        stages.extend(self.language.iter().map(|said| (Stage::LanguageModel, told(said), 1.0)));
        stages
    }

    /// With the language model's word. It decides between readings that others have, and has none of its own: what only it
    /// thinks is not done.
    #[must_use]
    pub fn with_language(mut self, said: Option<&Expected>) -> Answer {
        let Some(said) = said else { return self };
        let said = match said {
            Expected::Commands(calls) => Understood::Commands(calls.clone()),
            Expected::Dialogue => Understood::Dialogue,
            Expected::Reject => Understood::Reject,
            Expected::Ask => Understood::Ask(String::new()),
        };
        let network = self.network.as_ref().map(|meant| &meant.understood);
        if let Some(reading) = [Some(&self.templates), network].into_iter().flatten().find(|reading| same(reading, &said)) {
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
        let templates = self.matcher.understand(utterance);
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

/// Which of two opinions holds.
fn weigh(templates: &Understood, meant: &Meant) -> (Understood, f32, Stage, String) {
    let network = &meant.understood;
    let sure = meant.confidence;
    let told = |what: &str| format!("{what} ({sure:.2})");
    if same(templates, network) {
        return (templates.clone(), sure.max(0.95), Stage::Templates, told("the network agrees"));
    }
    match (templates, network) {
        (Understood::Commands(_), _) if sure < SURE => {
            (templates.clone(), 0.9, Stage::Templates, told("the network is unsure"))
        }
        _ => (network.clone(), sure, Stage::IntentModel, told("the network's word")),
    }
}

/// The same meaning; questions are alike whatever their words.
fn same(a: &Understood, b: &Understood) -> bool {
    match (a, b) {
        (Understood::Ask(_), Understood::Ask(_)) => true,
        (Understood::Commands(a), Understood::Commands(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| crate::eval::same(a, b))
        }
        _ => a == b,
    }
}
