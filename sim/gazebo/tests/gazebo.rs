//! The built bridge beside Gazebo's own command-line peer (Debian's `ign-transport-topic`, C++ on the real protobuf definitions), each
//! way and for every type; and 1,000 pictures and 10,000 samples of an IMU from another process. A peer that is not there is a failed
//! test.
#![allow(clippy::disallowed_methods, reason = "tests wait for other processes: they need a clock")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{self, Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use troika_conformance::{Inbox, free_port, until, until_endpoint};
use troika_gazebo::{convert, peer};
use troika_host::heartbeat;
use troika_interop::{DOMAIN, Ours, encoded, verdict};
use troika_kit::{Message, Qos, Time};
use troika_msgs::{
    builtin_interfaces,
    geometry_msgs::{Quaternion, Twist, Vector3},
    nav_msgs::Odometry,
    rosgraph_msgs::Clock,
    sensor_msgs::{CameraInfo, Image, Imu, JointState},
    std_msgs,
    troika::{AudioChunk, Heartbeat, VehicleSignals},
};

const PEER: &str = "/usr/libexec/ignition/transport11/ign-transport-topic";
/// Whoever takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);

/// Gazebo's network of one test.
struct World {
    partition: String,
}

impl World {
    fn new() -> World {
        static MADE: Mutex<u32> = Mutex::new(0);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        World { partition: format!("troika-{}-{made}", process::id()) }
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env("IGN_IP", "127.0.0.1").env("IGN_PARTITION", &self.partition);
        command
    }

    /// Gazebo's own peer.
    fn peer(&self, arguments: &[&str]) -> Command {
        assert!(Path::new(PEER).is_file(), "no {PEER}: apt-get install ignition-transport-cli");
        let mut command = self.command(PEER);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn told_by_peer(&self, arguments: &[&str]) -> String {
        let output = self.peer(arguments).output().expect("the peer runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The bridge's process.
struct Bridge {
    child: Child,
    lines: Receiver<String>,
}

impl Bridge {
    /// At the router of [`Ours`] on this port.
    fn start(world: &World, port: u16, pairs: &Value) -> Bridge {
        let config = json!({
            "router": format!("tcp/127.0.0.1:{port}"), "domain": DOMAIN, "report_s": 0, "pair": pairs,
        });
        let mut command = world.command(env!("CARGO_BIN_EXE_troika-gazebo"));
        command.args(["--config", &config.to_string()]).stdin(Stdio::null());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the bridge starts");
        let (said, lines) = channel();
        let errors = child.stderr.take().expect("piped");
        thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).for_each(|line| drop(said.send(line)));
        });
        let bridge = Bridge { child, lines };
        bridge.says("bridging");
        bridge
    }

    /// Waits until it says this.
    fn says(&self, what: &str) -> String {
        let begin = Instant::now();
        let mut all = Vec::new();
        while begin.elapsed() < HANGS {
            match self.lines.recv_timeout(HANGS) {
                Ok(line) if line.contains(what) => return line,
                Ok(line) => all.push(line),
                Err(_) => break,
            }
        }
        panic!("the bridge does not say '{what}', but {all:?}");
    }

    /// Ctrl-C: it ends well, and tells its counts, by pair.
    fn end(mut self) -> Vec<Value> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
        let mut out = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
        let status = self.child.wait().expect("its status");
        assert!(status.success(), "{status}");
        let last = out.lines().last().expect("its counts");
        let told: Value = serde_json::from_str(last).expect("JSON");
        told["pairs"].as_array().expect("pairs").clone()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pair<M: Message>(topic: &str, gz: &str, direction: &str) -> Value {
    json!({
        "ros_topic_name": topic, "gz_topic_name": topic, "ros_type_name": M::TYPE.name,
        "gz_type_name": format!("gz.msgs.{gz}"), "direction": direction,
    })
}

fn header() -> std_msgs::Header {
    let stamp = builtin_interfaces::Time { sec: 12, nanosec: 500_000_000 };
    std_msgs::Header { stamp, frame_id: "somewhere".to_owned() }
}

/// As Gazebo's peer writes [`header`] and reads it, in protobuf's text form; `more` are further entries.
fn header_text(more: &str) -> String {
    format!(
        "header {{ stamp {{ sec: 12 nsec: 500000000 }} data {{ key: \"frame_id\" value: \"somewhere\" }} {more}}}"
    )
}

fn image() -> Image {
    let data = b"abcdefghijkl".to_vec();
    Image { header: header(), height: 2, width: 2, encoding: "rgb8".into(), is_bigendian: 0, step: 6, data }
}

fn camera_info() -> CameraInfo {
    CameraInfo {
        header: header(),
        height: 480,
        width: 640,
        distortion_model: "rational_polynomial".into(),
        d: vec![0.5, 0.25],
        k: [620.0, 0.0, 320.0, 0.0, 620.0, 240.0, 0.0, 0.0, 1.0],
        r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p: [620.0, 0.0, 320.0, 0.0, 0.0, 620.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        ..CameraInfo::default()
    }
}

fn imu() -> Imu {
    Imu {
        header: header(),
        orientation: Quaternion { x: 0.0, y: 0.0, z: 0.6, w: 0.8 },
        angular_velocity: Vector3 { x: 0.5, y: 0.0, z: -0.25 },
        linear_acceleration: Vector3 { x: 1.0, y: 2.0, z: 9.75 },
        ..Imu::default()
    }
}

fn twist() -> Twist {
    Twist { linear: Vector3 { x: 13.5, y: 0.0, z: 0.0 }, angular: Vector3 { x: 0.0, y: 0.0, z: -0.5 } }
}

fn odometry() -> Odometry {
    let mut odometry = Odometry { header: header(), child_frame_id: "vehicle".into(), ..Odometry::default() };
    odometry.pose.pose.position.x = 40.5;
    odometry.twist.twist = twist();
    odometry
}

fn joints() -> JointState {
    JointState {
        header: header(),
        name: vec!["head_yaw".into(), "left_eyelid".into()],
        position: vec![0.5, -0.25],
        velocity: vec![1.5, 2.5],
        effort: vec![3.5, 4.5],
    }
}

fn signals() -> VehicleSignals {
    VehicleSignals {
        header: header(),
        speed_kmh: 87.5,
        steering_angle_deg: -12.25,
        gear: 3,
        ignition_on: true,
        driver_acted: true,
        ..VehicleSignals::default()
    }
}

fn audio() -> AudioChunk {
    AudioChunk { header: header(), sample_rate: 16_000, channels: 1, samples: vec![0x4142, 0x4344] }
}

/// One message, and the same as Gazebo's peer has it in text.
struct Case {
    /// Ours.
    ros: &'static str,
    gz: &'static str,
    topic: String,
    cdr: Vec<u8>,
    show: fn(&[u8]) -> String,
    text: String,
}

fn case<M: Message>(gz: &'static str, message: &M, text: &str) -> Case {
    fn show<M: Message>(cdr: &[u8]) -> String {
        format!("{:?}", M::decode(cdr).expect("CDR"))
    }
    let topic = format!("/test/{}", gz.to_lowercase());
    Case { ros: M::TYPE.name, gz, topic, cdr: encoded(message), show: show::<M>, text: text.to_owned() }
}

fn cases() -> Vec<Case> {
    const TWIST: &str = "linear { x: 13.5 } angular { z: -0.5 }";
    let k = "intrinsics { k: 620 k: 0 k: 320 k: 0 k: 620 k: 240 k: 0 k: 0 k: 1 }";
    let p = "projection { p: 620 p: 0 p: 320 p: 0 p: 0 p: 620 p: 240 p: 0 p: 0 p: 0 p: 1 p: 0 }";
    let r: String = [1, 0, 0, 0, 1, 0, 0, 0, 1].map(|n| format!("rectification_matrix: {n} ")).concat();
    let any = |name: &str, kind: &str, value: &str| {
        format!("params {{ key: \"{name}\" value {{ type: {kind} {value} }} }} ")
    };
    let params = [
        any("Troika.DriverActed", "BOOLEAN", "bool_value: true"),
        any("Vehicle.Chassis.SteeringWheel.Angle", "DOUBLE", "double_value: -12.25"),
        any("Vehicle.LowVoltageSystemState", "STRING", "string_value: \"ON\""),
        any("Vehicle.Powertrain.Transmission.CurrentGear", "INT32", "int_value: 3"),
        any("Vehicle.Speed", "DOUBLE", "double_value: 87.5"),
    ]
    .concat();
    let sound = "data { key: \"format\" value: \"s16le\" } data { key: \"sample_rate\" value: \"16000\" } \
                 data { key: \"channels\" value: \"1\" } ";
    vec![
        case(
            "Image",
            &image(),
            &format!(
                "{} width: 2 height: 2 step: 6 data: \"abcdefghijkl\" pixel_format_type: RGB_INT8",
                header_text("")
            ),
        ),
        case(
            "CameraInfo",
            &camera_info(),
            &format!(
                "{} width: 640 height: 480 distortion {{ model: RATIONAL_POLYNOMIAL k: 0.5 k: 0.25 }} {k} {p} {r}",
                header_text("")
            ),
        ),
        case(
            "IMU",
            &imu(),
            &format!(
                "{} entity_name: \"somewhere\" orientation {{ z: 0.6 w: 0.8 }} angular_velocity {{ x: 0.5 z: -0.25 }} \
                 linear_acceleration {{ x: 1 y: 2 z: 9.75 }}",
                header_text("")
            ),
        ),
        case(
            "Model",
            &joints(),
            &format!(
                "{} joint {{ name: \"head_yaw\" axis1 {{ position: 0.5 velocity: 1.5 force: 3.5 }} }} \
                 joint {{ name: \"left_eyelid\" axis1 {{ position: -0.25 velocity: 2.5 force: 4.5 }} }}",
                header_text("")
            ),
        ),
        case(
            "Odometry",
            &odometry(),
            &format!(
                "{} pose {{ position {{ x: 40.5 }} orientation {{ w: 1 }} }} twist {{ {TWIST} }}",
                header_text("data { key: \"child_frame_id\" value: \"vehicle\" } ")
            ),
        ),
        case("Twist", &twist(), TWIST),
        case("Clock", &Clock { clock: header().stamp }, "sim { sec: 12 nsec: 500000000 }"),
        case("Boolean", &std_msgs::Bool { data: true }, "data: true"),
        case("StringMsg", &std_msgs::String { data: "on".into() }, "data: \"on\""),
        case("Double", &std_msgs::Float64 { data: 1.5 }, "data: 1.5"),
        case("Float", &std_msgs::Float32 { data: -2.5 }, "data: -2.5"),
        case("Int32", &std_msgs::Int32 { data: -7 }, "data: -7"),
        case("Param", &signals(), &format!("{} {params}", header_text(""))),
        case("Bytes", &audio(), &format!("{} data: \"BADC\"", header_text(sound))),
    ]
}

/// Protobuf's text without its line breaks. A map has no order in it, so its words are compared as they are counted.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

#[test]
fn every_type_that_is_converted_is_known_to_the_library_by_its_name() {
    let mut node = peer::node(Some("names")).expect("a node");
    for conversion in convert::ALL {
        let made = peer::advertise_as(&mut node, conversion.gz, &format!("/{}", conversion.gz));
        assert!(made.is_some(), "{}", conversion.gz);
    }
    assert!(peer::advertise_as(&mut node, "Nothing", "/nothing").is_none());
    assert_eq!(cases().len(), convert::ALL.len(), "each has a case here");
}

/// A pair for each case, in this direction.
fn pairs(cases: &[Case], direction: &str) -> Value {
    let pair = |one: &Case| {
        json!({
            "ros_topic_name": one.topic, "gz_topic_name": one.topic, "ros_type_name": one.ros,
            "gz_type_name": one.gz, "direction": direction,
        })
    };
    cases.iter().map(pair).collect()
}

#[test]
fn gazebos_peer_reads_every_type_that_we_send_and_lists_our_topics() {
    let (world, port) = (World::new(), free_port());
    let ours = Ours::open(port);
    let cases = cases();
    let bridge = Bridge::start(&world, port, &pairs(&cases, "ROS_TO_GZ"));
    for one in &cases {
        let entry = troika_msgs::dynamic::lookup(one.ros).expect("ours");
        let mut publisher = ours.node.publisher(&one.topic, entry.info(), Qos::DEFAULT).expect("publisher");
        until_endpoint(&ours.transport, &one.topic, false);
        let mut echo = world.peer(&["-e", "-t", &one.topic, "-n", "1"]).spawn().expect("the peer runs");
        // Repeated: the peer shows nobody when it listens.
        until(&format!("the peer to get {}", one.topic), || {
            publisher.put(&one.cdr, Time::from_nanos(1)).expect("put");
            thread::sleep(Duration::from_millis(20));
            echo.try_wait().expect("its status").is_some()
        });
        let mut said = String::new();
        echo.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
        // It may show a second one, before it ends after the first.
        let first = said.split("\n\n").next().expect("there is always a first part");
        assert_eq!(words(first), words(&one.text), "{}: {said}", one.gz);
        verdict("ign-transport", &format!("reads {} as ignition.msgs.{}", one.ros, one.gz));
    }
    let listed = world.told_by_peer(&["-l"]);
    for one in &cases {
        assert!(listed.lines().any(|line| line == one.topic), "{} is not in {listed}", one.topic);
    }
    let info = world.told_by_peer(&["-i", "-t", "/test/imu"]);
    assert!(info.contains("ignition.msgs.IMU"), "{info}");
    verdict("ign-transport", "lists our topics with their types");
    for told in bridge.end() {
        assert_eq!((&told["unconvertible"], &told["refused"]), (&json!(0), &json!(0)), "{told}");
        assert!(told["sent"].as_u64() > Some(0), "{told}");
    }
}

#[test]
fn we_read_every_type_that_gazebos_peer_sends() {
    let (world, port) = (World::new(), free_port());
    let ours = Ours::open(port);
    let cases = cases();
    let bridge = Bridge::start(&world, port, &pairs(&cases, "GZ_TO_ROS"));
    for one in &cases {
        let entry = troika_msgs::dynamic::lookup(one.ros).expect("ours");
        let inbox = Inbox::open(&*ours.node, &one.topic, entry.info(), Qos::DEFAULT);
        until_endpoint(&ours.transport, &one.topic, true);
        let mut got = None;
        let of_gazebo = format!("ignition.msgs.{}", one.gz);
        // Repeated: it ends as soon as it has sent, whether anybody got it or not.
        until(&format!("{} from the peer", one.topic), || {
            let sent = world.peer(&["-t", &one.topic, "-m", &of_gazebo, "-p", &one.text]).output();
            assert!(sent.expect("the peer runs").status.success());
            got = inbox.waiting();
            got.is_some()
        });
        let got = (one.show)(&got.expect("just got").cdr);
        assert_eq!(got, (one.show)(&one.cdr), "{}", one.gz);
        verdict("ign-transport", &format!("sends {of_gazebo}, which we receive as {}", one.ros));
    }
    bridge.end();
}

#[test]
fn a_pair_of_both_directions_sends_nothing_round() {
    let (world, port) = (World::new(), free_port());
    let ours = Ours::open(port);
    let bridge =
        Bridge::start(&world, port, &json!([pair::<std_msgs::Int32>("/both", "Int32", "BIDIRECTIONAL")]));
    let entry = std_msgs::Int32::TYPE;
    let inbox = Inbox::open(&*ours.node, "/both", entry, Qos::DEFAULT);
    let mut publisher = ours.node.publisher("/both", entry, Qos::DEFAULT).expect("publisher");
    until_endpoint(&ours.transport, "/both", true);
    let mut echo = world.peer(&["-e", "-t", "/both", "-n", "20"]).spawn().expect("the peer runs");
    let mut number = 0;
    until("the peer to get twenty", || {
        number += 1;
        publisher.put(&encoded(&std_msgs::Int32 { data: number }), Time::from_nanos(1)).expect("put");
        thread::sleep(Duration::from_millis(20));
        echo.try_wait().expect("its status").is_some()
    });
    let mut said = String::new();
    echo.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    let heard: Vec<i32> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(heard.windows(2).all(|two| two[1] > two[0]), "each once: {heard:?}");
    until("a number of the peer's own", || {
        let sent = world.peer(&["-t", "/both", "-m", "ignition.msgs.Int32", "-p", "data: -1"]).output();
        assert!(sent.expect("the peer runs").status.success());
        let mut found = false;
        while let Some(one) = inbox.waiting() {
            let data = std_msgs::Int32::decode(&one.cdr).expect("CDR").data;
            // What we said ourselves comes to us too, once, from ourselves.
            found |= data == -1;
        }
        found
    });
    let told = bridge.end();
    let of = |label: &str| told.iter().find(|one| one["pair"].as_str() == Some(label)).expect(label).clone();
    let (to_gz, to_ros) = (of("/both -> gz /both"), of("gz /both -> /both"));
    // All that went to Gazebo came back from it and stopped there, and the other way round.
    assert_eq!(to_gz["sent"], to_ros["own"], "{told:?}");
    assert_eq!(to_ros["sent"], to_gz["own"], "{told:?}");
    assert!(to_gz["sent"].as_u64() >= Some(20) && to_ros["sent"].as_u64() >= Some(1), "{told:?}");
    verdict("ign-transport", "a pair of both directions sends nothing round");
}

#[test]
fn what_cannot_be_converted_is_counted_told_once_and_on_the_heartbeat() {
    let (world, port) = (World::new(), free_port());
    let ours = Ours::open(port);
    let beats = Inbox::open(&*ours.node, heartbeat::TOPIC, Heartbeat::TYPE, Qos::DEFAULT);
    let bridge = Bridge::start(&world, port, &json!([pair::<Image>("/bad", "Image", "GZ_TO_ROS")]));
    let short = "width: 2 height: 2 step: 6 data: \"abc\" pixel_format_type: RGB_INT8";
    let mut beat = Heartbeat::default();
    until("a heartbeat that tells of it", || {
        let sent = world.peer(&["-t", "/bad", "-m", "ignition.msgs.Image", "-p", short]).output();
        assert!(sent.expect("the peer runs").status.success());
        while let Some(one) = beats.waiting() {
            beat = Heartbeat::decode(&one.cdr).expect("CDR");
        }
        beat.undecodable >= 2
    });
    assert_eq!(beat.node, "/gazebo_bridge");
    let notice = bridge.says("notice");
    assert!(notice.contains("gz /bad -> /bad: data: 3 bytes, not 2 rows of 6"), "{notice}");
    let again = bridge.lines.try_recv();
    assert!(again.is_err(), "told twice: {again:?}");
    let told = bridge.end();
    assert!(told[0]["unconvertible"].as_u64() >= Some(2), "{told:?}");
    assert_eq!(told[0]["received"], told[0]["unconvertible"]);
    verdict("ign-transport", "what cannot be converted is counted and told once");
}

#[test]
fn a_lazy_pair_listens_while_somebody_listens_to_it() {
    let (world, port) = (World::new(), free_port());
    let ours = Ours::open(port);
    let mut lazy = pair::<std_msgs::Bool>("/lazy", "Boolean", "GZ_TO_ROS");
    lazy["lazy"] = json!(true);
    let bridge = Bridge::start(&world, port, &json!([lazy]));
    let send = || {
        let sent = world.peer(&["-t", "/lazy", "-m", "ignition.msgs.Boolean", "-p", "data: true"]).output();
        assert!(sent.expect("the peer runs").status.success());
    };
    let inbox = Inbox::open(&*ours.node, "/lazy", std_msgs::Bool::TYPE, Qos::DEFAULT);
    until("a message for who listens", || {
        send();
        inbox.waiting().is_some()
    });
    drop(inbox);
    let told = bridge.end();
    assert!(told[0]["sent"].as_u64() >= Some(1), "{told:?}");
}

const IMAGES: u64 = 1_000;
const SAMPLES: u64 = 10_000;

/// What came of a topic: numbers as the stamps have them, each once and in order.
fn numbers<M: Message>(inbox: &Inbox, of: fn(&M) -> &std_msgs::Header, into: &mut Vec<u32>) {
    while let Some(one) = inbox.waiting() {
        let message = M::decode(&one.cdr).expect("CDR");
        match of(&message).stamp.nanosec {
            // Before the count begins.
            0 => {}
            number => into.push(number),
        }
    }
}

/// Sends them at these rates (0: as fast as the transport takes them); what came of it.
fn load(image_hz: u32, imu_hz: u32) -> Value {
    let (world, port) = (World::new(), free_port());
    let ours = Ours::open(port);
    let mut pairs =
        [pair::<Image>("/load/image", "Image", "GZ_TO_ROS"), pair::<Imu>("/load/imu", "IMU", "GZ_TO_ROS")];
    for (pair, queue) in pairs.iter_mut().zip([100, 2_000]) {
        pair["subscriber_queue"] = json!(queue);
    }
    let bridge = Bridge::start(&world, port, &json!(pairs));
    let images = Inbox::open(&*ours.node, "/load/image", Image::TYPE, Qos::DEFAULT);
    let samples = Inbox::open(&*ours.node, "/load/imu", Imu::TYPE, Qos::DEFAULT);
    let mut source = world.command(env!("CARGO_BIN_EXE_troika-gazebo-source"));
    source.args(["--images", &IMAGES.to_string(), "--samples", &SAMPLES.to_string(), "--wait"]);
    source.args(["--image-hz", &image_hz.to_string(), "--imu-hz", &imu_hz.to_string()]);
    source.args(["--image-topic", "/load/image", "--imu-topic", "/load/imu"]);
    let mut source = source.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the source starts");
    until("both streams", || {
        thread::sleep(Duration::from_millis(20));
        images.waiting().is_some()
    });
    samples.next();
    source.stdin.take().expect("piped").write_all(b"go\n").expect("a line");
    let begin = Instant::now();
    let mut line = String::new();
    let mut out = BufReader::new(source.stdout.take().expect("piped"));
    let told = thread::spawn(move || {
        out.read_line(&mut line).expect("text");
        line
    });
    let (mut of_images, mut of_samples) = (Vec::new(), Vec::new());
    let (mut last, mut count) = (Instant::now(), 0);
    // Until all are there, or none has come for a while after the last was sent.
    while (of_images.len() as u64, of_samples.len() as u64) != (IMAGES, SAMPLES) {
        numbers::<Image>(&images, |one| &one.header, &mut of_images);
        numbers::<Imu>(&samples, |one| &one.header, &mut of_samples);
        let now = of_images.len() + of_samples.len();
        if now != count {
            (last, count) = (Instant::now(), now);
        } else if told.is_finished() && last.elapsed() > Duration::from_secs(3) {
            break;
        }
        assert!(
            begin.elapsed() < HANGS,
            "it hangs: {} images, {} samples",
            of_images.len(),
            of_samples.len()
        );
        thread::sleep(Duration::from_millis(5));
    }
    let took_s = last.duration_since(begin).as_secs_f64();
    let source_told: Value = serde_json::from_str(&told.join().expect("its words")).expect("JSON");
    assert!(Command::new("kill").args(["-INT", &source.id().to_string()]).status().expect("kill").success());
    assert!(source.wait().expect("its status").success());
    assert_eq!((&source_told["images"], &source_told["samples"]), (&json!(IMAGES), &json!(SAMPLES)));
    for got in [&of_images, &of_samples] {
        assert!(got.windows(2).all(|two| two[0] < two[1]), "each once and in order");
    }
    let pairs = bridge.end();
    let part = |got: &[u32], most: u64| {
        let got = got.len() as u64;
        json!({ "sent": most, "got": got, "lost": most - got, "rate_hz": (got as f64 / took_s * 10.0).round() / 10.0 })
    };
    json!({
        "image_hz": image_hz, "imu_hz": imu_hz, "took_s": took_s, "source": source_told,
        "images": part(&of_images, IMAGES), "samples": part(&of_samples, SAMPLES), "bridge": pairs,
    })
}

/// Writes the figures where the other tests' are.
fn keep(name: &str, figures: &Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../artefacts");
    fs::create_dir_all(&folder).expect("a folder");
    let text = serde_json::to_string_pretty(figures).expect("JSON");
    println!("{name}: {}", json!({ "images": figures["images"], "samples": figures["samples"] }));
    fs::write(folder.join(name), text).expect("written");
}

#[test]
fn a_thousand_pictures_and_ten_thousand_samples_come_across() {
    let figures = load(50, 500);
    keep("gazebo-paced.json", &figures);
    // The bridge itself loses none. What the transports before and behind it drop when a thread of theirs stands still for a tenth of a second is told in
    // the figures (none, on a machine that is left alone); that most of it comes is held here.
    for told in figures["bridge"].as_array().expect("pairs") {
        assert_eq!(
            (&told["dropped"], &told["refused"], &told["unconvertible"]),
            (&json!(0), &json!(0), &json!(0))
        );
        assert_eq!(told["sent"], told["received"], "{told}");
    }
    for (what, most) in [("images", IMAGES), ("samples", SAMPLES)] {
        let got = figures[what]["got"].as_u64().expect("a number");
        assert!(got * 10 >= most * 9, "{what}: {figures}");
    }
    verdict("troika-gazebo-source", "1,000 pictures and 10,000 samples of an IMU come across");
}

#[test]
fn as_fast_as_it_goes_nothing_is_lost_without_being_counted_or_known_to_be_the_transports() {
    let figures = load(0, 0);
    keep("gazebo-unpaced.json", &figures);
    for told in figures["bridge"].as_array().expect("pairs") {
        let of = |key: &str| told[key].as_u64().expect("a number");
        let sum = of("sent") + of("dropped") + of("paced") + of("unconvertible") + of("own") + of("refused");
        // The end comes with an empty queue: nobody had sent for seconds.
        assert_eq!(of("received"), sum, "{told}");
    }
    for what in ["images", "samples"] {
        assert!(figures[what]["got"].as_u64() > Some(0), "{figures}");
    }
}
