//! The behaviours, one function each. `suite!` names them all.

use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use troika_kit::{Qos, TypeInfo};
use troika_transport::TransportError;

use crate::{Inbox, Network, PATIENCE, Pair, STRING, keep, services::ECHO, stamp, until, until_endpoint};

const OTHER: TypeInfo = TypeInfo {
    name: "std_msgs/msg/Bool",
    hash: "RIHS01_feb91e995ff9ebd09c0cb3d2aed18b11077585839fb5db80193b62d74528f6c9",
};

/// `hello` as a `std_msgs/String`.
const HELLO: &[u8] = b"\x00\x01\x00\x00\x06\x00\x00\x00hello\x00";

/// Two participants, a topic in each direction.
pub fn messages_pass_both_ways(network: &Network) {
    let (a, b) = (network(), network());
    let (node_a, node_b) = (a.node("/", "a").expect("node"), b.node("/car", "b").expect("node"));
    let in_a = Inbox::open(&*node_a, "/to_a", STRING, Qos::DEFAULT);
    let in_b = Inbox::open(&*node_b, "/to/b", STRING, Qos::DEFAULT);
    let mut to_a = node_b.publisher("/to_a", STRING, Qos::DEFAULT).expect("publisher");
    let mut to_b = node_a.publisher("/to/b", STRING, Qos::DEFAULT).expect("publisher");
    until_endpoint(&*a, "/to/b", false);
    until_endpoint(&*b, "/to_a", false);
    to_b.put(HELLO, stamp(1)).expect("put");
    to_a.put(b"\x00\x01\x00\x00\x01\x00\x00\x00\x00", stamp(2)).expect("put");
    assert_eq!(in_b.next().cdr, HELLO);
    assert_eq!(in_a.next().cdr.len(), 9);
}

/// A capability: a message's source time is the stamp that its sender gave.
pub fn a_message_has_the_stamp_that_it_was_given(network: &Network) {
    let mut pair = Pair::open(network, "/when", Qos::DEFAULT);
    for millis in [7, 3] {
        pair.publisher.put(HELLO, stamp(millis)).expect("put");
        assert_eq!(pair.inbox.next().meta.source_time, stamp(millis));
    }
}

/// A burst that both ends have room for: none lost, with the publisher's own count.
pub fn messages_of_one_publisher_arrive_in_order(network: &Network) {
    const COUNT: u64 = 300;
    let mut pair = Pair::open(network, "/burst", Qos { depth: COUNT as u32, ..Qos::DEFAULT });
    for i in 0..COUNT {
        pair.publisher.put(&i.to_le_bytes(), stamp(i)).expect("put");
    }
    let first = pair.inbox.next();
    assert_eq!(first.cdr, 0_u64.to_le_bytes());
    for i in 1..COUNT {
        let message = pair.inbox.next();
        assert_eq!(message.cdr, i.to_le_bytes());
        assert_eq!(message.meta.sequence, first.meta.sequence + i as i64);
        assert_eq!(message.meta.gid, first.meta.gid);
    }
}

/// A camera picture's size: larger than any transport's packet.
pub fn a_message_of_a_mebibyte_arrives_whole(network: &Network) {
    let mut pair = Pair::open(network, "/cam/image", Qos::DEFAULT);
    let mut before = Vec::new();
    for round in 0..5_u32 {
        let sent: Vec<u8> =
            (0..1_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 ^ round as u8).collect();
        let mut put = None;
        until("a picture to arrive", || {
            // One that a transport's thread has no time for within a tenth of a second is dropped as a whole; that is told in no figure here.
            if put.is_none_or(|then: Instant| then.elapsed() > Duration::from_secs(2)) {
                pair.publisher.put(&sent, stamp(u64::from(round))).expect("put");
                put = Some(Instant::now());
            }
            let Some(got) = pair.inbox.waiting().filter(|got| got.cdr != before) else { return false };
            assert!(got.cdr == sent, "round {round}: {} bytes of {}", got.cdr.len(), sent.len());
            true
        });
        before = sent;
    }
}

/// CDR of lengths at which a transport pads, cuts into pieces or counts in another way.
pub fn a_message_of_any_length_arrives_whole(network: &Network) {
    let mut pair = Pair::open(network, "/lengths", Qos::DEFAULT);
    for around in [8_usize, 1_344, 4_096, 14_720, 65_536] {
        for length in around - 8..=around + 8 {
            let body = (0..length).map(|i| (i * 31 + length) as u8);
            let sent: Vec<u8> = [0, 1, 0, 0].into_iter().chain(body).collect();
            pair.publisher.put(&sent, stamp(0)).expect("put");
            let got = pair.inbox.next();
            assert!(got.cdr == sent, "{} bytes of {}", got.cdr.len(), sent.len());
        }
    }
}

/// Volatile: what was sent before is gone, what follows comes.
pub fn a_late_joiner_sees_who_is_there_and_gets_what_follows(network: &Network) {
    let here = network();
    let talker = here.node("/", "talker").expect("node");
    let mut publisher = talker.publisher("/news", STRING, Qos::DEFAULT).expect("publisher");
    publisher.put(b"early", stamp(0)).expect("a put that nobody hears");
    let there = network();
    let seen = until_endpoint(&*there, "/news", true);
    assert_eq!(
        (seen.node.as_str(), seen.type_name.as_str(), seen.type_hash.as_str()),
        ("/talker", STRING.name, STRING.hash)
    );
    let listener = there.node("/", "late").expect("node");
    let inbox = Inbox::open(&*listener, "/news", STRING, Qos::DEFAULT);
    until_endpoint(&*here, "/news", false);
    publisher.put(b"late", stamp(1)).expect("put");
    assert_eq!(inbox.next().cdr, b"late");
}

/// The profile of what a late joiner must know: a map, a state that seldom changes.
const LASTING: Qos = Qos { transient_local: true, depth: 3, ..Qos::DEFAULT };

/// As many as both keep, in order, then what follows; a volatile subscription gets only that.
pub fn a_late_joiner_gets_the_last_that_a_lasting_publisher_said(network: &Network) {
    let here = network();
    let talker = here.node("/", "talker").expect("node");
    let mut publisher = talker.publisher("/map", STRING, LASTING).expect("publisher");
    for i in 0..5_u64 {
        publisher.put(&i.to_le_bytes(), stamp(i)).expect("put");
    }
    let (there, elsewhere) = (network(), network());
    until_endpoint(&*there, "/map", true);
    let nodes = [(&there, "late"), (&elsewhere, "volatile")]
        .map(|(participant, name)| participant.node("/", name).expect("node"));
    let inbox = Inbox::open(&*nodes[0], "/map", STRING, LASTING);
    let volatile = Inbox::open(&*nodes[1], "/map", STRING, Qos::DEFAULT);
    for i in 2..5_u64 {
        let message = inbox.next();
        assert_eq!(message.cdr, i.to_le_bytes());
    }
    until("all subscriptions", || {
        here.graph().expect("graph").endpoints.iter().filter(|end| end.topic == "/map").count() == 3
    });
    publisher.put(b"news", stamp(9)).expect("put");
    for (which, inbox) in [("lasting", &inbox), ("volatile", &volatile)] {
        assert_eq!(inbox.next().cdr, b"news", "{which}");
        assert_eq!(inbox.waiting(), None, "{which}");
    }
}

/// A capability: of what is kept a subscription gets no more than it keeps itself, however fast it is.
pub fn a_shallow_late_joiner_gets_the_last_alone(network: &Network) {
    let here = network();
    let talker = here.node("/", "talker").expect("node");
    let mut publisher = talker.publisher("/map", STRING, LASTING).expect("publisher");
    for i in 0..5_u64 {
        publisher.put(&i.to_le_bytes(), stamp(i)).expect("put");
    }
    let there = network();
    until_endpoint(&*there, "/map", true);
    let node = there.node("/", "shallow").expect("node");
    let shallow = Inbox::open(&*node, "/map", STRING, Qos { depth: 1, ..LASTING });
    assert_eq!(shallow.next().cdr, 4_u64.to_le_bytes());
    until_endpoint(&*here, "/map", false);
    publisher.put(b"news", stamp(9)).expect("put");
    assert_eq!(shallow.next().cdr, b"news");
    assert_eq!(shallow.waiting(), None);
}

/// A capability: of two subscriptions of one participant that join together, each gets what it asked for.
pub fn a_volatile_neighbour_of_a_lasting_subscription_gets_what_follows_alone(network: &Network) {
    let (here, there) = (network(), network());
    let talker = here.node("/", "talker").expect("node");
    let mut publisher = talker.publisher("/map", STRING, LASTING).expect("publisher");
    publisher.put(b"old", stamp(0)).expect("put");
    until_endpoint(&*there, "/map", true);
    let nodes = ["late", "volatile"].map(|name| there.node("/", name).expect("node"));
    let inbox = Inbox::open(&*nodes[0], "/map", STRING, LASTING);
    let volatile = Inbox::open(&*nodes[1], "/map", STRING, Qos::DEFAULT);
    assert_eq!(inbox.next().cdr, b"old");
    until("both subscriptions", || {
        here.graph().expect("graph").endpoints.iter().filter(|end| end.topic == "/map").count() == 3
    });
    publisher.put(b"news", stamp(1)).expect("put");
    for inbox in [&inbox, &volatile] {
        assert_eq!(inbox.next().cdr, b"news");
    }
}

/// The subscription is first; nothing is told twice.
pub fn a_lasting_subscription_hears_a_publisher_that_comes_later_once(network: &Network) {
    let (here, there) = (network(), network());
    let listener = there.node("/", "early").expect("node");
    // Enough for all: what is sent while the two still connect is asked for.
    let all = Qos { depth: 30, ..LASTING };
    let inbox = Inbox::open(&*listener, "/map", STRING, all);
    until_endpoint(&*here, "/map", false);
    let talker = here.node("/", "talker").expect("node");
    let mut publisher = talker.publisher("/map", STRING, all).expect("publisher");
    for i in 0..20_u64 {
        publisher.put(&i.to_le_bytes(), stamp(i)).expect("put");
    }
    for i in 0..20_u64 {
        assert_eq!(inbox.next().cdr, i.to_le_bytes());
    }
    assert_eq!(inbox.waiting(), None);
}

/// Own and others' nodes, with their namespaces.
pub fn a_node_is_on_the_graph_while_it_lives(network: &Network) {
    let (here, there) = (network(), network());
    let node = here.node("/car/front", "camera").expect("node");
    for participant in [&here, &there] {
        until("the node", || participant.graph().expect("graph").nodes == ["/car/front/camera"]);
    }
    let second = there.node("/", "brake").expect("node");
    for participant in [&here, &there] {
        until("both", || participant.graph().expect("graph").nodes == ["/brake", "/car/front/camera"]);
    }
    drop(node);
    for participant in [&here, &there] {
        until("its end", || participant.graph().expect("graph").nodes == ["/brake"]);
    }
    drop(second);
}

/// Publishers and subscriptions, from both sides.
pub fn an_endpoint_is_on_the_graph_while_it_lives(network: &Network) {
    let (here, there) = (network(), network());
    let node = here.node("/car", "driver").expect("node");
    let publisher = node.publisher("/cabin/state", STRING, Qos::SENSOR).expect("publisher");
    let inbox = Inbox::open(&*node, "/cabin/light", OTHER, Qos::DEFAULT);
    for participant in [&here, &there] {
        let out = until_endpoint(&**participant, "/cabin/state", true);
        assert_eq!((out.node.as_str(), out.type_name.as_str()), ("/car/driver", STRING.name));
        let into = until_endpoint(&**participant, "/cabin/light", false);
        assert_eq!((into.type_name.as_str(), into.type_hash.as_str()), (OTHER.name, OTHER.hash));
        until("both, in order", || {
            let endpoints = participant.graph().expect("graph").endpoints;
            assert!(endpoints.is_sorted(), "{endpoints:?}");
            endpoints.len() == 2
        });
    }
    drop(publisher);
    drop(inbox);
    for participant in [&here, &there] {
        until("their end", || {
            let graph = participant.graph().expect("graph");
            graph.endpoints.is_empty() && graph.nodes == ["/car/driver"]
        });
    }
}

/// Whoever comes or goes, here or elsewhere: after the call the graph shows it. Not when the watch has ended.
pub fn changes_of_the_graph_are_told(network: &Network) {
    let (here, there) = (network(), network());
    let (sender, changes) = channel();
    let watch = here
        .watch_graph(Box::new(move || {
            let _ = sender.send(());
        }))
        .expect("a watch");
    // Looks only when it was told.
    let until_told = |what: &str, is_so: &dyn Fn(&troika_transport::Graph) -> bool| {
        while !is_so(&here.graph().expect("graph")) {
            changes.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("nothing told of {what}"));
        }
    };
    for (participant, name) in [(&here, "near"), (&there, "far")] {
        let full = format!("/{name}");
        let node = participant.node("/", name).expect("node");
        until_told("a node", &|graph| graph.nodes.contains(&full));
        let publisher = node.publisher("/topic", STRING, Qos::DEFAULT).expect("publisher");
        until_told("a publisher", &|graph| {
            graph.endpoints.iter().any(|end| end.node == full && end.publishes)
        });
        let inbox = Inbox::open(&*node, "/topic", STRING, Qos::DEFAULT);
        until_told("a subscription", &|graph| {
            graph.endpoints.iter().filter(|end| end.node == full).count() == 2
        });
        let client = node.client("/service", ECHO).expect("client");
        until_told("a client", &|graph| graph.services.iter().any(|end| end.node == full));
        drop((publisher, inbox, client));
        until_told("their end", &|graph| {
            graph.endpoints.iter().all(|end| end.node != full)
                && graph.services.iter().all(|end| end.node != full)
        });
        drop(node);
        until_told("the node's end", &|graph| !graph.nodes.contains(&full));
    }
    drop(watch);
    while changes.try_recv().is_ok() {}
    drop(there.node("/", "unheard").expect("node"));
    assert!(changes.recv().is_err(), "the callback is gone with the watch");
}

/// Two nodes of a process.
pub fn nodes_of_one_participant_hear_each_other(network: &Network) {
    let here = network();
    let (talker, listener) =
        (here.node("/", "talker").expect("node"), here.node("/", "listener").expect("node"));
    let inbox = Inbox::open(&*listener, "/loop", STRING, Qos::DEFAULT);
    let mut publisher = talker.publisher("/loop", STRING, Qos::DEFAULT).expect("publisher");
    publisher.put(HELLO, stamp(0)).expect("put");
    assert_eq!(inbox.next().cdr, HELLO);
    publisher.put(b"second", stamp(1)).expect("put");
    assert_eq!(inbox.next().cdr, b"second", "each message comes once");
}

/// Two in one process, one in another.
pub fn every_subscription_gets_its_own_copy(network: &Network) {
    let mut pair = Pair::open(network, "/all", Qos::DEFAULT);
    let third = network();
    let node = third.node("/", "third").expect("node");
    let inboxes = [(); 2].map(|()| Inbox::open(&*node, "/all", STRING, Qos::DEFAULT));
    let (sender, _unused) = channel();
    let gone = node.subscribe("/all", STRING, Qos::DEFAULT, keep(sender)).expect("subscribe");
    drop(gone);
    // The third participant may be a moment away from being reached: repeat until each has heard.
    let mut heard = [false; 2];
    until("both inboxes of the third participant", || {
        pair.publisher.put(HELLO, stamp(0)).expect("put");
        for (heard, inbox) in heard.iter_mut().zip(&inboxes) {
            *heard |= inbox.waiting().is_some_and(|m| m.cdr == HELLO);
        }
        heard == [true; 2]
    });
    assert_eq!(pair.inbox.next().cdr, HELLO);
}

/// A capability: a transport never looks into messages.
pub fn garbage_is_delivered_as_it_is(network: &Network) {
    let mut pair = Pair::open(network, "/garbage", Qos::DEFAULT);
    let noise: Vec<u8> = (0..4099_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let samples: [&[u8]; 5] = [b"", b"\x00", b"\xff\xff\xff\xff", b"no CDR at all", &noise];
    for sample in samples {
        pair.publisher.put(sample, stamp(0)).expect("put");
        assert_eq!(pair.inbox.next().cdr, sample);
    }
}

/// A sensor's profile on both sides.
pub fn best_effort_delivers_on_an_idle_network(network: &Network) {
    let mut pair = Pair::open(network, "/sensor", Qos::SENSOR);
    pair.publisher.put(HELLO, stamp(0)).expect("put");
    assert_eq!(pair.inbox.next().cdr, HELLO);
}

/// Same topic, other type: not delivered, and both are on the graph.
pub fn another_type_on_the_same_topic_stays_apart(network: &Network) {
    let mut pair = Pair::open(network, "/mixed", Qos::DEFAULT);
    let (here, elsewhere) = (network(), network());
    let node = here.node("/", "same").expect("node");
    let stranger = elsewhere.node("/", "stranger").expect("node");
    let mut other = stranger.publisher("/mixed", OTHER, Qos::DEFAULT).expect("publisher");
    let mut same = node.publisher("/mixed", STRING, Qos::DEFAULT).expect("publisher");
    for participant in [&here, &elsewhere] {
        until_endpoint(&**participant, "/mixed", false);
    }
    other.put(b"\x00\x01\x00\x00\x01", stamp(0)).expect("put");
    same.put(b"the type", stamp(0)).expect("put");
    assert_eq!(pair.inbox.next().cdr, b"the type");
    pair.publisher.put(HELLO, stamp(1)).expect("put");
    assert_eq!(pair.inbox.next().cdr, HELLO);
    let of_topic = |e: &&troika_transport::Endpoint| e.topic == "/mixed" && e.publishes;
    until("all three publishers", || {
        here.graph().expect("graph").endpoints.iter().filter(of_topic).count() == 3
    });
}

/// A capability: same topic and type, another version of it: not delivered, and both are on the graph.
pub fn another_hash_on_the_same_topic_stays_apart(network: &Network) {
    let mut pair = Pair::open(network, "/versions", Qos::DEFAULT);
    let here = network();
    let node = here.node("/", "stranger").expect("node");
    let changed = TypeInfo { hash: OTHER.hash, ..STRING };
    let mut newer = node.publisher("/versions", changed, Qos::DEFAULT).expect("publisher");
    until_endpoint(&*here, "/versions", false);
    newer.put(b"another hash", stamp(0)).expect("put");
    pair.publisher.put(HELLO, stamp(1)).expect("put");
    assert_eq!(pair.inbox.next().cdr, HELLO);
    until("both publishers", || {
        here.graph().expect("graph").endpoints.iter().filter(|end| end.publishes).count() == 2
    });
}

/// While the publisher goes on in another thread.
pub fn no_call_comes_after_a_subscription_is_dropped(network: &Network) {
    let (here, there) = (network(), network());
    let (talker, listener) =
        (here.node("/", "talker").expect("node"), there.node("/", "listener").expect("node"));
    let mut publisher = talker.publisher("/stream", STRING, Qos::DEFAULT).expect("publisher");
    let (stop, stopped) = channel::<()>();
    let stream = std::thread::spawn(move || {
        let mut count = 0_u64;
        while stopped.try_recv().is_err() {
            publisher.put(&count.to_le_bytes(), stamp(count)).expect("put");
            count += 1;
            std::thread::yield_now();
        }
    });
    for _ in 0..10 {
        let (sender, messages) = channel();
        let subscription =
            listener.subscribe("/stream", STRING, Qos::DEFAULT, keep(sender)).expect("subscribe");
        messages.recv_timeout(crate::PATIENCE).expect("the stream");
        drop(subscription);
        while messages.try_recv().is_ok() {}
        // The callback is gone and its sender with it, or at least it is called no more.
        for _ in 0..50 {
            std::thread::yield_now();
            assert!(messages.try_recv().is_err(), "a call after the drop");
        }
    }
    stop.send(()).expect("the stream listens");
    stream.join().expect("the stream ends");
}

/// Putting with nobody there is no error, and a new subscriber is served.
pub fn a_publisher_outlives_its_subscribers(network: &Network) {
    let Pair { mut publisher, inbox, _nodes, _participants } = Pair::open(network, "/lasting", Qos::DEFAULT);
    publisher.put(HELLO, stamp(0)).expect("put");
    assert_eq!(inbox.next().cdr, HELLO);
    drop(inbox);
    until("the subscription's end", || {
        let graph = _participants[0].graph().expect("graph");
        graph.endpoints.iter().all(|e| e.topic != "/lasting" || e.publishes)
    });
    publisher.put(b"unheard", stamp(1)).expect("a put with nobody there");
    let again = Inbox::open(&*_nodes[1], "/lasting", STRING, Qos::DEFAULT);
    until_endpoint(&*_participants[0], "/lasting", false);
    publisher.put(b"again", stamp(2)).expect("put");
    assert_eq!(again.next().cdr, b"again");
}

/// By their ids, which do not change from message to message.
pub fn publishers_are_told_apart(network: &Network) {
    let mut pair = Pair::open(network, "/many", Qos::DEFAULT);
    let mut second = pair._nodes[0].publisher("/many", STRING, Qos::DEFAULT).expect("publisher");
    let mut ids = Vec::new();
    for _ in 0..2 {
        pair.publisher.put(b"first", stamp(0)).expect("put");
        second.put(b"second", stamp(0)).expect("put");
        for _ in 0..2 {
            let message = pair.inbox.next();
            ids.push((message.cdr, message.meta.gid));
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2, "one id for each publisher: {ids:?}");
    assert_ne!(ids[0].1, ids[1].1);
    assert!(ids.iter().all(|(_, gid)| *gid != [0; 16]));
}

/// With the name in the error.
pub fn names_that_ros_refuses_are_refused(network: &Network) {
    let here = network();
    let refused = |error: Option<TransportError>, name: &str| match error {
        Some(TransportError::Name(told)) => assert!(told.contains(name), "{name:?} is told as {told:?}"),
        other => panic!("{name:?}: {other:?}"),
    };
    for name in ["", "a/b", "1st", "with space", "caf\u{e9}", "a*"] {
        refused(here.node("/", name).err(), name);
    }
    for namespace in ["", "car", "/car/", "//", "/1"] {
        refused(here.node(namespace, "node").err(), namespace);
    }
    let node = here.node("/", "node").expect("node");
    for topic in ["", "/", "relative", "/a//b", "/a/", "/a b", "/a/*", "/1a", "/a/$*", "/%"] {
        refused(node.publisher(topic, STRING, Qos::DEFAULT).err(), topic);
        let (sender, _receiver) = channel();
        refused(node.subscribe(topic, STRING, Qos::DEFAULT, keep(sender)).err(), topic);
    }
    assert_eq!(here.graph().expect("graph").endpoints, []);
}
