//! Reads every `requirements/*.toml` and writes one Rust constant per requirement.

use std::{env, fmt::Write as _, fs, path::PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Goal {
    goal: GoalHead,
    requirement: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoalHead {
    id: String,
    text: String,
    rationale: String,
    safe_state: String,
    fault_tolerant_time: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    id: String,
    text: String,
    rationale: String,
    source: String,
    verification: Verification,
    /// Of an analysis or an inspection: the file that holds it.
    evidence: Option<String>,
}

#[derive(Deserialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Verification {
    Test,
    Analysis,
    Inspection,
}

fn main() {
    println!("cargo::rerun-if-changed=requirements");
    let mut files: Vec<PathBuf> = fs::read_dir("requirements")
        .expect("safety/requirements is a folder")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "toml"))
        .collect();
    files.sort();

    let mut code = String::new();
    let mut all = Vec::new();
    let mut goals = String::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let goal: Goal = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(
            ![&goal.goal.text, &goal.goal.rationale, &goal.goal.safe_state, &goal.goal.fault_tolerant_time]
                .into_iter()
                .any(|text| text.trim().is_empty()),
            "{}: a goal has a text, a rationale, a safe state and a fault-tolerant time",
            goal.goal.id
        );
        write!(
            goals,
            "Goal {{ id: {:?}, text: {:?}, rationale: {:?}, safe_state: {:?}, fault_tolerant_time: {:?} }}, ",
            goal.goal.id,
            goal.goal.text.trim(),
            goal.goal.rationale.trim(),
            goal.goal.safe_state.trim(),
            goal.goal.fault_tolerant_time.trim(),
        )
        .expect("writing to a string");
        for requirement in goal.requirement {
            let name = requirement.id.replace('-', "_");
            assert!(
                name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'),
                "{}: an id is capitals, digits and dashes",
                requirement.id
            );
            assert!(!all.contains(&name), "{}: id used twice", requirement.id);
            assert!(
                !requirement.rationale.is_empty() && !requirement.source.is_empty(),
                "{}",
                requirement.id
            );
            assert_eq!(
                requirement.evidence.is_none(),
                requirement.verification == Verification::Test,
                "{}: `evidence` names the file of an analysis or inspection, and stands nowhere else",
                requirement.id
            );
            writeln!(
                code,
                "/// {text} ({verification:?}). Source: {source}.\npub const {name}: Requirement = Requirement {{ id: {id:?}, goal: {goal:?}, \
                 text: {text:?}, rationale: {rationale:?}, source: {source:?}, verification: Verification::{verification:?}, evidence: {evidence:?} }};",
                text = requirement.text.trim(),
                verification = requirement.verification,
                source = requirement.source,
                id = requirement.id,
                goal = goal.goal.id,
                rationale = requirement.rationale.trim(),
                evidence = requirement.evidence.as_deref().unwrap_or_default(),
            )
            .expect("writing to a string");
            all.push(name);
        }
    }
    writeln!(code, "/// Every goal, in file order.\npub const GOALS: &[Goal] = &[{goals}];")
        .expect("writing to a string");
    writeln!(
        code,
        "/// Every requirement, in file order.\npub const ALL: &[Requirement] = &[{}];",
        all.join(", ")
    )
    .expect("writing to a string");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("requirements.rs");
    fs::write(&out, code).expect("OUT_DIR is writable");
}
