//! The suites that `cargo xtask test` runs, in the order of what fails soonest.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use sha2::{Digest as _, Sha256};

use crate::{
    packages::{self, succeed},
    steps::{cargo, pull, root, say, set_up, target},
};

/// A suite of tests.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Formatting.
    Format,
    /// Every crate's own tests, the architecture and the conformance suite.
    Unit,
    /// Independent peers from the Python registry exchange messages with our nodes.
    Interop,
    /// clippy, with the workspace's bans.
    Lint,
    /// Licences, sources and duplicates of the dependencies.
    Deny,
}

const ALL: [Suite; 5] = [Suite::Format, Suite::Unit, Suite::Interop, Suite::Lint, Suite::Deny];

/// Runs one suite, or all. The first failure ends it.
pub(crate) fn run(suite: Option<Suite>) -> anyhow::Result<()> {
    let suites = suite.as_ref().map_or(&ALL[..], std::slice::from_ref);
    if suites.iter().any(|suite| matches!(suite, Suite::Unit | Suite::Interop | Suite::Lint)) {
        set_up(packages::TEST)?;
        pull("test")?;
    }
    for suite in suites {
        match suite {
            Suite::Format => {
                say("format");
                succeed(&mut cargo(&["fmt", "--all", "--check"]))?;
            }
            Suite::Unit => {
                say("unit, architecture, conformance");
                succeed(&mut cargo(&["test", "--locked", "--workspace", "--exclude", INTEROP]))?;
            }
            Suite::Interop => interop()?,
            Suite::Lint => {
                say("lint");
                succeed(&mut cargo(&[
                    "clippy",
                    "--locked",
                    "--workspace",
                    "--all-targets",
                    "--",
                    "--deny",
                    "warnings",
                ]))?;
            }
            Suite::Deny => deny()?,
        }
    }
    println!("\nall of it passed");
    Ok(())
}

const INTEROP: &str = "troika-interop";

fn interop() -> anyhow::Result<()> {
    say("interop: independent peers");
    let python = peers()?;
    succeed(
        cargo(&[
            "test",
            "--locked",
            "--workspace",
            "--test",
            "cdr",
            "--test",
            "peers",
            "--",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("TROIKA_INTEROP_PYTHON", python),
    )
}

/// The Python of an environment with the peers, made anew when their list has changed.
fn peers() -> anyhow::Result<PathBuf> {
    let list = root().join("tests/interop/requirements.txt");
    let text = fs::read(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let wanted: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    let environment = target().join("interop-peers");
    let stamp = environment.join("requirements.sha256");
    let python = environment.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) && python.is_file() {
        return Ok(python);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment)?;
    }
    let system = ["python3.11", "python3"].into_iter().find(|python| {
        Command::new(python).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    let Some(system) = system else { bail!("there is no python3: install the package python3-venv") };
    succeed(Command::new(system).args(["-m", "venv"]).arg(&environment))?;
    succeed(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&list),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// cargo-deny's version; it is built once, beside the target folder's other products.
const CARGO_DENY: &str = "0.20.2";

fn deny() -> anyhow::Result<()> {
    say("deny: licences, sources, bans");
    let tools = target().join("tools");
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        // Unoptimised: it runs for a second, and optimising it takes as long as all of our own build.
        succeed(
            cargo(&["install", "--debug", "--locked", "--version", CARGO_DENY, "cargo-deny", "--root"])
                .arg(&tools)
                .env("CARGO_PROFILE_DEV_DEBUG", "0"),
        )?;
    }
    // Advisories need a database that is fetched from the network: `cargo deny check advisories` is its own command.
    succeed(Command::new(program).args(["check", "bans", "licenses", "sources"]).current_dir(root()))
}
