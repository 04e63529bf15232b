//! Renders hands with their truth, to look at and for `check_hands.py`:
//!
//! - `render_hand stills FOLDER [SEED]`: every person with every held shape, right and left, the lights in turn;
//! - `render_hand scenario FILE FOLDER [EVERY]`: a scenario's frames, or every n-th of them.
//!
//! PNG files and `truth.jsonl`, one line a frame: file, person, hand, light, gesture, landmarks in pixels.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};
use troika_sim::{
    Camera, Light, Quality,
    hand::{
        HandAct, HandActKind, HandFrame, HandScenario, HandScene, HandScript, HandSegment, HandShapeName,
        TimedShot,
    },
};

const USAGE: &str = "usage: render_hand stills FOLDER [SEED] | render_hand scenario FILE FOLDER [EVERY]";
/// How long a still is held: it is taken at the end.
const HELD_S: f32 = 0.6;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |n: usize| args.get(n).map(String::as_str);
    match (text(0), text(1), text(2), text(3)) {
        (Some("stills"), Some(folder), seed, None) => {
            let scenario = stills(seed.map_or(Ok(1), str::parse)?);
            let frames = (HELD_S * 30.0).round() as usize;
            write(&scenario, Path::new(folder), |frame| frame % frames == frames - 1)
        }
        (Some("scenario"), Some(file), Some(folder), every) => {
            let every: usize = every.map_or(Ok(1), str::parse)?;
            let scenario = HandScenario::read(Path::new(file))?;
            write(&scenario, Path::new(folder), |frame| frame % every.max(1) == 0)
        }
        _ => bail!("{USAGE}"),
    }
}

/// Everybody, both hands, every shape; another light and every other time a driver behind.
fn stills(seed: u64) -> HandScenario {
    let acts: Vec<_> = HandShapeName::ALL
        .iter()
        .map(|name| HandAct {
            kind: HandActKind::Hold(*name),
            seconds: HELD_S,
            at: None,
            angles_deg: [None; 3],
        })
        .collect();
    let people = HandScene::new(Camera::default(), Quality::Fast).identities();
    let segments = (0..2 * people)
        .map(|n| HandSegment {
            identity: n / 2,
            right: n % 2 == 0,
            light: Light::ALL[(n + n / 6 + seed as usize) % Light::ALL.len()],
            driver: (n / 3) % 2 == 0,
            acts: acts.clone(),
        })
        .collect();
    HandScenario { name: "stills".into(), seed, camera: Camera::default(), segments }
}

fn write(scenario: &HandScenario, folder: &Path, wanted: impl Fn(usize) -> bool) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let script = HandScript::new(scenario);
    let mut scene = HandScene::new(scenario.camera, Quality::Smooth);
    let mut truth = BufWriter::new(File::create(folder.join("truth.jsonl"))?);
    for (number, timed) in script.shots.iter().enumerate().filter(|(number, _)| wanted(*number)) {
        let frame = scene.render(&timed.shot);
        let name = format!("{number:05}.png");
        png(&folder.join(&name), &frame)?;
        writeln!(truth, "{}", line(&name, timed, &frame, &scene))?;
    }
    Ok(())
}

fn line(file: &str, timed: &TimedShot, frame: &HandFrame, scene: &HandScene) -> serde_json::Value {
    let shot = &timed.shot;
    serde_json::json!({
        "file": file,
        "person": scene.identity_name(shot.identity),
        "hand": if shot.right { "right" } else { "left" },
        "light": format!("{:?}", shot.light),
        "driver": shot.driver.is_some(),
        "gesture": timed.label.gesture,
        "in_transition": timed.label.in_transition,
        "in_frame": frame.truth.in_frame,
        "landmarks": frame.truth.landmarks.to_vec(),
    })
}

fn png(path: &Path, frame: &HandFrame) -> Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, frame.width as u32, frame.height as u32);
    encoder.set_color(if frame.channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&frame.data)?;
    Ok(())
}
