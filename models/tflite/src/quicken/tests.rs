//! Each chain, of tract-core's own operators and as a kernel of ours, on the same numbers.

use proptest::prelude::*;
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math::{add, max, mul, sub};
use tract_core::ops::nn::{DataFormat, Reduce, Reducer, RmsNorm, Softmax, leaky_relu};

use super::quicken;
use crate::{Isa, Kernels};

const TOLERANCE: f32 = 1e-4;

/// `count` numbers from -1 to 1.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor(shape: &[usize], seed: u32) -> Tensor {
    Tensor::from_shape(shape, &numbers(shape.iter().product(), seed)).expect("as many numbers")
}

/// A model that is being made.
struct Making {
    model: TypedModel,
    count: usize,
}

impl Making {
    fn new() -> Self {
        Making { model: TypedModel::default(), count: 0 }
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("n{}", self.count)
    }

    fn input(&mut self, shape: &[usize]) -> OutletId {
        let name = self.name();
        self.model.add_source(name, f32::fact(shape)).expect("a shape")
    }

    fn constant(&mut self, value: Tensor) -> OutletId {
        let name = self.name();
        self.model.add_const(name, value).expect("a tensor")
    }

    fn wire(&mut self, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> OutletId {
        let name = self.name();
        self.model.wire_node(name, op, inputs).expect("inputs that fit")[0]
    }

    /// Binary, with a constant.
    fn by(&mut self, op: TypedBinOp, one: OutletId, value: Tensor) -> OutletId {
        let value = self.constant(value);
        self.wire(op, &[one, value])
    }

    fn einsum(&mut self, axes: &str, inputs: &[OutletId]) -> OutletId {
        self.wire(EinSum::new(axes.parse().expect("axes"), f32::datum_type()), inputs)
    }

    /// Holds what `quicken` makes of it against it; the kernels that are in it must be these, where any are named.
    fn check(mut self, outputs: &[OutletId], kernels: &[&str], seed: u32) {
        self.model.select_output_outlets(outputs).expect("outlets of it");
        let facts = self.model.inputs.iter().map(|o| self.model.outlet_fact(*o).expect("it is there"));
        let inputs: TVec<TValue> = facts
            .enumerate()
            .map(|(i, fact)| tensor(fact.shape.as_concrete().expect("fixed"), seed ^ i as u32).into_tvalue())
            .collect();
        let run = |model: TypedModel| {
            let model = model.into_optimized().expect("a sound model").into_runnable().expect("runnable");
            model.run(inputs.clone()).expect("it runs")
        };
        let expected = run(self.model.clone());
        for ours in Isa::available().map(Kernels::UpTo) {
            let quick = quicken(self.model.clone(), ours).expect("a sound model");
            let mut names: Vec<_> = quick.nodes.iter().map(|n| n.op.name().into_owned()).collect();
            names.retain(|name| ["Nhwc", "Rows", "Atte"].iter().any(|ours| name.starts_with(ours)));
            names.sort();
            assert!(kernels.is_empty() || names == kernels, "{names:?}\n{quick}");
            for (a, b) in run(quick).iter().zip(&expected) {
                assert_eq!(a.shape(), b.shape());
                a.close_enough(b, Approximation::Custom(TOLERANCE, TOLERANCE, 0.0))
                    .expect("the same numbers");
            }
        }
        let plain = quicken(self.model.clone(), Kernels::Plain).expect("untouched");
        assert_eq!(plain.nodes.len(), self.model.nodes.len());
    }
}

fn activated(making: &mut Making, which: u8, rank: usize, x: OutletId) -> OutletId {
    let number = |value: f32| Tensor::from_shape(&vec![1; rank], &[value]).expect("one number");
    match which {
        1 => making.by(max(), x, number(0.0)),
        2 => making.wire(leaky_relu(0.2), &[x]),
        3 => {
            let leaky = making.wire(leaky_relu(0.3), &[x]);
            making.by(max(), leaky, number(-0.1))
        }
        4 => making.by(max(), x, number(0.25)),
        _ => x,
    }
}

proptest! {
    #[test]
    fn a_product_with_all_that_follows_is_one_kernel(
        (rows, depth, columns) in (2..41usize, 2..70usize, 2..70usize), turned: bool, first: bool, bias: bool, residual: bool,
        act in 0..5u8, seed: u32,
    ) {
        let mut making = Making::new();
        let x = making.input(&[rows, depth]);
        let other = making.input(&[rows, columns]);
        let weights = if turned { [columns, depth] } else { [depth, columns] };
        let weights = making.constant(tensor(&weights, seed));
        let of_weights = if turned { "nk" } else { "kn" };
        let mut y = if first {
            making.einsum(&format!("{of_weights},mk->mn"), &[weights, x])
        } else {
            making.einsum(&format!("mk,{of_weights}->mn"), &[x, weights])
        };
        if bias {
            y = making.by(add(), y, tensor(&[1, columns], !seed));
        }
        if residual {
            y = making.wire(add(), &[other, y]);
        }
        let y = activated(&mut making, act, 2, y);
        making.check(&[y], &["NhwcConv"], seed);
    }

    #[test]
    fn heads_that_are_joined_and_single_rows_are_products_too(
        (rows, heads, depth, columns) in (1..20usize, 1..5usize, 1..20usize, 1..40usize), seed: u32,
    ) {
        let mut making = Making::new();
        let x = making.input(&[rows, heads, depth]);
        let weights = making.constant(tensor(&[heads, depth, columns], seed));
        let y = making.einsum("mak,akn->mn", &[x, weights]);
        let one = making.input(&[depth]);
        let weights = making.constant(tensor(&[depth, columns], !seed));
        let z = making.einsum("k,kn->n", &[one, weights]);
        making.check(&[y, z], &[], seed);
    }

    #[test]
    fn what_is_read_twice_or_told_stays(rows in 2..9usize, n in 2..20usize, told: bool, seed: u32) {
        let mut making = Making::new();
        let x = making.input(&[rows, n]);
        let weights = making.constant(tensor(&[n, n], seed));
        let y = making.einsum("mk,kn->mn", &[x, weights]);
        let z = making.by(add(), y, tensor(&[1, n], !seed));
        let w = if told { making.wire(add(), &[z, x]) } else { making.wire(mul(), &[z, y]) };
        let outputs = if told { vec![y, w] } else { vec![w] };
        making.check(&outputs, &[], seed);
    }

    #[test]
    fn products_that_are_added_are_two_kernels(rows in 2..9usize, n in 2..20usize, act in 0..5u8, seed: u32) {
        let mut making = Making::new();
        let x = making.input(&[rows, n]);
        let (one, two) = (making.constant(tensor(&[n, n], seed)), making.constant(tensor(&[n, n], !seed)));
        let (one, two) = (making.einsum("mk,kn->mn", &[x, one]), making.einsum("mk,kn->mn", &[x, two]));
        let two = making.by(add(), two, tensor(&[1, n], seed ^ 5));
        let y = making.wire(add(), &[one, two]);
        let y = activated(&mut making, act, 2, y);
        making.check(&[y], &["NhwcConv", "NhwcConv"], seed);
    }

    #[test]
    fn pictures_are_turned_once_and_their_convolutions_are_kernels(
        batch in 1..3usize, (h, w) in (6..12usize, 6..12usize), (kh, kw) in (2..4usize, 2..4usize), stride in 1..3usize,
        (top, left, bottom, right) in (0..2usize, 0..2usize, 0..2usize, 0..2usize), (ci, co) in (1..9usize, 2..40usize), act in 0..5u8,
        seed: u32,
    ) {
        let mut making = Making::new();
        let x = making.input(&[batch, ci, h, w]);
        let spec = |kernel: [usize; 2], stride: usize, padding, from, to| PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: kernel.into_iter().collect(),
            padding,
            dilations: None,
            strides: Some(tvec!(stride, stride)),
            input_channels: from,
            output_channels: to,
        };
        let around = PaddingSpec::Explicit(tvec!(top, left), tvec!(bottom, right));
        let pool_spec = spec([kh, kw], stride, around, ci, co);
        let conv = Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group: 1, q_params: None };
        let (kernel, bias) = (making.constant(tensor(&[co, ci, kh, kw], seed)), making.constant(tensor(&[co], !seed)));
        let y = making.wire(conv, &[x, kernel, bias]);
        let y = activated(&mut making, act, 4, y);
        let pool = MaxPool { pool_spec: spec([2, 1], 1, PaddingSpec::Valid, co, co), with_index_outputs: None };
        let z = making.wire(pool, &[y]);
        making.check(&[y, z], &["NhwcConv", "NhwcPool"], seed);
    }

    #[test]
    fn a_layers_normalisation_is_one_kernel((rows, n) in (1..20usize, 2..70usize), scale: bool, shift: bool, seed: u32) {
        let mut making = Making::new();
        let x = making.input(&[rows, n]);
        let sum = making.wire(Reduce { axes: tvec!(1), reducer: Reducer::Sum }, &[x]);
        let mean = making.by(mul(), sum, Tensor::from_shape(&[1, 1], &[1.0 / n as f32]).expect("one number"));
        let off = making.wire(sub(), &[x, mean]);
        let mut y = making.wire(RmsNorm { axis: 1, eps: Arc::new(tensor0(1e-3_f32)) }, &[off]);
        if scale {
            y = making.by(mul(), y, tensor(&[1, n], seed));
        }
        if shift {
            y = making.by(add(), y, tensor(&[1, n], !seed));
        }
        making.check(&[y], &["RowsNorm"], seed);
    }

    #[test]
    fn factors_sums_and_summands_are_kernels((rows, count, n) in (2..9usize, 2..20usize, 2..70usize), mean: bool, seed: u32) {
        let mut making = Making::new();
        let x = making.input(&[rows, count, n]);
        let y = making.by(mul(), x, tensor(&[1, 1, n], seed));
        let mut y = making.wire(Reduce { axes: tvec!(1), reducer: Reducer::Sum }, &[y]);
        if mean {
            y = making.by(mul(), y, Tensor::from_shape(&[1, 1, 1], &[1.0 / count as f32]).expect("one number"));
        }
        let z = making.input(&[rows, n]);
        let z = making.by(mul(), z, tensor(&[1, n], seed ^ 7));
        let z = making.by(add(), z, tensor(&[1, n], !seed));
        making.check(&[y, z], &["RowsAffine", "RowsSum"], seed);
    }

    #[test]
    fn attention_is_one_kernel(
        (queries, keys, heads) in (2..11usize, 2..40usize, 2..5usize), (depth, width) in (2..20usize, 2..40usize), scaled: bool, masked: bool,
        seed: u32,
    ) {
        let mut making = Making::new();
        let (q, k) = (making.input(&[queries, heads, depth]), making.input(&[keys, heads, depth]));
        let (v, mask) = (making.input(&[keys, heads, width]), making.input(&[1, 1, keys]));
        let mut fits = making.einsum("mak,nak->amn", &[q, k]);
        if scaled {
            fits = making.by(mul(), fits, Tensor::from_shape(&[1, 1, 1], &[0.3_f32]).expect("one number"));
        }
        if masked {
            let far = making.by(mul(), mask, Tensor::from_shape(&[1, 1, 1], &[50.0_f32]).expect("one number"));
            fits = making.wire(add(), &[fits, far]);
        }
        let shares = making.wire(Softmax { axes: tvec!(2), ..Softmax::default() }, &[fits]);
        let y = making.einsum("amk,kan->man", &[shares, v]);
        making.check(&[y], &["Attention"], seed);
    }
}
