//! A recorded link: lines of seconds and Mbit/s. And links made by a seed that have the same statistics, for where no record is.

use super::chance::Chance;

/// A link over time; over its end it begins again.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Seconds, and Mbit/s from then on. Times rise.
    points: Vec<(f64, f64)>,
}

/// A trace that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}; a line is seconds and Mbit/s, as in `12.5 1.87`")]
pub struct TraceError {
    /// What was read.
    pub file: String,
    /// Where, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// What a made link is like: the logarithm of its rate in Mbit/s (mean, standard deviation, and how much of it is left at the next line).
/// Of the logs of Riiser et al., MMSys 2013, of that kind; those of cars and trains were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Like {
    /// A city bus.
    Bus,
    /// A ferry.
    Ferry,
    /// An underground train.
    Metro,
    /// A tram.
    Tram,
}

impl Like {
    fn statistics(self) -> (f64, f64, f64) {
        match self {
            Like::Bus => (0.76, 0.54, 0.91),
            Like::Ferry => (0.23, 0.57, 0.86),
            Like::Metro => (0.07, 0.44, 0.80),
            Like::Tram => (-0.03, 0.46, 0.86),
        }
    }
}

impl Trace {
    /// Reads one. `file` is what an error calls it.
    ///
    /// # Errors
    /// The first line that is none, or a trace of fewer than two.
    pub fn parse(file: &str, text: &str) -> Result<Trace, TraceError> {
        let fault = |line: usize, reason: &str| TraceError { file: file.into(), line, reason: reason.into() };
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let mut columns = line.split_whitespace().map(str::parse::<f64>);
            let (Some(Ok(time)), Some(Ok(rate)), None) = (columns.next(), columns.next(), columns.next())
            else {
                return Err(fault(n + 1, "two numbers are wanted"));
            };
            if !(0.0..=1e7).contains(&time) || points.last().is_some_and(|(before, _)| *before >= time) {
                return Err(fault(n + 1, "the time does not rise"));
            }
            if !(0.0..=1e5).contains(&rate) {
                return Err(fault(n + 1, "the rate is 0 to 100000 Mbit/s"));
            }
            points.push((time, rate));
        }
        if points.len() < 2 {
            return Err(fault(text.lines().count().max(1), "the trace ends before its second line"));
        }
        Ok(Trace { points })
    }

    /// One made by a seed, of at least so many seconds.
    pub fn made(like: Like, seed: u64, seconds: f64) -> Trace {
        let (mean, sd, left) = like.statistics();
        let mut chance = Chance::new(seed);
        let (mut time, mut level) = (0.0, chance.normal());
        let mut points = Vec::new();
        while time < seconds || points.len() < 2 {
            let rate = (mean + sd * level).exp();
            points.push((time, rate));
            time += 1.5 / rate;
            // One line of a hundred is followed by some seconds in which nothing came.
            if chance.uniform() < 0.01 {
                time += 2.0 + chance.exponential(3.0);
            }
            level = left * level + (1.0 - left * left).sqrt() * chance.normal();
        }
        Trace { points }
    }

    /// A steady link of so many Mbit/s.
    pub fn steady(mbit: f64) -> Trace {
        // Lines as often as the pieces of that size come: no line is followed by a gap.
        let every = 1.5 / mbit.max(0.01);
        Trace { points: (0..1000).map(|n| (f64::from(n) * every, mbit)).collect() }
    }

    /// As text, which [`Trace::parse`] reads.
    pub fn to_text(&self) -> String {
        self.points.iter().map(|(time, rate)| format!("{time:.3}\t{rate:.6}\n")).collect()
    }

    /// How long it is, s.
    pub fn seconds(&self) -> f64 {
        self.points[self.points.len() - 1].0 - self.points[0].0
    }

    /// Mbit/s at a time.
    pub(crate) fn mbit(&self, time: f64) -> f64 {
        let time = self.points[0].0 + time.rem_euclid(self.seconds());
        let at = self.points.partition_point(|(then, _)| *then <= time);
        self.points[at.saturating_sub(1)].1
    }

    /// When nothing came: from and to, within the trace.
    pub(crate) fn gaps(&self, chunk_mbit: f64, gap_s: f64) -> Vec<(f64, f64)> {
        let start = self.points[0].0;
        let between = self.points.windows(2).filter_map(|two| {
            let ((from, rate), (to, _)) = (two[0], two[1]);
            let busy = if rate > 0.0 { chunk_mbit / rate } else { 0.0 };
            (to - from - busy > gap_s).then_some((from + busy - start, to - start))
        });
        between.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_and_begins_again_at_its_end() {
        let trace = Trace::parse("t", "0.0\t2.0\n1.0 4.0\n\n11.0 1.0\n").unwrap();
        assert_eq!(
            (trace.seconds(), trace.mbit(0.5), trace.mbit(10.0), trace.mbit(11.5)),
            (11.0, 2.0, 4.0, 2.0)
        );
        let gaps = trace.gaps(1.5, 2.0);
        assert_eq!(gaps, [(1.375, 11.0)]);
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_line_and_what_a_line_is() {
        for (text, line, reason) in [
            ("0 1\n1 x\n", 2, "two numbers"),
            ("0 1\n1 2 3\n", 2, "two numbers"),
            ("0 1\n0 2\n", 2, "does not rise"),
            ("0 1\n1 -2\n", 2, "0 to 100000"),
            ("0 1\n1 nan\n", 2, "0 to 100000"),
            ("nan 1\n", 1, "does not rise"),
            ("0 1\n", 1, "second line"),
            ("", 1, "second line"),
        ] {
            let error = Trace::parse("bus.txt", text).unwrap_err();
            assert!(error.line == line && error.reason.contains(reason), "{text:?}: {error}");
            assert!(error.to_string().contains("as in `12.5 1.87`"));
        }
    }

    #[test]
    fn a_made_trace_has_the_statistics_that_it_is_made_of_and_reads_back() {
        let trace = Trace::made(Like::Tram, 7, 6_000.0);
        let logs: Vec<f64> = trace.points.iter().map(|(_, rate)| rate.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let sd = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt();
        assert!((mean + 0.03).abs() < 0.12 && (sd - 0.46).abs() < 0.08, "{mean} {sd}");
        assert!(!trace.gaps(1.5, 2.0).is_empty());
        assert_eq!(Trace::parse("made", &trace.to_text()).unwrap().points.len(), trace.points.len());
        assert_eq!(Trace::made(Like::Tram, 7, 100.0), Trace::made(Like::Tram, 7, 100.0));
        assert_ne!(Trace::made(Like::Tram, 7, 100.0), Trace::made(Like::Tram, 8, 100.0));
    }

    #[test]
    fn a_trace_that_begins_late_is_one_from_its_first_line_and_a_line_of_no_rate_is_dead_at_once() {
        let trace = Trace::parse("t", "5 1.0\n15 0\n20 3.0\n21 3.0\n").unwrap();
        assert_eq!(
            (trace.seconds(), trace.mbit(0.0), trace.mbit(9.9), trace.mbit(10.0), trace.mbit(15.5)),
            (16.0, 1.0, 1.0, 0.0, 3.0)
        );
        assert_eq!((trace.mbit(16.0), trace.mbit(-0.5)), (1.0, 3.0), "it goes round");
        assert_eq!(trace.gaps(1.5, 2.0), [(1.5, 10.0), (10.0, 15.0)]);
        assert_eq!(trace.gaps(1.5, 5.0), [(1.5, 10.0)], "a gap is longer than that");
    }

    #[test]
    fn the_edges_of_times_and_rates_are_taken() {
        assert!(Trace::parse("t", "0 0\n10000000 100000\n").is_ok());
        assert!(
            Trace::parse("t", "0 0\n10000001 1\n").is_err() && Trace::parse("t", "0 0\n1 100001\n").is_err()
        );
        assert_eq!(Trace::parse("t", "1 1\n\n\n0 1\n").unwrap_err().line, 4);
    }

    #[test]
    fn a_steady_link_has_its_rate_and_no_gap() {
        let trace = Trace::steady(3.0);
        assert!((trace.seconds() - 999.0 * 0.5).abs() < 1e-9 && trace.mbit(123.0) == 3.0);
        assert_eq!(trace.gaps(1.5, 2.0), []);
        assert!(
            (Trace::steady(0.001).seconds() - 999.0 * 150.0).abs() < 1e-6,
            "no slower than 10 kbit/s by its lines"
        );
    }

    #[test]
    fn made_traces_are_as_long_as_asked_for_with_a_gap_in_a_hundred_lines_and_a_rate_that_lingers() {
        for (like, mean, sd, left) in
            [(Like::Bus, 0.76, 0.54, 0.91), (Like::Ferry, 0.23, 0.57, 0.86), (Like::Metro, 0.07, 0.44, 0.80)]
        {
            let trace = Trace::made(like, 3, 20_000.0);
            let logs: Vec<f64> = trace.points.iter().map(|(_, rate)| rate.ln()).collect();
            let count = logs.len() as f64;
            let got = logs.iter().sum::<f64>() / count;
            let variance = logs.iter().map(|log| (log - got).powi(2)).sum::<f64>() / count;
            let next =
                logs.windows(2).map(|two| (two[0] - got) * (two[1] - got)).sum::<f64>() / count / variance;
            assert!(
                (got - mean).abs() < 0.06
                    && (variance.sqrt() - sd).abs() < 0.04
                    && (next - left).abs() < 0.03,
                "{got} {variance} {next}"
            );
            let gaps = trace.gaps(1.5, 1.99);
            let share = gaps.len() as f64 / count;
            let long = gaps.iter().map(|(from, to)| to - from).sum::<f64>() / gaps.len() as f64;
            assert!((share - 0.01).abs() < 0.003 && (long - 5.0).abs() < 0.8, "{share} {long}");
            let last = trace.points.len() - 1;
            assert!(trace.points[last].0 < 20_000.0 && trace.points[0].0 == 0.0);
        }
        assert_eq!(Trace::made(Like::Bus, 1, 0.0).points.len(), 2);
    }
}
