//! Words as they are compared: lower case, without punctuation, contractions spelt out, numbers as numbers.

use super::{Matcher, words::Words};
use crate::tongue::Tongue;

/// One word of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As compared.
    pub norm: String,
    /// The number that it is, if it is one.
    pub number: Option<f64>,
    /// Which spoken words it was made of: from, to (exclusive), as indices into [`Words::spoken`]'s.
    pub from: (usize, usize),
    /// A comma, full stop or the like came before it.
    pub after_break: bool,
}

impl Words {
    /// The words as spoken: lower case, punctuation off, apostrophes kept; the flag says that a pause was written before.
    pub fn spoken(&self, utterance: &str) -> Vec<(String, bool)> {
        let mut words: Vec<(String, bool)> = Vec::new();
        let mut pause = false;
        let lower = utterance.to_lowercase().replace(['’', '‘', '`'], "'");
        // What stands in brackets is a recogniser's note ("[BLANK_AUDIO]", "(music)"), not speech.
        let mut depth = 0usize;
        let open: String = lower
            .chars()
            .filter(|c| {
                match c {
                    '[' | '(' => depth += 1,
                    ']' | ')' => {
                        depth = depth.saturating_sub(1);
                        return false;
                    }
                    _ => {}
                }
                depth == 0
            })
            .collect();
        let replaced = |text: String, [from, to]: &[String; 2]| text.replace(from, to);
        let read = self.signs.iter().fold(open, replaced).replace(['-', '–', '—', '/'], " ");
        for token in self.spellings.iter().fold(read, replaced).split_whitespace() {
            let trimmed = token.trim_matches(|c: char| !c.is_alphanumeric());
            let starts_with_mark = token.starts_with([',', ';', ':', '.']);
            if !trimmed.is_empty() {
                let word: String = trimmed
                    .char_indices()
                    .filter(|(at, c)| c.is_alphanumeric() || *c == '\'' || is_point(trimmed, *at, *c))
                    .map(|(_, c)| if c == ',' { '.' } else { c })
                    .collect();
                words.push((word, pause || starts_with_mark));
                pause = false;
            }
            pause |= token.ends_with([',', ';', ':', '.', '!', '?']);
        }
        words
    }

    /// The words of an utterance as they are compared.
    pub fn split(&self, utterance: &str) -> Vec<Word> {
        let mut plain: Vec<Word> = Vec::new();
        for (index, (word, after_break)) in self.spoken(utterance).into_iter().enumerate() {
            for (part, norm) in self.expand(&self.folded(&word)).into_iter().enumerate() {
                let from = (index, index + 1);
                plain.push(Word { norm, number: None, from, after_break: after_break && part == 0 });
            }
        }
        self.numbers(plain)
    }

    /// Free text as it is compared: lower case, without punctuation (apostrophes too) and leading article.
    pub fn bare(&self, text: &str) -> String {
        bare_without(self, text, |word| self.is_article(word))
    }

    /// Whether a word as spoken is an article.
    pub(super) fn is_article(&self, word: &str) -> bool {
        self.articles.iter().any(|article| article == word)
    }

    fn expand(&self, word: &str) -> Vec<String> {
        if let Some(full) = self.contractions.get(word) {
            return full.split(' ').map(str::to_owned).collect();
        }
        for suffix in &self.suffix {
            let fits = |stem: &&str| {
                !stem.is_empty()
                    && suffix.after.as_ref().is_none_or(|after| after.iter().any(|word| word == stem))
            };
            if let Some(stem) = word.strip_suffix(suffix.end.as_str()).filter(fits) {
                return vec![stem.to_owned(), suffix.full.clone()];
            }
        }
        // "21c", "80kmh", "20c": a number with its unit stuck to it.
        let digits = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let (number, unit) = word.split_at(digits);
        if let Some(unit) = self.units.get(unit).filter(|_| !number.is_empty()) {
            return vec![number.to_owned(), unit.clone()];
        }
        vec![word.to_owned()]
    }

    /// Joins the words of each number into one.
    fn numbers(&self, plain: Vec<Word>) -> Vec<Word> {
        let mut out = Vec::with_capacity(plain.len());
        let mut at = 0;
        while at < plain.len() {
            match self.number.read(&plain[at..]) {
                Some((value, used)) => {
                    let from = (plain[at].from.0, plain[at + used - 1].from.1);
                    let after_break = plain[at].after_break;
                    out.push(Word { norm: value.to_string(), number: Some(value), from, after_break });
                    at += used;
                }
                None => {
                    out.push(plain[at].clone());
                    at += 1;
                }
            }
        }
        out
    }
}

/// A point between two digits.
fn is_point(word: &str, at: usize, c: char) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    matches!(c, '.' | ',') && digit(word[..at].chars().next_back()) && digit(word[at + 1..].chars().next())
}

fn bare_without(words: &Words, text: &str, article: impl Fn(&str) -> bool) -> String {
    let words: Vec<String> = words.spoken(text).into_iter().map(|(word, _)| word.replace('\'', "")).collect();
    let skip = usize::from(words.len() > 1 && article(&words[0]));
    words[skip..].join(" ")
}

/// Free text as answers are scored, in whatever language it is: as [`Words::bare`].
pub fn bare(text: &str) -> String {
    let article = |word: &str| Tongue::ALL.iter().any(|tongue| Matcher::of(*tongue).words().is_article(word));
    bare_without(Matcher::english().words(), text, article)
}

/// Edits between two words: insertions, deletions, replacements and neighbours swapped; at most `limit` are counted.
pub fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(text: &str) -> String {
        Matcher::english().words().split(text).into_iter().map(|word| word.norm).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_in_words_and_digits_are_one() {
        for (said, is) in [
            ("twenty-one and a half degrees", "21.5 degrees"),
            ("twenty one point five", "21.5"),
            ("21,5°", "21.5 degrees"),
            ("one hundred and twenty", "120"),
            ("a hundred kilometers", "100 kilometers"),
            ("seventy percent", "70 percent"),
            ("70%", "70 percent"),
            ("one twenty", "120"),
            ("one oh five", "105"),
            ("one thirty five please", "135 please"),
            ("hundred and twenty", "120"),
            ("one two three", "1 2 3"),
            ("fan to minus two", "fan to -2"),
            ("set it to three, two", "set it to 3 2"),
        ] {
            assert_eq!(norm(said), is, "{said}");
        }
    }

    #[test]
    fn german_numbers_are_one_word_with_the_units_first() {
        let norm = |text: &str| {
            let words = Matcher::of(Tongue::German).words().split(text);
            words.into_iter().map(|word| word.norm).collect::<Vec<_>>().join(" ")
        };
        for (said, is) in [
            ("einundzwanzig Grad", "21 grad"),
            ("einundzwanzigeinhalb", "21.5"),
            ("einundzwanzig Komma fünf", "21.5"),
            ("einundzwanzig einhalb", "21.5"),
            ("zwanzig und ein halbes", "20.5"),
            ("21,5°C", "21.5 grad"),
            ("hundertzwanzig", "120"),
            ("einhundertfünfunddreißig", "135"),
            ("hundertundeins", "101"),
            ("hundert zwanzig km/h", "120 kmh"),
            ("zwei und zwanzig", "22"),
            ("zwoundzwanzig", "22"),
            ("sechzehn, siebzehn", "16 17"),
            ("minus zwei", "-2"),
            ("eineinhalb", "1.5"),
            ("Achtung, einsteigen und dreist sein", "achtung einsteigen und dreist sein"),
        ] {
            assert_eq!(norm(said), is, "{said}");
        }
    }

    #[test]
    fn contractions_are_spelt_out_and_possessives_kept() {
        assert_eq!(
            norm("Don't! I'm cold, it's the driver's side."),
            "do not i am cold it is the driver's side"
        );
    }

    #[test]
    fn a_recognisers_notes_are_no_speech() {
        assert_eq!(norm("[BLANK_AUDIO] (engine noise) hello"), "hello");
    }

    #[test]
    fn a_swap_is_one_edit_and_the_limit_holds() {
        assert_eq!(distance("widnow", "window", 1), Some(1));
        assert_eq!(distance("truck", "trunk", 1), Some(1));
        assert_eq!(distance("door", "window", 2), None);
    }
}
