//! The bridge as a user meets it: a system file with link, router and dialogue, a real service on a socket, and `troika ask`.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::disallowed_methods, reason = "a test of real time")]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use support::{Router, Run, Scratch, command, start};

fn system(port: u16) -> String {
    format!(
        r#"
[system]
name = "words"
[processes.router]
[processes.bridge]
essential = false
[nodes.link]
kind = "link"
process = "router"
params = {{ endpoint = "127.0.0.1:{port}" }}
[nodes.router]
kind = "router"
process = "router"
[nodes.bridge]
kind = "bridge"
process = "bridge"
[nodes.bridge.params]
language = false
[nodes.bridge.params.dialogue.cloud]
url = "http://127.0.0.1:{port}/v1"
model = "m"
plain_http = true
"#
    )
}

/// A service that answers everybody the same, and what it received.
fn service() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::new(Mutex::new(String::new()));
    let log = received.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let log = log.clone();
            // A probe only connects.
            thread::spawn(move || drop(answer(stream, &log)));
        }
    });
    (port, received)
}

fn answer(mut stream: TcpStream, log: &Mutex<String>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body)?;
    log.lock().unwrap().push_str(&String::from_utf8_lossy(&body));
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    for piece in ["Hamlet was written ", "by William Shakespeare."] {
        let event = serde_json::json!({"choices": [{"index": 0, "delta": {"content": piece}}]});
        stream.write_all(format!("data: {event}\n\n").as_bytes())?;
    }
    let end = serde_json::json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    stream.write_all(format!("data: {end}\n\ndata: [DONE]\n\n").as_bytes())
}

/// `troika ask`, beside the system that runs.
fn ask(router: &Router, words: &str) -> Run {
    let mut asks = command(&["ask", "--router", &router.endpoint, words]);
    let output = asks.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Run { code: output.status.code(), text }
}

#[test]
fn a_question_is_answered_by_the_cloud_with_the_reason_and_what_is_private_never_gets_there() {
    let (port, received) = service();
    let scratch = Scratch::new();
    let router = Router::new();
    let file = scratch.file("words.toml", &system(port));
    let running = start(&mut router.run(&file, 240));
    let begin = Instant::now();
    // The system comes up, and its link is measured.
    let run = loop {
        assert!(begin.elapsed() < Duration::from_secs(120), "the cloud is not asked");
        if router.answers() {
            let run = ask(&router, "who wrote hamlet");
            if run.text.contains("[the cloud:") {
                break run;
            }
        }
        thread::sleep(Duration::from_millis(500));
    };
    run.says(&["Hamlet was written by William Shakespeare.", "bytes sent"]);
    assert_eq!(run.code, Some(0), "{run}");
    let before = received.lock().unwrap().len();
    let run = ask(&router, "what does my last message say");
    run.says(&["it was not answered"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(received.lock().unwrap().len(), before, "not a word of it left");
    running.terminate();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn without_a_system_and_without_a_dialogue_it_says_what_to_do() {
    let run = ask(&Router::new(), "who wrote hamlet");
    run.says(&["troika run"]);
    assert_eq!(run.code, Some(1), "{run}");
}

#[test]
fn a_wrong_parameter_is_told_by_the_check() {
    let scratch = Scratch::new();
    for (from, to, says) in [
        ("plain_http = true", "", "plain_http = true"),
        ("language = false", "names_file = \"no.txt\"", "cannot read no.txt"),
        ("language = false", "langauge = false", "langauge"),
        ("model = \"m\"", "", "model"),
    ] {
        let file = scratch.file("words.toml", &system(8808).replace(from, to));
        let run = support::troika(&["check", &file]);
        run.says(&[says]);
        assert_ne!(run.code, Some(0), "{run}");
    }
}
