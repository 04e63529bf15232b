//! Who gets in.

use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use troika_gateway::{clock, fleet::Fleet};

use crate::{
    upstream::{Does, NET, Saw, Service},
    world::{STREAM, World, now, question},
};

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_vehicle_of_the_fleet_is_answered() {
    let mut service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let answer = world.ask(&world.vehicle("anna"), question("")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("Turn left."));
    let (head, body) = service.request().await;
    assert!(head.contains("traceparent: 00-"), "{head}");
    assert!(!head.contains("anna") && !body.contains("anna"), "an upstream needs no vehicle's name");
}

#[tokio::test]
async fn nobody_else_gets_further_than_the_handshake() {
    troika_safety::verifies![SR_FLT_001];
    let mut service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    let mut other = Fleet::init(elsewhere.path(), "other", 30, &[], now()).expect("another fleet");
    let foreign = other.enrol("anna", 7, None, now()).expect("enrolled there");
    let expired = world.fleet().enrol("old", 1, None, now() - 3 * DAY).expect("enrolled");
    // A certificate of the fleet that is no vehicle's: the gateway's own.
    let server = elsewhere.path().join("server");
    std::fs::create_dir(&server).expect("a folder");
    for (from, to) in [("server.pem", "certificate.pem"), ("server.key", "key.pem")] {
        std::fs::copy(world.dir.path().join("fleet/gateway").join(from), server.join(to)).expect("copied");
    }
    let revoked = world.vehicle("carla");
    world.fleet().revoke("carla", now()).expect("revoked");
    world.gateway.tls().wait_for(|tls| !tls.revoked.is_empty()).await.expect("read again");
    for (who, vehicle, why) in [
        ("nobody", world.with(None), "no_certificate"),
        ("a foreign one", world.with(Some(&foreign)), "foreign"),
        ("an expired one", world.with(Some(&expired)), "expired"),
        ("a server", world.with(Some(&server)), "certificate"),
        ("a revoked one", revoked, "revoked"),
    ] {
        let claims = match who {
            "an expired one" => Some("old"),
            "a revoked one" => Some("carla"),
            "a foreign one" => Some("anna"),
            _ => None,
        };
        let refused = world.send(&vehicle, question("")).await.err();
        assert!(refused.is_some(), "{who} was answered");
        world.counts(&format!("gateway_connections_refused_total{{why=\"{why}\"}} 1")).await;
        let line = world.event("refused", why).await;
        assert_eq!(line["claims"].as_str(), claims, "{line}");
        assert!(line["from"].as_str().is_some_and(|from| from.starts_with("127.0.0.1:")), "{line}");
        assert_eq!(line["serial"].is_string(), who != "nobody", "{line}");
        assert!(line["vehicle"].is_null(), "nobody has vouched for it: {line}");
    }
    assert!(service.seen().is_empty(), "an upstream was asked");
}

#[tokio::test]
async fn who_claims_to_be_another_is_refused() {
    troika_safety::verifies![SR_FLT_004];
    let mut service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    assert_eq!(world.ask(&anna, question(r#","user":"bruno""#)).await.status, 403);
    let mut claims = question("");
    claims.headers_mut().insert("x-troika-vehicle", "bruno".parse().expect("a value"));
    assert_eq!(world.ask(&anna, claims).await.status, 403);
    let mut itself = question(r#","user":"anna""#);
    itself.headers_mut().insert("x-troika-vehicle", "anna".parse().expect("a value"));
    assert_eq!(world.ask(&anna, itself).await.status, 200);
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn revoking_ends_a_stream_that_runs_and_the_next_connection() {
    troika_safety::verifies![SR_FLT_002];
    let mut service = Service::new().await;
    let world = World::new(&[&service], "[times]\nreload_ms = 100\n").await;
    let anna = world.vehicle("anna");
    let bruno = world.vehicle("bruno");
    service.does(vec![Does::Head, Does::Says("Turn"), Does::Holds]);
    let (response, task) = world.send(&anna, question(STREAM)).await.expect("an answer");
    let mut body = response.into_body();
    assert!(body.frame().await.expect("an event").is_ok());
    let began = clock::now();
    world.fleet().revoke("anna", now()).expect("revoked");
    let ended = timeout(NET, async { while matches!(body.frame().await, Some(Ok(_))) {} }).await;
    assert!(ended.is_ok(), "the stream goes on");
    let took = clock::now().since(began);
    println!("from revoke to the end of what ran: {took:?} at reload_ms = 100");
    while !matches!(service.sees().await, Saw::Closed) {}
    timeout(NET, task).await.expect("closed").expect("no panic");
    world.counts("gateway_connections_closed_total{why=\"revoked\"} 1").await;
    let line = world.event("closed", "revoked").await;
    assert_eq!(line["vehicle"], "anna");
    let listed =
        world.fleet().list().iter().find(|one| one.vehicle == "anna").expect("listed").serial.clone();
    assert_eq!(line["serial"], listed.as_str(), "as `fleet list` has it");
    assert!(world.send(&anna, question("")).await.is_err(), "back in");
    assert_eq!(world.ask(&bruno, question("")).await.status, 200, "others are not touched");
}

#[tokio::test]
async fn a_connection_ends_with_its_certificate() {
    troika_safety::verifies![SR_FLT_003];
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    // Of one day, all but 10 s of it over: its files are on the disk and it is connected before.
    let folder = world.fleet().enrol("short", 1, None, now() - DAY + 10).expect("enrolled");
    let short = world.with(Some(&folder));
    let mut stream = world.connect(&short).await.expect("still good");
    stream.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut all = Vec::new();
    // An end without TLS's goodbye is an end too.
    let _ = timeout(NET, stream.read_to_end(&mut all)).await.expect("closed in time");
    assert!(String::from_utf8_lossy(&all).contains("200 OK"));
    world.counts("gateway_connections_closed_total{why=\"expired\"} 1").await;
    assert!(world.send(&short, question("")).await.is_err());
}

#[tokio::test]
async fn a_list_that_the_authority_did_not_sign_changes_nothing() {
    troika_safety::verifies![SR_FLT_005];
    let service = Service::new().await;
    let world = World::new(&[&service], "[times]\nreload_ms = 50\n").await;
    let anna = world.vehicle("anna");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let _other = Fleet::init(elsewhere.path(), "other", 30, &[], now()).expect("another fleet");
    let list = world.dir.path().join("fleet/gateway/crl.pem");
    std::fs::copy(elsewhere.path().join("gateway/crl.pem"), &list).expect("copied");
    world.counts("gateway_reload_failed_total 1").await;
    assert_eq!(world.ask(&anna, question("")).await.status, 200);
    std::fs::write(&list, "-----BEGIN").expect("written");
    world.counts("gateway_reload_failed_total 2").await;
    assert_eq!(world.ask(&anna, question("")).await.status, 200);
}

#[tokio::test]
async fn the_gateways_certificate_is_renewed_without_a_restart() {
    let service = Service::new().await;
    let world = World::new(&[&service], "[times]\nreload_ms = 50\n").await;
    let anna = world.vehicle("anna");
    let shown = async || {
        let stream = world.connect(&anna).await.expect("in");
        stream.get_ref().1.peer_certificates().expect("shown")[0].to_vec()
    };
    let before = shown().await;
    let mut tls = world.gateway.tls();
    world.fleet().server(&[], 30, now()).expect("renewed");
    tls.wait_for(|tls| tls.revoked.is_empty()).await.expect("there");
    timeout(NET, tls.changed()).await.expect("in time").expect("read again");
    assert_ne!(shown().await, before);
}

fn status(head: &[u8]) -> String {
    String::from_utf8_lossy(head).lines().next().unwrap_or("").to_owned()
}

#[tokio::test]
async fn too_large_too_slow_and_half_are_ended() {
    troika_safety::verifies![SR_FLT_007];
    let mut service = Service::new().await;
    let world = World::new(&[&service], "[limits]\nbody_bytes = 4096\n").await;
    // Only for what has to run out: whoever stands still for so long on a busy machine is too slow as well.
    let impatient = World::new(&[&service], "[times]\nhead_ms = 1000\nbody_ms = 1000\n").await;
    let (anna, bruno) = (world.vehicle("anna"), impatient.vehicle("bruno"));
    let send = async |to: &World, vehicle, bytes: Vec<u8>| {
        let mut stream = to.connect(vehicle).await.expect("in");
        // The gateway may hang up while this is written.
        let _ = stream.write_all(&bytes).await;
        let mut all = Vec::new();
        let _ = timeout(NET, stream.read_to_end(&mut all)).await.expect("closed in time");
        status(&all)
    };
    let raw = async |bytes| send(&world, &anna, bytes).await;
    let slow = async |bytes| send(&impatient, &bruno, bytes).await;
    let post = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n";
    let declared = format!("{post}content-length: 99999999\r\n\r\n");
    assert!(raw(declared.into_bytes()).await.contains("413"), "a giant that says so");
    let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n2000\r\n{}\r\n", "x".repeat(0x2000));
    assert!(raw(chunked.into_bytes()).await.contains("413"), "a giant that does not");
    let half = format!("{post}content-length: 100\r\n\r\n{{\"model\"");
    assert!(slow(half.into_bytes()).await.contains("408"), "half a body");
    let endless = format!("{post}x: {}", "y".repeat(1 << 20));
    assert!(raw(endless.into_bytes()).await.contains("431"), "an endless header");
    let many = format!("{post}{}\r\n", "a: b\r\n".repeat(500));
    assert!(raw(many.into_bytes()).await.contains("431"), "many headers");
    assert!(!slow(post.as_bytes().to_vec()).await.contains("200"), "half a head");
    assert!(raw(b"nonsense\r\n\r\n".to_vec()).await.contains("400"), "no HTTP");
    assert_eq!(slow(Vec::new()).await, "", "nothing at all");
    let idle = slow(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()).await;
    assert!(idle.contains("200"), "a question, and then nothing: {idle}");
    // Nobody who says nothing keeps a handshake for ever.
    let hurried = World::new(&[&service], "[times]\nhandshake_ms = 300\n").await;
    let mut silent = TcpStream::connect(hurried.address).await.expect("connected");
    let _ = timeout(NET, silent.read(&mut [0; 1])).await.expect("closed in time");
    hurried.counts("gateway_connections_refused_total{why=\"handshake_time\"} 1").await;
    assert!(service.seen().is_empty());
    assert_eq!(world.ask(&anna, question("")).await.status, 200, "and after all that it answers");
}

#[tokio::test]
async fn a_vehicle_has_so_many_connections_and_the_oldest_goes() {
    let service = Service::new().await;
    let world = World::new(&[&service], "[limits]\nconnections_a_vehicle = 2\n").await;
    let anna = world.vehicle("anna");
    let mut first = world.connect(&anna).await.expect("in");
    let _second = world.connect(&anna).await.expect("in");
    world.counts("gateway_connections 2").await;
    let _third = world.connect(&anna).await.expect("in");
    let _ = timeout(NET, first.read(&mut [0; 1])).await.expect("closed in time");
    world.counts("gateway_connections_closed_total{why=\"replaced\"} 1").await;
    world.counts("gateway_connections 2").await;
}

#[tokio::test]
async fn going_lets_what_runs_end_and_takes_nobody_new() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    let anna = world.vehicle("anna");
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    service.does(vec![Does::Head, Does::Says("Turn"), Does::Waits(go.clone()), Does::Ends(1, 1)]);
    let (response, _task) = world.send(&anna, question(STREAM)).await.expect("an answer");
    world.gateway.end();
    assert!(world.gateway.ready().is_err());
    go.notify_one();
    let answer = crate::world::read(response).await;
    assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", answer.body);
    timeout(NET, world.serving).await.expect("in time").expect("no panic");
    assert!(TcpStream::connect(world.address).await.is_err());
}

#[tokio::test]
async fn who_only_looks_whether_the_port_is_open_is_no_failed_handshake() {
    let service = Service::new().await;
    let world = World::new(&[&service], "").await;
    drop(TcpStream::connect(world.address).await.expect("it listens"));
    world.counts("gateway_connections_refused_total{why=\"probe\"} 1").await;
    let mut half = TcpStream::connect(world.address).await.expect("it listens");
    // The beginning of a record of TLS.
    half.write_all(&[0x16, 3, 1]).await.expect("sent");
    drop(half);
    world.counts("gateway_connections_refused_total{why=\"gone\"} 1").await;
    world.counts("gateway_connections_refused_total{why=\"probe\"} 1").await;
    assert!(!world.audited().contains("refused"), "neither shows an identity");
}
