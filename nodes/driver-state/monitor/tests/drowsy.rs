//! Drowsiness: as people's situations. 50 ms a frame.

mod drive;

use drive::{NEVER, drive};
use troika_kit::Duration;
use troika_monitor::Kind::*;
use troika_safety as sr;

// Fritz is drowsy.

#[test]
fn fritz_over_15_percent_for_a_minute_is_drowsy_and_at_15_percent_is_not() {
    troika_safety::verifies![SR_DMS_008];
    // 600 ms closed in 4000 is 15 %; the window's end at 60,000 is a whole number of both cycles.
    let mut fritz = drive(&["perclos"], 50.0);
    (0..40).for_each(|_| {
        fritz.eyes_closed(600).road(3400);
    });
    assert_eq!(fritz.raised(Drowsiness), NEVER);
    let mut fritz = drive(&["perclos"], 50.0);
    (0..40).for_each(|_| {
        fritz.eyes_closed(650).road(3350);
    });
    assert_eq!(fritz.raised(Drowsiness), [60_000], "at the end of the first window");
    let alert = &fritz.alerts[0];
    assert_eq!((alert.requirement, alert.limit), (sr::SR_DMS_008, Duration::from_secs(9)));
    assert_eq!(alert.elapsed, Duration::from_millis(650 * 15));
}

#[test]
fn between_10_and_15_percent_nothing_changes_and_below_10_fritz_is_awake() {
    troika_safety::verifies![SR_DMS_008];
    let mut fritz = drive(&["perclos"], 50.0);
    (0..15).for_each(|_| {
        fritz.eyes_closed(800).road(3200);
    });
    fritz.road(50);
    assert_eq!(fritz.raised(Drowsiness), [60_000]);
    (0..30).for_each(|_| {
        fritz.eyes_closed(500).road(3500);
    });
    assert_eq!(fritz.cleared(Drowsiness), NEVER, "12.5 %");
    (0..30).for_each(|_| {
        fritz.road(4000);
    });
    let cleared = fritz.cleared(Drowsiness);
    // 12.5 % is 15 closures of 500 ms in the window; below 10 % once fewer than 12 are left.
    assert_eq!(cleared.len(), 1);
    assert!((180_050..=240_050).contains(&cleared[0]), "{cleared:?}");
    assert_eq!(fritz.raised(Drowsiness).len(), 1);
}

#[test]
fn unseen_time_is_in_no_part_of_the_share_and_too_much_of_it_gives_no_verdict() {
    // 20 % of what is seen, 3/4 of the time seen.
    let mut fritz = drive(&["perclos"], 50.0);
    (0..16).for_each(|_| {
        fritz.eyes_closed(600).road(2400).unseen(1000);
    });
    assert_eq!(fritz.raised(Drowsiness).len(), 1);
    let mut fritz = drive(&["perclos"], 50.0);
    (0..40).for_each(|_| {
        fritz.eyes_closed(600).road(2300).unseen(1100);
    });
    assert_eq!(fritz.raised(Drowsiness), NEVER);
}

#[test]
fn gerda_is_warned_above_70_kmh_again_and_again_until_she_acknowledges() {
    troika_safety::verifies![SR_DMS_011];
    for (speed, warned) in [(70.0, false), (70.5, true)] {
        let mut gerda = drive(&["eu_ddaw"], speed);
        (0..25).for_each(|_| {
            gerda.eyes_closed(800).road(3200);
        });
        let raised = gerda.raised(Drowsiness);
        if let Some(alert) = gerda.alerts.first() {
            // A fifth of the minute: the share is told, although there were enough long blinks too.
            assert_eq!((alert.elapsed, alert.limit), (Duration::from_secs(12), Duration::from_secs(9)));
        }
        assert_eq!(
            raised,
            if warned { vec![60_000, 75_000, 90_000] } else { vec![] },
            "{}",
            sr::SR_DMS_011.id()
        );
        if !warned {
            continue;
        }
        gerda.acts().road(50);
        assert_eq!(gerda.cleared(Drowsiness), [100_000]);
        (0..14).for_each(|_| {
            gerda.eyes_closed(800).road(3200);
        });
        assert_eq!(gerda.raised(Drowsiness).len(), 3, "a new warning needs a full minute of new evidence");
        (0..2).for_each(|_| {
            gerda.eyes_closed(800).road(3200);
        });
        assert_eq!(gerda.raised(Drowsiness).len(), 4);
    }
}

#[test]
fn six_long_blinks_in_a_minute_are_drowsiness_too_and_five_are_not() {
    for (blinks, warned) in [(5, 0), (6, 1)] {
        let mut gerda = drive(&["eu_ddaw"], 100.0);
        (0..blinks).for_each(|_| {
            gerda.road(9000).eyes_closed(600);
        });
        gerda.road(70_000 - gerda.now());
        assert_eq!(gerda.raised(Drowsiness).len(), warned, "{blinks} long blinks");
        if let Some(alert) = gerda.alerts.first() {
            assert_eq!((alert.elapsed, alert.limit), (Duration::from_secs(3), Duration::from_secs(3)));
        }
    }
}

#[test]
fn fritz_is_awake_again_in_the_first_frame_below_10_percent_and_not_at_10() {
    troika_safety::verifies![SR_DMS_008];
    let mut fritz = drive(&["perclos"], 50.0);
    (0..15).for_each(|_| {
        fritz.eyes_closed(800).road(3200);
    });
    fritz.road(60_000);
    assert_eq!(fritz.raised(Drowsiness), [60_000]);
    // At 88,400 the window begins in the middle of the eighth closure: 7.5 of 800 ms are 6 s, 10 %.
    assert_eq!(fritz.cleared(Drowsiness), [88_450]);
}

#[test]
fn neither_a_red_light_nor_an_act_says_that_fritz_is_awake() {
    troika_safety::verifies![SR_DMS_008];
    let mut fritz = drive(&["perclos"], 50.0);
    (0..16).for_each(|_| {
        fritz.eyes_closed(800).road(3200);
    });
    assert_eq!(fritz.raised(Drowsiness), [60_000]);
    fritz.acts().road(50).speed(0.0).road(120_000);
    assert_eq!(fritz.cleared(Drowsiness), NEVER);
    assert_eq!(fritz.parked(true).road(50).cleared(Drowsiness).len(), 1, "the end of the trip does");
}

#[test]
fn time_that_the_vehicle_stands_is_no_evidence() {
    troika_safety::verifies![SR_DMS_008];
    // A third of the minute is driven: too little for a verdict, and in it the eyes are closed for 40 % of the time.
    let mut fritz = drive(&["perclos"], 50.0);
    (0..30).for_each(|_| {
        fritz.speed(50.0).eyes_closed(1600).road(2400).speed(0.0).road(8000);
    });
    assert_eq!(fritz.alerts, []);
}

#[test]
fn an_act_before_the_warning_takes_no_evidence_away() {
    troika_safety::verifies![SR_DMS_011];
    let mut gerda = drive(&["eu_ddaw"], 100.0);
    (0..16).for_each(|_| {
        gerda.acts().eyes_closed(800).road(3200);
    });
    assert_eq!(gerda.raised(Drowsiness), [60_000]);
}

#[test]
fn a_blink_of_half_a_second_is_not_long() {
    troika_safety::verifies![SR_DMS_011];
    let mut gerda = drive(&["eu_ddaw"], 100.0);
    (0..8).for_each(|_| {
        gerda.road(9000).eyes_closed(500);
    });
    assert_eq!(gerda.alerts, []);
}

#[test]
fn gerda_is_not_warned_any_more_once_fewer_than_half_of_the_long_blinks_are_left() {
    troika_safety::verifies![SR_DMS_011];
    let mut gerda = drive(&["eu_ddaw"], 100.0);
    // Six long blinks, which end at 9,600, 19,200, … 57,600: the fourth is a minute old at 98,400, and three were enough until then.
    (0..6).for_each(|_| {
        gerda.road(9000).eyes_closed(600);
    });
    gerda.road(60_000);
    assert_eq!(gerda.raised(Drowsiness), [60_000, 75_000, 90_000]);
    assert_eq!(gerda.cleared(Drowsiness), [98_450]);
}

#[test]
fn gerda_who_slows_down_to_70_kmh_is_not_warned_any_more() {
    troika_safety::verifies![SR_DMS_011];
    let mut gerda = drive(&["eu_ddaw"], 100.0);
    (0..15).for_each(|_| {
        gerda.eyes_closed(800).road(3200);
    });
    gerda.road(50).speed(70.0).road(50);
    assert_eq!((gerda.raised(Drowsiness), gerda.cleared(Drowsiness)), (vec![60_000], vec![60_050]));
}
