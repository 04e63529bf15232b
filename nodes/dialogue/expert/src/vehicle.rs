//! What a vehicle's `troika-uplink` sends beside questions, taken as the gateway takes it (nodes/gateway/README.md, "What vehicles ask"):
//! reports are counted, deliveries acknowledged. Pure. Nothing is kept for anybody to fetch.

use std::collections::{HashSet, VecDeque};

use serde::Deserialize;
use serde_json::{Value, json};

/// Bytes of a report.
pub const REPORT_BYTES: usize = 4096;
/// Bytes of a batch of deliveries.
pub const OUTBOX_BYTES: usize = 2 << 20;
/// Deliveries of a batch, and the bytes of an id and of a kind.
const BATCH: usize = 100;
const ID_BYTES: usize = 128;
const KIND_BYTES: usize = 64;
/// Ids that are remembered: at most 1.3 MiB.
pub const REMEMBERED: usize = 10_000;

/// Why it is not taken: the gateway's code, which senders go by, and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Of HTTP.
    pub status: u16,
    /// The gateway's name for it.
    pub code: &'static str,
    /// For people.
    pub why: String,
}

fn bad(why: String) -> Refused {
    Refused { status: 400, code: "bad_request", why }
}

fn within(bytes: &[u8], most: usize) -> Result<(), Refused> {
    match bytes.len() <= most {
        true => Ok(()),
        false => {
            Err(Refused { status: 413, code: "too_large", why: format!("a body of more than {most} bytes") })
        }
    }
}

/// A report's keys; an unknown one is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to be held against the gateway's, and counted")]
struct Report {
    link: Link,
    rtt_ms: Option<f32>,
    down_kbps: Option<f32>,
    tier: Tier,
    driver_state: Option<Driver>,
    latency_ms: Option<f32>,
    #[serde(default)]
    errors: u64,
    #[serde(default)]
    cost_micro_euro: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Link {
    Unknown,
    Down,
    Up,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tier {
    None,
    Vehicle,
    OnVehicle,
    Cloud,
    Canned,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Driver {
    Unknown,
    Attentive,
    LookingAway,
    EyesClosed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: String,
    kind: String,
    #[serde(rename = "body")]
    _body: Value,
}

/// What came until now. There is one vehicle: nobody here says who he is.
#[derive(Debug, Default)]
pub struct Inbox {
    known: HashSet<String>,
    /// The oldest first.
    order: VecDeque<String>,
    counts: Counts,
}

/// How much came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Reports.
    pub reports: u64,
    /// Deliveries, each once.
    pub accepted: u64,
    /// Deliveries that came again.
    pub known: u64,
}

impl Inbox {
    /// How much came.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// `POST /v1/vehicle/report`.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn report(&mut self, body: &[u8]) -> Result<(), Refused> {
        within(body, REPORT_BYTES)?;
        serde_json::from_slice::<Report>(body).map_err(|error| bad(format!("no report: {error}")))?;
        self.counts.reports += 1;
        Ok(())
    }

    /// `POST /v1/outbox`: what is answered.
    ///
    /// # Errors
    /// It is no batch within the gateway's bounds; none of it is taken then.
    pub fn outbox(&mut self, body: &[u8]) -> Result<Value, Refused> {
        within(body, OUTBOX_BYTES)?;
        let items: Vec<Item> = serde_json::from_slice(body)
            .map_err(|error| bad(format!("a list of {{id, kind, body}}: {error}")))?;
        if items.is_empty() || items.len() > BATCH {
            return Err(bad(format!("{} deliveries; 1 to {BATCH}", items.len())));
        }
        if items.iter().any(|one| !(1..=ID_BYTES).contains(&one.id.len()) || one.kind.len() > KIND_BYTES) {
            return Err(bad(format!("an id has 1 to {ID_BYTES} bytes, a kind at most {KIND_BYTES}")));
        }
        let (accepted, known): (Vec<String>, Vec<String>) =
            items.into_iter().map(|one| one.id).partition(|id| self.is_new(id));
        self.counts.accepted += accepted.len() as u64;
        self.counts.known += known.len() as u64;
        Ok(json!({"accepted": accepted, "known": known, "full": []}))
    }

    /// Whether it did not come before, as far as is remembered; from now on it did.
    fn is_new(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(ids: &[&str]) -> Vec<u8> {
        let items: Vec<_> =
            ids.iter().map(|id| json!({"id": id, "kind": "message", "body": {"a": 1}})).collect();
        Value::from(items).to_string().into_bytes()
    }

    #[test]
    fn what_comes_again_is_known_also_within_a_batch() {
        let mut inbox = Inbox::default();
        let said = inbox.outbox(&batch(&["a", "b", "a"])).expect("taken");
        assert_eq!(said, json!({"accepted": ["a", "b"], "known": ["a"], "full": []}));
        let said = inbox.outbox(&batch(&["b", "c"])).expect("taken");
        assert_eq!(said, json!({"accepted": ["c"], "known": ["b"], "full": []}));
        assert_eq!(inbox.counts(), Counts { reports: 0, accepted: 3, known: 2 });
    }

    #[test]
    fn its_memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut inbox = Inbox::default();
        for at in 0..=REMEMBERED {
            inbox.outbox(&batch(&[&at.to_string()])).expect("taken");
        }
        assert_eq!((inbox.known.len(), inbox.order.len()), (REMEMBERED, REMEMBERED));
        let said = inbox.outbox(&batch(&["0", &REMEMBERED.to_string()])).expect("taken");
        assert_eq!((&said["accepted"], &said["known"]), (&json!(["0"]), &json!([REMEMBERED.to_string()])));
    }

    #[test]
    fn what_the_gateway_refuses_is_refused_by_the_same_name() {
        let mut inbox = Inbox::default();
        let long = "x".repeat(129);
        let many: Vec<String> = (0..101).map(|at| at.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for wrong in [
            batch(&[]),
            batch(&many),
            batch(&[""]),
            batch(&[&long]),
            b"{}".to_vec(),
            b"[{\"id\": \"a\"}]".to_vec(),
        ] {
            let refused = inbox.outbox(&wrong).expect_err("refused");
            assert_eq!((refused.status, refused.code), (400, "bad_request"), "{}", refused.why);
        }
        let large = vec![b' '; OUTBOX_BYTES + 1];
        assert_eq!(inbox.outbox(&large).expect_err("refused").code, "too_large");
        assert_eq!(inbox.report(&large).expect_err("refused").status, 413);
        assert_eq!(inbox.counts(), Counts::default());
    }

    #[test]
    fn a_report_has_the_gateway_s_keys_and_names() {
        let mut inbox = Inbox::default();
        let good = br#"{"link":"up","rtt_ms":80,"down_kbps":900,"tier":"cloud","driver_state":"attentive","latency_ms":700,"errors":0,"cost_micro_euro":120}"#;
        inbox.report(good).expect("taken");
        inbox.report(br#"{"link":"down","tier":"none"}"#).expect("taken");
        for wrong in [
            &br#"{"link":"up"}"#[..],
            br#"{"link":"sideways","tier":"cloud"}"#,
            br#"{"link":"up","tier":"cloud","speed":3}"#,
        ] {
            assert_eq!(inbox.report(wrong).expect_err("refused").code, "bad_request");
        }
        assert_eq!(inbox.counts().reports, 2);
    }
}
