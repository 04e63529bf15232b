//! A question and its answer, well and not well.

use std::{
    fs,
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use troika_dialogue::{Fault, FromCloud};
use zenoh::{Wait as _, query::ConsolidationMode};

use crate::{
    service::{Does, Saw, Service},
    world::{QUESTION, Vehicle, World, asked, at, get, until},
};

#[test]
fn annas_question_streams_through_a_stock_router_over_tls_and_quic() {
    let (world, service) = (World::new(), Service::new());
    let folder = world.enrol("anna");
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    for scheme in ["tls", "quic"] {
        let mut anna = Vehicle::new(&folder, scheme, router.port);
        assert_eq!(anna.ask("CANARY where?"), Ok("Turn left.".into()), "{scheme}");
        assert!(matches!(service.sees(), Saw::Question(body) if body.contains("CANARY")));
    }
    // The same account as over HTTPS: who, how it ended, and none of the words.
    let line = || fs::read_to_string(world.dir.path().join("g.jsonl")).unwrap_or_default();
    until("two lines in the record", || line().lines().count() == 2);
    assert_eq!(line().matches("\"vehicle\":\"anna\"").count(), 2, "{}", line());
    assert_eq!(line().matches("\"end\":\"done\"").count(), 2, "{}", line());
    assert!(!line().contains("CANARY"), "{}", line());
}

#[test]
fn words_come_as_they_are_said() {
    let (world, service) = (World::new(), Service::new());
    let folder = world.enrol("anna");
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    let mut anna = Vehicle::new(&folder, "tls", router.port);
    let (go_on, until) = channel();
    service.does(Does::Waits(until));
    anna.begin("Where?");
    assert_eq!(anna.hears(), FromCloud::Text("Turn".into()), "while the service has not said the rest");
    go_on.send(()).expect("it waits");
    assert_eq!(anna.rest(), Ok(" left.".into()));
}

#[test]
fn a_question_that_is_taken_back_closes_the_services_socket_and_so_does_a_vehicle_that_goes() {
    let (world, service) = (World::new(), Service::new());
    let folder = world.enrol("anna");
    let router = world.router(&[]);
    let gateway = world.gateway("g", &[router.port], &service);
    let mut anna = Vehicle::new(&folder, "tls", router.port);
    service.does(Does::Holds);
    let stream = anna.begin("Where?");
    assert_eq!(anna.hears(), FromCloud::Text("Turn".into()));
    anna.stop(stream);
    assert_eq!(anna.rest(), Err(Fault::Cancelled));
    assert!(matches!(service.sees(), Saw::Question(_)));
    assert_eq!(service.sees(), Saw::Closed);
    gateway.counts("gateway_mesh_left_total{why=\"cancelled\"} 1");
    assert_eq!(anna.ask("And now?"), Ok("Turn left.".into()), "the session goes on");
    assert!(matches!(service.sees(), Saw::Question(_)));

    // One that says nothing more: its token ends with its connection.
    let session = world.session(&folder, router.port, &[]).expect("a session");
    let key = troika_dialogue_mesh::wire::alive("anna", &session.zid().to_string());
    let _alive = session.liveliness().declare_token(key).wait().expect("a token");
    service.does(Does::Holds);
    let question = asked(&session, "00000001", "POST").to_bytes();
    let replies = session
        .get(at(&session, "anna", "v1/chat/completions"))
        .payload(QUESTION)
        .attachment(question)
        .consolidation(ConsolidationMode::None);
    let replies = replies.wait().expect("asked");
    replies.recv_timeout(crate::world::NET).expect("the first words").expect("a reply");
    assert!(matches!(service.sees(), Saw::Question(_)));
    let began = Instant::now();
    session.close().wait().expect("closed");
    let closed = began.elapsed();
    assert_eq!(service.sees(), Saw::Closed);
    println!("session closed in {closed:.0?}, its question's socket after {:.0?}", began.elapsed());
    gateway.counts("gateway_mesh_left_total{why=\"gone\"} 1");
    gateway.counts("gateway_mesh_running 0");
}

#[test]
fn every_endpoint_is_there_and_what_is_wrong_is_refused_as_over_https() {
    let (world, service) = (World::new(), Service::new());
    let folder = world.enrol("anna");
    let router = world.router(&[]);
    let gateway = world.gateway("g", &[router.port], &service);
    let session = world.session(&folder, router.port, &[]).expect("a session");
    let mut number = 0x1000_0000;
    let mut ask = |path: &str, method: &str, body: &str| {
        number += 1;
        let question = asked(&session, &format!("{number:x}"), method);
        get(&session, &at(&session, "anna", path), &question.to_bytes(), body).expect("an answer")
    };
    let (status, models) = ask("v1/models", "GET", "");
    assert!(status == 200 && models.contains("\"m\""), "{status} {models}");
    assert_eq!(ask("v1/vehicle/report", "POST", r#"{"link":"up","tier":"cloud"}"#).0, 204);
    let batch = r#"[{"id":"message-1","kind":"message","body":"hello"}]"#;
    assert_eq!(
        ask("v1/outbox", "POST", batch),
        (200, r#"{"accepted":["message-1"],"known":[],"full":[]}"#.into())
    );
    assert_eq!(
        ask("v1/outbox", "POST", batch),
        (200, r#"{"accepted":[],"known":["message-1"],"full":[]}"#.into())
    );
    assert_eq!(ask("v1/nothing", "GET", "").0, 404);
    assert_eq!(ask("v1/models", "POST", "").0, 405);
    assert_eq!(ask("v1/models", "NO GOOD", "").0, 400);
    let claims = QUESTION.replace("\"stream\"", "\"user\":\"bruno\",\"stream\"");
    assert_eq!(ask("v1/chat/completions", "POST", &claims).0, 403, "a payload that claims another");
    assert_eq!(ask("v1/chat/completions", "POST", &QUESTION.replace("\"m\"", "\"x\"")).0, 404);
    let large = QUESTION.replace("Where?", &"x".repeat(300_000));
    assert_eq!(ask("v1/chat/completions", "POST", &large).0, 413);
    assert!(gateway.page("/inbox").expect("a page").contains("anna"), "delivered under the name in the key");

    let key = &at(&session, "anna", "v1/models");
    let (status, why) = get(&session, key, b"nonsense", "").expect("an answer");
    assert!(status == 400 && why.contains("version 1"), "{status} {why}");
    let mut other = asked(&session, "20000000", "GET");
    other.version = 2;
    let (status, why) = get(&session, key, &other.to_bytes(), "").expect("an answer");
    assert!(status == 400 && why.contains("this side speaks 1"), "{status} {why}");
    let mut claims = String::from_utf8(asked(&session, "20000001", "GET").to_bytes()).expect("JSON");
    claims.insert_str(1, "\"vehicle\":\"bruno\",");
    assert_eq!(
        get(&session, key, claims.as_bytes(), "").expect("an answer").0,
        400,
        "an attachment that claims another"
    );
    assert!(service.seen().is_empty(), "none of it reached the service");
}

#[test]
fn what_is_not_there_is_told_apart() {
    let (world, service) = (World::new(), Service::new());
    let (folder, other) = (world.enrol("anna"), World::new());
    let router = world.router(&[]);
    let mut anna = Vehicle::patient(&folder, "tls", router.port, Duration::from_secs(10));
    let none = anna.ask("Anybody?").expect_err("no gateway");
    assert!(matches!(&none, Fault::Connect(why) if why.contains("no gateway")), "{none:?}");
    let _gateway = world.gateway("g", &[router.port], &service);
    assert_eq!(anna.ask("And now?"), Ok("Turn left.".into()), "the same session");
    let stranger = other.enrol("anna");
    fs::copy(folder.join("ca.pem"), stranger.join("ca.pem")).expect("copied");
    let fault = Vehicle::new(&stranger, "tls", router.port).ask("Me?").expect_err("foreign");
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
    let mistrusts = other.enrol("bruno");
    let fault =
        Vehicle::new(&mistrusts, "tls", router.port).ask("You?").expect_err("a router of another fleet's");
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
    let fault =
        Vehicle::new(&folder, "tls", troika_interop::free_port()).ask("Who?").expect_err("nobody listens");
    assert!(matches!(&fault, Fault::Connect(why) if why.contains("refused")), "{fault:?}");
}
