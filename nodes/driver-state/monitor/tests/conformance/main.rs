//! The monitor before an oracle that was written from the rule table alone (`safety/conformance`): no alert early, late, missing or false; and
//! the suite notices each number of the rules that is another. More traces: `cargo xtask conformance`.

mod feed;

use troika_dms_conformance::{Tally, generate, judge};
use troika_monitor::{Config, MonitorNode};

/// Traces, from seeds that the longer run begins with too.
const TRACES: u64 = 1_500;
/// A changed number has to be noticed within so many.
const TO_NOTICE: u64 = 3_000;

#[test]
fn every_alert_is_within_a_frame_of_its_limit() {
    troika_safety::verifies![
        SR_DMS_002, SR_DMS_003, SR_DMS_004, SR_DMS_005, SR_DMS_006, SR_DMS_007, SR_DMS_010, SR_DMS_016
    ];
    let mut tally = Tally::default();
    for seed in 0..TRACES {
        let trace = generate(seed);
        let verdicts = judge(&trace, &feed::READING, &feed::said(&trace, feed::monitor(&trace)));
        let told: Vec<String> = verdicts.violations.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "seed {seed}: {}", told.join("\n"));
        tally.absorb(&verdicts.tally);
    }
    assert_eq!(tally.lacking(1), Vec::<String>::new());
}

/// A number in a profile's text, and another in its place.
struct Change {
    profile: &'static str,
    from: &'static str,
    to: &'static str,
}

/// Every limit, speed and window that the traces can show. 50 ms and 0.1 km/h are what the suite's traces are next to.
const CHANGES: &[Change] = &[
    change("eu_addw", "bridge_s = 0.3", "bridge_s = 0.45"),
    change("eu_addw", "bridge_s = 0.3", "bridge_s = 0.2"),
    change(
        "eu_addw",
        "limit_s = 3.5 }]\nnon_nominal_s = 1.5\nrequirement = \"SR-DMS-002\"\nsource = \"3.5",
        "limit_s = 3.6 }]\nnon_nominal_s = 1.5\nrequirement = \"SR-DMS-002\"\nsource = \"3.5",
    ),
    change("eu_addw", "limit_s = 3.5", "limit_s = 3.4"),
    change("eu_addw", "limit_s = 6.0", "limit_s = 6.1"),
    change("eu_addw", "limit_s = 6.0", "limit_s = 5.9"),
    change("eu_addw", "from_kmh = 20.0", "from_kmh = 20.1"),
    change("eu_addw", "from_kmh = 20.0", "from_kmh = 19.8"),
    change("eu_addw", "from_kmh = 50.0", "from_kmh = 50.1"),
    change("eu_addw", "from_kmh = 50.0", "from_kmh = 49.8"),
    change("eu_addw", "non_nominal_s = 1.5", "non_nominal_s = 1.6"),
    change("eu_addw", "non_nominal_s = 1.5", "non_nominal_s = 1.4"),
    change("eu_addw", "zones = [\"area_3\"]", "zones = [\"area_3\", \"other\"]"),
    change("eu_addw", "zones = [\"area_1\"]", "zones = [\"other\"]"),
    change("euro_ncap", "bridge_s = 0.1", "bridge_s = 0.3"),
    change("euro_ncap", "free_s = 1.0", "free_s = 1.1"),
    change("euro_ncap", "free_s = 1.0", "free_s = 0.9"),
    change(
        "euro_ncap",
        "bands = [{ from_kmh = 20.0, limit_s = 3.0 }]",
        "bands = [{ from_kmh = 20.0, limit_s = 3.1 }]",
    ),
    change(
        "euro_ncap",
        "bands = [{ from_kmh = 20.0, limit_s = 3.0 }]",
        "bands = [{ from_kmh = 20.0, limit_s = 2.9 }]",
    ),
    change("euro_ncap", "bands = [{ from_kmh = 20.0,", "bands = [{ from_kmh = 20.1,"),
    change("euro_ncap", "bands = [{ from_kmh = 20.0,", "bands = [{ from_kmh = 19.8,"),
    change("euro_ncap", "sum_s = 10.0", "sum_s = 10.1"),
    change("euro_ncap", "sum_s = 10.0", "sum_s = 9.9"),
    change("euro_ncap", "window_s = 30.0", "window_s = 25.0"),
    change("euro_ncap", "road_view_s = 2.0", "road_view_s = 2.2"),
    change("euro_ncap", "road_view_s = 2.0", "road_view_s = 1.8"),
    change("euro_ncap", "limit_s = 1.5", "limit_s = 1.6"),
    change("euro_ncap", "limit_s = 1.5", "limit_s = 1.4"),
    change("euro_ncap", "limit_s = 3.0\n", "limit_s = 3.1\n"),
    change("euro_ncap", "limit_s = 3.0\n", "limit_s = 2.9\n"),
    change("euro_ncap", "eyes_closed_s = 6.0", "eyes_closed_s = 6.1"),
    change("euro_ncap", "eyes_closed_s = 6.0", "eyes_closed_s = 5.9"),
    change("euro_ncap", "no_return_s = 3.0", "no_return_s = 3.1"),
    change("euro_ncap", "no_return_s = 3.0", "no_return_s = 2.9"),
    change("perclos", "window_s = 60.0", "window_s = 50.0"),
    change("perclos", "window_s = 60.0", "window_s = 70.0"),
    change("perclos", "raise_share = 0.15", "raise_share = 0.17"),
    change("perclos", "raise_share = 0.15", "raise_share = 0.13"),
    change("perclos", "clear_share = 0.10", "clear_share = 0.12"),
    change("perclos", "clear_share = 0.10", "clear_share = 0.08"),
    change("perclos", "blink_s = 0.4", "blink_s = 2.0"),
    change("eu_ddaw", "above_kmh = 70.0", "above_kmh = 69.9"),
    change("eu_ddaw", "above_kmh = 70.0", "above_kmh = 70.2"),
    change("troika", "limit_s = 5.0", "limit_s = 5.1"),
    change("troika", "limit_s = 5.0", "limit_s = 4.8"),
];

const fn change(profile: &'static str, from: &'static str, to: &'static str) -> Change {
    Change { profile, from, to }
}

#[test]
fn the_suite_notices_each_number_of_the_rules_that_is_another() {
    troika_safety::verifies![SR_DMS_002, SR_DMS_004, SR_DMS_005, SR_DMS_006, SR_DMS_007];
    let unnoticed: Vec<String> = CHANGES
        .iter()
        .filter(|change| !(0..TO_NOTICE).any(|seed| notices(change, seed)))
        .map(|change| format!("{}: {} as {}", change.profile, change.from, change.to))
        .collect();
    assert_eq!(unnoticed, Vec::<String>::new());
}

fn notices(change: &Change, seed: u64) -> bool {
    let trace = generate(seed);
    let of_trace = trace.profiles.iter().any(|profile| profile.name() == change.profile);
    if !of_trace && change.profile != "troika" {
        return false;
    }
    let file = format!("{}/profiles/{}.toml", env!("CARGO_MANIFEST_DIR"), change.profile);
    let text = std::fs::read_to_string(&file).expect("the profile");
    let changed = text.replace(change.from, change.to);
    assert_ne!(changed, text, "{} is not in {file}", change.from);
    let names = trace.profiles.iter().map(|profile| profile.name()).filter(|name| *name != change.profile);
    let profiles = names.map(str::to_owned).chain([file]).collect();
    let config = Config { profiles, ..Config::default() };
    let monitor = MonitorNode::new(&config, |_| Ok(changed.clone())).expect("a profile");
    !judge(&trace, &feed::READING, &feed::said(&trace, monitor)).violations.is_empty()
}
