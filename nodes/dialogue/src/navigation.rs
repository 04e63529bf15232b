//! What the models may call: places, routes and times of arrival on the offline map. Pure functions of the map, where the vehicle is and what
//! time it is; their schemas come from the types that their arguments are read into.

use std::sync::{Arc, Mutex, PoisonError};

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

use crate::{
    chat::{ToolCall, ToolSpec},
    session::Tools,
    town::{Junction, Kind, Place, Town, Turn},
};

/// Places that are told at most: what can be listened to.
const MOST_PLACES: usize = 3;

/// Where and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// m east of the map's middle.
    pub east_m: f64,
    /// m north of it.
    pub north_m: f64,
    /// Minutes since midnight, by the clock that the driver sees.
    pub minute_of_day: u32,
}

/// Finds places of a kind, the nearest by road first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindPlaces {
    /// What is looked for.
    pub kind: Kind,
    /// The name of a place to look near to; left out: near the vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
}

/// Says the way from the vehicle to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTo {
    /// The place's name, as find_places tells it.
    pub to: String,
}

/// Says when the vehicle would be at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EtaTo {
    /// The place's name, as find_places tells it.
    pub to: String,
}

/// What [`find_places`] tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The nearest, best first.
    pub places: Vec<FoundPlace>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundPlace {
    /// Its name.
    pub name: String,
    /// Its street.
    pub street: String,
    /// By road, km.
    pub distance_km: f64,
    /// Minutes.
    pub minutes: u32,
}

/// What [`route`] tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// Where to.
    pub to: String,
    /// By road, km.
    pub distance_km: f64,
    /// Minutes.
    pub minutes: u32,
    /// Street by street.
    pub steps: Vec<WayStep>,
}

/// One street of a way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WayStep {
    /// The way into it; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// Its name.
    pub street: String,
    /// How far, m, in fifties.
    pub metres: u32,
}

/// What [`eta`] tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// Where to.
    pub to: String,
    /// By road, km.
    pub distance_km: f64,
    /// Minutes.
    pub minutes: u32,
    /// "14:35".
    pub arrival: String,
}

/// Why a tool tells nothing: for the model to read, and to do better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// No such tool. There is none that moves anything.
    #[error(
        "there is no tool {0:?}; there are: find_places, route, eta. Functions of the vehicle cannot be called from here"
    )]
    NoTool(String),
    /// Arguments that it does not take.
    #[error("{tool} does not take these arguments: {why}")]
    Arguments {
        /// The tool.
        tool: &'static str,
        /// Why.
        why: String,
    },
    /// No such place.
    #[error("there is no place {name:?}; {}", like(near))]
    NoPlace {
        /// As asked.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// The vehicle is not on the map.
    #[error("it is not known where the vehicle is")]
    Nowhere,
}

fn like(near: &[String]) -> String {
    if near.is_empty() { "find_places tells names".into() } else { format!("there is: {}", near.join(", ")) }
}

/// Places of a kind, nearest first.
///
/// # Errors
/// An unknown place to look near to; a vehicle that is nowhere.
pub fn find_places(town: &Town, now: &Situation, asked: &FindPlaces) -> Result<Found, ToolError> {
    let from = match &asked.near {
        Some(name) => place(town, name)?.at,
        None => here(town, now)?,
    };
    let mut found: Vec<_> = town
        .places()
        .iter()
        .filter(|place| place.kind == asked.kind)
        .filter_map(|place| Some((town.route(from, place.at)?, place)))
        .collect();
    found.sort_by(|(a, _), (b, _)| a.seconds.total_cmp(&b.seconds));
    let places = found.iter().take(MOST_PLACES).map(|(route, place)| FoundPlace {
        name: place.name.clone(),
        street: place.street.clone(),
        distance_km: km(route.metres),
        minutes: minutes(route.seconds),
    });
    Ok(Found { places: places.collect() })
}

/// The quickest way to a place.
///
/// # Errors
/// An unknown place; a vehicle that is nowhere.
pub fn route(town: &Town, now: &Situation, asked: &RouteTo) -> Result<Way, ToolError> {
    let place = place(town, &asked.to)?;
    let route = town.route(here(town, now)?, place.at).ok_or(ToolError::Nowhere)?;
    let steps = route.legs.iter().map(|leg| WayStep {
        turn: leg.turn,
        street: leg.street.clone(),
        metres: (leg.metres / 50.0).round().max(1.0) as u32 * 50,
    });
    Ok(Way {
        to: place.name.clone(),
        distance_km: km(route.metres),
        minutes: minutes(route.seconds),
        steps: steps.collect(),
    })
}

/// When the vehicle would be there, going now.
///
/// # Errors
/// An unknown place; a vehicle that is nowhere.
pub fn eta(town: &Town, now: &Situation, asked: &EtaTo) -> Result<Arrival, ToolError> {
    let place = place(town, &asked.to)?;
    let route = town.route(here(town, now)?, place.at).ok_or(ToolError::Nowhere)?;
    let minutes = minutes(route.seconds);
    let at = now.minute_of_day.saturating_add(minutes) % 1440;
    Ok(Arrival {
        to: place.name.clone(),
        distance_km: km(route.metres),
        minutes,
        arrival: format!("{:02}:{:02}", at / 60, at % 60),
    })
}

fn here(town: &Town, now: &Situation) -> Result<Junction, ToolError> {
    town.nearest(now.east_m, now.north_m).ok_or(ToolError::Nowhere)
}

fn place<'a>(town: &'a Town, name: &str) -> Result<&'a Place, ToolError> {
    town.place(name).ok_or_else(|| {
        let words: Vec<String> = crate::sentences::bare_words(name);
        let near = town.places().iter().filter(|place| {
            crate::sentences::bare_words(&place.name)
                .iter()
                .any(|word| word.len() > 2 && words.contains(word))
        });
        ToolError::NoPlace { name: name.into(), near: near.take(5).map(|place| place.name.clone()).collect() }
    })
}

/// In tenths.
fn km(metres: f64) -> f64 {
    (metres / 100.0).round() / 10.0
}

/// Begun minutes, and at least one where there is a way at all.
fn minutes(seconds: f64) -> u32 {
    (seconds / 60.0).ceil() as u32
}

/// Who hears of each call that was carried out, and of what it told.
pub type Observer = Arc<dyn Fn(&ToolCall, &Result<String, String>) + Send + Sync>;

/// The tools, where the vehicle is now. Clones share the situation.
#[derive(Clone)]
pub struct Navigation {
    town: Arc<Town>,
    situation: Arc<Mutex<Situation>>,
    observer: Option<Observer>,
}

impl std::fmt::Debug for Navigation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Navigation").field("situation", &self.situation).finish_non_exhaustive()
    }
}

impl Navigation {
    /// On this map, with the vehicle here.
    pub fn new(town: Town, situation: Situation) -> Navigation {
        Navigation { town: Arc::new(town), situation: Arc::new(Mutex::new(situation)), observer: None }
    }

    /// The same, which tells of its calls; clones made from now on do too.
    pub fn observed(self, observer: Observer) -> Navigation {
        Navigation { observer: Some(observer), ..self }
    }

    /// The vehicle is here now.
    pub fn update(&self, situation: Situation) {
        *self.situation.lock().unwrap_or_else(PoisonError::into_inner) = situation;
    }

    /// Carries a call out.
    ///
    /// # Errors
    /// Why not, for the model to read.
    pub fn carry_out(&self, name: &str, arguments: &str) -> Result<String, ToolError> {
        let now = *self.situation.lock().unwrap_or_else(PoisonError::into_inner);
        troika_safety::fulfils![SR_RTE_005];
        match name {
            "find_places" => told(&find_places(&self.town, &now, &read("find_places", arguments)?)?),
            "route" => told(&route(&self.town, &now, &read("route", arguments)?)?),
            "eta" => told(&eta(&self.town, &now, &read("eta", arguments)?)?),
            other => Err(ToolError::NoTool(other.chars().take(80).collect())),
        }
    }
}

fn read<T: for<'a> Deserialize<'a>>(tool: &'static str, arguments: &str) -> Result<T, ToolError> {
    serde_json::from_str(arguments).map_err(|error| ToolError::Arguments { tool, why: error.to_string() })
}

fn told(what: &impl Serialize) -> Result<String, ToolError> {
    // Plain structs of numbers and strings: there is nothing in them that JSON has no word for.
    serde_json::to_string(what).map_err(|_| ToolError::Nowhere)
}

impl Tools for Navigation {
    fn specs(&self) -> Vec<ToolSpec> {
        vec![
            ToolSpec {
                name: "find_places",
                description: "Finds places of a kind, the nearest by road first.",
                parameters: schema_for!(FindPlaces).to_value(),
            },
            ToolSpec {
                name: "route",
                description: "Says the way from the vehicle to a place, street by street.",
                parameters: schema_for!(RouteTo).to_value(),
            },
            ToolSpec {
                name: "eta",
                description: "Says when the vehicle would be at a place, going now.",
                parameters: schema_for!(EtaTo).to_value(),
            },
        ]
    }

    fn call(&self, call: &ToolCall) -> Result<String, String> {
        let result = self.carry_out(&call.name, &call.arguments).map_err(|error| error.to_string());
        if let Some(observer) = &self.observer {
            observer(call, &result);
        }
        result
    }
}

#[cfg(test)]
mod tests;
