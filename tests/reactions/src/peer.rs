//! The outside peer: a session of its own that publishes the vehicle's signals and hears what the nodes say, with the time of each
//! message on `CLOCK_MONOTONIC`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use troika_host::{HostClock, Policy, StopToken, sched::raise_threads};
use troika_kit::{Message, Qos, Time};
use troika_msgs::{
    std_msgs::{self, Header},
    troika::{Heartbeat, VehicleSignals},
};
use troika_transport::{NodeHandle, Publisher, Subscription, Transport as _};
use troika_transport_zenoh::{RouterGuard, ZenohOptions, ZenohTransport};

/// As the nodes' signals are specified, 50 Hz.
const SIGNALS_EVERY: Duration = Duration::from_millis(20);
/// Another computer on the bus would not share this one's load, so the peer's threads go before it,
const NICE: i32 = -20;
/// and those of its zenoh sessions before the zenoh threads of the system under test, and after its nodes.
const EAGER: Policy = Policy::Fifo(60);
/// Messages that wait for this peer's callback; none may be lost.
const DEPTH: u32 = 1000;

/// One message of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When it came here, nanoseconds of `CLOCK_MONOTONIC`.
    pub at: u64,
    /// The tick that it belongs to, nanoseconds of its host's time line.
    pub tick: u64,
    /// Who sent it: a node that is started again is another one, and so is its stand-in.
    pub from: [u8; 16],
    /// What the node itself found, and not that it is unknown.
    pub own: bool,
}

/// What is heard of one node, in order of arrival.
#[derive(Debug, Clone, Default)]
pub struct Ear(Arc<Mutex<Vec<Heard>>>);

impl Ear {
    /// All of it, to read.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `find` finds something in what was heard, and looks at it again every millisecond.
    pub fn wait_for<T>(&self, limit: Duration, find: impl Fn(&[Heard]) -> Option<T>) -> Option<T> {
        let began = now();
        loop {
            if let Some(found) = find(&self.lock()) {
                return Some(found);
            }
            if now() - began > limit.as_nanos() as u64 {
                return None;
            }
            pause(Duration::from_millis(1));
        }
    }
}

/// A heartbeat.
#[derive(Debug, Clone)]
pub struct Beat {
    /// When it came here.
    pub at: u64,
    /// When it was made, on its host's time line.
    pub made: u64,
    /// It says that the node is degraded.
    pub degraded: bool,
    /// Why.
    pub reason: String,
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn now() -> u64 {
    let clock = HostClock::start();
    clock.to_monotonic(clock.now())
}

/// Waits.
pub fn pause(time: Duration) {
    StopToken::new().wait_for(time);
}

/// The session.
pub struct Peer {
    handle: Box<dyn NodeHandle>,
    subscriptions: Mutex<Vec<Box<dyn Subscription>>>,
    /// Where the router is that it holds.
    pub endpoint: String,
    _transport: ZenohTransport,
    _router: RouterGuard,
}

/// Runs on a thread that goes before the load, as all threads do that it starts.
pub fn eager<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let first = move || {
            if let Err(why) = rustix::process::nice(NICE) {
                eprintln!("notice: this peer's threads share the load ({why}): its figures are too long");
            }
            work()
        };
        scope.spawn(first).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Peer {
    /// Opens a router on a port of its own, and a session.
    pub fn open() -> anyhow::Result<Peer> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let endpoint = format!("tcp/127.0.0.1:{port}");
        let router = RouterGuard::ensure(&endpoint)?;
        let options = ZenohOptions { router: endpoint.clone(), ..ZenohOptions::default() };
        let transport = ZenohTransport::open(options)?;
        let handle = transport.node("/", "reactions_peer")?;
        if let Err(notice) = raise_threads(transport.threads(), EAGER) {
            eprintln!(
                "notice: this peer's threads share the load ({}): its figures are too long",
                notice.what
            );
        }
        Ok(Peer { handle, subscriptions: Mutex::default(), endpoint, _transport: transport, _router: router })
    }

    fn keep(&self, subscription: Box<dyn Subscription>) {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).push(subscription);
    }

    /// Hears a node on `/reactions/<name>`.
    pub fn hear(&self, name: &str) -> anyhow::Result<Ear> {
        let ear = Ear::default();
        let into = ear.clone();
        let subscription = self.handle.subscribe(
            &format!("/reactions/{name}"),
            std_msgs::String::TYPE,
            Qos { depth: DEPTH, ..Qos::DEFAULT },
            Box::new(move |cdr, meta| {
                let at = now();
                let own = std_msgs::String::decode(cdr).is_ok_and(|said| said.data != "unknown");
                into.lock().push(Heard { at, tick: meta.source_time.as_nanos(), from: meta.gid, own });
            }),
        )?;
        self.keep(subscription);
        Ok(ear)
    }

    /// Hears what a topic carries, each message with its arrival; what is none of the type's is left out.
    pub fn listen<T: Message>(
        &self,
        topic: &str,
        mut each: impl FnMut(u64, T) + Send + 'static,
    ) -> anyhow::Result<()> {
        let heard = Box::new(move |cdr: &[u8], _: &_| {
            let at = now();
            if let Ok(message) = T::decode(cdr) {
                each(at, message);
            }
        });
        self.keep(self.handle.subscribe(topic, T::TYPE, Qos { depth: DEPTH, ..Qos::DEFAULT }, heard)?);
        Ok(())
    }

    /// What sends on a topic.
    pub fn publisher<T: Message>(&self, topic: &str) -> anyhow::Result<Box<dyn Publisher>> {
        Ok(self.handle.publisher(topic, T::TYPE, Qos::DEFAULT)?)
    }

    /// Hears the heartbeats of a node.
    pub fn beats(&self, node: &'static str) -> anyhow::Result<Arc<Mutex<Vec<Beat>>>> {
        let beats = Arc::<Mutex<Vec<Beat>>>::default();
        let into = beats.clone();
        let subscription = self.handle.subscribe(
            troika_host::heartbeat::TOPIC,
            Heartbeat::TYPE,
            Qos { depth: DEPTH, ..Qos::DEFAULT },
            Box::new(move |cdr, _| {
                let at = now();
                let Some(beat) = Heartbeat::decode(cdr).ok().filter(|beat| beat.node == node) else { return };
                let made = beat.header.time().as_nanos();
                let degraded = beat.status == Heartbeat::DEGRADED;
                let beat = Beat { at, made, degraded, reason: beat.reason };
                into.lock().unwrap_or_else(PoisonError::into_inner).push(beat);
            }),
        )?;
        self.keep(subscription);
        Ok(beats)
    }

    /// What sends signals on a topic.
    pub fn signals(&self, topic: &str) -> anyhow::Result<Signals> {
        let publisher = self.handle.publisher(topic, VehicleSignals::TYPE, Qos::DEFAULT)?;
        Ok(Signals { publisher, clock: HostClock::start(), buffer: Vec::new() })
    }

    /// Sends `/vehicle/signals` at 50 Hz until the stop.
    pub fn drive(&self, stop: &StopToken) -> anyhow::Result<JoinHandle<()>> {
        let (mut signals, stop) = (self.signals("/vehicle/signals")?, stop.clone());
        let drive = move || {
            while !stop.wait_for(SIGNALS_EVERY) {
                signals.send();
            }
        };
        thread::Builder::new().name("signals".into()).spawn(drive).context("no thread for the signals")
    }
}

/// Sends the signals of a vehicle that moves.
pub struct Signals {
    publisher: Box<dyn Publisher>,
    clock: HostClock,
    buffer: Vec<u8>,
}

impl Signals {
    /// One message.
    pub fn send(&mut self) {
        let stamp: Time = self.clock.now();
        let header = Header::at(stamp);
        let signals = VehicleSignals { header, speed_kmh: 50.0, ..VehicleSignals::default() };
        if signals.encode(&mut self.buffer).is_ok() {
            // What is lost is missed by the nodes, and seen there.
            let _lost = self.publisher.put(&self.buffer, stamp);
        }
    }
}
