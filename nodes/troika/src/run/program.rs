//! A node that is a program of its own beside `troika` (speech, the language model): how it is started.

use std::{path::Path, process::Command};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::RunArguments;
use crate::{
    kind::Kind,
    system::{Source, System, TransportKind},
};

/// The command line: the node's parameters as JSON, with what the system and the command line say of every node.
pub(super) fn command(
    file: &Path,
    kind: &dyn Kind,
    arguments: &RunArguments,
    source: &Source,
    system: &System,
    node: &str,
    nice: i32,
) -> anyhow::Result<Command> {
    let Value::Object(mut settings) = kind.settings(&source.text, node)? else {
        anyhow::bail!("the parameters of '{node}' are no table");
    };
    let carrier = arguments.carrier(system);
    let ours = [
        ("namespace", json!(system.system.namespace.get_ref())),
        ("name", json!(node)),
        ("dds", json!(carrier == TransportKind::Dds)),
        ("ros2", json!(carrier == TransportKind::Ros2)),
        ("nice", json!(nice)),
    ];
    settings.extend(ours.map(|(key, value)| (key.to_owned(), value)));
    if let Some(router) = &arguments.router {
        settings.insert("router".to_owned(), json!(router));
    }
    let mut command = Command::new(file);
    if !arguments.alone {
        command.arg("--with-parent");
    }
    let settings = serde_json::to_string(&settings).context("the parameters have no JSON form")?;
    command.arg("--config").arg(settings);
    if let Some(key) = system.system.demanded_key() {
        command.env(troika_models::KEY, std::path::absolute(key)?);
    }
    Ok(command)
}
