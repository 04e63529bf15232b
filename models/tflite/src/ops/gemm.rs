//! The multiplications of a convolution: a tile of neighbouring output pixels by up to three vectors of output channels, whose sums stay
//! in registers from the bias to the activation.

#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Half, Wide};
use super::vector::{Portable, Vector, each};
use super::{Activation, Isa};

/// Most output pixels in a tile.
pub(crate) const PIXELS: usize = 12;

/// Vectors of channels in a block of [`Portable`]: of 32 registers as long as NEON's, or 16 of eight numbers, there is room for two; of
/// SSE2's 16 for one, which takes two of them.
const PORTABLE: usize = if cfg!(any(target_arch = "aarch64", target_feature = "avx")) { 2 } else { 1 };

/// The registers of one block of output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registers {
    /// Vectors of eight, in whatever the target of the build has.
    Portable(usize),
    /// Vectors of eight.
    #[cfg(target_arch = "x86_64")]
    Avx2(usize),
    /// Vectors of sixteen.
    #[cfg(target_arch = "x86_64")]
    Wide(usize),
    /// Vectors of eight, of which AVX-512 has twice as many as AVX2.
    #[cfg(target_arch = "x86_64")]
    Half(usize),
}

impl Registers {
    /// Channels that they hold.
    pub(crate) fn channels(self) -> usize {
        match self {
            Registers::Portable(vectors) => vectors * 8,
            #[cfg(target_arch = "x86_64")]
            Registers::Avx2(vectors) | Registers::Half(vectors) => vectors * 8,
            #[cfg(target_arch = "x86_64")]
            Registers::Wide(vectors) => vectors * 16,
        }
    }
    /// Most pixels of a tile: with the weights, the sums fill 16 registers, or 32.
    pub(crate) fn pixels(self) -> usize {
        match self {
            Registers::Portable(1) if PORTABLE == 2 => 8,
            Registers::Portable(_) => 6,
            #[cfg(target_arch = "x86_64")]
            Registers::Avx2(1) => 8,
            #[cfg(target_arch = "x86_64")]
            Registers::Avx2(_) => 6,
            #[cfg(target_arch = "x86_64")]
            Registers::Wide(3) | Registers::Half(3) => 8,
            #[cfg(target_arch = "x86_64")]
            Registers::Wide(_) | Registers::Half(_) => PIXELS,
        }
    }
    /// Blocks for `channels` output channels, with few lanes left empty.
    pub(crate) fn blocks(isa: Isa, channels: usize) -> Vec<Registers> {
        let mut blocks = Vec::new();
        let mut of_eight = |registers: fn(usize) -> Registers, most: usize| {
            let vectors = channels.div_ceil(8);
            blocks.resize(vectors / most, registers(most));
            let rest = vectors % most;
            blocks.extend((rest > 0).then(|| registers(rest)));
        };
        match isa {
            Isa::Portable => of_eight(Registers::Portable, PORTABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => of_eight(Registers::Avx2, 2),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                if (17..=24).contains(&channels) {
                    return vec![Registers::Half(3)];
                }
                let rest = channels % 16;
                let half = (1..=8).contains(&rest);
                let mut wide = channels / 16 + usize::from(rest > 8);
                while wide > 0 {
                    let vectors = if wide == 1 || wide.is_multiple_of(2) { wide.min(2) } else { 3 };
                    blocks.push(Registers::Wide(vectors));
                    wide -= vectors;
                }
                blocks.extend(half.then_some(Registers::Half(1)));
            }
        }
        blocks
    }
}

/// A weight as it lies in memory.
pub(crate) trait Weight: Copy {
    /// # Safety
    /// As [`Vector::load`].
    unsafe fn load<T: Vector>(from: *const Self) -> T;
}

impl Weight for f32 {
    #[inline(always)]
    unsafe fn load<T: Vector>(from: *const f32) -> T {
        // SAFETY: as the trait demands.
        unsafe { T::load(from) }
    }
}

/// The bits of a number of half precision.
impl Weight for u16 {
    #[inline(always)]
    unsafe fn load<T: Vector>(from: *const u16) -> T {
        // SAFETY: as the trait demands.
        unsafe { T::widen(from) }
    }
}

/// Pixels of an image, with the window of each.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a> {
    pub(crate) image: &'a [f32],
    /// Where each pixel's window begins in `image`.
    pub(crate) starts: &'a [usize],
    /// Runs of neighbouring inputs, each from its distance to the window's beginning.
    pub(crate) runs: &'a [usize],
    /// Numbers of a run.
    pub(crate) run: usize,
}

/// What one tile reads and writes.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a, W> {
    /// As many as are computed.
    pub(crate) windows: Windows<'a>,
    /// `[run][number][channel of the block]`.
    pub(crate) weights: &'a [W],
    /// Of the block's channels, and nothing beyond them read.
    pub(crate) bias: &'a [f32],
    /// Added before the activation: pixels of so many channels; further channels get nothing.
    pub(crate) residual: Option<(&'a [f32], usize)>,
    pub(crate) activation: &'a Activation,
    /// First output channel of the block, and of the pixel.
    pub(crate) channel: usize,
    /// Output channels of the block, and in all.
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl<W: Weight> Tile<'_, W> {
    /// Computes the outputs, which lie one after the other from the beginning of `y`.
    #[inline]
    pub(crate) fn run(&self, registers: Registers, y: &mut [f32]) {
        let Windows { image, starts, runs, run } = self.windows;
        let pixels = starts.len();
        // What the pointers below rely on.
        let reach = runs.iter().max().map_or(0, |far| far + run);
        assert!((1..=registers.pixels()).contains(&pixels));
        let far = starts.iter().fold(0, |far: usize, start| far.max(*start));
        assert!(far + reach <= image.len());
        let held = registers.channels();
        assert!(self.weights.len() >= runs.len() * run * held && self.bias.len() >= held);
        assert!(self.width <= held && self.channel + self.width <= self.channels);
        assert!(pixels * self.channels <= y.len());
        assert!(self.residual.is_none_or(|(r, held)| held <= self.channels && r.len() >= pixels * held));
        if let Activation::PRelu(slopes) = self.activation {
            assert!(slopes.0.len() >= self.channel + self.width);
        }
        // SAFETY: the assertions above bound every access; `Registers::blocks` gives the registers of what the processor has.
        unsafe {
            match registers {
                Registers::Portable(1) => portable::<W, 1>(self, pixels, y),
                Registers::Portable(_) => portable::<W, 2>(self, pixels, y),
                #[cfg(target_arch = "x86_64")]
                Registers::Avx2(1) => avx2::<W, 1>(self, pixels, y),
                #[cfg(target_arch = "x86_64")]
                Registers::Avx2(_) => avx2::<W, 2>(self, pixels, y),
                #[cfg(target_arch = "x86_64")]
                Registers::Wide(1) => wide::<W, 1>(self, pixels, y),
                #[cfg(target_arch = "x86_64")]
                Registers::Wide(2) => wide::<W, 2>(self, pixels, y),
                #[cfg(target_arch = "x86_64")]
                Registers::Wide(_) => wide::<W, 3>(self, pixels, y),
                #[cfg(target_arch = "x86_64")]
                Registers::Half(1) => half::<W, 1>(self, pixels, y),
                #[cfg(target_arch = "x86_64")]
                Registers::Half(_) => half::<W, 3>(self, pixels, y),
            }
        }
    }
}

/// Calls `$tile` with the number of pixels as a constant.
macro_rules! by_pixels {
    ($tile:ident, $w:ident, $v:ident, $t:ident, $pixels:ident, $y:ident, $($p:literal)*, $most:literal) => {
        // SAFETY: as this function's caller has it.
        unsafe {
            match $pixels {
                $($p => $tile::<$w, $p, $v>($t, $y),)*
                _ => {
                    debug_assert_eq!($pixels, $most);
                    $tile::<$w, $most, $v>($t, $y)
                }
            }
        }
    };
}

/// # Safety
/// As [`tile`].
unsafe fn portable<W: Weight, const V: usize>(t: &Tile<W>, pixels: usize, y: &mut [f32]) {
    /// A function of its own: inlined, the compiler runs out of registers.
    #[inline(never)]
    unsafe fn one<W: Weight, const P: usize, const V: usize>(t: &Tile<W>, y: &mut [f32]) {
        // SAFETY: as this function's caller has it.
        unsafe { tile::<Portable, W, P, V>(t, y) }
    }
    if V == 1 {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5 6 7, 8)
    } else {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5, 6)
    }
}

/// # Safety
/// As [`tile`].
#[cfg(target_arch = "x86_64")]
unsafe fn avx2<W: Weight, const V: usize>(t: &Tile<W>, pixels: usize, y: &mut [f32]) {
    #[inline(never)]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn one<W: Weight, const P: usize, const V: usize>(t: &Tile<W>, y: &mut [f32]) {
        // SAFETY: as this function's caller has it.
        unsafe { tile::<Avx2, W, P, V>(t, y) }
    }
    if V == 1 {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5 6 7, 8)
    } else {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5, 6)
    }
}

/// # Safety
/// As [`tile`].
#[cfg(target_arch = "x86_64")]
unsafe fn wide<W: Weight, const V: usize>(t: &Tile<W>, pixels: usize, y: &mut [f32]) {
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512vl")]
    unsafe fn one<W: Weight, const P: usize, const V: usize>(t: &Tile<W>, y: &mut [f32]) {
        // SAFETY: as this function's caller has it.
        unsafe { tile::<Wide, W, P, V>(t, y) }
    }
    if V == 3 {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5 6 7, 8)
    } else {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5 6 7 8 9 10 11, 12)
    }
}

/// # Safety
/// As [`tile`].
#[cfg(target_arch = "x86_64")]
unsafe fn half<W: Weight, const V: usize>(t: &Tile<W>, pixels: usize, y: &mut [f32]) {
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512vl")]
    unsafe fn one<W: Weight, const P: usize, const V: usize>(t: &Tile<W>, y: &mut [f32]) {
        // SAFETY: as this function's caller has it.
        unsafe { tile::<Half, W, P, V>(t, y) }
    }
    if V == 3 {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5 6 7, 8)
    } else {
        by_pixels!(one, W, V, t, pixels, y, 1 2 3 4 5 6 7 8 9 10 11, 12)
    }
}

/// `y = activation(conv + bias + residual)` for `P` pixels and `V` vectors of channels.
///
/// # Safety
/// The processor has `T`'s instructions, and [`Tile::run`] found all lengths right for `P` pixels and `V` vectors.
#[inline(always)]
unsafe fn tile<T: Vector, W: Weight, const P: usize, const V: usize>(t: &Tile<W>, y: &mut [f32]) {
    // SAFETY: offsets stay within the bounds that the caller checked.
    unsafe {
        let Windows { image, starts, runs, run } = t.windows;
        let bases: [*const f32; P] = std::array::from_fn(|p| image.as_ptr().add(*starts.get_unchecked(p)));
        let mut sums = [[T::splat(0.0); V]; P];
        each!(v below V => {
            let bias = T::load(t.bias.as_ptr().add(v * T::LANES));
            each!(p below P => { sums[p][v] = bias; });
        });
        let mut weights = t.weights.as_ptr();
        for &from in runs {
            for k in from..from + run {
                let mut row = [T::splat(0.0); V];
                each!(v below V => { row[v] = W::load(weights.add(v * T::LANES)); });
                weights = weights.add(V * T::LANES);
                each!(p below P => {
                    let value = T::splat(*bases[p].add(k));
                    each!(v below V => { sums[p][v] = sums[p][v].plus(value, row[v]); });
                });
            }
        }
        let last = t.width - (V - 1) * T::LANES;
        let load = |from: *const f32, v: usize| {
            let from = from.add(v * T::LANES);
            if v + 1 == V && last != T::LANES { T::load_some(from, last) } else { T::load(from) }
        };
        if let Some((residual, held)) = t.residual {
            each!(v below V => {
                let from = residual.as_ptr().wrapping_add(t.channel + v * T::LANES);
                let lanes = if v + 1 == V { last } else { T::LANES };
                let lanes = held.saturating_sub(t.channel + v * T::LANES).min(lanes);
                if lanes == T::LANES {
                    each!(p below P => { sums[p][v] = sums[p][v].add(T::load(from.add(p * held))); });
                } else if lanes > 0 {
                    each!(p below P => { sums[p][v] = sums[p][v].add(T::load_some(from.add(p * held), lanes)); });
                }
            });
        }
        match t.activation {
            Activation::None => {}
            Activation::PRelu(slopes) => {
                let zero = T::splat(0.0);
                each!(v below V => {
                    let slope = load(slopes.0.as_ptr().add(t.channel), v);
                    each!(p below P => {
                        let s = sums[p][v];
                        sums[p][v] = s.max(zero).plus(s.min(zero), slope);
                    });
                });
            }
            other => {
                if let Activation::Leaky { slope, .. } = other {
                    let (zero, slope) = (T::splat(0.0), T::splat(slope.get()));
                    each!(p below P => {
                        each!(v below V => {
                            let s = sums[p][v];
                            sums[p][v] = s.max(zero).plus(s.min(zero), slope);
                        });
                    });
                }
                let (low, high) = other.bounds();
                let (low, high) = (T::splat(low), T::splat(high));
                each!(p below P => {
                    each!(v below V => { sums[p][v] = sums[p][v].max(low).min(high); });
                });
            }
        }
        each!(p below P => {
            let to = y.as_mut_ptr().add(p * t.channels + t.channel);
            each!(v below V => {
                let to = to.add(v * T::LANES);
                if v + 1 == V && last != T::LANES { sums[p][v].store_some(to, last) } else { sums[p][v].store(to) }
            });
        });
    }
}
