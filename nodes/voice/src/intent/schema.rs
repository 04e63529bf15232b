//! What the network tells of itself: its words, its intents and slots, in the order of its answers.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use troika_vehicle::catalogue::{Catalogue, SlotType};

/// The metadata's `schema`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    intents: Vec<String>,
    choices: Vec<(String, Vec<String>)>,
    numbers: Vec<String>,
    spans: Vec<String>,
    constants: Vec<f64>,
    buckets: u32,
    temperature: f32,
}

/// How the network's inputs and answers are to be read.
pub(super) struct Schema {
    /// A word's row in the table.
    pub(super) vocabulary: HashMap<String, u32>,
    /// Functions, then `dialogue`, `reject`, `ask`, `several`.
    pub(super) intents: Vec<String>,
    /// Index of `several`.
    pub(super) several: usize,
    /// `function.slot` to the first of its logits and its values.
    pub(super) choices: BTreeMap<String, (usize, Vec<String>)>,
    /// `function.slot` to its row.
    pub(super) numbers: BTreeMap<String, usize>,
    /// `function.slot` to its pair of rows.
    pub(super) spans: BTreeMap<String, usize>,
    /// Numbers that words stand for.
    pub(super) constants: Vec<f64>,
    /// Buckets of letter groups.
    pub(super) buckets: u32,
    /// Logits are divided by it.
    pub(super) temperature: f32,
}

impl Schema {
    /// Reads the metadata, and holds it against the catalogue.
    pub(super) fn read(metadata: &[(String, String)], catalogue: &Catalogue) -> Result<Schema, String> {
        let get = |key: &str| {
            let found = metadata.iter().find(|(name, _)| name == key);
            found
                .map(|(_, value)| value.as_str())
                .ok_or_else(|| format!("it tells no `{key}`: another network?"))
        };
        let told: Told =
            serde_json::from_str(get("schema")?).map_err(|error| format!("its schema: {error}"))?;
        // Rows 0 and 1 are the unknown word and the number.
        let vocabulary =
            get("vocabulary")?.lines().zip(2..).map(|(word, row)| (word.to_owned(), row)).collect();
        let several =
            told.intents.iter().position(|name| name == "several").ok_or("it has no intent `several`")?;
        let mut from = 0;
        let mut choices = BTreeMap::new();
        for (key, values) in told.choices {
            let at = from;
            from += values.len();
            choices.insert(key, (at, values));
        }
        let rows = |names: Vec<String>| names.into_iter().zip(0..).collect::<BTreeMap<String, usize>>();
        let schema = Schema {
            vocabulary,
            intents: told.intents,
            several,
            choices,
            numbers: rows(told.numbers),
            spans: rows(told.spans),
            constants: told.constants,
            buckets: told.buckets.max(1),
            temperature: if told.temperature > 0.0 { told.temperature } else { 1.0 },
        };
        schema.speaks_of(catalogue)?;
        Ok(schema)
    }

    /// A function or slot that the network has not learnt is not an error of the run, but of the pairing: it is told at once.
    fn speaks_of(&self, catalogue: &Catalogue) -> Result<(), String> {
        for function in catalogue.functions() {
            if !self.intents.contains(&function.name) {
                return Err(format!(
                    "it was not trained for {}: train it anew for this catalogue",
                    function.name
                ));
            }
            for slot in &function.slots {
                let key = format!("{}.{}", function.name, slot.name);
                let fits = match &slot.ty {
                    SlotType::OneOf(values) => self
                        .choices
                        .get(&key)
                        .is_some_and(|(_, known)| known.iter().all(|value| values.contains(value))),
                    SlotType::Number { .. } => self.numbers.contains_key(&key),
                    SlotType::Text => self.spans.contains_key(&key),
                };
                if !fits {
                    return Err(format!(
                        "it was trained for another {key}: train it anew for this catalogue"
                    ));
                }
            }
        }
        Ok(())
    }
}
