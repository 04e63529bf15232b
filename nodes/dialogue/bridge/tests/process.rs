//! The program itself over zenoh: a question in, a real service on a socket that is cut in mid-sentence, and the vehicle's side going on.
#![allow(clippy::disallowed_methods, reason = "a test of real time")]

use std::{
    io::{BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Instant,
};

use rustix::process::Signal;
use troika_bridge::ports::{Inputs, Outputs};
use troika_conformance::{chat, free_port, program::Program};
use troika_host::{
    Clock, HostClock,
    edge::{Edge, TypedPublisher, TypedSubscription},
};
use troika_kit::{Duration, Message, Ports};
use troika_msgs::{
    std_msgs::Header,
    troika::{
        DialogueReply, DialogueRequest, LanguageReply, LanguageRequest, LinkSample, RoutingDecision,
        VoiceActivity, VoiceReply,
    },
};
use troika_transport::Transport;
use troika_transport_open::Carrier;
use troika_transport_zenoh::RouterGuard;

const PROGRAM: &str = env!("CARGO_BIN_EXE_troika-bridge");
/// It ends within.
const ENDS: Duration = Duration::from_secs(20);
/// Whoever takes longer than this hangs.
const HANGS: Duration = Duration::from_secs(60);

/// A service that says its pieces one after another, then breaks off, ends, or says nothing until the socket is closed.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    Cut,
    Well,
    Never,
}

struct Service {
    port: u16,
    received: Arc<Mutex<String>>,
    closed: Receiver<()>,
}

impl Service {
    fn start(pieces: &'static [&'static str], ends: Ends) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let received = Arc::new(Mutex::new(String::new()));
        let (told, closed) = channel();
        let log = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, told) = (log.clone(), told.clone());
                thread::spawn(move || {
                    let _ = answer(stream, pieces, ends, &log);
                    let _ = told.send(());
                });
            }
        });
        Service { port, received, closed }
    }
}

fn answer(mut stream: TcpStream, pieces: &[&str], ends: Ends, log: &Mutex<String>) -> std::io::Result<()> {
    let Some((_, body)) = chat::request(&mut BufReader::new(stream.try_clone()?))? else { return Ok(()) };
    log.lock().expect("whole").push_str(&body);
    stream.write_all(chat::STREAM.as_bytes())?;
    for piece in pieces {
        stream.write_all(chat::piece(piece).as_bytes())?;
        stream.flush()?;
    }
    match ends {
        Ends::Cut => {}
        Ends::Well => stream.write_all(chat::end().as_bytes())?,
        // Until the other side goes.
        Ends::Never => drop(stream.read(&mut [0; 1])),
    }
    Ok(())
}

/// The rest of the vehicle: it asks, decides, and answers in the model's place.
struct Car {
    edge: Edge,
    replies: Receiver<DialogueReply>,
    speech: Receiver<VoiceReply>,
    language: Receiver<LanguageRequest>,
    samples: Receiver<LinkSample>,
    request: TypedPublisher<DialogueRequest>,
    decision: TypedPublisher<RoutingDecision>,
    model: TypedPublisher<LanguageReply>,
    activity: TypedPublisher<VoiceActivity>,
    _subscriptions: Vec<TypedSubscription>,
    _transport: Arc<dyn Transport>,
    _router: RouterGuard,
    program: Program,
}

impl Car {
    fn start(service: &Service) -> Car {
        Car::traced(service, serde_json::Value::Null)
    }

    fn traced(service: &Service, trace: serde_json::Value) -> Car {
        let endpoint = format!("tcp/127.0.0.1:{}", free_port());
        let router = RouterGuard::ensure(&endpoint).expect("the port is free");
        let settings = serde_json::json!({
            "router": endpoint,
            "dialogue": {
                "cloud": {
                    "url": format!("http://127.0.0.1:{}/v1", service.port), "model": "m", "plain_http": true,
                },
                // What is cut is cut here, and not what a busy machine brings late.
                "first_token_soft_ms": 20_000, "first_token_hard_ms": 30_000,
                "stall_soft_ms": 20_000, "stall_hard_ms": 30_000, "stall_most_ms": 40_000,
            },
            "trace": trace,
        });
        let program = Program::start(PROGRAM, &settings.to_string());
        let carrier = Carrier { router: Some(endpoint), ..Carrier::default() };
        let transport = carrier.open().expect("a session");
        let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", "car").expect("an edge");
        let mut subscriptions = Vec::new();
        let [reply, speech, language, sample] = *<Outputs as Ports>::SPECS else { unreachable!() };
        let replies = listen(&edge, reply, &mut subscriptions);
        let speech = listen(&edge, speech, &mut subscriptions);
        let language = listen(&edge, language, &mut subscriptions);
        let samples = listen(&edge, sample, &mut subscriptions);
        let [request, decision, model, _, activity] = *<Inputs as Ports>::SPECS else { unreachable!() };
        let request = edge.publisher(request.topic, request.qos).expect("a publisher");
        let decision = edge.publisher(decision.topic, decision.qos).expect("a publisher");
        let model = edge.publisher(model.topic, model.qos).expect("a publisher");
        let activity = edge.publisher(activity.topic, activity.qos).expect("a publisher");
        let begin = Instant::now();
        // All of its ears, not the first of them: a decision that is lost would make another's answer of the question that is heard.
        let hears = |port: &troika_kit::PortSpec| {
            let graph = transport.graph().expect("a graph");
            graph
                .endpoints
                .iter()
                .any(|end| end.node == "/bridge" && !end.publishes && end.topic == port.topic)
        };
        while !<Inputs as Ports>::SPECS.iter().all(hears) {
            assert!(begin.elapsed() < HANGS, "it is not there");
            thread::sleep(Duration::from_millis(20));
        }
        Car {
            edge,
            replies,
            speech,
            language,
            samples,
            request,
            decision,
            model,
            activity,
            _subscriptions: subscriptions,
            _transport: transport,
            _router: router,
            program,
        }
    }

    /// Asks until the first answer comes: the program's ears may not be open yet.
    fn asks(&mut self, id: &str, text: &str, tier: u8) -> DialogueReply {
        let begin = Instant::now();
        for n in 0.. {
            assert!(begin.elapsed() < HANGS, "no answer");
            let request_id = format!("{id}-{n}");
            let decision =
                RoutingDecision { request_id: request_id.clone(), tier, ..RoutingDecision::default() };
            self.decision.send(&decision).expect("sent");
            let request = DialogueRequest {
                header: Header::at(self.edge.now()),
                request_id,
                conversation_id: "c".into(),
                text: text.into(),
                task: DialogueRequest::NAVIGATION,
                privacy: DialogueRequest::PUBLIC,
                complexity: f32::NAN,
                ..DialogueRequest::default()
            };
            self.request.send(&request).expect("sent");
            if let Ok(reply) = self.replies.recv_timeout(Duration::from_secs(5)) {
                return reply;
            }
        }
        unreachable!()
    }

    fn end(&self) -> DialogueReply {
        loop {
            let reply = self.replies.recv_timeout(HANGS).expect("the answer ends");
            if reply.done {
                return reply;
            }
        }
    }

    fn spoken(&self) -> String {
        let parts: Vec<String> = self.speech.try_iter().map(|reply| reply.text).collect();
        parts.join(" ")
    }
}

fn listen<T: Message + Send + 'static>(
    edge: &Edge,
    port: troika_kit::PortSpec,
    all: &mut Vec<TypedSubscription>,
) -> Receiver<T> {
    let (sender, receiver) = channel();
    let each = move |sample: troika_kit::Sample<T>| drop(sender.send(sample.value));
    all.push(edge.subscribe::<T>(port.topic, port.qos, each).expect("a subscription"));
    receiver
}

#[test]
fn a_service_that_is_cut_in_mid_sentence_is_gone_on_with_and_nothing_is_said_twice() {
    troika_safety::verifies![SR_RTE_002, SR_RTE_004];
    let service = Service::start(&["The Old Mill Cafe is near. ", "It is open un"], Ends::Cut);
    let mut car = Car::start(&service);
    let first = car.asks("u", "Call 0151 2345678 and tell me where a cafe is", DialogueReply::CLOUD);
    assert_eq!((first.tier, first.text.trim()), (DialogueReply::CLOUD, "The Old Mill Cafe is near."));
    let asked = loop {
        let asked = car.language.recv_timeout(HANGS).expect("the model is asked");
        if asked.task == LanguageRequest::CONTINUE {
            break asked;
        }
    };
    assert_eq!(asked.so_far, "The Old Mill Cafe is near. It is open ");
    let reply = LanguageReply {
        header: Header::at(car.edge.now()),
        request_id: asked.request_id,
        status: LanguageReply::DONE,
        text: " until nine.".into(),
        ..LanguageReply::default()
    };
    car.model.send(&reply).expect("sent");
    let end = car.end();
    assert_eq!((end.tier, end.outcome), (DialogueReply::ON_VEHICLE, DialogueReply::COMPLETE), "{end:?}");
    assert_eq!(car.spoken(), "The Old Mill Cafe is near. It is open until nine.");
    let sample = car.samples.recv_timeout(HANGS).expect("the link hears of it");
    assert_eq!(sample.outcome, LinkSample::FAILED);
    let received = service.received.lock().expect("whole").clone();
    assert!(received.contains("cafe") && !received.contains("2345678"), "{received}");
    car.program.ends(Signal::INT, ENDS);
}

/// A collector: the bodies of what is posted.
fn collector() -> (u16, Receiver<serde_json::Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (told, spans) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
            let Ok(Some((first, body))) = chat::request(&mut reader) else { continue };
            assert!(first.starts_with("POST /v1/traces "), "{first}");
            let _ = told.send(serde_json::from_str(&body).expect("JSON"));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        }
    });
    (port, spans)
}

#[test]
fn a_collector_has_a_questions_steps_and_none_of_its_words() {
    let service = Service::start(&["The museum is open. "], Ends::Well);
    let (port, steps) = collector();
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut car = Car::traced(&service, serde_json::json!({ "endpoint": endpoint }));
    let first = car.asks("u", "Is the museum open?", DialogueReply::CLOUD);
    let end = if first.done { first } else { car.end() };
    let posted = steps.recv_timeout(HANGS).expect("the steps come");
    let spans = posted["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone();
    let names: Vec<&str> = spans.iter().filter_map(|span| span["name"].as_str()).collect();
    assert_eq!(names, ["question", "route", "chat m"], "{end:?}");
    assert!(spans.iter().all(|span| span["traceId"] == spans[0]["traceId"]), "{posted}");
    assert!(spans[1..].iter().all(|span| span["parentSpanId"] == spans[0]["spanId"]), "{posted}");
    assert!(spans[0]["parentSpanId"].is_null() && spans[2]["status"].is_null(), "{posted}");
    assert_eq!(spans[0]["attributes"][0]["value"]["stringValue"], "cloud");
    assert!(!posted.to_string().contains("museum"), "{posted}");
}

#[test]
fn a_whole_answer_is_the_clouds_and_a_barge_in_closes_the_socket() {
    troika_safety::verifies![SR_RTE_006];
    let service = Service::start(&["The museum is open. ", "It has trains."], Ends::Well);
    let mut car = Car::start(&service);
    car.asks("u", "Is the museum open?", DialogueReply::CLOUD);
    let end = car.end();
    assert_eq!((end.tier, end.outcome), (DialogueReply::CLOUD, DialogueReply::COMPLETE), "{end:?}");
    assert!(end.bytes_sent > 100 && end.bytes_received > 100, "{end:?}");
    car.program.ends(Signal::TERM, ENDS);

    let service = Service::start(&["The museum is open. "], Ends::Never);
    let mut car = Car::start(&service);
    car.asks("v", "Is the museum open?", DialogueReply::CLOUD);
    let speaks = VoiceActivity { speaking: true, ..VoiceActivity::default() };
    let begin = Instant::now();
    // The publisher may not be heard yet.
    while service.closed.recv_timeout(Duration::from_millis(500)).is_err() {
        assert!(begin.elapsed() < HANGS, "the socket stays open");
        car.activity.send(&speaks).expect("sent");
    }
    assert_eq!(car.end().outcome, DialogueReply::CANCELLED);
    car.program.ends(Signal::INT, ENDS);
}

#[test]
fn a_router_that_is_not_there_is_told_once_and_so_is_that_it_came() {
    let endpoint = format!("tcp/127.0.0.1:{}", free_port());
    let settings = serde_json::json!({
        "router": endpoint,
        "dialogue": {"cloud": {"url": "http://127.0.0.1:9/v1", "model": "m", "plain_http": true}},
    });
    let mut program = Program::start(PROGRAM, &settings.to_string());
    let told = program.tells(HANGS);
    assert!(told.contains(&format!("no zenoh router is at {endpoint}")), "{told}");
    let _router = RouterGuard::ensure(&endpoint).expect("the port is free");
    let told = program.tells(HANGS);
    assert!(told.ends_with(&format!("the zenoh router at {endpoint} is there")), "{told}");
    program.ends(Signal::TERM, ENDS);
}
