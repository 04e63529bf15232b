//! Dependencies between the rooms run one way. Each crate names here all the Troika crates that it may use; a new arrow is
//! a decision, made by editing this table.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// A crate and the Troika crates that it may use outside its tests.
const MAY_USE: &[(&str, &[&str])] = &[
    // Names and nothing else, and it uses nothing: whatever fulfils a requirement may use it to say so (`fulfils!`).
    ("troika-safety", &[]),
    ("troika-e2e", &[]),
    // It knows no system that it judges.
    ("troika-dms-conformance", &[]),
    ("troika-supervisor", &["troika-e2e", "troika-kit", "troika-msgs", "troika-safety"]),
    // Requirements, sources and results of tests, joined.
    ("troika-trace", &["troika-safety"]),
    ("troika-kit", &["troika-safety"]),
    ("troika-msgs-codegen", &[]),
    ("troika-msgs", &["troika-e2e", "troika-kit", "troika-safety"]),
    ("troika-tflite", &[]),
    ("troika-models", &["troika-safety", "troika-tflite"]),
    ("troika-models-pull", &["troika-models"]),
    // Nodes: pure logic. None knows a transport or the host.
    ("troika-template", &["troika-kit", "troika-msgs"]),
    ("troika-monitor", &["troika-kit", "troika-msgs", "troika-safety"]),
    // What camera nodes share: views of a frame.
    ("troika-frame", &["troika-kit"]),
    ("troika-driver-state", &["troika-kit", "troika-frame", "troika-msgs", "troika-models", "troika-safety"]),
    // It maps gestures to functions of the vehicle's catalogue.
    (
        "troika-gesture",
        &["troika-kit", "troika-frame", "troika-msgs", "troika-models", "troika-safety", "troika-vehicle"],
    ),
    ("troika-drowsiness", &["troika-kit", "troika-msgs", "troika-models"]),
    ("troika-vehicle", &["troika-kit", "troika-msgs", "troika-safety"]),
    ("troika-voice", &["troika-kit", "troika-msgs", "troika-models", "troika-safety", "troika-vehicle"]),
    ("troika-speech", &["troika-kit", "troika-msgs", "troika-models", "troika-safety", "troika-voice"]),
    // The dialogue and what waits for a link take plain types; who has messages puts them together.
    ("troika-dialogue", &["troika-kit", "troika-safety"]),
    // The same questions over zenoh: the vehicle's client, and what both sides say.
    ("troika-dialogue-mesh", &["troika-dialogue", "troika-kit"]),
    ("troika-outbox", &["troika-kit", "troika-safety"]),
    // The stand-in for a model in the cloud: its words for kinds of places are the vehicle's.
    ("troika-expert", &["troika-dialogue"]),
    // The cloud's side of it: its breaker and its names for what failed.
    ("troika-gateway", &["troika-dialogue", "troika-dialogue-mesh", "troika-kit", "troika-safety"]),
    ("troika-camera", &["troika-kit", "troika-msgs", "troika-safety"]),
    ("troika-sim", &["troika-kit", "troika-msgs", "troika-models"]),
    // What is outside the nodes in virtual time: perception without pictures, the link, the cloud's stand-in behind it.
    (
        "troika-world",
        &[
            "troika-dialogue",
            "troika-driver-state",
            "troika-expert",
            "troika-kit",
            "troika-link",
            "troika-msgs",
            "troika-router",
            "troika-sim",
        ],
    ),
    // Scenarios that judge: data in, verdicts out.
    ("troika-trial", &["troika-dms-conformance", "troika-kit", "troika-msgs", "troika-sim", "troika-world"]),
    // Gazebo's topics and ours.
    (
        "troika-gazebo",
        &["troika-host", "troika-kit", "troika-msgs", "troika-transport", "troika-transport-open"],
    ),
    // The bridge to the cloud: what the link is like, and who answers.
    ("troika-link", &["troika-kit", "troika-msgs"]),
    // It knows what the vehicle answers from the map.
    ("troika-router", &["troika-dialogue", "troika-kit", "troika-link", "troika-msgs", "troika-safety"]),
    // The dialogue's process: what puts those together.
    (
        "troika-bridge",
        &[
            "troika-dialogue",
            "troika-dialogue-mesh",
            "troika-host",
            "troika-kit",
            "troika-link",
            "troika-msgs",
            "troika-router",
            "troika-safety",
            "troika-transport",
            "troika-transport-open",
        ],
    ),
    // The same inside a zenoh router.
    ("zenoh-plugin-troika", &["troika-bridge", "troika-host", "troika-transport-zenoh"]),
    // The vehicle's own senders, a process of their own: the outbox, and the dialogue's client of the gateway.
    (
        "troika-uplink",
        &[
            "troika-dialogue",
            "troika-host",
            "troika-kit",
            "troika-link",
            "troika-msgs",
            "troika-outbox",
            "troika-safety",
            "troika-transport-open",
        ],
    ),
    // ROS 2's command line: text in, rules and values out.
    ("troika-ros-args", &[]),
    // Transports know the kit and their own API; never a node, never the host.
    ("troika-transport", &["troika-kit"]),
    ("troika-transport-mem", &["troika-kit", "troika-transport"]),
    ("troika-transport-zenoh", &["troika-kit", "troika-transport"]),
    ("troika-transport-dds", &["troika-kit", "troika-transport"]),
    ("troika-transport-ros2", &["troika-kit", "troika-transport"]),
    // For the programs beside `troika`: opens the one that they are told.
    (
        "troika-transport-open",
        &["troika-transport", "troika-transport-dds", "troika-transport-ros2", "troika-transport-zenoh"],
    ),
    // The host knows what a transport is, not which there are.
    ("troika-arena", &[]),
    (
        "troika-host",
        &[
            "troika-arena",
            "troika-kit",
            "troika-msgs",
            "troika-safety",
            "troika-transport",
            "troika-transport-mem",
        ],
    ),
    // Recordings: what the host says of its nodes, as files; of a type that a file has and we do not, the hash is made from its text.
    ("troika-record", &["troika-host", "troika-kit", "troika-msgs", "troika-msgs-codegen", "troika-safety"]),
    // A running system to look at: a peer on whatever transport it is handed; the reasons of router and dialogue in words.
    (
        "troika-view",
        &[
            "troika-dialogue",
            "troika-frame",
            "troika-host",
            "troika-kit",
            "troika-msgs",
            "troika-router",
            "troika-safety",
            "troika-transport",
        ],
    ),
];

/// Crates at the top, which tie the rest together and which nothing may use.
const TOP: &[&str] = &[
    "troika",
    "troika-asr",
    "troika-slm",
    "xtask",
    "troika-architecture",
    "troika-browser",
    "troika-conformance",
    "troika-faults",
    "troika-fuzz",
    "troika-interop",
    "troika-realtime",
    "troika-reactions",
];

/// A crate of its own beside the workspace: it builds only where ROS 2 is.
const APART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nodes/transport/ros2/Cargo.toml");

#[test]
fn dependencies_run_one_way() {
    let mut metadata =
        MetadataCommand::new().no_deps().exec().expect("cargo metadata works in the workspace");
    let apart = MetadataCommand::new().manifest_path(APART).no_deps().exec().expect("and beside it");
    metadata.packages.extend(apart.packages);
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert!(ours.len() >= 15, "only {} crates seen", ours.len());

    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        if !allowed.contains_key(name) && !TOP.contains(&name) {
            wrong.push(format!("{name} is in no room: give it a line in MAY_USE or TOP"));
        }
        for dependency in package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal) {
            let used = dependency.name.as_str();
            if !ours.contains(used) {
                continue;
            }
            let fine = match allowed.get(name) {
                Some(uses) => uses.contains(used),
                None => {
                    !TOP.contains(&used)
                        || [
                            ("troika-interop", "troika-conformance"),
                            // Its system that runs, and the peer that hears it.
                            ("troika-faults", "troika-reactions"),
                        ]
                        .contains(&(name, used))
                }
            };
            if !fine {
                wrong.push(format!("{name} must not use {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_have_no_transport_thread_or_network_library() {
    let impure =
        ["zenoh", "tokio", "ureq", "cpal", "v4l", "libc", "rustix", "crossbeam-channel", "signal-hook"];
    let pure = [
        "troika-safety",
        "troika-e2e",
        "troika-kit",
        "troika-msgs",
        "troika-monitor",
        "troika-ros-args",
        "troika-tflite",
        "troika-template",
    ];
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata works in the workspace");
    let seen: Vec<_> =
        metadata.packages.iter().filter(|package| pure.contains(&package.name.as_str())).collect();
    assert_eq!(seen.len(), pure.len(), "every pure room is a crate");
    for package in seen {
        for dependency in package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal) {
            assert!(!impure.contains(&dependency.name.as_str()), "{} uses {}", package.name, dependency.name);
        }
    }
}
