//! Which instructions the kernels use, chosen when they run: the same code is compiled for each kind, and the widest that the processor
//! has is taken, whatever the build as a whole is compiled for.

#[cfg(target_arch = "x86_64")]
use super::vector::Avx2;
use std::fmt;

use super::vector::{Portable, Vector};

/// Instructions that the kernels are compiled for, the narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Eight numbers side by side, in the registers that the target of the build has (SSE2 on plain x86-64, NEON on aarch64).
    Portable,
    /// AVX2 with FMA and F16C: 16 registers of eight.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 (F and VL): 32 registers of sixteen, or of eight.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "AVX-512",
        })
    }
}

impl Isa {
    /// All kinds, the narrowest first.
    pub(super) const ALL: &[Isa] = &[
        Isa::Portable,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512,
    ];

    /// The widest that this processor has, with all that are narrower. The standard library asks the processor once and remembers.
    #[must_use]
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
            return if wide { Isa::Avx512 } else { Isa::Avx2 };
        }
        Isa::Portable
    }

    /// Whether it widens numbers of half precision in one instruction.
    pub(super) fn widens(self) -> bool {
        self > Isa::Portable
    }

    /// All that this processor has, the narrowest first.
    pub fn available() -> impl Iterator<Item = Isa> {
        let widest = Isa::detect();
        Isa::ALL.iter().copied().filter(move |isa| *isa <= widest)
    }

    /// Runs `work` as it is compiled for these instructions, AVX-512 as AVX2: what is done so gains nothing by more.
    ///
    /// # Safety
    /// The processor has them.
    #[inline]
    pub(crate) unsafe fn run<W: Work>(self, work: W) -> W::Made {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn avx2<W: Work>(work: W) -> W::Made {
            // SAFETY: as this function's caller has it.
            unsafe { work.run::<Avx2>() }
        }
        // SAFETY: as this function's caller has it; a processor that has AVX-512 has AVX2.
        unsafe {
            match self {
                Isa::Portable => work.run::<Portable>(),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 | Isa::Avx512 => avx2(work),
            }
        }
    }
}

/// Something to be compiled once for each kind of instructions. What it calls, and its own `run`, are `#[inline(always)]`: code that stays
/// a function of its own is compiled for the target of the build.
pub(crate) trait Work {
    type Made;
    /// # Safety
    /// The processor has `T`'s instructions.
    unsafe fn run<T: Vector>(self) -> Self::Made;
}
