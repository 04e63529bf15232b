//! A small map that needs no network: junctions, roads and places, from a file. Routes are the quickest by the roads' usual speeds; there is no
//! traffic, no one-way road and no turn that is not allowed.

use std::collections::BTreeMap;

use petgraph::{
    algo::astar,
    graph::{NodeIndex, UnGraph},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::sentences::plain_words;

/// The town of the demo.
const BRELLIN: &str = include_str!("../town.toml");

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Kind {
    Airport,
    Cafe,
    Charging,
    Fuel,
    Hospital,
    Hotel,
    Museum,
    Park,
    Parking,
    Pharmacy,
    Restaurant,
    Station,
    Supermarket,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 13] = [
        Kind::Airport,
        Kind::Cafe,
        Kind::Charging,
        Kind::Fuel,
        Kind::Hospital,
        Kind::Hotel,
        Kind::Museum,
        Kind::Park,
        Kind::Parking,
        Kind::Pharmacy,
        Kind::Restaurant,
        Kind::Station,
        Kind::Supermarket,
    ];
}

/// From the map's middle, m, east and north: more than any town has.
const FURTHEST: f64 = 1e6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TownFile {
    name: String,
    junctions: BTreeMap<String, Spanned<(f64, f64)>>,
    roads: Vec<RoadFile>,
    places: Vec<PlaceFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoadFile {
    name: Spanned<String>,
    kmh: Spanned<u32>,
    through: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceFile {
    name: Spanned<String>,
    kind: Kind,
    at: Spanned<String>,
    street: Spanned<String>,
    #[serde(default)]
    spoken: Vec<Spanned<String>>,
}

/// A map that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TownError {
    /// Not the format.
    #[error("{0}")]
    Toml(String),
    /// Something that does not fit the rest.
    #[error("line {line}: {what}")]
    At {
        /// Line, from 1.
        line: usize,
        /// What, and the way out.
        what: String,
    },
}

/// A junction, by its number in the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Junction(NodeIndex);

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The street that it is in.
    pub street: String,
    /// The junction that it is at.
    pub at: Junction,
    /// What else it is called, and what a recogniser writes of its name.
    pub spoken: Vec<String>,
}

impl Place {
    /// Its names as they are compared: words without capitals, accents and apostrophes.
    pub fn names(&self) -> impl Iterator<Item = Vec<String>> {
        std::iter::once(&self.name).chain(&self.spoken).map(|name| plain_words(name))
    }
}

#[derive(Debug, Clone, Copy)]
struct Road {
    name: usize,
    metres: f64,
    seconds: f64,
}

/// One street of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// The way into it: none for the first.
    pub turn: Option<Turn>,
    /// Its name.
    pub street: String,
    /// How far it is driven, m.
    pub metres: f64,
}

/// A way into a street.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Turn {
    Left,
    Right,
    Straight,
}

/// A way from one junction to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Street by street; empty where both are the same.
    pub legs: Vec<Leg>,
    /// m.
    pub metres: f64,
    /// s, at the roads' usual speeds.
    pub seconds: f64,
}

/// The map.
#[derive(Debug, Clone)]
pub struct Town {
    name: String,
    graph: UnGraph<(f64, f64), Road>,
    streets: Vec<String>,
    places: Vec<Place>,
}

impl Town {
    /// The town of the demo.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn brellin() -> Town {
        match Town::read(BRELLIN) {
            Ok(town) => town,
            Err(error) => unreachable!("town.toml, {error}"),
        }
    }

    /// Reads a map.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(text: &str) -> Result<Town, TownError> {
        let file: TownFile = toml::from_str(text).map_err(|error| TownError::Toml(error.to_string()))?;
        let wrong = |at: std::ops::Range<usize>, what: String| TownError::At {
            line: text[..at.start].matches('\n').count() + 1,
            what,
        };
        let mut graph = UnGraph::default();
        let mut nodes: BTreeMap<&str, NodeIndex> = BTreeMap::new();
        for (id, at) in &file.junctions {
            let (east, north) = *at.get_ref();
            // No number is nearer than another to what is none, and A* over such ways panics.
            if !(east.abs() <= FURTHEST && north.abs() <= FURTHEST) {
                return Err(wrong(
                    at.span(),
                    format!(
                        "the junction {id:?} is at {east}, {north}; both are -{FURTHEST} to {FURTHEST} m"
                    ),
                ));
            }
            nodes.insert(id.as_str(), graph.add_node((east, north)));
        }
        let find = |id: &Spanned<String>| {
            let missing =
                || wrong(id.span(), format!("there is no junction {:?} in [junctions]", id.get_ref()));
            nodes.get(id.get_ref().as_str()).copied().ok_or_else(missing)
        };
        let mut streets = Vec::new();
        for road in &file.roads {
            let kmh = *road.kmh.get_ref();
            if !(5..=130).contains(&kmh) {
                return Err(wrong(road.kmh.span(), format!("kmh is {kmh}; it is 5 to 130")));
            }
            if streets.contains(road.name.get_ref()) {
                return Err(wrong(
                    road.name.span(),
                    format!("the road {:?} is there twice", road.name.get_ref()),
                ));
            }
            if road.through.len() < 2 {
                return Err(wrong(road.name.span(), "a road runs through two junctions or more".into()));
            }
            streets.push(road.name.get_ref().clone());
            for pair in road.through.windows(2) {
                let (from, to) = (find(&pair[0])?, find(&pair[1])?);
                let metres = distance(graph[from], graph[to]);
                if metres < 1.0 {
                    return Err(wrong(pair[1].span(), "these two junctions are at the same place".into()));
                }
                let seconds = metres * 3.6 / f64::from(kmh);
                graph.add_edge(from, to, Road { name: streets.len() - 1, metres, seconds });
            }
        }
        let mut places: Vec<Place> = Vec::new();
        for place in &file.places {
            let name = place.name.get_ref();
            for called in std::iter::once(&place.name).chain(&place.spoken) {
                let words = plain_words(called.get_ref());
                if words.is_empty() {
                    return Err(wrong(called.span(), "a place has a name".into()));
                }
                if places.iter().any(|other| other.names().any(|name| name == words)) {
                    let what = format!("the place {:?} is there twice", called.get_ref());
                    return Err(wrong(called.span(), what));
                }
            }
            if !streets.contains(place.street.get_ref()) {
                let street = place.street.get_ref();
                return Err(wrong(place.street.span(), format!("there is no road {street:?} in [[roads]]")));
            }
            let at = Junction(find(&place.at)?);
            let street = place.street.get_ref().clone();
            let spoken = place.spoken.iter().map(|called| called.get_ref().clone()).collect();
            places.push(Place { name: name.clone(), kind: place.kind, street, at, spoken });
        }
        let town = Town { name: file.name, graph, streets, places };
        if let Some(first) = town.graph.node_indices().next() {
            let reached =
                town.graph.node_indices().filter(|to| town.route(Junction(first), Junction(*to)).is_some());
            if reached.count() < town.graph.node_count() {
                return Err(TownError::At {
                    line: 1,
                    what: "the roads fall into parts that do not meet".into(),
                });
            }
        }
        Ok(town)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its places.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Its streets.
    pub fn streets(&self) -> &[String] {
        &self.streets
    }

    /// The place of this name, as it is spelt or as a recogniser writes it: whatever its capitals, accents, apostrophes and hyphens, with
    /// "the" or without.
    pub fn place(&self, name: &str) -> Option<&Place> {
        let words = plain_words(name);
        let bare = words.strip_prefix(&["the".to_owned()]).unwrap_or(&words);
        self.places.iter().find(|place| place.names().any(|called| called == words || called == bare))
    }

    /// The junction nearest to a point, m east and north of the map's middle. None on an empty map or for no numbers.
    pub fn nearest(&self, east_m: f64, north_m: f64) -> Option<Junction> {
        let away = |node: &NodeIndex| distance(self.graph[*node], (east_m, north_m));
        let nearest = self.graph.node_indices().min_by(|a, b| away(a).total_cmp(&away(b)))?;
        away(&nearest).is_finite().then_some(Junction(nearest))
    }

    /// The quickest way.
    pub fn route(&self, from: Junction, to: Junction) -> Option<Route> {
        // Without an estimate A* is Dijkstra's algorithm.
        let (_, path) =
            astar(&self.graph, from.0, |node| node == to.0, |edge| edge.weight().seconds, |_| 0.0)?;
        let mut route = Route { legs: Vec::new(), metres: 0.0, seconds: 0.0 };
        for (at, pair) in path.windows(2).enumerate() {
            let road = self
                .graph
                .edges_connecting(pair[0], pair[1])
                .map(|edge| *edge.weight())
                .min_by(|a, b| a.seconds.total_cmp(&b.seconds))?;
            route.metres += road.metres;
            route.seconds += road.seconds;
            let street = &self.streets[road.name];
            match route.legs.last_mut() {
                Some(leg) if leg.street == *street => leg.metres += road.metres,
                last => {
                    let turn = last.is_some().then(|| self.turn(path[at - 1], pair[0], pair[1]));
                    route.legs.push(Leg { turn, street: street.clone(), metres: road.metres });
                }
            }
        }
        Some(route)
    }

    fn turn(&self, from: NodeIndex, over: NodeIndex, to: NodeIndex) -> Turn {
        let (a, b, c) = (self.graph[from], self.graph[over], self.graph[to]);
        let heading = |from: (f64, f64), to: (f64, f64)| (to.1 - from.1).atan2(to.0 - from.0);
        let change = (heading(b, c) - heading(a, b)).to_degrees().rem_euclid(360.0);
        match change {
            // Counter-clockwise is left.
            _ if !(30.0..330.0).contains(&change) => Turn::Straight,
            _ if change < 180.0 => Turn::Left,
            _ => Turn::Right,
        }
    }
}

fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

#[cfg(test)]
mod tests;
