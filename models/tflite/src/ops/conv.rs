//! Convolution over all channels, fully connected layers too (an image of one pixel).
//!
//! NHWC makes the inputs of one kernel row contiguous, so a tile of pixels x channels is one run of multiply-adds whose sums stay in
//! registers (see `gemm`). Weights are repacked once, when the file is read, to the order in which this loop meets them.

use std::sync::Arc;

use super::gemm::{PIXELS, Registers, Tile, Weight, Windows};
use super::{Activation, Floats, Isa, Weights, Window, normal};

/// Inputs of one group of pixels: as many as stay in the first cache (32 KiB, half of it) while all blocks of channels pass over them.
const GROUP: usize = 4096;
/// Most output pixels for which weights stay in half precision, if that is what they are: those of one tile, which reads each weight once. For
/// further tiles each would be widened again, which takes a tenth to a third longer than what is saved in reading.
const FEW: usize = PIXELS;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conv {
    window: Window,
    channels_in: usize,
    channels_out: usize,
    blocks: Vec<Registers>,
    /// `[block of output channels][kernel element][input channel][channel of the block]`, zero where the last block has no channel.
    weights: Weights,
    /// One an output channel, zero-filled to whole blocks.
    bias: Floats,
    pub(crate) activation: Activation,
    /// Channels of what is added before the activation: the first ones of the output's.
    pub(crate) residual_channels: usize,
    plan: Plan,
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
                these[lane..]
                    .iter_mut()
                    .step_by(lanes)
                    .zip(filter)
                    .for_each(|(to, from)| *to = normal(*from));
            }
            (channel, rest) = (channel + lanes, others);
        }
        let mut padded_bias: Vec<f32> = bias.iter().copied().map(normal).collect();
        padded_bias.resize(held, 0.0);
        let mut weights = Weights::Single(Floats(Arc::from(packed)));
        if isa.widens()
            && window.outputs() <= FEW
            && let Some(halves) = weights.halved()
        {
            weights = halves;
        }
        let bias = Floats(Arc::from(padded_bias));
        let plan = Plan::new(&window, channels_in);
        let residual_channels = channels_out;
        Conv { window, channels_in, channels_out, blocks, weights, bias, activation, residual_channels, plan }
    }

    /// `y = activation(conv(x) + bias + residual)`.
    pub(crate) fn run(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let (w, Plan { inside, width, run, runs, rows, starts }) = (&self.window, &self.plan);
        let ci = self.channels_in;
        let picture = w.input[0] * w.input[1] * ci;
        // Input rows under a group of output rows.
        let tall = (rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1;
        let mut bordered = if *inside { Vec::new() } else { vec![0.0; tall * width * ci] };
        let [out_h, out_w] = w.output;
        for n in 0..w.batch {
            let image = &x[n * picture..][..picture];
            for first in (0..out_h).step_by(*rows) {
                let rows = (*rows).min(out_h - first);
                let image = if *inside {
                    &image[first * w.stride[0] * width * ci..]
                } else {
                    let tall = (rows - 1) * w.stride[0] + (w.kernel[0] - 1) * w.dilation[0] + 1;
                    self.border(image, first * w.stride[0], &mut bordered[..tall * width * ci]);
                    &bordered
                };
                let (at, pixels) = ((n * out_h + first) * out_w, rows * out_w);
                let y = &mut y[at * self.channels_out..][..pixels * self.channels_out];
                let residual = residual.map(|r| &r[at * self.residual_channels..]);
                self.group(Windows { image, starts, runs, run: *run }, residual, y);
            }
        }
    }

    /// From now on reads an input of this height and width as if it had zeros around it, so many rows above and columns left; whether it
    /// can.
    pub(crate) fn take_border(&mut self, input: [usize; 2], before: [usize; 2]) -> bool {
        let Some(window) = self.window.within(input, before) else { return false };
        self.plan = Plan::new(&window, self.channels_in);
        self.window = window;
        true
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

    /// Pixels of the output.
    pub(crate) fn pixels_out(&self) -> usize {
        self.window.outputs()
    }

    /// Numbers that it holds, in single and in half precision.
    pub(crate) fn weights(&self) -> [usize; 2] {
        let [single, half] = self.weights.counts();
        [single + self.bias.0.len(), half]
    }

    /// Multiplications of one run.
    pub(crate) fn work(&self) -> usize {
        let w = &self.window;
        w.outputs() * w.kernel[0] * w.kernel[1] * self.channels_in * self.channels_out
    }

    /// Of a pointwise convolution, some pixels: those in `x`.
    pub(crate) fn pixels(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let (ci, starts) = (self.channels_in, &self.plan.starts);
        // Here pixel `p` begins at `p * ci`, and so does each further one of a later group.
        for (i, y) in y.chunks_mut(starts.len() * self.channels_out).enumerate() {
            let first = i * starts.len();
            let residual = residual.map(|r| &r[first * self.residual_channels..]);
            self.group(Windows { image: &x[first * ci..], starts, runs: &[0], run: ci }, residual, y);
        }
    }

    /// Computes the pixels of `y`, whose windows are the first ones.
    fn group(&self, windows: Windows, residual: Option<&[f32]>, y: &mut [f32]) {
        match &self.weights {
            Weights::Single(weights) => self.tiles(&weights.0, windows, residual, y),
            Weights::Half(weights) => self.tiles(weights, windows, residual, y),
        }
    }

    fn tiles<W: Weight>(&self, mut weights: &[W], windows: Windows, residual: Option<&[f32]>, y: &mut [f32]) {
        let channels = self.channels_out;
        let all = y.len() / channels;
        let (mut channel, mut bias) = (0, &*self.bias.0);
        for &registers in &self.blocks {
            let lanes = registers.channels();
            let width = lanes.min(channels - channel);
            // Tiles of about one size: a small last one would leave the multipliers waiting.
            let mut tiles = all.div_ceil(registers.pixels());
            let mut first = 0;
            while tiles > 0 {
                let pixels = (all - first).div_ceil(tiles);
                let windows = Windows { starts: &windows.starts[first..first + pixels], ..windows };
                let from = first * channels;
                let residual =
                    residual.map(|r| (&r[first * self.residual_channels..], self.residual_channels));
                let activation = &self.activation;
                Tile { windows, weights, bias, residual, activation, channel, width, channels }
                    .run(registers, &mut y[from..]);
                first += pixels;
                tiles -= 1;
            }
            channel += width;
            weights = &weights[lanes * windows.runs.len() * windows.run..];
            bias = &bias[lanes..];
        }
    }

    /// Some rows of the input with its border of zeros, from row `first` of the bordered picture on. What `to` has left and right of the
    /// input is zero already.
    fn border(&self, image: &[f32], first: usize, to: &mut [f32]) {
        let (w, ci, width) = (&self.window, self.channels_in, self.plan.width);
        let columns = w.input[1].min(width - w.before[1]);
        for (i, to) in to.chunks_exact_mut(width * ci).enumerate() {
            let to = &mut to[w.before[1] * ci..][..columns * ci];
            match (first + i).checked_sub(w.before[0]).filter(|row| *row < w.input[0]) {
                Some(row) => to.copy_from_slice(&image[row * w.input[1] * ci..][..columns * ci]),
                None => to.fill(0.0),
            }
        }
    }
}

/// How the loop walks the image: worked out once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    /// No tap leaves the input; else its rows are copied, a few at a time, between borders of zeros.
    inside: bool,
    /// Columns of the image, with the border if there is one.
    width: usize,
    /// Runs of neighbouring inputs under one output, from the window's beginning, and numbers of a run.
    runs: Vec<usize>,
    run: usize,
    /// Output rows that are computed together.
    rows: usize,
    /// Where the window of each of their pixels begins.
    starts: Vec<usize>,
}

impl Plan {
    fn new(w: &Window, ci: usize) -> Self {
        let inside = (0..2).all(|a| w.before[a] == 0 && w.span(a) <= w.input[a]);
        let width = if inside { w.input[1] } else { w.span(1) };
        // A kernel row is one contiguous run of inputs unless it is dilated.
        let (runs_x, run) = if w.dilation[1] == 1 { (1, w.kernel[1] * ci) } else { (w.kernel[1], ci) };
        let runs = (0..w.kernel[0] * runs_x)
            .map(|r| (r / runs_x * w.dilation[0] * width + r % runs_x * w.dilation[1]) * ci)
            .collect();
        let [out_h, out_w] = w.output;
        let row = w.stride[0] * width * ci;
        // Two whole tiles at least, also where a row has few pixels.
        let rows = (GROUP / row).max((2 * PIXELS).div_ceil(out_w)).min(out_h);
        let start = |pixel: usize| pixel / out_w * row + pixel % out_w * w.stride[1] * ci;
        Plan { inside, width, runs, run, rows, starts: (0..rows * out_w).map(start).collect() }
    }
}
