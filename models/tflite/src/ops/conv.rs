//! Convolution over all channels, fully connected layers too (an image of one pixel).
//!
//! NHWC makes the inputs of one kernel row contiguous, so a tile of `PIXELS` outputs x `LANES` output channels is one run of
//! multiply-adds whose accumulators stay in registers (6 x 2 vectors of 8 on AVX2). Weights are repacked once, when the file
//! is read, to the order in which this loop meets them.

use std::sync::Arc;

use super::lanes::{self, Lanes, each};
use super::{Activation, Floats, Window};

/// Output channels in one block: two AVX2 vectors.
const LANES: usize = 2 * lanes::LANES;
/// Output pixels in one tile: 6 x 2 accumulators, 2 weights and 1 input fill the 16 vector registers of AVX2.
const PIXELS: usize = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conv {
    window: Window,
    channels_in: usize,
    channels_out: usize,
    /// `[block of output channels][kernel element][input channel][lane]`, zero where the last block has no channel.
    weights: Floats,
    /// One an output channel, zero-filled to whole blocks.
    bias: Floats,
    pub(crate) activation: Activation,
}

impl Conv {
    /// `weights` are OHWI, as in the file.
    pub(crate) fn new(
        window: Window,
        channels_in: usize,
        weights: &[f32],
        bias: &[f32],
        activation: Activation,
    ) -> Self {
        let depth = window.kernel[0] * window.kernel[1] * channels_in;
        let channels_out = bias.len();
        let blocks = channels_out.div_ceil(LANES);
        let mut packed = vec![0.0; blocks * depth * LANES];
        for (o, filter) in weights.chunks_exact(depth).enumerate() {
            let block = &mut packed[(o / LANES) * depth * LANES..][..depth * LANES];
            for (k, &w) in filter.iter().enumerate() {
                block[k * LANES + o % LANES] = w;
            }
        }
        let mut padded_bias = bias.to_vec();
        padded_bias.resize(blocks * LANES, 0.0);
        let (weights, bias) = (Floats(Arc::from(packed)), Floats(Arc::from(padded_bias)));
        Conv { window, channels_in, channels_out, weights, bias, activation }
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
        // A kernel row is one contiguous run of inputs unless it is dilated.
        let (runs_x, run) = if w.dilation[1] == 1 { (1, w.kernel[1] * ci) } else { (w.kernel[1], ci) };
        let [out_h, out_w] = w.output;
        let pixels = out_h * out_w;
        let runs = w.kernel[0] * runs_x;
        for n in 0..w.batch {
            let image = &image[n * height * width * ci..][..height * width * ci];
            let offset = |pixel: usize, r: usize| {
                let (oy, ox) = (pixel / out_w, pixel % out_w);
                let row = oy * w.stride[0] + (r / runs_x) * w.dilation[0];
                let column = ox * w.stride[1] + (r % runs_x) * w.dilation[1];
                (row * width + column) * ci
            };
            let mut first = 0;
            while first < pixels {
                let at = (n * pixels + first) * self.channels_out;
                let left = pixels - first;
                if left >= PIXELS {
                    self.tile::<PIXELS>(image, |p, r| offset(first + p, r), runs, run, residual, y, at);
                    first += PIXELS;
                } else if left >= 2 {
                    self.tile::<2>(image, |p, r| offset(first + p, r), runs, run, residual, y, at);
                    first += 2;
                } else {
                    self.tile::<1>(image, |p, r| offset(first + p, r), runs, run, residual, y, at);
                    first += 1;
                }
            }
        }
    }

    /// Computes `P` consecutive output pixels, the first of which is stored at `at`.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the tile's loop bounds, kept in registers")]
    fn tile<const P: usize>(
        &self,
        image: &[f32],
        offset: impl Fn(usize, usize) -> usize,
        runs: usize,
        run: usize,
        residual: Option<&[f32]>,
        y: &mut [f32],
        at: usize,
    ) {
        let co = self.channels_out;
        let block_len = runs * run * LANES;
        for (b, block) in self.weights.0.chunks_exact(block_len).enumerate() {
            let channel = b * LANES;
            let bias = pair(&self.bias.0.as_chunks::<LANES>().0[b]);
            let mut acc = [bias; P];
            for (r, taps) in block.chunks_exact(run * LANES).enumerate() {
                let inputs: [&[f32]; P] = std::array::from_fn(|p| &image[offset(p, r)..][..run]);
                multiply(&mut acc, &inputs, taps);
            }
            let mut sums = [[0.0f32; LANES]; P];
            for (sum, acc) in sums.iter_mut().zip(acc) {
                for (to, lanes) in sum.as_chunks_mut().0.iter_mut().zip(acc) {
                    lanes.store(to);
                }
            }
            let width = LANES.min(co - channel);
            for (p, sum) in sums.iter_mut().enumerate() {
                let from = at + p * co + channel;
                if let Some(residual) = residual {
                    sum.iter_mut().zip(&residual[from..from + width]).for_each(|(s, r)| *s += r);
                }
                self.activation.apply(&mut sum[..width], channel);
                match y[from..from + width].as_chunks_mut::<LANES>().0 {
                    // A copy of fixed length is two stores; one of any length is a call.
                    [whole] => *whole = *sum,
                    _ => y[from..from + width].copy_from_slice(&sum[..width]),
                }
            }
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

/// Two vectors of neighbouring output channels.
#[inline(always)]
fn pair(from: &[f32; LANES]) -> [Lanes; 2] {
    let [a, b, c, d, e, f, g, h, high @ ..] = from;
    [Lanes::load(&[*a, *b, *c, *d, *e, *f, *g, *h]), Lanes::load(high)]
}

/// `acc[p] += inputs[p][k] * taps[k]` over all `k`. A function of its own: inlined, the compiler runs out of registers.
#[inline(never)]
fn multiply<const P: usize>(acc: &mut [[Lanes; 2]; P], inputs: &[&[f32]; P], taps: &[f32]) {
    let taps = taps.as_chunks::<LANES>().0;
    let inputs: [&[f32]; P] = std::array::from_fn(|p| &inputs[p][..taps.len()]);
    let mut sums = *acc;
    for (k, tap) in taps.iter().enumerate() {
        let [low, high] = pair(tap);
        each!(p below P => {
            let value = Lanes::splat(inputs[p][k]);
            sums[p] = [sums[p][0].plus(value, low), sums[p][1].plus(value, high)];
        });
    }
    *acc = sums;
}
