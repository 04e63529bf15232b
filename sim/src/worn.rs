//! What a driver has on: glasses before the eyes, a cap's peak, and what is painted on the face (mask, beard, cap). Positions are relative to
//! the middle of the eyes, dm.

use crate::{
    camera::View,
    light::Rig,
    math::{V3, add, lerp, scale, smoothstep},
    raster::{Canvas, Corner, Fill, Tone},
    scenario::Wear,
};

/// What lies over the skin: colour, near-infrared reflectance, and how much of it, 0..1.
pub(crate) fn over_skin(wears: Wear, hair: V3, p: V3) -> Option<(V3, f32, f32)> {
    match wears {
        Wear::Mask => {
            // Over the nose's bridge, lower on the cheeks, down to under the chin, back to before the ears.
            let edge = -0.30 - 0.22 * smoothstep(0.10, 0.55, p[0].abs());
            let share = smoothstep(edge, edge - 0.03, p[1])
                * smoothstep(-1.42, -1.36, p[1])
                * smoothstep(-0.62, -0.55, p[2]);
            // Three folds across.
            let fold = 1.0 - 0.12 * smoothstep(0.8, 1.0, libm::sinf(p[1] * 21.0));
            Some((scale([0.42, 0.58, 0.66], fold), 0.55 * fold, share))
        }
        Wear::Beard => {
            let jaw = smoothstep(-0.46, -0.60, p[1]) * smoothstep(-1.45, -1.30, p[1]);
            let before_ears = smoothstep(-1.0, -0.8, p[2]);
            Some((scale(hair, 1.2), 0.22, jaw * before_ears))
        }
        Wear::Hat => {
            let edge = 0.58 - 0.45 * smoothstep(0.2, -1.3, p[2]);
            Some(([0.035, 0.045, 0.09], 0.20, smoothstep(edge, edge + 0.03, p[1])))
        }
        Wear::Nothing | Wear::Glasses | Wear::Sunglasses => None,
    }
}

/// Where and under which lamps it is drawn.
pub(crate) struct Stage<'a> {
    pub(crate) canvas: &'a mut Canvas,
    pub(crate) view: &'a View,
    pub(crate) rig: &'a Rig,
    pub(crate) tone: &'a Tone,
}

impl Stage<'_> {
    /// A triangle of one colour, seen from either side.
    fn triangle(&mut self, points: [V3; 3], colour: V3) {
        let bright = 0.6 * self.rig.sky[0] + 0.4 * self.rig.key_colour[0] + 0.5 * self.rig.flash;
        let corners = points.map(|p| {
            let (x, y, inverse_depth) = self.view.project(p);
            Corner { x, y, inverse_depth, light: scale(colour, bright), ..Corner::default() }
        });
        let [a, b, c] = &corners;
        self.canvas.draw([a, b, c], &Fill::Flat, self.tone);
        self.canvas.draw([a, c, b], &Fill::Flat, self.tone);
    }

    fn quad(&mut self, [a, b, c, d]: [V3; 4], colour: V3) {
        self.triangle([a, b, c], colour);
        self.triangle([a, c, d], colour);
    }
}

const SECTORS: usize = 28;
/// Half the width and the height of a lens, dm, and how far it is before the eye's centre.
const LENS: [f32; 2] = [0.30, 0.23];
const BEFORE: f32 = 0.25;
const FRAME: V3 = [0.012, 0.012, 0.014];
const DARK: V3 = [0.010, 0.011, 0.010];

/// Draws it. `place`: from the head's frame to the driver's; `eyes`: the eyes' centres in the head's frame.
pub(crate) fn draw(wears: Wear, stage: &mut Stage<'_>, eyes: [V3; 2], place: impl Fn(V3) -> V3) {
    match wears {
        Wear::Glasses => glasses(stage, eyes, place, false),
        Wear::Sunglasses => glasses(stage, eyes, place, true),
        Wear::Hat => peak(stage, place),
        Wear::Nothing | Wear::Mask | Wear::Beard => {}
    }
}

fn glasses(stage: &mut Stage<'_>, eyes: [V3; 2], place: impl Fn(V3) -> V3, dark: bool) {
    for eye in eyes {
        let side = eye[0].signum();
        // A lens follows the face: its outer edge is further back.
        let rim = |sector: usize, size: f32| {
            let (s, c) = libm::sincosf(core::f32::consts::TAU * sector as f32 / SECTORS as f32);
            let (across, up) = (LENS[0] * size * c, LENS[1] * size * s);
            add(eye, [across, up - 0.02, BEFORE - 0.10 * smoothstep(0.0, 0.3, across * side)])
        };
        let middle = add(eye, [0.0, -0.02, BEFORE - 0.02]);
        for sector in 0..SECTORS {
            let next = sector + 1;
            if dark {
                stage.triangle([middle, rim(sector, 1.0), rim(next, 1.0)].map(&place), DARK);
            }
            let [a, b] = [rim(sector, 0.94), rim(next, 0.94)];
            let [c, d] = [rim(next, 1.06), rim(sector, 1.06)];
            stage.quad([a, b, c, d].map(&place), FRAME);
        }
        // The temple, back to the ear.
        let hinge = add(eye, [LENS[0] * 1.05 * side, 0.05, BEFORE - 0.12]);
        let [top, low] = [0.025, -0.025].map(|dy| add(hinge, [0.0, dy, 0.0]));
        let back = |p: V3| add(p, [0.14 * side, 0.0, -1.0]);
        stage.quad([top, low, back(low), back(top)].map(&place), FRAME);
    }
    let [a, b] = eyes.map(|eye| add(eye, [-LENS[0] * 0.95 * eye[0].signum(), 0.02, BEFORE]));
    let up = |p: V3| add(p, [0.0, 0.04, 0.0]);
    stage.quad([a, b, up(b), up(a)].map(&place), FRAME);
}

/// A cap's peak: a half moon before the forehead, a little downward.
fn peak(stage: &mut Stage<'_>, place: impl Fn(V3) -> V3) {
    let edge = |n: usize, out: f32| {
        let angle = core::f32::consts::PI * n as f32 / SECTORS as f32;
        let (s, c) = libm::sincosf(angle);
        [0.72 * c, lerp(0.62, 0.55, out), 0.05 + 0.50 * s + 0.55 * out * s]
    };
    for n in 0..SECTORS {
        let corners = [edge(n, 0.0), edge(n + 1, 0.0), edge(n + 1, 1.0), edge(n, 1.0)];
        stage.quad(corners.map(&place), [0.03, 0.04, 0.08]);
    }
}
