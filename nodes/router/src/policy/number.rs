//! The numbers of a policy: each has its range in its reader, so that a wrong one is told with its line.

use serde::{Deserialize, Deserializer, de::Error};
use troika_kit::Duration;

/// A time, 0 to 3600 s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seconds(pub(crate) f64);

/// A chance, or a difference of chances, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chance(pub(crate) f64);

/// A share, 0 to 1.
pub(crate) type Share = Chance;

/// Something a second, or kbit/s: over 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate(pub(crate) f64);

/// So much of something: 0 or more.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Amount(pub(crate) f64);

/// So many tokens, 1 to 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

impl Seconds {
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

fn number<'de, D: Deserializer<'de>>(from: D, fits: fn(f64) -> bool, range: &str) -> Result<f64, D::Error> {
    let number = f64::deserialize(from)?;
    if fits(number) { Ok(number) } else { Err(D::Error::custom(range)) }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Seconds, D::Error> {
        number(from, |s| (0.0..=3600.0).contains(&s), "a time is 0 to 3600 s").map(Seconds)
    }
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Chance, D::Error> {
        number(from, |c| (0.0..=1.0).contains(&c), "a chance or share is 0 to 1").map(Chance)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Rate, D::Error> {
        number(from, |r| r > 0.0 && r < 1e9, "a rate is over 0").map(Rate)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        number(from, |a| (0.0..1e15).contains(&a), "an amount is 0 or more").map(Amount)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Count, D::Error> {
        let count = u32::deserialize(from)?;
        if (1..=100_000).contains(&count) {
            Ok(Count(count))
        } else {
            Err(D::Error::custom("a number of tokens is 1 to 100000"))
        }
    }
}
