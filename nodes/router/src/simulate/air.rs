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

    #[test]
    fn a_cut_counts_beside_the_gaps_and_the_later_end_is_waited_for() {
        let trace = Trace::parse("t", "0 1.0\n10 1.0\n").unwrap();
        let air = Air::cut(&trace, &Outcome::built_in(), vec![(0.2, 0.7), (5.0, 12.0)]);
        assert_eq!(
            (air.dead_until(0.5), air.dead_until(0.7), air.dead_until(5.0)),
            (Some(0.7), None, Some(12.0))
        );
        // Alive from 10.0 to 11.5 and so on, looked at each tenth of a second.
        let air = Air::cut(&trace, &Outcome::built_in(), Vec::new());
        assert!(air.alive_throughout(1.0, 1.3) && air.alive_throughout(0.0, 1.0));
        assert!(!air.alive_throughout(1.0, 2.0) && !air.alive_throughout(2.0, 2.0));
    }

    #[test]
    fn a_round_trip_grows_as_the_link_slows_and_up_there_is_a_quarter_of_what_there_is_down() {
        let of = |mbit| Air::cut(&Trace::steady(mbit), &Outcome::built_in(), Vec::new());
        // 70 ms, and 40 ms at 1 Mbit/s of queue.
        assert!((of(2.0).rtt(1.0) - 0.090).abs() < 1e-12 && (of(0.001).rtt(1.0) - 4.070).abs() < 1e-12);
        assert_eq!((of(2.0).down_kbps(1.0), of(2.0).up_kbps(1.0)), (2_000.0, 500.0));
    }

    #[test]
    fn a_link_that_is_dead_again_and_again_is_not_waited_for_without_an_end() {
        let cuts = (0..300).map(|n| (f64::from(n) * 2.0, f64::from(n) * 2.0 + 1.0)).collect();
        let air = Air::cut(&Trace::steady(2.0), &Outcome::built_in(), cuts);
        assert_eq!(air.through(0.0, 1, |_| 0.1), [f64::INFINITY]);
        assert_eq!(air.through(597.5, 1, |_| 0.1), [597.6]);
    }

    #[test]
    fn random_cuts_come_one_after_the_other_last_eight_seconds_on_average_and_end_with_the_time() {
        let cuts = Air::new(&Trace::steady(2.0), &Outcome::built_in(), 60.0, 360_000.0, 3).cuts;
        let mean = cuts.iter().map(|(from, to)| to - from).sum::<f64>() / cuts.len() as f64;
        let pause = cuts.windows(2).map(|two| two[1].0 - two[0].1).sum::<f64>() / (cuts.len() - 1) as f64;
        assert!((mean - 8.0).abs() < 0.5 && (pause - 60.0).abs() < 3.0, "{mean} {pause}");
        assert!(cuts.windows(2).all(|two| two[0].0 < two[0].1 && two[0].1 < two[1].0));
        let (last, before) = (cuts[cuts.len() - 1], cuts[cuts.len() - 2]);
        assert!(before.1 < 360_000.0 && last.1 >= 360_000.0, "{before:?} {last:?}");
    }
}
