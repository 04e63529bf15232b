//! What only zenoh has: the router joined, started, missing, dead and back, its port taken, and peers that are no ROS nodes.

mod support;

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Barrier,
        mpsc::{Receiver, channel},
    },
    thread,
};

use support::{free_endpoint, joining, router};
use troika_conformance::{Inbox, STRING, stamp, until, until_endpoint};
use troika_kit::{Qos, Time};
use troika_transport::{Publisher, Transport};
use troika_transport_zenoh::{RouterError, RouterGuard, ZenohOptions, ZenohTransport};
use zenoh::Wait;

fn open(options: ZenohOptions) -> ZenohTransport {
    ZenohTransport::open(options).expect("open")
}

/// A session that talks to the router alone, so that the router has to carry everything. (Peers learn of each other from
/// the router and then talk directly.)
fn through_router(endpoint: &str) -> ZenohTransport {
    let overrides = vec![("mode".to_owned(), "\"client\"".to_owned())];
    open(ZenohOptions { overrides, ..joining(endpoint) })
}

/// Puts until it is heard: what is sent while the ways change may be lost.
fn until_heard(publisher: &mut dyn Publisher, inbox: &Inbox, text: &[u8]) {
    until("the message to be heard", || {
        publisher.put(text, stamp(0)).expect("put");
        std::iter::from_fn(|| inbox.waiting()).any(|m| m.cdr == text)
    });
}

#[test]
fn the_first_starts_a_router_and_the_second_joins_it() {
    let (endpoint, first) = router();
    let second = RouterGuard::ensure(&endpoint).expect("a router is there");
    assert!(first.is_started() && !second.is_started());
    assert_eq!((first.describe(), second.describe()), ("router started at", "router joined at"));
    drop(second);
    let third = RouterGuard::ensure(&endpoint).expect("it is still there");
    assert!(!third.is_started(), "who joined does not end it");
}

#[test]
fn of_two_that_start_together_one_starts_the_router() {
    for _ in 0..20 {
        let endpoint = free_endpoint();
        let barrier = Barrier::new(2);
        let [a, b] = thread::scope(|scope| {
            [(), ()]
                .map(|()| {
                    scope.spawn(|| {
                        barrier.wait();
                        RouterGuard::ensure(&endpoint).expect("one starts it, the other joins")
                    })
                })
                .map(|handle| handle.join().expect("no panic"))
        });
        assert_ne!(a.is_started(), b.is_started());
    }
}

#[test]
fn the_router_carries_messages_and_the_graph_between_clients() {
    let (endpoint, _router) = router();
    let (here, there) = (through_router(&endpoint), through_router(&endpoint));
    let (talker, listener) =
        (here.node("/", "talker").expect("node"), there.node("/", "listener").expect("node"));
    let inbox = Inbox::open(&*listener, "/routed", STRING, Qos::DEFAULT);
    let mut publisher = talker.publisher("/routed", STRING, Qos::DEFAULT).expect("publisher");
    until_endpoint(&here, "/routed", false);
    assert!(here.has_router() && there.has_router());
    until_heard(&mut *publisher, &inbox, b"over the router");
    drop(listener);
    until("the node's end", || here.graph().expect("graph").nodes == ["/talker"]);
}

#[test]
fn sessions_find_their_way_back_when_the_router_dies_and_returns() {
    let (endpoint, first) = router();
    let (here, there) = (open(joining(&endpoint)), through_router(&endpoint));
    let (talker, listener) =
        (here.node("/", "talker").expect("node"), there.node("/", "listener").expect("node"));
    let inbox = Inbox::open(&*listener, "/back", STRING, Qos::DEFAULT);
    let mut publisher = talker.publisher("/back", STRING, Qos::DEFAULT).expect("publisher");
    until_heard(&mut *publisher, &inbox, b"before");
    drop(first);
    until("the loss of the router", || !here.has_router() && !there.has_router());
    publisher.put(b"nobody", stamp(0)).expect("a put without a router is no error");
    let again = RouterGuard::ensure(&endpoint).expect("the port is free again");
    assert!(again.is_started());
    until("its return", || here.has_router() && there.has_router());
    until_heard(&mut *publisher, &inbox, b"after");
    until("the whole graph", || here.graph().expect("graph").nodes == ["/listener", "/talker"]);
    let third = open(joining(&endpoint));
    until("the newcomer to see all", || third.graph().expect("graph").nodes == ["/listener", "/talker"]);
}

#[test]
fn peers_that_met_go_on_without_the_router() {
    let (endpoint, router) = router();
    let (here, there) = (open(joining(&endpoint)), open(joining(&endpoint)));
    let (talker, listener) =
        (here.node("/", "talker").expect("node"), there.node("/", "listener").expect("node"));
    let inbox = Inbox::open(&*listener, "/direct", STRING, Qos::DEFAULT);
    let mut publisher = talker.publisher("/direct", STRING, Qos::DEFAULT).expect("publisher");
    until_heard(&mut *publisher, &inbox, b"before");
    drop(router);
    until("the loss of the router", || !here.has_router() && !there.has_router());
    until_heard(&mut *publisher, &inbox, b"direct");
}

#[test]
fn a_session_without_a_router_opens_and_joins_the_one_that_comes_later() {
    let endpoint = free_endpoint();
    let here = open(joining(&endpoint));
    assert!(!here.has_router());
    let node = here.node("/", "early").expect("node");
    let inbox = Inbox::open(&*node, "/later", STRING, Qos::DEFAULT);
    assert_eq!(here.graph().expect("graph").nodes, ["/early"]);
    let _router = RouterGuard::ensure(&endpoint).expect("router");
    let there = open(joining(&endpoint));
    until_endpoint(&there, "/later", false);
    let talker = there.node("/", "late").expect("node");
    let mut publisher = talker.publisher("/later", STRING, Qos::DEFAULT).expect("publisher");
    until_heard(&mut *publisher, &inbox, b"found");
}

#[test]
fn another_domain_is_another_world() {
    let (endpoint, _router) = router();
    let (here, there) = (open(joining(&endpoint)), open(ZenohOptions { domain: 7, ..joining(&endpoint) }));
    let node = here.node("/", "here").expect("node");
    let mut publisher = node.publisher("/same", STRING, Qos::DEFAULT).expect("publisher");
    let other = there.node("/", "there").expect("node");
    let apart = Inbox::open(&*other, "/same", STRING, Qos::DEFAULT);
    let witness = open(joining(&endpoint));
    let witness_node = witness.node("/", "witness").expect("node");
    let inbox = Inbox::open(&*witness_node, "/same", STRING, Qos::DEFAULT);
    until_endpoint(&here, "/same", false);
    until_heard(&mut *publisher, &inbox, b"heard here");
    assert_eq!(apart.waiting(), None);
    until("the other domain's own node, alone", || there.graph().expect("graph").nodes == ["/there"]);
}

#[test]
fn a_port_taken_by_a_stranger_is_told_with_the_way_out() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let endpoint = format!("tcp/{}", listener.local_addr().expect("bound"));
    let stranger = thread::spawn(move || {
        // A web server that does not understand: answers the first visitor and hangs up.
        let (mut visitor, _) = listener.accept().expect("a visitor");
        let mut hello = [0; 1];
        let _ = visitor.read(&mut hello);
        let _ = visitor.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        listener
    });
    let error = RouterGuard::ensure(&endpoint).expect_err("no router");
    assert!(matches!(error, RouterError::Busy { .. }), "{error}");
    let told = error.to_string();
    for part in [endpoint.as_str(), "ss -ltnp", "TROIKA_ZENOH_ENDPOINT="] {
        assert!(told.contains(part), "{told}");
    }
    drop(stranger.join().expect("the stranger ends"));
}

#[test]
fn a_port_whose_owner_says_nothing_is_told_too() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let endpoint = format!("tcp/{}", listener.local_addr().expect("bound"));
    let error = RouterGuard::ensure(&endpoint).expect_err("no router");
    assert!(matches!(error, RouterError::Busy { .. }), "{error}");
}

#[test]
fn a_zenoh_peer_on_the_port_is_no_router() {
    let endpoint = free_endpoint();
    let mut config = zenoh::Config::default();
    for (path, value) in [
        ("mode", "\"peer\"".to_owned()),
        ("listen/endpoints", format!("[\"{endpoint}\"]")),
        ("scouting/multicast/enabled", "false".to_owned()),
    ] {
        config.insert_json5(path, &value).expect("a setting");
    }
    let peer = zenoh::open(config).wait().expect("peer");
    let error = RouterGuard::ensure(&endpoint).expect_err("a peer is no router");
    assert!(error.to_string().contains("peer"), "{error}");
    peer.close().wait().expect("close");
}

#[test]
fn a_router_elsewhere_that_does_not_answer_is_told() {
    // A documentation address (RFC 5737): on no machine. The connection is refused, unreachable, or times out.
    let error = RouterGuard::ensure("tcp/192.0.2.1:7447").expect_err("nobody");
    assert!(matches!(error, RouterError::Unreachable { .. }), "{error}");
}

/// A message's type and bytes.
type Raw = (String, Vec<u8>);

fn raw(transport: &ZenohTransport, topic: &str) -> (Receiver<Raw>, Box<dyn troika_transport::Subscription>) {
    let (sender, messages) = channel();
    let subscription = transport
        .subscribe_raw(
            topic,
            Box::new(move |type_name, cdr| {
                // The receiver may be gone when the test ends.
                let _ = sender.send((type_name.to_owned(), cdr.to_vec()));
            }),
        )
        .expect("subscribe");
    (messages, subscription)
}

#[test]
fn a_raw_subscription_hears_every_type_and_is_not_on_the_graph() {
    let (endpoint, _router) = router();
    let (here, there) = (open(joining(&endpoint)), open(joining(&endpoint)));
    let (messages, subscription) = raw(&there, "/any");
    let (deeper, _deeper) = raw(&there, "/any/deeper");
    let node = here.node("/", "talker").expect("node");
    let mut deep = node.publisher("/any/deeper", STRING, Qos::DEFAULT).expect("publisher");
    for name in ["std_msgs/msg/String", "troika_msgs/msg/Heartbeat"] {
        let ty = troika_kit::TypeInfo { name, ..STRING };
        let mut publisher = node.publisher("/any", ty, Qos::DEFAULT).expect("publisher");
        until("the raw subscription to hear", || {
            publisher.put(name.as_bytes(), stamp(0)).expect("put");
            messages.try_iter().any(|(heard, cdr)| {
                assert_eq!(heard.as_bytes(), cdr, "each message comes with its own type");
                heard == name
            })
        });
    }
    until("the deeper topic", || {
        deep.put(b"deeper", stamp(0)).expect("put");
        deeper.try_iter().any(|(_, cdr)| cdr == b"deeper")
    });
    assert!(messages.try_iter().all(|(_, cdr)| cdr != b"deeper"), "another topic");
    assert!(here.graph().expect("graph").endpoints.iter().all(|e| e.publishes));
    drop(subscription);
    assert!(there.subscribe_raw("/any/**", Box::new(|_, _| {})).is_err());
}

#[test]
fn a_publisher_that_is_no_ros_node_is_heard_as_one_from_the_epoch() {
    let (endpoint, _router) = router();
    let here = open(joining(&endpoint));
    let node = here.node("/", "listener").expect("node");
    let inbox = Inbox::open(&*node, "/plain", STRING, Qos::DEFAULT);
    let mut config = zenoh::Config::default();
    for (path, value) in [
        ("mode", "\"client\"".to_owned()),
        ("connect/endpoints", format!("[\"{endpoint}\"]")),
        ("scouting/multicast/enabled", "false".to_owned()),
    ] {
        config.insert_json5(path, &value).expect("a setting");
    }
    let plain = zenoh::open(config).wait().expect("client");
    let key = format!("0/plain/std_msgs::msg::dds_::String_/{}", STRING.hash);
    let put = |attachment: Option<&[u8]>| {
        let builder = plain.put(&key, b"plain".as_slice());
        match attachment {
            None => builder.wait().expect("put"),
            Some(bytes) => builder.attachment(bytes).wait().expect("put"),
        }
    };
    let mut heard = None;
    until("the plain publisher to be heard", || {
        put(None);
        heard = inbox.waiting();
        heard.is_some()
    });
    for attachment in [&b""[..], &[0xff; 33], &[0; 64]] {
        put(Some(attachment));
        let message = inbox.next();
        assert_eq!((message.cdr.as_slice(), message.meta.source_time), (&b"plain"[..], Time::ZERO));
    }
    assert_eq!(heard.expect("just heard").meta.source_time, Time::ZERO);
    plain.close().wait().expect("close");
}

#[test]
fn a_stranger_on_the_graph_does_not_hide_the_rest() {
    let (endpoint, _router) = router();
    let here = open(joining(&endpoint));
    let _node = here.node("/", "ours").expect("node");
    let mut config = zenoh::Config::default();
    for (path, value) in [
        ("mode", "\"client\"".to_owned()),
        ("connect/endpoints", format!("[\"{endpoint}\"]")),
        ("scouting/multicast/enabled", "false".to_owned()),
    ] {
        config.insert_json5(path, &value).expect("a setting");
    }
    let plain = zenoh::open(config).wait().expect("client");
    let tokens = ["@ros2_lv/0/garbage", "@ros2_lv/0/a/0/0/XX/%/%/n", "@ros2_lv/0/a/0/0/NN/%/%/stranger"]
        .map(|key| plain.liveliness().declare_token(key).wait().expect("token"));
    until("the stranger's one good token", || here.graph().expect("graph").nodes == ["/ours", "/stranger"]);
    drop(tokens);
    plain.close().wait().expect("close");
}

/// Two systems on one router are some 300 tokens. What a session knows of them is answered at once, before anybody could read it.
#[test]
fn a_graph_of_many_is_told_whole_whoever_asks_and_however_often() {
    const MANY: usize = 700;
    let (endpoint, _router) = router();
    let here = open(joining(&endpoint));
    let nodes: Vec<_> = (0..MANY).map(|n| here.node("/many", &format!("n{n}")).expect("node")).collect();
    let there = open(joining(&endpoint));
    for asks in [&here, &there] {
        // A watch makes a session keep what is alive.
        let _watch = asks.watch_graph(Box::new(|| {})).expect("watch");
        until("all of them", || asks.graph().expect("graph").nodes.len() == MANY);
        until("all of them again", || asks.graph().expect("graph").nodes.len() == MANY);
    }
    drop(nodes);
}

#[test]
fn large_messages_pass_through_shared_memory_when_it_is_on() {
    let (endpoint, _router) = router();
    let options = ZenohOptions { shared_memory: true, ..joining(&endpoint) };
    let (here, there) = (open(options.clone()), open(options));
    let (talker, listener) =
        (here.node("/", "talker").expect("node"), there.node("/", "listener").expect("node"));
    let inbox = Inbox::open(&*listener, "/large", STRING, Qos::DEFAULT);
    let mut publisher = talker.publisher("/large", STRING, Qos::DEFAULT).expect("publisher");
    until_endpoint(&here, "/large", false);
    for round in 0..40_u8 {
        publisher.put(&vec![round; 1 << 20], stamp(0)).expect("put");
        assert!(inbox.next().cdr == vec![round; 1 << 20]);
    }
}
