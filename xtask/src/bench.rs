//! Measurements, in the workspace `bench`: it is built when it is asked for, and no other build knows of it.

use std::path::absolute;

use clap::Subcommand;

use crate::{
    packages::{self, succeed},
    steps::{cargo, say, target},
};

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How long a message takes on this machine: our slots and transports beside iceoryx2, CycloneDDS and a plain socket.
    Transport {
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<String>,
        /// Rounds over all contestants.
        #[arg(long)]
        rounds: Option<u32>,
        /// Measuring time in all; about three minutes else.
        #[arg(long)]
        seconds: Option<u32>,
        /// Only these contestants, with commas between them.
        #[arg(long)]
        only: Option<String>,
    },
}

/// `cargo xtask bench`.
pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    let Bench::Transport { json, rounds, seconds, only } = bench;
    say("system packages");
    packages::ensure(packages::RUN)?;
    say("build and measure");
    let mut command =
        cargo(&["run", "--locked", "--release", "--manifest-path", "bench/Cargo.toml", "--target-dir"]);
    command.arg(target().join("bench")).args(["--", "transport"]);
    if let Some(file) = json {
        // A relative path is the caller's, not the checkout's.
        command.arg("--json").arg(absolute(file)?);
    }
    for (name, value) in [("--rounds", rounds), ("--seconds", seconds)] {
        if let Some(value) = value {
            command.args([name, &value.to_string()]);
        }
    }
    if let Some(only) = only {
        command.args(["--only", only]);
    }
    succeed(&mut command)
}
