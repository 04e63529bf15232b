//! Convolution of each channel by itself.
//!
//! Channels lie side by side in NHWC, so a block of them is one vector and no shuffling is needed; `TILE` neighbouring outputs
//! share each weight that is loaded. Taps outside the image are left out, not multiplied by zero: no padded copy is made.

use std::ops::Range;

use super::lanes::{LANES, Lanes};
use super::{Activation, Floats, Window, fma};

/// Neighbouring outputs computed together, where no tap leaves the image.
const TILE: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Depthwise {
    window: Window,
    channels: usize,
    /// `[row][column][channel]`, as in the file.
    weights: Floats,
    bias: Floats,
    pub(crate) activation: Activation,
}

impl Depthwise {
    pub(crate) fn new(
        window: Window,
        channels: usize,
        weights: Floats,
        bias: Floats,
        activation: Activation,
    ) -> Self {
        Depthwise { window, channels, weights, bias, activation }
    }

    /// `y = activation(conv(x) + bias + residual)`.
    pub(crate) fn run(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let w = &self.window;
        let c = self.channels;
        let [out_h, out_w] = w.output;
        let interior = w.interior();
        for n in 0..w.batch {
            let image = &x[n * w.input[0] * w.input[1] * c..][..w.input[0] * w.input[1] * c];
            for oy in 0..out_h {
                let rows = w.taps(0, oy);
                let start = (n * out_h + oy) * out_w * c;
                let out = &mut y[start..start + out_w * c];
                let mut ox = 0;
                while ox < out_w {
                    if interior.contains(&ox) && ox + TILE <= interior.end {
                        self.pixels::<TILE>(image, oy, ox, rows.clone(), out);
                        ox += TILE;
                    } else {
                        self.pixels::<1>(image, oy, ox, rows.clone(), out);
                        ox += 1;
                    }
                }
                if let Some(residual) = residual {
                    out.iter_mut().zip(&residual[start..start + out_w * c]).for_each(|(v, r)| *v += r);
                }
                out.chunks_exact_mut(c).for_each(|pixel| self.activation.apply(pixel, 0));
            }
        }
    }

    /// `P` outputs of row `oy` from column `ox` on.
    #[inline(always)]
    fn pixels<const P: usize>(
        &self,
        image: &[f32],
        oy: usize,
        ox: usize,
        rows: Range<usize>,
        out: &mut [f32],
    ) {
        let mut channel = 0;
        while self.channels - channel >= 2 * LANES {
            self.vectors::<P, 2>(image, oy, ox, rows.clone(), channel, out);
            channel += 2 * LANES;
        }
        while self.channels - channel >= LANES {
            self.vectors::<P, 1>(image, oy, ox, rows.clone(), channel, out);
            channel += LANES;
        }
        while self.channels > channel {
            self.single::<P>(image, oy, ox, rows.clone(), channel, out);
            channel += 1;
        }
    }

    /// `V` vectors of channels.
    #[inline(always)]
    fn vectors<const P: usize, const V: usize>(
        &self,
        image: &[f32],
        oy: usize,
        ox: usize,
        rows: Range<usize>,
        channel: usize,
        out: &mut [f32],
    ) {
        let (w, c) = (&self.window, self.channels);
        let columns = w.taps(1, ox);
        let step = w.stride[1] * c;
        let load = |from: &[f32]| -> [Lanes; V] {
            let from = from[..V * LANES].as_chunks::<LANES>().0;
            std::array::from_fn(|v| Lanes::load(&from[v]))
        };
        let mut sums = [load(&self.bias.0[channel..]); P];
        for ky in rows {
            let row = w.under(0, oy, ky) * w.input[1];
            for kx in columns.clone() {
                let taps = load(&self.weights.0[(ky * w.kernel[1] + kx) * c + channel..]);
                let first = (row + w.under(1, ox, kx)) * c + channel;
                let inputs = &image[first..first + (P - 1) * step + V * LANES];
                for p in 0..P {
                    let input = load(&inputs[p * step..]);
                    for v in 0..V {
                        sums[p][v] = sums[p][v].plus(input[v], taps[v]);
                    }
                }
            }
        }
        for (p, sum) in sums.iter().enumerate() {
            let to = &mut out[(ox + p) * c + channel..][..V * LANES];
            for (to, lanes) in to.as_chunks_mut().0.iter_mut().zip(sum) {
                lanes.store(to);
            }
        }
    }

    /// One channel: the last few, where they are no multiple of a vector.
    #[inline(always)]
    fn single<const P: usize>(
        &self,
        image: &[f32],
        oy: usize,
        ox: usize,
        rows: Range<usize>,
        channel: usize,
        out: &mut [f32],
    ) {
        let (w, c) = (&self.window, self.channels);
        let columns = w.taps(1, ox);
        let step = w.stride[1] * c;
        let mut sums = [self.bias.0[channel]; P];
        for ky in rows {
            let row = w.under(0, oy, ky) * w.input[1];
            for kx in columns.clone() {
                let tap = self.weights.0[(ky * w.kernel[1] + kx) * c + channel];
                let first = (row + w.under(1, ox, kx)) * c + channel;
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = fma(image[first + p * step], tap, *sum);
                }
            }
        }
        for (p, sum) in sums.iter().enumerate() {
            out[(ox + p) * c + channel] = *sum;
        }
    }
}
