//! A peer's process: how each is started, and how it is told what to do and heard.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{DOMAIN, PATIENCE, own_domain};

/// The Python that has the peers on zenoh and the judges of our codec.
///
/// # Panics
/// When there is none, with the way out.
fn python() -> PathBuf {
    program_of("TROIKA_INTEROP_PYTHON")
}

fn program_of(variable: &str) -> PathBuf {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else {
        panic!(
            "{variable} is not set: run `cargo xtask test interop`, or see tests/interop/README.md for the commands that install \
             the peers"
        );
    };
    assert!(
        path.is_file(),
        "{variable} is {}, which is no file: see tests/interop/README.md",
        path.display()
    );
    path
}

/// The environment that a Python belongs to.
fn environment(python: &Path) -> &Path {
    python.ancestors().nth(2).expect("a Python lies in the bin folder of its environment")
}

/// Stock ROS 2's Python with our messages, as sourcing `install/setup.sh` would set it up, on this host and `domain` alone.
fn stock_ros(domain: u32) -> Command {
    let python = program_of("TROIKA_ROS_PYTHON");
    let mut command = Command::new(&python);
    as_sourced(&mut command, &python, domain);
    command
}

/// The same for any program.
fn as_sourced(command: &mut Command, python: &Path, domain: u32) {
    let place = environment(python);
    let install = place.join("msgs/install");
    let modules = fs::read_dir(install.join("lib")).ok().and_then(|entries| {
        let folders = entries.flatten().map(|entry| entry.path().join("site-packages"));
        folders.into_iter().find(|folder| folder.join("troika_msgs").is_dir())
    });
    let Some(modules) = modules else {
        panic!(
            "colcon has not built msgs/ into {}: run `cargo xtask test interop`, or see tests/interop/README.md",
            install.display()
        );
    };
    command
        .env("AMENT_PREFIX_PATH", env::join_paths([&*install, place]).expect("paths without a colon"))
        .env("PYTHONPATH", modules)
        // The wheels add their own.
        .env("LD_LIBRARY_PATH", install.join("lib"))
        .env("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
        .env("ROS_DOMAIN_ID", domain.to_string())
        .env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        .env("ROS_LOG_DIR", place.join("log"));
    for name in
        ["_ROS_WHEELS_BOOTSTRAP_COMPLETE", "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY", "ROS_DISCOVERY_SERVER"]
    {
        command.env_remove(name);
    }
    for name in
        ["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE", "RMW_FASTRTPS_USE_QOS_FROM_XML"]
    {
        command.env_remove(name);
    }
}

/// A peer's process.
pub struct Peer {
    name: &'static str,
    child: Child,
    orders: Option<ChildStdin>,
    events: Receiver<Value>,
    /// Events that came while another was waited for.
    kept: Vec<Value>,
}

impl Peer {
    /// Starts `peers/<name>.py` at the router's port and waits until it is ready.
    pub fn start(name: &'static str, port: u16) -> Peer {
        let python = python();
        let mut command = Command::new(&python);
        command
            .env("ROS_DOMAIN_ID", DOMAIN.to_string())
            // pyzeros compiles its codecs at the first use; they belong with the peers, not in the working tree.
            .env("CYDR_CACHE_DIR", environment(&python).join("cydr-cache"))
            .env_remove("ZENOH_SESSION_CONFIG_URI")
            .env_remove("ZENOH_CONFIG_OVERRIDE");
        Peer::run(name, command, &[&port.to_string()])
    }

    /// Starts `peers/<name>.py`, which judges our codec and needs no network.
    pub fn judge(name: &'static str) -> Peer {
        Peer::run(name, Command::new(python()), &[])
    }

    /// Starts stock ROS 2 as a judge of our codec.
    pub fn rclpy_judge() -> Peer {
        Peer::run("rclpy_peer", stock_ros(own_domain()), &[])
    }

    /// Starts stock ROS 2 with a node `rclpy_peer_<role>` on Fast DDS.
    pub fn rclpy_node(domain: u32, role: &str) -> Peer {
        Peer::run("rclpy_peer", stock_ros(domain), &["live", role])
    }

    /// Starts stock ROS 2 with a node of that name on Fast DDS, beside ours that are on ROS 2 too.
    pub fn ros2(domain: u32, node: &str) -> Peer {
        Peer::run("ros2_peer", stock_ros(domain), &[node])
    }

    /// Starts the Python binding of CycloneDDS on this host and `domain` alone.
    pub fn cyclonedds(domain: u32) -> Peer {
        const LOCAL: &str = "<CycloneDDS><Domain><General><AllowMulticast>false</AllowMulticast></General><Discovery>\
            <ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>\
            <Peers><Peer address=\"127.0.0.1\"/></Peers></Discovery></Domain></CycloneDDS>";
        let mut command = Command::new(python());
        command.env("CYCLONEDDS_URI", LOCAL);
        Peer::run("cyclonedds_peer", command, &[&domain.to_string()])
    }

    /// Starts r2r with a node of that name on Fast DDS.
    pub fn r2r(domain: u32, node: &str) -> Peer {
        let mut command = Command::new(program_of("TROIKA_R2R_PEER"));
        as_sourced(&mut command, &program_of("TROIKA_ROS_PYTHON"), domain);
        // The wheels' own libraries too, which Python finds by itself.
        command.env("LD_LIBRARY_PATH", env::var_os("TROIKA_ROS_LIBRARIES").unwrap_or_default()).arg(node);
        Peer::of("r2r_peer", command)
    }

    /// Starts RustDDS on `domain`.
    pub fn rustdds(domain: u32) -> Peer {
        let program = program_of("TROIKA_RUSTDDS_PEER");
        let mut command = Command::new(program);
        command.arg(domain.to_string());
        Peer::of("rustdds_peer", command)
    }

    /// Ends it as a crash would: it takes leave of nobody.
    pub fn kill(mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it was there");
    }

    fn run(name: &'static str, mut command: Command, arguments: &[&str]) -> Peer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(format!("{name}.py"));
        command.arg("-uB").arg(script).args(arguments);
        Peer::of(name, command)
    }

    fn of(name: &'static str, mut command: Command) -> Peer {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start the peer");
        let orders = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(event) => {
                        if sender.send(event).is_err() {
                            return;
                        }
                    }
                    // Peers' libraries print too.
                    Err(_) => println!("{name}: {line}"),
                }
            }
        });
        let mut peer = Peer { name, child, orders, events, kept: Vec::new() };
        peer.wait("ready", |e| e["event"] == "ready");
        peer
    }

    /// Its script's.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Gives it an order.
    pub fn tell(&mut self, order: &Value) {
        let orders = self.orders.as_mut().expect("open until the drop");
        writeln!(orders, "{order}").and_then(|()| orders.flush()).expect("the peer listens");
    }

    /// The next event that is wanted; others are kept for later.
    ///
    /// # Panics
    /// When it does not come within [`PATIENCE`], or the peer has ended.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.poll(Duration::from_millis(100), &wanted) {
                return event;
            }
            assert!(
                Instant::now() < end,
                "{}: waited {PATIENCE:?} for: {what}; came: {:?}",
                self.name,
                self.kept
            );
        }
    }

    /// The same, once, for `patience`.
    pub fn poll(&mut self, patience: Duration, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return Some(self.kept.remove(at));
        }
        let end = Instant::now() + patience;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) if wanted(&event) => return Some(event),
                Ok(event) => self.kept.push(event),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} has ended: {:?}", self.name, self.child.wait())
                }
            }
        }
    }

    /// Waits for an event of a topic.
    pub fn wait_for(&mut self, event: &str, topic: &str) -> Value {
        self.wait(&format!("{event} {topic}"), |e| e["event"] == event && e["topic"] == topic)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.orders.take());
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        println!("{} does not end: killed", self.name);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
