//! The settings of a program beside `troika`: what its `--config` says.

use std::{fs, io, path::PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

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
    if is_text(text_or_file) {
        return serde_json::from_str(text_or_file)
            .map_err(|why| told("settings", in_words(&why.to_string())));
    }
    let text = fs::read_to_string(text_or_file)
        .map_err(|reason| SettingsError::Read { path: text_or_file.into(), reason })?;
    if text_or_file.ends_with(".json") {
        return serde_json::from_str(&text).map_err(|why| told(text_or_file, in_words(&why.to_string())));
    }
    toml::from_str(&text).map_err(|why| told(text_or_file, in_words(&why.to_string())))
}

fn is_text(text_or_file: &str) -> bool {
    text_or_file.trim_start().starts_with('{')
}

/// The same words, with the file and the line of the key that they begin with (`cloud.url is …`), where the settings are a TOML file that has it.
pub fn at_line(text_or_file: &str, told: &str) -> String {
    let lines = |text: String| line(&text, told).map(|line| format!("{text_or_file}:{line}: {told}"));
    let file = !is_text(text_or_file) && !text_or_file.ends_with(".json");
    let found = file.then(|| fs::read_to_string(text_or_file).ok().and_then(lines)).flatten();
    found.unwrap_or_else(|| told.to_owned())
}

/// Where the key stands that these words begin with, from 1; the line of its table where it is not there itself.
fn line(text: &str, told: &str) -> Option<usize> {
    let key: String =
        told.chars().take_while(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_')).collect();
    let root = DeTable::parse(text).ok()?;
    let mut table = Some(root.get_ref());
    let mut at = None;
    for part in key.split('.') {
        let Some(value) = table.and_then(|table| table.get(part)) else { break };
        at = Some(value.span().start);
        table = match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
    }
    at.map(|at| text[..at.min(text.len())].matches('\n').count() + 1)
}

/// What a reader of TOML or JSON says, without the names that our own code has for it.
fn in_words(told: &str) -> String {
    let mut words = String::new();
    let mut rest = told;
    while let Some(at) = rest.find("missing field `") {
        let (before, after) = rest.split_at(at);
        let name = after["missing field `".len()..].split('`').next().unwrap_or_default();
        words.push_str(&format!("{before}`{name}` is missing"));
        rest = after.get("missing field ``".len() + name.len()..).unwrap_or_default();
    }
    words.push_str(rest);
    while let Some(at) = words.find("expected struct ") {
        let name = words[at + "expected struct ".len()..].find(|sign: char| !sign.is_alphanumeric());
        let end = name.map_or(words.len(), |length| at + "expected struct ".len() + length);
        words.replace_range(at..end, "expected a table");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "file = \"x\"\n\n[cloud]\nurl = \"https://a/v1\"\n\n[delivery]\nbatch_items = 3\n";

    #[test]
    fn what_is_wrong_with_a_key_is_told_with_its_line() {
        assert_eq!(line(TEXT, "cloud.url is …"), Some(4));
        assert_eq!(line(TEXT, "delivery.batch_items is 101; it is from 1 to 100"), Some(7));
        assert_eq!(line(TEXT, "file: /proc is no place"), Some(1));
        assert_eq!(line(TEXT, "cloud.ca_file: cannot read"), Some(3), "the table that it belongs into");
        assert_eq!(line(TEXT, "another sentence"), None);
        let folder = std::env::temp_dir().join(format!("troika-settings-{}.toml", std::process::id()));
        fs::write(&folder, TEXT).unwrap();
        let file = folder.to_str().unwrap();
        assert_eq!(at_line(file, "cloud.url is x"), format!("{file}:4: cloud.url is x"));
        assert_eq!(at_line("{}", "cloud.url is x"), "cloud.url is x");
        fs::remove_file(&folder).unwrap();
    }

    #[test]
    fn our_own_names_are_not_told() {
        assert_eq!(in_words("line 3: missing field `url`\n"), "line 3: `url` is missing\n");
        let told = in_words("invalid type: string \"x\", expected struct GatewayConfig\nin `cloud`");
        assert_eq!(told, "invalid type: string \"x\", expected a table\nin `cloud`");
        assert_eq!(in_words("unknown field `x`"), "unknown field `x`");
    }
}
