//! The repository: its packages, and the sources that have something to say here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{declared::Source, matrix::File};

/// What all of a repository's sources say.
pub struct Tree {
    top: PathBuf,
    /// Those that name a requirement, or say of another file that it is for tests.
    pub files: Vec<File>,
    /// Folders with a package in them, from the top.
    pub packages: Vec<String>,
}

impl Tree {
    /// Reads it.
    ///
    /// # Errors
    /// A file that cannot be read, or is no Rust.
    pub fn read(top: &Path) -> anyhow::Result<Tree> {
        let mut tree = Tree { top: top.to_owned(), files: Vec::new(), packages: Vec::new() };
        tree.walk(top)?;
        Ok(tree)
    }

    fn walk(&mut self, folder: &Path) -> anyhow::Result<()> {
        let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        let mut entries: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
        entries.sort();
        for path in entries {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if path.is_dir() {
                self.walk(&path)?;
            } else if name == "Cargo.toml" {
                self.packages.push(from_top(folder, &self.top));
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                // Reading all tokens of all files takes a while; most have nothing to say.
                if ["verifies!", "fulfils!", "SR_", "cfg(test)"].iter().any(|word| text.contains(word)) {
                    let source =
                        Source::read(&text).map_err(|told| anyhow::anyhow!("{}: {told}", path.display()))?;
                    self.files.push(File { path: from_top(&path, &self.top), source });
                }
            }
        }
        Ok(())
    }
}

/// A path as it is from the top.
pub fn from_top(path: &Path, top: &Path) -> String {
    path.strip_prefix(top).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::Analysis,
        matrix::{Inputs, Matrix},
    };

    /// Before any suite has run, so that who adds a requirement need not wait for one.
    #[test]
    fn every_requirement_is_named_by_code_of_the_product_and_no_test_claims_to_fulfil_one() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree = Tree::read(&top).expect("this repository");
        let inputs = Inputs {
            goals: troika_safety::GOALS,
            requirements: troika_safety::ALL,
            files: &tree.files,
            packages: &tree.packages,
            ran: &[],
            analysis: &Analysis::default(),
            exists: &|_| true,
        };
        let matrix = Matrix::join(&inputs, "c0ffee");
        let none: Vec<&str> =
            matrix.requirements.iter().filter(|row| row.code.is_empty()).map(|row| row.id).collect();
        assert_eq!(none, [""; 0]);
        let astray: Vec<&String> =
            matrix.problems.iter().filter(|told| told.contains("`fulfils!`")).collect();
        assert!(astray.is_empty(), "{astray:?}");
    }
}
