//! The system that ships for a vehicle, in production mode, on real processes: without signatures its detectors have no networks and say so, with
//! them they have. Needs the model store (`troika models pull --set test`); no camera and no microphone.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, sync::mpsc, time::Duration};

use support::{Router, Run, Scratch, command, root, start};

#[test]
fn the_vehicles_system_loads_models_that_its_key_has_signed_and_no_others() {
    troika_safety::verifies![SR_DAT_012];
    let (scratch, router) = (Scratch::new(), Router::new());
    let (store, key, sockets) = (scratch.store(), scratch.path("key"), scratch.path("sockets"));
    fs::create_dir(&sockets).unwrap();
    fs::set_permissions(&sockets, fs::Permissions::from_mode(0o700)).unwrap();
    let with_store = |arguments: &[&str]| -> Command {
        let mut command = command(arguments);
        command.env("TROIKA_MODELS", &store);
        command
    };
    let key = key.display().to_string();
    assert_eq!(Run::of(&mut with_store(&["models", "keygen", &key])).code, Some(0));
    let shipped = fs::read_to_string(root().join("launch/systems/vehicle.toml")).unwrap();
    let own = shipped
        .replace("/etc/troika/models.pub", &format!("{key}.pub"))
        .replace("/var/lib/troika", &scratch.path("").display().to_string());
    let system = scratch.file("vehicle.toml", &own);
    // Until it has said all of this, and its supervisor something: a vehicle's own sockets are its own, and who comes by TCP may look.
    let run = |said: &[&str]| {
        let transport = router.transport();
        let (heard, states) = mpsc::channel();
        let each = Box::new(move |_: &str, _: &[u8]| heard.send(()).unwrap_or_default());
        let _states = transport.subscribe_raw("/safety/state", each).unwrap();
        let mut command = router.run(&system, 240);
        let mut running = start(command.env("TROIKA_MODELS", &store).env("TROIKA_ZENOH_SOCKETS", &sockets));
        states.recv_timeout(Duration::from_secs(120)).expect("a supervisor");
        running.until_it_says(said);
        running.interrupt();
        let run = running.wait();
        assert_eq!(run.code, Some(0), "{run}");
        run
    };

    let open = router.run(&system, 1).output().unwrap();
    let told = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(!open.status.success() && told.contains("TROIKA_ZENOH_SOCKETS"), "{told}");

    // A process is ready with fewer nodes, or none: what it says, and that nobody takes it for well, counts.
    let unsigned = run(&[
        "driver_state is unavailable: model `face_detection_short_range` refused: ",
        "gesture is unavailable: model `palm_detection_lite` refused: ",
        "troika-voice: model `whisper_tiny_en` refused: ",
        "signatures/whisper_tiny_en.sig",
        "`troika models sign --key FILE --here`",
    ]);
    unsigned.says(&["safety         nominal 0.0 s"]);
    assert_eq!(Run::of(&mut with_store(&["models", "sign", "--key", &key, "--here"])).code, Some(0));
    assert!(Path::new(&store).join("signatures/face_landmark.sig").is_file());
    let signed = run(&["ready: all "]);
    assert!(!signed.text.contains("refused"), "{signed}");

    // A model's bytes that are another's are refused by their hash before anybody asks who signed.
    let mut verify = with_store(&["models", "verify", "iris_landmark"]);
    assert_eq!(Run::of(verify.env("TROIKA_MODEL_KEY", format!("{key}.pub"))).code, Some(0));
    fs::remove_file(store.join("signatures/iris_landmark.sig")).unwrap();
    let refused = Run::of(&mut verify);
    assert_eq!(refused.code, Some(1), "{refused}");
    refused.says(&["REFUSED", "signatures/iris_landmark.sig"]);
}
