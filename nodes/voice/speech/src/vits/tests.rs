use troika_models::Store;

use super::*;
use crate::voices::{MODEL, MODEL_SETTINGS};

/// The voice of the store, as it is pulled for the tests.
fn voice() -> Vits {
    let store = Store::open_default().expect("a store");
    let bytes = |name| store.load_bytes(name).expect("troika models pull --set test");
    let settings = Settings::read(&bytes(MODEL_SETTINGS)).expect("settings").without_noise();
    Vits::load(&bytes(MODEL), settings).expect("the network")
}

/// All of a sentence.
fn said(voice: &mut Vits, phonemes: &str) -> Vec<f32> {
    let mut all = Vec::new();
    voice
        .speak(phonemes, 1.0, &mut |piece| {
            all.extend_from_slice(piece);
            true
        })
        .expect("speaks");
    all
}

/// Root of the mean square.
fn rms(samples: impl IntoIterator<Item = f32>) -> f32 {
    let (sum, count) = samples.into_iter().fold((0.0, 0), |(sum, count), one| (sum + one * one, count + 1));
    (sum / count.max(1) as f32).sqrt()
}

#[test]
fn it_says_what_another_runtime_says() {
    let golden = include_bytes!("golden.s16");
    let golden: Vec<f32> = golden
        .chunks_exact(2)
        .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_767.0)
        .collect();
    let said = said(&mut voice(), "ʃˌæl aɪ kˈɔːl ˈænə.");
    assert_eq!(said.len(), golden.len());
    let worst = said.iter().zip(&golden).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // The samples of the file are rounded to 3e-5.
    assert!(worst < 2e-3, "{worst} of {}", rms(golden));
}

#[test]
fn windows_of_the_decoder_join_without_a_seam_and_sentences_of_all_lengths_are_said() {
    let mut voice = voice();
    let word = "wˈɜːd ";
    for words in [1, 12, 40] {
        let phonemes = format!("{}.", word.repeat(words).trim_end());
        let said = said(&mut voice, &phonemes);
        let seconds = said.len() as f32 / voice.rate() as f32;
        assert!(
            (0.1 * words as f32..0.8 * words as f32 + 0.5).contains(&seconds),
            "{words} words in {seconds} s"
        );
        assert!(said.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0));
        assert!(rms(said) > 0.01);
    }
}

#[test]
fn who_wants_no_more_gets_no_more_and_nothing_is_no_error() {
    let mut voice = voice();
    let mut pieces = 0;
    let wanted = voice.speak(&"wˈɜːd ".repeat(20), 1.0, &mut |_| {
        pieces += 1;
        pieces < 2
    });
    assert!(wanted.is_ok() && pieces == 2);
    assert!(voice.speak("", 1.0, &mut |_| true).is_ok());
    assert!(matches!(voice.speak(&"a".repeat(2_000), 1.0, &mut |_| true), Err(VitsError::TooLong(_))));
}

#[test]
fn twice_the_speed_is_half_the_time() {
    let mut voice = voice();
    let mut lengths = Vec::new();
    for speed in [1.0, 2.0] {
        let mut count = 0;
        let mut take = |piece: &[f32]| {
            count += piece.len();
            true
        };
        voice.speak("ðə fɹˈʌnt lˈɛft wˈɪndoʊ ɪz ˈoʊpən nˈaʊ.", speed, &mut take).expect("speaks");
        lengths.push(count as f32);
    }
    let ratio = lengths[0] / lengths[1];
    assert!((1.3..2.2).contains(&ratio), "{ratio}");
}

#[test]
fn another_network_and_other_settings_are_refused() {
    let settings = |json: &str| Settings::read(json.as_bytes());
    assert!(settings("{}").is_err() && settings("no json").is_err());
    let whole = r#"{"audio": {"sample_rate": 22050}, "inference": {"noise_scale": 0.6, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak", "num_speakers": 1, "phoneme_id_map": {"_": [0], "^": [1], "$": [2]}}"#;
    let read = settings(whole).expect("settings");
    assert_eq!((read.rate, read.noise), (22_050, 0.6));
    let told = settings(&whole.replace("\"espeak\"", "\"text\"")).expect_err("not by espeak").to_string();
    assert!(told.contains("text"), "{told}");
    assert!(settings(&whole.replace("\"num_speakers\": 1", "\"num_speakers\": 9")).is_err());
    assert!(settings(&whole.replace("\"length_scale\": 1", "\"length_scale\": 0")).is_err());
    assert!(matches!(Vits::load(b"no onnx", read.clone()), Err(VitsError::Graph(_))));
    let store = Store::open_default().expect("a store");
    let other = store.load_bytes("silero_vad").expect("troika models pull --set test");
    assert!(matches!(Vits::load(&other, read), Err(VitsError::Graph(_))));
}
