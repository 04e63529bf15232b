//! Head pose: the canonical face fitted to its points in the frame. A weak-perspective start in closed form, then
//! Gauss-Newton on the reprojection error with weights that fade for points far off (an open jaw, a hand).
//!
//! Camera frame: x right, y down, z along the view, centimetres. Angles are those of `DriverState`: yaw positive to the
//! driver's left (right in the picture), pitch positive up, roll positive when the head's top leans to the
//! driver's right.

use crate::{
    canonical::BASIS,
    math::{self, Mat3, Vec3},
};

/// A pinhole camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pinhole {
    /// Focal length, pixels.
    pub focal: f32,
    /// Principal point, pixels.
    pub centre: [f32; 2],
}

impl Pinhole {
    /// A camera whose picture of `width` x `height` spans `fov_deg` from left to right, its axis in the middle.
    pub fn with_fov(fov_deg: f32, width: usize, height: usize) -> Pinhole {
        let (w, h) = (width as f32, height as f32);
        Pinhole { focal: w / 2.0 / (fov_deg.to_radians() / 2.0).tan(), centre: [w / 2.0, h / 2.0] }
    }

    /// Where a point of the camera frame appears.
    pub fn project(&self, p: Vec3) -> [f32; 2] {
        [self.centre[0] + self.focal * p[0] / p[2], self.centre[1] + self.focal * p[1] / p[2]]
    }

    /// The direction (not of unit length) in which a pixel looks.
    pub fn ray(&self, at: [f32; 2]) -> Vec3 {
        [(at[0] - self.centre[0]) / self.focal, (at[1] - self.centre[1]) / self.focal, 1.0]
    }
}

/// Where the head is, in the camera frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// From the canonical face's axes to the camera's.
    pub rotation: Mat3,
    /// Of the canonical face's origin (between the ears, at nose height), cm; as if the head were of canonical size.
    pub translation: Vec3,
    /// Root mean square reprojection error over the distance between the outer eye corners: about 0.03 on a good fit.
    pub residual: f32,
}

/// Yaw, pitch and roll, degrees.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Angles {
    /// Positive: to the driver's left.
    pub yaw: f32,
    /// Positive: up.
    pub pitch: f32,
    /// Positive: the head's top leans to the driver's right.
    pub roll: f32,
}

/// Steps of refinement; the error stands still after three to four.
const STEPS: usize = 6;
/// Points farther off than this share of the eye distance count less (Huber).
const FAR_OFF: f32 = 0.04;

impl Pose {
    /// Fits the canonical face to the basis points of a frame; none when they are no face (degenerate, or no numbers).
    pub fn fit(points: &[[f32; 2]; BASIS.len()], camera: &Pinhole) -> Option<Pose> {
        let mut pose = weak_perspective(points, camera)?;
        let eyes = eye_distance(points)?;
        for _ in 0..STEPS {
            pose = refine(&pose, points, camera, eyes)?;
        }
        (pose.residual.is_finite() && pose.translation[2] > 0.0).then_some(pose)
    }

    /// A point of the canonical face in the camera frame.
    pub fn place(&self, point: Vec3) -> Vec3 {
        math::add(math::mul(&self.rotation, point), self.translation)
    }

    /// Where the face points, and its lean, against the camera: zero when it faces straight down the camera's axis.
    pub fn angles(&self) -> Angles {
        let forward = math::mul(&self.rotation, [0.0, 0.0, 1.0]);
        let (yaw, pitch) = yaw_pitch(forward);
        // The face's left against the level left of a head that looks the same way without leaning.
        let left = math::mul(&self.rotation, [1.0, 0.0, 0.0]);
        let level = math::unit(math::cross(forward, [0.0, 1.0, 0.0])).unwrap_or([1.0, 0.0, 0.0]);
        let down = math::cross(level, forward);
        let roll = (-math::dot(left, down)).atan2(math::dot(left, level)).to_degrees();
        Angles { yaw, pitch, roll }
    }
}

/// Yaw and pitch in degrees of a direction in the camera frame; (0, 0) is straight at the camera.
pub fn yaw_pitch(direction: Vec3) -> (f32, f32) {
    let [x, y, z] = direction;
    (x.atan2(-z).to_degrees(), (-y).atan2(x.hypot(z)).to_degrees())
}

/// The direction in the camera frame of a yaw and a pitch in degrees.
pub fn direction(yaw: f32, pitch: f32) -> Vec3 {
    let ((sy, cy), (sp, cp)) = (yaw.to_radians().sin_cos(), pitch.to_radians().sin_cos());
    [sy * cp, -sp, -cy * cp]
}

fn eye_distance(points: &[[f32; 2]; BASIS.len()]) -> Option<f32> {
    let at = |mesh: usize| BASIS.iter().position(|anchor| anchor.index == mesh).map(|i| points[i]);
    let (right, left) = (at(33)?, at(263)?);
    // Foreshortened eyes still say how large the face is, by the height from brow to chin.
    let (top, chin) = (at(10)?, at(136)?);
    let size = crate::roi::distance(right, left).max(0.5 * crate::roi::distance(top, chin));
    (size.is_finite() && size > 4.0).then_some(size)
}

/// The face as if seen from infinity (POS): each picture axis is linear in the canonical point.
fn weak_perspective(points: &[[f32; 2]; BASIS.len()], camera: &Pinhole) -> Option<Pose> {
    let mut a = [[0.0_f32; 4]; 4];
    let (mut bu, mut bv) = ([0.0_f32; 4], [0.0_f32; 4]);
    for (anchor, point) in BASIS.iter().zip(points) {
        let row = [anchor.at[0], anchor.at[1], anchor.at[2], 1.0];
        for i in 0..4 {
            for j in 0..4 {
                a[i][j] += anchor.weight * row[i] * row[j];
            }
            bu[i] += anchor.weight * row[i] * (point[0] - camera.centre[0]);
            bv[i] += anchor.weight * row[i] * (point[1] - camera.centre[1]);
        }
    }
    let (u, v) = (math::solve(&a, &bu)?, math::solve(&a, &bv)?);
    let (ru, rv) = ([u[0], u[1], u[2]], [v[0], v[1], v[2]]);
    let scale = (math::norm(ru) + math::norm(rv)) / 2.0;
    if scale.is_nan() || scale < 1e-3 {
        return None;
    }
    // Nearest orthonormal pair, symmetric in both.
    let (iu, iv) = (math::unit(ru)?, math::unit(rv)?);
    let (sum, difference) = (math::unit(math::add(iu, iv))?, math::unit(math::sub(iu, iv))?);
    let half = core::f32::consts::FRAC_1_SQRT_2;
    let x = math::scale(math::add(sum, difference), half);
    let y = math::scale(math::sub(sum, difference), half);
    let z = math::cross(x, y);
    let depth = camera.focal / scale;
    Some(Pose {
        rotation: [x, y, z],
        translation: [u[3] * depth / camera.focal, v[3] * depth / camera.focal, depth],
        residual: f32::INFINITY,
    })
}

/// One Gauss-Newton step over a small rotation (applied on the left) and a translation.
fn refine(pose: &Pose, points: &[[f32; 2]; BASIS.len()], camera: &Pinhole, eyes: f32) -> Option<Pose> {
    let mut a = [[0.0_f32; 6]; 6];
    let mut b = [0.0_f32; 6];
    let (mut error, mut total) = (0.0, 0.0);
    for (anchor, point) in BASIS.iter().zip(points) {
        let turned = math::mul(&pose.rotation, anchor.at);
        let p = math::add(turned, pose.translation);
        if p[2] < 1.0 {
            return None;
        }
        let seen = camera.project(p);
        let miss = [(point[0] - seen[0]) / eyes, (point[1] - seen[1]) / eyes];
        let size = miss[0].hypot(miss[1]);
        let weight = anchor.weight * (FAR_OFF / size.max(FAR_OFF));
        error += anchor.weight * size * size;
        total += anchor.weight;
        let f = camera.focal / p[2] / eyes;
        // d(seen)/d(p), then d(p)/d(rotation) = -[turned]x and d(p)/d(translation) = identity.
        let jacobian = [[f, 0.0, -f * p[0] / p[2]], [0.0, f, -f * p[1] / p[2]]];
        for (row, miss) in jacobian.iter().zip(miss) {
            let w = math::cross(turned, *row);
            let j = [w[0], w[1], w[2], row[0], row[1], row[2]];
            for i in 0..6 {
                for k in 0..6 {
                    a[i][k] += weight * j[i] * j[k];
                }
                b[i] += weight * j[i] * miss;
            }
        }
    }
    // A trace of damping keeps a face seen from far away (depth hardly observable) solvable.
    for (i, row) in a.iter_mut().enumerate() {
        row[i] *= 1.0 + 1e-4;
    }
    let step = math::solve(&a, &b)?;
    let turn = math::rotation([step[0], step[1], step[2]]);
    Some(Pose {
        rotation: math::mat_mul(&turn, &pose.rotation),
        translation: math::add(pose.translation, [step[3], step[4], step[5]]),
        residual: (error / total).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: Pinhole = Pinhole { focal: 700.0, centre: [320.0, 240.0] };
    /// The canonical face looking straight at the camera.
    const FACING: Mat3 = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]];

    fn seen(rotation: Mat3, translation: Vec3) -> [[f32; 2]; BASIS.len()] {
        let pose = Pose { rotation, translation, residual: 0.0 };
        BASIS.map(|anchor| CAMERA.project(pose.place(anchor.at)))
    }

    /// A head turned by yaw, then pitch (degrees, signs of `DriverState`).
    fn turned(yaw: f32, pitch: f32) -> Mat3 {
        let y = math::rotation([0.0, -yaw.to_radians(), 0.0]);
        let x = math::rotation([-pitch.to_radians(), 0.0, 0.0]);
        math::mat_mul(&y, &math::mat_mul(&x, &FACING))
    }

    #[test]
    fn a_head_that_faces_the_camera_is_at_zero() {
        let pose = Pose::fit(&seen(FACING, [0.0, 0.0, 60.0]), &CAMERA).expect("a face");
        let Angles { yaw, pitch, roll } = pose.angles();
        assert!(yaw.abs() < 0.01 && pitch.abs() < 0.01 && roll.abs() < 0.01, "{yaw} {pitch} {roll}");
    }

    #[test]
    fn turned_heads_are_measured_to_a_tenth_of_a_degree_over_the_whole_range() {
        for yaw in [-60.0, -35.0, -10.0, 0.0, 20.0, 45.0, 60.0] {
            for pitch in [-40.0, -15.0, 0.0, 25.0] {
                let points = seen(turned(yaw, pitch), [6.0, -4.0, 55.0]);
                let pose = Pose::fit(&points, &CAMERA).expect("a face");
                let angles = pose.angles();
                assert!(
                    (angles.yaw - yaw).abs() < 0.1 && (angles.pitch - pitch).abs() < 0.1,
                    "{yaw} {pitch}: {angles:?}"
                );
                assert!(pose.residual < 0.01, "{}", pose.residual);
            }
        }
    }

    #[test]
    fn left_of_the_driver_is_right_in_the_picture() {
        assert!(
            Pose::fit(&seen(turned(30.0, 0.0), [0.0, 0.0, 60.0]), &CAMERA).expect("a face").angles().yaw
                > 29.0
        );
        assert!(math::mul(&turned(30.0, 0.0), [0.0, 0.0, 1.0])[0] > 0.4);
    }

    #[test]
    fn a_lean_to_the_right_shoulder_is_a_positive_roll_and_no_yaw() {
        // The driver's right is left in the picture: leaning there is anticlockwise.
        let lean = math::mat_mul(&math::rotation([0.0, 0.0, -20_f32.to_radians()]), &FACING);
        let angles = Pose::fit(&seen(lean, [0.0, 0.0, 60.0]), &CAMERA).expect("a face").angles();
        assert!((angles.roll - 20.0).abs() < 0.1 && angles.yaw.abs() < 0.1, "{angles:?}");
    }

    #[test]
    fn a_yawn_hardly_moves_the_pose() {
        let mut points = seen(FACING, [0.0, 0.0, 60.0]);
        for (anchor, point) in BASIS.iter().zip(points.iter_mut()) {
            if anchor.index == 136 || anchor.index == 365 {
                point[1] += 25.0;
            }
        }
        let angles = Pose::fit(&points, &CAMERA).expect("a face").angles();
        assert!(angles.pitch.abs() < 2.0, "{angles:?}");
    }

    #[test]
    fn what_is_no_face_has_no_pose() {
        assert_eq!(Pose::fit(&[[100.0, 100.0]; BASIS.len()], &CAMERA), None);
        assert_eq!(Pose::fit(&[[f32::NAN; 2]; BASIS.len()], &CAMERA), None);
    }

    #[test]
    fn a_direction_and_its_angles_agree() {
        let (yaw, pitch) = yaw_pitch(direction(-37.0, 12.0));
        assert!((yaw + 37.0).abs() < 1e-3 && (pitch - 12.0).abs() < 1e-3);
    }
}
