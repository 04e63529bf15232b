//! What a recording says of itself and of its nodes, in its metadata.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use troika_host::tape::{NodeOnTape, PortOnTape};

/// Metadata of the whole recording, at its begin.
pub const RECORDING: &str = "troika.recording";
/// Metadata of a node that was made.
pub const NODE: &str = "troika.node";
/// Metadata of the models that the process uses: name and sha256.
pub const MODELS: &str = "troika.models";
/// Metadata of a model that was put in another's place while it was recorded.
pub const MODEL_CHANGE: &str = "troika.model_change";
/// The attachment with the system file, as it was run.
pub const SYSTEM: &str = "system.toml";

/// The keys of [`RECORDING`].
const INSTRUCTION_SET: &str = "instruction_set";
const PROCESS: &str = "process";
const RAW: &str = "raw";
const FILE: &str = "file:";
const BEGINS: &str = "begins";

/// What there is to know of a whole recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AboutRecording {
    /// The process of the system.
    pub process: String,
    /// The instruction-set path that it ran on: [`crate::machine::instruction_set`].
    pub instruction_set: String,
    /// Raw images and audio are in it.
    pub raw: bool,
    /// It begins in the middle: a black box's.
    pub in_the_middle: bool,
    /// The files that its nodes' parameters name, with their sha256.
    pub files: BTreeMap<String, String>,
}

impl AboutRecording {
    /// As metadata.
    pub fn fields(&self) -> BTreeMap<String, String> {
        let own = [
            (PROCESS, self.process.clone()),
            (INSTRUCTION_SET, self.instruction_set.clone()),
            (RAW, self.raw.to_string()),
            (BEGINS, if self.in_the_middle { "in the middle" } else { "at the start" }.to_owned()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        let prefixed = |prefix: &'static str, all: &BTreeMap<String, String>| {
            all.iter()
                .map(move |(name, sha256)| (format!("{prefix}{name}"), sha256.clone()))
                .collect::<Vec<_>>()
        };
        own.chain(prefixed(FILE, &self.files)).collect()
    }

    /// From metadata.
    pub fn of(fields: &BTreeMap<String, String>) -> AboutRecording {
        let text = |key: &str| fields.get(key).cloned().unwrap_or_default();
        let prefixed = |prefix: &str| {
            let all = fields.iter();
            all.filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
                .collect()
        };
        AboutRecording {
            process: text(PROCESS),
            instruction_set: text(INSTRUCTION_SET),
            raw: text(RAW) == "true",
            in_the_middle: text(BEGINS) == "in the middle",
            files: prefixed(FILE),
        }
    }
}

/// What there is to know of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AboutNode {
    /// `/ns/name`.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How often it was made before.
    pub life: u32,
    /// Faults were made in it on purpose.
    pub injected: bool,
    /// In the order of declaration.
    pub inputs: Vec<AboutPort>,
    /// In the order of declaration.
    pub outputs: Vec<AboutPort>,
}

/// A port of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutPort {
    /// Its name in the node.
    pub name: String,
    /// Its topic.
    pub topic: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
}

impl AboutNode {
    /// Of a node on a tape.
    pub fn of(node: &NodeOnTape, life: u32) -> AboutNode {
        let ports = |ports: &[PortOnTape]| {
            let one = |port: &PortOnTape| AboutPort {
                name: port.name.to_owned(),
                topic: port.topic.clone(),
                type_name: port.ty.name.to_owned(),
            };
            ports.iter().map(one).collect()
        };
        AboutNode {
            name: node.name.clone(),
            kind: node.kind.to_owned(),
            life,
            injected: node.injected,
            inputs: ports(&node.inputs),
            outputs: ports(&node.outputs),
        }
    }

    /// As metadata.
    pub fn fields(&self) -> BTreeMap<String, String> {
        let ports = |ports: &[AboutPort]| serde_json::to_string(ports).unwrap_or_default();
        let fields = [
            ("name", self.name.clone()),
            ("kind", self.kind.clone()),
            ("life", self.life.to_string()),
            ("injected", self.injected.to_string()),
            ("inputs", ports(&self.inputs)),
            ("outputs", ports(&self.outputs)),
        ];
        fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// From metadata; none where it does not say enough.
    pub fn read(fields: &BTreeMap<String, String>) -> Option<AboutNode> {
        let ports = |key: &str| serde_json::from_str(fields.get(key)?).ok();
        Some(AboutNode {
            name: fields.get("name")?.clone(),
            kind: fields.get("kind")?.clone(),
            life: fields.get("life")?.parse().ok()?,
            injected: fields.get("injected")? == "true",
            inputs: ports("inputs")?,
            outputs: ports("outputs")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_back() {
        let port = AboutPort { name: "image".into(), topic: "/a".into(), type_name: "p/msg/T".into() };
        let node = AboutNode {
            name: "/car/eye".into(),
            kind: "eye".into(),
            life: 2,
            injected: true,
            inputs: vec![port],
            outputs: Vec::new(),
        };
        assert_eq!(AboutNode::read(&node.fields()), Some(node));
        let recording = AboutRecording {
            process: "cabin".into(),
            instruction_set: "x86_64 fma".into(),
            raw: true,
            in_the_middle: false,
            files: BTreeMap::from([("a/b.toml".into(), "cd".into())]),
        };
        assert_eq!(AboutRecording::of(&recording.fields()), recording);
    }
}
