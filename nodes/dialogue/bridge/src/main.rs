//! `troika-bridge`: the dialogue's process.

use std::process::ExitCode;

use clap::Parser;
use troika_bridge::{BridgeConfig, process};
use troika_dialogue_mesh::config::on_one_thread;
use troika_transport_open::settings::at_line;

/// Dialogue with the cloud as far as it may and can, and with the vehicle's own model where it may not or cannot.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings: a TOML or JSON file, or JSON text.
    #[arg(long, value_name = "FILE-or-JSON")]
    config: String,
    /// Looks at the settings and the files that they name, and ends.
    #[arg(long)]
    check: bool,
    /// Stop when the process that started this one ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("troika-bridge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let config = BridgeConfig::load(&arguments.config)?;
    let told = |error: &dyn std::fmt::Display| at_line(&arguments.config, &error.to_string());
    config.check_but_clouds_files().map_err(|error| anyhow::anyhow!("{}", told(&error)))?;
    if let Some(unusual) = config.dialogue.cloud.unusual() {
        eprintln!("notice: {}", told(&format!("dialogue.{unusual}")));
    }
    if arguments.check {
        config.check().map_err(|error| anyhow::anyhow!("{}", told(&error)))?;
        println!("fine: {}", config.dialogue.cloud.url);
        return Ok(());
    }
    if config.dialogue.cloud.url.starts_with("zenoh+tls:") {
        on_one_thread()?;
    }
    process::run(&config)
}
