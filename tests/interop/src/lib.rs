//! What belongs here: our nodes beside independent peers. This file starts a peer's process, tells it what to do and waits for
//! what it sees; [`edges`] makes the values for the judges of our codec; the tests are in `tests/`, the peers' side in `peers/`.
//!
//! A peer that cannot be started is a failed test, never a skipped one.
#![allow(
    clippy::disallowed_methods,
    reason = "tests wait for other processes: they need a clock and a sleep"
)]

pub mod edges;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{self, Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use troika_conformance::{Inbox, services::ask, until, until_endpoint};
use troika_kit::{Message, Qos, Service as _, Time};
use troika_msgs::std_srvs;
use troika_transport::{Meta, NodeHandle, Respond, Transport};
use troika_transport_dds::{DdsOptions, DdsTransport, DiscoveryRange};
use troika_transport_zenoh::{RouterGuard, ZenohOptions, ZenohTransport};

pub use troika_conformance::{PATIENCE, free_port};

/// A ROS domain that a stray ROS system on this machine is not likely to use.
pub const DOMAIN: u32 = 87;

/// The Python that has the peers on zenoh and the judges of our codec.
///
/// # Panics
/// When there is none, with the way out.
pub fn python() -> PathBuf {
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
    let place = environment(&python);
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
    let mut command = Command::new(&python);
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
    command
}

/// A ROS domain for DDS that two runs on one host seldom share. Up to 101, because the ports of higher ones lie among those that
/// Linux gives to anybody.
pub fn own_domain() -> u32 {
    static CALLS: Mutex<u32> = Mutex::new(0);
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    *calls += 1;
    // Another one for each test: a participant of the test before may still be waited for.
    DOMAIN + 1 + (process::id() + *calls) % (101 - DOMAIN)
}

/// Our session on DDS, on this host and `domain` alone.
///
/// # Panics
/// When it cannot be opened.
pub fn on_dds(domain: u32) -> DdsTransport {
    let options = DdsOptions { domain, range: DiscoveryRange::Localhost, ..DdsOptions::default() };
    DdsTransport::open(options).expect("a session on DDS")
}

/// One line of the result.
pub fn verdict(peer: &str, capability: &str) {
    println!("interop  {peer:<15} {capability:<60} ok");
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

/// Our session at a router of the test's own (or at somebody's, when one listens on the port already), with one node.
pub struct Ours {
    /// Our node, `/car/ours`.
    pub node: Box<dyn NodeHandle>,
    /// Our session.
    pub transport: ZenohTransport,
    /// Whether we started the router.
    pub router: RouterGuard,
}

impl Ours {
    /// Opens them.
    pub fn open(port: u16) -> Ours {
        let endpoint = format!("tcp/127.0.0.1:{port}");
        let router = RouterGuard::ensure(&endpoint).expect("a router");
        let options = ZenohOptions { domain: DOMAIN, router: endpoint, ..ZenohOptions::default() };
        let transport = ZenohTransport::open(options).expect("a session");
        let node = transport.node("/car", "ours").expect("a node");
        Ours { node, transport, router }
    }
}

/// We publish `message` on `topic`; the peer gets it, value by value, as a type whose hash it computed itself.
pub fn peer_hears<M: Message>(peer: &mut Peer, ours: &Ours, topic: &str, message: &M) {
    peer.tell(&json!({ "do": "listen", "topic": topic, "type": M::TYPE.name }));
    let listening = peer.wait_for("listening", topic);
    assert_eq!(listening["hash"], M::TYPE.hash, "the peer's own hash of {}", M::TYPE.name);
    let mut publisher = ours.node.publisher(topic, M::TYPE, Qos::DEFAULT).expect("publisher");
    until_endpoint(&ours.transport, topic, false);
    let mut cdr = Vec::new();
    message.encode(&mut cdr).expect("a CDR form");
    let mut got = None;
    // Repeated: what is sent while the two sessions still connect may be lost.
    until(&format!("{} to get {topic}", peer.name), || {
        publisher.put(&cdr, Time::from_nanos(1_700_000_000_123_456_789)).expect("put");
        got = peer.poll(Duration::from_millis(50), |e| e["event"] == "got" && e["topic"] == topic);
        got.is_some()
    });
    let got = got.expect("just got");
    let expected = told(message);
    assert!(same(&got["data"], &expected), "{topic}\n  sent {expected:.2000}\n  got  {:.2000}", got["data"]);
    verdict(peer.name, &format!("receives our {} and computes its hash", M::TYPE.name));
}

/// The peer publishes `data` on `topic`; we get it, value by value. Gives the publisher's id as the peer told it and as we
/// received it.
pub fn we_hear<M: Message>(
    peer: &mut Peer,
    ours: &Ours,
    topic: &str,
    data: &Value,
    expected: &M,
) -> (String, String) {
    let inbox = Inbox::open(&*ours.node, topic, M::TYPE, Qos::DEFAULT);
    peer.tell(&json!({ "do": "talk", "topic": topic, "type": M::TYPE.name, "data": data }));
    let talking = peer.wait_for("talking", topic);
    assert_eq!(talking["hash"], M::TYPE.hash, "the peer's own hash of {}", M::TYPE.name);
    let seen = until_endpoint(&ours.transport, topic, true);
    assert_eq!((seen.type_name.as_str(), seen.type_hash.as_str()), (M::TYPE.name, M::TYPE.hash));
    let (first, second) = (inbox.next(), inbox.next());
    peer.tell(&json!({ "do": "hush", "topic": topic }));
    for message in [&first, &second] {
        assert_eq!(&M::decode(&message.cdr).expect("the peer's CDR"), expected, "{topic}");
        // Some time after the start of 2020: the peers stamp with the wall clock.
        assert!(message.meta.source_time > Time::from_nanos(1_577_836_800_000_000_000));
    }
    assert_eq!(second.meta.sequence, first.meta.sequence + 1);
    verdict(peer.name, &format!("sends {}, which we receive", M::TYPE.name));
    let told = talking["gid"].as_str().unwrap_or_default().to_owned();
    let received = first.meta.gid.iter().map(|b| format!("{b:02x}")).collect();
    (told, received)
}

/// What the switch of both sides says.
fn switched(on: bool) -> std_srvs::SetBoolResponse {
    std_srvs::SetBoolResponse { success: on, message: if on { "on" } else { "off" }.to_owned() }
}

/// Its CDR.
///
/// # Panics
/// When it has none.
pub fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut cdr = Vec::new();
    message.encode(&mut cdr).expect("a CDR form");
    cdr
}

/// The peer asks a service of ours, whose hash it computed itself, and gets the answer.
pub fn peer_asks(peer: &mut Peer, ours: &Ours, service: &str) {
    let answer = |cdr: &[u8], _: &Meta, respond: Respond| {
        let request = std_srvs::SetBoolRequest::decode(cdr).map_err(|error| error.to_string());
        respond.answer(request.map(|request| encoded(&switched(request.data))));
    };
    let _served = ours.node.serve(service, std_srvs::SetBool::TYPE, Box::new(answer)).expect("serve");
    for on in [true, false] {
        let mut answered = Value::Null;
        // Again where the peer does not wait for a service: it may ask before the router has told it of ours.
        until(&format!("{} to get an answer", peer.name), || {
            peer.tell(
                &json!({ "do": "ask", "topic": service, "type": std_srvs::SetBool::TYPE.name, "data": { "data": on } }),
            );
            answered = peer.wait_for("answered", service);
            assert_eq!(answered["hash"], std_srvs::SetBool::TYPE.hash, "the peer's own hash");
            !answered["data"].is_null()
        });
        let expected = switched(on);
        assert_eq!(answered["data"], json!({ "success": expected.success, "message": expected.message }));
    }
    verdict(peer.name, "asks a service of ours and computes its hash");
}

/// We ask a service of the peer, and get the answer.
pub fn peer_answers(peer: &mut Peer, ours: &Ours, service: &str) {
    peer.tell(&json!({ "do": "serve", "topic": service, "type": std_srvs::SetBool::TYPE.name }));
    let serving = peer.wait_for("serving", service);
    assert_eq!(serving["hash"], std_srvs::SetBool::TYPE.hash, "the peer's own hash");
    let mut client = ours.node.client(service, std_srvs::SetBool::TYPE).expect("client");
    until("the peer's service", || client.is_served().expect("a look"));
    for on in [true, false] {
        let request = encoded(&std_srvs::SetBoolRequest { data: on });
        let answer = ask(&mut *client, &request, 1).expect("no refusal");
        assert_eq!(std_srvs::SetBoolResponse::decode(&answer).expect("the peer's CDR"), switched(on));
    }
    let graph = ours.transport.graph().expect("graph");
    assert!(graph.services.iter().any(|end| end.service == service && end.serves), "{:?}", graph.services);
    verdict(peer.name, "serves, and answers us; its service is on our graph");
}

/// A message as the peers tell it: what our own tools show, long arrays told by length and sum.
pub fn told<M: Message>(message: &M) -> Value {
    let mut cdr = Vec::new();
    message.encode(&mut cdr).expect("a CDR form");
    let entry = troika_msgs::dynamic::lookup(M::TYPE.name).expect("one of ours");
    shorten(entry.to_json(&cdr).expect("readable"))
}

/// Arrays of more elements than this are told by length and sum (the peers have the same figure).
const LONG: usize = 4096;

fn shorten(value: Value) -> Value {
    match value {
        Value::Array(items) if items.len() > LONG => {
            json!({ "length": items.len(), "sum": items.iter().filter_map(Value::as_i64).sum::<i64>() })
        }
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, shorten(value))).collect(),
        other => other,
    }
}

/// Whether two values are the same, numbers compared as 32-bit floats unless both are integers: Python tells a float32 in full
/// length, we in the shortest form.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) if x.is_f64() || y.is_f64() => {
            matches!((x.as_f64(), y.as_f64()), (Some(x), Some(y)) if x as f32 == y as f32)
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(name, x)| y.get(name).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}
