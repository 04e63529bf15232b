//! Who speaks: the voice's network, or espeak-ng itself where the network is missing, failed, or slower than speech. Which of them,
//! and why, is told.

use troika_kit::{Duration, Time};
use troika_models::{Store, StoreError};
use troika_voice::audio::Resampler;

use crate::{
    config::{Config, Voice},
    phonemes::{Clause, Espeak, EspeakError, Sentence},
    speaker::Clock,
    vits::{Settings, Vits, VitsError},
};

/// The network's passport in the store, and that of its phonemes and settings.
pub const MODEL: &str = "piper_joe";
/// See [`MODEL`].
pub const MODEL_SETTINGS: &str = "piper_joe_config";

/// Why a sentence was not said.
#[derive(Debug, thiserror::Error)]
pub enum SpeakError {
    /// Without espeak-ng there are neither phonemes nor a voice to fall back to.
    #[error(transparent)]
    Espeak(#[from] EspeakError),
    /// The rates do not go together.
    #[error("a loudspeaker of {0} samples a second is none")]
    Rate(u32),
}

/// Why the network is not there.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("{0}")]
    NoStore(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vits(#[from] VitsError),
}

/// Whether the chosen voice lies in the store; its bytes are not read.
///
/// # Errors
/// What is missing, and the way out.
pub fn present(config: &Config, store: &Result<Store, String>) -> Result<(), String> {
    if config.voice == Voice::Espeak {
        return Ok(());
    }
    let store = store.as_ref().map_err(Clone::clone)?;
    for name in [MODEL, MODEL_SETTINGS] {
        let passport = store.passport(name).map_err(|error| error.to_string())?;
        if !store.is_present(passport) {
            return Err(format!("{name} is not there: fetch it with `troika models pull {name}`"));
        }
    }
    Ok(())
}

/// The voices.
pub struct Voices {
    espeak: Espeak,
    network: Option<Vits>,
    /// Why the network does not speak although it was chosen.
    missing: Option<String>,
    /// Why nobody spoke last.
    mute: Option<String>,
    pace: Pace,
    speed: f32,
    volume: f32,
    clock: Clock,
}

impl Voices {
    /// As configured, from a store of models.
    pub fn load(config: &Config, store: Result<Store, String>, clock: Clock) -> Voices {
        let mut espeak = Espeak::new(&config.espeak, "en-us");
        let network = (config.voice == Voice::Piper).then(|| load(store));
        let (network, missing) = match network {
            None => (None, None),
            Some(Ok(network)) => (Some(network), None),
            Some(Err(why)) => (None, Some(format!("espeak-ng speaks in place of {MODEL}: {why}"))),
        };
        if let Some(missing) = &missing {
            tracing::warn!(missing);
        }
        // Started now, it is there when the first reply comes; and when it is missing, that is told now.
        let mute = espeak.phonemes("").err().map(|why| why.to_string());
        Voices {
            espeak,
            network,
            missing,
            mute,
            pace: Pace::default(),
            speed: config.speed,
            volume: config.volume,
            clock,
        }
    }

    /// What is wrong, if anything is.
    pub fn trouble(&self) -> Option<String> {
        let slow = || {
            self.pace
                .too_slow((self.clock)())
                .then(|| format!("espeak-ng speaks: {MODEL} was slower than speech"))
        };
        self.mute.clone().or_else(|| self.missing.clone()).or_else(slow)
    }

    /// Speaks a sentence piece by piece, at `rate` samples a second, until `out` wants no more; gives whether it wanted all.
    ///
    /// # Errors
    /// See [`SpeakError`]; when the network fails, espeak-ng speaks.
    pub fn speak(
        &mut self,
        sentence: &Sentence,
        rate: u32,
        out: &mut dyn FnMut(&[f32]) -> bool,
    ) -> Result<bool, SpeakError> {
        let spoken = self
            .by_network(sentence, rate, out)
            .transpose()
            .unwrap_or_else(|| self.by_espeak(sentence, rate, out));
        self.mute = spoken.as_ref().err().map(ToString::to_string);
        spoken
    }

    /// None where the network does not speak.
    fn by_network(
        &mut self,
        sentence: &Sentence,
        rate: u32,
        out: &mut dyn FnMut(&[f32]) -> bool,
    ) -> Result<Option<bool>, SpeakError> {
        if self.pace.too_slow((self.clock)()) {
            return Ok(None);
        }
        let Some(network) = self.network.as_mut() else { return Ok(None) };
        let mut begin = (self.clock)();
        let phonemes = phonemes(&mut self.espeak, sentence)?;
        let mut resampler = Resampler::between(network.rate(), rate).ok_or(SpeakError::Rate(rate))?;
        let (mut work, mut samples, mut wanted) = (Duration::ZERO, 0, true);
        let (clock, volume) = (&self.clock, self.volume);
        let mut piece = |audio: &[f32]| {
            samples += audio.len();
            let loud: Vec<f32> = audio.iter().map(|sample| sample * volume).collect();
            let resampled = resampler.push(&loud);
            work += clock().since(begin);
            // Waiting for room on the track is no work.
            wanted = out(&resampled);
            begin = clock();
            wanted
        };
        let made = network.speak(&phonemes, self.speed, &mut piece);
        match made {
            Ok(()) => {}
            Err(error) if samples == 0 => {
                self.missing = Some(format!("espeak-ng speaks in place of {MODEL}: {error}"));
                tracing::warn!(%error, "the voice's network failed");
                return Ok(None);
            }
            // The rest of a sentence that was begun in one voice is not said in another.
            Err(error) => tracing::warn!(%error, "the voice's network failed within a sentence"),
        }
        if wanted {
            wanted = out(&resampler.finish());
            let audio = Duration::from_secs_f64(samples as f64 / f64::from(network.rate()));
            self.pace.took((self.clock)(), work, audio);
        }
        Ok(Some(wanted))
    }

    fn by_espeak(
        &mut self,
        sentence: &Sentence,
        rate: u32,
        out: &mut dyn FnMut(&[f32]) -> bool,
    ) -> Result<bool, SpeakError> {
        let (samples, own) = self.espeak.speech(&text(sentence), self.speed)?;
        let mut resampler = Resampler::between(own, rate).ok_or(SpeakError::Rate(rate))?;
        let loud: Vec<f32> = samples.iter().map(|sample| sample * self.volume).collect();
        Ok(out(&resampler.push(&loud)) && out(&resampler.finish()))
    }
}

fn load(store: Result<Store, String>) -> Result<Vits, Missing> {
    let store = store.map_err(Missing::NoStore)?;
    let settings = Settings::read(&store.load_bytes(MODEL_SETTINGS)?)?;
    Ok(Vits::load(&store.load_bytes(MODEL)?, settings)?)
}

/// A sentence's phonemes, with its marks.
fn phonemes(espeak: &mut Espeak, sentence: &[Clause]) -> Result<String, EspeakError> {
    let mut all = String::new();
    for clause in sentence {
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(&espeak.phonemes(&clause.words)?);
        all.push(clause.mark);
    }
    Ok(all)
}

fn text(sentence: &[Clause]) -> String {
    sentence.iter().map(|clause| format!("{}{}", clause.words, clause.mark)).collect::<Vec<_>>().join(" ")
}

/// Whether the network keeps up with speech. Pure.
#[derive(Debug, Clone, Default)]
struct Pace {
    slow_in_a_row: u32,
    until: Option<Time>,
}

impl Pace {
    /// One sentence may have met a busy moment; so many have not.
    const SLOW: u32 = 3;
    /// Then espeak-ng speaks for so long.
    const REST: Duration = Duration::from_secs(60);

    /// A sentence of so much audio took so much work.
    fn took(&mut self, now: Time, work: Duration, audio: Duration) {
        self.slow_in_a_row = if work > audio { self.slow_in_a_row + 1 } else { 0 };
        if self.slow_in_a_row >= Self::SLOW {
            // Once more too slow after the rest is enough for another.
            self.slow_in_a_row = Self::SLOW - 1;
            self.until = Some(now + Self::REST);
        }
    }

    fn too_slow(&self, now: Time) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_slower_than_speech_rests_and_is_tried_again() {
        let (second, mut pace) = (Duration::from_secs(1), Pace::default());
        let at = |s: u64| Time::from_nanos(s * 1_000_000_000);
        for busy in [2, 2, 0, 2, 2] {
            pace.took(at(1), second * busy, second);
        }
        assert!(!pace.too_slow(at(1)), "never three in a row");
        pace.took(at(2), second * 2, second);
        assert!(pace.too_slow(at(2)) && pace.too_slow(at(61)) && !pace.too_slow(at(62)));
        pace.took(at(63), second * 2, second);
        assert!(pace.too_slow(at(64)), "as slow as before");
        pace.took(at(130), second / 2, second);
        pace.took(at(131), second * 2, second);
        assert!(!pace.too_slow(at(132)), "well again");
    }

    #[test]
    fn a_sentence_has_its_marks_in_text_and_phonemes() {
        let sentence = crate::phonemes::sentences("OK: hello world!").remove(0);
        assert_eq!(text(&sentence), "OK: hello world!");
        let mut espeak = Espeak::new(std::path::Path::new("espeak-ng"), "en-us");
        let phonemes = phonemes(&mut espeak, &sentence).expect("espeak-ng is installed");
        assert_eq!(phonemes, "ˌoʊkˈeɪ: həlˈoʊ wˈɜːld!");
    }
}
