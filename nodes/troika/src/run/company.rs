//! The processes of a system: started, listened to, started again, stopped in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::IsTerminal as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use troika_host::{HostClock, clock::EPOCH, sync::StopToken, watch::Restarts};
use troika_msgs::troika::{Heartbeat, LinkState};
use troika_transport::Transport;

use super::{
    RunArguments,
    dashboard::{Dashboard, lock},
    program,
    report::ProcessFigures,
};
use crate::{
    kind::Kind,
    kinds, listen,
    system::{Source, System},
    transport::Reach,
};

/// How long a process may take to stop before it is killed: longer than a watchdog gives the one that it watches.
const GRACE: Duration = Duration::from_secs(12);

/// A link that is lost for less (a tunnel's mouth, a service that drops a connection) is not told to a person.
const GONE_FOR: Duration = Duration::from_secs(4);

/// Heartbeats come once a second.
const SILENT: Duration = Duration::from_secs(3);

/// How many notices are kept; the rest is left out. A run may last for weeks.
const NOTICES: usize = 1000;

/// The processes of the system.
pub(super) struct Company {
    members: Vec<Member>,
    folder: tempfile::TempDir,
    /// What it does without; in the report.
    pub(super) notices: Vec<String>,
    /// What nodes said that they cannot do, without its numbers: one that grows is no news each second.
    said: BTreeSet<(String, String)>,
    /// Nodes of which nothing has been heard yet.
    awaited: BTreeSet<String>,
    count: usize,
    /// Whether there was a link to the cloud when that was told last.
    linked: Option<bool>,
    /// What the link turned to last, and when.
    turned: Option<(bool, Instant)>,
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
    /// It is this program, which is told when it was started before.
    hosts: bool,
    /// The end of one that is not essential was told.
    told: bool,
}

impl Company {
    pub(super) fn start(
        arguments: &RunArguments,
        source: &Source,
        system: &System,
    ) -> anyhow::Result<Company> {
        let folder = tempfile::Builder::new().prefix("troika-run-").tempdir()?;
        let quiet = !arguments.headless && std::io::stdout().is_terminal();
        let mut company = Company {
            members: Vec::new(),
            folder,
            notices: Vec::new(),
            said: BTreeSet::new(),
            awaited: system.full_names().into_iter().collect(),
            count: system.nodes.len(),
            linked: None,
            turned: None,
            essential: system.essential_nodes(),
            beats: BTreeMap::new(),
            quiet,
            since: Instant::now(),
        };
        let epoch = HostClock::start().epoch();
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
            command.env(EPOCH, &epoch);
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
                hosts: own_program(system, name).is_none(),
                told: false,
            });
        }
        Ok(company)
    }

    /// Tells a person, once, now and at the end.
    pub(super) fn note(&mut self, notice: String) {
        if self.notices.len() > NOTICES || self.notices.contains(&notice) {
            return;
        }
        let notice = match self.notices.len() < NOTICES {
            true => notice,
            false => format!("{NOTICES} notices: the rest is left out"),
        };
        if !self.quiet {
            tell!("notice: {notice}");
        }
        self.notices.push(notice);
    }

    /// Tells a person, once, why a node cannot do its work.
    fn note_of(&mut self, node: String, reason: &str) {
        let told = (node, reason.replace(|one: char| one.is_ascii_digit(), ""));
        if self.said.len() < NOTICES && !self.said.contains(&told) {
            self.note(format!("{}: {reason}", told.0));
            self.said.insert(told);
        }
    }

    /// Notes a router that went and nodes that say they cannot do their work.
    pub(super) fn listen(
        &mut self,
        transport: &Reach,
        router_there: &mut bool,
        dashboard: &Mutex<Dashboard>,
    ) {
        let there = transport.is_connected();
        if *router_there && !there {
            self.note("the zenoh router is gone: what runs goes on, nobody new finds it".to_owned());
        }
        *router_there = there;
        let news = self.news(&lock(dashboard));
        news.into_iter().filter(|_| !self.quiet).for_each(|told| tell!("{told}"));
        let mut notices = Vec::new();
        for beat in lock(dashboard).nodes.values() {
            if beat.status == Heartbeat::UNAVAILABLE {
                notices.push((beat.node.clone(), beat.reason.clone()));
            }
            let (sequence, since) =
                self.beats.entry(beat.node.clone()).or_insert_with(|| (beat.sequence, Instant::now()));
            if *sequence != beat.sequence {
                (*sequence, *since) = (beat.sequence, Instant::now());
            } else if since.elapsed() > SILENT && self.essential.contains(&beat.node) {
                notices.push((beat.node.clone(), format!("no sign of life for {SILENT:?}")));
            }
        }
        notices.into_iter().for_each(|(node, reason)| self.note_of(node, &reason));
    }

    /// Where it ends and not all had given a sign of life yet: who.
    pub(super) fn never_ready(&self) -> Option<String> {
        let silent: Vec<&str> = self.awaited.iter().map(String::as_str).collect();
        let all = silent.join(", ");
        (!silent.is_empty()).then(|| format!("not ready until the end: no sign of life of {all}"))
    }

    /// What a person waits for at the start: that all are there, and that the cloud is reached; and when the link comes and goes.
    fn news(&mut self, dashboard: &Dashboard) -> Vec<String> {
        let mut news = Vec::new();
        if !self.awaited.is_empty() {
            self.awaited.retain(|node| !dashboard.nodes.contains_key(node));
            if self.awaited.is_empty() {
                let (count, after) = (self.count, self.since.elapsed().as_secs_f64());
                news.push(format!(
                    "ready: all {count} nodes give signs of life, {after:.0} s after the start"
                ));
            }
        }
        // Of a link that has not been measured nothing is known yet.
        let measured = dashboard.link.as_ref().filter(|link| link.state != LinkState::UNKNOWN);
        if let Some(link) = measured {
            let up = link.state == LinkState::UP;
            let since = match self.turned {
                Some((is, since)) if is == up => since,
                _ => self.turned.insert((up, Instant::now())).1,
            };
            if self.linked != Some(up) && (up || since.elapsed() >= GONE_FOR) {
                self.linked = Some(up);
                let rtt = link.rtt_ms;
                let far = if rtt.is_finite() { format!(" (round trip {rtt:.1} ms)") } else { String::new() };
                news.push(match up {
                    true => format!("link: the cloud is reached{far}"),
                    false => format!("link: the cloud has not been reached for {} s", GONE_FOR.as_secs()),
                });
            }
        }
        news
    }

    pub(super) fn describe(&self) -> String {
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
    pub(super) fn all_run(&mut self) -> bool {
        self.look_after_the_others(true);
        self.members.iter_mut().all(|member| !member.essential || matches!(member.child.try_wait(), Ok(None)))
    }

    /// Tells of those that are not essential and ended, and has them started again where that is wanted.
    fn look_after_the_others(&mut self, start_again: bool) {
        let (mut ended, mut again) = (Vec::new(), Vec::new());
        for member in self.members.iter_mut().filter(|member| !member.essential && !member.told) {
            if let Ok(Some(status)) = member.child.try_wait() {
                let failed = !status.success();
                if failed && start_again && member.restarts.allow(self.since.elapsed()) {
                    let why = format!("{} ended by itself ({status})", member.whole_name());
                    troika_safety::fulfils![SR_SUP_011];
                    if member.hosts && !member.command.get_args().any(|argument| argument == "--again") {
                        member.command.arg("--again");
                    }
                    match member.command.spawn() {
                        Ok(child) => {
                            member.child = child;
                            member.started_again += 1;
                            let times = match member.started_again {
                                1 => String::new(),
                                times => format!(", {times} times by now"),
                            };
                            again.push(format!("{why} and was started again{times}"));
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
    }

    pub(super) fn wait_until_all_here(
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
    pub(super) fn stop(&mut self) -> (Vec<ProcessFigures>, Option<anyhow::Error>) {
        // Of one that ended since the last look nobody would be told otherwise.
        self.look_after_the_others(false);
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
                    tell!("process '{}' did not stop within {GRACE:?}: killed", member.name);
                    let _ = member.child.kill();
                    let _ = member.child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        troika_safety::fulfils![SR_TIM_015];
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

/// The node of a process that is a program of its own, its kind, and the program's name.
fn own_program<'a>(
    system: &'a System,
    process: &str,
) -> Option<(&'a String, &'static dyn Kind, &'static str)> {
    system.nodes.iter().find_map(|(name, node)| {
        let kind =
            kinds::find(node.get_ref().kind.get_ref()).filter(|_| node.get_ref().process == process)?;
        kind.program().map(|program| (name, kind, program))
    })
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
    if let Some((name, kind, program)) = own_program(system, process) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A company of one process, which is not essential and has ended with 3.
    fn of_one_that_failed() -> Company {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 3"]);
        let mut child = command.spawn().expect("a shell");
        child.wait().expect("it ends");
        let folder = tempfile::tempdir().expect("a folder");
        let member = Member {
            name: "voice".to_owned(),
            child,
            command,
            restarts: Restarts::new(3),
            started_again: 0,
            log: None,
            figures: folder.path().join("voice.json"),
            essential: false,
            watched: false,
            hosts: true,
            told: false,
        };
        Company {
            members: vec![member],
            folder,
            notices: Vec::new(),
            said: BTreeSet::new(),
            awaited: BTreeSet::new(),
            count: 1,
            linked: None,
            turned: None,
            essential: Vec::new(),
            beats: BTreeMap::new(),
            quiet: true,
            since: Instant::now(),
        }
    }

    #[test]
    fn what_a_node_says_with_another_number_each_second_is_told_once_and_notices_have_an_end() {
        let mut company = of_one_that_failed();
        let hangs =
            |tenths: u32| format!("its step does not return: it runs for {}.{} s", tenths / 10, tenths % 10);
        (41..4000).for_each(|tenths| company.note_of("/camera_1".to_owned(), &hangs(tenths)));
        company.note_of("/camera_2".to_owned(), &hangs(41));
        company.note_of("/camera_1".to_owned(), "no sign of life for 3s");
        let told = [
            "/camera_1: its step does not return: it runs for 4.1 s",
            "/camera_2: its step does not return: it runs for 4.1 s",
            "/camera_1: no sign of life for 3s",
        ];
        assert_eq!(company.notices, told);
        (0..2 * NOTICES).for_each(|n| company.note(format!("notice {n}")));
        assert_eq!(company.notices.len(), NOTICES + 1);
        assert_eq!(company.notices.last().map(String::as_str), Some("1000 notices: the rest is left out"));
    }

    #[test]
    fn a_process_that_is_started_again_is_told_that_it_was_there_before() {
        troika_safety::verifies![SR_SUP_011];
        for (hosts, told) in [(true, 1), (false, 0)] {
            let mut company = of_one_that_failed();
            company.members[0].hosts = hosts;
            for times in 1..=2 {
                company.look_after_the_others(true);
                assert_eq!(company.members[0].started_again, times);
                company.members[0].child.wait().expect("it ends");
                let again = |argument: &&std::ffi::OsStr| *argument == "--again";
                assert_eq!(company.members[0].command.get_args().filter(again).count(), told);
            }
        }
    }

    #[test]
    fn a_process_that_ended_just_before_the_stop_is_told_of_and_not_started_again() {
        let mut company = of_one_that_failed();
        let (_, failed) = company.stop();
        assert!(failed.is_none(), "the system does without it: {failed:?}");
        assert_eq!(
            company.notices,
            ["process 'voice' ended by itself (exit status: 3); the system runs on without it"]
        );
        assert_eq!(company.members[0].started_again, 0);
    }
}
