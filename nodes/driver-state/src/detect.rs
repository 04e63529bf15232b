//! Decoding of MediaPipe's short-range face detector (BlazeFace): 896 anchors of a 128 x 128 picture, each a box, six key
//! points and a score. Pure; the network runs elsewhere.
//!
//! Numbers as in MediaPipe's `face_detection_short_range` graph (Apache-2.0): strides 8, 16, 16, 16, two anchors a cell and
//! layer, fixed anchor size, scores by a sigmoid, weighted suppression of overlaps over 0.3.

use troika_frame::ssd::{Candidate, Mean, anchors, candidates};

use crate::{
    roi::{self, Roi},
    warp::Affine,
};

/// Side of the picture that the network sees, pixels.
pub const SIDE: usize = 128;
/// Anchors.
pub const ANCHORS: usize = 896;
/// Numbers for each anchor: centre x, y, width, height, then x, y of six key points.
pub const COORDINATES: usize = 16;

/// A face is at least this likely to be one (`min_detection_confidence` of the graph).
pub const MIN_SCORE: f32 = 0.5;
/// Boxes that overlap by more than this (intersection over union) are one face.
const SAME_FACE: f32 = 0.3;
/// Candidates over [`MIN_SCORE`] that are looked at; a face makes about 10, so more is noise.
const MAX_CANDIDATES: usize = 64;

/// A face, in frame pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// 0..1.
    pub score: f32,
    /// Top-left corner, then width and height.
    pub rect: [f32; 4],
    /// The driver's right eye, left eye, nose tip, mouth, right ear, left ear.
    pub keys: [[f32; 2]; 6],
}

impl Face {
    /// Where the face mesh looks: turned so that the eyes are level, half as large again as the box.
    pub fn roi(&self) -> Roi {
        let [x, y, w, h] = self.rect;
        Roi::square([x + w / 2.0, y + h / 2.0], 1.5 * w.max(h), roi::angle(self.keys[0], self.keys[1]))
    }
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
    /// The largest face (the driver is nearer than passengers), or none. `regressors` holds [`ANCHORS`] x [`COORDINATES`]
    /// numbers and `scores` one logit an anchor; `map` is the one that the picture was taken with.
    pub fn decode(&mut self, regressors: &[f32], scores: &[f32], map: &Affine) -> Option<Face> {
        self.candidates.clear();
        let found = candidates(&self.anchors, regressors, scores, SIDE, MIN_SCORE);
        self.candidates.extend(found.take(MAX_CANDIDATES));
        self.candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));

        let mut largest: Option<(f32, Candidate<COORDINATES>)> = None;
        while let Some(best) = self.candidates.first().copied() {
            let mut mean = Mean::default();
            self.candidates.retain(|candidate| {
                let apart = best.overlap(candidate) <= SAME_FACE;
                if !apart {
                    mean.add(candidate);
                }
                apart
            });
            let Some(merged) = mean.of(best.score) else {
                // A box without area overlaps nothing, not even itself.
                self.candidates.remove(0);
                continue;
            };
            troika_safety::fulfils![SR_DMS_020];
            let area = merged.numbers[2] * merged.numbers[3];
            if largest.is_none_or(|(other, _)| area > other) {
                largest = Some((area, merged));
            }
        }
        largest.map(|(_, face)| Face {
            score: face.score,
            rect: face.rect_in(map, SIDE),
            keys: face.keys_in(map, SIDE),
        })
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn there_are_896_anchors_and_the_last_is_the_last_coarse_cell() {
        let anchors = anchors(SIDE);
        assert_eq!(anchors.len(), ANCHORS);
        assert_eq!(anchors[0], [1.0 / 32.0; 2]);
        assert_eq!(anchors[ANCHORS - 1], [15.0 / 16.0; 2]);
    }

    #[test]
    fn an_empty_picture_has_no_face() {
        let raw = nothing();
        assert_eq!(Decoder::default().decode(&raw.0, &raw.1, &WHOLE), None);
    }

    #[test]
    fn overlapping_boxes_are_one_face_weighted_by_score() {
        let mut raw = nothing();
        put(&mut raw, 0, 100.0, 64.0);
        put(&mut raw, 2, 100.0, 64.0);
        let face = Decoder::default().decode(&raw.0, &raw.1, &WHOLE).expect("a face");
        // Anchors 0 and 2 are one cell of 8 pixels apart: centres at 4 and 12.
        assert!((face.rect[0] + face.rect[2] / 2.0 - 8.0).abs() < 1e-3, "{face:?}");
        assert!((face.rect[2] - 64.0).abs() < 1e-3);
    }

    #[test]
    fn a_passenger_further_away_is_not_the_driver() {
        troika_safety::verifies![SR_DMS_020];
        let mut raw = nothing();
        put(&mut raw, 0, 8.0, 16.0);
        put(&mut raw, 511, 2.0, 48.0);
        let face = Decoder::default().decode(&raw.0, &raw.1, &WHOLE).expect("a face");
        assert!((face.rect[2] - 48.0).abs() < 1e-3, "{face:?}");
    }

    #[test]
    fn answers_that_are_no_numbers_or_have_no_area_are_left_out() {
        let mut raw = nothing();
        put(&mut raw, 5, f32::NAN, 20.0);
        put(&mut raw, 6, 3.0, f32::INFINITY);
        put(&mut raw, 7, 3.0, 0.0);
        assert_eq!(Decoder::default().decode(&raw.0, &raw.1, &WHOLE), None);
    }

    #[test]
    fn level_eyes_give_a_level_region_and_tilted_eyes_a_tilted_one() {
        let mut face = Face { score: 1.0, rect: [10.0, 10.0, 40.0, 40.0], keys: [[0.0; 2]; 6] };
        face.keys[1] = [10.0, 0.0];
        assert_eq!(face.roi(), Roi::square([30.0, 30.0], 60.0, 0.0));
        face.keys[1] = [10.0, 10.0];
        assert!((face.roi().angle - core::f32::consts::FRAC_PI_4).abs() < 1e-6);
    }
}
