//! Drowsiness: the share of time with the eyes closed, and long blinks, over a sliding window of wall time. Time standing
//! and time unseen are no evidence: they are in neither part of the share, and too much of them means no verdict.

use core::time::Duration;
use std::collections::VecDeque;

use troika_kit::Time;
use troika_safety::Requirement;

use super::{Frame, Lamp};
use crate::{
    Alert, Kind, Profile, profile,
    timer::{Is, Window, reached},
};

#[derive(Debug)]
pub(super) struct Drowsy {
    above_kmh: f32,
    evidence: Evidence,
    raise_share: f64,
    clear_share: f64,
    proxy: Option<Proxy>,
    requirement: Requirement,
    pub(super) lamp: Lamp,
}

/// What the drowsiness warning has over plain PERCLOS.
#[derive(Debug)]
struct Proxy {
    long_blink: Duration,
    long_blinks: usize,
    repeat: Duration,
    last_warning: Time,
}

impl Drowsy {
    pub(super) fn perclos(profile: &Profile, rule: &profile::Perclos) -> Drowsy {
        Drowsy {
            above_kmh: rule.above_kmh.0,
            evidence: Evidence::new(rule.window_s.0, rule.blink_s.0, rule.seen_share.0, None),
            raise_share: rule.raise_share.0,
            clear_share: rule.clear_share.0,
            proxy: None,
            requirement: rule.requirement.0,
            lamp: Lamp::new(profile, Kind::Drowsiness),
        }
    }

    pub(super) fn drowsiness(profile: &Profile, rule: &profile::Drowsiness) -> Drowsy {
        let long_blink = rule.long_blink_s.0;
        Drowsy {
            above_kmh: rule.above_kmh.0,
            evidence: Evidence::new(rule.window_s.0, rule.blink_s.0, rule.seen_share.0, Some(long_blink)),
            raise_share: rule.raise_share.0,
            clear_share: rule.clear_share.0,
            proxy: Some(Proxy {
                long_blink,
                long_blinks: usize::from(rule.long_blinks),
                repeat: rule.repeat_s.0,
                last_warning: Time::ZERO,
            }),
            requirement: rule.requirement.0,
            lamp: Lamp::new(profile, Kind::Drowsiness),
        }
    }

    pub(super) fn step(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        self.evidence.take(frame);
        if frame.vehicle.parked {
            self.evidence.reset();
            self.lamp.put_out(frame, out);
            return;
        }
        if self.proxy.is_some() && self.lamp.is_lit() && frame.vehicle.driver_acted {
            // Acknowledged. A new warning needs a full window of new evidence.
            self.evidence.reset();
            self.lamp.put_out(frame, out);
            return;
        }
        let active = frame.vehicle.above(self.above_kmh);
        // PERCLOS stays lit at a red light; the drowsiness warning is one of fast roads only.
        if self.proxy.is_some() && !active {
            self.lamp.put_out(frame, out);
        }
        let Some(share) = self.evidence.share(frame.now) else { return };
        let blinks = self.evidence.long_blinks(frame.now);
        let window = self.evidence.window;
        let by_share = share > self.raise_share;
        let by_blinks = self.proxy.as_ref().is_some_and(|proxy| blinks >= proxy.long_blinks);
        let better = share < self.clear_share
            && self.proxy.as_ref().is_none_or(|proxy| blinks < proxy.long_blinks.div_ceil(2));
        if better {
            self.lamp.put_out(frame, out);
        }
        let again = self
            .proxy
            .as_ref()
            .is_some_and(|proxy| reached(frame.now.since(proxy.last_warning), proxy.repeat));
        let due = if self.lamp.is_lit() { again } else { by_share || by_blinks };
        if !(active && due) {
            return;
        }
        let passed = match &self.proxy {
            Some(proxy) if by_blinks && !by_share => (
                proxy.long_blink * blinks as u32,
                proxy.long_blink * proxy.long_blinks as u32,
                self.requirement,
            ),
            _ => (window.mul_f64(share), window.mul_f64(self.raise_share), self.requirement),
        };
        self.lamp.light(frame, passed, out);
        if let Some(proxy) = &mut self.proxy {
            proxy.last_warning = frame.now;
        }
    }

    pub(super) fn forget(&mut self, now: Time) {
        self.evidence.reset();
        if let Some(proxy) = &mut self.proxy {
            proxy.last_warning = now;
        }
    }
}

/// Long blinks held: more than this many within the window say the same.
const LONG_BLINKS: usize = 256;

/// What was seen of the eyes over the window.
#[derive(Debug)]
struct Evidence {
    window: Duration,
    blink: Duration,
    seen_share: f64,
    long_blink: Option<Duration>,
    began: Option<Time>,
    /// The frame before was evidence: eyes seen, vehicle moving.
    was_seen: bool,
    seen: Window,
    closed: Window,
    closing: Option<Time>,
    blinks: VecDeque<Time>,
}

impl Evidence {
    fn new(window: Duration, blink: Duration, seen_share: f64, long_blink: Option<Duration>) -> Evidence {
        Evidence {
            window,
            blink,
            seen_share,
            long_blink,
            began: None,
            was_seen: false,
            seen: Window::new(window),
            closed: Window::new(window),
            closing: None,
            blinks: VecDeque::with_capacity(LONG_BLINKS),
        }
    }

    fn take(&mut self, frame: &Frame) {
        let moves = frame.vehicle.above(0.0);
        self.began.get_or_insert(frame.now);
        if self.was_seen {
            self.seen.add(frame.before, frame.now);
        }
        self.was_seen = moves && frame.eyes != Is::Unknown;
        if let Some(since) = self.closing {
            // Up to here the eyes were closed, whatever this frame shows.
            if reached(frame.now.since(since), self.blink) {
                self.closed.add(since, frame.now);
            }
        }
        if moves && frame.eyes == Is::Yes {
            let began = self.began.unwrap_or(frame.now);
            self.closing.get_or_insert(frame.closed_since.max(began));
        } else if let Some(since) = self.closing.take() {
            let long = self.long_blink.is_some_and(|long| frame.now.since(since) > long);
            if long && self.blinks.len() < LONG_BLINKS {
                self.blinks.push_back(frame.now);
            }
        }
    }

    /// The share of seen time that was no blink and closed; `None` until a full window has enough of it.
    fn share(&mut self, now: Time) -> Option<f64> {
        let full = self.began.is_some_and(|began| reached(now.since(began), self.window));
        let (seen, closed) = (self.seen.total(now), self.closed.total(now));
        let enough = seen.as_secs_f64() >= self.seen_share * self.window.as_secs_f64();
        (full && enough).then(|| closed.as_nanos() as f64 / seen.as_nanos() as f64)
    }

    fn long_blinks(&mut self, now: Time) -> usize {
        while self.blinks.front().is_some_and(|end| now.since(*end) > self.window) {
            self.blinks.pop_front();
        }
        self.blinks.len()
    }

    fn reset(&mut self) {
        (self.began, self.closing, self.was_seen) = (None, None, false);
        self.seen.clear();
        self.closed.clear();
        self.blinks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Gaze, *};
    use crate::Vehicle;

    #[test]
    fn no_more_long_blinks_are_held_than_there_is_room_for() {
        let mut evidence = Evidence::new(
            Duration::from_secs(3600),
            Duration::from_millis(100),
            0.5,
            Some(Duration::from_millis(100)),
        );
        let mut before = Time::ZERO;
        let mut frame = |ms: u64, eyes: Is| {
            let now = Time::from_nanos(ms * 1_000_000);
            let frame = Frame {
                before,
                was: Gaze::Unknown,
                now,
                gaze: Gaze::Unknown,
                eyes,
                closed_since: now,
                nominal: true,
                vehicle: Vehicle::default(),
            };
            before = now;
            evidence.take(&frame);
        };
        for n in 0..LONG_BLINKS as u64 + 10 {
            frame(1_000 * n, Is::Yes);
            frame(1_000 * n + 200, Is::No);
        }
        assert_eq!(evidence.blinks.len(), LONG_BLINKS);
    }
}
