//! Makes the eye crops that `models/eye_state/train.py` learns from: rendered drivers, seen through the very pipeline that
//! the node runs (detector, mesh, crop), so that training and use see the same pictures.
//!
//! `eye_set FOLDER [SAMPLES] [SEED]` writes `crops.u8` (48 x 32 luma each), `labels.csv` (one row a crop) and `looks.csv`
//! (one row a frame: what was true and what the pipeline read of head and gaze).

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result};
use troika_driver_state::{
    config::{Config, IrisPlan},
    eyes,
    image::ImageView,
    iris,
    perception::{Network, Networks, Part, Perception},
    store,
    warp::{Border, Fill},
};
use troika_kit::Fault;
use troika_sim::{Camera, Frame, Light, Pose, Quality, Renderer};

/// Stands in for the network that is still to be trained: all eyes are open.
struct Open;
impl Network for Open {
    fn run(&mut self, _: &[f32], outputs: &mut [&mut [f32]]) -> Result<(), Fault> {
        outputs.iter_mut().for_each(|output| output.fill(1.0));
        Ok(())
    }
}

/// SplitMix64: the same set from the same seed on every machine.
struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
    fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
    fn pick(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn pose(random: &mut Random, identity: usize, light: Light) -> Pose {
    let mut pose = Pose { identity, light, noise_seed: random.next(), ..Pose::default() };
    pose.head_yaw_deg = random.range(-45.0, 45.0) * random.unit().sqrt();
    pose.head_pitch_deg = random.range(-25.0, 18.0) * random.unit().sqrt();
    pose.head_roll_deg = random.range(-12.0, 12.0);
    pose.offset_m = [random.range(-0.08, 0.08), random.range(-0.05, 0.05), random.range(-0.06, 0.08)];
    pose.eye_yaw_deg = random.range(-30.0, 30.0) * random.unit().sqrt();
    pose.eye_pitch_deg = random.range(-25.0, 15.0) * random.unit().sqrt();
    let openness = match random.pick(10) {
        0..=2 => 0.0,
        3..=6 => random.range(0.85, 1.0),
        _ => random.unit(),
    };
    pose.openness_left = openness;
    pose.openness_right = openness;
    pose.jaw_open = if random.pick(4) == 0 { random.unit() } else { 0.0 };
    pose.brows = random.range(-0.7, 0.7);
    pose.smile = if random.pick(3) == 0 { random.unit() } else { 0.0 };
    pose
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().context("usage: eye_set FOLDER [SAMPLES] [SEED]")?;
    let samples: usize = args.next().map_or(Ok(6000), |n| n.parse())?;
    let mut random = Random(args.next().map_or(Ok(1), |n| n.parse())?);
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let mut crops = BufWriter::new(File::create(folder.join("crops.u8"))?);
    let mut labels = BufWriter::new(File::create(folder.join("labels.csv"))?);
    let mut looks = BufWriter::new(File::create(folder.join("looks.csv"))?);
    writeln!(labels, "identity,light,eye,openness,lid_gap,head_yaw,head_pitch,eye_yaw,eye_pitch")?;
    writeln!(
        looks,
        "identity,light,openness,head_yaw,head_pitch,eye_yaw,eye_pitch,gaze_yaw,gaze_pitch,found,presence,residual,\
         read_head_yaw,read_head_pitch,read_gaze_yaw,read_gaze_pitch,mouth,jaw"
    )?;

    let camera = Camera::default();
    let mut renderer = Renderer::new(camera, Quality::Smooth);
    let config = Config { iris: IrisPlan::Both, ..Config::default() };
    let models = troika_models::Store::open_default()?;
    let networks = Networks {
        detector: store::open(&models, Part::Detector)?,
        mesh: store::open(&models, Part::Mesh)?,
        iris: store::open(&models, Part::Iris)?,
        eyes: Box::new(Open),
    };
    let mut perception = Perception::new(&config, networks);
    let mut frame = Frame::default();
    let mut crop = vec![0.0; eyes::WIDTH * eyes::HEIGHT];
    let runs = renderer.identities() * Light::ALL.len();
    let mut written = 0;
    for run in 0..runs {
        // The renderer repaints when the face or the light changes: stay with each for a while.
        let (identity, light) = (run / Light::ALL.len(), Light::ALL[run % Light::ALL.len()]);
        for _ in 0..samples.div_ceil(runs) {
            let pose = pose(&mut random, identity, light);
            renderer.render_into(&pose, &mut frame);
            let encoding = if frame.channels == 1 { "mono8" } else { "rgb8" };
            let step = (frame.width * frame.channels) as u32;
            let view = ImageView::new(encoding, frame.width as u32, frame.height as u32, step, &frame.data)?;
            perception.reset();
            let look = perception.look(&view, &mut |_| {})?;
            write!(
                looks,
                "{identity},{light:?},{},{},{},{},{},{},{}",
                pose.openness_left,
                pose.head_yaw_deg,
                pose.head_pitch_deg,
                pose.eye_yaw_deg,
                pose.eye_pitch_deg,
                frame.truth.gaze_yaw_deg,
                frame.truth.gaze_pitch_deg
            )?;
            let Some(look) = look else {
                writeln!(looks, ",0,,,,,,,,{}", pose.jaw_open)?;
                continue;
            };
            writeln!(
                looks,
                ",1,{},{},{},{},{},{},{},{}",
                look.presence,
                look.residual,
                look.head.yaw,
                look.head.pitch,
                look.gaze.yaw,
                look.gaze.pitch,
                look.mouth,
                pose.jaw_open
            )?;
            for eye in [0, 1] {
                if iris::visibility(eye, look.head.yaw) < 0.3 {
                    continue;
                }
                let roi = eyes::roi(perception.mesh().eye(eye));
                let (w, h) = (eyes::WIDTH, eyes::HEIGHT);
                let map = if eye == 0 { roi.map(w, h) } else { roi.mirrored_map(w, h) };
                let fill =
                    Fill { width: w, height: h, range: (0.0, 255.0), border: Border::Nearest, taps: 1 };
                view.warp_luma(&map, &fill, &mut crop);
                let bytes: Vec<u8> = crop.iter().map(|v| v.round() as u8).collect();
                crops.write_all(&bytes)?;
                written += 1;
                // The truth's first eye is the driver's left.
                let gap = frame.truth.lid_gap[1 - eye];
                writeln!(
                    labels,
                    "{identity},{light:?},{eye},{},{gap},{},{},{},{}",
                    pose.openness_left,
                    pose.head_yaw_deg,
                    pose.head_pitch_deg,
                    pose.eye_yaw_deg,
                    pose.eye_pitch_deg
                )?;
            }
        }
        eprintln!("{} of {runs}, {written} crops", run + 1);
    }
    Ok(())
}
