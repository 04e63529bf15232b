//! What outlives the process: quotas and deliveries.

use serde_json::{Value, json};

use crate::{
    upstream::Service,
    world::{World, config, post, question},
};

fn batch(ids: &[&str]) -> String {
    Value::from_iter(ids.iter().map(|id| json!({"id": id, "kind": "message", "body": {"text": "hello"}})))
        .to_string()
}

async fn deliver(world: &World, who: &str, ids: &[&str]) -> Value {
    let answer = world.ask(&world.vehicle(who), post("/v1/outbox", batch(ids))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test]
async fn quotas_survive_a_restart() {
    let service = Service::new().await;
    let quota = "[quota]\ntokens_a_day = 200\nrequests_a_minute = 1000\n";
    let world = World::new(&[&service], quota).await;
    let anna = world.vehicle("anna");
    // 12 tokens each; 50 and the question's are promised to one that runs.
    let mut answered = 0;
    let spent = loop {
        let answer = world.ask(&anna, question("")).await;
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
    };
    assert!((9..=12).contains(&answered), "{answered}");
    assert_eq!(spent.status, 429);
    assert!(
        spent.body.contains("quota_tokens") && spent.headers.contains_key("retry-after"),
        "{}",
        spent.body
    );
    let dir = world.end().await;
    let world = World::again(dir, &[&service], quota).await;
    let anna = world.vehicle("anna");
    assert_eq!(world.ask(&anna, question("")).await.status, 429, "forgotten");
    assert_eq!(world.ask(&world.vehicle("bruno"), question("")).await.status, 200);
}

#[tokio::test]
async fn money_and_requests_are_bounded_too() {
    let service = Service::new().await;
    let world = World::new(&[&service], "[quota]\nrequests_a_minute = 2\n").await;
    let anna = world.vehicle("anna");
    for _ in 0..2 {
        assert_eq!(world.ask(&anna, question("")).await.status, 200);
    }
    let answer = world.ask(&anna, question("")).await;
    assert!(answer.body.contains("quota_requests"), "{}", answer.body);
    let poor = World::new(&[&service], "[quota]\nmicro_euro_a_day = 1\n").await;
    let answer = poor.ask(&poor.vehicle("anna"), question("")).await;
    assert!(answer.body.contains("quota_money"), "{}", answer.body);
}

#[tokio::test]
async fn two_gateways_on_one_store_count_together() {
    let service = Service::new().await;
    let quota = "[quota]\ntokens_a_day = 200\nrequests_a_minute = 1000\nshare_ms = 60000\n";
    let world = World::new(&[&service], quota).await;
    let anna = world.vehicle("anna");
    let file = config(world.dir.path(), &[&service.url], quota);
    let second = troika_gateway::gateway::Gateway::start(file).await.expect("a second one beside it");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(troika_gateway::serve::serve(second.clone(), listener));
    while world.ask(&anna, question("")).await.status == 200 {}
    // What one brings to the store the other reads when it brings something itself.
    world.gateway.share().await;
    let World { dir, gateway, serving, .. } = world;
    let other = World { dir, gateway: second.clone(), address, admin: address, serving };
    assert_eq!(other.ask(&anna, question("")).await.status, 200, "it does not know yet");
    second.share().await;
    assert_eq!(other.ask(&anna, question("")).await.status, 429, "now it does");
    drop(gateway);
}

#[tokio::test]
async fn a_delivery_counts_once_over_retries_and_a_restart() {
    troika_safety::verifies![SR_OUT_002];
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    assert_eq!(
        deliver(&world, "anna", &["1", "2"]).await,
        json!({"accepted": ["1", "2"], "known": [], "full": []})
    );
    assert_eq!(
        deliver(&world, "anna", &["2", "3"]).await,
        json!({"accepted": ["3"], "known": ["2"], "full": []})
    );
    let dir = world.end().await;
    let world = World::again(dir, &[&service], "").await;
    assert_eq!(deliver(&world, "anna", &["3"]).await["known"], json!(["3"]));
    assert_eq!(deliver(&world, "bruno", &["3"]).await["accepted"], json!(["3"]), "each vehicle has its own");
    let all: Value = serde_json::from_str(&world.admin("GET", "/inbox").await.body).expect("JSON");
    let told =
        |at: usize| (&all[at]["item"]["vehicle"], &all[at]["item"]["id"], &all[at]["item"]["body"]["text"]);
    assert_eq!(told(3), (&json!("bruno"), &json!("3"), &json!("hello")));
    assert_eq!(all.as_array().map(Vec::len), Some(4));
    let upto = &all[1]["number"];
    assert_eq!(world.admin("DELETE", &format!("/inbox?upto={upto}")).await.body, "{\"removed\":2}");
    let rest = world.admin("GET", "/inbox?after=0").await.body;
    assert!(!rest.contains("\"id\":\"1\""), "{rest}");
}

#[tokio::test]
async fn what_is_no_batch_is_refused_and_nothing_of_it_kept() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    let many: Vec<String> = (0..101).map(|at| at.to_string()).collect();
    let long = "x".repeat(129);
    for wrong in [
        "[]".to_owned(),
        "{}".to_owned(),
        r#"[{"id":"1","kind":"k","body":1,"more":1}]"#.to_owned(),
        batch(&[""]),
        batch(&["fine", &long]),
        batch(&many.iter().map(String::as_str).collect::<Vec<_>>()),
    ] {
        assert_eq!(world.ask(&anna, post("/v1/outbox", wrong.clone())).await.status, 400, "{wrong}");
    }
    assert_eq!(world.admin("GET", "/inbox").await.body, "[]");
    let largest = json!([{"id": "1", "kind": "k", "body": "x".repeat(256 << 10)}]).to_string();
    assert_eq!(world.ask(&anna, post("/v1/outbox", largest)).await.status, 200, "the outbox's largest fits");
}
