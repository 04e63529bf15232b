//! What belongs here: traces made by hand for the unit tests: 50 frames and 20 signals a second, exact, so that every
//! limit of the table falls on a frame.

use crate::time::{MS, Ns, SECOND};
use crate::trace::{Frame, Profile, Signal, State, Trace, Zone};

pub(crate) const FRAME: Ns = 20 * MS;

/// What a frame shows in a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Show {
    At(Zone),
    /// Lids shut for less than a blink, the gaze as before.
    Blink(Zone),
    Shut,
    Lost,
}

pub(crate) struct Drive {
    now: Ns,
    trace: Trace,
    sensing_nominal: bool,
    perclos: f32,
}

impl Drive {
    /// A drive by this person at this speed; the speed holds until [`Self::speed`] changes it.
    pub(crate) fn of(person: &str, speed_kmh: f32) -> Self {
        let trace = Trace {
            name: person.to_owned(),
            seed: 0,
            profiles: vec![Profile::EuAddw, Profile::EuroNcap, Profile::EuDdaw, Profile::Perclos],
            frames: Vec::new(),
            signals: vec![Signal { stamp_ns: 0, speed_kmh, driver_acted: false }],
        };
        Self { now: 0, trace, sensing_nominal: true, perclos: 0.03 }
    }

    pub(crate) fn now(&self) -> Ns {
        self.now
    }

    pub(crate) fn show(&mut self, show: Show, length: Ns) -> &mut Self {
        let (state, zone, openness) = match show {
            Show::At(Zone::Forward) => (State::Attentive, Zone::Forward, 0.9),
            Show::At(zone) => (State::LookingAway, zone, 0.9),
            Show::Blink(Zone::Forward) => (State::Attentive, Zone::Forward, 0.0),
            Show::Blink(zone) => (State::LookingAway, zone, 0.0),
            Show::Shut => (State::EyesClosed, Zone::Unknown, 0.0),
            Show::Lost => (State::Unknown, Zone::Unknown, f32::NAN),
        };
        let end = self.now + length;
        while self.now < end {
            self.trace.frames.push(Frame {
                stamp_ns: self.now,
                state,
                confidence: 0.9,
                face_detected: !matches!(show, Show::Lost),
                gaze_zone: zone,
                gaze_yaw_deg: 0.0,
                gaze_pitch_deg: 0.0,
                eye_openness_left: openness,
                eye_openness_right: openness,
                perclos: self.perclos,
                sensing_nominal: self.sensing_nominal,
            });
            self.now += FRAME;
            self.signal_until_now();
        }
        self
    }

    pub(crate) fn road(&mut self, length: Ns) -> &mut Self {
        self.show(Show::At(Zone::Forward), length)
    }

    pub(crate) fn lap(&mut self, length: Ns) -> &mut Self {
        self.show(Show::At(Zone::Area3), length)
    }

    /// From the next frame on.
    pub(crate) fn speed(&mut self, speed_kmh: f32) -> &mut Self {
        self.signal(speed_kmh, false)
    }

    pub(crate) fn acts(&mut self) -> &mut Self {
        let speed = self.last_speed();
        self.signal(speed, true)
    }

    pub(crate) fn sensing(&mut self, nominal: bool) -> &mut Self {
        self.sensing_nominal = nominal;
        self
    }

    pub(crate) fn perclos(&mut self, value: f32) -> &mut Self {
        self.perclos = value;
        self
    }

    pub(crate) fn trace(&self) -> Trace {
        self.trace.clone()
    }

    fn last_speed(&self) -> f32 {
        self.trace.signals.last().map_or(f32::NAN, |s| s.speed_kmh)
    }

    fn signal(&mut self, speed_kmh: f32, driver_acted: bool) -> &mut Self {
        let signals = &mut self.trace.signals;
        signals.retain(|s| s.stamp_ns < self.now);
        signals.push(Signal { stamp_ns: self.now, speed_kmh, driver_acted });
        self
    }

    fn signal_until_now(&mut self) {
        let last = self.trace.signals.last().map_or(0, |s| s.stamp_ns);
        if self.now - last > SECOND / 20 {
            let speed_kmh = self.last_speed();
            self.trace.signals.push(Signal { stamp_ns: self.now, speed_kmh, driver_acted: false });
        }
    }
}
