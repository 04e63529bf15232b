//! Makes a set of eye pictures with their labels, for training: `make_eye_set <folder> [frames] [seed] [first face] [faces]`.
//!
//! Each frame gives both eyes. Files (NumPy): `crops.npy` u8 [n, 64, 96] grey, cut around the eye's corners from the full
//! frame as the perception does (the corners lie at 1/4 and 3/4 of the width, half-way down, upright along the line of the
//! corners; the right eye is mirrored, so that the inner corner is always on the left), `openness.npy` f32 [n] 0 closed .. 1
//! open, `gaze.npy` f32 [n, 2] yaw and pitch of the eye within the head in degrees (mirrored with the crop), `head.npy`
//! f32 [n, 3] yaw, pitch, roll, `points.npy` f32 [n, 12] outer, inner, upper, lower, iris in frame pixels, iris radius, and
//! the side (0 left, 1 right), `identity.npy` and `light.npy` i32 [n].

use anyhow::{Context, Result};
use std::{fs, path::Path};
use troika_sim::{Camera, EyeTruth, Frame, Light, Pose, Quality, Renderer};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().context("usage: make_eye_set <folder> [frames] [seed] [first face] [faces]")?;
    let mut number = |default: u64| args.next().map_or(Ok(default), |n| n.parse()).context("not a number");
    let (frames, seed, first, faces) = (number(4000)?, number(1)?, number(0)?, number(8)?.max(1));
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let mut random = Random(seed ^ 0x9E37_79B9_7F4A_7C15);
    let mut renderer = Renderer::new(Camera::default(), Quality::Smooth);
    let mut set = Set::default();
    let mut frame = Frame::default();
    // Faces and lights change rarely, since a change repaints.
    let groups = faces * Light::ALL.len() as u64;
    for group in 0..groups {
        let identity = (first + group / Light::ALL.len() as u64) as usize;
        let light = Light::ALL[(group % Light::ALL.len() as u64) as usize];
        for _ in 0..frames.div_ceil(groups) {
            let pose = draw(&mut random, identity, light);
            renderer.render_into(&pose, &mut frame);
            for side in 0..2 {
                set.push(&frame, &pose, side, &mut random);
            }
        }
    }
    set.write(folder)?;
    println!("{} eyes", set.openness.len());
    Ok(())
}

/// A pose of a driver: mostly towards the road, with all that the scenarios do and more.
fn draw(random: &mut Random, identity: usize, light: Light) -> Pose {
    let mut pose = Pose {
        identity,
        light,
        head_yaw_deg: random.range(-45.0, 45.0),
        head_pitch_deg: random.range(-25.0, 20.0),
        head_roll_deg: random.range(-10.0, 10.0),
        offset_m: [random.range(-0.05, 0.05), random.range(-0.05, 0.04), random.range(-0.08, 0.06)],
        eye_yaw_deg: random.range(-30.0, 30.0),
        eye_pitch_deg: random.range(-26.0, 18.0),
        brows: random.range(-0.6, 0.6),
        smile: if random.unit() < 0.25 { random.range(0.0, 0.8) } else { 0.0 },
        jaw_open: if random.unit() < 0.25 { random.range(0.0, 0.9) } else { 0.0 },
        noise_seed: random.next(),
        ..Pose::default()
    };
    // A third closed, a third open, a third between: what is between is short in life but decides the boundary.
    let openness = match random.next() % 3 {
        0 => random.range(0.0, 0.08),
        1 => random.range(0.85, 1.0),
        _ => random.unit(),
    };
    pose.openness_left = (openness + random.range(-0.03, 0.03)).clamp(0.0, 1.0);
    pose.openness_right = (openness + random.range(-0.03, 0.03)).clamp(0.0, 1.0);
    pose
}

#[derive(Default)]
struct Set {
    crops: Vec<u8>,
    openness: Vec<f32>,
    gaze: Vec<f32>,
    head: Vec<f32>,
    points: Vec<f32>,
    identity: Vec<i32>,
    light: Vec<i32>,
}

impl Set {
    fn push(&mut self, frame: &Frame, pose: &Pose, side: usize, random: &mut Random) {
        let eye = &frame.truth.eyes[side];
        let span = distance(eye.outer, eye.inner);
        let inside = |p: [f32; 2]| {
            p[0] > 4.0 && p[1] > 4.0 && p[0] < frame.width as f32 - 5.0 && p[1] < frame.height as f32 - 5.0
        };
        // An eye that the nose hides, or seen edge-on, has no crop.
        if span < 8.0 || !inside(eye.outer) || !inside(eye.inner) {
            return;
        }
        cut(frame, eye, side, span, random, &mut self.crops);
        let mirror = if side == 1 { -1.0 } else { 1.0 };
        self.openness.push(if side == 0 { pose.openness_left } else { pose.openness_right });
        self.gaze.extend([pose.eye_yaw_deg * mirror, pose.eye_pitch_deg]);
        self.head.extend([pose.head_yaw_deg * mirror, pose.head_pitch_deg, pose.head_roll_deg * mirror]);
        self.points.extend([eye.outer, eye.inner, eye.upper, eye.lower, eye.iris].concat());
        self.points.extend([eye.iris_radius, side as f32]);
        self.identity.push(pose.identity as i32);
        self.light.push(Light::ALL.iter().position(|light| *light == pose.light).unwrap_or(0) as i32);
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let n = self.openness.len();
        npy(&folder.join("crops.npy"), "|u1", &[n, HEIGHT, WIDTH], &self.crops)?;
        let floats = |x: &[f32]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
        let ints = |x: &[i32]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
        npy(&folder.join("openness.npy"), "<f4", &[n], &floats(&self.openness))?;
        npy(&folder.join("gaze.npy"), "<f4", &[n, 2], &floats(&self.gaze))?;
        npy(&folder.join("head.npy"), "<f4", &[n, 3], &floats(&self.head))?;
        npy(&folder.join("points.npy"), "<f4", &[n, 12], &floats(&self.points))?;
        npy(&folder.join("identity.npy"), "<i4", &[n], &ints(&self.identity))?;
        npy(&folder.join("light.npy"), "<i4", &[n], &ints(&self.light))
    }
}

/// Cuts the eye out along the line of its corners, with the small errors that landmarks have.
fn cut(frame: &Frame, eye: &EyeTruth, side: usize, span: f32, random: &mut Random, out: &mut Vec<u8>) {
    let jitter = |random: &mut Random| random.range(-0.06, 0.06) * span;
    let [mut outer, mut inner] = [eye.outer, eye.inner];
    for p in [&mut outer, &mut inner] {
        p[0] += jitter(random);
        p[1] += jitter(random);
    }
    // From the inner corner to the outer one: rightwards in the crop for both eyes.
    let step = [0, 1].map(|n| (outer[n] - inner[n]) / (WIDTH as f32 / 2.0));
    let down = if side == 0 { [-step[1], step[0]] } else { [step[1], -step[0]] };
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let (dx, dy) = (x as f32 - WIDTH as f32 / 4.0, y as f32 - HEIGHT as f32 / 2.0);
            out.push(grey(
                frame,
                inner[0] + dx * step[0] + dy * down[0],
                inner[1] + dx * step[1] + dy * down[1],
            ));
        }
    }
}

fn grey(frame: &Frame, x: f32, y: f32) -> u8 {
    let x = x.clamp(0.0, frame.width as f32 - 1.001);
    let y = y.clamp(0.0, frame.height as f32 - 1.001);
    let (x0, y0) = (x as usize, y as usize);
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |x: usize, y: usize| {
        let p = &frame.data[(y * frame.width + x) * frame.channels..][..frame.channels];
        if let [r, g, b] = p {
            0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b)
        } else {
            f32::from(p[0])
        }
    };
    let top = at(x0, y0) * (1.0 - fx) + at(x0 + 1, y0) * fx;
    let bottom = at(x0, y0 + 1) * (1.0 - fx) + at(x0 + 1, y0 + 1) * fx;
    (top * (1.0 - fy) + bottom * fy).round() as u8
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt()
}

fn npy(path: &Path, dtype: &str, shape: &[usize], data: &[u8]) -> Result<()> {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// SplitMix64.
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
}
