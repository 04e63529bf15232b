//! What belongs here: drives made by hand whose answer can be read from the table.

use super::{Expectation, Reading, expectations};
use crate::drive::{Drive, FRAME, Show};
use crate::interval::IntervalSet;
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Kind, Profile, Zone};

const ADDW: (Profile, Kind) = (Profile::EuAddw, Kind::LongDistraction);
const LONG: (Profile, Kind) = (Profile::EuroNcap, Kind::LongDistraction);
const REPEATED: (Profile, Kind) = (Profile::EuroNcap, Kind::RepeatedGlances);
const PHONE: (Profile, Kind) = (Profile::EuroNcap, Kind::PhoneUse);
const MICROSLEEP: (Profile, Kind) = (Profile::EuroNcap, Kind::Microsleep);
const SLEEP: (Profile, Kind) = (Profile::EuroNcap, Kind::Sleep);
const UNRESPONSIVE: (Profile, Kind) = (Profile::EuroNcap, Kind::Unresponsive);
const UNAVAILABLE: (Profile, Kind) = (Profile::Troika, Kind::MonitoringUnavailable);
const PERCLOS: (Profile, Kind) = (Profile::Perclos, Kind::Drowsiness);
const DDAW: (Profile, Kind) = (Profile::EuDdaw, Kind::Drowsiness);

fn of(drive: &Drive, (profile, kind): (Profile, Kind)) -> Expectation {
    let found = expectations(&drive.trace(), &Reading::default())
        .into_iter()
        .find(|e| e.profile == profile && e.kind == kind);
    found.expect("every profile is on")
}

/// When an alert may first be raised and when it is first due, counted from `start`; -1 for never.
fn limits(drive: &Drive, key: (Profile, Kind), start: Ns) -> (Ns, Ns) {
    let expected = of(drive, key);
    let first = |set: &IntervalSet| set.runs().first().map_or(-MS, |run| run.from - start);
    (first(&expected.allowed) / MS, first(&expected.required) / MS)
}

/// Ben has driven for more than a minute.
fn ben(speed: f32) -> Drive {
    let mut ben = Drive::of("Ben", speed);
    ben.road(61 * SECOND);
    ben
}

/// A look into the lap of this length after two seconds of road.
fn lap(speed: f32, length: Ns) -> Drive {
    let mut ada = Drive::of("Ada", speed);
    ada.road(2 * SECOND).lap(length).road(2 * SECOND);
    ada
}

const START: Ns = 2 * SECOND;
const NEVER: Ns = -1;

#[test]
fn a_look_into_the_lap_is_due_at_3_5_s_from_50_kmh_on_and_at_6_s_from_20_kmh_on() {
    assert_eq!(limits(&lap(50.0, 8 * SECOND), ADDW, START), (3_500, 3_500));
    assert_eq!(limits(&lap(49.9, 8 * SECOND), ADDW, START), (6_000, 6_000));
    assert_eq!(limits(&lap(20.0, 8 * SECOND), ADDW, START), (6_000, 6_000));
    assert_eq!(limits(&lap(19.9, 8 * SECOND), ADDW, START), (NEVER, NEVER));
    assert_eq!(limits(&lap(50.0, 3 * SECOND), ADDW, START), (NEVER, NEVER));
}

#[test]
fn a_glance_that_ends_on_the_limit_is_left_open_by_one_frame() {
    // Two frames have to see the limit passed before an alert is due.
    let due_frames = |length: Ns| {
        let drive = lap(50.0, length);
        of(&drive, ADDW).required.measure(crate::interval::Interval::new(0, drive.now())) / FRAME
    };
    assert_eq!(due_frames(3_500 * MS), 0);
    assert_eq!(due_frames(3_500 * MS + 2 * FRAME), 2);
}

#[test]
fn roof_and_far_sideways_are_treated_like_the_lap() {
    let mut ada = Drive::of("Ada", 80.0);
    ada.road(START).show(Show::At(Zone::Area1), 5 * SECOND).road(SECOND);
    assert_eq!(limits(&ada, ADDW, START), (3_500, 3_500));
    let mut eve = Drive::of("Eve", 80.0);
    eve.road(START).show(Show::At(Zone::Other), 9 * SECOND).road(SECOND);
    assert_eq!(limits(&eve, ADDW, START), (NEVER, NEVER));
}

fn crossing(from: f32, at: Ns, to: f32) -> (Ns, Ns) {
    let mut carl = Drive::of("Carl", from);
    carl.road(START).lap(at).speed(to).lap(12 * SECOND - at).road(SECOND);
    limits(&carl, ADDW, START)
}

#[test]
fn crossing_50_kmh_upwards_gives_the_stricter_limit_from_there_but_never_more_than_the_looser_one() {
    assert_eq!(crossing(49.9, SECOND, 50.0), (4_500, 4_500));
    assert_eq!(crossing(49.9, 2 * SECOND, 50.0), (5_500, 5_500));
    assert_eq!(crossing(49.9, 3 * SECOND, 50.0), (6_000, 6_000));
}

#[test]
fn crossing_50_kmh_downwards_is_due_at_the_looser_limit_and_open_from_the_letter_of_the_rule_on() {
    assert_eq!(crossing(50.0, SECOND, 49.9), (4_500, 6_000));
    assert_eq!(crossing(50.0, 3 * SECOND, 49.9), (6_000, 6_000));
}

#[test]
fn a_glance_that_began_below_20_kmh_is_due_from_the_crossing_and_open_from_its_start() {
    assert_eq!(crossing(19.9, 3 * SECOND, 20.0), (6_000, 9_000));
    assert_eq!(crossing(15.0, 3 * SECOND, 60.0), (6_000, 6_500));
}

fn interrupted(show: Show, length: Ns) -> (Ns, Ns) {
    let mut dora = Drive::of("Dora", 90.0);
    dora.road(START).lap(2 * SECOND).show(show, length).lap(6 * SECOND).road(SECOND);
    limits(&dora, ADDW, START)
}

#[test]
fn excursions_out_of_the_area_are_bridged_up_to_0_3_s() {
    let road = Show::At(Zone::Forward);
    assert_eq!(interrupted(road, 200 * MS), (3_500, 3_500));
    assert_eq!(interrupted(road, 280 * MS), (3_500, 3_500));
    // Open by one frame.
    assert_eq!(interrupted(road, 300 * MS), (3_500, 5_800));
    assert_eq!(interrupted(road, 360 * MS), (5_860, 5_860));
    assert_eq!(interrupted(Show::At(Zone::Cluster), 200 * MS), (3_500, 3_500));
}

#[test]
fn a_short_look_into_the_area_need_not_begin_a_glance() {
    let mut dora = Drive::of("Dora", 90.0);
    dora.road(START).lap(200 * MS).road(200 * MS).lap(6 * SECOND).road(SECOND);
    assert_eq!(limits(&dora, ADDW, START), (3_500, 3_900));
}

#[test]
fn unknown_inside_a_glance_may_be_bridged_up_to_0_3_s_and_begins_it_anew_beyond() {
    assert_eq!(interrupted(Show::Lost, 200 * MS), (3_500, 5_700));
    assert_eq!(interrupted(Show::Lost, 400 * MS), (5_900, 5_900));
    assert_eq!(interrupted(Show::Lost, 2 * SECOND), (7_500, 7_500));
}

#[test]
fn a_blink_does_not_interrupt_a_glance_and_a_longer_closure_may() {
    assert_eq!(interrupted(Show::Blink(Zone::Area3), 380 * MS), (3_500, 3_500));
    assert_eq!(interrupted(Show::Shut, SECOND), (3_500, 6_500));
}

#[test]
fn sensing_that_is_not_nominal_gives_1_5_s_more() {
    let poor = |from: Ns, until: Ns| {
        let mut finn = Drive::of("Finn with sunglasses", 90.0);
        finn.road(START)
            .lap(from)
            .sensing(false)
            .lap(until - from)
            .sensing(true)
            .lap(9 * SECOND - until)
            .road(SECOND);
        limits(&finn, ADDW, START)
    };
    assert_eq!(poor(0, 9 * SECOND), (5_000, 5_000));
    assert_eq!(poor(2 * SECOND, 9 * SECOND), (3_500, 5_000));
    assert_eq!(poor(0, 4 * SECOND), (4_000, 5_000));
    assert_eq!(poor(5 * SECOND, 9 * SECOND), (3_500, 3_500));
}

#[test]
fn a_glance_alert_is_over_once_the_gaze_is_out_for_longer_than_an_excursion() {
    let expected = of(&lap(50.0, 5 * SECOND), ADDW);
    let out = START + 5 * SECOND;
    assert_eq!(expected.over.first_from(START + SECOND), Some(out + 300 * MS + 1));
    assert_eq!(expected.required.runs().last().map(|run| run.until), Some(out));
}

fn ncap(zone: Zone, speed: f32, length: Ns) -> (Ns, Ns) {
    let mut ben = ben(speed);
    let start = ben.now();
    ben.show(Show::At(zone), length).road(3 * SECOND);
    limits(&ben, LONG, start)
}

#[test]
fn euro_ncap_warns_at_3_s_for_non_driving_targets_and_at_4_s_for_mirrors_and_cluster() {
    assert_eq!(ncap(Zone::Area3, 60.0, 5 * SECOND), (3_000, 3_000));
    assert_eq!(ncap(Zone::Area1, 20.0, 5 * SECOND), (3_000, 3_000));
    assert_eq!(ncap(Zone::Other, 60.0, 5 * SECOND), (3_000, 3_000));
    assert_eq!(ncap(Zone::LeftMirror, 60.0, 5 * SECOND), (4_000, 4_000));
    assert_eq!(ncap(Zone::Cluster, 60.0, 5 * SECOND), (4_000, 4_000));
    assert_eq!(ncap(Zone::Cluster, 60.0, 3_900 * MS), (NEVER, NEVER));
    assert_eq!(ncap(Zone::Area3, 19.9, 5 * SECOND), (NEVER, NEVER));
}

#[test]
fn nothing_is_due_in_the_first_minute() {
    let mut gina = Drive::of("Gina, just off", 60.0);
    gina.road(10 * SECOND).lap(5 * SECOND).road(SECOND);
    assert_eq!(limits(&gina, LONG, 10 * SECOND), (3_000, NEVER));
}

#[test]
fn a_return_to_the_road_of_a_tenth_of_a_second_ends_a_euro_ncap_glance() {
    let mut ben = ben(60.0);
    let start = ben.now();
    ben.lap(2 * SECOND).road(100 * MS).lap(4 * SECOND).road(3 * SECOND);
    assert_eq!(limits(&ben, LONG, start), (5_100, 5_100));
}

#[test]
fn one_glance_over_mirror_and_lap_is_due_at_the_latest_after_4_s() {
    let both = |mirror: Ns, lap: Ns| {
        let mut ben = ben(60.0);
        let start = ben.now();
        ben.show(Show::At(Zone::RightMirror), mirror).lap(lap).road(3 * SECOND);
        limits(&ben, LONG, start)
    };
    assert_eq!(both(500 * MS, 5 * SECOND), (3_000, 3_500));
    assert_eq!(both(2 * SECOND, 5 * SECOND), (3_000, 4_000));
    assert_eq!(both(3_400 * MS, 5 * SECOND), (3_400, 4_000));
}

/// Glances of 1.9 s with this much road between them.
fn glances(count: usize, road: Ns) -> Drive {
    let mut hugo = ben(60.0);
    for _ in 0..count {
        hugo.lap(1_900 * MS).road(road);
    }
    hugo.road(3 * SECOND);
    hugo
}

#[test]
fn glances_add_up_to_10_s_within_30_s() {
    // Five make 9.5 s; half a second of the sixth is missing.
    let sixth = 5 * (1_900 + 1_500) + 500;
    assert_eq!(limits(&glances(7, 1_500 * MS), REPEATED, 61 * SECOND), (sixth, sixth));
    assert_eq!(limits(&glances(5, 1_500 * MS), REPEATED, 61 * SECOND), (NEVER, NEVER));
}

#[test]
fn two_seconds_of_road_begin_the_sum_anew() {
    assert_eq!(limits(&glances(9, 2_100 * MS), REPEATED, 61 * SECOND), (NEVER, NEVER));
    let (may, must) = limits(&glances(9, 1_900 * MS), REPEATED, 61 * SECOND);
    assert_eq!((may, must), (19_500, 19_500));
}

#[test]
fn glances_older_than_30_s_do_not_count() {
    // 0.9 s in every 2.8 s: at no time are 10 s in 30 s.
    let mut ida = ben(60.0);
    for _ in 0..20 {
        ida.lap(900 * MS).road(1_900 * MS);
    }
    assert_eq!(limits(&ida, REPEATED, 0), (NEVER, NEVER));
}

#[test]
fn the_sum_of_glances_is_over_after_two_seconds_of_road() {
    let drive = glances(7, 1_500 * MS);
    let expected = of(&drive, REPEATED);
    let last_road = 61 * SECOND + 7 * 3_400 * MS - 1_500 * MS;
    assert_eq!(expected.over.first_from(70 * SECOND), Some(last_road + 2 * SECOND));
    assert!(expected.required.contains(last_road + 1_900 * MS), "still up on the road before that");
}

#[test]
fn mirrors_may_or_may_not_count_among_repeated_glances() {
    let mut ben = ben(60.0);
    for _ in 0..8 {
        ben.show(Show::At(Zone::LeftMirror), 1_900 * MS).road(1_500 * MS);
    }
    assert_eq!(limits(&ben, REPEATED, 61 * SECOND), (17_500, NEVER));
}

#[test]
fn phone_use_cannot_be_seen_in_these_inputs_and_is_never_due() {
    let mut ben = ben(60.0);
    ben.lap(5 * SECOND).road(3 * SECOND);
    assert_eq!(limits(&ben, PHONE, 61 * SECOND), (3_000, NEVER));
}

/// Karl's eyes close for this long, as the camera tells it: a blink first, then closed.
fn karl(speed: f32, length: Ns) -> Drive {
    let mut karl = Drive::of("Karl", speed);
    let blink = length.min(400 * MS);
    karl.road(START)
        .show(Show::Blink(Zone::Forward), blink)
        .show(Show::Shut, length - blink)
        .road(2 * SECOND);
    karl
}

#[test]
fn closed_eyes_count_from_the_lids_and_not_from_the_end_of_a_blink() {
    let drive = karl(60.0, 8 * SECOND);
    assert_eq!(limits(&drive, MICROSLEEP, START), (1_500, 1_500));
    assert_eq!(limits(&drive, SLEEP, START), (3_000, 3_000));
    assert_eq!(limits(&drive, UNRESPONSIVE, START), (6_000, 6_000));
    assert_eq!(limits(&karl(60.0, 1_400 * MS), MICROSLEEP, START), (NEVER, NEVER));
    assert_eq!(limits(&karl(60.0, 2_900 * MS), SLEEP, START), (NEVER, NEVER));
}

#[test]
fn eyes_may_be_closed_at_standstill() {
    let drive = karl(0.0, 8 * SECOND);
    for key in [MICROSLEEP, SLEEP, UNRESPONSIVE] {
        assert_eq!(limits(&drive, key, START), (NEVER, NEVER), "{key:?}");
    }
}

#[test]
fn a_lost_face_is_never_closed_eyes() {
    let mut lena = Drive::of("Lena", 60.0);
    lena.road(START).show(Show::Lost, 20 * SECOND).road(SECOND);
    for key in [MICROSLEEP, SLEEP, UNRESPONSIVE, ADDW, LONG, REPEATED] {
        assert_eq!(limits(&lena, key, START), (NEVER, NEVER), "{key:?}");
    }
    assert_eq!(limits(&lena, UNAVAILABLE, START), (5_000, 5_000));
}

#[test]
fn monitoring_unavailable_needs_five_seconds_without_a_break() {
    let mut lena = Drive::of("Lena", 60.0);
    lena.road(START).show(Show::Lost, 4_900 * MS - 300 * MS).road(SECOND);
    assert_eq!(limits(&lena, UNAVAILABLE, START), (NEVER, NEVER));
    let mut mia = Drive::of("Mia", 60.0);
    mia.road(START).show(Show::Lost, 3 * SECOND).road(SECOND).show(Show::Lost, 3 * SECOND).road(SECOND);
    assert_eq!(limits(&mia, UNAVAILABLE, START), (NEVER, NEVER));
}

#[test]
fn an_unresponsive_driver_stays_so_until_he_acts() {
    let mut karl = karl(60.0, 7 * SECOND);
    karl.road(5 * SECOND);
    let acted = karl.now();
    karl.acts().road(3 * SECOND);
    let expected = of(&karl, UNRESPONSIVE);
    assert_eq!(expected.required.runs().len(), 1);
    assert_eq!(expected.required.runs().first().map(|run| run.until), Some(acted));
    assert_eq!(expected.over.first_from(0), Some(acted));
}

#[test]
fn a_gaze_that_does_not_return_within_3_s_of_a_warning_is_unresponsive() {
    let mut ben = ben(60.0);
    let start = ben.now();
    ben.lap(8 * SECOND).road(3 * SECOND);
    // The warning comes on the frame of its limit or on the next.
    assert_eq!(limits(&ben, UNRESPONSIVE, start), (6_000, 6_000 + FRAME / MS));
    let mut cleo = self::ben(60.0);
    cleo.lap(5_900 * MS).road(3 * SECOND);
    assert_eq!(limits(&cleo, UNRESPONSIVE, start), (NEVER, NEVER));
}

#[test]
fn perclos_is_raised_above_15_percent_and_over_below_10() {
    let mut olaf = Drive::of("Olaf", 60.0);
    olaf.road(START).perclos(0.151).road(START).perclos(0.12).road(START).perclos(0.099).road(START);
    assert_eq!(limits(&olaf, PERCLOS, START), (0, 0));
    let expected = of(&olaf, PERCLOS);
    assert_eq!(
        expected.required.runs().first().map(|run| run.until),
        Some(3 * START),
        "held while questionable"
    );
    assert_eq!(expected.over.first_from(START), Some(3 * START));
    let mut paul = Drive::of("Paul", 60.0);
    paul.road(START).perclos(0.149).road(START);
    assert_eq!(limits(&paul, PERCLOS, START), (NEVER, NEVER));
}

#[test]
fn drowsiness_warnings_of_the_regulation_need_more_than_70_kmh() {
    let drowsy = |speed: f32| {
        let mut olaf = Drive::of("Olaf", speed);
        olaf.road(START).perclos(0.2).road(63 * SECOND);
        of(&olaf, DDAW)
    };
    assert!(drowsy(70.0).allowed.is_empty() && drowsy(70.0).once.is_empty());
    assert_eq!(drowsy(70.1).allowed.first_from(0), Some(START));
    assert_eq!(drowsy(70.1).once.len(), 1);
}

#[test]
fn the_same_gaze_in_another_profile_is_nobodys_business() {
    let mut trace = lap(90.0, 8 * SECOND).trace();
    trace.profiles = vec![Profile::Perclos];
    assert!(
        expectations(&trace, &Reading::default())
            .iter()
            .all(|e| matches!(e.kind, Kind::Drowsiness | Kind::MonitoringUnavailable))
    );
}
