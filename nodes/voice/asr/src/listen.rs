//! Audio to utterances to words, with the times that say how long it took.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};
use troika_voice::{
    audio::RATE,
    matcher::Matcher,
    turn::{Act, Pace, Seen, Turn, progress},
    vad::{Activity, Change, EchoGate, EndpointSettings, Endpointer, FRAME, Silero, Utterance, VadError},
    words::Heard,
};

use crate::whisper::{Recogniser, RecogniserError};

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
    /// When speech began: its first sample that was taken for speech, less what it takes to notice.
    pub began: Time,
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
    /// A frame went by while somebody speaks: so many of silence since the last of speech.
    Frame(Time, usize),
    /// And ended at this time; with the utterance, unless it was too short to be one.
    Ended(Time, Option<Said>),
}

/// Silence behind speech that ends with its stream: the recogniser hears a last word badly at the very end. 0.4 s, as if the endpointer
/// had waited.
const AFTER: usize = RATE as usize * 2 / 5;

/// Cuts utterances out of chunks. A stream that begins with a word, or ends with one, is heard as if there were silence around it.
pub struct Cutter {
    silero: Silero,
    endpointer: Endpointer,
    activity: Activity,
    echo: EchoGate,
    held: Vec<f32>,
    label: Option<String>,
    began: Time,
    /// Frames of silence that are put before a stream: as many as the endpointer keeps.
    before: usize,
    /// No chunk of the stream has come yet.
    fresh: bool,
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
            began: Time::ZERO,
            before: settings.before,
            fresh: true,
        }
    }

    /// Silence, as if the stream had begun so much before.
    fn lead_in(&mut self) -> Result<(), VadError> {
        let silence = [0.0; FRAME];
        for _ in 0..self.before {
            // For the network's state; what it takes silence for is known.
            self.silero.probability(&silence)?;
            self.endpointer.push(&silence, 0.0);
            self.activity.push(0.0, false, None);
        }
        Ok(())
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
        if std::mem::take(&mut self.fresh) {
            self.lead_in()?;
        }
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
                Some(Change::Began { at }) => {
                    self.began = time(at);
                    noticed.push(Noticed::Began(self.began));
                }
                Some(Change::Ended { at }) => {
                    let said = utterance.map(|utterance| said(utterance, end, self.began, &self.label));
                    noticed.push(Noticed::Ended(time(at), said));
                }
                None => {}
            }
            if self.endpointer.speaking() {
                noticed.push(Noticed::Frame(end, self.endpointer.silent_frames()));
            }
        }
        self.held.drain(..frames * FRAME);
        Ok(noticed)
    }

    /// The stream has ended at `end`, or what is said is over for another reason; what comes after it is a new stream.
    pub fn finish(&mut self, end: Time) -> Option<Noticed> {
        let end = end - samples_long(self.held.len() as u64);
        let rest = std::mem::take(&mut self.held);
        self.fresh = true;
        let spoke = self.activity.finish();
        match self.endpointer.finish() {
            Some(utterance) => {
                let utterance = run_out(utterance, &rest);
                let said = said(utterance, end, self.began, &self.label);
                Some(Noticed::Ended(said.end_of_speech, Some(said)))
            }
            None => spoke.map(|_| Noticed::Ended(end, None)),
        }
    }

    /// The utterance so far; empty when nobody speaks.
    pub fn so_far(&self) -> &[f32] {
        self.endpointer.so_far()
    }

    /// Silence of so many frames ends an utterance.
    pub fn set_patience(&mut self, frames: usize) {
        self.endpointer.set_patience(frames);
    }
}

/// Puts behind an utterance what was no whole frame, and the silence that it lacks.
fn run_out(mut utterance: Utterance, rest: &[f32]) -> Utterance {
    let silent = (utterance.noticed - utterance.end_of_speech) as usize;
    utterance.samples.extend_from_slice(rest);
    utterance.samples.extend(std::iter::repeat_n(0.0, AFTER.saturating_sub(silent)));
    utterance
}

fn said(utterance: Utterance, end: Time, began: Time, label: &Option<String>) -> Said {
    let end_of_speech = end - samples_long(utterance.noticed - utterance.end_of_speech);
    Said { utterance, began, end_of_speech, label: label.clone() }
}

/// How long so many samples are.
pub fn samples_long(samples: u64) -> Duration {
    Duration::from_nanos(samples * 1_000_000_000 / u64::from(RATE))
}

/// An utterance that is over, before its words are known.
#[derive(Debug, Clone)]
pub struct Spoken {
    /// When speech began.
    pub began: Time,
    /// The file that it began in.
    pub label: Option<String>,
}

/// What is to be done about what was heard. Each [`Step::Ended`] with an utterance is followed, later, by one [`Step::Final`] in the
/// same order, or at once by a [`Step::Lost`].
#[derive(Debug, Clone)]
pub enum Step {
    /// Somebody began to speak, at this time.
    Began(Time),
    /// And ended at this time; with the utterance, unless it was too short to be one.
    Ended(Time, Option<Spoken>),
    /// These samples are to be decoded.
    Decode(u64, Vec<f32>),
    /// That is wanted no more.
    Cancel(u64),
    /// Words of the utterance that is being said.
    Partial(Heard),
    /// The words of an utterance.
    Final(Box<Said>, Heard),
    /// An utterance that gets no words: too many wait.
    Lost(Box<Said>),
}

/// The cutter and the turns: audio and answers in, what to decode and what was said out.
pub struct Listener {
    cutter: Cutter,
    turn: Turn<Heard>,
    over: VecDeque<Said>,
    matcher: &'static Matcher,
}

impl Listener {
    /// With a voice activity model, and the matcher that tells a whole command from one that breaks off.
    pub fn new(
        silero: Silero,
        settings: EndpointSettings,
        pace: Pace,
        matcher: &'static Matcher,
    ) -> Listener {
        let cutter = Cutter::new(silero, settings);
        Listener { cutter, turn: Turn::new(pace), over: VecDeque::new(), matcher }
    }

    /// This leaves the loudspeaker (see [`Cutter::played`]).
    pub fn played(&mut self, at: Time, rate: u32, samples: &[f32]) {
        self.cutter.played(at, rate, samples);
    }

    /// One chunk more, of a frame's length at most: what is to be decoded is the utterance as it is then.
    ///
    /// # Errors
    /// When the voice activity model fails.
    pub fn push(&mut self, chunk: &Chunk) -> Result<Vec<Step>, VadError> {
        let mut steps = Vec::new();
        for noticed in self.cutter.push(chunk)? {
            self.noticed(chunk.end, noticed, &mut steps);
        }
        Ok(steps)
    }

    /// What is being said is over: the stream's end, or a button that was let go.
    pub fn finish(&mut self, end: Time) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(noticed) = self.cutter.finish(end) {
            self.noticed(end, noticed, &mut steps);
        }
        steps
    }

    /// An answer.
    pub fn heard(&mut self, now: Time, id: u64, heard: Heard, took: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        let progress = progress(self.matcher, &heard.text);
        let acts = self.turn.heard(now, id, heard, took, progress);
        self.act(acts, &mut steps);
        steps
    }

    fn noticed(&mut self, now: Time, noticed: Noticed, steps: &mut Vec<Step>) {
        match noticed {
            Noticed::Began(at) => steps.push(Step::Began(at)),
            Noticed::Frame(at, silent_frames) => {
                let acts = self.turn.frame(at, Seen { speaking: true, silent_frames, over: false });
                self.act(acts, steps);
            }
            Noticed::Ended(at, None) => steps.push(Step::Ended(at, None)),
            Noticed::Ended(at, Some(said)) => {
                steps.push(Step::Ended(at, Some(Spoken { began: said.began, label: said.label.clone() })));
                self.over.push_back(said);
                let acts = self.turn.frame(now, Seen { speaking: false, silent_frames: 0, over: true });
                self.act(acts, steps);
            }
        }
    }

    fn act(&mut self, acts: Vec<Act<Heard>>, steps: &mut Vec<Step>) {
        for act in acts {
            match act {
                Act::Decode(id) => {
                    let so_far = self.cutter.so_far();
                    let samples = match self.over.back() {
                        Some(said) if so_far.is_empty() => said.utterance.samples.clone(),
                        _ => so_far.to_vec(),
                    };
                    steps.push(Step::Decode(id, samples));
                }
                Act::Cancel(id) => steps.push(Step::Cancel(id)),
                Act::Partial(heard) => steps.push(Step::Partial(heard)),
                Act::Final(heard) => {
                    steps.extend(self.over.pop_front().map(|said| Step::Final(Box::new(said), heard)));
                }
                Act::Lost => steps.extend(self.over.pop_back().map(|said| Step::Lost(Box::new(said)))),
                Act::Patience(frames) => self.cutter.set_patience(frames),
            }
        }
    }
}

/// The words of one utterance of a recording.
#[derive(Debug, Clone)]
pub struct Take {
    /// The utterance.
    pub said: Said,
    /// Its words.
    pub heard: Heard,
    /// From the end of speech to the words.
    pub latency: Duration,
    /// Partials before.
    pub partials: usize,
}

/// Words of all of one recording, as fast as it goes, on the recording's own time line: a decoding takes there as long as it takes
/// on this machine by `clock` (the wall's, or the thread's own: what it would take on a core of its own), and what is said meanwhile
/// is said meanwhile. For files and measurements.
///
/// # Errors
/// When a model fails.
pub fn recording(
    listener: &mut Listener,
    recogniser: &mut Recogniser,
    samples: &[f32],
    clock: impl Fn() -> Duration,
) -> Result<Vec<Take>, ListenError> {
    // A second of silence, so that the last utterance ends by itself.
    let mut samples = samples.to_vec();
    samples.extend(std::iter::repeat_n(0.0, RATE as usize));
    let mut takes = Vec::new();
    let mut decodings: VecDeque<Decoding> = VecDeque::new();
    let (mut at, mut partials) = (0u64, 0);
    let mut pieces = samples.chunks(FRAME);
    loop {
        let piece = pieces.next();
        at += FRAME as u64;
        let now = Time::ZERO + samples_long(at);
        let mut todo: VecDeque<(Time, Step)> = VecDeque::new();
        while decodings.front().is_some_and(|decoding| decoding.ready <= now) {
            let Some(done) = decodings.pop_front() else { break };
            let ready = done.ready;
            todo.extend(
                listener.heard(ready, done.id, done.heard, done.took).into_iter().map(|step| (ready, step)),
            );
        }
        match piece {
            Some(piece) => {
                let chunk = Chunk { samples: piece.to_vec(), end: now, label: None };
                todo.extend(listener.push(&chunk)?.into_iter().map(|step| (now, step)));
            }
            None => todo.extend(listener.finish(now).into_iter().map(|step| (now, step))),
        }
        for (when, step) in todo {
            match step {
                Step::Decode(id, samples) => {
                    let begin = clock();
                    let heard = recogniser.recognise(&samples)?;
                    let took = clock().saturating_sub(begin);
                    let free = decodings.back().map_or(when, |last| last.ready.max(when));
                    decodings.push_back(Decoding { id, ready: free + took, heard, took });
                }
                Step::Cancel(id) => decodings.retain(|decoding| decoding.id != id),
                Step::Partial(_) => partials += 1,
                Step::Final(said, heard) => {
                    let latency = when.since(said.end_of_speech);
                    takes.push(Take { said: *said, heard, latency, partials: std::mem::take(&mut partials) });
                }
                Step::Lost(_) | Step::Began(_) | Step::Ended(..) => {}
            }
        }
        if piece.is_none() && decodings.is_empty() {
            return Ok(takes);
        }
    }
}

struct Decoding {
    id: u64,
    ready: Time,
    heard: Heard,
    took: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_off(silent: u64) -> Utterance {
        Utterance { samples: vec![0.5; 1_000], end_of_speech: 9_000, noticed: 9_000 + silent }
    }

    #[test]
    fn what_ends_in_a_word_has_its_last_samples_and_silence_behind_it() {
        let said = run_out(cut_off(0), &[0.25; 100]).samples;
        assert_eq!((said[999], said[1_000], said[1_099]), (0.5, 0.25, 0.25));
        assert_eq!(said[1_100..], vec![0.0; AFTER]);
    }

    #[test]
    fn silence_that_was_heard_counts() {
        assert_eq!(run_out(cut_off(1_000), &[]).samples.len(), 1_000 + AFTER - 1_000);
        assert_eq!(run_out(cut_off(AFTER as u64 + 1), &[]).samples.len(), 1_000);
    }
}
