//! When a closure began. `EYES_CLOSED` is said only once the eyes have been closed for longer than a blink, and the rules
//! count from the lids' fall: the openness of the frames before tells, else the state's own definition.

use core::time::Duration;

use troika_kit::Time;

use crate::{Observation, State, timer::Is};

/// A blink is shorter than this; `DriverState.EYES_CLOSED` begins after it.
const BLINK: Duration = Duration::from_millis(400);
/// An openness below this is a lid that falls; only looked at around a closure, so the value is not critical.
const FALLING: f32 = 0.5;
/// A lid that has hung low for longer than this before `EYES_CLOSED` was drooping, not closed: a blink and three frames.
const AT_MOST: Duration = Duration::from_millis(500);
/// A face that is lost for no longer than this does not end a closure, as in `DriverState`.
const LOST: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Default)]
pub(crate) struct Eyes {
    low_since: Option<Time>,
    last_low: Option<Time>,
    closed_since: Option<Time>,
    last_closed: Option<Time>,
}

impl Eyes {
    /// Whether the eyes are closed, and since when.
    pub(crate) fn update(&mut self, now: Time, seen: Option<&Observation>) -> (Is, Time) {
        let (state, openness) = seen.map_or((State::Unknown, None), |seen| (seen.state, seen.openness));
        let low = state != State::Unknown && openness.is_some_and(|openness| openness < FALLING);
        let last_low = self.last_low;
        // While lids fall; a closure that has been told counts what is seen of it and nothing else.
        let lost = state == State::Unknown
            && self.closed_since.is_none()
            && self.last_low.is_some_and(|last| now.since(last) <= LOST);
        self.low_since = if low { self.low_since.or(Some(now)) } else { self.low_since.filter(|_| lost) };
        if low {
            self.last_low = Some(now);
        }
        if state != State::EyesClosed {
            self.closed_since = None;
            // Eyes behind dark glass or a hand are not seen, wherever the head is turned: neither closed nor open (SR-DMS-007).
            let unseen = state == State::Unknown || openness.is_none();
            return (if unseen { Is::Unknown } else { Is::No }, now);
        }
        let since = self.closed_since.unwrap_or_else(|| {
            let fell = match self.low_since {
                // Frames that were lost before this one are no droop: what counts is how long the lids had hung in the frame before.
                Some(fell) if last_low.is_some_and(|last| last.since(fell) <= AT_MOST) => fell,
                Some(fell) => fell.max(now - AT_MOST),
                None => now - BLINK,
            };
            fell.max(self.last_closed.unwrap_or(Time::ZERO))
        });
        self.closed_since = Some(since);
        self.last_closed = Some(now);
        (Is::Yes, since)
    }

    pub(crate) fn reset(&mut self) {
        *self = Eyes::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    /// When the eyes are taken to have closed, after these frames: ms, state, openness.
    fn closed_since(frames: &[(u64, State, f32)]) -> Time {
        let mut eyes = Eyes::default();
        let last = frames.iter().map(|(ms, state, openness)| {
            let seen = Observation {
                stamp: at(*ms),
                state: *state,
                zone: crate::Zone::Unknown,
                openness: Some(*openness),
                nominal: true,
                vehicle: crate::Vehicle::default(),
            };
            eyes.update(at(*ms), Some(&seen))
        });
        let (closed, since) = last.last().expect("a frame");
        assert_eq!(closed, Is::Yes);
        since
    }

    #[test]
    fn lids_that_are_half_open_do_not_fall_yet() {
        let since =
            |openness| closed_since(&[(1000, State::Attentive, openness), (1250, State::EyesClosed, 0.0)]);
        assert_eq!(since(FALLING - 0.01), at(1000));
        assert_eq!(since(FALLING), at(1250));
    }

    #[test]
    fn frames_that_are_lost_while_the_lids_fall_make_no_droop_of_a_closure() {
        troika_safety::verifies![SR_DMS_006];
        let fall =
            [(1000, State::Attentive, 0.3), (1250, State::Attentive, 0.1), (1600, State::EyesClosed, 0.0)];
        assert_eq!(
            closed_since(&fall),
            at(1000),
            "0.6 s before it was said, and the lids were seen down for 0.25 s of it"
        );
        let droop =
            [(1000, State::Attentive, 0.3), (1550, State::Attentive, 0.3), (1600, State::EyesClosed, 0.0)];
        assert_eq!(closed_since(&droop), at(1100), "at most 0.5 s is taken from before");
    }
}
