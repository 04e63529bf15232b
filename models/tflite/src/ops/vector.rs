//! Eight numbers that are computed together: one AVX2 register, or eight scalars where the target has none.
//!
//! Loops over arrays would say the same, but the compiler then keeps the accumulators of a tile in memory, which costs a factor
//! of ten; so the vectors are named.

/// How many.
pub(crate) const LANES: usize = 8;

/// `body` for `p` = 0, 1, … below `count` (a constant, 6 at most), written out: a loop would index the accumulators by a variable,
/// and they would live in memory.
macro_rules! each {
    ($p:ident below $count:expr => $body:block) => {
        each!(@ $p, $count, $body, 0 1 2 3 4 5)
    };
    (@ $p:ident, $count:expr, $body:block, $($at:literal)*) => {
        $(if $at < $count {
            let $p: usize = $at;
            $body
        })*
    };
}
pub(crate) use each;

#[cfg(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "fma"))]
mod imp {
    use core::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps};

    use super::LANES;

    /// The numbers.
    #[derive(Clone, Copy)]
    pub(crate) struct Lanes(__m256);

    impl Lanes {
        #[inline(always)]
        pub(crate) fn load(from: &[f32; LANES]) -> Self {
            // SAFETY: AVX is enabled for the whole build (the cfg above) and `from` is eight readable numbers.
            Lanes(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        pub(crate) fn splat(value: f32) -> Self {
            // SAFETY: AVX is enabled for the whole build (the cfg above).
            Lanes(unsafe { _mm256_set1_ps(value) })
        }
        /// `self + a * b`.
        #[inline(always)]
        pub(crate) fn plus(self, a: Self, b: Self) -> Self {
            // SAFETY: FMA is enabled for the whole build (the cfg above).
            Lanes(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
        }
        #[inline(always)]
        pub(crate) fn store(self, to: &mut [f32; LANES]) {
            // SAFETY: AVX is enabled for the whole build (the cfg above) and `to` is eight writable numbers.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2", target_feature = "fma")))]
mod imp {
    use super::LANES;

    /// The numbers.
    #[derive(Clone, Copy)]
    pub(crate) struct Lanes([f32; LANES]);

    impl Lanes {
        #[inline(always)]
        pub(crate) fn load(from: &[f32; LANES]) -> Self {
            Lanes(*from)
        }
        #[inline(always)]
        pub(crate) fn splat(value: f32) -> Self {
            Lanes([value; LANES])
        }
        /// `self + a * b`.
        #[inline(always)]
        pub(crate) fn plus(self, a: Self, b: Self) -> Self {
            Lanes(std::array::from_fn(|i| super::super::fma(a.0[i], b.0[i], self.0[i])))
        }
        #[inline(always)]
        pub(crate) fn store(self, to: &mut [f32; LANES]) {
            *to = self.0;
        }
    }
}

pub(crate) use imp::Lanes;
