//! The parameters of a dialogue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::Duration;

use crate::{
    breaker::Limits,
    cloud::{CloudConfig, CloudConfigError},
    session::Manner,
    turn::Pace,
};

/// Parameters: a `[nodes.<name>.params]` table in a system file. An unknown key is refused; all but `cloud` may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogueConfig {
    /// The service.
    pub cloud: CloudConfig,
    /// How the models are to answer; in the dialogue's language.
    #[serde(default = "usual::system")]
    pub system: String,
    /// No first token for so long: the vehicle's model begins a draft, ms.
    #[serde(default = "usual::first_token_soft_ms")]
    pub first_token_soft_ms: u64,
    /// No first token for so long: the cloud is given up, ms.
    #[serde(default = "usual::first_token_hard_ms")]
    pub first_token_hard_ms: u64,
    /// No further token for so long: the vehicle's model begins a draft, ms.
    #[serde(default = "usual::stall_soft_ms")]
    pub stall_soft_ms: u64,
    /// No further token for so long, and nothing left to speak: the cloud is given up, ms.
    #[serde(default = "usual::stall_hard_ms")]
    pub stall_hard_ms: u64,
    /// No further token for so long: the cloud is given up whatever is left to speak, ms.
    #[serde(default = "usual::stall_most_ms")]
    pub stall_most_ms: u64,
    /// Words that the voice speaks a second.
    #[serde(default = "usual::words_per_second")]
    #[schemars(range(min = 0.5, max = 10.0))]
    pub words_per_second: f32,
    /// The vehicle's model reads the cloud's answer along. Takes of its core; without it a hand-over is silent for a second or two.
    #[serde(default = "usual::shadow")]
    pub shadow: bool,
    /// Tokens of the dialogue so far that are sent along, at most.
    #[serde(default = "usual::memory_tokens")]
    #[schemars(range(max = 100_000))]
    pub memory_tokens: u32,
    /// Tokens of an answer, at most.
    #[serde(default = "usual::answer_tokens")]
    #[schemars(range(min = 1, max = 4_000))]
    pub answer_tokens: u32,
    /// Failures in a row after which the service is left alone for a while.
    #[serde(default = "usual::breaker_failures")]
    #[schemars(range(min = 1, max = 100))]
    pub breaker_failures: u32,
}

/// Parameters that make no dialogue.
#[derive(Debug, thiserror::Error)]
pub enum DialogueConfigError {
    /// The service's.
    #[error(transparent)]
    Cloud(#[from] CloudConfigError),
    /// Two times in the wrong order, or none.
    #[error(
        "{first} is {first_ms} and {second} is {second_ms}; the first is at least 1 and not more than the second"
    )]
    Order {
        /// The shorter one's key.
        first: &'static str,
        /// Its value.
        first_ms: u64,
        /// The longer one's key.
        second: &'static str,
        /// Its value.
        second_ms: u64,
    },
    /// A number out of its range.
    #[error("{key} is {value}; it is {from} to {to}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// The least.
        from: f64,
        /// The most.
        to: f64,
    },
}

/// The longest of all times, ms: ten minutes.
const LONGEST_MS: u64 = 600_000;

impl DialogueConfig {
    /// A dialogue with this service and everything else as it is usual.
    pub fn new(cloud: CloudConfig) -> DialogueConfig {
        DialogueConfig {
            cloud,
            system: usual::system(),
            first_token_soft_ms: usual::first_token_soft_ms(),
            first_token_hard_ms: usual::first_token_hard_ms(),
            stall_soft_ms: usual::stall_soft_ms(),
            stall_hard_ms: usual::stall_hard_ms(),
            stall_most_ms: usual::stall_most_ms(),
            words_per_second: usual::words_per_second(),
            shadow: usual::shadow(),
            memory_tokens: usual::memory_tokens(),
            answer_tokens: usual::answer_tokens(),
            breaker_failures: usual::breaker_failures(),
        }
    }

    /// How the dialogue is held.
    ///
    /// # Errors
    /// The first parameter that makes no sense, with what it may be.
    pub fn manner(&self) -> Result<Manner, DialogueConfigError> {
        self.cloud.check()?;
        if self.cloud.model.trim().is_empty() {
            return Err(CloudConfigError::Model.into());
        }
        let ordered = [
            (
                "first_token_soft_ms",
                self.first_token_soft_ms,
                "first_token_hard_ms",
                self.first_token_hard_ms,
            ),
            ("stall_soft_ms", self.stall_soft_ms, "stall_hard_ms", self.stall_hard_ms),
            ("stall_hard_ms", self.stall_hard_ms, "stall_most_ms", self.stall_most_ms),
        ];
        for (first, first_ms, second, second_ms) in ordered {
            if first_ms == 0 || first_ms > second_ms {
                return Err(DialogueConfigError::Order { first, first_ms, second, second_ms });
            }
        }
        let ranges = [
            ("first_token_hard_ms", self.first_token_hard_ms as f64, 1.0, LONGEST_MS as f64),
            ("stall_most_ms", self.stall_most_ms as f64, 1.0, LONGEST_MS as f64),
            ("words_per_second", f64::from(self.words_per_second), 0.5, 10.0),
            ("memory_tokens", f64::from(self.memory_tokens), 0.0, 100_000.0),
            ("answer_tokens", f64::from(self.answer_tokens), 1.0, 4_000.0),
            ("breaker_failures", f64::from(self.breaker_failures), 1.0, 100.0),
        ];
        for (key, value, from, to) in ranges {
            if !(from..=to).contains(&value) {
                return Err(DialogueConfigError::Range { key, value, from, to });
            }
        }
        Ok(Manner {
            system: self.system.clone(),
            pace: Pace {
                first_token_soft: Duration::from_millis(self.first_token_soft_ms),
                first_token_hard: Duration::from_millis(self.first_token_hard_ms),
                stall_soft: Duration::from_millis(self.stall_soft_ms),
                stall_hard: Duration::from_millis(self.stall_hard_ms),
                stall_most: Duration::from_millis(self.stall_most_ms),
                words_per_second: self.words_per_second,
                shadow: self.shadow,
                ..Pace::default()
            },
            limits: Limits { failures: self.breaker_failures, ..Limits::default() },
            memory_tokens: self.memory_tokens as usize,
            answer_tokens: self.answer_tokens,
        })
    }
}

/// What holds where nothing else is said: [`Pace`]'s and [`Manner`]'s.
mod usual {
    use super::{Limits, Manner, Pace};

    fn ms(of: fn(Pace) -> troika_kit::Duration) -> u64 {
        of(Pace::default()).as_millis() as u64
    }
    pub(super) fn system() -> String {
        Manner::default().system
    }
    pub(super) fn first_token_soft_ms() -> u64 {
        ms(|pace| pace.first_token_soft)
    }
    pub(super) fn first_token_hard_ms() -> u64 {
        ms(|pace| pace.first_token_hard)
    }
    pub(super) fn stall_soft_ms() -> u64 {
        ms(|pace| pace.stall_soft)
    }
    pub(super) fn stall_hard_ms() -> u64 {
        ms(|pace| pace.stall_hard)
    }
    pub(super) fn stall_most_ms() -> u64 {
        ms(|pace| pace.stall_most)
    }
    pub(super) fn words_per_second() -> f32 {
        Pace::default().words_per_second
    }
    pub(super) fn shadow() -> bool {
        Pace::default().shadow
    }
    pub(super) fn memory_tokens() -> u32 {
        Manner::default().memory_tokens as u32
    }
    pub(super) fn answer_tokens() -> u32 {
        Manner::default().answer_tokens
    }
    pub(super) fn breaker_failures() -> u32 {
        Limits::default().failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[cloud]\nurl = \"https://gateway.example/v1\"\nmodel = \"large\"\n";

    fn refused(config: DialogueConfig) -> String {
        config.manner().expect_err("refused").to_string()
    }

    #[test]
    fn a_service_is_all_that_must_be_given() {
        let config: DialogueConfig = toml::from_str(LEAST).expect("a config");
        assert_eq!(config, DialogueConfig::new(CloudConfig::new("https://gateway.example/v1", "large")));
        let manner = config.manner().expect("a manner");
        assert_eq!(manner.pace, Pace::default());
        assert_eq!((manner.limits, manner.system), (Limits::default(), Manner::default().system));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let config = || DialogueConfig::new(CloudConfig::new("https://gateway.example/v1", "large"));
        let said = refused(DialogueConfig { stall_hard_ms: 100, ..config() });
        assert!(said.starts_with("stall_soft_ms is 700 and stall_hard_ms is 100"), "{said}");
        assert!(refused(DialogueConfig { first_token_soft_ms: 0, ..config() }).contains("at least 1"));
        assert!(refused(DialogueConfig { words_per_second: f32::NAN, ..config() }).contains("0.5 to 10"));
        assert!(refused(DialogueConfig { stall_most_ms: 700_000, ..config() }).contains("600000"));
        assert!(refused(DialogueConfig::new(CloudConfig::new("ftp://x/v1", "m"))).contains("cloud.url"));
        assert!(
            refused(DialogueConfig::new(CloudConfig::new("https://x/v1", " ")))
                .contains("cloud.model is empty")
        );
        let said = toml::from_str::<DialogueConfig>(&format!("stall_ms = 5\n{LEAST}"))
            .expect_err("refused")
            .to_string();
        assert!(said.contains("line 1") && said.contains("stall_ms"), "{said}");
    }
}
