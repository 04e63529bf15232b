//! `troika sim`: scenarios that judge, in virtual time.

mod dialogue;
mod hours;
mod sensible;
pub(crate) mod stage;
mod swaps;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc},
    time::Instant,
};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use troika_host::signal::stop_on_signals;
use troika_kit::counted;
use troika_trial::{Case, Draft, Level, Outcome, Report, judge, report::level_name};

use stage::Systems;

use crate::output::{self, Output};

/// About scenarios.
#[derive(Subcommand)]
pub(crate) enum SimCommand {
    /// Run scenarios and judge them; fails when an expectation does not hold.
    Run(RunArguments),
    /// Find what is wrong with scenario files, with the line, and run nothing.
    Check {
        /// Scenario files, or folders of them.
        #[arg(default_value = CASES, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The system files whose nodes would run.
        #[arg(long, value_name = "SYSTEM", default_values = SYSTEMS)]
        system: Vec<PathBuf>,
    },
    /// Make scenarios from a seed and judge them by the alerts that the rules raise on the truth; the first that fails is made as small as
    /// still fails.
    Random(RandomArguments),
    /// Drive many hours, attentive and with everything in them, and count the alerts that were missed or false by what the rules raise on
    /// the truth.
    Hours(hours::HoursArguments),
}

/// Where the nodes of scenarios are from.
const SYSTEMS: [&str; 2] = ["launch/systems/cabin.toml", "launch/systems/bridge.toml"];
/// The library of scenarios.
pub(crate) const CASES: &str = "sim/scenarios/cases";

/// What to run, and how.
#[derive(clap::Args)]
pub(crate) struct RunArguments {
    /// Scenario files, or folders of them.
    #[arg(default_value = CASES, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    how: How,
    /// Write the verdicts as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the verdicts as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show what holds too.
    #[arg(long, short)]
    verbose: bool,
    /// No faster than real time.
    #[arg(long)]
    real_time: bool,
}

/// How scenarios run.
#[derive(clap::Args)]
struct How {
    /// The system files whose nodes run, with their parameters.
    #[arg(long, value_name = "SYSTEM", default_values = SYSTEMS)]
    system: Vec<PathBuf>,
    /// Scenarios at once; by default one for each core.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

/// What to make.
#[derive(clap::Args)]
pub(crate) struct RandomArguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many scenarios, each with the next seed.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Length of each.
    #[arg(long, default_value_t = 120, value_name = "S", value_parser = clap::value_parser!(u32).range(5..=3600))]
    seconds: u32,
    /// Where the smallest scenario that fails is written.
    #[arg(long, default_value = "failed.toml", value_name = "FILE")]
    save: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be used, or an expectation that does not hold.
pub(crate) fn run(command: &SimCommand) -> anyhow::Result<()> {
    match command {
        SimCommand::Run(arguments) => run_all(arguments),
        SimCommand::Check { files, system } => check(files, system),
        SimCommand::Random(arguments) => random(arguments),
        SimCommand::Hours(arguments) => hours::run(arguments),
    }
}

/// What is taken unless something else is named is not here: somebody is in another folder.
pub(crate) fn elsewhere(missing: &str, instead: &str) -> String {
    let here =
        std::env::current_dir().map_or_else(|_| "this folder".to_owned(), |here| here.display().to_string());
    format!(
        "there is no {missing} in {here}: call this in the root folder of a clone of Troika, or {instead}"
    )
}

/// The files, those of a folder in the order of their names.
pub(crate) fn files(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in given {
        if path == Path::new(CASES) && !path.exists() {
            bail!(elsewhere(CASES, "name scenario files, or folders of them"));
        }
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let told = || format!("cannot read the folder {}", path.display());
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).with_context(told)? {
            let file = entry.with_context(told)?.path();
            if file.extension().is_some_and(|extension| extension == "toml") {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            bail!("there is no scenario (*.toml) in {}", path.display());
        }
        inside.sort();
        all.extend(inside);
    }
    Ok(all)
}

fn check(given: &[PathBuf], system: &[PathBuf]) -> anyhow::Result<()> {
    let files = files(given)?;
    let systems = Systems::load(system)?;
    let mut failed = 0;
    for file in &files {
        match sensible::examine(file, &systems) {
            Ok(case) => {
                println!("{}: fine, {}", case.file, counted(case.expectations.len(), "expectation"));
            }
            Err(faults) => {
                faults.iter().for_each(|fault| eprintln!("error: {fault}"));
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} cannot be used", counted(files.len(), "scenario"));
    }
    Ok(())
}

fn run_all(arguments: &RunArguments) -> anyhow::Result<()> {
    let files = files(&arguments.files)?;
    let systems = Systems::load(&arguments.how.system)?;
    let (report_to, junit_to) = (arguments.report.as_deref(), arguments.junit.as_deref());
    output::apart(&[("--report", report_to), ("--junit", junit_to)])?;
    let (report_to, junit_to) = (Output::if_any(report_to)?, Output::if_any(junit_to)?);
    // What was judged until Ctrl-C is reported; what is being played is played to its end.
    let stop = stop_on_signals()?;
    let wall = Instant::now();
    let cases: Vec<(PathBuf, Result<Case, String>)> = files
        .into_iter()
        .map(|file| {
            let case = sensible::examine(&file, &systems).map_err(|faults| {
                let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
                told.join("\n")
            });
            (file, case)
        })
        .collect();
    let jobs = if arguments.real_time { 1 } else { arguments.how.jobs() };
    let count = cases.len();
    let mut done = 0;
    let outcomes = in_parallel(
        cases,
        jobs,
        |(file, case)| match case {
            Ok(_) if stop.is_stopped() => unread(&file, "not played: interrupted before".to_owned()),
            Ok(case) => play(&case, &systems, arguments.real_time),
            Err(fault) => unread(&file, fault),
        },
        |outcome| {
            done += 1;
            tell(outcome, arguments.verbose, (done, count));
        },
    );
    let report = Report::new(outcomes, wall.elapsed().as_secs_f64());
    summary(&report);
    if let Some(to) = report_to {
        to.write((serde_json::to_string_pretty(&report)? + "\n").as_bytes())?;
    }
    if let Some(to) = junit_to {
        to.write(report.to_junit().context("cannot write JUnit XML")?.as_bytes())?;
    }
    if stop.is_stopped() {
        return Err(crate::Interrupted.into());
    }
    if report.failed > 0 {
        bail!("{} of {} failed", report.failed, counted(count, "scenario"));
    }
    Ok(())
}

impl How {
    /// The system files as a command line has them; nothing where they are the usual ones.
    fn systems_told(&self) -> String {
        if self.system.iter().map(PathBuf::as_path).eq(SYSTEMS.map(Path::new)) {
            return String::new();
        }
        self.system.iter().map(|file| format!(" --system {}", file.display())).collect()
    }

    fn jobs(&self) -> usize {
        self.jobs.map_or_else(crate::cores, usize::from)
    }
}

/// Does `work` on each in so many threads; what comes of them is shown to `each` as it comes, and returned in the order of `all`.
pub(crate) fn in_parallel<T: Send, R: Send>(
    all: Vec<T>,
    jobs: usize,
    work: impl Fn(T) -> R + Sync,
    mut each: impl FnMut(&R),
) -> Vec<R> {
    let count = all.len();
    let queue: Mutex<VecDeque<(usize, T)>> = Mutex::new(all.into_iter().enumerate().collect());
    let (sender, came) = mpsc::channel();
    let mut results: Vec<Option<R>> = (0..count).map(|_| None).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(count) {
            let (sender, queue, work) = (sender.clone(), &queue, &work);
            scope.spawn(move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some((n, one)) = next() {
                    if sender.send((n, work(one))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (n, result) in came {
            each(&result);
            results[n] = Some(result);
        }
    });
    results.into_iter().flatten().collect()
}

fn unread(file: &Path, fault: String) -> Outcome {
    Outcome {
        file: file.display().to_string(),
        name: String::new(),
        level: level_name(Level::Landmarks),
        rendered: false,
        virtual_seconds: 0.0,
        wall_seconds: 0.0,
        verdicts: Vec::new(),
        fault: Some(fault),
    }
}

/// Plays a scenario and judges it.
fn play(case: &Case, systems: &Systems, real_time: bool) -> Outcome {
    let wall = Instant::now();
    let seen = stage::play(case, systems, real_time);
    let (verdicts, virtual_seconds, fault) = match seen {
        Ok(seen) => (judge(&case.expectations, &seen), seen.seconds, None),
        Err(error) => (Vec::new(), 0.0, Some(format!("{error:#}"))),
    };
    Outcome {
        file: case.file.clone(),
        name: case.name.clone(),
        level: level_name(case.level),
        rendered: case.level == Level::Pixels || case.hand.is_some(),
        virtual_seconds,
        wall_seconds: wall.elapsed().as_secs_f64(),
        verdicts,
        fault,
    }
}

fn tell(outcome: &Outcome, verbose: bool, (done, count): (usize, usize)) {
    let passed = outcome.passed();
    let speed = outcome.virtual_seconds / outcome.wall_seconds.max(1e-9);
    let width = count.to_string().len();
    println!(
        "{} [{done:>width$}/{count}] {:<52} {:>6.0} s {speed:>7.1} x real time  {}",
        if passed { "ok  " } else { "FAIL" },
        outcome.file,
        outcome.virtual_seconds,
        outcome.name
    );
    for fault in outcome.fault.iter().flat_map(|faults| faults.lines()) {
        println!("       {fault}");
    }
    for verdict in outcome.verdicts.iter().filter(|verdict| verbose || !verdict.holds) {
        let (mark, file) = (if verdict.holds { "holds" } else { "FAILS" }, &outcome.file);
        println!("       {mark} {file}, line {}: {}", verdict.line, verdict.expected);
        let at = verdict.at_s.map_or(String::new(), |at| format!("{at:.3} s, "));
        println!("             {at}{}: {}", verdict.topic, verdict.reason);
    }
}

fn summary(report: &Report) {
    let speed = |name: &str, speed: Option<f64>| {
        speed.map_or(String::new(), |speed| format!(", {name} {speed:.1} x real time a core"))
    };
    println!(
        "{} passed, {} failed, {}; {:.0} s of virtual time in {:.1} s{}{}",
        report.passed,
        report.failed,
        counted(report.expectations, "expectation"),
        report.virtual_seconds,
        report.wall_seconds,
        speed("without pictures", report.speed_landmarks),
        speed("with pictures", report.speed_pixels)
    );
}

/// A draft, as a scenario that is judged.
fn play_draft(draft: &Draft, systems: &Systems) -> Outcome {
    let name = format!("seed {}", draft.seed);
    match Case::parse(&name, &draft.to_string()) {
        Ok(case) => play(&case, systems, false),
        Err(error) => unread(Path::new(&name), error.to_string()),
    }
}

/// What fails, without its times: which alert, in which profile, and whether it is missing or too many. One failure does not turn into another
/// while it is made smaller.
fn failure(outcome: &Outcome) -> Option<String> {
    if let Some(fault) = &outcome.fault {
        return Some(fault.clone());
    }
    let failed = outcome.verdicts.iter().find(|verdict| !verdict.holds)?;
    failed.reason.split(" at ").next().map(str::to_owned)
}

/// Scenarios that are tried while a failure is made smaller.
const SHRINKS: usize = 2_000;

fn random(arguments: &RandomArguments) -> anyhow::Result<()> {
    Output::probe(&arguments.save)?;
    let systems = Systems::load(&arguments.how.system)?;
    let wall = Instant::now();
    let drafts: Vec<Draft> = (0..arguments.count)
        .map(|n| Draft::random(arguments.seed.wrapping_add(n), arguments.seconds))
        .collect();
    let (mut done, count) = (0, drafts.len());
    let outcomes = in_parallel(
        drafts.clone(),
        arguments.how.jobs(),
        |draft| play_draft(&draft, &systems),
        |outcome| {
            done += 1;
            tell(outcome, false, (done, count));
        },
    );
    let failed = outcomes.iter().position(|outcome| !outcome.passed());
    let first = failed.and_then(|failed| failure(&outcomes[failed]));
    summary(&Report::new(outcomes, wall.elapsed().as_secs_f64()));
    let Some(failed) = failed else { return Ok(()) };
    let before = drafts[failed].tenths();
    println!("seed {} is made smaller …", drafts[failed].seed);
    let smallest =
        drafts[failed].clone().shrink(SHRINKS, |draft| failure(&play_draft(draft, &systems)) == first);
    tell(&play_draft(&smallest, &systems), false, (1, 1));
    let path = &arguments.save;
    fs::write(path, smallest.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    bail!(
        "seed {} fails; the smallest that still does has {:.1} s of its {:.1} s: `troika sim run {}{}`",
        smallest.seed,
        f64::from(smallest.tenths()) / 10.0,
        f64::from(before) / 10.0,
        path.display(),
        arguments.how.systems_told()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_repeat_names_other_system_files() {
        let told = |files: &[&str]| {
            let system = files.iter().map(PathBuf::from).collect();
            How { system, jobs: None }.systems_told()
        };
        assert_eq!(told(&SYSTEMS), "");
        assert_eq!(told(&["a.toml", "b.toml"]), " --system a.toml --system b.toml");
    }
}
