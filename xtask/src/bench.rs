//! The benches: measurements on this machine, told and not judged by a test.

use std::process::Command;

use clap::Subcommand;

use crate::{
    packages::{self, succeed},
    steps::{built, root, say, set_up},
};

/// A bench.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Inject faults (overrun, miss, old input, panic, hang, kill) into real systems under load; how soon each is answered.
    Reactions {
        /// How many of each.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        times: u32,
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<String>,
    },
}

/// Builds, and runs one.
pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    set_up(packages::RUN)?;
    match bench {
        Bench::Reactions { times, json } => {
            say("reactions");
            let mut command = Command::new(built("troika-reactions"));
            command.args(["--times", &times.to_string()]);
            if let Some(file) = json {
                // A relative path is the caller's, not the checkout's.
                command.arg("--json").arg(std::path::absolute(file)?);
            }
            succeed(command.current_dir(root()))
        }
    }
}
