//! The dialogue's streams: what the cloud says, piece by piece.

use troika_dialogue::{FromCloud, chat::Reader};
use troika_gateway::sse::{Events, Means, means};

use super::told;
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::bytes("cloud_stream", cloud).cases(10_000).memory(1 << 20, 200),
    Target::bytes("gateway_stream", gateway).cases(20_000),
];

/// Whatever comes, and however it is cut, it ends once: with its end or with a fault, after which nothing follows.
fn cloud(bytes: &[u8]) -> bool {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut reader = Reader::default();
        let mut said: Vec<FromCloud> = pieces.flat_map(|piece| reader.feed(piece)).collect();
        let was_over = reader.over();
        said.extend(reader.ended());
        assert!(reader.over(), "it is over when its bytes are");
        assert!(!was_over || reader.feed(b"data: [DONE]\n\n").is_empty(), "nothing follows the end");
        said
    };
    let whole = read(&mut std::iter::once(bytes));
    let ends = |one: &FromCloud| !matches!(one, FromCloud::Text(_));
    assert_eq!(whole.iter().filter(|one| ends(one)).count(), 1, "{whole:?}");
    assert!(whole.last().is_some_and(ends), "{whole:?}");
    for one in &whole {
        if let FromCloud::Failed(fault) = one {
            told(fault, bytes);
        }
    }
    // The network cuts where it likes.
    let size = usize::from(bytes.first().copied().unwrap_or(0) % 7) + 1;
    assert_eq!(said(&read(&mut bytes.chunks(size))), said(&whole), "cut in pieces of {size}");
    !whole.iter().any(|one| matches!(one, FromCloud::Failed(_)))
}

/// What was said, the pieces of the text joined.
fn said(all: &[FromCloud]) -> (String, String) {
    let text = all.iter().filter_map(|one| match one {
        FromCloud::Text(text) => Some(text.as_str()),
        _ => None,
    });
    (text.collect(), format!("{:?}", all.last()))
}

/// What comes out is what went in, cut behind empty lines; nothing is lost or made.
fn gateway(bytes: &[u8]) -> bool {
    let size = usize::from(bytes.first().copied().unwrap_or(0) % 64) + 1;
    let mut events = Events::new();
    let mut out = Vec::new();
    let mut done = false;
    for piece in bytes.chunks(size) {
        let Ok(found) = events.push(piece) else { return false };
        for event in found {
            assert!(event.ends_with(b"\n"));
            done |= means(&event) == Means::Done;
            out.extend_from_slice(&event);
        }
    }
    assert!(bytes.starts_with(&out), "other bytes came out than went in");
    done
}
