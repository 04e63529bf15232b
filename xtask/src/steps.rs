//! The steps that the commands are made of.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    time::Instant,
};

use anyhow::Context as _;

use crate::packages::{self, succeed};

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// `cargo`, in the checkout.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // What `cargo run` told this program of itself: a build script that looks at one of them (ring's does) would run again, and all that
    // stands on it be compiled again, whenever a build by hand follows on one by this program.
    for (name, _) in std::env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Freed memory is kept, as our processes do (nodes/host): else each large tensor of a measurement is mapped, and its pages faulted in, again.
pub(crate) fn keeps_memory(command: &mut Command) -> &mut Command {
    command.env("MALLOC_MMAP_THRESHOLD_", (1 << 30).to_string());
    command.env("MALLOC_TRIM_THRESHOLD_", i32::MAX.to_string())
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program that the build made.
pub(crate) fn built(program: &str) -> PathBuf {
    target().join("debug").join(program)
}

/// Tells what comes next, and how long it took until here.
#[expect(clippy::disallowed_methods, reason = "for whoever waits; nothing is decided by it")]
pub(crate) fn say(step: &str) {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let passed = START.elapsed().as_secs();
    println!("\n==> {step}   [{}:{:02}]", passed / 60, passed % 60);
}

/// System packages and the build: always the whole workspace with its tests. A choice of packages or targets would choose other
/// features of what they share, and the heavy dependencies would be compiled once for each choice.
pub(crate) fn set_up(wanted: &[&str]) -> anyhow::Result<()> {
    say("system packages");
    packages::ensure(wanted)?;
    build()
}

/// The build alone.
pub(crate) fn build() -> anyhow::Result<()> {
    say("build");
    succeed(&mut cargo(&["build", "--locked", "--workspace", "--all-targets"]))
}

/// zenoh's own router. All members are named beside it, and a test is asked for, since that chooses the features of the whole build: with
/// others zenoh would be compiled again, and the plugin would not fit.
pub(crate) fn zenohd() -> anyhow::Result<PathBuf> {
    say("zenohd");
    let mut command = cargo(&["build", "--locked", "--features", "troika-interop/zenohd"]);
    command.args(members()?.iter().chain(&["zenohd".to_owned()]).flat_map(|member| ["--package", member]));
    succeed(command.args(["--bin", "zenohd", "--test", "plugin"]))?;
    Ok(std::path::absolute(built("zenohd"))?)
}

/// Gazebo's family that the tests are built with: Debian 12's.
const GAZEBO: &str = "troika-gazebo/fortress";

/// cargo with the bridge to Gazebo in it: all members as ever, so that only what stands on Gazebo's library is compiled besides.
pub(crate) fn with_gazebo(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = cargo(arguments);
    command.args(["--locked", "--workspace", "--features", GAZEBO]);
    // Not CXXFLAGS and not CPLUS_INCLUDE_PATH: cargo would compile again what else looks at those, ring and all of TLS among it.
    let shim = root().join("sim/gazebo/shim");
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env("PATH", std::env::join_paths([shim].into_iter().chain(std::env::split_paths(&path)))?);
    Ok(command)
}

/// The names of the workspace's packages.
fn members() -> anyhow::Result<Vec<String>> {
    Ok(folders()?.into_iter().map(|(name, _)| name).collect())
}

/// A member's folder.
pub(crate) fn member(name: &str) -> anyhow::Result<PathBuf> {
    let found = folders()?.into_iter().find(|(member, _)| member == name);
    Ok(found.with_context(|| format!("the workspace has no member '{name}'"))?.1)
}

/// The members and their folders.
fn folders() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let output = cargo(&["metadata", "--locked", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let member = |one: &serde_json::Value| {
        let folder = Path::new(one["manifest_path"].as_str()?).parent()?;
        Some((one["name"].as_str()?.to_owned(), folder.to_owned()))
    };
    Ok(packages.iter().filter_map(member).collect())
}

/// Fetches a set of models.
pub(crate) fn pull(set: &str) -> anyhow::Result<()> {
    say("models");
    succeed(Command::new(built("troika")).args(["models", "pull", "--set", set]).current_dir(root()))
}

/// `cargo xtask demo`.
pub(crate) fn demo(system: &str, seconds: u32, headless: bool, report: Option<&str>) -> anyhow::Result<()> {
    set_up(packages::RUN)?;
    pull("demo")?;
    say(&format!("troika run {system}"));
    let mut run = Command::new(built("troika"));
    run.args(["run", system, "--seconds", &seconds.to_string()]);
    if headless {
        run.arg("--headless");
    }
    if let Some(file) = report {
        // A relative path is the caller's, not the checkout's.
        run.arg("--report").arg(std::path::absolute(file)?);
    }
    succeed(run.current_dir(root()))
}
