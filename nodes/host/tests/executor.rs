//! Nodes on threads of their own, over the mem transport. Nothing here depends on how fast the machine is: conditions are
//! waited for.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    thread,
};

use common::*;
use troika_host::{Edge, Host, HostOptions, NodeOptions, Policy, SpawnError, Status, StopToken, heartbeat};
use troika_kit::{
    Class, Contract, Done, Duration, Fault, Latest, Message, Out, Qos, Step, Tick, Wake, ports,
};
use troika_msgs::troika::Heartbeat;
use troika_transport::Transport;
use troika_transport_mem::MemTransport;

type Heard<T> = Arc<Mutex<Vec<T>>>;
type Hearing<T> = (Heard<T>, troika_host::edge::TypedSubscription);

fn host() -> (Arc<MemTransport>, Host) {
    let mem = Arc::new(MemTransport::new());
    (mem.clone(), Host::new(HostOptions { mlock: false, ..HostOptions::default() }, mem))
}

fn hear<T: Message>(edge: &Edge, topic: &str) -> Hearing<T> {
    let heard = Heard::default();
    let into = heard.clone();
    let subscription = edge
        .subscribe::<T>(topic, Qos::DEFAULT, move |sample| into.lock().unwrap().push(sample.value))
        .unwrap();
    (heard, subscription)
}

/// Lets others run for a moment.
fn pause() {
    StopToken::new().wait_for(Duration::from_millis(1));
}

fn wait_for(condition: impl Fn() -> bool) {
    while !condition() {
        pause();
    }
}

ports! {
    /// In.
    pub struct Images {
        /// Large.
        image: Latest<Blob> = "/image",
    }
}

ports! {
    /// Out.
    pub struct Copies {
        /// As large.
        copy: Out<Blob> = "/copy",
    }
}

/// Sends images back, as soon as the machine allows: a simulator's class.
struct Mirror;

impl Step for Mirror {
    type Inputs = Images;
    type Outputs = Copies;
    const CONTRACT: Contract = contract(Wake::Input("image"), Class::Best);
    fn step(&mut self, _: &Tick, inputs: &Images, outputs: &mut Copies) -> Result<Done, Fault> {
        let Some(image) = inputs.image.fresh() else { return Ok(Done::Idle) };
        outputs.copy.send(image.value.clone());
        Ok(Done::Worked)
    }
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Copies) {}
}

#[test]
fn a_message_of_a_megabyte_goes_in_and_out_whole() {
    let (_mem, mut host) = host();
    host.spawn(Mirror, NodeOptions::new("mirror")).unwrap();
    let edge = host.handle().edge("/", "camera").unwrap();
    let (copies, _subscription) = hear::<Blob>(&edge, "/copy");
    let mut images = edge.publisher::<Blob>("/image", Qos::SENSOR).unwrap();
    host.start();
    for n in 0..5_u8 {
        let image: Vec<u8> = (0..1 << 20).map(|at: u32| (at as u8).wrapping_mul(31) ^ n).collect();
        images.send(&Blob(image.clone())).unwrap();
        wait_for(|| copies.lock().unwrap().len() == usize::from(n) + 1);
        assert!(copies.lock().unwrap()[usize::from(n)].0 == image);
    }
    let stats = &host.stop().stats[0];
    assert_eq!((stats.received, stats.worked, stats.overwritten, stats.dropped), (5, 5, 0, 0));
    assert_eq!(stats.put.count(), 5);
}

#[test]
fn garbage_is_counted_and_the_node_goes_on() {
    troika_safety::verifies![SR_DAT_001];
    let (mem, mut host) = host();
    host.spawn(Doubler::default(), NodeOptions::new("doubler")).unwrap();
    let edge = host.handle().edge("/", "peer").unwrap();
    let (said, _subscription) = hear::<Number>(&edge, "/out");
    let peer = mem.node("/", "garbage").unwrap();
    host.start();
    for (topic, ty) in [("/in", Number::TYPE), ("/blobs", Blob::TYPE)] {
        let mut publisher = peer.publisher(topic, ty, Qos::DEFAULT).unwrap();
        for bytes in [&b""[..], &[0xFF; 3], &[7; 1 << 20]] {
            publisher.put(bytes, host.clock().now()).unwrap();
        }
    }
    let mut numbers = edge.publisher::<Number>("/in", Qos::DEFAULT).unwrap();
    // Late or not is the machine's affair here: sent until it was answered.
    while !said.lock().unwrap().contains(&Number(42)) {
        numbers.send(&Number(21)).unwrap();
        pause();
    }
    let stats = &host.stop().stats[0];
    assert_eq!(stats.undecodable, 6);
    assert_eq!(stats.panics, 0);
}

#[test]
fn a_node_that_panics_again_and_again_is_unavailable_in_its_heartbeat_and_the_others_go_on() {
    troika_safety::verifies![SR_TIM_004, SR_TIM_012];
    let (_mem, mut host) = host();
    host.spawn(Doubler::default(), NodeOptions::new("doubler")).unwrap();
    host.spawn(Counting::<true>::default(), NodeOptions::new("counting")).unwrap();
    let edge = host.handle().edge("/", "peer").unwrap();
    let (said, _out) = hear::<Number>(&edge, "/out");
    let (beats, _beats) = hear::<Heartbeat>(&edge, heartbeat::TOPIC);
    let mut numbers = edge.publisher::<Number>("/in", Qos::DEFAULT).unwrap();
    host.start();
    // Three in a row: on a loaded machine a silence may come between, so it is sent until it has happened.
    let unavailable = |beat: &Heartbeat| beat.node == "/doubler" && beat.status == Heartbeat::UNAVAILABLE;
    while !beats.lock().unwrap().iter().any(unavailable) {
        numbers.send(&DEADLY).unwrap();
        pause();
    }
    let counted = host.stats()[1].steps;
    wait_for(|| host.stats()[1].steps > counted);
    let report = host.stop();
    assert_eq!(report.stats[0].status, Status::Unavailable);
    assert!(report.stats[0].panics >= 3 && report.died.is_empty());
    assert!(said.lock().unwrap().contains(&FALL_BACK));
    let beats = beats.lock().unwrap();
    let unavailable = beats.iter().find(|beat| unavailable(beat)).unwrap();
    assert!(unavailable.reason.contains("panicked"), "{}", unavailable.reason);
    assert!(beats.iter().any(|beat| beat.node == "/counting" && beat.steps > 0));
}

#[test]
fn a_stop_joins_every_thread_and_takes_the_nodes_off_the_graph() {
    let (mem, mut host) = host();
    host.spawn(Counting::<true>::default(), NodeOptions::new("counting")).unwrap();
    host.spawn(Doubler::default(), NodeOptions::new("doubler")).unwrap();
    let edge = host.handle().edge("/", "peer").unwrap();
    let (counts, _subscription) = hear::<Number>(&edge, "/count");
    let stop = StopToken::new();
    let stopper = thread::spawn({
        let (stop, counts) = (stop.clone(), counts.clone());
        move || {
            wait_for(|| counts.lock().unwrap().len() >= 3);
            stop.stop();
        }
    });
    let report = host.run_until(&stop);
    assert!(stopper.join().is_ok() && report.died.is_empty());
    assert_eq!(mem.graph().unwrap().nodes, ["/peer"]);
    let counts = counts.lock().unwrap();
    let (worked, dropped) = (report.stats[0].worked, report.stats[0].dropped);
    // A courier that stands still for longer than four steps has no room for the next.
    assert_eq!(counts.len() as u64 + dropped, worked, "what was handed over before the stop was put");
    assert!(counts.iter().is_sorted_by(|one, next| one.0 < next.0), "in order, each once");
}

#[test]
fn a_host_that_was_never_started_stops_too() {
    let (_mem, mut host) = host();
    host.spawn(Counting::<true>::default(), NodeOptions::new("counting")).unwrap();
    assert_eq!(host.stop().stats[0].steps, 0);
}

#[test]
fn rights_that_are_refused_are_loud_notices_and_the_node_runs_on() {
    troika_safety::verifies![SR_TIM_017];
    let (_mem, mut host) = host();
    let asks_too_much = NodeOptions {
        cores: Some(vec![100_000]),                              // no machine has it
        ..NodeOptions::new("counting").sched(Policy::Fifo(100))  // no kernel grants it
    };
    host.spawn(Counting::<true>::default(), asks_too_much).unwrap();
    host.start();
    wait_for(|| host.stats()[0].steps > 0);
    let notices = host.notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices.iter().all(|notice| notice.who == "/counting"));
    assert!(notices.iter().any(|notice| notice.what.contains("NO REAL-TIME PRIORITY")));
    assert!(!host.stop().stats[0].real_time);
}

#[test]
fn real_time_that_is_switched_off_is_said() {
    let mem = Arc::new(MemTransport::new());
    let options = HostOptions { mlock: false, rt_allowed: false, ..HostOptions::default() };
    let mut host = Host::new(options, mem);
    host.spawn(Counting::<true>::default(), NodeOptions::new("counting").sched(Policy::Fifo(50))).unwrap();
    assert!(host.notices()[0].what.contains("switched off"));
    assert!(!host.stop().stats[0].real_time);
}

#[test]
fn ports_are_remapped_and_a_misspelt_one_is_refused_with_the_names_that_there_are() {
    let (mem, mut host) = host();
    let misspelt = NodeOptions::new("doubler").remap("nubmer", "/front/in");
    let refused = host.spawn(Doubler::default(), misspelt).err().map(|why| why.to_string());
    assert_eq!(
        refused.as_deref(),
        Some("/doubler has no port 'nubmer'; it has: number, blobs, doubled, lengths")
    );
    let options = NodeOptions {
        namespace: "/car".into(),
        remaps: BTreeMap::from([
            ("number".into(), "front/in".into()),
            ("doubled".into(), "~/out".into()),
            ("lengths".into(), "/lengths_of_all".into()),
        ]),
        ..NodeOptions::new("doubler")
    };
    host.spawn(Doubler::default(), options.clone()).unwrap();
    assert!(matches!(host.spawn(Doubler::default(), options), Err(SpawnError::Twice(_))));
    let graph = mem.graph().unwrap();
    assert_eq!(graph.nodes, ["/car/doubler"]);
    let topics: Vec<_> = graph.endpoints.iter().map(|endpoint| endpoint.topic.as_str()).collect();
    let of_every_node = ["/parameter_events", "/rosout", heartbeat::TOPIC];
    let own = ["/blobs", "/car/doubler/out", "/car/front/in", "/lengths_of_all"];
    assert_eq!(topics, [&own[..], &of_every_node].concat());
}

#[test]
fn a_contract_may_be_tightened_and_not_loosened() {
    troika_safety::verifies![SR_TIM_016];
    let (_mem, mut host) = host();
    let declared = Counting::<true>::CONTRACT;
    let tight = declared.tighten(None, Some(Duration::from_millis(5)), None).unwrap();
    host.spawn(Counting::<true>::default(), NodeOptions::new("tight").contract(tight)).unwrap();
    assert_eq!(host.stats()[0].contract.spec().deadline, Duration::from_millis(5));
    let loose =
        Contract::new(troika_kit::ContractSpec { period: Duration::from_millis(20), ..*declared.spec() });
    let refused = host.spawn(Counting::<true>::default(), NodeOptions::new("loose").contract(loose));
    assert!(matches!(refused, Err(SpawnError::Contract { .. })));
}
