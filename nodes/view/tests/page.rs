//! The page in a real browser, on messages that the test publishes itself; and who is let in.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use troika_browser::Browser;
use troika_host::{
    Clock, HostClock,
    edge::{Edge, TypedPublisher},
    sync::StopToken,
};
use troika_kit::{Message, Qos, Time};
use troika_msgs::{
    rcl_interfaces::Log,
    sensor_msgs::Image,
    std_msgs::Header,
    troika::{
        DialogueReply, DialogueRequest, DriverAlert, DriverState, Heartbeat, LinkState, RoutingDecision,
        Transcript, VehicleCommand,
    },
};
use troika_transport_mem::MemTransport;
use troika_view::{Options, View};

/// Hostile in markup, in script, and in the sources of both.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";

/// A view over a transport of its own, and a node to publish from.
struct Shown {
    address: SocketAddr,
    edge: Edge,
    stop: StopToken,
    thread: Option<JoinHandle<()>>,
}

impl Shown {
    fn new(images: bool) -> Shown {
        let transport = Arc::new(MemTransport::new());
        let view = View::open(Options {
            listen: "127.0.0.1:0".parse().expect("an address"),
            foxglove: None,
            foxglove_origins: Vec::new(),
            images,
            place: "listening to a test".into(),
        })
        .expect("ports");
        let address = view.address();
        let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", "ends").expect("a node");
        let stop = StopToken::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            view.run(&*transport, &|_| false, &|| stopped.is_stopped(), &mut |told| println!("{told}"))
                .expect("it shows");
        });
        Shown { address, edge, stop, thread: Some(thread) }
    }

    fn page(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn publisher<T: Message>(&self, topic: &str) -> TypedPublisher<T> {
        self.edge.publisher(topic, Qos::DEFAULT).expect("a publisher")
    }

    /// Publishes it until the page says so: what is sent before the view has subscribed is heard by nobody.
    async fn until<T: Message>(&self, browser: &mut Browser, topic: &str, message: T, shown: &str) {
        let mut publisher = self.publisher(topic);
        while browser.eval(shown).await != true {
            publisher.send(&message).expect("sent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn end(mut self) {
        self.stop.stop();
        self.thread.take().expect("it runs").join().expect("it ends by itself");
    }
}

fn has(id: &str, text: &str) -> String {
    format!("(document.getElementById('{id}')?.innerText ?? '').includes({})", serde_json::Value::from(text))
}

/// A picture with something in it: a ramp, brighter to the right.
fn frame(stamp: Time) -> Image {
    let (width, height) = (64_u32, 48_u32);
    Image {
        header: Header::at(stamp),
        width,
        height,
        step: 3 * width,
        encoding: "rgb8".into(),
        data: (0..height).flat_map(|_| (0..width).flat_map(|x| [4 * x as u8; 3])).collect(),
        ..Image::default()
    }
}

fn state(stamp: Time) -> DriverState {
    DriverState {
        header: Header::at(stamp),
        state: DriverState::LOOKING_AWAY,
        face_detected: true,
        face_box: [0.25, 0.25, 0.5, 0.5],
        gaze_zone: DriverState::ZONE_CLUSTER,
        eye_openness_left: 0.875,
        eye_openness_right: f32::NAN,
        perclos: 0.125,
        landmarks: vec![0.5; 956],
        ..DriverState::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_nodes_say_is_on_the_page_and_hostile_words_are_words() {
    troika_safety::verifies![SR_OBS_006];
    let shown = Shown::new(true);
    let mut browser = Browser::open(&shown.page(), 1280, 800).await;
    browser.until(&has("nothing", "Nothing is heard: listening to a test. Start a system there")).await;

    // Picture and state of the same frames, at a camera's rate.
    let (mut frames, mut states) =
        (shown.publisher("/cabin/camera/image_raw"), shown.publisher("/cabin/driver_state"));
    let drawn = "document.getElementById('picture')?.dataset.landmarks === '478'";
    while browser.eval(drawn).await != true {
        let stamp = shown.edge.now();
        frames.send(&frame(stamp)).expect("sent");
        states.send(&state(stamp)).expect("sent");
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
    let pixel = |x: u32, y: u32| {
        format!("[...document.getElementById('picture').getContext('2d').getImageData({x}, {y}, 1, 1).data]")
    };
    // Bright on the right, the box in yellow, a landmark in green.
    let [left, right, edge, mark] = [
        browser.eval(&pixel(4, 4)).await,
        browser.eval(&pixel(60, 4)).await,
        browser.eval(&pixel(16, 24)).await,
        browser.eval(&pixel(32, 24)).await,
    ];
    let channel = |pixel: &serde_json::Value, at: usize| pixel[at].as_i64().expect("a number");
    assert!(channel(&right, 0) > channel(&left, 0) + 150, "{left} {right}");
    assert!(channel(&edge, 0) > channel(&edge, 2) + 80, "{edge}");
    assert!(channel(&mark, 1) > channel(&mark, 0) + 60, "{mark}");
    for (id, text) in [
        ("driver-state", "looking away"),
        ("driver-facts", "cluster"),
        ("driver-facts", "left 88 %, right –"),
        ("driver-facts", "13 %"),
    ] {
        // Its age may stand beside it by now.
        browser.until(&has(id, text)).await;
    }

    let alert = DriverAlert {
        kind: DriverAlert::LONG_DISTRACTION,
        phase: DriverAlert::RAISED,
        profile: HOSTILE.into(),
        elapsed_s: 3.0,
        limit_s: 3.0,
        ..DriverAlert::default()
    };
    shown.until(&mut browser, "/cabin/driver_alert", alert, &has("standing", "long distraction")).await;
    let beat = Heartbeat {
        node: "/driver_state".into(),
        status: Heartbeat::DEGRADED,
        reason: HOSTILE.into(),
        latency_p99_us: 20_500,
        latency_counts: [0, 0, 0, 1, 40, 200, 80, 10, 2, 0, 0, 1],
        ..Heartbeat::default()
    };
    shown.until(&mut browser, "/troika/heartbeat", beat, &has("node-rows", "20.5")).await;
    let bars =
        "[...document.querySelectorAll('#node-rows .histogram i')].map((bar) => bar.style.height).join()";
    assert_eq!(browser.eval(bars).await, "0px,0px,0px,8%,20%,100%,40%,8%,8%,0px,0px,8%");
    let link = LinkState {
        state: LinkState::UP,
        rtt_ms: 80.0,
        rtt_low_ms: 60.0,
        rtt_high_ms: 140.0,
        down_kbps: f32::NAN,
        ..LinkState::default()
    };
    shown.until(&mut browser, "/link/state", link, &has("link-facts", "80 ms (60 to 140)")).await;
    let decision = RoutingDecision {
        tier: DialogueReply::CLOUD,
        reason: "cloud_better".into(),
        model: HOSTILE.into(),
        models: vec!["small".into()],
        tiers: vec![DialogueReply::ON_VEHICLE],
        reasons: vec!["local_busy".into()],
        ..RoutingDecision::default()
    };
    let decided = has("decision-list", "the cloud is likelier to answer well");
    shown.until(&mut browser, "/dialogue/decision", decision, &decided).await;
    browser.until(&has("decision-list", "not small (on the vehicle): the vehicle's model is busy")).await;
    let question =
        DialogueRequest { request_id: "q".into(), text: HOSTILE.into(), ..DialogueRequest::default() };
    shown.until(&mut browser, "/dialogue/request", question, &has("turn-list", HOSTILE)).await;
    let words = |sequence: u32, tier: u8, text: &str, done: bool| DialogueReply {
        request_id: "q".into(),
        sequence,
        tier,
        text: text.into(),
        done,
        outcome: if done { DialogueReply::COMPLETE } else { DialogueReply::GOES_ON },
        reason: if done { "link_gone".into() } else { String::new() },
        ..DialogueReply::default()
    };
    let said = has("turn-list", "There is a café.");
    shown
        .until(
            &mut browser,
            "/dialogue/reply",
            words(0, DialogueReply::CLOUD, "There is a café.", false),
            &said,
        )
        .await;
    browser.until(&has("turn-list", "speaking…")).await;
    let goes_on = words(1, DialogueReply::ON_VEHICLE, "Shall I guide you?", true);
    shown.until(&mut browser, "/dialogue/reply", goes_on, &has("turn-list", "Shall I guide you?")).await;
    browser.until(&has("turn-list", "complete · the link is gone")).await;
    let command = VehicleCommand {
        function: HOSTILE.into(),
        source: VehicleCommand::VOICE,
        ..VehicleCommand::default()
    };
    shown.until(&mut browser, "/voice/command", command, &has("command-list", HOSTILE)).await;
    let heard =
        Transcript { utterance_id: "u".into(), text: HOSTILE.into(), r#final: true, ..Transcript::default() };
    shown.until(&mut browser, "/voice/transcript", heard, &has("heard-list", HOSTILE)).await;
    let line = Log { level: Log::ERROR, name: HOSTILE.into(), msg: HOSTILE.into(), ..Log::default() };
    shown.until(&mut browser, "/rosout", line, &has("log-list", HOSTILE)).await;

    // Five times hostile words as text, and nothing came of them.
    assert_eq!(browser.eval("document.querySelectorAll('img, main script').length").await, 0);
    assert_eq!(browser.eval("document.title").await, "Troika cabin");
    // And were it markup, the policy would not let it run.
    let image = "const i = document.createElement('div'); i.innerHTML = \"<img src=x onerror=document.title='owned'>\"; document.body.append(i);";
    browser.eval(&format!("{{ {image} }}")).await;
    browser.eval("document.body.append(Object.assign(document.createElement('script'), {textContent: \"document.title = 'owned'\"}))").await;
    let blocked = "new Promise((done) => setTimeout(() => done(document.title), 200))";
    assert_eq!(browser.eval(blocked).await, "Troika cabin");
    assert_eq!(browser.eval("fetch('http://127.0.0.1:9/').then(() => 'went', () => 'kept')").await, "kept");

    shown.end();
    browser.until("document.getElementById('connection').className === 'bad'").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_everything_is_below_one_another_and_fits() {
    let shown = Shown::new(true);
    let mut browser = Browser::open(&shown.page(), 360, 740).await;
    let beat = Heartbeat { node: "/driver_state".into(), reason: "r".repeat(190), ..Heartbeat::default() };
    shown.until(&mut browser, "/troika/heartbeat", beat, &has("node-rows", "/driver_state")).await;
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth").await, true);
    let back = "getComputedStyle(document.body).backgroundColor";
    browser.light("light").await;
    let light = browser.eval(back).await;
    browser.light("dark").await;
    assert_ne!(browser.eval(back).await, light);
    browser.end().await;
    shown.end();
}

/// What a plain request is answered.
async fn ask(address: SocketAddr, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_names_are_refused_and_without_pictures_there_are_none() {
    troika_safety::verifies![SR_OBS_005];
    let shown = Shown::new(false);
    let answer = ask(shown.address, "/", "evil.example").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let answer = ask(shown.address, "/", &shown.address.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("script-src 'self'"), "{answer}");
    let answer = ask(shown.address, "/picture", "localhost").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("--no-images"), "{answer}");
    let mut browser = Browser::open(&shown.page(), 1280, 800).await;
    browser.until(&has("picture-note", "pictures are off")).await;
    browser.end().await;
    shown.end();
}

#[test]
fn a_port_that_is_taken_is_told_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let options = Options {
        listen: taken.local_addr().expect("bound"),
        foxglove: None,
        foxglove_origins: Vec::new(),
        images: true,
        place: String::new(),
    };
    let Err(why) = View::open(options) else { panic!("it is taken") };
    assert!(why.to_string().contains("give another address with --listen"), "{why}");
}
