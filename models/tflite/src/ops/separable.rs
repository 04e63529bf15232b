//! A depthwise convolution and the 1x1 convolution that alone reads it, a few rows at a time: what lies between stays in the first cache
//! and never becomes a tensor.

use super::gemm::PIXELS;
use super::{Conv, Depthwise};

/// Numbers between the two that are made at a time: half of a first cache of 32 KiB.
const BETWEEN: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Separable {
    depthwise: Depthwise,
    pointwise: Conv,
}

impl Separable {
    /// `None` when `pointwise` is not 1x1 with stride 1, or not over `depthwise`'s channels.
    pub(crate) fn new(depthwise: &Depthwise, pointwise: &Conv) -> Option<Self> {
        let fits = pointwise.is_pointwise() && pointwise.channels_in() == depthwise.channels;
        fits.then(|| Separable { depthwise: depthwise.clone(), pointwise: pointwise.clone() })
    }

    /// `y = pointwise(depthwise(x), residual)`.
    pub(crate) fn run(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let w = &self.depthwise.window;
        let (c, co, columns) = (self.depthwise.channels, self.pointwise.channels_out(), w.output[1]);
        let total = w.batch * w.output[0];
        // Enough pixels for two whole tiles, also where a row has few.
        let rows = (BETWEEN / (columns * c)).max((2 * PIXELS).div_ceil(columns)).min(total);
        let mut between = vec![0.0; rows * columns * c];
        for first in (0..total).step_by(rows) {
            let rows = rows.min(total - first);
            let between = &mut between[..rows * columns * c];
            for (i, row) in between.chunks_exact_mut(columns * c).enumerate() {
                self.depthwise.row(x, None, first + i, row);
            }
            let (from, pixels) = (first * columns * co, rows * columns);
            let residual = residual.map(|r| &r[from..][..pixels * co]);
            self.pointwise.pixels(between, residual, &mut y[from..][..pixels * co]);
        }
    }

    /// Numbers that it holds.
    pub(crate) fn weights(&self) -> usize {
        self.depthwise.weights() + self.pointwise.weights()
    }

    /// Multiplications of one run.
    pub(crate) fn work(&self) -> usize {
        self.depthwise.work() + self.pointwise.work()
    }
}
