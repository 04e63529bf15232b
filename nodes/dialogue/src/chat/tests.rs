use proptest::prelude::*;

use super::*;

fn text_event(text: &str) -> String {
    format!("data: {}\n\n", serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn read(bytes: &[u8], piece: usize) -> Vec<FromCloud> {
    let mut reader = Reader::default();
    let mut out: Vec<FromCloud> = bytes.chunks(piece).flat_map(|piece| reader.feed(piece)).collect();
    out.extend(reader.ended());
    out
}

fn text(of: &[FromCloud]) -> String {
    of.iter()
        .filter_map(|one| if let FromCloud::Text(text) = one { Some(text.as_str()) } else { None })
        .collect()
}

#[test]
fn a_letter_that_arrives_in_halves_is_whole() {
    let stream = text_event("Über die Brücke.") + STOP;
    for piece in 1..40 {
        let out = read(stream.as_bytes(), piece);
        assert_eq!(text(&out), "Über die Brücke.");
        assert_eq!(out.last(), Some(&FromCloud::Done));
    }
}

#[test]
fn a_stream_that_ends_within_a_letter_is_truncated_and_what_came_stays() {
    let whole = text_event("Hello. ") + &text_event("Ü").replace("\\u00dc", "Ü");
    let cut = whole.find('Ü').expect("there") + 1;
    let out = read(&whole.as_bytes()[..cut], 7);
    assert_eq!(out, [FromCloud::Text("Hello. ".into()), FromCloud::Failed(Fault::Truncated)]);
}

#[test]
fn a_call_that_comes_in_pieces_is_put_together() {
    let piece = |value: serde_json::Value| {
        format!("data: {}\n\n", serde_json::json!({"choices": [{"delta": {"tool_calls": [value]}}]}))
    };
    let stream = piece(
        serde_json::json!({"index": 0, "id": "a", "function": {"name": "find_places", "arguments": ""}}),
    ) + &piece(serde_json::json!({"index": 0, "function": {"arguments": "{\"kind\":"}}))
        + &piece(serde_json::json!({"index": 1, "id": "b", "function": {"name": "eta", "arguments": "{}"}}))
        + &piece(serde_json::json!({"index": 0, "function": {"arguments": "\"cafe\"}"}}))
        + "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    assert_eq!(
        read(stream.as_bytes(), 11),
        [FromCloud::Tools(vec![call("a", "find_places", "{\"kind\":\"cafe\"}"), call("b", "eta", "{}")])]
    );
}

#[test]
fn a_flood_is_refused_before_it_fills_memory() {
    troika_safety::verifies![SR_DAT_006];
    let mut reader = Reader::default();
    let line = vec![b'x'; 64 << 10];
    let mut fed = 0;
    let fault = loop {
        fed += line.len();
        if let Some(FromCloud::Failed(fault)) = reader.feed(&line).pop() {
            break fault;
        }
    };
    assert_eq!(fault, Fault::TooLarge { what: "one event", limit: MOST_EVENT });
    assert!(fed <= MOST_EVENT + 2 * line.len());

    let many = text_event("").repeat(MOST_STREAM / 40);
    assert_eq!(
        read(many.as_bytes(), 4096),
        [FromCloud::Failed(Fault::TooLarge { what: "one answer", limit: MOST_STREAM })]
    );
}

#[test]
fn what_is_no_json_and_what_is_an_error_are_told_apart() {
    let out = read(b"data: {\"choices\": [\n\n", 9);
    assert!(matches!(&out[..], [FromCloud::Failed(Fault::Malformed(_))]), "{out:?}");
    let out = read(b"data: {\"error\":{\"message\":\"overloaded\",\"code\":\"429\"}}\n\n", 9);
    assert_eq!(out, [FromCloud::Failed(Fault::RateLimited { retry_after: None })]);
    let out = read(b"data: {\"error\":{\"message\":\"overloaded\"}}\n\n", 9);
    assert_eq!(out, [FromCloud::Failed(Fault::Server { status: 500, retry_after: None })]);
}

#[test]
fn comments_and_unknown_fields_pass() {
    let stream = format!(
        ": keep-alive\r\n\r\nevent: x\nid: 3\n{}data: {{\"usage\":{{}}}}\n\n{STOP}",
        text_event("Yes.")
    );
    assert_eq!(read(stream.as_bytes(), 5), [FromCloud::Text("Yes.".into()), FromCloud::Done]);
}

#[test]
fn an_answer_cut_at_its_length_says_so() {
    let stream = text_event("Yes") + "data: {\"choices\":[{\"finish_reason\":\"length\"}]}\n\n";
    assert_eq!(read(stream.as_bytes(), 5), [FromCloud::Text("Yes".into()), FromCloud::Length]);
}

#[test]
fn when_to_ask_again_is_seconds_or_a_date() {
    assert_eq!(retry_after(" 7 ", None), Some(Duration::from_secs(7)));
    let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
    assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:30 GMT", date), Some(Duration::from_secs(30)));
    assert_eq!(retry_after("Wed, 21 Oct 2026 07:27:30 GMT", date), Some(Duration::ZERO));
    assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:30 GMT", None), None);
    assert_eq!(retry_after("soon", date), None);
}

#[test]
fn the_request_is_what_the_interface_says() {
    let request = ChatRequest {
        model: "m".into(),
        messages: vec![
            Message::System("Be short.".into()),
            Message::User("Where?".into()),
            Message::Calls(vec![ToolCall { id: "a".into(), name: "eta".into(), arguments: "{}".into() }]),
            Message::Tool { id: "a".into(), result: "{\"minutes\":4}".into() },
        ],
        tools: vec![ToolSpec {
            name: "eta",
            description: "d",
            parameters: serde_json::json!({"type": "object"}),
        }],
        most_tokens: 9,
    };
    assert_eq!(
        request.body(),
        serde_json::json!({
            "model": "m", "stream": true, "max_tokens": 9,
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "Where?"},
                {"role": "assistant", "content": null,
                 "tool_calls": [{"id": "a", "type": "function", "function": {"name": "eta", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "a", "content": "{\"minutes\":4}"},
            ],
            "tools": [{"type": "function", "function": {"name": "eta", "description": "d", "parameters": {"type": "object"}}}],
        })
    );
}

proptest! {
    #[test]
    fn any_bytes_end_with_one_word_and_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
        troika_safety::verifies![SR_DAT_006];
        let out = read(&bytes, piece);
        prop_assert_eq!(out.iter().filter(|one| !matches!(one, FromCloud::Text(_))).count(), 1);
    }

    #[test]
    fn how_a_stream_is_cut_into_packets_makes_no_difference(words in prop::collection::vec("[a-zäß .]{1,9}", 1..20), piece in 1usize..90) {
        let stream: String = words.iter().map(|word| text_event(word)).collect::<String>() + STOP;
        let out = read(stream.as_bytes(), piece);
        prop_assert_eq!(text(&out), words.concat());
        prop_assert_eq!(out.last(), Some(&FromCloud::Done));
    }
}
