//! Decoding of MediaPipe's short-range face detector (BlazeFace): 896 anchors of a 128 x 128 picture, each a box, six key
//! points and a score. Pure; the network runs elsewhere.
//!
//! Numbers as in MediaPipe's `face_detection_short_range` graph (Apache-2.0): strides 8, 16, 16, 16, two anchors a cell and
//! layer, fixed anchor size, scores by a sigmoid, weighted suppression of overlaps over 0.3.

use crate::{
    image::Affine,
    roi::{self, Roi},
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

#[derive(Debug, Clone, Copy)]
struct Candidate {
    score: f32,
    numbers: [f32; COORDINATES],
}

impl Candidate {
    fn corners(&self) -> [f32; 4] {
        let [x, y, w, h] = [self.numbers[0], self.numbers[1], self.numbers[2], self.numbers[3]];
        [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]
    }
}

/// The decoder with its fixed scratch memory.
#[derive(Debug)]
pub struct Decoder {
    anchors: Vec<[f32; 2]>,
    candidates: Vec<Candidate>,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { anchors: anchors(), candidates: Vec::with_capacity(MAX_CANDIDATES) }
    }
}

impl Decoder {
    /// The largest face (the driver is nearer than passengers), or none. `regressors` holds [`ANCHORS`] x [`COORDINATES`]
    /// numbers and `scores` one logit an anchor; `map` is the one that the picture was taken with.
    pub fn decode(&mut self, regressors: &[f32], scores: &[f32], map: &Affine) -> Option<Face> {
        self.candidates.clear();
        for ((anchor, raw), logit) in
            self.anchors.iter().zip(regressors.chunks_exact(COORDINATES)).zip(scores)
        {
            let score = 1.0 / (1.0 + (-logit.clamp(-100.0, 100.0)).exp());
            if score.is_nan() || score < MIN_SCORE || !raw.iter().all(|n| n.is_finite()) {
                continue;
            }
            let mut numbers = [0.0; COORDINATES];
            for (i, (number, raw)) in numbers.iter_mut().zip(raw).enumerate() {
                let offset = if i == 2 || i == 3 { 0.0 } else { anchor[i % 2] };
                *number = raw / SIDE as f32 + offset;
            }
            if self.candidates.len() < MAX_CANDIDATES {
                self.candidates.push(Candidate { score, numbers });
            }
        }
        self.candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));

        let mut largest: Option<(f32, Candidate)> = None;
        while let Some(best) = self.candidates.first().copied() {
            let mut sum = [0.0; COORDINATES];
            let mut weight = 0.0;
            self.candidates.retain(|candidate| {
                if overlap(&best.corners(), &candidate.corners()) <= SAME_FACE {
                    return true;
                }
                weight += candidate.score;
                for (total, number) in sum.iter_mut().zip(candidate.numbers) {
                    *total += candidate.score * number;
                }
                false
            });
            if weight <= 0.0 {
                // A box without area overlaps nothing, not even itself.
                self.candidates.remove(0);
                continue;
            }
            let merged = Candidate { score: best.score, numbers: sum.map(|total| total / weight) };
            let area = merged.numbers[2] * merged.numbers[3];
            if largest.is_none_or(|(other, _)| area > other) {
                largest = Some((area, merged));
            }
        }
        largest.map(|(_, face)| in_frame(&face, map))
    }
}

fn in_frame(face: &Candidate, map: &Affine) -> Face {
    let at = |x: f32, y: f32| map.apply(x * SIDE as f32, y * SIDE as f32);
    let [x0, y0, x1, y1] = face.corners();
    let (a, b) = (at(x0, y0), at(x1, y1));
    let mut keys = [[0.0; 2]; 6];
    for (key, xy) in keys.iter_mut().zip(face.numbers[4..].chunks_exact(2)) {
        *key = at(xy[0], xy[1]);
    }
    Face { score: face.score, rect: [a[0], a[1], b[0] - a[0], b[1] - a[1]], keys }
}

fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let w = a[2].min(b[2]) - a[0].max(b[0]);
    let h = a[3].min(b[3]) - a[1].max(b[1]);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let area = |r: &[f32; 4]| (r[2] - r[0]) * (r[3] - r[1]);
    w * h / (area(a) + area(b) - w * h)
}

/// Anchor centres, fractions of the picture: stride 8 with two anchors a cell, then the three layers of stride 16 with
/// six together.
fn anchors() -> Vec<[f32; 2]> {
    let mut out = Vec::with_capacity(ANCHORS);
    for (cells, count) in [(SIDE / 8, 2), (SIDE / 16, 6)] {
        for y in 0..cells {
            for x in 0..cells {
                let centre = [(x as f32 + 0.5) / cells as f32, (y as f32 + 0.5) / cells as f32];
                out.extend(core::iter::repeat_n(centre, count));
            }
        }
    }
    out
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
        let anchors = anchors();
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
