//! A DDS participant by RustDDS (pure Rust, none of our code): commands in, events out, one JSON object a line, as the Python peers do.
//! It knows nothing of ROS but two message types, written here.

use std::{
    io::{BufRead as _, Write as _},
    thread,
    time::Duration,
};

use rustdds::{
    DomainParticipant, DomainParticipantBuilder, QosPolicies, QosPolicyBuilder, RepresentationIdentifier,
    TopicKind,
    bytes::Bytes,
    no_key::SerializerAdapter,
    policy::{Durability, History, Reliability},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Text {
    data: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Time {
    sec: i32,
    nanosec: u32,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Header {
    stamp: Time,
    frame_id: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct DriverState {
    header: Header,
    sequence: u32,
    e2e: Vec<u8>,
    fall_back: bool,
    state: u8,
    confidence: f32,
    face_detected: bool,
    face_box: [f32; 4],
    head_yaw_deg: f32,
    head_pitch_deg: f32,
    head_roll_deg: f32,
    gaze_yaw_deg: f32,
    gaze_pitch_deg: f32,
    gaze_zone: u8,
    eye_openness_left: f32,
    eye_openness_right: f32,
    mouth_opening: f32,
    perclos: f32,
    landmarks: Vec<f32>,
    model: String,
}

fn say(event: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{event}").and_then(|()| out.flush()).expect("the test listens");
}

fn qos() -> QosPolicies {
    quality(Durability::Volatile)
}

fn quality(durability: Durability) -> QosPolicies {
    QosPolicyBuilder::new()
        .reliability(Reliability::Reliable { max_blocking_time: rustdds::Duration::from_secs(1) })
        .history(History::KeepLast { depth: 10 })
        .durability(durability)
        .build()
}

/// Bytes as they are, whatever the topic's type says, behind the header of little-endian CDR.
struct Plain;

impl SerializerAdapter<Vec<u8>> for Plain {
    type Error = std::convert::Infallible;

    fn output_encoding() -> RepresentationIdentifier {
        RepresentationIdentifier::CDR_LE
    }

    fn to_bytes(value: &Vec<u8>) -> Result<Bytes, Self::Error> {
        Ok(Bytes::copy_from_slice(value))
    }
}

/// Writes what no reader of the type can read, one after another, again and again. Names are DDS's own here, so that it may be a
/// service's topic too.
fn spoil(participant: &DomainParticipant, order: &Value) {
    let word = |key: &str| order[key].as_str().expect("a word").to_owned();
    let topic =
        participant.create_topic(word("topic"), word("type"), &qos(), TopicKind::NoKey).expect("a topic");
    let publisher = participant.create_publisher(&qos()).expect("a publisher");
    let writer = publisher.create_datawriter_no_key::<Vec<u8>, Plain>(&topic, None).expect("a writer");
    let payloads: Vec<Vec<u8>> = serde_json::from_value(order["payloads"].clone()).expect("bytes");
    thread::spawn(move || {
        for payload in payloads.iter().cycle() {
            writer.write(payload.clone(), None).expect("written");
            thread::sleep(Duration::from_millis(20));
        }
    });
}

/// Does an order with messages of type `T`, in a thread of its own.
fn work<T>(participant: &DomainParticipant, order: &Value, dds_type: &str)
where
    T: Serialize + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
{
    let name = order["topic"].as_str().expect("a topic").to_owned();
    let lasting = order["do"] == "say" || order["lasting"] == true;
    let qos = || quality(if lasting { Durability::TransientLocal } else { Durability::Volatile });
    let topic = participant
        .create_topic(format!("rt{name}"), dds_type.to_owned(), &qos(), TopicKind::NoKey)
        .expect("a topic");
    if order["do"] == "say" {
        let publisher = participant.create_publisher(&qos()).expect("a publisher");
        let writer = publisher.create_datawriter_no_key_cdr::<T>(&topic, None).expect("a writer");
        let values: Vec<T> = serde_json::from_value(order["values"].clone()).expect("messages");
        for value in values {
            writer.write(value, None).expect("written");
        }
        // Late joiners are to get them while this process lives.
        std::mem::forget((publisher, writer));
        say(&json!({ "event": "said", "topic": name }));
    } else if order["do"] == "talk" {
        let publisher = participant.create_publisher(&qos()).expect("a publisher");
        let writer = publisher.create_datawriter_no_key_cdr::<T>(&topic, None).expect("a writer");
        let message: T = serde_json::from_value(order["data"].clone()).expect("a message");
        say(&json!({ "event": "talking", "topic": name }));
        thread::spawn(move || {
            loop {
                // What is sent before the reader is matched is nobody's.
                writer.write(message.clone(), None).expect("written");
                thread::sleep(Duration::from_millis(50));
            }
        });
    } else {
        let subscriber = participant.create_subscriber(&qos()).expect("a subscriber");
        let mut reader = subscriber.create_datareader_no_key_cdr::<T>(&topic, None).expect("a reader");
        say(&json!({ "event": "listening", "topic": name }));
        thread::spawn(move || {
            loop {
                while let Ok(Some(sample)) = reader.take_next_sample() {
                    say(&json!({ "event": "got", "topic": name, "data": sample.value() }));
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
    }
}

fn main() {
    let domain = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("a domain");
    let participant = DomainParticipantBuilder::new(domain).build().expect("a participant");
    say(&json!({ "event": "ready" }));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let order: Value = serde_json::from_str(&line).expect("an order");
        match order["type"].as_str() {
            _ if order["do"] == "spoil" => spoil(&participant, &order),
            Some("std_msgs/msg/String") => {
                work::<Text>(&participant, &order, "std_msgs::msg::dds_::String_");
            }
            Some("troika_msgs/msg/DriverState") => {
                work::<DriverState>(&participant, &order, "troika_msgs::msg::dds_::DriverState_");
            }
            other => panic!("no type of this peer: {other:?}"),
        }
    }
}
