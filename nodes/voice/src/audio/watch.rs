//! Notices a microphone that is there but dead: nothing comes, or nothing but zeros.

use troika_kit::{Duration, Time};

/// Audio chunks come every 20 ms or so; a second without one is no jitter.
const NOTHING_FOR: Duration = Duration::from_secs(1);
/// A room is never digitally silent; a muted or unplugged microphone is.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// What is wrong with a microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MicrophoneTrouble {
    /// No audio arrives.
    #[error(
        "no audio has come from the microphone for a second: is it unplugged, or taken by another program?"
    )]
    Dead,
    /// Only zeros arrive.
    #[error(
        "the microphone gives nothing but digital silence: is it muted? (`alsamixer`, F4 shows the capture controls)"
    )]
    Silent,
}

/// The watch over one microphone.
#[derive(Debug, Clone)]
pub struct Watch {
    last: Time,
    loud: Time,
    told: Option<MicrophoneTrouble>,
}

impl Watch {
    /// From now on.
    pub fn new(now: Time) -> Watch {
        Watch { last: now, loud: now, told: None }
    }

    /// Audio came; gives true when trouble that was told is over.
    pub fn heard(&mut self, now: Time, samples: &[f32]) -> bool {
        self.last = now;
        if samples.iter().any(|sample| *sample != 0.0) {
            self.loud = now;
            return self.told.take().is_some();
        }
        false
    }

    /// The trouble there is, once each time that it begins.
    pub fn trouble(&mut self, now: Time) -> Option<MicrophoneTrouble> {
        let trouble = if now.since(self.last) >= NOTHING_FOR {
            MicrophoneTrouble::Dead
        } else if now.since(self.loud) >= SILENT_FOR {
            MicrophoneTrouble::Silent
        } else {
            return None;
        };
        (self.told != Some(trouble)).then(|| {
            self.told = Some(trouble);
            trouble
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_dead_microphone_is_told_once_and_its_return_too() {
        let mut watch = Watch::new(ms(0));
        watch.heard(ms(100), &[0.1]);
        assert_eq!(watch.trouble(ms(1_099)), None);
        assert_eq!(watch.trouble(ms(1_100)), Some(MicrophoneTrouble::Dead));
        assert_eq!(watch.trouble(ms(1_200)), None);
        assert!(watch.heard(ms(1_300), &[0.1]));
        assert_eq!(watch.trouble(ms(1_400)), None);
    }

    #[test]
    fn a_muted_microphone_is_told_after_five_seconds_and_a_quiet_room_never() {
        let mut muted = Watch::new(ms(0));
        let mut quiet = Watch::new(ms(0));
        for at in (0..10_000).step_by(20) {
            muted.heard(ms(at), &[0.0; 320]);
            quiet.heard(ms(at), &[0.000_03, 0.0]);
            let trouble = muted.trouble(ms(at));
            assert_eq!(trouble, (at == 5_000).then_some(MicrophoneTrouble::Silent), "{at}");
            assert_eq!(quiet.trouble(ms(at)), None);
        }
    }
}
