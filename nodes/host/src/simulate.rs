//! The same nodes under a virtual clock: one thread, the mem transport, faster than real time. Events are ordered by time,
//! then by the order in which nodes and feeds were added, so the same inputs give the same outputs, byte for byte. By
//! default a step takes no time; a [`Timing`] models the machine, which is how lateness is tested without waiting.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use troika_arena::Arena;
use troika_kit::{Message, Qos, Sample, Step, Tick, Time, TypeInfo, Wake as WakeOn};
use troika_transport::{NodeHandle, Publisher, Subscription, Transport, TransportError};
use troika_transport_mem::MemTransport;

use crate::{
    bind::bind,
    clock::Clock,
    edge::{Edge, TypedPublisher, TypedSubscription},
    heartbeat::{BEAT, Beater},
    options::{NodeOptions, SpawnError},
    runner::{Encode, Ran, Runner, Sink},
    schedule::Schedule,
    stats::{NodeEvent, NodeStats, Record, books},
    sync::{HistogramWriter, TimeCell, Wake},
    tape::Departures,
};

/// Where virtual time starts unless it is told: 2025-01-01, so that no stamp reads as unset.
const START: Time = Time::from_stamp(1_735_689_600, 0);

/// What the modelled machine does to one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the release to the start, at least.
    pub delay: Duration,
    /// From the start to the outputs leaving; the node is busy meanwhile.
    pub execution: Duration,
}

/// Nodes on a virtual clock.
pub struct Simulation {
    mem: MemTransport,
    clock: Arc<TimeCell>,
    start: Time,
    edge: Edge,
    actors: Vec<Box<dyn Actor>>,
    records: Vec<Arc<Record>>,
    beaters: Vec<Beating>,
    next_beat: Time,
    taps: Vec<TypedSubscription>,
    /// Nodes and their subscriptions, which last as long as the simulation.
    living: Vec<Presence>,
}

/// A node's heartbeats, and when its process is gone and sends none: from and to.
struct Beating {
    node: String,
    beater: Beater,
    gone: Vec<(Time, Time)>,
    was_gone: bool,
}

type Presence = (Vec<Box<dyn Subscription>>, Box<dyn NodeHandle>);

/// What [`Simulation::collect`] gathers.
#[derive(Debug, Clone)]
pub struct Collected<T>(Arc<Mutex<Vec<Sample<T>>>>);

impl<T> Collected<T> {
    /// Takes what has been gathered so far.
    pub fn take(&self) -> Vec<Sample<T>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Something that acts at times of its own.
trait Actor {
    /// When it acts next, as seen at `now`.
    fn next(&mut self, now: Time) -> Option<Time>;
    /// Acts at `now`.
    fn act(&mut self, now: Time);
}

impl Simulation {
    /// An empty simulation at 2025-01-01.
    ///
    /// # Errors
    /// Never in practice: the mem transport refuses bad names only.
    pub fn new() -> Result<Self, TransportError> {
        Simulation::starting_at(START)
    }

    /// An empty simulation at `start`.
    ///
    /// # Errors
    /// As [`Simulation::new`].
    pub fn starting_at(start: Time) -> Result<Self, TransportError> {
        let mem = MemTransport::new();
        let clock = Arc::new(TimeCell::new(start));
        let edge = Edge::new(&mem, Clock::Virtual(clock.clone()), "/", "simulation")?;
        Ok(Simulation {
            mem,
            clock,
            start,
            edge,
            actors: Vec::new(),
            records: Vec::new(),
            beaters: Vec::new(),
            next_beat: start + BEAT,
            taps: Vec::new(),
            living: Vec::new(),
        })
    }

    /// Virtual time now.
    pub fn now(&self) -> Time {
        self.clock.get()
    }

    /// Virtual time, for what is beside the nodes.
    pub fn reader(&self) -> impl Fn() -> Time + Clone + Send + Sync + 'static {
        let clock = self.clock.clone();
        move || clock.get()
    }

    /// Virtual time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now().since(self.start)
    }

    /// The transport that the nodes are on.
    pub fn transport(&self) -> &MemTransport {
        &self.mem
    }

    /// Adds a node whose steps take no time.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn<S: Step>(&mut self, step: S, options: NodeOptions) -> Result<(), SpawnError> {
        self.spawn_timed(step, options, |_| Timing::default())
    }

    /// Adds a node whose n-th step (from 0, by start) is held up as `timing` says.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn_timed<S: Step>(
        &mut self,
        step: S,
        options: NodeOptions,
        timing: impl FnMut(u64) -> Timing + 'static,
    ) -> Result<(), SpawnError> {
        let name = options.full_name();
        let contract = options.check::<S::Inputs, S::Outputs>(S::CONTRACT)?;
        if self.records.iter().any(|record| record.node == name) {
            return Err(SpawnError::Twice(name));
        }
        let refused = |why: TransportError| SpawnError::Transport { node: name.clone(), why };
        let (recorder, put, record) = books(name.clone(), contract);
        let handle = self.mem.node(&options.namespace, &options.name).map_err(refused)?;
        let wake = Wake::default();
        let wake_port = match contract.spec().wake {
            WakeOn::Input(port) => Some(port),
            WakeOn::Period => None,
        };
        let clock = Clock::Virtual(self.clock.clone());
        let bound =
            bind::<S>(&*handle, &options, wake_port, &wake, &clock, &record.cells, None).map_err(refused)?;
        let beater = Beater::declare(&*handle, record.clone(), clock).map_err(refused)?;
        self.beaters.push(Beating { node: name.clone(), beater, gone: Vec::new(), was_gone: false });
        let publishers = bound.publishers.into_iter().map(|(publisher, _)| publisher).collect();
        let mut runner = Runner::new(step, bound.inputs, bound.outputs, contract, recorder);
        let (steps, departures) = bound.tape.unzip();
        if let Some(steps) = steps {
            runner.record(steps);
        }
        runner.level(options.level);
        if options.arena > 0 {
            let arena =
                Arena::new(options.arena).map_err(|why| SpawnError::Arena { node: name.clone(), why })?;
            record.use_arena(arena.meter());
            runner.use_arena(arena);
        }
        self.actors.push(Box::new(SimNode {
            runner,
            sink: Direct {
                publishers,
                buffer: Vec::new(),
                record: record.clone(),
                put,
                clock: self.clock.clone(),
                tape: departures,
            },
            schedule: Schedule::new(&contract, self.now()),
            seen: wake.seen(),
            wake,
            pending: None,
            running: None,
            free_at: self.now(),
            timing: Box::new(timing),
            starts: 0,
            coming: None,
        }));
        self.records.push(record);
        self.living.push((bound.subscriptions, handle));
        Ok(())
    }

    /// Says that a node's process is gone at these times since the start, from and to: it sends no heartbeats then, and numbers them anew
    /// when it is back. What its steps do meanwhile is theirs. A node that is not there has no process.
    pub fn gone(&mut self, node: &str, spans: impl IntoIterator<Item = (Duration, Duration)>) {
        let start = self.start;
        if let Some(one) = self.beaters.iter_mut().find(|one| one.node == node) {
            one.gone.extend(spans.into_iter().map(|(from, to)| (start + from, start + to)));
        }
    }

    /// Publishes each message at its time since the start; the times must not go back.
    ///
    /// # Errors
    /// What the transport says.
    pub fn feed<T: Message>(
        &mut self,
        topic: &str,
        messages: impl IntoIterator<Item = (Duration, T), IntoIter: 'static>,
    ) -> Result<(), TransportError> {
        let mut publisher = self.edge.publisher::<T>(topic, Qos::DEFAULT)?;
        self.feeder(messages, move |message| {
            // A value without a CDR form is the feed's mistake, and the topic stays silent for it.
            let _ = publisher.send(&message);
        });
        Ok(())
    }

    /// Publishes raw bytes at their times since the start, as if they were CDR of the type: for garbage.
    ///
    /// # Errors
    /// What the transport says.
    pub fn feed_bytes(
        &mut self,
        topic: &str,
        ty: TypeInfo,
        messages: impl IntoIterator<Item = (Duration, Vec<u8>), IntoIter: 'static>,
    ) -> Result<(), TransportError> {
        let node = self.mem.node("/", "feed")?;
        let mut publisher = node.publisher(topic, ty, Qos::DEFAULT)?;
        let clock = self.clock.clone();
        self.feeder(messages, move |bytes: Vec<u8>| {
            let _ = publisher.put(&bytes, clock.get());
        });
        self.living.push((Vec::new(), node));
        Ok(())
    }

    fn feeder<T: 'static>(
        &mut self,
        messages: impl IntoIterator<Item = (Duration, T), IntoIter: 'static>,
        send: impl FnMut(T) + 'static,
    ) {
        let (start, mut messages) = (self.start, messages.into_iter());
        let next = messages.next();
        self.actors.push(Box::new(Feed { start, messages, next, send }));
    }

    /// A publisher for messages sent between two runs.
    ///
    /// # Errors
    /// What the transport says.
    pub fn publisher<T: Message>(&self, topic: &str) -> Result<TypedPublisher<T>, TransportError> {
        self.edge.publisher(topic, Qos::DEFAULT)
    }

    /// Calls `on_message` with each message on the topic and its virtual time: for scoring.
    ///
    /// # Errors
    /// What the transport says.
    pub fn tap<T: Message>(
        &mut self,
        topic: &str,
        mut on_message: impl FnMut(Time, &T) + Send + 'static,
    ) -> Result<(), TransportError> {
        let each = move |sample: Sample<T>| on_message(sample.received, &sample.value);
        self.taps.push(self.edge.subscribe(topic, Qos::SENSOR, each)?);
        Ok(())
    }

    /// Gathers each message on the topic.
    ///
    /// # Errors
    /// What the transport says.
    pub fn collect<T: Message>(&mut self, topic: &str) -> Result<Collected<T>, TransportError> {
        let all = Arc::new(Mutex::new(Vec::new()));
        let into = all.clone();
        let each = move |sample| into.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        self.taps.push(self.edge.subscribe(topic, Qos::SENSOR, each)?);
        Ok(Collected(all))
    }

    /// Gathers the bytes of each message on the topic, with their virtual times: for comparing two runs.
    ///
    /// # Errors
    /// What the transport says.
    pub fn collect_bytes(&mut self, topic: &str, ty: TypeInfo) -> Result<Collected<Vec<u8>>, TransportError> {
        let all = Arc::new(Mutex::new(Vec::new()));
        let (into, clock) = (all.clone(), self.clock.clone());
        let node = self.mem.node("/", "tap")?;
        let each = move |cdr: &[u8], _: &troika_transport::Meta| {
            let sample = Sample { value: cdr.to_vec(), received: clock.get() };
            into.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        };
        let subscription = node.subscribe(topic, ty, Qos::SENSOR, Box::new(each))?;
        self.living.push((vec![subscription], node));
        Ok(Collected(all))
    }

    /// Runs what happens in the next `duration`, its end included.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now() + duration;
        while self.event(until) {}
    }

    /// Runs event by event until `done` says so, or until nothing is left that could happen.
    pub fn run_until(&mut self, mut done: impl FnMut(Time) -> bool) {
        while !done(self.now()) && self.event(Time::from_nanos(u64::MAX)) {}
    }

    /// The figures of every node, in order of spawning.
    pub fn stats(&self) -> Vec<NodeStats> {
        self.records.iter().map(|record| record.stats()).collect()
    }

    /// The faults of each node since the last call, by its full name.
    pub fn events(&self) -> Vec<(String, NodeEvent)> {
        let of = |record: &Arc<Record>| {
            let node = record.node.clone();
            record.events().into_iter().map(move |event| (node.clone(), event)).collect::<Vec<_>>()
        };
        self.records.iter().flat_map(of).collect()
    }

    /// Lets one event happen, at `until` at the latest; false if there is none, and time is `until` then.
    fn event(&mut self, until: Time) -> bool {
        let now = self.now();
        let times = self.actors.iter_mut().enumerate();
        let first = times.filter_map(|(index, actor)| Some((actor.next(now)?.max(now), index))).min();
        // Heartbeats come after what happens at the same time; alone they do not keep a simulation going.
        let beat = (!self.beaters.is_empty()).then_some(self.next_beat);
        match (first, beat) {
            (Some((time, _)), Some(beat)) if beat < time && beat <= until => self.beat(beat),
            (Some((time, index)), _) if time <= until => {
                self.clock.set(time);
                self.actors[index].act(time);
            }
            (_, Some(beat)) if beat <= until && until < Time::from_nanos(u64::MAX) => self.beat(beat),
            _ => {
                if until < Time::from_nanos(u64::MAX) {
                    self.clock.set(until);
                }
                return false;
            }
        }
        true
    }

    fn beat(&mut self, at: Time) {
        self.clock.set(at);
        self.next_beat = at + BEAT;
        for one in &mut self.beaters {
            let is_gone = one.gone.iter().any(|(from, to)| (*from..*to).contains(&at));
            if !is_gone {
                if std::mem::take(&mut one.was_gone) {
                    one.beater.begin_anew();
                }
                one.beater.beat();
            }
            one.was_gone |= is_gone;
        }
    }
}

struct Feed<I: Iterator, F> {
    start: Time,
    messages: I,
    next: Option<I::Item>,
    send: F,
}

impl<T, I: Iterator<Item = (Duration, T)>, F: FnMut(T)> Actor for Feed<I, F> {
    fn next(&mut self, _: Time) -> Option<Time> {
        self.next.as_ref().map(|(after, _)| self.start + *after)
    }

    fn act(&mut self, _: Time) {
        if let Some((_, message)) = std::mem::replace(&mut self.next, self.messages.next()) {
            (self.send)(message);
        }
    }
}

struct SimNode<S: Step> {
    runner: Runner<S>,
    sink: Direct,
    schedule: Schedule,
    wake: Wake,
    seen: u32,
    /// When the message came that the next step wakes on.
    pending: Option<Time>,
    /// A step whose outputs leave later.
    running: Option<(Ran, Time)>,
    free_at: Time,
    timing: Box<dyn FnMut(u64) -> Timing>,
    starts: u64,
    /// The timing of the next start, once it was asked for.
    coming: Option<Timing>,
}

impl<S: Step> Actor for SimNode<S> {
    fn next(&mut self, now: Time) -> Option<Time> {
        // Asked after every event, so a message that shows up now has come now.
        if self.pending.is_none() && self.wake.seen() != self.seen {
            self.pending = Some(now);
        }
        if let Some((_, leaves)) = self.running {
            return Some(leaves);
        }
        let release = self.pending.map_or(self.schedule.due(), |at| at.min(self.schedule.due()));
        let timing = *self.coming.get_or_insert_with(|| (self.timing)(self.starts));
        Some((release + timing.delay).max(self.free_at))
    }

    fn act(&mut self, now: Time) {
        if let Some((ran, leaves)) = self.running.take() {
            self.runner.leave(ran, || leaves, &mut self.sink);
            return;
        }
        self.seen = self.wake.seen();
        self.pending = None;
        let timing = self.coming.take().unwrap_or_default();
        self.starts += 1;
        // As in the wall-clock executor.
        let release = if let Some(arrival) = self.runner.arrival() {
            self.schedule.heard(arrival);
            arrival
        } else if let Some(due) = self.schedule.take(now) {
            if let Some(ran) = self.runner.pass_over(&due, now) {
                self.runner.leave(ran, || now, &mut self.sink);
            }
            due.release
        } else {
            return; // woken by a message that an earlier step took along
        };
        let mut started = false;
        let ran = self.runner.run(release, || {
            let time = if started { now + timing.execution } else { now };
            started = true;
            time
        });
        let leaves = now + timing.execution;
        self.free_at = leaves;
        if timing.execution.is_zero() {
            self.runner.leave(ran, || now, &mut self.sink);
        } else {
            self.running = Some((ran, leaves));
        }
    }
}

/// Puts at once: in a simulation nothing is lost to the way.
struct Direct {
    publishers: Vec<Box<dyn Publisher>>,
    buffer: Vec<u8>,
    record: Arc<Record>,
    put: HistogramWriter,
    clock: Arc<TimeCell>,
    tape: Option<Departures>,
}

impl Sink for Direct {
    fn send(&mut self, port: usize, tick: &Tick, encode: &mut Encode<'_>) {
        if encode(&mut self.buffer).is_err() {
            self.record.cells.unsent.add(1);
            return;
        }
        match self.publishers[port].put(&self.buffer, tick.now) {
            Ok(()) => {
                let took = self.clock.get().since(tick.release);
                self.put.record(took);
                if took > self.record.contract.spec().deadline {
                    self.record.cells.put_late.add(1);
                }
            }
            Err(why) => self.record.put_failed(why.to_string()),
        }
        if let Some(tape) = &mut self.tape {
            tape.left(port, tick.seq, tick.now, &self.buffer);
        }
    }

    fn flush(&mut self) {}
}
