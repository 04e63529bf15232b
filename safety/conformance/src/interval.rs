//! What belongs here: sets of half-open time intervals and their algebra.
//!
//! Every set is sorted and its intervals neither overlap nor touch. All operations are linear in the number of
//! intervals unless they say otherwise, and none can fail: an empty or reversed interval is dropped.

use crate::time::Ns;

/// From `from` (included) until `until` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The first moment within.
    pub from: Ns,
    /// The first moment after.
    pub until: Ns,
}

impl Interval {
    /// Unchecked: an empty or a reversed one holds no moment, and a set drops it.
    #[must_use]
    pub const fn new(from: Ns, until: Ns) -> Self {
        Self { from, until }
    }

    /// From `from` to `until`; negative for a reversed one.
    #[must_use]
    pub const fn length(self) -> Ns {
        self.until - self.from
    }

    /// Whether `t` lies within: `from` does, `until` does not.
    #[must_use]
    pub const fn contains(self, t: Ns) -> bool {
        self.from <= t && t < self.until
    }
}

/// A set of moments, as intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalSet(Vec<Interval>);

impl IntervalSet {
    /// The set without a moment.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The union of intervals in any order.
    #[must_use]
    pub fn of(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut all: Vec<Interval> = intervals.into_iter().filter(|i| i.from < i.until).collect();
        all.sort_unstable_by_key(|i| i.from);
        let mut merged: Vec<Interval> = Vec::with_capacity(all.len());
        for next in all {
            match merged.last_mut() {
                Some(last) if next.from <= last.until => last.until = last.until.max(next.until),
                _ => merged.push(next),
            }
        }
        Self(merged)
    }

    /// The intervals in the order of time, a gap between any two.
    #[must_use]
    pub fn runs(&self) -> &[Interval] {
        &self.0
    }

    /// Whether there is no moment in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The interval that holds `t`. Logarithmic.
    #[must_use]
    pub fn run_at(&self, t: Ns) -> Option<Interval> {
        let after = self.0.partition_point(|i| i.from <= t);
        let run = *self.0.get(after.checked_sub(1)?)?;
        run.contains(t).then_some(run)
    }

    /// Whether the moment `t` is in the set. Logarithmic.
    #[must_use]
    pub fn contains(&self, t: Ns) -> bool {
        self.run_at(t).is_some()
    }

    /// Whether every moment of `part` is in the set; an empty part is.
    #[must_use]
    pub fn covers(&self, part: Interval) -> bool {
        part.from >= part.until || self.run_at(part.from).is_some_and(|run| part.until <= run.until)
    }

    /// The first moment of the set that is not before `t`. Logarithmic.
    #[must_use]
    pub fn first_from(&self, t: Ns) -> Option<Ns> {
        let at = self.0.partition_point(|i| i.until <= t);
        self.0.get(at).map(|i| i.from.max(t))
    }

    /// The moments of either set. Sorts: n log n.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied())
    }

    /// The moments that both sets hold.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = Vec::new();
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let both = Interval::new(x.from.max(y.from), x.until.min(y.until));
            if both.from < both.until {
                common.push(both);
            }
            if x.until <= y.until {
                a.next()
            } else {
                b.next()
            };
        }
        Self(common)
    }

    /// The part of the set within one interval.
    #[must_use]
    pub fn within(&self, part: Interval) -> Self {
        let first = self.0.partition_point(|i| i.until <= part.from);
        let inside = self.0.iter().skip(first).take_while(|i| i.from < part.until);
        Self(
            inside
                .map(|i| Interval::new(i.from.max(part.from), i.until.min(part.until)))
                .filter(|i| i.from < i.until)
                .collect(),
        )
    }

    /// All moments of `span` that are not in the set.
    #[must_use]
    pub fn complement(&self, span: Interval) -> Self {
        let mut open = span.from;
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        for run in &self.within(span).0 {
            rest.push(Interval::new(open, run.from));
            open = run.until;
        }
        rest.push(Interval::new(open, span.until));
        rest.retain(|i| i.from < i.until);
        Self(rest)
    }

    /// The moments of this set that the other does not hold.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => {
                self.intersect(&other.complement(Interval::new(first.from, last.until)))
            }
            _ => Self::empty(),
        }
    }

    /// Fills the gaps between neighbours that `bridged` accepts.
    #[must_use]
    pub fn bridge(&self, bridged: impl Fn(Interval) -> bool) -> Self {
        let gaps = self.0.windows(2).filter_map(|pair| match pair {
            [left, right] => Some(Interval::new(left.until, right.from)),
            _ => None,
        });
        Self::of(self.0.iter().copied().chain(gaps.filter(|gap| bridged(*gap))))
    }

    /// Only the intervals that `wanted` accepts.
    #[must_use]
    pub fn keep(&self, wanted: impl Fn(Interval) -> bool) -> Self {
        Self(self.0.iter().copied().filter(|run| wanted(*run)).collect())
    }

    /// Each interval without its first `length`.
    #[must_use]
    pub fn after_dwell(&self, length: Ns) -> Self {
        Self::of(self.0.iter().map(|run| Interval::new(run.from + length, run.until)))
    }

    /// How much of the set lies within one interval.
    #[must_use]
    pub fn measure(&self, part: Interval) -> Ns {
        let first = self.0.partition_point(|i| i.until <= part.from);
        let inside = self.0.iter().skip(first).take_while(|i| i.from < part.until);
        inside.map(|i| (i.until.min(part.until) - i.from.max(part.from)).max(0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(Ns, Ns)]) -> IntervalSet {
        IntervalSet::of(pairs.iter().map(|&(a, b)| Interval::new(a, b)))
    }

    #[test]
    fn touching_and_overlapping_intervals_become_one() {
        assert_eq!(set(&[(5, 9), (0, 3), (3, 5), (20, 20)]), set(&[(0, 9)]));
    }

    #[test]
    fn the_algebra_agrees_with_moment_by_moment_membership() {
        let (a, b) = (set(&[(1, 4), (6, 9), (12, 20)]), set(&[(0, 2), (3, 7), (15, 16)]));
        let span = Interval::new(0, 25);
        for t in 0..25 {
            let (x, y) = (a.contains(t), b.contains(t));
            assert_eq!(a.union(&b).contains(t), x || y);
            assert_eq!(a.intersect(&b).contains(t), x && y);
            assert_eq!(a.minus(&b).contains(t), x && !y);
            assert_eq!(a.complement(span).contains(t), !x);
        }
        assert_eq!(a.measure(Interval::new(2, 14)), 2 + 3 + 2);
        assert_eq!(a.first_from(4), Some(6));
        assert_eq!(a.first_from(20), None);
    }

    #[test]
    fn only_the_accepted_gaps_are_bridged() {
        assert_eq!(set(&[(0, 2), (3, 5), (9, 10)]).bridge(|gap| gap.length() <= 1), set(&[(0, 5), (9, 10)]));
    }
}
