//! Parameters: a `[nodes.<name>.params]` table in a system file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::Duration;

use crate::fuse::Limits;

/// What may be set. Everything has a default and bounds; what is out of them is refused where it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Given", into = "Given")]
pub struct Config {
    /// When the level changes.
    pub limits: Limits,
    /// Steering counts over this speed, km/h.
    pub steering_above_kmh: f32,
    /// Frames with a gaze further down than this (degrees, negative) do not count: the lids follow it, and that is no blink.
    pub gaze_down_deg: f32,
    /// There is a photoplethysmogram: the ports `ppg` and `pulse` are used.
    pub pulse: bool,
}

/// As written in the file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Given {
    /// The level goes up over this, log-odds of drowsy against alert.
    #[schemars(range(min = 0.1, max = 4.0))]
    raise: f32,
    /// The level goes down again under this, log-odds.
    clear: f32,
    /// For so long it must be over, seconds.
    #[schemars(range(min = 0.0, max = 600.0))]
    raise_after_s: f32,
    /// For so long it must be under, seconds.
    #[schemars(range(min = 0.0, max = 3600.0))]
    clear_after_s: f32,
    /// The least confidence of all inputs together for *alert*, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    least_confidence: f32,
    /// Steering counts over this speed, km/h.
    #[schemars(range(min = 10.0, max = 250.0))]
    steering_above_kmh: f32,
    /// Frames with a gaze further down than this (degrees, negative) do not count.
    #[schemars(range(min = -90.0, max = -5.0))]
    gaze_down_deg: f32,
    /// There is a photoplethysmogram: the ports `ppg` and `pulse` are used.
    pulse: bool,
}

impl From<Config> for Given {
    fn from(config: Config) -> Self {
        let Config { limits, steering_above_kmh, gaze_down_deg, pulse } = config;
        Given {
            raise: limits.raise,
            clear: limits.clear,
            raise_after_s: limits.raise_after.as_secs_f32(),
            clear_after_s: limits.clear_after.as_secs_f32(),
            least_confidence: limits.least_confidence,
            steering_above_kmh,
            gaze_down_deg,
            pulse,
        }
    }
}

impl Default for Given {
    fn default() -> Self {
        Given::from(Config {
            limits: Limits::default(),
            // Over it a road has lanes to hold and few corners; the rule for drowsiness begins at 70.
            steering_above_kmh: 60.0,
            // Instruments are at 7 to 20 degrees down, a lap beyond 30.
            gaze_down_deg: -20.0,
            pulse: false,
        })
    }
}

/// A parameter out of its bounds.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{name} is {value}; it is {bounds}")]
pub struct ConfigError {
    /// Which.
    name: &'static str,
    /// As given.
    value: f32,
    /// What it may be.
    bounds: &'static str,
}

impl TryFrom<Given> for Config {
    type Error = ConfigError;

    fn try_from(given: Given) -> Result<Config, ConfigError> {
        let rules = [
            ("raise", given.raise, 0.1..=4.0, "0.1 to 4 log-odds"),
            ("clear", given.clear, 0.0..=given.raise, "0 to `raise`"),
            ("raise_after_s", given.raise_after_s, 0.0..=600.0, "0 to 600 s"),
            ("clear_after_s", given.clear_after_s, 0.0..=3600.0, "0 to 3600 s"),
            ("least_confidence", given.least_confidence, 0.0..=1.0, "0 to 1"),
            ("steering_above_kmh", given.steering_above_kmh, 10.0..=250.0, "10 to 250 km/h"),
            ("gaze_down_deg", given.gaze_down_deg, -90.0..=-5.0, "-90 to -5 degrees"),
        ];
        for (name, value, range, bounds) in rules {
            // Whatever is no number is in no range.
            if !range.contains(&value) {
                return Err(ConfigError { name, value, bounds });
            }
        }
        Ok(Config {
            limits: Limits {
                raise: given.raise,
                clear: given.clear,
                raise_after: Duration::from_secs_f32(given.raise_after_s),
                clear_after: Duration::from_secs_f32(given.clear_after_s),
                least_confidence: given.least_confidence,
            },
            steering_above_kmh: given.steering_above_kmh,
            gaze_down_deg: given.gaze_down_deg,
            pulse: given.pulse,
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        let Given { steering_above_kmh, gaze_down_deg, pulse, .. } = Given::default();
        Config { limits: Limits::default(), steering_above_kmh, gaze_down_deg, pulse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        toml::from_str::<Config>(text).expect_err("refused").to_string()
    }

    #[test]
    fn nothing_given_is_the_default() {
        assert_eq!(toml::from_str::<Config>(""), Ok(Config::default()));
    }

    #[test]
    fn what_is_out_of_bounds_misspelt_or_no_number_is_refused_by_name() {
        assert!(refusal("raise = 9.0").contains("raise is 9; it is 0.1 to 4"));
        assert!(refusal("raise = 1.0\nclear = 1.5").contains("clear is 1.5; it is 0 to `raise`"));
        assert!(refusal("gaze_down_deg = nan").contains("gaze_down_deg"));
        assert!(refusal("steering_above = 60.0").contains("steering_above"));
    }
}
