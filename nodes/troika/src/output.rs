//! Files that a command writes when its work is done. Whether they can be written is told before that begins: nobody waits for a long run to
//! hear that it cannot.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// A file that will be written.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    file: File,
    /// It was not there before, and has nothing in it yet.
    empty: bool,
}

impl Output {
    /// Opens it. What is in it stays until [`Output::write`]; a folder that is not there is made, and that is said, since it may be a
    /// slip of the pen.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn at(path: &Path) -> anyhow::Result<Output> {
        let told = || format!("cannot write {}", path.display());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        if let Some(folder) = folder {
            fs::create_dir_all(folder).with_context(told)?;
            eprintln!("notice: made the folder {}", folder.display());
        }
        let made = File::options().append(true).create_new(true).open(path);
        let (file, empty) = match made {
            Ok(file) => (file, true),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
                (File::options().append(true).open(path).with_context(told)?, false)
            }
            Err(why) => return Err(why).with_context(told),
        };
        Ok(Output { path: path.to_owned(), file, empty })
    }

    /// The same of one that may not be wanted.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn if_any(path: Option<&Path>) -> anyhow::Result<Option<Output>> {
        path.map(Output::at).transpose()
    }

    /// That it can be written, by who writes it otherwise. What is there stays, and nothing new is left.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn probe(path: &Path) -> anyhow::Result<()> {
        Output::at(path).map(drop)
    }

    /// Puts this in the place of what is in it.
    ///
    /// # Errors
    /// It cannot be written any more.
    pub(crate) fn write(mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.empty = false;
        let told = || format!("cannot write {}", self.path.display());
        // A pipe or a terminal has no length.
        if self.file.metadata().is_ok_and(|about| about.is_file()) {
            self.file.set_len(0).with_context(told)?;
        }
        self.file.write_all(bytes).with_context(told)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.empty {
            // An empty report is none; one that stays does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// That no two of them are one file: one would take the other's place.
///
/// # Errors
/// Which they are.
pub(crate) fn apart(outputs: &[(&str, Option<&Path>)]) -> anyhow::Result<()> {
    for (n, (name, path)) in outputs.iter().enumerate() {
        for (other, before) in &outputs[..n] {
            if let (Some(path), Some(before)) = (path, before)
                && std::path::absolute(path)? == std::path::absolute(before)?
            {
                bail!("{other} and {name} both name {}: one would take the other's place", path.display());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_until_it_is_written_and_nothing_new_is_left_unwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (folder.path().join("old"), folder.path().join("a/new"));
        fs::write(&old, "before, and longer").expect("written");
        drop(Output::at(&old).expect("it can be written"));
        drop(Output::at(&new).expect("it can be written"));
        assert_eq!(fs::read_to_string(&old).expect("it is there"), "before, and longer");
        assert!(!new.exists());
        for path in [&old, &new] {
            Output::at(path).expect("it can be written").write(b"after").expect("written");
            assert_eq!(fs::read_to_string(path).expect("it is there"), "after");
        }
        let below = Output::at(&old.join("new")).expect_err("it is no folder").to_string();
        assert!(below.starts_with("cannot write "), "{below}");
        assert!(Output::at(folder.path()).is_err());
    }

    #[test]
    fn two_outputs_are_two_files() {
        let (a, b) = (Path::new("a"), Path::new("b"));
        assert!(apart(&[("--x", Some(a)), ("--y", Some(b)), ("--z", None)]).is_ok());
        let told = apart(&[("--x", Some(a)), ("--y", Some(Path::new("./a")))]).expect_err("one file");
        assert!(told.to_string().starts_with("--x and --y both name ./a"), "{told}");
    }
}
