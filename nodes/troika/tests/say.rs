//! What a person at a terminal is told about words and recordings of words. Needs the model store (`troika models pull --set test`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests run programs"
)]

mod support;

use std::process::Output;

use support::{Scratch, command, report, root, troika};
use troika_voice::audio::{self, RATE};

/// Standard output alone, as JSON.
fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

fn said(arguments: &[&str]) -> serde_json::Value {
    let all = [&["say", "--json"], arguments].concat();
    json(&command(&all).output().unwrap())
}

#[test]
fn what_is_asked_back_for_and_what_is_refused_is_said() {
    troika(&["say", "call", "Anna"]).says(&["gate        at 0 km/h: confirm", "says        Shall I call"]);
    let refused = said(&["--speed", "80", "open the trunk"]);
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert!(refused["says"].as_str().unwrap().contains("stands still"), "{refused}");
}

#[test]
fn what_follows_on_words_before_has_its_gate_its_reason_and_its_confidence() {
    let follows = said(&["--after", "turn on my seat heating to two", "and the passenger's too"]);
    assert_eq!(follows["meaning"], "seat.heating seat=passenger level=2", "{follows}");
    assert_eq!((&follows["stage"], &follows["outcome"]), (&"context".into(), &"executed".into()));
    assert!(follows["reason"].as_str().unwrap().contains("follows on"), "{follows}");
    assert!(follows["confidence"].as_f64().unwrap() > 0.9, "{follows}");
    let run = troika(&["say", "--after", "call Anna", "yes"]);
    run.says(&[
        "after       call Anna",
        "understood  phone.call contact=",
        "gate        at 0 km/h: executed",
    ]);
}

#[test]
fn a_yes_with_nothing_asked_is_no_command() {
    let yes = said(&["yes"]);
    assert_eq!((&yes["meaning"], &yes["outcome"]), (&"reject".into(), &serde_json::Value::Null), "{yes}");
    assert_eq!(yes["reason"], "a yes to nothing that was asked");
}

#[test]
fn a_table_that_mixes_recordings_and_words_is_refused_with_the_line() {
    let scratch = Scratch::new();
    let mixed = scratch.file("mixed.tsv", "# two kinds\na.wav\treject\nopen the window\treject\n");
    let run = troika(&["voice", "eval", &mixed]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["mixed.tsv", "line 3", "of one kind"]);
}

#[test]
fn recordings_are_reported_as_words_are() {
    let scratch = Scratch::new();
    let folder = root().join("nodes/voice/fixtures/speech").canonicalize().unwrap();
    let demo = std::fs::read_to_string(folder.join("demo.tsv")).unwrap();
    let meaning = |line: usize| demo.lines().filter(|line| !line.starts_with('#')).nth(line).unwrap();
    let meaning = |line| meaning(line).split('\t').nth(1).unwrap().to_owned();
    let (first, second) = (meaning(0), meaning(1));
    let folder = folder.display();
    let table = scratch
        .file("spoken.tsv", &format!("{folder}/01.flac\t{first}\tone speaker\n{folder}/02.flac\t{second}\n"));
    let file = scratch.path("report.json");
    let output = command(&["voice", "eval", &table, "--json", file.to_str().unwrap()]).output().unwrap();
    let told = json(&output);
    assert_eq!(told, report(&file));
    assert_eq!(told["n"], 2, "{told}");
    for key in ["exact", "intent", "slot_f1", "reject", "gated_breaches", "latency_ms", "stages", "clock"] {
        assert!(!told[key].is_null(), "{key}: {told}");
    }
    assert_eq!(told["conditions"]["one speaker"]["recordings"], 1);
    assert_eq!(told["conditions"]["no condition"]["recordings"], 1);
    let table = String::from_utf8_lossy(&output.stderr);
    assert!(table.contains("no condition:") && table.contains("total:"), "{table}");
}

/// Mono samples of 16 bits as a WAV file.
fn wav(samples: &[f32]) -> Vec<u8> {
    let bytes = u32::try_from(samples.len() * 2).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend([1u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend([RATE, RATE * 2].into_iter().flat_map(u32::to_le_bytes));
    file.extend([2u16, 16].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()));
    file
}

#[test]
fn each_utterance_of_a_recording_is_understood_by_itself_at_the_speed_that_is_said() {
    let scratch = Scratch::new();
    let spoken = |name: &str| audio::read(&root().join("nodes/voice/fixtures/speech").join(name)).unwrap();
    let pause = vec![0.0; RATE as usize * 2];
    // "Tilt the sunroof." "Please open the trunk."
    let both = [spoken("12.flac"), pause, spoken("15.flac")].concat();
    let file = scratch.path("both.wav");
    std::fs::write(&file, wav(&both)).unwrap();
    let run = troika(&["listen", "--wav", file.to_str().unwrap(), "--speed", "80"]);
    assert_eq!(run.code, Some(0), "{run}");
    let lines = |begin: &str| run.text.lines().filter(|line| line.starts_with(begin)).collect::<Vec<_>>();
    assert_eq!(lines("heard").len(), 2, "{run}");
    assert_eq!(
        lines("gate"),
        ["gate        at 80 km/h: executed", "gate        at 80 km/h: refused"],
        "{run}"
    );
    assert_eq!(lines("understood").len(), 2, "{run}");
    assert_eq!(lines("says").len(), 2, "{run}");
}
