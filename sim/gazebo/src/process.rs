//! The process: each direction of each pair has a thread of its own, so that a large picture holds up no clock. Gazebo's and our
//! transports' own threads only fill its queue.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Sender as Mouth, channel},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, anyhow, bail};
use troika_host::{
    Clock, HostClock,
    edge::{Edge, TypedPublisher},
    heartbeat, signal,
    sync::StopToken,
};
use troika_kit::{Duration, Qos, Time};
use troika_msgs::{protect::Seal, std_msgs::Header, troika::Heartbeat};
use troika_transport::{NodeHandle, Publisher, Subscription, Transport, name::full_node_name};
use troika_transport_open::Carrier;

use crate::{
    config::{BridgeConfig, Direction, Pair},
    convert::{Conversion, Terms, Unconvertible},
    count::{Counts, Told},
    echo::Echo,
    pace::Pace,
    peer,
    queue::Queue,
};

/// How long the transports may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How often a thread without messages looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);
/// How often a lazy pair looks whether somebody listens.
const LAZY_LOOK: Duration = Duration::from_millis(250);
/// At least once a second, as the host's own heartbeats.
const BEAT: Duration = Duration::from_millis(900);

/// One direction of a pair, as its threads share it.
struct Lane {
    label: String,
    conversion: &'static Conversion,
    pair: Pair,
    /// What came, and when.
    queue: Queue<(Vec<u8>, Time)>,
    counts: Counts,
    pace: Mutex<Pace>,
    /// What this lane has said on its far side: the lane of the other direction hears it too.
    said: Mutex<Echo>,
}

impl Lane {
    fn new(pair: &Pair, conversion: &'static Conversion, to_ros: bool) -> Arc<Lane> {
        let (ros, gz) = (&pair.ros_topic_name, &pair.gz_topic_name);
        Arc::new(Lane {
            label: if to_ros { format!("gz {gz} -> {ros}") } else { format!("{ros} -> gz {gz}") },
            conversion,
            pair: pair.clone(),
            queue: Queue::new(pair.subscriber_queue as usize),
            counts: Counts::default(),
            pace: Mutex::new(Pace::new(pair.max_rate_hz)),
            said: Mutex::default(),
        })
    }

    /// A message has come; `back` is the lane of the other direction, where there is one.
    fn came(&self, bytes: Vec<u8>, now: Time, back: Option<&Lane>) {
        self.counts.received.add(1);
        let is_own = |back: &Lane| lock(&back.said).is_own(&bytes, now);
        if back.is_some_and(is_own) {
            self.counts.own.add(1);
        } else if !lock(&self.pace).allows(now) {
            self.counts.paced.add(1);
        } else if self.queue.put((bytes, now)) {
            self.counts.dropped.add(1);
        }
    }

    /// Sends on what comes until `over`; `look`, which is told whether it is, no longer listens then, and what has come is sent on still.
    fn carry(
        &self,
        over: &StopToken,
        mut convert: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Unconvertible>,
        mut send: impl FnMut(&[u8], Time) -> Result<(), String>,
        mut look: impl FnMut(bool),
    ) {
        let (mut out, mut told_of, mut told_refused) = (Vec::new(), false, false);
        loop {
            let is_over = over.is_stopped();
            look(is_over);
            let (bytes, now) = match self.queue.take(if is_over { Duration::ZERO } else { LOOK }) {
                Some(came) => came,
                None if is_over => return,
                None => continue,
            };
            if let Err(error) = convert(&bytes, &mut out) {
                self.counts.unconvertible.add(1);
                if !std::mem::replace(&mut told_of, true) {
                    eprintln!("notice: {}: {error}; such messages are left out and counted", self.label);
                }
                continue;
            }
            // Before it is sent: it may be back before the call returns.
            if self.pair.direction == Direction::Bidirectional {
                lock(&self.said).said(&out, now);
            }
            match send(&out, now) {
                Ok(()) => self.counts.sent.add(1),
                Err(error) => {
                    self.counts.refused.add(1);
                    if !std::mem::replace(&mut told_refused, true) {
                        eprintln!("notice: {}: {error}", self.label);
                    }
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs until SIGINT or SIGTERM comes.
///
/// # Errors
/// When a transport is not to be had, or refuses a topic.
pub fn run(config: &BridgeConfig) -> anyhow::Result<()> {
    let stop = signal::stop_on_signals().context("cannot watch for signals")?;
    let carrier =
        Carrier { router: config.router.clone(), dds: config.dds, ros2: false, domain: config.domain };
    let transport = carrier.open()?;
    let clock = HostClock::start();
    let edge = Edge::new(&*transport, Clock::Host(clock), &config.namespace, &config.name)?;
    // Their topics; the heartbeat's presence is the edge's, under the same name.
    let node = transport.node(&config.namespace, &format!("{}_topics", config.name))?;
    let mut bridge = Bridge {
        stop,
        over: StopToken::new(),
        clock,
        lanes: Vec::new(),
        threads: Vec::new(),
        ears: Vec::new(),
    };
    for pair in &config.pairs {
        bridge
            .add(config, &transport, &*node, pair)
            .with_context(|| format!("pair {} and gz {}", pair.ros_topic_name, pair.gz_topic_name))?;
    }
    let beats = edge.publisher(heartbeat::TOPIC, Qos::DEFAULT)?;
    eprintln!("bridging {} pairs", config.pairs.len());
    let mut whole = Report::new(&bridge.lanes, clock.now());
    bridge.watch(config, beats);
    signal::end_within(CLOSING);
    let lanes = bridge.end();
    whole.print(&lanes, clock.now());
    Ok(())
}

struct Bridge {
    stop: StopToken,
    /// Nothing comes from our side any more: the lanes end when they have sent on what came.
    over: StopToken,
    clock: HostClock,
    lanes: Vec<Arc<Lane>>,
    threads: Vec<JoinHandle<()>>,
    ears: Vec<Box<dyn Subscription>>,
}

impl Bridge {
    fn add(
        &mut self,
        config: &BridgeConfig,
        transport: &Arc<dyn Transport>,
        node: &dyn NodeHandle,
        pair: &Pair,
    ) -> anyhow::Result<()> {
        let conversion = pair.conversion().ok_or_else(|| anyhow!("these types are not converted"))?;
        let of = |wanted: bool, to_ros: bool| wanted.then(|| Lane::new(pair, conversion, to_ros));
        let (to_ros, to_gz) = (of(pair.direction.to_ros(), true), of(pair.direction.to_gz(), false));
        if let Some(lane) = &to_ros {
            let publisher = node.publisher(&pair.ros_topic_name, conversion.ros, pair.offered())?;
            let heard = pair.lazy.then(|| transport.clone());
            let (lane, back, over, clock) = (lane.clone(), to_gz.clone(), self.over.clone(), self.clock);
            let partition = config.partition.clone();
            self.start(move |ready| {
                from_gazebo(&lane, back, publisher, heard, partition, clock, &over, ready)
            })?;
        }
        if let Some(lane) = &to_gz {
            let (thread, over, partition) = (lane.clone(), self.over.clone(), config.partition.clone());
            self.start(move |ready| to_gazebo(&thread, partition, &over, ready))?;
            let (lane, back, clock) = (lane.clone(), to_ros.clone(), self.clock);
            let each = move |cdr: &[u8], _: &troika_transport::Meta| {
                lane.came(cdr.to_vec(), clock.now(), back.as_deref());
            };
            self.ears.push(node.subscribe(
                &pair.ros_topic_name,
                conversion.ros,
                pair.asked(),
                Box::new(each),
            )?);
        }
        self.lanes.extend([to_ros, to_gz].into_iter().flatten());
        Ok(())
    }

    /// A thread that says when it is ready, or why it is not.
    fn start(&mut self, work: impl FnOnce(Ready) + Send + 'static) -> anyhow::Result<()> {
        let (ready, told) = channel();
        let thread = thread::Builder::new().name("gazebo".into()).spawn(move || work(ready))?;
        self.threads.push(thread);
        match told.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => bail!("its thread has ended"),
        }
    }

    /// Heartbeats and reports until the end.
    fn watch(&self, config: &BridgeConfig, mut beats: TypedPublisher<Heartbeat>) {
        let name = full_node_name(&config.namespace, &config.name);
        let mut report = Report::new(&self.lanes, self.clock.now());
        let mut since_beat = Report::new(&self.lanes, self.clock.now());
        let mut seal = Seal::new(&name);
        loop {
            let stopped = self.stop.wait_for(BEAT);
            let now = self.clock.now();
            let mut beat = beat(&name, now, &since_beat.tell(&self.lanes, now));
            if let Err(error) = seal.seal(&mut beat) {
                eprintln!("notice: no heartbeat: {error}");
            } else if let Err(error) = beats.send(&beat) {
                eprintln!("notice: no heartbeat: {error}");
            }
            if stopped {
                return;
            }
            if config.report_s > 0 && now.since(report.at) >= Duration::from_secs(config.report_s) {
                report.print(&self.lanes, now);
            }
        }
    }

    /// Ends listening, and what has come is sent on; whose counts are final then.
    fn end(self) -> Vec<Arc<Lane>> {
        drop(self.ears);
        self.over.stop();
        for thread in self.threads {
            // One that panicked has said so itself.
            let _ = thread.join();
        }
        self.lanes
    }
}

type Ready = Mouth<anyhow::Result<()>>;

fn to_gazebo(lane: &Lane, partition: Option<String>, over: &StopToken, ready: Ready) {
    let (gz, topic) = (lane.conversion.gz, &lane.pair.gz_topic_name);
    let advertised = peer::node(partition.as_deref()).and_then(|mut node| {
        let sender = peer::advertise_as(&mut node, gz, topic);
        Ok((node, sender.ok_or_else(|| anyhow!("Gazebo's transport refuses to advertise {topic} as {gz}"))?))
    });
    // The sender goes before its node does.
    let (_node, mut sender) = match advertised {
        Ok(made) => made,
        Err(error) => return drop(ready.send(Err(error))),
    };
    // Nobody listens only where the process ends.
    let _ = ready.send(Ok(()));
    let send = |bytes: &[u8], _| {
        if sender.send(bytes) { Ok(()) } else { Err("Gazebo's transport refuses a message".to_owned()) }
    };
    lane.carry(over, |cdr, out| lane.conversion.to_gz(cdr, out), send, |_| {});
}

#[allow(clippy::too_many_arguments, reason = "a thread's whole start")]
fn from_gazebo(
    lane: &Arc<Lane>,
    back: Option<Arc<Lane>>,
    mut publisher: Box<dyn Publisher>,
    heard: Option<Arc<dyn Transport>>,
    partition: Option<String>,
    clock: HostClock,
    over: &StopToken,
    ready: Ready,
) {
    let mut node = match peer::node(partition.as_deref()) {
        Ok(node) => node,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let into = lane.clone();
    let each: peer::OnBytes = Arc::new(move |bytes| into.came(bytes, clock.now(), back.as_deref()));
    let (gz, topic) = (lane.conversion.gz, lane.pair.gz_topic_name.clone());
    let subscribe = |node: &mut gz_transport::Node| {
        if peer::subscribe_as(node, gz, &topic, each.clone()) {
            return Ok(());
        }
        Err(anyhow!("Gazebo's transport refuses to subscribe to {topic} as {gz}"))
    };
    if heard.is_none()
        && let Err(error) = subscribe(&mut node)
    {
        return drop(ready.send(Err(error)));
    }
    let _ = ready.send(Ok(()));
    let (mut subscribed, mut looked) = (heard.is_none(), Time::ZERO);
    let look = |is_over| {
        if is_over {
            subscribed = subscribed && !node.unsubscribe(&topic);
            return;
        }
        let Some(transport) = &heard else { return };
        let now = clock.now();
        if now.since(looked) < LAZY_LOOK {
            return;
        }
        looked = now;
        let ros = &lane.pair.ros_topic_name;
        let wanted = transport
            .graph()
            .is_ok_and(|graph| graph.endpoints.iter().any(|end| !end.publishes && end.topic == *ros));
        if wanted && !subscribed {
            subscribed = subscribe(&mut node).is_ok();
        } else if !wanted && subscribed {
            subscribed = !node.unsubscribe(&topic);
        }
    };
    let terms = Terms { frame_id: lane.pair.frame_id.clone() };
    let send = |cdr: &[u8], now| publisher.put(cdr, now).map_err(|error| error.to_string());
    lane.carry(over, |bytes, out| lane.conversion.to_ros(bytes, &terms, out), send, look);
}

/// The counts when they were last told.
#[derive(Clone)]
struct Report {
    at: Time,
    last: Vec<Told>,
}

impl Report {
    fn new(lanes: &[Arc<Lane>], at: Time) -> Report {
        Report {
            at,
            last: lanes.iter().map(|lane| lane.counts.told(&lane.label, 0, Duration::ZERO)).collect(),
        }
    }

    /// As a line of JSON.
    fn print(&mut self, lanes: &[Arc<Lane>], now: Time) {
        let pairs: Vec<Told> = self.tell(lanes, now).into_iter().map(|(told, _)| told).collect();
        println!("{}", serde_json::json!({ "pairs": pairs }));
    }

    /// Each lane's counts, and what ails it since the last time.
    fn tell(&mut self, lanes: &[Arc<Lane>], now: Time) -> Vec<(Told, Option<String>)> {
        let ago = now.since(self.at);
        let told = lanes.iter().zip(&self.last).map(|(lane, before)| {
            let told = lane.counts.told(&lane.label, before.sent, ago);
            let trouble = told.trouble(before);
            (told, trouble)
        });
        let told: Vec<(Told, Option<String>)> = told.collect();
        *self = Report { at: now, last: told.iter().map(|(told, _)| told.clone()).collect() };
        told
    }
}

fn beat(node: &str, now: Time, told: &[(Told, Option<String>)]) -> Heartbeat {
    let sum = |of: fn(&Told) -> u64| told.iter().map(|(told, _)| of(told)).sum::<u64>();
    let reasons: Vec<&str> = told.iter().filter_map(|(_, trouble)| trouble.as_deref()).collect();
    Heartbeat {
        header: Header::at(now),
        node: node.to_owned(),
        status: if reasons.is_empty() { Heartbeat::OK } else { Heartbeat::DEGRADED },
        reason: reasons.join("; "),
        steps: sum(|told| told.received),
        worked: sum(|told| told.sent),
        dropped: sum(|told| told.dropped),
        undecodable: sum(|told| told.unconvertible),
        faults: sum(|told| told.refused),
        ..Heartbeat::default()
    }
}
