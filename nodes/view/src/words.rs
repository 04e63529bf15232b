//! What the numbers in messages mean, as the page says it.

use troika_msgs::{
    names::alert_in_words,
    troika::{
        CommandResult, DialogueReply, DialogueRequest, DriverState, Drowsiness, Gesture, Heartbeat,
        LinkState, VehicleCommand, VoiceReply,
    },
};

/// Of a number that this build has no word for.
const OTHER: &str = "?";

/// `DriverState.state`.
pub(crate) fn driver(state: u8) -> &'static str {
    match state {
        DriverState::UNKNOWN => "unknown",
        DriverState::ATTENTIVE => "attentive",
        DriverState::LOOKING_AWAY => "looking away",
        DriverState::EYES_CLOSED => "eyes closed",
        _ => OTHER,
    }
}

/// `DriverState.gaze_zone`.
pub(crate) fn zone(zone: u8) -> &'static str {
    match zone {
        DriverState::ZONE_UNKNOWN => "unknown",
        DriverState::ZONE_FORWARD => "forward",
        DriverState::ZONE_LEFT_MIRROR => "left mirror",
        DriverState::ZONE_RIGHT_MIRROR => "right mirror",
        DriverState::ZONE_REAR_MIRROR => "rear mirror",
        DriverState::ZONE_CLUSTER => "cluster",
        DriverState::ZONE_AREA_3 => "lap or console",
        DriverState::ZONE_AREA_1 => "roof or far aside",
        DriverState::ZONE_OTHER => "elsewhere",
        _ => OTHER,
    }
}

/// `DriverAlert.kind`.
pub(crate) fn alert(kind: u8) -> &'static str {
    alert_in_words(kind).unwrap_or(OTHER)
}

/// `Gesture.kind`.
pub(crate) fn gesture(kind: u8) -> &'static str {
    match kind {
        Gesture::UNKNOWN => "unknown",
        Gesture::NONE => "none",
        Gesture::OPEN_PALM => "open palm",
        Gesture::FIST => "fist",
        Gesture::POINT => "point",
        Gesture::THUMB_UP => "thumb up",
        Gesture::THUMB_DOWN => "thumb down",
        Gesture::OK => "ok",
        Gesture::SWIPE_LEFT => "swipe left",
        Gesture::SWIPE_RIGHT => "swipe right",
        Gesture::ROTATE_CLOCKWISE => "turn clockwise",
        Gesture::ROTATE_COUNTER_CLOCKWISE => "turn counter-clockwise",
        _ => OTHER,
    }
}

/// `Drowsiness.level`.
pub(crate) fn drowsiness(level: u8) -> &'static str {
    match level {
        Drowsiness::UNKNOWN => "unknown",
        Drowsiness::ALERT => "alert",
        Drowsiness::DROWSY => "drowsy",
        _ => OTHER,
    }
}

/// `Heartbeat.status`.
pub(crate) fn status(status: u8) -> &'static str {
    match status {
        Heartbeat::OK => "ok",
        Heartbeat::DEGRADED => "degraded",
        Heartbeat::UNAVAILABLE => "unavailable",
        _ => OTHER,
    }
}

/// `LinkState.state`.
pub(crate) fn link(state: u8) -> &'static str {
    match state {
        LinkState::UNKNOWN => "unknown",
        LinkState::DOWN => "down",
        LinkState::UP => "up",
        _ => OTHER,
    }
}

/// `LinkState.bearer`.
pub(crate) fn bearer(bearer: u8) -> &'static str {
    match bearer {
        LinkState::BEARER_UNKNOWN => "unknown",
        LinkState::BEARER_CELLULAR => "cellular",
        LinkState::BEARER_WIFI => "wifi",
        LinkState::BEARER_WIRED => "wired",
        _ => OTHER,
    }
}

/// `DialogueReply.tier`, which decisions have too.
pub(crate) fn tier(tier: u8) -> &'static str {
    match tier {
        DialogueReply::NONE => "nobody",
        DialogueReply::VEHICLE => "vehicle function",
        DialogueReply::ON_VEHICLE => "on the vehicle",
        DialogueReply::CLOUD => "cloud",
        DialogueReply::CANNED => "fixed sentence",
        _ => OTHER,
    }
}

/// `DialogueReply.outcome`.
pub(crate) fn outcome(outcome: u8) -> &'static str {
    match outcome {
        DialogueReply::GOES_ON => "goes on",
        DialogueReply::COMPLETE => "complete",
        DialogueReply::CANCELLED => "called off",
        DialogueReply::FAILED => "failed",
        _ => OTHER,
    }
}

/// `DialogueRequest.task`, which decisions have too.
pub(crate) fn task(task: u8) -> &'static str {
    match task {
        DialogueRequest::TASK_UNKNOWN => "unknown",
        DialogueRequest::VEHICLE_FUNCTION => "vehicle function",
        DialogueRequest::SHORT_ANSWER => "short answer",
        DialogueRequest::NAVIGATION => "navigation",
        DialogueRequest::DIALOGUE => "dialogue",
        _ => OTHER,
    }
}

/// `DialogueRequest.privacy`, which decisions have too.
pub(crate) fn privacy(privacy: u8) -> &'static str {
    match privacy {
        DialogueRequest::PRIVACY_UNKNOWN => "stays (not said)",
        DialogueRequest::PUBLIC => "public",
        DialogueRequest::CONTACTS => "contacts",
        DialogueRequest::MESSAGES => "messages",
        DialogueRequest::CABIN_IMAGE => "cabin image",
        DialogueRequest::DRIVER_STATE => "driver state",
        _ => OTHER,
    }
}

/// `VehicleCommand.source`.
pub(crate) fn source(source: u8) -> &'static str {
    match source {
        VehicleCommand::VOICE => "voice",
        VehicleCommand::GESTURE => "gesture",
        VehicleCommand::CLOUD => "cloud",
        VehicleCommand::API => "API",
        _ => OTHER,
    }
}

/// `CommandResult.status`.
pub(crate) fn result(status: u8) -> &'static str {
    match status {
        CommandResult::ACCEPTED => "accepted",
        CommandResult::REFUSED => "refused",
        CommandResult::DONE => "done",
        CommandResult::FAILED => "failed",
        _ => OTHER,
    }
}

/// `VoiceReply.kind`.
pub(crate) fn reply(kind: u8) -> &'static str {
    match kind {
        VoiceReply::COMMAND => "command",
        VoiceReply::CONFIRM => "asks back",
        VoiceReply::REFUSED => "refused",
        VoiceReply::DIALOGUE => "dialogue",
        VoiceReply::REJECTED => "not for us",
        _ => OTHER,
    }
}

/// `Log.level`, by its bands.
pub(crate) fn log(level: u8) -> &'static str {
    match level {
        0..20 => "debug",
        20..30 => "info",
        30..40 => "warning",
        40..50 => "error",
        _ => "fatal",
    }
}

/// A reason of the router or of the dialogue, in words; itself where there are none. Several are separated as they came.
pub(crate) fn reasons(names: &str) -> String {
    let each = |name: &str| match troika_router::Reason::of(name) {
        Some(reason) => reason.in_words().to_owned(),
        None => troika_dialogue::turn::in_words(name).map_or_else(|| name.to_owned(), str::to_owned),
    };
    names.split(", ").filter(|name| !name.is_empty()).map(each).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, ops::RangeInclusive};

    use super::*;

    type Word = fn(u8) -> &'static str;

    #[test]
    fn every_number_that_the_messages_name_has_a_word_of_its_own() {
        let all: [(Word, RangeInclusive<u8>); 13] = [
            (driver, 0..=3),
            (zone, 0..=8),
            (alert, 1..=8),
            (gesture, 0..=11),
            (drowsiness, 0..=2),
            (status, 0..=2),
            (link, 0..=2),
            (bearer, 0..=3),
            (tier, 0..=4),
            (outcome, 0..=3),
            (task, 0..=4),
            (privacy, 0..=5),
            (source, 1..=4),
        ];
        for (word, numbers) in all {
            let last = *numbers.end();
            let words: BTreeSet<_> = numbers.clone().map(word).collect();
            assert_eq!(words.len(), numbers.count(), "{words:?}");
            assert!(!words.contains(OTHER));
            assert_eq!(word(last + 1), OTHER, "{words:?}: the messages have more");
        }
    }

    #[test]
    fn reasons_are_told_in_words_and_a_strangers_as_they_are() {
        assert_eq!(reasons("link_down"), "there is no link");
        assert_eq!(reasons("link_gone, <b>"), "the link is gone; <b>");
        assert_eq!(reasons(""), "");
    }
}
