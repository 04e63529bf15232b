//! A microphone through cpal. Unplugging ends its stream; it is opened again every two seconds until it is back.

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

use super::{Heard, SourceError};
use crate::listen::Chunk;

/// How often a lost microphone is looked for.
const AGAIN: Duration = Duration::from_secs(2);
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
    /// Opens it; the first opening must succeed.
    pub(super) fn open(
        device: Option<&str>,
        clock: HostClock,
        stop: StopToken,
        send: SyncSender<Heard>,
    ) -> Result<Microphone, SourceError> {
        let device = device.map(str::to_owned);
        let (opened, first) = sync_channel(1);
        // A stream stays on the thread that made it.
        let run = move || {
            let mut open = match Open::new(device.as_deref()) {
                Ok(open) => {
                    let _ = opened.send(Ok(()));
                    Some(open)
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            while !stop.is_stopped() {
                let Some(microphone) = open.as_mut() else {
                    if stop.wait_for(AGAIN) {
                        return;
                    }
                    open = Open::new(device.as_deref()).ok();
                    if open.is_some() && send.send(Heard::Well("the microphone is back".to_owned())).is_err()
                    {
                        return;
                    }
                    continue;
                };
                match microphone.run(clock, &stop, &send) {
                    Some(why) => {
                        open = None;
                        if send.send(Heard::Trouble(format!("the microphone is gone: {why}"))).is_err() {
                            return;
                        }
                    }
                    None => return,
                }
            }
        };
        thread::Builder::new().name("voice-mic".into()).spawn(run).map_err(SourceError::Thread)?;
        match first.recv() {
            Ok(Ok(())) => Ok(Microphone),
            Ok(Err(why)) => Err(SourceError::Microphone(why)),
            Err(_) => Err(SourceError::Microphone("its thread ended".to_owned())),
        }
    }
}

impl Open {
    fn new(name: Option<&str>) -> Result<Open, String> {
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
