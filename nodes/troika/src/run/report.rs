//! The figures of a run: the JSON that `--report` writes, and the table at the end ([`table`]).

mod table;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use troika_msgs::names::alert_in_words;

use crate::kinds::NetworksOn;

use super::score::{Raised, Record, Scores, Standing, Unknown};

/// Percentiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

/// One node's counts over the whole run; written by the process that ran it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeFigures {
    /// The node's name.
    pub node: String,
    /// Its kind.
    pub kind: String,
    /// Steps.
    pub steps: u64,
    /// Steps that had something to do.
    pub worked: u64,
    /// Started late.
    pub late: u64,
    /// Would have started too late.
    pub too_late: u64,
    /// Output left after the deadline.
    pub missed: u64,
    /// Faults.
    pub faults: u64,
    /// The newest of them, for a person.
    pub last_fault: Option<String>,
    /// Fall-backs published.
    pub fall_backs: u64,
    /// Its level at the end; none for a node that has one only.
    #[serde(default)]
    pub level: Option<String>,
    /// Inputs that the node passed over because of its level.
    #[serde(default)]
    pub skipped: u64,
    /// Times that the level was changed by the measured slack.
    #[serde(default)]
    pub level_changes: u64,
    /// Steps that took longer than the budget.
    #[serde(default)]
    pub over_budget: u64,
    /// Misses that no stall of the machine explains; none where the floor was not measured.
    #[serde(default)]
    pub unexplained: Option<u64>,
    /// Messages dropped by full queues.
    pub dropped: u64,
    /// Messages that were no value of their type.
    pub undecodable: u64,
    /// Locked memory that its step allocates from; none if it has no arena.
    pub arena: Option<ArenaFigures>,
    /// Release (of a node that wakes on its input: that input's arrival) to output, milliseconds.
    pub latency_ms: Percentiles,
    /// The step alone, from its start to its end, milliseconds.
    #[serde(default)]
    pub step_ms: Percentiles,
    /// Whether it ran at a real-time policy.
    pub real_time: bool,
}

/// What a node used of its arena.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ArenaFigures {
    /// Bytes there are.
    pub capacity: usize,
    /// The most that were used at once.
    pub peak: usize,
    /// Allocations.
    pub allocations: u64,
    /// Allocations that found no room and went to the system.
    pub overflows: u64,
    /// Memory of the system that was freed or grown in a step.
    pub strays: u64,
}

/// What one process writes when it stops.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ProcessFigures {
    /// Its nodes.
    pub nodes: Vec<NodeFigures>,
    /// The machine's own scheduling floor, microseconds; of one process only.
    pub floor_us: Option<Percentiles>,
    /// The same, counted.
    #[serde(default)]
    pub floor_counts: Option<FloorCounts>,
    /// What the machine did not allow.
    pub notices: Vec<String>,
    /// What its watchdog did, if it has one.
    #[serde(default)]
    pub watchdog: Option<WatchdogFigures>,
}

/// How often a thread that only wakes up, every millisecond, was late by the measure of a node at 30 Hz.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FloorCounts {
    /// Wake-ups.
    pub wake_ups: u64,
    /// Later than [`FloorCounts::LATE`].
    pub late: u64,
    /// Later than [`FloorCounts::TOO_LATE`].
    pub too_late: u64,
}

impl FloorCounts {
    /// As [`troika_kit::Contract::late_after`] of a node at 30 Hz.
    pub(super) const LATE: Duration = Duration::from_millis(5);
    /// As [`troika_kit::Contract::too_late_after`] of a node at 30 Hz.
    pub(super) const TOO_LATE: Duration = Duration::from_millis(33);
}

/// What a watchdog did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct WatchdogFigures {
    /// The process that it watches.
    pub process: String,
    /// Times that a node owed an output and its fall-back was published instead.
    pub silences: u64,
    /// Fall-backs published.
    pub fall_backs: u64,
    /// Times that the process was ended because a node did not come back.
    pub killed: u64,
    /// Times that the process ended by itself.
    pub died: u64,
    /// Times that it was started again.
    pub restarts: u64,
    /// It failed too often and was left alone: from then on the fall-backs are all that its nodes said.
    #[serde(default)]
    pub given_up: bool,
}

/// The report.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Report {
    /// The system's name.
    pub system: String,
    /// Seconds it ran.
    pub seconds: f64,
    /// What carried the messages.
    pub transport: String,
    /// What the detectors' networks ran on; none without a detector.
    pub networks: Option<NetworksOn>,
    /// Frames that the camera's rate calls for.
    pub frames_due: u64,
    /// Frames published.
    pub frames_in: u64,
    /// Frames answered by driver_state.
    pub frames_done: u64,
    /// Driver monitoring.
    pub driver_state: Option<DriverStateFigures>,
    /// Voice.
    pub voice: Option<VoiceFigures>,
    /// What the supervisor said of the whole.
    pub safety: Option<SafetyFigures>,
    /// The machine.
    pub machine: Machine,
    /// The system file's chains, held against what their nodes took.
    pub chains: Vec<ChainFigures>,
    /// Every node.
    pub nodes: Vec<NodeFigures>,
    /// Every watchdog.
    pub watchdogs: Vec<WatchdogFigures>,
    /// What the machine did not allow.
    pub notices: Vec<String>,
}

/// How long the whole was in which state, by the supervisor, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct SafetyFigures {
    /// All that is watched does its work.
    pub nominal_s: f64,
    /// Something is lost.
    pub degraded_s: f64,
    /// The safe state.
    pub safe_s: f64,
    /// It said nothing.
    pub silent_s: f64,
}

/// A chain of nodes and its goal.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct ChainFigures {
    /// Its name.
    pub chain: String,
    /// Its nodes, in order.
    pub nodes: Vec<String>,
    /// From the first one's release to the last one's output, milliseconds.
    pub goal_ms: f64,
    /// What its nodes took from release to output, added, and a period for each behind the first that looks by the clock: no message took
    /// longer than the maximum, but for the transport between them. None: one of them gave no figures.
    pub took_ms: Option<Percentiles>,
    /// The maximum is within the goal.
    pub held: Option<bool>,
}

/// An alert that was missed, or that nothing calls for.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct AlertFigures {
    /// What it is about, in words.
    pub alert: String,
    /// Its profile.
    pub profile: String,
    /// When it was due (of a false one: raised), seconds from the first true frame; below zero: its stamp is older than that.
    pub at_s: f64,
    /// What the driver did then.
    pub truth: Option<String>,
    /// From when on, seconds.
    pub truth_from_s: Option<f64>,
    /// Until when, seconds.
    pub truth_to_s: Option<f64>,
}

impl AlertFigures {
    fn new(raised: &Raised, record: &Record) -> AlertFigures {
        let stretch = record.stretch(raised.at);
        AlertFigures {
            alert: alert_in_words(raised.kind).unwrap_or("?").to_owned(),
            profile: raised.profile.clone(),
            at_s: record.seconds_signed(raised.at),
            truth: stretch.map(|one| one.state.to_owned()),
            truth_from_s: stretch.map(|one| one.from_s),
            truth_to_s: stretch.map(|one| one.to_s),
        }
    }
}

/// Driver monitoring, scored where there is truth.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct DriverStateFigures {
    /// Mean of the per-state recalls.
    pub accuracy: Option<f64>,
    /// The same of the best constant answer.
    pub constant_accuracy: Option<f64>,
    /// Recall and share of the scored frames of each state.
    pub states: Vec<StateFigures>,
    /// Alerts that the truth calls for, as far as it was heard.
    pub expected_alerts: usize,
    /// Raised alerts that the truth does not call for, but for those that monitoring was unavailable.
    pub false_alerts: usize,
    /// Alerts that the truth calls for and that were not raised.
    pub missed_alerts: usize,
    /// Which they are.
    pub missed_which: Vec<AlertFigures>,
    /// Which the false ones are.
    pub false_which: Vec<AlertFigures>,
    /// Those of the missed that are sleep alerts.
    pub missed_sleep_alerts: usize,
    /// Raised alerts that monitoring was unavailable.
    pub unavailable_alerts: usize,
    /// When these stood.
    pub unavailable_which: Vec<Standing>,
    /// When nothing was known of the driver.
    pub unknown: Unknown,
    /// Raised alerts that may have been due in a gap of the truth: in none of the counts above.
    pub unjudged_raised_alerts: usize,
    /// Alerts that may have been due in a gap of the truth, and were not raised: in none of the counts above.
    pub unjudged_silent_alerts: usize,
    /// Alerts that were due less than a second before the end, and had not come: in none of the counts above.
    pub unjudged_at_the_end: usize,
    /// Which those of these that were not raised are.
    pub unjudged_which: Vec<AlertFigures>,
    /// Scored frames that nobody answered: each counts as wrong.
    pub unanswered_frames: u64,
    /// What came here of what all this is held against.
    pub heard: Option<Heard>,
    /// Frame's arrival to state's leaving, milliseconds.
    pub latency_ms: Percentiles,
    /// Frame's stamp to its state's arrival at who makes this report, milliseconds: older than when it was sent by the way here.
    pub age_ms: Option<Percentiles>,
    /// Started late.
    pub late: u64,
    /// Would have started too late.
    pub too_late: u64,
    /// Output left after the deadline.
    pub missed: u64,
}

/// What came of the truth and of the alerts to who scores them: what was lost on the way there is in no score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Heard {
    /// Frames whose truth came.
    pub truths: u64,
    /// Frames whose truth was sent, where the simulator's count of them is known.
    pub truths_sent: Option<u64>,
    /// Times over 0.3 s of which no truth came.
    pub gaps: u64,
    /// How long these are together.
    pub gap_seconds: f64,
    /// Alerts that were sent and did not come, by their senders' numbers; those after the last that came are not among them.
    pub alerts_lost: u64,
}

impl Heard {
    /// `sent`: frames whose truth was sent, if that is known.
    pub(super) fn of(record: &Record, sent: Option<u64>) -> Heard {
        let gaps = record.gaps();
        Heard {
            truths: record.truths_heard(),
            // What was heard of an earlier life of the simulator is not in its count.
            truths_sent: sent.filter(|sent| *sent >= record.truths_heard()),
            gaps: gaps.count,
            gap_seconds: gaps.length.as_secs_f64(),
            alerts_lost: record.alerts_lost(),
        }
    }
}

/// One state.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct StateFigures {
    /// Its name.
    pub state: String,
    /// Frames answered right, of its true frames.
    pub recall: f64,
    /// Its share of the scored frames.
    pub share: f64,
}

/// Voice.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct VoiceFigures {
    /// Utterances heard.
    pub utterances: usize,
    /// Whether it is known what is right: there is a table beside the recordings.
    pub scored: bool,
    /// Those with exactly the expected commands.
    pub correct: usize,
    /// End of speech to command, milliseconds; none without an utterance.
    pub latency_ms: Option<Percentiles>,
}

/// The machine.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Machine {
    /// Scheduling floor, microseconds.
    pub floor_us: Option<Percentiles>,
    /// The same, counted.
    pub floor_counts: Option<FloorCounts>,
    /// Cores.
    pub cores: usize,
}

/// In words.
pub(super) fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

impl DriverStateFigures {
    /// From the scores and the node's figures.
    pub(super) fn new(
        scores: Option<(&Scores, Heard, &Record)>,
        node: Option<&NodeFigures>,
    ) -> DriverStateFigures {
        let mut figures = DriverStateFigures::default();
        if let Some((scores, heard, record)) = scores {
            let named = |all: &[Raised]| all.iter().map(|one| AlertFigures::new(one, record)).collect();
            (figures.missed_which, figures.false_which) =
                (named(&scores.missed), named(&scores.false_alerts));
            figures.heard = Some(heard);
            figures.unanswered_frames = scores.unanswered();
            figures.unjudged_raised_alerts = scores.unjudged.raised.len();
            figures.unjudged_silent_alerts = scores.unjudged.silent.len();
            figures.unjudged_at_the_end = scores.unjudged.at_the_end.len();
            figures.unjudged_which = [&scores.unjudged.silent, &scores.unjudged.at_the_end]
                .into_iter()
                .flatten()
                .map(|one| AlertFigures::new(one, record))
                .collect();
            figures.accuracy = scores.accuracy();
            figures.constant_accuracy = scores.constant_accuracy();
            figures.states = scores
                .recalls()
                .into_iter()
                .map(|(state, recall, share)| StateFigures { state: state.to_owned(), recall, share })
                .collect();
            figures.expected_alerts = scores.matched.len() + scores.missed.len();
            figures.false_alerts = scores.false_alerts.len();
            figures.missed_alerts = scores.missed.len();
            figures.missed_sleep_alerts = scores.missed_sleep();
            figures.unavailable_alerts = scores.unavailable;
            figures.unavailable_which = record.unavailable();
            figures.unknown = record.unknown();
        }
        if let Some(node) = node {
            figures.latency_ms = node.latency_ms;
            figures.late = node.late;
            figures.too_late = node.too_late;
            figures.missed = node.missed;
        }
        figures
    }
}
