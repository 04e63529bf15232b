//! `cargo xtask bench mediapipe`: the same frames through MediaPipe's own Python graphs and through our detectors, in turns.

use std::{
    path::{Path, PathBuf, absolute},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    packages::{self, succeed},
    running::Running,
    steps::{built, pull, root, say, set_up, target},
};

const CAMERA: &str = "launch/systems/bench-camera.toml";
const SYSTEM: &str = "launch/systems/bench.toml";
/// Where a router of our own listens: beside whatever else runs here.
const ROUTER: &str = "tcp/127.0.0.1:7461";
const DOMAIN: &str = "0";
/// What the peer is made of.
const PEER: [&str; 3] = ["mediapipe==0.10.14", "numpy<2", "eclipse-zenoh==1.10.2"];

/// How it is measured.
#[derive(Args)]
pub(crate) struct Mediapipe {
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Turns of each.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Of a turn.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..))]
    seconds: u32,
}

/// Runs it.
pub(crate) fn run(arguments: &Mediapipe) -> anyhow::Result<()> {
    let json_file = arguments.json.as_ref().map(absolute).transpose()?;
    set_up(packages::TEST)?;
    pull("demo")?;
    let python = peer()?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        say(&format!("round {round} of {}: MediaPipe's graphs, {} s", arguments.rounds, arguments.seconds));
        theirs.push(their_turn(&python, arguments.seconds)?);
        say(&format!("round {round} of {}: the detectors, {} s", arguments.rounds, arguments.seconds));
        ours.push(our_turn(arguments.seconds)?);
    }
    let mut took: Vec<f64> = theirs
        .iter()
        .flat_map(|turn| turn["took_ms"].as_array())
        .flatten()
        .filter_map(Value::as_f64)
        .collect();
    took.sort_by(f64::total_cmp);
    let at = |q: f64| took.get(((took.len() as f64 * q).ceil() as usize).saturating_sub(1)).copied();
    let sum = |of: &[Value], key: &str| of.iter().filter_map(|turn| turn[key].as_u64()).sum::<u64>();
    let peer = json!({
        "frames": took.len(), "replaced": sum(&theirs, "replaced"),
        "faces": sum(&theirs, "faces"), "hands": sum(&theirs, "hands"),
        "ms": { "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": took.last() },
    });
    // Quantiles of several turns do not add up: the median turn's, and the worst.
    let of_ours = |node: &str| {
        let mut p99: Vec<(f64, &Value)> =
            ours.iter().map(|turn| (turn[node]["p99"].as_f64().unwrap_or(f64::NAN), &turn[node])).collect();
        p99.sort_by(|a, b| a.0.total_cmp(&b.0));
        json!({ "median_turn_ms": p99.get(p99.len() / 2).map(|one| one.1), "worst_turn_ms": p99.last().map(|one| one.1) })
    };
    let jitter = |ms: &Value| Some(ms["p99"].as_f64()? - ms["p50"].as_f64()?);
    let (driver, gesture) = (of_ours("driver_state_ms"), of_ours("gesture_ms"));
    let ratio = |of: &Value| Some(jitter(&peer["ms"])? / jitter(&of["median_turn_ms"])?);
    let figures = json!({
        "mediapipe": peer, "driver_state": driver, "gesture": gesture,
        "mediapipe_jitter_over_ours": { "driver_state": ratio(&driver), "gesture": ratio(&gesture) },
        "turns": ours,
    });
    println!("{}", serde_json::to_string_pretty(&figures)?);
    if let Some(file) = json_file {
        std::fs::write(&file, serde_json::to_string_pretty(&figures)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The Python of the peer's own environment.
pub(crate) fn peer() -> anyhow::Result<PathBuf> {
    let place = target().join("mediapipe-peer");
    let python = place.join("bin/python");
    let works = |python: &Path| {
        let mut ask = Command::new(python);
        ask.args(["-c", "import mediapipe, zenoh; assert mediapipe.__version__ == '0.10.14'"]);
        ask.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !works(&python) {
        say("MediaPipe (about 1 GB with all that it wants, once)");
        // Its wheels end with Python 3.12.
        let Some(base) = ["python3.11", "python3.12", "python3.10", "python3"].into_iter().find(|name| {
            let mut ask = Command::new(name);
            ask.args(["-c", "import sys; assert (3, 9) <= sys.version_info < (3, 13)"]).stderr(Stdio::null());
            ask.status().is_ok_and(|status| status.success())
        }) else {
            bail!("MediaPipe 0.10.14 wants a Python from 3.9 to 3.12");
        };
        succeed(Command::new(base).args(["-m", "venv", "--clear"]).arg(&place))?;
        succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PEER))?;
    }
    Ok(python)
}

fn troika(system: &str, seconds: u32) -> Command {
    let mut run = Command::new(built("troika"));
    run.args(["run", system, "--headless", "--router", ROUTER, "--seconds", &seconds.to_string()]);
    run.env("ROS_DOMAIN_ID", DOMAIN).current_dir(root()).stdout(Stdio::null());
    run
}

fn their_turn(python: &Path, seconds: u32) -> anyhow::Result<Value> {
    // Longer than the peer needs; it is ended when the peer is through.
    let camera = Running::start(&mut troika(CAMERA, 10 * seconds + 300))?;
    let peer = Command::new(python)
        .arg(root().join("bench/mediapipe_peer.py"))
        .args([ROUTER, DOMAIN, &seconds.to_string()])
        .output()?;
    drop(camera);
    if !peer.status.success() {
        // Last lines only: TensorFlow Lite tells a lot before.
        let told = String::from_utf8_lossy(&peer.stderr);
        let last: Vec<&str> = told.lines().rev().take(5).collect();
        bail!(
            "the MediaPipe peer failed ({}): {}",
            peer.status,
            last.into_iter().rev().collect::<Vec<_>>().join("\n")
        );
    }
    let text = String::from_utf8_lossy(&peer.stdout);
    serde_json::from_str(text.trim()).context("the MediaPipe peer's figures")
}

fn our_turn(seconds: u32) -> anyhow::Result<Value> {
    let report = target().join("debug/mediapipe-ours.json");
    succeed(troika(SYSTEM, seconds).arg("--report").arg(&report))?;
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&report)?)?;
    let latency = |kind: &str| {
        let nodes = report["nodes"].as_array().into_iter().flatten();
        nodes.filter(|node| node["kind"] == kind).map(|node| node["latency_ms"].clone()).next()
    };
    Ok(json!({
        "driver_state_ms": latency("driver_state"), "gesture_ms": latency("gesture"),
        "floor_us": report["machine"]["floor_us"],
    }))
}
