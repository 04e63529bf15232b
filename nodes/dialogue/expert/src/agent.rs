//! What the stand-in does with a request: it calls tools, or answers. It remembers nothing: what it needs is in the request, as with
//! any service of this kind. A question is a small program that asks for results; as long as one lacks, its call is the answer. Pure.

use serde_json::{Value, json};
use troika_dialogue::{Words, town::Kind};

use crate::{
    chat::{Call, Message, Request, Step},
    language::{self, Asked, Limit, Target},
    topics::Topics,
};

mod names;
mod told;

use names::names_in;
use told::{Place, km, list, minutes};

/// Rounds of tools in one turn; then it answers with what it has.
const MOST_ROUNDS: usize = 4;
/// Said where nothing else can be.
pub const UNKNOWN: &str =
    "I do not know that. I am a scripted stand-in with a few dozen topics, and no language model.";

/// The stand-in for a language model.
#[derive(Debug, Clone)]
pub struct Expert {
    words: Words,
    topics: Topics,
}

impl Default for Expert {
    fn default() -> Self {
        Expert { words: Words::english(), topics: Topics::shipped() }
    }
}

/// Why a program goes no further.
enum Stop {
    /// A result lacks.
    Wait,
    /// There is no such place; names like it.
    Refused(String, Vec<String>),
    /// It cannot be told.
    Say(String),
}

/// What the tools told in this turn, and what lacks.
struct Context<'a> {
    expert: &'a Expert,
    told: Vec<(Call, Result<Value, String>)>,
    wanted: Vec<Call>,
    rounds: usize,
    /// Earlier questions, the last first.
    asked_before: Vec<&'a str>,
    /// Names in the last answer that has any.
    named: Vec<String>,
}

impl Expert {
    /// The next step of a dialogue.
    pub fn step(&self, request: &Request) -> Step {
        let last = request.messages.iter().rposition(|message| matches!(message, Message::User { .. }));
        let Some(last) = last else { return Step::Say("What can I do for you?".into()) };
        let Message::User { content: question } = &request.messages[last] else {
            return Step::Say(UNKNOWN.into());
        };
        let asked = language::read(&self.words, question);
        let has_kind = asked.targets.iter().any(|target| matches!(target, Target::Kind { .. }));
        let first_the_way = (asked.wants.any() && has_kind) || asked.on_the_way;
        if !first_the_way && let Some(answer) = self.topics.answer(question) {
            return Step::Say(answer.to_owned());
        }
        let mut context = self.context(&request.messages[..last], &request.messages[last..]);
        let can = |tool: &str| request.tools.iter().any(|known| known.function.name == tool);
        let tools = can("find_places") && can("route") && can("eta");
        if !(tools && context.is_navigation(&asked)) {
            let answer = self.topics.answer(question).unwrap_or(UNKNOWN);
            return Step::Say(answer.to_owned());
        }
        let said = context.answer(&asked);
        match said {
            Ok(said) => Step::Say(said),
            Err(Stop::Wait) if context.rounds < MOST_ROUNDS => Step::Calls(context.wanted),
            Err(Stop::Wait) => Step::Say("Sorry, I could not find that out.".into()),
            Err(Stop::Refused(name, _)) => Step::Say(format!(
                "I am afraid there is no {name} on the map here. I can look for cafes, restaurants, charging stations and the like."
            )),
            Err(Stop::Say(said)) => Step::Say(said),
        }
    }

    fn context<'a>(&'a self, before: &'a [Message], turn: &[Message]) -> Context<'a> {
        let mut told = Vec::new();
        let mut rounds = 0;
        for message in turn {
            let Message::Assistant { tool_calls: Some(calls), .. } = message else { continue };
            rounds += 1;
            for call in calls {
                let result = turn.iter().find_map(|message| match message {
                    Message::Tool { tool_call_id, content } if *tool_call_id == call.id => Some(content),
                    _ => None,
                });
                let arguments = serde_json::from_str(&call.function.arguments).unwrap_or(Value::Null);
                let result: Value =
                    result.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
                let result = match result["error"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(result),
                };
                told.push((Call { name: call.function.name.clone(), arguments }, result));
            }
        }
        let asked_before = before.iter().rev().filter_map(|message| match message {
            Message::User { content } => Some(content.as_str()),
            _ => None,
        });
        let named = before.iter().rev().find_map(|message| match message {
            Message::Assistant { content, .. } => Some(names_in(content)).filter(|names| !names.is_empty()),
            _ => None,
        });
        Context {
            expert: self,
            told,
            wanted: Vec::new(),
            rounds,
            asked_before: asked_before.collect(),
            named: named.unwrap_or_default(),
        }
    }
}

impl Context<'_> {
    fn is_navigation(&self, asked: &Asked) -> bool {
        let has_kind = asked.targets.iter().any(|target| matches!(target, Target::Kind { .. }));
        let goes_back = !self.named.is_empty()
            && (asked.another
                || asked.targets.iter().any(|target| matches!(target, Target::Back(_) | Target::LastNamed)));
        let named = asked.targets.iter().any(|target| matches!(target, Target::Named(_)));
        has_kind
            || goes_back
            || (named && (asked.wants.moves() || asked.wants.find || (asked.also && !self.named.is_empty())))
    }

    /// A result, or a call for it.
    fn call(&mut self, name: &str, arguments: Value) -> Result<Value, Stop> {
        let call = Call { name: name.into(), arguments };
        if let Some((_, result)) = self.told.iter().find(|(told, _)| *told == call) {
            return result.clone().map_err(|error| {
                let name =
                    call.arguments["near"].as_str().or(call.arguments["to"].as_str()).unwrap_or_default();
                let like = error
                    .split_once("there is: ")
                    .map(|(_, names)| names.split(", ").map(str::to_owned).collect());
                Stop::Refused(name.into(), like.unwrap_or_default())
            });
        }
        if !self.wanted.contains(&call) {
            self.wanted.push(call);
        }
        Err(Stop::Wait)
    }

    /// Calls with a name as it was said; where there is none such, with the name like it that is told.
    fn call_named(&mut self, tool: &str, key: &str, name: &str, more: &Value) -> Result<Value, Stop> {
        let with = |name: &str| {
            let mut arguments = more.clone();
            arguments[key] = name.into();
            arguments
        };
        match self.call(tool, with(name)) {
            Err(Stop::Refused(_, like)) => {
                let shares = |other: &String| {
                    let words = self.expert.words.heard(other);
                    self.expert.words.heard(name).iter().filter(|word| words.contains(word)).count()
                };
                let best =
                    like.iter().max_by_key(|other| (shares(other), std::cmp::Reverse(other.len()))).cloned();
                match best {
                    Some(best) => self.call(tool, with(&best)),
                    None => Err(Stop::Refused(name.into(), Vec::new())),
                }
            }
            other => other,
        }
    }

    /// Places of a kind, best first.
    fn find(&mut self, kind: Kind, near: Option<&Target>) -> Result<Vec<Place>, Stop> {
        let kind = json!({"kind": kind});
        let found = match near {
            None => self.call("find_places", kind)?,
            Some(near) => {
                let name = self.name(near)?;
                self.call_named("find_places", "near", &name, &kind)?
            }
        };
        Ok(Place::all(&found))
    }

    /// What a target is called, as far as it is known.
    fn name(&mut self, target: &Target) -> Result<String, Stop> {
        match target {
            Target::Named(name) => Ok(name.clone()),
            Target::Back(nth) => self.named.get(*nth).cloned().ok_or_else(|| {
                let names: Vec<&str> = self.named.iter().map(String::as_str).collect();
                Stop::Say(match names.as_slice() {
                    [] => "Which place do you mean?".into(),
                    names => format!("I only know of {}. Which one do you mean?", list(names, "and")),
                })
            }),
            Target::LastNamed => {
                self.named.last().cloned().ok_or_else(|| Stop::Say("Which place do you mean?".into()))
            }
            Target::Kind { kind, near, nth } => {
                let found = self.find(*kind, near.as_deref())?;
                let place = found.get(*nth).ok_or_else(|| self.too_few(*kind, &found))?;
                Ok(place.name.clone())
            }
        }
    }

    fn too_few(&self, kind: Kind, found: &[Place]) -> Stop {
        let names: Vec<&str> = found.iter().map(|place| place.name.as_str()).collect();
        let many = self.many(kind);
        Stop::Say(match names.as_slice() {
            [] => format!("I could not find any {many} here."),
            names => format!("There are no more {many} than these: {}.", list(names, "and")),
        })
    }

    fn one(&self, kind: Kind) -> &str {
        self.expert.words.kind(kind).map_or("place", |kind| kind.one.as_str())
    }

    fn many(&self, kind: Kind) -> &str {
        self.expert.words.kind(kind).map_or("places", |kind| kind.many.as_str())
    }

    fn eta(&mut self, target: &Target) -> Result<Value, Stop> {
        let name = self.name(target)?;
        self.call_named("eta", "to", &name, &json!({}))
    }

    fn route(&mut self, target: &Target) -> Result<Value, Stop> {
        let name = self.name(target)?;
        self.call_named("route", "to", &name, &json!({}))
    }

    /// The last question before that asked for something.
    fn before(&self) -> Option<Asked> {
        let asked = self.asked_before.iter().map(|question| language::read(&self.expert.words, question));
        asked.into_iter().find(|asked| asked.wants.any() || !asked.targets.is_empty())
    }

    /// The last kind of place that was looked for.
    fn kind_before(&self) -> Option<(Kind, Option<Box<Target>>)> {
        self.asked_before.iter().find_map(|question| {
            language::read(&self.expert.words, question).targets.into_iter().find_map(|target| match target {
                Target::Kind { kind, near, .. } => Some((kind, near)),
                _ => None,
            })
        })
    }

    fn answer(&mut self, asked: &Asked) -> Result<String, Stop> {
        let mut asked = asked.clone();
        let bare = asked.targets.iter().all(|target| !matches!(target, Target::Kind { .. }));
        if !asked.wants.any()
            && (asked.also || bare)
            && let Some(before) = self.before()
        {
            asked.wants = before.wants;
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
        if let Some(what) = asked.unknowable {
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

#[cfg(test)]
mod tests;
