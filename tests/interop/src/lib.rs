//! What belongs here: our nodes beside independent peers. [`Peer`] starts one's process, tells it what to do and waits for what it
//! sees; [`exchange`], [`many`], [`lives`] and [`garbage`] are what is done with several of them; [`edges`] makes the values for the judges of
//! our codec; the tests are in `tests/`, the peers' side in `peers/`.
//!
//! A peer that cannot be started is a failed test, never a skipped one.
#![allow(
    clippy::disallowed_methods,
    reason = "tests wait for other processes: they need a clock and a sleep"
)]

pub mod edges;
pub mod exchange;
pub mod garbage;
pub mod lives;
pub mod many;
mod peer;

use std::{
    process,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use troika_conformance::{Inbox, services::ask, until, until_endpoint};
use troika_kit::{Message, Qos, Service as _, Time};
use troika_msgs::std_srvs;
use troika_transport::{Meta, NodeHandle, Respond, Transport};
use troika_transport_dds::{DdsOptions, DdsTransport, DiscoveryRange};
use troika_transport_zenoh::{RouterGuard, ZenohOptions, ZenohTransport};

pub use peer::Peer;
pub use troika_conformance::{PATIENCE, free_port};

/// A ROS domain that a stray ROS system on this machine is not likely to use.
pub const DOMAIN: u32 = 87;

/// A ROS domain for DDS that two runs on one host seldom share. Up to 101, because the ports of higher ones lie among those that
/// Linux gives to anybody.
pub fn own_domain() -> u32 {
    static CALLS: Mutex<u32> = Mutex::new(0);
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    *calls += 1;
    // Another one for each test: a participant of the test before may still be waited for.
    DOMAIN + 1 + (process::id() + *calls) % (101 - DOMAIN)
}

/// Our session on DDS, on this host and `domain` alone.
///
/// # Panics
/// When it cannot be opened.
pub fn on_dds(domain: u32) -> DdsTransport {
    let options = DdsOptions { domain, range: DiscoveryRange::Localhost, ..DdsOptions::default() };
    DdsTransport::open(options).expect("a session on DDS")
}

/// One line of the result.
pub fn verdict(peer: &str, capability: &str) {
    println!("interop  {peer:<15} {capability:<60} ok");
}

/// Our session at a router of the test's own (or at somebody's, when one listens on the port already), with one node.
pub struct Ours {
    /// Our node, `/car/ours`.
    pub node: Box<dyn NodeHandle>,
    /// Our session.
    pub transport: ZenohTransport,
    /// Whether we started the router.
    pub router: RouterGuard,
}

impl Ours {
    /// Opens them.
    pub fn open(port: u16) -> Ours {
        let endpoint = format!("tcp/127.0.0.1:{port}");
        let router = RouterGuard::ensure(&endpoint).expect("a router");
        let options = ZenohOptions { domain: DOMAIN, router: endpoint, ..ZenohOptions::default() };
        let transport = ZenohTransport::open(options).expect("a session");
        let node = transport.node("/car", "ours").expect("a node");
        Ours { node, transport, router }
    }
}

/// We publish `message` on `topic`; the peer gets it, value by value, as a type whose hash it computed itself.
pub fn peer_hears<M: Message>(peer: &mut Peer, ours: &Ours, topic: &str, message: &M) {
    peer.tell(&json!({ "do": "listen", "topic": topic, "type": M::TYPE.name }));
    let listening = peer.wait_for("listening", topic);
    assert_eq!(listening["hash"], M::TYPE.hash, "the peer's own hash of {}", M::TYPE.name);
    let mut publisher = ours.node.publisher(topic, M::TYPE, Qos::DEFAULT).expect("publisher");
    until_endpoint(&ours.transport, topic, false);
    let mut cdr = Vec::new();
    message.encode(&mut cdr).expect("a CDR form");
    let mut got = None;
    // Repeated: what is sent while the two sessions still connect may be lost.
    until(&format!("{} to get {topic}", peer.name()), || {
        publisher.put(&cdr, Time::from_nanos(1_700_000_000_123_456_789)).expect("put");
        got = peer.poll(Duration::from_millis(50), |e| e["event"] == "got" && e["topic"] == topic);
        got.is_some()
    });
    let got = got.expect("just got");
    let expected = told(message);
    assert!(same(&got["data"], &expected), "{topic}\n  sent {expected:.2000}\n  got  {:.2000}", got["data"]);
    verdict(peer.name(), &format!("receives our {} and computes its hash", M::TYPE.name));
}

/// The peer publishes `data` on `topic`; we get it, value by value. Gives the publisher's id as the peer told it and as we
/// received it.
pub fn we_hear<M: Message>(
    peer: &mut Peer,
    ours: &Ours,
    topic: &str,
    data: &Value,
    expected: &M,
) -> (String, String) {
    let inbox = Inbox::open(&*ours.node, topic, M::TYPE, Qos::DEFAULT);
    peer.tell(&json!({ "do": "talk", "topic": topic, "type": M::TYPE.name, "data": data }));
    let talking = peer.wait_for("talking", topic);
    assert_eq!(talking["hash"], M::TYPE.hash, "the peer's own hash of {}", M::TYPE.name);
    let seen = until_endpoint(&ours.transport, topic, true);
    assert_eq!((seen.type_name.as_str(), seen.type_hash.as_str()), (M::TYPE.name, M::TYPE.hash));
    let (first, second) = (inbox.next(), inbox.next());
    peer.tell(&json!({ "do": "hush", "topic": topic }));
    for message in [&first, &second] {
        assert_eq!(&M::decode(&message.cdr).expect("the peer's CDR"), expected, "{topic}");
        // Some time after the start of 2020: the peers stamp with the wall clock.
        assert!(message.meta.source_time > Time::from_nanos(1_577_836_800_000_000_000));
    }
    assert_eq!(second.meta.sequence, first.meta.sequence + 1);
    verdict(peer.name(), &format!("sends {}, which we receive", M::TYPE.name));
    let told = talking["gid"].as_str().unwrap_or_default().to_owned();
    let received = first.meta.gid.iter().map(|b| format!("{b:02x}")).collect();
    (told, received)
}

/// What the switch of both sides says.
pub(crate) fn switched(on: bool) -> std_srvs::SetBoolResponse {
    std_srvs::SetBoolResponse { success: on, message: if on { "on" } else { "off" }.to_owned() }
}

/// Its CDR.
///
/// # Panics
/// When it has none.
pub fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut cdr = Vec::new();
    message.encode(&mut cdr).expect("a CDR form");
    cdr
}

/// The peer asks a service of ours, whose hash it computed itself, and gets the answer.
pub fn peer_asks(peer: &mut Peer, ours: &Ours, service: &str) {
    let answer = |cdr: &[u8], _: &Meta, respond: Respond| {
        let request = std_srvs::SetBoolRequest::decode(cdr).map_err(|error| error.to_string());
        respond.answer(request.map(|request| encoded(&switched(request.data))));
    };
    let _served = ours.node.serve(service, std_srvs::SetBool::TYPE, Box::new(answer)).expect("serve");
    for on in [true, false] {
        let mut answered = Value::Null;
        // Again where the peer does not wait for a service: it may ask before the router has told it of ours.
        until(&format!("{} to get an answer", peer.name()), || {
            peer.tell(
                &json!({ "do": "ask", "topic": service, "type": std_srvs::SetBool::TYPE.name, "data": { "data": on } }),
            );
            answered = peer.wait_for("answered", service);
            assert_eq!(answered["hash"], std_srvs::SetBool::TYPE.hash, "the peer's own hash");
            !answered["data"].is_null()
        });
        let expected = switched(on);
        assert_eq!(answered["data"], json!({ "success": expected.success, "message": expected.message }));
    }
    verdict(peer.name(), "asks a service of ours and computes its hash");
}

/// We ask a service of the peer, and get the answer.
pub fn peer_answers(peer: &mut Peer, ours: &Ours, service: &str) {
    peer.tell(&json!({ "do": "serve", "topic": service, "type": std_srvs::SetBool::TYPE.name }));
    let serving = peer.wait_for("serving", service);
    assert_eq!(serving["hash"], std_srvs::SetBool::TYPE.hash, "the peer's own hash");
    let mut client = ours.node.client(service, std_srvs::SetBool::TYPE).expect("client");
    until("the peer's service", || client.is_served().expect("a look"));
    for on in [true, false] {
        let request = encoded(&std_srvs::SetBoolRequest { data: on });
        let answer = ask(&mut *client, &request, 1).expect("no refusal");
        assert_eq!(std_srvs::SetBoolResponse::decode(&answer).expect("the peer's CDR"), switched(on));
    }
    // A peer may serve before it tells the graph.
    until("the peer's service on our graph", || {
        let graph = ours.transport.graph().expect("graph");
        graph.services.iter().any(|end| end.service == service && end.serves)
    });
    verdict(peer.name(), "serves, and answers us; its service is on our graph");
}

/// A message as the peers tell it: what our own tools show, long arrays told by length and sum.
pub fn told<M: Message>(message: &M) -> Value {
    let mut cdr = Vec::new();
    message.encode(&mut cdr).expect("a CDR form");
    let entry = troika_msgs::dynamic::lookup(M::TYPE.name).expect("one of ours");
    shorten(entry.to_json(&cdr).expect("readable"))
}

/// Arrays of more elements than this are told by length and sum (the peers have the same figure).
const LONG: usize = 4096;

fn shorten(value: Value) -> Value {
    match value {
        Value::Array(items) if items.len() > LONG => {
            json!({ "length": items.len(), "sum": items.iter().filter_map(Value::as_i64).sum::<i64>() })
        }
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, shorten(value))).collect(),
        other => other,
    }
}

/// Whether two values are the same, numbers compared as 32-bit floats unless both are integers: Python tells a float32 in full
/// length, we in the shortest form.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) if x.is_f64() || y.is_f64() => {
            matches!((x.as_f64(), y.as_f64()), (Some(x), Some(y)) if x as f32 == y as f32)
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(name, x)| y.get(name).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}
