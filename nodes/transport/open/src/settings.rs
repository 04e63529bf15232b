//! The settings of a program beside `troika`: what its `--config` says.

use std::{fs, io, path::PathBuf};

use serde::de::DeserializeOwned;

/// Settings that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Text that is none of it.
    #[error("{file}: {reason}")]
    Text {
        /// Which.
        file: String,
        /// Where and why.
        reason: String,
    },
    /// A file that cannot be read.
    #[error("--config: cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// From JSON text (it begins with `{`), or from a file: JSON when its name ends so, else TOML.
///
/// # Errors
/// When the file cannot be read, or says what is not known.
pub fn load<T: DeserializeOwned>(text_or_file: &str) -> Result<T, SettingsError> {
    let told = |file: &str, reason: String| SettingsError::Text { file: file.into(), reason };
    if text_or_file.trim_start().starts_with('{') {
        return serde_json::from_str(text_or_file).map_err(|why| told("settings", why.to_string()));
    }
    let text = fs::read_to_string(text_or_file)
        .map_err(|reason| SettingsError::Read { path: text_or_file.into(), reason })?;
    if text_or_file.ends_with(".json") {
        return serde_json::from_str(&text).map_err(|why| told(text_or_file, why.to_string()));
    }
    toml::from_str(&text).map_err(|why| told(text_or_file, why.to_string()))
}
