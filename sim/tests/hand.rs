//! The simulated hand from outside: scenarios, their truth, and the pictures that belong to it.

use std::path::PathBuf;

use troika_kit::{Duration, Step, Tick, Time};
use troika_msgs::troika::GestureTruth;
use troika_sim::{
    Camera, Light, Quality, ScenarioError,
    hand::{
        Config, HandPose, HandScenario, HandScene, HandScript, HandShapeName, HandShot, HandTruth, Outputs,
        Placement, SimHand,
    },
};

const WRIST: usize = 0;
const THUMB_TIP: usize = 4;
const INDEX_KNUCKLE: usize = 5;
const TIPS: [usize; 5] = [4, 8, 12, 16, 20];
const LITTLE_KNUCKLE: usize = 17;

fn shot(name: HandShapeName) -> HandShot {
    HandShot {
        identity: 0,
        right: true,
        light: Light::Day,
        pose: HandPose::named(name),
        placement: Some(Placement::around([0.0, 0.0, 0.45], 0.0, 0.0, 0.0)),
        driver: None,
        noise_seed: 0,
    }
}

fn scene() -> HandScene {
    HandScene::new(Camera::default(), Quality::Fast)
}

fn scenario(name: &str) -> HandScenario {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    HandScenario::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn one_act(act: &str) -> HandScript {
    let text = format!(
        "name = 'a test'\nseed = 3\n[[segment]]\nperson = 'ada'\nhand = 'right'\nlight = 'day'\nacts = [\n\
         {{ act = 'relaxed', s = 1.0 }},\n{act},\n{{ act = 'relaxed', s = 1.0 }},\n]\n"
    );
    HandScript::new(&HandScenario::parse(&text).unwrap_or_else(|error| panic!("{act}: {error}")))
}

fn runs(script: &HandScript) -> Vec<(u8, usize)> {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for timed in &script.shots {
        match runs.last_mut() {
            Some((gesture, frames)) if *gesture == timed.label.gesture => *frames += 1,
            _ => runs.push((timed.label.gesture, 1)),
        }
    }
    runs
}

fn apart(a: [f32; 2], b: [f32; 2]) -> f32 {
    ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt()
}

/// Distance of a landmark from the wrist over that of the middle knuckle.
fn reach(truth: &HandTruth, n: usize) -> f32 {
    apart(truth.landmarks[n], truth.landmarks[WRIST]) / apart(truth.landmarks[9], truth.landmarks[WRIST])
}

#[test]
fn the_same_shot_gives_the_same_pixels_whatever_came_before() {
    let wanted = HandShot { identity: 4, noise_seed: 9, ..shot(HandShapeName::Ok) };
    let first = scene().render(&wanted);
    let mut used = scene();
    used.render(&HandShot { light: Light::NightIr, right: false, ..shot(HandShapeName::Fist) });
    assert!(first == used.render(&wanted));
    let other_noise = used.render(&HandShot { noise_seed: 10, ..wanted });
    assert!(first.data != other_noise.data, "another seed is other noise");
}

#[test]
fn an_open_palm_is_upright_with_its_thumb_where_a_hand_has_it() {
    let mut scene = scene();
    for right in [true, false] {
        let truth = scene.render(&HandShot { right, ..shot(HandShapeName::OpenPalm) }).truth;
        let x = |n: usize| truth.landmarks[n][0] - truth.landmarks[WRIST][0];
        for tip in TIPS {
            assert!(
                truth.landmarks[tip][1] < truth.landmarks[WRIST][1] - 40.0,
                "tip {tip} is above the wrist"
            );
        }
        // The driver faces the camera: the thumb of his right hand is to the picture's right.
        let way = if right { 1.0 } else { -1.0 };
        assert!(way * x(THUMB_TIP) > 40.0 && way * x(INDEX_KNUCKLE) > way * x(LITTLE_KNUCKLE));
        assert_eq!(truth.in_frame, 1.0);
    }
}

#[test]
fn fingers_reach_as_far_as_their_shape_says() {
    let mut scene = scene();
    for identity in 0..scene.identities() {
        let mut truth = |name| scene.render(&HandShot { identity, ..shot(name) }).truth;
        let (open, fist) = (truth(HandShapeName::OpenPalm), truth(HandShapeName::Fist));
        for tip in &TIPS[1..] {
            assert!(
                reach(&open, *tip) > 1.5,
                "{identity}: tip {tip} of an open palm: {}",
                reach(&open, *tip)
            );
            assert!(reach(&fist, *tip) < 1.1, "{identity}: tip {tip} of a fist: {}", reach(&fist, *tip));
        }
        let point = truth(HandShapeName::Point);
        assert!(reach(&point, 8) > 1.6 && [12, 16, 20].iter().all(|tip| reach(&point, *tip) < 1.1));
    }
}

#[test]
fn the_tips_of_an_ok_meet_on_every_hand_of_every_person() {
    let mut scene = scene();
    for seed in 1..4 {
        for person in
            ["ada", "ben", "chi", "dai", "efe", "fola", "gus", "hana", "ivo", "juno", "kofi", "lena"]
        {
            let text = format!(
                "name = 'x'\nseed = {seed}\n[[segment]]\nperson = '{person}'\nhand = 'left'\nlight = 'day'\nacts = [{{ act = 'ok', s = 0.5 }}]"
            );
            let script = HandScript::new(&HandScenario::parse(&text).expect("a scenario"));
            let truth = scene.render(&script.shots[14].shot).truth;
            let gap = apart(truth.landmarks[4], truth.landmarks[8])
                / apart(truth.landmarks[9], truth.landmarks[WRIST]);
            assert!(gap < 0.28, "{person}, seed {seed}: {gap} palms between the tips");
        }
    }
}

#[test]
fn skin_is_where_the_landmarks_are() {
    let mut scene = HandScene::new(Camera::default(), Quality::Smooth);
    for name in HandShapeName::ALL {
        for right in [true, false] {
            let with = scene.render(&HandShot { right, ..shot(name) });
            let without = scene.render(&HandShot { placement: None, ..shot(name) });
            for (n, [x, y]) in with.truth.landmarks.iter().enumerate() {
                let at = 3 * (y.round() as usize * with.width + x.round() as usize);
                let change: i32 =
                    (at..at + 3).map(|k| (i32::from(with.data[k]) - i32::from(without.data[k])).abs()).sum();
                assert!(change > 24, "{name:?}, right {right}: landmark {n} at {x} {y} is on the background");
            }
        }
    }
}

#[test]
fn fingers_are_as_long_in_every_shape() {
    // Landmarks of neighbouring joints stay as far apart as the bones are long, whatever the pose: seen in depth too.
    let mut scene = scene();
    let length = |truth: &HandTruth, a: usize, b: usize| {
        let at = |n: usize| {
            let (p, z) = (truth.landmarks[n], truth.depth_m[n]);
            [(p[0] - 319.5) / 620.0 * z, (p[1] - 239.5) / 620.0 * z, z]
        };
        (0..3).map(|k| (at(a)[k] - at(b)[k]).powi(2)).sum::<f32>().sqrt()
    };
    let open = scene.render(&shot(HandShapeName::OpenPalm)).truth;
    for name in HandShapeName::ALL {
        let truth = scene.render(&shot(name)).truth;
        for finger in 0..5 {
            // The thumb's root is where annotators put it, not the joint that its bone hangs on.
            for part in usize::from(finger == 0)..3 {
                let (a, b) = (1 + 4 * finger + part, 2 + 4 * finger + part);
                let (was, is) = (length(&open, a, b), length(&truth, a, b));
                assert!((was - is).abs() < 0.0006, "{name:?}: bone {a}-{b} is {is} m, was {was}");
            }
        }
    }
}

#[test]
fn an_infrared_picture_is_mono_and_the_hand_is_brighter_than_the_cabin() {
    let frame = scene().render(&HandShot { light: Light::NightIr, ..shot(HandShapeName::OpenPalm) });
    assert_eq!((frame.channels, frame.data.len()), (1, 640 * 480));
    let [x, y] = frame.truth.landmarks[9];
    assert!(frame.data[y as usize * 640 + x as usize] > 100);
}

#[test]
fn a_hand_is_drawn_over_the_driver_and_leaves_him_as_he_is() {
    let driver = troika_sim::Pose::default();
    let mut scene = scene();
    let alone = HandShot { placement: None, driver: Some(driver.clone()), ..shot(HandShapeName::OpenPalm) };
    let alone = scene.render(&alone);
    let mut renderer = troika_sim::Renderer::new(Camera::default(), Quality::Fast);
    assert!(alone.data == renderer.render(&driver).data, "without a hand it is the driver's picture");
    let both = scene.render(&HandShot { driver: Some(driver), ..shot(HandShapeName::OpenPalm) });
    assert!(both.data != alone.data);
}

#[test]
fn each_act_has_its_gesture_and_holds_it_to_the_end() {
    for (act, gesture) in [
        ("open_palm", GestureTruth::OPEN_PALM),
        ("fist", GestureTruth::FIST),
        ("point", GestureTruth::POINT),
        ("thumb_up", GestureTruth::THUMB_UP),
        ("thumb_down", GestureTruth::THUMB_DOWN),
        ("ok", GestureTruth::OK),
        ("rotate_clockwise", GestureTruth::ROTATE_CLOCKWISE),
        ("rotate_counter_clockwise", GestureTruth::ROTATE_COUNTER_CLOCKWISE),
    ] {
        let script = one_act(&format!("{{ act = '{act}', s = 2.0 }}"));
        let runs = runs(&script);
        assert_eq!(runs.iter().map(|run| run.0).collect::<Vec<_>>(), [0, gesture, 0], "{act}");
        // Made out after three quarters of the way there, about a quarter of a second.
        assert!((50..=53).contains(&runs[1].1), "{act}: {runs:?}");
    }
    for act in ["move", "absent", "relaxed"] {
        assert_eq!(runs(&one_act(&format!("{{ act = '{act}', s = 2.0 }}"))).len(), 1, "{act}");
    }
}

#[test]
fn a_swipe_goes_across_the_picture_in_less_than_half_a_second() {
    let mut scene = scene();
    for (act, gesture, way) in
        [("swipe_left", GestureTruth::SWIPE_LEFT, -1.0), ("swipe_right", GestureTruth::SWIPE_RIGHT, 1.0)]
    {
        let script = one_act(&format!("{{ act = '{act}', s = 1.3 }}"));
        let stroke: Vec<_> = script
            .shots
            .iter()
            .filter(|timed| timed.label.gesture == gesture)
            .map(|timed| &timed.shot)
            .collect();
        assert!((8..=13).contains(&stroke.len()), "{act}: {} frames", stroke.len());
        let x: Vec<f32> = stroke.iter().map(|shot| scene.render(shot).truth.landmarks[9][0]).collect();
        assert!(way * (x[x.len() - 1] - x[0]) > 200.0, "{act}: {x:?}");
        assert!(x.windows(2).all(|pair| way * (pair[1] - pair[0]) > -1.0), "{act}: {x:?}");
    }
}

#[test]
fn a_circling_fingertip_goes_round_the_way_that_its_truth_says() {
    let mut scene = scene();
    for (act, gesture, way) in [
        ("rotate_clockwise", GestureTruth::ROTATE_CLOCKWISE, 1.0),
        ("rotate_counter_clockwise", GestureTruth::ROTATE_COUNTER_CLOCKWISE, -1.0),
    ] {
        let script = one_act(&format!("{{ act = '{act}', s = 3.0 }}"));
        let tips: Vec<[f32; 2]> = script
            .shots
            .iter()
            .filter(|timed| timed.label.gesture == gesture)
            .map(|timed| scene.render(&timed.shot).truth.landmarks[8])
            .collect();
        // Twice the area that the path encloses; y is down, so clockwise is positive.
        let area: f32 = tips.windows(2).map(|p| p[0][0] * p[1][1] - p[1][0] * p[0][1]).sum();
        assert!(way * area > 2.0 * 2.0 * 3.0 * 40.0 * 40.0, "{act}: {area}");
    }
}

#[test]
fn a_movement_without_meaning_never_crosses_the_picture_like_a_swipe() {
    let mut scene = scene();
    for seed in 0..6 {
        let text = format!(
            "name = 'x'\nseed = {seed}\n[[segment]]\nperson = 'ben'\nhand = 'right'\nlight = 'day'\nacts = [{{ act = 'relaxed', s = 1.0 }}, {{ act = 'move', s = 5.0 }}]"
        );
        let script = HandScript::new(&HandScenario::parse(&text).expect("a scenario"));
        let x: Vec<f32> =
            script.shots[30..].iter().map(|timed| scene.render(&timed.shot).truth.landmarks[9][0]).collect();
        let fastest = x.windows(15).map(|w| (w[14] - w[0]).abs()).fold(0.0, f32::max);
        assert!(fastest < 130.0, "seed {seed}: {fastest} px in half a second");
    }
}

#[test]
fn no_two_people_and_no_two_times_make_the_same_gesture() {
    let poses: Vec<HandPose> = ["ada", "ben"]
        .iter()
        .flat_map(|person| {
            let text = format!(
                "name = 'x'\nseed = 1\n[[segment]]\nperson = '{person}'\nhand = 'right'\nlight = 'day'\nacts = [{{ act = 'fist', s = 1.0 }}, {{ act = 'fist', s = 1.0 }}]"
            );
            let script = HandScript::new(&HandScenario::parse(&text).expect("a scenario"));
            [script.shots[29].shot.pose, script.shots[59].shot.pose]
        })
        .collect();
    for a in 0..poses.len() {
        for b in 0..a {
            assert!(poses[a] != poses[b]);
        }
    }
}

#[test]
fn frames_around_a_change_of_gesture_are_not_scored() {
    let script = one_act("{ act = 'fist', s = 2.0 }");
    let at = |n: usize| script.shots[n].label;
    let change = (1..script.shots.len()).find(|n| at(*n).gesture != at(n - 1).gesture).expect("a change");
    assert!((change - 6..change + 6).all(|n| at(n).in_transition));
    assert!(!at(change - 7).in_transition && !at(change + 6).in_transition);
}

#[test]
fn a_scored_scenario_holds_every_gesture_and_nothing_for_some_of_the_time() {
    for name in ["hands-demo-40s.toml", "hands-scored.toml", "hands-holdout.toml"] {
        let script = HandScript::new(&scenario(name));
        for gesture in 0..=10 {
            let frames = script.shots.iter().filter(|timed| timed.label.gesture == gesture).count();
            assert!(frames >= 8, "{name}: gesture {gesture} in {frames} frames");
        }
    }
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_its_line() {
    let good = "name = 'x'\nseed = 1\n[[segment]]\nperson = 'ada'\nhand = 'right'\nlight = 'day'\nacts = [\n  { act = 'fist', s = 1.0 },\n]\n";
    assert!(HandScenario::parse(good).is_ok());
    for (from, to, line, word) in [
        ("seed = 1", "sead = 1", 2, "sead"),
        ("'ada'", "'bob'", 4, "bob"),
        ("'right'", "'both'", 5, "both"),
        ("'day'", "'noon'", 6, "noon"),
        ("'fist'", "'wave'", 8, "wave"),
        ("s = 1.0", "s = 0.1", 8, "lasts"),
        ("s = 1.0", "s = nan", 8, "lasts"),
        ("'fist', s = 1.0", "'swipe_left', s = 0.6", 8, "lasts"),
        ("s = 1.0", "s = 1.0, for = 2", 8, "for"),
        ("s = 1.0", "s = 1.0, at = [0.0, 0.0, 0.05]", 8, "away"),
        ("s = 1.0", "s = 1.0, roll_deg = 400", 8, "180"),
        ("'fist', s = 1.0", "'absent', s = 1.0, turn_deg = 4", 8, "absent"),
    ] {
        let text = good.replace(from, to);
        match HandScenario::parse(&text) {
            Err(ScenarioError::Line { line: told, reason }) => {
                assert!(told == line && reason.contains(word), "{to}: line {told}: {reason}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn the_node_sends_picture_and_truth_on_one_stamp_and_skips_frames_when_late() {
    let text = "name = 'x'\nseed = 1\n[[segment]]\nperson = 'gus'\nhand = 'left'\nlight = 'night_ir'\nacts = [{ act = 'point', s = 1.0 }, { act = 'absent', s = 1.0 }]";
    let scenario = HandScenario::parse(text).expect("a scenario");
    let config = Config { scenario: PathBuf::new(), repeat: false, smooth: false, prerender: false };
    let mut node = SimHand::new(&scenario, &config);
    let start = Time::from_nanos(1_000_000_000);
    let mut run = |seq: u64, frame: u64| {
        let release = start + Duration::from_nanos(33_333_333 * frame);
        let mut outputs = Outputs::default();
        node.step(&Tick { seq, release, now: release, level: 0 }, &Default::default(), &mut outputs)
            .expect("a step");
        outputs
    };
    run(0, 0);
    // Frames 1 to 19 were missed: the twentieth frame is what a camera would give now.
    let late = run(1, 20);
    let (image, truth) = (&late.image.sent()[0], &late.truth.sent()[0]);
    assert_eq!(image.header.stamp, truth.header.stamp);
    assert_eq!((image.encoding.as_str(), image.step, image.data.len()), ("mono8", 640, 640 * 480));
    let expected = scene().render(&HandScript::new(&scenario).shots[20].shot);
    assert!(image.data == expected.data);
    assert_eq!((truth.gesture, truth.hand_visible, truth.right_hand), (GestureTruth::POINT, true, false));
    assert_eq!([truth.landmarks_x[8], truth.landmarks_y[8]], expected.truth.landmarks[8]);
    let gone = run(2, 55);
    let truth = &gone.truth.sent()[0];
    assert!(!truth.hand_visible && truth.gesture == GestureTruth::NONE && truth.landmarks_x == [0.0; 21]);
    assert!(run(3, 60).image.sent().is_empty(), "after the last frame the camera is silent");
}
