//! The stand-in on a socket: with the vehicle's own client, and with plain bytes where that would not see what is sent.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use serde_json::Value;
use troika_dialogue::{
    CloudConfig, Fault, FromCloud, HttpUpstream, Navigation, Situation, Town, Upstream as _,
    chat::{ChatRequest, Message},
    session::Tools as _,
};
use troika_expert::{
    fault::Faults,
    server::{Running, Settings},
};

/// A net for what must come; nothing here depends on how soon.
const NET: Duration = Duration::from_secs(30);

fn at_once() -> Settings {
    Settings { tokens_per_second: 0.0, first_token: Duration::ZERO, ..Settings::default() }
}

fn started(settings: Settings) -> Running {
    Running::start(([127, 0, 0, 1], 0).into(), settings).expect("started")
}

fn failing(faults: &str) -> Settings {
    Settings { faults: Faults::read(faults).expect("faults"), ..at_once() }
}

/// The vehicle's client.
struct Car {
    upstream: HttpUpstream,
    heard: mpsc::Receiver<FromCloud>,
    streams: u64,
}

impl Car {
    fn of(service: &Running, key: Option<&Path>) -> Car {
        let (tell, heard) = mpsc::channel();
        let config = CloudConfig {
            plain_http: true,
            key_file: key.map(Into::into),
            ..CloudConfig::new(&service.url(), "large")
        };
        let sink = Arc::new(move |_, what| drop(tell.send(what)));
        Car { upstream: HttpUpstream::new(&config, sink).expect("a client"), heard, streams: 0 }
    }

    fn starts(&mut self, messages: &[Message]) {
        self.streams += 1;
        let tools = tools().specs();
        self.upstream.start(
            self.streams,
            ChatRequest { model: String::new(), messages: messages.to_vec(), tools, most_tokens: 300 },
        );
    }

    fn hears(&self) -> FromCloud {
        self.heard.recv_timeout(NET).expect("something within 30 s")
    }

    /// The text, and how it ended.
    fn asks(&mut self, messages: &[Message]) -> (String, FromCloud) {
        self.starts(messages);
        let mut text = String::new();
        loop {
            match self.hears() {
                FromCloud::Text(more) => text.push_str(&more),
                end => return (text, end),
            }
        }
    }
}

fn tools() -> Navigation {
    Navigation::new(Town::brellin(), Situation { east_m: 0.0, north_m: 0.0, minute_of_day: 870 })
}

fn user(text: &str) -> Message {
    Message::User(text.into())
}

#[test]
fn the_vehicle_s_client_is_sent_calls_and_then_an_answer() {
    let service = started(at_once());
    let mut car = Car::of(&service, None);
    let mut messages = vec![user("Where is the nearest cafe?")];
    let (text, end) = car.asks(&messages);
    let FromCloud::Tools(calls) = end else { panic!("{end:?}") };
    assert_eq!(
        (text.as_str(), calls[0].name.as_str(), calls[0].arguments.as_str()),
        ("", "find_places", r#"{"kind":"cafe"}"#)
    );
    let result = tools().call(&calls[0]).expect("told");
    messages.extend([Message::Calls(calls.clone()), Message::Tool { id: calls[0].id.clone(), result }]);
    let (text, end) = car.asks(&messages);
    assert_eq!(end, FromCloud::Done);
    assert!(text.contains("The nearest cafe is Platform Nine Coffee."), "{text}");
}

#[test]
fn faults_are_what_the_vehicle_takes_them_for() {
    let service = started(failing(
        "[[fault]]\nwhat = \"status=429; retry-after=7\"\nrequests = [1]\n[[fault]]\nwhat = \"status=402\"\nrequests = [2]\n\
         [[fault]]\nwhat = \"status=500\"\nrequests = [3]\n[[fault]]\nwhat = \"reset=3\"\nrequests = [4]\n\
         [[fault]]\nwhat = \"truncate=3\"\nrequests = [5]\n[[fault]]\nwhat = \"garbage=3\"\nrequests = [6]\n",
    ));
    let mut car = Car::of(&service, None);
    let question = [user("Why is the sky blue?")];
    let mut fault = || match car.asks(&question) {
        (text, FromCloud::Failed(fault)) => (text, fault),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault().1, Fault::RateLimited { retry_after: Some(troika_kit::Duration::from_secs(7)) });
    assert_eq!(fault().1, Fault::PaymentRequired);
    assert!(matches!(fault().1, Fault::Server { status: 500, .. }));
    // The client's library may take a reset for an early end; that it is one is held below, by the bytes.
    for names in [&["reset", "truncated"][..], &["truncated"], &["malformed"]] {
        let (text, fault) = fault();
        assert!("The sky is".starts_with(text.as_str()), "{names:?}: {text}");
        assert!(names.contains(&fault.name()), "{fault:?}");
    }
    let (text, end) = car.asks(&question);
    assert!(end == FromCloud::Done && text.ends_with("red is what is left."), "{text} {end:?}");
}

/// The bytes of an answer, until the service closes or resets.
fn raw(service: &Running, head: &str, body: &str) -> (String, io::Result<usize>) {
    let mut socket = TcpStream::connect(service.address()).expect("connected");
    socket.set_read_timeout(Some(NET)).expect("a net");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    let end = socket.read_to_end(&mut bytes);
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

const SKY: &str = r#"{"stream": true, "messages": [{"role": "user", "content": "Why is the sky blue?"}]}"#;

#[test]
fn a_reset_is_a_reset_and_a_truncated_answer_is_none() {
    let service = started(at_once());
    let (_, end) = raw(&service, "x-expert-fault: reset=2\r\n", SKY);
    assert_eq!(end.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);
    let (text, end) = raw(&service, "x-expert-fault: truncate=2\r\n", SKY);
    end.expect("closed");
    assert!(text.contains("\"The\"") && !text.contains("[DONE]") && !text.contains("\"stop\""), "{text}");
    let (text, _) = raw(&service, "", SKY);
    assert!(text.contains("[DONE]") && text.contains("\"finish_reason\":\"stop\""), "{text}");
    assert!(text.to_lowercase().contains("x-troika-expert: scripted stand-in, no language model"), "{text}");
    assert!(text.contains("troika-expert (a scripted stand-in, no language model)"), "{text}");
}

#[test]
fn bad_requests_are_told_what_would_do() {
    let service = started(at_once());
    let (text, _) = raw(&service, "", "{\"stream\": true}");
    assert!(text.starts_with("HTTP/1.1 400") && text.contains("missing field `messages`"), "{text}");
    let (text, _) = raw(&service, "x-expert-fault: explode=1\r\n", SKY);
    assert!(text.starts_with("HTTP/1.1 400") && text.contains("there are: status=429"), "{text}");
    let whole = SKY.replace("true", "false");
    let (text, _) = raw(&service, "", &whole);
    let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert!(body["choices"][0]["message"]["content"].as_str().expect("text").contains("Rayleigh"));
    let mut socket = TcpStream::connect(service.address()).expect("connected");
    socket.write_all(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("read");
    assert!(text.contains("no language model"), "{text}");
}

#[test]
fn a_barge_in_reaches_a_stalled_stream_and_the_record_tells_what_came_but_no_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let (record, key) = (folder.path().join("record.jsonl"), folder.path().join("key"));
    std::fs::write(&key, "very-secret-key").expect("written");
    let settings =
        Settings { record: Some(record.clone()), ..failing("[[fault]]\nwhat = \"stall=2\"\nevery = 1\n") };
    let service = started(settings);
    let mut car = Car::of(&service, Some(&key));
    car.starts(&[Message::System("The driver lives at Canary Wharf.".into()), user("Why is the sky blue?")]);
    let mut text = String::new();
    while text != "The sky" {
        match car.hears() {
            FromCloud::Text(more) => text.push_str(&more),
            end => panic!("{text}: {end:?}"),
        }
    }
    car.upstream.stop(1);
    let lines = || std::fs::read_to_string(&record).expect("a record");
    let mut waits = 0;
    while !lines().contains("client_closed") {
        waits += 1;
        assert!(waits < 3000, "{}", lines());
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let said = lines();
    assert!(said.contains("Canary Wharf"), "{said}");
    assert!(!said.contains("very-secret-key"), "{said}");
    assert!(said.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{said}");
}

#[test]
fn a_service_that_stalls_can_be_stopped() {
    let service = started(failing("[[fault]]\nwhat = \"stall=0\"\nevery = 1\n"));
    let mut car = Car::of(&service, None);
    car.starts(&[user("Why is the sky blue?")]);
    // The role goes out with the first token, which never comes: nothing is heard, and the drop ends it.
    drop(service);
    assert!(matches!(car.hears(), FromCloud::Failed(_)));
}

#[test]
fn the_program_says_what_it_is_and_ends_at_ctrl_c() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_troika-expert"))
        .args(["--listen", "127.0.0.1:0", "--first-token-ms", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut line = String::new();
    BufReader::new(program.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert!(line.contains("no language model") && line.contains("http://127.0.0.1:"), "{line}");
    let kill = Command::new("kill").args(["-INT", &program.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    assert!(program.wait().expect("ended").success());
    let faults = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(faults.path(), "[[fault]]\nwhat = \"rest=5\"\n").expect("written");
    let wrong = Command::new(env!("CARGO_BIN_EXE_troika-expert"))
        .arg("--faults")
        .arg(faults.path())
        .output()
        .expect("ran");
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        !wrong.status.success() && said.contains("line 2") && said.contains("there are: status=429"),
        "{said}"
    );
}

/// A request beside questions, as an uplink sends it.
fn posts(service: &Running, path: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(service.address()).expect("connected");
    socket.set_read_timeout(Some(NET)).expect("a net");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(request.as_bytes()).expect("sent");
    // What is too large is refused before all of it is sent.
    let _ = socket.write_all(body.as_bytes());
    let mut text = String::new();
    let _ = socket.read_to_string(&mut text);
    text
}

#[test]
fn what_an_uplink_sends_is_taken_as_the_gateway_takes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record.jsonl");
    let service = started(Settings { record: Some(record.clone()), ..at_once() });
    let report = r#"{"link":"up","rtt_ms":80,"tier":"cloud","driver_state":"attentive","errors":0}"#;
    assert!(posts(&service, "/v1/vehicle/report", report).starts_with("HTTP/1.1 204"));
    let batch = r#"[{"id":"message-4711","kind":"message","body":{"text":"I am late"}}]"#;
    let said = posts(&service, "/v1/outbox", batch);
    assert!(said.starts_with("HTTP/1.1 200") && said.contains(r#""accepted":["message-4711"]"#), "{said}");
    let said = posts(&service, "/v1/outbox", batch);
    assert!(said.contains(r#""known":["message-4711"]"#) && said.contains(r#""accepted":[]"#), "{said}");
    let said = posts(&service, "/v1/outbox", "[]");
    assert!(said.starts_with("HTTP/1.1 400") && said.contains(r#""code":"bad_request""#), "{said}");
    let counts = service.service().counts();
    assert_eq!((counts.reports, counts.accepted, counts.known), (1, 1, 1));
    let written = std::fs::read_to_string(&record).expect("a record");
    assert!(written.contains("I am late") && written.contains("/v1/vehicle/report"), "{written}");
}

/// The vehicle's own client of the gateway says it in its own bytes.
#[test]
fn the_vehicle_s_client_delivers_to_it() {
    let service = started(at_once());
    let config = CloudConfig { plain_http: true, ..CloudConfig::new(&service.url(), "large") };
    let client = troika_dialogue::Client::new(&config).expect("a client");
    let said = client.post("/outbox", r#"[{"id":"a","kind":"note","body":1}]"#).expect("taken");
    assert!(said.contains(r#""accepted":["a"]"#), "{said}");
}
