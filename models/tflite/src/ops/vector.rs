//! Numbers that are computed together: one register of AVX-512 (16, or 8 for what is left over), of AVX2 (8), or 8 scalars.
//!
//! Loops over arrays would say the same, but the compiler then keeps the accumulators of a tile in memory, which costs a factor
//! of ten; so the vectors are named. The kernels are written once over [`Vector`] and compiled once for each kind ([`super::Isa`]).
//!
//! Nothing here is compiled for more than the target of the build has: the functions below are inlined into ones that have the
//! instructions (`#[target_feature]`), which is where they become single instructions.

/// A register of `f32`.
///
/// # Safety
/// Every function wants a processor that has the type's instructions; pointers are to be readable, or writable, for `LANES` numbers,
/// in the functions of `some` for `n` of them (at most `LANES`).
pub(crate) trait Vector: Copy {
    const LANES: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// Of numbers in half precision, by their bits.
    unsafe fn widen(from: *const u16) -> Self;
    /// The lanes from `n` on are 0.
    unsafe fn load_some(from: *const f32, n: usize) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_some(self, to: *mut f32, n: usize);
    /// `self + a * b`.
    unsafe fn plus(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
}

/// `body` for `p` = 0, 1, … below `count` (a constant, 12 at most), written out: a loop would index the accumulators by a variable,
/// and they would live in memory.
macro_rules! each {
    ($p:ident below $count:expr => $body:block) => {
        each!(@ $p, $count, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $p:ident, $count:expr, $body:block, $($at:literal)*) => {
        $(if $at < $count {
            let $p: usize = $at;
            $body
        })*
    };
}
pub(crate) use each;

/// Implements [`Vector`] for a register type of x86-64 by the names of its instructions.
#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    ($name:ident($register:ty), $lanes:literal, $set1:ident $loadu:ident $storeu:ident $fmadd:ident $add:ident $max:ident
     $min:ident, |$bits:ident| $widen:expr, |$from:ident, $n:ident| $load_some:expr, |$v:ident, $to:ident, $m:ident| $store_some:expr) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name($register);

        impl Vector for $name {
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: as the trait demands, the processor has the instruction.
                $name(unsafe { $set1(value) })
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: as the trait demands, of the processor and of the pointer.
                $name(unsafe { $loadu(from) })
            }
            #[inline(always)]
            unsafe fn widen($bits: *const u16) -> Self {
                // SAFETY: as the trait demands, of the processor and of the pointer.
                $name(unsafe { $widen })
            }
            #[inline(always)]
            unsafe fn load_some($from: *const f32, $n: usize) -> Self {
                // SAFETY: as the trait demands; no lane from `n` on is touched.
                $name(unsafe { $load_some })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: as the trait demands, of the processor and of the pointer.
                unsafe { $storeu(to, self.0) }
            }
            #[inline(always)]
            unsafe fn store_some(self, $to: *mut f32, $m: usize) {
                let $v = self.0;
                // SAFETY: as the trait demands; no lane from `n` on is touched.
                unsafe { $store_some }
            }
            #[inline(always)]
            unsafe fn plus(self, a: Self, b: Self) -> Self {
                // SAFETY: as the trait demands, the processor has the instruction.
                $name(unsafe { $fmadd(a.0, b.0, self.0) })
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as the trait demands, the processor has the instruction.
                $name(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: as the trait demands, the processor has the instruction.
                $name(unsafe { $max(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                // SAFETY: as the trait demands, the processor has the instruction.
                $name(unsafe { $min(self.0, other.0) })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use core::arch::x86_64::*;

    use super::Vector;

    x86!(Wide(__m512), 16, _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_add_ps _mm512_max_ps
         _mm512_min_ps,
        |bits| _mm512_cvtph_ps(_mm256_loadu_si256(bits.cast())),
        |from, n| _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, from),
        |v, to, n| _mm512_mask_storeu_ps(to, ((1u32 << n) - 1) as u16, v));
    // Half a register, of which AVX-512 has 32 too: for channels that would leave half of a whole one empty.
    x86!(Half(__m256), 8, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps _mm256_max_ps
         _mm256_min_ps,
        |bits| _mm256_cvtph_ps(_mm_loadu_si128(bits.cast())),
        |from, n| _mm256_maskz_loadu_ps(((1u32 << n) - 1) as u8, from),
        |v, to, n| _mm256_mask_storeu_ps(to, ((1u32 << n) - 1) as u8, v));
}
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::{Half, Wide};

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::*;

    use super::Vector;

    /// Masks of `n` lanes are eight numbers from `8 - n` on.
    static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    /// # Safety
    /// The processor has AVX.
    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        let from: &[i32] = &MASKS[8 - n..][..8];
        // SAFETY: as this function's caller has it; `from` is eight readable numbers.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }

    x86!(Avx2(__m256), 8, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps _mm256_max_ps
         _mm256_min_ps,
        |bits| _mm256_cvtph_ps(_mm_loadu_si128(bits.cast())),
        |from, n| _mm256_maskload_ps(from, mask(n)),
        |v, to, n| _mm256_maskstore_ps(to, mask(n), v));
}
#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;

mod portable {
    use tract_core::prelude::f16;
    use wide::f32x8;

    use super::Vector;

    /// Eight numbers in whatever registers the target of the build has: two of SSE2 or NEON, one of AVX, none. (Over eight scalars the
    /// compiler kept a tile's sums in memory, which took six times as long.)
    #[derive(Clone, Copy)]
    pub(crate) struct Portable(f32x8);

    impl Vector for Portable {
        const LANES: usize = 8;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            Portable(f32x8::splat(value))
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: as the trait demands, eight numbers are readable.
            Portable(f32x8::new(unsafe { from.cast::<[f32; 8]>().read_unaligned() }))
        }
        #[inline(always)]
        unsafe fn widen(from: *const u16) -> Self {
            // SAFETY: as the trait demands, eight numbers are readable.
            let bits = unsafe { from.cast::<[u16; 8]>().read_unaligned() };
            Portable(f32x8::new(bits.map(|bits| f16::from_bits(bits).to_f32())))
        }
        #[inline(always)]
        unsafe fn load_some(from: *const f32, n: usize) -> Self {
            let mut lanes = [0.0; 8];
            // SAFETY: as the trait demands, `n` numbers are readable, and `n` is at most eight.
            unsafe { core::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n) };
            Portable(f32x8::new(lanes))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: as the trait demands, eight numbers are writable.
            unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0.to_array()) }
        }
        #[inline(always)]
        unsafe fn store_some(self, to: *mut f32, n: usize) {
            // SAFETY: as the trait demands, `n` numbers are writable, and `n` is at most eight.
            unsafe { core::ptr::copy_nonoverlapping(self.0.as_array().as_ptr(), to, n) }
        }
        #[inline(always)]
        unsafe fn plus(self, a: Self, b: Self) -> Self {
            Portable(a.0.mul_add(b.0, self.0))
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Portable(self.0 + other.0)
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Portable(self.0.fast_max(other.0))
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Portable(self.0.fast_min(other.0))
        }
    }
}
pub(crate) use portable::Portable;
