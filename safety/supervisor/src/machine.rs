//! The state of a capability, and of the whole. Finite: counts of rounds and of losses, no times; so that a test can visit every state that can be
//! reached, with everything that can happen in it. It does so with the limits that ship (300, 50 and 6,000 rounds and three losses), after a start and
//! after a start in another's place, and with a scaled model whose states a person can read.

/// What a round found of the nodes that a capability stands on: the worst of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// All do their work.
    Well,
    /// One does it worse: it is late, or does less.
    Degraded,
    /// One has not been heard of yet.
    Unheard,
    /// One is silent, says that it cannot, or is not to be believed.
    Bad,
}

/// What a capability is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// The system starts: rounds since.
    Starting(u16),
    /// It is there.
    Available,
    /// It is there, and worse than it should be.
    Degraded,
    /// It is not there.
    Lost,
    /// Its nodes are well again, for so many rounds; it is not trusted yet.
    Recovering(u16),
    /// Lost too often: it stays so until somebody resets it.
    Latched,
}

/// How long and how often, in rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Nodes may take so long to be heard of first.
    pub start: u16,
    /// A lost capability is trusted after so many good rounds in a row.
    pub recover: u16,
    /// So many losses latch it.
    pub losses: u8,
    /// One loss is forgotten after so many rounds without one.
    pub forget: u16,
}

/// A capability's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Machine {
    limits: Limits,
    state: Capability,
    losses: u8,
    /// Rounds since the last loss, or since one was forgotten.
    quiet: u16,
}

impl Machine {
    /// The system starts.
    pub const fn new(limits: Limits) -> Machine {
        Machine { limits, state: Capability::Starting(0), losses: 0, quiet: 0 }
    }

    /// Who looked at it ended and begins again: what was lost is not known any more, so all counts as lost, and as often as may be without
    /// being latched, until it was seen to be well.
    pub const fn again(limits: Limits) -> Machine {
        troika_safety::fulfils![SR_SUP_011];
        let losses = limits.losses.saturating_sub(1);
        Machine { limits, state: Capability::Lost, losses, quiet: 0 }
    }

    /// What the capability is worth now.
    pub const fn state(&self) -> Capability {
        self.state
    }

    /// Losses that are remembered.
    pub const fn losses(&self) -> u8 {
        self.losses
    }

    /// One round: what was found, and whether somebody resets what is latched. A reset while the nodes are bad changes nothing.
    pub fn round(&mut self, health: Health, reset: bool) -> Capability {
        let good = matches!(health, Health::Well | Health::Degraded);
        let there = if health == Health::Well { Capability::Available } else { Capability::Degraded };
        self.state = match self.state {
            Capability::Starting(_) if good => there,
            Capability::Starting(rounds) if health == Health::Unheard && rounds + 1 < self.limits.start => {
                Capability::Starting(rounds + 1)
            }
            Capability::Available | Capability::Degraded if good => there,
            Capability::Starting(_) | Capability::Available | Capability::Degraded => self.lose(),
            Capability::Lost if good => self.recover(0),
            Capability::Lost => Capability::Lost,
            Capability::Recovering(rounds) if good => self.recover(rounds),
            Capability::Recovering(_) => self.lose(),
            Capability::Latched if good && reset => {
                self.losses = 0;
                self.recover(0)
            }
            Capability::Latched => Capability::Latched,
        };
        self.forget();
        self.state
    }

    fn recover(&self, rounds: u16) -> Capability {
        let rounds = rounds + 1;
        if rounds >= self.limits.recover { Capability::Available } else { Capability::Recovering(rounds) }
    }

    fn lose(&mut self) -> Capability {
        self.losses = self.losses.saturating_add(1).min(self.limits.losses);
        self.quiet = 0;
        if self.losses >= self.limits.losses { Capability::Latched } else { Capability::Lost }
    }

    fn forget(&mut self) {
        let stands = matches!(self.state, Capability::Available | Capability::Degraded);
        if !stands || self.losses == 0 {
            self.quiet = 0;
            return;
        }
        self.quiet += 1;
        if self.quiet >= self.limits.forget {
            self.losses -= 1;
            self.quiet = 0;
        }
    }
}

impl Capability {
    /// It can be used.
    pub const fn usable(self) -> bool {
        matches!(self, Capability::Available | Capability::Degraded)
    }

    /// It cannot, and the time that it may take to start is over.
    pub const fn missing(self) -> bool {
        !self.usable() && !matches!(self, Capability::Starting(_))
    }
}

/// What the whole is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whole {
    /// Everything is there.
    Nominal,
    /// Something is worse or missing, and nothing critical.
    Degraded,
    /// Something critical is missing: what depends on it is limited.
    Safe,
}

impl Whole {
    /// Of capabilities, each with whether it is critical. Nothing at all is no whole.
    pub fn of(capabilities: impl IntoIterator<Item = (bool, Capability)>) -> Whole {
        let one = |(critical, capability): (bool, Capability)| match capability {
            Capability::Available => Whole::Nominal,
            // A system that starts has shown nothing yet; it is not limited for that before its time is up.
            Capability::Degraded | Capability::Starting(_) => Whole::Degraded,
            _ if critical => Whole::Safe,
            _ => Whole::Degraded,
        };
        capabilities.into_iter().map(one).max().unwrap_or(Whole::Safe)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashSet, VecDeque};

    use super::*;

    const LIMITS: Limits = Limits { start: 3, recover: 3, losses: 3, forget: 4 };
    const HEALTH: [Health; 4] = [Health::Well, Health::Degraded, Health::Unheard, Health::Bad];

    fn rounds(machine: &mut Machine, count: u32) {
        for _ in 0..count {
            machine.round(Health::Well, false);
        }
    }

    /// Every state that can be reached from a start, or from one in another's place, and every way out of it.
    fn explore(limits: Limits, mut each: impl FnMut(Machine, Health, bool, Machine)) -> HashSet<Machine> {
        let first = [Machine::new(limits), Machine::again(limits)];
        let (mut seen, mut open) = (HashSet::from(first), VecDeque::from(first));
        while let Some(before) = open.pop_front() {
            for health in HEALTH {
                for reset in [false, true] {
                    let mut after = before;
                    after.round(health, reset);
                    each(before, health, reset, after);
                    if seen.insert(after) {
                        open.push_back(after);
                    }
                }
            }
        }
        seen
    }

    #[test]
    fn in_every_state_that_can_be_reached_every_event_keeps_what_is_promised() {
        troika_safety::verifies![SR_SUP_001, SR_SUP_002, SR_SUP_003, SR_SUP_011];
        let shipped = crate::Config::default().limits();
        for (limits, expected) in [(LIMITS, SCALED), (shipped, SHIPPED)] {
            let (states, ways) = promised(limits);
            println!("{limits:?}: {states} states, {ways} transitions");
            // All of it, so that a state that can no longer be reached is noticed.
            assert_eq!((states, ways), (expected, expected * 8));
        }
    }

    /// Holds every way out of every state to what is promised; how many there were of each.
    fn promised(limits: Limits) -> (usize, usize) {
        let mut ways = 0;
        let states = explore(limits, |before, health, reset, after| {
            ways += 1;
            let (was, is) = (before.state(), after.state());
            let good = matches!(health, Health::Well | Health::Degraded);
            // What is bad is not usable in the same round.
            assert!(!(health == Health::Bad && is.usable()), "{before:?} {health:?} {after:?}");
            // Nobody is trusted at once again: between lost and usable lie `recover` good rounds.
            if matches!(was, Capability::Lost | Capability::Latched) {
                assert!(!is.usable(), "{before:?} {after:?}");
            }
            if is.usable() && !was.usable() {
                let trusted = match was {
                    Capability::Starting(_) => true,
                    Capability::Recovering(rounds) => rounds + 1 == limits.recover,
                    _ => false,
                };
                assert!(good && trusted, "{before:?} {after:?}");
            }
            // A latch is left by a reset while the nodes are good, and by nothing else.
            if was == Capability::Latched && is != Capability::Latched {
                assert!(reset && good && is == Capability::Recovering(1), "{before:?} {after:?}");
            }
            // A reset changes nothing else.
            if was != Capability::Latched {
                let mut without = before;
                without.round(health, false);
                assert_eq!(without, after);
            }
            // What is degraded is said so.
            if health == Health::Degraded && is.usable() && was.usable() {
                assert_eq!(is, Capability::Degraded);
            }
            // What was not heard of within its time is lost.
            if was == Capability::Starting(limits.start - 1) && !good {
                assert!(!is.usable() && !matches!(is, Capability::Starting(_)), "{before:?} {after:?}");
            }
            assert!(after.losses() <= limits.losses && after.quiet < limits.forget);
            assert_eq!(is == Capability::Latched, after.losses() == limits.losses, "{before:?} {after:?}");
        });
        (states.len(), ways)
    }

    /// Counted by the exploration itself; a change of the machine changes it, and is looked at.
    const SCALED: usize = 27;
    const SHIPPED: usize = 24_449;

    #[test]
    fn from_every_state_good_rounds_and_a_reset_lead_back_and_a_third_loss_latches() {
        troika_safety::verifies![SR_SUP_003];
        for state in explore(LIMITS, |_, _, _, _| {}) {
            let mut machine = state;
            for _ in 0..LIMITS.recover {
                machine.round(Health::Well, true);
            }
            assert_eq!(machine.state(), Capability::Available, "from {state:?}");
        }
        let mut machine = Machine::new(LIMITS);
        for loss in 1..=3 {
            rounds(&mut machine, 3);
            machine.round(Health::Bad, false);
            assert_eq!(machine.state() == Capability::Latched, loss == 3);
        }
        rounds(&mut machine, 20);
        assert_eq!(machine.state(), Capability::Latched);
    }

    #[test]
    fn losses_that_are_long_ago_are_forgotten_one_by_one() {
        let mut machine = Machine::new(LIMITS);
        machine.round(Health::Bad, false);
        rounds(&mut machine, 3);
        assert_eq!((machine.state(), machine.losses()), (Capability::Available, 1));
        rounds(&mut machine, 4);
        assert_eq!(machine.losses(), 0);
    }

    #[test]
    fn the_whole_is_safe_where_something_critical_is_missing_and_nominal_only_where_all_is_there() {
        troika_safety::verifies![SR_SUP_001];
        let states = [
            Capability::Starting(0),
            Capability::Available,
            Capability::Degraded,
            Capability::Lost,
            Capability::Recovering(1),
            Capability::Latched,
        ];
        let missing = |state: Capability| !state.usable() && !matches!(state, Capability::Starting(_));
        for first in states {
            for second in states {
                for (critical, other) in [(true, false), (false, true), (true, true), (false, false)] {
                    let whole = Whole::of([(critical, first), (other, second)]);
                    let safe = critical && missing(first) || other && missing(second);
                    assert_eq!(whole == Whole::Safe, safe, "{first:?} {second:?}");
                    let all = [first, second].iter().all(|state| *state == Capability::Available);
                    assert_eq!(whole == Whole::Nominal, all);
                }
            }
        }
        assert_eq!(Whole::of([]), Whole::Safe);
    }
}
