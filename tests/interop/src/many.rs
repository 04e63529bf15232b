//! Many messages each way between us and a peer: reliable, so that none is lost, and each is the next.

use std::{env, time::Duration};

use serde_json::json;
use troika_conformance::{Inbox, stamp, until};
use troika_kit::{Message, Qos};
use troika_msgs::std_msgs;
use troika_transport::{NodeHandle, Transport};

use crate::{Peer, encoded, verdict};

/// As many as `TROIKA_SOAK` says in a run of its own, else `few`.
pub fn count(few: u32) -> u32 {
    env::var("TROIKA_SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(few)
}

/// Before the numbers: while two sessions still find their way to each other, what is sent may be lost.
const HELLO: &str = "hello";

/// Numbers from 0, each way, with room for `depth` at both ends; who sends is never further ahead than that.
pub fn numbers_arrive_in_order(
    peer: &mut Peer,
    ours: &dyn Transport,
    node: &dyn NodeHandle,
    count: u32,
    depth: u32,
) {
    let (count, qos) = (count.next_multiple_of(depth), Qos { depth, ..Qos::DEFAULT });
    let ty = std_msgs::String::TYPE;
    let text = |data: String| encoded(&std_msgs::String { data });
    peer.tell(&json!({ "do": "count", "topic": "/ours/many", "type": ty.name, "every": depth }));
    peer.wait_for("counting", "/ours/many");
    let mut publisher = node.publisher("/ours/many", ty, qos).expect("publisher");
    until("the peer to hear us", || {
        publisher.put(&text(HELLO.to_owned()), stamp(0)).expect("put");
        peer.poll(Duration::from_millis(50), |e| e["event"] == "heard").is_some()
    });
    for from in (0..count).step_by(depth as usize) {
        for number in from..from + depth {
            publisher.put(&text(number.to_string()), stamp(0)).expect("put");
        }
        let counted = peer.wait_for("counted", "/ours/many");
        assert_eq!((&counted["got"], &counted["ordered"]), (&json!(from + depth), &json!(true)), "{counted}");
    }
    verdict(peer.name(), &format!("receives {count} of our messages in order over {}", ours.kind()));

    let inbox = Inbox::open(node, "/theirs/many", ty, qos);
    let next = || std_msgs::String::decode(&inbox.next().cdr).expect("CDR").data;
    peer.tell(
        &json!({ "do": "greet", "topic": "/theirs/many", "type": ty.name, "data": HELLO, "depth": depth }),
    );
    assert_eq!(next(), HELLO);
    for from in (0..count).step_by(depth as usize) {
        peer.tell(&json!({ "do": "burst", "topic": "/theirs/many", "from": from, "to": from + depth }));
        for number in from..from + depth {
            // It has said hello until it was told to begin.
            let said = std::iter::repeat_with(next).find(|said| said != HELLO);
            assert_eq!(said, Some(number.to_string()));
        }
    }
    verdict(peer.name(), &format!("sends {count} messages that we receive in order over {}", ours.kind()));
}
