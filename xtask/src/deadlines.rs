//! `cargo xtask bench deadlines`: both detectors on one camera, idle, under `stress-ng`, and beside a decoding speech model.
#![allow(clippy::disallowed_methods, reason = "a measurement waits, and shows how long it still takes")]

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf, absolute},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    packages,
    running::Running,
    steps::{built, pull, root, say, set_up},
};

/// Of the camera.
const FRAMES_A_SECOND: u64 = 30;
const SYSTEM: &str = "launch/systems/bench.toml";
/// What the decoders hear.
const SPEECH: &str = "nodes/voice/fixtures/speech";
/// What `stress` needs beside what a run needs.
const STRESS: &str = "stress-ng";

/// What else the cores do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Load {
    /// Nothing.
    Idle,
    /// `stress-ng`: arithmetic on every core, and memory.
    #[value(alias = "stress-ng")]
    Stress,
    /// A language model that decodes all the time, on as many threads as there are cores: whisper's decoder, through whisper-rs.
    Slm,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Load::Idle => "idle",
            Load::Stress => "stress",
            Load::Slm => "slm",
        }
    }
}

/// How it is measured.
#[derive(Args)]
pub(crate) struct Deadlines {
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Frames under each load; 30 of them are a second.
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(300..))]
    frames: u64,
    /// Only these loads.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Load::Idle, Load::Stress, Load::Slm])]
    loads: Vec<Load>,
}

/// Runs it.
pub(crate) fn run(arguments: &Deadlines) -> anyhow::Result<()> {
    let json_file = arguments.json.as_ref().map(absolute).transpose()?;
    let mut wanted = packages::RUN.to_vec();
    if arguments.loads.contains(&Load::Stress) {
        wanted.push(STRESS);
    }
    set_up(&wanted)?;
    pull("demo")?;
    let mut cases = Vec::new();
    for load in &arguments.loads {
        let seconds = arguments.frames.div_ceil(FRAMES_A_SECOND);
        say(&format!("{}: {} frames, {seconds} s", load.name(), arguments.frames));
        let case = case(*load, seconds)?;
        println!("{}", shown(&case));
        cases.push(case);
        // After each, so that an interrupted run leaves what it has.
        if let Some(file) = &json_file {
            let text = serde_json::to_string_pretty(&json!({ "system": SYSTEM, "cases": cases }))?;
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

/// One load.
fn case(load: Load, seconds: u64) -> anyhow::Result<Value> {
    let report = target_file(&format!("deadlines-{}.json", load.name()));
    let pressure = Pressure::start(load)?;
    let mut command = Command::new(built("troika"));
    command.args(["run", SYSTEM, "--headless", "--seconds", &seconds.to_string(), "--report"]).arg(&report);
    let mut run = Running::start(command.current_dir(root()).stdout(Stdio::null()))?;
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = run.ended()? {
            break status;
        }
        if let Some(died) = pressure.died() {
            bail!("the load ended early: {died}");
        }
        sleep(Duration::from_millis(500));
        if std::io::stderr().is_terminal() {
            eprint!("\r  {:>4} of {seconds} s ", begin.elapsed().as_secs().min(seconds));
        }
    };
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    drop(pressure);
    if !status.success() {
        bail!("troika failed ({status})");
    }
    let text = std::fs::read_to_string(&report).with_context(|| report.display().to_string())?;
    let report: Value = serde_json::from_str(&text)?;
    figures(load, &report)
}

fn target_file(name: &str) -> PathBuf {
    built("troika").parent().unwrap_or(Path::new(".")).join(name)
}

/// The figures of one load out of the system's report.
fn figures(load: Load, report: &Value) -> anyhow::Result<Value> {
    let node = |kind: &str| {
        let nodes = report["nodes"].as_array().context("no nodes in the report")?;
        nodes.iter().find(|node| node["kind"] == kind).with_context(|| format!("no {kind} in the report"))
    };
    let (driver, gesture) = (node("driver_state")?, node("gesture")?);
    let both = |key: &str| driver[key].as_u64().unwrap_or(0) + gesture[key].as_u64().unwrap_or(0);
    if driver["real_time"] != true || gesture["real_time"] != true {
        eprintln!("note: not at a real-time priority: `troika doctor` says what is missing");
    }
    let counts = |node: &Value| {
        let keys = [
            "steps",
            "worked",
            "skipped",
            "late",
            "too_late",
            "missed",
            "unexplained",
            "over_budget",
            "fall_backs",
            "level_changes",
            "real_time",
        ];
        Value::Object(keys.iter().map(|key| ((*key).to_owned(), node[*key].clone())).collect())
    };
    let (us, floor) = (&report["machine"]["floor_us"], &report["machine"]["floor_counts"]);
    Ok(json!({
        "load": load.name(),
        "seconds": report["seconds"],
        "frames": driver["steps"],
        "late": both("late"),
        "too_late": both("too_late"),
        "missed": both("missed"),
        "unexplained": both("unexplained"),
        "floor": {
            "wake_ups": floor["wake_ups"], "late": floor["late"], "too_late": floor["too_late"],
            "p50_us": us["p50"], "p99_us": us["p99"], "p999_us": us["p999"], "max_us": us["max"],
        },
        "driver_state_ms": driver["latency_ms"],
        "gesture_ms": gesture["latency_ms"],
        "driver_state": counts(driver),
        "gesture": counts(gesture),
        "watchdogs": report["watchdogs"],
    }))
}

/// For a person.
fn shown(case: &Value) -> String {
    let quantiles = |of: &Value| {
        let ms = |key: &str| of[key].as_f64().unwrap_or(f64::NAN);
        format!(
            "p50 {:5.1}  p99 {:5.1}  p99.9 {:5.1}  max {:6.1} ms",
            ms("p50"),
            ms("p99"),
            ms("p999"),
            ms("max")
        )
    };
    let node = |name: &str| {
        let (ms, counts) = (&case[format!("{name}_ms")], &case[name]);
        format!(
            "  {name:<13} {}; of {} steps {} late, {} too late, {} missed ({} unexplained), {} skipped, {} level changes\n",
            quantiles(ms),
            counts["steps"],
            counts["late"],
            counts["too_late"],
            counts["missed"],
            counts["unexplained"],
            counts["skipped"],
            counts["level_changes"],
        )
    };
    let floor = &case["floor"];
    let us = |key: &str| floor[key].as_f64().unwrap_or(f64::NAN) / 1e3;
    node("driver_state")
        + &node("gesture")
        + &format!(
            "  machine floor p50 {:5.2}  p99 {:5.2}  p99.9 {:5.2}  max {:6.1} ms; of {} wake-ups {} late (5 ms), {} too late (33 ms)",
            us("p50_us"),
            us("p99_us"),
            us("p999_us"),
            us("max_us"),
            floor["wake_ups"],
            floor["late"],
            floor["too_late"],
        )
}

/// A load that runs until it is dropped.
#[derive(Default)]
struct Pressure {
    /// Dropped, they end the threads.
    stops: Vec<Sender<()>>,
    died: Arc<Mutex<Option<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pressure {
    fn start(load: Load) -> anyhow::Result<Pressure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let programs = match load {
            Load::Idle => 0,
            Load::Stress => 1,
            Load::Slm => cores,
        };
        let mut pressure = Pressure::default();
        for _ in 0..programs {
            let (sender, stop) = channel();
            let died = Arc::clone(&pressure.died);
            let again = move || {
                if let Err(why) = repeat(load, cores, &stop)
                    && let Ok(mut died) = died.lock()
                {
                    *died = Some(format!("{why:#}"));
                }
            };
            let thread = std::thread::Builder::new().spawn(again).context("no thread for the load")?;
            pressure.threads.push(thread);
            pressure.stops.push(sender);
        }
        Ok(pressure)
    }

    fn died(&self) -> Option<String> {
        self.died.lock().ok().and_then(|died| died.clone())
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        self.stops.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Runs the load's program until the stop: a decoder that is through with its utterances begins anew.
fn repeat(load: Load, cores: usize, stop: &Receiver<()>) -> anyhow::Result<()> {
    loop {
        let mut command = match load {
            Load::Idle => return Ok(()),
            Load::Stress => {
                let mut stress = Command::new(STRESS);
                stress.args(["--cpu", &cores.to_string(), "--vm", "1", "--vm-bytes", "512M", "--quiet"]);
                stress
            }
            Load::Slm => {
                let mut decoder = Command::new(built("troika-voice"));
                decoder.arg("--measure").arg(format!("{SPEECH}/demo.tsv")).arg(SPEECH);
                decoder
            }
        };
        command.current_dir(root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Running::start(&mut command)?;
        let status = loop {
            if let Some(status) = child.ended()? {
                break status;
            }
            if stop.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Disconnected) {
                return Ok(());
            }
        };
        if !status.success() {
            bail!("{command:?} failed ({status})");
        }
    }
}
