//! The bridge inside a stock router (`TROIKA_ZENOHD`), loaded as a plugin: a question over the router, answered; a plugin with settings
//! that make no bridge is refused with their fault.
#![allow(clippy::disallowed_methods, reason = "a test of real time")]

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use troika_conformance::{free_port, until, until_endpoint};
use troika_host::{Clock, HostClock, edge::Edge};
use troika_kit::{Duration, Qos};
use troika_msgs::{
    std_msgs::Header,
    troika::{DialogueReply, DialogueRequest},
};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};

const DOMAIN: u32 = 71;
/// Whoever takes longer than this hangs.
const HANGS: Duration = Duration::from_secs(60);

/// A router, and what it says.
struct Router {
    child: Child,
    endpoint: String,
    lines: Receiver<String>,
}

impl Router {
    /// With the plugin, which must load.
    fn start(settings: &serde_json::Value) -> Router {
        let program =
            env::var_os("TROIKA_ZENOHD").expect("TROIKA_ZENOHD: `cargo xtask test interop` builds it");
        let plugin = PathBuf::from(&program).with_file_name("libzenoh_plugin_troika.so");
        assert!(plugin.is_file(), "no {}: build the workspace", plugin.display());
        let endpoint = format!("tcp/127.0.0.1:{}", free_port());
        let mut command = Command::new(&program);
        command.args(["--listen", &endpoint, "--no-multicast-scouting"]);
        command.arg("--plugin").arg(format!("troika:{}", plugin.display()));
        command.args(["--cfg", &format!("plugins/troika:{settings}")]);
        command.env("RUST_LOG", "info").env("ROS_DOMAIN_ID", DOMAIN.to_string());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the router starts");
        let (said, lines) = channel();
        let out = child.stdout.take().expect("piped");
        let told = said.clone();
        thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).for_each(|line| drop(told.send(line)))
        });
        let errors = child.stderr.take().expect("piped");
        thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).for_each(|line| drop(said.send(line)))
        });
        Router { child, endpoint, lines }
    }

    /// Waits until it says this; all that it said until then.
    fn says(&self, what: &str) -> String {
        let mut all = String::new();
        let begin = Instant::now();
        while begin.elapsed() < HANGS {
            match self.lines.recv_timeout(Duration::from_millis(200)) {
                Ok(line) => {
                    all.push_str(&line);
                    all.push('\n');
                    if line.contains(what) {
                        return all;
                    }
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        panic!("the router never said {what:?}:\n{all}");
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings() -> serde_json::Value {
    // A cloud that is not there: nothing is decided by a router node, so nothing leaves.
    serde_json::json!({
        "__required__": true,
        "dialogue": {"cloud": {"url": "http://127.0.0.1:9/v1", "model": "none", "plain_http": true}},
        "language": false,
    })
}

#[test]
fn a_stock_router_loads_the_bridge_and_it_answers() {
    let router = Router::start(&settings());
    router.says("the bridge speaks as /bridge");
    let options = ZenohOptions { domain: DOMAIN, router: router.endpoint.clone(), ..ZenohOptions::default() };
    let transport = ZenohTransport::open(options).expect("a session");
    until("the router is joined", || transport.has_router());
    let edge = Edge::new(&transport, Clock::Host(HostClock::start()), "/", "asker").expect("a node");
    let (heard, replies) = channel();
    let _replies = edge
        .subscribe::<DialogueReply>("/dialogue/reply", Qos::DEFAULT, move |sample| {
            drop(heard.send(sample.value))
        })
        .expect("a subscription");
    let mut ask = edge.publisher::<DialogueRequest>("/dialogue/request", Qos::DEFAULT).expect("a publisher");
    until_endpoint(&transport, "/dialogue/request", false);
    until_endpoint(&transport, "/dialogue/reply", true);
    let request = DialogueRequest {
        header: Header::default(),
        request_id: "1".into(),
        text: "where is the nearest cafe".into(),
        task: DialogueRequest::NAVIGATION,
        privacy: DialogueRequest::PUBLIC,
        ..DialogueRequest::default()
    };
    ask.send(&request).expect("sent");
    let mut said = String::new();
    loop {
        let reply = replies.recv_timeout(HANGS).expect("an answer from inside the router");
        said.push_str(&reply.text);
        if reply.done {
            assert_eq!(
                (reply.outcome, reply.tier),
                (DialogueReply::COMPLETE, DialogueReply::ON_VEHICLE),
                "{reply:?}"
            );
            break;
        }
    }
    assert!(said.contains("Platform Nine Coffee"), "{said}");
}

#[test]
fn settings_that_make_no_bridge_are_refused_with_their_fault() {
    let mut wrong = settings();
    wrong["eest_m"] = 5.0.into();
    let router = Router::start(&wrong);
    let said = router.says("eest_m");
    assert!(!said.contains("the bridge speaks"), "{said}");
}
