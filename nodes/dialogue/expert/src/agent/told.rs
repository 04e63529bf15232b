//! What the tools told, in the words of the stand-in.

use serde_json::Value;

use crate::language::{Asked, Limit};

/// A place that was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) street: String,
    pub(super) km: f64,
    pub(super) minutes: u32,
}

impl Place {
    pub(super) fn all(found: &Value) -> Vec<Place> {
        let places = found["places"].as_array().map(Vec::as_slice).unwrap_or_default();
        let read = |place: &Value| {
            Some(Place {
                name: place["name"].as_str()?.to_owned(),
                street: place["street"].as_str()?.to_owned(),
                km: place["distance_km"].as_f64()?,
                minutes: u32::try_from(place["minutes"].as_u64()?).ok()?,
            })
        };
        places.iter().filter_map(read).collect()
    }

    pub(super) fn where_it_is(&self, there: bool) -> String {
        let from = if there { "from there" } else { "from here" };
        if self.minutes == 0 {
            return format!("It is on {}, right {}.", self.street, if there { "there" } else { "here" });
        }
        format!(
            "You will find it on {}, {} {from}, so it takes about {}.",
            self.street,
            km(self.km),
            minutes(self.minutes)
        )
    }
}

pub(super) fn km(km: f64) -> String {
    if km == 1.0 { "1 kilometre".into() } else { format!("{km} kilometres") }
}

pub(super) fn minutes(minutes: u32) -> String {
    if minutes == 1 { "1 minute".into() } else { format!("{minutes} minutes") }
}

pub(super) fn list(names: &[&str], last: &str) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// A time of arrival, with what was asked of it.
pub(super) fn arrival(asked: &Asked, eta: &Value) -> String {
    let to = eta["to"].as_str().unwrap_or_default();
    let (far, long) =
        (eta["distance_km"].as_f64().unwrap_or_default(), eta["minutes"].as_u64().unwrap_or_default() as u32);
    let at = eta["arrival"].as_str().unwrap_or_default();
    if let Some(Limit::Clock(limit)) = asked.limit {
        let clock = at
            .split_once(':')
            .and_then(|(hour, minute)| Some(hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?));
        let in_time = clock.is_some_and(|clock| clock <= limit);
        let word = if in_time { "Yes, you can make it" } else { "No, that will not work" };
        return format!("{word}: you would be at {to} at {at}, after {} and {}.", minutes(long), km(far));
    }
    if asked.later > 0 {
        let clock = at
            .split_once(':')
            .and_then(|(hour, minute)| Some(hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()?));
        let then = (clock.unwrap_or_default() + asked.later) % 1440;
        return format!(
            "The drive to {to} takes about {}. If you leave in {}, you would be there at {:02}:{:02}.",
            minutes(long),
            minutes(asked.later),
            then / 60,
            then % 60
        );
    }
    format!(
        "It is {} to {to}, and the drive takes about {}. If you leave now, you would be there at {at}.",
        km(far),
        minutes(long)
    )
}

/// A way, street by street.
pub(super) fn way(way: &Value, with_length: bool) -> String {
    let to = way["to"].as_str().unwrap_or_default();
    let steps = way["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let streets = steps.iter().enumerate().map(|(at, step)| {
        let street = step["street"].as_str().unwrap_or_default();
        match step["turn"].as_str() {
            None => format!("First take {street}."),
            Some("straight") => format!("Go straight on along {street}."),
            Some(turn) if at + 1 == steps.len() => {
                format!("Then turn {turn} into {street}, and you are nearly there.")
            }
            Some(turn) => format!("Turn {turn} into {street}."),
        }
    });
    let streets: Vec<String> = streets.collect();
    if streets.is_empty() {
        return format!("You are at {to} already.");
    }
    let (far, long) =
        (way["distance_km"].as_f64().unwrap_or_default(), way["minutes"].as_u64().unwrap_or_default() as u32);
    let length = if with_length {
        format!("Sure! {to} is {} away, about {}. ", km(far), minutes(long))
    } else {
        String::new()
    };
    format!("{length}{}", streets.join(" "))
}
