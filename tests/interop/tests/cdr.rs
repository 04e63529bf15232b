//! Our CDR and hashes before three independent judges: stock ROS 2's own typesupport, rosbags and ros2-pyterfaces. For every message and
//! with every field at its edges, a judge writes a value, we read it and write it again, and the judge reads what we wrote.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use troika_interop::{
    Peer,
    edges::{self, ROUNDS, interfaces},
    verdict,
};
use troika_msgs::dynamic::{self, TypeEntry};

#[test]
fn stock_ros_2_reads_every_message_that_we_write_and_we_read_its() {
    exchange(Peer::rclpy_judge(), "stock ROS 2");
}

#[test]
fn rosbags_reads_every_message_that_we_write_and_we_read_its() {
    exchange(Peer::judge("rosbags_peer"), "rosbags");
}

#[test]
fn ros2_pyterfaces_reads_every_message_that_we_write_and_we_read_its() {
    exchange(Peer::judge("pyterfaces_peer"), "ros2-pyterfaces");
}

fn exchange(mut peer: Peer, judge: &str) {
    let set = interfaces();
    let files: Vec<&str> = dynamic::names().collect();
    assert_eq!(
        set.iter().map(|file| file.full_name()).collect::<Vec<_>>(),
        files,
        "every .msg file has a type"
    );
    assert!(files.len() >= 28, "every message is seen");
    for file in set.iter() {
        let entry = dynamic::lookup(&file.full_name()).expect("just compared");
        for round in 0..ROUNDS {
            pass(&mut peer, judge, entry, &edges::message(&set, file, round));
        }
    }
    let sum =
        format!("and we write and read all {} messages alike, {} values", files.len(), files.len() * ROUNDS);
    verdict(peer.name(), &sum);
    let elsewhere = ELSEWHERE.iter().filter(|(who, _)| *who == judge).count();
    verdict(peer.name(), &format!("has our hash of {} of {} messages", files.len() - elsewhere, files.len()));
}

/// Hashes that a judge makes otherwise than ROS 2's own generator, whose are in `msgs/tests/golden`: rosbags (0.11.9) takes `char`
/// for another type.
const ELSEWHERE: [(&str, &str); 1] = [("rosbags", "service_msgs/msg/ServiceEventInfo")];

/// One value: from the judge to us, and from us to the judge.
fn pass(peer: &mut Peer, judge: &str, entry: &TypeEntry, value: &edges::Value) {
    let (name, told) = (entry.info().name, value.exact());
    peer.tell(&json!({ "do": "write", "type": name, "value": told }));
    let wrote = peer.wait(&format!("{name} as CDR"), |e| e["event"] == "wrote");
    let right = wrote["hash"] == entry.info().hash;
    assert_eq!(right, !ELSEWHERE.contains(&(judge, name)), "{judge}'s own hash of {name}: {}", wrote["hash"]);
    let theirs = bytes(&wrote["cdr"]);

    let shown = entry.to_json(&theirs).unwrap_or_else(|e| panic!("{name} as {judge} writes it: {e}"));
    same(&format!("{name}: what we read in {judge}'s"), &shown, &value.shown());

    let mut ours = Vec::new();
    entry.recode(&theirs, &mut ours).expect("what is read can be written");
    peer.tell(&json!({ "do": "read", "type": name, "cdr": hex(&ours) }));
    let read = peer.wait(&format!("{name} from our CDR"), |e| e["event"] == "read");
    same(&format!("{name}: what {judge} reads in ours"), &read["value"], &told);
}

/// # Panics
/// When they differ, naming the fields alone that do.
fn same(what: &str, got: &Json, expected: &Json) {
    let mut differences = BTreeMap::new();
    compare("", got, expected, &mut differences);
    assert!(differences.is_empty(), "{what}: {:?}", differences.iter().take(5).collect::<Vec<_>>());
}

fn compare(path: &str, got: &Json, expected: &Json, into: &mut BTreeMap<String, String>) {
    match (got, expected) {
        (Json::Object(a), Json::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().for_each(|(name, a)| compare(&format!("{path}.{name}"), a, &b[name], into));
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(i, (a, b))| compare(&format!("{path}[{i}]"), a, b, into));
        }
        _ => {
            // 0.0 == -0.0 as numbers, so by their text.
            let (got, expected) = (got.to_string(), expected.to_string());
            if got != expected {
                into.insert(path.to_owned(), format!("{got:.200} and not {expected:.200}"));
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn bytes(hex: &Json) -> Vec<u8> {
    let hex = hex.as_str().expect("hexadecimal");
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal")).collect()
}
