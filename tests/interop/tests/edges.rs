//! The values that the judges get: each field has all its edges.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use troika_interop::edges::{ROUNDS, Value, interfaces, message};
use troika_msgs_codegen::{Interfaces, parse::parse};

/// By a field's path, all that it was over the rounds; a list's length.
type Seen = BTreeMap<String, BTreeSet<String>>;

fn walk(path: &str, value: &Value, into: &mut Seen) {
    match value {
        Value::Message(fields) => {
            fields.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, into));
        }
        Value::List(items) => {
            into.entry(format!("{path}.len")).or_default().insert(items.len().to_string());
            items.iter().for_each(|item| walk(&format!("{path}[]"), item, into));
        }
        Value::Text(text) => {
            into.entry(path.to_owned()).or_default().insert(text.clone());
        }
        _ => {
            into.entry(path.to_owned()).or_default().insert(value.exact().to_string());
        }
    }
}

fn seen(set: &Interfaces, name: &str) -> Seen {
    let (file, mut seen) = (set.get(name).expect("it is there"), Seen::new());
    for round in 0..ROUNDS {
        walk("", &message(set, file, round), &mut seen);
    }
    seen
}

fn lengths(list: &[usize]) -> BTreeSet<String> {
    list.iter().map(usize::to_string).collect()
}

#[test]
fn every_field_of_our_messages_takes_every_edge_of_its_kind() {
    let set = interfaces();
    let state = seen(&set, "troika_msgs/msg/DriverState");
    assert_eq!(state[".perclos"].len(), ROUNDS);
    assert!(state[".perclos"].contains("\"80000000\"") && state[".perclos"].contains("\"nan\""));
    assert_eq!(state[".face_detected"], ["false".to_owned(), "true".to_owned()].into());
    assert_eq!(state[".header.stamp.sec"].len(), 6);
    assert!(state[".header.stamp.sec"].contains(&i32::MIN.to_string()));
    assert!(state[".gaze_zone"].contains("0") && state[".gaze_zone"].contains("255"));
    assert!(state[".model"].contains("") && state[".model"].iter().any(|text| text.len() > 65_535));
    assert_eq!(state[".landmarks.len"], lengths(&[0, 1, 2, 300]));
    let beat = seen(&set, "troika_msgs/msg/Heartbeat");
    assert!(beat[".steps"].contains("0") && beat[".steps"].contains(&u64::MAX.to_string()));
    assert_eq!(beat[".e2e.len"], lengths(&[0, 1, 2, 300, 65_537]));
    assert_eq!(beat[".latency_counts.len"], lengths(&[12]));
    assert_eq!(seen(&set, "troika_msgs/msg/Ppg")[".samples.len"], lengths(&[0, 1, 511, 512]));
    let status = seen(&set, "diagnostic_msgs/msg/DiagnosticArray");
    assert_eq!(status[".status[].values.len"], lengths(&[0, 1, 2]));
}

#[test]
fn a_bound_is_kept_and_reached() {
    let text = "string<=5 name\nstring<=5[<=3] names\nint8[<=1] at_most_one\n";
    let set = Interfaces::new([parse("some_msgs", "Bounded", text).expect("a message")]).expect("a set");
    let seen = seen(&set, "some_msgs/msg/Bounded");
    for path in [".name", ".names[]"] {
        assert!(seen[path].iter().all(|text| text.len() <= 5), "{:?}", seen[path]);
        // The sixth byte of its first text is half of a character: filled up.
        assert!(seen[path].contains("") && seen[path].contains("gr\u{fc}x"), "{:?}", seen[path]);
    }
    assert_eq!(seen[".names.len"], lengths(&[0, 1, 2, 3]));
    assert_eq!(seen[".at_most_one.len"], lengths(&[0, 1]));
}

#[test]
fn what_json_cannot_say_is_told_by_its_bits_to_peers_and_as_null_by_our_tools() {
    let value = Value::List(vec![
        Value::Single(0x8000_0000),
        Value::Double(0x7ff0_0000_0000_0000),
        Value::Single(0x7fc0_0000),
        Value::Single(0x3dcc_cccd),
    ]);
    assert_eq!(value.exact(), json!(["80000000", "7ff0000000000000", "nan", "3dcccccd"]));
    assert_eq!(value.shown().to_string(), "[-0.0,null,null,0.1]");
}
