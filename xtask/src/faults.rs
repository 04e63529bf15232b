//! `cargo xtask faults`: the campaign of faults, on the source as it is.

use std::{fs, path::absolute, process::Command};

use clap::Args;

use crate::{
    packages::{self, succeed},
    steps::{built, pull, root, say, set_up, target},
};

/// How long, and with which chance.
#[derive(Args)]
pub(crate) struct Faults {
    /// How long the campaign takes, after the build.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Of all chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only classes whose names begin so.
    #[arg(long, value_name = "PREFIX")]
    only: Option<String>,
    /// Without real processes, peers on the network and a real machine's memory.
    #[arg(long)]
    virtual_only: bool,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<String>,
    /// Switch one reaction after another off, and show that the campaign notices each.
    #[arg(long)]
    prove: bool,
}

impl Faults {
    /// All classes for long, with a report beside the build.
    pub(crate) fn soak(seconds: u64, seed: u64) -> anyhow::Result<Faults> {
        let folder = target().join("faults");
        fs::create_dir_all(&folder)?;
        let json = Some(folder.join(format!("seed-{seed}.json")).display().to_string());
        Ok(Faults { seconds, seed, only: None, virtual_only: false, json, prove: false })
    }
}

/// Builds and runs it; the report names the source.
pub(crate) fn run(arguments: &Faults) -> anyhow::Result<()> {
    set_up(packages::RUN)?;
    pull("demo")?;
    say("faults");
    let mut command = Command::new(absolute(built("troika-faults"))?);
    command.args(["--seconds", &arguments.seconds.to_string(), "--seed", &arguments.seed.to_string()]);
    if let Some(commit) = commit() {
        command.args(["--commit", &commit]);
    }
    if let Some(prefix) = &arguments.only {
        command.args(["--only", prefix]);
    }
    if arguments.virtual_only {
        command.arg("--virtual-only");
    }
    if let Some(file) = &arguments.json {
        // A relative path is the caller's, not the checkout's.
        command.arg("--json").arg(absolute(file)?);
    }
    if arguments.prove {
        command.arg("--prove");
    }
    succeed(command.current_dir(root()))
}

/// The commit of the checkout, `+` where it was changed since; none where there is no git.
pub(crate) fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(root()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let id = git(&["rev-parse", "--short=12", "HEAD"]).filter(|id| !id.is_empty())?;
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|told| !told.is_empty());
    Some(if changed { format!("{id}+") } else { id })
}
