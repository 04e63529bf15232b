//! The language model's process as the service keeps it, with a script in its place that dies, hangs on and talks nonsense when it is asked
//! to. The model itself is asked in nodes/voice/slm/tests/expert.rs.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use troika_expert::{
    embedded::Program,
    server::{Running, Settings},
};

/// A net for what must come; nothing here depends on how soon.
const NET: Duration = Duration::from_secs(60);

/// Committed and not written here: a file that another test's process still holds open for writing, as it begins, may not be run.
fn child(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", name].iter().collect()
}

struct Bench {
    service: Running,
    record: PathBuf,
    _folder: tempfile::TempDir,
}

fn started(waiting: usize) -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record.jsonl");
    let language_model = Some(Program { waiting, ..Program::new(child("child.sh")) });
    let settings = Settings { language_model, record: Some(record.clone()), ..Settings::default() };
    let service = Running::start(([127, 0, 0, 1], 0).into(), settings).expect("started");
    Bench { service, record, _folder: folder }
}

impl Bench {
    fn sends(&self, head: &str, body: &Value) -> TcpStream {
        let body = body.to_string();
        let mut socket = TcpStream::connect(self.service.address()).expect("connected");
        socket.set_read_timeout(Some(NET)).expect("a net");
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).expect("sent");
        socket
    }

    /// All that is answered, and how the connection ended.
    fn asks(&self, head: &str, body: &Value) -> (String, io::Result<usize>) {
        let mut bytes = Vec::new();
        let end = self.sends(head, body).read_to_end(&mut bytes);
        (String::from_utf8_lossy(&bytes).into_owned(), end)
    }

    fn streams(&self, question: &str) -> String {
        self.asks("", &asked(question, true)).0
    }

    fn until(&self, what: &str, is: impl Fn(&str) -> bool) {
        for _ in 0..6000 {
            if is(&std::fs::read_to_string(&self.record).expect("a record")) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("{what} within 60 s");
    }
}

fn asked(question: &str, stream: bool) -> Value {
    json!({"stream": stream, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": question}]})
}

fn text(of: &str) -> String {
    let events = of.lines().filter_map(|line| line.strip_prefix("data: "));
    let json = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    json.filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned())).collect()
}

#[test]
fn it_answers_streamed_and_whole_and_says_what_it_is() {
    let bench = started(1);
    let said = bench.streams("Hi");
    assert_eq!(text(&said), "One é", "{said}");
    assert!(said.contains(r#""model":"a-script""#) && said.contains("[DONE]"), "{said}");
    assert!(said.contains(r#""finish_reason":"stop""#) && said.contains(r#""total_tokens":9"#), "{said}");
    assert!(
        said.to_lowercase().contains("x-troika-expert: small language model beside this service"),
        "{said}"
    );
    let (said, _) = bench.asks("", &asked("Hi", false));
    let body: Value = serde_json::from_str(said.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!(body["choices"][0]["message"]["content"], "One é");
    assert_eq!((&body["usage"]["prompt_tokens"], &body["model"]), (&json!(7), &json!("a-script")));
    bench.until("both ended", |record| record.matches(r#""ended":"whole""#).count() == 2);
}

#[test]
fn a_process_that_dies_ends_the_answer_with_an_error_and_the_next_is_answered_by_another() {
    let bench = started(1);
    let first = bench.service.service().process();
    for (question, why) in [("die", "out of luck"), ("nonsense", "none of the lines"), ("fails", "no memory")]
    {
        let said = bench.streams(question);
        assert_eq!(text(&said), "One");
        assert!(said.contains("event: error") && said.contains(why) && !said.contains("[DONE]"), "{said}");
        let (said, _) = bench.asks("", &asked(question, false));
        assert!(said.starts_with("HTTP/1.1 502") && said.contains(why), "{said}");
        assert_eq!(text(&bench.streams("Hi")), "One é");
    }
    let now = bench.service.service().process();
    assert!(first.is_some() && now.is_some() && now != first);
}

#[test]
fn one_that_is_killed_while_nobody_asks_is_started_again() {
    let bench = started(1);
    let service = bench.service.service();
    let first = service.process().expect("a process");
    let kill = Command::new("kill").args(["-KILL", &first.to_string()]).status().expect("kill");
    assert!(kill.success());
    for _ in 0..6000 {
        if service.process().is_some_and(|now| now != first) {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert_ne!(service.process(), Some(first));
    assert_eq!(text(&bench.streams("Hi")), "One é");
}

/// An answer that does not end before it is cancelled, of which the first word has come.
fn begun(bench: &Bench, question: &str) -> BufReader<TcpStream> {
    let mut first = BufReader::new(bench.sends("", &asked(question, true)));
    let mut line = String::new();
    while !line.contains("One") {
        line.clear();
        assert!(first.read_line(&mut line).expect("read") > 0, "it ended");
    }
    first
}

#[test]
fn who_comes_when_all_places_are_taken_is_sent_away() {
    let bench = started(0);
    let _first = begun(&bench, "for-ever");
    let (said, _) = bench.asks("", &asked("Hi", true));
    assert!(said.starts_with("HTTP/1.1 503") && said.to_lowercase().contains("retry-after: 5"), "{said}");
}

#[test]
fn who_waits_and_goes_frees_his_place() {
    let bench = started(1);
    let first = begun(&bench, "for-ever");
    let second = bench.sends("", &asked("for-ever too", true));
    bench.until("both came", |record| record.matches(r#""headers""#).count() == 2);
    // Who waits and who is answered go; the process is told, and has time for others.
    drop(second);
    bench.until("it is seen to go", |record| record.contains("client_closed"));
    drop(first);
    bench.until("both are", |record| record.matches("client_closed").count() == 2);
    assert_eq!(text(&bench.streams("Hi")), "One é");
}

#[test]
fn who_goes_in_the_moment_in_which_the_answer_ends_costs_no_process() {
    let bench = started(1);
    let process = bench.service.service().process();
    drop(begun(&bench, "just-over"));
    bench.until("it is seen to go", |record| record.contains("client_closed"));
    assert_eq!(text(&bench.streams("Hi")), "One é");
    assert_eq!(bench.service.service().process(), process);
}

#[test]
fn what_cannot_be_answered_is_refused_before_anything_is_said() {
    let bench = started(1);
    let (said, _) = bench.asks("", &asked("too-long", true));
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("no room"), "{said}");
    let mut wants = asked("Hi", true);
    wants["tool_choice"] = json!("required");
    let (said, _) = bench.asks("", &wants);
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("answers in words"), "{said}");
}

#[test]
fn faults_are_the_same_as_the_script_s() {
    let bench = started(1);
    let (_, end) = bench.asks("x-expert-fault: reset=1\r\n", &asked("Hi", true));
    assert_eq!(end.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);
    let (said, end) = bench.asks("x-expert-fault: truncate=1\r\n", &asked("Hi", true));
    end.expect("closed");
    assert!(text(&said) == "One" && !said.contains("[DONE]"), "{said}");
    let (said, _) = bench.asks("x-expert-fault: status=429; retry-after=7\r\n", &asked("Hi", true));
    assert!(said.starts_with("HTTP/1.1 429") && said.to_lowercase().contains("retry-after: 7"), "{said}");
    assert_eq!(text(&bench.streams("Hi")), "One é");
}

#[test]
fn a_service_that_is_stopped_ends_what_it_answers_and_its_process() {
    let bench = started(1);
    let _first = begun(&bench, "for-ever");
    let process = bench.service.service().process().expect("a process");
    drop(bench);
    let gone = || !std::path::Path::new(&format!("/proc/{process}")).exists();
    for _ in 0..6000 {
        if gone() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert!(gone(), "{process} is left");
}

#[test]
fn the_program_says_which_it_is_and_why_it_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (child, without) = (child("child.sh"), child("child-without-model.sh"));
    let expert = || {
        let mut expert = Command::new(env!("CARGO_BIN_EXE_troika-expert"));
        expert.args(["--listen", "127.0.0.1:0", "--language-model", "--slm"]);
        expert
    };
    let mut running = expert().arg(&child).stdout(Stdio::piped()).spawn().expect("started");
    let mut line = String::new();
    BufReader::new(running.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("a-script (small language model beside this service, no cloud's"), "{line}");
    let kill = Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("kill");
    assert!(kill.success() && running.wait().expect("ended").success());
    let fails = |expert: &mut Command| {
        let output = expert.output().expect("ran");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = fails(expert().arg(folder.path().join("elsewhere")));
    assert!(said.contains("elsewhere") && said.contains("cargo build -p troika-slm"), "{said}");
    let said = fails(expert().arg(&child).args(["--tokens-per-second", "8"]));
    assert!(said.contains("cannot be used with"), "{said}");
    let said = fails(expert().arg(&without));
    assert!(said.contains("does not start") && said.contains("troika models pull it"), "{said}");
}
