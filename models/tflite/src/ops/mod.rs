//! The operators that we bring to tract: dense `f32`, NHWC, shapes fixed when the file is read.
//!
//! Each kernel is a plain function over slices, with its bias, residual addition and activation applied while the result is
//! still in registers. That is where the time goes in these small networks: a separate pass for each PReLU, addition and
//! padding costs more than the multiplications.

mod attention;
mod conv;
mod depthwise;
mod gemm;
mod isa;
mod rows;
mod separable;
mod simple;
#[cfg(test)]
mod tests;
mod vector;

use std::sync::Arc;

use tract_core::internal::*;

use isa::Work;
use vector::Vector;

pub(crate) use attention::Attention;
pub(crate) use conv::Conv;
pub(crate) use depthwise::Depthwise;
pub use isa::Isa;
pub(crate) use rows::{Affine, Norm, Sum};
pub(crate) use separable::Separable;
pub(crate) use simple::{Pad, Pool, PoolKind, Resize};

/// A number that takes no longer than others: processors compute with subnormal ones (less than 1.2e-38) a hundred times as slowly, and a
/// trained network has them where regularisation took a weight away.
#[inline(always)]
pub(crate) fn normal(value: f32) -> f32 {
    // Not a comparison that what is no number fails: it stays none.
    if value.abs() < f32::MIN_POSITIVE { 0.0 } else { value }
}

/// Weights, shared between copies of an operator, and equal when they are the same bits.
#[derive(Clone, Debug)]
pub(crate) struct Floats(pub(crate) Arc<[f32]>);

impl PartialEq for Floats {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(other.0.iter()).all(|(a, b)| a.to_bits() == b.to_bits())
    }
}
impl Eq for Floats {}

/// Weights in the order in which a kernel meets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Weights {
    Single(Floats),
    /// Bits of half precision.
    Half(Arc<[u16]>),
}

impl Weights {
    /// In half precision, if that is what they are.
    fn halved(&self) -> Option<Self> {
        let Weights::Single(all) = self else { return None };
        let halves = all.0.iter().map(|one| f16::from_f32(*one));
        let same =
            halves.clone().zip(all.0.iter()).all(|(half, one)| half.to_f32().to_bits() == one.to_bits());
        same.then(|| Weights::Half(halves.map(f16::to_bits).collect()))
    }

    /// Numbers in single and in half precision.
    fn counts(&self) -> [usize; 2] {
        match self {
            Weights::Single(all) => [all.0.len(), 0],
            Weights::Half(all) => [0, all.len()],
        }
    }
}

/// A number that is equal when it is the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u32);

impl Number {
    pub(crate) fn new(value: f32) -> Self {
        Number(value.to_bits())
    }
    pub(crate) fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

/// What happens to a value on its way out of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    None,
    Relu,
    Relu6,
    ReluN1To1,
    /// Slope of the negative side, one a channel.
    PRelu(Floats),
    /// One slope for all channels, then nothing below `least`.
    Leaky {
        slope: Number,
        least: Number,
    },
}

impl Activation {
    /// What the value is held between, where the activation does no more than that.
    pub(crate) fn bounds(&self) -> (f32, f32) {
        match self {
            Activation::None | Activation::PRelu(_) => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
            Activation::ReluN1To1 => (-1.0, 1.0),
            // The slope is applied before.
            Activation::Leaky { least, .. } => (least.get(), f32::INFINITY),
        }
    }

    /// Applies it to `values`, which start at channel `channel`.
    #[inline(always)]
    pub(crate) fn apply(&self, values: &mut [f32], channel: usize) {
        match self {
            Activation::None => {}
            Activation::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
            Activation::Relu6 => values.iter_mut().for_each(|v| *v = v.clamp(0.0, 6.0)),
            Activation::ReluN1To1 => values.iter_mut().for_each(|v| *v = v.clamp(-1.0, 1.0)),
            Activation::PRelu(slopes) => {
                for (v, s) in values.iter_mut().zip(&slopes.0[channel..]) {
                    *v = v.max(0.0) + v.min(0.0) * s;
                }
            }
            Activation::Leaky { slope, least } => {
                let (slope, least) = (slope.get(), least.get());
                values.iter_mut().for_each(|v| *v = (v.max(0.0) + v.min(0.0) * slope).max(least));
            }
        }
    }
}

/// Where a window slides: shapes, steps and padding of the two image axes (rows first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) batch: usize,
    /// Height and width of the input.
    pub(crate) input: [usize; 2],
    /// Height and width of the output.
    pub(crate) output: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// Rows above and columns left that the input does not have.
    pub(crate) before: [usize; 2],
}

impl Window {
    /// The geometry of TensorFlow's `SAME` (the input is padded, more after than before) or `VALID` (it is not); `None` when
    /// a `VALID` window is larger than the input.
    pub(crate) fn new(
        batch: usize,
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
        same: bool,
    ) -> Option<Self> {
        let (mut output, mut before) = ([0; 2], [0; 2]);
        for axis in 0..2 {
            let span = (kernel[axis] - 1) * dilation[axis] + 1;
            if same {
                output[axis] = input[axis].div_ceil(stride[axis]);
                before[axis] = ((output[axis] - 1) * stride[axis] + span).saturating_sub(input[axis]) / 2;
            } else {
                output[axis] = input[axis].checked_sub(span)? / stride[axis] + 1;
            }
        }
        Some(Window { batch, input, output, kernel, stride, dilation, before })
    }
    /// The same outputs from a smaller input, which begins so far into this one, with nothing but zeros around it; `None` where all windows
    /// end before it.
    pub(crate) fn within(&self, input: [usize; 2], from: [usize; 2]) -> Option<Self> {
        let before = [self.before[0] + from[0], self.before[1] + from[1]];
        (0..2).all(|a| before[a] < self.span(a)).then(|| Window { input, before, ..self.clone() })
    }
    /// Extent of one axis that the taps of all outputs cover.
    pub(crate) fn span(&self, axis: usize) -> usize {
        (self.output[axis] - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }
    /// Pixels of the output.
    fn outputs(&self) -> usize {
        self.batch * self.output[0] * self.output[1]
    }
    /// Pixels of the input with its border.
    pub(crate) fn padded(&self) -> usize {
        self.batch.saturating_mul(self.span(0)).saturating_mul(self.span(1))
    }
    /// The taps of one axis that fall inside the input, for output position `at`.
    #[inline(always)]
    pub(crate) fn taps(&self, axis: usize, at: usize) -> std::ops::Range<usize> {
        let start = at * self.stride[axis];
        let (d, before) = (self.dilation[axis], self.before[axis]);
        let first = before.saturating_sub(start).div_ceil(d).min(self.kernel[axis]);
        let last = (self.input[axis] + before).saturating_sub(start).div_ceil(d).min(self.kernel[axis]);
        first..last
    }
    /// Output columns whose taps all fall inside the input.
    fn interior(&self) -> std::ops::Range<usize> {
        let whole = 0..self.kernel[1];
        let inside = |x: &usize| self.taps(1, *x) == whole;
        match (0..self.output[1]).find(inside) {
            Some(first) => first..(first..self.output[1]).take_while(inside).last().map_or(first, |x| x + 1),
            None => 0..0,
        }
    }
    /// Rows of the input under some output rows.
    fn rows_under(&self, outputs: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let last = (outputs.end - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1;
        let first = (outputs.start * self.stride[0]).saturating_sub(self.before[0]).min(self.input[0]);
        first..last.saturating_sub(self.before[0]).clamp(first, self.input[0])
    }
    /// Input position under tap `tap` of output position `at`; the tap must be one of [`Self::taps`].
    #[inline(always)]
    pub(crate) fn under(&self, axis: usize, at: usize, tap: usize) -> usize {
        at * self.stride[axis] + tap * self.dilation[axis] - self.before[axis]
    }
}

/// Which kernel an operator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Conv(Box<Conv>),
    Depthwise(Box<Depthwise>),
    Separable(Box<Separable>),
    Pool(Pool),
    Pad(Pad),
    Resize(Resize),
    /// An activation that could not be fused; the channel count is that of the last axis.
    Activate(Activation, usize),
    Sum(Sum),
    Norm(Norm),
    Affine(Affine),
    Attention(Attention),
}

/// A kernel as a tract operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nhwc {
    pub(crate) kernel: Kernel,
    /// What the processor has: kernels that do not know it by themselves run as they are compiled for it.
    pub(crate) isa: Isa,
    pub(crate) output: TVec<usize>,
}

/// A kernel with what it reads and writes.
struct Run<'a> {
    kernel: &'a Kernel,
    inputs: &'a [&'a [f32]],
    y: &'a mut [f32],
}

impl Work for Run<'_> {
    type Made = TractResult<()>;

    #[inline(always)]
    unsafe fn run<T: Vector>(self) -> TractResult<()> {
        let Run { kernel, inputs, y } = self;
        let Some(&x) = inputs.first() else { bail!("an operator without input") };
        match kernel {
            Kernel::Conv(k) => k.run(x, inputs.get(1).copied(), y),
            Kernel::Depthwise(k) => k.run(x, inputs.get(1).copied(), y),
            Kernel::Separable(k) => k.run(x, inputs.get(1).copied(), y),
            // SAFETY: as this function's caller has it.
            Kernel::Pool(k) => unsafe { k.run::<T>(x, y) },
            Kernel::Pad(k) => k.run(x, y),
            Kernel::Resize(k) => k.run(x, y),
            Kernel::Activate(activation, channels) => {
                y.copy_from_slice(x);
                y.chunks_exact_mut(*channels).for_each(|pixel| activation.apply(pixel, 0));
            }
            Kernel::Sum(k) => k.run(x, y),
            Kernel::Norm(k) => k.run(x, y),
            Kernel::Affine(k) => k.run(x, y),
            Kernel::Attention(k) => {
                let &[q, keys, values, ..] = inputs else { bail!("attention of three inputs") };
                // SAFETY: as this function's caller has it.
                unsafe { k.run::<T>(q, keys, values, inputs.get(3).copied(), y) };
            }
        }
        Ok(())
    }
}

impl Op for Nhwc {
    fn name(&self) -> StaticName {
        match self.kernel {
            Kernel::Conv(_) => "NhwcConv".into(),
            Kernel::Depthwise(_) => "NhwcDepthwise".into(),
            Kernel::Separable(_) => "NhwcSeparable".into(),
            Kernel::Pool(_) => "NhwcPool".into(),
            Kernel::Pad(_) => "NhwcPad".into(),
            Kernel::Resize(_) => "NhwcResize".into(),
            Kernel::Activate(..) => "NhwcActivate".into(),
            Kernel::Sum(_) => "RowsSum".into(),
            Kernel::Norm(_) => "RowsNorm".into(),
            Kernel::Affine(_) => "RowsAffine".into(),
            Kernel::Attention(_) => "Attention".into(),
        }
    }
    op_as_typed_op!();
}

impl EvalOp for Nhwc {
    op_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let views = inputs.iter().map(|t| t.try_as_plain_ram()).collect::<TractResult<TVec<_>>>()?;
        let slices = views.iter().map(|v| v.as_slice::<f32>()).collect::<TractResult<TVec<_>>>()?;
        // SAFETY: each kernel writes every element of its output before anything reads it.
        let mut out = unsafe { Tensor::uninitialized_aligned::<f32>(&self.output, 64)? };
        let mut view = out.try_as_plain_ram_mut()?;
        let run = Run { kernel: &self.kernel, inputs: &slices, y: view.as_slice_mut::<f32>()? };
        // SAFETY: `Kernels::isa` gives none that the processor has not.
        unsafe { self.isa.run(run)? };
        Ok(tvec!(out.into_tvalue()))
    }
}

impl TypedOp for Nhwc {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(&self.output)))
    }

    fn cost(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<(Cost, TDim)>> {
        let (multiplications, weights) = match &self.kernel {
            Kernel::Conv(k) => (k.work(), k.weights()),
            Kernel::Depthwise(k) => (k.work(), [k.weights(), 0]),
            Kernel::Separable(k) => (k.work(), k.weights()),
            Kernel::Attention(k) => (k.work(), [0; 2]),
            Kernel::Pool(_)
            | Kernel::Pad(_)
            | Kernel::Resize(_)
            | Kernel::Activate(..)
            | Kernel::Sum(_)
            | Kernel::Norm(_)
            | Kernel::Affine(_) => return Ok(tvec!()),
        };
        let held = [f32::datum_type(), f16::datum_type()].map(Cost::Params);
        let mut costs = tvec!((Cost::FMA(f32::datum_type()), multiplications.to_dim()));
        costs.extend(
            held.into_iter().zip(weights).filter(|(_, n)| *n > 0).map(|(held, n)| (held, n.to_dim())),
        );
        Ok(costs)
    }
    as_op!();
}
