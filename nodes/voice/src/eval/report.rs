//! The figures of a set of utterances, as one JSON report. Pure: answers come in, with how long they took.

use std::collections::BTreeMap;

use serde::Serialize;
use troika_vehicle::catalogue::Call;

use super::{Case, Expected, Outcome, exact, functions, outcome, same, told, told_expected};
use crate::matcher::Understood;

/// What became of one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was understood.
    pub understood: Understood,
    /// Whether it is carried out without asking, as far as understanding goes; the gates come on top.
    pub sure: bool,
    /// Which stage's word it was.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// 0..1.
    pub confidence: f32,
    /// From words to meaning, or from the end of speech; none where nobody spoke.
    pub took_ms: Option<f64>,
}

/// Counts as shares of 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Share {
    /// Of those that were taken for it, how many were it.
    pub precision: f64,
    /// Of those that were it, how many were taken for it.
    pub recall: f64,
}

/// Milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half are faster.
    pub p50: f64,
    /// One in a hundred is slower.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// What one stage did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StageFigures {
    /// Lines that were its word.
    pub n: usize,
    /// Of them, right.
    pub exact: usize,
    /// How long they took, all stages before included.
    pub latency_ms: Latency,
}

/// The report; its first fields are those that the project promises.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Lines.
    pub n: usize,
    /// Share understood exactly: every function and slot.
    pub exact: f64,
    /// Share with the right functions in order, or the right kind of no function.
    pub intent: f64,
    /// Over (function, slot, value), micro-averaged.
    pub slot_f1: f64,
    /// Of the lines that are to be rejected.
    pub reject: Share,
    /// Functions executed where their gate says confirm or refuse.
    pub gated_breaches: usize,
    /// Lines with a gate told that came out as told, and all such lines.
    pub gates_right: usize,
    /// See there.
    pub gates: usize,
    /// Lines of which something was carried out, unasked, that was not wanted.
    pub wrong_acts: usize,
    /// Lines that were asked back for although the reading was right, since it was not sure.
    pub asked_back: usize,
    /// From words to meaning; of recordings, from the end of speech to it.
    pub latency_ms: Latency,
    /// By the stage whose word it was.
    pub stages: BTreeMap<String, StageFigures>,
    /// By function (of the first call expected), or dialogue, reject, ask: right and all.
    pub by_function: BTreeMap<String, (usize, usize)>,
    /// Lines that were not exact: line, utterance, expected, understood, reason.
    #[serde(skip)]
    pub wrong: Vec<String>,
}

/// From the end of speech to the words, of the recordings that had speech in them. Milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Times {
    /// Recordings.
    pub count: usize,
    /// Half are faster.
    pub p50: Option<f64>,
    /// One in twenty is slower.
    pub p95: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

impl Times {
    /// Of these.
    pub fn of(mut times: Vec<f64>) -> Times {
        times.sort_by(f64::total_cmp);
        let percentile =
            |p: usize| times.get((times.len() * p / 100).min(times.len().saturating_sub(1))).copied();
        Times { count: times.len(), p50: percentile(50), p95: percentile(95), max: percentile(100) }
    }
}

/// The recordings of one condition.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ConditionFigures {
    /// How many.
    pub recordings: usize,
    /// Of them, right.
    pub exact: usize,
    /// As a share of 1.
    pub exact_rate: f64,
    /// Of which something was carried out, unasked, that was not wanted.
    pub wrong_commands_acted_upon: usize,
    /// How soon there were words.
    pub end_of_speech_to_words_ms: Times,
}

/// One recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recording {
    /// Its path, as in the table.
    pub recording: String,
    /// What it was recorded under.
    pub condition: String,
    /// What it means.
    pub expected: String,
    /// Its words.
    pub heard: String,
    /// How sure the recogniser is of them, 0..1.
    pub heard_confidence: f32,
    /// What was understood.
    pub understood: String,
    /// Whether that is exactly what it means.
    pub exact: bool,
    /// Whether a command was understood that needs no asking back, as far as hearing and understanding go.
    pub acted: bool,
    /// How soon there were words; none where nobody spoke.
    pub end_of_speech_to_words_ms: Option<f64>,
}

/// The report over recordings: that over words, and what only recordings have.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SpokenReport {
    /// The same as over words.
    #[serde(flatten)]
    pub report: Report,
    /// The recogniser's model.
    pub model: String,
    /// The clock that the times are by: the wall's, or the thread's own.
    pub clock: String,
    /// By condition.
    pub conditions: BTreeMap<String, ConditionFigures>,
    /// Of all of them, how soon there were words.
    pub end_of_speech_to_words_ms: Times,
    /// Each recording.
    pub lines: Vec<Recording>,
}

/// What a recording without a condition is counted under.
pub const NO_CONDITION: &str = "no condition";

/// The report over recordings, whose cases, judgements and lines are in the same order.
pub fn spoken(
    cases: &[Case],
    judged: &[Judged],
    lines: Vec<Recording>,
    model: &str,
    clock: &str,
) -> SpokenReport {
    let mut conditions: BTreeMap<String, ConditionFigures> = BTreeMap::new();
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((case, judged), line) in cases.iter().zip(judged).zip(&lines) {
        let one = report(std::slice::from_ref(case), std::slice::from_ref(judged));
        let figures = conditions.entry(line.condition.clone()).or_default();
        figures.recordings += 1;
        figures.exact += usize::from(line.exact);
        figures.wrong_commands_acted_upon += one.wrong_acts;
        times.entry(&line.condition).or_default().extend(line.end_of_speech_to_words_ms);
    }
    let all = Times::of(times.values().flatten().copied().collect());
    for (condition, figures) in &mut conditions {
        figures.exact_rate = figures.exact as f64 / figures.recordings as f64;
        figures.end_of_speech_to_words_ms = Times::of(times.remove(condition.as_str()).unwrap_or_default());
    }
    SpokenReport {
        report: report(cases, judged),
        model: model.to_owned(),
        clock: clock.to_owned(),
        conditions,
        end_of_speech_to_words_ms: all,
        lines,
    }
}

impl SpokenReport {
    /// The conditions and the total as a table for a person.
    pub fn table(&self) -> String {
        let row = |name: &str, recordings: usize, exact: usize, wrong: usize, times: &Times| {
            let ms = |time: Option<f64>| time.map_or("none".to_owned(), |ms| format!("{ms:.0} ms"));
            format!(
                "{name:>16}: {exact} of {recordings} exact, {wrong} wrong commands acted upon; end of speech to words p50 {}, p95 {}\n",
                ms(times.p50),
                ms(times.p95)
            )
        };
        let mut text = String::new();
        for (name, one) in &self.conditions {
            let (exact, wrong) = (one.exact, one.wrong_commands_acted_upon);
            text += &row(name, one.recordings, exact, wrong, &one.end_of_speech_to_words_ms);
        }
        let exact = self.lines.iter().filter(|line| line.exact).count();
        let times = &self.end_of_speech_to_words_ms;
        text + &row("total", self.lines.len(), exact, self.report.wrong_acts, times)
    }
}

/// Percentiles by the nearest rank.
pub fn latency(mut took: Vec<f64>) -> Latency {
    took.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let rank = ((q * took.len() as f64).ceil() as usize).max(1);
        took.get(rank - 1).copied().unwrap_or_default()
    };
    Latency { p50: at(0.5), p99: at(0.99), max: at(1.0) }
}

/// Slots that two lists of calls have alike, by calls of the same place.
fn alike(a: &[Call], b: &[Call]) -> usize {
    let one = |slot: &(String, String), function: &str| Call {
        function: function.to_owned(),
        slots: vec![slot.clone()],
    };
    a.iter()
        .zip(b)
        .filter(|(a, b)| a.function == b.function)
        .map(|(a, b)| {
            let has = |slot: &&(String, String)| {
                b.slots
                    .iter()
                    .any(|other| other.0 == slot.0 && same(&one(slot, &a.function), &one(other, &a.function)))
            };
            a.slots.iter().filter(has).count()
        })
        .sum()
}

fn slots(calls: &[Call]) -> usize {
    calls.iter().map(|call| call.slots.len()).sum()
}

/// The report over lines and what became of them, in the same order.
pub fn report(cases: &[Case], judged: &[Judged]) -> Report {
    let mut report = Report { n: cases.len(), ..Report::default() };
    let (mut right, mut intents) = (0usize, 0usize);
    let (mut hits, mut given, mut wanted) = (0usize, 0usize, 0usize);
    let (mut rejects, mut rejected, mut rejected_rightly) = (0usize, 0usize, 0usize);
    let mut took: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (case, judged) in cases.iter().zip(judged) {
        let good = exact(&case.expected, &judged.understood);
        right += usize::from(good);
        let wanted_meaning = Understood::from(case.expected.clone());
        let (expected_kind, got_kind) = (functions(&wanted_meaning), functions(&judged.understood));
        intents += usize::from(expected_kind == got_kind);
        let by = report
            .by_function
            .entry(expected_kind.first().copied().unwrap_or("nothing").to_owned())
            .or_default();
        by.0 += usize::from(good);
        by.1 += 1;
        let got: &[Call] = if let Understood::Commands(calls) = &judged.understood { calls } else { &[] };
        let meant: &[Call] = if let Expected::Commands(calls) = &case.expected { calls } else { &[] };
        hits += alike(meant, got);
        given += slots(got);
        wanted += slots(meant);
        let is_reject = case.expected == Expected::Reject;
        let was_rejected = judged.understood == Understood::Reject;
        rejects += usize::from(is_reject);
        rejected += usize::from(was_rejected);
        rejected_rightly += usize::from(is_reject && was_rejected);
        let became = match got {
            [] => None,
            calls if judged.sure => Some(outcome(calls, case.speed_kmh)),
            _ => Some(Outcome::Confirm),
        };
        let executed = became == Some(Outcome::Executed);
        if let Some(gate) = case.gate {
            report.gates += 1;
            // Understanding is scored apart: a line that was not understood has no gate to be right.
            report.gates_right += usize::from(good && outcome(got, case.speed_kmh) == gate);
        }
        let allowed = case.gate.unwrap_or_else(|| outcome(meant, case.speed_kmh));
        report.gated_breaches += usize::from(executed && !meant.is_empty() && allowed != Outcome::Executed);
        report.wrong_acts += usize::from(executed && !good);
        report.asked_back += usize::from(good && !got.is_empty() && !judged.sure);
        let stage = report.stages.entry(judged.stage.clone()).or_default();
        stage.n += 1;
        stage.exact += usize::from(good);
        took.entry(&judged.stage).or_default().extend(judged.took_ms);
        if !good {
            report.wrong.push(format!(
                "line {}: '{}': expected {}, understood {} ({:.2}{}; {}: {})",
                case.line,
                case.utterance,
                told_expected(&case.expected),
                told(&judged.understood),
                judged.confidence,
                if judged.sure { "" } else { ", asked back" },
                judged.stage,
                judged.reason
            ));
        }
    }
    let share = |part: usize, of: usize| if of == 0 { 1.0 } else { part as f64 / of as f64 };
    report.exact = share(right, cases.len());
    report.intent = share(intents, cases.len());
    report.slot_f1 = share(2 * hits, given + wanted);
    report.reject =
        Share { precision: share(rejected_rightly, rejected), recall: share(rejected_rightly, rejects) };
    report.latency_ms = latency(judged.iter().filter_map(|judged| judged.took_ms).collect());
    for (stage, took) in took {
        if let Some(figures) = report.stages.get_mut(stage) {
            figures.latency_ms = latency(took);
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{eval::cases, matcher::Matcher};

    fn judged(understood: Understood, sure: bool) -> Judged {
        Judged {
            understood,
            sure,
            stage: "templates".to_owned(),
            reason: String::new(),
            confidence: 1.0,
            took_ms: Some(2.0),
        }
    }

    #[test]
    fn the_figures_are_what_the_lines_say() {
        let lines = "open the trunk\ttrunk.move action=open\tspeed=80 -> refused\n\
                     turn on my seat heating to two\tseat.heating seat=driver level=2\n\
                     I told him to open the trunk\treject\n\
                     tell me a joke\tdialogue\n";
        let cases = cases(lines).expect("reads");
        let understand = |text: &str| Matcher::english().understand(text);
        let all: Vec<Judged> = cases.iter().map(|case| judged(understand(&case.utterance), true)).collect();
        let report = report(&cases, &all);
        assert_eq!((report.n, report.exact, report.intent, report.slot_f1), (4, 1.0, 1.0, 1.0));
        assert_eq!(
            (report.gates, report.gates_right, report.gated_breaches, report.wrong_acts),
            (1, 1, 0, 0)
        );
        assert_eq!(report.reject, Share { precision: 1.0, recall: 1.0 });
    }

    #[test]
    fn what_is_carried_out_wrongly_is_counted_and_what_is_asked_back_is_not() {
        let cases = cases("I told him to open the sunroof\treject\n").expect("reads");
        let opened = Matcher::english().understand("open the sunroof");
        assert_eq!(report(&cases, &[judged(opened.clone(), true)]).wrong_acts, 1);
        let asked = report(&cases, &[judged(opened, false)]);
        assert_eq!((asked.wrong_acts, asked.exact, asked.reject.recall), (0, 0.0, 0.0));
        assert_eq!(asked.wrong.len(), 1);
    }

    #[test]
    fn recordings_have_the_report_of_words_and_their_conditions() {
        let cases = cases("a.wav\tsunroof.move action=open\nb.wav\treject\n").expect("reads");
        let opened = Matcher::english().understand("open the sunroof");
        let judged = [judged(opened.clone(), true), Judged { took_ms: None, ..judged(opened, true) }];
        let line = |recording: &str, condition: &str, exact, ms| Recording {
            recording: recording.to_owned(),
            condition: condition.to_owned(),
            expected: String::new(),
            heard: "open the sunroof".to_owned(),
            heard_confidence: 0.9,
            understood: String::new(),
            exact,
            acted: true,
            end_of_speech_to_words_ms: ms,
        };
        let lines = vec![line("a.wav", "5 dB", true, Some(700.0)), line("b.wav", NO_CONDITION, false, None)];
        let report = spoken(&cases, &judged, lines, "whisper_tiny_en", "cpu");
        let json = serde_json::to_value(&report).expect("is JSON");
        assert_eq!(
            (&json["n"], &json["exact"], &json["gated_breaches"]),
            (&2.into(), &0.5.into(), &0.into())
        );
        for key in ["intent", "slot_f1", "reject", "latency_ms", "stages", "model", "clock"] {
            assert!(!json[key].is_null(), "{key}: {json}");
        }
        assert_eq!(json["latency_ms"]["p99"], 2.0);
        let (noisy, other) = (&json["conditions"]["5 dB"], &json["conditions"][NO_CONDITION]);
        assert_eq!((&noisy["exact"], &noisy["wrong_commands_acted_upon"]), (&1.into(), &0.into()));
        assert_eq!((&other["exact"], &other["wrong_commands_acted_upon"]), (&0.into(), &1.into()));
        let table = report.table();
        assert!(table.contains("no condition: 0 of 1 exact, 1 wrong"), "{table}");
        assert!(table.contains("total: 1 of 2 exact, 1 wrong"), "{table}");
    }
}
