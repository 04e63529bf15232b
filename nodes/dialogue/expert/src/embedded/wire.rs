//! The lines that the language model's process is spoken to with (`troika-slm --chat`, whose `src/chat.rs` says what they mean), and a
//! request of the service as such a line. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chat::{Message, Request};

/// Tokens of an answer where the request says nothing: a small model that has said all goes on saying it.
const TOKENS: u32 = 256;
/// Tokens of an answer, at most: whoever waits behind it waits so long.
const MOST_TOKENS: u32 = 1024;

/// A message for the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    role: &'static str,
    content: String,
}

/// A question for the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    messages: Vec<Line>,
    max_tokens: u32,
    temperature: f32,
    top_p: f32,
    seed: u32,
}

/// To the process.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Asked<'a> {
    Ask(&'a Ask),
    Cancel(u64),
}

/// From the process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Told {
    Ready { model: String, context_tokens: usize },
    Begun { id: u64, prompt_tokens: usize, dropped_messages: usize },
    Read { id: u64 },
    Text { id: u64, text: String },
    End { id: u64, reason: Reason, prompt_tokens: usize, completion_tokens: usize },
    Refused { id: Option<u64>, why: String },
    Failed { id: u64, why: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reason {
    Stop,
    Length,
    Cancelled,
}

/// A request as a question. Calls of tools and what they told are left out: the model was not taught what they are.
///
/// # Errors
/// In words, where the request wants what such a model cannot do.
pub(crate) fn ask(request: &Request) -> Result<Ask, String> {
    // "auto" and "none" leave it to the model; "required" and a function's name do not.
    if request.tool_choice == "required" || request.tool_choice.is_object() {
        return Err("tool_choice wants a tool called, and this model calls none: \"auto\" or \"none\", and it answers in words".into());
    }
    let line =
        |role, content: &str| (!content.is_empty()).then(|| Line { role, content: content.to_owned() });
    let messages: Vec<Line> = request
        .messages
        .iter()
        .filter_map(|message| match message {
            Message::System { content } => line("system", content),
            Message::User { content } => line("user", content),
            Message::Assistant { content, .. } => line("assistant", content),
            Message::Tool { .. } => None,
        })
        .collect();
    Ok(Ask {
        id: 0,
        messages,
        max_tokens: request.max_tokens.unwrap_or(TOKENS).min(MOST_TOKENS),
        temperature: request.temperature.unwrap_or(0.0),
        top_p: request.top_p.unwrap_or(1.0),
        // Of a seed the low half counts, so that a negative one is one too.
        seed: request.seed.map_or(0, |seed| (seed & i64::from(u32::MAX)) as u32),
    })
}

/// A line for the process.
pub(crate) fn line(asked: &Asked<'_>) -> Vec<u8> {
    let value = serde_json::to_value(asked).unwrap_or(Value::Null);
    format!("{value}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: Value) -> Request {
        serde_json::from_value(body).expect("a request")
    }

    #[test]
    fn a_request_is_a_line_without_calls_and_results() {
        let said = ask(&request(json!({
            "model": "any", "stream": true, "temperature": 0.5, "seed": -1,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "A cafe?"},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "function": {"name": "find_places", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "{}"},
                {"role": "assistant", "content": "None."},
                {"role": "user", "content": "Why?"},
            ],
        })))
        .expect("a question");
        let line: Value = serde_json::from_slice(&line(&Asked::Ask(&Ask { id: 9, ..said }))).expect("JSON");
        assert_eq!(
            line,
            json!({"ask": {
                "id": 9, "max_tokens": 256, "temperature": 0.5, "top_p": 1.0, "seed": 4_294_967_295_u32,
                "messages": [
                    {"role": "system", "content": "Be brief."}, {"role": "user", "content": "A cafe?"},
                    {"role": "assistant", "content": "None."}, {"role": "user", "content": "Why?"},
                ],
            }})
        );
    }

    #[test]
    fn greedy_and_bounded_where_nothing_is_said() {
        let said =
            ask(&request(json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100_000})))
                .expect("a question");
        assert_eq!((said.temperature, said.top_p, said.max_tokens), (0.0, 1.0, 1024));
    }

    #[test]
    fn a_tool_that_must_be_called_is_refused_and_one_that_may_is_not() {
        let with = |choice: Value| {
            ask(&request(json!({"messages": [{"role": "user", "content": "Hi"}], "tool_choice": choice})))
        };
        assert!(with(json!("auto")).is_ok() && with(json!("none")).is_ok() && with(Value::Null).is_ok());
        for choice in [json!("required"), json!({"type": "function", "function": {"name": "eta"}})] {
            assert!(with(choice).is_err_and(|why| why.contains("\"auto\"")));
        }
    }
}
