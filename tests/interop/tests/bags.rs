//! Recordings before two independent readers, rosbags and mcap-ros2-support, and theirs played into a node of ours.

use std::{env, path::PathBuf, process::Command, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use troika_conformance::until;
use troika_host::{
    Host, HostOptions, NodeOptions,
    simulate::Simulation,
    tape::{Tape, WhenFull},
};
use troika_interop::{DOMAIN, Ours, Peer, free_port, verdict};
use troika_kit::Message as _;
use troika_msgs::{dynamic, troika::VehicleSignals};
use troika_record::{Bag, Store, privacy::Privacy, spool::Spool};
use troika_template::{Config, Template};

const PEERS: [&str; 2] = ["rosbags", "mcap-ros2-support"];

/// A second of a node that says whether the vehicle stands, recorded.
fn recorded(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("run.mcap");
    let (tape, reader) = Tape::new(1 << 20, WhenFull::Wait);
    let stores: Vec<(Privacy, Box<dyn Store>)> =
        vec![(Privacy::LeaveOut, Box::new(Bag::create(&file).expect("made")))];
    let spool = Spool::start(reader, Vec::new(), stores, |told| panic!("{told}")).expect("a thread");
    let mut simulation = Simulation::new().expect("it is there");
    let options = NodeOptions { tape: Some(tape), ..NodeOptions::new("motion") };
    simulation.spawn(Template::new(Config::default()), options).expect("spawned");
    let signals = (0..50_u32).map(|n| {
        let signals = VehicleSignals { speed_kmh: n as f32 / 2.0, gear: 1, ..VehicleSignals::default() };
        (Duration::from_millis(20) * n, signals)
    });
    simulation.feed("/vehicle/signals", signals).expect("fed");
    simulation.run_for(Duration::from_secs(1));
    drop(simulation);
    spool.finish();
    file
}

fn read(peer: &mut Peer, with: &str, file: &str) -> Vec<Value> {
    peer.tell(&json!({ "do": "read", "with": with, "file": file }));
    let mut all = Vec::new();
    loop {
        let event = peer.wait("a message", |event| event["event"] != "ready");
        match event["event"].as_str() {
            Some("message") => all.push(event),
            Some("read") => return all,
            _ => panic!("{with}: {event}"),
        }
    }
}

#[test]
fn two_independent_readers_read_our_recordings_types_values_and_steps() {
    let folder = TempDir::new().expect("a folder");
    let file = recorded(&folder);
    let mut peer = Peer::judge("bags_peer");
    for with in PEERS {
        let all = read(&mut peer, with, file.to_str().expect("text"));
        let of = |topic: &str| all.iter().filter(|event| event["topic"] == topic).collect::<Vec<_>>();
        let signals = of("/vehicle/signals");
        assert_eq!(signals.len(), 50, "{with}");
        for (n, one) in signals.iter().enumerate() {
            assert_eq!(one["type"], VehicleSignals::TYPE.name);
            assert_eq!(one["value"]["speed_kmh"], n as f64 / 2.0, "{with}: {one}");
            assert_eq!(one["value"]["gear"], 1);
        }
        let steps = of("/_recorded/motion");
        assert!(steps.len() >= 10, "{with}: {}", steps.len());
        assert!(steps.iter().all(|step| step["value"]["lost"] == 0 && step["value"]["life"] == 0));
        let held: usize = steps
            .iter()
            .flat_map(|step| step["value"]["inputs"].as_array().expect("inputs"))
            .map(|input| input["samples"].as_array().map_or(0, Vec::len))
            .sum();
        assert!(held >= 9, "{with}: its steps name what they held");
        let reliable = signals[0]["qos"].as_str().expect("a text");
        assert!(
            reliable.contains("RELIABLE")
                || reliable.contains("BEST_EFFORT")
                || reliable.contains("reliability: ")
        );
        verdict(with, &format!("reads our recording: {} messages, steps among them", all.len()));
    }
}

/// `troika` beside this test.
fn troika() -> PathBuf {
    let own = env::current_exe().expect("a path");
    let program = own.ancestors().nth(2).expect("target/debug/deps").join("troika");
    assert!(program.is_file(), "build it first: cargo build --workspace --all-targets");
    program
}

#[test]
fn what_two_independent_writers_recorded_plays_into_a_node_of_ours() {
    let folder = TempDir::new().expect("a folder");
    let mut peer = Peer::judge("bags_peer");
    for (with, name) in PEERS.into_iter().zip(["bag", "file.mcap"]) {
        let path = folder.path().join(name);
        let definition = dynamic::lookup(VehicleSignals::TYPE.name).expect("it is known").definition();
        let speeds: Vec<f64> = (0..100).map(|n| f64::from(n) * 0.25).collect();
        peer.tell(&json!({
            "do": "write", "with": with, "file": path, "definition": definition, "speeds": speeds,
        }));
        let wrote = peer.wait("a file", |event| event["event"] != "ready");
        assert_eq!(wrote["event"], "wrote", "{with}: {wrote}");

        let port = free_port();
        let ours = Ours::open(port);
        let mut host =
            Host::new(HostOptions { mlock: false, ..HostOptions::default() }, Arc::new(ours.transport));
        host.spawn(Template::new(Config::default()), NodeOptions::new("motion")).expect("spawned");
        host.start();
        let played = Command::new(troika())
            .arg("play")
            .arg(&path)
            .args(["--rate", "4", "--transport", "zenoh", "--router", &format!("tcp/127.0.0.1:{port}")])
            .env("ROS_DOMAIN_ID", DOMAIN.to_string())
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&played.stdout) + String::from_utf8_lossy(&played.stderr);
        assert!(played.status.success() && told.contains("100 messages played"), "{with}: {told}");
        until("all of them at the node", || host.stats()[0].received == 100);
        assert_eq!(host.stats()[0].undecodable, 0, "{with}");
        host.stop();
        verdict(with, "writes a file of 100 messages that plays into a node of ours");
    }
}
