//! Convolution over all channels, fully connected layers too (an image of one pixel).
//!
//! NHWC makes the inputs of one kernel row contiguous, so a tile of pixels x channels is one run of multiply-adds whose sums stay in
//! registers (see `gemm`). Weights are repacked once, when the file is read, to the order in which this loop meets them.

use std::sync::Arc;

use super::gemm::{PIXELS, Registers, Tile};
use super::vector::Isa;
use super::{Activation, Floats, Window};

/// Inputs of one group of pixels: as many as stay in the first cache (32 KiB, half of it) while all blocks of channels pass over them.
const GROUP: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conv {
    window: Window,
    channels_in: usize,
    channels_out: usize,
    blocks: Vec<Registers>,
    /// `[block of output channels][kernel element][input channel][channel of the block]`, zero where the last block has no channel.
    weights: Floats,
    /// One an output channel, zero-filled to whole blocks.
    bias: Floats,
    pub(crate) activation: Activation,
}

impl Conv {
    /// `weights` are OHWI, as in the file.
    pub(crate) fn new(
        isa: Isa,
        window: Window,
        channels_in: usize,
        weights: &[f32],
        bias: &[f32],
        activation: Activation,
    ) -> Self {
        let depth = window.kernel[0] * window.kernel[1] * channels_in;
        let channels_out = bias.len();
        let blocks = Registers::blocks(isa, channels_out);
        let held: usize = blocks.iter().map(|block| block.channels()).sum();
        let mut packed = vec![0.0; held * depth];
        let (mut channel, mut rest) = (0, packed.as_mut_slice());
        for block in &blocks {
            let lanes = block.channels();
            let (these, others) = rest.split_at_mut(lanes * depth);
            let filters = weights.chunks_exact(depth).skip(channel).take(lanes);
            for (lane, filter) in filters.enumerate() {
                these[lane..].iter_mut().step_by(lanes).zip(filter).for_each(|(to, from)| *to = *from);
            }
            (channel, rest) = (channel + lanes, others);
        }
        let mut padded_bias = bias.to_vec();
        padded_bias.resize(held, 0.0);
        let (weights, bias) = (Floats(Arc::from(packed)), Floats(Arc::from(padded_bias)));
        Conv { window, channels_in, channels_out, blocks, weights, bias, activation }
    }

    /// `y = activation(conv(x) + bias + residual)`.
    pub(crate) fn run(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let w = &self.window;
        let ci = self.channels_in;
        let padded;
        // Rows and columns of the image that the loop walks: the input itself where no tap leaves it, else a padded copy.
        let inside = (0..2).all(|a| w.before[a] == 0 && w.span(a) <= w.input[a]);
        let (image, height, width) = if inside {
            (x, w.input[0], w.input[1])
        } else {
            let (height, width) = (w.span(0), w.span(1));
            padded = self.padded(x, height, width);
            (padded.as_slice(), height, width)
        };
        // A kernel row is one contiguous run of inputs unless it is dilated; rows that are as wide as the image are one run together.
        let (runs_x, run) = if w.dilation[1] == 1 { (1, w.kernel[1] * ci) } else { (w.kernel[1], ci) };
        let runs: Vec<usize> = (0..w.kernel[0] * runs_x)
            .map(|r| (r / runs_x * w.dilation[0] * width + r % runs_x * w.dilation[1]) * ci)
            .collect();
        let [out_h, out_w] = w.output;
        let pixels = out_h * out_w;
        let group = (GROUP / (w.stride[1] * ci * w.kernel[0])).max(1).next_multiple_of(2 * PIXELS);
        for n in 0..w.batch {
            let image = &image[n * height * width * ci..][..height * width * ci];
            let start = |pixel: usize| {
                let (oy, ox) = (pixel / out_w, pixel % out_w);
                (oy * w.stride[0] * width + ox * w.stride[1]) * ci
            };
            for first in (0..pixels).step_by(group) {
                let end = (first + group).min(pixels);
                self.group(image, &runs, run, residual, y, n * pixels, first..end, start);
            }
        }
    }

    /// Whether each output is made of one pixel, the same one.
    pub(crate) fn is_pointwise(&self) -> bool {
        let w = &self.window;
        w.kernel == [1; 2] && w.stride == [1; 2] && w.before == [0; 2] && w.output == w.input
    }

    pub(crate) fn channels_in(&self) -> usize {
        self.channels_in
    }

    pub(crate) fn channels_out(&self) -> usize {
        self.channels_out
    }

    /// Numbers that it holds.
    pub(crate) fn weights(&self) -> usize {
        self.weights.0.len() + self.bias.0.len()
    }

    /// Multiplications of one run.
    pub(crate) fn work(&self) -> usize {
        let w = &self.window;
        w.outputs() * w.kernel[0] * w.kernel[1] * self.channels_in * self.channels_out
    }

    /// Of a pointwise convolution, some pixels: those in `x`.
    pub(crate) fn pixels(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let ci = self.channels_in;
        self.group(x, &[0], ci, residual, y, 0, 0..x.len() / ci, |pixel| pixel * ci);
    }

    /// Computes the output pixels `group` of the picture whose first pixel is `before` in `y`.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the bounds of the loops")]
    fn group(
        &self,
        image: &[f32],
        runs: &[usize],
        run: usize,
        residual: Option<&[f32]>,
        y: &mut [f32],
        before: usize,
        group: std::ops::Range<usize>,
        start: impl Fn(usize) -> usize,
    ) {
        let channels = self.channels_out;
        let (mut channel, mut weights, mut bias) = (0, &*self.weights.0, &*self.bias.0);
        for &registers in &self.blocks {
            let lanes = registers.channels();
            let width = lanes.min(channels - channel);
            // Tiles of about one size: a small last one would leave the multipliers waiting.
            let tiles = group.len().div_ceil(registers.pixels());
            for t in 0..tiles {
                let at = |t: usize| group.start + group.len() * t / tiles;
                let (first, pixels) = (at(t), at(t + 1) - at(t));
                let mut starts = [0; PIXELS];
                starts.iter_mut().take(pixels).enumerate().for_each(|(p, to)| *to = start(first + p));
                let from = (before + first) * channels;
                let residual = residual.map(|r| &r[from..]);
                let activation = &self.activation;
                Tile {
                    starts,
                    image,
                    runs,
                    run,
                    weights,
                    bias,
                    residual,
                    activation,
                    channel,
                    width,
                    channels,
                }
                .run(registers, pixels, &mut y[from..]);
            }
            channel += width;
            weights = &weights[lanes * runs.len() * run..];
            bias = &bias[lanes..];
        }
    }

    /// The input with a border of zeros, cut to `height` x `width`.
    fn padded(&self, x: &[f32], height: usize, width: usize) -> Vec<f32> {
        let (w, ci) = (&self.window, self.channels_in);
        let mut image = vec![0.0; w.batch * height * width * ci];
        let columns = w.input[1].min(width - w.before[1]);
        for n in 0..w.batch {
            for row in 0..w.input[0].min(height - w.before[0]) {
                let from = &x[(n * w.input[0] + row) * w.input[1] * ci..][..columns * ci];
                let to = ((n * height + row + w.before[0]) * width + w.before[1]) * ci;
                image[to..to + columns * ci].copy_from_slice(from);
            }
        }
        image
    }
}
