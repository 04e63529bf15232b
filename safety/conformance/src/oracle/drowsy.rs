//! What belongs here: the rules that need no glance and no closure of their own: "monitoring unavailable", `perclos`
//! and `eu_ddaw`.

use super::eyes::SURELY_MOVING_KMH;
use super::facts::{Around, Eyes, Facts, Gaze};
use super::lids::{Lids, PERCLOS_WINDOW, Share};
use super::{Boundary, Episode, Expectation, Rule};
use crate::interval::{Interval, IntervalSet};
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Kind, Profile};

/// "Its own alert (monitoring unavailable) after 5 s".
pub const UNAVAILABLE: Ns = 5 * SECOND;
/// "> 15 % over 60 s drowsy".
pub const PERCLOS_RAISE: f32 = 0.15;
/// "Ends: < 10 % over 60 s". From 10 to 15 % is "questionable": neither raised nor ended.
pub const PERCLOS_CLEAR: f32 = 0.10;
/// "Each evaluation" of `eu_ddaw` has no period; none can be longer than the window of what it evaluates.
pub const EVALUATION: Ns = 60 * SECOND;
/// "A long blink > 0.5 s".
pub(super) const LONG_BLINK: Ns = 500 * MS;
/// A value this near to a threshold may be on either side of it, by how it was rounded.
const ROUNDING: f32 = 1e-5;
/// A share this near to the limit is next to it.
const NEAR: f64 = 0.011;
/// A known face this short inside a loss may be overlooked, as an unknown one inside a glance.
const KNOWN_BRIDGE: Ns = 300 * MS;

/// The table gives no speed for it: it may come at any, and is due where the vehicle surely moves, as whatever it stands for is. Nor does the
/// table say when the alert ends, so it may stay.
pub(super) fn monitoring_unavailable(facts: &Facts) -> Expectation {
    let lost = facts.gaze(|g| g == Gaze::Unknown);
    // "Eyes not seen" with a direction from the head alone, or a camera that sends nothing: may count.
    let perhaps = facts.eyes(|e| e == Eyes::Unknown).union(facts.gaps());
    let core = lost.union(&perhaps);
    let around = Around {
        out: core.complement(facts.span),
        out_up_to: KNOWN_BRIDGE,
        unknown: IntervalSet::empty(),
        uncovered: IntervalSet::empty(),
    };
    let mut expected = Expectation::never(Profile::Troika, Kind::MonitoringUnavailable);
    let runs = facts.longest_runs(&core, &around);
    let open = runs.iter().map(|run| Interval::new(run.span.from + UNAVAILABLE, run.believed_until));
    expected.allowed = IntervalSet::of(open);
    let moving = facts.speed(|v| v >= SURELY_MOVING_KMH).surely;
    expected.required = lost.intersect(&moving).after_dwell(UNAVAILABLE);
    expected.repeats = true;
    let episode = |span: Interval| {
        let limit_moment = span.from + UNAVAILABLE;
        let boundary = Boundary::of(span.until, limit_moment, KNOWN_BRIDGE);
        Episode { rule: Rule::MonitoringUnavailable, boundary, span, limit_moment, limit: UNAVAILABLE }
    };
    expected.episodes = runs.iter().map(|run| episode(run.span)).collect();
    expected
}

/// The value comes with each frame, so "at the end of the window" is the frame on which it is above the limit.
pub(super) fn perclos(facts: &Facts) -> Expectation {
    let above = Above {
        surely: facts.frames(|f| f.perclos > PERCLOS_RAISE + ROUNDING),
        possibly: facts.frames(|f| f.perclos > PERCLOS_RAISE - ROUNDING),
        not_low: facts.frames(|f| f.perclos >= PERCLOS_CLEAR + ROUNDING),
        low: facts.frames(|f| f.perclos < PERCLOS_CLEAR - ROUNDING),
    };
    let mut expected = by_share(facts, &above);
    expected.episodes =
        facts.frames(|f| !f.perclos.is_nan()).runs().iter().map(|run| share(facts, *run)).collect();
    expected
}

/// The same of a DMS that works the share out from the lids.
pub(super) fn perclos_of_lids(facts: &Facts, lids: &Lids) -> Expectation {
    let above = Above {
        surely: lids.high(facts),
        possibly: lids.perhaps_high(facts),
        not_low: lids.not_low(facts),
        low: lids.low(facts),
    };
    let mut expected = by_share(facts, &above);
    let episode = |(span, greatest): (Interval, Share)| {
        let over = greatest.least - f64::from(PERCLOS_RAISE);
        let under = greatest.most - f64::from(PERCLOS_RAISE);
        let boundary = match (over > 0.0, over > NEAR, under > -NEAR) {
            (true, true, _) => Boundary::FarOver,
            (true, false, _) => Boundary::JustOver,
            (false, _, true) => Boundary::JustUnder,
            (false, _, false) => Boundary::FarUnder,
        };
        let limit_moment = above.surely.first_from(span.from).filter(|t| *t < span.until);
        let limit_moment = limit_moment.unwrap_or(span.until);
        Episode { rule: Rule::Perclos, boundary, span, limit_moment, limit: PERCLOS_WINDOW }
    };
    expected.episodes = lids.stretches(facts).into_iter().map(episode).collect();
    expected
}

/// Where a share stands to its two limits.
struct Above {
    surely: IntervalSet,
    possibly: IntervalSet,
    not_low: IntervalSet,
    low: IntervalSet,
}

fn by_share(facts: &Facts, above: &Above) -> Expectation {
    let moving = facts.speed(|v| v >= SURELY_MOVING_KMH).surely;
    let perhaps_moving = facts.speed(|v| v > 0.0).possibly;
    let not_low = above.not_low.intersect(&moving);

    let mut expected = Expectation::never(Profile::Perclos, Kind::Drowsiness);
    // The frame after the last high one may still act on it.
    let open = above.possibly.intersect(&perhaps_moving);
    expected.allowed = IntervalSet::of(open.runs().iter().map(|run| Interval::new(run.from, run.until + 1)));
    let due = above.surely.intersect(&moving);
    let sure =
        due.runs().iter().filter(|run| facts.second_frame_from(run.from).is_some_and(|s| s < run.until));
    // At standstill it may stay or go; as may it while there is no value.
    let held = sure.filter_map(|run| Some(Interval::new(run.from, not_low.run_at(run.from)?.until)));
    expected.required = IntervalSet::of(held);
    expected.over = above.low.clone();
    expected
}

/// One stretch in which the value is known; near means a percentage point from the limit.
fn share(facts: &Facts, known: Interval) -> Episode {
    let inside = |frame: &&crate::trace::Frame| known.contains(frame.stamp_ns);
    let most = facts.trace.frames.iter().filter(inside).map(|f| f.perclos).fold(0.0, f32::max);
    let boundary = match most - PERCLOS_RAISE {
        over if over > 0.011 => Boundary::FarOver,
        over if over > 0.0 => Boundary::JustOver,
        under if under > -0.011 => Boundary::JustUnder,
        _ => Boundary::FarUnder,
    };
    let first = facts.frames(|f| f.perclos > PERCLOS_RAISE).first_from(known.from);
    let limit_moment = first.filter(|t| *t < known.until).unwrap_or(known.until);
    Episode { rule: Rule::Perclos, boundary, span: known, limit_moment, limit: PERCLOS_WINDOW }
}

/// "Our proxy: PERCLOS and blink statistics" has no numbers. The speed has one: at 70 km/h or less it is false. It is
/// false, too, when no evidence that the table names is there: PERCLOS below the questionable 10 % and no long blink
/// so far. It is due when PERCLOS was above the drowsy 15 %, above 70 km/h, for longer than any evaluation can take.
/// "Warnings repeat until acknowledged": there is no field for that, so the alert may stay, go and come again.
pub(super) fn ddaw(facts: &Facts) -> Expectation {
    let not_closed = facts.eyes(|e| e == Eyes::Open).complement(facts.span);
    let long_blinks = not_closed.keep(|run| facts.longest(run) > LONG_BLINK).after_dwell(LONG_BLINK);
    let after_blink = long_blinks.runs().first().map(|run| Interval::new(run.from, facts.span.until));
    // Not below 10 %: a missing value counts as possible evidence.
    let perhaps = facts.frames(|f| !matches!(f.perclos, p if p < PERCLOS_CLEAR - ROUNDING));
    let evidence = perhaps.union(&IntervalSet::of(after_blink)).union(facts.silence());
    by_evidence(facts, &evidence, &facts.frames(|f| f.perclos > PERCLOS_RAISE + ROUNDING))
}

/// The same of a DMS that works the share out from the lids: without a closure there is neither a share nor a long blink.
pub(super) fn ddaw_of_lids(facts: &Facts, lids: &Lids) -> Expectation {
    by_evidence(facts, &lids.after_first(facts).union(facts.silence()), &lids.high(facts))
}

fn by_evidence(facts: &Facts, evidence: &IntervalSet, high: &IntervalSet) -> Expectation {
    let speed = facts.speed(|v| v > 70.0);
    let mut expected = Expectation::never(Profile::EuDdaw, Kind::Drowsiness);
    let open = evidence.intersect(&speed.possibly);
    expected.allowed = IntervalSet::of(open.runs().iter().map(|run| Interval::new(run.from, run.until + 1)));
    let drowsy = high.intersect(&speed.surely);
    // Once in a stretch is all that can be asked: between two warnings that repeat it may be cleared.
    let once = drowsy.runs().iter().filter_map(|run| {
        let acted = facts.second_frame_from(run.from + EVALUATION)?;
        (acted < run.until).then_some(Interval::new(run.from, acted + 1))
    });
    expected.once = once.collect();
    expected.repeats = true;
    expected.episodes = drowsy.runs().iter().map(|run| drowsy_episode(*run)).collect();
    expected
}

fn drowsy_episode(span: Interval) -> Episode {
    let limit_moment = span.from + EVALUATION;
    Episode {
        rule: Rule::Ddaw,
        boundary: Boundary::of(span.until, limit_moment, 0),
        span,
        limit_moment,
        limit: EVALUATION,
    }
}
