//! Any sampling rate to 16 kHz, or to another: a windowed sinc with a cut-off below both halves, in a stream. Speech recognition wants no
//! more than this.

use super::RATE;

/// Half the kernel's length, in samples of the slower rate.
const HALF: f64 = 16.0;

/// A stream's resampler.
pub struct Resampler {
    /// Input samples for each output sample.
    step: f64,
    /// Cut-off as a part of the input's half rate.
    cut: f64,
    /// Half the kernel, in input samples.
    reach: f64,
    held: Vec<f32>,
    /// Where the next output lies, in samples of `held`.
    at: f64,
}

impl Resampler {
    /// From `rate` to [`RATE`]; none for a rate that no sound card has.
    pub fn new(rate: u32) -> Option<Resampler> {
        Resampler::between(rate, RATE)
    }

    /// From one rate to another; none for rates that no sound card has.
    pub fn between(from: u32, to: u32) -> Option<Resampler> {
        if [from, to].iter().any(|rate| !(4_000..=384_000).contains(rate)) {
            return None;
        }
        let step = f64::from(from) / f64::from(to);
        let cut = (1.0 / step).min(1.0);
        let reach = HALF / cut;
        // Silence before the first sample, so that the kernel has its left half.
        let before = reach.ceil() as usize;
        Some(Resampler { step, cut, reach, held: vec![0.0; before], at: before as f64 })
    }

    /// What can be said after these samples too.
    pub fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        if self.step == 1.0 {
            return samples.to_vec();
        }
        self.held.extend_from_slice(samples);
        let mut out = Vec::with_capacity((samples.len() as f64 / self.step) as usize + 1);
        while self.at + self.reach < self.held.len() as f64 - 1.0 {
            out.push(self.sample());
            self.at += self.step;
        }
        let done = (self.at - self.reach).floor().max(0.0) as usize;
        self.held.drain(..done);
        self.at -= done as f64;
        out
    }

    /// The rest of the stream.
    pub fn finish(&mut self) -> Vec<f32> {
        let silence = vec![0.0; self.reach.ceil() as usize + 1];
        if self.step == 1.0 { Vec::new() } else { self.push(&silence) }
    }

    fn sample(&self) -> f32 {
        let (first, last) = ((self.at - self.reach).ceil() as usize, (self.at + self.reach).floor() as usize);
        let mut sum = 0.0;
        for index in first..=last.min(self.held.len() - 1) {
            let x = index as f64 - self.at;
            let phase = std::f64::consts::PI * x * self.cut;
            let sinc = if phase.abs() < 1e-9 { 1.0 } else { phase.sin() / phase };
            // Hann.
            let window = 0.5 + 0.5 * (std::f64::consts::PI * x / self.reach).cos();
            sum += f64::from(self.held[index]) * sinc * window * self.cut;
        }
        sum as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_in_pieces_gives_the_same_as_in_one() {
        let wave: Vec<f32> = (0..9_600).map(|n| (n as f32 * 0.05).sin()).collect();
        let whole = Resampler::new(48_000).expect("a rate").push(&wave);
        let mut pieces = Resampler::new(48_000).expect("a rate");
        let joined: Vec<f32> = wave.chunks(37).flat_map(|piece| pieces.push(piece)).collect();
        assert_eq!(whole.len(), joined.len());
        assert!(whole.iter().zip(&joined).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn what_16_khz_cannot_hold_is_taken_out() {
        let tone = |hz: f32| {
            (0..48_000).map(|n| (n as f32 / 48_000.0 * hz * std::f32::consts::TAU).sin()).collect::<Vec<_>>()
        };
        let power = |hz| {
            let out = Resampler::new(48_000).expect("a rate").push(&tone(hz));
            out[500..15_000].iter().map(|s| s * s).sum::<f32>() / 14_500.0
        };
        assert!((power(1_000.0) - 0.5).abs() < 0.01, "{}", power(1_000.0));
        assert!(power(12_000.0) < 1e-4, "{}", power(12_000.0));
    }

    #[test]
    fn it_goes_up_too_without_a_mirror_image() {
        let tone: Vec<f32> =
            (0..22_050).map(|n| (n as f32 / 22_050.0 * 4_000.0 * std::f32::consts::TAU).sin()).collect();
        let mut resampler = Resampler::between(22_050, 48_000).expect("rates");
        let mut out = resampler.push(&tone);
        out.extend(resampler.finish());
        assert!((47_900..=48_100).contains(&out.len()), "{}", out.len());
        let expected = |n: usize| (n as f32 / 48_000.0 * 4_000.0 * std::f32::consts::TAU).sin();
        let worst = (1_000..47_000).map(|n| (out[n] - expected(n)).abs()).fold(0.0, f32::max);
        assert!(worst < 0.01, "{worst}");
    }

    #[test]
    fn no_sound_card_has_these_rates() {
        assert!(Resampler::new(0).is_none() && Resampler::new(1_000_000).is_none());
    }
}
