//! What numbers in messages are called, where more than one tool says it: in files, and to a person.

use crate::troika::DriverAlert;

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

#[cfg(test)]
mod tests {
    use super::*;

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
