//! Rounds in virtual time, with heartbeats as the host sends them.

use troika_kit::{Events, Sample};
use troika_msgs::protect::Opener;

use super::*;

const NODES: [&str; 3] = ["/driver_state", "/driver_monitor", "/gesture"];

/// Half of all seconds begin here.
const BEGIN: u64 = 1_000;

struct Cabin {
    supervisor: SupervisorNode,
    seals: Vec<Seal<Heartbeat>>,
    /// What each node says of itself; none: it is silent.
    status: [Option<u8>; 3],
    ms: u64,
    states: Vec<(u64, SafetyState)>,
    alerts: Vec<(u64, DriverAlert)>,
    told: usize,
    diagnostics: Option<DiagnosticArray>,
}

fn config() -> Config {
    let mut config = Config::default();
    let gestures = CapabilityConfig { nodes: vec!["/gesture".into()], critical: false };
    config.capabilities.insert("gestures".into(), gestures);
    config
}

impl Cabin {
    fn new() -> Cabin {
        Cabin {
            supervisor: SupervisorNode::new(config(), ()).expect("a supervisor"),
            seals: NODES.map(Seal::new).into(),
            status: [Some(Heartbeat::OK); 3],
            ms: 0,
            states: Vec::new(),
            alerts: Vec::new(),
            told: 0,
            diagnostics: None,
        }
    }

    fn now(&self) -> Time {
        Time::from_nanos((BEGIN * 1_000 + self.ms) * 1_000_000)
    }

    /// Rounds for so long. `also`: what comes besides in the first of them.
    fn run(&mut self, seconds: f64, also: Vec<Heartbeat>, reset: bool) {
        let end = self.ms + (seconds * 1000.0) as u64;
        let mut also = Some(also);
        while self.ms < end {
            let now = self.now();
            let mut beats = also.take().unwrap_or_default();
            if self.ms.is_multiple_of(900) {
                for ((node, seal), status) in NODES.iter().zip(&mut self.seals).zip(self.status) {
                    let Some(status) = status else { continue };
                    let header = Header::at(now);
                    let mut beat = Heartbeat { header, node: (*node).into(), status, ..Heartbeat::default() };
                    seal.seal(&mut beat).expect("it fits");
                    beats.push(beat);
                }
            }
            let sample = |value| Sample { value, received: now };
            let reset = reset && self.ms + 100 >= end;
            let inputs = Inputs {
                heartbeat: Events::holding(beats.into_iter().map(sample)),
                reset: Events::holding(
                    reset.then_some(Sample { value: std_msgs::Bool { data: true }, received: now }),
                ),
            };
            let mut outputs = Outputs::default();
            let tick = Tick { seq: 0, release: now, now, level: 0 };
            assert_eq!(self.supervisor.step(&tick, &inputs, &mut outputs), Ok(Done::Worked));
            self.states.extend(outputs.state.sent().iter().map(|state| (self.ms, state.clone())));
            self.alerts.extend(outputs.alert.sent().iter().map(|alert| (self.ms, alert.clone())));
            self.told += outputs.diagnostics.sent().len();
            self.diagnostics = outputs.diagnostics.sent().last().cloned().or(self.diagnostics.take());
            let stamps = outputs.state.sent().iter().map(|state| state.header.time());
            assert!(
                stamps
                    .chain(outputs.alert.sent().iter().map(|alert| alert.header.time()))
                    .all(|at| at == now)
            );
            self.ms += 100;
        }
    }

    fn state(&self) -> (u8, Vec<&str>) {
        let (_, last) = self.states.last().expect("a round");
        (last.state, last.lost.iter().map(String::as_str).collect())
    }

    /// When the state was first this, ms, from a time on.
    fn first(&self, state: u8, from: u64) -> Option<u64> {
        self.states.iter().find(|(ms, one)| *ms >= from && one.state == state).map(|(ms, _)| *ms)
    }
}

#[test]
fn the_state_is_said_ten_times_a_second_protected_and_nominal_when_all_are_heard() {
    troika_safety::verifies![SR_SUP_007, SR_SUP_001];
    let mut cabin = Cabin::new();
    cabin.run(10.0, Vec::new(), false);
    assert_eq!(cabin.states.len(), 100);
    assert_eq!(cabin.state(), (SafetyState::NOMINAL, vec![]));
    assert_eq!((cabin.told, cabin.alerts.len()), (10, 0));
    let mut opener = Opener::new(sender::SUPERVISOR);
    assert!(cabin.states.iter().all(|(_, state)| opener.open(Some(state)) == troika_e2e::Status::Ok));
}

#[test]
fn a_monitor_that_falls_silent_makes_the_state_safe_and_the_driver_is_told_within_five_seconds() {
    troika_safety::verifies![SR_SUP_002, SR_SUP_005];
    for node in [0, 1] {
        let mut cabin = Cabin::new();
        cabin.run(9.0, Vec::new(), false);
        // The last heartbeat was at 8.1 s.
        let last = 8_100;
        cabin.status[node] = None;
        cabin.run(6.0, Vec::new(), false);
        let safe = cabin.first(SafetyState::SAFE, last).expect("safe");
        assert!((2_500..=2_600).contains(&(safe - last)), "{safe}");
        assert_eq!(cabin.state(), (SafetyState::SAFE, vec!["driver_monitoring"]));
        let [(raised, alert)] = cabin.alerts.as_slice() else { panic!("{:?}", cabin.alerts) };
        assert!(raised - last <= 5_000, "{raised}");
        assert_eq!((alert.kind, alert.phase), (DriverAlert::MONITORING_UNAVAILABLE, DriverAlert::RAISED));
        assert_eq!((&*alert.profile, &*alert.requirement), ("troika_supervisor", "SR-SUP-005"));
        assert_eq!(alert.limit_s, 5.0);
        assert!((2.5..=2.6).contains(&alert.elapsed_s) && alert.speed_kmh.is_nan(), "{alert:?}");
        // It comes back, as a process that was started again.
        cabin.status[node] = Some(Heartbeat::OK);
        cabin.seals[node] = Seal::new(NODES[node]);
        let back = cabin.ms;
        cabin.run(12.0, Vec::new(), false);
        let nominal = cabin.first(SafetyState::NOMINAL, back).expect("nominal");
        assert!(nominal - back >= 5_000, "trusted only after 5 s: {nominal}");
        let (cleared, alert) = cabin.alerts.last().expect("cleared");
        assert_eq!(alert.phase, DriverAlert::CLEARED);
        assert!(*cleared >= nominal && cabin.alerts.len() == 2, "{:?}", cabin.alerts);
    }
}

#[test]
fn a_monitor_that_says_itself_that_it_cannot_is_not_spoken_for() {
    troika_safety::verifies![SR_SUP_001, SR_SUP_005];
    let mut cabin = Cabin::new();
    cabin.run(9.0, Vec::new(), false);
    cabin.status[0] = Some(Heartbeat::UNAVAILABLE);
    cabin.run(3.0, Vec::new(), false);
    assert_eq!((cabin.state(), cabin.alerts.len()), ((SafetyState::SAFE, vec!["driver_monitoring"]), 0));
}

#[test]
fn what_is_not_critical_or_only_worse_is_degraded() {
    troika_safety::verifies![SR_SUP_001];
    let mut cabin = Cabin::new();
    cabin.run(9.0, Vec::new(), false);
    cabin.status[2] = None;
    cabin.run(5.0, Vec::new(), false);
    assert_eq!(cabin.state(), (SafetyState::DEGRADED, vec!["gestures"]));
    let mut cabin = Cabin::new();
    cabin.status[1] = Some(Heartbeat::DEGRADED);
    cabin.run(9.0, Vec::new(), false);
    assert_eq!(cabin.state(), (SafetyState::DEGRADED, vec![]));
    assert_eq!(cabin.first(SafetyState::SAFE, 0), None);
}

#[test]
fn forged_heartbeats_do_not_keep_a_dead_monitor_alive() {
    troika_safety::verifies![SR_SUP_004];
    let mut cabin = Cabin::new();
    cabin.run(9.0, Vec::new(), false);
    cabin.status[1] = None;
    let mut old = Heartbeat { node: "/driver_monitor".into(), ..Heartbeat::default() };
    Seal::new("/driver_state").seal(&mut old).expect("it fits");
    for _ in 0..10 {
        // Sealed for another node, without any protection, and garbage.
        let plain = Heartbeat { node: "/driver_monitor".into(), ..Heartbeat::default() };
        let garbage = Heartbeat { e2e: vec![0xff; 20], ..plain.clone() };
        cabin.run(0.5, vec![old.clone(), plain, garbage], false);
    }
    assert_eq!(cabin.state().0, SafetyState::SAFE);
    assert_eq!(cabin.alerts.len(), 1);
}

#[test]
fn a_node_that_is_never_heard_is_lost_when_the_start_is_over_and_a_third_loss_stays_until_a_reset() {
    troika_safety::verifies![SR_SUP_003];
    let mut cabin = Cabin::new();
    cabin.status[1] = None;
    cabin.run(29.0, Vec::new(), false);
    assert_eq!((cabin.state().0, cabin.alerts.len()), (SafetyState::DEGRADED, 0));
    cabin.run(2.0, Vec::new(), false);
    assert_eq!((cabin.state().0, cabin.alerts.len()), (SafetyState::SAFE, 1));
    for _ in 0..2 {
        cabin.status[1] = Some(Heartbeat::OK);
        cabin.run(10.8, Vec::new(), false);
        assert_eq!(cabin.state().0, SafetyState::NOMINAL);
        cabin.status[1] = None;
        cabin.run(5.4, Vec::new(), false);
        assert_eq!(cabin.state().0, SafetyState::SAFE);
    }
    cabin.status[1] = Some(Heartbeat::OK);
    cabin.run(30.0, Vec::new(), false);
    assert_eq!(cabin.state(), (SafetyState::SAFE, vec!["driver_monitoring"]), "latched");
    cabin.run(1.0, Vec::new(), true);
    cabin.run(5.0, Vec::new(), false);
    assert_eq!(cabin.state(), (SafetyState::NOMINAL, vec![]));
}

#[test]
fn diagnostics_tell_of_each_capability_and_each_node_what_it_is_worth_and_why() {
    let mut cabin = Cabin::new();
    let told = |cabin: &mut Cabin, seconds: f64| -> Vec<(u8, String, String, String)> {
        cabin.run(seconds, Vec::new(), false);
        let all = cabin.diagnostics.as_ref().expect("once a second");
        let one = |one: &DiagnosticStatus| {
            let value = one.values.iter().map(|value| format!("{}={}", value.key, value.value)).collect();
            (one.level, one.name.clone(), one.message.clone(), value)
        };
        all.status.iter().map(one).collect()
    };
    let named = |level: u8, name: &str, message: &str, value: &str| {
        (level, format!("troika: {name}"), message.to_owned(), value.to_owned())
    };
    cabin.status = [Some(Heartbeat::OK), None, Some(Heartbeat::OK)];
    assert_eq!(
        told(&mut cabin, 0.1),
        [
            named(DiagnosticStatus::WARN, "driver_monitoring", "starting", "losses=0"),
            named(DiagnosticStatus::OK, "gestures", "available", "losses=0"),
            named(DiagnosticStatus::STALE, "node /driver_monitor", "no heartbeat yet", "heartbeat_age_s="),
            named(DiagnosticStatus::OK, "node /driver_state", "OK", "heartbeat_age_s=0.0"),
            named(DiagnosticStatus::OK, "node /gesture", "OK", "heartbeat_age_s=0.0"),
        ]
    );
    cabin.status = [Some(Heartbeat::OK), Some(Heartbeat::OK), Some(Heartbeat::DEGRADED)];
    let degraded = told(&mut cabin, 9.0);
    assert_eq!(
        degraded[..2],
        [
            named(DiagnosticStatus::OK, "driver_monitoring", "available", "losses=0"),
            named(DiagnosticStatus::WARN, "gestures", "degraded", "losses=0"),
        ]
    );
    cabin.status[1] = None;
    let lost = told(&mut cabin, 4.0);
    assert_eq!(lost[0], named(DiagnosticStatus::ERROR, "driver_monitoring", "lost", "losses=1"));
    let silent =
        named(DiagnosticStatus::STALE, "node /driver_monitor", "silent for 4.0 s", "heartbeat_age_s=4.0");
    assert_eq!(lost[2], silent);
    cabin.status[1] = Some(Heartbeat::OK);
    let recovers = told(&mut cabin, 2.0);
    assert_eq!(recovers[0].2, "well again, and not trusted yet");
    for _ in 0..2 {
        cabin.status[1] = Some(Heartbeat::OK);
        cabin.run(10.8, Vec::new(), false);
        cabin.status[1] = None;
        cabin.run(5.4, Vec::new(), false);
    }
    let latched = told(&mut cabin, 1.0);
    assert_eq!(
        latched[0],
        named(DiagnosticStatus::ERROR, "driver_monitoring", "lost too often: until a reset", "losses=3")
    );
}

#[test]
fn what_is_latched_is_read_from_the_supervisors_own_diagnostics_alone() {
    let status = |name: &str, message: &str| DiagnosticStatus {
        name: name.to_owned(),
        message: message.to_owned(),
        ..DiagnosticStatus::default()
    };
    let of = |status: &[DiagnosticStatus]| {
        crate::latched(&DiagnosticArray { status: status.to_vec(), ..DiagnosticArray::default() })
    };
    let held = "lost too often: until a reset";
    let both = [status("troika: a", held), status("troika: b", "lost"), status("lidar: c", held)];
    assert_eq!(of(&both), Some(vec!["a".to_owned()]));
    assert_eq!(of(&both[1..]), Some(Vec::new()));
    assert_eq!(of(&both[2..]), None);
}

#[test]
fn parameters_that_make_no_supervisor_are_refused_with_their_key() {
    let with = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        config.check().expect_err("refused").to_string()
    };
    assert!(with(|config| config.capabilities.clear()).contains("capabilities"));
    assert!(with(|config| config.silent_after_ms = 900).contains("1900 to 4000"));
    assert!(with(|config| config.recover_s = 0).contains("recover_s is 0"));
    let node =
        with(|config| config.capabilities.values_mut().for_each(|one| one.nodes = vec!["camera".into()]));
    assert!(node.contains("full name"), "{node}");
    let root = with(|config| config.capabilities.values_mut().for_each(|one| one.nodes = vec!["/".into()]));
    assert!(root.contains("full name"), "{root}");
    let mut short = config();
    short.capabilities.values_mut().for_each(|one| one.nodes = vec!["/a".into()]);
    assert_eq!(short.check(), Ok(()), "the shortest full name");
    let none = with(|config| config.capabilities.values_mut().for_each(|one| one.nodes.clear()));
    assert!(none.contains("driver_monitoring"), "{none}");
}

/// The end of a supervisor and the next one's begin, with a monitor that is `well` meanwhile.
fn begun_again(well: bool) -> Cabin {
    let mut cabin = Cabin::new();
    cabin.supervisor = cabin.supervisor.again();
    if !well {
        cabin.status = [None, None, Some(Heartbeat::OK)];
    }
    cabin
}

#[test]
fn one_that_is_started_again_says_safe_until_it_has_seen_for_itself_that_all_is_well() {
    troika_safety::verifies![SR_SUP_011, SR_SUP_006];
    let mut cabin = begun_again(true);
    cabin.run(8.0, Vec::new(), false);
    let first = cabin.states.first().map(|(_, state)| state.clone()).expect("a state");
    assert_eq!((first.state, first.lost.len()), (SafetyState::SAFE, 2), "{first:?}");
    let trusted =
        cabin.states.iter().find(|(_, state)| state.state != SafetyState::SAFE).expect("it is trusted");
    assert!((4_900..=5_100).contains(&trusted.0), "{} ms", trusted.0);
    // What its predecessor raised may stand: it is cleared, once.
    let alerts: Vec<_> = cabin.alerts.iter().map(|(ms, alert)| (ms / 1_000, alert.phase)).collect();
    assert_eq!(alerts, [(trusted.0 / 1_000, DriverAlert::CLEARED)]);
    // The next loss latches.
    cabin.status[1] = Some(Heartbeat::UNAVAILABLE);
    cabin.run(1.0, Vec::new(), false);
    cabin.status[1] = Some(Heartbeat::OK);
    cabin.run(20.0, Vec::new(), false);
    assert_eq!(cabin.states.last().map(|(_, state)| state.state), Some(SafetyState::SAFE), "until a reset");
}

#[test]
fn one_that_is_started_again_over_a_dead_monitor_never_says_better_than_safe() {
    troika_safety::verifies![SR_SUP_011, SR_SUP_005];
    let mut cabin = begun_again(false);
    cabin.run(60.0, Vec::new(), false);
    assert!(cabin.states.iter().all(|(_, state)| state.state == SafetyState::SAFE));
    let alerts: Vec<_> = cabin.alerts.iter().map(|(ms, alert)| (*ms, alert.phase)).collect();
    assert!(matches!(alerts[..], [(2_500..=2_700, DriverAlert::RAISED)]), "{alerts:?}");
}
