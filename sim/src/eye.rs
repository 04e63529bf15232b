//! An eyeball: a sphere cap with sclera, iris, pupil and catch-light, shaded for each pixel.

use crate::{
    camera::View,
    light::Rig,
    math::{M3, V3, add, apply, dot, length, lerp, power, scale, smoothstep, sub, unit},
    raster::{Canvas, Corner, Tone},
};

/// Sine of the angle that the iris spans from its axis: 5.9 mm of a 15 mm ball.
pub(crate) const IRIS: f32 = 0.405;
/// Where the iris's plane is on the axis, as a share of the radius.
pub(crate) const IRIS_DEPTH: f32 = 0.914;
const PUPIL: f32 = 0.16;
const PUPIL_DARK: f32 = 0.24;
/// How far eyes turn within the head, degrees; beyond it the head must turn.
pub(crate) const REACH_YAW: f32 = 38.0;
pub(crate) const REACH_UP: f32 = 26.0;
pub(crate) const REACH_DOWN: f32 = 30.0;

pub(crate) struct Eye {
    pub(crate) centre: V3,
    pub(crate) radius: f32,
    /// From the eye's own frame (z through the pupil) to the driver's.
    pub(crate) turn: M3,
    /// The head's up.
    pub(crate) up: V3,
    /// Middle of the upper and lower lid's edge, from the centre.
    pub(crate) lids: [V3; 2],
    /// Outer and inner corner, from the centre.
    pub(crate) corners: [V3; 2],
    pub(crate) iris: V3,
}

const RINGS: usize = 9;
const SECTORS: usize = 24;

impl Eye {
    pub(crate) fn draw(&self, canvas: &mut Canvas, view: &View, rig: &Rig, tone: &Tone, infrared: bool) {
        // A cap of 80 degrees around the pupil, finer at the middle.
        let mut points = [[Corner::default(); SECTORS]; RINGS + 1];
        for (ring, row) in points.iter_mut().enumerate() {
            let (sin_out, cos_out) = crate::math::sin_cos_deg(80.0 * ring as f32 / RINGS as f32);
            for (sector, corner) in row.iter_mut().enumerate() {
                let (s, c) = crate::math::sin_cos_deg(360.0 * sector as f32 / SECTORS as f32);
                let local = [sin_out * c, sin_out * s, cos_out];
                let p = add(self.centre, scale(apply(&self.turn, local), self.radius));
                let (x, y, inverse_depth) = view.project(p);
                *corner = Corner { x, y, inverse_depth, light: local, ..Corner::default() };
            }
        }
        let shader = self.shader(view, rig, infrared);
        for ring in 0..RINGS {
            for sector in 0..SECTORS {
                let next = (sector + 1) % SECTORS;
                let [a, b] = [&points[ring][sector], &points[ring + 1][sector]];
                let [c, d] = [&points[ring + 1][next], &points[ring][next]];
                for corners in [[a, b, c], [a, c, d]] {
                    fill(canvas, corners, |local| tone.pack(shader(local)));
                }
            }
        }
    }

    fn shader(&self, view: &View, rig: &Rig, infrared: bool) -> impl Fn(V3) -> V3 {
        let to_camera = sub(view.position, self.centre);
        let distance = length(to_camera);
        let eye = scale(to_camera, 1.0 / distance);
        let flash = rig.flash * (6.5 / distance) * (6.5 / distance);
        let [half_key, half_flash] = [unit(add(rig.key, eye)), eye];
        let heights = self.lids.map(|lid| dot(unit(lid), self.up));
        let across = unit(sub(self.corners[0], self.corners[1]));
        let ends = self.corners.map(|corner| dot(unit(corner), across));
        let (turn, up, iris) = (self.turn, self.up, self.iris);
        let pupil = if rig.sky[0] < 0.2 && !infrared { PUPIL_DARK } else { PUPIL };
        let (key_colour, fill, fill_colour, sky, ground, key) =
            (rig.key_colour, rig.fill, rig.fill_colour, rig.sky, rig.ground, rig.key);
        move |local: V3| {
            let out = (local[0] * local[0] + local[1] * local[1]).sqrt();
            let n = unit(apply(&turn, local));
            // Lids and lashes shade the ball below the upper lid, and the corners.
            let height = dot(n, up);
            let lid_shade = 0.35 + 0.65 * smoothstep(-0.02, 0.30, heights[0] - height);
            let low_shade = 0.75 + 0.25 * smoothstep(-0.02, 0.15, height - heights[1]);
            let side = dot(n, across);
            let corner_shade = smoothstep(0.0, 0.35, ends[0] - side) * smoothstep(0.0, 0.35, side - ends[1]);
            let open = lid_shade * low_shade * lerp(0.55, 1.0, corner_shade);
            let lit = |l: V3| (0.75 * dot(n, l) + 0.25).max(0.0);
            let light: V3 = core::array::from_fn(|k| {
                open * (0.8 * key_colour[k] * lit(key)
                    + fill_colour[k] * lit(fill)
                    + lerp(ground[k], sky[k], 0.5 + 0.5 * n[1])
                    + flash * lit(eye))
            });
            let red = 1.0 - corner_shade;
            let white: V3 =
                if infrared { [0.52; 3] } else { [0.62, lerp(0.58, 0.40, red), lerp(0.55, 0.36, red)] };
            let iris = if infrared { [0.28; 3] } else { iris };
            // Streaks in the iris, brighter around the pupil, a dark limbus.
            let angle = libm::atan2f(local[1], local[0]);
            let streak = 1.0 + 0.18 * libm::sinf(angle * 23.0) + 0.12 * libm::sinf(angle * 37.0 + 1.3);
            let t = out / IRIS;
            let ring = streak * lerp(1.35, 0.8, t) * (1.0 - 0.65 * smoothstep(0.80, 1.0, t));
            let in_iris = 1.0 - smoothstep(0.95, 1.06, t);
            let in_pupil = 1.0 - smoothstep(pupil * 0.88, pupil * 1.1, out);
            let mut colour: V3 = core::array::from_fn(|k| lerp(white[k], iris[k] * ring, in_iris) * light[k]);
            colour = scale(colour, 1.0 - 0.93 * in_pupil);
            // The cornea is steeper than the ball: the catch-light sits on it.
            let steep = if t < 1.0 { 1.25 } else { 1.0 };
            let m = unit(apply(&turn, [local[0] * steep, local[1] * steep, local[2]]));
            let spark = power(dot(m, half_key).max(0.0), 8) * key_colour[0] * 0.9 * lid_shade
                + power(dot(m, half_flash).max(0.0), 9) * flash * 1.1;
            core::array::from_fn(|k| colour[k] + spark)
        }
    }
}

/// Fills a triangle by a shader of the interpolated local point.
fn fill(canvas: &mut Canvas, corners: [&Corner; 3], shade: impl Fn(V3) -> u32) {
    let [a, b, c] = corners;
    let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    if area >= -1e-4 {
        return;
    }
    let slope = |n: usize| {
        let (pa, pb, pc) = (a.light[n], b.light[n], c.light[n]);
        let dx = ((pb - pa) * (c.y - a.y) - (pc - pa) * (b.y - a.y)) / area;
        let dy = ((pc - pa) * (b.x - a.x) - (pb - pa) * (c.x - a.x)) / area;
        (pa - a.x * dx - a.y * dy, dx, dy)
    };
    let planes = [slope(0), slope(1), slope(2)];
    canvas.cover(corners, |colour, x, y| {
        *colour = shade(planes.map(|(base, dx, dy)| (base + dy * y) + dx * x));
    });
}
