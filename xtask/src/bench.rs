//! Measurements on this machine, each its own command: told, and never judged by a test.

use std::{path::absolute, process::Command};

use clap::Subcommand;

use crate::{
    chain, deadlines, environments, inference, mediapipe,
    packages::{self, succeed},
    steps::{built, cargo, pull, root, say, set_up, target},
};

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Both detectors against their deadlines: idle, under stress-ng, and beside a decoding speech model.
    Deadlines(deadlines::Deadlines),
    /// The same frames through MediaPipe's own Python graphs and through our detectors, in turns.
    Mediapipe(mediapipe::Mediapipe),
    /// Frame to state and frame to gesture, one thread: our detectors with the networks' own kernels and without, and MediaPipe's graphs, in
    /// turns.
    Chain(chain::Chain),
    /// Every network, one thread: tract as it is, tract with our operators, LiteRT and ONNX Runtime, in turns.
    Inference(inference::Inference),
    /// How long a message takes on this machine: our slots and transports beside iceoryx2, CycloneDDS and a plain socket.
    Transport {
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<String>,
        /// Rounds over all contestants.
        #[arg(long)]
        rounds: Option<u32>,
        /// Measuring time in all; about three minutes else.
        #[arg(long)]
        seconds: Option<u32>,
        /// Only these contestants, with commas between them.
        #[arg(long)]
        only: Option<String>,
    },
    /// The same publisher and subscription, latency and processor time: ours over zenoh, DDS and rcl, beside r2r and rclpy.
    Ros2 {
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<String>,
        /// Rounds over all contestants.
        #[arg(long)]
        rounds: Option<u32>,
        /// Messages of one contestant and size in one round.
        #[arg(long)]
        messages: Option<u32>,
        /// Only these contestants, with commas between them: zenoh, dds, ros2, r2r, rclpy.
        #[arg(long)]
        only: Option<String>,
    },
    /// Task success and calls of the cloud of four policies over recorded links, with the real router, bridge and models' answers in virtual
    /// time; in the cloud's place a scripted stand-in.
    Route {
        /// Recorded links: lines of seconds and Mbit/s. Without one: four made by a seed with the statistics of such logs.
        traces: Vec<String>,
        /// Cuts an hour at random times, beside those in the traces.
        #[arg(long, value_name = "N", default_value_t = 0.0)]
        cuts: f64,
        /// The seed of all chance.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// A policy file instead of the one that ships.
        #[arg(long, value_name = "FILE")]
        policy: Option<String>,
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<String>,
    },
    /// Many vehicles at the gateway, open loop: what it adds, what a vehicle costs it, and twice as much as there is room for.
    Gateway {
        /// Vehicles, each with a certificate and a connection of its own.
        #[arg(long, default_value_t = 1000)]
        vehicles: usize,
        /// Requests a second, half of them past the gateway.
        #[arg(long, default_value_t = 100.0)]
        rate: f64,
        /// How long each of the two parts takes.
        #[arg(long, default_value_t = 30.0)]
        seconds: f64,
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<String>,
    },
    /// Inject faults (overrun, miss, old input, panic, hang, kill) into real systems under load; how soon each is answered.
    Reactions {
        /// How many of each.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        times: u32,
        /// Write the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<String>,
    },
}

/// `cargo xtask bench`.
pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Deadlines(arguments) => deadlines::run(arguments),
        Bench::Chain(arguments) => chain::run(arguments),
        Bench::Mediapipe(arguments) => mediapipe::run(arguments),
        Bench::Inference(arguments) => inference::run(arguments),
        Bench::Transport { json, rounds, seconds, only } => {
            transport(json.as_deref(), *rounds, *seconds, only.as_deref())
        }
        Bench::Ros2 { json, rounds, messages, only } => {
            ros2(json.as_deref(), *rounds, *messages, only.as_deref())
        }
        Bench::Route { traces, cuts, seed, policy, json } => {
            let mut command = example("route")?;
            // A relative path is the caller's, not the checkout's.
            for trace in traces {
                command.arg(absolute(trace)?);
            }
            command.args(["--cuts", &cuts.to_string(), "--seed", &seed.to_string()]);
            command.arg("--answers").arg(absolute(target())?.join("route-answers.jsonl"));
            command.arg("--slm").arg(absolute(built("troika-slm"))?);
            for (name, file) in [("--policy", policy), ("--json", json)] {
                if let Some(file) = file {
                    command.arg(name).arg(absolute(file)?);
                }
            }
            succeed(&mut command)
        }
        Bench::Gateway { vehicles, rate, seconds, json } => {
            let mut command = example("gateway-load")?;
            command.args(["--vehicles", &vehicles.to_string(), "--rate", &rate.to_string()]);
            command.args(["--seconds", &seconds.to_string()]);
            if let Some(file) = json {
                command.arg("--json").arg(absolute(file)?);
            }
            succeed(&mut command)
        }
        Bench::Reactions { times, json } => reactions(*times, json.as_deref()),
    }
}

/// A measurement that is an example of a crate of the workspace.
fn example(name: &str) -> anyhow::Result<Command> {
    set_up(packages::RUN)?;
    pull("demo")?;
    say(name);
    let mut command = Command::new(absolute(target().join("debug/examples").join(name))?);
    command.current_dir(root());
    Ok(command)
}

/// In the workspace `bench`: it is built when it is asked for, and no other build knows of it.
fn transport(
    json: Option<&str>,
    rounds: Option<u32>,
    seconds: Option<u32>,
    only: Option<&str>,
) -> anyhow::Result<()> {
    say("system packages");
    packages::ensure(packages::RUN)?;
    say("build and measure");
    let mut command =
        cargo(&["run", "--locked", "--release", "--manifest-path", "bench/Cargo.toml", "--target-dir"]);
    command.arg(target().join("bench")).args(["--", "transport"]);
    if let Some(file) = json {
        // A relative path is the caller's, not the checkout's.
        command.arg("--json").arg(absolute(file)?);
    }
    for (name, value) in [("--rounds", rounds), ("--seconds", seconds)] {
        if let Some(value) = value {
            command.args([name, &value.to_string()]);
        }
    }
    if let Some(only) = only {
        command.args(["--only", only]);
    }
    succeed(&mut command)
}

/// In the workspace `bench`, built against stock ROS 2 from wheels.
fn ros2(
    json: Option<&str>,
    rounds: Option<u32>,
    messages: Option<u32>,
    only: Option<&str>,
) -> anyhow::Result<()> {
    say("system packages");
    packages::ensure(packages::TEST)?;
    let python = environments::ros()?;
    say("build and measure");
    let mut command = cargo(&[
        "run",
        "--locked",
        "--release",
        "--no-default-features",
        "--manifest-path",
        "bench/Cargo.toml",
    ]);
    command.args(["--features", "ros2", "--target-dir"]).arg(target().join("bench"));
    command.args(["--", "ros2", "--ros-python"]).arg(&python);
    if let Some(file) = json {
        // A relative path is the caller's, not the checkout's.
        command.arg("--json").arg(absolute(file)?);
    }
    for (name, value) in [("--rounds", rounds), ("--messages", messages)] {
        if let Some(value) = value {
            command.args([name, &value.to_string()]);
        }
    }
    if let Some(only) = only {
        command.args(["--only", only]);
    }
    command.envs(environments::sourced(&python)?);
    let packages = "builtin_interfaces;std_msgs;geometry_msgs;sensor_msgs;rcl_interfaces";
    command.envs(environments::for_r2r(&absolute(target())?.join("bench/scripts"), packages)?);
    succeed(&mut command)
}

fn reactions(times: u32, json: Option<&str>) -> anyhow::Result<()> {
    set_up(packages::RUN)?;
    say("reactions");
    let mut command = Command::new(built("troika-reactions"));
    command.args(["--times", &times.to_string()]);
    if let Some(file) = json {
        command.arg("--json").arg(absolute(file)?);
    }
    succeed(command.current_dir(root()))
}
