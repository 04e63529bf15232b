//! Who speaks, on real speech with the real voice activity model: how soon it is noticed, and whether the loudspeaker's own echo is
//! taken for a voice. Needs the model store (`troika models pull --set test`).
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use troika_asr::{
    listen::{Chunk, Cutter, Noticed, samples_long},
    source,
};
use troika_kit::{Duration, Time};
use troika_models::Store;
use troika_voice::{
    audio::{self, RATE},
    vad::{EndpointSettings, Silero},
};

/// 20 ms.
const CHUNK: usize = RATE as usize / 50;

fn cutter() -> Cutter {
    let store = Store::open_default().expect("a store");
    let vad = store.load_path("silero_vad").expect("troika models pull --set test");
    Cutter::new(Silero::load(&vad).unwrap(), EndpointSettings::default())
}

fn fixtures() -> Vec<PathBuf> {
    source::paths(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/speech")).unwrap()
}

fn at(sample: usize) -> Time {
    Time::from_stamp(1_000, 0) + samples_long(sample as u64)
}

/// Onsets: when each is said to have been, and when it was noticed, in samples. `played` leaves the loudspeaker meanwhile.
fn onsets(heard: &[f32], played: &[f32]) -> Vec<(usize, usize)> {
    let mut cutter = cutter();
    let mut all = Vec::new();
    for (n, piece) in heard.chunks_exact(CHUNK).enumerate() {
        let (from, to) = (n * CHUNK, (n + 1) * CHUNK);
        if let Some(piece) = played.get(from..to) {
            cutter.played(at(from), RATE, piece);
        }
        for noticed in cutter.push(&Chunk { samples: piece.to_vec(), end: at(to), label: None }).unwrap() {
            if let Noticed::Began(began) = noticed {
                let sample = began.since(at(0)).as_nanos() * u128::from(RATE) / 1_000_000_000;
                all.push((sample as usize, to));
            }
        }
    }
    all
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32
}

/// Where speech begins by its energy: the first 10 ms that are within 20 dB of the loudest and so are the next 20 ms.
fn true_onset(samples: &[f32]) -> usize {
    let powers: Vec<f32> = samples.chunks_exact(RATE as usize / 100).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let begin = powers.windows(3).position(|three| three.iter().all(|power| *power > loudest / 100.0));
    begin.unwrap() * (RATE as usize / 100)
}

fn ms(samples: usize) -> f32 {
    samples as f32 * 1e3 / RATE as f32
}

#[test]
fn whoever_begins_to_speak_is_noticed_within_two_frames_and_the_stamp_is_when_it_began() {
    let mut late = Vec::new();
    let mut off = Vec::new();
    for file in fixtures() {
        let samples = audio::read(&file).unwrap();
        let onset = true_onset(&samples);
        let (stamp, noticed) = onsets(&samples, &[])[0];
        late.push(ms(noticed) - ms(onset));
        off.push(ms(stamp) - ms(onset));
    }
    late.sort_by(f32::total_cmp);
    off.sort_by(f32::total_cmp);
    let (p50, p90) = (late[late.len() / 2], late[late.len() * 9 / 10]);
    println!(
        "{} recordings: noticed p50 {p50:.0} ms, p90 {p90:.0}, at worst {:.0} after the onset by energy; stamped p50 {:.0} ms, {:.0} to {:.0}",
        late.len(),
        late[late.len() - 1],
        off[off.len() / 2],
        off[0],
        off[off.len() - 1]
    );
    // Two frames of 32 ms, up to one more until the next begins, and 20 ms of the chunk that completes it.
    assert!(p50 <= 96.0 && p90 <= 132.0, "{late:?}");
    assert!(off[off.len() / 2].abs() <= 64.0, "{off:?}");
}

#[test]
fn a_clip_that_is_all_speech_has_silence_around_it_each_time() {
    let whole = audio::read(&fixtures()[0]).unwrap();
    // From within the first word on, until within the last.
    let onset = true_onset(&whole);
    let clip = &whole[onset..onset + 5 * RATE as usize / 4 + 100];
    let mut cutter = cutter();
    // As with a button: each is its stream.
    for take in 0..2 {
        let begin = take * 10 * RATE as usize;
        for (n, piece) in clip.chunks(CHUNK).enumerate() {
            let end = at(begin + n * CHUNK + piece.len());
            cutter.push(&Chunk { samples: piece.to_vec(), end, label: None }).unwrap();
        }
        let end = at(begin + clip.len());
        let Some(Noticed::Ended(ended, Some(said))) = cutter.finish(end) else { panic!("no utterance") };
        let samples = &said.utterance.samples;
        let before = samples.iter().position(|sample| *sample == clip[0]).unwrap();
        println!("{before} samples of silence before it, {} in all", samples.len());
        assert!((2_560..=5_120).contains(&before), "{before}");
        assert!(samples[..before].iter().all(|sample| *sample == 0.0));
        assert_eq!(&samples[before..before + clip.len()], clip);
        let after = &samples[before + clip.len()..];
        assert!(after.iter().all(|sample| *sample == 0.0), "{}", after.len());
        let silent = end.since(ended) + samples_long(after.len() as u64);
        assert!(silent >= Duration::from_millis(400), "{silent:?}");
        assert!(at(begin) <= said.began && said.began < ended, "{said:?}");
    }
}

/// What a microphone hears of the loudspeaker: attenuated, late, and reflected, with the cabin's noise.
fn echo(played: &[f32], gain: f32, delay_ms: usize) -> Vec<f32> {
    let mut heard = vec![0.0; played.len()];
    for (gain, delay_ms) in
        [(1.0, 0), (0.6, 7), (0.45, 19), (0.3, 41), (0.15, 83)].map(|(g, d)| (g * gain, d + delay_ms))
    {
        let delay = delay_ms * RATE as usize / 1_000;
        for (to, sample) in heard.iter_mut().skip(delay).zip(played) {
            *to += gain * sample;
        }
    }
    let mut state = 1u32;
    for sample in &mut heard {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample += 1e-3 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0);
    }
    heard
}

/// Half a minute of speech, as a loudspeaker may play it.
fn played() -> Vec<f32> {
    fixtures().iter().step_by(3).take(12).flat_map(|file| audio::read(file).unwrap()).collect()
}

#[test]
fn the_loudspeakers_own_voice_is_no_voice() {
    let played = played();
    let mut interrupted = 0;
    for gain in [0.03, 0.1, 0.3, 1.0] {
        for delay_ms in [20, 80, 160] {
            let heard = echo(&played, gain, delay_ms);
            let (with, without) = (onsets(&heard, &played).len(), onsets(&heard, &[]).len());
            println!("gain {gain}, {delay_ms} ms: {with} onsets, {without} without the gate");
            assert!(without >= 3, "it is speech: {without}");
            interrupted += with;
        }
    }
    // In 12 times half a minute.
    assert!(interrupted <= 3, "{interrupted}");
}

#[test]
fn a_driver_who_is_louder_than_the_echo_is_noticed_over_it() {
    let played = played();
    let drivers: Vec<Vec<f32>> =
        fixtures().iter().skip(1).step_by(3).take(10).map(|file| audio::read(file).unwrap()).collect();
    for over_db in [6.0f32, 12.0, 20.0] {
        let (mut noticed, mut late) = (0, Vec::new());
        for driver in &drivers {
            let mut heard = echo(&played, 0.2, 60);
            let loud = |samples: &[f32]| {
                // Of what sounds, not of the pauses.
                let mut powers: Vec<f32> = samples.chunks_exact(CHUNK).map(power).collect();
                powers.sort_by(f32::total_cmp);
                powers[powers.len() * 8 / 10]
            };
            let gain = (loud(&heard) / loud(driver)).sqrt() * 10f32.powf(over_db / 20.0);
            let begin = 12 * RATE as usize;
            for (to, sample) in heard[begin..].iter_mut().zip(driver) {
                *to += gain * sample;
            }
            // A microphone's gain is set for the loudest that it hears: what it gives is -1..1.
            let peak = heard.iter().fold(1.0f32, |peak, sample| peak.max(sample.abs()));
            heard.iter_mut().for_each(|sample| *sample /= peak);
            let onset = begin + true_onset(driver);
            let end = begin + driver.len();
            // So far over the echo, a breath before the first word is noticed already.
            let found = onsets(&heard, &played).into_iter().find(|(_, at)| (begin..end).contains(at));
            if let Some((_, at)) = found {
                noticed += 1;
                late.push(ms(at) - ms(onset));
            }
        }
        late.sort_by(f32::total_cmp);
        println!("{over_db} dB over the echo: {noticed} of {} noticed, after {late:.0?} ms", drivers.len());
        if over_db >= 12.0 {
            assert!(noticed >= drivers.len() * 8 / 10, "{noticed} at {over_db} dB");
        }
    }
}
