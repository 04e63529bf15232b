//! How many vehicle signals a second go from one process to another over zenoh as the nodes use it, and how long each message takes: what
//! [Kuksa](https://github.com/eclipse-kuksa/kuksa-perf)'s `databroker-perf` measures of its broker. A message carries a group of signals (8 bytes
//! each, as VSS's double), its stamp and its number.
//!
//! ```sh
//! cargo run -p troika-transport-zenoh --example signals -- [SIGNALS] [MESSAGES-A-SECOND] [SECONDS]   # 101, 0 (as many as go), 10
//! ```
#![allow(clippy::disallowed_methods, reason = "a measurement of real time")]

use std::{
    env,
    error::Error,
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use troika_kit::{Qos, Time, TypeInfo};
use troika_transport::Transport as _;
use troika_transport_zenoh::{RouterGuard, ZenohOptions, ZenohTransport};

const TYPE: TypeInfo = TypeInfo {
    name: "troika_msgs/msg/Bench",
    hash: "RIHS01_0000000000000000000000000000000000000000000000000000000000000000",
};
const TOPIC: &str = "/bench/signals";
/// A message: what CDR puts before all, the stamp, the number.
const HEAD: usize = 4 + 8 + 8;
/// Messages of the first so long are not counted.
const WARM: Duration = Duration::from_secs(1);
/// The number of a message that ends it.
const LAST: u64 = u64::MAX;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse::<u64>());
    match arguments.get(1).map(String::as_str) {
        Some("publish") => publish(&arguments[2], number(3, 101)?, number(4, 0)?, number(5, 10)?),
        Some("subscribe") => subscribe(&arguments[2], number(3, 101)?),
        _ => {
            let (signals, rate, seconds) = (number(1, 101)?, number(2, 0)?, number(3, 10)?);
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let endpoint = format!("tcp/127.0.0.1:{port}");
            let _router = RouterGuard::ensure(&endpoint)?;
            let own = env::current_exe()?;
            let role = |role: &str| {
                let mut command = Command::new(&own);
                command.args([
                    role,
                    &endpoint,
                    &signals.to_string(),
                    &rate.to_string(),
                    &seconds.to_string(),
                ]);
                command
            };
            let subscriber = role("subscribe").stdout(Stdio::piped()).spawn()?;
            thread::sleep(WARM);
            let published = role("publish").status()?;
            let heard = subscriber.wait_with_output()?;
            if !published.success() || !heard.status.success() {
                return Err("one of the two processes failed".into());
            }
            print!("{}", String::from_utf8_lossy(&heard.stdout));
            Ok(())
        }
    }
}

fn open(endpoint: &str) -> Result<ZenohTransport, Box<dyn Error>> {
    Ok(ZenohTransport::open(ZenohOptions { router: endpoint.to_owned(), ..ZenohOptions::default() })?)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or_default()
}

fn publish(endpoint: &str, signals: u64, rate: u64, seconds: u64) -> Result<(), Box<dyn Error>> {
    let node = open(endpoint)?.node("/", "provider")?;
    let mut publisher = node.publisher(TOPIC, TYPE, Qos::DEFAULT)?;
    thread::sleep(WARM);
    let mut bytes = vec![0_u8; HEAD + usize::try_from(signals)? * 8];
    let begin = Instant::now();
    let whole = WARM + Duration::from_secs(seconds);
    let mut number = 0_u64;
    while begin.elapsed() < whole {
        if rate > 0 {
            let due = Duration::from_secs_f64(number as f64 / rate as f64);
            thread::sleep(due.saturating_sub(begin.elapsed()));
        }
        bytes[4..12].copy_from_slice(&now().to_le_bytes());
        bytes[12..20].copy_from_slice(&number.to_le_bytes());
        publisher.put(&bytes, Time::ZERO)?;
        number += 1;
    }
    thread::sleep(WARM);
    bytes[4..12].copy_from_slice(&number.to_le_bytes());
    bytes[12..20].copy_from_slice(&LAST.to_le_bytes());
    for _ in 0..10 {
        publisher.put(&bytes, Time::ZERO)?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn subscribe(endpoint: &str, signals: u64) -> Result<(), Box<dyn Error>> {
    let node = open(endpoint)?.node("/", "consumer")?;
    let (told, heard) = channel();
    let take = move |bytes: &[u8], _: &_| {
        let number = |at: usize| {
            bytes.get(at..at + 8).and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)))
        };
        let (Some(stamp), Some(number)) = (number(4), number(12)) else { return };
        let _ = told.send((now(), stamp, number));
    };
    let _subscription = node.subscribe(TOPIC, TYPE, Qos::DEFAULT, Box::new(take))?;
    let (mut first, mut last, mut all) = (None, 0, Vec::new());
    let sent = loop {
        let (at, stamp, number) = heard.recv_timeout(Duration::from_secs(60))?;
        if number == LAST {
            break stamp;
        }
        let begin = *first.get_or_insert(at);
        if Duration::from_nanos(at - begin) >= WARM {
            all.push(Duration::from_nanos(at.saturating_sub(stamp)));
            last = at - begin;
        }
    };
    let took = Duration::from_nanos(last).saturating_sub(WARM).as_secs_f64().max(1e-9);
    all.sort_unstable();
    let at = |q: f64| {
        let rank = ((all.len() as f64 * q).ceil() as usize).clamp(1, all.len().max(1));
        all.get(rank - 1).map_or(f64::NAN, |one| one.as_secs_f64() * 1e3)
    };
    let rate = all.len() as f64 / took;
    println!(
        "{signals} signals a message: {rate:.0} messages/s, {:.0} signals/s; ms p50 {:.3}, p95 {:.3}, p99 {:.3}, max {:.3}; {} counted of {sent} sent",
        rate * signals as f64,
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0),
        all.len(),
    );
    Ok(())
}
