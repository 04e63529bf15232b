//! What is expected of a scenario. Each `[[expect]]` says one thing by one of these keys; times are relative to `after` (the name of a
//! mark, or `name.end`), or to the beginning.
//!
//! | key | what holds it |
//! |---|---|
//! | `alert = KIND`, `profile` | it is raised `within_s` |
//! | `cleared = KIND`, `profile` | it is cleared `within_s` |
//! | `no_alert = KIND` or `"any"`, `profile` | none is raised `within_s` (from then on when left out) |
//! | `alerts = "as_truth"`, `tolerance_s`, `except` | those that the rules raise on the truth, each once and so near its time, and no others; but for these kinds |
//! | `alerts = "as_table"` | of what the monitor saw it says what the table of rules has, by the table's own numbers whatever the profiles say, each within two frames; not of drowsiness |
//! | `state = STATE`, `share` | that share of the driver states `within_s` |
//! | `safety = STATE`, `share` | that share of what the supervisor says `within_s`: nominal, degraded, safe |
//! | `command = FUNCTION`, `slots`, `result` | it is sent `within_s`, with these slots, and ends so |
//! | `no_command = FUNCTION` or `"any"` | none is |
//! | `reply = REGEX` | the assistant says so `within_s` |
//! | `no_reply = REGEX` | it does not |
//! | `decision = TIER`, `reason` | the router decides so `within_s` |
//! | `answer_to = MARK`, `tiers`, `complete`, `contains`, `silence_below_s`, `first_words_below_s`, `repeats` | how the question at that mark is answered |
//! | `never_leaves = WORDS` | the cloud is not told them |
//! | `swap = MODEL`, `outcome` | the network that is offered for it is `"taken"`, or `"refused"` |
//! | `node = KIND`, `missed_at_most`, `fall_backs_at_least`, `fall_backs_at_most`, `lateness_below_ms`, `reaches_level`, `ends_at_level` | what a node's own counts say; of levels 0 is the dearest |

use std::{collections::BTreeMap, fmt::Write as _};

use regex::Regex;
use serde::Deserialize;

use crate::{
    case::Marks,
    names::{self, Names},
};

/// As it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectText {
    after: Option<String>,
    within_s: Option<[f64; 2]>,
    alert: Option<String>,
    cleared: Option<String>,
    no_alert: Option<String>,
    profile: Option<String>,
    alerts: Option<String>,
    tolerance_s: Option<f64>,
    except: Option<Vec<String>>,
    state: Option<String>,
    share: Option<f64>,
    safety: Option<String>,
    command: Option<String>,
    slots: Option<BTreeMap<String, String>>,
    result: Option<String>,
    no_command: Option<String>,
    reply: Option<String>,
    no_reply: Option<String>,
    decision: Option<String>,
    reason: Option<String>,
    answer_to: Option<String>,
    tiers: Option<Vec<String>>,
    complete: Option<bool>,
    contains: Option<String>,
    silence_below_s: Option<f64>,
    first_words_below_s: Option<f64>,
    repeats: Option<bool>,
    never_leaves: Option<String>,
    swap: Option<String>,
    outcome: Option<String>,
    node: Option<String>,
    missed_at_most: Option<u64>,
    fall_backs_at_least: Option<u64>,
    fall_backs_at_most: Option<u64>,
    lateness_below_ms: Option<f64>,
    reaches_level: Option<u64>,
    ends_at_level: Option<u64>,
}

/// From and to, seconds since the scenario began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// From.
    pub from: f64,
    /// To, itself included.
    pub to: f64,
}

impl Span {
    /// Whether it holds a time.
    pub fn holds(&self, at: f64) -> bool {
        // Times are nanoseconds, and files are written in milliseconds.
        (self.from - 1e-6..=self.to + 1e-6).contains(&at)
    }
}

/// One thing that is expected.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The line of its `[[expect]]`.
    pub line: usize,
    /// As the reports call it.
    pub told: String,
    /// When.
    pub span: Span,
    /// What.
    pub expected: Expected,
}

/// What is expected of an answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Who said its words, in order.
    pub tiers: Option<Vec<u8>>,
    /// It is whole.
    pub complete: Option<bool>,
    /// What is in it.
    pub contains: Option<Regex>,
    /// The longest silence within it, s.
    pub silence_below_s: Option<f64>,
    /// From the question to the first words, s.
    pub first_words_below_s: Option<f64>,
    /// Whether a sentence comes twice.
    pub repeats: Option<bool>,
}

/// What is expected of a node's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Results after the deadline.
    pub missed_at_most: Option<u64>,
    /// Fall-backs.
    pub fall_backs_at_least: Option<u64>,
    /// Fall-backs.
    pub fall_backs_at_most: Option<u64>,
    /// The longest wait from release to start, ms.
    pub lateness_below_ms: Option<f64>,
    /// A level as cheap as this is reached (0 is the dearest).
    pub reaches_level: Option<u64>,
    /// The level at the end.
    pub ends_at_level: Option<u64>,
}

/// What is expected.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the module's table says what each is")]
pub enum Expected {
    Alert { kind: u8, profile: Option<String>, cleared: bool },
    NoAlert { kind: Option<u8>, profile: Option<String> },
    AlertsAsTruth { tolerance_s: f64, except: Vec<u8> },
    AlertsAsTable,
    State { state: u8, share: f64 },
    Safety { state: u8, share: f64 },
    Command { function: String, slots: BTreeMap<String, String>, result: Option<u8> },
    NoCommand { function: Option<String> },
    Reply { says: Regex, is: bool },
    Decision { tier: u8, reason: Option<String> },
    Answer { asked_at: f64, answer: Answer },
    NeverLeaves { words: String },
    Swap { model: String, taken: bool },
    Node { kind: String, counts: Counts },
}

impl Expected {
    /// Whether it needs a dialogue.
    pub fn is_of_dialogue(&self) -> bool {
        matches!(self, Expected::Decision { .. } | Expected::Answer { .. } | Expected::NeverLeaves { .. })
    }
}

/// The keys that say what is expected, each with those that may be beside it.
const KEYS: &[(&str, &[&str])] = &[
    ("alert", &["profile"]),
    ("cleared", &["profile"]),
    ("no_alert", &["profile"]),
    ("alerts", &["tolerance_s", "except"]),
    ("state", &["share"]),
    ("safety", &["share"]),
    ("command", &["slots", "result"]),
    ("no_command", &[]),
    ("reply", &[]),
    ("no_reply", &[]),
    ("decision", &["reason"]),
    ("answer_to", &["tiers", "complete", "contains", "silence_below_s", "first_words_below_s", "repeats"]),
    ("never_leaves", &[]),
    ("swap", &["outcome"]),
    (
        "node",
        &[
            "missed_at_most",
            "fall_backs_at_least",
            "fall_backs_at_most",
            "lateness_below_ms",
            "reaches_level",
            "ends_at_level",
        ],
    ),
];

fn beside(key: &str) -> &'static [&'static str] {
    KEYS.iter().find(|(known, _)| *known == key).map_or(&[], |(_, more)| more)
}

/// Those that are held against the whole scenario: a window of theirs would be looked at by nobody.
const WITHOUT_WINDOW: [&str; 3] = ["answer_to", "never_leaves", "node"];

impl Expectation {
    /// Reads one, and all that is wrong with it; `seconds` is the scenario's length. What is expected is there wherever it can be read,
    /// with a window that is none too: its names can be looked at then.
    pub(crate) fn read(
        text: &ExpectText,
        marks: &Marks,
        seconds: f64,
        line: usize,
    ) -> (Option<Expectation>, Vec<String>) {
        let (key, value) = match text.says() {
            Ok(says) => says,
            Err(fault) => return (None, vec![fault]),
        };
        let mut faults = Vec::new();
        if let Some(extra) = text.given().into_iter().find(|extra| !beside(key).contains(extra)) {
            let takes = beside(key).join(", ");
            faults.push(format!(
                "`{key}` takes no `{extra}`; it takes {}",
                if takes.is_empty() { "none beside it" } else { &takes }
            ));
        }
        if WITHOUT_WINDOW.contains(&key) && (text.after.is_some() || text.within_s.is_some()) {
            faults.push(format!(
                "`{key}` is held against the whole scenario: it takes no `after` and no `within_s`"
            ));
        }
        let everything = Span { from: 0.0, to: f64::INFINITY };
        let span = text.span(marks, seconds).unwrap_or_else(|fault| {
            faults.push(fault);
            everything
        });
        let expected = text.expected(key, value, marks).map_err(|fault| faults.push(fault));
        let one = |expected| Expectation { line, told: text.told(key, value), span, expected };
        (expected.ok().map(one), faults)
    }
}

fn time_of(marks: &Marks, name: &str) -> Result<f64, String> {
    let (bare, end) = name.strip_suffix(".end").map_or((name, false), |bare| (bare, true));
    match marks.iter().find(|(known, ..)| known == bare) {
        Some((_, from, to)) => Ok(if end { *to } else { *from }),
        None => {
            let known: Vec<&str> = marks.iter().map(|(name, ..)| name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let meant = troika_sim::slip::meant(bare, marks.iter().map(|(name, ..)| name.as_str()));
            Err(format!("nothing has the mark '{bare}'; marks are: {known}{meant}"))
        }
    }
}

impl ExpectText {
    /// The key that says what is expected, and its value.
    fn says(&self) -> Result<(&'static str, &str), String> {
        let values = [
            &self.alert,
            &self.cleared,
            &self.no_alert,
            &self.alerts,
            &self.state,
            &self.safety,
            &self.command,
            &self.no_command,
            &self.reply,
            &self.no_reply,
            &self.decision,
            &self.answer_to,
            &self.never_leaves,
            &self.swap,
            &self.node,
        ];
        let mut given =
            KEYS.iter().zip(values).filter_map(|((key, _), value)| Some((*key, value.as_deref()?)));
        match (given.next(), given.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => {
                let keys: Vec<_> = KEYS.iter().map(|(key, _)| *key).collect();
                Err(format!("an expectation says one of {}", keys.join(", ")))
            }
            (Some(one), Some(other)) => {
                Err(format!("an expectation says one thing, not `{}` and `{}`", one.0, other.0))
            }
        }
    }

    /// The keys beside it that are given.
    fn given(&self) -> Vec<&'static str> {
        self.beside().into_iter().map(|(key, _)| key).collect()
    }

    /// The same with their values: no verdict leaves out what it is about.
    fn beside(&self) -> Vec<(&'static str, String)> {
        fn shown(value: Option<&impl ToString>) -> Option<String> {
            value.map(ToString::to_string)
        }
        let list = |all: &Option<Vec<String>>| all.as_ref().map(|all| format!("[{}]", all.join(", ")));
        let slots = self.slots.as_ref().map(|slots| {
            let all: Vec<_> = slots.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{{{}}}", all.join(" "))
        });
        let all = [
            ("profile", self.profile.clone()),
            ("tolerance_s", shown(self.tolerance_s.as_ref())),
            ("except", list(&self.except)),
            ("share", shown(self.share.as_ref())),
            ("slots", slots),
            ("result", self.result.clone()),
            ("reason", self.reason.clone()),
            ("outcome", self.outcome.clone()),
            ("tiers", list(&self.tiers)),
            ("complete", shown(self.complete.as_ref())),
            ("contains", self.contains.clone()),
            ("silence_below_s", shown(self.silence_below_s.as_ref())),
            ("first_words_below_s", shown(self.first_words_below_s.as_ref())),
            ("repeats", shown(self.repeats.as_ref())),
            ("missed_at_most", shown(self.missed_at_most.as_ref())),
            ("fall_backs_at_least", shown(self.fall_backs_at_least.as_ref())),
            ("fall_backs_at_most", shown(self.fall_backs_at_most.as_ref())),
            ("lateness_below_ms", shown(self.lateness_below_ms.as_ref())),
            ("reaches_level", shown(self.reaches_level.as_ref())),
            ("ends_at_level", shown(self.ends_at_level.as_ref())),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// When it is to hold, s since the scenario began.
    fn span(&self, marks: &Marks, seconds: f64) -> Result<Span, String> {
        let zero = self.after.as_ref().map_or(Ok(0.0), |name| time_of(marks, name))?;
        let (from, to) = self.within_s.map_or((0.0, f64::INFINITY), |[from, to]| (from, to));
        // A moment holds nothing: messages come between two of them. No number is before nor after another either.
        if !(from < to && from.is_finite()) {
            return Err("`within_s` is [from, to], with from before to".into());
        }
        if zero.is_nan() {
            return Ok(Span { from: 0.0, to: f64::INFINITY });
        }
        let span = Span { from: zero + from, to: zero + to };
        if span.to <= 0.0 {
            return Err(format!("it ends at {:.1} s, before the scenario begins", span.to));
        }
        if span.from >= seconds {
            let from = span.from;
            return Err(format!("it begins at {from:.1} s, after the scenario's end ({seconds:.1} s)"));
        }
        Ok(span)
    }

    fn told(&self, key: &str, value: &str) -> String {
        let mut told = format!("{key} {value}");
        for (name, value) in self.beside() {
            let _ = write!(told, ", {name} {value}");
        }
        if let Some(after) = &self.after {
            let _ = write!(told, ", after {after}");
        }
        if let Some([from, to]) = self.within_s {
            let _ = write!(told, ", within {from} to {to} s");
        }
        told
    }

    fn expected(&self, key: &str, value: &str, marks: &Marks) -> Result<Expected, String> {
        let profile = self.profile.clone();
        let any_or =
            |names: Names| if value == "any" { Ok(None) } else { names::value(names, value).map(Some) };
        Ok(match key {
            "alert" | "cleared" => Expected::Alert {
                kind: names::value(names::ALERTS, value)?,
                profile,
                cleared: key == "cleared",
            },
            "no_alert" => Expected::NoAlert { kind: any_or(names::ALERTS)?, profile },
            "alerts" if value == "as_truth" => {
                let except = self.except.iter().flatten().map(|kind| names::value(names::ALERTS, kind));
                Expected::AlertsAsTruth {
                    tolerance_s: positive("tolerance_s", self.tolerance_s)?.unwrap_or(0.3),
                    except: except.collect::<Result<_, _>>()?,
                }
            }
            "alerts" if value == "as_table" => {
                if self.tolerance_s.is_some() || self.except.is_some() {
                    return Err(
                        "`tolerance_s` and `except` belong to \"as_truth\": the table has its own".into()
                    );
                }
                if self.after.is_some() || self.within_s.is_some() {
                    return Err("\"as_table\" is held against the whole scenario: it takes no `after` and no `within_s`".into());
                }
                Expected::AlertsAsTable
            }
            "alerts" => return Err("`alerts` is \"as_truth\" or \"as_table\"".into()),
            "state" => Expected::State { state: names::value(names::STATES, value)?, share: self.share()? },
            "safety" => Expected::Safety { state: names::value(names::SAFETY, value)?, share: self.share()? },
            "command" => Expected::Command {
                function: value.into(),
                slots: self.slots.clone().unwrap_or_default(),
                result: self.result.as_ref().map(|name| names::value(names::RESULTS, name)).transpose()?,
            },
            "no_command" => Expected::NoCommand { function: (value != "any").then(|| value.into()) },
            "reply" | "no_reply" => Expected::Reply { says: regex(value)?, is: key == "reply" },
            "decision" => {
                Expected::Decision { tier: names::value(names::TIERS, value)?, reason: self.reason.clone() }
            }
            "answer_to" => Expected::Answer { asked_at: time_of(marks, value)?, answer: self.answer()? },
            "never_leaves" if value.trim().is_empty() => return Err("`never_leaves` names words".into()),
            "never_leaves" => Expected::NeverLeaves { words: value.into() },
            "swap" => match self.outcome.as_deref() {
                Some("taken") | None => Expected::Swap { model: value.into(), taken: true },
                Some("refused") => Expected::Swap { model: value.into(), taken: false },
                Some(other) => return Err(format!("`outcome` is \"taken\" or \"refused\", not \"{other}\"")),
            },
            _ => Expected::Node { kind: value.into(), counts: self.counts()? },
        })
    }

    fn share(&self) -> Result<f64, String> {
        match self.share.unwrap_or(1.0) {
            share if share > 0.0 && share <= 1.0 => Ok(share),
            _ => Err("`share` is more than 0, and at most 1: a share of 0 cannot fail".into()),
        }
    }

    fn answer(&self) -> Result<Answer, String> {
        let tier = |name: &String| names::value(names::TIERS, name);
        let tiers = self.tiers.as_ref().map(|tiers| tiers.iter().map(tier).collect()).transpose()?;
        Ok(Answer {
            tiers,
            complete: self.complete,
            contains: self.contains.as_deref().map(regex).transpose()?,
            silence_below_s: positive("silence_below_s", self.silence_below_s)?,
            first_words_below_s: positive("first_words_below_s", self.first_words_below_s)?,
            repeats: self.repeats,
        })
    }

    fn counts(&self) -> Result<Counts, String> {
        let counts = Counts {
            missed_at_most: self.missed_at_most,
            fall_backs_at_least: self.fall_backs_at_least,
            fall_backs_at_most: self.fall_backs_at_most,
            lateness_below_ms: positive("lateness_below_ms", self.lateness_below_ms)?,
            reaches_level: self.reaches_level,
            ends_at_level: self.ends_at_level,
        };
        if counts == Counts::default() {
            return Err(format!("of a `node` one of {} is expected", beside("node").join(", ")));
        }
        if let Some(key) =
            [("fall_backs_at_least", counts.fall_backs_at_least), ("reaches_level", counts.reaches_level)]
                .into_iter()
                .find_map(|(key, given)| (given == Some(0)).then_some(key))
        {
            return Err(format!("`{key}` is 1 or more: with 0 it cannot fail"));
        }
        if let (Some(least), Some(most)) = (counts.fall_backs_at_least, counts.fall_backs_at_most)
            && least > most
        {
            return Err(format!("no number of fall-backs is at least {least} and at most {most}"));
        }
        Ok(counts)
    }
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| format!("no regular expression: {error}"))
}

fn positive(key: &str, given: Option<f64>) -> Result<Option<f64>, String> {
    match given {
        Some(given) if !(given > 0.0 && given.is_finite()) => Err(format!("`{key}` is more than 0")),
        given => Ok(given),
    }
}
