//! What came of it, as the router's simulator reports it, with who stood in for whom.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};
use troika_router::simulate::{Contender, PolicyReport, Report as Table, Silence};

use crate::drive::{Became, Drive};

/// Of all policies.
pub(crate) struct Report {
    table: Table,
    cuts_an_hour: f64,
    seed: u64,
    /// Requests that the vehicle's model was asked in this run, and answers of it that are kept.
    model: (usize, usize),
}

const SUCCESS_IS: &str = "the judge's word on what was said, if its first words came in time; in the cloud's place a scripted \
                          stand-in (troika-expert), no language model";

impl Report {
    pub(crate) fn new(policy: &str, tasks: usize, traces: usize, cuts_an_hour: f64, seed: u64) -> Report {
        let table =
            Table { policy: policy.into(), tasks, traces, success_is: SUCCESS_IS, policies: Vec::new() };
        Report { table, cuts_an_hour, seed, model: (0, 0) }
    }

    pub(crate) fn model(&mut self, asked: usize, kept: usize) {
        self.model = (asked, kept);
    }

    pub(crate) fn add(&mut self, contender: Contender, drives: &[Drive]) {
        let all = || drives.iter().flat_map(|drive| &drive.tasks);
        let count = all().count().max(1) as f64;
        let of = |holds: fn(&Became) -> bool| all().filter(|task| holds(task)).count();
        let a_trace = |sum: f64| (sum / drives.len().max(1) as f64).round();
        let mut reasons = BTreeMap::new();
        for (reason, times) in drives.iter().flat_map(|drive| &drive.reasons) {
            *reasons.entry(*reason).or_insert(0) += times;
        }
        self.table.policies.push(PolicyReport {
            name: contender.name(),
            success: of(|task| task.success) as f64 / count,
            cloud_calls: of(|task| task.asked_cloud) as f64 / count,
            breaches: of(|task| task.breach),
            breaches_as_told: of(|task| task.breach_as_told),
            bytes: a_trace(drives.iter().map(|drive| drive.bytes).sum()),
            probe_bytes: a_trace(drives.iter().map(|drive| drive.probe_bytes).sum()),
            silence_ms: Silence::of(all().flat_map(|task| task.silence_s.iter().copied())),
            first_words_ms: Silence::of(all().flat_map(|task| task.first_s.iter().copied())),
            hand_overs: of(|task| task.handed_over),
            needless_hand_overs: of(|task| task.needless),
            reasons,
        });
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "policies": self.table.policies, "tasks": self.table.tasks, "traces": self.table.traces,
            "cuts_an_hour": self.cuts_an_hour, "seed": self.seed, "success_is": SUCCESS_IS,
            "measurable": self.measurable(), "vehicle_model_answers": self.model.1,
        })
    }

    /// Where the vehicle alone comes within 20 points of the cloud alone, nothing is shown by choosing between them.
    fn measurable(&self) -> bool {
        let success = |name| self.table.policies.iter().find(|one| one.name == name).map(|one| one.success);
        match (success("always_local"), success("always_cloud")) {
            (Some(local), Some(cloud)) => cloud - local >= 0.2,
            _ => false,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table)?;
        let named = |name| self.table.policies.iter().find(|one| one.name == name);
        if let (Some(ours), Some(cloud)) = (named("ours"), named("always_cloud")) {
            writeln!(
                f,
                "ours has {:.1} % of always_cloud's success with {:.1} % of calls; {} breaches, {} as told",
                100.0 * ours.success / cloud.success.max(1e-9),
                100.0 * ours.cloud_calls,
                ours.breaches,
                ours.breaches_as_told
            )?;
        }
        if !self.measurable() {
            writeln!(f, "not measurable here: always_local comes within 20 points of always_cloud")?;
        }
        writeln!(
            f,
            "the vehicle's model was asked {} times in this run, {} answers are kept",
            self.model.0, self.model.1
        )
    }
}
