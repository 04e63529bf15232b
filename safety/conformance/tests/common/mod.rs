//! What belongs here: a small DMS that steps from message to message, to try the oracle on: one plain reading of the
//! table, with its numbers in a struct so that a test can get one wrong. It is no part of any product.

use std::collections::VecDeque;
use troika_dms_conformance::time::{MS, SECOND};
use troika_dms_conformance::trace::Input;
use troika_dms_conformance::{Alert, Frame, Kind, Ns, Phase, Profile, Signal, State, Trace, Zone};

/// Every number that the DMS follows.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one mistake to make")]
pub(crate) struct Numbers {
    pub fast: Ns,
    pub slow: Ns,
    pub fast_kmh: f32,
    pub slow_kmh: f32,
    pub extra: Ns,
    pub excursion: Ns,
    pub unknown: Ns,
    pub area1_counts: bool,
    pub crossing_restarts: bool,
    pub non_driving: Ns,
    pub driving_task: Ns,
    pub ncap_kmh: f32,
    pub repeated: Ns,
    pub road_view: Ns,
    pub window: Ns,
    pub microsleep: Ns,
    pub sleep: Ns,
    pub eyes_unresponsive: Ns,
    pub gaze_unresponsive: Ns,
    pub latched: bool,
    pub unknown_is_closed: bool,
    pub unavailable: Ns,
    pub drowsy: f32,
    pub awake: f32,
    pub ddaw_kmh: f32,
    pub clears: bool,
}

pub(crate) const TABLE: Numbers = Numbers {
    fast: 3_500 * MS,
    slow: 6 * SECOND,
    fast_kmh: 50.0,
    slow_kmh: 20.0,
    extra: 1_500 * MS,
    excursion: 300 * MS,
    unknown: 300 * MS,
    area1_counts: true,
    crossing_restarts: false,
    non_driving: 3 * SECOND,
    driving_task: 4 * SECOND,
    ncap_kmh: 20.0,
    repeated: 10 * SECOND,
    road_view: 2 * SECOND,
    window: 30 * SECOND,
    microsleep: 1_500 * MS,
    sleep: 3 * SECOND,
    eyes_unresponsive: 6 * SECOND,
    gaze_unresponsive: 3 * SECOND,
    latched: true,
    unknown_is_closed: false,
    unavailable: 5 * SECOND,
    drowsy: 0.15,
    awake: 0.10,
    ddaw_kmh: 70.0,
    clears: true,
};

/// Begins and interruptions of one condition.
#[derive(Clone, Copy, Debug, Default)]
struct Since {
    began: Option<Ns>,
    out: Option<Ns>,
    unknown: Option<Ns>,
}

enum Seen {
    In,
    Out,
    Unknown,
}

impl Since {
    /// Returns whether the condition holds on this frame.
    fn step(&mut self, seen: &Seen, t: Ns, excursion: Ns, unknown: Ns) -> bool {
        match seen {
            Seen::In => {
                self.began.get_or_insert(t);
                (self.out, self.unknown) = (None, None);
            }
            Seen::Out => {
                self.unknown = None;
                if t - *self.out.get_or_insert(t) > excursion || excursion == 0 {
                    *self = Self::default();
                }
            }
            Seen::Unknown => {
                self.out = None;
                if t - *self.unknown.get_or_insert(t) > unknown {
                    *self = Self::default();
                }
            }
        }
        self.began.is_some() && matches!(seen, Seen::In)
    }
}

pub(crate) struct Dms<'a> {
    numbers: Numbers,
    trace: &'a Trace,
    speed: f32,
    acted: bool,
    active: Vec<(Profile, Kind)>,
    alerts: Vec<Alert>,
    glance: Since,
    fast_since: Option<Ns>,
    slow_since: Option<Ns>,
    away: Since,
    driving_since: Option<Ns>,
    eyes: Since,
    road_since: Option<Ns>,
    glances: VecDeque<(Ns, Ns)>,
    last: Option<(Ns, bool)>,
    warned: Option<Ns>,
    lost_since: Option<Ns>,
}

impl<'a> Dms<'a> {
    pub(crate) fn run(numbers: Numbers, trace: &'a Trace) -> Vec<Alert> {
        let mut dms = Self {
            numbers,
            trace,
            speed: f32::NAN,
            acted: false,
            active: Vec::new(),
            alerts: Vec::new(),
            glance: Since::default(),
            fast_since: None,
            slow_since: None,
            away: Since::default(),
            driving_since: None,
            eyes: Since::default(),
            road_since: None,
            glances: VecDeque::new(),
            last: None,
            warned: None,
            lost_since: None,
        };
        for input in trace.inputs() {
            match input {
                Input::Signal(signal) => dms.signal(signal),
                Input::Frame(frame) => dms.frame(&frame),
            }
        }
        dms.alerts
    }

    fn signal(&mut self, signal: Signal) {
        self.speed = signal.speed_kmh;
        self.acted |= signal.driver_acted;
        if self.speed >= 10.0 {
            self.driving_since.get_or_insert(signal.stamp_ns);
        }
    }

    fn frame(&mut self, frame: &Frame) {
        self.unavailable(frame);
        if self.trace.has(Profile::EuAddw) {
            self.addw(frame);
        }
        if self.trace.has(Profile::EuroNcap) {
            self.ncap_gaze(frame);
            self.ncap_eyes(frame);
        }
        if self.trace.has(Profile::Perclos) {
            let raise = self.speed > 0.0 && frame.perclos > self.numbers.drowsy;
            self.set(Profile::Perclos, Kind::Drowsiness, raise, frame.perclos < self.numbers.awake, frame);
        }
        if self.trace.has(Profile::EuDdaw) {
            let raise = self.speed > self.numbers.ddaw_kmh && frame.perclos > self.numbers.drowsy;
            self.set(Profile::EuDdaw, Kind::Drowsiness, raise, frame.perclos < self.numbers.awake, frame);
        }
        self.acted = false;
    }

    fn set(&mut self, profile: Profile, kind: Kind, raise: bool, clear: bool, frame: &Frame) {
        let active = self.active.contains(&(profile, kind));
        let phase = match (active, raise, clear) {
            (false, true, _) => Phase::Raised,
            (true, false, true) if self.numbers.clears => Phase::Cleared,
            _ => return,
        };
        match phase {
            Phase::Raised => self.active.push((profile, kind)),
            Phase::Cleared => self.active.retain(|key| *key != (profile, kind)),
        }
        let t = frame.stamp_ns;
        let zone = Some(frame.gaze_zone);
        self.alerts.push(Alert { profile, kind, phase, stamp_ns: t, published_ns: t, gaze_zone: zone });
    }

    fn unavailable(&mut self, frame: &Frame) {
        let t = frame.stamp_ns;
        if frame.state == State::Unknown {
            self.lost_since.get_or_insert(t);
        } else {
            self.lost_since = None;
        }
        let raise = self.lost_since.is_some_and(|since| t - since >= self.numbers.unavailable);
        self.set(Profile::Troika, Kind::MonitoringUnavailable, raise, self.lost_since.is_none(), frame);
    }

    fn addw(&mut self, frame: &Frame) {
        let (n, t) = (self.numbers, frame.stamp_ns);
        let seen = match (frame.state, frame.gaze_zone) {
            (State::Unknown | State::EyesClosed, _) | (State::LookingAway, Zone::Unknown) => Seen::Unknown,
            (State::LookingAway, Zone::Area3) => Seen::In,
            (State::LookingAway, Zone::Area1) if n.area1_counts => Seen::In,
            _ => Seen::Out,
        };
        let inside = self.glance.step(&seen, t, n.excursion, n.unknown);
        let running = self.glance.began.is_some();
        let since = |was: Option<Ns>, on: bool| if running && on { was.or(Some(t)) } else { None };
        self.fast_since = since(self.fast_since, self.speed >= n.fast_kmh);
        self.slow_since = since(self.slow_since, self.speed >= n.slow_kmh);
        if n.crossing_restarts && self.fast_since == Some(t) {
            self.slow_since = Some(t);
        }
        let extra = if frame.sensing_nominal { 0 } else { n.extra };
        let passed = |since: Option<Ns>, limit: Ns| since.is_some_and(|s| t - s >= limit + extra);
        let raise = inside && (passed(self.fast_since, n.fast) || passed(self.slow_since, n.slow));
        self.set(Profile::EuAddw, Kind::LongDistraction, raise, !running, frame);
    }

    fn ncap_gaze(&mut self, frame: &Frame) {
        let (n, t) = (self.numbers, frame.stamp_ns);
        let seen = match (frame.state, frame.gaze_zone) {
            _ if self.speed < 10.0 => Seen::Out,
            (State::Attentive, _) => Seen::Out,
            (State::LookingAway, zone) if zone != Zone::Unknown => Seen::In,
            _ => Seen::Unknown,
        };
        let on = self.speed >= n.ncap_kmh && self.driving_since.is_some_and(|s| t - s >= 60 * SECOND);
        let inside = self.away.step(&seen, t, 0, n.unknown);
        let limit = if frame.gaze_zone.serves_driving() { n.driving_task } else { n.non_driving };
        let raise = on && inside && self.away.began.is_some_and(|s| t - s >= limit);
        self.set(Profile::EuroNcap, Kind::LongDistraction, raise, matches!(seen, Seen::Out), frame);

        if let Some((before, true)) = self.last {
            self.glances.push_back((before, t));
        }
        self.last = Some((t, inside));
        match frame.state {
            State::Attentive => self.road_since = self.road_since.or(Some(t)),
            _ => self.road_since = None,
        }
        let reset = self.road_since.is_some_and(|s| t - s >= n.road_view);
        if reset {
            self.glances.clear();
        }
        let counted = self.glances.iter().map(|(a, b)| (b - a.max(&(t - n.window))).max(0)).sum::<Ns>();
        self.set(
            Profile::EuroNcap,
            Kind::RepeatedGlances,
            on && inside && counted >= n.repeated,
            reset,
            frame,
        );

        let warned = |a: &Alert| {
            a.published_ns == t
                && a.phase == Phase::Raised
                && a.profile == Profile::EuroNcap
                && matches!(a.kind, Kind::LongDistraction | Kind::RepeatedGlances)
        };
        if self.alerts.iter().rev().take(4).any(warned) {
            self.warned = self.warned.or(Some(t));
        }
        if !inside {
            self.warned = None;
        }
    }

    fn ncap_eyes(&mut self, frame: &Frame) {
        let (n, t) = (self.numbers, frame.stamp_ns);
        let shut = frame.eye_openness_left <= 0.2 && frame.eye_openness_right <= 0.2;
        let seen = match frame.state {
            State::Unknown if n.unknown_is_closed => Seen::In,
            State::Unknown => Seen::Unknown,
            _ if shut => Seen::In,
            _ => Seen::Out,
        };
        let inside = self.eyes.step(&seen, t, 0, n.unknown) && self.speed > 0.0;
        let shut_for = |limit: Ns| inside && self.eyes.began.is_some_and(|s| t - s >= limit);
        let (microsleep, sleep) = (shut_for(n.microsleep), shut_for(n.sleep));
        let lost = self.warned.is_some_and(|w| t - w >= n.gaze_unresponsive) && self.speed > 0.0;
        let unresponsive = shut_for(n.eyes_unresponsive) || lost;
        let open = matches!(seen, Seen::Out);
        self.set(Profile::EuroNcap, Kind::Microsleep, microsleep, open, frame);
        self.set(Profile::EuroNcap, Kind::Sleep, sleep, open, frame);
        let release = if n.latched { self.acted } else { open };
        self.set(Profile::EuroNcap, Kind::Unresponsive, unresponsive && !release, release, frame);
    }
}
