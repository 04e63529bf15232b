//! What was seen, held against what is expected. Pure.

mod answer;
pub mod meeting;
mod table;

use troika_kit::counted;
use troika_msgs::troika::DriverAlert;

use crate::{
    expect::{Counts, Expectation, Expected, Span},
    judge::meeting::{How, Meeting},
    names,
    seen::Seen,
};

/// What became of one expectation.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// The line of the expectation.
    pub line: usize,
    /// It.
    pub expected: String,
    /// It holds.
    pub holds: bool,
    /// The time that decided, s; none: no single one did.
    pub at_s: Option<f64>,
    /// Where that was seen.
    pub topic: String,
    /// What was seen.
    pub reason: String,
}

/// What decided: whether it holds, when, and what was seen.
struct Found {
    holds: bool,
    at: Option<f64>,
    told: String,
}

fn found(holds: bool, at: impl Into<Option<f64>>, told: impl Into<String>) -> Found {
    Found { holds, at: at.into(), told: told.into() }
}

/// Judges each expectation.
pub fn judge(expectations: &[Expectation], seen: &Seen) -> Vec<Verdict> {
    let one = |expectation: &Expectation| {
        let Found { holds, at, told } = look(expectation, seen);
        Verdict {
            line: expectation.line,
            expected: expectation.told.clone(),
            holds,
            at_s: at,
            topic: topic(&expectation.expected).into(),
            reason: told,
        }
    };
    expectations.iter().map(one).collect()
}

fn topic(expected: &Expected) -> &'static str {
    match expected {
        Expected::Alert { .. }
        | Expected::NoAlert { .. }
        | Expected::AlertsAsTruth { .. }
        | Expected::AlertsAsTable => "/cabin/driver_alert",
        Expected::State { .. } => "/cabin/driver_state",
        Expected::Safety { .. } => "/safety/state",
        Expected::Command { .. } | Expected::NoCommand { .. } => "/voice/command",
        Expected::Reply { .. } => "/voice/reply",
        Expected::Decision { .. } => "/dialogue/decision",
        Expected::Answer { .. } => "/dialogue/reply",
        Expected::NeverLeaves { .. } => "what left the vehicle",
        Expected::Swap { .. } => "/troika/model_update_result",
        Expected::Node { .. } => "/diagnostics",
    }
}

fn look(expectation: &Expectation, seen: &Seen) -> Found {
    let span = expectation.span;
    match &expectation.expected {
        Expected::Alert { kind, profile, cleared } => alert(seen, span, *kind, profile.as_deref(), *cleared),
        Expected::NoAlert { kind, profile } => no_alert(seen, span, *kind, profile.as_deref()),
        Expected::AlertsAsTruth { tolerance_s, except } => {
            let mut meetings = meeting::all(seen, span, *tolerance_s);
            meetings.retain(|one| !except.contains(&one.alert.kind));
            as_truth(&meetings)
        }
        Expected::AlertsAsTable => table::as_table(seen),
        Expected::State { state, share } => {
            let states = seen.states.iter().map(|one| (one.at, one.value.state));
            state_share(states, span, (*state, *share), names::STATES, ["driver state", "frame"])
        }
        Expected::Safety { state, share } => {
            let states = seen.safety.iter().map(|one| (one.at, one.value.state));
            state_share(states, span, (*state, *share), names::SAFETY, ["word of the supervisor", "word"])
        }
        Expected::Command { function, slots, result } => {
            let slots: Vec<_> = slots.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            command(seen, span, function, &slots, *result)
        }
        Expected::NoCommand { function } => no_command(seen, span, function.as_deref()),
        Expected::Reply { says, is } => {
            let said = seen.speech.iter().find(|one| span.holds(one.at) && says.is_match(&one.value.text));
            match (said, is) {
                (Some(one), _) => found(*is, one.at, format!("it says \"{}\"", one.value.text)),
                (None, true) => {
                    let first = seen.speech.iter().find(|one| span.holds(one.at)).map(|one| one.at);
                    found(false, first, said_instead(seen, span))
                }
                (None, false) => found(true, None, "it says nothing of the kind"),
            }
        }
        Expected::Decision { tier, reason } => decision(seen, span, *tier, reason.as_deref()),
        Expected::Answer { asked_at, answer } => answer::answered(seen, *asked_at, answer),
        Expected::NeverLeaves { words } => {
            let left = seen.left.to_lowercase().contains(&words.to_lowercase());
            found(!left, None, if left { "the cloud was told it" } else { "the cloud was not told it" })
        }
        Expected::Swap { model, taken } => {
            let Some(one) = seen.swaps.iter().find(|one| span.holds(one.at) && one.value.model == *model)
            else {
                return found(false, None, format!("no network was offered for {model}"));
            };
            let told =
                one.value.refused.as_ref().map_or_else(|| "it runs".into(), |why| format!("refused: {why}"));
            found(one.value.refused.is_none() == *taken, one.at, told)
        }
        Expected::Node { kind, counts } => node(seen, kind, counts),
    }
}

fn alert_told(alert: &DriverAlert) -> String {
    format!("{} ({})", names::name(names::ALERTS, alert.kind), alert.profile)
}

fn is_of(alert: &DriverAlert, kind: Option<u8>, profile: Option<&str>) -> bool {
    kind.is_none_or(|kind| alert.kind == kind) && profile.is_none_or(|profile| alert.profile == profile)
}

fn alert(seen: &Seen, span: Span, kind: u8, profile: Option<&str>, cleared: bool) -> Found {
    let (phase, told) =
        if cleared { (DriverAlert::CLEARED, "cleared") } else { (DriverAlert::RAISED, "raised") };
    let alike = || {
        seen.alerts
            .iter()
            .filter(move |one| one.value.phase == phase && is_of(&one.value, Some(kind), profile))
    };
    if let Some(one) = alike().find(|one| span.holds(one.at)) {
        return found(true, one.at, format!("{told} at {:.3} s", one.at));
    }
    let away = |at: f64| (span.from - at).max(at - span.to);
    match alike().min_by(|a, b| away(a.at).total_cmp(&away(b.at))) {
        Some(one) => {
            let side = if one.at < span.from { "before" } else { "after" };
            found(false, one.at, format!("{told} at {:.3} s, {:.3} s {side} its time", one.at, away(one.at)))
        }
        None => found(false, None, format!("never {told}")),
    }
}

fn no_alert(seen: &Seen, span: Span, kind: Option<u8>, profile: Option<&str>) -> Found {
    let raised = seen.alerts.iter().find(|one| {
        one.value.phase == DriverAlert::RAISED && span.holds(one.at) && is_of(&one.value, kind, profile)
    });
    match raised {
        Some(one) => found(false, one.at, format!("{} at {:.3} s", alert_told(&one.value), one.at)),
        None => found(true, None, "none"),
    }
}

fn as_truth(meetings: &[Meeting]) -> Found {
    let mut furthest: f64 = 0.0;
    for one in meetings {
        let told = alert_told(&one.alert);
        match one.how {
            How::Met { late_s } => furthest = furthest.max(late_s.abs()),
            // Who is blinded may be late, or miss what began meanwhile.
            _ if one.blinded => {}
            How::Missed { nearest_s: Some(apart) } => {
                let told = format!("{told} is due at {:.3} s and raised {apart:.3} s from there", one.at);
                return found(false, one.at, told);
            }
            How::Missed { nearest_s: None } => {
                return found(false, one.at, format!("{told} is due at {:.3} s and not raised", one.at));
            }
            How::False => {
                return found(false, one.at, format!("{told} at {:.3} s, and nothing calls for it", one.at));
            }
        }
    }
    let met = meetings.iter().filter(|one| matches!(one.how, How::Met { .. })).count();
    let excused = match meetings.len() - met {
        0 => String::new(),
        some => format!("; {some} more or fewer around glare"),
    };
    found(true, None, format!("{met} as due, the furthest {:.0} ms from its time{excused}", furthest * 1e3))
}

fn state_share(
    states: impl Iterator<Item = (f64, u8)>,
    span: Span,
    (state, share): (u8, f64),
    names: names::Names,
    [what, one_of_them]: [&str; 2],
) -> Found {
    let within: Vec<_> = states.filter(|(at, _)| span.holds(*at)).collect();
    if within.is_empty() {
        return found(false, None, format!("no {what} came"));
    }
    let all = counted(within.len(), one_of_them);
    let got = within.iter().filter(|(_, is)| *is == state).count() as f64 / within.len() as f64;
    let Some((at, other)) = within.iter().find(|(_, is)| *is != state) else {
        return found(true, None, format!("all of {all}"));
    };
    let instead = names::name(names, *other);
    found(got >= share, *at, format!("{:.1} % of {all}; {instead} at {at:.3} s", got * 100.0))
}

fn command(seen: &Seen, span: Span, function: &str, slots: &[(&str, &str)], result: Option<u8>) -> Found {
    let within = || seen.commands.iter().filter(|one| span.holds(one.at));
    let sent = within().find(|one| {
        let has = |(name, value): &(&str, &str)| {
            one.value.slots.iter().any(|s| s.name == *name && s.value == *value)
        };
        one.value.function == function && slots.iter().all(has)
    });
    let Some(sent) = sent else {
        let told = within().map(|one| {
            let slots: Vec<_> =
                one.value.slots.iter().map(|slot| format!("{}={}", slot.name, slot.value)).collect();
            format!("{} {} at {:.3} s", one.value.function, slots.join(" "), one.at)
        });
        let told: Vec<String> = told.collect();
        let sent = if told.is_empty() { "no command".to_owned() } else { told.join("; ") };
        let first = within().next().map(|one| one.at);
        return found(false, first, format!("sent was: {sent}; {}", said_instead(seen, span)));
    };
    let Some(wanted) = result else { return found(true, sent.at, format!("sent at {:.3} s", sent.at)) };
    let results: Vec<_> = seen.results.iter().filter(|one| one.value.command_id == sent.value.id).collect();
    let got = results.iter().find(|one| one.value.status == wanted);
    match (got, results.last()) {
        (Some(one), _) => {
            found(true, one.at, format!("{} at {:.3} s", names::name(names::RESULTS, wanted), one.at))
        }
        (None, Some(last)) => {
            let status = names::name(names::RESULTS, last.value.status);
            found(false, last.at, format!("it ended {status}: {}", last.value.reason))
        }
        (None, None) => found(false, sent.at, "nothing was heard of it"),
    }
}

fn no_command(seen: &Seen, span: Span, function: Option<&str>) -> Found {
    let alike = |name: &str| function.is_none_or(|function| function == name);
    match seen.commands.iter().find(|one| span.holds(one.at) && alike(&one.value.function)) {
        Some(one) => found(false, one.at, format!("{} at {:.3} s", one.value.function, one.at)),
        None => found(true, None, "none"),
    }
}

fn said_instead(seen: &Seen, span: Span) -> String {
    let said = seen.speech.iter().filter(|one| span.holds(one.at));
    let said: Vec<_> = said.map(|one| format!("\"{}\" at {:.3} s", one.value.text, one.at)).collect();
    if said.is_empty() { "it says nothing".into() } else { format!("it says {}", said.join(", ")) }
}

fn decision(seen: &Seen, span: Span, tier: u8, reason: Option<&str>) -> Found {
    let within = || seen.decisions.iter().filter(|one| span.holds(one.at));
    let alike =
        within().find(|one| one.value.tier == tier && reason.is_none_or(|reason| one.value.reason == reason));
    match (alike, within().next_back()) {
        (Some(one), _) => found(true, one.at, format!("decided at {:.3} s: {}", one.at, one.value.reason)),
        (None, Some(one)) => {
            let told = names::name(names::TIERS, one.value.tier);
            found(false, one.at, format!("decided was {told}: {}", one.value.reason))
        }
        (None, None) => found(false, None, "nothing was decided"),
    }
}

fn node(seen: &Seen, kind: &str, wanted: &Counts) -> Found {
    let Some(node) = seen.nodes.iter().find(|node| node.kind == kind) else {
        let kinds: Vec<_> = seen.nodes.iter().map(|node| node.kind.as_str()).collect();
        return found(false, None, format!("no {kind} ran; there are {}", kinds.join(", ")));
    };
    let told = format!(
        "{}, {} missed, {}{}, latest start {:.1} ms, level {} after {}",
        counted(node.steps, "step"),
        node.missed,
        counted(node.fall_backs, "fall-back"),
        if node.stood_in > 0 {
            format!(" ({} of its stand-in, while its process was gone)", node.stood_in)
        } else {
            String::new()
        },
        node.lateness_ms,
        node.level,
        counted(node.level_changes, "change")
    );
    let holds = [
        ("missed_at_most", wanted.missed_at_most.is_none_or(|most| node.missed <= most)),
        ("fall_backs_at_least", wanted.fall_backs_at_least.is_none_or(|least| node.fall_backs >= least)),
        ("fall_backs_at_most", wanted.fall_backs_at_most.is_none_or(|most| node.fall_backs <= most)),
        ("lateness_below_ms", wanted.lateness_below_ms.is_none_or(|most| node.lateness_ms < most)),
        // Levels change one at a time: two changes are there and back.
        (
            "reaches_level",
            wanted.reaches_level.is_none_or(|level| node.level >= level || node.level_changes >= 2 * level),
        ),
        ("ends_at_level", wanted.ends_at_level.is_none_or(|level| node.level == level)),
    ];
    let broken: Vec<&str> = holds.iter().filter(|(_, holds)| !holds).map(|(key, _)| *key).collect();
    let told = if broken.is_empty() { told } else { format!("{told}; not held: {}", broken.join(", ")) };
    found(broken.is_empty(), None, told)
}

#[cfg(test)]
mod tests;
