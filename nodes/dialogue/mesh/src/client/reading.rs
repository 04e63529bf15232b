//! An answer, put together from its parts. Pure.

use troika_dialogue::{
    Fault, FromCloud,
    chat::{Reader, retry_after, status_fault},
};

use crate::wire::{Head, Parts, Then, WireError};

/// Bytes of a refusal that are read for its reason.
const MOST_REFUSAL: usize = 4096;

/// What has come of an answer. Pure.
#[derive(Default)]
pub(super) struct Reading {
    parts: Parts,
    head: Option<Head>,
    body: Reader,
    refusal: Vec<u8>,
}

impl Reading {
    /// Whether the first part has come.
    pub(super) fn begun(&self) -> bool {
        self.parts.begun()
    }

    /// The next part: what it says. After `Done`, `Length`, `Tools` or `Failed` nothing follows.
    pub(super) fn part(&mut self, attachment: &[u8], payload: &[u8]) -> Result<Vec<FromCloud>, Fault> {
        let (head, then) = self.parts.take(attachment).map_err(|error| match error {
            WireError::Part { .. } => Fault::Reset(error.to_string()),
            other => Fault::Malformed(other.to_string()),
        })?;
        if let Some(head) = head {
            self.head = Some(head);
        }
        // `Parts` lets nothing go before the head.
        let Some(head) = &self.head else { return Err(Fault::Malformed("no head".into())) };
        if head.status != 200 {
            let room = MOST_REFUSAL - self.refusal.len().min(MOST_REFUSAL);
            self.refusal.extend_from_slice(&payload[..payload.len().min(room)]);
            if then == Then::More {
                return Ok(Vec::new());
            }
            let wait = head.retry_after.as_deref().and_then(|wait| retry_after(wait, None));
            return Err(status_fault(head.status, wait, &String::from_utf8_lossy(&self.refusal)));
        }
        let kind = head.content_type.as_deref().unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return Err(Fault::Malformed(format!("its type is {kind:?}")));
        }
        let mut said = self.body.feed(payload);
        if !self.body.over() {
            match then {
                Then::More => {}
                Then::End => said.extend(self.body.ended()),
                Then::Broken => return Err(Fault::Truncated),
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use troika_kit::Duration;

    use super::*;
    use crate::wire::{Part, VERSION};

    fn part(part: u32, then: Then, head: Option<Head>) -> Vec<u8> {
        Part { version: VERSION, part, then, head }.to_bytes()
    }

    fn head(status: u16, kind: &str, wait: Option<&str>) -> Option<Head> {
        Some(Head { status, content_type: Some(kind.into()), retry_after: wait.map(str::to_owned) })
    }

    #[test]
    fn a_stream_is_read_from_parts_wherever_they_are_cut() {
        let mut reading = Reading::default();
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Turn\"}}]}\n\ndata: [DONE]\n\n";
        let (first, second) = text.as_bytes().split_at(20);
        let said = reading.part(&part(0, Then::More, head(200, "text/event-stream", None)), first);
        assert_eq!(said, Ok(Vec::new()));
        let said = reading.part(&part(1, Then::End, None), second);
        assert_eq!(said, Ok(vec![FromCloud::Text("Turn".into()), FromCloud::Done]));
    }

    #[test]
    fn an_answer_that_breaks_off_ends_early_or_misses_a_part_is_told_so() {
        let begin = || {
            let mut reading = Reading::default();
            reading.part(&part(0, Then::More, head(200, "text/event-stream", None)), b"").expect("a head");
            reading
        };
        assert_eq!(begin().part(&part(1, Then::Broken, None), b""), Err(Fault::Truncated));
        assert_eq!(
            begin().part(&part(1, Then::End, None), b""),
            Ok(vec![FromCloud::Failed(Fault::Truncated)])
        );
        assert!(matches!(begin().part(&part(2, Then::More, None), b""), Err(Fault::Reset(_))));
        assert!(matches!(begin().part(b"{}", b""), Err(Fault::Malformed(_))));
    }

    #[test]
    fn a_refusal_says_why_and_when_to_come_again() {
        let mut reading = Reading::default();
        let refused = reading.part(&part(0, Then::End, head(429, "application/json", Some("7"))), b"{}");
        assert_eq!(refused, Err(Fault::RateLimited { retry_after: Some(Duration::from_secs(7)) }));
        let mut reading = Reading::default();
        assert_eq!(
            reading.part(&part(0, Then::More, head(404, "application/json", None)), b"no "),
            Ok(Vec::new())
        );
        let refused = reading.part(&part(1, Then::End, None), b"such model");
        assert_eq!(refused, Err(Fault::Refused { status: 404, said: "no such model".into() }));
        let mut reading = Reading::default();
        let page = reading.part(&part(0, Then::End, head(200, "text/html", None)), b"<html>");
        assert!(matches!(page, Err(Fault::Malformed(_))));
    }
}
