//! A histogram of durations that one thread writes and any thread reads: fixed range, fixed memory, no allocation and no
//! lock to record. Up to 32 us in steps of 0.5 us, above that 32 steps an octave (3 %), to 34 s; longer ones count as that,
//! and the exact maximum is kept beside it.

use std::{sync::Arc, time::Duration};

use super::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// One step of the linear part: 512 ns.
const UNIT_BITS: u32 = 9;
/// Steps an octave above the linear part: 2^5 = 32.
const SUB_BITS: u32 = 5;
/// Steps of the linear part: two octaves' worth, so that the first octave above it continues with steps of 2 units.
const LINEAR: usize = 2 << SUB_BITS;
/// Octaves above the linear part: 2^(9+6) ns x 2^20 = 34 s.
const OCTAVES: usize = 20;
const STEPS: usize = LINEAR + (OCTAVES << SUB_BITS);

#[derive(Debug)]
struct Cells {
    counts: [AtomicU64; STEPS],
    max: AtomicU64,
}

/// The reader's end; cheap to clone.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Cells>);

/// The writer's end; there is one.
#[derive(Debug)]
pub struct HistogramWriter(Arc<Cells>);

/// A new, empty histogram.
pub fn histogram() -> (HistogramWriter, Histogram) {
    let cells =
        Arc::new(Cells { counts: std::array::from_fn(|_| AtomicU64::new(0)), max: AtomicU64::new(0) });
    (HistogramWriter(cells.clone()), Histogram(cells))
}

const fn index(nanos: u64) -> usize {
    let units = nanos >> UNIT_BITS;
    if units < LINEAR as u64 {
        return units as usize;
    }
    // The position of the highest bit names the octave, the SUB_BITS below it the step.
    let high = 63 - units.leading_zeros();
    let octave = (high - SUB_BITS - 1) as usize;
    if octave >= OCTAVES {
        return STEPS - 1;
    }
    let step = (units >> (high - SUB_BITS)) as usize - (1 << SUB_BITS);
    LINEAR + (octave << SUB_BITS) + step
}

/// The largest duration that counts in a step.
const fn upper(index: usize) -> u64 {
    if index < LINEAR {
        return ((index as u64 + 1) << UNIT_BITS) - 1;
    }
    let octave = (index - LINEAR) >> SUB_BITS;
    let step = (index - LINEAR) & ((1 << SUB_BITS) - 1);
    (((1 << SUB_BITS) as u64 + step as u64 + 1) << (UNIT_BITS + octave as u32 + 1)) - 1
}

impl HistogramWriter {
    /// Records one duration: two atomic operations.
    pub fn record(&mut self, duration: Duration) {
        let nanos = duration.as_nanos().min(u64::MAX as u128) as u64;
        // The maximum first: whoever sees the count sees it, so no quantile is cut off at an older maximum.
        self.0.max.fetch_max(nanos, Relaxed);
        self.0.counts[index(nanos)].fetch_add(1, Release);
    }
}

impl Histogram {
    /// What was recorded so far.
    pub fn snapshot(&self) -> Snapshot {
        let counts: Vec<u64> = self.0.counts.iter().map(|count| count.load(Acquire)).collect();
        // After the counts, as in `record`.
        Snapshot { counts, max: self.0.max.load(Relaxed) }
    }
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    counts: Vec<u64>,
    max: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot { counts: vec![0; STEPS], max: 0 }
    }
}

impl Snapshot {
    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The longest, exact (for a difference of two snapshots: to within 3 %).
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The smallest duration that at least the `q`-th part (0..=1) of all are not longer than, to within 3 % and never too
    /// small; zero when nothing was recorded.
    pub fn quantile(&self, q: f64) -> Duration {
        let total = self.count();
        if total == 0 {
            return Duration::ZERO;
        }
        let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut below = 0;
        for (index, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank && index < STEPS - 1 {
                return Duration::from_nanos(upper(index).min(self.max));
            }
        }
        self.max()
    }

    /// What was recorded since `earlier`, a snapshot of the same histogram.
    pub fn since(&self, earlier: &Snapshot) -> Snapshot {
        let counts: Vec<u64> =
            self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then)).collect();
        let top = counts.iter().rposition(|count| *count > 0);
        Snapshot { max: top.map_or(0, |index| upper(index).min(self.max)), counts }
    }

    /// Both together.
    pub fn plus(&self, other: &Snapshot) -> Snapshot {
        let counts = self.counts.iter().zip(&other.counts).map(|(a, b)| a + b).collect();
        Snapshot { counts, max: self.max.max(other.max) }
    }

    /// How many lie in each of the ranges that `edges` part: under the first edge, between neighbours, over the last. For a
    /// picture; an edge is met to within 3 %.
    pub fn ranges(&self, edges: &[Duration]) -> Vec<u64> {
        let mut ranges = vec![0; edges.len() + 1];
        for (index, count) in self.counts.iter().enumerate() {
            let nanos = upper(index) as u128;
            let range = edges.iter().take_while(|edge| edge.as_nanos() <= nanos).count();
            ranges[range] += count;
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_follow_each_other_without_gap_or_overlap() {
        for step in 0..STEPS - 1 {
            assert_eq!(index(upper(step)), step);
            assert_eq!(index(upper(step) + 1), step + 1);
        }
    }

    #[test]
    fn a_duration_beyond_the_range_keeps_its_exact_maximum() {
        let (mut writer, reader) = histogram();
        writer.record(Duration::from_secs(3600));
        assert_eq!(reader.snapshot().max(), Duration::from_secs(3600));
        assert_eq!(reader.snapshot().count(), 1);
    }

    #[test]
    fn a_difference_holds_only_what_came_between() {
        let (mut writer, reader) = histogram();
        writer.record(Duration::from_millis(80));
        let before = reader.snapshot();
        writer.record(Duration::from_millis(10));
        let between = reader.snapshot().since(&before);
        assert_eq!(between.count(), 1);
        assert!(between.max() >= Duration::from_millis(10) && between.max() < Duration::from_millis(11));
    }

    proptest! {
        #[test]
        fn a_quantile_is_never_too_small_and_at_most_3_percent_too_large(
            mut nanos in prop::collection::vec(0_u64..20_000_000_000, 1..200),
            q in 0.0_f64..=1.0,
        ) {
            let (mut writer, reader) = histogram();
            nanos.iter().for_each(|n| writer.record(Duration::from_nanos(*n)));
            nanos.sort_unstable();
            let rank = ((q * nanos.len() as f64).ceil() as usize).max(1);
            let exact = nanos[rank - 1];
            let found = reader.snapshot().quantile(q).as_nanos() as u64;
            prop_assert!(found >= exact, "{found} < {exact}");
            prop_assert!(found <= exact + exact / 31 + 512, "{found} >> {exact}");
        }
    }
}
