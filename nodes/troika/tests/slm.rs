//! The language model's program, started by `troika run`.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::disallowed_methods, reason = "a test of real time")]

mod support;

use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use support::{Router, Scratch, start};
use troika_host::{Clock, HostClock, edge::Edge};
use troika_kit::Ports as _;
use troika_msgs::{
    std_msgs::Header,
    troika::{LanguageReply, LanguageRequest},
};
use troika_voice::language::{Inputs, Outputs};

const SYSTEM: &str = r#"
[system]
name = "words"
namespace = "/car"
[processes.slm]
nice = 5
[nodes.slm]
kind = "slm"
process = "slm"
"#;

#[test]
fn a_system_file_starts_it_and_without_its_model_it_is_unavailable() {
    let scratch = Scratch::new();
    let router = Router::new();
    let system = scratch.file("words.toml", SYSTEM);
    let mut command = router.run(&system, 600);
    command.env("TROIKA_MODELS", scratch.path("none"));
    let running = start(&mut command);
    let begin = Instant::now();
    while !router.answers() {
        assert!(begin.elapsed() < Duration::from_secs(120), "no router");
        std::thread::sleep(Duration::from_millis(50));
    }
    let transport = router.transport();
    let edge = Edge::new(&transport, Clock::Host(HostClock::start()), "/", "asker").unwrap();
    let (request, reply) = (<Inputs>::SPECS[0], <Outputs>::SPECS[0]);
    let (sender, replies) = channel();
    let _subscription = edge
        .subscribe::<LanguageReply>(reply.topic, reply.qos, move |reply| drop(sender.send(reply.value)))
        .unwrap();
    let mut requests = edge.publisher::<LanguageRequest>(request.topic, request.qos).unwrap();
    let told = loop {
        assert!(begin.elapsed() < Duration::from_secs(240), "no reply");
        requests
            .send(&LanguageRequest {
                header: Header::at(edge.now()),
                request_id: "1".to_owned(),
                task: LanguageRequest::INTERPRET,
                text: "open the sunroof".to_owned(),
                ..LanguageRequest::default()
            })
            .unwrap();
        if let Ok(reply) = replies.recv_timeout(Duration::from_millis(500)) {
            break reply;
        }
    };
    assert_eq!(told.status, LanguageReply::UNAVAILABLE);
    assert!(told.reason.contains("troika models pull smollm2_135m"), "{}", told.reason);
    running.terminate();
    let run = running.wait();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn a_wrong_parameter_is_told_by_the_check() {
    let scratch = Scratch::new();
    for (params, says) in [
        ("{ file = \"no.gguf\" }", "no.gguf is not there"),
        ("{ thread = 1 }", "thread"),
        ("{ threads = 0 }", "`threads`"),
    ] {
        let system = scratch.file("words.toml", &format!("{SYSTEM}params = {params}\n"));
        let run = support::troika(&["check", &system]);
        run.says(&[says]);
        assert_ne!(run.code, Some(0), "{run}");
    }
}
