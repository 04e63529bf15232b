//! What is done to lists of vectors: sums over a list, a layer's normalisation, a factor and a summand for each place. Loops that the
//! compiler makes vectors of, of those that it is inlined for ([`super::isa::Work`]).

use super::{Floats, Number};

/// Numbers that are summed side by side, so that the compiler makes vectors of them.
const SIDE: usize = 16;

/// `y[o][i] = scale[i] * sum over n of x[o][n][i]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Vectors of a list, and numbers of a vector.
    pub(crate) count: usize,
    pub(crate) inner: usize,
    /// One for each number of a vector.
    pub(crate) scale: Floats,
}

impl Sum {
    #[inline(always)]
    pub(crate) fn run(&self, x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks_exact(self.count * self.inner).zip(y.chunks_exact_mut(self.inner)) {
            y.fill(0.0);
            for vector in x.chunks_exact(self.inner) {
                y.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
            }
            y.iter_mut().zip(&*self.scale.0).for_each(|(sum, scale)| *sum *= scale);
        }
    }
}

/// Each vector less its mean, divided by its standard deviation: `(x - mean) / sqrt(variance + epsilon) * scale + shift`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Norm {
    pub(crate) epsilon: Number,
    /// Of each place of a vector.
    pub(crate) affine: Affine,
}

impl Norm {
    #[inline(always)]
    pub(crate) fn run(&self, x: &[f32], y: &mut [f32]) {
        let n = self.affine.scale.0.len();
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            let mean = sum(x, |value| value) / n as f32;
            let variance = sum(x, |value| (value - mean) * (value - mean)) / n as f32;
            let factor = (variance + self.epsilon.get()).sqrt().recip();
            let places = self.affine.scale.0.iter().zip(&*self.affine.shift.0);
            for ((y, x), (scale, shift)) in y.iter_mut().zip(x).zip(places) {
                *y = (x - mean) * factor * scale + shift;
            }
        }
    }
}

/// The sum of `f` of each.
#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = x.as_chunks::<SIDE>();
    let mut sums = [0.0; SIDE];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += f(*value));
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| f(*value)).sum::<f32>()
}

/// `x * scale + shift`, both of each place of a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Affine {
    pub(crate) scale: Floats,
    pub(crate) shift: Floats,
}

impl Affine {
    #[inline(always)]
    pub(crate) fn run(&self, x: &[f32], y: &mut [f32]) {
        let n = self.scale.0.len();
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            for ((y, x), (scale, shift)) in y.iter_mut().zip(x).zip(self.scale.0.iter().zip(&*self.shift.0)) {
                *y = x * scale + shift;
            }
        }
    }
}
