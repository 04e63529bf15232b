//! The parameters that every node has: how it is scheduled, fixed, and how its level is chosen, which may change while it runs.

use std::{sync::Arc, time::Duration};

use troika_kit::Contract;
use troika_msgs::rcl_interfaces::Parameter;

use crate::{
    clock::Clock,
    governor::LevelPlan,
    parameters::{Accept, Declared, bool_value, double_value, string_value},
    sched::Policy,
    stats::Cells,
};

/// Chosen by the measured slack.
const GOVERNED: &str = "governed";
/// Which level, or [`GOVERNED`].
const LEVEL: &str = "troika.level";

/// Those of a node with these levels.
pub(crate) fn declared(
    contract: &Contract,
    policy: Policy,
    levels: &[&'static str],
    plan: LevelPlan,
    clock: &Clock,
) -> Vec<Declared> {
    let spec = contract.spec();
    let ms = |time: Duration| double_value(time.as_secs_f64() * 1e3);
    let mut all = vec![
        Declared::fixed("use_sim_time", "Time from /clock.", bool_value(matches!(clock, Clock::Ros(_)))),
        Declared::fixed(
            "troika.class",
            "How hard its deadline is.",
            string_value(format!("{:?}", spec.class)),
        ),
        Declared::fixed("troika.period_ms", "Between two releases, milliseconds.", ms(spec.period)),
        Declared::fixed(
            "troika.deadline_ms",
            "From a release to its output, milliseconds.",
            ms(spec.deadline),
        ),
        Declared::fixed("troika.budget_ms", "What a step may take, milliseconds.", ms(spec.budget)),
        Declared::fixed(
            "troika.policy",
            "The scheduling policy asked for.",
            string_value(policy.to_string()),
        ),
    ];
    if levels.len() > 1 {
        let value = match plan {
            LevelPlan::Governed => GOVERNED,
            LevelPlan::Fixed(level) => levels.get(level).copied().unwrap_or(GOVERNED),
        };
        let mut level = Declared::fixed(
            LEVEL,
            "How much it does: one of its levels, or chosen by the measured slack.",
            string_value(value),
        );
        level.descriptor.read_only = false;
        level.descriptor.additional_constraints = format!("{GOVERNED}, {}", levels.join(", "));
        all.push(level);
    }
    all
}

/// Carries a change out: the node's thread looks at each step.
pub(crate) fn accept(levels: &'static [&'static str], cells: Arc<Cells>) -> Accept {
    Box::new(move |parameter: &Parameter| {
        if parameter.name != LEVEL {
            return Err(format!("`{}` cannot be set while the node runs", parameter.name));
        }
        let wanted = parameter.value.string_value.as_str();
        let plan = match levels.iter().position(|level| *level == wanted) {
            Some(level) => LevelPlan::Fixed(level),
            None if wanted == GOVERNED => LevelPlan::Governed,
            None => return Err(format!("there is no level `{wanted}`: {GOVERNED}, {}", levels.join(", "))),
        };
        cells.level_plan.set(plan.code());
        Ok(())
    })
}
