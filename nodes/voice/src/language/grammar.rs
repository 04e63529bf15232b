//! The grammar (GBNF, llama.cpp's form) of everything that may be answered to an utterance, made from the catalogue: one way of
//! writing each call (slots in the catalogue's order, all of them, free text in quotes), `dialogue`, `ask` and `reject`, and nothing
//! else. Pure.
//!
//! Free text is a run of words of what was said, so no name can be made up. Where several texts begin alike their beginning stands
//! once: at each place a letter leads to one rule alone, which keeps the number of llama.cpp's parallel stacks, and with it the
//! time per token, small.

use std::{collections::BTreeMap, fmt::Write as _};

use troika_vehicle::catalogue::{Catalogue, Function, SlotSpec, SlotType};

use crate::matcher::Matcher;

/// Calls of one answer: people say two things at once, seldom three.
pub const CALLS: usize = 3;
/// Words of one text that free text may be made of. A spoken sentence has half of it.
pub const WORDS: usize = 48;
/// What is answered to no vehicle function, to one that lacks something, and to what is not for us.
pub const WORDS_OF_NO_CALL: [&str; 3] = ["ask", "dialogue", "reject"];

/// What an answer may be made of.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Functions by name; none means all. A name that is not in the catalogue is passed over.
    pub functions: &'a [&'a str],
    /// What was said: free text is a run of words of one of these.
    pub said: &'a [&'a str],
    /// Whether a number that was said and that a slot can have is the only one that the slot gets.
    pub said_numbers: bool,
}

/// The grammar; its root is `root`. An answer begins with a space (a model's words do) and ends with a line feed.
pub fn of(catalogue: &Catalogue, frame: &Frame<'_>) -> String {
    let named = |function: &&Function| frame.functions.contains(&function.name.as_str());
    let mut functions: Vec<&Function> = catalogue.functions().iter().filter(named).collect();
    if functions.is_empty() {
        functions = catalogue.functions().iter().collect();
    }
    let chains: Vec<Vec<&str>> = frame.said.iter().map(|said| words(said)).collect();
    let spoken = chains.iter().any(|chain| !chain.is_empty());
    let has_text = |function: &&Function| function.slots.iter().any(|slot| slot.ty == SlotType::Text);
    if !spoken {
        functions.retain(|function| !has_text(function));
    }
    let numbers: Vec<f64> = match frame.said_numbers {
        true => {
            let english = Matcher::english().words();
            frame.said.iter().flat_map(|said| english.split(said)).filter_map(|word| word.number).collect()
        }
        false => Vec::new(),
    };
    let mut rules = String::new();
    let mut names = Trie::default();
    for (index, function) in functions.iter().enumerate() {
        names.add(&function.name, &format!("f{index}"));
        let slots = in_order(function);
        let _ = writeln!(rules, "f{index} ::= {}", tail(&slots, &mut Vec::new(), &numbers));
    }
    let mut others = Trie::default();
    WORDS_OF_NO_CALL.iter().for_each(|word| others.add(word, ""));
    let mut calls = "call".to_owned();
    for _ in 1..CALLS {
        calls = format!("call (\" ; \" {calls})?");
    }
    let root = if functions.is_empty() {
        format!("root ::= \" \" {} \"\\n\"\n", others.expression())
    } else {
        format!(
            "root ::= \" \" ({} | {calls}) \"\\n\"\ncall ::= {}\n",
            others.expression(),
            names.expression()
        )
    };
    if functions.iter().any(has_text) {
        rules.push_str(&text_rules(&chains));
    }
    root + &rules
}

/// The words of a text as free text may hold them: as said, punctuation around them off.
fn words(said: &str) -> Vec<&str> {
    said.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty() && !word.chars().any(|c| c == '"' || c.is_control()))
        .take(WORDS)
        .collect()
}

/// Slots on whose values others depend come before those.
fn in_order(function: &Function) -> Vec<&SlotSpec> {
    let (free, dependent): (Vec<_>, Vec<_>) = function.slots.iter().partition(|slot| slot.with.is_none());
    free.into_iter().chain(dependent).collect()
}

/// The rest of a call: its slots with every value that they may have, given the values that decide which slots there are.
fn tail<'a>(slots: &[&'a SlotSpec], taken: &mut Vec<(&'a str, &'a str)>, numbers: &[f64]) -> String {
    let Some((slot, rest)) = slots.split_first() else { return String::new() };
    if let Some(with) = &slot.with
        && !taken.contains(&(with.slot.as_str(), with.value.as_str()))
    {
        return tail(rest, taken, numbers);
    }
    let key = literal(&format!(" {}=", slot.name));
    let decides = |value: &str| {
        rest.iter().any(|other| {
            other.with.as_ref().is_some_and(|with| with.slot == slot.name && with.value == value)
        })
    };
    let SlotType::OneOf(values) = &slot.ty else {
        return [key, value_of(slot, numbers), tail(rest, taken, numbers)].join(" ").trim_end().to_owned();
    };
    let (deciding, plain): (Vec<&String>, Vec<&String>) = values.iter().partition(|value| decides(value));
    let mut alternatives = Vec::new();
    if !plain.is_empty() {
        let mut trie = Trie::default();
        plain.iter().for_each(|value| trie.add(value, ""));
        alternatives.push([trie.expression(), tail(rest, taken, numbers)].join(" ").trim_end().to_owned());
    }
    for value in deciding {
        taken.push((&slot.name, value));
        alternatives.push(format!("{} {}", literal(value), tail(rest, taken, numbers)).trim_end().to_owned());
        taken.pop();
    }
    match &alternatives[..] {
        [one] => format!("{key} {one}"),
        several => format!("{key} ({})", several.join(" | ")),
    }
}

fn value_of(slot: &SlotSpec, said: &[f64]) -> String {
    let SlotType::Number { min, max, step } = slot.ty else { return "text".to_owned() };
    let fits = |number: &&f64| slot.ty.canonical(&number.to_string()).is_ok();
    let mut trie = Trie::default();
    let mut heard = said.iter().filter(fits).peekable();
    if heard.peek().is_some() {
        heard.for_each(|number| trie.add(&number.to_string(), ""));
    } else {
        // As the catalogue's canonical form counts them.
        let steps = ((max - min) / step).round() as u32;
        (0..=steps).for_each(|n| trie.add(&(min + f64::from(n) * step).to_string(), ""));
    }
    trie.expression()
}

/// `text`: a run of words of one of the texts, in quotes.
fn text_rules(chains: &[Vec<&str>]) -> String {
    let mut rules = String::new();
    let mut starts = Vec::new();
    for (chain, words) in chains.iter().enumerate() {
        for (at, word) in words.iter().enumerate() {
            let name = format!("w{chain}x{at}");
            let more =
                if at + 1 < words.len() { format!(" (\" \" w{chain}x{})?", at + 1) } else { String::new() };
            let _ = writeln!(rules, "{name} ::= {}{more}", literal(word));
            starts.push(name);
        }
    }
    format!("text ::= \"\\\"\" ({}) \"\\\"\"\n{rules}", starts.join(" | "))
}

/// A text between quotes, as GBNF reads it.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Texts by their letters; what begins alike is held once.
#[derive(Default)]
struct Trie {
    /// A text ends here, and this rule follows (or none).
    end: Option<String>,
    next: BTreeMap<char, Trie>,
}

impl Trie {
    fn add(&mut self, text: &str, then: &str) {
        let node = text.chars().fold(self, |node, letter| node.next.entry(letter).or_default());
        node.end = Some(then.to_owned());
    }

    /// Everything from here on, as one expression that can stand beside others.
    fn expression(&self) -> String {
        // Letters after which the same follows are one class.
        let mut branches: Vec<(Vec<char>, String, String)> = Vec::new();
        for (letter, mut node) in &self.next {
            let mut run = String::new();
            while let (None, Some((letter, next)), 1) =
                (&node.end, node.next.first_key_value(), node.next.len())
            {
                run.push(*letter);
                node = next;
            }
            let rest = node.expression();
            match branches.iter_mut().find(|(_, a, b)| *a == run && *b == rest) {
                Some((letters, ..)) => letters.push(*letter),
                None => branches.push((vec![*letter], run, rest)),
            }
        }
        let mut alternatives: Vec<String> = branches
            .into_iter()
            .map(|(letters, run, rest)| {
                let head = match &letters[..] {
                    [one] => literal(&format!("{one}{run}")),
                    several if run.is_empty() => class(several),
                    several => format!("{} {}", class(several), literal(&run)),
                };
                format!("{head} {rest}").trim_end().to_owned()
            })
            .collect();
        let Some(end) = &self.end else {
            return match &alternatives[..] {
                [one] => one.clone(),
                several => format!("({})", several.join(" | ")),
            };
        };
        if alternatives.is_empty() {
            return end.clone();
        }
        if end.is_empty() {
            return format!("({})?", alternatives.join(" | "));
        }
        alternatives.push(end.clone());
        format!("({})", alternatives.join(" | "))
    }
}

/// One of these letters. GBNF has no escape for a dash in brackets, so whatever is no plain letter stands as a text of its own.
fn class(letters: &[char]) -> String {
    if letters.iter().all(|letter| letter.is_alphanumeric()) {
        return format!("[{}]", letters.iter().collect::<String>());
    }
    let each: Vec<String> = letters.iter().map(|letter| literal(&letter.to_string())).collect();
    format!("({})", each.join(" | "))
}

#[cfg(test)]
mod tests;
