//! The recogniser with its real model: words with their times, no words where there are none, and a run that is called off.

use std::{path::Path, sync::Mutex};

use troika_asr::{
    listen::{Listener, Take, recording},
    whisper::{Recogniser, Settings},
    worker::Worker,
};
use troika_host::HostClock;
use troika_kit::Duration;
use troika_models::Store;
use troika_voice::{
    audio::{self, RATE},
    matcher::Matcher,
    turn::Pace,
    vad::{EndpointSettings, Silero},
};

/// One model at a time: a machine with two cores has other tests to run.
static ONE: Mutex<()> = Mutex::new(());

fn recogniser() -> Recogniser {
    let path = Store::open_default()
        .and_then(|store| store.load_path("whisper_tiny_en"))
        .expect("`troika models pull --set test`");
    Recogniser::load(&path, Settings::default()).expect("loads")
}

fn listener() -> Listener {
    let path = Store::open_default()
        .and_then(|store| store.load_path("silero_vad"))
        .expect("`troika models pull --set test`");
    let silero = Silero::load(&path).expect("loads");
    Listener::new(silero, EndpointSettings::default(), Pace::default(), Matcher::english())
}

fn fixture(name: &str) -> Vec<f32> {
    audio::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/speech").join(name)).expect("reads")
}

/// On a clock that stands still: what is heard, not how soon.
fn heard(recogniser: &mut Recogniser, samples: &[f32]) -> Vec<Take> {
    recording(&mut listener(), recogniser, samples, || Duration::ZERO).expect("runs")
}

/// Noise of a seed, -1..1.
fn white(seconds: f32) -> Vec<f32> {
    let mut state = 12_345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..(seconds * RATE as f32) as usize).map(|_| next()).collect()
}

/// A car's cabin is loud below a few hundred Hz.
fn cabin(seconds: f32) -> Vec<f32> {
    let mut last = 0.0;
    let low = white(seconds).into_iter().map(move |sample| {
        last = 0.98 * last + 0.02 * sample;
        4.0 * last + 0.02 * sample
    });
    low.collect()
}

/// Chords, four a second, with a beat.
fn music(seconds: f32) -> Vec<f32> {
    let chords = [[220.0, 277.2, 329.6], [246.9, 311.1, 370.0], [196.0, 246.9, 293.7]];
    let sample = |n: usize| {
        let time = n as f32 / RATE as f32;
        let chord = chords[(time * 4.0) as usize % chords.len()];
        let fading = 1.0 - (time * 4.0).fract() * 0.7;
        chord.iter().map(|hz| (time * hz * std::f32::consts::TAU).sin()).sum::<f32>() * 0.15 * fading
    };
    (0..(seconds * RATE as f32) as usize).map(sample).collect()
}

#[test]
fn a_command_is_heard_with_a_confidence_and_a_time_for_each_word() {
    let _one = ONE.lock();
    let takes = heard(&mut recogniser(), &fixture("01.flac"));
    assert_eq!(takes.len(), 1, "{takes:?}");
    let (take, words) = (&takes[0], &takes[0].heard.words);
    assert_eq!(take.heard.text, "Set the temperature to 21.5 degrees.");
    assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "), take.heard.text);
    let seconds = take.said.utterance.samples.len() as f32 / RATE as f32;
    let in_order = words
        .windows(2)
        .all(|pair| pair[0].start_s < pair[1].start_s && pair[0].end_s <= pair[1].start_s + 0.02);
    let within =
        words.iter().all(|word| 0.0 <= word.start_s && word.start_s <= word.end_s && word.end_s <= seconds);
    assert!(in_order && within, "{words:?}");
    // It is loud where words are, and the first begins where the sound does: 0.3 s before it are kept.
    let power = |from: f32, to: f32| {
        let part = &take.said.utterance.samples[(from * RATE as f32) as usize..(to * RATE as f32) as usize];
        part.iter().map(|sample| sample * sample).sum::<f32>() / part.len().max(1) as f32
    };
    assert!((0.1..0.9).contains(&words[0].start_s), "{words:?}");
    assert!(power(words[0].start_s, words[5].start_s) > 20.0 * power(0.0, 0.1), "{words:?}");
    assert!(words.iter().all(|word| (0.2..=1.0).contains(&word.confidence)), "{words:?}");
}

#[test]
fn a_recording_that_begins_and_ends_with_speech_is_heard_as_one_with_silence_around_it() {
    let _one = ONE.lock();
    let whole = fixture("01.flac");
    let powers: Vec<f32> = whole.chunks(160).map(|part| part.iter().map(|s| s * s).sum()).collect();
    let loud = powers.iter().copied().fold(0.0, f32::max) / 300.0;
    let first = powers.iter().position(|power| *power > loud).expect("speech");
    let last = powers.iter().rposition(|power| *power > loud).expect("speech");
    let takes = heard(&mut recogniser(), &whole[first * 160..((last + 1) * 160).min(whole.len())]);
    assert_eq!(takes.len(), 1, "{takes:?}");
    assert_eq!(takes[0].heard.text, "Set the temperature to 21.5 degrees.");
    // The silence before it counts in the words' times as in the utterance's length.
    assert!(takes[0].heard.words[0].start_s > 0.3, "{takes:?}");
}

#[test]
fn silence_noise_and_music_have_no_words() {
    let _one = ONE.lock();
    let mut recogniser = recogniser();
    let scaled =
        |samples: Vec<f32>, by: f32| samples.into_iter().map(|sample| sample * by).collect::<Vec<f32>>();
    let sounds = [
        ("silence", vec![0.0; 4 * RATE as usize]),
        ("quiet noise", scaled(white(4.0), 0.003)),
        ("white noise", scaled(white(4.0), 0.3)),
        ("cabin", scaled(cabin(6.0), 0.8)),
        ("music", music(6.0)),
        ("a tone", (0..4 * RATE).map(|n| (n as f32 * 0.17).sin() * 0.5).collect()),
    ];
    let mut wrong = Vec::new();
    for (name, samples) in sounds {
        // A chord that sets in after silence may pass for a voice; it has no words.
        for take in heard(&mut recogniser, &samples).iter().filter(|take| !take.heard.text.is_empty()) {
            wrong.push(format!("{name}: as an utterance '{}'", take.heard.text));
        }
        // As if the voice activity network had let it through.
        let past = recogniser.recognise(&samples).expect("runs");
        if !past.text.is_empty() {
            wrong.push(format!("{name}: '{}' {past:?}", past.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_called_off_is_not_answered_and_what_comes_after_it_is_in_order() {
    let _one = ONE.lock();
    let mut worker = Worker::start(recogniser(), HostClock::start()).expect("a thread");
    let long = white(20.0);
    let words = fixture("22.flac");
    assert!(
        worker.decode(0, long.clone())
            && worker.decode(1, words.clone())
            && worker.decode(2, long)
            && worker.decode(3, words)
    );
    worker.cancel(0);
    worker.cancel(2);
    // Partials of a machine that has no time for them: each is called off before its turn, and takes nobody's place.
    for partial in 10..60 {
        assert!(worker.decode(partial, vec![0.0; RATE as usize]), "{partial}");
        worker.cancel(partial);
    }
    let mut answers = Vec::new();
    while worker.busy() {
        let answered = worker.wait(Duration::from_secs(60)).expect("an answer within a minute");
        assert!(!answered.heard.expect("runs").text.is_empty());
        answers.push(answered.id);
    }
    assert_eq!(answers, [1, 3]);
}
