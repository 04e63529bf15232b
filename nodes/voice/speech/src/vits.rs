//! A Piper voice: VITS (Kim and others, "Conditional Variational Autoencoder with Adversarial Learning for End-to-End Text-to-Speech",
//! 2021) in ONNX, run by tract.
//!
//! As it is, tract cannot run it: in the midst of the graph are lengths that follow from the data (how many frames a phoneme takes)
//! and choices by value (the splines of the duration predictor). So the graph is cut there as it is loaded:
//!
//! ```text
//! phonemes ─► encoder ─► mean, deviation of each phoneme ──────► length regulator ─► flow ─► decoder ─► audio
//!                └─► duration predictor: 3 × (network ─► spline) ──┘   (here)      windows
//!                                                  (here)
//! ```
//!
//! Networks of fixed shapes are compiled once for each shape and kept: phonemes and frames are filled up to a few lengths, which the
//! graph's own masks make equal to the unfilled; the decoder runs in windows, so that the first audio is there early.

mod graph;
mod parts;
mod regulator;
mod spline;
mod windows;

use std::collections::BTreeMap;

use rand::{SeedableRng as _, rngs::Xoshiro256PlusPlus};
use rand_distr::{Distribution as _, StandardNormal};
use serde::Deserialize;

use crate::phonemes::PhonemeIds;
use parts::Parts;

/// Channels of the latent space.
const CHANNELS: usize = 192;
/// Samples of a frame.
const HOP: usize = 256;
/// Frames of the decoder's window, and those beside what is kept of it. What a sample depends on reaches 12 frames to each side.
const WINDOW: usize = 64;
const CONTEXT: usize = 12;

/// Why the voice is not to be had, or did not speak.
#[derive(Debug, thiserror::Error)]
pub enum VitsError {
    /// Its settings are none.
    #[error("the voice's settings: {0}")]
    Settings(String),
    /// The graph is another one.
    #[error("the voice's network: {0}")]
    Graph(String),
    /// A run failed.
    #[error("the voice's network did not run: {0}")]
    Run(String),
    /// Longer than is said at once.
    #[error("{0} phonemes are too many for one sentence")]
    TooLong(usize),
}

/// What comes with a voice.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Samples a second.
    pub rate: u32,
    /// Of the latents' noise; 0 makes it deterministic.
    pub noise: f32,
    /// Of the durations' noise.
    pub duration_noise: f32,
    /// Times the voice's own durations.
    pub length: f32,
    ids: PhonemeIds,
}

impl Settings {
    /// From Piper's JSON.
    ///
    /// # Errors
    /// [`VitsError::Settings`] names what is missing.
    pub fn read(json: &[u8]) -> Result<Settings, VitsError> {
        #[derive(Deserialize)]
        struct File {
            audio: Audio,
            inference: Inference,
            phoneme_type: String,
            num_speakers: u32,
            phoneme_id_map: BTreeMap<String, Vec<i64>>,
        }
        #[derive(Deserialize)]
        struct Audio {
            sample_rate: u32,
        }
        #[derive(Deserialize)]
        struct Inference {
            noise_scale: f32,
            length_scale: f32,
            noise_w: f32,
        }
        let fault = |why: String| VitsError::Settings(why);
        let file: File = serde_json::from_slice(json).map_err(|why| fault(why.to_string()))?;
        if file.phoneme_type != "espeak" {
            return Err(fault(format!("its phonemes are those of '{}', not of espeak", file.phoneme_type)));
        }
        if file.num_speakers != 1 {
            return Err(fault(format!("it has {} speakers, not one", file.num_speakers)));
        }
        let scales = [file.inference.noise_scale, file.inference.noise_w, file.inference.length_scale];
        if scales.iter().any(|scale| !(0.0..=10.0).contains(scale)) || file.inference.length_scale == 0.0 {
            return Err(fault(format!("noise and length scales of {scales:?}")));
        }
        Ok(Settings {
            rate: file.audio.sample_rate,
            noise: file.inference.noise_scale,
            duration_noise: file.inference.noise_w,
            length: file.inference.length_scale,
            ids: PhonemeIds::new(&file.phoneme_id_map).map_err(fault)?,
        })
    }

    /// The same without noise: the same audio each time, as the network means it on average.
    pub fn without_noise(self) -> Settings {
        Settings { noise: 0.0, duration_noise: 0.0, ..self }
    }
}

/// The voice.
pub struct Vits {
    parts: Parts,
    settings: Settings,
    noise: Xoshiro256PlusPlus,
}

impl Vits {
    /// From the bytes of an ONNX file.
    ///
    /// # Errors
    /// When it is damaged, or another network.
    pub fn load(onnx: &[u8], settings: Settings) -> Result<Vits, VitsError> {
        // Any seed: the same replies in the same order sound the same again.
        Ok(Vits { parts: Parts::load(onnx)?, settings, noise: Xoshiro256PlusPlus::seed_from_u64(1) })
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.settings.rate
    }

    /// Speaks a sentence of phonemes (IPA with marks) at a speed, piece by piece (samples -1..1), until `out` wants no more.
    ///
    /// # Errors
    /// When the networks fail, or the sentence is too long.
    pub fn speak(
        &mut self,
        phonemes: &str,
        speed: f32,
        out: &mut dyn FnMut(&[f32]) -> bool,
    ) -> Result<(), VitsError> {
        let ids = self.settings.ids.sentence(phonemes);
        let encoded = self.parts.encode(&ids)?;
        let noise = self.noise(2 * ids.len(), self.settings.duration_noise);
        let log_durations = self.parts.log_durations(&encoded, &noise)?;
        let durations = regulator::durations(&log_durations, self.settings.length / speed);
        let frames: usize = durations.iter().sum();
        let noise = self.noise(CHANNELS * frames, self.settings.noise);
        let latents = regulator::latents(&encoded.mean, &encoded.log_deviation, &durations, &noise);
        let latents = self.parts.flow(&latents, frames)?;
        for window in windows::windows(frames, WINDOW, CONTEXT) {
            let audio = self.parts.decode(&regulator::cut(&latents, frames, window.from, WINDOW))?;
            let kept = (window.keep_from - window.from) * HOP..(window.keep_to - window.from) * HOP;
            let Some(kept) = audio.get(kept) else {
                return Err(VitsError::Run(format!("{} samples of {WINDOW} frames", audio.len())));
            };
            if !out(kept) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn noise(&mut self, count: usize, scale: f32) -> Vec<f32> {
        if scale == 0.0 {
            return vec![0.0; count];
        }
        (0..count)
            .map(|_| {
                let normal: f32 = StandardNormal.sample(&mut self.noise);
                normal * scale
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
