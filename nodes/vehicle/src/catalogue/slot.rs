//! Slots: what values a function's arguments may have.

use std::fmt;

/// One argument of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotSpec {
    /// Its name.
    pub name: String,
    /// What values it may have.
    pub ty: SlotType,
    /// The value when nothing was said.
    pub unsaid: Option<String>,
    /// It belongs to the call only when another slot has a value (`percent` with `action = set`).
    pub with: Option<With>,
}

/// Another slot's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct With {
    /// The other slot.
    pub slot: String,
    /// Its value.
    pub value: String,
}

/// What values a slot may have.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotType {
    /// One of these words.
    OneOf(Vec<String>),
    /// `min`, `min + step`, … `max`.
    Number {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
        /// The distance between two.
        step: f64,
    },
    /// Any words, at most [`TEXT_BYTES`].
    Text,
}

/// The longest free text that a slot takes, in bytes: a spoken sentence has room in it, a flood has not.
pub const TEXT_BYTES: usize = 512;

/// What is wrong with a slot's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongValue {
    value: String,
    wanted: String,
}

impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot be '{}': {}", self.value, self.wanted)
    }
}

impl SlotType {
    /// The value in the one way that it is written, or what is wrong with it.
    pub fn canonical(&self, value: &str) -> Result<String, WrongValue> {
        let wrong = || WrongValue { value: shorten(value), wanted: self.to_string() };
        match self {
            SlotType::OneOf(words) => words.iter().find(|word| *word == value).cloned().ok_or_else(wrong),
            SlotType::Number { min, max, step } => {
                let number: f64 = value.trim().parse().map_err(|_| wrong())?;
                // A NaN is in no range. Steps are counted, so that 16.1 + 0.2 noise does not decide.
                let steps = ((number - min) / step).round();
                let nearest = min + steps * step;
                if !(*min..=*max).contains(&number) || (number - nearest).abs() > 1e-6 {
                    return Err(wrong());
                }
                Ok(nearest.to_string())
            }
            SlotType::Text => {
                let text = value.trim();
                let fits =
                    !text.is_empty() && text.len() <= TEXT_BYTES && !text.chars().any(char::is_control);
                if fits { Ok(text.to_owned()) } else { Err(wrong()) }
            }
        }
    }
}

impl fmt::Display for SlotType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotType::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            SlotType::Number { min, max, step } if *step == 1.0 => {
                write!(f, "a whole number, {min} to {max}")
            }
            SlotType::Number { min, max, step } => write!(f, "a number, {min} to {max} in steps of {step}"),
            SlotType::Text => write!(f, "text without control characters, at most {TEXT_BYTES} bytes"),
        }
    }
}

/// A peer's text, cut so that an error cannot carry a flood, and without control characters.
pub(super) fn shorten(text: &str) -> String {
    const MOST: usize = 40;
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}
