//! `troika score`: a rendered scenario through the detectors on a virtual clock, as fast as the machine allows, scored
//! against its own truth.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;
use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::{Duration, Time};
use troika_monitor::{Monitor, Observation, Phase, State, Vehicle, Zone};
use troika_msgs::troika::{DriverAlert, DriverState, DriverTruth};

use super::{
    process::node_figures,
    report::{DriverStateFigures, NodeFigures},
    score::{Raised, Record, STATES, Scores},
    view::alert_kind,
};
use crate::{
    kind::{Making, Runtime},
    kinds,
    system::{self, Source, System},
};

/// `troika score`.
#[derive(clap::Args)]
pub(crate) struct ScoreArguments {
    /// Scenario files.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The system file whose detectors are scored, with their parameters.
    #[arg(long, default_value = "launch/systems/cabin.toml")]
    system: PathBuf,
    /// Score the first seconds only.
    #[arg(long)]
    seconds: Option<f64>,
    /// Write the figures as JSON, a list with one entry for each scenario.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
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
    let (source, system) = crate::load_checked(&arguments.system)?;
    let mut all = Vec::new();
    for scenario in &arguments.scenarios {
        let shown = scenario.display().to_string();
        let wall = Instant::now();
        let (record, nodes, virtual_time) = run(scenario, &source, &system, arguments.seconds)
            .with_context(|| format!("scenario {shown}"))?;
        let expected = expected_alerts(&source, &system, record.truths())?;
        let scores = record.score(&expected);
        let wall_seconds = wall.elapsed().as_secs_f64();
        print(&shown, &scores, &record, virtual_time, wall_seconds);
        let driver = nodes.iter().find(|node| node.kind == "driver_state");
        if driver.is_none_or(|driver| driver.worked == 0) {
            let why = driver.and_then(|driver| driver.last_fault.clone()).unwrap_or_default();
            bail!("scenario {shown}: the detector looked at no frame: {why}");
        }
        all.push(Scored {
            scenario: shown,
            virtual_seconds: virtual_time.as_secs_f64(),
            wall_seconds,
            // Latencies on a virtual clock are zero and say nothing; only the counts stand.
            driver_state: DriverStateFigures::new(Some(&scores), driver),
            confusion: scores.confusion,
            nodes,
        });
    }
    if let Some(file) = &arguments.report {
        std::fs::write(file, serde_json::to_vec_pretty(&all)?)
            .with_context(|| format!("cannot write the report {}", file.display()))?;
    }
    Ok(())
}

/// Runs the simulated driver and the system's detectors on a virtual clock.
fn run(
    scenario: &std::path::Path,
    source: &Source,
    system: &System,
    seconds: Option<f64>,
) -> anyhow::Result<(Record, Vec<NodeFigures>, Duration)> {
    let mut simulation = Simulation::new()?;
    let (driver, length) = kinds::scenario_driver(scenario)?;
    simulation.spawn(driver, NodeOptions::new("camera"))?;
    let mut detectors = 0;
    for (name, node) in &system.nodes {
        let kind_name = node.get_ref().kind.get_ref().as_str();
        if !["driver_state", "driver_monitor"].contains(&kind_name) {
            continue;
        }
        let Some(kind) = kinds::find(kind_name) else { continue };
        let making = Making { text: &source.text, node: name, base: std::env::current_dir()? };
        let options = NodeOptions::new(name).arena(kind.arena_mib() << 20);
        kind.start(&making, options, Runtime::Simulation(&mut simulation))?;
        detectors += 1;
    }
    if detectors < 2 {
        bail!("{} has no driver_state and driver_monitor to score", source.path);
    }
    let truth = simulation.collect::<DriverTruth>("/sim/driver_truth")?;
    let states = simulation.collect::<DriverState>("/cabin/driver_state")?;
    let alerts = simulation.collect::<DriverAlert>("/cabin/driver_alert")?;
    let length = seconds.map_or(length, |seconds| length.min(Duration::from_secs_f64(seconds)));
    simulation.run_for(length);

    let mut record = Record::default();
    truth.take().iter().for_each(|sample| record.truth(&sample.value));
    states.take().iter().for_each(|sample| record.answer(&sample.value));
    record.alerts = alerts.take().into_iter().map(|sample| sample.value).collect();
    let nodes = simulation
        .stats()
        .iter()
        .map(|stats| {
            let name = stats.node.trim_start_matches('/');
            let kind = system.nodes.get(name).map_or("sim_driver", |node| node.get_ref().kind.get_ref());
            node_figures(stats, if name == "camera" { "sim_driver".to_owned() } else { kind.to_owned() })
        })
        .collect();
    Ok((record, nodes, length))
}

/// The alerts that the system's own rules raise when they see the truth.
pub(super) fn expected_alerts<'t>(
    source: &Source,
    system: &System,
    truths: impl Iterator<Item = &'t DriverTruth>,
) -> anyhow::Result<Vec<Raised>> {
    let monitor = system.nodes.iter().find(|(_, node)| node.get_ref().kind.get_ref() == "driver_monitor");
    let config: troika_monitor::Config = match monitor {
        Some((name, _)) => system::read_params(&source.text, name)?,
        None => troika_monitor::Config::default(),
    };
    let mut monitor = Monitor::new(config.profiles(|path| std::fs::read_to_string(path))?);
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
    Ok(monitor
        .run(&seen)
        .into_iter()
        .filter(|alert| alert.phase == Phase::Raised)
        .map(|alert| Raised { at: alert.at, profile: alert.profile.to_string(), kind: alert.kind as u8 })
        .collect())
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
        "  alerts: {} expected, {} missed (sleep: {}), {} false",
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
            alert_kind(alert.kind),
            alert.profile
        );
    };
    scores.missed.iter().for_each(|alert| line("missed", alert));
    scores.false_alerts.iter().for_each(|alert| line("false", alert));
    if let Some((alert, apart)) = scores.matched.iter().max_by_key(|(_, apart)| *apart) {
        println!(
            "    furthest from its time: {} ({}), {:.0} ms",
            alert_kind(alert.kind),
            alert.profile,
            apart.as_secs_f64() * 1e3
        );
    }
}
