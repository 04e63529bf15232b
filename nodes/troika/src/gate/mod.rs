//! `troika models gate`: whether another network may take the place of one in use: people notice nothing, and it is really faster. `troika
//! models agree`: whether the networks' own kernels do what tract's own operators do.

mod play;
mod scene;
mod time;
mod verdict;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use troika_host::signal::stop_on_signals;
use troika_models::{Candidate, Differences, Kernels, Store};

use crate::{
    Interrupted, kinds,
    output::Output,
    sim::{self, stage::Systems},
    status_line::StatusLine,
};
use play::{Played, Sides};
use scene::{Scene, Subject};
use verdict::{Behaviour, Extent, Judged};

/// Where the nodes of scenarios are from.
const SYSTEMS: [&str; 2] = ["launch/systems/cabin.toml", "launch/systems/gesture.toml"];

/// Two kernels' outputs may differ by so much on the same input: in pixels, logits and shares, whatever an output tells. Where a network makes
/// more of the last decimals of `f32`, neither may be further than that from what it is in `f64`.
const AGREE: f32 = 1e-3;

/// What is played, and what is written.
#[derive(clap::Args)]
pub(crate) struct Playing {
    /// Only this scenario (or file of lines), for a quick look; may be given several times. Enough to refuse, never to accept.
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// The system files whose nodes run.
    #[arg(long, value_name = "SYSTEM", default_values = SYSTEMS)]
    system: Vec<PathBuf>,
    /// Scenarios at once; by default one for each core.
    #[arg(long, short = 'N', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Write what was found as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// It cannot be said whether the candidate may take the other's place; the program ends with 2.
#[derive(Debug, thiserror::Error)]
#[error("cannot be judged: {0:#}")]
pub(crate) struct NotJudged(anyhow::Error);

/// What keeps a judgement from being made, apart from a person who stops it.
fn unjudged(error: anyhow::Error) -> anyhow::Error {
    if error.is::<Interrupted>() { error } else { NotJudged(error).into() }
}

/// Judges the candidate in a folder.
///
/// # Errors
/// It is refused; or [`NotJudged`].
pub(crate) fn gate(folder: &Path, playing: &Playing) -> anyhow::Result<()> {
    judge(folder, playing).map_err(unjudged)?.end()
}

/// Holds the networks' own kernels against tract's own operators.
///
/// # Errors
/// They do not agree; or [`NotJudged`].
pub(crate) fn agree(playing: &Playing) -> anyhow::Result<()> {
    let agreed = || -> anyhow::Result<Judged> {
        let file = Output::if_any(playing.json.as_deref())?;
        let systems = Systems::load(&playing.system)?;
        // Whatever the system files choose: it is these two that are compared.
        let store = kinds::models()?;
        let [fast, plain] =
            [Kernels::Fast, Kernels::Plain].map(|kernels| store.clone().with_kernels(kernels));
        let scenes = scene::all(Subject::Pictures, &playing.scenario)?;
        let behaviour = behaviour(Subject::Pictures, [fast, plain], AGREE, scenes, &systems, playing)?;
        finish(Judged::of_kernels(behaviour, AGREE), file)
    };
    agreed().map_err(unjudged)?.end()
}

fn judge(folder: &Path, playing: &Playing) -> anyhow::Result<Judged> {
    let file = Output::if_any(playing.json.as_deref())?;
    // First: they choose the kernels of both sides.
    let systems = Systems::load(&playing.system)?;
    let used = kinds::models()?;
    let candidate = Candidate::read(folder, None)?;
    let name = candidate.passport().name.clone();
    let subject = Subject::of(&name).with_context(|| {
        format!("no scenario shows what {name} does: whether people would notice another one is not known")
    })?;
    let (with, agreement) = used.with_candidate(candidate)?;
    // The voice's networks run on ours in a process of their own, whatever a system file says.
    let on = systems.networks_on().filter(|_| subject != Subject::Words);
    let made = |store: &Store| -> anyhow::Result<_> {
        Ok(match subject {
            Subject::Words => store.clone().with_kernels(Kernels::Fast).network(&name)?,
            _ => store.network(&name)?,
        })
    };
    // Before the time is measured: what is asked for is there.
    let scenes = scene::all(subject, &playing.scenario)?;
    let timed = time::time(|| made(&used), || made(&with))?;
    eprintln!("{}", verdict::time_told(&timed));
    let passports = [used.passport(&name)?.clone(), with.passport(&name)?.clone()];
    let behaviour = behaviour(subject, [used, with], f32::INFINITY, scenes, &systems, playing)?;
    finish(Judged::of_candidate(&passports, agreement, on, timed, behaviour), file)
}

/// Shows the table, and writes it where it was asked for.
fn finish(judged: Judged, file: Option<Output>) -> anyhow::Result<Judged> {
    print!("{}", judged.table());
    if let Some(file) = file {
        file.write((serde_json::to_string_pretty(&judged)? + "\n").as_bytes())?;
    }
    Ok(judged)
}

/// Plays the scenes (beside them, what is left out) with both stores and compares; runs whose outputs are further apart than `allowed` are held to `f64`.
fn behaviour(
    subject: Subject,
    [used, other]: [Store; 2],
    allowed: f32,
    (scenes, left_out): (Vec<Scene>, Vec<String>),
    systems: &Systems,
    playing: &Playing,
) -> anyhow::Result<Behaviour> {
    present(subject, &used)?;
    present(subject, &other)?;
    // The networks in use are the fast ones mostly, and so those that can run twice.
    let (other, differences): (Store, Differences) = other.beside_judged(used.clone(), allowed);
    let sides: Sides = [used, other];
    let stop = stop_on_signals()?;
    let (count, whole) = (scenes.len(), scenes.iter().map(Scene::length).sum::<f64>());
    let so_far = Mutex::new((StatusLine::new(), 0.0));
    let passed = |length: f64| {
        if stop.is_stopped() {
            return Err(Interrupted.into());
        }
        let mut so_far = so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.1 += length;
        let (line, done) = &mut *so_far;
        let unit = if subject == Subject::Words { "lines" } else { "s" };
        line.tell(|| format!("comparing: {done:.0} of {whole:.0} {unit}"));
        Ok(())
    };
    let jobs = playing.jobs.map_or_else(crate::cores, usize::from);
    let mut done = 0;
    let all = sim::in_parallel(
        scenes,
        jobs,
        |scene| {
            play::play(&scene, subject, &sides, systems, &passed)
                .with_context(|| scene.file.display().to_string())
        },
        |played: &anyhow::Result<Played>| {
            done += 1;
            if let Ok(played) = played {
                // The line that is written over is on terminals alone.
                let clear = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
                eprintln!("{clear}[{done}/{count}] {}", verdict::told(played));
            }
        },
    );
    // What was played until Ctrl-C is told; it may refuse already.
    let all = all.into_iter().filter(|played| !played.as_ref().is_err_and(|error| error.is::<Interrupted>()));
    let mut all = all.collect::<anyhow::Result<Vec<Played>>>()?;
    all.sort_by(|a, b| a.file.cmp(&b.file));
    let extent = match (all.len() < count, playing.scenario.is_empty()) {
        (true, _) => Extent::Interrupted,
        (false, true) => Extent::Whole,
        (false, false) => Extent::Some,
    };
    Ok(Behaviour::new(all, left_out, differences.get(), extent))
}

/// Every network that takes part is there on this side: a node without its networks says so on every frame, and both would say the same.
fn present(subject: Subject, store: &Store) -> anyhow::Result<()> {
    let parts: &[&str] = match subject {
        Subject::Driver => &["driver", "drowsiness"],
        Subject::Drowsiness => &["driver", "drowsiness"],
        Subject::Hands => &["hands"],
        Subject::Pictures => &["driver", "drowsiness", "hands"],
        Subject::Words => &[],
    };
    for part in parts {
        match *part {
            "driver" => drop(troika_driver_state::store::open_all(store)?),
            "drowsiness" => drop(troika_drowsiness::store::open(store)?),
            _ => drop(troika_gesture::store::open_all(store)?),
        }
    }
    Ok(())
}
