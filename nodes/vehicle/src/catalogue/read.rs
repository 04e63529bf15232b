//! The catalogue file. Read by hand from the spanned tree, so that every fault has its line.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Catalogue, CatalogueError, Function, Gate, GateRule, SlotSpec, SlotType, With};

type Result<T> = core::result::Result<T, CatalogueError>;
type Table<'a> = DeTable<'a>;

/// The file's text, to turn byte offsets into lines.
struct File<'a>(&'a str);

impl File<'_> {
    fn fault<T>(&self, span: Range<usize>, reason: impl Into<String>) -> Result<T> {
        let before = self.0.as_bytes().get(..span.start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Err(CatalogueError { line, reason: reason.into() })
    }

    fn string<'v>(&self, value: &'v Spanned<DeValue<'_>>, what: &str) -> Result<&'v str> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => self.fault(value.span(), format!("{what} is a string")),
        }
    }
}

/// A table's entries in the file's order, each with the key's place.
fn in_order<'t, 'a>(table: &'t Table<'a>) -> Vec<(&'t str, Range<usize>, &'t Spanned<DeValue<'a>>)> {
    let mut entries: Vec<_> =
        table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)).collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries
}

pub(super) fn catalogue(text: &str) -> Result<Catalogue> {
    let file = File(text);
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => return file.fault(error.span().unwrap_or(0..0), error.message()),
    };
    let mut functions: Vec<Function> = Vec::new();
    for (key, span, value) in in_order(root.get_ref()) {
        let DeValue::Array(tables) = value.get_ref() else {
            return file.fault(span, format!("'{key}' is not known here; write [[function]]"));
        };
        if key != "function" {
            return file.fault(span, format!("'{key}' is not known here; write [[function]]"));
        }
        for table in tables.iter() {
            let DeValue::Table(entries) = table.get_ref() else {
                return file.fault(table.span(), "a function is a table: write [[function]]");
            };
            let function = function(&file, table.span(), entries)?;
            if functions.iter().any(|other| other.name == function.name) {
                return file.fault(table.span(), format!("'{}' is there twice", function.name));
            }
            functions.push(function);
        }
    }
    if functions.is_empty() {
        return file.fault(0..0, "no [[function]] in the file");
    }
    Ok(Catalogue { functions })
}

fn function(file: &File<'_>, at: Range<usize>, entries: &Table<'_>) -> Result<Function> {
    let (mut name, mut slots, mut gate, mut unsaid) = (None, None, None, None);
    for (key, span, value) in in_order(entries) {
        match key {
            "name" => name = Some((file.string(value, "name")?, value.span())),
            "gate" => gate = Some((file.string(value, "gate")?, value.span())),
            "slots" | "unsaid" => {
                let DeValue::Table(table) = value.get_ref() else {
                    return file.fault(value.span(), format!("{key} is a table: {key} = {{ … }}"));
                };
                *(if key == "slots" { &mut slots } else { &mut unsaid }) = Some(table);
            }
            _ => {
                return file
                    .fault(span, format!("'{key}' is not known; known are name, slots, unsaid, gate"));
            }
        }
    }
    let Some((name, name_at)) = name else { return file.fault(at, "a function has a name") };
    if !name.split_once('.').is_some_and(|(group, act)| is_word(group) && is_word(act)) {
        return file.fault(name_at, format!("'{name}' is no function name: group.act in a-z, 0-9 and _"));
    }
    let Some((gate, gate_at)) = gate else { return file.fault(at, format!("{name} has no gate")) };
    let mut specs: Vec<(SlotSpec, Range<usize>)> = Vec::new();
    for (slot, span, value) in slots.map(in_order).unwrap_or_default() {
        if !is_word(slot) {
            return file.fault(span, format!("'{slot}' is no slot name: a-z, 0-9 and _"));
        }
        specs.push((slot_spec(file, slot, value)?, value.span()));
    }
    // `(with set)` names a value; which slot's, only the whole table tells.
    for index in 0..specs.len() {
        let Some(value) = specs[index].0.with.as_ref().map(|with| with.value.clone()) else { continue };
        match owner(specs.iter().map(|(spec, _)| spec), &value) {
            Some(slot) => specs[index].0.with = Some(With { slot, value }),
            None => return file.fault(specs[index].1.clone(), format!("no slot of {name} can be '{value}'")),
        }
    }
    let mut slots: Vec<SlotSpec> = specs.into_iter().map(|(spec, _)| spec).collect();
    for (slot, span, value) in unsaid.map(in_order).unwrap_or_default() {
        let said = file.string(value, "what is unsaid")?;
        let Some(spec) = slots.iter_mut().find(|spec| spec.name == slot) else {
            return file.fault(span, format!("{name} has no slot '{slot}'"));
        };
        match spec.ty.canonical(said) {
            Ok(canonical) => spec.unsaid = Some(canonical),
            Err(wrong) => return file.fault(value.span(), format!("'{slot}' {wrong}")),
        }
    }
    let gates = gates(file, gate, gate_at, &slots)?;
    Ok(Function { name: name.to_owned(), slots, gates })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The one slot that can have this value.
fn owner<'s>(slots: impl Iterator<Item = &'s SlotSpec>, value: &str) -> Option<String> {
    let mut owners = slots.filter(|slot| match &slot.ty {
        SlotType::OneOf(words) => words.iter().any(|word| word == value),
        _ => false,
    });
    let first = owners.next()?;
    owners.next().is_none().then(|| first.name.clone())
}

/// `["a", "b"]`, `"16..30 step 0.5"`, `"0..100 (100 if unsaid)"`, `"0..100 (with set)"` or `"free text"`.
fn slot_spec(file: &File<'_>, name: &str, value: &Spanned<DeValue<'_>>) -> Result<SlotSpec> {
    let mut spec = SlotSpec { name: name.to_owned(), ty: SlotType::Text, unsaid: None, with: None };
    let text = match value.get_ref() {
        DeValue::Array(words) => {
            let mut known = Vec::new();
            for word in words.iter() {
                let text = file.string(word, "a slot's value")?;
                if !is_word(text) || known.iter().any(|other| other == text) {
                    return file
                        .fault(word.span(), format!("'{text}' is no value of its own: a-z, 0-9 and _"));
                }
                known.push(text.to_owned());
            }
            if known.is_empty() {
                return file.fault(value.span(), format!("'{name}' has no values"));
            }
            spec.ty = SlotType::OneOf(known);
            return Ok(spec);
        }
        DeValue::String(text) => text.as_ref(),
        _ => {
            return file
                .fault(value.span(), format!("'{name}' is a list of values, a range or \"free text\""));
        }
    };
    if text == "free text" {
        return Ok(spec);
    }
    let (range, note) = match text.split_once('(') {
        Some((range, note)) => (range.trim(), note.strip_suffix(')')),
        None => (text.trim(), Some("")),
    };
    let (ends, step) = range.split_once(" step ").unwrap_or((range, "1"));
    let numbers = ends.split_once("..").and_then(|(min, max)| {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        Some((number(min)?, number(max)?, number(step)?))
    });
    match numbers {
        Some((min, max, step)) if min < max && step > 0.0 => spec.ty = SlotType::Number { min, max, step },
        _ => {
            return file.fault(
                value.span(),
                format!("'{text}' is no range: \"MIN..MAX\" or \"MIN..MAX step STEP\""),
            );
        }
    }
    match note {
        Some("") => {}
        Some(note) => match (note.strip_suffix(" if unsaid"), note.strip_prefix("with ")) {
            (Some(unsaid), _) => match spec.ty.canonical(unsaid) {
                Ok(canonical) => spec.unsaid = Some(canonical),
                Err(wrong) => return file.fault(value.span(), format!("'{name}' {wrong}")),
            },
            (_, Some(with)) => spec.with = Some(With { slot: String::new(), value: with.to_owned() }),
            _ => {
                return file
                    .fault(value.span(), format!("'({note})' is not known: (N if unsaid) or (with VALUE)"));
            }
        },
        None => return file.fault(value.span(), "a '(' is not closed"),
    }
    Ok(spec)
}

/// `always`, `standstill`, `confirm`, `never_by_voice_alone`, each perhaps behind `VALUE: `; several joined by `, `.
fn gates(file: &File<'_>, text: &str, at: Range<usize>, slots: &[SlotSpec]) -> Result<Vec<GateRule>> {
    let mut rules = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (value, word) = match part.split_once(':') {
            Some((value, word)) => (Some(value.trim()), word.trim()),
            None => (None, part),
        };
        let gate = match word {
            "always" => Gate::Always,
            "standstill" => Gate::Standstill,
            "confirm" => Gate::Confirm,
            "never_by_voice_alone" => Gate::NeverByVoiceAlone,
            _ => {
                return file.fault(
                    at,
                    format!("'{word}' is no gate: always, standstill, confirm or never_by_voice_alone"),
                );
            }
        };
        let when = match value {
            None => None,
            Some(value) => match owner(slots.iter(), value) {
                Some(slot) => Some((slot, value.to_owned())),
                None => return file.fault(at, format!("no slot can be '{value}'")),
            },
        };
        rules.push(GateRule { when, gate });
    }
    Ok(rules)
}
