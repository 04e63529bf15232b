//! The node: what it makes of messages, of none, and of garbage in them.

use troika_kit::{LatestSource, Ports as _};

use super::*;

struct Cabin {
    node: MonitorNode,
    ms: u64,
    seq: u64,
    signals: Vec<Sample<VehicleSignals>>,
    alerts: Vec<DriverAlert>,
}

struct Once<T>(Option<Sample<T>>, Option<Sample<T>>);

impl<T: Send> LatestSource<T> for Once<T> {
    fn refresh(&mut self) -> bool {
        self.1 = self.0.take().or(self.1.take());
        self.1.is_some()
    }
    fn current(&self) -> Option<&Sample<T>> {
        self.1.as_ref()
    }
}

/// The camera's clock is not the host's.
const CAMERA_AHEAD_MS: u64 = 7_000_000;
const HOST_MS: u64 = 1_700_000_000_000;

fn host(ms: u64) -> Time {
    Time::from_nanos((HOST_MS + ms) * 1_000_000)
}

fn state(state: u8, ms: u64) -> DriverState {
    DriverState {
        header: Header::at(host(ms + CAMERA_AHEAD_MS)),
        state,
        confidence: 0.9,
        eye_openness_left: if state == DriverState::EYES_CLOSED { 0.0 } else { 0.9 },
        eye_openness_right: f32::NAN,
        ..DriverState::default()
    }
}

impl Cabin {
    fn new(profiles: &[&str]) -> Cabin {
        let config = Config {
            profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
            ..Config::default()
        };
        let node = MonitorNode::new(&config, |_| unreachable!("no file is named")).expect("a monitor");
        Cabin { node, ms: 0, seq: 0, signals: Vec::new(), alerts: Vec::new() }
    }

    fn vehicle(&mut self, speed_kmh: f32, driver_acted: bool) {
        let value = VehicleSignals {
            header: Header::at(host(self.ms)),
            speed_kmh,
            ignition_on: true,
            driver_acted,
            ..VehicleSignals::default()
        };
        self.signals.push(Sample { value, received: host(self.ms) });
    }

    fn step(&mut self, state: Option<DriverState>) -> Done {
        let mut inputs = Inputs::default();
        if let Some(value) = state {
            inputs.state.bind(Box::new(Once(Some(Sample { value, received: host(self.ms) }), None)));
            inputs.state.freeze();
        }
        inputs.signals = Events::holding(self.signals.drain(..));
        let tick = Tick { seq: self.seq, release: host(self.ms), now: host(self.ms), level: 0 };
        let mut outputs = Outputs::default();
        let done = self.node.step(&tick, &inputs, &mut outputs).expect("the monitor never faults");
        self.alerts.extend_from_slice(outputs.alert.sent());
        assert_eq!(outputs.alert.dropped(), 0);
        self.ms += 50;
        self.seq += 1;
        done
    }
}

#[test]
fn an_alert_carries_its_profile_rule_limit_and_place_in_the_sequence() {
    troika_safety::verifies![SR_DMS_001];
    let mut cabin = Cabin::new(&["euro_ncap"]);
    for _ in 0..70 {
        cabin.vehicle(80.0, false);
        let ms = cabin.ms;
        assert_eq!(cabin.step(Some(state(DriverState::EYES_CLOSED, ms))), Done::Worked);
    }
    let said: Vec<_> =
        cabin.alerts.iter().map(|a| (a.sequence, a.kind, a.phase, a.limit_s, &*a.requirement)).collect();
    assert_eq!(
        said,
        [
            (0, DriverAlert::MICROSLEEP, DriverAlert::RAISED, 1.5, "SR-DMS-006"),
            (1, DriverAlert::SLEEP, DriverAlert::RAISED, 3.0, "SR-DMS-006")
        ]
    );
    let alert = &cabin.alerts[0];
    assert_eq!((&*alert.profile, alert.speed_kmh, alert.elapsed_s), ("euro_ncap", 80.0, 1.5));
    assert_eq!(alert.header.time(), host(1500 + CAMERA_AHEAD_MS), "the frame's stamp");
}

#[test]
fn a_frame_without_a_stamp_is_timed_by_its_arrival() {
    let mut cabin = Cabin::new(&["euro_ncap"]);
    for _ in 0..31 {
        cabin.vehicle(80.0, false);
        let seen = DriverState { header: Header::default(), ..state(DriverState::EYES_CLOSED, 0) };
        cabin.step(Some(seen));
    }
    assert_eq!(cabin.alerts.len(), 1);
    assert_eq!(cabin.alerts[0].header.time(), host(1500));
}

#[test]
fn silence_is_told_5_seconds_after_the_last_frame_on_the_cameras_own_time_line() {
    troika_safety::verifies![SR_DMS_007];
    let mut cabin = Cabin::new(&[]);
    cabin.vehicle(30.0, false);
    cabin.step(Some(state(DriverState::ATTENTIVE, 0)));
    for _ in 0..110 {
        cabin.vehicle(30.0, false);
        cabin.step(None);
    }
    assert_eq!(cabin.alerts.len(), 1);
    let alert = &cabin.alerts[0];
    assert_eq!((alert.kind, &*alert.profile), (DriverAlert::MONITORING_UNAVAILABLE, "troika"));
    assert_eq!(alert.header.time(), host(5000 + CAMERA_AHEAD_MS));
}

#[test]
fn silence_before_the_first_frame_does_not_stop_the_clocks_of_a_camera_that_lags_behind() {
    let mut cabin = Cabin::new(&["euro_ncap"]);
    cabin.step(None);
    for _ in 0..31 {
        cabin.vehicle(80.0, false);
        let lagging = Header::at(host(cabin.ms) - Duration::from_secs(3600));
        cabin.step(Some(DriverState { header: lagging, ..state(DriverState::EYES_CLOSED, 0) }));
    }
    assert_eq!(cabin.alerts.iter().map(|alert| alert.kind).collect::<Vec<_>>(), [DriverAlert::MICROSLEEP]);
}

#[test]
fn a_monitor_that_always_falls_back_says_that_it_is_unavailable() {
    troika_safety::verifies![SR_DMS_015];
    let mut cabin = Cabin::new(&[]);
    let mut outputs = Outputs::default();
    for n in 0..=100u64 {
        let tick = Tick { seq: n, release: host(n * 50), now: host(n * 50), level: 0 };
        cabin.node.fall_back(&tick, &Fault::TooLate { by: Duration::from_millis(60) }, &mut outputs);
        assert_eq!(outputs.alert.sent().len(), usize::from(n == 100), "{n}");
    }
    assert_eq!(outputs.alert.sent()[0].kind, DriverAlert::MONITORING_UNAVAILABLE);
    assert!(outputs.alert.sent()[0].speed_kmh.is_nan(), "the speed was never known");
}

#[test]
fn a_stand_in_clears_what_it_raised_when_the_node_is_back_and_begins_anew_the_next_time() {
    troika_safety::verifies![SR_TIM_010];
    let mut node = Cabin::new(&["euro_ncap"]).node;
    let tick = |ms: u64| Tick { seq: 0, release: host(ms), now: host(ms), level: 0 };
    // Silent from `from` to `to`, a fall-back every 50 ms, then back; what it said: when, what, raised or cleared.
    let mut silence = |from: u64, to: u64| {
        let mut said = Vec::new();
        for ms in (from..=to).step_by(50) {
            let mut outputs = Outputs::default();
            if ms < to {
                node.fall_back(&tick(ms), &Fault::Unresponsive, &mut outputs);
            } else {
                node.give_way(&tick(ms), &mut outputs);
            }
            said.extend(outputs.alert.sent().iter().map(|alert| (ms - from, alert.kind, alert.phase)));
        }
        said
    };
    let raised = (5000, DriverAlert::MONITORING_UNAVAILABLE, DriverAlert::RAISED);
    let cleared = (6000, DriverAlert::MONITORING_UNAVAILABLE, DriverAlert::CLEARED);
    assert_eq!(silence(0, 6000), [raised, cleared]);
    assert!(silence(60_000, 64_000).is_empty(), "the good minute is not counted as blind");
    assert_eq!(silence(90_000, 96_000), [raised, cleared]);
}

#[test]
fn without_vehicle_signals_the_vehicle_is_taken_to_move() {
    troika_safety::verifies![SR_DMS_013];
    let mut cabin = Cabin::new(&["euro_ncap"]);
    for _ in 0..31 {
        let ms = cabin.ms;
        cabin.step(Some(state(DriverState::EYES_CLOSED, ms)));
    }
    assert_eq!(cabin.alerts.len(), 1);
}

#[test]
fn numbers_without_a_meaning_are_unknown_and_nothing_panics() {
    let mut cabin = Cabin::new(&["euro_ncap", "eu_addw", "perclos", "eu_ddaw"]);
    for n in 0..200u64 {
        cabin.vehicle([f32::NAN, f32::INFINITY, -1e30, 1e30][n as usize % 4], n % 7 == 0);
        let mut seen = state(200, cabin.ms);
        (seen.gaze_zone, seen.confidence, seen.eye_openness_left) = (99, f32::NAN, f32::NEG_INFINITY);
        cabin.step(Some(seen));
    }
    let kinds: Vec<_> = cabin.alerts.iter().map(|alert| alert.kind).collect();
    assert_eq!(kinds, [DriverAlert::MONITORING_UNAVAILABLE]);
}

#[test]
fn an_act_in_the_middle_of_a_burst_of_signals_unlatches() {
    troika_safety::verifies![SR_DMS_009];
    let mut cabin = Cabin::new(&["euro_ncap"]);
    for _ in 0..122 {
        cabin.vehicle(80.0, false);
        let ms = cabin.ms;
        cabin.step(Some(state(DriverState::EYES_CLOSED, ms)));
    }
    assert_eq!(cabin.alerts.last().map(|alert| alert.kind), Some(DriverAlert::UNRESPONSIVE));
    (0..5).for_each(|n| cabin.vehicle(80.0, n == 2));
    let ms = cabin.ms;
    cabin.step(Some(state(DriverState::ATTENTIVE, ms)));
    let last = cabin.alerts.last().expect("an alert");
    assert_eq!((last.kind, last.phase), (DriverAlert::UNRESPONSIVE, DriverAlert::CLEARED));
}

#[test]
fn alerts_over_the_bound_of_a_step_leave_with_the_next_ones_in_order() {
    troika_safety::verifies![SR_DMS_022];
    let mut cabin = Cabin::new(&[]);
    let alert = Alert {
        at: host(0),
        profile: "troika".into(),
        kind: crate::Kind::Sleep,
        phase: crate::Phase::Raised,
        zone: Zone::Unknown,
        elapsed: Duration::ZERO,
        limit: Duration::ZERO,
        speed_kmh: None,
        requirement: sr::SR_DMS_006,
    };
    cabin.node.waiting.extend(std::iter::repeat_n(alert, 11));
    assert_eq!(cabin.step(None), Done::Worked);
    assert_eq!(cabin.alerts.len(), 8);
    assert_eq!(cabin.step(None), Done::Worked);
    assert_eq!(cabin.step(None), Done::Idle, "nothing waits any more");
    let sequence: Vec<_> = cabin.alerts.iter().map(|alert| alert.sequence).collect();
    assert_eq!(sequence, (0..11).collect::<Vec<_>>());
}

#[test]
fn parameters_that_make_no_monitor_say_what_to_do() {
    let error = |profiles: &[&str]| {
        let config = Config {
            profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
            ..Config::default()
        };
        let read = |path: &Path| match path.to_str() {
            Some("bad.toml") => Ok("profile = 1\n".to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        MonitorNode::new(&config, read).err().expect("no monitor").to_string()
    };
    assert!(error(&["euroncap"]).contains("built in are euro_ncap, eu_addw, eu_ddaw, perclos, troika"));
    assert!(error(&["eu_addw", "eu_addw"]).contains("'eu_addw' is there twice"));
    assert!(error(&["none.toml"]).contains("cannot read the profile none.toml"));
    assert!(error(&["bad.toml"]).starts_with("bad.toml, line 1: "));
    assert!(toml::from_str::<Config>("profile = []").is_err(), "an unknown key is refused");
}

#[test]
fn the_default_is_every_built_in_profile() {
    let node = MonitorNode::new(&Config::default(), |_| unreachable!("no file is named")).expect("a monitor");
    assert_eq!(node.monitor.raised().count(), 0);
    assert_eq!(Config::default().profiles.len(), 5);
    assert_eq!(Inputs::SPECS[0].topic, "/cabin/driver_state");
    assert_eq!(Outputs::SPECS[0].capacity, A_STEP);
}

/// A driver at 80 km/h whose eyes stay closed from the first frame on, `seconds` long; when each alert was raised, in ms.
fn sleeps(seconds: u64, mut frame: impl FnMut(u64) -> Option<DriverState>) -> Vec<(u64, u8)> {
    let mut cabin = Cabin::new(&["euro_ncap"]);
    let mut raised = Vec::new();
    for _ in 0..seconds * 20 {
        cabin.vehicle(80.0, false);
        let ms = cabin.ms;
        cabin.step(frame(ms));
        let new = cabin.alerts.drain(..).filter(|alert| alert.phase == DriverAlert::RAISED);
        raised.extend(new.map(|alert| (ms, alert.kind)));
    }
    raised
}

fn kinds(raised: &[(u64, u8)]) -> Vec<u8> {
    raised.iter().map(|(_, kind)| *kind).collect()
}

#[test]
fn states_that_come_late_or_stand_still_say_nothing_of_now() {
    troika_safety::verifies![SR_DMS_024];
    // On time for 1 s; then a queue of 1.2 s stands on the way.
    let late = sleeps(9, |ms| match ms {
        0..1_000 => Some(state(DriverState::ATTENTIVE, ms)),
        1_000..2_200 => None,
        _ => Some(state(DriverState::ATTENTIVE, ms - 1_200)),
    });
    assert_eq!(kinds(&late), [DriverAlert::MONITORING_UNAVAILABLE], "{late:?}");
    assert!((5_900..6_400).contains(&late[0].0), "{late:?}");
    // Late by less than a second is a loaded machine.
    let somewhat = sleeps(9, |ms| Some(state(DriverState::ATTENTIVE, ms.saturating_sub(900))));
    assert!(somewhat.is_empty(), "{somewhat:?}");
    let stuck = sleeps(9, |ms| Some(state(DriverState::ATTENTIVE, ms.min(1_000))));
    assert_eq!(kinds(&stuck), [DriverAlert::MONITORING_UNAVAILABLE], "{stuck:?}");
}

#[test]
fn a_second_sender_that_says_attentive_hides_no_sleeper_once_the_detector_was_heard() {
    troika_safety::verifies![SR_DAT_009];
    let mut seal = Seal::new(sender::DRIVER_STATE);
    let mut foreign = Seal::new("elsewhere");
    let mut number = 0;
    let told = sleeps(4, |ms| {
        number += 1;
        let mut seen = state(DriverState::EYES_CLOSED, ms);
        seal.seal(&mut seen).expect("it fits");
        Some(match number % 4 {
            // Without protection, another's, and one whose state was changed on its way.
            1 if number > 1 => state(DriverState::ATTENTIVE, ms),
            2 => {
                let mut other = state(DriverState::ATTENTIVE, ms);
                foreign.seal(&mut other).expect("it fits");
                other
            }
            3 => DriverState { state: DriverState::ATTENTIVE, ..seen },
            _ => seen,
        })
    });
    assert_eq!(kinds(&told), [DriverAlert::MICROSLEEP, DriverAlert::SLEEP], "{told:?}");
    assert!((3_000..3_400).contains(&told[1].0), "{told:?}");
}

#[test]
fn frames_that_come_late_with_fall_backs_between_them_hide_no_sleeper() {
    troika_safety::verifies![SR_DMS_017, SR_DMS_006];
    // A starved machine: a frame is taken each 0.25 s and comes at once or 150 ms late, with a fall-back in each tick without one: at 0.4 s
    // between two that come, each is 0.25 s from the one before.
    let mut cabin = Cabin::new(&["euro_ncap"]);
    let mut raised = Vec::new();
    for tick in 0..90_u64 {
        cabin.vehicle(80.0, false);
        let ms = cabin.ms;
        let frame = match tick % 10 {
            0 => Some(state(DriverState::EYES_CLOSED, ms)),
            8 => Some(state(DriverState::EYES_CLOSED, ms - 150)),
            _ => None,
        };
        let nothing = DriverState { fall_back: true, ..state(DriverState::UNKNOWN, ms) };
        cabin.step(Some(frame.unwrap_or(nothing)));
        let new = cabin.alerts.drain(..).filter(|alert| alert.phase == DriverAlert::RAISED);
        raised.extend(new.map(|alert| (ms, alert.kind)));
    }
    assert_eq!(kinds(&raised), [DriverAlert::MICROSLEEP, DriverAlert::SLEEP], "{raised:?}");
    assert!((3_000..3_600).contains(&raised[1].0), "{raised:?}");
    // And where no frame comes any more it is told that nothing is seen.
    let silent = sleeps(9, |ms| match ms {
        0..1_000 => Some(state(DriverState::ATTENTIVE, ms)),
        _ => Some(DriverState { fall_back: true, ..state(DriverState::UNKNOWN, ms) }),
    });
    assert_eq!(kinds(&silent), [DriverAlert::MONITORING_UNAVAILABLE], "{silent:?}");
    assert!((5_900..6_500).contains(&silent[0].0), "{silent:?}");
}

#[test]
fn the_openness_is_the_mean_of_the_eyes_that_are_seen_and_low_confidence_is_sensing_that_is_not_nominal() {
    troika_safety::verifies![SR_DMS_014];
    let seen = |left: f32, right: f32, confidence: f32| {
        let told = DriverState {
            eye_openness_left: left,
            eye_openness_right: right,
            confidence,
            ..state(DriverState::ATTENTIVE, 0)
        };
        let seen = observation(&told, 0.35);
        (seen.openness, seen.nominal)
    };
    assert_eq!(seen(0.25, 0.75, 0.9), (Some(0.5), true));
    assert_eq!(seen(f32::NAN, 0.75, 0.35), (Some(0.75), true));
    assert_eq!(seen(0.25, f32::INFINITY, 0.34), (Some(0.25), false));
    assert_eq!(seen(f32::NAN, f32::NAN, f32::NAN), (None, false));
}

#[test]
fn an_alert_names_where_the_gaze_was() {
    troika_safety::verifies![SR_DMS_001];
    let mut cabin = Cabin::new(&["eu_addw"]);
    for _ in 0..71 {
        cabin.vehicle(80.0, false);
        let lap = DriverState { gaze_zone: Zone::Area3 as u8, ..state(DriverState::LOOKING_AWAY, cabin.ms) };
        cabin.step(Some(lap));
    }
    let said: Vec<_> = cabin.alerts.iter().map(|alert| (alert.kind, alert.gaze_zone)).collect();
    assert_eq!(said, [(DriverAlert::LONG_DISTRACTION, Zone::Area3 as u8)]);
}
