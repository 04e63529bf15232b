//! What is said on the connection (<https://github.com/foxglove/ws-protocol/blob/main/docs/spec.md>): JSON texts, and binary messages.

use serde::Deserialize;
use serde_json::{Value, json};
use troika_kit::Time;
use troika_msgs::dynamic::TypeEntry;

/// The opcode of a message's data.
const MESSAGE_DATA: u8 = 1;

/// A status' weight, in the protocol's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Something is not as wanted.
    Warning = 1,
    /// What the client said is wrong.
    Error = 2,
}

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
pub(crate) enum Asked {
    /// Messages of these channels.
    Subscribe {
        /// Each with a number of the client's own.
        subscriptions: Vec<Subscription>,
    },
    /// No more of these.
    #[serde(rename_all = "camelCase")]
    Unsubscribe {
        /// The client's own numbers.
        subscription_ids: Vec<u32>,
    },
}

/// One of them.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    /// The client's own number.
    pub id: u32,
    /// Which channel.
    pub channel_id: u32,
}

/// Reads what a client says.
///
/// # Errors
/// Why it is nothing that is done here, for the person at the client.
pub(crate) fn read(text: &str) -> Result<Asked, String> {
    let value: Value = serde_json::from_str(text).map_err(|why| format!("no JSON: {why}"))?;
    let op = value["op"].as_str().unwrap_or_default().to_owned();
    if !matches!(op.as_str(), "subscribe" | "unsubscribe") {
        let op: String = op.chars().take(40).collect();
        return Err(format!("'{op}' is not done here: this connection shows topics and takes nothing"));
    }
    serde_json::from_value(value).map_err(|why| format!("{op}: {why}"))
}

/// The first word to a client.
pub(crate) fn server_info(session: &str) -> String {
    json!({"op": "serverInfo", "name": "troika", "capabilities": [], "metadata": {}, "sessionId": session})
        .to_string()
}

/// A channel as the client is told of it.
pub(crate) fn channel(id: u32, topic: &str, entry: &TypeEntry) -> Value {
    json!({
        "id": id, "topic": topic, "encoding": "cdr", "schemaName": entry.info().name, "schemaEncoding": "ros2msg",
        "schema": entry.definition(),
    })
}

/// Channels that are new.
pub(crate) fn advertise(channels: &[Value]) -> String {
    json!({"op": "advertise", "channels": channels}).to_string()
}

/// Channels that are gone.
pub(crate) fn unadvertise(channels: &[u32]) -> String {
    json!({"op": "unadvertise", "channelIds": channels}).to_string()
}

/// Something for the person at the client; one of the same `id` takes its place.
pub(crate) fn status(level: Level, message: &str, id: Option<&str>) -> String {
    let mut value = json!({"op": "status", "level": level as u8, "message": message});
    if let Some(id) = id {
        value["id"] = id.into();
    }
    value.to_string()
}

/// One message for one subscription. `time` is when it was heard here.
pub(crate) fn message(subscription: u32, time: Time, cdr: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(13 + cdr.len());
    bytes.push(MESSAGE_DATA);
    bytes.extend_from_slice(&subscription.to_le_bytes());
    bytes.extend_from_slice(&time.as_nanos().to_le_bytes());
    bytes.extend_from_slice(cdr);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_read_and_what_is_not_done_is_told() {
        let asked = read(r#"{"op":"subscribe","subscriptions":[{"id":7,"channelId":3}]}"#).unwrap();
        assert_eq!(asked, Asked::Subscribe { subscriptions: vec![Subscription { id: 7, channel_id: 3 }] });
        let asked = read(r#"{"op":"unsubscribe","subscriptionIds":[7]}"#).unwrap();
        assert_eq!(asked, Asked::Unsubscribe { subscription_ids: vec![7] });
        for (wrong, told) in [
            ("{", "no JSON"),
            (r#"{"op":"advertise","channels":[]}"#, "'advertise' is not done here"),
            (r#"{"op":"subscribe"}"#, "subscribe: missing field"),
            (r#"{"op":"subscribe","subscriptions":[{"id":-1,"channelId":3}]}"#, "subscribe: "),
            ("[1]", "''"),
        ] {
            let why = read(wrong).unwrap_err();
            assert!(why.contains(told), "{why}");
        }
    }

    #[test]
    fn a_message_has_its_subscription_and_time_in_front_little_endian() {
        let bytes = message(0x0102_0304, Time::from_nanos(0x1122_3344_5566_7788), &[9, 8]);
        assert_eq!(bytes, [1, 4, 3, 2, 1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 9, 8]);
    }
}
