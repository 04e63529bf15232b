//! One glance that stays in the zones of a rule for too long.

use core::time::Duration;

use troika_kit::Time;
use troika_safety::Requirement;

use super::{Frame, Gaze, Lamp, Warmup};
use crate::{
    Alert, Kind, Profile,
    observation::Zones,
    profile,
    timer::{Is, Timer, reached},
};

#[derive(Debug)]
pub(super) struct LongGlance {
    zones: Zones,
    free_zones: Zones,
    free_at_most: Duration,
    non_nominal: Duration,
    requirement: Requirement,
    warmup: Warmup,
    glance: Timer,
    bands: Vec<Band>,
    pub(super) lamp: Lamp,
}

/// A speed band's own clock: it runs while the gaze is in the zones and the speed in the band or above it. So a glance that
/// crosses a band upwards has the stricter limit from the crossing and the looser one from its start, whichever is first;
/// and one that crosses downwards keeps the looser one from its start.
#[derive(Debug)]
struct Band {
    measured_from_kmh: f32,
    from_kmh: f32,
    limit: Duration,
    timer: Timer,
    /// Time of this glance on the free zones, up to what is free.
    free: Duration,
}

impl LongGlance {
    pub(super) fn new(profile: &Profile, rule: &profile::LongGlance) -> LongGlance {
        let bridge = profile.rules.bridge_s.0;
        let bands: Vec<Band> = (rule.bands.iter())
            .map(|band| Band {
                measured_from_kmh: rule.measured_from_kmh.unwrap_or(band.from_kmh).0,
                from_kmh: band.from_kmh.0,
                limit: band.limit_s.0,
                timer: Timer::new(bridge),
                free: Duration::ZERO,
            })
            .collect();
        LongGlance {
            zones: Zones::new(&rule.zones),
            free_zones: Zones::new(&rule.free_zones),
            free_at_most: rule.free_s.map_or(Duration::ZERO, |free| free.0),
            non_nominal: rule.non_nominal_s.map_or(Duration::ZERO, |more| more.0),
            requirement: rule.requirement.0,
            warmup: Warmup::new(rule.after_s.map(|after| after.0), bands[0].measured_from_kmh),
            glance: Timer::new(bridge),
            bands,
            lamp: Lamp::new(profile, Kind::LongDistraction),
        }
    }

    pub(super) fn step(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        let warm = self.warmup.over(frame);
        let within = frame.gaze.within(self.zones);
        troika_safety::fulfils![SR_DMS_014];
        let more = if frame.nominal { Duration::ZERO } else { self.non_nominal };
        let left = self.glance.update(frame.now, within, frame.now).left;
        let mut active = false;
        let mut passed = None;
        for band in &mut self.bands {
            let measured = warm && frame.vehicle.at_least(band.measured_from_kmh);
            let is = if measured { within } else { Is::No };
            let started = band.timer.update(frame.now, is, frame.now).started;
            if started {
                band.free = Duration::ZERO;
            } else if matches!(frame.was, Gaze::At(zone) if self.free_zones.has(zone)) {
                band.free = (band.free + frame.now.since(frame.before)).min(self.free_at_most);
            }
            let here = warm && frame.vehicle.at_least(band.from_kmh);
            active |= here;
            let Some(elapsed) = band.timer.elapsed(frame.now).filter(|_| here && is == Is::Yes) else {
                continue;
            };
            let limit = band.limit + band.free + more;
            if reached(elapsed, limit) {
                passed = Some((elapsed, limit, self.requirement));
            }
        }
        if left || !active {
            self.lamp.put_out(frame, out);
        }
        if let Some(passed) = passed.filter(|_| !self.lamp.is_lit()) {
            self.lamp.light(frame, passed, out);
        }
    }

    pub(super) fn forget(&mut self, now: Time) {
        self.warmup.forget(now);
        self.glance.reset();
        self.bands.iter_mut().for_each(|band| band.timer.reset());
    }
}
