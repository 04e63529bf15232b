//! When a node that another process hosts counts as silent or dead, and whether it may be started again: pure, so that each
//! case is a test. The watchdog's process feeds it with what the node wrote ([`crate::sync::Reading`]).

use std::{collections::VecDeque, time::Duration};

use troika_kit::{Contract, Wake};

use crate::sync::Reading;

/// A round of the watchdog that comes this much late says that the machine stood still; the nodes get the time back.
const STALL: Duration = Duration::from_millis(20);
/// A step that runs this long will not come back. Longer than any stall of a host that was seen (100 ms), and well under the
/// second in which a driver reacts.
pub(crate) const DEAD_AFTER: Duration = Duration::from_millis(500);
/// Starts of a process within [`WINDOW`] before it is left alone in the fall-back's hands, unless the system says otherwise:
/// a fault that stays does not take the machine with it.
pub const RESTARTS_A_MINUTE: usize = 3;
/// What starts are counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// In time, or not started yet.
    Well,
    /// It owes an output: the fall-back is due in its place.
    Silent,
    /// It will not come back: its process is to be ended.
    Dead,
}

/// Judges one node.
#[derive(Debug, Clone)]
pub struct Watch {
    silent: Duration,
    dead: Duration,
    /// Longest sleep between two looks at its inputs.
    nap: Duration,
    /// Time that the machine stood still since the step began or the node was last awake.
    stalled: Duration,
    /// What the node was doing at the last round.
    last: Option<Reading>,
}

impl Watch {
    /// A watch by the node's contract: *silent* when a step runs beyond its deadline and one period more, *dead* when it runs for
    /// half a second (or ten periods, if that is longer).
    pub fn new(contract: &Contract) -> Watch {
        let spec = contract.spec();
        Watch {
            silent: spec.deadline + contract.too_late_after(),
            dead: DEAD_AFTER.max(10 * spec.period),
            nap: match spec.wake {
                Wake::Period => spec.period,
                Wake::Input(_) => crate::schedule::SILENT_PERIODS * spec.period,
            },
            stalled: Duration::ZERO,
            last: None,
        }
    }

    /// The longest time from the begin of a step that never returns to [`Condition::Silent`] and to [`Condition::Dead`], for
    /// rounds every `round`, without stalls of the machine.
    pub fn bounds(&self, round: Duration) -> (Duration, Duration) {
        (self.silent + round, self.dead + round)
    }

    /// What the node's reading says at `now`; `late` is by how much this round came late.
    pub fn judge(&mut self, now: Duration, late: Duration, reading: Reading) -> Condition {
        if self.last != Some(reading) {
            self.last = Some(reading);
            self.stalled = Duration::ZERO;
        }
        troika_safety::fulfils![SR_TIM_018];
        // A step that was not there before may have begun before the stall.
        if late > STALL {
            self.stalled += late;
        }
        let since = |then: Duration| now.saturating_sub(then + self.stalled);
        // Out of its step it may sleep for a nap; in its step it may not.
        let waiting = match (reading.began, reading.awake) {
            (Some(began), _) => since(began),
            (None, Some(awake)) => since(awake).saturating_sub(self.nap),
            (None, None) => Duration::ZERO,
        };
        troika_safety::fulfils![SR_TIM_008, SR_TIM_009];
        if waiting > self.dead {
            Condition::Dead
        } else if waiting > self.silent {
            Condition::Silent
        } else {
            Condition::Well
        }
    }
}

/// Whether a process that ended may be started again.
#[derive(Debug)]
pub struct Restarts {
    most: usize,
    starts: VecDeque<Duration>,
}

impl Default for Restarts {
    fn default() -> Self {
        Restarts::new(RESTARTS_A_MINUTE)
    }
}

impl Restarts {
    /// At most so many within a minute; 0 is never.
    pub fn new(most: usize) -> Restarts {
        Restarts { most, starts: VecDeque::with_capacity(most) }
    }

    /// True if it may, and counts it: so many times a minute and no more, so that a process that dies at once does not take
    /// the machine with it.
    pub fn allow(&mut self, now: Duration) -> bool {
        troika_safety::fulfils![SR_TIM_009];
        while self.starts.front().is_some_and(|then| now.saturating_sub(*then) > WINDOW) {
            self.starts.pop_front();
        }
        let allowed = self.starts.len() < self.most;
        if allowed {
            self.starts.push_back(now);
        }
        allowed
    }

    /// How many starts the last minute had, and how many it may have.
    pub fn used(&self) -> (usize, usize) {
        (self.starts.len(), self.most)
    }
}

#[cfg(test)]
mod tests {
    use troika_kit::{Class, ContractSpec};

    use super::*;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "detector",
        wake: Wake::Input("image"),
        period: Duration::from_millis(33),
        deadline: Duration::from_millis(33),
        budget: Duration::from_millis(28),
        class: Class::Hard,
        requirements: &[],
    });
    const ROUND: Duration = ms(5);

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Judges every 5 ms from `began` on; when it was first silent and first dead, after `began`.
    fn watched(
        reading: Reading,
        from: Duration,
        late: impl Fn(Duration) -> Duration,
    ) -> [Option<Duration>; 2] {
        let mut watch = Watch::new(&CONTRACT);
        let mut first = [None, None];
        let mut now = from;
        while now < from + ms(2000) {
            let stall = late(now - from);
            now += ROUND + stall;
            match watch.judge(now, stall, reading) {
                Condition::Well => {}
                Condition::Silent => first[0] = first[0].or(Some(now - from)),
                Condition::Dead => first[1] = first[1].or(Some(now - from)),
            }
        }
        first
    }

    #[test]
    fn a_step_that_never_returns_is_silent_and_then_dead_within_the_bounds() {
        troika_safety::verifies![SR_TIM_008, SR_TIM_009];
        let began = ms(100_000);
        let stuck = Reading { began: Some(began), awake: Some(began) };
        let [silent, dead] = watched(stuck, began, |_| Duration::ZERO);
        assert_eq!((silent, dead), (Some(ms(70)), Some(ms(505))));
        let bounds = Watch::new(&CONTRACT).bounds(ROUND);
        assert!(silent.expect("seen") <= bounds.0 && dead.expect("seen") <= bounds.1);
    }

    #[test]
    fn a_node_that_sleeps_for_its_input_is_well_and_one_that_never_wakes_is_not() {
        troika_safety::verifies![SR_TIM_008];
        let awake = ms(100_000);
        let asleep = Reading { began: None, awake: Some(awake) };
        let mut watch = Watch::new(&CONTRACT);
        assert_eq!(watch.judge(awake + ms(99), Duration::ZERO, asleep), Condition::Well);
        let [silent, dead] = watched(asleep, awake, |_| Duration::ZERO);
        assert_eq!((silent, dead), (Some(ms(170)), Some(ms(600))), "three periods later");
    }

    #[test]
    fn a_node_that_wakes_by_the_clock_sleeps_a_period_and_no_longer() {
        troika_safety::verifies![SR_TIM_008];
        let contract = Contract::new(ContractSpec { wake: Wake::Period, ..*CONTRACT.spec() });
        let asleep = Reading { began: None, awake: Some(ms(100_000)) };
        let mut watch = Watch::new(&contract);
        // A period, the deadline, and a period more.
        assert_eq!(watch.judge(ms(100_000 + 99), Duration::ZERO, asleep), Condition::Well);
        assert_eq!(watch.judge(ms(100_000 + 100), Duration::ZERO, asleep), Condition::Silent);
    }

    #[test]
    fn a_node_that_has_not_started_is_well() {
        let mut watch = Watch::new(&CONTRACT);
        let never = Reading { began: None, awake: None };
        assert_eq!(watch.judge(ms(1_000_000), Duration::ZERO, never), Condition::Well);
    }

    #[test]
    fn a_machine_that_stood_still_is_not_held_against_the_node() {
        troika_safety::verifies![SR_TIM_018];
        let began = ms(100_000);
        let reading = Reading { began: Some(began), awake: Some(began) };
        // After 20 ms everything stands still for 700 ms, the watchdog too.
        let mut watch = Watch::new(&CONTRACT);
        assert_eq!(watch.judge(began + ms(20), Duration::ZERO, reading), Condition::Well);
        assert_eq!(watch.judge(began + ms(725), ms(700), reading), Condition::Well);
        assert_eq!(watch.judge(began + ms(730), Duration::ZERO, reading), Condition::Well);
        assert_eq!(
            watch.judge(began + ms(800), Duration::ZERO, reading),
            Condition::Silent,
            "it had its time"
        );
        // Also when the step began within the round that the stall made long.
        let mut watch = Watch::new(&CONTRACT);
        assert_eq!(watch.judge(began + ms(705), ms(700), reading), Condition::Well);
    }

    #[test]
    fn a_process_is_started_three_times_a_minute_and_no_more() {
        troika_safety::verifies![SR_TIM_009];
        let mut restarts = Restarts::default();
        let allowed: Vec<_> =
            [0, 1, 2, 3, 59].map(|second| restarts.allow(Duration::from_secs(second))).into();
        assert_eq!(allowed, [true, true, true, false, false]);
        assert_eq!(restarts.used(), (3, 3));
        assert!(restarts.allow(Duration::from_secs(61)));
        assert!(!restarts.allow(Duration::from_millis(60_900)));

        let mut many = Restarts::new(100);
        assert_eq!((0..200).filter(|n| many.allow(ms(*n))).count(), 100);
        assert!(!Restarts::new(0).allow(Duration::ZERO), "never");
    }
}
