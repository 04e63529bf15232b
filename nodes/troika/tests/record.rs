//! Recorded runs done again: a whole scenario on the virtual clock through the real networks, and a system of processes on the wall
//! clock. Needs the model store (`troika models pull --set test`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use serde_json::Value;
use support::{DETECTORS, Router, Run, Scratch, command, troika};

/// What `troika replay` found, and whether it ended well.
fn replayed(arguments: &[&str]) -> (Value, bool) {
    let all = [&["replay", "--json"], arguments].concat();
    let output = command(&all).output().unwrap();
    let json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (json, output.status.success())
}

/// Each node's name and verdict.
fn verdicts(replayed: &Value) -> Vec<(&str, &str)> {
    let all = replayed.as_array().unwrap().iter().flat_map(|file| file["nodes"].as_array().unwrap());
    all.map(|node| (node["node"].as_str().unwrap(), node["verdict"]["verdict"].as_str().unwrap())).collect()
}

#[test]
fn a_scenario_done_again_twice_is_the_same_to_the_byte_and_another_threshold_shows_where_it_is_not() {
    troika_safety::verifies![SR_OBS_002];
    let scratch = Scratch::new();
    let path = scratch.path("run.mcap");
    let file = path.to_str().unwrap();
    let run = troika(&["score", "sim/scenarios/demo-30s.toml", "--seconds", "12", "--record", file]);
    assert_eq!(run.code, Some(0), "{run}");

    for _ in 0..2 {
        let (json, good) = replayed(&[file]);
        let all = ["/camera", "/driver_state", "/driver_monitor"].map(|node| (node, "identical"));
        assert!(good && verdicts(&json) == all, "{json:#}");
        let driver = &json[0]["nodes"][1];
        assert!(driver["steps"].as_u64() >= Some(358), "{json:#}");
        assert!(driver["messages"].as_u64() >= Some(358), "{json:#}");
    }

    // A forward view of another size: what would have come out otherwise?
    let params = "params = { forward_half_deg = [3.0, 2.0], landmarks = true }";
    let text =
        DETECTORS.replace("kind = \"driver_state\"\n", &format!("kind = \"driver_state\"\n{params}\n"));
    assert!(text.contains(params));
    let changed = scratch.file("changed.toml", &text);
    let (json, good) = replayed(&[file, "--node", "driver_state", "--system", &changed]);
    assert!(!good && verdicts(&json).len() == 1, "{json:#}");
    let driver = &json[0]["nodes"][0];
    assert_eq!(driver["verdict"]["verdict"], "different", "{json:#}");
    let first = &driver["first"];
    assert_eq!(first["topic"], "/cabin/driver_state", "{json:#}");
    let fields: Vec<&str> =
        first["fields"].as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"state"), "{json:#}");
    let (differing, messages) = (driver["differing"].as_u64(), driver["messages"].as_u64());
    assert!(differing > Some(0) && differing < messages, "{json:#}");

    let shown = troika(&["replay", file, "--node", "driver_state", "--system", &changed]);
    assert_eq!(shown.code, Some(1), "{shown}");
    shown.says(&[
        "DIFFER",
        "first at",
        "s of the recording",
        "/cabin/driver_state: ",
        " changed",
        "forward_half_deg",
        "as asked for",
        "looking away",
        "recorded",
        "1 of 1 node came out otherwise",
    ]);
    // Another camera renders other pictures: what was left out is not there then.
    let shown = troika(&["replay", file, "--system", &changed]);
    assert_eq!(shown.code, Some(1), "{shown}");
    shown.says(&[
        "/cabin/camera/image_raw was left out",
        "--raw",
        "/camera",
        "NOT COMPARED",
        "1 of 3 nodes came out otherwise",
    ]);
    let shown = troika(&["replay", file, "--node", "nobody"]);
    assert_eq!(shown.code, Some(1), "{shown}");
    shown.says(&["no node 'nobody'"]);
    let shown = troika(&["replay", file, "--node", "driver_stat"]);
    assert_eq!(shown.code, Some(1), "{shown}");
    shown.says(&["no step of a node 'driver_stat' is in it", "did you mean driver_state?"]);
}

#[test]
fn a_run_of_processes_is_recorded_file_by_file_and_done_again_to_the_byte() {
    let scratch = Scratch::new();
    let system = scratch.file("system.toml", DETECTORS);
    let folder = scratch.path("run");
    let router = Router::new();
    // Past the first alert, at 10.4 s: before it the monitor may have said nothing that could be compared.
    let run = Run::of(router.run(&system, 14).arg("--record").arg(&folder));
    assert_eq!(run.code, Some(0), "{run}");
    // Its pictures are in no file: the camera's process renders them again for the one that looked at them.
    let (json, good) = replayed(&[folder.to_str().unwrap(), "--strict"]);
    let mut found = verdicts(&json);
    found.sort_unstable();
    let all = ["/camera", "/driver_monitor", "/driver_state"].map(|node| (node, "identical"));
    assert!(good && found == all, "{json:#}\n{run}");

    // Without the camera's recording nobody renders them, and what was not compared is told last.
    let alone = scratch.path("alone.mcap");
    std::fs::copy(folder.join("cabin.mcap"), &alone).unwrap();
    let alone = alone.to_str().unwrap();
    let shown = troika(&["replay", alone]);
    assert_eq!(shown.code, Some(0), "{shown}");
    shown.says(&["2 nodes: 1 identical; 1 NOT COMPARED", "/driver_state"]);
    for strict in [&["replay", alone, "--strict"][..], &["replay", alone, "--node", "driver_state"]] {
        assert_eq!(troika(strict).code, Some(1), "{strict:?}");
    }

    let again = Run::of(router.run(&system, 5).arg("--record").arg(&folder));
    assert_eq!(again.code, Some(1), "{again}");
    again.says(&["holds something already"]);
}
