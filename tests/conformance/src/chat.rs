//! The service's side of an OpenAI-compatible chat, for the little services of tests: a request in, events out.

use std::io::BufRead;

/// The head of an answer that is a stream, and ends with its connection.
pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// A request: its first line and its body. None: the other side has gone, as one that only connects does.
///
/// # Errors
/// The socket's.
pub fn request(reader: &mut impl BufRead) -> std::io::Result<Option<(String, String)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((first, String::from_utf8_lossy(&body).into_owned())))
}

/// An event with this more of the answer.
pub fn piece(text: &str) -> String {
    let event =
        serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {event}\n\n")
}

/// The events that end an answer well.
pub fn end() -> String {
    let event = serde_json::json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    format!("data: {event}\n\ndata: [DONE]\n\n")
}
