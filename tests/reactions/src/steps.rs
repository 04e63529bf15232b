//! Faults of a step that returns, and inputs that grow too old: answered by the node's own process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use troika_host::StopToken;
use troika_reactions::{
    peer::{Beat, Ear, Heard, Peer, Signals, now, pause},
    system::{Injected, System},
};

use crate::{
    TRANSPORT,
    figures::{Figures, Times},
};

/// As `systems/steps.toml` says.
const PERIOD: Duration = Duration::from_millis(10);
/// As `systems/steps.toml` says.
const DEADLINE: Duration = Duration::from_millis(5);
/// As `systems/steps.toml` says.
const BUDGET: Duration = Duration::from_millis(1);
/// How long a step of `overrun` takes.
const OVERRUN: Duration = Duration::from_millis(3);
/// The template's: a speed older than this is not known.
const MAX_AGE: Duration = Duration::from_millis(80);
/// A round of the watchdog.
const ROUND: Duration = Duration::from_millis(5);
/// Heartbeats come at least so often (SR-TIM-004).
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What takes longer than this has no reaction.
const NEVER: Duration = Duration::from_secs(3);
/// Nodes whose signals stop.
const OLD: usize = 4;

/// All of them, `times` each.
pub(crate) fn run(peer: &Peer, mut system: System, times: usize) -> anyhow::Result<Vec<Figures>> {
    let stop = StopToken::new();
    let drive = peer.drive(&stop)?;
    let heard: HashMap<&str, Ear> = ["overrun", "miss", "panic"]
        .into_iter()
        .map(|name| Ok((name, peer.hear(name)?)))
        .collect::<anyhow::Result<_>>()?;
    let beats = peer.beats("/overrun")?;
    let stale = Mutex::new(Vec::new());
    thread::scope(|scope| -> anyhow::Result<()> {
        let mut starving = Vec::new();
        for n in 1..=OLD {
            let ear = peer.hear(&format!("old_{n}"))?;
            let signals = peer.signals(&format!("/reactions/signals_{n}"))?;
            let (share, stale) = (times / OLD + usize::from(n <= times % OLD), &stale);
            starving.push(scope.spawn(move || {
                let found = starve(&ear, signals, share, n);
                stale.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
            }));
        }
        let done = |system: &System| {
            let injected = system.injected();
            let count = |node: &str| injected.iter().filter(|one| one.node == node).count();
            ["/overrun", "/miss", "/panic"].into_iter().all(|node| count(node) >= times)
        };
        while !(done(&system) && starving.iter().all(|thread| thread.is_finished())) {
            system.check()?;
            pause(Duration::from_millis(200));
        }
        Ok(())
    })?;
    // What was injected last is answered by now, or never.
    pause(2 * HEARTBEAT);
    let injected = system.injected();
    system.stop()?;
    stop.stop();
    let _ended = drive.join();

    let of = |node: &str| -> Vec<&Injected> {
        injected.iter().filter(|one| one.node == node).take(times).collect()
    };
    let beats = beats.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let stale = stale.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(vec![
        Figures::new(
            [
                "budget overrun",
                "execution time against the budget, at the step's end",
                "the result stays; the heartbeat says degraded and how often",
            ],
            overruns(&of("/overrun"), &beats),
            HEARTBEAT + TRANSPORT,
        ),
        Figures::new(
            [
                "deadline miss",
                "the step's end against release + deadline",
                "the fall-back in the state's place",
            ],
            fall_backs(&of("/miss"), &heard["miss"].lock(), |one| {
                one.onset - (one.tick - one.release) + nanos(DEADLINE)
            }),
            PERIOD + ROUND + TRANSPORT,
        ),
        Figures::new(
            ["input too old", "age of the input at the step's start", "the fall-back in the same tick"],
            stale,
            PERIOD + DEADLINE + TRANSPORT,
        ),
        Figures::new(
            ["panic", "caught around the step", "the fall-back in the same tick"],
            fall_backs(&of("/panic"), &heard["panic"].lock(), |one| one.onset),
            DEADLINE + TRANSPORT,
        ),
    ])
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}

/// From the moment that the budget was over to the heartbeat that says so: the first one made after the step's end that counts at
/// least as many as were injected by then.
fn overruns(injected: &[&Injected], beats: &[Beat]) -> Vec<Option<u64>> {
    let told = |reason: &str| -> Option<usize> {
        let (_, rest) = reason.split_once("over its budget ")?;
        rest.split_once("heartbeat, ")?.1.split(' ').next()?.parse().ok()
    };
    let one = |(n, one): (usize, &&Injected)| {
        let ended = one.tick + nanos(OVERRUN);
        let beat = beats.iter().find(|beat| {
            beat.made > ended && beat.degraded && told(&beat.reason).is_some_and(|all| all > n)
        })?;
        beat.at.checked_sub(one.onset + nanos(BUDGET))
    };
    injected.iter().enumerate().map(one).collect()
}

/// From the onset to the fall-back of the same tick.
fn fall_backs(injected: &[&Injected], heard: &[Heard], onset: impl Fn(&Injected) -> u64) -> Vec<Option<u64>> {
    let of_tick: HashMap<u64, &Heard> = heard.iter().map(|one| (one.tick, one)).collect();
    let one = |one: &&Injected| {
        let said = of_tick.get(&one.tick).filter(|said| !said.own)?;
        Some(said.at.saturating_sub(onset(one)))
    };
    injected.iter().map(one).collect()
}

/// Lets the signals of one node stop, `times` times; from the moment that the last one is too old to the fall-back. That moment is
/// reckoned from before the signal was sent, so that its way counts as the reaction's.
fn starve(ear: &Ear, mut signals: Signals, times: usize, seed: usize) -> Vec<Option<u64>> {
    let mut found = Vec::with_capacity(times);
    while found.len() < times {
        // Until the node knows again what it says.
        let from = ear.lock().len();
        let mut sent = 0;
        let began = now();
        while sent < 3 || !ear.lock()[from..].iter().any(|heard| heard.own) {
            signals.send();
            sent += 1;
            pause(PERIOD);
            if now() - began > 30 * nanos(NEVER) {
                found.push(None); // the node does not speak at all
                return found;
            }
        }
        // At any time between two of its releases.
        let golden = (found.len() * OLD + seed) as f64 * 0.618_033_988_75;
        pause(PERIOD.mul_f64(golden.fract()));
        let last = now();
        signals.send();
        let too_old = last + nanos(MAX_AGE);
        let said = ear.wait_for(MAX_AGE + NEVER, |heard| {
            let late = heard.iter().rev().take_while(|one| one.at >= too_old);
            late.filter(|one| !one.own).map(|one| one.at).last()
        });
        found.push(said.map(|at| at - too_old));
    }
    found
}

impl Figures {
    /// Of times from onset to reaction; one that is none or longer than [`NEVER`] had no reaction.
    fn new(
        [fault, detection, reaction]: [&'static str; 3],
        times: Vec<Option<u64>>,
        bound: Duration,
    ) -> Figures {
        let reacted: Vec<u64> =
            times.iter().flatten().copied().filter(|time| *time <= nanos(NEVER)).collect();
        Figures {
            fault,
            detection,
            reaction,
            injected: times.len(),
            without_reaction: times.len() - reacted.len(),
            reaction_time: Times::of(reacted, bound),
            again: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn injected(tick: u64, onset: u64) -> Injected {
        Injected { node: "/overrun".into(), release: tick, tick, onset }
    }

    #[test]
    fn an_overrun_is_told_by_the_first_heartbeat_after_it_that_counts_it() {
        let beat = |at: u64, made: u64, all: usize| Beat {
            at: at * MS,
            made: made * MS,
            degraded: true,
            reason: format!("over its budget 1 times since the last heartbeat, {all} in all"),
        };
        // The host's time line is 1000 ms ahead of the peer's.
        let faults =
            [injected(1100 * MS, 100 * MS), injected(1200 * MS, 200 * MS), injected(1900 * MS, 900 * MS)];
        let beats = [beat(102, 1101, 1), beat(151, 1150, 1), beat(500, 1499, 2)];
        let times = overruns(&faults.iter().collect::<Vec<_>>(), &beats);
        assert_eq!(times, [Some(50 * MS), Some(299 * MS), None]);
    }

    #[test]
    fn a_tick_that_passed_for_well_or_said_nothing_had_no_reaction() {
        let heard = |at, tick, own| Heard { at, tick, from: [0; 16], own };
        let all = [heard(12, 10, false), heard(25, 20, true)];
        let faults = [injected(10, 11), injected(20, 21), injected(30, 31)];
        let times = fall_backs(&faults.iter().collect::<Vec<_>>(), &all, |one| one.onset);
        assert_eq!(times, [Some(1), None, None]);
    }
}
