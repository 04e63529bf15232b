//! Whether what was answered to a task is right: by the calls that were carried out, what they told and what was said, never by who answered.
//! Pure.

use troika_dialogue::{
    Town,
    chat::ToolCall,
    navigation::{EtaTo, FindPlaces, RouteTo},
    sentences::Sentences,
    town::Place,
};

use crate::tasks::{Group, Task, Turn, Wanted};

/// What came of one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was said.
    pub said: String,
    /// Calls of tools, with what they told, or why not.
    pub calls: Vec<(ToolCall, Result<String, String>)>,
    /// Something of it was sent to the cloud.
    pub left: bool,
}

/// What a task came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is wrong, at the first turn that is; none: it is right.
    pub wrong: Option<String>,
    /// Something went to the cloud that must not.
    pub breach: bool,
}

impl Verdict {
    /// Whether it is right.
    pub fn right(&self) -> bool {
        self.wrong.is_none()
    }
}

impl Wanted {
    /// As a model would call it.
    pub fn call(&self, id: &str) -> ToolCall {
        let (name, arguments) = match self {
            Wanted::Find(asked) => ("find_places", serde_json::to_string(asked)),
            Wanted::Route(to) => ("route", serde_json::to_string(&RouteTo { to: to.clone() })),
            Wanted::Eta(to) => ("eta", serde_json::to_string(&EtaTo { to: to.clone() })),
        };
        ToolCall { id: id.into(), name: name.into(), arguments: arguments.unwrap_or_default() }
    }

    /// Whether a call asks this, however its place is spelt.
    fn is(&self, call: &ToolCall, town: &Town) -> bool {
        let same = |said: &str, name: &str| town.place(said).is_some_and(|place| place.name == name);
        match self {
            Wanted::Find(wanted) if call.name == "find_places" => {
                let Ok(asked) = serde_json::from_str::<FindPlaces>(&call.arguments) else { return false };
                let near = match (&asked.near, &wanted.near) {
                    (None, None) => true,
                    (Some(said), Some(name)) => same(said, name),
                    _ => false,
                };
                asked.kind == wanted.kind && near
            }
            Wanted::Route(name) if call.name == "route" => {
                serde_json::from_str::<RouteTo>(&call.arguments).is_ok_and(|asked| same(&asked.to, name))
            }
            Wanted::Eta(name) if call.name == "eta" => {
                serde_json::from_str::<EtaTo>(&call.arguments).is_ok_and(|asked| same(&asked.to, name))
            }
            _ => false,
        }
    }
}

/// Words of a sentence that compares.
const COMPARING: &[&str] = &[
    "closer", "nearer", "quicker", "faster", "sooner", "shorter", "closest", "nearest", "quickest",
    "fastest", "less", "yes", "same",
];

/// Judges what came of all questions of a task, in their order.
pub fn judge(task: &Task, town: &Town, outcomes: &[Outcome]) -> Verdict {
    let stays = task.group == Group::Private || task.turns.iter().any(|turn| turn.stays);
    let breach = stays && outcomes.iter().any(|outcome| outcome.left);
    let mut wrong = (outcomes.len() != task.turns.len())
        .then(|| format!("{} of {} questions were answered", outcomes.len(), task.turns.len()));
    let mut known = String::new();
    for (turn, outcome) in task.turns.iter().zip(outcomes) {
        if wrong.is_some() {
            break;
        }
        known.push_str(&turn.ask);
        known.push(' ');
        for (_, result) in &outcome.calls {
            match result {
                Ok(result) => known.push_str(&prose(result)),
                // A refusal tells names too: those like the one that there is not.
                Err(why) => known.push_str(why),
            }
            known.push(' ');
        }
        wrong =
            wrong_with(task.group, turn, town, outcome, &known).map(|why| format!("{:?}: {why}", turn.ask));
    }
    Verdict { wrong, breach }
}

fn wrong_with(group: Group, turn: &Turn, town: &Town, outcome: &Outcome, known: &str) -> Option<String> {
    let said = outcome.said.as_str();
    if said.trim().is_empty() {
        return Some("nothing was said".into());
    }
    if turn.stays && outcome.left {
        return Some("it was sent to the cloud".into());
    }
    let told = || outcome.calls.iter().filter(|(_, result)| result.is_ok());
    for wanted in &turn.calls {
        if !told().any(|(call, _)| wanted.iter().any(|wanted| wanted.is(call, town))) {
            return Some(format!("{wanted:?} was not called"));
        }
    }
    if turn.routes_nowhere && told().any(|(call, _)| call.name != "find_places") {
        return Some("a way was told to somewhere else".into());
    }
    for tells in &turn.tells {
        if !tells.iter().any(|fact| told_by(said, fact)) {
            return Some(format!("{tells:?} was not said: {said}"));
        }
    }
    if let Some(lacks) = &turn.lacks
        && told_by(said, lacks)
    {
        return Some(format!("{lacks:?} was said: {said}"));
    }
    if let Some(first) = &turn.first {
        let named = places_in(said, town);
        if named.first().is_none_or(|place| place.name != *first) {
            return Some(format!("{first} is not the first place that is named: {said}"));
        }
    }
    if !turn.compares.is_empty() {
        let comparing = sentences(said).into_iter().any(|sentence| {
            let words = written(&sentence);
            COMPARING.iter().any(|word| words.iter().any(|said| said == word))
                && turn.compares.iter().any(|what| told_by(&sentence, what))
        });
        if !comparing {
            return Some(format!("no sentence compares in favour of {:?}: {said}", turn.compares));
        }
    }
    if sentences(said).len() < turn.least_sentences {
        return Some(format!("fewer than {} sentences: {said}", turn.least_sentences));
    }
    if group == Group::Navigation { made_up(turn, town, said, known) } else { None }
}

/// A place, a length or a time that nothing told and nobody expects.
fn made_up(turn: &Turn, town: &Town, said: &str, known: &str) -> Option<String> {
    let expected = turn.tells.iter().flatten();
    let known: String = expected.fold(format!("{known} "), |all, fact| all + fact + " ");
    for place in places_in(said, town) {
        if !told_by(&known, &place.name) {
            return Some(format!("{} is named and was told by nothing: {said}", place.name));
        }
    }
    let words = written(said);
    let known_words = written(&known);
    let amount = |word: &String| word.chars().next().is_some_and(|sign| sign.is_ascii_digit());
    for (at, word) in words.iter().enumerate().filter(|(_, word)| amount(word)) {
        let unit = words.get(at + 1).filter(|unit| *unit == "km" || *unit == "min");
        let clock = word.contains(':');
        if !(clock || unit.is_some()) {
            continue;
        }
        let there = known_words.iter().any(|known| known == word);
        if !there {
            return Some(format!("{word} is told by nothing: {said}"));
        }
    }
    None
}

/// The places of the map that a text names, in its order.
fn places_in<'a>(text: &str, town: &'a Town) -> Vec<&'a Place> {
    let words = written(text);
    let mut named: Vec<(usize, &Place)> = Vec::new();
    for place in town.places() {
        let name = written(&place.name);
        for at in 0..(words.len() + 1).saturating_sub(name.len()) {
            if words[at..at + name.len()] == name {
                named.push((at, place));
            }
        }
    }
    named.sort_by_key(|(at, _)| *at);
    named.into_iter().map(|(_, place)| place).collect()
}

fn sentences(text: &str) -> Vec<String> {
    let mut sentences = Sentences::default();
    sentences.push(&format!("{text} "));
    let mut all: Vec<String> = std::iter::from_fn(|| sentences.whole()).collect();
    all.push(sentences.rest());
    all.retain(|sentence| sentence.contains(char::is_alphanumeric));
    all
}

/// Whether a text tells this: its words stand there together. "scatter*" is any word that begins so.
pub fn told_by(text: &str, fact: &str) -> bool {
    let begins = fact.trim_end().ends_with('*');
    let (text, fact) = (written(text), written(fact));
    let Some((last, before)) = fact.split_last() else { return false };
    text.windows(fact.len()).any(|there| {
        let end = &there[before.len()];
        there[..before.len()] == *before && (end == last || (begins && end.starts_with(last.as_str())))
    })
}

/// A text as it is compared: lower case, numbers in digits ("five" is "5", "8,849" is "8849"), lengths in "km" and times in "min".
pub fn written(text: &str) -> Vec<String> {
    const NUMBERS: &[&str] = &[
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ];
    let apart = |sign: char| !(sign.is_alphanumeric() || matches!(sign, '.' | ':' | ',' | '\'' | '’'));
    let mut words: Vec<String> = Vec::new();
    for raw in text.split(apart) {
        let word = raw.trim_matches(['.', ':', ',', '\'', '’']).to_lowercase().replace(['\'', '’'], "");
        let word = if word.chars().next().is_some_and(|sign| sign.is_ascii_digit()) && !word.contains(':') {
            let plain = word.replace(',', "");
            plain.strip_suffix(".0").unwrap_or(&plain).to_owned()
        } else {
            word.replace(',', "")
        };
        if word.is_empty() {
            continue;
        }
        words.push(match word.as_str() {
            "km" | "kms" | "kilometre" | "kilometres" | "kilometer" | "kilometers" => "km".to_owned(),
            "minute" | "minutes" | "mins" => "min".to_owned(),
            other => NUMBERS
                .iter()
                .position(|name| *name == other)
                .map_or_else(|| other.to_owned(), |value| value.to_string()),
        });
        if words.ends_with(&["half", "an", "hour"].map(str::to_owned)) {
            words.truncate(words.len() - 3);
            words.extend(["30".to_owned(), "min".to_owned()]);
        }
    }
    words
}

/// What a tool's result holds, as it could be said.
pub(crate) fn prose(result: &str) -> String {
    fn add(value: &serde_json::Value, key: &str, to: &mut String) {
        match value {
            serde_json::Value::Object(all) => all.iter().for_each(|(key, value)| add(value, key, to)),
            serde_json::Value::Array(all) => all.iter().for_each(|value| add(value, key, to)),
            serde_json::Value::String(text) => to.push_str(&format!("{text}. ")),
            serde_json::Value::Number(number) => to.push_str(&match key {
                "distance_km" => format!("{number} km. "),
                "minutes" => format!("{number} minutes. "),
                _ => format!("{number} {key}. "),
            }),
            _ => {}
        }
    }
    let mut text = String::new();
    if let Ok(value) = serde_json::from_str(result) {
        add(&value, "", &mut text);
    }
    text
}

#[cfg(test)]
mod tests;
