//! Audio as speech recognition wants it: mono, 16 kHz, -1..1. Reading files is the one impure part.

mod resample;
mod stream;
mod watch;

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

pub use resample::Resampler;
pub use stream::{Piece, Stream, StreamError, message};
pub use watch::{MicrophoneTrouble, Watch};

/// Samples a second that everything behind the source works with.
pub const RATE: u32 = 16_000;
/// The longest file that is read: ten minutes. A longer one is no utterance.
const LONGEST_S: u32 = 600;

/// Why an audio file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// It cannot be opened.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// Why.
        why: std::io::Error,
    },
    /// It is no WAV or FLAC that we read.
    #[error("{path}: {why}")]
    Format {
        /// Which.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads a WAV or FLAC file of any rate and channel count.
///
/// # Errors
/// When it cannot be opened, is neither, is damaged, or is longer than ten minutes.
pub fn read(path: &Path) -> Result<Vec<f32>, AudioError> {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => decode(&name, BufReader::new(file)),
        Err(why) => Err(AudioError::File { path: name, why }),
    }
}

/// Reads the contents of such a file: `name` says by its ending which it is, and is named in errors.
///
/// # Errors
/// When it is neither, is damaged, or is longer than ten minutes.
pub fn decode(name: &str, from: impl Read) -> Result<Vec<f32>, AudioError> {
    let wrong = |why: String| AudioError::Format { path: name.to_owned(), why };
    let ending = Path::new(name).extension();
    let flac = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("flac"));
    let raw = if flac { flac_file(from) } else { wav_file(from) };
    let (samples, rate, channels) = raw.map_err(wrong)?;
    let mut resampler = Resampler::new(rate).ok_or_else(|| wrong(format!("{rate} Hz")))?;
    let mut out = resampler.push(&mono(&samples, channels));
    out.extend(resampler.finish());
    Ok(out)
}

type Raw = Result<(Vec<f32>, u32, usize), String>;

fn limits(rate: u32, channels: u64, samples: u64) -> Result<(), String> {
    if channels == 0 || samples > u64::from(LONGEST_S) * u64::from(rate) * channels {
        return Err(format!("longer than {LONGEST_S} s, or without channels"));
    }
    Ok(())
}

fn wav_file(file: impl Read) -> Raw {
    let reader = hound::WavReader::new(file).map_err(|error| error.to_string())?;
    let spec = reader.spec();
    limits(spec.sample_rate, spec.channels.into(), reader.len().into())?;
    let samples: Result<Vec<f32>, _> = match spec.sample_format {
        hound::SampleFormat::Float => reader.into_samples::<f32>().collect(),
        hound::SampleFormat::Int => {
            let scale = 1.0 / (1u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            reader.into_samples::<i32>().map(|sample| sample.map(|sample| sample as f32 * scale)).collect()
        }
    };
    Ok((samples.map_err(|error| error.to_string())?, spec.sample_rate, spec.channels.into()))
}

fn flac_file(file: impl Read) -> Raw {
    let mut reader = claxon::FlacReader::new(file).map_err(|error| error.to_string())?;
    let info = reader.streaminfo();
    limits(info.sample_rate, info.channels.into(), info.samples.unwrap_or(0) * u64::from(info.channels))?;
    let scale = 1.0 / (1u64 << (info.bits_per_sample.clamp(1, 32) - 1)) as f32;
    let samples: Result<Vec<f32>, _> =
        reader.samples().map(|sample| sample.map(|sample| sample as f32 * scale)).collect();
    Ok((samples.map_err(|error| error.to_string())?, info.sample_rate, info.channels as usize))
}

/// The mean of the channels; a sample that is no number is silence.
pub fn mono(samples: &[f32], channels: usize) -> Vec<f32> {
    let finite = |sample: &f32| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    samples
        .chunks_exact(channels.max(1))
        .map(|frame| frame.iter().map(finite).sum::<f32>() / frame.len() as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(rate: u32, channels: u16, seconds: f32) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".wav").tempfile().expect("a file");
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(file.path(), spec).expect("writes");
        for n in 0..(rate as f32 * seconds) as u32 {
            let tone = (n as f32 / rate as f32 * 440.0 * std::f32::consts::TAU).sin();
            (0..channels).for_each(|_| writer.write_sample((tone * 16_000.0) as i16).expect("writes"));
        }
        writer.finalize().expect("writes");
        file
    }

    #[test]
    fn any_rate_and_channel_count_becomes_mono_16_khz_of_the_same_length() {
        for (rate, channels) in [(16_000, 1), (44_100, 2), (48_000, 1), (8_000, 2), (22_050, 1)] {
            let samples = read(wav(rate, channels, 1.0).path()).expect("reads");
            assert!((15_900..=16_100).contains(&samples.len()), "{rate}: {}", samples.len());
            let middle = &samples[4_000..12_000];
            let rms = (middle.iter().map(|s| s * s).sum::<f32>() / 8_000.0).sqrt();
            assert!((rms - 0.345).abs() < 0.02, "{rate}: {rms}");
        }
    }

    #[test]
    fn a_file_that_is_no_audio_is_told_with_its_name() {
        let file = tempfile::Builder::new().suffix(".wav").tempfile().expect("a file");
        std::fs::write(file.path(), b"RIFFxxxxWAVEjunk").expect("writes");
        assert!(read(file.path()).expect_err("no audio").to_string().contains(".wav"));
        assert!(read(Path::new("not-there.flac")).is_err());
        let flac = tempfile::Builder::new().suffix(".flac").tempfile().expect("a file");
        std::fs::write(flac.path(), b"fLaC and then nothing").expect("writes");
        assert!(read(flac.path()).is_err());
    }

    #[test]
    fn the_spoken_fixtures_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/speech");
        let samples = read(&folder.join("01.flac")).expect("reads");
        assert!(samples.len() > RATE as usize, "{}", samples.len());
        assert!(samples.iter().any(|sample| sample.abs() > 0.2));
    }
}
