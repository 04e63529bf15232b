//! What the language model's process is started with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, read};

/// The process's settings, as TOML or JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlmConfig {
    /// The model's passport; also its name in replies.
    pub model: String,
    /// A GGUF file in the place of the passport's.
    pub file: Option<PathBuf>,
    /// A LoRA adapter for it (GGUF).
    pub lora: Option<PathBuf>,
    /// The model store; by default where `troika models pull` puts it.
    pub models: Option<PathBuf>,
    /// Threads of the model. On busy cores two are slower than one.
    pub threads: u8,
    /// Whether an interpretation is held to the functions that its request's `context` proposes.
    pub restrict: bool,
    /// `/` or `/car/front`.
    pub namespace: String,
    /// The node's name.
    pub name: String,
    /// Where the zenoh router is, if not as the environment says.
    pub router: Option<String>,
    /// DDS carries the messages, not zenoh.
    pub dds: bool,
    /// ROS 2's own client library carries them.
    pub ros2: bool,
    /// ROS's domain, if not as the environment says.
    pub domain: Option<u32>,
    /// Niceness of the process.
    pub nice: Option<i32>,
}

impl Default for SlmConfig {
    fn default() -> Self {
        SlmConfig {
            model: "smollm2_135m".to_owned(),
            file: None,
            lora: None,
            models: None,
            threads: 1,
            restrict: true,
            namespace: "/".to_owned(),
            name: "slm".to_owned(),
            router: None,
            dds: false,
            ros2: false,
            domain: None,
            nice: None,
        }
    }
}

impl SlmConfig {
    /// From JSON text (it begins with `{`), or from a file: JSON when its name ends so, else TOML.
    ///
    /// # Errors
    /// When the file cannot be read, or says what is not known.
    pub fn load(text_or_file: &str) -> Result<SlmConfig, ConfigError> {
        read(text_or_file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unsaid_is_as_told_and_an_unknown_key_is_refused() {
        let config = SlmConfig::load(r#"{"threads": 2, "router": "tcp/127.0.0.1:7"}"#).expect("reads");
        assert_eq!((config.threads, config.name.as_str()), (2, "slm"));
        let error = SlmConfig::load(r#"{"thread": 2}"#).expect_err("not known").to_string();
        assert!(error.contains("thread"), "{error}");
    }
}
