//! The length regulator: each phoneme's latents as often as it lasts frames. Pure. Tensors are channels by time, flat.

use super::CHANNELS;

/// Frames of one phoneme at most, 1.2 s: what lasts longer is an error of the predictor's.
const LONGEST: f32 = 100.0;

/// Frames of each phoneme, from the logarithms of their lengths; one frame of what is no number.
pub(super) fn durations(log_durations: &[f32], scale: f32) -> Vec<usize> {
    log_durations
        .iter()
        .map(|log| {
            let frames = (log.exp() * scale).ceil();
            if frames.is_nan() { 1 } else { frames.clamp(0.0, LONGEST) as usize }
        })
        .collect()
}

/// Latents of each frame: the mean of its phoneme, and noise times its deviation. [`CHANNELS`] by frames.
pub(super) fn latents(mean: &[f32], log_deviation: &[f32], durations: &[usize], noise: &[f32]) -> Vec<f32> {
    let (phonemes, frames) = (durations.len(), durations.iter().sum::<usize>());
    let mut all = Vec::with_capacity(CHANNELS * frames);
    for channel in 0..CHANNELS {
        for (phoneme, &lasts) in durations.iter().enumerate() {
            let at = channel * phonemes + phoneme;
            let deviation = log_deviation[at].exp();
            for _ in 0..lasts {
                all.push(mean[at] + noise[all.len()] * deviation);
            }
        }
    }
    all
}

/// `length` frames from `from` on of [`CHANNELS`] by `frames`, filled up with zeros.
pub(super) fn cut(latents: &[f32], frames: usize, from: usize, length: usize) -> Vec<f32> {
    let mut all = vec![0.0; CHANNELS * length];
    let there = length.min(frames.saturating_sub(from));
    for (to, channel) in all.chunks_exact_mut(length).zip(latents.chunks_exact(frames.max(1))) {
        to[..there].copy_from_slice(&channel[from..from + there]);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phonemes_last_whole_frames_and_never_for_ever() {
        let logs = [0.0, 1.0, -9.0, f32::NAN, 50.0, f32::NEG_INFINITY];
        assert_eq!(durations(&logs, 1.0), [1, 3, 1, 1, 100, 0]);
        assert_eq!(durations(&logs[..2], 2.0), [2, 6]);
    }

    #[test]
    fn each_frame_has_its_phonemes_mean_and_noise() {
        let mean: Vec<f32> = (0..CHANNELS * 2).map(|n| n as f32).collect();
        let deviation = vec![2.0f32.ln(); CHANNELS * 2];
        let mut noise = vec![0.0; CHANNELS * 4];
        noise[5] = 0.5;
        let all = latents(&mean, &deviation, &[3, 1], &noise);
        assert_eq!(all[..8], [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 2.0, 3.0]);
        assert_eq!(all.len(), CHANNELS * 4);
    }

    #[test]
    fn a_cut_over_the_end_goes_on_in_zeros() {
        let latents: Vec<f32> = (0..CHANNELS * 3).map(|n| n as f32).collect();
        let cut = cut(&latents, 3, 1, 4);
        assert_eq!(cut[..8], [1.0, 2.0, 0.0, 0.0, 4.0, 5.0, 0.0, 0.0]);
    }
}
