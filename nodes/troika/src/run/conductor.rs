//! The conductor: starts the processes of a system, watches its topics, shows them, stops everything, makes the report.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{IsTerminal as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use troika_host::{
    Clock, Edge, HostClock, edge::TypedSubscription, heartbeat, signal::stop_on_signals, sync::StopToken,
    watch::Restarts,
};
use troika_kit::Qos;
use troika_msgs::troika::Heartbeat;
use troika_transport::Transport;
use troika_transport_zenoh::{RouterGuard, ZenohTransport};

use super::{
    RunArguments,
    dashboard::Dashboard,
    program,
    report::{DriverStateFigures, Machine, ProcessFigures, Report},
    score::Raised,
    view::{self, Heading},
    virtual_time, voice,
};
use crate::{
    kinds, listen,
    system::{Source, System, TransportKind, check::topic_of},
    transport::Reach,
};

/// How long a process may take to stop before it is killed: longer than a watchdog gives the one that it watches.
const GRACE: Duration = Duration::from_secs(12);

/// Heartbeats come once a second.
const SILENT: Duration = Duration::from_secs(3);

/// Runs the whole system.
pub(super) fn conduct(arguments: &RunArguments, source: &Source, system: &System) -> anyhow::Result<()> {
    if system.system.transport == TransportKind::Mem {
        bail!(
            "`troika run` needs a transport that reaches other processes: use zenoh, dds or ros2, or `troika score` for virtual time"
        );
    }
    let stop = stop_on_signals()?;
    if let Some(file) = &arguments.report {
        // Now, and not after the whole run.
        File::options().create(true).append(true).open(file).with_context(|| cannot_write(file))?;
    }
    // Held until the end: a router that we started ends with it.
    let (transport, _router, transport_shown) = reach(arguments, system)?;
    let dashboard = Arc::new(Mutex::new(Dashboard::default()));
    let edge = Edge::new(
        &*transport,
        Clock::Host(HostClock::start()),
        system.system.namespace.get_ref(),
        "troika_view",
    )?;
    let subscriptions = watch(&edge, system, &dashboard)?;
    let strangers = namesakes(&*transport, system)?;

    let mut company = Company::start(arguments, source, system)?;
    if let Some(notice) = strangers {
        company.note(notice);
    }
    let headless = arguments.headless || !std::io::stdout().is_terminal();
    if headless {
        // A reader that is gone is no reason to stop.
        let _ = writeln!(
            std::io::stdout(),
            "{} over {transport_shown}; {}",
            system.system.name,
            company.describe()
        );
    }
    let mut router_there = true;
    company.wait_until_all_here(&*transport, system, &stop)?;
    let start = Instant::now();
    let duration = arguments.seconds.map(Duration::from_secs);
    let shown = if headless {
        while !stop.is_stopped()
            && duration.is_none_or(|duration| start.elapsed() < duration)
            && company.all_run()
        {
            stop.wait_for(Duration::from_millis(100));
            company.listen(&transport, &mut router_there, &dashboard);
        }
        Ok(())
    } else {
        let heading = Heading {
            system: system.system.name.clone(),
            transport: transport_shown.clone(),
            models: String::new(),
            duration,
        };
        view::show(&heading, &dashboard, || {
            company.listen(&transport, &mut router_there, &dashboard);
            stop.is_stopped() || !company.all_run()
        })
    };
    let seconds = start.elapsed().as_secs_f64();
    let (figures, failed) = company.stop();
    drop(subscriptions);
    shown?;

    let dashboard = lock(&dashboard);
    let mut report = report(source, system, &dashboard, figures, seconds, transport_shown)?;
    report.notices.append(&mut company.notices);
    let mut table = report.table();
    for utterance in &dashboard.utterances {
        table += &format!("  said           {}\n", view::utterance_line(utterance));
    }
    // Both are tried, whatever comes of the other.
    let printed = std::io::stdout().write_all(table.as_bytes()).context("cannot print the table");
    if let Some(file) = &arguments.report {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?).with_context(|| cannot_write(file))?;
    }
    printed?;
    failed.map_or(Ok(()), Err)
}

/// A session on the system's transport, its router where it has one, and what both are called.
fn reach(arguments: &RunArguments, system: &System) -> anyhow::Result<(Reach, Option<RouterGuard>, String)> {
    let direct = match system.system.transport {
        TransportKind::Dds => Some(("dds", Reach::dds()?)),
        TransportKind::Ros2 => Some(("ros2", Reach::ros2()?)),
        TransportKind::Mem | TransportKind::Zenoh => None,
    };
    if let Some((name, transport)) = direct {
        let shown = format!("{name}, ROS domain {}", transport.domain());
        return Ok((transport, None, shown));
    }
    let options = arguments.zenoh_options(system)?;
    let router = RouterGuard::ensure_for(&options)?;
    let shown = format!("zenoh, {} {}", router.describe(), options.router);
    Ok((Reach::Zenoh(ZenohTransport::open(options)?), Some(router), shown))
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write the report {}", file.display())
}

/// A notice when nodes of this system's names are on the bus already: both would be heard as one.
fn namesakes(transport: &dyn Transport, system: &System) -> anyhow::Result<Option<String>> {
    let here = crate::topic::settled_graph(transport)?.nodes;
    let there: Vec<String> = system.full_names().into_iter().filter(|name| here.contains(name)).collect();
    Ok((!there.is_empty()).then(|| {
        format!(
            "{} already there, of another system: their messages mix with ours; give one of the two another \
             ROS_DOMAIN_ID, or another `namespace` in its system file",
            there.join(", ")
        )
    }))
}

fn lock(dashboard: &Mutex<Dashboard>) -> MutexGuard<'_, Dashboard> {
    dashboard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The topic on which nodes of this system send a type.
fn topic_by_type<'a>(system: &'a System, type_name: &str) -> Option<&'a str> {
    system.nodes.values().find_map(|node| {
        let kind = kinds::find(node.get_ref().kind.get_ref())?;
        kind.outputs()
            .iter()
            .find(|spec| spec.ty.name == type_name)
            .map(|spec| topic_of(node.get_ref(), spec))
    })
}

/// Subscribes to all that the dashboard shows.
fn watch(
    edge: &Edge,
    system: &System,
    dashboard: &Arc<Mutex<Dashboard>>,
) -> anyhow::Result<Vec<TypedSubscription>> {
    use troika_kit::Message;
    use troika_msgs::{
        sensor_msgs::Image,
        troika::{
            CommandResult, DriverAlert, DriverState, DriverTruth, Transcript, Understanding, VehicleCommand,
            VehicleSignals, VoiceReply,
        },
    };
    fn on<T: Message>(
        edge: &Edge,
        system: &System,
        dashboard: &Arc<Mutex<Dashboard>>,
        into: &mut Vec<TypedSubscription>,
        take: fn(&mut Dashboard, T),
    ) -> anyhow::Result<()> {
        let topic = if T::TYPE.name == Heartbeat::TYPE.name {
            Some(heartbeat::TOPIC)
        } else {
            topic_by_type(system, T::TYPE.name)
        };
        if let Some(topic) = topic {
            let dashboard = dashboard.clone();
            let qos = Qos { depth: 100, ..Qos::DEFAULT };
            into.push(
                edge.subscribe::<T>(topic, qos, move |sample| take(&mut lock(&dashboard), sample.value))?,
            );
        }
        Ok(())
    }
    let mut all = Vec::new();
    on::<Image>(edge, system, dashboard, &mut all, |to, image| to.image(&image))?;
    on::<DriverTruth>(edge, system, dashboard, &mut all, |to, truth| to.record.truth(&truth))?;
    on::<DriverState>(edge, system, dashboard, &mut all, |to, state| to.driver(state))?;
    on::<DriverAlert>(edge, system, dashboard, &mut all, |to, alert| to.alert(alert))?;
    on::<VehicleSignals>(edge, system, dashboard, &mut all, |to, signals| to.signals = Some(signals))?;
    on::<Transcript>(edge, system, dashboard, &mut all, |to, transcript| to.transcript(&transcript))?;
    on::<Understanding>(edge, system, dashboard, &mut all, |to, one| to.understanding(one))?;
    on::<VoiceReply>(edge, system, dashboard, &mut all, |to, reply| to.reply(reply))?;
    on::<VehicleCommand>(edge, system, dashboard, &mut all, |to, command| to.command(command))?;
    on::<CommandResult>(edge, system, dashboard, &mut all, |to, result| to.result(result))?;
    on::<Heartbeat>(edge, system, dashboard, &mut all, |to, beat| {
        drop(to.nodes.insert(beat.node.clone(), beat))
    })?;
    Ok(all)
}

/// The processes of the system.
struct Company {
    members: Vec<Member>,
    folder: tempfile::TempDir,
    /// What it does without; in the report.
    notices: Vec<String>,
    /// The nodes that it cannot do without.
    essential: Vec<String>,
    /// Each node's last heartbeat, and when it came.
    beats: BTreeMap<String, (u32, Instant)>,
    /// The screen belongs to the terminal view.
    quiet: bool,
    since: Instant,
}

struct Member {
    name: String,
    child: Child,
    /// How it is started, and started again.
    command: Command,
    restarts: Restarts,
    started_again: u32,
    log: Option<PathBuf>,
    figures: PathBuf,
    essential: bool,
    /// The child is its watchdog.
    watched: bool,
    /// The end of one that is not essential was told.
    told: bool,
}

impl Company {
    fn start(arguments: &RunArguments, source: &Source, system: &System) -> anyhow::Result<Company> {
        let folder = tempfile::Builder::new().prefix("troika-run-").tempdir()?;
        let quiet = !arguments.headless && std::io::stdout().is_terminal();
        let mut company = Company {
            members: Vec::new(),
            folder,
            notices: Vec::new(),
            essential: system.essential_nodes(),
            beats: BTreeMap::new(),
            quiet,
            since: Instant::now(),
        };
        let mut names: Vec<&String> = system.nodes.values().map(|node| &node.get_ref().process).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let figures = company.folder.path().join(format!("{name}.json"));
            let mut command = match command(arguments, source, system, name, &figures) {
                Ok(command) => command,
                Err(error) if !system.is_essential(name) => {
                    company.do_without(&format!("process '{name}'"), &format!("cannot start: {error:#}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let log = quiet.then(|| company.folder.path().join(format!("{name}.log")));
            if let Some(log) = &log {
                let file = File::create(log)?;
                command.stdout(file.try_clone()?).stderr(file);
            }
            // A group of its own: Ctrl-C reaches the conductor alone, which stops the rest in order.
            let child = command.process_group(0).stdin(Stdio::null()).spawn().with_context(|| {
                format!("cannot start process '{name}' ({})", command.get_program().display())
            })?;
            let essential = system.is_essential(name);
            let watched = system.restarts_per_minute(name).is_some();
            company.members.push(Member {
                name: name.clone(),
                child,
                command,
                restarts: Restarts::new(system.starts_again(name)),
                started_again: 0,
                log,
                figures,
                essential,
                watched,
                told: false,
            });
        }
        Ok(company)
    }

    /// Tells a person, once, now and at the end.
    fn note(&mut self, notice: String) {
        if self.notices.contains(&notice) {
            return;
        }
        if !self.quiet {
            eprintln!("notice: {notice}");
        }
        self.notices.push(notice);
    }

    /// Notes a router that went and nodes that say they cannot do their work.
    fn listen(&mut self, transport: &Reach, router_there: &mut bool, dashboard: &Mutex<Dashboard>) {
        let there = transport.is_connected();
        if *router_there && !there {
            self.note("the zenoh router is gone: what runs goes on, nobody new finds it".to_owned());
        }
        *router_there = there;
        let mut notices = Vec::new();
        for beat in lock(dashboard).nodes.values() {
            if beat.status == Heartbeat::UNAVAILABLE {
                notices.push(format!("{}: {}", beat.node, beat.reason));
            }
            let (sequence, since) =
                self.beats.entry(beat.node.clone()).or_insert_with(|| (beat.sequence, Instant::now()));
            if *sequence != beat.sequence {
                (*sequence, *since) = (beat.sequence, Instant::now());
            } else if since.elapsed() > SILENT && self.essential.contains(&beat.node) {
                notices.push(format!("{}: no sign of life for {SILENT:?}", beat.node));
            }
        }
        notices.into_iter().for_each(|notice| self.note(notice));
    }

    fn describe(&self) -> String {
        let members: Vec<String> = self
            .members
            .iter()
            .map(|member| {
                let whose = if member.watched { "watchdog " } else { "" };
                format!("{} ({whose}{})", member.name, member.child.id())
            })
            .collect();
        format!("processes {}", members.join(", "))
    }

    /// Tells of a process that is not essential and that the system goes on without.
    fn do_without(&mut self, process: &str, why: &str) {
        self.note(format!("{process} {why}; the system runs on without it"));
    }

    /// Whether all that are essential still run.
    fn all_run(&mut self) -> bool {
        let (mut ended, mut again) = (Vec::new(), Vec::new());
        for member in self.members.iter_mut().filter(|member| !member.essential && !member.told) {
            if let Ok(Some(status)) = member.child.try_wait() {
                let failed = !status.success();
                if failed && member.restarts.allow(self.since.elapsed()) {
                    let why = format!("{} ended by itself ({status})", member.whole_name());
                    match member.command.spawn() {
                        Ok(child) => {
                            member.child = child;
                            member.started_again += 1;
                            again.push(format!("{why} and was started again"));
                            continue;
                        }
                        Err(error) => again.push(format!("{why} and cannot be started again: {error}")),
                    }
                }
                member.told = true;
                // A voice that plays files ends well when it has played them.
                if failed {
                    let consequence =
                        if member.watched { "; nobody speaks for its nodes any more" } else { "" };
                    let why = format!("ended by itself ({status}){consequence}{}", member.tail());
                    ended.push((member.whole_name(), why));
                }
            }
        }
        again.into_iter().for_each(|told| self.note(told));
        for (process, why) in ended {
            self.do_without(&process, &why);
        }
        self.members.iter_mut().all(|member| !member.essential || matches!(member.child.try_wait(), Ok(None)))
    }

    fn wait_until_all_here(
        &mut self,
        transport: &dyn Transport,
        system: &System,
        stop: &StopToken,
    ) -> anyhow::Result<()> {
        let wanted = system.essential_nodes();
        let start = Instant::now();
        loop {
            let here = transport.graph()?.nodes;
            let missing: Vec<&String> = wanted.iter().filter(|name| !here.contains(name)).collect();
            if missing.is_empty() || stop.is_stopped() {
                return Ok(());
            }
            if !self.all_run() {
                let (_, failed) = self.stop();
                return Err(
                    failed.unwrap_or_else(|| anyhow!("the system ended before all of its nodes were there"))
                );
            }
            if start.elapsed() > Duration::from_secs(120) {
                let (_, failed) = self.stop();
                return Err(failed.unwrap_or_else(|| {
                    anyhow!("not all nodes appeared within 120 s; missing: {missing:?}")
                }));
            }
            stop.wait_for(Duration::from_millis(50));
        }
    }

    /// Stops all and collects their figures, of those that left some; and what failed, if anything did.
    fn stop(&mut self) -> (Vec<ProcessFigures>, Option<anyhow::Error>) {
        let early: Vec<(usize, std::process::ExitStatus)> = self
            .members
            .iter_mut()
            .enumerate()
            .filter(|(_, member)| member.essential)
            .filter_map(|(index, member)| {
                member.child.try_wait().ok().flatten().map(|status| (index, status))
            })
            .collect();
        for member in &mut self.members {
            signal(&member.child, Signal::TERM);
        }
        let again = self.members.iter().filter(|member| member.started_again > 1);
        let again: Vec<String> = again
            .map(|member| format!("{} was started again {} times", member.whole_name(), member.started_again))
            .collect();
        again.into_iter().for_each(|told| self.note(told));
        let deadline = Instant::now() + GRACE;
        for member in &mut self.members {
            while matches!(member.child.try_wait(), Ok(None)) {
                if Instant::now() > deadline {
                    eprintln!("process '{}' did not stop within {GRACE:?}: killed", member.name);
                    let _ = member.child.kill();
                    let _ = member.child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let mut failed =
            early.iter().find(|(_, status)| !status.success()).or(early.first()).map(|(index, status)| {
                let member = &self.members[*index];
                anyhow!("{} ended by itself ({status}){}", member.whole_name(), member.tail())
            });
        let mut figures = Vec::new();
        for member in &self.members {
            // A program of its own writes none.
            let Ok(text) = std::fs::read(&member.figures) else { continue };
            match serde_json::from_slice::<ProcessFigures>(&text) {
                Ok(mut read) => {
                    if read.watchdog.as_ref().is_some_and(|watchdog| watchdog.given_up) {
                        let told = format!(
                            "process '{}' failed too often and was left alone; its nodes' fall-backs were published in their place",
                            member.name
                        );
                        match member.essential {
                            true => failed = failed.or_else(|| Some(anyhow!(told))),
                            false => read.notices.push(told),
                        }
                    }
                    figures.push(read);
                }
                Err(error) => failed = failed.or(Some(anyhow!("figures of '{}': {error}", member.name))),
            }
        }
        (figures, failed)
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        for member in &mut self.members {
            if matches!(member.child.try_wait(), Ok(None)) {
                let _ = member.child.kill();
                let _ = member.child.wait();
            }
        }
    }
}

impl Member {
    /// What the child is.
    fn whole_name(&self) -> String {
        let whose = if self.watched { "the watchdog of " } else { "" };
        format!("{whose}process '{}'", self.name)
    }

    /// The end of its log, if it has one.
    fn tail(&self) -> String {
        let text = self.log.as_ref().and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(12)..].join("\n    ");
        if tail.is_empty() { String::new() } else { format!("; its last words:\n    {tail}") }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself in between.
        let _ = kill_process(pid, signal);
    }
}

/// The command line of one process: `troika run --process`, or the kind's own program.
pub(super) fn command(
    arguments: &RunArguments,
    source: &Source,
    system: &System,
    process: &str,
    figures: &Path,
) -> anyhow::Result<Command> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let program = system.nodes.iter().find_map(|(name, node)| {
        let kind =
            kinds::find(node.get_ref().kind.get_ref()).filter(|_| node.get_ref().process == process)?;
        kind.program().map(|program| (name, kind, program))
    });
    if let Some((name, kind, program)) = program {
        let file = listen::beside(program)?;
        let nice = system.processes.get(process).map_or(0, |settings| settings.get_ref().nice);
        return program::command(&file, kind, arguments, source, system, name, nice);
    }
    let mut command = Command::new(own);
    command.arg("run").arg(&arguments.system).arg("--process").arg(process).arg("--figures").arg(figures);
    arguments.hand_on(&mut command);
    if system.restarts_per_minute(process).is_some() {
        command.arg("--watchdog");
    }
    Ok(command)
}

fn report(
    source: &Source,
    system: &System,
    dashboard: &Dashboard,
    figures: Vec<ProcessFigures>,
    seconds: f64,
    transport: String,
) -> anyhow::Result<Report> {
    let nodes: Vec<_> = figures.iter().flat_map(|process| process.nodes.clone()).collect();
    let hosted = system.nodes.values().zip(system.full_names()).filter_map(|(node, name)| {
        let kind = kinds::find(node.get_ref().kind.get_ref())?;
        kind.program().is_none().then_some(name)
    });
    let missing: Vec<String> = hosted.filter(|name| !nodes.iter().any(|node| node.node == *name)).collect();
    let silent = (!missing.is_empty())
        .then(|| format!("no figures of {}: their process ended before it wrote them", missing.join(", ")));
    let of_kind = |kind: &[&str]| nodes.iter().find(|node| kind.contains(&node.kind.as_str()));
    let driver = of_kind(&["driver_state"]);
    let scores = match dashboard.record.last_truth() {
        Some(_) => {
            let expected: Vec<Raised> =
                virtual_time::expected_alerts(source, system, dashboard.record.truths())?;
            Some(dashboard.record.score(&expected))
        }
        None => None,
    };
    Ok(Report {
        system: system.system.name.clone(),
        seconds,
        transport,
        // A simulator steps once a frame; a camera is looked at far more often, and what it gives is what is due.
        frames_due: match (of_kind(&["sim_driver", "sim_hand"]), of_kind(&["camera"])) {
            (Some(simulator), _) => simulator.steps,
            (None, camera) => camera.map_or(0, |node| node.worked),
        },
        frames_in: of_kind(&["sim_driver", "sim_hand", "camera"]).map_or(0, |node| node.worked),
        frames_done: driver.map_or(0, |node| node.worked),
        driver_state: driver.is_some().then(|| DriverStateFigures::new(scores.as_ref(), driver)),
        voice: voice::figures(source, system, dashboard)?,
        machine: Machine {
            floor_us: figures.iter().find_map(|process| process.floor_us),
            floor_counts: figures.iter().find_map(|process| process.floor_counts),
            cores: crate::cores(),
        },
        nodes,
        watchdogs: figures.iter().filter_map(|process| process.watchdog.clone()).collect(),
        notices: figures.into_iter().flat_map(|process| process.notices).chain(silent).collect(),
    })
}
