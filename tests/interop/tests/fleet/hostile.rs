//! Vehicles, and others, that are not what they should be. A stock router stands between; a gateway of ours answers honest ones meanwhile.

use std::{fs, path::Path, time::Duration};

use troika_dialogue::{Fault, FromCloud};
use troika_dialogue_mesh::{
    config::{self, Credentials},
    wire,
};
use zenoh::{
    Session, Wait as _,
    handlers::FifoChannelHandler,
    query::{ConsolidationMode, Query},
    sample::{Locality, Sample},
};

use crate::{
    service::{Does, Saw, Service},
    world::{NET, QUESTION, Vehicle, World, asked, at, get, now},
};

/// Everything that a session may try to hear.
const WIDE: [&str; 5] = ["troika/fleet/bruno/**", wire::ASKED, "troika/fleet/**", "troika/**", "**"];

/// What a hostile session listens at, asks for and answers, whatever it is let have.
struct Ears {
    heard: Vec<zenoh::pubsub::Subscriber<FifoChannelHandler<Sample>>>,
    lives: Vec<zenoh::pubsub::Subscriber<FifoChannelHandler<Sample>>>,
    asked: Vec<zenoh::query::Queryable<FifoChannelHandler<Query>>>,
}

impl Ears {
    fn open(session: &Session) -> Ears {
        let mut ears = Ears { heard: Vec::new(), lives: Vec::new(), asked: Vec::new() };
        for key in WIDE {
            ears.heard.push(session.declare_subscriber(key).wait().expect("declared here"));
            ears.lives.push(
                session.liveliness().declare_subscriber(key).history(true).wait().expect("declared here"),
            );
            ears.asked.push(session.declare_queryable(key).complete(true).wait().expect("declared here"));
        }
        ears
    }

    /// What came to it, as keys.
    fn caught(&self) -> Vec<String> {
        let samples = self.heard.iter().chain(&self.lives).filter_map(|one| one.try_recv().ok().flatten());
        let mut all: Vec<String> = samples.map(|sample| sample.key_expr().to_string()).collect();
        all.extend(
            self.asked
                .iter()
                .filter_map(|one| one.try_recv().ok().flatten())
                .map(|one| one.key_expr().to_string()),
        );
        all
    }
}

/// Anna's own round trip: what she sent before has been at the router.
fn passed(session: &Session, number: u32) {
    let question = asked(session, &format!("{number:08x}"), "GET").to_bytes();
    assert_eq!(get(session, &at(session, "anna", "v1/models"), &question, "").map(|one| one.0), Some(200));
}

fn opened(folder: &Path, port: u16, certificate: bool) -> zenoh::Result<Session> {
    let file = |name| folder.join(name);
    let files =
        Credentials { authority: file("ca.pem"), certificate: file("certificate.pem"), key: file("key.pem") };
    let mut config =
        config::client(&[format!("tls/localhost:{port}")], &files, Duration::from_secs(5)).expect("a config");
    if !certificate {
        for (key, value) in
            [("enable_mtls", "false"), ("connect_certificate", "null"), ("connect_private_key", "null")]
        {
            config.insert_json5(&format!("transport/link/tls/{key}"), value).expect("a setting");
        }
    }
    zenoh::open(config).wait()
}

#[test]
fn no_certificate_a_foreign_one_and_one_that_has_ended_come_no_further_than_the_handshake() {
    troika_safety::verifies![SR_FLT_001];
    let (world, service, other) = (World::new(), Service::new(), World::new());
    let folder = world.enrol("anna");
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    assert!(opened(&folder, router.port, true).is_ok(), "the honest one");
    assert!(opened(&folder, router.port, false).is_err(), "no certificate");
    let foreign = other.enrol("anna");
    fs::copy(folder.join("ca.pem"), foreign.join("ca.pem")).expect("copied");
    assert!(opened(&foreign, router.port, true).is_err(), "another fleet's");
    let week = 7 * 86_400;
    let ended = world
        .fleet()
        .enrol("anna", 7, Some(&world.dir.path().join("ended")), now() - week - 1)
        .expect("enrolled");
    assert!(opened(&ended, router.port, true).is_err(), "ended a second ago");
    let fault = Vehicle::new(&ended, "tls", router.port).ask("Me?").expect_err("ended");
    assert!(matches!(&fault, Fault::Tls(why) if why.to_string().contains("xpired")), "{fault:?}");
    // A vehicle's certificate is for clients: nobody takes it for a router.
    let pem = fs::read(folder.join("certificate.pem")).expect("there");
    assert!(!pem.is_empty() && service.seen().is_empty());
}

#[test]
fn anna_neither_hears_nor_answers_nor_ends_what_is_brunos() {
    troika_safety::verifies![SR_FLT_004];
    let (world, service) = (World::new(), Service::new());
    let (anna, bruno) = (world.enrol("anna"), world.enrol("bruno"));
    let router = world.router(&[]);
    let gateway = world.gateway("g", &[router.port], &service);
    // In every role that a session can take: whoever it says it is, the certificate is anna's.
    for (role, mode) in [(1, "client"), (2, "peer"), (3, "router")] {
        let mode = format!("\"{mode}\"");
        let enter = || {
            world
                .session(
                    &anna,
                    router.port,
                    &[("mode", &mode), ("connect/timeout_ms", "10000"), ("listen/endpoints", "[]")],
                )
                .expect("let in")
        };
        // One hears, the other speaks: what a session says it hears itself, without any router.
        let (hearing, hostile) = (enter(), enter());
        // One that says it is a router is told no route, since it may know none: it cannot even ask as anna may.
        let honest_client = world.session(&anna, router.port, &[]).expect("let in");
        let passed = |session: &Session, number| {
            passed(if mode.contains("router") { &honest_client } else { session }, number);
        };
        let ears = Ears::open(&hearing);
        passed(&hearing, role * 0x100_0000 + 8);
        passed(&hostile, role * 0x100_0000);

        let mut honest = Vehicle::new(&bruno, "tls", router.port);
        assert_eq!(
            honest.ask("SECRET where?"),
            Ok("Turn left.".into()),
            "{mode}: the gateway answers, not anna"
        );
        assert!(matches!(service.sees(), Saw::Question(body) if body.contains("SECRET")));

        // A question of bruno's under way, whose number and session anna knows.
        service.does(Does::Holds);
        let session = world.session(&bruno, router.port, &[]).expect("bruno's");
        let _alive = session
            .liveliness()
            .declare_token(wire::alive("bruno", &session.zid().to_string()))
            .wait()
            .expect("a token");
        let question = asked(&session, "0000beef", "POST");
        let replies = session
            .get(at(&session, "bruno", "v1/chat/completions"))
            .payload(QUESTION)
            .attachment(question.to_bytes())
            .consolidation(ConsolidationMode::None);
        let replies = replies.wait().expect("asked");
        replies.recv_timeout(NET).expect("the first words").expect("a reply");
        assert!(matches!(service.sees(), Saw::Question(_)));
        let taken = wire::Cancelled {
            version: 1,
            session: question.session.clone(),
            request: question.request.clone(),
        };
        for key in ["troika/fleet/bruno/cancel", "troika/fleet/*/cancel", "troika/fleet/anna/cancel", "**"] {
            hostile.put(key, taken.to_bytes()).wait().expect("sent");
        }
        // A token of bruno's session that ends would end his question.
        let posed = hostile
            .liveliness()
            .declare_token(wire::alive("bruno", &question.session))
            .wait()
            .expect("declared here");
        posed.undeclare().wait().expect("undeclared here");
        passed(&hostile, role * 0x100_0000 + 1);

        // Anna asks in his name, and in everybody's.
        for key in [
            at(&hostile, "bruno", "v1/models").as_str(),
            &at(&hostile, "*", "v1/models"),
            "troika/fleet/*/at/*/v1/models",
            "troika/fleet/**",
            "troika/**",
            "**",
        ] {
            let question = asked(&hostile, &format!("{:08x}", role * 0x100_0000 + 2), "GET").to_bytes();
            assert_eq!(get(&hostile, key, &question, ""), None, "{mode} {key}");
        }
        // Who is there, of vehicles: nobody that anna may know. Gateways are for all to see.
        for (key, some) in [(wire::ALIVE, false), ("troika/**", false), ("**", false), (wire::GATEWAYS, true)]
        {
            let found = hostile.liveliness().get(key).timeout(NET).wait().expect("asked");
            let found: Vec<String> = std::iter::from_fn(|| found.recv().ok()?.into_result().ok())
                .map(|one| one.key_expr().to_string())
                .collect();
            assert!(found.iter().all(|one| one.starts_with("troika/gateway/")), "{mode} {key}: {found:?}");
            assert!(!some || found.len() == 1, "{mode} {key}: {found:?}");
        }
        // Bruno's is under way still, and ends by his own word.
        assert!(service.seen().is_empty(), "{mode}: it was not ended");
        session.put("troika/fleet/bruno/cancel", taken.to_bytes()).wait().expect("sent");
        assert_eq!(service.sees(), Saw::Closed);
        passed(&hostile, role * 0x100_0000 + 3);
        passed(&hearing, role * 0x100_0000 + 9);
        let caught = ears.caught();
        assert!(caught.iter().all(|key| key.starts_with("troika/gateway/")), "{mode}: {caught:?}");
        drop(ears);
        hearing.close().wait().expect("closed");
        hostile.close().wait().expect("closed");
    }
    gateway.counts("gateway_mesh_left_total{why=\"cancelled\"} 3");
}

#[test]
fn a_vehicle_that_poses_as_the_gateway_is_asked_nothing() {
    let (world, service) = (World::new(), Service::new());
    let (anna, bruno) = (world.enrol("anna"), world.enrol("bruno"));
    let router = world.router(&[]);
    // No gateway is there: whoever answers first would be believed.
    let hostile = world.session(&anna, router.port, &[]).expect("let in");
    let posed = hostile.declare_queryable(wire::ASKED).complete(true).wait().expect("declared here");
    let own = hostile
        .declare_queryable("troika/fleet/anna/at/*/v1/**")
        .complete(true)
        .wait()
        .expect("declared here");
    let _token =
        hostile.liveliness().declare_token("troika/gateway/0123456789abcdef").wait().expect("declared here");
    let fault = Vehicle::patient(&bruno, "tls", router.port, Duration::from_secs(10))
        .ask("SECRET?")
        .expect_err("nobody");
    assert!(matches!(&fault, Fault::Connect(why) if why.contains("no gateway")), "{fault:?}");
    let fault = Vehicle::patient(&anna, "tls", router.port, Duration::from_secs(10))
        .ask("SECRET?")
        .expect_err("nobody");
    assert!(matches!(&fault, Fault::Connect(why) if why.contains("no gateway")), "{fault:?}");
    assert!(posed.try_recv().ok().flatten().is_none() && own.try_recv().ok().flatten().is_none());
    let _gateway = world.gateway("g", &[router.port], &service);
    let mut honest = Vehicle::new(&bruno, "tls", router.port);
    honest.begin("Where?");
    assert_eq!(honest.hears(), FromCloud::Text("Turn".into()));
    assert_eq!(honest.rest(), Ok(" left.".into()));
    assert!(posed.try_recv().ok().flatten().is_none());
}

#[test]
fn the_routers_own_space_is_closed_to_vehicles_and_gateways() {
    let (world, service) = (World::new(), Service::new());
    let anna = world.enrol("anna");
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    let posing = world.dir.path().join("posing");
    fs::create_dir(&posing).expect("a folder");
    for (from, to) in [("ca.pem", "ca.pem"), ("mesh.pem", "certificate.pem"), ("mesh.key", "key.pem")] {
        fs::copy(world.dir.path().join("fleet/gateway").join(from), posing.join(to)).expect("copied");
    }
    for folder in [anna, posing] {
        let session = world.session(&folder, router.port, &[]).expect("let in");
        let zid = session.info().routers_zid().wait().next().expect("a router").to_string();
        for key in [
            "@/**".to_owned(),
            format!("@/{zid}/router"),
            format!("@/{zid}/router/**"),
            "@/*/router/config/**".into(),
        ] {
            let replies =
                session.get(&key).allowed_destination(Locality::Remote).timeout(NET).wait().expect("asked");
            assert!(replies.recv().is_err(), "{key}");
            session
                .put(&format!("@/{zid}/router/config/access_control/enabled"), "false")
                .wait()
                .expect("sent");
        }
    }
    // That would have opened all to everybody.
    let hostile =
        world.session(&world.dir.path().join("fleet/vehicles/anna"), router.port, &[]).expect("let in");
    let question = asked(&hostile, "00000001", "GET").to_bytes();
    assert_eq!(get(&hostile, &at(&hostile, "bruno", "v1/models"), &question, ""), None);
    assert_eq!(get(&hostile, &at(&hostile, "anna", "v1/models"), &question, "").map(|one| one.0), Some(200));
}
