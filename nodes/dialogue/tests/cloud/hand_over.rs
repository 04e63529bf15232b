//! A dialogue from the question to the last sentence: the real client, a service on loopback that breaks off anywhere, and a model in the
//! vehicle's place that knows the text and goes on from where it is told to.

use std::{
    fs,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use crate::service::{Does, Saw, Service, call, event};
use tempfile::TempDir;
use troika_dialogue::{
    Audience, CloudConfig, End, FromCloud, FromLocal, HttpUpstream, LocalModel, Manner, Navigation, Pace,
    Said, Session, Situation, Town, chat::Message,
};
use troika_kit::Time;

const TEXT: &str = "The Old Mill Cafe is 1.5 km away, on Harbour Street. Drive along the river to the old bridge and cross it. \
                    At the second light turn left. Then keep right for four minutes. You arrive at 14:35. The über-nice terrace is open.";

enum Heard {
    Cloud(u64, FromCloud),
    Local(u64, FromLocal),
}

/// Knows the text, and says it on from where it is told to, a word at a time.
struct Reader(mpsc::Sender<Heard>);

impl LocalModel for Reader {
    fn shadow(&mut self, _: &[Message], text: &str) {
        assert!(TEXT.contains(text));
    }
    fn go_on(&mut self, stream: u64, _: &[Message], so_far: &str) {
        let rest = TEXT.strip_prefix(so_far).expect("what was said so far is the text's beginning");
        for word in rest.split_inclusive(' ') {
            let _ = self.0.send(Heard::Local(stream, FromLocal::Text(word.into())));
        }
        let _ = self.0.send(Heard::Local(stream, FromLocal::Done));
    }
    fn stop(&mut self, _: u64) {}
}

struct Car {
    session: Session,
    heard: mpsc::Receiver<Heard>,
    start: Instant,
    _files: TempDir,
}

impl Car {
    fn new(service: &Service, pace: Pace) -> Car {
        let files = tempfile::tempdir().expect("a folder");
        let ca = files.path().join("ca.pem");
        fs::write(&ca, &service.ca).expect("written");
        let config = CloudConfig { ca_file: Some(ca), ..CloudConfig::new(&service.url, "m") };
        let (tell, heard) = mpsc::channel();
        let cloud = tell.clone();
        let upstream = HttpUpstream::new(
            &config,
            Arc::new(move |stream, what| drop(cloud.send(Heard::Cloud(stream, what)))),
        )
        .expect("a client");
        // Three minutes from the cafe.
        let here = Situation { east_m: -200.0, north_m: 0.0, minute_of_day: 14 * 60 + 32 };
        let tools = Navigation::new(Town::brellin(), here);
        let manner = Manner { pace, ..Manner::default() };
        let session = Session::new(manner, Box::new(upstream), Some(Box::new(Reader(tell))), Box::new(tools));
        Car { session, heard, start: Instant::now(), _files: files }
    }

    fn now(&self) -> Time {
        Time::from_nanos(1) + self.start.elapsed()
    }

    /// Asks, and hears the answer to its end.
    fn asks(&mut self) -> (String, End) {
        let now = self.now();
        let mut said = self.session.ask(
            now,
            "How do I get to the Old Mill Cafe?",
            now + Duration::from_secs(20),
            true,
            Audience::Cloud,
        );
        let mut text = String::new();
        loop {
            for one in said.drain(..) {
                match one {
                    Said::Text { text: more, .. } => text.push_str(&more),
                    Said::End(end) => return (text, end),
                }
            }
            let now = self.now();
            let wait = self.session.due(now).map_or(Duration::from_secs(20), |due| due.since(now));
            let heard = self.heard.recv_timeout(wait);
            let now = self.now();
            said = match heard {
                Ok(Heard::Cloud(stream, what)) => self.session.cloud(now, stream, what),
                Ok(Heard::Local(stream, what)) => self.session.local(now, stream, what),
                Err(_) => self.session.tick(now),
            };
        }
    }
}

/// Drafts begin sooner than on a road, so that the test is short; nothing is given up but by a reset, however busy the machine is.
fn patient() -> Pace {
    Pace {
        first_token_soft: Duration::from_secs(8),
        first_token_hard: Duration::from_secs(15),
        stall_soft: Duration::from_millis(60),
        stall_hard: Duration::from_secs(15),
        stall_most: Duration::from_secs(15),
        words_per_second: 200.0,
        ..Pace::default()
    }
}

/// Streams are given up sooner too.
fn hasty() -> Pace {
    Pace { stall_hard: Duration::from_millis(120), ..patient() }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn words() -> Vec<u8> {
    TEXT.split_inclusive(' ').flat_map(|word| event(word).into_bytes()).collect()
}

/// Cuts that are spread over the stream without a pattern, the same in every run.
fn cuts(count: usize, most: usize) -> Vec<usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % most as u64).expect("a small number")
        })
        .collect()
}

#[test]
fn wherever_the_connection_is_reset_every_sentence_is_said_once() {
    troika_safety::verifies![SR_RTE_004];
    let service = Service::new("localhost");
    let stream = words();
    let mut silent = Vec::new();
    for cut in cuts(100, stream.len()) {
        let mut car = Car::new(&service, patient());
        service.does(vec![Does::Head, Does::Bytes(stream[..cut].to_vec()), Does::Resets]);
        let (text, end) = car.asks();
        assert_eq!(squeezed(&text), squeezed(TEXT), "cut at {cut}");
        assert_eq!(end.cut, None, "cut at {cut}");
        assert!(
            matches!(end.handed_over.as_ref().map(|why| why.name()), Some("reset" | "truncated")),
            "{end:?}"
        );
        silent.push(end.silence);
    }
    silent.sort();
    println!("100 resets: silence median {:?}, longest {:?}", silent[50], silent[99]);
}

#[test]
fn wherever_the_stream_falls_into_a_black_hole_every_sentence_is_said_once_and_the_socket_closed() {
    troika_safety::verifies![SR_RTE_004];
    let service = Service::new("localhost");
    let stream = words();
    // From the first word on: what is silent from the beginning is another case, and has a longer time.
    let first = event("The ").len();
    for cut in cuts(30, stream.len() - first).into_iter().map(|cut| first + cut) {
        let mut car = Car::new(&service, hasty());
        service.does(vec![Does::Head, Does::Bytes(stream[..cut].to_vec()), Does::Holds]);
        let (text, end) = car.asks();
        assert_eq!(squeezed(&text), squeezed(TEXT), "cut at {cut}");
        assert_eq!(end.handed_over.as_ref().map(|why| why.name()), Some("stalled"), "cut at {cut}: {end:?}");
        service.sees(|saw| matches!(saw, Saw::Closed(_)).then_some(()));
    }
}

#[test]
fn a_pause_in_the_stream_is_no_hand_over() {
    let service = Service::new("localhost");
    let mut does = vec![Does::Head];
    for word in TEXT.split_inclusive(' ') {
        does.push(Does::Text(word.into()));
        if word.starts_with("bridge") || word.starts_with("left") {
            does.push(Does::Waits(Duration::from_millis(300)));
        }
    }
    does.push(Does::Ends);
    service.does(does);
    // A pause of 300 ms begins a draft, and no more.
    let pace = Pace { draft_lead: Duration::from_secs(60), ..patient() };
    let (text, end) = Car::new(&service, pace).asks();
    assert_eq!(squeezed(&text), squeezed(TEXT));
    assert_eq!(end.handed_over, None);
    // Two pauses; a busy machine may make more of them, or one.
    assert!(end.drafts_dropped >= 1, "no draft was begun");
}

#[test]
fn a_tool_is_called_and_a_vehicle_function_is_not() {
    troika_safety::verifies![SR_RTE_005];
    let service = Service::new("localhost");
    let mut car = Car::new(&service, patient());
    service.does(vec![
        Does::Head,
        Does::Bytes(call("a", "window.open", "{\"position\":\"all\"}").into_bytes()),
        Does::Ends,
    ]);
    service.does(vec![
        Does::Head,
        Does::Bytes(call("b", "eta", "{\"to\":\"Old Mill Cafe\"}").into_bytes()),
        Does::Ends,
    ]);
    service.does(vec![Does::Head, Does::Text("You arrive at 14:35.".into()), Does::Ends]);
    let (text, end) = car.asks();
    assert_eq!((text.as_str(), end.cut), ("You arrive at 14:35.", None));
    let told: Vec<String> = (0..3)
        .map(|_| {
            service.sees(|saw| match saw {
                Saw::Request(_, body) => Some(body["messages"].as_array()?.last()?["content"].to_string()),
                _ => None,
            })
        })
        .collect();
    assert!(told[1].contains("there is no tool"), "{told:?}");
    assert!(told[2].contains("14:35"), "{told:?}");
    let counts = car.session.counts();
    assert_eq!((counts.calls, counts.calls_refused, counts.requests), (1, 1, 3));
}

#[test]
fn after_a_hand_over_the_next_question_goes_to_the_cloud() {
    let service = Service::new("localhost");
    let mut car = Car::new(&service, patient());
    service.does(vec![Does::Head, Does::Text(TEXT[..60].into()), Does::Resets]);
    assert!(car.asks().1.handed_over.is_some());
    service.does(vec![Does::Head, Does::Text(TEXT.into()), Does::Ends]);
    let (text, end) = car.asks();
    assert_eq!((text.as_str(), end.handed_over), (TEXT, None));
}

#[test]
fn a_service_that_says_nothing_is_answered_for_and_the_socket_closed() {
    let service = Service::new("localhost");
    let pace = Pace {
        first_token_soft: Duration::from_millis(500),
        first_token_hard: Duration::from_millis(1000),
        ..patient()
    };
    let mut car = Car::new(&service, pace);
    service.does(vec![Does::Holds]);
    let (text, end) = car.asks();
    assert_eq!(text, TEXT);
    assert_eq!(end.handed_over.as_ref().map(|why| why.name()), Some("first_token_late"));
    service.sees(|saw| matches!(saw, Saw::Closed(_) | Saw::NoHandshake).then_some(()));
}
