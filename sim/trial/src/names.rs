//! The names that files use for numbers in messages.

use troika_msgs::{
    names,
    troika::{CommandResult, DialogueReply, DriverState, SafetyState},
};

/// Names for the values of a field.
pub type Names = &'static [(&'static str, u8)];

/// `DriverAlert.kind`.
pub const ALERTS: Names = &{
    let mut all = [("", 0); names::ALERTS.len()];
    let mut n = 0;
    while n < all.len() {
        all[n] = (names::ALERTS[n].name, names::ALERTS[n].kind);
        n += 1;
    }
    all
};

/// `DriverState.state`.
pub const STATES: Names = &[
    ("unknown", DriverState::UNKNOWN),
    ("attentive", DriverState::ATTENTIVE),
    ("looking_away", DriverState::LOOKING_AWAY),
    ("eyes_closed", DriverState::EYES_CLOSED),
];

/// `SafetyState.state`.
pub const SAFETY: Names =
    &[("nominal", SafetyState::NOMINAL), ("degraded", SafetyState::DEGRADED), ("safe", SafetyState::SAFE)];

/// `CommandResult.status`.
pub const RESULTS: Names = &[
    ("accepted", CommandResult::ACCEPTED),
    ("refused", CommandResult::REFUSED),
    ("done", CommandResult::DONE),
    ("failed", CommandResult::FAILED),
];

/// `DialogueReply.tier`, `RoutingDecision.tier`.
pub const TIERS: Names = &[
    ("vehicle", DialogueReply::VEHICLE),
    ("on_vehicle", DialogueReply::ON_VEHICLE),
    ("cloud", DialogueReply::CLOUD),
    ("canned", DialogueReply::CANNED),
];

/// The value of a name.
///
/// # Errors
/// What names there are, and which may have been meant.
pub fn value(names: Names, name: &str) -> Result<u8, String> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        format!("'{name}' is none of {}{}", known.join(", "), meant(name, known.iter().copied()))
    })
}

/// `; did you mean …?`, when one of the names there are is like the one that was given.
pub fn meant<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// Less alike are two words, and not one mistyped.
    const ALIKE: f64 = 0.75;
    let likeness = |name: &str| strsim::jaro_winkler(given, name);
    let near = known.into_iter().map(|name| (likeness(name), name)).filter(|(likeness, _)| *likeness > ALIKE);
    let nearest = near.max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

/// What the TOML reader says of a name that it does not know, with the one that may have been meant before all that there are: a reader
/// of thirty keys does not look behind them. Both are in its message, in quotes.
pub(crate) fn read_in_order(message: &str) -> String {
    let message = &in_words(message);
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = quoted.next().filter(|_| message.starts_with("unknown "));
    let near = given.map_or_else(String::new, |given| meant(given, quoted));
    match message.split_once(", expected") {
        Some((unknown, known)) if !near.is_empty() => format!("{unknown}{near} Expected{known}"),
        _ => format!("{message}{near}"),
    }
}

/// A fault of the reader without the names of Rust's numbers.
fn in_words(message: &str) -> String {
    let Some((before, kind)) = message.trim_end().rsplit_once("expected ") else { return message.to_owned() };
    let kind = match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        _ => return message.to_owned(),
    };
    format!("{before}expected {kind}")
}

/// The name of a value.
pub fn name(names: Names, value: u8) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("?", |(name, _)| name)
}
