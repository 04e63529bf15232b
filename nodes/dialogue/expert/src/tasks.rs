//! The tasks of the route's bench: what is asked, and what a right answer is. A file (`tasks/route.toml`); whoever answers is judged alike, by
//! [`crate::judge`]. Pure.

use serde::Deserialize;
use toml::Spanned;
use troika_dialogue::{Navigation, Situation, Town, navigation::FindPlaces, town::Kind};

const TASKS: &str = include_str!("../tasks/route.toml");

/// What a task is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Places, ways, times of arrival.
    Navigation,
    /// A question with a short answer.
    ShortAnswer,
    /// Open talk.
    Dialogue,
    /// What must stay in the vehicle.
    Private,
}

/// What a private task is of, in the router's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Privacy {
    Public,
    Contacts,
    Messages,
    CabinImage,
    DriverState,
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name.
    pub id: String,
    /// What it is of.
    pub group: Group,
    /// Which sort within the group.
    pub sort: String,
    /// What it is, in truth.
    pub privacy: Privacy,
    /// What its request says of itself.
    pub says: Privacy,
    /// Question after question.
    pub turns: Vec<Turn>,
}

/// A question, and what a right answer is. Each inner list: any of these.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turn {
    /// The question.
    pub ask: String,
    /// What must have been asked of the tools.
    pub calls: Vec<Vec<Wanted>>,
    /// What must be said.
    pub tells: Vec<Vec<String>>,
    /// What must not.
    pub lacks: Option<String>,
    /// The place that is named before any other.
    pub first: Option<String>,
    /// What is in a sentence that compares.
    pub compares: Vec<String>,
    /// No way and no arrival was told by a tool.
    pub routes_nowhere: bool,
    /// Sentences, at least.
    pub least_sentences: usize,
    /// Nothing went to the cloud.
    pub stays: bool,
}

/// A call that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Places of a kind.
    Find(FindPlaces),
    /// The way to a place.
    Route(String),
    /// The time of arrival there.
    Eta(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    task: Vec<TaskFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskFile {
    id: Spanned<String>,
    group: Group,
    sort: String,
    privacy: Option<Privacy>,
    says: Option<Privacy>,
    turns: Vec<TurnFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnFile {
    ask: Spanned<String>,
    #[serde(default)]
    calls: Vec<Spanned<String>>,
    #[serde(default)]
    tells: Vec<String>,
    lacks: Option<String>,
    first: Option<Spanned<String>>,
    #[serde(default)]
    compares: String,
    #[serde(default)]
    routes_nowhere: bool,
    #[serde(default)]
    least_sentences: usize,
    #[serde(default)]
    stays: bool,
}

/// A file of tasks that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TasksError {
    /// Not the format.
    #[error("{0}")]
    Toml(String),
    /// Something that makes no sense.
    #[error("line {line}: {what}")]
    At {
        /// Line, from 1.
        line: usize,
        /// What, and the way out.
        what: String,
    },
}

/// Where all tasks are asked: on the Old Bridge at 14:30.
pub const SITUATION: Situation = Situation { east_m: 0.0, north_m: 0.0, minute_of_day: 14 * 60 + 30 };

/// The tools that all tasks are asked with.
pub fn tools() -> Navigation {
    Navigation::new(Town::brellin(), SITUATION)
}

/// Those that ship.
///
/// # Panics
/// Never: a test reads them.
pub fn shipped() -> Vec<Task> {
    match read(TASKS, &Town::brellin()) {
        Ok(tasks) => tasks,
        Err(error) => unreachable!("tasks/route.toml, {error}"),
    }
}

/// Reads a file of tasks on this map.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn read(text: &str, town: &Town) -> Result<Vec<Task>, TasksError> {
    let file: File = toml::from_str(text).map_err(|error| TasksError::Toml(error.to_string()))?;
    let at =
        |start: usize, what: String| TasksError::At { line: text[..start].matches('\n').count() + 1, what };
    let mut tasks: Vec<Task> = Vec::new();
    for task in file.task {
        if tasks.iter().any(|other| other.id == *task.id.get_ref()) {
            return Err(at(task.id.span().start, format!("the task {:?} is there twice", task.id.get_ref())));
        }
        if task.turns.is_empty() {
            return Err(at(task.id.span().start, "a task asks something: give it `turns`".into()));
        }
        if (task.group == Group::Private) != task.privacy.is_some_and(|privacy| privacy != Privacy::Public) {
            return Err(at(
                task.id.span().start,
                "a private task, and no other, says of what by `privacy`".into(),
            ));
        }
        let mut turns = Vec::new();
        for turn in task.turns {
            let mut calls = Vec::new();
            for call in &turn.calls {
                let any = alternatives(call.get_ref()).into_iter().map(|call| wanted(&call, town));
                calls.push(any.collect::<Result<Vec<_>, _>>().map_err(|what| at(call.span().start, what))?);
            }
            if let Some(first) = &turn.first
                && town.place(first.get_ref()).is_none()
            {
                return Err(at(
                    first.span().start,
                    format!("there is no place {:?} on the map", first.get_ref()),
                ));
            }
            let checked = !(calls.is_empty() && turn.tells.is_empty()) || turn.stays;
            if !checked {
                return Err(at(
                    turn.ask.span().start,
                    "nothing says what a right answer is: `calls`, `tells` or `stays`".into(),
                ));
            }
            turns.push(Turn {
                ask: turn.ask.into_inner(),
                calls,
                tells: turn.tells.iter().map(|tells| alternatives(tells)).collect(),
                lacks: turn.lacks,
                first: turn.first.map(Spanned::into_inner),
                compares: alternatives(&turn.compares),
                routes_nowhere: turn.routes_nowhere,
                least_sentences: turn.least_sentences,
                stays: turn.stays,
            });
        }
        let privacy = task.privacy.unwrap_or(Privacy::Public);
        tasks.push(Task {
            id: task.id.into_inner(),
            group: task.group,
            sort: task.sort,
            privacy,
            says: task.says.unwrap_or(privacy),
            turns,
        });
    }
    Ok(tasks)
}

fn alternatives(text: &str) -> Vec<String> {
    text.split('|').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// "find cafe near Museum of Salt", "route Cafe Anker", "eta Cafe Anker".
fn wanted(call: &str, town: &Town) -> Result<Wanted, String> {
    let place = |name: &str| match town.place(name) {
        Some(place) => Ok(place.name.clone()),
        None => Err(format!("there is no place {name:?} on the map")),
    };
    match call.split_once(' ') {
        Some(("find", what)) => {
            let (kind, near) =
                what.split_once(" near ").map_or((what, None), |(kind, near)| (kind, Some(near)));
            let kind: Kind = serde_json::from_value(kind.into()).map_err(|error| error.to_string())?;
            Ok(Wanted::Find(FindPlaces { kind, near: near.map(place).transpose()? }))
        }
        Some(("route", to)) => Ok(Wanted::Route(place(to)?)),
        Some(("eta", to)) => Ok(Wanted::Eta(place(to)?)),
        _ => Err(format!(
            "{call:?} is no call; there are: find KIND, find KIND near PLACE, route PLACE, eta PLACE"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use troika_dialogue::session::Tools as _;

    use super::*;
    use crate::judge::{prose, told_by, written};

    #[test]
    fn half_of_three_hundred_and_twenty_tasks_are_navigation() {
        let mut count = BTreeMap::new();
        for task in shipped() {
            *count.entry(task.group).or_insert(0) += 1;
        }
        let expected =
            [(Group::Navigation, 160), (Group::ShortAnswer, 60), (Group::Dialogue, 55), (Group::Private, 45)];
        assert_eq!(count, BTreeMap::from(expected));
        assert!(shipped().iter().filter(|task| task.sort == "compound").count() >= 30);
    }

    /// What is expected is what the tools tell: no task asks for a fact that is not so.
    #[test]
    fn every_expected_place_length_and_time_is_told_by_the_expected_calls() {
        let town = Town::brellin();
        for task in shipped().iter().filter(|task| task.group == Group::Navigation) {
            let mut results = String::new();
            for turn in &task.turns {
                for wanted in turn.calls.iter().flatten() {
                    let call = wanted.call("1");
                    let result = tools().call(&call).unwrap_or_else(|error| panic!("{}: {error}", task.id));
                    results.push_str(&prose(&result));
                }
                for tells in &turn.tells {
                    let fact = |text: &&String| {
                        town.place(text).is_some()
                            || text.contains("kilomet")
                            || text.contains("minute")
                            || text.contains(':')
                    };
                    let facts: Vec<_> = tells.iter().filter(fact).collect();
                    // What is worked out from a result ("in ten minutes") is no result.
                    let worked_out = turn.ask.contains("leave in") || turn.ask.contains("set off");
                    let known = facts.iter().any(|fact| told_by(&results, fact))
                        || worked_out
                        || turn.calls.is_empty();
                    assert!(facts.is_empty() || known, "{}: {tells:?} is not in {results}", task.id);
                }
            }
        }
    }

    #[test]
    fn no_question_is_asked_twice_as_the_first_of_a_task() {
        let mut seen = BTreeMap::new();
        for task in shipped() {
            if task.turns.len() == 1 {
                let before = seen.insert(written(&task.turns[0].ask), task.id.clone());
                assert_eq!(before, None, "{}", task.turns[0].ask);
            }
        }
    }

    #[test]
    fn a_fault_in_the_file_says_where() {
        let town = Town::brellin();
        let turn = |turn: &str| {
            format!(
                "task = [\n{{ id = \"a\", group = \"navigation\", sort = \"x\", turns = [\n{turn} ] }},\n]\n"
            )
        };
        let refused = |text: &str| read(text, &town).expect_err("refused").to_string();
        assert!(read(&turn("{ ask = \"x\", calls = [\"find cafe\"] }"), &town).is_ok());
        assert_eq!(
            refused(&turn("{ ask = \"x\" }")),
            "line 3: nothing says what a right answer is: `calls`, `tells` or `stays`"
        );
        assert!(
            refused(&turn("{ ask = \"x\", calls = [\"find casino\"] }"))
                .starts_with("line 3: unknown variant `casino`")
        );
        assert_eq!(
            refused(&turn("{ ask = \"x\", calls = [\"route Nowhere\"] }")),
            "line 3: there is no place \"Nowhere\" on the map"
        );
        assert!(refused(&turn("{ ask = \"x\", calls = [\"fly home\"] }")).contains("is no call"));
        assert!(refused(&turn("{ ask = \"x\", tels = [\"y\"] }")).contains("tels"));
        let twice = turn("{ ask = \"x\", tells = [\"y\"] }").replace("},\n]", "},\n{ id = \"a\", group = \"dialogue\", sort = \"x\", turns = [{ ask = \"x\", tells = [\"y\"] }] },\n]");
        assert!(refused(&twice).contains("the task \"a\" is there twice"));
        let private = turn("{ ask = \"x\", stays = true }").replace("navigation", "private");
        assert!(refused(&private).contains("by `privacy`"));
    }
}
