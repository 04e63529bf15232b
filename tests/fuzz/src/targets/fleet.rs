//! What comes over the fleet's links: requests of vehicles, the words beside them, certificates.

use troika_dialogue_mesh::wire::{Asked, Cancelled, Parts, Then, whose};
use troika_gateway::{
    identity::{Identity, VehicleId},
    request::{Bounds, Chat},
};

use super::{text, told};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("chat_request", request, &[]).cases(10_000).memory(1 << 20, 400),
    Target::bytes("mesh_attachment", attachment),
    Target::bytes("mesh_parts", parts),
    Target::text("mesh_key", key, &[]).cases(20_000).longest(1 << 10),
    Target::bytes("certificate", certificate).cases(20_000).memory(256 << 10, 200),
];

const BOUNDS: Bounds = Bounds { messages: 16, max_tokens: 1_000, cache_without_temperature: true };

/// What goes on to the service is JSON without the vehicle's name, of bounded tokens; a refusal repeats no more than a key.
fn request(bytes: &[u8]) -> bool {
    let vehicle = VehicleId::new("vehicle-7").expect("an id");
    match Chat::read(bytes, &vehicle, &BOUNDS) {
        Ok(chat) => {
            let body: serde_json::Value = serde_json::from_slice(&chat.body).expect("JSON goes on");
            assert!(body.get("user").is_none(), "the vehicle's name goes on");
            assert!((1..=BOUNDS.max_tokens).contains(&chat.max_tokens));
            let messages = body["messages"].as_array().expect("messages");
            assert!((1..=BOUNDS.messages).contains(&messages.len()));
            true
        }
        Err(refusal) => {
            let told = format!("{refusal:?}");
            assert!(told.len() < 1_000, "a refusal of {} bytes", told.len());
            false
        }
    }
}

fn attachment(bytes: &[u8]) -> bool {
    let asked = Asked::read(bytes);
    let cancelled = Cancelled::read(bytes);
    if let Ok(asked) = &asked {
        assert_eq!(Asked::read(&asked.to_bytes()).as_ref(), Ok(asked));
    }
    if let Ok(cancelled) = &cancelled {
        assert_eq!(Cancelled::read(&cancelled.to_bytes()).as_ref(), Ok(cancelled));
    }
    if let Err(error) = &asked {
        told(error, bytes);
    }
    asked.is_ok() || cancelled.is_ok()
}

/// The attachments of an answer's pieces, one a line: they come in order, the first alone has a head, and behind the end nothing is taken.
fn parts(bytes: &[u8]) -> bool {
    let mut parts = Parts::default();
    let (mut taken, mut over) = (0, false);
    for line in bytes.split(|byte| *byte == b'\n') {
        let begun = parts.begun();
        match parts.take(line) {
            Ok((head, then)) => {
                assert!(!over, "a piece behind the end");
                assert_eq!(head.is_some(), !begun, "one head, and first");
                over = then != Then::More;
                taken += 1;
            }
            Err(error) => told(&error, line),
        }
    }
    taken > 0
}

/// A key is one vehicle's or nobody's: no wildcard gets through.
fn key(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let Some((vehicle, rest)) = whose(&text) else { return false };
    assert!(!vehicle.contains(['/', '*', '$']) && !vehicle.is_empty() && !rest.contains('*'));
    assert!(text.ends_with(&format!("/{vehicle}/{rest}")));
    true
}

/// Whom a certificate names is a vehicle's id, or nobody.
fn certificate(bytes: &[u8]) -> bool {
    match Identity::of(bytes) {
        Ok(identity) => {
            VehicleId::new(identity.vehicle.as_str()).expect("its own id is one");
            true
        }
        Err(error) => {
            told(&error, bytes);
            false
        }
    }
}
