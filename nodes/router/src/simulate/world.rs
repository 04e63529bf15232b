//! What the simulator is told: the tasks, and what happens to them. Both are TOML files; the ones that ship are built in.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    policy::PolicyError,
    request::{Privacy, Task},
};

/// What is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    pub(crate) task: Vec<Asked>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) ask: String,
    pub(crate) task: Task,
    pub(crate) privacy: Privacy,
    pub(crate) privacy_in_truth: Option<Privacy>,
    #[serde(default)]
    pub(crate) conversation: String,
    pub(crate) needs: Vec<String>,
}

impl Asked {
    /// Whether it is to stay in the vehicle, whatever it says of itself.
    pub(crate) fn is_private(&self) -> bool {
        self.says_private() || self.privacy_in_truth.is_some_and(|truth| truth != Privacy::Public)
    }

    /// Whether it says of itself that it is to stay.
    pub(crate) fn says_private(&self) -> bool {
        self.privacy != Privacy::Public || matches!(self.task, Task::VehicleFunction | Task::Unknown)
    }
}

/// What happens: the world, apart from what a policy believes of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    pub(crate) every_s: f64,
    pub(crate) speaks_s: f64,
    pub(crate) give_up_s: f64,
    pub(crate) hedge_s: f64,
    pub(crate) stall_s: f64,
    pub(crate) threshold_kbps: f64,
    pub(crate) cloud: String,
    pub(crate) local: String,
    pub(crate) link: LinkTruth,
    pub(crate) cuts: Cuts,
    model: Vec<ModelTruth>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkTruth {
    pub(crate) rtt_ms: f64,
    pub(crate) queue_ms: f64,
    pub(crate) chunk_mbit: f64,
    pub(crate) gap_s: f64,
    pub(crate) recovers_s: f64,
    pub(crate) up_share: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cuts {
    pub(crate) mean_s: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelTruth {
    pub(crate) name: String,
    pub(crate) first_token_s: f64,
    pub(crate) spread: f64,
    #[serde(default)]
    pub(crate) prompt_tokens_per_s: Option<f64>,
    pub(crate) tokens_per_s: f64,
    #[serde(default)]
    planned: Option<f64>,
    chances: BTreeMap<String, f64>,
}

impl ModelTruth {
    /// That a right answer comes, to a request that needs this. `planned`: the vehicle's planner understands it.
    pub(crate) fn chance(&self, needs: &[String], planned: bool) -> f64 {
        if let Some(chance) = self.planned.filter(|_| planned) {
            return chance;
        }
        needs.iter().map(|need| self.chances.get(need).copied().unwrap_or(0.0)).product()
    }
}

/// How fast a model is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// To the first token, s.
    pub first_token_s: f64,
    /// By what factor that varies: one standard deviation of its logarithm.
    pub spread: f64,
    /// Of the prompt; none: it is part of `first_token_s`.
    pub prompt_tokens_per_s: Option<f64>,
    /// Of the answer.
    pub tokens_per_s: f64,
}

const TASKS: &str = include_str!("../../simulate/tasks.toml");
const OUTCOME: &str = include_str!("../../simulate/outcome.toml");

fn read<T: for<'a> Deserialize<'a>>(file: &str, text: &str) -> Result<T, PolicyError> {
    toml::from_str(text).map_err(|error| {
        let before = text.as_bytes().get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        PolicyError { file: file.to_owned(), line, reason: error.message().to_owned() }
    })
}

impl Tasks {
    /// Reads them.
    ///
    /// # Errors
    /// A fault in the file, with its line; a file without a task.
    pub fn parse(file: &str, text: &str) -> Result<Tasks, PolicyError> {
        let tasks: Tasks = read(file, text)?;
        if tasks.task.is_empty() {
            return Err(PolicyError { file: file.into(), line: 1, reason: "there is no task in it".into() });
        }
        Ok(tasks)
    }

    /// The mix that ships.
    pub fn built_in() -> Tasks {
        // Compiled in, and a test reads it: this cannot be met at run time.
        Tasks::parse("tasks.toml", TASKS).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.task.len()
    }

    /// Whether there is none; there always is one.
    pub fn is_empty(&self) -> bool {
        self.task.is_empty()
    }
}

impl Outcome {
    /// Reads one for these tasks.
    ///
    /// # Errors
    /// A fault in the file, with its line; a number that cannot be; a model that is named and not there, or a need that a task has and a
    /// model has no chance for.
    pub fn parse(file: &str, text: &str, tasks: &Tasks) -> Result<Outcome, PolicyError> {
        let outcome: Outcome = read(file, text)?;
        let fault = |key: &str, reason: String| {
            let line = 1 + text.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0);
            PolicyError { file: file.to_owned(), line, reason }
        };
        let (o, link) = (&outcome, &outcome.link);
        for (key, value) in [
            ("every_s", o.every_s),
            ("give_up_s", o.give_up_s),
            ("hedge_s", o.hedge_s),
            ("stall_s", o.stall_s),
            ("rtt_ms", link.rtt_ms),
            ("chunk_mbit", link.chunk_mbit),
            ("gap_s", link.gap_s),
            ("up_share", link.up_share),
            ("mean_s", o.cuts.mean_s),
        ] {
            if !(value > 0.0 && value < 1e6) {
                return Err(fault(key, format!("{key} is {value}; it is over 0")));
            }
        }
        for (key, value) in [
            ("speaks_s", o.speaks_s),
            ("threshold_kbps", o.threshold_kbps),
            ("queue_ms", link.queue_ms),
            ("recovers_s", link.recovers_s),
        ] {
            if !(0.0..1e6).contains(&value) {
                return Err(fault(key, format!("{key} is {value}; it is 0 or more")));
            }
        }
        for model in &o.model {
            let key = format!("name = \"{}\"", model.name);
            let sound = model.first_token_s >= 0.0 && model.spread >= 0.0 && model.tokens_per_s > 0.0;
            if !(sound
                && model.chances.values().chain(&model.planned).all(|chance| (0.0..=1.0).contains(chance)))
            {
                return Err(fault(
                    &key,
                    "its times are 0 or more, its rates over 0, its chances 0 to 1".into(),
                ));
            }
            let missing = tasks
                .task
                .iter()
                .flat_map(|task| &task.needs)
                .find(|need| !model.chances.contains_key(*need));
            if let Some(need) = missing {
                return Err(fault(&key, format!("a task needs '{need}', and chances has no such key")));
            }
        }
        for (key, name) in [("cloud", &o.cloud), ("local", &o.local)] {
            if o.model(name).is_none() {
                return Err(fault(key, format!("there is no model '{name}' below")));
            }
        }
        Ok(outcome)
    }

    /// The one that ships, for these tasks.
    ///
    /// # Errors
    /// The tasks need something that it has no chances for.
    pub fn shipped_for(tasks: &Tasks) -> Result<Outcome, PolicyError> {
        Outcome::parse("outcome.toml", OUTCOME, tasks)
    }

    /// The one that ships, for the tasks that ship.
    pub fn built_in() -> Outcome {
        // Both are compiled in, and a test reads them: this cannot be met at run time.
        Outcome::shipped_for(&Tasks::built_in()).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// Of a model: s to its first token, how much that varies (one standard deviation of its logarithm), tokens/s read and made.
    pub fn pace(&self, name: &str) -> Option<Pace> {
        self.model(name).map(|model| Pace {
            first_token_s: model.first_token_s,
            spread: model.spread,
            prompt_tokens_per_s: model.prompt_tokens_per_s,
            tokens_per_s: model.tokens_per_s,
        })
    }

    /// The models that the policies without a choice ask: the cloud's and the vehicle's.
    pub fn asked(&self) -> [&str; 2] {
        [&self.cloud, &self.local]
    }

    /// Requests come so far apart on average, and a speaker takes so long to ask, s.
    pub fn rhythm_s(&self) -> (f64, f64) {
        (self.every_s, self.speaks_s)
    }

    /// What the threshold wants, kbit/s.
    pub fn threshold_kbps(&self) -> f64 {
        self.threshold_kbps
    }

    pub(crate) fn model(&self, name: &str) -> Option<&ModelTruth> {
        self.model.iter().find(|model| model.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_that_ships_is_half_navigation_and_has_private_tasks_that_say_they_are_public() {
        let tasks = Tasks::built_in();
        let navigation = tasks.task.iter().filter(|task| task.task == Task::Navigation).count();
        assert!(tasks.len() >= 300 && navigation * 2 >= tasks.len(), "{navigation} of {}", tasks.len());
        assert!(tasks.task.iter().filter(|task| task.privacy_in_truth.is_some()).count() >= 5);
        let ids: std::collections::BTreeSet<_> = tasks.task.iter().map(|task| &task.id).collect();
        assert_eq!(ids.len(), tasks.len());
        assert!(Outcome::built_in().model("cloud-large").is_some());
    }

    #[test]
    fn a_world_that_cannot_be_is_refused_with_its_line() {
        let tasks = Tasks::built_in();
        for (from, to, reason) in [
            ("give_up_s = 10.0", "give_up_s = 0.0", "over 0"),
            ("queue_ms = 40.0", "queue_ms = -1.0", "0 or more"),
            ("local = \"smollm2-135m\"", "local = \"none\"", "no model 'none'"),
            ("stall_s = 0.8", "stal_s = 0.8", "stal_s"),
        ] {
            assert!(OUTCOME.contains(from), "{from}");
            let error = Outcome::parse("mine.toml", &OUTCOME.replacen(from, to, 1), &tasks).unwrap_err();
            let line = 1 + OUTCOME[..OUTCOME.find(from).unwrap()].matches('\n').count();
            assert!(error.reason.contains(reason) && error.line == line, "{error}");
        }
        let without = OUTCOME.replacen("eta = 0.02, ", "", 1);
        assert!(Outcome::parse("mine.toml", &without, &tasks).unwrap_err().reason.contains("'eta'"));
        assert!(Tasks::parse("mine.toml", "task = []").is_err());
    }

    #[test]
    fn a_task_is_private_by_what_it_says_or_by_what_it_is() {
        let mut task = Tasks::built_in().task.remove(0);
        let mut of = |said, truth, kind| {
            (task.privacy, task.privacy_in_truth, task.task) = (said, truth, kind);
            (task.is_private(), task.says_private())
        };
        assert_eq!(of(Privacy::Public, None, Task::Dialogue), (false, false));
        assert_eq!(of(Privacy::Public, Some(Privacy::Public), Task::Dialogue), (false, false));
        assert_eq!(of(Privacy::Public, Some(Privacy::Contacts), Task::Dialogue), (true, false));
        assert_eq!(of(Privacy::Messages, None, Task::Dialogue), (true, true));
        assert_eq!(of(Privacy::Public, None, Task::VehicleFunction), (true, true));
        assert_eq!(of(Privacy::Public, None, Task::Unknown), (true, true));
    }

    #[test]
    fn what_is_needed_together_must_all_be_right_unless_the_planner_understands_it() {
        let outcome = Outcome::built_in();
        let needs = ["find".to_owned(), "plan".to_owned()];
        let chance = |name: &str, planned| outcome.model(name).unwrap().chance(&needs, planned);
        assert!((chance("cloud-small", false) - 0.97 * 0.75).abs() < 1e-12);
        assert_eq!(
            (chance("smollm2-135m", true), chance("cloud-small", true)),
            (0.97, chance("cloud-small", false))
        );
        assert_eq!(outcome.model("cloud-small").unwrap().chance(&["nothing".to_owned()], false), 0.0);
    }

    #[test]
    fn what_ships_is_told_as_the_file_has_it() {
        let (tasks, outcome) = (Tasks::built_in(), Outcome::built_in());
        assert_eq!((tasks.len(), tasks.is_empty()), (tasks.task.len(), false));
        let pace =
            Pace { first_token_s: 0.1, spread: 0.1, prompt_tokens_per_s: Some(83.0), tokens_per_s: 22.0 };
        assert_eq!((outcome.pace("smollm2-135m"), outcome.pace("none")), (Some(pace), None));
        assert_eq!(
            (outcome.asked(), outcome.rhythm_s(), outcome.threshold_kbps()),
            (["cloud-large", "smollm2-135m"], (20.0, 2.0), 1000.0)
        );
    }

    #[test]
    fn the_edges_of_a_world_are_taken_and_what_is_beyond_is_not() {
        let tasks = Tasks::built_in();
        let parse = |from: &str, to: &str| {
            assert!(OUTCOME.contains(from), "{from}");
            Outcome::parse("mine.toml", &OUTCOME.replacen(from, to, 1), &tasks)
                .map(drop)
                .map_err(|error| error.reason)
        };
        for (from, to) in [
            ("queue_ms = 40.0", "queue_ms = 0.0"),
            ("give_up_s = 10.0", "give_up_s = 999999.0"),
            ("first_token_s = 0.45", "first_token_s = 0.0"),
            ("spread = 0.1", "spread = 0.0"),
            ("planned = 0.97", "planned = 1.0"),
        ] {
            assert_eq!(parse(from, to), Ok(()), "{to}");
        }
        for (from, to, reason) in [
            ("give_up_s = 10.0", "give_up_s = 1e6", "over 0"),
            ("queue_ms = 40.0", "queue_ms = 1e6", "0 or more"),
            ("first_token_s = 0.45", "first_token_s = -0.1", "its times"),
            ("spread = 0.1", "spread = -0.1", "its times"),
            ("tokens_per_s = 90.0", "tokens_per_s = 0.0", "its times"),
            ("planned = 0.97", "planned = 1.1", "its times"),
            ("cloud = \"cloud-large\"", "cloud = \"none\"", "no model 'none'"),
        ] {
            assert!(parse(from, to).unwrap_err().contains(reason), "{to}");
        }
    }
}
