//! Another model in the place of one that runs, on real processes: a good one is taken, a bad one refused, and the detector goes on
//! all the while. Needs the model store (`troika models pull --set test`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{
    fs,
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use support::{DETECTORS, Router, Scratch, command, models, report, root, start};
use troika_transport_zenoh::RouterGuard;

/// It runs in every frame that shows a face.
const MODEL: &str = "face_landmark";

/// A folder with the model as it is, and how it may be changed.
fn candidate(scratch: &Scratch, name: &str, change: impl Fn(&mut Vec<u8>)) -> String {
    let store = models();
    let passport = store.passport(MODEL).unwrap();
    let folder = scratch.path(name);
    fs::create_dir_all(&folder).unwrap();
    for file in ["model.toml", &passport.golden.as_ref().unwrap().file] {
        fs::copy(root().join("models").join(MODEL).join(file), folder.join(file)).unwrap();
    }
    let mut bytes = store.load_bytes(MODEL).unwrap();
    change(&mut bytes);
    fs::write(folder.join(&passport.file), &bytes).unwrap();
    folder.display().to_string()
}

/// Writes the hash of the changed file into its passport: sound by its hash, wrong by what it computes.
fn own_up(folder: &str) {
    let store = models();
    let passport = store.passport(MODEL).unwrap();
    let found = troika_models::Sha256::of(&fs::read(Path::new(folder).join(&passport.file)).unwrap());
    let file = Path::new(folder).join("model.toml");
    let text = fs::read_to_string(&file).unwrap().replace(&passport.sha256.to_string(), &found.to_string());
    fs::write(file, text).unwrap();
}

fn swap(router: &Router, model: &str, folder: &str) -> (Option<i32>, String) {
    let mut command = command(&["models", "swap", model, folder, "--router", &router.endpoint]);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), text)
}

fn wait_for(heard: &AtomicUsize, count: usize) {
    let begin = Instant::now();
    while heard.load(Ordering::Relaxed) < count {
        assert!(begin.elapsed() < Duration::from_secs(100), "{count} states never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_good_model_is_taken_while_the_detector_runs_and_a_bad_one_is_refused() {
    troika_safety::verifies![SR_DAT_004];
    let scratch = Scratch::new();
    let system = scratch.file("detectors.toml", DETECTORS);
    let figures = scratch.path("report.json");
    let good = candidate(&scratch, "good", |_| {});
    let changed = candidate(&scratch, "changed", |bytes| bytes[9000] ^= 1);
    // The exponents of a run of weights, in the middle of the file.
    let wrong = candidate(&scratch, "wrong", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4096].iter_mut().for_each(|byte| *byte ^= 0x15);
    });
    own_up(&wrong);
    let lenient = candidate(&scratch, "lenient", |_| {});
    let passport = Path::new(&lenient).join("model.toml");
    let text = fs::read_to_string(&passport).unwrap();
    let rest = text.split_once("max_abs_error = ").unwrap().1.split_once('\n').unwrap().0.to_owned();
    fs::write(&passport, text.replace(&format!("max_abs_error = {rest}"), "max_abs_error = 1000.0")).unwrap();

    let router = Router::new();
    let _guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let states = Box::new(move |_: &str, _: &[u8]| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let _subscription = transport.subscribe_raw("/cabin/driver_state", states).unwrap();
    let running = start(router.run(&system, 140).arg("--report").arg(&figures));
    wait_for(&heard, 20);
    for (model, folder, code, told) in [
        (MODEL, &good, 0, "cabin: runs now, golden outputs to"),
        (MODEL, &changed, 1, "cabin: REFUSED, the old one runs on: its sha256 is"),
        (MODEL, &wrong, 1, "cabin: REFUSED, the old one runs on: output"),
        (MODEL, &lenient, 1, "cabin: REFUSED, the old one runs on: its golden outputs may differ by 1e3"),
        ("iris_landmark", &good, 1, "its passport is that of `face_landmark`, not of `iris_landmark`"),
        ("silero_vad", &good, 1, "no process here runs silero_vad"),
        ("silero", &good, 1, "no model is called `silero`"),
        (MODEL, &"no/such/folder".to_owned(), 1, "no/such/folder/model.toml"),
        (MODEL, &good, 0, "cabin: runs now"),
    ] {
        let before = heard.load(Ordering::Relaxed);
        let (found, text) = swap(&router, model, folder);
        assert_eq!(found, Some(code), "{model} {folder}: {text}");
        assert!(text.contains(told), "{model} {folder}: '{told}' was not printed: {text}");
        wait_for(&heard, before + 5);
    }
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    run.says(&["notice: face_landmark: the one in"]);
    let report = report(&figures);
    let detector =
        report["nodes"].as_array().unwrap().iter().find(|node| node["kind"] == "driver_state").unwrap();
    // The real-time thread neither called the system's allocator nor lost a frame to a failing network.
    assert_eq!(
        (&detector["arena"]["overflows"], &detector["arena"]["strays"]),
        (&0.into(), &0.into()),
        "{detector}"
    );
    let fault = detector["last_fault"].as_str().unwrap_or_default();
    assert!(!fault.contains("network"), "{detector}");
}

#[test]
fn a_system_with_a_model_key_takes_signed_models_alone() {
    troika_safety::verifies![SR_DAT_008];
    let scratch = Scratch::new();
    let (key, other) =
        (scratch.path("maker").display().to_string(), scratch.path("other").display().to_string());
    for file in [&key, &other] {
        support::troika(&["models", "keygen", file]).says(&["keep it secret"]);
    }
    assert_eq!(support::troika(&["models", "keygen", &key]).code, Some(1), "a key is not written over");
    let system =
        DETECTORS.replace("[processes.cabin]", &format!("model_key = \"{key}.pub\"\n[processes.cabin]"));
    let system = scratch.file("detectors.toml", &system);
    let signed = |name: &str, key: &str| {
        let folder = candidate(&scratch, name, |_| {});
        support::troika(&["models", "sign", "--key", key, &folder]).says(&["model.toml.sig"]);
        folder
    };
    let unsigned = candidate(&scratch, "unsigned", |_| {});
    let (good, foreign, changed) = (signed("good", &key), signed("foreign", &other), signed("changed", &key));
    let golden = models().passport(MODEL).unwrap().golden.clone().unwrap().file;
    fs::write(Path::new(&changed).join(golden), b"other outputs").unwrap();

    let router = Router::new();
    let _guard = RouterGuard::ensure(&router.endpoint).expect("the port is free");
    let transport = router.transport();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    let states = Box::new(move |_: &str, _: &[u8]| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let _subscription = transport.subscribe_raw("/cabin/driver_state", states).unwrap();
    let running = start(&mut router.run(&system, 140));
    wait_for(&heard, 20);
    for (folder, code, told) in [
        (&unsigned, 1, "signed with its key"),
        (&foreign, 1, "not of this key"),
        (&changed, 1, "not of these files"),
        (&good, 0, "cabin: runs now"),
    ] {
        let (found, text) = swap(&router, MODEL, folder);
        assert_eq!(found, Some(code), "{folder}: {text}");
        assert!(text.contains(told), "{folder}: '{told}' was not printed: {text}");
    }
    running.interrupt();
    assert_eq!(running.wait().code, Some(0));
}
