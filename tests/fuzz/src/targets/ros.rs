//! ROS 2's text and bytes: arguments, parameter files, rmw_zenoh's keys, tokens and attachments, rmw_dds_common's entities.

use troika_transport_dds::wire::{ParticipantEntities, prefixed, unprefixed, value_of};
use troika_transport_zenoh::wire::{Attachment, QosProfile, Token, TopicKey};

use super::{text, told};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("ros_args", arguments, &[]).cases(4_000).longest(4 << 10),
    Target::text(
        "ros_params",
        parameters,
        &["launch/ros/*.yaml", "nodes/troika/ros-args/tests/rcl/files/*.yaml"],
    )
    .memory(1 << 20, 2_000),
    Target::text("zenoh_key", key, &[]).cases(20_000).longest(1 << 10),
    Target::text("zenoh_token", token, &[]).cases(20_000).longest(1 << 10),
    Target::bytes("zenoh_attachment", attachment),
    Target::bytes("dds_entities", entities),
    Target::bytes("dds_request", request),
];

/// A command line, one argument a line: parted into rules, parameters and the program's own, or refused with the way out.
fn arguments(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let line = std::iter::once("node").chain(text.lines()).map(Into::into);
    match troika_ros_args::read(line, |_| Err("no such file".to_owned())) {
        Ok(line) => {
            for name in ["driver_state", "a"] {
                let _ = (
                    line.ros.node_name(name),
                    line.ros.namespace(name),
                    line.ros.params(&format!("/{name}")),
                );
                if let Some((_, topic)) = line.ros.topic(name, "/car", "image", "~/image") {
                    assert!(topic.starts_with('/'), "{topic:?} is no full name");
                }
            }
            true
        }
        Err(refused) => {
            assert!(!refused.way_out.is_empty());
            told(&refused, bytes);
            false
        }
    }
}

/// A parameter file: read twice it says the same.
fn parameters(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let read = || {
        let line = ["node", "--ros-args", "--params-file", "f.yaml"].map(Into::into);
        troika_ros_args::read(line, |_| Ok(text.clone().into_owned()))
    };
    match read() {
        Ok(line) => {
            let names = ["/driver_state".to_owned()];
            let _ = (line.ros.params("/driver_state"), line.ros.misdirected(&names));
            true
        }
        Err(refused) => {
            told(&refused, bytes);
            assert_eq!(read(), Err(refused));
            false
        }
    }
}

/// What parses is written back as a key that parses to the same.
fn key(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let _ = QosProfile::parse(&text).map(|qos| assert_eq!(QosProfile::parse(&qos.encode()), Ok(qos)));
    match TopicKey::parse(&text) {
        Ok(key) => {
            let written = key.encode().expect("what was read is written");
            assert_eq!(TopicKey::parse(&written), Ok(key), "{written}");
            true
        }
        Err(error) => {
            told(&error, bytes);
            false
        }
    }
}

fn token(bytes: &[u8]) -> bool {
    match Token::parse(&text(bytes)) {
        Ok(token) => {
            assert_eq!(Token::parse(&token.encode()), Ok(token.clone()), "{}", token.encode());
            assert_eq!(token.gid().len(), 16);
            let _ = (token.full_node_name(), &token.entity);
            true
        }
        Err(error) => {
            told(&error, bytes);
            false
        }
    }
}

fn attachment(bytes: &[u8]) -> bool {
    Attachment::decode(bytes).is_ok_and(|read| read.encode() == bytes)
}

fn entities(bytes: &[u8]) -> bool {
    let _ = value_of(bytes, "typehash");
    match ParticipantEntities::decode(bytes) {
        Ok(read) => {
            // A text with a NUL inside is written with it.
            assert_eq!(ParticipantEntities::decode(&read.encode()), Ok(read));
            true
        }
        Err(error) => {
            told(&error, bytes);
            false
        }
    }
}

fn request(bytes: &[u8]) -> bool {
    let Some((id, cdr)) = unprefixed(bytes) else { return false };
    assert_eq!(unprefixed(&prefixed(&cdr, id)), Some((id, cdr)));
    true
}
