//! What became of scenarios: for a person, as JSON, and as JUnit XML for a build server.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as JUnit, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use crate::{case::Level, judge::Verdict};

/// What became of one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Its file.
    pub file: String,
    /// Its name; empty: it could not be read.
    pub name: String,
    /// "landmarks" or "pixels".
    pub level: &'static str,
    /// Pictures were rendered, of a driver or of a hand.
    pub rendered: bool,
    /// Virtual time, s.
    pub virtual_seconds: f64,
    /// Wall time, s.
    pub wall_seconds: f64,
    /// One for each expectation.
    pub verdicts: Vec<Verdict>,
    /// Why it could not be judged.
    pub fault: Option<String>,
}

impl Outcome {
    /// Every expectation holds.
    pub fn passed(&self) -> bool {
        self.fault.is_none() && self.verdicts.iter().all(|verdict| verdict.holds)
    }
}

/// The name of a level.
pub const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Landmarks => "landmarks",
        Level::Pixels => "pixels",
    }
}

/// What became of all.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Scenarios whose expectations all hold.
    pub passed: usize,
    /// The others.
    pub failed: usize,
    /// Expectations, in all.
    pub expectations: usize,
    /// Virtual time, s.
    pub virtual_seconds: f64,
    /// Wall time from the first to the last, s.
    pub wall_seconds: f64,
    /// Of those without pictures: virtual seconds for one of a processor's.
    pub speed_landmarks: Option<f64>,
    /// Of those with.
    pub speed_pixels: Option<f64>,
    /// In the order that they were given.
    pub scenarios: Vec<Outcome>,
}

impl Report {
    /// Of these, which took so long together.
    pub fn new(scenarios: Vec<Outcome>, wall_seconds: f64) -> Report {
        let speed = |rendered: bool| {
            let of = || scenarios.iter().filter(|one| one.rendered == rendered && one.fault.is_none());
            let wall: f64 = of().map(|one| one.wall_seconds).sum();
            (wall > 0.0).then(|| of().map(|one| one.virtual_seconds).sum::<f64>() / wall)
        };
        Report {
            passed: scenarios.iter().filter(|one| one.passed()).count(),
            failed: scenarios.iter().filter(|one| !one.passed()).count(),
            expectations: scenarios.iter().map(|one| one.verdicts.len()).sum(),
            virtual_seconds: scenarios.iter().map(|one| one.virtual_seconds).sum(),
            wall_seconds,
            speed_landmarks: speed(false),
            speed_pixels: speed(true),
            scenarios,
        }
    }

    /// JUnit XML: a suite for each scenario, a case for each expectation, an error where none could be judged. A scenario is played once for
    /// all of its expectations: each has an equal part of that time.
    ///
    /// # Errors
    /// What the writer says.
    pub fn to_junit(&self) -> Result<String, quick_junit::SerializeError> {
        let mut report = JUnit::new("troika sim");
        report.set_time(Duration::from_secs_f64(self.wall_seconds));
        for scenario in &self.scenarios {
            let mut suite = TestSuite::new(scenario.file.clone());
            suite.set_time(Duration::from_secs_f64(scenario.wall_seconds));
            suite.add_property(("virtual_seconds", format!("{:.3}", scenario.virtual_seconds).as_str()));
            let status = |kind, message: String| {
                let mut status = TestCaseStatus::non_success(kind);
                status.set_message(message);
                status
            };
            let cases = scenario.verdicts.len() + usize::from(scenario.fault.is_some());
            let mut add = |name: String, status| {
                let mut case = TestCase::new(name, status);
                case.set_classname(scenario.file.clone());
                case.set_time(Duration::from_secs_f64(scenario.wall_seconds / cases as f64));
                suite.add_test_case(case);
            };
            if let Some(fault) = &scenario.fault {
                add("can be judged".to_owned(), status(NonSuccessKind::Error, fault.clone()));
            }
            for verdict in &scenario.verdicts {
                let status = match verdict.holds {
                    true => TestCaseStatus::success(),
                    false => {
                        status(NonSuccessKind::Failure, format!("{}: {}", verdict.topic, verdict.reason))
                    }
                };
                add(format!("line {}: {}", verdict.line, verdict.expected), status);
            }
            report.add_test_suite(suite);
        }
        report.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(holds: bool) -> Outcome {
        let verdict = Verdict {
            line: 9,
            expected: "alert <sleep>".into(),
            holds,
            at_s: Some(4.0),
            topic: "/cabin/driver_alert".into(),
            reason: "never raised".into(),
        };
        Outcome {
            file: "a.toml".into(),
            name: "a".into(),
            level: "landmarks",
            rendered: false,
            virtual_seconds: 30.0,
            wall_seconds: 0.5,
            verdicts: vec![verdict],
            fault: None,
        }
    }

    #[test]
    fn counts_speed_and_junit_tell_the_same() {
        let unread = Outcome {
            verdicts: Vec::new(),
            fault: Some("a.toml, line 3: unknown field".into()),
            ..outcome(true)
        };
        let hand = Outcome { rendered: true, wall_seconds: 20.0, ..outcome(true) };
        let with_a_hand = Report::new(vec![outcome(true), hand], 1.0);
        assert_eq!((with_a_hand.speed_landmarks, with_a_hand.speed_pixels), (Some(60.0), Some(1.5)));
        let report = Report::new(vec![outcome(true), outcome(false), unread], 1.0);
        assert_eq!((report.passed, report.failed, report.expectations), (1, 2, 2));
        assert_eq!((report.speed_landmarks, report.speed_pixels), (Some(60.0), None));
        let xml = report.to_junit().expect("it is written");
        let head = xml.lines().find(|line| line.contains("<testsuites")).expect("the head");
        for count in [r#"tests="3""#, r#"errors="1""#, r#"failures="1""#] {
            assert!(head.contains(count), "{head}");
        }
        assert!(xml.contains(r#"classname="a.toml" time="0.500""#), "{xml}");
        assert!(
            xml.contains("line 9: alert &lt;sleep&gt;") && xml.contains("/cabin/driver_alert: never raised")
        );
        assert!(xml.contains("line 3: unknown field"));
    }
}
