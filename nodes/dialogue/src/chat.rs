//! The interface that OpenAI-compatible services share, as far as it is used: `POST /v1/chat/completions` with `stream: true`, and the
//! server-sent events that come back. Pure: bytes in, text and calls of tools out. Everything that comes is bounded.

use serde::{Deserialize, Serialize};
use sse_parse::SseParser;
use troika_kit::Duration;

use crate::{fault::Fault, turn::FromCloud};

/// Bytes of one event; a token's is some 300.
pub const MOST_EVENT: usize = 128 << 10;
/// Bytes of one stream: an answer of 4,000 tokens, each in an event of its own.
pub const MOST_STREAM: usize = 2 << 20;
/// Bytes of text in one answer: eight pages.
pub const MOST_TEXT: usize = 32 << 10;
/// Calls of tools in one answer.
pub const MOST_CALLS: usize = 8;
/// Bytes of one call's name and arguments.
pub const MOST_ARGUMENTS: usize = 8 << 10;

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The service's name for the call.
    pub id: String,
    /// The tool's.
    pub name: String,
    /// JSON, as it came.
    pub arguments: String,
}

/// One message of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// How to answer.
    System(String),
    /// The driver's words.
    User(String),
    /// The assistant's.
    Assistant(String),
    /// The assistant wants tools called.
    Calls(Vec<ToolCall>),
    /// What a tool told.
    Tool {
        /// Of which call.
        id: String,
        /// JSON.
        result: String,
    },
}

/// A tool, as the service is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: &'static str,
    /// What it does, for the model.
    pub description: &'static str,
    /// JSON schema of its arguments.
    pub parameters: serde_json::Value,
}

/// What is asked of the service.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The service's name of the model.
    pub model: String,
    /// The dialogue.
    pub messages: Vec<Message>,
    /// What it may call.
    pub tools: Vec<ToolSpec>,
    /// Tokens of the answer, at most.
    pub most_tokens: u32,
}

impl ChatRequest {
    /// The body of the request.
    pub fn body(&self) -> serde_json::Value {
        use serde_json::json;
        let messages: Vec<_> = self
            .messages
            .iter()
            .map(|message| match message {
                Message::System(text) => json!({"role": "system", "content": text}),
                Message::User(text) => json!({"role": "user", "content": text}),
                Message::Assistant(text) => json!({"role": "assistant", "content": text}),
                Message::Calls(calls) => {
                    let calls: Vec<_> = calls
                        .iter()
                        .map(|call| {
                            json!({"id": call.id, "type": "function",
                                   "function": {"name": call.name, "arguments": call.arguments}})
                        })
                        .collect();
                    json!({"role": "assistant", "content": null, "tool_calls": calls})
                }
                Message::Tool { id, result } => {
                    json!({"role": "tool", "tool_call_id": id, "content": result})
                }
            })
            .collect();
        let mut body = json!({
            "model": self.model, "messages": messages, "stream": true, "max_tokens": self.most_tokens,
        });
        if !self.tools.is_empty() {
            let tools: Vec<_> = self
                .tools
                .iter()
                .map(|tool| {
                    json!({"type": "function", "function": {
                        "name": tool.name, "description": tool.description, "parameters": tool.parameters}})
                })
                .collect();
            body["tools"] = tools.into();
        }
        body
    }
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    #[serde(default)]
    index: usize,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<String>,
}

/// Bytes of a stream to what it says.
#[derive(Debug)]
pub struct Reader {
    events: SseParser,
    taken: usize,
    text: usize,
    calls: Vec<ToolCall>,
    finish: Option<String>,
    over: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            events: SseParser::new().max_buffer(MOST_EVENT),
            taken: 0,
            text: 0,
            calls: Vec::new(),
            finish: None,
            over: false,
        }
    }
}

impl Reader {
    /// Whether the stream has said its last: nothing more is read.
    pub fn over(&self) -> bool {
        self.over
    }

    /// More bytes. After `Done`, `Length`, `Tools` or `Failed` nothing follows.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<FromCloud> {
        troika_safety::fulfils![SR_DAT_006];
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        self.taken += bytes.len();
        self.events.feed(bytes);
        while let Some(event) = self.events.next_event() {
            if event.data.trim() == "[DONE]" {
                self.end(&mut out);
            } else if let Err(fault) = self.event(&event.data, &mut out) {
                self.fail(fault, &mut out);
            }
            if self.over {
                return out;
            }
        }
        if self.events.overflows() > 0 {
            self.fail(Fault::TooLarge { what: "one event", limit: MOST_EVENT }, &mut out);
        } else if self.taken > MOST_STREAM {
            self.fail(Fault::TooLarge { what: "one answer", limit: MOST_STREAM }, &mut out);
        }
        out
    }

    /// The bytes have ended.
    pub fn ended(&mut self) -> Vec<FromCloud> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        // Some services leave out the mark at the end; the reason they never do.
        if self.finish.is_some() {
            self.end(&mut out);
        } else {
            self.fail(Fault::Truncated, &mut out);
        }
        out
    }

    fn event(&mut self, data: &str, out: &mut Vec<FromCloud>) -> Result<(), Fault> {
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| Fault::Malformed(error.to_string()))?;
        if let Some(error) = chunk.error {
            let code = &error["code"];
            let status = code
                .as_u64()
                .or_else(|| code.as_str()?.parse().ok())
                .and_then(|code| u16::try_from(code).ok());
            return Err(status_fault(status.unwrap_or(500), None, &error["message"].to_string()));
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            if let Some(delta) = choice.delta {
                if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
                    self.text += text.len();
                    if self.text > MOST_TEXT {
                        return Err(Fault::TooLarge { what: "text", limit: MOST_TEXT });
                    }
                    out.push(FromCloud::Text(text));
                }
                for piece in delta.tool_calls.into_iter().flatten() {
                    self.piece(piece)?;
                }
            }
            if choice.finish_reason.is_some() {
                self.finish = choice.finish_reason;
            }
        }
        Ok(())
    }

    fn piece(&mut self, piece: CallPiece) -> Result<(), Fault> {
        if piece.index >= MOST_CALLS {
            return Err(Fault::TooLarge { what: "calls of tools", limit: MOST_CALLS });
        }
        if piece.index > self.calls.len() {
            return Err(Fault::Malformed(format!("call {} of a tool before the one before it", piece.index)));
        }
        if piece.index == self.calls.len() {
            self.calls.push(ToolCall { id: String::new(), name: String::new(), arguments: String::new() });
        }
        let call = &mut self.calls[piece.index];
        if let Some(id) = piece.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        if let Some(function) = piece.function {
            call.name.push_str(&function.name.unwrap_or_default());
            call.arguments.push_str(&function.arguments.unwrap_or_default());
        }
        if call.id.len() + call.name.len() + call.arguments.len() > MOST_ARGUMENTS {
            return Err(Fault::TooLarge { what: "one call of a tool", limit: MOST_ARGUMENTS });
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<FromCloud>) {
        self.over = true;
        let calls = std::mem::take(&mut self.calls);
        out.push(match self.finish.as_deref() {
            _ if !calls.is_empty() => FromCloud::Tools(calls),
            Some("length") => FromCloud::Length,
            Some(_) => FromCloud::Done,
            None if self.text > 0 => FromCloud::Done,
            None => FromCloud::Failed(Fault::Malformed("an end without an answer".into())),
        });
    }

    fn fail(&mut self, fault: Fault, out: &mut Vec<FromCloud>) {
        self.over = true;
        out.push(FromCloud::Failed(fault));
    }
}

/// What an HTTP status that is no success means.
pub fn status_fault(status: u16, retry_after: Option<Duration>, said: &str) -> Fault {
    match status {
        429 => Fault::RateLimited { retry_after },
        402 => Fault::PaymentRequired,
        401 | 403 => Fault::Unauthorized(status),
        408 => Fault::Timeout("the service's own"),
        300..=499 => {
            let end = (0..=said.len().min(200)).rev().find(|end| said.is_char_boundary(*end)).unwrap_or(0);
            Fault::Refused { status, said: said[..end].to_owned() }
        }
        _ => Fault::Server { status, retry_after },
    }
}

/// A `Retry-After` header: seconds, or a date, which is held against the answer's own `Date` so that no clock is needed.
pub fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value.trim()).ok()?;
    let now = httpdate::parse_http_date(date?.trim()).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests;
