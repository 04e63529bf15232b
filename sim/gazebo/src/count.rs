//! What became of a pair's messages.

use serde::Serialize;
use troika_host::sync::Counter;
use troika_kit::Duration;

/// The counts of one direction of a pair, from any thread.
#[derive(Debug, Default)]
pub struct Counts {
    /// Came from the one side.
    pub received: Counter,
    /// Went to the other.
    pub sent: Counter,
    /// Made room for newer ones in the queue.
    pub dropped: Counter,
    /// Were over the pair's rate.
    pub paced: Counter,
    /// Could not be converted.
    pub unconvertible: Counter,
    /// Were the bridge's own.
    pub own: Counter,
    /// Were refused by the other side's transport.
    pub refused: Counter,
}

/// They at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// `/a -> gz /b` or `gz /b -> /a`.
    pub pair: String,
    /// See [`Counts`]; these five and `own` and `sent` are all that were received, but for what waits.
    pub received: u64,
    /// See [`Counts`].
    pub sent: u64,
    /// See [`Counts`].
    pub dropped: u64,
    /// See [`Counts`].
    pub paced: u64,
    /// See [`Counts`].
    pub unconvertible: u64,
    /// See [`Counts`].
    pub own: u64,
    /// See [`Counts`].
    pub refused: u64,
    /// Sent in a second, since the last time that this was told.
    pub rate_hz: f64,
}

impl Counts {
    /// As they are; `before` is how many had been sent so long ago.
    pub fn told(&self, pair: &str, before: u64, ago: Duration) -> Told {
        let sent = self.sent.get();
        let seconds = ago.as_secs_f64();
        let rate_hz = if seconds > 0.0 { sent.saturating_sub(before) as f64 / seconds } else { 0.0 };
        Told {
            pair: pair.to_owned(),
            received: self.received.get(),
            sent,
            dropped: self.dropped.get(),
            paced: self.paced.get(),
            unconvertible: self.unconvertible.get(),
            own: self.own.get(),
            refused: self.refused.get(),
            rate_hz: (rate_hz * 10.0).round() / 10.0,
        }
    }
}

impl Told {
    /// What went wrong with it, if anything did since `before`.
    pub fn trouble(&self, before: &Told) -> Option<String> {
        let all = [
            (self.dropped - before.dropped, "dropped by a full queue"),
            (self.unconvertible - before.unconvertible, "not convertible"),
            (self.refused - before.refused, "refused by the transport"),
        ];
        let told: Vec<String> =
            all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        (!told.is_empty()).then(|| format!("{}: {}", self.pair, told.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_time_since_it_was_last_told_and_trouble_too() {
        let counts = Counts::default();
        let first = counts.told("a", 0, Duration::ZERO);
        counts.received.add(62);
        counts.sent.add(60);
        counts.dropped.add(2);
        let second = counts.told("a", first.sent, Duration::from_secs(2));
        assert_eq!(second.rate_hz, 30.0);
        assert_eq!(second.trouble(&first).as_deref(), Some("a: 2 dropped by a full queue"));
        assert_eq!(counts.told("a", 60, Duration::from_secs(2)).trouble(&second), None);
    }
}
