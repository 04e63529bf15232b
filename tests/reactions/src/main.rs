//! What belongs here: `cargo xtask bench reactions`. Each fault that a node or its process can have is injected into real systems
//! (`systems/*.toml`) a thousand times on a busy machine, and an outside peer measures how long each takes to be answered: from the
//! fault's onset, which is noted where it happens, to the message on the topic.

mod figures;
mod lives;
mod steps;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use serde::Serialize;
use troika_host::floor::Floor;
use troika_reactions::{
    load::Load,
    peer::{self, Peer, eager},
    system::System,
};

use crate::figures::{Figures, Percentiles};

/// What the claimed bounds allow for the way from the node to the peer: couriers, zenoh's ordinary threads on a busy machine, and a
/// stall of the machine itself.
pub(crate) const TRANSPORT: Duration = Duration::from_millis(30);
/// Of as many hangs that wait, so many that take their core; they go one at a time.
const SPINS: usize = 20;

/// Injects faults and measures how soon they are answered.
#[derive(Parser)]
struct Cli {
    /// Of each kind.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Without other load.
    #[arg(long)]
    idle: bool,
}

/// What is written.
#[derive(Serialize)]
struct Report {
    times: usize,
    load: String,
    cores: usize,
    seconds: f64,
    /// The machine's own lateness in the same run, microseconds: no reaction can be better.
    floor_us: Percentiles,
    transport_allowance_ms: f64,
    faults: Vec<Figures>,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let times = cli.times as usize;
    let troika = std::env::current_exe()?.with_file_name("troika");
    ensure!(troika.is_file(), "{} is not there: build the workspace", troika.display());
    let began = peer::now();
    let floor = Floor::start().context("no thread for the floor")?;
    let load = if cli.idle { None } else { Some(Load::start()) };

    let mut faults = phase(&troika, "steps.toml", times, steps::run)?;
    let lives = phase(&troika, "lives.toml", times, lives::run)?;
    let spin = phase(&troika, "spin.toml", times.div_ceil(SPINS), lives::spin)?;
    let [hang, kill]: [Figures; 2] = lives.try_into().map_err(|_| anyhow::anyhow!("two kinds of end"))?;
    faults.extend([hang, spin, kill]);

    let load_told = load.as_ref().map_or("none".to_owned(), |load| load.what.clone());
    drop(load);
    let recorded = floor.finish();
    let (floor, notices) = (recorded.lateness, recorded.notices);
    for notice in notices {
        eprintln!("notice: {notice}");
    }
    let us = |q: f64| floor.quantile(q).as_secs_f64() * 1e6;
    let report = Report {
        times,
        load: load_told,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        seconds: (peer::now() - began) as f64 / 1e9,
        floor_us: Percentiles {
            p50: us(0.5),
            p99: us(0.99),
            p999: us(0.999),
            max: floor.max().as_secs_f64() * 1e6,
        },
        transport_allowance_ms: TRANSPORT.as_secs_f64() * 1e3,
        faults,
    };
    println!("{}", figures::table(&report.faults));
    let Percentiles { p50, p99, p999, max } = report.floor_us;
    println!(
        "the machine's floor: p50 {p50:.0} us, p99 {p99:.0}, p99.9 {p999:.0}, max {max:.0}; load: {}; {:.0} s",
        report.load, report.seconds
    );
    if let Some(file) = &cli.json {
        write(file, &report)?;
    }
    let without: usize = report
        .faults
        .iter()
        .map(|one| one.without_reaction + one.again.as_ref().map_or(0, |a| a.never))
        .sum();
    if without > 0 {
        bail!("{without} faults were not answered");
    }
    Ok(())
}

fn write(file: &Path, report: &Report) -> anyhow::Result<()> {
    fs::write(file, serde_json::to_vec_pretty(report)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Runs one system, heard by a peer of its own.
fn phase<T: Send>(
    troika: &Path,
    file: &str,
    times: usize,
    run: impl FnOnce(&Peer, System, usize) -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    eprintln!("{file}: {times} of each");
    let peer = eager(Peer::open)?;
    // From here, and not from the peer's eager threads: what it starts is ordinary.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("systems").join(file);
    let system = System::start(troika, &file, &peer.endpoint)?;
    eager(|| run(&peer, system, times))
}
