//! Frame to gesture on pixels: the rendered hand through the real palm, hand, pose and motion networks on a virtual clock, as
//! `troika score` does it. Needs the model store (`troika models pull --set test`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use support::{DETECTORS, Scratch, troika};

/// A gesture is told at most so long after its first frame, seconds: half a second of rest and votes for a pose (see the node's
/// README), a whole track window and its votes for a turn, and what finding the hand takes.
const IN_TIME_S: f64 = 1.2;
/// What is told of this scenario: all but its OK, of which the head is unsure (see the node's README). Who mends it adds it.
const TOLD: [&str; 9] = [
    "open_palm",
    "fist",
    "point",
    "thumb_up",
    "thumb_down",
    "swipe_left",
    "swipe_right",
    "rotate_clockwise",
    "rotate_counter_clockwise",
];
/// Told where nothing is shown, at most: a relaxed hand is no open palm, and a hand that draws back for a stroke no swipe.
const UNASKED: usize = 0;

#[test]
fn the_gestures_of_a_rendered_hand_are_told_once_and_in_time_and_never_as_another() {
    let scratch = Scratch::new();
    let file = scratch.path("report.json");
    let run = troika(&["score", "sim/scenarios/hands-short.toml", "--report", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{run}");
    let report = &support::report(&file)[0];

    let all = report["shown"].as_array().unwrap();
    let mut gestures: Vec<_> = all.iter().map(|shown| shown["gesture"].as_str().unwrap()).collect();
    gestures.sort_unstable();
    gestures.dedup();
    assert_eq!(gestures.len(), 10, "the scenario shows every gesture: {gestures:?}");
    for shown in all {
        assert_eq!(shown["others"].as_array().map(Vec::len), Some(0), "{shown}. {run}");
        assert_eq!(shown["again"], 0, "{shown}. {run}");
        if TOLD.contains(&shown["gesture"].as_str().unwrap()) {
            let told_after = shown["told_after_s"].as_f64();
            assert!(told_after.is_some_and(|seconds| seconds <= IN_TIME_S), "{shown}. {run}");
        }
    }
    assert!(report["unasked"].as_array().unwrap().len() == UNASKED, "{run}");
    // Perception itself: the hand is found and followed, and its side is known.
    assert!(report["hand_followed"].as_f64() > Some(0.95), "{run}");
    assert!(report["side_right"].as_f64() > Some(0.95), "{run}");
    assert!(report["hand_imagined"].as_f64() < Some(0.05), "{run}");
}

#[test]
fn a_system_without_a_gesture_node_has_no_hands_to_score() {
    let scratch = Scratch::new();
    let system = scratch.file("detectors.toml", DETECTORS);
    let run = troika(&["score", "sim/scenarios/hands-short.toml", "--system", &system]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["detectors.toml has no gesture to score"]);
}

#[test]
fn a_scenario_that_is_none_is_told_with_its_line() {
    let scratch = Scratch::new();
    let broken = scratch.file("broken.toml", "name = 'x'\nseed = 1\n[[segment]]\nhand = 'third'\n");
    let run = troika(&["score", &broken]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["broken.toml", "line 4"]);
}
