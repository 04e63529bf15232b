//! The transports' own bytes: rmw_zenoh's keys, tokens and attachments, rmw_dds_common's entities.

use troika_transport_dds::wire::{ParticipantEntities, prefixed, unprefixed, value_of};
use troika_transport_zenoh::wire::{Attachment, QosProfile, Token, TopicKey};

use super::{text, told};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("zenoh_key", key, &[]).cases(60_000).longest(1 << 10),
    Target::text("zenoh_token", token, &[]).cases(60_000).longest(1 << 10),
    Target::bytes("zenoh_attachment", attachment),
    Target::bytes("dds_entities", entities),
    Target::bytes("dds_request", request),
];

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
