//! `cargo xtask bench chain`: frame to state and frame to gesture, our detectors with the networks' own kernels and without, and MediaPipe's
//! graphs, on the same frames in turns.

use std::{
    path::{PathBuf, absolute},
    process::Command,
};

use clap::Args;

use crate::{
    mediapipe,
    packages::{self, succeed},
    steps::{keeps_memory, pull, root, say, set_up, target},
};

/// How it is measured.
#[derive(Args)]
pub(crate) struct Chain {
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Turns of each.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Frames of a turn.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    block: u32,
    /// Ours alone: MediaPipe (1 GB) is not installed.
    #[arg(long)]
    without_mediapipe: bool,
}

/// Runs it.
pub(crate) fn run(arguments: &Chain) -> anyhow::Result<()> {
    let json = arguments.json.as_ref().map(absolute).transpose()?;
    set_up(packages::TEST)?;
    pull("test")?;
    let mut command = Command::new(absolute(target().join("debug/examples/chain"))?);
    command.args(["--rounds", &arguments.rounds.to_string(), "--block", &arguments.block.to_string()]);
    if !arguments.without_mediapipe {
        command.arg("--peer").arg(absolute(mediapipe::peer()?)?);
    }
    if let Some(json) = &json {
        command.arg("--json").arg(json);
    }
    say("chain");
    succeed(keeps_memory(&mut command).current_dir(root()))
}
