//! Steps that never return and processes that are killed: answered by the watchdog, first in the node's place, then by the node
//! itself in its next life.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use troika_host::StopToken;
use troika_reactions::{
    peer::{Ear, Heard, Peer, now, pause},
    system::System,
};

use crate::{
    TRANSPORT,
    figures::{Again, Figures, Times},
};

/// As the system files say.
const PERIOD: Duration = Duration::from_millis(10);
/// As the system files say.
const DEADLINE: Duration = Duration::from_millis(5);
/// A round of the watchdog.
const ROUND: Duration = Duration::from_millis(5);
/// A step that runs for so long will not come back (SR-TIM-009).
const DEAD: Duration = Duration::from_millis(500);
/// From the start of a process to its nodes' first message, under this load; what is claimed for small nodes.
const START: Duration = Duration::from_secs(3);
/// What takes longer than this does not happen.
const NEVER: Duration = Duration::from_secs(30);

/// How a system's lives end, and what is claimed for it.
struct Way {
    words: [&'static str; 3],
    fall_back: Duration,
    again: Duration,
}

const HANG: Way = Way {
    words: [
        "step never returns",
        "the step's begin, in memory shared with the watchdog, every 5 ms",
        "the watchdog publishes the fall-back, ends the process after 500 ms and starts it again",
    ],
    // SR-TIM-008.
    fall_back: Duration::from_nanos(
        (DEADLINE.as_nanos() + PERIOD.as_nanos() + ROUND.as_nanos() + TRANSPORT.as_nanos()) as u64,
    ),
    again: Duration::from_nanos((DEAD.as_nanos() + 2 * ROUND.as_nanos() + START.as_nanos()) as u64),
};

const SPIN: Way = Way { words: ["  the same, at FIFO 80", HANG.words[1], HANG.words[2]], ..HANG };

const KILL: Way = Way {
    words: [
        "process killed",
        "the process's end, or that its node does not wake, every 5 ms",
        "the watchdog publishes the fall-back and starts the process again",
    ],
    // Its end is seen when the last of its threads has ended, which takes a busy machine longer than the node's next release.
    fall_back: Duration::from_nanos(
        (2 * PERIOD.as_nanos() + DEADLINE.as_nanos() + ROUND.as_nanos() + TRANSPORT.as_nanos()) as u64,
    ),
    again: Duration::from_nanos((ROUND.as_nanos() + START.as_nanos()) as u64),
};

/// From an onset to the stand-in's first word, and to the first own word of another life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Answer {
    fall_back: Option<u64>,
    again: Option<u64>,
}

fn answer(heard: &[Heard], onset: u64) -> Answer {
    let first = heard.partition_point(|one| one.at < onset);
    let life = heard[..first].iter().rev().find(|one| one.own).map(|one| one.from);
    let others = || heard[first..].iter().filter(|one| Some(one.from) != life);
    let fall_back = others().find(|one| !one.own).map(|one| one.at);
    let again = fall_back.and_then(|then| others().find(|one| one.own && one.at >= then)).map(|one| one.at);
    let since = |at: u64| at - onset;
    Answer { fall_back: fall_back.map(since), again: again.map(since) }
}

impl Way {
    fn figures(&self, answers: &[Answer]) -> Figures {
        let [fault, detection, reaction] = self.words;
        let soon = |time: &u64| u128::from(*time) <= NEVER.as_nanos();
        let spoken: Vec<u64> = answers.iter().filter_map(|one| one.fall_back).filter(soon).collect();
        let again: Vec<u64> = answers.iter().filter_map(|one| one.again).filter(soon).collect();
        Figures {
            fault,
            detection,
            reaction,
            injected: answers.len(),
            without_reaction: answers.len() - spoken.len(),
            reaction_time: Times::of(spoken, self.fall_back),
            again: Some(Again { never: answers.len() - again.len(), time: Times::of(again, self.again) }),
        }
    }
}

/// Steps that wait for ever, and processes that are killed: `times` each, in many processes at once.
pub(crate) fn run(peer: &Peer, system: System, times: usize) -> anyhow::Result<Vec<Figures>> {
    let blocking: Vec<String> = (1..=8).map(|n| format!("block_{n}")).collect();
    let killed: Vec<String> = (1..=4).map(|n| format!("kill_{n}")).collect();
    let (hangs, kills) = cycle(peer, system, &blocking, &killed, times)?;
    Ok(vec![HANG.figures(&hangs), KILL.figures(&kills)])
}

/// Steps that never return and take their core at a real-time priority.
pub(crate) fn spin(peer: &Peer, system: System, times: usize) -> anyhow::Result<Figures> {
    Ok(SPIN.figures(&cycle(peer, system, &["spin".to_owned()], &[], times)?.0))
}

fn cycle(
    peer: &Peer,
    mut system: System,
    hanging: &[String],
    killed: &[String],
    times: usize,
) -> anyhow::Result<(Vec<Answer>, Vec<Answer>)> {
    let stop = StopToken::new();
    let drive = peer.drive(&stop)?;
    let ears: Vec<(&String, Ear)> =
        hanging.iter().map(|name| Ok((name, peer.hear(name)?))).collect::<anyhow::Result<_>>()?;
    let kills = Mutex::new(Vec::new());
    let watched = Mutex::new(&mut system);
    let hangs = thread::scope(|scope| -> anyhow::Result<Vec<Answer>> {
        let mut killers = Vec::new();
        for (n, name) in killed.iter().enumerate() {
            let ear = peer.hear(name)?;
            let share = times / killed.len() + usize::from(n < times % killed.len());
            let (kills, watched) = (&kills, &watched);
            killers.push(scope.spawn(move || {
                let kill = || {
                    let process = watched.lock().unwrap_or_else(PoisonError::into_inner).process(name)?;
                    let onset = now();
                    rustix::process::kill_process(process, rustix::process::Signal::KILL).ok()?;
                    Some(onset)
                };
                let found = kill_again_and_again(&ear, kill, share, n);
                kills.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
            }));
        }
        loop {
            pause(Duration::from_millis(200));
            let mut system = watched.lock().unwrap_or_else(PoisonError::into_inner);
            system.check()?;
            let injected = system.injected();
            drop(system);
            // The first `times` that happened, in whichever process.
            let first = &injected[..times.min(injected.len())];
            let answers: Vec<Answer> = first
                .iter()
                .filter_map(|one| {
                    let ear = ears.iter().find(|(name, _)| one.node.strip_prefix('/') == Some(name))?;
                    Some(answer(&ear.1.lock(), one.onset))
                })
                .collect();
            let given_up = |onset: u64| u128::from(now() - onset) > NEVER.as_nanos();
            let over = hanging.is_empty()
                || first.len() == times
                    && first
                        .iter()
                        .zip(&answers)
                        .all(|(one, answer)| answer.again.is_some() || given_up(one.onset));
            if over && killers.iter().all(|killer| killer.is_finished()) {
                return Ok(answers);
            }
        }
    })?;
    system.stop()?;
    stop.stop();
    let _ended = drive.join();
    Ok((hangs, kills.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// Kills a process as soon as it speaks for itself, at any time between two of its releases.
fn kill_again_and_again(ear: &Ear, kill: impl Fn() -> Option<u64>, times: usize, seed: usize) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(times);
    let speaks = |from: u64| {
        ear.wait_for(2 * NEVER, |heard| {
            heard.iter().rev().take_while(|one| one.at > from).find(|one| one.own).map(|one| one.at)
        })
    };
    let mut since = speaks(0);
    while answers.len() < times {
        let golden = (answers.len() + seed) as f64 * 0.618_033_988_75;
        pause(PERIOD.mul_f64(golden.fract()) + PERIOD);
        if since.is_none() {
            answers.push(Answer::default()); // it does not come back
            return answers;
        }
        // It may be on its way up once more, for a reason of its own.
        let Some(onset) = kill() else {
            since = speaks(now());
            continue;
        };
        let found = ear.wait_for(NEVER, |heard| Some(answer(heard, onset)).filter(|one| one.again.is_some()));
        answers.push(found.unwrap_or_else(|| answer(&ear.lock(), onset)));
        since = speaks(onset);
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fall_back_is_the_stand_ins_and_the_next_own_word_is_another_lifes() {
        let heard = |at, from, own| Heard { at, tick: at, from: [from; 16], own };
        let all = [
            heard(10, 1, false), // before its first signals
            heard(20, 1, true),
            heard(31, 1, true), // on its way when the process was killed
            heard(40, 9, false),
            heard(50, 9, false),
            heard(60, 2, false),
            heard(70, 2, true),
        ];
        assert_eq!(answer(&all, 30), Answer { fall_back: Some(10), again: Some(40) });
        assert_eq!(answer(&all[..3], 30), Answer::default());
        assert_eq!(answer(&all[..6], 30), Answer { fall_back: Some(10), again: None });
    }
}
