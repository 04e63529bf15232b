//! What the requirements come from: hazards, unsafe control actions, failures. Data in `safety/analysis/*.toml`; their fields are explained there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::threats::Threats;

/// All of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Analysis {
    /// `hazards.toml`.
    pub hazards: Vec<Hazard>,
    /// The controllers of `control.toml`.
    pub controllers: Vec<Controller>,
    /// Its unsafe control actions.
    pub unsafe_actions: Vec<Unsafe>,
    /// `considered.toml`: the guide words that lead to no hazard.
    pub considered: Vec<Considered>,
    /// `failures.toml`.
    pub failures: Vec<Failure>,
    /// `threats.toml`.
    pub tara: Threats,
}

/// What harms somebody (HARA).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Hazard {
    pub id: String,
    pub function: String,
    pub malfunction: String,
    pub situation: String,
    pub harm: String,
    pub severity: String,
    pub exposure: String,
    pub controllability: String,
    pub goal: Option<String>,
    pub out_of_scope: Option<String>,
    pub note: Option<String>,
}

/// Who controls what (STPA).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Controller {
    pub id: String,
    pub name: String,
    pub process_model: String,
    pub actions: Vec<String>,
}

/// A control action that leads to a hazard (STPA).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Unsafe {
    pub id: String,
    pub controller: String,
    pub action: String,
    #[serde(rename = "type")]
    pub kind: GuideWord,
    pub context: String,
    pub hazard: String,
    pub scenarios: Vec<String>,
    #[serde(default)]
    pub requirements: Vec<String>,
    pub gap: Option<String>,
}

/// How a control action can be unsafe (STPA's four types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[expect(missing_docs, reason = "the method's own words")]
pub enum GuideWord {
    #[serde(rename = "not provided")]
    NotProvided,
    #[serde(rename = "provided")]
    Provided,
    #[serde(rename = "too early/late")]
    TooEarlyOrLate,
    #[serde(rename = "wrong duration")]
    WrongDuration,
}

impl GuideWord {
    /// All of them.
    pub const ALL: [GuideWord; 4] =
        [GuideWord::NotProvided, GuideWord::Provided, GuideWord::TooEarlyOrLate, GuideWord::WrongDuration];

    /// As the files have it.
    pub const fn words(self) -> &'static str {
        match self {
            GuideWord::NotProvided => "not provided",
            GuideWord::Provided => "provided",
            GuideWord::TooEarlyOrLate => "too early/late",
            GuideWord::WrongDuration => "wrong duration",
        }
    }
}

/// Why guide words of an action lead to no hazard.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Considered {
    pub controller: String,
    pub action: String,
    pub why: BTreeMap<GuideWord, String>,
}

/// How a part fails (FMEA).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Failure {
    pub id: String,
    pub node: String,
    pub mode: String,
    pub cause: String,
    pub effect: String,
    pub detection: String,
    pub reaction: String,
    #[serde(default)]
    pub requirements: Vec<String>,
    pub accepted: Option<String>,
    pub gap: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hazards {
    hazard: Vec<Hazard>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    controller: Vec<Controller>,
    r#unsafe: Vec<Unsafe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllConsidered {
    considered: Vec<Considered>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failures {
    failure: Vec<Failure>,
}

impl Analysis {
    /// Reads the folder.
    ///
    /// # Errors
    /// A file that is not there, or not as it must be, with its line.
    pub fn read(folder: &Path) -> anyhow::Result<Analysis> {
        let Hazards { hazard } = file(&folder.join("hazards.toml"))?;
        let Control { controller, r#unsafe } = file(&folder.join("control.toml"))?;
        let AllConsidered { considered } = file(&folder.join("considered.toml"))?;
        let Failures { failure } = file(&folder.join("failures.toml"))?;
        let tara = Threats::read(&folder.join("threats.toml"))?;
        Ok(Analysis {
            hazards: hazard,
            controllers: controller,
            unsafe_actions: r#unsafe,
            considered,
            failures: failure,
            tara,
        })
    }

    /// What leads to a requirement.
    pub fn leading_to(&self, requirement: &str) -> Vec<String> {
        let names = |all: &[String]| all.iter().any(|one| one == requirement);
        let actions = self.unsafe_actions.iter().filter(|one| names(&one.requirements)).map(|one| &one.id);
        let failures = self.failures.iter().filter(|one| names(&one.requirements)).map(|one| &one.id);
        let threats = self.tara.threats.iter().filter(|one| names(&one.requirements)).map(|one| &one.id);
        actions.chain(failures).chain(threats).cloned().collect()
    }

    /// What nothing answers, or not wholly.
    pub fn gaps(&self) -> impl Iterator<Item = (&str, &str)> {
        let failures = self.failures.iter().map(|failure| (&failure.id, &failure.gap));
        let all = failures.chain(self.unsafe_actions.iter().map(|action| (&action.id, &action.gap)));
        let all = all.chain(self.tara.threats.iter().map(|threat| (&threat.id, &threat.gap)));
        all.filter_map(|(id, gap)| Some((id.as_str(), gap.as_deref()?)))
    }

    /// What does not fit together. `exists`: whether a file is there, from the repository's top.
    pub fn problems(
        &self,
        goals: &[&str],
        requirements: &[&str],
        exists: &dyn Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        let mut ids = BTreeSet::new();
        problems.extend(self.not_considered());
        let all = self.hazards.iter().map(|one| &one.id).chain(self.controllers.iter().map(|one| &one.id));
        let all = all.chain(self.unsafe_actions.iter().map(|one| &one.id));
        for id in all.chain(self.failures.iter().map(|one| &one.id)) {
            if !ids.insert(id) {
                problems.push(format!("{id}: used twice"));
            }
        }
        for hazard in &self.hazards {
            match (&hazard.goal, &hazard.out_of_scope) {
                (Some(goal), None) if goals.contains(&goal.as_str()) => {}
                (Some(goal), None) => problems.push(format!("{}: there is no goal {goal}", hazard.id)),
                (None, Some(_)) => {}
                _ => problems.push(format!("{}: either `goal` or `out_of_scope`", hazard.id)),
            }
        }
        for hazard in self.hazards.iter().filter(|hazard| hazard.goal.is_some()) {
            if !self.unsafe_actions.iter().any(|one| one.hazard == hazard.id) {
                problems.push(format!("{}: no unsafe control action leads to it", hazard.id));
            }
        }
        for goal in goals {
            if !self.hazards.iter().any(|hazard| hazard.goal.as_deref() == Some(goal)) {
                problems.push(format!("{goal}: no hazard leads to it"));
            }
        }
        for one in &self.unsafe_actions {
            let actions = self.controllers.iter().filter(|controller| controller.id == one.controller);
            if !actions.flat_map(|controller| &controller.actions).any(|action| *action == one.action) {
                problems.push(format!("{}: {} has no action \"{}\"", one.id, one.controller, one.action));
            }
            if !self.hazards.iter().any(|hazard| hazard.id == one.hazard) {
                problems.push(format!("{}: there is no hazard {}", one.id, one.hazard));
            }
            if one.requirements.is_empty() && one.gap.is_none() {
                problems.push(format!("{}: neither requirements nor `gap`", one.id));
            }
        }
        for one in &self.failures {
            if one.requirements.is_empty() && one.accepted.is_none() && one.gap.is_none() {
                problems.push(format!("{}: neither requirements, nor `accepted`, nor `gap`", one.id));
            }
        }
        let named =
            self.unsafe_actions.iter().flat_map(|one| one.requirements.iter().map(|id| (&one.id, id)));
        let named =
            named.chain(self.failures.iter().flat_map(|one| one.requirements.iter().map(|id| (&one.id, id))));
        for (of, id) in named {
            if !requirements.contains(&id.as_str()) {
                problems.push(format!("{of}: there is no requirement {id}"));
            }
        }
        let hazards: Vec<&str> = self.hazards.iter().map(|hazard| hazard.id.as_str()).collect();
        problems.extend(self.tara.problems(&hazards, requirements, exists));
        problems
    }

    /// Each action of each controller has all four guide words: an unsafe action of that type, or a reason why there is none.
    fn not_considered(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut reasons = BTreeMap::new();
        for one in &self.considered {
            let known = self.controllers.iter().any(|controller| {
                controller.id == one.controller && controller.actions.contains(&one.action)
            });
            if !known {
                problems
                    .push(format!("considered.toml: {} has no action \"{}\"", one.controller, one.action));
            }
            if reasons.insert((&one.controller, &one.action), &one.why).is_some() {
                problems.push(format!("considered.toml: {} \"{}\" twice", one.controller, one.action));
            }
        }
        for controller in &self.controllers {
            for action in &controller.actions {
                for word in GuideWord::ALL {
                    let of = |one: &&Unsafe| one.controller == controller.id && one.action == *action;
                    let is_unsafe = self.unsafe_actions.iter().filter(of).any(|one| one.kind == word);
                    let why = reasons.get(&(&controller.id, action)).and_then(|why| why.get(&word));
                    let what = match (is_unsafe, why.map(|why| !why.is_empty())) {
                        (true, None) | (false, Some(true)) => continue,
                        (true, Some(_)) => "is unsafe, and considered.toml says why it is not",
                        (false, Some(false)) => "has an empty reason in considered.toml",
                        (false, None) => {
                            "was not considered: an [[unsafe]] in control.toml, or why there is none in considered.toml"
                        }
                    };
                    problems.push(format!("{} \"{action}\" {}: {what}", controller.id, word.words()));
                }
            }
        }
        problems
    }
}

pub(crate) fn file<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(requirements: &[&str], accepted: Option<&str>) -> Failure {
        Failure {
            id: "FM-CAM-01".into(),
            node: "camera".into(),
            mode: "dead".into(),
            cause: "cable".into(),
            effect: "no frames".into(),
            detection: "no frame".into(),
            reaction: "unknown".into(),
            requirements: requirements.iter().map(|one| (*one).to_owned()).collect(),
            accepted: accepted.map(str::to_owned),
            gap: None,
        }
    }

    #[test]
    fn what_names_something_that_is_not_there_is_told() {
        let with = |failures: Vec<Failure>| {
            Analysis { failures, ..Analysis::default() }.problems(&[], &["SR-DMS-007"], &|_| true)
        };
        assert_eq!(with(vec![failure(&["SR-DMS-007"], None),]), Vec::<String>::new());
        assert_eq!(
            with(vec![failure(&["SR-DMS-099"], None)]),
            ["FM-CAM-01: there is no requirement SR-DMS-099"]
        );
        assert_eq!(
            with(vec![failure(&[], None)]),
            ["FM-CAM-01: neither requirements, nor `accepted`, nor `gap`"]
        );
        assert_eq!(with(vec![failure(&[], Some("x")); 2]), ["FM-CAM-01: used twice"]);
        assert_eq!(Analysis::default().problems(&["SG-1"], &[], &|_| true), ["SG-1: no hazard leads to it"]);
    }

    #[test]
    fn each_action_has_all_four_guide_words_as_an_unsafe_action_or_with_a_reason_and_not_both() {
        let controller = Controller {
            id: "router".into(),
            name: "router".into(),
            process_model: "the link".into(),
            actions: vec!["decide".into()],
        };
        let decides = |kind| Unsafe {
            id: "UCA-01".into(),
            controller: "router".into(),
            action: "decide".into(),
            kind,
            context: "private".into(),
            hazard: "HZ-16".into(),
            scenarios: Vec::new(),
            requirements: Vec::new(),
            gap: Some("all".into()),
        };
        let because = |action: &str, words: &[GuideWord]| Considered {
            controller: "router".into(),
            action: action.into(),
            why: words.iter().map(|word| (*word, "the vehicle answers".to_owned())).collect(),
        };
        let with = |considered: Vec<Considered>| {
            let analysis = Analysis {
                controllers: vec![controller.clone()],
                unsafe_actions: vec![decides(GuideWord::Provided)],
                considered,
                ..Analysis::default()
            };
            analysis.not_considered()
        };
        let [not, provided, timing, duration] = GuideWord::ALL;
        assert_eq!(with(vec![because("decide", &[not, timing, duration])]), Vec::<String>::new());
        let missing = with(vec![because("decide", &[not, timing])]);
        assert!(
            missing.len() == 1 && missing[0].contains("wrong duration: was not considered"),
            "{missing:?}"
        );
        let both = with(vec![because("decide", &GuideWord::ALL)]);
        assert!(both.len() == 1 && both[0].contains(provided.words()), "{both:?}");
        let other = with(vec![because("decide", &[not, timing, duration]), because("sing", &[not])]);
        assert_eq!(other, ["considered.toml: router has no action \"sing\""]);
        let mut empty = because("decide", &[not, timing, duration]);
        empty.why.insert(not, String::new());
        assert!(with(vec![empty])[0].contains("empty reason"));
    }

    #[test]
    fn a_hazard_that_has_a_goal_and_no_unsafe_control_action_is_told() {
        let text = r#"
            [[hazard]]
            id = "HZ-28"
            function = "supervision"
            malfunction = "lost"
            situation = "any"
            harm = "as HZ-05"
            severity = "S3"
            exposure = "E3"
            controllability = "C2"
            goal = "SG-5"
        "#;
        let Hazards { hazard } = toml::from_str(text).expect("a hazard");
        let analysis = Analysis { hazards: hazard, ..Analysis::default() };
        assert_eq!(
            analysis.problems(&["SG-5"], &[], &|_| true),
            ["HZ-28: no unsafe control action leads to it"]
        );
    }

    fn hazard(goal: &str) -> Hazard {
        let text = format!(
            "id = 'HZ-28'\nfunction = 'f'\nmalfunction = 'm'\nsituation = 's'\nharm = 'h'\nseverity = 'S3'\nexposure = 'E3'\n\
             controllability = 'C2'\ngoal = '{goal}'"
        );
        toml::from_str(&text).expect("a hazard")
    }

    #[test]
    fn what_leads_to_a_requirement_and_what_nothing_answers_are_told_by_their_ids() {
        let open = Failure { gap: Some("nobody looks".into()), ..failure(&["SR-DMS-007"], None) };
        let analysis = Analysis { failures: vec![open], ..Analysis::default() };
        assert_eq!(analysis.leading_to("SR-DMS-007"), ["FM-CAM-01"]);
        assert_eq!(analysis.leading_to("SR-DMS-006"), Vec::<String>::new());
        assert_eq!(analysis.gaps().collect::<Vec<_>>(), [("FM-CAM-01", "nobody looks")]);
        let closed = Analysis { failures: vec![failure(&["SR-DMS-007"], None)], ..Analysis::default() };
        assert_eq!(closed.gaps().count(), 0);
    }

    #[test]
    fn a_hazard_of_no_goal_and_an_action_that_nobody_has_or_that_leads_nowhere_are_told() {
        let action = Unsafe {
            id: "UCA-01".into(),
            controller: "router".into(),
            action: "decide".into(),
            kind: GuideWord::Provided,
            context: "private".into(),
            hazard: "HZ-28".into(),
            scenarios: Vec::new(),
            requirements: Vec::new(),
            gap: Some("all".into()),
        };
        let controller = |action: &str| Controller {
            id: "router".into(),
            name: "router".into(),
            process_model: "the link".into(),
            actions: vec![action.to_owned()],
        };
        let told = |goal: &str, actions: &str, leads_to: &str| {
            let analysis = Analysis {
                hazards: vec![hazard(goal)],
                controllers: vec![controller(actions)],
                unsafe_actions: vec![Unsafe { hazard: leads_to.into(), ..action.clone() }],
                ..Analysis::default()
            };
            analysis.problems(&["SG-5"], &[], &|_| true)
        };
        let has = |told: Vec<String>, wanted: &str| {
            assert!(told.iter().any(|one| one == wanted), "{wanted}: {told:?}")
        };
        has(told("SG-9", "decide", "HZ-28"), "HZ-28: there is no goal SG-9");
        has(told("SG-9", "decide", "HZ-28"), "SG-5: no hazard leads to it");
        has(told("SG-5", "sing", "HZ-28"), "UCA-01: router has no action \"decide\"");
        has(told("SG-5", "decide", "HZ-99"), "UCA-01: there is no hazard HZ-99");
        let right = told("SG-5", "decide", "HZ-28");
        assert!(!right.iter().any(|one| one.starts_with("HZ-28") || one.starts_with("SG-5")), "{right:?}");
        assert!(!right.iter().any(|one| one.contains("no action") || one.contains("no hazard")), "{right:?}");
    }

    #[test]
    fn the_analysis_of_this_repository_fits_together() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = top.join("safety/analysis");
        let analysis = Analysis::read(&folder).expect("it can be read");
        let ids: Vec<&str> = troika_safety::ALL.iter().map(troika_safety::Requirement::id).collect();
        let goals: Vec<&str> = troika_safety::GOALS.iter().map(|goal| goal.id).collect();
        assert_eq!(analysis.problems(&goals, &ids, &|file| top.join(file).is_file()), Vec::<String>::new());
    }
}
