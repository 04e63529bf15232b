//! The pump with a camera that is unplugged, stalls, ends and comes back. Time is an argument.

use std::collections::VecDeque;

use super::*;
use crate::source::{MockCamera, MockFrameSource};

fn at(ms: u64) -> Time {
    Time::from_nanos((1_700_000_000_000 + ms) * 1_000_000)
}

fn picture(n: u8) -> Frame {
    Frame { width: 1, height: 1, encoding: "mono8", step: 1, data: vec![n] }
}

type Script = Vec<Result<Frame, SourceError>>;

fn source(script: Script, pace: Option<Duration>) -> Box<dyn FrameSource> {
    let mut script = VecDeque::from(script);
    let mut source = MockFrameSource::new();
    source.expect_next_frame().returning(move || script.pop_front().unwrap_or(Err(SourceError::End)));
    source.expect_pace().return_const(pace);
    Box::new(source)
}

/// A camera that opens as scripted: each opening gives a source's frames, or fails.
fn camera(openings: Vec<Option<Script>>, pace: Option<Duration>, repeats: bool) -> Pump {
    let mut openings = VecDeque::from(openings);
    let mut camera = MockCamera::new();
    camera.expect_open().returning(move || match openings.pop_front().flatten() {
        Some(script) => Ok(source(script, pace)),
        None => Err(SourceError::open("the camera", "it is not plugged in")),
    });
    camera.expect_repeats().return_const(repeats);
    Pump { watched: true, ..Pump::new(Box::new(camera)) }
}

/// Turns until something other than "again" is said.
fn turn(pump: &mut Pump, now: Time) -> Turn {
    (0..100).map(|_| pump.turn(now)).find(|turn| *turn != Turn::Again).expect("it says something in the end")
}

#[test]
fn a_camera_that_is_not_there_is_tried_again_with_a_growing_pause() {
    troika_safety::verifies![SR_DMS_021];
    let mut pump = camera(Vec::new(), None, false);
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let Turn::Wait(until) = turn(&mut pump, now) else { panic!("no camera, no frame") };
        assert_eq!(turn(&mut pump, until - Duration::from_millis(1)), Turn::Wait(until), "and not before");
        pauses.push(until.since(now).as_millis());
        now = until;
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 4000, 4000]);
    assert!(matches!(&pump.status, Status::Down(reason) if reason.contains("not plugged in")));
}

#[test]
fn a_camera_that_is_unplugged_and_plugged_in_again_goes_on() {
    troika_safety::verifies![SR_DMS_021];
    let unplugged = vec![Ok(picture(1)), Err(SourceError::Lost("no such device".into()))];
    let mut pump = camera(vec![Some(unplugged), None, Some(vec![Ok(picture(2))])], None, false);
    assert_eq!(turn(&mut pump, at(0)), Turn::Frame(picture(1)));
    assert_eq!(pump.status, Status::Live);
    assert_eq!(turn(&mut pump, at(33)), Turn::Wait(at(283)));
    assert_eq!(pump.status, Status::Down("lost: no such device".into()));
    assert_eq!(turn(&mut pump, at(283)), Turn::Wait(at(783)), "still away");
    assert_eq!(turn(&mut pump, at(783)), Turn::Frame(picture(2)));
    assert_eq!(pump.status, Status::Live);
    assert_eq!(pump.pause, PAUSE, "the next loss is tried soon again");
}

#[test]
fn damaged_frames_are_left_out_and_thirty_in_a_row_are_a_loss() {
    troika_safety::verifies![SR_DMS_021];
    let bad = || Err(SourceError::BadFrame("torn".into()));
    let mut script: Script = (0..30).map(|_| bad()).collect();
    script.push(Ok(picture(1)));
    script.extend((0..31).map(|_| bad()));
    let mut pump = camera(vec![Some(script)], None, false);
    assert_eq!(turn(&mut pump, at(0)), Turn::Frame(picture(1)));
    assert!(matches!(turn(&mut pump, at(1)), Turn::Wait(_)));
    assert_eq!(pump.status, Status::Down("a frame was left out: torn".into()));
}

#[test]
fn a_file_is_paced_and_a_late_turn_does_not_stretch_it() {
    let script = (1..=4).map(|n| Ok(picture(n))).collect();
    let mut pump = camera(vec![Some(script)], Some(Duration::from_millis(40)), false);
    assert_eq!(turn(&mut pump, at(0)), Turn::Frame(picture(1)));
    assert_eq!(turn(&mut pump, at(0)), Turn::Wait(at(40)));
    assert_eq!(turn(&mut pump, at(55)), Turn::Frame(picture(2)));
    assert_eq!(turn(&mut pump, at(55)), Turn::Wait(at(80)));
    // A suspended machine: it goes on from now.
    assert_eq!(turn(&mut pump, at(9000)), Turn::Frame(picture(3)));
    assert_eq!(turn(&mut pump, at(9000)), Turn::Wait(at(9040)));
}

#[test]
fn a_file_waits_for_somebody_who_looks_and_a_device_does_not() {
    let script = || Some(vec![Ok(picture(1)), Ok(picture(2))]);
    let mut file = camera(vec![script()], Some(Duration::from_millis(40)), false);
    file.watched = false;
    assert_eq!(turn(&mut file, at(0)), Turn::Unwatched);
    assert_eq!(turn(&mut file, at(5000)), Turn::Unwatched);
    file.watched = true;
    assert_eq!(turn(&mut file, at(9000)), Turn::Frame(picture(1)));
    assert_eq!(turn(&mut file, at(9000)), Turn::Wait(at(9040)), "its rhythm is that of who looks");
    let mut device = camera(vec![script()], None, false);
    device.watched = false;
    assert_eq!(turn(&mut device, at(0)), Turn::Frame(picture(1)));
}

#[test]
fn the_thread_of_a_file_reads_nothing_before_the_first_look_and_stops_without_one() {
    let (read, frames) = std::sync::mpsc::channel();
    let start = |read: std::sync::mpsc::Sender<()>| {
        let mut camera = MockCamera::new();
        camera.expect_open().return_once(move || {
            let mut source = MockFrameSource::new();
            source.expect_next_frame().returning(move || {
                read.send(()).expect("the test listens");
                Ok(picture(1))
            });
            source.expect_pace().return_const(Some(Duration::from_millis(1)));
            Ok(Box::new(source) as Box<dyn FrameSource>)
        });
        Capture::start(Box::new(camera), Arc::new(|| at(0))).expect("a thread")
    };
    let capture = start(read.clone());
    assert!(frames.recv_timeout(Duration::from_millis(100)).is_err(), "nobody has looked");
    assert!(capture.take().is_none());
    frames.recv().expect("it is read now");
    drop(capture);
    drop(start(read));
    // Both threads' ends of the channel are gone with them.
    let end = std::iter::repeat_with(|| frames.recv_timeout(Duration::from_secs(60))).find(Result::is_err);
    assert_eq!(end, Some(Err(std::sync::mpsc::RecvTimeoutError::Disconnected)));
}

#[test]
fn a_file_ends_once_or_begins_again_in_its_rhythm() {
    let script = || Some(vec![Ok(picture(1)), Ok(picture(2))]);
    let pace = Some(Duration::from_millis(40));
    let mut once = camera(vec![script()], pace, false);
    assert_eq!(turn(&mut once, at(0)), Turn::Frame(picture(1)));
    assert_eq!(turn(&mut once, at(40)), Turn::Frame(picture(2)));
    assert_eq!(turn(&mut once, at(80)), Turn::Ended);
    assert_eq!((turn(&mut once, at(99)), once.status), (Turn::Ended, Status::Ended));
    let mut again = camera(vec![script(), script()], pace, true);
    for (ms, n) in [(0, 1), (40, 2), (80, 1), (120, 2)] {
        assert_eq!(turn(&mut again, at(ms)), Turn::Frame(picture(n)), "{ms}");
    }
}

#[test]
fn a_file_without_any_frame_is_not_begun_again_at_once() {
    let mut pump = camera(vec![Some(Vec::new())], None, true);
    assert_eq!(turn(&mut pump, at(0)), Turn::Wait(at(250)));
    assert_eq!(pump.status, Status::Down("the source has no frame that can be read".into()));
}
