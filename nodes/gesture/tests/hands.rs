//! Recorded hands through the real heads: rows of public sets (see `fixtures/README.md`), as they are and moved as a person before
//! a camera moves them. The heads are in the binary, so nothing is fetched.

use std::f32::consts::TAU;

use troika_gesture::{
    config::Config,
    debounce::{Debounce, Phase},
    gesture::Gesture,
    hand::Hand,
    pose,
    reading::Reading,
    store::{self, Part},
    track,
    track::Followed,
};
use troika_kit::Time;
use troika_models::Store;

const POSES: &str = include_str!("fixtures/poses.csv");
const TRACKS: &str = include_str!("fixtures/tracks.csv");

fn models() -> Store {
    // The heads are built in: no folder is read.
    Store::open("/nowhere").expect("the passports are sound")
}

fn gesture(name: &str) -> Option<Gesture> {
    let found = Gesture::ALL.into_iter().find(|gesture| gesture.name() == name);
    assert!(found.is_some() || name == "none", "{name}");
    found
}

/// Class and points of every recorded pose.
fn poses() -> Vec<(&'static str, [[f32; 2]; 21])> {
    let rows = POSES.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let (name, numbers) = line.split_once(',').expect("a class and numbers");
        let numbers: Vec<f32> = numbers.split(',').map(|n| n.parse().expect("a number")).collect();
        let mut points = [[0.0; 2]; 21];
        points.iter_mut().zip(numbers.chunks_exact(2)).for_each(|(point, xy)| *point = [xy[0], xy[1]]);
        (name, points)
    })
    .collect()
}

/// Class, followed point and window of every recorded track.
fn tracks() -> Vec<(&'static str, Followed, [[f32; 2]; 16])> {
    let rows = TRACKS.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let mut words = line.split(',');
        let name = words.next().expect("a class");
        let followed = if words.next() == Some("finger") { Followed::Finger } else { Followed::Palm };
        let numbers: Vec<f32> = words.map(|n| n.parse().expect("a number")).collect();
        let mut points = [[0.0; 2]; 16];
        points.iter_mut().zip(numbers.chunks_exact(2)).for_each(|(point, xy)| *point = [xy[0], xy[1]]);
        (name, followed, points)
    })
    .collect()
}

fn pose_of(points: &[[f32; 2]; 21]) -> Option<Gesture> {
    let mut head = store::open(&models(), Part::Pose).expect("built in");
    let features = pose::features(points).expect("a hand");
    let mut probabilities = [0.0; pose::CLASSES];
    head.run(&features, &mut [&mut probabilities]).expect("runs");
    pose::told(&probabilities, pose::lean(&features), |_| 0.7, TAU).map(|told| told.gesture)
}

fn motion_of(followed: Followed, window: &[[f32; 2]; 16]) -> Option<Gesture> {
    let mut head = store::open(&models(), Part::Motion).expect("built in");
    let features = track::features(window, followed).expect("a motion");
    let mut probabilities = [0.0; track::CLASSES];
    head.run(&features, &mut [&mut probabilities]).expect("runs");
    track::told(&probabilities, followed, 0.7).map(|told| told.gesture)
}

#[test]
fn recorded_poses_are_told_as_what_they_are_with_either_hand_near_and_far() {
    let rows = poses();
    assert_eq!(rows.len(), 32);
    for (i, (name, points)) in rows.iter().enumerate() {
        for (mirrored, size) in [(1.0, 1.0), (-1.0, 300.0)] {
            let seen = points.map(|[x, y]| [mirrored * size * x + 5.0, size * y - 7.0]);
            assert_eq!(pose_of(&seen), gesture(name), "row {i}, {name}, mirrored {mirrored}");
        }
    }
}

#[test]
fn a_thumb_that_is_turned_over_points_the_other_way() {
    let thumbs = poses().into_iter().filter(|(name, _)| name.starts_with("thumb"));
    for (name, points) in thumbs {
        // The hand's other edge up: mirrored about the horizontal, as the other thumb is.
        let over = pose_of(&points.map(|[x, y]| [x, -y]));
        let other = if name == "thumb_up" { Gesture::ThumbDown } else { Gesture::ThumbUp };
        assert_eq!(over, Some(other), "{name}");
    }
}

#[test]
fn recorded_motions_are_told_as_what_they_are() {
    let rows = tracks();
    assert_eq!(rows.len(), 18);
    for (i, (name, followed, window)) in rows.iter().enumerate() {
        assert_eq!(motion_of(*followed, window), gesture(name), "row {i}, {name}");
    }
}

#[test]
fn a_motion_seen_in_a_mirror_or_played_backwards_is_the_opposite_one() {
    let opposite = |gesture| match gesture {
        Gesture::SwipeLeft => Gesture::SwipeRight,
        Gesture::SwipeRight => Gesture::SwipeLeft,
        Gesture::RotateClockwise => Gesture::RotateCounterClockwise,
        Gesture::RotateCounterClockwise => Gesture::RotateClockwise,
        other => other,
    };
    for (i, (name, followed, window)) in tracks().into_iter().enumerate() {
        let Some(gesture) = gesture(name) else { continue };
        let mirrored = window.map(|[x, y]| [-x, y]);
        let mut backwards = window;
        backwards.reverse();
        for (how, seen) in [("in a mirror", mirrored), ("backwards", backwards)] {
            assert_eq!(motion_of(followed, &seen), Some(opposite(gesture)), "row {i}, {name}, {how}");
        }
    }
}

/// A person before a camera of 640 x 480 that faces them, 30 frames a second.
struct Person {
    reading: Reading,
    debounce: Debounce,
    frame: u64,
    told: Vec<(Gesture, Phase)>,
}

/// The hand's palm, pixels.
const PALM: f32 = 70.0;

impl Person {
    fn new() -> Person {
        let (models, config) = (models(), Config::default());
        let head = |part| store::open(&models, part).expect("built in");
        Person {
            reading: Reading::new(&config, head(Part::Pose), head(Part::Motion)),
            debounce: Debounce::new(config.limits()),
            frame: 0,
            told: Vec::new(),
        }
    }

    /// Shows a recorded pose for `seconds`; `path` gives where, in palm lengths as the person sees it (x to their right, y down),
    /// at 0..1 of the time.
    fn shows(&mut self, pose: &str, seconds: f32, path: impl Fn(f32) -> [f32; 2]) -> &mut Person {
        let (_, points) = poses().into_iter().find(|(name, _)| *name == pose).expect("recorded");
        let palm = points[9][0].hypot(points[9][1]);
        let frames = (seconds * 30.0).round() as u64;
        for i in 0..frames {
            let [x, y] = path(i as f32 / frames as f32);
            // The row is mirrored and the camera is not: the person's right is the picture's left.
            let points =
                points.map(|[px, py]| [320.0 - PALM * (px / palm + x), 240.0 + PALM * (py / palm + y)]);
            self.sees(Some(Hand { points, presence: 1.0, right: 1.0 }));
        }
        self
    }

    /// Takes the hand away for a while.
    fn rests(&mut self, seconds: f32) -> &mut Person {
        (0..(seconds * 30.0) as u64).for_each(|_| self.sees(None));
        self
    }

    fn sees(&mut self, hand: Option<Hand>) {
        self.frame += 1;
        let now = Time::from_nanos(1_000_000_000 + self.frame * 33_333_333);
        let told = match hand {
            Some(hand) => self.reading.read(now, &hand).expect("the heads run"),
            None => None,
        };
        let verdict = self.debounce.observe(now, told);
        self.told.extend(verdict.gesture.map(|gesture| (gesture, verdict.phase)));
    }

    /// The gestures that started.
    fn started(&self) -> Vec<Gesture> {
        self.told.iter().filter(|(_, phase)| *phase == Phase::Started).map(|(gesture, _)| *gesture).collect()
    }
}

fn still(_: f32) -> [f32; 2] {
    [0.0, 0.0]
}

/// From a to b, gently begun and ended.
fn stroke(a: f32, b: f32) -> impl Fn(f32) -> [f32; 2] {
    move |t| [a + (b - a) * (0.5 - 0.5 * (t * TAU / 2.0).cos()), 0.0]
}

/// Round and round, `turns` times, clockwise as the person sees it when positive.
fn circle(turns: f32) -> impl Fn(f32) -> [f32; 2] {
    move |t| [0.5 * (turns * t * TAU).sin(), -0.5 * (turns * t * TAU).cos()]
}

#[test]
fn a_palm_held_up_is_a_stop_and_every_other_pose_is_itself() {
    for pose in ["open_palm", "fist", "point", "thumb_up", "thumb_down", "ok"] {
        let mut person = Person::new();
        person.shows(pose, 1.5, still).rests(1.0);
        assert_eq!(person.started(), [gesture(pose).expect("a pose")], "{pose}");
        assert_eq!(person.told.last().map(|(_, phase)| *phase), Some(Phase::Ended), "{pose}");
    }
}

#[test]
fn two_fingers_are_nothing() {
    assert_eq!(Person::new().shows("none", 3.0, still).started(), []);
}

#[test]
fn an_open_hand_that_moves_to_the_persons_right_is_one_swipe_to_the_right_and_no_stop() {
    for (to, expected) in [(2.5, Gesture::SwipeRight), (-2.5, Gesture::SwipeLeft)] {
        let mut person = Person::new();
        person.shows("open_palm", 0.3, still).shows("open_palm", 0.45, stroke(0.0, to)).rests(1.5);
        assert_eq!(person.started(), [expected]);
    }
}

#[test]
fn the_hand_that_goes_back_after_a_swipe_is_no_second_one() {
    let mut person = Person::new();
    person.shows("open_palm", 0.3, still).shows("open_palm", 0.4, stroke(0.0, 2.5));
    person.shows("open_palm", 0.4, stroke(2.5, 0.0)).rests(1.0);
    assert_eq!(person.started(), [Gesture::SwipeRight]);
}

#[test]
fn a_hand_that_waves_is_one_swipe_at_most() {
    let mut person = Person::new();
    for _ in 0..8 {
        person.shows("open_palm", 0.35, stroke(-1.0, 1.0)).shows("open_palm", 0.35, stroke(1.0, -1.0));
    }
    assert!(person.started().len() <= 1, "{:?}", person.started());
}

#[test]
fn a_hand_raised_and_lowered_is_no_swipe() {
    let mut person = Person::new();
    person
        .shows("open_palm", 0.6, |t| [0.0, 3.0 - 3.0 * t])
        .shows("open_palm", 0.6, |t| [0.0, 3.0 * t])
        .rests(0.5);
    assert_eq!(person.started(), []);
}

#[test]
fn a_finger_that_turns_is_a_turn_in_the_persons_own_sense_quick_or_slow() {
    for (turns, seconds) in [(4.0, 2.0), (2.0, 3.0)] {
        for (sense, expected) in [(1.0, Gesture::RotateClockwise), (-1.0, Gesture::RotateCounterClockwise)] {
            let mut person = Person::new();
            person.shows("point", seconds, circle(sense * turns)).rests(1.0);
            let started = person.started();
            assert_eq!(started.first(), Some(&expected), "{turns} turns in {seconds} s: {started:?}");
            assert!(started.iter().all(|gesture| *gesture == expected), "{started:?}");
        }
    }
}

#[test]
fn a_finger_that_points_here_and_there_turns_nothing() {
    let mut person = Person::new();
    person
        .shows("point", 1.0, still)
        .shows("point", 0.5, stroke(0.0, 2.0))
        .shows("point", 1.0, |_| [2.0, 0.0]);
    person.shows("point", 0.5, stroke(2.0, -1.0)).rests(0.5);
    assert!(person.started().iter().all(|gesture| *gesture == Gesture::Point), "{:?}", person.started());
}

#[test]
fn an_open_hand_that_hangs_down_is_no_stop() {
    let (_, points) = poses().into_iter().find(|(name, _)| *name == "open_palm").expect("recorded");
    let hanging = points.map(|[x, y]| [320.0 + 150.0 * x, 240.0 - 150.0 * y]);
    let mut person = Person::new();
    (0..60).for_each(|_| person.sees(Some(Hand { points: hanging, presence: 1.0, right: 1.0 })));
    assert_eq!(person.started(), []);
}
