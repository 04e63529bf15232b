//! How much is measured, and the figures that come of it.

#[cfg(feature = "transport")]
pub use transport::{Method, Options, Report};

/// One line of the result.
#[derive(Debug, serde::Serialize)]
pub struct Row {
    /// Who.
    pub transport: String,
    /// Payload.
    pub bytes: usize,
    /// Half took no longer, one way, in microseconds.
    pub p50_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// 999 of 1000.
    pub p999_us: f64,
    /// None took longer.
    pub max_us: f64,
    /// Messages received and measured.
    pub samples: usize,
    /// Sent and not received.
    pub lost: u64,
    /// Received in pieces of different messages.
    pub torn: u64,
}

impl Row {
    /// From what was measured; `nanos` in any order.
    pub fn new(transport: String, bytes: usize, mut nanos: Vec<u64>, sent: u64, torn: u64) -> Row {
        nanos.sort_unstable();
        // Nearest rank.
        let at = |q: f64| {
            let rank = (q * nanos.len() as f64).ceil() as usize;
            nanos.get(rank.max(1) - 1).map_or(f64::NAN, |n| *n as f64 / 1e3)
        };
        Row {
            transport,
            bytes,
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
            samples: nanos.len(),
            lost: sent.saturating_sub(nanos.len() as u64),
            torn,
        }
    }
}

/// The machine's own lateness while it all ran (a thread at FIFO 90 that sleeps to the next millisecond).
#[derive(Debug, serde::Serialize)]
pub struct Floor {
    /// As in [`Row`].
    pub p50: f64,
    /// As in [`Row`].
    pub p99: f64,
    /// As in [`Row`].
    pub p999: f64,
    /// As in [`Row`].
    pub max: f64,
    /// Wake-ups.
    pub samples: u64,
    /// Whether the machine gave the thread its priority. If not, this is the ordinary scheduler's lateness.
    pub real_time: bool,
}

impl Floor {
    /// As it was recorded.
    pub fn of(recorded: &troika_host::floor::Recorded) -> Floor {
        let lateness = &recorded.lateness;
        let us = |q: f64| lateness.quantile(q).as_secs_f64() * 1e6;
        Floor {
            p50: us(0.5),
            p99: us(0.99),
            p999: us(0.999),
            max: lateness.max().as_secs_f64() * 1e6,
            samples: lateness.count(),
            real_time: recorded.notices.is_empty(),
        }
    }
}

#[cfg(feature = "transport")]
mod transport {
    use std::{path::PathBuf, time::Duration};

    use clap::Args;

    use super::{Floor, Row};
    use crate::{contestants::Contestant, message::SIZES};

    /// How much is measured.
    #[derive(Args, Debug, Clone)]
    pub struct Options {
        /// Write the figures here.
        #[arg(long, value_name = "FILE")]
        pub json: Option<PathBuf>,
        /// Rounds: each has every contestant and size once, so that a slow minute of the machine meets them all.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        pub rounds: u32,
        /// Measuring time in all.
        #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..))]
        pub seconds: u32,
        /// Messages a second.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..10_000))]
        pub hz: u32,
        /// Only these contestants.
        #[arg(long, value_delimiter = ',')]
        pub only: Vec<Contestant>,
    }

    impl Options {
        /// Who takes part.
        pub fn contestants(&self) -> Vec<Contestant> {
            if self.only.is_empty() { Contestant::ALL.to_vec() } else { self.only.clone() }
        }

        /// Time between two messages.
        pub fn period(&self) -> Duration {
            Duration::from_secs(1) / self.hz
        }

        /// Measured messages of one contestant and size in one round.
        pub fn messages(&self) -> u64 {
            let turns = self.rounds as u64 * (self.contestants().len() * SIZES.len()) as u64;
            (u64::from(self.seconds) * u64::from(self.hz)).div_ceil(turns).max(1)
        }
    }

    /// What is written.
    #[derive(Debug, serde::Serialize)]
    pub struct Report {
        /// The machine's own.
        pub floor_us: Floor,
        /// All figures.
        pub rows: Vec<Row>,
        /// How it was measured.
        pub method: Method,
    }

    /// How it was measured.
    #[derive(Debug, serde::Serialize)]
    pub struct Method {
        /// From the sender's stamp before its call to the receiver's clock when the bytes are there.
        pub latency: &'static str,
        /// Messages a second.
        pub hz: u32,
        /// Rounds over all contestants.
        pub rounds: u32,
        /// Cores of the machine.
        pub cores: usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest_and_what_did_not_come_is_lost() {
        let row = Row::new("x".into(), 64, (1..=1000).rev().map(|n| n * 1000).collect(), 1002, 0);
        assert_eq!((row.p50_us, row.p99_us, row.p999_us, row.max_us), (500.0, 990.0, 999.0, 1000.0));
        assert_eq!((row.samples, row.lost), (1000, 2));
        assert!(Row::new("x".into(), 64, vec![], 1, 0).p50_us.is_nan());
    }
}
