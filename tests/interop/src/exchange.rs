//! What is exchanged with a peer, whatever carries it: messages each way, a service each way.

use std::time::Duration;

use serde_json::{Value, json};
use troika_conformance::{Inbox, services::ask, stamp, until, until_endpoint};
use troika_kit::{Message, Qos, Service};
use troika_msgs::{dynamic, std_msgs, std_srvs};
use troika_transport::{Meta, NodeHandle, Publisher, Respond, Transport};

use crate::{Peer, encoded, same, switched, told, verdict};

/// Puts until the peer has it: a peer may find all of us later than we find it.
pub fn until_got(
    peer: &mut Peer,
    publisher: &mut dyn Publisher,
    cdr: &[u8],
    wanted: impl Fn(&Value) -> bool,
) {
    until(&format!("{} to get it", peer.name()), || {
        publisher.put(cdr, stamp(0)).expect("put");
        peer.poll(Duration::from_millis(100), |e| e["event"] == "got" && wanted(e)).is_some()
    });
}

/// Each way, on topics of their own; `data` is the message as plain values, written by hand.
pub fn messages_both_ways<M: Message>(
    peer: &mut Peer,
    ours: &dyn Transport,
    node: &dyn NodeHandle,
    message: &M,
    data: &Value,
) {
    let (ty, shown) = (M::TYPE, told(message));
    let short = ty.name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let (theirs, mine) = (format!("/theirs/{short}"), format!("/ours/{short}"));
    let inbox = Inbox::open(node, &theirs, ty, Qos::DEFAULT);
    peer.tell(&json!({ "do": "talk", "topic": theirs, "type": ty.name, "data": data }));
    peer.wait_for("talking", &theirs);
    let entry = dynamic::lookup(ty.name).expect("one of ours");
    let got = entry.to_json(&inbox.next().cdr).expect("its CDR");
    assert!(same(&got, &shown), "{got} is not {shown}");
    verdict(peer.name(), &format!("sends {}, which we receive over {}", ty.name, ours.kind()));

    let mut publisher = node.publisher(&mine, ty, Qos::DEFAULT).expect("publisher");
    peer.tell(&json!({ "do": "listen", "topic": mine, "type": ty.name }));
    peer.wait_for("listening", &mine);
    until_endpoint(ours, &mine, false);
    until_got(peer, &mut *publisher, &encoded(message), |e| e["topic"] == *mine && same(&e["data"], &shown));
    verdict(peer.name(), &format!("receives our {} over {}", ty.name, ours.kind()));
}

/// What we said before the peer came, and what it said before we listened: as it was said, in order.
pub fn late_joiners_get_what_was_said(
    ours: &dyn Transport,
    node: &dyn NodeHandle,
    start: impl FnOnce() -> Peer,
) {
    const LASTING: Qos = Qos { transient_local: true, ..Qos::DEFAULT };
    let ty = std_msgs::String::TYPE;
    let texts = ["one", "two", "three"].map(|data| std_msgs::String { data: data.into() });
    let mut publisher = node.publisher("/ours/map", ty, LASTING).expect("publisher");
    for text in &texts {
        publisher.put(&encoded(text), stamp(0)).expect("put");
    }
    let mut peer = start();
    peer.tell(&json!({ "do": "listen", "topic": "/ours/map", "type": ty.name, "lasting": true }));
    for text in &texts {
        assert_eq!(peer.wait_for("got", "/ours/map")["data"]["data"], text.data);
    }
    verdict(peer.name(), &format!("gets what we said before it came, in order, over {}", ours.kind()));
    let values = texts.each_ref().map(|text| json!({ "data": text.data }));
    peer.tell(&json!({ "do": "say", "topic": "/theirs/map", "type": ty.name, "values": values }));
    peer.wait_for("said", "/theirs/map");
    let inbox = Inbox::open(node, "/theirs/map", ty, LASTING);
    for text in &texts {
        assert_eq!(std_msgs::String::decode(&inbox.next().cdr).as_ref(), Ok(text));
    }
    verdict(peer.name(), &format!("tells us what it said before we came, in order, over {}", ours.kind()));
}

/// A switch of ours that the peer turns, and one of the peer's that we turn.
pub fn services_both_ways(peer: &mut Peer, ours: &dyn Transport, node: &dyn NodeHandle) {
    let ty = std_srvs::SetBool::TYPE;
    let answer = |cdr: &[u8], _: &Meta, respond: Respond| {
        let request = std_srvs::SetBoolRequest::decode(cdr).map_err(|error| error.to_string());
        respond.answer(request.map(|request| encoded(&switched(request.data))));
    };
    let _served = node.serve("/ours/switch", ty, Box::new(answer)).expect("serve");
    for on in [true, false] {
        peer.tell(&json!({ "do": "ask", "topic": "/ours/switch", "type": ty.name, "data": { "data": on } }));
        let expected = switched(on);
        assert_eq!(
            peer.wait_for("answered", "/ours/switch")["data"],
            json!({ "success": expected.success, "message": expected.message })
        );
    }
    verdict(peer.name(), &format!("asks a service of ours over {}", ours.kind()));
    peer.tell(&json!({ "do": "serve", "topic": "/theirs/switch", "type": ty.name }));
    peer.wait_for("serving", "/theirs/switch");
    let mut client = node.client("/theirs/switch", ty).expect("client");
    until("the peer's service", || client.is_served().expect("a look"));
    for on in [true, false] {
        let answer =
            ask(&mut *client, &encoded(&std_srvs::SetBoolRequest { data: on }), 1).expect("no refusal");
        assert_eq!(std_srvs::SetBoolResponse::decode(&answer).expect("the peer's CDR"), switched(on));
    }
    verdict(peer.name(), &format!("serves, and answers us over {}", ours.kind()));
}
