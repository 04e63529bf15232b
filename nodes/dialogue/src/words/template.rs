//! A sentence with slots: "It's {km} to {to}."

use std::fmt;

use serde::Deserialize;

/// What a slot is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Slot {
    Arrival,
    Away,
    Direction,
    Facts,
    Kind,
    Km,
    Leg,
    Minutes,
    N,
    Name,
    Names,
    Street,
    To,
    Town,
    Turn,
    What,
}

const SLOTS: &[(&str, Slot)] = &[
    ("arrival", Slot::Arrival),
    ("away", Slot::Away),
    ("direction", Slot::Direction),
    ("facts", Slot::Facts),
    ("kind", Slot::Kind),
    ("km", Slot::Km),
    ("leg", Slot::Leg),
    ("minutes", Slot::Minutes),
    ("n", Slot::N),
    ("name", Slot::Name),
    ("names", Slot::Names),
    ("street", Slot::Street),
    ("to", Slot::To),
    ("town", Slot::Town),
    ("turn", Slot::Turn),
    ("what", Slot::What),
];

impl fmt::Display for Slot {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(SLOTS.iter().find(|(_, slot)| slot == self).map_or("", |(name, _)| name))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Slot(Slot),
}

/// A sentence with slots.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Piece>);

impl Template {
    /// Its slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(*slot),
            Piece::Text(_) => None,
        })
    }

    /// The sentence; a slot that nothing is given for stays empty.
    pub fn say(&self, given: &[(Slot, &str)]) -> String {
        let fill =
            |slot: &Slot| given.iter().find(|(given, _)| given == slot).map_or("", |(_, value)| *value);
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Slot(slot) => fill(slot),
            })
            .collect()
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!("the brace of {{{after} is not closed"));
            };
            let Some((_, slot)) = SLOTS.iter().find(|(known, _)| *known == name) else {
                let names: Vec<&str> = SLOTS.iter().map(|(name, _)| *name).collect();
                return Err(format!("there is no slot {{{name}}}; there are {}", names.join(", ")));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Slot(*slot));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Template(pieces))
    }
}
