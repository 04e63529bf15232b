//! Convolution of each channel by itself.
//!
//! Channels lie side by side in NHWC, so a block of them is one vector and no shuffling is needed; `TILE` neighbouring outputs
//! share each weight that is loaded. Taps outside the image are left out, not multiplied by zero: no padded copy is made.

use super::lanes::{LANES, Lanes, each};
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
        let mut taps = Vec::with_capacity(w.kernel[0] * w.kernel[1]);
        for n in 0..w.batch {
            let image = &x[n * w.input[0] * w.input[1] * c..][..w.input[0] * w.input[1] * c];
            for oy in 0..out_h {
                let start = (n * out_h + oy) * out_w * c;
                let out = &mut y[start..start + out_w * c];
                let mut ox = 0;
                while ox < out_w {
                    let tile = if interior.contains(&ox) && ox + TILE <= interior.end { TILE } else { 1 };
                    taps.clear();
                    for ky in w.taps(0, oy) {
                        for kx in w.taps(1, ox) {
                            let input = (w.under(0, oy, ky) * w.input[1] + w.under(1, ox, kx)) * c;
                            taps.push(Tap { weights: (ky * w.kernel[1] + kx) * c, input });
                        }
                    }
                    let out = &mut out[ox * c..(ox + tile) * c];
                    if tile == TILE {
                        self.pixels::<TILE>(image, &taps, out)
                    } else {
                        self.pixels::<1>(image, &taps, out)
                    }
                    ox += tile;
                }
                if let Some(residual) = residual {
                    out.iter_mut().zip(&residual[start..start + out_w * c]).for_each(|(v, r)| *v += r);
                }
                out.chunks_exact_mut(c).for_each(|pixel| self.activation.apply(pixel, 0));
            }
        }
    }

    /// `P` neighbouring outputs.
    fn pixels<const P: usize>(&self, image: &[f32], taps: &[Tap], out: &mut [f32]) {
        let mut channel = 0;
        while self.channels - channel >= 2 * LANES {
            self.vectors::<P, 2>(image, taps, channel, out);
            channel += 2 * LANES;
        }
        while self.channels - channel >= LANES {
            self.vectors::<P, 1>(image, taps, channel, out);
            channel += LANES;
        }
        // The last few channels, where they are no multiple of a vector.
        for channel in channel..self.channels {
            for p in 0..P {
                let shift = p * self.window.stride[1] * self.channels + channel;
                let sum = |sum, tap: &Tap| {
                    fma(image[tap.input + shift], self.weights.0[tap.weights + channel], sum)
                };
                out[p * self.channels + channel] = taps.iter().fold(self.bias.0[channel], sum);
            }
        }
    }

    /// `V` vectors of channels. A function of its own: inlined, the compiler runs out of registers.
    #[inline(never)]
    fn vectors<const P: usize, const V: usize>(
        &self,
        image: &[f32],
        taps: &[Tap],
        channel: usize,
        out: &mut [f32],
    ) {
        let step = self.window.stride[1] * self.channels;
        let starts: [usize; P] = std::array::from_fn(|p| p * step);
        let (image, weights) = (&image[channel..], &self.weights.0[channel..]);
        let mut sums = [load::<V>(&self.bias.0[channel..]); P];
        for tap in taps {
            let weights = load::<V>(&weights[tap.weights..]);
            let inputs = &image[tap.input..];
            each!(p below P => {
                let input = load::<V>(&inputs[starts[p]..]);
                each!(v below V => {
                    sums[p][v] = sums[p][v].plus(input[v], weights[v]);
                });
            });
        }
        for (sum, out) in sums.iter().zip(out.chunks_exact_mut(self.channels)) {
            let to = out[channel..channel + V * LANES].as_chunks_mut().0;
            for (to, lanes) in to.iter_mut().zip(sum) {
                lanes.store(to);
            }
        }
    }
}

/// Where one tap finds its weights and its inputs (of the first channel, for the first output of the tile).
struct Tap {
    weights: usize,
    input: usize,
}

#[inline(always)]
fn load<const V: usize>(from: &[f32]) -> [Lanes; V] {
    let from = from[..V * LANES].as_chunks::<LANES>().0;
    std::array::from_fn(|v| Lanes::load(&from[v]))
}
