//! What the recogniser is told beforehand: one saying for each vehicle function, from the templates. Whisper takes it for what was
//! said before and prefers its words and its way of writing numbers.

use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    said: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    function: String,
    text: String,
}

static ENGLISH: LazyLock<Vec<Said>> = LazyLock::new(|| {
    // The file is in the binary, and the tests below read it: it cannot fail to.
    toml::from_str::<File>(include_str!("../templates/en-prompt.toml"))
        .map(|file| file.said)
        .unwrap_or_default()
});

/// Each function's name with its saying, in the file's order.
pub fn sayings() -> impl Iterator<Item = (&'static str, &'static str)> {
    ENGLISH.iter().map(|said| (said.function.as_str(), said.text.as_str()))
}

/// The sayings as one text.
pub fn english() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| sayings().map(|(_, text)| text).collect::<Vec<_>>().join(" "));
    &TEXT
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use troika_vehicle::catalogue::Catalogue;

    use super::*;
    use crate::matcher::{Matcher, Understood};

    #[test]
    fn every_saying_means_its_function() {
        for (function, text) in sayings() {
            let Understood::Commands(calls) = Matcher::english().understand(text) else {
                panic!("'{text}' is no command");
            };
            assert_eq!(calls[0].function, function, "{text}");
        }
    }

    #[test]
    fn no_function_is_said_twice_and_none_is_unknown() {
        let said: BTreeSet<&str> = sayings().map(|(function, _)| function).collect();
        assert_eq!(said.len(), sayings().count());
        let known: BTreeSet<&str> =
            Catalogue::built_in().functions().iter().map(|function| function.name.as_str()).collect();
        assert!(said.is_subset(&known), "{:?}", said.difference(&known).collect::<Vec<_>>());
        let missing: Vec<_> = known.difference(&said).collect();
        assert!(missing.is_empty(), "no saying for {missing:?}");
    }

    #[test]
    fn it_is_short_enough_for_the_decoder() {
        assert!((100..=900).contains(&english().len()), "{} bytes", english().len());
    }
}
