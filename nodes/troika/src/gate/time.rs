//! Which of two networks is faster: both in one process, one thread, in turns, several copies of each. Where a copy's weights and tensors happen to
//! lie makes up to a thirtieth of a small network's time, which no number of runs of one copy averages out.

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use troika_models::{Network, RunError, golden};

/// A candidate's time must be below this share of the other's: what is nearer is not worth another model.
pub(super) const FASTER: f64 = 0.97;

/// Copies of each, which all stay where they are: the bound is of what another copy would take.
const COPIES: usize = 11;
/// Blocks of each copy: their median is not moved by bad moments.
const ROUNDS: usize = 9;
/// A block is as many runs as take about so long: long against the clock's own call, short against what else the machine does.
const BLOCK_MS: f64 = 4.0;
const MOST_RUNS: f64 = 2000.0;
/// Of the median's upper bound.
const SURE: f64 = 0.95;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Timed {
    /// Thread-CPU milliseconds of a run, median of the blocks.
    pub(super) used_ms: f64,
    /// The same of the candidate.
    pub(super) candidate_ms: f64,
    /// Candidate over used, median of the copies, of each of which it is the median of its blocks.
    pub(super) ratio: f64,
    /// The ratio's upper 95 % bound, over copies.
    pub(super) ratio_upper: f64,
    /// The network in use beside a further copy of itself: the least and the greatest ratio.
    pub(super) itself: [f64; 2],
    pub(super) copies: usize,
    pub(super) rounds: usize,
    pub(super) runs_a_block: usize,
}

impl Timed {
    /// Whether the candidate is really faster.
    pub(super) fn is_faster(&self) -> bool {
        self.ratio_upper < FASTER
    }
}

/// Times both on the inputs of the golden cases; each call of these makes another copy. Which of them goes first changes from round to round.
///
/// # Errors
/// A copy that cannot be made, a run that fails.
pub(super) fn time(
    mut used: impl FnMut() -> anyhow::Result<Network>,
    mut candidate: impl FnMut() -> anyhow::Result<Network>,
) -> anyhow::Result<Timed> {
    // Used, used again, candidate; made in another order each time.
    let mut all = Vec::new();
    for copy in 0..COPIES {
        all.push(if copy % 2 == 0 {
            [used()?, used()?, candidate()?]
        } else {
            let (other, again) = (candidate()?, used()?);
            [used()?, again, other]
        });
    }
    let Some([first, ..]) = all.first_mut() else { anyhow::bail!("no copy") };
    let cases: Vec<Vec<Vec<f32>>> =
        (1..=golden::CASES).map(|case| golden::inputs(first.inputs(), case)).collect();
    let cases: Vec<Vec<&[f32]>> =
        cases.iter().map(|inputs| inputs.iter().map(Vec::as_slice).collect()).collect();
    let block = |network: &mut Network, runs: usize| -> Result<f64, RunError> {
        let begin = cpu_ms();
        for inputs in cases.iter().cycle().take(runs) {
            network.run(inputs)?;
        }
        Ok((cpu_ms() - begin) / runs as f64)
    };
    // The first runs fault pages in; how long one takes is known after them.
    let warm = cases.len() * 2;
    block(first, warm)?;
    let once = block(first, warm)?;
    let runs = (BLOCK_MS / once.max(1e-6)).ceil().clamp(cases.len() as f64, MOST_RUNS) as usize;
    let (mut of_used, mut of_candidate, mut ratios, mut itself) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for copy in &mut all {
        copy.iter_mut().try_for_each(|network| block(network, warm).map(drop))?;
        let mut times: [Vec<f64>; 3] = Default::default();
        for turn in 0..3 * ROUNDS {
            // 0 1 2, 2 1 0, ...: each stands after each other as often.
            let which = if turn / 3 % 2 == 0 { turn % 3 } else { 2 - turn % 3 };
            times[which].push(block(&mut copy[which], runs)?);
        }
        let [mine, again, other] = times.each_mut().map(|times| median_and_bound(times).0.max(1e-9));
        of_used.push(mine);
        of_candidate.push(other);
        // Of the two copies in use together: a bad place of one of them is half of what it would be.
        ratios.push(other / ((mine + again) / 2.0));
        itself.push(again / mine);
    }
    let (ratio, ratio_upper) = median_and_bound(&mut ratios);
    let (used_ms, _) = median_and_bound(&mut of_used);
    let (candidate_ms, _) = median_and_bound(&mut of_candidate);
    let itself =
        itself.iter().fold([f64::INFINITY, 0.0], |[least, most], one| [one.min(least), one.max(most)]);
    Ok(Timed {
        used_ms,
        candidate_ms,
        ratio,
        ratio_upper,
        itself,
        copies: COPIES,
        rounds: ROUNDS,
        runs_a_block: runs,
    })
}

/// The median, and what the median of all that might have been measured is below, at 95 %: the smallest value with so many below it that
/// a fair coin would fall on one side that often at most. It asks nothing of the distribution.
fn median_and_bound(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let median = values.get(n / 2).copied().unwrap_or(f64::NAN);
    // P(k of n at most are below the median), by the binomial distribution.
    let (mut term, mut below) = (0.5f64.powi(i32::try_from(n).unwrap_or(i32::MAX)), 0.0);
    for (k, value) in values.iter().enumerate() {
        below += term;
        if below >= SURE {
            return (median, *value);
        }
        term *= (n - k) as f64 / (k + 1) as f64;
    }
    // So few values bound nothing.
    (median, f64::INFINITY)
}

/// The processor time of this thread.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_sign_test() {
        let mut values: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        // Tables of the sign test: of 101 values the one-sided 95 % bound of the median is the 60th.
        assert_eq!(median_and_bound(&mut values), (51.0, 60.0));
        // And of eleven the ninth.
        let mut copies: Vec<f64> = (1..=11).rev().map(f64::from).collect();
        assert_eq!(median_and_bound(&mut copies), (6.0, 9.0));
        let mut few = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(median_and_bound(&mut few), (3.0, f64::INFINITY));
        let mut five = [5.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!(median_and_bound(&mut five), (3.0, 5.0));
    }

    #[test]
    fn what_may_be_no_faster_is_not() {
        let timed = |ratio_upper| Timed {
            used_ms: 1.0,
            candidate_ms: 0.9,
            ratio: 0.9,
            ratio_upper,
            itself: [0.99, 1.01],
            copies: 11,
            rounds: 9,
            runs_a_block: 4,
        };
        assert!(timed(0.969).is_faster());
        assert!(
            !timed(0.97).is_faster() && !timed(f64::INFINITY).is_faster() && !timed(f64::NAN).is_faster()
        );
    }
}
