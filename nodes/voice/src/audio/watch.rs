//! Notices a microphone that is there but of no use: nothing comes, nothing but zeros, or everything clipped.

use troika_kit::{Duration, Time};

/// Audio chunks come every 20 ms or so; a second without one is no jitter.
const NOTHING_FOR: Duration = Duration::from_secs(1);
/// A room is never digitally silent; a muted or unplugged microphone is.
const SILENT_FOR: Duration = Duration::from_secs(5);

/// No two chunks of a room are the same to the last bit; of a buffer that stands still all are.
const SAME_FOR: Duration = Duration::from_secs(2);

/// From this on a sample is at the end of its range.
const FULL: f32 = 0.999;
/// Speech that is too loud now and then clips a few samples; when one in fifty of the last two seconds is at the end of its range,
/// words suffer.
const CLIPPED: f32 = 0.02;
const CLIPPED_OVER: Duration = Duration::from_secs(2);

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
    /// The same sound comes again and again.
    #[error(
        "the microphone gives the same sound again and again, to the last bit: its driver hangs; plug it in again, or restart the sound server"
    )]
    Stuck,
    /// Too loud for its range.
    #[error(
        "the microphone is turned up too far, its samples are clipped: lower its capture level (`alsamixer`, F4)"
    )]
    Clipping,
}

/// The watch over one microphone.
#[derive(Debug, Clone)]
pub struct Watch {
    last: Time,
    loud: Time,
    /// The last chunk, and since when each is like it.
    chunk: Vec<f32>,
    same: Time,
    told: Option<MicrophoneTrouble>,
    /// Since when samples are counted, how many, and how many of them at the end of the range.
    counted: (Time, u64, u64),
    clipping: bool,
}

impl Watch {
    /// From now on.
    pub fn new(now: Time) -> Watch {
        let chunk = Vec::with_capacity(4_096);
        Watch { last: now, loud: now, chunk, same: now, told: None, counted: (now, 0, 0), clipping: false }
    }

    /// Audio came; gives true when trouble that was told is over.
    pub fn heard(&mut self, now: Time, samples: &[f32]) -> bool {
        self.last = now;
        if self.chunk != samples {
            self.chunk.clear();
            self.chunk.extend_from_slice(samples);
            self.same = now;
        }
        self.counted.1 += samples.len() as u64;
        self.counted.2 += samples.iter().filter(|sample| sample.abs() >= FULL).count() as u64;
        if now.since(self.counted.0) >= CLIPPED_OVER {
            self.clipping = self.counted.2 as f32 > CLIPPED * self.counted.1 as f32;
            self.counted = (now, 0, 0);
        }
        if self.clipping {
            self.loud = now;
            return false;
        }
        if samples.iter().any(|sample| *sample != 0.0) {
            self.loud = now;
            if now.since(self.same) >= SAME_FOR {
                return false;
            }
            return self.told.take().is_some();
        }
        false
    }

    /// The trouble there is, once each time that it begins.
    pub fn trouble(&mut self, now: Time) -> Option<MicrophoneTrouble> {
        troika_safety::fulfils![SR_VOI_013];
        let trouble = if now.since(self.last) >= NOTHING_FOR {
            MicrophoneTrouble::Dead
        } else if now.since(self.loud) >= SILENT_FOR {
            MicrophoneTrouble::Silent
        } else if self.clipping {
            MicrophoneTrouble::Clipping
        } else if self.loud == self.last && now.since(self.same) >= SAME_FOR {
            MicrophoneTrouble::Stuck
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
        troika_safety::verifies![SR_VOI_013];
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
        troika_safety::verifies![SR_VOI_013];
        let mut muted = Watch::new(ms(0));
        let mut quiet = Watch::new(ms(0));
        for at in (0..10_000).step_by(20) {
            muted.heard(ms(at), &[0.0; 320]);
            quiet.heard(ms(at), &[0.000_03, (at % 60) as f32 * 1e-6]);
            let trouble = muted.trouble(ms(at));
            assert_eq!(trouble, (at == 5_000).then_some(MicrophoneTrouble::Silent), "{at}");
            assert_eq!(quiet.trouble(ms(at)), None);
        }
    }

    #[test]
    fn a_buffer_that_stands_still_is_told_after_two_seconds_and_a_tone_that_holds_is_not() {
        troika_safety::verifies![SR_VOI_013];
        let (mut stuck, mut tone) = (Watch::new(ms(0)), Watch::new(ms(0)));
        let chunk: Vec<f32> = (0..320).map(|n| (n as f32 * 0.7).sin() * 0.1).collect();
        for at in (0..6_000).step_by(20) {
            stuck.heard(ms(at), &chunk);
            // 440 Hz with a room's noise.
            let held: Vec<f32> = (0..320_u64)
                .map(|n| ((at * 16 + n) as f32 * 0.1728).sin() * 0.1 + ((at * 7 + n * 13) % 11) as f32 * 1e-5)
                .collect();
            tone.heard(ms(at), &held);
            let trouble = stuck.trouble(ms(at));
            assert_eq!(trouble, (at == 2_000).then_some(MicrophoneTrouble::Stuck), "{at}");
            assert_eq!(tone.trouble(ms(at)), None);
        }
        assert!(stuck.heard(ms(6_000), &[0.1; 320]), "it is over");
    }

    #[test]
    fn a_microphone_that_is_turned_up_too_far_is_told_once_and_one_loud_word_is_not() {
        troika_safety::verifies![SR_VOI_013];
        let mut watch = Watch::new(ms(0));
        // No two chunks of a room are alike.
        let sound = |level: f32, at: u64| {
            (0..320_u64).map(|n| if n == at / 20 % 320 { level * 0.5 } else { level }).collect::<Vec<f32>>()
        };
        let mut told = Vec::new();
        for at in (0..12_000).step_by(20) {
            // A shout of 20 ms in 2 s, then everything clipped for 4 s, then quiet.
            let clipped = at == 1_000 || (4_000..8_000).contains(&at);
            if watch.heard(ms(at), &sound(if clipped { 1.0 } else { 0.1 }, at)) {
                told.push((at, None));
            }
            told.extend(watch.trouble(ms(at)).map(|trouble| (at, Some(trouble))));
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].1, Some(MicrophoneTrouble::Clipping));
        assert!((4_000..=6_100).contains(&told[0].0) && told[1].0 > 8_000, "{told:?}");
    }
}
