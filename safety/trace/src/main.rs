//! `cargo xtask trace` calls it: reads the repository and the logs of its test run, writes the matrix, and fails where something is wrong.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::Parser;
use troika_trace::{
    analysis::Analysis,
    matrix::{Inputs, Matrix, Outcome},
    page, ran, source,
    tree::{Tree, from_top},
};

/// Joins requirements, code, tests and the results of the last test run; fails on a requirement that is not shown to hold.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The repository.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    top: PathBuf,
    /// The logs of the test run: `*.log` in here.
    #[arg(long, value_name = "FOLDER", default_value = "target/trace")]
    logs: PathBuf,
    /// Which source is here, as `cargo xtask test` writes it into the first line of each log: logs of another one are refused.
    #[arg(long, value_name = "SOURCE")]
    source: String,
    /// Write the matrix as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the matrix as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn main() -> ExitCode {
    match trace(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing is wrong.
fn trace(arguments: &Arguments) -> anyhow::Result<bool> {
    let top = fs::canonicalize(&arguments.top).with_context(|| arguments.top.display().to_string())?;
    let tree = Tree::read(&top)?;
    let ran = logs(&arguments.logs, &top, &arguments.source)?;
    let analysis = Analysis::read(&top.join("safety/analysis"))?;
    let inputs = Inputs {
        goals: troika_safety::GOALS,
        requirements: troika_safety::ALL,
        files: &tree.files,
        packages: &tree.packages,
        ran: &ran,
        analysis: &analysis,
        exists: &|path| !path.is_empty() && top.join(path).is_file(),
    };
    let matrix = Matrix::join(&inputs, &arguments.source);
    if let Some(file) = &arguments.json {
        write(file, &serde_json::to_string_pretty(&matrix)?)?;
    }
    if let Some(file) = &arguments.html {
        write(file, &page::render(&matrix, troika_safety::GOALS))?;
    }
    let shown = matrix.requirements.iter().filter(|row| row.shown).count();
    let passed = matrix.requirements.iter().flat_map(|row| &row.tests);
    let passed = passed.filter(|test| test.outcome == Outcome::Passed).count();
    for problem in &matrix.problems {
        eprintln!("error: {problem}");
    }
    println!(
        "{shown} of {} requirements are shown to hold, by {passed} links to tests that passed ({} tests ran); {} hazards, {} unsafe \
         actions, {} failures, {} threats analysed, {} gaps told",
        matrix.requirements.len(),
        ran.len(),
        analysis.hazards.len(),
        analysis.unsafe_actions.len(),
        analysis.failures.len(),
        analysis.tara.threats.len(),
        analysis.gaps().count(),
    );
    Ok(matrix.problems.is_empty())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(file, text).with_context(|| file.display().to_string())
}

/// The tests of all logs, their roots from the top.
fn logs(folder: &Path, top: &Path, today: &str) -> anyhow::Result<Vec<ran::Ran>> {
    let way_out = "run `cargo xtask test` first: it leaves the logs of its suites there";
    let entries = fs::read_dir(folder).with_context(|| format!("{}: {way_out}", folder.display()))?;
    let (mut all, mut of) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "log") {
            let log = fs::read(&path).with_context(|| path.display().to_string())?;
            let log = String::from_utf8_lossy(&log);
            of.push((path.display().to_string(), source::of(&log).map(str::to_owned)));
            all.extend(ran::read(&log));
        }
    }
    of.sort();
    if let Some(told) = source::stale(&of, today) {
        bail!(told);
    }
    if today == source::NO_GIT {
        eprintln!("note: there is no git: whether the logs are of this source cannot be told");
    }
    for ran in &mut all {
        ran.root = from_top(Path::new(&ran.root), top);
    }
    Ok(all)
}
