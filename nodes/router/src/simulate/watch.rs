//! The link node on a link that is simulated: what its estimator makes of the traffic, and of the probes that its prober sends.

use troika_kit::{Duration, Time};
use troika_link::{
    Estimate, Estimator, Metered, Probe, Prober, Sample, Source, config::ProbeConfig, sample::Transfer,
};

use super::air::Air;

/// As often as the node steps, s.
const STEP_S: f64 = 0.2;

pub(crate) fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// The estimator and the prober, and a probe that is on its way. Times are seconds of the simulation.
#[derive(Debug)]
pub struct Watch {
    link: Estimator,
    prober: Prober,
    pending: Option<(f64, Sample)>,
}

impl Default for Watch {
    fn default() -> Self {
        Watch::new()
    }
}

impl Watch {
    /// Nothing seen.
    pub fn new() -> Watch {
        Watch { link: Estimator::new(), prober: Prober::new(ProbeConfig::default()), pending: None }
    }

    /// Time passes, at 5 Hz. `speaks`: from when on somebody speaks who is about to ask; none: no probe is sent.
    pub fn pass(&mut self, air: &Air, from: f64, to: f64, speaks: Option<f64>) {
        for n in 0..((to - from) / STEP_S) as u64 {
            let time = from + n as f64 * STEP_S;
            if let Some((_, sample)) = self.pending.take_if(|(then, _)| *then <= time) {
                self.link.saw(Watch::time(time), &sample);
                self.prober.ended(Watch::time(time));
            }
            if self.prober.overdue(Watch::time(time)) {
                self.pending = None;
                self.link.saw(Watch::time(time), &Sample::failed(Source::Active));
            }
            let next = speaks.and_then(|speaks| {
                self.prober.next(Watch::time(time), &self.link, Metered::Yes, time >= speaks)
            });
            if let Some(probe) = next {
                self.pending = Some(sent(air, time, probe));
            }
        }
    }

    /// Traffic told something.
    pub fn saw(&mut self, time: f64, sample: &Sample) {
        self.link.saw(Watch::time(time), sample);
    }

    /// What is believed of the link.
    pub fn estimate(&self, time: f64) -> Estimate {
        self.link.estimate(Watch::time(time))
    }

    /// A time of the simulation as nodes have it.
    pub fn time(seconds: f64) -> Time {
        Time::from_nanos(1_000_000_000_000 + (seconds * 1e9) as u64)
    }

    /// Bytes of probes so far.
    pub fn probe_bytes(&self) -> f64 {
        self.prober.spent() as f64
    }
}

/// A probe that is sent at `time`: when it is over, and what it showed.
pub fn sent(air: &Air, time: f64, probe: Probe) -> (f64, Sample) {
    let ended = air.through(time, 1, |time| air.rtt(time))[0];
    let mut sample = Sample::round_trip(Source::Active, span(ended - time));
    let mut over = ended;
    if probe == Probe::Bulk {
        over += f64::from(Probe::BULK_BODY) * 8.0 / 1000.0 / air.down_kbps(ended).max(1.0);
        sample.down = Transfer { bytes: Probe::BULK_BODY, took: span(over - ended) };
    }
    (over, sample)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Outcome, Trace},
        *,
    };

    fn air(mbit: f64) -> Air {
        Air::cut(&Trace::steady(mbit), &Outcome::built_in(), Vec::new())
    }

    #[test]
    fn a_probe_shows_the_round_trip_and_a_bulk_one_the_rate_too() {
        let (over, sample) = sent(&air(2.0), 5.0, Probe::Ping);
        assert!((over - 5.09).abs() < 1e-9, "{over}");
        assert_eq!((sample.rtt, sample.down.bytes), (Some(span(over - 5.0)), 0));
        let (over, sample) = sent(&air(2.0), 5.0, Probe::Bulk);
        let took = f64::from(Probe::BULK_BODY) * 8.0 / 1000.0 / 2_000.0;
        assert!((over - 5.09 - took).abs() < 1e-9, "{over}");
        assert!(
            sample.down.bytes == Probe::BULK_BODY && (sample.down.took.as_secs_f64() - took).abs() < 1e-6
        );
    }

    #[test]
    fn probes_are_sent_once_somebody_speaks_and_what_they_show_is_believed() {
        let (air, mut silent, mut watch) = (air(2.0), Watch::new(), Watch::new());
        silent.pass(&air, 0.0, 60.0, None);
        assert_eq!((silent.probe_bytes(), silent.estimate(60.0).rtt_ms), (0.0, None));
        watch.pass(&air, 0.0, 60.0, Some(58.0));
        assert!(watch.probe_bytes() > 0.0);
        let seen = watch.estimate(60.0);
        let (age, rtt) = (seen.age.unwrap().as_secs_f64(), seen.rtt_ms.unwrap());
        assert!(age < 2.0 && rtt.low <= 90.0 && 90.0 <= rtt.high, "{seen:?}");
        assert_eq!(Watch::time(1.5), Time::from_stamp(1_001, 500_000_000));
    }
}
