use std::sync::Mutex;

use troika_dialogue::{
    Manner, Town, Upstream,
    chat::{ChatRequest, Message, ToolCall},
};
use troika_router::Redactor;

use super::*;
use crate::{
    guard::Guarded,
    local::{Known, Offline},
};

fn at(ms: u64) -> Time {
    Time::from_nanos(1_000_000_000_000) + Duration::from_millis(ms)
}

const HERE: Situation = Situation { east_m: -200.0, north_m: 0.0, minute_of_day: 600 };

/// The service's side: what reached it.
#[derive(Default, Clone)]
struct Service(Arc<Mutex<Vec<(u64, ChatRequest)>>>, Arc<Mutex<Vec<String>>>);

impl Upstream for Service {
    fn start(&mut self, stream: u64, request: ChatRequest) {
        self.0.lock().unwrap().push((stream, request));
    }
    fn stop(&mut self, _: u64) {}
    fn trace(&mut self, traceparent: Option<String>) {
        self.1.lock().unwrap().extend(traceparent);
    }
}

impl Service {
    fn streams(&self) -> Vec<u64> {
        self.0.lock().unwrap().iter().map(|(stream, _)| *stream).collect()
    }
    fn saw(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }
}

struct Car {
    bridge: Bridge,
    service: Service,
}

struct Never;

impl Offline for Never {
    fn answer(&self, _: &[Message], _: &str, _: bool) -> Known {
        Known::Nothing
    }
}

fn car(model: bool) -> Car {
    let service = Service::default();
    let guard = Guard::new(Redactor::new(&["Anna Berg"], true).unwrap());
    let local = OnVehicle::new("bridge", model, Some(Box::new(Never)));
    let navigation = Navigation::new(Town::brellin(), HERE);
    let session = Session::new(
        Manner::default(),
        Box::new(Guarded::new(guard.clone(), service.clone())),
        Some(Box::new(local.clone())),
        Box::new(navigation.clone()),
    );
    let parts = Parts {
        guard,
        local,
        policy: Arc::new(Policy::built_in()),
        navigation,
        service: "https://gateway.example/v1".into(),
        cloud_model: "large".into(),
        local_model: "small".into(),
        sentences: Sentences::default(),
        price: (1.0, 10.0),
        traced: false,
    };
    Car { bridge: Bridge::new(session, parts), service }
}

fn asked(id: &str, text: &str, privacy: u8) -> DialogueRequest {
    DialogueRequest {
        request_id: id.into(),
        conversation_id: "c".into(),
        text: text.into(),
        task: DialogueRequest::NAVIGATION,
        privacy,
        complexity: f32::NAN,
        ..DialogueRequest::default()
    }
}

fn decided(id: &str, tier: u8) -> RoutingDecision {
    RoutingDecision { request_id: id.into(), tier, reason: "test".into(), ..RoutingDecision::default() }
}

impl Car {
    fn ask(&mut self, ms: u64, id: &str, text: &str, privacy: u8, tier: u8) -> Vec<Out> {
        let mut out = self.bridge.request(at(ms), &asked(id, text, privacy), HERE);
        out.extend(self.bridge.decision(at(ms), &decided(id, tier)));
        out
    }
    fn says(&mut self, ms: u64, stream: u64, text: &str) -> Vec<Out> {
        self.bridge.cloud(at(ms), stream, FromCloud::Text(text.into()))
    }
}

fn replies(out: &[Out]) -> Vec<&DialogueReply> {
    out.iter().filter_map(|one| if let Out::Reply(reply) = one { Some(reply) } else { None }).collect()
}

fn spoken(out: &[Out]) -> Vec<&str> {
    let speech = out.iter().filter_map(|one| if let Out::Speech(reply) = one { Some(reply) } else { None });
    speech.map(|reply| reply.text.as_str()).collect()
}

fn samples(out: &[Out]) -> Vec<u8> {
    let samples =
        out.iter().filter_map(|one| if let Out::Sample(sample) = one { Some(sample) } else { None });
    samples.map(|sample| sample.outcome).collect()
}

#[test]
fn an_answer_of_the_cloud_is_spoken_sentence_by_sentence_and_its_end_tells_what_it_took() {
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    assert_eq!(car.service.streams(), [1]);
    let mut out = car.says(400, 1, "The Old Mill Cafe is near. It is ");
    out.extend(car.says(450, 1, "open."));
    car.bridge.traffic(1, carried(400, 3_000));
    car.bridge.traffic(1, carried(400, 6_000));
    out.extend(car.bridge.cloud(at(460), 1, FromCloud::Done));
    assert_eq!(spoken(&out), ["The Old Mill Cafe is near.", "It is open."]);
    assert_eq!(samples(&out), [LinkSample::OK]);
    let replies = replies(&out);
    let sequence: Vec<u32> = replies.iter().map(|reply| reply.sequence).collect();
    assert_eq!(sequence, (0..replies.len() as u32).collect::<Vec<_>>());
    let last = replies.last().unwrap();
    assert!(last.done && last.outcome == DialogueReply::COMPLETE && last.tier == DialogueReply::CLOUD);
    assert_eq!((last.bytes_sent, last.bytes_received), (400, 6_000));
    assert!(last.cost_microeuro > 100, "400 bytes and the answer: {}", last.cost_microeuro);
}

fn carried(sent: u32, received: u32) -> Traffic {
    Traffic { sent, received, took: Duration::from_millis(50), ..Traffic::default() }
}

#[test]
fn an_answer_that_was_called_off_tells_what_it_took_until_then_and_what_comes_after_is_not_the_next_ones() {
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    car.bridge.traffic(1, carried(400, 0));
    car.says(400, 1, "The Old Mill Cafe is near. It is ");
    car.bridge.traffic(1, carried(400, 900));
    let out = car.bridge.speaking(at(500));
    let last = *replies(&out).last().unwrap();
    assert_eq!(last.outcome, DialogueReply::CANCELLED);
    assert_eq!((last.bytes_sent, last.bytes_received), (400, 900));
    assert!(last.cost_microeuro > 100, "the day's money is spent by it too: {}", last.cost_microeuro);
    car.ask(600, "u2", "Where is a hotel?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    car.bridge.traffic(1, carried(400, 5_000));
    car.bridge.traffic(2, carried(500, 100));
    let out = car.bridge.cloud(at(900), 2, FromCloud::Done);
    let last = *replies(&out).last().unwrap();
    assert_eq!((last.bytes_sent, last.bytes_received), (500, 100));
}

#[test]
fn an_answer_that_ends_with_its_process_was_interrupted_by_nobody() {
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    car.says(400, 1, "The Old Mill Cafe is near. It is ");
    let out = car.bridge.stopping(at(500));
    let last = *replies(&out).last().unwrap();
    assert_eq!((last.outcome, last.reason.as_str()), (DialogueReply::CANCELLED, "stopped"));
}

#[test]
fn what_is_private_and_nobody_here_can_answer_is_told_to_be_private() {
    let mut car = car(false);
    let out = car.ask(0, "u1", "Read me my last message", DialogueRequest::MESSAGES, DialogueReply::CANNED);
    assert_eq!(spoken(&out), [Sentences::default().private]);
    let out = car.ask(9, "u2", "Who was Mozart?", DialogueRequest::PUBLIC, DialogueReply::CANNED);
    assert_ne!(spoken(&out), [Sentences::default().private]);
}

#[test]
fn all_requests_of_a_question_are_one_trace_and_what_may_not_leave_has_none_outside() {
    let mut car = car(true);
    let mut asking = asked("u1", "Where is a cafe?", DialogueRequest::PUBLIC);
    asking.header = Header::at(at(7));
    car.bridge.request(at(20), &asking, HERE);
    car.bridge.decision(at(30), &decided("u1", DialogueReply::CLOUD));
    let call =
        ToolCall { id: "1".into(), name: "find_places".into(), arguments: r#"{"kind":"cafe"}"#.into() };
    car.bridge.cloud(at(400), 1, FromCloud::Tools(vec![call]));
    assert_eq!(car.service.streams(), [1, 2], "the answer goes on with the result");
    let trace = Trace::of("u1", at(7).as_nanos());
    assert_eq!(*car.service.1.lock().unwrap(), [trace.parent(1), trace.parent(2)]);
    car.bridge.cloud(at(500), 2, FromCloud::Done);
    car.ask(600, "u2", "Call Anna Berg", DialogueRequest::CONTACTS, DialogueReply::CLOUD);
    assert_eq!(car.service.1.lock().unwrap().len(), 2);
}

#[test]
fn a_cut_stream_is_gone_on_with_by_the_vehicles_model_and_told_as_a_failed_exchange() {
    troika_safety::verifies![SR_RTE_004];
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let mut out = car.says(400, 1, "The Old Mill Cafe is near. It is op");
    out.extend(car.bridge.cloud(at(500), 1, FromCloud::Failed(Fault::Reset("cut".into()))));
    assert_eq!(samples(&out), [LinkSample::FAILED]);
    let request = out.iter().find_map(|one| match one {
        Out::Language(request) if request.task == LanguageRequest::CONTINUE => Some(request.clone()),
        _ => None,
    });
    let request = request.expect("the model is asked to go on");
    assert_eq!(request.so_far, "The Old Mill Cafe is near. It is ");
    let said = LanguageReply {
        request_id: request.request_id,
        status: LanguageReply::DONE,
        text: " open until nine.".into(),
        ..LanguageReply::default()
    };
    out.extend(car.bridge.language(at(900), &said));
    assert_eq!(spoken(&out).join(" "), "The Old Mill Cafe is near. It is open until nine.");
    let tiers: Vec<u8> = replies(&out).iter().map(|reply| reply.tier).collect();
    assert_eq!(tiers.first(), Some(&DialogueReply::CLOUD));
    let last = *replies(&out).last().unwrap();
    assert!(last.done && last.tier == DialogueReply::ON_VEHICLE && last.reason == "reset", "{last:?}");
}

#[test]
fn an_interrupted_stream_is_no_fault_of_the_link_and_a_word_of_courtesy_no_answer() {
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    car.says(400, 1, "The Old Mill Cafe is near. It is ");
    car.bridge.speaking(at(500));
    // Its socket is closed by us, and says that it broke off.
    let out = car.bridge.cloud(at(501), 1, FromCloud::Failed(Fault::Truncated));
    assert!(out.is_empty(), "{out:?}");
    car.ask(600, "u2", "Where is a hotel?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let mut out = car.says(900, 2, "Good idea! ");
    out.extend(car.bridge.cloud(at(950), 2, FromCloud::Failed(Fault::Truncated)));
    let asked = out.iter().find_map(|one| match one {
        Out::Language(request) if request.task == LanguageRequest::CONTINUE => {
            Some(request.request_id.clone())
        }
        _ => None,
    });
    let unsure = LanguageReply {
        request_id: asked.expect("the model is asked to go on"),
        status: LanguageReply::UNSURE,
        ..LanguageReply::default()
    };
    out.extend(car.bridge.language(at(999), &unsure));
    let last = *replies(&out).last().unwrap();
    assert_eq!((last.outcome, last.text.as_str()), (DialogueReply::FAILED, &*Sentences::default().broken));
}

#[test]
fn what_is_private_stays_whatever_was_decided_and_is_not_told_with_the_next_question() {
    troika_safety::verifies![SR_RTE_001, SR_RTE_002, SR_RTE_008];
    let mut car = car(true);
    // A decision that is wrong, or forged.
    let out = car.ask(0, "u1", "Am I tired?", DialogueRequest::DRIVER_STATE, DialogueReply::CLOUD);
    assert!(car.service.streams().is_empty(), "{out:?}");
    let said = the_model_says(&mut car, 300, &out, "You look tired.");
    assert_eq!(spoken(&said), ["You look tired."]);
    // Said to be public, and its words say otherwise.
    car.ask(5_000, "u2", "Read my messages", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    assert!(car.service.streams().is_empty());
    car.ask(9_000, "u3", "Where does Anna Berg live?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let saw = car.service.saw();
    assert_eq!(car.service.streams().len(), 1);
    for word in ["tired", "my messages", "Anna", "Berg"] {
        assert!(!saw.contains(word), "{word}: {saw}");
    }
}

/// The vehicle's model says all of it at once.
fn the_model_says(car: &mut Car, ms: u64, out: &[Out], text: &str) -> Vec<Out> {
    let asked = out
        .iter()
        .find_map(|one| if let Out::Language(one) = one { Some(one.request_id.clone()) } else { None });
    let said = LanguageReply {
        request_id: asked.expect("the vehicle is asked"),
        status: LanguageReply::DONE,
        text: text.into(),
        ..LanguageReply::default()
    };
    car.bridge.language(at(ms), &said)
}

#[test]
fn what_the_vehicle_says_after_something_private_is_not_told_to_the_cloud_either() {
    troika_safety::verifies![SR_RTE_008];
    let mut car = car(true);
    let out = car.ask(0, "u1", "Am I tired?", DialogueRequest::DRIVER_STATE, DialogueReply::ON_VEHICLE);
    the_model_says(&mut car, 300, &out, "You look tired.");
    // A question without a private word, which the vehicle answers from what was said before.
    let out = car.ask(5_000, "u2", "And what else?", DialogueRequest::PUBLIC, DialogueReply::ON_VEHICLE);
    let said = the_model_says(&mut car, 5_300, &out, "Since you look tired, take a break.");
    assert_eq!(spoken(&said), ["Since you look tired, take a break."]);
    car.ask(9_000, "u3", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let saw = car.service.saw();
    assert!(car.service.streams().len() == 1 && !saw.contains("tired"), "{saw}");
}

#[test]
fn a_new_conversation_hears_nothing_of_an_answer_that_it_ends() {
    troika_safety::verifies![SR_RTE_006, SR_RTE_008];
    for tier in
        [DialogueReply::CLOUD, DialogueReply::ON_VEHICLE, DialogueReply::VEHICLE, DialogueReply::CANNED]
    {
        let mut car = car(true);
        car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
        car.says(300, 1, "The Old Mill Cafe is near. ");
        let other = DialogueRequest {
            conversation_id: "d".into(),
            ..asked("u2", "Where is a museum?", DialogueRequest::PUBLIC)
        };
        let mut out = car.bridge.request(at(400), &other, HERE);
        out.extend(car.bridge.decision(at(400), &decided("u2", tier)));
        let told = replies(&out);
        assert_eq!(
            (told[0].request_id.as_str(), told[0].outcome),
            ("u1", DialogueReply::CANCELLED),
            "{tier}"
        );
        let mut third = other.clone();
        third.request_id = "u3".into();
        car.bridge.request(at(9_000), &third, HERE);
        car.bridge.decision(at(9_000), &decided("u3", DialogueReply::CLOUD));
        assert!(!car.service.saw().contains("Old Mill"), "{tier}: {}", car.service.saw());
    }
}

#[test]
fn a_tool_that_the_cloud_calls_is_answered_from_the_map_and_the_name_is_known_to_the_vehicle_alone() {
    let mut car = car(true);
    car.ask(0, "u1", "Is there a cafe near?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let call =
        ToolCall { id: "a".into(), name: "find_places".into(), arguments: "{\"kind\":\"cafe\"}".into() };
    car.bridge.cloud(at(300), 1, FromCloud::Tools(vec![call]));
    assert_eq!(car.service.streams().len(), 2, "asked again, with the result");
    assert!(car.service.saw().contains("distance_km"));
}

#[test]
fn without_a_decision_the_question_is_answered_in_the_vehicle() {
    troika_safety::verifies![SR_RTE_009];
    let mut car = car(true);
    let now = at(0);
    let out = car.bridge.request(now, &asked("u1", "Where is a cafe?", DialogueRequest::PUBLIC), HERE);
    assert!(out.is_empty());
    assert_eq!(car.bridge.due(now), Some(now + DECISION_WITHIN));
    let out = car.bridge.tick(now + DECISION_WITHIN);
    assert!(matches!(&out[..], [Out::Language(one)] if one.task == LanguageRequest::CONTINUE), "{out:?}");
    assert!(car.service.streams().is_empty());
}

#[test]
fn a_decision_that_comes_before_its_question_holds() {
    let mut car = car(true);
    car.bridge.decision(at(0), &decided("u1", DialogueReply::CLOUD));
    car.bridge.request(at(1), &asked("u1", "Where is a cafe?", DialogueRequest::PUBLIC), HERE);
    assert_eq!(car.service.streams(), [1]);
}

#[test]
fn nobody_to_answer_is_said_and_so_is_what_is_a_command() {
    troika_safety::verifies![SR_RTE_011];
    let mut car = car(false);
    let out = car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::ON_VEHICLE);
    assert_eq!(spoken(&out), [Sentences::default().nobody]);
    assert!(replies(&out).iter().any(|reply| reply.done && reply.outcome == DialogueReply::FAILED));
    let out = car.ask(1_000, "u2", "Open it", DialogueRequest::PUBLIC, DialogueReply::VEHICLE);
    assert_eq!(spoken(&out), [Sentences::default().command]);
    let out = car.ask(2_000, "u3", "Well?", DialogueRequest::PUBLIC, DialogueReply::CANNED);
    assert_eq!(spoken(&out), [Sentences::default().nobody]);
}

#[test]
fn who_speaks_ends_the_answer_and_the_next_question_begins_another() {
    troika_safety::verifies![SR_RTE_006];
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    car.says(400, 1, "The Old Mill Cafe is near. ");
    let out = car.bridge.speaking(at(500));
    let last = *replies(&out).last().unwrap();
    assert!(last.done && last.outcome == DialogueReply::CANCELLED);
    assert!(!car.bridge.answers() && car.says(600, 1, "Too late. ").is_empty());
    car.ask(1_000, "u2", "And a hotel?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let out = car.ask(1_500, "u3", "No, a museum", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let ended: Vec<_> =
        replies(&out).iter().filter(|one| one.done).map(|one| one.request_id.clone()).collect();
    assert_eq!(ended, ["u2"], "who asked before hears how it ended");
}

#[test]
fn a_stream_that_stalls_is_told_to_the_link_once_a_second_and_a_lost_one_as_failed() {
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let mut told = Vec::new();
    for ms in (0..4_000).step_by(50) {
        let out = car.bridge.tick(at(ms));
        told.extend(samples(&out));
        for one in &out {
            if let Out::Language(request) = one
                && request.task == LanguageRequest::CONTINUE
            {
                let taken = LanguageReply {
                    request_id: request.request_id.clone(),
                    status: LanguageReply::PARTIAL,
                    ..LanguageReply::default()
                };
                told.extend(samples(&car.bridge.language(at(ms), &taken)));
            }
        }
    }
    // The first token is given up after 2.5 s.
    assert_eq!(told, [LinkSample::STALLED, LinkSample::STALLED]);
    assert!(car.bridge.answers(), "the vehicle's model answers now");
}

#[test]
fn without_a_model_that_takes_the_question_it_is_known_in_a_moment_that_nobody_answers() {
    let mut car = car(true);
    let mut out = car.ask(0, "u1", "Tell me a story", DialogueRequest::PUBLIC, DialogueReply::ON_VEHICLE);
    for ms in (0..2_000).step_by(50) {
        out.extend(car.bridge.tick(at(ms)));
    }
    let replies = replies(&out);
    let last = replies.last().unwrap();
    assert_eq!((last.outcome, last.reason.as_str()), (DialogueReply::FAILED, "routed, no_model"));
    assert!(!car.bridge.answers());
}

#[test]
fn a_link_that_is_gone_hands_over_at_once() {
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    let down = LinkState { state: LinkState::DOWN, ..LinkState::default() };
    let out = car.bridge.link(at(100), &down);
    assert!(out.iter().any(|one| matches!(one, Out::Language(one) if one.task == LanguageRequest::CONTINUE)));
}

#[test]
fn many_questions_at_once_are_bounded_and_the_oldest_hears_so() {
    let mut car = car(true);
    let mut out = Vec::new();
    for n in 0..10 {
        let request = asked(&format!("u{n}"), "Where?", DialogueRequest::PUBLIC);
        out.extend(car.bridge.request(at(0), &request, HERE));
    }
    let dropped: Vec<_> = replies(&out).iter().map(|reply| reply.request_id.clone()).collect();
    assert_eq!(dropped, ["u0", "u1", "u2", "u3", "u4", "u5"]);
    assert!(spoken(&out).is_empty());
    let out = car.bridge.request(at(1), &asked("u99", "  ", DialogueRequest::PUBLIC), HERE);
    assert_eq!(replies(&out)[0].outcome, DialogueReply::FAILED);
}

#[test]
fn new_files_have_the_cloud_asked_again_at_once_and_the_router_hears_so() {
    let mut car = car(true);
    car.ask(0, "u1", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    car.bridge.cloud(at(100), 1, FromCloud::Failed(Fault::Unauthorized(403)));
    car.bridge.speaking(at(200));
    car.ask(1_000, "u2", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    assert_eq!(car.service.streams().len(), 1, "left alone for a minute");
    car.bridge.speaking(at(1_100));
    let out = car.bridge.renewed(at(2_000));
    let told = replies(&out);
    assert_eq!((told.len(), told[0].request_id.as_str(), told[0].reason.as_str()), (1, "", FILES_CHANGED));
    assert!(spoken(&out).is_empty());
    car.ask(2_001, "u3", "Where is a cafe?", DialogueRequest::PUBLIC, DialogueReply::CLOUD);
    assert_eq!(car.service.streams().len(), 2);
}

#[test]
fn a_question_without_end_is_refused_at_once_with_what_may_be_asked() {
    let mut car = car(true);
    let long = "where is it ".repeat(2_000);
    let out = car.bridge.request(at(0), &asked("u1", &long, DialogueRequest::PUBLIC), HERE);
    let last = replies(&out)[0];
    assert!(last.done && last.outcome == DialogueReply::FAILED);
    assert!(last.reason.contains("24000 bytes") && last.reason.contains("4096"), "{}", last.reason);
    let most = "x".repeat(MOST_QUESTION);
    assert!(car.bridge.request(at(1), &asked("u2", &most, DialogueRequest::PUBLIC), HERE).is_empty());
}
