//! Attention of several heads: what each query takes of the values, by how well the keys fit it.

use super::Number;
use super::vector::{Vector, each};

/// Queries that are looked at together, and numbers beside each other: four times two registers of sums.
const QUERIES: usize = 4;
const LANES: usize = 8;
const WIDE: usize = 2 * LANES;

/// `softmax(scale * q k^T + mask) v`, head by head; `q` is `[query][head][depth]`, `k` and `v` are `[key][head][depth or width]`, the mask is
/// one number a key, the result `[query][head][width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attention {
    pub(crate) heads: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    pub(crate) depth: usize,
    pub(crate) width: usize,
    pub(crate) scale: Number,
}

impl Attention {
    /// Multiplications of one run.
    pub(crate) fn work(&self) -> usize {
        self.heads * self.queries * self.keys * (self.depth + self.width)
    }

    /// # Safety
    /// The processor has `T`'s instructions.
    #[inline(always)]
    pub(crate) unsafe fn run<T: Vector>(
        &self,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        mask: Option<&[f32]>,
        y: &mut [f32],
    ) {
        let Attention { heads, queries, keys, depth, width, scale } = self;
        let (heads, queries, keys, depth, width) = (*heads, *queries, *keys, *depth, *width);
        let (wide_keys, wide_values) = (keys.next_multiple_of(WIDE), width.next_multiple_of(WIDE));
        // Of one head: keys side by side, values filled up to whole registers; of some queries: how well each key fits.
        let mut turned = vec![0.0; depth * wide_keys];
        let mut values = vec![0.0; keys * wide_values];
        let mut fits = vec![0.0; QUERIES * wide_keys];
        let mut start = vec![0.0; wide_keys];
        if let Some(mask) = mask {
            start[..keys].copy_from_slice(&mask[..keys]);
        }
        let none = vec![0.0; wide_values];
        let mut made = vec![0.0; QUERIES * wide_values];
        for head in 0..heads {
            for key in 0..keys {
                let from = &k[(key * heads + head) * depth..][..depth];
                for (d, value) in from.iter().enumerate() {
                    turned[d * wide_keys + key] = value * scale.get();
                }
                let from = &v[(key * heads + head) * width..][..width];
                values[key * wide_values..][..width].copy_from_slice(from);
            }
            for first in (0..queries).step_by(QUERIES) {
                // The last one again, where there are not so many.
                let query = |p: usize| (first + p).min(queries - 1);
                let rows: [&[f32]; QUERIES] =
                    std::array::from_fn(|p| &q[(query(p) * heads + head) * depth..][..depth]);
                // SAFETY: as this function's caller has it.
                unsafe { product::<T>(rows, &turned, &start, &mut fits) };
                for row in fits.chunks_exact_mut(wide_keys) {
                    softmax(&mut row[..keys]);
                }
                let rows: [&[f32]; QUERIES] = std::array::from_fn(|p| &fits[p * wide_keys..][..keys]);
                // SAFETY: as this function's caller has it.
                unsafe { product::<T>(rows, &values, &none, &mut made) };
                for (p, made) in made.chunks_exact(wide_values).enumerate().take(queries - first) {
                    y[((first + p) * heads + head) * width..][..width].copy_from_slice(&made[..width]);
                }
            }
        }
    }
}

/// `to[p] = start + sum over i of rows[p][i] * columns[i]`; the columns are as long as `start`, whole registers.
///
/// # Safety
/// The processor has `T`'s instructions.
#[inline(always)]
unsafe fn product<T: Vector>(rows: [&[f32]; QUERIES], columns: &[f32], start: &[f32], to: &mut [f32]) {
    let width = start.len();
    let depth = rows[0].len();
    // What the pointers below rely on.
    assert!(T::LANES == LANES && width.is_multiple_of(WIDE) && rows.iter().all(|row| row.len() == depth));
    assert!(columns.len() >= depth * width && to.len() >= QUERIES * width);
    for at in (0..width).step_by(WIDE) {
        // SAFETY: as this function's caller has it; the assertions bound every access.
        unsafe {
            let mut sums = [[T::splat(0.0); 2]; QUERIES];
            each!(v below 2 => {
                let start = T::load(start.as_ptr().add(at + v * LANES));
                each!(p below QUERIES => { sums[p][v] = start; });
            });
            for i in 0..depth {
                let from = columns.as_ptr().add(i * width + at);
                let row = [T::load(from), T::load(from.add(LANES))];
                each!(p below QUERIES => {
                    let value = T::splat(*rows[p].get_unchecked(i));
                    each!(v below 2 => { sums[p][v] = sums[p][v].plus(value, row[v]); });
                });
            }
            each!(p below QUERIES => {
                each!(v below 2 => { sums[p][v].store(to.as_mut_ptr().add(p * width + at + v * LANES)); });
            });
        }
    }
}

/// Shares that are together 1.
#[inline(always)]
fn softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|value| *value = exp(*value - most));
    let whole = row.iter().sum::<f32>().recip();
    row.iter_mut().for_each(|value| *value *= whole);
}

/// e to the power of a number that is 0 or less, to 2e-7 of it, as operations that the compiler makes vectors of. Coefficients of Cephes' `expf`
/// (S. Moshier, public domain).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added and taken away again, it leaves the nearest whole number (1.5 * 2^23).
    const ROUND: f32 = 12_582_912.0;
    /// e^-80 is 1.8e-35: nothing beside a 1, and normal still when it was divided by the sum of a row. What is below, a masked key above all, is
    /// an exact zero, since processors compute with subnormal numbers a hundred times as slowly.
    const LEAST: f32 = -80.0;
    let nothing = x < LEAST;
    // What is no number stays none.
    let x = if nothing { LEAST } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, of which the first has few digits.
    let rest = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let mut sum = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        sum = sum * rest + coefficient;
    }
    let power = f32::from_bits((whole as i32 + 127).cast_unsigned() << 23);
    let power = if nothing { 0.0 } else { power };
    (sum * rest * rest + rest + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_share_is_a_subnormal_number() {
        let mut row: Vec<f32> =
            (0..900).map(|key| -(key as f32) / 10.0).chain([-1e4, -1e9, f32::NEG_INFINITY]).collect();
        softmax(&mut row);
        assert!(row.iter().all(|share| *share == 0.0 || *share >= f32::MIN_POSITIVE), "{row:?}");
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_power_of_e_is_right_to_its_last_decimals() {
        for step in 0..=8_000 {
            let x = -(step as f32) / 100.0;
            let expected = f64::from(x).exp();
            let off = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(off < 2e-7, "{x}: {off}");
        }
        assert!(
            exp(f32::NEG_INFINITY) == 0.0 && exp(-1e4) == 0.0 && exp(-80.1) == 0.0 && exp(f32::NAN).is_nan()
        );
    }
}
