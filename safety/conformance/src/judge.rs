//! What belongs here: the comparison of what a DMS published with what the oracle expects of the trace.
//!
//! A DMS decides when a frame arrives. "Within one frame of the limit" is the first frame whose stamp is at or after
//! the limit, or the one after it; the same for an end. Nothing before the limit, nothing later than that.

mod excerpt;
mod tally;
#[cfg(test)]
mod tests;

use crate::interval::{Interval, IntervalSet};
use crate::oracle::{Episode, Expectation, Reading, Rule, expectations};
use crate::time::{MS, Ns, ROUNDING, SECOND, seconds};
use crate::trace::{Alert, Kind, Phase, Profile, Trace, Zone};
pub use excerpt::excerpt;
use std::fmt;
pub use tally::{Counts, Tally};

/// As [`ROUNDING`], for the stamp that an alert carries, which may have passed through 32-bit seconds.
const STAMP_ROUNDING: Ns = MS;

/// An alert may go at the first frame of an excursion or of a return, this long before it has to.
const ENDING: Ns = 400 * MS;

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Raised while the condition held, before its limit.
    Early,
    /// Raised, after the second frame.
    Late,
    /// Not raised while it had to be.
    Missing,
    /// Raised without its condition, or by a profile that is off.
    False,
    /// Still active after its end.
    NotCleared,
    /// Cleared while its condition held, or a latched one before the driver acted.
    ClearedEarly,
    /// Raised while raised, or cleared while cleared.
    Repeated,
    /// Carries a stamp at which no limit had passed, or one after its publication.
    Misstamped,
    /// Names a target at which the driver had not looked.
    Misnamed,
}

/// One difference between what was published and the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// In which way they differ.
    pub fault: Fault,
    /// That of the expectation; where none fits, that of the alert.
    pub profile: Profile,
    /// As `profile`.
    pub kind: Kind,
    /// The part of the table, where the trace has an episode that it belongs to.
    pub rule: Option<Rule>,
    /// When it happened, or when the alert was due.
    pub at_ns: Ns,
    /// When the limit passed; none where `rule` is none.
    pub limit_moment_ns: Option<Ns>,
    /// How long the limit is; none where `rule` is none.
    pub limit_ns: Option<Ns>,
    /// The trace around it, for a person.
    pub excerpt: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (profile, kind) = (self.profile.name(), self.kind);
        write!(out, "{profile}, {kind}: {}, at {:.3} s", self.fault, seconds(self.at_ns))?;
        if let (Some(rule), Some(moment), Some(limit)) = (self.rule, self.limit_moment_ns, self.limit_ns) {
            write!(
                out,
                " ({rule}; the limit of {:.1} s passes at {:.3} s)",
                seconds(limit),
                seconds(moment)
            )?;
        }
        write!(out, "\n{}", self.excerpt)
    }
}

/// The outcome of one trace.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// By [`Violation::at_ns`]; empty when all was as the table has it.
    pub violations: Vec<Violation>,
    /// What there was to be checked in the trace.
    pub tally: Tally,
}

/// Holds the published alerts against the table.
#[must_use]
pub fn judge(trace: &Trace, reading: &Reading, alerts: &[Alert]) -> Verdicts {
    let expected = expectations(trace, reading);
    let mut verdicts = Verdicts::default();
    for expectation in &expected {
        let view = View::of(trace, expectation, alerts);
        view.check_raises(&mut verdicts.violations);
        view.check_active(&mut verdicts.violations);
        view.check_once(&mut verdicts.violations);
        view.check_ends(&mut verdicts);
        view.check_clears(&mut verdicts.violations);
        verdicts.tally.count(trace, expectation);
    }
    let known = |alert: &Alert| expected.iter().any(|e| belongs(alert, e));
    // The system's own profile has rules of its own, which are not in the table.
    for alert in
        alerts.iter().filter(|a| a.phase == Phase::Raised && a.profile != Profile::Troika && !known(a))
    {
        let nothing = Expectation::never(alert.profile, alert.kind);
        let view = View::of(trace, &nothing, &[]);
        verdicts.violations.push(view.violation(Fault::False, alert.published_ns));
    }
    verdicts.violations.sort_by_key(|v| v.at_ns);
    verdicts
}

/// "Monitoring unavailable" belongs to no profile in the table: it counts under whichever a DMS publishes it.
fn belongs(alert: &Alert, expectation: &Expectation) -> bool {
    let any_profile = expectation.kind == Kind::MonitoringUnavailable;
    alert.kind == expectation.kind && (any_profile || alert.profile == expectation.profile)
}

/// One alert of one trace: what was expected and what was published.
struct View<'a> {
    trace: &'a Trace,
    stamps: Vec<Ns>,
    expected: &'a Expectation,
    published: Vec<Alert>,
    active: IntervalSet,
}

impl<'a> View<'a> {
    fn of(trace: &'a Trace, expected: &'a Expectation, alerts: &[Alert]) -> Self {
        let stamps: Vec<Ns> = trace.frames.iter().map(|f| f.stamp_ns).collect();
        let mut published: Vec<Alert> = alerts.iter().filter(|a| belongs(a, expected)).copied().collect();
        published.sort_by_key(|a| a.published_ns);
        let end = stamps.last().map_or(0, |s| s + 1);
        let active = active(&published, end);
        Self { trace, stamps, expected, published, active }
    }

    fn second_frame_from(&self, t: Ns) -> Option<Ns> {
        self.stamps.get(self.stamps.partition_point(|s| *s < t) + 1).copied()
    }

    fn raises(&self) -> impl Iterator<Item = &Alert> {
        self.published.iter().filter(|a| a.phase == Phase::Raised)
    }

    /// Early, false, misstamped, misnamed.
    fn check_raises(&self, violations: &mut Vec<Violation>) {
        for alert in self.raises() {
            let at = alert.published_ns;
            let open = self.expected.allowed.first_from(at).filter(|t| *t <= at + ROUNDING);
            let Some(open) = open else {
                let running =
                    self.expected.episodes.iter().any(|e| e.span.contains(at) && at < e.limit_moment);
                violations.push(self.violation(if running { Fault::Early } else { Fault::False }, at));
                continue;
            };
            if !self.stamp_fits(alert, open) {
                violations.push(self.violation(Fault::Misstamped, at));
            }
            if !self.name_fits(alert) {
                violations.push(self.violation(Fault::Misnamed, at));
            }
        }
    }

    /// "Stamp: when the limit passed": not before the earliest reading of the limit, not after the publication.
    fn stamp_fits(&self, alert: &Alert, open: Ns) -> bool {
        let run_begins = self.expected.allowed.run_at(open).map_or(open, |run| run.from);
        let at = alert.published_ns;
        let near = |e: &&Episode| e.span.from <= at && at <= e.span.until + SECOND;
        let limits = self.expected.episodes.iter().filter(near).map(|e| e.limit_moment);
        let first = limits.chain([run_begins]).min().unwrap_or(run_begins);
        (first - STAMP_ROUNDING..=at + STAMP_ROUNDING).contains(&alert.stamp_ns)
    }

    /// For `eu_addw`, where the table asks for the name of the area: one that was seen in the glance.
    fn name_fits(&self, alert: &Alert) -> bool {
        let Some(zone) = alert.gaze_zone.filter(|_| self.expected.profile == Profile::EuAddw) else {
            return true;
        };
        let glance = self.expected.episodes.iter().rfind(|e| e.span.from <= alert.published_ns);
        let Some(glance) = glance else { return false };
        let area = matches!(zone, Zone::Area3 | Zone::Area1);
        area && self.trace.frames.iter().any(|f| glance.span.contains(f.stamp_ns) && f.gaze_zone == zone)
    }

    /// Late, missing, cleared early.
    fn check_active(&self, violations: &mut Vec<Violation>) {
        for run in self.expected.required.runs() {
            let Some(by) = self.second_frame_from(run.from).filter(|by| *by < run.until) else {
                continue;
            };
            let missing = self.active.complement(Interval::new(by, run.until));
            for gap in missing.runs() {
                // Between two frames nothing is decided.
                let seen = self.stamps.iter().any(|s| gap.contains(*s));
                let fault = match (gap.from == by, gap.until == run.until) {
                    _ if !seen => continue,
                    (true, false) => Fault::Late,
                    (true, true) => Fault::Missing,
                    (false, _) => Fault::ClearedEarly,
                };
                let at = if fault == Fault::Late { gap.until } else { gap.from };
                violations.push(self.violation(fault, at));
            }
        }
    }

    fn check_once(&self, violations: &mut Vec<Violation>) {
        let missed = self.expected.once.iter().filter(|window| self.active.within(**window).is_empty());
        violations.extend(missed.map(|window| self.violation(Fault::Missing, window.until)));
    }

    /// Still active after the end. Counts the ends that were there to be checked.
    fn check_ends(&self, verdicts: &mut Verdicts) {
        let mut told = Ns::MIN;
        for run in self.expected.over.runs() {
            let by = self.second_frame_from(run.from).filter(|by| *by < run.until);
            if !self.active.within(Interval::new(run.from - ENDING, run.from + 1)).is_empty() {
                verdicts.tally.count_end(self.expected);
            }
            let Some(by) = by else { continue };
            let lasting = self.active.run_at(by).filter(|stay| stay.from < run.from && stay.from > told);
            if let Some(stay) = lasting {
                told = stay.from;
                verdicts.violations.push(self.violation(Fault::NotCleared, by));
            }
        }
    }

    /// Raised while raised, cleared while cleared, a latch let go.
    fn check_clears(&self, violations: &mut Vec<Violation>) {
        let mut raised: Vec<Alert> = Vec::new();
        for alert in &self.published {
            let at = alert.published_ns;
            let before = raised.iter().position(|r| r.profile == alert.profile);
            match (alert.phase, before) {
                (Phase::Raised, Some(index)) => {
                    let same = raised.get(index).is_none_or(|r| r.gaze_zone == alert.gaze_zone);
                    if same && !self.expected.repeats {
                        violations.push(self.violation(Fault::Repeated, at));
                    }
                }
                (Phase::Raised, None) => raised.push(*alert),
                (Phase::Cleared, Some(index)) => {
                    let opened = raised.swap_remove(index);
                    if !self.may_let_go(opened, at) {
                        violations.push(self.violation(Fault::ClearedEarly, at));
                    }
                }
                (Phase::Cleared, None) if self.expected.repeats => {}
                (Phase::Cleared, None) => violations.push(self.violation(Fault::Repeated, at)),
            }
        }
    }

    /// A latched alert needs an act of the driver since the limit passed. One that had to be active is told by
    /// [`Self::check_active`] already.
    fn may_let_go(&self, opened: Alert, at: Ns) -> bool {
        let Some(acts) = &self.expected.latched_until else {
            return true;
        };
        let acted = acts.iter().any(|act| opened.stamp_ns <= *act && *act <= at);
        acted || self.expected.required.contains(at)
    }

    fn violation(&self, fault: Fault, at_ns: Ns) -> Violation {
        let begun = |e: &&Episode| e.span.from <= at_ns;
        let episode = match fault {
            // The limit that was missed is the last one that had passed.
            Fault::Late | Fault::Missing => self
                .expected
                .episodes
                .iter()
                .filter(begun)
                .filter(|e| e.limit_moment <= at_ns)
                .max_by_key(|e| e.limit_moment),
            _ => self.expected.episodes.iter().filter(begun).max_by_key(|e| e.span.from),
        };
        let from = episode.map_or(at_ns - 3 * SECOND, |e| e.span.from.max(at_ns - 12 * SECOND)) - SECOND / 2;
        Violation {
            fault,
            profile: self.expected.profile,
            kind: self.expected.kind,
            rule: episode.map(|e| e.rule),
            at_ns,
            limit_moment_ns: episode.map(|e| e.limit_moment),
            limit_ns: episode.map(|e| e.limit),
            excerpt: excerpt(self.trace, Interval::new(from, at_ns + SECOND / 2)),
        }
    }
}

/// When an alert was active: from the frame that raised it to the frame that cleared it; under any profile.
fn active(published: &[Alert], end: Ns) -> IntervalSet {
    let mut open: Vec<(Profile, Ns)> = Vec::new();
    let mut stretches = Vec::new();
    for alert in published {
        let index = open.iter().position(|(profile, _)| *profile == alert.profile);
        match (alert.phase, index) {
            (Phase::Raised, None) => open.push((alert.profile, alert.published_ns)),
            (Phase::Cleared, Some(index)) => {
                let (_, from) = open.swap_remove(index);
                stretches.push(Interval::new(from, alert.published_ns));
            }
            _ => {}
        }
    }
    stretches.extend(open.into_iter().map(|(_, from)| Interval::new(from, end)));
    IntervalSet::of(stretches)
}
