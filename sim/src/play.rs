//! Which frame of a script is due: the scenario's time is that of the releases since the first one.

use troika_kit::{Duration, Time};

/// The period of 30 frames a second, to the nanosecond.
pub const PERIOD: Duration = Duration::from_nanos(33_333_333);

/// A script that plays.
#[derive(Debug)]
pub struct Play {
    repeat: bool,
    started: Option<Time>,
}

impl Play {
    /// Starts at its first release; `repeat` starts anew at the end.
    pub fn new(repeat: bool) -> Play {
        Play { repeat, started: None }
    }

    /// The frame that is due at `release`, of so many; none after the end.
    pub fn due(&mut self, release: Time, frames: usize) -> Option<usize> {
        let started = *self.started.get_or_insert(release);
        // Half a frame of room, since releases are whole nanoseconds of a third of a second.
        let frame = ((release.since(started).as_nanos() * 30 + 500_000_000) / 1_000_000_000) as usize;
        if self.repeat { Some(frame % frames.max(1)) } else { Some(frame) }.filter(|frame| *frame < frames)
    }
}
