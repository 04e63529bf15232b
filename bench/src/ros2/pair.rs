//! Two processes, a talker and a listener, and what they are told: one JSON order a line, one JSON answer a line.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{Contestant, Role};

/// rclpy's end.
const RCLPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rclpy_peer.py");
/// CycloneDDS on the loopback alone.
const CYCLONEDDS: &str = "<CycloneDDS><Domain><General><Interfaces><NetworkInterface name=\"lo\" multicast=\"false\"/></Interfaces></General></Domain></CycloneDDS>";

/// Where they meet.
pub struct Place {
    pub router: String,
    pub python: PathBuf,
    pub period: Duration,
}

/// What a turn gave.
pub struct Turn {
    pub nanos: Vec<u64>,
    pub cpu_nanos: u64,
}

struct End {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl End {
    fn start(contestant: Contestant, role: Role, place: &Place) -> anyhow::Result<End> {
        let word = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            value().map(|value| value.get_name().to_owned()).context("a value of its own")
        };
        let role_word = word(&|| clap::ValueEnum::to_possible_value(&role))?;
        let mut command = if contestant == Contestant::Rclpy {
            let mut command = Command::new(&place.python);
            command.args([RCLPY, &role_word]);
            command
        } else {
            let mut command = Command::new(std::env::current_exe()?);
            let contestant = word(&|| clap::ValueEnum::to_possible_value(&contestant))?;
            command.args(["ros2-peer", &contestant, &role_word, "--router", &place.router]);
            command
        };
        // One domain for each pair, so that none hears another's.
        let domain = 60 + contestant as u32;
        command.env("ROS_DOMAIN_ID", domain.to_string()).env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
        command.env("CYCLONEDDS_URI", CYCLONEDDS);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a pipe")?);
        Ok(End { child, orders, answers })
    }

    fn ask(&mut self, order: &Value) -> anyhow::Result<Value> {
        writeln!(self.orders.as_mut().context("it is asked before it is dropped")?, "{order}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() {
            bail!("it ended");
        }
        serde_json::from_str(&line).with_context(|| format!("its answer: {line}"))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait(); // its input has ended, so it ends
    }
}

/// Both ends, matched.
pub struct Pair {
    talker: End,
    listener: End,
    period: Duration,
}

impl Pair {
    pub fn open(contestant: Contestant, place: &Place) -> anyhow::Result<Pair> {
        let listener = End::start(contestant, Role::Listen, place)?;
        let talker = End::start(contestant, Role::Talk, place)?;
        let mut pair = Pair { talker, listener, period: place.period };
        // Answered when both see each other; then messages go until one has come.
        for _ in 0..200 {
            if !pair.turn(64, 1)?.nanos.is_empty() {
                return Ok(pair);
            }
        }
        bail!("nothing arrived")
    }

    /// So many messages with so much data.
    pub fn turn(&mut self, bytes: usize, messages: u32) -> anyhow::Result<Turn> {
        self.listener.ask(&json!({ "do": "begin" }))?;
        let order = json!({
            "do": "talk", "bytes": bytes, "messages": messages, "period_ns": self.period.as_nanos() as u64,
        });
        let talked = self.talker.ask(&order)?;
        // What has not come by then is lost.
        std::thread::sleep(Duration::from_millis(300));
        let heard = self.listener.ask(&json!({ "do": "end" }))?;
        let cpu = |answer: &Value| answer["cpu_ns"].as_u64().context("no cpu_ns");
        let nanos = heard["nanos"].as_array().context("no nanos")?;
        Ok(Turn {
            nanos: nanos.iter().filter_map(Value::as_u64).collect(),
            cpu_nanos: cpu(&talked)? + cpu(&heard)?,
        })
    }
}
