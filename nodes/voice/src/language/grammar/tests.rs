//! The grammar against the catalogue, by a reader of GBNF of the tests' own: what can be derived, and that nothing else can.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use troika_vehicle::catalogue::Call;

use super::*;
use crate::eval::{self, Expected};

/// What GBNF's reader knows here: literals, classes, groups, rules, `?` and `|`.
#[derive(Debug)]
enum Part {
    Text(String),
    Class(Vec<char>),
    Rule(String),
    Group(Vec<Vec<(Part, bool)>>),
}
type Choice = Vec<Vec<(Part, bool)>>;

struct Grammar(BTreeMap<String, Choice>);

impl Grammar {
    fn read(text: &str) -> Grammar {
        let rules = text.lines().map(|line| {
            let (name, body) = line.split_once(" ::= ").unwrap_or_else(|| panic!("no rule: {line}"));
            let letters: Vec<char> = body.chars().collect();
            let mut at = 0;
            let choice = choice(&letters, &mut at);
            assert_eq!(at, letters.len(), "{line}");
            (name.to_owned(), choice)
        });
        Grammar(rules.collect())
    }

    /// Where a text that begins at `from` with this can go on.
    fn ends(&self, choice: &Choice, text: &[char], from: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        for sequence in choice {
            let mut heads = BTreeSet::from([from]);
            for (part, optional) in sequence {
                let mut next = if *optional { heads.clone() } else { BTreeSet::new() };
                for head in heads {
                    next.extend(self.part(part, text, head));
                }
                heads = next;
            }
            all.extend(heads);
        }
        all
    }

    fn part(&self, part: &Part, text: &[char], from: usize) -> BTreeSet<usize> {
        match part {
            Part::Text(literal) => {
                let letters: Vec<char> = literal.chars().collect();
                text[from..].starts_with(&letters).then_some(from + letters.len()).into_iter().collect()
            }
            Part::Class(class) => {
                text.get(from).is_some_and(|c| class.contains(c)).then_some(from + 1).into_iter().collect()
            }
            Part::Rule(name) => self.ends(&self.0[name], text, from),
            Part::Group(choice) => self.ends(choice, text, from),
        }
    }

    fn takes(&self, answer: &str) -> bool {
        let text: Vec<char> = format!(" {answer}\n").chars().collect();
        self.ends(&self.0["root"], &text, 0).contains(&text.len())
    }

    /// Some answer that it allows; each choice takes one of `dice`.
    fn derive(&self, choice: &Choice, dice: &mut impl Iterator<Item = usize>, out: &mut String) {
        let sequence = &choice[dice.next().unwrap_or(0) % choice.len()];
        for (part, optional) in sequence {
            if *optional && dice.next().unwrap_or(0).is_multiple_of(2) {
                continue;
            }
            match part {
                Part::Text(literal) => out.push_str(literal),
                Part::Class(class) => out.push(class[dice.next().unwrap_or(0) % class.len()]),
                Part::Rule(name) => self.derive(&self.0[name], dice, out),
                Part::Group(choice) => self.derive(choice, dice, out),
            }
        }
    }
}

fn choice(letters: &[char], at: &mut usize) -> Choice {
    let mut choice: Choice = vec![Vec::new()];
    while let Some(letter) = letters.get(*at) {
        let part = match letter {
            ' ' => {
                *at += 1;
                continue;
            }
            '|' => {
                *at += 1;
                choice.push(Vec::new());
                continue;
            }
            ')' => break,
            '(' => {
                *at += 1;
                let group = self::choice(letters, at);
                assert_eq!(letters.get(*at), Some(&')'));
                *at += 1;
                Part::Group(group)
            }
            '"' | '[' => {
                let close = if *letter == '"' { '"' } else { ']' };
                let mut text = String::new();
                *at += 1;
                while letters[*at] != close {
                    if letters[*at] == '\\' {
                        *at += 1;
                        text.push(if letters[*at] == 'n' { '\n' } else { letters[*at] });
                    } else {
                        text.push(letters[*at]);
                    }
                    *at += 1;
                }
                *at += 1;
                if close == '"' { Part::Text(text) } else { Part::Class(text.chars().collect()) }
            }
            _ => {
                let from = *at;
                while letters.get(*at).is_some_and(char::is_ascii_alphanumeric) {
                    *at += 1;
                }
                assert!(*at > from, "'{letter}' is not known here");
                Part::Rule(letters[from..*at].iter().collect())
            }
        };
        let optional = letters.get(*at) == Some(&'?');
        *at += usize::from(optional);
        choice.last_mut().expect("one").push((part, optional));
    }
    choice
}

const SAID: &str = "Tell Anna: I'm late, \"really\" 5 minutes";

fn frame<'a>(functions: &'a [&'a str], said: &'a [&'a str]) -> Frame<'a> {
    Frame { functions, said, said_numbers: false }
}

fn full() -> Grammar {
    Grammar::read(&of(Catalogue::built_in(), &frame(&[], &[SAID])))
}

/// Calls of a function in which each slot has each of its values at least once.
fn calls_of(function: &Function) -> Vec<Call> {
    let values = |slot: &SlotSpec| -> Vec<String> {
        match &slot.ty {
            SlotType::OneOf(values) => values.clone(),
            SlotType::Number { min, max, step } => {
                let mut number = *min;
                let mut all = Vec::new();
                while number <= *max {
                    all.push(number.to_string());
                    number += step;
                }
                all
            }
            SlotType::Text => vec!["Anna".to_owned(), "I'm late really 5 minutes".to_owned()],
        }
    };
    let first = |slot: &SlotSpec| (slot.name.clone(), values(slot)[0].clone());
    let mut calls = Vec::new();
    for slot in &function.slots {
        for value in values(slot) {
            let mut slots: Vec<(String, String)> =
                function
                    .slots
                    .iter()
                    .map(|other| {
                        if other.name == slot.name {
                            (slot.name.clone(), value.clone())
                        } else {
                            first(other)
                        }
                    })
                    .collect();
            // A slot that belongs to another's value stands with it alone.
            for other in &function.slots {
                let Some(with) = &other.with else { continue };
                if other.name == slot.name {
                    slots
                        .iter_mut()
                        .filter(|(name, _)| *name == with.slot)
                        .for_each(|(_, v)| v.clone_from(&with.value));
                } else if !slots.contains(&(with.slot.clone(), with.value.clone())) {
                    slots.retain(|(name, _)| *name != other.name);
                }
            }
            calls.push(Call { function: function.name.clone(), slots });
        }
    }
    calls
}

/// As the grammar writes a call: free text always in quotes.
fn written(call: &Call) -> String {
    let function = Catalogue::built_in().function(&call.function).expect("known");
    call.slots.iter().fold(call.function.clone(), |line, (name, value)| {
        match function.slot(name).expect("known").ty {
            SlotType::Text => format!("{line} {name}=\"{value}\""),
            _ => format!("{line} {name}={value}"),
        }
    })
}

#[test]
fn every_function_with_every_value_of_every_slot_can_be_answered() {
    let grammar = full();
    let mut count = 0;
    for function in Catalogue::built_in().functions() {
        for call in calls_of(function) {
            let line = written(&call);
            Catalogue::built_in().validate(&call).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(grammar.takes(&line), "{line}");
            count += 1;
        }
    }
    assert!(count > 400, "{count} calls");
    for word in WORDS_OF_NO_CALL {
        assert!(grammar.takes(word));
    }
    assert!(grammar.takes("door.lock action=lock ; trunk.move action=open ; light.set which=fog state=on"));
}

#[test]
fn what_the_catalogue_does_not_know_cannot_be_answered() {
    let grammar = full();
    for wrong in [
        "",
        "open the door",
        "door.lock",
        "door.lock action=open",
        "door.lock action=lock ",
        "door.lock action=lock;trunk.move action=open",
        "climate.set_temperature zone=all celsius=15.5",
        "climate.set_temperature zone=all celsius=30.5",
        "climate.set_temperature zone=all celsius=20.25",
        "climate.set_temperature celsius=20 zone=all",
        "climate.set_fan level=11",
        "cruise.set kmh=29",
        "cruise.set kmh=181",
        "media.volume action=up percent=20",
        "media.volume action=set",
        "phone.call contact=\"Berta\"",
        "phone.call contact=\"Anna Tell\"",
        "phone.call contact=\"\"",
        "ask ; dialogue",
        "reject ; door.lock action=lock",
        "door.lock action=lock ; door.lock action=lock ; door.lock action=lock ; door.lock action=lock",
    ] {
        assert!(!grammar.takes(wrong), "{wrong}");
    }
}

#[test]
fn it_can_be_held_to_some_functions_and_a_stranger_among_them_is_passed_over() {
    let only = Grammar::read(&of(Catalogue::built_in(), &frame(&["door.lock", "door.lick"], &["lock it"])));
    assert!(only.takes("door.lock action=unlock") && only.takes("reject"));
    assert!(!only.takes("trunk.move action=open"));
    let none = Grammar::read(&of(Catalogue::built_in(), &frame(&["door.lick"], &["lock it"])));
    assert!(none.takes("trunk.move action=open"), "no function that there is: all of them");
}

#[test]
fn without_words_there_is_no_function_with_free_text() {
    let silent = Grammar::read(&of(Catalogue::built_in(), &frame(&[], &["?!"])));
    assert!(silent.takes("phone.control action=answer"));
    assert!(!silent.0.contains_key("text"));
}

#[test]
fn a_number_that_was_said_is_the_only_one_where_it_fits() {
    let frame = Frame { functions: &[], said: &["set it to twenty one"], said_numbers: true };
    let heard = Grammar::read(&of(Catalogue::built_in(), &frame));
    assert!(heard.takes("climate.set_temperature zone=all celsius=21"));
    assert!(!heard.takes("climate.set_temperature zone=all celsius=22"));
    assert!(heard.takes("climate.set_fan level=4"), "21 is no level of the fan, so any is allowed");
}

#[test]
fn a_slot_before_that_on_which_it_depends_is_written_after_it() {
    let turned = "[[function]]\nname = \"a.b\"\nslots = { percent = \"0..3 (with set)\", action = [\"up\", \"set\"] }\n\
                  gate = \"always\"\n";
    let catalogue = Catalogue::parse(turned).expect("a catalogue");
    let grammar = Grammar::read(&of(&catalogue, &frame(&[], &[])));
    assert!(grammar.takes("a.b action=set percent=3") && grammar.takes("a.b action=up"));
    assert!(!grammar.takes("a.b action=up percent=3"));
}

proptest! {
    /// Whatever can be derived is a meaning that the catalogue takes as it stands.
    #[test]
    fn nothing_else_can_be_answered(
        dice in prop::collection::vec(any::<usize>(), 64),
        said in r#"[a-zA-Z0-9'"\\\[\]\-é ]{0,60}"#,
    ) {
        let text = of(Catalogue::built_in(), &frame(&[], &[&said]));
        let grammar = Grammar::read(&text);
        let mut answer = String::new();
        grammar.derive(&grammar.0["root"], &mut dice.into_iter(), &mut answer);
        let line = answer.strip_prefix(' ').and_then(|rest| rest.strip_suffix('\n')).expect("a line");
        match eval::meaning(line) {
            Ok(Expected::Commands(calls)) => {
                let again: Vec<String> = calls.iter().map(written).collect();
                prop_assert_eq!(again.join(" ; "), line);
            }
            Ok(_) => prop_assert!(WORDS_OF_NO_CALL.contains(&line)),
            Err(error) => prop_assert!(false, "{}: {}", line, error),
        }
    }
}
