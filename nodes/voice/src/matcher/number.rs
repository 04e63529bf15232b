//! Numbers in words. Their words are data; how these make a number is one of two ways: each a word of its own, tens first ("one
//! hundred and twenty one"), or all in one, units first ("hunderteinundzwanzig").

use std::collections::BTreeMap;

use serde::Deserialize;

use super::text::Word;

/// The number words of a language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    style: Style,
    /// 0 to 19.
    units: Vec<String>,
    /// 20 to 90.
    tens: Vec<String>,
    /// Other words for numbers.
    #[serde(default)]
    variants: BTreeMap<String, f64>,
    /// The one of "a hundred", or inside a number ("einundzwanzig").
    one: String,
    hundred: String,
    and: String,
    /// The zero of "one oh five".
    #[serde(default)]
    nought: Vec<String>,
    point: String,
    /// What adds a half: words behind the number; the last word of "einundzwanzigeinhalb" too, where numbers are one word.
    half: Vec<Vec<String>>,
    minus: Vec<String>,
}

/// How the words make a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Style {
    /// "Twenty one".
    Apart,
    /// "Einundzwanzig".
    OneWord,
}

pub(super) fn digits(word: &str) -> Option<f64> {
    word.starts_with(|c: char| c.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

/// From 1 to 9.
fn is_unit(value: &f64) -> bool {
    (1.0..10.0).contains(value)
}

impl Numbers {
    /// What is wrong with them, with the key.
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, words, count) in [("units", &self.units, 20), ("tens", &self.tens, 8)] {
            if words.len() != count {
                return Err(format!("number.{key}: {} words, not {count}", words.len()));
            }
        }
        if self.half.iter().any(Vec::is_empty) {
            return Err("number.half: one has no words".to_owned());
        }
        Ok(())
    }

    /// The number at the start of these words, and how many words it is.
    pub(super) fn read(&self, words: &[Word]) -> Option<(f64, usize)> {
        if let [minus, rest @ ..] = words
            && self.minus.contains(&minus.norm)
            && let Some((value, used)) = self.read(rest)
        {
            return Some((-value, used + 1));
        }
        let word =
            |at: usize| words.get(at).filter(|w| at == 0 || !w.after_break).map_or("", |w| w.norm.as_str());
        let (mut value, mut used) = match (digits(word(0)), self.style) {
            (Some(value), _) => (value, 1),
            (None, Style::Apart) => self.apart(&word)?,
            (None, Style::OneWord) => self.one_word(&word)?,
        };
        if word(used) == self.hundred {
            value *= 100.0;
            used += 1;
            let rest = used + usize::from(word(used) == self.and);
            let more = words.get(rest..).and_then(|words| self.read(words));
            if let Some((more, words_more)) = more.filter(|(n, _)| *n < 100.0) {
                value += more;
                used = rest + words_more;
            }
        }
        // "twenty one point five"; "twenty one and a half".
        let has_half =
            |half: &&Vec<String>| half.iter().enumerate().all(|(at, part)| word(used + at) == part);
        if word(used) == self.point {
            let fraction: Vec<f64> = (used + 1..words.len())
                .map_while(|at| digits(word(at)).or_else(|| self.small(word(at))))
                .take(2)
                .collect();
            if let [first, ..] = fraction.as_slice()
                && *first < 10.0
            {
                value += first / 10.0;
                used += 2;
            }
        } else if let Some(half) = self.half.iter().find(has_half) {
            value += 0.5;
            used += half.len();
        }
        Some((value, used))
    }

    /// Units and tens, spelt.
    fn small(&self, word: &str) -> Option<f64> {
        let at = |words: &[String]| words.iter().position(|other| other == word).map(|at| at as f64);
        let tens = || at(&self.tens).map(|ten| (ten + 2.0) * 10.0);
        at(&self.units).or_else(tens).or_else(|| self.variants.get(word).copied())
    }

    /// Below a hundred, and the digit before "hundred".
    fn apart<'w>(&self, word: &impl Fn(usize) -> &'w str) -> Option<(f64, usize)> {
        let small = |at: usize| self.small(word(at));
        Some(match small(0) {
            Some(tens) if tens >= 20.0 => match small(1).filter(is_unit) {
                Some(unit) => (tens + unit, 2),
                None => (tens, 1),
            },
            // "One twenty", "one oh five": hundreds without the word.
            Some(hundreds) if is_unit(&hundreds) => match (small(1), small(2)) {
                (_, Some(unit)) if self.is_nought(word(1)) && is_unit(&unit) => (hundreds * 100.0 + unit, 3),
                (Some(tens), Some(unit)) if tens >= 20.0 && is_unit(&unit) => {
                    (hundreds * 100.0 + tens + unit, 3)
                }
                (Some(rest), _) if rest >= 10.0 => (hundreds * 100.0 + rest, 2),
                _ => (hundreds, 1),
            },
            Some(unit) => (unit, 1),
            None if word(0) == self.one && word(1) == self.hundred => (1.0, 1),
            // "A hundred" with its article lost.
            None if word(0) == self.hundred && word(1) == self.and => (1.0, 0),
            None => return None,
        })
    }

    fn is_nought(&self, word: &str) -> bool {
        self.nought.iter().any(|nought| nought == word)
    }

    /// One word; a recogniser may write it as several ("ein und zwanzig", "hundert zwanzig").
    fn one_word<'w>(&self, word: &impl Fn(usize) -> &'w str) -> Option<(f64, usize)> {
        let tens = |at: usize| self.small(word(at)).filter(|tens| *tens >= 20.0);
        if let (Some(unit), true, Some(tens)) = (self.unit(word(0)), word(1) == self.and, tens(2)) {
            return Some((tens + unit, 3));
        }
        let value = self.compound(word(0))?;
        if value >= 100.0
            && value % 100.0 == 0.0
            && let Some(rest) = self.compound(word(1)).filter(|rest| *rest < 100.0)
        {
            return Some((value + rest, 2));
        }
        Some((value, 1))
    }

    /// 1 to 9 as they stand inside a number.
    fn unit(&self, word: &str) -> Option<f64> {
        if word == self.one { Some(1.0) } else { self.small(word).filter(is_unit) }
    }

    fn compound(&self, word: &str) -> Option<f64> {
        if let Some(value) = self.small(word) {
            return Some(value);
        }
        let glued = |half: &Vec<String>| match half.as_slice() {
            [half] => word.strip_suffix(half.as_str()),
            _ => None,
        };
        if let Some(whole) = self.half.iter().find_map(glued) {
            return self.unit(whole).or_else(|| self.compound(whole)).map(|whole| whole + 0.5);
        }
        let Some((before, after)) = word.split_once(self.hundred.as_str()) else {
            return self.units_and_tens(word);
        };
        let hundreds = if before.is_empty() { 1.0 } else { self.unit(before)? };
        let after = after.strip_prefix(self.and.as_str()).unwrap_or(after);
        let rest = if after.is_empty() { 0.0 } else { self.units_and_tens(after)? };
        Some(hundreds * 100.0 + rest)
    }

    /// "Einundzwanzig", or what has a word of its own.
    fn units_and_tens(&self, word: &str) -> Option<f64> {
        self.small(word).or_else(|| {
            self.tens.iter().zip(2..).find_map(|(ten, tens)| {
                let unit = word.strip_suffix(ten.as_str())?.strip_suffix(self.and.as_str())?;
                self.unit(unit).map(|unit| f64::from(tens) * 10.0 + unit)
            })
        })
    }
}
