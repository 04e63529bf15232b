//! Which files are the product's: what they name is code. Tests, examples, measurements and the trace itself name requirements too, and fulfil
//! none.

use std::collections::BTreeSet;

use crate::matrix::File;

/// Folders, wherever they are, whose files are no product code.
const FOLDERS: [&str; 4] = ["tests", "examples", "benches", "bench"];

/// The trace's own files: its tests are about made-up code.
const TRACE: &str = "safety/trace/";

/// The files among these that are no product code.
pub(crate) fn others(files: &[File]) -> BTreeSet<&str> {
    let of_tests: Vec<String> = files.iter().flat_map(test_modules).collect();
    let is_of_tests = |path: &str| {
        of_tests.iter().any(|module| {
            path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    let paths = files.iter().map(|file| file.path.as_str());
    paths.filter(|path| is_of_no_product(path) || is_of_tests(path)).collect()
}

fn is_of_no_product(path: &str) -> bool {
    let mut parts = path.split('/');
    let file = parts.next_back();
    file == Some("tests.rs") || path.starts_with(TRACE) || parts.any(|folder| FOLDERS.contains(&folder))
}

/// Where the modules of a file that are built for tests alone lie, without their ending: `nodes/kit/src/drive`.
fn test_modules(file: &File) -> impl Iterator<Item = String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let own = match name.trim_end_matches(".rs") {
        "lib" | "main" | "mod" => folder.to_owned(),
        module => format!("{folder}/{module}"),
    };
    file.source.test_modules.iter().map(move |module| format!("{own}/{module}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::Source;

    #[test]
    fn tests_examples_measurements_and_the_trace_itself_are_no_product() {
        let product = [
            "nodes/kit/src/tick.rs",
            "nodes/kit/src/latests.rs",
            "nodes/host/src/driven/mod.rs",
            "safety/src/lib.rs",
        ];
        let others_ = [
            "tests/faults/src/class.rs",
            "nodes/kit/tests/contract.rs",
            "nodes/kit/src/turn/tests.rs",
            "nodes/kit/src/turn/tests/talk.rs",
            "nodes/host/examples/lateness.rs",
            "nodes/host/benches/wake.rs",
            "bench/src/main.rs",
            "safety/trace/src/matrix.rs",
            "nodes/host/src/drive.rs",
            "nodes/host/src/drive/slow.rs",
            "nodes/host/src/wake/far/mod.rs",
        ];
        let with =
            |path: &str, text: &str| File { path: path.into(), source: Source::read(text).expect("Rust") };
        let mut files: Vec<File> = product.iter().chain(&others_).map(|path| with(path, "")).collect();
        files.push(with("nodes/host/src/lib.rs", "#[cfg(test)] mod drive; mod driven;"));
        files.push(with("nodes/host/src/wake.rs", "#[cfg(test)] pub(crate) mod far;"));
        assert_eq!(others(&files), BTreeSet::from(others_));
    }
}
