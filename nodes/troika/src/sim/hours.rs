//! `troika sim hours`: many hours of driving, attentive and mixed, and how many alerts were missed or false.

use std::{io::Write as _, path::PathBuf, time::Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;
use troika_kit::counted;
use troika_trial::{
    Case, Draft, Span,
    judge::meeting::{self, Meeting},
    tally::Tally,
};

use super::{How, in_parallel, stage, stage::Systems, writable};

/// How much to drive.
#[derive(clap::Args)]
pub(crate) struct HoursArguments {
    /// Hours in which the driver attends: mirrors, talk, now and then a yawn.
    #[arg(long, default_value_t = 10, value_name = "H")]
    attentive: u64,
    /// Hours with everything in them: long glances, sleep, phones, faces that are lost.
    #[arg(long, default_value_t = 10, value_name = "H")]
    mixed: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the counts as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// Half an hour: so long does one driver drive.
const DRIVE_S: u32 = 1800;
/// An alert that comes further from its time was missed, s.
const MET_S: f64 = 1.0;

#[derive(Serialize)]
struct Hours {
    seed: u64,
    wall_seconds: f64,
    attentive: Tally,
    attentive_false_an_hour: f64,
    mixed: Tally,
}

/// A drive: its length, glares, and what became of alerts.
type Drive = (f64, usize, Vec<Meeting>);

fn drive(draft: &Draft, systems: &Systems) -> anyhow::Result<Drive> {
    let name = format!("seed {}", draft.seed);
    let case = Case::parse(&name, &draft.to_string())?;
    let seen = stage::play(&case, systems, false).with_context(|| name)?;
    let meetings = meeting::all(&seen, Span { from: 0.0, to: f64::INFINITY }, MET_S);
    Ok((seen.seconds, seen.blinded.len(), meetings))
}

fn tally(name: &str, drafts: Vec<Draft>, jobs: usize, systems: &Systems) -> anyhow::Result<Tally> {
    let (mut done, count) = (0, drafts.len());
    let mut shown = Ok(());
    let drives = in_parallel(
        drafts,
        jobs,
        |draft| drive(&draft, systems),
        |_| {
            done += 1;
            // Whoever has closed the terminal still gets the report.
            if shown.is_ok() {
                shown = write!(std::io::stderr(), "\r{name}: {done} of {}", counted(count, "drive"));
            }
        },
    );
    eprintln!();
    let mut tally = Tally::default();
    for one in drives {
        let (seconds, glares, meetings) = one?;
        tally.add(seconds, glares, &meetings);
    }
    Ok(tally.finish(f64::from(troika_sim::RATE)))
}

fn table(name: &str, tally: &Tally) {
    println!(
        "\n{name}: {:.1} h in {}, {}; {:.2} false alerts an hour",
        tally.hours,
        counted(tally.drives, "drive"),
        counted(tally.glares, "glare"),
        tally.false_an_hour()
    );
    println!(
        "  {:<18}{:>7}{:>8}{:>14}{:>8}{:>14}   frames late: p1, p50, p99, furthest",
        "alert", "due", "missed", "(near glare)", "false", "(near glare)"
    );
    for (kind, one) in &tally.kinds {
        let late = one.frames_late.map_or(String::new(), |late| late.map(|n| format!("{n:>6.1}")).concat());
        println!(
            "  {kind:<18}{:>7}{:>8}{:>14}{:>8}{:>14}   {late}",
            one.due, one.missed, one.missed_in_glare, one.raised_falsely, one.false_in_glare
        );
    }
}

pub(super) fn run(arguments: &HoursArguments) -> anyhow::Result<()> {
    if arguments.attentive + arguments.mixed == 0 {
        bail!("no hour to drive: --attentive H, --mixed H");
    }
    let file = arguments.report.as_deref().map(writable).transpose()?;
    let systems = Systems::load(&arguments.how.system)?;
    let wall = Instant::now();
    let drafts = |hours: u64, make: fn(u64, u32) -> Draft| -> Vec<Draft> {
        let drives = hours * 3600 / u64::from(DRIVE_S);
        (0..drives).map(|n| make(arguments.seed.wrapping_add(n), DRIVE_S)).collect()
    };
    let jobs = arguments.how.jobs();
    let attentive = tally("attentive", drafts(arguments.attentive, Draft::attentive), jobs, &systems)?;
    let mixed = tally("mixed", drafts(arguments.mixed, Draft::random), jobs, &systems)?;
    for (name, tally) in [("attentive", &attentive), ("mixed", &mixed)] {
        if tally.drives > 0 {
            table(name, tally);
        }
    }
    let hours = Hours {
        seed: arguments.seed,
        wall_seconds: wall.elapsed().as_secs_f64(),
        attentive_false_an_hour: attentive.false_an_hour(),
        attentive,
        mixed,
    };
    println!("\n{:.0} s", hours.wall_seconds);
    if let Some((mut file, path)) = file {
        let text = serde_json::to_string_pretty(&hours)? + "\n";
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
