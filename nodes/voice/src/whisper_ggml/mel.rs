//! The mel filter bank that Whisper was trained with: triangles on Slaney's mel scale, each of area one
//! (`librosa.filters.mel(sr=16000, n_fft=400, n_mels=80)`).

/// Hz.
const SAMPLE_RATE: f64 = 16_000.0;
/// Slaney's scale is linear below this, in Hz; 200/3 Hz a mel.
const LINEAR_UP_TO: f64 = 1_000.0;
const HZ_PER_MEL: f64 = 200.0 / 3.0;
/// Above, 27 mels are a factor of 6.4.
const OCTAVE: (f64, f64) = (6.4, 27.0);

fn mel_to_hz(mel: f64) -> f64 {
    let knee = LINEAR_UP_TO / HZ_PER_MEL;
    if mel < knee {
        mel * HZ_PER_MEL
    } else {
        LINEAR_UP_TO * ((OCTAVE.0.ln() / OCTAVE.1) * (mel - knee)).exp()
    }
}

fn hz_to_mel(hz: f64) -> f64 {
    if hz < LINEAR_UP_TO {
        hz / HZ_PER_MEL
    } else {
        LINEAR_UP_TO / HZ_PER_MEL + (hz / LINEAR_UP_TO).ln() / (OCTAVE.0.ln() / OCTAVE.1)
    }
}

/// `mels` rows of `fft / 2 + 1` weights.
pub(super) fn filters(mels: usize, fft: usize) -> Vec<f32> {
    let top = hz_to_mel(SAMPLE_RATE / 2.0);
    let edges: Vec<f64> = (0..mels + 2).map(|n| mel_to_hz(top * n as f64 / (mels + 1) as f64)).collect();
    let mut weights = Vec::with_capacity(mels * (fft / 2 + 1));
    for edge in edges.windows(3) {
        let (low, peak, high) = (edge[0], edge[1], edge[2]);
        let area = 2.0 / (high - low);
        for bin in 0..=fft / 2 {
            let hz = bin as f64 * SAMPLE_RATE / fft as f64;
            let height = ((hz - low) / (peak - low)).min((high - hz) / (high - peak)).max(0.0);
            weights.push((height * area) as f32);
        }
    }
    weights
}
