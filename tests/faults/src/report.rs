//! The figures of a campaign: for a person and as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use troika_kit::Duration;

use crate::{
    class::{Class, Verdict},
    live::Outcome,
};

/// Of one class.
#[derive(Debug, Clone, Default, Serialize, PartialEq)]
pub struct Figures {
    /// Its name.
    pub name: String,
    /// Faults so far.
    pub injected: u64,
    /// Of those, noticed and reacted to.
    pub detected: u64,
    /// Of those, within the limit.
    pub in_time: u64,
    /// Faults with a consequence that must not be.
    #[serde(rename = "unsafe")]
    pub harmed: u64,
    /// The longest that one took to be noticed, ms of virtual time (of real time where the process is real); none: nothing was noticed.
    pub worst_ms: Option<f64>,
    /// The class's limit.
    pub limit_ms: f64,
    /// What demands it.
    pub requirement: String,
    /// Nobody claims that it is noticed.
    pub gap: bool,
    /// What is injected.
    pub fault: String,
    /// What counts as noticed.
    pub reaction: String,
    /// What would be unsafe.
    pub hazard: String,
    /// What was, the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

impl Figures {
    /// Of a class of which nothing was injected yet.
    pub fn of<I>(class: &Class<I>) -> Figures {
        Figures {
            name: class.name.to_owned(),
            limit_ms: class.limit.as_secs_f64() * 1e3,
            requirement: class.requirement.id().to_owned(),
            gap: class.gap.is_some(),
            fault: class.fault.to_owned(),
            reaction: class.reaction.to_owned(),
            hazard: class.harm.to_owned(),
            ..Figures::default()
        }
    }

    /// One more.
    pub fn add(&mut self, verdict: &Verdict, limit: Duration) {
        self.injected += 1;
        if let Some(after) = verdict.noticed {
            self.detected += 1;
            self.in_time += u64::from(after <= limit);
            let ms = after.as_secs_f64() * 1e3;
            self.worst_ms = Some(self.worst_ms.map_or(ms, |worst| worst.max(ms)));
        }
        if let Some(harm) = &verdict.harm {
            self.harmed += 1;
            self.example.get_or_insert_with(|| harm.clone());
        }
    }

    /// What is claimed does not hold.
    pub fn fails(&self) -> bool {
        !self.gap && (self.harmed > 0 || self.in_time < self.injected)
    }
}

/// A class that nothing notices today.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Gap {
    /// The class.
    pub class: String,
    /// Why, with the failure's id.
    pub why: String,
    /// Faults.
    pub injected: u64,
    /// Of those, noticed all the same.
    pub detected: u64,
    /// With a consequence.
    #[serde(rename = "unsafe")]
    pub harmed: u64,
}

/// Of a campaign.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Report {
    /// The source that it ran on, where it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Only classes whose names begin so were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// Real processes were not asked for.
    pub virtual_only: bool,
    /// Of all chance.
    pub seed: u64,
    /// Rounds over all classes in virtual time that were whole.
    pub rounds: u64,
    /// The same over those of real processes.
    pub live_rounds: u64,
    /// Of the wall clock.
    pub seconds: f64,
    /// Faults, of all classes.
    pub injected: u64,
    /// Of those, noticed and reacted to.
    pub detected: u64,
    /// Of those, in time.
    pub in_time: u64,
    /// Unsafe reactions in classes that claim to be noticed; those of the others are told with their gaps.
    #[serde(rename = "unsafe")]
    pub harmed: u64,
    /// Of each.
    pub classes: Vec<Figures>,
    /// Those that nothing notices.
    pub gaps: Vec<Gap>,
    /// What could not be injected here, with the reason: this machine has no means for it, or was too busy.
    pub left_out: Vec<String>,
    /// Somebody did not wait for the end, or the bench itself failed: not all that was asked for was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<String>,
}

impl Report {
    /// Of these figures, in the order of the classes.
    pub fn of(classes: &[Class], figures: Vec<Figures>, seed: u64, rounds: u64, seconds: f64) -> Report {
        let sum = |of: fn(&Figures) -> u64| figures.iter().map(of).sum();
        let gap = |(class, figures): (&Class, &Figures)| {
            class.gap.map(|why| Gap {
                class: figures.name.clone(),
                why: why.to_owned(),
                injected: figures.injected,
                detected: figures.detected,
                harmed: figures.harmed,
            })
        };
        Report {
            commit: None,
            only: None,
            virtual_only: false,
            seed,
            rounds,
            live_rounds: 0,
            seconds,
            injected: sum(|one| one.injected),
            detected: sum(|one| one.detected),
            in_time: sum(|one| one.in_time),
            harmed: figures.iter().filter(|one| !one.gap).map(|one| one.harmed).sum(),
            gaps: classes.iter().zip(&figures).filter_map(gap).collect(),
            classes: figures,
            left_out: Vec::new(),
            ended_early: None,
        }
    }

    /// With what was injected into real processes beside it; gives the first of what the bench could not do.
    pub fn with(&mut self, live: Outcome) -> Option<anyhow::Error> {
        for one in &live.figures {
            self.injected += one.injected;
            self.detected += one.detected;
            self.in_time += one.in_time;
            self.harmed += one.harmed;
        }
        self.live_rounds = live.rounds;
        self.classes.extend(live.figures);
        self.left_out.extend(
            live.left_out.into_iter().map(|(what, rounds)| format!("{what} ({rounds} of the rounds)")),
        );
        let failed: Vec<String> = live.failed.iter().map(|error| format!("{error:#}")).collect();
        self.ended_early = (!failed.is_empty()).then(|| failed.join("; "));
        live.failed.into_iter().next()
    }

    /// Classes whose claims do not hold.
    pub fn failing(&self) -> Vec<&Figures> {
        self.classes.iter().filter(|one| one.fails()).collect()
    }

    /// For a terminal.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let width = self.classes.iter().map(|one| one.name.len()).max().unwrap_or_default();
        let mut line = |one: &Figures| {
            let worst = one.worst_ms.map_or("-".to_owned(), |ms| format!("{ms:.0}"));
            // A string takes everything.
            let _ = writeln!(
                out,
                "{:width$} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9}  {}{}",
                one.name,
                one.injected,
                one.detected,
                one.in_time,
                one.harmed,
                worst,
                format!("{:.0}", one.limit_ms),
                one.requirement,
                if one.fails() { "  FAILS" } else { "" },
            );
        };
        self.classes.iter().filter(|one| !one.gap).for_each(&mut line);
        let mut text = format!(
            "{:width$} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9}  requirement\n{out}",
            "class", "injected", "detected", "in time", "unsafe", "worst ms", "limit ms"
        );
        if !self.gaps.is_empty() {
            let _ = writeln!(text, "\nwhat nothing notices today:");
        }
        for gap in &self.gaps {
            let _ = writeln!(
                text,
                "{:width$} {:>8} {:>8} {:>17}  {}",
                gap.class, gap.injected, gap.detected, gap.harmed, gap.why
            );
        }
        let claimed: u64 = self.classes.iter().filter(|one| !one.gap).map(|one| one.injected).sum();
        let in_time: u64 = self.classes.iter().filter(|one| !one.gap).map(|one| one.in_time).sum();
        let _ = writeln!(
            text,
            "\n{} faults in {:.0} s, seed {}, {} rounds ({} of real processes); of {claimed} that are claimed to be noticed {in_time} were, in time; {} unsafe reactions",
            self.injected, self.seconds, self.seed, self.rounds, self.live_rounds, self.harmed
        );
        text
    }
}
