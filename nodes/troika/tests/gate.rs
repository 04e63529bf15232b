//! A candidate for a network's place: one that people would notice is refused with what they would notice, and so is one that is no faster.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{fs, path::Path};

use support::{Run, Scratch, models, root, troika};
use troika_models::{Network, Sha256, golden};

/// The network in question: the eyes' openness is what sleep is told by.
const MODEL: &str = "eye_state";
/// Hana's eyes close once: a microsleep.
const NAP: &str = r#"
name = "Hana nods off"
seed = 3

[[segment]]
face = "ada"
light = "day"
speed_kmh = 60.0
acts = [
    { act = "attentive", s = 2.6 },
    { act = "eyes_closed", s = 2.4 },
    { act = "attentive", s = 0.5, control = true },
]
"#;

/// A folder with the model as `change` leaves its weights, that computes what its own golden outputs say.
fn candidate(scratch: &Scratch, name: &str, change: impl Fn(&mut [f32])) -> String {
    let store = models();
    let passport = store.passport(MODEL).unwrap();
    let folder = scratch.path(name);
    fs::create_dir_all(&folder).unwrap();
    let mut bytes = store.load_bytes(MODEL).unwrap();
    let middle = weights(&bytes);
    let (words, _) = bytes[middle.clone()].as_chunks::<4>();
    let mut values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    change(&mut values);
    bytes[middle].copy_from_slice(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());

    let mut network = Network::load(passport, &bytes).unwrap();
    let mut outputs = Vec::new();
    for case in 1..=golden::CASES {
        let inputs = golden::inputs(&passport.inputs, case);
        let made = network.run(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        for (index, spec) in passport.outputs.iter().enumerate() {
            let kept = made.get(index).iter().step_by(golden::stride(spec.len()));
            outputs.extend(kept.flat_map(|value| value.to_le_bytes()));
        }
    }
    let text = fs::read_to_string(root().join("models").join(MODEL).join("model.toml")).unwrap();
    let text = text.replace(&passport.sha256.to_string(), &Sha256::of(&bytes).to_string());
    fs::write(folder.join("model.toml"), text).unwrap();
    fs::write(folder.join(&passport.golden.as_ref().unwrap().file), outputs).unwrap();
    fs::write(folder.join(&passport.file), bytes).unwrap();
    folder.display().to_string()
}

/// Weights of the layer behind the convolutions, which are 98 of the file's 138 kB. The bytes are numbers of a moderate size at one of four
/// offsets alone.
fn weights(bytes: &[u8]) -> std::ops::Range<usize> {
    const LENGTH: usize = 60_000;
    const PAGE: usize = 4096;
    let is_weight = |word: &&[u8; 4]| (1e-12..10.0).contains(&f32::from_le_bytes(**word).abs());
    let are_weights = |at: &usize| {
        let (words, _) = bytes[*at..*at + LENGTH].as_chunks::<4>();
        // A few have decayed to next to nothing; of bytes that are no numbers a fifth look like one.
        words.iter().filter(is_weight).count() * 50 > words.len() * 49
    };
    let mut starts = (0..bytes.len() - LENGTH).step_by(PAGE).flat_map(|page| page..page + 4);
    let at = starts.find(|at| at + LENGTH <= bytes.len() && are_weights(at));
    let at = at.expect("most of the file are weights");
    // What stands before and behind them in the file may be in the fiftieth.
    at + PAGE..at + LENGTH - PAGE
}

fn gate(folder: &str, scenario: &Path) -> Run {
    troika(&["models", "gate", folder, "--scenario", scenario.to_str().unwrap()])
}

#[test]
fn a_candidate_that_people_would_notice_or_that_is_no_faster_is_refused() {
    troika_safety::verifies![SR_DAT_004];
    let scratch = Scratch::new();
    let nap = scratch.path("nap.toml");
    fs::write(&nap, NAP).unwrap();

    // Noise in its weights, of their own size.
    let noisy = candidate(&scratch, "noisy", |weights| {
        let mut state = 1u32;
        for weight in weights {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *weight *= (state >> 8) as f32 / 4_194_304.0 - 2.0;
        }
    });
    let report = scratch.path("gate.json");
    let run = troika(&[
        "models",
        "gate",
        &noisy,
        "--scenario",
        nap.to_str().unwrap(),
        "--json",
        report.to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["error: refused: ", " above", "nap.toml: used: ", "alert raised: microsleep", "candidate: "]);
    let report = support::report(&report);
    assert_eq!(report["verdict"], "refused", "{report}");
    let scene = &report["behaviour"]["scenes"][0];
    assert!(scene["frames"].as_u64() > Some(150) && scene["other_states"].as_u64() > Some(30), "{report}");
    let used = scene["first_difference"]["used"]["what"].as_str().unwrap();
    assert!(used.starts_with("alert raised: microsleep"), "{report}");
    assert!(report["behaviour"]["outputs"][MODEL]["max_abs_difference"].as_f64() > Some(0.1), "{report}");

    let same = candidate(&scratch, "same", |_| {});
    let run = gate(&same, &nap);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&[
        "| nap.toml |",
        "| none |",
        "\nrefused\n- not faster: it takes",
        "error: refused: 1 reason above",
    ]);
}

#[test]
fn what_cannot_be_judged_is_told_from_what_is_refused() {
    let scratch = Scratch::new();
    let nap = scratch.path("nap.toml");
    fs::write(&nap, NAP).unwrap();
    let sound = candidate(&scratch, "sound", |_| {});
    let change = |name: &str, from: &str, to: &str| {
        let folder = candidate(&scratch, name, |_| {});
        let file = Path::new(&folder).join("model.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).unwrap();
        folder
    };
    let drowsy = root().join("models/blink_drowsiness").display().to_string();
    let heard = root().join("models/hey_troika").display().to_string();
    let hands = root().join("sim/scenarios/hands-short.toml");
    let swapped = root().join("sim/scenarios/cases/pixels-model-swapped.toml");
    for (folder, scenario, told) in [
        ("no/such/folder".to_owned(), nap.clone(), "no/such/folder/model.toml"),
        (change("shape", "[1, 1, 32, 48]", "[1, 1, 48, 32]"), nap.clone(), "its inputs differ"),
        (change("lenient", "0.00001", "100.0"), nap.clone(), "its golden outputs may differ by 1e2"),
        (
            change("renamed", "name = \"eye_state\"", "name = \"eyes\""),
            nap.clone(),
            "no scenario shows what eyes does",
        ),
        (heard, nap.clone(), "no scenario shows what hey_troika does"),
        (sound.clone(), hands, "nothing in it stands on what is compared"),
        (
            sound.clone(),
            swapped,
            "pixels-model-swapped.toml: it puts another network in the place of one that runs",
        ),
        (sound, scratch.path("none.toml"), "none.toml: cannot read it"),
        (drowsy, scratch.path("none.toml"), "none.toml: cannot read it"),
    ] {
        let run = gate(&folder, &scenario);
        assert_eq!(run.code, Some(2), "{folder}: {run}");
        run.says(&["error: cannot be judged: ", told]);
    }
}
