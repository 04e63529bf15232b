//! The skeleton: joint angles to bones, bones to skin (linear blend skinning), bones to landmarks.
//!
//! All of it in the hand's frame (origin in the wrist, x towards the thumb's side, y towards the fingers, z out of the
//! palm; decimetres). At zero angles the fingers are straight and in the palm's plane, whatever the mesh's rest is.

use crate::{
    hand::{
        mesh::{BONES, FOREARM, HAND, HandMesh, HandShape, Weights, bone},
        pose::HandPose,
    },
    math::{
        M3, V3, about, add, apply, cross, dot, length, lerp, mul, scale, sin_cos_deg, sub, transpose, unit,
    },
};

/// Where fingers point at zero spread, degrees towards the thumb's side: index to little finger. They lean to the little
/// finger's side, since y goes through the middle knuckle, and close in on each other.
const FAN_DEG: [f32; 4] = [0.0, -4.0, -8.0, -13.0];
/// Share of the rest mesh's twist of each finger that stays: it lets fingertips meet as the fingers bend.
const TWIST: f32 = 0.5;
/// Landmarks of fingertips are this far inside the flesh, dm: where annotators put them.
const TIP_INSIDE: f32 = 0.05;
/// The thumb's root as anatomists have it, over the rig's, which lies in the flesh: by axis.
const THUMB_ROOT: V3 = [0.95, 0.62, 1.0];
/// The wrist's landmark is at the heel of the hand, this far from the joint that the forearm bends in, dm.
const HEEL: f32 = 0.09;
/// A wrist bends this far at most, degrees.
const WRIST_DEG: f32 = 42.0;
/// Landmarks of a hand: wrist, then for each finger from the thumb on its root, two joints, and tip.
pub const LANDMARKS: usize = 21;

/// One person's skeleton at rest.
pub(crate) struct Skeleton {
    /// Rows: the axes of a bone at rest. x is what it bends about, y its length, z where it bends to.
    rest: [M3; BONES],
    /// By finger from the index on, degrees.
    twist: [f32; 4],
}

/// Bones in a pose: skin at `p` goes to `turn p + shift`.
#[derive(Clone)]
pub(crate) struct Posed {
    turn: [M3; BONES],
    shift: [V3; BONES],
    pub(crate) landmarks: [V3; LANDMARKS],
}

const IDENTITY: M3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

impl Skeleton {
    pub(crate) fn new(shape: &HandShape) -> Skeleton {
        let mut rest = [IDENTITY; BONES];
        let mut twist = [0.0; 4];
        for finger in 0..5 {
            let joints = &shape.joints[finger];
            for part in 0..3 {
                // The rig's root of the thumb lies in the flesh, so its first bone takes the second one's direction.
                let from = if finger == 0 { part.max(1) } else { part };
                let y = unit(sub(joints[from + 1], joints[from]));
                let palmar = scale(shape.nails[finger], -1.0);
                let z = unit(sub(palmar, scale(y, dot(palmar, y))));
                rest[bone(finger, part)] = [cross(y, z), y, z];
            }
            if finger > 0 {
                let z = rest[bone(finger, 0)][2];
                twist[finger - 1] = TWIST * libm::asinf(z[0].clamp(-1.0, 1.0)).to_degrees();
            }
        }
        Skeleton { rest, twist }
    }

    /// Bones in a pose. `elbow` is the direction in which the elbow should be, as far as the wrist bends.
    pub(crate) fn pose(&self, shape: &HandShape, pose: &HandPose, elbow: V3) -> Posed {
        let mut posed =
            Posed { turn: [IDENTITY; BONES], shift: [[0.0; 3]; BONES], landmarks: [[0.0; 3]; LANDMARKS] };
        posed.turn[FOREARM] = swing(unit(shape.elbow), unit(elbow), WRIST_DEG);
        posed.turn[HAND] = IDENTITY;
        for finger in 0..5 {
            let bends = if finger == 0 { self.thumb(pose) } else { self.finger(finger - 1, pose) };
            self.chain(shape, finger, bends, &mut posed);
        }
        posed.landmarks[0] = [0.0, HEEL, 0.0];
        posed.landmarks[1] = core::array::from_fn(|k| THUMB_ROOT[k] * shape.joints[0][0][k]);
        posed
    }

    /// How far a normal at rest faces to the palm's side of its bones: -1 back of the hand .. 1 palm.
    pub(crate) fn palmar(&self, normal: V3, weights: &Weights) -> f32 {
        weights.iter().map(|(bone, share)| share * dot(self.rest[usize::from(*bone)][2], normal)).sum()
    }

    /// The axes (columns) of a thumb's three bones.
    fn thumb(&self, pose: &HandPose) -> [M3; 3] {
        let [radial, palmar, mcp, ip] = pose.thumb;
        let (sr, cr) = sin_cos_deg(radial);
        let (sp, cp) = sin_cos_deg(palmar);
        let rest = &self.rest[bone(0, 0)];
        let first = mul(&swing(rest[1], [sr * cp, cr * cp, sp], 180.0), &transpose(rest));
        let second = mul(&first, &about_x(mcp));
        [first, second, mul(&second, &about_x(ip))]
    }

    fn finger(&self, finger: usize, pose: &HandPose) -> [M3; 3] {
        let [mcp, pip, dip] = pose.flexion[finger];
        // A bent finger cannot be spread.
        let straight = sin_cos_deg(mcp.clamp(0.0, 90.0)).1;
        let fan = (FAN_DEG[finger] + pose.spread[finger]) * lerp(0.25, 1.0, straight);
        let base = mul(&about_z(-fan), &about_y(self.twist[finger]));
        let first = mul(&base, &about_x(mcp));
        let second = mul(&first, &about_x(pip));
        [first, second, mul(&second, &about_x(dip))]
    }

    /// Hangs a finger's bones on each other.
    fn chain(&self, shape: &HandShape, finger: usize, axes: [M3; 3], posed: &mut Posed) {
        let joints = &shape.joints[finger];
        let mut root = joints[0];
        for part in 0..3 {
            let number = bone(finger, part);
            let turn = mul(&axes[part], &self.rest[number]);
            let shift = sub(root, apply(&turn, joints[part]));
            posed.turn[number] = turn;
            posed.shift[number] = shift;
            posed.landmarks[1 + 4 * finger + part] = root;
            root = add(apply(&turn, joints[part + 1]), shift);
        }
        let tip = bone(finger, 2);
        let end = sub(shape.ends[finger], scale(self.rest[tip][1], TIP_INSIDE));
        posed.landmarks[1 + 4 * finger + 3] = add(apply(&posed.turn[tip], end), posed.shift[tip]);
    }

    /// The tip of a finger in a pose.
    pub(crate) fn tip(&self, shape: &HandShape, pose: &HandPose, finger: usize) -> V3 {
        let mut posed =
            Posed { turn: [IDENTITY; BONES], shift: [[0.0; 3]; BONES], landmarks: [[0.0; 3]; LANDMARKS] };
        let axes = if finger == 0 { self.thumb(pose) } else { self.finger(finger - 1, pose) };
        self.chain(shape, finger, axes, &mut posed);
        posed.landmarks[1 + 4 * finger + 3]
    }
}

impl Posed {
    /// Moves the skin with the bones.
    pub(crate) fn skin(&self, mesh: &HandMesh, shape: &HandShape, out: &mut Vec<V3>) {
        out.clear();
        out.extend(shape.vertices.iter().zip(&mesh.weights).map(|(p, weights)| {
            weights.iter().filter(|w| w.1 > 0.0).fold([0.0; 3], |sum, (bone, share)| {
                let bone = usize::from(*bone);
                add(sum, scale(add(apply(&self.turn[bone], *p), self.shift[bone]), *share))
            })
        }));
    }
}

/// The shortest turn that takes one direction to another, but at most `most_deg` of it.
fn swing(from: V3, to: V3, most_deg: f32) -> M3 {
    let axis = cross(from, to);
    let sine = length(axis);
    let angle = libm::atan2f(sine, dot(from, to));
    if sine < 1e-6 {
        return IDENTITY;
    }
    about(scale(axis, 1.0 / sine), angle.min(most_deg.to_radians()))
}

pub(crate) fn about_x(deg: f32) -> M3 {
    about([1.0, 0.0, 0.0], deg.to_radians())
}
pub(crate) fn about_y(deg: f32) -> M3 {
    about([0.0, 1.0, 0.0], deg.to_radians())
}
pub(crate) fn about_z(deg: f32) -> M3 {
    about([0.0, 0.0, 1.0], deg.to_radians())
}
