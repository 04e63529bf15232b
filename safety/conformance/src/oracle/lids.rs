//! What belongs here: PERCLOS worked out from the lids, for a DMS that looks at them and not at a value that comes with each frame.
//!
//! "Share of time with eyes >= 80 % closed, blinks excluded, over 60 s." How long a closure was is open by a frame at either end, and a closure of
//! 0.4 to 0.5 s may be a blink or not ("a blink is < 0.4 s, a long blink > 0.5 s"): so the share has a least and a most. A closure that is
//! no blink counts from the lids' fall; until it has lasted longer than one nobody can know.

use super::drowsy::{LONG_BLINK, PERCLOS_CLEAR, PERCLOS_RAISE};
use super::eyes::SURELY_MOVING_KMH;
use super::facts::{Around, Eyes, Facts};
use crate::interval::{Interval, IntervalSet};
use crate::time::{self, MS, Ns, SECOND, seconds};

/// "Over 60 s".
pub const PERCLOS_WINDOW: Ns = 60 * SECOND;
/// "A blink is < 0.4 s".
const BLINK: Ns = 400 * MS;
/// A share this near to a threshold may be on either side of it, by how it was rounded.
const ROUNDING: f64 = 1e-6;

/// The share of a whole window in which the eyes were seen and the vehicle moved throughout: in its least and in its greatest reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub least: f64,
    pub most: f64,
}

/// Whether a whole window has passed since the first frame, but for what 30 frames a second are no whole number of nanoseconds.
fn has_passed(facts: &Facts, stamp: Ns) -> bool {
    stamp - facts.span.from >= PERCLOS_WINDOW - time::ROUNDING
}

/// The share at each frame.
pub(super) struct Lids {
    /// None where there is no such window: the table does not say what time unseen, or time standing, does to a share.
    at: Vec<Option<Share>>,
    /// Closures that are possibly no blinks.
    closures: IntervalSet,
}

impl Lids {
    pub(super) fn of(facts: &Facts) -> Lids {
        let moving = facts.speed(|v| v >= SURELY_MOVING_KMH).surely;
        let known = facts.eyes(|e| matches!(e, Eyes::Open | Eyes::Closed)).intersect(&moving);
        let sure = facts.eyes(|e| e == Eyes::Closed).keep(|run| facts.shortest(run) >= LONG_BLINK);
        let least = |window: Interval| {
            let seen = |run: &Interval| Interval::new(run.from, facts.frame_before(run.until));
            // One under way is no longer a blink only when it has lasted.
            let lasted = sure.runs().iter().filter(|run| window.until - run.from >= LONG_BLINK);
            IntervalSet::of(lasted.map(seen)).measure(window)
        };
        let around = Around {
            out: facts.eyes(|e| e == Eyes::Open),
            out_up_to: facts.debounce,
            unknown: facts.eyes(|e| e == Eyes::Unknown),
            uncovered: facts.silence().clone(),
        };
        let core = facts.eyes(|e| matches!(e, Eyes::Closed | Eyes::Unclear));
        let runs = facts.longest_runs(&core, &around);
        let possible = runs.iter().map(|run| run.span).filter(|span| facts.longest(*span) >= BLINK);
        let closures =
            IntervalSet::of(possible.map(|span| Interval::new(facts.frame_before(span.from), span.until)));
        let share = |stamp: &Ns| {
            let window = Interval::new(stamp - PERCLOS_WINDOW, *stamp);
            let of_all = |closed: Ns| seconds(closed) / seconds(PERCLOS_WINDOW);
            let seen = Interval::new(window.from.max(facts.span.from), window.until);
            let whole = has_passed(facts, *stamp) && known.covers(seen);
            whole.then(|| Share { least: of_all(least(window)), most: of_all(closures.measure(window)) })
        };
        Lids { at: facts.stamps().iter().map(share).collect(), closures }
    }

    /// Where the share is known and is so.
    fn hold(&self, facts: &Facts, wanted: impl Fn(Share) -> bool) -> IntervalSet {
        facts.hold(|i| self.at.get(i).copied().flatten().is_some_and(&wanted))
    }

    /// Surely above the limit.
    pub(super) fn high(&self, facts: &Facts) -> IntervalSet {
        self.hold(facts, |share| share.least > f64::from(PERCLOS_RAISE) + ROUNDING)
    }

    /// Possibly above it: "at the end of the window", so never before there was one; and where time unseen or standing is in it, as soon as there
    /// has been a closure.
    pub(super) fn perhaps_high(&self, facts: &Facts) -> IntervalSet {
        let begun = self.closures.runs().first().map_or(Ns::MAX, |run| run.from);
        facts.hold(|i| match (self.at.get(i).copied().flatten(), facts.stamps().get(i)) {
            (Some(share), _) => share.most > f64::from(PERCLOS_RAISE) - ROUNDING,
            (None, Some(stamp)) => has_passed(facts, *stamp) && *stamp >= begun,
            (None, None) => false,
        })
    }

    /// Surely not below the questionable share.
    pub(super) fn not_low(&self, facts: &Facts) -> IntervalSet {
        self.hold(facts, |share| share.least >= f64::from(PERCLOS_CLEAR) + ROUNDING)
    }

    /// Surely below it.
    pub(super) fn low(&self, facts: &Facts) -> IntervalSet {
        self.hold(facts, |share| share.most < f64::from(PERCLOS_CLEAR) - ROUNDING)
    }

    /// The stretches in which it is known, each with the greatest of its shares.
    pub(super) fn stretches(&self, facts: &Facts) -> Vec<(Interval, Share)> {
        let known = self.hold(facts, |_| true);
        let greatest = |run: &Interval| {
            let inside = facts.stamps().iter().zip(&self.at).filter(|(stamp, _)| run.contains(**stamp));
            let none = Share { least: 0.0, most: 0.0 };
            inside.filter_map(|(_, share)| *share).fold(none, |all, one| Share {
                least: all.least.max(one.least),
                most: all.most.max(one.most),
            })
        };
        known.runs().iter().map(|run| (*run, greatest(run))).collect()
    }

    /// From the first closure on that is possibly no blink.
    pub(super) fn after_first(&self, facts: &Facts) -> IntervalSet {
        IntervalSet::of(self.closures.runs().first().map(|run| Interval::new(run.from, facts.span.until)))
    }
}
