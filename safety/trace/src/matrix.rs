//! The join: requirements, who names them, who verifies them, and how that went.

use std::collections::BTreeSet;

use serde::Serialize;
use troika_safety::{Goal, Requirement, Verification};

use crate::{
    analysis::Analysis,
    declared::{Declared, Source},
    product,
    ran::{Ran, Status},
};

/// A source file of the repository.
#[derive(Debug, Clone)]
pub struct File {
    /// From the repository's top: `nodes/kit/src/tick.rs`.
    pub path: String,
    /// What it says.
    pub source: Source,
}

/// All that is joined.
pub struct Inputs<'a> {
    /// What there is to fulfil.
    pub goals: &'a [Goal],
    /// In file order.
    pub requirements: &'a [Requirement],
    /// The sources.
    pub files: &'a [File],
    /// Folders with a package in them, from the top; "" is the top.
    pub packages: &'a [String],
    /// The tests that ran; their roots from the top.
    pub ran: &'a [Ran],
    /// Where the requirements come from.
    pub analysis: &'a Analysis,
    /// Whether a file is there.
    pub exists: &'a dyn Fn(&str) -> bool,
}

/// How a test that says what it verifies went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was left out.
    Ignored,
    /// No run tells of it.
    NotRun,
}

/// A test in the matrix.
#[derive(Debug, Clone, Serialize)]
pub struct Test {
    /// Its function.
    pub name: String,
    /// `path:line`.
    pub at: String,
    /// How it went.
    pub outcome: Outcome,
}

/// A requirement in the matrix.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// For example `SR-DMS-002`.
    pub id: &'static str,
    /// Its goal.
    pub goal: &'static str,
    /// Its sentence.
    pub text: &'static str,
    /// Why.
    pub rationale: &'static str,
    /// Where it is from.
    pub source: &'static str,
    /// `test`, `analysis`, `inspection`.
    pub verification: &'static str,
    /// The file of an analysis or inspection.
    pub evidence: &'static str,
    /// Where code of the product names it: `path:line`.
    pub code: Vec<String>,
    /// What verifies it.
    pub tests: Vec<Test>,
    /// What of the analysis leads to it.
    pub from: Vec<String>,
    /// It is shown to hold.
    pub shown: bool,
}

/// The whole.
#[derive(Debug, Clone, Serialize)]
pub struct Matrix {
    /// The source that the logs are of: its commit, and a digest of what differs from it.
    pub source: String,
    /// In file order.
    pub requirements: Vec<Row>,
    /// Hazards, unsafe actions, failures and threats, with their goals and requirements.
    pub analysis: Analysis,
    /// What is wrong; nothing: all requirements are shown to hold, by tests of code that names them.
    pub problems: Vec<String>,
}

impl Matrix {
    /// Joins all of it.
    pub fn join(inputs: &Inputs, source: &str) -> Matrix {
        let mut problems = Vec::new();
        let known: BTreeSet<String> = inputs.requirements.iter().map(constant).collect();
        let mut tests = Vec::new();
        let others = product::others(inputs.files);
        for file in inputs.files {
            for line in &file.source.astray {
                problems.push(format!("{}:{line}: `verifies!` stands in no test", file.path));
            }
            let is_product = !others.contains(file.path.as_str());
            for line in lines_astray(&file.source, is_product) {
                problems.push(format!("{}:{line}: `fulfils!` stands in no product code", file.path));
            }
            for (id, line) in file.source.fulfils.iter().filter(|(id, _)| !known.contains(id)) {
                problems.push(format!("{}:{line}: there is no requirement {id}", file.path));
            }
            for declared in &file.source.tests {
                for id in declared.ids.iter().filter(|id| !known.contains(*id)) {
                    problems.push(format!("{}:{}: there is no requirement {id}", file.path, declared.line));
                }
                let outcome = outcome(inputs, &file.path, declared);
                let at = format!("{}:{}", file.path, declared.line);
                if outcome != Outcome::Passed {
                    problems.push(format!("{at}: {} {}", declared.test, in_words(outcome)));
                }
                tests.push((declared, Test { name: declared.test.clone(), at, outcome }));
            }
        }
        let requirements = inputs.requirements.iter().map(|requirement| {
            let id = constant(requirement);
            let own = tests.iter().filter(|(declared, _)| declared.ids.contains(&id));
            let own: Vec<Test> = own.map(|(_, test)| test.clone()).collect();
            let shown = match requirement.verification() {
                Verification::Test => {
                    !own.is_empty() && own.iter().all(|test| test.outcome == Outcome::Passed)
                }
                Verification::Analysis | Verification::Inspection => (inputs.exists)(requirement.evidence()),
            };
            if !shown {
                problems.push(missing(requirement, &own));
            }
            let code = code(inputs.files, &others, &id);
            if code.is_empty() && requirement.verification() == Verification::Test {
                problems.push(format!("{}: {NO_CODE}", requirement.id()));
            }
            Row {
                id: requirement.id(),
                goal: requirement.goal(),
                text: requirement.text(),
                rationale: requirement.rationale(),
                source: requirement.source(),
                verification: match requirement.verification() {
                    Verification::Test => "test",
                    Verification::Analysis => "analysis",
                    Verification::Inspection => "inspection",
                },
                evidence: requirement.evidence(),
                code,
                tests: own,
                from: inputs.analysis.leading_to(requirement.id()),
                shown,
            }
        });
        let requirements = requirements.collect();
        let ids: Vec<&str> = inputs.requirements.iter().map(Requirement::id).collect();
        let goals: Vec<&str> = inputs.goals.iter().map(|goal| goal.id).collect();
        problems.extend(inputs.analysis.problems(&goals, &ids, inputs.exists));
        Matrix { source: source.to_owned(), requirements, analysis: inputs.analysis.clone(), problems }
    }
}

/// The constant of a requirement.
fn constant(requirement: &Requirement) -> String {
    requirement.id().replace('-', "_")
}

/// What is wrong with a requirement that tests verify and that no code of the product names.
const NO_CODE: &str =
    "no product code says that it fulfils it (`fulfils!`, or a node's contract); tests and examples are none";

/// Lines of a `fulfils!` outside of the product's code: none of such a file's is in its place.
fn lines_astray(source: &Source, is_product: bool) -> BTreeSet<usize> {
    let all = source.fulfils.iter().map(|(_, line)| *line).filter(|_| !is_product);
    all.chain(source.fulfils_astray.iter().copied()).collect()
}

fn code(files: &[File], others: &BTreeSet<&str>, id: &str) -> Vec<String> {
    let product = files.iter().filter(|file| !others.contains(file.path.as_str()));
    let here = product.flat_map(|file| {
        let names = file.source.names.iter().filter(|(name, _)| name == id);
        names.map(|(_, line)| format!("{}:{line}", file.path))
    });
    here.collect()
}

fn missing(requirement: &Requirement, tests: &[Test]) -> String {
    let id = requirement.id();
    match requirement.verification() {
        Verification::Test if tests.is_empty() => format!("{id}: no test says that it verifies it"),
        Verification::Test => format!("{id}: not all of its tests passed"),
        Verification::Analysis | Verification::Inspection => {
            format!("{id}: its evidence {} is not there", requirement.evidence())
        }
    }
}

fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Ignored => "was left out of the run",
        Outcome::NotRun => "is not in the run: no suite runs it, or the run was broken off",
    }
}

/// How a test went. Found by its function's name in its package; where several have that name, by the file.
fn outcome(inputs: &Inputs, path: &str, declared: &Declared) -> Outcome {
    let package = package_of(inputs.packages, path);
    let same: Vec<&Ran> = inputs
        .ran
        .iter()
        .filter(|ran| ran.function() == declared.test && package_of(inputs.packages, &ran.root) == package)
        .collect();
    let names: BTreeSet<(&str, &str)> =
        same.iter().map(|ran| (ran.root.as_str(), ran.name.as_str())).collect();
    let several = names.len() > 1;
    let of_file = |ran: &&&Ran| {
        !several || ran.root == path || ran.name.split("::").any(|module| module == module_of(path))
    };
    let own: Vec<&&Ran> = same.iter().filter(of_file).collect();
    let some = |status| own.iter().any(|ran| ran.status == status);
    if some(Status::Failed) {
        Outcome::Failed
    } else if some(Status::Passed) {
        Outcome::Passed
    } else if some(Status::Ignored) {
        Outcome::Ignored
    } else {
        Outcome::NotRun
    }
}

/// The innermost folder with a package that the file is in.
fn package_of<'a>(packages: &'a [String], path: &str) -> Option<&'a str> {
    let holds = |package: &&String| {
        package.is_empty() || path.strip_prefix(package.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    packages.iter().filter(holds).max_by_key(|package| package.len()).map(String::as_str)
}

/// The module that a file is: `src/rules/glance.rs` is `glance`, `src/turn/tests.rs` is of `turn`.
fn module_of(path: &str) -> &str {
    let mut parts = path.trim_end_matches(".rs").rsplit('/');
    match parts.next().unwrap_or_default() {
        "mod" | "tests" | "main" | "lib" => parts.next().unwrap_or_default(),
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use troika_safety::{ALL, GOALS};

    use super::*;

    const TEXT: &str = "fulfils![SR_TIM_001]; #[test] fn one() { verifies![SR_TIM_001]; }";

    /// The matrix of one requirement, a file of this text, and runs of its test that ended so.
    fn join(text: &str, path: &str, ran: &[(&str, &str, Status)]) -> Matrix {
        let files = [File { path: path.into(), source: Source::read(text).expect("Rust") }];
        let ran: Vec<Ran> = ran
            .iter()
            .map(|(root, name, status)| Ran { root: (*root).into(), name: (*name).into(), status: *status })
            .collect();
        let inputs = Inputs {
            goals: &GOALS[..0],
            requirements: &ALL[..1],
            files: &files,
            packages: &["nodes/kit".into(), "nodes/host".into(), "nodes/host/arena".into()],
            ran: &ran,
            analysis: &Analysis::default(),
            exists: &|_| false,
        };
        Matrix::join(&inputs, "c0ffee")
    }

    #[test]
    fn a_requirement_is_shown_where_its_test_passed_and_nowhere_else() {
        assert_eq!(ALL[0].id(), "SR-TIM-001");
        let (path, root) = ("nodes/kit/src/tick.rs", "nodes/kit/src/lib.rs");
        let matrix = join(TEXT, path, &[(root, "tick::tests::one", Status::Passed)]);
        assert!(matrix.problems.is_empty() && matrix.requirements[0].shown, "{:?}", matrix.problems);
        let with = |ran: &[(&str, &str, Status)]| {
            let matrix = join(TEXT, path, ran);
            assert!(!matrix.requirements[0].shown);
            matrix.problems.join("\n")
        };
        assert!(with(&[]).contains("is not in the run"));
        assert!(with(&[(root, "tick::tests::one", Status::Ignored)]).contains("was left out"));
        assert!(with(&[(root, "tick::tests::one", Status::Failed)]).contains("one failed"));
        assert!(
            with(&[("nodes/host/src/lib.rs", "tests::one", Status::Passed)]).contains("is not in the run")
        );
        let both = [(root, "tick::tests::one", Status::Passed), (root, "tick::tests::one", Status::Failed)];
        assert!(with(&both).contains("one failed"), "a test that failed once failed");
    }

    #[test]
    fn a_test_that_is_removed_and_an_id_that_is_none_are_problems() {
        let (path, root) = ("nodes/kit/src/tick.rs", "nodes/kit/src/lib.rs");
        let removed = join(
            "fulfils![SR_TIM_001]; #[test] fn one() {}",
            path,
            &[(root, "tick::tests::one", Status::Passed)],
        );
        assert_eq!(removed.problems, ["SR-TIM-001: no test says that it verifies it"]);
        let unknown =
            "fulfils![SR_TIM_001, SR_NO_002];\n#[test] fn one() { verifies![SR_TIM_001, SR_NO_001]; }";
        let unknown = join(unknown, path, &[(root, "tick::tests::one", Status::Passed)]);
        let told = [
            "nodes/kit/src/tick.rs:1: there is no requirement SR_NO_002",
            "nodes/kit/src/tick.rs:2: there is no requirement SR_NO_001",
        ];
        assert_eq!(unknown.problems, told);
        let astray = join("fn one() { verifies![SR_TIM_001]; }", path, &[]);
        assert!(astray.problems[0].contains("stands in no test"), "{:?}", astray.problems);
    }

    #[test]
    fn a_requirement_that_no_product_code_names_is_a_problem_whatever_its_tests_say() {
        let (root, verified) = ("nodes/kit/src/lib.rs", "#[test] fn one() { verifies![SR_TIM_001]; }");
        let ran = [(root, "tick::tests::one", Status::Passed)];
        let problems = |text: &str, path: &str| {
            let matrix = join(&format!("{text}\n{verified}"), path, &ran);
            assert!(matrix.requirements[0].shown, "its test passed");
            assert_eq!(matrix.requirements[0].code.is_empty(), !matrix.problems.is_empty());
            matrix.problems
        };
        let none = [format!("SR-TIM-001: {NO_CODE}")];
        let (path, in_tests) = ("nodes/kit/src/tick.rs", "nodes/kit/src/tick/tests.rs");
        assert_eq!(problems("", path), none);
        assert_eq!(problems("#[cfg(test)] mod tests { const ONE: R = sr::SR_TIM_001; }", path), none);
        assert_eq!(problems("const ONE: R = sr::SR_TIM_001;", in_tests), none);
        assert!(problems("const CONTRACT: C = C { requirements: &[sr::SR_TIM_001] };", path).is_empty());
        assert!(problems("fn gate() { troika_safety::fulfils![SR_TIM_001]; }", path).is_empty());

        let astray = |path: &str| format!("{path}:1: `fulfils!` stands in no product code");
        let said = "fn helper() { fulfils![SR_TIM_001]; }";
        assert_eq!(problems(said, in_tests), [astray(in_tests), none[0].clone()]);
        let inside = format!("#[cfg(test)] mod tests {{ {said} }}");
        assert_eq!(problems(&inside, path), [astray(path), none[0].clone()]);
    }

    #[test]
    fn two_tests_of_one_name_are_told_apart_by_their_file() {
        let root = "nodes/host/arena/src/lib.rs";
        let ran = [(root, "a::tests::one", Status::Failed), (root, "b::tests::one", Status::Passed)];
        assert_eq!(
            join(TEXT, "nodes/host/arena/src/b.rs", &ran).requirements[0].tests[0].outcome,
            Outcome::Passed
        );
        assert_eq!(
            join(TEXT, "nodes/host/arena/src/a.rs", &ran).requirements[0].tests[0].outcome,
            Outcome::Failed
        );
        assert_eq!(module_of("nodes/dialogue/src/turn/tests.rs"), "turn");
    }
}
