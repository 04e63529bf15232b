//! `troika-uplink`: the vehicle's own senders.

use std::process::ExitCode;

use clap::Parser;
use troika_transport_open::settings::at_line;
use troika_uplink::{UplinkConfig, process};

/// Delivers what waits in the vehicle's outbox to the gateway, and reports the vehicle to the fleet's page.
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
            eprintln!("troika-uplink: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let config = UplinkConfig::load(&arguments.config)?;
    let told = |error: &dyn std::fmt::Display| at_line(&arguments.config, &error.to_string());
    config.check_but_clouds_files().map_err(|error| anyhow::anyhow!("{}", told(&error)))?;
    if let Some(unusual) = config.unusual() {
        eprintln!("notice: {}", told(&unusual));
    }
    if arguments.check {
        config.check().map_err(|error| anyhow::anyhow!("{}", told(&error)))?;
        println!("fine: {}", config.cloud.url);
        return Ok(());
    }
    process::run(&config)
}
