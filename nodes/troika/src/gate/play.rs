//! One scene with two stores of networks, side by side behind one camera: each side has its own detector and what follows on it, and what
//! each says is noted.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use troika_gesture::gesture::Gesture;
use troika_host::{NodeOptions, NodeStats, simulate::Simulation};
use troika_kit::{Duration, Message, Step, Time};
use troika_models::Store;
use troika_msgs::{
    names::alert_in_words,
    troika::{DriverAlert, DriverState, Drowsiness, Gesture as Said, VehicleCommand},
};
use troika_sim::{SimDriver, hand::SimHand};
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    cascade::Cascade,
    eval::told,
    intent::IntentModel,
    matcher::{Matcher, Understood},
    tongue::Tongue,
};
use troika_world::perception::{Perception, Sensing};

use super::scene::{Act, Scene, Subject};
use crate::{
    fate::Fate,
    kind::{Making, Runtime},
    kinds, run,
    sim::stage::{Systems, fate},
};

/// The names of the sides in the graph: the used networks' nodes are where they always are.
const SIDES: [&str; 2] = ["", "/candidate"];

/// Something that people would notice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Happening {
    /// When: seconds since the scenario began, or the line.
    pub(super) at: String,
    /// What.
    pub(super) what: String,
}

/// What was seen of one scene.
pub(super) struct Played {
    pub(super) file: String,
    /// Virtual seconds; none of words.
    pub(super) seconds: Option<f64>,
    /// Frames that a side's detector looked at, or lines.
    pub(super) frames: u64,
    /// Frames whose state or gesture is another one.
    pub(super) other_states: usize,
    /// Of the networks in use, and of the others.
    pub(super) happened: [Vec<Happening>; 2],
}

/// Where the networks of each side are from.
pub(super) type Sides = [Store; 2];

/// Plays it. `passed` is told how many seconds (or lines) have passed since it was told last, and may end it with an error.
///
/// # Errors
/// A network that cannot be had, a system that has not the nodes, a scene in which nothing was looked at.
pub(super) fn play(
    scene: &Scene,
    subject: Subject,
    sides: &Sides,
    systems: &Systems,
    passed: &dyn Fn(f64) -> anyhow::Result<()>,
) -> anyhow::Result<Played> {
    passed(0.0)?;
    match &scene.act {
        Act::Words(lines) => words(scene, lines, sides, passed),
        Act::Drive(_) | Act::Perceived(_) | Act::Hand(_) => {
            Stage::set(scene, subject, sides, systems)?.play(scene, passed)
        }
    }
}

/// What a side has said so far.
#[derive(Default)]
struct Notes {
    happened: Vec<(Time, String)>,
    states: Vec<u8>,
    level: u8,
}

struct Stage<'a> {
    simulation: Simulation,
    systems: &'a Systems,
    scene: &'a Scene,
    /// What each side has of its own.
    own: BTreeSet<&'static str>,
    notes: [Arc<Mutex<Notes>>; 2],
    /// The kind that looks at frames.
    looks: &'static str,
}

impl<'a> Stage<'a> {
    fn set(
        scene: &'a Scene,
        subject: Subject,
        sides: &Sides,
        systems: &'a Systems,
    ) -> anyhow::Result<Stage<'a>> {
        let (shared, twice, looks): (&[_], &[_], _) = match (&scene.act, subject) {
            (Act::Hand(_), _) => (&[], &["gesture"], "gesture"),
            (Act::Perceived(_), _) => (&[], &["drowsiness"], "drowsiness"),
            // Nothing before the blinks stands on the network.
            (_, Subject::Drowsiness) => (&["driver_state"], &["drowsiness"], "drowsiness"),
            _ => (&[], &["driver_state", "driver_monitor", "drowsiness"], "driver_state"),
        };
        let outputs = |kind: &&str| kinds::find(kind).into_iter().flat_map(|kind| kind.outputs());
        let own = twice.iter().flat_map(outputs).map(|port| port.topic).collect();
        let mut stage =
            Stage { simulation: Simulation::new()?, systems, scene, own, notes: Default::default(), looks };
        stage.camera()?;
        let [used, _] = sides;
        shared.iter().try_for_each(|kind| stage.start(kind, SIDES[0], used))?;
        for (side, store) in SIDES.into_iter().zip(sides) {
            twice.iter().try_for_each(|kind| stage.start(kind, side, store))?;
        }
        stage.listen()?;
        Ok(stage)
    }

    /// What is before the detectors.
    fn camera(&mut self) -> anyhow::Result<()> {
        let case = self.scene.case.as_deref();
        let file = self.scene.file.clone();
        let away = case.map_or_else(Vec::new, troika_trial::Case::camera_away);
        match &self.scene.act {
            Act::Drive(drive) => {
                let config =
                    troika_sim::Config { scenario: file, repeat: false, drives_vehicle: true, smooth: true };
                self.spawn(SimDriver::new(drive, &config).away(away), "camera")
            }
            Act::Perceived(drive) => {
                let sensing = case.map_or_else(Sensing::default, |case| case.sensing);
                let config = self.systems.params("driver_state")?;
                self.spawn(Perception::new(drive, &config, sensing).without_camera(away), "driver_state")
            }
            Act::Hand(hand) => {
                let config = troika_sim::hand::Config {
                    scenario: file,
                    repeat: false,
                    smooth: true,
                    prerender: false,
                };
                self.spawn(SimHand::new(hand, &config), "camera")
            }
            Act::Words(_) => Ok(()),
        }
    }

    fn spawn<S: Step>(&mut self, step: S, name: &str) -> anyhow::Result<()> {
        Ok(self.simulation.spawn(step, NodeOptions::new(name))?)
    }

    /// Starts the node of a kind as the system file has it, on one side.
    fn start(&mut self, kind: &str, side: &str, store: &Store) -> anyhow::Result<()> {
        let (source, system) = self.systems.with(kind)?;
        let node = system.nodes.iter().find(|(_, node)| node.get_ref().kind.get_ref() == kind);
        let (name, node) = node.with_context(|| format!("{} has no {kind}", source.path))?;
        let kind = kinds::find(kind).with_context(|| format!("there is no kind {kind}"))?;
        let making = Making {
            text: &source.text,
            node: name,
            base: std::env::current_dir()?,
            models: Some(store.clone()),
        };
        let mut options = NodeOptions::new(name).arena(kind.arena_mib() << 20);
        options.level = run::level(node.get_ref(), kind);
        if !side.is_empty() {
            side.clone_into(&mut options.namespace);
        }
        for port in kind.inputs().iter().chain(kind.outputs()) {
            if self.own.contains(port.topic) {
                options = options.remap(port.name, format!("{side}{}", port.topic));
            }
        }
        let fate = self.scene.case.as_deref().map_or_else(Fate::default, |case| fate(case, kind.name()));
        kind.start(&making, options, Runtime::Simulation(&mut self.simulation, &fate))
    }

    /// Notes what each side says from now on.
    fn listen(&mut self) -> anyhow::Result<()> {
        for (side, notes) in SIDES.into_iter().zip(self.notes.clone()) {
            self.note(side, "/cabin/driver_state", &notes, |notes, _, state: &DriverState| {
                notes.states.push(state.state);
            })?;
            self.note(side, "/cabin/driver_alert", &notes, |notes, at, alert: &DriverAlert| {
                let phase = if alert.phase == DriverAlert::RAISED { "raised" } else { "cleared" };
                let what = alert_in_words(alert.kind).unwrap_or("?");
                notes.happened.push((at, format!("alert {phase}: {what} ({})", alert.profile)));
            })?;
            self.note(side, "/cabin/drowsiness", &notes, |notes, at, said: &Drowsiness| {
                if std::mem::replace(&mut notes.level, said.level) != said.level {
                    let level = match said.level {
                        Drowsiness::ALERT => "alert",
                        Drowsiness::DROWSY => "drowsy",
                        _ => "unknown",
                    };
                    notes.happened.push((at, format!("drowsiness: {level}")));
                }
            })?;
            self.note(side, "/cabin/gesture", &notes, |notes, at, said: &Said| {
                let is_gesture = matches!(said.phase, Said::STARTED | Said::HELD | Said::ENDED);
                notes.states.push(if is_gesture { said.kind } else { said.phase });
                if let Some(what) = gesture(said) {
                    notes.happened.push((at, what));
                }
            })?;
            self.note(side, "/voice/command", &notes, |notes, at, command: &VehicleCommand| {
                notes.happened.push((at, format!("command: {}", command.function)));
            })?;
        }
        Ok(())
    }

    fn note<T: Message>(
        &mut self,
        side: &str,
        topic: &str,
        notes: &Arc<Mutex<Notes>>,
        note: fn(&mut Notes, Time, &T),
    ) -> anyhow::Result<()> {
        if !self.own.contains(topic) {
            return Ok(());
        }
        let notes = notes.clone();
        self.simulation.tap(&format!("{side}{topic}"), move |at, value: &T| {
            note(&mut notes.lock().unwrap_or_else(PoisonError::into_inner), at, value);
        })?;
        Ok(())
    }

    fn play(mut self, scene: &Scene, passed: &dyn Fn(f64) -> anyhow::Result<()>) -> anyhow::Result<Played> {
        const SLICE: Duration = Duration::from_secs(1);
        let (begin, length) = (self.simulation.now(), Duration::from_secs_f64(scene.length()));
        let mut left = length;
        while !left.is_zero() {
            let slice = SLICE.min(left);
            self.simulation.run_for(slice);
            left -= slice;
            passed(slice.as_secs_f64())?;
        }
        let frames = looked(&self.simulation.stats(), self.looks)?;
        let notes = self
            .notes
            .map(|notes| std::mem::take(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner)));
        let [used, other] = &notes;
        let other_states = used.states.iter().zip(&other.states).filter(|(a, b)| a != b).count()
            + used.states.len().abs_diff(other.states.len());
        let told = |(at, what): (Time, String)| Happening {
            at: format!("{:.3} s", at.since(begin).as_secs_f64()),
            what,
        };
        Ok(Played {
            file: scene.file.display().to_string(),
            seconds: Some(length.as_secs_f64()),
            frames,
            other_states,
            happened: notes.map(|notes| notes.happened.into_iter().map(told).collect()),
        })
    }
}

/// What a message of the gesture node tells anew.
fn gesture(said: &Said) -> Option<String> {
    let is = |gesture: &Gesture| gesture.number() == said.kind;
    let name = Gesture::ALL.iter().find(|gesture| is(gesture)).map_or("?", |gesture| gesture.name());
    let action = if said.action.is_empty() { String::new() } else { format!(": {}", said.action) };
    match said.phase {
        Said::STARTED => Some(format!("gesture {name} starts{action}")),
        Said::ENDED => Some(format!("gesture {name} ends{action}")),
        Said::HELD if !action.is_empty() => Some(format!("gesture {name} goes on{action}")),
        _ => None,
    }
}

/// The steps of a side's detector that had something to look at: as many on both sides, and not none.
fn looked(stats: &[NodeStats], kind: &str) -> anyhow::Result<u64> {
    let of = |side: &str| stats.iter().find(|node| node.node.starts_with(side) && node.node.ends_with(kind));
    let worked = |side: &str| of(side).map_or(0, |node| node.worked);
    let [used, other] = ["/", SIDES[1]].map(worked);
    if used == 0 || other == 0 {
        let fault = of(SIDES[1]).and_then(|node| node.last_fault).map(|event| event.fault.to_string());
        bail!("{kind} looked at nothing: {}", fault.unwrap_or_else(|| "no frame came".to_owned()));
    }
    Ok(used.min(other))
}

/// What each side's network makes of lines.
fn words(
    scene: &Scene,
    lines: &[(String, String)],
    sides: &Sides,
    passed: &dyn Fn(f64) -> anyhow::Result<()>,
) -> anyhow::Result<Played> {
    let tongue = Tongue::English;
    let name = tongue.network().context("a network that reads English")?;
    let mut happened = Vec::new();
    for store in sides {
        let network = IntentModel::from_bytes(&store.load_bytes(name)?, name, Catalogue::built_in())?;
        let cascade = Cascade::new(Matcher::of(tongue), Some(network));
        let mut of_side = Vec::new();
        for (at, line) in lines {
            let answer = cascade.understand(line);
            // Of commands alone it counts how sure they are: what is not sure is asked back, or of the language model.
            let is_command = matches!(answer.understood, Understood::Commands(_));
            let sure = if answer.sure() || !is_command { "" } else { " (not sure)" };
            let what = format!("'{line}': {}{sure}", told(&answer.understood));
            of_side.push(Happening { at: at.clone(), what });
            passed(0.5)?;
        }
        happened.push(of_side);
    }
    let happened: [Vec<Happening>; 2] =
        happened.try_into().map_err(|_| anyhow::anyhow!("two sides, and as many answers"))?;
    let [used, other] = &happened;
    Ok(Played {
        file: scene.file.display().to_string(),
        seconds: None,
        frames: lines.len() as u64,
        other_states: used.iter().zip(other).filter(|(a, b)| a != b).count(),
        happened,
    })
}

/// The first that one side has and the other has not so, with what the other has in its place.
pub(super) fn first_difference(
    [used, other]: &[Vec<Happening>; 2],
) -> Option<(Option<&Happening>, Option<&Happening>)> {
    let at = used.iter().zip(other).position(|(a, b)| a != b).unwrap_or(used.len().min(other.len()));
    let found = (used.get(at), other.get(at));
    (found != (None, None)).then_some(found)
}

/// A file's name for a person.
pub(super) fn short(file: &str) -> String {
    PathBuf::from(file).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happenings(all: &[(&str, &str)]) -> Vec<Happening> {
        all.iter().map(|(at, what)| Happening { at: (*at).to_owned(), what: (*what).to_owned() }).collect()
    }

    #[test]
    fn the_first_difference_is_found_in_kind_time_and_number() {
        let used = happenings(&[("1.500 s", "alert raised: microsleep"), ("3.000 s", "alert raised: sleep")]);
        let differs = |other: &[(&str, &str)]| {
            let both = [used.clone(), happenings(other)];
            first_difference(&both).map(|(a, b)| [a, b].map(|one| one.map(|one| one.at.clone())))
        };
        let at = |at: &str| Some(at.to_owned());
        let (first, second) = (("1.500 s", "alert raised: microsleep"), ("3.000 s", "alert raised: sleep"));
        assert_eq!(differs(&[first, second]), None);
        assert_eq!(differs(&[first]), Some([at("3.000 s"), None]));
        assert_eq!(differs(&[]), Some([at("1.500 s"), None]));
        assert_eq!(differs(&[first, ("3.033 s", second.1)]), Some([at("3.000 s"), at("3.033 s")]));
        assert_eq!(differs(&[second, first]), Some([at("1.500 s"), at("3.000 s")]));
        let more = [first, second, ("9.000 s", "alert cleared: sleep")];
        assert_eq!(differs(&more), Some([None, at("9.000 s")]));
    }
}
