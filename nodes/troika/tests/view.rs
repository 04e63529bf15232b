//! `troika view` on a running system: the rendered driver, its detectors, and a browser that looks.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait for processes"
)]

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use support::{DETECTORS, Router, Scratch, command, start, troika};
use tokio::time::sleep;
use troika_browser::{Browser, artefacts};
use troika_conformance::until;
use troika_host::{Clock, HostClock, edge::Edge};
use troika_kit::{Message, Qos};
use troika_msgs::troika::{DialogueReply, DialogueRequest, LinkState, RoutingDecision};

/// `troika view`, which ends with this.
struct View {
    child: Child,
    said: BufReader<ChildStdout>,
    page: String,
}

impl View {
    fn start(mut command: Command) -> View {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        said.read_line(&mut line).expect("it says where");
        let page = line.trim().strip_prefix("the page: ").unwrap_or_else(|| panic!("{line}")).to_owned();
        View { child, said, page }
    }

    /// What Ctrl-C does; gives what it said.
    fn interrupt(mut self) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it is there");
        let status = self.child.wait().expect("it ends");
        let mut said = String::new();
        self.said.read_to_string(&mut said).expect("text");
        self.child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        (status.code(), said)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has(id: &str, text: &str) -> String {
    format!("(document.getElementById('{id}')?.innerText ?? '').includes({})", serde_json::Value::from(text))
}

/// Publishes it until the page shows it.
async fn until_shown<T: Message>(browser: &mut Browser, edge: &Edge, topic: &str, message: T, shown: &str) {
    let mut publisher = edge.publisher::<T>(topic, Qos::DEFAULT).expect("a publisher");
    while browser.eval(shown).await != true {
        publisher.send(&message).expect("sent");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rendered_driver_is_seen_with_landmarks_alerts_and_lateness() {
    let (router, scratch) = (Router::new(), Scratch::new());
    let with_landmarks = DETECTORS
        .replace("kind = \"driver_state\"", "kind = \"driver_state\"\nparams = { landmarks = true }");
    let system = scratch.file("detectors.toml", &with_landmarks);
    let running = start(&mut router.run(&system, 600));
    until("the system's router", || router.answers());
    let view = View::start(command(&["view", "--listen", "127.0.0.1:0", "--router", &router.endpoint]));
    let mut browser = Browser::open(&view.page, 1280, 800).await;
    browser.until("document.getElementById('picture')?.dataset.landmarks === '478'").await;
    for node in ["/camera", "/driver_state", "/driver_monitor"] {
        browser.until(&has("node-rows", node)).await;
    }
    browser.until(&has("vehicle-facts", "60 km/h")).await;

    // The dialogue's side, without its models.
    let transport = router.transport();
    let edge = Edge::new(&transport, Clock::Host(HostClock::start()), "/", "cloud").expect("a node");
    let link = LinkState {
        state: LinkState::UP,
        bearer: LinkState::BEARER_CELLULAR,
        rtt_ms: 84.0,
        rtt_low_ms: 61.0,
        rtt_high_ms: 190.0,
        down_kbps: 5200.0,
        down_low_kbps: 2100.0,
        down_high_kbps: 8000.0,
        up_kbps: f32::NAN,
        loss: 0.01,
        loss_high: 0.04,
        ..LinkState::default()
    };
    until_shown(&mut browser, &edge, "/link/state", link, &has("link-facts", "84 ms (61 to 190)")).await;
    let request = DialogueRequest {
        request_id: "q".into(),
        text: "where can I eat on the way to the airport".into(),
        ..DialogueRequest::default()
    };
    until_shown(
        &mut browser,
        &edge,
        "/dialogue/request",
        request,
        &has("turn-list", "on the way to the airport"),
    )
    .await;
    let decision = RoutingDecision {
        request_id: "q".into(),
        tier: DialogueReply::CLOUD,
        model: "expert".into(),
        reason: "cloud_better".into(),
        task: DialogueRequest::NAVIGATION,
        privacy: DialogueRequest::PUBLIC,
        link_state: LinkState::UP,
        ..RoutingDecision::default()
    };
    let decided = has("decision-list", "the cloud is likelier to answer well");
    until_shown(&mut browser, &edge, "/dialogue/decision", decision, &decided).await;
    let words = |sequence, tier, text: &str| DialogueReply {
        request_id: "q".into(),
        sequence,
        tier,
        text: text.into(),
        ..DialogueReply::default()
    };
    let first = words(0, DialogueReply::CLOUD, "There is a café by the station.");
    until_shown(&mut browser, &edge, "/dialogue/reply", first, &has("turn-list", "by the station")).await;
    let second = words(1, DialogueReply::ON_VEHICLE, "Shall I guide you there?");
    until_shown(&mut browser, &edge, "/dialogue/reply", second, &has("turn-list", "guide you there")).await;

    // The driver looks into the lap after seven seconds; a machine too slow to see that has another alert: nobody watches the driver.
    browser.until("document.querySelectorAll('#alert-list .badge.bad').length > 0").await;
    browser.until("document.getElementById('picture')?.dataset.landmarks === '478'").await;
    browser.until("[...document.querySelectorAll('#node-rows .histogram i')].some((bar) => bar.style.height === '100%')").await;
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth").await, true);
    browser.light("light").await;
    browser.screenshot(&artefacts().join("cabin-view.png")).await;
    browser.light("dark").await;
    browser.screenshot(&artefacts().join("cabin-view-dark.png")).await;
    browser.end().await;

    let (code, said) = view.interrupt();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("pictures of the cabin, to whoever is on this machine"), "{said}");
    assert!(!said.contains("panicked") && !said.contains("nothing is to be seen"), "{said}");
    running.interrupt();
    running.wait();
}

#[test]
fn a_view_without_a_system_or_a_port_says_what_to_do() {
    let router = Router::new();
    let run = troika(&["view", "--router", &router.endpoint]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["no zenoh router at", "start a system with `troika run`"]);
    let _router = troika_transport_zenoh::RouterGuard::ensure(&router.endpoint).expect("a router");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let run = troika(&["view", "--router", &router.endpoint, "--listen", &address]);
    assert_eq!(run.code, Some(1), "{run}");
    run.says(&["cannot listen at", "give another address with --listen"]);
}
