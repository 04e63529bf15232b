//! Many vehicles at a gateway, open loop: what it adds, what a vehicle costs it, and what it does with twice as much as there is room for.
//!
//! Three parts in two processes: the gateway is the real program in one; the vehicles (each with a certificate, a TLS connection and HTTP/1.1 of its
//! own) and the upstream (plain HTTP on loopback, so many tokens, one each so many ms) share the other, on two threads. Requests are sent by the
//! clock, whether those before have been answered or not; times count from when a request was due. Every second one goes to the upstream
//! directly: what the gateway adds is the difference of the percentiles of the same run.
//!
//! `cargo run -p troika-gateway --example gateway-load -- --vehicles 200 --rate 50 --seconds 10`

mod gateway;
mod offer;
mod upstream;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use serde_json::json;

use offer::{Offer, percentile};

/// Many vehicles at a gateway.
#[derive(Parser)]
struct Arguments {
    /// Vehicles, each with a certificate and a connection of its own.
    #[arg(long, default_value_t = 100)]
    vehicles: usize,
    /// Requests a second, half of them past the gateway.
    #[arg(long, default_value_t = 40.0)]
    rate: f64,
    /// How long each of the two parts takes.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Tokens of an answer.
    #[arg(long, default_value_t = 20)]
    tokens: u32,
    /// From one token to the next, ms.
    #[arg(long, default_value_t = 10)]
    token_ms: u64,
    /// Requests that the upstream takes at once in the overload; with the answer's length that is what there is room for.
    #[arg(long, default_value_t = 8)]
    room: u32,
    /// The program; by default the one beside this.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// A file for the figures, beside the standard output.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    anyhow::ensure!(
        arguments.vehicles >= 2 && arguments.rate > 0.0 && arguments.seconds > 0.0,
        "at least 2 vehicles"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(measure(&arguments))?;
    let text = serde_json::to_string_pretty(&figures)?;
    println!("{text}");
    if let Some(path) = &arguments.json {
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

async fn measure(arguments: &Arguments) -> anyhow::Result<serde_json::Value> {
    let upstream = upstream::start(arguments.tokens, arguments.token_ms).await?;
    let program = match &arguments.gateway {
        Some(program) => program.clone(),
        None => std::env::current_exe()?
            .parent()
            .and_then(|folder| folder.parent())
            .context("no folder above this program")?
            .join("troika-gateway"),
    };
    let dir = tempfile::tempdir()?;
    let keys = gateway::fleet(dir.path(), arguments.vehicles)?;

    // With room for all: what is added, and what a vehicle costs.
    let running = gateway::Running::start(&program, dir.path(), upstream, 1000, arguments.vehicles).await?;
    let before = running.memory_kib()?;
    let offer = Offer::connect(&running, upstream, &keys, true).await?;
    let connected = running.memory_kib()?;
    let (cpu, own) = (running.cpu_s()?, gateway::cpu_s("self")?);
    let (all, _) = offer.run(arguments.rate, arguments.seconds, arguments.tokens, 0.0).await;
    let after = running.memory_kib()?;
    let (cpu, own) = (running.cpu_s()? - cpu, gateway::cpu_s("self")? - own);
    let threads = running.threads()?;
    running.end().await?;
    let first = |through: bool| -> Vec<f64> {
        all.iter().filter(|one| one.through == through && one.fine).map(|one| one.first_ms).collect()
    };
    let (through, direct) = (first(true), first(false));
    let failed = all.iter().filter(|one| !one.fine).count();
    anyhow::ensure!(!through.is_empty() && !direct.is_empty(), "nothing was answered; {failed} failed");
    let added = |share: f64| percentile(&through, share) - percentile(&direct, share);
    let a_vehicle = |kib: u64| (kib.saturating_sub(before)) as f64 / arguments.vehicles as f64;

    // Twice the room, a quarter of it by one vehicle.
    let running =
        gateway::Running::start(&program, dir.path(), upstream, arguments.room, arguments.vehicles).await?;
    let offer = Offer::connect(&running, upstream, &keys, false).await?;
    let answer_s = f64::from(arguments.tokens.saturating_sub(1).max(1)) * arguments.token_ms as f64 / 1000.0;
    let room = f64::from(arguments.room) / answer_s;
    let (over, took) = offer.run(2.0 * room, arguments.seconds, arguments.tokens, 0.25).await;
    let memory = running.memory_kib()?;
    let (waiting, left) = running.left().await?;
    running.end().await?;
    let count = |fits: &dyn Fn(&&offer::Outcome) -> bool| over.iter().filter(fits).count();
    let share = |greedy: bool| {
        let theirs = count(&|one| one.greedy == greedy);
        count(&|one| one.greedy == greedy && one.fine) as f64 / theirs.max(1) as f64
    };
    let firsts: Vec<f64> = over.iter().filter(|one| one.fine).map(|one| one.first_ms).collect();
    let refusals: Vec<f64> = over.iter().filter(|one| one.status == 429).map(|one| one.first_ms).collect();
    Ok(json!({
        "vehicles": arguments.vehicles,
        "requests_per_s": arguments.rate / 2.0,
        "added_ms": {"p50": added(0.5), "p99": added(0.99)},
        "memory_kib_per_vehicle": a_vehicle(after),
        "overload": {
            "offered_per_s": 2.0 * room,
            "answered_per_s": count(&|one| one.fine) as f64 / took,
            "room_per_s": room,
            "refused_429": count(&|one| one.status == 429),
            "failed": count(&|one| !one.fine && one.status != 429),
            "first_token_ms": {"p50": percentile(&firsts, 0.5), "p99": percentile(&firsts, 0.99)},
            "refusal_ms": {"p50": percentile(&refusals, 0.5), "p99": percentile(&refusals, 0.99)},
            "answered_share": {"greedy_vehicle": share(true), "others": share(false)},
            "memory_kib": memory,
            "waiting_after": waiting,
            "running_after": left,
        },
        "first_token_ms": {
            "through": {"p50": percentile(&through, 0.5), "p99": percentile(&through, 0.99)},
            "direct": {"p50": percentile(&direct, 0.5), "p99": percentile(&direct, 0.99)},
        },
        "failed": failed,
        "memory_kib_per_idle_vehicle": a_vehicle(connected),
        "gateway": {"processes": 1, "threads": threads, "cpu_s": cpu},
        "generator": {
            "processes": 1, "threads": 3, "sessions": arguments.vehicles, "cpu_s": own,
            "cpu_share": own / (own + cpu).max(f64::MIN_POSITIVE),
            "is_also": "the upstream",
        },
    }))
}
