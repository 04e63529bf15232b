//! Our package in stock ROS 2: two rclpy nodes in two processes exchange `troika_msgs` over Fast DDS on this host.

use serde_json::json;
use troika_interop::{
    Peer,
    edges::{self, ROUNDS, interfaces},
    own_domain, verdict,
};
use troika_kit::Message;
use troika_msgs::troika::DriverState;

#[test]
fn rclpy_nodes_exchange_driver_states_over_fast_dds_under_our_hash() {
    let (set, domain) = (interfaces(), own_domain());
    let file = set.get(DriverState::TYPE.name).expect("it is there");
    let mut talker = Peer::rclpy_node(domain, "talker");
    let mut listener = Peer::rclpy_node(domain, "listener");
    for round in 0..ROUNDS {
        let topic = format!("/cabin/driver_state_{round}");
        let value = edges::message(&set, file, round).exact();
        listener.tell(&json!({ "do": "listen", "topic": topic, "type": DriverState::TYPE.name }));
        listener.wait_for("listening", &topic);
        talker.tell(&json!({ "do": "talk", "topic": topic, "type": DriverState::TYPE.name, "value": value }));
        talker.wait_for("talking", &topic);
        // The first messages may come before Fast DDS has told which node they are from; it goes on sending.
        let of_talker = json!([{ "node": "rclpy_peer_talker", "type": DriverState::TYPE.name, "hash": DriverState::TYPE.hash }]);
        let got = listener.wait(&format!("{topic} from {of_talker}"), |e| {
            e["event"] == "got" && e["topic"] == *topic && e["publishers"] == of_talker
        });
        assert_eq!(got["value"], value, "round {round}");
    }
    verdict("rclpy_peer", &format!("sends another rclpy node DriverState over Fast DDS, {ROUNDS} values"));
    verdict("rclpy_peer", "announces our hash of DriverState on DDS");
}
