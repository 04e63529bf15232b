//! Eyes closed for too long, and a driver who does not answer.

use core::time::Duration;

use troika_kit::Time;
use troika_safety::Requirement;

use super::{Frame, Gaze, Lamp};
use crate::{
    Alert, Kind, Profile, Zone,
    profile::{self, Kmh},
    timer::{Change, Is, Timer, reached},
};

/// How long the eyes have been closed while the vehicle moves.
#[derive(Debug)]
struct Closure {
    above_kmh: f32,
    timer: Timer,
    moved: bool,
}

impl Closure {
    fn new(above: Kmh, bridge: Duration) -> Closure {
        Closure { above_kmh: above.0, timer: Timer::new(bridge), moved: false }
    }

    fn update(&mut self, frame: &Frame) -> Change {
        let moves = frame.vehicle.above(self.above_kmh);
        let is = if moves { frame.eyes } else { Is::No };
        // A closure that was under way when the vehicle moved off counts from there.
        let onset = if self.moved { frame.closed_since } else { frame.now };
        self.moved = moves;
        self.timer.update(frame.now, is, onset)
    }

    /// The time that the eyes have been closed, if they are in this very frame and it is at least `limit`.
    fn passed(&self, frame: &Frame, limit: Duration) -> Option<Duration> {
        let closed = frame.eyes == Is::Yes && self.moved;
        self.timer.elapsed(frame.now).filter(|elapsed| closed && reached(*elapsed, limit))
    }
}

#[derive(Debug)]
pub(super) struct EyesClosed {
    closure: Closure,
    limit: Duration,
    requirement: Requirement,
    pub(super) lamp: Lamp,
}

impl EyesClosed {
    pub(super) fn new(profile: &Profile, rule: &profile::EyesClosed) -> EyesClosed {
        EyesClosed {
            closure: Closure::new(rule.above_kmh, profile.rules.bridge_s.0),
            limit: rule.limit_s.0,
            requirement: rule.requirement.0,
            lamp: Lamp::new(profile, rule.kind.into()),
        }
    }

    pub(super) fn step(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        troika_safety::fulfils![SR_DMS_016];
        if self.closure.update(frame).left {
            self.lamp.put_out(frame, out);
        }
        if let Some(elapsed) = self.closure.passed(frame, self.limit).filter(|_| !self.lamp.is_lit()) {
            self.lamp.light(frame, (elapsed, self.limit, self.requirement), out);
        }
    }

    pub(super) fn forget(&mut self, _now: Time) {
        self.closure.timer.reset();
    }
}

/// Latched until the driver acts; two ways lead to it, one lamp shows it.
#[derive(Debug)]
pub(super) struct Unresponsive {
    closure: Closure,
    closed_limit: Duration,
    closed_requirement: Requirement,
    no_return_limit: Duration,
    no_return_requirement: Requirement,
    above_kmh: f32,
    bridge: Duration,
    forward: Timer,
    /// Since a distraction warning that the gaze has not answered: the time that it was seen elsewhere, or the eyes closed.
    /// Time in which nothing is seen is no evidence and does not count.
    unanswered: Option<Duration>,
    pub(super) lamp: Lamp,
}

impl Unresponsive {
    pub(super) fn new(profile: &Profile, rule: &profile::Unresponsive) -> Unresponsive {
        let bridge = profile.rules.bridge_s.0;
        Unresponsive {
            closure: Closure::new(rule.above_kmh, bridge),
            closed_limit: rule.eyes_closed_s.0,
            closed_requirement: rule.eyes_closed_requirement.0,
            no_return_limit: rule.no_return_s.0,
            no_return_requirement: rule.no_return_requirement.0,
            above_kmh: rule.above_kmh.0,
            bridge,
            forward: Timer::new(bridge),
            unanswered: None,
            lamp: Lamp::new(profile, Kind::Unresponsive),
        }
    }

    pub(super) fn step(&mut self, frame: &Frame, warned: bool, out: &mut Vec<Alert>) {
        self.closure.update(frame);
        if frame.vehicle.driver_acted && self.lamp.is_lit() {
            self.lamp.put_out(frame, out);
            // Whoever acts responds: what led here has to last anew.
            self.closure.timer.restart(frame.now);
            self.unanswered = None;
        }
        self.wait_for_gaze(frame, warned);
        if self.lamp.is_lit() {
            return;
        }
        if let Some(elapsed) = self.closure.passed(frame, self.closed_limit) {
            self.lamp.light(frame, (elapsed, self.closed_limit, self.closed_requirement), out);
        } else if let Some(elapsed) =
            self.unanswered.filter(|elapsed| reached(*elapsed, self.no_return_limit))
        {
            self.unanswered = None;
            self.lamp.light(frame, (elapsed, self.no_return_limit, self.no_return_requirement), out);
        }
    }

    fn wait_for_gaze(&mut self, frame: &Frame, warned: bool) {
        let forward = match frame.gaze {
            Gaze::Unknown => Is::Unknown,
            gaze => (gaze == Gaze::At(Zone::Forward)).into(),
        };
        self.forward.update(frame.now, forward, frame.now);
        if let Some(unanswered) = &mut self.unanswered {
            let elsewhere = !matches!(frame.was, Gaze::Unknown | Gaze::At(Zone::Forward));
            if elsewhere {
                *unanswered += frame.now.since(frame.before);
            }
            // One misread frame is no answer.
            let back =
                forward == Is::Yes && self.forward.elapsed(frame.now).is_some_and(|back| back > self.bridge);
            if back || !frame.vehicle.above(self.above_kmh) {
                self.unanswered = None;
            }
        }
        if warned && self.unanswered.is_none() {
            self.unanswered = Some(Duration::ZERO);
        }
    }

    pub(super) fn forget(&mut self, _now: Time) {
        self.closure.timer.reset();
        self.forward.reset();
        self.unanswered = None;
    }
}
