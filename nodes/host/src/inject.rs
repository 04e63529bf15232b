//! Faults on purpose: what a step does besides its work, so that detection and reaction can be tested on the real thing. It is
//! named in the system file and told loudly; nothing injects by itself.

use std::{hint::spin_loop, time::Duration};

use troika_kit::Time;

/// Something that a step does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injection {
    /// What.
    pub fault: InjectedFault,
    /// The first step that does it, counted from 0 at each start of the process.
    pub at_step: u64,
    /// Again every so many steps; 0 is once.
    pub every: u64,
}

/// What a step can do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// It never returns, and does not sleep.
    Hang,
    /// It computes for so long before it does its work.
    Overrun(Duration),
    /// It panics.
    Panic,
}

impl Injection {
    pub(crate) fn is_due(&self, step: u64) -> bool {
        match step.checked_sub(self.at_step) {
            Some(0) => true,
            Some(since) => self.every > 0 && since.is_multiple_of(self.every),
            None => false,
        }
    }

    /// Does it, on the node's own thread.
    pub(crate) fn happen(&self, start: Time, now: &mut impl FnMut() -> Time) {
        match self.fault {
            InjectedFault::Hang => loop {
                spin_loop();
            },
            InjectedFault::Overrun(time) => {
                while now().since(start) < time {
                    spin_loop();
                }
            }
            InjectedFault::Panic => panic!("a panic was injected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injection_comes_when_it_is_due() {
        let due = |every| {
            let injection = Injection { fault: InjectedFault::Panic, at_step: 3, every };
            (0..10).filter(|step| injection.is_due(*step)).collect::<Vec<_>>()
        };
        assert_eq!(due(0), [3]);
        assert_eq!(due(4), [3, 7]);
    }
}
