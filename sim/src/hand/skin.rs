//! A hand's painted skin: palm and back, creases, knuckles, nails, sleeve. Painted once for each person, by position on the
//! hand at rest.

use crate::{
    hand::{
        mesh::{HandMesh, HandShape},
        rig::Skeleton,
    },
    look::{CLOTH_INFRARED, Look, Paint, TEXTURE, Texture, infrared_of, noise},
    math::{V3, dot, lerp, scale, smoothstep, sub},
};

/// Untanned skin with blood under it: what all palms draw near to.
const PALM: V3 = [0.56, 0.33, 0.25];
const NAIL: V3 = [0.60, 0.38, 0.33];

/// What differs between hands besides the colour of the skin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habit {
    /// Where the sleeve ends, dm from the wrist (towards the elbow).
    pub(crate) sleeve: f32,
    /// How deep the creases are, 0 .. 1.
    pub(crate) creases: f32,
}

/// By identity, in the order of the looks.
pub(crate) const HABITS: [Habit; 12] = [
    Habit { sleeve: -0.75, creases: 0.5 },
    Habit { sleeve: -1.60, creases: 0.6 },
    Habit { sleeve: -0.45, creases: 0.4 },
    Habit { sleeve: -0.60, creases: 0.8 },
    Habit { sleeve: -0.50, creases: 0.7 },
    Habit { sleeve: -1.20, creases: 0.8 },
    Habit { sleeve: -0.40, creases: 1.0 },
    Habit { sleeve: -5.00, creases: 0.5 },
    Habit { sleeve: -0.55, creases: 0.7 },
    Habit { sleeve: -5.00, creases: 0.6 },
    Habit { sleeve: -0.70, creases: 0.8 },
    Habit { sleeve: -1.40, creases: 0.5 },
];

/// Paints a person's hand.
pub(crate) fn paint(
    mesh: &HandMesh,
    shape: &HandShape,
    skeleton: &Skeleton,
    look: &Look,
    habit: Habit,
) -> Texture {
    let normals = mesh.normals(&shape.vertices);
    let palmar: Vec<f32> =
        normals.iter().zip(&mesh.weights).map(|(n, weights)| skeleton.palmar(*n, weights)).collect();
    let mut texture = Texture::blank([0.0; 2], [1.0; 2]);
    let mut painted = vec![false; TEXTURE * TEXTURE];
    for triangle in &mesh.triangles {
        let corners = triangle.map(|(_, t)| texture.place(mesh.uvs[usize::from(t)]));
        let at = triangle.map(|(v, _)| usize::from(v));
        texture.fill(corners, &mut painted, |w| {
            let mix = |f: &dyn Fn(usize) -> f32| (0..3).map(|n| w[n] * f(at[n])).sum::<f32>();
            let p = [0, 1, 2].map(|k| mix(&|v| shape.vertices[v][k]));
            point(look, habit, shape, p, mix(&|v| palmar[v]), mix(&|v| mesh.nail[v]))
        });
    }
    texture.bleed(&mut painted, 3);
    texture
}

/// Paints one point. `palmar`: -1 back of the hand .. 1 palm.
fn point(look: &Look, habit: Habit, shape: &HandShape, p: V3, palmar: f32, nail: f32) -> Paint {
    let cloth = cloth_share(habit, p);
    if cloth >= 1.0 {
        return sleeve(look, habit, p);
    }
    let fine = noise(scale(p, 60.0)) - 0.5;
    let middling = noise(scale(p, 18.0)) - 0.5;
    let coarse = noise(scale(p, 5.0)) - 0.5;
    let inner = smoothstep(-0.25, 0.45, palmar);
    let mut colour: V3 = core::array::from_fn(|k| lerp(look.skin[k], PALM[k], 0.44 * inner));
    let mut infrared = infrared_of(look) + 0.05 * inner;
    let grain = 1.0 + 0.08 * fine + 0.06 * middling + 0.10 * coarse;
    colour = scale(colour, grain);
    infrared *= 1.0 + 0.06 * fine + 0.06 * coarse;
    let mut over = |tint: V3, share: f32| {
        let share = share.clamp(0.0, 1.0);
        colour = core::array::from_fn(|k| lerp(colour[k], colour[k] * tint[k], share));
        infrared = lerp(infrared, infrared * (0.5 + 0.5 * tint[0]), share);
    };
    // Blood: fingertips, heels of the hand, knuckles.
    const BLOOD: V3 = [1.04, 0.80, 0.78];
    let place = Place::of(shape, p);
    if let Some(Place { finger, part, along, .. }) = place {
        if part == 2 {
            over(BLOOD, 0.5 * smoothstep(0.3, 0.9, along));
        }
        let joint = (1.0 - smoothstep(0.0, 0.28, along.min(1.0 - along).max(0.0))) * (1.0 - inner);
        over([0.90, 0.78, 0.76], 0.6 * joint);
        // Creases across the finger: on the palm's side deep and single, on the back fine and many.
        let line = |at: f32, width: f32| 1.0 - smoothstep(0.4 * width, width, at.abs());
        let length = crate::math::length(sub(shape.joints[finger][part + 1], shape.joints[finger][part]));
        let from_root = along * length + 0.012 * (noise(scale(p, 12.0)) - 0.5);
        let deep = if part == 0 && finger > 0 { from_root - 0.42 * length } else { from_root };
        over([0.66, 0.52, 0.50], 0.8 * habit.creases * inner * line(deep, 0.022));
        if part > 0 {
            over([0.66, 0.52, 0.50], 0.5 * habit.creases * inner * line(from_root - 0.035, 0.014));
            let wrinkle = 0.5 + 0.5 * libm::sinf(from_root * 150.0 + 5.0 * middling);
            let near = 1.0 - smoothstep(0.02, 0.09, from_root.abs());
            over([0.76, 0.66, 0.64], 0.55 * habit.creases * (1.0 - inner) * near * wrinkle * wrinkle);
        }
    } else if inner > 0.0 {
        over(BLOOD, 0.4 * smoothstep(0.25, 0.05, p[1]) * smoothstep(-0.2, 0.0, p[1]));
        let depth = PALM_LINES
            .iter()
            .map(|(curve, width)| {
                let away = distance_to(curve, [p[0], p[1]]) + 0.010 * (noise(scale(p, 15.0)) - 0.5);
                1.0 - smoothstep(0.4 * width, *width, away)
            })
            .fold(0.0, f32::max);
        over([0.70, 0.56, 0.54], 0.7 * habit.creases * inner * depth);
    }
    // Creases where the wrist bends.
    let wrist = [0.02, -0.06].map(|y| 1.0 - smoothstep(0.006, 0.018, (p[1] + y - 0.03 * middling).abs()));
    over([0.80, 0.70, 0.68], 0.5 * habit.creases * inner * wrist[0].max(wrist[1]));
    let nail = smoothstep(0.35, 0.65, nail);
    let plate: V3 = core::array::from_fn(|k| lerp(look.skin[k], NAIL[k], 0.6) * (1.0 + 0.04 * fine));
    colour = core::array::from_fn(|k| lerp(colour[k], plate[k], nail));
    infrared = lerp(infrared, infrared_of(look) * 1.05, nail);
    let over = sleeve(look, habit, p);
    Paint {
        colour: core::array::from_fn(|k| lerp(colour[k], over.colour[k], cloth)),
        infrared: lerp(infrared, over.infrared, cloth),
    }
}

/// Cloth, with a hem.
fn sleeve(look: &Look, habit: Habit, p: V3) -> Paint {
    let weave = 0.82 + 0.36 * noise(scale(p, 80.0));
    let hem = if p[1] > habit.sleeve - 0.16 { 0.88 } else { 1.0 };
    Paint { colour: scale(look.cloth, weave * hem), infrared: CLOTH_INFRARED * weave * hem }
}

/// 1 where the sleeve is.
pub(crate) fn cloth_share(habit: Habit, p: V3) -> f32 {
    smoothstep(habit.sleeve + 0.006, habit.sleeve - 0.006, p[1])
}

/// The palm's three lines and their widths, dm; x and y in the hand's frame.
const PALM_LINES: [([[f32; 2]; 4], f32); 3] = [
    ([[-0.40, 0.64], [-0.22, 0.66], [-0.04, 0.74], [0.08, 0.88]], 0.014),
    ([[0.33, 0.68], [0.15, 0.64], [-0.06, 0.54], [-0.24, 0.42]], 0.013),
    ([[0.33, 0.66], [0.14, 0.58], [0.03, 0.36], [0.06, 0.08]], 0.015),
];

fn distance_to(line: &[[f32; 2]; 4], p: [f32; 2]) -> f32 {
    line.windows(2)
        .map(|ends| {
            let [a, b] = [ends[0], ends[1]];
            let (d, q) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
            let t = ((q[0] * d[0] + q[1] * d[1]) / (d[0] * d[0] + d[1] * d[1])).clamp(0.0, 1.0);
            let (x, y) = (q[0] - t * d[0], q[1] - t * d[1]);
            (x * x + y * y).sqrt()
        })
        .fold(f32::MAX, f32::min)
}

/// Which bone of a finger is nearest to a point, and how far along it the point is.
struct Place {
    finger: usize,
    part: usize,
    along: f32,
    away: f32,
}

impl Place {
    /// None in the palm, on the back and on the forearm.
    fn of(shape: &HandShape, p: V3) -> Option<Place> {
        let mut nearest: Option<Place> = None;
        for (finger, joints) in shape.joints.iter().enumerate() {
            // The thumb's root is inside the ball of the thumb.
            for part in usize::from(finger == 0)..3 {
                let (a, b) = (joints[part], joints[part + 1]);
                let along = dot(sub(p, a), sub(b, a)) / dot(sub(b, a), sub(b, a)).max(1e-9);
                let most = if part == 2 { 1.4 } else { 1.0 };
                let on: V3 = core::array::from_fn(|k| lerp(a[k], b[k], along.clamp(0.0, most)));
                let away = crate::math::length(sub(p, on));
                if nearest.as_ref().is_none_or(|known| away < known.away) {
                    nearest = Some(Place { finger, part, along, away });
                }
            }
        }
        // A finger is thinner than this, and a point before its knuckle belongs to the palm.
        nearest.filter(|place| place.away < 0.16 && (place.part > 0 || place.along > 0.15))
    }
}
