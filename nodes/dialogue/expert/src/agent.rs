//! What the stand-in does with a request: it calls tools, or answers. It remembers nothing: what it needs is in the request, as with
//! any service of this kind. A question is a small program that asks for results; as long as one lacks, its call is the answer. Pure.

use serde_json::{Value, json};
use troika_dialogue::{Words, town::Kind};

use crate::{
    chat::{Call, Message, Request, Step},
    language::{self, Asked, Rules, Target},
    topics::Topics,
};

mod names;
mod programs;
mod told;

use names::names_in;
use told::{Place, list};

/// Rounds of tools in one turn; then it answers with what it has.
const MOST_ROUNDS: usize = 4;
/// Said where nothing else can be.
pub const UNKNOWN: &str =
    "I do not know that. I am a scripted stand-in with a few dozen topics, and no language model.";

/// The stand-in for a language model.
#[derive(Debug, Clone)]
pub struct Expert {
    words: Words,
    rules: Rules,
    topics: Topics,
}

impl Default for Expert {
    fn default() -> Self {
        Expert { words: Words::english(), rules: Rules::shipped(), topics: Topics::shipped() }
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
        let asked = language::read(&self.words, &self.rules, question);
        let has_kind = asked.targets.iter().any(|target| matches!(target, Target::Kind { .. }));
        let first_the_way = (asked.wants.any() && has_kind) || asked.on_the_way;
        if !first_the_way && let Some(answer) = self.topics.answer(question) {
            return Step::Say(answer.to_owned());
        }
        let mut context = self.context(&request.messages[..last], &request.messages[last..]);
        let can = |tool: &str| request.tools.iter().any(|known| known.function.name == tool);
        let tools = can("find_places") && can("route") && can("eta");
        if !(tools && context.is_navigation(&asked)) {
            return Step::Say(self.talk(question, &context.asked_before).to_owned());
        }
        let mut said = context.answer(&asked);
        if let Err(Stop::Refused(..)) = said
            && let Some(kinds) = context.only_kinds(&asked)
        {
            // What was taken for a name is none: "my *son* needs a hospital".
            said = context.answer(&kinds);
        }
        match said {
            Ok(said) => Step::Say(said),
            Err(Stop::Wait) if context.rounds < MOST_ROUNDS => Step::Calls(context.wanted),
            Err(Stop::Wait) => Step::Say("Sorry, I could not find that out.".into()),
            // "When did the Titanic sink?": a name that no tool knows, in a question that asks for no way.
            Err(Stop::Refused(..)) if !asked.wants.route && !has_kind => {
                Step::Say(self.talk(question, &context.asked_before).to_owned())
            }
            Err(Stop::Refused(name, like)) => {
                let like: Vec<&str> = like.iter().map(String::as_str).collect();
                let instead = match like.as_slice() {
                    [] => "I can look for cafes, restaurants, charging stations and the like.".to_owned(),
                    like => format!("Did you mean {}?", list(like, "or")),
                };
                Step::Say(format!("I am afraid there is no {name} on the map here. {instead}"))
            }
            Err(Stop::Say(said)) => Step::Say(said),
        }
    }

    /// An answer from the topics: to the question, or, where it goes back to the one before ("and when did they live?"), to that.
    fn talk(&self, question: &str, before: &[&str]) -> &str {
        const BACK: &[&str] = &[
            "it", "its", "they", "them", "their", "he", "she", "his", "her", "that", "and", "another",
            "answer",
        ];
        if let Some(answer) = self.topics.answer(question) {
            return answer;
        }
        let goes_back = self.words.heard(question).iter().any(|word| BACK.contains(&word.as_str()));
        let last = before.first().filter(|_| goes_back);
        last.and_then(|last| self.topics.answer(last)).unwrap_or(UNKNOWN)
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
            || (asked.compare && asked.targets.len() > 1)
            || (named && (asked.wants.moves() || asked.wants.find || (asked.also && !self.named.is_empty())))
    }

    /// The question without its names, where kinds are left; a kind within a name counts ("decent espresso").
    fn only_kinds(&self, asked: &Asked) -> Option<Asked> {
        let kind = |target: &Target| match target {
            Target::Kind { .. } => Some(target.clone()),
            Target::Named(name) => {
                language::read(&self.expert.words, &self.expert.rules, name.rsplit(' ').next()?)
                    .targets
                    .into_iter()
                    .find(|target| matches!(target, Target::Kind { .. }))
            }
            _ => None,
        };
        let targets: Vec<Target> = asked.targets.iter().filter_map(kind).collect();
        let fewer = targets.len() < asked.targets.len() || targets != asked.targets;
        (!targets.is_empty() && fewer).then(|| Asked { targets, ..asked.clone() })
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
                // All that was said is in it: "the old mill".
                let said = self.expert.words.heard(name);
                let has_all = |other: &&String| {
                    let words = self.expert.words.heard(other);
                    said.iter().all(|word| words.contains(word))
                };
                match like.iter().filter(has_all).min_by_key(|other| other.len()).cloned() {
                    Some(best) => self.call(tool, with(&best)),
                    None => Err(Stop::Refused(name.into(), like)),
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
        let asked = self
            .asked_before
            .iter()
            .map(|question| language::read(&self.expert.words, &self.expert.rules, question));
        asked.into_iter().find(|asked| asked.wants.any() || !asked.targets.is_empty())
    }

    /// The last kind of place that was looked for.
    fn kind_before(&self) -> Option<(Kind, Option<Box<Target>>)> {
        self.asked_before.iter().find_map(|question| {
            language::read(&self.expert.words, &self.expert.rules, question).targets.into_iter().find_map(
                |target| match target {
                    Target::Kind { kind, near, .. } => Some((kind, near)),
                    _ => None,
                },
            )
        })
    }
}

#[cfg(test)]
mod tests;
