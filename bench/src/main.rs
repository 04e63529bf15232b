//! What belongs here: measurements beside others' products, in a workspace of their own. See README.md.

mod child;
mod contestants;
mod drive;
mod message;
mod plan;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{contestants::Contestant, plan::Options};

/// Measurements beside others' products.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// How long a message takes from one thread or process of this machine to another.
    Transport(Options),
    /// The measuring process, with the environment that `transport` gives it.
    #[command(hide = true)]
    Drive(Options),
    /// The receiving process of a contestant.
    #[command(hide = true)]
    Receive {
        /// Whose.
        contestant: Contestant,
        /// Where sockets lie, and what names are made of.
        folder: PathBuf,
        /// A free TCP port.
        port: u16,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Transport(options) => drive::with_environment(&options),
        Command::Drive(options) => drive::run(&options),
        Command::Receive { contestant, folder, port } => child::receive(contestant, &folder, port),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
