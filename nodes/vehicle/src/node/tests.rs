//! The vehicle as its neighbours meet it: commands in, results out.

use troika_msgs::{protect::Seal, troika::Slot};

use super::*;
use crate::{
    body::{Act, MockBody, Progress, Readings, Unwilling},
    simulated::Value,
};

struct Drive<B: Body> {
    node: VehicleNode<B>,
    ms: u64,
    heard: Option<VehicleSignals>,
    heard_at: Time,
    safety: Option<u8>,
    supervisor: Seal<SafetyState>,
    signals: Vec<VehicleSignals>,
    results: Vec<CommandResult>,
}

fn host(ms: u64) -> Time {
    Time::from_nanos((1_700_000_000_000 + ms) * 1_000_000)
}

fn simulated(kmh: f32) -> Drive<SimulatedBody> {
    let config = Config { speed: vec![Waypoint { at_s: 0.0, kmh }], ..Config::default() };
    with(VehicleNode::new(&config).expect("a vehicle"))
}

fn with<B: Body>(node: VehicleNode<B>) -> Drive<B> {
    Drive {
        node,
        ms: 0,
        heard: None,
        heard_at: host(0),
        safety: None,
        supervisor: Seal::new(sender::SUPERVISOR),
        signals: Vec::new(),
        results: Vec::new(),
    }
}

fn order(id: &str, function: &str, slots: &[(&str, &str)]) -> VehicleCommand {
    let slot = |(name, value): &(&str, &str)| Slot { name: (*name).to_owned(), value: (*value).to_owned() };
    VehicleCommand {
        id: id.to_owned(),
        function: function.to_owned(),
        slots: slots.iter().map(slot).collect(),
        source: VehicleCommand::VOICE,
        ..VehicleCommand::default()
    }
}

impl<B: Body> Drive<B> {
    fn step(&mut self, commands: Vec<VehicleCommand>) {
        let now = host(self.ms);
        let mut inputs = Inputs::default();
        if let Some(heard) = &self.heard {
            inputs.signals = Latest::holding(heard.clone(), self.heard_at);
        }
        if let Some(state) = self.safety {
            let mut said = SafetyState { state, ..SafetyState::default() };
            self.supervisor.seal(&mut said).expect("it fits");
            inputs.safety = Latest::holding(said, now);
        }
        inputs.command = Events::holding(commands.into_iter().map(|value| Sample { value, received: now }));
        let tick = Tick { seq: self.ms / 20, release: now, now, level: 0 };
        let mut outputs = Outputs::default();
        self.node.step(&tick, &inputs, &mut outputs).expect("the vehicle never faults");
        assert_eq!(outputs.result.dropped(), 0);
        self.signals.extend_from_slice(outputs.signals.sent());
        self.results.extend_from_slice(outputs.result.sent());
        self.ms += 20;
    }

    fn says(&mut self, command: VehicleCommand) -> &mut Self {
        self.step(vec![command]);
        self
    }

    fn runs(&mut self, ms: u64) -> &mut Self {
        (0..ms / 20).for_each(|_| self.step(Vec::new()));
        self
    }

    fn statuses(&self, id: &str) -> Vec<u8> {
        self.results.iter().filter(|result| result.command_id == id).map(|result| result.status).collect()
    }

    fn last_reason(&self) -> &str {
        &self.results.last().expect("a result").reason
    }
}

const ACCEPTED: u8 = CommandResult::ACCEPTED;
const REFUSED: u8 = CommandResult::REFUSED;
const DONE: u8 = CommandResult::DONE;
const FAILED: u8 = CommandResult::FAILED;

#[test]
fn signals_leave_with_every_step_and_follow_the_profile() {
    let speed = vec![Waypoint { at_s: 0.0, kmh: 0.0 }, Waypoint { at_s: 1.0, kmh: 50.0 }];
    let config = Config { speed, driver_acts_s: vec![0.5], ..Config::default() };
    let mut drive = with(VehicleNode::new(&config).expect("a vehicle"));
    drive.runs(2000);
    assert_eq!(drive.signals.len(), 100);
    assert_eq!((drive.signals[0].speed_kmh, drive.signals[0].gear), (0.0, 0));
    assert_eq!((drive.signals[25].speed_kmh, drive.signals[25].gear), (25.0, 127));
    assert_eq!(drive.signals[99].speed_kmh, 50.0);
    let acted: Vec<_> =
        drive.signals.iter().enumerate().filter(|(_, s)| s.driver_acted).map(|(n, _)| n).collect();
    assert_eq!(acted, [25], "told once");
}

#[test]
fn a_temperature_is_accepted_and_done_at_once() {
    let mut drive = simulated(80.0);
    drive.says(order("a", "climate.set_temperature", &[("celsius", "22.5"), ("zone", "driver")]));
    assert_eq!(drive.statuses("a"), [ACCEPTED, DONE]);
    assert_eq!(drive.results[0].function, "climate.set_temperature");
    assert_eq!(drive.node.body().setting("climate.temperature.driver"), Some(&Value::Number(22.5)));
    assert_eq!(drive.node.body().setting("climate.temperature.rear"), Some(&Value::Number(21.0)));
}

#[test]
fn a_window_takes_its_time_and_is_done_when_it_is_there() {
    let mut drive = simulated(80.0);
    drive.says(order("w", "window.move", &[("action", "open"), ("percent", "50")])).runs(1960);
    assert_eq!(drive.statuses("w"), [ACCEPTED]);
    drive.runs(60);
    assert_eq!(drive.statuses("w"), [ACCEPTED, DONE], "50 % at 25 % a second");
    assert_eq!(drive.node.body().setting("window.front_left"), Some(&Value::Number(50.0)));
}

#[test]
fn a_newer_command_takes_a_window_over_where_it_is() {
    let mut drive = simulated(0.0);
    drive.says(order("open", "window.move", &[("action", "open")])).runs(2000);
    drive.says(order("close", "window.move", &[("action", "close")])).runs(3000);
    assert_eq!(drive.statuses("open"), [ACCEPTED, FAILED]);
    assert_eq!(drive.statuses("close"), [ACCEPTED, DONE]);
    assert_eq!(drive.node.body().setting("window.front_left"), Some(&Value::Number(0.0)));
}

#[test]
fn at_any_speed_the_trunk_stays_shut_and_the_reason_is_told() {
    troika_safety::verifies![SR_VOI_001];
    for (speed, status) in [(0.0, ACCEPTED), (0.1, REFUSED), (-1.0, REFUSED), (130.0, REFUSED)] {
        let mut drive = simulated(speed);
        drive.says(order("t", "trunk.move", &[("action", "open")]));
        assert_eq!(drive.statuses("t"), [status], "{}: {speed}", sr::SR_VOI_001.id());
        if status == REFUSED {
            assert_eq!(drive.last_reason(), "only while the vehicle stands still");
            assert_eq!(drive.node.body().setting("trunk"), Some(&Value::Number(0.0)));
        }
    }
}

#[test]
fn a_trunk_on_its_way_up_stops_when_the_vehicle_moves_off() {
    troika_safety::verifies![SR_VOI_011];
    let speed = vec![Waypoint { at_s: 1.0, kmh: 0.0 }, Waypoint { at_s: 2.0, kmh: 20.0 }];
    let mut drive = with(VehicleNode::new(&Config { speed, ..Config::default() }).expect("a vehicle"));
    drive.says(order("t", "trunk.move", &[("action", "open")])).runs(6000);
    assert_eq!(drive.statuses("t"), [ACCEPTED, FAILED]);
    assert_eq!(drive.last_reason(), "stopped: only while the vehicle stands still");
    let Some(Value::Number(open)) = drive.node.body().setting("trunk") else { panic!("no trunk") };
    assert!((15.0..20.0).contains(open), "about one second's way: {open}");
}

#[test]
fn cruise_is_never_set_by_voice_confirmed_or_not() {
    troika_safety::verifies![SR_VOI_002, SR_VOI_010];
    let mut drive = simulated(80.0);
    let mut cruise = order("c", "cruise.set", &[("kmh", "120")]);
    cruise.confirmed = true;
    drive.says(cruise);
    assert_eq!(drive.statuses("c"), [REFUSED], "{}", sr::SR_VOI_002.id());
    assert!(drive.last_reason().contains("vehicle's own control"));
    assert_eq!(drive.node.body().setting("cruise"), None);
}

#[test]
fn a_call_waits_for_the_drivers_confirmation() {
    troika_safety::verifies![SR_VOI_003];
    let mut drive = simulated(80.0);
    let call = order("1", "phone.call", &[("contact", "Anna")]);
    drive.says(call.clone());
    assert_eq!(drive.statuses("1"), [REFUSED], "{}", sr::SR_VOI_003.id());
    drive.says(VehicleCommand { id: "2".into(), confirmed: true, ..call });
    assert_eq!(drive.statuses("2"), [ACCEPTED, DONE]);
}

#[test]
fn what_is_not_in_the_catalogue_is_refused_with_what_is_wrong() {
    troika_safety::verifies![SR_VOI_010];
    let mut drive = simulated(0.0);
    drive.says(order("1", "car.fly", &[]));
    assert_eq!(drive.last_reason(), "there is no vehicle function 'car.fly'");
    drive.says(order("2", "climate.set_temperature", &[("celsius", "80")]));
    assert!(drive.last_reason().contains("cannot be '80'"));
    let flood = vec![("x", "y"); 10_000];
    drive.says(order("3", "wiper.set", &flood));
    assert_eq!(drive.statuses("3"), [REFUSED]);
    drive.says(order("", "wiper.set", &[("mode", "off")]));
    drive.says(order(&"i".repeat(100_000), "wiper.set", &[("mode", "off")]));
    assert!(drive.results.iter().all(|result| result.status == REFUSED && result.command_id.len() <= 64));
}

#[test]
fn a_command_that_comes_twice_is_carried_out_once_and_answered_twice() {
    troika_safety::verifies![SR_VOI_012];
    let mut drive = simulated(80.0);
    let next = order("n", "media.control", &[("action", "next")]);
    drive.step(vec![next.clone(), next.clone()]);
    drive.says(next);
    assert_eq!(drive.statuses("n"), [ACCEPTED, DONE, DONE, DONE]);
    assert_eq!(drive.node.body().setting("media.track"), Some(&Value::Number(1.0)));
}

#[test]
fn another_command_of_an_id_is_refused_and_has_not_the_answer_of_then() {
    troika_safety::verifies![SR_VOI_012];
    let mut drive = simulated(80.0);
    drive.says(order("u1/0", "media.control", &[("action", "next")]));
    // The voice was started again, and counted from the beginning.
    drive.says(order("u1/0", "vehicle.query", &[("what", "speed")]));
    assert_eq!(drive.statuses("u1/0"), [ACCEPTED, DONE, REFUSED]);
    assert_eq!(drive.last_reason(), "another command had this id");
    // Whoever repeats the first has its answer still.
    drive.says(order("u1/0", "media.control", &[("action", "next")]));
    assert_eq!(drive.statuses("u1/0"), [ACCEPTED, DONE, REFUSED, DONE]);
    assert_eq!(drive.node.body().setting("media.track"), Some(&Value::Number(1.0)));
}

#[test]
fn what_was_damaged_on_its_way_takes_nothing_from_what_comes_whole() {
    troika_safety::verifies![SR_DAT_003];
    let mut drive = simulated(80.0);
    let mut voice = Seal::new(sender::VOICE);
    let whole = voice.sealed(order("n", "media.control", &[("action", "next")])).expect("it fits");
    drive.says(VehicleCommand { confirmed: true, ..whole.clone() });
    drive.says(whole);
    assert_eq!(drive.statuses("n"), [REFUSED, ACCEPTED, DONE]);
}

#[test]
fn a_command_that_waited_here_is_as_late_as_one_that_was_long_on_its_way() {
    troika_safety::verifies![SR_VOI_020];
    let came = |value| Sample { value, received: host(400) };
    let mut stamped = order("n", "media.control", &[("action", "next")]);
    let unstamped = came(stamped.clone());
    stamped.header = Header::at(host(0));
    let stamped = came(stamped);
    assert!(!command(&stamped, host(1_000)).late && command(&stamped, host(1_001)).late);
    assert!(!command(&unstamped, host(1_400)).late && command(&unstamped, host(1_401)).late);
}

#[test]
fn a_body_that_says_no_is_refused_with_its_reason() {
    let mut drive = simulated(80.0);
    drive.says(order("h", "phone.control", &[("action", "hang_up")]));
    assert_eq!((drive.statuses("h"), drive.last_reason()), (vec![REFUSED], "there is no call to hang up"));
}

#[test]
fn a_question_has_its_answer_in_the_result() {
    let mut drive = simulated(80.0);
    drive.says(order("q", "vehicle.query", &[("what", "speed")]));
    assert_eq!((drive.statuses("q"), drive.last_reason()), (vec![ACCEPTED, DONE], "80 km/h"));
}

fn mocked(progress: impl FnMut(Time, Act) -> Progress + Send + 'static) -> Drive<MockBody> {
    let mut body = MockBody::new();
    body.expect_readings().returning(|_| Readings { speed_kmh: 30.0, ..Readings::default() });
    body.expect_begin().returning(|_, _| Ok(Act(7)));
    body.expect_progress().returning(progress);
    body.expect_stop().times(0..=1).returning(|_, act| assert_eq!(act, Act(7)));
    with(VehicleNode::with_body(body, SignalsFrom::Body))
}

#[test]
fn a_body_that_never_answers_has_failed_after_one_second() {
    troika_safety::verifies![SR_VOI_004];
    let mut drive = mocked(|_, _| Progress::Unanswered);
    drive.says(order("s", "wiper.set", &[("mode", "fast")])).runs(980);
    assert_eq!(drive.statuses("s"), [0u8; 0]);
    drive.runs(20);
    assert_eq!(drive.statuses("s"), [FAILED], "{}", sr::SR_VOI_004.id());
    assert_eq!(drive.results[0].header.time(), host(1000));
    drive.runs(5000);
    assert_eq!(drive.results.len(), 1);
}

#[test]
fn a_body_that_goes_silent_midway_has_failed_one_second_after_its_last_word() {
    troika_safety::verifies![SR_VOI_019];
    let mut drive = mocked(|now, _| if now < host(3000) { Progress::Running } else { Progress::Unanswered });
    drive.says(order("s", "wiper.set", &[("mode", "fast")])).runs(5000);
    assert_eq!(drive.statuses("s"), [ACCEPTED, FAILED]);
    assert_eq!(drive.results[1].header.time(), host(2980 + 1000));
}

#[test]
fn a_body_that_is_always_still_at_it_has_failed_at_last() {
    troika_safety::verifies![SR_VOI_019];
    let mut drive = mocked(|_, _| Progress::Running);
    drive.says(order("s", "wiper.set", &[("mode", "fast")])).runs(21_000);
    assert_eq!(drive.statuses("s"), [ACCEPTED, FAILED]);
    assert_eq!(drive.last_reason(), "not done within 20 s");
}

#[test]
fn a_body_that_fails_says_why() {
    let mut drive = mocked(|_, _| Progress::Failed("the fuse is blown".into()));
    drive.says(order("s", "wiper.set", &[("mode", "fast")]));
    assert_eq!((drive.statuses("s"), drive.last_reason()), (vec![FAILED], "the fuse is blown"));
}

#[test]
fn the_gate_stands_before_the_body() {
    troika_safety::verifies![SR_VOI_001, SR_VOI_010];
    let mut body = MockBody::new();
    body.expect_readings().returning(|_| Readings { speed_kmh: f32::NAN, ..Readings::default() });
    body.expect_begin().never();
    let mut drive = with(VehicleNode::with_body(body, SignalsFrom::Body));
    drive.says(order("t", "trunk.move", &[("action", "open")]));
    assert_eq!(drive.last_reason(), "only while the vehicle stands still, and its speed is not known");
}

#[test]
fn a_flood_of_commands_is_answered_in_full_and_bounded() {
    let mut body = MockBody::new();
    body.expect_readings().returning(|_| Readings::default());
    let mut begun = 0;
    body.expect_begin().returning(move |_, _| {
        begun += 1;
        if begun == 3 { Err(Unwilling("not that one".into())) } else { Ok(Act(begun)) }
    });
    body.expect_progress().returning(|_, _| Progress::Running);
    let mut drive = with(VehicleNode::with_body(body, SignalsFrom::Body));
    for step in 0..4 {
        drive.step((0..16).map(|n| order(&format!("{step}-{n}"), "wiper.set", &[("mode", "off")])).collect());
    }
    assert_eq!(drive.results.len(), 64, "one answer each");
    let accepted = drive.results.iter().filter(|result| result.status == ACCEPTED).count();
    assert_eq!(accepted, crate::door::ACTS);
    assert_eq!(drive.last_reason(), "32 commands are under way already");
}

#[test]
fn with_external_signals_the_node_is_silent_on_them_and_gates_by_them() {
    troika_safety::verifies![SR_VOI_001, SR_VOI_011];
    let node =
        VehicleNode::new(&Config { signals: SignalsFrom::External, ..Config::default() }).expect("a vehicle");
    let mut drive = with(node);
    let trunk = |id| order(id, "trunk.move", &[("action", "open")]);
    drive.says(trunk("never heard"));
    assert_eq!(drive.last_reason(), "only while the vehicle stands still, and its speed is not known");
    drive.heard = Some(VehicleSignals { header: Header::at(host(20)), ..VehicleSignals::default() });
    drive.heard_at = host(20);
    drive.says(trunk("standing"));
    assert_eq!(drive.statuses("standing"), [ACCEPTED]);
    drive.runs(460);
    assert_eq!(drive.statuses("standing"), [ACCEPTED], "the signals are 0.46 s old");
    drive.runs(60);
    assert_eq!(drive.statuses("standing"), [ACCEPTED, FAILED], "and now stale: the restrictive branch");
    drive.heard_at = host(drive.ms);
    drive.says(trunk("long under way"));
    assert_eq!(drive.statuses("long under way"), [REFUSED]);
    drive.heard = Some(VehicleSignals { speed_kmh: f32::NAN, ..VehicleSignals::default() });
    drive.heard_at = host(drive.ms);
    drive.says(trunk("no number"));
    assert_eq!(drive.statuses("no number"), [REFUSED]);
    assert_eq!(drive.signals, []);
}

#[test]
fn parameters_that_make_no_vehicle_say_which() {
    let error = |text: &str| match toml::from_str::<Config>(text) {
        Ok(config) => VehicleNode::new(&config).err().expect("no vehicle").to_string(),
        Err(error) => error.message().to_owned(),
    };
    assert!(error("speed = [{ at_s = 1, kmh = 0 }, { at_s = 1, kmh = 9 }]").contains("waypoint 1"));
    assert!(error("speed = [{ at_s = nan, kmh = 0 }]").contains("waypoint 0"));
    assert!(error("driver_acts_s = [3, 2]").contains("driver_acts_s: 2"));
    assert!(error("driver_acts_s = [-1]").contains("driver_acts_s: -1"));
    assert!(error("signals = \"external\"\nspeed = [{ at_s = 0, kmh = 0 }]").contains("would not be used"));
    assert!(error("sginals = \"body\"").contains("unknown field `sginals`"));
    assert!(error("signals = \"outside\"").contains("unknown variant"));
}

#[test]
fn in_the_safe_state_and_when_it_falls_silent_what_is_behind_a_gate_stays_shut() {
    troika_safety::verifies![SR_SUP_006];
    let trunk = |id: &str| order(id, "trunk.move", &[("action", "open")]);
    let warmer = |id: &str| order(id, "climate.set_temperature", &[("celsius", "22.5"), ("zone", "driver")]);
    let mut drive = simulated(0.0);
    drive.safety = Some(SafetyState::NOMINAL);
    drive.says(trunk("1")).runs(100);
    assert_eq!(drive.statuses("1").first(), Some(&ACCEPTED));
    drive.safety = Some(SafetyState::SAFE);
    drive.says(trunk("2")).says(warmer("3"));
    assert_eq!((drive.statuses("2"), drive.statuses("3")), (vec![REFUSED], vec![ACCEPTED, DONE]));
    drive.safety = None;
    drive.says(trunk("4"));
    assert_eq!(drive.statuses("4"), [REFUSED]);
    assert!(drive.last_reason().contains("safe state"), "{}", drive.last_reason());
}

#[test]
fn a_command_that_is_not_what_its_sender_sent_is_refused() {
    troika_safety::verifies![SR_DAT_003];
    let mut drive = simulated(0.0);
    let mut seal = protect::Seal::new(sender::VOICE);
    let mut sealed = |id: &str| {
        let mut command = order(id, "climate.set_temperature", &[("celsius", "22.5"), ("zone", "driver")]);
        seal.seal(&mut command).expect("it fits");
        command
    };
    let (first, mut second) = (sealed("1"), sealed("2"));
    second.slots[0].value = "29.5".into();
    drive.says(first).says(second);
    assert_eq!((drive.statuses("1"), drive.statuses("2")), (vec![ACCEPTED, DONE], vec![REFUSED]));
    assert!(drive.last_reason().contains("end-to-end"), "{}", drive.last_reason());
}

#[test]
fn a_vehicle_that_takes_protected_commands_alone_refuses_one_without_and_another_takes_it() {
    troika_safety::verifies![SR_DAT_010];
    let open = |id: &str| order(id, "climate.set_temperature", &[("celsius", "22.5"), ("zone", "driver")]);
    let mut bench = simulated(0.0);
    bench.says(open("1"));
    assert_eq!(bench.statuses("1"), [ACCEPTED, DONE]);
    let config = Config { protected_only: true, ..Config::default() };
    let mut drive = with(VehicleNode::new(&config).expect("a vehicle"));
    let mut sealed = VehicleCommand { source: VehicleCommand::GESTURE, ..open("3") };
    protect::Seal::new(sender::GESTURE).seal(&mut sealed).expect("it fits");
    // The voice's protection is of what the voice says: not of a control.
    let mut forged = VehicleCommand { source: VehicleCommand::API, ..open("4") };
    protect::Seal::new(sender::VOICE).seal(&mut forged).expect("it fits");
    drive.says(open("2")).says(sealed).says(forged);
    assert_eq!((drive.statuses("2"), drive.statuses("3")), (vec![REFUSED], vec![ACCEPTED, DONE]));
    assert_eq!(drive.statuses("4"), [REFUSED]);
}

#[test]
fn a_command_that_was_longer_under_way_than_its_sender_waits_is_refused() {
    troika_safety::verifies![SR_VOI_020];
    let mut drive = simulated(0.0);
    for (id, late_ms, status) in [("a", 1_000, ACCEPTED), ("b", 1_001, REFUSED), ("c", 60_000, REFUSED)] {
        let header = Header::at(host(drive.ms) - Duration::from_millis(late_ms));
        drive.says(VehicleCommand { header, ..order(id, "trunk.move", &[("action", "open")]) });
        assert_eq!(drive.statuses(id)[0], status, "{late_ms} ms");
    }
    assert!(drive.last_reason().contains("1 s old"), "{}", drive.last_reason());
}
