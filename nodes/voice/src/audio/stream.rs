//! Audio that comes in messages: put together, brought to 16 kHz mono, and what is missing noticed. Pure.

use troika_kit::{Duration, Time};

use super::{RATE, Resampler, mono};

/// Stamps jitter by this; more is a gap, or a message from before.
const JITTER: Duration = Duration::from_millis(30);
/// A gap up to this is filled with silence, so that a lost message does not shift what follows; a longer one is a new beginning.
const FILLED: Duration = Duration::from_millis(500);
/// The longest message that is taken.
const LONGEST: Duration = Duration::from_secs(2);

/// A message that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// No sound card has that rate.
    #[error("audio at {0} Hz is not read here: 4000 to 384000")]
    Rate(u32),
    /// Without channels, or its samples are no whole number of frames.
    #[error("{samples} samples are no whole number of frames of {channels} channels")]
    Ragged {
        /// The samples.
        samples: usize,
        /// The channels.
        channels: u8,
    },
    /// Longer than two seconds.
    #[error("a message of more than two seconds of audio")]
    Long,
    /// It lies before what was heard already.
    #[error("a message from before the last one: another publisher on the same topic?")]
    Before,
}

/// What a message brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Mono, 16 kHz; with silence for a short gap before.
    pub samples: Vec<f32>,
    /// When the last of them was said.
    pub end: Time,
    /// What is missing before it.
    pub gap: Option<Duration>,
}

/// A stream of messages.
#[derive(Default)]
pub struct Stream {
    rate: u32,
    resampler: Option<Resampler>,
    /// When the next message's first sample is due.
    due: Option<Time>,
}

impl Stream {
    /// A message: `stamp` of its first sample, samples interleaved.
    ///
    /// # Errors
    /// When it cannot be used; the stream goes on without it.
    pub fn push(
        &mut self,
        stamp: Time,
        rate: u32,
        channels: u8,
        samples: &[i16],
    ) -> Result<Piece, StreamError> {
        let ragged = StreamError::Ragged { samples: samples.len(), channels };
        if channels == 0 || !samples.len().is_multiple_of(usize::from(channels)) {
            return Err(ragged);
        }
        if self.rate != rate || self.resampler.is_none() {
            self.resampler = Some(Resampler::new(rate).ok_or(StreamError::Rate(rate))?);
            self.rate = rate;
        }
        let frames = samples.len() / usize::from(channels);
        let long = Duration::from_nanos(frames as u64 * 1_000_000_000 / u64::from(rate));
        if long > LONGEST {
            return Err(StreamError::Long);
        }
        let due = self.due.unwrap_or(stamp);
        if due.since(stamp) > JITTER {
            return Err(StreamError::Before);
        }
        let gap = Some(stamp.since(due)).filter(|gap| *gap > JITTER);
        let mut raw = Vec::new();
        if let Some(gap) = gap.filter(|gap| *gap <= FILLED) {
            raw.resize((gap.as_secs_f64() * f64::from(rate)) as usize, 0.0);
        }
        let heard: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        raw.extend(mono(&heard, usize::from(channels)));
        // Without a gap the samples are counted, so that jitter does not add up; each message pulls a little to its stamp.
        let begin = if gap.is_some() { stamp } else { due };
        let (late, early) = (stamp.since(begin), begin.since(stamp));
        let end = begin + long + late / 16 - early / 16;
        self.due = Some(end);
        let samples = self.resampler.as_mut().map(|resampler| resampler.push(&raw)).unwrap_or_default();
        Ok(Piece { samples, end, gap })
    }
}

/// Samples as a message has them, with the time of the first.
pub fn message(samples: &[f32], end: Time) -> (Time, Vec<i16>) {
    let long = Duration::from_nanos(samples.len() as u64 * 1_000_000_000 / u64::from(RATE));
    // -1..1 to the whole range; what is no number is silence.
    let sample = |sample: &f32| (sample * 32_767.0).round() as i16;
    (end - long, samples.iter().map(sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn messages_of_20_ms_become_one_stream_whatever_their_rate_and_channels() {
        for (rate, channels) in [(16_000u32, 1u8), (48_000, 2), (44_100, 1), (8_000, 1)] {
            let mut stream = Stream::default();
            let frames = rate as usize / 50;
            let mut count = 0;
            for n in 0..50 {
                let samples = vec![1_000; frames * usize::from(channels)];
                let piece = stream.push(ms(1_000 + n * 20), rate, channels, &samples).expect("a message");
                assert_eq!(piece.gap, None, "{rate}: {n}");
                let off = piece.end.since(ms(1_020 + n * 20)) + ms(1_020 + n * 20).since(piece.end);
                assert!(off < Duration::from_millis(1), "{rate}: {off:?}");
                count += piece.samples.len();
            }
            assert!((15_700..=16_000).contains(&count), "{rate}: {count}");
        }
    }

    #[test]
    fn a_lost_message_is_noticed_and_filled_and_a_long_silence_only_noticed() {
        let mut stream = Stream::default();
        let samples = [100; 320];
        stream.push(ms(0), 16_000, 1, &samples).expect("a message");
        let piece = stream.push(ms(60), 16_000, 1, &samples).expect("a message");
        assert_eq!((piece.gap, piece.samples.len()), (Some(Duration::from_millis(40)), 960));
        assert_eq!(piece.end, ms(80));
        let piece = stream.push(ms(5_000), 16_000, 1, &samples).expect("a message");
        assert!(piece.gap > Some(Duration::from_secs(4)) && piece.samples.len() == 320);
    }

    #[test]
    fn jitter_is_no_gap() {
        let mut stream = Stream::default();
        for n in 0..100u64 {
            let stamp = ms(100 + n * 20 + (n % 3) * 9);
            assert_eq!(stream.push(stamp, 16_000, 1, &[0; 320]).expect("a message").gap, None);
        }
    }

    #[test]
    fn what_is_no_audio_is_told() {
        let mut stream = Stream::default();
        assert_eq!(stream.push(ms(0), 10, 1, &[0; 4]), Err(StreamError::Rate(10)));
        assert!(matches!(stream.push(ms(0), 16_000, 2, &[0; 3]), Err(StreamError::Ragged { .. })));
        assert!(matches!(stream.push(ms(0), 16_000, 0, &[0; 3]), Err(StreamError::Ragged { .. })));
        assert_eq!(stream.push(ms(0), 16_000, 1, &[0; 40_000]), Err(StreamError::Long));
        stream.push(ms(1_000), 16_000, 1, &[0; 320]).expect("a message");
        assert_eq!(stream.push(ms(500), 16_000, 1, &[0; 320]), Err(StreamError::Before));
    }

    #[test]
    fn samples_go_into_a_message_and_out_again() {
        let samples: Vec<f32> = (0..320).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();
        let (stamp, raw) = message(&samples, ms(1_020));
        assert_eq!(stamp, ms(1_000));
        let piece = Stream::default().push(stamp, 16_000, 1, &raw).expect("a message");
        assert!(piece.samples.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 1e-4));
        assert_eq!(message(&[f32::NAN, 2.0, -2.0], ms(1)).1, [0, i16::MAX, i16::MIN]);
    }
}
