//! Plays recorded hands through the heads and the debounce as the node runs them, and counts the gestures that are told.
//!
//! `replay DIR` reads the public sets that the heads' cards name (`kazuhito/`, `gestnet/`, `farhad/`). The frames of one label
//! are played as if they were one recording of 30 frames a second, which most of them are. Of frames that show no gesture, every
//! one that is told is false: the rate is that of a hand that is in the picture all the time and always does something else.
//! Needs the model store for the heads (they are built in).

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use troika_gesture::{
    config::Config,
    debounce::{Debounce, Phase},
    gesture::Told,
    pose,
    store::{self, Part},
    track,
    track::Followed,
};
use troika_kit::Time;
use troika_models::Store;

const FRAME_NS: u64 = 33_333_333;

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("usage: replay DIR")?;
    let (folder, models, config) = (Path::new(&folder), Store::open_default()?, Config::default());
    let mut total = (0, 0);
    println!("poses that are no gesture:");
    for (source, label, what) in [
        ("gestnet", 2, "two fingers"),
        ("gestnet", 3, "three fingers"),
        ("gestnet", 4, "four fingers"),
        ("farhad", 0, "four fingers together"),
        ("farhad", 2, "two fingers to the right"),
        ("farhad", 3, "two fingers to the left"),
        ("farhad", 4, "two fingers up"),
        ("farhad", 6, "thumb and index finger opening and closing"),
    ] {
        let rows = rows(&folder.join(source).join("keypoint.csv"), label, 42)?;
        let mut head = store::open(&models, Part::Pose)?;
        let mut tell = |row: &[f32]| -> Result<Option<Told>> {
            let mut points = [[0.0; 2]; 21];
            points.iter_mut().zip(row.chunks_exact(2)).for_each(|(point, xy)| *point = [xy[0], xy[1]]);
            let Some(features) = pose::features(&points) else { return Ok(None) };
            let mut probabilities = [0.0; pose::CLASSES];
            head.run(&features, &mut [&mut probabilities])?;
            let lean = pose::lean(&features);
            Ok(pose::told(&probabilities, lean, |pose| config.least(pose), config.max_lean_deg.to_radians()))
        };
        play(&format!("{source}: {what}"), &rows, &config, &mut total, &mut tell)?;
    }
    println!("motions that are no gesture:");
    for (source, label, what, aspect, followed) in [
        ("kazuhito", 0, "a finger at rest", 16.0 / 9.0, Followed::Finger),
        ("kazuhito", 3, "a finger that moves about", 16.0 / 9.0, Followed::Finger),
        ("gestnet", 2, "an open hand that waves", 4.0 / 3.0, Followed::Palm),
        ("farhad", 0, "a pinch that opens", 4.0 / 3.0, Followed::Finger),
        ("farhad", 1, "a pinch that closes", 4.0 / 3.0, Followed::Finger),
        ("farhad", 2, "a pinch at rest", 4.0 / 3.0, Followed::Finger),
    ] {
        let rows = rows(&folder.join(source).join("point_history.csv"), label, 32)?;
        let mut head = store::open(&models, Part::Motion)?;
        let mut tell = |row: &[f32]| -> Result<Option<Told>> {
            let mut window = [[0.0; 2]; track::POINTS];
            window.iter_mut().zip(row.chunks_exact(2)).for_each(|(at, xy)| *at = [aspect * xy[0], xy[1]]);
            // The node's track begins anew where the recorder's jumps, and travels are measured in palms: a palm of a hand
            // before a webcam is about a seventh of the picture's height.
            let jumps =
                window.windows(2).any(|two| (two[1][0] - two[0][0]).hypot(two[1][1] - two[0][1]) > 0.4);
            let least = if followed == Followed::Palm { config.swipe_palms } else { config.turn_palms };
            let quick = followed == Followed::Finger || track::dash(&window) >= config.swipe_dash_palms / 7.0;
            let far = quick && track::extent(&window) >= least / 7.0;
            let Some(features) = track::features(&window, followed).filter(|_| far && !jumps) else {
                return Ok(None);
            };
            let mut probabilities = [0.0; track::CLASSES];
            head.run(&features, &mut [&mut probabilities])?;
            Ok(track::told(&probabilities, followed, config.min_probability))
        };
        play(&format!("{source}: {what}"), &rows, &config, &mut total, &mut tell)?;
    }
    let hours = total.0 as f64 * FRAME_NS as f64 / 3.6e12;
    println!(
        "in all {} false gestures in {:.1} minutes: {:.0} an hour of a hand that always does something else",
        total.1,
        60.0 * hours,
        total.1 as f64 / hours
    );
    Ok(())
}

fn play(
    title: &str,
    rows: &[Vec<f32>],
    config: &Config,
    total: &mut (usize, usize),
    tell: &mut dyn FnMut(&[f32]) -> Result<Option<Told>>,
) -> Result<()> {
    let mut debounce = Debounce::new(config.limits());
    let mut started: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        let verdict = debounce.observe(Time::from_nanos(1_000_000_000 + i as u64 * FRAME_NS), tell(row)?);
        if let (Some(gesture), Phase::Started) = (verdict.gesture, verdict.phase) {
            *started.entry(gesture.name()).or_default() += 1;
            total.1 += 1;
        }
    }
    total.0 += rows.len();
    println!("  {title}: {:.1} s, told {started:?}", rows.len() as f64 * FRAME_NS as f64 / 1e9);
    Ok(())
}

/// The rows of one label.
fn rows(file: &Path, label: u32, numbers: usize) -> Result<Vec<Vec<f32>>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut out = Vec::new();
    for line in text.lines() {
        let values: Vec<f32> =
            line.split(',').map(str::parse).collect::<Result<_, _>>().with_context(|| line.to_owned())?;
        anyhow::ensure!(values.len() == numbers + 1, "{}: a row of {} numbers", file.display(), values.len());
        if values[0] as u32 == label {
            out.push(values[1..].to_vec());
        }
    }
    Ok(out)
}
