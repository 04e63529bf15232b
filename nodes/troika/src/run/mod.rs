//! What belongs here: `troika run`. One process conducts ([`conductor`]): it starts one process for each that the system
//! file names, watches the topics like any other subscriber, shows them, and makes the report. Each started process hosts
//! its nodes ([`process`]). `troika score` runs the same nodes in one process on a virtual clock ([`virtual_time`]).
#![deny(clippy::print_stderr, reason = "it panics when nobody reads: `tell!`, or a watchdog's `Teller`")]

mod company;
mod conductor;
mod dashboard;
mod floors;
mod gesture_score;
pub(crate) mod keeper;
pub(crate) mod node;
mod pictures;
mod process;
mod program;
pub(crate) mod recording;
mod report;
mod score;
mod view;
mod virtual_hands;
pub(crate) mod virtual_time;
mod voice;
mod ward;
mod watchdog;
mod witness;

pub(crate) use voice::expected_of;

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use troika_host::{LevelPlan, sched::MEND_MEMLOCK};
use troika_kit::Class;
use troika_ros_args::RosArgs;
use troika_transport::Transport;
#[cfg(feature = "dds")]
use troika_transport_dds::{DdsOptions, DdsTransport};
use troika_transport_mem::MemTransport;
#[cfg(feature = "ros2")]
use troika_transport_ros2::{Ros2Options, Ros2Transport};
use troika_transport_zenoh::{RouterGuard, ZenohOptions, ZenohTransport, may_share_memory};

use crate::{
    Severity,
    kind::Kind,
    system::{self, Node, Source, System, TransportKind, check},
};

/// How long the transport may take to close once the figures are written.
const CLOSING: Duration = Duration::from_secs(2);

/// `troika run`.
#[derive(clap::Args)]
#[command(after_help = node::ROS_ARGS)]
pub(crate) struct RunArguments {
    /// The system file.
    system: PathBuf,
    /// Stop after this many seconds; by default at Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// No terminal view; the table at the end is printed all the same.
    #[arg(long)]
    headless: bool,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Record what its nodes see and do, a file for each process, into this folder: `troika replay` does their steps again.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Record raw images and audio of the cabin too.
    #[arg(long, requires = "record")]
    raw: bool,
    /// Another transport than the system file's.
    #[arg(long, value_enum)]
    transport: Option<TransportKind>,
    /// The zenoh router to join or to open; by default the usual one on this machine.
    #[arg(long, value_name = "tcp/HOST:PORT")]
    router: Option<String>,
    /// Run one process of the system, for the conductor.
    #[arg(long, hide = true, requires = "figures")]
    process: Option<String>,
    /// Where that process writes its figures.
    #[arg(long, hide = true)]
    figures: Option<PathBuf>,
    /// Watch that process instead of running it.
    #[arg(long, hide = true, requires = "process")]
    watchdog: bool,
    /// Where its nodes write their signs of life.
    #[arg(long, hide = true, requires = "process")]
    vitals: Option<PathBuf>,
    /// It ran before: the rest of the system is not waited for.
    #[arg(long, hide = true, requires = "process")]
    again: bool,
    /// It is nobody's process: it has its own router, and does not end with who started it.
    #[arg(skip)]
    alone: bool,
}

/// Runs it.
///
/// # Errors
/// The system cannot be used, a process of it failed, or the report cannot be written.
pub(crate) fn run(mut arguments: RunArguments, ros: &RosArgs) -> anyhow::Result<()> {
    if let (Some(process), Some(figures)) = (&arguments.process, &arguments.figures) {
        return match arguments.watchdog {
            true => watchdog::run(&arguments, process, figures),
            false => process::run(&arguments, process, figures),
        };
    }
    let (mut source, mut system) = crate::load_checked(&arguments.system)?;
    // Its processes read it while they start, and a watchdog's again at any time.
    let mut _lives_as_long = None;
    if *ros != RosArgs::default() {
        let table = toml::from_str(&source.text)?;
        (source, system) = with_ros_args(table, &format!("{} with --ros-args", source.path), ros)?;
        let folder = tempfile::Builder::new().prefix("troika-system-").tempdir()?;
        arguments.system = written(&folder, &source)?;
        _lives_as_long = Some(folder);
    }
    arguments.transport = arguments.transport.or_else(|| unless_said(&source));
    if let Some(transport) = arguments.transport {
        system.system.transport = transport;
        for problem in check::check(&source.text, &system, crate::kinds::KINDS, crate::cores()) {
            if problem.severity == Severity::Error {
                bail!("over {transport:?}: {problem}");
            }
        }
    }
    if system.system.production
        && (system.system.transport != TransportKind::Zenoh || std::env::var_os(SOCKETS).is_none())
    {
        bail!(
            "`production`: who may speak to the system is not limited; that is done over zenoh with {SOCKETS} naming a folder which its processes' \
             user alone may enter (launch/deploy/README.md)"
        );
    }
    conductor::conduct(&arguments, &source, &system)
}

/// Names the folder of the sockets that the processes of a system speak over.
const SOCKETS: &str = "TROIKA_ZENOH_SOCKETS";

/// The environment's transport, where the system file says nothing.
fn unless_said(source: &Source) -> Option<TransportKind> {
    match system::place::of_value(&source.text, &["system", "transport"]) {
        Some(_) => None,
        None => crate::transport::of_environment(),
    }
}

/// A sound system's table with ROS's arguments in it, checked; what they do not change is told.
///
/// # Errors
/// An argument that cannot be followed, or that makes the system unsound.
fn with_ros_args(table: toml::Table, shown: &str, ros: &RosArgs) -> anyhow::Result<(Source, System)> {
    let overlaid = system::ros::overlay(table, ros, crate::kinds::KINDS)?;
    for notice in &overlaid.notices {
        tell!("notice: {notice}");
    }
    let source = Source { path: shown.to_owned(), text: overlaid.text.clone() };
    let (system, problems) = match system::parse(&source.text) {
        Ok(system) => {
            let problems = check::check(&source.text, &system, crate::kinds::KINDS, crate::cores());
            (Some(system), problems)
        }
        Err(problem) => (None, vec![problem]),
    };
    let mut errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error).peekable();
    match system {
        Some(system) if errors.peek().is_none() => Ok((source, system)),
        _ => {
            errors.for_each(|problem| crate::show(&overlaid.explain(problem), &source));
            bail!("{shown} cannot run")
        }
    }
}

/// The system as a file in a folder that lives as long as it is read.
fn written(folder: &tempfile::TempDir, source: &Source) -> anyhow::Result<PathBuf> {
    let path = folder.path().join("system.toml");
    std::fs::write(&path, &source.text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

impl RunArguments {
    /// Of a process that is alone, with a system of its own.
    fn of_one_node(
        system: PathBuf,
        router: Option<String>,
        transport: Option<TransportKind>,
    ) -> RunArguments {
        RunArguments {
            system,
            seconds: None,
            headless: true,
            report: None,
            record: None,
            raw: false,
            transport,
            router,
            process: None,
            figures: None,
            watchdog: false,
            vitals: None,
            again: false,
            alone: true,
        }
    }

    /// The router of a process that is alone: joined, or its own. Of others it is the conductor's.
    fn own_router(&self, system: &System) -> anyhow::Result<Option<RouterGuard>> {
        if !self.alone {
            return Ok(None);
        }
        let direct = match self.carrier(system) {
            TransportKind::Zenoh => None,
            TransportKind::Mem => Some("alone"),
            TransportKind::Dds => Some("on DDS"),
            TransportKind::Ros2 => Some("in ROS 2"),
        };
        if let Some(place) = direct {
            node::announce(system, place);
            return Ok(None);
        }
        let options = self.zenoh_options(system)?;
        let router = RouterGuard::ensure_for(&options)?;
        node::announce(system, &format!("{} {}", router.describe(), options.router));
        Ok(Some(router))
    }

    /// When the conductor is killed outright, its processes must not go on alone.
    fn end_with_parent(&self) -> anyhow::Result<()> {
        troika_safety::fulfils![SR_TIM_015];
        if !self.alone {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
        }
        Ok(())
    }

    /// As the environment and the command line say; what Hard nodes send goes before the rest.
    fn zenoh_options(&self, system: &System) -> anyhow::Result<ZenohOptions> {
        let mut options = ZenohOptions::from_env()?;
        if let Some(router) = &self.router {
            options.router.clone_from(router);
        }
        options.shared_memory |= system.system.shared_memory;
        if options.shared_memory && !may_share_memory() {
            tell!(
                "notice: no shared memory: it is locked, and this process may not lock enough; frames go over the network; {MEND_MEMLOCK}"
            );
        }
        for node in system.nodes.values().map(serde_spanned::Spanned::get_ref) {
            let Some(kind) = crate::kinds::find(node.kind.get_ref()) else { continue };
            if kind.contract().is_some_and(|contract| contract.spec().class == Class::Hard) {
                let topics = kind.outputs().iter().map(|spec| check::topic_of(node, spec).to_owned());
                options.high_priority.extend(topics);
            }
        }
        Ok(options)
    }

    /// What carries the messages.
    fn carrier(&self, system: &System) -> TransportKind {
        self.transport.unwrap_or(system.system.transport)
    }

    /// Opens the system's transport.
    fn open(&self, system: &System) -> anyhow::Result<Arc<dyn Transport>> {
        Ok(match self.carrier(system) {
            TransportKind::Mem => Arc::new(MemTransport::new()),
            TransportKind::Zenoh => Arc::new(ZenohTransport::open(self.zenoh_options(system)?)?),
            #[cfg(feature = "dds")]
            TransportKind::Dds => Arc::new(DdsTransport::open(DdsOptions::from_env()?)?),
            #[cfg(not(feature = "dds"))]
            TransportKind::Dds => bail!("{}: {}", crate::transport::NO_DDS, crate::transport::MEND_NO_DDS),
            #[cfg(feature = "ros2")]
            TransportKind::Ros2 => Arc::new(Ros2Transport::open(Ros2Options::default())?),
            #[cfg(not(feature = "ros2"))]
            TransportKind::Ros2 => bail!("{}: {}", crate::transport::NO_ROS2, crate::transport::MEND_NO_ROS2),
        })
    }

    /// Tells a started process where the others are.
    fn hand_on(&self, command: &mut Command) {
        if let Some(router) = &self.router {
            command.arg("--router").arg(router);
        }
        if let Some(transport) = self.transport.and_then(|transport| transport.to_possible_value()) {
            command.arg("--transport").arg(transport.get_name());
        }
        if let Some(folder) = &self.record {
            command.arg("--record").arg(folder);
        }
        if self.raw {
            command.arg("--raw");
        }
    }
}

/// How a node runs, as the system file says.
fn node_options(
    system: &System,
    name: &str,
    node: &Node,
    kind: &dyn Kind,
) -> anyhow::Result<troika_host::NodeOptions> {
    let mut options = troika_host::NodeOptions::new(name);
    options.namespace.clone_from(system.system.namespace.get_ref());
    options.cores = node.cores.as_ref().map(|cores| cores.get_ref().clone());
    options.arena = node.arena_mib.as_ref().map_or(kind.arena_mib(), |mib| *mib.get_ref()) << 20;
    options.level = level(node, kind);
    options.autostart = node.autostart;
    let full_name = options.full_name();
    options.inject = node.inject.as_ref().map(|inject| inject.get_ref().injection(&full_name)).transpose()?;
    options.contract = check::contract(node, kind)?;
    if let (Some(sched), Some(contract)) = (&node.sched, &options.contract) {
        options.sched = sched.get_ref().policy(contract);
    }
    for (port, topic) in &node.remap {
        options = options.remap(port, topic.get_ref());
    }
    for (service, to) in &node.services {
        options.services.insert(service.clone(), to.get_ref().clone());
    }
    for spec in kind.inputs().iter().chain(kind.outputs()) {
        if let Some(qos) = node.qos.get(spec.name) {
            options.qos.insert(spec.name.to_owned(), qos.get_ref().over(spec.qos));
        }
    }
    Ok(options)
}

/// The level that the system file fixes, if it does.
pub(crate) fn level(node: &Node, kind: &dyn Kind) -> LevelPlan {
    let index = |level: &serde_spanned::Spanned<String>| {
        kind.levels().iter().position(|name| *name == level.get_ref())
    };
    node.level.as_ref().and_then(index).map_or(LevelPlan::Governed, LevelPlan::Fixed)
}

/// Makes the nodes of one process and hands them to the runtime.
fn start_nodes(
    source: &Source,
    system: &System,
    process: Option<&str>,
    mut spawn: impl FnMut(
        &'static dyn crate::kind::Kind,
        &crate::kind::Making<'_>,
        troika_host::NodeOptions,
    ) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for (name, node) in &system.nodes {
        let node = node.get_ref();
        if process.is_some_and(|process| node.process != process) {
            continue;
        }
        let Some(kind) = crate::kinds::find(node.kind.get_ref()) else {
            bail!("there is no node kind `{}`", node.kind.get_ref());
        };
        if kind.program().is_some() {
            continue;
        }
        let options = node_options(system, name, node, kind)?;
        let making = crate::kind::Making {
            text: &source.text,
            node: name,
            base: std::env::current_dir()?,
            models: None,
        };
        spawn(kind, &making, options)?;
    }
    Ok(())
}
