//! A peer that dies as in a crash and comes back, again and again.

use std::{env, fs, time::Duration};

use serde_json::json;
use troika_conformance::{Inbox, stamp, until};
use troika_kit::{Message, Qos};
use troika_msgs::std_msgs;
use troika_transport::{NodeHandle, Transport};

use crate::{Peer, encoded, verdict};

/// In every run; as many as `TROIKA_LIVES` says in one of its own.
const FEW: usize = 5;

/// Threads, files and shared memory of this process.
fn holds() -> [usize; 3] {
    let count = |place: &str| fs::read_dir(place).expect("Linux").count();
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
    [count("/proc/self/task"), count("/proc/self/fd"), maps.matches("/dev/shm/").count()]
}

/// Each life is heard by us and hears us, on the same two ends of ours, and dies without a word; when the last is forgotten we hold
/// no more than half-way. `node` is the only one of ours that there is.
pub fn each_life_is_heard_and_hears_us(
    ours: &dyn Transport,
    node: &dyn NodeHandle,
    start: impl Fn(usize) -> Peer,
) {
    let lives = env::var("TROIKA_LIVES").ok().and_then(|lives| lives.parse().ok()).unwrap_or(FEW);
    let ty = std_msgs::String::TYPE;
    let inbox = Inbox::open(node, "/again/theirs", ty, Qos::DEFAULT);
    let mut publisher = node.publisher("/again/ours", ty, Qos::DEFAULT).expect("publisher");
    let alone = ours.graph().expect("graph").nodes;
    let (mut held, mut name) = (Vec::new(), "");
    for life in 0..lives {
        let word = std_msgs::String { data: life.to_string() };
        let mut peer = start(life);
        name = peer.name();
        peer.tell(&json!({ "do": "talk", "topic": "/again/theirs", "type": ty.name, "data": { "data": word.data } }));
        // Decoded: between processes Fast DDS pads a message's end.
        until("this life's word", || std_msgs::String::decode(&inbox.next().cdr).as_ref() == Ok(&word));
        peer.tell(&json!({ "do": "listen", "topic": "/again/ours", "type": ty.name }));
        until("this life to hear us", || {
            publisher.put(&encoded(&word), stamp(0)).expect("put");
            peer.poll(Duration::from_millis(50), |e| e["event"] == "got" && e["data"]["data"] == word.data)
                .is_some()
        });
        peer.kill();
        held.push(holds());
    }
    until("the killed peers' end on the graph", || ours.graph().expect("graph").nodes == alone);
    held.push(holds());
    println!("threads, files, shared memory after each life, and when the last was forgotten: {held:?}");
    // Half of the lives may bring what is started when it is first wanted (a runtime's threads); what still grows after them leaks.
    let warm = |what: usize| held[..=lives / 2].iter().map(|holds| holds[what]).max();
    let last = held[lives];
    assert!((0..3).all(|what| Some(last[what]) <= warm(what).map(|most| most + 1)), "{held:?}");
    verdict(name, &format!("is heard and hears us again after each of {lives} crashes over {}", ours.kind()));
}
