//! Reference outputs: what another runtime (LiteRT, ONNX Runtime) gives for inputs that anyone can make again.
//!
//! The inputs of case `seed` (1, 2, …) are the numbers of the generator `s = 1664525 s + 1013904223 (mod 2^32)` that starts
//! at `seed`: number `i` is `(s >> 8) / 2^24`, scaled to the tensor's range; the inputs follow each other in one sequence. The
//! even cases are smoothed by a running mean of 64 numbers, since noise alone is a poor picture. The file holds, as little-endian `f32`, case
//! after case and output after output, every `stride(len)`-th number.

use thiserror::Error;

use crate::network::{Network, RunError};
use crate::passport::{Passport, TensorSpec};
use crate::store::beside;

/// Cases in each golden file.
pub const CASES: u32 = 4;

/// Most numbers that are kept of one output.
const KEPT: usize = 1021;

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Numbers compared.
    pub compared: usize,
    /// Greatest absolute difference.
    pub max_abs_error: f32,
}

/// Why a network is not confirmed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// The passport names no reference.
    #[error("its passport names no golden outputs")]
    None,
    /// The values are not of the expected length.
    #[error("{file} holds {found} bytes, {expected} are expected")]
    Length {
        /// The file.
        file: String,
        /// Bytes found.
        found: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// The network failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The outputs are too far off.
    #[error("output `{output}` is off by {found:e} in case {case}, allowed is {allowed:e}")]
    Differs {
        /// Which output.
        output: String,
        /// Which case.
        case: u32,
        /// Greatest difference.
        found: f32,
        /// Of the passport.
        allowed: f32,
    },
}

/// One number in how many is kept of an output of `len`; odd, so that interleaved values are all met.
pub fn stride(len: usize) -> usize {
    len.div_ceil(KEPT) | 1
}

/// The inputs of case `seed`.
pub fn inputs(specs: &[TensorSpec], seed: u32) -> Vec<Vec<f32>> {
    let mut state = seed;
    let mut inputs = Vec::new();
    for spec in specs {
        let [low, high] = spec.range.unwrap_or([0.0, 1.0]);
        let mut values = Vec::with_capacity(spec.len());
        for _ in 0..spec.len() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            values.push(state >> 8);
        }
        if seed.is_multiple_of(2) {
            // Integer sums, so that every language makes the same bits.
            let noise = values.clone();
            for (i, value) in values.iter_mut().enumerate() {
                let window = &noise[i.saturating_sub(63)..=i];
                *value = (window.iter().map(|v| u64::from(*v)).sum::<u64>() / window.len() as u64) as u32;
            }
        }
        inputs.push(values.into_iter().map(|v| low + (high - low) * (v as f32 / 16_777_216.0)).collect());
    }
    inputs
}

/// Runs every case and compares.
pub fn verify(passport: &Passport, network: &mut Network) -> Result<Agreement, GoldenError> {
    let golden = passport.golden.as_ref().ok_or(GoldenError::None)?;
    let bytes = beside(&passport.name, &golden.file).ok_or(GoldenError::None)?;
    compare(passport, network, bytes)
}

/// Runs every case and compares with the reference in `bytes`.
pub(crate) fn compare(
    passport: &Passport,
    network: &mut Network,
    bytes: &[u8],
) -> Result<Agreement, GoldenError> {
    let golden = passport.golden.as_ref().ok_or(GoldenError::None)?;
    let reference: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let per_case: usize = passport.outputs.iter().map(|o| o.len().div_ceil(stride(o.len()))).sum();
    let expected = per_case * CASES as usize;
    if bytes.len() != 4 * expected {
        let (found, expected) = (bytes.len(), 4 * expected);
        return Err(GoldenError::Length { file: golden.file.clone(), found, expected });
    }
    let mut reference = reference.iter();
    let mut agreement = Agreement { compared: 0, max_abs_error: 0.0 };
    for case in 1..=CASES {
        let inputs = inputs(&passport.inputs, case);
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs = network.run(&inputs)?;
        for (index, spec) in passport.outputs.iter().enumerate() {
            let mut found = 0.0f32;
            for (ours, theirs) in
                outputs.get(index).iter().step_by(stride(spec.len())).zip(reference.by_ref())
            {
                let off = (ours - theirs).abs();
                // A NaN compares with nothing: it must not pass as small.
                found = if off.is_nan() { f32::INFINITY } else { found.max(off) };
                agreement.compared += 1;
            }
            if found > golden.max_abs_error {
                let (output, allowed) = (spec.name.clone(), golden.max_abs_error);
                return Err(GoldenError::Differs { output, case, found, allowed });
            }
            agreement.max_abs_error = agreement.max_abs_error.max(found);
        }
    }
    Ok(agreement)
}
