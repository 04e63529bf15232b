//! What MediaPipe's two detectors share (BlazeFace short range, BlazePalm lite): anchors, decoding a box and its key points at an
//! anchor, overlap, the weighted mean of boxes that are one object, and the way back into the frame. Which of several objects is
//! meant is the detector's own.

use crate::warp::Affine;

/// One answer of a detector: box centre and size, then key points as x and y; fractions of the picture.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<const N: usize> {
    /// 0..1.
    pub score: f32,
    /// x, y, width, height, then the key points.
    pub numbers: [f32; N],
}

/// Anchor centres, fractions of a picture of `side` pixels: stride 8 with two anchors a cell, then the three layers of stride 16
/// with six together.
pub fn anchors(side: usize) -> Vec<[f32; 2]> {
    let mut out = Vec::new();
    for (cells, count) in [(side / 8, 2), (side / 16, 6)] {
        for y in 0..cells {
            for x in 0..cells {
                let centre = [(x as f32 + 0.5) / cells as f32, (y as f32 + 0.5) / cells as f32];
                out.extend(core::iter::repeat_n(centre, count));
            }
        }
    }
    out
}

/// The answers of at least `min_score` whose numbers are numbers, in the order of the anchors: `regressors` holds `N` numbers an
/// anchor in pixels of the picture's `side`, `scores` one logit.
pub fn candidates<'a, const N: usize>(
    anchors: &'a [[f32; 2]],
    regressors: &'a [f32],
    scores: &'a [f32],
    side: usize,
    min_score: f32,
) -> impl Iterator<Item = Candidate<N>> + 'a {
    anchors.iter().zip(regressors.chunks_exact(N)).zip(scores).filter_map(move |((anchor, raw), logit)| {
        let score = 1.0 / (1.0 + (-logit.clamp(-100.0, 100.0)).exp());
        if score.is_nan() || score < min_score || !raw.iter().all(|n| n.is_finite()) {
            return None;
        }
        let mut numbers = [0.0; N];
        for (i, (number, raw)) in numbers.iter_mut().zip(raw).enumerate() {
            let offset = if i == 2 || i == 3 { 0.0 } else { anchor[i % 2] };
            *number = raw / side as f32 + offset;
        }
        Some(Candidate { score, numbers })
    })
}

impl<const N: usize> Candidate<N> {
    fn corners(&self) -> [f32; 4] {
        let [x, y, w, h] = [self.numbers[0], self.numbers[1], self.numbers[2], self.numbers[3]];
        [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]
    }

    /// Intersection over union of the two boxes; zero where one has no area.
    pub fn overlap(&self, other: &Self) -> f32 {
        let (a, b) = (self.corners(), other.corners());
        let w = a[2].min(b[2]) - a[0].max(b[0]);
        let h = a[3].min(b[3]) - a[1].max(b[1]);
        if w <= 0.0 || h <= 0.0 {
            return 0.0;
        }
        let area = |r: &[f32; 4]| (r[2] - r[0]) * (r[3] - r[1]);
        w * h / (area(&a) + area(&b) - w * h)
    }

    /// The box in the frame that `map` took a picture of `side` pixels from: top-left corner, then width and height.
    pub fn rect_in(&self, map: &Affine, side: usize) -> [f32; 4] {
        let [x0, y0, x1, y1] = self.corners().map(|part| part * side as f32);
        let (a, b) = (map.apply(x0, y0), map.apply(x1, y1));
        [a[0], a[1], b[0] - a[0], b[1] - a[1]]
    }

    /// The key points in that frame.
    pub fn keys_in<const K: usize>(&self, map: &Affine, side: usize) -> [[f32; 2]; K] {
        let mut keys = [[0.0; 2]; K];
        for (key, xy) in keys.iter_mut().zip(self.numbers[4..].chunks_exact(2)) {
            *key = map.apply(xy[0] * side as f32, xy[1] * side as f32);
        }
        keys
    }
}

/// The mean of several answers, each by its score.
#[derive(Debug, Clone, Copy)]
pub struct Mean<const N: usize> {
    sum: [f32; N],
    weight: f32,
}

impl<const N: usize> Default for Mean<N> {
    fn default() -> Self {
        Mean { sum: [0.0; N], weight: 0.0 }
    }
}

impl<const N: usize> Mean<N> {
    /// One answer more.
    pub fn add(&mut self, candidate: &Candidate<N>) {
        self.weight += candidate.score;
        for (total, number) in self.sum.iter_mut().zip(candidate.numbers) {
            *total += candidate.score * number;
        }
    }

    /// The mean, with this score; none when nothing was added.
    pub fn of(&self, score: f32) -> Option<Candidate<N>> {
        (self.weight > 0.0).then(|| Candidate { score, numbers: self.sum.map(|total| total / self.weight) })
    }
}
