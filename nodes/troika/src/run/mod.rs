//! What belongs here: `troika run`. One process conducts ([`conductor`]): it starts one process for each that the system
//! file names, watches the topics like any other subscriber, shows them, and makes the report. Each started process hosts
//! its nodes ([`process`]). `troika score` runs the same nodes in one process on a virtual clock ([`virtual_time`]).

mod conductor;
mod dashboard;
mod floors;
mod gesture_score;
pub(crate) mod keeper;
mod process;
mod report;
mod score;
mod view;
mod virtual_hands;
pub(crate) mod virtual_time;
mod voice;
mod ward;
mod watchdog;

pub(crate) use voice::expected_of;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::bail;
use troika_host::{LevelPlan, sched::MEND_MEMLOCK};
use troika_kit::Class;
use troika_transport::Transport;
use troika_transport_mem::MemTransport;
use troika_transport_zenoh::{ZenohOptions, ZenohTransport, may_share_memory};

use crate::{
    kind::Kind,
    system::{Node, Source, System, TransportKind, check},
};

/// How long the transport may take to close once the figures are written.
const CLOSING: Duration = Duration::from_secs(2);

/// `troika run`.
#[derive(clap::Args)]
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
}

/// Runs it.
///
/// # Errors
/// The system cannot be used, a process of it failed, or the report cannot be written.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    if let (Some(process), Some(figures)) = (&arguments.process, &arguments.figures) {
        return match arguments.watchdog {
            true => watchdog::run(arguments, process, figures),
            false => process::run(arguments, process, figures),
        };
    }
    let (source, mut system) = crate::load_checked(&arguments.system)?;
    if let Some(transport) = arguments.transport {
        system.system.transport = transport;
        for problem in check::check(&source.text, &system, crate::kinds::KINDS, crate::cores()) {
            if problem.severity == crate::Severity::Error {
                bail!("with --transport: {problem}");
            }
        }
    }
    conductor::conduct(arguments, &source, &system)
}

impl RunArguments {
    /// As the environment and the command line say; what Hard nodes send goes before the rest.
    fn zenoh_options(&self, system: &System) -> anyhow::Result<ZenohOptions> {
        let mut options = ZenohOptions::from_env()?;
        if let Some(router) = &self.router {
            options.router.clone_from(router);
        }
        options.shared_memory |= system.system.shared_memory;
        if options.shared_memory && !may_share_memory() {
            eprintln!(
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

    /// Opens the system's transport.
    fn open(&self, system: &System) -> anyhow::Result<Arc<dyn Transport>> {
        Ok(match self.transport.unwrap_or(system.system.transport) {
            TransportKind::Mem => Arc::new(MemTransport::new()),
            TransportKind::Zenoh => Arc::new(ZenohTransport::open(self.zenoh_options(system)?)?),
        })
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
    let full_name = options.full_name();
    options.inject = node.inject.as_ref().map(|inject| inject.get_ref().injection(&full_name)).transpose()?;
    options.contract = check::contract(node, kind)?;
    if let (Some(sched), Some(contract)) = (&node.sched, &options.contract) {
        options.sched = sched.get_ref().policy(contract);
    }
    for (port, topic) in &node.remap {
        options = options.remap(port, topic.get_ref());
    }
    Ok(options)
}

/// The level that the system file fixes, if it does.
fn level(node: &Node, kind: &dyn Kind) -> LevelPlan {
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
        let making = crate::kind::Making { text: &source.text, node: name, base: std::env::current_dir()? };
        spawn(kind, &making, options)?;
    }
    Ok(())
}
