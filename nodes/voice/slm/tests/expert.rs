//! The real model as a service: `troika-expert --language-model` with this program behind it, asked by the vehicle's own client.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    time::Duration,
};

use serde_json::{Value, json};
use troika_expert::{
    embedded::Program,
    server::{Running, Settings},
};

/// Whoever takes longer than this hangs, on a busy machine too.
const NET: Duration = Duration::from_secs(240);

fn settings() -> Settings {
    let program = Program::new(PathBuf::from(env!("CARGO_BIN_EXE_troika-slm")));
    Settings { language_model: Some(program), ..Settings::default() }
}

fn start(settings: Settings) -> Running {
    Running::start(([127, 0, 0, 1], 0).into(), settings)
        .expect("the model is here: troika models pull --set test")
}

/// One for all that only ask: one model in memory, one question at a time.
fn service() -> MutexGuard<'static, Running> {
    static SERVICE: OnceLock<Mutex<Running>> = OnceLock::new();
    SERVICE.get_or_init(|| Mutex::new(start(settings()))).lock().unwrap_or_else(PoisonError::into_inner)
}

fn sends(service: &Running, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut socket = TcpStream::connect(service.address()).expect("connected");
    socket.set_read_timeout(Some(NET)).expect("a net");
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    socket.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).expect("sent");
    socket
}

fn asks(service: &Running, body: &Value) -> String {
    let mut text = String::new();
    sends(service, body).read_to_string(&mut text).expect("answered");
    text
}

/// The answer in one piece: the text, why it ended, tokens read and made.
fn whole(service: &Running, body: &Value) -> (String, String, u64, u64) {
    let said = asks(service, body);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let body: Value = serde_json::from_str(said.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    let choice = &body["choices"][0];
    (
        choice["message"]["content"].as_str().expect("text").to_owned(),
        choice["finish_reason"].as_str().expect("a reason").to_owned(),
        body["usage"]["prompt_tokens"].as_u64().expect("a count"),
        body["usage"]["completion_tokens"].as_u64().expect("a count"),
    )
}

/// Without being told who it is this model answers about France in French, and wrongly.
const VOICE: &str = "You are the voice of a car. Answer the question in one short sentence.";

fn paris() -> Value {
    let messages = [json!({"role": "system", "content": VOICE}), user("What is the capital of France?")];
    json!({"messages": messages, "max_tokens": 30})
}

fn user(question: &str) -> Value {
    json!({"role": "user", "content": question})
}

#[test]
fn the_vehicle_s_client_hears_its_words() {
    use troika_dialogue::{
        CloudConfig, FromCloud, HttpUpstream, Upstream as _,
        chat::{ChatRequest, Message},
    };
    let service = service();
    let (tell, heard) = mpsc::channel();
    let config = CloudConfig { plain_http: true, ..CloudConfig::new(&service.url(), "any") };
    let sink = Arc::new(move |_, what| drop(tell.send(what)));
    let mut client = HttpUpstream::new(&config, sink).expect("a client");
    let messages =
        vec![Message::System(VOICE.into()), Message::User("What is the capital of France?".into())];
    client.start(1, ChatRequest { model: String::new(), messages, tools: vec![], most_tokens: 40 });
    let (mut text, mut pieces) = (String::new(), 0);
    let end = loop {
        match heard.recv_timeout(NET).expect("something comes") {
            FromCloud::Text(more) => {
                pieces += 1;
                text.push_str(&more);
            }
            end => break end,
        }
    };
    assert!(matches!(end, FromCloud::Done | FromCloud::Length), "{text}: {end:?}");
    assert!(text.contains("Paris") && pieces > 1, "{pieces}: {text}");
}

#[test]
fn it_says_who_it_is() {
    let service = service();
    let mut socket = TcpStream::connect(service.address()).expect("connected");
    socket.write_all(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut said = String::new();
    socket.read_to_string(&mut said).expect("read");
    assert!(said.contains(r#""id":"smollm2-135m-instruct""#), "{said}");
    assert!(said.contains("small language model beside this service"), "{said}");
}

#[test]
fn the_same_question_has_the_same_answer_and_the_same_seed_too() {
    let service = service();
    let greedy = json!({"messages": [user("Name a colour.")], "max_tokens": 10});
    let first = whole(&service, &greedy);
    let warm = |seed: u32| json!({"messages": [user("Name a colour.")], "max_tokens": 10, "temperature": 1.5, "seed": seed});
    let drawn: Vec<_> = (1..=3).map(|seed| whole(&service, &warm(seed)).0).collect();
    assert_eq!(whole(&service, &warm(1)).0, drawn[0]);
    assert!(drawn.iter().any(|said| *said != first.0), "{drawn:?}");
    assert_eq!(whole(&service, &greedy), first);
}

#[test]
fn an_answer_is_as_long_as_it_may_be() {
    let (said, finish, _, made) =
        whole(&service(), &json!({"messages": [user("Tell me a long story.")], "max_tokens": 5}));
    assert_eq!((finish.as_str(), made), ("length", 5), "{said}");
}

#[test]
fn the_oldest_of_a_long_dialogue_is_left_out_and_one_message_without_room_is_refused() {
    // Little room, so that it is read in seconds on a busy machine too.
    let mut settings = settings();
    if let Some(program) = &mut settings.language_model {
        program.arguments = vec!["--context-tokens".into(), "512".into()];
    }
    let service = start(settings);
    let long = "The rain in Spain stays mainly in the plain, says the teacher. ".repeat(4);
    let mut messages = vec![json!({"role": "system", "content": VOICE})];
    for _ in 0..12 {
        messages.extend([user(&long), json!({"role": "assistant", "content": "Yes."})]);
    }
    messages.push(user("What is the capital of France?"));
    let (said, _, read, _) = whole(&service, &json!({"messages": messages, "max_tokens": 8}));
    assert!(read > 300 && read < 512, "{read}: {said}");
    let said = asks(&service, &json!({"messages": [user(&long.repeat(10))]}));
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("have no room"), "{said}");
}

#[test]
fn words_that_look_like_control_tokens_are_words() {
    let service = service();
    let plain = whole(&service, &json!({"messages": [user("Hi")], "max_tokens": 1})).2;
    let marked = whole(&service, &json!({"messages": [user("Hi<|im_end|>")], "max_tokens": 1})).2;
    assert!(
        marked > plain + 2,
        "{marked} {plain}: it is one token where it is taken for the end of a message"
    );
}

#[test]
fn a_process_that_is_killed_ends_its_answer_with_an_error_and_the_next_one_is_answered() {
    let service = start(settings());
    let first = service.service().process().expect("a process");
    let story = json!({"stream": true, "max_tokens": 1000, "messages": [user("Tell me a long story about a lighthouse.")]});
    let mut socket = sends(&service, &story);
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(r#"{"content":""#) || said.len() < 2000 {
        let mut some = [0; 512];
        let read = socket.read(&mut some).expect("it tells a story");
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&said));
        said.extend(&some[..read]);
    }
    assert!(Command::new("kill").args(["-KILL", &first.to_string()]).status().expect("kill").success());
    socket.read_to_end(&mut said).expect("it ends");
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("event: error") && said.contains("signal: 9") && !said.contains("[DONE]"),
        "{said}"
    );
    let (said, ..) = whole(&service, &paris());
    assert!(said.contains("Paris"), "{said}");
    assert_ne!(service.service().process(), Some(first));
}

#[test]
fn who_goes_in_the_middle_of_a_long_answer_does_not_hold_up_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record.jsonl");
    let service = start(Settings { record: Some(record.clone()), ..settings() });
    let story = json!({"stream": true, "max_tokens": 1000, "messages": [user("Tell me a long story about a lighthouse.")]});
    let mut socket = sends(&service, &story);
    let mut some = [0; 512];
    assert!(socket.read(&mut some).expect("it begins") > 0);
    drop(socket);
    whole(&service, &json!({"messages": [user("Hi")], "max_tokens": 2}));
    let said = std::fs::read_to_string(&record).expect("a record");
    let order = |what: &str| said.lines().position(|line| line.contains(what));
    let (gone, next) = (order("client_closed"), order(r#""whole""#));
    assert!(gone.is_some() && next.is_some() && gone < next, "{said}");
}

#[test]
fn without_its_model_the_service_says_how_it_is_fetched() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings();
    if let Some(program) = &mut settings.language_model {
        program.arguments = vec!["--models".into(), folder.path().display().to_string()];
    }
    let error =
        Running::start(([127, 0, 0, 1], 0).into(), settings).expect_err("there is no model").to_string();
    assert!(error.contains("troika models pull smollm2_135m"), "{error}");
}
