//! How much of its work a node does: one of its levels ([`troika_kit::Step::LEVELS`]), chosen on the slack that is measured
//! between a step's end and its deadline. Pure: the runner feeds it with every step that worked.
//!
//! Down at once, up with patience. A step is *tight* when it leaves little of its deadline or takes more than its budget. Two within a
//! second lower the level: one alone is a stall of the machine, which doing less would not mend. A quiet time raises it again; each
//! time that the higher level does not hold, the next try waits twice as long.

use std::time::Duration;

use troika_kit::{Contract, Time};

/// A step that leaves less of its deadline than this is tight.
const TIGHT: f64 = 0.1;
/// Tight steps …
const TIGHT_STEPS: usize = 2;
/// … within this lower the level.
const TIGHT_WITHIN: Duration = Duration::from_secs(1);
/// A higher level is tried when this one leaves this share of the deadline.
const ROOM: f64 = 0.2;
/// Quiet time before the first try of a higher level.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that a try is put off.
const LEAST_OFTEN: Duration = Duration::from_secs(320);
/// A level that holds for this long was rightly chosen.
const HOLDS: Duration = Duration::from_secs(20);
/// Levels that a node can have.
pub(crate) const MOST_LEVELS: usize = 4;

/// A node's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LevelPlan {
    /// By the measured slack.
    #[default]
    Governed,
    /// Always this one.
    Fixed(usize),
}

impl LevelPlan {
    /// As one number over 0, so that it passes between threads.
    pub(crate) fn code(self) -> u64 {
        match self {
            LevelPlan::Governed => 1,
            LevelPlan::Fixed(level) => 2 + level as u64,
        }
    }

    /// The other way; none of 0.
    pub(crate) fn of_code(code: u64) -> Option<LevelPlan> {
        match code {
            0 => None,
            1 => Some(LevelPlan::Governed),
            over => Some(LevelPlan::Fixed((over - 2) as usize)),
        }
    }
}

/// One node's governor.
#[derive(Debug, Clone)]
pub(crate) struct Governor {
    deadline: Duration,
    budget: Duration,
    levels: usize,
    fixed: bool,
    level: usize,
    /// When the last tight steps were.
    tight: [Option<Time>; TIGHT_STEPS],
    /// Since when nothing was tight at this level.
    quiet_since: Option<Time>,
    /// When the level was last raised.
    raised: Option<Time>,
    patience: Duration,
}

impl Governor {
    /// For a node with `levels` levels under `contract`.
    pub(crate) fn new(contract: &Contract, levels: usize, plan: LevelPlan) -> Governor {
        let levels = levels.clamp(1, MOST_LEVELS);
        let (fixed, level) = match plan {
            LevelPlan::Governed => (levels == 1, 0),
            LevelPlan::Fixed(level) => (true, level.min(levels - 1)),
        };
        Governor {
            deadline: contract.spec().deadline,
            budget: contract.spec().budget,
            levels,
            fixed,
            level,
            tight: [None; TIGHT_STEPS],
            quiet_since: None,
            raised: None,
            patience: PATIENCE,
        }
    }

    /// The level of the next step.
    pub(crate) fn level(&self) -> usize {
        self.level
    }

    /// Takes note of a step that worked: it ended at `end`, `latency` after its release, and ran for `took`. True when the
    /// level changed.
    pub(crate) fn observe(&mut self, end: Time, latency: Duration, took: Duration) -> bool {
        if self.fixed {
            return false;
        }
        if latency > self.deadline.mul_f64(1.0 - TIGHT) || took > self.budget {
            return self.tight(end);
        }
        let quiet_since = *self.quiet_since.get_or_insert(end);
        if self.raised.is_some_and(|raised| end.since(raised) >= HOLDS) {
            self.raised = None;
            self.patience = PATIENCE;
        }
        let due = self.level > 0 && end.since(quiet_since) >= self.patience;
        if !due || latency > self.deadline.mul_f64(1.0 - ROOM) {
            return false;
        }
        self.level -= 1;
        self.raised = Some(end);
        self.begin();
        true
    }

    /// A tight step, or one that was too late to run.
    fn tight(&mut self, at: Time) -> bool {
        troika_safety::fulfils![SR_TIM_020];
        self.quiet_since = None;
        self.tight.rotate_left(1);
        self.tight[TIGHT_STEPS - 1] = Some(at);
        let often = self.tight[0].is_some_and(|first| at.since(first) <= TIGHT_WITHIN);
        if !often || self.level + 1 >= self.levels {
            return false;
        }
        if self.raised.take().is_some() {
            // The level above does not hold.
            self.patience = (self.patience * 2).min(LEAST_OFTEN);
        }
        self.level += 1;
        self.begin();
        true
    }

    /// A step that the node's lateness kept from running.
    pub(crate) fn too_late(&mut self, at: Time) -> bool {
        !self.fixed && self.tight(at)
    }

    fn begin(&mut self) {
        self.tight = [None; TIGHT_STEPS];
        self.quiet_since = None;
    }
}

#[cfg(test)]
mod tests {
    use troika_kit::{Class, ContractSpec, Wake};

    use super::*;

    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "test",
        wake: Wake::Input("image"),
        period: Duration::from_millis(33),
        deadline: Duration::from_millis(33),
        budget: Duration::from_millis(30),
        class: Class::Hard,
        requirements: &[],
    });

    /// Steps every 33 ms whose time depends on the level.
    struct Bench {
        governor: Governor,
        now: Time,
        changes: Vec<(u64, usize)>,
        steps: u64,
    }

    impl Bench {
        fn new(levels: usize, plan: LevelPlan) -> Bench {
            let now = Time::from_nanos(1_000_000_000);
            Bench { governor: Governor::new(&CONTRACT, levels, plan), now, changes: Vec::new(), steps: 0 }
        }

        fn run(&mut self, seconds: u64, mut ms: impl FnMut(u64, usize) -> u64) {
            for _ in 0..seconds * 30 {
                let took = Duration::from_millis(ms(self.steps, self.governor.level()));
                let end = self.now + took;
                if self.governor.observe(end, took + Duration::from_millis(1), took) {
                    self.changes.push((self.steps, self.governor.level()));
                }
                self.steps += 1;
                self.now = self.now + Duration::from_millis(33);
            }
        }
    }

    #[test]
    fn steps_with_slack_stay_at_the_full_level() {
        let mut bench = Bench::new(3, LevelPlan::Governed);
        bench.run(60, |_, _| 20);
        assert_eq!((bench.governor.level(), bench.changes.len()), (0, 0));
    }

    #[test]
    fn two_tight_steps_in_a_second_lower_the_level_and_one_does_not() {
        troika_safety::verifies![SR_TIM_020];
        let mut bench = Bench::new(3, LevelPlan::Governed);
        bench.run(60, |step, _| if step % 60 == 0 { 40 } else { 20 });
        assert_eq!(bench.changes, [], "one stall every two seconds");
        let begin = bench.steps;
        bench.run(1, |_, level| if level == 0 { 31 } else { 20 });
        assert_eq!(bench.changes, [(begin + 1, 1)]);
    }

    #[test]
    fn steps_over_their_budget_lower_the_level_too() {
        troika_safety::verifies![SR_TIM_020];
        let mut bench = Bench::new(2, LevelPlan::Governed);
        let mut observe = |took| {
            let took = Duration::from_millis(took);
            bench.now = bench.now + Duration::from_millis(33);
            // In time all the same: nothing waited.
            bench.governor.observe(bench.now, Duration::from_millis(29), took)
        };
        assert!(!observe(30) && !observe(31) && observe(31));
    }

    #[test]
    fn the_level_goes_up_again_when_the_load_is_gone() {
        let mut bench = Bench::new(3, LevelPlan::Governed);
        bench.run(2, |_, _| 32);
        assert_eq!(bench.governor.level(), 2, "the last level, and not past it");
        bench.run(30, |_, _| 10);
        assert_eq!(bench.governor.level(), 0);
    }

    #[test]
    fn a_level_that_does_not_hold_is_tried_less_and_less_often() {
        let mut bench = Bench::new(2, LevelPlan::Governed);
        // The full level is too dear all the time, the other is not.
        bench.run(600, |_, level| if level == 0 { 32 } else { 10 });
        let ups: Vec<u64> =
            bench.changes.iter().filter(|change| change.1 == 0).map(|change| change.0).collect();
        assert!((5..=12).contains(&ups.len()), "tries in ten minutes: {ups:?}");
        let gaps: Vec<u64> = ups.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.windows(2).all(|pair| pair[1] >= pair[0]), "{gaps:?}");
        // Two steps of each try were too dear, none else.
        assert_eq!(bench.changes.len(), 2 * ups.len() + 1);
    }

    #[test]
    fn a_fixed_level_stays_whatever_happens() {
        let mut bench = Bench::new(3, LevelPlan::Fixed(1));
        bench.run(5, |_, _| 40);
        bench.run(60, |_, _| 1);
        assert_eq!((bench.governor.level(), bench.changes.len()), (1, 0));
        let one = Bench::new(1, LevelPlan::Governed);
        assert!(one.governor.fixed, "a node with one level has none to choose");
    }

    #[test]
    fn steps_that_were_too_late_to_run_lower_the_level() {
        troika_safety::verifies![SR_TIM_020];
        let mut bench = Bench::new(2, LevelPlan::Governed);
        assert!(!bench.governor.too_late(bench.now));
        assert!(bench.governor.too_late(bench.now + Duration::from_millis(33)));
        assert_eq!(bench.governor.level(), 1);
    }
}
