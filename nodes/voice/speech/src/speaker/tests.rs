#![allow(clippy::disallowed_methods, reason = "threads are tested on the wall clock")]

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, Sender, channel},
    time::Instant,
};

use super::*;
use crate::{
    config::{Sink, Voice},
    loudspeaker::Open,
};

fn clock() -> Clock {
    let begin = Instant::now();
    Arc::new(move || Time::from_stamp(1_000, 0) + begin.elapsed())
}

/// espeak-ng's own voice, which needs no model.
fn espeaking() -> Config {
    Config { voice: Voice::Espeak, ..Config::default() }
}

fn speaker(config: Config, loudspeaker: Box<dyn Loudspeaker>) -> Speaker {
    let nowhere = Err("no store in this test".to_owned());
    Speaker::with(loudspeaker, clock(), move |clock| Voices::load(&config, nowhere, clock)).expect("threads")
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{what} did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A loudspeaker in the test's hands: it hands out its feed, and is lost when it is told so. It opens when `opens` says so.
struct Handed {
    feeds: Sender<Feed>,
    opens: Receiver<Result<Receiver<String>, String>>,
}

struct HandedOpen(Receiver<String>);

impl Open for HandedOpen {
    fn lost(&mut self) -> Option<String> {
        self.0.try_recv().ok()
    }
}

impl Loudspeaker for Handed {
    fn open(&mut self, feed: &dyn Fn(u32) -> Feed) -> Result<Box<dyn Open>, String> {
        let lost = self.opens.try_recv().unwrap_or(Err("no sound card".to_owned()))?;
        let _test_is_over = self.feeds.send(feed(8_000));
        Ok(Box::new(HandedOpen(lost)))
    }
}

/// Takes 10 ms of samples; whether they were anything but silence.
fn pull(feed: &Feed) -> bool {
    let mut block = [0.0; 80];
    let sounds = feed(&mut block, Duration::ZERO);
    sounds && block.iter().any(|sample| sample.abs() > 1e-4)
}

#[test]
fn what_is_hushed_is_silent_at_once_and_something_else_can_be_said() {
    let (open, opens) = channel();
    let (feeds, feed) = channel();
    let (_keep, lost) = channel();
    open.send(Ok(lost)).expect("held");
    let mut speaker = speaker(espeaking(), Box::new(Handed { feeds, opens }));
    let feed = feed.recv_timeout(Duration::from_secs(5)).expect("opened");
    for number in 1..4 {
        speaker.say(number, "One two three four five six seven eight nine ten.");
        wait_for("sound", || pull(&feed).then_some(()));
        for _ in 0..10 {
            pull(&feed);
        }
        speaker.hush();
        // The fade may be in the first block.
        pull(&feed);
        assert!((0..50).all(|_| !pull(&feed)), "it is silent");
        assert_eq!(speaker.said(), None);
    }
    speaker.say(9, "Yes.");
    let said = wait_for("its end", || {
        pull(&feed);
        speaker.said()
    });
    assert_eq!(said, 9);
    assert_eq!(speaker.first().map(|(number, _)| number), Some(9));
    let (rate, played) = wait_for("what was played", || speaker.played());
    assert!(rate == 8_000 && !played.samples.is_empty());
}

#[test]
fn a_sound_card_that_is_missing_lost_and_found_again_is_told_and_holds_nothing_up() {
    let (open, opens) = channel();
    let (feeds, feed) = channel();
    let mut speaker = speaker(espeaking(), Box::new(Handed { feeds, opens }));
    assert_eq!(wait_for("trouble", || speaker.trouble()), "no sound card");
    speaker.say(1, "Yes.");
    assert_eq!(wait_for("its end without a loudspeaker", || speaker.said()), 1);
    assert_eq!(speaker.played(), None, "nobody heard it");

    let (lose, lost) = channel();
    open.send(Ok(lost)).expect("held");
    let feed = wait_for("the sound card", || feed.try_recv().ok());
    wait_for("the end of trouble", || speaker.trouble().is_none().then_some(()));
    speaker.say(2, "Yes.");
    wait_for("sound", || pull(&feed).then_some(()));
    lose.send("the sound card is gone".to_owned()).expect("held");
    assert_eq!(wait_for("trouble", || speaker.trouble()), "the sound card is gone");
    assert_eq!(wait_for("its end", || speaker.said()), 2);
}

#[test]
fn a_missing_voice_is_told_and_espeak_speaks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("said.wav");
    let config = Config { sink: Sink::Wav { path: path.clone() }, ..Config::default() };
    let empty = Store::open(folder.path()).map_err(|error| error.to_string());
    let mut speaker = Speaker::start(&config, empty, folder.path(), clock()).expect("threads");
    let trouble = wait_for("trouble", || speaker.trouble());
    assert!(trouble.contains("espeak-ng speaks") && trouble.contains("troika models pull"), "{trouble}");
    speaker.say(1, "Hello world.");
    assert_eq!(wait_for("its end", || speaker.said()), 1);
    drop(speaker);
    let seconds = length(&path);
    assert!((0.7..3.0).contains(&seconds), "{seconds}");
}

#[test]
fn without_espeak_nothing_is_said_and_that_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("said.wav");
    let espeak = PathBuf::from("/not/there/espeak-ng");
    let config = Config { sink: Sink::Wav { path: path.clone() }, espeak, ..espeaking() };
    let mut speaker =
        Speaker::start(&config, Err("none".to_owned()), folder.path(), clock()).expect("threads");
    let trouble = wait_for("trouble", || speaker.trouble());
    assert!(trouble.contains("install the system package espeak-ng"), "{trouble}");
    for number in 1..3 {
        speaker.say(number, "Hello world.");
        assert_eq!(wait_for("its end", || speaker.said()), number);
    }
    drop(speaker);
    assert!(length(&path) < 0.01);
}

#[test]
fn what_is_broken_off_is_broken_off_in_the_file_and_the_file_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("said.wav");
    let config = Config { sink: Sink::Wav { path: path.clone() }, ..espeaking() };
    let mut speaker =
        Speaker::start(&config, Err("none".to_owned()), folder.path(), clock()).expect("threads");
    speaker.say(1, "One two three four five six seven eight nine ten eleven twelve.");
    let mut heard = 0.0;
    let mut hears = |speaker: &mut Speaker| {
        while let Some((rate, played)) = speaker.played() {
            heard += played.samples.len() as f32 / rate as f32;
        }
        heard
    };
    wait_for("half a second", || (hears(&mut speaker) >= 0.5).then_some(()));
    speaker.hush();
    let before = hears(&mut speaker);
    thread::sleep(Duration::from_millis(500));
    let (after, gaps) = (hears(&mut speaker), speaker.gaps() as f32);
    drop(speaker);
    // The fade, and one block at most that was asked for before. All twelve words take three seconds.
    assert!(after - before < 0.3, "{before} s, and {after} s after the end");
    // In the file 0.3 s of silence follow, and as much at most where the synthesis was behind.
    let seconds = length(&path);
    let silence = 0.3 * (1.0 + gaps) + 0.1;
    assert!((after - 0.05..after + silence).contains(&seconds), "{seconds} s in the file, {after} s played");
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let sink = Sink::Wav { path: PathBuf::from("/not/there/said.wav") };
    let mut loudspeaker = loudspeaker::of(&sink, Path::new("."), clock());
    let shared: Feed = Arc::new(|_, _| false);
    let told = loudspeaker.open(&|_| shared.clone()).err().expect("no such folder");
    assert!(told.contains("/not/there/said.wav"), "{told}");
}

/// Seconds in a WAV file, as its header says.
fn length(path: &Path) -> f32 {
    let wav = hound::WavReader::open(path).expect("a whole file");
    wav.duration() as f32 / wav.spec().sample_rate as f32
}
