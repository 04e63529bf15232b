//! A body that is simulated: it has the state of every function of the catalogue, windows and lids take their time, and a
//! speed that follows a profile.

mod effects;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_kit::{Duration, Time};

use crate::{
    Body,
    body::{Act, Progress, Readings, Unwilling},
    catalogue::Call,
};
use effects::Change;

/// One point of a speed profile; between two, the speed is interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waypoint {
    /// Seconds since the first step.
    pub at_s: f64,
    /// The speed there.
    pub kmh: f32,
}

/// How the vehicle drives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drive {
    /// In order of time; before the first and after the last the speed is theirs; none: the vehicle stands.
    pub speed: Vec<Waypoint>,
    /// When the driver acts on a control, in order; seconds since the first step.
    pub driver_acts_s: Vec<f64>,
}

/// The value of one setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A temperature, a level, an opening in percent.
    Number(f64),
    /// `on`, `locked`, a destination.
    Word(String),
}

/// A simulated body.
#[derive(Debug)]
pub struct SimulatedBody {
    drive: Drive,
    began: Option<Time>,
    acts_told: usize,
    state: BTreeMap<String, Value>,
    travels: Vec<Travel>,
    /// Acts that need no time, until they are asked about; and those that a newer one took over.
    settled: BTreeMap<u64, Progress>,
    next: u64,
}

/// Something that moves.
#[derive(Debug, Clone)]
struct Travel {
    act: Act,
    setting: String,
    from: f64,
    to: f64,
    per_second: f64,
    began: Time,
}

impl Travel {
    fn position(&self, now: Time) -> f64 {
        let way = self.per_second * now.since(self.began).as_secs_f64();
        if self.to >= self.from { (self.from + way).min(self.to) } else { (self.from - way).max(self.to) }
    }
}

impl SimulatedBody {
    /// A parked, closed vehicle that will drive so.
    pub fn new(drive: Drive) -> SimulatedBody {
        SimulatedBody {
            drive,
            began: None,
            acts_told: 0,
            state: effects::parked(),
            travels: Vec::new(),
            settled: BTreeMap::new(),
            next: 0,
        }
    }

    /// A setting's value, for example of `window.front_left` (percent open).
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.state.get(name)
    }

    /// All settings.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.state.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Somebody calls the driver's phone.
    pub fn ring(&mut self, contact: &str) {
        self.state.insert("phone.state".to_owned(), Value::Word("ringing".to_owned()));
        self.state.insert("phone.contact".to_owned(), Value::Word(contact.to_owned()));
    }

    fn speed(&self, since_s: f64) -> f32 {
        let points = &self.drive.speed;
        let next = points.partition_point(|point| point.at_s <= since_s);
        match (next.checked_sub(1).map(|before| points[before]), points.get(next)) {
            (Some(before), Some(after)) => {
                let share = (since_s - before.at_s) / (after.at_s - before.at_s);
                before.kmh + (after.kmh - before.kmh) * share as f32
            }
            (Some(point), None) => point.kmh,
            (None, first) => first.map_or(0.0, |first| first.kmh),
        }
    }

    /// Moves everything to where it is now.
    fn move_on(&mut self, now: Time) {
        for travel in &self.travels {
            self.state.insert(travel.setting.clone(), Value::Number(travel.position(now)));
        }
    }

    fn travel(&mut self, now: Time, act: Act, setting: String, to: f64, per_second: f64) {
        // A newer command for the same window takes it over where it is.
        self.travels.retain(|other| {
            let taken = other.setting == setting && other.act != act;
            if taken {
                let reason = "a newer command took over".to_owned();
                self.settled.insert(other.act.0, Progress::Failed(reason));
            }
            !taken
        });
        let from = match self.state.get(&setting) {
            Some(Value::Number(from)) => *from,
            _ => 0.0,
        };
        self.travels.push(Travel { act, setting, from, to, per_second, began: now });
    }
}

impl Body for SimulatedBody {
    fn readings(&mut self, now: Time) -> Readings {
        let since = now.since(*self.began.get_or_insert(now));
        self.move_on(now);
        let due = self.drive.driver_acts_s.partition_point(|at| Duration::from_secs_f64(*at) <= since);
        let driver_acted = due > std::mem::replace(&mut self.acts_told, due);
        let speed_kmh = self.speed(since.as_secs_f64());
        self.state.insert("speed".to_owned(), Value::Number(f64::from(speed_kmh)));
        Readings {
            speed_kmh,
            steering_angle_deg: 0.0,
            gear: match speed_kmh {
                0.0 => 0,
                backwards if backwards < 0.0 => -1,
                _ => 127,
            },
            ignition_on: true,
            driver_acted,
        }
    }

    fn begin(&mut self, now: Time, call: &Call) -> Result<Act, Unwilling> {
        self.move_on(now);
        let effect = effects::of(&self.state, call)?;
        let act = Act(self.next);
        self.next += 1;
        let mut travels = false;
        for change in effect.changes {
            match change {
                Change::Set(setting, value) => {
                    self.state.insert(setting, value);
                }
                Change::Travel { setting, to, per_second } => {
                    travels = true;
                    self.travel(now, act, setting, to, per_second);
                }
            }
        }
        if !travels {
            self.settled.insert(act.0, Progress::Done(effect.answer));
        }
        Ok(act)
    }

    fn progress(&mut self, now: Time, act: Act) -> Progress {
        self.move_on(now);
        if let Some(settled) = self.settled.remove(&act.0) {
            // Whatever of the act still moves (the other windows) moves for nobody.
            self.travels.retain(|travel| travel.act != act);
            return settled;
        }
        let arrived = |travel: &Travel| travel.position(now) == travel.to;
        let mut mine = self.travels.iter().filter(|travel| travel.act == act).peekable();
        if mine.peek().is_none() {
            return Progress::Failed("the body knows no such act".to_owned());
        }
        if !mine.all(arrived) {
            return Progress::Running;
        }
        self.travels.retain(|travel| travel.act != act);
        Progress::Done(None)
    }

    fn stop(&mut self, now: Time, act: Act) {
        self.move_on(now);
        self.travels.retain(|travel| travel.act != act);
        self.settled.remove(&act.0);
    }
}

#[cfg(test)]
mod tests;
