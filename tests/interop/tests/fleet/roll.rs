//! The list changes while routers run; certificates end while they are in use.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

use troika_dialogue::{Fault, FromCloud};

use crate::{
    service::{Does, Saw, Service},
    world::{Vehicle, World, now, until},
};

#[test]
fn a_revoked_vehicle_is_cut_off_and_refused_while_others_go_on() {
    troika_safety::verifies![SR_FLT_002];
    let (world, service) = (World::new(), Service::new());
    let (anna, bruno) = (world.enrol("anna"), world.enrol("bruno"));
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    let mut lost = Vehicle::new(&anna, "tls", router.port);
    let mut other = Vehicle::new(&bruno, "tls", router.port);
    assert_eq!(other.ask("Where?"), Ok("Turn left.".into()));
    assert!(matches!(service.sees(), Saw::Question(_)));
    service.does(Does::Holds);
    lost.begin("Where?");
    assert_eq!(lost.hears(), FromCloud::Text("Turn".into()));
    let began = Instant::now();
    world.command(&["fleet", "revoke", "DIR", "anna"]);
    let commanded = began.elapsed();
    let cut = lost.rest().expect_err("cut");
    let cut_after = began.elapsed();
    assert!(matches!(cut, Fault::Reset(_) | Fault::Truncated), "{cut:?}");
    // Its certificate holds for a week: the handshake is made, and the router's list lets nothing through.
    let refused = loop {
        match lost.ask("And now?") {
            Err(Fault::Unauthorized(403)) => break began.elapsed(),
            Err(Fault::Connect(_) | Fault::ConnectTimeout(_) | Fault::Reset(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    until("the other vehicle is answered", || other.ask("Where?") == Ok("Turn left.".into()));
    println!(
        "revoked: command {commanded:.0?}, its stream cut after {cut_after:.0?}, told 403 after {refused:.0?}, others answered after {:.0?}",
        began.elapsed()
    );
    let questions = service.seen().into_iter().filter(|one| matches!(one, Saw::Question(_))).count();
    assert_eq!(questions, 2, "the one that was cut off, and bruno's");
}

#[test]
fn files_that_are_renewed_are_shown_with_the_next_question_while_the_link_before_holds() {
    let (world, service) = (World::new(), Service::new());
    let (anna, bruno) = (world.enrol("anna"), world.enrol("bruno"));
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    let files = world.dir.path().join("files");
    fs::create_dir(&files).expect("a folder");
    let install = |from: &Path, names: &[&str]| {
        for name in names {
            fs::copy(from.join(name), files.join("new")).expect("copied");
            fs::rename(files.join("new"), files.join(name)).expect("in its place");
        }
    };
    install(&anna, &["ca.pem", "certificate.pem", "key.pem"]);
    let mut vehicle = Vehicle::new(&files, "tls", router.port);
    let asks = |vehicle: &mut Vehicle| vehicle.ask("Where?") == Ok("Turn left.".into());
    assert!(asks(&mut vehicle));
    install(&bruno, &["certificate.pem"]);
    assert!(asks(&mut vehicle), "half of a renewal changes nothing");
    install(&bruno, &["key.pem"]);
    assert!(asks(&mut vehicle));
    let who = || {
        let text = fs::read_to_string(world.dir.path().join("g.jsonl")).unwrap_or_default();
        let of = |line: &str| {
            ["anna", "bruno"].into_iter().find(|id| line.contains(&format!("\"vehicle\":\"{id}\"")))
        };
        text.lines().filter_map(of).collect::<Vec<_>>()
    };
    until("the record has all three", || who().len() == 3);
    assert_eq!(who(), ["anna", "anna", "bruno"]);
}

#[test]
fn a_new_vehicle_is_let_in_without_anybody_doing_anything() {
    let (world, service) = (World::new(), Service::new());
    let router = world.router(&[]);
    let gateway = world.gateway("g", &[router.port], &service);
    let folder = world.dir.path().join("key-ring");
    world.command(&["fleet", "enrol", "DIR", "clara", "--out", folder.to_str().expect("text")]);
    assert!(router.process.says("router: ").ends_with("with 1 vehicle"));
    let mut clara = Vehicle::new(&folder, "tls", router.port);
    until("the gateway is back", || gateway.page("/ready").is_some_and(|page| page.contains("200 OK")));
    until("she is answered", || clara.ask("Where?") == Ok("Turn left.".into()));
}

#[test]
fn who_is_enrolled_again_is_not_let_in_beside_the_stolen_certificate() {
    let (world, service) = (World::new(), Service::new());
    let stolen = world.dir.path().join("stolen");
    world.fleet().enrol("anna", 7, Some(&stolen), now()).expect("enrolled");
    world.fleet().revoke("anna", now()).expect("revoked");
    let fresh = world.enrol("anna");
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    for folder in [stolen, fresh] {
        assert_eq!(Vehicle::new(&folder, "tls", router.port).ask("Me?"), Err(Fault::Unauthorized(403)));
    }
    assert!(service.seen().is_empty());
}

#[test]
fn a_certificate_that_ends_takes_its_link_with_it() {
    troika_safety::verifies![SR_FLT_003];
    let (world, service) = (World::new(), Service::new());
    let week = 7 * 86_400;
    let until_end = 20;
    let folder = world.dir.path().join("short");
    world.fleet().enrol("anna", 7, Some(&folder), now() - week + until_end).expect("enrolled");
    let ends = Instant::now() + Duration::from_secs(20);
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    let mut anna = Vehicle::new(&folder, "tls", router.port);
    service.does(Does::Holds);
    anna.begin("Where?");
    assert_eq!(anna.hears(), FromCloud::Text("Turn".into()), "it holds still");
    let cut = anna.rest().expect_err("cut");
    let late = Instant::now().saturating_duration_since(ends);
    assert!(matches!(cut, Fault::Reset(_) | Fault::Truncated), "{cut:?}");
    assert!(Instant::now() + Duration::from_secs(2) > ends, "not before it ends");
    println!("ended: its stream was cut {late:.1?} after its certificate ended");
    let fault = anna.ask("And now?").expect_err("ended");
    assert!(matches!(&fault, Fault::Tls(why) if why.to_string().contains("xpired")), "{fault:?}");
    assert!(matches!(service.sees(), Saw::Question(_)));
    assert_eq!(service.sees(), Saw::Closed);
}

/// Knocks at both until it is told to stop: how long both were away at once, at most.
fn watch(ports: [u16; 2], stop: Receiver<()>, tell: Sender<Duration>) {
    let (mut away, mut longest): (Option<Instant>, Duration) = (None, Duration::ZERO);
    while stop.try_recv() == Err(TryRecvError::Empty) {
        let here = ports.iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok());
        if here {
            away = None;
        } else {
            longest =
                longest.max(away.get_or_insert_with(Instant::now).elapsed().max(Duration::from_nanos(1)));
        }
        thread::sleep(Duration::from_millis(2));
    }
    tell.send(longest).expect("somebody waits");
}

#[test]
fn two_routers_on_one_folder_start_anew_one_by_one() {
    let world = World::new();
    world.enrol("anna");
    let first = world.router(&[]);
    let second = world.router(&[first.port]);
    let (stop, stopped) = channel();
    let (tell, told) = channel();
    let ports = [first.port, second.port];
    let watching = thread::spawn(move || watch(ports, stopped, tell));
    for id in ["bruno", "clara"] {
        world.enrol(id);
        let vehicles = if id == "bruno" { "with 2 vehicles" } else { "with 3 vehicles" };
        for router in [&first, &second] {
            assert!(router.process.says("router: ").ends_with(vehicles));
        }
    }
    stop.send(()).expect("it watches");
    assert_eq!(told.recv(), Ok(Duration::ZERO), "one of them was there at every knock");
    watching.join().expect("no panic");
}

#[test]
fn a_router_that_dies_is_back_and_one_that_is_told_to_go_takes_zenohd_with_it() {
    let (world, service) = (World::new(), Service::new());
    let folder = world.enrol("anna");
    let mut router = world.router(&[]);
    let gateway = world.gateway("g", &[router.port], &service);
    let mut anna = Vehicle::new(&folder, "tls", router.port);
    assert_eq!(anna.ask("Where?"), Ok("Turn left.".into()));
    let child = |id: u32| {
        fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux").trim().to_owned()
    };
    let zenohd = child(router.process.id());
    let began = Instant::now();
    assert!(std::process::Command::new("kill").args(["-KILL", &zenohd]).status().expect("kill").success());
    router.process.says("router: ");
    let up = began.elapsed();
    assert_ne!(child(router.process.id()), zenohd);
    until("the gateway is back", || gateway.page("/ready").is_some_and(|page| page.contains("200 OK")));
    until("she is answered", || anna.ask("Where?") == Ok("Turn left.".into()));
    println!("router killed: listens after {up:.0?}, a question is answered after {:.0?}", began.elapsed());
    let zenohd = child(router.process.id());
    router.process.signal("-TERM");
    until("it has gone", || router.process.ended());
    assert!(!std::path::Path::new(&format!("/proc/{zenohd}")).exists(), "and zenohd with it");
}
