//! What a system on the road must have, where its file says `production = true`: a model without its maker's signature is refused, and nothing that
//! was made for a desk is left in it.

use std::collections::BTreeSet;

use super::Known;
use crate::system::{Problem, System, Watchdog, place};

/// Kinds that stand in for a part of the vehicle.
const STAND_INS: [&str; 2] = ["sim_driver", "sim_hand"];

pub(super) fn check(text: &str, system: &System, known: &Known<'_>) -> Vec<Problem> {
    if !system.system.production {
        return Vec::new();
    }
    let whole = || place::of_value(text, &["system", "production"]).unwrap_or(0..0);
    let mut problems = Vec::new();
    let mut wants = |what: &str, at: std::ops::Range<usize>, help: &str| {
        problems.push(Problem::error(format!("`production`: {what}")).at(at).help(help));
    };
    if system.system.model_key.is_none() {
        wants(
            "a model may be exchanged for one that nobody signed",
            whole(),
            "model_key = \"FILE.pub\" in [system]; `troika models keygen` makes it",
        );
    }
    if let Some(black_box) = system.system.black_box.as_ref().filter(|settings| settings.get_ref().raw) {
        wants("the black box keeps pictures and sound", black_box.span(), "leave `raw` out of black_box");
    }
    if !known.values().any(|(_, kind)| kind.name() == "supervisor") {
        wants("nobody supervises", whole(), "add a node of the kind `supervisor`");
    }
    let mut unwatched = BTreeSet::new();
    for (name, (node, kind)) in known {
        let (node, at) = (node.get_ref(), node.get_ref().kind.span());
        if STAND_INS.contains(&kind.name()) {
            wants(
                &format!("`{name}` is a simulator"),
                at.clone(),
                "a node of the kind `camera` gives frames of a real one",
            );
        }
        if node.inject.is_some() {
            wants(&format!("`{name}` gives a fault on purpose"), at.clone(), "leave `inject` out");
        }
        let protected = place::of_value(text, &["nodes", name, "params", "protected_only"])
            .is_some_and(|value| text[value].trim() == "true");
        if kind.name() == "vehicle" && !protected {
            wants(
                &format!("`{name}` takes commands of anybody"),
                at.clone(),
                "params = { protected_only = true }: of those alone whose protection is their own",
            );
        }
        let watched = system
            .processes
            .get(&node.process)
            .is_some_and(|process| process.get_ref().watchdog != Watchdog::Off);
        let must = kind.name() == "supervisor" || node.sched.is_some();
        if must && !watched && unwatched.insert(node.process.as_str()) {
            wants(
                &format!("nobody watches process `{}`, in which `{name}` runs", node.process),
                at,
                "watchdog = true in its [processes.NAME]",
            );
        }
    }
    problems
}
