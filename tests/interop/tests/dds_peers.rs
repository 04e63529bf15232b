//! Our nodes on DDS beside stock ROS 2 on Fast DDS, the Python binding of CycloneDDS, and RustDDS: other implementations, in other
//! processes, on this host alone.

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::{driver_state, driver_state_data, string};
use troika_conformance::{Inbox, services::ask, stamp, until, until_endpoint};
use troika_host::{
    Host, HostOptions, NodeOptions,
    parameters::{Declared, double_value},
};
use troika_interop::{
    Peer,
    edges::{self, ROUNDS, interfaces},
    encoded,
    exchange::{late_joiners_get_what_was_said, messages_both_ways, services_both_ways, until_got},
    on_dds, own_domain, verdict,
};
use troika_kit::{Message, Qos, Service};
use troika_msgs::{rcl_interfaces as rcl, std_msgs, troika::DriverState};
use troika_template::{Config, Template};
use troika_transport::{NodeHandle, Transport};

const LASTING: Qos = Qos { transient_local: true, ..Qos::DEFAULT };

/// Asks the peer for the graph until it is as wanted.
fn until_seen(peer: &mut Peer, topic: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    until(&format!("{} to see {what}", peer.name()), || {
        peer.tell(&json!({ "do": "look", "topic": topic }));
        seen = peer.wait_for("graph", topic);
        wanted(&seen)
    });
    seen
}

/// It sends a value with each field at its edges, we read it and send what we read, and it reads that.
#[test]
fn rclpy_sends_us_driver_states_and_receives_them_back() {
    let (set, domain) = (interfaces(), own_domain());
    let ours = on_dds(domain);
    let node = ours.node("/car", "ours").expect("node");
    let mut peer = Peer::rclpy_node(domain, "echo");
    let file = set.get(DriverState::TYPE.name).expect("it is there");
    let ty = DriverState::TYPE;
    for round in 0..ROUNDS {
        let (theirs, mine) = (format!("/theirs/state_{round}"), format!("/ours/state_{round}"));
        let value = edges::message(&set, file, round).exact();
        let inbox = Inbox::open(&*node, &theirs, ty, Qos::DEFAULT);
        let mut publisher = node.publisher(&mine, ty, Qos::DEFAULT).expect("publisher");
        peer.tell(&json!({ "do": "listen", "topic": mine, "type": ty.name }));
        peer.tell(&json!({ "do": "talk", "topic": theirs, "type": ty.name, "value": value }));
        let state = DriverState::decode(&inbox.next().cdr).expect("its CDR");
        until_endpoint(&ours, &mine, false);
        until_got(&mut peer, &mut *publisher, &encoded(&state), |e| {
            e["topic"] == *mine && e["value"] == value
        });
    }
    verdict("rclpy_peer", &format!("exchanges DriverState with us over Fast DDS, {ROUNDS} values each way"));

    let (text, ty) = (string(), std_msgs::String::TYPE);
    let inbox = Inbox::open(&*node, "/theirs/text", ty, Qos::DEFAULT);
    peer.tell(
        &json!({ "do": "talk", "topic": "/theirs/text", "type": ty.name, "value": { "data": text.data } }),
    );
    assert_eq!(std_msgs::String::decode(&inbox.next().cdr).expect("its CDR"), text);
    let mut publisher = node.publisher("/ours/text", ty, Qos::DEFAULT).expect("publisher");
    peer.tell(&json!({ "do": "listen", "topic": "/ours/text", "type": ty.name }));
    until_got(&mut peer, &mut *publisher, &encoded(&text), |e| e["value"]["data"] == text.data);
    verdict("rclpy_peer", "exchanges std_msgs/String with us over Fast DDS");
}

#[test]
fn rclpy_and_we_see_each_others_nodes_endpoints_and_hashes() {
    let domain = own_domain();
    let ours = on_dds(domain);
    // Names that no other run on this machine has, for the case that it is in the same domain.
    let (name, topic) =
        (format!("ours_{}", std::process::id()), format!("/cabin/state_{}", std::process::id()));
    let (full_name, topic) = (format!("/car/{name}"), topic.as_str());
    let node = ours.node("/car", &name).expect("node");
    let mut peer = Peer::rclpy_node(domain, "looker");
    let ty = DriverState::TYPE;
    let publisher = node.publisher(topic, ty, Qos::DEFAULT).expect("publisher");
    let end = |node: &str, publishes: bool| json!({ "node": node, "type": ty.name, "hash": ty.hash, "publishes": publishes });
    // The two come one after the other.
    until_seen(&mut peer, topic, "our publisher and our node", |seen| {
        let has = |what: &str, one: &Value| seen[what].as_array().is_some_and(|all| all.contains(one));
        has("ends", &end(&full_name, true)) && has("nodes", &json!(full_name))
    });
    peer.tell(&json!({ "do": "listen", "topic": topic, "type": ty.name }));
    peer.wait_for("listening", topic);
    let theirs = until_endpoint(&ours, topic, false);
    assert_eq!(
        (theirs.node.as_str(), theirs.type_name.as_str(), theirs.type_hash.as_str()),
        ("/rclpy_peer_looker", ty.name, ty.hash)
    );
    until("its node and its services on our graph", || {
        let graph = ours.graph().expect("graph");
        let serves = |end: &troika_transport::ServiceEnd| {
            end.serves
                && end.service == "/rclpy_peer_looker/get_parameters"
                && end.type_name == rcl::GetParameters::TYPE.name
        };
        graph.nodes.contains(&"/rclpy_peer_looker".to_owned()) && graph.services.iter().any(serves)
    });
    verdict("rclpy_peer", "and we see each other's nodes, endpoints and hashes");
    drop(publisher);
    // Fast DDS goes on showing the endpoint itself, as of an unknown node, until the participant goes.
    until_seen(&mut peer, topic, "our node without its publisher", |seen| {
        seen["ends"].as_array().is_some_and(|ends| ends.iter().all(|end| end["node"] != *full_name))
    });
    drop(node);
    until_seen(&mut peer, topic, "our node go", |seen| {
        seen["nodes"].as_array().is_some_and(|nodes| !nodes.contains(&json!(full_name)))
    });
    verdict("rclpy_peer", "sees our node lose its publisher, and go");
}

#[test]
fn late_joiners_get_what_was_said_between_rclpy_and_us() {
    let domain = own_domain();
    let ours = on_dds(domain);
    let node = ours.node("/car", "ours").expect("node");
    let ty = std_msgs::String::TYPE;
    let texts: Vec<std_msgs::String> =
        ["one", "two", "three"].map(|data| std_msgs::String { data: data.into() }).into();
    let mut publisher = node.publisher("/ours/map", ty, LASTING).expect("publisher");
    for text in &texts {
        publisher.put(&encoded(text), stamp(0)).expect("put");
    }
    let mut peer = Peer::rclpy_node(domain, "late");
    peer.tell(&json!({ "do": "listen", "topic": "/ours/map", "type": ty.name, "lasting": true }));
    for text in &texts {
        let got = peer.wait_for("got", "/ours/map");
        assert_eq!(got["value"]["data"], text.data);
    }
    verdict("rclpy_peer", "gets what we said before it came, in order");
    let values: Vec<Value> = texts.iter().map(|text| json!({ "data": text.data })).collect();
    peer.tell(&json!({ "do": "say", "topic": "/theirs/map", "type": ty.name, "values": values }));
    peer.wait_for("said", "/theirs/map");
    let inbox = Inbox::open(&*node, "/theirs/map", ty, LASTING);
    for text in &texts {
        assert_eq!(&std_msgs::String::decode(&inbox.next().cdr).expect("its CDR"), text);
    }
    let shallow = Inbox::open(&*node, "/theirs/map", ty, Qos { depth: 1, ..LASTING });
    assert_eq!(std_msgs::String::decode(&shallow.next().cdr).expect("its CDR"), texts[2]);
    verdict("rclpy_peer", "tells us what it said before we came, in order");
}

#[test]
fn rclpy_reads_our_parameters_and_we_read_its() {
    let domain = own_domain();
    let ours = Arc::new(on_dds(domain));
    let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, ours.clone());
    let mut options = NodeOptions::new("motion");
    options.namespace = "/car".into();
    options.parameters =
        vec![Declared::fixed("standstill_kmh", "Below this the vehicle stands, km/h.", double_value(0.5))];
    host.spawn(Template::new(Config::default()), options).expect("spawned");
    host.start();
    let mut peer = Peer::rclpy_node(domain, "asks");
    let (service, ty) = ("/car/motion/get_parameters", rcl::GetParameters::TYPE);
    for _ in 0..10 {
        peer.tell(
            &json!({ "do": "ask", "topic": service, "type": ty.name, "value": { "names": ["standstill_kmh"] } }),
        );
        let answered = peer.wait_for("answered", service);
        let value = &answered["value"]["values"][0];
        assert_eq!(value["double_value"], format!("{:016x}", 0.5_f64.to_bits()), "{answered}");
    }
    verdict("rclpy_peer", "reads our node's parameters by its own client");

    let node = ours.node("/", "asks").expect("node");
    let mut client = node.client("/rclpy_peer_asks/get_parameters", ty).expect("client");
    until("its service", || client.is_served().expect("a look"));
    for _ in 0..10 {
        let request = rcl::GetParametersRequest { names: vec!["use_sim_time".into()] };
        let answer = ask(&mut *client, &encoded(&request), 1).expect("an answer");
        let values = rcl::GetParametersResponse::decode(&answer).expect("its CDR").values;
        // PARAMETER_BOOL, and false.
        assert_eq!((values[0].r#type, values[0].bool_value), (1, false));
    }
    verdict("rclpy_peer", "answers our client");
}

/// `std_msgs/String` and `DriverState`, each way.
fn both_types_both_ways(peer: &mut Peer, ours: &dyn Transport, node: &dyn NodeHandle) {
    messages_both_ways(peer, ours, node, &string(), &json!({ "data": string().data }));
    messages_both_ways(peer, ours, node, &driver_state(), &driver_state_data());
}

#[test]
fn the_python_binding_of_cyclonedds_exchanges_messages_with_us() {
    let domain = own_domain();
    let ours = on_dds(domain);
    let node = ours.node("/car", "ours").expect("node");
    both_types_both_ways(&mut Peer::cyclonedds(domain), &ours, &*node);
}

#[test]
fn rustdds_exchanges_messages_with_us() {
    let domain = own_domain();
    let ours = on_dds(domain);
    let node = ours.node("/car", "ours").expect("node");
    both_types_both_ways(&mut Peer::rustdds(domain), &ours, &*node);
}

#[test]
fn late_joiners_get_what_was_said_between_peers_and_us() {
    let starts: [fn(u32) -> Peer; 3] = [Peer::cyclonedds, Peer::rustdds, |domain| Peer::r2r(domain, "peer")];
    for start in starts {
        let domain = own_domain();
        let ours = on_dds(domain);
        let node = ours.node("/car", "ours").expect("node");
        late_joiners_get_what_was_said(&ours, &*node, || start(domain));
    }
}

#[test]
fn r2r_exchanges_messages_and_services_with_us() {
    let domain = own_domain();
    let ours = on_dds(domain);
    let node = ours.node("/car", "ours").expect("node");
    let mut peer = Peer::r2r(domain, "peer");
    both_types_both_ways(&mut peer, &ours, &*node);
    services_both_ways(&mut peer, &ours, &*node);
    until("its node on our graph", || ours.graph().expect("graph").nodes == ["/car/ours", "/peer"]);
    verdict(peer.name(), "is on our graph over dds");
}
