//! What belongs here: `euro_ncap`, the rules of closed eyes, and the unresponsive driver.
//!
//! "Eyes closed" is read from the openness of the eyes, from the frame on which both are closed:
//! `DriverState.EYES_CLOSED` follows 0.4 s later, being what is longer than a blink.

use super::facts::{Around, Bounds, Eyes, Facts, Gaze, LongestRun};
use super::{Boundary, Episode, Expectation, Rule, ncap};
use crate::interval::{Interval, IntervalSet};
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Kind, Profile};

/// "Eyes closed 1 to 2 s: we alert at 1.5 s".
pub const MICROSLEEP: Ns = 1_500 * MS;
/// From this length of closed eyes on it is sleep.
pub const SLEEP: Ns = 3 * SECOND;
/// "Eyes closed 6 s".
pub const EYES_UNRESPONSIVE: Ns = 6 * SECOND;
/// "No return of gaze within 3 s of a distraction warning".
pub const GAZE_UNRESPONSIVE: Ns = 3 * SECOND;
/// "Moving" has no number: any speed above 0 may count, this speed has to.
pub(super) const SURELY_MOVING_KMH: f32 = 3.0;

struct Closures {
    /// In the longest reading, whether or not the vehicle moved.
    possible: Vec<LongestRun>,
    /// Eyes surely closed while surely moving. A closure that began at standstill may count from its start or from the
    /// start of the movement: here from the later one.
    sure: IntervalSet,
    moving: Bounds,
}

impl Closures {
    fn of(facts: &Facts) -> Self {
        let moving = Bounds {
            surely: facts.speed(|v| v >= SURELY_MOVING_KMH).surely,
            possibly: facts.speed(|v| v > 0.0).possibly,
        };
        let around = Around {
            out: facts.eyes(|e| e == Eyes::Open),
            out_up_to: facts.debounce,
            unknown: facts.eyes(|e| e == Eyes::Unknown),
            uncovered: facts.eyes(|e| e == Eyes::Unclear).union(facts.silence()),
        };
        let core = facts.eyes(|e| matches!(e, Eyes::Closed | Eyes::Unclear));
        let sure = facts.eyes(|e| e == Eyes::Closed).intersect(&moving.surely);
        Self { possible: facts.longest_runs(&core, &around), sure, moving }
    }

    fn allowed(&self, limit: Ns) -> IntervalSet {
        let late = self.possible.iter().map(|run| Interval::new(run.span.from + limit, run.believed_until));
        IntervalSet::of(late).intersect(&self.moving.possibly)
    }

    fn episodes(&self, rule: Rule, limit: Ns) -> impl Iterator<Item = Episode> {
        let episode = move |run: &LongestRun| {
            let limit_moment = run.span.from + limit;
            let boundary = Boundary::of(run.span.until, limit_moment, crate::time::RESOLUTION);
            Episode { rule, boundary, span: run.span, limit_moment, limit }
        };
        self.possible.iter().map(episode)
    }

    /// From `limit` on until a graver alert is reached: whether that one replaces this one is not said.
    fn required(&self, limit: Ns, graver: Ns) -> IntervalSet {
        let late = |run: &Interval| Interval::new(run.from + limit, run.until.min(run.from + graver));
        IntervalSet::of(self.sure.runs().iter().map(late))
    }
}

pub(super) fn microsleep(facts: &Facts) -> Expectation {
    let closures = Closures::of(facts);
    let mut expected = Expectation::never(Profile::EuroNcap, Kind::Microsleep);
    expected.allowed = closures.allowed(MICROSLEEP);
    // The earliest possible sleep, not the surest: an alert replaced by it early is no fault.
    expected.required = closures.required(MICROSLEEP, SLEEP).minus(&closures.allowed(SLEEP));
    // "Ends: eyes open".
    expected.over = facts.eyes(|e| e == Eyes::Open).after_dwell(facts.debounce);
    expected.episodes = closures.episodes(Rule::Microsleep, MICROSLEEP).collect();
    expected
}

/// The row's cell for the end is empty: once raised it may stay.
pub(super) fn sleep(facts: &Facts) -> Expectation {
    let closures = Closures::of(facts);
    let mut expected = Expectation::never(Profile::EuroNcap, Kind::Sleep);
    expected.allowed = closures.allowed(SLEEP);
    expected.required =
        closures.required(SLEEP, EYES_UNRESPONSIVE).minus(&closures.allowed(EYES_UNRESPONSIVE));
    expected.repeats = true;
    expected.episodes = closures.episodes(Rule::Sleep, SLEEP).collect();
    expected
}

pub(super) fn unresponsive(facts: &Facts, warnings: &[&Expectation]) -> Expectation {
    let closures = Closures::of(facts);
    let acts = facts.acts();
    let mut expected = Expectation::never(Profile::EuroNcap, Kind::Unresponsive);
    let (gaze_allowed, gaze_due, gaze_episodes) = unreturned(facts, &closures.moving, warnings);
    expected.allowed = closures.allowed(EYES_UNRESPONSIVE).union(&gaze_allowed);
    let eyes_due = undisturbed(&closures.sure, &acts).after_dwell(EYES_UNRESPONSIVE);
    let due = eyes_due.runs().iter().copied().chain(gaze_due);
    let acted_in = |run: &Interval| acts.iter().any(|act| run.from < *act && *act <= run.until);
    let latched = due.filter_map(|run| {
        // Due at all only when the condition outlasts the second frame; from then on latched, whatever the driver sees.
        let acted = facts.second_frame_from(run.from)?;
        let first = Interval::new(run.from, acted);
        (acted < run.until && !acted_in(&first)).then_some(run.from)
    });
    let until_act = |from: Ns| acts.iter().copied().find(|act| *act > from).unwrap_or(facts.span.until);
    expected.required = IntervalSet::of(latched.map(|from| Interval::new(from, until_act(from))));
    // "Latched until the driver acts". An act while the condition goes on may or may not silence it.
    let ended = acts.iter().filter(|act| !expected.allowed.contains(**act));
    let over =
        ended.map(|act| Interval::new(*act, expected.allowed.first_from(*act).unwrap_or(facts.span.until)));
    expected.over = IntervalSet::of(over);
    expected.latched_until = Some(acts);
    expected.episodes =
        closures.episodes(Rule::UnresponsiveEyes, EYES_UNRESPONSIVE).chain(gaze_episodes).collect();
    expected
}

/// Runs cut where the driver acts: whether somebody who just acted is unresponsive is not said, so a limit is due from
/// the act on only.
fn undisturbed(runs: &IntervalSet, acts: &[Ns]) -> IntervalSet {
    let cuts = IntervalSet::of(acts.iter().map(|act| Interval::new(act - 1, *act)));
    runs.minus(&cuts)
}

/// No return of gaze after a distraction warning: where an alert is open, from when on it is due, and the episodes.
fn unreturned(
    facts: &Facts,
    moving: &Bounds,
    warnings: &[&Expectation],
) -> (IntervalSet, Vec<Interval>, Vec<Episode>) {
    let road = facts.gaze(|g| g == Gaze::Road);
    // Unknown and closed eyes are no return, and no sure absence of one: they may count, for any length.
    let no_return = road.keep(|run| facts.shortest(run) > facts.debounce).complement(facts.span);
    let warned = warnings.iter().fold(IntervalSet::empty(), |all, w| all.union(&w.allowed));
    let first_warning =
        |run: &Interval| warned.first_from(run.from).filter(|t| *t < run.until).map(|t| (t, *run));
    let waits: Vec<_> = no_return.runs().iter().filter_map(first_warning).collect();
    let open = waits.iter().map(|(t, run)| Interval::new(t + GAZE_UNRESPONSIVE, run.until + facts.debounce));
    let allowed = IntervalSet::of(open).intersect(&moving.possibly);
    let episodes = waits.iter().map(|(warning, run)| {
        let limit_moment = warning + GAZE_UNRESPONSIVE;
        Episode {
            rule: Rule::UnresponsiveGaze,
            boundary: Boundary::of(run.until, limit_moment, facts.debounce),
            span: Interval::new(*warning, run.until),
            limit_moment,
            limit: GAZE_UNRESPONSIVE,
        }
    });

    // Due counts from the last frame that a sure warning had, with the gaze surely away and the warning's own speed.
    let active = facts.speed(|v| v >= 20.0).surely;
    let surely_away = undisturbed(&ncap::away(facts).intersect(&active), &facts.acts());
    let sure = warnings.iter().flat_map(|w| w.required.runs().iter().map(|run| (*w, *run))).filter_map(
        |(w, warning)| {
            let warned = facts.second_frame_from(warning.from).filter(|t| *t < warning.until)?;
            let glance =
                surely_away.run_at(warned).filter(|glance| is_new(facts, w, warning.from, glance.from))?;
            Some(Interval::new(warned + GAZE_UNRESPONSIVE, glance.until))
        },
    );
    (allowed, sure.filter(|run| run.from < run.until).collect(), episodes.collect())
}

/// Whether a warning that is due at `due` was surely raised in the glance that began at `glance`. One that may be active
/// since an earlier glance is not raised again, and whether a later glance then counts from it is not said.
fn is_new(facts: &Facts, warning: &Expectation, due: Ns, glance: Ns) -> bool {
    let Some(own) = warning.allowed.run_at(due).filter(|own| glance <= own.from) else {
        return false;
    };
    let before = warning.allowed.runs().iter().rfind(|run| run.from < own.from);
    before.is_none_or(|before| {
        let ends = warning.over.within(Interval::new(before.from, own.from));
        ends.runs().iter().any(|end| facts.second_frame_from(end.from).is_some_and(|s| s < end.until))
    })
}
