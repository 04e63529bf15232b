//! `troika-gazebo`: the bridge's process.

use std::process::ExitCode;

use clap::Parser;
use troika_gazebo::{config::BridgeConfig, process};

/// Carries messages between Gazebo's topics and ours.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings: a TOML or JSON file, or JSON text.
    #[arg(long, value_name = "FILE-or-JSON")]
    config: String,
    /// Looks at the settings, and ends.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("troika-gazebo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = BridgeConfig::load(&arguments.config)?;
    if arguments.check {
        println!("fine: {} pairs", config.pairs.len());
        return Ok(());
    }
    process::run(&config)
}
