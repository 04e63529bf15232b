//! Task success and calls of the cloud of four policies over recorded links: the real router, bridge, session, planner and link estimator
//! in virtual time, the scripted stand-in in the cloud's place, and what the vehicle's real model said to the very same requests.
//! `cargo xtask bench route`, or `target/debug/examples/route TRACE… [--cuts N] [--json F]`.
//!
//! Real: every decision, hand-over, redaction, tool and word. Modelled: when bytes come (the trace), how fast both models are
//! (`nodes/router/simulate/outcome.toml`). Success is what the judge of the tasks says of the words, in time or not at all.
#![allow(clippy::disallowed_methods, reason = "a bench")]

mod drive;
mod model;
mod report;

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Parser;
use troika_expert::tasks;
use troika_router::{
    Policy,
    simulate::{Contender, Outcome, Trace},
};

#[derive(Parser)]
struct Arguments {
    /// Recorded links: lines of seconds and Mbit/s. Without one: four that are made by a seed, with the statistics of such logs.
    traces: Vec<PathBuf>,
    /// Cuts an hour at random times, beside those in the traces.
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    cuts: f64,
    /// The seed of all chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A policy file instead of the one that ships.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The program of the vehicle's model.
    #[arg(long, value_name = "PROGRAM", default_value = "target/debug/troika-slm")]
    slm: PathBuf,
    /// What it said before: a request that is in here is not made again.
    #[arg(long, value_name = "FILE", default_value = "target/route-answers.jsonl")]
    answers: PathBuf,
    /// Write the report as JSON there too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Each task that is wrong, and why.
    #[arg(long)]
    wrong: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let traces = traces(&arguments)?;
    let tasks = tasks::shipped();
    let outcome = Outcome::built_in();
    let policy = match &arguments.policy {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Policy::parse(&path.display().to_string(), &text)?
        }
        None => Policy::built_in(),
    };
    let model = model::Answers::open(&arguments.slm, &arguments.answers)?;
    let mut report =
        report::Report::new(policy.name(), tasks.len(), traces.len(), arguments.cuts, arguments.seed);
    for contender in Contender::ALL {
        let mut drives = Vec::new();
        for (n, trace) in traces.iter().enumerate() {
            let setting = drive::Setting {
                contender,
                tasks: &tasks,
                outcome: &outcome,
                policy: &policy,
                trace,
                cuts_an_hour: arguments.cuts,
                seed: arguments.seed.wrapping_add(n as u64),
                model: &model,
            };
            drives.push(drive::drive(&setting)?);
            eprint!("\r{} {} of {}   ", contender.name(), n + 1, traces.len());
        }
        eprintln!();
        if arguments.wrong {
            let wrong = drives.iter().flat_map(|drive| &drive.tasks).filter_map(|task| task.wrong.as_ref());
            wrong.for_each(|why| println!("{} {why}", contender.name()));
        }
        report.add(contender, &drives);
    }
    report.model(model.asked(), model.kept());
    print!("{report}");
    if let Some(path) = &arguments.json {
        fs::write(path, serde_json::to_string_pretty(&report.json())? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn traces(arguments: &Arguments) -> anyhow::Result<Vec<Trace>> {
    use troika_router::simulate::Like;
    if arguments.traces.is_empty() {
        let made = |(n, like)| Trace::made(like, arguments.seed.wrapping_add(n), 3_600.0);
        return Ok([Like::Bus, Like::Ferry, Like::Metro, Like::Tram]
            .into_iter()
            .enumerate()
            .map(|(n, like)| made((n as u64, like)))
            .collect());
    }
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Trace::parse(&path.display().to_string(), &text)?)
    };
    arguments.traces.iter().map(read).collect()
}
