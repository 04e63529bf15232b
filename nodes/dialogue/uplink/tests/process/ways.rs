//! What becomes of what was put, on each of its ways.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use troika_kit::Duration;
use troika_msgs::troika::{DriverState, LinkState, OutboxReceipt};

use crate::{
    gateway::{Gateway, HANGS},
    vehicle::Vehicle,
};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_is_put_while_the_gateway_is_down_arrives_once_when_it_is_up() {
    let (mut gateway, mut vehicle) = (Gateway::new(), Vehicle::new());
    let folder = tempfile::tempdir().expect("a folder");
    let program = vehicle.starts(&vehicle.settings(&gateway, folder.path()));
    for n in 0..30 {
        let item = vehicle.message(&format!("m{n}"), HOUR, 100);
        let receipt = vehicle.puts(&item);
        assert!(matches!(receipt.state, OutboxReceipt::QUEUED | OutboxReceipt::WAITS), "{receipt:?}");
    }
    gateway.start();
    let mut delivered = BTreeSet::new();
    while delivered.len() < 30 {
        let receipt = vehicle.receipts.recv_timeout(HANGS).expect("it is told");
        if receipt.state == OutboxReceipt::DELIVERED {
            delivered.insert(receipt.key);
        }
    }
    let again = vehicle.message("m7", HOUR, 100);
    assert_eq!(vehicle.puts(&again).state, OutboxReceipt::DELIVERED);
    let inbox = gateway.inbox();
    assert_eq!(inbox.len(), 30);
    assert!(inbox.values().all(|count| *count == 1), "{inbox:?}");
    program.ends(Signal::TERM, HANGS);
}

fn link(vehicle: &mut Vehicle, state: u8) {
    let link = LinkState { state, rtt_ms: 77.0, rtt_high_ms: 90.0, ..LinkState::default() };
    vehicle.link.send(&link).expect("sent");
}

/// Puts something that lives for a second, under a link of this state, and says what became of it.
fn brief(vehicle: &mut Vehicle, key: &str, state: u8) -> u8 {
    let item = vehicle.message(key, Duration::from_secs(1), 10);
    vehicle.item.send(&item).expect("sent");
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < HANGS, "nothing became of {key}");
        link(vehicle, state);
        match vehicle.receipts.recv_timeout(Duration::from_millis(100)) {
            Ok(receipt) if receipt.key != key => {}
            Ok(receipt) if !matches!(receipt.state, OutboxReceipt::QUEUED) => return receipt.state,
            _ => {}
        }
    }
}

#[test]
fn without_a_link_nothing_is_sent_and_what_expires_is_told() {
    troika_safety::verifies![SR_OUT_004];
    let (mut gateway, mut vehicle) = (Gateway::new(), Vehicle::new());
    gateway.start();
    let folder = tempfile::tempdir().expect("a folder");
    let program = vehicle.starts(&vehicle.settings(&gateway, folder.path()));
    let first = vehicle.message("first", HOUR, 10);
    vehicle.puts(&first);
    if gateway.inbox().is_empty() {
        assert_eq!(vehicle.becomes("first").state, OutboxReceipt::DELIVERED);
    }
    // It may not have heard yet that the link is down.
    let begin = Instant::now();
    let heard =
        (0..).find(|n| brief(&mut vehicle, &format!("early-{n}"), LinkState::DOWN) == OutboxReceipt::EXPIRED);
    assert!(heard.is_some() && begin.elapsed() < HANGS);
    for key in ["a", "b"] {
        assert_eq!(brief(&mut vehicle, key, LinkState::DOWN), OutboxReceipt::EXPIRED);
    }
    let inbox = gateway.inbox();
    assert!(!inbox.contains_key("a") && !inbox.contains_key("b"), "{inbox:?}");
    let last = vehicle.message("last", HOUR, 10);
    vehicle.puts(&last);
    let begin = Instant::now();
    while gateway.inbox().get("last") != Some(&1) {
        assert!(begin.elapsed() < HANGS, "it does not go when there is a link again");
        link(&mut vehicle, LinkState::UP);
        thread::sleep(Duration::from_millis(100));
    }
    program.ends(Signal::INT, HANGS);
}

#[test]
fn the_fleets_page_shows_the_vehicle() {
    let (mut gateway, mut vehicle) = (Gateway::new(), Vehicle::new());
    gateway.start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = vehicle.settings(&gateway, folder.path());
    settings["report"] =
        json!({"report_s": 1, "thrift_s": 1, "bytes_a_day": 1_000_000_000, "driver_state": true});
    let program = vehicle.starts(&settings);
    let begin = Instant::now();
    loop {
        link(&mut vehicle, LinkState::UP);
        let driver = DriverState { state: DriverState::ATTENTIVE, ..DriverState::default() };
        vehicle.driver.send(&driver).expect("sent");
        let events = gateway.admin("/events").expect("it serves");
        let event = events.split_once("data: ").and_then(|(_, rest)| rest.lines().next()).expect("an event");
        let event: Value = serde_json::from_str(event).expect("JSON");
        let row = &event["rows"][0];
        let report = &row["report"];
        if report["link"] == "up" && report["driver_state"] == "attentive" {
            assert_eq!((&row["vehicle"], &report["rtt_ms"]), (&json!("anna"), &json!(77.0)));
            break;
        }
        assert!(begin.elapsed() < HANGS, "the page says {event}");
        thread::sleep(Duration::from_millis(100));
    }
    program.ends(Signal::TERM, HANGS);
}

#[test]
fn a_foreign_certificate_loses_nothing_and_is_told() {
    let (mut gateway, other, mut vehicle) = (Gateway::new(), Gateway::new(), Vehicle::new());
    gateway.start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut foreign = vehicle.settings(&gateway, folder.path());
    for key in ["certificate_file", "private_key_file"] {
        foreign["cloud"][key] = vehicle.settings(&other, folder.path())["cloud"][key].clone();
    }
    let mut program = vehicle.starts(&foreign);
    let item = vehicle.message("a", HOUR, 10);
    assert!(matches!(vehicle.puts(&item).state, OutboxReceipt::QUEUED | OutboxReceipt::WAITS));
    // The gateway ends the handshake, and how that looks from here is a matter of what comes first.
    program.says(&["TLS", "connection broke"], HANGS);
    program.ends(Signal::TERM, HANGS);
    assert!(gateway.inbox().is_empty());
    let program = vehicle.starts(&vehicle.settings(&gateway, folder.path()));
    assert_eq!(vehicle.becomes("a").state, OutboxReceipt::DELIVERED);
    assert_eq!(gateway.inbox().get("a"), Some(&1));
    program.ends(Signal::TERM, HANGS);
}

#[test]
fn a_vehicle_that_is_enrolled_again_waits_for_nothing() {
    let (mut gateway, mut vehicle) = (Gateway::new(), Vehicle::new());
    // Before it starts, so that the list is read from the first.
    gateway.revokes();
    gateway.start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = vehicle.settings(&gateway, folder.path());
    // Longer than anybody waits here.
    settings["outbox"] = json!({"retry_first_ms": 600_000, "retry_longest_ms": 600_000});
    settings["delivery"] = json!({"pause_first_ms": 600_000, "pause_longest_ms": 600_000});
    let mut program = vehicle.starts(&settings);
    let item = vehicle.message("a", HOUR, 10);
    assert!(matches!(vehicle.puts(&item).state, OutboxReceipt::QUEUED | OutboxReceipt::WAITS));
    program.says(&["certificate is revoked", "connection broke"], HANGS);
    gateway.enrols();
    // Each file by itself: between two of them they do not fit.
    program.says(&["are new"], HANGS);
    assert_eq!(vehicle.becomes("a").state, OutboxReceipt::DELIVERED);
    assert_eq!(gateway.inbox().get("a"), Some(&1));
    program.ends(Signal::TERM, HANGS);
}

/// A disk of 4 MiB, mounted.
struct Small(PathBuf);

impl Small {
    fn size(path: &Path, how: &str) {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", how, "tmpfs"]).arg(path).status();
        assert!(done.is_ok_and(|status| status.success()), "mounting wants root");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
#[ignore = "mounts a small disk: as root, cargo test -p troika-uplink --test process -- --ignored"]
fn a_full_disk_is_told_and_it_goes_on_when_there_is_room() {
    let (mut gateway, mut vehicle) = (Gateway::new(), Vehicle::new());
    let folder = tempfile::tempdir().expect("a folder");
    Small::size(folder.path(), "size=4m");
    let small = Small(folder.path().into());
    let program = vehicle.starts(&vehicle.settings(&gateway, folder.path()));
    let mut kept = BTreeSet::new();
    let refused = (0..1000)
        .find(|n| {
            let item = vehicle.message(&format!("m{n}"), HOUR, 50_000);
            let receipt = vehicle.puts(&item);
            match receipt.state {
                OutboxReceipt::QUEUED | OutboxReceipt::WAITS => drop(kept.insert(receipt.key)),
                _ => {
                    assert_eq!((receipt.state, receipt.reason), (OutboxReceipt::REFUSED, OutboxReceipt::DISK))
                }
            }
            receipt.state == OutboxReceipt::REFUSED
        })
        .expect("4 MiB hold no 50 MB");
    Small::size(folder.path(), "remount,size=64m");
    let item = vehicle.message(&format!("m{refused}"), HOUR, 50_000);
    let begin = Instant::now();
    while vehicle.puts(&item).state == OutboxReceipt::REFUSED {
        assert!(begin.elapsed() < HANGS, "it does not go on");
    }
    kept.insert(item.key.clone());
    gateway.start();
    let begin = Instant::now();
    while gateway.inbox().len() < kept.len() {
        assert!(begin.elapsed() < HANGS, "not all of {} came", kept.len());
        thread::sleep(Duration::from_millis(100));
    }
    let inbox = gateway.inbox();
    assert!(kept.iter().all(|key| inbox.get(key) == Some(&1)));
    println!("{} of 50 kB kept on 4 MiB, then refused; all of them and one more arrived", kept.len() - 1);
    program.ends(Signal::TERM, HANGS);
    drop(small);
}
