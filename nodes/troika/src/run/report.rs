//! The figures of a run: the JSON that `--report` writes and the table at the end.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};
use troika_kit::counted;

use super::score::{Record, Scores};

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
    /// Release to output, milliseconds.
    pub latency_ms: Percentiles,
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
    /// The machine.
    pub machine: Machine,
    /// Every node.
    pub nodes: Vec<NodeFigures>,
    /// Every watchdog.
    pub watchdogs: Vec<WatchdogFigures>,
    /// What the machine did not allow.
    pub notices: Vec<String>,
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
    /// Those of them that are sleep alerts.
    pub missed_sleep_alerts: usize,
    /// Raised alerts that monitoring was unavailable.
    pub unavailable_alerts: usize,
    /// Raised alerts that may have been due in a gap of the truth: in none of the counts above.
    pub unjudged_raised_alerts: usize,
    /// Alerts that may have been due in a gap of the truth, and were not raised: in none of the counts above.
    pub unjudged_silent_alerts: usize,
    /// Scored frames that nobody answered: each counts as wrong.
    pub unanswered_frames: u64,
    /// What came here of what all this is held against.
    pub heard: Option<Heard>,
    /// Frame's arrival to state's leaving, milliseconds.
    pub latency_ms: Percentiles,
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
    pub(super) fn new(scores: Option<(&Scores, Heard)>, node: Option<&NodeFigures>) -> DriverStateFigures {
        let mut figures = DriverStateFigures::default();
        if let Some((scores, heard)) = scores {
            figures.heard = Some(heard);
            figures.unanswered_frames = scores.unanswered();
            figures.unjudged_raised_alerts = scores.unjudged.raised;
            figures.unjudged_silent_alerts = scores.unjudged.silent;
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
        }
        if let Some(node) = node {
            figures.latency_ms = node.latency_ms;
            figures.late = node.late;
            figures.too_late = node.too_late;
            figures.missed = node.missed;
        }
        figures
    }

    /// What the scores leave out, and why.
    fn write_unknown(&self, out: &mut String) -> std::fmt::Result {
        if self.unanswered_frames > 0 {
            writeln!(
                out,
                "                 frames without an answer, all wrong: {}",
                self.unanswered_frames
            )?;
        }
        let Some(heard) = &self.heard else { return Ok(()) };
        let lost = heard.truths_sent.map_or(0, |sent| sent - heard.truths);
        if heard.gaps > 0 {
            write!(
                out,
                "                 not judged: {:.1} s without the driver's truth, in {}",
                heard.gap_seconds,
                counted(heard.gaps, "gap")
            )?;
            match (self.unjudged_silent_alerts, self.unjudged_raised_alerts) {
                (0, 0) => writeln!(out, "; no alert would have been due then")?,
                (silent, raised) => writeln!(
                    out,
                    "; {} may have been due then and not raised, {raised} raised then right or false",
                    counted(silent, "alert")
                )?,
            }
        }
        if lost > 0 || heard.alerts_lost > 0 {
            writeln!(
                out,
                "                 lost on the way here, and in no score: the truth of {}, {}",
                counted(lost, "frame"),
                counted(heard.alerts_lost, "alert")
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// The table at the end.
    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        self.write_table(&mut out).unwrap_or_default();
        out
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: {:.1} s over {}", self.system, self.seconds, self.transport)?;
        let share =
            if self.frames_due > 0 { self.frames_done as f64 / self.frames_due as f64 * 100.0 } else { 0.0 };
        // Figures go with the process that counted them.
        let counted = match self.watchdogs.iter().any(|one| one.restarts > 0 || one.given_up) {
            true => "counted in the last life of the process alone".to_owned(),
            false => format!("{share:.1} %"),
        };
        writeln!(
            out,
            "  frames         {} due, {} in, {} done ({counted})",
            self.frames_due, self.frames_in, self.frames_done
        )?;
        if let Some(driver) = &self.driver_state
            && let (Some(accuracy), Some(constant)) = (driver.accuracy, driver.constant_accuracy)
        {
            writeln!(out, "  driver state   accuracy {accuracy:.3} (best constant answer {constant:.3})")?;
            for state in &driver.states {
                writeln!(
                    out,
                    "                 {:<13} recall {:.3}, {:.0} % of the frames",
                    state.state,
                    state.recall,
                    state.share * 100.0
                )?;
            }
            writeln!(
                out,
                "  alerts         {} expected, {} missed (sleep: {}), {} false{}",
                driver.expected_alerts,
                driver.missed_alerts,
                driver.missed_sleep_alerts,
                driver.false_alerts,
                match driver.unavailable_alerts {
                    0 => String::new(),
                    count => format!("; monitoring unavailable: {count}"),
                }
            )?;
            driver.write_unknown(out)?;
        }
        if self.voice.as_ref().is_some_and(|voice| voice.utterances == 0) {
            writeln!(out, "  voice          heard nothing")?;
        } else if let Some(voice) = &self.voice {
            match voice.scored {
                true => write!(
                    out,
                    "  voice          {} of {} utterances exactly right",
                    voice.correct, voice.utterances
                )?,
                false => write!(out, "  voice          {} utterances", voice.utterances)?,
            }
            match &voice.latency_ms {
                Some(latency) => writeln!(
                    out,
                    "; end of speech to command p50 {:.0} ms, p99 {:.0} ms",
                    latency.p50, latency.p99
                )?,
                None => writeln!(out)?,
            }
        }
        if !self.nodes.is_empty() {
            writeln!(
                out,
                "  {:<15}{:>8}{:>9}{:>9}{:>9}{:>9}{:>7}{:>9}{:>8}{:>7}",
                "node", "steps", "p50 ms", "p99 ms", "p99.9", "max", "late", "too late", "missed", "faults"
            )?;
            for node in &self.nodes {
                writeln!(
                    out,
                    "  {:<15}{:>8}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>7}{:>9}{:>8}{:>7}{}",
                    node.node,
                    node.steps,
                    node.latency_ms.p50,
                    node.latency_ms.p99,
                    node.latency_ms.p999,
                    node.latency_ms.max,
                    node.late,
                    node.too_late,
                    node.missed,
                    node.faults,
                    if node.real_time { "  real-time" } else { "" }
                )?;
                if let Some(level) = &node.level {
                    match node.level_changes {
                        0 => write!(out, "    level {level} throughout")?,
                        changes => write!(out, "    level {level} at the end, changed {}", times(changes))?,
                    }
                    match node.skipped {
                        0 => writeln!(out)?,
                        skipped => writeln!(out, "; inputs passed over because of it: {skipped}")?,
                    }
                }
                if node.over_budget > 0 {
                    writeln!(out, "    steps over their budget: {}", node.over_budget)?;
                }
                if let Some(fault) = &node.last_fault {
                    writeln!(out, "    fell back {}, last for: {fault}", times(node.fall_backs))?;
                }
                if node.undecodable > 0 || node.dropped > 0 {
                    writeln!(
                        out,
                        "    messages to it that could not be read: {}; dropped: {}",
                        node.undecodable, node.dropped
                    )?;
                }
            }
        }
        for watchdog in &self.watchdogs {
            writeln!(
                out,
                "  watchdog       {}: {} silences, {} fall-backs, killed {}, died {}, restarted {}{}",
                watchdog.process,
                watchdog.silences,
                watchdog.fall_backs,
                watchdog.killed,
                watchdog.died,
                watchdog.restarts,
                if watchdog.given_up { ", given up" } else { "" }
            )?;
        }
        if let Some(floor) = &self.machine.floor_us {
            writeln!(
                out,
                "  machine floor  p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, max {:.0} us (a thread that only wakes up)",
                floor.p50, floor.p99, floor.p999, floor.max
            )?;
        }
        for notice in &self.notices {
            writeln!(out, "  notice         {notice}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_and_what_cannot_be_judged_is_in_the_table() {
        let heard = Heard { truths: 92, truths_sent: Some(100), gaps: 70, gap_seconds: 58.1, alerts_lost: 1 };
        let driver = DriverStateFigures {
            accuracy: Some(0.5),
            constant_accuracy: Some(0.25),
            unjudged_silent_alerts: 3,
            unanswered_frames: 9,
            heard: Some(heard),
            ..DriverStateFigures::default()
        };
        let report = Report { driver_state: Some(driver), ..Report::default() };
        let table = report.table();
        for part in [
            "0 expected, 0 missed",
            "without an answer, all wrong: 9",
            "not judged: 58.1 s without the driver's truth, in 70 gaps; 3 alerts may have been due",
            "in no score: the truth of 8 frames, 1 alert",
        ] {
            assert!(table.contains(part), "{part}: {table}");
        }
        let json = serde_json::to_value(&report).expect("it is JSON");
        assert_eq!(json["driver_state"]["heard"]["gaps"], 70);
        assert!(!Report::default().table().contains("not judged"));
    }
}
