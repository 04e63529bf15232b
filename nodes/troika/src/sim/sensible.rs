//! What a scenario asks for that these systems do not have: names that would make an expectation hold, or a trouble do nothing, for want of
//! anything that is called so.

use anyhow::bail;
use troika_monitor::Config;
use troika_trial::{Case, Expected, Level, What, names::meant};
use troika_vehicle::catalogue::Catalogue;

use super::stage::{Systems, reachable};

/// Kinds that have models to be without.
const WITH_MODELS: [&str; 3] = ["driver_state", "drowsiness", "gesture"];

/// Looks at every name in the scenario.
///
/// # Errors
/// The first that nothing has.
pub(super) fn check(case: &Case, systems: &Systems) -> anyhow::Result<()> {
    match faults(case, systems)?.into_iter().next() {
        Some(fault) => bail!(fault),
        None => Ok(()),
    }
}

/// Every name that nothing has, with the line where there is one, and those that there are.
///
/// # Errors
/// The systems have no driver monitor, or one whose profiles cannot be read.
pub(super) fn faults(case: &Case, systems: &Systems) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    let config: Config = systems.params("driver_monitor")?;
    let profiles = config.profiles(|path| std::fs::read_to_string(path))?;
    let profiles: Vec<&str> = profiles.iter().map(|profile| profile.name()).collect();
    let catalogue = Catalogue::built_in();
    for one in &case.expectations {
        let at = format!("{}, line {}", case.file, one.line);
        let profile = match &one.expected {
            Expected::Alert { profile, .. } | Expected::NoAlert { profile, .. } => profile.as_deref(),
            _ => None,
        };
        if let Some(name) = profile.filter(|name| !profiles.contains(name)) {
            let meant = meant(name, profiles.iter().copied());
            faults.push(format!(
                "{at}: driver_monitor has no profile '{name}'; it has {}{meant}",
                profiles.join(", ")
            ));
        }
        let function = match &one.expected {
            Expected::Command { function, .. } => Some(function.as_str()),
            Expected::NoCommand { function } => function.as_deref(),
            _ => None,
        };
        if let Some(name) = function.filter(|name| catalogue.function(name).is_none()) {
            let meant = meant(name, catalogue.functions().iter().map(|function| function.name.as_str()));
            faults.push(format!(
                "{at}: there is no vehicle function '{name}'; `troika voice functions` lists them{meant}"
            ));
        }
    }
    let reachable = reachable(case);
    for trouble in &case.troubles {
        let at = format!("{}, trouble at {} s", case.file, trouble.at_s);
        let Some(node) = trouble.node.as_deref() else { continue };
        if !reachable.contains(&node) {
            let meant = meant(node, reachable.iter().copied());
            faults.push(format!(
                "{at}: no {node} runs that it could befall; there are {}{meant}",
                reachable.join(", ")
            ));
            continue;
        }
        match trouble.what {
            What::ModelMissing if !WITH_MODELS.contains(&node) => {
                faults.push(format!("{at}: {node} has no models"));
            }
            What::Slow if node == "driver_state" && case.level == Level::Landmarks => {
                faults.push(format!(
                    "{at}: without pictures driver_state takes no time; `level = \"pixels\"` has one that does"
                ));
            }
            _ => {}
        }
    }
    Ok(faults)
}
