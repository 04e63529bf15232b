//! A drive as a script: what the driver does from when to when, and the alerts that come of it. 50 ms a frame (the glance
//! resolution of the rules' own tests), so that limits fall on frames.
#![allow(dead_code, reason = "each test binary uses its part")]

use troika_kit::Time;
use troika_monitor::{Alert, Kind, Monitor, Observation, Phase, Profile, State, Vehicle, Zone};

/// No alert at any time.
pub(crate) const NEVER: [u64; 0] = [];
pub(crate) const FRAME_MS: u64 = 50;
/// A drive begins here: no real stamp is near zero.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A driver and a vehicle at work.
pub(crate) struct Drive {
    monitor: Monitor,
    ms: u64,
    speed: Option<f32>,
    nominal: bool,
    acted: bool,
    parked: bool,
    pub(crate) alerts: Vec<Alert>,
}

pub(crate) fn at(ms: u64) -> Time {
    Time::from_nanos((START + ms) * 1_000_000)
}

/// Profiles by name, in a vehicle that was at this speed before the monitor started.
pub(crate) fn drive(profiles: &[&str], speed: f32) -> Drive {
    let profiles = profiles.iter().map(|name| Profile::built_in(name).expect("a built-in profile"));
    Drive {
        monitor: Monitor::new(profiles),
        ms: 0,
        speed: Some(speed),
        nominal: true,
        acted: false,
        parked: false,
        alerts: Vec::new(),
    }
}

impl Drive {
    pub(crate) fn frame(&mut self, state: State, zone: Zone) -> &mut Drive {
        let openness = match state {
            State::Unknown => None,
            State::EyesClosed => Some(0.05),
            _ => Some(0.9),
        };
        let seen = Observation {
            stamp: at(self.ms),
            state,
            zone,
            openness,
            nominal: self.nominal,
            vehicle: Vehicle {
                speed_kmh: self.speed,
                driver_acted: std::mem::take(&mut self.acted),
                parked: self.parked,
            },
        };
        self.give(&seen);
        self.ms += FRAME_MS;
        self
    }

    pub(crate) fn give(&mut self, seen: &Observation) -> &mut Drive {
        self.alerts.extend_from_slice(self.monitor.observe(seen));
        self
    }

    fn frames(&mut self, ms: u64, state: State, zone: Zone) -> &mut Drive {
        assert_eq!(ms % FRAME_MS, 0, "whole frames");
        (0..ms / FRAME_MS).for_each(|_| {
            self.frame(state, zone);
        });
        self
    }

    pub(crate) fn road(&mut self, ms: u64) -> &mut Drive {
        self.frames(ms, State::Attentive, Zone::Forward)
    }

    pub(crate) fn looks(&mut self, zone: Zone, ms: u64) -> &mut Drive {
        self.frames(ms, State::LookingAway, zone)
    }

    pub(crate) fn eyes_closed(&mut self, ms: u64) -> &mut Drive {
        self.frames(ms, State::EyesClosed, Zone::Unknown)
    }

    pub(crate) fn unseen(&mut self, ms: u64) -> &mut Drive {
        self.frames(ms, State::Unknown, Zone::Unknown)
    }

    /// The camera gives nothing.
    pub(crate) fn no_frames(&mut self, ms: u64) -> &mut Drive {
        self.ms += ms;
        self
    }

    pub(crate) fn silent(&mut self, ms: u64) -> &mut Drive {
        for _ in 0..ms / FRAME_MS {
            let vehicle = Vehicle { speed_kmh: self.speed, driver_acted: false, parked: self.parked };
            self.alerts.extend_from_slice(self.monitor.silent(at(self.ms), &vehicle));
            self.ms += FRAME_MS;
        }
        self
    }

    /// The host looks at the time: no frame has come up to then.
    pub(crate) fn looked(&mut self, ms: u64, driver_acted: bool) -> &mut Drive {
        let vehicle = Vehicle { speed_kmh: self.speed, driver_acted, parked: self.parked };
        self.alerts.extend_from_slice(self.monitor.silent(at(ms), &vehicle));
        self
    }

    pub(crate) fn speed(&mut self, kmh: f32) -> &mut Drive {
        self.speed = Some(kmh);
        self
    }

    pub(crate) fn signals_lost(&mut self) -> &mut Drive {
        self.speed = None;
        self
    }

    pub(crate) fn parked(&mut self, parked: bool) -> &mut Drive {
        self.parked = parked;
        self
    }

    pub(crate) fn sunglasses(&mut self, on: bool) -> &mut Drive {
        self.nominal = !on;
        self
    }

    /// The driver touches a control before the next frame.
    pub(crate) fn acts(&mut self) -> &mut Drive {
        self.acted = true;
        self
    }

    pub(crate) fn now(&self) -> u64 {
        self.ms
    }

    pub(crate) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// When alerts of a kind were raised, in milliseconds of the drive.
    pub(crate) fn raised(&self, kind: Kind) -> Vec<u64> {
        self.times(kind, Phase::Raised)
    }

    pub(crate) fn cleared(&self, kind: Kind) -> Vec<u64> {
        self.times(kind, Phase::Cleared)
    }

    fn times(&self, kind: Kind, phase: Phase) -> Vec<u64> {
        let of = self.alerts.iter().filter(|alert| alert.kind == kind && alert.phase == phase);
        of.map(|alert| alert.at.as_nanos() / 1_000_000 - START).collect()
    }
}
