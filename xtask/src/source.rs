//! Which source a run was of: the commit, and a digest of how the tree differs from it. A log begins with it, and `cargo xtask trace` takes only
//! logs of the source that is there: a test that was emptied or left out since would pass by the log of before.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

/// What a log says, and the matrix, where there is no git: a tarball.
pub(crate) const NO_GIT: &str = "no git";

/// What this checkout is: `COMMIT`, `COMMIT with changes DIGEST`, or [`NO_GIT`].
///
/// # Errors
/// It is a checkout of git, and git cannot tell; a file that is not tracked cannot be read.
pub(crate) fn of(top: &Path) -> anyhow::Result<String> {
    // A tarball that lies in a checkout of something else is none of its files.
    if !top.join(".git").exists() {
        return Ok(NO_GIT.to_owned());
    }
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        let output = command.args(arguments).current_dir(top).output();
        let output = output.context("cannot run git, which this checkout is of (`apt-get install git`)")?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            bail!("git {}: {why}; which source this is cannot be told", arguments.join(" "));
        }
        Ok(output.stdout)
    };
    told(&git, &|path| fs::read(top.join(path)).with_context(|| path.to_owned()))
}

fn told(
    git: &dyn Fn(&[&str]) -> anyhow::Result<Vec<u8>>,
    read: &dyn Fn(&str) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<String> {
    let commit = String::from_utf8(git(&["rev-parse", "HEAD"])?).context("the commit is no text")?;
    let commit = commit.trim();
    let diff = git(&["diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD"])?;
    let others = git(&["ls-files", "--others", "--exclude-standard", "-z"])?;
    let others = String::from_utf8(others).context("a file's name is no text")?;
    let mut others: Vec<&str> = others.split_terminator('\0').collect();
    if diff.is_empty() && others.is_empty() {
        return Ok(commit.to_owned());
    }
    others.sort_unstable();
    let mut digest = Sha256::new();
    // With its length each, so that no end of one is the begin of the next.
    let mut put = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    put(&diff);
    for path in others {
        put(path.as_bytes());
        put(&read(path)?);
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{commit} with changes {hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout of this diff and of these files that are not tracked.
    fn checkout(diff: &str, others: &[(&str, &str)]) -> String {
        let names: String = others.iter().map(|(path, _)| format!("{path}\0")).collect();
        let git = |arguments: &[&str]| match arguments[0] {
            "rev-parse" => Ok(b"c0ffee\n".to_vec()),
            "diff" => Ok(diff.as_bytes().to_vec()),
            "ls-files" => Ok(names.clone().into_bytes()),
            other => bail!("{other}"),
        };
        let read = |path: &str| {
            let found = others.iter().find(|(name, _)| *name == path);
            Ok(found.context("no such file")?.1.as_bytes().to_vec())
        };
        told(&git, &read).expect("told")
    }

    #[test]
    fn what_differs_from_the_commit_is_in_the_source_whether_git_tracks_it_or_not() {
        assert_eq!(checkout("", &[]), "c0ffee");
        let all = [
            checkout("- assert", &[]),
            checkout("+ ignore", &[]),
            checkout("", &[("new.rs", "fn")]),
            checkout("", &[("new.rs", "fn new")]),
            checkout("", &[("old.rs", "fn")]),
            checkout("", &[("new.rsfn", "")]),
            checkout("- assert", &[("new.rs", "fn")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(one.starts_with("c0ffee with changes "), "{one}");
            assert!(!all[..at].contains(one), "{at}: {one}");
        }
        let (a, b) = (("a.rs", "a"), ("b.rs", "b"));
        assert_eq!(checkout("", &[a, b]), checkout("", &[b, a]), "in whatever order git tells them");
    }

    #[test]
    fn a_tarball_says_so_and_a_git_that_cannot_tell_is_an_error() {
        let folder = std::env::temp_dir().join(format!("troika-no-git-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let tarball = of(&folder);
        fs::remove_dir_all(&folder).expect("it was there");
        assert_eq!(tarball.expect("told"), NO_GIT);
        let broken = told(&|_| bail!("dubious ownership"), &|_| bail!("unread"));
        assert!(broken.expect_err("told nothing").to_string().contains("dubious"));
    }
}
