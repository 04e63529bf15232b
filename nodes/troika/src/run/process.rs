//! One process of a system: hosts its nodes until it is told to stop, then writes its figures.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use troika_host::{
    Host, HostHandle, HostOptions, NodeStats, Policy,
    signal::stop_on_signals,
    sync::{StopToken, Vital, VitalsPage},
};
use troika_record::spool::Ender;
use troika_transport::Transport;

use super::{
    RunArguments,
    floors::{Floors, Found},
    keeper::Keeper,
    recording::Recording,
    report::{ArenaFigures, NodeFigures, Percentiles, ProcessFigures},
};
use crate::{kind::Runtime, system::System};

/// How long the other processes may take to load their models and to appear.
const ALL_HERE: Duration = Duration::from_secs(90);

/// Of the threads that carry messages, in a process of real-time nodes and in its watchdog: above ordinary threads, below every
/// node.
pub(super) const CARRIERS: Policy = Policy::Fifo(1);

/// Runs the process; returns when it was stopped.
pub(super) fn run(arguments: &RunArguments, process: &str, figures: &Path) -> anyhow::Result<()> {
    arguments.end_with_parent()?;
    if arguments.vitals.is_some() {
        // A watchdog starts it as `/proc/self/exe`, and the kernel names it by that.
        let _looks_odd_in_ps = std::fs::write("/proc/self/comm", "troika");
    }
    let stop = stop_on_signals()?;
    troika_host::panics::tell_from_an_ordinary_thread().context("cannot start a thread")?;
    let (source, system) =
        crate::system::load(&arguments.system).map_err(|error| anyhow::anyhow!("{}", error.1.message))?;
    let settings = system.processes.get(process).map(|one| one.get_ref().clone()).unwrap_or_default();
    let _router = arguments.own_router(&system)?;
    let transport = arguments.open(&system)?;
    let options = HostOptions {
        mlock: settings.lock_memory,
        courier: if settings.lock_memory { CARRIERS } else { Policy::Other },
        wake_latency_us: settings.wake_latency_us,
        use_sim_time: system.system.use_sim_time,
        ..HostOptions::default()
    };
    if options.use_sim_time {
        tell!("notice: the nodes' time is that of /clock: until somebody publishes it they stand");
    }
    let mut host = Host::new(options, transport.clone());
    if settings.nice != 0 {
        rustix::process::nice(settings.nice).context("cannot lower the process's priority")?;
    }
    let page = match &arguments.vitals {
        Some(path) => {
            let page = VitalsPage::open(path).with_context(|| path.display().to_string())?;
            Some(Arc::new(page))
        }
        None => None,
    };
    let recording = Recording::start(arguments, process, &source, &system)?;
    let mut place = 0;
    if arguments.again {
        crate::kinds::begin_again();
    }
    crate::kinds::choose_kernels(system.system.fast_networks)?;
    let trusted = system.system.trusted()?;
    if let (true, Some(key)) = (system.system.production, trusted) {
        crate::kinds::demand_signatures(key);
    }
    super::start_nodes(&source, &system, Some(process), |kind, making, mut options| {
        options.tape = recording.as_ref().map(Recording::tape);
        options.vital = page.as_ref().map(|page| Vital::new(page.clone(), place));
        place += 1;
        kind.start(making, options, Runtime::Host(&mut host))
    })?;
    let keeper = match crate::kinds::models() {
        Ok(store) => {
            if !system.system.fast_networks && !store.exchanges().is_empty() {
                tell!(
                    "notice: process '{process}': its networks run on tract's own operators (fast_networks = false), which take several times as long"
                );
            }
            let (handle, of) = (host.handle(), system.clone());
            let lowered = move || {
                let stats = handle.stats();
                let nodes = stats.iter().filter(|stats| stats.level > 0);
                nodes
                    .filter_map(|stats| Some((&stats.node, level_of(stats, kind_of(&of, &stats.node))?)))
                    .map(|(node, level)| format!("{node} is at level {level}"))
                    .collect()
            };
            if let Some(recording) = &recording {
                recording.models(&store);
            }
            let notes = recording.as_ref().map(Recording::notes);
            Keeper::start(
                store,
                trusted,
                process,
                system.system.namespace.get_ref(),
                &*transport,
                lowered,
                notes,
            )?
        }
        Err(_told_by_each_node) => None,
    };
    // Others may be on their way back too, or never come back: who is watched speaks as soon as it can.
    if !arguments.again {
        wait_for_all(&*transport, &system, &stop)?;
    }
    let floors = settings.floor.then(|| Floors::start(host.handle())).transpose();
    let floors = floors.context("cannot start the floor threads")?;
    host.start();
    // What a thread was not given is known once it runs.
    stop.wait_for(Duration::from_millis(300));
    for notice in host.notices() {
        tell!("notice: {}: {}; {}", notice.who, notice.what, notice.mend);
    }
    let write = {
        let (system, figures, settled) = (system.clone(), figures.to_path_buf(), host.handle());
        move |floor: Option<Found>| write_figures(&settled, &system, floor.as_ref(), &figures)
    };
    let closed = StopToken::new();
    let ender = recording.as_ref().map(Recording::ender);
    close_in_time(&stop, &closed, ender, write.clone()).context("cannot start a thread")?;
    let clock = host.clock();
    let report = host.run_until(&stop);
    drop(keeper);
    if let Some(recording) = recording {
        recording.finish();
    }
    closed.stop();
    write(floors.map(|floors| floors.finish(clock)))?;
    troika_host::signal::end_within(super::CLOSING);
    if !report.died.is_empty() {
        bail!("threads of {} died", report.died.join(", "));
    }
    Ok(())
}

/// Writes what the process did.
fn write_figures(
    host: &HostHandle,
    system: &System,
    floor: Option<&Found>,
    figures: &Path,
) -> anyhow::Result<()> {
    let nodes = host.stats().into_iter().map(|stats| NodeFigures {
        unexplained: floor.and_then(|floor| floor.unexplained.get(&stats.node).copied()),
        ..node_figures(&stats, kind_of(system, &stats.node))
    });
    let notices = host.notices();
    let notices = notices.iter().map(|notice| format!("{}: {}; {}", notice.who, notice.what, notice.mend));
    let written = ProcessFigures {
        nodes: nodes.collect(),
        floor_us: floor.map(|floor| floor.us),
        floor_counts: floor.map(|floor| floor.counts),
        notices: notices.chain(floor.iter().flat_map(|floor| floor.notices.clone())).collect(),
        watchdog: None,
    };
    std::fs::write(figures, serde_json::to_vec(&written)?)
        .with_context(|| format!("cannot write {}", figures.display()))
}

/// When the nodes cannot be taken off the transport in time (a peer hangs, the router is gone), the recording is ended and the figures are
/// written all the same, and the process ends.
fn close_in_time(
    stop: &StopToken,
    closed: &StopToken,
    recording: Option<Ender>,
    write: impl FnOnce(Option<Found>) -> anyhow::Result<()> + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let (stop, closed) = (stop.clone(), closed.clone());
    std::thread::Builder::new().name("close".into()).spawn(move || {
        stop.wait();
        if closed.wait_for(2 * super::CLOSING) {
            return;
        }
        tell!("notice: the transport does not close (a peer that does not answer, or no time on this machine): ended without it");
        // The figures first: a disk that stands still must not cost them.
        let code = i32::from(write(None).is_err());
        if recording.is_some_and(|recording| !recording.end_within(super::CLOSING)) {
            tell!("notice: the recording could not be ended in time: it has no account at its end");
        }
        std::process::exit(code);
    })
}

/// Waits until every essential node of the system is on the graph, so that no first frame is lost on a missing reader.
fn wait_for_all(transport: &dyn Transport, system: &System, stop: &StopToken) -> anyhow::Result<()> {
    let wanted = system.essential_nodes();
    let mut waited = Duration::ZERO;
    let step = Duration::from_millis(50);
    loop {
        let here = transport.graph()?.nodes;
        let missing: Vec<&String> = wanted.iter().filter(|name| !here.contains(name)).collect();
        if missing.is_empty() || stop.is_stopped() {
            return Ok(());
        }
        if waited >= ALL_HERE {
            tell!("notice: {} not seen after {ALL_HERE:?}; starting without", join(&missing));
            return Ok(());
        }
        stop.wait_for(step);
        waited += step;
    }
}

fn join(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Percentiles of a histogram in units of 1/`scale` seconds.
pub(super) fn percentiles(snapshot: &troika_host::sync::Snapshot, scale: f64) -> Percentiles {
    let quantile = |q: f64| snapshot.quantile(q).as_secs_f64() * scale;
    Percentiles {
        p50: quantile(0.5),
        p99: quantile(0.99),
        p999: quantile(0.999),
        max: snapshot.max().as_secs_f64() * scale,
    }
}

/// The kind of a node, by its full name.
fn kind_of<'a>(system: &'a System, full_name: &str) -> &'a str {
    let name = full_name.rsplit('/').next().unwrap_or(full_name);
    system.nodes.get(name).map_or("", |node| node.get_ref().kind.get_ref())
}

/// A node's level now; none where its kind has one only.
fn level_of(stats: &NodeStats, kind: &str) -> Option<&'static str> {
    let levels = crate::kinds::find(kind)?.levels();
    (levels.len() > 1).then(|| levels[stats.level])
}

/// A node's figures as the report holds them.
pub(super) fn node_figures(stats: &NodeStats, kind: &str) -> NodeFigures {
    NodeFigures {
        node: stats.node.clone(),
        kind: kind.to_owned(),
        steps: stats.steps,
        worked: stats.worked,
        late: stats.late,
        too_late: stats.too_late,
        missed: stats.missed,
        faults: stats.faults,
        last_fault: stats.last_fault.map(|event| event.fault.to_string()),
        fall_backs: stats.fall_backs,
        level: level_of(stats, kind).map(str::to_owned),
        skipped: stats.skipped,
        level_changes: stats.level_changes,
        over_budget: stats.over_budget,
        unexplained: None,
        dropped: stats.dropped,
        undecodable: stats.undecodable,
        arena: stats.arena.map(|arena| ArenaFigures {
            capacity: arena.capacity,
            peak: arena.peak,
            allocations: arena.allocations,
            overflows: arena.overflows,
            strays: arena.strays,
        }),
        latency_ms: percentiles(&stats.latency, 1e3),
        step_ms: percentiles(&stats.execution, 1e3),
        real_time: stats.real_time,
    }
}
