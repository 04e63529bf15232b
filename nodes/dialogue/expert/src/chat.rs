//! The service's side of the interface: what is asked of it, and what it sends. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

/// What it is called, wherever it names itself.
pub const MODEL: &str = "troika-expert (a scripted stand-in, no language model)";

/// A request. What it has beside these is taken no notice of, as services do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Request {
    /// The dialogue.
    pub messages: Vec<Message>,
    /// In pieces, as it comes.
    #[serde(default)]
    pub stream: bool,
    /// Tokens of the answer, at most.
    #[serde(default, alias = "max_completion_tokens")]
    pub max_tokens: Option<u32>,
    /// What may be called.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// What is wanted of the stream.
    #[serde(default)]
    pub stream_options: StreamOptions,
    /// Whether something must be called.
    #[serde(default)]
    pub tool_choice: Value,
    /// How much chance is in the answer; a language model's.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// Of the probability, so much is chosen from; a language model's.
    #[serde(default)]
    pub top_p: Option<f32>,
    /// Of the chance; a language model's.
    #[serde(default)]
    pub seed: Option<i64>,
}

/// What is wanted of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct StreamOptions {
    /// Counts of tokens at its end.
    #[serde(default)]
    pub include_usage: bool,
}

/// A tool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Tool {
    /// What it is.
    pub function: Function,
}

/// A tool's function.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
}

/// A message of the dialogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Message {
    /// How to answer.
    #[serde(alias = "developer")]
    System {
        /// The words.
        #[serde(default, deserialize_with = "text")]
        content: String,
    },
    /// A question.
    User {
        /// The words.
        #[serde(default, deserialize_with = "text")]
        content: String,
    },
    /// An answer, or calls of tools.
    Assistant {
        /// The words.
        #[serde(default, deserialize_with = "text")]
        content: String,
        /// Calls.
        #[serde(default)]
        tool_calls: Option<Vec<CallSaid>>,
    },
    /// What a tool told.
    Tool {
        /// Of which call.
        tool_call_id: String,
        /// The result.
        #[serde(default, deserialize_with = "text")]
        content: String,
    },
}

/// A call, as it is sent back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CallSaid {
    /// Its name.
    pub id: String,
    /// Of what.
    pub function: FunctionSaid,
}

/// What was called.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct FunctionSaid {
    /// The tool.
    pub name: String,
    /// JSON.
    pub arguments: String,
}

/// A text, or a list of parts of which the texts count, or nothing.
fn text<'a, D: serde::Deserializer<'a>>(from: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => text,
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    })
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// These are to be called.
    Calls(Vec<Call>),
    /// This is said.
    Say(String),
}

/// Text in pieces as a tokeniser would make them: a word with the space before it, a long one in two.
pub fn tokens(text: &str) -> Vec<String> {
    const LONG: usize = 7;
    let mut tokens = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word =
            rest.char_indices().skip(1).find(|(_, sign)| *sign == ' ').map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(word);
        let half = piece.char_indices().nth(LONG).map(|(at, _)| at);
        match half.filter(|at| piece[*at..].chars().filter(|sign| sign.is_alphanumeric()).count() > 1) {
            Some(at) => tokens.extend([piece[..at].to_owned(), piece[at..].to_owned()]),
            None => tokens.push(piece.to_owned()),
        }
        rest = after;
    }
    tokens
}

/// What stands around all that is sent of one answer.
#[derive(Debug, Clone)]
pub struct Envelope {
    id: String,
    model: String,
}

impl Envelope {
    /// Of a request, by its number, that this one answers.
    pub fn new(number: u64, model: &str) -> Envelope {
        Envelope { id: format!("chatcmpl-expert-{number}"), model: model.to_owned() }
    }

    fn sent(&self, choices: Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": 0, "model": self.model,
            "choices": choices,
        })
    }

    /// An event of a stream.
    pub fn chunk(&self, delta: Value, finish: Option<&str>) -> String {
        self.sent(json!([{"index": 0, "delta": delta, "finish_reason": finish}])).to_string()
    }

    /// What comes first: who speaks.
    pub fn role(&self) -> String {
        self.chunk(json!({"role": "assistant", "content": ""}), None)
    }

    /// Text of a stream.
    pub fn text(&self, text: &str) -> String {
        self.chunk(json!({ "content": text }), None)
    }

    /// The event with the counts of tokens.
    pub fn usage(&self, usage: Value) -> String {
        let mut sent = self.sent(json!([]));
        sent["usage"] = usage;
        sent.to_string()
    }

    /// All of it at once.
    pub fn whole(&self, message: Value, finish: &str, usage: Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion", "created": 0, "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": usage,
        })
    }
}

/// Counts of tokens.
pub fn usage(prompt: usize, made: usize) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made})
}

/// A stream of answers to one request: the events' data, in order, without what is sent when.
#[derive(Debug, Clone)]
pub struct Answer {
    envelope: Envelope,
    step: Step,
    most: usize,
}

impl Answer {
    /// To a request, by its number.
    pub fn new(number: u64, step: Step, most_tokens: Option<u32>) -> Answer {
        let most = most_tokens.map_or(usize::MAX, |most| most as usize);
        Answer { envelope: Envelope::new(number, MODEL), step, most }
    }

    /// What comes with each token: first the role, then pieces of text or of calls.
    pub fn pieces(&self) -> Vec<String> {
        let mut pieces = vec![self.envelope.role()];
        match &self.step {
            Step::Say(text) => {
                pieces.extend(tokens(text).iter().take(self.most).map(|token| self.envelope.text(token)));
            }
            Step::Calls(calls) => {
                for (index, call) in calls.iter().enumerate() {
                    let named = json!({"index": index, "id": self.call_id(index), "type": "function",
                        "function": {"name": call.name, "arguments": ""}});
                    pieces.push(self.envelope.chunk(json!({"tool_calls": [named]}), None));
                    // Arguments come in pieces that break anywhere, within words and escapes too.
                    let arguments: Vec<char> = call.arguments.to_string().chars().collect();
                    for piece in arguments.chunks(5) {
                        let piece: String = piece.iter().collect();
                        let piece = json!({"index": index, "function": {"arguments": piece}});
                        pieces.push(self.envelope.chunk(json!({"tool_calls": [piece]}), None));
                    }
                }
            }
        }
        pieces
    }

    fn call_id(&self, index: usize) -> String {
        format!("call_{}_{index}", self.envelope.id.trim_start_matches("chatcmpl-expert-"))
    }

    fn finish(&self) -> &'static str {
        match &self.step {
            Step::Calls(_) => "tool_calls",
            Step::Say(text) if tokens(text).len() > self.most => "length",
            Step::Say(_) => "stop",
        }
    }

    /// The reason why it ends; the mark at the end comes after it.
    pub fn last(&self) -> String {
        self.envelope.chunk(json!({}), Some(self.finish()))
    }

    /// Counts of tokens, where they are wanted.
    pub fn usage_chunk(&self, prompt: usize) -> String {
        self.envelope.usage(self.usage(prompt))
    }

    fn usage(&self, prompt: usize) -> Value {
        let made = match &self.step {
            Step::Say(text) => tokens(text).len().min(self.most),
            Step::Calls(calls) => {
                calls.iter().map(|call| tokens(&call.arguments.to_string()).len() + 1).sum()
            }
        };
        usage(prompt, made)
    }

    /// All of it at once.
    pub fn whole(&self, prompt: usize) -> Value {
        let message = match &self.step {
            Step::Say(text) => {
                let text: String = tokens(text).into_iter().take(self.most).collect();
                json!({"role": "assistant", "content": text})
            }
            Step::Calls(calls) => {
                let calls: Vec<Value> = calls
                    .iter()
                    .enumerate()
                    .map(|(index, call)| {
                        json!({"id": self.call_id(index), "type": "function",
                            "function": {"name": call.name, "arguments": call.arguments.to_string()}})
                    })
                    .collect();
                json!({"role": "assistant", "content": null, "tool_calls": calls})
            }
        };
        self.envelope.whole(message, self.finish(), self.usage(prompt))
    }
}

#[cfg(test)]
mod tests {
    use troika_dialogue::{FromCloud, chat::Reader};

    use super::*;

    fn read(answer: &Answer) -> (String, Vec<FromCloud>) {
        let mut reader = Reader::default();
        let mut text = String::new();
        let mut ends = Vec::new();
        let last = [answer.last(), "[DONE]".into()];
        for data in answer.pieces().into_iter().chain(last) {
            for what in reader.feed(format!("data: {data}\n\n").as_bytes()) {
                match what {
                    FromCloud::Text(more) => text.push_str(&more),
                    end => ends.push(end),
                }
            }
        }
        (text, ends)
    }

    #[test]
    fn the_vehicle_s_client_reads_what_is_said_word_for_word() {
        let said = "The nearest one is Trattoria Lucia, 1.5 kilometres away – “très bien”.";
        let (text, ends) = read(&Answer::new(1, Step::Say(said.into()), None));
        assert_eq!((text.as_str(), ends.as_slice()), (said, &[FromCloud::Done][..]));
        assert_eq!(tokens(said).concat(), said);
        let (text, ends) = read(&Answer::new(1, Step::Say(said.into()), Some(3)));
        assert_eq!((text.as_str(), ends.as_slice()), ("The nearest one", &[FromCloud::Length][..]));
    }

    #[test]
    fn the_vehicle_s_client_puts_the_pieces_of_calls_together() {
        let call = |to: &str| Call { name: "eta".into(), arguments: json!({"to": to}) };
        let answer =
            Answer::new(7, Step::Calls(vec![call("Ferryman's \"Table\""), call("Cafe Anker")]), None);
        let (text, ends) = read(&answer);
        assert_eq!(text, "");
        let [FromCloud::Tools(calls)] = ends.as_slice() else { panic!("{ends:?}") };
        assert_eq!(calls.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["call_7_0", "call_7_1"]);
        let arguments: Value = serde_json::from_str(&calls[0].arguments).expect("JSON");
        assert_eq!(arguments, json!({"to": "Ferryman's \"Table\""}));
        assert!(answer.pieces().len() > 8);
    }

    #[test]
    fn what_the_vehicle_asks_is_understood_with_all_its_kinds_of_messages() {
        use troika_dialogue::chat::{ChatRequest, Message as Asked, ToolCall};
        let asked = ChatRequest {
            model: "large".into(),
            messages: vec![
                Asked::System("be brief".into()),
                Asked::User("a cafe?".into()),
                Asked::Calls(vec![ToolCall {
                    id: "c1".into(),
                    name: "find_places".into(),
                    arguments: "{}".into(),
                }]),
                Asked::Tool { id: "c1".into(), result: "{}".into() },
            ],
            tools: vec![],
            most_tokens: 300,
        };
        let request: Request = serde_json::from_value(asked.body()).expect("a request");
        assert_eq!((request.messages.len(), request.stream, request.max_tokens), (4, true, Some(300)));
        assert!(
            matches!(&request.messages[2], Message::Assistant { content, tool_calls } if content.is_empty() && tool_calls.as_ref().expect("calls")[0].function.name == "find_places")
        );
        let parts = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}]});
        let request: Request = serde_json::from_value(parts).expect("a request");
        assert_eq!(request.messages[0], Message::User { content: "a".into() });
    }
}
