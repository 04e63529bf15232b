//! The programs: what is asked of the tools for a question, one after another, and what is said of it.

use serde_json::Value;
use troika_dialogue::town::Kind;

use super::{
    Context, Stop, UNKNOWN,
    told::{self, Place, km, list, minutes},
};
use crate::language::{Asked, Limit, Target};

impl Context<'_> {
    pub(super) fn answer(&mut self, asked: &Asked) -> Result<String, Stop> {
        let mut asked = asked.clone();
        let bare = asked.targets.iter().all(|target| !matches!(target, Target::Kind { .. }));
        if !asked.wants.any()
            && (asked.also || bare)
            && let Some(before) = self.before()
        {
            asked.wants = before.wants;
        }
        if asked.near_it
            && let [target] = asked.targets.as_slice()
            && let Some((kind, _)) = self.kind_before()
        {
            let near = Some(Box::new(target.clone()));
            asked.targets = vec![Target::Kind { kind, near, nth: 0 }];
            (asked.another, asked.compare) = (false, false);
        }
        if asked.another {
            return self.another();
        }
        if asked.on_the_way {
            return self.on_the_way(&asked);
        }
        if asked.compare && asked.targets.len() >= 2 {
            return self.compare(&asked);
        }
        match asked.targets.as_slice() {
            [] => Err(Stop::Say("Which place do you mean?".into())),
            [one] => {
                let one = one.clone();
                self.single(&asked, &one)
            }
            several if asked.trip || asked.wants.moves() => self.trip(&asked, several),
            several => self.several(several),
        }
    }

    fn another(&mut self) -> Result<String, Stop> {
        let (kind, near) = self.kind_before().ok_or_else(|| Stop::Say("Another what?".into()))?;
        let found = self.find(kind, near.as_deref())?;
        let told = self.named.first().and_then(|name| found.iter().position(|place| place.name == *name));
        let next = told.map_or(1, |at| at + 1);
        let place = found.get(next).ok_or_else(|| self.too_few(kind, &found))?;
        Ok(format!(
            "Of course. The next {} is {}. {} Shall I take you there?",
            self.one(kind),
            place.name,
            place.where_it_is(near.is_some())
        ))
    }

    fn single(&mut self, asked: &Asked, target: &Target) -> Result<String, Stop> {
        if let Target::Kind { kind, near, nth } = target
            && !asked.wants.moves()
        {
            return self.found(asked, *kind, near.as_deref(), *nth);
        }
        if let Target::Kind { kind, near, .. } = target
            && let Some(Limit::Minutes(_) | Limit::Km(_)) = asked.limit
        {
            return self.found(asked, *kind, near.as_deref(), 0);
        }
        let wants_way = asked.wants.route || (asked.wants.find && !asked.wants.arrival());
        let mut said = Vec::new();
        if let Target::Kind { kind, near, nth } = target {
            let found = self.find(*kind, near.as_deref())?;
            let place = found.get(*nth).ok_or_else(|| self.too_few(*kind, &found))?;
            if asked.wants.find || wants_way || near.is_some() {
                said.push(format!("I would go to {}.", place.name));
            }
        }
        let eta = (!wants_way || asked.wants.arrival()).then(|| self.eta(target));
        let way = wants_way.then(|| self.route(target));
        let eta = eta.transpose()?;
        let way = way.transpose()?;
        if let Some(eta) = &eta {
            said.push(told::arrival(asked, eta));
        }
        if let Some(way) = &way {
            said.push(told::way(way, eta.is_none()));
        }
        said.push("Have a good trip!".into());
        Ok(said.join(" "))
    }

    fn found(
        &mut self,
        asked: &Asked,
        kind: Kind,
        near: Option<&Target>,
        nth: usize,
    ) -> Result<String, Stop> {
        let mut found = self.find(kind, near)?;
        let (one, many) = (self.one(kind).to_owned(), self.many(kind).to_owned());
        let mut said = Vec::new();
        if let Some(what) = &asked.unknowable {
            said.push(format!("I cannot see {what}, sorry, so I go by the distance."));
        }
        if let Some(except) = &asked.except {
            let words = self.expert.words.heard(except);
            found.retain(|place| {
                let name = self.expert.words.heard(&place.name);
                let shared = words.iter().filter(|word| name.contains(word)).count();
                shared * 2 < words.len().max(1)
            });
        }
        let within = |place: &Place| match asked.limit {
            Some(Limit::Minutes(most)) => f64::from(place.minutes) <= most,
            Some(Limit::Km(most)) => place.km <= most,
            _ => true,
        };
        let Some(nearest) = found.first().cloned() else {
            return Err(Stop::Say(format!("I could not find any {many} here.")));
        };
        if !within(&nearest) {
            said.push(format!("No, there is no {one} as close as that. The nearest is {}.", nearest.name));
            said.push(nearest.where_it_is(near.is_some()));
            return Ok(said.join(" "));
        }
        if asked.all || asked.limit.is_some() {
            let all: Vec<String> = found
                .iter()
                .filter(|place| within(place))
                .map(|place| {
                    format!(
                        "{} on {}, {} and {}",
                        place.name,
                        place.street,
                        km(place.km),
                        minutes(place.minutes)
                    )
                })
                .collect();
            said.push(format!(
                "Yes, here is what I found: {}. Let me know which one you like.",
                all.join("; ")
            ));
            return Ok(said.join(" "));
        }
        let place = found.get(nth).ok_or_else(|| self.too_few(kind, &found))?;
        let which = ["nearest", "second nearest", "third nearest"].get(nth).unwrap_or(&"next");
        said.push(match near {
            Some(_) => format!("Good idea! The {which} {one} to there is {}.", place.name),
            None => format!("Good idea! The {which} {one} is {}.", place.name),
        });
        said.push(place.where_it_is(near.is_some()));
        let others: Vec<&str> =
            found.iter().filter(|other| other.name != place.name).map(|other| other.name.as_str()).collect();
        if nth == 0 && !others.is_empty() && asked.except.is_none() {
            said.push(format!("If you would rather go elsewhere, there is also {}.", list(&others, "and")));
        }
        said.push("Shall I take you there?".into());
        Ok(said.join(" "))
    }

    fn compare(&mut self, asked: &Asked) -> Result<String, Stop> {
        let told: Vec<Result<Value, Stop>> = asked.targets.iter().map(|target| self.eta(target)).collect();
        let told: Vec<Value> = told.into_iter().collect::<Result<_, _>>()?;
        let seconds = |value: &Value| {
            (
                value["minutes"].as_u64().unwrap_or(u64::MAX),
                (value["distance_km"].as_f64().unwrap_or(f64::MAX) * 10.0) as u64,
            )
        };
        let mut order: Vec<&Value> = told.iter().collect();
        order.sort_by_key(|value| seconds(value));
        let name = |value: &Value| value["to"].as_str().unwrap_or_default().to_owned();
        let each: Vec<String> = told
            .iter()
            .map(|value| {
                format!(
                    "{} is {} away and takes {}",
                    name(value),
                    km(value["distance_km"].as_f64().unwrap_or_default()),
                    minutes(value["minutes"].as_u64().unwrap_or_default() as u32)
                )
            })
            .collect();
        let first = order.first().map(|value| name(value)).unwrap_or_default();
        Ok(format!("Let me see. {}. So {first} is closer. Shall I take you there?", each.join(", and ")))
    }

    fn trip(&mut self, asked: &Asked, targets: &[Target]) -> Result<String, Stop> {
        let [first, others @ ..] = targets else { return Err(Stop::Say(UNKNOWN.into())) };
        let way =
            if asked.wants.arrival() && !asked.wants.route { self.eta(first) } else { self.route(first) };
        let rest: Vec<Result<Value, Stop>> = others.iter().map(|target| self.eta(target)).collect();
        let way = way?;
        let mut said = vec!["With pleasure.".to_owned()];
        said.push(if way["steps"].is_array() { told::way(&way, true) } else { told::arrival(asked, &way) });
        for other in rest {
            let other = other?;
            said.push(format!(
                "{} is {} from where you are now, about {}; I tell you the way from the first stop when you are there.",
                other["to"].as_str().unwrap_or_default(),
                km(other["distance_km"].as_f64().unwrap_or_default()),
                minutes(other["minutes"].as_u64().unwrap_or_default() as u32)
            ));
        }
        Ok(said.join(" "))
    }

    fn several(&mut self, targets: &[Target]) -> Result<String, Stop> {
        let found: Vec<Result<String, Stop>> = targets
            .iter()
            .map(|target| match target {
                Target::Kind { kind, near, nth } => {
                    let found = self.find(*kind, near.as_deref())?;
                    let place = found.get(*nth).ok_or_else(|| self.too_few(*kind, &found))?;
                    Ok(format!(
                        "For the {}, I found {}. {}",
                        self.one(*kind),
                        place.name,
                        place.where_it_is(near.is_some())
                    ))
                }
                other => {
                    let eta = self.eta(other)?;
                    Ok(told::arrival(&Asked::default(), &eta))
                }
            })
            .collect();
        let found: Vec<String> = found.into_iter().collect::<Result<_, _>>()?;
        Ok(format!("Let me see. {}", found.join(" ")))
    }

    fn on_the_way(&mut self, asked: &Asked) -> Result<String, Stop> {
        let destination = asked.destination.clone().unwrap_or(Target::Back(0));
        let destination = Target::Named(self.name(&destination)?);
        let kinds: Vec<Kind> = asked
            .targets
            .iter()
            .filter_map(|target| if let Target::Kind { kind, .. } = target { Some(*kind) } else { None })
            .collect();
        let Some((first, others)) = kinds.split_first() else {
            return Err(Stop::Say("What shall I look for on the way?".into()));
        };
        let near = self.find(*first, Some(&destination));
        let eta = self.eta(&destination);
        let (near, eta) = (near?, eta?);
        let place = near.first().ok_or_else(|| self.too_few(*first, &near))?.clone();
        let mut said = vec![format!(
            "Good idea! Close to your way to {} there is {} on {}, {} from there.",
            eta["to"].as_str().unwrap_or_default(),
            place.name,
            place.street,
            km(place.km)
        )];
        let here = Target::Named(place.name.clone());
        for kind in others {
            let found = self.find(*kind, Some(&here))?;
            let other = found.first().ok_or_else(|| self.too_few(*kind, &found))?;
            let away = if other.minutes == 0 {
                "right beside it".to_owned()
            } else {
                format!("{} from it", km(other.km))
            };
            said.push(format!("The {} closest to it is {}, {away}.", self.one(*kind), other.name));
        }
        said.push(format!(
            "The drive to {} itself takes about {}.",
            eta["to"].as_str().unwrap_or_default(),
            minutes(eta["minutes"].as_u64().unwrap_or_default() as u32)
        ));
        Ok(said.join(" "))
    }
}
