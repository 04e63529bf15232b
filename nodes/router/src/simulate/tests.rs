use proptest::prelude::*;

use super::*;

/// Links like those of bus, tram, metro and ferry: the recorded ones stay outside.
fn traces() -> Vec<Trace> {
    [Like::Bus, Like::Tram, Like::Metro, Like::Ferry]
        .into_iter()
        .zip(1..)
        .map(|(like, seed)| Trace::made(like, seed, 300.0))
        .collect()
}

fn report(cuts_an_hour: f64) -> Report {
    let simulation =
        Simulation::new(Tasks::built_in(), Outcome::built_in(), Policy::built_in(), cuts_an_hour, 1).unwrap();
    simulation.run(&traces())
}

fn of(report: &Report, contender: Contender) -> PolicyReport {
    report.policies.iter().find(|one| one.name == contender.name()).unwrap().clone()
}

#[test]
fn always_is_always_and_never_is_never() {
    let report = report(0.0);
    assert_eq!(of(&report, Contender::AlwaysCloud).cloud_calls, 1.0);
    let local = of(&report, Contender::AlwaysLocal);
    assert_eq!((local.cloud_calls, local.breaches, local.bytes), (0.0, 0, 0.0));
}

#[test]
fn the_router_lets_nothing_out_that_says_it_is_to_stay_and_the_others_do() {
    troika_safety::verifies![SR_RTE_001];
    let report = report(30.0);
    assert_eq!(of(&report, Contender::Ours).breaches_as_told, 0);
    assert!(of(&report, Contender::AlwaysCloud).breaches_as_told > 50);
    assert!(of(&report, Contender::Threshold).breaches_as_told > 0);
}

#[test]
fn with_cuts_the_router_is_silent_for_less_than_who_waits_for_the_cloud() {
    let report = report(60.0);
    let (ours, cloud) = (of(&report, Contender::Ours), of(&report, Contender::AlwaysCloud));
    assert!(ours.hand_overs > 0, "{ours:?}");
    assert!(ours.silence_ms.max < 3_000.0 && cloud.silence_ms.max >= 3_000.0, "{ours:?} {cloud:?}");
    assert!(ours.first_words_ms.max <= 4_000.0, "{ours:?}");
}

#[test]
fn each_of_its_decisions_has_a_reason_that_is_counted() {
    let report = report(0.0);
    let ours = of(&report, Contender::Ours);
    assert_eq!(ours.reasons.values().sum::<u64>(), 4 * Tasks::built_in().len() as u64);
    assert!(ours.reasons.contains_key("cloud_better") && ours.reasons.contains_key("vehicle_function"));
}

#[test]
fn without_a_link_everything_is_answered_in_the_vehicle() {
    let dead = Trace::parse("dead", "0 100\n1000 100\n").unwrap();
    let report = Simulation::built_in().run(&[dead]);
    let (ours, cloud) = (of(&report, Contender::Ours), of(&report, Contender::AlwaysCloud));
    let local = of(&report, Contender::AlwaysLocal);
    assert!(ours.cloud_calls < 0.02 && ours.success >= local.success, "{ours:?}, {local:?}");
    assert!(cloud.success < 0.05, "{cloud:?}");
}

#[test]
fn the_same_seed_gives_the_same_report_and_another_seed_another() {
    let run = |seed| {
        let made =
            Simulation::new(Tasks::built_in(), Outcome::built_in(), Policy::built_in(), 6.0, seed).unwrap();
        made.run(&traces()[..1])
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn a_model_of_which_the_outcome_says_nothing_is_refused_with_the_way_out() {
    let text = include_str!("../../policies/troika.toml").replace("cloud-small", "cloud-new");
    let policy = Policy::parse("mine.toml", &text).unwrap();
    let error =
        Simulation::new(Tasks::built_in(), Outcome::built_in(), policy, 0.0, 1).unwrap_err().to_string();
    assert!(error.contains("cloud-new") && error.contains("[[model]]"), "{error}");
    let nan = Simulation::new(Tasks::built_in(), Outcome::built_in(), Policy::built_in(), f64::NAN, 1);
    assert!(nan.is_err());
}

#[test]
fn the_json_has_the_names_that_others_read() {
    let json: serde_json::Value = serde_json::from_str(&report(0.0).to_json().unwrap()).unwrap();
    let first = &json["policies"][0];
    for key in ["name", "success", "cloud_calls", "breaches", "bytes"] {
        assert!(!first[key].is_null(), "{key}");
    }
    assert!(["p50", "p99", "max"].iter().all(|key| first["silence_ms"][key].is_number()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn over_any_link_its_shares_are_shares_and_nothing_told_to_stay_leaves(
        rates in prop::collection::vec((0.1..30.0_f64, 0.0..5.0_f64), 2..40),
        cuts in 0.0..200.0_f64,
        seed in any::<u64>(),
    ) {
        let mut time = 0.0;
        let lines: String = rates.iter().map(|(pause, rate)| { time += pause; format!("{time} {rate}\n") }).collect();
        let trace = Trace::parse("any", &lines).unwrap();
        let made = Simulation::new(Tasks::built_in(), Outcome::built_in(), Policy::built_in(), cuts, seed).unwrap();
        for one in made.run(&[trace]).policies {
            prop_assert!((0.0..=1.0).contains(&one.success) && (0.0..=1.0).contains(&one.cloud_calls));
            prop_assert!(one.silence_ms.max.is_finite() && one.bytes.is_finite());
            prop_assert!(one.name != "ours" || one.breaches_as_told == 0);
        }
    }
}
