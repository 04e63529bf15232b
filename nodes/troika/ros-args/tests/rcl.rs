//! The same command lines as the real rcl read them (ROS 2 Jazzy): `rcl/answers.jsonl`, written by `rcl/make_answers.py`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{ffi::OsString, fs, path::Path};

use troika_ros_args::{Value, expand, read};

/// The name that the node has in its code.
const NODE: &str = "dm";
const RESOLVED: [&str; 4] = ["image", "~/image", "/cabin/image", "cam/image"];

fn shown(value: &Value) -> String {
    match value {
        Value::Bool(bool) => format!("bool {bool}"),
        Value::Int(int) => format!("int {int}"),
        Value::Double(double) => format!("float {double}"),
        Value::Text(text) => format!("text {text}"),
        Value::List(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join("; ")),
    }
}

fn ours(arguments: &[String], folder: &Path) -> Option<Vec<String>> {
    let words = ["program".to_owned()].into_iter().chain(arguments.iter().cloned()).map(OsString::from);
    let file = |path: &str| fs::read_to_string(folder.join(path)).map_err(|why| why.to_string());
    let ros = read(words, file).ok()?.ros;
    let name = ros.node_name(NODE).map_or(NODE, |(_, name)| name);
    let namespace = ros.namespace(name).map_or("/", |(_, namespace)| namespace);
    let topics = RESOLVED.map(|topic| {
        let full = expand(topic, name, namespace);
        // No port has an empty name.
        ros.topic(name, namespace, "", &full).map_or(full, |(_, to)| to)
    });
    let services = RESOLVED.map(|service| {
        let full = expand(service, name, namespace);
        ros.service(name, namespace, &full).map_or(full, |(_, to)| to)
    });
    let params = ros.params(&format!("{}/{name}", namespace.trim_end_matches('/')));
    let mut params: Vec<String> =
        params.iter().map(|param| format!("{}={}", param.name, shown(&param.value))).collect();
    params.sort();
    Some(
        [namespace.to_owned(), name.to_owned()]
            .into_iter()
            .chain(topics)
            .chain(services)
            .chain(params)
            .collect(),
    )
}

/// Numbers are written differently in Python: compared as numbers.
fn same(ours: &str, theirs: &str) -> bool {
    let number = |text: &str| text.split_once("=float ")?.1.parse::<f64>().ok();
    match (number(ours), number(theirs)) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        _ => ours == theirs,
    }
}

#[test]
fn command_lines_mean_what_they_mean_to_rcl() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rcl");
    let answers = fs::read_to_string(here.join("answers.jsonl")).unwrap();
    let mut seen = (0, 0);
    for line in answers.lines() {
        let (arguments, theirs): (Vec<String>, Option<Vec<String>>) = serde_json::from_str(line).unwrap();
        let ours = ours(&arguments, &here.join("files"));
        let agree = match (&ours, &theirs) {
            (Some(ours), Some(theirs)) => {
                seen.0 += 1;
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
            }
            (None, None) => {
                seen.1 += 1;
                true
            }
            _ => false,
        };
        assert!(agree, "{arguments:?}\nours {ours:?}\nrcl  {theirs:?}");
    }
    assert!(seen.0 > 500 && seen.1 > 80, "{seen:?}");
}
