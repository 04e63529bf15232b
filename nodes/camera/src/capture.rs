//! The capture thread: opens the camera, reads it, paces files, and begins again after a loss. The newest frame waits in a
//! slot. What it does next is decided by [`Pump`], which has no thread and no clock.

use core::time::Duration;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use troika_kit::Time;

use crate::source::{Camera, Frame, FrameSource, SourceError};

/// The host's clock: frames are stamped with it as they come.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// How the camera is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// Being opened for the first time.
    #[default]
    Opening,
    /// Frames come.
    Live,
    /// It is not there, or was lost: why. It is tried again.
    Down(String),
    /// The file is at its end, and is not begun again.
    Ended,
}

/// The pause before a camera is tried again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// So many bad frames in a row are a lost camera.
const BAD_FRAMES: u32 = 30;
/// A file that is behind by more than this goes on from now instead of catching up.
const BEHIND: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// A frame came.
    Frame(Frame),
    /// Nothing before this time.
    Wait(Time),
    /// Ask again at once.
    Again,
    /// Nothing before somebody looks.
    Unwatched,
    /// Nothing ever again.
    Ended,
}

/// A camera with its losses.
struct Pump {
    camera: Box<dyn Camera>,
    open: Option<Box<dyn FrameSource>>,
    frames: u64,
    bad: u32,
    pause: Duration,
    retry_at: Time,
    due: Option<Time>,
    /// Somebody looks at what it shows. A file waits for that: its beginning would be over while others of the system still load.
    watched: bool,
    status: Status,
}

impl Pump {
    fn new(camera: Box<dyn Camera>) -> Pump {
        Pump {
            camera,
            open: None,
            frames: 0,
            bad: 0,
            pause: PAUSE,
            retry_at: Time::ZERO,
            due: None,
            watched: false,
            status: Status::Opening,
        }
    }

    fn turn(&mut self, now: Time) -> Turn {
        if self.status == Status::Ended {
            return Turn::Ended;
        }
        let Some(source) = self.open.as_mut() else {
            if now < self.retry_at {
                return Turn::Wait(self.retry_at);
            }
            return match self.camera.open() {
                Ok(source) => {
                    self.open = Some(source);
                    (self.frames, self.bad) = (0, 0);
                    Turn::Again
                }
                Err(error) => self.lost(now, error.to_string()),
            };
        };
        let pace = source.pace();
        if pace.is_some() {
            if !self.watched {
                return Turn::Unwatched;
            }
            let due = *self.due.get_or_insert(now);
            if now < due {
                return Turn::Wait(due);
            }
        }
        match source.next_frame() {
            Ok(frame) => {
                if self.status != Status::Live {
                    tracing::info!(
                        width = frame.width,
                        height = frame.height,
                        encoding = frame.encoding,
                        "frames come"
                    );
                }
                self.status = Status::Live;
                (self.frames, self.bad, self.pause) = (self.frames + 1, 0, PAUSE);
                if let Some(pace) = pace {
                    let due = self.due.unwrap_or(now);
                    self.due = Some(if now.since(due) > BEHIND { now + pace } else { due + pace });
                }
                Turn::Frame(frame)
            }
            Err(SourceError::BadFrame(reason)) if self.bad < BAD_FRAMES => {
                tracing::debug!(reason, "a frame was left out");
                self.bad += 1;
                Turn::Again
            }
            Err(SourceError::End) if self.frames > 0 => {
                self.open = None;
                if self.camera.repeats() {
                    return Turn::Again;
                }
                self.status = Status::Ended;
                Turn::Ended
            }
            // A file that has no frame at all is no file to begin again at once.
            Err(SourceError::End) => self.lost(now, "the source has no frame that can be read".to_owned()),
            Err(error) => self.lost(now, error.to_string()),
        }
    }

    fn lost(&mut self, now: Time, reason: String) -> Turn {
        troika_safety::fulfils![SR_DMS_021];
        self.open = None;
        self.due = None;
        self.retry_at = now + self.pause;
        let pause = self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let status = Status::Down(reason);
        if status != self.status {
            if let Status::Down(reason) = &status {
                tracing::warn!(reason, again_in = ?pause, "no frames from the camera");
            }
            self.status = status;
        }
        Turn::Wait(self.retry_at)
    }
}

/// What the thread and the node share.
#[derive(Default)]
struct Shared {
    newest: Option<(Time, Frame)>,
    status: Status,
    overwritten: u64,
    /// Somebody has looked.
    watched: bool,
    stop: bool,
}

/// The thread and its slot. Dropping it stops the thread, once the device lets it go.
pub(crate) struct Capture {
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

impl Capture {
    /// Starts the thread.
    pub(crate) fn start(camera: Box<dyn Camera>, clock: Clock) -> std::io::Result<Capture> {
        let shared = Arc::new((Mutex::new(Shared::default()), Condvar::new()));
        let slot = shared.clone();
        let pump = Pump::new(camera);
        std::thread::Builder::new().name("camera".to_owned()).spawn(move || run(pump, &clock, &slot))?;
        Ok(Capture { shared })
    }

    /// The newest frame that was not taken yet, and when it came. A file begins with the first call.
    pub(crate) fn take(&self) -> Option<(Time, Frame)> {
        let mut shared = lock(&self.shared.0);
        if !std::mem::replace(&mut shared.watched, true) {
            self.shared.1.notify_all();
        }
        shared.newest.take()
    }

    pub(crate) fn status(&self) -> Status {
        lock(&self.shared.0).status.clone()
    }

    /// Calls `told` with the reason when frames are missing.
    pub(crate) fn if_down<T>(&self, told: impl FnOnce(&str) -> T) -> Option<T> {
        match &lock(&self.shared.0).status {
            Status::Down(reason) => Some(told(reason)),
            _ => None,
        }
    }

    pub(crate) fn overwritten(&self) -> u64 {
        lock(&self.shared.0).overwritten
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        lock(&self.shared.0).stop = true;
        self.shared.1.notify_all();
    }
}

/// A panic of the other side leaves plain values behind, which are as good as before.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(mut pump: Pump, clock: &Clock, (shared, wake): &(Mutex<Shared>, Condvar)) {
    loop {
        // A driver or a decoder that panics is a lost camera, not a thread that is silently gone.
        let turn = catch_unwind(AssertUnwindSafe(|| pump.turn(clock())));
        let now = clock();
        let turn = turn.unwrap_or_else(|_panic| pump.lost(now, "reading it panicked".to_owned()));
        let mut slot = lock(shared);
        if slot.stop {
            return;
        }
        if slot.status != pump.status {
            slot.status = pump.status.clone();
        }
        match turn {
            Turn::Frame(frame) => {
                if slot.newest.replace((now, frame)).is_some() {
                    slot.overwritten += 1;
                }
            }
            Turn::Wait(until) => {
                // Woken early by a stop; woken early by nothing else, and then the pump says so again.
                drop(wake.wait_timeout(slot, until.since(now)).unwrap_or_else(PoisonError::into_inner));
            }
            Turn::Unwatched => {
                let looked = wake.wait_while(slot, |slot| !slot.watched && !slot.stop);
                pump.watched = looked.unwrap_or_else(PoisonError::into_inner).watched;
            }
            Turn::Again => {}
            Turn::Ended => return,
        }
    }
}

#[cfg(test)]
mod tests;
