//! Every kernel against sums written out as their definitions say, in `f64`, on shapes that fit nothing: odd sizes, strides, dilations,
//! paddings, and channel counts that are no multiple of a vector.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::prelude::*;
use tract_core::prelude::f16;

use super::{
    Activation, Conv, Depthwise, Floats, Isa, Kernel, Number, Pad, Pool, PoolKind, Resize, Run, Separable,
    Window, normal,
};
use crate::exact;
use crate::exact::activated;

/// Allowed between the kernels and the definition.
const TOLERANCE: f64 = 1e-4;

/// Numbers from -1 to 1.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn activation(which: u8, channels: usize) -> Activation {
    match which {
        0 => Activation::None,
        1 => Activation::Relu,
        2 => Activation::Relu6,
        3 => Activation::ReluN1To1,
        4 => Activation::Leaky { slope: Number::new(0.2), least: Number::new(-0.1) },
        _ => Activation::PRelu(Floats(numbers(channels, 77).into())),
    }
}

/// The outputs of a convolution; `weight(o, ky, kx, i)` is 0 where output channel `o` does not see input channel `i`.
fn defined(
    w: &Window,
    ci: usize,
    x: &[f32],
    weight: impl Fn(usize, usize, usize, usize) -> f32,
    bias: &[f32],
    residual: Option<&[f32]>,
    act: &Activation,
) -> Vec<f64> {
    let mut y = Vec::new();
    for n in 0..w.batch {
        for oy in 0..w.output[0] {
            for ox in 0..w.output[1] {
                for (o, &bias) in bias.iter().enumerate() {
                    let mut sum = f64::from(bias);
                    for ky in 0..w.kernel[0] {
                        for kx in 0..w.kernel[1] {
                            let row = (oy * w.stride[0] + ky * w.dilation[0]).checked_sub(w.before[0]);
                            let column = (ox * w.stride[1] + kx * w.dilation[1]).checked_sub(w.before[1]);
                            let (Some(row), Some(column)) = (row, column) else { continue };
                            if row >= w.input[0] || column >= w.input[1] {
                                continue;
                            }
                            for i in 0..ci {
                                let value = x[((n * w.input[0] + row) * w.input[1] + column) * ci + i];
                                sum += f64::from(value) * f64::from(weight(o, ky, kx, i));
                            }
                        }
                    }
                    sum += residual.map_or(0.0, |r| f64::from(r[y.len()]));
                    y.push(activated(act, sum, o));
                }
            }
        }
    }
    y
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() < TOLERANCE, "number {at}: {a} is not {b}");
    }
}

/// The outputs of a kernel that is compiled for each kind of instructions as a whole.
fn run(isa: Isa, kernel: &Kernel, x: &[f32], outputs: usize) -> Vec<f32> {
    let mut y = vec![f32::NAN; outputs];
    // SAFETY: `Isa::available` gives what the processor has.
    unsafe { isa.run(Run { kernel, inputs: &[x], y: &mut y }) }.unwrap();
    y
}

#[test]
fn the_narrowest_instructions_come_first_and_none_that_the_processor_has_not() {
    let all: Vec<Isa> = Isa::available().collect();
    assert!(all.is_sorted() && all.first() == Some(&Isa::Portable) && all.last() == Some(&Isa::detect()));
    for isa in Isa::ALL {
        assert!(all.contains(&crate::Kernels::UpTo(*isa).isa()), "{isa}");
    }
}

fn windows() -> impl Strategy<Value = Window> {
    let pair = |most: usize| [1..=most, 1..=most];
    (1..3usize, pair(19), pair(5), pair(3), pair(2), any::<bool>(), any::<bool>()).prop_filter_map(
        "a window larger than the picture",
        |(batch, input, kernel, stride, dilation, square, same)| {
            // The kernels of known networks are square, and have code of their own.
            let (kernel, stride) =
                if square { ([[3; 2], [5; 2]][kernel[0] % 2], [stride[0]; 2]) } else { (kernel, stride) };
            let dilation = if square { [1; 2] } else { dilation };
            Window::new(batch, input, kernel, stride, dilation, same)
        },
    )
}

#[test]
fn a_weight_that_is_no_normal_number_counts_as_none() {
    assert_eq!([1e-39, -1e-39, 0.0, -0.0].map(normal), [0.0; 4]);
    assert_eq!(
        [f32::MIN_POSITIVE, -1.0, f32::INFINITY].map(normal),
        [f32::MIN_POSITIVE, -1.0, f32::INFINITY]
    );
    assert!(normal(f32::NAN).is_nan());
    for isa in Isa::available() {
        let point = Window::new(1, [1; 2], [1; 2], [1; 2], [1; 2], false).unwrap();
        let conv = Conv::new(isa, point, 2, &[1e-39, 2.0], &[-1e-40], activation(0, 1));
        let mut y = [f32::NAN];
        conv.run(&[1e38, 3.0], None, &mut y);
        assert_eq!(y, [6.0], "{isa}");
    }
}

proptest! {
    #[test]
    fn a_convolution_is_what_its_definition_says(
        w in windows(), ci in 1..20usize, co in 1..70usize, act in 0..6u8, add in any::<bool>(), narrower in 0..40usize,
        seed in any::<u32>(),
    ) {
        let (x, weights) = (numbers(w.batch * w.input[0] * w.input[1] * ci, seed), numbers(co * w.kernel[0] * w.kernel[1] * ci, !seed));
        let (bias, act) = (numbers(co, seed ^ 5), activation(act, co));
        let outputs = w.batch * w.output[0] * w.output[1] * co;
        let residual = add.then(|| numbers(outputs, seed ^ 9));
        let weight = |o, ky, kx, i| weights[((o * w.kernel[0] + ky) * w.kernel[1] + kx) * ci + i];
        // What is added may have fewer channels: its first ones are kept, the others are zero.
        let held = co.saturating_sub(narrower).max(1);
        let narrow: Option<Vec<f32>> = residual.as_ref().map(|r| r.chunks_exact(co).flat_map(|p| &p[..held]).copied().collect());
        let widened = narrow.as_ref().map(|n| {
            n.chunks_exact(held).flat_map(|p| p.iter().copied().chain(std::iter::repeat_n(0.0, co - held))).collect::<Vec<_>>()
        });
        let expected = defined(&w, ci, &x, weight, &bias, widened.as_deref(), &act);
        for isa in Isa::available() {
            let mut conv = Conv::new(isa, w.clone(), ci, &weights, &bias, act.clone());
            conv.residual_channels = held;
            let mut y = vec![f32::NAN; outputs];
            conv.run(&x, narrow.as_deref(), &mut y);
            assert_close(&y, &expected);
        }
    }

    #[test]
    fn weights_in_half_precision_change_nothing(
        pixels in 1..14usize, ci in 1..90usize, co in 1..130usize, act in 0..6u8, seed in any::<u32>(),
    ) {
        let w = Window::new(1, [1, pixels], [1; 2], [1; 2], [1; 2], false).unwrap();
        let x = numbers(pixels * ci, seed);
        // Small ones too, which are subnormal in half precision and not in single.
        let single = numbers(co * ci, !seed).into_iter().map(|v| f16::from_f32(v * v * v * v * v).to_f32()).collect::<Vec<_>>();
        // One of them that half precision has not.
        let mut other = single.clone();
        other[0] = 0.1;
        for isa in Isa::available() {
            let made = |weights: &[f32]| Conv::new(isa, w.clone(), ci, weights, &numbers(co, 3), activation(act, co));
            let (halved, not) = (made(&single), made(&other));
            prop_assert_eq!(halved.weights()[1] > 0, isa > Isa::Portable && pixels <= 12);
            prop_assert_eq!(not.weights()[1], 0);
            // The first output channel alone is another.
            let (mut found, mut expected) = (vec![f32::NAN; pixels * co], vec![f32::NAN; pixels * co]);
            halved.run(&x, None, &mut found);
            not.run(&x, None, &mut expected);
            for (found, expected) in found.chunks_exact(co).zip(expected.chunks_exact(co)) {
                prop_assert_eq!(&found[1..], &expected[1..]);
            }
            let weight = |o: usize, _: usize, _: usize, i: usize| single[o * ci + i];
            assert_close(&found, &defined(&w, ci, &x, weight, &numbers(co, 3), None, &activation(act, co)));
        }
    }

    #[test]
    fn a_depthwise_convolution_is_what_its_definition_says(
        w in windows(), c in 1..70usize, act in 0..6u8, add in any::<bool>(), seed in any::<u32>(),
    ) {
        let (x, weights) = (numbers(w.batch * w.input[0] * w.input[1] * c, seed), numbers(w.kernel[0] * w.kernel[1] * c, !seed));
        let (bias, act) = (numbers(c, seed ^ 5), activation(act, c));
        let outputs = w.batch * w.output[0] * w.output[1] * c;
        let residual = add.then(|| numbers(outputs, seed ^ 9));
        let weight = |o, ky, kx, i| if o == i { weights[(ky * w.kernel[1] + kx) * c + i] } else { 0.0 };
        let expected = defined(&w, c, &x, weight, &bias, residual.as_deref(), &act);
        for isa in Isa::available() {
            let (weights, bias) = (Floats(weights.clone().into()), Floats(bias.clone().into()));
            let depthwise = Depthwise::new(isa, w.clone(), c, weights, bias, act.clone());
            let mut y = vec![f32::NAN; outputs];
            depthwise.run(&x, residual.as_deref(), &mut y);
            assert_close(&y, &expected);
        }
    }

    #[test]
    fn a_border_is_the_same_before_a_convolution_and_in_it(
        w in windows(), (ci, co) in (1..9usize, 1..20usize), pads in [(0..3usize, 0..3usize), (0..3usize, 0..3usize)], act in 0..6u8,
        seed in any::<u32>(),
    ) {
        // The window is over the input with its border.
        let size: [usize; 2] = std::array::from_fn(|a| w.input[a].saturating_sub(pads[a].0 + pads[a].1));
        prop_assume!(size[0] > 0 && size[1] > 0);
        let (before, outputs) = ([pads[0].0, pads[1].0], w.batch * w.output[0] * w.output[1]);
        let bordered = |channels: usize| {
            let pads = [(0, 0), pads[0], pads[1], (0, 0)];
            let pad = Pad { input: [w.batch, size[0], size[1], channels], pads };
            let x = numbers(w.batch * size[0] * size[1] * channels, seed);
            let mut y = vec![f32::NAN; w.batch * w.input[0] * w.input[1] * channels];
            pad.run(&x, &mut y);
            assert_eq!(pad.border_alone(), Some((size, before)));
            (x, y)
        };
        for isa in Isa::available() {
            let taps = w.kernel[0] * w.kernel[1];
            let mut conv = Conv::new(isa, w.clone(), ci, &numbers(co * taps * ci, !seed), &numbers(co, 3), activation(act, co));
            let (narrow, wide) = bordered(ci);
            let (mut expected, mut found) = (vec![f32::NAN; outputs * co], vec![f32::NAN; outputs * co]);
            conv.run(&wide, None, &mut expected);
            if conv.take_border(size, before) {
                conv.run(&narrow, None, &mut found);
                prop_assert_eq!(&found, &expected);
            }
            let (weights, bias) = (Floats(numbers(taps * co, !seed).into()), Floats(numbers(co, 3).into()));
            let mut depthwise = Depthwise::new(isa, w.clone(), co, weights, bias, activation(act, co));
            let (narrow, wide) = bordered(co);
            depthwise.run(&wide, None, &mut expected);
            if depthwise.take_border(size, before) {
                depthwise.run(&narrow, None, &mut found);
                assert_close(&found, &expected.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn fused_convolutions_are_what_they_are_one_after_the_other(
        w in windows(), channels in (1..9usize, 1..40usize, 1..40usize), act in 0..6u8, add in any::<bool>(), expand in any::<bool>(),
        seed in any::<u32>(),
    ) {
        let (ci, c, co) = channels;
        let point = |input: [usize; 2]| Window::new(w.batch, input, [1; 2], [1; 2], [1; 2], false).unwrap();
        let pixels = |size: [usize; 2]| w.batch * size[0] * size[1];
        let (outputs, residual) = (pixels(w.output) * co, numbers(pixels(w.output) * co, seed ^ 9));
        let residual = add.then_some(residual.as_slice());
        for isa in Isa::available() {
            let conv = |from: usize, to: usize, size, s: u32| {
                Conv::new(isa, point(size), from, &numbers(from * to, seed ^ s), &numbers(to, s), activation(act, to))
            };
            let weights = Floats(numbers(w.kernel[0] * w.kernel[1] * c, !seed).into());
            let depthwise = Depthwise::new(isa, w.clone(), c, weights, Floats(numbers(c, 3).into()), activation(act, c));
            let (first, last) = (conv(ci, c, w.input, 1), conv(c, co, w.output, 2));
            let mut fused = Separable::new(&depthwise, &last).unwrap();
            let (x, mut wide) = (numbers(pixels(w.input) * ci, seed), numbers(pixels(w.input) * c, seed));
            let mut found = vec![f32::NAN; outputs];
            match fused.after(&first).filter(|_| expand) {
                Some(all) => {
                    fused = all;
                    first.run(&x, None, &mut wide);
                    fused.run(&x, residual, &mut found);
                }
                None => fused.run(&wide, residual, &mut found),
            }
            let (mut between, mut expected) = (vec![f32::NAN; pixels(w.output) * c], vec![f32::NAN; outputs]);
            depthwise.run(&wide, None, &mut between);
            last.run(&between, residual, &mut expected);
            // The same sums in the same order: only where tiles are cut is another.
            prop_assert_eq!(&found, &expected);
        }
    }
    #[test]
    fn pools_and_pictures_of_another_size_are_what_their_definitions_say(
        w in windows(), channels in 1..40usize, most in any::<bool>(), act in 0..6u8, output in [1..24usize, 1..24usize],
        (align_corners, half_pixel_centers) in prop_oneof![Just((false, false)), Just((true, false)), Just((false, true))],
        seed in any::<u32>(),
    ) {
        let x = numbers(w.batch * w.input[0] * w.input[1] * channels, seed);
        let wide: Vec<f64> = x.iter().map(|value| f64::from(*value)).collect();
        let kind = if most { PoolKind::Max } else { PoolKind::Average };
        // A pool has no gaps between its taps.
        let square = Window::new(w.batch, w.input, w.kernel.map(|k| k.min(w.input[0]).min(w.input[1])), w.stride, [1; 2], true).unwrap();
        let pool = Pool { window: square, channels, kind, activation: activation(act, channels) };
        let resize = Resize { batch: w.batch, channels, input: w.input, output, align_corners, half_pixel_centers };
        let (pooled, resized) = (exact::pool(&pool, &wide), exact::resize(&resize, &wide));
        let (pool, resize) = (Kernel::Pool(pool), Kernel::Resize(resize));
        for isa in Isa::available() {
            assert_close(&run(isa, &pool, &x, pooled.len()), &pooled);
            assert_close(&run(isa, &resize, &x, resized.len()), &resized);
        }
    }
}
