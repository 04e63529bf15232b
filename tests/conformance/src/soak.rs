//! Many messages of every type, one function each. How many: a few in every run, as many as `TROIKA_SOAK` says in one of its own
//! (`cargo xtask soak`).

use std::{
    env, fs,
    sync::mpsc::{Receiver, channel},
};

use troika_kit::{Qos, TypeInfo};
use troika_msgs::dynamic;
use troika_transport::{Meta, NodeHandle, OnMessage, Publisher, Subscription};

use crate::{Network, PATIENCE, stamp, until_endpoint};

/// Of every type, each way, in every run.
const FEW: u32 = 30;
/// A subscription keeps as many; the sender is never further ahead, so that a reliable transport has no reason to lose one.
const DEPTH: u32 = 200;
/// Nor by more bytes: zenoh has room for two batches of 64 KiB in each direction, and drops what does not find any within 10 ms
/// (rmw_zenoh: 1 ms), reliable or not; a busy machine may leave its threads out for that long.
const AHEAD: usize = 16 << 10;

/// How many messages of every type.
fn count() -> u32 {
    env::var("TROIKA_SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(FEW)
}

/// Every type of `msgs`, with the CDR of a value that an independent implementation wrote.
fn values() -> Vec<(TypeInfo, Vec<u8>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../msgs/tests/golden/cdr.json");
    let text = fs::read_to_string(path).expect("the golden values");
    let golden: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let bytes = |hex: &str| {
        let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    };
    let found = golden.iter().filter_map(|one| {
        let entry = dynamic::lookup(one["type"].as_str()?)?;
        Some((entry.info(), bytes(one["little"].as_str()?)))
    });
    let found: Vec<_> = found.collect();
    assert_eq!(found.len(), dynamic::names().count(), "every type has a golden value");
    found
}

/// One direction of one topic.
struct Way {
    publisher: Box<dyn Publisher>,
    /// The sender's count of each message; none of one that is not the value.
    heard: Receiver<Option<i64>>,
    _subscription: Box<dyn Subscription>,
    value: Vec<u8>,
    sent: u32,
    got: u32,
    /// The count of the first.
    first: Option<i64>,
}

impl Way {
    fn open(from: &dyn NodeHandle, to: &dyn NodeHandle, topic: &str, ty: TypeInfo, value: &[u8]) -> Way {
        let qos = Qos { depth: DEPTH, ..Qos::DEFAULT };
        let (sender, heard) = channel();
        let whole = value.to_vec();
        let on_message: OnMessage = Box::new(move |cdr: &[u8], meta: &Meta| {
            // Some pad a message's end to a multiple of four bytes.
            let is_whole = cdr.strip_prefix(&whole[..]).is_some_and(|rest| rest.len() < 4);
            // The receiver may be gone already when a test ends.
            let _ = sender.send(is_whole.then_some(meta.sequence));
        });
        let _subscription = to.subscribe(topic, ty, qos, on_message).expect("subscribe");
        let publisher = from.publisher(topic, ty, qos).expect("publisher");
        Way { publisher, heard, _subscription, value: value.to_vec(), sent: 0, got: 0, first: None }
    }

    /// Some more, as far as the other end has room.
    fn talk(&mut self, all: u32) {
        let ahead = u32::try_from(AHEAD / self.value.len()).unwrap_or(u32::MAX).clamp(1, DEPTH / 2);
        while self.sent < all && self.sent - self.got < ahead {
            self.publisher.put(&self.value, stamp(u64::from(self.sent))).expect("put");
            self.sent += 1;
        }
    }

    /// What has come, in order; at least one.
    fn listen(&mut self, ty: TypeInfo) {
        let first = self.heard.recv_timeout(PATIENCE);
        let first = first.unwrap_or_else(|_| panic!("{}: {} of {} came", ty.name, self.got, self.sent));
        for count in std::iter::once(first).chain(self.heard.try_iter()) {
            let count = count.unwrap_or_else(|| panic!("{}: another value", ty.name));
            let first = *self.first.get_or_insert(count);
            assert_eq!(count, first + i64::from(self.got), "{}: the next in order", ty.name);
            self.got += 1;
        }
    }
}

/// Reliable: none is lost, none comes twice or before another.
pub fn messages_of_every_type_pass_each_way_in_order(network: &Network) {
    let (here, there) = (network(), network());
    let (ours, theirs) = (here.node("/", "here").expect("node"), there.node("/", "there").expect("node"));
    let count = count();
    for (ty, value) in values() {
        let topic = |way: &str| format!("/soak/{}/{way}", ty.name.replace('/', "_").to_lowercase());
        let mut ways = [
            Way::open(&*ours, &*theirs, &topic("there"), ty, &value),
            Way::open(&*theirs, &*ours, &topic("back"), ty, &value),
        ];
        for (from, to, way) in [(&here, &there, "there"), (&there, &here, "back")] {
            until_endpoint(&**from, &topic(way), false);
            until_endpoint(&**to, &topic(way), true);
        }
        while ways.iter().any(|way| way.got < count) {
            for way in &mut ways {
                way.talk(count);
            }
            for way in ways.iter_mut().filter(|way| way.got < count) {
                way.listen(ty);
            }
        }
    }
}
