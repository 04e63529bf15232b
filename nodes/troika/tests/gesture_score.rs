//! Frame to gesture on pixels: the rendered hand through the real palm, hand, pose and motion networks on a virtual clock, as
//! `troika score` does it. Needs the model store (`troika models pull --set test`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use support::{Scratch, troika};

/// A gesture is told at most so long after its first frame, seconds: half a second of rest and votes for a pose (see the node's
/// README), a whole track window and its votes for a turn, the stroke itself for a swipe; and what finding the hand takes.
const IN_TIME_S: f64 = 1.2;

#[test]
fn every_gesture_of_a_rendered_hand_is_told_once_and_in_time_and_nothing_else_is() {
    let scratch = Scratch::new();
    let file = scratch.path("report.json");
    let run = troika(&["score", "sim/scenarios/hands-short.toml", "--report", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{run}");
    let report = &support::report(&file)[0];

    let mut gestures = Vec::new();
    for shown in report["shown"].as_array().unwrap() {
        let told_after = shown["told_after_s"].as_f64();
        assert!(told_after.is_some_and(|seconds| seconds <= IN_TIME_S), "{shown}. {run}");
        assert_eq!(shown["again"], 0, "{shown}");
        assert_eq!(shown["others"].as_array().map(Vec::len), Some(0), "{shown}. {run}");
        gestures.push(shown["gesture"].as_str().unwrap());
    }
    gestures.sort_unstable();
    gestures.dedup();
    assert_eq!(gestures.len(), 10, "the scenario shows every gesture: {gestures:?}");
    assert_eq!(report["unasked"].as_array().map(Vec::len), Some(0), "{run}");
    // Nine in ten: a hand that comes into the picture is found within 0.17 s.
    assert!(report["hand_followed"].as_f64() > Some(0.9), "{run}");
}

#[test]
fn a_system_without_a_gesture_node_has_no_hands_to_score() {
    let run = troika(&["score", "sim/scenarios/hands-short.toml", "--system", "launch/systems/cabin.toml"]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["launch/systems/cabin.toml has no gesture to score"]);
}

#[test]
fn a_scenario_that_is_none_is_told_with_its_line() {
    let scratch = Scratch::new();
    let broken = scratch.file("broken.toml", "name = 'x'\nseed = 1\n[[segment]]\nhand = 'third'\n");
    let run = troika(&["score", &broken]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["broken.toml", "line 4"]);
}
