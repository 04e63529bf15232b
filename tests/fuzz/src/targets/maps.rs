//! Files whose readers stand on much else: policies, maps, words, gestures, scenarios that judge.

use troika_dialogue::{Town, Words};
use troika_expert::topics::Topics;
use troika_gesture::mapping::Mapping;
use troika_router::{
    Policy,
    simulate::{Tasks, Trace},
};
use troika_trial::Case;

use super::{settings::taken, text, told_with_line};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    // A pattern may have 64 MiB compiled.
    Target::text("router_policy", policy, &["nodes/router/policies/*.toml"])
        .cases(400)
        .memory(128 << 20, 400),
    Target::text("link_trace", trace, &[]).cases(8_000),
    Target::text("town", town, &["nodes/dialogue/town.toml"]).memory(2 << 20, 400),
    Target::text("words", words, &["nodes/dialogue/words/*.toml"]),
    Target::text("topics", topics, &["nodes/dialogue/expert/topics.toml"]),
    Target::text("router_tasks", tasks, &["nodes/router/simulate/tasks.toml"]).longest(48 << 10),
    Target::text("gesture_mapping", mapping, &["nodes/gesture/mapping.toml"]),
    Target::text("trial", trial, &["sim/scenarios/cases/**/*.toml"]).memory(2 << 20, 1_000),
];

fn policy(bytes: &[u8]) -> bool {
    let read = Policy::parse("f.toml", &text(bytes));
    read.map_err(|error| told_with_line(&error, error.line, bytes)).is_ok()
}

fn trace(bytes: &[u8]) -> bool {
    let read = Trace::parse("f.txt", &text(bytes));
    read.map_err(|error| told_with_line(&error, error.line, bytes)).is_ok()
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

fn mapping(bytes: &[u8]) -> bool {
    taken(Mapping::parse("f.toml", &text(bytes)), bytes)
}

fn trial(bytes: &[u8]) -> bool {
    taken(Case::parse("f.toml", &text(bytes)), bytes)
}
