//! What belongs here: what the README's two commands call. `cargo xtask demo` and `cargo xtask test` set up everything on a
//! fresh Debian 12 machine with Rust: system packages, models, build. This crate has few dependencies on purpose: it is
//! what a stranger compiles first.

mod advisories;
mod ahead;
mod bench;
mod chain;
mod deadlines;
mod environments;
mod faults;
mod inference;
mod install;
mod mediapipe;
mod packages;
mod running;
mod soak;
mod source;
mod steps;
mod suites;
mod told;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set up, demonstrate and test Troika.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install, fetch, build, then run the cabin system with a terminal view and print a table at the end.
    ///
    /// What follows goes to `troika run`, for example `--headless`, `--seconds 60`, `--report report.json`.
    Demo {
        /// The system file to run.
        #[arg(long, default_value = "launch/systems/cabin.toml")]
        system: String,
        /// How long to run.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
        /// No terminal view; the table at the end is printed all the same.
        #[arg(long)]
        headless: bool,
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        report: Option<String>,
    },
    /// Install, fetch, build, then run all tests or one suite.
    Test {
        /// One suite only.
        #[arg(value_enum)]
        suite: Option<suites::Suite>,
    },
    /// Install, build, then exchange many messages each way on each transport: of every type between participants of ours, and with a
    /// peer in a process of its own. None lost, in order.
    #[command(args_conflicts_with_subcommands = true)]
    Soak {
        /// Something else for long.
        #[command(subcommand)]
        what: Option<soak::Soak>,
        /// Of every type and with every peer, each way.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
        messages: u32,
    },
    /// Known flaws of the dependencies, from the database that the network has; where that cannot be had, an error and never a pass.
    Advisories,
    /// Measure, beside other products where there are some.
    Bench {
        #[command(subcommand)]
        what: bench::Bench,
    },
    /// Install, fetch, build, then inject faults by the thousand into the real steps in virtual time, and into real processes; fails on an unsafe reaction, and where
    /// what is claimed to be noticed is not.
    Faults(faults::Faults),
    /// Build, then lay out a prefix in which ROS 2 finds Troika as a package.
    Install(install::Install),
    /// Build, then hold our monitor to the conformance suite's traces: no alert early, late, missing or false.
    Conformance {
        /// How many.
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
        traces: u64,
        /// The first one's seed; each other has the next.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Join requirements, code, tests and the results of the last `cargo xtask test` into a matrix; fails where a requirement has no test that
    /// passed, and where a log is of another source than the one that is here.
    Trace {
        /// The matrix as JSON.
        #[arg(long, value_name = "FILE", default_value = "target/artefacts/trace.json")]
        json: std::path::PathBuf,
        /// The matrix as a page.
        #[arg(long, value_name = "FILE", default_value = "target/artefacts/trace.html")]
        html: std::path::PathBuf,
    },
    /// Build what the suites after the first stand on.
    #[command(hide = true, name = ahead::COMMAND)]
    Ahead,
    /// Install and fetch and build, and nothing more.
    Setup,
    /// Install, build, then build zenoh's own router with what is compiled here already: it loads the plugin.
    Zenohd,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo { system, seconds, headless, report } => {
            steps::demo(&system, seconds, headless, report.as_deref())
        }
        Command::Test { suite } => suites::run(suite),
        Command::Ahead => suites::ahead(),
        Command::Soak { what: Some(what), .. } => soak::run(&what),
        Command::Soak { what: None, messages } => suites::soak(messages),
        Command::Advisories => advisories::run(),
        Command::Bench { what } => bench::run(&what),
        Command::Faults(arguments) => faults::run(&arguments),
        Command::Install(to) => install::run(&to),
        Command::Zenohd => steps::set_up(packages::RUN)
            .and_then(|()| steps::zenohd())
            .map(|program| println!("{}", program.display())),
        Command::Conformance { traces, seed } => suites::conformance(traces, seed),
        Command::Trace { json, html } => steps::build().and_then(|()| suites::trace(&json, &html)),
        Command::Setup => steps::set_up(packages::RUN).and_then(|()| steps::pull("demo")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
