//! The intent-and-slot network (`models/intent_slots_en`; it reads English alone): what was said in words that no template knows, with how sure that is.
//!
//! One run looks at a whole utterance. Where it holds several commands the network says where they part, and each part is looked
//! at again with the rest as its context. Slots are choices, numbers (one of those said, or a constant that words like "halfway"
//! stand for) and spans of the words said; a span is never made up. Pure but for reading the file.

mod encode;
mod schema;

use std::{path::Path, sync::Arc};

use tract_onnx::prelude::*;
use troika_vehicle::catalogue::{Call, Catalogue};

use crate::matcher::{Matcher, Understood, text::Word};
use encode::MOST;
use schema::Schema;

/// Words that join commands and belong to neither.
const JOINS: &[&str] = &["and", "then", "also", "plus", "but"];
/// A part of several that is no command by itself makes the whole this much less sure.
const NO_COMMAND: f32 = 0.1;
/// What takes something out of what is asked for. No slot can say it, so the network reads over it: "close all windows except mine"
/// closes all. It is never sure of such words.
const EXCEPT: &[&str] =
    &["except", "excepting", "excluding", "apart from", "other than", "all but", "but not"];
/// Less than it takes to be acted upon.
const UNSURE: f32 = 0.75;
/// Most candidates that are handed on.
const CANDIDATES: usize = 5;

/// Why the network cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// It cannot be loaded.
    #[error("intent model {path}: {why}")]
    Load {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// A run failed.
    #[error("intent model: {0}")]
    Run(String),
}

/// What the network makes of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Meant {
    /// Its best reading.
    pub understood: Understood,
    /// The product of the probabilities of all that was chosen, 0..1.
    pub confidence: f32,
    /// The likeliest functions, best first, with their probabilities.
    pub candidates: Vec<(String, f32)>,
}

/// The network, ready to run.
pub struct IntentModel {
    plan: Arc<TypedSimplePlan>,
    schema: Schema,
    catalogue: &'static Catalogue,
}

/// One run's answers.
struct Answers {
    intent: Vec<f32>,
    choices: Vec<f32>,
    cuts: Vec<f32>,
    numbers: Vec<f32>,
    spans: Vec<f32>,
}

/// What one segment means.
struct Reading {
    /// Index of the intent.
    intent: usize,
    /// The function's slots; empty for what is none.
    call: Option<Call>,
    confidence: f32,
}

impl IntentModel {
    /// Loads the network, and checks that it speaks of this catalogue.
    ///
    /// # Errors
    /// When the file is not there, damaged, or made for another catalogue.
    pub fn load(path: &Path, catalogue: &'static Catalogue) -> Result<IntentModel, IntentError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|why| IntentError::Load { path: name.clone(), why: why.to_string() })?;
        IntentModel::from_bytes(&bytes, &name, catalogue)
    }

    /// The network of an ONNX file's bytes; `name` is what an error calls it.
    ///
    /// # Errors
    /// When they are no such network, or one made for another catalogue.
    pub fn from_bytes(
        bytes: &[u8],
        name: &str,
        catalogue: &'static Catalogue,
    ) -> Result<IntentModel, IntentError> {
        let told = |why: String| IntentError::Load { path: name.to_owned(), why };
        let onnx = tract_onnx::onnx();
        let proto = onnx
            .proto_model_for_read(&mut std::io::Cursor::new(bytes))
            .map_err(|error| told(format!("{error:#}")))?;
        let metadata: Vec<(String, String)> =
            proto.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        let schema = Schema::read(&metadata, catalogue).map_err(told)?;
        let plan = onnx
            .model_for_proto_model(&proto)
            .and_then(|model| model.into_optimized()?.into_runnable())
            .map_err(|error| told(format!("{error:#}")))?;
        let model = IntentModel { plan, schema, catalogue };
        // A run, so that a network of other shapes is told now and not at the first word.
        let words = Matcher::english().words().split("open the window");
        model.run(&words, &vec![true; words.len()]).map_err(|error| told(error.to_string()))?;
        Ok(model)
    }

    /// What an utterance means. Nothing is said of what has no words, or more than the network can see: `None`.
    ///
    /// # Errors
    /// When the run fails.
    pub fn understand(&self, utterance: &str) -> Result<Option<Meant>, IntentError> {
        // The network was trained on words read so.
        let english = Matcher::english().words();
        let words = english.split(utterance);
        if words.is_empty() || words.len() > MOST {
            return Ok(None);
        }
        let spoken: Vec<String> = english.spoken(utterance).into_iter().map(|(word, _)| word).collect();
        let whole = vec![true; words.len()];
        let answers = self.run(&words, &whole)?;
        let mut candidates = self.candidates(&answers);
        let reading = self.read(&answers, &words, &spoken, &whole);
        let excepted = excepts(&spoken);
        if reading.intent != self.schema.several {
            return Ok(Some(bounded(self.meant(vec![reading], candidates), excepted)));
        }
        let mut readings = Vec::new();
        for (from, to) in parts(&answers, &words) {
            let inside: Vec<bool> = (0..words.len()).map(|at| (from..to).contains(&at)).collect();
            let answers = self.run(&words, &inside)?;
            candidates.extend(self.candidates(&answers).into_iter().take(2));
            readings.push(self.read(&answers, &words, &spoken, &inside));
        }
        let mut meant = self.meant(readings, candidates);
        meant.confidence *= reading.confidence;
        Ok(Some(bounded(meant, excepted)))
    }

    fn meant(&self, readings: Vec<Reading>, mut candidates: Vec<(String, f32)>) -> Meant {
        candidates.sort_by(|a, b| b.1.total_cmp(&a.1));
        candidates.dedup_by(|a, b| a.0 == b.0);
        candidates.truncate(CANDIDATES);
        let mut confidence: f32 = readings.iter().map(|reading| reading.confidence).product();
        let alone = readings.len() == 1;
        let mut calls = Vec::new();
        let mut other = None;
        for reading in readings {
            match reading.call {
                Some(call) => calls.push(call),
                None => {
                    confidence *= if alone { 1.0 } else { NO_COMMAND };
                    other = Some(reading.intent);
                }
            }
        }
        let understood = match other {
            None => Matcher::english().checked(calls),
            Some(_) if !calls.is_empty() => Matcher::english().checked(calls),
            Some(intent) => match self.schema.intents[intent].as_str() {
                "dialogue" => Understood::Dialogue,
                "ask" => Understood::Ask(self.question(&candidates)),
                _ => Understood::Reject,
            },
        };
        Meant { understood, confidence, candidates }
    }

    /// The question for what lacks: of the likeliest function's first slot that has no value when unsaid.
    fn question(&self, candidates: &[(String, f32)]) -> String {
        let replies = Matcher::english().replies();
        candidates
            .iter()
            .find_map(|(name, _)| self.catalogue.function(name))
            .and_then(|function| {
                function.slots.iter().rfind(|slot| slot.unsaid.is_none() && slot.with.is_none())
            })
            .map_or_else(|| replies.question(""), |slot| replies.question(&slot.name))
    }

    fn candidates(&self, answers: &Answers) -> Vec<(String, f32)> {
        let mut all: Vec<(String, f32)> = self
            .schema
            .intents
            .iter()
            .zip(softmax(&answers.intent, self.schema.temperature))
            .filter(|(name, _)| self.catalogue.function(name).is_some())
            .map(|(name, p)| (name.clone(), p))
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(CANDIDATES);
        all
    }

    /// The best reading of a segment.
    fn read(&self, answers: &Answers, words: &[Word], spoken: &[String], inside: &[bool]) -> Reading {
        let schema = &self.schema;
        let mut logits = answers.intent.clone();
        if inside.contains(&false) {
            // A part of several is not several.
            logits[schema.several] = f32::MIN / 2.0;
        }
        let (intent, mut confidence) = best(&softmax(&logits, schema.temperature));
        let Some(function) = self.catalogue.function(&schema.intents[intent]) else {
            return Reading { intent, call: None, confidence };
        };
        let mut call = Call { function: function.name.clone(), slots: Vec::new() };
        for slot in &function.slots {
            let key = format!("{}.{}", function.name, slot.name);
            if slot.with.as_ref().is_some_and(|with| call.slot(&with.slot) != Some(&with.value)) {
                continue;
            }
            let value = if let Some((from, values)) = schema.choices.get(&key) {
                let (at, p) =
                    best(&softmax(&answers.choices[*from..from + values.len()], schema.temperature));
                confidence *= p;
                values[at].clone()
            } else if let Some(row) = schema.numbers.get(&key) {
                let width = MOST + schema.constants.len();
                let (at, p) =
                    best(&softmax(&answers.numbers[row * width..(row + 1) * width], schema.temperature));
                confidence *= p;
                let said = words.get(at).and_then(|word| word.number);
                let number = if at < MOST { said } else { schema.constants.get(at - MOST).copied() };
                // A place without a number: the catalogue then asks for it.
                let Some(number) = number else { continue };
                number.to_string()
            } else if let Some(row) = schema.spans.get(&key) {
                let at = |end: usize| &answers.spans[(2 * row + end) * MOST..(2 * row + end + 1) * MOST];
                let (first, p) = best(&softmax(at(0), schema.temperature));
                let mut later = at(1).to_vec();
                later[..first].fill(f32::MIN / 2.0);
                let (last, q) = best(&softmax(&later, schema.temperature));
                confidence *= p * q;
                let (Some(first), Some(last)) = (words.get(first), words.get(last)) else { continue };
                free_text(&spoken[first.from.0..last.from.1], slot.name == "text")
            } else {
                continue;
            };
            call.slots.push((slot.name.clone(), value));
        }
        Reading { intent, call: Some(call), confidence }
    }

    fn run(&self, words: &[Word], inside: &[bool]) -> Result<Answers, IntentError> {
        let run = || -> TractResult<Answers> {
            let mut outputs = self.plan.run(self.schema.encode(words, inside)?)?;
            let mut take = |_: &str| -> TractResult<Vec<f32>> {
                let tensor = outputs.remove(0).into_tensor();
                Ok(tensor.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
            };
            Ok(Answers {
                intent: take("intent")?,
                choices: take("choices")?,
                cuts: take("cuts")?,
                numbers: take("numbers")?,
                spans: take("spans")?,
            })
        };
        let answers = run().map_err(|error| IntentError::Run(format!("{error:#}")))?;
        let schema = &self.schema;
        let choices: usize = schema.choices.values().map(|(_, values)| values.len()).sum();
        let fits = answers.intent.len() == schema.intents.len()
            && answers.choices.len() == choices
            && answers.cuts.len() == MOST
            && answers.numbers.len() == schema.numbers.len() * (MOST + schema.constants.len())
            && answers.spans.len() == 2 * schema.spans.len() * MOST;
        if !fits || answers.intent.iter().any(|logit| !logit.is_finite()) {
            return Err(IntentError::Run("its answers are not of the shapes that it tells".to_owned()));
        }
        Ok(answers)
    }
}

/// Whether the words take something out of what they ask for.
fn excepts(spoken: &[String]) -> bool {
    let text = format!(" {} ", spoken.join(" ").to_lowercase());
    EXCEPT.iter().any(|words| text.contains(&format!(" {words} ")))
}

fn bounded(mut meant: Meant, excepted: bool) -> Meant {
    if excepted && matches!(meant.understood, Understood::Commands(_)) {
        meant.confidence = meant.confidence.min(UNSURE);
    }
    meant
}

/// Where the commands of one breath lie: from, to (exclusive), without the words that join them.
fn parts(answers: &Answers, words: &[Word]) -> Vec<(usize, usize)> {
    let mut cuts: Vec<usize> = (1..words.len()).filter(|at| answers.cuts[*at] > 0.0).collect();
    if cuts.is_empty() && words.len() > 1 {
        cuts.push(1 + best(&answers.cuts[1..words.len()]).0);
    }
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([words.len()]);
    starts
        .zip(ends)
        .map(|(from, mut to)| {
            while to > from + 1 && JOINS.contains(&words[to - 1].norm.as_str()) {
                to -= 1;
            }
            (from, to)
        })
        .collect()
}

/// The words of a name, without its article; of a message, as said.
fn free_text(spoken: &[String], verbatim: bool) -> String {
    let article = spoken.len() > 1 && !verbatim && matches!(spoken[0].as_str(), "the" | "a" | "an");
    spoken[usize::from(article)..].join(" ")
}

fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let raised: Vec<f32> = logits.iter().map(|logit| ((logit - most) / temperature).exp()).collect();
    let sum: f32 = raised.iter().sum();
    raised.into_iter().map(|value| value / sum).collect()
}

/// Index and value of the greatest; the first of equals.
fn best(values: &[f32]) -> (usize, f32) {
    values
        .iter()
        .copied()
        .enumerate()
        .fold((0, f32::MIN), |best, (at, value)| if value > best.1 { (at, value) } else { best })
}

#[cfg(test)]
mod tests;
