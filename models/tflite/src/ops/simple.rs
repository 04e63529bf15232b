//! Pooling, padding and resizing.

use super::vector::Vector;
use super::{Activation, Window};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    Max,
    /// The mean of the taps that lie inside the image.
    Average,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) window: Window,
    pub(crate) channels: usize,
    pub(crate) kind: PoolKind,
    pub(crate) activation: Activation,
}

impl Pool {
    /// # Safety
    /// The processor has `T`'s instructions.
    #[inline(always)]
    pub(crate) unsafe fn run<T: Vector>(&self, x: &[f32], y: &mut [f32]) {
        let (w, c) = (&self.window, self.channels);
        let mut outputs = y.chunks_exact_mut(c);
        let mut taps: Vec<&[f32]> = Vec::with_capacity(w.kernel[0] * w.kernel[1]);
        for n in 0..w.batch {
            for oy in 0..w.output[0] {
                let rows = w.taps(0, oy);
                for ox in 0..w.output[1] {
                    let Some(out) = outputs.next() else { return };
                    let columns = w.taps(1, ox);
                    taps.clear();
                    for ky in rows.clone() {
                        let row = (n * w.input[0] + w.under(0, oy, ky)) * w.input[1];
                        let pixel = |kx| &x[(row + w.under(1, ox, kx)) * c..][..c];
                        taps.extend(columns.clone().map(pixel));
                    }
                    match self.kind {
                        PoolKind::Max => {
                            // SAFETY: as this function's caller has it.
                            unsafe { reduce::<T, true>(out, &taps) };
                        }
                        PoolKind::Average => {
                            // SAFETY: as this function's caller has it.
                            unsafe { reduce::<T, false>(out, &taps) };
                            let taps = taps.len() as f32;
                            out.iter_mut().for_each(|o| *o /= taps);
                        }
                    }
                    if self.activation != Activation::None {
                        self.activation.apply(out, 0);
                    }
                }
            }
        }
    }
}

/// The greatest of the pixels `taps` in `out` or their sum, a vector of channels at a time and one by one for the last few.
///
/// # Safety
/// The processor has `T`'s instructions.
#[inline(always)]
unsafe fn reduce<T: Vector, const GREATEST: bool>(out: &mut [f32], taps: &[&[f32]]) {
    let start = if GREATEST { f32::NEG_INFINITY } else { 0.0 };
    let mut vectors = out.chunks_exact_mut(T::LANES);
    let mut at = 0;
    for to in &mut vectors {
        // SAFETY: as this function's caller has it; each pointer is that of a slice of `LANES` numbers.
        unsafe {
            let mut sum = T::splat(start);
            for tap in taps {
                let tap = T::load(tap[at..][..T::LANES].as_ptr());
                sum = if GREATEST { sum.max(tap) } else { sum.add(tap) };
            }
            sum.store(to.as_mut_ptr());
        }
        at += T::LANES;
    }
    for (i, o) in vectors.into_remainder().iter_mut().enumerate() {
        let one = |sum: f32, tap: &&[f32]| if GREATEST { sum.max(tap[at + i]) } else { sum + tap[at + i] };
        *o = taps.iter().fold(start, one);
    }
}

/// Zeros around a tensor of up to four axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pad {
    pub(crate) input: [usize; 4],
    /// Before and after, for each axis.
    pub(crate) pads: [(usize, usize); 4],
}

impl Pad {
    /// Channels of the input, where others are put after them and nothing else.
    pub(crate) fn channels_alone(&self) -> Option<usize> {
        let alone = self.pads[..3] == [(0, 0); 3] && self.pads[3].0 == 0;
        alone.then_some(self.input[3])
    }

    /// Height and width of the input, and the rows above and columns left of it, where they have a border and nothing else is added.
    pub(crate) fn border_alone(&self) -> Option<([usize; 2], [usize; 2])> {
        let [batch, rows, columns, channels] = self.pads;
        let alone = batch == (0, 0) && channels == (0, 0);
        alone.then_some(([self.input[1], self.input[2]], [rows.0, columns.0]))
    }

    pub(crate) fn run(&self, x: &[f32], y: &mut [f32]) {
        let out: [usize; 4] = std::array::from_fn(|a| self.input[a] + self.pads[a].0 + self.pads[a].1);
        let mut rows = x.chunks_exact(self.input[3]);
        if self.pads[..3] == [(0, 0); 3] {
            // Channels alone: each pixel is written once.
            let before = self.pads[3].0;
            for (to, row) in y.chunks_exact_mut(out[3]).zip(rows) {
                to[..before].fill(0.0);
                to[before..][..row.len()].copy_from_slice(row);
                to[before + row.len()..].fill(0.0);
            }
            return;
        }
        y.fill(0.0);
        for n in 0..self.input[0] {
            for h in 0..self.input[1] {
                for w in 0..self.input[2] {
                    let Some(row) = rows.next() else { return };
                    let at =
                        ((n + self.pads[0].0) * out[1] + h + self.pads[1].0) * out[2] + w + self.pads[2].0;
                    y[at * out[3] + self.pads[3].0..][..row.len()].copy_from_slice(row);
                }
            }
        }
    }
}

/// Bilinear interpolation to another height and width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resize {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) align_corners: bool,
    pub(crate) half_pixel_centers: bool,
}

impl Resize {
    /// The two source positions of output `at`, and the share of the second.
    fn source(&self, axis: usize, at: usize) -> (usize, usize, f32) {
        let (from, to) = (self.input[axis], self.output[axis]);
        let scale = if self.align_corners && to > 1 {
            (from - 1) as f32 / (to - 1) as f32
        } else {
            from as f32 / to as f32
        };
        let centre =
            if self.half_pixel_centers { (at as f32 + 0.5) * scale - 0.5 } else { at as f32 * scale };
        let low = centre.floor().max(0.0) as usize;
        let low = low.min(from - 1);
        (low, (low + 1).min(from - 1), (centre - low as f32).max(0.0))
    }

    #[inline(always)]
    pub(crate) fn run(&self, x: &[f32], y: &mut [f32]) {
        let c = self.channels;
        let columns: Vec<_> = (0..self.output[1]).map(|ox| self.source(1, ox)).collect();
        let mut outputs = y.chunks_exact_mut(c);
        for n in 0..self.batch {
            let image = &x[n * self.input[0] * self.input[1] * c..];
            for oy in 0..self.output[0] {
                let (y0, y1, fy) = self.source(0, oy);
                let row = |row: usize| &image[row * self.input[1] * c..][..self.input[1] * c];
                let (above, below) = (row(y0), row(y1));
                for &(x0, x1, fx) in &columns {
                    let Some(out) = outputs.next() else { return };
                    let corners = [
                        &above[x0 * c..][..c],
                        &above[x1 * c..][..c],
                        &below[x0 * c..][..c],
                        &below[x1 * c..][..c],
                    ];
                    blend(out, corners, [(1.0 - fy) * (1.0 - fx), (1.0 - fy) * fx, fy * (1.0 - fx), fy * fx]);
                }
            }
        }
    }
}

/// The sum of four pixels, each with its share.
#[inline(always)]
fn blend(out: &mut [f32], corners: [&[f32]; 4], share: [f32; 4]) {
    let sum = |v: [f32; 4]| v[0] * share[0] + v[1] * share[1] + v[2] * share[2] + v[3] * share[3];
    let (out, rest) = out.as_chunks_mut::<8>();
    let whole = corners.map(|corner| corner.as_chunks::<8>().0);
    for (i, o) in out.iter_mut().enumerate() {
        let four = whole.map(|corner| &corner[i]);
        *o = std::array::from_fn(|l| sum(four.map(|corner| corner[l])));
    }
    for (i, o) in rest.iter_mut().enumerate() {
        *o = sum(corners.map(|corner| corner[out.len() * 8 + i]));
    }
}
