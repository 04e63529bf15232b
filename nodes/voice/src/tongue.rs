//! The languages that can be spoken with the vehicle, and what each of them is made of: files under `templates/`, built in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::matcher::Sources;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tongue {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

/// A language that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no language '{0}': there are {all}", all = Tongue::ALL.map(Tongue::code).join(" and "))]
pub struct UnknownTongue(String);

impl Tongue {
    /// All of them.
    pub const ALL: [Tongue; 2] = [Tongue::English, Tongue::German];

    /// Its code (ISO 639-1), as settings name it; whisper's name for it too.
    pub const fn code(self) -> &'static str {
        match self {
            Tongue::English => "en",
            Tongue::German => "de",
        }
    }

    /// The files that it is read from.
    pub fn sources(self) -> Sources<'static> {
        match self {
            Tongue::English => Sources {
                words: include_str!("../templates/en/words.toml"),
                templates: include_str!("../templates/en/templates.toml"),
                replies: include_str!("../templates/en/replies.toml"),
            },
            Tongue::German => Sources {
                words: include_str!("../templates/de/words.toml"),
                templates: include_str!("../templates/de/templates.toml"),
                replies: include_str!("../templates/de/replies.toml"),
            },
        }
    }

    /// What the recogniser is told beforehand ([`crate::prompt`]).
    pub(crate) fn prompt(self) -> &'static str {
        match self {
            Tongue::English => include_str!("../templates/en/prompt.toml"),
            Tongue::German => include_str!("../templates/de/prompt.toml"),
        }
    }

    /// The trained network that reads it, by its name in the store; where there is none the templates understand alone.
    pub const fn network(self) -> Option<&'static str> {
        match self {
            Tongue::English => Some("intent_slots_en"),
            Tongue::German => None,
        }
    }
}

impl fmt::Display for Tongue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Tongue {
    type Err = UnknownTongue;

    fn from_str(code: &str) -> Result<Tongue, UnknownTongue> {
        Tongue::ALL
            .into_iter()
            .find(|tongue| tongue.code() == code)
            .ok_or_else(|| UnknownTongue(code.to_owned()))
    }
}

impl TryFrom<String> for Tongue {
    type Error = UnknownTongue;

    fn try_from(code: String) -> Result<Tongue, UnknownTongue> {
        code.parse()
    }
}

impl From<Tongue> for String {
    fn from(tongue: Tongue) -> String {
        tongue.code().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_code_and_one_that_is_not_there_is_told_with_those_there_are() {
        for tongue in Tongue::ALL {
            assert_eq!(tongue.code().parse(), Ok(tongue));
        }
        let error = "fr".parse::<Tongue>().expect_err("not there").to_string();
        assert_eq!(error, "there is no language 'fr': there are en and de");
    }
}
