//! `troika score` of a hands scenario: the rendered hand through the system's gesture node, scored against its truth.

use std::{path::Path, time::Instant};

use serde::Serialize;
use troika_gesture::gesture::Gesture;
use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::{Duration, Time};
use troika_msgs::troika::{Gesture as Said, GestureTruth};

use super::{
    gesture_score::{self, Outcome, Scores, Told},
    recording::Recording,
    report::NodeFigures,
    virtual_time::{CAMERA, RecordTo, figures, looked, note_models, pass, start},
};
use crate::{
    fate::NOTHING,
    kinds,
    system::{Source, System},
};

/// The figures of one scenario.
#[derive(Serialize)]
pub(super) struct ScoredHands {
    scenario: String,
    virtual_seconds: f64,
    wall_seconds: f64,
    /// By gesture, those that were shown.
    gestures: Vec<GestureFigures>,
    /// Every one that was shown, in order.
    shown: Vec<ShownFigures>,
    /// Told while nothing was shown.
    unasked: Vec<ToldFigures>,
    /// Told and not shown, unasked or in another's place, an hour of this scenario.
    false_per_hour: f64,
    /// Of the frames that show a hand, the share with a hand followed.
    hand_followed: Option<f64>,
    /// Of those, the share told right from left as they are.
    side_right: Option<f64>,
    /// Of the frames without a hand, the share with one followed all the same.
    hand_imagined: Option<f64>,
    nodes: Vec<NodeFigures>,
}

/// All that were shown of one gesture.
#[derive(Debug, Serialize)]
struct GestureFigures {
    gesture: &'static str,
    shown: usize,
    told: usize,
    missed: usize,
    /// Other gestures told while this one was shown.
    as_another: usize,
    /// Times that it was told once more.
    again: usize,
    /// From its first frame to its being told, seconds; none when it never was.
    delay_p50_s: Option<f64>,
    /// The longest.
    delay_max_s: Option<f64>,
}

#[derive(Serialize)]
struct ShownFigures {
    gesture: &'static str,
    /// Seconds from the first frame of the scenario to its first and its last.
    from_s: f64,
    to_s: f64,
    /// Seconds from its first frame; none: missed.
    told_after_s: Option<f64>,
    again: usize,
    others: Vec<ToldFigures>,
}

#[derive(Serialize)]
struct ToldFigures {
    gesture: &'static str,
    at_s: f64,
}

/// Runs and scores one.
///
/// # Errors
/// The scenario or the system cannot be used, or no frame was looked at.
pub(super) fn score(
    scenario: &Path,
    source: &Source,
    system: &System,
    seconds: Option<f64>,
    record_to: Option<RecordTo<'_>>,
) -> anyhow::Result<ScoredHands> {
    let wall = Instant::now();
    let mut simulation = Simulation::new()?;
    let (hand, params, length) = kinds::scenario_hand(scenario)?;
    let recording =
        record_to.map(|to| to.start(&["gesture"], "sim_hand", params, source, system)).transpose()?;
    let tape = recording.as_ref().map(Recording::tape);
    simulation.spawn(hand, NodeOptions { tape: tape.clone(), ..NodeOptions::new(CAMERA) })?;
    start(&["gesture"], source, system, &mut simulation, |_| &NOTHING, tape)?;
    note_models(recording.as_ref());
    let truths = simulation.collect::<GestureTruth>("/sim/gesture_truth")?;
    let said = simulation.collect::<Said>("/cabin/gesture")?;
    let length = seconds.map_or(length, |seconds| length.min(Duration::from_secs_f64(seconds)));
    pass(&mut simulation, scenario, length);
    recording.into_iter().for_each(Recording::finish);
    let nodes = figures(&simulation, system, "sim_hand");
    looked(&nodes, "gesture")?;

    let truths: Vec<GestureTruth> = truths.take().into_iter().map(|sample| sample.value).collect();
    let said: Vec<Said> = said.take().into_iter().map(|sample| sample.value).collect();
    let scores = gesture_score::score(&truths, &said);
    let begin = truths
        .first()
        .map_or(Time::ZERO, |truth| Time::from_stamp(truth.header.stamp.sec, truth.header.stamp.nanosec));
    let scored = ScoredHands::new(scenario, length, wall.elapsed().as_secs_f64(), begin, &scores, nodes);
    scored.print(&scores);
    Ok(scored)
}

fn share([of, part]: [u64; 2]) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

impl GestureFigures {
    fn of(gesture: Gesture, all: &[Outcome]) -> Option<GestureFigures> {
        let mine: Vec<_> = all.iter().filter(|one| one.shown.gesture == gesture).collect();
        let mut delays: Vec<f64> = mine.iter().filter_map(|one| Some(one.delay?.as_secs_f64())).collect();
        delays.sort_by(f64::total_cmp);
        (!mine.is_empty()).then(|| GestureFigures {
            gesture: gesture.name(),
            shown: mine.len(),
            told: delays.len(),
            missed: mine.len() - delays.len(),
            as_another: mine.iter().map(|one| one.others.len()).sum(),
            again: mine.iter().map(|one| one.again).sum(),
            delay_p50_s: delays.get(delays.len() / 2).copied(),
            delay_max_s: delays.last().copied(),
        })
    }
}

impl ScoredHands {
    fn new(
        scenario: &Path,
        length: Duration,
        wall_seconds: f64,
        begin: Time,
        scores: &Scores,
        nodes: Vec<NodeFigures>,
    ) -> ScoredHands {
        let after = |time: Time| time.since(begin).as_secs_f64();
        let told = |told: &Told| ToldFigures { gesture: told.gesture.name(), at_s: after(told.at) };
        let shown = |one: &Outcome| ShownFigures {
            gesture: one.shown.gesture.name(),
            from_s: after(one.shown.from),
            to_s: after(one.shown.to),
            told_after_s: one.delay.map(|delay| delay.as_secs_f64()),
            again: one.again,
            others: one.others.iter().map(told).collect(),
        };
        let virtual_seconds = length.as_secs_f64();
        let [visible, followed, sided] = scores.hands;
        ScoredHands {
            scenario: scenario.display().to_string(),
            virtual_seconds,
            wall_seconds,
            gestures: Gesture::ALL
                .into_iter()
                .filter_map(|gesture| GestureFigures::of(gesture, &scores.shown))
                .collect(),
            shown: scores.shown.iter().map(shown).collect(),
            unasked: scores.unasked.iter().map(told).collect(),
            false_per_hour: scores.false_gestures() as f64 * 3600.0 / virtual_seconds.max(1e-9),
            hand_followed: share([visible, followed]),
            side_right: share([followed, sided]),
            hand_imagined: share(scores.empty),
            nodes,
        }
    }

    fn print(&self, scores: &Scores) {
        println!(
            "{}: {:.0} s in {:.0} s ({:.1} x real time)",
            self.scenario,
            self.virtual_seconds,
            self.wall_seconds,
            self.virtual_seconds / self.wall_seconds.max(1e-9)
        );
        println!(
            "  {:<26}{:>6}{:>6}{:>8}{:>12}{:>7}{:>12}{:>9}",
            "gesture (the person's own)",
            "shown",
            "told",
            "missed",
            "as another",
            "again",
            "delay p50 s",
            "max"
        );
        let seconds = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        for one in &self.gestures {
            println!(
                "  {:<26}{:>6}{:>6}{:>8}{:>12}{:>7}{:>12}{:>9}",
                one.gesture,
                one.shown,
                one.told,
                one.missed,
                one.as_another,
                one.again,
                seconds(one.delay_p50_s),
                seconds(one.delay_max_s)
            );
        }
        let told: usize = self.gestures.iter().map(|one| one.told).sum();
        println!(
            "  {} shown, {told} told; {} told that were not shown ({} of them while another was), {:.0} an hour",
            self.shown.len(),
            scores.false_gestures(),
            scores.false_gestures() - scores.unasked.len(),
            self.false_per_hour
        );
        let percent = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{:.1} %", v * 100.0));
        println!(
            "  frames: a hand that is there is followed in {}, its side right in {}; one that is not there in {}",
            percent(self.hand_followed),
            percent(self.side_right),
            percent(self.hand_imagined)
        );
        for one in &self.shown {
            if one.told_after_s.is_none() {
                println!("    missed  {:>7.2} s  {}", one.from_s, one.gesture);
            }
            for other in &one.others {
                println!("    told    {:>7.2} s  {} during {}", other.at_s, other.gesture, one.gesture);
            }
        }
        self.unasked.iter().for_each(|one| println!("    unasked {:>7.2} s  {}", one.at_s, one.gesture));
    }
}
