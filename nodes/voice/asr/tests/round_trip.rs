//! What the assistant says is understood by the project's own recogniser: text to phonemes to audio to words, with the real models and
//! the real espeak-ng. Needs the model store (`troika models pull --set test`).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, on the wall clock")]

use std::sync::Arc;

use troika_asr::whisper::{Recogniser, Settings};
use troika_kit::Time;
use troika_models::Store;
use troika_speech::{Config, config::Voice, phonemes::sentences, speaker::Clock, voices::Voices};
use troika_voice::{audio::RATE, matcher::text::bare};

/// What the assistant says.
const SAID: [&str; 4] = [
    "The vehicle is moving.",
    "Please say it again.",
    "The trunk is open and the doors are locked.",
    "All right, I leave it.",
];

fn voices(voice: Voice) -> Voices {
    // It stands still: a voice that a busy machine makes too slow hands over to the other one, which is another test's.
    let clock: Clock = Arc::new(|| Time::ZERO);
    let store = Store::open_default().map_err(|error| error.to_string());
    Voices::load(&Config { voice, ..Config::default() }, store, clock)
}

/// A text at the recogniser's rate.
fn audio(voices: &mut Voices, text: &str) -> Vec<f32> {
    let mut samples = vec![0.0; RATE as usize / 4];
    for sentence in sentences(text) {
        let all = voices.speak(&sentence, RATE, &mut |piece| {
            samples.extend_from_slice(piece);
            true
        });
        assert!(all.unwrap());
    }
    samples
}

/// Words that are the same in both, of the greater number of words.
fn alike(heard: &str, said: &str) -> f32 {
    let (heard, said): (Vec<&str>, Vec<&str>) = (heard.split(' ').collect(), said.split(' ').collect());
    let same = said.iter().filter(|word| heard.contains(word)).count();
    same as f32 / heard.len().max(said.len()) as f32
}

#[test]
fn what_the_voice_says_is_heard_word_for_word() {
    let store = Store::open_default().expect("a store");
    let whisper = store.load_path("whisper_tiny_en").expect("troika models pull --set test");
    let mut recogniser =
        Recogniser::load(&whisper, Settings { prompt: String::new(), ..Settings::default() }).unwrap();
    let mut voices = voices(Voice::Piper);
    assert_eq!(voices.trouble(), None, "the network speaks");
    let mut right = 0;
    for text in SAID {
        let expected = bare(text);
        let heard = bare(&recogniser.recognise(&audio(&mut voices, text)).unwrap().text);
        println!("{text} -> {heard}");
        assert!(alike(&heard, &expected) > 0.6, "'{text}' was heard as '{heard}'");
        right += usize::from(heard == expected);
    }
    assert!(right >= 3, "{right} of {}", SAID.len());
}
