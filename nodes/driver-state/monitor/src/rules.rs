//! The rules of one profile at work. Each takes a frame, keeps its own clocks, and lights or puts out its lamp.

mod closure;
mod drowsy;
mod glance;
mod repeated;
mod unavailable;

use core::time::Duration;
use std::sync::Arc;

use troika_kit::Time;
use troika_safety::Requirement;

use crate::{Alert, Kind, Phase, Profile, Vehicle, Zone, observation::Zones, timer::Is};

/// Where the gaze is in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Gaze {
    /// Not seen.
    #[default]
    Unknown,
    /// Eyes closed: no gaze.
    Closed,
    /// On a zone.
    At(Zone),
}

impl Gaze {
    fn within(self, zones: Zones) -> Is {
        match self {
            Gaze::At(zone) => zones.has(zone).into(),
            Gaze::Unknown | Gaze::Closed => Is::Unknown,
        }
    }
}

/// One frame, as the rules see it. The time from the frame before to this one belongs to what the frame before showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) before: Time,
    pub(crate) was: Gaze,
    pub(crate) now: Time,
    pub(crate) gaze: Gaze,
    pub(crate) eyes: Is,
    pub(crate) closed_since: Time,
    pub(crate) nominal: bool,
    pub(crate) vehicle: Vehicle,
}

/// One alert of one rule: raised or not.
#[derive(Debug, Clone)]
pub(crate) struct Lamp {
    profile: Arc<str>,
    kind: Kind,
    lit: Option<Lit>,
}

#[derive(Debug, Clone, Copy)]
struct Lit {
    at: Time,
    elapsed: Duration,
    limit: Duration,
    requirement: Requirement,
}

impl Lamp {
    fn new(profile: &Profile, kind: Kind) -> Lamp {
        Lamp { profile: profile.name.clone(), kind, lit: None }
    }

    /// Raises the alert, again if it is raised.
    fn light(&mut self, frame: &Frame, lit: (Duration, Duration, Requirement), out: &mut Vec<Alert>) {
        let (elapsed, limit, requirement) = lit;
        let lit = Lit { at: frame.now, elapsed, limit, requirement };
        self.lit = Some(lit);
        out.push(self.alert(frame, Phase::Raised, lit, elapsed));
    }

    /// Clears the alert if it is raised.
    fn put_out(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        if let Some(lit) = self.lit.take() {
            let elapsed = lit.elapsed + frame.now.since(lit.at);
            out.push(self.alert(frame, Phase::Cleared, lit, elapsed));
        }
    }

    fn is_lit(&self) -> bool {
        self.lit.is_some()
    }

    fn alert(&self, frame: &Frame, phase: Phase, lit: Lit, elapsed: Duration) -> Alert {
        Alert {
            at: frame.now,
            profile: self.profile.clone(),
            kind: self.kind,
            phase,
            zone: if let Gaze::At(zone) = frame.gaze { zone } else { Zone::Unknown },
            elapsed,
            limit: lit.limit,
            speed_kmh: frame.vehicle.speed_kmh,
            requirement: lit.requirement,
        }
    }
}

/// The first minute of a trip, in which a rule does not measure yet. It begins when the rule's speed is first reached after
/// the vehicle was seen slower. A trip that was under way when the monitor started is past it: the restrictive branch.
#[derive(Debug, Clone)]
struct Warmup {
    after: Duration,
    from_kmh: f32,
    trip: Trip,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Trip {
    NotSeen,
    Slow,
    Since(Time),
    Past,
}

impl Warmup {
    fn new(after: Option<Duration>, from_kmh: f32) -> Warmup {
        match after {
            Some(after) => Warmup { after, from_kmh, trip: Trip::NotSeen },
            None => Warmup { after: Duration::ZERO, from_kmh, trip: Trip::Past },
        }
    }

    /// Whether the rule measures in this frame.
    fn over(&mut self, frame: &Frame) -> bool {
        if self.after.is_zero() {
            return true;
        }
        let Some(speed) = frame.vehicle.speed_kmh else {
            return !matches!(self.trip, Trip::Since(since) if frame.now.since(since) < self.after);
        };
        self.trip = match self.trip {
            _ if frame.vehicle.parked => Trip::Slow,
            Trip::NotSeen if speed >= self.from_kmh => Trip::Past,
            Trip::NotSeen => Trip::Slow,
            Trip::Slow if speed >= self.from_kmh => Trip::Since(frame.now),
            Trip::Since(since) if crate::timer::reached(frame.now.since(since), self.after) => Trip::Past,
            trip => trip,
        };
        self.trip == Trip::Past
    }

    fn forget(&mut self, now: Time) {
        if let Trip::Since(since) = &mut self.trip {
            *since = now;
        }
    }
}

/// All rules of one profile.
#[derive(Debug)]
pub(crate) struct Active {
    profile: Profile,
    long: Vec<glance::LongGlance>,
    repeated: Vec<repeated::RepeatedGlances>,
    closed: Vec<closure::EyesClosed>,
    unresponsive: Option<closure::Unresponsive>,
    drowsy: Vec<drowsy::Drowsy>,
    unavailable: Vec<unavailable::Unavailable>,
}

impl Active {
    pub(crate) fn new(profile: Profile) -> Active {
        let rules = &profile.rules;
        Active {
            long: rules
                .long_glance
                .iter()
                .map(|rule| glance::LongGlance::new(&profile, rule.get_ref()))
                .collect(),
            repeated: rules
                .repeated_glances
                .iter()
                .map(|rule| repeated::RepeatedGlances::new(&profile, rule.get_ref()))
                .collect(),
            closed: rules
                .eyes_closed
                .iter()
                .map(|rule| closure::EyesClosed::new(&profile, rule.get_ref()))
                .collect(),
            unresponsive: rules
                .unresponsive
                .as_ref()
                .map(|rule| closure::Unresponsive::new(&profile, rule.get_ref())),
            drowsy: (rules.perclos.iter().map(|rule| drowsy::Drowsy::perclos(&profile, rule.get_ref())))
                .chain(
                    rules.drowsiness.iter().map(|rule| drowsy::Drowsy::drowsiness(&profile, rule.get_ref())),
                )
                .collect(),
            unavailable: rules
                .unavailable
                .iter()
                .map(|rule| unavailable::Unavailable::new(&profile, rule.get_ref()))
                .collect(),
            profile,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.profile.name()
    }

    /// How many alerts one frame can raise and clear at most.
    pub(crate) fn most(&self) -> usize {
        2 * self.lamps().count()
    }

    pub(crate) fn step(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        let first = out.len();
        self.long.iter_mut().for_each(|rule| rule.step(frame, out));
        self.repeated.iter_mut().for_each(|rule| rule.step(frame, out));
        let warned = out[first..].iter().any(|alert| alert.phase == Phase::Raised);
        self.closed.iter_mut().for_each(|rule| rule.step(frame, out));
        if let Some(rule) = &mut self.unresponsive {
            rule.step(frame, warned, out);
        }
        self.drowsy.iter_mut().for_each(|rule| rule.step(frame, out));
        self.unavailable.iter_mut().for_each(|rule| rule.step(frame, out));
    }

    /// A new time line begins at `now`: clocks start over, what is raised stays raised.
    pub(crate) fn forget(&mut self, now: Time) {
        self.long.iter_mut().for_each(|rule| rule.forget(now));
        self.repeated.iter_mut().for_each(|rule| rule.forget(now));
        self.closed.iter_mut().for_each(|rule| rule.forget(now));
        if let Some(rule) = &mut self.unresponsive {
            rule.forget(now);
        }
        self.drowsy.iter_mut().for_each(|rule| rule.forget(now));
        self.unavailable.iter_mut().for_each(|rule| rule.forget(now));
    }

    /// What is raised is cleared, and every clock starts over.
    pub(crate) fn end(&mut self, frame: &Frame, out: &mut Vec<Alert>) {
        self.lamps_mut().for_each(|lamp| lamp.put_out(frame, out));
        self.forget(frame.now);
    }

    /// The kinds that are raised now.
    pub(crate) fn raised(&self) -> impl Iterator<Item = Kind> + '_ {
        self.lamps().filter(|lamp| lamp.is_lit()).map(|lamp| lamp.kind)
    }

    fn lamps_mut(&mut self) -> impl Iterator<Item = &mut Lamp> {
        (self.long.iter_mut().map(|rule| &mut rule.lamp))
            .chain(self.repeated.iter_mut().map(|rule| &mut rule.lamp))
            .chain(self.closed.iter_mut().map(|rule| &mut rule.lamp))
            .chain(self.unresponsive.iter_mut().map(|rule| &mut rule.lamp))
            .chain(self.drowsy.iter_mut().map(|rule| &mut rule.lamp))
            .chain(self.unavailable.iter_mut().map(|rule| &mut rule.lamp))
    }

    fn lamps(&self) -> impl Iterator<Item = &Lamp> {
        (self.long.iter().map(|rule| &rule.lamp))
            .chain(self.repeated.iter().map(|rule| &rule.lamp))
            .chain(self.closed.iter().map(|rule| &rule.lamp))
            .chain(self.unresponsive.iter().map(|rule| &rule.lamp))
            .chain(self.drowsy.iter().map(|rule| &rule.lamp))
            .chain(self.unavailable.iter().map(|rule| &rule.lamp))
    }
}
