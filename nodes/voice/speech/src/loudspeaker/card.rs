//! A sound card through cpal, with buffers as small as it allows: what lies in them when somebody begins to speak is still heard.

use std::sync::mpsc::{Receiver, sync_channel};

use cpal::{
    BufferSize, OutputCallbackInfo, SampleFormat, Stream, SupportedBufferSize,
    traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _},
};

use super::{Feed, Loudspeaker, Open};

/// Samples of one buffer, in parts of a second: 20 ms. A card has two or three; that, a step and the fade are within 100 ms.
const BUFFERS_A_SECOND: u32 = 50;

/// A sound card that may be there or not.
pub(super) struct Card {
    device: Option<String>,
}

struct OpenCard {
    /// Dropping it closes the card.
    _stream: Stream,
    lost: Receiver<String>,
}

impl Card {
    pub(super) fn new(device: Option<String>) -> Card {
        Card { device }
    }
}

impl Loudspeaker for Card {
    fn open(&mut self, feed: &dyn Fn(u32) -> Feed) -> Result<Box<dyn Open>, String> {
        // As the microphone: the library's own lines on standard error say nothing that cpal's errors do not.
        #[cfg(target_os = "linux")]
        let _quiet = alsa::Output::local_error_handler();
        let host = cpal::default_host();
        let told = |device: &cpal::Device| {
            device.description().map(|told| told.name().to_owned()).unwrap_or_default()
        };
        let device = match &self.device {
            None => host.default_output_device().ok_or(
                "no sound card: the operating system knows none; plug one in, or take `sink = { kind = \"wav\", … }`",
            )?,
            Some(name) => {
                let all: Vec<_> = host.output_devices().map_err(|error| error.to_string())?.collect();
                let names = all.iter().map(told).collect::<Vec<_>>().join(", ");
                let found = all.into_iter().find(|device| told(device) == *name);
                found.ok_or(format!("no sound card is named '{name}'; there are: {names}"))?
            }
        };
        let supported = device.default_output_config().map_err(|error| format!("no sound card: {error}"))?;
        let (channels, rate) = (usize::from(supported.channels()).max(1), supported.sample_rate());
        let mut config = supported.config();
        if let SupportedBufferSize::Range { min, max } = *supported.buffer_size()
            && min <= max
        {
            config.buffer_size = BufferSize::Fixed((rate / BUFFERS_A_SECOND).clamp(min, max));
        }
        let (tell, lost) = sync_channel(1);
        let on_error = move |error: cpal::Error| {
            if !matches!(
                error.kind(),
                cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged
            ) {
                let _told_already = tell.try_send(format!("the sound card is gone: {error}"));
            }
        };
        let feed = feed(rate);
        let mut mono = Vec::new();
        macro_rules! stream {
            ($ty:ty, $from_f32:expr) => {
                device.build_output_stream(
                    config,
                    move |out: &mut [$ty], info: &OutputCallbackInfo| {
                        let times = info.timestamp();
                        mono.resize(out.len() / channels, 0.0);
                        feed(&mut mono, times.playback.duration_since(times.callback));
                        for (frame, sample) in out.chunks_mut(channels).zip(&mono) {
                            frame.fill($from_f32(*sample));
                        }
                    },
                    on_error,
                    None,
                )
            };
        }
        let stream = match supported.sample_format() {
            SampleFormat::F32 => stream!(f32, |sample: f32| sample),
            SampleFormat::I16 => stream!(i16, |sample: f32| (sample * 32_767.0) as i16),
            SampleFormat::U16 => stream!(u16, |sample: f32| (sample * 32_767.0 + 32_768.0) as u16),
            SampleFormat::I32 => stream!(i32, |sample: f32| (sample * 2_147_483_000.0) as i32),
            other => return Err(format!("the sound card's samples are {other}, which are not made here")),
        };
        let stream = stream.map_err(|error| format!("no sound card: {error}"))?;
        stream.play().map_err(|error| format!("no sound card: {error}"))?;
        Ok(Box::new(OpenCard { _stream: stream, lost }))
    }
}

impl Open for OpenCard {
    fn lost(&mut self) -> Option<String> {
        self.lost.try_recv().ok()
    }
}
