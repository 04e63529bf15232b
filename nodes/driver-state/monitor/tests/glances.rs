//! Long glances and glances that add up, as people's situations. 50 ms a frame.

mod drive;

use drive::{NEVER, drive};
use troika_kit::Duration;
use troika_monitor::{Kind::*, Phase, Zone};
use troika_safety as sr;

const RULE: &str = "the alert carries its rule's requirement";

// Anna reads her phone on the lap.

#[test]
fn anna_reads_for_3450_ms_at_50_kmh_and_hears_nothing_then_one_frame_more_and_is_warned() {
    troika_safety::verifies![SR_DMS_002];
    let mut anna = drive(&["eu_addw"], 50.0);
    anna.road(1000).looks(Zone::Area3, 3500);
    // The first frame on the lap is at 1000; the one at 4450 is 3450 ms into the glance.
    assert_eq!(anna.raised(LongDistraction), NEVER);
    anna.looks(Zone::Area3, 50);
    assert_eq!(anna.raised(LongDistraction), [4500]);
    let alert = &anna.alerts[0];
    assert_eq!((&*alert.profile, alert.zone), ("eu_addw", Zone::Area3));
    assert_eq!((alert.elapsed, alert.limit), (Duration::from_millis(3500), Duration::from_millis(3500)));
    assert_eq!((alert.speed_kmh, alert.requirement), (Some(50.0), sr::SR_DMS_002), "{RULE}");
    anna.looks(Zone::Area3, 5000);
    assert_eq!(anna.raised(LongDistraction).len(), 1, "once a glance");
}

#[test]
fn anna_has_6_seconds_just_below_50_kmh_and_from_20_kmh() {
    troika_safety::verifies![SR_DMS_002];
    for speed in [20.0, 49.9] {
        let mut anna = drive(&["eu_addw"], speed);
        anna.road(1000).looks(Zone::Area3, 6000);
        assert_eq!(anna.raised(LongDistraction), NEVER);
        assert_eq!(anna.looks(Zone::Area3, 50).raised(LongDistraction), [7000]);
    }
}

#[test]
fn below_20_kmh_anna_is_never_warned() {
    troika_safety::verifies![SR_DMS_003];
    let mut anna = drive(&["eu_addw"], 19.9);
    assert_eq!(anna.looks(Zone::Area3, 60_000).alerts, [], "{}", sr::SR_DMS_003.id());
}

#[test]
fn a_glance_that_ends_in_the_last_frame_before_the_limit_is_no_alert() {
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.road(1000).looks(Zone::Area3, 3500).road(3000);
    assert_eq!(anna.alerts, []);
}

#[test]
fn looking_up_for_300_ms_does_not_start_the_glance_over_and_350_ms_does() {
    troika_safety::verifies![SR_DMS_002];
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.looks(Zone::Area3, 2000).road(300).looks(Zone::Area3, 3000);
    assert_eq!(anna.raised(LongDistraction), [3500]);
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.looks(Zone::Area3, 2000).road(350).looks(Zone::Area3, 3600);
    assert_eq!(anna.raised(LongDistraction), [2350 + 3500]);
}

#[test]
fn the_limit_falls_into_a_bridged_excursion_and_the_alert_comes_with_the_gaze_back_on_the_lap() {
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.looks(Zone::Area3, 3400).road(200).looks(Zone::Area3, 200);
    assert_eq!(anna.raised(LongDistraction), [3600], "not at 3500, where she looks at the road");
}

#[test]
fn a_warning_ends_once_the_gaze_has_left_for_more_than_the_bridge() {
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.looks(Zone::Area3, 4000).road(300).looks(Zone::Area3, 100).road(1000);
    assert_eq!(anna.raised(LongDistraction), [3500]);
    assert_eq!(anna.cleared(LongDistraction), [4400 + 350]);
    let cleared = anna.alerts.last().expect("cleared");
    assert_eq!(cleared.elapsed, Duration::from_millis(4750), "how long it held in all");
}

#[test]
fn anna_speeds_up_over_50_kmh_mid_glance_and_the_stricter_limit_counts_from_there() {
    troika_safety::verifies![SR_DMS_002];
    // 1 s at 40 km/h, then 3.5 s at 60: at 4.5 s, before the looser limit at 6.0 s.
    let mut anna = drive(&["eu_addw"], 40.0);
    anna.looks(Zone::Area3, 1000).speed(60.0).looks(Zone::Area3, 6000);
    assert_eq!(anna.raised(LongDistraction), [4500]);
    assert_eq!(anna.alerts[0].limit, Duration::from_millis(3500));
}

#[test]
fn crossing_late_never_makes_the_alert_later_than_the_looser_limit_from_the_start() {
    let mut anna = drive(&["eu_addw"], 40.0);
    anna.looks(Zone::Area3, 4000).speed(60.0).looks(Zone::Area3, 6000);
    assert_eq!(anna.raised(LongDistraction), [6000]);
    assert_eq!(anna.alerts[0].limit, Duration::from_millis(6000));
}

#[test]
fn anna_slows_below_50_kmh_mid_glance_and_has_the_looser_limit_from_the_start() {
    let mut anna = drive(&["eu_addw"], 60.0);
    anna.looks(Zone::Area3, 3000).speed(40.0).looks(Zone::Area3, 6000);
    assert_eq!(anna.raised(LongDistraction), [6000]);
}

#[test]
fn slowing_below_20_kmh_ends_the_warning_and_the_time_there_does_not_count() {
    let mut anna = drive(&["eu_addw"], 30.0);
    anna.looks(Zone::Area3, 6500).speed(15.0).looks(Zone::Area3, 5000).speed(30.0).looks(Zone::Area3, 6050);
    assert_eq!(anna.raised(LongDistraction), [6000, 11_500 + 6000]);
    assert_eq!(anna.cleared(LongDistraction), [6500]);
}

#[test]
fn behind_sunglasses_anna_is_warned_1500_ms_later() {
    troika_safety::verifies![SR_DMS_014];
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.sunglasses(true).looks(Zone::Area3, 5000);
    assert_eq!(anna.alerts, []);
    anna.looks(Zone::Area3, 50);
    assert_eq!(anna.raised(LongDistraction), [5000]);
    assert_eq!(anna.alerts[0].limit, Duration::from_millis(5000));
}

#[test]
fn sunglasses_taken_off_mid_glance_bring_the_nominal_limit_at_once() {
    troika_safety::verifies![SR_DMS_014];
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.sunglasses(true).looks(Zone::Area3, 4200).sunglasses(false).looks(Zone::Area3, 100);
    assert_eq!(anna.raised(LongDistraction), [4200]);
}

#[test]
fn a_gaze_to_the_roof_is_timed_apart_from_the_lap_and_the_alert_names_it() {
    let mut anna = drive(&["eu_addw"], 80.0);
    anna.looks(Zone::Area3, 3000).looks(Zone::Area1, 3550);
    assert_eq!(anna.raised(LongDistraction), [6500]);
    assert_eq!(anna.alerts[0].zone, Zone::Area1);
}

#[test]
fn mirrors_and_cluster_are_no_matter_of_eu_addw() {
    let mut anna = drive(&["eu_addw"], 130.0);
    for zone in [Zone::LeftMirror, Zone::RightMirror, Zone::RearMirror, Zone::Cluster, Zone::Other] {
        anna.looks(zone, 20_000);
    }
    assert_eq!(anna.alerts, []);
}

// Bodo looks at the touch screen, at mirrors, at his passenger.

#[test]
fn bodo_looks_at_the_screen_for_3_seconds_from_20_kmh() {
    troika_safety::verifies![SR_DMS_004];
    let mut bodo = drive(&["euro_ncap"], 20.0);
    bodo.road(1000).looks(Zone::Other, 3000);
    assert_eq!(bodo.raised(LongDistraction), NEVER);
    assert_eq!(bodo.looks(Zone::Other, 50).raised(LongDistraction), [4000]);
    assert_eq!((bodo.alerts[0].requirement, bodo.alerts[0].limit), (sr::SR_DMS_004, Duration::from_secs(3)));
}

#[test]
fn bodo_has_4_seconds_in_each_mirror_and_the_cluster() {
    troika_safety::verifies![SR_DMS_004];
    for zone in [Zone::LeftMirror, Zone::RightMirror, Zone::RearMirror, Zone::Cluster] {
        let mut bodo = drive(&["euro_ncap"], 100.0);
        bodo.road(1000).looks(zone, 4000);
        assert_eq!(bodo.raised(LongDistraction), NEVER, "{zone:?}");
        assert_eq!(bodo.looks(zone, 50).raised(LongDistraction), [5000], "{zone:?}");
        assert_eq!(bodo.alerts[0].limit, Duration::from_secs(4));
    }
}

#[test]
fn a_glance_from_mirror_to_screen_is_one_glance_with_one_free_second() {
    let mut bodo = drive(&["euro_ncap"], 100.0);
    bodo.looks(Zone::LeftMirror, 500).looks(Zone::Other, 4000);
    assert_eq!(bodo.raised(LongDistraction), [3500]);
    let mut bodo = drive(&["euro_ncap"], 100.0);
    bodo.looks(Zone::LeftMirror, 2000).looks(Zone::Other, 4000);
    assert_eq!(bodo.raised(LongDistraction), [4000]);
}

#[test]
fn bodo_passes_over_the_road_for_100_ms_and_it_is_still_one_glance() {
    let mut bodo = drive(&["euro_ncap"], 100.0);
    bodo.looks(Zone::Other, 1500).road(100).looks(Zone::Other, 1500);
    assert_eq!(bodo.raised(LongDistraction), [3000]);
    let mut bodo = drive(&["euro_ncap"], 100.0);
    bodo.looks(Zone::Other, 1500).road(150).looks(Zone::Other, 3000).road(1000);
    assert_eq!(bodo.raised(LongDistraction), NEVER);
}

#[test]
fn a_glance_is_measured_from_10_kmh_and_warned_of_from_20_kmh() {
    let mut bodo = drive(&["euro_ncap"], 9.9);
    bodo.speed(10.0).looks(Zone::Other, 5000);
    assert_eq!(bodo.alerts, []);
    bodo.speed(19.9).looks(Zone::Other, 500).speed(20.0).looks(Zone::Other, 50);
    assert_eq!(bodo.raised(LongDistraction), [5500], "measured since 0");
    let mut bodo = drive(&["euro_ncap"], 20.0);
    bodo.road(50).speed(9.9).looks(Zone::Other, 5000).speed(20.0).looks(Zone::Other, 3050);
    assert_eq!(bodo.raised(LongDistraction), [5050 + 3000], "not measured below 10 km/h");
}

#[test]
fn in_the_first_minute_of_a_trip_glances_are_not_measured() {
    let mut bodo = drive(&["euro_ncap"], 0.0);
    // From 10 km/h at 1000; the minute is over at 61,000.
    bodo.road(1000).speed(30.0).looks(Zone::Other, 60_000);
    assert_eq!(bodo.alerts, []);
    bodo.looks(Zone::Other, 4000);
    assert_eq!(bodo.raised(LongDistraction), [61_000 + 3000]);
}

#[test]
fn a_red_light_does_not_begin_the_first_minute_again_and_parking_does() {
    let mut bodo = drive(&["euro_ncap"], 50.0);
    bodo.road(1000).speed(0.0).road(20_000).speed(50.0).looks(Zone::Other, 3050);
    assert_eq!(bodo.raised(LongDistraction), [24_000]);
    bodo.road(1000).speed(0.0).parked(true).road(1000).parked(false).speed(50.0).looks(Zone::Other, 10_000);
    assert_eq!(bodo.raised(LongDistraction).len(), 1);
}

#[test]
fn bodo_glances_5_times_2_seconds_with_1_second_of_road_between() {
    troika_safety::verifies![SR_DMS_005];
    let mut bodo = drive(&["euro_ncap"], 80.0);
    for _ in 0..5 {
        bodo.looks(Zone::Other, 2000).road(1000);
    }
    // The tenth second away ends at 14,000.
    assert_eq!(bodo.raised(RepeatedGlances), [14_000]);
    assert_eq!(bodo.alerts[0].requirement, sr::SR_DMS_005);
    assert_eq!(bodo.raised(LongDistraction), NEVER);
    bodo.road(900);
    assert_eq!(bodo.cleared(RepeatedGlances), NEVER);
    assert_eq!(bodo.road(200).cleared(RepeatedGlances), [16_000], "2 s of road view");
}

#[test]
fn one_frame_less_than_10_seconds_in_sum_is_no_alert() {
    troika_safety::verifies![SR_DMS_005];
    let mut bodo = drive(&["euro_ncap"], 80.0);
    for _ in 0..4 {
        bodo.looks(Zone::Other, 2000).road(1000);
    }
    bodo.looks(Zone::Other, 1950).road(3000);
    assert_eq!(bodo.alerts, []);
}

#[test]
fn two_seconds_of_road_view_forget_the_glances_and_1950_ms_do_not() {
    troika_safety::verifies![SR_DMS_005];
    for (road, alerts) in [(2050, 0), (1950, 1)] {
        let mut bodo = drive(&["euro_ncap"], 80.0);
        for _ in 0..4 {
            bodo.looks(Zone::Other, 2000).road(1000);
        }
        bodo.road(road - 1000).looks(Zone::Other, 2050);
        assert_eq!(bodo.raised(RepeatedGlances).len(), alerts, "{road} ms");
    }
}

#[test]
fn glances_older_than_30_seconds_do_not_count() {
    troika_safety::verifies![SR_DMS_005];
    // 850 ms in every 2750 ms are at most 9.35 s of any 30 s, however long it goes on; 1050 ms in 2950 ms are 10.95 s.
    let mut bodo = drive(&["euro_ncap"], 80.0);
    for _ in 0..60 {
        bodo.looks(Zone::Other, 850).road(1900);
    }
    assert_eq!(bodo.alerts, []);
    let mut bodo = drive(&["euro_ncap"], 80.0);
    for _ in 0..60 {
        bodo.looks(Zone::Other, 1050).road(1900);
    }
    assert_eq!(bodo.raised(RepeatedGlances).len(), 1);
}

#[test]
fn two_profiles_warn_each_in_its_own_name() {
    troika_safety::verifies![SR_DMS_001];
    let mut anna = drive(&["euro_ncap", "eu_addw"], 80.0);
    anna.looks(Zone::Area3, 3600);
    let names: Vec<_> = anna.alerts.iter().map(|alert| (&*alert.profile, alert.limit.as_millis())).collect();
    assert_eq!(names, [("euro_ncap", 3000), ("eu_addw", 3500)], "{}", sr::SR_DMS_001.id());
    let raised: Vec<_> = anna.monitor().raised().collect();
    assert_eq!(raised, [("euro_ncap", LongDistraction), ("eu_addw", LongDistraction)]);
    assert!(anna.alerts.iter().all(|alert| alert.phase == Phase::Raised));
}

#[test]
fn with_the_signals_lost_the_strictest_limit_counts_and_no_speed_is_named() {
    troika_safety::verifies![SR_DMS_013];
    let mut anna = drive(&["eu_addw"], 0.0);
    anna.looks(Zone::Area3, 10_000).signals_lost().looks(Zone::Area3, 3550);
    assert_eq!(anna.raised(LongDistraction), [13_500]);
    assert_eq!(anna.alerts[0].speed_kmh, None);
}

#[test]
fn a_warning_of_glances_that_add_up_ends_below_20_kmh_and_begins_at_20() {
    troika_safety::verifies![SR_DMS_005];
    let mut bodo = drive(&["euro_ncap"], 80.0);
    for _ in 0..5 {
        bodo.looks(Zone::Other, 2000).road(1000);
    }
    bodo.speed(19.9).road(50);
    assert_eq!(bodo.cleared(RepeatedGlances), [15_000]);
    // Ten seconds at 15 km/h are measured, and told where 20 km/h are reached.
    let mut bodo = drive(&["euro_ncap"], 15.0);
    for _ in 0..6 {
        bodo.looks(Zone::Other, 2000).road(1000);
    }
    assert_eq!(bodo.alerts, []);
    bodo.speed(20.0).looks(Zone::Other, 50);
    assert_eq!(bodo.raised(RepeatedGlances), [18_000]);
}

#[test]
fn in_the_first_minute_glances_do_not_add_up_either_and_a_lost_signal_does_not_shorten_it() {
    troika_safety::verifies![SR_DMS_005, SR_DMS_013];
    let mut bodo = drive(&["euro_ncap"], 0.0);
    bodo.road(1000).speed(30.0).road(1000).signals_lost();
    for _ in 0..19 {
        bodo.looks(Zone::Other, 2000).road(1000);
    }
    assert_eq!(bodo.alerts, [], "until 59,000");
    bodo.road(3000).looks(Zone::Other, 3050);
    assert_eq!(bodo.raised(LongDistraction), [65_000], "the minute is over at 61,000");
    // A trip that was under way when the signals were first heard of is past its first minute.
    let mut bodo = drive(&["euro_ncap"], 0.0);
    bodo.signals_lost().looks(Zone::Other, 3050);
    assert_eq!(bodo.raised(LongDistraction), [3000]);
}

#[test]
fn a_look_back_of_no_more_than_the_bridge_is_no_answer_to_a_warning() {
    troika_safety::verifies![SR_DMS_010];
    // At 4000, 4050 and 4100 the road: 100 ms, as long as is bridged. One frame more is an answer.
    for (road, raised) in [(150, vec![6150]), (200, vec![])] {
        let mut dora = drive(&["euro_ncap"], 80.0);
        dora.looks(Zone::Other, 4000).road(road).looks(Zone::Other, 2200);
        assert_eq!(dora.raised(Unresponsive), raised, "{road} ms of road");
    }
}
