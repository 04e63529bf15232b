//! What a test run said: cargo's messages and libtest's words, as one text.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It passed.
    Passed,
    /// It was left out.
    Ignored,
    /// It failed.
    Failed,
}

/// A test that a run tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The program's source: the file of the crate's root.
    pub root: String,
    /// Modules and function: `rules::tests::a_glance_ends`.
    pub name: String,
    /// How it ended.
    pub status: Status,
}

impl Ran {
    /// The function.
    pub fn function(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }
}

#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    src_path: String,
}

/// The tests of a log: `cargo test --message-format json-render-diagnostics`, both streams in one. A program whose result is not there, as of a
/// run that was broken off, tells of none.
pub fn read(log: &str) -> Vec<Ran> {
    let mut roots = BTreeMap::new();
    let mut ran = Vec::new();
    let mut program: Option<Program> = None;
    for line in log.lines() {
        if line.starts_with("{\"reason\":\"compiler-artifact\"") {
            if let Ok(Artifact { target, executable: Some(executable) }) = serde_json::from_str(line) {
                roots.insert(file_name(&executable).to_owned(), target.src_path);
            }
        } else if let Some(executable) = running(line) {
            program = roots.get(file_name(executable)).map(|root| Program::new(root));
        } else if let Some(open) = &mut program
            && let Some(passed) = open.hear(line)
        {
            ran.extend(program.take().into_iter().flat_map(|program| program.end(passed)));
        }
    }
    ran
}

/// `     Running unittests src/lib.rs (target/debug/deps/troika_kit-0123)`.
fn running(line: &str) -> Option<&str> {
    let told = line.trim_start().strip_prefix("Running ")?;
    told.strip_suffix(')')?.rsplit_once('(').map(|(_, executable)| executable)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What one test program says.
struct Program {
    root: String,
    /// None: its word is not on the line of its name, since the test prints.
    tests: Vec<(String, Option<Status>)>,
    failures: bool,
    failed: Vec<String>,
}

impl Program {
    fn new(root: &str) -> Program {
        Program { root: root.to_owned(), tests: Vec::new(), failures: false, failed: Vec::new() }
    }

    /// Some: the program has ended, and all passed or not.
    fn hear(&mut self, line: &str) -> Option<bool> {
        if let Some(result) = line.strip_prefix("test result: ") {
            return Some(result.starts_with("ok."));
        }
        if let Some((name, word)) = line.strip_prefix("test ").and_then(|test| test.split_once(" ... ")) {
            // `test name - should panic ... ok`
            let name = name.split(" - ").next().unwrap_or(name);
            let status = match word.split([',', ' ']).next() {
                Some("ok") => Some(Status::Passed),
                Some("FAILED") => Some(Status::Failed),
                Some("ignored") => Some(Status::Ignored),
                _ => None,
            };
            if !name.contains(' ') {
                self.tests.push((name.to_owned(), status));
            }
        } else if line == "failures:" {
            self.failures = true;
        } else if self.failures
            && let Some(name) = line.strip_prefix("    ")
        {
            self.failed.push(name.trim().to_owned());
        }
        None
    }

    fn end(self, passed: bool) -> Vec<Ran> {
        let Program { root, tests, failed, .. } = self;
        let each = tests.into_iter().map(|(name, status)| {
            let by_list = if passed || !failed.contains(&name) { Status::Passed } else { Status::Failed };
            Ran { root: root.clone(), status: status.unwrap_or(by_list), name }
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"   Compiling troika-kit v0.1.0
{"reason":"compiler-artifact","package_id":"p","target":{"kind":["lib"],"name":"troika_kit","src_path":"/t/nodes/kit/src/lib.rs","test":true},"profile":{"test":true},"executable":"/t/target/debug/deps/troika_kit-01","fresh":true}
{"reason":"compiler-artifact","package_id":"p","target":{"kind":["lib"],"name":"x","src_path":"/t/x.rs"},"executable":null}
{"reason":"compiler-artifact","package_id":"p","target":{"kind":["test"],"name":"peers","src_path":"/t/tests/peers.rs"},"executable":"/t/target/debug/deps/peers-02"}
     Running unittests src/lib.rs (target/debug/deps/troika_kit-01)

running 3 tests
test tick::tests::one ... ok
test tick::tests::two - should panic ... ok
test tick::tests::three ... ignored, mounts a disk

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/peers.rs (target/debug/deps/peers-02)
test meets ... looking at it
ok
test breaks ... panicked
FAILED

failures:

failures:
    breaks

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
     Running unittests src/lib.rs (target/debug/deps/troika_kit-01)
test tick::tests::one ... ok
"#;

    #[test]
    fn each_test_of_a_run_has_its_end_whether_it_prints_or_not() {
        let told: Vec<(&str, String, Status)> = read(LOG)
            .iter()
            .map(|ran| (file_name(&ran.root), ran.name.clone(), ran.status))
            .map(|(a, b, c)| (if a == "lib.rs" { "kit" } else { "peers" }, b, c))
            .collect();
        let expected = [
            ("kit", "tick::tests::one", Status::Passed),
            ("kit", "tick::tests::two", Status::Passed),
            ("kit", "tick::tests::three", Status::Ignored),
            ("peers", "meets", Status::Passed),
            ("peers", "breaks", Status::Failed),
        ];
        assert_eq!(
            told,
            expected.map(|(root, name, status)| (root, name.to_owned(), status)),
            "and none of the run that broke off"
        );
    }
}
