//! What the assistant says.

use troika_vehicle::catalogue::{Call, Refusal};

pub(super) const LET_GO: &str = "All right, I leave it.";
pub(super) const AGAIN: &str = "I did not hear that well. Please say it again.";
pub(super) const UNKNOWN: &str = "I do not know that.";
pub(super) const NO_ANSWER: &str = "the vehicle did not answer within a second";

/// A refusal, with its explanation.
pub(super) fn refused(why: &Refusal) -> String {
    format!("I cannot do that: {why}.")
}

/// "Shall I call Anna?"
pub(super) fn ask_back(calls: &[Call]) -> String {
    format!("Shall I {}?", list(calls))
}

pub(super) const TOO_MANY: &str = "That is too much at once. Please wait a moment.";

/// "OK: open the front left window." To a drowsy driver just "OK.": talk is load.
pub(super) fn carried_out(calls: &[Call], brief: bool) -> String {
    if brief {
        return "OK.".to_owned();
    }
    format!("OK: {}.", list(calls))
}

/// "It did not work (trunk.move): …"
pub(super) fn failed(function: &str, reason: &str) -> String {
    let reason = if reason.is_empty() { "no reason was given" } else { reason };
    format!("That did not work ({function}): {reason}.")
}

fn list(calls: &[Call]) -> String {
    calls.iter().map(act).collect::<Vec<_>>().join(", and ")
}

/// An act in words; what has no sentence of its own is told by its name and values.
fn act(call: &Call) -> String {
    let slot = |name: &str| call.slot(name).unwrap_or_default().replace('_', " ");
    match call.function.as_str() {
        "phone.call" => format!("call {}", slot("contact")),
        "message.send" => format!("write to {}: \"{}\"", slot("contact"), slot("text")),
        "drive_mode.set" => format!("switch to {} mode", slot("mode")),
        "navigation.go_to" => format!("navigate to {}", slot("destination")),
        "media.play" => format!("play {}", slot("query")),
        "climate.set_temperature" => format!("set {} to {} degrees", slot("zone"), slot("celsius")),
        "window.move" => {
            format!("{} the {} window to {} percent", slot("action"), slot("position"), slot("percent"))
        }
        "sunroof.move" => format!("{} the sunroof", slot("action")),
        "door.lock" => format!("{} the doors", slot("action")),
        "trunk.move" => format!("{} the trunk", slot("action")),
        "charge_port.move" => format!("{} the charge port", slot("action")),
        name => {
            let values: Vec<String> = call.slots.iter().map(|(_, value)| value.replace('_', " ")).collect();
            format!("{} {}", name.replace(['.', '_'], " "), values.join(" ")).trim_end().to_owned()
        }
    }
}
