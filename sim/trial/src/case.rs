//! A scenario that judges, as TOML. Unknown keys, names that do not exist and times that cannot be are refused, with the line.
//!
//! ```toml
//! name = "a glance into the lap at 60 km/h"
//! about = "Euro NCAP Driver Engagement: long distraction, phone in the lap"
//! seed = 7
//! level = "landmarks"            # or "pixels": every frame is rendered, and the networks look at it
//!
//! [[segment]]                    # what the driver does: as in the scenarios of `sim`
//! face = "ada"
//! light = "day"
//! speed_kmh = 60.0
//! acts = [{ act = "attentive", s = 5.0 }, { act = "glance", at = "lap", s = 4.5, mark = "glance" }, { act = "attentive", s = 4.0 }]
//!
//! [[say]]                        # what is said to the assistant, and when that ends
//! at_s = 2.0
//! words = "set the temperature to 21 degrees"
//!
//! [[gesture]]                    # what a hand shows to the camera: rendered, and looked at by the gesture node with its networks
//! show = "thumb_up"
//! at_s = 6.0
//! for_s = 1.5
//!
//! [link]                         # with it there is a dialogue: router, bridge, a cloud
//! like = "tram"                  # bus, ferry, metro, tram; or mbit = 5.0
//! cuts_s = [[12.0, 30.0]]
//!
//! [[trouble]]                    # what goes wrong: camera_unplugged, killed, slow, model_missing, garbage
//! what = "killed"
//! node = "driver_state"
//! at_s = 8.0
//! for_s = 1.0
//!
//! [[expect]]                     # see `expect`
//! alert = "long_distraction"
//! profile = "euro_ncap"
//! after = "glance"
//! within_s = [2.9, 3.2]
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use troika_sim::{Camera, Scenario, ScenarioError, SegmentText, hand::HandScenario, slip};
use troika_world::perception::Sensing;

use crate::expect::{ExpectText, Expectation};

mod shown;

pub use shown::{Shown, Side};

/// A file that is no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct CaseError {
    /// What was read.
    pub file: String,
    /// Where, from 1.
    pub line: Option<usize>,
    /// Why, and the way out.
    pub reason: String,
}

/// What was read of a file.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The scenario with what of it is sound, so that all names in it can be looked at; none: not even its drive is. It is played only
    /// where nothing is wrong.
    pub case: Option<Case>,
    /// All that is wrong.
    pub faults: Vec<CaseError>,
}

impl Examined {
    fn nothing(faults: Vec<CaseError>) -> Examined {
        Examined { case: None, faults }
    }
}

/// How much of the perception is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// No picture: what the networks would give, with their noise; what follows on them is real.
    #[default]
    Landmarks,
    /// Every frame is rendered and looked at.
    Pixels,
}

/// Something that is said to the assistant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spoken {
    /// When it ends, s.
    pub at_s: f64,
    /// The words, as the recogniser would write them.
    pub words: String,
    /// How sure the recogniser is, 0..1.
    #[serde(default = "sure")]
    pub confidence: f32,
    /// A name by which expectations find its time.
    pub mark: Option<String>,
}

impl Spoken {
    /// How long it takes, s: three words a second.
    pub fn lasts_s(&self) -> f64 {
        self.words.split_whitespace().count() as f64 / 3.0
    }
}

fn sure() -> f32 {
    0.95
}

/// The link to the cloud.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkPlan {
    /// A made link like that of a bus, ferry, metro or tram.
    pub like: Option<LinkLike>,
    /// A steady one, Mbit/s.
    pub mbit: Option<f64>,
    /// When it is dead: from and to, s.
    #[serde(default)]
    pub cuts_s: Vec<[f64; 2]>,
    /// How fast the cloud's stand-in speaks; as measured of a large model when it is left out.
    pub cloud_tokens_per_s: Option<f64>,
    /// What the vehicle's model says when it is asked alone. Empty: it is not sure enough of anything.
    #[serde(default)]
    pub model_answers: String,
    /// What it says to go on from an answer that broke off.
    #[serde(default)]
    pub model_goes_on: String,
}

/// What a made link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum LinkLike {
    Bus,
    Ferry,
    Metro,
    Tram,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The camera gives no frame.
    CameraUnplugged,
    /// The node's process is gone; it comes back as new.
    Killed,
    /// Each of the node's steps takes `execution_ms`.
    Slow,
    /// The node starts without its models.
    ModelMissing,
    /// Bytes that are no message come on the node's inputs, ten times a second.
    Garbage,
    /// Another network is offered in the place of one that runs, as `troika models swap` does.
    ModelSwapped,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// What.
    pub what: What,
    /// Of which kind of node; the camera's needs none.
    pub node: Option<String>,
    /// From when on, s.
    #[serde(default)]
    pub at_s: f64,
    /// For how long, s; to the end when it is left out.
    pub for_s: Option<f64>,
    /// Of [`What::Slow`].
    pub execution_ms: Option<f64>,
    /// Of [`What::ModelSwapped`]: the name of the network that runs.
    pub model: Option<String>,
    /// Of [`What::ModelSwapped`]: the folder of the one that is offered.
    pub candidate: Option<PathBuf>,
    /// A name by which expectations find its time.
    pub mark: Option<String>,
    /// The line of its `[[trouble]]`.
    #[serde(skip)]
    pub line: usize,
}

impl Trouble {
    /// From and to, s.
    pub fn span(&self) -> (f64, f64) {
        (self.at_s, self.for_s.map_or(f64::INFINITY, |lasts| self.at_s + lasts))
    }
}

/// A scenario that judges.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its file, for reports.
    pub file: String,
    /// Its name.
    pub name: String,
    /// What it stands for, and where that is from.
    pub about: String,
    /// How much of the perception is real.
    pub level: Level,
    /// How well the driver is seen, without pictures.
    pub sensing: Sensing,
    /// What the driver does.
    pub drive: Scenario,
    /// What is said.
    pub says: Vec<Spoken>,
    /// What the hand does before the camera; none: there is no hand.
    pub hand: Option<HandScenario>,
    /// The link; none: no dialogue.
    pub link: Option<LinkPlan>,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
    /// What is expected.
    pub expectations: Vec<Expectation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    name: String,
    #[serde(default)]
    about: String,
    seed: u64,
    #[serde(default)]
    level: Level,
    #[serde(default)]
    sensing: Sensing,
    #[serde(default)]
    camera: Camera,
    segment: Vec<SegmentText>,
    #[serde(default)]
    say: Vec<Spanned<Spoken>>,
    #[serde(default)]
    gesture: Vec<Spanned<Shown>>,
    link: Option<Spanned<LinkPlan>>,
    #[serde(default)]
    trouble: Vec<Spanned<Trouble>>,
    #[serde(default)]
    expect: Vec<Spanned<ExpectText>>,
}

/// The text of a file, for errors with their line.
struct Lines<'t> {
    file: &'t str,
    text: &'t str,
}

impl Lines<'_> {
    fn of(&self, byte: usize) -> usize {
        1 + self.text.bytes().take(byte).filter(|b| *b == b'\n').count()
    }

    fn fault(&self, byte: usize, reason: impl Into<String>) -> CaseError {
        CaseError { file: self.file.into(), line: Some(self.of(byte)), reason: reason.into() }
    }
}

/// When what has a name takes place: the name, from and to, s; no numbers of what is at no time of the scenario.
pub(crate) type Marks = Vec<(String, f64, f64)>;

impl Case {
    /// Reads one from a file, and all that is wrong with it. What no TOML reader understands, and a drive that cannot be, hide what is
    /// behind them.
    pub fn examine(path: &Path) -> Examined {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Case::examine_text(&file, &text),
            Err(error) => Examined::nothing(vec![CaseError { file, line: None, reason: error.to_string() }]),
        }
    }

    /// Reads one. `file` is what an error calls it.
    ///
    /// # Errors
    /// The first fault: its line, and why.
    pub fn parse(file: &str, text: &str) -> Result<Case, CaseError> {
        let Examined { case, faults } = Case::examine_text(file, text);
        match (faults.into_iter().next(), case) {
            (None, Some(case)) => Ok(case),
            (Some(fault), _) => Err(fault),
            (None, None) => unreachable!("without a scenario there is a fault"),
        }
    }

    fn examine_text(file: &str, text: &str) -> Examined {
        let lines = Lines { file, text };
        let read: FileText = match slip::read(text) {
            Ok(read) => read,
            Err(faults) => {
                let fault = |(line, reason)| CaseError { file: file.to_owned(), line: Some(line), reason };
                return Examined::nothing(faults.into_iter().map(fault).collect());
            }
        };
        let drive = match Scenario::of(text, read.name.clone(), read.seed, read.camera, &read.segment) {
            Ok(drive) => drive,
            Err(error) => return Examined::nothing(of_drive(&lines, error)),
        };
        let mut faults = Vec::new();
        let seconds = f64::from(drive.seconds());
        let of_act =
            |mark: &troika_sim::Mark| (mark.name.clone(), f64::from(mark.from_s), f64::from(mark.to_s));
        let mut marks: Marks = drive.marks.iter().map(of_act).collect();
        let says = checked(&lines, &mut faults, read.say, |say| check_said(say, seconds));
        // Of what is at no time of the scenario nobody knows when it is: told is its own fault, and none that follows from it.
        let mark = |name: &Option<String>, from: f64, to: f64| {
            let there = (0.0..seconds).contains(&from);
            name.clone().map(|name| if there { (name, from, to) } else { (name, f64::NAN, f64::NAN) })
        };
        marks.extend(says.iter().filter_map(|say| mark(&say.mark, say.at_s, say.at_s)));
        let (level, begun) = (read.level, read.gesture.first().map_or(0, |shown| shown.span().start));
        let before = faults.len();
        let gestures = checked(&lines, &mut faults, read.gesture, |shown| {
            if level == Level::Pixels {
                return Err(
                    "with pictures of the driver there are none of a hand: one camera, one scene".into()
                );
            }
            shown.check(seconds)
        });
        marks.extend(gestures.iter().filter_map(|shown| {
            let (from, to) = shown.span();
            mark(&shown.mark, from, to)
        }));
        // Gestures that cannot be shown cannot be put in their order either.
        let hand = match faults.len() == before {
            true => shown::played(&drive, gestures).unwrap_or_else(|(at_s, why)| {
                faults.push(lines.fault(begun, format!("the [[gesture]] at {at_s} s: {why}")));
                None
            }),
            false => None,
        };
        let begins: Vec<usize> = read.trouble.iter().map(|one| lines.of(one.span().start)).collect();
        let mut troubles =
            checked(&lines, &mut faults, read.trouble, |trouble| check_trouble(trouble, seconds));
        for (trouble, line) in troubles.iter_mut().zip(begins) {
            trouble.line = line;
        }
        marks.extend(troubles.iter().filter_map(|trouble| {
            let (from, to) = trouble.span();
            mark(&trouble.mark, from, to.min(seconds))
        }));
        let twice = |n: usize| marks[..n].iter().any(|other| other.0 == marks[n].0);
        let doubled = (0..marks.len()).filter(|n| twice(*n));
        faults.extend(doubled.map(|n| lines.fault(0, format!("two marks are called '{}'", marks[n].0))));
        let link = checked(&lines, &mut faults, read.link, |link| check_link(link, seconds)).pop();
        let mut expectations = Vec::new();
        for expect in &read.expect {
            let at = expect.span().start;
            let (one, wrong) = Expectation::read(expect.get_ref(), &marks, seconds, lines.of(at));
            faults.extend(wrong.into_iter().map(|reason| lines.fault(at, reason)));
            if one.as_ref().is_some_and(|one| one.expected.is_of_dialogue()) && link.is_none() {
                faults.push(lines.fault(at, "without a [link] there is no dialogue to expect this of"));
            }
            expectations.extend(one);
        }
        if read.expect.is_empty() {
            faults.push(lines.fault(0, "nothing is expected: a scenario without [[expect]] cannot fail"));
        }
        let case = Case {
            file: file.into(),
            name: read.name,
            about: read.about,
            level: read.level,
            sensing: read.sensing,
            drive,
            says,
            hand,
            link,
            troubles,
            expectations,
        };
        Examined { case: Some(case), faults }
    }

    /// How long it lasts, s.
    pub fn seconds(&self) -> f64 {
        f64::from(self.drive.seconds())
    }

    /// When the camera gives nothing, s: from and to.
    pub fn camera_away(&self) -> Vec<(f32, f32)> {
        let away = self.troubles.iter().filter(|trouble| trouble.what == What::CameraUnplugged);
        away.map(Trouble::span).map(|(from, to)| (from as f32, to as f32)).collect()
    }

    /// What goes wrong with a kind of node.
    pub fn troubles_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Trouble> {
        self.troubles.iter().filter(move |trouble| trouble.node.as_deref() == Some(kind))
    }
}

/// What is wrong with what the driver does.
fn of_drive(lines: &Lines<'_>, error: ScenarioError) -> Vec<CaseError> {
    match error {
        ScenarioError::Line { line, reason } => {
            vec![CaseError { file: lines.file.into(), line: Some(line), reason }]
        }
        ScenarioError::Several(all) => all.into_iter().flat_map(|one| of_drive(lines, one)).collect(),
        other @ ScenarioError::Read { .. } => vec![lines.fault(0, other.to_string())],
    }
}

/// Each of them, at fault or not: a mark of one that is may be named further below.
fn checked<T>(
    lines: &Lines<'_>,
    faults: &mut Vec<CaseError>,
    all: impl IntoIterator<Item = Spanned<T>>,
    check: impl Fn(&T) -> Result<(), String>,
) -> Vec<T> {
    let each = |one: Spanned<T>| {
        if let Err(reason) = check(one.get_ref()) {
            faults.push(lines.fault(one.span().start, reason));
        }
        one.into_inner()
    };
    all.into_iter().map(each).collect()
}

fn within(at_s: f64, seconds: f64) -> Result<(), String> {
    if (0.0..seconds).contains(&at_s) {
        return Ok(());
    }
    Err(format!("`at_s` is 0 to {seconds}, the length of the scenario"))
}

fn check_said(say: &Spoken, seconds: f64) -> Result<(), String> {
    if say.words.trim().is_empty() {
        return Err("nothing is said: `words` is empty".into());
    }
    within(say.at_s, seconds)
}

fn check_trouble(trouble: &Trouble, seconds: f64) -> Result<(), String> {
    let of_camera = trouble.what == What::CameraUnplugged;
    if of_camera == trouble.node.is_some() {
        let told = if of_camera { "takes no `node`" } else { "says of which kind of `node`" };
        return Err(format!("this trouble {told}"));
    }
    if trouble.what == What::Slow && trouble.execution_ms.is_none() {
        return Err("\"slow\" says how long each step takes: `execution_ms` is missing".into());
    }
    if trouble.what != What::Slow && trouble.execution_ms.is_some() {
        return Err("`execution_ms` belongs to the trouble \"slow\", and to no other".into());
    }
    let swapped = trouble.what == What::ModelSwapped;
    if swapped && (trouble.model.is_none() || trouble.candidate.is_none()) {
        return Err("\"model_swapped\" says which `model`, and the folder of the `candidate`".into());
    }
    if !swapped && (trouble.model.is_some() || trouble.candidate.is_some()) {
        return Err("`model` and `candidate` belong to the trouble \"model_swapped\", and to no other".into());
    }
    if swapped && trouble.for_s.is_some() {
        return Err("a model is swapped at once: it takes no `for_s`".into());
    }
    if trouble.for_s.is_some_and(|lasts| lasts.is_nan() || lasts <= 0.0) {
        return Err("`for_s` is more than 0".into());
    }
    within(trouble.at_s, seconds)
}

fn check_link(link: &LinkPlan, seconds: f64) -> Result<(), String> {
    if link.like.is_some() == link.mbit.is_some() {
        return Err("a link says `like`, or `mbit`".into());
    }
    if link.mbit.is_some_and(|mbit| !(0.01..=10_000.0).contains(&mbit)) {
        return Err("`mbit` is 0.01 to 10000".into());
    }
    if link.cloud_tokens_per_s.is_some_and(|rate| !(0.1..=10_000.0).contains(&rate)) {
        return Err("`cloud_tokens_per_s` is 0.1 to 10000".into());
    }
    if let Some(cut) = link.cuts_s.iter().find(|[from, to]| !(*from >= 0.0 && from < to)) {
        return Err(format!("the cut {cut:?} does not end after it begins"));
    }
    match link.cuts_s.iter().find(|[from, _]| *from >= seconds) {
        Some(cut) => Err(format!("the cut {cut:?} begins after the scenario's end ({seconds:.1} s)")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
