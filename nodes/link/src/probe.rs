//! Whether a probe is worth its bytes.
//!
//! What a probe would tell is measured in nats (how much it narrows the belief), and a nat is worth so many bytes: all of them while
//! somebody speaks, and so may ask for the cloud in a moment; few otherwise; fewer the emptier the budget. So an idle link is probed about
//! twice a minute, one that is about to be used at once, and a metered one only then.

use troika_kit::{Duration, Time};

use crate::{
    bearer::Metered,
    config::ProbeConfig,
    estimator::{Estimator, LinkStatus},
};

/// What is sent to learn something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Probe {
    /// A connection and a request of a few hundred bytes: the round trip, and whether there is a link at all.
    Ping,
    /// A body of 16 KiB as well: the rate.
    Bulk,
}

impl Probe {
    /// What it costs, with headers: both ways.
    pub const fn bytes(self) -> u32 {
        match self {
            Probe::Ping => 600,
            Probe::Bulk => 600 + Probe::BULK_BODY,
        }
    }

    /// The body that is asked for: eleven segments, more than the first congestion window (RFC 6928: ten).
    pub const BULK_BODY: u32 = 16_384;
}

/// What it is worth to know one nat more while somebody may soon need it, in bytes: of the round trip, and of the rate.
const RTT_BYTES_A_NAT: f64 = 3_000.0;
const RATE_BYTES_A_NAT: f64 = 14_000.0;
/// How much less when nobody does.
const IDLE: f64 = 0.15;
/// A metered link has this share of the budget.
const METERED_SHARE: f64 = 0.25;
/// After failures the next probe waits 1, 2, 4, … s, and never longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Nor longer than this while somebody speaks: a link that is back is known of by the next question.
const LONGEST_WANTED: Duration = Duration::from_secs(2);
/// A probe that says nothing in this time has failed.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The budget, and what is under way.
#[derive(Debug, Clone)]
pub struct Prober {
    config: ProbeConfig,
    balance: f64,
    filled: Option<Time>,
    under_way: Option<Time>,
    /// Of the last one that began.
    number: u64,
    ended: Option<Time>,
    spent: u64,
}

impl Prober {
    /// With a full budget.
    pub fn new(config: ProbeConfig) -> Prober {
        let balance = f64::from(config.bytes_at_once);
        Prober { config, balance, filled: None, under_way: None, number: 0, ended: None, spent: 0 }
    }

    /// The probe that is worth its bytes now, if one is; it is then under way and paid. `wanted`: somebody speaks.
    pub fn next(&mut self, now: Time, link: &Estimator, metered: Metered, wanted: bool) -> Option<Probe> {
        self.fill(now, metered);
        if self.under_way.is_some()
            || self.ended.is_some_and(|ended| now.since(ended) < wait(link.failures(), wanted))
        {
            return None;
        }
        let share = if metered == Metered::No { 1.0 } else { METERED_SHARE };
        let full = self.balance / f64::from(self.config.bytes_at_once) * share;
        let worth = |gain: f64, a_nat: f64| gain * a_nat * full * if wanted { 1.0 } else { IDLE };
        let net = |probe: Probe, worth: f64| (probe, worth - f64::from(probe.bytes()));
        let ping = net(Probe::Ping, worth(link.rtt_gain(now), RTT_BYTES_A_NAT));
        let bulk = net(Probe::Bulk, worth(link.rate_gain(now), RATE_BYTES_A_NAT));
        // It is dear to ask for a rate where nothing answers: a round trip first.
        let answers = link.estimate(now).status == LinkStatus::Up;
        let (probe, net) = if answers && bulk.1 > ping.1 { bulk } else { ping };
        // Traffic tells that there is a link and not how far away the other end is: one round trip is measured in any case.
        let first = answers && link.active() == 0 && !link.measured();
        if (net < 0.0 && !first) || f64::from(probe.bytes()) > self.balance {
            return None;
        }
        self.balance -= f64::from(probe.bytes());
        self.spent += u64::from(probe.bytes());
        self.under_way = Some(now);
        self.number += 1;
        Some(probe)
    }

    /// The number of the probe that [`Prober::next`] began last.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The probe of this number tells what it saw; whether that is awaited. What one that was given up tells late is of another time, and it has been
    /// counted as a failure.
    pub fn answered(&mut self, now: Time, number: u64) -> bool {
        let awaited = self.under_way.is_some() && number == self.number;
        if awaited {
            self.ended(now);
        }
        awaited
    }

    /// A probe has ended.
    pub fn ended(&mut self, now: Time) {
        self.under_way = None;
        self.ended = Some(now);
    }

    /// Whether the one under way has said nothing for too long; it is then given up.
    pub fn overdue(&mut self, now: Time) -> bool {
        let overdue = self.under_way.is_some_and(|since| now.since(since) > PATIENCE);
        if overdue {
            self.ended(now);
        }
        overdue
    }

    /// Bytes spent since the start.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Bytes that may be spent now.
    pub fn left(&self) -> u32 {
        self.balance as u32
    }

    fn fill(&mut self, now: Time, metered: Metered) {
        let passed = self.filled.map_or(0.0, |before| now.since(before).as_secs_f64());
        self.filled = Some(self.filled.map_or(now, |before| before.max(now)));
        let share = if metered == Metered::No { 1.0 } else { METERED_SHARE };
        let more = passed / 3600.0 * f64::from(self.config.bytes_per_hour) * share;
        self.balance = (self.balance + more).min(f64::from(self.config.bytes_at_once));
    }
}

/// How long after a probe the next may begin.
fn wait(failures: u32, wanted: bool) -> Duration {
    Duration::from_millis(500 << failures.min(10)).min(if wanted { LONGEST_WANTED } else { LONGEST_WAIT })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{Sample, Source};

    const STEP: Duration = Duration::from_millis(200);

    /// Probes of a link that answers each after 200 ms, and when.
    fn probes(seconds: u32, metered: Metered, wanted: bool, answers: bool) -> Vec<(u32, Probe)> {
        let (mut prober, mut link) = (Prober::new(ProbeConfig::default()), Estimator::new());
        let mut probes = Vec::new();
        let mut pending = None;
        for n in 0..seconds * 5 {
            let now = Time::from_stamp(1_000, 0) + STEP * n;
            if pending.take().is_some() {
                let sample = if answers {
                    Sample::round_trip(Source::Active, Duration::from_millis(90))
                } else {
                    Sample::failed(Source::Active)
                };
                link.saw(now, &sample);
                prober.ended(now);
            }
            pending = prober.next(now, &link, metered, wanted);
            probes.extend(pending.map(|probe| (n / 5, probe)));
        }
        probes
    }

    #[test]
    fn an_idle_link_is_probed_about_twice_a_minute() {
        let probes = probes(600, Metered::No, false, true);
        assert!((10..=30).contains(&probes.len()), "{probes:?}");
        assert!(probes.iter().all(|(_, probe)| *probe == Probe::Ping));
    }

    #[test]
    fn a_metered_or_unknown_idle_link_is_probed_much_less_but_who_speaks_is_told_at_once() {
        for metered in [Metered::Yes, Metered::Unknown] {
            assert!(probes(600, metered, false, true).len() < 5, "{metered:?}");
            assert_eq!(probes(1, metered, true, true).first(), Some(&(0, Probe::Ping)));
        }
    }

    #[test]
    fn where_traffic_alone_tells_of_a_link_one_round_trip_is_measured_whatever_it_costs() {
        let (mut prober, mut link) = (Prober::new(ProbeConfig::default()), Estimator::new());
        let now = Time::from_stamp(1_000, 0);
        assert_eq!(prober.next(now, &link, Metered::Unknown, false), None, "nobody asks for it");
        link.saw(now, &Sample { rtt: None, ..Sample::round_trip(Source::Passive, Duration::ZERO) });
        assert_eq!(prober.next(now + STEP, &link, Metered::Unknown, false), Some(Probe::Ping));
        link.saw(now + STEP, &Sample::round_trip(Source::Active, Duration::from_millis(50)));
        prober.ended(now + STEP);
        assert_eq!(prober.next(now + STEP * 9, &link, Metered::Unknown, false), None, "and no second");
    }

    #[test]
    fn the_rate_is_asked_for_once_somebody_speaks_and_the_bytes_are_free() {
        assert!(probes(3, Metered::No, true, true).iter().any(|(_, probe)| *probe == Probe::Bulk));
        assert!(probes(3, Metered::Yes, true, true).iter().all(|(_, probe)| *probe == Probe::Ping));
    }

    #[test]
    fn a_link_that_does_not_answer_is_asked_ever_more_seldom() {
        let probes = probes(120, Metered::No, false, false);
        assert!(probes.len() < 12, "{probes:?}");
        assert!(probes.last().is_some_and(|(then, _)| *then > 50), "and never given up: {probes:?}");
    }

    #[test]
    fn while_somebody_speaks_a_link_that_was_lost_is_asked_every_two_seconds() {
        for metered in [Metered::No, Metered::Yes] {
            let probes = probes(20, metered, true, false);
            let longest = probes.windows(2).map(|pair| pair[1].0 - pair[0].0).max();
            assert!(
                longest.is_some_and(|longest| longest <= 3) && probes.len() >= 7,
                "{metered:?}: {probes:?}"
            );
        }
    }

    #[test]
    fn a_probe_that_says_nothing_is_given_up() {
        let (mut prober, link) = (Prober::new(ProbeConfig::default()), Estimator::new());
        let start = Time::from_stamp(1_000, 0);
        assert!(prober.next(start, &link, Metered::No, true).is_some());
        assert!(!prober.overdue(start + PATIENCE));
        assert!(prober.overdue(start + PATIENCE + STEP));
        assert!(!prober.overdue(start + PATIENCE + STEP), "once");
        let (first, later) = (prober.number(), start + PATIENCE * 2);
        assert!(!prober.answered(later, first), "nor awaited any more");
        assert!(prober.next(later, &link, Metered::No, true).is_some());
        assert!(!prober.answered(later, first), "nor taken for the next");
        assert!(prober.answered(later, prober.number()) && !prober.answered(later, prober.number()));
    }

    proptest! {
        #[test]
        fn the_budget_holds_whatever_the_clock_does(
            times in prop::collection::vec(0..7_200_000_u64, 1..300),
            wanted in any::<bool>(),
        ) {
            let config = ProbeConfig { bytes_per_hour: 50_000, bytes_at_once: 20_000 };
            let (mut prober, link) = (Prober::new(config), Estimator::new());
            for ms in &times {
                let now = Time::from_nanos(ms * 1_000_000);
                prober.next(now, &link, Metered::No, wanted);
                prober.ended(now);
            }
            let hours = *times.iter().max().unwrap() as f64 / 3.6e6;
            prop_assert!(prober.spent() as f64 <= 20_000.0 + hours * 50_000.0 + 1.0, "{}", prober.spent());
        }
    }
}
