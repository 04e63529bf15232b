//! The reader on a small network of every operator (`make_tiny.py` made it and LiteRT's answer), whole and damaged.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::prelude::*;
use tract_core::prelude::*;
use troika_tflite::{Exact, Isa, Kernels, ReadError, read, read_with};

const TINY: &[u8] = include_bytes!("tiny.tflite");
const INPUT: usize = 11 * 9 * 3;

fn reference() -> Vec<f32> {
    include_bytes!("tiny.f32").as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn run(model: TypedModel) -> Vec<f32> {
    let input = Tensor::from_shape(&[1, 11, 9, 3], &reference()[..INPUT]).unwrap();
    let outputs = model.into_runnable().unwrap().run(tvec!(input.into())).unwrap();
    outputs.iter().flat_map(|o| o.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec()).collect()
}

fn assert_like_litert(outputs: &[f32]) {
    let expected = &reference()[INPUT..];
    assert_eq!(outputs.len(), expected.len());
    let worst = outputs.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Rounding alone gives 2e-5; an operator that is wrong is off by a thousand times more.
    assert!(worst < 1e-4, "off by {worst}");
}

#[test]
fn every_operator_gives_what_litert_gives() {
    assert_like_litert(&run(read(TINY).unwrap()));
}

#[test]
fn tracts_optimiser_changes_nothing() {
    assert_like_litert(&run(read(TINY).unwrap().into_optimized().unwrap()));
}

#[test]
fn every_choice_of_kernels_gives_what_litert_gives() {
    let ours = Isa::available().map(Kernels::UpTo);
    for kernels in [Kernels::Fast, Kernels::Plain].into_iter().chain(ours) {
        assert_like_litert(&run(read_with(TINY, kernels).unwrap().into_optimized().unwrap()));
    }
}

#[test]
fn in_f64_every_operator_gives_what_litert_gives() {
    let exact = Exact::read(TINY).unwrap();
    let outputs = exact.run(&[&reference()[..INPUT]]).unwrap();
    assert_like_litert(&outputs.concat().iter().map(|v| *v as f32).collect::<Vec<_>>());
    assert_eq!(exact.run(&[&reference()[1..INPUT]]), None, "an input that is too short");
    assert_eq!(exact.run(&[]), None);
}

#[test]
fn plain_kernels_are_none_of_ours() {
    let model = read_with(TINY, Kernels::Plain).unwrap();
    let names: Vec<_> = model.nodes.iter().map(|n| n.op.name().into_owned()).collect();
    let ours = ["NhwcConv", "NhwcDepthwise", "NhwcSeparable", "NhwcActivate"];
    assert!(names.iter().all(|name| !ours.contains(&name.as_str())), "{names:?}");
}

#[test]
fn additions_and_activations_are_fused() {
    let names: Vec<_> = read(TINY).unwrap().nodes.iter().map(|n| n.op.name().into_owned()).collect();
    // Left over: the addition that follows a multiplication, and the activation that follows a padding.
    assert_eq!(names.iter().filter(|n| *n == "Add").count(), 1, "{names:?}");
    assert_eq!(names.iter().filter(|n| *n == "NhwcActivate").count(), 1, "{names:?}");
}

#[test]
fn what_is_no_tflite_file_is_named_so() {
    assert_eq!(read(b"").unwrap_err(), ReadError::NotTflite);
    assert_eq!(read(b"PK\x03\x04 a zip, say").unwrap_err(), ReadError::NotTflite);
}

#[test]
fn every_truncation_is_an_error() {
    // The builder writes the end of the file first, so a cut always takes something that is needed, but for the last few
    // bytes, which may be padding.
    for len in 0..TINY.len() - 16 {
        assert!(read(&TINY[..len]).is_err(), "cut at {len} of {}", TINY.len());
    }
}

proptest! {
    #[test]
    fn flipped_bits_give_an_error_or_a_network_and_never_a_panic(flips in prop::collection::vec((0..TINY.len(), 0..8u8), 1..12)) {
        let mut bytes = TINY.to_vec();
        for (at, bit) in flips {
            bytes[at] ^= 1 << bit;
        }
        let (_, _) = (read(&bytes), Exact::read(&bytes));
    }

    #[test]
    fn overwritten_numbers_give_an_error_or_a_network_and_never_a_panic(at in 0..TINY.len() / 4, number in any::<u32>()) {
        let mut bytes = TINY.to_vec();
        bytes[at * 4..at * 4 + 4].copy_from_slice(&number.to_le_bytes());
        let (_, _) = (read(&bytes), Exact::read(&bytes));
    }
}
