//! What the recogniser is told beforehand: one saying for each vehicle function, from the templates. Whisper takes it for what was
//! said before and prefers its words and its way of writing numbers.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::tongue::Tongue;

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

/// Each function's name with its saying in a language, in the file's order.
pub fn sayings(tongue: Tongue) -> Vec<(String, String)> {
    // The file is in the binary, and the tests below read it: it cannot fail to.
    let said = toml::from_str::<File>(tongue.prompt()).map(|file| file.said).unwrap_or_default();
    said.into_iter().map(|said| (said.function, said.text)).collect()
}

/// The sayings of a language as one text.
pub fn of(tongue: Tongue) -> &'static str {
    static TEXTS: [OnceLock<String>; Tongue::ALL.len()] = [const { OnceLock::new() }; Tongue::ALL.len()];
    TEXTS[tongue as usize]
        .get_or_init(|| sayings(tongue).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use troika_vehicle::catalogue::Catalogue;

    use super::*;
    use crate::matcher::{Matcher, Understood};

    #[test]
    fn every_saying_means_its_function() {
        for tongue in Tongue::ALL {
            for (function, text) in sayings(tongue) {
                let Understood::Commands(calls) = Matcher::of(tongue).understand(&text) else {
                    panic!("'{text}' is no command");
                };
                assert_eq!(calls[0].function, function, "{text}");
            }
        }
    }

    #[test]
    fn no_function_is_said_twice_and_none_is_unknown() {
        let known: BTreeSet<String> =
            Catalogue::built_in().functions().iter().map(|function| function.name.clone()).collect();
        for tongue in Tongue::ALL {
            let said: BTreeSet<String> = sayings(tongue).into_iter().map(|(function, _)| function).collect();
            assert_eq!(said.len(), sayings(tongue).len());
            assert!(said.is_subset(&known), "{:?}", said.difference(&known).collect::<Vec<_>>());
            let missing: Vec<_> = known.difference(&said).collect();
            assert!(missing.is_empty(), "{tongue}: no saying for {missing:?}");
        }
    }

    #[test]
    fn it_is_short_enough_for_the_decoder() {
        for tongue in Tongue::ALL {
            assert!((100..=900).contains(&of(tongue).len()), "{tongue}: {} bytes", of(tongue).len());
        }
    }
}
