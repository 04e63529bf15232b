//! How sure another face is told from the same: plays scenarios of the rendered driver, with another face every second (`--cycle FRAMES`) or as
//! they are, and counts what is told. `others [--cycle FRAMES] SCENARIO.toml...` Needs the model store.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use troika_driver_state::{
    another::Another, config::Config, image::ImageView, perception::Perception, store,
};
use troika_kit::Time;
use troika_sim::{Frame, Quality, Renderer, Scenario, Script};

/// Frames within which it has to be told.
const WITHIN: usize = 10;

fn main() -> Result<()> {
    let (mut cycle, mut files) = (None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--cycle" => {
                cycle = Some(arguments.next().context("--cycle wants a number of frames")?.parse::<usize>()?);
            }
            flag if flag.starts_with("--") => bail!("unknown option {flag}"),
            file => files.push(PathBuf::from(file)),
        }
    }
    if files.is_empty() || cycle == Some(0) {
        bail!("usage: others [--cycle FRAMES] SCENARIO.toml...");
    }
    let models = troika_models::Store::open_default()?;
    for file in files {
        let scenario = Scenario::read(&file)?;
        let mut renderer = Renderer::new(scenario.camera, Quality::Smooth);
        let config = Config::default();
        let mut perception = Perception::new(&config, store::open_all(&models)?);
        let (mut another, mut frame) = (Another::default(), Frame::default());
        // Frames in which the picture changed at once, each with whether a face was followed all around it; and in which another was told.
        let (mut changes, mut told, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = None;
        for (number, shot) in Script::new(&scenario).shots.iter().enumerate() {
            let mut pose = shot.pose.clone();
            if let Some(cycle) = cycle {
                pose.identity = number / cycle % renderer.identities();
            }
            let is = (pose.identity, pose.light, pose.wears);
            if before.replace(is).is_some_and(|before| before != is) {
                changes.push(number);
            }
            renderer.render_into(&pose, &mut frame);
            let encoding = if frame.channels == 1 { "mono8" } else { "rgb8" };
            let step = frame.width * frame.channels;
            let view =
                ImageView::new(encoding, frame.width as u32, frame.height as u32, step as u32, &frame.data)?;
            let look = perception.look(&view, &mut |_| {})?;
            seen.push(look.is_some());
            let now = Time::from_nanos(1 + number as u64 * 1_000_000_000 / 30);
            if look.is_none() {
                another.lost();
            } else if another.is_there(now, perception.traits()) {
                perception.reset();
                told.push(number);
            }
        }
        let followed =
            |at: usize| seen.get(at.saturating_sub(3)..at + 4).is_some_and(|all| all.iter().all(|one| *one));
        let due: Vec<usize> = changes.iter().copied().filter(|at| followed(*at)).collect();
        let noticed =
            due.iter().filter(|at| told.iter().any(|told| (**at..*at + WITHIN).contains(told))).count();
        let alone =
            told.iter().filter(|told| !changes.iter().any(|at| (*at..at + WITHIN).contains(told))).count();
        println!(
            "{}: of {} changes under the eyes of the camera {noticed} told within {WITHIN} frames; {alone} told without one in {:.0} s",
            file.display(),
            due.len(),
            scenario.seconds()
        );
    }
    Ok(())
}
