//! Many at once, several of each, and links that come and go.

use std::{
    sync::{Arc, Barrier, mpsc::channel},
    thread,
    time::{Duration, Instant},
};

use troika_dialogue::Fault;

use crate::{
    service::{Does, Saw, Service},
    world::{Vehicle, World, until},
};

#[test]
fn two_gateways_at_two_linked_routers_share_the_load_and_either_can_be_killed() {
    let world = World::new();
    let ids = ["anna", "bruno"];
    let folders = ids.map(|id| world.enrol(id));
    let (near, far) = (Service::new(), Service::new());
    let first = world.router(&[]);
    let second = world.router(&[first.port]);
    // Each at the router beside it, and at the other where that one is gone.
    let one = world.gateway("one", &[first.port, second.port], &near);
    let _other = world.gateway("other", &[second.port, first.port], &far);
    let mut anna = Vehicle::new(&folders[0], "tls", first.port);
    let mut bruno = Vehicle::new(&folders[1], "tls", second.port);
    // A vehicle's first questions may come before it knows of both.
    for vehicle in [&mut anna, &mut bruno] {
        until("it is answered by both", || {
            let _before = (near.seen(), far.seen());
            for _ in 0..2 {
                assert_eq!(vehicle.ask("Where?"), Ok("Turn left.".into()));
            }
            near.seen().len() == 1 && far.seen().len() == 1
        });
    }
    for _ in 0..10 {
        for vehicle in [&mut anna, &mut bruno] {
            assert_eq!(vehicle.ask("Where?"), Ok("Turn left.".into()));
        }
    }
    let shares = [near.seen().len(), far.seen().len()];
    assert_eq!(shares.iter().sum::<usize>(), 20, "each question is answered by one of them: {shares:?}");
    assert!(shares.iter().all(|share| (8..=12).contains(share)), "each answers its half: {shares:?}");
    // Each vehicle asks them in turn: one of its next two is the one that is killed.
    near.does(Does::Holds);
    anna.begin("Where?");
    if anna.goes_on() {
        anna.begin("Where?");
        assert!(!anna.goes_on());
    }
    let began = Instant::now();
    one.process.kill();
    let cut = anna.rest().expect_err("it was answering");
    assert_eq!(cut, Fault::Truncated);
    let cut_after = began.elapsed();
    for _ in 0..4 {
        assert_eq!(anna.ask("Where?"), Ok("Turn left.".into()), "the very next question, and all after it");
    }
    println!(
        "gateway killed: the stream cut after {cut_after:.1?}, the next four answered after {:.1?}",
        began.elapsed()
    );
    // The router that the other gateway is at: it goes on at the one that is left.
    drop(second);
    let began = Instant::now();
    until("anna is answered through the router that is left", || anna.ask("Who?").is_ok());
    println!("router gone: a gateway of its moved over after {:.1?}", began.elapsed());
}

/// All at once: open a session, ask, be answered. Until the last has its answer.
fn join(count: usize) -> Duration {
    let (world, service) = (World::new(), Service::new());
    let folders: Vec<_> = {
        let mut fleet = world.fleet();
        (0..count)
            .map(|at| fleet.enrol(&format!("v{at}"), 7, None, crate::world::now()).expect("enrolled"))
            .collect()
    };
    let router = world.router(&[]);
    let _gateway = world.gateway("g", &[router.port], &service);
    let start = Arc::new(Barrier::new(count + 1));
    let (tell, told) = channel();
    for folder in folders {
        let (start, tell, port) = (start.clone(), tell.clone(), router.port);
        thread::spawn(move || {
            start.wait();
            let mut vehicle = Vehicle::new(&folder, "tls", port);
            let answer = vehicle.ask("Where?");
            // All stay until all are answered.
            tell.send((vehicle, answer)).expect("somebody waits");
        });
    }
    start.wait();
    let began = Instant::now();
    let mut vehicles = Vec::new();
    for _ in 0..count {
        let (vehicle, answer) = told.recv().expect("no panic");
        assert_eq!(answer, Ok("Turn left.".into()));
        vehicles.push(vehicle);
    }
    let took = began.elapsed();
    assert_eq!(service.seen().into_iter().filter(|one| matches!(one, Saw::Question(_))).count(), count);
    took
}

#[test]
fn thirteen_and_a_hundred_vehicles_join_at_once_and_all_are_answered() {
    for count in [13, 100] {
        println!(
            "{count} join at once, as sessions of one process: all have their answer after {:.2?}",
            join(count)
        );
    }
}

/// Resident memory of a process and its threads, KiB.
fn memory(id: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("there");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn links_that_come_and_go_leave_no_dead_route_and_no_memory_behind() {
    let (world, service) = (World::new(), Service::new());
    let (anna, bruno) = (world.enrol("anna"), world.enrol("bruno"));
    let router = world.router(&[]);
    let gateway = world.gateway("g", &[router.port], &service);
    let flaps: u64 = std::env::var("TROIKA_FLAPS").ok().and_then(|count| count.parse().ok()).unwrap_or(1000);
    let id = router.process.id();
    let zenohd =
        std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux").trim().to_owned();
    let held = gateway.process.id().to_string();
    let mut steady = Vehicle::new(&bruno, "tls", router.port);
    let (mut half, mut dead) = ((0, 0), 0);
    let began = Instant::now();
    for flap in 0..flaps {
        let session = world.session(&anna, router.port, &[]).expect("let in");
        let question = crate::world::asked(&session, &format!("{flap:08x}"), "GET").to_bytes();
        let answer =
            crate::world::get(&session, &crate::world::at(&session, "anna", "v1/models"), &question, "");
        dead += u32::from(answer.is_none_or(|(status, _)| status != 200));
        // Every other one without a word.
        if flap % 2 == 0 {
            zenoh::Wait::wait(session.close()).expect("closed");
        }
        drop(session);
        if flap % 100 == 0 {
            assert_eq!(steady.ask("Where?"), Ok("Turn left.".into()), "the other vehicle's link stays");
        }
        if flap == flaps / 2 {
            half = (memory(&zenohd), memory(&held));
        }
    }
    let end = (memory(&zenohd), memory(&held));
    println!(
        "{flaps} links came and went in {:.1?}: {dead} without an answer; zenohd {} KiB half-way and {} KiB at the end, the gateway {} and {}",
        began.elapsed(),
        half.0,
        end.0,
        half.1,
        end.1
    );
    assert_eq!(dead, 0);
    // Half of the flaps again: what each leaves behind would show.
    let grown = |half: u64, end: u64| end.saturating_sub(half) * 1024 / (flaps / 2 + 1);
    assert!(grown(half.0, end.0) < 2048 && grown(half.1, end.1) < 2048, "less than 2 KiB a link");
    gateway.counts("gateway_mesh_running 0");
}
