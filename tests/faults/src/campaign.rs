//! Rounds over all classes, until somebody says that it is enough. What a class does in a round hangs on the seed, its name and the round's number
//! alone, so that a round can be had again whatever the machine was busy with.

use anyhow::Context as _;
use troika_kit::Duration;

use crate::{
    class::{Class, Dice, Ground},
    report::{Figures, Report},
};

/// How far a campaign is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The round, from 0.
    pub round: u64,
    /// The class that is next.
    pub class: &'a str,
    /// Faults so far.
    pub injected: u64,
    /// Unsafe reactions so far, in classes that claim to be noticed.
    pub harmed: u64,
}

/// One class in one round.
///
/// # Errors
/// What the bench itself cannot do: a fault of the bench and no verdict.
pub fn once(
    class: &Class,
    ground: &Ground<'_>,
    seed: u64,
    round: u64,
    into: &mut Figures,
) -> anyhow::Result<()> {
    for time in 0..class.times {
        let mut dice = Dice::new(seed, class.name, round * class.times + time);
        let verdicts =
            (class.inject)(ground, &mut dice).with_context(|| format!("{}, round {round}", class.name))?;
        verdicts.iter().for_each(|verdict| into.add(verdict, class.limit));
    }
    Ok(())
}

/// Rounds until `enough`, which is asked before each class; `seconds` tells the wall clock.
///
/// # Errors
/// As [`once`].
pub fn run(
    classes: &[Class],
    ground: &Ground<'_>,
    seed: u64,
    mut enough: impl FnMut(&Progress<'_>) -> bool,
    seconds: impl Fn() -> Duration,
) -> anyhow::Result<Report> {
    let mut figures: Vec<Figures> = classes.iter().map(Figures::of).collect();
    let mut round = 0;
    'rounds: while !classes.is_empty() {
        for (at, class) in classes.iter().enumerate() {
            let claimed = figures.iter().filter(|one| !one.gap);
            let progress = Progress {
                round,
                class: class.name,
                injected: figures.iter().map(|one| one.injected).sum(),
                harmed: claimed.map(|one| one.harmed).sum(),
            };
            if enough(&progress) {
                break 'rounds;
            }
            once(class, ground, seed, round, &mut figures[at])?;
        }
        round += 1;
    }
    Ok(Report::of(classes, figures, seed, round, seconds().as_secs_f64()))
}
