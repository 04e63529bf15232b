//! The iris: where MediaPipe's `iris_landmark` looks, what it answers, and the eye's direction in the head from it.
//!
//! The network sees a 64 x 64 picture of the right eye; a left eye is shown to it mirrored. The direction comes from the
//! ray through the iris centre, cut with an eyeball that is hung on the eye corners.

use crate::{
    math::{self, Vec3},
    mesh,
    pose::{Pinhole, Pose},
    roi::{self, Roi},
    warp::Affine,
};

/// Side of the picture that the network sees, pixels.
pub const SIDE: usize = 64;
/// Points of an iris: its centre, then four on its rim.
pub const POINTS: usize = 5;

/// The picture of an eye is this many times as wide as the eye (`iris_landmark_landmarks_to_roi`).
const EYE_MARGIN: f32 = 2.3;

/// Radius of the sphere on which the centre of the iris moves, cm: the adult eye's centre of rotation lies 13.5 mm behind the
/// cornea's apex and the iris plane 3.6 mm behind it.
const IRIS_RADIUS_CM: f32 = 0.99;
/// From the middle between the eye corners to the eye's centre of rotation, cm, along the canonical face's axis out of the
/// face; the lids of the canonical face stand 0.4 cm before the corners, and the cornea's apex about there.
const EYE_CENTRE_DEPTH_CM: f32 = -0.90;
/// Corners of the driver's right eye on the canonical face (mesh points 33, 133), cm; the left is its mirror image.
const RIGHT_CORNERS: [Vec3; 2] = [[-4.4459, 2.6640, 3.1734], [-1.8564, 2.5852, 3.7579]];

/// Where an iris network looks for the eye with these corners.
pub fn roi(corners: [[f32; 2]; 2]) -> Roi {
    let width = roi::distance(corners[0], corners[1]);
    Roi::square(roi::middle(corners[0], corners[1]), EYE_MARGIN * width, roi::angle(corners[0], corners[1]))
}

/// The iris points in the frame, from the network's answer (x, y, z of each, pixels of its picture) and the map that the
/// picture was taken with (mirrored for a left eye); none when the answer holds what is no number.
pub fn decode(raw: &[f32], map: &Affine) -> Option<[[f32; 2]; POINTS]> {
    let mut out = [[0.0; 2]; POINTS];
    if raw.len() != POINTS * 3 {
        return None;
    }
    for (point, xyz) in out.iter_mut().zip(raw.chunks_exact(3)) {
        *point = map.apply(xyz[0], xyz[1]);
    }
    out.iter().flatten().all(|n| n.is_finite()).then_some(out)
}

/// Where an eye looks, in the canonical face's axes (x to the face's left, y up, z out of the face), of length one.
///
/// `eye` is 0 for the driver's right, 1 for the left; `corners` and `iris` are frame positions.
pub fn direction(
    eye: usize,
    corners: [[f32; 2]; 2],
    iris: [f32; 2],
    pose: &Pose,
    camera: &Pinhole,
) -> Option<Vec3> {
    let mirror = |p: Vec3| if eye == 0 { p } else { [-p[0], p[1], p[2]] };
    let placed = RIGHT_CORNERS.map(|corner| pose.place(mirror(corner)));
    let model_middle = roi::middle(camera.project(placed[0]), camera.project(placed[1]));
    let seen_middle = roi::middle(corners[0], corners[1]);
    // The pose fits the face as a whole; shift the iris so that this eye's corners fit too.
    let shifted = [iris[0] - seen_middle[0] + model_middle[0], iris[1] - seen_middle[1] + model_middle[1]];
    let ray = math::unit(camera.ray(shifted))?;

    let axis_depth = mirror(math::scale(math::add(RIGHT_CORNERS[0], RIGHT_CORNERS[1]), 0.5));
    let centre = pose.place(math::add(axis_depth, [0.0, 0.0, EYE_CENTRE_DEPTH_CM]));
    // The near cut of the ray with the sphere; a ray that misses it takes the nearest point of the rim.
    let along = math::dot(centre, ray);
    let miss = math::dot(centre, centre) - along * along;
    let half = (IRIS_RADIUS_CM * IRIS_RADIUS_CM - miss).max(0.0).sqrt();
    let gaze = math::unit(math::sub(math::scale(ray, along - half), centre))?;
    math::unit(math::mul(&math::transpose(&pose.rotation), gaze))
}

/// How far an eye's corners are from level with the camera: the eye on the far side of a turned head shows its white only.
pub fn visibility(eye: usize, head_yaw: f32) -> f32 {
    /// From here on (degrees) the nose begins to hide the far eye, and it is lost 25 degrees later.
    const FAR_EYE_FADES: f32 = 15.0;
    const FADES_OVER: f32 = 25.0;
    // A head turned to the driver's left hides the left eye.
    let away = if eye == 0 { -head_yaw } else { head_yaw };
    (1.0 - (away - FAR_EYE_FADES) / FADES_OVER).clamp(0.0, 1.0)
}

/// Where the two corners of each eye are in the mesh, for the roi of a network.
pub fn corners(mesh: &mesh::Mesh) -> [[[f32; 2]; 2]; 2] {
    [mesh.eye(0), mesh.eye(1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pose;

    const CAMERA: Pinhole = Pinhole { focal: 700.0, centre: [320.0, 240.0] };

    fn head(yaw: f32) -> Pose {
        let facing = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]];
        let turn = math::rotation([0.0, -yaw.to_radians(), 0.0]);
        Pose { rotation: math::mat_mul(&turn, &facing), translation: [3.0, 2.0, 60.0], residual: 0.0 }
    }

    /// What a camera sees of an eye that looks along `gaze` (canonical axes).
    fn seen(eye: usize, pose: &Pose, gaze: Vec3) -> ([[f32; 2]; 2], [f32; 2]) {
        let mirror = |p: Vec3| if eye == 0 { p } else { [-p[0], p[1], p[2]] };
        let mut corners = RIGHT_CORNERS.map(|corner| CAMERA.project(pose.place(mirror(corner))));
        if eye == 1 {
            corners.swap(0, 1);
        }
        let middle = mirror(math::scale(math::add(RIGHT_CORNERS[0], RIGHT_CORNERS[1]), 0.5));
        let centre = math::add(middle, [0.0, 0.0, EYE_CENTRE_DEPTH_CM]);
        (corners, CAMERA.project(pose.place(math::add(centre, math::scale(gaze, IRIS_RADIUS_CM)))))
    }

    #[test]
    fn an_eye_that_looks_somewhere_is_read_so_whatever_the_head_does() {
        for yaw in [-30.0, 0.0, 25.0] {
            for gaze in [[0.0, 0.0, 1.0], [0.4, 0.1, 0.9], [-0.3, -0.35, 0.88]] {
                let gaze = math::unit(gaze).expect("a direction");
                for eye in [0, 1] {
                    let pose = head(yaw);
                    let (corners, iris) = seen(eye, &pose, gaze);
                    let read = direction(eye, corners, iris, &pose, &CAMERA).expect("a direction");
                    assert!(math::norm(math::sub(read, gaze)) < 1e-2, "{yaw} {eye} {gaze:?} {read:?}");
                }
            }
        }
    }

    #[test]
    fn a_gaze_to_the_left_is_to_the_left_in_the_frame_too() {
        let pose = head(0.0);
        let (_, iris) = seen(0, &pose, [0.5, 0.0, 0.87]);
        let (_, straight) = seen(0, &pose, [0.0, 0.0, 1.0]);
        assert!(iris[0] > straight[0]);
        assert!(pose::yaw_pitch(math::mul(&pose.rotation, [0.5, 0.0, 0.87])).0 > 25.0);
    }

    #[test]
    fn an_iris_far_off_the_eye_gives_its_rim_and_not_a_nan() {
        let pose = head(0.0);
        let (corners, iris) = seen(0, &pose, [0.0, 0.0, 1.0]);
        let read = direction(0, corners, [iris[0] + 60.0, iris[1]], &pose, &CAMERA).expect("a direction");
        assert!(read[0] > 0.8 && read.iter().all(|n| n.is_finite()), "{read:?}");
    }

    #[test]
    fn the_far_eye_fades_as_the_head_turns() {
        assert_eq!((visibility(0, 45.0), visibility(1, 45.0)), (1.0, 0.0));
        assert_eq!((visibility(0, -45.0), visibility(1, -45.0)), (0.0, 1.0));
        assert_eq!((visibility(0, 5.0), visibility(1, 5.0)), (1.0, 1.0));
    }

    #[test]
    fn an_answer_that_is_no_number_is_no_iris() {
        let map = Roi::square([0.0, 0.0], 64.0, 0.0).map(SIDE, SIDE);
        assert_eq!(decode(&[f32::NAN; 15], &map), None);
        assert_eq!(decode(&[1.0; 12], &map), None);
        assert!(decode(&[32.0; 15], &map).is_some());
    }
}
