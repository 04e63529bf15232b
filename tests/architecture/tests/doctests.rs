//! rustdoc goes through a whole crate before it finds that there is nothing to test in it. So it is left out where there is nothing
//! (`doctest = false`), and this sees to it that no example in a comment is left out with it.

use std::{fs, path::Path};

use cargo_metadata::MetadataCommand;

#[test]
fn an_example_in_a_comment_is_tested_and_nothing_is_looked_for_where_there_is_none() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata works in the workspace");
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some(library) = package.targets.iter().find(|target| target.is_lib()) else { continue };
        let folder = library.src_path.parent().expect("a file is in a folder");
        let examples = examples(folder.as_std_path());
        match (examples > 0, library.doctest) {
            (true, false) => wrong.push(format!("{}: {examples} examples are not tested", package.name)),
            (false, true) => wrong.push(format!("{}: [lib] doctest = false", package.name)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Blocks of Rust in the comments below a folder.
fn examples(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => examples(&path),
                Some("rs") => blocks(&fs::read_to_string(&path).expect("text")),
                _ => 0,
            }
        })
        .sum()
}

fn blocks(text: &str) -> usize {
    let fences = text.lines().filter_map(|line| {
        let comment = line.trim_start();
        comment.strip_prefix("///").or_else(|| comment.strip_prefix("//!"))?.trim_start().strip_prefix("```")
    });
    let (mut inside, mut count) = (false, 0);
    for fence in fences {
        // What a fence says first is its language; Rust where it says none.
        let language = fence.split(',').next().unwrap_or_default().trim();
        if !inside && matches!(language, "" | "rust" | "no_run" | "should_panic" | "compile_fail" | "ignore")
        {
            count += 1;
        }
        inside = !inside;
    }
    count
}

#[test]
fn blocks_of_rust_are_counted_and_others_are_not() {
    assert_eq!(blocks("/// ```\n/// let a = 1;\n/// ```\n"), 1);
    assert_eq!(blocks("//! ```text\n//! a\n//! ```\n    /// ```rust,no_run\n    /// ```\n// ```\n"), 1);
}
