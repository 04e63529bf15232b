//! The names that files use for numbers in messages.

use troika_msgs::{
    names,
    troika::{CommandResult, DialogueReply, DriverState, SafetyState},
};
use troika_sim::slip::meant;

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

/// The name of a value.
pub fn name(names: Names, value: u8) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("?", |(name, _)| name)
}
