//! What numbers in messages are called, where more than one tool says it: in files, and to a person.

use troika_kit::Message as _;

use crate::troika::{DriverAlert, DriverState, SafetyState};

/// A value of `DriverAlert.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertName {
    /// The value.
    pub kind: u8,
    /// As files have it.
    pub name: &'static str,
    /// As a person reads it.
    pub words: &'static str,
}

const fn alert_name(kind: u8, name: &'static str, words: &'static str) -> AlertName {
    AlertName { kind, name, words }
}

/// All values of `DriverAlert.kind`.
pub const ALERTS: [AlertName; 8] = [
    alert_name(DriverAlert::LONG_DISTRACTION, "long_distraction", "long distraction"),
    alert_name(DriverAlert::REPEATED_GLANCES, "repeated_glances", "repeated glances"),
    alert_name(DriverAlert::PHONE_USE, "phone_use", "phone use"),
    alert_name(DriverAlert::MICROSLEEP, "microsleep", "microsleep"),
    alert_name(DriverAlert::SLEEP, "sleep", "sleep"),
    alert_name(DriverAlert::UNRESPONSIVE, "unresponsive", "unresponsive"),
    alert_name(DriverAlert::DROWSINESS, "drowsiness", "drowsiness"),
    alert_name(DriverAlert::MONITORING_UNAVAILABLE, "monitoring_unavailable", "monitoring unavailable"),
];

/// The words for a value of `DriverAlert.kind`; none for one that this build does not know.
pub fn alert_in_words(kind: u8) -> Option<&'static str> {
    ALERTS.iter().find(|alert| alert.kind == kind).map(|alert| alert.words)
}

/// What a number in a field of a message is called; none where it is a number, or one that this build does not know. `type_name` as
/// `troika_msgs/msg/DriverAlert`, `field` as the .msg file has it.
pub fn in_words(type_name: &str, field: &str, value: u64) -> Option<&'static str> {
    let of = |names: &[(u8, &'static str)]| {
        names.iter().find(|(known, _)| u64::from(*known) == value).map(|(_, words)| *words)
    };
    match field {
        "kind" if type_name == DriverAlert::TYPE.name => alert_in_words(u8::try_from(value).ok()?),
        "phase" if type_name == DriverAlert::TYPE.name => {
            of(&[(DriverAlert::RAISED, "raised"), (DriverAlert::CLEARED, "cleared")])
        }
        "gaze_zone" if type_name == DriverAlert::TYPE.name || type_name == DriverState::TYPE.name => of(&[
            (DriverState::ZONE_UNKNOWN, "unknown"),
            (DriverState::ZONE_FORWARD, "forward"),
            (DriverState::ZONE_LEFT_MIRROR, "left mirror"),
            (DriverState::ZONE_RIGHT_MIRROR, "right mirror"),
            (DriverState::ZONE_REAR_MIRROR, "rear mirror"),
            (DriverState::ZONE_CLUSTER, "cluster"),
            (DriverState::ZONE_AREA_3, "area 3 (lap, console)"),
            (DriverState::ZONE_AREA_1, "area 1 (roof, far side)"),
            (DriverState::ZONE_OTHER, "other"),
        ]),
        "state" if type_name == DriverState::TYPE.name => of(&[
            (DriverState::UNKNOWN, "unknown"),
            (DriverState::ATTENTIVE, "attentive"),
            (DriverState::LOOKING_AWAY, "looking away"),
            (DriverState::EYES_CLOSED, "eyes closed"),
        ]),
        "state" if type_name == SafetyState::TYPE.name => of(&[
            (SafetyState::NOMINAL, "nominal"),
            (SafetyState::DEGRADED, "degraded"),
            (SafetyState::SAFE, "safe"),
        ]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_named_by_its_type_and_field() {
        let alert = DriverAlert::TYPE.name;
        assert_eq!(in_words(alert, "kind", 5), Some("sleep"));
        assert_eq!(in_words(alert, "phase", 2), Some("cleared"));
        assert_eq!(in_words(DriverState::TYPE.name, "state", 2), Some("looking away"));
        assert_eq!(in_words(DriverState::TYPE.name, "gaze_zone", 8), Some("other"));
        for (field, value) in [("kind", 9), ("kind", 300), ("sequence", 5), ("limit_s", 5)] {
            assert_eq!(in_words(alert, field, value), None, "{field} {value}");
        }
        assert_eq!(in_words("other_msgs/msg/Alert", "kind", 5), None);
    }

    #[test]
    fn an_alert_is_called_the_same_in_files_and_to_a_person() {
        for (n, alert) in ALERTS.iter().enumerate() {
            assert_eq!(usize::from(alert.kind), n + 1, "{}: each value once", alert.name);
            assert_eq!(alert.words, alert.name.replace('_', " "));
            assert_eq!(alert_in_words(alert.kind), Some(alert.words));
        }
        assert_eq!(alert_in_words(9), None);
    }
}
