//! Models and what comes beside them.

use std::sync::LazyLock;

use troika_models::{
    Network, Passport,
    signature::{PublicKey, Signed},
};
use troika_speech::vits::Settings;
use troika_voice::whisper_ggml::convert_bytes;

use super::{text, told, told_with_line};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("passport", passport, &["models/*/model.toml"]),
    Target::bytes("tflite", tflite)
        .shipped(&["models/tflite/tests/*.tflite"])
        .longest(32 << 10)
        .cases(6_000)
        .memory(1 << 20, 200),
    Target::bytes("onnx", onnx)
        .shipped(&["models/blink_drowsiness/*.onnx", "models/gesture_static/*.onnx"])
        .longest(32 << 10)
        .cases(1_500)
        .memory(16 << 20, 400)
        .catches(),
    Target::bytes("whisper_ct2", ct2).longest(8 << 10).cases(10_000).memory(1 << 20, 200),
    Target::bytes("signature", signature),
    Target::text("piper_settings", piper, &[]),
];

/// What is taken names plain files, and says where they come from and under which licence.
fn passport(bytes: &[u8]) -> bool {
    match Passport::parse(&text(bytes), "model.toml") {
        Ok(passport) => {
            for name in [&passport.name, &passport.file] {
                assert!(
                    !name.contains(['/', '\\', '\0']) && name != ".." && !name.is_empty(),
                    "{name:?} leaves its folder"
                );
            }
            assert!(!passport.sources.is_empty() && !passport.licence.trim().is_empty());
            true
        }
        Err(error) => {
            told_with_line(&error, error.line, bytes);
            false
        }
    }
}

/// A network or an error; what is taken has its inputs' and outputs' shapes.
fn tflite(bytes: &[u8]) -> bool {
    match troika_tflite::read(bytes) {
        Ok(model) => {
            for place in 0..model.inputs.len() {
                model.input_fact(place).expect("an input has a shape");
            }
            for place in 0..model.outputs.len() {
                model.output_fact(place).expect("an output has a shape");
            }
            true
        }
        Err(error) => {
            told(&error, bytes);
            false
        }
    }
}

/// The networks of these passports or an error; what is taken runs, and gives as many numbers as the passport says.
fn onnx(bytes: &[u8]) -> bool {
    static PASSPORTS: LazyLock<[Passport; 2]> = LazyLock::new(|| {
        [
            include_str!("../../../../models/blink_drowsiness/model.toml"),
            include_str!("../../../../models/gesture_static/model.toml"),
        ]
        .map(|text| Passport::parse(text, "model.toml").expect("a passport"))
    });
    PASSPORTS.iter().fold(false, |before, passport| {
        let mut network = match Network::load(passport, bytes) {
            Ok(network) => network,
            Err(error) => {
                // What tract says of a node has the node in it.
                assert!(!error.to_string().trim().is_empty(), "an error without words");
                return before;
            }
        };
        let inputs: Vec<Vec<f32>> = passport.inputs.iter().map(|input| vec![0.5; input.len()]).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        if let Ok(outputs) = network.run(&inputs) {
            let lengths = (0..outputs.len()).map(|place| outputs.get(place).len());
            assert!(lengths.eq(passport.outputs.iter().map(|output| output.len())));
        }
        true
    })
}

/// Up to the first line that is `---`: a vocabulary; behind it the weights.
fn ct2(bytes: &[u8]) -> bool {
    const CUT: &[u8] = b"\n---\n";
    let at = bytes.windows(CUT.len()).position(|part| part == CUT).unwrap_or(bytes.len());
    let (vocabulary, weights) = (&bytes[..at], bytes.get(at + CUT.len()..).unwrap_or_default());
    match convert_bytes(weights, &text(vocabulary)) {
        Ok(ggml) => {
            assert_eq!(&ggml[..4], b"lmgg");
            true
        }
        Err(error) => {
            told(&error, bytes);
            false
        }
    }
}

/// The first line a key, the rest the text of a signature: none fits that was not made for these files.
fn signature(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let (key, signature) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(key) = key.parse::<PublicKey>() else { return false };
    let files = Signed { passport: b"a", model: b"b", golden: b"" };
    let fits = key.verify(&files, signature).is_ok();
    let others = Signed { passport: b"b", model: b"a", golden: b"" };
    assert!(!(fits && key.verify(&others, signature).is_ok()), "one signature for two sets of files");
    fits
}

fn piper(bytes: &[u8]) -> bool {
    Settings::read(bytes).map_err(|error| told(&error, bytes)).is_ok()
}
