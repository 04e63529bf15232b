//! Says each text into a WAV file, as fast as it goes, and tells how long that took: `speak OUT.wav TEXT…`.
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::{sync::Arc, time::Instant};

use troika_kit::Time;
use troika_models::Store;
use troika_speech::{Config, phonemes::sentences, speaker::Clock, voices::Voices};

const RATE: u32 = 22_050;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("usage: speak OUT.wav TEXT…")?;
    let begin = Instant::now();
    let clock: Clock = Arc::new(move || Time::ZERO + begin.elapsed());
    let store = Store::open_default().map_err(|error| error.to_string());
    let mut voices = Voices::load(&Config::default(), store, clock);
    println!("loaded in {:.2} s", begin.elapsed().as_secs_f64());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(out, spec)?;
    for text in arguments {
        let begin = Instant::now();
        let (mut first, mut samples) = (None, Vec::new());
        for sentence in sentences(&text) {
            voices.speak(&sentence, RATE, &mut |piece| {
                first.get_or_insert(begin.elapsed());
                samples.extend_from_slice(piece);
                true
            })?;
        }
        let (took, audio) = (begin.elapsed().as_secs_f64(), samples.len() as f64 / f64::from(RATE));
        println!(
            "{audio:.2} s of audio in {took:.2} s ({:.2} of its length), the first after {:.0} ms: {text}",
            took / audio,
            first.unwrap_or_default().as_secs_f64() * 1e3
        );
        for sample in samples {
            file.write_sample((sample * 32_767.0) as i16)?;
        }
    }
    if let Some(trouble) = voices.trouble() {
        println!("{trouble}");
    }
    file.finalize()?;
    Ok(())
}
