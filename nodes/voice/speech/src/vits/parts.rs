//! The networks between the cuts, compiled by tract for the few shapes that they run in.

use std::{collections::BTreeMap, sync::Arc};

use tract_onnx::{pb, prelude::*};

use super::{
    CHANNELS, HOP, VitsError, WINDOW,
    graph::{Element, Input, cut},
    spline,
};

/// Phonemes (with the pads between them) that a sentence is filled up to; the last is the longest.
const PHONEMES: [usize; 4] = [64, 128, 256, 768];
/// Frames of 11.6 ms that a sentence is filled up to: 1.5 s to 24 s.
const FRAMES: [usize; 5] = [128, 256, 512, 1_024, 2_048];

/// Tensors of the graph at which it is cut, by the names that Piper's export gives them.
const IDS: Input = ("input", Element::I64);
const LENGTH: Input = ("input_lengths", Element::I64);
const PHONEME_MASK: Input = ("/enc_p/Cast_1_output_0", Element::F32);
const MEAN: &str = "/enc_p/Split_output_0";
const LOG_DEVIATION: &str = "/enc_p/Split_output_1";
const CONDITION: Input = ("/dp/Mul_output_0", Element::F32);
/// Of each coupling of the duration predictor, in the order in which they are run: its input and its splines' parameters.
const COUPLINGS: [(Input, &str); 3] = [
    (("/dp/flows.7/Split_output_0", Element::F32), "/dp/flows.7/Mul_output_0"),
    (("/dp/flows.5/Split_output_0", Element::F32), "/dp/flows.5/Mul_output_0"),
    (("/dp/flows.3/Split_output_0", Element::F32), "/dp/flows.3/Mul_output_0"),
];
/// Of its last element.
const AFFINE: (Input, &str) = (("/dp/flows.2/Slice_output_0", Element::F32), "/dp/Split_output_0");
const LATENTS: Input = ("/Add_output_0", Element::F32);
const FRAME_MASK: Input = ("/Cast_2_output_0", Element::F32);
const DECODER: Input = ("/Mul_7_output_0", Element::F32);
const AUDIO: &str = "output";

type Plan = Arc<TypedSimplePlan>;

/// A part and what was compiled of it, by its length.
struct Part {
    proto: pb::ModelProto,
    /// The inputs' shapes of a length.
    shapes: fn(usize) -> Vec<(Element, Vec<usize>)>,
    plans: BTreeMap<usize, Plan>,
}

/// All of them.
pub(super) struct Parts {
    encoder: Part,
    couplings: Vec<Part>,
    affine: Part,
    flow: Part,
    decoder: Part,
}

/// What the encoder gives of a sentence: [`CHANNELS`] by phonemes, flat.
pub(super) struct Encoded {
    /// Of the latents.
    pub mean: Vec<f32>,
    /// Natural logarithm of their deviation.
    pub log_deviation: Vec<f32>,
    /// For the duration predictor.
    condition: Vec<f32>,
    phonemes: usize,
}

impl Parts {
    pub(super) fn load(onnx: &[u8]) -> Result<Parts, VitsError> {
        let fault = |why: String| VitsError::Graph(why);
        let whole =
            tract_onnx::onnx().proto_model_for_read(&mut &*onnx).map_err(|why| fault(format!("{why:#}")))?;
        let part = |inputs: &[Input], outputs: &[&str], shapes| {
            cut(&whole, inputs, outputs)
                .map(|proto| Part { proto, shapes, plans: BTreeMap::new() })
                .map_err(fault)
        };
        let mut parts = Parts {
            encoder: part(&[IDS, LENGTH], &[MEAN, LOG_DEVIATION, CONDITION.0], |n| {
                vec![(Element::I64, vec![1, n]), (Element::I64, vec![1])]
            })?,
            couplings: COUPLINGS
                .iter()
                .map(|(input, output)| {
                    part(&[*input, CONDITION, PHONEME_MASK], &[output], |n| {
                        [1, CHANNELS, 1].map(|channels| (Element::F32, vec![1, channels, n])).to_vec()
                    })
                })
                .collect::<Result<_, _>>()?,
            affine: part(&[AFFINE.0, PHONEME_MASK], &[AFFINE.1], |n| {
                [2, 1].map(|channels| (Element::F32, vec![1, channels, n])).to_vec()
            })?,
            flow: part(&[LATENTS, FRAME_MASK], &[DECODER.0], |n| {
                [CHANNELS, 1].map(|channels| (Element::F32, vec![1, channels, n])).to_vec()
            })?,
            decoder: part(&[DECODER], &[AUDIO], |n| vec![(Element::F32, vec![1, CHANNELS, n])])?,
        };
        // What nearly every reply needs is there before the first; and a graph that is another one is told here.
        parts.encoder.plan(PHONEMES[1])?;
        for coupling in &mut parts.couplings {
            coupling.plan(PHONEMES[1])?;
        }
        parts.affine.plan(PHONEMES[1])?;
        parts.flow.plan(FRAMES[1])?;
        parts.decoder.plan(WINDOW)?;
        Ok(parts)
    }

    /// Of phonemes by their numbers.
    pub(super) fn encode(&mut self, ids: &[i64]) -> Result<Encoded, VitsError> {
        let phonemes = ids.len();
        let length = filled(&PHONEMES, phonemes).ok_or(VitsError::TooLong(phonemes))?;
        let mut filled = ids.to_vec();
        filled.resize(length, 0);
        let plan = self.encoder.plan(length)?;
        let made = run(&plan, || {
            Ok(tvec!(Tensor::from_shape(&[1, length], &filled)?.into(), tensor1(&[phonemes as i64]).into()))
        })?;
        let [mean, log_deviation, condition] = &made[..] else {
            return Err(VitsError::Graph(format!("{} outputs of the encoder", made.len())));
        };
        let short = |long: &[f32]| shortened(long, length, phonemes);
        Ok(Encoded {
            mean: short(mean),
            log_deviation: short(log_deviation),
            condition: short(condition),
            phonemes,
        })
    }

    /// The natural logarithm of each phoneme's frames. `noise` is 2 by phonemes.
    pub(super) fn log_durations(&mut self, encoded: &Encoded, noise: &[f32]) -> Result<Vec<f32>, VitsError> {
        let phonemes = encoded.phonemes;
        let length = filled(&PHONEMES, phonemes).ok_or(VitsError::TooLong(phonemes))?;
        let condition = lengthened(&encoded.condition, phonemes, length);
        let mask = mask(phonemes, length);
        let noise = lengthened(noise, phonemes, length);
        let (mut first, mut second) = (noise[..length].to_vec(), noise[length..].to_vec());
        let scale = (CHANNELS as f32).sqrt().recip();
        for coupling in &mut self.couplings {
            // Each begins by turning the two rows round.
            std::mem::swap(&mut first, &mut second);
            let plan = coupling.plan(length)?;
            let made = run(&plan, || {
                let row = |channels: usize, data: &[f32]| Tensor::from_shape(&[1, channels, length], data);
                Ok(tvec!(row(1, &first)?.into(), row(CHANNELS, &condition)?.into(), row(1, &mask)?.into()))
            })?;
            let raw = made.first().filter(|raw| raw.len() == spline::PARAMETERS * length);
            let raw = raw.ok_or_else(|| VitsError::Graph("another duration predictor".to_owned()))?;
            for (at, element) in second[..phonemes].iter_mut().enumerate() {
                let of = std::array::from_fn(|parameter| raw[parameter * length + at]);
                *element = spline::inverse(*element, &of, scale);
            }
        }
        // And once more at the end.
        let both = [second, first].concat();
        let plan = self.affine.plan(length)?;
        let made = run(&plan, || {
            let row = |channels: usize, data: &[f32]| Tensor::from_shape(&[1, channels, length], data);
            Ok(tvec!(row(2, &both)?.into(), row(1, &mask)?.into()))
        })?;
        made.first()
            .and_then(|logs| logs.get(..phonemes))
            .map(<[f32]>::to_vec)
            .ok_or_else(|| VitsError::Graph("another duration predictor".to_owned()))
    }

    /// The prior's latents to the decoder's: both [`CHANNELS`] by `frames`.
    pub(super) fn flow(&mut self, latents: &[f32], frames: usize) -> Result<Vec<f32>, VitsError> {
        let length = filled(&FRAMES, frames).ok_or(VitsError::TooLong(frames))?;
        let (latents, mask) = (lengthened(latents, frames, length), mask(frames, length));
        let plan = self.flow.plan(length)?;
        let mut made = run(&plan, || {
            let row = |channels: usize, data: &[f32]| Tensor::from_shape(&[1, channels, length], data);
            Ok(tvec!(row(CHANNELS, &latents)?.into(), row(1, &mask)?.into()))
        })?;
        Ok(shortened(&made.swap_remove(0), length, frames))
    }

    /// The audio of [`WINDOW`] frames.
    pub(super) fn decode(&mut self, latents: &[f32]) -> Result<Vec<f32>, VitsError> {
        let plan = self.decoder.plan(WINDOW)?;
        let mut made = run(&plan, || Ok(tvec!(Tensor::from_shape(&[1, CHANNELS, WINDOW], latents)?.into())))?;
        let audio = made.swap_remove(0);
        if audio.len() == WINDOW * HOP {
            Ok(audio)
        } else {
            Err(VitsError::Graph(format!("{} samples of {WINDOW} frames", audio.len())))
        }
    }
}

impl Part {
    /// What was compiled for a length, or is now.
    fn plan(&mut self, length: usize) -> Result<Plan, VitsError> {
        if let Some(plan) = self.plans.get(&length) {
            return Ok(plan.clone());
        }
        let make = || -> TractResult<Plan> {
            let mut model =
                tract_onnx::onnx().with_ignore_output_types(true).model_for_proto_model(&self.proto)?;
            for (index, (element, shape)) in (self.shapes)(length).iter().enumerate() {
                let fact: InferenceFact = match element {
                    Element::F32 => f32::fact(shape).into(),
                    Element::I64 => i64::fact(shape).into(),
                };
                model.set_input_fact(index, fact)?;
            }
            model.into_optimized()?.into_runnable()
        };
        let plan = make().map_err(|why| VitsError::Graph(format!("{why:#}")))?;
        self.plans.insert(length, plan.clone());
        Ok(plan)
    }
}

/// Runs a plan; its outputs, flat. One at least.
fn run(plan: &Plan, inputs: impl Fn() -> TractResult<TVec<TValue>>) -> Result<Vec<Vec<f32>>, VitsError> {
    let run = || -> TractResult<Vec<Vec<f32>>> {
        let made = plan.run(inputs()?)?;
        made.iter().map(|value| Ok(value.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())).collect()
    };
    run().map_err(|why| VitsError::Run(format!("{why:#}")))
}

/// The first of `lengths` that is enough.
fn filled(lengths: &[usize], length: usize) -> Option<usize> {
    lengths.iter().copied().find(|most| *most >= length)
}

/// Ones, then zeros.
fn mask(ones: usize, length: usize) -> Vec<f32> {
    let mut mask = vec![0.0; length];
    mask[..ones].fill(1.0);
    mask
}

/// Rows of `from` elements filled up to `to` with zeros.
fn lengthened(rows: &[f32], from: usize, to: usize) -> Vec<f32> {
    let mut all = vec![0.0; rows.len() / from.max(1) * to];
    for (long, short) in all.chunks_exact_mut(to).zip(rows.chunks_exact(from.max(1))) {
        long[..from].copy_from_slice(short);
    }
    all
}

/// Rows of `from` elements cut to `to`.
fn shortened(rows: &[f32], from: usize, to: usize) -> Vec<f32> {
    rows.chunks_exact(from).flat_map(|row| &row[..to]).copied().collect()
}
