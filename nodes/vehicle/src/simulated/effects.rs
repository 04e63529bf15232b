//! What each function of the catalogue does to the simulated body's settings.

use std::collections::BTreeMap;

use super::Value;
use crate::{body::Unwilling, catalogue::Call};

/// What a call changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// At once.
    Set(String, Value),
    /// Moves there.
    Travel { setting: String, to: f64, per_second: f64 },
}

/// What a call does.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Effect {
    pub(super) changes: Vec<Change>,
    pub(super) answer: Option<String>,
}

type State = BTreeMap<String, Value>;

/// Percent a second: a car window takes about 4 s, a sunroof 5, a lid with a motor 6, a charge port's flap 2.
const WINDOW: f64 = 25.0;
const SUNROOF: f64 = 20.0;
const TRUNK: f64 = 100.0 / 6.0;
const CHARGE_PORT: f64 = 50.0;
/// How far a tilted sunroof is open, percent.
const TILT: f64 = 10.0;
/// One "warmer", °C; one "louder", percent.
const WARMER: f64 = 1.0;
const LOUDER: f64 = 10.0;

const ZONES: [&str; 3] = ["driver", "passenger", "rear"];
const SEATS: [&str; 4] = ["driver", "passenger", "rear_left", "rear_right"];
const WINDOWS: [&str; 4] = ["front_left", "front_right", "rear_left", "rear_right"];
const LIGHTS: [&str; 6] = ["cabin", "reading", "ambient", "fog", "hazard", "high_beam"];

fn word(text: &str) -> Value {
    Value::Word(text.to_owned())
}

/// A parked, closed vehicle.
pub(super) fn parked() -> State {
    let mut state = State::new();
    let mut set = |name: String, value: Value| {
        state.insert(name, value);
    };
    ZONES.iter().for_each(|zone| set(format!("climate.temperature.{zone}"), Value::Number(21.0)));
    SEATS.iter().for_each(|seat| set(format!("seat.heating.{seat}"), Value::Number(0.0)));
    WINDOWS.iter().for_each(|window| set(format!("window.{window}"), Value::Number(0.0)));
    LIGHTS.iter().for_each(|light| set(format!("light.{light}"), word("off")));
    for name in ["climate.fan", "sunroof", "trunk", "charge_port", "media.track", "message.sent"] {
        set(name.to_owned(), Value::Number(0.0));
    }
    for (name, value) in [
        ("climate.air_conditioning", "off"),
        ("climate.defrost.front", "off"),
        ("climate.defrost.rear", "off"),
        ("door", "locked"),
        ("wiper", "off"),
        ("media.state", "stopped"),
        ("media.muted", "no"),
        ("phone.state", "idle"),
        ("drive_mode", "comfort"),
    ] {
        set(name.to_owned(), word(value));
    }
    set("media.volume".to_owned(), Value::Number(30.0));
    state
}

/// What a valid call does.
pub(super) fn of(state: &State, call: &Call) -> Result<Effect, Unwilling> {
    let slot = |name: &str| call.slot(name).unwrap_or_default();
    let number = |name: &str| slot(name).parse::<f64>().unwrap_or_default();
    let at = |name: &str| if let Some(Value::Number(value)) = state.get(name) { *value } else { 0.0 };
    let is = |name: &str| if let Some(Value::Word(value)) = state.get(name) { value.as_str() } else { "" };
    let no = |reason: &str| Err(Unwilling(reason.to_owned()));
    let mut effect = Effect::default();
    let mut set = |name: String, value: Value| effect.changes.push(Change::Set(name, value));
    match call.function.as_str() {
        "climate.set_temperature" => each(slot("zone"), &ZONES)
            .for_each(|zone| set(format!("climate.temperature.{zone}"), Value::Number(number("celsius")))),
        "climate.adjust_temperature" => each(slot("zone"), &ZONES).for_each(|zone| {
            let name = format!("climate.temperature.{zone}");
            let by = if slot("direction") == "warmer" { WARMER } else { -WARMER };
            let to = (at(&name) + by).clamp(16.0, 30.0);
            set(name, Value::Number(to));
        }),
        "climate.set_fan" => set("climate.fan".into(), Value::Number(number("level"))),
        "climate.air_conditioning" => set("climate.air_conditioning".into(), word(slot("state"))),
        "climate.defrost" => set(format!("climate.defrost.{}", slot("window")), word(slot("state"))),
        "seat.heating" => set(format!("seat.heating.{}", slot("seat")), Value::Number(number("level"))),
        "window.move" => {
            // "Open 30 %" is 30 % open, "close 30 %" is 30 % closed.
            let to = if slot("action") == "open" { number("percent") } else { 100.0 - number("percent") };
            each(slot("position"), &WINDOWS).for_each(|window| {
                let setting = format!("window.{window}");
                effect.changes.push(Change::Travel { setting, to, per_second: WINDOW });
            });
        }
        "sunroof.move" => {
            let to = match slot("action") {
                "open" => 100.0,
                "tilt" => TILT,
                _ => 0.0,
            };
            effect.changes.push(Change::Travel { setting: "sunroof".into(), to, per_second: SUNROOF });
        }
        name @ ("trunk.move" | "charge_port.move") => {
            let to = if slot("action") == "open" { 100.0 } else { 0.0 };
            let (setting, per_second) =
                if name == "trunk.move" { ("trunk", TRUNK) } else { ("charge_port", CHARGE_PORT) };
            effect.changes.push(Change::Travel { setting: setting.into(), to, per_second });
        }
        "door.lock" => {
            set("door".into(), word(if slot("action") == "lock" { "locked" } else { "unlocked" }));
        }
        "light.set" => set(format!("light.{}", slot("which")), word(slot("state"))),
        "wiper.set" => set("wiper".into(), word(slot("mode"))),
        "media.control" => match slot("action") {
            "play" => set("media.state".into(), word("playing")),
            "pause" => set("media.state".into(), word("paused")),
            "stop" => set("media.state".into(), word("stopped")),
            "next" => set("media.track".into(), Value::Number(at("media.track") + 1.0)),
            _ => set("media.track".into(), Value::Number((at("media.track") - 1.0).max(0.0))),
        },
        "media.volume" => match slot("action") {
            "mute" => set("media.muted".into(), word("yes")),
            "unmute" => set("media.muted".into(), word("no")),
            action => {
                let to = match action {
                    "set" => number("percent"),
                    "up" => at("media.volume") + LOUDER,
                    _ => at("media.volume") - LOUDER,
                };
                set("media.volume".into(), Value::Number(to.clamp(0.0, 100.0)));
            }
        },
        "media.play" => {
            set("media.query".into(), word(slot("query")));
            set("media.state".into(), word("playing"));
        }
        "phone.call" => {
            set("phone.contact".into(), word(slot("contact")));
            set("phone.state".into(), word("calling"));
        }
        "phone.control" => match (slot("action"), is("phone.state")) {
            ("answer", "ringing") => set("phone.state".into(), word("talking")),
            ("reject", "ringing") | ("hang_up", "talking" | "calling") => {
                set("phone.state".into(), word("idle"))
            }
            ("hang_up", _) => return no("there is no call to hang up"),
            _ => return no("nobody is calling"),
        },
        "message.send" => {
            set("message.contact".into(), word(slot("contact")));
            set("message.text".into(), word(slot("text")));
            set("message.sent".into(), Value::Number(at("message.sent") + 1.0));
        }
        "navigation.go_to" => set("navigation.destination".into(), word(slot("destination"))),
        "navigation.find" => set("navigation.found".into(), word(slot("category"))),
        "navigation.control" => match slot("action") {
            "cancel" | "reroute" | "repeat" if is("navigation.destination").is_empty() => {
                return no("there is no route");
            }
            "cancel" => set("navigation.destination".into(), word("")),
            action => set("navigation.last".into(), word(action)),
        },
        "cruise.set" => set("cruise".into(), Value::Number(number("kmh"))),
        "drive_mode.set" => set("drive_mode".into(), word(slot("mode"))),
        "vehicle.query" => effect.answer = Some(answer(slot("what"), at("speed"))),
        // The assistant's own: nothing of the body moves.
        "assistant.control" => {}
        _ => return no("this vehicle has no such function"),
    }
    Ok(effect)
}

/// The one that is meant, or all.
fn each<'a>(which: &'a str, all: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    all.iter().copied().filter(move |name| which == "all" || which == *name)
}

/// What the simulated vehicle says of itself: its speed, and fixed figures of no real vehicle.
fn answer(what: &str, speed_kmh: f64) -> String {
    match what {
        "range" => "310 km",
        "battery" => "76 %",
        "fuel" => "0 l: it is electric",
        "tyre_pressure" => "2.5 bar on all four",
        "outside_temperature" => "12 °C",
        "arrival_time" => "no arrival time is known",
        _ => return format!("{speed_kmh:.0} km/h"),
    }
    .to_owned()
}
