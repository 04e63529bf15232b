//! What a request's trace is made of, on the vehicle and in the cloud, and how OpenTelemetry's collectors read it. Pure.
//!
//! Source: OTLP 1.9, `opentelemetry/proto/trace/v1/trace.proto` and "JSON Protobuf Encoding": keys in lowerCamelCase, ids hexadecimal, enums as
//! numbers, 64-bit numbers as text. Names of attributes: OpenTelemetry's semantic conventions where they have one, else `troika.…`. None of the
//! words that were asked or answered is in a span.

use serde_json::{Value, json};
use troika_kit::Time;

use crate::trace::hex;

/// On which side of a call a span is: OTLP's `SpanKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Within who records it.
    Internal = 1,
    /// What is asked of us.
    Server = 2,
    /// What we ask.
    Client = 3,
}

/// Where a step stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The whole request's.
    pub trace: [u8; 16],
    /// The step above; none: this is the first.
    pub parent: Option<[u8; 8]>,
    /// Its own.
    pub span: [u8; 8],
}

/// One step of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Where it stands: its own id, the one above, the whole.
    pub at: At,
    /// What it is.
    pub name: String,
    /// On which side.
    pub kind: Kind,
    /// When it began.
    pub began: Time,
    /// When it ended.
    pub ended: Time,
    /// More about it.
    pub about: Vec<(&'static str, Value)>,
    /// What came to pass meanwhile.
    pub events: Vec<(Time, &'static str)>,
    /// Why it came to nothing.
    pub error: Option<&'static str>,
}

impl Span {
    /// It begins.
    pub fn new(at: At, kind: Kind, name: String, began: Time) -> Span {
        Span { at, name, kind, began, ended: began, about: Vec::new(), events: Vec::new(), error: None }
    }

    fn json(&self) -> Value {
        let mut attributes = attributes(&self.about);
        attributes.extend(self.error.map(|why| attribute("error.type", &json!(why))));
        let events: Vec<Value> = self
            .events
            .iter()
            .map(|(at, name)| json!({"timeUnixNano": at.as_nanos().to_string(), "name": name}))
            .collect();
        let mut span = json!({
            "traceId": hex(&self.at.trace), "spanId": hex(&self.at.span), "name": self.name, "kind": self.kind as u8,
            "startTimeUnixNano": self.began.as_nanos().to_string(), "endTimeUnixNano": self.ended.as_nanos().to_string(),
            "attributes": attributes, "events": events,
        });
        if let Some(parent) = self.at.parent {
            span["parentSpanId"] = hex(&parent).into();
        }
        if let Some(why) = self.error {
            // STATUS_CODE_ERROR. What is well has none: that is for applications to say.
            span["status"] = json!({"code": 2, "message": why});
        }
        span
    }
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    };
    json!({"key": key, "value": value})
}

fn attributes(all: &[(&'static str, Value)]) -> Vec<Value> {
    all.iter().map(|(key, value)| attribute(key, value)).collect()
}

/// The body of `POST /v1/traces`. `scope`: the crate that made them.
pub fn export(service: &str, scope: &str, spans: &[Span]) -> String {
    let resource = [("service.name", json!(service)), ("service.version", json!(env!("CARGO_PKG_VERSION")))];
    let spans: Vec<Value> = spans.iter().map(Span::json).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&resource)},
        "scopeSpans": [{"scope": {"name": scope, "version": env!("CARGO_PKG_VERSION")}, "spans": spans}],
    }]})
    .to_string()
}

/// Spans that a collector took a batch of and did not keep.
pub fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let count = &answer["partialSuccess"]["rejectedSpans"];
    count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span() -> Span {
        let (mut trace, mut parent) = ([0; 16], [0; 8]);
        trace.copy_from_slice(&0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
        parent.copy_from_slice(&0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
        let at = At { trace, parent: Some(parent), span: [7; 8] };
        Span::new(at, Kind::Client, "chat large".into(), Time::from_nanos(1_700_000_000_000_000_001))
    }

    #[test]
    fn ids_are_hexadecimal_and_large_numbers_are_text() {
        let mut span = span();
        span.about = vec![("n", json!(3)), ("t", json!("x")), ("b", json!(true))];
        span.error = Some("reset");
        let body: Value = serde_json::from_str(&export("gateway", "troika-gateway", &[span])).expect("JSON");
        let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(
            (&span["spanId"], &span["parentSpanId"]),
            (&json!("0707070707070707"), &json!("00f067aa0ba902b7"))
        );
        assert_eq!((&span["kind"], &span["startTimeUnixNano"]), (&json!(3), &json!("1700000000000000001")));
        assert_eq!(span["attributes"][0], json!({"key": "n", "value": {"intValue": "3"}}));
        assert_eq!(span["attributes"][2]["value"], json!({"boolValue": true}));
        assert_eq!(span["status"], json!({"code": 2, "message": "reset"}));
        assert_eq!(body["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"], "gateway");
    }

    #[test]
    fn what_a_collector_did_not_keep_is_a_number_or_a_text() {
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":"3"}}"#), 3);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":3}}"#), 3);
        assert_eq!((rejected(b"{}"), rejected(b""), rejected(b"<html>")), (0, 0, 0));
    }
}
