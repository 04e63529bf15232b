//! How an answer goes on when the cloud is cut in mid-stream: the real processes (`troika-bridge`, `troika-slm`) over a zenoh router of their
//! own, a service on loopback that speaks at a set pace and is reset or falls silent at a random word. Silence is the gap in
//! /voice/reply once what came before has been spoken, at three words a second; nothing is modelled.
//!
//! ```sh
//! cargo run -p troika-bridge --example hand_over -- --turns 60 --words-per-second 8 --json cuts.json
//! ```
//! (after a build of the workspace; `-p` chooses other features, so better `target/debug/examples/hand_over` itself)
#![expect(clippy::disallowed_methods, reason = "a measurement of real time")]
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]

use std::{
    io::{BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use troika_bridge::ports::{Inputs, Outputs};
use troika_conformance::{chat, free_port};
use troika_host::{Clock, HostClock, edge::Edge};
use troika_kit::Ports;
use troika_msgs::{
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest, LanguageReply, LanguageRequest, RoutingDecision, VoiceReply},
};
use troika_transport_open::Carrier;
use troika_transport_zenoh::RouterGuard;

#[derive(Parser)]
struct Arguments {
    /// Turns; every other one is reset, the others fall silent.
    #[arg(long, default_value_t = 40)]
    turns: u32,
    /// How fast the service speaks.
    #[arg(long, default_value_t = 8.0)]
    words_per_second: f32,
    /// Where the cuts fall.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Each turn's text.
    #[arg(long)]
    verbose: bool,
}

/// Spoken words a second.
const PACE: f32 = 3.0;
/// A tool's name and arguments.
type Tool = (&'static str, &'static str);
/// What is asked, the tool that the service calls first (its name, its arguments), and what it says.
const TEXTS: [(&str, Option<Tool>, &str); 3] = [
    (
        "How long does it take to the Museum of Salt?",
        Some(("eta", "{\"to\":\"Museum of Salt\"}")),
        "The Museum of Salt is a fine place for an afternoon, and it is not far. The way there is easy to find. There is room to park \
         beside it, and the cafe in its yard is open all day.",
    ),
    (
        "Why is the sky blue?",
        None,
        "The sky is blue because air scatters short waves of light more than long ones. Blue light has a short wave. So it reaches the eye from \
         all sides, while the red light of the sun goes straight on. In the evening the way through the air is longer.",
    ),
    (
        "Who was Marie Curie?",
        None,
        "Marie Curie was a physicist and chemist who was born in Warsaw. She found two elements together with her husband Pierre. She was the \
         first person to win two Nobel prizes. Her work on radioactivity is still of use in hospitals today.",
    ),
];

#[derive(Default)]
struct Plan {
    tool: Option<Tool>,
    text: String,
    cut: usize,
    reset: bool,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn beside(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let folder = here.parent().and_then(Path::parent).unwrap();
    let file = folder.join(name);
    assert!(file.is_file(), "{} is not there: build the workspace first", file.display());
    file
}

fn start(name: &str, settings: &str) -> Killed {
    let mut command = Command::new(beside(name));
    command.env_remove("ROS_DOMAIN_ID").env_remove("TROIKA_ZENOH_ENDPOINT");
    Killed(command.args(["--config", settings]).stdin(Stdio::null()).spawn().unwrap())
}

fn serve(plan: Arc<Mutex<Plan>>, pace: f32) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let plan = plan.clone();
            thread::spawn(move || drop(answer(stream, &plan, pace)));
        }
    });
    port
}

fn answer(mut stream: TcpStream, plan: &Mutex<Plan>, pace: f32) -> std::io::Result<()> {
    let Some((_, body)) = chat::request(&mut BufReader::new(stream.try_clone()?))? else { return Ok(()) };
    let (tool, text, cut, reset) = {
        let plan = plan.lock().unwrap();
        (plan.tool, plan.text.clone(), plan.cut, plan.reset)
    };
    let told = body.contains("\"role\":\"tool\"");
    stream.write_all(chat::STREAM.as_bytes())?;
    thread::sleep(Duration::from_millis(300));
    if let Some((name, arguments)) = tool.filter(|_| !told) {
        let call = serde_json::json!({"index": 0, "id": "a", "type": "function",
            "function": {"name": name, "arguments": arguments}});
        let event = serde_json::json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]},
            "finish_reason": "tool_calls"}]});
        return stream.write_all(format!("data: {event}\n\ndata: [DONE]\n\n").as_bytes());
    }
    for (index, word) in text.split_inclusive(' ').enumerate() {
        if index == cut {
            if !reset {
                // Until the other side has had enough.
                let _ = stream.read(&mut [0; 1]);
            }
            return Ok(());
        }
        stream.write_all(chat::piece(word).as_bytes())?;
        thread::sleep(Duration::from_secs_f32(1.0 / pace));
    }
    stream.write_all(chat::end().as_bytes())
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn share(sorted: &[f64], part: f64) -> f64 {
    let at = ((sorted.len() as f64 - 1.0) * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn main() {
    let arguments = Arguments::parse();
    let endpoint = format!("tcp/127.0.0.1:{}", free_port());
    let _router = RouterGuard::ensure(&endpoint).unwrap();
    let plan = Arc::new(Mutex::new(Plan::default()));
    let port = serve(plan.clone(), arguments.words_per_second);
    let _slm = start("troika-slm", &serde_json::json!({"router": endpoint}).to_string());
    let settings = serde_json::json!({
        "router": endpoint,
        "dialogue": {"breaker_failures": 100, "cloud": {
            "url": format!("http://127.0.0.1:{port}/v1"), "model": "paced", "plain_http": true}},
    });
    let _bridge = start("troika-bridge", &settings.to_string());
    let carrier = Carrier { router: Some(endpoint), ..Carrier::default() };
    let transport = carrier.open().unwrap();
    let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", "cuts").unwrap();
    let (sender, came) = mpsc::channel();
    let (reply, speech) = (<Outputs as Ports>::SPECS[0], <Outputs as Ports>::SPECS[1]);
    let ends = sender.clone();
    let _replies = edge
        .subscribe::<DialogueReply>(reply.topic, reply.qos, move |one| {
            let _ = ends.send((Instant::now(), None, Some(one.value)));
        })
        .unwrap();
    let _speech = edge
        .subscribe::<VoiceReply>(speech.topic, speech.qos, move |one| {
            let _ = sender.send((Instant::now(), Some(one.value.text), None));
        })
        .unwrap();
    let [request, decision, model, ..] = *<Inputs as Ports>::SPECS else { unreachable!() };
    let mut requests = edge.publisher::<DialogueRequest>(request.topic, request.qos).unwrap();
    let mut decisions = edge.publisher::<RoutingDecision>(decision.topic, decision.qos).unwrap();
    ready(&edge, model);

    let mut seed = arguments.seed;
    let mut silences: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let (mut gone_on, mut broken, mut lost, mut repeated) = (0, 0, 0, 0);
    for turn in 0..arguments.turns {
        let (question, tool, text) = TEXTS[turn as usize % TEXTS.len()];
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = words(text) as u64;
        let cut = 1 + ((seed >> 33) % (count - 1)) as usize;
        let reset = turn % 2 == 0;
        *plan.lock().unwrap() = Plan { tool, text: text.to_owned(), cut, reset };
        let request_id = format!("turn-{turn}");
        let tier = DialogueReply::CLOUD;
        decisions
            .send(&RoutingDecision { request_id: request_id.clone(), tier, ..RoutingDecision::default() })
            .unwrap();
        requests
            .send(&DialogueRequest {
                header: Header::at(edge.now()),
                request_id: request_id.clone(),
                // Each is a conversation of its own.
                conversation_id: request_id.clone(),
                text: question.into(),
                task: DialogueRequest::DIALOGUE,
                privacy: DialogueRequest::PUBLIC,
                complexity: f32::NAN,
                ..DialogueRequest::default()
            })
            .unwrap();
        let (mut said, mut spoken_until, mut silence) = (String::new(), None::<Instant>, 0.0_f64);
        let end = loop {
            let Ok((at, text, reply)) = came.recv_timeout(Duration::from_secs(90)) else { break None };
            if let Some(text) = text {
                if let Some(until) = spoken_until {
                    silence = silence.max(at.saturating_duration_since(until).as_secs_f64());
                }
                let takes = Duration::from_secs_f32(words(&text) as f32 / PACE);
                spoken_until = Some(spoken_until.map_or(at, |until| until.max(at)) + takes);
                said = format!("{said} {text}");
            }
            if let Some(reply) = reply.filter(|reply| reply.done && reply.request_id == request_id) {
                break Some(reply);
            }
        };
        let Some(end) = end else {
            lost += 1;
            continue;
        };
        silences[usize::from(!reset)].push(silence * 1e3);
        if end.outcome == DialogueReply::COMPLETE {
            gone_on += 1
        } else {
            broken += 1
        }
        let sentences: Vec<&str> = said.split_inclusive(['.', '!', '?']).map(str::trim).collect();
        let twice = |one: &&&str| words(one) > 3 && sentences.iter().filter(|other| other == one).count() > 1;
        repeated += usize::from(sentences.iter().any(|one| twice(&one)));
        if arguments.verbose {
            println!(
                "{turn} {} cut after {cut}, {silence:.2} s, {}:{said}",
                if reset { "reset" } else { "black hole" },
                end.reason
            );
        }
    }
    let mut rows = Vec::new();
    for (name, all) in ["reset", "black_hole"].iter().zip(&mut silences) {
        all.sort_by(f64::total_cmp);
        let (p50, p99) = (share(all, 0.5), share(all, 0.99));
        let max = all.last().copied().unwrap_or(f64::NAN);
        println!("{name}: {} cuts, silence p50 {p50:.0} ms, p99 {p99:.0}, max {max:.0}", all.len());
        rows.push(serde_json::json!({"cut": name, "n": all.len(), "silence_ms": {"p50": p50, "p99": p99, "max": max}}));
    }
    println!(
        "gone on {gone_on}, ended with a sentence that says so {broken}, lost {lost}, with a sentence twice {repeated}"
    );
    if let Some(file) = &arguments.json {
        let all = serde_json::json!({"cuts": rows, "gone_on": gone_on, "ended": broken, "lost": lost, "repeated": repeated,
            "words_per_second": arguments.words_per_second, "seed": arguments.seed});
        std::fs::write(file, serde_json::to_vec_pretty(&all).unwrap()).unwrap();
    }
}

/// Waits until the language model answers.
fn ready(edge: &Edge, replies: troika_kit::PortSpec) {
    let (sender, came) = mpsc::channel();
    let _replies = edge
        .subscribe::<LanguageReply>(replies.topic, replies.qos, move |one| drop(sender.send(one.value)))
        .unwrap();
    let language = <Outputs as Ports>::SPECS[2];
    let mut asks = edge.publisher::<LanguageRequest>(language.topic, language.qos).unwrap();
    for n in 0..100 {
        let request = LanguageRequest {
            header: Header::at(edge.now()),
            request_id: format!("ready-{n}"),
            task: LanguageRequest::ANSWER,
            text: "Which river flows through Paris?".into(),
            deadline: troika_kit::Duration::from_secs(60).into(),
            ..LanguageRequest::default()
        };
        asks.send(&request).unwrap();
        let until = Instant::now() + Duration::from_secs(3);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match came.recv_timeout(left) {
                Ok(reply) if reply.status == LanguageReply::DONE => return,
                Ok(reply) if reply.status == LanguageReply::UNAVAILABLE => {
                    panic!("the language model is not there: {}", reply.reason)
                }
                _ => {}
            }
        }
    }
    panic!("the language model does not answer");
}
