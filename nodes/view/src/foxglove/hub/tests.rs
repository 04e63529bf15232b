//! Clients that come, ask, are slow, and go.

use serde_json::json;

use super::*;

const NOW: Time = Time::from_nanos(5_000_000_000);
const SIGNALS: &str = "troika_msgs/msg/VehicleSignals";
const IMAGE: &str = "sensor_msgs/msg/Image";

fn end(topic: &str, type_name: &str) -> Endpoint {
    Endpoint {
        node: "/ends".into(),
        topic: topic.into(),
        type_name: type_name.into(),
        type_hash: String::new(),
        publishes: true,
    }
}

fn key(topic: &str, type_name: &str) -> Key {
    (topic.into(), type_name.into())
}

fn said(hub: &mut Hub, client: u64) -> Vec<Value> {
    let mut all = Vec::new();
    while let Some(Frame::Text(text)) = hub.next(client, NOW).unwrap() {
        all.push(serde_json::from_str(&text).unwrap());
    }
    all
}

fn subscribe(hub: &mut Hub, client: u64, id: u32, channel: u32) {
    let asked = json!({"op": "subscribe", "subscriptions": [{"id": id, "channelId": channel}]});
    hub.asked(client, &asked.to_string());
}

fn two() -> (Hub, u64) {
    let mut hub = Hub::default();
    hub.graph(&[end("/image", IMAGE), end("/signals", SIGNALS)], |_| false);
    let client = hub.join("1").unwrap();
    (hub, client)
}

#[test]
fn a_client_is_told_of_every_topic_with_its_schema_and_of_those_that_come_and_go() {
    let (mut hub, client) = two();
    let told = said(&mut hub, client);
    assert_eq!((&told[0]["op"], &told[0]["capabilities"]), (&json!("serverInfo"), &json!([])));
    let channels = told[1]["channels"].as_array().unwrap();
    assert_eq!(channels.len(), 2);
    assert_eq!((&channels[0]["topic"], &channels[0]["schemaName"]), (&json!("/image"), &json!(IMAGE)));
    assert_eq!(
        (&channels[0]["encoding"], &channels[0]["schemaEncoding"]),
        (&json!("cdr"), &json!("ros2msg"))
    );
    assert!(channels[0]["schema"].as_str().unwrap().contains("MSG: std_msgs/Header"));

    hub.graph(&[end("/signals", SIGNALS), end("/late", SIGNALS), end("/odd", "x/msg/Y")], |_| false);
    let told = said(&mut hub, client);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().any(|one| one["message"] == "/odd is left out: this build does not know x/msg/Y"));
    assert!(told.contains(&json!({"op": "unadvertise", "channelIds": [1]})));
    assert!(told.iter().any(|one| one["channels"][0]["topic"] == "/late" && one["channels"][0]["id"] == 3));
    hub.graph(&[end("/signals", SIGNALS), end("/late", SIGNALS), end("/odd", "x/msg/Y")], |_| false);
    assert!(said(&mut hub, client).is_empty(), "nothing has changed");
}

#[test]
fn what_is_left_out_is_no_channel() {
    let mut hub = Hub::default();
    hub.graph(&[end("/image", IMAGE), end("/signals", SIGNALS)], |name| name == IMAGE);
    let client = hub.join("1").unwrap();
    assert_eq!(said(&mut hub, client)[1]["channels"].as_array().unwrap().len(), 1);
    assert!(!hub.message(&key("/image", IMAGE), &[0; 8], NOW));
}

#[test]
fn messages_go_to_who_subscribed_and_a_topic_is_wanted_for_as_long() {
    let (mut hub, client) = two();
    let other = hub.join("1").unwrap();
    said(&mut hub, client);
    assert!(hub.wanted().is_empty());
    assert!(!hub.message(&key("/signals", SIGNALS), &[1], NOW));
    subscribe(&mut hub, client, 77, 2);
    assert_eq!(hub.wanted(), BTreeSet::from([key("/signals", SIGNALS)]));
    assert!(hub.message(&key("/signals", SIGNALS), &[1, 2], NOW));
    let sent = hub.next(client, NOW).unwrap();
    assert_eq!(sent, Some(Frame::Binary(protocol::message(77, NOW, &[1, 2]))));
    said(&mut hub, other);
    assert_eq!(hub.next(other, NOW).unwrap(), None);
    hub.message(&key("/signals", SIGNALS), &[3], NOW);
    hub.asked(client, r#"{"op":"unsubscribe","subscriptionIds":[77]}"#);
    assert!(hub.wanted().is_empty());
    assert_eq!(hub.next(client, NOW).unwrap(), None, "what waited is over too");
    subscribe(&mut hub, client, 77, 2);
    hub.leave(client);
    assert!(hub.wanted().is_empty());
    assert!(hub.next(client, NOW).is_err());
}

#[test]
fn a_slow_client_loses_of_what_is_most_is_told_how_much_and_keeps_no_more_than_the_bound() {
    let (mut hub, client) = two();
    said(&mut hub, client);
    subscribe(&mut hub, client, 1, 1);
    subscribe(&mut hub, client, 2, 2);
    hub.message(&key("/signals", SIGNALS), &[1], NOW);
    for _ in 0..40 {
        hub.message(&key("/image", IMAGE), &vec![0; 1 << 20], NOW);
    }
    let held = &hub.clients[&client];
    assert!(held.bytes <= WAITING_BYTES && held.data.len() >= 15, "{}", held.data.len());
    let told = said(&mut hub, client);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["op"], &told[0]["level"], &told[0]["id"]),
        (&json!("status"), &json!(1), &json!("dropped"))
    );
    assert!(told[0]["message"].as_str().unwrap().starts_with("25 messages were dropped"), "{}", told[0]);
    // `said` has taken the first message: it was the small one, which the pictures have not pushed out.
    assert_eq!(hub.clients[&client].data.iter().filter(|(id, _)| *id == 2).count(), 0);
    for n in 0..5_000_u32 {
        hub.message(&key("/signals", SIGNALS), &n.to_le_bytes(), NOW);
    }
    assert!(hub.clients[&client].data.len() <= WAITING);
}

#[test]
fn what_a_client_says_wrongly_is_told_and_changes_nothing() {
    let (mut hub, client) = two();
    said(&mut hub, client);
    for wrong in ["{", r#"{"op":"advertise","channels":[]}"#] {
        hub.asked(client, wrong);
    }
    subscribe(&mut hub, client, 1, 99);
    subscribe(&mut hub, client, 1, 2);
    subscribe(&mut hub, client, 1, 1);
    let told = said(&mut hub, client);
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|one| one["level"] == 2));
    assert_eq!(hub.wanted().len(), 1);
}

#[test]
fn there_is_a_most_of_clients_and_one_that_takes_nothing_is_closed() {
    let mut hub = Hub::default();
    let all: Vec<u64> = std::iter::from_fn(|| hub.join("1")).take(1000).collect();
    assert_eq!((all.len(), hub.clients()), (MOST_CLIENTS, MOST_CLIENTS));
    for n in 0..1000 {
        hub.graph(&[end(&format!("/t{n}"), SIGNALS)], |_| false);
    }
    assert_eq!(hub.next(all[0], NOW), Err("it takes nothing"));
}
