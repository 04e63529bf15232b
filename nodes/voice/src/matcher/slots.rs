//! Slot values from concepts: where "the kids" sit, what "halfway" is, which seats "the back" has.

use super::tag::Tagged;

/// The resolvers that a template may name in `from`.
pub(super) const RESOLVERS: &[&str] = &[
    "zone", "seat", "position", "glass", "which", "percent", "celsius", "level10", "level3", "kmh", "place",
    "mode", "what", "wiper",
];

/// km/h in a mile an hour.
const KMH_PER_MPH: f64 = 1.609_344;

/// A slot has no value although something was said of it: a row ("the rear window"), and neither of its sides.
pub(super) struct NoSide;

/// The values of a slot: none when it was unsaid, several when several were meant.
pub(super) fn resolve(resolver: &str, tagged: &Tagged) -> Result<Vec<String>, NoSide> {
    let one = |value: Option<String>| Ok(value.into_iter().collect());
    let level = |max: &str, high: &str, medium: &str, low: &str, min: &str| {
        let named = match tagged.value("level") {
            Some("max") => Some(max),
            Some("high") => Some(high),
            Some("medium") => Some(medium),
            Some("low") => Some(low),
            Some("min") => Some(min),
            _ => None,
        };
        let off = tagged.has("act.off").then_some("0");
        let number = tagged.numbers.last().map(f64::to_string);
        one(number.or(named.or(off).map(str::to_owned)))
    };
    match resolver {
        "zone" => Ok(several(tagged, zone)),
        "seat" => Ok(several(tagged, seat)),
        "position" => position(tagged),
        "percent" => {
            let amount = tagged.value("amount").map(str::to_owned).or(match tagged.value("level") {
                Some("max") => Some("100".to_owned()),
                _ => None,
            });
            one(tagged.numbers.last().map(f64::to_string).or(amount))
        }
        "celsius" => {
            let named = match tagged.value("level") {
                Some("max" | "high") => Some("30".to_owned()),
                Some("min" | "low") => Some("16".to_owned()),
                _ => None,
            };
            one(tagged.numbers.last().map(f64::to_string).or(named))
        }
        "level10" => level("10", "8", "5", "2", "1"),
        "level3" => level("3", "3", "2", "1", "1"),
        "kmh" => {
            let mph = tagged.has("unit.mph");
            one(tagged.numbers.last().map(|n| if mph { (n * KMH_PER_MPH).round() } else { *n }.to_string()))
        }
        // The class of the same name holds the catalogue's own values.
        class => {
            let mut values: Vec<String> = Vec::new();
            for value in tagged.values(class) {
                if !values.iter().any(|other| other == value) {
                    values.push(value.to_owned());
                }
            }
            Ok(values)
        }
    }
}

/// Places as said, with halves put together: "rear" and "left" are the rear left.
fn places(tagged: &Tagged) -> Vec<String> {
    let said: Vec<&str> = tagged.values("loc").collect();
    let mut places: Vec<String> = Vec::new();
    let side = said.iter().find_map(|place| match *place {
        "left" | "driver" => Some("left"),
        "right" | "passenger" => Some("right"),
        _ => None,
    });
    let row = said.iter().find(|place| matches!(**place, "rear" | "front"));
    for place in &said {
        let whole = match (*place, row, side) {
            ("rear" | "front", Some(row), Some(side)) => format!("{row}_{side}"),
            ("left" | "driver", Some(row), _) => format!("{row}_left"),
            ("right" | "passenger", Some(row), _) => format!("{row}_right"),
            _ => (*place).to_owned(),
        };
        if !places.contains(&whole) {
            places.push(whole);
        }
    }
    places
}

fn several(tagged: &Tagged, values: fn(&str) -> &'static [&'static str]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for place in places(tagged) {
        for value in values(&place) {
            if !all.iter().any(|other| other == value) {
                all.push((*value).to_owned());
            }
        }
    }
    all
}

fn zone(place: &str) -> &'static [&'static str] {
    match place {
        "driver" | "front_left" | "left" => &["driver"],
        "passenger" | "front_right" | "right" => &["passenger"],
        "rear" | "rear_left" | "rear_right" => &["rear"],
        "front" => &["driver", "passenger"],
        _ => &["all"],
    }
}

fn seat(place: &str) -> &'static [&'static str] {
    match place {
        "driver" | "front_left" | "left" => &["driver"],
        "passenger" | "front_right" | "right" => &["passenger"],
        "rear_left" => &["rear_left"],
        "rear_right" => &["rear_right"],
        "rear" => &["rear_left", "rear_right"],
        "front" => &["driver", "passenger"],
        _ => &["driver", "passenger", "rear_left", "rear_right"],
    }
}

fn position(tagged: &Tagged) -> Result<Vec<String>, NoSide> {
    let many = tagged.has("obj.windows");
    let places = places(tagged);
    if places.is_empty() {
        return Ok(if many { vec!["all".to_owned()] } else { Vec::new() });
    }
    let mut all = Vec::new();
    for place in &places {
        let values: &[&str] = match (place.as_str(), many) {
            ("driver", _) | ("left", false) => &["front_left"],
            ("passenger", _) | ("right", false) => &["front_right"],
            ("left", true) => &["front_left", "rear_left"],
            ("right", true) => &["front_right", "rear_right"],
            ("rear", true) => &["rear_left", "rear_right"],
            ("front", true) => &["front_left", "front_right"],
            ("rear" | "front", false) => return Err(NoSide),
            (other, _) => &[other],
        };
        all.extend(values.iter().map(|value| (*value).to_owned()));
    }
    Ok(all)
}
