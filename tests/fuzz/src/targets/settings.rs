//! Files that people write: policies, profiles, maps, scenarios, catalogues.

use std::fmt::Display;

use troika_dialogue::{Town, Words};
use troika_expert::topics::Topics;
use troika_gesture::mapping::Mapping;
use troika_link::Coverage;
use troika_monitor::Profile;
use troika_router::{
    Policy,
    simulate::{Tasks, Trace},
};
use troika_sim::{Scenario, hand::HandScenario};
use troika_trial::Case;
use troika_vehicle::catalogue::Catalogue;

use super::{text, told, told_with_line};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("monitor_profile", profile, &["nodes/driver-state/monitor/profiles/*.toml"]),
    // A pattern may have 64 MiB compiled.
    Target::text("router_policy", policy, &["nodes/router/policies/*.toml"])
        .cases(400)
        .memory(128 << 20, 400),
    Target::text("gesture_mapping", mapping, &["nodes/gesture/mapping.toml"]),
    Target::text("vehicle_catalogue", catalogue, &["nodes/voice/vehicle-functions.toml"]).cases(1_000),
    Target::text("link_coverage", coverage, &[]),
    Target::text("link_trace", trace, &[]).cases(8_000),
    Target::text("scenario", scenario, &["sim/scenarios/*.toml"]).memory(2 << 20, 1_000),
    Target::text("hand_scenario", hand_scenario, &["sim/scenarios/hands-*.toml"]).memory(16 << 20, 1_000),
    Target::text("trial", trial, &["sim/scenarios/cases/**/*.toml"]).memory(2 << 20, 1_000),
    Target::text("town", town, &["nodes/dialogue/town.toml"]).memory(2 << 20, 400),
    Target::text("words", words, &["nodes/dialogue/words/*.toml"]),
    Target::text("topics", topics, &["nodes/dialogue/expert/topics.toml"]),
    Target::text("router_tasks", tasks, &["nodes/router/simulate/tasks.toml"]).longest(48 << 10),
];

/// Accepted, or refused in words.
fn taken<T, E: Display>(read: Result<T, E>, bytes: &[u8]) -> bool {
    read.map_err(|error| told(&error, bytes)).is_ok()
}

fn profile(bytes: &[u8]) -> bool {
    let read = Profile::parse("f.toml", &text(bytes));
    read.map_err(|error| told_with_line(&error, error.line, bytes)).is_ok()
}

fn policy(bytes: &[u8]) -> bool {
    let read = Policy::parse("f.toml", &text(bytes));
    read.map_err(|error| told_with_line(&error, error.line, bytes)).is_ok()
}

fn mapping(bytes: &[u8]) -> bool {
    taken(Mapping::parse("f.toml", &text(bytes)), bytes)
}

/// What is taken has functions whose names find them.
fn catalogue(bytes: &[u8]) -> bool {
    let read = Catalogue::parse(&text(bytes));
    if let Ok(catalogue) = &read {
        for function in catalogue.functions() {
            assert!(catalogue.function(&function.name).is_some_and(|found| found.name == function.name));
        }
    }
    taken(read, bytes)
}

/// What is remembered is written, and read again as it was.
fn coverage(bytes: &[u8]) -> bool {
    let read = Coverage::from_text(&text(bytes), 32);
    if let Ok(coverage) = &read {
        let written = coverage.to_text();
        let again = Coverage::from_text(&written, 32).expect("what it wrote itself");
        assert_eq!(again.to_text(), written);
    }
    taken(read, bytes)
}

fn trace(bytes: &[u8]) -> bool {
    let read = Trace::parse("f.txt", &text(bytes));
    read.map_err(|error| told_with_line(&error, error.line, bytes)).is_ok()
}

fn scenario(bytes: &[u8]) -> bool {
    let read = Scenario::parse(&text(bytes));
    if let Ok(scenario) = &read {
        assert!(scenario.seconds().is_finite() && scenario.seconds() > 0.0, "{} s", scenario.seconds());
    }
    taken(read, bytes)
}

fn hand_scenario(bytes: &[u8]) -> bool {
    taken(HandScenario::parse(&text(bytes)), bytes)
}

fn trial(bytes: &[u8]) -> bool {
    taken(Case::parse("f.toml", &text(bytes)), bytes)
}

/// A map that is taken has a way from each place to each other, of finite length.
fn town(bytes: &[u8]) -> bool {
    let read = Town::read(&text(bytes));
    if let Ok(town) = &read
        && let [from, .., to] = town.places()
    {
        let route = town.route(from.at, to.at).expect("a way");
        assert!(route.metres.is_finite() && route.seconds.is_finite());
    }
    taken(read, bytes)
}

fn words(bytes: &[u8]) -> bool {
    taken(Words::read(&text(bytes)), bytes)
}

fn topics(bytes: &[u8]) -> bool {
    taken(Topics::read(&text(bytes)), bytes)
}

fn tasks(bytes: &[u8]) -> bool {
    taken(Tasks::parse("f.toml", &text(bytes)), bytes)
}
