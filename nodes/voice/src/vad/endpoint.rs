//! Utterances out of a stream of frames. Bounded: an utterance ends at the latest at `longest`, and what is held of silence is
//! `before` and no more.

use super::FRAME;
use crate::audio::RATE;

/// When speech begins and ends. Frames are 32 ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EndpointSettings {
    /// Speech begins at this probability…
    pub begin: f32,
    /// …for so many frames in a row: a click is shorter.
    pub begin_frames: usize,
    /// Below this it is silence; between the two it goes on.
    pub end: f32,
    /// Silence of so many frames ends an utterance: a breath between words is shorter.
    pub end_frames: usize,
    /// Frames kept from before the beginning: a soft first consonant lies there.
    pub before: usize,
    /// The longest utterance, in frames.
    pub longest: usize,
}

impl Default for EndpointSettings {
    /// 96 ms begin it, 416 ms of silence end it, 320 ms are kept from before, 12 s at most.
    fn default() -> Self {
        EndpointSettings { begin: 0.5, begin_frames: 3, end: 0.35, end_frames: 13, before: 10, longest: 375 }
    }
}

/// One utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Mono, 16 kHz, with the silence before and after.
    pub samples: Vec<f32>,
    /// Where speech ended in the stream: samples since its start.
    pub end_of_speech: u64,
    /// Where the utterance was noticed to be over: samples since the stream's start.
    pub noticed: u64,
}

/// The state machine.
pub struct Endpointer {
    settings: EndpointSettings,
    /// Samples since the start of the stream.
    position: u64,
    held: Vec<f32>,
    speaking: bool,
    speech_frames: usize,
    silent_frames: usize,
    end_of_speech: u64,
}

impl Endpointer {
    /// At the start of a stream.
    pub fn new(settings: EndpointSettings) -> Endpointer {
        Endpointer {
            settings,
            position: 0,
            held: Vec::new(),
            speaking: false,
            speech_frames: 0,
            silent_frames: 0,
            end_of_speech: 0,
        }
    }

    /// Whether somebody is speaking.
    pub fn speaking(&self) -> bool {
        self.speaking
    }

    /// Samples since the stream's start.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Frames of silence since the last of speech, while somebody speaks.
    pub fn silent_frames(&self) -> usize {
        self.silent_frames
    }

    /// The utterance so far, with the silence before and after; empty when nobody speaks.
    pub fn so_far(&self) -> &[f32] {
        if self.speaking { &self.held } else { &[] }
    }

    /// Silence of so many frames ends this utterance and those after it, as `end_frames`.
    pub fn set_patience(&mut self, frames: usize) {
        self.settings.end_frames = frames.max(1);
    }

    /// One frame more with its probability of speech; gives the utterance that it ended. A probability that is no number is
    /// silence.
    pub fn push(&mut self, frame: &[f32; FRAME], probability: f32) -> Option<Utterance> {
        self.position += FRAME as u64;
        self.held.extend_from_slice(frame);
        if !self.speaking {
            self.speech_frames = if probability >= self.settings.begin { self.speech_frames + 1 } else { 0 };
            let keep = (self.settings.before + self.speech_frames) * FRAME;
            self.held.drain(..self.held.len().saturating_sub(keep));
            if self.speech_frames >= self.settings.begin_frames {
                self.speaking = true;
                self.silent_frames = 0;
                self.end_of_speech = self.position;
            }
            return None;
        }
        if probability >= self.settings.end {
            self.silent_frames = 0;
            self.end_of_speech = self.position;
        } else {
            self.silent_frames += 1;
        }
        let over = self.silent_frames >= self.settings.end_frames;
        if over || self.held.len() >= self.settings.longest * FRAME { self.finish() } else { None }
    }

    /// The stream ends here: what is being said is over.
    pub fn finish(&mut self) -> Option<Utterance> {
        let spoken = std::mem::take(&mut self.speaking);
        self.speech_frames = 0;
        self.silent_frames = 0;
        let samples = std::mem::take(&mut self.held);
        spoken.then_some(Utterance { samples, end_of_speech: self.end_of_speech, noticed: self.position })
    }
}

impl Utterance {
    /// From the end of speech to when that was noticed, in seconds.
    pub fn noticed_after_s(&self) -> f64 {
        (self.noticed - self.end_of_speech) as f64 / f64::from(RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of these probabilities; each frame's samples are its number.
    fn utterances(probabilities: impl IntoIterator<Item = f32>) -> (Vec<Utterance>, Endpointer) {
        let mut endpointer = Endpointer::new(EndpointSettings::default());
        let ended = probabilities
            .into_iter()
            .enumerate()
            .filter_map(|(n, probability)| endpointer.push(&[n as f32; FRAME], probability))
            .collect();
        (ended, endpointer)
    }

    fn silence(frames: usize) -> Vec<f32> {
        vec![0.01; frames]
    }

    fn speech(frames: usize) -> Vec<f32> {
        vec![0.95; frames]
    }

    #[test]
    fn an_utterance_has_the_silence_before_and_its_end() {
        let (ended, _) = utterances([silence(50), speech(40), silence(20)].concat());
        assert_eq!(ended.len(), 1);
        let utterance = &ended[0];
        assert_eq!(utterance.samples[0], 40.0, "ten frames before the first of speech");
        assert_eq!(utterance.end_of_speech, 90 * FRAME as u64);
        assert_eq!(utterance.noticed, 103 * FRAME as u64);
        assert!((utterance.noticed_after_s() - 0.416).abs() < 1e-9);
    }

    #[test]
    fn a_breath_does_not_end_it_and_a_click_does_not_begin_it() {
        let breath = [speech(20), silence(12), speech(20), silence(20)].concat();
        assert_eq!(utterances(breath).0.len(), 1);
        let click = [silence(20), speech(2), silence(40)].concat();
        assert_eq!(utterances(click).0.len(), 0);
    }

    #[test]
    fn what_was_said_so_far_can_be_had_in_a_pause_and_patience_can_change() {
        let mut endpointer = Endpointer::new(EndpointSettings::default());
        let frames = [silence(20), speech(20), silence(6)].concat();
        assert!(frames.iter().all(|probability| endpointer.push(&[0.5; FRAME], *probability).is_none()));
        assert_eq!((endpointer.silent_frames(), endpointer.so_far().len()), (6, 36 * FRAME));
        endpointer.set_patience(7);
        let utterance = endpointer.push(&[0.5; FRAME], 0.0).expect("over");
        assert_eq!(utterance.samples.len(), 37 * FRAME);
        assert!(endpointer.so_far().is_empty());
    }

    #[test]
    fn an_endless_speaker_is_cut() {
        let (ended, endpointer) = utterances(speech(1_000));
        assert_eq!(ended.len(), 2);
        assert!(ended.iter().all(|utterance| utterance.samples.len() == 375 * FRAME));
        assert!(endpointer.speaking());
    }

    #[test]
    fn hours_of_silence_hold_no_more_than_the_silence_before() {
        let (ended, endpointer) = utterances(silence(100_000));
        assert!(ended.is_empty() && endpointer.held.len() <= 10 * FRAME);
    }

    #[test]
    fn a_stream_that_ends_in_a_word_gives_it_and_nan_is_silence() {
        let (ended, mut endpointer) = utterances(speech(10));
        assert!(ended.is_empty());
        assert!(endpointer.finish().is_some() && endpointer.finish().is_none());
        assert_eq!(utterances(vec![f32::NAN; 100]).0.len(), 0);
    }
}
