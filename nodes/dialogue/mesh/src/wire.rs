//! HTTP's semantics over zenoh's queries, version 1. Pure.
//!
//! A vehicle asks `get` on `troika/fleet/ID/at/GATEWAY/v1/…`: the key's end is the path, the payload the body, the attachment an [`Asked`]. The
//! vehicle chooses the gateway, among those whose tokens ([`GATEWAYS`]) it sees: zenoh by itself would bring a question to the nearest gateway of
//! each region, a router's own clients being one and the other routers another, and two would answer. The gateway sends the answer back as replies on that key, one for each piece of the body, as it comes; the attachment of each is a [`Part`] with its number, so
//! that a lost, doubled or foreign one is noticed. The first has the head, the last says that it is the last. Who asks is what the key says,
//! which the router has bound to the certificate; nothing in the attachment can say otherwise.
//!
//! zenoh tells a queryable nothing of an asker that has gone. Two keys do: a put of the request's number on [`cancel`], and the end of the
//! liveliness token [`alive`] of the session that asked.

use serde::{Deserialize, Serialize};

/// What is below it belongs to one vehicle: `troika/fleet/ID/…`.
pub const FLEET: &str = "troika/fleet";
/// Where gateways answer, each at its own.
pub const ASKED: &str = "troika/fleet/*/at/*/v1/**";
/// Where vehicles take a question back.
pub const CANCELLED: &str = "troika/fleet/*/cancel";
/// Where vehicles' sessions say that they live.
pub const ALIVE: &str = "troika/fleet/*/alive/*";
/// Where gateways' sessions say so: whoever has a certificate of the fleet may look whether there is one.
pub const GATEWAYS: &str = "troika/gateway/*";
/// What this file describes.
pub const VERSION: u8 = 1;
/// Bytes of an attachment: a head has some 200.
pub const MOST_ATTACHMENT: usize = 2048;
/// Bytes of a request's number and of a session's: 32 hexadecimal digits.
const NUMBER: std::ops::RangeInclusive<usize> = 8..=32;

/// The key of a question to a gateway; `path` begins with `v1/`.
pub fn question(vehicle: &str, gateway: &str, path: &str) -> String {
    format!("{FLEET}/{vehicle}/at/{gateway}/{path}")
}

/// Where this gateway answers.
pub fn asked(gateway: &str) -> String {
    question("*", gateway, "v1/**")
}

/// The gateway that a token is of.
pub fn gateway_of(token: &str) -> Option<&str> {
    token.strip_prefix("troika/gateway/").filter(|id| is_number(id))
}

/// Where this vehicle takes questions back.
pub fn cancel(vehicle: &str) -> String {
    format!("{FLEET}/{vehicle}/cancel")
}

/// The liveliness token of one of its sessions.
pub fn alive(vehicle: &str, session: &str) -> String {
    format!("{FLEET}/{vehicle}/alive/{session}")
}

/// The token of a gateway's session.
pub fn gateway(session: &str) -> String {
    format!("troika/gateway/{session}")
}

/// Whose a key is, and what follows the vehicle's id. None: it is no key of one vehicle, a key with wildcards among them.
pub fn whose(key: &str) -> Option<(&str, &str)> {
    let (vehicle, rest) = key.strip_prefix(FLEET)?.strip_prefix('/')?.split_once('/')?;
    let plain = |text: &str| !text.is_empty() && !text.contains(['*', '$', '?', '#']);
    (plain(vehicle) && plain(rest)).then_some((vehicle, rest))
}

/// Whether text can be a request's number or a session's: 8 to 32 of `0-9 a-f`.
pub fn is_number(text: &str) -> bool {
    NUMBER.contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is not as it is written here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No attachment, or one too large.
    #[error("an attachment of {0} bytes; from 1 to {MOST_ATTACHMENT}")]
    Size(usize),
    /// No JSON, or unknown or missing fields.
    #[error("the attachment is not of version {VERSION}: {0}")]
    Form(String),
    /// Another version.
    #[error("version {0}; this side speaks {VERSION}")]
    Version(u8),
    /// A number that is none.
    #[error("{0} is 8 to 32 of 0-9 a-f")]
    Number(&'static str),
    /// A part that is not the next: one was lost or doubled, or is another answer's.
    #[error("part {came} came and part {due} was due")]
    Part {
        /// Its number.
        came: u32,
        /// The number that was due.
        due: u32,
    },
    /// The first part has no head, or another has one.
    #[error("part {0} has a head, or the first has none")]
    Head(u32),
    /// A part after the last.
    #[error("a part came after the last")]
    After,
}

/// What a question says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// [`VERSION`].
    pub version: u8,
    /// The request's number, chosen at random by who asks.
    pub request: String,
    /// The session that asks: the one in its liveliness token.
    pub session: String,
    /// HTTP's.
    pub method: String,
    /// Of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// W3C's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Asked {
    /// As an attachment.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// From an attachment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Asked, WireError> {
        let asked: Asked = read(bytes)?;
        version(asked.version)?;
        for (name, number) in [("request", &asked.request), ("session", &asked.session)] {
            if !is_number(number) {
                return Err(WireError::Number(name));
            }
        }
        Ok(asked)
    }
}

/// A question that is taken back: what is put on [`cancel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancelled {
    /// [`VERSION`].
    pub version: u8,
    /// As in the question.
    pub session: String,
    /// Likewise.
    pub request: String,
}

impl Cancelled {
    /// As a payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// From a payload.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Cancelled, WireError> {
        let cancelled: Cancelled = read(bytes)?;
        version(cancelled.version)?;
        Ok(cancelled)
    }
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// HTTP's.
    pub status: u16,
    /// Of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Seconds, or a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
}

/// What follows a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// More.
    More,
    /// Nothing: the answer is whole.
    End,
    /// Nothing: the answer broke off.
    Broken,
}

/// What a piece of an answer says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// [`VERSION`].
    pub version: u8,
    /// From 0.
    pub part: u32,
    /// What follows.
    pub then: Then,
    /// Part 0 has it and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

impl Part {
    /// As an attachment.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

/// Puts the parts of one answer in order, which they already are unless something went wrong.
#[derive(Debug, Default)]
pub struct Parts {
    due: u32,
    over: bool,
}

impl Parts {
    /// The next part's attachment: the head where it is the first, and what follows.
    ///
    /// # Errors
    /// What is not the next part. The answer is worth nothing then.
    pub fn take(&mut self, attachment: &[u8]) -> Result<(Option<Head>, Then), WireError> {
        let part: Part = read(attachment)?;
        version(part.version)?;
        if self.over {
            return Err(WireError::After);
        }
        if part.part != self.due {
            return Err(WireError::Part { came: part.part, due: self.due });
        }
        if part.head.is_some() != (part.part == 0) {
            return Err(WireError::Head(part.part));
        }
        self.due = self.due.saturating_add(1);
        self.over = part.then != Then::More;
        Ok((part.head, part.then))
    }

    /// Whether the first part has come.
    pub fn begun(&self) -> bool {
        self.due > 0
    }
}

fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    // Structs of text and numbers: writing them as JSON does not fail.
    serde_json::to_vec(value).unwrap_or_default()
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, WireError> {
    if bytes.is_empty() || bytes.len() > MOST_ATTACHMENT {
        return Err(WireError::Size(bytes.len()));
    }
    serde_json::from_slice(bytes).map_err(|error| WireError::Form(error.to_string()))
}

fn version(version: u8) -> Result<(), WireError> {
    if version == VERSION { Ok(()) } else { Err(WireError::Version(version)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked() -> Asked {
        Asked {
            version: VERSION,
            request: "00000000deadbeef".into(),
            session: "abcdef0123".into(),
            method: "POST".into(),
            content_type: Some("application/json".into()),
            traceparent: None,
        }
    }

    fn part(part: u32, then: Then) -> Vec<u8> {
        let head = (part == 0).then_some(Head { status: 200, content_type: None, retry_after: None });
        Part { version: VERSION, part, then, head }.to_bytes()
    }

    #[test]
    fn a_key_says_whose_it_is_and_a_wildcard_is_nobodys() {
        assert_eq!(whose("troika/fleet/anna/v1/models"), Some(("anna", "v1/models")));
        assert_eq!(
            whose(&question("anna", "00c0ffee", "v1/models")),
            Some(("anna", "at/00c0ffee/v1/models"))
        );
        assert_eq!(gateway_of(&gateway("00c0ffee")), Some("00c0ffee"));
        assert_eq!(gateway_of("troika/gateway/*"), None);
        for other in [
            "troika/fleet/anna",
            "troika/fleet//v1",
            "troika/fleet/*/v1/models",
            "troika/fleet/anna/**",
            "troika/fleet/an$*/v1",
            "troika/fleetx/anna/v1",
            "rt/anna/v1",
            "",
        ] {
            assert_eq!(whose(other), None, "{other}");
        }
    }

    #[test]
    fn a_question_is_read_as_it_was_written_and_nothing_else_is_taken() {
        assert_eq!(Asked::read(&asked().to_bytes()), Ok(asked()));
        let with = |from: &str, to: &str| {
            let text = String::from_utf8(asked().to_bytes()).expect("JSON").replace(from, to);
            Asked::read(text.as_bytes()).expect_err("refused")
        };
        assert_eq!(with("\"version\":1", "\"version\":2"), WireError::Version(2));
        assert_eq!(with("00000000deadbeef", "../../other"), WireError::Number("request"));
        assert_eq!(with("abcdef0123", "*"), WireError::Number("session"));
        assert!(with("\"method\"", "\"vehicle\":\"bruno\",\"method\"").to_string().contains("vehicle"));
        assert_eq!(Asked::read(b""), Err(WireError::Size(0)));
        assert_eq!(Asked::read(&[b' '; MOST_ATTACHMENT + 1]), Err(WireError::Size(MOST_ATTACHMENT + 1)));
    }

    #[test]
    fn an_answer_is_its_parts_in_order_to_the_last() {
        let mut parts = Parts::default();
        assert!(parts.take(&part(0, Then::More)).expect("the head").0.is_some());
        assert_eq!(parts.take(&part(1, Then::End)), Ok((None, Then::End)));
        assert_eq!(parts.take(&part(2, Then::More)), Err(WireError::After));
    }

    #[test]
    fn a_part_that_is_lost_or_doubled_is_noticed() {
        let mut parts = Parts::default();
        assert_eq!(parts.take(&part(1, Then::More)), Err(WireError::Part { came: 1, due: 0 }));
        parts.take(&part(0, Then::More)).expect("the first");
        assert_eq!(parts.take(&part(0, Then::More)), Err(WireError::Part { came: 0, due: 1 }));
        assert_eq!(parts.take(&part(2, Then::More)), Err(WireError::Part { came: 2, due: 1 }));
        let head = Some(Head { status: 200, content_type: None, retry_after: None });
        let second = Part { version: VERSION, part: 1, then: Then::More, head }.to_bytes();
        assert_eq!(parts.take(&second), Err(WireError::Head(1)));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_told_or_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Asked::read(&bytes);
            let _ = Parts::default().take(&bytes);
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let _ = whose(text);
            }
        }
    }
}
