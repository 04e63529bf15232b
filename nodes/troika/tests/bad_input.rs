//! What a user meets when something is broken: each case runs the real programs over zenoh, on a router of its own. None may
//! panic, none may hang, and each must say what is wrong. Needs the model store (`troika models pull --set test`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use support::{CABIN, DETECTORS, Router, Run, Scratch, models, root, start, troika, troika_voice};
use troika_kit::{Message, Qos, Time, TypeInfo};
use troika_msgs::troika::{DriverAlert, DriverState, Heartbeat};
use troika_transport::{Subscription, Transport as _};
use troika_transport_zenoh::{RouterGuard, ZenohTransport};

type Heard<T> = Arc<Mutex<Vec<T>>>;

/// Hears a topic, as far as what is said on it is of its type.
fn listen<T: Message>(transport: &ZenohTransport, topic: &str) -> (Heard<T>, Box<dyn Subscription>) {
    let heard = Heard::default();
    let to = heard.clone();
    let each = move |_: &str, cdr: &[u8]| to.lock().unwrap().extend(T::decode(cdr).ok());
    (heard, transport.subscribe_raw(topic, Box::new(each)).unwrap())
}

/// Waits for what was heard; fails when it takes longer than any machine needs.
fn until<T>(heard: &Heard<T>, what: &str, told: impl Fn(&[T]) -> bool) {
    let begin = Instant::now();
    while !told(&heard.lock().unwrap()) {
        assert!(begin.elapsed() < Duration::from_secs(120), "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The driver's state, not that it is unknown.
fn known(state: &DriverState) -> bool {
    state.state != DriverState::UNKNOWN
}

#[test]
fn an_unknown_key_is_told_with_its_line_and_the_likely_one() {
    troika_safety::verifies![SR_DAT_007];
    let scratch = Scratch::new();
    let broken = scratch.file("broken.toml", &DETECTORS.replace("lock_memory", "lock_memroy"));
    for command in ["check", "run"] {
        let run = troika(&[command, &broken]);
        assert_eq!(run.code, Some(1), "{run}");
        run.says(&["broken.toml:5", "lock_memroy", "lock_memory"]);
    }
    let parameter = scratch.file("parameter.toml", &DETECTORS.replace("smooth =", "smoth ="));
    let run = troika(&["check", &parameter]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["parameter.toml:9", "smoth", "smooth"]);
    let file = scratch.file("file.toml", &DETECTORS.replace("demo-30s", "nope"));
    let run = troika(&["check", &file]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["file.toml:9:23", "cannot read sim/scenarios/nope.toml"]);
}

#[test]
fn a_system_that_is_no_toml_or_not_there_is_told() {
    let scratch = Scratch::new();
    let garbage = scratch.file("garbage.toml", "[system\nname = ");
    let run = troika(&["run", &garbage]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["garbage.toml:1"]);
    let run = troika(&["run", "not-there.toml"]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["cannot read not-there.toml"]);
}

#[test]
fn a_corrupted_model_is_refused_and_the_system_runs_on_without_knowing_the_driver() {
    troika_safety::verifies![SR_DAT_002];
    let scratch = Scratch::new();
    let store = scratch.store_with_damaged("face_landmark", |bytes| bytes[1000] ^= 1);
    let run = Run::of(support::command(&["models", "verify"]).env("TROIKA_MODELS", &store));
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["face_landmark", "REFUSED", "its sha256 is", "the passport says", "troika models pull"]);

    let system = scratch.file("detectors.toml", DETECTORS);
    let report = scratch.path("report.json");
    let router = Router::new();
    let run = Run::of(router.run(&system, 4).arg("--report").arg(&report).env("TROIKA_MODELS", &store));
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["driver_state is unavailable", "face_landmark", "refused"]);
    let states = support::report(&report)["driver_state"]["states"].clone();
    let attentive = states.as_array().unwrap().iter().find(|state| state["state"] == "attentive");
    assert_eq!(
        attentive.expect("the demo begins so")["recall"],
        0.0,
        "nothing is known, so nothing is claimed"
    );
}

#[test]
fn a_truncated_onnx_is_refused_and_the_driver_is_watched_without_a_voice() {
    troika_safety::verifies![SR_DAT_002];
    let scratch = Scratch::new();
    let whole = fs::read(models().load_path("silero_vad").unwrap()).unwrap();
    let truncated = scratch.path("truncated.onnx");
    fs::write(&truncated, &whole[..whole.len() / 2]).unwrap();
    let mut alone = Command::new(troika_voice());
    alone.args(["--wav", "nodes/voice/fixtures/speech/01.flac", "--vad"]).arg(&truncated);
    alone.arg("--whisper").arg(models().load_path("whisper_tiny_en").unwrap()).current_dir(root());
    let run = Run::of(&mut alone);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["voice activity model", "truncated.onnx"]);

    let store = scratch.store_with_damaged("silero_vad", |bytes| bytes.truncate(bytes.len() / 2));
    let report = scratch.path("report.json");
    let router = Router::new();
    let transport = router.transport();
    let (states, _states) = listen::<DriverState>(&transport, "/cabin/driver_state");
    let mut running = start(router.run(CABIN, 240).arg("--report").arg(&report).env("TROIKA_MODELS", &store));
    // It looks at all of its models first, the largest of which takes a busy machine seconds.
    running.until_it_says(&["the system runs on without it"]);
    until(&states, "a driver who is seen", |told| told.iter().any(known));
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["silero_vad", "refused", "the system runs on without it"]);
    assert!(support::report(&report)["frames_done"].as_u64().unwrap() > 0, "{run}");
}

#[test]
fn a_camera_that_stops_makes_the_driver_unknown_and_an_alert_says_so() {
    troika_safety::verifies![SR_DMS_007];
    let scratch = Scratch::new();
    let pictures = scratch.path("pictures");
    fs::create_dir(&pictures).unwrap();
    fs::copy(models().load_path("photo_astronaut").unwrap(), pictures.join("1.png")).unwrap();
    let camera = format!(
        "kind = \"camera\"\nprocess = \"ends\"\nparams = {{ source = {{ kind = \"images\", folder = \"{}\", rate = 8.0, repeat = true }} }}",
        pictures.display()
    );
    // The same picture again and again is no camera that stands still, here.
    let system = DETECTORS
        .replace(
            "kind = \"sim_driver\"\nprocess = \"ends\"\nparams = { scenario = \"sim/scenarios/demo-30s.toml\", drives_vehicle = true, smooth = false }",
            &camera,
        )
        .replace("kind = \"driver_state\"\n", "kind = \"driver_state\"\nparams = { frozen_after_s = 0.0 }\n");
    let system = scratch.file("camera.toml", &system);
    let router = Router::new();
    let guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    let (states, _states) = listen::<DriverState>(&transport, "/cabin/driver_state");
    let (alerts, _alerts) = listen::<DriverAlert>(&transport, "/cabin/driver_alert");
    let unavailable = |told: &[DriverAlert]| {
        let last = told.iter().rfind(|alert| alert.kind == DriverAlert::MONITORING_UNAVAILABLE);
        last.is_some_and(|alert| alert.phase == DriverAlert::RAISED)
    };
    let running = start(&mut router.run(&system, 240));
    until(&states, "a driver who is seen", |told| told.iter().any(known));
    until(&alerts, "the end of an alert of the start", |told| !unavailable(told));
    fs::remove_dir_all(&pictures).unwrap();
    // Without a frame for three periods the node says what it does not know: silence is told, not kept.
    until(&states, "a driver of whom nothing is known", |told| {
        told.iter().rev().take_while(|state| !known(state)).count() >= 30
    });
    until(&alerts, "an alert that monitoring is unavailable", unavailable);
    assert!(!known(states.lock().unwrap().last().unwrap()), "an alert, and a driver who is known");
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["router joined at"]);
    drop(guard);
}

#[test]
fn garbage_on_every_input_topic_is_counted_and_nothing_else() {
    troika_safety::verifies![SR_DAT_001];
    let scratch = Scratch::new();
    let report = scratch.path("report.json");
    let router = Router::new();
    let (mut command, transport) = (router.run(CABIN, 240), router.transport());
    let (states, _states) = listen::<DriverState>(&transport, "/cabin/driver_state");
    let (beats, _beats) = listen::<Heartbeat>(&transport, "/troika/heartbeat");
    let mut running = start(command.arg("--report").arg(&report));
    // Each node reads one of them at least.
    let inputs = [
        "/cabin/camera/image_raw",
        "/cabin/driver_state",
        "/vehicle/signals",
        "/voice/command",
        "/voice/transcript",
        "/vehicle/command_result",
        "/troika/heartbeat",
    ];
    // Whatever is subscribed to, by whomever: the viewer's own subscriptions get theirs too.
    let begin = Instant::now();
    let subscribed: BTreeSet<(String, String, String)> = loop {
        let ends = transport.graph().unwrap().endpoints;
        let found: BTreeSet<_> = ends
            .into_iter()
            .filter(|end| !end.publishes)
            .map(|end| (end.topic, end.type_name, end.type_hash))
            .collect();
        if inputs.iter().all(|input| found.iter().any(|(topic, ..)| topic == input)) {
            break found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "not all inputs appeared: {found:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let node = transport.node("/", "vandal").unwrap();
    let noise: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut long = vec![0, 1, 0, 0];
    long.extend([0xFF; 64]);
    let garbage: [&[u8]; 6] = [&[], &[0, 1], &[0, 1, 0, 0], &long, &noise, &[0, 9, 0, 0, 1, 2, 3, 4]];
    let mut publishers: Vec<_> = subscribed
        .iter()
        .map(|(topic, name, hash)| {
            let ty = TypeInfo { name: name.clone().leak(), hash: hash.clone().leak() };
            node.publisher(topic, ty, Qos::DEFAULT).unwrap()
        })
        .collect();
    // Again and again to the end: a subscription is on the graph before each of its peers sends to it.
    let before = states.lock().unwrap().len();
    let readers = ["/driver_state", "/driver_monitor", "/gesture", "/drowsiness", "/supervisor", "/vehicle"];
    let all_had_theirs = || {
        let beats = beats.lock().unwrap();
        readers.iter().all(|node| beats.iter().any(|beat| beat.node == *node && beat.undecodable > 0))
    };
    let goes_on = || states.lock().unwrap()[before..].iter().filter(|state| known(state)).count() >= 50;
    while !(all_had_theirs() && goes_on()) {
        assert!(
            running.runs() && begin.elapsed() < Duration::from_secs(200),
            "garbage, or the driver: neither"
        );
        for publisher in &mut publishers {
            for bytes in garbage {
                publisher.put(bytes, Time::from_nanos(1)).unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let report = support::report(&report);
    for node in report["nodes"].as_array().unwrap() {
        if node["kind"] != "sim_driver" {
            assert!(node["undecodable"].as_u64().unwrap() > 0, "{} saw no garbage", node["node"]);
        }
    }
    // The voice lives on too: its end would be a notice.
    assert!(!run.text.contains("ended by itself"), "{run}");
}

#[test]
fn a_router_that_is_there_is_joined_and_a_stranger_on_its_port_is_told() {
    let scratch = Scratch::new();
    let system = scratch.file("detectors.toml", DETECTORS);
    let router = Router::new();
    let guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let run = Run::of(&mut router.run(&system, 2));
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["router joined at"]);
    drop(guard);

    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp/{}", stranger.local_addr().unwrap());
    let run = troika(&["run", &system, "--headless", "--seconds", "2", "--router", &endpoint]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["is taken by something that is no zenoh router", "TROIKA_ZENOH_ENDPOINT"]);
}

#[test]
fn a_router_that_is_no_endpoint_is_told() {
    for arguments in [&["topic", "list"][..], &["run", "launch/systems/cabin.toml", "--headless"]] {
        let run = troika(&[arguments, &["--router", "garbage"]].concat());
        assert_eq!(run.code, Some(1), "{run}");
        run.says(&["'garbage' is no endpoint", "tcp/<host>:<port>"]);
    }
}

#[test]
fn without_real_time_rights_it_says_so_and_runs_on() {
    troika_safety::verifies![SR_TIM_017];
    let scratch = Scratch::new();
    let sharing = DETECTORS.replacen("[system]\n", "[system]\nshared_memory = true\n", 1);
    let system = scratch.file("detectors.toml", &sharing);
    let report = scratch.path("report.json");
    let router = Router::new();
    let inner = router.run(&system, 3);
    // prlimit and setpriv are of util-linux, which every Debian has.
    let mut command = Command::new("prlimit");
    command.args(["--rtprio=0:0", "--memlock=65536:65536"]);
    if rustix::process::geteuid().is_root() {
        command.args(["setpriv", "--bounding-set=-sys_nice,-ipc_lock"]);
    }
    command.arg(inner.get_program()).args(inner.get_args()).arg("--report").arg(&report).current_dir(root());
    let run = Run::of(&mut command);
    assert_eq!(run.code, Some(0), "{run}");
    let report = support::report(&report);
    assert!(report["frames_done"].as_u64().unwrap() > 0);
    let notices = report["notices"].to_string();
    assert!(notices.contains("SCHED_FIFO"), "{notices}");
    assert!(report["nodes"].as_array().unwrap().iter().all(|node| node["real_time"] == false));
    run.says(&["SCHED_FIFO", "rtprio", "no shared memory"]);
}

#[test]
fn ctrl_c_stops_all_of_it_cleanly() {
    let scratch = Scratch::new();
    let system = scratch.file("detectors.toml", DETECTORS);
    let report = scratch.path("report.json");
    let router = Router::new();
    let transport = router.transport();
    let (states, _states) = listen::<DriverState>(&transport, "/cabin/driver_state");
    let running = start(router.run(&system, 240).arg("--report").arg(&report));
    until(&states, "a driver who is seen", |told| told.iter().any(known));
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let report = support::report(&report);
    assert!(report["frames_done"].as_u64().unwrap() > 0, "the figures are not lost: {run}");
    assert_eq!(report["nodes"].as_array().unwrap().len(), 3, "{run}");
}

#[test]
fn a_full_disk_is_told_and_the_table_is_printed_all_the_same() {
    let scratch = Scratch::new();
    let system = scratch.file("detectors.toml", DETECTORS);
    let router = Router::new();
    let run = Run::of(router.run(&system, 1).args(["--report", "/dev/full"]));
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["cannot write /dev/full", "driver state"]);
}

#[test]
fn what_cannot_be_asked_or_put_is_told_before_anybody_is_looked_for() {
    for (arguments, told) in [
        (["ask", &"where is it ".repeat(2_000)].as_slice(), ["24000 bytes", "at most 4096"]),
        (&["ask", " "], ["no question", "troika ask"]),
        (&["outbox", "put", ""], ["nothing to put", "empty"]),
        (&["outbox", "put", "--wait=-1", "late"], ["--wait", "no time"]),
    ] {
        let run = troika(arguments);
        assert_eq!(run.code, Some(1), "{run}");
        run.says(&told);
    }
}

#[test]
fn a_cloud_that_is_asked_elsewhere_than_one_would_think_is_told_with_its_line() {
    let scratch = Scratch::new();
    let text = "[system]\nname = \"t\"\n[processes.bridge]\n[nodes.bridge]\nkind = \"bridge\"\nprocess = \"bridge\"\n\
                [nodes.bridge.params.dialogue.cloud]\nurl = \"URL\"\nmodel = \"m\"\n";
    let with = |url: &str| troika(&["check", &scratch.file("t.toml", &text.replace("URL", url))]);
    let run = with("https://gateway.example:70000/v1");
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["t.toml:8", "from 1 to 65535"]);
    let run = with("https://gateway.example");
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["t.toml:8", "what is asked is https://gateway.example/chat/completions"]);
}
