//! What a scenario asks for that these systems do not have: names that would make an expectation hold, or a trouble do nothing, for want of
//! anything that is called so; and expectations that hold, or fail, whatever happens.

use std::path::Path;

use troika_monitor::{Config, Kind, Profile};
use troika_router::Reason;
use troika_sim::slip::meant;
use troika_trial::{Case, CaseError, Examined, Expectation, Expected, Level, What, expect::Counts, names};
use troika_vehicle::catalogue::Catalogue;

use super::{
    stage::{Systems, reachable},
    swaps::Swaps,
};
use crate::kinds;

/// Kinds that have models to be without.
const WITH_MODELS: [&str; 3] = ["driver_state", "drowsiness", "gesture"];

/// The scenario of a file, or all that is wrong with it by these systems, in the order of its lines.
///
/// # Errors
/// Each fault, with the file and, where there is one, the line.
pub(super) fn examine(file: &Path, systems: &Systems) -> Result<Case, Vec<CaseError>> {
    let Examined { case, mut faults } = Case::examine(file);
    let Some(case) = case else { return Err(faults) };
    let of_file = |reason: String| CaseError { file: case.file.clone(), line: None, reason };
    match self::faults(&case, systems) {
        Ok(more) => faults.extend(more),
        Err(error) => faults.push(of_file(format!("{error:#}"))),
    }
    faults.extend(Swaps::of(&case).err().map(|error| of_file(format!("{error:#}"))));
    faults.sort_by_key(|fault| fault.line);
    if faults.is_empty() { Ok(case) } else { Err(faults) }
}

/// Every name that nothing has, with those that there are, and every expectation that cannot fail, or cannot hold.
///
/// # Errors
/// The systems have no driver monitor, or one whose profiles cannot be read.
pub(super) fn faults(case: &Case, systems: &Systems) -> anyhow::Result<Vec<CaseError>> {
    let config: Config = systems.params("driver_monitor")?;
    let profiles = config.profiles(|path| std::fs::read_to_string(path))?;
    let look = Look { case, profiles, supervised: systems.has("supervisor") };
    let fault = |line: usize, reason: String| CaseError { file: case.file.clone(), line: Some(line), reason };
    let mut faults = Vec::new();
    for one in &case.expectations {
        faults.extend(look.expectation(one).into_iter().map(|reason| fault(one.line, reason)));
    }
    let reachable = reachable(case);
    for trouble in &case.troubles {
        let Some(node) = trouble.node.as_deref() else { continue };
        let reason = if !reachable.contains(&node) {
            let meant = meant(node, reachable.iter().copied());
            let there = reachable.join(", ");
            Some(format!("no {node} runs that it could befall; there are {there}{meant}"))
        } else if trouble.what == What::ModelMissing && !WITH_MODELS.contains(&node) {
            Some(format!("{node} has no models"))
        } else if trouble.what == What::Slow && node == "driver_state" && case.level == Level::Landmarks {
            Some(
                "without pictures driver_state takes no time; `level = \"pixels\"` has one that does"
                    .to_owned(),
            )
        } else {
            None
        };
        faults.extend(reason.map(|reason| fault(trouble.line, reason)));
    }
    Ok(faults)
}

struct Look<'c> {
    case: &'c Case,
    profiles: Vec<Profile>,
    /// A system file has a supervisor.
    supervised: bool,
}

impl Look<'_> {
    fn expectation(&self, one: &Expectation) -> Vec<String> {
        match &one.expected {
            Expected::Alert { kind, profile, .. } => self.alert(Some(*kind), profile.as_deref()),
            Expected::NoAlert { kind, profile } => self.alert(*kind, profile.as_deref()),
            Expected::AlertsAsTruth { except, .. } => self.as_truth(except),
            Expected::AlertsAsTable => self.as_table(),
            Expected::Command { function, slots, .. } => {
                let slots: Vec<_> = slots.iter().map(|(name, value)| (&**name, &**value)).collect();
                [self.silent(true), function_fault(function, &slots)].into_iter().flatten().collect()
            }
            Expected::NoCommand { function } => {
                let function = function.as_ref().and_then(|function| function_fault(function, &[]));
                [self.silent(true), function].into_iter().flatten().collect()
            }
            Expected::Reply { .. } | Expected::Answer { .. } => self.silent(false).into_iter().collect(),
            Expected::Decision { reason, .. } => {
                [self.silent(false), reason.as_deref().and_then(reason_fault)].into_iter().flatten().collect()
            }
            Expected::Swap { model, .. } => self.swap(model).into_iter().collect(),
            Expected::Node { kind, counts } => self.node(kind, counts),
            Expected::Safety { .. } if !self.supervised => {
                vec![
                    "no system file has a node of the kind supervisor, whose word this is; name one with --system"
                        .to_owned(),
                ]
            }
            Expected::State { .. } | Expected::Safety { .. } | Expected::NeverLeaves { .. } => Vec::new(),
        }
    }

    /// No alert that is never raised is waited for, nor found missing.
    fn alert(&self, kind: Option<u8>, profile: Option<&str>) -> Vec<String> {
        // The supervisor raises one alert, in the monitor's place.
        if self.supervised && profile == Some(troika_supervisor::PROFILE) {
            return match kind {
                None => Vec::new(),
                Some(kind) if kind == Kind::MonitoringUnavailable as u8 => Vec::new(),
                Some(_) => vec![format!(
                    "the profile {} raises monitoring_unavailable alone: nothing that happens could change the verdict",
                    troika_supervisor::PROFILE
                )],
            };
        }
        let names = || self.profiles.iter().map(Profile::name);
        let all = || names().collect::<Vec<_>>().join(", ");
        if let Some(name) = profile.filter(|name| names().all(|known| known != *name)) {
            let meant = meant(name, names());
            return vec![format!("driver_monitor has no profile '{name}'; it has {}{meant}", all())];
        }
        let Some(kind) = kind else { return Vec::new() };
        let raises = |one: &&Profile| one.kinds().into_iter().any(|raised| raised as u8 == kind);
        let asked = |one: &&Profile| profile.is_none_or(|name| name == one.name());
        if self.profiles.iter().filter(asked).any(|one| raises(&one)) {
            return Vec::new();
        }
        let told = names::name(names::ALERTS, kind);
        let others: Vec<_> = self.profiles.iter().filter(raises).map(Profile::name).collect();
        let by = match (profile, others.is_empty()) {
            (_, true) => format!("no profile of driver_monitor ({}) raises {told}", all()),
            (Some(name), false) => {
                format!("the profile {name} never raises {told}; it is raised by {}", others.join(", "))
            }
            (None, false) => unreachable!("without a profile any of them will do"),
        };
        vec![format!("{by}: nothing that happens could change the verdict")]
    }

    fn as_truth(&self, except: &[u8]) -> Vec<String> {
        // What the system says of itself is held against no truth.
        let is_held = |kind: &Kind| {
            *kind != Kind::MonitoringUnavailable && except.iter().all(|left_out| *left_out != *kind as u8)
        };
        match self.profiles.iter().flat_map(Profile::kinds).any(|kind| is_held(&kind)) {
            true => Vec::new(),
            false => vec![
                "`except` leaves out every alert that driver_monitor raises: this cannot fail".to_owned(),
            ],
        }
    }

    /// The table knows its own profiles alone.
    fn as_table(&self) -> Vec<String> {
        const JUDGED: [&str; 2] = ["eu_addw", "euro_ncap"];
        match self.profiles.iter().any(|one| JUDGED.contains(&one.name())) {
            true => Vec::new(),
            false => {
                let all: Vec<_> = self.profiles.iter().map(Profile::name).collect();
                let (judged, all) = (JUDGED.join(" and "), all.join(", "));
                vec![format!("the table judges {judged}, and driver_monitor has {all}: this cannot fail")]
            }
        }
    }

    /// Whom nobody speaks to answers nobody.
    fn silent(&self, of_hands_too: bool) -> Option<String> {
        let silent = self.case.says.is_empty() && !(of_hands_too && self.case.hand.is_some());
        silent.then(|| {
            let (and, what) = if of_hands_too { (", and no hand shown", "command") } else { ("", "answer") };
            format!("nothing is said{and}: no {what} could come, and nothing could change the verdict")
        })
    }

    fn swap(&self, model: &str) -> Option<String> {
        let offered: Vec<&str> =
            self.case.troubles.iter().filter_map(|trouble| trouble.model.as_deref()).collect();
        (!offered.contains(&model)).then(|| {
            let there = if offered.is_empty() { "none is".to_owned() } else { offered.join(", ") };
            let meant = meant(model, offered.iter().copied());
            format!(
                "no network is offered for {model} by a trouble \"model_swapped\"; offered: {there}{meant}"
            )
        })
    }

    fn node(&self, kind: &str, counts: &Counts) -> Vec<String> {
        let mut there = reachable(self.case);
        there.extend(self.case.link.iter().flat_map(|_| ["link", "bridge", "model"]));
        there.extend((!self.case.says.is_empty()).then_some("voice"));
        there.extend(self.case.hand.iter().map(|_| "hand"));
        there.extend((self.case.level == Level::Pixels).then_some("camera"));
        there.extend(self.supervised.then_some("supervisor"));
        if !there.contains(&kind) {
            let meant = meant(kind, there.iter().copied());
            return vec![format!("no {kind} runs in this scenario; there are {}{meant}", there.join(", "))];
        }
        let without_pictures = kind == "driver_state" && self.case.level == Level::Landmarks;
        let levels = match kinds::find(kind) {
            Some(known) if !without_pictures => known.levels().len() as u64,
            _ => 1,
        };
        let wanted =
            [("reaches_level", counts.reaches_level), ("ends_at_level", counts.ends_at_level)].into_iter();
        let given = wanted.filter_map(|(key, level)| Some((key, level?)));
        let wrong = given.filter(|(_, level)| levels == 1 || *level >= levels);
        wrong
            .map(|(key, level)| match levels {
                1 => format!("{kind} has one level here: `{key} = {level}` says nothing of it"),
                _ => format!("{kind} has the levels 0 to {}: `{key} = {level}` cannot be", levels - 1),
            })
            .collect()
    }
}

/// The vehicle has no such function, or the function no such slot, or the slot no such value.
fn function_fault(name: &str, slots: &[(&str, &str)]) -> Option<String> {
    let catalogue = Catalogue::built_in();
    let Some(function) = catalogue.function(name) else {
        let meant = meant(name, catalogue.functions().iter().map(|function| function.name.as_str()));
        return Some(format!(
            "there is no vehicle function '{name}'; `troika voice functions` lists them{meant}"
        ));
    };
    let wrong = |(slot, value): &(&str, &str)| {
        let Some(spec) = function.slot(slot) else {
            let names: Vec<_> = function.slots.iter().map(|slot| slot.name.as_str()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let meant = meant(slot, names);
            return Some(format!("{name} has no slot '{slot}'; it has {there}{meant}"));
        };
        match spec.ty.canonical(value) {
            Err(why) => Some(format!("{name}: '{slot}' {why}")),
            Ok(canonical) if canonical != *value => {
                Some(format!("{name}: commands write '{slot}' as \"{canonical}\": \"{value}\" is never sent"))
            }
            Ok(_) => None,
        }
    };
    let all: Vec<String> = slots.iter().filter_map(wrong).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn reason_fault(name: &str) -> Option<String> {
    Reason::of(name).is_none().then(|| {
        let all = Reason::ALL.map(Reason::name);
        format!("the router gives no reason '{name}'; it gives {}{}", all.join(", "), meant(name, all))
    })
}
