//! `troika route simulate`: what a policy of the router would do over recorded links.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Subcommand;
use troika_router::{
    Policy,
    simulate::{Outcome, Simulation, Tasks, Trace},
};

/// About the router.
#[derive(Subcommand)]
pub(crate) enum RouteCommand {
    /// What the policy would do over recorded links, beside always the vehicle, always the cloud and a threshold.
    ///
    /// Success is by the chances of the outcome file: a model of the world, no measurement of answers.
    Simulate(SimulateArguments),
}

/// What to simulate.
#[derive(clap::Args)]
pub(crate) struct SimulateArguments {
    /// Traces: lines of seconds and Mbit/s, or folders of them. All tasks are asked over each.
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    /// A policy file instead of the one that ships.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A file of tasks instead of the mix that ships.
    #[arg(long, value_name = "FILE")]
    tasks: Option<PathBuf>,
    /// A file of what happens to them instead of the one that ships.
    #[arg(long, value_name = "FILE")]
    outcome: Option<PathBuf>,
    /// Cuts an hour at random times, beside those in the traces.
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    cuts: f64,
    /// The seed of all chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the report as JSON there too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs one of the commands.
pub(crate) fn run(command: RouteCommand) -> anyhow::Result<()> {
    match command {
        RouteCommand::Simulate(arguments) => simulate(&arguments),
    }
}

/// Of a folder its files, in the order of their names.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let cannot = || format!("cannot read {}", path.display());
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).with_context(cannot)? {
            inside.push(entry.with_context(cannot)?.path());
        }
        inside.retain(|path| path.is_file());
        anyhow::ensure!(!inside.is_empty(), "no file in {}", path.display());
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn simulate(arguments: &SimulateArguments) -> anyhow::Result<()> {
    let traces: Vec<Trace> = files(&arguments.traces)?
        .iter()
        .map(|path| Ok(Trace::parse(&path.display().to_string(), &text(path)?)?))
        .collect::<anyhow::Result<_>>()?;
    let policy = match &arguments.policy {
        Some(path) => Policy::parse(&path.display().to_string(), &text(path)?)?,
        None => Policy::built_in(),
    };
    let tasks = match &arguments.tasks {
        Some(path) => Tasks::parse(&path.display().to_string(), &text(path)?)?,
        None => Tasks::built_in(),
    };
    let outcome = match &arguments.outcome {
        Some(path) => Outcome::parse(&path.display().to_string(), &text(path)?, &tasks)?,
        None => Outcome::shipped_for(&tasks)?,
    };
    let report = Simulation::new(tasks, outcome, policy, arguments.cuts, arguments.seed)?.run(&traces);
    print!("{report}");
    if let Some(path) = &arguments.json {
        fs::write(path, report.to_json()? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
