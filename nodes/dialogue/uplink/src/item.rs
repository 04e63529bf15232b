//! What comes on `/cloud/outbox`, as the outbox keeps it: the payload is the JSON that goes to the gateway, so that what is counted is what is sent.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use troika_kit::Duration;
use troika_msgs::troika::OutboxItem;
use troika_outbox::{New, Priority};

/// What goes around a payload at most, bytes: a key of 128 and a kind of 64, each byte escaped as six, and the names.
pub const AROUND: u64 = 1280;

/// What is to be kept, or what is wrong with it.
///
/// # Errors
/// What is wrong, in words.
pub fn kept(item: &OutboxItem) -> Result<New, String> {
    let priority = match item.priority {
        OutboxItem::URGENT => Priority::Urgent,
        OutboxItem::NORMAL => Priority::Normal,
        OutboxItem::BULK => Priority::Bulk,
        other => return Err(format!("priority is {other}; 1 is urgent, 2 normal, 3 bulk")),
    };
    let lives = Duration::from(item.lives.clone());
    if lives.is_zero() {
        return Err("lives is 0 or less; for how long is it worth something?".into());
    }
    let body = match item.form {
        OutboxItem::TEXT if item.data.is_empty() => Value::String(item.text.clone()),
        OutboxItem::JSON if item.data.is_empty() => {
            serde_json::from_str(&item.text).map_err(|error| format!("text is no JSON: {error}"))?
        }
        OutboxItem::DATA if item.text.is_empty() => json!({"base64": BASE64_STANDARD.encode(&item.data)}),
        OutboxItem::TEXT | OutboxItem::JSON => return Err("data is for the form 2 alone".into()),
        OutboxItem::DATA => return Err("text is for the forms 0 and 1 alone".into()),
        other => return Err(format!("form is {other}; 0 is text, 1 JSON, 2 data")),
    };
    Ok(New {
        key: item.key.clone(),
        kind: item.kind.clone(),
        priority,
        lives,
        cost: item.most_microeuro.into(),
        payload: body.to_string().into_bytes(),
    })
}

fn around(key: &str, kind: &str) -> (String, &'static str) {
    (format!("{{\"id\":{},\"kind\":{},\"body\":", Value::from(key), Value::from(kind)), "}")
}

/// Bytes of one as it is sent, with the comma.
pub fn sent_bytes(key: &str, kind: &str, payload: u64) -> u64 {
    let (before, after) = around(key, kind);
    before.len() as u64 + payload + after.len() as u64 + 1
}

/// Several as they are sent: `POST /v1/outbox`. None: a payload that is no text, which the outbox never had from [`kept`].
pub fn batch<'a>(items: impl IntoIterator<Item = (&'a str, &'a str, &'a [u8])>) -> Option<String> {
    let mut all = String::from("[");
    for (at, (key, kind, payload)) in items.into_iter().enumerate() {
        let (before, after) = around(key, kind);
        all.extend([if at == 0 { "" } else { "," }, &before, std::str::from_utf8(payload).ok()?, after]);
    }
    all.push(']');
    Some(all)
}

#[cfg(test)]
mod tests {
    use troika_msgs::builtin_interfaces;

    use super::*;

    fn item() -> OutboxItem {
        OutboxItem {
            key: "k\"1".into(),
            kind: "message".into(),
            priority: OutboxItem::URGENT,
            lives: builtin_interfaces::Duration { sec: 60, nanosec: 0 },
            text: "Hello \"Anna\"\n".into(),
            ..OutboxItem::default()
        }
    }

    #[test]
    fn each_form_goes_as_json() {
        let body = |item: &OutboxItem| String::from_utf8(kept(item).unwrap().payload).unwrap();
        assert_eq!(body(&item()), r#""Hello \"Anna\"\n""#);
        let json = OutboxItem { form: OutboxItem::JSON, text: "{\"km\" :\n 12}".into(), ..item() };
        assert_eq!(body(&json), r#"{"km":12}"#);
        let data = OutboxItem { form: OutboxItem::DATA, text: String::new(), data: vec![0, 255], ..item() };
        assert_eq!(body(&data), r#"{"base64":"AP8="}"#);
    }

    #[test]
    fn what_is_no_item_is_told_with_the_way_out() {
        let told = |item: OutboxItem| kept(&item).unwrap_err();
        assert!(told(OutboxItem { priority: 0, ..item() }).contains("1 is urgent"));
        assert!(told(OutboxItem { lives: Default::default(), ..item() }).contains("how long"));
        assert!(told(OutboxItem { form: 7, ..item() }).contains("0 is text"));
        assert!(told(OutboxItem { form: OutboxItem::JSON, ..item() }).contains("no JSON"));
        assert!(told(OutboxItem { data: vec![1], ..item() }).contains("data is for"));
        assert!(told(OutboxItem { form: OutboxItem::DATA, data: vec![1], ..item() }).contains("text is for"));
    }

    #[test]
    fn a_batch_is_json_of_the_bytes_that_were_counted() {
        let new = kept(&item()).unwrap();
        let one = (new.key.as_str(), new.kind.as_str(), new.payload.as_slice());
        let all = batch([one, one]).unwrap();
        let each = sent_bytes(&new.key, &new.kind, new.payload.len() as u64);
        assert_eq!(all.len() as u64, 2 * each + 1, "the brackets, and one comma less");
        let read: Value = serde_json::from_str(&all).unwrap();
        assert_eq!(read[1], json!({"id": "k\"1", "kind": "message", "body": "Hello \"Anna\"\n"}));
    }

    #[test]
    fn the_most_that_goes_around_is_what_is_said() {
        let most = sent_bytes(&"\u{1}".repeat(128), &"\u{1}".repeat(64), 0);
        assert!(most <= AROUND, "{most}");
    }
}
