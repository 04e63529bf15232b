//! Whether the face that is followed became another's from one frame to the next: a camera's input that was exchanged, a picture that was
//! put before another, a tracker that jumped to the passenger. Nobody is recognised and nothing of a face is kept beyond seven frames.
//!
//! Two things are held from frame to frame: how the face's own form differs from the canonical one that was fitted to it, and how its
//! skin's brightness goes over the mesh. Both follow the face, so that where it is and how bright it is do not matter. A head that turns, a
//! hand that comes and a yawn change them over several frames; another face changes both at once, and they stay changed.

use troika_kit::{Duration, Time};

use crate::{
    canonical::BASIS,
    image::ImageView,
    math,
    mesh::{Mesh, POINTS},
    pose::{Pinhole, Pose},
};

/// Numbers of the form: x and y of each point of the basis.
const FORM: usize = 2 * BASIS.len();
/// Frames that are looked at together: three before a jump, the first behind it, three more.
const HELD: usize = 7;
/// The first frame behind a jump, of those that are held from the oldest on.
const BEHIND: usize = 3;
/// How far both have to jump: centimetres of the form (root mean square) times the unlikeness of the brightness (half the square of the
/// distance of two vectors of length one). Of rendered faces, from one to another 0.03 (0.006 to 0.09 but for the first and the last hundredth); from
/// a frame to the next of the same 0.00014, and of one in a hundred as much as this.
const JUMP: f32 = 0.004;
/// And how many times as far as in any frame around: a head that turns fast changes as much, but not in one frame.
const ALONE: f32 = 3.0;
/// What stays of it, as a share, when the three frames before are held against the three behind.
const STAYS: f32 = 0.8;
/// Frames that lie further apart are not compared: a driver has moved meanwhile.
const GAP: Duration = Duration::from_millis(120);
/// Of 255: where a face has less contrast than this, its noise is not blown up.
const MIN_CONTRAST: f32 = 4.0;

/// Points of the eyes and the lips, which move: their brightness says nothing of whose they are.
#[rustfmt::skip]
const MOVING: [usize; 72] = [
    7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246,
    249, 263, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466,
    0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191,
    267, 269, 270, 291, 308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415,
];

/// What is held of a face.
#[derive(Debug, Clone)]
pub struct Traits {
    /// How far each point of the basis lies from where the fitted face has it, cm, in the picture's plane.
    form: [f32; FORM],
    /// Brightness at the mesh's points, of mean zero and length one; zero where a point moves.
    shade: [f32; POINTS],
}

impl Default for Traits {
    fn default() -> Self {
        Traits { form: [0.0; FORM], shade: [0.0; POINTS] }
    }
}

impl Traits {
    /// Takes them from a frame in which the mesh and the pose were found.
    pub fn read(&mut self, view: &ImageView<'_>, mesh: &Mesh, pose: &Pose, camera: &Pinhole) {
        for ((out, anchor), at) in self.form.chunks_exact_mut(2).zip(&BASIS).zip(mesh.basis()) {
            let placed = pose.place(anchor.at);
            let (seen, scale) = (camera.project(placed), placed[2] / camera.focal);
            out.copy_from_slice(&[(at[0] - seen[0]) * scale, (at[1] - seen[1]) * scale]);
        }
        for (shade, at) in self.shade.iter_mut().zip(mesh.points()) {
            *shade = brightness(view, *at);
        }
        let still = (POINTS - MOVING.len()) as f32;
        MOVING.iter().for_each(|point| self.shade[*point] = 0.0);
        let mean = self.shade.iter().sum::<f32>() / still;
        self.shade.iter_mut().for_each(|shade| *shade -= mean);
        MOVING.iter().for_each(|point| self.shade[*point] = 0.0);
        let length = self.shade.iter().map(|shade| shade * shade).sum::<f32>().sqrt();
        let factor = 1.0 / length.max(MIN_CONTRAST * still.sqrt());
        self.shade.iter_mut().for_each(|shade| *shade *= factor);
    }

    /// How far apart two are; see [`JUMP`].
    fn apart(&self, other: &Traits) -> f32 {
        let square = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let form = (square(&self.form, &other.form) / BASIS.len() as f32).sqrt();
        form * square(&self.shade, &other.shade) / 2.0
    }

    /// The middle one of three, number by number.
    fn middle(&mut self, of: [&Traits; 3]) {
        let [a, b, c] = of;
        for (n, out) in self.form.iter_mut().enumerate() {
            *out = math::middle(a.form[n], b.form[n], c.form[n]);
        }
        for (n, out) in self.shade.iter_mut().enumerate() {
            *out = math::middle(a.shade[n], b.shade[n], c.shade[n]);
        }
    }
}

/// The mean of nine pixels, of 255; at the picture's border of the nearest that are in it.
fn brightness(view: &ImageView<'_>, at: [f32; 2]) -> f32 {
    let inside = |at: f32, size: usize| at.clamp(1.0, size.max(3) as f32 - 2.0) as usize;
    let (x, y) = (inside(at[0], view.width()), inside(at[1], view.height()));
    let mut sum = 0.0;
    for y in y - 1..=y + 1 {
        for x in x - 1..=x + 1 {
            let [r, g, b] = view.rgb(x, y);
            sum += 0.299 * r + 0.587 * g + 0.114 * b;
        }
    }
    sum / 9.0
}

/// Watches for it.
#[derive(Debug)]
pub struct Another {
    /// The last ones, in a ring.
    held: Box<[Traits; HELD]>,
    /// How far each jumped from the one before.
    jumps: [f32; HELD],
    /// How many came since the face was found.
    count: usize,
    last: Time,
    before: Box<Traits>,
    behind: Box<Traits>,
}

impl Default for Another {
    fn default() -> Self {
        Another {
            held: Box::new(std::array::from_fn(|_| Traits::default())),
            jumps: [0.0; HELD],
            count: 0,
            last: Time::ZERO,
            before: Box::default(),
            behind: Box::default(),
        }
    }
}

impl Another {
    /// No face is followed any more.
    pub fn lost(&mut self) {
        self.count = 0;
    }

    /// Takes in the frame of `now`; true when the fourth frame before was of another face than this one and those between.
    pub fn is_there(&mut self, now: Time, traits: &Traits) -> bool {
        if self.count > 0 && (now <= self.last || now.since(self.last) > GAP) {
            self.lost();
        }
        self.last = now;
        let place = self.count % HELD;
        self.jumps[place] =
            if self.count == 0 { 0.0 } else { traits.apart(&self.held[(self.count - 1) % HELD]) };
        self.held[place].clone_from(traits);
        self.count += 1;
        if self.count < HELD || !self.jumped() {
            return false;
        }
        self.lost();
        true
    }

    fn jumped(&mut self) -> bool {
        // From the oldest on.
        let at = |n: usize| (self.count + n) % HELD;
        let jump = self.jumps[at(BEHIND)];
        // The frame right behind a jump settles: the mesh was looked for where the other face was. The oldest's is a jump from one that is gone.
        let around = [1, 2, 5, 6].map(|n| self.jumps[at(n)]).into_iter().fold(self.jumps[at(0)], f32::max);
        // What is no number is no jump.
        if !(jump >= JUMP && jump >= ALONE * around) {
            return false;
        }
        let three = |from: usize| [0, 1, 2].map(|n| &self.held[at(from + n)]);
        self.before.middle(three(0));
        self.behind.middle(three(BEHIND + 1));
        self.before.apart(&self.behind) >= STAYS * JUMP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody: a form of some millimetres, and a skin.
    fn face(seed: u32) -> Traits {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut noise = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        let mut traits = Traits::default();
        traits.form.iter_mut().for_each(|at| *at = 0.4 * noise());
        traits.shade.iter_mut().for_each(|shade| *shade = noise());
        let length = traits.shade.iter().map(|shade| shade * shade).sum::<f32>().sqrt();
        traits.shade.iter_mut().for_each(|shade| *shade /= length);
        traits
    }

    /// A share of the way from one to the other, with a frame's own noise.
    fn between(a: &Traits, b: &Traits, share: f32, frame: u32) -> Traits {
        let noise = face(1_000 + frame);
        let mix = |a: f32, b: f32, noise: f32| a + (b - a) * share + 0.02 * noise;
        let mut out = Traits::default();
        for n in 0..FORM {
            out.form[n] = mix(a.form[n], b.form[n], noise.form[n]);
        }
        for n in 0..POINTS {
            out.shade[n] = mix(a.shade[n], b.shade[n], noise.shade[n]);
        }
        out
    }

    /// The frames in which another was told, of 60 at 30 a second; `share` says how much of each is the other's.
    fn told(share: impl Fn(u32) -> f32, at: impl Fn(u32) -> f64) -> Vec<u32> {
        let (anna, kofi) = (face(1), face(2));
        let mut another = Another::default();
        let stamp = |frame| Time::from_nanos(1_000_000_000 + (at(frame) * 1e9) as u64);
        (0..60)
            .filter(|frame| another.is_there(stamp(*frame), &between(&anna, &kofi, share(*frame), *frame)))
            .collect()
    }

    fn even(frame: u32) -> f64 {
        f64::from(frame) / 30.0
    }

    #[test]
    fn another_face_is_told_three_frames_later_and_once() {
        troika_safety::verifies![SR_DMS_026];
        assert_eq!(told(|frame| if frame < 30 { 0.0 } else { 1.0 }, even), [33]);
        let back_and_forth = |frame: u32| (frame / 15 % 2) as f32;
        assert_eq!(told(back_and_forth, even), [18, 33, 48]);
    }

    #[test]
    fn what_changes_over_some_frames_or_for_one_is_the_same_face() {
        troika_safety::verifies![SR_DMS_026];
        assert_eq!(told(|_| 0.0, even), [] as [u32; 0], "noise alone");
        let turns = |frame: u32| (frame.saturating_sub(20) as f32 / 6.0).min(1.0);
        assert_eq!(told(turns, even), [] as [u32; 0], "a head that turns");
        let flash = |frame: u32| if frame == 30 { 1.0 } else { 0.0 };
        assert_eq!(told(flash, even), [] as [u32; 0], "one frame");
    }

    #[test]
    fn across_a_gap_and_behind_a_face_that_was_lost_nothing_is_told() {
        let later = |frame: u32| even(frame) + if frame < 30 { 0.0 } else { 0.2 };
        assert_eq!(told(|frame| if frame < 30 { 0.0 } else { 1.0 }, later), [] as [u32; 0]);
        let (anna, kofi) = (face(1), face(2));
        let mut another = Another::default();
        for frame in 0..60 {
            if frame == 30 {
                another.lost();
            }
            let now = Time::from_nanos(1_000_000_000 + u64::from(frame) * 33_000_000);
            assert!(!another.is_there(now, &between(&anna, &kofi, f32::from(u8::from(frame >= 30)), frame)));
        }
    }

    #[test]
    fn numbers_that_are_none_tell_nothing() {
        let mut broken = face(1);
        broken.shade[5] = f32::NAN;
        let mut another = Another::default();
        for frame in 0..40_u64 {
            let traits = if frame % 10 < 5 { face(2) } else { broken.clone() };
            assert!(!another.is_there(Time::from_nanos(1 + frame * 33_000_000), &traits));
        }
    }

    #[test]
    fn light_and_place_do_not_change_the_traits() {
        let picture = |gain: f32, left: usize| -> Vec<u8> {
            (0..120 * 100)
                .map(|i| {
                    let (x, y) = ((i % 120) as f32 - left as f32, (i / 120) as f32);
                    (gain * (60.0 + 40.0 * (x / 9.0).sin() * (y / 11.0).cos())).clamp(0.0, 255.0) as u8
                })
                .collect()
        };
        let traits = |gain: f32, left: usize| {
            let data = picture(gain, left);
            let view = ImageView::new("mono8", 120, 100, 120, &data).expect("a sound image");
            let raw: Vec<f32> = (0..POINTS)
                .flat_map(|i| [20.0 + (i % 24) as f32 * 3.0 + left as f32, 10.0 + (i / 24) as f32 * 4.0, 0.0])
                .collect();
            let mut mesh = Mesh::default();
            assert!(mesh.decode(&raw, &crate::roi::Roi::square([96.0, 96.0], 192.0, 0.0).map(192, 192)));
            let camera = Pinhole::with_fov(60.0, 120, 100);
            let pose = Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]],
                translation: [0.0, 0.0, 60.0],
                residual: 0.0,
            };
            let mut traits = Traits::default();
            traits.read(&view, &mesh, &pose, &camera);
            traits
        };
        let square = |a: &Traits, b: &Traits| {
            a.shade.iter().zip(&b.shade).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
        };
        let one = traits(1.0, 4);
        assert!((one.shade.iter().map(|s| s * s).sum::<f32>() - 1.0).abs() < 1e-3);
        assert!(square(&one, &traits(2.0, 4)) < 0.01, "twice as bright: {}", square(&one, &traits(2.0, 4)));
        assert!(square(&one, &traits(1.0, 14)) < 0.01, "further right: {}", square(&one, &traits(1.0, 14)));
    }
}
