//! What is written: percentiles, counts, and the bound beside them.

use std::time::Duration;

use serde::Serialize;

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// Times from a fault's onset to its reaction, against what is claimed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Times {
    pub ms: Percentiles,
    /// What is claimed, with the transport's share.
    pub bound_ms: f64,
    pub over_bound: usize,
}

/// One kind of fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub fault: &'static str,
    pub detection: &'static str,
    pub reaction: &'static str,
    pub injected: usize,
    /// Must be 0.
    pub without_reaction: usize,
    pub reaction_time: Times,
    /// Of those whose process is started again.
    pub again: Option<Again>,
}

/// From the onset to the node's own first message after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Again {
    /// Must be 0.
    pub never: usize,
    pub time: Times,
}

/// The smallest of the sorted times that the `q`-th part of all is not longer than.
fn quantile(sorted: &[u64], q: f64) -> u64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0)
}

impl Times {
    /// Of times in nanoseconds.
    pub(crate) fn of(mut nanos: Vec<u64>, bound: Duration) -> Times {
        nanos.sort_unstable();
        let ms = |nanos: u64| nanos as f64 / 1e6;
        let at = |q: f64| ms(quantile(&nanos, q));
        Times {
            ms: Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) },
            bound_ms: bound.as_secs_f64() * 1e3,
            over_bound: nanos.iter().filter(|one| u128::from(**one) > bound.as_nanos()).count(),
        }
    }
}

/// The table for a person.
pub(crate) fn table(all: &[Figures]) -> String {
    let mut lines = vec![format!(
        "{:<22} {:>8} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6}",
        "fault", "injected", "none", "p50 ms", "p99", "p99.9", "max", "bound", "over"
    )];
    let mut line = |name: &str, injected: usize, none: usize, times: &Times| {
        let Percentiles { p50, p99, p999, max } = times.ms;
        lines.push(format!(
            "{name:<22} {injected:>8} {none:>6} {p50:>9.2} {p99:>9.2} {p999:>9.2} {max:>9.2} {:>9.0} {:>6}",
            times.bound_ms, times.over_bound
        ));
    };
    for one in all {
        line(one.fault, one.injected, one.without_reaction, &one.reaction_time);
        if let Some(again) = &one.again {
            line("  speaks for itself", one.injected, again.never, &again.time);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_over_the_bound_is_counted_and_percentiles_are_of_the_sorted_times() {
        let nanos = (1..=1000).rev().map(|n| n * 1_000_000).collect();
        let times = Times::of(nanos, Duration::from_millis(990));
        assert_eq!(times.ms, Percentiles { p50: 500.0, p99: 990.0, p999: 999.0, max: 1000.0 });
        assert_eq!((times.bound_ms, times.over_bound), (990.0, 10));
        assert_eq!(Times::of(Vec::new(), Duration::ZERO).ms, Percentiles::default());
    }
}
