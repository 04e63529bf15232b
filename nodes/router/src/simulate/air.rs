//! The link as it is: a trace, when it is dead, and what goes through it.

use super::{
    chance::Chance,
    trace::Trace,
    world::{LinkTruth, Outcome},
};

/// A link over time, s.
#[derive(Debug, Clone)]
pub struct Air {
    trace: Trace,
    link: LinkTruth,
    /// Dead from and to, within the trace.
    gaps: Vec<(f64, f64)>,
    /// Cuts beside those, from and to, over all of the time.
    cuts: Vec<(f64, f64)>,
}

impl Air {
    /// With so many cuts an hour beside those of the trace, over so many seconds.
    pub fn new(trace: &Trace, outcome: &Outcome, cuts_an_hour: f64, seconds: f64, seed: u64) -> Air {
        let gaps = trace.gaps(outcome.link.chunk_mbit, outcome.link.gap_s);
        let mut chance = Chance::of(seed, &[0xc07]);
        let (mut cuts, mut time) = (Vec::new(), 0.0);
        while cuts_an_hour > 0.0 && time < seconds {
            time += chance.exponential(3600.0 / cuts_an_hour);
            let lasts = chance.exponential(outcome.cuts.mean_s);
            cuts.push((time, time + lasts));
            time += lasts;
        }
        Air { trace: trace.clone(), link: outcome.link.clone(), gaps, cuts }
    }

    /// With these cuts (from and to, s) beside the trace's own.
    pub fn cut(trace: &Trace, outcome: &Outcome, cuts: Vec<(f64, f64)>) -> Air {
        Air { cuts, ..Air::new(trace, outcome, 0.0, 0.0, 0) }
    }

    /// When it is alive again, of a time at which it is dead; none where it is alive.
    pub fn dead_until(&self, time: f64) -> Option<f64> {
        let within = time.rem_euclid(self.trace.seconds());
        let gap = self
            .gaps
            .iter()
            .find(|(from, to)| (*from..*to).contains(&within))
            .map(|(_, to)| time - within + to);
        let cut = self.cuts.iter().find(|(from, to)| (*from..*to).contains(&time)).map(|(_, to)| *to);
        [gap, cut].into_iter().flatten().reduce(f64::max)
    }

    /// Whether it is alive all the time from then to then, looked at each tenth of a second.
    pub fn alive_throughout(&self, from: f64, to: f64) -> bool {
        (0..=((to - from) / 0.1) as u64).all(|n| self.dead_until(from + n as f64 * 0.1).is_none())
    }

    /// kbit/s down.
    pub fn down_kbps(&self, time: f64) -> f64 {
        if self.dead_until(time).is_some() { 0.0 } else { self.trace.mbit(time) * 1000.0 }
    }

    /// kbit/s up.
    pub fn up_kbps(&self, time: f64) -> f64 {
        self.down_kbps(time) * self.link.up_share
    }

    /// A round trip, s, while it is alive.
    pub fn rtt(&self, time: f64) -> f64 {
        let link = &self.link;
        (link.rtt_ms + link.queue_ms / self.trace.mbit(time).max(0.01)) / 1000.0
    }

    /// When something of so long, begun at `from`, is through: what is dead in between is waited for, and then TCP's own wait. `pace`: what
    /// one step of it takes from a time on.
    pub fn through(&self, from: f64, steps: usize, pace: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut time = from;
        let mut done = Vec::with_capacity(steps);
        for _ in 0..steps {
            time = self.alive(time) + pace(time);
            // Dead while it was on its way: sent again.
            if self.dead_until(time).is_some() {
                time = self.alive(time);
            }
            done.push(time);
        }
        done
    }

    /// The time itself, or when it is alive again and TCP has noticed.
    fn alive(&self, mut time: f64) -> f64 {
        // Gaps and cuts can follow on one another; a trace that is dead for good is not waited for without an end.
        for _ in 0..100 {
            match self.dead_until(time) {
                Some(until) => time = until + self.link.recovers_s,
                None => return time,
            }
        }
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_waits_until_a_gap_is_over_and_tcp_has_noticed() {
        let trace = Trace::parse("t", "0 1.0\n10 1.0\n").unwrap();
        let outcome = Outcome::built_in();
        let air = Air::new(&trace, &outcome, 0.0, 100.0, 1);
        assert_eq!(
            (air.dead_until(0.5), air.dead_until(5.0), air.dead_until(15.0)),
            (None, Some(10.0), Some(20.0))
        );
        assert_eq!(air.through(0.5, 2, |_| 0.25), [0.75, 1.0]);
        assert_eq!(air.through(1.3, 1, |_| 0.25), [11.0]);
        assert_eq!((air.down_kbps(0.5), air.down_kbps(5.0)), (1000.0, 0.0));
    }

    #[test]
    fn cuts_come_as_often_as_asked_for() {
        let trace = Trace::parse("t", "0 9\n1 9\n").unwrap();
        let outcome = Outcome::built_in();
        let cuts = |an_hour| Air::new(&trace, &outcome, an_hour, 36_000.0, 3).cuts.len();
        assert_eq!(cuts(0.0), 0);
        assert!((80..=120).contains(&cuts(10.0)), "{}", cuts(10.0));
    }
}
