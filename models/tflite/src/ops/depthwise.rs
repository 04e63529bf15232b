//! Convolution of each channel by itself.
//!
//! Channels lie side by side in NHWC, so a block of them is one vector and no shuffling is needed. Neighbouring outputs of a row share
//! what they load: inputs and weights of a kernel row are each read once for up to eight outputs. Taps outside the image are left out,
//! not multiplied by zero: no padded copy is made.

#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Half, Wide};
use super::vector::{Portable, Vector, each};
use super::{Activation, Floats, Isa, Window, normal};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Depthwise {
    isa: Isa,
    pub(crate) window: Window,
    pub(crate) channels: usize,
    /// `[row][column][channel]`, as in the file.
    weights: Floats,
    bias: Floats,
    pub(crate) activation: Activation,
    /// Output columns whose taps all fall inside the image.
    interior: std::ops::Range<usize>,
}

/// What one row of outputs reads and writes.
struct Row<'a> {
    of: &'a Depthwise,
    image: &'a [f32],
    residual: Option<&'a [f32]>,
    /// Rows of the kernel inside the image, and the image's row under the first of them.
    rows: std::ops::Range<usize>,
    first: usize,
    y: &'a mut [f32],
}

impl Depthwise {
    pub(crate) fn new(
        isa: Isa,
        window: Window,
        channels: usize,
        weights: Floats,
        bias: Floats,
        activation: Activation,
    ) -> Self {
        // What the pointers below rely on.
        assert!(
            weights.0.len() == window.kernel[0] * window.kernel[1] * channels && bias.0.len() == channels
        );
        let interior = window.interior();
        let [weights, bias] = [weights, bias].map(|all| match all.0.iter().all(|one| normal(*one) == *one) {
            true => all,
            false => Floats(all.0.iter().copied().map(normal).collect()),
        });
        Depthwise { isa, window, channels, weights, bias, activation, interior }
    }

    /// `y = activation(conv(x) + bias + residual)`.
    pub(crate) fn run(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let row = self.window.output[1] * self.channels;
        for (at, y) in y.chunks_exact_mut(row).enumerate() {
            let (n, oy) = (at / self.window.output[0], at % self.window.output[0]);
            let picture = self.window.input[0] * self.window.input[1] * self.channels;
            self.row(&x[n * picture..][..picture], 0, residual.map(|r| &r[at * row..][..row]), oy, y);
        }
    }

    /// From now on reads an input of this height and width as if it had zeros around it, so many rows above and columns left; whether it
    /// can.
    pub(crate) fn take_border(&mut self, input: [usize; 2], before: [usize; 2]) -> bool {
        let Some(window) = self.window.within(input, before) else { return false };
        self.interior = window.interior();
        self.window = window;
        true
    }

    /// Pixels of the input.
    pub(crate) fn pixels_in(&self) -> usize {
        self.window.batch * self.window.input[0] * self.window.input[1]
    }

    /// Whether the rows under one output row reach those under the next.
    pub(crate) fn overlaps(&self) -> bool {
        let w = &self.window;
        w.stride[0] <= (w.kernel[0] - 1) * w.dilation[0] + 1
    }

    /// Numbers that it holds.
    pub(crate) fn weights(&self) -> usize {
        self.weights.0.len() + self.bias.0.len()
    }

    /// Multiplications of one run.
    pub(crate) fn work(&self) -> usize {
        let w = &self.window;
        w.outputs() * w.kernel[0] * w.kernel[1] * self.channels
    }

    /// The row `oy` of a picture's outputs; `image` holds the rows of the picture from `base` on, as far as they are needed.
    pub(crate) fn row(&self, image: &[f32], base: usize, residual: Option<&[f32]>, oy: usize, y: &mut [f32]) {
        let (w, c) = (&self.window, self.channels);
        let rows = w.taps(0, oy);
        let first = if rows.is_empty() { 0 } else { w.under(0, oy, rows.start) - base };
        let held = image.len() / (w.input[1] * c);
        // What the pointers below rely on.
        assert!(y.len() == w.output[1] * c && residual.is_none_or(|r| r.len() == y.len()));
        assert!(rows.is_empty() || first + (rows.len() - 1) * w.dilation[0] < held);
        if let Activation::PRelu(slopes) = &self.activation {
            assert!(slopes.0.len() >= c);
        }
        let mut row = Row { of: self, image, residual, rows, first, y };
        let interior = &self.interior;
        let square = w.dilation == [1, 1];
        let mut ox = 0;
        while ox < w.output[1] {
            let inside = if interior.contains(&ox) { interior.end - ox } else { 0 };
            // SAFETY: the assertions above bound every access, `inside` outputs from `ox` on have all their columns in the image, and
            // whoever made this knows that the processor has the instructions of `isa`.
            ox += unsafe {
                match (w.kernel[1], w.stride[1]) {
                    (3, 1) if square && inside >= 1 => row.shared::<3, 1>(ox, inside),
                    (3, 2) if square && inside >= 1 => row.shared::<3, 2>(ox, inside),
                    (5, 1) if square && inside >= 1 => row.shared::<5, 1>(ox, inside),
                    (5, 2) if square && inside >= 1 => row.shared::<5, 2>(ox, inside),
                    _ => row.single(ox),
                }
            };
        }
    }
}

impl Row<'_> {
    /// Some outputs from `ox` on, of the `inside` that have all their columns in the image; how many.
    ///
    /// # Safety
    /// As [`Depthwise::row`] asserts.
    unsafe fn shared<const K: usize, const S: usize>(&mut self, ox: usize, inside: usize) -> usize {
        #[inline(never)]
        unsafe fn portable<const K: usize, const S: usize, const P: usize>(row: &mut Row, ox: usize) {
            // SAFETY: as the caller has it.
            unsafe { row.columns::<Portable, Portable, K, S, P>(ox) }
        }
        #[cfg(target_arch = "x86_64")]
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2<const K: usize, const S: usize, const P: usize>(row: &mut Row, ox: usize) {
            // SAFETY: as the caller has it.
            unsafe { row.columns::<Avx2, Avx2, K, S, P>(ox) }
        }
        #[cfg(target_arch = "x86_64")]
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512vl")]
        unsafe fn avx512<const K: usize, const S: usize, const P: usize>(row: &mut Row, ox: usize) {
            // SAFETY: as the caller has it.
            unsafe { row.columns::<Wide, Half, K, S, P>(ox) }
        }
        // Eight outputs at stride 2 would need more inputs than `each` counts.
        let outputs = match inside {
            8.. if S == 1 => 8,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        macro_rules! by_outputs {
            ($columns:ident) => {
                match outputs {
                    8 => $columns::<K, S, 8>(self, ox),
                    4 => $columns::<K, S, 4>(self, ox),
                    2 => $columns::<K, S, 2>(self, ox),
                    _ => $columns::<K, S, 1>(self, ox),
                }
            };
        }
        // SAFETY: as the caller has it.
        unsafe {
            match self.of.isa {
                Isa::Portable => by_outputs!(portable),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => by_outputs!(avx2),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => by_outputs!(avx512),
            }
        }
        outputs
    }

    /// The output `ox`, whatever its window.
    ///
    /// # Safety
    /// As [`Depthwise::row`] asserts.
    unsafe fn single(&mut self, ox: usize) -> usize {
        #[inline(never)]
        unsafe fn portable(row: &mut Row, ox: usize) {
            // SAFETY: as the caller has it.
            unsafe { row.taps::<Portable, Portable>(ox) }
        }
        #[cfg(target_arch = "x86_64")]
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2(row: &mut Row, ox: usize) {
            // SAFETY: as the caller has it.
            unsafe { row.taps::<Avx2, Avx2>(ox) }
        }
        #[cfg(target_arch = "x86_64")]
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512vl")]
        unsafe fn avx512(row: &mut Row, ox: usize) {
            // SAFETY: as the caller has it.
            unsafe { row.taps::<Wide, Half>(ox) }
        }
        // SAFETY: as the caller has it.
        unsafe {
            match self.of.isa {
                Isa::Portable => portable(self, ox),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2(self, ox),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512(self, ox),
            }
        }
        1
    }

    /// `P` neighbouring outputs from `ox` on, all channels: in vectors `T`, the last few in one `H` where they fit.
    #[inline(always)]
    unsafe fn columns<T: Vector, H: Vector, const K: usize, const S: usize, const P: usize>(
        &mut self,
        ox: usize,
    ) {
        let c = self.of.channels;
        let mut channel = 0;
        // SAFETY: as the caller has it; `channel` and the lanes read from it on stay below `c`.
        unsafe {
            while c - channel >= T::LANES {
                self.block::<T, K, S, P, false>(ox, channel, T::LANES);
                channel += T::LANES;
            }
            match c - channel {
                0 => {}
                rest if rest == H::LANES => self.block::<H, K, S, P, false>(ox, channel, rest),
                rest if rest < H::LANES => self.block::<H, K, S, P, true>(ox, channel, rest),
                rest => self.block::<T, K, S, P, true>(ox, channel, rest),
            }
        }
    }

    /// One vector of channels, of which `lanes` are used when `SOME`.
    #[inline(always)]
    unsafe fn block<T: Vector, const K: usize, const S: usize, const P: usize, const SOME: bool>(
        &mut self,
        ox: usize,
        channel: usize,
        lanes: usize,
    ) {
        let (of, c) = (self.of, self.of.channels);
        let (w, image, weights) = (&of.window, self.image.as_ptr(), of.weights.0.as_ptr());
        // SAFETY: as the caller has it.
        unsafe {
            let mut sums = [load::<T, SOME>(of.bias.0.as_ptr().add(channel), lanes); P];
            let left = w.under(1, ox, 0);
            let mut line = image.add((self.first * w.input[1] + left) * c + channel);
            let mut taps = weights.add(self.rows.start * K * c + channel);
            for _ in self.rows.clone() {
                let mut row = [T::splat(0.0); K];
                each!(k below K => { row[k] = load::<T, SOME>(taps.add(k * c), lanes); });
                each!(i below (P - 1) * S + K => {
                    let value = load::<T, SOME>(line.add(i * c), lanes);
                    each!(p below P => {
                        if i >= p * S && i - p * S < K {
                            sums[p] = sums[p].plus(value, row[i - p * S]);
                        }
                    });
                });
                // Beyond the last row the pointers are not followed.
                line = line.wrapping_add(w.input[1] * c);
                taps = taps.wrapping_add(K * c);
            }
            self.finish::<T, P, SOME>(sums, ox, channel, lanes);
        }
    }

    /// Any kernel, stride and dilation, and windows that leave the image: one output.
    #[inline(always)]
    unsafe fn taps<T: Vector, H: Vector>(&mut self, ox: usize) {
        let c = self.of.channels;
        let columns = self.of.window.taps(1, ox);
        let mut channel = 0;
        // SAFETY: as the caller has it; `channel` and the lanes read from it on stay below `c`.
        unsafe {
            while c - channel >= 4 * T::LANES {
                self.tap_block::<T, 4, false>(ox, &columns, channel, T::LANES);
                channel += 4 * T::LANES;
            }
            while c - channel >= T::LANES {
                self.tap_block::<T, 1, false>(ox, &columns, channel, T::LANES);
                channel += T::LANES;
            }
            match c - channel {
                0 => {}
                rest if rest <= H::LANES => self.tap_block::<H, 1, true>(ox, &columns, channel, rest),
                rest => self.tap_block::<T, 1, true>(ox, &columns, channel, rest),
            }
        }
    }

    #[inline(always)]
    unsafe fn tap_block<T: Vector, const V: usize, const SOME: bool>(
        &mut self,
        ox: usize,
        columns: &std::ops::Range<usize>,
        channel: usize,
        lanes: usize,
    ) {
        let (of, c) = (self.of, self.of.channels);
        let w = &of.window;
        // SAFETY: as the caller has it; taps that `Window::taps` gives lie in the image.
        unsafe {
            let mut sums = [T::splat(0.0); V];
            each!(v below V => { sums[v] = load::<T, SOME>(of.bias.0.as_ptr().add(channel + v * T::LANES), lanes); });
            if !columns.is_empty() {
                let left = w.under(1, ox, columns.start);
                for (i, ky) in self.rows.clone().enumerate() {
                    let row = self.first + i * w.dilation[0];
                    let mut from = self.image.as_ptr().add((row * w.input[1] + left) * c + channel);
                    let mut taps =
                        of.weights.0.as_ptr().add((ky * w.kernel[1] + columns.start) * c + channel);
                    for _ in columns.clone() {
                        each!(v below V => {
                            let value = load::<T, SOME>(from.add(v * T::LANES), lanes);
                            sums[v] = sums[v].plus(value, load::<T, SOME>(taps.add(v * T::LANES), lanes));
                        });
                        // Beyond the last tap the pointer is not followed, and may leave the image.
                        from = from.wrapping_add(w.dilation[1] * c);
                        taps = taps.wrapping_add(c);
                    }
                }
            }
            each!(v below V => { self.finish::<T, 1, SOME>([sums[v]], ox, channel + v * T::LANES, lanes); });
        }
    }

    /// Residual, activation, and the way out.
    #[inline(always)]
    unsafe fn finish<T: Vector, const P: usize, const SOME: bool>(
        &mut self,
        mut sums: [T; P],
        ox: usize,
        channel: usize,
        lanes: usize,
    ) {
        let c = self.of.channels;
        let at = |p: usize| (ox + p) * c + channel;
        // SAFETY: as the caller has it; `P` outputs from `ox` on are in the row.
        unsafe {
            if let Some(residual) = self.residual {
                each!(p below P => { sums[p] = sums[p].add(load::<T, SOME>(residual.as_ptr().add(at(p)), lanes)); });
            }
            match &self.of.activation {
                Activation::None => {}
                Activation::PRelu(slopes) => {
                    let (zero, slope) =
                        (T::splat(0.0), load::<T, SOME>(slopes.0.as_ptr().add(channel), lanes));
                    each!(p below P => { sums[p] = sums[p].max(zero).plus(sums[p].min(zero), slope); });
                }
                other => {
                    if let Activation::Leaky { slope, .. } = other {
                        let (zero, slope) = (T::splat(0.0), T::splat(slope.get()));
                        each!(p below P => { sums[p] = sums[p].max(zero).plus(sums[p].min(zero), slope); });
                    }
                    let (low, high) = other.bounds();
                    let (low, high) = (T::splat(low), T::splat(high));
                    each!(p below P => { sums[p] = sums[p].max(low).min(high); });
                }
            }
            each!(p below P => {
                let to = self.y.as_mut_ptr().add(at(p));
                if SOME { sums[p].store_some(to, lanes) } else { sums[p].store(to) }
            });
        }
    }
}

/// # Safety
/// As [`Vector::load`] and [`Vector::load_some`].
#[inline(always)]
unsafe fn load<T: Vector, const SOME: bool>(from: *const f32, lanes: usize) -> T {
    // SAFETY: as the caller has it.
    unsafe { if SOME { T::load_some(from, lanes) } else { T::load(from) } }
}
