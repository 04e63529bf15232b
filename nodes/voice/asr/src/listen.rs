//! Audio to utterances to words, with the times that say how long it took.

use troika_kit::{Duration, Time};
use troika_voice::{
    audio::RATE,
    vad::{Activity, Change, EchoGate, EndpointSettings, Endpointer, FRAME, Silero, Utterance, VadError},
};

use crate::whisper::{Heard, Recogniser, RecogniserError};

/// Why listening ended.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Voice activity.
    #[error(transparent)]
    Vad(#[from] VadError),
    /// Recognition.
    #[error(transparent)]
    Recogniser(#[from] RecogniserError),
}

/// Audio with the time of its last sample.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Mono, 16 kHz.
    pub samples: Vec<f32>,
    /// When the last of them was said.
    pub end: Time,
    /// The file that it is of, if it is of one.
    pub label: Option<String>,
}

/// An utterance on its way to the recogniser.
#[derive(Debug, Clone)]
pub struct Said {
    /// The samples.
    pub utterance: Utterance,
    /// When speech ended.
    pub end_of_speech: Time,
    /// The file that it began in.
    pub label: Option<String>,
}

/// What is noticed in a stream.
#[derive(Debug, Clone)]
pub enum Noticed {
    /// Somebody began to speak, at this time.
    Began(Time),
    /// And ended at this time; with the utterance, unless it was too short to be one.
    Ended(Time, Option<Said>),
}

/// Cuts utterances out of chunks.
pub struct Cutter {
    silero: Silero,
    endpointer: Endpointer,
    activity: Activity,
    echo: EchoGate,
    held: Vec<f32>,
    label: Option<String>,
}

impl Cutter {
    /// With a voice activity model.
    pub fn new(silero: Silero, settings: EndpointSettings) -> Cutter {
        Cutter {
            silero,
            endpointer: Endpointer::new(settings),
            activity: Activity::new(&settings),
            echo: EchoGate::new(),
            held: Vec::new(),
            label: None,
        }
    }

    /// This leaves the loudspeaker: what it explains of the chunks to come is not taken for speech.
    pub fn played(&mut self, at: Time, rate: u32, samples: &[f32]) {
        self.echo.played(at, rate, samples);
    }

    /// One chunk more; gives what was noticed with it, in order.
    ///
    /// # Errors
    /// When the voice activity model fails.
    pub fn push(&mut self, chunk: &Chunk) -> Result<Vec<Noticed>, VadError> {
        let mut noticed = Vec::new();
        self.held.extend_from_slice(&chunk.samples);
        if !self.endpointer.speaking() {
            self.label.clone_from(&chunk.label);
        }
        let mut frames = 0;
        for frame in self.held.chunks_exact(FRAME) {
            frames += 1;
            let Ok(frame) = <&[f32; FRAME]>::try_from(frame) else { continue };
            // The chunk's last sample is the stream's newest; what is still held lies before it.
            let after = self.held.len() - frames * FRAME;
            let end = chunk.end - samples_long(after as u64);
            let mut probability = self.silero.probability(frame)?;
            if self.echo.explains(end - samples_long(FRAME as u64), end, frame) {
                probability = 0.0;
            }
            let utterance = self.endpointer.push(frame, probability);
            let position = self.endpointer.position();
            let time = |at: u64| end - samples_long(position - at.min(position));
            match self.activity.push(probability, self.endpointer.speaking(), utterance.as_ref()) {
                Some(Change::Began { at }) => noticed.push(Noticed::Began(time(at))),
                Some(Change::Ended { at }) => {
                    let said = utterance.map(|utterance| Said {
                        end_of_speech: time(utterance.end_of_speech),
                        utterance,
                        label: self.label.clone(),
                    });
                    noticed.push(Noticed::Ended(time(at), said));
                }
                None => {}
            }
        }
        self.held.drain(..frames * FRAME);
        Ok(noticed)
    }

    /// The stream has ended at `end`.
    pub fn finish(&mut self, end: Time) -> Option<Said> {
        self.activity.finish();
        let utterance = self.endpointer.finish()?;
        let behind = self.held.len() as u64 + (utterance.noticed - utterance.end_of_speech);
        Some(Said { utterance, end_of_speech: end - samples_long(behind), label: self.label.clone() })
    }
}

/// How long so many samples are.
pub fn samples_long(samples: u64) -> Duration {
    Duration::from_nanos(samples * 1_000_000_000 / u64::from(RATE))
}

/// Words of all of one recording, as fast as it goes: for files and measurements.
///
/// # Errors
/// When a model fails.
pub fn recording(
    cutter: &mut Cutter,
    recogniser: &mut Recogniser,
    samples: &[f32],
) -> Result<Vec<(Said, Heard)>, ListenError> {
    // Half a second of silence, so that the last utterance ends by itself.
    let silence = vec![0.0; RATE as usize / 2];
    let mut at = 0u64;
    let mut heard = Vec::new();
    for samples in [samples, &silence] {
        at += samples.len() as u64;
        let chunk = Chunk { samples: samples.to_vec(), end: Time::ZERO + samples_long(at), label: None };
        for noticed in cutter.push(&chunk)? {
            let Noticed::Ended(_, Some(said)) = noticed else { continue };
            let words = recogniser.recognise(&said.utterance.samples)?;
            heard.push((said, words));
        }
    }
    if let Some(said) = cutter.finish(Time::ZERO + samples_long(at)) {
        let words = recogniser.recognise(&said.utterance.samples)?;
        heard.push((said, words));
    }
    Ok(heard)
}
