//! The same network of tract-core's own operators, for whoever doubts ours: convolutions, activations and additions one by one, nothing
//! fused. It takes three to six times as long. What tract-core lacks (padding's, pooling's and resizing's geometry in NHWC) stays ours.

use tract_core::internal::*;
use tract_core::ops::{
    array::FiniteReshape,
    cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec},
    math, nn,
    nn::DataFormat,
};

use crate::ops::{Activation, Floats, Window};

/// A convolution as the file has it.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) window: Window,
    pub(crate) channels_in: usize,
    pub(crate) channels_out: usize,
    /// Each channel by itself.
    pub(crate) depthwise: bool,
    /// OHWI, or HWC of a depthwise one.
    pub(crate) weights: Floats,
    pub(crate) bias: Floats,
    pub(crate) activation: Activation,
}

impl Plain {
    /// Wires it after `x`; the result has the shape `output`.
    pub(crate) fn wire(
        &self,
        model: &mut TypedModel,
        name: &str,
        x: OutletId,
        output: &[usize],
    ) -> TractResult<OutletId> {
        let w = &self.window;
        let (ci, co, [kh, kw]) = (self.channels_in, self.channels_out, w.kernel);
        let after = |axis: usize| w.span(axis).saturating_sub(w.input[axis] + w.before[axis]);
        let pool_spec = PoolSpec {
            data_format: DataFormat::NHWC,
            kernel_shape: tvec!(kh, kw),
            padding: PaddingSpec::Explicit(w.before.iter().copied().collect(), tvec!(after(0), after(1))),
            dilations: Some(w.dilation.iter().copied().collect()),
            strides: Some(w.stride.iter().copied().collect()),
            input_channels: ci,
            output_channels: co,
        };
        let (group, of_group) = if self.depthwise { (ci, 1) } else { (1, ci) };
        let mut oihw = vec![0.0; co * of_group * kh * kw];
        for o in 0..co {
            for i in 0..of_group {
                for k in 0..kh * kw {
                    let from = if self.depthwise { k * co + o } else { (o * kh * kw + k) * ci + i };
                    oihw[(o * of_group + i) * kh * kw + k] = self.weights.0[from];
                }
            }
        }
        let weights = Tensor::from_shape(&[co, of_group, kh, kw], &oihw)?;
        let weights = model.add_const(format!("{name}.weights"), weights)?;
        let bias = model.add_const(format!("{name}.bias"), Tensor::from_shape(&[co], &self.bias.0)?)?;
        let image = tvec!(w.batch, w.input[0], w.input[1], ci);
        // A fully connected layer reads a list of vectors.
        let x = if model.outlet_fact(x)?.shape.as_concrete() == Some(&image) {
            x
        } else {
            one(model.wire_node(format!("{name}.image"), FiniteReshape { shape: image }, &[x])?)?
        };
        let conv = Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group, q_params: None };
        let mut y = one(model.wire_node(format!("{name}.conv"), conv, &[x, weights, bias])?)?;
        if model.outlet_fact(y)?.shape.as_concrete() != Some(output) {
            let shape = output.iter().copied().collect();
            y = one(model.wire_node(format!("{name}.vectors"), FiniteReshape { shape }, &[y])?)?;
        }
        activate(model, name, &self.activation, y)
    }
}

/// Wires an activation after `x`.
pub(crate) fn activate(
    model: &mut TypedModel,
    name: &str,
    activation: &Activation,
    x: OutletId,
) -> TractResult<OutletId> {
    let rank = model.outlet_fact(x)?.rank();
    let constant = |model: &mut TypedModel, what: &str, values: &[f32]| {
        let mut shape = vec![1; rank];
        if let Some(last) = shape.last_mut() {
            *last = values.len();
        }
        model.add_const(format!("{name}.{what}"), Tensor::from_shape(&shape, values)?)
    };
    if let Activation::PRelu(slopes) = activation {
        let zero = constant(model, "zero", &[0.0])?;
        let slopes = constant(model, "slopes", &slopes.0)?;
        let above = one(model.wire_node(format!("{name}.above"), math::max(), &[x, zero])?)?;
        let below = one(model.wire_node(format!("{name}.below"), math::min(), &[x, zero])?)?;
        let below = one(model.wire_node(format!("{name}.sloped"), math::mul(), &[below, slopes])?)?;
        return one(model.wire_node(format!("{name}.prelu"), math::add(), &[above, below])?);
    }
    let (low, high) = activation.bounds();
    let mut y = x;
    if let Activation::Leaky { slope, .. } = activation {
        y = one(model.wire_node(format!("{name}.leaky"), nn::leaky_relu(slope.get()), &[y])?)?;
    }
    if low > f32::NEG_INFINITY {
        let low = constant(model, "low", &[low])?;
        y = one(model.wire_node(format!("{name}.max"), math::max(), &[y, low])?)?;
    }
    if high < f32::INFINITY {
        let high = constant(model, "high", &[high])?;
        y = one(model.wire_node(format!("{name}.min"), math::min(), &[y, high])?)?;
    }
    Ok(y)
}

fn one(outlets: TVec<OutletId>) -> TractResult<OutletId> {
    outlets.first().copied().context("an operator without output")
}
