//! `[nodes.NAME.qos.PORT]`: another QoS for a port than its kind has, in the words of ROS 2.

use std::time::Duration;

use serde::Deserialize;
use serde_spanned::Spanned;
use troika_kit::{Liveliness, Qos};

/// What is left out is as the kind has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortQos {
    /// Whether what was lost is sent again.
    pub reliability: Option<Reliability>,
    /// Whether late joiners get what was sent before.
    pub durability: Option<Durability>,
    /// How many are kept.
    pub depth: Option<Spanned<u32>>,
    /// The longest time between two messages, milliseconds.
    pub deadline_ms: Option<Spanned<f64>>,
    /// The age from which on a message is not delivered, milliseconds.
    pub lifespan_ms: Option<Spanned<f64>>,
    /// What counts as a sign of a publisher's life.
    pub liveliness: Option<Life>,
    /// The longest time between two of these, milliseconds.
    pub liveliness_lease_ms: Option<Spanned<f64>>,
}

/// ROS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reliability {
    Reliable,
    BestEffort,
}

/// ROS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    Volatile,
    TransientLocal,
}

/// ROS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Life {
    Automatic,
    ManualByTopic,
}

impl PortQos {
    /// The times with their names.
    pub(crate) fn times(&self) -> impl Iterator<Item = (&'static str, &Spanned<f64>)> {
        let times = [
            ("deadline_ms", &self.deadline_ms),
            ("lifespan_ms", &self.lifespan_ms),
            ("liveliness_lease_ms", &self.liveliness_lease_ms),
        ];
        times.into_iter().filter_map(|(name, time)| Some((name, time.as_ref()?)))
    }

    /// Laid over the kind's own.
    pub(crate) fn over(&self, own: Qos) -> Qos {
        let time = |given: &Option<Spanned<f64>>, own: Option<Duration>| match given {
            Some(ms) => Duration::try_from_secs_f64(ms.get_ref() / 1000.0).ok(),
            None => own,
        };
        Qos {
            reliable: self.reliability.map_or(own.reliable, |one| one == Reliability::Reliable),
            transient_local: self
                .durability
                .map_or(own.transient_local, |one| one == Durability::TransientLocal),
            depth: self.depth.as_ref().map_or(own.depth, |depth| *depth.get_ref()),
            deadline: time(&self.deadline_ms, own.deadline),
            lifespan: time(&self.lifespan_ms, own.lifespan),
            liveliness: match self.liveliness {
                Some(Life::Automatic) => Liveliness::Automatic,
                Some(Life::ManualByTopic) => Liveliness::ManualByTopic,
                None => own.liveliness,
            },
            lease: time(&self.liveliness_lease_ms, own.lease),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_laid_over_what_the_kind_has() {
        let given: PortQos = toml::from_str(
            "reliability = \"reliable\"\ndepth = 3\ndeadline_ms = 100.5\nliveliness = \"manual_by_topic\"",
        )
        .expect("a table");
        let expected = Qos {
            reliable: true,
            depth: 3,
            deadline: Some(Duration::from_micros(100_500)),
            liveliness: Liveliness::ManualByTopic,
            ..Qos::SENSOR
        };
        assert_eq!(given.over(Qos::SENSOR), expected);
        assert_eq!(PortQos::default().over(expected), expected);
        assert!(toml::from_str::<PortQos>("reliability = \"often\"").is_err());
        assert!(toml::from_str::<PortQos>("deadline = 1").is_err());
    }
}
