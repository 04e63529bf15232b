//! What a passport must say, and where its errors point.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use troika_models::{Passport, Store};

const GOOD: &str = include_str!("../../face_landmark/model.toml");

fn refusal(text: &str) -> String {
    Passport::parse(text, "models/x/model.toml").unwrap_err().to_string()
}

#[test]
fn every_passport_of_this_repository_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let known: BTreeSet<&str> = store.passports().iter().map(|one| one.name.as_str()).collect();
    let folders =
        fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap().map(|one| one.unwrap().path());
    let written: Vec<PathBuf> = folders.filter(|folder| folder.join("model.toml").is_file()).collect();
    let written = written.iter().map(|folder| folder.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(known, written, "a folder that came or went is found when models/infer/build.rs is touched");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let text = GOOD.replace("size =", "sise =");
    let line = text.lines().position(|l| l.starts_with("sise")).unwrap() + 1;
    let why = refusal(&text);
    assert!(why.starts_with(&format!("models/x/model.toml:{line}: ")) && why.contains("sise"), "{why}");
}

#[test]
fn a_model_without_a_licence_is_refused() {
    troika_safety::verifies![SR_DAT_002];
    let why = refusal(&GOOD.replace("licence = \"Apache-2.0\"", "licence = \"\""));
    assert!(why.contains("licence is missing"), "{why}");
    let why = refusal(&GOOD.replace("licence = \"Apache-2.0\"\n", ""));
    assert!(why.contains("licence"), "{why}");
}

#[test]
fn a_digest_that_is_none_is_refused() {
    let why = refusal(&GOOD.replacen("sha256 = \"1055", "sha256 = \"xyz5", 1));
    assert!(why.contains("not a sha256"), "{why}");
}

#[test]
fn a_file_name_that_leaves_the_cache_is_refused() {
    let why = refusal(&GOOD.replace("file = \"face_landmark.tflite\"", "file = \"../face_landmark.tflite\""));
    assert!(why.contains("plain file name"), "{why}");
}

#[test]
fn a_tolerance_that_is_none_and_golden_outputs_elsewhere_are_refused() {
    for none in ["inf", "nan", "0.0", "-1.0"] {
        let text = GOOD.replace("max_abs_error = 0.0005", &format!("max_abs_error = {none}"));
        let line = text.lines().position(|l| l.starts_with("max_abs_error")).unwrap() + 1;
        let why = refusal(&text);
        assert!(why.starts_with(&format!("models/x/model.toml:{line}: `max_abs_error` is")), "{why}");
    }
    let why = refusal(&GOOD.replace("file = \"golden.f32\"", "file = \"../../golden.f32\""));
    assert!(why.contains("plain file name"), "{why}");
}

#[test]
fn an_unknown_model_is_answered_with_those_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let why = Store::open(folder.path()).unwrap().passport("face_landmrk").unwrap_err().to_string();
    assert!(why.contains("face_landmark"), "{why}");
}
