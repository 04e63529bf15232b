//! A thousand faults of each kind on a real thread, beside busy ones: each has its reaction, in the same tick, and the node goes
//! on. Nothing here is timed; how fast it is, is for the benchmarks.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hint::spin_loop,
    sync::{Arc, Mutex},
    thread,
};

use common::*;
use troika_host::{
    Host, HostOptions, InjectedFault, Injection, InjectionLog, NodeOptions, NodeStats, Policy, Status,
    StopToken,
};
use troika_kit::{Class, Contract, ContractSpec, Done, Duration, Fault, Out, Qos, Step, Tick, Wake, ports};
use troika_transport_mem::MemTransport;

const INJECTED: u64 = 1000;
/// Every fourth of the steps that run: never three panics in a row, after which a node is given up.
const EVERY: u64 = 4;

ports! {
    /// Out.
    pub struct Said {
        /// The tick's number; for a fall-back counted down from the largest.
        tick: Out<Number> = "/tick",
    }
}

/// Says which tick it is, 500 times a second.
struct Ticking;

impl Step for Ticking {
    type Inputs = Nothing;
    type Outputs = Said;
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "ticking",
        wake: Wake::Period,
        period: Duration::from_millis(2),
        deadline: Duration::from_millis(2),
        budget: Duration::from_millis(1),
        class: Class::Hard,
        requirements: &[],
    });
    fn step(&mut self, tick: &Tick, _: &Nothing, outputs: &mut Said) -> Result<Done, Fault> {
        outputs.tick.send(Number(tick.seq));
        Ok(Done::Worked)
    }
    fn fall_back(&mut self, tick: &Tick, _: &Fault, outputs: &mut Said) {
        outputs.tick.send(Number(u64::MAX - tick.seq));
    }
}

/// Twice as many busy threads as cores, until it is dropped.
struct Load(StopToken, Vec<thread::JoinHandle<()>>);

impl Load {
    fn start() -> Load {
        let stop = StopToken::new();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let busy = |stop: StopToken| {
            move || {
                while !stop.is_stopped() {
                    (0..10_000).for_each(|_| spin_loop());
                }
            }
        };
        let threads = (0..2 * cores).map(|_| thread::spawn(busy(stop.clone()))).collect();
        Load(stop, threads)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.stop();
        self.1.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// What was seen of a run.
struct Seen {
    /// For each tick on the bus, whether it was the step's own (`true`) or the fall-back's.
    heard: BTreeMap<u64, Vec<bool>>,
    /// The ticks that something was done to.
    injected: BTreeSet<u64>,
    stats: NodeStats,
}

/// Injects until `happened` says a thousand.
fn injected(name: &str, fault: InjectedFault, happened: impl Fn(&NodeStats) -> u64) -> Seen {
    let path = std::env::temp_dir().join(format!("troika-injected-{}-{name}", std::process::id()));
    let log = InjectionLog::open(&path, "ticking").unwrap();
    let _load = Load::start();
    let mem = Arc::new(MemTransport::new());
    let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, mem);
    let edge = host.handle().edge("/", "listener").unwrap();
    let heard = Arc::new(Mutex::new(BTreeMap::<u64, Vec<bool>>::new()));
    let into = heard.clone();
    let _subscription = edge
        .subscribe::<Number>("/tick", Qos { depth: 1000, ..Qos::DEFAULT }, move |sample| {
            let Number(said) = sample.value;
            let own = said < u64::MAX / 2;
            let tick = if own { said } else { u64::MAX - said };
            into.lock().unwrap().entry(tick).or_default().push(own);
        })
        .unwrap();
    let mut options = NodeOptions::new("ticking").sched(Policy::Fifo(10));
    options.inject = Some(Injection { fault, at_step: EVERY, every: EVERY, log: Some(log) });
    host.spawn(Ticking, options).unwrap();
    host.start();
    while happened(&host.stats()[0]) < INJECTED {
        assert_ne!(host.stats()[0].status, Status::Unavailable, "given up: {:?}", host.stats()[0]);
        StopToken::new().wait_for(Duration::from_millis(50));
    }
    let stats = host.stop().stats.remove(0);
    let lines = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let injected = lines.lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    Seen { heard: std::mem::take(&mut *heard.lock().unwrap()), injected, stats }
}

/// Every injected tick said the fall-back, once and nothing else; others spoke for themselves.
fn check(Seen { heard, injected, .. }: &Seen) {
    assert!(!injected.is_empty());
    for (tick, said) in heard {
        assert_eq!(said.len(), 1, "tick {tick} said {said:?}");
        assert!(!injected.contains(tick) || !said[0], "tick {tick} passed for well");
    }
    assert!(heard.values().any(|said| said[0]), "the node goes on");
}

#[test]
fn a_thousand_overruns_are_a_thousand_fall_backs() {
    troika_safety::verifies![SR_TIM_006];
    let overrun = InjectedFault::Overrun(Duration::from_millis(3));
    let seen = injected("overrun", overrun, |stats| stats.over_budget);
    check(&seen);
    let stats = seen.stats;
    assert!(stats.missed >= INJECTED && stats.fall_backs >= INJECTED, "{stats:?}");
}

#[test]
fn a_thousand_panics_are_a_thousand_fall_backs() {
    troika_safety::verifies![SR_TIM_003];
    let print = std::panic::take_hook();
    // A thousand backtraces say no more than the one in the message of a failed test.
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some("a panic was injected") {
            print(panic);
        }
    }));
    let seen = injected("panic", InjectedFault::Panic, |stats| stats.panics);
    check(&seen);
    let stats = seen.stats;
    assert!(stats.faults >= INJECTED && stats.fall_backs >= INJECTED, "{stats:?}");
    assert_ne!(stats.status, Status::Unavailable);
}
