//! `cargo xtask advisories`: the dependencies against the database of known flaws (RustSec). A command of its own, since the database is fetched each
//! time: without it nothing is known, which is no pass.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{
    steps::{root, say},
    suites::cargo_deny,
};

/// What a run of cargo-deny showed.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    /// The database was there, and no dependency is in it.
    Nothing,
    /// It was there, and says something against a dependency.
    Flaws,
    /// It was not there.
    NoDatabase,
}

/// Fetches the database and looks.
pub(crate) fn run() -> anyhow::Result<()> {
    let program = cargo_deny()?;
    say("advisories");
    // JSON on stderr: whether there was a database is read from what it says, not guessed from how it ends.
    let mut command = Command::new(program);
    command.args([
        "--format",
        "json",
        "--log-level",
        "info",
        "check",
        "--audit-compatible-output",
        "advisories",
    ]);
    let output =
        command.current_dir(root()).stdin(Stdio::null()).output().context("cannot run cargo-deny")?;
    let [reports, log] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    print!("{reports}");
    eprint!("{log}");
    match shown(output.status.success(), &reports) {
        Shown::Nothing => {
            println!("\nno dependency in Cargo.lock has a known flaw, by the database that was fetched now");
            Ok(())
        }
        Shown::Flaws => bail!("the database says something against a dependency: see above"),
        Shown::NoDatabase => bail!(
            "the database of advisories could not be fetched, so that nothing is known and nothing passed: run this where the network reaches it, or \
             name a mirror of it (`[advisories] db-urls` in deny.toml)"
        ),
    }
}

/// From how it ended and its reports: one JSON object for each lock file that was held against a database, none where there was no database.
fn shown(ended_well: bool, reports: &str) -> Shown {
    let reports = reports.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let looked = reports.filter(|report| {
        let dependencies = report["lockfile"]["dependency-count"].as_u64();
        dependencies.is_some_and(|count| count > 0) && report["vulnerabilities"].is_array()
    });
    match (looked.count() > 0, ended_well) {
        (true, true) => Shown::Nothing,
        (true, false) => Shown::Flaws,
        (false, _) => Shown::NoDatabase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_report_nothing_is_known_however_it_ended() {
        // As cargo-deny 0.20.2 writes it, shortened.
        let clean = r#"{"lockfile":{"dependency-count":674},"settings":{"ignore":[]},"vulnerabilities":[],"warnings":{}}"#;
        let flaw = r#"{"lockfile":{"dependency-count":674},"vulnerabilities":[{"advisory":{"id":"RUSTSEC-2020-0071"}}],"warnings":{}}"#;
        assert_eq!(shown(true, clean), Shown::Nothing);
        assert_eq!(shown(false, flaw), Shown::Flaws);
        for nothing in ["", "\n", "no JSON", r#"{"lockfile":{"dependency-count":0},"vulnerabilities":[]}"#] {
            assert_eq!(shown(true, nothing), Shown::NoDatabase, "{nothing:?}");
            assert_eq!(shown(false, nothing), Shown::NoDatabase, "{nothing:?}");
        }
    }
}
