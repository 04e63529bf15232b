//! Glances away that add up, none of them long: visual attention time sharing.

use core::time::Duration;

use troika_kit::Time;
use troika_safety::Requirement;

use super::{Frame, Gaze, Lamp, Warmup};
use crate::{
    Alert, Kind, Profile, Zone,
    observation::Zones,
    profile,
    timer::{Is, Timer, Window, reached},
};

#[derive(Debug)]
pub(super) struct RepeatedGlances {
    zones: Zones,
    from_kmh: f32,
    measured_from_kmh: f32,
    sum: Duration,
    road_view: Duration,
    requirement: Requirement,
    warmup: Warmup,
    away: Window,
    /// The frame before was a glance away that is measured.
    was_away: bool,
    road: Timer,
    pub(super) lamp: Lamp,
}

impl RepeatedGlances {
    pub(super) fn new(profile: &Profile, rule: &profile::RepeatedGlances) -> RepeatedGlances {
        RepeatedGlances {
            zones: Zones::new(&rule.zones),
            from_kmh: rule.from_kmh.0,
            measured_from_kmh: rule.measured_from_kmh.0,
            sum: rule.sum_s.0,
            road_view: rule.road_view_s.0,
            requirement: rule.requirement.0,
            warmup: Warmup::new(rule.after_s.map(|after| after.0), rule.measured_from_kmh.0),
            away: Window::new(rule.window_s.0),
            was_away: false,
            road: Timer::new(profile.rules.bridge_s.0),
            lamp: Lamp::new(profile, Kind::RepeatedGlances),
        }
    }

    pub(super) fn step(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        let warm = self.warmup.over(frame);
        let grew = self.was_away;
        if grew {
            self.away.add(frame.before, frame.now);
        }
        let away = frame.gaze.within(self.zones) == Is::Yes;
        self.was_away = away && warm && frame.vehicle.at_least(self.measured_from_kmh);

        let on_road = match frame.gaze {
            Gaze::At(zone) => (zone == Zone::Forward).into(),
            Gaze::Unknown | Gaze::Closed => Is::Unknown,
        };
        self.road.update(frame.now, on_road, frame.now);
        let road_view = self.road.elapsed(frame.now).filter(|_| on_road == Is::Yes);
        troika_safety::fulfils![SR_DMS_018];
        if road_view.is_some_and(|elapsed| reached(elapsed, self.road_view)) {
            self.away.clear();
            self.lamp.put_out(frame, out);
        }
        if !(warm && frame.vehicle.at_least(self.from_kmh)) {
            self.lamp.put_out(frame, out);
        } else if !self.lamp.is_lit() && (grew || away) {
            let total = self.away.total(frame.now);
            if reached(total, self.sum) {
                self.lamp.light(frame, (total, self.sum, self.requirement), out);
            }
        }
    }

    pub(super) fn forget(&mut self, now: Time) {
        self.warmup.forget(now);
        self.away.clear();
        self.was_away = false;
        self.road.reset();
    }
}
