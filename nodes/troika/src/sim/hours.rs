//! `troika sim hours`: many hours of driving, attentive and mixed, and how many alerts were missed or false.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    time::Instant,
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use troika_kit::counted;
use troika_trial::{
    Case, Draft, Span,
    judge::meeting::{self, Meeting},
    tally::Tally,
};

use super::{How, in_parallel, stage, stage::Systems};
use crate::output::Output;

/// How much to drive.
#[derive(clap::Args)]
pub(crate) struct HoursArguments {
    /// Hours in which the driver attends: mirrors, talk, now and then a yawn.
    #[arg(long, default_value = "10", value_name = "H", value_parser = drives)]
    attentive: Drives,
    /// Hours with everything in them: long glances, sleep, phones, faces that are lost.
    #[arg(long, default_value = "10", value_name = "H", value_parser = drives)]
    mixed: Drives,
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
/// How many drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drives(u64);

/// The drives of so many hours.
fn drives(hours: &str) -> Result<Drives, String> {
    const MOST_H: f64 = 1e6;
    let way_out = "hours are driven by the half: 0, 0.5, 1, 1.5, …";
    let halves =
        hours.parse::<f64>().map_err(|_| format!("no number; {way_out}"))? * 3600.0 / f64::from(DRIVE_S);
    match (0.0..=MOST_H * 2.0).contains(&halves) && halves.fract() == 0.0 {
        true => Ok(Drives(halves as u64)),
        false => Err(way_out.to_owned()),
    }
}

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

/// Missed and false alerts that are told one by one.
const TOLD: usize = 12;

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
    // A line that is written over is for a terminal alone.
    let on_terminal = std::io::stderr().is_terminal();
    if !on_terminal && count > 0 {
        eprintln!("{name}: {}", counted(count, "drive"));
    }
    let mut shown = Ok(());
    let seeds: Vec<u64> = drafts.iter().map(|draft| draft.seed).collect();
    let drives = in_parallel(
        drafts,
        jobs,
        |draft| drive(&draft, systems),
        |_| {
            done += 1;
            // Whoever has closed the terminal still gets the report.
            if on_terminal && shown.is_ok() {
                shown = write!(std::io::stderr(), "\r{name}: {done} of {}", counted(count, "drive"));
            }
        },
    );
    if on_terminal && count > 0 {
        eprintln!();
    }
    let mut tally = Tally::default();
    for (seed, one) in seeds.into_iter().zip(drives) {
        let (seconds, glares, meetings) = one?;
        tally.add(seed, seconds, glares, &meetings);
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
    for one in tally.odd.iter().take(TOLD) {
        println!(
            "  {} {} ({}) at {:.2} s of the drive of seed {}{}",
            if one.missed { "missed:" } else { "false: " },
            one.alert,
            one.profile,
            one.at_s,
            one.seed,
            if one.in_glare { ", near a glare" } else { "" }
        );
    }
    if tally.odd.len() > TOLD {
        println!("  and {} more, all of which a file by --report has", tally.odd.len() - TOLD);
    }
}

pub(super) fn run(arguments: &HoursArguments) -> anyhow::Result<()> {
    if arguments.attentive.0 + arguments.mixed.0 == 0 {
        bail!("no hour to drive: --attentive H, --mixed H");
    }
    let report_to = Output::if_any(arguments.report.as_deref())?;
    let systems = Systems::load(&arguments.how.system)?;
    let wall = Instant::now();
    let drafts = |drives: Drives, make: fn(u64, u32) -> Draft| -> Vec<Draft> {
        (0..drives.0).map(|n| make(arguments.seed.wrapping_add(n), DRIVE_S)).collect()
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
    if let Some(to) = report_to {
        to.write((serde_json::to_string_pretty(&hours)? + "\n").as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_driven_by_the_half() {
        assert_eq!(
            (drives("0.5"), drives("100"), drives("0")),
            (Ok(Drives(1)), Ok(Drives(200)), Ok(Drives(0)))
        );
        for wrong in ["0.3", "-1", "NaN", "inf", "a", "1e99"] {
            let told = drives(wrong).expect_err(wrong);
            assert!(told.contains("0, 0.5, 1"), "{wrong}: {told}");
        }
    }
}
