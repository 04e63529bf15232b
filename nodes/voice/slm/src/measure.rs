//! How right and how fast the model is: each line of a file of utterances through the desk, as a request of the process would go.

use std::time::Instant;

use serde::Serialize;
use troika_kit::{Duration, Time};
use troika_msgs::{
    std_msgs::Header,
    troika::{LanguageReply, LanguageRequest},
};
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    eval::{
        self, Case, Expected,
        report::{Latency, latency},
    },
    matcher::Understood,
};

use crate::{
    desk::Desk,
    engine::{Engine, EngineError, Piece, Progress, Prompt, Task},
};

/// The counts and times of a file of utterances.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Lines.
    pub n: usize,
    /// Of all lines, those understood exactly: every function and slot.
    pub exact: usize,
    /// Of all lines, those of the right functions, whatever their slots, or the right one of dialogue, ask and reject.
    pub intent: usize,
    /// Lines that mean functions, and of those the exact ones.
    pub commands: [usize; 2],
    /// Lines that mean none, and of those the exact ones.
    pub others: [usize; 2],
    /// Lines without an answer in time.
    pub late: usize,
    /// Request to answer, ms.
    pub latency_ms: Latency,
    /// How often an exact answer is surer than a wrong one: 0.5 says nothing, 1 tells them apart.
    pub confidence_auc: f64,
    /// Of the answers surer than so much: how many, and how many of them exact.
    pub sure: Vec<(f32, usize, usize)>,
    /// Memory of the process, MiB: now, and at most so far.
    pub memory_mib: [f64; 2],
    /// What was not exact: line, utterance, expected, answered, confidence.
    #[serde(skip)]
    pub wrong: Vec<String>,
}

/// Functions that an interpretation may choose from, for a line.
pub type Candidates<'a> = &'a dyn Fn(&Case) -> String;

/// Interprets every line, with `limit` for each.
pub fn interpret(
    desk: &mut Desk,
    engine: &mut dyn Engine,
    cases: &[Case],
    candidates: Candidates<'_>,
    limit: Duration,
) -> Figures {
    let mut figures = Figures { n: cases.len(), ..Figures::default() };
    let mut times = Vec::new();
    let mut answers: Vec<(f32, bool)> = Vec::new();
    for case in cases {
        let request = LanguageRequest {
            header: Header::at(Time::ZERO),
            request_id: case.line.to_string(),
            task: LanguageRequest::INTERPRET,
            text: case.utterance.clone(),
            context: candidates(case),
            so_far: String::new(),
            deadline: limit.into(),
        };
        let (reply, ms) = ask(desk, engine, &request, &mut |_| {});
        times.push(ms);
        let meaning = eval::meaning(&reply.text).ok().filter(|_| reply.status == LanguageReply::DONE);
        let understood = meaning.map_or(Understood::Reject, Understood::from);
        let late = reply.status != LanguageReply::DONE;
        let exact = !late && eval::exact(&case.expected, &understood);
        let intent = !late
            && eval::functions(&Understood::from(case.expected.clone())) == eval::functions(&understood);
        figures.late += usize::from(late);
        figures.exact += usize::from(exact);
        figures.intent += usize::from(intent);
        let kind = match case.expected {
            Expected::Commands(_) => &mut figures.commands,
            _ => &mut figures.others,
        };
        kind[0] += 1;
        kind[1] += usize::from(exact);
        if !late {
            answers.push((reply.confidence, exact));
        }
        if !exact {
            figures.wrong.push(format!(
                "line {}: '{}': expected {}, answered {} ({:.2}){}",
                case.line,
                case.utterance,
                eval::told_expected(&case.expected),
                reply.text,
                reply.confidence,
                if late { format!(": {}", reply.reason) } else { String::new() }
            ));
        }
    }
    figures.latency_ms = latency(times);
    figures.confidence_auc = area(&answers);
    figures.sure = [0.3, 0.5, 0.7, 0.9]
        .map(|from| {
            let sure = || answers.iter().filter(|(confidence, _)| *confidence >= from);
            (from, sure().count(), sure().filter(|(_, exact)| *exact).count())
        })
        .to_vec();
    figures.memory_mib = memory_mib();
    figures
}

/// Answers to questions, surest first: its confidence, whether it holds what a right one holds, and the answer. Lines are
/// `question TAB what it holds, or that`; `!` where no answer can be right.
///
/// # Errors
/// A line that is none.
pub fn answers(
    desk: &mut Desk,
    engine: &mut dyn Engine,
    lines: &str,
) -> Result<Vec<(f32, bool, String)>, String> {
    let mut answers = Vec::new();
    for (_, line) in eval::lines(lines) {
        let (question, right) = line.split_once('\t').ok_or_else(|| format!("no tab in '{line}'"))?;
        let request = LanguageRequest {
            header: Header::at(Time::ZERO),
            request_id: question.to_owned(),
            task: LanguageRequest::ANSWER,
            text: question.to_owned(),
            context: String::new(),
            so_far: String::new(),
            deadline: Duration::from_secs(60).into(),
        };
        let (reply, _) = ask(desk, engine, &request, &mut |_| {});
        let said = reply.text.to_lowercase();
        let good = right.trim() != "!" && right.split('|').any(|part| said.contains(part.trim()));
        answers.push((reply.confidence, good, format!("{question} - {}", reply.text)));
    }
    answers.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    Ok(answers)
}

/// One request to its end in real time: the last reply, and how long it took, ms.
pub fn ask(
    desk: &mut Desk,
    engine: &mut dyn Engine,
    request: &LanguageRequest,
    part: &mut dyn FnMut(&LanguageReply),
) -> (LanguageReply, f64) {
    let begin = Instant::now();
    let start = Time::from_stamp(1_000, 0);
    let now = || start + begin.elapsed();
    let mut replies = desk.receive(now(), request);
    while !desk.is_idle() {
        for reply in &replies {
            part(reply);
        }
        replies = desk.advance(now(), engine);
    }
    let last = replies.pop().unwrap_or_default();
    (last, begin.elapsed().as_secs_f64() * 1e3)
}

/// Tokens a second: read in passes of 32, and made one by one.
///
/// # Errors
/// When the model fails.
pub fn speed(llama: &mut crate::llama::Llama<'_>) -> Result<[f64; 2], EngineError> {
    let long = "The road goes ever on and on, down from the door where it began. ".repeat(16);
    let read = llama.tokens(&long).1;
    let prompt =
        Prompt { task: Task::Answer, pieces: vec![Piece::Theirs(long)], grammar: None, read_only: false };
    let mut rates = [0.0; 2];
    let begin = Instant::now();
    llama.begin(&prompt)?;
    while llama.advance()? == Progress::Reading {}
    rates[0] = read as f64 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let mut made = 0;
    while made < 64 && matches!(llama.advance()?, Progress::Text { .. }) {
        made += 1;
    }
    rates[1] = f64::from(made) / begin.elapsed().as_secs_f64();
    Ok(rates)
}

/// The functions that a line means and as many others, in the catalogue's order from there on, as make `count`: what a stage before
/// the model would propose if it were never wrong. A bound, not a figure.
pub fn true_and_neighbours(case: &Case, count: usize) -> String {
    let Expected::Commands(calls) = &case.expected else { return String::new() };
    let all: Vec<&str> = Catalogue::built_in().functions().iter().map(|one| one.name.as_str()).collect();
    let mut chosen: Vec<&str> = calls.iter().map(|call| call.function.as_str()).collect();
    chosen.dedup();
    let first = all.iter().position(|name| chosen.first() == Some(name)).unwrap_or_default();
    for step in 1..all.len() {
        let next = all[(first + step) % all.len()];
        if chosen.len() < count && !chosen.contains(&next) {
            chosen.push(next);
        }
    }
    chosen.join(",")
}

/// The area under the curve of (confidence, exact): the share of pairs in order, ties half.
fn area(answers: &[(f32, bool)]) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (good, _) in answers.iter().filter(|(_, exact)| *exact) {
        for (bad, _) in answers.iter().filter(|(_, exact)| !*exact) {
            pairs += 1.0;
            sum += if good > bad {
                1.0
            } else if good == bad {
                0.5
            } else {
                0.0
            };
        }
    }
    if pairs > 0.0 { sum / pairs } else { f64::NAN }
}

/// Resident memory of this process, MiB: now, and the most so far.
pub fn memory_mib() -> [f64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmRSS:", "VmHWM:"].map(|key| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1024.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_that_tells_right_from_wrong_has_an_area_of_one() {
        assert_eq!(area(&[(0.9, true), (0.8, true), (0.1, false)]), 1.0);
        assert_eq!(area(&[(0.5, true), (0.5, false)]), 0.5);
    }

    #[test]
    fn a_bound_has_the_right_function_among_as_many_as_asked_for() {
        let cases = eval::cases("lock it\tdoor.lock action=lock\nhm\treject").expect("two");
        let names = true_and_neighbours(&cases[0], 5);
        assert_eq!(names.split(',').count(), 5);
        assert!(names.starts_with("door.lock,trunk.move"), "{names}");
        assert_eq!(true_and_neighbours(&cases[1], 5), "");
    }
}
