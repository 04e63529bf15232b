//! The picture that our own eye network sees: a small luma crop on the eye corners, free of brightness and contrast.

use crate::{
    image::ImageView,
    math::Vec3,
    pose,
    roi::{self, Roi},
    warp::{Border, Fill},
};

/// Width of the picture, pixels.
pub const WIDTH: usize = 48;
/// Height of the picture, pixels.
pub const HEIGHT: usize = 32;
/// The picture's width over the distance between the eye corners: room for a lid that stands high and for corners that the
/// mesh put a little wrong.
const MARGIN: f32 = 1.7;
/// A crop with less contrast than this (standard deviation, of 255) shows nothing; its noise is not blown up further.
const MIN_CONTRAST: f32 = 4.0;

/// One unit of the network's gaze, degrees.
pub const GAZE_UNIT_DEG: f32 = 30.0;

/// What the network says of the pitch is this much too small, fitted over nine rendered faces (1.28; 1.25 on the three held out):
/// the lids that follow the eye hide half of what there is to see.
const PITCH_GAIN: f32 = 1.25;

/// Where an eye looks in the head (canonical axes: x to the face's left, y up, z out of the face), from the network's gaze:
/// yaw in the sense of the picture (a left eye is shown mirrored) and pitch. None for what is no number.
pub fn direction(eye: usize, gaze: [f32; 2]) -> Option<Vec3> {
    /// Eyes turn no farther than this, degrees.
    const REACH_DEG: f32 = 45.0;
    if !gaze.iter().all(|n| n.is_finite()) {
        return None;
    }
    let [yaw, pitch] = gaze.map(|n| (n * GAZE_UNIT_DEG).clamp(-REACH_DEG, REACH_DEG));
    let [x, y, z] = pose::direction(if eye == 0 { yaw } else { -yaw }, pitch * PITCH_GAIN);
    // From the camera's axes (y down, z away) to the face's.
    Some([x, -y, -z])
}

/// Where the eye network looks for the eye with these corners (left to right in an upright frame).
pub fn roi(corners: [[f32; 2]; 2]) -> Roi {
    let width = MARGIN * roi::distance(corners[0], corners[1]);
    Roi {
        centre: roi::middle(corners[0], corners[1]),
        size: [width, width * HEIGHT as f32 / WIDTH as f32],
        angle: roi::angle(corners[0], corners[1]),
    }
}

/// A region of the eye that is darker than the cheek below it by this factor is dark glass: lids are as bright as the cheek or a little
/// less, shadows in the socket leave half. No number of a standard; it fits rendered frames.
const DARK_GLASS: f32 = 0.35;
/// Of 255: where the cheek itself is darker than this, nothing is told.
const CHEEK_SEEN: f32 = 24.0;

/// Whether dark glass, or something like it, hides an eye: `mean` is the crop's brightness, `cheek` a point on the cheek below it. Its
/// network would see a closed eye.
pub fn hidden(view: &ImageView<'_>, mean: f32, cheek: [f32; 2], corners: [[f32; 2]; 2]) -> bool {
    const SIDE: usize = 4;
    let size = 0.4 * roi::distance(corners[0], corners[1]);
    let map = Roi::square(cheek, size, roi::angle(corners[0], corners[1])).map(SIDE, SIDE);
    let fill = Fill { width: SIDE, height: SIDE, range: (0.0, 255.0), border: Border::Nearest, taps: 1 };
    let mut patch = [0.0; SIDE * SIDE];
    view.warp_luma(&map, &fill, &mut patch);
    let cheek = patch.iter().sum::<f32>() / patch.len() as f32;
    cheek > CHEEK_SEEN && mean < DARK_GLASS * cheek
}

/// Fills `out` ([`WIDTH`] x [`HEIGHT`] luma) with an eye (0: the driver's right, 1: left, shown mirrored), of mean zero and
/// deviation one. Returns mean and deviation before, of 255.
pub fn crop(view: &ImageView<'_>, eye: usize, corners: [[f32; 2]; 2], out: &mut [f32]) -> [f32; 2] {
    let roi = roi(corners);
    let map = if eye == 0 { roi.map(WIDTH, HEIGHT) } else { roi.mirrored_map(WIDTH, HEIGHT) };
    let taps = if roi.size[0] > 1.5 * WIDTH as f32 { 2 } else { 1 };
    let fill = Fill { width: WIDTH, height: HEIGHT, range: (0.0, 255.0), border: Border::Nearest, taps };
    view.warp_luma(&map, &fill, out);
    let count = out.len() as f32;
    let mean = out.iter().sum::<f32>() / count;
    let deviation = (out.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / count).sqrt();
    let factor = 1.0 / deviation.max(MIN_CONTRAST);
    for value in out.iter_mut() {
        *value = (*value - mean) * factor;
    }
    [mean, deviation]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with a bright bar at the left of the eye region.
    fn picture(gain: u8, offset: u8) -> Vec<u8> {
        (0..100 * 60).map(|i| offset + gain * u8::from(i % 100 < 45)).collect()
    }

    fn cropped(data: &[u8], eye: usize) -> Vec<f32> {
        let view = ImageView::new("mono8", 100, 60, 100, data).expect("a sound image");
        let mut out = vec![0.0; WIDTH * HEIGHT];
        crop(&view, eye, [[35.0, 30.0], [65.0, 30.0]], &mut out);
        out
    }

    #[test]
    fn light_and_contrast_do_not_change_the_crop() {
        let (dim, bright) = (cropped(&picture(20, 10), 0), cropped(&picture(120, 90), 0));
        assert!(dim.iter().zip(&bright).all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn a_left_eye_is_shown_mirrored() {
        let (right, left) = (cropped(&picture(100, 0), 0), cropped(&picture(100, 0), 1));
        assert!((right[0] - left[WIDTH - 1]).abs() < 1e-3 && right[0] > left[0]);
    }

    #[test]
    fn both_eyes_that_look_to_the_nose_look_at_each_other() {
        let (right, left) = (direction(0, [0.5, 0.0]), direction(1, [0.5, 0.0]));
        let (right, left) = (right.expect("a number"), left.expect("a number"));
        assert!(right[0] > 0.2 && (right[0] + left[0]).abs() < 1e-6 && right[2] > 0.9);
        assert!(direction(0, [0.0, 0.4]).expect("a number")[1] > 0.2);
        assert_eq!(direction(0, [f32::NAN, 0.0]), None);
    }

    #[test]
    fn dark_glass_is_an_eye_that_is_not_seen_and_a_dim_face_is_not_dark_glass() {
        // The cheek is the lower half.
        let face = |eye: u8, cheek: u8| -> Vec<u8> {
            (0..100 * 60).map(|i| if i < 100 * 42 { eye } else { cheek }).collect()
        };
        let hides = |data: &[u8]| {
            let view = ImageView::new("mono8", 100, 60, 100, data).expect("a sound image");
            let (corners, mut out) = ([[35.0, 25.0], [65.0, 25.0]], vec![0.0; WIDTH * HEIGHT]);
            let [mean, _] = crop(&view, 0, corners, &mut out);
            hidden(&view, mean, [50.0, 52.0], corners)
        };
        assert!(hides(&face(12, 150)) && hides(&face(20, 60)));
        assert!(!hides(&face(75, 150)) && !hides(&face(60, 140)), "a socket in the shade");
        assert!(!hides(&face(4, 20)), "too dark to tell");
    }

    #[test]
    fn a_flat_picture_gives_no_huge_numbers() {
        assert!(cropped(&picture(0, 50), 0).iter().all(|v| v.abs() < 1e-3));
    }
}
