//! What belongs here: `eu_addw`, the long glance into area 3 or area 1.
//!
//! Excursions of up to 0.3 s in or out are bridged. In which order a quick in-out-in is read, and whether a DMS may act
//! during an excursion of which it cannot yet know that it will be longer, is not in the table: both are left open.

use super::facts::{Around, Bounds, Facts, Gaze, LongestRun};
use super::{Boundary, Episode, Expectation, Rule};
use crate::interval::{Interval, IntervalSet};
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Kind, Profile, Zone};

/// Row 1: ">= 50 km/h", 3.5 s.
pub const FAST_KMH: f32 = 50.0;
/// How long a glance may last from [`FAST_KMH`] on.
pub const FAST_LIMIT: Ns = 3_500 * MS;
/// Row 2: "20 to < 50 km/h", 6.0 s.
pub const SLOW_KMH: f32 = 20.0;
/// How long a glance may last from [`SLOW_KMH`] to below [`FAST_KMH`].
pub const SLOW_LIMIT: Ns = 6 * SECOND;
/// Row 3: non-nominal sensing.
pub const NON_NOMINAL_EXTRA: Ns = 1_500 * MS;
/// Row 1: "excursions up to 0.3 s in or out are bridged".
pub const EXCURSION: Ns = 300 * MS;

/// The two speed bands. `driving` is the wider one: both have a limit of their own from when they are entered.
struct Bands {
    fast: Bounds,
    driving: Bounds,
}

pub(super) fn long_glance(facts: &Facts) -> Expectation {
    let bands = Bands { fast: facts.speed(|v| v >= FAST_KMH), driving: facts.speed(|v| v >= SLOW_KMH) };
    let inside = facts.gaze(|g| matches!(g, Gaze::At(Zone::Area3 | Zone::Area1)));
    let unclear = facts.gaze(|g| g == Gaze::Unclear);
    let around = Around {
        out: facts.gaze(|g| {
            matches!(g, Gaze::Road) || matches!(g, Gaze::At(z) if !matches!(z, Zone::Area3 | Zone::Area1))
        }),
        out_up_to: EXCURSION,
        unknown: facts.gaze(|g| g == Gaze::Unknown),
        uncovered: facts.gaze(|g| matches!(g, Gaze::Closed | Gaze::Unclear)).union(facts.silence()),
    };
    let sensing =
        Sensing { nominal: facts.frames(|f| f.sensing_nominal), poor: facts.frames(|f| !f.sensing_nominal) };

    let mut expected = Expectation::never(Profile::EuAddw, Kind::LongDistraction);
    let runs: Vec<LongestRun> = facts.longest_runs(&inside.union(&unclear), &around);
    let open = runs.iter().filter_map(|run| {
        let from = earliest_with(run, &bands, &sensing)?;
        Some(bands.driving.possibly.within(Interval::new(from, run.believed_until)))
    });
    expected.allowed = IntervalSet::of(open.flat_map(|set| set.runs().to_vec()));
    let areas = [Zone::Area3, Zone::Area1].map(|zone| required(facts, zone, &bands, &sensing));
    expected.required = areas.iter().fold(IntervalSet::empty(), |all, area| all.union(area));
    // "Ends: gaze out of the area", once the excursion is too long to be bridged. Unknown is not out.
    expected.over = around.out.after_dwell(EXCURSION + 1);
    expected.episodes = runs.iter().map(|run| episode(facts, run, &bands, &sensing, &inside)).collect();
    expected
}

struct Sensing {
    nominal: IntervalSet,
    poor: IntervalSet,
}

/// The first moment at which the limit may be said to have passed; `extra` lengthens both limits.
fn earliest(run: &LongestRun, bands: &Bands, extra: Ns) -> Option<Ns> {
    let body = Interval::new(run.span.from, run.believed_until);
    let (fast, driving) = (bands.fast.possibly.within(body), bands.driving.possibly.within(body));
    let (strict, loose) = (FAST_LIMIT + extra, SLOW_LIMIT + extra);
    // "The stricter limit from the crossing on": from the first moment in the fast band. Whether the time there starts
    // anew when the band is left and entered again is not said, so the first entry counts.
    let from_entry = fast.runs().first().and_then(|entry| fast.first_from(entry.from + strict));
    // "Never later than the looser one from the start". Whether a glance that began below 20 km/h counts from its start
    // or from the crossing is left open by "below 20 km/h no warning".
    let from_start = driving.first_from(body.from + loose);
    // On leaving the fast band the same sentence, read to the letter, gives the stricter limit from that crossing on.
    let left =
        bands.fast.surely.within(body).runs().first().map(|stay| stay.until).filter(|t| *t < body.until);
    let from_exit = left.and_then(|crossing| driving.first_from(crossing + strict));
    [from_entry, from_start, from_exit].into_iter().flatten().min()
}

/// With the extra time for non-nominal sensing where all of the glance had it; where a part had it the row leaves open
/// which limit counts.
fn earliest_with(run: &LongestRun, bands: &Bands, sensing: &Sensing) -> Option<Ns> {
    let plain = earliest(run, bands, 0)?;
    if !sensing.poor.covers(Interval::new(run.span.from, plain + 1)) {
        return Some(plain);
    }
    let nominal_again = sensing.nominal.first_from(plain);
    let extended = earliest(run, bands, NON_NOMINAL_EXTRA);
    [nominal_again, extended].into_iter().flatten().min().filter(|t| *t < run.believed_until)
}

/// When the alert has to be active for glances into one area.
fn required(facts: &Facts, zone: Zone, bands: &Bands, sensing: &Sensing) -> IntervalSet {
    let seen = facts.gaze(|g| g == Gaze::At(zone));
    let out = facts.gaze(|g| matches!(g, Gaze::Road | Gaze::At(_)) && g != Gaze::At(zone));
    // Excursions into the area are dropped first: the reading in which a glance starts latest.
    let glances = seen
        .keep(|run| facts.shortest(run) > EXCURSION)
        .bridge(|gap| out.covers(gap) && facts.longest(gap) <= EXCURSION);
    let runs = glances.runs().iter().filter_map(|glance| {
        let due = due_with(facts, *glance, bands, sensing)?;
        // Below 20 km/h an alert may stay or go: "below 20 km/h no warning" and "ends: gaze out of the area" disagree.
        let driving = bands.driving.surely.run_at(due)?;
        Some(Interval::new(due, glance.until.min(driving.until)))
    });
    // During a bridged excursion it is not said whether the alert is shown.
    IntervalSet::of(runs).intersect(&seen)
}

/// The latest moment at which the limit has passed, in every reading of the table.
fn due(facts: &Facts, glance: Interval, bands: &Bands, extra: Ns) -> Option<Ns> {
    let passed = |band: &IntervalSet, limit: Ns| {
        let stays = band.within(glance);
        let moments = stays.runs().iter().map(|stay| (stay.from + limit, stay.until));
        // Both frames that may raise it have to lie in the band.
        moments.filter(|(t, end)| facts.second_frame_from(*t).is_some_and(|s| s < *end)).map(|(t, _)| t).min()
    };
    let fast = passed(&bands.fast.surely, FAST_LIMIT + extra);
    [fast, passed(&bands.driving.surely, SLOW_LIMIT + extra)].into_iter().flatten().min()
}

fn due_with(facts: &Facts, glance: Interval, bands: &Bands, sensing: &Sensing) -> Option<Ns> {
    let nominal_until = |t: &Ns| {
        let acted = facts.second_frame_from(*t).unwrap_or(*t);
        sensing.nominal.covers(Interval::new(glance.from, acted + 1))
    };
    due(facts, glance, bands, 0)
        .filter(nominal_until)
        .or_else(|| due(facts, glance, bands, NON_NOMINAL_EXTRA))
}

fn episode(
    facts: &Facts,
    run: &LongestRun,
    bands: &Bands,
    sensing: &Sensing,
    inside: &IntervalSet,
) -> Episode {
    let span = run.span;
    let poor = !sensing.poor.within(span).is_empty();
    let touches = |set: &IntervalSet| !set.within(span).is_empty();
    let area1 = touches(&facts.gaze(|g| g == Gaze::At(Zone::Area1)));
    let (all_fast, all_driving) = (bands.fast.surely.covers(span), bands.driving.surely.covers(span));
    let (rule, limit) = match () {
        () if poor => {
            (Rule::AddwNonNominal, if all_fast { FAST_LIMIT } else { SLOW_LIMIT } + NON_NOMINAL_EXTRA)
        }
        () if area1 => (Rule::AddwArea1, if all_fast { FAST_LIMIT } else { SLOW_LIMIT }),
        () if !inside.covers(span) => (Rule::AddwInterrupted, if all_fast { FAST_LIMIT } else { SLOW_LIMIT }),
        () if all_fast => (Rule::AddwFast, FAST_LIMIT),
        () if all_driving && !touches(&bands.fast.possibly) => (Rule::AddwSlow, SLOW_LIMIT),
        () if !touches(&bands.driving.possibly) => (Rule::AddwTooSlow, SLOW_LIMIT),
        () => (Rule::AddwCrossing, SLOW_LIMIT),
    };
    let limit_moment = earliest_with(run, bands, sensing).unwrap_or(span.from + limit);
    Episode { rule, boundary: Boundary::of(span.until, limit_moment, EXCURSION), span, limit_moment, limit }
}
