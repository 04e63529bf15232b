//! A depthwise convolution with the 1x1 convolution that alone reads it, and often the one that alone feeds it: a few rows at a time, so
//! that what lies between stays in the caches and never becomes a tensor.

use super::gemm::PIXELS;
use super::{Conv, Depthwise};

/// Numbers between the depthwise and the following convolution that are made at a time: half of a first cache of 32 KiB.
const BETWEEN: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Separable {
    /// Makes the depthwise convolution's input from fewer channels.
    expand: Option<Conv>,
    depthwise: Depthwise,
    pointwise: Conv,
}

impl Separable {
    /// `None` when `pointwise` is not 1x1 with stride 1, or not over `depthwise`'s channels.
    pub(crate) fn new(depthwise: &Depthwise, pointwise: &Conv) -> Option<Self> {
        let fits = pointwise.is_pointwise() && pointwise.channels_in() == depthwise.channels;
        fits.then(|| Separable { expand: None, depthwise: depthwise.clone(), pointwise: pointwise.clone() })
    }

    /// The same on what `expand` makes; `None` where that fits no better than [`Separable::new`] says.
    pub(crate) fn after(&self, expand: &Conv) -> Option<Self> {
        let fits = self.expand.is_none()
            && expand.is_pointwise()
            && expand.channels_out() == self.depthwise.channels
            && expand.pixels_out() == self.depthwise.pixels_in()
            // Else rows are skipped, and the buffer for the rows between would have gaps.
            && self.depthwise.overlaps();
        fits.then(|| Separable { expand: Some(expand.clone()), ..self.clone() })
    }

    /// Numbers that the depthwise convolution reads.
    pub(crate) fn width(&self) -> usize {
        self.depthwise.pixels_in() * self.depthwise.channels
    }

    /// `y = pointwise(depthwise(expand(x)), residual)`.
    pub(crate) fn run(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let w = &self.depthwise.window;
        let (c, co, columns) = (self.depthwise.channels, self.pointwise.channels_out(), w.output[1]);
        let ci = self.expand.as_ref().map_or(c, Conv::channels_in);
        let line = w.input[1] * c;
        // Enough pixels for two whole tiles, also where a row has few.
        let rows = (BETWEEN / (columns * c)).max((2 * PIXELS).div_ceil(columns)).min(w.output[0]);
        let mut between = vec![0.0; rows * columns * c];
        let span = ((rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1).min(w.input[0]);
        // Rows `base..made` of the expanded picture.
        let mut expanded = if self.expand.is_some() { vec![0.0; span * line] } else { Vec::new() };
        for n in 0..w.batch {
            let image = &x[n * w.input[0] * w.input[1] * ci..][..w.input[0] * w.input[1] * ci];
            let (mut base, mut made) = (0, 0);
            for first in (0..w.output[0]).step_by(rows) {
                let rows = rows.min(w.output[0] - first);
                let (image, base) = match &self.expand {
                    None => (image, 0),
                    Some(expand) => {
                        let needed = w.rows_under(first..first + rows);
                        let keep = needed.start.min(made);
                        expanded.copy_within((keep - base) * line..(made - base) * line, 0);
                        base = keep;
                        let from = &image[made * w.input[1] * ci..needed.end.max(made) * w.input[1] * ci];
                        let to = &mut expanded[(made - base) * line..][..from.len() / ci * c];
                        expand.pixels(from, None, to);
                        made = needed.end.max(made);
                        (&expanded[..(made - base) * line], base)
                    }
                };
                let between = &mut between[..rows * columns * c];
                for (i, row) in between.chunks_exact_mut(columns * c).enumerate() {
                    self.depthwise.row(image, base, None, first + i, row);
                }
                let (at, pixels) = ((n * w.output[0] + first) * columns, rows * columns);
                let residual = residual.map(|r| &r[at * self.pointwise.residual_channels..]);
                self.pointwise.pixels(between, residual, &mut y[at * co..][..pixels * co]);
            }
        }
    }

    /// Numbers that it holds, in single and in half precision.
    pub(crate) fn weights(&self) -> [usize; 2] {
        let (expand, pointwise) =
            (self.expand.as_ref().map_or([0; 2], Conv::weights), self.pointwise.weights());
        [expand[0] + self.depthwise.weights() + pointwise[0], expand[1] + pointwise[1]]
    }

    /// Multiplications of one run.
    pub(crate) fn work(&self) -> usize {
        self.expand.as_ref().map_or(0, Conv::work) + self.depthwise.work() + self.pointwise.work()
    }
}
