//! `kill -9` in the middle of everything, of the uplink and of the gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Instant,
};

use rustix::process::Signal;
use troika_kit::Duration;
use troika_msgs::troika::OutboxReceipt;

use crate::{
    gateway::{Gateway, HANGS},
    vehicle::{Vehicle, start},
};

const KILLS: u32 = 100;
/// Each so many kills the gateway is killed too.
const GATEWAY_EACH: u32 = 5;
/// Things that the vehicle wants delivered and has no receipt for, at a time.
const AT_ONCE: usize = 8;
const AGAIN: Duration = Duration::from_millis(200);

/// Sends each thing again until its receipt came; then another.
struct Demand {
    next: u32,
    waiting: BTreeMap<String, Instant>,
    acknowledged: BTreeSet<String>,
    told: u64,
}

impl Demand {
    fn turn(&mut self, vehicle: &mut Vehicle, more: bool) {
        while more && self.waiting.len() < AT_ONCE {
            self.waiting.insert(format!("k{}", self.next), Instant::now() - AGAIN);
            self.next += 1;
        }
        for (key, since) in &mut self.waiting {
            if since.elapsed() >= AGAIN {
                *since = Instant::now();
                let item = vehicle.message(key, Duration::from_secs(86_400), 200);
                vehicle.item.send(&item).expect("sent");
            }
        }
        if let Ok(receipt) = vehicle.receipts.recv_timeout(Duration::from_millis(5)) {
            self.heard(receipt);
        }
        let rest: Vec<_> = vehicle.receipts.try_iter().collect();
        rest.into_iter().for_each(|receipt| self.heard(receipt));
    }

    fn heard(&mut self, receipt: OutboxReceipt) {
        match receipt.state {
            OutboxReceipt::QUEUED | OutboxReceipt::WAITS | OutboxReceipt::DELIVERED => {
                self.told += 1;
                self.waiting.remove(&receipt.key);
                self.acknowledged.insert(receipt.key);
            }
            _ => panic!("{receipt:?}"),
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_arrives_twice_over_a_hundred_kills() {
    troika_safety::verifies![SR_OUT_001, SR_OUT_002];
    let (mut gateway, mut vehicle) = (Gateway::new(), Vehicle::new());
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = vehicle.settings(&gateway, folder.path());
    settings["outbox"]["items"] = 1_000_000.into();
    settings["outbox"]["bytes_a_day"] = 1_000_000_000_u64.into();
    settings["delivery"]["bytes_a_minute"] = 1_000_000_000_u64.into();
    gateway.start();
    let mut demand = Demand { next: 0, waiting: BTreeMap::new(), acknowledged: BTreeSet::new(), told: 0 };
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let (mut longest, mut gateways) = (Duration::ZERO, 0);
    for kill in 0..KILLS {
        let (program, begin, told) = (start(&settings), Instant::now(), demand.told);
        while demand.told == told {
            assert!(begin.elapsed() < HANGS, "no receipt after kill {kill}");
            demand.turn(&mut vehicle, true);
        }
        longest = longest.max(begin.elapsed());
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at_work = Duration::from_micros(state % 200_000);
        let begin = Instant::now();
        while begin.elapsed() < at_work {
            demand.turn(&mut vehicle, true);
        }
        if kill % GATEWAY_EACH == 2 {
            gateway.kill();
            gateways += 1;
            demand.turn(&mut vehicle, true);
            program.kill();
            gateway.start();
        } else {
            program.kill();
        }
    }
    let program = start(&settings);
    let begin = Instant::now();
    while !demand.waiting.is_empty() || gateway.inbox().len() < demand.acknowledged.len() {
        assert!(
            begin.elapsed() < HANGS,
            "{} of {} arrived",
            gateway.inbox().len(),
            demand.acknowledged.len()
        );
        demand.turn(&mut vehicle, false);
        thread::sleep(Duration::from_millis(50));
    }
    let inbox = gateway.inbox();
    let lost: Vec<_> = demand.acknowledged.iter().filter(|key| !inbox.contains_key(*key)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(inbox.values().all(|count| *count == 1));
    assert!(gateways >= KILLS / GATEWAY_EACH);
    println!(
        "{KILLS} kills of the uplink, {gateways} of the gateway: {} acknowledged, each arrived once; from the start to the first receipt {} \
         ms at most",
        demand.acknowledged.len(),
        longest.as_millis()
    );
    program.ends(Signal::TERM, HANGS);
}
