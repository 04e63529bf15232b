//! What takes a process, a machine or a network: injected into real processes on a real transport, one fault after the other in real time, beside the
//! campaign in virtual time.
//!
//! What is done in a round hangs on the seed; what comes of it on the machine as well.

mod bench;
mod hostile;
mod processes;

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use troika_host::StopToken;
use troika_kit::Duration;
use troika_reactions::peer::{Peer, eager};
use troika_safety as sr;

pub use self::bench::Bench;
use crate::{
    class::{Class, Dice, Verdict},
    report::Figures,
};

/// SR-DMS-006: 3.0 s and three frames; and what a busy machine and zenoh's ordinary threads take on the way here.
const SLEEP_WITHIN: Duration = Duration::from_millis(3_100 + 400);
/// SR-DMS-007: who begins anew sees all of a sleeper's 3 s once more; where that takes longer than 5 s, it is told that nobody looks.
const BEGUN_ANEW_WITHIN: Duration = Duration::from_millis(5_450 + 400);
/// From a death to a new life's first word: 500 ms until a step is given up (SR-TIM-009), and 3 s for the start of a small process.
const AGAIN_WITHIN: Duration = Duration::from_millis(3_600);

/// Injects one; none where this machine has no means for it.
pub type Inject = fn(&mut Bench, &mut Dice) -> anyhow::Result<Option<Verdict>>;

/// A class of faults of real processes.
pub type LiveClass = Class<Inject>;

const UNTOLD: &str = "a driver sleeps, and nobody says so nor that nobody looks";
const TAKEN_IN: &str = "a driver sleeps and nobody says so, a function for standstill is carried out at 60 km/h, or a process ends or grows";
const ASLEEP: &str = "the alert of sleep, or that monitoring is unavailable";

/// All of them, in the order of a round.
pub const CLASSES: &[LiveClass] = &[
    Class {
        name: "process.killed",
        fault: "the monitor's process is killed about when a driver falls asleep",
        reaction: "it is started again and tells of the sleeper, or it is told that monitoring is unavailable",
        harm: UNTOLD,
        requirement: sr::SR_TIM_009,
        limit: BEGUN_ANEW_WITHIN,
        gap: None,
        times: 1,
        inject: processes::killed,
    },
    Class {
        name: "process.stopped",
        fault: "the monitor's process stands still for good",
        reaction: "it is ended, started again and tells of the sleeper, or it is told that monitoring is unavailable",
        harm: UNTOLD,
        requirement: sr::SR_TIM_009,
        limit: BEGUN_ANEW_WITHIN,
        gap: None,
        times: 1,
        inject: processes::stopped,
    },
    Class {
        name: "process.stutters",
        fault: "the monitor's process stands still for 20 to 300 ms, again and again",
        reaction: ASLEEP,
        harm: UNTOLD,
        requirement: sr::SR_TIM_008,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: processes::stutters,
    },
    Class {
        name: "process.no_memory",
        fault: "the monitor's process gets no more memory",
        reaction: ASLEEP,
        harm: UNTOLD,
        requirement: sr::SR_TIM_005,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: processes::no_memory,
    },
    Class {
        name: "supervisor.killed",
        fault: "the supervisor's process is killed",
        reaction: "it speaks again",
        harm: "a function behind a gate is carried out while it is silent, or before it has seen that all is well",
        requirement: sr::SR_TIM_009,
        limit: AGAIN_WITHIN,
        gap: None,
        times: 1,
        inject: processes::supervisor_killed,
    },
    Class {
        name: "supervisor.stopped",
        fault: "the supervisor's process stands still for good",
        reaction: "it is ended, started again, and speaks",
        harm: "a function behind a gate is carried out while it is silent, or before it has seen that all is well",
        requirement: sr::SR_TIM_009,
        limit: AGAIN_WITHIN,
        gap: None,
        times: 1,
        inject: processes::supervisor_stopped,
    },
    Class {
        name: "machine.busy",
        fault: "four busy threads for each core",
        reaction: ASLEEP,
        harm: UNTOLD,
        requirement: sr::SR_DMS_006,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: processes::busy,
    },
    Class {
        name: "machine.memory",
        fault: "another takes all memory that the system's group may have",
        reaction: ASLEEP,
        harm: UNTOLD,
        requirement: sr::SR_DMS_006,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: processes::memory,
    },
    Class {
        name: "peer.bytes",
        fault: "connections to the router by the dozen that speak no zenoh, half of it, or nothing",
        reaction: ASLEEP,
        harm: TAKEN_IN,
        requirement: sr::SR_DAT_011,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: hostile::bytes,
    },
    Class {
        name: "peer.floods",
        fault: "messages on every safety topic, as many as the link takes: noise, cut short, without protection",
        reaction: ASLEEP,
        harm: TAKEN_IN,
        requirement: sr::SR_DAT_011,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: hostile::floods,
    },
    Class {
        name: "peer.large",
        fault: "messages of 1 to 16 MB on the safety topics",
        reaction: ASLEEP,
        harm: TAKEN_IN,
        requirement: sr::SR_DAT_011,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: hostile::large,
    },
    Class {
        name: "peer.crowd",
        fault: "hundreds of nodes that come and go, each with publishers of the safety topics",
        reaction: ASLEEP,
        harm: TAKEN_IN,
        requirement: sr::SR_DAT_011,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: hostile::crowd,
    },
    Class {
        name: "peer.asks",
        fault: "questions to everybody about everything, as many as the link takes",
        reaction: ASLEEP,
        harm: TAKEN_IN,
        requirement: sr::SR_DAT_011,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: hostile::asks,
    },
    Class {
        name: "peer.impostor",
        fault: "another of the monitor's and the supervisor's names says attentive, 0 km/h, cleared and nominal, plays what it recorded, and gives orders",
        reaction: ASLEEP,
        harm: TAKEN_IN,
        requirement: sr::SR_DAT_009,
        limit: SLEEP_WITHIN,
        gap: None,
        times: 1,
        inject: hostile::impostor,
    },
];

/// What came of the live part.
#[derive(Debug)]
pub struct Outcome {
    /// Rounds that were begun.
    pub rounds: u64,
    /// Of each class that was chosen.
    pub figures: Vec<Figures>,
    /// What this machine had no means for: class and reason, and in how many rounds.
    pub left_out: BTreeMap<String, u64>,
    /// What the bench itself could not do: no verdict, and an error of the whole campaign. It begins anew after it.
    pub failed: Vec<anyhow::Error>,
}

/// Rounds over the classes until `stop`, or so many; `troika` is the program.
pub fn run(
    classes: &[&LiveClass],
    troika: &Path,
    seed: u64,
    most_rounds: Option<u64>,
    stop: &StopToken,
) -> Outcome {
    let figures = classes.iter().map(|class| Figures::of(class)).collect();
    let mut outcome = Outcome { rounds: 0, figures, left_out: BTreeMap::new(), failed: Vec::new() };
    while !classes.is_empty() && !over(&outcome, most_rounds, stop) && outcome.failed.len() < MOST_FAILURES {
        let failed = rounds(classes, troika, seed, most_rounds, stop, &mut outcome).err();
        outcome.failed.extend(failed);
    }
    outcome
}

/// A bench that fails so often will not do better.
const MOST_FAILURES: usize = 3;

fn over(outcome: &Outcome, most_rounds: Option<u64>, stop: &StopToken) -> bool {
    stop.is_stopped() || most_rounds.is_some_and(|most| outcome.rounds >= most)
}

fn rounds(
    classes: &[&LiveClass],
    troika: &Path,
    seed: u64,
    most_rounds: Option<u64>,
    stop: &StopToken,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let peer = eager(Peer::open)?;
    // From here, and not from the peer's threads, which go before others: what it starts is ordinary.
    let mut bench = Bench::start(troika, peer)?;
    while !over(outcome, most_rounds, stop) {
        // One that the bench failed in is not tried again with the same faults.
        let round = outcome.rounds;
        outcome.rounds += 1;
        for (class, into) in classes.iter().zip(&mut outcome.figures) {
            if stop.is_stopped() {
                return bench.stop();
            }
            for time in 0..class.times {
                let mut dice = Dice::new(seed, class.name, round * class.times + time);
                let verdict = (class.inject)(&mut bench, &mut dice);
                match verdict.with_context(|| format!("{}, round {round}", class.name))? {
                    Some(verdict) => into.add(&verdict, class.limit),
                    // On a machine that is too busy for it, for example: no fault, and no verdict.
                    None => {
                        *outcome
                            .left_out
                            .entry(format!("{}: {}", class.name, bench.why_not()))
                            .or_default() += 1;
                    }
                }
            }
        }
    }
    bench.stop()
}
