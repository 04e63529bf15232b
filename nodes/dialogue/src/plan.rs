//! A spoken question about the way to the tool that answers it, without a language model: by words, from a file. Pure, and careful: a
//! question with a word in it that is not understood ("the *cheapest* petrol", "a cafe *on the way*") is no plan, so that a model answers
//! it, or nobody does. A place that is not on the map, and a number that is out of range, are asked back for.

use crate::{
    chat::ToolCall,
    navigation::FindPlaces,
    told::{Call, Told},
    town::Town,
    words::{Slot, Words},
};

mod ask;
mod heard;

use heard::{Heard, Names};

/// What somebody wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Where there is a place.
    Find,
    /// The way.
    Route,
    /// How long it takes.
    HowLong,
    /// When they would be there.
    When,
    /// How far it is.
    HowFar,
}

/// How results are put into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// The nearest of what was found.
    Nearest,
    /// The one at this place of the list, from 0.
    Another(usize),
    /// The way.
    Way,
    /// How long it takes.
    HowLong,
    /// When one would be there.
    When,
    /// How far it is.
    HowFar,
}

/// What is done about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// A tool is called.
    Call {
        /// Which.
        call: Call,
        /// Then this one, for the first place that was found.
        then: Option<Want>,
        /// How it is said.
        say: Say,
    },
    /// Something is asked back.
    AskBack {
        /// The sentence.
        say: String,
        /// What is wanted of the place that is named next.
        want: Want,
    },
}

impl Plan {
    fn call(call: Call, say: Say) -> Plan {
        Plan::Call { call, then: None, say }
    }

    /// The second call, when the first has told. None where there is none, or the first told nothing.
    pub fn second(&self, told: &Told) -> Option<Call> {
        match (self, told) {
            (Plan::Call { then: Some(want), .. }, Told::Found { found, .. }) => {
                let first = &found.places.first()?.name;
                Some(if *want == Want::Route { Call::route(first) } else { Call::eta(first) })
            }
            _ => None,
        }
    }

    /// Carries it out with these tools. The calls are numbered from `plan-1`. What they told, in order; nothing where something is asked back.
    pub fn carry_out(&self, mut tools: impl FnMut(&ToolCall) -> Result<String, String>) -> Vec<Told> {
        let Plan::Call { call, .. } = self else { return Vec::new() };
        let mut ask = |call: &Call, id: &str| {
            let call = call.tool_call(id);
            tools(&call).map_or(Told::Refused, |result| Told::read(&call, &result))
        };
        let first = ask(call, "plan-1");
        let second = self.second(&first).map(|call| ask(&call, "plan-2"));
        std::iter::once(first).chain(second).collect()
    }
}

/// What was said before and a question may go back to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// The place that was named last.
    place: Option<String>,
    /// The last search, and what it found.
    search: Option<(FindPlaces, Vec<String>)>,
    /// Which of them was named last.
    at: usize,
    /// What was wanted last.
    want: Option<Want>,
}

impl Before {
    /// A question was planned; what its tools tell comes to [`Before::told`].
    pub fn planned(&mut self, plan: &Plan) {
        match plan {
            Plan::AskBack { want, .. } => self.want = Some(*want),
            Plan::Call { then: Some(want), .. } => {
                self.want = Some(*want);
                self.at = 0;
            }
            Plan::Call { say, .. } => {
                self.at = if let Say::Another(at) = say { *at } else { 0 };
                self.want = Some(match say {
                    Say::Nearest | Say::Another(_) => Want::Find,
                    Say::Way => Want::Route,
                    Say::HowLong => Want::HowLong,
                    Say::When => Want::When,
                    Say::HowFar => Want::HowFar,
                });
            }
        }
    }

    /// A tool told something, whoever called it: the vehicle, or the cloud's model.
    pub fn told(&mut self, told: &Told) {
        match told {
            Told::Found { asked, found } => {
                let names: Vec<String> = found.places.iter().map(|place| place.name.clone()).collect();
                if let Some(name) = names.get(self.at).or(names.first()) {
                    self.place = Some(name.clone());
                }
                self.search = asked.clone().map(|asked| (asked, names));
                self.want.get_or_insert(Want::Find);
            }
            Told::Way(way) => {
                self.place = Some(way.to.clone());
                self.want.get_or_insert(Want::Route);
            }
            Told::Arrival(arrival) => {
                self.place = Some(arrival.to.clone());
                self.want.get_or_insert(Want::HowLong);
            }
            Told::Refused => {}
        }
    }

    /// The cloud is asked instead: what it wants of the tools is not known from words.
    pub fn not_planned(&mut self) {
        self.want = None;
        self.at = 0;
    }
}

/// Questions about the way, in one language and on one map.
#[derive(Debug, Clone)]
pub struct Planner {
    words: Words,
    town: Town,
    names: Names,
}

impl Planner {
    /// For this language and this map.
    pub fn new(words: Words, town: Town) -> Planner {
        Planner { names: Names::new(&words, &town), words, town }
    }

    /// The language.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// What the question asks, or nothing where it has words in it that are not understood.
    pub fn plan(&self, before: &Before, question: &str) -> Option<Plan> {
        let heard = Heard::read(&self.words, &self.names, question)?;
        ask::plan(&self.words, &self.town, before, &heard)
    }

    /// Of a question that is not understood: the call that tells something of the first kind of place, or place, named in it. Only where
    /// nobody answers the question itself, and said as a part ([`Planner::part`]).
    pub fn named(&self, question: &str) -> Option<Plan> {
        let (place, kind) = heard::named(&self.words, &self.names, question);
        let place = place.and_then(|at| self.town.places().get(at));
        let call = match (kind, place) {
            (Some(kind), _) => {
                return Some(Plan::call(Call::Find(FindPlaces { kind, near: None }), Say::Nearest));
            }
            (None, Some(place)) => Call::eta(&place.name),
            (None, None) => return None,
        };
        Some(Plan::call(call, Say::HowLong))
    }

    /// What was found out of the question, told as no more than a part of an answer.
    pub fn part(&self, what: &str) -> String {
        self.words.ask_back.part.get_ref().say(&[(Slot::What, what)])
    }

    /// That the question cannot be answered, and which can.
    pub fn help(&self) -> String {
        let kinds = ask::kinds(&self.words, &self.town);
        let names = self.words.list(&kinds, &self.words.say.and);
        self.words.ask_back.help.get_ref().say(&[(Slot::Names, &names)])
    }
}

#[cfg(test)]
mod tests;
