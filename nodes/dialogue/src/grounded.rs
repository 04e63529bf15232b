//! Whether a text names only what the tools told: places, numbers and times. Pure, and on the safe side: what it cannot place is
//! ungrounded, so a true sentence may be left unsaid, never a false name or number said.
//!
//! It sees names by their capitals, within a sentence and at its beginning where the word is no usual one; numbers in digits and in words.
//! It does not see whether two true things are put together wrongly ("the cafe is 4 km away" when the station is).

use std::collections::BTreeSet;

use crate::sentences::bare;

/// Words that may begin a sentence, or stand in it with a capital, and name nothing.
const USUAL: &[&str] = &[
    "a", "after", "again", "all", "along", "also", "an", "and", "another", "are", "arrive", "as", "at", "be",
    "because", "before", "both", "but", "by", "can", "close", "continue", "cross", "do", "drive", "either",
    "first", "follow", "for", "from", "go", "have", "he", "head", "here", "hi", "hello", "how", "however",
    "i", "if", "in", "into", "is", "it", "its", "just", "keep", "later", "leave", "left", "let", "make",
    "most", "my", "near", "next", "no", "not", "now", "of", "ok", "okay", "on", "once", "one", "only", "or",
    "our", "over", "park", "pass", "please", "right", "see", "she", "should", "since", "so", "some", "soon",
    "sorry", "stay", "still", "stop", "straight", "sure", "take", "thanks", "that", "the", "their", "then",
    "there", "these", "they", "this", "those", "to", "turn", "until", "us", "use", "wait", "watch", "we",
    "well", "what", "when", "where", "which", "while", "who", "why", "will", "with", "would", "yes", "you",
    "your",
];

/// Numbers in words. "one" is left to the language ("that one").
const NUMBERS: &[(&str, &str)] = &[
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
    ("hundred", "100"),
    ("thousand", "1000"),
    ("second", "2"),
    ("third", "3"),
    ("fourth", "4"),
    ("fifth", "5"),
    ("half", "0.5"),
];

/// What a text names that nothing told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ungrounded {
    /// A number or a time.
    #[error("the number {0} is in no tool's result")]
    Number(String),
    /// A name.
    #[error("the name {0:?} is in no tool's result")]
    Name(String),
}

/// The names and numbers that may be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    words: BTreeSet<String>,
    numbers: BTreeSet<String>,
}

impl Facts {
    /// All names and numbers of a text: a tool's result, or the question.
    pub fn from_text(text: &str) -> Facts {
        let mut facts = Facts::default();
        for token in tokens(text) {
            match token {
                Token::Number(number) => drop(facts.numbers.insert(number)),
                Token::Word(word) => {
                    let word = bare(word);
                    if let Some((_, digits)) = NUMBERS.iter().find(|(name, _)| *name == word) {
                        facts.numbers.insert((*digits).into());
                    }
                    facts.words.insert(word);
                }
            }
        }
        facts
    }

    /// Both.
    pub fn extend(&mut self, other: Facts) {
        self.words.extend(other.words);
        self.numbers.extend(other.numbers);
    }

    /// Whether the text names nothing else.
    ///
    /// # Errors
    /// The first name or number that is not among the facts.
    pub fn check(&self, text: &str) -> Result<(), Ungrounded> {
        for token in tokens(text) {
            match token {
                Token::Number(number) if !self.numbers.contains(&number) => {
                    return Err(Ungrounded::Number(number));
                }
                Token::Number(_) => {}
                Token::Word(word) => {
                    let low = bare(word);
                    if self.words.contains(&low) {
                        continue;
                    }
                    if let Some((_, digits)) = NUMBERS.iter().find(|(name, _)| *name == low)
                        && !self.numbers.contains(*digits)
                    {
                        return Err(Ungrounded::Number(low));
                    }
                    let name =
                        word.chars().find(|sign| sign.is_alphanumeric()).is_some_and(char::is_uppercase);
                    let contracted = word.split(['\'', '’']).next().unwrap_or(word);
                    let stem = low.strip_suffix('s').unwrap_or(&low);
                    let usual = USUAL.contains(&low.as_str()) || USUAL.contains(&bare(contracted).as_str());
                    let known = self.words.contains(stem) || self.words.contains(&bare(contracted));
                    if name && !usual && !known {
                        return Err(Ungrounded::Name(word.to_owned()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The value of a number's word ("twelve"); an ordinal counts nothing.
pub(crate) fn number_word(word: &str) -> Option<f64> {
    const NO_COUNT: [&str; 5] = ["second", "third", "fourth", "fifth", "half"];
    let known = NUMBERS.iter().find(|(name, _)| *name == word && !NO_COUNT.contains(name));
    known.and_then(|(_, digits)| digits.parse().ok())
}

/// Whether `text` names only what is in `facts`.
///
/// # Errors
/// The first name or number that is not.
pub fn grounded(text: &str, facts: &Facts) -> Result<(), Ungrounded> {
    facts.check(text)
}

enum Token<'a> {
    Word(&'a str),
    Number(String),
}

/// Words and numbers. A number is its value ("1.50" is "1.5"), a time its hours and minutes ("14:05").
fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    text.split(|sign: char| {
        sign.is_whitespace()
            || matches!(sign, '/' | '(' | ')' | '"' | '{' | '}' | '[' | ']' | '-' | '–' | '—' | '_')
    })
    .flat_map(pieces)
}

/// "5km" is a number and a word; "14:35" and "1.5" are one number.
fn pieces(token: &str) -> Vec<Token<'_>> {
    let mut pieces = Vec::new();
    let mut rest = token;
    while !rest.is_empty() {
        let digit = |sign: char| sign.is_numeric();
        let Some(start) = rest.find(digit) else { break };
        let before = &rest[..start];
        if before.contains(char::is_alphanumeric) {
            pieces.push(Token::Word(before));
        }
        let end = rest[start..]
            .find(|sign| !digit(sign) && !matches!(sign, '.' | ':' | ','))
            .map_or(rest.len(), |at| start + at);
        let number = rest[start..end].trim_end_matches(['.', ':', ',']);
        pieces.push(Token::Number(value(number)));
        rest = &rest[start + number.len()..];
    }
    if rest.contains(char::is_alphanumeric) {
        pieces.push(Token::Word(rest));
    }
    pieces
}

fn value(number: &str) -> String {
    let plain = number.replace(',', ".");
    if plain.matches('.').count() == 1 && !plain.contains(':') {
        plain.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        let short = plain.trim_start_matches('0');
        if short.is_empty() || short.starts_with(':') { format!("0{short}") } else { short.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Facts {
        Facts::from_text(
            r#"{"places":[{"name":"Old Mill Cafe","street":"Harbour Street","distance_km":1.5}],"minutes":4,"arrival":"14:05"}"#,
        )
    }

    #[test]
    fn what_the_tools_told_may_be_said() {
        for text in [
            "The Old Mill Cafe is 1.5 km away.",
            "It takes four minutes, so you arrive at 14:05.",
            "You'll find it on Harbour Street; it's 1.50 km.",
            "Drive to the Old Mill Cafe's car park, then turn left.",
            "Sorry, I do not know that.",
        ] {
            assert_eq!(grounded(text, &facts()), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_name_a_number_or_a_time_that_nothing_told_is_caught() {
        troika_safety::verifies![SR_RTE_007];
        for (text, what) in [
            ("The Grand Hotel is near.", Ungrounded::Name("Grand".into())),
            ("Starbucks is on the left.", Ungrounded::Name("Starbucks".into())),
            ("It is 2 km away.", Ungrounded::Number("2".into())),
            ("It is 15km away.", Ungrounded::Number("15".into())),
            ("You arrive at 14:06.", Ungrounded::Number("14:06".into())),
            ("It takes five minutes.", Ungrounded::Number("five".into())),
            ("Take the third exit.", Ungrounded::Number("third".into())),
            ("Drive along Mill Road.", Ungrounded::Name("Road.".into())),
        ] {
            assert_eq!(grounded(text, &facts()), Err(what), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_number_that_nothing_told_is_caught(number in 15u32..1_000_000, unit in "(km|min| m|)") {
            let text = format!("It is {number}{unit} from here.");
            prop_assert!(grounded(&text, &facts()).is_err());
        }

        #[test]
        fn a_text_is_grounded_in_itself(text in "[A-Za-zÄ-ü0-9 .,:'-]{0,60}") {
            prop_assert_eq!(grounded(&text, &Facts::from_text(&text)), Ok(()));
        }

        #[test]
        fn any_text_is_looked_at_without_harm(text in "(?s).{0,100}") {
            let _ = grounded(&text, &facts());
        }
    }
}
