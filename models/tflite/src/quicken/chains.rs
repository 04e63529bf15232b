//! The chains of operators that one kernel of ours does.
//!
//! | chain, in tract's terms | kernel |
//! |---|---|
//! | EinSum with a constant, a constant added, something added, an activation | a convolution of single pixels |
//! | Conv of NCHW pictures (one group), an activation | a convolution |
//! | MaxPool of NCHW pictures | a pool |
//! | Reduce Sum / n, Sub, RmsNorm, Mul and Add by constants | a layer's normalisation |
//! | Mul by a constant, Reduce Sum over an inner axis, Mul by a number | a sum |
//! | Mul and Add by constants, one for each place of the last axis | an affine map |
//! | EinSum, Mul by a number, Add of a mask, Softmax, EinSum | attention |

use std::collections::{HashMap, HashSet};

use tract_core::internal::*;
use tract_core::ops::cnn::{Conv as TractConv, KernelFormat, MaxPool, PoolSpec};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::math::{Add, Max, Mul, Sub};
use tract_core::ops::nn::{DataFormat, LeakyRelu, Reduce, Reducer, RmsNorm, Softmax, SoftmaxKind};

pub(crate) use super::matched::concrete;
use super::matched::{Trail, other, places, product, values};
use crate::ops::{
    Activation, Affine, Attention, Conv, Floats, Isa, Kernel, Norm, Number, Pool, PoolKind, Sum, Window,
};

/// How a kernel's tensors lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As tract has them.
    Same,
    /// NHWC, of what is NCHW in tract.
    Picture,
}

/// Where chains are looked for.
#[derive(Clone, Copy)]
struct Search<'m> {
    model: &'m TypedModel,
    isa: Isa,
    /// The operators of those that were found.
    taken: &'m HashSet<usize>,
}

/// What does the work of a chain.
pub(crate) struct Found {
    pub(crate) kernel: Kernel,
    pub(crate) inputs: TVec<OutletId>,
    pub(crate) layout: Layout,
}

/// Kernels by the last operator of their chains, and the operators before the last ones.
pub(crate) fn all(model: &TypedModel, isa: Isa) -> TractResult<(HashMap<usize, Found>, HashSet<usize>)> {
    let (mut found, mut taken, mut inside) = (HashMap::new(), HashSet::<usize>::new(), HashSet::new());
    for id in model.eval_order()? {
        let node = model.node(id);
        if taken.contains(&id) {
            continue;
        }
        let search = Search { model, isa, taken: &taken };
        let one = dense(search, node)
            .or_else(|| picture(search, node))
            .or_else(|| pool(search, node))
            .or_else(|| norm(search, node))
            .or_else(|| sum(search, node))
            .or_else(|| affine(search, node))
            .or_else(|| attention(search, node));
        let Some((nodes, one)) = one else { continue };
        taken.extend(&nodes);
        if let Some((last, before)) = nodes.split_last() {
            inside.extend(before);
            found.insert(*last, one);
        }
    }
    Ok((found, inside))
}

type Chain = (Vec<usize>, Found);

fn dense(search: Search, node: &TypedNode) -> Option<Chain> {
    let Search { model, isa, taken } = search;
    let product = product(model, node)?;
    let (rows, depth, columns) = (product.rows, product.depth, product.columns);
    let given = values(model, product.b)?;
    let mut weights = given;
    if !product.turned {
        let mut turned = vec![0.0; weights.len()];
        for (column, to) in turned.chunks_exact_mut(depth).enumerate() {
            to.iter_mut()
                .zip(weights.iter().skip(column).step_by(columns))
                .for_each(|(to, from)| *to = *from);
        }
        weights = turned;
    }
    let mut trail = Trail::from(model, taken, node);
    let (mut bias, mut residual) = (vec![0.0; columns], None);
    while let Some((next, other)) = trail.binary::<Add>() {
        let shape = trail.shape()?;
        if concrete(&next.outputs[0].fact)? != shape {
            break;
        }
        if let Some(more) = places(model, other, &shape, columns) {
            bias.iter_mut().zip(more).for_each(|(sum, value)| *sum += value);
        } else if residual.is_none() && concrete(model.outlet_fact(other).ok()?).as_ref() == Some(&shape) {
            residual = Some(other);
        } else {
            break;
        }
        trail.follow(next);
    }
    let activation = activation(&mut trail);
    let window = Window {
        batch: 1,
        input: [1, rows],
        output: [1, rows],
        kernel: [1; 2],
        stride: [1; 2],
        dilation: [1; 2],
        before: [0; 2],
    };
    let kernel = Kernel::Conv(Box::new(Conv::new(isa, window, depth, &weights, &bias, activation)));
    let inputs = std::iter::once(product.a).chain(residual).collect();
    Some((trail.nodes, Found { kernel, inputs, layout: Layout::Same }))
}

/// What follows as an activation.
fn activation(trail: &mut Trail) -> Activation {
    let mut slope = None;
    if let Some(next) = trail.reader()
        && let Some(op) = next.op_as::<ElementWiseOp>()
        && let Some(leaky) = op.0.downcast_ref::<LeakyRelu>()
    {
        slope = Some(leaky.alpha);
        trail.follow(next);
    }
    let mut least = None;
    if let Some((next, number)) = trail.by_number::<Max>() {
        least = Some(number);
        trail.follow(next);
    }
    match (slope, least) {
        (None, None) => Activation::None,
        (None, Some(0.0)) => Activation::Relu,
        (slope, least) => Activation::Leaky {
            slope: Number::new(slope.unwrap_or(1.0)),
            least: Number::new(least.unwrap_or(f32::NEG_INFINITY)),
        },
    }
}

/// The geometry of a window over NCHW pictures.
fn window(spec: &PoolSpec, input: &TypedFact, output: &TypedFact) -> Option<Window> {
    let (from, to) = (concrete(input)?, concrete(output)?);
    let (&[batch, _, h, w], &[_, _, out_h, out_w]) = (from.as_slice(), to.as_slice()) else { return None };
    if spec.data_format != DataFormat::NCHW || spec.rank() != 2 {
        return None;
    }
    let padding = spec.computed_padding(&[h, w]);
    let pair = |of: &dyn Fn(usize) -> usize| [of(0), of(1)];
    let window = Window {
        batch,
        input: [h, w],
        output: [out_h, out_w],
        kernel: pair(&|a| spec.kernel_shape[a]),
        stride: pair(&|a| spec.stride(a)),
        dilation: pair(&|a| spec.dilation(a)),
        before: pair(&|a| padding[a].pad_before),
    };
    // A window wholly beside its picture is another matter.
    let touches = (0..2).all(|a| {
        let (reach, last) =
            (window.kernel[a] * window.dilation[a], (window.output[a] - 1) * window.stride[a]);
        window.before[a] < reach && last < window.input[a] + window.before[a]
    });
    (touches && window.output == pair(&|a| padding[a].convoluted)).then_some(window)
}

fn picture(search: Search, node: &TypedNode) -> Option<Chain> {
    let Search { model, isa, taken } = search;
    let op = node.op_as::<TractConv>()?;
    let &[x, kernel, bias] = node.inputs.as_slice() else { return None };
    if op.kernel_fmt != KernelFormat::OIHW || op.group != 1 || op.q_params.is_some() {
        return None;
    }
    let window = window(&op.pool_spec, model.outlet_fact(x).ok()?, &node.outputs[0].fact)?;
    let (ci, co) = (op.input_channels(), op.output_channels());
    let taps = window.kernel[0] * window.kernel[1];
    let given = values(model, kernel).filter(|values| values.len() == co * ci * taps)?;
    let mut weights = vec![0.0; given.len()];
    for (from, to) in given.chunks_exact(ci * taps).zip(weights.chunks_exact_mut(ci * taps)) {
        for (at, value) in from.iter().enumerate() {
            to[at % taps * ci + at / taps] = *value;
        }
    }
    let bias = match values(model, bias)? {
        one if one.len() == 1 => vec![one[0]; co],
        all => Some(all).filter(|all| all.len() == co)?,
    };
    let mut trail = Trail::from(model, taken, node);
    let activation = activation(&mut trail);
    let kernel = Kernel::Conv(Box::new(Conv::new(isa, window, ci, &weights, &bias, activation)));
    Some((trail.nodes, Found { kernel, inputs: tvec!(x), layout: Layout::Picture }))
}

fn pool(search: Search, node: &TypedNode) -> Option<Chain> {
    let Search { model, .. } = search;
    let op = node.op_as::<MaxPool>().filter(|op| op.with_index_outputs.is_none())?;
    let x = *node.inputs.first()?;
    let window = window(&op.pool_spec, model.outlet_fact(x).ok()?, &node.outputs[0].fact)?;
    let channels = op.pool_spec.input_channels;
    let kernel = Kernel::Pool(Pool { window, channels, kind: PoolKind::Max, activation: Activation::None });
    Some((vec![node.id], Found { kernel, inputs: tvec!(x), layout: Layout::Picture }))
}

/// Whether the operator sums along one axis; which, what it reads, and the shape of that.
fn reduced(model: &TypedModel, node: &TypedNode) -> Option<(usize, OutletId, TVec<usize>)> {
    let op = node.op_as::<Reduce>().filter(|op| op.reducer == Reducer::Sum)?;
    let (&[axis], &[x]) = (op.axes.as_slice(), node.inputs.as_slice()) else { return None };
    Some((axis, x, concrete(model.outlet_fact(x).ok()?)?))
}

fn norm(search: Search, node: &TypedNode) -> Option<Chain> {
    let Search { model, taken, .. } = search;
    let (axis, x, shape) = reduced(model, node)?;
    let n = *shape.last().filter(|_| axis + 1 == shape.len())?;
    let mut trail = Trail::from(model, taken, node);
    let (next, share) = trail.by_number::<Mul>()?;
    if (share * n as f32 - 1.0).abs() > 1e-6 {
        return None;
    }
    trail.follow(next);
    let (next, from) = trail.binary::<Sub>()?;
    if from != x || next.inputs.first() != Some(&x) {
        return None;
    }
    trail.follow(next);
    let next = trail.reader()?;
    let op = next.op_as::<RmsNorm>().filter(|op| op.axis == axis)?;
    let epsilon = Number::new(op.eps.cast_to_scalar::<f32>().ok()?);
    trail.follow(next);
    let affine = factors(&mut trail, n);
    let kernel = Kernel::Norm(Norm { epsilon, affine });
    Some((trail.nodes, Found { kernel, inputs: tvec!(x), layout: Layout::Same }))
}

/// The factors and summands of each place of the last axis that follow.
fn factors(trail: &mut Trail, n: usize) -> Affine {
    let (mut scale, mut shift) = (vec![1.0; n], vec![0.0; n]);
    let constant = |trail: &Trail, next: Option<(&TypedNode, OutletId)>| {
        let (next, other) = next?;
        let shape = trail.shape().filter(|shape| concrete(&next.outputs[0].fact).as_ref() == Some(shape))?;
        places(trail.model, other, &shape, n).map(|values| (next.id, values))
    };
    if let Some((next, values)) = constant(trail, trail.binary::<Mul>()) {
        scale = values;
        trail.nodes.push(next);
    }
    if let Some((next, values)) = constant(trail, trail.binary::<Add>()) {
        shift = values;
        trail.nodes.push(next);
    }
    Affine { scale: Floats(scale.into()), shift: Floats(shift.into()) }
}

fn sum(search: Search, node: &TypedNode) -> Option<Chain> {
    let Search { model, taken, .. } = search;
    // A factor of each place may come before.
    let (mut trail, factor) = match model.node(node.id).op_is::<Reduce>() {
        true => (Trail::from(model, taken, node), None),
        false => {
            let x = *node.inputs.iter().find(|o| values(model, **o).is_none())?;
            let factor = other::<Mul>(node, x)?;
            let same = concrete(&node.outputs[0].fact)? == concrete(model.outlet_fact(x).ok()?)?;
            let mut trail = Trail::from(model, taken, node);
            let next = trail.reader().filter(|_| same)?;
            trail.follow(next);
            (trail, Some((x, factor)))
        }
    };
    let reduce = model.node(trail.outlet().node);
    let (axis, mut x, shape) = reduced(model, reduce)?;
    let inner: usize = shape[axis + 1..].iter().product();
    if axis + 1 == shape.len() || inner == 0 {
        return None;
    }
    let mut scale = vec![1.0; inner];
    if let Some((from, factor)) = factor {
        (x, scale) = (from, places(model, factor, &shape, inner)?);
    }
    if let Some((next, number)) = trail.by_number::<Mul>() {
        scale.iter_mut().for_each(|scale| *scale *= number);
        trail.follow(next);
    }
    let kernel = Kernel::Sum(Sum { count: shape[axis], inner, scale: Floats(scale.into()) });
    Some((trail.nodes, Found { kernel, inputs: tvec!(x), layout: Layout::Same }))
}

fn affine(search: Search, node: &TypedNode) -> Option<Chain> {
    let Search { model, taken, .. } = search;
    let x = *node.inputs.iter().find(|o| values(model, **o).is_none())?;
    let factor = other::<Mul>(node, x)?;
    let shape = concrete(model.outlet_fact(x).ok()?)?;
    let n = *shape.last()?;
    // One number for all is quick already.
    if n < 2 || values(model, factor)?.len() != n || concrete(&node.outputs[0].fact)? != shape {
        return None;
    }
    let scale = places(model, factor, &shape, n)?;
    let mut trail = Trail::from(model, taken, node);
    let Affine { shift, scale: more } = factors(&mut trail, n);
    let scale: Vec<f32> = scale.iter().zip(&*more.0).map(|(a, b)| a * b).collect();
    let kernel = Kernel::Affine(Affine { scale: Floats(scale.into()), shift });
    Some((trail.nodes, Found { kernel, inputs: tvec!(x), layout: Layout::Same }))
}

/// Whether einsum's axes say the same as `wanted`, whatever the letters.
fn says(node: &TypedNode, wanted: &str) -> bool {
    let Some(op) = node.op_as::<EinSum>().filter(|op| op.q_params.is_none()) else { return false };
    let (inputs, outputs) = op.axes.to_strs();
    let said = format!("{}->{}", inputs.join(","), outputs.join(","));
    let mut letters = HashMap::new();
    let renamed: String = said
        .chars()
        .map(|c| match c {
            ',' | '-' | '>' => c,
            axis => {
                let next = char::from(b'a' + letters.len().min(25) as u8);
                *letters.entry(axis).or_insert(next)
            }
        })
        .collect();
    op.operating_dt == f32::datum_type() && renamed == wanted
}

fn attention(search: Search, node: &TypedNode) -> Option<Chain> {
    let Search { model, taken, .. } = search;
    // [query][head][depth], [key][head][depth] to [head][query][key].
    if !says(node, "abc,dbc->bad") {
        return None;
    }
    let &[q, k] = node.inputs.as_slice() else { return None };
    let shape = |outlet: OutletId| concrete(model.outlet_fact(outlet).ok()?);
    let (of_q, of_k) = (shape(q)?, shape(k)?);
    let (&[queries, heads, depth], &[keys, ..]) = (of_q.as_slice(), of_k.as_slice()) else { return None };
    let mut trail = Trail::from(model, taken, node);
    let mut scale = 1.0;
    if let Some((next, number)) = trail.by_number::<Mul>() {
        scale = number;
        trail.follow(next);
    }
    let mut mask = None;
    if let Some((next, other)) = trail.binary::<Add>() {
        // One number a key.
        if shape(other)?.as_slice() != [1, 1, keys] || concrete(&next.outputs[0].fact)? != trail.shape()? {
            return None;
        }
        mask = Some(other);
        trail.follow(next);
    }
    let next = trail.reader()?;
    let softmax = next.op_as::<Softmax>()?;
    if softmax.axes.as_slice() != [2]
        || softmax.kind != SoftmaxKind::Softmax
        || softmax.quant_output_dt.is_some()
    {
        return None;
    }
    trail.follow(next);
    let next = trail.reader()?;
    // [head][query][key], [key][head][width] to [query][head][width].
    if !says(next, "abc,cad->bad") || next.inputs.first() != Some(&trail.outlet()) {
        return None;
    }
    let v = *next.inputs.get(1)?;
    let &[_, _, width] = shape(v)?.as_slice() else { return None };
    concrete(&next.outputs[0].fact)?;
    trail.follow(next);
    let scale = Number::new(scale);
    let kernel = Kernel::Attention(Attention { heads, queries, keys, depth, width, scale });
    let inputs = [q, k, v].into_iter().chain(mask).collect();
    Some((trail.nodes, Found { kernel, inputs, layout: Layout::Same }))
}
