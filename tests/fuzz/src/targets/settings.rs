//! Files that people write: the rules' profiles, the vehicle's catalogue, the link's memory, scenarios.

use std::fmt::Display;

use troika_link::Coverage;
use troika_monitor::Profile;
use troika_sim::{Scenario, hand::HandScenario};
use troika_vehicle::catalogue::Catalogue;

use super::{text, told, told_with_line};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("monitor_profile", profile, &["nodes/driver-state/monitor/profiles/*.toml"]),
    Target::text("vehicle_catalogue", catalogue, &["nodes/voice/vehicle-functions.toml"]).cases(1_000),
    Target::text("link_coverage", coverage, &[]),
    Target::text("scenario", scenario, &["sim/scenarios/*.toml"]).memory(2 << 20, 1_000),
    Target::text("hand_scenario", hand_scenario, &["sim/scenarios/hands-*.toml"]).memory(16 << 20, 1_000),
];

/// Accepted, or refused in words.
pub(super) fn taken<T, E: Display>(read: Result<T, E>, bytes: &[u8]) -> bool {
    read.map_err(|error| told(&error, bytes)).is_ok()
}

fn profile(bytes: &[u8]) -> bool {
    let read = Profile::parse("f.toml", &text(bytes));
    read.map_err(|error| told_with_line(&error, error.line, bytes)).is_ok()
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
