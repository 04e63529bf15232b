//! How much the outbox holds and spends.

use serde::{Deserialize, Serialize};

/// Parameters. An unknown key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Items that wait, at most.
    pub items: u64,
    /// Bytes of all that waits, at most.
    pub bytes: u64,
    /// Bytes of one item, at most.
    pub item_bytes: u64,
    /// Bytes that are sent in a day (UTC), failed tries counted.
    pub bytes_a_day: u64,
    /// Cost in a day (UTC), in millionths of a unit of money, failed tries counted.
    pub cost_a_day: u64,
    /// Keys of what was delivered that are remembered, so that putting it again is no second delivery.
    pub remembered: u64,
    /// The first wait after a failed try, ms; it doubles.
    pub retry_first_ms: u64,
    /// The longest wait, ms.
    pub retry_longest_ms: u64,
}

impl Default for Limits {
    /// 10,000 items or 16 MiB; 20 MB and one unit of money a day; from 1 s to 10 minutes.
    fn default() -> Self {
        Limits {
            items: 10_000,
            bytes: 16 << 20,
            item_bytes: 256 << 10,
            bytes_a_day: 20_000_000,
            cost_a_day: 1_000_000,
            remembered: 10_000,
            retry_first_ms: 1_000,
            retry_longest_ms: 600_000,
        }
    }
}

/// Limits that make no outbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// A limit of nothing.
    #[error("{0} is 0; it is at least 1")]
    Zero(&'static str),
    /// One item could fill more than the whole.
    #[error("item_bytes is {item_bytes}, more than bytes ({bytes})")]
    ItemOverAll {
        /// Of one.
        item_bytes: u64,
        /// Of all.
        bytes: u64,
    },
    /// The first wait is longer than the longest.
    #[error("retry_first_ms is {first}, more than retry_longest_ms ({longest})")]
    Retry {
        /// The first.
        first: u64,
        /// The longest.
        longest: u64,
    },
}

impl Limits {
    /// Whether they make sense.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), LimitsError> {
        let at_least_one = [
            ("items", self.items),
            ("bytes", self.bytes),
            ("item_bytes", self.item_bytes),
            ("bytes_a_day", self.bytes_a_day),
            ("retry_first_ms", self.retry_first_ms),
        ];
        if let Some((key, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(LimitsError::Zero(key));
        }
        if self.item_bytes > self.bytes {
            return Err(LimitsError::ItemOverAll { item_bytes: self.item_bytes, bytes: self.bytes });
        }
        if self.retry_first_ms > self.retry_longest_ms {
            return Err(LimitsError::Retry { first: self.retry_first_ms, longest: self.retry_longest_ms });
        }
        Ok(())
    }
}
