//! What one exchange showed of the link.

use troika_kit::Duration;
use troika_msgs::troika::LinkSample;

/// How an exchange went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Ok,
    /// Refused, reset, or no answer in time.
    Failed,
    /// It goes on, but nothing comes.
    Stalled,
}

/// Who paid for the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Traffic that there was anyway.
    Passive,
    /// A probe.
    Active,
}

/// Bytes one way, and the time from the first to the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transfer {
    /// Bytes.
    pub bytes: u32,
    /// First to last.
    pub took: Duration,
}

impl Transfer {
    /// Fewer bytes than this are one burst of a congestion window or less: their time says nothing of the rate.
    pub const LEAST_BYTES: u32 = 4096;

    /// kbit/s; none where there is too little to tell.
    pub fn kbps(&self) -> Option<f64> {
        let long_enough = self.bytes >= Transfer::LEAST_BYTES && self.took >= Duration::from_millis(1);
        long_enough.then(|| f64::from(self.bytes) * 8.0 / 1000.0 / self.took.as_secs_f64())
    }
}

/// What one exchange with the cloud showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How it went.
    pub outcome: Outcome,
    /// Who paid.
    pub source: Source,
    /// One round trip, where it was measured.
    pub rtt: Option<Duration>,
    /// What came.
    pub down: Transfer,
    /// What went.
    pub up: Transfer,
    /// The sender had no more to send: the rates are lower bounds.
    pub limited: bool,
    /// The longest time without a byte while one was awaited.
    pub stall: Duration,
}

impl Sample {
    /// An exchange that went well and of which only the round trip is known.
    pub fn round_trip(source: Source, rtt: Duration) -> Sample {
        Sample { rtt: Some(rtt), ..Sample::of(Outcome::Ok, source) }
    }

    /// One that failed.
    pub fn failed(source: Source) -> Sample {
        Sample::of(Outcome::Failed, source)
    }

    /// One that goes on and has got nothing for so long.
    pub fn stalled(stall: Duration) -> Sample {
        Sample { stall, ..Sample::of(Outcome::Stalled, Source::Passive) }
    }

    fn of(outcome: Outcome, source: Source) -> Sample {
        Sample {
            outcome,
            source,
            rtt: None,
            down: Transfer::default(),
            up: Transfer::default(),
            limited: true,
            stall: Duration::ZERO,
        }
    }

    /// A message of /link/sample. None where its outcome is none that there is: a newer peer's, or a broken one's.
    pub fn from_message(message: &LinkSample) -> Option<Sample> {
        let outcome = match message.outcome {
            LinkSample::OK => Outcome::Ok,
            LinkSample::FAILED => Outcome::Failed,
            LinkSample::STALLED => Outcome::Stalled,
            _ => return None,
        };
        Some(Sample {
            outcome,
            source: Source::Passive,
            rtt: millis(message.rtt_ms),
            down: Transfer { bytes: message.down_bytes, took: millis(message.down_ms).unwrap_or_default() },
            up: Transfer { bytes: message.up_bytes, took: millis(message.up_ms).unwrap_or_default() },
            limited: message.limited,
            stall: millis(message.stall_ms).unwrap_or_default(),
        })
    }

    /// As a message, without its stamp.
    pub fn to_message(&self) -> LinkSample {
        let ms = |d: Duration| d.as_secs_f32() * 1000.0;
        LinkSample {
            outcome: match self.outcome {
                Outcome::Ok => LinkSample::OK,
                Outcome::Failed => LinkSample::FAILED,
                Outcome::Stalled => LinkSample::STALLED,
            },
            rtt_ms: self.rtt.map_or(f32::NAN, ms),
            down_bytes: self.down.bytes,
            down_ms: ms(self.down.took),
            up_bytes: self.up.bytes,
            up_ms: ms(self.up.took),
            limited: self.limited,
            stall_ms: ms(self.stall),
            ..LinkSample::default()
        }
    }
}

/// What is no time over zero is no measurement. Over an hour is none either.
fn millis(ms: f32) -> Option<Duration> {
    // To the microsecond: a float of 80 ms is none of 80 ms to the nanosecond.
    (ms > 0.0 && ms < 3.6e6).then(|| Duration::from_micros((f64::from(ms) * 1000.0).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_the_sample_said() {
        let sample = Sample {
            rtt: Some(Duration::from_millis(80)),
            down: Transfer { bytes: 20_000, took: Duration::from_millis(160) },
            limited: false,
            ..Sample::of(Outcome::Ok, Source::Passive)
        };
        assert_eq!(Sample::from_message(&sample.to_message()), Some(sample));
        assert_eq!(sample.down.kbps(), Some(1000.0));
    }

    #[test]
    fn what_is_no_measurement_is_not_taken_for_one() {
        let odd = LinkSample {
            outcome: LinkSample::OK,
            rtt_ms: -3.0,
            down_ms: f32::INFINITY,
            ..LinkSample::default()
        };
        let sample = Sample::from_message(&odd).unwrap();
        assert_eq!((sample.rtt, sample.down.kbps()), (None, None));
        assert_eq!(Sample::from_message(&LinkSample { outcome: 77, ..odd }), None);
    }
}
