//! The simulated driver from outside: scenarios, their truth, and the pictures that belong to it.

use std::path::PathBuf;

use troika_kit::{Duration, Step, Tick, Time};
use troika_msgs::troika::DriverState;
use troika_sim::{
    Camera, Config, Landmark, Light, Outputs, Pose, Quality, Renderer, Scenario, ScenarioError, Script,
    SimDriver, Truth,
};

fn scenario(name: &str) -> Scenario {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    Scenario::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn one_act(act: &str) -> Vec<Truth> {
    let text = format!(
        "name = 'a test'\nseed = 1\n[[segment]]\nface = 'ada'\nlight = 'day'\nspeed_kmh = [40.0, 60.0]\nacts = [\n\
         {{ act = 'attentive', s = 2.0 }},\n{act},\n{{ act = 'attentive', s = 2.0 }},\n]\n"
    );
    let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{act}: {error}"));
    Script::new(&scenario).shots.into_iter().map(|shot| shot.truth).collect()
}

fn states(truths: &[Truth]) -> Vec<(u8, usize)> {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for truth in truths {
        match runs.last_mut() {
            Some((state, frames)) if *state == truth.state => *frames += 1,
            _ => runs.push((truth.state, 1)),
        }
    }
    runs
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_same_pose_gives_the_same_pixels_whatever_came_before() {
    let pose = Pose { identity: 4, head_yaw_deg: 20.0, openness_left: 0.4, noise_seed: 9, ..Pose::default() };
    let first = Renderer::new(Camera::default(), Quality::Smooth).render(&pose);
    let mut used = Renderer::new(Camera::default(), Quality::Smooth);
    used.render(&Pose { light: Light::NightIr, jaw_open: 1.0, cover: 0.8, ..Pose::default() });
    let second = used.render(&pose);
    assert!(first == second);
    let other_noise = used.render(&Pose { noise_seed: 10, ..pose });
    assert!(first.data != other_noise.data, "another seed is other noise");
}

#[test]
fn lids_close_evenly_with_openness_on_every_face() {
    let mut renderer = Renderer::new(Camera { width: 64, height: 48, ..Camera::default() }, Quality::Fast);
    for identity in 0..renderer.identities() {
        let gaps: Vec<[f32; 2]> = (0..=10)
            .map(|step| {
                let openness = step as f32 / 10.0;
                let pose =
                    Pose { identity, openness_left: openness, openness_right: openness, ..Pose::default() };
                renderer.render(&pose).truth.lid_gap
            })
            .collect();
        for side in 0..2 {
            assert!(gaps[0][side] < 0.01, "{identity}: closed lids meet: {:?}", gaps[0]);
            assert!(gaps[10][side] > 0.15, "{identity}: open lids are apart: {:?}", gaps[10]);
            for pair in gaps.windows(2) {
                assert!(pair[1][side] >= pair[0][side], "{identity}: {gaps:?}");
            }
        }
    }
}

#[test]
fn turning_left_moves_the_nose_to_the_right_of_the_picture_and_eyes_turn_with_the_gaze() {
    let mut renderer = Renderer::new(Camera::default(), Quality::Fast);
    let ahead = renderer.render(&Pose::default()).truth;
    let left = renderer.render(&Pose { head_yaw_deg: 20.0, ..Pose::default() }).truth;
    assert!(left.landmark(Landmark::NoseTip)[0] > ahead.landmark(Landmark::NoseTip)[0] + 10.0);
    let up = renderer.render(&Pose { head_pitch_deg: 15.0, ..Pose::default() }).truth;
    assert!(up.landmark(Landmark::NoseTip)[1] < ahead.landmark(Landmark::NoseTip)[1] - 10.0);
    let eyes = renderer.render(&Pose { eye_yaw_deg: 20.0, ..Pose::default() }).truth;
    for side in 0..2 {
        assert!(eyes.eyes[side].iris[0] > ahead.eyes[side].iris[0] + 2.0);
        assert!((eyes.eyes[side].outer[0] - ahead.eyes[side].outer[0]).abs() < 1.5, "the corners stay");
    }
}

#[test]
fn the_iris_is_dark_where_the_truth_says_it_is() {
    let mut renderer = Renderer::new(Camera::default(), Quality::Smooth);
    for (identity, eye_yaw_deg) in [(0, -20.0), (2, 0.0), (6, 20.0)] {
        let frame = renderer.render(&Pose { identity, eye_yaw_deg, ..Pose::default() });
        for eye in &frame.truth.eyes {
            let luma = |x: f32, y: f32| {
                let at = (y.round() as usize * frame.width + x.round() as usize) * frame.channels;
                frame.data[at..at + frame.channels].iter().map(|c| u32::from(*c)).sum::<u32>()
            };
            let pupil =
                (-1..=1).map(|dx| luma(eye.iris[0] + dx as f32, eye.iris[1])).min().expect("three pixels");
            let cheek = luma(eye.iris[0], eye.lower[1] + 14.0);
            assert!(2 * pupil < cheek, "face {identity}, yaw {eye_yaw_deg}: pupil {pupil}, cheek {cheek}");
        }
    }
}

#[test]
fn a_gaze_target_is_met_by_head_and_eyes_together() {
    let mut pose = Pose { head_yaw_deg: 15.0, head_pitch_deg: -10.0, head_roll_deg: 5.0, ..Pose::default() };
    pose.look_at(30.0, -20.0);
    let (yaw, pitch) = pose.gaze_deg();
    assert!((yaw - 30.0).abs() < 0.01 && (pitch + 20.0).abs() < 0.01, "{yaw} {pitch}");
}

#[test]
fn an_infrared_picture_is_mono() {
    let mut renderer = Renderer::new(Camera::default(), Quality::Fast);
    let frame = renderer.render(&Pose { light: Light::NightIr, ..Pose::default() });
    assert_eq!((frame.channels, frame.data.len()), (1, 640 * 480));
}

#[test]
fn a_driver_who_dozes_off_has_closed_eyes_only_after_a_blinks_time() {
    let truths = one_act("{ act = 'eyes_closed', s = 2.0 }");
    let runs = states(&truths);
    assert_eq!(runs.iter().map(|run| run.0).collect::<Vec<_>>(), [1, 3, 1]);
    // Closed at about 2.1 s, a closure at 2.5 s, open again at about 3.9 s.
    assert!((72..=79).contains(&runs[0].1) && (38..=46).contains(&runs[1].1), "{runs:?}");
}

#[test]
fn a_blink_is_no_closure() {
    let text = "name = 'blinks'\nseed = 5\n[[segment]]\nface = 'ben'\nlight = 'day'\nspeed_kmh = 50\nacts = [{ act = 'attentive', s = 120.0 }]";
    let script = Script::new(&Scenario::parse(text).expect("a scenario"));
    assert!(script.shots.iter().all(|shot| shot.truth.state == DriverState::ATTENTIVE));
    let blinks = script
        .shots
        .windows(2)
        .filter(|w| w[0].truth.eye_openness >= 0.5 && w[1].truth.eye_openness < 0.5)
        .count();
    assert!((20..=45).contains(&blinks), "{blinks} blinks in two minutes");
}

#[test]
fn a_look_at_the_phone_is_away_and_in_area_3() {
    let truths = one_act("{ act = 'glance', at = 'lap', s = 4.0 }");
    assert_eq!(states(&truths).iter().map(|run| run.0).collect::<Vec<_>>(), [1, 2, 1]);
    assert!(truths[75..165].iter().all(|truth| truth.gaze_zone == DriverState::ZONE_AREA_3));
}

#[test]
fn each_place_of_a_glance_is_in_its_zone() {
    for (place, zone) in [
        ("left_mirror", DriverState::ZONE_LEFT_MIRROR),
        ("right_mirror", DriverState::ZONE_RIGHT_MIRROR),
        ("rear_mirror", DriverState::ZONE_REAR_MIRROR),
        ("cluster", DriverState::ZONE_CLUSTER),
        ("console", DriverState::ZONE_AREA_3),
        ("lap", DriverState::ZONE_AREA_3),
        ("passenger", DriverState::ZONE_AREA_1),
    ] {
        let truths = one_act(&format!("{{ act = 'glance', at = '{place}', s = 2.0 }}"));
        assert!(truths[75..115].iter().all(|truth| truth.gaze_zone == zone), "{place}: {:?}", truths[100]);
    }
}

#[test]
fn a_head_that_turns_while_the_eyes_stay_is_attentive() {
    let truths = one_act("{ act = 'head_turn', yaw_deg = 25.0, s = 3.0 }");
    assert!(truths.iter().all(|truth| truth.state == DriverState::ATTENTIVE));
}

#[test]
fn a_lost_face_is_unknown_and_never_closed() {
    for how in ["lean", "cover"] {
        let truths = one_act(&format!("{{ act = 'face_lost', how = '{how}', s = 5.0 }}"));
        assert_eq!(states(&truths).iter().map(|run| run.0).collect::<Vec<_>>(), [1, 0, 1], "{how}");
        assert!(truths.iter().all(|truth| truth.face_visible == (truth.state != DriverState::UNKNOWN)));
    }
}

#[test]
fn frames_around_a_change_are_not_scored() {
    let truths = one_act("{ act = 'glance', at = 'lap', s = 4.0 }");
    let change = (1..truths.len()).find(|n| truths[*n].state != truths[n - 1].state).expect("a change");
    assert!(truths[change - 6..change + 6].iter().all(|truth| truth.in_transition));
    assert!(!truths[change - 7].in_transition && !truths[change + 6].in_transition);
}

#[test]
fn speed_ramps_and_a_control_is_acted_on_once() {
    let truths = one_act("{ act = 'attentive', s = 4.0, control = true }");
    assert!((truths[0].speed_kmh - 40.0).abs() < 0.1 && (truths[239].speed_kmh - 60.0).abs() < 0.2);
    assert_eq!(truths.iter().filter(|truth| truth.driver_acted).count(), 1);
    assert!(truths[60].driver_acted);
}

#[test]
fn the_scored_minutes_hold_each_state_a_tenth_of_the_time() {
    let script = Script::new(&scenario("scored-180s.toml"));
    assert!(script.shots.len() >= 180 * 30, "{} frames", script.shots.len());
    let shares = script.shares();
    assert!(shares.iter().all(|share| *share >= 0.10), "{shares:?}");
}

#[test]
fn the_held_out_minutes_hold_each_state_a_tenth_of_the_time() {
    for name in ["holdout-ivo.toml", "holdout-juno.toml", "holdout-kofi-lena.toml"] {
        let script = Script::new(&scenario(name));
        assert!(script.shots.len() >= 175 * 30, "{name}: {} frames", script.shots.len());
        let shares = script.shares();
        assert!(shares.iter().all(|share| *share >= 0.10), "{name}: {shares:?}");
    }
}

#[test]
fn the_attentive_minutes_hold_no_cause_for_an_alert() {
    let script = Script::new(&scenario("attentive-300s.toml"));
    // Between drivers the seat is empty for two seconds, four times.
    assert_eq!(script.shots.len(), (300 + 4 * 2) * 30);
    let runs = states(&script.shots.iter().map(|shot| shot.truth).collect::<Vec<_>>());
    for (state, frames) in runs {
        let allowed = match state {
            DriverState::ATTENTIVE => usize::MAX,
            // A mirror check is at most 1.1 s.
            DriverState::LOOKING_AWAY => 36,
            // Monitoring counts as unavailable after 5 s.
            DriverState::UNKNOWN => 60,
            _ => 0,
        };
        assert!(frames <= allowed, "state {state} for {frames} frames");
    }
}

#[test]
fn the_demo_shows_every_state_in_half_a_minute() {
    let script = Script::new(&scenario("demo-30s.toml"));
    assert_eq!(script.shots.len(), 30 * 30);
    assert!(script.shares().iter().all(|share| *share >= 0.10), "{:?}", script.shares());
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_its_line() {
    let good = "name = 'x'\nseed = 1\n[[segment]]\nface = 'ada'\nlight = 'day'\nspeed_kmh = 50\nacts = [\n  { act = 'attentive', s = 1.0 },\n]\n";
    assert!(Scenario::parse(good).is_ok());
    for (from, to, line, word) in [
        ("seed = 1", "sead = 1", 2, "unknown field `sead`; did you mean seed? Expected one of `name`"),
        ("'ada'", "'bob'", 4, "bob"),
        ("'day'", "'noon'", 5, "noon"),
        ("'day'", "'side_lefd'", 5, "did you mean side_left?"),
        ("= 50", "= -3", 6, "speed"),
        ("= 50", "= 'fast'", 6, "[from, to]"),
        ("'attentive'", "'asleep'", 8, "asleep"),
        ("s = 1.0", "s = 0.0", 8, "lasts"),
        ("s = 1.0", "s = 1.0, droop = true", 8, "droop"),
        ("s = 1.0", "s = 1.0, for = 2", 8, "for"),
        ("'attentive'", "'glance'", 8, "at"),
        ("'attentive', ", "'head_turn', yaw_deg = 60, ", 8, "34"),
    ] {
        let text = good.replace(from, to);
        match Scenario::parse(&text) {
            Err(ScenarioError::Line { line: told, reason }) => {
                assert!(told == line && reason.contains(word), "{to}: line {told}: {reason}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn all_that_is_wrong_with_a_scenario_is_told_at_once() {
    let text = "name = 'x'\nseed = 1\n[[segment]]\nface = 'bob'\nlight = 'day'\nspeed_kmh = -3\nacts = [\n  { act = 'glance', s = 1.0 },\n  { act = 'yawn', s = 0.1 },\n]\n";
    let error = Scenario::parse(text).expect_err("four things are wrong");
    let told = error.told("x.toml");
    let lines: Vec<_> = told.iter().filter_map(|one| one.split(": ").next()).collect();
    assert_eq!(lines, ["x.toml, line 4", "x.toml, line 6", "x.toml, line 8", "x.toml, line 9"], "{told:?}");
}

#[test]
fn the_node_sends_picture_and_truth_on_one_stamp_and_skips_frames_when_late() {
    let text = "name = 'x'\nseed = 1\n[[segment]]\nface = 'ada'\nlight = 'night_ir'\nspeed_kmh = 50\nacts = [{ act = 'attentive', s = 1.0 }]";
    let scenario = Scenario::parse(text).expect("a scenario");
    let config = Config { scenario: PathBuf::new(), repeat: false, drives_vehicle: true, smooth: false };
    let mut node = SimDriver::new(&scenario, &config);
    let start = Time::from_nanos(1_000_000_000);
    let mut run = |seq: u64, frame: u64| {
        let release = start + Duration::from_nanos(33_333_333 * frame);
        let mut outputs = Outputs::default();
        let done =
            node.step(&Tick { seq, release, now: release, level: 0 }, &Default::default(), &mut outputs);
        (done, outputs)
    };
    let (_, outputs) = run(0, 0);
    let (image, truth) = (&outputs.image.sent()[0], &outputs.truth.sent()[0]);
    assert_eq!(image.header.stamp, truth.header.stamp);
    assert_eq!((image.encoding.as_str(), image.step, image.data.len()), ("mono8", 640, 640 * 480));
    assert_eq!(outputs.signals.sent()[0].speed_kmh, 50.0);
    // Frames 1 to 9 were missed: the tenth frame is what a camera would give now.
    let (_, late) = run(1, 10);
    let mut renderer = Renderer::new(scenario.camera, Quality::Fast);
    let expected = renderer.render(&Script::new(&scenario).shots[10].pose);
    assert_eq!(hash(&late.image.sent()[0].data), hash(&expected.data));
    let (_, after) = run(2, 30);
    assert!(after.image.sent().is_empty(), "after the last frame the camera is silent");
}
