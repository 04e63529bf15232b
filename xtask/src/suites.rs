//! The suites that `cargo xtask test` runs, in the order of what fails soonest.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::{
    environments,
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
    /// The lock-free code under loom: every order of events that the memory model allows.
    Loom,
    /// The tests of what is unsafe, under valgrind.
    Memory,
    /// Independent peers from the Python registry, stock ROS 2 among them, exchange messages with our nodes and judge our codec.
    Interop,
    /// Our nodes in a real ROS 2, by its own client library: the conformance suite, and stock ROS 2 as their peer.
    Ros2,
    /// clippy, with the workspace's bans.
    Lint,
    /// Licences, sources and duplicates of the dependencies.
    Deny,
}

const ALL: [Suite; 8] = [
    Suite::Format,
    Suite::Unit,
    Suite::Loom,
    Suite::Memory,
    Suite::Interop,
    Suite::Ros2,
    Suite::Lint,
    Suite::Deny,
];

/// Runs one suite, or all. The first failure ends it.
pub(crate) fn run(suite: Option<Suite>) -> anyhow::Result<()> {
    let suites = suite.as_ref().map_or(&ALL[..], std::slice::from_ref);
    let built = [Suite::Unit, Suite::Memory, Suite::Interop, Suite::Ros2, Suite::Lint];
    if suites.iter().any(|suite| built.contains(suite)) {
        set_up(packages::TEST)?;
        pull("test")?;
    }
    for suite in suites {
        match suite {
            Suite::Format => {
                say("format");
                succeed(&mut cargo(&["fmt", "--all", "--check"]))?;
                for apart in ["tests/loom/Cargo.toml", "bench/Cargo.toml", ROS2] {
                    succeed(&mut cargo(&["fmt", "--check", "--manifest-path", apart]))?;
                }
            }
            Suite::Unit => {
                say("unit, architecture, conformance");
                succeed(&mut cargo(&["test", "--locked", "--workspace", "--exclude", INTEROP]))?;
            }
            Suite::Loom => loom()?,
            Suite::Memory => memory()?,
            Suite::Interop => interop()?,
            Suite::Ros2 => ros2()?,
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

/// A workspace of its own, so that loom's few dependencies are all that is built for it.
fn loom() -> anyhow::Result<()> {
    say("loom: the lock-free code in every order of events");
    succeed(
        cargo(&["test", "--locked", "--manifest-path", "tests/loom/Cargo.toml", "--target-dir"])
            .arg(target().join("loom")),
    )
}

/// The rooms with `unsafe` in them: test binaries of the workspace (as cargo names their targets), and which of their tests.
const UNSAFE: [(&str, &str); 6] = [
    // The whole arena, alone and under threads.
    ("arena", ""),
    ("stress", ""),
    // Slots under threads, the page of vitals among them.
    ("slots", ""),
    ("troika_host", "sync::vitals"),
    // Policies, core sets, locked memory: their system calls' arguments.
    ("troika_host", "sched::"),
    // The vector lanes and the tensors that are made without being written, in a network that has each operator.
    ("tiny", ""),
];
/// Messages and steps of the stress tests under valgrind, which runs one thread at a time and 50 times slower.
const FEW: &str = "2000";

fn memory() -> anyhow::Result<()> {
    say("memory: what is unsafe under valgrind");
    let mut build = cargo(&["test", "--locked", "--workspace", "--no-run", "--message-format", "json"]);
    let output = build.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the tests do not build");
    }
    let messages = String::from_utf8(output.stdout)?;
    for (name, filter) in UNSAFE {
        let program = test_program(&messages, name).with_context(|| format!("no test program '{name}'"))?;
        let output = Command::new("valgrind")
            // Fair: a thread that spins would keep the others from running.
            .args(["--quiet", "--error-exitcode=9", "--fair-sched=yes", "--errors-for-leak-kinds=none"])
            .arg(program)
            .arg(filter)
            .env("TROIKA_STRESS", FEW)
            .current_dir(root())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run valgrind")?;
        let said = String::from_utf8_lossy(&output.stdout);
        print!("{name} {filter}{said}");
        if !output.status.success() || said.contains("running 0 tests") {
            bail!("'{name} {filter}' under valgrind: {}, or no test of that name", output.status);
        }
    }
    Ok(())
}

/// A test program in cargo's messages: one JSON object a line, of which two fields are wanted.
fn test_program<'a>(messages: &'a str, name: &str) -> Option<&'a str> {
    let target = format!("\"name\":\"{name}\"");
    let field = "\"executable\":\"";
    messages
        .lines()
        .filter(|line| line.contains(&target) && line.contains("\"test\":true"))
        .find_map(|line| line.split_once(field)?.1.split('"').next())
}

fn interop() -> anyhow::Result<()> {
    say("interop: independent peers");
    let peers = environments::peers()?;
    let ros = environments::ros()?;
    // A workspace of its own: nothing of ours stands on it.
    let rustdds = target().join("rustdds");
    succeed(
        cargo(&[
            "build",
            "--locked",
            "--manifest-path",
            "tests/interop/rustdds-peer/Cargo.toml",
            "--target-dir",
        ])
        .arg(&rustdds),
    )?;
    let rustdds = std::path::absolute(rustdds.join("debug/rustdds-peer"))?;
    say("interop: exchange");
    succeed(
        cargo(&[
            "test",
            "--locked",
            "--workspace",
            "--test",
            "edges",
            "--test",
            "cdr",
            "--test",
            "peers",
            "--test",
            "node_parameters",
            "--test",
            "rclpy",
            "--test",
            "dds_peers",
            "--",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("TROIKA_INTEROP_PYTHON", peers)
        .env("TROIKA_ROS_PYTHON", ros)
        .env("TROIKA_RUSTDDS_PEER", rustdds),
    )
}

/// The one behaviour of the conformance suite that exchanges messages of every type, with as many as are asked for.
pub(crate) fn soak(messages: u32) -> anyhow::Result<()> {
    const BEHAVIOUR: &str = "messages_of_every_type_pass_each_way_in_order";
    packages::ensure(packages::TEST)?;
    let run = |command: &mut Command| {
        command.args(["--", BEHAVIOUR, "--nocapture"]);
        succeed(command.env("TROIKA_SOAK", messages.to_string()))
    };
    say(&format!("soak: {messages} messages of every type each way over mem, zenoh and DDS"));
    run(&mut cargo(&[
        "test",
        "--locked",
        "--workspace",
        "--test",
        "mem",
        "--test",
        "zenoh",
        "--test",
        "dds",
    ]))?;
    say("soak: over ROS 2's client library");
    let python = environments::ros()?;
    let mut command = cargo(&["test", "--locked", "--workspace", "--features", ON_ROS2]);
    command.args(["--test", "ros2"]).envs(environments::sourced(&python)?);
    run(&mut command)
}

/// The crate that builds only where ROS 2 is, and so stands beside the workspace.
const ROS2: &str = "nodes/transport/ros2/Cargo.toml";
/// Who uses it.
const ON_ROS2: &str = "troika/ros2,troika-conformance/ros2,troika-interop/ros2";

fn ros2() -> anyhow::Result<()> {
    say("ros2: stock ROS 2 and our messages");
    let python = environments::ros()?;
    let sourced = environments::sourced(&python)?;
    let cargo = |arguments: &[&str]| {
        let mut command = cargo(arguments);
        command.envs(sourced.iter().map(|(name, value)| (name, value))).env("TROIKA_ROS_PYTHON", &python);
        command
    };
    say("ros2: troika on rcl");
    succeed(&mut cargo(&["build", "--locked", "--workspace", "--features", ON_ROS2, "--bin", "troika"]))?;
    say("ros2: conformance, and rclpy as a peer");
    succeed(&mut cargo(&[
        "test",
        "--locked",
        "--workspace",
        "--features",
        ON_ROS2,
        "--test",
        "ros2",
        "--",
        "--nocapture",
        "--test-threads=1",
    ]))?;
    say("ros2: lint");
    let lint = ["clippy", "--locked", "--manifest-path", ROS2, "--target-dir"];
    succeed(cargo(&lint).arg(target().join("ros2")).args(["--all-targets", "--", "--deny", "warnings"]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_is_found_by_its_targets_name_and_no_library_is_taken_for_it() {
        let messages = concat!(
            r#"{"target":{"name":"slots"},"profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"target":{"name":"slots"},"profile":{"test":true},"filenames":["/t/slots-1"],"executable":"/t/slots-1","fresh":true}"#,
        );
        assert_eq!(test_program(messages, "slots"), Some("/t/slots-1"));
        assert_eq!(test_program(messages, "slot"), None);
    }
}
