//! Replies spoken by the real program over zenoh: into a file, until somebody speaks; and without a sound card. Needs the model store
//! (`troika models pull --set test`) and espeak-ng.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use support::{Router, Run, Scratch, start};
use troika_host::{Clock, Edge, HostClock};
use troika_kit::{Qos, Time};
use troika_msgs::{
    std_msgs::Header,
    troika::{AudioChunk, Heartbeat, VoiceActivity, VoiceReply},
};
use troika_transport_zenoh::ZenohTransport;

fn system(sink: &str) -> String {
    format!(
        "[system]\nname = \"speech\"\n[nodes.speech]\nkind = \"speech\"\nprocess = \"speech\"\n\
         params = {{ sink = {sink} }}\n[processes.speech]\nessential = false\n\
         [nodes.vehicle]\nkind = \"vehicle\"\n"
    )
}

/// The driver's end: replies and activity out, what is played in.
struct Driver {
    clock: HostClock,
    edge: Edge,
    /// When the loudspeaker last began to be silent, as far as it was told.
    silent: Arc<Mutex<Option<Time>>>,
    _playback: troika_host::edge::TypedSubscription,
    _transport: ZenohTransport,
}

impl Driver {
    fn new(router: &Router) -> Driver {
        let transport = router.transport();
        let clock = HostClock::start();
        let edge = Edge::new(&transport, Clock::Host(clock), "/", "driver").unwrap();
        let silent = Arc::new(Mutex::new(None));
        let told = silent.clone();
        let playback = edge.subscribe::<AudioChunk>("/voice/playback", Qos::DEFAULT, move |chunk| {
            let chunk = chunk.value;
            let nanos = chunk.samples.len() as u64 * 1_000_000_000 / u64::from(chunk.sample_rate);
            let begin = Time::from_stamp(chunk.header.stamp.sec, chunk.header.stamp.nanosec);
            *told.lock().unwrap() = Some(begin + Duration::from_nanos(nanos));
        });
        Driver { clock, silent, _playback: playback.unwrap(), edge, _transport: transport }
    }

    fn silent_since(&self) -> Option<Time> {
        *self.silent.lock().unwrap()
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn seconds(path: &Path) -> f32 {
    let bytes = std::fs::read(path).unwrap();
    // 44 bytes of header, 22,050 samples of two bytes a second.
    (bytes.len().saturating_sub(44)) as f32 / 44_100.0
}

#[test]
fn a_reply_is_spoken_into_the_file_until_somebody_speaks() {
    let scratch = Scratch::new();
    let wav = scratch.path("said.wav");
    let file =
        scratch.file("speech.toml", &system(&format!("{{ kind = \"wav\", path = \"{}\" }}", wav.display())));
    let router = Router::new();
    let running = start(&mut router.run(&file, 120));
    wait_for("the router", || router.answers().then_some(()));
    let driver = Driver::new(&router);
    let mut replies = driver.edge.publisher::<VoiceReply>("/voice/reply", Qos::DEFAULT).unwrap();
    let mut activity = driver.edge.publisher::<VoiceActivity>("/voice/activity", Qos::DEFAULT).unwrap();

    let mut took = Vec::new();
    for turn in 0..7 {
        // The first is said again until the node is there.
        let mut asked = Instant::now() - Duration::from_secs(60);
        let before = driver.silent_since();
        wait_for("the reply", || {
            if asked.elapsed() > Duration::from_secs(20) {
                asked = Instant::now();
                let text =
                    "The front left window is open, the rear one is closed, and all of the doors are locked.";
                let reply = VoiceReply {
                    header: Header::at(driver.clock.now()),
                    utterance_id: format!("u{turn}"),
                    text: text.to_owned(),
                    kind: VoiceReply::DIALOGUE,
                    command_id: String::new(),
                };
                replies.send(&reply).unwrap();
            }
            (driver.silent_since() > before).then_some(())
        });
        std::thread::sleep(Duration::from_millis(300));
        let spoke = driver.clock.now();
        let told =
            |speaking| VoiceActivity { header: Header::at(spoke), speaking, ..VoiceActivity::default() };
        activity.send(&told(true)).unwrap();
        // Nothing is played for a while. A reply that is not broken off ends too, and makes the file longer than it may be.
        let silent = wait_for("silence", || {
            driver
                .silent_since()
                .filter(|silent| driver.clock.now().since(*silent) > Duration::from_millis(300))
        });
        took.push(silent.since(spoke));
        activity.send(&told(false)).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    took.sort();
    println!("silent after {took:?}");
    // Not how soon: of a machine that does other things that says little. node/tests.rs does, in virtual time.
    let seconds = seconds(&wav);
    assert!((2.0..25.0).contains(&seconds), "{seconds} s of seven replies that were broken off");
}

#[test]
fn a_machine_without_the_sound_card_runs_on_and_says_so() {
    let scratch = Scratch::new();
    let file = scratch.file("speech.toml", &system("{ kind = \"card\", device = \"no such card\" }"));
    let router = Router::new();
    let running = start(&mut router.run(&file, 60));
    wait_for("the router", || router.answers().then_some(()));
    let driver = Driver::new(&router);
    let beats = Arc::new(Mutex::new(None));
    let told = beats.clone();
    let _beats = driver.edge.subscribe::<Heartbeat>("/troika/heartbeat", Qos::DEFAULT, move |beat| {
        if beat.value.node == "/speech" && beat.value.status != Heartbeat::OK {
            *told.lock().unwrap() = Some(beat.value.reason);
        }
    });
    let reason = wait_for("a heartbeat that says so", || beats.lock().unwrap().clone());
    assert!(reason.contains("sound card") && reason.contains("no such card"), "{reason}");
    running.interrupt();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn parameters_that_cannot_be_used_are_told_with_their_place() {
    let scratch = Scratch::new();
    for (sink, said) in [
        ("{ kind = \"wav\", path = \"/not/there/said.wav\" }", "its folder is not there"),
        ("{ kind = \"trumpet\" }", "trumpet"),
        ("{ kind = \"none\" }, speed = 9.0", "`speed` is 9"),
    ] {
        let file = scratch.file("speech.toml", &system(sink));
        let run: Run = support::troika(&["check", &file]);
        assert_eq!(run.code, Some(1), "{run}");
        run.says(&["speech.toml:", said]);
    }
}
