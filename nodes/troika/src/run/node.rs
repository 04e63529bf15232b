//! `troika node`: one node as a ROS 2 node, named, remapped and parametrised by ROS's arguments. A system file of that one node is
//! made of them, and run as `troika run` runs a process of a system.

use std::os::unix::process::CommandExt as _;

use anyhow::Context as _;
use toml::{Table, Value};
use troika_ros_args::{Refused, RosArgs};

use super::{RunArguments, conductor, process, report::ProcessFigures, watchdog};
use crate::{
    kinds,
    system::{System, problem::nearest},
};

/// `troika node`.
#[derive(clap::Args)]
#[command(after_help = ROS_ARGS)]
pub(crate) struct NodeArguments {
    /// Which kind of node: `troika graph --kinds` lists them.
    kind: String,
    /// The zenoh router to join or to open; by default the usual one on this machine.
    #[arg(long, value_name = "tcp/HOST:PORT")]
    router: Option<String>,
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
    let Some(kind) = kinds::find(wanted) else {
        let names = kinds::KINDS.iter().map(|kind| kind.name());
        let way_out = match nearest(wanted, names.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the kinds are {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err(Refused::new(format!("troika node {wanted}"), "there is no such kind", way_out).into());
    };
    let name = ros.node_name(wanted).map_or(wanted.as_str(), |(_, name)| name).to_owned();
    let (source, system) = super::with_ros_args(alone(wanted, &name), &format!("troika node {wanted}"), ros)?;
    if arguments.print {
        print!("{}", source.text);
        return Ok(());
    }
    let folder = tempfile::Builder::new().prefix("troika-node-").tempdir()?;
    let figures = folder.path().join("figures.json");
    let run = RunArguments::of_one_node(super::written(&folder, &source)?, arguments.router.clone());
    if kind.program().is_some() {
        let mut command = conductor::command(&run, &source, &system, &name, &figures)?;
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
        println!(
            "{}: {} steps, {} late, {} missed, {} faults",
            node.node, node.steps, node.late, node.missed, node.faults
        );
    }
    Ok(())
}

/// A system of one node, in a process of its name.
fn alone(kind: &str, process: &str) -> Table {
    let text = |text: &str| Value::String(text.to_owned());
    let table = |entries: Vec<(&str, Value)>| {
        Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    let node = table(vec![("kind", text(kind)), ("process", text(process))]);
    let entries = [("system", table(vec![("name", text(process))])), ("nodes", table(vec![(kind, node)]))];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What a person sees of a node that starts.
pub(super) fn announce(system: &System, router: &str) {
    println!("{}: {router}", system.full_names().join(", "));
}
