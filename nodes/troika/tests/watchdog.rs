//! The watchdog on real processes: a detector that hangs and one whose process is killed. What counts is what the bus sees:
//! the driver is unknown, not forgotten, and known again afterwards. Needs the model store (`troika models pull --set test`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use support::{DETECTORS, Router, Running, Scratch, start};
use troika_kit::{Message as _, Qos};
use troika_msgs::{std_msgs, troika::DriverState};
use troika_transport::{Meta, Subscription, Transport as _};
use troika_transport_zenoh::{RouterGuard, ZenohTransport};

/// The detectors, watched, with this done to the one that looks at the driver.
fn watched(inject: &str) -> String {
    DETECTORS
        .replace("lock_memory = true\n", "lock_memory = true\nwatchdog = true\n")
        .replace("priority = 80 }\n", &format!("priority = 80 }}\n{inject}\n"))
}
/// What the stand-in says in place of the networks' names.
const STAND_IN: &str = "unavailable: its process does not answer";

/// A message on the bus.
#[derive(Clone, Copy)]
struct Word {
    /// Whose: each life of the detector and its stand-in is a publisher of its own.
    who: [u8; 16],
    /// The detector's own, and not its stand-in's.
    own: bool,
}

/// Each, in order.
type Heard = Arc<Mutex<Vec<Word>>>;

fn listen(router: &Router) -> (Heard, RouterGuard, Box<dyn Subscription>, ZenohTransport) {
    // Here, so that the bus outlives every process of the system.
    let guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    let heard = Heard::default();
    let to = heard.clone();
    let peer = transport.node("/", "listener").unwrap();
    let each = move |cdr: &[u8], meta: &Meta| {
        let own = DriverState::decode(cdr).unwrap().model != STAND_IN;
        to.lock().unwrap().push(Word { who: meta.gid, own });
    };
    let qos = Qos { depth: 100, ..Qos::DEFAULT };
    let subscription = peer.subscribe("/cabin/driver_state", DriverState::TYPE, qos, Box::new(each)).unwrap();
    (heard, guard, subscription, transport)
}

/// The lives of the detector, each by the place of its first word.
fn lives(heard: &[Word]) -> Vec<usize> {
    let mut seen = HashSet::new();
    let first = |(_, word): &(usize, &Word)| word.own && seen.insert(word.who);
    heard.iter().enumerate().filter(first).map(|(place, _)| place).collect()
}

/// Waits until the bus has told this much since the `from`-th message; fails when it takes longer than any machine needs.
fn until(heard: &Heard, from: usize, what: &str, told: impl Fn(&[Word]) -> bool) -> usize {
    let begin = Instant::now();
    loop {
        {
            let heard = heard.lock().unwrap();
            if told(&heard[from.min(heard.len())..]) {
                return heard.len();
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(100), "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn finish(running: Running, report: &Path, code: i32) -> (serde_json::Value, String) {
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(code), "{run}");
    (support::report(report)["watchdogs"][0].clone(), run.text)
}

#[test]
fn a_step_that_never_returns_is_spoken_for_and_its_process_started_again_until_it_is_hopeless() {
    troika_safety::verifies![SR_TIM_008, SR_TIM_009];
    let scratch = Scratch::new();
    let system = scratch.file("hangs.toml", &watched("inject = { fault = \"hang\", at_step = 20 }"));
    let report = scratch.path("report.json");
    let router = Router::new();
    let (heard, _guard, _subscription, _transport) = listen(&router);
    let mut running = start(router.run(&system, 240).arg("--report").arg(&report));
    // The first life and three more; each hangs in its 21st step.
    running.until_it_says(&["fails too often"]);
    let from = until(&heard, 0, "a fourth life", |told| lives(told).len() >= 4);
    // Left alone, and still spoken for.
    until(&heard, from, "the stand-in to the end", |told| {
        told.iter().rev().take_while(|word| !word.own).count() >= 60
    });
    let heard = heard.lock().unwrap().clone();
    let begun = lives(&heard);
    assert_eq!(begun.len(), 4, "lives that began at {begun:?} of {}", heard.len());
    for two in begun.windows(2) {
        let spoken_for = heard[two[0]..two[1]].iter().filter(|word| !word.own).count();
        assert!(spoken_for >= 3, "{spoken_for} words of the stand-in between the lives at {two:?}");
    }
    let (watchdog, printed) = finish(running, &report, 1);
    assert_eq!((&watchdog["killed"], &watchdog["given_up"]), (&4.into(), &true.into()), "{watchdog}");
    assert_eq!((&watchdog["restarts"], &watchdog["died"]), (&3.into(), &0.into()), "{watchdog}");
    for told in [
        "/driver_state does not come back from its step",
        "(3 of 3 in a minute)",
        "fails too often",
        "no figures of /driver_monitor, /driver_state",
        "process 'cabin' was started again 3 times\n",
        "error: process 'cabin' failed too often and was left alone",
    ] {
        assert!(printed.contains(told), "'{told}' was not printed:\n{printed}");
    }
}

#[test]
fn a_process_that_is_killed_is_spoken_for_and_comes_back() {
    troika_safety::verifies![SR_TIM_009];
    let scratch = Scratch::new();
    let system = scratch.file("watched.toml", &watched(""));
    let (report, folder) = (scratch.path("report.json"), scratch.path("recorded"));
    let router = Router::new();
    let (heard, _guard, _subscription, _transport) = listen(&router);
    let running = start(router.run(&system, 140).arg("--report").arg(&report).arg("--record").arg(&folder));
    // A machine that stands still may call the stand-in up for a moment; it does not take over.
    let alone = |told: &[Word], words: usize| {
        let last = &told[told.len().saturating_sub(words)..];
        last.len() == words && last.iter().filter(|word| word.own).count() * 3 > words * 2
    };
    let from = until(&heard, 0, "the detector, which speaks for itself", |told| alone(told, 20));
    kill_process(process_of(&scratch, "vitals"), Signal::KILL).unwrap();
    until(&heard, from, "the stand-in", |told| told.iter().any(|word| !word.own));
    let from = until(&heard, 0, "the detector again", |told| lives(told).len() >= 2);
    until(&heard, from, "the detector alone, to whom the stand-in gives way", |told| alone(told, 30));
    let (watchdog, printed) = finish(running, &report, 0);
    assert_eq!(watchdog["died"], 1, "{watchdog}");
    assert!(watchdog["restarts"].as_u64().unwrap() >= 1, "{watchdog}");
    assert!(printed.contains("ended by itself (signal: 9"), "{printed}");
    // What its own recording lost is told, and what was said in its place is in another.
    assert!(printed.contains("the recording cabin.mcap ends "), "{printed}");
    let said = folder.join("cabin-watchdog.mcap");
    let topics = troika_record::bag::channels(&said).unwrap();
    assert!(topics.iter().any(|channel| channel.topic == "/cabin/driver_state"), "{topics:?}");
    assert!(folder.join("cabin-2.mcap").exists(), "its second life");
}

#[test]
fn a_node_that_is_given_up_is_started_again_with_its_process() {
    troika_safety::verifies![SR_TIM_009];
    let scratch = Scratch::new();
    let inject = "inject = { fault = \"panic\", at_step = 20, every = 1 }";
    let system = scratch.file("panics.toml", &watched(inject));
    let report = scratch.path("report.json");
    let router = Router::new();
    let (heard, _guard, _subscription, _transport) = listen(&router);
    let running = start(router.run(&system, 140).arg("--report").arg(&report));
    until(&heard, 0, "the detector", |told| told.iter().any(|word| word.own));
    // The node's own fall-backs go on until its process is ended.
    let begin = Instant::now();
    while processes_of(&scratch, "again").is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(100), "it was not started again");
        std::thread::sleep(Duration::from_millis(20));
    }
    running.interrupt();
    let run = running.wait_whatever_panics();
    let watchdog = &support::report(&report)["watchdogs"][0];
    assert!(watchdog["killed"].as_u64().unwrap() >= 1, "{run}");
    run.says(&["a panic was injected", "or was given up: process 'cabin' is ended"]);
}

#[test]
fn a_watchdog_that_is_killed_takes_its_process_with_it_and_the_run_says_so() {
    troika_safety::verifies![SR_TIM_015];
    let scratch = Scratch::new();
    let system = scratch.file("watched.toml", &watched(""));
    let router = Router::new();
    let (heard, _guard, _subscription, _transport) = listen(&router);
    let running = start(&mut router.run(&system, 140));
    until(&heard, 0, "the detector", |told| told.len() >= 20);
    let process = process_of(&scratch, "vitals");
    kill_process(process_of(&scratch, "watchdog"), Signal::KILL).unwrap();
    let run = running.wait();
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["error: the watchdog of process 'cabin' ended by itself (signal: 9"]);
    // Gone or a zombie that nobody has buried: either has no command line.
    let begin = Instant::now();
    let line = format!("/proc/{}/cmdline", process.as_raw_nonzero());
    while !fs::read(&line).unwrap_or_default().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(30), "its process runs on");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The process of this test's system that was started with `--argument`.
fn process_of(scratch: &Scratch, argument: &str) -> Pid {
    let found = processes_of(scratch, argument);
    assert_eq!(found.len(), 1, "processes of this system with {argument}: {found:?}");
    Pid::from_raw(found[0]).unwrap()
}

fn processes_of(scratch: &Scratch, argument: &str) -> Vec<i32> {
    let (ours, argument) = (scratch.path("").display().to_string(), format!("--{argument}"));
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains(ours.trim_end_matches('/')) && line.split('\0').any(|one| one == argument)
        })
        .collect()
}

/// Lives of the small node in the test below.
const LIVES: usize = 20;

#[test]
fn each_of_twenty_hangs_is_spoken_for_and_followed_by_a_new_life() {
    troika_safety::verifies![SR_TIM_008, SR_TIM_009];
    let scratch = Scratch::new();
    let log = scratch.path("injected");
    let system = scratch.file(
        "small.toml",
        &format!(
            "[system]\nname = \"small\"\n\
             [processes.unit]\nwatchdog = {{ restarts_per_minute = 100 }}\n\
             [nodes.motion]\nkind = \"template\"\nprocess = \"unit\"\nperiod_ms = 20\n\
             inject = {{ fault = \"block\", at_step = 10, log = {log:?} }}\n\
             [nodes.vehicle]\nkind = \"vehicle\"\nprocess = \"ends\"\n"
        ),
    );
    let report = scratch.path("report.json");
    let router = Router::new();
    let _guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    // Who spoke, and whether it knew: each life and the stand-in is a publisher of its own.
    let heard = Arc::<Mutex<Vec<([u8; 16], bool)>>>::default();
    let into = heard.clone();
    let peer = transport.node("/", "listener").unwrap();
    let _subscription = peer
        .subscribe(
            "/vehicle/motion",
            std_msgs::String::TYPE,
            Qos { depth: 100, ..Qos::DEFAULT },
            Box::new(move |cdr, meta| {
                let knows = std_msgs::String::decode(cdr).unwrap().data != "unknown";
                into.lock().unwrap().push((meta.gid, knows));
            }),
        )
        .unwrap();
    let running = start(router.run(&system, 140).arg("--report").arg(&report));
    // The lives that spoke for themselves, and after which of them the stand-in spoke: who never knows, and outlives them all.
    let told = || {
        let (mut lives, mut spoken_for) = (Vec::new(), Vec::new());
        let heard = heard.lock().unwrap();
        let mut unknown = std::collections::HashMap::new();
        for (who, _) in heard.iter().filter(|(_, knows)| !knows) {
            *unknown.entry(*who).or_insert(0) += 1;
        }
        let stand_in = unknown.into_iter().max_by_key(|(_, times)| *times).map(|(who, _)| who);
        for (who, knows) in heard.iter() {
            if *knows && lives.last() != Some(who) {
                lives.push(*who);
            } else if Some(*who) == stand_in && !knows && !lives.is_empty() {
                spoken_for.push(lives.len());
            }
        }
        spoken_for.dedup();
        (lives, spoken_for)
    };
    let begin = Instant::now();
    while told().0.len() <= LIVES {
        assert!(begin.elapsed() < Duration::from_secs(120), "{} lives", told().0.len());
        std::thread::sleep(Duration::from_millis(20));
    }
    let (lives, spoken_for) = told();
    let (watchdog, _) = finish(running, &report, 0);
    assert_eq!(spoken_for[..LIVES], (1..=LIVES).collect::<Vec<_>>(), "of each life's end");
    let all: HashSet<_> = lives.iter().collect();
    assert_eq!(all.len(), lives.len(), "a life that ended speaks no more");
    // On a machine that stands still one may be taken for hung before it is.
    let hung = fs::read_to_string(&log).unwrap().lines().count();
    assert!(hung + 1 >= LIVES, "{hung}");
    let (killed, restarts) = (watchdog["killed"].as_u64().unwrap(), watchdog["restarts"].as_u64().unwrap());
    assert!(killed >= LIVES as u64, "{watchdog}");
    // The last one hangs too, and may be ended before all of it is stopped.
    assert!((restarts..=restarts + 1).contains(&killed), "{watchdog}");
    assert_eq!(watchdog["died"], 0, "{watchdog}");
}

#[test]
fn a_run_whose_messages_nobody_reads_any_more_goes_on_to_its_end() {
    troika_safety::verifies![SR_TIM_008];
    let scratch = Scratch::new();
    let system = scratch.file(
        "unread.toml",
        r#"
[system]
name = "unread"
from_outside = ["/cabin/driver_state", "/voice/command"]
[processes.cabin]
watchdog = true
[nodes.driver_monitor]
kind = "driver_monitor"
process = "cabin"
[nodes.vehicle]
kind = "vehicle"
process = "ends"
"#,
    );
    let written = scratch.path("report.json");
    let mut run = Router::new().run(&system, 3);
    run.arg("--report").arg(&written).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = run.spawn().unwrap();
    // As `| tee log` does whose tee was ended.
    drop(child.stderr.take());
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
    let account = &support::report(&written)["watchdogs"][0];
    assert_eq!(account["process"], "cabin", "the watchdog came to its end: {account}");
}
