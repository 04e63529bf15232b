//! What a system file may set.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters: a `[nodes.<name>.params]` table in a system file. An unknown key is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the speech goes.
    pub sink: Sink,
    /// What breaks a reply off besides a newer one and a cancel.
    pub barge_in: BargeIn,
    /// Who speaks.
    pub voice: Voice,
    /// Times the voice's own speed.
    #[schemars(range(min = 0.5, max = 2.0))]
    pub speed: f32,
    /// Times the voice's own loudness.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub volume: f32,
    /// The program espeak-ng: a path, or a name on the path.
    pub espeak: PathBuf,
}

/// Where the speech goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sink {
    /// A sound card.
    Card {
        /// Its name as the operating system says it; none is the default one.
        #[serde(default)]
        device: Option<String>,
    },
    /// A WAV file, written at the speed of life; what is silent for longer than 0.3 s is left out.
    Wav {
        /// The file; one that is there is replaced.
        path: PathBuf,
    },
    /// Nowhere: all is as with a sound card, and nothing is heard.
    None,
}

/// What breaks a reply off besides a newer one and a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BargeIn {
    /// Somebody who begins to speak.
    Voice,
    /// Nobody: for a loudspeaker so near to the microphone that it interrupts itself.
    Off,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// The network; espeak-ng where it is missing or too slow.
    Piper,
    /// espeak-ng.
    Espeak,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            sink: Sink::Card { device: None },
            barge_in: BargeIn::Voice,
            voice: Voice::Piper,
            speed: 1.0,
            volume: 1.0,
            espeak: PathBuf::from("espeak-ng"),
        }
    }
}

/// Parameters that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Out of its range.
    #[error("`{key}` is {value}: it goes from {least} to {most}")]
    Range {
        /// Which.
        key: &'static str,
        /// What it says.
        value: f32,
        /// The least.
        least: f32,
        /// The most.
        most: f32,
    },
    /// There is no folder for the WAV file.
    #[error("{0}: its folder is not there")]
    Folder(String),
}

impl Config {
    /// Whether it can be used; relative paths start from `base`.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn check(&self, base: &Path) -> Result<(), ConfigError> {
        for (key, value, least, most) in [("speed", self.speed, 0.5, 2.0), ("volume", self.volume, 0.0, 2.0)]
        {
            if !(least..=most).contains(&value) {
                return Err(ConfigError::Range { key, value, least, most });
            }
        }
        if let Sink::Wav { path } = &self.sink
            && !base.join(path).parent().is_some_and(Path::is_dir)
        {
            return Err(ConfigError::Folder(path.display().to_string()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unsaid_is_the_default_card_and_a_key_that_is_not_known_is_refused() {
        let config: Config = toml::from_str("").expect("reads");
        assert_eq!(config, Config::default());
        let config: Config =
            toml::from_str("sink = { kind = \"wav\", path = \"a.wav\" }\nbarge_in = \"off\"").expect("reads");
        assert_eq!(config.sink, Sink::Wav { path: "a.wav".into() });
        assert_eq!(config.barge_in, BargeIn::Off);
        assert!(toml::from_str::<Config>("sing = 1").is_err());
        assert!(toml::from_str::<Config>("barge_in = \"maybe\"").is_err());
    }

    #[test]
    fn a_value_out_of_range_and_a_folder_that_is_not_there_are_told() {
        let here = Path::new(".");
        assert_eq!(Config::default().check(here), Ok(()));
        for speed in [0.0, -1.0, f32::NAN, 3.0] {
            let told =
                Config { speed, ..Config::default() }.check(here).expect_err("out of range").to_string();
            assert!(told.contains("speed"), "{told}");
        }
        let sink = Sink::Wav { path: "not/there/a.wav".into() };
        assert!(Config { sink, ..Config::default() }.check(here).is_err());
    }
}
