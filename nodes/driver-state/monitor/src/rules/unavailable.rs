//! The driver, or the driver's eyes, have not been seen for too long while the vehicle moves.

use core::time::Duration;

use troika_kit::Time;
use troika_safety::Requirement;

use super::{Frame, Lamp};
use crate::{
    Alert, Kind, Profile, profile,
    timer::{Is, Timer, reached},
};

#[derive(Debug)]
pub(super) struct Unavailable {
    above_kmh: f32,
    limit: Duration,
    requirement: Requirement,
    blind: Timer,
    pub(super) lamp: Lamp,
}

impl Unavailable {
    pub(super) fn new(profile: &Profile, rule: &profile::Unavailable) -> Unavailable {
        Unavailable {
            above_kmh: rule.above_kmh.0,
            limit: rule.limit_s.0,
            requirement: rule.requirement.0,
            blind: Timer::new(profile.rules.bridge_s.0),
            lamp: Lamp::new(profile, Kind::MonitoringUnavailable),
        }
    }

    pub(super) fn step(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        // The gaze alone, by the turn of the head, is half of the monitoring: no sleep would be seen.
        let blind = frame.eyes == Is::Unknown && frame.vehicle.above(self.above_kmh);
        if self.blind.update(frame.now, blind.into(), frame.now).left {
            self.lamp.put_out(frame, out);
        }
        let elapsed = self.blind.elapsed(frame.now).filter(|elapsed| blind && reached(*elapsed, self.limit));
        if let Some(elapsed) = elapsed.filter(|_| !self.lamp.is_lit()) {
            self.lamp.light(frame, (elapsed, self.limit, self.requirement), out);
        }
    }

    pub(super) fn forget(&mut self, _now: Time) {
        self.blind.reset();
    }
}
