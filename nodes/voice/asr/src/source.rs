//! Where audio comes from: files at the speed of life, or a microphone. A source runs on a thread of its own and hands chunks
//! over a bounded queue; when the recogniser is behind by [`QUEUE`] chunks, a file waits and a microphone's newest is dropped.

#[cfg(feature = "microphone")]
mod microphone;
mod topic;

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use troika_host::{
    HostClock, StopToken,
    edge::{Edge, TypedSubscription},
};
use troika_kit::Time;
use troika_voice::{
    audio::{self, AudioError, RATE},
    config::SourceConfig,
};

use crate::listen::Chunk;

/// 20 ms a chunk, as /cabin/audio.
const CHUNK: usize = RATE as usize / 50;
/// 10 s of audio: longer than the recogniser ever needs for one utterance.
pub const QUEUE: usize = 500;

/// Why there is no audio.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be used.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A folder cannot be read, or has no audio in it.
    #[error("{folder}: {why}")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        why: String,
    },
    /// The topic cannot be had.
    #[error("{topic}: {why}")]
    Topic {
        /// Which.
        topic: String,
        /// Why.
        why: String,
    },
    /// No microphone.
    #[error("no microphone: {0}")]
    Microphone(String),
    /// No thread.
    #[error("no thread for the audio source: {0}")]
    Thread(std::io::Error),
}

/// What a source hands over.
#[derive(Debug)]
pub enum Heard {
    /// Audio.
    Chunk(Chunk),
    /// For a person.
    Note(String),
    /// Something ails the audio, until it is well.
    Trouble(String),
    /// There is no audio any more, until it is well: what was being said is over.
    Gone(String),
    /// That is over.
    Well(String),
}

/// A microphone that is not there at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Is an error.
    Fails,
    /// Is looked for until it is there, and a trouble until then. Others are errors all the same: no file comes by itself.
    IsAwaited,
}

/// A running source. Dropping it ends it.
pub struct Source {
    /// Chunks and notes; closed at the source's end.
    pub chunks: Receiver<Heard>,
    _topic: Option<TypedSubscription>,
    #[cfg(feature = "microphone")]
    _microphone: Option<microphone::Microphone>,
}

/// Starts a source.
///
/// # Errors
/// When there is no such file or folder; when there is no such microphone and it is not to be awaited.
pub fn start(
    config: &SourceConfig,
    missing: Missing,
    edge: &Edge,
    clock: HostClock,
    stop: StopToken,
) -> Result<Source, SourceError> {
    let (send, chunks) = sync_channel(QUEUE);
    let mut subscription = None;
    match config {
        SourceConfig::Files { folder, gap_s, wait_s } => {
            let files = files(folder)?;
            play(files, (*gap_s).clamp(0.0, 60.0), (*wait_s).clamp(0.0, 60.0), clock, stop, send)?;
        }
        SourceConfig::Wav { path } => {
            play(vec![load(path)?], 0.6, 0.0, clock, stop, send)?;
        }
        SourceConfig::Topic { topic } => subscription = Some(topic::start(topic, edge, clock, stop, send)?),
        SourceConfig::Microphone { device } => {
            #[cfg(feature = "microphone")]
            {
                let microphone = microphone::Microphone::open(device.as_deref(), missing, clock, stop, send)?;
                return Ok(Source { chunks, _topic: None, _microphone: Some(microphone) });
            }
            #[cfg(not(feature = "microphone"))]
            {
                let _ = (device, missing, send);
                return Err(SourceError::Microphone(
                    "this program was built without the feature `microphone`".to_owned(),
                ));
            }
        }
    }
    Ok(Source {
        chunks,
        _topic: subscription,
        #[cfg(feature = "microphone")]
        _microphone: None,
    })
}

type Recording = (String, Vec<f32>);

fn load(path: &Path) -> Result<Recording, SourceError> {
    let label = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok((label, audio::read(path)?))
}

/// The audio files of a folder, by name.
pub fn paths(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let fault = |why: String| SourceError::Folder { folder: folder.display().to_string(), why };
    let entries = std::fs::read_dir(folder).map_err(|error| fault(error.to_string()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("wav") || end.eq_ignore_ascii_case("flac"))
        })
        .collect();
    paths.sort();
    if paths.is_empty() { Err(fault("no .wav or .flac in it".to_owned())) } else { Ok(paths) }
}

fn files(folder: &Path) -> Result<Vec<Recording>, SourceError> {
    paths(folder)?.iter().map(|path| load(path)).collect()
}

/// From this on a sample is at the end of its range, as a microphone's.
const FULL: f32 = 0.999;
/// When so many samples of a second are (one in fifty), words suffer.
const CLIPPED: usize = RATE as usize / 50;

/// What a recording (mono, 16 kHz) suffers from that can be told without listening.
pub fn ails(samples: &[f32]) -> Option<&'static str> {
    let full = |second: &[f32]| second.iter().filter(|sample| sample.abs() >= FULL).count();
    if samples.iter().all(|sample| *sample == 0.0) {
        Some("digital silence: is the microphone muted?")
    } else if samples.chunks(RATE as usize).any(|second| full(second) > CLIPPED) {
        Some("clipped: it was recorded too loud")
    } else {
        None
    }
}

/// Plays recordings at the speed of life.
fn play(
    recordings: Vec<Recording>,
    gap_s: f32,
    wait_s: f32,
    clock: HostClock,
    stop: StopToken,
    send: SyncSender<Heard>,
) -> Result<(), SourceError> {
    let run = move || {
        let silence = |seconds: f32| vec![0.0; (seconds * RATE as f32) as usize];
        let mut due = clock.now();
        let mut say = |label: Option<String>, samples: &[f32]| {
            for chunk in samples.chunks(CHUNK) {
                due = due + crate::listen::samples_long(chunk.len() as u64);
                if !sleep_until(clock, due, &stop) {
                    return false;
                }
                let chunk = Chunk { samples: chunk.to_vec(), end: due, label: label.clone() };
                if send.send(Heard::Chunk(chunk)).is_err() {
                    return false;
                }
            }
            true
        };
        if !say(None, &silence(wait_s)) {
            return;
        }
        for (label, samples) in &recordings {
            if let Some(ails) = ails(samples)
                && send.send(Heard::Note(format!("{label}: {ails}"))).is_err()
            {
                return;
            }
            if !(say(Some(label.clone()), samples) && say(None, &silence(gap_s))) {
                return;
            }
        }
    };
    thread::Builder::new().name("voice-source".into()).spawn(run).map_err(SourceError::Thread)?;
    Ok(())
}

/// False when stopped meanwhile.
fn sleep_until(clock: HostClock, due: Time, stop: &StopToken) -> bool {
    !stop.wait_for(due.since(clock.now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_muted_or_clipped_recording_is_told_and_one_loud_word_is_not() {
        let second = RATE as usize;
        assert!(ails(&vec![0.0; 2 * second]).is_some_and(|ails| ails.starts_with("digital silence")));
        let tone = |gain: f32| -> Vec<f32> {
            (0..2 * second).map(|n| (gain * (n as f32 * 0.17).sin()).clamp(-1.0, 1.0)).collect()
        };
        assert_eq!(ails(&tone(0.9)), None);
        assert!(ails(&tone(3.0)).is_some_and(|ails| ails.starts_with("clipped")));
        let mut once = tone(0.9);
        once[..200].fill(1.0);
        assert_eq!(ails(&once), None);
    }
}
