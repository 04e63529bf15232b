//! Messages and the graph, both ways, with each peer that speaks rmw_zenoh's protocol.

mod support;

use serde_json::json;
use support::{driver_state, driver_state_data, image, string};
use troika_conformance::until;
use troika_interop::{DOMAIN, Ours, Peer, free_port, peer_answers, peer_asks, peer_hears, verdict, we_hear};
use troika_kit::{Message, Qos};
use troika_msgs::{sensor_msgs::Image, std_msgs, troika::DriverState};
use troika_transport::Transport;

#[test]
fn pyzeros_receives_what_we_send() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("pyzeros_peer", port);
    peer_hears(&mut peer, &ours, "/ours/text", &string());
    peer_hears(&mut peer, &ours, "/ours/driver_state", &driver_state());
    peer_hears(&mut peer, &ours, "/ours/image", &image());
}

#[test]
fn we_receive_what_pyzeros_sends() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("pyzeros_peer", port);
    let (told, received) =
        we_hear(&mut peer, &ours, "/theirs/text", &json!({ "data": string().data }), &string());
    assert_eq!(told, received, "the publisher's id");
    we_hear(&mut peer, &ours, "/theirs/driver_state", &driver_state_data(), &driver_state());
}

#[test]
fn pyzeros_lists_us_writes_our_tokens_the_same_and_reads_our_attachment() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("pyzeros_peer", port);
    let topic = "/cabin/driver_state";
    peer.tell(&json!({ "do": "listen", "topic": topic, "type": DriverState::TYPE.name }));
    peer.wait_for("listening", topic);
    let mut publisher = ours.node.publisher(topic, DriverState::TYPE, Qos::DEFAULT).expect("publisher");
    let _subscription = ours
        .node
        .subscribe("/cabin/image", Image::TYPE, Qos::DEFAULT, Box::new(|_, _| {}))
        .expect("subscription");
    let (mut first, mut cdr) = (None, Vec::new());
    driver_state().encode(&mut cdr).expect("a CDR form");
    until("pyzeros to get a message", || {
        publisher.put(&cdr, troika_kit::Time::from_nanos(1)).expect("put");
        first = peer.poll(std::time::Duration::from_millis(50), |e| e["event"] == "attached");
        first.is_some()
    });
    let attached = first.expect("just got");

    // Asked again until it is whole: while two sessions connect directly, the ways to each other's tokens change.
    let mut tokens = Vec::new();
    until("pyzeros to list our node and its two endpoints", || {
        peer.tell(&json!({ "do": "list" }));
        let listed = peer.wait("listed", |e| e["event"] == "listed");
        tokens = listed["tokens"].as_array().expect("tokens").clone();
        tokens.iter().filter(|t| t["node"] == "ours").count() == 3
    });
    let of_ours = |kind: &str| tokens.iter().find(|t| t["kind"] == kind && t["node"] == "ours");
    assert_eq!(of_ours("NN").expect("our node")["namespace"], "%car");
    let published = of_ours("MP").expect("our publisher");
    assert_eq!(
        (&published["topic"], &published["dds_type"], &published["hash"]),
        (&json!(topic), &json!("troika_msgs::msg::dds_::DriverState_"), &json!(DriverState::TYPE.hash))
    );
    let subscribed = of_ours("MS").expect("our subscription");
    assert_eq!(subscribed["topic"], "/cabin/image");
    verdict("pyzeros_peer", "lists our node, publisher and subscription");
    for token in [published, subscribed] {
        assert_eq!(token["key"], token["as_pyzeros"], "the token as pyzeros writes it");
    }
    verdict("pyzeros_peer", "writes our liveliness tokens letter for letter");
    assert_eq!(attached["gid"], published["gid"], "the id in the attachment is the token's XXH3-128");
    verdict("pyzeros_peer", "finds our publisher by the id in the attachment");
}

#[test]
fn we_list_pyzeros_while_it_lives() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("pyzeros_peer", port);
    peer.tell(&json!({ "do": "listen", "topic": "/heard", "type": std_msgs::String::TYPE.name }));
    peer.tell(&json!({ "do": "talk", "topic": "/told", "type": std_msgs::String::TYPE.name, "data": { "data": "x" } }));
    until("pyzeros on our graph", || {
        let graph = ours.transport.graph().expect("graph");
        let has = |topic: &str, publishes: bool| {
            graph.endpoints.iter().any(|e| {
                e.topic == topic
                    && e.publishes == publishes
                    && e.node == "/peer/pyzeros_peer"
                    && e.type_name == std_msgs::String::TYPE.name
                    && e.type_hash == std_msgs::String::TYPE.hash
            })
        };
        graph.nodes == ["/car/ours", "/peer/pyzeros_peer"] && has("/heard", false) && has("/told", true)
    });
    verdict("pyzeros_peer", "is on our graph with publisher and subscription");
    drop(peer);
    until("its end", || ours.transport.graph().expect("graph").nodes == ["/car/ours"]);
    verdict("pyzeros_peer", "leaves our graph when it ends");
}

#[test]
fn zenoh_ros2_sdk_receives_what_we_send() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("sdk_peer", port);
    peer_hears(&mut peer, &ours, "/ours/text", &string());
    peer_hears(&mut peer, &ours, "/ours/driver_state", &driver_state());
    peer_hears(&mut peer, &ours, "/ours/image", &image());
}

#[test]
fn we_receive_what_zenoh_ros2_sdk_sends() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("sdk_peer", port);
    let (told, received) =
        we_hear(&mut peer, &ours, "/theirs/text", &json!({ "data": string().data }), &string());
    assert_eq!(told, received, "the publisher's id");
    we_hear(&mut peer, &ours, "/theirs/driver_state", &driver_state_data(), &driver_state());
}

#[test]
fn zenoh_ros2_sdk_lists_us_and_we_list_it() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("sdk_peer", port);
    let _publisher =
        ours.node.publisher("/cabin/driver_state", DriverState::TYPE, Qos::SENSOR).expect("publisher");
    let _subscription = ours
        .node
        .subscribe("/cabin/image", Image::TYPE, Qos::DEFAULT, Box::new(|_, _| {}))
        .expect("subscription");
    peer.tell(&json!({ "do": "listen", "topic": "/heard", "type": std_msgs::String::TYPE.name }));
    peer.wait_for("listening", "/heard");
    let mut ends = Vec::new();
    until("the SDK to list us", || {
        peer.tell(&json!({ "do": "list" }));
        let listed = peer.wait("listed", |e| e["event"] == "listed");
        ends = listed["ends"].as_array().expect("ends").clone();
        ["/cabin/driver_state", "/cabin/image"].iter().all(|topic| ends.iter().any(|e| e["topic"] == *topic))
    });
    let end = |topic: &str| ends.iter().find(|e| e["topic"] == topic).expect("just seen");
    assert_eq!(
        *end("/cabin/driver_state"),
        json!({
            "topic": "/cabin/driver_state", "types": [DriverState::TYPE.name], "publishes": true, "namespace": "/car",
            "node": "ours", "hash": DriverState::TYPE.hash, "qos": "2::,5:,:,:,,",
        })
    );
    assert_eq!(
        *end("/cabin/image"),
        json!({
            "topic": "/cabin/image", "types": [Image::TYPE.name], "publishes": false, "namespace": "/car",
            "node": "ours", "hash": Image::TYPE.hash, "qos": "::,10:,:,:,,",
        })
    );
    verdict("sdk_peer", "lists our node's publisher and subscription, type and QoS");
    until("the SDK on our graph", || {
        let graph = ours.transport.graph().expect("graph");
        graph.nodes.iter().any(|n| n == "/peer/sdk_listener")
            && graph
                .endpoints
                .iter()
                .any(|e| e.topic == "/heard" && !e.publishes && e.node == "/peer/sdk_listener")
    });
    verdict("sdk_peer", "is on our graph with its subscription");
}

#[test]
fn services_pass_both_ways_with_pyzeros() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("pyzeros_peer", port);
    peer_asks(&mut peer, &ours, "/ours/switch");
    peer_answers(&mut peer, &ours, "/theirs/switch");
}

#[test]
fn services_pass_both_ways_with_zenoh_ros2_sdk() {
    let port = free_port();
    let ours = Ours::open(port);
    let mut peer = Peer::start("sdk_peer", port);
    peer_asks(&mut peer, &ours, "/ours/switch");
    peer_answers(&mut peer, &ours, "/theirs/switch");
}

#[test]
fn a_router_of_somebody_else_is_joined_and_carries_us() {
    let port = free_port();
    let router = Peer::start("router_peer", port);
    let ours = Ours::open(port);
    assert!(!ours.router.is_started(), "there was one");
    until("the session to reach it", || ours.transport.has_router());
    verdict("router_peer", "is joined at its port, none started beside it");
    let mut peer = Peer::start("pyzeros_peer", port);
    peer_hears(&mut peer, &ours, "/ours/text", &string());
    verdict("router_peer", &format!("brings us together with pyzeros in domain {DOMAIN}"));
    drop(router);
}
