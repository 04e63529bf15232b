//! Plays scenarios of the rendered driver through the node at full speed and compares each state with the truth.
//!
//! `accuracy [--identity N] [--light NAME] [--csv FILE] SCENARIO.toml...` prints, for each scenario, the confusion, the
//! mean of the per-state recalls (frames within 200 ms of a change left out) beside the best constant answer, the error of
//! the gaze, and the time of each stage. Identity and light replace those of every segment. Needs the model store.
#![allow(clippy::disallowed_methods, reason = "measures stages; nothing of it reaches the node")]

use std::{
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use troika_driver_state::{config::Config, node::DriverStateNode, perception::Stage};
use troika_kit::Time;
use troika_msgs::{sensor_msgs::Image, troika::DriverState};
use troika_sim::{Frame, Light, Quality, Renderer, Scenario, Script};

const STATES: [&str; 4] = ["unknown", "attentive", "looking away", "eyes closed"];
const STAGES: [(Stage, &str); 5] = [
    (Stage::Detect, "detect"),
    (Stage::Mesh, "mesh"),
    (Stage::Geometry, "pose"),
    (Stage::Eyes, "eyes"),
    (Stage::Iris, "iris"),
];

fn main() -> Result<()> {
    let mut files = Vec::new();
    let (mut identity, mut light, mut csv) = (None, None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--identity" => identity = Some(value()?.parse::<usize>()?),
            "--light" => {
                let name = value()?;
                let known =
                    Light::ALL.into_iter().find(|light| format!("{light:?}").eq_ignore_ascii_case(&name));
                light =
                    Some(known.with_context(|| format!("no light '{name}', there are {:?}", Light::ALL))?);
            }
            "--csv" => csv = Some(std::io::BufWriter::new(std::fs::File::create(value()?)?)),
            flag if flag.starts_with("--") => bail!("unknown option {flag}"),
            file => files.push(PathBuf::from(file)),
        }
    }
    if files.is_empty() {
        bail!("usage: accuracy [--identity N] [--light NAME] [--csv FILE] SCENARIO.toml...");
    }
    let models = troika_models::Store::open_default()?;
    for file in files {
        let mut scenario = Scenario::read(&file)?;
        for segment in &mut scenario.segments {
            segment.identity = identity.unwrap_or(segment.identity);
            segment.light = light.unwrap_or(segment.light);
        }
        let config = Config::default();
        let node = DriverStateNode::open(&config, &models)?;
        if node.model().starts_with("unavailable") {
            bail!("{}", node.model());
        }
        println!("{} ({:.0} s), {}", file.display(), scenario.seconds(), node.model());
        play(&scenario, node, csv.as_mut().map(|csv| csv as &mut dyn Write))?;
    }
    Ok(())
}

fn play(scenario: &Scenario, mut node: DriverStateNode, mut csv: Option<&mut dyn Write>) -> Result<()> {
    let script = Script::new(scenario);
    let mut renderer = Renderer::new(scenario.camera, Quality::Smooth);
    let mut frame = Frame::default();
    let mut image = Image::default();
    let mut confusion = [[0_u32; 4]; 4];
    let mut stages: Vec<Vec<Duration>> = STAGES.iter().map(|_| Vec::new()).collect();
    let mut totals = Vec::new();
    let (mut gaze_error, mut zones_right, mut zones) = (Vec::new(), 0_u32, 0_u32);
    if let Some(csv) = &mut csv {
        writeln!(
            csv,
            "frame,identity,light,truth,said,in_transition,true_zone,said_zone,true_yaw,true_pitch,yaw,pitch,head_yaw,\
             head_pitch,true_head_yaw,true_head_pitch,true_openness,left,right,mouth,confidence"
        )?;
    }
    for (number, shot) in script.shots.iter().enumerate() {
        renderer.render_into(&shot.pose, &mut frame);
        fill(&mut image, &frame, number);
        let start = Instant::now();
        let mut last = start;
        let mut done = |stage: Stage| {
            let now = Instant::now();
            let at = STAGES.iter().position(|(known, _)| *known == stage).unwrap_or(0);
            stages[at].push(now - last);
            last = now;
        };
        let state = node.look(&image, Time::ZERO, &mut done)?;
        totals.push(start.elapsed());
        let truth = &shot.truth;
        if !truth.in_transition {
            confusion[usize::from(truth.state).min(3)][usize::from(state.state).min(3)] += 1;
            if truth.state != DriverState::UNKNOWN && state.face_detected && truth.eye_openness > 0.5 {
                let (yaw, pitch) =
                    (state.gaze_yaw_deg - truth.gaze_yaw_deg, state.gaze_pitch_deg - truth.gaze_pitch_deg);
                gaze_error.push(yaw.hypot(pitch));
                zones += 1;
                zones_right += u32::from(state.gaze_zone == truth.gaze_zone);
            }
        }
        if let Some(csv) = &mut csv {
            writeln!(
                csv,
                "{number},{},{:?},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                shot.pose.identity,
                shot.pose.light,
                truth.state,
                state.state,
                u8::from(truth.in_transition),
                truth.gaze_zone,
                state.gaze_zone,
                truth.gaze_yaw_deg,
                truth.gaze_pitch_deg,
                state.gaze_yaw_deg,
                state.gaze_pitch_deg,
                state.head_yaw_deg,
                state.head_pitch_deg,
                shot.pose.head_yaw_deg,
                shot.pose.head_pitch_deg,
                truth.eye_openness,
                state.eye_openness_left,
                state.eye_openness_right,
                state.mouth_opening,
                state.confidence
            )?;
        }
    }
    report(&confusion);
    gaze_error.sort_by(f32::total_cmp);
    let at =
        |share: f32| gaze_error.get((share * gaze_error.len() as f32) as usize).copied().unwrap_or(f32::NAN);
    println!(
        "gaze error: p50 {:.1}, p90 {:.1} degrees; zone right in {zones_right} of {zones}",
        at(0.5),
        at(0.9)
    );
    for ((_, name), times) in STAGES.iter().zip(&mut stages) {
        times_of(name, times);
    }
    times_of("frame", &mut totals);
    Ok(())
}

/// A frame of the renderer as the message that the camera publishes, 30 a second.
fn fill(image: &mut Image, frame: &Frame, number: usize) {
    let stamp = Time::from_nanos(1_000_000_000_000 + number as u64 * 1_000_000_000 / 30);
    image.header.stamp = stamp.into();
    image.width = frame.width as u32;
    image.height = frame.height as u32;
    image.step = (frame.width * frame.channels) as u32;
    image.encoding.clear();
    image.encoding.push_str(if frame.channels == 1 { "mono8" } else { "rgb8" });
    image.data.clear();
    image.data.extend_from_slice(&frame.data);
}

fn report(confusion: &[[u32; 4]; 4]) {
    println!(
        "{:>14} {:>10} {:>10} {:>12} {:>12}   recall",
        "truth \\ said", STATES[0], STATES[1], STATES[2], STATES[3]
    );
    let (mut sum, mut present) = (0.0, 0);
    for (name, row) in STATES.iter().zip(confusion).enumerate().map(|(i, (name, row))| ((i, name), row)) {
        let total: u32 = row.iter().sum();
        if total == 0 {
            continue;
        }
        let recall = f64::from(row[name.0]) / f64::from(total);
        sum += recall;
        present += 1;
        println!("{:>14} {:>10} {:>10} {:>12} {:>12}   {recall:.4}", name.1, row[0], row[1], row[2], row[3]);
    }
    let states = f64::from(present.max(1));
    println!("accuracy (mean of recalls) {:.4}; the best constant answer {:.4}", sum / states, 1.0 / states);
}

fn times_of(name: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: f64| {
        let index = ((share * times.len() as f64) as usize).min(times.len().saturating_sub(1));
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{name:>8}: n {:5}, p50 {:6.2} ms, p99 {:6.2} ms, max {:6.2} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
