//! A microphone through cpal. One that is not there, or goes (unplugging ends its stream), is looked for every [`AGAIN`] until it is
//! there; that it is missing is told once.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
};

use cpal::{
    SampleFormat, Stream,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};
use troika_host::{HostClock, StopToken};
use troika_kit::Duration;
use troika_voice::audio::{Resampler, Watch, mono};

use super::{Heard, Missing, SourceError};
use crate::listen::Chunk;

/// How often a missing microphone is looked for.
const AGAIN: Duration = Duration::from_secs(5);
/// Buffers between the sound card's thread and ours.
const BUFFERS: usize = 128;

/// A microphone's thread. It ends when the receiver of its chunks or the token does.
pub(super) struct Microphone;

/// From the sound card's thread.
enum Raw {
    Samples(Vec<f32>),
    Ended(String),
}

struct Open {
    /// Dropping it closes the device.
    _stream: Stream,
    raw: Receiver<Raw>,
    resampler: Resampler,
    channels: usize,
}

impl Microphone {
    /// Opens it, or waits for it, as `missing` says.
    pub(super) fn open(
        device: Option<&str>,
        missing: Missing,
        clock: HostClock,
        stop: StopToken,
        send: SyncSender<Heard>,
    ) -> Result<Microphone, SourceError> {
        let device = device.map(str::to_owned);
        let (opened, first) = sync_channel(1);
        // A stream stays on the thread that made it.
        let run = move || {
            let open = || Open::new(device.as_deref());
            let microphone = open();
            if missing == Missing::Fails {
                let told = microphone.as_ref().map(|_| ()).map_err(String::clone);
                let failed = told.is_err();
                let _ = opened.send(told);
                if failed {
                    return;
                }
            }
            let hear = |mut microphone: Open| microphone.run(clock, &stop, &send);
            keep(microphone, open, hear, AGAIN, &stop, &send);
        };
        thread::Builder::new().name("voice-mic".into()).spawn(run).map_err(SourceError::Thread)?;
        if missing == Missing::IsAwaited {
            return Ok(Microphone);
        }
        match first.recv() {
            Ok(Ok(())) => Ok(Microphone),
            Ok(Err(why)) => Err(SourceError::Microphone(why)),
            Err(_) => Err(SourceError::Microphone("its thread ended".to_owned())),
        }
    }
}

/// Hears a microphone while it is there, and else opens it again, until it is to stop or nobody listens any more. `hear` gives why the
/// microphone ended, or none at the end of all.
fn keep<M>(
    first: Result<M, String>,
    mut open: impl FnMut() -> Result<M, String>,
    mut hear: impl FnMut(M) -> Option<String>,
    again: Duration,
    stop: &StopToken,
    send: &SyncSender<Heard>,
) {
    let mut found = first.map_err(|why| format!("no microphone: {why}"));
    let mut told = false;
    while !stop.is_stopped() {
        match found {
            Ok(microphone) => {
                if told && send.send(Heard::Well("the microphone is there".to_owned())).is_err() {
                    return;
                }
                told = false;
                let Some(why) = hear(microphone) else { return };
                found = Err(format!("the microphone is gone: {why}"));
            }
            Err(why) => {
                let trouble = || format!("{why} (looking for it every {} s)", again.as_secs());
                if !told && send.send(Heard::Gone(trouble())).is_err() {
                    return;
                }
                told = true;
                if stop.wait_for(again) {
                    return;
                }
                found = open();
            }
        }
    }
}

impl Open {
    fn new(name: Option<&str>) -> Result<Open, String> {
        // What the library has to say of this thread's openings is kept to itself: without a sound card it has eight lines on standard error for
        // each. What ails the microphone is told by cpal's errors.
        #[cfg(target_os = "linux")]
        let _quiet = alsa::Output::local_error_handler();
        let host = cpal::default_host();
        let told = |device: &cpal::Device| {
            device.description().map(|told| told.name().to_owned()).unwrap_or_default()
        };
        let device = match name {
            None => host.default_input_device().ok_or(
                "the operating system knows none; plug one in, or take `source = { kind = \"files\", … }`",
            )?,
            Some(name) => {
                let all: Vec<_> = host.input_devices().map_err(|error| error.to_string())?.collect();
                let names = all.iter().map(told).collect::<Vec<_>>().join(", ");
                let found = all.into_iter().find(|device| told(device) == name);
                found.ok_or(format!("none is named '{name}'; there are: {names}"))?
            }
        };
        let config = device.default_input_config().map_err(|error| error.to_string())?;
        let (channels, rate, format) =
            (usize::from(config.channels()), config.sample_rate(), config.sample_format());
        let resampler = Resampler::new(rate).ok_or(format!("its rate is {rate} Hz"))?;
        let (send, raw) = sync_channel(BUFFERS);
        let ended = send.clone();
        // The sound card's thread must not wait: what does not fit is dropped.
        let on_error = move |error: cpal::Error| {
            if !matches!(error.kind(), cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied) {
                let _ = ended.try_send(Raw::Ended(error.to_string()));
            }
        };
        let config = config.into();
        macro_rules! stream {
            ($ty:ty, $to_f32:expr) => {
                device.build_input_stream(
                    config,
                    move |data: &[$ty], _: &_| {
                        let _ = send.try_send(Raw::Samples(data.iter().map($to_f32).collect()));
                    },
                    on_error,
                    None,
                )
            };
        }
        let stream = match format {
            SampleFormat::F32 => stream!(f32, |sample| *sample),
            SampleFormat::I16 => stream!(i16, |sample| f32::from(*sample) / 32_768.0),
            SampleFormat::U16 => stream!(u16, |sample| (f32::from(*sample) - 32_768.0) / 32_768.0),
            SampleFormat::I32 => stream!(i32, |sample| *sample as f32 / 2_147_483_648.0),
            other => return Err(format!("its samples are {other}, which are not read here")),
        };
        let stream = stream.map_err(|error| error.to_string())?;
        stream.play().map_err(|error| error.to_string())?;
        Ok(Open { _stream: stream, raw, resampler, channels })
    }

    /// Hands chunks on. Gives why the device ended, or none when nobody listens any more.
    fn run(&mut self, clock: HostClock, stop: &StopToken, send: &SyncSender<Heard>) -> Option<String> {
        let mut watch = Watch::new(clock.now());
        let mut dropped = 0u64;
        while !stop.is_stopped() {
            let heard = match self.raw.recv_timeout(Duration::from_millis(100)) {
                Ok(Raw::Samples(samples)) => samples,
                Ok(Raw::Ended(why)) => return Some(why),
                Err(RecvTimeoutError::Disconnected) => return Some("its stream ended".to_owned()),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
            };
            let now = clock.now();
            if !heard.is_empty() {
                let over = watch.heard(now, &heard);
                if over && send.send(Heard::Well("the microphone is heard again".to_owned())).is_err() {
                    return None;
                }
                let samples = self.resampler.push(&mono(&heard, self.channels));
                let chunk = Heard::Chunk(Chunk { samples, end: now, label: None });
                match send.try_send(chunk) {
                    Ok(()) => {}
                    Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return None,
                    Err(std::sync::mpsc::TrySendError::Full(_)) => {
                        dropped += 1;
                        if dropped.is_power_of_two() {
                            eprintln!(
                                "voice: the recogniser is {} s behind; {dropped} chunks of audio dropped",
                                super::QUEUE / 50
                            );
                        }
                    }
                }
            }
            if let Some(trouble) = watch.trouble(now)
                && send.send(Heard::Trouble(trouble.to_string())).is_err()
            {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a microphone whose openings and ends are these.
    fn told(openings: &[Result<&str, &str>]) -> Vec<String> {
        let (send, heard) = sync_channel(100);
        let stop = StopToken::new();
        let mut openings = openings.iter().map(|opening| opening.map_err(str::to_owned));
        let first = openings.next().expect("one opening");
        // The last is stopped, not lost.
        let open = || openings.next().unwrap_or(Ok(""));
        let hear = |end: &str| (!end.is_empty()).then(|| end.to_owned());
        keep(first, open, hear, Duration::from_millis(1), &stop, &send);
        drop(send);
        let lines = heard.iter().map(|heard| match heard {
            Heard::Gone(why) => why.split(" (").next().unwrap_or_default().to_owned(),
            Heard::Well(note) => format!("well: {note}"),
            other => format!("{other:?}"),
        });
        lines.collect()
    }

    #[test]
    fn a_microphone_that_is_plugged_in_later_is_told_once_missing_and_once_there() {
        assert_eq!(
            told(&[Err("none"), Err("none"), Err("another"), Ok("")]),
            ["no microphone: none", "well: the microphone is there"]
        );
    }

    #[test]
    fn a_microphone_that_is_there_is_not_told_and_one_that_goes_is_looked_for() {
        assert!(told(&[Ok("")]).is_empty());
        assert_eq!(
            told(&[Ok("unplugged"), Err("none"), Ok("")]),
            ["the microphone is gone: unplugged", "well: the microphone is there"]
        );
    }

    #[test]
    fn waiting_for_a_microphone_stops_at_once() {
        let (send, heard) = sync_channel(1);
        let stop = StopToken::new();
        let begun = stop.clone();
        let waiting = thread::spawn(move || {
            let never = || Err("none".to_owned());
            keep::<()>(never(), never, |()| None, Duration::from_secs(3_600), &begun, &send);
        });
        assert!(matches!(heard.recv(), Ok(Heard::Gone(_))));
        stop.stop();
        waiting.join().expect("ends within the hour");
    }
}
