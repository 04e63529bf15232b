//! `troika view --foxglove` before a client that is none of ours: it decodes our messages by the schemas that it is told.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use troika_conformance::until;
use troika_interop::{DOMAIN, Ours, Peer, free_port, verdict};
use troika_kit::{Message, Qos, Time};
use troika_msgs::{
    sensor_msgs::Image,
    std_msgs::Header,
    troika::{DriverState, VehicleSignals},
};

const IMAGE: &str = "/cabin/camera/image_raw";
const STATE: &str = "/cabin/driver_state";
const SIGNALS: &str = "/vehicle/signals";

/// `troika view`, which ends with this.
struct View {
    child: Child,
    url: String,
}

impl View {
    fn start(port: u16, more: &[&str]) -> View {
        let own = env::current_exe().expect("a path");
        let program: PathBuf = own.ancestors().nth(2).expect("target/debug/deps").join("troika");
        assert!(program.is_file(), "build it first: cargo build --workspace --all-targets");
        let mut child = Command::new(program)
            .args(["view", "--listen", "127.0.0.1:0", "--foxglove", "127.0.0.1:0", "--transport", "zenoh"])
            .args(["--router", &format!("tcp/127.0.0.1:{port}")])
            .args(more)
            .env("ROS_DOMAIN_ID", DOMAIN.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let url = lines
            .find_map(|line| Some(line.strip_prefix("Foxglove: ")?.split(' ').next()?.to_owned()))
            .expect("it says where it is");
        // What it says besides is not waited for.
        thread::spawn(move || lines.for_each(drop));
        View { child, url }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(peer: &mut Peer, view: &View, protocol: &str) {
    peer.tell(&json!({"do": "connect", "url": view.url, "protocols": [protocol]}));
    let connected = peer.wait("a connection", |event| event["event"] != "ready");
    assert_eq!((&connected["event"], &connected["protocol"]), (&json!("connected"), &json!(protocol)));
    assert_eq!(connected["info"]["op"], "serverInfo");
}

/// Publishes until the peer has what it asked for; gives the messages that it got.
fn read<M: Message>(
    peer: &mut Peer,
    ours: &Ours,
    topic: &str,
    mut message: impl FnMut(Time) -> M,
) -> Vec<Value> {
    let mut publisher = ours.node.publisher(topic, M::TYPE, Qos::DEFAULT).expect("a publisher");
    peer.tell(&json!({"do": "read", "topic": topic, "subscription": 1000 + topic.len(), "count": 3}));
    let (mut cdr, mut got, mut sent) = (Vec::new(), Vec::new(), 0_u32);
    until(&format!("messages of {topic}"), || {
        sent += 1;
        let stamp = Time::from_stamp(1_700_000_000, sent);
        message(stamp).encode(&mut cdr).expect("a CDR form");
        publisher.put(&cdr, stamp).expect("put");
        match peer.poll(Duration::from_millis(20), |event| event["event"] != "ready") {
            Some(event) if event["event"] == "message" => got.push(event),
            Some(event) if event["event"] == "read" => return true,
            Some(event) => panic!("{event}"),
            None => {}
        }
        false
    });
    assert_eq!(got.len(), 3);
    assert!(got.iter().all(|one| one["type"] == M::TYPE.name));
    got
}

fn frame(stamp: Time) -> Image {
    Image {
        header: Header::new(stamp, "cabin_camera"),
        width: 640,
        height: 480,
        step: 1920,
        encoding: "rgb8".into(),
        data: (0..480 * 1920_u32).map(|at| (at % 251) as u8).collect(),
        ..Image::default()
    }
}

#[test]
fn a_foreign_client_reads_pictures_and_driver_states_by_the_schemas_that_it_is_told() {
    let port = free_port();
    let ours = Ours::open(port);
    let view = View::start(port, &[]);
    let mut peer = Peer::judge("foxglove_peer");
    for protocol in ["foxglove.websocket.v1", "foxglove.sdk.v1"] {
        connect(&mut peer, &view, protocol);
        let bytes = frame(Time::ZERO).data;
        for picture in read(&mut peer, &ours, IMAGE, frame) {
            let value = &picture["value"];
            assert_eq!((&value["width"], &value["encoding"]), (&json!(640), &json!("rgb8")));
            assert_eq!(value["header"]["frame_id"], "cabin_camera");
            assert_eq!(value["header"]["stamp"]["sec"], 1_700_000_000);
            let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
            assert_eq!((&value["data"]["length"], &value["data"]["sum"]), (&json!(bytes.len()), &json!(sum)));
        }
        let state = |stamp| DriverState {
            header: Header::at(stamp),
            state: DriverState::EYES_CLOSED,
            face_detected: true,
            face_box: [0.25, 0.5, 0.125, 1.0],
            eye_openness_left: 0.25,
            perclos: f32::NAN,
            landmarks: vec![0.5; 956],
            model: "é \u{1f697}".into(),
            ..DriverState::default()
        };
        for one in read(&mut peer, &ours, STATE, state) {
            let value = &one["value"];
            assert_eq!((&value["state"], &value["face_detected"]), (&json!(3), &json!(true)));
            assert_eq!(value["face_box"], json!([0.25, 0.5, 0.125, 1.0]));
            assert_eq!((&value["eye_openness_left"], &value["perclos"]), (&json!(0.25), &Value::Null));
            assert_eq!(value["landmarks"].as_array().expect("a list").len(), 956);
            assert_eq!(value["model"], "é \u{1f697}");
        }
        verdict("websockets", &format!("reads pictures and driver states over {protocol}"));
        peer.tell(&json!({"do": "send", "text": "{\"op\":\"advertise\",\"channels\":[]}"}));
        let told = peer.wait("a word on it", |event| event["event"] == "told");
        assert!(told["status"]["message"].as_str().expect("text").contains("takes nothing"), "{told}");
        peer.tell(&json!({"do": "close"}));
        peer.wait("its end", |event| event["event"] == "closed");
    }
    // Nobody is subscribed any more: neither is the view.
    until("the view to hear no pictures", || {
        let graph = troika_transport::Transport::graph(&ours.transport).expect("a graph");
        !graph.endpoints.iter().any(|end| end.topic == IMAGE && !end.publishes)
    });
}

#[test]
fn foreign_pages_and_other_protocols_are_refused_and_no_images_offers_none() {
    let port = free_port();
    let ours = Ours::open(port);
    let view = View::start(port, &["--no-images"]);
    let mut peer = Peer::judge("foxglove_peer");
    for (origin, protocol, status) in
        [(Some("https://evil.example"), "foxglove.websocket.v1", 403), (None, "graphql-ws", 400)]
    {
        peer.tell(&json!({"do": "connect", "url": view.url, "protocols": [protocol], "origin": origin}));
        let refused = peer.wait("an answer", |event| event["event"] != "ready");
        assert_eq!((&refused["event"], &refused["status"]), (&json!("refused"), &json!(status)), "{refused}");
    }
    let _publishers = [(IMAGE, Image::TYPE), (SIGNALS, VehicleSignals::TYPE)]
        .map(|(topic, ty)| ours.node.publisher(topic, ty, Qos::DEFAULT).expect("a publisher"));
    connect(&mut peer, &view, "foxglove.websocket.v1");
    peer.tell(&json!({"do": "channels", "until": SIGNALS}));
    let told = peer.wait("the channels", |event| event["event"] == "channels");
    let topics = told["topics"].as_array().expect("a list");
    assert!(topics.contains(&json!(SIGNALS)) && !topics.contains(&json!(IMAGE)), "{told}");
    verdict("websockets", "is offered no pictures where they are off, foreign pages nothing");
}
