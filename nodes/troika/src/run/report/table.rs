//! The table at the end of a run.

use std::fmt::Write as _;

use troika_kit::counted;

use super::{AlertFigures, ChainFigures, DriverStateFigures, Report, times};

impl AlertFigures {
    fn told(&self, what: &str) -> String {
        let mut line = format!("{what:<7}{:>8.2} s  {} ({})", self.at_s, self.alert, self.profile);
        if let (Some(truth), Some(from), Some(to)) = (&self.truth, self.truth_from_s, self.truth_to_s) {
            let _ = write!(line, "; by the truth {truth} from {from:.2} to {to:.2} s");
        } else if self.at_s < 0.0 {
            line.push_str("; its stamp is older than this run's first frame: is something played beside it?");
        }
        line
    }
}

impl DriverStateFigures {
    /// What the scores leave out, and why.
    fn write_unknown(&self, out: &mut String) -> std::fmt::Result {
        if self.unanswered_frames > 0 {
            writeln!(
                out,
                "                 frames without an answer, all wrong: {}",
                self.unanswered_frames
            )?;
        }
        if self.unjudged_at_the_end > 0 {
            writeln!(
                out,
                "                 not judged: {} due less than a second before the end",
                counted(self.unjudged_at_the_end as u64, "alert")
            )?;
        }
        if self.unknown.count > 0 {
            writeln!(
                out,
                "                 nothing known of the driver for {:.1} s, over 0.3 s at a time {}, the longest {:.1}; by the truth {:.1} s",
                self.unknown.seconds,
                times(self.unknown.count),
                self.unknown.longest_s,
                self.unknown.by_the_truth_s
            )?;
        }
        let Some(heard) = &self.heard else { return Ok(()) };
        let lost = heard.truths_sent.map_or(0, |sent| sent - heard.truths);
        if heard.gaps > 0 {
            write!(
                out,
                "                 not judged: {:.1} s without the driver's truth, in {}",
                heard.gap_seconds,
                counted(heard.gaps, "gap")
            )?;
            match (self.unjudged_silent_alerts, self.unjudged_raised_alerts) {
                (0, 0) => writeln!(out, "; no alert would have been due then")?,
                (silent, raised) => writeln!(
                    out,
                    "; {} may have been due then and not raised, {raised} raised then right or false",
                    counted(silent, "alert")
                )?,
            }
        }
        for one in &self.unjudged_which {
            writeln!(out, "                 {}", one.told("silent"))?;
        }
        if lost > 0 || heard.alerts_lost > 0 {
            writeln!(
                out,
                "                 lost on the way here, and in no score: the truth of {}, {}",
                counted(lost, "frame"),
                counted(heard.alerts_lost, "alert")
            )?;
        }
        Ok(())
    }
}

impl ChainFigures {
    fn told(&self) -> String {
        let chain = format!("{} ({})", self.chain, self.nodes.join(" > "));
        let goal = format!("goal {} ms", self.goal_ms);
        match (&self.took_ms, self.held) {
            (Some(took), Some(held)) => {
                let verdict = match held {
                    true => "held",
                    // Both longest times need not be of one message: that it broke its goal is not shown, and neither that it held.
                    false => "NOT SHOWN to hold",
                };
                format!(
                    "{chain}: at most {:.1} ms, its nodes' longest added (p50 {:.1}, p99 {:.1}); {goal}: {verdict}",
                    took.max, took.p50, took.p99
                )
            }
            _ => format!("{chain}: not all of its nodes gave figures; {goal}: NOT JUDGED"),
        }
    }
}

impl Report {
    /// The table at the end.
    pub(in crate::run) fn table(&self) -> String {
        let mut out = String::new();
        self.write_table(&mut out).unwrap_or_default();
        out
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: {:.1} s over {}", self.system, self.seconds, self.transport)?;
        if let Some(networks) = &self.networks {
            writeln!(out, "  networks       {networks}")?;
        }
        let share =
            if self.frames_due > 0 { self.frames_done as f64 / self.frames_due as f64 * 100.0 } else { 0.0 };
        // Figures go with the process that counted them.
        let counted = match self.watchdogs.iter().any(|one| one.restarts > 0 || one.given_up) {
            true => "counted in the last life of the process alone".to_owned(),
            false => format!("{share:.1} %"),
        };
        writeln!(
            out,
            "  frames         {} due, {} made, {} done ({counted})",
            self.frames_due, self.frames_in, self.frames_done
        )?;
        if let Some(driver) = &self.driver_state
            && let (Some(accuracy), Some(constant)) = (driver.accuracy, driver.constant_accuracy)
        {
            writeln!(out, "  driver state   accuracy {accuracy:.3} (best constant answer {constant:.3})")?;
            for state in &driver.states {
                writeln!(
                    out,
                    "                 {:<13} recall {:.3}, {:.0} % of the frames",
                    state.state,
                    state.recall,
                    state.share * 100.0
                )?;
            }
            writeln!(
                out,
                "  alerts         {} expected, {} missed (of closed eyes: {}), {} false{}",
                driver.expected_alerts,
                driver.missed_alerts,
                driver.missed_sleep_alerts,
                driver.false_alerts,
                match driver.unavailable_alerts {
                    0 => String::new(),
                    count => format!("; monitoring unavailable, due or not: {}", times(count as u64)),
                }
            )?;
            for one in &driver.unavailable_which {
                let to = one.to_s.map_or("the end".to_owned(), |to| format!("{to:.2} s"));
                writeln!(
                    out,
                    "                 unavailable from {:.2} s to {to} ({})",
                    one.from_s, one.profile
                )?;
            }
            let missed = driver.missed_which.iter().map(|one| one.told("missed"));
            for line in missed.chain(driver.false_which.iter().map(|one| one.told("false"))) {
                writeln!(out, "                 {line}")?;
            }
            driver.write_unknown(out)?;
        }
        if let Some(age) = self.driver_state.as_ref().and_then(|driver| driver.age_ms) {
            writeln!(
                out,
                "  frame's age    when its state was heard here, from its stamp: p50 {:.1} ms, p99 {:.1}, p99.9 {:.1}, max {:.1}",
                age.p50, age.p99, age.p999, age.max
            )?;
        }
        if let Some(safety) = &self.safety {
            writeln!(
                out,
                "  safety         nominal {:.1} s, degraded {:.1}, safe {:.1}, nothing said {:.1}",
                safety.nominal_s, safety.degraded_s, safety.safe_s, safety.silent_s
            )?;
        }
        for chain in &self.chains {
            writeln!(out, "  chain          {}", chain.told())?;
        }
        if self.voice.as_ref().is_some_and(|voice| voice.utterances == 0) {
            writeln!(out, "  voice          heard nothing")?;
        } else if let Some(voice) = &self.voice {
            match voice.scored {
                true => write!(
                    out,
                    "  voice          {} of {} utterances exactly right",
                    voice.correct, voice.utterances
                )?,
                false => write!(out, "  voice          {} utterances", voice.utterances)?,
            }
            match &voice.latency_ms {
                Some(latency) => writeln!(
                    out,
                    "; end of speech to command p50 {:.0} ms, p99 {:.0} ms",
                    latency.p50, latency.p99
                )?,
                None => writeln!(out)?,
            }
        }
        if !self.nodes.is_empty() {
            writeln!(
                out,
                "  {:<15}{:>8}   {:<33}   {:<16}",
                "", "", "release to output, if any, ms", "every step alone, ms"
            )?;
            writeln!(
                out,
                "  {:<15}{:>8}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}{:>7}{:>9}{:>8}{:>7}",
                "node",
                "steps",
                "p50",
                "p99",
                "p99.9",
                "max",
                "p50",
                "max",
                "late",
                "too late",
                "missed",
                "faults"
            )?;
            for node in &self.nodes {
                writeln!(
                    out,
                    "  {:<15}{:>8}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>10.2}{:>9.2}{:>7}{:>9}{:>8}{:>7}{}",
                    node.node,
                    node.steps,
                    node.latency_ms.p50,
                    node.latency_ms.p99,
                    node.latency_ms.p999,
                    node.latency_ms.max,
                    node.step_ms.p50,
                    node.step_ms.max,
                    node.late,
                    node.too_late,
                    node.missed,
                    node.faults,
                    if node.real_time { "  real-time" } else { "" }
                )?;
                if let Some(level) = &node.level {
                    match node.level_changes {
                        0 => write!(out, "    level {level} throughout")?,
                        changes => write!(out, "    level {level} at the end, changed {}", times(changes))?,
                    }
                    match node.skipped {
                        0 => writeln!(out)?,
                        skipped => writeln!(out, "; inputs passed over because of it: {skipped}")?,
                    }
                }
                if node.over_budget > 0 {
                    writeln!(out, "    steps over their budget: {}", node.over_budget)?;
                }
                if let Some(fault) = &node.last_fault {
                    writeln!(
                        out,
                        "    fell back {}, which the times hold too; last for: {fault}",
                        times(node.fall_backs)
                    )?;
                }
                if node.undecodable > 0 || node.dropped > 0 {
                    writeln!(
                        out,
                        "    messages to it that could not be read: {}; to it or from it that a full queue dropped: {}",
                        node.undecodable, node.dropped
                    )?;
                }
            }
        }
        for watchdog in &self.watchdogs {
            writeln!(
                out,
                "  watchdog       {}: {} silences, {} fall-backs, killed {}, died {}, restarted {}{}",
                watchdog.process,
                watchdog.silences,
                watchdog.fall_backs,
                watchdog.killed,
                watchdog.died,
                watchdog.restarts,
                if watchdog.given_up { ", given up" } else { "" }
            )?;
        }
        if let Some(floor) = &self.machine.floor_us {
            writeln!(
                out,
                "  machine floor  p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, max {:.0} us (a thread that only wakes up)",
                floor.p50, floor.p99, floor.p999, floor.max
            )?;
        }
        for notice in &self.notices {
            writeln!(out, "  notice         {notice}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::score::Standing, Heard, NodeFigures, Percentiles, SafetyFigures, Unknown},
        *,
    };
    use crate::kinds::NetworksOn;

    #[test]
    fn the_alerts_missed_are_named_and_chains_are_judged() {
        let missed = AlertFigures {
            alert: "sleep".into(),
            profile: "euro_ncap".into(),
            at_s: 12.34,
            truth: Some("eyes_closed".into()),
            truth_from_s: Some(9.0),
            truth_to_s: Some(15.5),
        };
        let driver = DriverStateFigures {
            accuracy: Some(0.5),
            constant_accuracy: Some(0.25),
            missed_alerts: 1,
            missed_which: vec![missed],
            unavailable_alerts: 1,
            unavailable_which: vec![Standing { profile: "troika".into(), from_s: 20.0, to_s: None }],
            unknown: Unknown { count: 2, seconds: 9.0, longest_s: 6.0, by_the_truth_s: 6.5 },
            age_ms: Some(Percentiles { p50: 9.0, p99: 12.0, p999: 13.0, max: 20.25 }),
            ..DriverStateFigures::default()
        };
        let took = |max: f64| Percentiles { p50: 5.0, p99: 8.0, p999: 9.0, max };
        let chain = |took_ms: Option<Percentiles>| ChainFigures {
            chain: "alert".into(),
            nodes: vec!["driver_state".into(), "driver_monitor".into()],
            goal_ms: 50.0,
            took_ms,
            held: took_ms.map(|took| took.max <= 50.0),
        };
        let chains = vec![chain(Some(took(14.0))), chain(Some(took(61.0))), chain(None)];
        let node = NodeFigures { node: "/driver_state".into(), step_ms: took(7.5), ..NodeFigures::default() };
        let safety = SafetyFigures { nominal_s: 20.0, degraded_s: 5.0, safe_s: 1.5, silent_s: 0.0 };
        let networks = NetworksOn { fast_networks: true, instructions: Some("AVX2".into()) };
        let report = Report {
            networks: Some(networks),
            driver_state: Some(driver),
            safety: Some(safety),
            chains,
            nodes: vec![node],
            ..Report::default()
        };
        let table = report.table();
        for part in [
            "networks       on our kernels (AVX2 here)",
            "missed    12.34 s  sleep (euro_ncap); by the truth eyes_closed from 9.00 to 15.50 s",
            "from its stamp: p50 9.0 ms, p99 12.0, p99.9 13.0, max 20.2",
            "alert (driver_state > driver_monitor): at most 14.0 ms, its nodes' longest added",
            "goal 50 ms: held",
            "goal 50 ms: NOT SHOWN to hold",
            "goal 50 ms: NOT JUDGED",
            "monitoring unavailable, due or not: once",
            "unavailable from 20.00 s to the end (troika)",
            "nothing known of the driver for 9.0 s, over 0.3 s at a time 2 times, the longest 6.0; by the truth 6.5 s",
            "safety         nominal 20.0 s, degraded 5.0, safe 1.5, nothing said 0.0",
            "release to output, if any, ms",
            "step alone, ms",
        ] {
            assert!(table.contains(part), "{part}: {table}");
        }
    }

    #[test]
    fn what_was_lost_and_what_cannot_be_judged_is_in_the_table() {
        let heard = Heard { truths: 92, truths_sent: Some(100), gaps: 70, gap_seconds: 58.1, alerts_lost: 1 };
        let driver = DriverStateFigures {
            accuracy: Some(0.5),
            constant_accuracy: Some(0.25),
            unjudged_silent_alerts: 3,
            unjudged_at_the_end: 1,
            unjudged_which: vec![AlertFigures {
                alert: "sleep".into(),
                profile: "euro_ncap".into(),
                at_s: 18.5,
                ..AlertFigures::default()
            }],
            unanswered_frames: 9,
            heard: Some(heard),
            ..DriverStateFigures::default()
        };
        let report = Report { driver_state: Some(driver), ..Report::default() };
        let table = report.table();
        for part in [
            "0 expected, 0 missed",
            "without an answer, all wrong: 9",
            "not judged: 1 alert due less than a second before the end",
            "silent    18.50 s  sleep (euro_ncap)",
            "not judged: 58.1 s without the driver's truth, in 70 gaps; 3 alerts may have been due",
            "in no score: the truth of 8 frames, 1 alert",
        ] {
            assert!(table.contains(part), "{part}: {table}");
        }
        let json = serde_json::to_value(&report).expect("it is JSON");
        assert_eq!(json["driver_state"]["heard"]["gaps"], 70);
        assert!(!Report::default().table().contains("not judged"));
    }
}
