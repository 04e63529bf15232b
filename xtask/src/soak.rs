//! `cargo xtask soak …`: what looks further than a CI run has time for. Each names the commit that it was of.

use std::{
    fs,
    path::{Path, PathBuf, absolute},
    process::Command,
};

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::{
    faults::commit,
    packages::{self, succeed},
    steps::{built, cargo, member, root, say, target},
    suites::built_tool,
};

/// The versions of what is built for it.
const CARGO_FUZZ: &str = "0.13.2";
const CARGO_MUTANTS: &str = "27.1.0";
const CARGO_TARPAULIN: &str = "0.37.5";
/// Of the fuzz targets: the workspace that links them with libFuzzer, and its one program.
const COVERAGE: &str = "tests/fuzz/coverage";
const PROGRAM: &str = "any";
/// The target whose reader is no library: mutations alone, without coverage.
const SYSTEM: &str = "system_file";
/// Whose tests are held against mutants, and whose lines are counted, where none is named: small crates whose tests end within seconds.
const CRATES: [&str; 5] =
    ["troika-e2e", "troika-supervisor", "troika-kit", "troika-router", "troika-monitor"];

/// The other processor of vehicle computers, what builds for it, what runs such programs here, and whose tests are run so: the kernels, the networks that they
/// are in, the cores that have no hardware under them. Not the host's: two of its tests start themselves again, which the emulator cannot.
const AARCH64: &str = "aarch64-unknown-linux-gnu";
const FOR_AARCH64: [&str; 4] =
    ["qemu-user", "gcc-aarch64-linux-gnu", "g++-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
const ON_AARCH64: [&str; 10] = [
    "troika-tflite",
    "troika-models",
    "troika-e2e",
    "troika-supervisor",
    "troika-kit",
    "troika-router",
    "troika-monitor",
    "troika-frame",
    "troika-driver-state",
    "troika-gesture",
];

/// Tests that are not for this, which would take most of the time: one judges the suite and not the monitor, one tries thousands of generated
/// traces for each mutant. Without it a mutant that only they notice counts as missed.
const NOT_FOR_MUTANTS: [(&str, &str); 2] = [
    ("troika-monitor", "the_suite_notices_each_number_of_the_rules_that_is_another"),
    ("troika-monitor", "every_alert_is_within_a_frame_of_its_limit"),
];
/// The others are built unoptimised for their mutants, in seconds instead of a minute; of this one the tests (thousands of generated requests
/// against regular expressions) take minutes then.
const OPTIMISED_FOR_MUTANTS: [&str; 1] = ["troika-router"];
/// Tests that take longer under ptrace, where each line stops the program, than is waited for: thousands of generated traces.
const NOT_FOR_COVERAGE: [(&str, &str); 4] = [
    ("troika-monitor", "every_alert_is_within_a_frame_of_its_limit"),
    ("troika-monitor", "the_suite_notices_each_number_of_the_rules_that_is_another"),
    ("troika-router", "whatever_happens_nothing_private_is_sent_to_the_cloud"),
    ("troika-router", "a_better_link_never_turns_the_cloud_away"),
];

/// What for long.
#[derive(Subcommand)]
pub(crate) enum Soak {
    /// Fuzz targets guided by coverage (libFuzzer): all of them in turn, or one. What is found stays in `target/fuzz/artifacts`.
    Fuzz {
        /// Its name; `--list` tells them.
        target: Option<String>,
        /// For each target, after the build.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// The names, and no more.
        #[arg(long)]
        list: bool,
    },
    /// The fault campaign for an hour (`cargo xtask faults` is a minute of it). Its report, which names the commit, is `target/faults/seed-S.json`.
    Faults {
        /// How long, after the build.
        #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// Of all chance.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Small changes to the code, one at a time: whether a test notices each. The report is in `target/mutants/CRATE`.
    Mutants {
        /// The crate; all that are held to it otherwise.
        #[arg(value_name = "CRATE")]
        of: Option<String>,
        /// One part of them, every fourth by `0/4` to `3/4`: where all take longer than there is time for. Its report is in `target/mutants/CRATE/0-of-4`.
        #[arg(long, value_name = "K/N", requires = "of")]
        shard: Option<String>,
        /// The share of them, percent, that have to be noticed.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(0..=100))]
        least: u64,
    },
    /// Tests as they are built for aarch64, the other processor of vehicle computers, in an emulator of its instructions (qemu-user): what is
    /// computed, not how fast.
    Aarch64 {
        /// The crate; all that are tried so otherwise.
        #[arg(value_name = "CRATE")]
        of: Option<String>,
    },
    /// Lines that a crate's own tests run through (tarpaulin, by ptrace). The report is in `target/coverage/CRATE`.
    Coverage {
        /// The crate; all that are held to it otherwise.
        #[arg(value_name = "CRATE")]
        of: Option<String>,
        /// The share of them, percent, that have to be run.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(0..=100))]
        least: u64,
    },
}

/// Does it.
pub(crate) fn run(what: &Soak) -> anyhow::Result<()> {
    match what {
        Soak::Fuzz { list: true, .. } => {
            targets()?.iter().for_each(|(name, _)| println!("{name}"));
            Ok(())
        }
        Soak::Fuzz { target, seconds, .. } => fuzz(target.as_deref(), *seconds),
        Soak::Faults { seconds, seed } => crate::faults::run(&crate::faults::Faults::soak(*seconds, *seed)?),
        Soak::Mutants { of, shard, least } => each(of.as_deref(), |of| mutants(of, shard.as_deref(), *least)),
        Soak::Aarch64 { of } => aarch64(of.as_deref()),
        Soak::Coverage { of, least } => each(of.as_deref(), |of| coverage(of, *least)),
    }
}

/// One crate, or all that are held to it.
fn each(of: Option<&str>, what: impl FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    of.map_or(CRATES.to_vec(), |one| vec![one]).into_iter().try_for_each(what)
}

/// A program of the registry in a folder of its own; `more` are arguments of `cargo install`.
fn tool(name: &str, version: &str, more: &[&str]) -> anyhow::Result<PathBuf> {
    let place = target().join("tools").join(format!("{name}-{version}"));
    let program = absolute(place.join("bin").join(name))?;
    if !program.is_file() {
        say(&format!("{name} {version} is built"));
        built_tool(name, version, more, &place)?;
    }
    Ok(program)
}

/// The program that knows the targets, built with the features that the tests choose: with others all would be compiled again.
fn lister() -> anyhow::Result<Command> {
    let build =
        ["build", "--quiet", "--locked", "--workspace", "--bin", "troika-fuzz-targets", "--test", "parsers"];
    succeed(&mut cargo(&build))?;
    Ok(Command::new(absolute(built("troika-fuzz-targets"))?))
}

/// The names of the targets; whether they build within minutes.
fn targets() -> anyhow::Result<Vec<(String, bool)>> {
    let output = lister()?.output().context("cannot run troika-fuzz-targets")?;
    if !output.status.success() {
        bail!("troika-fuzz-targets: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let named = |line: &str| match line.split_once(' ') {
        Some((name, _light)) => (name.to_owned(), true),
        None => (line.to_owned(), false),
    };
    let mut all: Vec<_> = text.lines().map(named).collect();
    all.push((SYSTEM.to_owned(), true));
    Ok(all)
}

fn fuzz(only: Option<&str>, seconds: u64) -> anyhow::Result<()> {
    let all = targets()?;
    let wanted: Vec<_> = all.iter().filter(|(name, _)| only.is_none_or(|only| only == name)).collect();
    if wanted.is_empty() {
        bail!("there is no fuzz target '{}'; `--list` tells them", only.unwrap_or_default());
    }
    // One build for all that are wanted: with the heavy readers only where one of them is.
    let heavy = wanted.iter().any(|(_, light)| !light);
    let commit = commit().unwrap_or_else(|| "no commit".to_owned());
    let place = absolute(target())?.join("fuzz");
    for (name, _) in wanted {
        say(&format!("fuzz: {name} for {seconds} s, at {commit}"));
        if name == SYSTEM {
            // Some thousand a second; it counts cases, since a test has no clock.
            let cases = (seconds * 1_000).to_string();
            let mut test = cargo(&[
                "test",
                "--locked",
                "--workspace",
                "--bin",
                "troika",
                "system::fuzz",
                "--",
                "--nocapture",
            ]);
            succeed(test.env("TROIKA_FUZZ_CASES", cases).env("TROIKA_FUZZ_SEED", seconds.to_string()))?;
            continue;
        }
        guided(name, seconds, heavy, &place)?;
    }
    Ok(())
}

/// One target under libFuzzer: what it adds to the corpus stays below the target folder, the committed seeds are read only.
fn guided(name: &str, seconds: u64, heavy: bool, place: &Path) -> anyhow::Result<()> {
    let (corpus, artifacts) = (place.join("corpus").join(name), place.join("artifacts").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let seeds = seeds(name, place)?;
    let mut command = Command::new(tool("cargo-fuzz", CARGO_FUZZ, &[])?);
    command.args(["run", "--fuzz-dir", ".", "--target-dir"]).arg(place.join("build"));
    command.args(heavy.then_some(["--features", "all"]).into_iter().flatten()).arg(PROGRAM);
    command.arg(&corpus).arg(&seeds).current_dir(root().join(COVERAGE));
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(["-max_len=32768", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]);
    // The stable toolchain takes the sanitiser's flag so; leaks are no fault of a reader's.
    command.env("RUSTC_BOOTSTRAP", "1").env("TROIKA_FUZZ_TARGET", name).env("ASAN_OPTIONS", "detect_leaks=0");
    succeed(&mut command).with_context(|| {
        format!(
            "the input is in {}; once mended it belongs to tests/fuzz/corpus/{name}/",
            artifacts.display()
        )
    })
}

/// A target's committed seeds and those that it takes of the repository, in one folder.
fn seeds(name: &str, place: &Path) -> anyhow::Result<PathBuf> {
    let folder = place.join("seeds").join(name);
    succeed(lister()?.arg(name).arg(&folder))?;
    Ok(folder)
}

/// The tests of a crate that are left out, and says so.
fn left_out<'a>(of: &str, all: &[(&str, &'a str)]) -> Vec<&'a str> {
    let tests: Vec<&str> = all.iter().filter(|(name, _)| *name == of).map(|(_, test)| *test).collect();
    tests.iter().for_each(|test| println!("{of}: its test {test} is left out"));
    tests
}

/// Builds the tests of one crate, or of all, for aarch64, and runs them in the emulator.
fn aarch64(only: Option<&str>) -> anyhow::Result<()> {
    packages::ensure(&FOR_AARCH64)?;
    // The standard library for it. Where that is no rustup's business, whoever has it has it already.
    let libraries = Command::new("rustc").args(["--print", "target-libdir", "--target", AARCH64]).output()?;
    if !Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        succeed(Command::new("rustup").args(["target", "add", AARCH64]))
            .with_context(|| format!("the standard library for {AARCH64} is missing"))?;
    }
    let wanted = only.map_or(ON_AARCH64.to_vec(), |one| vec![one]);
    say(&format!(
        "{} for {AARCH64}, at {}",
        wanted.join(", "),
        commit().unwrap_or_else(|| "no commit".to_owned())
    ));
    // A folder of its own: it builds for this machine too (macros), with other features than the workspace as a whole.
    let place = absolute(target())?.join("aarch64");
    let mut test = cargo(&["test", "--locked", "--no-fail-fast", "--target", AARCH64, "--target-dir"]);
    test.arg(place).args(wanted.iter().flat_map(|one| ["--package", one]));
    test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", "qemu-aarch64 -L /usr/aarch64-linux-gnu");
    succeed(&mut test)
}

/// Runs cargo-mutants on one crate, and tells the share that was noticed.
fn mutants(of: &str, shard: Option<&str>, least: u64) -> anyhow::Result<()> {
    let program = tool("cargo-mutants", CARGO_MUTANTS, &[])?;
    let commit = commit().unwrap_or_else(|| "no commit".to_owned());
    let part = shard.map_or_else(String::new, |shard| format!(", part {shard}"));
    say(&format!("mutants: {of}{part} at {commit}"));
    let all = absolute(target())?.join("mutants");
    let mut place = all.join(of);
    place.extend(shard.map(|shard| shard.replace('/', "-of-")));
    fs::create_dir_all(&place)?;
    let mut command = Command::new(program);
    command.args(["mutants", "--package", of, "--no-shuffle", "--colors", "never", "--output"]).arg(&place);
    // Every Nth mutant: a part is a sample of the whole crate, and not of its first files.
    command.args(shard.into_iter().flat_map(|shard| ["--sharding", "round-robin", "--shard", shard]));
    // Examples and doc tests are built anew for each mutant, and notice next to nothing.
    command.arg("--cargo-arg=--tests");
    let skipped = left_out(of, &NOT_FOR_MUTANTS);
    if !skipped.is_empty() {
        command.args(["--", "--"]).args(skipped.iter().flat_map(|test| ["--skip", test]));
    }
    // A copy of the tree, built in a folder of its own: ours is not touched, and what it stands on is built once for all crates.
    command.env("CARGO_TARGET_DIR", all.join("build")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    if !OPTIMISED_FOR_MUTANTS.contains(&of) {
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
    }
    let status = command.current_dir(root()).status().context("cannot run cargo-mutants")?;
    let file = place.join("mutants.out/outcomes.json");
    let text = fs::read_to_string(&file)
        .with_context(|| format!("{}: cargo-mutants ended with {status}", file.display()))?;
    let score = Score::of(&text).with_context(|| file.display().to_string())?;
    println!("{of}{part} at {commit}: {score}");
    if score.percent() < least {
        bail!(
            "{of}: {} % of its mutants are noticed, {least} % are wanted; see {}",
            score.percent(),
            place.join("mutants.out/missed.txt").display()
        );
    }
    Ok(())
}

/// Runs a crate's tests under tarpaulin, and tells which share of its lines they run through.
fn coverage(of: &str, least: u64) -> anyhow::Result<()> {
    // Without what uploads reports.
    let program = tool("cargo-tarpaulin", CARGO_TARPAULIN, &["--no-default-features"])?;
    let commit = commit().unwrap_or_else(|| "no commit".to_owned());
    say(&format!("coverage: {of} at {commit}"));
    let place = absolute(target())?.join("coverage");
    let folder = place.join(of);
    fs::create_dir_all(&folder)?;
    let mut command = Command::new(program);
    command.args(["tarpaulin", "--engine", "ptrace", "--locked", "--skip-clean", "--packages", of]);
    // A test that says nothing for a minute is given up otherwise.
    command.args(["--timeout", "600"]);
    // Of all that the tests stand on, the crate alone is told.
    let sources = member(of)?.join("src");
    command.arg("--include-files").arg(sources.strip_prefix(root()).unwrap_or(&sources).join("**"));
    command.args(["--out", "json", "--output-dir"]).arg(&folder);
    command.arg("--target-dir").arg(place.join("build"));
    // Optimised code has no line for many a statement.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0").env_remove("CARGO_TARGET_DIR");
    let skipped = left_out(of, &NOT_FOR_COVERAGE);
    if !skipped.is_empty() {
        command.arg("--").args(skipped.iter().flat_map(|test| ["--skip", test]));
    }
    succeed(command.current_dir(root()))?;
    let file = folder.join("tarpaulin-report.json");
    let text = fs::read_to_string(&file).with_context(|| format!("{} was not written", file.display()))?;
    let lines = Lines::of(&text, &sources).with_context(|| file.display().to_string())?;
    println!("{of} at {commit}: {lines}");
    if lines.percent() < least {
        bail!(
            "{of}: {} % of its lines are run, {least} % are wanted; see {}",
            lines.percent(),
            file.display()
        );
    }
    Ok(())
}

/// Of a crate's own lines.
#[derive(Debug, PartialEq, Eq)]
struct Lines {
    covered: u64,
    coverable: u64,
}

impl Lines {
    /// From `tarpaulin-report.json`: of the files below this folder, which are the crate's without its tests.
    fn of(text: &str, sources: &Path) -> anyhow::Result<Lines> {
        let report: serde_json::Value = serde_json::from_str(text)?;
        let files = report["files"].as_array().context("no `files`")?;
        let is_ours = |file: &&serde_json::Value| {
            let parts = file["path"].as_array().into_iter().flatten().filter_map(|part| part.as_str());
            parts.collect::<PathBuf>().starts_with(sources)
        };
        let mut lines = Lines { covered: 0, coverable: 0 };
        for file in files.iter().filter(is_ours) {
            let count = |key: &str| file[key].as_u64().with_context(|| format!("no number `{key}`"));
            lines.covered += count("covered")?;
            lines.coverable += count("coverable")?;
        }
        if lines.coverable == 0 {
            bail!("none of its files is below {}", sources.display());
        }
        Ok(lines)
    }

    /// The share that was run, percent, rounded down.
    fn percent(&self) -> u64 {
        self.covered * 100 / self.coverable
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} %: {} of {} lines", self.percent(), self.covered, self.coverable)
    }
}

/// What became of the mutants.
#[derive(Debug, PartialEq, Eq)]
struct Score {
    /// A test failed.
    caught: u64,
    /// No test failed.
    missed: u64,
    /// The tests did not end.
    timeout: u64,
    /// They do not build: no mutants.
    unviable: u64,
}

impl Score {
    /// From `outcomes.json`.
    fn of(text: &str) -> anyhow::Result<Score> {
        let outcomes: serde_json::Value = serde_json::from_str(text)?;
        let count = |key: &str| outcomes[key].as_u64().with_context(|| format!("no number `{key}`"));
        let score = Score {
            caught: count("caught")?,
            missed: count("missed")?,
            timeout: count("timeout")?,
            unviable: count("unviable")?,
        };
        // Where the tests fail without a mutant, nothing was tried.
        if score.caught + score.missed + score.timeout == 0 {
            bail!("no mutant was tried: the tests fail, or do not build, without one");
        }
        Ok(score)
    }

    /// The share that was noticed, percent, rounded down. A test that does not end is noticed.
    fn percent(&self) -> u64 {
        let noticed = self.caught + self.timeout;
        noticed * 100 / (noticed + self.missed)
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Score { caught, missed, timeout, unviable } = self;
        write!(
            f,
            "{} %: {caught} caught, {timeout} timed out, {missed} missed ({unviable} do not build)",
            self.percent()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_counts_what_was_tried_and_is_none_where_nothing_was() {
        let text = r#"{"outcomes":[],"total_mutants":11,"caught":7,"missed":1,"timeout":2,"unviable":1,"success":0}"#;
        let score = Score::of(text).expect("counts");
        assert_eq!(score.percent(), 90);
        assert_eq!(score.to_string(), "90 %: 7 caught, 2 timed out, 1 missed (1 do not build)");
        let nothing = r#"{"caught":0,"missed":0,"timeout":0,"unviable":3}"#;
        assert!(Score::of(nothing).is_err());
        assert!(Score::of("{}").is_err());
    }

    #[test]
    fn lines_are_counted_of_the_crate_alone_and_none_is_no_score() {
        let file = |path: &str, covered: u64| {
            let parts: Vec<_> = std::iter::once("/").chain(path.split('/')).collect();
            serde_json::json!({ "path": parts, "covered": covered, "coverable": 10 })
        };
        let files = [
            file("w/a/src/lib.rs", 9),
            file("w/a/src/x/y.rs", 8),
            file("w/a/tests/t.rs", 1),
            file("w/b/src/lib.rs", 0),
        ];
        let text = serde_json::json!({ "files": files }).to_string();
        let lines = Lines::of(&text, Path::new("/w/a/src")).expect("counts");
        assert_eq!(lines.to_string(), "85 %: 17 of 20 lines");
        assert!(Lines::of(&text, Path::new("/w/c/src")).is_err());
        assert!(Lines::of("{}", Path::new("/w/a/src")).is_err());
    }
}
