//! Answers on their way: token by token, cut, replaced, ended.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use tokio::{sync::Notify, time::timeout};

use crate::{
    upstream::{Does, NET, Saw, Service},
    world::{STREAM, World, question},
};

async fn audit(world: &World, lines: usize) -> Vec<serde_json::Value> {
    let path = world.dir.path().join("audit.jsonl");
    let text = || std::fs::read_to_string(&path).unwrap_or_default();
    crate::world::until(|| text().lines().count() >= lines, &text).await;
    text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn each_token_goes_on_before_the_next_is_said() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    let steps: Vec<_> = (0..3).map(|_| Arc::new(Notify::new())).collect();
    let mut script = vec![Does::Head];
    for (word, step) in ["One", " two", " three"].into_iter().zip(&steps) {
        script.extend([Does::Says(word), Does::Waits(step.clone())]);
    }
    script.push(Does::Ends(7, 3));
    service.does(script);
    let (response, _task) = world.send(&anna, question(STREAM)).await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    for (word, step) in ["One", "two", "three"].into_iter().zip(&steps) {
        // The service says nothing more until this one has arrived.
        let frame = timeout(NET, body.frame()).await.expect("in time").expect("a frame").expect("whole");
        let data = frame.into_data().expect("data");
        assert!(String::from_utf8_lossy(&data).contains(word), "{data:?}");
        step.notify_one();
    }
    let rest = body.collect().await.expect("whole").to_bytes();
    assert_eq!(&rest[..], b"data: [DONE]\n\n", "the count that nobody asked for is left out");
    let line = audit(&world, 1).await.remove(0);
    assert_eq!(
        (&line["tokens_in"], &line["tokens_out"], &line["estimated"]),
        (&7.into(), &3.into(), &false.into())
    );
    assert_eq!((&line["cost_micro_euro"], &line["end"]), (&10.into(), &"done".into()));
}

#[tokio::test]
async fn the_count_of_tokens_comes_to_who_asks_for_it() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let more = r#","stream":true,"stream_options":{"include_usage":true}"#;
    let answer = world.ask(&world.vehicle("anna"), question(more)).await;
    assert!(answer.body.contains("\"completion_tokens\":2"), "{}", answer.body);
}

#[tokio::test]
async fn a_vehicle_that_goes_closes_the_upstreams_socket() {
    let mut service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    service.does(vec![Does::Head, Does::Says("Turn"), Does::Holds]);
    let (response, task) = world.send(&anna, question(STREAM)).await.expect("an answer");
    let mut body = response.into_body();
    assert!(body.frame().await.expect("an event").is_ok());
    task.abort();
    drop(body);
    while !matches!(service.sees().await, Saw::Closed) {}
    let line = audit(&world, 1).await.remove(0);
    assert_eq!(
        (&line["end"], &line["status"], &line["upstream"]),
        (&"left".into(), &200.into(), &"u0".into())
    );
    // One that goes while it waits for the first token, too.
    service.does(vec![Does::Holds]);
    let stream = world.connect(&anna).await.expect("in");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .expect("a connection");
    let task = tokio::spawn(connection);
    let asking = tokio::spawn(async move { sender.send_request(question(STREAM)).await.is_ok() });
    service.request().await;
    task.abort();
    asking.abort();
    while !matches!(service.sees().await, Saw::Closed) {}
    assert_eq!(audit(&world, 2).await[1]["status"], 499);
    assert_eq!(world.ask(&anna, question("")).await.status, 200, "its room came back");
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_event_that_says_so_and_whole_events_before() {
    let service = Service::new().await;
    let world = World::new(&[&service], "[times]\nstall_ms = 300\n").await;
    let error = b"data: {\"error\":{\"message\":\"CANARY of the service\"}}\n\n".to_vec();
    for (does, reason) in [
        (vec![Does::Bytes(b"data: {\"choi".to_vec()), Does::Closes], "truncated"),
        (vec![Does::Holds], "stall"),
        (vec![Does::Bytes(error)], "upstream_error"),
        (vec![Does::Bytes(vec![b'x'; 200_000]), Does::Holds], "too_large"),
        (vec![Does::Floods], "too_large"),
    ] {
        let script = [vec![Does::Head, Does::Says("Turn")], does].concat();
        service.does(script);
        // Another vehicle each time: the breaker of one upstream opens after three in a row.
        let answer = world.ask(&world.vehicle("anna"), question(STREAM)).await;
        assert_eq!(answer.status, 200);
        let events: Vec<&str> = answer.body.split_inclusive("\n\n").collect();
        assert!(events[0].contains("Turn"), "{reason}: {events:?}");
        let last = events.last().expect("an end");
        assert!(last.starts_with("event: error\ndata: {"), "{reason}: {last}");
        assert!(last.contains(reason), "{last}");
        assert!(!answer.body.contains("\"choi\n") && !answer.body.contains("CANARY of"), "{}", answer.body);
        // A good one between, so that the breaker stays closed.
        assert_eq!(world.ask(&world.vehicle("anna"), question("")).await.status, 200);
    }
}

#[tokio::test]
async fn before_the_first_token_the_next_upstream_takes_over_and_the_vehicle_sees_nothing() {
    let mut bad = Service::new().await;
    let mut fine = Service::new().await;
    let world = World::new(&[&bad, &fine], "[times]\nfirst_byte_ms = 5000\n").await;
    let anna = world.vehicle("anna");
    for script in [
        vec![Does::Closes],
        vec![Does::Head, Does::Closes],
        vec![Does::Head, Does::Bytes(b": only a comment\n\n".to_vec()), Does::Closes],
        vec![Does::Answers(500, "", "CANARY of the service")],
        vec![Does::Answers(200, "content-type: text/html\r\n", "<h1>Sign in</h1>")],
        vec![Does::Holds],
        vec![Does::Head, Does::Bytes(b"data: {\"error\":{}}\n\n".to_vec())],
    ] {
        bad.does(script.clone());
        let answer = world.ask(&anna, question(STREAM)).await;
        assert_eq!(answer.status, 200, "{script:?}");
        assert!(
            answer.body.ends_with("data: [DONE]\n\n") && !answer.body.contains("CANARY of"),
            "{script:?}"
        );
        bad.request().await;
        fine.request().await;
        // The breaker of the bad one is closed again by a good answer.
        assert_eq!(world.ask(&anna, question(STREAM)).await.status, 200);
        bad.request().await;
    }
    assert_eq!(audit(&world, 1).await[0]["tries"], 2);
}

#[tokio::test]
async fn an_upstream_that_fails_is_left_alone_and_one_that_asks_for_time_gets_it() {
    let mut bad = Service::new().await;
    let fine = Service::new().await;
    let world = World::new(&[&bad, &fine], "").await;
    let anna = world.vehicle("anna");
    bad.does(vec![Does::Answers(429, "retry-after: 60\r\n", "later")]);
    for _ in 0..4 {
        assert_eq!(world.ask(&anna, question("")).await.status, 200);
    }
    bad.request().await;
    assert!(bad.seen().is_empty(), "it was asked again");
    world.counts("gateway_upstream_asked{upstream=\"u0\"} 0").await;
    world.counts("gateway_upstream_failures_total{upstream=\"u0\",fault=\"rate_limited\"} 1").await;
}

#[tokio::test]
async fn where_nobody_is_left_the_vehicle_is_told_when_to_come_again() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    service.does(vec![Does::Answers(503, "retry-after: 7\r\n", "")]);
    let first = world.ask(&anna, question("")).await;
    assert_eq!((first.status, &first.headers["retry-after"]), (503, &"7".parse().expect("a value")));
    let second = world.ask(&anna, question("")).await;
    assert_eq!(second.status, 503);
    let wait: u64 = second.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=7).contains(&wait), "{wait}");
}

#[tokio::test]
async fn what_an_upstream_refuses_is_not_brought_to_the_next() {
    let bad = Service::new().await;
    let mut fine = Service::new().await;
    let world = World::new(&[&bad, &fine], "").await;
    bad.does(vec![Does::Answers(400, "", "too many tokens")]);
    let answer = world.ask(&world.vehicle("anna"), question("")).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("too many tokens"));
    assert!(fine.seen().is_empty());
}

#[tokio::test]
async fn a_request_has_a_longest_time_in_all() {
    let service = Service::new().await;
    let world = World::new(&[&service], "[times]\ntotal_ms = 500\nstall_ms = 20000\n").await;
    service.does(vec![Does::Head, Does::Says("Turn"), Does::Holds]);
    let answer = world.ask(&world.vehicle("anna"), question(STREAM)).await;
    assert!(answer.body.contains("\"reason\":\"total\""), "{}", answer.body);
    service.does(vec![Does::Holds]);
    assert_eq!(world.ask(&world.vehicle("anna"), question(STREAM)).await.status, 504);
}

#[tokio::test]
async fn a_reader_that_stands_still_is_left_and_holds_nothing_up() {
    let mut service = Service::new().await;
    let more = "[times]\nwrite_ms = 500\n[limits]\nanswer_bytes = 60000000\n";
    let world = World::new(&[&service], more).await;
    service.does(vec![Does::Head, Does::Floods]);
    let (response, _task) = world.send(&world.vehicle("anna"), question(STREAM)).await.expect("an answer");
    // The client's library reads ahead a little and then nothing.
    while !matches!(service.sees().await, Saw::Closed) {}
    drop(response);
}

#[tokio::test]
async fn a_trace_goes_through_to_the_upstream_and_into_the_record() {
    let mut service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let mut traced = question("");
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    traced.headers_mut().insert("traceparent", parent.parse().expect("a value"));
    assert_eq!(world.ask(&world.vehicle("anna"), traced).await.status, 200);
    let (head, _) = service.request().await;
    assert!(head.contains("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{head}");
    assert!(!head.contains("00f067aa0ba902b7"), "under a span of the gateway's own");
    assert_eq!(audit(&world, 1).await[0]["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn no_words_are_in_the_record_or_the_metrics_whatever_becomes_of_a_request() {
    troika_safety::verifies![SR_FLT_008];
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    let words = |body: &str| crate::world::post("/v1/chat/completions", body.to_owned());
    service.does(vec![Does::Answers(400, "", "CANARY")]);
    service.does(vec![Does::Head, Does::Says("CANARY"), Does::Closes]);
    for request in [
        question(""),
        question(STREAM),
        question(STREAM),
        question(",\"CANARY\":1"),
        words("CANARY"),
        words(r#"{"model":"CANARY","messages":[{"role":"user","content":"CANARY"}]}"#),
    ] {
        world.ask(&anna, request).await;
    }
    audit(&world, 6).await;
    let text = std::fs::read_to_string(world.dir.path().join("audit.jsonl")).expect("there");
    assert!(!text.contains("CANARY"), "{text}");
    assert!(!world.gateway.metrics_text().contains("CANARY"));
    assert!(
        !std::fs::read(world.dir.path().join("store.redb"))
            .expect("there")
            .windows(6)
            .any(|six| six == b"CANARY")
    );
}

#[tokio::test]
async fn the_same_cold_question_is_answered_from_memory_where_that_is_set_up() {
    let mut service = Service::new().await;
    let world = World::new(&[&service], "[cache]\nbytes = 100000\n").await;
    let (anna, bruno) = (world.vehicle("anna"), world.vehicle("bruno"));
    let cold = r#","temperature":0,"stream":true"#;
    let first = world.ask(&anna, question(cold)).await;
    // It is kept when its end has gone out.
    crate::world::until(|| !service_idle(&world), || "kept".into()).await;
    let second = world.ask(&anna, question(cold)).await;
    assert_eq!(first.body, second.body);
    assert_eq!(service.seen().len(), 1);
    world.counts("gateway_cached_total 1").await;
    world.ask(&bruno, question(cold)).await;
    world.ask(&anna, question(STREAM)).await;
    assert_eq!(service.seen().len(), 2, "another vehicle, and a warm one");
    let line = &audit(&world, 2).await[1];
    assert_eq!((&line["cached"], &line["cost_micro_euro"]), (&true.into(), &0.into()));
}

fn service_idle(world: &World) -> bool {
    world.gateway.gate.look(1).1[0].0 > 0
}
