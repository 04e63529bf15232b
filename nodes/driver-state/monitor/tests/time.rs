//! Time as it comes: silences, frames that are late, a camera that begins anew. 50 ms a frame.

mod drive;

use drive::{Drive, NEVER, at, drive};
use troika_monitor::{Alert, Kind::*, Observation, State, Vehicle, Zone};

const EVERY: [&str; 4] = ["euro_ncap", "eu_addw", "eu_ddaw", "perclos"];

fn vehicle(speed_kmh: f32, driver_acted: bool) -> Vehicle {
    Vehicle { speed_kmh: Some(speed_kmh), driver_acted, parked: false }
}

fn seen(ms: u64, state: State, zone: Zone) -> Observation {
    let openness = match state {
        State::Unknown => None,
        State::EyesClosed => Some(0.05),
        _ => Some(0.9),
    };
    Observation { stamp: at(ms), state, zone, openness, nominal: true, vehicle: vehicle(80.0, false) }
}

/// The same frames from `from` to `to`, ms of the drive.
fn show(drive: &mut Drive, from: u64, to: u64, state: State, zone: Zone) {
    (from..to).step_by(50).for_each(|ms| {
        drive.give(&seen(ms, state, zone));
    });
}

// A camera begins anew a hundred seconds back: its clock is another, and what was counted on the old one says nothing on it.

#[test]
fn on_a_new_time_line_each_closure_counts_from_its_begin_there() {
    troika_safety::verifies![SR_DMS_006, SR_DMS_019];
    let mut carla = drive(&["euro_ncap"], 80.0);
    show(&mut carla, 100_000, 101_400, State::EyesClosed, Zone::Unknown);
    show(&mut carla, 0, 6_050, State::EyesClosed, Zone::Unknown);
    assert_eq!(carla.raised(Microsleep), [1_500]);
    assert_eq!(carla.raised(Sleep), [3_000]);
    assert_eq!(carla.raised(Unresponsive), [6_000]);
}

#[test]
fn on_a_new_time_line_glances_count_from_their_begin_there() {
    troika_safety::verifies![SR_DMS_004, SR_DMS_005, SR_DMS_019];
    let mut bodo = drive(&["euro_ncap"], 80.0);
    show(&mut bodo, 100_000, 102_900, State::LookingAway, Zone::Other);
    show(&mut bodo, 0, 3_050, State::LookingAway, Zone::Other);
    assert_eq!(bodo.raised(LongDistraction), [3_000]);
    // Four times 2 s, then the camera begins anew: those are forgotten, and ten seconds there are counted.
    let mut bodo = drive(&["euro_ncap"], 80.0);
    for n in 0..4 {
        show(&mut bodo, 100_000 + 3_000 * n, 102_000 + 3_000 * n, State::LookingAway, Zone::Other);
        show(&mut bodo, 102_000 + 3_000 * n, 103_000 + 3_000 * n, State::Attentive, Zone::Forward);
    }
    for n in 0..5 {
        show(&mut bodo, 3_000 * n, 3_000 * n + 2_000, State::LookingAway, Zone::Other);
        show(&mut bodo, 3_000 * n + 2_000, 3_000 * n + 3_000, State::Attentive, Zone::Forward);
    }
    assert_eq!(bodo.raised(RepeatedGlances), [14_000]);
}

#[test]
fn on_a_new_time_line_a_road_view_is_one_of_two_seconds_there() {
    troika_safety::verifies![SR_DMS_005, SR_DMS_019];
    let mut bodo = drive(&["euro_ncap"], 80.0);
    show(&mut bodo, 100_000, 101_900, State::Attentive, Zone::Forward);
    for n in 0..4 {
        show(&mut bodo, 3_000 * n, 3_000 * n + 1_000, State::Attentive, Zone::Forward);
        show(&mut bodo, 3_000 * n + 1_000, 3_000 * n + 3_000, State::LookingAway, Zone::Other);
    }
    show(&mut bodo, 12_000, 14_050, State::Attentive, Zone::Forward);
    show(&mut bodo, 14_050, 16_100, State::LookingAway, Zone::Other);
    assert_eq!(bodo.raised(RepeatedGlances), NEVER, "forgotten by the road view from 12,000 on");
}

#[test]
fn on_a_new_time_line_blindness_and_drowsiness_are_counted_from_its_begin() {
    troika_safety::verifies![SR_DMS_007, SR_DMS_008, SR_DMS_019];
    let mut emil = drive(&[], 80.0);
    show(&mut emil, 100_000, 104_900, State::Unknown, Zone::Unknown);
    show(&mut emil, 0, 5_050, State::Unknown, Zone::Unknown);
    assert_eq!(emil.raised(MonitoringUnavailable), [5_000]);
    let mut fritz = drive(&["perclos", "eu_ddaw"], 80.0);
    let mut a_minute = |from: u64, cycles: u64| {
        for n in 0..cycles {
            show(&mut fritz, from + 4_000 * n, from + 4_000 * n + 800, State::EyesClosed, Zone::Unknown);
            show(
                &mut fritz,
                from + 4_000 * n + 800,
                from + 4_000 * n + 4_000,
                State::Attentive,
                Zone::Forward,
            );
        }
    };
    a_minute(100_000, 14);
    a_minute(0, 20);
    assert_eq!(fritz.raised(Drowsiness), [60_000, 60_000, 75_000], "two profiles, and the repetition of one");
}

#[test]
fn a_drowsiness_warning_that_is_raised_is_repeated_on_a_new_time_line_too() {
    troika_safety::verifies![SR_DMS_011, SR_DMS_019];
    let mut gerda = drive(&["eu_ddaw"], 80.0);
    let mut cycles = |from: u64, cycles: u64| {
        for n in 0..cycles {
            show(&mut gerda, from + 4_000 * n, from + 4_000 * n + 800, State::EyesClosed, Zone::Unknown);
            show(
                &mut gerda,
                from + 4_000 * n + 800,
                from + 4_000 * n + 4_000,
                State::Attentive,
                Zone::Forward,
            );
        }
    };
    cycles(100_000, 16);
    cycles(0, 16);
    assert_eq!(gerda.raised(Drowsiness), [160_000, 60_000], "once a minute was seen there");
}

#[test]
fn a_first_minute_that_a_camera_began_anew_in_is_one_from_there() {
    troika_safety::verifies![SR_DMS_004, SR_DMS_019];
    let mut bodo = drive(&["euro_ncap"], 0.0);
    let standing =
        Observation { vehicle: vehicle(0.0, false), ..seen(100_000, State::Attentive, Zone::Forward) };
    bodo.give(&standing);
    show(&mut bodo, 100_050, 110_000, State::Attentive, Zone::Forward);
    show(&mut bodo, 0, 64_000, State::LookingAway, Zone::Other);
    assert_eq!(bodo.raised(LongDistraction), [63_000]);
}

#[test]
fn a_frame_that_is_a_second_late_is_a_late_one_and_one_that_is_later_begins_a_time_line() {
    troika_safety::verifies![SR_DMS_019];
    for (back, late, lines) in [(1_000, 1, 0), (1_001, 0, 1)] {
        let mut carla = drive(&["euro_ncap"], 80.0);
        show(&mut carla, 10_000, 12_050, State::Attentive, Zone::Forward);
        carla.give(&seen(12_000 - back, State::Attentive, Zone::Forward));
        let counts = carla.monitor().counts();
        assert_eq!((counts.out_of_order, counts.time_lines), (late, lines), "{back} ms");
    }
}

// The host looks between two frames, and where none comes.

/// What comes of a frame each 250 ms, with or without a look at the time between each two.
fn slowly(frames: &[(u64, State, Zone)], looks: bool) -> Vec<Alert> {
    let mut drive = drive(&EVERY, 80.0);
    let mut ms = 0;
    for (length, state, zone) in frames {
        let end = ms + length;
        while ms < end {
            drive.give(&seen(ms, *state, *zone));
            ms += 250;
            if looks {
                drive.looked(ms - 50, false);
            }
        }
    }
    drive.alerts
}

#[test]
fn a_look_at_the_time_between_two_frames_changes_nothing() {
    troika_safety::verifies![SR_DMS_016, SR_DMS_017];
    let mut frames =
        vec![(4_000, State::EyesClosed, Zone::Unknown), (3_000, State::Attentive, Zone::Forward)];
    for _ in 0..6 {
        frames.push((2_000, State::LookingAway, Zone::Other));
        frames.push((1_000, State::Attentive, Zone::Forward));
    }
    let without = slowly(&frames, false);
    let kinds: Vec<_> = without.iter().map(|alert| alert.kind).collect();
    assert!([Microsleep, Sleep, RepeatedGlances].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    assert_eq!(slowly(&frames, true), without);
}

#[test]
fn a_look_at_an_earlier_time_than_was_told_turns_no_clock_back() {
    troika_safety::verifies![SR_DMS_007];
    let mut emil = drive(&[], 30.0);
    emil.silent(3_000);
    emil.looked(500, false);
    assert_eq!(emil.silent(2_050).raised(MonitoringUnavailable), [5_000]);
}

#[test]
fn an_act_of_the_driver_that_is_told_while_no_frame_comes_is_heard() {
    troika_safety::verifies![SR_DMS_009];
    for after in [50, 2_000] {
        let mut carla = drive(&["euro_ncap"], 80.0);
        show(&mut carla, 0, 6_050, State::EyesClosed, Zone::Unknown);
        assert_eq!(carla.raised(Unresponsive), [6_000]);
        carla.looked(6_000 + after, true);
        show(&mut carla, 8_050, 8_100, State::Attentive, Zone::Forward);
        assert_eq!(carla.cleared(Unresponsive).len(), 1, "told {after} ms after the last frame");
    }
}
