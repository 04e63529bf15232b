//! `troika node`: one node as a ROS 2 node, named, remapped and parametrised by ROS's arguments. A system file of that one node is
//! made of them, and run as `troika run` runs a process of a system.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use toml::{Table, Value};
use troika_ros_args::{Refused, RosArgs};

use super::{RunArguments, company, process, report::ProcessFigures, watchdog};
use crate::{
    kinds,
    system::{System, TransportKind, problem::nearest},
};

/// `troika node`.
#[derive(clap::Args)]
#[command(after_help = ROS_ARGS)]
pub(crate) struct NodeArguments {
    /// Which kind of node: `troika graph --kinds` lists them. With --system: which node of it.
    #[arg(value_name = "KIND")]
    kind: String,
    /// Take the node of this name from a system file, with the settings of its process.
    #[arg(long, value_name = "FILE")]
    system: Option<PathBuf>,
    /// The zenoh router to join or to open; by default the usual one on this machine.
    #[arg(long, value_name = "tcp/HOST:PORT")]
    router: Option<String>,
    /// What carries the messages; by default what the system file says, or zenoh.
    #[arg(long, value_enum)]
    transport: Option<TransportKind>,
    /// Print the system file that would be run, and end.
    #[arg(long)]
    print: bool,
}

/// Shown below the help of commands that take them.
pub(crate) const ROS_ARGS: &str = "ROS 2's arguments come last: --ros-args -r __node:=NAME -r __ns:=/NS -r FROM:=TO -p NAME:=VALUE \
    --params-file FILE; see launch/ros/README.md";

/// Runs it until it is told to stop.
///
/// # Errors
/// The arguments cannot be used, or the node cannot run.
pub(crate) fn run(arguments: &NodeArguments, ros: &RosArgs) -> anyhow::Result<()> {
    let wanted = &arguments.kind;
    let shown = format!("troika node {wanted}");
    let name = ros.node_name(wanted).map_or(wanted.as_str(), |(_, name)| name).to_owned();
    let alone = match &arguments.system {
        Some(file) => one_of(file, wanted, &name)?,
        None => of_kind(wanted, &name)?,
    };
    let (source, system) = super::with_ros_args(alone, &shown, ros)?;
    if arguments.print {
        print!("{}", source.text);
        return Ok(());
    }
    let folder = tempfile::Builder::new().prefix("troika-node-").tempdir()?;
    let figures = folder.path().join("figures.json");
    let run = RunArguments::of_one_node(
        super::written(&folder, &source)?,
        arguments.router.clone(),
        arguments.transport.or_else(|| super::unless_said(&source)),
    );
    // It is no node that `troika` itself hosts.
    if system.hosted(&name).next().is_none() {
        let mut command = company::command(&run, &source, &system, &name, &figures)?;
        // Nothing runs after the program took this one's place.
        folder.close()?;
        return Err(command.exec())
            .with_context(|| format!("cannot start {}", command.get_program().display()));
    }
    match system.restarts_per_minute(&name) {
        Some(_) => watchdog::run(&run, &name, &figures),
        None => process::run(&run, &name, &figures),
    }?;
    let figures: ProcessFigures = serde_json::from_slice(&std::fs::read(&figures)?)?;
    for node in &figures.nodes {
        tell(&format!(
            "{}: {} steps, {} late, {} missed, {} faults",
            node.node, node.steps, node.late, node.missed, node.faults
        ));
    }
    if figures.watchdog.is_some_and(|watchdog| watchdog.given_up) {
        bail!("{name} failed too often and was left alone; its fall-back was published in its place");
    }
    Ok(())
}

/// A system of one node of this kind, in a process of its name.
fn of_kind(kind: &str, process: &str) -> anyhow::Result<Table> {
    if kinds::find(kind).is_none() {
        let names = kinds::KINDS.iter().map(|kind| kind.name());
        return Err(none_such(kind, "kind", names).into());
    }
    let text = |text: &str| Value::String(text.to_owned());
    let node = table([("kind", text(kind)), ("process", text(process))]);
    Ok(table([
        ("system", table([("name", text(process))]).into()),
        ("nodes", table([(kind, node.into())]).into()),
    ]))
}

/// A system of one node of another system, in a process of its own with the same settings.
fn one_of(file: &Path, node: &str, process: &str) -> anyhow::Result<Table> {
    // What is wrong with its other nodes is no matter here; this one is checked as it will run.
    let (source, system) = crate::system::load(file).map_err(|error| {
        crate::show(&error.1, &error.0);
        anyhow!("{} cannot be used", file.display())
    })?;
    let mut whole: Table = toml::from_str(&source.text)?;
    let of = |whole: &mut Table, table: &str, key: &str| {
        whole.get_mut(table).and_then(Value::as_table_mut).and_then(|table| table.remove(key))
    };
    let (Some(mut only), Some(here)) = (of(&mut whole, "nodes", node), system.nodes.get(node)) else {
        return Err(none_such(node, "node in the system", system.nodes.keys().map(String::as_str)).into());
    };
    let settings = of(&mut whole, "processes", &here.get_ref().process);
    if let Some(only) = only.as_table_mut() {
        only.insert("process".to_owned(), process.into());
    }
    let mut alone = table([("nodes", table([(node, only)]).into())]);
    alone.extend(whole.remove_entry("system"));
    if let Some(Value::Table(mut settings)) = settings {
        // It measures the machine, not the node: once for a whole system.
        settings.remove("floor");
        alone.insert("processes".to_owned(), table([(process, settings.into())]).into());
    }
    Ok(alone)
}

fn none_such<'a>(wanted: &str, what: &str, names: impl Iterator<Item = &'a str> + Clone) -> Refused {
    let way_out = match nearest(wanted, names.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
    };
    Refused::new(format!("troika node {wanted}"), format!("there is no such {what}"), way_out)
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What a person sees of a node that starts.
pub(super) fn announce(system: &System, router: &str) {
    tell(&format!("{}: {router}", system.full_names().join(", ")));
}

/// A reader that is gone is no reason to stop.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
