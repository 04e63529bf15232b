//! What happened: alerts, commands and what became of them, the nodes' log. The newest first.

use std::collections::VecDeque;

use serde_json::{Value, json};
use troika_kit::Time;
use troika_msgs::{
    rcl_interfaces::Log,
    troika::{CommandResult, DriverAlert, VehicleCommand},
};

use super::{SHORT, clip, milliseconds, number};
use crate::words;

const MOST_ALERTS: usize = 50;
const MOST_COMMANDS: usize = 20;
const MOST_LINES: usize = 30;
/// Different alerts that stand at once: a profile has eight.
const MOST_STANDING: usize = 64;
const MOST_SLOTS: usize = 16;

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Events {
    alerts: VecDeque<Value>,
    /// Profile and kind of those that were raised and not cleared.
    standing: VecDeque<(String, u8)>,
    commands: VecDeque<(String, Value)>,
    lines: VecDeque<Value>,
}

/// The newest first, and no more than `most`.
fn push<T>(all: &mut VecDeque<T>, one: T, most: usize) {
    all.push_front(one);
    all.truncate(most);
}

impl Events {
    pub(super) fn alert(&mut self, alert: &DriverAlert, now: Time) {
        let key = (clip(&alert.profile, SHORT), alert.kind);
        self.standing.retain(|one| *one != key);
        let raised = alert.phase == DriverAlert::RAISED;
        let value = json!({
            "at_ms": milliseconds(now), "kind": words::alert(alert.kind), "raised": raised, "profile": key.0,
            "zone": words::zone(alert.gaze_zone), "elapsed_s": number(alert.elapsed_s, 1),
            "limit_s": number(alert.limit_s, 1), "speed_kmh": number(alert.speed_kmh, 0),
            "requirement": clip(&alert.requirement, SHORT),
        });
        if raised {
            push(&mut self.standing, key, MOST_STANDING);
        }
        push(&mut self.alerts, value, MOST_ALERTS);
    }

    /// Who raised what stands has gone.
    pub(super) fn nothing_stands(&mut self) {
        self.standing.clear();
    }

    pub(super) fn command(&mut self, command: VehicleCommand, now: Time) {
        let slots: Vec<String> = command
            .slots
            .iter()
            .take(MOST_SLOTS)
            .map(|slot| clip(&format!("{} {}", slot.name, slot.value), SHORT))
            .collect();
        let value = json!({
            "at_ms": milliseconds(now), "function": clip(&command.function, SHORT), "slots": slots,
            "source": words::source(command.source), "utterance": clip(&command.utterance, SHORT),
            "confirmed": command.confirmed, "status": null, "reason": "",
        });
        push(&mut self.commands, (clip(&command.id, SHORT), value), MOST_COMMANDS);
    }

    pub(super) fn result(&mut self, result: &CommandResult, now: Time) {
        let id = clip(&result.command_id, SHORT);
        if !self.commands.iter().any(|(one, _)| *one == id) {
            // A command from before this listened.
            let value = json!({
                "at_ms": milliseconds(now), "function": clip(&result.function, SHORT), "slots": [], "source": null,
                "utterance": "", "confirmed": false,
            });
            push(&mut self.commands, (id.clone(), value), MOST_COMMANDS);
        }
        if let Some((_, value)) = self.commands.iter_mut().find(|(one, _)| *one == id) {
            value["status"] = words::result(result.status).into();
            value["reason"] = clip(&result.reason, SHORT).into();
        }
    }

    pub(super) fn log(&mut self, log: &Log, now: Time) {
        let value = json!({
            "at_ms": milliseconds(now), "level": words::log(log.level), "node": clip(&log.name, SHORT),
            "text": clip(&log.msg, 2 * SHORT),
        });
        push(&mut self.lines, value, MOST_LINES);
    }

    pub(super) fn state(&self, state: &mut Value) {
        let standing: Vec<Value> = self
            .standing
            .iter()
            .map(|(profile, kind)| json!({"kind": words::alert(*kind), "profile": profile}))
            .collect();
        let commands: Vec<&Value> = self.commands.iter().map(|(_, value)| value).collect();
        state["alerts"] = json!(self.alerts);
        state["standing"] = json!(standing);
        state["commands"] = json!(commands);
        state["log"] = json!(self.lines);
    }
}
