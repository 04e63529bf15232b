//! Decoding of MediaPipe's palm detector (lite): 2,016 anchors of a 192 x 192 picture, each a box, seven key points and a
//! score. Pure; the network runs elsewhere.
//!
//! Numbers as in MediaPipe's `palm_detection_cpu` and `palm_detection_detection_to_roi` graphs (Apache-2.0): strides 8, 16,
//! 16, 16, two anchors a cell and layer, fixed anchor size, scores by a sigmoid, weighted suppression of overlaps over 0.3.

use core::f32::consts::FRAC_PI_2;

use troika_frame::{
    roi::{self, Roi},
    ssd::{Candidate, Mean, anchors, candidates},
    warp::Affine,
};

/// Side of the picture that the network sees, pixels.
pub const SIDE: usize = 192;
/// Anchors: 24 x 24 cells of stride 8 with two, 12 x 12 of stride 16 with six.
pub const ANCHORS: usize = 2016;
/// Numbers for each anchor: centre x, y, width, height, then x, y of seven key points.
pub const COORDINATES: usize = 18;

/// Key points: wrist, then the bases of index, middle, ring and little finger, then two of the thumb.
pub const KEYS: usize = 7;
const WRIST: usize = 0;
const MIDDLE_BASE: usize = 2;

/// Boxes that overlap by more than this (intersection over union) are one palm.
const SAME_PALM: f32 = 0.3;
/// Candidates over the score that are looked at; a palm makes about 10, so more is noise.
const MAX_CANDIDATES: usize = 64;
/// The hand's region is this many palm boxes …
const ROI_SCALE: f32 = 2.6;
/// … moved by this share of the box's height towards the fingers.
const ROI_SHIFT: f32 = 0.5;

/// A palm, in frame pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palm {
    /// 0..1.
    pub score: f32,
    /// Top-left corner, then width and height.
    pub rect: [f32; 4],
    /// See [`KEYS`].
    pub keys: [[f32; 2]; KEYS],
}

impl Palm {
    /// Where the hand network looks: turned so that the middle finger points up, moved towards the fingers, square.
    pub fn roi(&self) -> Roi {
        let [x, y, w, h] = self.rect;
        let angle = upright(self.keys[WRIST], self.keys[MIDDLE_BASE]);
        expand([x + w / 2.0, y + h / 2.0], [w, h], angle, ROI_SHIFT, ROI_SCALE)
    }
}

/// The turn that brings the direction from `wrist` to `finger` straight up: radians clockwise, -pi to pi.
pub(crate) fn upright(wrist: [f32; 2], finger: [f32; 2]) -> f32 {
    let angle = roi::angle(wrist, finger) + FRAC_PI_2;
    if angle > core::f32::consts::PI { angle - core::f32::consts::TAU } else { angle }
}

/// MediaPipe's rectangle transformation: a rectangle turned by `angle`, moved up along its own axis by `shift` of its
/// height, made square on its longer side and `scale` times as large.
pub(crate) fn expand(centre: [f32; 2], size: [f32; 2], angle: f32, shift: f32, scale: f32) -> Roi {
    let (s, c) = angle.sin_cos();
    let up = shift * size[1];
    Roi::square([centre[0] + up * s, centre[1] - up * c], scale * size[0].max(size[1]), angle)
}

/// The decoder with its fixed scratch memory.
#[derive(Debug)]
pub struct Decoder {
    anchors: Vec<[f32; 2]>,
    candidates: Vec<Candidate<COORDINATES>>,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { anchors: anchors(SIDE), candidates: Vec::with_capacity(MAX_CANDIDATES) }
    }
}

impl Decoder {
    /// The surest palm of at least `min_score`, or none. `regressors` holds [`ANCHORS`] x [`COORDINATES`] numbers and
    /// `scores` one logit an anchor; `map` is the one that the picture was taken with.
    pub fn decode(
        &mut self,
        regressors: &[f32],
        scores: &[f32],
        map: &Affine,
        min_score: f32,
    ) -> Option<Palm> {
        self.candidates.clear();
        let found = candidates(&self.anchors, regressors, scores, SIDE, min_score);
        let has_area = |palm: &Candidate<COORDINATES>| palm.numbers[2] > 0.0 && palm.numbers[3] > 0.0;
        self.candidates.extend(found.filter(has_area).take(MAX_CANDIDATES));
        // All that overlap the surest one are it, by their weights.
        let best = *self.candidates.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
        let mut mean = Mean::default();
        self.candidates.iter().filter(|one| best.overlap(one) > SAME_PALM).for_each(|one| mean.add(one));
        let palm = mean.of(best.score)?;
        Some(Palm { score: palm.score, rect: palm.rect_in(map, SIDE), keys: palm.keys_in(map, SIDE) })
    }
}

#[cfg(test)]
mod tests {
    use core::f32::consts::PI;

    use super::*;

    const WHOLE: Affine = Affine { right: [1.0, 0.0], down: [0.0, 1.0], origin: [0.0, 0.0] };

    fn nothing() -> (Vec<f32>, Vec<f32>) {
        (vec![0.0; ANCHORS * COORDINATES], vec![-100.0; ANCHORS])
    }

    fn put(raw: &mut (Vec<f32>, Vec<f32>), anchor: usize, logit: f32, side: f32) {
        raw.1[anchor] = logit;
        raw.0[anchor * COORDINATES + 2] = side;
        raw.0[anchor * COORDINATES + 3] = side;
    }

    fn decode(raw: &(Vec<f32>, Vec<f32>)) -> Option<Palm> {
        Decoder::default().decode(&raw.0, &raw.1, &WHOLE, 0.5)
    }

    #[test]
    fn there_are_2016_anchors_and_the_last_is_the_last_coarse_cell() {
        let anchors = anchors(SIDE);
        assert_eq!(anchors.len(), ANCHORS);
        assert_eq!(anchors[0], [1.0 / 48.0; 2]);
        assert_eq!(anchors[ANCHORS - 1], [23.0 / 24.0; 2]);
    }

    #[test]
    fn an_empty_picture_has_no_palm() {
        assert_eq!(decode(&nothing()), None);
    }

    #[test]
    fn overlapping_boxes_are_one_palm_weighted_by_score() {
        let mut raw = nothing();
        put(&mut raw, 0, 100.0, 64.0);
        put(&mut raw, 2, 100.0, 64.0);
        let palm = decode(&raw).expect("a palm");
        // Anchors 0 and 2 are one cell of 8 pixels apart: centres at 4 and 12.
        assert!((palm.rect[0] + palm.rect[2] / 2.0 - 8.0).abs() < 1e-3, "{palm:?}");
        assert!((palm.rect[2] - 64.0).abs() < 1e-3);
    }

    #[test]
    fn of_two_hands_the_surer_one_is_followed() {
        let mut raw = nothing();
        put(&mut raw, 0, 2.0, 48.0);
        put(&mut raw, 1151, 8.0, 32.0);
        let palm = decode(&raw).expect("a palm");
        assert!((palm.rect[2] - 32.0).abs() < 1e-3, "{palm:?}");
    }

    #[test]
    fn answers_that_are_no_numbers_or_have_no_area_are_left_out() {
        let mut raw = nothing();
        put(&mut raw, 5, f32::NAN, 20.0);
        put(&mut raw, 6, 3.0, f32::INFINITY);
        put(&mut raw, 7, 3.0, 0.0);
        put(&mut raw, 8, 3.0, -9.0);
        assert_eq!(decode(&raw), None);
    }

    #[test]
    fn the_region_of_an_upright_hand_is_moved_up_by_half_a_palm_and_is_26_tenths_as_large() {
        let mut palm = Palm { score: 1.0, rect: [100.0, 100.0, 40.0, 30.0], keys: [[0.0; 2]; KEYS] };
        palm.keys[WRIST] = [120.0, 140.0];
        palm.keys[MIDDLE_BASE] = [120.0, 100.0];
        let roi = palm.roi();
        assert!(roi.angle.abs() < 1e-6 && (roi.size[0] - 104.0).abs() < 1e-3, "{roi:?}");
        assert!((roi.centre[0] - 120.0).abs() < 1e-3 && (roi.centre[1] - 100.0).abs() < 1e-3, "{roi:?}");
    }

    #[test]
    fn a_hand_that_points_to_the_right_has_a_region_turned_by_a_quarter_and_moved_to_the_right() {
        let mut palm = Palm { score: 1.0, rect: [90.0, 90.0, 20.0, 20.0], keys: [[0.0; 2]; KEYS] };
        palm.keys[WRIST] = [80.0, 100.0];
        palm.keys[MIDDLE_BASE] = [110.0, 100.0];
        let roi = palm.roi();
        assert!((roi.angle - FRAC_PI_2).abs() < 1e-6);
        assert!((roi.centre[0] - 110.0).abs() < 1e-3 && (roi.centre[1] - 100.0).abs() < 1e-3, "{roi:?}");
    }

    #[test]
    fn the_turn_stays_within_half_a_circle_either_way() {
        for step in 0..16 {
            let (s, c) = (step as f32 / 16.0 * 2.0 * PI).sin_cos();
            let angle = upright([0.0, 0.0], [c, s]);
            assert!((-PI..=PI).contains(&angle), "{angle}");
        }
    }
}
