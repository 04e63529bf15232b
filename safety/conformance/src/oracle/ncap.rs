//! What belongs here: `euro_ncap`, the rules of the gaze: long distraction, repeated glances, phone use.
//!
//! Bridging of excursions is in the rows of `eu_addw` only. Here a return to the forward view ends a glance, however
//! short, down to the 50 ms to which glances are timed.

use super::facts::{Around, Facts, Gaze, LongestRun};
use super::{Boundary, Episode, Expectation, Rule};
use crate::interval::{Interval, IntervalSet};
use crate::time::{MS, Ns, ROUNDING, SECOND};
use crate::trace::{Kind, Profile};

/// "We use 3.0 s for non-driving targets".
pub const NON_DRIVING: Ns = 3 * SECOND;
/// "4.0 s for mirrors and cluster (first 1 s free)".
pub const DRIVING_TASK: Ns = 4 * SECOND;
/// Glances away add up to "10 s within 30 s".
pub const REPEATED: Ns = 10 * SECOND;
/// How far back from a moment glances count towards [`REPEATED`].
pub const REPEATED_WINDOW: Ns = 30 * SECOND;
/// "2 s of uninterrupted road view".
pub const ROAD_VIEW: Ns = 2 * SECOND;
/// "Measured from 10 km/h, after the first minute".
pub const FIRST_MINUTE: Ns = 60 * SECOND;
const MEASURED_KMH: f32 = 10.0;
const ACTIVE_KMH: f32 = 20.0;
/// A window's edge is known to the timing resolution only.
const WINDOW_SLACK: Ns = 50 * MS;

/// When the two rules may warn, and when they have to.
struct Gate {
    measured: IntervalSet,
    may: IntervalSet,
    must: IntervalSet,
}

impl Gate {
    /// "After the first minute" leaves open what happens in it, and what of a glance that began in it: nothing is due
    /// for what lies before the end of 60 s that begin when the speed is first surely at 10 km/h.
    fn of(facts: &Facts) -> Self {
        let (measured, active) = (facts.speed(|v| v >= MEASURED_KMH), facts.speed(|v| v >= ACTIVE_KMH));
        let minute_ends = measured.surely.first_from(facts.span.from).map_or(Ns::MAX, |t| t + FIRST_MINUTE);
        let after = Interval::new(minute_ends, facts.span.until);
        Self { measured: measured.possibly, may: active.possibly, must: active.surely.within(after) }
    }
}

fn around(facts: &Facts) -> Around {
    Around {
        out: facts.gaze(|g| g == Gaze::Road),
        out_up_to: facts.debounce,
        unknown: facts.gaze(|g| g == Gaze::Unknown),
        uncovered: facts.gaze(|g| matches!(g, Gaze::Closed | Gaze::Unclear)).union(facts.silence()),
    }
}

/// Surely away from the forward view, at any known target.
pub(super) fn away(facts: &Facts) -> IntervalSet {
    facts.gaze(|g| matches!(g, Gaze::At(_)))
}

fn possible_glances(facts: &Facts) -> Vec<LongestRun> {
    facts.longest_runs(&facts.gaze(|g| matches!(g, Gaze::At(_) | Gaze::Unclear)), &around(facts))
}

pub(super) fn long_distraction(facts: &Facts) -> Expectation {
    let gate = Gate::of(facts);
    let away = away(facts);
    let non_driving = facts.gaze(|g| matches!(g, Gaze::At(z) if z.is_non_driving()));
    let perhaps_non_driving = non_driving.union(&facts.gaze(|g| g == Gaze::Unclear));

    let mut expected = Expectation::never(Profile::EuroNcap, Kind::LongDistraction);
    let runs = possible_glances(facts);
    // "Measured from 10 km/h": a glance counts from there, or from 20 km/h where the rule is active; it is not said. Nor
    // is it that a moment below 10 km/h begins it anew.
    let measured = runs.iter().filter_map(|run| {
        let from = gate.measured.first_from(run.span.from)?;
        Some(Interval::new(from, run.believed_until)).filter(|part| part.from < part.until)
    });
    let open = measured.flat_map(|part| {
        let from = earliest(part, &perhaps_non_driving);
        gate.may.within(Interval::new(from, part.until)).runs().to_vec()
    });
    expected.allowed = IntervalSet::of(open);
    let glances = away.intersect(&gate.must);
    let due = |glance: &Interval| Some(Interval::new(due(facts, *glance, &non_driving)?, glance.until));
    expected.required = IntervalSet::of(glances.runs().iter().filter_map(due));
    // "Ends: return to the forward view". Below 20 km/h it may stay or go.
    expected.over = facts.gaze(|g| g == Gaze::Road).after_dwell(facts.debounce);
    expected.episodes = runs.iter().map(|run| episode(run, &non_driving, &perhaps_non_driving)).collect();
    expected
}

/// A glance over targets of both kinds is one glance away; which of the two limits counts for it is not said, so an
/// alert may come at the smaller one once a non-driving target was in it.
fn earliest(glance: Interval, perhaps_non_driving: &IntervalSet) -> Ns {
    let latest = glance.from + DRIVING_TASK;
    let seen = perhaps_non_driving.first_from(glance.from).filter(|t| *t < glance.until);
    seen.map_or(latest, |t| t.max(glance.from + NON_DRIVING).min(latest))
}

/// It has to come when one stay on non-driving targets passes their limit, or the whole glance the larger one: "one
/// glance away from the forward view" ends with the return, not with another target.
fn due(facts: &Facts, glance: Interval, non_driving: &IntervalSet) -> Option<Ns> {
    let stays = non_driving.within(glance);
    let by_target = stays.runs().iter().map(|stay| (stay.from + NON_DRIVING, stay.until));
    let moments = by_target.chain([(glance.from + DRIVING_TASK, glance.until)]);
    moments.filter(|(t, end)| facts.second_frame_from(*t).is_some_and(|s| s < *end)).map(|(t, _)| t).min()
}

fn episode(run: &LongestRun, non_driving: &IntervalSet, perhaps_non_driving: &IntervalSet) -> Episode {
    let span = run.span;
    let (rule, limit) = if non_driving.covers(span) {
        (Rule::NcapNonDriving, NON_DRIVING)
    } else if perhaps_non_driving.within(span).is_empty() {
        (Rule::NcapDrivingTask, DRIVING_TASK)
    } else {
        (Rule::NcapMixed, DRIVING_TASK)
    };
    let limit_moment = earliest(Interval::new(span.from, run.believed_until), perhaps_non_driving);
    Episode {
        rule,
        boundary: Boundary::of(span.until, limit_moment, crate::time::RESOLUTION),
        span,
        limit_moment,
        limit,
    }
}

/// A stretch at whose end the sum of glances starts anew, with the frames at which enough of them has added up.
struct Sum {
    stretch: Interval,
    most: Ns,
    /// The run of frames, and the moment within the last frame before it at which the limit passed.
    passed: Vec<(Interval, Ns)>,
}

/// A glance with all that may count as a part of it.
fn whole(run: &LongestRun) -> Interval {
    Interval::new(run.span.from, run.continued_until)
}

pub(super) fn repeated_glances(facts: &Facts) -> Expectation {
    let gate = Gate::of(facts);
    let road = facts.gaze(|g| g == Gaze::Road);
    let surely_away = away(facts);
    let mut expected = Expectation::never(Profile::EuroNcap, Kind::RepeatedGlances);

    let resets = road.keep(|run| facts.shortest(run) >= ROAD_VIEW).after_dwell(ROAD_VIEW);
    let glances = IntervalSet::of(possible_glances(facts).iter().map(whole)).intersect(&gate.measured);
    let most = sums(
        facts,
        &glances,
        &resets.complement(facts.span),
        REPEATED_WINDOW + WINDOW_SLACK,
        REPEATED - ROUNDING,
    );
    let open = most
        .iter()
        .flat_map(|sum| &sum.passed)
        .map(|(frames, moment)| Interval::new(*moment, frames.until + 1));
    expected.allowed = IntervalSet::of(open).intersect(&gate.may);

    expected.required = required(facts, &gate, &surely_away);
    expected.over = resets;
    expected.episodes = most.iter().filter(|sum| sum.most > 0).map(sum_episode).collect();
    expected
}

/// "Glances away add up": whether mirrors and cluster are among them is not said (long distraction gives them a second
/// for free), so only non-driving targets make an alert due. Nor is it said that unknown or closed eyes break a road
/// view, or that the sum survives a time below 20 km/h: here each starts the sum anew.
fn required(facts: &Facts, gate: &Gate, away: &IntervalSet) -> IntervalSet {
    let non_driving = facts.gaze(|g| matches!(g, Gaze::At(z) if z.is_non_driving()));
    // A look away that may be overlooked does not surely interrupt a road view.
    let pauses = away.keep(|run| facts.shortest(run) > facts.debounce).complement(facts.span);
    let resets = pauses.runs().iter().map(|run| {
        let seen_before = facts.longest(*run) - run.length();
        Interval::new(run.from + ROAD_VIEW - seen_before, run.until)
    });
    let stretches = gate.must.minus(&IntervalSet::of(resets));
    let sums = sums(facts, &non_driving, &stretches, REPEATED_WINDOW - WINDOW_SLACK, REPEATED);
    let due = sums.iter().flat_map(|sum| &sum.passed).filter_map(|(frames, _)| {
        // The frame that sees the limit pass and the one after it both have to see a glance.
        let glances = non_driving.within(*frames);
        let seen =
            glances.runs().iter().find(|g| facts.second_frame_from(g.from).is_some_and(|s| s < g.until))?;
        Some(Interval::new(seen.from, frames.until))
    });
    IntervalSet::of(due)
}

fn sums(facts: &Facts, glances: &IntervalSet, stretches: &IntervalSet, window: Ns, least: Ns) -> Vec<Sum> {
    let sum = |stretch: &Interval| {
        let counted = glances.within(*stretch);
        if counted.measure(*stretch) < least {
            return Sum { stretch: *stretch, most: counted.measure(*stretch), passed: Vec::new() };
        }
        let stamps = facts.stamps();
        let first = stamps.partition_point(|s| *s < stretch.from);
        let inside = stamps.iter().enumerate().skip(first).take_while(|(_, s)| **s < stretch.until);
        let at = |t: Ns| counted.measure(Interval::new((t - window).max(stretch.from), t));
        let added: Vec<(usize, Ns, Ns)> = inside.map(|(i, s)| (i, *s, at(*s))).collect();
        Sum {
            stretch: *stretch,
            most: added.iter().map(|(_, _, sum)| *sum).max().unwrap_or(0),
            passed: passed(&added, stretch.until, least),
        }
    };
    stretches.runs().iter().map(sum).collect()
}

/// Runs of frames at which the sum is at the limit or above; each with the moment at which it got there.
fn passed(added: &[(usize, Ns, Ns)], end: Ns, least: Ns) -> Vec<(Interval, Ns)> {
    let enough: Vec<Interval> = added
        .iter()
        .zip(added.iter().skip(1).map(|(_, next, _)| *next).chain([end]))
        .filter(|((_, _, sum), _)| *sum >= least)
        .map(|((_, stamp, _), next)| Interval::new(*stamp, next))
        .collect();
    let runs = IntervalSet::of(enough);
    let excess = |stamp: Ns| {
        added.iter().find(|(_, s, _)| *s == stamp).map_or(0, |(_, _, sum)| (sum - REPEATED).max(0))
    };
    runs.runs().iter().map(|run| (*run, run.from - excess(run.from))).collect()
}

fn sum_episode(sum: &Sum) -> Episode {
    let passed = sum.passed.first().map(|(_, moment)| *moment);
    let limit_moment = passed.unwrap_or(sum.stretch.until);
    Episode {
        rule: Rule::NcapRepeated,
        boundary: Boundary::of(sum.most, REPEATED, 0),
        span: sum.stretch,
        limit_moment,
        limit: REPEATED,
    }
}

/// "The two rules above with the phone as target". `DriverState` has no field for a phone: an alert is never due, and
/// false only where neither of the two rules would allow one. When it ends is not said either.
pub(super) fn phone_use(long: &Expectation, repeated: &Expectation) -> Expectation {
    let mut expected = Expectation::never(Profile::EuroNcap, Kind::PhoneUse);
    expected.allowed = long.allowed.union(&repeated.allowed);
    expected.repeats = true;
    let open = expected.allowed.runs().iter().map(|run| Episode {
        rule: Rule::NcapPhone,
        boundary: Boundary::FarOver,
        span: *run,
        limit_moment: run.from,
        limit: NON_DRIVING,
    });
    expected.episodes = open.collect();
    expected
}
