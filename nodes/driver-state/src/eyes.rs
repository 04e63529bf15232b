//! The picture that our own eye network sees: a small luma crop on the eye corners, free of brightness and contrast.

use crate::{
    image::{Border, Fill, ImageView},
    roi::{self, Roi},
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

/// Where the eye network looks for the eye with these corners (left to right in an upright frame).
pub fn roi(corners: [[f32; 2]; 2]) -> Roi {
    let width = MARGIN * roi::distance(corners[0], corners[1]);
    Roi {
        centre: roi::middle(corners[0], corners[1]),
        size: [width, width * HEIGHT as f32 / WIDTH as f32],
        angle: roi::angle(corners[0], corners[1]),
    }
}

/// Fills `out` ([`WIDTH`] x [`HEIGHT`] luma) with an eye (0: the driver's right, 1: left, shown mirrored), of mean zero and
/// deviation one. Returns the deviation before, of 255.
pub fn crop(view: &ImageView<'_>, eye: usize, corners: [[f32; 2]; 2], out: &mut [f32]) -> f32 {
    let roi = roi(corners);
    let map = if eye == 0 { roi.map(WIDTH, HEIGHT) } else { roi.mirrored_map(WIDTH, HEIGHT) };
    let taps = if roi.size[0] > 1.5 * WIDTH as f32 { 2 } else { 1 };
    let fill = Fill { width: WIDTH, height: HEIGHT, range: (0.0, 255.0), border: Border::Nearest, taps };
    view.warp::<1>(&map, &fill, out);
    let count = out.len() as f32;
    let mean = out.iter().sum::<f32>() / count;
    let deviation = (out.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / count).sqrt();
    let factor = 1.0 / deviation.max(MIN_CONTRAST);
    for value in out.iter_mut() {
        *value = (*value - mean) * factor;
    }
    deviation
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
    fn a_flat_picture_gives_no_huge_numbers() {
        assert!(cropped(&picture(0, 50), 0).iter().all(|v| v.abs() < 1e-3));
    }
}
