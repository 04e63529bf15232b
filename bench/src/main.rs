//! What belongs here: measurements beside others' products, in a workspace of their own. See README.md.

#[cfg(feature = "transport")]
mod child;
#[cfg(feature = "transport")]
mod contestants;
#[cfg(feature = "transport")]
mod drive;
#[cfg(feature = "transport")]
mod message;
mod plan;
#[cfg(feature = "ros2")]
mod ros2;
#[cfg(feature = "transport")]
mod table;

#[cfg(feature = "transport")]
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(feature = "transport")]
use crate::{contestants::Contestant, plan::Options};

/// Measurements beside others' products.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "transport")]
    /// How long a message takes from one thread or process of this machine to another.
    Transport(Options),
    #[cfg(feature = "ros2")]
    /// The same publisher and subscription: ours over zenoh, DDS and rcl, r2r, rclpy.
    Ros2(ros2::Options),
    #[cfg(feature = "ros2")]
    /// One end of such a pair.
    #[command(hide = true)]
    Ros2Peer(ros2::Peer),
    #[cfg(feature = "transport")]
    /// The measuring process, with the environment that `transport` gives it.
    #[command(hide = true)]
    Drive(Options),
    #[cfg(feature = "transport")]
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
        #[cfg(feature = "transport")]
        Command::Transport(options) => drive::with_environment(&options),
        #[cfg(feature = "ros2")]
        Command::Ros2(options) => ros2::run(&options),
        #[cfg(feature = "ros2")]
        Command::Ros2Peer(peer) => ros2::peer(&peer),
        #[cfg(feature = "transport")]
        Command::Drive(options) => drive::run(&options),
        #[cfg(feature = "transport")]
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
