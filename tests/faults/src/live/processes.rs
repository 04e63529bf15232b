//! Faults of a process and of the machine that it runs on.

use std::{
    fs,
    hint::spin_loop,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, kill_process_group, prlimit};
use troika_host::{HostClock, StopToken};
use troika_kit::Duration;
use troika_msgs::troika::{CommandResult, SafetyState};
use troika_reactions::peer::{now, pause};

use super::{
    AGAIN_WITHIN,
    bench::{Bench, Said, nanos},
};
use crate::class::{Dice, Verdict};

type Found = anyhow::Result<Option<Verdict>>;

/// The monitor's process.
const MONITOR: &str = "cabin";
/// The supervisor's.
const SUPERVISOR: &str = "supervisor";
/// A reader of the safety state takes it for silent after 0.5 s (SR-SUP-009), and looks each 0.1 s.
const SILENT: Duration = Duration::from_millis(650);

pub(super) fn killed(bench: &mut Bench, dice: &mut Dice) -> Found {
    signalled(bench, dice, Signal::KILL)
}

pub(super) fn stopped(bench: &mut Bench, dice: &mut Dice) -> Found {
    signalled(bench, dice, Signal::STOP)
}

/// The monitor's process gets a signal, up to 2.9 s after the driver's eyes closed or up to 1 s before: its next life has seen nothing of them, and has
/// to see all of the 3 s.
fn signalled(bench: &mut Bench, dice: &mut Dice, signal: Signal) -> Found {
    let process = bench.process(MONITOR)?;
    let closes_first = dice.coin();
    if closes_first {
        bench.eyes(true);
        pause(dice.ms(0, 2_900));
    }
    kill_process(process, signal)?;
    let onset = now();
    let verdict =
        if closes_first { bench.told_of_sleep(onset)? } else { bench.falls_asleep(dice.ms(0, 1_000))? };
    bench.back(verdict)
}

pub(super) fn stutters(bench: &mut Bench, dice: &mut Dice) -> Found {
    let process = bench.process(MONITOR)?;
    let pauses: Vec<_> = (0..64).map(|_| (dice.ms(20, 300), dice.ms(20, 400))).collect();
    let verdict = meanwhile(
        move |stop| {
            for (still, runs) in pauses.into_iter().cycle() {
                // It is gone where its watchdog gave it up.
                let _gone = kill_process(process, Signal::STOP);
                stop.wait_for(still);
                let _gone = kill_process(process, Signal::CONT);
                if stop.wait_for(runs) {
                    return;
                }
            }
        },
        || bench.falls_asleep(dice.ms(200, 1_000)),
    )?;
    bench.back(verdict)
}

pub(super) fn no_memory(bench: &mut Bench, dice: &mut Dice) -> Found {
    let process = bench.process(MONITOR)?;
    let had = getrlimit(Resource::As);
    // Not a page more than it has.
    prlimit(Some(process), Resource::As, Rlimit { current: Some(1 << 20), maximum: had.maximum })?;
    let verdict = bench.falls_asleep(dice.ms(0, 1_000))?;
    // Where it went on, and that it may is the point of memory that is taken before.
    let _gone = prlimit(Some(process), Resource::As, had);
    bench.back(verdict)
}

pub(super) fn supervisor_killed(bench: &mut Bench, dice: &mut Dice) -> Found {
    silent(bench, dice, Signal::KILL)
}

pub(super) fn supervisor_stopped(bench: &mut Bench, dice: &mut Dice) -> Found {
    silent(bench, dice, Signal::STOP)
}

/// Standing, where the trunk would open: it must not while nobody says what the whole is worth.
fn silent(bench: &mut Bench, dice: &mut Dice, signal: Signal) -> Found {
    bench.stands(true);
    pause(dice.ms(100, 600));
    let process = bench.process(SUPERVISOR)?;
    kill_process(process, signal)?;
    // Their clocks differ by less, and a new process takes longer.
    let (onset, ended) = (now(), HostClock::start().now() + Duration::from_millis(20));
    let (mut orders, mut noticed) = (Vec::new(), None);
    // By when it was said: what the one that ended sent may come later.
    let is_of_the_new = |said: &Said| matches!(said, Said::State(_, at) if *at > ended);
    let is_of_the_old = |said: &Said| matches!(said, Said::State(_, at) if *at <= ended);
    while noticed.is_none() && now() - onset < nanos(3 * AGAIN_WITHIN) {
        orders.push((now(), bench.order()?));
        let limit = Duration::from_nanos(now() - onset) + Duration::from_millis(50);
        noticed = bench.until(onset, limit, is_of_the_new)?;
    }
    pause(Duration::from_millis(300));
    let last = bench.since(onset.saturating_sub(nanos(SILENT))).into_iter();
    let last = last.filter(|(_, said)| is_of_the_old(said)).map(|(at, _)| at).max().unwrap_or(onset);
    let taken = bench.since(onset).into_iter().find_map(|(_, said)| {
        let Said::Result(id, CommandResult::ACCEPTED | CommandResult::DONE) = said else { return None };
        let (at, id) = orders.iter().find(|(_, order)| *order == id)?;
        (*at > last + nanos(SILENT)).then(|| {
            format!("the trunk opened for {id}, {} ms after the last state", (at - last) / 1_000_000)
        })
    });
    // What was lost before, the new one cannot know (SR-SUP-011).
    let first = bench.since(onset).into_iter().find(|(_, said)| is_of_the_new(said));
    let better = first.filter(|(_, said)| !matches!(said, Said::State(SafetyState::SAFE, _)));
    let harm = taken.or(better.map(|(_, said)| format!("the first that the new one says is {said:?}")));
    bench.back(Verdict::of(noticed.map(Duration::from_nanos), harm))
}

pub(super) fn busy(bench: &mut Bench, dice: &mut Dice) -> Found {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let verdict = meanwhile(
        move |stop| {
            thread::scope(|scope| {
                for _ in 0..4 * cores {
                    scope.spawn(|| {
                        while !stop.is_stopped() {
                            (0..100_000).for_each(|_| spin_loop());
                        }
                    });
                }
            });
        },
        || bench.falls_asleep(dice.ms(200, 1_500)),
    )?;
    bench.back(verdict)
}

/// A group of processes with a bound on their memory (cgroups, version 1 or 2), until it is dropped.
struct Group {
    folder: PathBuf,
    top: PathBuf,
    /// Where the kernel counts how often the bound was met: a file, and the word before the number if it has several.
    met: (PathBuf, Option<&'static str>),
}

impl Group {
    fn new(bytes: u64) -> std::io::Result<Group> {
        let second = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let top = Path::new(if second { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/memory" });
        let folder = top.join(format!("troika-faults-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let met = if second {
            (folder.join("memory.events"), Some("max "))
        } else {
            (folder.join("memory.failcnt"), None)
        };
        let bound = folder.join(if second { "memory.max" } else { "memory.limit_in_bytes" });
        let group = Group { folder, top: top.to_owned(), met };
        if !bound.is_file() {
            return Err(std::io::Error::other(format!(
                "{} is no group of the kernel's",
                group.folder.display()
            )));
        }
        fs::write(bound, bytes.to_string())?;
        Ok(group)
    }

    fn take(&self, pid: impl std::fmt::Display) -> std::io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string())
    }

    /// How often somebody in it wanted more than there is.
    fn met(&self) -> anyhow::Result<u64> {
        let (file, word) = &self.met;
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let number =
            text.lines().find_map(|line| line.strip_prefix(word.unwrap_or_default())?.trim().parse().ok());
        number.with_context(|| format!("{} has no count: {text:?}", file.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Back to where all are; what ended in the meantime is not there any more.
        for pid in fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default().lines() {
            let _gone = fs::write(self.top.join("cgroup.procs"), pid);
        }
        let _stays = fs::remove_dir(&self.folder);
    }
}

/// Processes that take memory and touch it, again and again, until it is dropped.
struct Hog(Child);

impl Hog {
    /// In the group: the kernel takes back what it can, then ends the largest of it, which is this one's.
    fn start(group: &Group) -> std::io::Result<Hog> {
        let all_of_it = "echo 1000 > /proc/self/oom_score_adj; echo $$ > \"$0\"; while :; do cat /dev/zero | tail -c 1G; done";
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", all_of_it]).arg(group.folder.join("cgroup.procs")).process_group(0);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Hog)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process_group(pid, Signal::KILL);
        }
        let _ended = self.0.wait();
    }
}

/// What the system's processes may have from then on, and the hog, together.
const GROUP: u64 = 64 << 20;

pub(super) fn memory(bench: &mut Bench, dice: &mut Dice) -> Found {
    let group = match Group::new(GROUP) {
        Ok(group) => group,
        Err(error) => {
            return bench.cannot(format!("no group with a bound on memory can be made here ({error})"));
        }
    };
    for (name, pid, _) in bench.processes()? {
        if let Err(error) = group.take(pid.as_raw_nonzero()) {
            return bench.cannot(format!("the process {name} cannot be put into a group ({error})"));
        }
    }
    let hog = match Hog::start(&group) {
        Ok(hog) => hog,
        Err(error) => return bench.cannot(format!("no process that takes memory can be started ({error})")),
    };
    let verdict = bench.falls_asleep(dice.ms(0, 1_000))?;
    let met = group.met()?;
    drop(hog);
    drop(group);
    ensure!(met > 0, "the memory of the group was never used up: no fault was injected");
    bench.back(verdict)
}

/// Runs `fault` on a thread of its own until `scene` has its verdict.
pub(super) fn meanwhile(
    fault: impl FnOnce(&StopToken) + Send,
    scene: impl FnOnce() -> anyhow::Result<Verdict>,
) -> anyhow::Result<Verdict> {
    let stop = StopToken::new();
    thread::scope(|scope| {
        let goes_on = scope.spawn(|| fault(&stop));
        let verdict = scene();
        stop.stop();
        if let Err(panic) = goes_on.join() {
            std::panic::resume_unwind(panic);
        }
        verdict
    })
}
