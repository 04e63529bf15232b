//! A scenario on the stage: the system's own nodes around a simulated driver, in virtual time; what they say is noted.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Context as _;
use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::{Duration, Message, Time, TypeInfo};
use troika_msgs::{
    std_msgs::Header,
    troika::{DriverAlert, DriverTruth, Transcript, VoiceActivity},
};
use troika_sim::{SimDriver, hand::SimHand};
use troika_supervisor::SupervisorNode;
use troika_trial::{Case, Event, Level, NodeSeen, Seen, Spoken, What};
use troika_voice::{
    cascade::Cascade, command::CommandNode, intent::IntentModel, matcher::Matcher, tongue::Tongue,
};
use troika_world::{
    absence::{Absence, Absent},
    perception::Perception,
};

use super::{dialogue, sensible, swaps::Swaps};
use crate::{
    fate::Fate,
    kinds,
    run::virtual_time::{expected_alerts, start},
    system::{self, Source, System},
};

/// Where the nodes and their parameters are from.
pub(crate) struct Systems(Vec<(Source, System)>);

impl Systems {
    /// Reads system files; errors are shown with their line.
    pub(crate) fn load(files: &[PathBuf]) -> anyhow::Result<Systems> {
        for usual in super::SYSTEMS {
            let named = files.iter().any(|file| file == Path::new(usual));
            if named && !Path::new(usual).exists() {
                anyhow::bail!(super::elsewhere(usual, "name the system files with --system"));
            }
        }
        let all: Vec<_> =
            files.iter().map(|file| crate::load_checked(file)).collect::<anyhow::Result<_>>()?;
        all.iter().try_for_each(|(_, system)| kinds::choose_kernels(system.system.fast_networks))?;
        Ok(Systems(all))
    }

    /// Whether one of them has a node of the kind.
    pub(super) fn has(&self, kind: &str) -> bool {
        self.with(kind).is_ok()
    }

    /// The first that has a node of the kind.
    pub(crate) fn with(&self, kind: &str) -> anyhow::Result<&(Source, System)> {
        let has = |system: &System| system.nodes.values().any(|node| node.get_ref().kind.get_ref() == kind);
        self.0.iter().find(|(_, system)| has(system)).with_context(|| {
            format!("no system file has a node of the kind {kind}; name one that has with --system")
        })
    }

    /// What the detectors' networks run on.
    pub(crate) fn networks_on(&self) -> Option<kinds::NetworksOn> {
        self.0.iter().find_map(|(_, system)| kinds::networks_on(system))
    }

    /// The parameters of the first node of a kind.
    pub(crate) fn params<C: serde::de::DeserializeOwned>(&self, kind: &str) -> anyhow::Result<C> {
        let (source, system) = self.with(kind)?;
        let node = system.nodes.iter().find(|(_, node)| node.get_ref().kind.get_ref() == kind);
        let (name, _) = node.with_context(|| format!("a node of the kind {kind}"))?;
        system::read_params(&source.text, name)
            .map_err(|problem| anyhow::anyhow!("{}: {}", source.path, problem.message))
    }
}

/// What is noted of a topic.
type Noted<T> = Arc<Mutex<Vec<Event<T>>>>;

/// The stage.
pub(super) struct Stage<'a> {
    pub(super) simulation: Simulation,
    pub(super) systems: &'a Systems,
    pub(super) case: &'a Case,
    pub(super) start: Time,
    cast: Vec<Actor>,
}

/// Who plays.
struct Actor {
    name: String,
    kind: String,
    /// What is counted while its process is gone.
    absence: Absence,
}

impl Stage<'_> {
    /// Starts the node of this kind, as the system file has it, with what befalls it.
    pub(super) fn start(&mut self, kind: &str) -> anyhow::Result<()> {
        let (source, system) = self.systems.with(kind)?;
        let absence = Absence::default();
        let fate = Fate { absence: Some(absence.clone()), ..fate(self.case, kind) };
        start(&[kind], source, system, &mut self.simulation, |_| &fate, None)?;
        let name = system.nodes.iter().find(|(_, node)| node.get_ref().kind.get_ref() == kind);
        self.cast.extend(name.map(|(name, _)| Actor { name: name.clone(), kind: kind.to_owned(), absence }));
        Ok(())
    }

    /// Starts a node that stands for something outside, or for a program of its own.
    pub(super) fn spawn<S: troika_kit::Step>(&mut self, step: S, name: &str) -> anyhow::Result<()> {
        self.simulation.spawn(step, NodeOptions::new(name))?;
        let absence = Absence::default();
        self.cast.push(Actor { name: name.to_owned(), kind: name.to_owned(), absence });
        Ok(())
    }

    fn note<T: Message>(&mut self, topic: &str) -> anyhow::Result<Noted<T>> {
        let noted = Noted::default();
        let (into, start) = (noted.clone(), self.start);
        self.simulation.tap(topic, move |at, value: &T| {
            let event = Event { at: at.since(start).as_secs_f64(), value: value.clone() };
            into.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        })?;
        Ok(noted)
    }

    fn nodes(&self) -> Vec<NodeSeen> {
        let one = |stats: troika_host::NodeStats| {
            let name = stats.node.trim_start_matches('/').to_owned();
            let actor = self.cast.iter().find(|actor| actor.name == name);
            let Absent { releases, stood_in } =
                actor.map_or_else(Absent::default, |actor| actor.absence.absent());
            NodeSeen {
                kind: actor.map_or_else(String::new, |actor| actor.kind.clone()),
                name,
                steps: stats.steps.saturating_sub(releases),
                missed: stats.missed,
                fall_backs: stats.fall_backs,
                stood_in,
                lateness_ms: stats.lateness.max().as_secs_f64() * 1e3,
                level: stats.level as u64,
                level_changes: stats.level_changes,
            }
        };
        self.simulation.stats().into_iter().map(one).collect()
    }
}

fn taken<T>(noted: &Noted<T>) -> Vec<Event<T>> {
    std::mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// What befalls the nodes of a kind.
pub(crate) fn fate(case: &Case, kind: &str) -> Fate {
    let mut fate = Fate::default();
    for trouble in case.troubles_of(kind) {
        let (from, to) = trouble.span();
        let span = (seconds(from), seconds(to.min(case.seconds() + 1.0)));
        match trouble.what {
            What::Killed => fate.gone.push(span),
            What::Slow => {
                fate.slow.push((span, seconds(trouble.execution_ms.unwrap_or_default() / 1e3)));
            }
            What::ModelMissing => fate.without_models = true,
            What::CameraUnplugged | What::Garbage | What::ModelSwapped => {}
        }
    }
    fate
}

/// The nodes that troubles can befall, with pictures and without.
pub(super) fn reachable(case: &Case) -> Vec<&'static str> {
    let mut kinds = vec!["driver_state", "driver_monitor", "drowsiness", "vehicle"];
    kinds.extend(case.hand.as_ref().map(|_| "gesture"));
    if case.link.is_some() {
        kinds.push("router");
    }
    kinds
}

/// Plays it; `real_time`: no faster than that.
pub(super) fn play(case: &Case, systems: &Systems, real_time: bool) -> anyhow::Result<Seen> {
    if let Some(fault) = sensible::faults(case, systems)?.first() {
        anyhow::bail!("{fault}");
    }
    let simulation = Simulation::new()?;
    let start = simulation.now();
    let mut stage = Stage { simulation, systems, case, start, cast: Vec::new() };
    let mut swaps = Swaps::of(case)?;
    let blinded = driver(&mut stage, &swaps)?;
    stage.start("driver_monitor")?;
    stage.start("drowsiness")?;
    stage.start("vehicle")?;
    let sky = case.link.as_ref().map(|link| dialogue::start(&mut stage, link)).transpose()?;
    hand(&mut stage)?;
    speech(&mut stage)?;
    supervisor(&mut stage)?;
    garbage(&mut stage)?;

    let alerts = stage.note("/cabin/driver_alert")?;
    let states = stage.note("/cabin/driver_state")?;
    let (safety, signals) = (stage.note("/safety/state")?, stage.note("/vehicle/signals")?);
    let truths = stage.note::<DriverTruth>("/sim/driver_truth")?;
    let commands = stage.note("/voice/command")?;
    let results = stage.note("/vehicle/command_result")?;
    let speech = stage.note("/voice/reply")?;
    let decisions = stage.note("/dialogue/decision")?;
    let replies = stage.note("/dialogue/reply")?;
    swaps.pass(&mut stage.simulation, start, real_time)?;
    pass(&mut stage.simulation, start + seconds(case.seconds()), real_time);

    let truths = taken(&truths);
    let monitor: troika_monitor::Config = systems.params("driver_monitor")?;
    let profiles = monitor.profiles(|path| std::fs::read_to_string(path))?;
    let (source, system) = systems.with("driver_monitor")?;
    let due = expected_alerts(source, system, truths.iter().map(|one| &one.value))?;
    let due = due.into_iter().map(|raised| Event {
        at: raised.at.since(start).as_secs_f64(),
        value: DriverAlert {
            profile: raised.profile,
            kind: raised.kind,
            phase: DriverAlert::RAISED,
            ..DriverAlert::default()
        },
    });
    Ok(Seen {
        seconds: case.seconds(),
        alerts: taken(&alerts),
        states: taken(&states),
        signals: taken(&signals),
        profiles: profiles.iter().map(|profile| profile.name().to_owned()).collect(),
        nominal_confidence: monitor.nominal_confidence,
        safety: taken(&safety),
        due: due.collect(),
        blinded,
        truths,
        commands: taken(&commands),
        results: taken(&results),
        speech: taken(&speech),
        decisions: taken(&decisions),
        replies: taken(&replies),
        swaps: swaps.told(),
        left: sky.map(|sky| sky.left()).unwrap_or_default(),
        nodes: stage.nodes(),
    })
}

/// Lets virtual time pass until then.
pub(super) fn pass(simulation: &mut Simulation, until: Time, real_time: bool) {
    let length = until.since(simulation.now());
    if !real_time {
        return simulation.run_for(length);
    }
    const SLICE: Duration = Duration::from_millis(20);
    let (wall, mut passed) = (Instant::now(), Duration::ZERO);
    while passed < length {
        let slice = SLICE.min(length - passed);
        simulation.run_for(slice);
        passed += slice;
        std::thread::sleep(passed.saturating_sub(wall.elapsed()));
    }
}

/// The driver, and who looks at him; when glare blinds that.
fn driver(stage: &mut Stage<'_>, swaps: &Swaps<'_>) -> anyhow::Result<Vec<(f64, f64)>> {
    let case = stage.case;
    match case.level {
        Level::Pixels => {
            let config = troika_sim::Config {
                scenario: PathBuf::from(&case.file),
                repeat: false,
                drives_vehicle: true,
                smooth: true,
            };
            let camera = SimDriver::new(&case.drive, &config).away(case.camera_away());
            stage.spawn(camera, "camera")?;
            match swaps.driver_state(stage.systems)? {
                Some(node) => stage.spawn(node, "driver_state")?,
                None => stage.start("driver_state")?,
            }
            Ok(Vec::new())
        }
        Level::Landmarks => {
            let config = stage.systems.params("driver_state")?;
            let mut perception =
                Perception::new(&case.drive, &config, case.sensing).without_camera(case.camera_away());
            for trouble in case.troubles_of("driver_state") {
                let (from, to) = trouble.span();
                perception = match trouble.what {
                    What::Killed => perception.killed(from as f32, to as f32),
                    What::ModelMissing => perception.without_camera(vec![(0.0, f32::INFINITY)]),
                    _ => perception,
                };
            }
            let blinded =
                perception.blinded().iter().map(|(from, to)| (f64::from(*from), f64::from(*to))).collect();
            let absence = perception.absence();
            stage.spawn(perception, "driver_state")?;
            let gone = fate(case, "driver_state").gone;
            stage.simulation.gone("/driver_state", gone);
            stage.cast.iter_mut().filter(|actor| actor.kind == "driver_state").for_each(|actor| {
                actor.absence = absence.clone();
            });
            Ok(blinded)
        }
    }
}

/// The hand before a camera, and who looks at it.
fn hand(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let Some(hand) = &stage.case.hand else { return Ok(()) };
    let config = troika_sim::hand::Config {
        scenario: PathBuf::from(&stage.case.file),
        repeat: false,
        smooth: true,
        prerender: false,
    };
    stage.spawn(SimHand::new(hand, &config), "hand")?;
    stage.start("gesture")
}

/// Who understands what is said, and what is said.
fn speech(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    if stage.case.says.is_empty() {
        return Ok(());
    }
    let tongue = Tongue::default();
    let catalogue = troika_vehicle::catalogue::Catalogue::built_in();
    let network = match tongue.network() {
        Some(name) => {
            let bytes = kinds::models()?.load_bytes(name)?;
            Some(IntentModel::from_bytes(&bytes, name, catalogue)?)
        }
        None => None,
    };
    let mut node = CommandNode::new(Cascade::new(Matcher::of(tongue), network), false);
    if stage.case.link.is_some() {
        node = node.with_dialogue(tongue);
    }
    stage.spawn(node, "voice")?;
    let mut says: Vec<&Spoken> = stage.case.says.iter().collect();
    says.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let start = stage.start;
    let heard = says.iter().enumerate().map(|(n, say)| {
        let at = seconds(say.at_s);
        let transcript = Transcript {
            header: Header::at(start + at),
            utterance_id: format!("u{n}"),
            text: say.words.clone(),
            r#final: true,
            confidence: say.confidence,
            audio_duration: seconds(say.lasts_s()).into(),
            model: "scripted".into(),
            ..Transcript::default()
        };
        (at, transcript)
    });
    let heard: Vec<_> = heard.collect();
    stage.simulation.feed("/voice/transcript", heard)?;
    let mut activity: Vec<(Duration, VoiceActivity)> = Vec::new();
    for (n, say) in says.iter().enumerate() {
        let begins = seconds((say.at_s - say.lasts_s()).max(0.0));
        for (at, speaking) in [(begins, true), (seconds(say.at_s), false)] {
            let message =
                VoiceActivity { header: Header::at(start + at), speaking, utterance_id: format!("u{n}") };
            activity.push((at, message));
        }
    }
    activity.sort_by_key(|(at, _)| *at);
    stage.simulation.feed("/voice/activity", activity)?;
    Ok(())
}

/// Who hears all heartbeats, as the system file has it; of what a capability stands on and is not on the stage, nobody is waited for. A
/// system without one has none here either.
fn supervisor(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    if !stage.systems.has("supervisor") {
        return Ok(());
    }
    let mut config: troika_supervisor::Config = stage.systems.params("supervisor")?;
    let is_there = |node: &String| stage.cast.iter().any(|actor| actor.name == node.trim_start_matches('/'));
    config.capabilities.retain(|_, capability| capability.nodes.iter().all(is_there));
    if config.capabilities.is_empty() {
        return Ok(());
    }
    stage.spawn(SupervisorNode::new(config, ())?, "supervisor")
}

/// Bytes that are no message, ten times a second.
fn garbage(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    for trouble in stage.case.troubles.iter().filter(|trouble| trouble.what == What::Garbage) {
        let kind = trouble.node.as_deref().unwrap_or_default();
        let inputs = kinds::find(kind).with_context(|| format!("there is no kind {kind}"))?.inputs();
        let (from, to) = trouble.span();
        let times = ((to.min(stage.case.seconds()) - from) * 10.0) as u32;
        for input in inputs {
            let bytes = (0..times).map(move |n| {
                let at = seconds(from + f64::from(n) / 10.0);
                (at, vec![n as u8; (n % 90) as usize])
            });
            let ty: TypeInfo = input.ty;
            stage.simulation.feed_bytes(input.topic, ty, bytes)?;
        }
    }
    Ok(())
}
