//! What came of it: a table for a person, JSON for a program.

use std::fmt;

use serde::Serialize;

use super::run::{Contender, Drive};

/// Of all contenders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The policy of the router.
    pub policy: String,
    /// Tasks a trace.
    pub tasks: usize,
    /// Traces.
    pub traces: usize,
    /// What the figures of success rest on.
    pub success_is: &'static str,
    /// Each contender.
    pub policies: Vec<PolicyReport>,
}

/// Of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyReport {
    /// Its name.
    pub name: &'static str,
    /// Share of tasks with a right answer whose first words came in time.
    pub success: f64,
    /// Share of tasks for which the cloud was asked.
    pub cloud_calls: f64,
    /// Private tasks that reached the cloud.
    pub breaches: usize,
    /// Of these, tasks that said of themselves that they were to stay.
    pub breaches_as_told: usize,
    /// Both ways, with probes, a trace.
    pub bytes: f64,
    /// Of these, probes.
    pub probe_bytes: f64,
    /// The longest silence within an answer, over the answers.
    pub silence_ms: Silence,
    /// To the first words, over the answers that had any.
    pub first_words_ms: Silence,
    /// Answers that the model on the vehicle went on with.
    pub hand_overs: usize,
    /// Of these, while the link was alive all the time.
    pub needless_hand_overs: usize,
    /// How often each reason was given; those that were.
    pub reasons: std::collections::BTreeMap<&'static str, u64>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Silence {
    /// Half is at most this.
    pub p50: f64,
    /// 99 of 100 are.
    pub p99: f64,
    /// All are.
    pub max: f64,
}

impl Silence {
    /// Of these.
    pub fn of(seconds: impl Iterator<Item = f64>) -> Silence {
        let mut ms: Vec<f64> = seconds.map(|s| (s * 1000.0).round()).collect();
        ms.sort_by(f64::total_cmp);
        // The nearest rank.
        let rank = |share: f64| {
            let n = (share * ms.len() as f64).ceil() as usize;
            ms.get(n.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Silence { p50: rank(0.5), p99: rank(0.99), max: rank(1.0) }
    }
}

impl PolicyReport {
    pub(super) fn of(contender: Contender, drives: &[Drive]) -> PolicyReport {
        let all = || drives.iter().flat_map(|drive| &drive.tasks);
        let count = all().count().max(1) as f64;
        let of_tasks = |holds: fn(&super::run::Became) -> bool| all().filter(|task| holds(task)).count();
        let a_trace = |sum: f64| (sum / drives.len().max(1) as f64).round();
        let mut reasons = std::collections::BTreeMap::new();
        for (reason, times) in
            drives.iter().flat_map(|drive| drive.reasons.iter()).filter(|(_, times)| *times > 0)
        {
            *reasons.entry(reason.name()).or_insert(0) += times;
        }
        PolicyReport {
            name: contender.name(),
            success: of_tasks(|task| task.success) as f64 / count,
            cloud_calls: of_tasks(|task| task.asked_cloud) as f64 / count,
            breaches: of_tasks(|task| task.breach),
            breaches_as_told: of_tasks(|task| task.breach_as_told),
            bytes: a_trace(drives.iter().map(|drive| drive.bytes).sum()),
            probe_bytes: a_trace(drives.iter().map(|drive| drive.probe_bytes).sum()),
            silence_ms: Silence::of(all().map(|task| task.silence_s)),
            first_words_ms: Silence::of(all().filter_map(|task| task.first_s)),
            hand_overs: of_tasks(|task| task.handed_over),
            needless_hand_overs: of_tasks(|task| task.needless),
            reasons,
        }
    }
}

impl Report {
    pub(super) fn new(policy: &str, tasks: usize, traces: usize, policies: Vec<PolicyReport>) -> Report {
        let success_is = "by the chances of the outcome file: a model, no measurement of answers";
        Report { policy: policy.to_owned(), tasks, traces, success_is, policies }
    }

    /// As JSON.
    ///
    /// # Errors
    /// A number that JSON has no form for.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} tasks over each of {} traces, policy {}", self.tasks, self.traces, self.policy)?;
        writeln!(f, "success is {}", self.success_is)?;
        writeln!(
            f,
            "{:<13} {:>7} {:>6} {:>8} {:>9} {:>23} {:>23} {:>10}",
            "",
            "success",
            "cloud",
            "breaches",
            "kB/trace",
            "silence ms p50/p99/max",
            "first ms p50/p99/max",
            "hand-overs"
        )?;
        for one in &self.policies {
            let three = |s: &Silence| format!("{:.0}/{:.0}/{:.0}", s.p50, s.p99, s.max);
            writeln!(
                f,
                "{:<13} {:>6.1}% {:>5.1}% {:>8} {:>9.0} {:>23} {:>23} {:>10}",
                one.name,
                100.0 * one.success,
                100.0 * one.cloud_calls,
                one.breaches,
                one.bytes / 1000.0,
                three(&one.silence_ms),
                three(&one.first_words_ms),
                one.hand_overs,
            )?;
        }
        if self.policies.iter().any(|one| one.breaches != one.breaches_as_told) {
            let told = self.policies.iter().map(|one| format!("{} {}", one.name, one.breaches_as_told));
            let told = told.collect::<Vec<_>>().join(", ");
            writeln!(
                f,
                "breaches: what left and was private in truth; of those, said to be private by the request itself: {told}"
            )?;
        }
        for one in self.policies.iter().filter(|one| !one.reasons.is_empty()) {
            let reasons: Vec<_> = one.reasons.iter().map(|(name, times)| format!("{name} {times}")).collect();
            writeln!(f, "{}: {}", one.name, reasons.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::run::Became, *};
    use crate::reason::Reason;

    fn became(n: usize) -> Became {
        Became {
            success: n < 1,
            asked_cloud: n < 2,
            breach: n < 3,
            breach_as_told: n < 2,
            handed_over: n < 4,
            needless: n < 1,
            first_s: (n != 4).then_some(n as f64),
            silence_s: n as f64 / 10.0,
            reason: None,
        }
    }

    #[test]
    fn half_is_at_most_the_median_and_99_of_100_the_99th() {
        let of = |count: u32| Silence::of((1..=count).rev().map(|n| f64::from(n) / 1000.0));
        assert_eq!(of(200), Silence { p50: 100.0, p99: 198.0, max: 200.0 });
        assert_eq!(of(3), Silence { p50: 2.0, p99: 3.0, max: 3.0 });
        assert_eq!((of(1).p50, of(0).max), (1.0, 0.0));
        assert_eq!(Silence::of([0.0006].into_iter()).max, 1.0, "whole milliseconds");
    }

    #[test]
    fn a_report_is_the_share_of_all_tasks_and_the_bytes_of_a_trace() {
        let drive = |from: usize| {
            let mut drive = Drive {
                tasks: (from..from + 4).map(became).collect(),
                bytes: 3_000.0,
                probe_bytes: 500.0,
                ..Drive::default()
            };
            drive.reasons.count(Reason::LinkSlow);
            drive
        };
        let report = PolicyReport::of(Contender::Ours, &[drive(0), drive(1)]);
        assert_eq!((report.name, report.success, report.cloud_calls), ("ours", 1.0 / 8.0, 3.0 / 8.0));
        assert_eq!(
            (report.breaches, report.breaches_as_told, report.hand_overs, report.needless_hand_overs),
            (5, 3, 7, 1)
        );
        assert_eq!((report.bytes, report.probe_bytes), (3_000.0, 500.0));
        assert_eq!(
            (report.silence_ms.max, report.first_words_ms.max, report.first_words_ms.p50),
            (400.0, 3_000.0, 2_000.0)
        );
        assert_eq!(report.reasons.into_iter().collect::<Vec<_>>(), [("link_slow", 2)]);
        let nothing = PolicyReport::of(Contender::Ours, &[]);
        assert_eq!((nothing.success, nothing.bytes), (0.0, 0.0));
    }

    #[test]
    fn the_table_tells_shares_kilobytes_breaches_and_reasons() {
        let drive = Drive { tasks: (0..4).map(became).collect(), bytes: 3_000.0, ..Drive::default() };
        let mut reasons = Drive::default();
        reasons.reasons.count(Reason::Held);
        let of = |drives: &[Drive]| {
            Report::new("mine", 4, 1, vec![PolicyReport::of(Contender::Ours, drives)]).to_string()
        };
        let text = of(&[drive]);
        assert!(text.starts_with("4 tasks over each of 1 traces, policy mine\n"), "{text}");
        let row: Vec<_> =
            text.lines().find(|line| line.starts_with("ours")).unwrap().split_whitespace().collect();
        assert_eq!(row, ["ours", "25.0%", "50.0%", "3", "3", "100/300/300", "1000/3000/3000", "4"]);
        assert!(text.contains("said to be private by the request itself: ours 2"), "{text}");
        let text = of(&[reasons]);
        assert!(text.contains("ours: held 1\n") && !text.contains("said to be private"), "{text}");
    }
}
