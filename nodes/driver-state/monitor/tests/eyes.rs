//! Closed eyes, no reaction, no sight, drowsiness: as people's situations. 50 ms a frame.

mod drive;

use drive::{NEVER, at, drive};
use troika_kit::Duration;
use troika_monitor::{Kind::*, Observation, State, Vehicle, Zone};
use troika_safety as sr;

// Carla falls asleep.

#[test]
fn carla_closes_her_eyes_and_each_alert_comes_on_its_frame() {
    troika_safety::verifies![SR_DMS_006];
    for (kind, limit) in [(Microsleep, 1500), (Sleep, 3000), (Unresponsive, 6000)] {
        let mut carla = drive(&["euro_ncap"], 80.0);
        carla.road(1000).eyes_closed(limit);
        assert_eq!(carla.raised(kind), NEVER, "{kind:?}: the last frame is 50 ms short of the limit");
        carla.eyes_closed(50);
        assert_eq!(carla.raised(kind), [1000 + limit], "{kind:?}");
        let alert = carla.alerts.iter().find(|alert| alert.kind == kind).expect("raised");
        assert_eq!(alert.requirement, sr::SR_DMS_006);
        assert_eq!(alert.limit, Duration::from_millis(limit));
    }
}

#[test]
fn carla_wakes_one_frame_before_the_limit_and_no_alert_comes() {
    troika_safety::verifies![SR_DMS_006];
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.road(1000).eyes_closed(1500).road(2000);
    assert_eq!(carla.alerts, []);
}

#[test]
fn a_closure_counts_from_the_lids_fall_although_the_state_says_it_a_blink_later() {
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.road(1000);
    // Lids fall at 1000; the state follows at 1400, as it is defined.
    for ms in (1000..2600).step_by(50) {
        let state = if ms < 1400 { State::Attentive } else { State::EyesClosed };
        carla.give(&seen(ms, state, Some(0.1)));
    }
    assert_eq!(carla.raised(Microsleep), [2500]);
}

#[test]
fn a_face_that_is_lost_for_a_moment_while_the_lids_are_down_does_not_make_the_closure_younger() {
    for (lost_ms, raised) in [(200, 2500), (300, 2500), (350, 3050)] {
        let mut carla = drive(&["euro_ncap"], 80.0);
        carla.road(1000);
        // Lids fall at 1000, the face is lost from 1200 on. DriverState bridges 0.3 s, else it begins anew.
        let again = 1200 + lost_ms;
        let closed = if lost_ms <= 300 { 1400.max(again) } else { again + 400 };
        for ms in (1000..3600).step_by(50) {
            let openness = if (1200..again).contains(&ms) { None } else { Some(0.1) };
            let state = match openness {
                None => State::Unknown,
                Some(_) if ms < closed => State::Attentive,
                Some(_) => State::EyesClosed,
            };
            carla.give(&seen(ms, state, openness));
        }
        assert_eq!(carla.raised(Microsleep), [raised], "lost for {lost_ms} ms");
    }
}

#[test]
fn without_an_openness_the_states_own_definition_tells_when_the_closure_began() {
    let mut carla = drive(&["euro_ncap"], 80.0);
    for ms in (0..3000).step_by(50) {
        let state = if ms < 1400 { State::Attentive } else { State::EyesClosed };
        carla.give(&seen(ms, state, None));
    }
    assert_eq!(carla.raised(Microsleep), [2500], "closed since 1000: 0.4 s before the state");
}

#[test]
fn drooping_lids_are_no_closure_and_do_not_make_one_older() {
    let mut carla = drive(&["euro_ncap"], 80.0);
    for ms in (0..20_000).step_by(50) {
        carla.give(&seen(ms, State::Attentive, Some(0.3)));
    }
    assert_eq!(carla.alerts, []);
    for ms in (20_000..22_000).step_by(50) {
        carla.give(&seen(ms, State::EyesClosed, Some(0.1)));
    }
    assert_eq!(carla.raised(Microsleep), [21_000], "at most 0.5 s is taken from before the state");
    assert_eq!(carla.raised(Sleep), NEVER);
}

#[test]
fn a_flutter_of_100_ms_does_not_wake_carla_and_150_ms_do() {
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(1000).road(100).eyes_closed(500);
    assert_eq!(carla.raised(Microsleep), [1500]);
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(1000).road(150).eyes_closed(1500).road(1000);
    assert_eq!(carla.alerts, []);
}

#[test]
fn blinking_is_not_sleeping() {
    let mut carla = drive(&["euro_ncap", "perclos", "eu_ddaw"], 120.0);
    for _ in 0..100 {
        carla.road(2700).eyes_closed(300);
    }
    assert_eq!(carla.alerts, []);
}

#[test]
fn in_a_standing_vehicle_carla_may_sleep() {
    troika_safety::verifies![SR_DMS_006];
    let mut carla = drive(&["euro_ncap", "perclos", "eu_ddaw"], 0.0);
    assert_eq!(carla.eyes_closed(120_000).alerts, []);
}

#[test]
fn carla_asleep_when_the_vehicle_creeps_off_is_timed_from_there() {
    let mut carla = drive(&["euro_ncap"], 0.0);
    carla.eyes_closed(10_000).speed(0.5).eyes_closed(1550);
    assert_eq!(carla.raised(Microsleep), [11_500]);
}

#[test]
fn waking_clears_microsleep_and_sleep_but_never_unresponsive() {
    troika_safety::verifies![SR_DMS_009];
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(6500).road(10_000);
    assert_eq!(carla.cleared(Microsleep), [6650]);
    assert_eq!(carla.cleared(Sleep), [6650]);
    assert_eq!(carla.cleared(Unresponsive), NEVER, "{}: not by a twitch", sr::SR_DMS_009.id());
    carla.speed(0.0).road(5000);
    assert_eq!(carla.cleared(Unresponsive), NEVER, "not by standing either");
    carla.acts().road(50);
    assert_eq!(carla.cleared(Unresponsive), [21_500]);
}

#[test]
fn an_act_before_the_alert_does_not_count_for_it() {
    troika_safety::verifies![SR_DMS_009];
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(6000).acts().eyes_closed(500);
    assert_eq!(carla.raised(Unresponsive), [6000]);
    assert_eq!(carla.cleared(Unresponsive), NEVER);
}

#[test]
fn after_an_act_with_eyes_still_closed_six_seconds_raise_it_again() {
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(7000).acts().eyes_closed(6050);
    assert_eq!(carla.raised(Unresponsive), [6000, 13_000]);
    assert_eq!(carla.cleared(Unresponsive), [7000]);
}

// Dora does not answer a warning.

#[test]
fn dora_does_not_look_back_within_3_seconds_of_the_warning() {
    troika_safety::verifies![SR_DMS_010];
    let mut dora = drive(&["euro_ncap"], 80.0);
    dora.looks(Zone::Other, 6000);
    assert_eq!(dora.raised(LongDistraction), [3000]);
    assert_eq!(dora.raised(Unresponsive), NEVER);
    dora.looks(Zone::Other, 50);
    assert_eq!(dora.raised(Unresponsive), [6000]);
    let alert = dora.alerts.last().expect("raised");
    assert_eq!((alert.requirement, alert.limit), (sr::SR_DMS_010, Duration::from_secs(3)));
}

#[test]
fn dora_looks_back_in_time_and_is_not_unresponsive() {
    troika_safety::verifies![SR_DMS_010];
    let mut dora = drive(&["euro_ncap"], 80.0);
    dora.looks(Zone::Other, 5900).road(1000).looks(Zone::Other, 2000).road(3000);
    assert_eq!(dora.raised(Unresponsive), NEVER);
}

#[test]
fn one_misread_frame_of_road_is_no_answer() {
    let mut dora = drive(&["euro_ncap"], 80.0);
    dora.looks(Zone::Other, 4000).road(50).looks(Zone::Other, 2100);
    assert_eq!(dora.raised(Unresponsive), [6050], "the misread frame's time is not counted either");
}

#[test]
fn a_face_lost_after_the_warning_is_no_evidence_of_anything_but_blindness() {
    let mut dora = drive(&["euro_ncap"], 80.0);
    dora.looks(Zone::Other, 4000).unseen(10_000);
    assert_eq!(dora.raised(Unresponsive), NEVER);
    assert_eq!(dora.raised(MonitoringUnavailable), [9000]);
    assert_eq!(dora.cleared(LongDistraction), NEVER, "nobody saw her look back");
    dora.looks(Zone::Other, 2050);
    assert_eq!(dora.raised(Unresponsive), [16_000], "1 s seen before, 2 s after");
}

// Emil is not seen.

#[test]
fn emil_leans_out_of_sight_for_5_seconds() {
    troika_safety::verifies![SR_DMS_007];
    let mut emil = drive(&[], 30.0);
    emil.road(1000).unseen(5000);
    assert_eq!(emil.alerts, []);
    emil.unseen(50);
    assert_eq!(emil.raised(MonitoringUnavailable), [6000]);
    assert_eq!((&*emil.alerts[0].profile, emil.alerts[0].requirement), ("troika", sr::SR_DMS_007));
    emil.unseen(1000).road(300);
    assert_eq!(emil.cleared(MonitoringUnavailable), NEVER);
    assert_eq!(emil.road(100).cleared(MonitoringUnavailable), [7050 + 350]);
}

#[test]
fn a_face_that_flashes_up_does_not_make_the_monitor_available() {
    let mut emil = drive(&[], 30.0);
    for _ in 0..6 {
        emil.unseen(900).road(100);
    }
    assert_eq!(emil.raised(MonitoringUnavailable), [5000]);
}

#[test]
fn in_a_standing_vehicle_nobody_has_to_be_seen() {
    let mut emil = drive(&[], 0.0);
    emil.unseen(60_000);
    assert_eq!(emil.alerts, []);
    emil.speed(1.0).unseen(5050);
    assert_eq!(emil.raised(MonitoringUnavailable), [65_000]);
}

#[test]
fn eyes_not_seen_are_never_closed_eyes() {
    troika_safety::verifies![SR_DMS_007];
    let mut emil = drive(&["euro_ncap", "perclos", "eu_ddaw"], 120.0);
    emil.eyes_closed(1400).unseen(120_000);
    let kinds: Vec<_> = emil.alerts.iter().map(|alert| alert.kind).collect();
    assert_eq!(kinds, [MonitoringUnavailable]);
}

#[test]
fn a_sleep_alert_stays_while_nothing_is_seen() {
    troika_safety::verifies![SR_DMS_016];
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(3500).unseen(10_000);
    assert_eq!(carla.cleared(Sleep), NEVER);
    assert_eq!(carla.road(200).cleared(Sleep).len(), 1);
}

#[test]
fn up_to_300_ms_without_sight_are_bridged_in_a_closure() {
    troika_safety::verifies![SR_DMS_017];
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(1000).unseen(300).eyes_closed(300);
    assert_eq!(carla.raised(Microsleep), [1500]);
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(1000).unseen(350).eyes_closed(1500);
    assert_eq!(carla.raised(Microsleep), NEVER);
}

#[test]
fn a_camera_that_stops_is_blindness_from_its_last_frame() {
    troika_safety::verifies![SR_DMS_007];
    let mut emil = drive(&["euro_ncap"], 30.0);
    emil.road(1000).silent(5000);
    // The last frame was at 950.
    assert_eq!(emil.raised(MonitoringUnavailable), [5950]);
}

#[test]
fn a_camera_that_never_starts_is_blindness_from_the_first_look() {
    troika_safety::verifies![SR_DMS_007];
    let mut emil = drive(&["euro_ncap"], 30.0);
    emil.silent(5050);
    assert_eq!(emil.raised(MonitoringUnavailable), [5000]);
}

#[test]
fn frames_missing_for_longer_than_the_gap_are_unknown_time() {
    troika_safety::verifies![SR_DMS_017];
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(1000).no_frames(250).eyes_closed(300);
    assert_eq!(carla.raised(Microsleep), [1500], "250 ms and a frame are within the gap");
    assert_eq!(carla.monitor().counts().gaps, 0);
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(1000).no_frames(300).eyes_closed(1500);
    assert_eq!((carla.raised(Microsleep), carla.monitor().counts().gaps), (NEVER.to_vec(), 1));
    let mut emil = drive(&["euro_ncap"], 30.0);
    emil.road(1000).no_frames(6000).unseen(50);
    assert_eq!(emil.raised(MonitoringUnavailable), [7000]);
}

#[test]
fn duplicates_and_late_frames_change_nothing_but_an_act_that_they_carry_is_heard() {
    troika_safety::verifies![SR_DMS_019];
    let mut carla = drive(&["euro_ncap"], 80.0);
    carla.eyes_closed(6050);
    let before = carla.alerts.len();
    let acted = Vehicle { speed_kmh: Some(80.0), driver_acted: true, parked: false };
    carla.give(&seen(6000, State::Attentive, Some(0.9)));
    carla.give(&Observation { vehicle: acted, ..seen(5900, State::Attentive, Some(0.9)) });
    assert_eq!(carla.alerts.len(), before);
    let counts = carla.monitor().counts();
    assert_eq!((counts.duplicates, counts.out_of_order), (1, 1));
    carla.eyes_closed(50);
    assert_eq!(carla.cleared(Unresponsive), [6050]);
}

#[test]
fn a_clock_that_jumps_back_starts_a_new_time_line_and_keeps_what_is_raised() {
    troika_safety::verifies![SR_DMS_019];
    let mut carla = drive(&["euro_ncap"], 80.0);
    for ms in (100_000..106_100).step_by(50) {
        carla.give(&seen(ms, State::EyesClosed, Some(0.0)));
    }
    assert_eq!(carla.raised(Unresponsive), [106_000]);
    for ms in (0..1_000).step_by(50) {
        carla.give(&seen(ms, State::Attentive, Some(0.9)));
    }
    assert_eq!(carla.monitor().counts().time_lines, 1);
    assert_eq!(carla.cleared(Sleep).len(), 1);
    assert_eq!(carla.cleared(Unresponsive), NEVER);
}

// Hanna is awake.

#[test]
fn hanna_drives_attentively_for_an_hour_and_hears_nothing() {
    troika_safety::verifies![SR_DMS_018];
    let mut hanna = drive(&["euro_ncap", "eu_addw", "eu_ddaw", "perclos"], 100.0);
    let glances = [Zone::RearMirror, Zone::Cluster, Zone::LeftMirror, Zone::RightMirror, Zone::Other];
    for minute in 0..60 {
        for second in 0..12 {
            hanna.road(1900).eyes_closed(150).road(2050);
            hanna.looks(glances[(minute + second) % glances.len()], 900);
        }
        hanna.unseen(200);
    }
    assert!(hanna.now() > 3_600_000);
    assert_eq!(hanna.alerts, []);
}

#[test]
fn eyes_that_are_not_seen_on_a_face_that_is_are_told_after_5_s_and_neither_end_a_sleep_nor_are_one() {
    troika_safety::verifies![SR_DMS_007, SR_DMS_016];
    let mut kofi = drive(&["euro_ncap"], 80.0);
    kofi.road(1000);
    for ms in (1000..8000).step_by(50) {
        kofi.give(&seen(ms, State::Attentive, None));
    }
    assert_eq!(kofi.raised(MonitoringUnavailable), [6000]);
    assert_eq!((kofi.raised(Microsleep), kofi.raised(Sleep)), (NEVER.to_vec(), NEVER.to_vec()));
    for ms in (8000..8500).step_by(50) {
        kofi.give(&seen(ms, State::Attentive, Some(0.9)));
    }
    assert_eq!(kofi.cleared(MonitoringUnavailable).len(), 1);

    let mut mei = drive(&["euro_ncap"], 80.0);
    mei.road(1000).eyes_closed(4000);
    assert_eq!(mei.raised(Sleep), [4000]);
    for ms in (5000..9000).step_by(50) {
        mei.give(&seen(ms, State::Attentive, None));
    }
    assert_eq!(mei.cleared(Sleep), NEVER, "a hand before the eyes is no waking");
    for ms in (9000..9500).step_by(50) {
        mei.give(&seen(ms, State::Attentive, Some(0.9)));
    }
    assert_eq!(mei.cleared(Sleep).len(), 1);
}

fn seen(ms: u64, state: State, openness: Option<f32>) -> Observation {
    Observation {
        stamp: at(ms),
        state,
        zone: Zone::Unknown,
        openness,
        nominal: true,
        vehicle: Vehicle { speed_kmh: Some(80.0), driver_acted: false, parked: false },
    }
}
