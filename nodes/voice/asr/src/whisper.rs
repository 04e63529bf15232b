//! One utterance to words. Bounded: the encoder's window is cut to the utterance (whisper.cpp else works on 30 s), the number of
//! tokens follows from the length, a run can be broken off, and an answer in doubt is none ([`troika_voice::words`]).

mod run;

use std::path::Path;

use troika_host::StopToken;
use troika_voice::{
    audio::RATE,
    tongue::Tongue,
    words::{Answer, Doubt, Heard, Token},
};
use whisper_rs::{
    DtwMode, DtwModelPreset, DtwParameters, FullParams, SamplingStrategy, WhisperContext,
    WhisperContextParameters, WhisperState,
};

/// Encoder positions a second: the mel frames are 10 ms, the convolution halves them.
const POSITIONS_PER_S: f32 = 50.0;
/// The whole window: 30 s.
const ALL_POSITIONS: i32 = 1_500;
/// Nobody says more tokens a second; a sentence of one word has a few.
const TOKENS_PER_S: f32 = 8.0;
const TOKENS: (i32, i32) = (16, 96);
/// An answer in doubt is looked for again with so many.
const AGAIN_POSITIONS: i32 = 1_024;
/// The shortest input whisper.cpp takes is 1 s; shorter utterances are filled with silence.
const SHORTEST_S: f32 = 1.1;
/// The longest that is decoded; the cutter ends an utterance at 12 s.
const LONGEST_S: f32 = 28.0;
/// The prompt is bounded by half of the decoder's context, 224 tokens; each has a byte at least.
const PROMPT_TOKENS: usize = 1_024;
const PROMPT_BYTES: usize = 900;
/// Room for the attention that words are aligned by.
const ALIGNMENT_BYTES: usize = 64 << 20;

/// How a recogniser works.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Threads. On busy cores two are slower than one.
    pub threads: u8,
    /// The language that is spoken; another than English wants a multilingual model.
    pub tongue: Tongue,
    /// What people say to a vehicle: whisper takes it for what was said before and prefers its words. Empty: none.
    pub prompt: String,
    /// Encoder positions at least. Whisper was trained on 30 s (1500), and with the prompt a small window makes it say the same
    /// sentence over and over (figures: the room's README).
    pub positions: i32,
    /// Seconds of silence behind the utterance, so that the last word is not at the window's edge.
    pub tail_s: f32,
    /// Words get times.
    pub aligned: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings::of(Tongue::English)
    }
}

impl Settings {
    /// For a language.
    pub fn of(tongue: Tongue) -> Settings {
        Settings {
            threads: 1,
            tongue,
            prompt: troika_voice::prompt::of(tongue).to_owned(),
            positions: 512,
            tail_s: 1.0,
            aligned: true,
        }
    }
}

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

/// A recogniser with its model and its buffers.
pub struct Recogniser {
    state: WhisperState,
    context: WhisperContext,
    settings: Settings,
    prompt: Vec<i32>,
    /// What each run starts from. The language is set here once: whisper-rs keeps its text for ever.
    params: FullParams<'static, 'static>,
}

impl Recogniser {
    /// Loads a GGML model of Whisper, tiny or base.
    ///
    /// # Errors
    /// When the file is not there or is no GGML model.
    pub fn load(path: &Path, settings: Settings) -> Result<Recogniser, RecogniserError> {
        let told = |why: String| RecogniserError::Load { path: path.display().to_string(), why };
        // Without a log backend the hooks drop whisper.cpp's chatter.
        whisper_rs::install_logging_hooks();
        let file = std::fs::File::open(path)
            .and_then(|file| file.metadata())
            .map_err(|error| told(error.to_string()))?;
        let mut params = WhisperContextParameters::default();
        if settings.aligned {
            params.dtw_parameters(DtwParameters {
                mode: DtwMode::ModelPreset { model_preset: preset(path, file.len()).map_err(told)? },
                dtw_mem_size: ALIGNMENT_BYTES,
            });
        }
        let context =
            WhisperContext::new_with_params(path, params).map_err(|error| told(error.to_string()))?;
        if settings.tongue != Tongue::English && !context.is_multilingual() {
            return Err(told(format!("it hears English alone, and '{}' is spoken", settings.tongue)));
        }
        let state = context.create_state().map_err(|error| told(error.to_string()))?;
        if settings.prompt.len() > PROMPT_BYTES {
            return Err(told(format!(
                "the prompt has {} bytes, {PROMPT_BYTES} at most",
                settings.prompt.len()
            )));
        }
        let prompt = match settings.prompt.as_str() {
            "" => Vec::new(),
            text => context.tokenize(text, PROMPT_TOKENS).map_err(|error| told(error.to_string()))?,
        };
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        params.set_language(Some(settings.tongue.code()));
        Ok(Recogniser { state, context, settings, prompt, params })
    }

    /// The words of one utterance: mono, 16 kHz, 28 s at most (what is longer is cut off).
    ///
    /// # Errors
    /// When whisper.cpp fails.
    pub fn recognise(&mut self, samples: &[f32]) -> Result<Heard, RecogniserError> {
        let never = StopToken::new();
        self.recognise_until(samples, &never).map(Option::unwrap_or_default)
    }

    /// The same; none when `stop` broke it off.
    ///
    /// # Errors
    /// When whisper.cpp fails.
    pub fn recognise_until(
        &mut self,
        samples: &[f32],
        stop: &StopToken,
    ) -> Result<Option<Heard>, RecogniserError> {
        let samples = &samples[..samples.len().min((LONGEST_S * RATE as f32) as usize)];
        let seconds = samples.len() as f32 / RATE as f32;
        let positions = ((seconds + self.settings.tail_s) * POSITIONS_PER_S).ceil() as i32;
        let positions = positions.clamp(self.settings.positions.min(ALL_POSITIONS), ALL_POSITIONS);
        let heard = self.decode(samples, positions, stop)?;
        // What a small window spoils (one utterance in forty), a larger one hears: once more, and then it is so.
        let spoilt = |heard: &Heard| heard.doubt.is_some_and(|doubt| doubt != Doubt::NoSpeech);
        match heard {
            Some(heard) if spoilt(&heard) && positions < AGAIN_POSITIONS => {
                self.decode(samples, AGAIN_POSITIONS, stop)
            }
            heard => Ok(heard),
        }
    }

    fn decode(
        &mut self,
        samples: &[f32],
        positions: i32,
        stop: &StopToken,
    ) -> Result<Option<Heard>, RecogniserError> {
        let seconds = samples.len() as f32 / RATE as f32;
        let mut padded = samples.to_vec();
        padded.resize(samples.len().max((SHORTEST_S * RATE as f32) as usize), 0.0);
        let mut params: FullParams<'_, '_> = self.params.clone();
        params.set_n_threads(i32::from(self.settings.threads.max(1)));
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
        params.set_audio_ctx(positions);
        let most = ((seconds * TOKENS_PER_S) as i32).clamp(TOKENS.0, TOKENS.1);
        params.set_max_tokens(most);
        // Handed over as tokens: as text it would be tokenised, and its copy kept, at each run.
        if !self.prompt.is_empty() {
            params.set_tokens(&self.prompt);
        }
        let ran = run::run(&mut self.state, params, &padded, stop);
        if stop.is_stopped() {
            return Ok(None);
        }
        ran.map_err(|error| RecogniserError::Run(error.to_string()))?;
        Ok(Some(self.answer(seconds).heard()))
    }

    fn answer(&self, seconds: f32) -> Answer {
        let end = self.context.token_eot();
        let mut answer = Answer { tokens: Vec::new(), no_speech: 0.0, seconds, ended: true };
        for segment in self.state.as_iter() {
            answer.no_speech = answer.no_speech.max(segment.no_speech_probability());
            let mut last = None;
            for token in (0..segment.n_tokens()).filter_map(|index| segment.get_token(index)) {
                let data = token.token_data();
                last = Some(data.id);
                let text =
                    if data.id < end { token.to_bytes().unwrap_or_default().to_vec() } else { Vec::new() };
                // Hundredths of a second; -1 where nothing was aligned.
                let at_s = (data.t_dtw >= 0).then_some(data.t_dtw as f32 / 100.0);
                answer.tokens.push(Token { id: data.id, text, probability: data.p, at_s });
            }
            answer.ended &= last == Some(end);
        }
        answer
    }
}

/// Which heads of the decoder look at the sound: whisper.cpp knows them by the model's name, and the file tells its size.
fn preset(path: &Path, bytes: u64) -> Result<DtwModelPreset, String> {
    // The vocabulary's size, the first number after the magic: a multilingual model has more tokens.
    let mut head = [0; 8];
    std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head))
        .map_err(|error| error.to_string())?;
    let english = i32::from_le_bytes([head[4], head[5], head[6], head[7]]) < 51_865;
    match (bytes, english) {
        (..100_000_000, true) => Ok(DtwModelPreset::TinyEn),
        (..100_000_000, false) => Ok(DtwModelPreset::Tiny),
        (..200_000_000, true) => Ok(DtwModelPreset::BaseEn),
        (..200_000_000, false) => Ok(DtwModelPreset::Base),
        _ => Err("not whisper's tiny or base in 16-bit weights".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_not_there_is_told_with_its_name() {
        let error = Recogniser::load(Path::new("not-there.bin"), Settings::default())
            .err()
            .map(|error| error.to_string());
        assert!(error.unwrap_or_default().contains("not-there.bin"));
    }
}
