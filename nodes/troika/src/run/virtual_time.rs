//! `troika score`: a rendered scenario through the detectors on a virtual clock, as fast as the machine allows, scored
//! against its own truth. Of a driver here, of a hand in [`super::virtual_hands`].

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use toml::{Table, Value};
use troika_host::{NodeOptions, simulate::Simulation, tape::Tape};
use troika_kit::{Duration, Time, counted};
use troika_monitor::{Monitor, Observation, Phase, State, Vehicle, Zone};
use troika_msgs::{
    names::alert_in_words,
    troika::{DriverAlert, DriverState, DriverTruth},
};
use troika_sim::{Scenario, hand::HandScenario};

use super::{
    process::node_figures,
    recording::Recording,
    report::{DriverStateFigures, Heard, NodeFigures},
    score::{Due, Raised, Record, STATES, Scores},
    virtual_hands::{self, ScoredHands},
};
use crate::{
    fate::{Fate, NOTHING},
    kind::{Making, Runtime},
    kinds,
    output::{self, Output},
    status_line::StatusLine,
    system::{self, Source, System},
};

/// `troika score`.
#[derive(clap::Args)]
pub(crate) struct ScoreArguments {
    /// Scenario files, of drivers or of hands.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The system file whose detectors are scored, with their parameters; by default launch/systems/cabin.toml, for hands
    /// gesture.toml beside it.
    #[arg(long)]
    system: Option<PathBuf>,
    /// Score the first seconds only.
    #[arg(long, value_parser = length)]
    seconds: Option<f64>,
    /// Write the figures as JSON, a list with one entry for each scenario.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Record what the nodes see and do into this file: `troika replay` does their steps again. Of one scenario.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Record the rendered pictures too; without them they are rendered again in a replay.
    #[arg(long, requires = "record")]
    raw: bool,
}

fn length(given: &str) -> Result<f64, String> {
    let seconds: Option<f64> = given.parse().ok();
    seconds
        .filter(|seconds| *seconds > 0.0 && *seconds <= 1e6)
        .ok_or_else(|| "it is more than 0, in seconds".into())
}

/// Where a scored run is recorded.
#[derive(Clone, Copy)]
pub(super) struct RecordTo<'a> {
    file: &'a Path,
    raw: bool,
}

impl RecordTo<'_> {
    /// Begins the recording of these kinds' nodes, behind a camera that plays the scenario.
    pub(super) fn start(
        self,
        wanted: &[&str],
        camera: &str,
        params: Table,
        source: &Source,
        system: &System,
    ) -> anyhow::Result<Recording> {
        let text = played(wanted, camera, params, source, system)?;
        let source = Source { path: source.path.clone(), text };
        Recording::of_simulation(self.file, &source, self.raw)
    }
}

/// The system as it is played: its nodes of these kinds, and the camera in the place of its own.
fn played(
    wanted: &[&str],
    camera: &str,
    params: Table,
    source: &Source,
    system: &System,
) -> anyhow::Result<String> {
    let mut table: Table = toml::from_str(&source.text)?;
    if let Some(nodes) = table.get_mut("nodes").and_then(Value::as_table_mut) {
        let is_wanted = |name: &str| {
            let node = system.nodes.get(name).map(|node| node.get_ref().kind.get_ref().as_str());
            node.is_some_and(|kind| wanted.contains(&kind))
        };
        nodes.retain(|name, _| name != CAMERA && is_wanted(name));
        let node = [("kind", Value::from(camera)), ("params", Value::Table(params))];
        let node: Table = node.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        nodes.insert(CAMERA.to_owned(), Value::Table(node));
    }
    Ok(toml::to_string(&table)?)
}

/// An entry of the report.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Driver(Box<Scored>),
    Hands(Box<ScoredHands>),
}

#[derive(Serialize)]
struct Scored {
    scenario: String,
    virtual_seconds: f64,
    wall_seconds: f64,
    driver_state: DriverStateFigures,
    nodes: Vec<NodeFigures>,
    /// Rows are the truth, columns the answer (the last: none).
    confusion: [[u64; 5]; 4],
}

/// Scores each scenario.
///
/// # Errors
/// A scenario or the system cannot be used, or the report cannot be written.
pub(crate) fn score(arguments: &ScoreArguments) -> anyhow::Result<()> {
    if arguments.record.is_some() && arguments.scenarios.len() > 1 {
        bail!("--record is for one scenario: score them one by one");
    }
    output::apart(&[("--report", arguments.report.as_deref()), ("--record", arguments.record.as_deref())])?;
    let report_to = Output::if_any(arguments.report.as_deref())?;
    if let Some(file) = arguments.record.as_deref() {
        if file.exists() {
            bail!("{} is there already: give another with --record", file.display());
        }
        Output::probe(file)?;
    }
    let of_hands = sound(&arguments.scenarios)?;
    let record = arguments.record.as_deref().map(|file| RecordTo { file, raw: arguments.raw });
    let mut all = Vec::new();
    for (scenario, of_hands) in arguments.scenarios.iter().zip(of_hands) {
        let usual = if of_hands { "launch/systems/gesture.toml" } else { "launch/systems/cabin.toml" };
        let (source, system) = crate::load_checked(arguments.system.as_deref().unwrap_or(Path::new(usual)))?;
        kinds::choose_kernels(system.system.fast_networks)?;
        let entry = if of_hands {
            virtual_hands::score(scenario, &source, &system, arguments.seconds, record)
                .map(|scored| Entry::Hands(Box::new(scored)))
        } else {
            score_driver(scenario, &source, &system, arguments.seconds, record)
                .map(|scored| Entry::Driver(Box::new(scored)))
        };
        all.push(entry.with_context(|| format!("scenario {}", scenario.display()))?);
    }
    if let Some(to) = report_to {
        to.write(&serde_json::to_vec_pretty(&all)?)?;
    }
    Ok(())
}

/// Whether each scenario is one of hands.
///
/// # Errors
/// Some cannot be played; all that is wrong with any of them is told before the first is.
fn sound(scenarios: &[PathBuf]) -> anyhow::Result<Vec<bool>> {
    let (mut of_hands, mut failed) = (Vec::new(), 0);
    for path in scenarios {
        let hands = kinds::is_of_hands(path)?;
        let read = match hands {
            true => HandScenario::read(path).map(drop),
            false => Scenario::read(path).map(drop),
        };
        if let Err(error) = read {
            error.told(&path.display().to_string()).iter().for_each(|told| tell!("error: {told}"));
            if std::fs::read_to_string(path).is_ok_and(|text| text.contains("[[expect]]")) {
                tell!("hint: it says what it expects: `troika sim run {}`", path.display());
            }
            failed += 1;
        }
        of_hands.push(hands);
    }
    if failed > 0 {
        bail!("{failed} of {} cannot be used", counted(scenarios.len(), "scenario"));
    }
    Ok(of_hands)
}

fn score_driver(
    scenario: &Path,
    source: &Source,
    system: &System,
    seconds: Option<f64>,
    record_to: Option<RecordTo<'_>>,
) -> anyhow::Result<Scored> {
    let wall = Instant::now();
    let (record, nodes, virtual_time) = run(scenario, source, system, seconds, record_to)?;
    let scores = record.score(&due(source, system, &record)?);
    let wall_seconds = wall.elapsed().as_secs_f64();
    let shown = scenario.display().to_string();
    print(&shown, &scores, &record, virtual_time, wall_seconds);
    Ok(Scored {
        scenario: shown,
        virtual_seconds: virtual_time.as_secs_f64(),
        wall_seconds,
        // Latencies on a virtual clock are zero and say nothing; only the counts stand.
        driver_state: DriverStateFigures::new(
            Some((&scores, Heard::of(&record, None), &record)),
            looked(&nodes, "driver_state")?,
        ),
        confusion: scores.confusion,
        nodes,
    })
}

/// The figures of the detector, which looked at some frames.
pub(super) fn looked<'n>(nodes: &'n [NodeFigures], kind: &str) -> anyhow::Result<Option<&'n NodeFigures>> {
    let detector = nodes.iter().find(|node| node.kind == kind);
    if detector.is_none_or(|detector| detector.worked == 0) {
        let why = detector.and_then(|detector| detector.last_fault.clone()).unwrap_or_default();
        bail!("the detector looked at no frame: {why}");
    }
    Ok(detector)
}

/// Runs the simulated driver and the system's detectors on a virtual clock.
fn run(
    scenario: &Path,
    source: &Source,
    system: &System,
    seconds: Option<f64>,
    record_to: Option<RecordTo<'_>>,
) -> anyhow::Result<(Record, Vec<NodeFigures>, Duration)> {
    const WANTED: [&str; 2] = ["driver_state", "driver_monitor"];
    let mut simulation = Simulation::new()?;
    let (driver, params, length) = kinds::scenario_driver(scenario)?;
    let recording =
        record_to.map(|to| to.start(&WANTED, "sim_driver", params, source, system)).transpose()?;
    let tape = recording.as_ref().map(Recording::tape);
    simulation.spawn(driver, NodeOptions { tape: tape.clone(), ..NodeOptions::new(CAMERA) })?;
    start(&WANTED, source, system, &mut simulation, |_| &NOTHING, tape)?;
    note_models(recording.as_ref());
    let truth = simulation.collect::<DriverTruth>("/sim/driver_truth")?;
    let states = simulation.collect::<DriverState>("/cabin/driver_state")?;
    let alerts = simulation.collect::<DriverAlert>("/cabin/driver_alert")?;
    let length = seconds.map_or(length, |seconds| length.min(Duration::from_secs_f64(seconds)));
    pass(&mut simulation, scenario, length);
    recording.into_iter().for_each(Recording::finish);

    let mut record = Record::default();
    truth.take().iter().for_each(|sample| record.truth(&sample.value));
    states.take().iter().for_each(|sample| record.answer(&sample.value));
    alerts.take().into_iter().for_each(|sample| record.alert(sample.value));
    Ok((record, figures(&simulation, system, "sim_driver"), length))
}

/// Lets so much virtual time pass, and says how far it is.
pub(super) fn pass(simulation: &mut Simulation, scenario: &Path, length: Duration) {
    const SLICE: Duration = Duration::from_secs(1);
    tell!("scoring {}: {} s", scenario.display(), (length.as_secs_f64() * 100.0).round() / 100.0);
    let (mut line, mut passed) = (StatusLine::new(), Duration::ZERO);
    while passed < length {
        let slice = SLICE.min(length - passed);
        simulation.run_for(slice);
        passed += slice;
        line.tell(|| format!("{:.0} of {:.0} s", passed.as_secs_f64(), length.as_secs_f64()));
    }
}

/// What the simulated camera is called, whatever the system calls its own.
pub(super) const CAMERA: &str = "camera";

/// Starts the system's nodes of these kinds; there is one of each. `fate`: what befalls a kind.
pub(crate) fn start<'f>(
    wanted: &[&str],
    source: &Source,
    system: &System,
    simulation: &mut Simulation,
    fate: impl Fn(&str) -> &'f Fate,
    tape: Option<Tape>,
) -> anyhow::Result<()> {
    for wanted in wanted {
        let node = system.nodes.iter().find(|(_, node)| node.get_ref().kind.get_ref() == wanted);
        let (Some((name, node)), Some(kind)) = (node, kinds::find(wanted)) else {
            bail!("{} has no {wanted} to score", source.path);
        };
        let making = Making { text: &source.text, node: name, base: std::env::current_dir()?, models: None };
        let mut options = NodeOptions::new(name).arena(kind.arena_mib() << 20);
        options.level = super::level(node.get_ref(), kind);
        options.tape.clone_from(&tape);
        kind.start(&making, options, Runtime::Simulation(simulation, fate(wanted)))?;
    }
    Ok(())
}

/// Notes the models that were handed out; without any, each node has said so.
pub(super) fn note_models(recording: Option<&Recording>) {
    if let (Some(recording), Ok(store)) = (recording, kinds::models()) {
        recording.models(&store);
    }
}

/// The figures of every node; `camera` is the kind of the simulated one.
pub(super) fn figures(simulation: &Simulation, system: &System, camera: &str) -> Vec<NodeFigures> {
    let stats = simulation.stats();
    let one = |stats: &troika_host::NodeStats| {
        let name = stats.node.trim_start_matches('/');
        let node = system.nodes.get(name).filter(|_| name != CAMERA);
        node_figures(stats, node.map_or(camera, |node| node.get_ref().kind.get_ref()))
    };
    stats.iter().map(one).collect()
}

/// The alerts that the system's own rules raise when they see the truth.
pub(crate) fn expected_alerts<'t>(
    source: &Source,
    system: &System,
    truths: impl Iterator<Item = &'t DriverTruth>,
) -> anyhow::Result<Vec<Raised>> {
    let monitor = system.nodes.iter().find(|(_, node)| node.get_ref().kind.get_ref() == "driver_monitor");
    let config: troika_monitor::Config = match monitor {
        Some((name, _)) => system::read_params(&source.text, name)?,
        None => troika_monitor::Config::default(),
    };
    let monitor = Monitor::new(config.profiles(|path| std::fs::read_to_string(path))?);
    Ok(raised_on(monitor, truths))
}

/// What the rules call for by what was heard of the truth, with what may have been due where it has gaps.
pub(super) fn due(source: &Source, system: &System, record: &Record) -> anyhow::Result<Due> {
    let heard = expected_alerts(source, system, record.truths())?;
    Ok(Due::new(heard, expected_alerts(source, system, record.filled().iter())?))
}

/// What a monitor raises when it sees the truth.
pub(super) fn raised_on<'t>(
    mut monitor: Monitor,
    truths: impl Iterator<Item = &'t DriverTruth>,
) -> Vec<Raised> {
    let seen: Vec<Observation> = truths
        .map(|truth| Observation {
            stamp: Time::from_stamp(truth.header.stamp.sec, truth.header.stamp.nanosec),
            state: State::from_message(truth.state),
            zone: Zone::from_message(truth.gaze_zone),
            openness: Some(truth.eye_openness),
            nominal: true,
            vehicle: Vehicle {
                speed_kmh: Some(truth.speed_kmh),
                driver_acted: truth.driver_acted,
                parked: false,
            },
        })
        .collect();
    monitor
        .run(&seen)
        .into_iter()
        .filter(|alert| alert.phase == Phase::Raised)
        .map(|alert| Raised { at: alert.at, profile: alert.profile.to_string(), kind: alert.kind as u8 })
        .collect()
}

fn print(shown: &str, scores: &Scores, record: &Record, virtual_time: Duration, wall_seconds: f64) {
    let virtual_seconds = virtual_time.as_secs_f64();
    println!(
        "{shown}: {virtual_seconds:.0} s in {wall_seconds:.0} s ({:.1} x real time)",
        virtual_seconds / wall_seconds.max(1e-9)
    );
    let (Some(accuracy), Some(constant)) = (scores.accuracy(), scores.constant_accuracy()) else {
        println!("  no frame was scored");
        return;
    };
    println!(
        "  accuracy {accuracy:.4} (best constant answer {constant:.4}); {} frames in transitions left out",
        scores.skipped
    );
    println!(
        "  {:<14}{:>10}{:>10}{:>14}{:>13}{:>8}{:>9}{:>8}",
        "truth \\ answer", "unknown", "attentive", "looking_away", "eyes_closed", "none", "recall", "share"
    );
    for (name, recall, share) in scores.recalls() {
        let row =
            STATES.iter().position(|state| *state == name).map_or([0; 5], |index| scores.confusion[index]);
        println!(
            "  {name:<14}{:>10}{:>10}{:>14}{:>13}{:>8}{recall:>9.3}{:>7.0}%",
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            share * 100.0
        );
    }
    println!(
        "  alerts: {} expected, {} missed (of closed eyes: {}), {} false",
        scores.matched.len() + scores.missed.len(),
        scores.missed.len(),
        scores.missed_sleep(),
        scores.false_alerts.len()
    );
    let start = record
        .truths()
        .next()
        .map_or(Time::ZERO, |truth| Time::from_stamp(truth.header.stamp.sec, truth.header.stamp.nanosec));
    let line = |what: &str, alert: &Raised| {
        println!(
            "    {what:<7} {:>7.2} s  {} ({})",
            alert.at.since(start).as_secs_f64(),
            alert_in_words(alert.kind).unwrap_or("?"),
            alert.profile
        );
    };
    scores.missed.iter().for_each(|alert| line("missed", alert));
    scores.false_alerts.iter().for_each(|alert| line("false", alert));
    // Due less than a second before the end, so that nobody knows whether they would have come.
    scores.unjudged.at_the_end.iter().for_each(|alert| line("too late to be judged", alert));
    if let Some((alert, apart)) = scores.matched.iter().max_by_key(|(_, apart)| *apart) {
        println!(
            "    furthest from its time: {} ({}), {:.0} ms",
            alert_in_words(alert.kind).unwrap_or("?"),
            alert.profile,
            apart.as_secs_f64() * 1e3
        );
    }
}
