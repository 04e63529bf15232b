//! Models and what comes beside them.

use troika_models::{
    Passport,
    signature::{PublicKey, Signed},
};
use troika_speech::vits::Settings;

use super::{text, told, told_with_line};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("passport", passport, &["models/*/model.toml"]),
    Target::bytes("tflite", tflite)
        .shipped(&["models/tflite/tests/*.tflite"])
        .longest(32 << 10)
        .cases(6_000)
        .memory(1 << 20, 200),
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
