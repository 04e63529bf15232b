//! What belongs here: the count of what was there to be checked, so that a suite that checks nothing cannot pass.

use crate::interval::Interval;
use crate::oracle::{Boundary, Episode, Expectation, Rule};
use crate::time::{MS, Ns};
use crate::trace::{Kind, Profile, Trace};
use std::collections::BTreeMap;

/// After a condition's end a bridged excursion may still raise its alert; an episode that forbids one has none by then.
const AFTERMATH: Ns = 350 * MS;

/// Episodes of one rule and boundary, by what the table says of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// An alert was due: early, late and missing ones were looked for.
    pub must: u64,
    /// No moment of it allowed an alert.
    pub must_not: u64,
    /// Left open, but not before its limit.
    pub may: u64,
}

/// What the traces of a suite asked for.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By rule, and by how near to the limit the condition ended.
    pub episodes: BTreeMap<(Rule, Boundary), Counts>,
    /// Alerts that were active when the table ended them: there to be found not cleared.
    pub ends: BTreeMap<(Profile, Kind), u64>,
    /// How many were judged; one without frames is not.
    pub traces: u64,
}

impl Tally {
    /// Counts the episodes of one alert.
    pub fn count(&mut self, trace: &Trace, expected: &Expectation) {
        // Each trace has one expectation for this kind.
        self.traces += u64::from(expected.kind == Kind::MonitoringUnavailable);
        for episode in &expected.episodes {
            let counts = self.episodes.entry((episode.rule, episode.boundary)).or_default();
            match verdict(trace, expected, episode) {
                Says::Must => counts.must += 1,
                Says::MustNot => counts.must_not += 1,
                Says::May => counts.may += 1,
            }
        }
    }

    pub(super) fn count_end(&mut self, expected: &Expectation) {
        *self.ends.entry((expected.profile, expected.kind)).or_default() += 1;
    }

    /// Adds the counts of another trace or suite.
    pub fn absorb(&mut self, other: &Self) {
        for (key, counts) in &other.episodes {
            let sum = self.episodes.entry(*key).or_default();
            sum.must += counts.must;
            sum.must_not += counts.must_not;
            sum.may += counts.may;
        }
        for (key, count) in &other.ends {
            *self.ends.entry(*key).or_default() += count;
        }
        self.traces += other.traces;
    }

    /// Zeros where no trace had such an episode.
    #[must_use]
    pub fn of(&self, rule: Rule, boundary: Boundary) -> Counts {
        self.episodes.get(&(rule, boundary)).copied().unwrap_or_default()
    }

    /// What a suite should have checked at least `least` times and did not: the due alerts and the forbidden ones of
    /// each rule next to its limit, in words. Empty when the suite is worth something.
    #[must_use]
    pub fn lacking(&self, least: u64) -> Vec<String> {
        self.lacking_in(least, &[Profile::EuAddw, Profile::EuroNcap, Profile::EuDdaw, Profile::Perclos])
    }

    /// The same for a system that has these profiles alone; monitoring unavailable is every system's.
    #[must_use]
    pub fn lacking_in(&self, least: u64, profiles: &[Profile]) -> Vec<String> {
        let mut lacks = Vec::new();
        let has = |(rule, _): &&(Rule, Boundary)| {
            rule.profile() == Profile::Troika || profiles.contains(&rule.profile())
        };
        for (rule, boundary) in MUST_BE_DUE.iter().filter(has) {
            let found = self.of(*rule, *boundary).must;
            if found < least {
                lacks.push(format!(
                    "{}, {rule}, {boundary}: due {found} times, not {least}",
                    rule.profile().name()
                ));
            }
        }
        for (rule, boundary) in MUST_BE_FORBIDDEN.iter().filter(has) {
            let found = self.of(*rule, *boundary).must_not;
            if found < least {
                lacks.push(format!(
                    "{}, {rule}, {boundary}: forbidden {found} times, not {least}",
                    rule.profile().name()
                ));
            }
        }
        lacks
    }
}

/// Rules without a due alert are not here: below 20 km/h, and phone use.
const MUST_BE_DUE: &[(Rule, Boundary)] = &[
    (Rule::AddwFast, Boundary::JustOver),
    (Rule::AddwFast, Boundary::FarOver),
    (Rule::AddwSlow, Boundary::JustOver),
    (Rule::AddwSlow, Boundary::FarOver),
    (Rule::AddwCrossing, Boundary::JustOver),
    (Rule::AddwCrossing, Boundary::FarOver),
    (Rule::AddwInterrupted, Boundary::FarOver),
    (Rule::AddwNonNominal, Boundary::JustOver),
    (Rule::AddwNonNominal, Boundary::FarOver),
    (Rule::AddwArea1, Boundary::JustOver),
    (Rule::AddwArea1, Boundary::FarOver),
    (Rule::NcapNonDriving, Boundary::JustOver),
    (Rule::NcapNonDriving, Boundary::FarOver),
    (Rule::NcapDrivingTask, Boundary::JustOver),
    (Rule::NcapDrivingTask, Boundary::FarOver),
    (Rule::NcapMixed, Boundary::FarOver),
    (Rule::NcapRepeated, Boundary::FarOver),
    (Rule::Microsleep, Boundary::JustOver),
    (Rule::Microsleep, Boundary::FarOver),
    (Rule::Sleep, Boundary::JustOver),
    (Rule::Sleep, Boundary::FarOver),
    (Rule::UnresponsiveEyes, Boundary::JustOver),
    (Rule::UnresponsiveEyes, Boundary::FarOver),
    (Rule::UnresponsiveGaze, Boundary::FarOver),
    (Rule::MonitoringUnavailable, Boundary::JustOver),
    (Rule::MonitoringUnavailable, Boundary::FarOver),
    (Rule::Perclos, Boundary::JustOver),
    (Rule::Perclos, Boundary::FarOver),
    (Rule::Ddaw, Boundary::FarOver),
];

const MUST_BE_FORBIDDEN: &[(Rule, Boundary)] = &[
    (Rule::AddwFast, Boundary::JustUnder),
    (Rule::AddwSlow, Boundary::JustUnder),
    (Rule::AddwTooSlow, Boundary::FarOver),
    (Rule::AddwNonNominal, Boundary::JustUnder),
    (Rule::AddwArea1, Boundary::JustUnder),
    (Rule::NcapNonDriving, Boundary::JustUnder),
    (Rule::NcapDrivingTask, Boundary::JustUnder),
    (Rule::NcapRepeated, Boundary::JustUnder),
    (Rule::Microsleep, Boundary::JustUnder),
    (Rule::Sleep, Boundary::JustUnder),
    (Rule::UnresponsiveEyes, Boundary::JustUnder),
    (Rule::UnresponsiveGaze, Boundary::JustUnder),
    (Rule::MonitoringUnavailable, Boundary::JustUnder),
    (Rule::Perclos, Boundary::JustUnder),
];

enum Says {
    Must,
    MustNot,
    May,
}

fn verdict(trace: &Trace, expected: &Expectation, episode: &Episode) -> Says {
    let span = episode.span;
    let second_frame = |t: Ns| {
        let first = trace.frames.partition_point(|f| f.stamp_ns < t);
        trace.frames.get(first + 1).map(|f| f.stamp_ns)
    };
    let limit_on = Interval::new(episode.limit_moment, span.until.max(episode.limit_moment + 1));
    let begins =
        |run: &Interval| limit_on.contains(run.from) && second_frame(run.from).is_some_and(|s| s < run.until);
    let once = expected.once.iter().any(|window| window.from == span.from);
    if once || expected.required.runs().iter().any(begins) {
        Says::Must
    } else if expected.allowed.within(Interval::new(span.from, span.until + AFTERMATH)).is_empty() {
        Says::MustNot
    } else {
        Says::May
    }
}
