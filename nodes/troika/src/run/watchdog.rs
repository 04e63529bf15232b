//! The watchdog of one process of real-time nodes: starts it, looks at its nodes' signs of life every 5 ms, publishes the
//! fall-back of a node that owes an output, ends the process when a node will not come back, and starts it again. It holds no
//! model and runs above the nodes that it watches, so that a node which takes its core for good does not take the watchdog's
//! time too.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use troika_host::{
    HostClock, Policy, sched,
    signal::stop_on_signals,
    sync::VitalsPage,
    watch::{Condition, RESTARTS_A_MINUTE, Restarts, Watch},
};
use troika_kit::{Fault, Time};
use troika_transport::Transport;

use super::{
    RunArguments, node_options,
    process::CARRIERS,
    report::{ProcessFigures, WatchdogFigures, times},
    ward::Ward,
    witness::{self, Noting, Witness},
};
use crate::{
    kind::{Making, Speaks},
    system::{Source, System},
    tell::Teller,
};

/// Between two looks.
const ROUND: Duration = Duration::from_millis(5);
/// Between two tries to start a process that cannot be started.
const RETRY: Duration = Duration::from_secs(1);
/// Above the nodes (at most 98 by the check, 80 or so by habit) and above the floor's 90.
const PRIORITY: u8 = 95;

/// Watches the process until it is told to stop.
pub(super) fn run(arguments: &RunArguments, process: &str, figures: &Path) -> anyhow::Result<()> {
    arguments.end_with_parent()?;
    let stop = stop_on_signals()?;
    let (source, system) =
        crate::system::load(&arguments.system).map_err(|error| anyhow::anyhow!("{}", error.1.message))?;
    let page = VitalsPage::create().context("no shared memory for the signs of life")?;
    let page_path = page.path().context("a page made here has a place")?;
    let _router = arguments.own_router(&system)?;
    let transport = arguments.open(&system)?;
    // Of this thread's priority, which is an ordinary one still.
    let witness = arguments.record.as_deref().map(|folder| Witness::start(folder, process)).transpose();
    let witness = witness.context("no thread for the recording")?;
    let mut watched = watched(&source, &system, process, &*transport, witness.as_ref())?;
    // Whoever reads may stand still, and this thread must not: each line is written by an ordinary one.
    let teller = Teller::start().context("no thread for what is told")?;
    let (mut ward, number) = Ward::start(arguments, process, figures, &page_path)?;
    teller.tell(format!("watchdog: process '{process}' is {number}"));

    // From here on as a real-time thread; what it starts is an ordinary one again.
    let carriers = sched::raise_threads(transport.threads(), CARRIERS).err();
    for notice in [sched::lock_memory().err(), carriers, priority(process)].into_iter().flatten() {
        teller.tell(format!("notice: {}: {}; {}", notice.who, notice.what, notice.mend));
    }
    let clock = HostClock::start();
    let most = system.restarts_per_minute(process).map_or(RESTARTS_A_MINUTE, |most| most as usize);
    let mut restarts = Restarts::new(most);
    let mut account = WatchdogFigures { process: process.to_owned(), ..WatchdogFigures::default() };
    let mut retry = Retry::default();
    let (mut last, mut deaths) = (monotonic(clock), Vec::new());
    while !stop.wait_for(ROUND) {
        let (now, at) = (clock.now(), monotonic(clock));
        let late = at.saturating_sub(last + ROUND);
        last = at;
        let seen = ward.look();
        if let Some(why) = seen.failed
            && retry.failed(at)
        {
            teller.tell(format!(
                "watchdog: process '{process}': {why:#}; its nodes' fall-backs are published, and it is tried again each second"
            ));
        }
        if retry.is_due(at) {
            ward.start_again();
        }
        if let Some(number) = seen.started {
            retry = Retry::default();
            account.restarts += 1;
            let (used, most) = restarts.used();
            teller.tell(format!(
                "watchdog: process '{process}' started again ({used} of {most} in a minute): it is {number} now"
            ));
        }
        if let Some(status) = seen.by_itself {
            account.died += 1;
            teller.tell(format!("watchdog: process '{process}' ended by itself ({status})"));
        }
        if seen.ended {
            deaths.push(now);
            if !watched.nodes.iter().any(|node| node.has_run) {
                let status = ward.status().map_or_else(String::new, |status| format!(" ({status})"));
                bail!("process '{process}' did not start{status}");
            }
            watched.all_owe(&page);
            if restarts.allow(at) {
                ward.start_again();
            } else {
                account.given_up = true;
                let why = if most == 0 {
                    "is not to be started again"
                } else {
                    "fails too often and is left alone"
                };
                teller.tell(format!(
                    "watchdog: process '{process}' {why}; its nodes' fall-backs are published until this is stopped and mended"
                ));
            }
        }
        troika_safety::fulfils![SR_TIM_008, SR_TIM_009];
        let worst = watched.look(&page, at, late, now, &mut account);
        if let Some(name) = worst
            && ward.lives()
            // Who was killed by another is neither hung nor killed by us, and is told of when it is gone.
            && !ward.is_ending()
        {
            account.killed += 1;
            ward.kill();
            teller.tell(format!(
                "watchdog: {name} does not come back from its step, or was given up: process '{process}' is ended"
            ));
        }
    }
    account.restarts += ward.stop(|told| teller.tell(told));
    let mut written: ProcessFigures =
        std::fs::read(figures).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    if account.restarts > 0 {
        let of_the_last =
            if written.nodes.is_empty() { "" } else { ": its nodes' figures are those of its last life" };
        written
            .notices
            .push(format!("process '{process}' was started again {}{of_the_last}", times(account.restarts)));
    }
    if let Some(folder) = &arguments.record {
        written.notices.extend(witness::lost(folder, process, &deaths));
    }
    written.watchdog = Some(account);
    std::fs::write(figures, serde_json::to_vec(&written)?)
        .with_context(|| format!("cannot write {}", figures.display()))?;
    troika_host::signal::end_within(super::CLOSING);
    drop(watched);
    witness.into_iter().for_each(Witness::finish);
    Ok(())
}

fn monotonic(clock: HostClock) -> Duration {
    Duration::from_nanos(clock.to_monotonic(clock.now()))
}

fn priority(process: &str) -> Option<sched::Notice> {
    sched::set_policy(Policy::Fifo(PRIORITY)).err().map(|why| sched::Notice {
        who: format!("watchdog of '{process}'"),
        what: format!("runs at normal priority ({why}): under load it notices late"),
        mend: sched::MEND_PRIORITY.into(),
    })
}

/// A start that failed takes nothing from the machine, so it is tried again without an end, and told of once.
#[derive(Default)]
struct Retry {
    due: Option<Duration>,
    told: bool,
}

impl Retry {
    /// Whether that is news.
    fn failed(&mut self, at: Duration) -> bool {
        self.due = Some(at + RETRY);
        !std::mem::replace(&mut self.told, true)
    }

    /// Whether it is to be tried now.
    fn is_due(&mut self, at: Duration) -> bool {
        self.due.take_if(|due| *due <= at).is_some()
    }
}

/// The nodes of the process.
struct Watched {
    nodes: Vec<Node>,
    /// Off the graph when this goes.
    _handle: Noting,
}

struct Node {
    name: String,
    watch: Watch,
    period: Duration,
    stand_in: Option<Box<dyn Speaks>>,
    /// When its fall-back is due next, while it owes an output.
    next: Time,
    condition: Condition,
    /// It ran at some time.
    has_run: bool,
    /// Its process ended, and it has not run since.
    owes: bool,
    /// It was spoken for, and is not back yet.
    spoken_for: bool,
}

fn watched(
    source: &Source,
    system: &System,
    process: &str,
    transport: &dyn Transport,
    witness: Option<&Witness>,
) -> anyhow::Result<Watched> {
    let handle = transport.node(system.system.namespace.get_ref(), &format!("{process}_watchdog"))?;
    let handle = Noting::new(handle, witness);
    let base = std::env::current_dir()?;
    let mut nodes = Vec::new();
    for (name, node, kind) in system.hosted(process) {
        let options = node_options(system, name, node, kind)?;
        let contract = options.contract.context("a hosted node has a contract")?;
        let making = Making { text: &source.text, node: name, base: base.clone(), models: None };
        nodes.push(Node {
            name: options.full_name(),
            watch: Watch::new(&contract),
            period: contract.spec().period,
            stand_in: kind.stand_in(&making, &options, &handle)?,
            next: Time::ZERO,
            condition: Condition::Well,
            has_run: false,
            owes: false,
            spoken_for: false,
        });
    }
    Ok(Watched { nodes, _handle: handle })
}

impl Watched {
    /// The process is gone: until each node runs again, its fall-back is due.
    fn all_owe(&mut self, page: &VitalsPage) {
        for (place, node) in self.nodes.iter_mut().enumerate() {
            page.clear(place);
            node.owes = true;
        }
    }

    /// One look at every node; publishes what is owed. The name of a node that will not come back, if there is one.
    fn look(
        &mut self,
        page: &VitalsPage,
        at: Duration,
        late: Duration,
        now: Time,
        account: &mut WatchdogFigures,
    ) -> Option<&str> {
        let mut dead = None;
        for (place, node) in self.nodes.iter_mut().enumerate() {
            let reading = page.read(place);
            if reading.awake.is_some() {
                node.has_run = true;
                node.owes = false;
            }
            let judged = node.watch.judge(at, late, reading);
            let condition = if node.owes { judged.max(Condition::Silent) } else { judged };
            if condition > Condition::Well && node.condition == Condition::Well {
                account.silences += 1;
                node.next = now;
            }
            node.condition = condition;
            if condition == Condition::Well
                && std::mem::take(&mut node.spoken_for)
                && let Some(stand_in) = &mut node.stand_in
            {
                stand_in.give_way(now);
            }
            if condition > Condition::Well
                && now >= node.next
                && let Some(stand_in) = &mut node.stand_in
            {
                stand_in.speak(now, &Fault::Unresponsive);
                account.fall_backs += 1;
                node.spoken_for = true;
                // On the node's own grid, unless this round came late.
                node.next = (node.next + node.period).max(now);
            }
            if condition == Condition::Dead {
                dead = dead.or(Some(node.name.as_str()));
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_fails_is_tried_again_each_second_and_told_of_once() {
        troika_safety::verifies![SR_TIM_009];
        let ms = Duration::from_millis;
        let mut retry = Retry::default();
        assert!(!retry.is_due(ms(0)), "nothing failed");
        assert!(retry.failed(ms(100)));
        assert!(!retry.is_due(ms(1095)) && retry.is_due(ms(1100)));
        assert!(!retry.is_due(ms(2200)), "one is on its way");
        assert!(!retry.failed(ms(2205)), "that is known");
        assert!(retry.is_due(ms(3205)));
    }
}
