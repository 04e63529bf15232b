//! The upstream's stream, cut into its events (WHATWG HTML, 9.2.6), so that what goes on to a vehicle is whole: a stream that breaks can then be ended by an
//! event that says so. Pure and bounded.

use bytes::{Bytes, BytesMut};

/// Bytes of one event, at most: a token's is some 300. As `nodes/dialogue` takes them.
pub const MOST_EVENT: usize = 128 << 10;

/// More bytes than an event may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MOST_EVENT} bytes")]
pub struct TooLarge;

/// Bytes in, whole events out.
#[derive(Debug, Default)]
pub struct Events {
    held: BytesMut,
    looked: usize,
    empty_line: bool,
}

impl Events {
    /// Nothing yet.
    pub fn new() -> Events {
        Events { held: BytesMut::new(), looked: 0, empty_line: true }
    }

    /// More bytes; what they complete comes out as it came in.
    ///
    /// # Errors
    /// Where one event is too large.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Bytes>, TooLarge> {
        self.held.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(byte) = self.held.get(self.looked) {
            self.looked += 1;
            match byte {
                b'\n' if self.empty_line => {
                    out.push(self.held.split_to(self.looked).freeze());
                    self.looked = 0;
                }
                b'\n' => self.empty_line = true,
                b'\r' => {}
                _ => self.empty_line = false,
            }
            if self.looked > MOST_EVENT {
                return Err(TooLarge);
            }
        }
        Ok(out)
    }
}

/// What an event means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The stream is over.
    Done,
    /// The service failed in mid-stream.
    Error,
    /// Tokens asked and answered; `alone` where it says nothing else.
    Usage {
        /// Of what was asked.
        prompt: u64,
        /// Of what was answered.
        answer: u64,
        /// No choice in it.
        alone: bool,
    },
    /// A piece of the answer; `last` where it says why the answer ends.
    Piece {
        /// It has a reason to end.
        last: bool,
    },
    /// A comment, or what is not known.
    Other,
}

/// Reads one event. Only what may have something to count is looked into.
pub fn means(event: &[u8]) -> Means {
    let mut data = Vec::new();
    for line in event.split(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"data:") {
            data.extend_from_slice(rest);
        }
    }
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        return Means::Done;
    }
    if data.is_empty() {
        return Means::Other;
    }
    let Ok(value) = serde_json::from_slice::<Chunk>(data) else { return Means::Other };
    if value.error.is_some() {
        return Means::Error;
    }
    if let Some(usage) = value.usage {
        return Means::Usage {
            prompt: usage.prompt_tokens,
            answer: usage.completion_tokens,
            alone: value.choices.is_empty(),
        };
    }
    match value.choices.first() {
        Some(choice) => Means::Piece { last: choice.finish_reason.is_some() },
        None => Means::Other,
    }
}

#[derive(serde::Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
struct Choice {
    finish_reason: Option<serde::de::IgnoredAny>,
}

/// Tokens, as such services count them.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Usage {
    /// Asked.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Answered.
    #[serde(default)]
    pub completion_tokens: u64,
}

/// The event that ends a stream which broke. `status` is what the answer would have had.
pub fn error_event(status: u16, code: &str, message: &str) -> Bytes {
    let body = serde_json::json!({"error": {"message": message, "type": "gateway_error", "code": status, "reason": code}});
    format!("event: error\ndata: {body}\n\n").into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_comes_out_when_its_empty_line_has_come() {
        let mut events = Events::new();
        assert_eq!(events.push(b"data: a\n"), Ok(vec![]));
        assert_eq!(
            events.push(b"\ndata: b\r\n\r\nda"),
            Ok(vec!["data: a\n\n".into(), "data: b\r\n\r\n".into()])
        );
        assert_eq!(events.push(b"ta: c\n\n"), Ok(vec!["data: c\n\n".into()]));
    }

    #[test]
    fn a_line_without_an_end_is_not_taken_for_ever() {
        let mut events = Events::new();
        let chunk = [b'x'; 4096];
        let taken = (0..100).take_while(|_| events.push(&chunk).is_ok()).count();
        assert_eq!(taken, MOST_EVENT / 4096);
    }

    #[test]
    fn events_are_told_apart() {
        assert_eq!(means(b"data: [DONE]\n\n"), Means::Done);
        assert_eq!(means(b": keep alive\n\n"), Means::Other);
        assert_eq!(means(b"data: {\"error\":{\"message\":\"x\"}}\n\n"), Means::Error);
        let piece = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
        assert_eq!(means(piece), Means::Piece { last: false });
        let usage = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n";
        assert_eq!(means(usage), Means::Usage { prompt: 3, answer: 5, alone: true });
        assert_eq!(means(&error_event(502, "reset", "x\"y\n")), Means::Error);
    }

    proptest! {
        #[test]
        fn whatever_comes_out_is_what_came_in_however_it_was_cut(
            bytes in prop::collection::vec(prop::sample::select(b"\n\r\nda:x".to_vec()), 0..200),
            cuts in prop::collection::vec(1usize..20, 1..50)) {
            let whole: Vec<Bytes> = Events::new().push(&bytes).expect("short");
            let mut events = Events::new();
            let (mut pieces, mut rest, mut cut) = (Vec::new(), &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cut.next().expect("cycle")).min(rest.len()));
                pieces.extend(events.push(piece).expect("short"));
                rest = after;
            }
            prop_assert_eq!(&pieces, &whole);
            let together: Vec<u8> = pieces.concat();
            prop_assert!(bytes.starts_with(&together));
        }
    }
}
