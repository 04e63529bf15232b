//! The admin's side.

use serde_json::json;

use crate::{
    upstream::Service,
    world::{World, post, question},
};

#[tokio::test]
async fn the_page_comes_with_a_policy_and_nothing_from_elsewhere() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let page = world.admin("GET", "/").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
    assert!(page.body.contains("<title>Troika fleet</title>"));
}

/// The first state that the page is told.
async fn state(world: &World) -> serde_json::Value {
    use http_body_util::BodyExt as _;
    let stream = tokio::net::TcpStream::connect(world.admin).await.expect("it listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .expect("a connection");
    tokio::spawn(connection);
    let request =
        hyper::Request::get("/events").header("host", "x").body(http_body_util::Empty::<bytes::Bytes>::new());
    let mut body = sender.send_request(request.expect("a request")).await.expect("an answer").into_body();
    let data = body.frame().await.expect("an event").expect("whole").into_data().expect("data");
    let text = String::from_utf8_lossy(&data).into_owned();
    serde_json::from_str(text.trim().strip_prefix("data: ").expect("data")).expect("JSON")
}

#[tokio::test]
async fn a_vehicles_report_and_its_requests_are_on_the_page() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    let report = json!({"link": "up", "rtt_ms": 80, "tier": "cloud", "driver_state": "attentive", "latency_ms": 700, "errors": 1});
    assert_eq!(world.ask(&anna, post("/v1/vehicle/report", report.to_string())).await.status, 204);
    assert_eq!(world.ask(&anna, question("")).await.status, 200);
    let state = state(&world).await;
    let row = &state["rows"][0];
    assert_eq!((&row["vehicle"], &row["report"]["driver_state"]), (&json!("anna"), &json!("attentive")));
    assert_eq!((&row["requests"], &row["cost_micro_euro"]), (&json!(1), &json!(12)));
    assert_eq!(state["upstreams"][0]["fine"], json!(true));
}

#[tokio::test]
async fn a_report_with_anything_else_in_it_is_refused() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    let long = format!("{{\"link\":\"up\",\"tier\":\"cloud\",\"errors\":{}1}}", " ".repeat(5000));
    for (wrong, status) in [
        (r#"{"link":"up","tier":"cloud","image":"AAAA"}"#, 400),
        (r#"{"link":"<script>alert(1)</script>","tier":"cloud"}"#, 400),
        (r#"{"link":"up"}"#, 400),
        (long.as_str(), 413),
    ] {
        assert_eq!(
            world.ask(&anna, post("/v1/vehicle/report", wrong.to_owned())).await.status,
            status,
            "{wrong}"
        );
    }
    assert!(state(&world).await["rows"][0]["report"].is_null());
}

#[tokio::test]
async fn ready_is_when_an_upstream_answers_and_the_store_writes() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    assert_eq!(world.admin("GET", "/health").await.status, 200);
    crate::world::until(|| world.gateway.ready().is_ok(), || "ready".into()).await;
    assert_eq!(world.admin("GET", "/ready").await.status, 200);
    let nobody = Service::nobody().await;
    let alone = World::new(&[&nobody], "").await;
    alone.counts("gateway_upstream_failures_total{upstream=\"u0\",fault=\"connect\"} 1").await;
    let told = alone.admin("GET", "/ready").await;
    assert_eq!((told.status, told.body.as_str()), (503, "no upstream answers\n"));
}

#[tokio::test]
async fn vehicles_see_nothing_of_the_admins_side() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    for path in ["/", "/events", "/metrics", "/inbox", "/v1/../metrics"] {
        assert_eq!(world.ask(&anna, post(path, "")).await.status, 404, "{path}");
    }
    let models = hyper::Request::get("/v1/models").header("host", "x").body(http_body_util::Full::default());
    let models = world.ask(&anna, models.expect("a request")).await;
    assert!(models.body.contains("\"id\":\"m\""), "{}", models.body);
    let text = world.admin("GET", "/metrics").await.body;
    assert!(text.contains("# TYPE gateway_tokens counter") && text.ends_with("# EOF\n"), "{text}");
}
