//! The supervisor on real processes: a monitor whose process is killed for good. What counts is what the bus sees.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use support::{Router, Scratch, command, start};
use troika_kit::{Message, Qos};
use troika_msgs::{
    diagnostic_msgs::{DiagnosticArray, DiagnosticStatus},
    protect::{Opener, sender},
    troika::{CommandResult, DriverAlert, Heartbeat, SafetyState, Slot, VehicleCommand},
};
use troika_transport::{NodeHandle, Subscription, Transport as _};
use troika_transport_zenoh::RouterGuard;

const SYSTEM: &str = r#"
[system]
name = "supervised"
from_outside = ["/cabin/driver_state", "/voice/command"]
[processes.cabin]
watchdog = { restarts_per_minute = 0 }
essential = false
[nodes.driver_monitor]
kind = "driver_monitor"
process = "cabin"
[nodes.vehicle]
kind = "vehicle"
process = "ends"
[nodes.supervisor]
kind = "supervisor"
process = "supervisor"
[nodes.supervisor.params]
start_within_s = 60
latch_after = 1
capabilities = { driver_monitoring = { nodes = ["/driver_monitor"], critical = true }, body = { nodes = ["/vehicle"] } }
"#;

type Heard<T> = Arc<Mutex<Vec<T>>>;

fn listen<T: Message>(peer: &dyn NodeHandle, topic: &str) -> (Heard<T>, Box<dyn Subscription>) {
    let heard = Heard::default();
    let to = heard.clone();
    let each = Box::new(move |cdr: &[u8], _: &_| to.lock().unwrap().push(T::decode(cdr).unwrap()));
    let qos = Qos { depth: 100, ..Qos::DEFAULT };
    (heard, peer.subscribe(topic, T::TYPE, qos, each).unwrap())
}

/// Waits until this much was heard; fails when it takes longer than any machine needs.
fn until<T: Clone>(heard: &Heard<T>, what: &str, told: impl Fn(&[T]) -> bool) {
    let begin = Instant::now();
    while !told(&heard.lock().unwrap()) {
        assert!(begin.elapsed() < Duration::from_secs(100), "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the supervisor says of a capability or of a node ("node /vehicle") at that time.
fn of<'a>(told: &'a DiagnosticArray, what: &str) -> Option<&'a DiagnosticStatus> {
    told.status.iter().find(|one| one.name.strip_prefix("troika: ") == Some(what))
}

/// Waits until the supervisor trusts all of these. On a machine with time that is the nominal state; a step that came late once makes it
/// another, and nothing of it is lost.
fn until_all_there(states: &Heard<SafetyState>, diagnostics: &Heard<DiagnosticArray>, capabilities: &[&str]) {
    let begin = Instant::now();
    let nominal = || states.lock().unwrap().iter().any(|one| one.state == SafetyState::NOMINAL);
    let usable = |told: &DiagnosticArray, one: &&str| {
        of(told, one).is_some_and(|status| ["available", "degraded"].contains(&&*status.message))
    };
    let told = || {
        let told = diagnostics.lock().unwrap();
        told.last().is_some_and(|told| capabilities.iter().all(|one| usable(told, one)))
    };
    while !(nominal() || told()) {
        assert!(begin.elapsed() < Duration::from_secs(100), "{capabilities:?} are not all there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_monitor_that_is_killed_for_good_makes_the_vehicle_safe_and_somebody_says_so() {
    troika_safety::verifies![SR_SUP_005, SR_SUP_006, SR_SUP_007];
    let scratch = Scratch::new();
    let system = scratch.file("supervised.toml", SYSTEM);
    let router = Router::new();
    let _guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    let peer = transport.node("/", "listener").unwrap();
    let (states, _states) = listen::<SafetyState>(&*peer, "/safety/state");
    let (diagnostics, _diagnostics) = listen::<DiagnosticArray>(&*peer, "/diagnostics");
    let (alerts, _alerts) = listen::<DriverAlert>(&*peer, "/cabin/driver_alert");
    let (results, _results) = listen::<CommandResult>(&*peer, "/vehicle/command_result");
    let mut commands = peer.publisher("/voice/command", VehicleCommand::TYPE, Qos::DEFAULT).unwrap();
    let running = start(&mut router.run(&system, 140));
    until_all_there(&states, &diagnostics, &["driver_monitoring", "body"]);
    // Again and again, each of another name: an order may overtake the state that the vehicle takes it in.
    let mut order = |name: &str, told: &dyn Fn(&CommandResult) -> bool| {
        let begin = Instant::now();
        for n in 0.. {
            let slots = vec![Slot { name: "action".into(), value: "open".into() }];
            let (id, function) = (format!("{name}-{n}"), "trunk.move".to_owned());
            let order = VehicleCommand { id: id.clone(), function, slots, ..VehicleCommand::default() };
            let mut cdr = Vec::new();
            order.encode(&mut cdr).unwrap();
            commands.put(&cdr, troika_kit::Time::ZERO).unwrap();
            let sent = Instant::now();
            while sent.elapsed() < Duration::from_millis(500) {
                if results.lock().unwrap().iter().any(|one| one.command_id == id && told(one)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let heard = results.lock().unwrap();
            assert!(begin.elapsed() < Duration::from_secs(100), "{name}: {:?}", heard.last());
        }
    };
    order("before", &|one| one.status == CommandResult::ACCEPTED);

    let killed = Instant::now();
    kill_process(watched(&scratch), Signal::KILL).unwrap();
    until(&states, "the safe state", |told| {
        told.last().is_some_and(|one| one.state == SafetyState::SAFE && one.lost == ["driver_monitoring"])
    });
    let ours = |one: &DriverAlert| {
        (&*one.profile, one.kind, one.phase)
            == ("troika_supervisor", DriverAlert::MONITORING_UNAVAILABLE, DriverAlert::RAISED)
    };
    until(&alerts, "the supervisor's alert", |told| told.iter().any(ours));
    println!("told {:.2} s after the kill", killed.elapsed().as_secs_f32());
    order("after", &|one| one.status == CommandResult::REFUSED && one.reason.contains("safe state"));
    let heard = states.lock().unwrap().clone();
    let mut opener = Opener::new(sender::SUPERVISOR);
    // We came into its midst, so the first is out of sequence.
    opener.open(heard.first());
    let right = heard[1..].iter().filter(|one| opener.open(Some(one)) == troika_e2e::Status::Ok).count();
    assert!(right * 10 >= (heard.len() - 1) * 9, "{right} of {}", heard.len());

    // Not as the system is run: that has the machine for itself.
    let safety = |arguments: &[&str]| {
        let mut asked = command(&["safety", "--router", &router.endpoint]);
        let answered = asked.args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&[answered.stdout, answered.stderr].concat()).into_owned();
        (answered.status.code(), told)
    };
    let (code, told) = safety(&["--once"]);
    assert!(
        code == Some(1) && told.contains("SAFE") && told.contains("driver_monitoring"),
        "{code:?} {told}"
    );
    let (code, told) = safety(&["--reset"]);
    assert!(code == Some(1) && told.contains("SAFE"), "what is lost stays lost: {code:?} {told}");
    assert!(told.contains("not taken for driver_monitoring"), "{told}");
    running.interrupt();
    running.wait().says(&["is not to be started again"]);
}

/// A vehicle whose step waits for ever, in a process that nobody watches.
const HANGS: &str = r#"
[system]
name = "hangs"
from_outside = ["/voice/command"]
[nodes.vehicle]
kind = "vehicle"
process = "ends"
inject = { fault = "block", at_step = 150 }
[nodes.supervisor]
kind = "supervisor"
process = "supervisor"
[nodes.supervisor.params]
start_within_s = 60
capabilities = { body = { nodes = ["/vehicle"] } }
"#;

/// The same without a fault of its own, where one loss is too many.
fn latches() -> String {
    HANGS
        .replace("inject = { fault = \"block\", at_step = 150 }\n", "")
        .replace("start_within_s = 60", "start_within_s = 60\nrecover_s = 1\nlatch_after = 1")
}

#[test]
fn what_is_latched_is_trusted_again_after_a_reset_that_tells_whether_it_was_taken() {
    troika_safety::verifies![SR_SUP_003];
    let scratch = Scratch::new();
    let system = scratch.file("latches.toml", &latches());
    let router = Router::new();
    let _guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    let peer = transport.node("/", "listener").unwrap();
    let (states, _states) = listen::<SafetyState>(&*peer, "/safety/state");
    let (diagnostics, _diagnostics) = listen::<DiagnosticArray>(&*peer, "/diagnostics");
    let running = start(&mut router.run(&system, 400));
    let reset = || {
        let mut asked = command(&["safety", "--router", &router.endpoint, "--reset"]);
        let answered = asked.output().unwrap();
        let told = String::from_utf8_lossy(&[answered.stdout, answered.stderr].concat()).into_owned();
        (answered.status.code(), told)
    };
    let lost = |told: &[SafetyState]| told.last().is_some_and(|one| one.lost == ["body"]);
    until_all_there(&states, &diagnostics, &["body"]);
    let (code, told) = reset();
    assert!(code == Some(0) && told.contains("nothing was latched"), "{code:?} {told}");
    let body = process(&scratch, "ends");
    kill_process(body, Signal::STOP).unwrap();
    until(&states, "the loss", lost);
    let (code, told) = reset();
    assert!(code == Some(1) && told.contains("not taken for body"), "{code:?} {told}");
    kill_process(body, Signal::CONT).unwrap();
    // Well for long enough, which is a second here, and latched all the same.
    let from = diagnostics.lock().unwrap().len();
    let well = |told: &DiagnosticArray| {
        of(told, "node /vehicle").is_some_and(|node| {
            node.level < DiagnosticStatus::STALE && !node.message.contains("does not return")
        })
    };
    until(&diagnostics, "a vehicle that goes on", |told| {
        told[from..].iter().rev().take_while(|told| well(told)).count() >= 2
    });
    assert!(lost(&states.lock().unwrap()), "a latch opens by a reset alone");
    let (code, told) = reset();
    assert!(code == Some(0) && told.contains("reset: body"), "{code:?} {told}");
    until(&states, "the end of the loss", |told| told.last().is_some_and(|one| one.lost.is_empty()));
    running.interrupt();
    running.wait();
}

#[test]
fn a_step_that_never_returns_is_known_to_the_supervisor_where_there_is_no_watchdog() {
    troika_safety::verifies![SR_TIM_021, SR_SUP_001];
    let scratch = Scratch::new();
    let system = scratch.file("hangs.toml", HANGS);
    let router = Router::new();
    let _guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    let peer = transport.node("/", "listener").unwrap();
    let (states, _states) = listen::<SafetyState>(&*peer, "/safety/state");
    let (diagnostics, _diagnostics) = listen::<DiagnosticArray>(&*peer, "/diagnostics");
    let (beats, _beats) = listen::<Heartbeat>(&*peer, "/troika/heartbeat");
    let running = start(&mut router.run(&system, 240));
    until(&beats, "the heartbeat of a step that hangs", |told| {
        let hangs = |one: &Heartbeat| one.node == "/vehicle" && one.reason.contains("does not return");
        told.iter().any(|one| hangs(one) && one.status == Heartbeat::UNAVAILABLE)
    });
    until(&states, "the loss of the vehicle's functions", |told| {
        told.last().is_some_and(|one| one.state == SafetyState::DEGRADED && one.lost == ["body"])
    });
    // By what the heartbeat says: neither its silence nor the time that a start may take is over.
    until(&diagnostics, "the reason", |told| {
        let hangs =
            |told| of(told, "node /vehicle").is_some_and(|one| one.message.contains("does not return"));
        let lost = |told| of(told, "body").is_some_and(|one| one.message == "lost");
        told.iter().any(|told| hangs(told) && lost(told))
    });
    running.interrupt();
    running.wait();
}

/// The watched process of this test's system.
fn watched(scratch: &Scratch) -> Pid {
    ours(scratch, |line| line.contains(&"--vitals"))
}

/// The process of that name.
fn process(scratch: &Scratch, name: &str) -> Pid {
    ours(scratch, |line| line.windows(2).any(|two| two == ["--process", name]))
}

/// The one process of this test's system whose command line is so.
fn ours(scratch: &Scratch, is: impl Fn(&[&str]) -> bool) -> Pid {
    let ours = scratch.path("").display().to_string();
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let found: Vec<i32> = pids
        .filter(|pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains(ours.trim_end_matches('/')) && is(&line.split('\0').collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    Pid::from_raw(found[0]).unwrap()
}
