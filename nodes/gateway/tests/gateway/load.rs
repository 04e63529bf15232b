//! More than there is room for: fair, bounded, nothing stuck.

use std::sync::Arc;

use tokio::{sync::Notify, task::JoinSet};

use crate::{
    upstream::{Does, Service},
    world::{STREAM, World, question, until},
};

#[tokio::test]
async fn who_asks_all_the_time_does_not_hold_up_who_asks_once() {
    troika_safety::verifies![SR_FLT_006];
    let mut service = Service::new().await;
    let more = "[queue]\na_vehicle = 20\nrunning_a_vehicle = 2\nwait_ms = 60000\n[limits]\nconnections_a_vehicle = 50\n";
    let world = Arc::new(World::new(&[&service], more).await);
    let go = Arc::new(Notify::new());
    // Two at once: both of the greedy one's, and 15 more of it wait.
    for _ in 0..30 {
        service.does(vec![Does::Head, Does::Waits(go.clone()), Does::Says("Turn"), Does::Ends(1, 1)]);
    }
    let (greedy, modest) = (world.vehicle("greedy"), world.vehicle("modest"));
    let mut tasks = JoinSet::new();
    for _ in 0..17 {
        let (world, greedy) = (world.clone(), greedy.clone());
        tasks.spawn(async move { ("greedy", world.ask(&greedy, question(STREAM)).await.status) });
    }
    until(|| world.gateway.gate.look(1).0 == 15, || format!("{:?}", world.gateway.gate.look(1))).await;
    {
        let world = world.clone();
        tasks.spawn(async move { ("modest", world.ask(&modest, question(STREAM)).await.status) });
    }
    until(|| world.gateway.gate.look(1).0 == 16, || format!("{:?}", world.gateway.gate.look(1))).await;
    for _ in 0..2 {
        service.request().await;
    }
    let mut order = Vec::new();
    for _ in 0..18 {
        go.notify_one();
        let (who, status) = tasks.join_next().await.expect("one ends").expect("no panic");
        assert_eq!(status, 200);
        order.push(who);
    }
    let turn = order.iter().position(|who| *who == "modest").expect("it was answered");
    assert!(turn <= 3, "after {turn} of the other's 15");
    assert_eq!(world.gateway.gate.look(1), (0, vec![(0, true)]));
}

#[tokio::test]
async fn twice_as_much_as_there_is_room_for_is_answered_or_refused_and_nothing_is_stuck() {
    let service = Service::new().await;
    let more = "[queue]\na_vehicle = 2\ntotal = 10\nrunning_a_vehicle = 1\nwait_ms = 60000\n[limits]\nconnections_a_vehicle = 50\n";
    let world = Arc::new(World::new(&[&service], more).await);
    let go = Arc::new(Notify::new());
    for _ in 0..24 {
        service.does(vec![Does::Head, Does::Waits(go.clone()), Does::Says("Turn"), Does::Ends(1, 1)]);
    }
    let vehicles: Vec<_> = (0..8).map(|at| world.vehicle(&format!("v{at}"))).collect();
    let mut tasks = JoinSet::new();
    for vehicle in vehicles.iter().cycle().take(24) {
        let (world, vehicle) = (world.clone(), vehicle.clone());
        tasks.spawn(async move {
            let answer = world.ask(&vehicle, question(STREAM)).await;
            (answer.status, answer.headers.contains_key("retry-after"))
        });
    }
    // 2 run, 10 wait, 12 are refused.
    let (mut fine, mut refused) = (0, 0);
    while refused < 12 {
        let (status, later) = tasks.join_next().await.expect("one ends").expect("no panic");
        assert_eq!((status, later), (429, true));
        refused += 1;
    }
    until(
        || world.gateway.gate.look(1) == (10, vec![(2, true)]),
        || format!("{:?}", world.gateway.gate.look(1)),
    )
    .await;
    while fine < 12 {
        go.notify_one();
        let (status, _) = tasks.join_next().await.expect("one ends").expect("no panic");
        assert_eq!(status, 200);
        fine += 1;
    }
    assert!(tasks.is_empty());
    assert_eq!(world.gateway.gate.look(1), (0, vec![(0, true)]));
    world.counts("gateway_waiting 0").await;
}
