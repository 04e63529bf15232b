//! Our nodes as nodes of stock ROS 2 (rcl, Fast DDS), beside rclpy in a process of its own.
#![allow(clippy::disallowed_methods, reason = "tests wait for other processes")]

mod support;

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use support::{driver_state, driver_state_data, image, string};
use troika_conformance::{Inbox, until, until_endpoint};
use troika_host::{
    Host, HostOptions, NodeOptions,
    parameters::{Declared, double_value},
};
use troika_interop::{
    Peer,
    exchange::{late_joiners_get_what_was_said, messages_both_ways, services_both_ways},
    garbage,
    lives::each_life_is_heard_and_hears_us,
    many, own_domain, same, told, verdict,
};
use troika_kit::{Message, Qos, Service, Time};
use troika_msgs::{lifecycle_msgs, std_srvs};
use troika_template::{Config, Template};
use troika_transport::{Meta, NodeHandle, Respond, Transport};
use troika_transport_ros2::{Ros2Options, Ros2Transport};

fn open(domain: u32) -> Ros2Transport {
    Ros2Transport::open(Ros2Options { domain: Some(domain) }).expect("a session")
}

fn cdr<M: Message>(message: &M) -> Vec<u8> {
    let mut cdr = Vec::new();
    message.encode(&mut cdr).expect("a CDR form");
    cdr
}

/// We publish; the peer gets it from our node, under our hash.
fn peer_hears<M: Message>(
    peer: &mut Peer,
    ours: &dyn Transport,
    node: &dyn NodeHandle,
    topic: &str,
    message: &M,
) {
    peer.tell(&json!({ "do": "listen", "topic": topic, "type": M::TYPE.name }));
    peer.wait_for("listening", topic);
    let mut publisher = node.publisher(topic, M::TYPE, Qos::DEFAULT).expect("publisher");
    let seen = until_endpoint(ours, topic, false);
    assert_eq!((seen.type_name.as_str(), seen.type_hash.as_str()), (M::TYPE.name, M::TYPE.hash));
    let from_us = json!([{ "node": "/car/ours", "type": M::TYPE.name, "hash": M::TYPE.hash }]);
    let mut got = None;
    // Repeated: the peer may hear us before it has heard whose the publisher is.
    until(&format!("the peer to get {topic} from our node"), || {
        publisher.put(&cdr(message), Time::ZERO).expect("put");
        got = peer.poll(Duration::from_millis(50), |e| {
            e["event"] == "got" && e["topic"] == topic && e["publishers"] == from_us
        });
        got.is_some()
    });
    let got = got.expect("just got");
    let expected = told(message);
    assert!(same(&got["data"], &expected), "{topic}\n  sent {expected:.2000}\n  got  {:.2000}", got["data"]);
    verdict(peer.name(), &format!("receives our {} over rcl", M::TYPE.name));
}

/// The peer publishes; we get it.
fn we_hear<M: Message>(
    peer: &mut Peer,
    ours: &dyn Transport,
    node: &dyn NodeHandle,
    topic: &str,
    data: &Value,
    expected: &M,
) {
    let inbox = Inbox::open(node, topic, M::TYPE, Qos::DEFAULT);
    peer.tell(&json!({ "do": "talk", "topic": topic, "type": M::TYPE.name, "data": data }));
    peer.wait_for("talking", topic);
    let seen = until_endpoint(ours, topic, true);
    assert_eq!(
        (seen.node.as_str(), seen.type_name.as_str(), seen.type_hash.as_str()),
        ("/peer", M::TYPE.name, M::TYPE.hash)
    );
    let (first, second) = (inbox.next(), inbox.next());
    peer.tell(&json!({ "do": "hush", "topic": topic }));
    for message in [&first, &second] {
        assert_eq!(&M::decode(&message.cdr).expect("the peer's CDR"), expected, "{topic}");
        // Some time after the start of 2020.
        assert!(message.meta.source_time > Time::from_nanos(1_577_836_800_000_000_000));
    }
    assert_eq!(second.meta.sequence, first.meta.sequence + 1);
    assert_eq!(second.meta.gid, first.meta.gid);
    verdict(peer.name(), &format!("sends {}, which we receive over rcl", M::TYPE.name));
}

#[test]
fn messages_pass_both_ways_with_rclpy() {
    let domain = own_domain();
    let ours = open(domain);
    let node = ours.node("/car", "ours").expect("node");
    let mut peer = Peer::ros2(domain, "peer");
    peer_hears(&mut peer, &ours, &*node, "/to/string", &string());
    peer_hears(&mut peer, &ours, &*node, "/to/driver_state", &driver_state());
    peer_hears(&mut peer, &ours, &*node, "/to/image", &image());
    we_hear(&mut peer, &ours, &*node, "/from/string", &json!({ "data": string().data }), &string());
    we_hear(&mut peer, &ours, &*node, "/from/driver_state", &driver_state_data(), &driver_state());
    let picture = image();
    let data = json!({
        "header": { "stamp": { "sec": picture.header.stamp.sec, "nanosec": picture.header.stamp.nanosec }, "frame_id": picture.header.frame_id },
        "height": 1024, "width": 1024, "encoding": "mono8", "is_bigendian": 0, "step": 1024, "data": picture.data,
    });
    we_hear(&mut peer, &ours, &*node, "/from/image", &data, &picture);
}

#[test]
fn services_are_asked_both_ways_with_rclpy() {
    let domain = own_domain();
    let ours = open(domain);
    let node = ours.node("/car", "ours").expect("node");
    services_both_ways(&mut Peer::ros2(domain, "peer"), &ours, &*node);
}

#[test]
fn late_joiners_get_what_was_said_between_peers_and_us() {
    let starts: [fn(u32) -> Peer; 2] =
        [|domain| Peer::ros2(domain, "peer"), |domain| Peer::r2r(domain, "peer")];
    for start in starts {
        let domain = own_domain();
        let ours = open(domain);
        let node = ours.node("/car", "ours").expect("node");
        late_joiners_get_what_was_said(&ours, &*node, || start(domain));
    }
}

#[test]
fn r2r_exchanges_messages_and_services_with_us() {
    let domain = own_domain();
    let ours = open(domain);
    let node = ours.node("/car", "ours").expect("node");
    let mut peer = Peer::r2r(domain, "peer");
    messages_both_ways(&mut peer, &ours, &*node, &string(), &json!({ "data": string().data }));
    messages_both_ways(&mut peer, &ours, &*node, &driver_state(), &driver_state_data());
    services_both_ways(&mut peer, &ours, &*node);
    until("its node on our graph", || ours.graph().expect("graph").nodes == ["/car/ours", "/peer"]);
    verdict(peer.name(), "is on our graph over rcl");
}

#[test]
fn nodes_and_services_are_seen_both_ways_with_rclpy() {
    let domain = own_domain();
    let ours = open(domain);
    let node = ours.node("/car", "ours").expect("node");
    let answer = |_: &[u8], _: &Meta, respond: Respond| drop(respond);
    let _served = node.serve("/car/switch", std_srvs::SetBool::TYPE, Box::new(answer)).expect("serve");
    let mut peer = Peer::ros2(domain, "peer");
    until("the peer to see us", || {
        peer.tell(&json!({ "do": "look", "topic": "" }));
        let graph = peer.wait_for("graph", "");
        let nodes = graph["nodes"].as_array().expect("nodes");
        nodes.contains(&json!("/car/ours"))
            && graph["services"]["/car/switch"] == json!([std_srvs::SetBool::TYPE.name])
    });
    verdict(peer.name(), "sees our node and its service over rcl");
    until("us to see the peer", || {
        let graph = ours.graph().expect("graph");
        graph.nodes == ["/car/ours", "/peer"]
            && graph.services.iter().any(|end| {
                end.node == "/peer"
                    && end.service == "/peer/get_parameters"
                    && end.type_name == "rcl_interfaces/srv/GetParameters"
                    && end.serves
            })
    });
    verdict(peer.name(), "is on our graph over rcl, with its services");
}

#[test]
fn rclpy_uses_the_parameters_and_the_life_cycle_of_a_hosted_node() {
    let domain = own_domain();
    let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, Arc::new(open(domain)));
    let mut options = NodeOptions::new("motion");
    options.namespace = "/car".into();
    options.parameters =
        vec![Declared::fixed("standstill_kmh", "Below this the vehicle stands, km/h.", double_value(0.5))];
    options.autostart = true;
    host.manage(|| Ok(Template::new(Config::default())), options).expect("managed");
    host.start();
    let mut peer = Peer::ros2(domain, "peer");
    peer.tell(&json!({
        "do": "parameters", "topic": "/car/motion", "names": ["standstill_kmh", "nothing"], "set": { "standstill_kmh": 2.0 },
    }));
    let told = peer.wait_for("parameters", "/car/motion")["data"].take();
    let names = told["list"]["result"]["names"].as_array().expect("names");
    for name in ["standstill_kmh", "troika.deadline_ms", "use_sim_time"] {
        assert!(names.contains(&json!(name)), "{told}");
    }
    assert_eq!(told["get"]["values"][0]["double_value"], 0.5, "{told}");
    assert_eq!(told["get"]["values"][1]["type"], 0, "{told}");
    assert_eq!(told["describe"]["descriptors"][0]["read_only"], true, "{told}");
    assert_eq!(told["set"]["results"][0]["successful"], false, "{told}");
    verdict(peer.name(), "lists, reads, describes a node's parameters over rcl and is told what is fixed");

    let mut state = |order: Value, service: &str, ty: &str| {
        let topic = format!("/car/motion/{service}");
        peer.tell(&json!({ "do": "ask", "topic": topic, "type": ty, "data": order }));
        peer.wait_for("answered", &topic)["data"].take()
    };
    let get = lifecycle_msgs::GetState::TYPE.name;
    let change = lifecycle_msgs::ChangeState::TYPE.name;
    assert_eq!(state(json!({}), "get_state", get)["current_state"]["label"], "active");
    let deactivate = json!({ "transition": { "id": lifecycle_msgs::Transition::TRANSITION_DEACTIVATE } });
    assert_eq!(state(deactivate, "change_state", change)["success"], true);
    assert_eq!(state(json!({}), "get_state", get)["current_state"]["label"], "inactive");
    verdict("ros2_peer", "moves a hosted node through its life cycle over rcl");
    host.stop();
}

#[test]
fn ten_thousand_messages_each_way_arrive_in_order() {
    let count = many::count(10_000);
    let domain = own_domain();
    let ours = open(domain);
    let node = ours.node("/car", "ours").expect("node");
    many::numbers_arrive_in_order(&mut Peer::ros2(domain, "peer"), &ours, &*node, count, count);
}

#[test]
fn a_peer_that_is_killed_is_heard_again_when_it_comes_back() {
    let domain = own_domain();
    let ours = open(domain);
    let node = ours.node("/car", "ours").expect("node");
    each_life_is_heard_and_hears_us(&ours, &*node, |life| Peer::ros2(domain, &format!("peer_{life}")));
}

#[test]
fn what_rustdds_sends_and_nobody_can_read_is_counted_and_told() {
    let domain = own_domain();
    let transport: Arc<dyn Transport> = Arc::new(open(domain));
    // Without questions: after such requests Fast DDS gives the service none any more (the README of nodes/transport/ros2).
    let (host, ..) = garbage::is_counted_and_told_and_messages_are_heard(
        &transport,
        || garbage::by_rustdds(domain),
        || Peer::ros2(domain, "peer"),
    );
    host.stop();
}

/// `troika` where the workspace's build put it, beside this test program's folder.
fn troika() -> Command {
    let own = std::env::current_exe().expect("a path");
    let built = own.ancestors().nth(2).expect("target/debug").join("troika");
    assert!(
        built.is_file(),
        "{} is not built: cargo build --workspace --features troika/ros2",
        built.display()
    );
    let mut command = Command::new(built);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    command
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Its own processes end with it.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

const SYSTEM: &str = r#"
[system]
name = "small"
transport = "ros2"
namespace = "/car"
[nodes.vehicle]
kind = "vehicle"
process = "ends"
"#;

#[test]
fn a_system_runs_in_ros_2_and_rclpy_sees_its_nodes() {
    let domain = own_domain();
    let folder = std::env::temp_dir().join(format!("troika-ros2-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let system = folder.join("small.toml");
    fs::write(&system, SYSTEM).expect("a file");
    let run = troika()
        .arg("run")
        .arg(&system)
        .arg("--headless")
        // rcl's own variable says where it is.
        .env("ROS_DOMAIN_ID", domain.to_string())
        .stdout(Stdio::inherit())
        .spawn()
        .expect("troika starts");
    let run = Running(run);
    let mut peer = Peer::ros2(domain, "peer");
    until("the system's node", || {
        peer.tell(&json!({ "do": "look", "topic": "" }));
        peer.wait_for("graph", "")["nodes"].as_array().expect("nodes").contains(&json!("/car/vehicle"))
    });
    verdict(peer.name(), "sees the node of a system that `troika run` runs over rcl, in its ROS_DOMAIN_ID");
    let signals = "troika_msgs/msg/VehicleSignals";
    peer.tell(&json!({ "do": "listen", "topic": "/vehicle/signals", "type": signals }));
    let got = peer.wait_for("got", "/vehicle/signals");
    assert_eq!(got["publishers"][0]["type"], signals);
    verdict(peer.name(), "hears a node of a system that `troika run` runs over rcl");
    drop(run);
    fs::remove_dir_all(&folder).expect("ours");
}

#[test]
fn an_rmw_that_is_not_there_is_told() {
    let output = troika()
        .args(["topic", "list", "--transport", "ros2"])
        .env("RMW_IMPLEMENTATION", "rmw_of_nobody")
        .output()
        .expect("troika starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("rmw_of_nobody"), "{told}");
}
