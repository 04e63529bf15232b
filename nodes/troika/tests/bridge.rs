//! The bridge as a user meets it: a system file with link, router and dialogue, a real service on a socket, and `troika ask`.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::disallowed_methods, reason = "a test of real time")]

mod support;

use std::{
    fs,
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc::channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use support::{Router, Run, Scratch, command, start};
use troika_conformance::chat;
use troika_host::{Clock, Edge, HostClock};
use troika_kit::{Message, Qos};
use troika_msgs::{
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, LanguageReply, LanguageRequest, RoutingDecision},
};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};

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
    let Some((_, body)) = chat::request(&mut BufReader::new(stream.try_clone()?))? else { return Ok(()) };
    log.lock().unwrap().push_str(&body);
    let pieces = ["Hamlet was written ", "by William Shakespeare."].map(chat::piece).concat();
    stream.write_all((chat::STREAM.to_owned() + &pieces + &chat::end()).as_bytes())
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
    troika_safety::verifies![SR_RTE_001];
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
    let run = ask(&router, "open the window");
    run.says(&["[the vehicle: it is for the vehicle itself]", "as a command"]);
    assert_eq!(received.lock().unwrap().len(), before, "nor of what is for the vehicle");
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

/// Each of the processes is killed so often: a few times, or as many as `TROIKA_KILLS` says.
fn kills() -> usize {
    std::env::var("TROIKA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// The process whose command line has this in it, of those that a run started.
fn child(run: u32, program: &str) -> Option<Pid> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|one| one.file_name().to_str()?.parse::<u32>().ok()).find_map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        let named = String::from_utf8_lossy(&line).contains(program);
        (parent == run && named).then(|| Pid::from_raw(pid.try_into().ok()?)).flatten()
    })
}

/// Kills it, and waits until it is gone: what comes then is no answer of its own.
fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
    let begin = Instant::now();
    // A process that has ended has no command line, buried or not.
    while !fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{pid:?} does not end");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Asks again and again, each time anew, until one answer to a question of this call is `right`; how long that took. The ids of its
/// questions begin with `call`, and no other call's do: an answer to what was asked before may still be on its way.
fn answered<Q: Message + 'static, A: Message + Clone + Send + 'static>(
    edge: &Edge,
    [ask, answer]: [&str; 2],
    call: &str,
    question: impl Fn(String) -> Q,
    right: impl Fn(&A) -> Option<&str>,
) -> Duration {
    let (heard, answers) = channel();
    let _answers =
        edge.subscribe::<A>(answer, Qos::DEFAULT, move |sample| drop(heard.send(sample.value))).unwrap();
    let mut questions = edge.publisher::<Q>(ask, Qos::DEFAULT).unwrap();
    let begin = Instant::now();
    for n in 0.. {
        assert!(begin.elapsed() < Duration::from_secs(120), "nobody answers on {answer}");
        questions.send(&question(format!("{call}:{n}"))).unwrap();
        let until = Instant::now() + Duration::from_millis(100);
        while let Ok(one) = answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let of_this_call = |id: &str| id.strip_prefix(call).is_some_and(|n| n.starts_with(':'));
            if right(&one).is_some_and(of_this_call) {
                return begin.elapsed();
            }
        }
    }
    unreachable!("it returned, or it failed")
}

#[test]
fn whoever_is_killed_is_started_again_and_answers() {
    let (port, _) = service();
    let scratch = Scratch::new();
    let router = Router::new();
    let again = "essential = false\nrestarts_per_minute = 600\n";
    let text = system(port).replace("[processes.router]\n", &format!("[processes.router]\n{again}")).replace(
        "[processes.bridge]\nessential = false\n",
        &format!("[processes.bridge]\n{again}[processes.slm]\n{again}"),
    ) + "[nodes.slm]\nkind = \"slm\"\nprocess = \"slm\"\n";
    let file = scratch.file("words.toml", &text);
    let running = start(&mut router.run(&file, 1200));
    let options = ZenohOptions { router: router.endpoint.clone(), ..ZenohOptions::default() };
    let transport = ZenohTransport::open(options).unwrap();
    let edge = Edge::new(&transport, Clock::Host(HostClock::start()), "/", "killer").unwrap();
    let request = |request_id: String| DialogueRequest {
        request_id,
        text: "where is the nearest cafe".into(),
        task: DialogueRequest::NAVIGATION,
        privacy: DialogueRequest::PUBLIC,
        ..DialogueRequest::default()
    };
    let mut times: Vec<(&str, Vec<Duration>)> = Vec::new();
    for (process, program) in
        [("bridge", "troika-bridge"), ("router", "--process\0router"), ("slm", "troika-slm")]
    {
        let mut took = Vec::new();
        for killed in 0..=kills() {
            if killed > 0 {
                kill(child(running.id(), program).unwrap_or_else(|| panic!("no {process}")));
            }
            let call = format!("{process}-{killed}");
            let took_now = match process {
                "bridge" => answered(
                    &edge,
                    ["/dialogue/request", "/dialogue/reply"],
                    &call,
                    request,
                    |reply: &DialogueReply| {
                        let whole = reply.done && reply.outcome == DialogueReply::COMPLETE;
                        whole.then_some(&*reply.request_id)
                    },
                ),
                "router" => answered(
                    &edge,
                    ["/dialogue/request", "/dialogue/decision"],
                    &call,
                    request,
                    |decision: &RoutingDecision| Some(&*decision.request_id),
                ),
                _ => answered(
                    &edge,
                    ["/voice/language_request", "/voice/language_reply"],
                    &call,
                    |request_id| LanguageRequest {
                        header: Header::at(edge.now()),
                        request_id,
                        task: LanguageRequest::INTERPRET,
                        text: "open the window".into(),
                        // Late is an answer too: of a model that is loaded and works.
                        deadline: troika_kit::Duration::from_millis(300).into(),
                        ..LanguageRequest::default()
                    },
                    |reply: &LanguageReply| {
                        (reply.status != LanguageReply::UNAVAILABLE).then_some(&*reply.request_id)
                    },
                ),
            };
            if killed > 0 {
                took.push(took_now);
            }
        }
        took.sort_unstable();
        times.push((process, took));
    }
    running.terminate();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
    for (process, took) in times {
        let (middle, longest) = (took[took.len() / 2], took[took.len() - 1]);
        println!(
            "{process}: killed {} times, answers again after {middle:?}, at most {longest:?}",
            took.len()
        );
        run.says(&[&format!("process '{process}' was started again {} times", took.len())]);
    }
}
