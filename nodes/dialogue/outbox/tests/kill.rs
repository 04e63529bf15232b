//! `kill -9` in the middle of everything. A child process puts and delivers as fast as it can and says on its output what was acknowledged; it
//! is killed at random, started again, and at the end what it said is held against what arrived.

#![expect(clippy::disallowed_methods, reason = "the child is killed by the wall clock")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use troika_kit::Time;
use troika_outbox::{Limits, New, Outbox, Priority, Put, Seen};

const KILLS: u32 = 60;
/// Where the child finds its outbox; without it there is no child.
const FILE: &str = "TROIKA_OUTBOX_OF_THE_CHILD";
const FROM: &str = "TROIKA_OUTBOX_FROM";

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Time::from_nanos(u64::try_from(since.as_nanos()).expect("before 2554"))
}

fn limits() -> Limits {
    Limits {
        items: 1_000_000,
        remembered: 1_000_000,
        bytes: 1 << 30,
        bytes_a_day: 1 << 40,
        cost_a_day: 1 << 40,
        ..Limits::default()
    }
}

/// One line, in one write, so that a kill leaves a whole line or none.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{line}\n").as_bytes()).expect("the parent reads");
    out.flush().expect("the parent reads");
}

/// The child: puts keys from where it is told, two for each one that it delivers, until it is killed.
#[test]
fn the_child() {
    let (Ok(file), Ok(from)) = (env::var(FILE), env::var(FROM)) else {
        return;
    };
    let mut outbox = Outbox::open(Path::new(&file), limits()).expect("it opens after every kill");
    let mut key: u64 = from.parse().expect("a number");
    loop {
        for _ in 0..2 {
            let new = New {
                key: key.to_string(),
                kind: "test".into(),
                priority: Priority::ALL[key as usize % 3],
                lives: Duration::from_secs(3600),
                cost: 1,
                payload: key.to_string().repeat(50).into_bytes(),
            };
            match outbox.put(now(), &new).expect("put") {
                Put::Queued(_) | Put::Waits(_) => tell(&format!("put {key}")),
                Put::Delivered(_) => panic!("{key} was delivered before it was told"),
                Put::Other { .. } => panic!("{key} was put before with other words"),
            }
            key += 1;
        }
        deliver_one(&mut outbox);
    }
}

fn deliver_one(outbox: &mut Outbox) -> bool {
    let Some(item) = outbox.take(now()).expect("taken") else { return false };
    assert_eq!(item.payload, item.key.repeat(50).into_bytes());
    tell(&format!("send {}", item.key));
    outbox.delivered(item.id).expect("acknowledged");
    tell(&format!("done {}", item.key));
    true
}

#[test]
fn nothing_acknowledged_is_lost_or_arrives_twice_over_sixty_kills() {
    troika_safety::verifies![SR_OUT_001];
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("outbox");
    let mut put = BTreeSet::new();
    let mut done = BTreeSet::new();
    let mut arrived: BTreeMap<u64, u32> = BTreeMap::new();
    let mut seen = Seen::new(1_000_000);
    let mut again = 0;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut killed_at_work = 0;
    let mut from = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "the_child", "--nocapture", "--test-threads=1"])
            .env(FILE, &file)
            .env(FROM, from.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Every sixth somewhere on its way to work, the others at it.
        let long = Duration::from_micros(state % 100_000);
        let (at_work, seen_at_work) = mpsc::channel();
        if kill % 6 == 0 {
            let _ = at_work.send(());
        }
        let killer = thread::spawn(move || {
            // An error: the child has ended before it did anything, which is seen below.
            let _ = seen_at_work.recv();
            thread::sleep(long);
            child.kill().expect("kill -9");
            child.wait_with_output().expect("it has ended")
        });
        let mut lines = 0;
        for line in out.lines() {
            let line = line.expect("text");
            let Some(line) = line.split_once('@').map(|(_, told)| told) else { continue };
            let (what, key) = line.split_once(' ').expect("two words");
            let key: u64 = key.parse().expect("a number");
            lines += 1;
            let _ = at_work.send(());
            match what {
                "put" => {
                    put.insert(key);
                    from = from.max(key + 1);
                }
                "send" => {
                    assert!(!done.contains(&key), "{key} is sent after it was acknowledged");
                    if seen.first("vehicle", &key.to_string()) {
                        *arrived.entry(key).or_default() += 1;
                    } else {
                        again += 1;
                    }
                }
                "done" => drop(done.insert(key)),
                other => panic!("{other}"),
            }
        }
        drop(at_work);
        let ended = killer.join().expect("the killer");
        assert!(
            ended.status.code().is_none(),
            "it ended by itself: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
        killed_at_work += u32::from(lines > 0);
    }
    // What is left, without a kill.
    let mut outbox = Outbox::open(&file, limits()).expect("it opens");
    while let Some(item) = outbox.take(now()).expect("taken") {
        let key: u64 = item.key.parse().expect("a number");
        assert!(!done.contains(&key), "{key} is there after it was acknowledged");
        if seen.first("vehicle", &item.key) {
            *arrived.entry(key).or_default() += 1;
        } else {
            again += 1;
        }
        outbox.delivered(item.id).expect("acknowledged");
    }
    let lost: Vec<_> = put.iter().filter(|key| !arrived.contains_key(key)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(arrived.values().all(|count| *count == 1));
    assert!(killed_at_work >= 50, "only {killed_at_work} of {KILLS} kills met it at work");
    assert_eq!(outbox.queued().expect("a disk").items, 0);
    println!(
        "{KILLS} kills, {killed_at_work} at work: {} acknowledged, 0 lost; {again} arrived again and were known by their key",
        put.len()
    );
}
