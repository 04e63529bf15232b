//! Whether what the microphone hears may be our own loudspeaker. Without it the assistant interrupts itself, and takes its own
//! words for commands.
//!
//! This is a double-talk detector after Geigel ("An adaptive echo canceler", Duttweiler 1978), with the coupling between
//! loudspeaker and microphone learnt: the power of each frame is held against the greatest power that was played in the
//! [`TAIL`] before it. What is no louder than the coupling explains, with [`MARGIN_DB`] to spare, is taken for echo. It is **no
//! echo canceller**: it takes nothing out of the audio, a voice that is softer than the echo is not noticed, and what is
//! recognised while both speak is recognised from the mixture. Pure.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};

/// The sound card's buffers, the way through the cabin, and its reverberation.
const TAIL: Duration = Duration::from_millis(300);
/// A voice is noticed when it is so much louder than the echo: the level of speech varies by as much from frame to frame.
const MARGIN_DB: f32 = 6.0;
/// Powers are kept in slots of this length.
const SLOT_NANOS: u64 = 10_000_000;
/// So many slots are kept: a second, for messages that come early or late.
const SLOTS: usize = 100;
/// Below this power (-60 dB of full scale) nothing is played.
const PLAYED: f32 = 1e-6;
/// Frames from which the coupling is learnt: 5 s of playing.
const LEARNT_FROM: usize = 156;
/// Before so many were heard, all is taken for echo: 0.3 s, once.
const LEARNT_AFTER: usize = 10;
/// The coupling is what this part of the frames does not exceed.
const QUANTILE: f32 = 0.9;

/// The detector.
#[derive(Debug, Clone, Default)]
pub struct EchoGate {
    /// Slot number and mean power of what was played in it, in order of time.
    played: VecDeque<(u64, f32)>,
    /// Power heard for power played, of the newest frames.
    ratios: VecDeque<f32>,
}

impl EchoGate {
    /// Nothing was played yet.
    pub fn new() -> EchoGate {
        EchoGate::default()
    }

    /// This leaves the loudspeaker from `at` on: mono, -1..1, `rate` samples a second.
    pub fn played(&mut self, at: Time, rate: u32, samples: &[f32]) {
        let slot_length = (u64::from(rate.max(1_000)) * SLOT_NANOS / 1_000_000_000) as usize;
        for (n, piece) in samples.chunks(slot_length).enumerate() {
            let slot = at.as_nanos() / SLOT_NANOS + n as u64;
            let power = power(piece);
            match self.played.back_mut() {
                Some((last, of)) if *last == slot => *of = of.max(power),
                // A message that was overtaken: its slots are past, or not of use any more.
                Some((last, _)) if *last > slot => {}
                _ => self.played.push_back((slot, power)),
            }
        }
        let surplus = self.played.len().saturating_sub(SLOTS);
        self.played.drain(..surplus);
    }

    /// Whether a frame that was heard from `from` to `to` may be echo; its samples are mono, -1..1.
    pub fn explains(&mut self, from: Time, to: Time, frame: &[f32]) -> bool {
        let first = (from - TAIL).as_nanos() / SLOT_NANOS;
        let last = to.as_nanos() / SLOT_NANOS;
        let within = self.played.iter().filter(|(slot, _)| (first..=last).contains(slot));
        let loudest = within.map(|(_, power)| *power).fold(0.0, f32::max);
        if loudest < PLAYED {
            return false;
        }
        let ratio = power(frame) / loudest;
        let margin = 10f32.powf(MARGIN_DB / 10.0);
        let coupling = self.coupling();
        let echo = coupling.is_none_or(|coupling| ratio <= coupling * margin);
        // A voice teaches little, or the gate would learn to be deaf to it; not nothing, or a volume that was turned up would never
        // be learnt.
        let learnt = if echo { ratio } else { coupling.unwrap_or(ratio) * margin };
        if self.ratios.len() == LEARNT_FROM {
            self.ratios.pop_front();
        }
        self.ratios.push_back(learnt);
        echo
    }

    /// Power heard for power played; none before it was learnt.
    pub fn coupling(&self) -> Option<f32> {
        if self.ratios.len() < LEARNT_AFTER {
            return None;
        }
        let mut sorted: Vec<f32> = self.ratios.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        sorted.get((sorted.len() as f32 * QUANTILE) as usize).copied()
    }
}

/// The mean power of samples.
fn power(samples: &[f32]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| sample * sample).sum();
    sum / samples.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audio::RATE, vad::FRAME};

    fn at(sample: usize) -> Time {
        Time::from_nanos(10_000_000_000 + sample as u64 * 1_000_000_000 / u64::from(RATE))
    }

    /// Noise whose loudness goes up and down as that of syllables does; deterministic.
    fn babble(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..count)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                let syllable = (n as f32 / RATE as f32 * 4.0 * std::f32::consts::PI).sin().powi(2);
                noise * (0.02 + 0.3 * syllable)
            })
            .collect()
    }

    /// Which frames of `heard` are not explained while `played` leaves the loudspeaker.
    fn noticed(gate: &mut EchoGate, played: &[f32], heard: &[f32]) -> Vec<usize> {
        let mut all = Vec::new();
        for (n, frame) in heard.chunks_exact(FRAME).enumerate() {
            let (from, to) = (n * FRAME, (n + 1) * FRAME);
            if let Some(piece) = played.get(from..to) {
                gate.played(at(from), RATE, piece);
            }
            if !gate.explains(at(from), at(to), frame) {
                all.push(n);
            }
        }
        all
    }

    fn echo(played: &[f32], gain: f32, delay: usize) -> Vec<f32> {
        let mut heard = vec![0.0; played.len()];
        for (n, sample) in played.iter().enumerate() {
            // The direct way and a reflection.
            for (gain, delay) in [(gain, delay), (gain * 0.5, delay + RATE as usize / 20)] {
                if let Some(to) = heard.get_mut(n + delay) {
                    *to += gain * sample;
                }
            }
        }
        heard
    }

    #[test]
    fn silence_of_the_loudspeaker_explains_nothing() {
        let heard = babble(RATE as usize, 1);
        assert_eq!(noticed(&mut EchoGate::new(), &[], &heard).len(), heard.len() / FRAME);
    }

    #[test]
    fn an_echo_is_no_voice_at_any_level_and_delay() {
        for gain in [0.02, 0.3, 2.0] {
            for delay_ms in [5, 60, 200] {
                let played = babble(6 * RATE as usize, 3);
                let heard = echo(&played, gain, delay_ms * RATE as usize / 1_000);
                let noticed = noticed(&mut EchoGate::new(), &played, &heard);
                assert!(noticed.is_empty(), "gain {gain}, {delay_ms} ms: {noticed:?}");
            }
        }
    }

    #[test]
    fn a_voice_over_an_echo_is_noticed_and_not_before_it_began() {
        let played = babble(6 * RATE as usize, 3);
        let mut heard = echo(&played, 0.2, 800);
        let begin = 3 * RATE as usize;
        for (to, sample) in heard[begin..].iter_mut().zip(babble(3 * RATE as usize, 9)) {
            *to += 0.7 * sample;
        }
        let noticed = noticed(&mut EchoGate::new(), &played, &heard);
        assert!(noticed.iter().all(|frame| (frame + 1) * FRAME > begin), "{noticed:?}");
        // Within two syllables, in two frames on end, as an onset wants them.
        let pair = noticed.windows(2).find(|pair| pair[1] == pair[0] + 1).map(|pair| pair[1]);
        assert!(pair.is_some_and(|frame| frame * FRAME < begin + RATE as usize / 2), "{noticed:?}");
    }

    #[test]
    fn a_volume_that_was_turned_up_is_learnt() {
        let mut gate = EchoGate::new();
        let played = babble(6 * RATE as usize, 3);
        assert!(noticed(&mut gate, &played, &echo(&played, 0.05, 800)).is_empty());
        let louder = babble(20 * RATE as usize, 4);
        let noticed = noticed(&mut gate, &louder, &echo(&louder, 0.4, 800));
        assert!(!noticed.is_empty());
        assert!(noticed.iter().all(|frame| frame * FRAME < 15 * RATE as usize), "{noticed:?}");
    }

    #[test]
    fn it_is_bounded() {
        let mut gate = EchoGate::new();
        let played = babble(20 * RATE as usize, 3);
        noticed(&mut gate, &played, &played);
        assert!(gate.played.len() <= SLOTS && gate.ratios.len() <= LEARNT_FROM);
    }
}
