//! What the policy would do over recorded links, as `troika route simulate` shows it:
//! `cargo run -p troika-router --example simulate -- TRACE… [--cuts N] [--seed N] [--policy F] [--json F]`.

use std::{fs, process::ExitCode};

use troika_router::{
    Policy,
    simulate::{Outcome, Simulation, Tasks, Trace},
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (mut traces, mut cuts, mut seed, mut policy, mut json) =
        (Vec::new(), 0.0, 1, Policy::built_in(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--cuts" => cuts = value()?.parse()?,
            "--seed" => seed = value()?.parse()?,
            "--policy" => {
                let file = value()?;
                policy = Policy::parse(&file, &fs::read_to_string(&file)?)?;
            }
            "--json" => json = Some(value()?),
            file => {
                let text = fs::read_to_string(file).map_err(|why| format!("cannot read {file}: {why}"))?;
                traces.push(Trace::parse(file, &text)?);
            }
        }
    }
    if traces.is_empty() {
        return Err("name a trace: lines of seconds and Mbit/s".into());
    }
    let report = Simulation::new(Tasks::built_in(), Outcome::built_in(), policy, cuts, seed)?.run(&traces);
    print!("{report}");
    if let Some(file) = json {
        fs::write(file, report.to_json()?)?;
    }
    Ok(())
}
