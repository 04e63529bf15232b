//! The program itself, over zenoh and over DDS: requests in, replies out, and its end.
#![allow(clippy::disallowed_methods, reason = "a test of real time")]

use std::{
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use rustix::process::Signal;
use troika_conformance::{free_port, program::Program};
use troika_host::{Clock, HostClock, edge::Edge};
use troika_kit::{Duration, Ports};
use troika_msgs::{
    std_msgs::Header,
    troika::{LanguageReply, LanguageRequest},
};
use troika_transport::Transport;
use troika_transport_open::Carrier;
use troika_transport_zenoh::RouterGuard;
use troika_voice::language::{Inputs, Outputs};

/// Whoever takes longer than this hangs: the beginnings are evaluated within it on a busy machine.
const HANGS: Duration = Duration::from_secs(240);

const PROGRAM: &str = env!("CARGO_BIN_EXE_troika-slm");
/// It ends within.
const ENDS: Duration = Duration::from_secs(20);

/// Who asks.
struct Peer {
    edge: Edge,
    replies: Receiver<LanguageReply>,
    _subscription: troika_host::edge::TypedSubscription,
}

impl Peer {
    fn new(transport: &dyn Transport) -> Peer {
        let edge = Edge::new(transport, Clock::Host(HostClock::start()), "/", "asker").expect("an edge");
        let (sender, replies) = channel();
        let spec = <Outputs as Ports>::SPECS[0];
        let subscription = edge
            .subscribe::<LanguageReply>(spec.topic, spec.qos, move |reply| {
                let _ = sender.send(reply.value);
            })
            .expect("a subscription");
        Peer { edge, replies, _subscription: subscription }
    }

    /// Asks again and again until something of this status comes: the program may not be there yet.
    fn until(&self, status: u8, text: &str) -> LanguageReply {
        let spec = <Inputs as Ports>::SPECS[0];
        let mut requests = self.edge.publisher::<LanguageRequest>(spec.topic, spec.qos).expect("a publisher");
        let begin = Instant::now();
        for n in 0.. {
            assert!(begin.elapsed() < HANGS, "no reply of status {status}");
            let request = LanguageRequest {
                header: Header::at(self.edge.now()),
                request_id: n.to_string(),
                task: LanguageRequest::INTERPRET,
                text: text.to_owned(),
                context: String::new(),
                so_far: String::new(),
                deadline: Duration::from_secs(60).into(),
            };
            requests.send(&request).expect("sent");
            let asked = Instant::now();
            while asked.elapsed() < Duration::from_secs(5) {
                match self.replies.recv_timeout(Duration::from_millis(100)) {
                    Ok(reply) if reply.status == status => return reply,
                    _ => {}
                }
            }
        }
        unreachable!()
    }
}

fn own_router() -> (String, RouterGuard) {
    let endpoint = format!("tcp/127.0.0.1:{}", free_port());
    let guard = RouterGuard::ensure(&endpoint).expect("the port is free");
    (endpoint, guard)
}

#[test]
fn requests_are_answered_over_zenoh_and_it_ends_when_it_is_asked_to() {
    let (endpoint, _router) = own_router();
    let program = Program::start(PROGRAM, &format!(r#"{{"router": "{endpoint}"}}"#));
    let carrier = Carrier { router: Some(endpoint), ..Carrier::default() };
    let transport = carrier.open().expect("a session");
    let peer = Peer::new(&*transport);
    let reply = peer.until(LanguageReply::DONE, "open the sunroof");
    assert!(reply.text.contains("action=open"), "{}", reply.text);
    assert_eq!(reply.model, "smollm2_135m");
    let took = Duration::from(reply.latency);
    assert!(took > Duration::from_millis(10) && took < Duration::from_secs(60), "{took:?}");
    program.ends(Signal::INT, ENDS);
}

#[test]
fn without_its_model_it_runs_and_says_so_over_dds() {
    troika_safety::verifies![SR_DAT_002];
    let folder = std::env::temp_dir().join(format!("no-models-{}", std::process::id()));
    let domain = 1 + u32::from(free_port()) % 100;
    let settings = format!(r#"{{"models": "{}", "dds": true, "domain": {domain}}}"#, folder.display());
    let program = Program::start(PROGRAM, &settings);
    let carrier = Carrier { dds: true, domain: Some(domain), ..Carrier::default() };
    let transport = carrier.open().expect("a session");
    let reply = Peer::new(&*transport).until(LanguageReply::UNAVAILABLE, "open the sunroof");
    assert!(reply.reason.contains("troika models pull smollm2_135m"), "{}", reply.reason);
    program.ends(Signal::TERM, ENDS);
}

#[test]
fn it_ends_while_the_model_is_loaded() {
    let (endpoint, _router) = own_router();
    let program = Program::start(PROGRAM, &format!(r#"{{"router": "{endpoint}"}}"#));
    let carrier = Carrier { router: Some(endpoint), ..Carrier::default() };
    let transport = carrier.open().expect("a session");
    let begin = Instant::now();
    while !transport.graph().expect("a graph").nodes.iter().any(|name| name == "/slm") {
        assert!(begin.elapsed() < HANGS, "it is not there");
        thread::sleep(Duration::from_millis(20));
    }
    program.ends(Signal::TERM, ENDS);
}
