//! The numbers of a profile: each has its unit in its type and its range in its reader, so that a wrong one has its line.

use core::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};
use troika_safety::Requirement;

/// A time over zero, at most an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seconds(pub(crate) Duration);

/// A speed, 0 to 300 km/h.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kmh(pub(crate) f32);

/// A share, over 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share(pub(crate) f64);

/// A requirement that exists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Carries(pub(crate) Requirement);

/// Some words: a number without its source is not accepted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Words(pub(crate) String);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Seconds, D::Error> {
        let seconds = f64::deserialize(from)?;
        if !(seconds > 0.0 && seconds <= 3600.0) {
            return Err(D::Error::custom("a time is over 0 and at most 3600 s"));
        }
        // To the microsecond: 0.1 is no binary fraction, and its error is no part of a limit.
        Ok(Seconds(Duration::from_micros((seconds * 1e6).round() as u64)))
    }
}

impl<'de> Deserialize<'de> for Kmh {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Kmh, D::Error> {
        let kmh = f32::deserialize(from)?;
        if (0.0..=300.0).contains(&kmh) {
            Ok(Kmh(kmh))
        } else {
            Err(D::Error::custom("a speed is 0 to 300 km/h"))
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Share, D::Error> {
        let share = f64::deserialize(from)?;
        if share > 0.0 && share <= 1.0 {
            Ok(Share(share))
        } else {
            Err(D::Error::custom("a share is over 0 and at most 1"))
        }
    }
}

impl<'de> Deserialize<'de> for Carries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Carries, D::Error> {
        let id = String::deserialize(from)?;
        let known = troika_safety::ALL.iter().find(|requirement| requirement.id() == id);
        known
            .map(|known| Carries(*known))
            .ok_or_else(|| D::Error::custom(format!("there is no requirement '{id}'")))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Words, D::Error> {
        let words = String::deserialize(from)?;
        if words.trim().is_empty() { Err(D::Error::custom("a source is named")) } else { Ok(Words(words)) }
    }
}
