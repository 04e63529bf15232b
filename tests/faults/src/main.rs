//! `troika-faults`: the campaign as a program. It reads the clock and the arguments; everything else is the library's.
#![expect(clippy::disallowed_methods, reason = "the wall clock bounds the campaign")]

use std::{
    collections::BTreeSet,
    fs,
    io::{IsTerminal as _, Write as _, stderr},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser;
use troika_faults::{
    campaign,
    class::Ground,
    classes,
    live::{self, LiveClass},
    prove::{self, REACTIONS},
    report::Report,
    sensing::Eyes,
};
use troika_host::{StopToken, signal};

/// Injects faults into the real steps in virtual time and, beside that, into real processes; tells what was made of each.
#[derive(Parser)]
struct Cli {
    /// How long, at most; the round that is under way is not finished.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// So many rounds over all classes, if that is sooner.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,
    /// Of all chance: the same seed gives the same faults in each round.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only classes whose names begin so.
    #[arg(long, value_name = "PREFIX")]
    only: Option<String>,
    /// Without real processes, peers on the network and a real machine's memory.
    #[arg(long)]
    virtual_only: bool,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What is told as the source that this ran on.
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
    /// Switch one reaction after another off, and show that the campaign notices each.
    #[arg(long)]
    prove: bool,
}

/// As a shell tells of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    campaign_of(&Cli::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn campaign_of(cli: &Cli) -> anyhow::Result<ExitCode> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    let eyes = Eyes::open()?;
    if cli.prove {
        return proofs(&eyes, cli.seed, || stop.is_stopped());
    }
    let chosen = |name: &str| cli.only.as_deref().is_none_or(|prefix| name.starts_with(prefix));
    let classes: Vec<_> = classes::all().into_iter().filter(|class| chosen(class.name)).collect();
    let lives: Vec<&LiveClass> =
        live::CLASSES.iter().filter(|class| !cli.virtual_only && chosen(class.name)).collect();
    // After an hour is too late to learn that nothing can be written there.
    if let Some(file) = &cli.json {
        let opened = fs::File::options().append(true).create(true).open(file);
        opened.with_context(|| format!("cannot write {}", file.display()))?;
    }
    if classes.is_empty() && lives.is_empty() {
        let known = classes::all().into_iter().map(|class| class.name);
        let known: BTreeSet<&str> = known.chain(live::CLASSES.iter().map(|class| class.name)).collect();
        let known: Vec<&str> = known.into_iter().collect();
        anyhow::bail!("no class of faults begins so; there are {}", known.join(", "));
    }
    let troika = std::env::current_exe()?.with_file_name("troika");
    anyhow::ensure!(
        lives.is_empty() || troika.is_file(),
        "{} is not there: build the workspace, or choose --virtual-only",
        troika.display()
    );
    let (began, mut shown) = (Instant::now(), Instant::now());
    let terminal = stderr().is_terminal();
    let enough = |progress: &campaign::Progress<'_>| {
        if terminal && shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            // Nobody is harmed by a line that cannot be shown.
            let _ = write!(
                stderr(),
                "\r\x1b[K{:3} s, round {}, {} faults, {} unsafe: {}",
                began.elapsed().as_secs(),
                progress.round + 1,
                progress.injected,
                progress.harmed,
                progress.class
            );
        }
        stop.is_stopped()
            || began.elapsed().as_secs() >= cli.seconds
            || cli.rounds.is_some_and(|rounds| progress.round >= rounds)
    };
    let ground = Ground { off: None, eyes: &eyes };
    let ended = StopToken::new();
    let (report, outcome) = thread::scope(|scope| {
        let live = scope.spawn(|| live::run(&lives, &troika, cli.seed, cli.rounds, &ended));
        let mut report = campaign::run(&classes, &ground, cli.seed, enough, || began.elapsed());
        // Where rounds were asked for, those of real processes are not over when the others are.
        while report.is_ok()
            && !live.is_finished()
            && !stop.is_stopped()
            && began.elapsed().as_secs() < cli.seconds
        {
            thread::sleep(Duration::from_millis(100));
        }
        ended.stop();
        let outcome = live.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if let Ok(report) = &mut report {
            report.seconds = began.elapsed().as_secs_f64();
        }
        (report, outcome)
    });
    let mut report = report?;
    let failed = report.with(outcome);
    report.commit.clone_from(&cli.commit);
    report.only.clone_from(&cli.only);
    report.virtual_only = cli.virtual_only;
    if stop.is_stopped() {
        report.ended_early.get_or_insert_with(|| "interrupted".to_owned());
    }
    if terminal {
        eprint!("\r\x1b[K");
    }
    println!("{}", report.table());
    if let Some(file) = &cli.json {
        write(file, &report)?;
    }
    let judged = judged(&report);
    match failed {
        Some(error) => Err(error.context("the bench of real processes failed, and began anew at most twice")),
        None if stop.is_stopped() && judged == ExitCode::SUCCESS => {
            eprintln!("interrupted: not all that was asked for was tried");
            Ok(ExitCode::from(INTERRUPTED))
        }
        None => Ok(judged),
    }
}

fn judged(report: &Report) -> ExitCode {
    let failing = report.failing();
    for figures in &failing {
        let example = figures.example.as_deref().unwrap_or("not noticed, or too late");
        eprintln!(
            "{}: {} of {} in time, {} unsafe: {example}",
            figures.name, figures.in_time, figures.injected, figures.harmed
        );
    }
    let missed: Vec<_> =
        report.classes.iter().filter(|one| one.injected == 0).map(|one| one.name.as_str()).collect();
    if !missed.is_empty() {
        eprintln!("notice: there was no time for {}", missed.join(", "));
    }
    for left_out in &report.left_out {
        eprintln!("notice: not injected here: {left_out}");
    }
    for gap in
        report.gaps.iter().filter(|gap| gap.injected > 0 && gap.detected == gap.injected && gap.harmed == 0)
    {
        eprintln!("notice: all of {} were noticed: is it still a gap?", gap.class);
    }
    if failing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(file: &Path, report: &Report) -> anyhow::Result<()> {
    fs::write(file, serde_json::to_vec_pretty(report)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

fn proofs(eyes: &Eyes, seed: u64, stopped: impl Fn() -> bool) -> anyhow::Result<ExitCode> {
    let mut blind = 0;
    for (off, what, names) in REACTIONS {
        if stopped() {
            break;
        }
        let proof = prove::prove(&classes::all(), eyes, seed, *off, names)?;
        let verdict = if proof.holds() { "noticed" } else { "NOT NOTICED" };
        println!(
            "{verdict}: {what}: {} of {} classes; {}",
            proof.failed.len(),
            proof.asked.len(),
            proof.example
        );
        for name in proof.asked.iter().filter(|name| !proof.failed.iter().any(|failed| failed == *name)) {
            println!("    {name} goes on as if nothing were");
        }
        blind += usize::from(!proof.holds());
    }
    Ok(if blind == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
