//! Peers on the network that mean harm, or are broken: they speak to the router and on the topics while a driver falls asleep at 60 km/h.
//!
//! They know the keys and the types, and not how messages are protected: an end-to-end check finds what was changed, and is no signature
//! (the threat model has who forges one).

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Mutex, PoisonError},
    thread,
};

use troika_host::{HostClock, StopToken};
use troika_kit::{Duration, Message, Qos, Time, TypeInfo};
use troika_msgs::{
    protect::Seal,
    std_msgs::Header,
    troika::{
        CommandResult, DriverAlert, DriverState, Heartbeat, SafetyState, VehicleCommand, VehicleSignals,
    },
};
use troika_reactions::peer::now;
use troika_transport::{NodeHandle, Publisher, Transport as _};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};

use super::{
    bench::{Bench, Said, trunk},
    processes::meanwhile,
};
use crate::{
    class::{Dice, Verdict},
    damage::cdr,
    driver,
};

type Found = anyhow::Result<Option<Verdict>>;

/// What is for the safety of the driver, and who may be asked to do something.
const TOPICS: [(&str, TypeInfo); 6] = [
    ("/cabin/driver_state", DriverState::TYPE),
    ("/vehicle/signals", VehicleSignals::TYPE),
    ("/troika/heartbeat", Heartbeat::TYPE),
    ("/safety/state", SafetyState::TYPE),
    ("/cabin/driver_alert", DriverAlert::TYPE),
    ("/voice/command", VehicleCommand::TYPE),
];
/// What an intruder's orders are called.
const ORDER: &str = "intruder";

/// A driver falls asleep while `intruder` is at work: what is told of that, and what became of the processes and of its orders.
fn during(
    bench: &mut Bench,
    dice: &mut Dice,
    intruder: impl FnOnce(&StopToken) -> anyhow::Result<()> + Send,
) -> Found {
    let before = bench.processes()?;
    let (began, failed) = (now(), Mutex::new(None));
    let open_for = dice.ms(500, 2_000);
    // A lie may take the whole to its safe state; the sleeper is told of all the same.
    bench.blind_counts = false;
    let verdict = meanwhile(
        |stop| {
            if let Err(error) = intruder(stop) {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        },
        || bench.falls_asleep(open_for),
    );
    bench.blind_counts = true;
    let mut verdict = verdict?;
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        bench.calm()?;
        return bench.cannot(format!("{error:#}"));
    }
    let grown = bench.grown(&before)?;
    let obeyed = bench.since(began).into_iter().find_map(|(_, said)| match said {
        Said::Result(id, CommandResult::ACCEPTED | CommandResult::DONE) if id.starts_with(ORDER) => {
            Some(format!("the trunk opened at 60 km/h for {id}"))
        }
        _ => None,
    });
    verdict.harm = verdict.harm.or(grown).or(obeyed);
    bench.back(verdict)
}

/// Starts where the endpoint is said as zenoh has it.
fn socket(endpoint: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(endpoint.trim_start_matches("tcp/"))?;
    stream.set_write_timeout(Some(Duration::from_millis(200)))?;
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    Ok(stream)
}

/// Connections at once.
const CALLERS: u64 = 24;

pub(super) fn bytes(bench: &mut Bench, dice: &mut Dice) -> Found {
    let endpoint = bench.endpoint.clone();
    let seed = u64::from(dice.byte());
    during(bench, dice, move |stop| {
        let called: u32 = thread::scope(|scope| {
            let call = |caller| {
                let endpoint = &endpoint;
                scope.spawn(move || calls(endpoint, Dice::new(seed, "caller", caller), stop))
            };
            let callers: Vec<_> = (0..CALLERS).map(call).collect();
            callers.into_iter().filter_map(|caller| caller.join().ok()).sum()
        });
        anyhow::ensure!(called > 0, "nobody could be called at {endpoint}");
        Ok(())
    })
}

/// One after the other until the stop; how many were answered.
fn calls(endpoint: &str, mut dice: Dice, stop: &StopToken) -> u32 {
    let mut called = 0;
    while !stop.wait_for(dice.ms(1, 40)) {
        let Ok(mut stream) = socket(endpoint) else { continue };
        called += 1;
        let noise: Vec<u8> = (0..1 + dice.below(4096)).map(|_| dice.byte()).collect();
        let _refused = match dice.below(4) {
            0 => stop.wait_for(dice.ms(10, 500)),
            1 => stream.write_all(b"GET / HTTP/1.1\r\nHost: router\r\n\r\n").is_err(),
            // A length before it, as zenoh's frames on a stream have.
            2 => {
                let length = u16::try_from(noise.len()).unwrap_or(u16::MAX).to_le_bytes();
                stream.write_all(&length).and_then(|()| stream.write_all(&noise)).is_err()
            }
            _ => stream.write_all(&noise).is_err(),
        };
        let _said = stream.read(&mut [0; 256]);
    }
    called
}

/// A session of an intruder's own, and its publishers on every topic.
fn intrude(endpoint: &str, name: &str) -> anyhow::Result<(ZenohTransport, Vec<Box<dyn Publisher>>)> {
    let options = ZenohOptions { router: endpoint.to_owned(), ..ZenohOptions::default() };
    let transport = ZenohTransport::open(options)?;
    let node = transport.node("/", name)?;
    let publishers = on_all(&*node)?;
    Ok((transport, publishers))
}

fn on_all(node: &dyn NodeHandle) -> anyhow::Result<Vec<Box<dyn Publisher>>> {
    TOPICS.iter().map(|(topic, ty)| Ok(node.publisher(topic, *ty, Qos::DEFAULT)?)).collect()
}

/// A message of a topic that nobody protected, as it would suit who means harm.
fn lie(topic: usize, at: Time, dice: &mut Dice, number: u64) -> Vec<u8> {
    let header = Header::at(at);
    match topic {
        0 => cdr(&driver::seen(at, false)),
        1 => cdr(&VehicleSignals { header, speed_kmh: 0.0, ignition_on: true, ..VehicleSignals::default() }),
        2 => {
            let node = (*dice.one_of(&["/driver_monitor", "/vehicle", "/nobody"])).to_owned();
            cdr(&Heartbeat { header, node, status: Heartbeat::UNAVAILABLE, ..Heartbeat::default() })
        }
        3 => cdr(&SafetyState { header, state: SafetyState::NOMINAL, ..SafetyState::default() }),
        4 => cdr(&DriverAlert {
            header,
            profile: "euro_ncap".into(),
            kind: DriverAlert::SLEEP,
            phase: DriverAlert::CLEARED,
            ..DriverAlert::default()
        }),
        _ => cdr(&trunk(&format!("{ORDER}-{number}"), at.into())),
    }
}

pub(super) fn floods(bench: &mut Bench, dice: &mut Dice) -> Found {
    let (endpoint, mut mine) = (bench.endpoint.clone(), Dice::new(u64::from(dice.byte()), "flood", 0));
    during(bench, dice, move |stop| {
        let (_transport, mut publishers) = intrude(&endpoint, "flood")?;
        let (clock, mut number) = (HostClock::start(), 0);
        // On all topics, or all of it on one.
        let one = mine.coin().then(|| mine.below(TOPICS.len()));
        while !stop.is_stopped() {
            number += 1;
            let (at, topic) = (clock.now(), one.unwrap_or_else(|| mine.below(TOPICS.len())));
            let message = match mine.below(3) {
                0 => (0..mine.below(2048)).map(|_| mine.byte()).collect(),
                1 => {
                    let mut message = lie(topic, at, &mut mine, number);
                    message.truncate(mine.below(message.len()));
                    message
                }
                _ => lie(topic, at, &mut mine, number),
            };
            publishers[topic].put(&message, at)?;
        }
        anyhow::ensure!(number > 100, "only {number} messages left");
        Ok(())
    })
}

pub(super) fn large(bench: &mut Bench, dice: &mut Dice) -> Found {
    let (endpoint, mut mine) = (bench.endpoint.clone(), Dice::new(u64::from(dice.byte()), "large", 0));
    during(bench, dice, move |stop| {
        let (_transport, mut publishers) = intrude(&endpoint, "large")?;
        let (clock, mut sent) = (HostClock::start(), 0);
        while !stop.wait_for(mine.ms(20, 80)) {
            sent += 1;
            let (at, topic) = (clock.now(), mine.below(TOPICS.len()));
            // Begins as one of the type's does, and goes on.
            let mut message = lie(topic, at, &mut mine, 0);
            message.resize((1 + mine.below(16)) << 20, mine.byte());
            publishers[topic].put(&message, at)?;
        }
        anyhow::ensure!(sent > 5, "only {sent} messages left");
        Ok(())
    })
}

pub(super) fn crowd(bench: &mut Bench, dice: &mut Dice) -> Found {
    let endpoint = bench.endpoint.clone();
    during(bench, dice, move |stop| {
        let (transport, _own) = intrude(&endpoint, "crowd")?;
        let mut generation = 0;
        while !stop.is_stopped() {
            let mut all = Vec::new();
            for number in 0..50 {
                let node = transport.node("/", &format!("crowd_{generation}_{number}"))?;
                all.push((on_all(&*node)?, node));
                if stop.is_stopped() {
                    break;
                }
            }
            generation += 1;
        }
        anyhow::ensure!(generation > 1, "only {generation} generations of nodes came");
        Ok(())
    })
}

pub(super) fn asks(bench: &mut Bench, dice: &mut Dice) -> Found {
    let endpoint = bench.endpoint.clone();
    during(bench, dice, move |stop| {
        use zenoh::Wait as _;
        let told = |error: zenoh::Error| anyhow::anyhow!("{error}");
        let config = ZenohOptions { router: endpoint.clone(), ..ZenohOptions::default() };
        let session = zenoh::open(config.session_config().map_err(told)?).wait().map_err(told)?;
        let mut asked = 0;
        while !stop.is_stopped() {
            asked += 1;
            for key in ["**", "0/**", "@/**", "@adv/**"] {
                // Nobody waits for the answers.
                drop(session.get(key).payload([0; 512]).wait().map_err(told)?);
            }
            drop(session.liveliness().get("@ros2_lv/**").wait().map_err(told)?);
        }
        anyhow::ensure!(asked > 10, "only {asked} rounds of questions left");
        session.close().wait().map_err(told)
    })
}

pub(super) fn impostor(bench: &mut Bench, dice: &mut Dice) -> Found {
    let (endpoint, mut mine) = (bench.endpoint.clone(), Dice::new(u64::from(dice.byte()), "impostor", 0));
    let recorded = bench.recorded();
    during(bench, dice, move |stop| {
        let (_first, mut publishers) = intrude(&endpoint, "driver_monitor")?;
        let (_second, mut others) = intrude(&endpoint, "supervisor")?;
        let (clock, mut number) = (HostClock::start(), 0);
        let mut seal = Seal::<DriverState>::new("/elsewhere");
        while !stop.wait_for(Duration::from_millis(4)) {
            number += 1;
            let at = clock.now();
            match mine.below(4) {
                // What was recorded while the driver was awake, in its order.
                0 if !recorded.is_empty() => {
                    let (state, signals) = &recorded[number as usize % recorded.len()];
                    publishers[0].put(state, at)?;
                    publishers[1].put(signals, at)?;
                }
                1 => {
                    let mut state = driver::seen(at, false);
                    seal.seal(&mut state)?;
                    publishers[0].put(&cdr(&state), at)?;
                }
                _ => {
                    let topic = mine.below(TOPICS.len());
                    let message = lie(topic, at, &mut mine, number);
                    let as_which = if mine.coin() { &mut publishers } else { &mut others };
                    as_which[topic].put(&message, at)?;
                }
            }
        }
        anyhow::ensure!(number > 50, "only {number} lies left");
        Ok(())
    })
}
