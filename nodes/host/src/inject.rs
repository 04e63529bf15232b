//! Faults on purpose: what a step does besides its work, so that detection and reaction can be tested on the real thing. It is
//! named in the system file and told loudly; nothing injects by itself.

use std::{
    fs::File,
    hint::spin_loop,
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use troika_kit::{Tick, Time};

use crate::clock::monotonic_nanos;

/// Something that a step does wrong.
#[derive(Debug, Clone)]
pub struct Injection {
    /// What.
    pub fault: InjectedFault,
    /// The first step that does it, counted from 0 at each start of the process. Steps that were passed over (they would have
    /// started too late) do not count, so that two of them are as far apart in the node's own life as was asked for, however the
    /// machine stalls.
    pub at_step: u64,
    /// Again every so many steps; 0 is once.
    pub every: u64,
    /// Where each one is noted, for who measures what follows.
    pub log: Option<InjectionLog>,
}

/// Notes each injection, before it happens, so that its time is known and not guessed: a line of the node's name, the step's
/// number, its release and its start on the host's time line, and the onset on `CLOCK_MONOTONIC`, in nanoseconds. Several
/// processes may share the file; what is in it outlives them.
#[derive(Debug, Clone)]
pub struct InjectionLog {
    node: String,
    file: Arc<File>,
}

impl InjectionLog {
    /// Appends to the file at `path`, under this node's name.
    ///
    /// # Errors
    /// The file cannot be opened or made.
    pub fn open(path: &Path, node: &str) -> io::Result<InjectionLog> {
        let file = File::options().append(true).create(true).open(path)?;
        Ok(InjectionLog { node: node.to_owned(), file: Arc::new(file) })
    }

    /// One write of one line, which other writers cannot tear. It is a system call on the node's thread, of an injected step alone.
    fn note(&self, tick: &Tick) {
        let (release, now) = (tick.release.as_nanos(), tick.now.as_nanos());
        let line = format!("{} {} {release} {now} {}\n", self.node, tick.seq, monotonic_nanos());
        // Without its line the injection is not measured, and whoever counts the lines notices.
        let _lost = (&*self.file).write_all(line.as_bytes());
    }
}

/// What a step can do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// It never returns, and does not sleep.
    Hang,
    /// It never returns, and waits: for a lock that nobody gives back, a device that does not answer.
    Block,
    /// It computes for so long before it does its work.
    Overrun(Duration),
    /// It panics.
    Panic,
}

impl Injection {
    /// Whether the step before which `ran` others ran does it.
    pub(crate) fn is_due(&self, ran: u64) -> bool {
        ran.checked_sub(self.at_step)
            .is_some_and(|since| since == 0 || self.every > 0 && since.is_multiple_of(self.every))
    }

    /// Does it, on the node's own thread.
    pub(crate) fn happen(&self, tick: &Tick, now: &mut impl FnMut() -> Time) {
        if let Some(log) = &self.log {
            log.note(tick);
        }
        match self.fault {
            InjectedFault::Hang => loop {
                spin_loop();
            },
            InjectedFault::Block => loop {
                std::thread::park();
            },
            InjectedFault::Overrun(time) => {
                while now().since(tick.now) < time {
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
            let injection = Injection { fault: InjectedFault::Panic, at_step: 3, every, log: None };
            (0..13).filter(|ran| injection.is_due(*ran)).collect::<Vec<u64>>()
        };
        assert_eq!(due(0), [3]);
        assert_eq!(due(4), [3, 7, 11]);
        assert_eq!(due(1), (3..13).collect::<Vec<u64>>());
    }

    #[test]
    fn an_injection_is_noted_before_it_happens() {
        let path = std::env::temp_dir().join(format!("troika-injected-{}", std::process::id()));
        let log = InjectionLog::open(&path, "/motion").expect("a file");
        let injection = Injection { fault: InjectedFault::Panic, at_step: 3, every: 0, log: Some(log) };
        let at = Time::from_nanos;
        let tick = Tick { seq: 3, release: at(5), now: at(7), level: 0 };
        let before = monotonic_nanos();
        let panicked = std::panic::catch_unwind(|| injection.happen(&tick, &mut || at(7))).is_err();
        let text = std::fs::read_to_string(&path).expect("it is there");
        std::fs::remove_file(&path).expect("it is there");
        let (rest, onset) = text.trim_end().rsplit_once(' ').expect("a line");
        assert_eq!((panicked, rest), (true, "/motion 3 5 7"));
        let onset: u64 = onset.parse().expect("a number");
        assert!((before..=monotonic_nanos()).contains(&onset));
    }
}
