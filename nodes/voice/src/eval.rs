//! Understanding and the gates measured against lines of `utterance TAB expected [TAB gate]`, as the catalogue's header
//! defines them. Pure: the lines come as text, the counts go back.

pub mod conversation;
pub mod report;

use std::{fmt, path::Path};

use troika_vehicle::catalogue::{Call, Catalogue, Situation, Source, Verdict};

use crate::matcher::{Understood, text::bare};

/// One line of a file of utterances.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its line, from 1.
    pub line: usize,
    /// What is said.
    pub utterance: String,
    /// What it means.
    pub expected: Expected,
    /// The vehicle's speed in km/h.
    pub speed_kmh: f32,
    /// What the gate is to say, where the line tells.
    pub gate: Option<Outcome>,
}

/// What an utterance means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// These functions.
    Commands(Vec<Call>),
    /// No vehicle function.
    Dialogue,
    /// Not speech to us.
    Reject,
    /// Something is missing.
    Ask,
}

/// What becomes of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Carried out at once.
    Executed,
    /// Asked back for.
    Confirm,
    /// Refused.
    Refused,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Executed => "executed",
            Outcome::Confirm => "confirm",
            Outcome::Refused => "refused",
        })
    }
}

/// A line that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct CaseError {
    /// Where, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// The counts of a file of utterances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// Lines.
    pub total: usize,
    /// Understood exactly.
    pub exact: usize,
    /// Lines that tell what the gate is to say.
    pub gates: usize,
    /// Of those, as told.
    pub gates_right: usize,
    /// Functions executed where their gate says confirm or refuse.
    pub gated_breaches: usize,
    /// What was not exact, for a person: line, utterance, expected, understood.
    pub wrong: Vec<String>,
}

/// Reads lines; empty ones and those that begin with `#` are passed over.
///
/// # Errors
/// The first line that cannot be read.
pub fn cases(text: &str) -> Result<Vec<Case>, CaseError> {
    lines(text).map(|(number, line)| case(number, line)).collect()
}

/// The lines of a table with their numbers, from 1; empty ones and those that begin with `#` are passed over.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
}

/// Whether a table is of recordings (`path TAB expected`) and not of words; one without lines is not.
///
/// # Errors
/// The first line that is not of the kind of the first.
pub fn of_recordings(text: &str) -> Result<bool, CaseError> {
    let mut lines = lines(text).map(|(line, text)| (line, is_recording(text)));
    let Some((first, recordings)) = lines.next() else { return Ok(false) };
    match lines.find(|(_, recording)| *recording != recordings) {
        None => Ok(recordings),
        Some((line, recording)) => {
            let kind = |recording| if recording { "a recording" } else { "words" };
            let reason = format!(
                "{}, and line {first} is {}: a file is of one kind",
                kind(recording),
                kind(recordings)
            );
            Err(CaseError { line, reason })
        }
    }
}

fn is_recording(line: &str) -> bool {
    let path = Path::new(line.split('\t').next().unwrap_or_default().trim());
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav") || end.eq_ignore_ascii_case("flac"))
}

/// A line of recordings, `path TAB expected [TAB gate] [TAB condition]`: the case, whose utterance is the path, and the condition.
///
/// # Errors
/// When it cannot be read.
pub fn recording(line: usize, text: &str) -> Result<(Case, Option<&str>), CaseError> {
    let mut columns = text.split('\t');
    let meant: Vec<&str> = columns.by_ref().take(2).collect();
    let rest: Vec<&str> = columns.map(str::trim).collect();
    let (gate, condition) = match rest[..] {
        [gate, ..] if gate.contains("->") => (gate, rest.get(1)),
        _ => ("", rest.first()),
    };
    let mut line_of_words = meant.join("\t");
    if !gate.is_empty() {
        line_of_words = format!("{line_of_words}\t{gate}");
    }
    let case = case(line, &line_of_words)?;
    Ok((case, condition.copied().filter(|condition| !condition.is_empty())))
}

fn case(line: usize, text: &str) -> Result<Case, CaseError> {
    let fault = |reason: &str| CaseError { line, reason: reason.to_owned() };
    let mut columns = text.split('\t');
    let utterance = columns.next().unwrap_or_default().to_owned();
    let expected = meaning(columns.next().ok_or_else(|| fault("no expected meaning"))?)
        .map_err(|reason| CaseError { line, reason })?;
    let (mut speed_kmh, mut gate) = (0.0, None);
    if let Some(column) = columns.next().map(str::trim).filter(|column| !column.is_empty()) {
        let (speed, outcome) = column
            .split_once("->")
            .ok_or_else(|| fault("a gate is 'speed=N -> executed|confirm|refused'"))?;
        let number = speed.trim().strip_prefix("speed=").and_then(|number| number.trim().parse().ok());
        speed_kmh = number.ok_or_else(|| fault("no speed"))?;
        gate = Some(match outcome.trim() {
            "executed" => Outcome::Executed,
            "confirm" => Outcome::Confirm,
            "refused" => Outcome::Refused,
            _ => return Err(fault("a gate is executed, confirm or refused")),
        });
    }
    Ok(Case { line, utterance, expected, speed_kmh, gate })
}

/// A meaning as the lines write it; its calls are checked against the catalogue and come out in canonical form.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn meaning(text: &str) -> Result<Expected, String> {
    match text.trim() {
        "dialogue" => Ok(Expected::Dialogue),
        "reject" => Ok(Expected::Reject),
        "ask" => Ok(Expected::Ask),
        commands => commands.split(" ; ").map(call).collect::<Result<Vec<_>, _>>().map(Expected::Commands),
    }
}

/// `name slot=value slot="two words"`.
fn call(text: &str) -> Result<Call, String> {
    let (name, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let mut call = Call { function: name.to_owned(), slots: Vec::new() };
    while !rest.trim().is_empty() {
        let (slot, value) =
            rest.trim_start().split_once('=').ok_or_else(|| format!("'{rest}' is no slot=value"))?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote is not closed")?,
            None => value.split_once(' ').unwrap_or((value, "")),
        };
        call.slots.push((slot.to_owned(), value.to_owned()));
        rest = after;
    }
    // What the line leaves unsaid is as in the catalogue.
    Catalogue::built_in().validate(&call).map_err(|error| error.to_string())
}

/// Whether two calls are the same: slots in any order, free text without case, punctuation and leading article.
pub fn same(a: &Call, b: &Call) -> bool {
    a.function == b.function
        && a.slots.len() == b.slots.len()
        && a.slots.iter().all(|(slot, value)| {
            b.slot(slot).is_some_and(|other| match (value.parse::<f64>(), other.parse::<f64>()) {
                (Ok(a), Ok(b)) => (a - b).abs() < 1e-9,
                _ => bare(value) == bare(other),
            })
        })
}

/// Whether an utterance was understood as expected.
pub fn exact(expected: &Expected, understood: &Understood) -> bool {
    alike(&Understood::from(expected.clone()), understood)
}

/// The same meaning; questions are alike whatever their words.
pub fn alike(a: &Understood, b: &Understood) -> bool {
    match (a, b) {
        (Understood::Ask(_), Understood::Ask(_)) => true,
        (Understood::Commands(a), Understood::Commands(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => a == b,
    }
}

/// The functions of a meaning in their order, or which kind of none it is.
pub fn functions(understood: &Understood) -> Vec<&str> {
    match understood {
        Understood::Commands(calls) => calls.iter().map(|call| call.function.as_str()).collect(),
        Understood::Dialogue => vec!["dialogue"],
        Understood::Reject => vec!["reject"],
        Understood::Ask(_) => vec!["ask"],
    }
}

impl From<Expected> for Understood {
    fn from(expected: Expected) -> Understood {
        match expected {
            Expected::Commands(calls) => Understood::Commands(calls),
            Expected::Dialogue => Understood::Dialogue,
            Expected::Reject => Understood::Reject,
            Expected::Ask => Understood::Ask(String::new()),
        }
    }
}

/// What the gates make of commands at a speed that is known and fresh: the strictest.
pub fn outcome(calls: &[Call], speed_kmh: f32) -> Outcome {
    let situation = Situation { speed_kmh: Some(speed_kmh), source: Source::Voice, confirmed: false };
    let verdicts = || calls.iter().map(|call| Catalogue::built_in().gate(call, &situation));
    if verdicts().any(|verdict| matches!(verdict, Verdict::Refuse(_))) {
        Outcome::Refused
    } else if verdicts().any(|verdict| verdict == Verdict::Confirm) {
        Outcome::Confirm
    } else {
        Outcome::Executed
    }
}

/// Scores a file of utterances by `heard`: the words that a recogniser made of each (or the same words), and what was understood.
pub fn score(cases: &[Case], heard: impl Fn(&Case) -> (String, Understood)) -> Score {
    let mut score = Score { total: cases.len(), ..Score::default() };
    for case in cases {
        let (words, understood) = heard(case);
        if exact(&case.expected, &understood) {
            score.exact += 1;
        } else {
            score.wrong.push(format!(
                "line {}: '{words}': expected {}, understood {}",
                case.line,
                told_expected(&case.expected),
                told(&understood)
            ));
        }
        let Some(gate) = case.gate else { continue };
        score.gates += 1;
        if let Understood::Commands(calls) = &understood {
            let outcome = outcome(calls, case.speed_kmh);
            score.gates_right += usize::from(outcome == gate);
            score.gated_breaches += usize::from(outcome == Outcome::Executed && gate != Outcome::Executed);
        }
    }
    score
}

/// A meaning in the form of the lines.
pub fn told_expected(expected: &Expected) -> String {
    told(&Understood::from(expected.clone()))
}

/// An answer in the form of the lines.
pub fn told(understood: &Understood) -> String {
    match understood {
        Understood::Dialogue => "dialogue".to_owned(),
        Understood::Reject => "reject".to_owned(),
        Understood::Ask(_) => "ask".to_owned(),
        Understood::Commands(calls) => calls
            .iter()
            .map(|call| {
                call.slots.iter().fold(call.function.clone(), |line, (slot, value)| {
                    if value.contains(' ') {
                        format!("{line} {slot}=\"{value}\"")
                    } else {
                        format!("{line} {slot}={value}")
                    }
                })
            })
            .collect::<Vec<_>>()
            .join(" ; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_of_recordings_or_of_words_and_what_mixes_them_is_told_with_its_line() {
        let recordings = "# conditions\na/1.wav\treject\n\nb.FLAC\task\tnoise 5 dB\n";
        assert_eq!(of_recordings(recordings), Ok(true));
        assert_eq!(of_recordings("open the window\treject\n"), Ok(false));
        assert_eq!(of_recordings("# nothing\n"), Ok(false));
        for (mixed, line) in [
            ("# first\na.wav\treject\nopen the window\treject\n", 3),
            ("open the window\treject\n\n\na.wav\treject\n", 4),
        ] {
            let error = of_recordings(mixed).expect_err("mixed");
            assert_eq!(error.line, line, "{error}");
            assert!(error.to_string().contains("of one kind"), "{error}");
        }
    }

    #[test]
    fn a_recording_has_a_gate_a_condition_both_or_neither() {
        let gate = "speed=80 -> refused";
        for (columns, told, condition) in [
            (String::new(), None, None),
            ("\t ".to_owned(), None, None),
            ("\tnoise 5 dB".to_owned(), None, Some("noise 5 dB")),
            (format!("\t{gate}"), Some(Outcome::Refused), None),
            (format!("\t{gate}\tnoise 5 dB"), Some(Outcome::Refused), Some("noise 5 dB")),
        ] {
            let line = format!("a.wav\ttrunk.move action=open{columns}");
            let (case, under) = recording(7, &line).expect("reads");
            assert_eq!((case.line, case.utterance.as_str(), case.gate, under), (7, "a.wav", told, condition));
        }
        assert!(recording(7, "a.wav").is_err());
    }
}
