//! `ros2`: the same publisher and subscription, ours over each of our transports and others' client libraries, one process each.

mod ours;
mod pair;
mod plain;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;
use troika_host::floor::Floor;
use troika_transport_zenoh::RouterGuard;

use self::pair::{Pair, Place};
use crate::plan::{self, Row};

/// Of an image's data, in bytes: a small message, an audio block or a list of points, a camera frame (1280x800 grey).
const SIZES: [usize; 3] = [64, 100 << 10, 1 << 20];
/// Messages at the start of each turn that are not measured.
const WARM_UP: u32 = 20;

/// How much is measured.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Write the figures here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds: each has every contestant and size once.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measured messages of one contestant and size in one round.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
    /// Messages a second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..1000))]
    hz: u32,
    /// The Python that has rclpy and `sensor_msgs`.
    #[arg(long, value_name = "FILE")]
    ros_python: PathBuf,
    /// Only these contestants.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Contestant>,
}

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Contestant {
    /// Ours over zenoh, as rmw_zenoh has it.
    Zenoh,
    /// Ours over DDS (CycloneDDS).
    Dds,
    /// Ours in ROS 2's client library (rcl, Fast DDS).
    Ros2,
    /// r2r, with its own types (rcl, Fast DDS).
    R2r,
    /// rclpy (rcl, Fast DDS).
    Rclpy,
}

impl Contestant {
    const ALL: [Contestant; 5] =
        [Contestant::Zenoh, Contestant::Dds, Contestant::Ros2, Contestant::R2r, Contestant::Rclpy];

    fn title(self) -> &'static str {
        match self {
            Contestant::Zenoh => "ours, zenoh",
            Contestant::Dds => "ours, DDS (Cyclone)",
            Contestant::Ros2 => "ours, rcl (Fast DDS)",
            Contestant::R2r => "r2r (Fast DDS)",
            Contestant::Rclpy => "rclpy (Fast DDS)",
        }
    }
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Publishes when it is told to.
    Talk,
    /// Notes what comes.
    Listen,
}

/// One end, in a process of its own: told what to do on its standard input, as `pair_peer.py` is.
#[derive(Args, Debug, Clone)]
pub struct Peer {
    contestant: Contestant,
    role: Role,
    /// The zenoh router.
    #[arg(long)]
    router: String,
}

/// Runs one end.
pub fn peer(peer: &Peer) -> anyhow::Result<()> {
    match peer.contestant {
        Contestant::R2r => plain::run(peer.role),
        Contestant::Rclpy => anyhow::bail!("rclpy's end is a Python program"),
        ours => ours::run(ours, peer.role, &peer.router),
    }
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    latency: Row,
    /// Processor time of both processes for each message, in microseconds.
    cpu_us: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    floor_us: plan::Floor,
    rows: Vec<Line>,
    hz: u32,
    rounds: u32,
    cores: usize,
    method: &'static str,
}

#[derive(Default, Clone)]
struct Sum {
    nanos: Vec<u64>,
    sent: u64,
    cpu_nanos: u64,
}

/// Measures, writes and prints.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let contestants = if options.only.is_empty() { Contestant::ALL.to_vec() } else { options.only.clone() };
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let router = format!("tcp/127.0.0.1:{port}");
    let _router = RouterGuard::ensure(&router)?;
    let place =
        Place { router, python: options.ros_python.clone(), period: Duration::from_secs(1) / options.hz };
    let mut sums = vec![vec![Sum::default(); SIZES.len()]; contestants.len()];
    let floor = Floor::start()?;
    for round in 1..=options.rounds {
        for (contestant, sums) in contestants.iter().zip(&mut sums) {
            eprintln!("round {round} of {}: {}", options.rounds, contestant.title());
            // Ends that meet anew in each round: how well two of them met is part of the figures.
            let mut pair = Pair::open(*contestant, &place).with_context(|| contestant.title())?;
            for (bytes, sum) in SIZES.iter().zip(sums) {
                pair.turn(*bytes, WARM_UP)?;
                let turn = pair.turn(*bytes, options.messages).with_context(|| contestant.title())?;
                sum.nanos.extend(turn.nanos);
                sum.sent += u64::from(options.messages);
                sum.cpu_nanos += turn.cpu_nanos;
            }
        }
    }
    let recorded = floor.finish();
    let mut rows = Vec::new();
    for (size, bytes) in SIZES.iter().enumerate() {
        for (contestant, sums) in contestants.iter().zip(&mut sums) {
            let sum = std::mem::take(&mut sums[size]);
            let cpu_us = sum.cpu_nanos as f64 / 1e3 / sum.sent.max(1) as f64;
            let latency = Row::new(contestant.title().to_owned(), *bytes, sum.nanos, sum.sent, 0);
            rows.push(Line { latency, cpu_us });
        }
    }
    let report = Report {
        floor_us: plan::Floor::of(&recorded),
        rows,
        hz: options.hz,
        rounds: options.rounds,
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        method: "one way, from before the message is made to the value in the receiver's callback; processor time of both processes",
    };
    print!("{}", text(&report));
    if let Some(file) = &options.json {
        write(file, &report)?;
    }
    Ok(())
}

fn write(file: &Path, report: &Report) -> anyhow::Result<()> {
    std::fs::write(file, serde_json::to_string_pretty(report)? + "\n")
        .with_context(|| format!("cannot write {}", file.display()))
}

fn text(report: &Report) -> String {
    let floor = &report.floor_us;
    let mut out = format!(
        "{:28} {:>9} {:>9} {:>9} {:>9} {:>8} {:>5} {:>11}\n{:28} {:9.1} {:9.1} {:9.1} {:9.1} {:8}\n",
        "one way, microseconds",
        "p50",
        "p99",
        "p99.9",
        "max",
        "samples",
        "lost",
        "CPU/message",
        "the machine's floor",
        floor.p50,
        floor.p99,
        floor.p999,
        floor.max,
        floor.samples
    );
    let mut bytes = 0;
    for line in &report.rows {
        let row = &line.latency;
        if row.bytes != bytes {
            bytes = row.bytes;
            out += &format!("{bytes} B of image data\n");
        }
        out += &format!(
            "  {:26} {:9.1} {:9.1} {:9.1} {:9.1} {:8} {:5} {:11.1}\n",
            row.transport,
            row.p50_us,
            row.p99_us,
            row.p999_us,
            row.max_us,
            row.samples,
            row.lost,
            line.cpu_us
        );
    }
    out
}
