//! What no node can read, from a peer that is none of ours: on a topic that a hosted node reads, and as requests to one of its services.

use std::sync::Arc;

use serde_json::{Value, json};
use troika_conformance::{Inbox, until};
use troika_host::{
    Host, HostOptions, NodeOptions,
    parameters::{Declared, double_value},
};
use troika_kit::{Message, Qos, Service};
use troika_msgs::{
    rcl_interfaces::{GetParameters, GetParametersRequest, Log},
    std_msgs,
    troika::VehicleSignals,
};
use troika_template::{Config, Template};
use troika_transport::Transport;

use crate::{DOMAIN, Peer, encoded, verdict};

const SIGNALS: &str = "/vehicle/signals";
const SERVICE: &str = "/car/motion/get_parameters";
/// The encapsulation header of little-endian CDR.
const HEADER: usize = 4;

/// Nothing, too little, lengths beyond all that came, and a sound value (its CDR) without its end; behind no header, which some writers
/// put before it themselves.
fn spoilt(sound: &[u8]) -> Vec<Vec<u8>> {
    let ones = |count| vec![0xff_u8; count];
    let cut = sound[HEADER..sound.len() - 5].to_vec();
    vec![Vec::new(), vec![0], ones(3), ones(12), ones(20), ones(64), ones(5000), cut]
}

fn spoilt_signals() -> Vec<Vec<u8>> {
    let sound = VehicleSignals { speed_kmh: 50.0, ..VehicleSignals::default() };
    spoilt(&encoded(&sound))
}

fn spoilt_requests() -> Vec<Vec<u8>> {
    spoilt(&encoded(&GetParametersRequest { names: vec!["standstill".into()] }))
}

/// RustDDS spoils topic and service of the node in `domain`.
pub fn by_rustdds(domain: u32) -> Peer {
    let mut peer = Peer::rustdds(domain);
    let orders = [
        ("rt/vehicle/signals", "troika_msgs::msg::dds_::VehicleSignals_", spoilt_signals()),
        (
            "rq/car/motion/get_parametersRequest",
            "rcl_interfaces::srv::dds_::GetParameters_Request_",
            spoilt_requests(),
        ),
    ];
    for (topic, ty, payloads) in orders {
        peer.tell(&json!({ "do": "spoil", "topic": topic, "type": ty, "payloads": payloads }));
    }
    peer
}

/// A zenoh session of Python's spoils them at the router of this port, some with a header and some without.
pub fn by_zenoh(port: u16) -> Peer {
    let mut peer = Peer::start("pyzeros_peer", port);
    let with_headers = |payloads: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
        let headed = payloads.iter().map(|one| [&[0, 1, 0, 0], &one[..]].concat()).collect::<Vec<_>>();
        headed.into_iter().chain(payloads).collect()
    };
    let signals =
        format!("{DOMAIN}{SIGNALS}/troika_msgs::msg::dds_::VehicleSignals_/{}", VehicleSignals::TYPE.hash);
    let service =
        format!("{DOMAIN}{SERVICE}/rcl_interfaces::srv::dds_::GetParameters_/{}", GetParameters::TYPE.hash);
    let orders = [(signals, spoilt_signals(), false), (service, spoilt_requests(), true)];
    for (key, payloads, asks) in orders {
        peer.tell(&json!({ "do": "spoil", "topic": key, "payloads": with_headers(payloads), "asks": asks }));
    }
    peer
}

/// The vehicle's signals as plain values.
fn moving() -> Value {
    json!({
        "header": { "stamp": { "sec": 1, "nanosec": 2 }, "frame_id": "car" },
        "sequence": 0, "e2e": [],
        "speed_kmh": 50.0, "steering_angle_deg": 0.0, "gear": 127, "ignition_on": true, "driver_acted": false,
    })
}

/// While the peer of `spoil` goes on, all of it is counted, of the topic and of the service, and told on /rosout; and what the peer of
/// `sound` says and asks meanwhile is acted on.
pub fn is_counted_and_told_and_the_rest_goes_on(
    transport: &Arc<dyn Transport>,
    spoil: impl FnOnce() -> Peer,
    sound: impl FnOnce() -> Peer,
) {
    let (host, spoils, mut peer) = is_counted_and_told_and_messages_are_heard(transport, spoil, sound);
    let over = transport.kind();
    let ask = json!({
        "do": "ask", "topic": SERVICE, "type": GetParameters::TYPE.name, "data": { "names": ["standstill_kmh"] },
    });
    let mut answer = Value::Null;
    // Again where the peer does not wait for a service.
    until("an answer", || {
        peer.tell(&ask);
        answer = peer.wait_for("answered", SERVICE)["data"].take();
        !answer.is_null()
    });
    assert_eq!(answer["values"][0]["double_value"], 0.5, "{answer}");
    verdict(peer.name(), &format!("is answered beside what cannot be read over {over}"));
    drop(spoils);
    host.stop();
}

/// The same without the questions. Gives the host and both peers.
pub fn is_counted_and_told_and_messages_are_heard(
    transport: &Arc<dyn Transport>,
    spoil: impl FnOnce() -> Peer,
    sound: impl FnOnce() -> Peer,
) -> (Host, Peer, Peer) {
    let node = transport.node("/", "watches").expect("node");
    let motion = Inbox::open(&*node, "/vehicle/motion", std_msgs::String::TYPE, Qos::DEFAULT);
    let rosout = Inbox::open(&*node, "/rosout", Log::TYPE, Qos { depth: 100, ..Qos::DEFAULT });
    let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, transport.clone());
    let mut options = NodeOptions::new("motion");
    options.namespace = "/car".into();
    options.parameters = vec![Declared::fixed("standstill_kmh", "Below it, it stands.", double_value(0.5))];
    host.manage(|| Ok(Template::new(Config::default())), options).expect("managed");
    host.start();

    let spoils = spoil();
    let every = 2 * spoilt_signals().len() as u64;
    until("each of what cannot be read to be counted", || {
        let stats = &host.stats()[0];
        stats.undecodable > every && stats.unreadable > every
    });
    for what in ["messages could not be read", "requests could not be read"] {
        until(what, || Log::decode(&rosout.next().cdr).expect("our CDR").msg.contains(what));
    }
    let over = transport.kind();
    verdict(spoils.name(), &format!("sends what cannot be read over {over}: counted and told"));

    let mut peer = sound();
    peer.tell(
        &json!({ "do": "talk", "topic": SIGNALS, "type": VehicleSignals::TYPE.name, "data": moving() }),
    );
    until("the sound signals", || {
        let said = std_msgs::String::decode(&motion.next().cdr).expect("our CDR");
        said.data == "moving"
    });
    verdict(peer.name(), &format!("is heard beside what cannot be read over {over}"));
    (host, spoils, peer)
}
