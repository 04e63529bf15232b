//! One utterance to words. Bounded: the encoder's window is cut to the utterance (whisper.cpp else works on 30 s), the number of
//! tokens follows from the length, and an answer that whisper itself doubts, or that runs in circles, is no answer.

use std::path::Path;

use troika_voice::audio::RATE;
use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState};

/// Encoder positions a second: the mel frames are 10 ms, the convolution halves them.
const POSITIONS_PER_S: f32 = 50.0;
/// Positions at least and at most. Whisper was trained on 30 s (1500), and with the prompt a small window makes it say the same
/// sentence over and over: of the 37 demo commands 13 were exact with 256, 30 with 512, 33 with 768, 34 with 1024 (and 13 % slower).
const POSITIONS: (i32, i32) = (768, 1_500);
/// Silence added behind the utterance: 1 s, so that the last word is not at the window's edge.
const TAIL_S: f32 = 1.0;
/// Nobody says more tokens a second; a sentence of one word has a few.
const TOKENS_PER_S: f32 = 8.0;
const TOKENS: (i32, i32) = (16, 96);
/// Whisper's own thresholds: over this it says that there was no speech.
const NO_SPEECH: f32 = 0.6;
/// A text with less entropy in its last 32 tokens runs in circles.
const ENTROPY: f32 = 2.4;
/// The shortest input whisper.cpp takes is 1 s; shorter utterances are filled with silence.
const SHORTEST_S: f32 = 1.1;

/// What people say to a vehicle: whisper takes it for what was said before and prefers its words.
pub const PROMPT: &str = "Set the temperature to 21.5 degrees. Open the sunroof. Defrost the windshield. Switch off the AC. \
Open the rear left window halfway. Turn on my seat heating. Close the trunk. Unlock the doors. Call Anna. Navigate to the station. \
Set the volume to 40%. Fog lights on. Wipers off.";

/// Why the recogniser cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecogniserError {
    /// The model cannot be loaded.
    #[error("speech model {path}: {why}")]
    Load {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// A run failed.
    #[error("speech model: {0}")]
    Run(String),
}

/// The words of an utterance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// The words; empty when there were none.
    pub text: String,
    /// The mean probability of the tokens, 0..1.
    pub confidence: f32,
}

/// A recogniser with its model and its buffers.
pub struct Recogniser {
    state: WhisperState,
    threads: i32,
    prompt: bool,
}

impl Recogniser {
    /// Loads a GGML model.
    ///
    /// # Errors
    /// When the file is not there or is no GGML model.
    pub fn load(path: &Path, threads: u8, prompt: bool) -> Result<Recogniser, RecogniserError> {
        let told = |why: String| RecogniserError::Load { path: path.display().to_string(), why };
        // Without a log backend the hooks drop whisper.cpp's chatter.
        whisper_rs::install_logging_hooks();
        if !path.is_file() {
            return Err(told("there is no such file".to_owned()));
        }
        let context = WhisperContext::new_with_params(path, WhisperContextParameters::default())
            .map_err(|error| told(error.to_string()))?;
        let state = context.create_state().map_err(|error| told(error.to_string()))?;
        Ok(Recogniser { state, threads: i32::from(threads.max(1)), prompt })
    }

    /// The words of one utterance: mono, 16 kHz.
    ///
    /// # Errors
    /// When whisper.cpp fails.
    pub fn recognise(&mut self, samples: &[f32]) -> Result<Heard, RecogniserError> {
        let seconds = samples.len() as f32 / RATE as f32;
        let mut padded = samples.to_vec();
        padded.resize(samples.len().max((SHORTEST_S * RATE as f32) as usize), 0.0);
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        params.set_n_threads(self.threads);
        params.set_language(Some("en"));
        params.set_translate(false);
        params.set_no_context(true);
        params.set_single_segment(true);
        params.set_no_timestamps(true);
        params.set_suppress_blank(true);
        params.set_suppress_nst(true);
        params.set_print_special(false);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_timestamps(false);
        // One try: a second one at a higher temperature costs as much again and is a guess.
        params.set_temperature(0.0);
        params.set_temperature_inc(0.0);
        params.set_entropy_thold(ENTROPY);
        params.set_no_speech_thold(NO_SPEECH);
        let positions = ((seconds + TAIL_S) * POSITIONS_PER_S).ceil() as i32;
        params.set_audio_ctx(positions.clamp(POSITIONS.0, POSITIONS.1));
        let tokens = ((seconds * TOKENS_PER_S) as i32).clamp(TOKENS.0, TOKENS.1);
        params.set_max_tokens(tokens);
        if self.prompt {
            params.set_initial_prompt(PROMPT);
        }
        self.state.full(params, &padded).map_err(|error| RecogniserError::Run(error.to_string()))?;
        Ok(self.heard(tokens))
    }

    fn heard(&self, most: i32) -> Heard {
        let mut heard = Heard::default();
        let (mut sum, mut count) = (0.0, 0);
        for segment in self.state.as_iter() {
            if segment.no_speech_probability() > NO_SPEECH {
                continue;
            }
            heard.text.push_str(&segment.to_str_lossy().unwrap_or_default());
            for index in 0..segment.n_tokens() {
                if let Some(token) = segment.get_token(index) {
                    sum += token.token_probability();
                    count += 1;
                }
            }
        }
        heard.text = heard.text.trim().to_owned();
        heard.confidence = if count > 0 { sum / count as f32 } else { 0.0 };
        if circles(&heard.text) || count >= most {
            return Heard::default();
        }
        heard
    }
}

/// The same three words three times over: no sentence, a decoder that runs in circles.
fn circles(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    (1..=4).any(|length| {
        let times = if length == 1 { 4 } else { 3 };
        words
            .windows(length * times)
            .any(|window| window.chunks(length).all(|chunk| chunk == &window[..length]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_runs_in_circles_is_noticed_and_a_sentence_is_not() {
        assert!(circles("the car the car the car"));
        assert!(circles("no no no no"));
        assert!(!circles("no, no, open the window"));
        assert!(!circles("set the fan to three and the seat to three"));
    }

    #[test]
    fn a_model_that_is_not_there_is_told_with_its_name() {
        let error =
            Recogniser::load(Path::new("not-there.bin"), 1, true).err().map(|error| error.to_string());
        assert!(error.unwrap_or_default().contains("not-there.bin"));
    }
}
