//! What belongs here: a plain DMS passes the oracle on generated traces, and the same with one wrong number does not.

mod common;

use common::{Dms, Numbers, TABLE};
use std::collections::BTreeMap;
use troika_dms_conformance::judge::Fault;
use troika_dms_conformance::time::{MS, SECOND};
use troika_dms_conformance::{Kind, Profile, Reading, Tally, generate, judge};

const TRACES: u64 = 2_000;

type Key = (Profile, Kind);

/// A wrong number, and what has to be said of it.
type Mistake = (fn(&mut Numbers), Fault, Key);

/// What was said of a DMS over many traces.
#[derive(Default)]
struct Found {
    counts: BTreeMap<(Fault, Profile, Kind), u64>,
    /// The first few, in words.
    texts: Vec<String>,
    tally: Tally,
}

fn faults(numbers: Numbers, traces: u64) -> Found {
    let mut found = Found::default();
    for seed in 0..traces {
        let trace = generate(seed);
        let verdicts = judge(&trace, &Reading::default(), &Dms::run(numbers, &trace));
        found.tally.absorb(&verdicts.tally);
        for violation in verdicts.violations {
            *found.counts.entry((violation.fault, violation.profile, violation.kind)).or_default() += 1;
            if found.texts.len() < 5 {
                found.texts.push(violation.to_string());
            }
        }
    }
    found
}

#[test]
fn a_dms_that_follows_the_table_passes() {
    let traces = std::env::var("TRACES").ok().and_then(|n| n.parse().ok()).unwrap_or(TRACES);
    let Found { counts, texts, tally } = faults(TABLE, traces);
    assert!(counts.is_empty(), "{counts:#?}\n{}", texts.join("\n"));
    assert_eq!(tally.lacking(2), Vec::<String>::new());
    for key in [
        (Profile::EuAddw, Kind::LongDistraction),
        (Profile::EuroNcap, Kind::LongDistraction),
        (Profile::EuroNcap, Kind::RepeatedGlances),
        (Profile::EuroNcap, Kind::Microsleep),
        (Profile::EuroNcap, Kind::Unresponsive),
        (Profile::Perclos, Kind::Drowsiness),
    ] {
        assert!(tally.ends.get(&key).is_some_and(|ends| *ends > 10), "{key:?}: {:?}", tally.ends.get(&key));
    }
}

#[test]
fn a_dms_with_one_wrong_number_is_found() {
    use Fault::{ClearedEarly, Early, False, Late, Missing, NotCleared};
    let (addw, ncap) = ((Profile::EuAddw, Kind::LongDistraction), (Profile::EuroNcap, Kind::LongDistraction));
    let repeated = (Profile::EuroNcap, Kind::RepeatedGlances);
    let (microsleep, sleep) = ((Profile::EuroNcap, Kind::Microsleep), (Profile::EuroNcap, Kind::Sleep));
    let unresponsive = (Profile::EuroNcap, Kind::Unresponsive);
    let unavailable = (Profile::Troika, Kind::MonitoringUnavailable);
    let (perclos, ddaw) = ((Profile::Perclos, Kind::Drowsiness), (Profile::EuDdaw, Kind::Drowsiness));
    let mistakes: &[Mistake] = &[
        (|n| n.fast = 3_450 * MS, Early, addw),
        (|n| n.fast = 3_570 * MS, Late, addw),
        (|n| n.slow = 5_950 * MS, Early, addw),
        (|n| n.slow = 6_070 * MS, Late, addw),
        (|n| n.fast_kmh = 50.05, Late, addw),
        (|n| n.fast_kmh = 49.9, Early, addw),
        (|n| n.slow_kmh = 20.05, Missing, addw),
        (|n| n.slow_kmh = 19.9, False, addw),
        (|n| n.extra = 1_400 * MS, Early, addw),
        (|n| n.extra = 0, Early, addw),
        (|n| n.extra = 1_600 * MS, Late, addw),
        (|n| n.excursion = 200 * MS, Missing, addw),
        (|n| n.excursion = 400 * MS, Early, addw),
        (|n| n.unknown = 450 * MS, Early, addw),
        (|n| n.area1_counts = false, Missing, addw),
        (|n| n.crossing_restarts = true, Late, addw),
        (|n| n.clears = false, NotCleared, addw),
        (|n| n.non_driving = 2_950 * MS, Early, ncap),
        (|n| n.non_driving = 3_070 * MS, Late, ncap),
        (|n| n.driving_task = 3_950 * MS, Early, ncap),
        (|n| n.driving_task = 4_070 * MS, Late, ncap),
        (|n| n.ncap_kmh = 19.9, False, ncap),
        (|n| n.ncap_kmh = 20.05, Missing, ncap),
        (|n| n.clears = false, NotCleared, ncap),
        (|n| n.repeated = 9_900 * MS, Early, repeated),
        (|n| n.repeated = 10_070 * MS, Late, repeated),
        (|n| n.road_view = 1_900 * MS, ClearedEarly, repeated),
        (|n| n.road_view = 2_100 * MS, NotCleared, repeated),
        (|n| n.window = 20 * SECOND, Missing, repeated),
        (|n| n.window = 40 * SECOND, Early, repeated),
        (|n| n.microsleep = 1_450 * MS, Early, microsleep),
        (|n| n.microsleep = 1_570 * MS, Late, microsleep),
        (|n| n.microsleep = 1_900 * MS, Late, microsleep),
        (|n| n.unknown_is_closed = true, False, microsleep),
        (|n| n.sleep = 2_950 * MS, Early, sleep),
        (|n| n.sleep = 3_070 * MS, Late, sleep),
        (|n| n.eyes_unresponsive = 5_950 * MS, Early, unresponsive),
        (|n| n.eyes_unresponsive = 6_070 * MS, Late, unresponsive),
        (|n| n.gaze_unresponsive = 2_950 * MS, Early, unresponsive),
        (|n| n.gaze_unresponsive = 3_100 * MS, Late, unresponsive),
        (|n| n.latched = false, ClearedEarly, unresponsive),
        (|n| n.clears = false, NotCleared, unresponsive),
        (|n| n.unavailable = 4_950 * MS, Early, unavailable),
        (|n| n.unavailable = 5_070 * MS, Late, unavailable),
        (|n| n.drowsy = 0.148, Early, perclos),
        (|n| n.drowsy = 0.152, Missing, perclos),
        (|n| n.awake = 0.102, ClearedEarly, perclos),
        (|n| n.awake = 0.095, NotCleared, perclos),
        (|n| n.ddaw_kmh = 69.0, False, ddaw),
        (|n| n.ddaw_kmh = 71.0, Missing, ddaw),
    ];
    for (change, fault, (profile, kind)) in mistakes {
        let mut numbers = TABLE;
        change(&mut numbers);
        let told = |seed: u64| {
            let trace = generate(seed);
            let violations = judge(&trace, &Reading::default(), &Dms::run(numbers, &trace)).violations;
            violations.iter().any(|v| (v.fault, v.profile, v.kind) == (*fault, *profile, *kind))
        };
        assert!((0..TRACES).any(told), "{fault:?} {profile:?} {kind:?} is not found\n{numbers:#?}");
    }
}
