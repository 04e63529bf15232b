//! A request as it came, read strictly: what is not known is refused and not passed on. Pure.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::identity::VehicleId;

/// What a request is refused for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// A name that stays, for the record.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// When asking again makes sense, s.
    pub retry_after_s: Option<u64>,
}

impl Refusal {
    /// Of the request itself.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), retry_after_s: None }
    }

    /// Of this moment: it may be asked again after so many seconds, at least one.
    pub fn later(
        status: u16,
        code: &'static str,
        message: impl Into<String>,
        after: troika_kit::Duration,
    ) -> Refusal {
        let whole = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Refusal { retry_after_s: Some(whole.max(1)), ..Refusal::new(status, code, message) }
    }

    /// As such services say it.
    pub fn body(&self) -> String {
        json!({"error": {"message": self.message, "type": "gateway_error", "code": self.code}}).to_string()
    }
}

/// What is too much.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Messages.
    pub messages: usize,
    /// Tokens of the answer.
    pub max_tokens: u64,
    /// No temperature counts as 0 for the cache.
    pub cache_without_temperature: bool,
}

/// A request that may go on.
#[derive(Debug, Clone)]
pub struct Chat {
    /// The model.
    pub model: String,
    /// Token by token.
    pub stream: bool,
    /// The vehicle asked for the count of tokens at the end of the stream.
    pub wants_usage: bool,
    /// Tokens of the answer, at most.
    pub max_tokens: u64,
    /// Tokens of what is asked, estimated: a quarter of its bytes.
    pub prompt_tokens: u64,
    /// The same request may be given the same answer.
    pub repeatable: bool,
    /// What the upstream is sent.
    pub body: Bytes,
}

/// The keys of the interface that are passed on. `user` is checked and left out: an upstream needs no vehicle's name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    model: String,
    messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
    temperature: Option<f64>,
    user: Option<String>,
    tools: Option<Vec<Value>>,
    #[serde(rename = "tool_choice")]
    _tool_choice: Option<Value>,
    #[serde(rename = "parallel_tool_calls")]
    _parallel_tool_calls: Option<bool>,
    #[serde(rename = "top_p")]
    _top_p: Option<f64>,
    #[serde(rename = "stop")]
    _stop: Option<Value>,
    #[serde(rename = "seed")]
    _seed: Option<i64>,
    #[serde(rename = "presence_penalty")]
    _presence_penalty: Option<f64>,
    #[serde(rename = "frequency_penalty")]
    _frequency_penalty: Option<f64>,
    #[serde(rename = "response_format")]
    _response_format: Option<Value>,
    #[serde(rename = "reasoning_effort")]
    _reasoning_effort: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    role: Role,
    content: Option<Content>,
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "tool_calls")]
    _tool_calls: Option<Vec<Value>>,
    #[serde(rename = "tool_call_id")]
    _tool_call_id: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

impl Chat {
    /// Reads a body that a vehicle sent.
    ///
    /// # Errors
    /// What is no request (400), has an image (400), or claims to be of another vehicle (403). A refusal repeats no words of the body but keys and
    /// numbers.
    pub fn read(body: &[u8], vehicle: &VehicleId, bounds: &Bounds) -> Result<Chat, Refusal> {
        let bad = |message: String| Refusal::new(400, "bad_request", message);
        // Twice: once for the shape, once to be passed on. A key that comes twice is refused by the first.
        let wire: Wire = serde_json::from_slice(body).map_err(|error| bad(shape(&error)))?;
        troika_safety::fulfils![SR_FLT_004];
        if wire.user.as_deref().is_some_and(|user| user != vehicle.as_str()) {
            return Err(Refusal::new(
                403,
                "identity",
                "`user` is not the vehicle of the certificate; leave it out",
            ));
        }
        if wire.messages.is_empty() || wire.messages.len() > bounds.messages {
            return Err(bad(format!("{} messages; 1 to {}", wire.messages.len(), bounds.messages)));
        }
        wire.messages.iter().try_for_each(check)?;
        if wire.n.is_some_and(|n| n != 1) {
            return Err(bad("`n` is 1 here: one answer to a request".into()));
        }
        let asked = wire.max_completion_tokens.or(wire.max_tokens);
        if let Some(asked) = asked.filter(|asked| !(1..=bounds.max_tokens).contains(asked)) {
            return Err(bad(format!("max_tokens is {asked}; 1 to {}", bounds.max_tokens)));
        }
        let max_tokens = asked.unwrap_or(bounds.max_tokens);
        let mut value: Value = serde_json::from_slice(body).map_err(|error| bad(shape(&error)))?;
        let stream = wire.stream.unwrap_or(false);
        if let Some(keys) = value.as_object_mut() {
            keys.remove("user");
            if asked.is_none() {
                keys.insert("max_tokens".into(), max_tokens.into());
            }
            if stream {
                keys.insert("stream_options".into(), json!({"include_usage": true}));
            }
        }
        let cold = wire.temperature.map_or(bounds.cache_without_temperature, |degrees| degrees == 0.0);
        Ok(Chat {
            model: wire.model,
            stream,
            wants_usage: wire.stream_options.is_some_and(|options| options.include_usage),
            max_tokens,
            prompt_tokens: body.len() as u64 / 4 + 1,
            repeatable: cold && wire.tools.is_none_or(|tools| tools.is_empty()),
            body: value.to_string().into(),
        })
    }
}

fn check(message: &Message) -> Result<(), Refusal> {
    troika_safety::fulfils![SR_FLT_008];
    let image = || {
        Refusal::new(400, "image", "images, sound and files are not passed on; a message's content is text")
    };
    let texts: Vec<&str> = match &message.content {
        None if message.role == Role::Assistant => Vec::new(),
        None => return Err(Refusal::new(400, "bad_request", "a message without content")),
        Some(Content::Text(text)) => vec![text],
        Some(Content::Parts(parts)) => {
            if parts.iter().any(|part| part.kind != "text") {
                return Err(image());
            }
            parts.iter().filter_map(|part| part.text.as_deref()).collect()
        }
    };
    // As text an image would be as private.
    if texts.iter().any(|text| text.contains("data:image/") && text.contains(";base64,")) {
        return Err(image());
    }
    Ok(())
}

/// What is wrong with the shape, without the words that it was found in: serde tells values of a wrong type.
fn shape(error: &serde_json::Error) -> String {
    troika_safety::fulfils![SR_FLT_008];
    let text = error.to_string();
    let told = if text.starts_with("unknown field")
        || text.starts_with("missing field")
        || text.starts_with("duplicate field")
    {
        // A key is not somebody's words, but may be as long as the body.
        text.chars().take(160).collect()
    } else {
        format!("not a chat request, at line {} column {}", error.line(), error.column())
    };
    format!("{told}; see POST /v1/chat/completions in the gateway's README")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { messages: 4, max_tokens: 100, cache_without_temperature: false };

    fn anna() -> VehicleId {
        VehicleId::new("anna").expect("an id")
    }

    fn read(body: &str) -> Result<Chat, Refusal> {
        Chat::read(body.as_bytes(), &anna(), &BOUNDS)
    }

    fn with(more: &str) -> String {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hello"}}]{more}}}"#)
    }

    #[test]
    fn a_request_goes_on_with_its_bounds_and_without_a_name() {
        let chat = read(&with(r#","stream":true,"user":"anna","temperature":0"#)).expect("fine");
        let body: Value = serde_json::from_slice(&chat.body).expect("JSON");
        assert_eq!(body["max_tokens"], 100);
        assert_eq!(body["stream_options"]["include_usage"], true);
        assert!(body.get("user").is_none());
        assert!(chat.stream && !chat.wants_usage && chat.repeatable);
    }

    #[test]
    fn who_claims_to_be_another_is_refused() {
        let refused = read(&with(r#","user":"bruno""#)).expect_err("refused");
        assert_eq!((refused.status, refused.code), (403, "identity"));
    }

    #[test]
    fn images_never_leave() {
        troika_safety::verifies![SR_FLT_008];
        let parts = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:x"}}]}]}"#;
        assert_eq!(read(parts).expect_err("refused").code, "image");
        let inline = r#"{"model":"m","messages":[{"role":"user","content":"data:image/png;base64,AAAA"}]}"#;
        assert_eq!(read(inline).expect_err("refused").code, "image");
        let text = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}"#;
        assert!(read(text).is_ok());
    }

    #[test]
    fn what_is_too_much_or_not_known_is_refused_and_says_what_would_be_right() {
        assert!(read(&with(r#","max_tokens":101"#)).expect_err("refused").message.contains("1 to 100"));
        assert!(read(&with(r#","max_tokens":0"#)).is_err());
        assert!(read(&with(r#","n":2"#)).is_err());
        assert!(read(&with(r#","logit_bias":{}"#)).expect_err("refused").message.contains("logit_bias"));
        assert!(read(&with(r#","model":"twice""#)).expect_err("refused").message.contains("duplicate"));
        assert!(read(r#"{"model":"m","messages":[]}"#).is_err());
        assert!(read(&"[".repeat(10_000)).is_err(), "as deep as it likes");
        assert!(read("").is_err());
    }

    #[test]
    fn a_refusal_repeats_nobodys_words() {
        let wrong =
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"meet Erika at seven"}"#;
        assert!(!read(wrong).expect_err("refused").message.contains("Erika"));
    }

    #[test]
    fn only_what_is_cold_and_calls_nothing_is_repeatable() {
        assert!(!read(&with("")).expect("fine").repeatable);
        assert!(!read(&with(r#","temperature":0.1"#)).expect("fine").repeatable);
        assert!(!read(&with(r#","temperature":0,"tools":[{"type":"function"}]"#)).expect("fine").repeatable);
        let bounds = Bounds { cache_without_temperature: true, ..BOUNDS };
        assert!(Chat::read(with("").as_bytes(), &anna(), &bounds).expect("fine").repeatable);
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Chat::read(&bytes, &anna(), &BOUNDS);
        }
    }
}
