//! What every transport must do, over `dyn Transport` alone. [`suite!`] makes one test of each behaviour for a transport.
//!
//! [`program`] and [`chat`]: programs under test, and the little services that they talk to.
//!
//! Tests wait for what they expect with a bound that only a broken transport meets; nothing is timed.
#![allow(
    clippy::disallowed_methods,
    reason = "tests wait for other threads and processes: they need a clock and a sleep"
)]

pub mod behaviour;
pub mod chat;
pub mod hosted;
pub mod program;
pub mod services;
pub mod soak;

/// All of them.
pub mod behaviours {
    pub use super::{behaviour::*, hosted::*, services::*, soak::*};
}

use std::{
    net::TcpListener,
    process,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use troika_kit::{Qos, Time, TypeInfo};
use troika_transport::{Endpoint, Meta, NodeHandle, OnMessage, Publisher, Subscription, Transport};

/// How long a test waits for what must come. Far over what any transport needs, so that a busy machine fails nothing.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Opens one more participant on a network of the test's own.
pub type Network = Box<dyn Fn() -> Box<dyn Transport>>;

/// A type to publish; the suite never looks into the bytes.
pub const STRING: TypeInfo = TypeInfo {
    name: "std_msgs/msg/String",
    hash: "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
};

/// Where [`free_port`] looks: below the ports that systems hand out by themselves (from 32768 on Linux, 49152 elsewhere),
/// which every zenoh session takes one of and so may come between the look and the use.
const PORTS: std::ops::Range<u32> = 12_000..32_000;

/// A port of the loopback that nobody listens on, and a new one at each call in this process.
pub fn free_port() -> u16 {
    static CALLS: Mutex<u32> = Mutex::new(0);
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in PORTS {
        // Each process starts somewhere else, for the case that two test programs run at once.
        let port = PORTS.start + (process::id().wrapping_mul(101) + *calls) % (PORTS.end - PORTS.start);
        *calls += 1;
        let port = u16::try_from(port).expect("the range is one of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {} to {} is free", PORTS.start, PORTS.end);
}

/// A DDS domain and a configuration for CycloneDDS that nobody else has, new at each call: other test programs that run meanwhile may
/// choose the same domain, and look away from the tag.
pub fn own_dds() -> (u32, String) {
    /// The highest domain of which all ports are below those that Linux hands out by itself (7400 + 250 a domain).
    const DOMAINS: u32 = 100;
    static CALLS: Mutex<u32> = Mutex::new(0);
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    *calls += 1;
    let (process, call) = (process::id(), *calls);
    let domain = 1 + (process.wrapping_mul(37) + call) % DOMAINS;
    let uri = format!(
        "<CycloneDDS><Domain><Discovery><Tag>troika-{process}-{call}</Tag></Discovery></Domain></CycloneDDS>"
    );
    (domain, uri)
}

/// Where [`free_domain`] looks: the interop tests have those above. Ports of domains over 101 lie among those that Linux gives to
/// anybody.
const DOMAINS: std::ops::Range<u32> = 10..80;

/// A ROS domain for DDS, a new one at each call in this process, that two runs on one host seldom share.
pub fn free_domain() -> u32 {
    static CALLS: Mutex<u32> = Mutex::new(0);
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    *calls += 1;
    DOMAINS.start + (process::id().wrapping_mul(31) + *calls) % (DOMAINS.end - DOMAINS.start)
}

/// Makes the tests. The argument is an expression that makes a [`Network`].
#[macro_export]
macro_rules! suite {
    ($network:expr) => {
        $crate::suite! { @each $network;
            messages_pass_both_ways
            messages_of_one_publisher_arrive_in_order
            a_message_of_a_mebibyte_arrives_whole
            a_message_of_any_length_arrives_whole
            messages_of_every_type_pass_each_way_in_order
            a_late_joiner_sees_who_is_there_and_gets_what_follows
            a_late_joiner_gets_the_last_that_a_lasting_publisher_said
            a_lasting_subscription_hears_a_publisher_that_comes_later_once
            a_node_is_on_the_graph_while_it_lives
            an_endpoint_is_on_the_graph_while_it_lives
            changes_of_the_graph_are_told
            nodes_of_one_participant_hear_each_other
            every_subscription_gets_its_own_copy
            best_effort_delivers_on_an_idle_network
            another_type_on_the_same_topic_stays_apart
            no_call_comes_after_a_subscription_is_dropped
            a_publisher_outlives_its_subscribers
            publishers_are_told_apart
            names_that_ros_refuses_are_refused
            a_request_is_answered
            a_request_and_an_answer_of_a_mebibyte_arrive_whole
            each_of_many_clients_gets_its_own_answers
            a_service_that_nobody_serves_is_told
            an_answer_may_come_later
            another_type_of_the_same_service_stays_apart
            a_service_is_on_the_graph_while_it_lives
            no_request_comes_after_a_server_is_dropped
            a_server_that_comes_back_is_found_again
            a_hosted_node_has_parameters
            a_hosted_node_obeys_its_life_cycle
            a_hosted_node_starts_by_itself
            a_hosted_node_follows_the_clock_of_a_simulation
            a_hosted_node_minds_deadline_and_liveliness
            a_hosted_node_misses_a_publisher_that_asserts_itself
        }
    };
    (@each $network:expr; $($name:ident)*) => {
        $(#[test] fn $name() { $crate::behaviours::$name(&{ $network }()); })*
    };
}

/// Makes tests of what a transport can beyond the suite: the arguments are what makes a [`Network`], and the behaviours that the
/// transport claims. The rest of them it does not promise, and its README says so.
#[macro_export]
macro_rules! capabilities {
    ($network:expr; $($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { $crate::behaviours::$name(&{ $network }()); })+
    };
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within [`PATIENCE`].
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `transport` shows a publisher (or subscription) on `topic`.
pub fn until_endpoint(transport: &dyn Transport, topic: &str, publishes: bool) -> Endpoint {
    let mut found = None;
    until(&format!("{} on {topic}", if publishes { "a publisher" } else { "a subscription" }), || {
        let graph = transport.graph().expect("graph");
        found = graph.endpoints.into_iter().find(|e| e.topic == topic && e.publishes == publishes);
        found.is_some()
    });
    found.expect("just found")
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The bytes.
    pub cdr: Vec<u8>,
    /// Where they came from.
    pub meta: Meta,
}

/// A subscription that keeps what it gets.
pub struct Inbox {
    messages: Receiver<Received>,
    _subscription: Box<dyn Subscription>,
}

impl Inbox {
    /// Subscribes.
    pub fn open(node: &dyn NodeHandle, topic: &str, ty: TypeInfo, qos: Qos) -> Inbox {
        let (sender, messages) = channel();
        let subscription = node.subscribe(topic, ty, qos, keep(sender)).expect("subscribe");
        Inbox { messages, _subscription: subscription }
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes within [`PATIENCE`].
    pub fn next(&self) -> Received {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("waited {PATIENCE:?} for a message"),
            Err(RecvTimeoutError::Disconnected) => panic!("the transport dropped the callback"),
        }
    }

    /// A message that has already come.
    pub fn waiting(&self) -> Option<Received> {
        self.messages.try_recv().ok()
    }
}

/// A callback that sends on what it gets.
pub fn keep(sender: Sender<Received>) -> OnMessage {
    Box::new(move |cdr, meta| {
        // The receiver may be gone already when a test ends.
        let _ = sender.send(Received { cdr: cdr.to_vec(), meta: *meta });
    })
}

/// A publisher on one participant and an inbox on another, known to each other.
pub struct Pair {
    /// Sends.
    pub publisher: Box<dyn Publisher>,
    /// Gets.
    pub inbox: Inbox,
    _nodes: [Box<dyn NodeHandle>; 2],
    _participants: [Box<dyn Transport>; 2],
}

impl Pair {
    /// Two new participants of `network`.
    pub fn open(network: &Network, topic: &str, qos: Qos) -> Pair {
        let (here, there) = (network(), network());
        let talker = here.node("/", "talker").expect("node");
        let listener = there.node("/", "listener").expect("node");
        let inbox = Inbox::open(&*listener, topic, STRING, qos);
        let publisher = talker.publisher(topic, STRING, qos).expect("publisher");
        until_endpoint(&*here, topic, false);
        until_endpoint(&*there, topic, true);
        Pair { publisher, inbox, _nodes: [talker, listener], _participants: [here, there] }
    }
}

/// Some time; the suite reads no clock for its stamps.
pub const fn stamp(millis: u64) -> Time {
    Time::from_nanos(1_700_000_000_000_000_000 + millis * 1_000_000)
}
